"""What every method in METHODS promises: its names, its paper lines, inputs that stay as they are, and clear refusals."""

import ast
import inspect
import io
import re
import tokenize
from fractions import Fraction as F

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.reference.parts.descent import StepDecay

FIRST_ORDER = ["sgd_m", "adam", "rmsprop"]
MODEL = nets.mlp((3, 4, 2), ("relu", "linear"), "mse")
KINDS = ["float32", "float64"]


def problem(kind="float64", seed=0):
    """Parameters and two batches of different sizes, from multiples of 1/64 so that every kind holds them exactly."""
    rng = np.random.default_rng(seed)

    def numbers(*shape):
        return rng.integers(-128, 129, shape) / 64

    params = tuple(nets.Layer(numbers(*shape), numbers(shape[0])) for shape in nets.layer_shapes(MODEL))
    return cast((params, [nets.Batch(numbers(N, 3), numbers(N, 2)) for N in (5, 3)]), kind)


def hyper_of(method, **changes):
    """Every term switched on."""
    return METHODS[method].Hyper(alpha=StepDecay(F(1, 8), F(1, 2), 1), eta=F(1, 16), gamma=F(1, 32))._replace(**changes)


def lists(tree):
    """Everything in a tree of tuples as nested lists of Python numbers."""
    if isinstance(tree, tuple | list):
        return [lists(branch) for branch in tree]
    return tree.tolist() if isinstance(tree, np.ndarray) else tree


def arrays(tree):
    if isinstance(tree, np.ndarray):
        return [tree]
    return [array for branch in tree for array in arrays(branch)] if isinstance(tree, tuple | list) else []


# ---------------------------------------------------------------------------------------------------------- the contract


def test_the_first_order_methods_are_listed_under_their_names():
    for name in FIRST_ORDER:
        assert METHODS[name].__name__ == f"stepgauge.reference.first_order.{name}"


@pytest.mark.parametrize("method", METHODS)
def test_names(method):
    code = METHODS[method]
    for name in ("Hyper", "State", "Trace"):
        record = getattr(code, name)
        assert issubclass(record, tuple)
        assert record._fields
        assert record.__doc__
    assert list(inspect.signature(code.init).parameters) == ["model", "params", "data", "hyper"]
    step = inspect.signature(code.step).parameters
    assert list(step)[:5] == ["model", "params", "state", "batch", "hyper"]
    assert step["tape"].kind is inspect.Parameter.KEYWORD_ONLY
    assert step["tape"].default is None
    code.Hyper()


