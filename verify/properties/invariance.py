"""The grouped Newton step of W: summaries, steps (1) and (2), their invariance under subset-wise affine maps (Appendix E).

Parameters θ (P,) fall into subsets I_1, …, I_S (`groups`, tuples of indices from 0); u (P,) is a direction. A map φ takes θ~ to
θ by θ_p = α_s θ~_p + β_p for p in I_s, which makes L~(θ~) = L(θ) of the loss and u~ = Ju, J_pp = α_s, of the direction
(Assumption E.1). With A = diag(α): ḡ~ = A²ḡ, H̄~ = A²H̄A², D3~_sss = α_s⁶ D3_sss, η~ = A⁻²η for (1) and (2), φ(θ~⁺) = θ⁺.

The losses are polynomials with rational coefficients (`polynomials.Polynomial`): call `loss(theta)` with numbers, arrays, or
what automatic differentiation traces; `loss.derivative(p, q, …)` is exact. What is expected is read off the coefficients of
η ↦ L(θ + U I_{P:S} η), not computed from derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import strategies
from .polynomials import Polynomial
from .rational import array, diagonal, inverse, root, size
from .trial import Trial, drawn_from

Array = Any
Groups = tuple[tuple[int, ...], ...]
Summaries = Callable[..., tuple[Array, Array, Array]]


@drawn_from(strategies.grouped_losses())
def summaries_pins(summaries: Summaries, loss: Polynomial, theta: Array, u: Array, groups: Groups) -> None:
    """W Section 3: the summaries are the derivatives at η = 0 of η ↦ L(θ + U I_{P:S} η).

    States   ḡ_s = Σ u_p ∂_p L over I_s, H̄_st = Σ u_p u_q ∂_p∂_q L over I_s × I_t, D3_s = Σ u_p u_q u_r ∂_p∂_q∂_r L over I_s³.
    Takes    summaries(loss, theta, u, groups) -> (ḡ (S,), H̄ (S, S), D3 (S,)): orders 1, 2, and the diagonal of order 3.
    Catches  the mean over a subset, u left out or squared, only diagonal blocks of the Hessian, |D3| for D3.
    """
    trial = Trial(loss=loss, theta=theta, u=u, groups=groups)
    S = len(groups)
    answer = trial.call(summaries, loss, theta, u, groups)
    g_bar, H_bar, D3 = trial.arrays("ḡ H̄ D3", answer, (S,), (S, S), (S,))
    expected = exact_summaries(*trial.exact())
    for name, ours, theirs in zip(("ḡ", "H̄", "D3"), expected, (g_bar, H_bar, D3), strict=True):
        trial.equal(f"{name} = the derivative at η = 0 of L(θ + U I η)", theirs, ours, scale=_terms(*trial.exact()[:3]))


@drawn_from(strategies.reparameterised_losses())
def summaries_invariance(summaries: Summaries, loss: Polynomial, theta: Array, u: Array, groups: Groups, alpha: Array,
                         beta: Array) -> None:
    """W Appendix E, the laws of the summaries: ḡ~ = A²ḡ, H̄~ = A²H̄A², D3~_s = α_s⁶ D3_s.

    Takes    summaries(loss, theta, u, groups) -> (ḡ (S,), H̄ (S, S), D3 (S,)); α (S,) of any sign, β (P,).
    Catches  a ridge on H̄, u normalised to length 1, u left out; not a constant factor (`summaries_pins` does).
    """
    trial = Trial(loss=loss, theta=theta, u=u, groups=groups, alpha=alpha, beta=beta)
    S, (loss_, theta_, u_, _, a, b) = len(groups), trial.exact()
    loss_m, theta_m, u_m = reparameterise(loss_, theta_, u_, groups, a, b)
    g, H, D3 = trial.arrays("ḡ H̄ D3", trial.call(summaries, loss, theta, u, groups), (S,), (S, S), (S,))
    mapped = trial.call(summaries, trial.given(loss_m), trial.given(theta_m), trial.given(u_m), groups)
    g_m, H_m, D3_m = trial.arrays("ḡ~ H̄~ D3~", mapped, (S,), (S, S), (S,))
    terms = _terms(loss_, theta_, u_) + _terms(loss_m, theta_m, u_m)
    trial.equal("ḡ~ = A²ḡ", g_m, a**2 * g, scale=terms)
    trial.equal("H̄~ = A²H̄A²", H_m, a[:, None]**2 * H * a**2, scale=terms)
    trial.equal("D3~_s = α_s⁶ D3_s", D3_m, a**6 * D3, scale=terms)


@drawn_from(strategies.newton_steps())
def newton_step(step: Callable[..., Array], loss: Polynomial, theta: Array, u: Array, groups: Groups, alpha: Array,
                beta: Array) -> None:
    """W (1) on summaries: H̄η = ḡ, and the same step after a subset-wise affine map, φ(θ~⁺) = θ⁺, which is A²η~ = η.

    Takes    step(g_bar, H_bar) -> η (S,), one step size per subset, θ⁺_p = θ_p − η_s u_p; H̄ (S, S) symmetric, invertible,
             often indefinite. It is called with the summaries in both parameterisations.
    Catches  the sign of η, the diagonal of H̄ alone, a ridge, η cut off at 0.
    """
    trial = Trial(loss=loss, theta=theta, u=u, groups=groups, alpha=alpha, beta=beta)
    loss, theta, u, _, alpha, beta = trial.exact()
    mapped = reparameterise(loss, theta, u, groups, alpha, beta)
    g, H, _ = exact_summaries(loss, theta, u, groups)
    g_m, H_m, _ = exact_summaries(*mapped, groups)
    eta = trial.array("η", trial.call(step, trial.given(g), trial.given(H)), *g.shape)
    eta_m = trial.array("η~", trial.call(step, trial.given(g_m), trial.given(H_m)), *g.shape)
    steps = size(inverse(H)) * size(g) * len(g)
    s, (_, theta_m, u_m) = _subset_of(groups), mapped
    trial.equal("φ(θ~⁺) = θ⁺", alpha[s] * (theta_m - eta_m[s] * u_m) + beta, theta - eta[s] * u,
                scale=size(theta, beta) + steps * size(u))
    trial.equal("H̄η = ḡ", H @ eta, g, scale=size(H) * steps)


@drawn_from(strategies.newton_steps())
def whole_newton_step(step: Callable[..., Array], loss: Polynomial, theta: Array, u: Array, groups: Groups, alpha: Array,
                      beta: Array) -> None:
    """W (1) from loss to parameters: θ⁺ = θ − U I_{P:S} H̄⁻¹ḡ, and φ(θ~⁺) = θ⁺ after a subset-wise affine map.

    Takes    step(loss, theta, u, groups) -> θ⁺ (P,). It is called in both parameterisations, with u~ = Ju.
    Catches  θ + Uη, η applied to the gradient in place of u, one η for all subsets, a step cut short.
    """
    trial = Trial(loss=loss, theta=theta, u=u, groups=groups, alpha=alpha, beta=beta)
    theta_plus = trial.array("θ⁺", trial.call(step, loss, theta, u, groups), *theta.shape)
    loss, theta, u, _, alpha, beta = trial.exact()
    loss_m, theta_m, u_m = reparameterise(loss, theta, u, groups, alpha, beta)
    mapped = trial.call(step, trial.given(loss_m), trial.given(theta_m), trial.given(u_m), groups)
    theta_m_plus = trial.array("θ~⁺", mapped, *theta.shape)
    g, H, _ = exact_summaries(loss, theta, u, groups)
    s, steps = _subset_of(groups), size(inverse(H)) * len(g)
    terms = size(theta, beta) + steps * (1 + size(H) * steps) * _terms(loss, theta, u) * size(u)
    trial.equal("φ(θ~⁺) = θ⁺", alpha[s] * theta_m_plus + beta, theta_plus, scale=terms)
    trial.equal("θ⁺ = θ − U I H̄⁻¹ḡ", theta_plus, theta - (inverse(H) @ g)[s] * u, scale=terms)


@drawn_from(strategies.cubic_diagonals(), arithmetic="float64")
def cubic_diagonal(diagonal_of: Callable[..., Array], D3: Array, alpha: Array) -> None:
    """W Section 4.2, the diagonal d of D: d_s³ = |D3_sss|, and D~ = A²D after a subset-wise affine map.

    Takes    diagonal_of(D3) -> d (S,), the D3_sss of either sign or 0; judged in floats, since exact code finds no cube roots.
    Catches  no absolute value (nan, or a negative d), exponent 1/2 or 2/3, an ε under the root, D3/6.
    """
    trial = Trial(D3=D3, alpha=alpha)
    exact_D3, alpha = trial.exact()
    d = trial.array("d", trial.call(diagonal_of, D3), *D3.shape)
    d_m = trial.array("d~", trial.call(diagonal_of, trial.given(alpha**6 * exact_D3)), *D3.shape)
    trial.equal("d~ = α²d", d_m, alpha**2 * d)
    trial.equal("d³ = |D3|", d**3, abs(exact_D3))


@drawn_from(strategies.cubic_steps(), arithmetic="float64")
def cubic_step(step: Callable[..., Array], H_bar: Array, eta: Array, d: Array, lam_int: Any, alpha: Array) -> None:
    """W (2) on summaries, from a known answer: the η of largest ‖Dη‖ with (H̄ + (λ_int/2)‖Dη‖D²) η = ḡ, and A⁻²η after a map.

    States   with ḡ := Mη, M := H̄ + (λ_int/2)‖Dη‖D², for the given η: step(ḡ, H̄, d, λ_int) = η, and
             step(A²ḡ, A²H̄A², A²d, λ_int) = A⁻²η, of the same ‖Dη‖. As M is positive definite, no other solution of (2) is as
             long (W Appendix D). All of this is exact over ℚ, where ‖Dη‖ is rational, as it is in drawn inputs. But a solver
             takes roots, so it runs in floats or mpmath numbers, and may leave of (2) a residual of half of its digits relative
             to the terms; to first order η then errs by that times ‖M⁻¹‖ <= tr M⁻¹ at most, since the derivative of (2) in η is
             M plus a semidefinite matrix.
    Takes    step(g_bar, H_bar, d, lam_int) -> η (S,); H̄ (S, S) symmetric, often indefinite; d (S,) the diagonal of D,
             positive; λ_int > 0; α (S,) of any sign.
    Catches  λ_int or λ_int/6 for λ_int/2, D for D², ‖η‖ for ‖Dη‖, a Newton step where H̄ is indefinite, a shorter solution.
    """
    trial = Trial(H_bar=H_bar, eta=eta, d=d, lam_int=lam_int, alpha=alpha)
    H, eta, d, lam, alpha = trial.exact()
    for name, a in (("η", alpha**0), ("A⁻²η", alpha**2)):
        H_m, eta_m, d_m = a[:, None] * H * a, eta / a, a * d
        cubic = lam / 2 * root(sum((d_m * eta_m) ** 2)) * diagonal(d_m**2)
        g_m = (H_m + cubic) @ eta_m
        found = trial.call(step, trial.given(g_m), trial.given(H_m), trial.given(d_m), lam_int)
        error = inverse(H_m + cubic).trace() * sum((abs(H_m) + cubic) @ abs(eta_m) + abs(g_m))
        trial.equal(f"the step is {name}", trial.array("η", found, *eta.shape), eta_m, scale=error)


def exact_summaries(loss: Polynomial, theta: Array, u: Array, groups: Groups) -> tuple[Array, Array, Array]:
    """ḡ (S,), H̄ (S, S) and the diagonal of order 3 (S,), from the coefficients of η ↦ L(θ + U I_{P:S} η), a polynomial."""
    s, S = _subset_of(groups), len(groups)
    along = loss.substitute([Polynomial.affine(theta[p], [u[p] * (s[p] == t) for t in range(S)]) for p in range(len(theta))])
    return (array([along.coefficient(t) for t in range(S)]),
            array([along.coefficient(t, v) for t in range(S) for v in range(S)], S, S),
            array([along.coefficient(t, t, t) for t in range(S)]))


def reparameterise(loss: Polynomial, theta: Array, u: Array, groups: Groups, alpha: Array,
                   beta: Array) -> tuple[Polynomial, Array, Array]:
    """(L~, θ~, u~) with θ_p = α_s θ~_p + β_p, L~(θ~) = L(θ), u~_p = α_s u_p; θ, u, β (P,), α (S,)."""
    a, P = alpha[_subset_of(groups)], len(theta)
    inner = [Polynomial.affine(beta[p], [a[p] * (p == q) for q in range(P)]) for p in range(P)]
    return loss.substitute(inner), (theta - beta) / a, a * u


def _subset_of(groups: Groups) -> Any:
    """The subset of every parameter: an index array (P,)."""
    subset = np.empty(sum(map(len, groups)), dtype=int)
    for s, group in enumerate(groups):
        subset[list(group)] = s
    return subset


def _terms(loss: Polynomial, theta: Array, u: Array) -> Any:
    """A size for the terms of all derivatives up to order 3 along u: six times the absolute polynomial at |θ| + |u|."""
    absolute = Polynomial({powers: abs(c) for powers, c in loss.terms.items()}, loss.variables)
    return 6 * absolute(abs(theta) + abs(u))
