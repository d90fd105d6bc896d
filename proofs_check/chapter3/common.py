"""Chapter 3 in exact numbers: pairs and their damping as printed, the BFGS update, norms that are compared without roots."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import flint

Number = Any
Vector = list[Any]
Matrix = list[list[Any]]
Q = flint.fmpq


def dot(v: Vector, w: Vector) -> Number:
    """vᵀw."""
    return sum((a * b for a, b in zip(v, w, strict=True)), Q(0))


def times(M: Matrix, v: Vector) -> Vector:
    """Mv."""
    return [dot(row, v) for row in M]


def identity(n: int, scale: Number = 1) -> Matrix:
    """scale · I of size n."""
    return [[Q(scale) if i == j else Q(0) for j in range(n)] for i in range(n)]


def mixed(a: Number, v: Vector, b: Number, w: Vector) -> Vector:
    """av + bw."""
    return [a * x + b * z for x, z in zip(v, w, strict=True)]


def dp_dlm(s: Vector, y: Vector, H: Matrix, mu1: Number, mu2: Number) -> tuple[Vector, Vector]:
    """Algorithm 8, line by line."""
    Hy = times(H, y)
    theta = (1 - mu1) * dot(y, Hy) / (dot(y, Hy) - dot(s, y)) if dot(s, y) < mu1 * dot(y, Hy) else Q(1)
    s_t = mixed(theta, s, 1 - theta, Hy)
    return s_t, mixed(1, y, mu2, s_t)


def dpi_dlm(s: Vector, y: Vector, mu1: Number, mu2: Number) -> tuple[Vector, Vector]:
    """Algorithm 11: Algorithm 8 with H = I/μ₂."""
    return dp_dlm(s, y, identity(len(s), 1 / Q(mu2)), mu1, mu2)


def bfgs(H: Matrix, s: Vector, y: Vector) -> Matrix:
    """(3.11), (3.16): (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ with ρ = 1/sᵀy, multiplied out.

    Raises   ZeroDivisionError for sᵀy = 0.
    """
    n, Hy, rho = len(s), times(H, y), 1 / dot(s, y)
    both = rho * (1 + rho * dot(y, Hy))
    return [[H[i][j] - rho * (s[i] * Hy[j] + Hy[i] * s[j]) + both * s[i] * s[j] for j in range(n)] for i in range(n)]


def bfgs_B(B: Matrix, s: Vector, y: Vector) -> Matrix:
    """B − Bssᵀ B/(sᵀBs) + ρyyᵀ."""
    n, Bs = len(s), times(B, s)
    sBs, rho = dot(s, Bs), 1 / dot(s, y)
    return [[B[i][j] - Bs[i] * Bs[j] / sBs + rho * y[i] * y[j] for j in range(n)] for i in range(n)]


def semidefinite(M: Matrix) -> bool:
    """Is a symmetric matrix positive semidefinite? By elimination, exactly."""
    M = [list(row) for row in M]
    for i in range(len(M)):
        if M[i][i] < 0 or (M[i][i] == 0 and any(M[i][i + 1:])):
            return False
        for j in range(i + 1, len(M)):
            factor = M[j][i] / M[i][i] if M[i][i] else Q(0)
            for k in range(i, len(M)):
                M[j][k] -= factor * M[i][k]
    return True


def at_most(M: Matrix, bound: Number) -> bool:
    """Is the spectral norm of a symmetric matrix at most `bound`? −bound I ⪯ M ⪯ bound I, exactly."""
    return all(semidefinite([[bound * (i == j) - sign * entry for j, entry in enumerate(row)] for i, row in enumerate(M)])
               for sign in (1, -1))


def pairs(values: Sequence[Any] = (-1, 0, 2), sizes: Sequence[int] = (1, 2)) -> Iterator[tuple[Vector, Vector]]:
    """All (s, y) with these entries: parallel, opposite, orthogonal and zero vectors among them."""
    for n in sizes:
        for entries in itertools.product(map(Q, values), repeat=2 * n):
            yield list(entries[:n]), list(entries[n:])
