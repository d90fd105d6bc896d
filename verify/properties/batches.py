"""Statistics of a mini-batch: means of per-example quantities, whatever the order of the examples and however often they occur.

A batch of vectors is X (N, P, d), N examples of P positions each: of inputs ā, or of gradients 𝒟h of each example's *own* loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import strategies
from .rational import array, size
from .trial import Trial, drawn_from

Array = Any


@drawn_from(strategies.batches())
def second_moment_pins(second_moment: Callable[..., Array], X: Array) -> None:
    """The factors of R (3.9), (3.10) and Algorithm 12: E_n[Σ_t x_t x_tᵀ], a mean over examples and a sum over positions.

    Takes    second_moment(X) -> (d, d); X (N, P, d), N, P and d different.
    Catches  a mean over positions, a sum over examples, (mean x)(mean x)ᵀ, XXᵀ for XᵀX, 1/N², 1/(N − 1).
    """
    trial = Trial(X=X)
    M = trial.array("M", trial.call(second_moment, X), X.shape[2], X.shape[2])
    X, = trial.exact()
    total = sum(x[:, None] * x[None, :] for example in X for x in example)
    trial.equal("M = (1/N) Σ_n Σ_t x_t x_tᵀ", M, total / len(X), scale=size(X) ** 2 * X.shape[1])


@drawn_from(strategies.permuted_batches())
def permutation_of_the_batch(statistic: Callable[..., Array], X: Array, order: tuple[int, ...]) -> None:
    """R (1.1) is a mean over examples, so that their order says nothing: statistic(X[order]) = statistic(X).

    Takes    statistic(X) -> an array; X (N, P, d); order: a permutation of 0, …, N − 1.
    Catches  the first or last example alone, products of neighbours, an axis of examples taken for another, examples and
             positions exchanged.
    """
    trial = Trial(X=X, order=order)
    one, other = _two(trial, statistic, X, X[list(order)])
    trial.equal("statistic(X[order]) = statistic(X)", other, one, scale=size(one) + size(trial.exact()[0]) ** 2)


@drawn_from(strategies.repeated_batches())
def duplication_of_the_batch(statistic: Callable[..., Array], X: Array, times: int) -> None:
    """R (1.1) again, with every example several times: statistic(X, X, …) = statistic(X).

    Takes    statistic(X) -> an array; X (N, P, d); times: how often, at least 2.
    Catches  sums for means, 1/N², 1/√N, 1/(N − 1), a gradient of the mean loss where that of each example's own belongs.
    """
    trial = Trial(X=X, times=times)
    one, other = _two(trial, statistic, X, np.concatenate([X] * times))
    trial.equal("statistic of repeated examples = statistic(X)", other, one, scale=size(one) + size(trial.exact()[0]) ** 2)


@drawn_from(strategies.scaled_batches())
def loss_scaling(statistic: Callable[..., Array], X: Array, c: Any) -> None:
    """R (1.7): with a loss c times as large, means of squared gradients are c² times as large: statistic(cX) = c² statistic(X).

    Takes    statistic(X) -> an array of second moments; X (N, P, d) gradients; c of either sign.
    Catches  a damping, an ε or a clipping that got into the statistic, |x| for x², a normalisation.
    """
    trial = Trial(X=X, c=c)
    exact_X, exact_c = trial.exact()
    one, other = _two(trial, statistic, X, trial.given(exact_c * exact_X))
    trial.equal("statistic(cX) = c² statistic(X)", other, exact_c**2 * one, scale=exact_c**2 * size(exact_X) ** 2)


def _two(trial: Trial, statistic: Callable[..., Array], X: Array, changed: Array) -> tuple[Array, Array]:
    found = [trial.call(statistic, batch) for batch in (X, changed)]
    one = trial.array("statistic(X)", found[0], *np.shape(found[0]))
    return one, array(list(np.ravel(trial.array("statistic", found[1], *np.shape(found[0])))), *np.shape(found[0]))
