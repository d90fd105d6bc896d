"""Chapter 2 where it hurts: dead layers, no gradient, constant inputs, one example, the ends of the grid; purity; refusals."""

from fractions import Fraction as F

import numpy as np
import pytest
import twins
from bridge import ALL, KBFGS, Twin, flat, float_problem, hypers, lists, rational_problem, shown, weights
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.reference.parts import kronecker
from stepgauge.reference.parts.descent import StepDecay

GRID = (F(3, 1000), F(1, 100), F(3, 100), F(1, 10), F(3, 10), 1)          # Section 2.8.2, without its 3


def dead(problem):
    """No unit of the first layer fires, on any example."""
    first, *rest = problem.params
    return problem._replace(params=(first._replace(b=first.b - 100), *rest))


def fitted(problem):
    """Targets that the net meets: no gradient; drawn targets as they were."""
    return problem._replace(batches=tuple(
        batch._replace(y=nets.forward(problem.model, problem.params, batch.x).output) for batch in problem.batches))


def constant(problem):
    """Every input the same, in every batch."""
    return problem._replace(batches=tuple(batch._replace(x=0 * batch.x + 1) for batch in problem.batches))


def blank(problem):
    """Every input zero: only the 1 of ā is left, and A has rank one."""
    return problem._replace(batches=tuple(batch._replace(x=0 * batch.x) for batch in problem.batches))


def one_example(problem):
    return problem._replace(batches=tuple(nets.Batch(*(part[:1] for part in batch[:3])) for batch in problem.batches))


AWKWARD = {"dead layer": dead, "no gradient": fitted, "constant input": constant, "zero input": blank,
           "one example": one_example}


def exact_problem(what):
    return AWKWARD[what](rational_problem((2, 3, 1), ("relu", "linear"), 8, sizes=(2, 1, 2), kind="fmpq"))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("what", AWKWARD)
def test_awkward_problems_over_the_rationals(what, method):
    """Two steps, every quantity equal to the twin's."""
    problem, hyper = exact_problem(what), hypers(method)
    code, twin = METHODS[method], Twin(method, problem, hyper)
    params, Ws = problem.params, weights(problem.params)
    state, mirror = code.init(problem.model, params, problem.batches, hyper), twin.start()
    for i in range(2):
        params, state, trace = code.step(problem.model, params, state, problem.batches[i], hyper)
        Ws, mirror, made = twin.step(Ws, mirror, i)
        assert shown(state, trace, params) == twin.shown(made, Ws)


@pytest.mark.parametrize("method", KBFGS)
def test_what_a_dead_layer_leaves_behind(method):
    """W̄_1 and H_g of the layer stay; the layer above sees ā = (0, …, 0, 1) and learns its biases alone."""
    problem, hyper = exact_problem("dead layer"), hypers(method)
    code = METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    params, new, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    assert lists(params[0]) == lists(problem.params[0])
    assert new.H_g[0] is state.H_g[0]
    assert lists(params[1].W) == lists(problem.params[1].W)
    assert lists(params[1].b) != lists(problem.params[1].b)
    assert set(flat(lists(trace.s_g[0]))) == set(flat(lists(trace.y_g[0]))) == {0}


@pytest.mark.parametrize("method", ALL)
def test_no_gradient_moves_nothing(method):
    problem, hyper = exact_problem("no gradient"), hypers(method)
    code = METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    params, new, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    assert lists(params) == lists(problem.params)
    assert set(flat(lists(trace.p))) == {0}
    if method in KBFGS:
        assert all(new.H_g[l] is state.H_g[l] for l in range(2))


