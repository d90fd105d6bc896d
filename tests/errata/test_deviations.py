"""One test for each entry of DEVIATIONS.md: the choices differ in numbers, and the code makes the one that is written down.

Exact over the rationals, except where a root occurs: there mpmath works with 200 bits, and a few dozen operations on numbers
of size 1e-2 to 1e2 leave an error far below `CLOSE`.
"""

import ast
import re
from fractions import Fraction as Q
from pathlib import Path

import mpmath
import numpy as np
import pytest
from stepgauge import arrays, nets
from stepgauge.reference import (
    block_fisher,
    grouped_newton,
    hessian_free,
    kbfgs,
    kbfgs20,
    kbfgs20_l_skip,
    kbfgs_l_exact,
    kfac,
    kfac20,
    shampoo,
    subsampled,
    tnt,
    tnt_ideal,
)
from stepgauge.reference.first_order import adam, rmsprop, sgd_m
from stepgauge.reference.parts import cubic, damping, lbfgs, roots, tensor_normal, tensors
from stepgauge.reference.parts import levenberg_marquardt as lm

ROOT = Path(__file__).resolve().parents[2]
BITS, CLOSE = 200, mpmath.mpf(2) ** -180
MODEL = nets.mlp((1, 1), ("linear",), "mse")


def problem(kind):
    """Parameters (W = 2, b = 1) and two batches, of two examples and of one, in the arithmetic `kind`."""
    params = (nets.Layer(np.array([[2.0]]), np.array([1.0])),)
    batches = (nets.Batch(np.array([[1.0], [3.0]]), np.array([[0.0], [2.0]])), nets.Batch(np.array([[-2.0]]), np.array([[4.0]])))
    return arrays.cast(params, kind), arrays.cast(batches, kind)


def gradients(params, batch):
    """∂/∂W and ∂/∂b of each example's half square, one row an example."""
    W, b = params[0].W[0, 0], params[0].b[0]
    residual = batch.x[:, 0] * W + b - batch.y[:, 0]
    return np.stack([residual * batch.x[:, 0], residual], axis=1)


def run(method, hyper, kind="mpf"):
    """Two steps, one on each batch: the traces, and each batch's mean gradient (∂W, ∂b) where it was taken."""
    params, batches = problem(kind)
    state = method.init(MODEL, params, batches, hyper)
    traces, g = [], []
    for batch in batches:
        g.append(gradients(params, batch).sum(axis=0) / len(batch.x))
        params, state, trace = method.step(MODEL, params, state, batch, hyper)
        traces.append(trace)
    return traces, g


def flat(tensors):
    return np.concatenate([tensor.ravel() for tensor in tensors])


def close(a, b):
    return max(abs(a - b)) < CLOSE


def root(x):
    return np.array([mpmath.sqrt(value) for value in x], dtype=object)


def test_dev_dd_1_mu2_above_one_is_refused():
    s = y = np.array([Q(1), Q(0)], dtype=object)
    H = np.array([[Q(1), Q(0)], [Q(0), Q(1)]], dtype=object)
    with pytest.raises(ValueError, match=r"^mu2: expected a number in"):
        damping.double_damping(s, y, H, mu1=Q(1, 5), mu2=Q(3, 2))
    mu2, ss, sy = Q(3, 2), Q(1), Q(9, 10)                            # the paper's lines 4 and 5 where they have a value
    theta2 = (1 - mu2) * ss / (ss - sy)
    assert theta2 == -5
    assert theta2 * sy + (1 - theta2) * ss == mu2 * ss, "the bound that the text proves holds"
    assert not 0 <= theta2 <= 1, "but ỹ lies outside of [y, s̃]"
    kept = damping.double_damping(s, Q(9, 10) * y, H, mu1=Q(1, 5), mu2=Q(1))
    assert (kept.y_t == kept.s_t).all(), "μ₂ = 1 is the last value that interpolates"


def test_dev_sgd_m_1_moving_average_and_heavy_ball():
    beta, alpha = Q(9, 10), Q(1, 100)
    ema = sgd_m.Hyper(alpha=alpha, beta=beta, momentum="ema")
    ball = sgd_m.Hyper(alpha=alpha, beta=beta, momentum="heavy_ball")
    rescaled = sgd_m.Hyper(alpha=alpha / (1 - beta), beta=beta, momentum="ema")
    (first, _), (g, _) = run(sgd_m, ema, "fraction")
    assert (flat(first.g_h) == (1 - beta) * g).all()
    for one, two in zip(run(sgd_m, ball, "fraction")[0], run(sgd_m, rescaled, "fraction")[0], strict=True):
        assert ((1 - beta) * flat(one.g_h) == flat(two.g_h)).all()
        assert (flat(one.theta) == flat(two.theta)).all(), "α/(1 − β) turns one into the other"
    assert (flat(run(sgd_m, ball, "fraction")[0][0].theta) != flat(first.theta)).all()


def test_dev_adam_1_where_epsilon_stands_and_what_is_squared():
    beta1, beta2, eps = Q(9, 10), Q(99, 100), Q(1, 10)
    with mpmath.workprec(BITS):
        traces, g = run(adam, adam.Hyper(beta1=beta1, beta2=beta2, eps=eps))
        b1, b2, e = (mpmath.mpf(value.numerator) / value.denominator for value in (beta1, beta2, eps))
        m, v, v_of_m = 0 * g[0], 0 * g[0], 0 * g[0]
        for t, (trace, g_t) in enumerate(zip(traces, g, strict=True), start=1):
            m, v = b1 * m + (1 - b1) * g_t, b2 * v + (1 - b2) * g_t**2
            m_h, v_h = m / (1 - b1**t), v / (1 - b2**t)
            v_of_m = b2 * v_of_m + (1 - b2) * m_h**2
            rate = mpmath.sqrt(1 - b2**t) / (1 - b1**t)
            p = flat(trace.p)
            assert close(p, m_h / (root(v_h) + e)), "Algorithm 1 of Kingma and Ba"
            assert close(p, rate * m / (root(v) + e * mpmath.sqrt(1 - b2**t))), "their Section 2, with ε̂ = ε√(1 − β₂ᵗ)"
            assert not close(p, rate * m / (root(v) + e)), "their Section 2, with ε for ε̂"
            assert not close(p, m_h / root(v_h + e)), "ε inside the root"
            assert not close(p, m_h / root(v_h + e**2)), "ε² inside the root"
            authors = m_h / (root(v_of_m / (1 - b2**t)) + e)
            assert close(p, authors) == (t == 1), "the thesis's published code squares m̂, which shows from step 2 on"


