"""L-BFGS without its loop: H = hI updated by up to p pairs, in the compact form, applied to a matrix at once.

Paper    R Section 2.3 (L-BFGS implementation), which follows Byrd, Nocedal and Schnabel, *Representations of quasi-Newton
         matrices* (1994), Theorem 2.2; R (2.12), where h = 1; R (3.16), where h = 1/λ_G.
Symbols  S, Y (n, m) the stored pairs as columns, oldest first, m ≤ p; R (m, m) the upper triangle of SᵀY; D (m, m) its diagonal.

    H = hI + (S  hY) ( R⁻ᵀ(D + hYᵀY)R⁻¹   −R⁻ᵀ ) ( Sᵀ  )
                     (     −R⁻¹             0  ) ( hYᵀ )
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...arrays import namespace
from ...arrays.checks import check_number, checked
from ...arrays.errors import expect
from .quasi_newton import bfgs_H, curvature

Array = Any


class Memory(NamedTuple):
    """The inverse Hessian that at most p pairs make of hI; `memory @ X` applies it to a vector (n,) or a matrix (n, d).

    S, Y (n, m): one pair a column, the oldest first.
    """

    S: Array
    Y: Array
    p: int
    h: Any = 1

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n), as a matrix that does the same would have."""
        return (self.S.shape[0], self.S.shape[0])

    def __matmul__(self, X: Array) -> Array:
        return product.trusted(self.S, self.Y, X, self.h)


def check_kept(name: str, H: tuple[Any, ...], p: int) -> None:
    """Raise TypeError unless all are Memories of p pairs, or matrices where p = 0."""
    kept = [matrix.p if isinstance(matrix, Memory) else 0 for matrix in H]
    expect(all(n == p for n in kept), name, f"Memories of p = {p} pairs" if p else "matrices", f"the hyper-parameters say p = {p}",
           f"p = {', '.join(map(str, kept))}", TypeError)


def _prepare(given: dict[str, Any]) -> dict[str, Any]:
    S, Y, X, h = given["S"], given["Y"], given["X"], given.get("h", 1)
    xp = namespace(S, Y, X)
    expect(S.ndim == 2 and S.shape == Y.shape and S.shape[1] <= S.shape[0], "S, Y", "one shape (n, m) with m <= n",
           "their columns are pairs", f"{tuple(S.shape)} and {tuple(Y.shape)}")
    expect(X.ndim in (1, 2) and X.shape[0] == S.shape[0], "X", f"{S.shape[0]} rows", "H is applied to it",
           f"shape {tuple(X.shape)}")
    for name, value in (("S", S), ("Y", Y), ("X", X)):
        expect(xp.all_finite(value), name, "finite numbers", "nan and inf would spread", "nan or inf")
    check_number("h", h, lambda h: h > 0, "a positive number", "H starts from hI")
    for s, y in zip(S.T, Y.T, strict=True):
        curvature(s, y)
    return given | {"h": xp.const(h)}


@checked(_prepare)
def product(S: Array, Y: Array, X: Array, h: Any = 1) -> Array:
    """H X, where H is hI after the pairs, the oldest first (R Section 2.3).

    Takes    S, Y (n, m), m <= n: one pair a column, each with sᵀy > 0; X (n,) or (n, d); h > 0.
    Ensures  what m updates by `bfgs_H`, or the two loops, give, in the compact form.
    """
    m = S.shape[1]
    if m == 0:
        return h * X
    xp = namespace(S, X)
    both = xp.concat([S, Y], axis=1)
    inner = both.T @ X                                                                # R§2.3  (S Y)ᵀ X
    SY = S.T @ Y
    R = xp.triu(SY)
    RSX = xp.solve(R, inner[:m])                                                      # R§2.3  R⁻¹ Sᵀ X
    top = xp.solve(R.T, (SY * xp.eye(m) + h * (Y.T @ Y)) @ RSX - h * inner[m:])       # R§2.3  R⁻ᵀ ((D + hYᵀY) R⁻¹Sᵀ − hYᵀ) X
    return h * X + both @ xp.concat([top, -h * RSX])                                  # R§2.3


def empty(n: int, p: int, like: Array, h: Any = 1) -> Memory:
    """No pairs of vectors of length n yet: H = hI.

    Raises   ValueError unless n and p are positive integers and h > 0.
    """
    expect(isinstance(n, int) and n >= 1, "n", "a positive integer", "it counts the entries of a vector", n)
    expect(isinstance(p, int) and p >= 1, "p", "a positive integer", "it counts pairs", p)
    expect(bool(h > 0) and bool(1 / h > 0), "h", "a finite positive number", "H = hI is to be positive definite", h)
    none = namespace(like).zeros((n, 0))
    return Memory(none, none, p, h)


def updated(H: Any, s: Array, y: Array) -> Any:
    """H after the pair (s, y): the BFGS update of a matrix; a Memory with the pair as its newest, without its oldest beyond p.

    A pair of zeros, as a dead layer leaves it, says nothing, and one whose sᵀy is no longer a normal number says it without
    digits: H stays as it is (DEV-KBFGS20-3).

    Takes    H (n, n) or a Memory; s (n,), y (n,), damped, so that sᵀy = 0 only where s = y = 0.
    Raises   ValueError where sᵀy < 0, or for vectors that H does not act on.
    """
    n = (H.S if isinstance(H, Memory) else H).shape[0]
    for name, vector in (("s", s), ("y", y)):
        expect(tuple(vector.shape) == (n,), name, f"shape {(n,)}", "H acts on vectors of that length", tuple(vector.shape))
    if abs(s @ y) <= namespace(s).smallest:
        return H
    if not isinstance(H, Memory):
        return bfgs_H.trusted(H, s, y)
    curvature(s, y)
    xp = namespace(H.S, s, y)
    S, Y = (xp.concat([M[:, max(0, M.shape[1] - H.p + 1):], v[:, None]], axis=1) for M, v in ((H.S, s), (H.Y, y)))
    return Memory(S, Y, H.p, H.h)
