"""What a network is: its records and loss, its parameters, batches, and the order in which tensors are listed."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from ..arrays.errors import expect, sequence, shape_of
from .activations import ACTIVATIONS
from .losses import LOSSES
from .records import Act, BatchNorm, Conv2d, Dense, Residual, count, ends, shapes

Array = Any


class Model(NamedTuple):
    """A network without its numbers: the shape of one input, the layer records in order, and the loss."""

    input_shape: tuple[int, ...]
    layers: tuple[Any, ...]
    loss: str


class Layer(NamedTuple):
    """The parameters of a Dense or Conv2d, or anything of their shape: W (d_out, d_in) or (out, in, kh, kw), b (d_out,)."""

    W: Array
    b: Array


class Norm(NamedTuple):
    """The parameters of a BatchNorm, or anything of their shape: gamma (C,), beta (C,)."""

    gamma: Array
    beta: Array


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
    Raises   ValueError where one of these does not hold; TypeError for what is no sequence.
    """
    widths = sequence(widths, "widths", "positive integers", "every layer has one")
    activations = sequence(activations, "activations", "names", "every layer has one")
    expect(len(widths) >= 2 and all(map(count, widths)), "widths",
           "at least two positive integers", "a layer maps inputs to outputs", widths)
    expect(len(activations) == len(widths) - 1, "activations", f"{len(widths) - 1} names",
           "every layer has one activation", activations)
    expect(all(isinstance(name, str) and name in ACTIVATIONS for name in activations), "activations",
           f"names out of {', '.join(ACTIVATIONS)}", "their derivatives are written by hand", activations)
    _check_loss(loss)
    expect(loss == "mse" or activations[-1] == "linear", "activations", "a last activation 'linear'",
           f"{loss} is taken on logits", repr(activations[-1]))
    pairs = [(Dense(d), Act(name)) for d, name in zip(widths[1:], activations, strict=True)]
    return Model((widths[0],), tuple(record for pair in pairs for record in pair), loss)


def cnn(input_shape: Any, layers: Any, loss: str) -> Model:
    """A network of any records, convolutional or not.

    Takes    input_shape: (C, H, W) of images, or (d,); layers: records; loss: as in `mlp`, whose last two are taken on logits,
             so that no activation but "linear" may come behind the last record with parameters, or behind that of a branch of a
             Residual that ends the network. Pools may: they are no activations, and any number can come out of them.
    Raises   ValueError or TypeError, which name the record, where something does not fit; the last layer must give a vector.
    """
    input_shape, layers = shape_of_input(input_shape), sequence(layers, "layers", "layer records", "a network is made of them")
    _check_loss(loss)
    after, weights = shapes(layers, input_shape)
    expect(weights, "layers", "at least one with parameters", "there is something to train", layers)
    expect(len(after) == 1, "layers", "a last layer that gives a vector", "a loss is taken on one (is a Flatten missing?)",
           f"images of shape {after}")
    bent = next((record for record in ends(layers) if isinstance(record, Act)), None)
    expect(loss == "mse" or bent is None, "layers", "a last activation 'linear'", f"{loss} is taken on logits", repr(bent))
    return Model(input_shape, layers, loss)