@pytest.mark.parametrize("method", KBFGS[:2])
def test_a_zero_mean_of_activations_cannot_occur(method):
    """With zero inputs ā = (0, …, 0, 1): s_a = H_a ā has āᵀs_a > 0, so that the Hessian action always has curvature."""
    problem, hyper = exact_problem("zero input"), hypers(method)
    code = METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    _, _, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    assert all(s[-1] > 0 and twins.dot(lists(s), lists(y)) > 0 for s, y in zip(trace.s_a, trace.y_a, strict=True))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("what", AWKWARD)
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_awkward_problems_in_floats_over_many_steps(kind, what, method):
    """What is left of an average after 60 steps is β⁶⁰ = 1e-60 of it, below all float32 numbers."""
    problem = AWKWARD[what](float_problem((2, 3, 1), ("relu", "linear"), "mse", 2, sizes=(3, 2, 3), kind=kind))
    code, hyper = METHODS[method], hypers(method, lam=F(3, 10), beta=F(1, 10), alpha=F(1, 32))
    params, state = problem.params, code.init(problem.model, problem.params, problem.batches, hyper)
    first = nets.forward(problem.model, params, problem.batches[0].x).output
    for k in range(60):
        params, state, trace = code.step(problem.model, params, state, problem.batches[k % 3], hyper)
        assert np.isfinite(np.concatenate([array.ravel() for array in leaves((params, state, trace))])).all()
    if what == "no gradient":
        assert lists(nets.forward(problem.model, params, problem.batches[0].x).output) == lists(first)


def leaves(tree):
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree] if isinstance(tree, np.ndarray) else []


@pytest.mark.parametrize("method", KBFGS)
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_layer_that_dies_on_the_way(kind, method):
    """After ten ordinary steps no unit fires any more; (s, y) of the layer fades to subnormal numbers or 0."""
    problem = float_problem((2, 3, 1), ("relu", "linear"), "mse", 2, sizes=(3, 2, 3), kind=kind)
    code, hyper = METHODS[method], hypers(method, beta=F(1, 10))
    params, state = problem.params, code.init(problem.model, problem.params, problem.batches, hyper)
    for k in range(60 if kind == "float32" else 330):
        if k == 10:
            params = (params[0]._replace(b=params[0].b - 100), *params[1:])
        params, state, _ = code.step(problem.model, params, state, problem.batches[k % 3], hyper)
    assert np.isfinite(np.concatenate([array.ravel() for array in leaves((params, state))])).all()
    faded = np.abs(np.concatenate([state.s_g[0], state.y_g[0]]))
    assert faded.max() < np.finfo(kind).smallest_normal


def ten_steps(method, problem, hyper):
    params, state = problem.params, METHODS[method].init(problem.model, problem.params, problem.batches, hyper)
    for k in range(10):
        params, state, _ = METHODS[method].step(problem.model, params, state, problem.batches[k % 3], hyper)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_run_that_diverges_ends_in_an_error(kind, method):
    """A rate of 1000: within ten steps what has overflowed is refused, and nobody trains on with nan."""
    problem = float_problem((2, 3, 2), ("relu", "linear"), "mse", 2, sizes=(3, 2, 3), kind=kind)
    with np.errstate(all="ignore"), pytest.raises((ValueError, ArithmeticError), match=r"expected (finite|sᵀy|a matrix)"):
        ten_steps(method, problem, hypers(method, alpha=1000))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("lam", GRID)
def test_the_grid_of_the_text(lam, method):
    """Every λ of Section 2.8.2 up to 1, in both dtypes: ten finite steps, and the damped A is bounded by √λ from below."""
    for kind in ("float32", "float64"):
        problem = float_problem((3, 4, 2), ("relu", "linear"), "bce", 3, kind=kind)
        code, hyper = METHODS[method], hypers(method, lam=lam, beta=F(9, 10))
        params, state = problem.params, code.init(problem.model, problem.params, problem.batches, hyper)
        for k in range(10):
            params, state, trace = code.step(problem.model, params, state, problem.batches[k % 3], hyper)
            assert np.isfinite(np.concatenate([array.ravel() for array in leaves((params, state, trace))])).all()
        for A in state.A:
            assert np.linalg.eigvalsh(A + float(lam) ** 0.5 * np.eye(len(A), dtype=kind))[0] > 0.9 * float(lam) ** 0.5


