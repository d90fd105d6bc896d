"""The twins of chapter 3 among themselves: identities that the text states or implies, and derivatives by differences.

They judge the code under test, so that nothing in here may rest on it: passes are compared with differences of the loss.
"""

import random
from fractions import Fraction as F
from math import isqrt

import flint
import mpmath
import numpy as np
import pytest
import twins
import twins3

FRACTIONS = twins.Numbers(F, lambda v: F(isqrt(F(v).numerator), isqrt(F(v).denominator)))
FMPQ = twins.Numbers(lambda v: flint.fmpq(F(v).numerator, F(v).denominator) if not isinstance(v, flint.fmpq) else v,
                     lambda v: flint.fmpq(isqrt(int(v.p)), isqrt(int(v.q))))
DIGITS = twins.Numbers(lambda v: mpmath.mpf(F(v).numerator) / F(v).denominator, mpmath.sqrt, mpmath.exp, mpmath.tanh)
FLOAT32 = twins.Numbers(np.float32, np.sqrt, np.exp, np.tanh)


def numbers_like(numbers, rng, *shape):
    """Nested lists of small fractions in an arithmetic."""
    if shape:
        return [numbers_like(numbers, rng, *shape[1:]) for _ in range(shape[0])]
    return numbers.cast(F(rng.randint(-3, 3), rng.choice((1, 2, 4))))


def problem(numbers, records, shapes, x, m, seed=1, sizes=(2, 1, 2), loss="mse"):
    """A net, its parameters and a few batches."""
    rng = random.Random(seed)
    Ws = [numbers_like(numbers, rng, *shape) for shape in shapes]
    batches = [[(numbers_like(numbers, rng, *x), numbers_like(numbers, rng, m)) for _ in range(N)] for N in sizes]
    return twins3.Net(records, loss, numbers), Ws, batches


HYPER = {"alpha": F(1, 64), "lam": F(1, 4), "beta": F(1, 2), "mu1": F(1, 5), "T": 1, "T_1": 1, "T_2": 2, "dead": 1}
SMALL = [("conv", (1, 3), (1, 1), "same"), ("act", "relu"), ("max_pool", (1, 2), (1, 2)), ("flatten",), ("dense",)]
SMALL_SHAPES = [(2, 4), (2, 5)]


def small(numbers, **changes):
    return problem(numbers, SMALL, SMALL_SHAPES, (1, 1, 4), 2, **changes)


def flat(tree):
    return [number for branch in tree for number in flat(branch)] if isinstance(tree, list | tuple) else [tree]


# ----------------------------------------------------------------------------------------------------------------------- passes

EVERYTHING = [
    ("conv", (3, 1), (1, 1), "same"), ("bn", F(1, 10)), ("act", "tanh"),
    ("residual", [("conv", (1, 3), (2, 1), "same"), ("act", "elu")], [("conv", (1, 1), (2, 1), "same"), ("bn", F(1, 5))]),
    ("residual", [("conv", (1, 1), (1, 1), "valid"), ("act", "logistic")], []),
    ("max_pool", (1, 2), (1, 1)), ("avg_pool", (2, 2), (1, 1)),
    ("conv", (1, 2), (1, 2), "valid"), ("flatten",), ("dense",), ("bn", F(1, 10)), ("act", "relu"), ("dense",),
]
EVERYTHING_SHAPES = [(2, 4), (2, 2), (3, 7), (3, 3), (2, 3), (3, 4), (2, 7), (3, 3), (2, 3), (2, 4)]


def mean_loss(net, Ws, batch):
    total = 0
    for z, (_, y) in zip(twins3.outputs(net, Ws, [x for x, _ in batch]), batch, strict=True):
        if net.loss == "mse":
            total += sum((a - b) ** 2 for a, b in zip(z, y, strict=True)) / 2
        elif net.loss == "bce":
            total += sum(mpmath.log1p(mpmath.exp(a)) - b * a for a, b in zip(z, y, strict=True))
        else:
            total += mpmath.log(sum(map(mpmath.exp, z))) - sum(a * b for a, b in zip(z, y, strict=True))
    return total / len(batch)


