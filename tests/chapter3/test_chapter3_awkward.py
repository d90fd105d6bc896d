"""Chapter 3 where it hurts: dead channels, no gradient, constant images, one example, the ends of the grids; purity; refusals."""

from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
from bridge import array as exact
from bridge import flat, lists
from bridge3 import (
    ALL3,
    EXACT,
    K_BFGS,
    K_FAC,
    float_images,
    hypers3,
    rational_images,
    shown3,
    three_steps3,
    weights3,
)
from stepgauge import nets
from stepgauge.arrays import cast, precision
from stepgauge.nets import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, MaxPool, Residual
from stepgauge.reference import METHODS, kfac
from stepgauge.reference.parts.descent import StepDecay

UNCOUPLED3 = ("kbfgs_l_exact", "kfac_ef")
NORMALISING = tuple(method for method in ALL3 if method not in UNCOUPLED3)


# ------------------------------------------------------------------------------------------------------------- awkward problems

def dead_channel(problem):
    """The second channel of the first layer is below 0 everywhere."""
    first, *rest = problem.params
    b = first.b.copy()
    b[1] = b[1] - 100
    return problem._replace(params=(first._replace(b=b), *rest))


def dead_layer(problem):
    """No unit of the first layer fires, on any example."""
    first, *rest = problem.params
    return problem._replace(params=(first._replace(b=first.b - 100), *rest))


def fitted3(problem):
    """Targets that the net meets: no gradient; drawn targets as they were."""
    return problem._replace(batches=tuple(
        batch._replace(y=nets.forward(problem.model, problem.params, batch.x).output) for batch in problem.batches))


def certain(problem):
    """Drawn targets that the net meets, too: Γ = 0."""
    problem = fitted3(problem)
    return problem._replace(batches=tuple(batch._replace(y_sampled=batch.y) for batch in problem.batches))


def constant_images(problem):
    return problem._replace(batches=tuple(batch._replace(x=0 * batch.x + 1) for batch in problem.batches))


def zero_images(problem):
    return problem._replace(batches=tuple(batch._replace(x=0 * batch.x) for batch in problem.batches))


def single(problem):
    return problem._replace(batches=tuple(nets.Batch(*(part[:1] for part in batch[:3])) for batch in problem.batches))


AWKWARD3 = {"dead channel": dead_channel, "dead layer": dead_layer, "no gradient": fitted3, "no gradient, nothing drawn": certain,
            "constant images": constant_images, "zero images": zero_images, "one example": single}
SMALL = ((1, 2, 2), (Conv2d(2, 1), Act("relu"), AvgPool(2), Flatten(), Dense(2)))
CONVOLUTIONS = {
    "no normalisation": ((2, 3, 2), (Conv2d(2, 3), Act("relu"), MaxPool((2, 1)), Flatten(), Dense(2))),
    "normalisation": ((2, 3, 2), (Conv2d(2, 3), BatchNorm(), Act("relu"), Flatten(), Dense(2))),
    "normalised vectors": ((3,), (Dense(3), BatchNorm(), Act("relu"), Dense(2))),
}


def numbers(tree):
    """All floats in states, traces and parameters, the h of memories and the π too."""
    if isinstance(tree, tuple | list):
        return [number for branch in tree for number in numbers(branch)]
    return np.ravel(tree).tolist() if isinstance(tree, np.ndarray | np.generic) else []


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("what", AWKWARD3)
def test_awkward_images_over_the_rationals(what, method):
    """Three steps, every quantity equal to the twin's."""
    problem = AWKWARD3[what](rational_images(*SMALL, 3, sizes=(2, 1, 1)))
    for ours, expected in three_steps3(method, problem, hypers3(method, problem.model)):
        assert ours == expected


