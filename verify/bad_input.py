"""Bad input: what a procedure of the reference refuses, a careful implementation refuses too.

One good call is corrupted in every way listed here. The reference itself says which corruptions are bad input, by raising;
a candidate that returns from such a call is NOT-REJECTED.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .report import CaseReport
from .runner import Endless, Misbehaved, produced

Array = Any


def refusals(reference: Callable[..., Any], candidate: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
             time_limit: float) -> list[CaseReport]:
    """One CaseReport for each corruption of the call that the reference refuses: PASS, or NOT-REJECTED."""
    reports = []
    for name, bad_args, bad_kwargs in corruptions(args, kwargs):
        if _refuses(reference, bad_args, bad_kwargs, time_limit):
            verdict = "PASS" if _refuses(candidate, bad_args, bad_kwargs, time_limit) else "NOT-REJECTED"
            reason = "" if verdict == "PASS" else "returned a result where the reference raises"
            reports.append(CaseReport(name, verdict, (), reason))
    return reports


def corruptions(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """The call with one argument made wrong, for every argument and every way."""
    for i, value in enumerate(args):
        for what, bad in _wrong(value):
            yield f"bad input: argument {i + 1} {what}", (*args[:i], bad, *args[i + 1:]), kwargs
    for name, value in kwargs.items():
        for what, bad in _wrong(value):
            yield f"bad input: {name} {what}", args, kwargs | {name: bad}


def _wrong(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, int):
        yield from (("= 0", 0), ("= -1", -1), ("far too large", 10**6))
    elif isinstance(value, float):
        yield from (("= 0", 0.0), ("negative", -value), ("= 1.5", 1.5), ("nan", float("nan")), ("infinite", float("inf")))
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        record: Any = value
        yield from ((f"with {field} {what}", record._replace(**{field: bad})) for field, part in record._asdict().items()
                    for what, bad in _wrong(part))
    elif isinstance(value, tuple) and value:
        yield from ((f"with a first entry {what}", (bad, *value[1:])) for what, bad in _wrong(value[0]))
    elif isinstance(value, np.ndarray) and value.dtype.kind == "i":
        yield from (("with a −1", _with(value, -1)), ("with a million", _with(value, 10**6)), ("one entry short", value[1:]),
                    ("with an axis too many", value[None]))
    elif isinstance(value, np.ndarray):
        if value.ndim:
            yield "one entry short", value[1:]
        yield from (("with a nan", _with(value, np.nan)), ("with an infinity", _with(value, np.inf)),
                    ("with an axis too many", value[None]),
                    ("of integers", np.rint(value).astype(np.int64)), ("of complex numbers", value.astype(np.complex128)),
                    ("in half precision", value.astype(np.float16)), ("in float32 beside float64", value.astype(np.float32)))
        if value.ndim == 2 and value.shape[0] == value.shape[1] > 1:
            yield from (("not symmetric", value + np.triu(np.ones_like(value), 1)), ("not definite", -value))


def _with(array: Array, value: float) -> Array:
    array = array.copy()
    array.flat[0] = value
    return array


def _refuses(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], time_limit: float) -> bool:
    args, kwargs = copy.deepcopy((args, kwargs))

    def work() -> Iterator[Any]:
        with np.errstate(all="ignore"):
            yield function(*args, **kwargs)

    try:
        list(produced(work, "result", time_limit))
    except Endless:
        return False
    except Misbehaved:
        return True
    return False
