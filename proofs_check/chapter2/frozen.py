"""Algorithm 5 where curvature stays negative: H_g shrinks by μ₁ in every step, and the weights stop short of any stationary point.

The network: one layer, one unit, one example x = 1 with target 0, activation φ(h) = h/(1 + |h|) (softsign: |φ| < 1, and rational),
loss ½φ². Then f(θ) = ψ(w + b) with ψ = ½φ², |ψ″| ≤ 1, so that Assumptions 1 to 3 hold with L = ‖ā‖² = 2, f^low = 0, any σ > 0.

Three facts, each checked below: for 1/2 ≤ e < h: ψ′(e) > ψ′(h), by e(1 + h)³ − h(1 + e)³ = (h − e)(3eh + eh(h + e) − 1). So while
h falls from 10 and stays above 1/2, s_g < 0 < y_g; Algorithm 3 then gives s̃ = μ₁H_g y and ỹ = y, line 17 holds as an equality, and
L-BFGS in one dimension is H_g = s̃/ỹ = μ₁H_g whatever p. So h moves by less than α_1 āᵀH_aā max ψ′ Σ_j μ₁^j in all, and
α_1 āᵀH_aā ≤ 1 for the α_k = κ/(Lκ̄²) k^(−β) of Theorem 2, whatever κ ≤ κ̄ with κ̄ ≥ ‖H_1‖.
"""

from __future__ import annotations

from typing import Any

import flint

from ...arrays.errors import expect
from ..fields import Matrix, dot
from .common import Q, column, double_damping, eye, lbfgs_H

START = Q(10)
MU1, MU2, BETA = Q(1, 5), Q(1, 2), Q(9, 10)
LAM_A = Q(1, 2)
SLOPE = START / (1 + START) ** 3
"""ψ′(10): no gradient of the run is smaller."""


def slope(h: Any) -> Any:
    """ψ′(h) = φ(h) φ′(h) for h ≥ 0."""
    return h / (1 + h) ** 3


def barrier() -> Any:
    """A number that h stays above in every step, for every α_k ≤ α_1 with α_1 āᵀH_aā ≤ 1: 10 − (4/27)/(1 − μ₁)."""
    ring = flint.fmpq_mpoly_ctx.get(("e", "h"), "lex")
    e, h = ring.gens()
    falls = e * (1 + h) ** 3 - h * (1 + e) ** 3 == (h - e) * (3 * e * h + e * h * (h + e) - 1)
    largest = slope(Q(1, 2))                                          # ψ″ = (1 − 2h)/(1 + h)⁴
    low = START - largest / (1 - MU1)
    expect(falls and low > Q(1, 2), "barrier", "a run within negative curvature", "the argument needs it", low)
    return low


def steps(count: int, p: int) -> list[tuple[Any, Any]]:
    """(h_k, H_g(k)) of Algorithm 5 for k = 1 … count, exactly; α_k āᵀH_aā = k^(−3/4), rounded to thousandths."""
    h, s_g, y_g, H_g = START, column(0), column(0), eye(1)
    kept: list[tuple[Matrix, Matrix]] = []
    found = []
    for k in range(1, count + 1):
        alpha = Q(round(1000 * k**-0.75), 1000)
        h_new = h - alpha * H_g[0, 0] * slope(h)                                                     # lines 8 and 10, then 12
        s_g = BETA * s_g + (1 - BETA) * column(h_new - h)                                            # line 15
        y_g = BETA * y_g + (1 - BETA) * column(slope(h_new) - slope(h))
        s, y = double_damping(s_g, y_g, H_g, MU1, MU2)                                               # line 16
        expect(dot(s, y) >= MU1 * dot(y, H_g * y), "line 17", "a pair that is used", "it is a tie", k)
        kept = [*kept, (s, y)][-p:]
        H_g, h = lbfgs_H(1, kept), h_new                                                             # line 18
        found.append((h, H_g[0, 0]))
    return found
