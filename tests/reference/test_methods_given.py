"""What no method takes: a State, a Hyper or parameters that are not its own, not of these shapes, or not finite."""

from fractions import Fraction as F

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.reference.parts import lbfgs

MODEL = nets.mlp((3, 4, 2), ("tanh", "linear"), "softmax_ce")
NUMBERS = {"alpha", "lam", "beta", "mu1", "eps", "mu", "gamma", "eta", "beta1", "beta2", "lam_LM", "boost", "drop", "lam_A",
           "lam_G", "lam1", "lam_int", "mu_g", "mu_eta", "f_sch", "threshold", "tolerance", "progress"}
FORM = r"^{}(\[\d\])*: expected .* because .*, got "


def problem(kind="float64"):
    rng = np.random.default_rng(3)
    params, x = cast((nets.init(MODEL, 2), rng.standard_normal((6, 3))), kind)
    return params, nets.Batch(x, rng.integers(0, 2, 6), rng.integers(0, 2, 6))


def hyper_of(method):
    """Defaults; of grouped Newton's family the trivial partition, on which there is always a step."""
    code = METHODS[method]
    return code.Hyper(lam_int=1, partition="trivial") if "lam_int" in code.Hyper._fields else code.Hyper()


def started(method, kind="float64"):
    params, batch = problem(kind)
    return METHODS[method], params, batch, hyper_of(method), METHODS[method].init(MODEL, params, batch, hyper_of(method))


def arrays_of(value):
    """The places of the arrays in a field: () for one, (l,) by layer, (l, i) by tensor and mode; a Memory has none."""
    if isinstance(value, lbfgs.Memory):
        return []
    if isinstance(value, tuple):
        return [(l, *place) for l, part in enumerate(value) for place in arrays_of(part)]
    return [()] if hasattr(value, "shape") else []


def changed(value, place, change):
    if not place:
        return change(value)
    return tuple(changed(part, place[1:], change) if l == place[0] else part for l, part in enumerate(value))


def fields(state):
    return [(name, place) for name, value in state._asdict().items() if name != "best" for place in arrays_of(value)]


@pytest.mark.parametrize("method", METHODS)
def test_a_state_of_other_shapes_or_arithmetic_is_refused(method):
    code, params, batch, hyper, state = started(method)
    for name, place in fields(state):
        longer = state._replace(**{name: changed(getattr(state, name), place, lambda x: np.ones((*x.shape, 2)))})
        with pytest.raises(ValueError, match=FORM.format(f"state.{name}")):
            code.step(MODEL, params, longer, batch, hyper)
        for kind in ("float32", "fraction"):
            ones = changed(getattr(state, name), place, lambda x, kind=kind: cast(np.ones(x.shape), kind))
            other = state._replace(**{name: ones})
            with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic because "):
                code.step(MODEL, params, other, batch, hyper)
        if place:
            shorter = state._replace(**{name: getattr(state, name)[:-1]})
            with pytest.raises(ValueError, match=FORM.format(f"state.{name}")):
                code.step(MODEL, params, shorter, batch, hyper)


