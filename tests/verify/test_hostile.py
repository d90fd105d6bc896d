"""Candidates that misbehave: each gets a verdict with its reason, and nobody after them notices."""

import dataclasses
import gc
import threading
import time

import numpy as np
import pytest
from stepgauge import verify
from stepgauge.reference.parts import damping, smw
from stepgauge.verify.runner import Misbehaved, fingerprint, produced, run, snapshot


@pytest.fixture
def case():
    return verify.cases("sgd_m", ["labels"])[0]


def changed(mine, change, step=2):
    """Our right candidate, with one yielded dict changed."""
    def candidate(case):
        for k, shown in enumerate(mine()(case), start=1):
            yield change(dict(shown), case) if k == step else shown
    return candidate


def without(name):
    def change(shown, case):
        del shown[name]
        return shown
    return change


def raising(error, when):
    def hostile(mine):
        def candidate(case):
            if when == 0:
                raise error
            for k, shown in enumerate(mine()(case), start=1):
                if k == when:
                    raise error
                yield shown
        return candidate
    return hostile


YIELDS = {
    "a wrong shape of W": (lambda s, c: {**s, "W": [s["W"][0].T, *s["W"][1:]]}, "W[0]: expected shape (3, 4)"),
    "a wrong shape of b": (lambda s, c: {**s, "b": [s["b"][0][:, None], *s["b"][1:]]}, "b[0]: expected shape (3,)"),
    "a wrong shape of state": (lambda s, c: {**s, "g_h": [g[None] for g in s["g_h"]]}, "g_h[0]: expected shape (3, 4)"),
    "float32 for float64": (lambda s, c: {**s, "W": [w.astype(np.float32) for w in s["W"]]}, "W[0]: expected float64"),
    "float16 state": (lambda s, c: {**s, "g": [g.astype(np.float16) for g in s["g"]]}, "g[0]: expected float64"),
    "integers": (lambda s, c: {**s, "W": [w.astype(int) for w in s["W"]]}, "W[0]: expected float64"),
    "complex numbers": (lambda s, c: {**s, "W": [w.astype(complex) for w in s["W"]]}, "W[0]: expected an array of numbers"),
    "truth values": (lambda s, c: {**s, "b": [w > 0 for w in s["b"]]}, "b[0]: expected an array of numbers"),
    "strings": (lambda s, c: {**s, "W": ["abc", "d", "e"]}, "W[0]: expected an array of numbers"),
    "a string for a list": (lambda s, c: {**s, "W": "abc"}, "W: expected an array of numbers"),
    "object arrays": (lambda s, c: {**s, "W": [w.astype(object) for w in s["W"]]}, "W[0]: expected an array of numbers"),
    "None for an array": (lambda s, c: {**s, "W": [None, *s["W"][1:]]}, "W[0]: expected an array of numbers"),
    "None for W": (lambda s, c: {**s, "W": None}, "W: expected a list of arrays"),
    "ragged lists": (lambda s, c: {**s, "W": [[[1.0], [2.0, 3.0]], *s["W"][1:]]}, "W[0]: expected an array"),
    "lists of numbers": (lambda s, c: {**s, "g": [g.tolist() for g in s["g"]]}, "g[0]: expected an array"),
    "one array for W": (lambda s, c: {**s, "W": np.zeros(3)}, "W: expected a list of 3 arrays"),
    "no W": (without("W"), "W: expected a list of arrays"),
    "no b": (without("b"), "b: expected a list of arrays"),
    "too few layers": (lambda s, c: {**s, "W": s["W"][:2], "b": s["b"][:2]}, "W: expected a list of 3 arrays"),
    "too many layers": (lambda s, c: {**s, "W": [*s["W"], s["W"][0]]}, "W: expected a list of 3 arrays"),
    "too few state arrays": (lambda s, c: {**s, "g_h": s["g_h"][:3]}, "g_h: expected a list of 6 arrays"),
    "an unknown name": (lambda s, c: {**s, "momentum": s["g_h"]}, "momentum: expected one of W, b, g"),
    "theta by that name": (lambda s, c: {**s, "theta": s["g"]}, "theta: expected one of W, b, g"),
    "a tuple": (lambda s, c: (s["W"], s["b"]), "candidate: expected dicts of named arrays"),
    "a number": (lambda s, c: 3.0, "candidate: expected dicts of named arrays"),
    "nothing": (lambda s, c: None, "candidate: expected dicts of named arrays"),
    "keys that are no names": (lambda s, c: {0: s["W"], 1: s["b"]}, "candidate: expected dicts of named arrays"),
    "an empty dict": (lambda s, c: {}, "W: expected a list of arrays"),
}


