"""Linear conjugate gradients on tuples of matrices, one a layer: G is met in products alone.

Paper    R Section 5.3 names the method ("early termination linear CG", Martens 2010), without printing it. The rule by which it
         ends early is Martens' Section 4.4.
Symbols  Gx = b; x, r = b − Gx and d by layer, like W̄ (d_out, d_in + 1); M a diagonal preconditioner; φ(x) = ½ xᵀGx − bᵀx.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...arrays import namespace
from ...arrays.checks import check_number
from ...arrays.errors import expect
from .kronecker import each, inner

Array = Any


class Solution(NamedTuple):
    """x by layer, and how many products with G it took."""

    x: tuple[Array, ...]
    iterations: int


def conjugate_gradient(G: Callable[[tuple[Array, ...]], tuple[Array, ...]], b: tuple[Array, ...], *, iterations: int,
                       progress: Any, M: tuple[Array, ...] | None = None) -> Solution:
    """x ≈ G⁻¹b from x = 0, for G symmetric positive definite.

    Takes    b by layer; M by layer, positive, or None for no preconditioner; iterations: products with G at most; progress: ε of
             Martens' rule: after i iterations it is enough if φ has fallen by less than the share kε of itself in the last
             k = max(10, i/10); 0 goes on to the end.
    Ensures  x is G⁻¹b where r has become 0: after as many iterations as G has different eigenvalues, rounding aside. The x so far
             is handed back where dᵀGd is 0, since d has faded, or in floats below 0 in a later direction, where rounding may be
             all that is left of a small curvature.
    Raises   ValueError for numbers out of their ranges, entries that are not finite, or M of other shapes than b; ArithmeticError
             where rᵀM⁻¹r or dᵀGd is not finite, or dᵀGd < 0 at the first direction or exactly, so that G is not positive definite.
    """
    check(b, iterations, progress, M)
    xp = namespace(*b)
    x, r = each(lambda b: 0 * b, b), b
    y = preconditioned(r, M)
    d, ry = y, inner(r, y)
    phi: list[Any] = []
    for i in range(1, iterations + 1):
        expect(xp.all_finite(ry), "G, b", "a finite rᵀM⁻¹r", "a step is as long as rᵀM⁻¹r / dᵀGd", ry, ArithmeticError)
        if not ry > 0:
            return Solution(x, i - 1)
        Gd = G(d)
        dGd = inner(d, Gd)
        expect(xp.all_finite(dGd), "G", "a finite dᵀGd", "a step is as long as rᵀM⁻¹r / dᵀGd", dGd, ArithmeticError)
        if not dGd > 0:                      # after convergence d fades until its square is below the smallest number
            expect((i > 1 and not xp.exact) or not dGd < 0, "G", "dᵀGd > 0", "it is positive definite", dGd, ArithmeticError)
            return Solution(x, i - 1)
        alpha = ry / dGd                                                              # R§5.3
        x, r = plus(x, alpha, d), plus(r, -alpha, Gd)                                 # R§5.3
        phi.append(-inner(x, b) / 2)                                                  # φ(x), since xᵀr = 0
        k = max(10, i // 10)
        if progress and i > k and phi[-1] - phi[-1 - k] > k * xp.const(progress) * phi[-1]:
            return Solution(x, i)
        y = preconditioned(r, M)
        beta, ry = inner(r, y) / ry, inner(r, y)                                      # R§5.3
        d = plus(y, beta, d)                                                          # R§5.3
    return Solution(x, iterations)


def check(b: Any, iterations: int, progress: Any, M: Any) -> None:
    """Raise ValueError for what `conjugate_gradient` cannot start from; TypeError for mixed arithmetics."""
    expect(isinstance(iterations, int) and iterations >= 1, "iterations", "a positive integer", "it counts products", iterations)
    check_number("progress", progress, lambda progress: 0 <= progress < 1, "a number in [0, 1)", "it is a share")
    xp = namespace(*b, *(M or ()))
    for l, b_l in enumerate(b):
        expect(xp.all_finite(b_l), f"b[{l}]", "finite numbers", "nan and inf would spread", "nan or inf")
    if M is not None:
        shapes = [tuple(b_l.shape) for b_l in b]
        expect([tuple(M_l.shape) for M_l in M] == shapes, "M", f"shapes {shapes}", "it divides vectors like b entry by entry",
               [tuple(M_l.shape) for M_l in M])
        for l, M_l in enumerate(M):
            expect(xp.all_finite(M_l) and bool((M_l > 0).all()), f"M[{l}]", "finite positive numbers",
                   "M is positive definite", "others")


def plus(x: Any, c: Any, y: Any) -> tuple[Array, ...]:
    """x + cy by layer."""
    return each(lambda x, y: x + c * y, x, y)


def preconditioned(r: Any, M: Any) -> tuple[Array, ...]:
    """M⁻¹r by layer, for a diagonal M; r where M is None."""
    return r if M is None else each(lambda r, M: r / M, r, M)
