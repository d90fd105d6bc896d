"""Chapter 4 where it hurts: gradients that are always zero, periods, sizes of 1, purity, refusals."""

from fractions import Fraction as F

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS, shampoo, tnt
from stepgauge.reference.parts.descent import StepDecay
from stepgauge.reference.parts.kronecker import damped
from tensor_bridge import ALL, BY_TENSOR, STATISTICS, float_problem, hypers, leaves, lists

KINDS = ["float32", "float64"]


def run(method, problem, hyper, steps=3, data=None):
    """The states, parameters and traces of a few steps."""
    code = METHODS[method]
    params, state = problem.params, code.init(problem.model, problem.params, data or problem.batches, hyper)
    found = [(params, state, None)]
    for k in range(steps):
        params, state, trace = code.step(problem.model, params, state, problem.batches[k % len(problem.batches)], hyper)
        found.append((params, state, trace))
    return found


def float_hyper(method, **changes):
    return hypers(method, **changes)._replace(**{name: float(value) for name, value in hypers(method, **changes)._asdict().items()
                                                 if isinstance(value, F)})


# --------------------------------------------------------------------------------------------------------- zero gradients


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", BY_TENSOR)
def test_a_tensor_whose_gradient_is_always_zero_shrinks_by_weight_decay_alone(method, kind):
    """No unit of the first layer fires: Ĝ = 0, Ũ = 0, the factors are I/ε (or ε^(−1/2k) I), the direction is 0."""
    problem = float_problem((3, 4, 2), ("relu", "linear"), "mse", 1, kind=kind)
    params = (problem.params[0]._replace(b=problem.params[0].b - 100), problem.params[1])
    problem, hyper = problem._replace(params=params), hypers(method, eps=F(1, 16), T_2=1)
    for _, state, trace in run(method, problem, hyper)[1:]:
        factors = state.root_inv if method == "shampoo" else trace.U_inv
        for i, order in ((0, 2), (1, 1)):
            assert not np.any(trace.p[i])
            for M in factors[i]:
                expected = 16.0 ** (1 / (2 * order)) if method == "shampoo" else 16.0
                assert np.abs(M - expected * np.eye(len(M))).max() <= 8 * np.finfo(kind).eps * expected
        assert all(np.isfinite(array).all() for array in leaves((state, trace)))
    shrink = 1 - hyper.alpha * getattr(hyper, "gamma", 0)
    after = run(method, problem, hyper)[3][0]
    assert np.abs(after[0].W - problem.params[0].W * float(shrink) ** 3).max() <= 8 * np.finfo(kind).eps * np.abs(params[0].W).max()


@pytest.mark.parametrize("method", ["tnt", "tnt_ef"])
def test_a_saturated_layer_whose_mean_eigenvalues_round_to_zero(method):
    """Near the bias −51, in float32, total/n of the first layer is 0 while its total is not: the factors are I/ε (DEV-TNT-4)."""
    model = nets.mlp((3, 2, 2), ("logistic", "linear"), "softmax_ce")
    first, second = nets.init(model, 0)
    x = np.random.default_rng(0).standard_normal((4, 3)).astype("float32")
    batch = nets.Batch(x, np.array([0, 1, 0, 1]), np.array([1, 1, 0, 0]))
    as_from_zero = 0
    for saturation in np.arange(49, 53, 0.25):
        params = cast((first._replace(b=first.b - saturation), second), "float32")
        state = METHODS[method].init(model, params, batch, hypers(method, eps=F(1, 16)))
        assert all(np.isfinite(array).all() for array in leaves(state))
        if np.trace(state.G_h[0][0]) > 0:
            as_from_zero += all((16 * np.eye(len(M)) == M).all() for M in state.U_inv[0])
    assert as_from_zero