@pytest.mark.parametrize("method", K_FAC)
@pytest.mark.parametrize("what", AWKWARD3)
def test_awkward_images_with_sixty_digits(what, method):
    with precision(200):
        problem = AWKWARD3[what](float_images(*SMALL, "mse", 3, sizes=(2, 1, 1), kind="mpf"))
        for ours, expected in three_steps3(method, problem, hypers3(method, problem.model)):
            for name, values in ours.items():
                pairs = list(zip(flat(values), flat(expected[name]), strict=True))
                size = max((abs(b) for _, b in pairs), default=0)
                assert all(abs(a - b) <= mpmath.mpf(10)**-50 * size for a, b in pairs), name


@pytest.mark.parametrize("method", K_BFGS)
def test_what_a_dead_convolution_leaves_behind(method):
    """W̄ and H_G of the layer stay (DEV-KBFGS-1); the layer above sees (0, …, 0, 1) and learns its biases alone."""
    problem = dead_layer(rational_images(*SMALL, 3))
    hyper, code = hypers3(method, problem.model), METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    params, new, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    assert lists(list(params[0])) == lists(list(problem.params[0]))
    assert new.H_G[0] is state.H_G[0]
    assert lists(params[1].W) == lists(problem.params[1].W)
    assert lists(params[1].b) != lists(problem.params[1].b)
    assert set(flat(lists(trace.s_G[0]))) == set(flat(lists(trace.y_G[0]))) == {0}


@pytest.mark.parametrize("method", ALL3)
def test_no_gradient_moves_no_convolution(method):
    problem = fitted3(float_images(*CONVOLUTIONS["no normalisation"], "mse", 3))
    hyper, code = hypers3(method, problem.model, lam_A=1, lam_G=1), METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    params, new, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    assert numbers(params) == numbers(problem.params)
    assert set(numbers(trace.p)) == {0}
    if method in EXACT:
        assert all(new.H_G[l] is state.H_G[l] for l in range(2))