def shape_of_input(shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple, once it is checked: (C, H, W) of images, or (d,)."""
    what, why = "(C, H, W) or (d,), positive integers", "inputs are images or vectors"
    shape = sequence(shape, "input_shape", what, why)
    expect(len(shape) in (1, 3) and all(map(count, shape)), "input_shape", what, why, shape)
    return shape


def _check_loss(loss: Any) -> None:
    expect(isinstance(loss, str) and loss in LOSSES, "loss", f"one of {', '.join(LOSSES)}", "its Hessian is written by hand",
           repr(loss))


def layer_shapes(model: Model) -> list[tuple[int, ...]]:
    """The shape of every trainable layer's weights in order: (d_out, d_in), (out, in, kh, kw), or (C,) of a BatchNorm."""
    return [weights.shape for weights in shapes(model.layers, model.input_shape)[1]]


def positions(model: Model) -> tuple[int, ...]:
    """P of every trainable layer in order: 1 behind a vector, the number of output pixels behind an image."""
    return tuple(weights.positions for weights in shapes(model.layers, model.input_shape)[1])


def init(model: Model, seed: int) -> tuple[Layer | Norm, ...]:
    """Random parameters, NumPy float64: W normal with variance gain²/d_in, where d_in is in·kh·kw of a Conv2d; b = 0.

    The gain is √2 before "relu" and "elu" and 1 otherwise, which keeps the size of activations over depth (W Appendix F;
    R is silent). BatchNorm and pooling may stand between. A BatchNorm starts as γ = 1, β = 0.

    Takes    seed: an integer >= 0, which alone decides.
    Raises   ValueError where it is negative; TypeError where it is none.
    """
    what, why = "an integer >= 0", "the same parameters are drawn from it again"
    expect(isinstance(seed, Integral) and not isinstance(seed, bool), "seed", what, why, repr(seed), TypeError)
    expect(seed >= 0, "seed", what, why, seed)
    rng = np.random.default_rng(seed)
    return tuple(_start(shape, gain, rng) for shape, gain in zip(layer_shapes(model), _gains(model.layers, 1.0)[0], strict=True))


def _start(shape: tuple[int, ...], gain: float, rng: np.random.Generator) -> Layer | Norm:
    if len(shape) == 1:
        return Norm(np.ones(shape), np.zeros(shape))
    d_in = prod(shape[1:])
    return Layer(rng.standard_normal(shape) * (gain / d_in**0.5), np.zeros(shape[0]))


def _gains(records: Any, gain: float) -> tuple[list[float], float]:
    """The gain of every trainable record, and of what comes before them; `gain` is that of what follows."""
    gains: list[float] = []
    for record in reversed(records):
        match record:
            case Act(name):
                gain = 2.0**0.5 if name in ("relu", "elu") else 1.0
            case Dense() | Conv2d():
                gains, gain = [gain, *gains], 1.0
            case BatchNorm():
                gains = [gain, *gains]
            case Residual(inner, shortcut):
                (one, before), (other, _) = _gains(inner, gain), _gains(shortcut, gain)
                gains, gain = [*one, *other, *gains], before
    return gains, gain


def tensors(params: Any) -> tuple[Array, ...]:
    """Every parameter tensor in order: W_1, b_1, W_2, b_2, …, where a BatchNorm has γ and β."""
    return tuple(tensor for layer in params for tensor in layer)


def layers(values: Any, like: Any = None) -> tuple[Any, ...]:
    """The inverse of `tensors`: pairs of values as the records that `like` has, or all as Layers where it is None."""
    pairs = tuple(zip(values[0::2], values[1::2], strict=True))
    return tuple(Layer(*pair) for pair in pairs) if like is None else \
        tuple(type(layer)(*pair) for layer, pair in zip(like, pairs, strict=True))


def check_params(model: Model, params: Any) -> None:
    """Raise unless `params` has one Layer or Norm per trainable layer with the shapes the model asks for.

    Raises   ValueError for another number, record or shape; TypeError for what is no tuple of records of arrays.
    """
    shapes = layer_shapes(model)
    expect(isinstance(params, tuple | list), "params", "a tuple of Layers and Norms", "the model has layers",
           type(params).__name__, TypeError)
    expect(len(params) == len(shapes), "params", f"{len(shapes)} layers", "the model has as many", len(params))
    for l, (layer, shape) in enumerate(zip(params, shapes, strict=True)):
        kind = Norm if len(shape) == 1 else Layer
        expect(isinstance(layer, kind), f"params[{l}]", f"a {kind.__name__}", "the model's record there has these tensors",
               type(layer).__name__)
        first, second = layer._fields
        for name, tensor, wanted, why in ((first, layer[0], shape, _WHY[len(shape)]),
                                          (second, layer[1], shape[:1], f"{second} has one entry an output")):
            found = shape_of(tensor, f"params[{l}].{name}", why)
            expect(found == wanted, f"params[{l}].{name}", f"shape {wanted}", why, found)


_WHY = {1: "gamma has one entry a channel", 2: "W maps d_in inputs to d_out outputs", 4: "W has a kernel for each two channels"}


def batches(data: Any, why: str) -> tuple[Batch, ...]:
    """`data`, a Batch or an iterable of Batches, as a tuple of at least one, for the reason `why`.

    Raises   ValueError where there is none; TypeError for what is no Batch, or one without an array of examples.
    """
    found = (data,) if isinstance(data, Batch) else sequence(data, "data", "a Batch or several", why)
    expect(found, "data", "at least one batch", why, "none")
    for k, batch in enumerate(found):
        expect(isinstance(batch, Batch), f"data[{k}]", "a Batch", why, type(batch).__name__, TypeError)
        expect(shape_of(batch.x, "x", "a batch has examples"), "x", "an axis of examples", "they are counted", "shape ()")
    return found


def expect_mlp(model: Model, method: str) -> None:
    """Raise ValueError unless the model is a multilayer perceptron: what the methods of chapter 2 are written for."""
    other = next((record for record in model.layers if not isinstance(record, Dense | Act)), None)
    expect(len(model.input_shape) == 1 and other is None, "model", "a multilayer perceptron",
           f"{method} is a method for fully connected layers", f"inputs {model.input_shape}, {other!r}")


def expect_uncoupled(model: Model, method: str) -> None:
    """Raise ValueError if the model has a BatchNorm: with one, an example's loss depends on all the others of its batch."""
    expect_no_batch_norm(model, f"{method} needs the gradient of each example's own loss, and batch statistics couple the examples")


def expect_no_batch_norm(model: Model, why: str) -> None:
    """Raise ValueError, with the reason, if the model has a BatchNorm."""
    expect(not has_batch_norm(model.layers), "model", "no BatchNorm", why, "one")


def has_batch_norm(records: Any) -> bool:
    """Is there a BatchNorm among the records, or inside one of them?"""
    return any(isinstance(record, BatchNorm) or (isinstance(record, Residual) and
                                                 (has_batch_norm(record.layers) or has_batch_norm(record.shortcut)))
               for record in records)
