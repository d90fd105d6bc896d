"""Damping of a quasi-Newton pair (s, y): move it just far enough that the BFGS update stays positive definite.

Paper    R Section 2.3.1 (Powell on B, on H, with B = I), Algorithm 3 (DD), Algorithm 8 (D_P D_LM), Algorithm 11 (D_P(I) D_LM).
Symbols  s, y (n,) the pair; H (n, n) ≈ the inverse of B (n, n); μ, μ₁, μ₂ numbers; s̃, ỹ the damped pair.
Departs  DEV-DD-1: μ₂ > 1 is refused in Algorithm 3, since θ₂ has a pole at s̃ᵀy = s̃ᵀs̃ there.

All six are one idea, `weight`: interpolate towards a pair whose curvature is c until the curvature is at least μc.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...arrays import namespace
from ...arrays.checks import check_number, check_spd, check_vectors

Array = Any


class DampedPair(NamedTuple):
    """The damped pair: s̃ (n,), ỹ (n,)."""

    s_t: Array
    y_t: Array


def weight(sy: Any, c: Any, mu: Any) -> Any:
    """θ: the largest weight in [0, 1] on a pair of curvature sᵀy, against one of curvature c, that leaves μc or more.

    Ensures  θ sᵀy + (1 − θ) c = max(sᵀy, μc) for c ≥ 0 and 0 < μ ≤ 1.
    """
    return (1 - mu) * c / (c - sy) if sy < mu * c else 1


def powell_on_B(s: Array, y: Array, B: Array, *, mu: Any) -> DampedPair:
    """Move y towards Bs (R Section 2.3.1, Powell's damping on B).

    Takes    s (n,), y (n,), B (n, n) symmetric positive definite; 0 < mu < 1.
    Ensures  sᵀỹ = max(sᵀy, μ sᵀBs); ỹ ∈ [y, Bs].
    """
    mu = _checked(s, y, B, mu=mu)["mu"]
    check_spd("B", B, s.shape[0])
    Bs = B @ s
    theta = weight(s @ y, s @ Bs, mu)                                # R§2.3.1
    y_t = theta * y + (1 - theta) * Bs                               # R§2.3.1  Powell's damping on B
    return DampedPair(s, y_t)


def powell_on_H(s: Array, y: Array, H: Array, *, mu: Any) -> DampedPair:
    """Move s towards Hy (R Section 2.3.1, Powell's damping on H).

    Takes    s (n,), y (n,), H (n, n) symmetric positive definite; 0 < mu < 1.
    Ensures  s̃ᵀy = max(sᵀy, μ yᵀHy); s̃ ∈ [s, Hy].
    """
    mu = _checked(s, y, H, mu=mu)["mu"]
    check_spd("H", H, s.shape[0])
    Hy = H @ y
    theta = weight(s @ y, y @ Hy, mu)                                # R§2.3.1
    s_t = theta * s + (1 - theta) * Hy                               # R§2.3.1  Powell's damping on H
    return DampedPair(s_t, y)


def powell_identity(s: Array, y: Array, *, mu: Any) -> DampedPair:
    """Move y towards s (R Section 2.3.1, Powell's damping with B = I).

    Takes    s (n,), y (n,); 0 < mu <= 1, since θ has a pole beyond.
    Ensures  sᵀỹ = max(sᵀy, μ sᵀs); ỹ ∈ [y, s].
    """
    mu = _checked(s, y, mu_to_one=mu)["mu_to_one"]
    theta = weight(s @ y, s @ s, mu)                                 # R§2.3.1
    y_t = theta * y + (1 - theta) * s                                # R§2.3.1  Powell's damping with B = I
    return DampedPair(s, y_t)


def double_damping(s: Array, y: Array, H: Array, *, mu1: Any, mu2: Any) -> DampedPair:
    """Move s towards Hy, then y towards s̃, just far enough for a safe BFGS update (R Algorithm 3).

    Takes    s (n,), y (n,), H (n, n) symmetric positive definite; 0 < mu1 < 1; 0 < mu2 <= 1 (DEV-DD-1).
    Ensures  P1: s̃ᵀy = max(sᵀy, μ₁yᵀHy).   P2: s̃ᵀỹ = max(s̃ᵀy, μ₂s̃ᵀs̃).   P3: s̃ ∈ [s, Hy], ỹ ∈ [y, s̃].
    """
    mu1, mu2 = _checked(s, y, H, mu1=mu1, mu2_to_one=mu2).values()
    check_spd("H", H, s.shape[0])
    Hy = H @ y
    theta1 = weight(s @ y, y @ Hy, mu1)                              # R3.2
    s_t = theta1 * s + (1 - theta1) * Hy                             # R3.3  Powell's damping on H
    theta2 = weight(s_t @ y, s_t @ s_t, mu2)                         # R3.4
    y_t = theta2 * y + (1 - theta2) * s_t                            # R3.5  Powell's damping with B = I
    return DampedPair(s_t, y_t)                                      # R3.6


def dp_dlm(s: Array, y: Array, H: Array, *, mu1: Any, mu2: Any) -> DampedPair:
    """D_P D_LM: Powell's damping on H, then Levenberg-Marquardt damping (R Algorithm 8).

    Takes    s (n,), y (n,), H (n, n) symmetric positive definite; 0 < mu1 < 1; mu2 > 0.
    Ensures  s̃ᵀy = max(sᵀy, μ₁yᵀHy); ỹ = y + μ₂s̃, hence s̃ᵀỹ = s̃ᵀy + μ₂s̃ᵀs̃.
    """
    mu1, mu2 = _checked(s, y, H, mu1=mu1, mu2=mu2).values()
    check_spd("H", H, s.shape[0])
    Hy = H @ y
    theta1 = weight(s @ y, y @ Hy, mu1)                              # R8.2 R8.3 R8.5
    s_t = theta1 * s + (1 - theta1) * Hy                             # R8.7  Powell's damping on H
    y_t = y + mu2 * s_t                                              # R8.8  Levenberg-Marquardt damping on H⁻¹
    return DampedPair(s_t, y_t)                                      # R8.9


def dpi_dlm(s: Array, y: Array, *, mu1: Any, mu2: Any) -> DampedPair:
    """D_P(I) D_LM: Algorithm 8 with H = I/μ₂ (R Algorithm 11).

    Takes    s (n,), y (n,); 0 < mu1 < 1; mu2 > 0.
    Ensures  s̃ᵀy = max(sᵀy, μ₁yᵀy/μ₂); ỹ = y + μ₂s̃; and so the bounds of R Lemma 4.
    """
    mu1, mu2 = _checked(s, y, mu1=mu1, mu2=mu2).values()
    Hy = y / mu2
    theta1 = weight(s @ y, y @ Hy, mu1)                              # R11.2 R11.3 R11.5
    s_t = theta1 * s + (1 - theta1) * Hy                             # R11.7  Powell's damping with H = I/μ₂
    y_t = y + mu2 * s_t                                              # R11.8  Levenberg-Marquardt damping on H⁻¹
    return DampedPair(s_t, y_t)                                      # R11.9


_RANGES = {
    "mu": (lambda mu: 0 < mu < 1, "a number in (0, 1)", "it weighs old curvature against new"),
    "mu1": (lambda mu: 0 < mu < 1, "a number in (0, 1)", "it weighs old curvature against new"),
    "mu_to_one": (lambda mu: 0 < mu <= 1, "a number in (0, 1]", "the weight has a pole beyond 1"),
    "mu2_to_one": (lambda mu: 0 < mu <= 1, "a number in (0, 1]", "the weight has a pole beyond 1"),
    "mu2": (lambda mu: mu > 0, "a positive number", "it is a Levenberg-Marquardt damping"),
}


def _checked(s: Array, y: Array, *matrix: Array, **mus: Any) -> dict[str, Any]:
    """The numbers μ in the arithmetic that s, y and the matrix share, after they and the vectors have been checked."""
    check_vectors(s=s, y=y)
    for name, mu in mus.items():
        check_number(name.removesuffix("_to_one"), mu, *_RANGES[name])
    return {name: namespace(s, y, *matrix).const(mu) for name, mu in mus.items()}