def comments_of(source):
    """The comment of every line that has one."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def assigned_lines(source):
    """For every name, the line numbers of the statements that assign it."""
    lines = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign):
            for name in (part for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)):
                lines.setdefault(name.id, []).append(range(node.lineno, node.end_lineno + 1))
    return lines


@pytest.mark.parametrize("method", METHODS)
def test_every_tag_stands_in_the_file_that_defines_the_step(method):
    code = METHODS[method]
    comments = " ".join(comments_of(inspect.getsource(inspect.getmodule(code.step))).values()).split()
    assert code.LINES
    assert set(code.LINES.values()) <= set(comments)


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_every_trace_field_has_its_line_and_the_source_says_so_where_it_is_assigned(method):
    code = METHODS[method]
    source = inspect.getsource(code)
    comments, assigned = comments_of(source), assigned_lines(source)
    assert list(code.LINES) == list(code.Trace._fields)
    found = []
    for name in code.Trace._fields:
        tag = re.compile(rf"(?<!\S){re.escape(code.LINES[name])}(?!\S)")
        tagged = [lines[0] for lines in assigned[name] if any(tag.search(comments.get(line, "")) for line in lines)]
        assert tagged, f"{name}: no line that assigns it is tagged {code.LINES[name]}"
        found.append(tagged[-1])
    assert found == sorted(found), "trace fields are not in the order of computation"


def test_defaults_are_those_of_their_sources():
    """Kingma and Ba, Algorithm 1; R Table 2.5 (MNIST) and Section 2.8.2."""
    sgd_m, adam, rmsprop = (METHODS[name].Hyper()._asdict() for name in FIRST_ORDER)
    off = {"eta": 0, "gamma": 0}
    assert sgd_m == {"alpha": F(3, 100), "beta": F(9, 10), "momentum": "ema", **off}
    assert adam == {"alpha": F(1, 1000), "beta1": F(9, 10), "beta2": F(999, 1000), "eps": F(1, 10**8), **off}
    assert rmsprop == {"alpha": F(1, 10**4), "beta1": F(9, 10), "beta2": F(9, 10), "eps": F(1, 10**4), **off}


BFGS20 = {"alpha": F(3, 10), "lam": F(3, 10), "beta": F(9, 10), "mu1": F(1, 5), "eta": 0}                # Table 2.5; Algorithm 4
BFGS20_ALL = {**BFGS20, "H_a_start": "inverse", "double_grad": False}
BFGS = {"alpha": F(3, 100), "lam": F(3, 10), "beta": F(9, 10), "mu1": F(1, 5), "T": 1, "gamma": 0, "improvement1": True,
        "improvement2": True}                                                                            # Table 3.5; Algorithm 9
KFAC = {"alpha": F(3, 100), "lam": 1, "beta": F(9, 10), "T_1": 1, "T_2": 20, "gamma": 0}                 # Table 3.5; Section 3.7.1
TENSORS = {"mu": F(9, 10), "beta": F(9, 10), "T_1": 1, "T_2": 20, "gamma": 0, "eta": 0, "view": "3-way"}
TNT = {"alpha": F(1, 10**4), "eps": F(1, 10)}                                                            # Table 4.3
SMW = {"alpha": F(1, 10), "lam_LM": 1, "boost": F(101, 100), "drop": F(99, 100), "eps": F(1, 4), "tau": F(1, 1000),
       "accept": None, "eta": 0}                                                                         # Section 5.8
GROUPED = {"N_sch": 1, "p_sch": 0, "f_sch": F(1, 2), "threshold": F(1, 10**4)}
BARE = {"lam1": 1, "lam_int": 0, "mu_g": 0, "mu_eta": 0, "tau": 1, "positive": False, **GROUPED}         # (1) alone, Appendix C
DEFAULTS = {
    "kbfgs20": {"p": 0, **BFGS20_ALL},
    "kbfgs20_l": {"p": 100, **BFGS20_ALL},
    "kbfgs20_l_skip": {"p": 100, **BFGS20},
    "kfac20": {"alpha": 1, "lam": 3, "beta": F(9, 10), "T": 20, "eta": 0},
    "kbfgs": {"p": 0, **BFGS},
    "kbfgs_l": {"p": 100, **BFGS},
    "kbfgs_l_exact": {"alpha": F(3, 100), "lam_A": F(11, 20), "lam_G": F(11, 20), "beta": F(9, 10), "mu1": F(1, 5), "p": 100},
    "kfac": {"fisher": "sampled", **KFAC},
    "kfac_ef": {"fisher": "empirical", **KFAC, "alpha": 1, "lam": 100},                                  # Table 4.5
    "tnt": {"fisher": "sampled", **TNT, **TENSORS},
    "tnt_ef": {"fisher": "empirical", "alpha": F(3, 10**6), "eps": F(1, 100), **TENSORS},                # Table 4.5
    "tnt_ideal": {**TNT, "eta": 0, "view": "3-way"},
    "shampoo": {"alpha": F(3, 10**4), "eps": F(3, 10**4), "tolerance": F(1, 10**6), **TENSORS},          # Table 4.3
    "block_fisher": {"alpha": F(1, 10), "eps": F(1, 10), "beta": F(9, 10), "eta": 0},
    "smw_gn": {"B": "gauss_newton", "blocks": "whole", **SMW},
    "smw_ng": {"B": "empirical_fisher", "blocks": "whole", **SMW},
    "smw_ng_bd": {"B": "empirical_fisher", "blocks": "layers", **SMW},
    "hessian_free": {"iterations": 250, "progress": F(1, 2000), "preconditioner": "none", **SMW},        # Martens 2010, Section 4.4
    "grouped_newton": {"lam1": F(1, 10), "lam_int": 1, "mu_g": F(9, 10), "mu_eta": F(1, 2), "tau": 10, "partition": "canonical",
                       "positive": True, **GROUPED},
    "newton": {"partition": "discrete", **BARE},
    "cauchy": {"partition": "trivial", **BARE},
}


@pytest.mark.parametrize("method", [name for name in METHODS if name not in FIRST_ORDER])
def test_defaults_of_second_order_methods_are_those_of_their_sources(method):
    """R's tables of best values, MNIST; of W's lost tables, the run scripts."""
    assert METHODS[method].Hyper()._asdict() == DEFAULTS[method]


# ---------------------------------------------------------------------------------------------------------------- purity


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", FIRST_ORDER)
def test_inputs_are_read_only_and_stay_as_they_are(method, kind, untouched):
    code, hyper = METHODS[method], hyper_of(method)
    params, batches = problem(kind)
    state = untouched(code.init, MODEL, params, batches, hyper)
    for batch in batches:
        tape = nets.forward(MODEL, params, batch.x)
        untouched(code.step, MODEL, params, state, batch, hyper, tape=tape)
        params, state, _ = untouched(code.step, MODEL, params, state, batch, hyper)


def test_exact_inputs_stay_as_they_are(untouched):
    code, hyper = METHODS["sgd_m"], hyper_of("sgd_m")
    params, batches = problem("fraction")
    state = untouched(code.init, MODEL, params, batches, hyper)
    untouched(code.step, MODEL, params, state, batches[0], hyper)


@pytest.mark.parametrize("changes", [{}, {"eta": 0, "gamma": 0}], ids=["all terms", "no decays"])
@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", FIRST_ORDER)
def test_results_share_no_memory_with_inputs(method, kind, fitted, changes):
    """Also at a perfect fit and with no decay, where a result could be an input passed through."""
    code, hyper = METHODS[method], hyper_of(method, **changes)
    params, (batch, _) = problem(kind)
    if fitted:
        batch = batch._replace(y=nets.forward(MODEL, params, batch.x).output)
    state = code.init(MODEL, params, batch, hyper)
    new = code.step(MODEL, params, state, batch, hyper)
    assert len(arrays(new)) > len(arrays((params, state)))
    assert not any(np.shares_memory(old, array) for old in arrays((params, state, batch)) for array in arrays(new))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", FIRST_ORDER)
def test_arrays_of_a_state_are_separate(method, kind):
    """Each moment is an array of its own, from the start on, and none is a parameter."""
    code, hyper = METHODS[method], hyper_of(method)
    params, batches = problem(kind)
    state = code.init(MODEL, params, batches, hyper)
    for _ in range(2):
        every = arrays((params, state))
        for i, array in enumerate(every):
            assert not any(np.shares_memory(array, other) for other in every[:i])
        params, state, _ = code.step(MODEL, params, state, batches[0], hyper)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", FIRST_ORDER)
def test_the_same_call_gives_the_same_bits(method, kind):
    code, hyper = METHODS[method], hyper_of(method)
    params, batches = problem(kind)
    state = code.init(MODEL, params, batches, hyper)
    first = code.step(MODEL, params, state, batches[0], hyper)
    code.step(MODEL, params, state, batches[1], hyper)
    assert lists(code.step(MODEL, params, state, batches[0], hyper)) == lists(first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", FIRST_ORDER)
def test_a_tape_changes_no_bit_and_saves_the_forward_pass(method, kind, monkeypatch):
    code, hyper = METHODS[method], hyper_of(method)
    params, batches = problem(kind)
    state = code.init(MODEL, params, batches, hyper)
    tape = nets.forward(MODEL, params, batches[0].x)
    without = code.step(MODEL, params, state, batches[0], hyper)
    monkeypatch.setattr(nets, "forward", None)
    assert lists(code.step(MODEL, params, state, batches[0], hyper, tape=tape)) == lists(without)


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_results_have_the_records_of_the_contract(method):
    code, hyper = METHODS[method], hyper_of(method)
    params, batches = problem()
    state = code.init(MODEL, params, batches, hyper)
    new, after, trace = code.step(MODEL, params, state, batches[0], hyper)
    assert (type(state), type(after), type(trace)) == (code.State, code.State, code.Trace)
    assert [type(layer) for layer in new] == [nets.Layer, nets.Layer]
    assert lists(nets.tensors(new)) == lists(trace.theta)
    shapes = [tensor.shape for tensor in nets.tensors(params)]
    for field in (*after[1:], *trace):
        assert type(field) is tuple
        assert [tensor.shape for tensor in field] == shapes
    assert (state.k, after.k) == (0, 1)


# ------------------------------------------------------------------------------------------------------------- bad input

NAN, INF = float("nan"), float("inf")
BELOW_ONE = (-F(1, 10**12), -1, 1, 1.5, NAN, INF, -INF)
BAD_HYPERS = [
    *((method, "alpha", bad, rf"a positive number because a step goes down, got {bad}$") for method in FIRST_ORDER
      for bad in (0, -1, NAN, INF, -INF)),
    *((method, "eta", bad, rf"a number >= 0 because it weighs a penalty, got {bad}$") for method in FIRST_ORDER
      for bad in (-F(1, 10**12), NAN, INF)),
    *((method, "gamma", bad, rf"a number >= 0 because it shrinks the parameters, got {bad}$") for method in FIRST_ORDER
      for bad in (-F(1, 10**12), NAN, INF)),
    *(("sgd_m", "beta", bad, rf"a number in \[0, 1\) because momentum must fade, got {bad}$") for bad in BELOW_ONE),
    *((method, beta, bad, rf"a number in \[0, 1\) because averages must forget, got {bad}$") for method in FIRST_ORDER[1:]
      for beta in ("beta1", "beta2") for bad in BELOW_ONE),
    *((method, "eps", bad, rf"a positive number because a dead unit has v = 0, got {bad}$") for method in FIRST_ORDER[1:]
      for bad in (0, -F(1, 10**12), NAN, INF)),
    *(("sgd_m", "momentum", bad, rf"'ema' or 'heavy_ball' because the thesis uses these two, got {bad!r}$")
      for bad in ("nesterov", "EMA", "", None)),
]


@pytest.mark.parametrize(("method", "name", "bad", "match"), BAD_HYPERS)
def test_hyper_parameters_out_of_range(method, name, bad, match):
    code = METHODS[method]
    params, batches = problem()
    state = code.init(MODEL, params, batches, hyper_of(method))
    with pytest.raises(ValueError, match=rf"^{name}: expected {match}"):
        code.step(MODEL, params, state, batches[0], hyper_of(method, **{name: bad}))


@pytest.mark.parametrize("method", FIRST_ORDER)
@pytest.mark.parametrize(("name", "decay"), [("alpha", StepDecay(0, F(1, 2), 3)), ("factor", StepDecay(F(1, 2), -1, 3)),
                                             ("period", StepDecay(F(1, 2), F(1, 2), 0)),
                                             ("period", StepDecay(F(1, 2), F(1, 2), 1.5))])
def test_schedules_out_of_range(method, name, decay):
    code = METHODS[method]
    params, batches = problem()
    state = code.init(MODEL, params, batches, hyper_of(method))
    with pytest.raises(ValueError, match=rf"^{name}: expected a positive (number|integer) because "):
        code.step(MODEL, params, state, batches[0], hyper_of(method, alpha=decay))


def refused(method, error, match, change):
    """The changed parameters and batch are refused by `step`, and by the warm start where there is one."""
    code, hyper = METHODS[method], hyper_of(method)
    params, (batch, _) = problem()
    state = code.init(MODEL, params, batch, hyper)
    bad_params, bad_batch = change(params, batch)
    with pytest.raises(error, match=match):
        code.step(MODEL, bad_params, state, bad_batch, hyper)
    if method == "rmsprop":
        with pytest.raises(error, match=match):
            code.init(MODEL, bad_params, [batch, bad_batch], hyper)


def with_one(array, value):
    changed = array.copy()
    changed[(1,) * array.ndim] = value
    return changed


@pytest.mark.parametrize("method", FIRST_ORDER)
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_data_that_are_not_finite(method, bad):
    for name in ("x", "y"):
        refused(method, ValueError, rf"^{name}: expected finite numbers because .*, got nan or inf$",
                lambda params, batch, name=name: (params, batch._replace(**{name: with_one(getattr(batch, name), bad)})))


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_parameters_that_are_not_finite(method):
    for bad in (NAN, INF, -INF):
        with np.errstate(invalid="ignore"):
            refused(method, ValueError, r"^(g|params)\[\d\]: expected finite numbers because the step would spread nan, got",
                    lambda params, batch, bad=bad: ((params[0], nets.Layer(params[1].W, with_one(params[1].b, bad))), batch))


@pytest.mark.parametrize("method", FIRST_ORDER)
@pytest.mark.parametrize(("kind", "large"), [("float32", 2.0**70), ("float64", 2.0**600)])
def test_gradients_that_overflow(method, kind, large):
    code, hyper = METHODS[method], hyper_of(method)
    params, (batch, _) = problem(kind)
    state = code.init(MODEL, params, batch, hyper)
    large = batch._replace(x=batch.x * batch.x.dtype.type(large), y=batch.y * batch.y.dtype.type(large))
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=r"^g\[\d\]: expected finite numbers because "):
        code.step(MODEL, params, state, large, hyper)


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_shapes_that_do_not_fit(method):
    for match, change in [
        (r"x: expected shape \('N', 3\) because .*, got \(5, 2\)", lambda params, b: (params, b._replace(x=b.x[:, :2]))),
        (r"x: expected shape \('N', 3\) because .*, got \(3,\)", lambda params, b: (params, b._replace(x=b.x[0]))),
        (r"x: expected at least one example because .*, got an empty batch",
         lambda params, b: (params, b._replace(x=b.x[:0], y=b.y[:0]))),
        (r"y: expected shape \(5, 2\) because .*, got \(4, 2\)", lambda params, b: (params, b._replace(y=b.y[1:]))),
        (r"params: expected 2 layers because .*, got 1", lambda params, b: (params[:1], b)),
        (r"params\[0\]\.W: expected shape \(4, 3\) because .*, got \(3, 4\)",
         lambda params, b: ((nets.Layer(params[0].W.T, params[0].b), params[1]), b)),
    ]:
        refused(method, ValueError, f"^{match}$", change)


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_other_types_and_mixed_arithmetics(method):
    for dtype in (np.int64, np.complex128, np.float16, np.bool_):
        refused(method, TypeError, rf"^arrays: expected float32 or float64 because .*, got {np.dtype(dtype)}$",
                lambda params, batch, dtype=dtype: (params, batch._replace(x=batch.x.astype(dtype))))
    mixed = r"^arrays: expected arrays of one arithmetic because .*, got "
    for kind in ("float32", "fraction"):
        refused(method, TypeError, mixed, lambda params, batch, kind=kind: (params, cast(batch, kind)))
        refused(method, TypeError, mixed, lambda params, batch, kind=kind: (cast(params, kind), batch))
    refused(method, TypeError, r"^y: expected real numbers .* because mse is no loss on labels, got integers$",
            lambda params, batch: (params, batch._replace(y=np.zeros(5, dtype=np.int64))))


@pytest.mark.parametrize("empty", [[], (), iter([])])
def test_a_warm_start_on_nothing(empty):
    params, _ = problem()
    with pytest.raises(ValueError, match=r"^data: expected at least one batch because v starts from the data .*, got none$"):
        METHODS["rmsprop"].init(MODEL, params, empty, hyper_of("rmsprop"))


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_a_refused_step_leaves_everything_as_it_was(method, untouched):
    code = METHODS[method]
    params, batches = problem()
    state = code.init(MODEL, params, batches, hyper_of(method))

    def refuse(*args):
        with pytest.raises(ValueError, match=r"^gamma: expected a number >= 0 because "):
            code.step(*args)

    untouched(refuse, MODEL, params, state, batches[0], hyper_of(method, gamma=-1))
