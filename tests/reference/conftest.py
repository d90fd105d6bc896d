"""Two tools for the tests of this room: a running error analysis of float programs, and a watch over inputs."""

from collections.abc import Callable, Iterator
from fractions import Fraction

import mpmath
import numpy as np
import pytest

REAL = mpmath.MPContext()
REAL.prec = 320


class Rounded:
    """A real number to 320 bits, beside a bound on how far a float program that computes it in this order may be off.

    The rules are those of Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.3: what is computed from x̂, ŷ
    with |x̂ − x| ≤ e_x and |ŷ − y| ≤ e_y is (x̂ ∘ ŷ)(1 + δ) with |δ| ≤ u. Underflow is left out: test data stay far above it.
    """

    def __init__(self, u, value, error=0):
        self.u, self.value, self.error = u, value, error

    def _rounded(self, value, error):
        return Rounded(self.u, value, error + self.u * (abs(value) + error))

    def _other(self, other):
        return other if isinstance(other, Rounded) else Rounded(self.u, REAL.mpf(other))

    def __add__(self, other):
        other = self._other(other)
        return self._rounded(self.value + other.value, self.error + other.error)

    def __sub__(self, other):
        other = self._other(other)
        return self._rounded(self.value - other.value, self.error + other.error)

    def __rsub__(self, other):
        return self._other(other) - self

    def __mul__(self, other):
        x, y = self, self._other(other)
        return self._rounded(x.value * y.value, abs(x.value) * y.error + abs(y.value) * x.error + x.error * y.error)

    def __truediv__(self, other):
        x, y = self, self._other(other)
        assert abs(y.value) > y.error, "a division that rounding could make one by zero"
        quotient = x.value / y.value
        return self._rounded(quotient, (x.error + abs(quotient) * y.error) / (abs(y.value) - y.error))

    def __rtruediv__(self, other):
        return self._other(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other):
        other = self._other(other)
        slack = self.error + other.error
        assert slack == 0 or abs(self.value - other.value) > slack, "a comparison that rounding could turn"
        return self.value < other.value

    def __gt__(self, other):
        return self._other(other) < self


class FloatProgram:
    """Makes `Rounded` numbers for float programs of one dtype, and compares such a program's results with them."""

    def __init__(self, dtype):
        self.dtype = np.dtype(dtype)
        self.u = REAL.mpf(float(np.finfo(dtype).eps)) / 2

    def const(self, value):
        """A number of the text, rounded once to the dtype."""
        value = REAL.mpf(Fraction(value).numerator) / Fraction(value).denominator
        return Rounded(self.u, value, self.u * abs(value))

    def exactly(self, value):
        """A small integer."""
        return Rounded(self.u, REAL.mpf(value))

    def read(self, x):
        """A float array as nested lists of exact numbers."""
        return [self.read(row) for row in x] if np.ndim(x) else Rounded(self.u, REAL.mpf(float(x)))

    def dot(self, xs, ys):
        """Σ x_i y_i, summed in any order, with or without fused operations."""
        gamma = len(xs) * self.u / (1 - len(xs) * self.u)
        value, error = REAL.mpf(0), REAL.mpf(0)
        for x, y in zip(xs, ys, strict=True):
            value += x.value * y.value
            error += abs(x.value) * y.error + abs(y.value) * x.error + x.error * y.error
            error += gamma * (abs(x.value) + x.error) * (abs(y.value) + y.error)
        return Rounded(self.u, value, error)

    def sqrt(self, x):
        """√x; for x > 0, |√x̂ − √x| = |x̂ − x| / (√x̂ + √x) ≤ e_x / √x."""
        root = REAL.sqrt(x.value)
        return x._rounded(root, x.error / root if root else REAL.sqrt(x.error))

    def power(self, x, n):
        """xⁿ by repeated products, or by a library function within 4 ulp, which is what NumPy's vector loops promise."""
        value = x.value**n
        return Rounded(self.u, value, (abs(x.value) + x.error) ** n - abs(value) + max(n - 1, 8) * self.u * abs(value))

    def agrees(self, computed, expected):
        """Are all entries within their bounds, in the dtype, and the bounds narrow: a third of the digits and more is sure?"""
        assert computed.dtype == self.dtype
        assert computed.shape == np.shape(np.array(expected, dtype=object))
        entries = np.array(expected, dtype=object).ravel()
        for i, (got, entry) in enumerate(zip(computed.ravel(), entries, strict=True)):
            off = abs(REAL.mpf(float(got)) - entry.value)
            assert off <= entry.error, f"entry {i}: {got} is off by {float(off / entry.error) if entry.error else off} bounds"
        largest = max(abs(entry.value) for entry in entries)
        assert max(entry.error for entry in entries) <= REAL.cbrt(self.u) * largest, "the bounds are too wide to say anything"
        return True


@pytest.fixture(scope="session")
def float_program() -> Callable[..., FloatProgram]:
    """`float_program(dtype)`: the running error analysis for one dtype."""
    return FloatProgram


def _arrays(tree) -> Iterator[np.ndarray]:
    if isinstance(tree, np.ndarray):
        yield tree
    elif isinstance(tree, dict):
        yield from _arrays(list(tree.values()))
    elif isinstance(tree, tuple | list):
        for branch in tree:
            yield from _arrays(branch)


@pytest.fixture(scope="session")
def untouched() -> Callable:
    """`untouched(function, *args, **kwargs)`: the result, after a check that no array in the arguments was written to."""

    def call(function, *args, **kwargs):
        arrays = list(_arrays([args, kwargs]))
        assert arrays, "nothing to watch"
        for array in arrays:
            array.setflags(write=False)
        before = [(array.tobytes(), array.tolist(), array.shape, array.strides) for array in arrays]
        result = function(*args, **kwargs)
        assert before == [(array.tobytes(), array.tolist(), array.shape, array.strides) for array in arrays]
        return result

    return call
