"""The line-local rule: every exposed quantity against its paper line, evaluated on the candidate's own inputs to that line.

The reference's source runs on `Banded` numbers with a stop at every tagged line (`source.instrument`). Where the candidate
exposes the quantity, the two are compared, and then the reference *restarts from the candidate's bits* – passed or failed.
Lines are judged independently: the set of failing lines is the diagnosis, the first in order of computation the divergence.
What the candidate does not expose is carried, with its error bound.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, get_type_hints

import numpy as np

from .. import nets
from ..arrays import map_arrays, precision
from ..arrays.errors import expect
from ..reference import METHODS
from ..reference.parts.kronecker import joined, of_layers, of_norms, split, stacked
from ..reference.parts.lbfgs import Memory
from ..reference.parts.tensor_normal import Factors, as_modes
from .bands import BITS, Banded, Bands, Paths, every_path
from .case import Case, Layout, flat
from .equivalents import WIDER
from .runner import Misbehaved
from .source import instrument

GREY = 8
"""Up to so many bands a difference is GREY: correct code with an unstable but right formula was seen at 4."""

INFORMATIVE = 1e-2
"""A band wider than this share of the largest entry decides nothing."""

ROUNDING, FORMULA = 1e6, 1e3
"""The error in float32 over that in float64: above the first it comes from rounding, below the second from the formula."""

ROOM = 1 + 2.0**-30
"""Bands are computed in float64 themselves: this much more than they say is within them."""


class Line(NamedTuple):
    """One comparison: a quantity at one step, in one layer or tensor.

    step, name, index     where: step (0 is the initial state), Trace name, layer or tensor (from 0).
    mode                  of a tensor, from 1, where the quantity has a matrix for each; 0 otherwise.
    tag                   the paper line.
    ratio                 the largest error in bands (0 where exact; infinite for nan or a wrong exact value).
    entry                 the index of that entry; observed, expected, error, band: its numbers.
    relative              the largest error over the largest expected entry, among the entries beyond their band if there are any:
                          for float32 against float64.
    informative           is some entry's band below 1e-2 of the largest entry (of the largest change, for the parameters)?
    undecided             has a decision before it, in the same step, been within the bands?
    values                the observed and the expected array, for explanations.
    """

    step: int
    name: str
    index: int  # type: ignore[assignment]
    tag: str
    ratio: float
    entry: tuple[int, ...]
    observed: float
    expected: float
    error: float
    band: float
    relative: float
    informative: bool
    undecided: bool
    values: tuple[Any, Any]
    mode: int = 0

    @property
    def verdict(self) -> str:
        """PASS, GREY, FAIL or UNINFORMATIVE."""
        if self.ratio > GREY:
            return "FAIL"
        if not self.informative:
            return "UNINFORMATIVE"
        return "PASS" if self.ratio <= 1 else "GREY"


class Convention(NamedTuple):
    """Another way to write a method: right-hand sides by name, and what the initial state is made of.

    text         what it is, as the report says it.
    rewrites     quantity (or "function.quantity") to the expression that replaces its line.
    start        initial state field to "zeros", "ones" or "eye".
    legitimate   a convention somebody publishes (True) or a slip (False).
    """

    text: str
    rewrites: Mapping[str, str] = {}
    start: Mapping[str, str] = {}
    legitimate: bool = True

    def names(self) -> set[str]:
        """The quantities that it changes."""
        whole = [key.rpartition(".")[2] for key in (*self.rewrites, *self.start)]
        return {name.strip() for names in whole for name in names.split(",")}


PAPER = Convention("as printed")

def explained(verdicts: Iterable[str]) -> bool:
    """Does a convention explain what failed: do all cases pass under it, apart from some that decide nothing?"""
    passed = False
    for verdict in verdicts:
        if verdict not in ("PASS", "UNINFORMATIVE"):
            return False
        passed |= verdict == "PASS"
    return passed


def compare(step: int, name: str, index: int, tag: str, observed: np.ndarray, value: Banded, moved_from: Any = None) -> Line:
    """One Line from what a candidate shows and what the line gives; `moved_from`: the parameters that the line has changed."""
    expected = value.v.astype(np.float64)
    undecided = bool(value.space.paths.taken)
    if not expected.size:                      # an L-BFGS memory that is empty on both sides
        return Line(step, name, index, tag, 0.0, (), 0.0, 0.0, 0.0, 0.0, 0.0, False, undecided, (observed, expected))
    finite = np.isfinite(observed)
    lifted = value.space.asarray(np.where(finite, observed, 0))
    error = np.where(finite, np.abs(np.asarray(lifted.v - value.v, dtype=object).astype(np.float64)), np.inf)
    error = np.where(same_infinity(observed, value), 0, error)
    band = ROOM * value.e + np.where((value.e > 0) | (expected != 0), 8 * value.space.smallest, 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(error == 0, 0, np.where(np.isfinite(band), error / band, np.where(finite, 0, np.inf)))
    scale = float(np.abs(expected).max())
    beyond = ratio > 1
    worst = float(error[beyond if beyond.any() else ...].max())
    told = scale if moved_from is None else float(np.abs(expected - moved_from.v.astype(np.float64)).max())
    entry = tuple(int(i) for i in np.unravel_index(int(np.argmax(ratio)), ratio.shape))
    return Line(step, name, index, tag, float(ratio[entry]), entry, float(observed[entry]), float(expected[entry]),
                float(error[entry]), float(band[entry]), worst / scale if scale else worst,
                bool((band <= INFORMATIVE * told).any()) and told > 0, undecided, (observed, expected))


def another_count(step: int, name: str, index: int, tag: str, observed: np.ndarray, value: Banded) -> Line:
    """The Line of a memory that holds more or fewer pairs than the line gives: their numbers are what is compared."""
    shown, right = (float(x.shape[1]) for x in (observed, value))
    return Line(step, name, index, tag, np.inf, (), shown, right, abs(shown - right), 0.0, 1.0, True, bool(value.space.paths.taken),
                (observed, value.v.astype(np.float64)))


def same_infinity(observed: np.ndarray, value: Banded) -> np.ndarray:
    """Where a candidate shows the infinity that the line gives, such as a ratio for a step that must be refused."""
    return np.isinf(observed) & (observed == value.v.astype(np.float64))


def worst(lines: Iterable[Line]) -> str:
    """The worst verdict of several lines; those that decide nothing count only where all of them do."""
    verdicts = {line.verdict for line in lines}
    return next((verdict for verdict in ("FAIL", "GREY", "PASS") if verdict in verdicts), "UNINFORMATIVE")


def rounding_ratio(line: Line, in_float32: list[Line]) -> float | None:
    """The relative error of the same comparison in float32 over that of `line`, or None where one of them has none."""
    same = [other for other in in_float32 if (*other[:3], other.mode) == (*line[:3], line.mode)]
    comparable = same and line.relative and np.isfinite([line.relative, same[0].relative]).all()
    return same[0].relative / line.relative if comparable else None


def settled(ratios: list[float | None]) -> str:
    """FAIL or UNSTABLE, after the float32/float64 ratios of the failing lines have told rounding from formula.

    One line whose error hardly changes is a wrong formula, whatever rounding does to the others; else the first line decides.
    """
    formula = any(ratio is not None and ratio < FORMULA for ratio in ratios)
    return "UNSTABLE" if not formula and (ratios[0] or 0) > ROUNDING else "FAIL"


def replay(case: Case, steps: list[dict[str, Any]], convention: Convention = PAPER, watch: Any = None) -> list[Line]:
    """Judge a trajectory line by line; open decisions are followed both ways and the kinder outcome counts.

    Takes    steps: one dict a step, as `runner.run` returns them, with the initial state in front or not; watch: called at every
             stop, before it, with this moment's `Step`, tag, function, name, value, and the frame of the reference.
    Raises   Misbehaved where names, shapes, dtypes or the number of steps are not what the method has.
    """
    method = METHODS[case.method]
    initial, steps = check_steps(case, method, steps)
    space = Bands(case.dtype, Paths())
    lines: list[Line] = []
    with precision(BITS), suppress(NotFinite):   # nothing can be computed from there; the line itself is recorded as failed
        params, data, batches = map_arrays(space.asarray, (case.params, case.data, case.batches))
        now = Step(0, {}, case, space, lines)     # what `init` assigns is looked at when it is done
        def stop(tag: str, function: str, name: Any, value: Any) -> Any:
            if watch:
                watch(now, tag, function, name, value, sys._getframe(1))
            return now.stop(tag, name, value)

        source = instrument(sys.modules[method.step.__module__], stop, convention.rewrites)
        state = source["init"](case.model, params, data, case.hyper)
        source |= WIDER
        now = Step(0, initial, case, space, lines)
        if by_tensor(method):
            params = nets.layers(now.stop("initial state", "theta", nets.tensors(params)), params)
        else:
            params = split(params, *(now.stop("initial state", name, value) for name, value in _shown(method, params).items()))
        state = started(state, convention, space)
        state = state._replace(**{name: now.stop("initial state", name, value) for name, value in state._asdict().items()
                                  if isinstance(value, tuple | Banded)})
        for k, (step, batch) in enumerate(zip(steps, batches, strict=True), start=1):
            branches: list[tuple[list[Line], Any]] = []
            refused: list[Exception] = []
            for space.paths in every_path():
                now = Step(k, step, case, space, [], params)
                try:
                    new, after, _ = source["step"](case.model, params, state, batch, case.hyper)
                    branches.append((now.lines, (new, now.unchanged(state, after))))
                except NotFinite as stopped:
                    branches.append((now.lines, stopped))
                except (ValueError, ArithmeticError, Misbehaved) as error:   # this branch cannot be the one that the candidate took
                    refused.append(error)
                    continue
            if not branches:
                raise next((error for error in refused if isinstance(error, Misbehaved)), Misbehaved(
                    f"candidate: expected values that the method can go on from because the next step reads them, "
                    f"got: {refused[0]}"))
            taken, outcome = min(branches, key=lambda branch: _badness(branch[0]))
            lines += taken
            if isinstance(outcome, NotFinite):
                raise outcome
            params, state = outcome
            for other, alternative in branches:        # what as good a branch leaves behind is as possible
                if not isinstance(alternative, NotFinite) and _badness(other) <= max(_badness(taken), (0, 1)):
                    params, state = hull((params, state), alternative)
    return lines


def started(state: Any, convention: Convention, space: Bands) -> Any:
    """The initial state, with what a convention makes of some of its fields."""
    made = {"zeros": space.zeros_like, "ones": space.ones_like, "eye": lambda x: space.eye(x.shape[0])}
    return state._replace(**{name: _leaves(made[what], getattr(state, name)) for name, what in convention.start.items()})


def _leaves(function: Any, tree: Any) -> Any:
    """`function` of every array in nested tuples."""
    return tuple(_leaves(function, branch) for branch in tree) if isinstance(tree, tuple) else function(tree)


def hull(one: Any, other: Any) -> Any:
    """Two trees as one, whose bands hold the values of both; unknown where their shapes differ."""
    if isinstance(one, Banded):
        if one.shape != other.shape:
            longer = max(one, other, key=lambda tree: tree.v.size)      # a memory with the pair and one without it
            return Banded(longer.v, np.full(longer.shape, np.inf), one.space)
        apart = np.abs(np.asarray(one.v - other.v, dtype=object).astype(np.float64))
        return Banded(one.v, np.maximum(one.e, apart + other.e), one.space) if apart.any() or (one.e != other.e).any() else one
    if isinstance(one, tuple):
        parts = [hull(*pair) for pair in zip(one, other, strict=True)]
        return type(one)(*parts) if hasattr(one, "_fields") else tuple(parts)
    return one


def _badness(lines: list[Line]) -> tuple[int, float]:
    return sum(line.ratio > GREY for line in lines), max((line.ratio for line in lines), default=0.0)


def _shown(method: Any, params: Any) -> dict[str, Any]:
    """The parameters under the name by which the method lists them."""
    return {"theta": nets.tensors(params)} if by_tensor(method) else {"W": joined(params), "norm": stacked(params)}


class NotFinite(Exception):
    """A candidate's value that no later line can start from."""


