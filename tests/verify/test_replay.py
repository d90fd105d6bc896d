"""The line-local rule: right code passes however little it shows, one wrong line fails alone, and a restart is a restart."""

import dataclasses
import itertools

import numpy as np
import pytest
from stepgauge import nets, verify
from stepgauge.reference import METHODS
from stepgauge.verify.adapters.reference import reference
from stepgauge.verify.bands import Banded, Bands, Paths
from stepgauge.verify.cases import TRAPS, optional
from stepgauge.verify.conventions import CONVENTIONS
from stepgauge.verify.replay import FORMULA, GREY, ROUNDING, compare, hull, replay, rounding_ratio, settled, worst
from stepgauge.verify.runner import run

FIRST_ORDER = ["sgd_m", "adam", "rmsprop"]
EXPOSED = [(method, name) for method in FIRST_ORDER for name in METHODS[method].Trace._fields]


@pytest.fixture
def no_explanations(monkeypatch):
    """A failure is not explained, which takes long and is tested elsewhere."""
    for method in FIRST_ORDER:
        monkeypatch.setitem(CONVENTIONS, method, ())


SHOWN = {"everything": None, "state": ("g_h", "m", "v"), "parameters": ()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", FIRST_ORDER)
def test_right_code_passes_every_case_and_every_line_is_covered(mine, method, dtype):
    names = [name for name in (*TRAPS, *optional(method)) if dtype == "float64" or name != "digits"]
    cases = verify.cases(method, names, dtype)
    report = verify.check(method, mine(start=True), cases)
    assert {case.case: case.verdict for case in report.cases} == dict.fromkeys(names, "PASS")
    assert (report.verdict, report.ok, report.divergence, report.explanations, report.failing) == ("PASS", True, None, (), {})
    for name, row in report.coverage.items():
        assert row["informative_cases"] == len(report.cases), name
        shown_at_start = name in ("theta", *METHODS[method].State._fields)
        assert row["compared"] == sum((case.steps + shown_at_start) * 2 * len(case.params) for case in cases)
        assert 0 < row["worst"] <= 1, name


@pytest.mark.parametrize("show", ["state", "parameters"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", FIRST_ORDER)
def test_right_code_passes_however_little_it_shows(mine, method, dtype, show):
    names = ["plain", "labels", "dead", "schedule"] if dtype == "float64" else ["probabilities", "large", "decay"]
    report = verify.check(method, mine(show=SHOWN[show]), verify.cases(method, names, dtype))
    assert report.verdict == "PASS"
    seen = {name for name, row in report.coverage.items() if row["compared"]}
    assert seen == {"theta", *SHOWN[show]} & set(METHODS[method].Trace._fields)


@pytest.mark.parametrize(("method", "name"), EXPOSED)
def test_a_wrong_quantity_fails_alone_and_the_reference_restarts_from_it(mine, method, name):
    case, = verify.cases(method, ["plain"])
    case = dataclasses.replace(case, batches=case.batches[:3])
    tensors = 2 * len(case.params)
    for step, index in itertools.product((1, 2), range(tensors)):
        def touch(k, quantity, values, step=step, index=index):
            wrong = (k, quantity) == (step, name)
            return [value * (1 + 1e-12) if wrong and i == index else value for i, value in enumerate(values)]

        lines = replay(case, run(mine(touch), case, 60))
        assert len(lines) == case.steps * tensors * len(METHODS[method].Trace._fields)
        assert {line[:3] for line in lines if line.verdict == "FAIL"} == {(step, name, index)}
        assert {line.verdict for line in lines if line[:3] != (step, name, index)} == {"PASS"}
        assert [line.tag for line in lines if line.verdict == "FAIL"] == [METHODS[method].LINES[name]]


@pytest.mark.parametrize(("method", "name"), EXPOSED)
def test_one_wrong_entry_is_found_and_named(mine, method, name, no_explanations):
    def touch(k, quantity, values):
        if (k, quantity) == (2, name):
            entry = np.unravel_index(np.argmax(np.abs(values[2])), values[2].shape)
            values[2] = np.array(values[2])
            values[2][entry] *= 1 + 1e-10
            wrong.append((entry, values[2][entry]))
        return values

    wrong = []
    report = verify.check(method, mine(touch), ["probabilities"])
    entry, observed = wrong[0]
    d = report.divergence
    assert report.verdict == "FAIL"
    assert not report.ok
    assert (d.case, d.step, d.layer, d.quantity, d.line) == ("probabilities", 2, 1, name, METHODS[method].LINES[name])
    assert d.place == f"W_2, entry {[int(i) for i in entry]}"
    assert d.observed == observed
    assert d.expected == pytest.approx(observed / (1 + 1e-10), rel=1e-13, abs=0)
    assert d.error == pytest.approx(1e-10 * abs(observed), rel=1e-3, abs=0)
    assert GREY * d.band < d.error
    assert report.failing == {name: METHODS[method].LINES[name]}
    assert report.explanations == ()


def test_a_gradient_that_is_exactly_zero_must_be_zero(mine):
    def touch(k, name, values):
        if (k, name) == (1, "g"):
            values[0] = np.array(values[0])
            assert (values[0][1] == 0).all()
            values[0][1, 2] = 1e-250
        return values

    case, = verify.cases("sgd_m", ["dead"])
    lines = replay(case, run(mine(touch), case, 60))
    failed = [line for line in lines if line.verdict == "FAIL"]
    assert [(line[:3], line.entry, line.expected, line.band) for line in failed] == [((1, "g", 0), (1, 2), 0, 0)]


@pytest.mark.parametrize("method", FIRST_ORDER)
@pytest.mark.parametrize("show", ["state", "parameters"])
def test_a_slip_in_what_is_not_shown_turns_up_in_the_first_shown_line_that_reads_it(mine, method, show, no_explanations):
    def touch(k, name, values):
        return [value + 1e-9 for value in values] if name == "g" else values

    report = verify.check(method, mine(touch, show=SHOWN[show]), ["plain"])
    assert report.verdict == "FAIL"
    first = {"state": {"sgd_m": "g_h", "adam": "m", "rmsprop": "m"}[method], "parameters": "theta"}[show]
    step = 2 if (method, first) == ("adam", "theta") else 1         # Adam's first step is the sign of g, whatever its size
    assert (report.divergence.step, report.divergence.quantity) == (step, first)


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_a_wrong_initial_state_is_found_at_step_0_when_it_is_shown(mine, method, no_explanations):
    state = [name for name in METHODS[method].State._fields if name != "k"]
    for name in (*state, "theta"):
        def touch(k, quantity, values, name=name):
            if (k, quantity) == (0, name):
                values = [np.array(value) for value in values]
                values[1][0] += 1e-12
            return values

        report = verify.check(method, mine(touch, start=True), ["plain"])
        d = report.divergence
        assert (report.verdict, d.step, d.layer, d.quantity, d.line) == ("FAIL", 0, 0, name, "initial state")
        assert d.place == "b_1, entry [0]"
        assert {(line.step, line.name) for line in report.cases[0].lines if line.verdict == "FAIL"} == {(0, name)}


def test_a_wrong_initial_state_that_is_not_shown_is_a_failure_of_step_1_alone(mine, no_explanations):
    def touch(k, quantity, values):
        return [2 * value for value in values] if (k, quantity) == (0, "v") else values

    def candidate(case):
        steps = mine(touch, start=True)(case)
        next(steps)
        yield from steps

    report = verify.check("rmsprop", candidate, ["plain"])
    assert {(line.step, line.name) for line in report.cases[0].lines if line.verdict == "FAIL"} == {(1, "v")}


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
@pytest.mark.parametrize("name", ["g", "v", "p", "theta"])
def test_what_is_not_finite_fails_and_ends_the_comparison(mine, name, bad, no_explanations):
    def touch(k, quantity, values):
        if (k, quantity) == (3, name):
            values = [np.array(value) for value in values]
            values[2][0, 1] = bad
        return values

    def candidate(case):
        with np.errstate(all="ignore"):
            yield from mine(touch)(case)

    report = verify.check("adam", candidate, ["plain"])
    d = report.divergence
    assert report.verdict == "FAIL"
    assert (d.step, d.layer, d.quantity, d.place) == (3, 1, name, "W_2, entry [0, 1]")
    np.testing.assert_equal(d.observed, bad)
    assert np.isfinite(d.expected)
    assert d.error == np.inf
    assert report.failing == {name: METHODS["adam"].LINES[name]}
    assert max(line.step for line in report.cases[0].lines) == 3


@pytest.mark.parametrize("name", ["m", "v", "theta"])
def test_an_initial_state_that_is_not_finite_fails_at_step_0(mine, name, no_explanations):
    def touch(k, quantity, values):
        return [np.full_like(value, np.nan) for value in values] if (k, quantity) == (0, name) else values

    report = verify.check("rmsprop", mine(touch, start=True), ["plain"])
    d = report.divergence
    assert (report.verdict, d.step, d.quantity, d.line) == ("FAIL", 0, name, "initial state")
    assert {line.step for line in report.cases[0].lines} == {0}


def test_starting_weights_are_compared_where_quantities_go_by_layer(monkeypatch):
    monkeypatch.setitem(CONVENTIONS, "kbfgs20", ())
    method = METHODS["kbfgs20"]
    case, = verify.cases("kbfgs20", ["plain"])
    case = dataclasses.replace(case, batches=case.batches[:2])

    def candidate(case, moved=0.0):
        params, state = case.params, method.init(case.model, case.params, case.data, case.hyper)
        params = (params[0]._replace(b=params[0].b + moved), *params[1:])
        yield {"W": [layer.W for layer in params], "b": [layer.b for layer in params]}
        for batch in case.batches:
            params, state, trace = method.step(case.model, params, state, batch, case.hyper)
            yield {"W": [layer.W for layer in params], "b": [layer.b for layer in params], "grad": list(trace.grad)}

    assert verify.check("kbfgs20", candidate, [case]).verdict == "PASS"
    report = verify.check("kbfgs20", lambda case: candidate(case, 1e-12), [case])
    d = report.divergence
    assert (report.verdict, d.step, d.layer, d.quantity, d.line) == ("FAIL", 0, 0, "W", "initial state")
    assert d.place.endswith(", 3]")                                  # the bias column of W̄_1
    assert set(report.failing) == {"W"}


def _unstable(size):
    """A right formula, evaluated by way of a number that is `size` times as large."""
    def touch(k, name, values):
        if name != "g_h":
            return values
        return [(value + value * value.dtype.type(size)) - value * value.dtype.type(size) for value in values]

    return touch


def test_a_right_formula_with_some_rounding_is_grey_and_with_much_it_is_unstable(mine, no_explanations):
    report = verify.check("sgd_m", mine(_unstable(16)), ["plain", "labels"])
    assert report.verdict == "GREY"
    assert report.ok
    assert report.divergence is None
    assert 1 < report.coverage["g_h"]["worst"] <= GREY
    report = verify.check("sgd_m", mine(_unstable(2**20)), ["plain", "labels"])
    assert report.verdict == "UNSTABLE"
    assert not report.ok
    assert {case.verdict for case in report.cases} == {"UNSTABLE"}
    assert report.failing == {"g_h": "R§2.5.2"}
    assert all(case.ratio32 > ROUNDING for case in report.cases)


def test_a_wrong_formula_fails_with_a_ratio_near_one(mine, no_explanations):
    def touch(k, name, values):
        return [value * (1 + 1e-3) for value in values] if name == "g_h" else values

    report = verify.check("sgd_m", mine(touch), ["plain", "labels"])
    assert report.verdict == "FAIL"
    assert all(abs(case.ratio32 - 1) < 1e-3 for case in report.cases)
    assert report.divergence.ratio32 == report.cases[0].ratio32


def test_code_that_cannot_run_in_float32_has_no_ratio(mine, no_explanations):
    def only_float64(case):
        assert case.dtype == "float64", "not made for this"
        yield from mine(_unstable(2**20))(case)

    report = verify.check("sgd_m", only_float64, ["plain"])
    assert (report.verdict, report.cases[0].ratio32) == ("FAIL", None)


SETTLED = [
    ([None], "FAIL"),
    ([1.0], "FAIL"),
    ([ROUNDING], "FAIL"),
    ([5e8], "UNSTABLE"),
    ([5e8, None, ROUNDING], "UNSTABLE"),
    ([5e8, FORMULA], "UNSTABLE"),
    ([5e8, 5e8, 1.0], "FAIL"),
    ([None, 5e8], "FAIL"),
]


@pytest.mark.parametrize(("ratios", "after"), SETTLED)
def test_what_the_ratios_of_errors_settle(ratios, after):
    assert settled(ratios) == after


def test_a_wrong_line_is_a_failure_however_unstable_an_earlier_one_is(mine, no_explanations):
    def touch(k, name, values):
        return [value * (1 + 1e-3) for value in values] if name == "theta" else _unstable(2**20)(k, name, values)

    report = verify.check("sgd_m", mine(touch), ["plain"])
    assert (report.verdict, set(report.failing)) == ("FAIL", {"g_h", "theta"})
    assert report.divergence.quantity == "g_h"


def _line(mine, observed, error=1e-3, value=1.0):
    from stepgauge.arrays import precision
    from stepgauge.verify.bands import Banded, Bands, Paths

    with precision(180):
        space = Bands("float64", Paths())
        observed = np.asarray(observed, float)
        banded = Banded(space.asarray(np.full(observed.shape, value)).v, np.broadcast_to(error, observed.shape), space)
        return compare(2, "x", 0, "R1.1", observed, banded)


@pytest.mark.parametrize(
    ("observed", "verdict"),
    [
        (1.0, "PASS"),
        (1.00099, "PASS"),
        (0.99901, "PASS"),
        (1.0011, "GREY"),
        (0.9925, "GREY"),
        (1.0079, "GREY"),
        (1.0081, "FAIL"),
        (0.0, "FAIL"),
        (np.nan, "FAIL"),
        (np.inf, "FAIL"),
    ],
)
def test_a_difference_is_counted_in_bands(mine, observed, verdict):
    assert _line(mine, observed).verdict == verdict
    line = _line(mine, [1.0, observed, 1.0])
    assert line.verdict == verdict
    if observed != 1:
        assert line.entry == (1,)


@pytest.mark.parametrize(("error", "verdict"), [(0.0099, "PASS"), (0.0101, "UNINFORMATIVE"), (np.inf, "UNINFORMATIVE")])
def test_a_band_that_is_wide_decides_nothing(mine, error, verdict):
    assert _line(mine, 1.001, error).verdict == verdict
    assert _line(mine, np.nan, error).verdict == "FAIL"
    assert _line(mine, [1.001, 1.0], [error, 1e-3]).verdict == "PASS"
    assert _line(mine, 1.0 + 20 * min(error, 1e6), error).verdict == ("UNINFORMATIVE" if error == np.inf else "FAIL")


def test_an_exact_value_admits_no_difference_but_underflow(mine):
    assert _line(mine, 0.0, 0.0, 0.0).ratio == 0
    assert _line(mine, 5e-324, 0.0, 0.0).ratio == np.inf
    assert _line(mine, 1.0, 0.0).ratio == 0
    assert _line(mine, np.nextafter(1, 2), 0.0).verdict == "FAIL"
    assert _line(mine, 1e-307, 1e-310, 1e-310).ratio < 1
    assert _line(mine, 1e-305, 1e-310, 1e-310).verdict == "FAIL"


def test_the_worst_of_several_lines(mine):
    lines = {
        "PASS": _line(mine, 1.0),
        "GREY": _line(mine, 1.002),
        "FAIL": _line(mine, 2.0),
        "UNINFORMATIVE": _line(mine, 1.0, 1.0),
    }
    for n in range(1, 5):
        for names in itertools.combinations(lines, n):
            first = next(name for name in ("FAIL", "GREY", "PASS", "UNINFORMATIVE") if name in names)
            assert worst([lines[name] for name in names]) == first


def test_the_relative_error_is_the_largest_over_the_largest_expected_entry(mine):
    assert _line(mine, [1000.0, 1100.0, 990.0], 1.0, 1000.0).relative == 0.1
    assert _line(mine, [0.0, 0.25], 1.0, 0.0).relative == 0.25


def test_the_relative_error_is_that_of_entries_beyond_their_band(mine):
    """An entry with a wide band, as at an open kink, must not hide the error of one that is beyond a narrow band."""
    line = _line(mine, [1000.0, 1100.0, 1010.0], [1.0, 200.0, 1.0], 1000.0)
    assert (line.verdict, line.entry, line.relative) == ("FAIL", (2,), 0.01)


def test_an_entry_on_the_edge_of_its_band_is_within(mine):
    assert _line(mine, 1.25, 0.25 * (1 - 2.0**-31)).verdict == "UNINFORMATIVE"
    assert _line(mine, [1.25, 1.0], [0.25 * (1 - 2.0**-31), 1e-3]).verdict == "PASS"


def test_exact_zeros_alone_decide_nothing(mine):
    assert _line(mine, [0.0, 0.0], 0.0, 0.0).verdict == "UNINFORMATIVE"
    assert _line(mine, [0.0, 1e-300], 0.0, 0.0).verdict == "FAIL"


def test_a_step_that_rounding_swallows_decides_nothing(mine):
    """In float32 a candidate that never moves is as right as any, as long as the step is below the roundoff of W."""
    def still(case):
        for _ in case.batches:
            yield {"W": [np.array(W) for W, _ in case.params], "b": [np.array(b) for _, b in case.params]}

    case, = verify.cases("sgd_m", ["plain"], "float32")
    case = dataclasses.replace(case, params=tuple(nets.Layer(W, b + 3) for W, b in case.params))
    small = dataclasses.replace(case, hyper=case.hyper._replace(alpha=1e-10))
    assert verify.check("sgd_m", still, [small]).verdict == "UNINFORMATIVE"
    assert verify.check("sgd_m", still, [case]).verdict == "FAIL"


def test_the_count_of_steps_is_compared(mine):
    def counting(case, first=1):
        for k, step in enumerate(mine()(case), start=first):
            yield step | {"k": k}

    assert verify.check("sgd_m", counting, ["plain"]).verdict == "PASS"
    report = verify.check("sgd_m", lambda case: counting(case, 0), ["plain"])
    assert (report.verdict, report.cases[0].reason) == ("FAIL", "k: expected 1 because it counts the steps taken, got 0")


def test_one_array_where_a_list_belongs_is_a_fault_and_not_dropped(mine):
    def lone(case):
        for step in mine()(case):
            yield step | {"g": step["g"][0]}

    report = verify.check("sgd_m", lone, ["plain"])
    assert report.verdict == "FAIL"
    assert "g: expected a list of 4 arrays" in report.cases[0].reason


def test_the_ratio_of_relative_errors_needs_the_same_comparison(mine):
    line, other = _line(mine, 1.002), _line(mine, 1.2)
    assert rounding_ratio(line, [other]) == pytest.approx(100, rel=1e-9, abs=0)
    assert rounding_ratio(line, [other._replace(step=3), other._replace(name="y"), other._replace(index=1)]) is None
    assert rounding_ratio(line, [_line(mine, np.nan)]) is None
    assert rounding_ratio(_line(mine, np.nan), [other]) is None
    assert rounding_ratio(_line(mine, 1.0), [other]) is None


def _blind(alpha, **changes):
    """A case whose gradient cancels to the last bit: h = y up to rounding, so that nothing can be said about g."""
    model = nets.mlp((2, 1), ("linear",), "mse")
    x = np.array([[0.1, 0.7]])
    params = (nets.Layer(np.array([[0.3, 0.9]]), np.array([0.2])),)
    batch = nets.Batch(x, x @ params[0].W.T + 0.2)
    hyper = METHODS["sgd_m"].Hyper(alpha=alpha, beta=0.9)
    return verify.Case("blind", "sgd_m", model, params, hyper, (batch,), (batch,), **changes)


def test_what_cannot_be_known_is_uninformative_and_not_ok(mine):
    report = verify.check("sgd_m", mine(show=()), [_blind(1e17)])
    assert report.verdict == "UNINFORMATIVE"
    assert not report.ok
    assert {row["informative_cases"] for row in report.coverage.values()} == {0}
    assert report.coverage["theta"]["compared"] == 2
    report = verify.check("sgd_m", mine(show=()), [_blind(1e17), *verify.cases("sgd_m", ["plain"])])
    assert [case.verdict for case in report.cases] == ["UNINFORMATIVE", "PASS"]
    assert report.verdict == "PASS"
    assert verify.check("sgd_m", mine(), []).verdict == "UNINFORMATIVE"


def test_a_wide_band_that_is_left_far_behind_is_still_a_failure(mine, no_explanations):
    def touch(k, name, values):
        return [value + 1 for value in values] if name == "g" else values

    assert verify.check("sgd_m", mine(touch), [_blind(1e17)]).verdict == "FAIL"


LAYOUTS = {
    ("out_in", "separate"): lambda W, b: {"W": W, "b": b},
    ("in_out", "separate"): lambda W, b: {"W": [w.T for w in W], "b": b},
    ("out_in", "column"): lambda W, b: {"W": [np.column_stack([w, c]) for w, c in zip(W, b, strict=True)]},
    ("in_out", "column"): lambda W, b: {"W": [np.vstack([w.T, c]) for w, c in zip(W, b, strict=True)]},
}


def _written(mine, write):
    def candidate(case):
        for step in mine(start=True)(case):
            W, b = step.pop("W"), step.pop("b")
            yield {**write(W, b), **step}
    return candidate


@pytest.mark.parametrize("declared", LAYOUTS)
@pytest.mark.parametrize("written", LAYOUTS)
def test_layouts_are_declared_and_not_guessed(mine, declared, written):
    layout = verify.Layout(*declared)
    report = verify.check("sgd_m", _written(mine, LAYOUTS[written]), ["labels"], layout=layout)
    if declared == written:
        assert report.verdict == "PASS"
        assert report.coverage["theta"]["compared"] == 6 * (1 + 5)
    else:
        assert report.verdict == "FAIL"
        assert report.divergence is None
        assert report.cases[0].reason.startswith(("W[0]: expected shape", "b[0]: expected shape", "b: expected a list"))
    case = dataclasses.replace(verify.cases("sgd_m", ["labels"])[0], layout=layout)
    assert verify.check("sgd_m", _written(mine, LAYOUTS[written]), [case]).verdict == report.verdict


@pytest.mark.parametrize(
    "layout", [verify.Layout("io", "separate"), verify.Layout("out_in", "row"), verify.Layout(None, "separate")]
)
def test_an_unknown_layout_is_refused(mine, layout):
    with pytest.raises(ValueError, match="layout: expected"):
        verify.check("sgd_m", mine(), ["plain"], layout=layout)


def test_a_trajectory_that_was_written_down_is_judged_like_a_candidate(mine, tmp_path, no_explanations):
    case, = verify.cases("adam", ["labels"])
    steps = list(mine(start=True)(case))
    verify.write_steps(tmp_path, steps)
    report = verify.judge_steps(case, verify.read_steps(tmp_path))
    assert report.verdict == "PASS"
    assert report.coverage == verify.check("adam", mine(start=True), [case]).coverage
    steps[3]["v"][2] = steps[3]["v"][2] * (1 + 1e-9)
    report = verify.judge_steps(case, steps)
    assert (report.verdict, report.divergence.step, report.divergence.quantity) == ("FAIL", 3, "v")
    assert report.divergence.ratio32 is None


@pytest.mark.parametrize(
    ("method", "field"),
    [
        (method, field)
        for method in FIRST_ORDER
        for field in METHODS[method].Hyper._fields
        if field in ("alpha", "beta", "beta1", "beta2", "eps")
    ],
)
def test_hyper_parameters_are_read_to_nine_digits_from_parameters_alone(mine, method, field, no_explanations):
    def candidate(case):
        changed = case.hyper._replace(**{field: getattr(case.hyper, field) * (1 - 1e-9)})
        yield from mine(show=())(dataclasses.replace(case, hyper=changed))

    name = "narrow" if field == "eps" else "plain"              # ε = 1e-8 moves nothing by 1e-9 of itself
    assert verify.check(method, candidate, [name]).verdict == "FAIL"


@pytest.mark.parametrize(("tensor", "mode", "place"), [(0, 0, "W_1, mode 1"), (2, 1, "W_2, mode 2"), (3, 0, "b_2, mode 1")])
def test_a_divergence_in_a_mode_is_placed_in_its_tensor(tensor, mode, place):
    def candidate(case):
        for k, step in enumerate(reference(case)):
            if k == 1:
                G_h = [list(modes) for modes in step["G_h"]]
                G_h[tensor][mode] = G_h[tensor][mode] * 1.5
                step = step | {"G_h": G_h}
            yield step

    found = verify.check("shampoo", candidate, ["plain"]).divergence
    assert (found.quantity, found.step, found.layer) == ("G_h", 1, tensor // 2)
    assert found.place.startswith(f"{place}, entry [")


def test_the_hull_of_two_branches_holds_the_values_and_the_errors_of_both():
    space = Bands("float64", Paths())

    def banded(v, e):
        return Banded(space.asarray(v).v, np.array(e), space)

    one, wider, other = banded([1.0, 2.0], [0.25, 0.5]), banded([1.0, 2.0], [0.75, 0.125]), banded([1.0, 5.0], [0.25, 0.5])
    assert hull(one, wider).e.tolist() == hull(wider, one).e.tolist() == [0.75, 0.5]
    assert hull(one, other).e.tolist() == [0.25, 3.5]
    assert hull((one, (3, other)), (other, (3, one)))[1][1].e.tolist() == [0.25, 3.5]
    assert hull(one, one) is one
    assert np.isinf(hull(one, banded([1.0], [0.0])).e).all()
