"""Damping of a quasi-Newton pair: the equalities that pin six procedures, and the bounds of R Lemmas 4, 5 and 6 beside them.

Signatures as in `stepgauge.reference.parts.damping`: `damp(s, y, H, mu1=…, mu2=…) -> (s̃, ỹ)`. Every damping moves a vector x
towards a target t, as far as a partner z demands, and three equalities pin it, `pin_damping`:

    zᵀx̃ = max(zᵀx, μ zᵀt);    x̃ = x + τ(t − x) for one number τ;    x̃ = x where zᵀx >= μ zᵀt.

They put τ into [0, 1]. The papers' inequality μ zᵀt <= zᵀx̃ is checked beside them; alone it lets pass what damps too much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import strategies
from .broyden import pin_update
from .rational import identity, inverse, is_invertible, norm_bound, outer, root, size
from .trial import Trial, drawn_from

Array = Any
Damping = Callable[..., tuple[Array, Array]]


def pin_damping(trial: Trial, names: str, x: Array, x_t: Array, t: Array, z: Array, mu: Any) -> None:
    """Demand that x̃ be x moved towards t until zᵀx̃ is μ zᵀt or more, all (n,); `names` are those of x̃, x, t, z and μ."""
    x_t_, x_, t_, z_, mu_ = names.split()
    zx, c, terms = z @ x, z @ t, len(z) * size(z) * size(x, t)
    trial.at_most(f"{mu_} {z_}ᵀ{t_} <= {z_}ᵀ{x_t_}", mu * c, z @ x_t, scale=terms)
    trial.equal(f"{z_}ᵀ{x_t_} = max({z_}ᵀ{x_}, {mu_} {z_}ᵀ{t_})", z @ x_t, max(zx, mu * c), scale=terms)
    way = t - x
    longest = max(range(len(way)), key=lambda i: abs(way[i]))
    tau = (x_t - x)[longest] / way[longest] if way[longest] else 0
    trial.equal(f"{x_t_} = {x_} + τ({t_} − {x_}) for one τ", x_t, x + tau * way, scale=size(x, t))
    if zx - mu * c >= trial.slack * terms:
        trial.equal(f"{x_t_} = {x_} where {z_}ᵀ{x_} >= {mu_} {z_}ᵀ{t_}", x_t, x)


@drawn_from(strategies.powell_on_B())
def powell_on_B_pins(damp: Damping, s: Array, y: Array, B: Array, mu: Any) -> None:
    """Powell's damping on B (R Section 2.3.1): y moves towards Bs.

    States   sᵀỹ = max(sᵀy, μ sᵀBs); ỹ on the way from y to Bs, and y itself where nothing is needed; s̃ = s.
    Takes    damp(s, y, B, mu=μ) -> (s, ỹ), each (n,); B (n, n) positive definite; 0 < μ < 1.
    Catches  θ and 1 − θ exchanged, μ for 1 − μ, damping of a pair that needs none, Hy for Bs.
    """
    trial = Trial(s=s, y=y, B=B, mu=mu)
    s_t, y_t = trial.arrays("s̃ ỹ", trial.call(damp, s, y, B, mu=mu), s.shape, s.shape)
    s, y, B, mu = trial.exact()
    trial.equal("s̃ = s", s_t, s)
    pin_damping(trial, "ỹ y Bs s μ", y, y_t, B @ s, s, mu)


@drawn_from(strategies.powell_on_H())
def powell_on_H_pins(damp: Damping, s: Array, y: Array, H: Array, mu: Any) -> None:
    """Powell's damping on H (R Section 2.3.1): s moves towards Hy.

    States   s̃ᵀy = max(sᵀy, μ yᵀHy); s̃ on the way from s to Hy, and s itself where nothing is needed; ỹ = y.
    Takes    damp(s, y, H, mu=μ) -> (s̃, y), each (n,); H (n, n) positive definite; 0 < μ < 1.
    Catches  a minus in the interpolation, y for Hy, a switch at 0 in place of μ yᵀHy.
    """
    trial = Trial(s=s, y=y, H=H, mu=mu)
    s_t, y_t = trial.arrays("s̃ ỹ", trial.call(damp, s, y, H, mu=mu), s.shape, s.shape)
    s, y, H, mu = trial.exact()
    trial.equal("ỹ = y", y_t, y)
    pin_damping(trial, "s̃ s Hy y μ", s, s_t, H @ y, y, mu)


@drawn_from(strategies.powell_identity())
def powell_identity_pins(damp: Damping, s: Array, y: Array, mu: Any) -> None:
    """Powell's damping with B = I (R Section 2.3.1): y moves towards s.

    States   sᵀỹ = max(sᵀy, μ sᵀs); ỹ on the way from y to s, and y itself where nothing is needed; s̃ = s.
    Takes    damp(s, y, mu=μ) -> (s, ỹ), each (n,); 0 < μ <= 1.
    Catches  yᵀy for sᵀs, ỹ = y + μs (Levenberg-Marquardt damping), a weight 0/0 where μ = 1 and y = s.
    """
    trial = Trial(s=s, y=y, mu=mu)
    s_t, y_t = trial.arrays("s̃ ỹ", trial.call(damp, s, y, mu=mu), s.shape, s.shape)
    s, y, mu = trial.exact()
    trial.equal("s̃ = s", s_t, s)
    pin_damping(trial, "ỹ y s s μ", y, y_t, s, s, mu)


@drawn_from(strategies.double_damping())
def double_damping_pins(damp: Damping, s: Array, y: Array, H: Array, mu1: Any, mu2: Any) -> None:
    """Double damping, R Algorithm 3: s moves towards Hy, then y towards s̃.

    States   P1: s̃ᵀy = max(sᵀy, μ₁ yᵀHy). P2: s̃ᵀỹ = max(s̃ᵀy, μ₂ s̃ᵀs̃). P3: s̃ on the way from s to Hy, ỹ
             from y to s̃, neither moved without need. Beside them R Section 2.3: μ₁ yᵀHy <= s̃ᵀy and μ₂ s̃ᵀs̃ <= s̃ᵀỹ.
    Takes    damp(s, y, H, mu1=μ₁, mu2=μ₂) -> (s̃, ỹ), each (n,); H (n, n) positive definite; 0 < μ₁ < 1; 0 < μ₂ <= 1.
    Catches  s for s̃ in the second damping, ỹ for y in the first, μ₁ and μ₂ exchanged, a sign in an interpolation.
    """
    trial = Trial(s=s, y=y, H=H, mu1=mu1, mu2=mu2)
    s_t, y_t = trial.arrays("s̃ ỹ", trial.call(damp, s, y, H, mu1=mu1, mu2=mu2), s.shape, s.shape)
    s, y, H, mu1, mu2 = trial.exact()
    pin_damping(trial, "s̃ s Hy y μ₁", s, s_t, H @ y, y, mu1)
    pin_damping(trial, "ỹ y s̃ s̃ μ₂", y, y_t, s_t, s_t, mu2)


@drawn_from(strategies.dp_dlm())
def dp_dlm_pins(damp: Damping, s: Array, y: Array, H: Array, mu1: Any, mu2: Any) -> None:
    """D_P D_LM, R Algorithm 8: Powell's damping of s on H, then Levenberg-Marquardt damping of y.

    States   s̃ᵀy = max(sᵀy, μ₁ yᵀHy); s̃ on the way from s to Hy, and s itself where nothing is needed; ỹ = y + μ₂s̃, and so
             μ₂ s̃ᵀs̃ <= s̃ᵀỹ.
    Takes    damp(s, y, H, mu1=μ₁, mu2=μ₂) -> (s̃, ỹ), each (n,); H (n, n) positive definite; 0 < μ₁ < 1; μ₂ > 0.
    Catches  ỹ = y + μ₂s with the undamped s, the weight of Algorithm 3 in place of line 8, μ₂ on the wrong vector.
    """
    trial = Trial(s=s, y=y, H=H, mu1=mu1, mu2=mu2)
    s_t, y_t = trial.arrays("s̃ ỹ", trial.call(damp, s, y, H, mu1=mu1, mu2=mu2), s.shape, s.shape)
    s, y, H, mu1, mu2 = trial.exact()
    pin_damping(trial, "s̃ s Hy y μ₁", s, s_t, H @ y, y, mu1)
    trial.at_most("μ₂ s̃ᵀs̃ <= s̃ᵀỹ", mu2 * (s_t @ s_t), s_t @ y_t)
    trial.equal("ỹ = y + μ₂s̃", y_t, y + mu2 * s_t, scale=size(y, mu2 * s_t))


@drawn_from(strategies.dpi_dlm())
def dpi_dlm_pins(damp: Damping, s: Array, y: Array, mu1: Any, mu2: Any) -> None:
    """D_P(I) D_LM, R Algorithm 11: Algorithm 8 with H = I/μ₂.

    States   s̃ᵀy = max(sᵀy, μ₁ yᵀy/μ₂); s̃ on the way from s to y/μ₂, and s itself where nothing is needed; ỹ = y + μ₂s̃.
    Takes    damp(s, y, mu1=μ₁, mu2=μ₂) -> (s̃, ỹ), each (n,); 0 < μ₁ < 1; μ₂ > 0.
    Catches  H = μ₂I for I/μ₂, y for y/μ₂ as the target, yᵀy without 1/μ₂ in the weight.
    """
    trial = Trial(s=s, y=y, mu1=mu1, mu2=mu2)
    s_t, y_t = trial.arrays("s̃ ỹ", trial.call(damp, s, y, mu1=mu1, mu2=mu2), s.shape, s.shape)
    s, y, mu1, mu2 = trial.exact()
    pin_damping(trial, "s̃ s y/μ₂ y μ₁", s, s_t, y / mu2, y, mu1)
    trial.equal("ỹ = y + μ₂s̃", y_t, y + mu2 * s_t, scale=size(y, mu2 * s_t))


@drawn_from(strategies.dpi_dlm())
def lemma_4(damp: Damping, s: Array, y: Array, mu1: Any, mu2: Any) -> None:
    """R Lemma 4 (Section 3.6), for Algorithm 11 or any damping that promises as much.

    States   μ₂ s̃ᵀs̃ <= s̃ᵀỹ and μ₃ ỹᵀỹ <= s̃ᵀỹ with μ₃ = μ₁/(μ₂(1 + 2μ₁)), which are the printed ones unless s = y = 0; and
             the second with the best constant, μ₁/(μ₂(1 + μ₁)), an equality where Powell's damping acts and s is parallel to
             y: there s̃ = μ₁y/μ₂ and ỹ = (1 + μ₁)y.
    Takes    damp(s, y, mu1=μ₁, mu2=μ₂) -> (s̃, ỹ), each (n,); 0 < μ₁ < 1; μ₂ > 0.
    Catches  too little damping of s, no damping of y, μ₂ applied twice.
    """
    trial = Trial(s=s, y=y, mu1=mu1, mu2=mu2)
    s_t, y_t = trial.arrays("s̃ ỹ", trial.call(damp, s, y, mu1=mu1, mu2=mu2), s.shape, s.shape)
    s, y, mu1, mu2 = trial.exact()
    curvature, y_ty_t = s_t @ y_t, y_t @ y_t
    trial.at_most("μ₂ s̃ᵀs̃ <= s̃ᵀỹ", mu2 * (s_t @ s_t), curvature)
    trial.at_most("μ₃ ỹᵀỹ <= s̃ᵀỹ with μ₃ = μ₁/(μ₂(1 + 2μ₁))", mu1 / (mu2 * (1 + 2 * mu1)) * y_ty_t, curvature)
    trial.at_most("(μ₁/(μ₂(1 + μ₁))) ỹᵀỹ <= s̃ᵀỹ", mu1 / (mu2 * (1 + mu1)) * y_ty_t, curvature)
    if mu2 * (s @ y) < mu1 * (y @ y) and not (outer(s, y) - outer(y, s)).any():
        trial.equal("(μ₁/(μ₂(1 + μ₁))) ỹᵀỹ = s̃ᵀỹ where s is parallel to y", mu1 / (mu2 * (1 + mu1)) * y_ty_t, curvature)


@drawn_from(strategies.curved_pairs())
def lemma_5(update: Callable[..., Array], H: Array, s: Array, y: Array) -> None:
    """R Lemma 5 (Section 3.6): how far one BFGS update (3.11) of H, B = H⁻¹, can move the norms.

    States   exactly over ℚ, with β = yᵀy/sᵀy and γ = sᵀs/sᵀy, the least 1/μ₃ and 1/μ₂ that the lemma admits: for rational
             b >= ‖B‖ and h >= ‖H‖ (by a thousandth of a row sum at most), the matrices
             (b + β)I − B⁺  and  ((1 + r)²h + γ)I − H⁺ are positive semidefinite, r <= √(βγ) rational and exact to 200 bits:
             ‖B⁺‖ <= ‖B‖ + 1/μ₃ and ‖H⁺‖ <= (1 + 1/√(μ₂μ₃))²‖H‖ + 1/μ₂ as printed, the root rounded against the candidate.
             Beside them a bound without roots that implies the second, since the oblique projector I − ρsyᵀ has the norm
             √(βγ), or 0 where n = 1: (βγh + γ)I − H⁺ is positive semidefinite. And the equalities of `bfgs_H_pins`.
    Takes    update(H, s, y) -> H⁺ (n, n); H (n, n) positive definite; s, y (n,) with sᵀy > 0 (the lemma does not say so, and
             fails without it).
    Catches  what `bfgs_H_pins` does, and steps that grow without bound.
    """
    trial = Trial(H=H, s=s, y=y)
    H, s, y = trial.exact()
    H_plus = trial.array("H⁺", trial.call(update, *trial.inputs.values()), *H.shape)
    B, beta, gamma = inverse(H), y @ y / (s @ y), s @ s / (s @ y)
    I, b, h = identity(len(s)), norm_bound(B), norm_bound(H)
    trial.semidefinite("((1 + 1/√(μ₂μ₃))²‖H‖ + 1/μ₂)I − H⁺ is positive semidefinite",
                       ((1 + root(beta * gamma)) ** 2 * h + gamma) * I - H_plus, scale=size(H_plus))
    trial.semidefinite("(‖H‖/(μ₂μ₃) + 1/μ₂)I − H⁺ is positive semidefinite",
                       (beta * gamma * h + gamma) * I - H_plus, scale=size(H_plus))
    if not is_invertible(H_plus):
        trial.fail("H⁺ is invertible", H_plus=H_plus)
    B_plus = inverse(H_plus)
    trial.semidefinite("(‖B‖ + 1/μ₃)I − B⁺ is positive semidefinite",
                       (b + beta) * I - B_plus, scale=size(B_plus) ** 2 * size(H_plus))
    pin_update(trial, H_plus, H, s, y, phi=1)


@drawn_from(strategies.pair_sequences())
def lemma_6(inverse_hessian: Callable[..., Array], pairs: list[tuple[Array, Array]], n: int, mu1: Any, lam: Any) -> None:
    """R Lemma 6 (Section 3.6): p pairs, each damped by Algorithm 11 with μ₂ = λ_G, then L-BFGS from H_0 = I/λ_G.

    States   HB = I for the B that the B-form of (3.11) makes of λ_G I and the same damped pairs; and the bounds of the proof,
             exactly: H − I/(λ_G + p/μ₃) and κ̄I − H are positive semidefinite, with κ̄ = μ̂ᵖ/λ_G + (μ̂ᵖ⁻¹ + … + 1)/λ_G and
             μ̂ = (1 + r)², r <= 1/√(μ₂μ₃) = √(2 + 1/μ₁) rational and exact to 200 bits, rounded against the candidate.
    Takes    inverse_hessian(pairs, n, mu1=μ₁, lam=λ_G) -> H (n, n); pairs: a list of p >= 0 undamped (s, y), oldest first,
             each (n,), not both 0 (where both are, the update does not exist, though the lemma says "for all k").
    Catches  pairs in the wrong order, H_0 = λI, undamped pairs, damping with μ₂ and H of Algorithm 8.
    """
    trial = Trial(pairs=pairs, n=n, mu1=mu1, lam=lam)
    H = trial.array("H", trial.call(inverse_hessian, pairs, n, mu1=mu1, lam=lam), n, n)
    pairs, n, mu1, lam = trial.exact()
    I, p = identity(n), len(pairs)
    inverse_mu3, mu_h = lam * (1 + 2 * mu1) / mu1, (1 + root(2 + 1 / mu1)) ** 2
    kappa = (mu_h**p + sum(mu_h**i for i in range(p))) / lam
    trial.semidefinite("κ̄I − H is positive semidefinite", kappa * I - H, scale=size(H))
    trial.semidefinite("H − I/(λ_G + p/μ₃) is positive semidefinite", H - I / (lam + p * inverse_mu3), scale=size(H))
    B = lam * I
    for s, y in pairs:
        sy, yy = s @ y, y @ y / lam
        s_t = s + (mu1 * yy - sy) / (yy - sy) * (y / lam - s) if sy < mu1 * yy else s
        y_t, Bs = y + lam * s_t, B @ s_t
        B = B - outer(Bs, Bs) / (s_t @ Bs) + outer(y_t, y_t) / (s_t @ y_t)
    trial.equal("HB = I", H @ B, I, scale=n * size(H) * size(B))
