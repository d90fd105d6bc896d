"""Every convention and slip that the judge knows by name: made by rewriting the reference on floats, and recognized."""

import dataclasses
import itertools
import sys

import numpy as np
import pytest
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.reference.parts.damping import dp_dlm
from stepgauge.verify.adapters.reference import shown
from stepgauge.verify.check import _together
from stepgauge.verify.conventions import CONVENTIONS
from stepgauge.verify.procedures import PROCEDURES
from stepgauge.verify.source import instrument

FIRST_ORDER = ["sgd_m", "adam", "rmsprop"]
ELSEWHERE = ["smw_gn", "smw_ng", "smw_ng_bd", "hessian_free", "grouped_newton", "newton", "cauchy"]     # beside their twins
SINGLE = [(method, convention) for method in METHODS if method not in ELSEWHERE for convention in CONVENTIONS[method]]
PAIRS = [(method, _together(pair)) for method in FIRST_ORDER for pair in itertools.combinations(CONVENTIONS[method], 2)
         if _together(pair) is not None and _together(pair).legitimate]
OF_PROCEDURES = [(name, convention) for name in PROCEDURES for convention in CONVENTIONS.get(name, ())]


def _identity(tag, function, name, value):
    return value


def text(case):
    return case.text if hasattr(case, "text") else str(case)


STARTS = {"zeros": np.zeros_like, "ones": np.ones_like, "eye": lambda x: np.eye(len(x))}


def leaves(function, tree):
    """`function` of every array in nested tuples."""
    return tuple(leaves(function, branch) for branch in tree) if isinstance(tree, tuple) else function(tree)


def candidate_under(method, convention, *, show=True):
    """The reference with a convention in it, on floats."""
    def candidate(case):
        source = instrument(sys.modules[METHODS[method].step.__module__], _identity, convention.rewrites)
        source["dp_dlm"] = dp_dlm
        params, state = case.params, source["init"](case.model, case.params, case.data, case.hyper)
        state = state._replace(**{name: leaves(STARTS[what], getattr(state, name)) for name, what in convention.start.items()})
        for batch in case.batches:
            params, state, trace = source["step"](case.model, params, state, batch, case.hyper)
            yield shown(params, trace) if show else shown(params)

    return candidate


def suite(method, convention):
    """Four steps of a case, with hyper-parameters, under which the convention makes a difference."""
    name = next((case for words, case in {"positions": "images", "evenly": "images", "batch normalisation": "normalised",
                                          "Γ = 0": "dead_layer", "no pair": "labels"}.items() if words in convention.text), "plain")
    case, = verify.cases(method, [name])
    hyper = {"momentum": "heavy_ball"} if method == "sgd_m" and "moving average" in convention.text else {}
    if "+ 1" in convention.text:
        hyper = {"T": 2} if "T" in case.hyper._fields else {"T_1": 2, "T_2": 2}
    if any(words in convention.text for words in ("undamped", "no pair", "D_P D_LM with H_G")):
        hyper = {"mu1": 0.8}
    return [dataclasses.replace(case, batches=case.batches[:4], hyper=case.hyper._replace(**hyper))]


@pytest.mark.parametrize(("method", "convention"), SINGLE, ids=text)
def test_a_convention_is_named_and_a_slip_is_named_as_the_cause(method, convention):
    report = verify.check(method, candidate_under(method, convention), suite(method, convention))
    assert report.explanations == (convention.text,)
    if convention.legitimate:
        assert (report.verdict, report.ok, report.divergence) == ("PASS", True, None)
        assert f"Convention: {convention.text}" in " ".join(str(report).replace("│", " ").split())
    else:
        assert (report.verdict, report.ok) == ("FAIL", False)
        named = convention.names() & set(METHODS[method].LINES)
        assert set(report.failing) & named or not named
        assert f"Cause: {convention.text}" in " ".join(str(report).replace("│", " ").split())


UNSEEN = ("the pair of G is added up", "no pair", "Γ = 0")
"""A factor on s and y changes no update, the last pair no parameter yet, and a layer that is dead from the start does not move."""


