"""Quasi-Newton updates of a matrix by one pair (s, y): BFGS of H and of B, DFP, and the Broyden family.

Paper    R (2.6), (2.11), Section 2.4 (Hessian-action pairs), (3.11), (3.14).
Symbols  H (n, n) ≈ the inverse of B (n, n); s, y (n,) with sᵀy > 0; ρ = 1/sᵀy; σ = 1/yᵀHy; φ the Broyden parameter.
Departs  nothing in the updates; ERR-5: R Section 3.3.1 prints the Hessian-action pair with s and y exchanged.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...arrays import namespace
from ...arrays.checks import check_number, check_spd, check_vectors, checked
from ...arrays.errors import expect
from .kronecker import mean

Array = Any


class Pair(NamedTuple):
    """A quasi-Newton pair: s (n,) a step, y (n,) what the matrix does to it."""

    s: Array
    y: Array


def _update(given: dict[str, Any]) -> dict[str, Any]:
    """Checks a matrix (the first argument), the pair and φ."""
    (name, M), s, y = next(iter(given.items())), given["s"], given["y"]
    check_vectors(s=s, y=y)
    xp = namespace(M, s, y)
    check_spd(name, M, s.shape[0])
    if "phi" in given:
        check_number("phi", given["phi"], lambda phi: 0 <= phi <= 1, "a number in [0, 1]", "the family interpolates DFP and BFGS")
        return given | {"phi": xp.const(given["phi"])}
    return given


def _action(given: dict[str, Any]) -> dict[str, Any]:
    """Checks H, a and A."""
    check_vectors(a=given["a"])
    for name in ("H", "A"):
        check_spd(name, given[name], given["a"].shape[0])
    namespace(*given.values())
    return given


def _minibatch_action(given: dict[str, Any]) -> dict[str, Any]:
    """Checks H, a and λ."""
    H, a, lam = given.values()
    xp = namespace(H, a)
    expect(a.ndim == 3 and a.shape[0] > 0 and a.shape[1] > 0, "a", "shape (N, P, n) with N, P >= 1", "A is a mean over examples",
           f"shape {tuple(a.shape)}")
    expect(xp.all_finite(a), "a", "finite numbers", "nan and inf would spread", "nan or inf")
    check_spd("H", H, a.shape[2])
    check_number("lam", lam, lambda lam: lam > 0, "a positive number", "it makes A positive definite")
    return given | {"lam": xp.const(lam)}


def curvature(s: Array, y: Array) -> Any:
    """sᵀy.  Raises ValueError unless it is positive."""
    sy = s @ y
    expect(sy > 0, "s, y", "sᵀy > 0", "the update would lose definiteness (damp the pair first)", lambda: f"sᵀy = {sy}")
    return sy


@checked(_update)
def bfgs_H(H: Array, s: Array, y: Array) -> Array:
    """The BFGS update of an inverse Hessian, (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ (R (2.6)), multiplied out.

    Takes    H (n, n) symmetric positive definite; s (n,), y (n,) with sᵀy > 0.
    Ensures  H⁺y = s; H⁺ symmetric positive definite.
    """
    rho = 1 / curvature(s, y)                                                         # R(2.6)
    Hy = H @ y
    v = rho * ((1 + rho * (y @ Hy)) / 2 * s - Hy)
    sv = s[:, None] * v[None, :]
    return H + (sv + sv.T)                                                            # R(2.6)  H⁺ = H + svᵀ + vsᵀ


@checked(_update)
def bfgs_B(B: Array, s: Array, y: Array) -> Array:
    """The BFGS update of a Hessian, B − Bssᵀ B/(sᵀBs) + ρyyᵀ (R (2.6)).

    Takes    B (n, n) symmetric positive definite; s (n,), y (n,) with sᵀy > 0.
    Ensures  B⁺s = y; B⁺ is the inverse of `bfgs_H` of the inverse of B.
    """
    sy = curvature(s, y)
    Bs = B @ s
    return B - Bs[:, None] * (Bs / (s @ Bs))[None, :] + y[:, None] * (y / sy)[None, :]    # R(2.6)


@checked(_update)
def dfp_H(H: Array, s: Array, y: Array) -> Array:
    """The DFP update of an inverse Hessian, H − Hyyᵀ H/(yᵀHy) + ρssᵀ (R (2.11) with φ = 0).

    Takes    H (n, n) symmetric positive definite; s (n,), y (n,) with sᵀy > 0.
    Ensures  H⁺y = s; H⁺ symmetric positive definite.
    """
    sy = curvature(s, y)
    Hy = H @ y
    return H - Hy[:, None] * (Hy / (y @ Hy))[None, :] + s[:, None] * (s / sy)[None, :]    # R(2.11)


@checked(_update)
def broyden_H(H: Array, s: Array, y: Array, *, phi: Any) -> Array:
    """The Broyden family, H − σHyyᵀH + ρssᵀ + φ(yᵀHy)hhᵀ with h = ρs − σHy (R (2.11)); φ = 1 is BFGS, φ = 0 is DFP.

    Takes    H (n, n) symmetric positive definite; s (n,), y (n,) with sᵀy > 0; phi in [0, 1].
    Ensures  H⁺y = s; H⁺ symmetric positive definite.
    """
    dfp = dfp_H.trusted(H, s, y)                                                      # R(2.11)  the terms without φ
    Hy = H @ y
    yHy = y @ Hy
    h = s / (s @ y) - Hy / yHy                                                        # R(2.11)
    return dfp + phi * yHy * (h[:, None] * h[None, :])                                # R(2.11)


@checked(_action)
def hessian_action_pair(H: Array, a: Array, A: Array) -> Pair:
    """A pair that carries A's action: s = Ha, y = As (R Section 2.4, with A⁺ or A + λI for A; R (3.14)).

    Takes    H (n, n) symmetric positive definite, an approximation of A⁻¹; a (n,); A (n, n) symmetric positive definite.
    Ensures  by R Theorem 1, if H = A⁻¹ and the update's A is A + c·aaᵀ with a ≠ 0, every update above gives its inverse.
    """
    s = H @ a                                                                         # R§2.4
    y = A @ s                                                                         # R§2.4
    return Pair(s, y)


@checked(_minibatch_action)
def minibatch_action_pair(H: Array, a: Array, *, lam: Any) -> Pair:
    """The pair s = Hâ, y = As + λs of a mini-batch (R (3.14)), without forming A = E_n[Σ_t a_t a_tᵀ] (R (3.15)).

    Takes    H (n, n) symmetric positive definite, an approximation of A⁻¹; a (N, P, n), N examples and P positions; lam > 0.
    Ensures  s = Hâ with â the mean of a over examples and positions; y = (A + λI)s.
    """
    rows = namespace(a).reshape(a, (-1, a.shape[-1]))
    s = H @ mean(a)                                                                   # R(3.14)
    y = rows.T @ (rows @ s) / a.shape[0] + lam * s                                    # R(3.14) R(3.15)
    return Pair(s, y)
