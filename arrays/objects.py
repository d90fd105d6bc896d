"""Namespaces on NumPy object arrays: exact rationals (`Fraction`, FLINT `fmpq`), mpmath `mpf`, and `Ball`.

Each class is the same short list of functions as `Floats`, so that one source line runs on any of them. Numbers are made
by `const` alone: a plain float, or `np.eye`, would turn an exact array into floats without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np

from .balls import Ball, as_arb
from .errors import NotRational


class Objects:
    """What the object-array namespaces share; a subclass says what a number is and which functions leave its field.

    `u` is the unit roundoff; `inverse_root` is None where an iteration finds one (`reference.parts.roots`).
    """

    name: str
    exact = False
    smallest = 0
    u: Any = 0
    number: Callable[[Any], Any]

    abs = staticmethod(np.abs)
    where = staticmethod(np.where)
    reshape = staticmethod(np.reshape)
    kron = staticmethod(np.kron)
    matrix_transpose = staticmethod(np.matrix_transpose)
    permute_dims = staticmethod(np.transpose)
    take = staticmethod(np.take)
    broadcast_to = staticmethod(np.broadcast_to)
    all = staticmethod(np.all)
    any = staticmethod(np.any)

    def const(self, value: Any) -> Any:
        """The number `value`, exactly where the arithmetic can."""
        return self.number(value)

    def asarray(self, x: Any) -> Any:
        """Numbers (nested lists, arrays) as an object array of this arithmetic; floats become the dyadics they are."""
        x = np.asarray(x)
        return _array([self.number(_plain(value)) for value in x.ravel()], x.shape)

    def zeros(self, shape: Any) -> Any:
        """Zeros of this arithmetic."""
        return self._filled(shape, 0)

    def ones(self, shape: Any) -> Any:
        """Ones of this arithmetic."""
        return self._filled(shape, 1)

    def _filled(self, shape: Any, value: int) -> Any:
        array = np.empty(shape, dtype=object)
        array.fill(self.number(value))
        return array

    def eye(self, n: int) -> Any:
        """The n × n identity of this arithmetic."""
        eye = self.zeros((n, n))
        for i in range(n):
            eye[i, i] = self.number(1)
        return eye

    def zeros_like(self, x: Any) -> Any:
        """Zeros in the shape of x."""
        return self.zeros(np.shape(x))

    def ones_like(self, x: Any) -> Any:
        """Ones in the shape of x."""
        return self.ones(np.shape(x))

    def concat(self, arrays: Any, axis: int = 0) -> Any:
        """The arrays one after the other along `axis`."""
        return np.concatenate(arrays, axis=axis)

    def sum(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Sum over `axis` (all entries where None)."""
        return np.sum(x, axis=axis, keepdims=keepdims)

    def maximum(self, x: Any, y: Any) -> Any:
        """The larger of two numbers, entry by entry."""
        return np.where(x > y, x, y)

    def indicator(self, mask: Any) -> Any:
        """1 where the mask holds, 0 elsewhere, in this arithmetic."""
        return np.where(mask, self.number(1), self.number(0))

    def triu(self, A: Any) -> Any:
        """A (n, n) with zeros below its diagonal."""
        return np.where(np.triu(np.ones(A.shape, dtype=bool)), A, self.number(0))

    def max(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Maximum over `axis` (all entries where None)."""
        return np.max(x, axis=axis, keepdims=keepdims)

    def all_finite(self, x: Any) -> bool:
        """Is every entry of x a finite number?  (A rational always is.)"""
        return True

    def symmetric(self, A: Any) -> bool:
        """Is A equal to its transpose, entry by entry?"""
        return bool(np.all(A == A.T))

    def positive_definite(self, A: Any) -> bool:
        """Are all pivots of Gaussian elimination without exchanges positive?  (No roots: exact on rationals.)"""
        A = self.asarray(A)
        for j in range(A.shape[0]):
            if not A[j, j] > 0:
                return False
            for i in range(j + 1, A.shape[0]):
                A[i, j:] = A[i, j:] - A[i, j] / A[j, j] * A[j, j:]
        return True

    def positive_semidefinite(self, A: Any) -> bool:
        """Is A positive definite after half of the digits of its largest entry have been added to its diagonal, or A = 0?"""
        largest = self.max(self.abs(A))
        return bool(largest == 0) or self.positive_definite(A + self.u ** 0.5 * largest * self.eye(A.shape[0]))

    def trace(self, A: Any) -> Any:
        """The sum of the diagonal of A (n, n)."""
        return np.trace(A)

    def inv(self, A: Any) -> Any:
        """A⁻¹ of a square matrix.  Raises ArithmeticError where A is singular."""
        return self.solve(A, self.eye(A.shape[0]))

    def solve(self, A: Any, B: Any) -> Any:
        """A⁻¹B for a vector or matrix B.  Raises ArithmeticError where A is singular."""
        try:
            X = self._solve(A, B.reshape(B.shape[0], -1))
        except (ZeroDivisionError, ValueError) as error:
            raise ArithmeticError("solve: expected an invertible matrix, got a singular one") from error
        return X.reshape(B.shape)

    def _solve(self, A: Any, B: Any) -> Any:
        raise ArithmeticError(f"solve: expected rational or mpmath numbers because radii would grow past use, got {self.name}")

    def cholesky(self, A: Any) -> Any:
        """The lower triangular C with CCᵀ = A.  Raises ArithmeticError unless A is positive definite."""
        n = A.shape[0]
        C = self.zeros((n, n))
        for j in range(n):
            pivot = A[j, j] - C[j, :j] @ C[j, :j]
            if not pivot > 0:
                raise ArithmeticError("cholesky: expected a positive definite matrix, got one with a pivot <= 0")
            C[j, j] = self.sqrt(pivot)
            for i in range(j + 1, n):
                C[i, j] = (A[i, j] - C[i, :j] @ C[j, :j]) / C[j, j]
        return C

    def eigh(self, A: Any) -> Any:
        """Eigenvalues (ascending) and orthonormal eigenvectors (columns) of a symmetric matrix."""
        raise self._leaves("eigh")

    def _leaves(self, function: str) -> ArithmeticError:
        return NotRational(f"{function}: expected mpmath numbers because the result is not rational, got {self.name}")

    def sqrt(self, x: Any) -> Any:
        """√x, entry by entry."""
        raise self._leaves("sqrt")

    def root(self, x: Any, k: int) -> Any:
        """The k-th root of x >= 0, entry by entry."""
        raise self._leaves("root")

    def inverse_root(self, A: Any, p: int, tolerance: Any = 0) -> Any:
        """A^(−1/p) of a symmetric positive definite matrix."""
        raise self._leaves("inverse_root")

    def exp(self, x: Any) -> Any:
        """eˣ, entry by entry."""
        raise self._leaves("exp")

    def expm1(self, x: Any) -> Any:
        """eˣ − 1, entry by entry."""
        raise self._leaves("expm1")

    def log(self, x: Any) -> Any:
        """log x, entry by entry."""
        raise self._leaves("log")

    def tanh(self, x: Any) -> Any:
        """tanh x, entry by entry."""
        raise self._leaves("tanh")

    def logistic(self, x: Any) -> Any:
        """1 / (1 + e⁻ˣ), entry by entry."""
        raise self._leaves("logistic")

    def softplus(self, x: Any) -> Any:
        """log(1 + eˣ), entry by entry."""
        raise self._leaves("softplus")

    def softmax(self, x: Any) -> Any:
        """e^(x_j) / Σ_i e^(x_i) along the last axis."""
        z = self.exp(x - self.max(x, axis=-1, keepdims=True))
        return z / self.sum(z, axis=-1, keepdims=True)

    def logsumexp(self, x: Any) -> Any:
        """log Σ_i e^(x_i) along the last axis."""
        shift = self.max(x, axis=-1, keepdims=True)
        return shift[..., 0] + self.log(self.sum(self.exp(x - shift), axis=-1))


class Rationals(Objects):
    """Exact rational arithmetic on `Fraction` or FLINT `fmpq` entries; every sum, product and inverse is exact."""

    exact = True

    def __init__(self, number: type) -> None:
        self.name = f"exact {number.__name__}"
        self._is_fraction = number is Fraction

    def number(self, value: Any) -> Any:
        """`value` as an exact rational; a float or mpf becomes the dyadic number that it is."""
        if isinstance(value, flint.fmpq):
            return Fraction(int(value.p), int(value.q)) if self._is_fraction else value
        if isinstance(value, mpmath.mpf):
            value = Fraction(*mpmath.libmp.to_rational(value._mpf_))
        value = Fraction(value)
        return value if self._is_fraction else flint.fmpq(value.numerator, value.denominator)

    def positive_semidefinite(self, A: Any) -> bool:
        """Is no pivot of Gaussian elimination negative, and all that stands beside a pivot of 0 itself 0?  (Exact.)"""
        A = self.asarray(A)
        for j in range(A.shape[0]):
            if A[j, j] < 0 or (A[j, j] == 0 and np.any(A[j, j:] != 0)):
                return False
            for i in range(j + 1, A.shape[0]) if A[j, j] > 0 else ():
                A[i, j:] = A[i, j:] - A[i, j] / A[j, j] * A[j, j:]
        return True

    def _solve(self, A: Any, B: Any) -> Any:
        X = _fmpq_mat(A).solve(_fmpq_mat(B))
        return _array([self.number(value) for value in X.entries()], B.shape)

    def sqrt(self, x: Any) -> Any:
        """√x where every entry is the square of a rational.  Raises NotRational for any other x >= 0."""
        return _entrywise(lambda value: self._root("sqrt", value, 2), x)

    def root(self, x: Any, k: int) -> Any:
        """The k-th root where every entry is the k-th power of a rational.  Raises NotRational for any other x >= 0."""
        return _entrywise(lambda value: self._root("root", value, k), x)

    def _root(self, function: str, value: Any, k: int) -> Any:
        value = Fraction(int(value.p), int(value.q)) if isinstance(value, flint.fmpq) else Fraction(value)
        if value < 0:
            raise ArithmeticError(f"{function}: expected a number >= 0, got {value}")
        root = Fraction(*(int(flint.fmpz(part).root(k)) for part in (value.numerator, value.denominator)))
        if root**k != value:
            what = "the square of a rational" if k == 2 else f"a rational to the power {k}"
            raise NotRational(f"{function}: expected {what} because the arithmetic is exact, got {value}")
        return self.number(root)

    def inverse_root(self, A: Any, p: int, tolerance: Any = 0) -> Any:
        """The symmetric positive definite X with XᵖA = I, for p = 1 or where X is rational.

        X is computed with more and more digits; the simplest fractions near its entries are tried, and taken if XᵖA = I exactly.
        Raises   NotRational where none of at most 8(n + 1) times as many bits as an entry of A has are such an X; ArithmeticError
                 where A is not positive definite.
        """
        if not self.positive_definite(A):
            raise ArithmeticError("inverse_root: expected a positive definite matrix, got one with a pivot <= 0")
        if p == 1:
            return self.inv(A)
        n = A.shape[0]
        entries = [Fraction(int(value.p), int(value.q)) for value in map(_RATIONAL.number, A.ravel())]
        size = max(max(abs(value.numerator), value.denominator).bit_length() for value in entries)
        bits = 64
        while bits <= max(128, 16 * (n + 1) * size):
            with mpmath.workprec(2 * bits + 64 + 2 * n * size):
                w, Q = Mpfs().eigh(Mpfs().asarray(np.array(entries, dtype=object).reshape(A.shape)))
                X = Q * _entrywise(lambda t: mpmath.root(1 / t, p), w) @ Q.T
                near = [Fraction(*mpmath.libmp.to_rational(value._mpf_)).limit_denominator(2**bits) for value in X.ravel()]
            X = _array([self.number(value) for value in near], A.shape)
            power = A
            for _ in range(p):
                power = X @ power
            if np.all(power == self.eye(n)) and self.symmetric(X):
                return X
            bits *= 2
        raise NotRational("inverse_root: expected a matrix whose inverse root is rational because the arithmetic is exact, "
                          "got one with none in reach")


class Mpfs(Objects):
    """mpmath `mpf` entries at the precision that `arrays.precision` sets."""

    name = "mpmath mpf"
    inverse_root: Any = None
    u = property(lambda self: mpmath.mpf(2) ** -mpmath.mp.prec)
    pi = property(lambda self: +mpmath.pi)

    def root(self, x: Any, k: int) -> Any:
        """The k-th root, entry by entry.  Raises ArithmeticError for x < 0."""
        return _entrywise(lambda value: _real_root(value, k), x)

    def number(self, value: Any) -> Any:
        """`value` rounded to the working precision (a float is exact)."""
        if isinstance(value, flint.fmpq):
            value = Fraction(int(value.p), int(value.q))
        if isinstance(value, Fraction):
            return mpmath.mpf(value.numerator) / value.denominator
        return mpmath.mpf(value)

    def all_finite(self, x: Any) -> bool:
        """Is every entry of x a finite number?"""
        return all(mpmath.isfinite(value) for value in np.ravel(np.asarray(x, dtype=object)))

    def _solve(self, A: Any, B: Any) -> Any:
        # mpmath takes a pivot for 0 that is small beside the whole matrix: rows and columns get the same order of magnitude first.
        rows = _magnitudes(A)
        A, B = A / rows[:, None], B / rows[:, None]
        columns = _magnitudes(A.T)
        A = A / columns
        X = mpmath.lu_solve(mpmath.matrix(A.tolist()), mpmath.matrix(B[:, :1].tolist())) if B.shape[1] == 1 else \
            mpmath.inverse(mpmath.matrix(A.tolist())) * mpmath.matrix(B.tolist())
        return _array(list(X), B.shape) / columns[:, None]

    def eigh(self, A: Any) -> Any:
        """Eigenvalues (ascending) and orthonormal eigenvectors (columns) of a symmetric matrix."""
        w, Q = mpmath.eigsy(mpmath.matrix(A.tolist()))
        return _array(list(w), (A.shape[0],)), _array(list(Q), A.shape)

    def sqrt(self, x: Any) -> Any:
        """√x, entry by entry.  Raises ArithmeticError for x < 0."""
        return _entrywise(lambda value: _real_root(value, 2), x)

    def exp(self, x: Any) -> Any:
        """eˣ, entry by entry."""
        return _entrywise(mpmath.exp, x)

    def expm1(self, x: Any) -> Any:
        """eˣ − 1, entry by entry."""
        return _entrywise(mpmath.expm1, x)

    def log(self, x: Any) -> Any:
        """log x, entry by entry."""
        return _entrywise(mpmath.log, x)

    def tanh(self, x: Any) -> Any:
        """tanh x, entry by entry."""
        return _entrywise(mpmath.tanh, x)

    def logistic(self, x: Any) -> Any:
        """1 / (1 + e⁻ˣ), entry by entry."""
        return _entrywise(lambda t: 1 / (1 + mpmath.exp(-t)), x)

    def softplus(self, x: Any) -> Any:
        """log(1 + eˣ), entry by entry."""
        return _entrywise(lambda t: mpmath.log1p(mpmath.exp(t)), x)


class Balls(Objects):
    """`Ball` entries: scalar chains of + − × ÷ with a proved radius; a comparison that stays open raises Undecided."""

    name = "ball"
    number = staticmethod(Ball)

    def all_finite(self, x: Any) -> bool:
        """Is every entry of x a finite ball?"""
        return all(as_arb(value).is_finite() for value in np.ravel(np.asarray(x, dtype=object)))

    def sqrt(self, x: Any) -> Any:
        """√x, entry by entry."""
        return _entrywise(lambda ball: Ball(as_arb(ball).sqrt()), x)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _array(values: list[Any], shape: Any) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)


def _entrywise(function: Any, x: Any) -> Any:
    return np.frompyfunc(function, 1, 1)(x)


def _fmpq_mat(A: Any) -> flint.fmpq_mat:
    rows, columns = A.shape
    return flint.fmpq_mat(rows, columns, [_RATIONAL.number(value) for value in A.ravel()])


def _magnitudes(A: Any) -> Any:
    """A power of two near the largest entry of every row of A, by which mpf divide without rounding; 1 where it is 0."""
    largest = [max(map(abs, row), default=mpmath.mpf(0)) for row in A]
    return _array([mpmath.ldexp(mpmath.mpf(1), mpmath.mag(x) if x and mpmath.isfinite(x) else 0) for x in largest], (len(A),))


def _real_root(value: Any, k: int) -> Any:
    if value < 0:
        raise ArithmeticError(f"{'sqrt' if k == 2 else 'root'}: expected a number >= 0, got {value}")
    return mpmath.root(value, k)


_RATIONAL = Rationals(flint.fmpq)