@pytest.mark.parametrize(("method", "convention"), [
    (method, convention) for method, convention in SINGLE
    if not convention.start and not any(words in convention.text for words in UNSEEN)][::4], ids=text)
def test_parameters_alone_are_enough_to_name_it(method, convention):
    report = verify.check(method, candidate_under(method, convention, show=False), suite(method, convention))
    assert report.explanations == (convention.text,)
    assert report.ok == convention.legitimate


@pytest.mark.parametrize(("method", "convention"), PAIRS, ids=text)
def test_two_conventions_at_once_are_both_named(method, convention):
    report = verify.check(method, candidate_under(method, convention), suite(method, convention))
    assert report.explanations == (convention.text,)
    assert convention.text.count("; ") == 1
    assert (report.verdict, report.divergence) == ("PASS", None)


def test_a_convention_and_a_slip_together_are_a_failure_with_both_named():
    start, slip = (next(c for c in CONVENTIONS["rmsprop"] if part in c.text) for part in ("from ones", "without the root"))
    both = _together((start, slip))
    report = verify.check("rmsprop", candidate_under("rmsprop", both), suite("rmsprop", both))
    assert report.explanations == (f"{start.text}; {slip.text}",)
    assert (report.verdict, report.ok) == ("FAIL", False)


def test_two_conventions_about_one_line_are_not_combined():
    for method in FIRST_ORDER:
        for pair in itertools.combinations(CONVENTIONS[method], 2):
            keys = [key for convention in pair for key in (*convention.rewrites, *convention.start)]
            assert (_together(pair) is None) == (len(set(keys)) < len(keys))


def test_what_nobody_knows_is_not_explained(mine):
    def touch(k, name, values):
        return [value**3 for value in values] if name == "g" else values

    report = verify.check("sgd_m", mine(touch), ["plain"])
    assert (report.verdict, report.explanations, set(report.failing)) == ("FAIL", (), {"g"})


def test_a_cause_must_explain_every_failing_case(mine):
    def candidate(case):
        convention = CONVENTIONS["sgd_m"][0 if case.name == "plain" else 2]
        yield from candidate_under("sgd_m", convention)(case)

    report = verify.check("sgd_m", candidate, ["plain", "narrow"])
    assert (report.verdict, report.explanations[:1]) == ("FAIL", ("g_h is 1/(1 − beta) times what line R§2.5.2 gives",))   # in both


def test_a_convention_that_is_followed_in_some_cases_only_is_no_convention(mine):
    def candidate(case):
        yield from (candidate_under("sgd_m", CONVENTIONS["sgd_m"][0]) if case.name == "plain" else mine())(case)

    report = verify.check("sgd_m", candidate, ["plain", "narrow"])
    assert (report.verdict, report.explanations) == ("FAIL", ())
    assert [case.verdict for case in report.cases] == ["FAIL", "PASS"]


def test_texts_are_different_and_rewrites_name_tagged_lines():
    for name, conventions in CONVENTIONS.items():
        assert len({convention.text for convention in conventions}) == len(conventions)
        assert len({(*sorted(c.rewrites.items()), *sorted(c.start.items())) for c in conventions}) == len(conventions)
        module = PROCEDURES[name].module if name in PROCEDURES else sys.modules[METHODS[name].step.__module__]
        for convention in conventions:
            instrument(module, _identity, convention.rewrites)
            assert convention.rewrites or convention.start


@pytest.mark.parametrize(("name", "convention"), OF_PROCEDURES, ids=text)
def test_a_slip_in_a_procedure_is_named(name, convention, monkeypatch):
    procedure = PROCEDURES[name]
    some = list(procedure.inputs())[::3]                             # not all of them, which takes long
    monkeypatch.setitem(PROCEDURES, name, procedure._replace(inputs=lambda: iter(some)))
    wrong = instrument(procedure.module, _identity, convention.rewrites)[procedure.function]
    report = verify.check(name, wrong)
    assert (report.verdict, report.ok, report.explanations) == ("FAIL", False, (convention.text,))
    shown = {key.rpartition(".")[2] for key in convention.rewrites} & {"s_t", "y_t", "result"}
    assert set(report.failing) >= shown
    assert report.divergence.line == procedure.names()[report.divergence.quantity]
