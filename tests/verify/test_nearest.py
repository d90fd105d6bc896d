"""The nearest program: slips that no dictionary has are named by the edit that gives the same numbers."""

import sys

import pytest
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.reference.parts.damping import weight
from stepgauge.reference.parts.quasi_newton import dfp_H
from stepgauge.verify import nearest, replay
from stepgauge.verify.adapters.reference import reference, shown
from stepgauge.verify.runner import run
from stepgauge.verify.source import instrument


def rewritten(method, rewrites, **functions):
    """The reference with other right-hand sides, and functions that they call, as a candidate that shows everything."""
    def candidate(case):
        source = instrument(sys.modules[METHODS[method].step.__module__], lambda tag, function, name, value: value, rewrites)
        source.update(functions)
        params, state = case.params, source["init"](case.model, case.params, case.data, case.hyper)
        yield shown(params, state)
        for batch in case.batches:
            params, state, trace = source["step"](case.model, params, state, batch, case.hyper)
            yield shown(params, state, trace)

    return candidate


@pytest.fixture(autouse=True)
def no_dictionary(monkeypatch):
    monkeypatch.setattr(sys.modules["stepgauge.verify.check"], "CONVENTIONS", {})


def said(method, candidate):
    report = verify.check(method, candidate, ["plain", "labels"])
    assert report.verdict == "FAIL"
    return "".join(report.explanations)


@pytest.mark.parametrize(("method", "rewrites", "words"), [
    ("kbfgs20", {"p": "each(lambda H_g, D_h, H_a: D_h @ H_a, state.H_g, grad_h, state.H_a)"}, "`D_h` for `H_g @ D_h`"),
    ("kbfgs20", {"A": "each(lambda A, a: (1 - beta) * A + beta * second_moment(a), state.A, tape.a)"},
     "`(1 - beta) * A + beta * second_moment(a)` for `beta * A + (1 - beta) * second_moment(a)`"),
    ("kbfgs20", {"H_a": "each(bfgs_H.trusted, state.H_a, y_a, s_a)"}, "state.H_a, y_a, s_a)` for"),
    ("kbfgs20", {"H_a": "each(dfp_H.trusted, state.H_a, s_a, y_a)"}, "dfp_H.trusted"),
    ("adam", {"v_h": "tuple(v_i / (1 - beta1**t) for v_i in v)"}, "`beta1 ** t` for `beta2 ** t`"),
    ("kfac20", {"G": "each(lambda G, g: beta * G + (1 - beta) * second_moment(g / g.shape[0]), state.G, g)"},
     "second_moment(divided_by_N(g))"),
])
def test_a_slip_in_a_line_is_named(method, rewrites, words):
    assert words in said(method, rewritten(method, rewrites, dfp_H=dfp_H))


def test_a_slip_in_a_function_that_the_line_calls_is_named():
    def damping(s, y, H, *, mu1, mu2):
        Hy = H @ y
        theta1 = weight(s @ y, y @ Hy, mu1)
        s_t = theta1 * s - (1 - theta1) * Hy
        theta2 = weight(s_t @ y, s_t @ s_t, mu2)
        return s_t, theta2 * y + (1 - theta2) * s_t

    code = "both(lambda s, y, H: damping(s, y, H, mu1=mu1, mu2=lam_G), s_g, y_g, state.H_g)"
    text = said("kbfgs20", rewritten("kbfgs20", {"s_t, y_t": code}, damping=damping))
    assert "`theta1 * s - (1 - theta1) * Hy` for `theta1 * s + (1 - theta1) * Hy` in double_damping" in text


def test_a_slip_in_a_line_that_is_not_shown_is_named():
    def candidate(case):
        for step in rewritten("kbfgs20", {"A_LM": "each(lambda A: damped(A, lam_A / 2), A)"})(case):
            step.pop("A_LM", None)
            yield step

    assert "`damped(A, lam_A / 2)` for `damped(A, lam_A)`" in said("kbfgs20", candidate)


@pytest.mark.parametrize(("code", "words"), [
    ("each(lambda A: xp.inv(damped(A, lam_A**2)) if hyper.H_a_start == 'inverse' else xp.eye(A.shape[0]), A)", "lam_A ** 2"),
    ("each(lambda A: damped(A, lam_A) if hyper.H_a_start == 'inverse' else xp.eye(A.shape[0]), A)",
     "`damped(A, lam_A)` for `xp.inv(damped(A, lam_A))`"),
])
def test_a_slip_in_the_warm_start_is_named(code, words):
    text = said("kbfgs20", rewritten("kbfgs20", {"init.H_a": code}))
    assert text.startswith("H_a is what the initial state gives with ")
    assert words in text
    assert " in init" in text


def test_what_is_no_small_edit_is_not_explained():
    def candidate(case):
        for k, step in enumerate(rewritten("kbfgs20", {})(case)):
            yield step | {"H_a": [x * (1.25 + x**2) for x in step["H_a"]]} if k else step

    assert said("kbfgs20", candidate) == ""


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_line_of_every_method_has_its_edits(method):
    case = verify.cases(method)[0]
    module, fields = sys.modules[METHODS[method].step.__module__], METHODS[method].State._fields
    first = {}

    def watch(now, tag, function, name, value, frame):
        if now.k and now.quantities & set(name if isinstance(name, tuple) else [name]):
            first[name] = next(nearest._trials_of_line(module, function, name, tag, frame.f_locals, set()), None)

    replay.replay(case, run(reference, case, 60), watch=watch)
    assert set(METHODS[method].LINES) - {name for names in first for name in (names if isinstance(names, tuple) else [names])} \
        <= {"S", "Y", "U_t", "pi", "G_b", "A"}                      # pairs of a memory, what is not due, and kbfgs' A, an option
    assert [name for name, trial in first.items() if trial is None] == (["p"] if method == "hessian_free" else [])
    state = METHODS[method].init(case.model, case.params, case.data, case.hyper)._asdict()
    without = {name for name in state if not next(nearest._trials_of_start(module, name, fields, set()), None)}
    assert without <= {"k", "t", "grad_p", "bad", "best"}                   # counts, and what is empty or infinite at the start
