"""K-BFGS, K-BFGS(L), its exact variant and K-FAC of chapter 3 against the slow twins, line by line.

Over ℚ every quantity of every step is compared with ==: three steps from the start on small nets with and without images, and
single steps from states that a float64 run has reached. Where a root occurs (π, a λ or a number of positions that is no square,
batch normalisation, exponentials), both sides work with 60 digits.
"""

from fractions import Fraction as F

import flint
import mpmath
import numpy as np
import pytest
import twins3
from bridge import flat
from bridge3 import (
    ALL3,
    EXACT,
    K_BFGS,
    K_FAC,
    Images,
    Twin3,
    float_images,
    hypers3,
    positions_by_kernel,
    rational_images,
    shown3,
    three_steps3,
    weights3,
)
from stepgauge import nets
from stepgauge.arrays import cast, map_arrays, precision
from stepgauge.nets import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, MaxPool, Residual
from stepgauge.reference import METHODS
from stepgauge.reference.parts.descent import StepDecay

# ---------------------------------------------------------------------------------------------------------- three steps, exactly

NETS3 = {
    "dense": ((2,), (Dense(2), Act("relu"), Dense(1)), 3),
    "four positions": ((2, 2, 2), (Conv2d(2, 1), Act("relu"), AvgPool(2), Flatten(), Dense(1)), 1),
    "same": ((1, 2, 2), (Conv2d(1, 3), Flatten(), Dense(1)), 4),
    "stride": ((1, 3, 4), (Conv2d(2, (3, 1), (2, 2)), Act("relu"), MaxPool(2), Flatten()), 4),
    "valid": ((1, 3, 3), (Conv2d(2, 2, padding="valid"), Act("relu"), MaxPool(2, 1), Flatten()), 2),
    "residual": ((1, 2, 2), (Residual((Conv2d(2, 1), Act("relu"), Conv2d(1, 1))), AvgPool(2), Flatten(), Dense(2)), 5),
    "shortcut": ((1, 2, 2), (Residual((Conv2d(2, 1), Act("relu")), (Conv2d(2, 1),)), AvgPool(2), Flatten()), 5),
}


def assert_equal3(ours, expected, where=""):
    assert ours.keys() == expected.keys()
    assert [name for name in ours if ours[name] != expected[name]] == [], where


def assert_exact_run3(method, problem, hyper, lam=F(1, 4)):
    for k, (ours, expected) in enumerate(three_steps3(method, problem, hyper, lam)):
        assert_equal3(ours, expected, f"step {k}")
        assert {type(number) for number in flat(list(ours.values()))} == {flint.fmpq}


def problem3(net, **changes):
    shape, records, seed = NETS3[net]
    return rational_images(shape, records, seed, **changes)


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("net", NETS3)
def test_chapter_3_three_steps_over_the_rationals(net, method):
    problem = problem3(net)
    assert_exact_run3(method, problem, hypers3(method, problem.model))


VARIANTS3 = {
    "double damping": {"improvement1": False},
    "a moving average of A": {"improvement2": False},
    "no improvement": {"improvement1": False, "improvement2": False},
    "curvature in every second step": {"T": 2},
    "curvature in the third step": {"T": 3},
    "weight decay": {"gamma": F(1, 16)},
    "a rate that falls": {"alpha": StepDecay(F(1, 4), F(1, 3), 1)},
    "a rate that falls later": {"alpha": StepDecay(F(1, 4), F(1, 3), 2)},
    "another damping": {"lam": F(9, 4), "mu1": F(4, 5)},
    "little damping": {"lam": F(1, 400)},
    "one pair": {"p": 1},
    "more pairs than steps": {"p": 9},
    "long averages": {"beta": F(9, 10)},
}
REFUSED = {"kbfgs_l_exact": {"improvement1", "improvement2", "T", "gamma"}, "kbfgs": {"p"}}


def has(method, changes):
    return not set(changes) & REFUSED.get(method, set())


@pytest.mark.parametrize(("variant", "method"), [(variant, method) for variant, changes in VARIANTS3.items() for method in EXACT
                                                 if has(method, changes)])
def test_chapter_3_three_steps_of_every_variant_over_the_rationals(variant, method):
    """On a net with four positions in one layer and one in the other, so that λ_A ≠ λ_G."""
    changes = VARIANTS3[variant]
    problem = problem3("four positions")
    assert_exact_run3(method, problem, hypers3(method, problem.model, **changes), changes.get("lam", F(1, 4)))