@pytest.mark.parametrize("method", K_FAC)
def test_without_derivatives_pi_is_one(method):
    """DEV-KFAC-3: Γ = 0 of a dead layer leaves π open; H_Γ = I/√λ, and nothing divides by 0."""
    problem = dead_layer(float_images(*CONVOLUTIONS["no normalisation"], "mse", 3))
    hyper, code = hypers3(method, problem.model, T_2=1), METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    _, new, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    assert set(numbers(state.Gamma[0])) == {0}
    assert trace.pi[0] == 1 != trace.pi[1]
    assert numbers(new.H_Gamma[0]) == numbers(np.eye(2) * 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pi_is_a_number_wherever_its_quotient_is_none(dtype):
    """π² = 10^(±2m) leaves the numbers of the dtype, while Ω, Γ and π = 10^(±m) do not."""
    m = {"float32": 20, "float64": 160}[dtype]
    for large, small in ((1, -1), (1.8, -0.2), (0.2, -1.8)):
        three, two = (lambda power, d=d: np.eye(d, dtype=dtype) * np.asarray(10.0**(m * power), dtype) for d in (3, 2))
        for pi, power in ((kfac.balance(three(large), two(small)), m), (kfac.balance(three(small), two(large)), -m)):
            assert pi.dtype == dtype
            assert abs(float(pi) / 10.0**power - 1) < 4 * np.finfo(dtype).eps


def test_pi_is_exact_where_the_separate_roots_are_not_rational():
    assert kfac.balance(exact([[F(2)]]), exact([[F(3), F(0)], [F(0), F(13)]])) == F(1, 2)
    assert kfac.balance(exact([[F(2)]]), exact([[2 * F(1, 10**640)]])) == 10**320, "beyond all floats"


def test_a_saturated_layer_has_damped_inverses():
    """The bias −43 makes Γ of the first layer a few 1e-38, inputs of size 30 Ω about 1e3: π² is no float32, π and H_Γ are."""
    model = nets.mlp((3, 2, 2), ("logistic", "linear"), "softmax_ce")
    first, second = nets.init(model, 0)
    params = cast((nets.Layer(first.W / 32, first.b - 43), second), "float32")
    x = 32 * np.random.default_rng(0).standard_normal((4, 3)).astype("float32")
    batch = nets.Batch(x, np.array([0, 1, 0, 1]), np.array([1, 1, 0, 0]))
    for method in K_FAC:
        hyper = METHODS[method].Hyper(T_2=1, beta=0)
        state = METHODS[method].init(model, params, batch, hyper)
        _, new, trace = METHODS[method].step(model, params, state, batch, hyper)
        assert trace.pi[0] > 2.0**64 * 1.01
        assert all(np.isfinite(H).all() for H in (*new.H_Omega, *new.H_Gamma))


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize("what", AWKWARD3)
@pytest.mark.parametrize("net", CONVOLUTIONS)
def test_awkward_images_in_floats_over_many_steps(net, what, method):
    if method in UNCOUPLED3 and net != "no normalisation":
        return
    for kind in ("float32", "float64"):
        problem = AWKWARD3[what](float_images(*CONVOLUTIONS[net], "mse", 2, kind=kind))
        hyper = hypers3(method, problem.model, lam=F(3, 10), beta=F(1, 10), alpha=F(1, 32), lam_A=F(1, 2), lam_G=F(1, 2))
        assert all(np.isfinite(found).all() for found in many_steps3(method, problem, hyper, 30))


def many_steps3(method, problem, hyper, count):
    """Yields the numbers that each step leaves."""
    code, params = METHODS[method], problem.params
    state = code.init(problem.model, params, problem.batches, hyper)
    for k in range(count):
        params, state, trace = code.step(problem.model, params, state, problem.batches[k % 3], hyper)
        yield numbers((params, state, trace))


def ten_finite_steps(method, problem, hyper):
    for found in many_steps3(method, problem, hyper, 10):
        assert np.isfinite(found).all()


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_run_on_images_that_diverges_ends_in_an_error(kind, method):
    problem = float_images(*CONVOLUTIONS["no normalisation"], "mse", 2, kind=kind)
    hyper = hypers3(method, problem.model, alpha=10**6, lam_A=F(1, 2), lam_G=F(1, 2))
    with np.errstate(all="ignore"), pytest.raises((ValueError, ArithmeticError), match=r"expected (finite|sᵀy|a matrix|an inv)"):
        list(many_steps3(method, problem, hyper, 60))


GRIDS = {**dict.fromkeys(K_BFGS, (F(3, 100), F(3, 10), 1, 10, 10**3, 10**5)), "kbfgs_l_exact": (F(3, 100), 1, 10**5),
         **dict.fromkeys(K_FAC, (F(1, 10**4), F(3, 1000), 1, 100))}


@pytest.mark.parametrize(("method", "lam"), [(method, lam) for method, grid in GRIDS.items() for lam in grid])
def test_the_grids_of_chapter_3(lam, method):
    """λ at the ends of Section 3.7.1's grids and between, in both dtypes: ten finite steps on every net that the method takes."""
    for kind in ("float32", "float64"):
        for net in CONVOLUTIONS:
            if method not in UNCOUPLED3 or net == "no normalisation":
                problem = float_images(*CONVOLUTIONS[net], "bce", 3, kind=kind)
                hyper = hypers3(method, problem.model, lam=lam, lam_A=lam, lam_G=lam, beta=F(9, 10), alpha=F(1, 100))
                ten_finite_steps(method, problem, hyper)


SHAPES = {
    "one channel": ((1, 3, 3), (Conv2d(1, 3), Act("relu"), Flatten(), Dense(1))),
    "1 × 1 kernels": ((2, 2, 3), (Conv2d(3, 1), Act("relu"), Conv2d(1, 1), Flatten())),
    "kernel = image": ((2, 3, 2), (Conv2d(3, (3, 2), padding="valid"), Act("tanh"), Flatten(), Dense(2))),
    "kernel over the whole padding": ((1, 2, 3), (Conv2d(2, (3, 5)), Act("relu"), Flatten(), Dense(2))),
    "one row": ((2, 1, 5), (Conv2d(2, (1, 3)), Act("relu"), MaxPool((1, 2)), Flatten(), Dense(2))),
    "one pixel": ((3, 1, 1), (Conv2d(2, 1), Act("relu"), Flatten(), Dense(2))),
    "identity beside a block": ((2, 2, 3), (Residual((Conv2d(2, 3), Act("relu"))), Conv2d(1, 1), Flatten())),
}


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize("net", SHAPES)
def test_awkward_shapes_agree_with_the_twin(net, method):
    with precision(200):
        problem = float_images(*SHAPES[net], "mse", 5, sizes=(2, 1), kind="mpf")
        hyper = hypers3(method, problem.model, lam_A=F(1, 2), lam_G=F(1, 2))
        for ours, expected in three_steps3(method, problem, hyper):
            for name, values in ours.items():
                pairs = list(zip(flat(values), flat(expected[name]), strict=True))
                size = max((abs(b) for _, b in pairs), default=0)
                assert all(abs(a - b) <= mpmath.mpf(10)**-50 * size for a, b in pairs), name


@pytest.mark.parametrize("method", NORMALISING)
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_one_example_and_one_position_in_front_of_a_batch_normalisation(kind, method):
    """x̂ = 0 and nothing goes back: γ and all that lies in front stay as they are, β and the layers behind learn."""
    problem = single(float_images(*CONVOLUTIONS["normalised vectors"], "mse", 2, kind=kind))
    code, hyper = METHODS[method], hypers3(method, problem.model, lam=F(3, 10))
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    params, new, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    assert np.isfinite(numbers((params, new, trace))).all()
    assert numbers(params[0]) == numbers(problem.params[0])
    assert numbers(params[1].gamma) == numbers(problem.params[1].gamma)
    assert numbers(params[1].beta) != numbers(problem.params[1].beta)
    assert numbers(params[2]) != numbers(problem.params[2])


@pytest.mark.parametrize("method", K_BFGS)
@pytest.mark.parametrize("T", [4, 1000])
def test_a_period_longer_than_the_run_leaves_the_curvature_as_it_was(T, method):
    problem = rational_images(*SMALL, 3)
    code, hyper, params = METHODS[method], hypers3(method, problem.model, T=T), problem.params
    start = state = code.init(problem.model, params, problem.batches, hyper)
    for batch in problem.batches:
        params, state, trace = code.step(problem.model, params, state, batch, hyper)
        assert trace.s_A == trace.y_A == trace.s_t == trace.y_t == ()
        assert all(getattr(state, name) is getattr(start, name) for name in ("H_A", "H_G", "s_G", "y_G", "A"))
    assert lists(state.DW_h) != lists(start.DW_h)


@pytest.mark.parametrize("method", K_FAC)
def test_periods_longer_than_the_run_leave_the_factors_as_they_were(method):
    problem = float_images(*CONVOLUTIONS["no normalisation"], "mse", 3)
    code, hyper, params = METHODS[method], hypers3(method, problem.model, T_1=4, T_2=1000), problem.params
    start = state = code.init(problem.model, params, problem.batches, hyper)
    for batch in problem.batches:
        params, state, trace = code.step(problem.model, params, state, batch._replace(y_sampled=None), hyper)
        assert trace.pi == ()
        assert all(getattr(state, name) is getattr(start, name) for name in ("Omega", "Gamma", "H_Omega", "H_Gamma"))


# ----------------------------------------------------------------------------------------------------------------- drawn targets

def test_K_FAC_of_chapter_3_needs_drawn_targets_where_line_11_says_so():
    """Not in steps 1 and 2 of T_1 = 3; in the third, and in the warm start."""
    problem = float_images(*CONVOLUTIONS["normalisation"], "mse", 6)
    code, hyper = METHODS["kfac"], hypers3("kfac", problem.model, T_1=3, T_2=3)
    bare = tuple(batch._replace(y_sampled=None) for batch in problem.batches)
    message = r"^y_sampled: expected targets drawn by nets\.sample_targets because the Fisher factor is .*, got None$"
    with pytest.raises(ValueError, match=message):
        code.init(problem.model, problem.params, bare, hyper)
    params, state = problem.params, code.init(problem.model, problem.params, problem.batches, hyper)
    for k in range(2):
        with_drawn = code.step(problem.model, params, state, problem.batches[k], hyper)
        params, state, _ = without = code.step(problem.model, params, state, bare[k], hyper)
        assert numbers(with_drawn) == numbers(without)
    with pytest.raises(ValueError, match=message):
        code.step(problem.model, params, state, bare[2], hyper)


@pytest.mark.parametrize("method", [method for method in ALL3 if method != "kfac"])
def test_the_other_methods_of_chapter_3_need_no_drawn_targets(method):
    problem = float_images(*CONVOLUTIONS["no normalisation"], "softmax_ce", 6)
    code, hyper = METHODS[method], hypers3(method, problem.model, T_2=1, lam_A=1, lam_G=1)
    bare = tuple(batch._replace(y_sampled=None) for batch in problem.batches)
    results = []
    for batches in (problem.batches, bare):
        state = code.init(problem.model, problem.params, batches, hyper)
        results.append(numbers(code.step(problem.model, problem.params, state, batches[0], hyper)))
    assert results[0] == results[1]


# ----------------------------------------------------------------------------------------------------------------------- purity

def arrays_of(tree):
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in arrays_of(branch)]
    return [tree] if isinstance(tree, np.ndarray) else []


