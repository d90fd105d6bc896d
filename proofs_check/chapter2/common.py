"""What the statements of chapter 2 share: matrices over ℚ and their order, BFGS, L-BFGS and double damping as printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import flint

from ..fields import Matrix, dot, outer
from ..statement import Finding

Q = flint.fmpq


def number(value: Any) -> Any:
    """A whole number, a Fraction or "p/q" as a number of ℚ."""
    exact = Fraction(value) if not isinstance(value, Q) else Fraction(int(value.p), int(value.q))
    return Q(exact.numerator, exact.denominator)


def column(*entries: Any) -> Matrix:
    """The column (n, 1) of these numbers."""
    return flint.fmpq_mat(len(entries), 1, [number(x) for x in entries])


def eye(n: int, scale: Any = 1) -> Matrix:
    """scale · I, (n, n)."""
    return flint.fmpq_mat(n, n, [number(scale) if i == j else Q(0) for i in range(n) for j in range(n)])


def diagonal(*entries: Any) -> Matrix:
    """The diagonal matrix of these numbers."""
    n = len(entries)
    return flint.fmpq_mat(n, n, [number(entries[i]) if i == j else Q(0) for i in range(n) for j in range(n)])


def semidefinite(A: Matrix) -> bool:
    """Is the symmetric matrix A ⪰ 0?  Exactly, by elimination: each pivot positive, or 0 with a row of zeros."""
    n = A.nrows()
    rows = [[A[i, j] for j in range(n)] for i in range(n)]
    for k in range(n):
        pivot = rows[k][k]
        if pivot < 0 or (pivot == 0 and any(x != 0 for x in rows[k][k:])):
            return False
        if pivot:
            for i in range(k + 1, n):
                factor = rows[i][k] / pivot
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return True


def between(low: Any, A: Matrix, high: Any) -> bool:
    """low · I ⪯ A ⪯ high · I."""
    return semidefinite(A - eye(A.nrows(), low)) and semidefinite(eye(A.nrows(), high) - A)


def above_root(x: Any, digits: int = 12) -> Any:
    """The smallest r = k/10^digits with r² ≥ x, for x ≥ 0."""
    scaled = Fraction(int(x.p), int(x.q)) * 10 ** (2 * digits)
    k = int(flint.fmpz(-(-scaled.numerator // scaled.denominator)).isqrt())
    return Q(k if k * k >= scaled else k + 1, 10**digits)


def shown(H: Matrix) -> str:
    """The diagonal of a diagonal matrix."""
    return "diag(" + ", ".join(str(H[i, i]) for i in range(H.nrows())) + ")"


def entries(v: Matrix) -> str:
    """The entries of a column."""
    return "(" + ", ".join(str(x) for x in v.entries()) + ")"


def bfgs_H(H: Matrix, s: Matrix, y: Matrix) -> Matrix:
    """(I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ (R (2.6))."""
    rho, one = 1 / dot(s, y), eye(H.nrows())
    return (one - rho * outer(s, y)) * H * (one - rho * outer(y, s)) + rho * outer(s, s)


def lbfgs_H(n: int, pairs: Iterable[tuple[Matrix, Matrix]]) -> Matrix:
    """(2.12): the identity, updated by the pairs in order."""
    H = eye(n)
    for s, y in pairs:
        H = bfgs_H(H, s, y)
    return H


def double_damping(s: Matrix, y: Matrix, H: Matrix, mu1: Any, mu2: Any) -> tuple[Matrix, Matrix]:
    """Algorithm 3 as printed."""
    sy, yHy = dot(s, y), dot(y, H * y)
    theta1 = (1 - mu1) * yHy / (yHy - sy) if sy < mu1 * yHy else Q(1)
    s_t = theta1 * s + (1 - theta1) * (H * y)
    sy, ss = dot(s_t, y), dot(s_t, s_t)
    theta2 = (1 - mu2) * ss / (ss - sy) if sy < mu2 * ss else Q(1)
    return s_t, theta2 * y + (1 - theta2) * s_t


def part(place: int, check: Callable[[Any], Finding | None]) -> Callable[[Any], Finding | None]:
    """The check of one part of a form whose code is a tuple: a scalar core, say, and the matrices that it stands for."""
    return lambda code: check(code[place])