@pytest.mark.parametrize("what", YIELDS)
def test_what_cannot_be_compared_is_named(mine, what):
    change, reason = YIELDS[what]
    for step in (1, 3):
        report = verify.check("sgd_m", changed(mine, change, step), ["labels"])
        assert (report.verdict, report.ok, report.divergence) == ("FAIL", False, None)
        assert report.cases[0].reason.startswith(reason)
        assert report.cases[0].reason in " ".join(str(report).replace("│", " ").split())


def forever(mine):
    def candidate(case):
        while True:
            yield from mine()(case)
    return candidate


def once_more(mine):
    def candidate(case):
        yield from mine(start=True)(case)
        yield {"W": [layer.W for layer in case.params], "b": [layer.b for layer in case.params]}
    return candidate


def too_few(mine):
    def candidate(case):
        steps = mine()(case)
        for _ in range(3):
            yield next(steps)
    return candidate


def writing(where):
    def hostile(mine):
        def candidate(case):
            for k, shown in enumerate(mine()(case), start=1):
                if k == 2:
                    array = where(case)
                    array[(0,) * array.ndim] += 1
                yield shown
        return candidate
    return hostile


def replacing(mine):
    def candidate(case):
        object.__setattr__(case, "params", case.params[:1])
        yield {}
    return candidate


