"""L-BFGS without its loop: H = γI updated by up to p pairs, in the compact form, applied to a matrix at once.

Paper    R Section 2.3 (L-BFGS implementation), which follows Byrd, Nocedal and Schnabel, *Representations of quasi-Newton
         matrices* (1994), Theorem 2.2; R (2.12).
Symbols  S, Y (n, m) the stored pairs as columns, oldest first, m ≤ p; R (m, m) the upper triangle of SᵀY;
         D (m, m) its diagonal; γ > 0.

    H = γI + (S  γY) ( R⁻ᵀ(D + γYᵀY)R⁻¹   −R⁻ᵀ ) ( Sᵀ  )
                     (      −R⁻¹            0  ) ( γYᵀ )
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...arrays import namespace
from ...arrays.checks import check_vectors
from ...arrays.errors import expect

Array = Any


class Memory(NamedTuple):
    """The stored pairs: S (n, m) and Y (n, m), one pair a column, the oldest first."""

    S: Array
    Y: Array


def empty(n: int, like: Array) -> Memory:
    """No pairs of vectors of length n: H = γI."""
    xp = namespace(like)
    return Memory(xp.zeros((n, 0)), xp.zeros((n, 0)))


def push(memory: Memory, s: Array, y: Array, p: int) -> Memory:
    """The memory with the pair (s, y) as its newest column; beyond p pairs the oldest is dropped.

    Takes    s (n,), y (n,) with sᵀy > 0; p >= 1.
    """
    check_vectors(s=s, y=y)
    expect(isinstance(p, int) and p >= 1, "p", "a positive integer", "it counts pairs", p)
    expect(s @ y > 0, "s, y", "sᵀy > 0", "the update would lose definiteness (damp the pair first)", f"sᵀy = {s @ y}")
    S, Y = (namespace(M, v).concat([M[:, max(0, M.shape[1] - p + 1):], v[:, None]], axis=1)
            for M, v in ((memory.S, s), (memory.Y, y)))
    return Memory(S, Y)


def times(memory: Memory, X: Array, gamma: Any = 1) -> Array:
    """H X for a matrix X (n, d), in O(m n d)."""
    S, Y = memory
    m = S.shape[1]
    if m == 0:
        return gamma * X
    xp = namespace(S, X)
    SY = S.T @ Y
    R = upper_triangle(SY)
    SX = S.T @ X
    YX = gamma * (Y.T @ X)
    RSX = xp.solve(R, SX)
    D_YY = SY * xp.eye(m) + gamma * (Y.T @ Y)
    top = xp.solve(R.T, D_YY @ RSX - YX)
    return gamma * X + S @ top - gamma * (Y @ RSX)


def upper_triangle(M: Array) -> Array:
    """M with zeros below its diagonal."""
    xp = namespace(M)
    rows = [xp.concat([xp.zeros(i), M[i, i:]]) for i in range(M.shape[0])]
    return xp.reshape(xp.concat(rows), M.shape)
