"""Witnesses of mistakes in R chapter 4 that the ledger found: each fails for the printed form and passes for the right one."""

from fractions import Fraction as F

import numpy as np
from stepgauge.arrays import cast, namespace
from stepgauge.reference.parts.tensor_normal import contractions


def test_err_71_the_factors_of_one_averaged_tensor_are_singular():
    """Algorithm 13, line 8: rank G⁽ⁱ⁾ ≤ ∏_{j≠i} d_j; the vector (1, 2), and the larger factor of a 2 × 3 matrix."""
    vector, matrix = (cast(np.array(G, dtype=float), "fraction") for G in ([1, 2], [[1, 2, 3], [0, 1, 1]]))
    (of_vector,), (_, second) = contractions((vector, matrix), "3-way")
    assert of_vector[0, 0] * of_vector[1, 1] - of_vector[0, 1] * of_vector[1, 0] == 0
    null = cast(np.array([1.0, 1.0, -1.0]), "fraction")
    assert not (second @ null).any()
    damped = of_vector + F(1, 10) * namespace(of_vector).eye(2)
    assert (damped @ namespace(damped).inv(damped) == namespace(damped).eye(2)).all()


def test_err_72_two_trainable_layers_have_no_bound_of_the_fisher_matrix():
    """ŷ = w_2w_1x with unit variance: F of w_1 is (w_2x)²; any bound is passed, on a bounded set it is attained at its border."""
    def fisher(w_2, x=F(1)):
        return (w_2 * x)**2
    for bound in (F(1), F(10)**6, F(10)**12):
        assert fisher(bound + 1) > bound
    assert max(fisher(F(n, 10)) for n in range(-20, 21)) == fisher(F(2)) == 4


def test_err_73_the_constant_of_theorem_5_depends_on_the_start_and_the_noise():
    """L = 1, F = 1, so that κ̲ = κ̄, α_1 = 1: N = 1 from θ_1 = M + 1 without noise; the second value of E[ℒ] is all noise."""
    for M in (F(1), F(1000)):
        start = M + 1
        assert start**2 > 2 * M                                          # ‖∇ℒ(θ_1)‖² against 2L(M − ℒ^low), ℒ = θ²/2
        assert start**2 <= 2 * (start**2 / 2)                            # M = ℒ(θ_1)
    for sigma in (F(1), F(100)):
        after = [F(0) - (F(0) - y) for y in (-sigma, sigma)]             # θ_1 = 0, ∇l = θ − y
        assert sum(theta**2 / 2 for theta in after) / 2 == sigma**2 / 2  # so that M ≥ ℒ(θ_1) + σ²/2


def test_err_74_a_filter_is_applied_at_every_position():
    """Gradient of a 3 × 3 filter with one channel on an 8 × 8 image, counted: 36 positions times 9 entries, not 9."""
    image = np.arange(64.0).reshape(8, 8)
    positions = [(r, c) for r in range(6) for c in range(6)]
    gradient, products = np.zeros((3, 3)), 0
    for r, c in positions:
        for i in range(3):
            for j in range(3):
                gradient[i, j] += image[r + i, c + j]
                products += 1
    assert products == len(positions) * gradient.size
    assert products > 4 * gradient.size