def test_dev_rmsprop_1_average_of_the_gradient():
    eps, beta2 = Q(1, 10), Q(9, 10)
    with mpmath.workprec(BITS):
        b, e = mpmath.mpf(9) / 10, mpmath.mpf(1) / 10
        (_, ours), g = run(rmsprop, rmsprop.Hyper(beta1=Q(9, 10), beta2=beta2, eps=eps))
        (_, hinton), g_hinton = run(rmsprop, rmsprop.Hyper(beta1=0, beta2=beta2, eps=eps))
        m = b * (1 - b) * g[0] + (1 - b) * g[1]
        assert close(flat(ours.p), m / (root(flat(ours.v)) + e)), "Adam without its bias correction"
        assert not close(flat(ours.p), g[1] / (root(flat(ours.v)) + e))
        assert close(flat(hinton.p), g_hinton[1] / (root(flat(hinton.v)) + e)), "β₁ = 0: lecture 6e"
        v_0 = flat(rmsprop.init(MODEL, *problem("mpf"), rmsprop.Hyper()).v)
        v = b**2 * v_0 + b * (1 - b) * g[0] ** 2 + (1 - b) * g[1] ** 2
        v_of_m = b**2 * v_0 + b * (1 - b) * ((1 - b) * g[0]) ** 2 + (1 - b) * m**2
        assert close(flat(ours.v), v)
        assert not close(flat(ours.v), v_of_m), "the thesis's published code squares m"


def test_dev_rmsprop_2_what_v_starts_from():
    params, batches = problem("fraction")
    found = flat(rmsprop.init(MODEL, params, batches, rmsprop.Hyper()).v)
    rows = [gradients(params, batch) for batch in batches]
    means = [row.sum(axis=0) / len(row) for row in rows]
    whole = np.concatenate(rows)
    assert (found == (2 * means[0] ** 2 + 1 * means[1] ** 2) / 3).all(), "mean over the batches, weighted by their size"
    assert (found != (means[0] ** 2 + means[1] ** 2) / 2).all(), "unweighted"
    assert (found != (whole.sum(axis=0) / 3) ** 2).all(), "square of the full gradient"
    assert (found != (whole**2).sum(axis=0) / 3).all(), "mean of the squared per-example gradients"
    joined = nets.Batch(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in ("x", "y")))
    assert (flat(rmsprop.init(MODEL, params, joined, rmsprop.Hyper()).v) == (whole.sum(axis=0) / 3) ** 2).all(), \
        "with the whole set as one batch the readings agree"


def test_dev_kbfgs20_1_what_H_a_starts_from():
    params, batches = problem("fraction")
    rows = [[Q(1), Q(1)], [Q(3), Q(1)], [Q(-2), Q(1)]]
    A = [[sum(row[i] * row[j] for row in rows) / 3 for j in range(2)] for i in range(2)]
    start = kbfgs20.init(MODEL, params, batches, kbfgs20.Hyper(lam=Q(1, 4))).H_a[0]
    damped = np.array(A) + Q(1, 2) * np.array([[Q(1), Q(0)], [Q(0), Q(1)]])
    assert (start @ damped == [[1, 0], [0, 1]]).all(), "Algorithm 4, line 3"
    identity = kbfgs20.init(MODEL, params, batches, kbfgs20.Hyper(lam=Q(1, 4), H_a_start="identity")).H_a[0]
    assert (identity == [[1, 0], [0, 1]]).all(), "Section 2.8.2"
    assert (identity != start).any()


@pytest.mark.parametrize("method", [kbfgs20, kbfgs20_l_skip])
def test_dev_kbfgs20_2_lambda_above_one_is_refused(method):
    params, batches = problem("float64")
    with pytest.raises(ValueError, match=r"lam: expected a number in \(0, 1\] because .*, got 3"):
        method.init(MODEL, params, batches, method.Hyper(lam=3))
    method.init(MODEL, params, batches, method.Hyper(lam=1))


def test_dev_kbfgs20_3_a_pair_of_zeros_is_passed_over():
    zero = np.zeros(2)
    H = np.array([[2.0, 0.0], [0.0, 3.0]])
    assert lbfgs.updated(H, zero, zero) is H
    faded = np.full(2, 1e-155)
    assert lbfgs.updated(H, faded, faded) is H, "sᵀy is 2e-310"
    memory = lbfgs.empty(2, 3, zero)
    assert lbfgs.updated(memory, zero, zero) is memory
    assert kbfgs20_l_skip.accepted(memory, zero, zero, 0.2), "the printed test lets it pass"


def test_dev_kbfgs20_4_averages_of_pairs_start_at_zero():
    params, batches = problem("fraction")
    state = kbfgs20.init(MODEL, params, batches, kbfgs20.Hyper(lam=Q(1, 4)))
    assert (state.s_g[0] == 0).all()
    assert (state.y_g[0] == 0).all()
    W, _, trace = kbfgs20.step(MODEL, params, state, batches[0], kbfgs20.Hyper(lam=Q(1, 4)))
    mean_h = [np.array([2]) @ layer.W + layer.b for layer in (params[0], W[0])]          # the mean input of the batch is 2
    assert (trace.s_g[0] == (1 - Q(9, 10)) * (mean_h[1] - mean_h[0])).all()
    assert (trace.s_g[0] != mean_h[1] - mean_h[0]).all()


