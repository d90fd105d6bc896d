"""What must be true of chapter 3 whatever the twins say: limits in which two methods, or a method and a closed form, are one."""

from fractions import Fraction as F
from itertools import product

import mpmath
import numpy as np
import pytest
import twins
from bridge import array, fmpq, lists, rational_problem, rationals
from bridge import hypers as hypers2
from bridge3 import ALL3, K_BFGS, float_images, hypers3, rational_images
from stepgauge import nets
from stepgauge.arrays import cast, precision
from stepgauge.nets import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, MaxPool
from stepgauge.reference import METHODS, kfac
from stepgauge.reference.parts.damping import dp_dlm
from stepgauge.reference.parts.quasi_newton import bfgs_H

# ----------------------------------------------------------------------------------------------------- one position, bit for bit

ONE_PIXEL = (Conv2d(4, 1), Act("tanh"), Conv2d(3, 1), Act("relu"), Conv2d(2, 1, padding="valid"), Flatten())


def kept_bits(tree):
    """Every array and number of a state or trace, kernels as matrices."""
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in kept_bits(branch)]
    return [(np.asarray(tree).dtype.name, np.asarray(tree).tobytes())]


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["mse", "softmax_ce"])
def test_with_one_position_a_step_on_images_is_the_dense_one_bit_for_bit(loss, kind, method):
    images = float_images((3, 1, 1), ONE_PIXEL, loss, 5, kind=kind)
    model = nets.mlp((3, 4, 3, 2), ("tanh", "relu", "linear"), loss)
    dense = tuple(nets.Layer(layer.W[:, :, 0, 0], layer.b) for layer in images.params)
    flat_batches = tuple(batch._replace(x=batch.x[:, :, 0, 0]) for batch in images.batches)
    code, hyper = METHODS[method], hypers3(method, images.model, T_2=1, improvement2=False, lam_A=F(1, 2), lam_G=F(1, 3))
    one = images.params, code.init(images.model, images.params, images.batches, hyper)
    other = dense, code.init(model, dense, flat_batches, hyper)
    for batch, flat_batch in zip(images.batches, flat_batches, strict=True):
        assert kept_bits(one[1]) == kept_bits(other[1])
        one = code.step(images.model, *one[:2], batch, hyper)
        other = code.step(model, *other[:2], flat_batch, hyper)
        assert kept_bits(one) == kept_bits(other)


# ------------------------------------------------------------------------------------------------------- K-BFGS of both chapters

def test_without_improvements_K_BFGS_is_that_of_chapter_2():
    """λ = 1, so that H_G starts from I in both; the momentum of chapter 3 lacks the factor 1 − β, which α takes over."""
    problem, beta = rational_problem((2, 3, 1), ("relu", "linear"), 8, kind="fmpq"), F(1, 4)
    old, new = METHODS["kbfgs20"], METHODS["kbfgs"]
    old_hyper = hypers2("kbfgs20", lam=1, beta=beta, alpha=F(1, 8))
    new_hyper = hypers3("kbfgs", problem.model, lam=1, beta=beta, alpha=F(1, 8) * (1 - beta), improvement1=False,
                        improvement2=False)
    params = others = problem.params
    state = new.init(problem.model, params, problem.batches, new_hyper)
    other = old.init(problem.model, params, problem.batches, old_hyper)
    for batch in problem.batches:
        params, state, trace = new.step(problem.model, params, state, batch, new_hyper)
        others, other, before = old.step(problem.model, others, other, batch, old_hyper)
        for name, value in {"W": "W", "A": "A", "s_A": "s_a", "y_A": "y_a", "H_A": "H_a", "s_G": "s_g", "y_G": "y_g", "s_t": "s_t",
                            "y_t": "y_t", "H_G": "H_g", "DW": "grad"}.items():
            assert lists(getattr(trace, name)) == lists(getattr(before, value)), name
        for name, value in (("DW_h", "grad_h"), ("p", "p")):
            assert twins.scale(1 - fmpq(beta), lists(getattr(trace, name))) == lists(getattr(before, value))


