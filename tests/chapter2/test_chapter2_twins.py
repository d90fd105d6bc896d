"""K-BFGS, K-BFGS(L), its skipping variant and K-FAC of chapter 2 against the slow twins, line by line.

Over ℚ every quantity of every step is compared with ==: three steps from the start on ReLU nets, and single steps from states
that a float64 run has reached. Where exponentials or a λ that is no square occur, both sides work with 60 digits.
"""

from fractions import Fraction as F

import flint
import mpmath
import numpy as np
import pytest
import twins
from bridge import ALL, KBFGS, Twin, array, flat, float_problem, hypers, lists, rational_problem, shown, twin_state, weights
from stepgauge import nets
from stepgauge.arrays import cast, map_arrays, precision
from stepgauge.reference import METHODS
from stepgauge.reference.parts.descent import StepDecay

NETS = {
    "narrow": ((2, 3, 1), ("relu", "linear"), 3),
    "wide": ((3, 4, 2), ("relu", "relu"), 2),
    "deep": ((2, 3, 4, 1), ("relu", "relu", "linear"), 2),
}
TYPES = {"fraction": F, "fmpq": flint.fmpq}


def three_steps(method, problem, hyper):
    """Code and twin over three batches: yields what each shows, first of the start, then of each step."""
    code, twin = METHODS[method], Twin(method, problem, hyper)
    params, Ws = problem.params, weights(problem.params)
    state, mirror = code.init(problem.model, params, problem.batches, hyper), twin.start()
    yield shown(state), twin.shown(mirror)
    for i, batch in enumerate(problem.batches):
        params, state, trace = code.step(problem.model, params, state, batch, hyper)
        Ws, mirror, made = twin.step(Ws, mirror, i)
        assert state.k == i + 1
        yield shown(state, trace, params), twin.shown(made, Ws)


def assert_equal(ours, expected, where=""):
    assert ours.keys() == expected.keys()
    assert [name for name in ours if ours[name] != expected[name]] == [], where


def assert_exact_run(method, problem, hyper):
    for k, (ours, expected) in enumerate(three_steps(method, problem, hyper)):
        assert_equal(ours, expected, f"step {k}")
        assert {type(number) for number in flat(list(ours.values()))} == {TYPES[problem.kind]}


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("net", NETS)
def test_three_steps_over_the_rationals(net, method):
    widths, activations, seed = NETS[net]
    assert_exact_run(method, rational_problem(widths, activations, seed, kind="fmpq"), hypers(method))


@pytest.mark.parametrize("method", ALL)
def test_three_steps_over_python_fractions(method):
    assert_exact_run(method, rational_problem((2, 3, 1), ("relu", "linear"), 1), hypers(method))


VARIANTS = {
    "H_a starts from I": {"H_a_start": "identity"},
    "penalty": {"eta": F(1, 16)},
    "two batches in the gradient": {"double_grad": True},
    "two batches and a penalty": {"double_grad": True, "eta": F(1, 16)},
    "a rate that falls": {"alpha": StepDecay(F(1, 4), F(1, 3), 1)},
    "no memory in the averages": {"beta": 0},
    "other damping": {"lam": F(1, 100), "mu1": F(9, 10)},
    "damping at its end": {"lam": 1},
    "one pair": {"p": 1},
    "more pairs than steps": {"p": 9},
    "inverses in every step": {"T": 1},
    "inverses in the first three steps": {"T": 3},
}


def differs(method, changes):
    return hypers(method, **changes) != hypers(method)


@pytest.mark.parametrize(("variant", "method"), [(variant, method) for variant, changes in VARIANTS.items()
                                                 for method in ALL if differs(method, changes)])
def test_three_steps_of_every_variant_over_the_rationals(variant, method):
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8, kind="fmpq")
    assert_exact_run(method, problem, hypers(method, **VARIANTS[variant]))


# -------------------------------------------------------------------------------------------------------- single steps, exactly

STEPS_BEFORE = 7


def symmetric(tree):
    """Every square matrix with its lower triangle mirrored: float updates leave the last bits of the two triangles apart."""
    return map_arrays(lambda M: np.tril(M) + np.tril(M, -1).T if M.ndim == 2 and M.shape[0] == M.shape[1] else M, tree)