def test_dev_kfac20_1_inverses_of_the_first_step():
    params, batches = problem("fraction")
    batches = tuple(batch._replace(y_sampled=batch.y) for batch in batches)
    hyper = kfac20.Hyper(lam=Q(1, 4), alpha=1, beta=Q(9, 10))
    state = kfac20.init(MODEL, params, batches, hyper)
    assert (state.H_a[0] @ (state.A[0] + Q(1, 2) * np.array([[1, 0], [0, 1]])) == [[1, 0], [0, 1]]).all()
    assert (state.H_g[0] * (state.G[0] + Q(1, 2)) == 1).all()
    _, _, trace = kfac20.step(MODEL, params, state, batches[0], hyper)
    assert (trace.p[0] == state.H_g[0] @ trace.grad_h[0] @ state.H_a[0]).all()
    assert (trace.p[0] != trace.grad_h[0]).any(), "with identities the first step would be one of SGD"


def test_dev_kfac20_2_factors_come_from_the_parameters_before_the_step():
    params, batches = problem("fraction")
    batch = batches[0]._replace(y_sampled=batches[0].y + 1)
    hyper = kfac20.Hyper(lam=Q(1, 4), alpha=1)
    state = kfac20.init(MODEL, params, batch, hyper)
    after, _, trace = kfac20.step(MODEL, params, state, batch, hyper)
    here, printed = (gradients(p, batch._replace(y=batch.y_sampled))[:, 1] for p in (params, after))
    assert (trace.G[0] == Q(9, 10) * state.G[0] + Q(1, 10) * (here @ here) / 2).all()
    assert (trace.G[0] != Q(9, 10) * state.G[0] + Q(1, 10) * (printed @ printed) / 2).all()


def with_samples(kind):
    """`problem`, with the targets of the data one higher as sampled ones."""
    params, batches = problem(kind)
    return params, tuple(batch._replace(y_sampled=batch.y + 1) for batch in batches)


NORMALISED = nets.cnn((1, 1, 2), (nets.Conv2d(1, 1), nets.BatchNorm(), nets.Flatten(), nets.Dense(1)), "mse")


def normalised(kind):
    """Parameters and a batch of two examples for a convolution with batch normalisation."""
    x, y = np.array([[[[1.0, 2.0]]], [[[0.0, 4.0]]]]), np.array([[1.0], [-1.0]])
    params = tuple(type(layer)(layer[0], layer[1] + 0.5) for layer in nets.init(NORMALISED, 0))
    return arrays.cast((params, nets.Batch(x, y, y + 1)), kind)


def test_dev_kbfgs_1_a_pair_of_zeros_is_passed_over():
    zero, lam_G = np.array([Q(0), Q(0)]), Q(1, 2)
    pair = damping.dp_dlm(zero, zero, np.array([[2, 0], [0, 3]]) * Q(1), mu1=Q(1, 5), mu2=lam_G)
    assert (pair.s_t == 0).all()
    assert (pair.y_t == 0).all()
    params, batches = problem("fraction")
    fitted = nets.Batch(batches[0].x, batches[0].x * 2 + 1)                                  # W = 2, b = 1: no gradient, no move
    for method, hyper in ((kbfgs, kbfgs.Hyper(lam=Q(1, 4))), (kbfgs_l_exact, kbfgs_l_exact.Hyper(lam_A=1, lam_G=1))):
        state = method.init(MODEL, params, fitted, hyper)
        _, after, trace = method.step(MODEL, params, state, fitted, hyper)
        assert (trace.s_t[0] == 0).all()
        assert after.H_G[0] is state.H_G[0]


def test_dev_kbfgs_2_weight_decay_acts_on_biases_and_on_no_batch_norm():
    with mpmath.workprec(BITS):
        params, batch = normalised("mpf")
        found = {}
        for method in (kbfgs, kfac):
            for gamma in (0, Q(1, 8)):
                hyper = method.Hyper(lam=2, alpha=Q(1, 2), gamma=gamma)
                found[gamma] = method.step(NORMALISED, params, method.init(NORMALISED, params, batch, hyper), batch, hyper)[0]
            for plain, decayed, before in zip(found[0], found[Q(1, 8)], params, strict=True):
                for name in before._fields:
                    moved = getattr(plain, name) - getattr(decayed, name)
                    decay = getattr(before, name) / 16 if isinstance(before, nets.Layer) else 0 * moved
                    assert abs(moved - decay).max() < CLOSE, name


def test_dev_kbfgs_3_without_improvement_1_a_large_damping_is_refused():
    params, batches = problem("float64")
    with pytest.raises(ValueError, match=r"^lam: expected a number <= 1 because without improvement #1, .*, got 3$"):
        kbfgs.init(MODEL, params, batches, kbfgs.Hyper(lam=3, improvement1=False))
    kbfgs.init(MODEL, params, batches, kbfgs.Hyper(lam=1, improvement1=False))
    kbfgs.init(MODEL, params, batches, kbfgs.Hyper(lam=3))


def test_dev_kbfgs_l_exact_1_batch_norm_is_refused():
    params, batch = normalised("float64")
    with pytest.raises(ValueError, match=r"^model: expected no BatchNorm because Algorithm 10 does not say how .*, got one$"):
        kbfgs_l_exact.init(NORMALISED, params, batch, kbfgs_l_exact.Hyper())
    kbfgs.init(NORMALISED, params, batch, kbfgs.Hyper())


def test_dev_kfac_1_inverses_of_the_first_steps():
    with mpmath.workprec(BITS):
        params, batches = with_samples("mpf")
        hyper = kfac.Hyper(lam=Q(1, 4), T_2=20)
        state = kfac.init(MODEL, params, batches, hyper)
        pi = mpmath.sqrt((state.Omega[0][0, 0] + state.Omega[0][1, 1]) / 2 / state.Gamma[0][0, 0])
        eye = np.array([[1, 0], [0, 1]])
        assert abs(state.H_Omega[0] @ (state.Omega[0] + pi / 2 * eye) - eye).max() < CLOSE
        assert abs(state.H_Gamma[0][0, 0] * (state.Gamma[0][0, 0] + 1 / (2 * pi)) - 1) < CLOSE
        _, _, trace = kfac.step(MODEL, params, state, batches[0], hyper)
        assert abs(trace.p[0] - state.H_Gamma[0] @ trace.DW_h[0] @ state.H_Omega[0]).max() < CLOSE
        assert abs(trace.p[0] - trace.DW_h[0]).max() > mpmath.mpf("0.1"), "with identities the first step would be one of SGD"


