"""Real numbers known up to a radius: `Ball`, a thin coat over FLINT's `arb` whose comparisons never guess.

`arb` answers False to `x < y` and to `x >= y` when the two balls overlap, so a plain `if` would take a branch that
nothing proves. `Ball` raises `Undecided` instead.
"""

from __future__ import annotations

from fractions import Fraction
from functools import wraps
from typing import Any

import flint
import mpmath
import numpy as np

from .errors import Undecided


def _operator(function: Any) -> Any:
    """A binary operator of Ball, handed its operand as an `arb`; arrays are left to NumPy, which goes entry by entry."""

    @wraps(function)
    def operator(self: Ball, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else function(self, as_arb(other))

    return operator


class Ball:
    """An enclosure `mid ± rad` of a real number, at the working precision that `arrays.precision` sets.

    Takes    value: int, Fraction, float (all enclosed, the float as the dyadic number it is), fmpq, mpf, str such as
             "0.1 +/- 1e-20", `arb` or Ball.
    Raises   Undecided from every comparison that the two radii leave open; TypeError for other values.
    """

    __slots__ = ("arb",)

    def __init__(self, value: Any) -> None:
        self.arb = as_arb(value)

    mid = property(lambda self: float(self.arb.mid()), doc="The centre, rounded to a float.")
    rad = property(lambda self: float(self.arb.rad()), doc="The radius, rounded to a float.")

    def contains(self, value: Any) -> bool:
        """Is `value` inside this ball: exactly that rational number, or all of that other ball?"""
        if isinstance(value, flint.fmpq):
            value = Fraction(int(value.p), int(value.q))
        if isinstance(value, Fraction) and self.arb.is_finite():
            mid, rad = (Fraction(int(man)) * Fraction(2) ** int(exponent)
                        for man, exponent in (self.arb.mid().man_exp(), self.arb.rad().man_exp()))
            return abs(value - mid) <= rad
        return self.arb.contains(as_arb(value))

    @_operator
    def __add__(self, other: flint.arb) -> Ball:
        return Ball(self.arb + other)

    @_operator
    def __sub__(self, other: flint.arb) -> Ball:
        return Ball(self.arb - other)

    @_operator
    def __rsub__(self, other: flint.arb) -> Ball:
        return Ball(other - self.arb)

    @_operator
    def __mul__(self, other: flint.arb) -> Ball:
        return Ball(self.arb * other)

    @_operator
    def __truediv__(self, other: flint.arb) -> Ball:
        return Ball(self.arb / other)

    @_operator
    def __rtruediv__(self, other: flint.arb) -> Ball:
        return Ball(other / self.arb)

    def __pow__(self, exponent: int) -> Ball:
        return Ball(self.arb**exponent)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Ball:
        return Ball(-self.arb)

    def __abs__(self) -> Ball:
        return Ball(abs(self.arb))

    @_operator
    def __lt__(self, other: flint.arb) -> bool:
        return self._decided(self.arb < other, self.arb >= other, "<", other)

    @_operator
    def __le__(self, other: flint.arb) -> bool:
        return self._decided(self.arb <= other, self.arb > other, "<=", other)

    @_operator
    def __gt__(self, other: flint.arb) -> bool:
        return self._decided(self.arb > other, self.arb <= other, ">", other)

    @_operator
    def __ge__(self, other: flint.arb) -> bool:
        return self._decided(self.arb >= other, self.arb < other, ">=", other)

    @_operator
    def __eq__(self, other: flint.arb) -> bool:
        return self._decided(self.arb == other, self.arb != other, "==", other)

    @_operator
    def __ne__(self, other: flint.arb) -> bool:
        return self._decided(self.arb != other, self.arb == other, "!=", other)

    __hash__ = None  # type: ignore[assignment]

    def _decided(self, yes: bool, no: bool, sign: str, other: flint.arb) -> bool:
        if yes == no:
            raise Undecided(f"comparison: expected balls that do not overlap because '{sign}' must be decided, "
                            f"got {self.arb} {sign} {other}")
        return yes

    def __repr__(self) -> str:
        return f"Ball({self.arb})"


def as_arb(value: Any) -> flint.arb:
    """`value` as an `arb`: exact for int, float and mpf, enclosed for Fraction and decimal strings."""
    if isinstance(value, Ball):
        return value.arb
    if isinstance(value, Fraction):
        return flint.arb(flint.fmpq(value.numerator, value.denominator))
    if isinstance(value, flint.arb | flint.fmpq | flint.fmpz | int | float | str | mpmath.mpf):
        return flint.arb(value)
    raise TypeError(f"value: expected int, Fraction, float, str, fmpq, mpf or arb because a ball encloses a real number, "
                    f"got {type(value).__name__}")