def reached(method, seed, **changes):
    """A problem over ℚ whose parameters and state are where a float64 run was after seven steps, to the bit."""
    widths, activations, _ = list(NETS.values())[seed % 3]
    problem = float_problem(widths, activations, "mse", seed, sizes=(4, 3, 5))
    code, hyper = METHODS[method], hypers(method, **{"lam": F(1, 16), "beta": F(3, 4), "p": 3, **changes})
    params, state = problem.params, code.init(problem.model, problem.params, problem.batches, hyper)
    for i in range(STEPS_BEFORE):
        params, state, _ = code.step(problem.model, params, state, problem.batches[i % 3], hyper)
    exact = problem._replace(params=params).cast("fmpq")
    return exact, cast(state._replace(H_a=symmetric(state.H_a), H_g=symmetric(state.H_g)), "fmpq"), hyper


def single_step(method, seed, **changes):
    """What the code and the twin show of one step over ℚ from there, and the twin's own record of it."""
    problem, state, hyper = reached(method, seed, **changes)
    i = STEPS_BEFORE % 3
    params, new, trace = METHODS[method].step(problem.model, problem.params, state, problem.batches[i], hyper)
    twin = Twin(method, problem, hyper)
    Ws, _, made = twin.step(weights(problem.params), twin_state(state), i)
    return shown(new, trace, params), twin.shown(made, Ws), made


DAMPINGS = {"light damping": {"lam": F(1, 16), "mu1": F(1, 5)}, "heavy damping": {"lam": 1, "mu1": F(4, 5)}}


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("seed", range(5))
def test_single_steps_over_the_rationals_from_states_of_a_float_run(seed, damping, method):
    ours, expected, _ = single_step(method, seed, double_grad=seed % 2 == 1, **DAMPINGS[damping])
    assert_equal(ours, expected)


def damping_branches(monkeypatch):
    """A set that fills with (first damping acts, second damping acts) for every pair that the twins damp."""
    found, original = set(), twins.double_damping

    def watched(s, y, H, mu1, mu2):
        s_t, y_t = original(s, y, H, mu1, mu2)
        found.add((s_t != s, y_t != y))
        return s_t, y_t

    monkeypatch.setattr(twins, "double_damping", watched)
    return found


def test_the_single_steps_take_every_branch(monkeypatch):
    """Both dampings acting and idle, in every combination; pairs taken and skipped; memory that is full and rolls over."""
    found = damping_branches(monkeypatch)
    taken, stored = set(), set()
    for seed in range(5):
        _, expected, made = single_step("kbfgs20_l_skip", seed, **DAMPINGS["heavy damping"])
        taken |= set(made["taken"])
        stored |= {len(S[0]) for S in expected["S"]}
    assert stored == {3}, "seven steps, p = 3"
    assert found == {(False, False), (True, False), (False, True), (True, True)}
    assert taken == {True, False}


# -------------------------------------------------------------------------------------------------------------------- 60 digits

DIGITS = 60
SMOOTH = {
    "tanh, logistic, labels": ((3, 4, 2, 3), ("tanh", "logistic", "linear"), "softmax_ce"),
    "elu, probabilities": ((2, 4, 3), ("elu", "linear"), "bce"),
    "tanh to the end": ((3, 2, 4), ("elu", "tanh"), "mse"),
    "relu, labels": ((3, 4, 2), ("relu", "linear"), "softmax_ce"),
}


def largest_relative_difference(ours, expected):
    """Over all quantities: the largest difference of entries over the largest entry."""
    worst = mpmath.mpf(0)
    for name in ours:
        a, b = flat(ours[name]), flat(expected[name])
        assert len(a) == len(b)
        size = max((abs(number) for number in b), default=0)
        difference = max((abs(x - y) for x, y in zip(a, b, strict=True)), default=0)
        worst = max(worst, difference / size if size else difference)
    return worst


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("net", SMOOTH)
def test_three_steps_with_sixty_digits(net, method):
    widths, activations, loss = SMOOTH[net]
    with precision(int(DIGITS / mpmath.log10(2)) + 1):
        problem = float_problem(widths, activations, loss, 7, sizes=(4, 3, 2), kind="mpf")   # no pair on the edge of line 17
        hyper = hypers(method, lam=F(3, 10), beta=F(9, 10), alpha=F(3, 10), eta=F(1, 100))
        for ours, expected in three_steps(method, problem, hyper):
            assert ours.keys() == expected.keys()
            assert largest_relative_difference(ours, expected) < mpmath.mpf(10) ** -50
        assert {type(number) for number in flat(list(ours.values()))} == {mpmath.mpf}


# ----------------------------------------------------------------------------------------------- statements about several steps

