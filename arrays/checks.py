"""Checks on numerical arguments that several rooms make, each raising `name: expected X because Y, got Z`."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from inspect import signature
from typing import Any

from .dispatch import is_integer, namespace
from .errors import expect

Array = Any


class Checked:
    """A function whose arguments are checked at every call; `trusted` is the function alone, for arguments made by the caller.

    Takes    function; prepare: gets the arguments by name, raises what is wrong with them, and returns them as `function` is
             to see them, numbers in the arithmetic of its arrays.
    """

    def __init__(self, function: Callable[..., Any], prepare: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.trusted, self.prepare = function, prepare
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        return self.trusted(**self.prepare(dict(signature(self.trusted).bind(*args, **kwargs).arguments)))


def checked(prepare: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Callable[..., Any]], Checked]:
    """A decorator that makes a `Checked` of a function."""
    return lambda function: Checked(function, prepare)


def check_vectors(**vectors: Array) -> None:
    """Raise ValueError unless all are 1-d, of one length, and finite; TypeError where arithmetics are mixed."""
    xp = namespace(*vectors.values())
    length = None
    for name, vector in vectors.items():
        expect(getattr(vector, "ndim", 0) == 1, name, "a vector", "the update is a rank-one one",
               f"shape {tuple(getattr(vector, 'shape', ()))}")
        length = vector.shape[0] if length is None else length
        expect(length > 0, name, "at least one entry", "there is nothing to update", "none")
        expect(vector.shape[0] == length, name, f"{length} entries", "the vectors of a pair have one length",
               vector.shape[0])
        expect(xp.all_finite(vector), name, "finite numbers", "nan and inf would spread", "nan or inf")


def check_rows(rows: Array, n: int) -> None:
    """Raise ValueError unless `rows`, a batch's `curvature`, is a vector of at least one integer from 0 to n − 1."""
    expect(is_integer(rows) and rows.ndim == 1 and rows.shape[0] > 0 and bool(((rows >= 0) & (rows < n)).all()), "curvature",
           f"a Batch or row numbers from 0 to {n - 1}", "it names examples of this batch", lambda: rows)


def check_spd(name: str, H: Array, n: int) -> None:
    """Raise ValueError unless H is a finite, symmetric, positive definite (n, n) matrix.

    Exact numbers must be symmetric exactly. Floats may differ by half of their digits: rounding stays far below that, a
    matrix that was never meant to be symmetric far above.
    """
    xp = namespace(H)
    expect(tuple(H.shape) == (n, n), name, f"shape {(n, n)}", f"it acts on vectors of length {n}", tuple(H.shape))
    expect(xp.all_finite(H), name, "finite numbers", "nan and inf would spread", "nan or inf")
    expect(xp.symmetric(H), name, "a symmetric matrix", "it approximates a Hessian or its inverse", "an asymmetric one")
    expect(xp.positive_definite(H), name, "a positive definite matrix", "the update keeps definiteness, it cannot make it",
           "one that is not")


def check_number(name: str, value: Any, holds: Any, what: str, why: str) -> None:
    """Raise ValueError unless `value` is a finite number for which the predicate `holds` is true."""
    try:
        one = not isinstance(value, bool | str) and not getattr(value, "shape", ())
        fits = one and bool(holds(value)) and abs(value) != float("inf")
    except (TypeError, ValueError):                                   # what cannot be compared with numbers
        fits = False
    expect(fits, name, what, why, repr(value) if isinstance(value, str) else value)


def check_fields(name: str, value: Any, kind: Any) -> None:
    """Raise TypeError unless `value` has the fields of the NamedTuple `kind`, a method's Hyper or State."""
    expect(getattr(value, "_fields", None) == kind._fields, name, f"the fields {', '.join(kind._fields)}",
           "every method has its own", lambda: f"{type(value).__name__} {', '.join(getattr(value, '_fields', ()))}".rstrip(),
           TypeError)