@pytest.mark.parametrize("method", KBFGS)
def test_the_last_of_the_grid_is_refused_by_K_BFGS(method):
    """λ = 3 makes μ₂ = √3 > 1; nothing is computed first."""
    problem = float_problem((3, 4, 2), ("relu", "linear"), "mse", 3)
    code, bad = METHODS[method], hypers(method, lam=3)
    state = code.init(problem.model, problem.params, problem.batches, hypers(method))
    with pytest.raises(ValueError, match=r"^lam: expected a number in \(0, 1\] because .*, got 3$"):
        code.init(None, None, None, bad)
    with pytest.raises(ValueError, match=r"^lam: expected a number in \(0, 1\] because .*, got 3$"):
        code.step(None, None, state, None, bad)


def test_the_last_of_the_grid_is_the_default_of_K_FAC():
    problem, code = float_problem((3, 4, 2), ("relu", "linear"), "mse", 3), METHODS["kfac20"]
    assert code.Hyper().lam == 3
    state = code.init(problem.model, problem.params, problem.batches, code.Hyper())
    params, _, _ = code.step(problem.model, problem.params, state, problem.batches[0], code.Hyper())
    assert all(np.isfinite(array).all() for array in leaves(params))



# ----------------------------------------------------------------------------------------------------------------------- purity

def snapshot(tree):
    return [(array.tobytes(), array.shape, array.strides) for array in leaves(tree)]


def watched(function, *given):
    """What the function returns for read-only arrays whose bytes are compared before and after."""
    for array in leaves(given):
        array.setflags(write=False)
    before = snapshot(given)
    result = function(*given)
    assert snapshot(given) == before
    return result


def run_read_only(method, problem, hyper):
    """A step on every batch, each call watched."""
    code, params = METHODS[method], problem.params
    state = watched(code.init, problem.model, params, problem.batches, hyper)
    for batch in problem.batches:
        params, state, trace = watched(code.step, problem.model, params, state, batch, hyper)
    return params, state, trace


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_inputs_are_never_written_to(kind, method):
    run_read_only(method, float_problem((3, 4, 2), ("relu", "linear"), "mse", 4, kind=kind), hypers(method, eta=0.1))


@pytest.mark.parametrize("method", KBFGS[:2])
def test_inputs_are_never_written_to_with_two_batches_in_the_gradient(method):
    run_read_only(method, float_problem((3, 4, 2), ("tanh", "linear"), "mse", 4), hypers(method, double_grad=True))


@pytest.mark.parametrize("method", ALL)
def test_exact_inputs_are_never_written_to(method):
    problem, hyper = rational_problem((2, 3, 1), ("relu", "linear"), 8), hypers(method)
    code = METHODS[method]
    before = shown_all(problem)
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    kept = shown(state)
    code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    assert shown_all(problem) == before
    assert shown(state) == kept


def shown_all(problem):
    return lists([list(layer) for layer in problem.params]) + lists([list(batch[:3]) for batch in problem.batches])


@pytest.mark.parametrize("method", ALL)
def test_a_tape_changes_no_bit_and_saves_the_first_forward_pass(method, monkeypatch):
    problem, hyper = float_problem((3, 4, 2), ("tanh", "linear"), "bce", 5), hypers(method)
    code, batch = METHODS[method], problem.batches[0]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    tape = nets.forward(problem.model, problem.params, batch.x)
    forward, calls = nets.forward, []
    monkeypatch.setattr(nets, "forward", lambda *given: calls.append(given) or forward(*given))
    without = code.step(problem.model, problem.params, state, batch, hyper)
    passes = len(calls)
    with_tape = code.step(problem.model, problem.params, state, batch, hyper, tape=tape)
    assert len(calls) == 2 * passes - 1
    assert [array.tobytes() for array in leaves(with_tape)] == [array.tobytes() for array in leaves(without)]