@pytest.mark.parametrize("method", STATISTICS)
def test_a_bias_before_batch_normalisation_has_a_gradient_of_rounding_and_stays_finite(method):
    """The example of Section 4.7.2: the convolution's bias cancels in what follows; only ε keeps its factor away from 0."""
    records = (nets.Conv2d(2, 3), nets.BatchNorm(), nets.Act("relu"), nets.Flatten(), nets.Dense(2))
    model = nets.cnn((1, 4, 4), records, "softmax_ce")
    rng = np.random.default_rng(2)
    params, batch = nets.init(model, 1), nets.Batch(rng.standard_normal((6, 1, 4, 4)), rng.integers(0, 2, 6), rng.integers(0, 2, 6))
    code = METHODS[method]
    hyper = code.Hyper(T_2=1)
    state = code.init(model, params, batch, hyper)
    _, state, trace = code.step(model, params, state, batch, hyper)
    assert np.abs(trace.grad[1]).max() <= 2.0**-48
    assert np.abs(trace.p[1]).max() <= 2.0**-48 / float(hyper.eps)
    assert all(np.isfinite(array).all() for array in leaves((state, trace)))


# ---------------------------------------------------------------------------------------------------------------- periods


@pytest.mark.parametrize("method", STATISTICS)
def test_statistics_and_factors_change_in_their_own_steps_alone(method):
    """T_1 = 2, T_2 = 3 over seven steps: Ĝ in steps 2, 4, 6, the factors in 3 and 6, from the Ĝ of that very step."""
    problem, hyper = float_problem((3, 4, 2), ("tanh", "linear"), "bce", 3), hypers(method, T_1=2, T_2=3)
    found = run(method, problem, hyper, steps=7)
    factors = "root_inv" if method == "shampoo" else "U_inv"
    for k in range(1, 8):
        (_, before, _), (_, after, trace) = found[k - 1], found[k]
        assert (lists(after.G_h) != lists(before.G_h)) == (k % 2 == 0)
        assert (lists(getattr(after, factors)) != lists(getattr(before, factors))) == (k % 3 == 0)
        if k % 3:
            assert getattr(after, factors) is getattr(before, factors)
        if method != "shampoo":
            assert [bool(trace.G_b), bool(trace.U_t)] == [k % 2 == 0, k % 3 == 0]
        assert lists(after.grad_h) != lists(before.grad_h)
    fresh = shampoo.roots(found[6][1].G_h, hyper) if method == "shampoo" else \
        tnt.inverses(found[6][2].U_t, np.float64(hyper.eps))
    assert lists(fresh) == lists(getattr(found[7][1], factors))


def test_targets_are_needed_in_the_steps_that_draw_alone():
    problem = float_problem((3, 4, 2), ("relu", "linear"), "mse", 6)
    bare = problem.batches[0]._replace(y_sampled=None)
    message = r"^y_sampled: expected targets drawn by nets.sample_targets because the Fisher matrix is an expectation .*, got None$"
    for method in ("tnt", "block_fisher"):
        code, hyper = METHODS[method], hypers(method, T_1=2)
        with pytest.raises(ValueError, match=message):
            code.init(problem.model, problem.params, [problem.batches[1], bare], hyper)
        state = code.init(problem.model, problem.params, problem.batches, hyper)
        if method == "tnt":
            _, state, _ = code.step(problem.model, problem.params, state, bare, hyper)
        with pytest.raises(ValueError, match=message):
            code.step(problem.model, problem.params, state, bare, hyper)
    for method in ("tnt_ef", "shampoo", "tnt_ideal"):
        code, hyper = METHODS[method], hypers(method)
        state = code.init(problem.model, problem.params, bare, hyper)
        code.step(problem.model, problem.params, state, bare, hyper)


@pytest.mark.parametrize("method", ["tnt", "shampoo", "block_fisher"])
def test_batches_of_the_warm_start_are_weighted_by_their_size(method):
    problem, hyper, code = float_problem((3, 4, 2), ("tanh", "linear"), "mse", 4), hypers(method), METHODS[method]
    field = "F" if method == "block_fisher" else "G_h"
    parts = [leaves(getattr(code.init(problem.model, problem.params, batch, hyper), field)) for batch in problem.batches]
    sizes = [len(batch.x) for batch in problem.batches]
    for data in (problem.batches, iter(problem.batches)):
        whole = leaves(getattr(code.init(problem.model, problem.params, data, hyper), field))
        for i, array in enumerate(whole):
            expected = sum(n * part[i] for n, part in zip(sizes, parts, strict=True)) / sum(sizes)
            assert np.linalg.norm(array - expected) <= 2.0**-48 * np.linalg.norm(expected)