def test_dev_kfac_2_factors_come_from_the_parameters_before_the_step():
    with mpmath.workprec(BITS):
        params, (batch, _) = with_samples("mpf")
        hyper = kfac.Hyper(lam=Q(1, 4), alpha=1)
        state = kfac.init(MODEL, params, batch, hyper)
        after, _, trace = kfac.step(MODEL, params, state, batch, hyper)
        here, printed = (gradients(p, batch._replace(y=batch.y_sampled))[:, 1] for p in (params, after))
        tenth = mpmath.mpf(1) / 10
        assert abs(trace.Gamma[0][0, 0] - 9 * tenth * state.Gamma[0][0, 0] - tenth * (here @ here) / 2) < CLOSE
        assert abs(here @ here - printed @ printed) > tenth


def test_dev_kfac_3_pi_is_one_where_there_is_no_Gamma():
    with mpmath.workprec(BITS):
        params, (batch, _) = problem("mpf")
        fitted = batch._replace(y_sampled=batch.x * 2 + 1)
        hyper = kfac.Hyper(lam=4)
        state = kfac.init(MODEL, params, fitted, hyper)
        eye = np.array([[1, 0], [0, 1]])
        assert state.Gamma[0][0, 0] == 0
        assert abs(state.H_Omega[0] @ (state.Omega[0] + 2 * eye) - eye).max() < CLOSE
        assert abs(state.H_Gamma[0][0, 0] * 2 - 1) < CLOSE, "the limit would make both I/√λ"
    for dtype in ("float32", "float64"):
        assert kfac.balance(np.ones((2, 2), dtype), np.zeros((1, 1), dtype)) == 1
        assert kfac.balance(np.ones((2, 2), dtype), np.full((1, 1), np.finfo(dtype).tiny / 4, dtype)) == 1


def test_dev_kfac_4_batch_norm_follows_its_momentum():
    with mpmath.workprec(BITS):
        params, batch = normalised("mpf")
        for method, rate in ((kbfgs, Q(1, 4)), (kfac, Q(1, 2))):
            hyper = method.Hyper(lam=2, alpha=Q(1, 2), beta=Q(1, 2))
            state, theta, traces = method.init(NORMALISED, params, batch, hyper), params, []
            for _ in range(2):
                theta, state, trace = method.step(NORMALISED, theta, state, batch, hyper)
                traces.append(trace)
            first, second = (trace.D_norm[0] for trace in traces)
            moved = traces[0].norm[0] - traces[1].norm[0]
            assert abs(moved - mpmath.mpf(rate.numerator) / rate.denominator * (second + first / 2)).max() < CLOSE
            assert abs(first).max() > mpmath.mpf("0.01"), "so that the gradient alone would be another step"


def test_dev_kfac_5_inverses_more_often_than_factors_are_refused():
    params, batches = with_samples("float64")
    with pytest.raises(ValueError, match=r"^T_2: expected an integer >= T_1 = 3 because .*, got 2$"):
        kfac.init(MODEL, params, batches, kfac.Hyper(T_1=3, T_2=2))
    kfac.init(MODEL, params, batches, kfac.Hyper(T_1=3, T_2=3))
def chapter_4(kind="float64"):
    """A net of two layers with parameters and three batches of drawn and true targets, two of 4 and one of 2 examples."""
    rng = np.random.default_rng(4)
    model = nets.mlp((2, 3, 2), ("tanh", "linear"), "mse")
    batches = [nets.Batch(*(rng.standard_normal((N, 2)) for _ in range(3))) for N in (4, 4, 2)]
    return model, *arrays.cast((nets.init(model, 3), batches), kind)


def same(first, second):
    return [array.tolist() for array in flat_list(first)] == [array.tolist() for array in flat_list(second)]


def flat_list(tree):
    return [array for branch in tree for array in flat_list(branch)] if isinstance(tree, tuple | list) else [tree]


def test_dev_tnt_1_inverses_of_the_first_steps():
    model, params, batches = chapter_4()
    hyper = tnt.Hyper(T_2=3)
    state = tnt.init(model, params, batches, hyper)
    U_t = tuple(tensor_normal.identify(G).U_t for G in state.G_h)
    assert same(state.U_inv, tnt.inverses(U_t, np.float64(0.1)))
    _, after, trace = tnt.step(model, params, state, batches[0], hyper)
    assert after.U_inv is state.U_inv
    assert same(trace.p, tensor_normal.preconditioned(trace.grad, state.U_inv, "3-way"))


def test_dev_tnt_2_the_ideal_covariance_is_m_times_the_estimate():
    """One weight of a linear net with unit variance: F = E[x²], and Ĝ⁽ⁱ⁾ over all draws of the batch has the mean F/m."""
    x = [Q(1), Q(3)]
    residuals = (Q(1), Q(-1))                                         # draws with a normal's mean and variance
    fisher = sum(x_n**2 for x_n in x) / 2
    of_averages = sum(((r * x[0] + s * x[1]) / 2) ** 2 for r in residuals for s in residuals) / 4
    assert of_averages == fisher / 2
    params, batches = problem("fraction")
    trace = tnt_ideal.step(MODEL, params, tnt_ideal.State(0), batches[0], tnt_ideal.Hyper(view="vector"))[2]
    assert trace.G[0][0][0, 0] == fisher == 5
    estimates = []
    for signs in [(r, s) for r in residuals for s in residuals]:
        output = nets.forward(MODEL, params, batches[0].x).output
        drawn = batches[0]._replace(y_sampled=output + np.array([[signs[0]], [signs[1]]], dtype=object))
        hyper = tnt.Hyper(view="vector")
        estimates.append(tnt.init(MODEL, params, drawn, hyper).G_h[0][0][0, 0])
    assert sum(estimates) / 4 == fisher / 2