class Step:
    """One step's stops: compares what is exposed and hands the candidate's bits back."""

    def __init__(self, k: int, exposed: dict[str, Any], case: Case, space: Bands, lines: list[Line], before: Any = None) -> None:
        self.k, self.exposed, self.case, self.space, self.lines = k, exposed, case, space, lines
        method = METHODS[case.method]
        self.quantities = {*method.LINES, *method.State._fields}
        self.before, self.moved_from = before, _shown(method, before) if before else {}
        self.met: Counter[str] = Counter()

    def instead(self, tag: str, name: Any, value: Any) -> list[Line]:
        """The comparisons that the next stop would make if the line gave `value`."""
        other = Step(self.k, self.exposed, self.case, self.space, [], self.before)
        other.met = Counter(self.met)
        with suppress(NotFinite):
            other.stop(tag, name, value)
        return other.lines

    def stop(self, tag: str, name: Any, value: Any) -> Any:
        """The value with which the reference goes on: the candidate's bits where it shows them."""
        if isinstance(name, tuple):
            return tuple(self.stop(tag, part, values) for part, values in zip(name, value, strict=True))
        return self.judged(tag, name, value) if name in self.quantities else value

    def unchanged(self, before: Any, after: Any) -> Any:
        """`after`, with the fields that the step has left as they were compared as well: they must stay, bit for bit."""
        tags = METHODS[self.case.method].LINES
        return after._replace(**{name: self.stop(tags.get(name, "unchanged"), name, value)
                                 for name, value in after._asdict().items()
                                 if value is getattr(before, name) and isinstance(value, tuple | Banded)})

    def judged(self, tag: str, name: str, value: Any, *place: int) -> Any:
        """The same for one name, of which the candidate may show every layer."""
        if hasattr(value, "_fields"):
            return type(value)(*(self.judged(tag, field, part, *place) for field, part in value._asdict().items()))
        if isinstance(value, tuple):
            return tuple(self.judged(tag, name, part, *place, i) for i, part in enumerate(value))
        count = self.met[name]
        self.met[name] += 1
        if not isinstance(value, Banded) or name not in self.exposed:
            return value
        shown = self.exposed[name]
        expect(count < len(shown), name, "one array a block", f"line {tag} gives {count + 1} or more", f"{len(shown)}", Misbehaved)
        observed, index, mode = shown[count], place[0] if place else 0, place[1] + 1 if len(place) > 1 else 0
        if name in Memory._fields and observed.ndim == 2 and len(observed) == value.shape[0] and observed.shape != value.shape:
            self.lines.append(another_count(self.k, name, index, tag, observed, value))
            return self.space.asarray(observed)
        expect(observed.shape == value.shape, f"{name}[{count}]", f"shape {value.shape}", f"line {tag} gives one",
               f"{observed.shape} at step {self.k}", Misbehaved)
        moved_from = self.moved_from[name][index] if name in self.moved_from else None
        line = compare(self.k, name, index, tag, observed, value, moved_from)._replace(mode=mode)
        self.lines.append(line)
        if not (np.isfinite(observed) | same_infinity(observed, value)).all():
            raise NotFinite
        return self.space.restarted(observed, value)


