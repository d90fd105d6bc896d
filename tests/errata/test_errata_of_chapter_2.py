"""Witnesses of mistakes found while the ledger of chapter 2 was written: the printed form fails, the right one passes."""

import itertools
from fractions import Fraction as F

import numpy as np
from stepgauge.reference.parts import damping

MU1, MU2, BETA = F(1, 5), F(1, 2), F(9, 10)


def number(value):
    return np.array([value], dtype=object)


def softsign_slope(h):
    """d/dh ½φ(h)² for φ(h) = h/(1 + |h|), h >= 0: below its maximum at 1/2 it rises, beyond it falls."""
    return h / (1 + h) ** 3


def algorithm_5(steps, passes):
    """(h, H_g) by step: one unit, x = 1, target 0, α_k āᵀH_aā = 1/k. In one dimension the newest pair is all of H_g, whatever p."""
    h, H, s_g, y_g, found = F(10), F(1), F(0), F(0), []
    for k in range(1, steps + 1):
        h_p = h - F(1, k) * H * softsign_slope(h)
        s_g = BETA * s_g + (1 - BETA) * (h_p - h)
        y_g = BETA * y_g + (1 - BETA) * (softsign_slope(h_p) - softsign_slope(h))
        s_t, y_t = (v[0] for v in damping.double_damping(number(s_g), number(y_g), np.array([[H]], dtype=object), mu1=MU1, mu2=MU2))
        if passes(s_t, y_t, H):
            H = s_t / y_t
        h = h_p
        found.append((h, H))
    return found


def test_err_66_negative_curvature_freezes_algorithm_5():
    printed = algorithm_5(5, lambda s, y, H: s * y >= MU1 * y * H * y)               # line 17
    assert [H for _, H in printed] == [MU1**k for k in range(1, 6)], "no positive constant is below all H_g(k)"
    low = 10 - F(4, 27) / (1 - MU1)                                                  # 4/27: the largest slope, at h = 1/2
    assert all(low < h < 10 and softsign_slope(h) > softsign_slope(F(10)) for h, _ in printed)
    assert low > F(1, 2), "so curvature stays negative, and the gradient never falls below its first value"
    right = algorithm_5(5, lambda s, y, H: s * y >= MU1 * y * y)                     # the identity for H_g
    assert all(H >= 1 / (1 + 1 / MU1) for _, H in right)


def test_err_67_M_f_depends_on_the_start():
    """f = θ²/2, H = I, L = κ = κ̄ = 1, no noise, N = 1: the theorem says ‖∇f(θ_1)‖² <= 2(M_f − 0)."""
    for M_f in (F(1), F(10**6)):
        theta = 2 * M_f + 1
        assert theta**2 > 2 * M_f, "whatever number f alone gives"
        assert theta**2 <= 2 * (theta**2 / 2), "M_f = f(θ_1), where there is no noise"


def test_a_hidden_layer_has_no_lipschitz_gradient_exactly():
    """f = ½(φ(w_2 φ(b_1)) − 1)², softsign: ∂f/∂b_1 at b_1 = 0 and at b_1 = 1/w_2."""
    def slope(w_2, b_1):
        def phi(h):
            return h / (1 + h)

        inner, outer = phi(b_1), phi(w_2 * phi(b_1))
        return (outer - 1) / (1 + w_2 * inner) ** 2 * w_2 / (1 + b_1) ** 2

    ratios = [abs(slope(w, F(0)) - slope(w, 1 / w)) * w for w in (F(10), F(100), F(1000))]
    assert all(later > 90 * earlier for earlier, later in itertools.pairwise(ratios)), "like w_2²: no L bounds it"
    alone = [abs(softsign_slope(x) - softsign_slope(y)) / abs(x - y) for x in (F(0), F(1, 9), F(3)) for y in (F(1, 2), F(1000))]
    assert max(alone) <= 1, "without a hidden layer L = 1 does"
