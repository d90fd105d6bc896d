"""Two kinds of numbers in which an identity is decided: ℚ, and integers modulo a prime with matrices of n ≥ 200.

Both are matrices of python-flint, with `A * B`, `A + B`, `A.transpose()`, `A.inv()`, `A.solve(B)`, `A.det()`; a vector is a
matrix of one column. What flint lacks is below.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import flint

Matrix = Any

PRIMES = (2**61 - 1, 2**63 - 25)
"""Two large primes: the first is Mersenne's, the second the largest below 2⁶³."""


class Field:
    """Numbers, matrices and random draws of one field; `p` is None for ℚ."""

    def __init__(self, p: int | None, seed: int) -> None:
        self.p = p
        self.random = random.Random(seed)

    def number(self, numerator: int, denominator: int = 1) -> Any:
        """numerator/denominator in this field."""
        if self.p is None:
            return flint.fmpq(numerator, denominator)
        return flint.nmod(numerator, self.p) / flint.nmod(denominator, self.p)

    def draw(self) -> Any:
        """A random number that is not 0: uniform mod p; over ℚ a small fraction."""
        if self.p is None:
            return flint.fmpq(self.random.choice([-1, 1]) * self.random.randint(1, 9), self.random.randint(1, 4))
        return flint.nmod(self.random.randrange(1, self.p), self.p)

    def build(self, rows: int, columns: int, entry: Callable[[int, int], Any]) -> Matrix:
        """The matrix with entry(i, j)."""
        entries = [entry(i, j) for i in range(rows) for j in range(columns)]
        if self.p is None:
            return flint.fmpq_mat(rows, columns, entries)
        return flint.nmod_mat(rows, columns, [int(x) for x in entries], self.p)

    def matrix(self, rows: int, columns: int) -> Matrix:
        """A random matrix."""
        return self.build(rows, columns, lambda i, j: self.draw())

    def vector(self, n: int) -> Matrix:
        """A random column (n, 1)."""
        return self.matrix(n, 1)

    def symmetric(self, n: int) -> Matrix:
        """A random symmetric matrix."""
        M = self.matrix(n, n)
        return self.build(n, n, lambda i, j: M[min(i, j), max(i, j)])

    def definite(self, n: int) -> Matrix:
        """MMᵀ + I: positive definite over ℚ, symmetric mod p (where no number is positive)."""
        M = self.matrix(n, n)
        return M * M.transpose() + self.eye(n)

    def eye(self, n: int) -> Matrix:
        """The identity."""
        return self.build(n, n, lambda i, j: self.number(int(i == j)))

    def zeros(self, rows: int, columns: int) -> Matrix:
        """Zeros."""
        return self.build(rows, columns, lambda i, j: self.number(0))

    def ones(self, rows: int, columns: int) -> Matrix:
        """Ones."""
        return self.build(rows, columns, lambda i, j: self.number(1))

    def diagonal(self, entries: Any) -> Matrix:
        """The diagonal matrix of these numbers."""
        entries = list(entries)
        return self.build(len(entries), len(entries), lambda i, j: entries[i] if i == j else self.number(0))

    def kron(self, A: Matrix, B: Matrix) -> Matrix:
        """A ⊗ B: block (i, j) is A_ij B."""
        p, q = B.nrows(), B.ncols()
        return self.build(A.nrows() * p, A.ncols() * q, lambda i, j: A[i // p, j // q] * B[i % p, j % q])

    def hadamard(self, A: Matrix, B: Matrix) -> Matrix:
        """A ⊙ B, entry by entry."""
        return self.build(A.nrows(), A.ncols(), lambda i, j: A[i, j] * B[i, j])

    def rows(self, A: Matrix) -> Matrix:
        """vec of A row by row (m·n, 1): the bar of R Section 4.2.1."""
        return self.build(A.nrows() * A.ncols(), 1, lambda i, _: A[i // A.ncols(), i % A.ncols()])

    def columns(self, A: Matrix) -> Matrix:
        """vec of A column by column (m·n, 1)."""
        return self.build(A.nrows() * A.ncols(), 1, lambda i, _: A[i % A.nrows(), i // A.nrows()])

    def beside(self, *parts: Matrix) -> Matrix:
        """The matrices one beside the other."""
        columns = [(part, j) for part in parts for j in range(part.ncols())]
        return self.build(parts[0].nrows(), len(columns), lambda i, j: columns[j][0][i, columns[j][1]])


def dot(v: Matrix, w: Matrix) -> Any:
    """vᵀw of two columns, a number."""
    return (v.transpose() * w)[0, 0]


def outer(v: Matrix, w: Matrix) -> Matrix:
    """vwᵀ of two columns."""
    return v * w.transpose()


def trace(A: Matrix) -> Any:
    """The sum of the diagonal."""
    total = A[0, 0]
    for i in range(1, A.nrows()):
        total += A[i, i]
    return total
