"""Losses on the network's output ŷ, their gradient and Hessian in ŷ, and the distributions they come from (R 1.2.2).

Every loss is the negative log-likelihood of one predictive distribution p(y | x, θ), up to a constant: "mse" of a normal
with unit variance, "bce" of independent Bernoullis, "softmax_ce" of a categorical. R prints the two cross entropies
without their minus sign (ERR-1) and the Hessian of "bce" as diag(σ) (ERR-2).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from ..arrays import is_integer, namespace
from ..arrays.errors import expect

Array = Any


class Normal(NamedTuple):
    """y_j = mean_j + a standard normal, independently."""

    mean: Array

    def sample(self, rng: np.random.Generator) -> Array:
        """One draw of y, in the shape of `mean`."""
        return self.mean + namespace(self.mean).asarray(rng.standard_normal(tuple(self.mean.shape)))


class Bernoulli(NamedTuple):
    """y_j = 1 with probability p_j and 0 otherwise, independently."""

    p: Array

    def sample(self, rng: np.random.Generator) -> Array:
        """One draw of y, in the shape of `p`."""
        xp = namespace(self.p)
        drawn = _uniform(xp, rng, tuple(self.p.shape))
        return xp.where(drawn < self.p, xp.ones_like(self.p), xp.zeros_like(self.p))


class Categorical(NamedTuple):
    """Label j with probability p_j, one label per row of p (N, m)."""

    p: Array

    def sample(self, rng: np.random.Generator) -> Array:
        """One integer label per row: how many of the cumulated p_1, …, p_{m−1} a uniform number has passed.

        The number is uniform below the rounded sum of all p_j, so that a label of probability 0 is never drawn.
        """
        cumulated = list(accumulate(self.p[:, j] for j in range(self.p.shape[1])))
        drawn = _uniform(namespace(self.p), rng, (self.p.shape[0],)) * cumulated[-1]
        passed = 0 * (drawn < 0)
        for bound in cumulated[:-1]:
            passed = passed + (drawn >= bound)
        return passed


def _uniform(xp: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Uniform numbers in [0, 1); what float32 would round up to 1 counts as 0."""
    drawn = xp.asarray(rng.random(shape))
    return xp.where(drawn < 1, drawn, xp.zeros_like(drawn))


class Loss(NamedTuple):
    """A loss on outputs ŷ (N, m) with targets y (N, m).

    value        (N,): the loss of each example, a sum over outputs.
    gradient     (N, m): ∂value/∂ŷ.
    hessian      (N, m, m): H_l = ∂²value/∂ŷ² of (1.4), positive semidefinite.
    factor       (N, m, m): C with CCᵀ = H_l, also where H_l is singular.
    predictive   the distribution of y given ŷ whose negative log-likelihood this loss is.
    """

    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]
    hessian: Callable[[Array], Array]
    factor: Callable[[Array], Array]
    predictive: Callable[[Array], Any]


def _diag(d: Array) -> Array:
    """(N, m) to the diagonal matrices (N, m, m)."""
    return d[:, :, None] * namespace(d).eye(d.shape[1])[None, :, :]


def _categorical_hessian(output: Array) -> Array:
    a = namespace(output).softmax(output)
    return _diag(a) - a[:, :, None] * a[:, None, :]


def _categorical_factor(output: Array) -> Array:
    """diag(√a) − a √aᵀ: its product with its transpose is diag(a) − aaᵀ, since √aᵀ√a = 1."""
    a = namespace(output).softmax(output)
    root = namespace(a).sqrt(a)
    return _diag(root) - a[:, :, None] * root[:, None, :]


def _bernoulli_variance(output: Array) -> Array:
    """σ(1 − σ), entry by entry."""
    return namespace(output).logistic(output) * namespace(output).logistic(-output)


LOSSES = {
    "mse": Loss(
        value=lambda output, y: namespace(output).sum((output - y) ** 2, axis=-1) / 2,
        gradient=lambda output, y: output - y,
        hessian=lambda output: _diag(namespace(output).ones_like(output)),
        factor=lambda output: _diag(namespace(output).ones_like(output)),
        predictive=Normal),
    "bce": Loss(
        value=lambda output, y: namespace(output).sum(namespace(output).softplus(output) - y * output, axis=-1),
        gradient=lambda output, y: namespace(output).logistic(output) - y,
        hessian=lambda output: _diag(_bernoulli_variance(output)),
        factor=lambda output: _diag(namespace(output).sqrt(_bernoulli_variance(output))),
        predictive=lambda output: Bernoulli(namespace(output).logistic(output))),
    "softmax_ce": Loss(
        value=lambda output, y: namespace(output).logsumexp(output) - namespace(output).sum(y * output, axis=-1),
        gradient=lambda output, y: namespace(output).softmax(output) - y,
        hessian=_categorical_hessian,
        factor=_categorical_factor,
        predictive=lambda output: Categorical(namespace(output).softmax(output))),
}


def targets(loss: str, output: Array, y: Array) -> Array:
    """y as an (N, m) array in the arithmetic of `output`: labels become one-hot rows, everything else is checked.

    Raises   ValueError for a wrong shape, labels outside 0 … m − 1, probabilities outside [0, 1], rows of "softmax_ce" that
             do not sum to one, or numbers that are not finite; TypeError for integers where real targets are expected.
    """
    N, m = output.shape
    xp = namespace(output)
    if loss == "softmax_ce" and is_integer(y):
        expect(tuple(y.shape) == (N,), "y", f"{N} labels", "every example has one", f"shape {tuple(y.shape)}")
        expect(bool((y >= 0).all()) and bool((y < m).all()), "y", f"labels from 0 to {m - 1}",
               f"the network has {m} outputs", lambda: f"labels from {int(y.min())} to {int(y.max())}")
        return xp.eye(m)[y]
    expect(not is_integer(y), "y", "real numbers in the arithmetic of the network", f"{loss} is no loss on labels",
           "integers", TypeError)
    namespace(output, y)
    expect(tuple(y.shape) == (N, m), "y", f"shape {(N, m)}", "every output has one target", tuple(y.shape))
    expect(xp.all_finite(y), "y", "finite numbers", "a loss of nan trains nothing", "nan or inf")
    if loss != "mse":
        expect(bool(((y >= 0) & (y <= 1)).all()), "y", "probabilities in [0, 1]", f"{loss} is a likelihood",
               "a value outside")
    if loss == "softmax_ce":
        total = xp.sum(y, axis=-1)
        slack = 0 if xp.exact else m * float(np.finfo(np.float32).eps)
        expect(bool((abs(total - 1) <= slack).all()), "y", "rows that sum to one", "they are distributions",
               "a row with another sum")
    return y
