"""`check`: run a candidate on a suite, judge every line, and say what explains a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import combinations
from multiprocessing import get_context
from pickle import PicklingError, dumps
from typing import Any

from ..arrays.errors import expect
from ..reference import METHODS
from .case import Case, Layout
from .cases import cases as named_cases
from .conventions import CONVENTIONS
from .factors import factor
from .nearest import nearest
from .procedures import PROCEDURES, check_procedure
from .progress import progress
from .replay import PAPER, Convention, Line, annotated, by_tensor, explained, replay, rounding_ratio, settled, worst
from .report import CaseReport, Report
from .runner import Endless, Misbehaved, run
from .shrink import described, shrunk


def check(method: str, candidate: Callable[..., Any], cases: Any = None, *, layout: Layout | None = None,
          time_limit: float = 60, bad_input: bool = False, jobs: int = 1) -> Report:
    """Is `candidate` a right implementation of `method`, and if not, where does it first go wrong?

    Takes    method: a name out of `reference.METHODS`, or a procedure such as "damping.double_damping" (then the candidate is
             a plain function); candidate: a callable that takes a `Case` and yields, after each step, a dict of named arrays:
             "W" and "b" by layer, and any of the method's Trace and State names, by tensor (a list of matrices, or all of them
             in one list, where a tensor has one for each mode); cases: names of cases, or Cases,
             or None for the default suite; layout: how the candidate writes its layers; time_limit: seconds between yields;
             a candidate that takes longer is not run on further cases; bad_input: also call a procedure with arguments that
             the reference refuses, and expect it to raise; jobs: processes that go through a method's cases, for which the
             candidate has to be a function that can be pickled.
    Returns  a Report, the same for every number of jobs.
    Raises   ValueError for an unknown method or case, or a Case that the reference refuses; TypeError for a candidate that
             cannot be called, or pickled where that is needed.
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
    expect(isinstance(jobs, int) and jobs >= 1, "jobs", "a positive integer", "it counts processes", jobs)
    judged: list[tuple[_Judged, CaseReport]] = []
    for one in progress(_each(partial(_judge, candidate, time_limit), chosen, candidate, jobs), method, len(chosen)):
        judged.append(one)
        if one[0].endless:
            break
    return _report(method, judged)


def _each(work: Callable[[Case], Any], chosen: list[Case], candidate: Any, jobs: int) -> Iterator[Any]:
    """`work` of every case, in order, by so many processes."""
    if jobs == 1:
        yield from map(work, chosen)
        return
    try:
        dumps(candidate)
    except (PicklingError, AttributeError, TypeError) as error:
        raise TypeError(f"candidate: expected a function that can be pickled because {jobs} processes call it, "
                        f"got {error}") from error
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        try:
            yield from pool.map(work, chosen)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _judge(candidate: Callable[..., Any], time_limit: float, case: Case) -> tuple[_Judged, CaseReport]:
    one = _Judged(case, candidate, time_limit)
    return one, one.with_ratio(one.under(PAPER), PAPER)


def judge_steps(case: Case, steps: list[dict[str, Any]]) -> Report:
    """Judge a trajectory that has been written down, such as one read by `case.read_steps`."""
    return replace(_report(case.method, [_judge(lambda _: iter(steps), 60, case)]), shrink=None)


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
        except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
            if convention is PAPER:
                raise
            return CaseReport(self.case.name, "FAIL", (), f"this convention cannot go through the case: {error}")
        return CaseReport(self.case.name, worst(lines), lines, tensors=tensor_names(self.case),
                          whole=tuple(annotated(METHODS[self.case.method], "Array", "Array | None")))

    def first(self, case: Case) -> Line | None:
        """The first line of a case that fails; the candidate runs on it."""
        try:
            lines = replay(case, run(self.candidate, case, self.time_limit), PAPER)
        except Misbehaved:
            return None
        return next((line for line in lines if line.verdict == "FAIL"), None)

    def smallest(self, report: CaseReport) -> tuple[str, ...]:
        return described(shrunk(self.case, next(line for line in report.lines if line.verdict == "FAIL"), self.first))

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


def _report(method: str, found: list[tuple[_Judged, CaseReport]]) -> Report:
    names, judged = METHODS[method].LINES, [case for case, _ in found]
    first = next((pair for pair in found if any(line.verdict == "FAIL" for line in pair[1].lines)), None)
    report = Report(method, names, tuple(report for _, report in found), by_tensor=by_tensor(METHODS[method]),
                    shrink=first and (lambda: first[0].smallest(first[1])))
    failed = [case for case, old in found if old.verdict == "FAIL"]
    if report.verdict != "FAIL":
        return report
    if not any(case.reason for case in failed):     # no convention explains a program that does not run
        right = {name for name, row in report.coverage.items() if row["compared"]} - set(report.failing)
        known = [convention for convention in CONVENTIONS.get(method, ()) if not convention.names() <= right]
        for conventions in [*((c,) for c in known), *combinations(known, 2)]:
            both = _together(conventions)
            if both is None or not explained(case.under(both).verdict for case in failed):
                continue
            if not both.legitimate:
                return replace(report, known=(both.text,))
            under = Report(method, names, tuple(case.with_ratio(case.under(both), both) for case in judged),
                           (both.text,), by_tensor=by_tensor(METHODS[method]))
            if under.ok:
                return under
    shown = [(case, of_case.lines) for case, of_case in found if not of_case.reason]
    return replace(report, search=lambda: (factor([(case.case, lines) for case, lines in shown]),
                                           nearest([(case.case, case.steps, lines) for case, lines in shown])))


def _together(conventions: tuple[Convention, ...]) -> Convention | None:
    """Several conventions as one, or None where two of them speak of the same thing."""
    rewrites = [key for c in conventions for key in {*c.rewrites, *c.start}]
    if len(set(rewrites)) < len(rewrites):
        return None
    return Convention("; ".join(c.text for c in conventions), {k: v for c in conventions for k, v in c.rewrites.items()},
                      {k: v for c in conventions for k, v in c.start.items()}, all(c.legitimate for c in conventions))