def test_dev_tnt_3_the_warm_start_is_a_mean_over_batches():
    model, params, batches = chapter_4()
    whole = nets.Batch(*(np.concatenate([batch[i] for batch in batches]) for i in range(3)))
    by_batch, at_once = (tnt.init(model, params, data, tnt.Hyper()).G_h for data in (batches, whole))
    parts = [tnt.init(model, params, batch, tnt.Hyper()).G_h for batch in batches]
    expected = sum(n * part[0][0] for n, part in zip((4, 4, 2), parts, strict=True)) / 10
    assert np.linalg.norm(by_batch[0][0] - expected) <= 2.0**-48 * np.linalg.norm(expected)
    assert np.trace(at_once[0][0]) < np.trace(by_batch[0][0]), "the average of ten examples is shorter than that of four"


def test_dev_tnt_4_zero_statistics():
    zero = np.array([[Q(0), Q(0)], [Q(0), Q(0)]], dtype=object)
    found = tensor_normal.identify([zero, zero])
    assert found.c_0 == 0
    assert same(found.U_t, (zero, zero))
    identity = np.array([[Q(10), Q(0)], [Q(0), Q(10)]], dtype=object)
    assert same(tnt.inverses((found.U_t,), Q(1, 10)), ((identity, identity),))


def test_dev_tnt_5_inverting_more_often_than_measuring_is_refused():
    model, params, batches = chapter_4()
    for method in (tnt, shampoo):
        with pytest.raises(ValueError, match=r"^T_2: expected an integer >= T_1 = 4 because between two statistics"):
            method.init(model, params, batches, method.Hyper(T_1=4, T_2=3))
        method.init(model, params, batches, method.Hyper(T_1=4, T_2=4))


def test_dev_tnt_6_the_order_of_modes_changes_no_direction():
    """Over ℚ: the direction of (out, in, kh·kw) is that of (kh·kw, in, out) with its axes turned."""
    rng = np.random.default_rng(5)
    K = arrays.cast(rng.integers(-3, 4, (2, 3, 2, 2)).astype(float), "fraction")
    seen = tensor_normal.as_modes(K, "3-way")
    assert seen.shape == (4, 3, 2)
    U = tuple(arrays.cast(np.diag(rng.integers(1, 5, d)).astype(float) + 1, "fraction") for d in seen.shape)
    direction = tensor_normal.preconditioned((K,), (U,), "3-way")[0]
    turned = tensors.mode_products(seen.transpose(2, 1, 0), U[::-1]).reshape(K.shape)
    assert (direction == turned).all()


def test_dev_tnt_ideal_1_examples_of_the_expectation():
    model, params, batches = chapter_4()
    everything = nets.Batch(*(np.concatenate([batch[i] for batch in batches]) for i in range(3)))
    found = {}
    for name, curvature in (("batch", None), ("rows", np.array([0, 3])), ("all", everything)):
        batch = batches[0]._replace(curvature=curvature)
        found[name] = tnt_ideal.step(model, params, tnt_ideal.State(0), batch, tnt_ideal.Hyper())[2].G
    for name, x in (("batch", batches[0].x), ("rows", batches[0].x[[0, 3]]), ("all", everything.x)):
        assert same(found[name], tnt_ideal.expectation(model, params, x, "3-way"))
    assert not same(found["batch"], found["all"])


def test_dev_shampoo_1_roots_of_the_first_steps():
    model, params, batches = chapter_4()
    hyper = shampoo.Hyper(T_2=3)
    state = shampoo.init(model, params, batches, hyper)
    assert same(state.root_inv, shampoo.roots(state.G_h, hyper))
    _, after, trace = shampoo.step(model, params, state, batches[0], hyper)
    assert after.root_inv is state.root_inv
    assert same(trace.p, tensor_normal.preconditioned(trace.grad, state.root_inv, "3-way"))


def published(A, p, iterations):
    """The iteration from M = (1 + p)/(2‖A‖) A, without symmetry."""
    eye = np.eye(len(A))
    z = (1 + p) / 2 / np.linalg.norm(A)
    M, X, seen = z * A, z ** (1 / p) * eye, []
    for _ in range(iterations):
        seen.append(np.linalg.eigvals(M).real.max())
        T = ((p + 1) * eye - M) / p
        X, M = X @ T, np.linalg.matrix_power(T, p) @ M
    return X, seen


def test_dev_roots_1_the_start_below_one_and_symmetry():
    rng = np.random.default_rng(6)
    rotation, _ = np.linalg.qr(rng.standard_normal((8, 8)))
    A = (rotation * np.logspace(0, -8, 8)) @ rotation.T
    A = (A + A.T) / 2
    X, seen = published(A, 8, 40)
    assert seen[0] > 3, "(1 + p)/2, less what the Frobenius norm is above the largest eigenvalue"
    found = roots.inverse_root(A, 8)
    assert (found == found.T).all()
    assert np.linalg.norm(X - X.T) > 2.0**-40 * np.linalg.norm(X), "κ = 1e8 leaves half of the digits symmetric"
    ours, theirs = (np.linalg.norm(np.linalg.matrix_power(Y, 8) @ A - np.eye(8)) for Y in (found, X))
    assert ours < theirs


def test_dev_roots_2_the_end_and_the_failure():
    A = np.array([[2.0, 1.0], [1.0, 3.0]])
    stopped = next(X for X, M in halted(A, 4) if np.abs(M - np.eye(2)).max() <= 1e-6)
    found = roots.coupled_newton(A, 4)
    residual = np.abs(np.linalg.matrix_power(stopped, 4) @ A - np.eye(2)).max()
    assert 2.0**-50 < residual <= 2.0**-19
    assert found.residual <= 2.0**-50
    v = np.array([[1.0, 2.0, 3.0]])
    with pytest.raises(ArithmeticError, match=r"^inverse_root: expected a positive definite matrix with enough digits"):
        roots.inverse_root(v.T @ v, 4)


def halted(A, p):
    """(X, M) after every iteration, from the start of DEV-ROOTS-1."""
    norm, eye = np.linalg.norm(A), np.eye(len(A))
    M, X = A / norm, eye * norm ** (-1 / p)
    for _ in range(100):
        yield X, M
        T = ((p + 1) * eye - M) / p
        X, M = X @ T, np.linalg.matrix_power(T, p) @ M


