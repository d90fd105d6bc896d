"""The Sherman-Morrison-Woodbury solves of R chapter 5: exact for G = λI + (1/N₂) JᵀHJ, whatever the ranks.

Signatures as in `stepgauge.reference.parts.smw`: `solver(lam, J, H, g, N2=N₂) -> x` (n,). G is positive definite, so the one
equation Gx = g pins x; it is checked with G formed, which no method does that uses the formula.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import strategies
from .rational import identity, size
from .trial import Trial, drawn_from

Array = Any
Solver = Callable[..., Array]


@drawn_from(strategies.smw_invertible())
def smw_with_inverse(solver: Solver, lam: Any, J: Array, H: Array, g: Array, N2: int) -> None:
    """R (5.6), output Hessians invertible: (λI + (1/N₂) JᵀHJ) x = g.

    Takes    solver(lam, J, H, g, N2=N₂) -> x (n,); λ > 0; J (q, n), q = N₂m below, at or above n, of any rank; H (q, q) block
             diagonal, positive definite; g (n,).
    Catches  H for H⁻¹ in D, a lost 1/N₂ inside or outside, λ in the wrong place, D = λI + JJᵀ/N₂ (right only where H = I).
    """
    _solves(solver, lam, J, H, g, N2)


@drawn_from(strategies.smw_singular_or_not())
def smw_without_inverse(solver: Solver, lam: Any, J: Array, H: Array, g: Array, N2: int) -> None:
    """R (5.7), output Hessians singular or not: (λI + (1/N₂) JᵀHJ) x = g.

    Takes    solver(lam, J, H, g, N2=N₂) -> x (n,) as `smw_with_inverse`, but with blocks of H that are semidefinite:
             diag(p) − ppᵀ of a softmax, rank one, zero, definite.
    Catches  a pseudo-inverse in (5.6), HJJᵀ for JJᵀH in D, H left out before D⁻¹.
    """
    _solves(solver, lam, J, H, g, N2)


def _solves(solver: Solver, lam: Any, J: Array, H: Array, g: Array, N2: int) -> None:
    trial = Trial(lam=lam, J=J, H=H, g=g, N2=N2)
    x = trial.array("x", trial.call(solver, lam, J, H, g, N2=N2), *g.shape)
    _pin(trial, x, *trial.exact())


@drawn_from(strategies.smw_invertible())
def smw_forms_agree(solvers: tuple[Solver, Solver], lam: Any, J: Array, H: Array, g: Array, N2: int) -> None:
    """R (5.6) and (5.7) are one and the same where H is invertible.

    Takes    solvers: your (5.6) and your (5.7), each solver(lam, J, H, g, N2=N₂) -> x (n,); the rest as `smw_with_inverse`.
    Catches  a scale of λ, H or 1/N₂ in one form but not in the other; not one that both share (`smw_with_inverse` does).
    """
    trial = Trial(lam=lam, J=J, H=H, g=g, N2=N2)
    one, other = (trial.array("x", trial.call(solver, lam, J, H, g, N2=N2), *g.shape) for solver in solvers)
    lam, _, _, g, _ = trial.exact()
    trial.equal("x of (5.6) = x of (5.7)", one, other, scale=size(g) / lam)


@drawn_from(strategies.natural_gradients())
def smw_natural_gradient(solver: Solver, lam: Any, J: Array, g: Array) -> None:
    """The natural-gradient case of R Section 5.3.1: H = I, one gradient a row, (λI + (1/N₂) JᵀJ) x = g.

    Takes    solver(lam, J, g) -> x (n,); λ > 0; J (N₂, n), of any rank; g (n,).
    Catches  the mean gradient's outer product for the mean of outer products, 1/N₂², 1/√N₂.
    """
    trial = Trial(lam=lam, J=J, g=g)
    x = trial.array("x", trial.call(solver, lam, J, g), *g.shape)
    lam, J, g = trial.exact()
    _pin(trial, x, lam, J, identity(len(J)), g, len(J))


def _pin(trial: Trial, x: Array, lam: Any, J: Array, H: Array, g: Array, N2: int) -> None:
    G = lam * identity(len(g)) + J.T @ H @ J / N2
    trial.equal("(λI + (1/N₂) JᵀHJ) x = g", G @ x, g, scale=len(g) * size(G) * size(g) / lam)
