"""Expectations over the model's own targets: the gradient of every example, and targets that stand for all.

Paper    R Section 4.2: 𝒟θ, the gradient of the loss for y ~ p(·|x, θ), has mean 0, and F is its covariance.
Symbols  N examples, P positions, m outputs; 𝒟W (`DW`) the gradient of one example's own loss.

Every expectation of chapter 4 is quadratic in 𝒟θ, hence in δ = ∂loss/∂ŷ, in which 𝒟θ is linear: only E[δδᵀ] enters. Three
finite sets of weighted targets have the E[δδᵀ] of the three predictive distributions, and all of them are targets that the
distribution could be asked about. For "softmax_ce" that is the enumeration of all labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import nets
from ...arrays import namespace
from ...arrays.errors import expect
from .kronecker import each

Array = Any


def weighted_targets(model: nets.Model, output: Array) -> Iterator[tuple[Array, Array]]:
    """Pairs (w, y) with Σ w(n) δ(n)δ(n)ᵀ = E_y[δ(n)δ(n)ᵀ] for every example n, δ the gradient of the loss in ŷ at y.

    Takes    output ŷ (N, m).
    Returns  w (N,), y (N, m): "softmax_ce": every label with its probability; "bce": one output 1 or 0, with its probability,
             and the others at their means, where they leave no gradient; "mse": one output a standard deviation off its mean.
    """
    xp, p = namespace(output), nets.predictive(model, output)
    one = xp.ones_like(output[:, 0])
    for j in range(output.shape[1]):
        e = xp.zeros_like(output) + xp.eye(output.shape[1])[j]
        if model.loss == "softmax_ce":
            yield p.p[:, j], e                                                                  # R§4.2
        elif model.loss == "bce":
            rest = p.p * (1 - e)
            yield p.p[:, j], rest + e                                                           # R§4.2
            yield xp.logistic(-output[:, j]), rest                                              # R§4.2
        else:
            yield one, output + e                                                               # R§4.2


def per_example(g: Any, a: Any, params: Any) -> tuple[Array, ...]:
    """𝒟W_1, 𝒟b_1, 𝒟W_2, … of every example: each the shape of the parameter behind an axis of length N.

    Takes    g, a: by layer, (N, P, d_out) and (N, P, d_in + 1), as `nets.pre_gradients` and `nets.forward` give them.
    """
    both = each(_of_layer, g, a, params)
    return tuple(part for pair in both for part in pair)


def _of_layer(g: Array, a: Array, layer: Any) -> tuple[Array, Array]:
    D = of_weights(g, a)
    return namespace(D).reshape(D[:, :, :-1], (g.shape[0], *layer.W.shape)), D[:, :, -1]


def of_weights(g: Array, a: Array) -> Array:
    """𝒟W̄ (N, d_out, d_in + 1) = Σ_t g_t ā_tᵀ of every example, from g (N, P, d_out) and ā (N, P, d_in + 1)."""
    return namespace(g, a).permute_dims(g, (0, 2, 1)) @ a


def with_sampled(batch: nets.Batch) -> nets.Batch:
    """The batch with its sampled targets as targets.

    Raises   ValueError where it has none.
    """
    expect(batch.y_sampled is not None, "y_sampled", "targets drawn by nets.sample_targets",
           "the Fisher matrix is an expectation over the model's own", "None")
    return batch._replace(y=batch.y_sampled)
