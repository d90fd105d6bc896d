"""A candidate against vectors: its results, computed now or written down by a program in any language, and the stored bands.

Nothing is computed here but differences: a result passes where |x − data| ≤ 2ᵏ entry by entry, as in the judge up to 8 bands are
GREY, and a quantity whose bands are wider than 1 % of its largest entry decides nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ...arrays import cast
from ...arrays.errors import expect
from ...nets import Layer, Model
from ...reference import grouped_newton
from ..case import Case, flat, read_model
from ..procedures import PROCEDURES, Product, kept, named
from ..progress import progress
from ..replay import GREY
from ..report import COLOURS, ORDER
from ..runner import Endless, Misbehaved, produced, run
from . import build
from .evaluate import bands, tells
from .format import DATA, decode, parse, read, read_text, value_of

Array = Any

ANSWERS = "stepgauge answers 1"

ACCEPTED = ("PASS", "GREY")

VERDICTS = ("PASS", "GREY", "UNINFORMATIVE", "OTHER", "NOT-REJECTED", "FAIL")
"""OTHER: an acceptable result that the candidate has not; all others as in the judge."""


@dataclass(frozen=True)
class Outcome:
    """One vector: its id, what it asks for, the verdict, and a reason in words or one entry: the first array that fails, in order
    of computation, or else the worst, at its worst entry, with the error in bands.

    convention    of an acceptable vector: what its results come from; of: the valid vector with the same inputs.
    """

    id: str
    result: str
    verdict: str
    ratio: float = 0.0
    place: str = ""
    observed: float = 0.0
    expected: float = 0.0
    reason: str = ""
    convention: str = ""
    of: str = ""


@dataclass(frozen=True)
class Replay:
    """A candidate against the vectors of one subject, in one dtype."""

    subject: str
    dtype: str
    outcomes: tuple[Outcome, ...]

    @property
    def convention(self) -> str:
        """The published convention whose results the candidate has for every valid vector that it fails, or ""."""
        failed = {outcome.id for outcome in self.outcomes if outcome.result == "valid" and outcome.verdict not in ACCEPTED}
        for text in dict.fromkeys(outcome.convention for outcome in self.outcomes if outcome.of):
            twins = {outcome.of for outcome in self.outcomes if outcome.convention == text and outcome.verdict in ACCEPTED}
            if failed and failed <= twins:
                return text
        return ""

    @property
    def verdict(self) -> str:
        """The worst verdict of what must be so: of valid vectors, unless a convention explains them all, of invalid ones, and of
        the best of several acceptable results where none is valid.
        """
        counted = {outcome.verdict for outcome in self.outcomes
                   if outcome.result == "invalid" or (outcome.result == "valid" and not self.convention)}
        counted |= {outcome.verdict for outcome in self.outcomes if self.convention and outcome.convention == self.convention}
        for first in (outcome for outcome in self.outcomes if outcome.result == "acceptable" and not outcome.of):
            found = {outcome.verdict for outcome in self.outcomes if first.id in (outcome.id, outcome.of)}
            counted.add(next((verdict for verdict in VERDICTS if verdict in found and verdict != "OTHER"), "FAIL"))
        decided = counted - {"UNINFORMATIVE"} or counted
        return next((verdict for verdict in ORDER if verdict in decided), "UNINFORMATIVE")

    @property
    def ok(self) -> bool:
        """PASS, or GREY."""
        return self.verdict in ACCEPTED

    def to_json(self) -> str:
        """Everything, for other programs."""
        outcomes = [{name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
                     for name, value in vars(outcome).items()} for outcome in self.outcomes]
        return json.dumps({"subject": self.subject, "dtype": self.dtype, "verdict": self.verdict, "ok": self.ok,
                           "convention": self.convention, "vectors": outcomes}, ensure_ascii=False, indent=1)

    def __rich__(self) -> Any:
        """The page."""
        colour = COLOURS.get(self.verdict, "red")
        about = f"  {self.subject}, vectors {build.VERSION}, {self.dtype}"
        parts: list[Any] = [Text.assemble((self.verdict, f"bold {colour}"), about)]
        if self.convention:
            parts.append(Text(f"  Convention: {self.convention}", style="bold"))
        parts += [Text(""), self._counts()]
        worst = [outcome for outcome in self.outcomes if outcome.result != "acceptable" and outcome.verdict not in ACCEPTED]
        if worst:
            parts += [Text(""), self._failures(worst)]
        return Panel(Group(*parts), expand=False, border_style=colour)

    def _counts(self) -> Table:
        table = Table(box=None, pad_edge=False)
        table.add_column("  vectors")
        for verdict in VERDICTS:
            table.add_column(verdict, justify="right")
        for result in ("valid", "acceptable", "invalid"):
            verdicts = [outcome.verdict for outcome in self.outcomes if outcome.result == result]
            table.add_row(f"  {result}", *(str(verdicts.count(verdict)) for verdict in VERDICTS))
        return table

    def _failures(self, outcomes: list[Outcome]) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading in ("  vector", "verdict", "where", "observed", "expected", "bands"):
            table.add_column(heading, overflow="fold")
        for outcome in outcomes:
            numbers = (f"{outcome.observed:.9g}", f"{outcome.expected:.9g}", f"{outcome.ratio:.2g}")
            table.add_row(f"  {outcome.id.split('/', 1)[1]}", outcome.verdict, outcome.reason or outcome.place,
                          *(("", "", "") if outcome.reason else numbers))
        return table


def load(subject: str, folder: Path = DATA) -> dict[str, Any]:
    """The vectors of a subject.

    Raises   ValueError for an unknown subject, or a file that is not what `format.read` lets through.
    """
    expect(subject in build.SUBJECTS, "subject", f"one of {', '.join(build.SUBJECTS)}", "the set has these", repr(subject))
    tree = read(folder / f"{subject}.json")
    expect(tree["subject"] == subject, f"{subject}.json: subject", repr(subject), "the file is named after it",
           repr(tree["subject"]))
    return tree


def replay(subject: str, candidate: Callable[..., Any], dtype: str = "float64", *, time_limit: float = 60,
           bad_input: bool = False, folder: Path = DATA) -> Replay:
    """Call a candidate with the inputs of every vector and compare.

    Takes    candidate: what `verify.check` takes: a plain function for a procedure, a callable of a `Case` that yields one dict
             a step for a method; dtype: "float64" or "float32"; time_limit: seconds a call or step; a candidate that takes longer
             is not called again; bad_input: replay the invalid vectors too, and expect it to raise.
    Returns  a Replay.
    Raises   ValueError for an unknown subject or a malformed file; TypeError for a candidate that cannot be called.
    """
    expect(callable(candidate), "candidate", "a callable", "it is replayed", type(candidate).__name__, TypeError)
    tree = _asked(load(subject, folder), bad_input)
    answers: dict[str, Any] = {}
    for vector in progress([vector for vector in tree["vectors"] if "of" not in vector], subject):
        try:
            answers[vector["id"]] = _answer(subject, tree["kind"], vector, candidate, dtype, time_limit)
        except Endless as error:
            answers[vector["id"]] = error
            break
        except Misbehaved as error:
            answers[vector["id"]] = error
    return compared(tree, answers, dtype)


def _asked(tree: dict[str, Any], bad_input: bool) -> dict[str, Any]:
    return tree | {"vectors": [vector for vector in tree["vectors"] if bad_input or vector["result"] != "invalid"]}


def replay_answers(subject: str, path: Path, *, bad_input: bool = False, folder: Path = DATA) -> Replay:
    """Compare what a program in any language has written down.

    Takes    path: a JSON file {"format", "subject", "dtype", "answers"}, where answers has, by id, {"error": text}, or for a
             procedure quantities by name, for a method a list with such quantities for each step (the initial state in front or
             not); an array is {"shape", "data"}, with numbers as JSON numbers or as in the vectors; bad_input: count the
             invalid vectors too.
    Raises   ValueError for a file that is anything else.
    """
    tree, text = load(subject, folder), parse(read_text(path), path.name)
    expect(isinstance(text, dict) and set(text) == {"format", "subject", "dtype", "answers"}, path.name,
           "the keys format, subject, dtype, answers", "answers are told by them", sorted(text) if isinstance(text, dict) else text)
    for key, allowed in (("format", (ANSWERS,)), ("subject", (subject,)), ("dtype", ("float64", "float32"))):
        expect(text[key] in allowed, f"{path.name}: {key}", f"one of {', '.join(allowed)}", "answers are compared as that",
               repr(text[key]))
    expect(isinstance(text["answers"], dict), f"{path.name}: answers", "an object", "answers are found by id",
           type(text["answers"]).__name__)
    known = {vector["id"] for vector in tree["vectors"]}
    answers: dict[str, Any] = {}
    for identity, answer in text["answers"].items():
        expect(identity in known, f"{path.name}: {identity}", "the id of a vector", "it answers one", "another")
        try:
            answers[identity] = _read_answer(answer)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            answers[identity] = Misbehaved(f"answer: expected quantities or an error because it is compared, got {error}")
    return compared(_asked(tree, bad_input), answers, text["dtype"])


class Refused(Misbehaved):
    """What an answer says that has no result, because the arguments were refused."""


def _read_answer(answer: Any) -> Any:
    if isinstance(answer, dict) and set(answer) == {"error"}:
        return Refused(str(answer["error"])[:200])
    if isinstance(answer, list):
        return [_read_quantities(step) for step in answer]
    return _read_quantities(answer)


def _read_quantities(tree: Any) -> dict[str, Any]:
    return {str(name): [_read_array(part) for part in value] if isinstance(value, list) else _read_array(value)
            for name, value in tree.items()}


def _read_array(tree: Any) -> Array:
    shape, data = tree["shape"], tree["data"]
    expect(all(isinstance(axis, int) and axis >= 0 for axis in shape) and math.prod(shape) == len(data), "shape",
           f"numbers whose product is {len(data)}", "there are as many entries", shape)
    return np.array([value_of(entry) for entry in data], dtype=np.float64).reshape(shape)


def _answer(subject: str, kind: str, vector: dict[str, Any], candidate: Callable[..., Any], dtype: str, time_limit: float) -> Any:
    if kind == "method":
        case = Case.from_described(decode(vector["case"]), lambda array: array).in_dtype(dtype)
        return run(candidate, case, time_limit)
    procedure = PROCEDURES[subject]
    arguments = {name: _argument(decode(value)) for name, value in vector["arguments"].items()}
    args, kwargs = cast(build.call(getattr(procedure.module, procedure.function), arguments), dtype)

    def work() -> Iterator[Any]:
        yield kept(candidate(*args, **kwargs))

    returned, = produced(work, "result", time_limit)
    fields = procedure.fields()
    shown = {name: named(returned, name, fields) for name in procedure.names()}
    return {name: value for name, value in shown.items() if value is not None}


RECORDS = {frozenset(record._fields): record for record in (Layer, grouped_newton.State, grouped_newton.Hyper, Product)}


def _argument(tree: Any) -> Any:
    """A network, or the record that has these fields, wherever it stands; lists as tuples.

    Raises   ValueError for other fields.
    """
    if isinstance(tree, list):
        return tuple(map(_argument, tree))
    if not isinstance(tree, dict):
        return tree
    if set(tree) == set(Model._fields):
        return read_model(tree)
    expect(frozenset(tree) in RECORDS, "arguments", "records that procedures take", "they are made anew", sorted(tree))
    return RECORDS[frozenset(tree)](**{name: _argument(branch) for name, branch in tree.items()})


def compared(tree: dict[str, Any], answers: dict[str, Any], dtype: str) -> Replay:
    """The verdict on answers: by id, quantities (a dict, or a list of them), or a Misbehaved that says why there are none."""
    outcomes = []
    for vector in tree["vectors"]:
        answer = answers.get(vector.get("of", vector["id"]), Misbehaved("no answer"))
        about = {name: vector.get(name, "") for name in ("id", "result", "convention", "of")}
        if vector["result"] == "invalid":
            given = not isinstance(answer, Misbehaved) or str(answer) == "no answer"
            verdict = ("FAIL" if str(answer) == "no answer" else "NOT-REJECTED") if given else "PASS"
            reason = "" if not given else f"expected an error that names {vector['error']}, got " + \
                ("no answer" if verdict == "FAIL" else "a result")
            outcomes.append(Outcome(**about, verdict=verdict, reason=reason))
            continue
        try:
            if isinstance(answer, Misbehaved):
                raise answer
            outcome = Outcome(**about, **_against(vector, answer, dtype))
        except Misbehaved as error:
            outcome = Outcome(**about, verdict="FAIL", ratio=math.inf, reason=str(error))
        other = vector["result"] == "acceptable" and outcome.verdict == "FAIL"
        outcomes.append(replaced(outcome, verdict="OTHER") if other else outcome)
    return Replay(tree["subject"], dtype, tuple(outcomes))


def _against(vector: dict[str, Any], answer: Any, dtype: str) -> dict[str, Any]:
    """The verdict on one answer, and the worst entry."""
    of_method = "steps" in vector
    expected = vector["steps"] if of_method else [vector["expected"]]
    shown = answer if isinstance(answer, list) else [answer]
    steps = len(expected) - ("case" in vector)
    expect(len(shown) in ((steps, steps + 1) if of_method else (1,)), "steps", f"{steps}, and the initial state in front or not",
           "the vector has as many", len(shown), Misbehaved)
    fields = build.PARAMETERS if of_method else PROCEDURES[vector["id"].partition("/")[0]].fields() or ("result",)
    worst: dict[str, Any] = {"ratio": -1.0}
    informative = False
    both = min(len(expected), len(shown))
    for k, (right, found) in enumerate(zip(expected[-both:], shown[-both:], strict=True), start=steps + 1 - both):
        where = f"step {k}, " if of_method else ""
        for name in (name for name in fields if name in right and name not in found):
            raise Misbehaved(f"{where}{name}: expected an array because it is the result, got none")
        for name in (name for name in right if name in found):
            parts, values = _listed(right[name]), _listed(found[name])
            expect(len(parts) == len(values), f"{where}{name}", f"{len(parts)} arrays", "the vector has as many", len(values),
                   Misbehaved)
            for i, (part, value) in enumerate(zip(parts, values, strict=True)):
                place = f"{where}{name}[{i}]" if isinstance(right[name], list) else f"{where}{name}"
                entry = _worst_entry(part, value, dtype, place)
                informative |= tells(part, dtype)
                if worst["ratio"] <= GREY and entry["ratio"] > worst["ratio"]:
                    worst = entry
    ratio = worst["ratio"]
    verdict = "FAIL" if ratio > GREY else "UNINFORMATIVE" if not informative else "PASS" if ratio <= 1 else "GREY"
    return worst | {"verdict": verdict}


def _listed(value: Any) -> list[Any]:
    return flat(value) if isinstance(value, list) else [value]


def _worst_entry(part: dict[str, Any], value: Array, dtype: str, place: str) -> dict[str, Any]:
    """The entry that is furthest off, in its own bands."""
    expect(isinstance(value, np.ndarray) and list(value.shape) == part["shape"], place, f"shape {part['shape']}",
           "the vector has that", getattr(value, "shape", type(value).__name__), Misbehaved)
    right, band = np.array(list(map(value_of, part["data"]))), bands(part, dtype)
    if not len(right):
        return {"ratio": -1.0}
    shown = value.reshape(-1).astype(np.float64)
    with np.errstate(all="ignore"):
        error = np.where(shown == right, 0, np.abs(shown - right))
        ratio = np.where(error == 0, 0, np.where(np.isfinite(shown), np.where(np.isinf(band), 0, error / band), np.inf))
    i = int(np.argmax(ratio))
    entry = [int(axis) for axis in np.unravel_index(i, value.shape)]
    numbers = {"ratio": float(ratio[i]), "observed": float(shown[i]), "expected": float(right[i])}
    return numbers | {"place": f"{place}, entry {entry}"}