def test_dev_block_fisher_1_fisher_blocks_of_single_examples():
    """Over ℚ: the mean of outer products, of rank 2 for two examples, and not the outer product of the mean."""
    params, batches = problem("fraction")
    batch = batches[0]._replace(y_sampled=batches[0].y + 1)
    hyper = block_fisher.Hyper()
    state = block_fisher.init(MODEL, params, batch, hyper)
    rows = gradients(params, batch._replace(y=batch.y_sampled))
    mean = rows.sum(axis=0) / 2
    assert (state.F[0] == rows.T @ rows / 2).all()
    assert (state.F[0] != mean[:, None] * mean[None, :]).any()
    _, after, trace = block_fisher.step(MODEL, params, state, batch, hyper)
    g = gradients(params, batch).sum(axis=0) / 2
    assert (trace.grad_h[0].ravel() == g / 10).all()
    damped = after.F[0] + Q(1, 10) * np.array([[Q(1), Q(0)], [Q(0), Q(1)]], dtype=object)
    assert (damped @ trace.p[0].ravel() == g / 10).all()
def grouped(**changes):
    """One net, two batches with a second sample each, two steps: traces and parameters; over the rationals, so λ_int = 0."""
    hyper = grouped_newton.Hyper(**({"lam1": Q(1, 2), "lam_int": 0, "tau": 1, "mu_g": 0} | changes))
    params, (first, second) = problem("fraction")
    shifted = first._replace(y=first.y + 20)
    state, traces = grouped_newton.init(MODEL, params, None, hyper), []
    for batch in (first._replace(curvature=shifted), second._replace(curvature=first._replace(y=first.y + 20))):
        params, state, trace = grouped_newton.step(MODEL, params, state, batch, hyper)
        traces.append(trace)
    return traces, params


def test_dev_grouped_newton_1_without_a_second_sample_the_first_one_serves():
    hyper = grouped_newton.Hyper(lam_int=0)
    params, (batch, _) = problem("fraction")

    def e(batch):
        return grouped_newton.step(MODEL, params, grouped_newton.init(MODEL, params, None, hyper), batch, hyper)[2].e.tolist()

    assert e(batch) == e(batch._replace(curvature=batch)) == e(batch._replace(curvature=np.array([0, 1])))
    assert e(batch) != e(batch._replace(curvature=batch._replace(y=batch.y + 1)))


def test_dev_grouped_newton_2_positive_part_before_the_average():
    traces, _ = grouped(mu_eta=Q(1, 2))
    first, second = (trace.e for trace in traces)
    assert min(*first, *second) < 0
    positive = [[max(x, 0) for x in e] for e in (first, second)]
    assert traces[1].eta.tolist() == [(x + y) / 2 for x, y in zip(*positive, strict=True)]
    assert traces[1].eta.tolist() != [max((x + y) / 2, 0) for x, y in zip(first, second, strict=True)]


def test_dev_grouped_newton_3_damping_multiplies_the_step():
    (one,), (two,) = ([grouped(lam1=lam)[0][0]] for lam in (Q(1, 2), Q(1, 8)))
    assert (one.eta == two.eta).all()
    params, _ = problem("fraction")
    before = np.array([params[0].W[0, 0], params[0].b[0]], dtype=object)
    assert (4 * (before - flat(two.theta)) == before - flat(one.theta)).all()
    assert any(before != flat(one.theta))


def test_dev_grouped_newton_4_a_subset_without_direction_stays():
    params, (batch, _) = problem("fraction")
    batch = batch._replace(x=batch.x - 2, y=batch.x - 2 + 1)             # ∂/∂b = 0: the mean of the residuals is that of x times 1
    hyper = grouped_newton.Hyper(lam_int=0, lam1=1)
    assert gradients(params, batch).sum(axis=0)[1] == 0 != gradients(params, batch).sum(axis=0)[0]
    after, _, trace = grouped_newton.step(MODEL, params, grouped_newton.init(MODEL, params, None, hyper), batch, hyper)
    assert (trace.e[1], after[0].b[0]) == (0, params[0].b[0])
    assert after[0].W[0, 0] == 1, "the other one is solved by itself, and reaches its minimum"
    with pytest.raises(cubic.NoSolution):
        cubic.solution(*(arrays.cast(np.array(x), "fraction") for x in ([1.0], [[0.0]], [0.0])), 0)


def test_dev_cubic_1_zeros_on_the_diagonal_of_d():
    g, H = np.array([1.0, 2.0]), np.array([[2.0, 1.0], [1.0, 4.0]])
    found = cubic.solution(g, H, np.array([1.0, 0.0]), 3.0)
    small = cubic.solution(g, H, np.array([1.0, 2.0**-20]), 3.0)
    assert abs(found.eta - small.eta).max() < 2.0**-30, "the limit of small d"
    assert abs(found.eta - np.linalg.solve(H, g)).max() > 2.0**-10, "and not H̄⁻¹ḡ, which dropping the cubic term would give"
    with pytest.raises(cubic.Unbounded):
        cubic.minimiser(g, -H, np.array([1.0, 0.0]), 3.0)
    assert cubic.solution(g, -H, np.array([1.0, 0.0]), 3.0).r > 0
    crossed = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert not cubic.stationarity(g, crossed, np.array([1.0, 0.0]), 1, np.array([2.0, -1.0]), 2).any(), "(2) has a solution"
    with pytest.raises(cubic.NoSolution, match=r"invertible rows and columns \[1\]"):
        cubic.solution(g, crossed, np.array([1.0, 0.0]), 1)


def test_dev_cubic_2_which_of_several_minimisers():
    H, zero = np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros(2)            # lowest eigenvector (1, −1)/√2
    found = cubic.minimiser(zero, H, np.ones(2), 2.0)
    assert found.eta[0] > 0 > found.eta[1]
    assert cubic.model(found.eta, zero, H, np.ones(2), 2.0) == cubic.model(-found.eta, zero, H, np.ones(2), 2.0)
    assert cubic.minimiser(zero, -np.eye(2), np.ones(2), 2.0).eta.tolist() == [1, 0]