def bits(tree):
    return [(array.tobytes(), array.shape) for array in arrays_of(tree)]


def read_only_run(method, problem, hyper):
    """A step on every batch; what is handed in is read-only, keeps its bytes and shares no memory with new arrays."""
    code, params = METHODS[method], problem.params

    def watched(function, *given):
        for array in arrays_of(given):
            array.setflags(write=False)
        before, mine = bits(given), arrays_of(given)
        result = function(*given)
        assert bits(given) == before
        kept = {id(array) for array in mine}
        fresh = [array for array in arrays_of(result) if id(array) not in kept]
        assert not any(np.shares_memory(new, old) for new in fresh for old in mine)
        return result

    state = watched(code.init, problem.model, params, problem.batches, hyper)
    results = [state]
    for batch in problem.batches:
        params, state, trace = watched(code.step, problem.model, params, state, batch, hyper)
        results += [params, state, trace]
    return results


def pure_problem(method, kind="float64"):
    net = "no normalisation" if method in UNCOUPLED3 else "normalisation"
    return float_images(*CONVOLUTIONS[net], "bce", 4, kind=kind)


PURE = {"usual": {}, "all that is optional": {"gamma": 0.1, "improvement1": False, "improvement2": False, "T_2": 1, "lam": 0.3}}


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("what", PURE)
def test_chapter_3_writes_to_nothing_and_the_same_call_gives_the_same_bits(what, kind, method):
    problem = pure_problem(method, kind)
    hyper = hypers3(method, problem.model, lam_A=1, lam_G=1, **PURE[what])
    assert bits(read_only_run(method, problem, hyper)) == bits(read_only_run(method, problem, hyper))