# -------------------------------------------------------------------------------------------------------------- sizes of 1


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("widths", [(1, 1), (1, 1, 1), (3, 1, 2), (1, 4, 1)])
def test_sizes_of_one(widths, method):
    problem = float_problem(widths, ("tanh",) * (len(widths) - 1), "mse", 5, sizes=(1, 2, 1))
    for params, state, trace in run(method, problem, hypers(method))[1:]:
        assert all(np.isfinite(array).all() for array in leaves((params, state, trace)))


def test_one_weight_by_hand():
    """One weight w, one example: TNT's Ĝ⁽¹⁾ = Ĝ⁽²⁾ = g², Ũ_i = |g|, p = g/(|g| + ε)²; Shampoo's p = g/(g² + ε)^½."""
    problem = float_problem((1, 1), ("linear",), "mse", 5, sizes=(1,))
    batch = problem.batches[0]._replace(y_sampled=problem.batches[0].y)
    tape = nets.forward(problem.model, problem.params, batch.x)
    g = nets.backward(problem.model, problem.params, tape, batch.y).grad[0].W.item()
    for method, expected in (("tnt", g / (abs(g) + 0.25) ** 2), ("tnt_ef", g / (abs(g) + 0.25) ** 2),
                             ("shampoo", g / (g * g + 0.25) ** 0.5)):
        code, hyper = METHODS[method], float_hyper(method, T_2=1, eps=F(1, 4))
        state = code.init(problem.model, problem.params, batch, hyper)
        _, _, trace = code.step(problem.model, problem.params, state, batch, hyper)
        assert abs(trace.p[0].item() - expected) <= 2.0**-48 * abs(expected)
        bias = {"shampoo": g / batch.x.item() / ((g / batch.x.item()) ** 2 + 0.25) ** 0.5}.get(
            method, g / batch.x.item() / ((g / batch.x.item()) ** 2 + 0.25))
        assert abs(trace.p[1].item() - bias) <= 2.0**-46 * abs(bias)


# ----------------------------------------------------------------------------------------------------------------- purity


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ALL)
def test_inputs_are_never_written_to_and_results_keep_their_dtype(method, kind):
    problem, hyper, code = float_problem((3, 4, 2), ("relu", "linear"), "mse", 4, kind=kind), hypers(method), METHODS[method]
    params, state = problem.params, code.init(problem.model, problem.params, problem.batches, hyper)
    for batch in problem.batches:
        given = leaves((params, state, batch, problem.params))
        for array in given:
            array.setflags(write=False)
        before = [array.tobytes() for array in given]
        tape = nets.forward(problem.model, params, batch.x)
        first = code.step(problem.model, params, state, batch, hyper)
        second = code.step(problem.model, params, state, batch, hyper, tape=tape)
        assert [array.tobytes() for array in given] == before
        assert [array.tobytes() for array in leaves(first)] == [array.tobytes() for array in leaves(second)]
        assert {array.dtype.name for array in leaves(first)} == {kind}
        params, state, _ = first


# --------------------------------------------------------------------------------------------------------------- refusals


def refusals(method):
    """(changes of Hyper, what the error says)."""
    yield from (({"eps": bad}, r"eps: expected a positive number because it makes every (factor|block) invertible")
                for bad in (0, -1, F(-1, 4), float("nan"), float("inf")))
    yield from (({"alpha": bad}, r"alpha: expected a positive number because a step goes down") for bad in (0, -1))
    yield {"alpha": StepDecay(1, 1, 0)}, r"period: expected a positive integer"
    yield {"eta": -1}, r"eta: expected a number >= 0 because it weighs a penalty"
    if method != "tnt_ideal":
        yield from (({"beta": bad}, r"beta: expected a number in \[0, 1\) because averages must forget") for bad in (1, -0.1))
    if method in STATISTICS:
        yield from (({"mu": bad}, r"mu: expected a number in \[0, 1\) because momentum must fade")
                    for bad in (1, -0.1, float("nan")))
        yield from (({"T_1": bad}, r"T_1: expected a positive integer because it counts steps") for bad in (0, -1, 1.5, "2"))
        yield from (({"T_2": bad}, r"T_2: expected an integer >= T_1 = 1 because ") for bad in (0, 1.5, "2"))
        yield {"T_1": 3, "T_2": 2}, r"T_2: expected an integer >= T_1 = 3 because between two statistics there is nothing new"
        yield {"gamma": -1}, r"gamma: expected a number >= 0 because it shrinks the parameters"
    if method in BY_TENSOR:
        yield {"view": "2-way"}, r"view: expected one of 3-way, 4-way, matrix, vector because "
    if method == "shampoo":
        yield from (({"tolerance": bad}, r"tolerance: expected a number in \(0, 1\)") for bad in (0, 1))
    if method.startswith("tnt") and method in STATISTICS:
        yield {"fisher": "true"}, r"fisher: expected 'sampled' or 'empirical' because the text has these two, got 'true'"