WAYS = {
    "raises at once": (raising(RuntimeError("out of order"), 0), "got RuntimeError after 0 steps: out of order"),
    "raises in step 2": (
        raising(ZeroDivisionError("division by zero"), 2),
        "got ZeroDivisionError after 1 steps: division by zero",
    ),
    "raises an error of ours": (
        raising(ValueError("alpha: expected less"), 1),
        "got ValueError after 0 steps: alpha: expected less",
    ),
    "leaves": (raising(SystemExit(0), 2), "got SystemExit after 1 steps"),
    "is interrupted": (raising(KeyboardInterrupt(), 3), "got KeyboardInterrupt after 2 steps"),
    "raises StopIteration": (raising(StopIteration(), 2), "got RuntimeError after 1 steps"),
    "yields too few": (too_few, "candidate: expected 5 steps because the case has as many batches, got 3"),
    "yields too many": (once_more, "candidate: expected at most 6 yields"),
    "never stops yielding": (forever, "candidate: expected at most 6 yields"),
    "yields nothing": (
        lambda mine: lambda case: iter(()),
        "candidate: expected 5 steps because the case has as many batches, got 0",
    ),
    "returns None": (lambda mine: lambda case: None, "got TypeError after 0 steps: 'NoneType' object is not iterable"),
    "returns a number": (lambda mine: lambda case: 5, "got TypeError after 0 steps: 'int' object is not iterable"),
    "takes no case": (lambda mine: lambda: None, "got TypeError after 0 steps"),
    "writes to the parameters": (writing(lambda case: case.params[1].W), "case: expected untouched inputs"),
    "writes to a bias": (writing(lambda case: case.params[0].b), "case: expected untouched inputs"),
    "writes to its batch": (writing(lambda case: case.batches[1].x), "case: expected untouched inputs"),
    "writes to a later batch": (writing(lambda case: case.batches[4].x), "case: expected untouched inputs"),
    "writes to labels": (writing(lambda case: case.batches[2].y), "case: expected untouched inputs"),
    "writes to the data": (writing(lambda case: case.data[3].x), "case: expected untouched inputs"),
    "replaces the parameters": (replacing, "case: expected untouched inputs"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_candidate_that_misbehaves_fails_with_the_reason_and_harms_nobody(mine, case, way):
    hostile, reason = WAYS[way]
    before = fingerprint(case)
    report = verify.check("sgd_m", hostile(mine), [case, "narrow"])
    assert (report.verdict, report.ok, report.divergence, report.explanations) == ("FAIL", False, None, ())
    assert reason in report.cases[0].reason
    assert fingerprint(case) == before
    assert fingerprint(verify.cases("sgd_m", ["labels"])[0]) == before
    assert verify.check("sgd_m", mine(), [case, "narrow"]).verdict == "PASS"


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("how", ["loop", "sleep"])
def test_a_candidate_that_never_ends_is_left_alone_and_not_asked_again(mine, steps, how):
    release, asked = threading.Event(), []

    def candidate(case):
        asked.append(case.name)
        own = mine()(case)
        for _ in range(steps):
            yield next(own)
        while not release.is_set():
            if how == "sleep":
                time.sleep(0.05)

    try:
        report = verify.check("sgd_m", candidate, time_limit=0.5)
        assert not release.is_set()
        assert asked == ["plain"]
        assert report.verdict == "FAIL"
        assert report.cases[0].reason == (f"candidate: expected a step within 0.5 s because nobody waits for ever, "
                                          f"got none after {steps} steps")
    finally:
        release.set()


def test_slow_steps_are_no_reason_as_long_as_each_is_in_time(mine):
    def candidate(case):
        for shown in mine()(case):
            time.sleep(0.3)
            yield shown

    assert verify.check("sgd_m", candidate, ["narrow"], time_limit=1).verdict == "PASS"


def test_what_is_yielded_may_be_live_buffers_that_change_later(mine):
    def candidate(case):
        buffers = {}
        for shown in mine()(case):
            for name, arrays in shown.items():
                for i, array in enumerate(arrays):
                    buffers.setdefault(name, [np.empty_like(a) for a in arrays])[i][...] = array
            yield buffers
            for arrays in buffers.values():
                for array in arrays:
                    array[...] = np.nan

    for method in ("sgd_m", "adam"):
        assert verify.check(method, candidate, ["plain", "labels"]).verdict == "PASS"


def test_a_candidate_may_be_anything_that_can_be_called_and_yield_tuples_and_views(mine):
    class Stateful:
        def __call__(self, case):
            return [{name: tuple(np.asfortranarray(array)[...] for array in arrays) for name, arrays in shown.items()}
                    for shown in mine()(case)]

    assert verify.check("adam", Stateful(), ["labels"]).verdict == "PASS"
    assert verify.check("adam", lambda case: map(dict, mine()(case)), ["labels"]).verdict == "PASS"


@pytest.mark.parametrize("candidate", [None, 3, "adam", {"a": 1}, (x for x in ())])
def test_what_cannot_be_called_is_no_candidate(candidate):
    for method in ("sgd_m", "damping.double_damping"):
        with pytest.raises(TypeError, match="candidate: expected a callable"):
            verify.check(method, candidate)


def test_unknown_names_are_answered_with_the_known_ones(mine):
    with pytest.raises(ValueError, match=r"method: expected one of sgd_m, adam.*damping\.powell_on_B.*got 'kfak'"):
        verify.check("kfak", mine())
    with pytest.raises(ValueError, match=r"case: expected one of plain, labels.*got 'digit'"):
        verify.check("adam", mine(), ["plain", "digit"])
    with pytest.raises(ValueError, match="method: expected one of"):
        verify.cases("kfak")
    with pytest.raises(ValueError, match="cases: expected a list of names or Cases"):
        verify.check("adam", mine(), "plain")
    with pytest.raises(ValueError, match="cases: expected cases of adam"):
        verify.check("adam", mine(), verify.cases("sgd_m", ["plain"]))


BAD_CASES = {
    "eps: expected a positive number": lambda c: dataclasses.replace(c, hyper=c.hyper._replace(eps=0.0)),
    "beta1: expected a number": lambda c: dataclasses.replace(c, hyper=c.hyper._replace(beta1=1.0)),
    "alpha: expected a positive number": lambda c: dataclasses.replace(c, hyper=c.hyper._replace(alpha=float("nan"))),
    "hyper: expected the Hyper of adam": lambda c: dataclasses.replace(c, hyper=verify.cases("sgd_m", ["plain"])[0].hyper),
    "batches: expected at least one": lambda c: dataclasses.replace(c, batches=()),
    "dtype: expected float32 or float64": lambda c: dataclasses.replace(c, dtype="float16"),
    r"params\[0\].W: expected float32": lambda c: dataclasses.replace(c, dtype="float32"),
    r"params\[1\].b: expected finite": lambda c: dataclasses.replace(
        c, params=(c.params[0], c.params[1]._replace(b=c.params[1].b * np.nan))
    ),
    "x: expected finite": lambda c: dataclasses.replace(
        c, batches=(c.batches[0], c.batches[1]._replace(x=c.batches[1].x * np.inf))
    ),
    "y: expected shape": lambda c: dataclasses.replace(c, data=(c.data[0]._replace(y=c.data[0].y[1:]),)),
    "curvature: expected a Batch or row numbers": lambda c: dataclasses.replace(
        c, batches=(c.batches[0]._replace(curvature=np.array([0, 5])),)
    ),
}


@pytest.mark.parametrize("message", BAD_CASES)
def test_a_case_that_the_reference_refuses_is_no_fault_of_the_candidate(mine, message):
    with pytest.raises(ValueError, match=message):
        verify.check("adam", mine(), [BAD_CASES[message](verify.cases("adam", ["plain"])[0])])


def test_global_settings_that_a_candidate_changes_change_no_later_verdict(mine):
    def candidate(case):
        np.seterr(all="raise")
        np.random.seed(0)                                                              # noqa: NPY002
        np.set_printoptions(precision=2)
        yield from mine()(case)

    def procedure(s, y, H, mu1, mu2):
        np.seterr(all="raise")
        return damping.double_damping(s, y, H, mu1=mu1, mu2=mu2)

    before, options = np.geterr(), np.get_printoptions()
    expected = verify.check("adam", mine(), ["large"]).to_json()
    assert verify.check("adam", candidate, ["plain"]).verdict == "PASS"
    assert verify.check("damping.double_damping", procedure).verdict == "PASS"
    assert np.geterr() == before
    assert verify.check("adam", mine(), ["large"]).to_json() == expected
    np.set_printoptions(**options)


def test_the_judge_computes_the_same_where_floating_point_errors_raise(mine):
    names = ["plain", "dead", "large", "degenerate"]
    expected = verify.check("rmsprop", mine(), names).to_json()
    with np.errstate(all="raise"):
        assert verify.check("rmsprop", mine(), names).to_json() == expected


def test_the_candidate_gets_a_copy_of_its_own(case):
    seen = []

    def candidate(mine):
        seen.append(mine)
        return iter(())

    run_out = run(candidate, case, 1)
    assert run_out == []
    assert seen[0] is not case
    assert fingerprint(seen[0]) == fingerprint(case)
    for mine, ours in ((seen[0].params[0].W, case.params[0].W), (seen[0].batches[0].x, case.batches[0].x),
                       (seen[0].data[0].x, case.data[0].x)):
        assert not np.shares_memory(mine, ours)


def test_fingerprints_see_every_array_of_a_case(case):
    case = dataclasses.replace(case, data=tuple(batch._replace(x=batch.x.copy(), y=batch.y.copy()) for batch in case.data))
    before = fingerprint(case)
    arrays = [
        *(tensor for layer in case.params for tensor in layer),
        *(a for batch in (*case.batches, *case.data) for a in batch[:2]),
    ]
    for array in arrays:
        kept = array.copy()
        array.flat[-1] += 1
        assert fingerprint(case) != before
        array[...] = kept
    assert fingerprint(case) == before


def test_snapshots_are_copies_and_keep_dtype_and_nesting():
    step = {"W": [np.ones((2, 3), np.float32)], "k": 3, "b": (np.zeros(2),)}
    taken = snapshot(step)
    assert [type(taken["W"]), type(taken["b"]), taken["W"][0].dtype, taken["k"].shape] == [list, list, np.float32, ()]
    step["W"][0][...] = 5
    assert (taken["W"][0] == 1).all()
    with pytest.raises(Misbehaved, match=r"W\[1\]: expected an array of numbers"):
        snapshot({"W": [np.ones(1), "x"]})


def test_items_come_one_by_one_and_work_without_end_waits_where_it_was_left():
    made = []

    def work():
        for i in range(10**9):
            made.append(i)
            yield i

    items = produced(work, "thing", 5)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    items.close()
    time.sleep(0.1)
    assert len(made) <= 6
    assert list(produced(lambda: "abc", "thing", 5)) == ["a", "b", "c"]
    assert list(produced(tuple, "thing", 5)) == []
    gc.collect()


def _dd(s, y, H, mu1, mu2):
    return damping.double_damping(s, y, H, mu1=mu1, mu2=mu2)


def _raise(error):
    raise error


PROCEDURE_WAYS = {
    "raises": (lambda *args, **mus: _raise(RuntimeError("no")), "got RuntimeError after 0 results: no"),
    "leaves": (lambda *args, **mus: _raise(SystemExit(0)), "got SystemExit after 0 results"),
    "is interrupted": (lambda *args, **mus: _raise(KeyboardInterrupt()), "got KeyboardInterrupt after 0 results"),
    "takes other arguments": (lambda s, y: None, "got TypeError after 0 results"),
    "returns None": (lambda *args, **mus: None, "result: expected an array of numbers"),
    "returns a string": (lambda *args, **mus: "abc", "result: expected an array of numbers"),
    "returns objects": (lambda s, *args, **mus: (s.astype(object), s), "result[0]: expected an array of numbers"),
    "returns one of two": (lambda *args, **mus: (_dd(*args, **mus).s_t,), "candidate: expected y_t in what it returns"),
    "returns one array": (lambda *args, **mus: _dd(*args, **mus).s_t, "candidate: expected s_t in what it returns"),
    "returns other names": (lambda *args, **mus: {"s": _dd(*args, **mus).s_t}, "candidate: expected s_t in what it returns"),
    "returns a wrong shape": (lambda *args, **mus: tuple(t[None] for t in _dd(*args, **mus)), "s_t: expected shape (3,)"),
    "returns float32": (lambda *args, **mus: tuple(t.astype(np.float32) for t in _dd(*args, **mus)), "s_t: expected float64"),
    "returns lists": (lambda *args, **mus: tuple(t.tolist() for t in _dd(*args, **mus)), "s_t: expected an array"),
    "returns ragged lists": (lambda *args, **mus: {"s_t": [[1.0], [2.0, 3.0]], "y_t": [1.0]}, "s_t: expected an array"),
    "writes to s": (lambda s, *args, **mus: (_dd(s, *args, **mus), s.fill(7))[0], "candidate: expected untouched inputs"),
    "writes to H": (lambda s, y, H, **mus: (_dd(s, y, H, **mus), H.fill(0))[0], "candidate: expected untouched inputs"),
}


@pytest.mark.parametrize("way", PROCEDURE_WAYS)
def test_a_procedure_that_misbehaves_fails_with_the_reason_and_harms_nobody(way):
    hostile, reason = PROCEDURE_WAYS[way]
    report = verify.check("damping.double_damping", hostile)
    assert (report.verdict, report.ok, report.explanations) == ("FAIL", False, ())
    assert reason in report.cases[0].reason
    assert {case.verdict for case in report.cases} == {"FAIL"}
    assert verify.check("damping.double_damping", _dd).verdict == "PASS"


def test_a_procedure_that_never_ends_is_left_alone_and_not_asked_again():
    release, asked = threading.Event(), []

    def endless(*args, **mus):
        asked.append(args)
        while not release.is_set():
            time.sleep(0.05)

    try:
        report = verify.check("damping.double_damping", endless, time_limit=0.3)
        assert not release.is_set()
        assert len(asked) == len(report.cases) == 1
        assert (
            report.cases[0].reason
            == "candidate: expected a result within 0.3 s because nobody waits for ever, got none after 0 results"
        )
    finally:
        release.set()


def test_a_procedure_may_use_its_buffers_again_and_run_in_float64_only():
    buffers = {}

    def reusing(s, y, H, mu1, mu2):
        assert s.dtype == np.float64
        kept = buffers.setdefault(len(s), (np.empty_like(s), np.empty_like(s)))
        for buffer, value in zip(kept, _dd(s, y, H, mu1, mu2), strict=True):
            buffer[...] = value
        return kept

    assert verify.check("damping.double_damping", reusing).verdict == "PASS"


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_what_no_later_line_can_start_from_is_a_failure_of_its_own_line(bad):
    def candidate(lam, J, H, g, N2):
        return {"D": np.full_like(H, bad), "result": smw.solve_with_inverse(lam, J, H, g, N2=N2)}

    report = verify.check("smw.solve_with_inverse", candidate)
    assert (report.verdict, report.divergence.quantity) == ("FAIL", "D")
    assert report.failing == {"D": "R(5.6)"}


def test_a_candidate_runs_in_the_context_of_its_caller(mine):
    def dividing(case):
        np.ones(1) / np.zeros(1)
        yield from mine()(case)

    with np.errstate(divide="ignore"):
        assert verify.check("sgd_m", dividing, ["plain"]).verdict == "PASS"
    assert "divide by zero" in verify.check("sgd_m", dividing, ["plain"]).cases[0].reason