@pytest.mark.parametrize("p", [3, 4])
def test_memory_for_every_step_is_K_BFGS_of_chapter_3(p):
    """H_0 = I/λ_G with λ_G ≠ 1, in a layer with four positions."""
    problem = rational_images((2, 2, 2), (Conv2d(2, 1), Act("relu"), AvgPool(2), Flatten(), Dense(1)), 1)
    full, limited = METHODS["kbfgs"], METHODS["kbfgs_l"]
    hyper, hyper_l = hypers3("kbfgs", problem.model), hypers3("kbfgs_l", problem.model, p=p)
    params = params_l = problem.params
    state, state_l = (code.init(problem.model, params, problem.batches, h) for code, h in ((full, hyper), (limited, hyper_l)))
    for batch in problem.batches:
        params, state, trace = full.step(problem.model, params, state, batch, hyper)
        params_l, state_l, trace_l = limited.step(problem.model, params_l, state_l, batch, hyper_l)
        for name in set(trace._fields) - {"H_G"}:
            assert lists(getattr(trace, name)) == lists(getattr(trace_l, name)), name
        for H, memory in zip(state.H_G, state_l.H_G, strict=True):
            assert lists(memory @ array(twins.identity(H.shape[0], fmpq(1)))) == lists(H)


# --------------------------------------------------------------------------------------------------- K-FAC's factors, separately

def factors(problem, method="kfac"):
    """Ω and Γ of a batch alone, exactly: one step with β = 0 that inverts nothing, from a state of identities."""
    def eye(n):
        return cast(np.eye(n), problem.kind)

    W_b = [(layer.W.reshape(len(layer.b), -1).shape[1] + 1, len(layer.b)) for layer in problem.params]
    wide, high = tuple(eye(n) for n, _ in W_b), tuple(eye(m) for _, m in W_b)
    state = kfac.State(0, tuple(cast(np.zeros((m, n)), problem.kind) for n, m in W_b), wide, high, wide, high)
    hyper = METHODS[method].Hyper(beta=0, T_1=1, T_2=2, alpha=F(1, 8))
    _, _, trace = METHODS[method].step(problem.model, problem.params, state, problem.batches[0], hyper)
    return lists(trace.Omega), lists(trace.Gamma)


def test_omega_and_gamma_of_a_convolution_by_loops_over_pixels():
    """Ω sums over positions, Γ averages over them; each on its own, for the sampled and for the data's targets."""
    problem = rational_images((2, 3, 2), (Conv2d(3, (3, 1), (1, 2)), Flatten(), Dense(2)), 4, sizes=(2,), kind="fraction")
    (kernel, bias), (W, b), batch = *problem.params, problem.batches[0]
    N, rows = 2, 3
    zero, windows = F(0), []
    for n in range(N):
        windows.append([[*(batch.x[n, j, y + d, 0] if 0 <= y + d < 3 else zero for j in range(2) for d in (-1, 0, 1)), F(1)]
                        for y in range(rows)])
    Omega = [[sum(a[i] * a[j] for one in windows for a in one) / N for j in range(7)] for i in range(7)]
    for method, y in (("kfac", batch.y_sampled), ("kfac_ef", batch.y)):
        slopes = []
        for n in range(N):
            h = [[sum(kernel.reshape(3, 6)[i, k] * a[k] for k in range(6)) + bias[i] for a in windows[n]] for i in range(3)]
            flat_h = [h[i][t] for i in range(3) for t in range(rows)]
            z = [sum(W[o, k] * flat_h[k] for k in range(9)) + b[o] for o in range(2)]
            slopes += [[sum(W[o, i * rows + t] * (z[o] - y[n, o]) for o in range(2)) for i in range(3)] for t in range(rows)]
        Gamma = [[sum(g[i] * g[j] for g in slopes) / (N * rows) for j in range(3)] for i in range(3)]
        found = factors(problem, method)
        assert found[0][0] == Omega
        assert found[1][0] == Gamma
    assert factors(problem, "kfac")[1] != factors(problem, "kfac_ef")[1]


@pytest.mark.parametrize(("shape", "records"), [
    ((2,), (Dense(3), Act("relu"), Dense(2))),
    ((2, 2, 1), (Conv2d(3, (2, 1), padding="valid"), Act("relu"), Flatten(), Dense(2)))], ids=["dense", "kernel = image"])
def test_for_one_example_and_one_position_K_FAC_is_the_dense_block(shape, records):
    """E[āāᵀ ⊗ ggᵀ] of one term; of two examples it is another matrix than Ω ⊗ Γ."""
    for N in (1, 2):
        problem = rational_images(shape, records, 11, sizes=(N,), kind="fraction")
        Omega, Gamma = factors(problem)
        tape = nets.forward(problem.model, problem.params, problem.batches[0].x)
        slopes = nets.pre_gradients(problem.model, problem.params, tape, problem.batches[0].y_sampled)
        for l in range(2):
            block = twins.mean([twins.kron(twins.outer(a, a), twins.outer(g, g)) for a, g in
                                zip(lists(tape.a[l][:, 0]), lists(slopes[l][:, 0]), strict=True)])
            assert any(any(row) for row in block)
            assert (twins.kron(Omega[l], Gamma[l]) == block) == (N == 1)


