"""What a network is: layer records, parameters, batches, and the order in which tensors are listed."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from ..arrays.errors import expect
from .activations import ACTIVATIONS
from .losses import LOSSES

Array = Any


class Dense(NamedTuple):
    """A fully connected layer with `width` outputs: h = W a + b."""

    width: int


class Act(NamedTuple):
    """An activation, applied entry by entry: "linear", "relu", "logistic", "tanh" or "elu"."""

    name: str


class Model(NamedTuple):
    """A network without its numbers: the shape of one input, the layer records in order, and the loss."""

    input_shape: tuple[int, ...]
    layers: tuple[Dense | Act, ...]
    loss: str


class Layer(NamedTuple):
    """The parameters of a trainable layer, or anything of their shape: W (d_out, d_in), b (d_out,)."""

    W: Array
    b: Array


class Batch(NamedTuple):
    """Examples: x (N, *input_shape) and targets y.

    y            "mse": (N, m) real numbers; "bce": (N, m) probabilities; "softmax_ce": (N,) integer labels, or (N, m) rows of
                 probabilities that sum to one.
    y_sampled    targets drawn from the model's own predictive distribution (`sample_targets`), or None.
    curvature    which examples the curvature is taken from: an integer index array into this batch (S₂ ⊆ S₁, R Algorithm 23),
                 another Batch (W Algorithm 1), or None for all of them.
    """

    x: Array
    y: Array
    y_sampled: Array | None = None
    curvature: Any = None


def mlp(widths: Any, activations: Any, loss: str) -> Model:
    """A multilayer perceptron: `widths` from the input to the output, one activation per layer.

    Takes    widths: L + 1 positive integers; activations: L names out of "linear", "relu", "logistic", "tanh", "elu";
             loss: "mse" (half the sum of squares), "bce" or "softmax_ce". The last two are taken on logits, so their last
             activation must be "linear": the sigmoid output of R Table 2.4 is inside the loss.
    Raises   ValueError where one of these does not hold.
    """
    widths, activations = tuple(widths), tuple(activations)
    expect(len(widths) >= 2 and all(isinstance(d, int) and d >= 1 for d in widths), "widths",
           "at least two positive integers", "a layer maps inputs to outputs", widths)
    expect(len(activations) == len(widths) - 1, "activations", f"{len(widths) - 1} names",
           "every layer has one activation", activations)
    expect(all(name in ACTIVATIONS for name in activations), "activations", f"names out of {', '.join(ACTIVATIONS)}",
           "their derivatives are written by hand", activations)
    expect(loss in LOSSES, "loss", f"one of {', '.join(LOSSES)}", "its Hessian is written by hand", repr(loss))
    expect(loss == "mse" or activations[-1] == "linear", "activations", "a last activation 'linear'",
           f"{loss} is taken on logits", repr(activations[-1]))
    pairs = [(Dense(d), Act(name)) for d, name in zip(widths[1:], activations, strict=True)]
    return Model((widths[0],), tuple(record for pair in pairs for record in pair), loss)


def layer_shapes(model: Model) -> list[tuple[int, int]]:
    """(d_out, d_in) of every trainable layer, in order."""
    widths = [*model.input_shape, *(layer.width for layer in model.layers if isinstance(layer, Dense))]
    return [(d_out, d_in) for d_in, d_out in itertools.pairwise(widths)]


def init(model: Model, seed: int) -> tuple[Layer, ...]:
    """Random parameters, NumPy float64: W_ij normal with variance gain²/d_in, b = 0.

    The gain is √2 before "relu" and "elu" and 1 otherwise, which keeps the size of activations over depth (W Appendix F;
    R is silent).
    """
    rng = np.random.default_rng(seed)
    gains = [2.0**0.5 if layer.name in ("relu", "elu") else 1.0 for layer in model.layers if isinstance(layer, Act)]
    return tuple(Layer(rng.standard_normal((d_out, d_in)) * (gain / d_in**0.5), np.zeros(d_out))
                 for gain, (d_out, d_in) in zip(gains, layer_shapes(model), strict=True))


def tensors(params: Any) -> tuple[Array, ...]:
    """Every parameter tensor in order: W_1, b_1, W_2, b_2, …"""
    return tuple(tensor for layer in params for tensor in layer)


def layers(values: Any) -> tuple[Layer, ...]:
    """The inverse of `tensors`: pairs (W_1, b_1), (W_2, b_2), … as Layer records."""
    return tuple(Layer(W, b) for W, b in zip(values[0::2], values[1::2], strict=True))


def check_params(model: Model, params: Any) -> None:
    """Raise ValueError unless `params` has one Layer per trainable layer with the shapes the model asks for."""
    shapes = layer_shapes(model)
    expect(len(params) == len(shapes), "params", f"{len(shapes)} layers", "the model has as many", len(params))
    for l, (layer, (d_out, d_in)) in enumerate(zip(params, shapes, strict=True)):
        expect(tuple(layer.W.shape) == (d_out, d_in), f"params[{l}].W", f"shape {(d_out, d_in)}",
               "W maps d_in inputs to d_out outputs", tuple(layer.W.shape))
        expect(tuple(layer.b.shape) == (d_out,), f"params[{l}].b", f"shape {(d_out,)}",
               "b has one entry an output", tuple(layer.b.shape))
