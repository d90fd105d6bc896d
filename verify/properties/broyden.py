"""Quasi-Newton updates of a matrix: R Theorem 1 for Hessian-action pairs, and what pins the Broyden family on any pair.

Signatures as in `stepgauge.reference.parts.quasi_newton`: an update is `update(H, s, y) -> H⁺`, of the family with `phi=φ`.
Theorem 1 alone pins no update: on its pairs all members of the family agree. On any pair with sᵀy > 0 two equations do,

    H⁺y = s    and    vᵀH⁺w = vᵀHw − (1 − φ) (vᵀHy)(wᵀHy)/yᵀHy  for all v, w ⊥ s,

which leave no entry of a symmetric H⁺ free, since y is not orthogonal to s; they are (2.11) multiplied with y, with v and w.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import strategies
from .rational import identity, inverse, outer, size
from .trial import Trial, drawn_from

Array = Any


@drawn_from(strategies.rank_one_changes())
def theorem_1(update: Callable[..., Array], A: Array, a: Array, c: Any) -> None:
    """R Theorem 1 (Section 2.4): with H = A⁻¹, s = Ha, y = A⁺s and A⁺ = A + c·aaᵀ, the update of H is (A⁺)⁻¹.

    States   A⁺H⁺ = I; that H⁺ is H − Ha(c⁻¹ + aᵀHa)⁻¹aᵀH, too, is `sherman_morrison`.
    Takes    update(H, s, y) -> H⁺ (n, n), any member of the Broyden family; A (n, n) positive definite, a (n,) ≠ 0, c > 0.
    Catches  a wrong sign or factor in a rank-one term, ρ taken for σ, a missing transpose, an update that ignores H.
    """
    _theorem_1(Trial(A=A, a=a, c=c), update)


@drawn_from(strategies.family_rank_one_changes())
def theorem_1_family(update: Callable[..., Array], A: Array, a: Array, c: Any, phi: Any) -> None:
    """R Theorem 1 for update(H, s, y, phi=φ), φ in [0, 1]: (A⁺)⁻¹ whatever φ, since h = ρs − σHy is 0 on these pairs.

    States   A⁺H⁺ = I.
    Takes    update(H, s, y, phi=φ) -> H⁺ (n, n); A (n, n) positive definite, a (n,) ≠ 0, c > 0.
    Catches  an h with ρ and σ exchanged or with a plus, a term in φ that does not vanish with h.
    """
    _theorem_1(Trial(A=A, a=a, c=c, phi=phi), update, phi=phi)


def _theorem_1(trial: Trial, update: Callable[..., Array], **options: Any) -> None:
    A, a, c, *_ = trial.exact()
    H, A_plus = inverse(A), A + c * outer(a, a)
    Ha = H @ a
    H_plus = trial.call(update, trial.given(H), trial.given(Ha), trial.given(A_plus @ Ha), **options)
    H_plus = trial.array("H⁺", H_plus, *A.shape)
    trial.equal("A⁺H⁺ = I", A_plus @ H_plus, identity(len(a)), scale=len(a) * size(A_plus) * size(H_plus))


@drawn_from(strategies.rank_one_changes())
def theorem_1_B(update: Callable[..., Array], A: Array, a: Array, c: Any) -> None:
    """R Theorem 1 seen from the inverse: the update of B = A by s = A⁻¹a, y = A⁺s is A⁺ = A + c·aaᵀ itself.

    States   B⁺ = A + c·aaᵀ.
    Takes    update(B, s, y) -> B⁺ (n, n), BFGS or any other of the family; A (n, n) positive definite, a (n,) ≠ 0, c > 0.
    Catches  Bssᵀ for BssᵀB, the two rank-one terms with one sign, divisors exchanged, an update of H passed off as one of B.
    """
    trial = Trial(A=A, a=a, c=c)
    A, a, c = trial.exact()
    A_plus, s = A + c * outer(a, a), inverse(A) @ a
    B_plus = trial.call(update, trial.given(A), trial.given(s), trial.given(A_plus @ s))
    trial.equal("B⁺ = A + c·aaᵀ", trial.array("B⁺", B_plus, *A.shape), A_plus)


@drawn_from(strategies.rank_one_changes())
def hessian_action_pair(pair: Callable[..., tuple[Array, Array]], A: Array, a: Array, c: Any) -> None:
    """The pair of R Theorem 1 and R (3.14): s = Ha, y = A⁺s.

    States   As = a where H = A⁻¹, and y = (1 + c·aᵀHa) a, both parallel to a.
    Takes    pair(H, a, A⁺) -> (s, y), each (n,); A (n, n) positive definite, a (n,) ≠ 0, c > 0.
    Catches  s and y exchanged (ERR-5: R Section 3.3.1 prints them so), y = As with the old A, s = a.
    """
    trial = Trial(A=A, a=a, c=c)
    A, a, c = trial.exact()
    H = inverse(A)
    answer = trial.call(pair, trial.given(H), trial.given(a), trial.given(A + c * outer(a, a)))
    s, y = trial.arrays("s y", answer, a.shape, a.shape)
    trial.equal("As = a", A @ s, a, scale=len(a) * size(A) * size(s))
    trial.equal("y = (1 + c·aᵀHa) a", y, (1 + c * (a @ H @ a)) * a)


@drawn_from(strategies.rank_one_changes())
def sherman_morrison(invert: Callable[..., Array], A: Array, a: Array, c: Any) -> None:
    """The Sherman-Morrison formula (R Section 2.4, after Theorem 1): the inverse of A⁺ = A + c·aaᵀ from H = A⁻¹.

    States   H⁺ = H − Ha(c⁻¹ + aᵀHa)⁻¹aᵀH.
    Takes    invert(H, a, c) -> H⁺ (n, n); A (n, n) positive definite, a (n,) ≠ 0, c > 0.
    Catches  c for c⁻¹, a lost 1 in the denominator, + for −, a for Ha.
    """
    trial = Trial(A=A, a=a, c=c)
    A, a, c = trial.exact()
    H = inverse(A)
    H_plus = trial.array("H⁺", trial.call(invert, trial.given(H), trial.given(a), trial.given(c)), *A.shape)
    Ha = H @ a
    trial.equal("H⁺ = H − Ha(c⁻¹ + aᵀHa)⁻¹aᵀH", H_plus, H - outer(Ha, Ha) / (1 / c + a @ Ha), scale=size(H))


@drawn_from(strategies.curved_pairs())
def bfgs_H_pins(update: Callable[..., Array], H: Array, s: Array, y: Array) -> None:
    """The BFGS update of an inverse Hessian, R (2.6): H⁺y = s, and vᵀH⁺w = vᵀHw for all v, w ⊥ s.

    Takes    update(H, s, y) -> H⁺ (n, n); H (n, n) positive definite; s, y (n,) with sᵀy > 0.
    Catches  DFP instead, s and y exchanged, ρ(1 + yᵀHy) for ρ(1 + ρyᵀHy), (I − ρysᵀ) on both sides, the term ρssᵀ left out.
    """
    trial = Trial(H=H, s=s, y=y)
    H, s, y = trial.exact()
    pin_update(trial, trial.call(update, *trial.inputs.values()), H, s, y, phi=1)


@drawn_from(strategies.curved_pairs())
def bfgs_B_pins(update: Callable[..., Array], B: Array, s: Array, y: Array) -> None:
    """The BFGS update of a Hessian, R (2.6): B⁺s = y, and vᵀB⁺w = vᵀBw − (vᵀBs)(wᵀBs)/sᵀBs for all v, w ⊥ y.

    Takes    update(B, s, y) -> B⁺ (n, n); B (n, n) positive definite; s, y (n,) with sᵀy > 0.
    Catches  the update of H on B (s and y not exchanged), a sign, sᵀy and sᵀBs exchanged.
    """
    trial = Trial(B=B, s=s, y=y)
    B, s, y = trial.exact()
    pin_update(trial, trial.call(update, *trial.inputs.values()), B, y, s, phi=0, names="B y s")


@drawn_from(strategies.curved_pairs())
def dfp_H_pins(update: Callable[..., Array], H: Array, s: Array, y: Array) -> None:
    """The DFP update of an inverse Hessian, R (2.11) with φ = 0: H⁺y = s, vᵀH⁺w = vᵀHw − (vᵀHy)(wᵀHy)/yᵀHy for all v, w ⊥ s.

    Takes    update(H, s, y) -> H⁺ (n, n); H (n, n) positive definite; s, y (n,) with sᵀy > 0.
    Catches  BFGS instead, σ and ρ exchanged, yyᵀ for Hyyᵀ H.
    """
    trial = Trial(H=H, s=s, y=y)
    H, s, y = trial.exact()
    pin_update(trial, trial.call(update, *trial.inputs.values()), H, s, y, phi=0)


@drawn_from(strategies.broyden_family())
def broyden_pins(update: Callable[..., Array], H: Array, s: Array, y: Array, phi: Any) -> None:
    """The Broyden family, R (2.11): H⁺y = s, and vᵀH⁺w = vᵀHw − (1 − φ) (vᵀHy)(wᵀHy)/yᵀHy for all v, w ⊥ s.

    Takes    update(H, s, y, phi=φ) -> H⁺ (n, n); H (n, n) positive definite; s, y (n,) with sᵀy > 0; φ in [0, 1].
    Catches  φ and 1 − φ exchanged, φ·hhᵀ without the factor yᵀHy, h = ρs + σHy, φ ignored.
    """
    trial = Trial(H=H, s=s, y=y, phi=phi)
    H, s, y, phi_ = trial.exact()
    pin_update(trial, trial.call(update, *list(trial.inputs.values())[:3], phi=phi), H, s, y, phi=phi_)


def pin_update(trial: Trial, M_plus: Any, M: Array, x: Array, z: Array, *, phi: Any, names: str = "H s y") -> None:
    """Demand that `M_plus` be the member φ of the Broyden family that takes z (n,) to x (n,), from M (n, n); all but it exact.

    `names` are those of M, x and z in the messages: the update of B is the family's with s and y exchanged and 1 − φ for φ.
    """
    m, x_, z_ = names.split()
    M_plus = trial.array(f"{m}⁺", M_plus, *M.shape)
    Mz, V = M @ z, _across(x)
    VMz = V @ Mz
    terms = len(x) ** 2 * size(x) ** 2 * (size(M_plus, M) + size(Mz) ** 2 / (z @ Mz))
    trial.equal(f"{m}⁺ is symmetric", M_plus, M_plus.T)
    trial.equal(f"{m}⁺{z_} = {x_}", M_plus @ z, x, scale=len(x) * size(M_plus) * size(z))
    trial.equal(f"vᵀ{m}⁺w = vᵀ{m}w − {1 - phi}·(vᵀ{m}{z_})(wᵀ{m}{z_})/{z_}ᵀ{m}{z_} for v, w ⊥ {x_}",
                V @ M_plus @ V.T, V @ M @ V.T - (1 - phi) * outer(VMz, VMz) / (z @ Mz), scale=terms)


def _across(x: Array) -> Array:
    """A basis of the vectors orthogonal to x ≠ 0 (n,), in rows: x_k e_j − x_j e_k with the largest x_k; (n − 1, n)."""
    k = max(range(len(x)), key=lambda k: abs(x[k]))
    basis = x[k] * identity(len(x))
    basis[:, k] -= x
    return np.delete(basis, k, axis=0)
