"""What the statements on W share: polynomial losses with their derivatives, subsets, and vectors whose norm is in the field.

A loss is a polynomial {monomial: coefficient}; a monomial is the sorted tuple of its variables, θ_p as often as its exponent says.
Subset s holds the p with p mod S = s, so that subsets interleave.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from math import factorial
from typing import Any

from ..fields import Field, Matrix, dot

Number = Any
Polynomial = dict[tuple[int, ...], Number]


def subsets(n: int) -> int:
    """S for P = n parameters."""
    return (n + 1) // 2


def polynomial(field: Field, P: int, degree: int = 4) -> Polynomial:
    """A random one of this degree in P variables with about 3P monomials."""
    chosen = {tuple(sorted(field.random.randrange(P) for _ in range(field.random.randint(1, degree)))) for _ in range(3 * P)}
    return {monomial: field.draw() for monomial in sorted(chosen | {(0,) * degree})}


def derivative(L: Polynomial, p: int) -> Polynomial:
    """∂L/∂θ_p."""
    out: Polynomial = {}
    for monomial, c in L.items():
        if p in monomial:
            k = monomial.index(p)
            out[monomial[:k] + monomial[k + 1:]] = c * monomial.count(p)
    return out


def value(field: Field, L: Polynomial, theta: Sequence[Number]) -> Number:
    """L(θ)."""
    total = field.number(0)
    for monomial, c in L.items():
        for p in monomial:
            c = c * theta[p]
        total += c
    return total


def derivatives(field: Field, L: Polynomial, theta: Sequence[Number], order: int) -> dict[tuple[int, ...], Number]:
    """Every entry that is not 0 by its pattern of the full tensor d^dL/dθ^d at θ, by (p_1, …, p_d)."""
    if order == 0:
        return {(): value(field, L, theta)}
    used = sorted({p for monomial in L for p in monomial})
    return {(p, *rest): x for p in used for rest, x in derivatives(field, derivative(L, p), theta, order - 1).items()}


def taylor_term(field: Field, L: Polynomial, theta: Sequence[Number], u: Sequence[Number], order: int) -> Number:
    """d^dL/dθ^d (θ)[u, …, u], from the full tensor."""
    total = field.number(0)
    for places, x in derivatives(field, L, theta, order).items():
        for p in places:
            x = x * u[p]
        total += x
    return total


def summary(field: Field, L: Polynomial, theta: Sequence[Number], u: Sequence[Number], order: int, S: int) -> dict[
        tuple[int, ...], Number]:
    """D^(d)_θ(u), by (s_1, …, s_d), from the full tensor: the sum over p_i in I_{s_i} of u_{p_1} ⋯ u_{p_d} ∂^dL."""
    out: dict[tuple[int, ...], Number] = defaultdict(lambda: field.number(0))
    for places, x in derivatives(field, L, theta, order).items():
        for p in places:
            x = x * u[p]
        out[tuple(p % S for p in places)] += x
    return out


def along(L: Polynomial, u: Sequence[Number], members: Iterable[int]) -> Polynomial:
    """Σ_p u_p ∂L/∂θ_p over the members, u held constant: one step of the recursion of Appendix A."""
    out: Polynomial = {}
    for p in members:
        for monomial, c in derivative(L, p).items():
            out[monomial] = out[monomial] + c * u[p] if monomial in out else c * u[p]
    return out


def composed(field: Field, L: Polynomial, theta: Sequence[Number], u: Sequence[Number], S: int) -> Polynomial:
    """η ↦ L(θ + U I_{P:S} η), a polynomial in the S numbers η."""
    out: Polynomial = defaultdict(lambda: field.number(0))
    for monomial, c in L.items():
        for moved in itertools.product((False, True), repeat=len(monomial)):
            x = c
            for p, moves in zip(monomial, moved, strict=True):
                x = x * (u[p] if moves else theta[p])
            out[tuple(sorted(p % S for p, moves in zip(monomial, moved, strict=True) if moves))] += x
    return out


def taylor(field: Field, L: Polynomial, theta: Sequence[Number], u: Sequence[Number], upto: int,
           weight: Callable[[int], int] = factorial) -> Number:
    """Σ_{d ≤ upto} (1/weight(d)) d^dL/dθ^d (θ)[u, …, u]."""
    total = field.number(0)
    for d in range(upto + 1):
        total += taylor_term(field, L, theta, u, d) / field.number(weight(d))
    return total


def entries(v: Matrix) -> list[Number]:
    """The numbers of a column."""
    return [v[i, 0] for i in range(v.nrows())]


def partition(field: Field, P: int, S: int) -> Matrix:
    """I_{S:P}, (S, P)."""
    return field.build(S, P, lambda s, p: field.number(int(p % S == s)))


def with_norm(field: Field, n: int) -> tuple[Matrix, Number]:
    """A random column v and an r with vᵀv = r²: the stereographic image of a random point, stretched."""
    m, scale = [field.draw() for _ in range(n - 1)], field.draw()
    if field.p is None:
        scale = abs(scale)
    square = field.number(0)
    for x in m:
        square += x * x
    sign = field.number(field.random.choice([-1, 1]))
    unit = [sign * (1 - square) / (1 + square), *(2 * x / (1 + square) for x in m)]
    return field.build(n, 1, lambda i, _: scale * unit[i]), scale


def sending(field: Field, v: Matrix, w: Matrix) -> Matrix:
    """A random symmetric matrix H with Hv = w."""
    n, vv = v.nrows(), dot(v, v)
    away = field.eye(n) - v * v.transpose() * (1 / vv)
    return (w * v.transpose() + v * w.transpose()) * (1 / vv) - v * v.transpose() * (dot(w, v) / (vv * vv)) + \
        away * field.symmetric(n) * away


def cubic_model(H: Matrix, g: Matrix, lam: Number, eta: Matrix, r: Number) -> Number:
    """T(η) = −gᵀη + ½ηᵀHη + (λ/6) r³ where r = ‖Dη‖."""
    return -dot(g, eta) + dot(eta, H * eta) / 2 + lam * r**3 / 6