def deep_linear_problem():
    """Three inputs, each with all targets ŷ ± 1: their second moment about ŷ is that of the predictive distribution N(ŷ, I)."""
    rng, model = np.random.default_rng(11), nets.mlp((2, 3, 2, 2), ("linear",) * 3, "mse")
    params = tuple(nets.Layer(rationals(rng, *shape), rationals(rng, shape[0])) for shape in nets.layer_shapes(model))
    signs = array([[F(sign) for sign in signs] for signs in product((1, -1), repeat=2)])
    x = np.repeat(rationals(rng, 3, 2), len(signs), axis=0)
    output = nets.forward(model, params, x).output
    batch = nets.Batch(x, output, output + np.tile(signs, (3, 1)))
    return rational_images((2,), (Dense(1),), 0)._replace(model=model, params=params, batches=(batch,), kind="fraction")


@pytest.mark.parametrize("l", [0, 1, 2])
def test_for_a_deep_linear_net_K_FAC_is_the_exact_block_of_the_fisher_matrix(l):
    """F = E_x[JᵀJ] with J = ∂ŷ/∂vec(W̄_l) column by column: what follows layer l does not depend on x, so that (2.3) is exact."""
    problem = deep_linear_problem()
    (Omega, Gamma), Ws = factors(problem), [lists(layer.W) for layer in problem.params]
    onward = twins.identity(2, F(1))
    for W in Ws[:l:-1]:
        onward = twins.matmul(onward, W)                               # ∂ŷ/∂h_l
    blocks = []
    for x in lists(problem.batches[0].x)[::4]:
        a = x
        for layer in problem.params[:l]:
            a = twins.add(twins.matvec(lists(layer.W), a), lists(layer.b))
        J = [[slope * entry for entry in (*a, F(1)) for slope in row] for row in onward]
        blocks.append(twins.matmul(twins.transpose(J), J))
    assert len(blocks) == 3
    assert twins.kron(Omega[l], Gamma[l]) == twins.mean(blocks)


@pytest.mark.parametrize(("n", "m"), [(3, 2), (2, 5), (1, 3)])
def test_pi_both_ways_of_writing_it(n, m):
    """trace(Ω ⊗ I)/trace(I ⊗ Γ) with the Kronecker products formed, and the ratio of mean eigenvalues."""
    rng = np.random.default_rng(n)
    with precision(200):
        X, Y = (mpmath.matrix(rng.standard_normal((k, k)).tolist()) for k in (n, m))
        Omega, Gamma = X * X.T, Y * Y.T
        dense = [mpmath.fsum(Omega[i, i] for i in range(n) for _ in range(m)),
                 mpmath.fsum(Gamma[j, j] for _ in range(n) for j in range(m))]
        found = kfac.balance(*(array([[M[i, j] for j in range(M.cols)] for i in range(M.rows)]) for M in (Omega, Gamma)))
        eigenvalues = [mpmath.fsum(mpmath.eigsy(M, eigvals_only=True)) / M.rows for M in (Omega, Gamma)]
        for numerator, denominator in (dense, eigenvalues):
            assert abs(found - mpmath.sqrt(numerator / denominator)) < mpmath.mpf(10)**-50 * found


