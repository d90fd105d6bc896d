"""Exact linear algebra for the checks: object arrays of `Fraction`, from the definitions, sharing no line with what is judged.

Everything stays in ℚ. The one root, `root`, is exact where the answer is rational and otherwise a lower bound good to 200 bits.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from itertools import product
from math import isqrt
from typing import Any

import flint
import mpmath
import numpy as np

from ...arrays.errors import expect

Array = Any


def exact(x: Any) -> Any:
    """The numbers of x (a scalar or an array of any arithmetic, host arrays only) as `Fraction`; a float is the dyadic it is.

    Raises   ValueError for nan and inf; TypeError for what is no real number.
    """
    if np.ndim(x) == 0:
        return _fraction(np.asarray(x).item())
    x = np.asarray(x)
    return array([_fraction(value) for value in x.ravel().tolist()], *x.shape)


def _fraction(value: Any) -> Fraction:
    if type(value) is Fraction:
        return value
    if isinstance(value, flint.fmpq):
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, float | mpmath.mpf):
        expect(mpmath.isfinite(value), "value", "a finite number", "no rational is nan or inf", value)
    if isinstance(value, mpmath.mpf):
        return Fraction(*(int(part) for part in mpmath.libmp.to_rational(value._mpf_)))
    return Fraction(value)


def array(values: Any, *shape: int) -> Array:
    """An object array of `Fraction` from a flat list of numbers, in the shape given (a vector where none is)."""
    flat = np.empty(len(values), dtype=object)
    flat[:] = [value if type(value) is Fraction else Fraction(value) for value in values]
    return flat.reshape(shape) if shape else flat


def identity(n: int) -> Array:
    """The n × n identity."""
    return array([int(i == j) for i in range(n) for j in range(n)], n, n)


def diagonal(d: Array) -> Array:
    """The diagonal matrix with the entries of d (n,)."""
    return identity(len(d)) * d


def outer(x: Array, y: Array) -> Array:
    """xyᵀ, shape (len(x), len(y))."""
    return x[:, None] * y[None, :]


def solve(A: Array, B: Array) -> Array:
    """A⁻¹B by Gauss-Jordan elimination, B a vector or a matrix.  Raises ZeroDivisionError where A is singular."""
    n = len(A)
    rows = np.concatenate([A, B.reshape(n, -1)], axis=1)
    for j in range(n):
        pivot = next((i for i in range(j, n) if rows[i, j] != 0), j)
        rows[[j, pivot]] = rows[[pivot, j]]
        rows[j] = rows[j] / rows[j, j]
        for i in range(n):
            if i != j:
                rows[i] = rows[i] - rows[i, j] * rows[j]
    return rows[:, n:].reshape(B.shape)


def inverse(A: Array) -> Array:
    """A⁻¹.  Raises ZeroDivisionError where A is singular."""
    return solve(A, identity(len(A)))


def is_invertible(A: Array) -> bool:
    """Has A an inverse?"""
    try:
        return inverse(A) is not None
    except ZeroDivisionError:
        return False


def is_semidefinite(A: Array) -> bool:
    """Is the symmetric A positive semidefinite?  LDLᵀ with the largest pivot first; a zero pivot needs a zero remainder."""
    A = A.copy()
    while len(A):
        j = max(range(len(A)), key=lambda i: A[i, i])
        if A[j, j] <= 0:
            return not A.any()
        rest = [i for i in range(len(A)) if i != j]
        A = A[np.ix_(rest, rest)] - outer(A[rest, j], A[j, rest]) / A[j, j]
    return True


def norm_bound(A: Array) -> Fraction:
    """A rational t at or above the spectral norm of a semidefinite A (n, n), by a thousandth of a row sum of |A| at most."""
    low, high = Fraction(0), max(sum(abs(entry) for entry in row) for row in A)
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (low, middle) if is_semidefinite(middle * identity(len(A)) - A) else (middle, high)
    return high


def size(*values: Any) -> Fraction:
    """The largest absolute value among numbers and entries of arrays."""
    entries = [abs(entry) for value in values for entry in np.ravel(np.asarray(value, dtype=object))]
    return max(entries, default=Fraction(0))


def root(x: Fraction) -> Fraction:
    """√x where x >= 0 is the square of a rational; otherwise the largest multiple of 2⁻²⁰⁰ that is not above √x."""
    perfect = Fraction(isqrt(x.numerator), isqrt(x.denominator))
    return perfect if perfect * perfect == x else Fraction(isqrt((x.numerator << 400) // x.denominator), 1 << 200)


def kron(*U: Array) -> Array:
    """U_1 ⊗ ⋯ ⊗ U_k: the entry in row (i_1, …, i_k) and column (j_1, …, j_k), last index fastest, is ∏ U_m[i_m, j_m]."""
    def pair(A: Array, B: Array) -> Array:
        entries = A[:, None, :, None] * B[None, :, None, :]
        return entries.reshape(len(A) * len(B), -1)
    return reduce(pair, U)


def rows_stacked(X: Array) -> Array:
    """vec of a tensor with the last index fastest, entry by entry."""
    return array([X[index] for index in product(*map(range, X.shape))])


def columns_stacked(X: Array) -> Array:
    """vec of a matrix with the first index fastest, entry by entry."""
    return array([X[i, j] for j in range(X.shape[1]) for i in range(X.shape[0])])