def test_chapter_3_every_variant_is_another_run():
    """So that each of the runs above looks at its own switch."""
    problem, seen = problem3("four positions"), []
    for changes in ({}, *VARIANTS3.values()):
        *_, (_, last) = three_steps3("kbfgs_l", problem, hypers3("kbfgs_l", problem.model, **changes))
        seen.append(last["params"])
    others = {name: run for name, run in zip(VARIANTS3, seen[1:], strict=True) if name != "more pairs than steps"}
    assert all(run != seen[0] for run in others.values())
    assert all(list(others.values()).count(run) == 1 for run in others.values())


# -------------------------------------------------------------------------------------------------------- single steps, exactly

STEPS_BEFORE3 = 7
CNN = ((2, 3, 3), (Conv2d(3, 2, padding="valid"), Act("relu"), MaxPool(2, 1), Conv2d(2, 1), Act("relu"), Flatten(), Dense(2)))
IMPROVEMENTS = ((True, True), (False, False), (True, False), (False, True), (True, True))
DAMPINGS3 = {"light damping": {"lam": F(1, 64), "mu1": F(1, 5)}, "heavy damping": {"lam": 1, "mu1": F(9, 10)}}


def symmetric3(tree):
    """Every square matrix with its lower triangle mirrored: float updates leave the last bits of the two triangles apart."""
    return map_arrays(lambda M: np.tril(M) + np.tril(M, -1).T if M.ndim == 2 and M.shape[0] == M.shape[1] else M, tree)


def reached3(method, seed, **changes):
    """A problem over ℚ whose parameters and state are where a float64 run was after seven steps, to the bit."""
    problem = float_images(*CNN, "mse", seed, sizes=(4, 3, 5))
    fields = {"beta": F(3, 4), "p": 3, "T_2": 100} | changes
    code, hyper = METHODS[method], hypers3(method, problem.model, **fields)
    params, state = problem.params, code.init(problem.model, problem.params, problem.batches, hyper)
    for i in range(STEPS_BEFORE3):
        params, state, _ = code.step(problem.model, params, state, problem.batches[i % 3], hyper)
    matrices = {name: symmetric3(getattr(state, name)) for name in state._fields if name.startswith("H_") or name == "A"}
    return Images(problem.model, params, problem.batches, "float64").cast("fmpq"), cast(state._replace(**matrices), "fmpq"), hyper


def switches(method, seed):
    """All four settings of the two improvements of K-BFGS, by seed."""
    return dict(zip(("improvement1", "improvement2"), IMPROVEMENTS[seed], strict=True)) if method in K_BFGS else {}


def single_step3(method, seed, **changes):
    """What the code and the twin show of one step over ℚ from there."""
    problem, state, hyper = reached3(method, seed, **changes)
    i = STEPS_BEFORE3 % 3
    params, new, trace = METHODS[method].step(problem.model, problem.params, state, problem.batches[i], hyper)
    twin = Twin3(method, problem, hyper, changes.get("lam", F(1, 4)))
    Ws, _, made = twin.step(weights3(problem.params), twin.kept(state), i)
    return shown3(new, trace, params), twin.shown(made, Ws)


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize("damping", DAMPINGS3)
@pytest.mark.parametrize("seed", range(5))
def test_chapter_3_single_steps_over_the_rationals_from_states_of_a_float_run(seed, damping, method):
    """K-FAC in a step that inverts nothing; the K-BFGS with all four settings of the improvements."""
    ours, expected = single_step3(method, seed, **switches(method, seed), **DAMPINGS3[damping])
    assert_equal3(ours, expected)


def test_chapter_3_single_steps_take_every_branch(monkeypatch):
    """Powell's damping acting and idle, in Algorithms 3 (either of its two), 8 and 11; memories that are full and roll over;
    units that fire and units that do not."""
    found = {"double_damping": set(), "d_p_d_lm": set(), "d_pi_d_lm": set()}
    for name in found:
        original = getattr(twins3, name)

        def watched(s, y, *given, original=original, seen=found[name], second=name == "double_damping"):
            s_t, y_t = original(s, y, *given)
            seen.add((s_t != s, y_t != y) if second else s_t != s)
            return s_t, y_t

        monkeypatch.setattr(twins3, name, watched)
    stored = set()
    for seed in range(5):
        for damping in DAMPINGS3.values():
            single_step3("kbfgs", seed, **switches("kbfgs", seed), **damping)
            _, expected = single_step3("kbfgs_l_exact", seed, **damping)
            stored |= {len(S[0]) for S in expected["S"]}
    assert stored == {3}, "seven steps, p = 3"
    assert found["d_p_d_lm"] == found["d_pi_d_lm"] == {True, False}
    assert found["double_damping"] == {(True, True), (False, True), (True, False), (False, False)}