def test_dev_cubic_3_coordinates_that_nothing_depends_on():
    H = np.array([[2.0, 0.0], [0.0, 0.0]])
    assert cubic.solution(np.array([1.0, 0.0]), H, np.zeros(2), 1.0).eta.tolist() == [0.5, 0]
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.solve(H, np.array([1.0, 0.0]))


def tags_in(text):
    return set(re.findall(r"\bDEV-[A-Z0-9_]+-\d+", text))


def one_step(hyper, kind="fmpq", method=subsampled, model=MODEL, **changes):
    """(g, p, trace) of a first step on the batch of two, as vectors (W, b)."""
    params, (batch, _) = problem(kind)
    batch = batch._replace(**changes)
    _, _, trace = method.step(model, params, method.init(model, params, batch, hyper), batch, hyper)
    return flat(trace.grad), flat(trace.p), trace


def test_dev_smw_1_one_symmetric_D_for_every_loss():
    model = nets.mlp((1, 1), ("linear",), "bce")
    y = np.array([[mpmath.mpf(0)], [mpmath.mpf(1)]], dtype=object)
    with mpmath.workprec(BITS):
        g, p, trace = one_step(subsampled.Hyper(), "mpf", model=model, y=y)
        x_b = [np.array([1, 1]), np.array([3, 1])]
        s = [1 / (1 + mpmath.exp(-(2 * x[0] + 1))) for x in x_b]
        H, lam = [value * (1 - value) for value in s], 1 + mpmath.mpf(1) / 1000
        JJ = np.array([[mpmath.mpf(int(a @ b)) for b in x_b] for a in x_b], dtype=object)
        root = np.array([mpmath.sqrt(value) for value in H], dtype=object)
        ours = root[:, None] * JJ * root / 2 + lam * np.eye(2, dtype=int)
        by_5_6 = np.array([[JJ[i, j] / 2 + (lam / H[i] if i == j else 0) for j in range(2)] for i in range(2)], dtype=object)
        by_5_7 = np.array([[JJ[i, j] * H[j] / 2 + lam * (i == j) for j in range(2)] for i in range(2)], dtype=object)
        assert close(trace.D[0].ravel(), ours.ravel())
        for D, J_T, J in ((by_5_6, [1, 1], [1, 1]), (by_5_7, H, [1, 1])):
            d = mpmath.lu_solve(mpmath.matrix(D.tolist()), mpmath.matrix([J[i] * (x_b[i] @ g) for i in range(2)]))
            assert close(p, -(g - sum(J_T[i] * d[i] * x_b[i] for i in range(2)) / 2) / lam)
        assert not close(ours.ravel(), by_5_6.ravel())
        assert by_5_7[0, 1] != by_5_7[1, 0]


def test_dev_smw_2_which_fisher_matrix():
    y_sampled = arrays.cast(np.array([[1.0], [5.0]]), "fmpq")
    traces = [one_step(Hyper(), y_sampled=y_sampled)[2] for Hyper in (subsampled.HyperNG, subsampled.HyperBD)]
    drawn = one_step(subsampled.HyperNG("sampled_fisher"), y_sampled=y_sampled)[2]
    params, (batch, _) = problem("fmpq")
    lam = arrays.const(Q(1001, 1000), like=batch.x)
    for found, y in ((traces[0], batch.y), (traces[1], batch.y), (drawn, y_sampled)):
        E = gradients(params, batch._replace(y=y))
        assert (found.D[0] == E @ E.T / 2 + lam * np.eye(2, dtype=int)).all()
    assert (traces[0].D[0] != drawn.D[0]).any()


def test_dev_smw_3_rho_is_taken_at_the_whole_direction():
    """ "mse" on a linear net with S₂ = S₁: the model is exact, so ρ at θ + p is 1, with the model of p, for every α."""
    for alpha in (Q(1, 10), Q(1, 2), 1):
        assert one_step(subsampled.Hyper(alpha=alpha))[2].rho == 1
    _, p, trace = one_step(subsampled.Hyper(alpha=Q(1, 10)))
    params, (batch, _) = problem("fmpq")

    def f(share):
        W, b = params[0].W[0, 0] + share * p[0], params[0].b[0] + share * p[1]
        return sum((batch.x[:, 0] * W + b - batch.y[:, 0]) ** 2) / 4

    assert f(0) - f(1) == trace.foretold
    assert (f(0) - f(arrays.const(Q(1, 10), like=batch.x))) / trace.foretold != 1


def test_dev_smw_4_a_penalty_has_a_hessian():
    for method in (subsampled, hessian_free):
        eta, hyper = Q(1, 4), method.Hyper(eta=Q(1, 4))
        g, p, trace = one_step(hyper, method=method)
        assert trace.rho == 1
        x_b = arrays.cast(np.array([[1.0, 1.0], [3.0, 1.0]]), "fmpq")
        G = x_b.T @ x_b / 2
        eta, lam = (arrays.const(value, like=x_b) for value in (eta, Q(1001, 1000)))
        assert (G @ p + (eta + lam) * p == -g).all()
        assert trace.foretold == -(g @ p) - p @ G @ p / 2 - eta * (p @ p) / 2
        params, (batch, _) = problem("fmpq")
        assert (g == gradients(params, batch).sum(axis=0) / 2 + eta * flat(nets.tensors(params))).all()


def test_dev_smw_5_a_difference_that_cancels():
    """A feature of 10⁴ beside one of 1, λ = 1.001: ‖G‖/λ is 5·10⁷, beyond 1/u in float32 and far from it in float64."""
    model, found = nets.mlp((2, 1), ("linear",), "mse"), {}
    for kind in ("float32", "float64"):
        params = arrays.cast((nets.Layer(np.ones((1, 2)), np.zeros(1)),), kind)
        batch = nets.Batch(*arrays.cast((np.array([[1e4, 0.0], [0.0, 1.0]]), np.zeros((2, 1))), kind))
        for method in (subsampled, hessian_free):
            hyper = method.Hyper()
            after, _, _ = method.step(model, params, method.init(model, params, batch, hyper), batch, hyper)
            found[kind, method] = float(after[0].W[0, 0])
    right = found["float64", hessian_free]
    assert abs(found["float64", subsampled] - right) < 1e-7
    assert abs(found["float32", hessian_free] - right) < 1e-6
    assert found["float32", subsampled] == 1