@pytest.mark.parametrize("method", EXACT)
def test_exact_inputs_of_chapter_3_are_never_written_to(method):
    problem = rational_images(*SMALL, 3)
    hyper, code = hypers3(method, problem.model), METHODS[method]
    before = shown_problem(problem)
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    kept = shown3(state)
    code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    assert shown_problem(problem) == before
    assert shown3(state) == kept


def shown_problem(problem):
    return weights3(problem.params), lists([list(batch[:3]) for batch in problem.batches])


@pytest.mark.parametrize("method", ALL3)
def test_a_tape_changes_no_bit_of_chapter_3_and_saves_the_first_forward_pass(method, monkeypatch):
    problem = pure_problem(method)
    code, batch, hyper = METHODS[method], problem.batches[0], hypers3(method, problem.model, lam_A=1, lam_G=1, T_2=1)
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    tape = nets.forward(problem.model, problem.params, batch.x)
    forward, calls = nets.forward, []
    monkeypatch.setattr(nets, "forward", lambda *given: calls.append(given) or forward(*given))
    without = code.step(problem.model, problem.params, state, batch, hyper)
    passes = len(calls)
    with_tape = code.step(problem.model, problem.params, state, batch, hyper, tape=tape)
    assert passes == (1 if method in K_FAC else 2)
    assert len(calls) == 2 * passes - 1
    assert bits(with_tape) == bits(without)