@pytest.mark.parametrize("method", ALL)
def test_the_same_call_gives_the_same_bits(method):
    problem, hyper = float_problem((3, 4, 2), ("tanh", "linear"), "bce", 5), hypers(method)
    runs = [run_read_only(method, problem, hyper) for _ in range(2)]
    assert [array.tobytes() for array in leaves(runs[0])] == [array.tobytes() for array in leaves(runs[1])]


# --------------------------------------------------------------------------------------------------------------------- refusals

def refusals(method):
    """(changes of Hyper, what the error says)."""
    lam = (r"lam: expected a number in \(0, 1\] because μ₂ = √λ" if method in KBFGS
           else r"lam: expected a positive number because it makes A and G invertible")
    yield from (({"lam": value}, lam) for value in (0, -1, F(-1, 4), float("nan"), float("inf")))
    yield from (({"beta": value}, r"beta: expected a number in \[0, 1\) because averages must forget")
                for value in (1, -0.1, float("nan")))
    yield from (({"alpha": value}, r"alpha: expected a positive number because a step goes down") for value in (0, -1))
    yield {"alpha": StepDecay(1, 1, 0)}, r"period: expected a positive integer"
    yield {"eta": -1}, r"eta: expected a number >= 0 because it weighs a penalty"
    if method in KBFGS:
        yield from (({"mu1": value}, r"mu1: expected a number in \(0, 1\) because ") for value in (0, 1, -1, float("nan")))
    if method == "kbfgs20_l_skip":
        yield from (({"p": value}, r"p: expected a positive integer because it counts pairs") for value in (0, -1, 1.5, "2"))
    if method in ("kbfgs20", "kbfgs20_l"):
        least = 1 if method == "kbfgs20_l" else 0
        yield from (({"p": value}, f"p: expected an integer >= {least} because it counts pairs") for value in (-1, 1.5, "2"))
        yield from (({"H_a_start": start}, r"H_a_start: expected 'inverse' or 'identity' because ") for start in ("I", None))
    if method == "kfac20":
        yield from (({"T": value}, r"T: expected a positive integer because it counts steps") for value in (0, -1, 1.5, "2"))


@pytest.mark.parametrize(("method", "changes", "message"),
                         [(method, *refusal) for method in ALL for refusal in refusals(method)])
def test_hyper_parameters_out_of_their_range_are_refused(method, changes, message):
    problem, good = float_problem((3, 4, 2), ("relu", "linear"), "mse", 6), hypers(method)
    code, bad = METHODS[method], good._replace(**changes)
    state = code.init(problem.model, problem.params, problem.batches, good)
    with pytest.raises(ValueError, match=f"^{message}"):
        code.step(problem.model, problem.params, state, problem.batches[0], bad)
    if not {"alpha", "eta"} & set(changes):
        with pytest.raises(ValueError, match=f"^{message}"):
            code.init(problem.model, problem.params, problem.batches, bad)


@pytest.mark.parametrize("method", ALL)
def test_data_that_cannot_warm_anything_are_refused(method):
    problem, hyper = float_problem((3, 4, 2), ("relu", "linear"), "mse", 6), hypers(method)
    code = METHODS[method]
    with pytest.raises(ValueError, match=r"^data: expected at least one batch because .*got none$"):
        code.init(problem.model, problem.params, [], hyper)
    with pytest.raises(ValueError, match=r"^x: expected at least one example because .*got an empty batch$"):
        code.init(problem.model, problem.params, problem.batches[0]._replace(x=np.zeros((0, 3))), hyper)
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic"):
        code.init(problem.model, problem.params, problem.cast("float32").batches, hyper)


def test_K_FAC_needs_drawn_targets():
    problem, hyper = float_problem((3, 4, 2), ("relu", "linear"), "mse", 6), hypers("kfac20")
    code = METHODS["kfac20"]
    bare = problem.batches[0]._replace(y_sampled=None)
    message = r"^y_sampled: expected targets drawn by nets\.sample_targets because the Fisher factor is an average over them, "
    with pytest.raises(ValueError, match=message):
        code.init(problem.model, problem.params, [problem.batches[1], bare], hyper)
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    with pytest.raises(ValueError, match=message):
        code.step(problem.model, problem.params, state, bare, hyper)


