"""R Algorithm 6, the frame: each line at k = 1, on quadratics over ℚ."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import flint
import numpy as np

from ...reference import sqn
from ..checks import Outcome, claimed
from ..fields import Matrix
from ..statement import Form, Statement, Status
from .common import Q, column

Sampler = Callable[[Matrix], list[Matrix]]


def problem() -> tuple[Matrix, list[Sampler], list[Matrix], list[Any]]:
    """θ₁; per step a function from θ to m_k = 2, 3, 1 sampled gradients Q_iθ − b_i; H_k; α_k."""
    rng = random.Random(3)

    def drawn(m: int, n: int) -> Matrix:
        return flint.fmpq_mat(m, n, [Q(rng.randint(-5, 5), rng.randint(1, 3)) for _ in range(m * n)])

    def sampler(m: int) -> Sampler:
        quadratics = [(drawn(3, 3), drawn(3, 1)) for _ in range(m)]
        return lambda theta: [M.transpose() * (M * theta) - b for M, b in quadratics]

    roots = [drawn(3, 3) for _ in range(3)]
    one = flint.fmpq_mat(3, 3, [int(i == j) for i in range(3) for j in range(3)])
    matrices, alphas = [R * R.transpose() + one for R in roots], [Q(1, 9), Q(1, 20), Q(1, 50)]
    return column(1, -2, 3), [sampler(m) for m in (2, 3, 1)], matrices, alphas


def array(M: Matrix) -> Any:
    """The matrix as an object array (m, n)."""
    return np.array(M.tolist(), dtype=object)


def at_arrays(sampler: Sampler) -> Callable[[Any], list[Any]]:
    """The sampler for arrays (n,)."""
    return lambda theta: [array(g)[:, 0] for g in sampler(column(*theta))]


def always(H: Matrix) -> Callable[[Any], Any]:
    """Line 3: this matrix."""
    return lambda past: array(H)


def frame(mean: bool = True, sign: int = -1, late: bool = False) -> Callable[[], Outcome]:
    """Lines 2 to 4 beside `reference.sqn`, three steps with batches of different sizes."""
    def claim() -> Outcome:
        theta, samplers, matrices, alphas = problem()
        for k, (sampler, H, alpha) in enumerate(zip(samplers, matrices, alphas, strict=True)):
            gradients = sampler(theta)
            grad_h = sum(gradients[1:], gradients[0]) * (1 / Q(len(gradients)) if mean else Q(1))
            used = matrices[k - 1] if late else H
            (found,) = sqn.iterate(array(theta)[:, 0], [at_arrays(sampler)], always(H), alpha)
            theta = theta + sign * alpha * (used * grad_h)
            if list(theta.entries()) != list(found.theta):
                return Outcome(f"θ_{k + 2} is another")
        return Outcome(detail="three steps")
    return claim


STATEMENTS = (
    Statement(
        "R.Alg.6", "Section 2.7",
        Form("θ_(k+1) = θ_k − α_k H_k ∇f̂_k, ∇f̂_k the mean of m_k sampled gradients", frame()),
        checks=(claimed(Status.EXACT_Q, "three steps over ℚ beside the reference, m_k = 2, 3, 1"),),
        mutants=(Form("the sum for the mean", frame(mean=False)), Form("θ_k + α_kH_k∇f̂_k", frame(sign=1)),
                 Form("H_(k−1) for H_k", frame(late=True))),
        note="Everything is given or defined before use at k = 1; H_1 is the user's. Line 3 says nothing of ξ_k; Assumption 4 "
             "does. Algorithm 5 is an instance: tests/chapter2 run both, vec stacking columns, H_k = diag{H_a ⊗ H_g}."),
)
