"""`check`: run a candidate on a suite, judge every line, and say what explains a failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

from ..arrays.errors import expect
from ..reference import METHODS
from .case import Case, Layout
from .cases import cases as named_cases
from .conventions import CONVENTIONS
from .procedures import PROCEDURES, check_procedure
from .progress import progress
from .replay import EXPLAINED, PAPER, Convention, annotated, by_tensor, replay, rounding_ratio, settled, worst
from .report import CaseReport, Report
from .runner import Endless, Misbehaved, run


def check(method: str, candidate: Callable[..., Any], cases: Any = None, *, layout: Layout | None = None,
          time_limit: float = 60, bad_input: bool = False) -> Report:
    """Is `candidate` a right implementation of `method`, and if not, where does it first go wrong?

    Takes    method: a name out of `reference.METHODS`, or a procedure such as "damping.double_damping" (then the candidate is
             a plain function); candidate: a callable that takes a `Case` and yields, after each step, a dict of named arrays:
             "W" and "b" by layer, and any of the method's Trace and State names, by tensor (a list of matrices, or all of them
             in one list, where a tensor has one for each mode); cases: names of cases, or Cases,
             or None for the default suite; layout: how the candidate writes its layers; time_limit: seconds between yields;
             a candidate that takes longer is not run on further cases; bad_input: also call a procedure with arguments that
             the reference refuses, and expect it to raise.
    Returns  a Report.
    Raises   ValueError for an unknown method or case, or a Case that the reference refuses; TypeError for a candidate that
             cannot be called.
    """
    expect(callable(candidate), "candidate", "a callable", "the judge runs it", type(candidate).__name__, TypeError)
    if method in PROCEDURES:
        return check_procedure(method, candidate, CONVENTIONS.get(method, ()), time_limit, bad_input)
    expect(method in METHODS, "method", f"one of {', '.join((*METHODS, *PROCEDURES))}", "the reference has these", repr(method))
    expect(not isinstance(cases, str), "cases", "a list of names or Cases", "a suite is made of them", repr(cases))
    chosen = [case if isinstance(case, Case) else named_cases(method, [case])[0] for case in
              (named_cases(method) if cases is None else cases)]
    if layout is not None:
        chosen = [replace(case, layout=layout) for case in chosen]
    for case in chosen:
        expect(case.method == method, "cases", f"cases of {method}", "its reference replays them", f"one of {case.method}")
        case.check()
    judged: list[_Judged] = []
    for case in progress(chosen, method):
        judged.append(_Judged(case, candidate, time_limit))
        if judged[-1].endless:
            break
    return _report(method, judged)


def judge_steps(case: Case, steps: list[dict[str, Any]]) -> Report:
    """Judge a trajectory that has been written down, such as one read by `case.read_steps`."""
    return _report(case.method, [_Judged(case, lambda _: iter(steps), time_limit=60)])


class _Judged:
    """One case with the steps that the candidate took on it."""

    def __init__(self, case: Case, candidate: Callable[..., Any], time_limit: float) -> None:
        self.case, self.candidate, self.time_limit = case, candidate, time_limit
        self.steps: list[dict[str, Any]] = []
        self.reason, self.endless = "", False
        try:
            self.steps = run(candidate, case, time_limit)
        except Misbehaved as error:
            self.reason, self.endless = str(error), isinstance(error, Endless)

    def under(self, convention: Convention) -> CaseReport:
        if self.reason:
            return CaseReport(self.case.name, "FAIL", (), self.reason)
        try:
            lines = tuple(replay(self.case, self.steps, convention))
        except Misbehaved as error:
            return CaseReport(self.case.name, "FAIL", (), str(error))
        return CaseReport(self.case.name, worst(lines), lines, tensors=tensor_names(self.case),
                          whole=tuple(annotated(METHODS[self.case.method], "Array", "Array | None")))

    def with_ratio(self, report: CaseReport, convention: Convention) -> CaseReport:
        """The report with rounding told from formula: the candidate runs once more, in float32."""
        bad = [line for line in report.lines if line.verdict == "FAIL"]
        if not bad or self.case.dtype != "float64":
            return report
        try:
            case = self.case.in_dtype("float32")
            lines = replay(case, run(self.candidate, case, self.time_limit), convention)
        except Misbehaved:
            return report
        ratios = [rounding_ratio(line, lines) for line in bad]
        return replace(report, verdict=settled(ratios), ratio32=ratios[0])


def tensor_names(case: Case) -> tuple[str, ...]:
    """W_1, b_1, gamma_2, beta_2, … where the method lists its quantities by tensor; none otherwise."""
    return tuple(f"{name}_{l}" for l, layer in enumerate(case.params, start=1) for name in layer._fields) \
        if by_tensor(METHODS[case.method]) else ()


def _report(method: str, judged: list[_Judged]) -> Report:
    names = METHODS[method].LINES
    reports = [case.with_ratio(case.under(PAPER), PAPER) for case in judged]
    report = Report(method, names, tuple(reports), by_tensor=by_tensor(METHODS[method]))
    failed = [case for case, old in zip(judged, reports, strict=True) if old.verdict == "FAIL"]
    if report.verdict != "FAIL" or any(case.reason for case in failed):     # no convention explains a program that does not run
        return report
    right = {name for name, row in report.coverage.items() if row["compared"]} - set(report.failing)
    known = [convention for convention in CONVENTIONS.get(method, ()) if not convention.names() <= right]
    for conventions in [*((c,) for c in known), *combinations(known, 2)]:
        both = _together(conventions)
        if both is None:
            continue
        if {case.under(both).verdict for case in failed} not in EXPLAINED:
            continue
        if not both.legitimate:
            return replace(report, explanations=(both.text,))
        under = Report(method, names, tuple(case.with_ratio(case.under(both), both) for case in judged),
                       (both.text,), by_tensor=by_tensor(METHODS[method]))
        if under.ok:
            return under
    return report


def _together(conventions: tuple[Convention, ...]) -> Convention | None:
    """Several conventions as one, or None where two of them speak of the same thing."""
    rewrites = [key for c in conventions for key in {*c.rewrites, *c.start}]
    if len(set(rewrites)) < len(rewrites):
        return None
    return Convention("; ".join(c.text for c in conventions), {k: v for c in conventions for k, v in c.rewrites.items()},
                      {k: v for c in conventions for k, v in c.start.items()}, all(c.legitimate for c in conventions))
