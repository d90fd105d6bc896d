"""How stepgauge says no: one sentence for bad input, and two errors for what an arithmetic cannot answer."""

from typing import Any


class Undecided(ArithmeticError):
    """A comparison of two balls that overlap: neither answer would be proved."""


class NotRational(ArithmeticError):
    """A root, exponential or eigenvalue that leaves the rational numbers."""


def expect(holds: object, name: str, what: str, why: str, got: object, error: type[Exception] = ValueError) -> None:
    """Raise `error("name: expected what because why, got …")` unless `holds`.

    Takes    got: what to say, or a function that makes it: to print an array on a device costs a copy, for a failure only.
    """
    if not holds:
        raise error(f"{name}: expected {what} because {why}, got {got() if callable(got) else got}")


def shape_of(array: Any, name: str, why: str) -> tuple[int, ...]:
    """The shape of an array of any kind.

    Raises   TypeError for anything else.
    """
    expect(hasattr(array, "shape"), name, "an array", why, type(array).__name__, TypeError)
    return tuple(array.shape)


def sequence(values: Any, name: str, what: str, why: str) -> tuple[Any, ...]:
    """`values`, an iterable of any kind, as a tuple.

    Raises   TypeError for anything else.
    """
    try:
        entries = iter(values)
    except TypeError:
        raise TypeError(f"{name}: expected {what} because {why}, got {values!r}") from None
    return tuple(entries)
