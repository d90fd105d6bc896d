"""Running a candidate: on copies, under a time limit, with every yielded array copied at once."""

from __future__ import annotations

import contextvars
import copy
import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..arrays import is_array
from ..arrays.errors import expect
from .case import Case


class Misbehaved(Exception):
    """What a candidate did that no verdict on numbers can be given for; the text says it to its author."""


class Endless(Misbehaved):
    """What a candidate did that took too long; it is not asked again."""


def produced(work: Callable[[], Iterable[Any]], what: str, time_limit: float) -> Iterator[Any]:
    """What `work()` yields, computed in a thread that is abandoned at the limit, so that even an endless loop in compiled code
    ends in a verdict.

    Raises   Misbehaved where it raises anything, even SystemExit; Endless where one item takes longer than `time_limit` seconds.
    """
    items: queue.Queue[Any] = queue.Queue(maxsize=1)   # so that work without end waits where it is abandoned

    def working() -> None:
        try:
            for item in work():
                items.put((item,))
            items.put(())
        except BaseException as error:   # whatever it is, it is the candidate's and becomes part of the verdict
            items.put(error)

    threading.Thread(target=contextvars.copy_context().run, args=(working,), daemon=True).start()
    for count in itertools.count():
        try:
            item = items.get(timeout=time_limit)
        except queue.Empty:
            raise Endless(f"candidate: expected a {what} within {time_limit:g} s because nobody waits for ever, "
                             f"got none after {count} {what}s") from None
        if isinstance(item, Misbehaved):
            raise item
        if isinstance(item, BaseException):
            raise Misbehaved(f"candidate: expected a {what} because there is an input for it, "
                             f"got {type(item).__name__} after {count} {what}s: {item}") from item
        if not item:
            return
        yield item[0]


def run(candidate: Callable[[Case], Any], case: Case, time_limit: float) -> list[dict[str, Any]]:
    """The candidate's steps: dicts of arrays or lists of arrays, as NumPy copies taken at each yield.

    The candidate gets a copy of the case of its own.
    Raises   Misbehaved where it raises, writes to its inputs, yields something else than named arrays, too much, or takes
             longer than `time_limit` seconds.
    """
    mine = copy.deepcopy(case)
    before = fingerprint(mine)

    def steps() -> Iterator[dict[str, Any]]:
        for step in candidate(mine):
            shown = snapshot(step)
            expect(fingerprint(mine) == before, "case", "untouched inputs", "the next step reads them too",
                   "an array of the case that the candidate has written to", Misbehaved)
            yield shown

    found: list[dict[str, Any]] = []
    for step in produced(steps, "step", time_limit):
        found.append(step)
        expect(len(found) <= case.steps + 1, "candidate", f"at most {case.steps + 1} yields",
               "the case has as many batches, and one initial state", "more", Misbehaved)
    return found


def snapshot(step: Any) -> dict[str, Any]:
    """A copy of one yielded dict, with every array as a NumPy array; without what is None, which stands for "not computed".

    Raises   Misbehaved for anything else.
    """
    expect(isinstance(step, dict) and all(isinstance(name, str) for name in step), "candidate", "dicts of named arrays",
           "a step is judged by name", type(step).__name__, Misbehaved)
    return {name: copied(name, values) for name, values in step.items() if values is not None}


def copied(name: str, values: Any) -> Any:
    """An array, or a list of arrays, as NumPy copies.  Raises Misbehaved for anything but numbers."""
    if isinstance(values, list | tuple):
        return [copied(f"{name}[{i}]", value) for i, value in enumerate(values)]
    try:
        array = np.array(values, copy=True)
    except Exception as error:
        raise Misbehaved(f"{name}: expected an array because values are compared entry by entry, got {error}") from error
    expect(array.dtype.kind in "fiu", name, "an array of numbers", "values are compared entry by entry",
           f"dtype {array.dtype}", Misbehaved)
    return array


def fingerprint(tree: Any) -> tuple[Any, ...]:
    """The bytes of every array in a case, tuple, list or dict."""
    if isinstance(tree, Case):
        tree = (tree.params, tree.data, tree.batches)
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        return tuple(fingerprint(branch) for branch in tree)
    return (tree.tobytes(),) if is_array(tree) else (repr(tree),)