@pytest.mark.parametrize("net", NETS3)
def test_chapter_3_problems_have_units_that_fire_and_slopes_that_are_not_zero(net):
    problem = problem3(net)
    for seen in twins3.passes(problem.net, weights3(problem.params), problem.examples()[0]):
        assert any(flat(seen.g))
        assert any(flat([a_t[:-1] for a_n in seen.a for a_t in a_n]))


# -------------------------------------------------------------------------------------------------------------------- 60 digits

DIGITS3 = 60
VGG = (Conv2d(2, 3), BatchNorm(), Act("relu"), Conv2d(2, 3), BatchNorm(), Act("relu"), MaxPool(2), Flatten(), Dense(3))
RESNET = (Conv2d(2, 3), BatchNorm(), Act("relu"),
          Residual((Conv2d(2, 3), BatchNorm(), Act("relu"), Conv2d(2, 3), BatchNorm())), Act("relu"),
          Residual((Conv2d(3, 3, 2), BatchNorm(F(1, 100)), Act("relu")), (Conv2d(3, 1, 2), BatchNorm())),
          AvgPool((1, 2)), Flatten(), Dense(2))
SMOOTH3 = {
    "six positions, tanh, labels": ((2, 2, 3), (Conv2d(2, (1, 3)), Act("tanh"), Flatten(), Dense(3)), "softmax_ce"),
    "elu, average pooling, probabilities": ((1, 3, 3), (Conv2d(3, 2, padding="valid"), Act("elu"), AvgPool(2, 1), Conv2d(2, 1),
                                                        Act("logistic"), Flatten(), Dense(2)), "bce"),
    "shortcut, labels": ((2, 2, 3), (Residual((Conv2d(2, 3), Act("relu"), Conv2d(3, 1)), (Conv2d(3, 1),)), Act("tanh"),
                                     MaxPool(2, 1), Flatten(), Dense(2)), "softmax_ce"),
    "stride, to the end": ((1, 5, 3), (Conv2d(2, 3, (2, 1)), Act("relu"), Flatten(), Dense(2), Act("tanh")), "mse"),
    "dense": ((3,), (Dense(4), Act("tanh"), Dense(2)), "bce"),
    "VGG": ((1, 2, 3), VGG, "softmax_ce"),
    "ResNet": ((1, 2, 3), RESNET, "softmax_ce"),
    "normalised vectors": ((3,), (Dense(3), BatchNorm(), Act("relu"), Dense(2)), "mse"),
}


RUNS_ON = {"kbfgs_l_exact": (), "kfac_ef": (), "kfac": ("VGG", "ResNet", "normalised vectors"), "kbfgs": (), "kbfgs_l": ()}
"""The nets whose kernels stand in front of a BatchNorm, by the methods for which each is compared over three steps: the first two
refuse them, and the pairs of the last two are decided by rounding there (ERR-35), so that they are compared step by step."""


def largest_relative_difference3(ours, expected):
    """Over all quantities: the largest difference of entries over the largest entry."""
    worst = mpmath.mpf(0)
    for name in ours:
        a, b = flat(ours[name]), flat(expected[name])
        assert len(a) == len(b), name
        size = max((abs(number) for number in b), default=0)
        difference = max((abs(x - y) for x, y in zip(a, b, strict=True)), default=0)
        worst = max(worst, difference / size if size else difference)
    return worst


@pytest.mark.parametrize(("net", "method"), [(net, method) for net in SMOOTH3 for method in ALL3
                                             if net not in RUNS_ON["kfac"] or net in RUNS_ON[method]])
def test_chapter_3_three_steps_with_sixty_digits(net, method):
    shape, records, loss = SMOOTH3[net]
    with precision(int(DIGITS3 / mpmath.log10(2)) + 1):
        problem = float_images(shape, records, loss, 7, sizes=(3, 2, 2), kind="mpf")
        fields = {"beta": F(9, 10), "alpha": F(3, 10), "lam": F(3, 10)}
        fields |= {"lam_A": F(4, 5), "lam_G": F(4, 5)} if method == "kbfgs_l_exact" else {"gamma": F(1, 100)}
        for ours, expected in three_steps3(method, problem, hypers3(method, problem.model, **fields)):
            assert ours.keys() == expected.keys()
            assert largest_relative_difference3(ours, expected) < mpmath.mpf(10) ** -50
        assert {type(number) for number in flat(list(ours.values()))} == {mpmath.mpf}


