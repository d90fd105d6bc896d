"""What the judge found: a verdict, the first divergence, what was covered, and what explains it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .replay import Line

ORDER = ("FAIL", "NOT-REJECTED", "UNSTABLE", "UNINFORMATIVE", "GREY", "PASS")
"""From worst to best: a suite is as bad as its worst case."""

COLOURS = {"PASS": "green", "GREY": "yellow", "UNINFORMATIVE": "yellow", "UNSTABLE": "magenta"}


@dataclass(frozen=True)
class CaseReport:
    """One case: its name, its verdict, every line compared, and what was wrong with the candidate as a program, if anything.

    tensors    the names of the tensors, W_1, b_1, W_2, …, where quantities are listed by tensor.
    whole      the quantities that are one array all the same.
    """

    case: str
    verdict: str
    lines: tuple[Line, ...] = ()
    reason: str = ""
    tensors: tuple[str, ...] = ()
    ratio32: float | None = None
    """Error in float32 over error in float64 at the first failing line: about 1 for a wrong formula, above 1e6 for rounding."""
    whole: tuple[str, ...] = ()

    def place(self, line: Line) -> str:
        """Which tensor and entry a line is worst in."""
        mode = f", mode {line.mode}" if line.mode else ""
        of_tensor = self.tensors and line.name not in self.whole
        return f"{self.tensors[line.index]}{mode}, entry {list(line.entry)}" if of_tensor else f"entry {list(line.entry)}"

    @property
    def undecided(self) -> list[int]:
        """Steps in which a decision lay within rounding, so that both ways were followed and the kinder one counted."""
        return sorted({line.step for line in self.lines if line.undecided})


@dataclass(frozen=True)
class Divergence:
    """The first failing line in order of computation.

    case, step, layer, place    where: the case, the step (0: the initial state), the layer from 0, and the entry in words.
    quantity, line              what: the Trace name and its paper line.
    observed … band             the entry that is furthest off, in units of its own band.
    ratio32                     the error in float32 over the error in float64 at this line, where both could be had.
    """

    case: str
    step: int
    layer: int
    place: str
    quantity: str
    line: str
    observed: float
    expected: float
    error: float
    band: float
    ratio32: float | None


@dataclass(frozen=True)
class Report:
    """A candidate against a method or procedure.

    subject          what was judged.
    names            quantity to paper line, for all that the method has.
    cases            one CaseReport each.
    known            causes out of the dictionary that make every line pass, best first; conventions where the verdict is PASS.
    by_tensor        are quantities listed by tensor, W_1, b_1, W_2, b_2, …?
    shrink           finds a smallest case that still fails and describes it, in lines; None where the candidate cannot be run.
    search           looks for causes that the dictionary does not have; "" for what it does not find.
    """

    subject: str
    names: dict[str, str]
    cases: tuple[CaseReport, ...]
    known: tuple[str, ...] = ()
    by_tensor: bool = False
    shrink: Callable[[], tuple[str, ...]] | None = field(default=None, repr=False, compare=False)
    search: Callable[[], tuple[str, ...]] | None = field(default=None, repr=False, compare=False)

    @property
    def verdict(self) -> str:
        """The worst case's verdict; cases that decide nothing count only where all of them do."""
        verdicts = {case.verdict for case in self.cases}
        if verdicts <= {"UNINFORMATIVE"}:
            return "UNINFORMATIVE"
        return next(verdict for verdict in ORDER if verdict in verdicts - {"UNINFORMATIVE"})

    @property
    def ok(self) -> bool:
        """Is the candidate right, as far as it shows itself?  (GREY, up to 8 bands, is what an unstable right formula may need.)"""
        return self.verdict in ("PASS", "GREY")

    @property
    def divergence(self) -> Divergence | None:
        """The first failing line of the first failing case, or None."""
        for case in self.cases:
            for line in case.lines:
                if line.verdict == "FAIL":
                    return Divergence(case.case, line.step, line.index // 2 if self.by_tensor else line.index,
                                      case.place(line), line.name, line.tag, line.observed, line.expected, line.error,
                                      line.band, case.ratio32)
        return None

    @cached_property
    def explanations(self) -> tuple[str, ...]:
        """Causes, best first; conventions where the verdict is PASS.  What the dictionary does not have is looked for now."""
        return self.known or tuple(text for text in self.search() if text) if self.search is not None else self.known

    @cached_property
    def smallest(self) -> tuple[str, ...]:
        """A smallest case on which the same line fails, in words and numbers; () without one.  The candidate runs again for it."""
        return self.shrink() if self.shrink is not None and self.divergence is not None else ()

    @property
    def quoted(self) -> str:
        """The paper line of the divergence: its tag, in words, and the reference's code for it."""
        from .show import quoted

        return quoted(self.subject, self.divergence.line) if self.divergence else ""

    @property
    def coverage(self) -> dict[str, dict[str, Any]]:
        """For every quantity: its line, how often it was compared, in how many cases informatively, the worst error in bands."""
        found = {}
        for name, tag in self.names.items():
            lines = [line for case in self.cases for line in case.lines if line.name == name]
            cases = [case for case in self.cases if any(line.name == name and line.informative for line in case.lines)]
            found[name] = {"line": tag, "compared": len(lines), "informative_cases": len(cases),
                           "worst": max((line.ratio for line in lines), default=None)}
        return found

    @property
    def failing(self) -> dict[str, str]:
        """Every quantity that failed somewhere, with its line: the diagnosis."""
        return {line.name: line.tag for case in self.cases for line in case.lines if line.verdict == "FAIL"}

    def to_json(self) -> str:
        """The report as JSON; nan and inf, which JSON does not have, as strings."""
        divergence = self.divergence
        return json.dumps(_finite({
            "subject": self.subject, "verdict": self.verdict, "ok": self.ok,
            "divergence": divergence and vars(divergence), "failing": self.failing, "coverage": self.coverage,
            "explanations": self.explanations, "quoted": self.quoted, "smallest": self.smallest,
            "cases": [{"case": case.case, "verdict": case.verdict, "reason": case.reason, "compared": len(case.lines),
                       "undecided_steps": case.undecided} for case in self.cases]}), indent=1, allow_nan=False)

    def __rich__(self) -> Any:
        """The page."""
        colour = COLOURS.get(self.verdict, "red")
        parts: list[Any] = [Text.assemble((f"{self.verdict}", f"bold {colour}"), f"  {self.subject}")]
        if (d := self.divergence) is not None:
            parts.append(Text(f"\n  First divergence: {d.quantity}, paper line {d.line} "
                              f"(case {d.case}, step {d.step}, {d.place})"))
            parts.append(Text(f"    observed {d.observed:.17g}\n    expected {d.expected:.17g}\n"
                              f"    error    {d.error:.2g}, which is {d.error / d.band:.2g} bands of {d.band:.2g}"
                              if d.band else f"    observed {d.observed:.17g}\n    expected {d.expected:.17g} exactly"))
            parts += [Text(f"    {line}") for line in self.quoted.splitlines()]
            if d.ratio32 is not None:
                parts.append(Text(f"    error in float32 over error in float64: {d.ratio32:.3g} "
                                  "(near 1: a wrong formula; above 1e6: rounding)"))
            parts.append(Text(f"  Lines that fail on their own inputs: {self._failing()}"))
            parts += [Text(f"  {'  ' if i else 'Smallest case found: '}{line}") for i, line in enumerate(self.smallest)]
        for explanation in self.explanations:
            parts.append(Text(f"  {'Cause' if not self.ok else 'Convention'}: {explanation}", style="bold"))
        for reason in dict.fromkeys(case.reason for case in self.cases if case.reason):
            names = "; ".join(case.case for case in self.cases if case.reason == reason)
            parts.append(Text(f"  {reason}\n    in {names}"))
        for case in self.cases:
            if case.undecided:
                parts.append(Text(f"  {case.case}: a decision lies within rounding and was followed both ways "
                                  f"(step {', '.join(map(str, case.undecided))})"))
        parts.append(Text(""))
        parts.append(self._table())
        return Panel(Group(*parts), expand=False, border_style=colour)

    def to_markdown(self) -> str:
        """The report for an issue tracker."""
        lines = [f"## {self.verdict}: {self.subject}", ""]
        if (d := self.divergence) is not None:
            lines += [f"First divergence: **{d.quantity}**, paper line **{d.line}** (case {d.case}, step {d.step}, {d.place})", ""]
            lines += ["```", *self.quoted.splitlines(), "```", ""] if self.quoted else []
            lines += ["| observed | expected | error | band |", "|---|---|---|---|",
                      f"| {d.observed:.17g} | {d.expected:.17g} | {d.error:.2g} | {d.band:.2g} |", "",
                      f"Lines that fail on their own inputs: {self._failing()}", ""]
            lines += ["Smallest case found:", "", "```", *self.smallest, "```", ""] if self.smallest else []
        lines += [f"{'Convention' if self.ok else 'Cause'}: {explanation}\n" for explanation in self.explanations]
        lines += [f"{reason}\n" for reason in dict.fromkeys(case.reason for case in self.cases if case.reason)]
        lines += ["| quantity | paper line | compared | informative cases | worst error in bands |", "|---|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in self._rows()]
        return "\n".join(lines) + "\n"

    def _failing(self) -> str:
        return ", ".join(f"{name} ({tag})" for name, tag in self.failing.items())

    def _rows(self) -> list[tuple[str, ...]]:
        """Coverage as text: quantity, paper line, comparisons, informative cases, worst error in bands."""
        return [(name, row["line"], str(row["compared"]), f"{row['informative_cases']} of {len(self.cases)}",
                 "not exposed" if row["worst"] is None else f"{row['worst']:.2g}") for name, row in self.coverage.items()]

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading in ("  quantity", "paper line", "compared", "informative cases", "worst error in bands"):
            table.add_column(heading, justify="left" if "quantity" in heading or "line" in heading else "right")
        for name, *row in self._rows():
            table.add_row(f"  {name}", *row)
        return table

    def __str__(self) -> str:
        console = Console(width=110, color_system=None, highlight=False)
        with console.capture() as capture:
            console.print(self)
        return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _finite(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _finite(branch) for name, branch in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(branch) for branch in tree]
    return str(tree) if isinstance(tree, float) and not math.isfinite(tree) else tree
