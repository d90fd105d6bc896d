"""Running a candidate: on copies, under a time limit, with every yielded array copied at once."""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import is_array
from ..arrays.errors import expect
from .case import Case

END = object()


class Misbehaved(Exception):
    """What a candidate did that no verdict on numbers can be given for; the text says it to its author."""


def run(candidate: Callable[[Case], Any], case: Case, time_limit: float) -> list[dict[str, Any]]:
    """The candidate's steps: dicts of arrays or lists of arrays, as NumPy copies taken at each yield.

    The candidate gets a copy of the case of its own. It runs in a thread that is abandoned at the limit, so that even an
    endless loop in compiled code ends in a verdict.
    Raises   Misbehaved where it raises, writes to its inputs, yields something else than named arrays, or takes longer than
             `time_limit` seconds.
    """
    mine = copy.deepcopy(case)
    before = fingerprint(mine)
    steps: queue.Queue[Any] = queue.Queue()

    def work() -> None:
        try:
            for step in candidate(mine):
                steps.put(snapshot(step))
                if fingerprint(mine) != before:
                    raise Misbehaved("case: expected untouched inputs because the next step reads them too, "
                                     "got an array of the case that the candidate has written to")
            steps.put(END)
        except BaseException as error:   # whatever it is, it is the candidate's and becomes part of the verdict
            steps.put(error)

    threading.Thread(target=work, daemon=True).start()
    found: list[dict[str, Any]] = []
    while True:
        try:
            step = steps.get(timeout=time_limit)
        except queue.Empty:
            raise Misbehaved(f"candidate: expected a step within {time_limit:g} s because nobody waits for ever, "
                             f"got none after {len(found)} yields") from None
        if step is END:
            return found
        if isinstance(step, Misbehaved):
            raise step
        if isinstance(step, BaseException):
            raise Misbehaved(f"candidate: expected {case.steps} steps because the case has as many batches, "
                             f"got {type(step).__name__} after {len(found)} yields: {step}") from step
        found.append(step)
        expect(len(found) <= case.steps + 1, "candidate", f"at most {case.steps + 1} yields",
               "the case has as many batches, and one initial state", "more", Misbehaved)


def snapshot(step: Any) -> dict[str, Any]:
    """A copy of one yielded dict, with every array as a NumPy array.  Raises Misbehaved for anything else."""
    expect(isinstance(step, dict) and all(isinstance(name, str) for name in step), "candidate", "dicts of named arrays",
           "a step is judged by name", type(step).__name__, Misbehaved)
    return {name: _copied(name, values) for name, values in step.items()}


def _copied(name: str, values: Any) -> Any:
    if isinstance(values, list | tuple):
        return [_copied(f"{name}[{i}]", value) for i, value in enumerate(values)]
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