def moved(tree, indices, step):
    """The tree with one entry moved."""
    if not indices:
        return tree + step
    return [moved(branch, indices[1:], step) if i == indices[0] else branch for i, branch in enumerate(tree)]


@pytest.mark.parametrize("loss", ["mse", "bce", "softmax_ce"])
def test_gradients_are_differences_of_the_loss(loss):
    """All records, batch normalisation included; y sums to one, as labels do."""
    with mpmath.workdps(60):
        net, Ws, (batch, *_) = problem(DIGITS, EVERYTHING, EVERYTHING_SHAPES, (1, 4, 4), 2, sizes=(3,), loss=loss)
        batch = [(x, [DIGITS.cast(1) / 4, DIGITS.cast(3) / 4]) for x, _ in batch]
        DW, step = twins3.averages(net, Ws, batch).DW, mpmath.mpf(10) ** -20
        for l, W in enumerate(Ws):
            for i, j in ((0, 0), (len(W) - 1, len(W[0]) - 1), (len(W) // 2, len(W[0]) // 2)):
                up, down = (mean_loss(net, moved(Ws, (l, i, j), sign * step), batch) for sign in (1, -1))
                assert abs(DW[l][i][j] - (up - down) / (2 * step)) < mpmath.mpf(10) ** -30, (l, i, j)


def test_each_example_passes_alone_where_no_batch_normalisation_couples_them():
    net, Ws, (batch, *_) = small(FRACTIONS)
    together = twins3.passes(net, Ws, batch)
    alone = [twins3.passes(net, Ws, [example]) for example in batch]
    for l, seen in enumerate(together):
        assert (seen.a, seen.h, seen.g) == tuple([found[l].__dict__[name][0] for found in alone] for name in ("a", "h", "g"))


def test_pre_activations_by_pixels_are_W_times_a():
    """(3.1) against (3.2): h_t = W a_t, with stride and both paddings."""
    records = [("conv", (3, 1), (1, 1), "same"), ("conv", (3, 3), (2, 1), "same"), ("conv", (1, 2), (1, 1), "valid"), ("flatten",)]
    net, Ws, (batch, *_) = problem(FRACTIONS, records, [(2, 4), (1, 19), (2, 3)], (1, 3, 4), 12)
    for W, seen in zip(Ws, twins3.passes(net, Ws, batch), strict=True):
        assert seen.h == [[twins.matvec(W, a_t) for a_t in a_n] for a_n in seen.a]


def test_one_position_is_chapter_2():
    """A net of dense layers: every average of (3.9) is chapter 2's."""
    records = [("dense",), ("act", "relu"), ("dense",)]
    net, Ws, (batch, *_) = problem(FRACTIONS, records, [(3, 3), (1, 4)], (2,), 1, sizes=(3,))
    ours, theirs = twins3.averages(net, Ws, batch), twins.averages(twins.Net(("relu", "linear"), "mse", FRACTIONS), Ws, batch)
    assert (ours.a, ours.A, ours.h, ours.Dh, ours.DhDh, ours.DW) == tuple(theirs)


def test_a_kernel_as_large_as_the_image_is_a_dense_layer():
    """Without padding it has one position, whose a is the image, row by row."""
    net, Ws, (batch, *_) = problem(FRACTIONS, [("conv", (2, 3), (1, 1), "valid"), ("flatten",)], [(2, 13)], (2, 2, 3), 2)
    flat_net = twins3.Net([("flatten",), ("dense",)], "mse", FRACTIONS)
    assert twins3.averages(net, Ws, batch) == twins3.averages(flat_net, Ws, batch)


def test_the_homogeneous_coordinate_counts_positions():
    """The last entry of A is |𝒯|, of the mean of a 1; the last column of 𝒟W is |𝒯| times the mean of 𝒟h."""
    net, Ws, (batch, *_) = small(FRACTIONS)
    found = twins3.averages(net, Ws, batch)
    assert found.P == [4, 1]
    assert [(A[-1][-1], a[-1]) for A, a in zip(found.A, found.a, strict=True)] == [(4, 1), (1, 1)]
    for P, DW, Dh in zip(found.P, found.DW, found.Dh, strict=True):
        assert [row[-1] for row in DW] == twins.scale(P, Dh)


def test_the_first_of_the_largest_gets_the_derivative():
    _, back = twins3.max_pool(twins3.Net([], "mse", FRACTIONS), [[[F(1), F(2)], [F(2), F(0)]]], (2, 2), (1, 1))
    assert back([[[F(5)]]]) == [[[0, 5], [0, 0]]]


# ------------------------------------------------------------------------------------------------------------------- procedures

def spd(rng, n):
    """A random symmetric positive definite matrix."""
    X = numbers_like(FRACTIONS, rng, n, n)
    return twins.damped(twins.matmul(X, twins.transpose(X)), F(1, 2))


@pytest.mark.parametrize("seed", range(3))
def test_hessian_action_with_and_without_A(seed):
    """(3.15)."""
    rng = random.Random(seed)
    each_a, H = numbers_like(FRACTIONS, rng, 3, 4, 3), spd(rng, 3)
    assert twins3.hessian_action_pair(H, each_a, F(1, 3)) == twins3.hessian_action_pair_formed(H, each_a, F(1, 3))


def test_algorithm_11_is_algorithm_8_with_a_scaled_identity():
    rng, acts = random.Random(2), set()
    for _ in range(12):
        s, y = numbers_like(FRACTIONS, rng, 3), numbers_like(FRACTIONS, rng, 3)
        mu2 = F(rng.randint(1, 9), 3)
        ours = twins3.d_pi_d_lm(s, y, F(1, 5), mu2)
        assert ours == twins3.d_p_d_lm(s, y, twins.scale(1 / mu2, twins.identity(3, F(1))), F(1, 5), mu2)
        acts.add(ours[0] == s)
    assert acts == {True, False}


def test_damping_as_equalities():
    """s̃ᵀy = max(sᵀy, μ₁yᵀHy), s̃ is on the segment from s to Hy, and ỹ − y = μ₂s̃."""
    rng = random.Random(3)
    for _ in range(12):
        s, y, H = numbers_like(FRACTIONS, rng, 3), numbers_like(FRACTIONS, rng, 3), spd(rng, 3)
        s_t, y_t = twins3.d_p_d_lm(s, y, H, F(1, 5), F(3))
        Hy = twins.matvec(H, y)
        assert twins.dot(s_t, y) == max(twins.dot(s, y), F(1, 5) * twins.dot(y, Hy))
        ratios = {(a - b) / (c - b) for a, b, c in zip(s_t, s, Hy, strict=True) if b != c}
        assert len(ratios) <= 1
        assert all(0 <= ratio < 1 for ratio in ratios)
        assert twins.sub(y_t, y) == twins.scale(3, s_t)


def test_both_ways_of_writing_pi():
    rng = random.Random(4)
    Omega, Gamma = spd(rng, 4), spd(rng, 3)
    squares = [pi(Omega, Gamma, lambda v: v) for pi in (twins3.pi_kron, twins3.pi_traces)]
    assert squares[0] == squares[1] == (twins3.trace(Omega) / 4) / (twins3.trace(Gamma) / 3)


def test_dead_factors_tend_to_the_limit():
    """H_Ω ⊗ H_Γ → I/λ as Γ → 0: at ε Γ it is away from it by O(√ε)."""
    rng = random.Random(5)
    with mpmath.workdps(60):
        Omega, Gamma = (twins.each(DIGITS.cast, spd(rng, n)) for n in (3, 2))
        net, hyper = twins3.Net([], "mse", DIGITS), {"lam": F(1, 4), "dead": "limit"}

        def away(epsilon):
            _, H_Omega, H_Gamma = twins3.damped_inverses(net, hyper, Omega, twins.scale(mpmath.mpf(epsilon), Gamma))
            found = twins.kron(H_Omega, H_Gamma)
            return max(map(abs, flat(twins.sub(found, twins.scale(4, twins.identity(6, DIGITS.cast(1)))))))

        assert away(0) == 0
        ratio = away("1e-20") / away("1e-24")
        assert 90 < ratio < 110, "√(1e4)"


# ------------------------------------------------------------------------------------------------------------------------- runs

def run(start, step, batches, Ws):
    """All steps of a method: what each made."""
    state, found = start(Ws), []
    for batch in batches:
        Ws, state, made = step(Ws, state, batch)
        found.append(made)
    return found


def kbfgs_run(net, Ws, batches, memory=None, **changes):
    hyper = HYPER | changes
    return run(lambda Ws: twins3.kbfgs_start(net, hyper, Ws, batches),
               lambda Ws, state, batch: twins3.kbfgs_step(net, hyper, Ws, state, batch, memory), batches, Ws)


def test_memory_for_every_step_is_bfgs():
    """Both H_G start from I/λ_G; with one pair fewer than steps they part."""
    net, Ws, batches = small(FMPQ, sizes=(1, 1))
    full, enough, short = kbfgs_run(net, Ws, batches), kbfgs_run(net, Ws, batches, 2), kbfgs_run(net, Ws, batches, 1)
    assert [made["H_G"] for made in full] == [made["H_G"] for made in enough]
    assert [made["W"] for made in full] == [made["W"] for made in enough]
    assert full[0]["H_G"] == short[0]["H_G"]
    assert full[1]["H_G"] != short[1]["H_G"]
    assert short[1]["pairs"] == [[pair] for pair in zip(short[1]["s_t"], short[1]["y_t"], strict=True)]


def test_the_hessian_action_of_a_step_sees_the_pass_before_the_update():
    """s_A, y_A from the a of the first pass and H_A before; H_A⁺ multiplied out, which maps y_A to s_A."""
    net, Ws, batches = small(FMPQ, sizes=(2,))
    start, (made,) = twins3.kbfgs_start(net, HYPER, Ws, batches), kbfgs_run(net, Ws, batches)
    for l, seen in enumerate(twins3.passes(net, Ws, batches[0])):
        lambda_A, _ = twins3.split_damping(net, HYPER, len(seen.a[0]))
        s, y = twins3.hessian_action_pair_formed(start["H_A"][l], seen.a, lambda_A)
        assert (made["s_A"][l], made["y_A"][l]) == (s, y)
        assert made["H_A"][l] == twins.bfgs_multiplied_out(start["H_A"][l], s, y)
        assert twins.matvec(made["H_A"][l], y) == s


def test_split_damping_multiplies_to_lambda_and_balances_positions():
    """λ_A λ_G = λ and λ_A/λ_G = |𝒯|; √λ for both where there is one position."""
    net = twins3.Net([], "mse", FMPQ)
    for P in (1, 4, 9):
        lambda_A, lambda_G = twins3.split_damping(net, HYPER, P)
        assert (lambda_A * lambda_G, lambda_A / lambda_G) == (FMPQ.cast(HYPER["lam"]), P)


def test_curvature_moves_every_T_steps_only():
    net, Ws, batches = small(FLOAT32, sizes=(1, 1, 2))
    with np.errstate(all="ignore"):
        first, second, third = kbfgs_run(net, Ws, batches, T=2)
    assert first["H_A"] == twins3.kbfgs_start(net, HYPER, Ws, batches)["H_A"] != second["H_A"] == third["H_A"]
    assert first["s_t"] == third["s_t"] == [None, None]
    assert {type(number) for number in flat(third["W"])} == {np.float32}


def test_algorithm_10_differs_from_algorithm_9_as_section_3_6_says():
    """First step, H_A and Ĥ_G = I/λ_G as they start: the same W, s_G, y_G; the same pair, since Algorithm 8 has H = I/μ₂ then."""
    net, Ws, (batch, *_) = small(FMPQ)
    nine = run(lambda Ws: twins3.kbfgs_start(net, HYPER, Ws, [batch]),
               lambda Ws, state, b: twins3.kbfgs_step(net, HYPER, Ws, state, b, 2), [batch], Ws)[0]
    ten = run(lambda Ws: twins3.kbfgs_l_exact_start(net, HYPER, Ws, [batch]),
              lambda Ws, state, b: twins3.kbfgs_l_exact_step(net, HYPER, Ws, state, b, 2), [batch], Ws)[0]
    for name in ("W", "p", "s_G", "y_G", "s_t", "y_t", "H_G"):
        assert nine[name] == ten[name], name
    lambda_A = [twins3.split_damping(net, HYPER, P)[0] for P in (4, 1)]
    for H_A, A, lam in zip(ten["H_A"], ten["A_h"], lambda_A, strict=True):
        assert twins.matmul(H_A, twins.damped(A, lam)) == twins.identity(len(A), FMPQ.cast(1))


def test_both_improvements_off_is_chapter_2_up_to_momentum_and_the_start_of_H_G():
    """On dense layers with T = 1 and γ = 0: rates α(1 − β) for the heavy ball, and H_g = I/λ_G at the start of Algorithm 4."""
    records, activations = [("dense",), ("act", "relu"), ("dense",)], ("relu", "linear")
    net, Ws, batches = problem(FMPQ, records, [(2, 2), (1, 3)], (1,), 1, sizes=(2, 1))
    old = twins.Net(activations, "mse", FMPQ)
    ours = kbfgs_run(net, Ws, batches, improvement1=False, improvement2=False, alpha=HYPER["alpha"] / 2)

    def old_start(Ws):
        state = twins.start(old, HYPER, Ws, [example for batch in batches for example in batch])
        return state | {"H_g": [twins.scale(2, H) for H in state["H_g"]]}      # λ_G = 1/2

    theirs = run(old_start, lambda Ws, state, batch: twins.kbfgs20_step(old, HYPER, Ws, state, batch), batches, Ws)
    for mine, other in zip(ours, theirs, strict=True):
        assert [twins.scale(FMPQ.cast(F(1, 2)), D) for D in mine["DW_h"]] == other["grad_h"]
        for name, named in {"W": "W", "H_A": "H_a", "H_G": "H_g", "A": "A", "A_LM": "A_LM", "s_A": "s_a", "y_A": "y_a",
                            "s_G": "s_g", "y_G": "y_g", "s_t": "s_t", "y_t": "y_t"}.items():
            assert mine[name] == other[named], name


def test_without_improvement_1_damping_above_one_is_refused():
    net, Ws, batches = small(FMPQ)
    with pytest.raises(ValueError, match="λ_G ≤ 1"):
        kbfgs_run(net, Ws, batches, lam=F(4), improvement1=False)


def test_weight_decay_and_batch_normalisation():
    """W − α(p + γW) for the W of (3.2); γ and β of "bn" move by α/λ along the momentum and do not decay; K-FAC takes α."""
    records = [("conv", (1, 1), (1, 1), "same"), ("bn", F(1, 10)), ("flatten",), ("dense",)]
    with mpmath.workdps(30):
        net, Ws, batches = problem(DIGITS, records, [(2, 2), (2, 2), (1, 5)], (1, 1, 2), 1, sizes=(2, 2))
        hyper = HYPER | {"gamma": F(1, 2)}
        alpha, gamma = DIGITS.cast(HYPER["alpha"]), DIGITS.cast(F(1, 2))
        first, second = kbfgs_run(net, Ws, batches, gamma=F(1, 2))
        for l in (0, 2):
            decayed = twins.sub(Ws[l], twins.scale(alpha, twins.add(first["p"][l], twins.scale(gamma, Ws[l]))))
            assert first["W"][l] == decayed
        momentum = twins.add(twins.scale(DIGITS.cast(HYPER["beta"]), first["DW"][1]), second["DW"][1])
        assert second["DW_h"][1] == momentum
        assert second["W"][1] == twins.sub(first["W"][1], twins.scale(alpha / DIGITS.cast(HYPER["lam"]), momentum))
        for bn, direction in (("gradient", second["DW"]), ("momentum", second["DW_h"])):
            state = twins3.kfac_ef_start(net, hyper | {"bn": bn}, Ws, batches) | {"DW_h": first["DW_h"]}
            W, _, _ = twins3.kfac_ef_step(net, hyper | {"bn": bn}, first["W"], state, batches[1])
            assert W[1] == twins.sub(first["W"][1], twins.scale(alpha, direction[1]))


def test_kfac_for_one_example_and_one_position_is_the_dense_block():
    """Ω ⊗ Γ = the gradient's outer product over that example's own target: 𝒟W𝒟Wᵀ in vec."""
    net, Ws, (batch, *_) = problem(FRACTIONS, [("dense",)], [(2, 3)], (2,), 2, sizes=(1,))
    found = twins3.averages(net, Ws, batch)
    g = twins.vec(found.DW[0])
    assert twins.kron(found.A[0], found.DhDh[0]) == twins.outer(g, g)


def test_kfac_moves_its_factors_every_T_1_and_its_inverses_every_T_2_steps():
    """Γ from drawn targets, averaged over examples and positions, at the W before the update; 𝒟W from the data's own targets."""
    with mpmath.workdps(30):
        net, Ws, batches = small(DIGITS, sizes=(2, 1, 2, 1))
        drawn = [[(x, twins.scale(2, y)) for x, y in batch] for batch in batches]
        hyper, half = HYPER | {"T_1": 2, "T_2": 3}, DIGITS.cast(F(1, 2))
        state = twins3.kfac_start(net, hyper, Ws, batches, drawn)
        everything = [[example for batch in drawn for example in batch]]
        assert max(map(abs, flat(twins.sub(state["Gamma"], twins3.over_data(net, Ws, everything, "DhDh"))))) < mpmath.mpf(10) ** -25
        for k, (batch, sampled) in enumerate(zip(batches, drawn, strict=True), start=1):
            before = state
            W_before, (Ws, state, made) = Ws, twins3.kfac_step(net, hyper, Ws, state, batch, sampled)
            assert made["DW"] == twins3.averages(net, W_before, batch).DW
            for l, D in enumerate(state["DW_h"]):
                assert made["p"][l] == twins.matmul(twins.matmul(before["H_Gamma"][l], D), before["H_Omega"][l])
            for l, seen in enumerate(twins3.passes(net, W_before, sampled)):
                vectors = [g for g_n in seen.g for g in g_n]
                G = twins.mean(twins.outer(g, g) for g in vectors)
                averaged = twins.add(twins.scale(half, before["Gamma"][l]), twins.scale(half, G))
                expected = averaged if k % 2 == 0 else before["Gamma"][l]
                assert max(map(abs, flat(twins.sub(state["Gamma"][l], expected)))) < mpmath.mpf(10) ** -25
                assert (state["Omega"][l] == before["Omega"][l]) == (k % 2 == 1)
                assert (state["H_Gamma"][l] == before["H_Gamma"][l]) == (k != 3)
                assert (state["H_Omega"][l] == before["H_Omega"][l]) == (k != 3)


def test_omega_keeps_its_past():
    net, Ws, batches = small(DIGITS, sizes=(2, 1))
    state = twins3.kfac_ef_start(net, HYPER, Ws, batches)
    _, new, _ = twins3.kfac_ef_step(net, HYPER, Ws, state, batches[1])
    A = twins3.averages(net, Ws, batches[1]).A
    assert new["Omega"] == [twins.scale(DIGITS.cast(F(1, 2)), twins.add(old, fresh))
                            for old, fresh in zip(state["Omega"], A, strict=True)]