# --------------------------------------------------------------------------------------------------------------------- refusals

NAN, INF = float("nan"), float("inf")


def refusals3(method):
    """(changes of Hyper, what the error says)."""
    dampings = ("lam_A", "lam_G") if method == "kbfgs_l_exact" else ("lam",)
    what = "positive numbers" if method == "kbfgs_l_exact" else "a positive number"
    matrices = "Ω and Γ" if method in K_FAC else "A and G"
    for name in dampings:
        verb = "they make" if method == "kbfgs_l_exact" else "it makes"
        yield from (({name: value}, f"{name}: expected {what} because {verb} {matrices} invertible")
                    for value in (0, -1, F(-1, 4), NAN, INF))
    if method == "kbfgs_l_exact":
        yield from (({name: values}, rf"{name}: expected a number, or 2 of them because there are as many layers, got \(")
                    for name in dampings for values in ((1,), (1, 2, 3), ()))
        yield from (({name: (1, value)}, f"{name}: expected positive numbers because they make A and G invertible")
                    for name in dampings for value in (0, NAN, -1))
        yield from (({"beta": value}, r"beta: expected a number in \(0, 1\) because Algorithm 10 requires it")
                    for value in (0, 1, -1, NAN))
        yield from (({"p": value}, "p: expected a positive integer because it counts pairs") for value in (0, -1, 1.5, "2", None))
    else:
        yield from (({"beta": value}, r"beta: expected a number in \[0, 1\) because averages must forget")
                    for value in (1, 1.5, -0.1, NAN, INF))
        yield from (({"gamma": value}, "gamma: expected a number >= 0 because it shrinks the parameters") for value in (-1, NAN))
    yield from (({"alpha": value}, "alpha: expected a positive number because a step goes down")
                for value in (0, -1, NAN, StepDecay(0, 1, 1)))
    yield {"alpha": StepDecay(1, 0, 1)}, "factor: expected a positive number because it scales a rate"
    yield from (({"alpha": StepDecay(1, 1, value)}, "period: expected a positive integer because it counts steps")
                for value in (0, -1, 1.5))
    if method in EXACT:
        yield from (({"mu1": value}, r"mu1: expected a number in \(0, 1\) because it weighs old curvature against new")
                    for value in (0, 1, -1, NAN))
    if method in K_BFGS:
        least = 1 if method == "kbfgs_l" else 0
        yield from (({"T": value}, "T: expected a positive integer because it counts steps") for value in (0, -1, 1.5, "2"))
        yield from (({"p": value}, f"p: expected an integer >= {least} because it counts pairs") for value in (-1, 1.5, "2"))
        pole = r"μ₂ = √λ/√P and Algorithm 3 has a pole beyond 1 \(DEV-KBFGS-3\), at P = 1"
        yield from (({"improvement1": False, "lam": value}, f"lam: expected a number <= 1 because without improvement #1, {pole}")
                    for value in (2, F(1001, 1000), 10**5))
    if method in K_FAC:
        yield from (({"T_1": value}, "T_1: expected a positive integer because it counts steps") for value in (0, -1, 1.5, "2"))
        yield from (({"T_2": value}, r"T_2: expected an integer >= T_1 = 1 because inverses change when their matrices do")
                    for value in (0, -1, 1.5, "2"))
        yield {"T_1": 3}, r"T_2: expected an integer >= T_1 = 3 because inverses change when .* do \(DEV-KFAC-5\), got 2"
        yield from (({"fisher": value}, "fisher: expected 'sampled' or 'empirical' because ") for value in ("true", None))


@pytest.mark.parametrize(("method", "changes", "message"),
                         [(method, *refusal) for method in ALL3 for refusal in refusals3(method)])
