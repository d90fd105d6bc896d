"""Quasi-Newton updates of a matrix by one pair (s, y): BFGS of H and of B, DFP, and the Broyden family.

Paper    R (2.6), (2.11), Section 2.4 (Hessian-action pairs), (3.11), (3.14).
Symbols  H (n, n) ≈ the inverse of B (n, n); s, y (n,) with sᵀy > 0; ρ = 1/sᵀy; σ = 1/yᵀHy; φ the Broyden parameter.
Departs  nothing in the updates; ERR-5: R Section 3.3.1 prints the Hessian-action pair with s and y exchanged.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...arrays import namespace
from ...arrays.checks import check_number, check_spd, check_vectors
from ...arrays.errors import expect

Array = Any


class Pair(NamedTuple):
    """A quasi-Newton pair: s (n,) a step, y (n,) what the matrix does to it."""

    s: Array
    y: Array


def bfgs_H(H: Array, s: Array, y: Array) -> Array:
    """The BFGS update of an inverse Hessian, (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ (R (2.6)), multiplied out.

    Takes    H (n, n) symmetric positive definite; s (n,), y (n,) with sᵀy > 0.
    Ensures  H⁺y = s; H⁺ symmetric positive definite.
    """
    sy = _curvature("H", H, s, y)
    rho = 1 / sy                                                                      # R(2.6)
    Hy = H @ y
    v = rho * ((1 + rho * (y @ Hy)) / 2 * s - Hy)
    return H + s[:, None] * v[None, :] + v[:, None] * s[None, :]                      # R(2.6)  H⁺ = H + svᵀ + vsᵀ


def bfgs_B(B: Array, s: Array, y: Array) -> Array:
    """The BFGS update of a Hessian, B − Bssᵀ B/(sᵀBs) + ρyyᵀ (R (2.6)).

    Takes    B (n, n) symmetric positive definite; s (n,), y (n,) with sᵀy > 0.
    Ensures  B⁺s = y; B⁺ is the inverse of `bfgs_H` of the inverse of B.
    """
    sy = _curvature("B", B, s, y)
    Bs = B @ s
    return B - Bs[:, None] * (Bs / (s @ Bs))[None, :] + y[:, None] * (y / sy)[None, :]    # R(2.6)


def dfp_H(H: Array, s: Array, y: Array) -> Array:
    """The DFP update of an inverse Hessian, H − Hyyᵀ H/(yᵀHy) + ρssᵀ (R (2.11) with φ = 0).

    Takes    H (n, n) symmetric positive definite; s (n,), y (n,) with sᵀy > 0.
    Ensures  H⁺y = s; H⁺ symmetric positive definite.
    """
    sy = _curvature("H", H, s, y)
    Hy = H @ y
    return H - Hy[:, None] * (Hy / (y @ Hy))[None, :] + s[:, None] * (s / sy)[None, :]    # R(2.11)


def broyden_H(H: Array, s: Array, y: Array, *, phi: Any) -> Array:
    """The Broyden family, H − σHyyᵀH + ρssᵀ + φ(yᵀHy)hhᵀ with h = ρs − σHy (R (2.11)); φ = 1 is BFGS, φ = 0 is DFP.

    Takes    H (n, n) symmetric positive definite; s (n,), y (n,) with sᵀy > 0; phi in [0, 1].
    Ensures  H⁺y = s; H⁺ symmetric positive definite.
    """
    check_number("phi", phi, lambda phi: 0 <= phi <= 1, "a number in [0, 1]", "the family interpolates DFP and BFGS")
    phi = namespace(H).const(phi)
    dfp = dfp_H(H, s, y)                                                              # R(2.11)  the terms without φ
    Hy = H @ y
    yHy = y @ Hy
    h = s / (s @ y) - Hy / yHy                                                        # R(2.11)
    return dfp + phi * yHy * (h[:, None] * h[None, :])                                # R(2.11)


def hessian_action_pair(H: Array, a: Array, A: Array) -> Pair:
    """A pair that carries A's action: s = Ha, y = As (R Section 2.4, with A⁺ or A + λI for A; R (3.14)).

    Takes    H (n, n) symmetric positive definite, an approximation of A⁻¹; a (n,); A (n, n) symmetric positive definite.
    Ensures  by R Theorem 1, if H = A⁻¹ and the update's A is A + c·aaᵀ with a ≠ 0, every update above gives its inverse.
    """
    check_vectors(a=a)
    check_spd("H", H, a.shape[0])
    check_spd("A", A, a.shape[0])
    namespace(H, A, a)
    s = H @ a                                                                         # R§2.4
    y = A @ s                                                                         # R§2.4
    return Pair(s, y)


def _curvature(name: str, M: Array, s: Array, y: Array) -> Any:
    """sᵀy, after everything has been checked."""
    check_vectors(s=s, y=y)
    check_spd(name, M, s.shape[0])
    namespace(M, s, y)
    sy = s @ y
    expect(sy > 0, "s, y", "sᵀy > 0", "the update would lose definiteness (damp the pair first)", f"sᵀy = {sy}")
    return sy