@pytest.mark.parametrize("p", [3, 4])
def test_memory_for_every_step_is_bfgs(p):
    """With H_g = I at the start and p ≥ the number of steps, K-BFGS(L) is K-BFGS: (2.12) then runs over all pairs."""
    problem = rational_problem((3, 4, 2), ("relu", "relu"), 2, kind="fmpq")
    hyper, limited = hypers("kbfgs20"), hypers("kbfgs20_l", p=p)
    state = METHODS["kbfgs20"].init(problem.model, problem.params, problem.batches, hyper)
    state_l = METHODS["kbfgs20_l"].init(problem.model, problem.params, problem.batches, limited)
    params = params_l = problem.params
    for batch in problem.batches:
        params, state, trace = METHODS["kbfgs20"].step(problem.model, params, state, batch, hyper)
        params_l, state_l, trace_l = METHODS["kbfgs20_l"].step(problem.model, params_l, state_l, batch, limited)
        for name in set(trace._fields) - {"H_g"}:
            assert lists(getattr(trace, name)) == lists(getattr(trace_l, name)), name
        for H, memory in zip(state.H_g, state_l.H_g, strict=True):
            assert lists(memory @ array(twins.identity(H.shape[0], flint.fmpq(1)))) == lists(H)


def test_memory_for_fewer_steps_is_not_bfgs():
    """p = 2 and three steps: after the third the oldest pair is gone, and H_g is another matrix."""
    problem = rational_problem((3, 4, 2), ("relu", "relu"), 2, kind="fmpq")
    runs = {name: list(three_steps(name, problem, hypers(name, p=2))) for name in ("kbfgs20", "kbfgs20_l")}
    for k in range(4):
        (full, _), (limited, _) = runs["kbfgs20"][k], runs["kbfgs20_l"][k]
        for l, H in enumerate(full["H_g"]):
            pairs = list(zip(*map(twins.transpose, (limited["S"][l], limited["Y"][l])), strict=True))
            assert (twins.dense_lbfgs(pairs, len(H), flint.fmpq(1)) == H) == (k < 3)


@pytest.mark.parametrize("method", KBFGS[:2])
def test_the_first_step_of_double_grad_is_the_ordinary_one(method):
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8, kind="fmpq")
    plain, double = (list(three_steps(method, problem, hypers(method, double_grad=on))) for on in (False, True))
    (first, _), (second, _) = plain[1], double[1]
    assert {name: value for name, value in second.items() if name != "grad_p"} == first
    assert second["grad_p"]
    assert plain[2][0]["grad"] != double[2][0]["grad"]


@pytest.mark.parametrize("method", KBFGS[:2])
def test_double_grad_averages_the_gradients_of_two_batches_at_the_same_point(method):
    """In step 2: (∇ of batch 2 + ∇ of batch 1)/2, both at θ_2; each with its own mean, though the batches differ in size."""
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8, kind="fmpq")
    (_, _), (first, _), (second, _), _ = three_steps(method, problem, hypers(method, double_grad=True))
    examples = problem.examples()
    assert len(examples[0]) != len(examples[1])
    one, two = (twins.averages(problem.net, first["params"], batch).DW for batch in examples[:2])
    assert second["grad"] == twins.each(lambda a, b: (a + b) / 2, one, two)


def test_the_penalty_is_the_gradient_of_half_eta_theta_squared():
    """∇f̄ with η minus ∇f̄ without is ηW̄, biases included."""
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8)
    for method in ALL:
        grads = []
        for eta in (0, F(1, 16)):
            hyper = hypers(method, eta=eta)
            state = METHODS[method].init(problem.model, problem.params, problem.batches, hyper)
            grads.append(lists(METHODS[method].step(problem.model, problem.params, state, problem.batches[0], hyper)[2].grad))
        assert twins.sub(grads[1], grads[0]) == twins.scale(F(1, 16), weights(problem.params))


def test_data_of_the_warm_start_are_weighted_by_example():
    """A from three batches of sizes 3, 2, 2 is A from the seven examples at once; so is G, with the drawn targets."""
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8)
    joined = nets.Batch(*(np.concatenate([batch[i] for batch in problem.batches]) for i in range(3)))
    for method in ALL:
        first, *others = [shown(METHODS[method].init(problem.model, problem.params, data, hypers(method)))
                          for data in (problem.batches, iter(problem.batches), joined, [joined])]
        assert all(other == first for other in others)