@pytest.mark.parametrize("method", METHODS)
def test_a_state_that_is_not_finite_does_not_end_in_parameters(method):
    """Either the step is refused, or what is not finite has not come as far as the parameters."""
    code, params, batch, hyper, state = started(method)
    for name, place in fields(state):
        bad = state._replace(**{name: changed(getattr(state, name), place, lambda x: np.full(x.shape, np.nan))})
        with np.errstate(all="ignore"):
            try:
                after, _, _ = code.step(MODEL, params, bad, batch, hyper)
            except (ValueError, ArithmeticError) as error:
                said = str(error)
            else:
                said = ": expected , got "
                assert all(np.isfinite(tensor).all() for tensor in nets.tensors(after))
        assert ": expected " in said
        assert ", got " in said


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_state_or_hyper_of_the_method_is_refused(method):
    code, params, batch, hyper, state = started(method)
    for other in METHODS.values():
        if other.State._fields != code.State._fields:
            theirs = other.init(MODEL, params, batch, other.Hyper())
            with pytest.raises(TypeError, match=FORM.format("state")):
                code.step(MODEL, params, theirs, batch, hyper)
        if other.Hyper._fields != code.Hyper._fields:
            for call in (lambda bad: code.init(MODEL, params, batch, bad), lambda bad: code.step(MODEL, params, state, batch, bad)):
                with pytest.raises(TypeError, match=FORM.format("hyper")):
                    call(other.Hyper())
    for k in (-1, 1.5, None):
        with pytest.raises(ValueError, match=FORM.format(r"state\.k")):
            code.step(MODEL, params, state._replace(k=k), batch, hyper)
    for bad in (None, {}, 3, "state"):
        with pytest.raises(TypeError, match=FORM.format("state")):
            code.step(MODEL, params, bad, batch, hyper)
        with pytest.raises(TypeError, match=FORM.format("hyper")):
            code.init(MODEL, params, batch, bad)


@pytest.mark.parametrize("method", METHODS)
def test_hyper_parameters_that_are_no_numbers_are_refused_from_the_start(method):
    code, params, batch, hyper, state = started(method)
    for name in NUMBERS & set(code.Hyper._fields):
        for bad in ("a", 1j, [0.1], {}, np.array([0.1, 0.2]), True, float("nan"), float("inf"), -1):
            for call in (lambda bad: code.init(MODEL, params, batch, bad), lambda bad: code.step(MODEL, params, state, batch, bad)):
                with pytest.raises(ValueError, match=FORM.format(name)):
                    call(hyper._replace(**{name: bad}))


@pytest.mark.parametrize("method", METHODS)
def test_parameters_that_are_not_finite_or_of_another_model_are_no_start(method):
    code, params, batch, hyper, _ = started(method)
    for value in (np.nan, np.inf):
        b = params[1].b.copy()
        b[0] = value
        with pytest.raises(ValueError, match=FORM.format("params")):
            code.init(MODEL, (params[0], nets.Layer(params[1].W, b)), batch, hyper)
    for bad in (params[:1], nets.init(nets.mlp((3, 5, 2), ("tanh", "linear"), "softmax_ce"), 0)):
        with pytest.raises(ValueError, match=FORM.format(r"params(\[0\]\.W)?")):
            code.init(MODEL, bad, batch, hyper)


@pytest.mark.parametrize(("method", "other"), [("kbfgs", "kbfgs_l"), ("kbfgs_l", "kbfgs"), ("kbfgs20", "kbfgs20_l"),
                                               ("kbfgs20_l", "kbfgs20")])
def test_a_matrix_is_no_memory(method, other):
    code, params, batch, hyper, _ = started(method)
    theirs = METHODS[other].init(MODEL, params, batch, METHODS[other].Hyper())
    with pytest.raises(TypeError, match=FORM.format(r"state\.H_[Gg]")):
        code.step(MODEL, params, theirs, batch, hyper)


def test_numbers_that_no_float_holds():
    code, params, batch, hyper, state = started("kfac")
    with pytest.raises(ValueError, match=r"^value: expected a number that float64 can hold because "):
        code.step(MODEL, params, state, batch, hyper._replace(lam=10**400))
    with pytest.raises(ValueError, match=r"^W\[0\]: expected finite numbers because "), np.errstate(all="ignore"):
        code.step(MODEL, params, state, batch, hyper._replace(alpha=2, gamma=F(17 * 10**307)))


@pytest.mark.parametrize(("method", "name"), [("smw_gn", "lam_LM"), ("hessian_free", "lam_LM"), ("grouped_newton", "lam")])
def test_a_damping_that_is_not_positive_is_refused(method, name):
    code, params, batch, hyper, state = started(method)
    for bad in (-1.0, 0.0, np.inf, np.nan):
        with pytest.raises(ValueError, match=FORM.format(f"state.{name}")):
            code.step(MODEL, params, state._replace(**{name: np.float64(bad)}), batch, hyper)
