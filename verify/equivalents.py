"""Formulas that are as right as the reference's own: a line's band is the widest that one of them needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from ..arrays import namespace
from ..reference.parts import damping, lbfgs
from ..reference.parts.descent import descend
from ..reference.parts.quasi_newton import bfgs_H
from ..reference.parts.tensor_normal import Identified, identify
from .bands import Banded
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


WIDER = {"bfgs_H": SimpleNamespace(trusted=_bfgs_H), "lbfgs": SimpleNamespace(**vars(lbfgs) | {"updated": _updated}),
         "descend": _descend, **_dampings(), "identify": SimpleNamespace(trusted=_identify)}
"""What a step finds under the names that it imports, where it runs on bands."""
