"""Forward and backward passes over a batch: what R Algorithm 1 does for one example, for all of them at once.

Every trainable layer is the same matrix product h_t = W̄ ā_t over examples n and positions t (R (3.1)); a dense layer has
one position. Per-example quantities are kept: g_l(n) is the gradient of example n's own loss.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..arrays import namespace
from ..arrays.errors import expect
from .activations import ACTIVATIONS
from .losses import LOSSES, targets
from .model import Act, Dense, Layer, Model, check_params, tensors

Array = Any


class Tape(NamedTuple):
    """What a forward pass leaves behind, by trainable layer l, for N examples and P positions.

    a        a[l] (N, P, d_in + 1): homogeneous inputs ā.
    h        h[l] (N, P, d_out): pre-activations.
    output   (N, m): the network's output ŷ.
    """

    a: tuple[Array, ...]
    h: tuple[Array, ...]
    output: Array


class Back(NamedTuple):
    """What a backward pass finds.

    loss     the mean over examples of the loss.
    g        g[l] (N, P, d_out): g[l][n] = N · ∂(mean loss)/∂h_l(n).
    grad     the gradient of the mean loss, like params.
    """

    loss: Array
    g: tuple[Array, ...]
    grad: tuple[Layer, ...]


def forward(model: Model, params: Any, x: Array) -> Tape:
    """The network's output for x (N, *input_shape), with all that a backward pass needs (R Algorithm 1, line 2).

    Raises   ValueError for wrong shapes, an empty batch, or data that are not finite; TypeError for mixed arithmetics.
    """
    xp = namespace(x, *tensors(params))
    check_params(model, params)
    expect(x.ndim == 1 + len(model.input_shape) and tuple(x.shape[1:]) == model.input_shape, "x",
           f"shape {('N', *model.input_shape)}", "the model's inputs have that shape", tuple(x.shape))
    expect(x.shape[0] > 0, "x", "at least one example", "a mean over none is undefined", "an empty batch")
    expect(xp.all_finite(x), "x", "finite numbers", "nan and inf spread to every parameter", "nan or inf")
    a: list[Array] = []
    h: list[Array] = []
    N = x.shape[0]
    z = x
    for layer in model.layers:
        match layer:
            case Dense(width):
                W, b = params[len(h)]
                a.append(xp.reshape(xp.concat([z, xp.ones((N, 1))], axis=1), (N, 1, -1)))
                z = z @ W.T + b
                h.append(xp.reshape(z, (N, 1, width)))
            case Act(name):
                z = ACTIVATIONS[name].phi(z)
    return Tape(tuple(a), tuple(h), z)


def pre_gradients(model: Model, params: Any, tape: Tape, y: Array) -> tuple[Array, ...]:
    """g[l] (N, P, d_out) = N · ∂(mean loss)/∂h_l(n), without the gradients of the weights (R Algorithm 1, lines 3 and 4).

    Takes    tape: what `forward` returned for the same params; y: targets as in `Batch`.
    Raises   ValueError and TypeError for targets that do not fit the loss, see `losses.targets`.
    """
    xp = namespace(tape.output)
    N = tape.output.shape[0]
    g: list[Array] = []
    Dz = LOSSES[model.loss].gradient(tape.output, targets(model.loss, tape.output, y))
    l = len(params) - 1
    for layer in reversed(model.layers):
        match layer:
            case Act(name):
                Dz = Dz * ACTIVATIONS[name].d_phi(xp.reshape(tape.h[l], Dz.shape))
            case Dense(width):
                g.append(xp.reshape(Dz, (N, 1, width)))
                if l > 0:
                    Dz = Dz @ params[l].W
                l -= 1
    return tuple(reversed(g))


def weight_gradient(g: Array, a: Array) -> Array:
    """The gradient of the mean loss in W̄ (d_out, d_in + 1), from g (N, P, d_out) and ā (N, P, d_in + 1) of one layer."""
    xp = namespace(g, a)
    return xp.reshape(g, (-1, g.shape[-1])).T @ xp.reshape(a, (-1, a.shape[-1])) / g.shape[0]


def backward(model: Model, params: Any, tape: Tape, y: Array) -> Back:
    """Loss, per-example pre-activation gradients and parameter gradient (R Algorithm 1, lines 3 and 4).

    Takes    tape: what `forward` returned for the same params; y: targets as in `Batch`.
    Raises   ValueError and TypeError for targets that do not fit the loss, see `losses.targets`.
    """
    g = pre_gradients(model, params, tape, y)
    DW = [weight_gradient(g_l, a_l) for g_l, a_l in zip(g, tape.a, strict=True)]
    value = LOSSES[model.loss].value(tape.output, targets(model.loss, tape.output, y))
    return Back(namespace(value).sum(value) / tape.output.shape[0], g, tuple(Layer(D[:, :-1], D[:, -1]) for D in DW))


def output_hessian(model: Model, output: Array) -> Array:
    """H_l (N, m, m): the Hessian of each example's loss in the network's output (R (1.4))."""
    return LOSSES[model.loss].hessian(output)


def predictive(model: Model, output: Array) -> Any:
    """The model's distribution of y given its output (N, m): `Normal`, `Bernoulli` or `Categorical` (R 1.2.2)."""
    return LOSSES[model.loss].predictive(output)


def sample_targets(model: Model, output: Array, rng: np.random.Generator) -> Array:
    """Targets drawn from the model's predictive distribution: labels for "softmax_ce", (N, m) otherwise."""
    return predictive(model, output).sample(rng)
