"""Damping of a quasi-Newton pair (s, y): move it just far enough that the BFGS update stays positive definite.

Paper    R Section 2.3.1 (Powell on B, on H, with B = I), Algorithm 3 (DD), Algorithm 8 (D_P D_LM), Algorithm 11 (D_P(I) D_LM).
Symbols  s, y (n,) the pair; H (n, n) ≈ the inverse of B (n, n); μ, μ₁, μ₂ numbers; s̃, ỹ the damped pair.
Departs  DEV-DD-1: μ₂ > 1 is refused in Algorithm 3, since θ₂ has a pole at s̃ᵀy = s̃ᵀs̃ there.

All six are one idea, `weight`: interpolate towards a pair whose curvature is c until the curvature is at least μc.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...arrays import namespace
from ...arrays.checks import check_number, check_spd, check_vectors, checked

Array = Any


class DampedPair(NamedTuple):
    """The damped pair: s̃ (n,), ỹ (n,)."""

    s_t: Array
    y_t: Array


BETWEEN = (lambda mu: 0 < mu < 1, "a number in (0, 1)", "it weighs old curvature against new")
TO_ONE = (lambda mu: 0 < mu <= 1, "a number in (0, 1]", "the weight has a pole beyond 1")
POSITIVE = (lambda mu: mu > 0, "a positive number", "it is a Levenberg-Marquardt damping")


def _pair(matrix: str = "", **ranges: Any) -> Any:
    """The decorator of a damping: checks s, y, its matrix, and each μ against its range."""
    def prepare(given: dict[str, Any]) -> dict[str, Any]:
        s, y, *matrices = (given[name] for name in given if name not in ranges)
        check_vectors(s=s, y=y)
        xp = namespace(s, y, *matrices)
        for name, where in ranges.items():
            check_number(name, given[name], *where)
        if matrix:
            check_spd(matrix, given[matrix], s.shape[0])
        return given | {name: xp.const(given[name]) for name in ranges}
    return checked(prepare)


def weight(sy: Any, c: Any, mu: Any) -> Any:
    """θ: the largest weight in [0, 1] on a pair of curvature sᵀy, against one of curvature c, that leaves μc or more.

    Ensures  θ sᵀy + (1 − θ) c = max(sᵀy, μc) for c ≥ 0 and 0 < μ ≤ 1.
    """
    return (1 - mu) * c / (c - sy) if sy < mu * c else 1


@_pair("B", mu=BETWEEN)
def powell_on_B(s: Array, y: Array, B: Array, *, mu: Any) -> DampedPair:
    """Move y towards Bs (R Section 2.3.1, Powell's damping on B).

    Takes    s (n,), y (n,), B (n, n) symmetric positive definite; 0 < mu < 1.
    Ensures  sᵀỹ = max(sᵀy, μ sᵀBs); ỹ ∈ [y, Bs].
    """
    Bs = B @ s
    theta = weight(s @ y, s @ Bs, mu)                                # R§2.3.1
    y_t = theta * y + (1 - theta) * Bs                               # R§2.3.1  Powell's damping on B
    return DampedPair(s, y_t)


@_pair("H", mu=BETWEEN)
def powell_on_H(s: Array, y: Array, H: Array, *, mu: Any) -> DampedPair:
    """Move s towards Hy (R Section 2.3.1, Powell's damping on H).

    Takes    s (n,), y (n,), H (n, n) symmetric positive definite; 0 < mu < 1.
    Ensures  s̃ᵀy = max(sᵀy, μ yᵀHy); s̃ ∈ [s, Hy].
    """
    Hy = H @ y
    theta = weight(s @ y, y @ Hy, mu)                                # R§2.3.1
    s_t = theta * s + (1 - theta) * Hy                               # R§2.3.1  Powell's damping on H
    return DampedPair(s_t, y)


@_pair(mu=TO_ONE)
def powell_identity(s: Array, y: Array, *, mu: Any) -> DampedPair:
    """Move y towards s (R Section 2.3.1, Powell's damping with B = I).

    Takes    s (n,), y (n,); 0 < mu <= 1, since θ has a pole beyond.
    Ensures  sᵀỹ = max(sᵀy, μ sᵀs); ỹ ∈ [y, s].
    """
    theta = weight(s @ y, s @ s, mu)                                 # R§2.3.1
    y_t = theta * y + (1 - theta) * s                                # R§2.3.1  Powell's damping with B = I
    return DampedPair(s, y_t)


@_pair("H", mu1=BETWEEN, mu2=TO_ONE)
def double_damping(s: Array, y: Array, H: Array, *, mu1: Any, mu2: Any) -> DampedPair:
    """Move s towards Hy, then y towards s̃, just far enough for a safe BFGS update (R Algorithm 3).

    Takes    s (n,), y (n,), H (n, n) symmetric positive definite; 0 < mu1 < 1; 0 < mu2 <= 1 (DEV-DD-1).
    Ensures  P1: s̃ᵀy = max(sᵀy, μ₁yᵀHy).   P2: s̃ᵀỹ = max(s̃ᵀy, μ₂s̃ᵀs̃).   P3: s̃ ∈ [s, Hy], ỹ ∈ [y, s̃].
    """
    Hy = H @ y
    theta1 = weight(s @ y, y @ Hy, mu1)                              # R3.2
    s_t = theta1 * s + (1 - theta1) * Hy                             # R3.3  Powell's damping on H
    theta2 = weight(s_t @ y, s_t @ s_t, mu2)                         # R3.4
    y_t = theta2 * y + (1 - theta2) * s_t                            # R3.5  Powell's damping with B = I
    return DampedPair(s_t, y_t)                                      # R3.6


@_pair("H", mu1=BETWEEN, mu2=POSITIVE)
def dp_dlm(s: Array, y: Array, H: Array, *, mu1: Any, mu2: Any) -> DampedPair:
    """D_P D_LM: Powell's damping on H, then Levenberg-Marquardt damping (R Algorithm 8).

    Takes    s (n,), y (n,), H (n, n) symmetric positive definite; 0 < mu1 < 1; mu2 > 0.
    Ensures  s̃ᵀy = max(sᵀy, μ₁yᵀHy); ỹ = y + μ₂s̃, hence s̃ᵀỹ = s̃ᵀy + μ₂s̃ᵀs̃.
    """
    Hy = H @ y
    theta1 = weight(s @ y, y @ Hy, mu1)                              # R8.2 R8.3 R8.5
    s_t = theta1 * s + (1 - theta1) * Hy                             # R8.7  Powell's damping on H
    y_t = y + mu2 * s_t                                              # R8.8  Levenberg-Marquardt damping on H⁻¹
    return DampedPair(s_t, y_t)                                      # R8.9


@_pair(mu1=BETWEEN, mu2=POSITIVE)
def dpi_dlm(s: Array, y: Array, *, mu1: Any, mu2: Any) -> DampedPair:
    """D_P(I) D_LM: Algorithm 8 with H = I/μ₂ (R Algorithm 11).

    Takes    s (n,), y (n,); 0 < mu1 < 1; mu2 > 0.
    Ensures  s̃ᵀy = max(sᵀy, μ₁yᵀy/μ₂); ỹ = y + μ₂s̃; and so the bounds of R Lemma 4.
    """
    Hy = y / mu2
    theta1 = weight(s @ y, y @ Hy, mu1)                              # R11.2 R11.3 R11.5
    s_t = theta1 * s + (1 - theta1) * Hy                             # R11.7  Powell's damping with H = I/μ₂
    y_t = y + mu2 * s_t                                              # R11.8  Levenberg-Marquardt damping on H⁻¹
    return DampedPair(s_t, y_t)                                      # R11.9