def test_hyper_parameters_of_chapter_3_out_of_their_range_are_refused(method, changes, message):
    problem = float_images(*CONVOLUTIONS["no normalisation"], "mse", 6)
    code, good = METHODS[method], hypers3(method, problem.model, lam_A=1, lam_G=1)
    bad = good._replace(**changes)
    state = code.init(problem.model, problem.params, problem.batches, good)
    with pytest.raises(ValueError, match=f"^{message}"):
        code.step(problem.model, problem.params, state, problem.batches[0], bad)
    if not {"alpha", "gamma"} & set(changes):
        with pytest.raises(ValueError, match=f"^{message}"):
            code.init(problem.model, problem.params, problem.batches, bad)


def test_limited_memory_of_chapter_3_needs_a_memory():
    problem = float_images(*CONVOLUTIONS["no normalisation"], "mse", 6)
    with pytest.raises(ValueError, match=r"^p: expected an integer >= 1 because it counts pairs, got 0$"):
        METHODS["kbfgs_l"].init(problem.model, problem.params, problem.batches, METHODS["kbfgs_l"].Hyper(p=0))


@pytest.mark.parametrize("method", K_BFGS)
def test_without_improvement_1_lambda_may_be_as_large_as_the_fewest_positions(method):
    """Six positions in one layer and six in the other: λ = 6 passes, and λ just beyond is refused (DEV-KBFGS-3)."""
    problem = float_images((1, 2, 3), (Conv2d(2, 3), Act("relu"), Conv2d(2, 1), Act("tanh"), AvgPool((2, 3)), Flatten()), "mse", 6)
    ten_finite_steps(method, problem, hypers3(method, problem.model, lam=6, improvement1=False))
    with pytest.raises(ValueError, match=r"^lam: expected a number <= 6 because .*, at P = 6, got 6\.001$"):
        ten_finite_steps(method, problem, hypers3(method, problem.model, lam=6.001, improvement1=False))


@pytest.mark.parametrize("method", K_BFGS)
def test_the_positions_of_batch_normalisation_bound_no_lambda(method):
    """Sixteen positions in the convolution, one in the BatchNorm, which has no λ_G."""
    problem = float_images((1, 4, 4), (Conv2d(3, 3), AvgPool(4), BatchNorm(), Flatten()), "mse", 6)
    ten_finite_steps(method, problem, hypers3(method, problem.model, lam=16, improvement1=False))
    with pytest.raises(ValueError, match=r"^lam: expected a number <= 16 because .*, at P = 16, got 17$"):
        ten_finite_steps(method, problem, hypers3(method, problem.model, lam=17, improvement1=False))


@pytest.mark.parametrize("net", ["normalisation", "normalised vectors"])
@pytest.mark.parametrize("method", UNCOUPLED3)
def test_methods_of_chapter_3_that_refuse_batch_normalisation_say_so(method, net):
    problem = float_images(*CONVOLUTIONS[net], "mse", 6)
    plain = float_images(*CONVOLUTIONS["no normalisation"], "mse", 6)
    code, hyper = METHODS[method], hypers3(method, problem.model, lam_A=1, lam_G=1)
    state = code.init(plain.model, plain.params, plain.batches, hyper)
    for call in (lambda: code.init(problem.model, problem.params, problem.batches, hyper),
                 lambda: code.step(problem.model, problem.params, state, problem.batches[0], hyper)):
        with pytest.raises(ValueError, match=rf"^model: expected no BatchNorm because .*{method}.*, got one$"):
            call()