def test_pi_balances_the_two_dampings():
    """(Ω + π√λ I) and (Γ + √λ/π I): the dampings multiply to λ, and stand to the mean eigenvalues in the same ratio."""
    with precision(200):
        problem = float_images((1, 3, 2), (Conv2d(2, 3), Act("tanh"), MaxPool(2, 1), Flatten(), Dense(2)), "mse", 3, kind="mpf")
        hyper = hypers3("kfac", problem.model, T_2=1, lam=F(3, 10))
        state = kfac.init(problem.model, problem.params, problem.batches, hyper)
        _, new, trace = kfac.step(problem.model, problem.params, state, problem.batches[0], hyper)
        for Omega, Gamma, H_Omega, H_Gamma, pi in zip(new.Omega, new.Gamma, new.H_Omega, new.H_Gamma, trace.pi, strict=True):
            added = []
            for M, H in ((Omega, H_Omega), (Gamma, H_Gamma)):
                damping = mpmath.inverse(mpmath.matrix(H.tolist())) - mpmath.matrix(M.tolist())
                assert mpmath.mnorm(damping - damping[0, 0] * mpmath.eye(len(M))) < mpmath.mpf(10)**-50
                added.append((damping[0, 0], mpmath.fsum(np.diagonal(M)) / len(M)))
            (of_Omega, mean_Omega), (of_Gamma, mean_Gamma) = added
            assert abs(of_Omega * of_Gamma - mpmath.mpf(3) / 10) < mpmath.mpf(10)**-50
            assert abs(of_Omega / mean_Omega - of_Gamma / mean_Gamma) < mpmath.mpf(10)**-50
            assert abs(of_Omega / of_Gamma - pi * pi) < mpmath.mpf(10)**-45


# ---------------------------------------------------------------------------------------------- in front of batch normalisation

BEFORE = (Conv2d(3, 3), BatchNorm(), Act("relu"), Conv2d(2, 1), Act("tanh"), BatchNorm(), Flatten(), Dense(2))


@pytest.mark.parametrize("method", K_BFGS)
def test_before_batch_normalisation_the_pair_of_G_has_no_curvature(method):
    """In training a constant added to a channel in front of a BatchNorm changes nothing: Σ_{n,t} 𝒟h = 0, and y_G = 0 (ERR-35).

    Then Algorithm 8 leaves (s, λ_G s), after which H_G = I/λ_G is still I/λ_G. With 60 digits y_G is 10⁻⁵⁰ and less; in floats it
    is what rounding leaves, whose direction decides where H_G goes. An activation between the two ends it.
    """
    with precision(200):
        problem, tiny = float_images((1, 2, 3), BEFORE, "softmax_ce", 3, kind="mpf"), mpmath.mpf(10)**-50
        tape = nets.forward(problem.model, problem.params, problem.batches[0].x)
        slopes = nets.pre_gradients(problem.model, problem.params, tape, problem.batches[0].y)
        sums = [max(map(abs, g.sum(axis=(0, 1)))) for g in slopes]
        assert sums[0] < tiny * max(abs(slopes[0]).ravel())
        assert sums[2] > 0.01 * max(abs(slopes[2]).ravel()), "an activation in between"
        hyper, code = hypers3(method, problem.model, lam=F(3, 10)), METHODS[method]
        state, params = code.init(problem.model, problem.params, problem.batches, hyper), problem.params
        for batch in problem.batches:
            params, state, trace = code.step(problem.model, params, state, batch, hyper)
            assert max(map(abs, trace.y_G[0])) < tiny < max(map(abs, trace.s_G[0]))
            assert max(map(abs, trace.y_G[1])) > tiny


def test_a_pair_without_curvature_leaves_H_G_at_its_start():
    """Exactly: y = 0 makes Algorithm 8 idle, (s̃, ỹ) = (s, λ_G s), and BFGS of I/λ_G by it is I/λ_G."""
    s, lam_G = array([F(1, 3), F(-2), F(5, 7)]), F(3, 8)
    start = array(twins.scale(1 / lam_G, twins.identity(3, F(1))))
    s_t, y_t = dp_dlm(s, 0 * s, start, mu1=F(1, 5), mu2=lam_G)
    assert (lists(s_t), lists(y_t)) == (lists(s), lists(lam_G * s))
    assert lists(bfgs_H(start, s_t, y_t)) == lists(start)


def test_in_floats_rounding_decides_where_H_G_goes_in_front_of_batch_normalisation():
    """Of 40 runs of float64 some keep H_G = I/λ_G, others, those in which sᵀy comes out too small, take it far away."""
    moved, unit = [], np.finfo("float64").eps
    for seed in range(40):
        problem = float_images((1, 2, 3), BEFORE, "softmax_ce", seed)
        hyper, code = hypers3("kbfgs", problem.model, lam=F(3, 10)), METHODS["kbfgs"]
        state = code.init(problem.model, problem.params, problem.batches, hyper)
        _, new, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
        s, y, H = trace.s_G[0], trace.y_G[0], state.H_G[0]
        assert abs(y).max() < 100 * unit
        acts = s @ y < float(hyper.mu1) * y @ H @ y
        moved.append((acts, bool(abs(new.H_G[0] - H).max() > 1000 * unit * H.max())))
    assert set(moved) == {(False, False), (True, True)}