@pytest.mark.parametrize("method", K_BFGS)
@pytest.mark.parametrize("net", RUNS_ON["kfac"])
def test_K_BFGS_with_batch_normalisation_step_by_step_with_sixty_digits(net, method):
    """Each step from the code's own state. In front of a BatchNorm y_G is rounding noise, and (s̃, ỹ) and H_G are compared with
    the twin's lines for the code's own noise."""
    shape, records, loss = SMOOTH3[net]
    with precision(int(DIGITS3 / mpmath.log10(2)) + 1):
        problem, bound = float_images(shape, records, loss, 7, sizes=(3, 2, 2), kind="mpf"), mpmath.mpf(10) ** -50
        hyper = hypers3(method, problem.model, beta=F(9, 10), alpha=F(3, 10), lam=F(3, 10), gamma=F(1, 100))
        code, twin, params = METHODS[method], Twin3(method, problem, hyper), problem.params
        state, mu1 = code.init(problem.model, params, problem.batches, hyper), problem.net.numbers.cast(hyper.mu1)
        for i, batch in enumerate(problem.batches):
            before, Ws = twin.kept(state), weights3(params)
            Ws, _, made = twin.step(Ws, before, i)
            params, state, trace = code.step(problem.model, params, state, batch, hyper)
            ours, expected = shown3(state, trace, params), twin.shown(made, Ws)
            for l, P in in_front_of_norms(problem):
                assert max(map(abs, ours["y_G"][l] + expected["y_G"][l])) < bound
                H, (_, lam_G) = twin.of_kernels(before["H_G"])[l], twins3.split_damping(problem.net, twin.hyper, P)
                s_t, y_t = twins3.d_p_d_lm(ours["s_G"][l], ours["y_G"][l], H, mu1, lam_G)
                if method == "kbfgs":
                    expected["H_G"][l] = twins3.bfgs(H, s_t, y_t)
                else:
                    for name, newest in (("S", s_t), ("Y", y_t)):
                        expected[name][l] = [[*row[:-1], x] for row, x in zip(expected[name][l], newest, strict=True)]
                expected["s_t"][l], expected["y_t"][l] = s_t, y_t
            assert ours.keys() == expected.keys()
            assert largest_relative_difference3(ours, expected) < bound


def in_front_of_norms(problem):
    """(index among the kernels, |𝒯|) of those whose output a BatchNorm takes."""
    after = [isinstance(layer, nets.Norm) for layer in problem.params[1:]] + [False]
    kernels = [norm for layer, norm in zip(problem.params, after, strict=True) if isinstance(layer, nets.Layer)]
    return [(l, P) for l, (norm, P) in enumerate(zip(kernels, positions_by_kernel(problem.model), strict=True)) if norm]


FACTORS = {
    "both in every step": {"T_1": 1, "T_2": 1},
    "inverses in every third step": {"T_1": 1, "T_2": 3},
    "both in every second step": {"T_1": 2, "T_2": 2},
    "inverses of factors that are older": {"T_1": 2, "T_2": 3},
    "the start alone": {"T_1": 4, "T_2": 5},
}


@pytest.mark.parametrize("method", K_FAC)
@pytest.mark.parametrize("periods", FACTORS)
def test_K_FAC_of_chapter_3_with_other_periods(periods, method):
    shape, records, loss = SMOOTH3["elu, average pooling, probabilities"]
    with precision(int(DIGITS3 / mpmath.log10(2)) + 1):
        problem = float_images(shape, records, loss, 3, sizes=(3, 2, 2), kind="mpf")
        hyper = hypers3(method, problem.model, alpha=StepDecay(F(3, 10), F(1, 2), 1), **FACTORS[periods])
        for k, (ours, expected) in enumerate(three_steps3(method, problem, hyper)):
            assert ours.keys() == expected.keys()
            assert largest_relative_difference3(ours, expected) < mpmath.mpf(10) ** -50
            assert k == 0 or len(ours["pi"]) == (3 if k % hyper.T_2 == 0 else 0)


def test_data_of_the_warm_start_of_chapter_3_are_weighted_by_example():
    """Factors from three batches of sizes 3, 2, 2 are those of the seven examples at once; so is Γ, with the drawn targets."""
    problem = float_images(*SMOOTH3["elu, average pooling, probabilities"], 3, sizes=(3, 2, 2), kind="mpf")
    joined = nets.Batch(*(np.concatenate([batch[i] for batch in problem.batches]) for i in range(3)))
    with precision(int(DIGITS3 / mpmath.log10(2)) + 1):
        for method in ALL3:
            fields = {"lam_A": F(4, 5), "lam_G": F(4, 5)} if method == "kbfgs_l_exact" else {"improvement2": False}
            hyper = hypers3(method, problem.model, **fields)
            first, *others = [shown3(METHODS[method].init(problem.model, problem.params, data, hyper))
                              for data in (problem.batches, iter(problem.batches), joined, [joined])]
            assert all(largest_relative_difference3(other, first) < mpmath.mpf(10) ** -50 for other in others)