def spoiled(what, problem):
    """(params, batch) with one thing wrong in them, and what the error says."""
    params, batch = problem.params, problem.batches[0]
    for name in ("x", "y"):
        if what in (f"nan in {name}", f"inf in {name}"):
            bad = getattr(batch, name).copy()
            bad.flat[1] = NAN if what.startswith("nan") else INF
            return params, batch._replace(**{name: bad}), f"{name}: expected finite numbers because "
    kernel = params[0].W.copy()
    kernel.flat[3] = NAN
    return {
        "another number of channels": (params, batch._replace(x=batch.x[:, :1]), r"x: expected shape \('N', 2, 3, 2\) because "),
        "another size": (params, batch._replace(x=batch.x[:, :, :2]), r"x: expected shape \('N', 2, 3, 2\) because "),
        "vectors": (params, batch._replace(x=batch.x.reshape(3, -1)), r"x: expected shape \('N', 2, 3, 2\) because "),
        "no example": (params, batch._replace(x=batch.x[:0]), "x: expected at least one example because "),
        "fewer targets": (params, batch._replace(y=batch.y[:2]), r"y: expected shape \(3, 2\) because "),
        "another kernel": ((params[0]._replace(W=params[0].W[:, :, :2]), *params[1:]), batch,
                           r"params\[0\]\.W: expected shape \(2, 2, 3, 3\) because "),
        "a layer too few": (params[:-1], batch, "params: expected 2 layers because "),
        "nan in params": ((params[0]._replace(W=kernel), *params[1:]), batch, r".*expected finite numbers because "),
    }[what]


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize("what", ["nan in x", "inf in x", "nan in y", "inf in y", "nan in params", "another number of channels",
                                  "another size", "vectors", "no example", "fewer targets", "another kernel", "a layer too few"])
def test_bad_images_targets_and_parameters_are_refused_by_a_step(what, method):
    problem = float_images(*CONVOLUTIONS["no normalisation"], "mse", 6)
    code, hyper = METHODS[method], hypers3(method, problem.model, lam_A=1, lam_G=1)
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    params, batch, message = spoiled(what, problem)
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=f"^{message}"):
        code.step(problem.model, params, state, batch, hyper)


@pytest.mark.parametrize("method", ALL3)
def test_data_that_cannot_warm_anything_of_chapter_3_are_refused(method):
    problem = float_images(*CONVOLUTIONS["no normalisation"], "mse", 6)
    code, hyper = METHODS[method], hypers3(method, problem.model, lam_A=1, lam_G=1)
    for data, error, message in (
            ([], ValueError, r"^data: expected at least one batch because .*got none$"),
            (problem.batches[0]._replace(x=np.zeros((0, 2, 3, 2))), ValueError, r"^x: expected at least one example because "),
            (problem.cast("float32").batches, TypeError, r"^arrays: expected arrays of one arithmetic"),
            (problem.batches[0]._replace(x=problem.batches[0].x * NAN), ValueError, r"^x: expected finite numbers because ")):
        with pytest.raises(error, match=message):
            code.init(problem.model, problem.params, data, hyper)


@pytest.mark.parametrize("method", ALL3)
def test_a_gradient_on_images_that_is_not_finite_is_refused(method):
    """Finite data, but the loss's slope overflows on its way back: the layer is named."""
    problem = float_images((2, 3, 2), (Conv2d(2, 3), Flatten(), Dense(2)), "mse", 6)
    code, hyper = METHODS[method], hypers3(method, problem.model, lam_A=1, lam_G=1)
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    huge = problem.batches[0]._replace(y=np.full((3, 2), 1e308))
    params = (problem.params[0], problem.params[1]._replace(W=problem.params[1].W * 1e3))
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"^grad\[0\]: expected finite numbers because the step"):
        code.step(problem.model, params, state, huge, hyper)


@pytest.mark.parametrize("method", NORMALISING)
def test_a_gradient_of_batch_normalisation_that_is_not_finite_is_refused(method):
    """Every slope is finite, their sum over positions is not; γ = 0 lets nothing through to the kernel."""
    problem = float_images((1, 1, 8), (Conv2d(1, 1), BatchNorm(), Flatten()), "mse", 6)
    code, hyper, (kernel, norm) = METHODS[method], hypers3(method, problem.model, lam=F(3, 10)), problem.params
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    huge = problem.batches[0]._replace(y=np.full((3, 8), 1.7e308))
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"^D_norm\[0\]: expected finite numbers because the step"):
        code.step(problem.model, (kernel, norm._replace(gamma=0 * norm.gamma)), state, huge, hyper)
