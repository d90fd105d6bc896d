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
from stepgauge.reference import grouped_newton, kbfgs20, kbfgs20_l_skip, kfac20
from stepgauge.reference.first_order import adam, rmsprop, sgd_m
from stepgauge.reference.parts import cubic, damping, lbfgs

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