def test_dev_lm_1_nothing_foretold():
    params, (batch, _) = problem("fmpq")
    fitted = nets.forward(MODEL, params, batch.x).output
    for method in (subsampled, hessian_free):
        hyper = method.Hyper()
        state = method.init(MODEL, params, batch, hyper)
        new, after, trace = method.step(MODEL, params, state, batch._replace(y=fitted), hyper)
        assert (trace.rho, after.lam_LM) == (arrays.const(Q(1, 2), like=batch.x), state.lam_LM)
        assert (flat(nets.tensors(new)) == flat(nets.tensors(params))).all()


def test_dev_lm_2_a_step_that_cannot_be_judged():
    one = np.float64(1)
    for f_p, foretold in ((np.inf * one, one), (np.nan * one, one), (one / 2, -one)):
        rho = lm.reduction_ratio(one, f_p, foretold)
        assert lm.adapted(one, rho, eps=Q(1, 4), boost=2, drop=Q(1, 2)) == 2
    with np.errstate(invalid="ignore"):
        assert not (one - np.nan) / one < 0.25                   # as printed, nothing would change
    assert (one - one / 2) / -one < 0.25 < (one - 2 * one) / -one        # and a growth that was foretold would count as good


def test_dev_lm_3_lambda_keeps_to_normal_numbers():
    for kind in (np.float32, np.float64):
        least, lam_LM, printed = np.finfo(kind).tiny, kind(1), kind(1)
        with np.errstate(under="ignore"):
            for _ in range(1100):
                lam_LM = lm.adapted(lam_LM, kind(1), eps=Q(1, 4), boost=2, drop=Q(1, 2))
                printed = printed / 2
        assert (printed, lam_LM, lam_LM.dtype) == (0, least, kind)
        assert lm.adapted(lam_LM, kind(0), eps=Q(1, 4), boost=2, drop=Q(1, 2)) == 2 * least
    for kind in ("fraction", "fmpq", "mpf"):
        tiny, good = arrays.cast(np.array([Q(1, 2**1100), Q(1)], dtype=object), kind)
        found = lm.adapted(tiny, good, eps=Q(1, 4), boost=2, drop=Q(1, 2))
        assert 2 * found == tiny
        assert type(found) is type(tiny)


def test_dev_hf_1_hessian_free_is_algorithm_23_with_another_solver():
    g, p, trace = one_step(hessian_free.Hyper(), method=hessian_free)
    _, same, other = one_step(subsampled.Hyper())
    assert (p == same).all()
    assert (trace.foretold, trace.rho, trace.lam_LM) == (other.foretold, other.rho, other.lam_LM)
    _, cut, _ = one_step(hessian_free.Hyper(iterations=1), method=hessian_free)
    x_b = arrays.cast(np.array([[1.0, 1.0], [3.0, 1.0]]), "fmpq")
    Gg = x_b.T @ (x_b @ g) / 2 + arrays.const(Q(1001, 1000), like=x_b) * g
    assert (cut == -(g @ g) / (g @ Gg) * g).all()                # one step of conjugate gradients from 0
    assert (cut != p).any()


def test_dev_hf_2_preconditioner_on_request():
    with mpmath.workprec(BITS):
        g, p, _ = one_step(hessian_free.Hyper(iterations=1, preconditioner="empirical_fisher"), "mpf", hessian_free)
        params, (batch, _) = problem("mpf")
        squares = (gradients(params, batch) ** 2).sum(axis=0)
        lam = 1 + mpmath.mpf(1) / 1000
        y = -g / np.array([(value + lam) ** mpmath.mpf("0.75") for value in squares], dtype=object)
        x_b = np.array([[1, 1], [3, 1]])
        Gy = x_b.T @ (x_b @ y) / 2 + lam * y
        assert close(p, -(g @ y) / (y @ Gy) * y)
        _, plain, _ = one_step(hessian_free.Hyper(iterations=1), "mpf", hessian_free)
        assert not close(p, plain)


def test_every_deviation_is_in_code_in_the_file_and_tested():
    rooms = [path for room in ("arrays", "nets", "reference", "verify", "proofs_check") for path in (ROOT / room).rglob("*.py")]
    in_code = {tag: path.relative_to(ROOT) for path in rooms for tag in tags_in(path.read_text(encoding="utf-8"))}
    text = (ROOT / "DEVIATIONS.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (DEV-[A-Z0-9_]+-\d+)", text, re.M)
    tests = {node.name for node in ast.parse(Path(__file__).read_text(encoding="utf-8")).body
             if isinstance(node, ast.FunctionDef) and node.name.startswith("test_dev_")}
    assert len(set(headings)) == len(headings), "DEVIATIONS.md: give each deviation one heading"
    assert tags_in(text) == set(headings), "DEVIATIONS.md: give every deviation that it mentions a heading"
    assert set(in_code) == set(headings), (
        f"name in DEVIATIONS.md what the code names, and in a docstring what the file names: "
        f"only in code {({t: str(p) for t, p in in_code.items() if t not in headings})}, "
        f"only in the file {sorted(set(headings) - set(in_code))}")
    for tag in headings:
        entry = re.search(rf"^### {tag}\b.*?(?=^#|\Z)", text, re.M | re.S)[0]
        prefix = "test_" + tag.lower().replace("-", "_") + "_"
        named = [name for name in tests if name.startswith(prefix)]
        assert len(named) == 1, f"write one test {prefix}… that shows {tag} in numbers"
        assert f"`{named[0]}`" in entry, f"DEVIATIONS.md: let {tag} name its test `{named[0]}`"
        missing = [part for part in ("Paper", "Authors", "Here", "Why") if f"**{part}**" not in entry]
        assert not missing, f"DEVIATIONS.md: {tag} lacks {missing}"
    assert len(tests) == len(headings), "a test_dev_… without an entry in DEVIATIONS.md"
    assert tags_in("see DEV-DD-1 and DEV-SGD_M-12.") == {"DEV-DD-1", "DEV-SGD_M-12"}