def by_tensor(method: Any) -> bool:
    """Does the method list its quantities by tensor, W_1, b_1, W_2, b_2, …, or by layer?"""
    return "theta" in method.Trace._fields


def check_steps(case: Case, method: Any, steps: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The initial state (empty where not yielded) and one dict a step, with "W" and "b" as `theta` or W̄, whichever it has."""
    expect(len(steps) >= case.steps, "candidate", f"{case.steps} steps", "the case has as many batches", len(steps), Misbehaved)
    known = {*method.Trace._fields, *method.State._fields, *method.LINES} - {"theta", "W", "norm"}
    checked = []
    for k, step in enumerate(steps, start=case.steps + 1 - len(steps)):
        step = dict(step)
        theta = parameters(step, case)
        for name in step:
            expect(name in known, name, f"one of W, b, gamma, beta, {', '.join(sorted(known))}",
                   "these are the Trace and State names of the method", repr(name), Misbehaved)
        if "k" in step:
            shown = step.pop("k")
            expect(np.shape(shown) == () and shown == k, "k", str(k), "it counts the steps taken", shown, Misbehaved)
        step = {name: [] if isinstance(values, list) and not values else        # nothing, in a step that has nothing to show
                _listed(name, *_counted(name, values, method, case), case.dtype) for name, values in step.items()}
        step["theta"] = nets.tensors(theta)
        step["W"] = [np.concatenate([W.reshape(len(b), -1), b[:, None]], axis=1) for W, b in of_layers(theta, theta)]
        step["norm"] = [np.stack(norm) for norm in of_norms(theta, theta)]
        checked.append(step)
    return (checked[0], checked[1:]) if len(checked) > case.steps else ({}, checked)


def annotated(method: Any, *kinds: str) -> set[str]:
    """The fields of State and Trace that are annotated with one of `kinds`."""
    found = method.Trace.__annotations__ | method.State.__annotations__
    return {name for name, kind in found.items()                # a ForwardRef is what a NamedTuple makes of it, up to Python 3.13
            if getattr(kind, "__forward_arg__", kind) in kinds}


def by_mode(method: Any) -> set[str]:
    """The quantities of which a tensor has one matrix for each mode."""
    return {name for record in (method.State, method.Trace) for name, kind in get_type_hints(record).items() if kind == Factors}


def _counted(name: str, values: Any, method: Any, case: Case) -> tuple[Any, int | None]:
    """A candidate's values as a list, and how many of them there are to be; None where that is the method's to say.

    There is one a tensor, mode or layer, or, where its name speaks of it, one a BatchNorm. Quantities that are one array, or one
    a block of layers, may come without a list around them.
    """
    if name in annotated(method, "Array", "Array | None"):
        return [values] if isinstance(values, np.ndarray) else values, 1
    if name in annotated(method, "Blocks"):
        return [values] if isinstance(values, np.ndarray) else values, None
    if name in by_mode(method):
        modes = sum(as_modes(tensor, case.hyper.view).ndim for tensor in nets.tensors(case.params))
        return flat(values) if isinstance(values, list) else values, modes
    if by_tensor(method):
        return values, len(nets.tensors(case.params))
    return values, len((of_norms if "norm" in name else of_layers)(case.params, case.params))


def _listed(name: str, values: Any, count: int | None, dtype: str) -> list[np.ndarray]:
    expect(isinstance(values, list) and (count is None or len(values) == count), name, f"a list of {count} arrays",
           "there is one a layer (one a BatchNorm), or one a tensor in the order W_1, b_1, W_2, b_2, … (one for each of its modes)",
           f"{len(values)} arrays" if isinstance(values, list) else type(values).__name__, Misbehaved)
    for i, value in enumerate(values):
        expect(isinstance(value, np.ndarray), f"{name}[{i}]", "an array", "its entries are compared", type(value).__name__,
               Misbehaved)
        expect(value.dtype == dtype or not value.ndim, f"{name}[{i}]", dtype, "the case is in it and its rounding is the yardstick",
               value.dtype, Misbehaved)
    return [value if value.ndim else value.astype(dtype) for value in values]    # a single number is often Python's


def parameters(step: dict[str, Any], case: Case) -> tuple[Any, ...]:
    """A candidate's "W" and "b", "gamma" and "beta", taken out of a step, as params, from the layout that it declared."""
    layout: Layout = case.layout
    count = len(of_layers(case.params, case.params))
    given = {name: _given(step, name, count if name in ("W", "b") else len(case.params) - count, case.dtype)
             for name in ("W", "b", "gamma", "beta") if not (name == "b" and layout.bias == "column")}
    shapes = [layer.W.shape for layer in of_layers(case.params, case.params)]
    if layout.bias == "column":
        joined_W = given["W"]
        for l, W in enumerate(joined_W):
            expect(W.ndim == 2, f"W[{l}]", "a matrix", "its last column is the bias", f"shape {W.shape}", Misbehaved)
        joined_W = [W.T for W in joined_W] if layout.kernel == "in_out" else joined_W
        given["b"] = [W[:, -1] for W in joined_W]
        given["W"] = [W[:, :-1].reshape(shape) if W[:, :-1].size == np.prod(shape) else W[:, :-1]
                      for W, shape in zip(joined_W, shapes, strict=True)]
    elif layout.kernel == "in_out":
        given["W"] = [np.transpose(W, (3, 2, 0, 1) if W.ndim == 4 else None) for W in given["W"]]
    found = {name: iter(enumerate(tensors)) for name, tensors in given.items()}
    params = []
    for layer in case.params:
        tensors = []
        for name, ours in layer._asdict().items():
            i, tensor = next(found[name])
            expect(tensor.shape == ours.shape, f"{name}[{i}]", f"shape {ours.shape}",
                   f"the layout is declared as {layout.kernel}, {layout.bias}", tensor.shape, Misbehaved)
            tensors.append(tensor)
        params.append(type(layer)(*tensors))
    return tuple(params)


def _given(step: dict[str, Any], name: str, count: int, dtype: str) -> list[np.ndarray]:
    values = step.pop(name, None if count else [])
    expect(values is not None, name, "a list of arrays at every step", "the parameters are what is judged", "none", Misbehaved)
    return _listed(name, values, count, dtype)
