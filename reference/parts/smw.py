"""The Sherman-Morrison-Woodbury formula for G = λI + (1/N₂) JᵀHJ: solve in the small space of outputs.

Paper    R (5.6) where H is invertible, (5.7) where it need not be.
Symbols  J (q, n) stacked Jacobians, q = N₂·m_L outputs for Gauss-Newton and q = N₂ for natural gradient; H (q, q) the
         block-diagonal output Hessian (the identity for natural gradient); λ > 0; D (q, q); g (n,).
Departs  ERR-6: the text gives the size of D for natural gradient as m_L × m_L; it is N₂ × N₂.
"""

from __future__ import annotations

from typing import Any

from ...arrays import namespace
from ...arrays.checks import check_number, check_spd, check_vectors
from ...arrays.errors import expect

Array = Any


def solve_with_inverse(lam: Any, J: Array, H: Array, g: Array, *, N2: int) -> Array:
    """G⁻¹g by (5.6): (1/λ) (g − (1/N₂) Jᵀ D⁻¹ J g) with D = λH⁻¹ + (1/N₂) JJᵀ.

    Takes    lam > 0; J (q, n); H (q, q) symmetric positive definite; g (n,); N2 a divisor of q.
    Ensures  (λI + (1/N₂) JᵀHJ) times the result is g.
    """
    lam = _checked(lam, J, H, g, N2)
    check_spd("H", H, J.shape[0])
    xp = namespace(J)
    D = lam * xp.inv(H) + J @ J.T / N2                               # R(5.6)
    return (g - J.T @ xp.solve(D, J @ g) / N2) / lam                 # R(5.6)


def solve_without_inverse(lam: Any, J: Array, H: Array, g: Array, *, N2: int) -> Array:
    """G⁻¹g by (5.7): (1/λ) (g − (1/N₂) Jᵀ H D⁻¹ J g) with D = λI + (1/N₂) JJᵀH, for singular H too.

    Takes    lam > 0; J (q, n); H (q, q) symmetric positive semidefinite; g (n,); N2 a divisor of q.
    Ensures  (λI + (1/N₂) JᵀHJ) times the result is g.
    """
    lam = _checked(lam, J, H, g, N2)
    xp = namespace(J)
    expect(xp.symmetric(H), "H", "a symmetric matrix", "it is a Hessian", "an asymmetric one")
    expect(xp.positive_semidefinite(H), "H", "a positive semidefinite matrix", "G must be invertible", "an indefinite one")
    D = lam * xp.eye(J.shape[0]) + J @ J.T @ H / N2                  # R(5.7)
    return (g - J.T @ (H @ xp.solve(D, J @ g)) / N2) / lam           # R(5.7)


def _checked(lam: Any, J: Array, H: Array, g: Array, N2: int) -> Any:
    """λ in the arithmetic of J, after shapes and numbers have been checked."""
    xp = namespace(J, H, g)
    check_vectors(g=g)
    expect(J.ndim == 2 and J.shape[1] == g.shape[0], "J", f"shape (q, {g.shape[0]})", "it acts on vectors like g",
           tuple(J.shape))
    q = J.shape[0]
    expect(tuple(H.shape) == (q, q), "H", f"shape {(q, q)}", "J has as many rows", tuple(H.shape))
    expect(xp.all_finite(J) and xp.all_finite(H), "J, H", "finite numbers", "nan and inf would spread", "nan or inf")
    expect(isinstance(N2, int) and N2 >= 1 and q % N2 == 0, "N2", f"a positive divisor of {q}",
           "every example has as many rows of J", N2)
    check_number("lam", lam, lambda lam: lam > 0, "a positive number", "G must be invertible")
    return xp.const(lam)