@pytest.mark.parametrize(("method", "changes", "message"), [(method, *refusal) for method in ALL for refusal in refusals(method)])
def test_hyper_parameters_out_of_their_range_are_refused(method, changes, message):
    problem, good, code = float_problem((3, 4, 2), ("relu", "linear"), "mse", 6), hypers(method), METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, good)
    with pytest.raises(ValueError, match=f"^{message}"):
        code.step(problem.model, problem.params, state, problem.batches[0], good._replace(**changes))
    if not {"alpha", "eta", "gamma"} & set(changes):
        with pytest.raises(ValueError, match=f"^{message}"):
            code.init(problem.model, problem.params, problem.batches, good._replace(**changes))


@pytest.mark.parametrize("method", ALL)
def test_data_and_gradients_that_cannot_be_used_are_refused(method):
    problem, hyper, code = float_problem((3, 4, 2), ("linear", "linear"), "mse", 6), hypers(method), METHODS[method]
    if method != "tnt_ideal":
        with pytest.raises(ValueError, match=r"^data: expected at least one batch because .*got none$"):
            code.init(problem.model, problem.params, [], hyper)
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    huge = problem.batches[0]._replace(y=np.full((5, 2), 1e308))
    params = (problem.params[0], problem.params[1]._replace(W=problem.params[1].W * 1e3))
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"^g(rad)?\[\d\]: expected finite numbers because the step"):
        code.step(problem.model, params, state, huge, hyper)
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic"):
        code.step(problem.model, problem.params, state, problem.cast("float32").batches[0], hyper)


@pytest.mark.parametrize("method", ["tnt_ideal", "block_fisher"])
def test_nets_without_gradients_of_single_examples_are_refused(method):
    model = nets.cnn((3,), (nets.Dense(2), nets.BatchNorm(), nets.Dense(2)), "mse")
    batch, code = nets.Batch(np.ones((2, 3)), np.ones((2, 2)), np.ones((2, 2))), METHODS[method]
    with pytest.raises(ValueError, match=r"^model: expected (no BatchNorm|a multilayer perceptron) because "):
        code.init(model, nets.init(model, 0), batch, code.Hyper())


def test_a_root_that_is_not_reached_stops_the_step():
    """float32, ε = 1e-12 beside statistics of rank one: no digit of the smallest eigenvalue is left, and the step says so."""
    problem = float_problem((3, 4, 2), ("tanh", "linear"), "mse", 6, sizes=(1,), kind="float32")
    code, hyper = METHODS["shampoo"], METHODS["shampoo"].Hyper(eps=1e-12)
    with pytest.raises(ArithmeticError, match=r"^inverse_root: expected a positive definite matrix with enough digits"):
        code.init(problem.model, problem.params, problem.batches, hyper)


def test_damping_is_on_the_diagonal_of_every_factor():
    """tnt.inverses is (Ũ + εI)⁻¹: times Ũ + εI it is I, over ℚ."""
    U = (np.array([[F(2), F(1)], [F(1), F(1)]], dtype=object), np.array([[F(0)]], dtype=object))
    for of_tensor in tnt.inverses((U,), F(1, 3)):
        for M, U_i in zip(of_tensor, U, strict=True):
            assert (M @ damped(U_i, F(1, 3))).tolist() == np.eye(len(M), dtype=int).tolist()