@pytest.mark.parametrize("method", KBFGS)
def test_K_BFGS_needs_none(method):
    problem, hyper = float_problem((3, 4, 2), ("relu", "linear"), "mse", 6), hypers(method)
    code = METHODS[method]
    bare = tuple(batch._replace(y_sampled=None) for batch in problem.batches)
    results = []
    for batches in (problem.batches, bare):
        state = code.init(problem.model, problem.params, batches, hyper)
        results.append(leaves(code.step(problem.model, problem.params, state, batches[0], hyper)))
    assert [array.tobytes() for array in results[0]] == [array.tobytes() for array in results[1]]


@pytest.mark.parametrize("method", ALL)
def test_a_gradient_that_is_not_finite_is_refused(method):
    """Finite data, but the loss's slope overflows on its way back: the layer is named."""
    problem, hyper = float_problem((3, 4, 2), ("linear", "linear"), "mse", 6), hypers(method)
    code = METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    huge = problem.batches[0]._replace(y=np.full((5, 2), 1e308))
    params = (problem.params[0], problem.params[1]._replace(W=problem.params[1].W * 1e3))
    with (np.errstate(all="ignore"), pytest.raises(ValueError, match=r"^grad\[0\]: expected finite numbers because the step")):
        code.step(problem.model, params, state, huge, hyper)


# ------------------------------------------------------------------------------------------------------------------- the pieces

def test_means_over_examples_and_positions():
    """`mean` divides by examples times positions; `second_moment` by examples only (its sum over positions is R's)."""
    x = cast(np.arange(24.0).reshape(2, 3, 4), "fraction")
    rows = [lists(x[n, t]) for n in range(2) for t in range(3)]
    assert lists(kronecker.mean(x)) == twins.mean(rows)
    total = twins.scale(6, twins.mean([twins.outer(row, row) for row in rows]))
    assert lists(kronecker.second_moment(x)) == twins.scale(F(1, 2), total)


def test_each_and_both_go_layer_by_layer():
    assert kronecker.each(lambda a, b: a - b, (5, 7), (1, 2)) == (4, 5)
    assert kronecker.both(lambda a, b: (a + b, a * b), (5, 7), (1, 2)) == ((6, 9), (5, 14))
    with pytest.raises(ValueError, match="zip"):
        kronecker.each(lambda a, b: a, (1, 2), (1,))


def test_damped_adds_to_the_diagonal_only():
    A = cast(np.array([[1.0, 2.0], [3.0, 4.0]]), "fraction")
    assert lists(kronecker.damped(A, F(1, 3))) == [[F(4, 3), 2], [3, F(13, 3)]]
    assert lists(A) == [[1, 2], [3, 4]]


def test_over_data_weighs_batches_by_their_size():
    batches = [nets.Batch(cast(np.full((N, 1), float(v)), "fraction"), None) for N, v in ((3, 1), (1, 5), (2, 7))]

    def first(batch):
        return (batch.x[0], 2 * batch.x[0])

    assert [lists(value) for value in kronecker.over_data(batches, first)] == [[F(22, 6)], [F(44, 6)]]
    assert [lists(value) for value in kronecker.over_data(batches[1], first)] == [[5], [10]]
    assert [lists(value) for value in kronecker.over_data(iter(batches[1:]), first)] == [[F(19, 3)], [F(38, 3)]]


def test_limited_memory_needs_a_memory():
    problem = float_problem((3, 4, 2), ("relu", "linear"), "mse", 6)
    code = METHODS["kbfgs20_l"]
    with pytest.raises(ValueError, match="p: expected an integer >= 1 because it counts pairs, got 0"):
        code.init(problem.model, problem.params, problem.batches, code.Hyper(p=0))
