"""The generic stochastic quasi-Newton frame that the convergence proofs of chapters 2 and 3 are about.

Paper    R Algorithm 6, after Wang, Ma, Goldfarb and Liu, *Stochastic quasi-Newton methods for nonconvex stochastic
         optimization* (2017), Algorithm 2.1.
Symbols  θ (n,); ∇f̂_k (`grad_h`) (n,) the mean of m_k sampled gradients; H_k (n, n) positive definite, made from the past.
Departs  nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ..arrays import namespace
from ..arrays.checks import check_spd, check_vectors
from ..arrays.errors import expect
from .parts.descent import learning_rate

Array = Any


class Iterate(NamedTuple):
    """One iteration: k from 1; theta (n,) = θ_{k+1}; grad_h (n,); H (n, n)."""

    k: int
    theta: Array
    grad_h: Array
    H: Array


def iterate(theta: Array, gradients: Sequence[Callable[[Array], Sequence[Array]]], make_H: Callable[[tuple[Iterate, ...]], Array],
            alpha: Any) -> Iterator[Iterate]:
    """Run Algorithm 6: one iteration for each entry of `gradients`.

    Takes    theta (n,); gradients: for each k a function from θ_k to its m_k sampled gradients (n,); make_H: from the iterations
             so far, and so from ξ_[k−1] alone (Assumption 4), to H_k (n, n); alpha: a number or a `StepDecay`.
    Raises   ValueError where a batch is empty or H_k is not symmetric positive definite.
    """
    past: tuple[Iterate, ...] = ()
    for k, sample in enumerate(gradients, start=1):                                       # R6.1
        grads = list(sample(theta))
        expect(grads, "gradients", "at least one gradient", "their mean is taken", "none")
        for grad in grads:
            check_vectors(theta=theta, gradient=grad)
        grad_h = sum(grads[1:], grads[0]) / len(grads)                                    # R6.2
        H = make_H(past)                                                                  # R6.3
        check_spd("H", H, theta.shape[0])
        namespace(theta, H)
        theta = theta - learning_rate(alpha, k, theta) * (H @ grad_h)                     # R6.4
        past = (*past, Iterate(k, theta, grad_h, H))
        yield past[-1]
