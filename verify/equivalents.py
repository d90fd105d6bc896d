"""Formulas that are as right as the reference's own: a line's band is the widest that one of them needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np

from ..arrays import namespace
from ..arrays.balls import as_arb
from ..reference.parts import cubic, damping, lbfgs
from ..reference.parts.descent import descend
from ..reference.parts.quasi_newton import bfgs_H
from ..reference.parts.tensor_normal import Identified, identify
from .bands import Banded, beyond_first_order
from .source import instrument

Array = Any


def product_form(H: Array, s: Array, y: Array) -> Array:
    """(I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ for H (n, n), s (n,), y (n,), as R (2.6) prints it."""
    rho = 1 / (s @ y)
    left = namespace(H).eye(H.shape[0]) - rho * (s[:, None] * y[None, :])
    return left @ H @ left.T + rho * (s[:, None] * s[None, :])


def dense_solve(lam: Any, J: Array, H: Array, g: Array, *, N2: int) -> Array:
    """The definition: (λI + JᵀHJ/N₂)⁻¹ g for J (q, n), H (q, q), g (n,)."""
    xp = namespace(J)
    return xp.solve(xp.const(lam) * xp.eye(J.shape[1]) + J.T @ H @ J / N2, g)


def two_loops(S: Array, Y: Array, X: Array, h: Any) -> Array:
    """H X by the two loops over the pairs, columns of S, Y (n, m), for X (n,) or (n, d): from the newest to the oldest and back."""
    def times(v: Array, x: Any) -> Array:
        return v * x if X.ndim == 1 else v[:, None] * x[None, :]

    xp = namespace(X)
    pairs = [(S[:, i], Y[:, i]) for i in range(S.shape[1])]
    left = []
    for s, y in reversed(pairs):
        left.append(s @ X / (s @ y))
        X = X - times(y, left[-1])
    X = xp.const(h) * X
    for (s, y), a in zip(pairs, reversed(left), strict=True):
        X = X + times(s, a - y @ X / (s @ y))
    return X


def shrunk(theta: Array, p: Array, alpha: Any, gamma: Any) -> Array:
    """θ(1 − αγ) − αp for theta, p of one shape: weight decay as many write it."""
    return theta * (1 - alpha * namespace(theta).const(gamma)) - alpha * p


def _identify(E: Any) -> Identified:
    """The traces of all E[G⁽ⁱ⁾] are one number but for rounding, and code may take it from any of them: the hull."""
    found = identify.trusted(E)
    others = [identify.trusted(E, i).U_t for i in range(1, len(E) + 1)]
    U_t = [Banded(U.v, np.max([U.e, *(abs(other[i] - U).size + other[i].e for other in others)], axis=0), U.space)
           for i, U in enumerate(found.U_t)]
    return found._replace(U_t=tuple(U_t))


def _descend(theta: Banded, p: Banded, alpha: Any, gamma: Any) -> Banded:
    after = descend(theta, p, alpha, gamma)
    return Banded(after.v, np.maximum(after.e, shrunk(theta, p, alpha, gamma).e), after.space) if gamma else after


def _bfgs_H(H: Banded, s: Banded, y: Banded) -> Banded:
    update = bfgs_H.trusted(H, s, y)
    return Banded(update.v, np.maximum(update.e, product_form(H, s, y).e), update.space)


def _updated(H: Any, s: Banded, y: Banded) -> Any:
    after = lbfgs.updated(H, s, y)
    return _bfgs_H(H, s, y) if isinstance(after, Banded) and after is not H else after


def _weight(sy: Banded, c: Banded, mu: Any) -> Any:
    """`damping.weight`, which is continuous: the hull of both its branches where the bands admit both, and never beyond [0, 1]."""
    acts = sy < mu * c
    if not acts.open:
        return damping.weight(sy, c, mu)
    theta = acts.space.where(acts, (1 - mu) * c / (c - sy), 1)
    return theta if theta.e < 0.5 else Banded(0.5, 0.5, theta.space)


def _dampings() -> dict[str, Any]:
    """The dampings of a pair with that weight."""
    source = instrument(damping, lambda tag, function, name, value: value, {})
    source["weight"] = _weight
    return {name: source[name] for name in ("double_damping", "dp_dlm", "dpi_dlm")}


def cubic_solution(g: Banded, H: Banded, d: Banded, lam: Any) -> cubic.Solution:
    """`cubic.solution`, η (S,) with its band: what a backward stable program leaves of ∇T(η), in the scale of H̄ or in that of K,
    times ∇²T(η)⁻¹.  Takes    g (S,), H (S, S), d (S,).

    The value is the root of exact data in high precision; the data's own bands, and the rounding of each term of ∇T, are in the
    residual there.
    """
    space = g.space
    lam = space.const(lam)
    g_v, H_v, d_v, lam_v = (_mpf(x) for x in (g, H, d, lam))
    H_v = (H_v + H_v.T) / 2                     # a program's H̄ may be asymmetric within its band, which holds the difference
    found = cubic.solution(g_v, H_v, d_v, lam_v[()])
    eta = Banded(np.frompyfunc(as_arb, 1, 1)(found.eta), np.zeros(found.eta.shape), space)
    a = d * (d * eta)
    r = space.sqrt(space.sum(d * eta * (d * eta)))
    left = H @ eta + lam / 2 * r * a - g
    n, shift = len(found.eta), abs(float(lam.v)) * float(found.r) / 2
    size, root = eta.size, d.size
    M = np.linalg.norm(H.size) + shift * float((root**2).max())
    cubic_part = root > 0 if shift or float(lam.v) else np.zeros(n, bool)
    scaled = H.size / np.where(root > 0, root, 1)[:, None] / np.where(root > 0, root, 1)
    K = np.linalg.norm(scaled[np.ix_(cubic_part, cubic_part)])
    stable = 3 * n * space.u * (M * np.linalg.norm(size) + np.where(cubic_part, root * (K + shift) * float(found.r), 0))
    try:
        J = cubic.hessian(found.eta, H_v, d_v, lam_v[()])
        J_inv = np.abs(namespace(J).inv(J).astype(np.float64))
        e = beyond_first_order(J_inv @ H.e, (J_inv @ (left.e + stable))[:, None])[:, 0]
    except ArithmeticError:
        e = np.full(n, np.inf)
    return cubic.Solution(Banded(eta.v, e, space), found.r, found.residual, found.lowest, found.hard)


def _mpf(x: Banded) -> Array:
    """The values of x as mpmath's numbers."""
    return np.asarray(np.frompyfunc(lambda v: mpmath.ldexp(*map(int, v.mid().man_exp())), 1, 1)(x.v), dtype=object)


WIDER = {"bfgs_H": SimpleNamespace(trusted=_bfgs_H), "lbfgs": SimpleNamespace(**vars(lbfgs) | {"updated": _updated}),
         "descend": _descend, **_dampings(), "identify": SimpleNamespace(trusted=_identify),
         "cubic": SimpleNamespace(**vars(cubic) | {"step_sizes": lambda *given: cubic_solution(*given).eta})}
"""What a step finds under the names that it imports, where it runs on bands."""
