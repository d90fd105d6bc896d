"""Forward and backward passes over a batch: what R Algorithm 1 does for one example, for all of them at once.

Every Dense and Conv2d is the same matrix product h_t = W̄ ā_t over examples n and positions t (R (3.1)); a dense layer has one
position. Per-example quantities are kept: g_l(n) is the gradient of example n's own loss, unless a BatchNorm couples the
examples. `rules` says what each record does; here they are gone through, forwards and backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..arrays import namespace
from ..arrays.errors import expect, sequence, shape_of
from .losses import LOSSES, targets
from .model import Layer, Model, Norm, batches, check_params, layer_shapes, tensors
from .records import TRAINABLE, Act, BatchNorm, Dense, MaxPool, Residual, shapes
from .rules import RULES, Moments

Array = Any


class Tape(NamedTuple):
    """What a forward pass leaves behind, by trainable layer l, for N examples and P positions, which go row by row.

    a        a[l] (N, P, d_in + 1): homogeneous inputs ā; (N, P, C) normalised inputs x̂ of a BatchNorm.
    h        h[l] (N, P, d_out): pre-activations; γ x̂ + β of a BatchNorm.
    output   (N, m): the network's output ŷ.
    kept     by record what else the way back needs; a pair of such tuples for a Residual.
    stats    the statistics that BatchNorms were evaluated with; () for those of the batch.
    """

    a: tuple[Array, ...]
    h: tuple[Array, ...]
    output: Array
    kept: tuple[Any, ...]
    stats: tuple[Moments, ...] = ()


class Back(NamedTuple):
    """What a backward pass finds.

    loss     the mean over examples of the loss.
    g        g[l] (N, P, d_out): g[l][n] = N · ∂(mean loss)/∂h_l(n).
    grad     the gradient of the mean loss, like params.
    """

    loss: Array
    g: tuple[Array, ...]
    grad: tuple[Layer | Norm, ...]


def forward(model: Model, params: Any, x: Array, stats: tuple[Moments, ...] = ()) -> Tape:
    """The network's output for x (N, *input_shape), with all that a backward pass needs (R Algorithm 1, line 2).

    Takes    stats: what `batch_stats` returned, to evaluate with; () to train, with the statistics of this batch.
    Raises   ValueError for wrong shapes, an empty batch, or data that are not finite; TypeError for mixed arithmetics.
    """
    _check_input(model, params, x)
    _check_stats(model, x, stats)
    return _forward(model, params, x, stats)


def _check_input(model: Model, params: Any, x: Array) -> None:
    check_params(model, params)
    xp = namespace(x, *tensors(params))
    shape, why = ("N", *model.input_shape), "the model's inputs have that shape"
    found = shape_of(x, "x", why)
    expect(len(found) == len(shape) and found[1:] == shape[1:], "x", f"shape {shape}", why, found)
    expect(x.shape[0] > 0, "x", "at least one example", "a mean over none is undefined", "an empty batch")
    expect(xp.all_finite(x), "x", "finite numbers", "nan and inf spread to every parameter", "nan or inf")


def _check_stats(model: Model, x: Array, stats: Any) -> None:
    expect(isinstance(stats, tuple | list), "stats", "a tuple", "it is what `batch_stats` returned, or empty",
           type(stats).__name__, TypeError)
    if not stats:
        return
    shapes = [shape for shape in layer_shapes(model) if len(shape) == 1]
    expect(len(stats) == len(shapes), "stats", f"{len(shapes)} pairs of mean and variance", "every BatchNorm has one", len(stats))
    for k, pair in enumerate(stats):
        expect(isinstance(pair, Moments), f"stats[{k}]", "Moments", "a BatchNorm has a mean and a variance", type(pair).__name__,
               TypeError)
    xp = namespace(x, *tensors(stats))
    for k, (pair, shape) in enumerate(zip(stats, shapes, strict=True)):
        for name, value in pair._asdict().items():
            found = shape_of(value, f"stats[{k}].{name}", "a channel has one")
            expect(found == shape, f"stats[{k}].{name}", f"shape {shape}", "a channel has one", found)
            expect(xp.all_finite(value), f"stats[{k}].{name}", "finite numbers", "nan and inf spread", "nan or inf")
        expect((pair.var >= 0).all(), f"stats[{k}].var", "numbers >= 0", "they are variances", "a negative one")


def _forward(model: Model, params: Any, x: Array, stats: tuple[Moments, ...]) -> Tape:
    """The pass alone; a BatchNorm for which `stats` has no entry takes the statistics of the batch."""
    z = x if x.ndim == 2 else namespace(x).permute_dims(x, (0, 2, 3, 1))
    output, a, h, kept = _through(model.layers, z, iter(params), iter(stats))
    return Tape(a, h, output, kept, stats)


def _through(records: Any, z: Array, params: Iterator[Any], stats: Iterator[Moments]) -> tuple[Array, Any, Any, Any]:
    """z after all records, with `a` and `h` of those that took parameters, and what each keeps; as tuples."""
    a: list[Array] = []
    h: list[Array] = []
    kept: list[Any] = []
    for record in records:
        if isinstance(record, Residual):
            inner, *of_inner = _through(record.layers, z, params, stats)
            beside, *of_beside = _through(record.shortcut, z, params, stats)
            z = inner + beside
            a, h = [*a, *of_inner[0], *of_beside[0]], [*h, *of_inner[1], *of_beside[1]]
            kept.append((of_inner[2], of_beside[2]))
            continue
        trained = isinstance(record, TRAINABLE)
        z, a_l, keeps = RULES[type(record)].forward(record, z, next(params) if trained else None,
                                                    next(stats, None) if isinstance(record, BatchNorm) else None)
        kept.append(keeps)
        if trained:
            a.append(a_l)
            h.append(namespace(z).reshape(z, (*a_l.shape[:2], -1)))
    return z, tuple(a), tuple(h), tuple(kept)


def check_tape(model: Model, params: Any, tape: Any) -> None:
    """Raise unless `params` and `tape` are of this model; that they are of each other is the caller's word.

    Raises   ValueError for those of another model; TypeError for what is no tape, and what `check_params` raises.
    """
    check_params(model, params)
    why = "the way back goes through the layers of this model"
    expect(isinstance(tape, Tape), "tape", "a Tape", why, type(tape).__name__, TypeError)
    (m,), weights = shapes(model.layers, model.input_shape)
    N = shape_of(tape.output, "tape.output", why)[:1]
    for name, found, wanted in (
            ("output", (tape.output,), [(*N, m)]),
            ("a", tape.a, [(*N, P, shape[0] if len(shape) == 1 else prod(shape[1:]) + 1) for shape, P in weights]),
            ("h", tape.h, [(*N, P, shape[0]) for shape, P in weights])):
        name, what = f"tape.{name}", f"the shapes {wanted}"
        got = [shape_of(x, name, why) for x in sequence(found, name, what, why)]
        expect(got == wanted, name, what, why, got)
    expect(_kept_by(model.layers, tape.kept), "tape.kept", "an entry for every record", why, "one for others")


def _kept_by(records: Any, kept: Any) -> bool:
    """Has `kept` what each of the records keeps, inside a Residual as well?"""
    return isinstance(kept, tuple) and len(kept) == len(records) and all(map(_keeps, records, kept))


def _keeps(record: Any, keeps: Any) -> bool:
    match record:
        case Act():
            return hasattr(keeps, "shape")
        case BatchNorm():
            return isinstance(keeps, Moments)
        case Dense():
            return isinstance(keeps, tuple) and not keeps
    if not (isinstance(keeps, tuple) and keeps):
        return False
    if isinstance(record, Residual):
        return all(map(_kept_by, record, keeps))
    return all(hasattr(x, "shape") if isinstance(record, MaxPool) else isinstance(x, int) for x in keeps)


Wanted = Callable[[int, Array], Array]
"""What of D of the pre-activations of layer l is to go further back: from l and D, D or a part of it."""


def _all(l: int, Dh: Array) -> Array:
    return Dh


def pre_gradients(model: Model, params: Any, tape: Tape, y: Array, wanted: Wanted = _all) -> tuple[Array, ...]:
    """g[l] (N, P, d_out) = N · ∂(mean loss)/∂h_l(n), without the gradients of the weights (R Algorithm 1, lines 3 and 4).

    Takes    tape: what `forward` returned for the same params; y: targets as in `Batch`; wanted: all, or see there.
    Raises   ValueError and TypeError for a tape or params of another model, and for targets that do not fit the loss, see
             `losses.targets`.
    """
    check_tape(model, params, tape)
    layers = reversed(list(enumerate(zip(params, tape.a, tape.h, strict=True))))
    _, g = _back(model.layers, output_gradient(model, tape.output, y), tape.kept, layers, bool(tape.stats), wanted)
    return tuple(reversed(g))


def _back(records: Any, Dz: Array, kept: Any, layers: Iterator[Any], fixed: bool,
          wanted: Wanted = _all) -> tuple[Array | None, list[Array]]:
    """D of the input of `records` from D of their output, or None where no trainable layer comes before; and g, last layer first.

    Dz has C rows an example, those of one example together; C = 1 for the loss.

    Takes    layers: (l, (parameters, a, h)) of the trainable layers that are still to come, from the last to the first.
    """
    g: list[Array] = []
    for record, keeps in zip(reversed(records), reversed(kept), strict=True):
        if isinstance(record, Residual):
            beside, g_beside = _back(record.shortcut, Dz, keeps[1], layers, fixed, wanted)
            inner, g_inner = _back(record.layers, Dz, keeps[0], layers, fixed, wanted)
            g += [*g_beside, *g_inner]
            Dz = None if inner is None or beside is None else inner + beside
        elif isinstance(record, TRAINABLE):
            l, (layer, a, h) = next(layers)
            g.append(namespace(Dz).reshape(Dz, (-1, *h.shape[1:])))
            Dz = wanted(l, RULES[type(record)].back(record, wanted(l, Dz), layer, a, keeps, fixed)) if l > 0 else None
        else:
            Dz = RULES[type(record)].back(record, Dz, None, None, keeps, fixed)
        if Dz is None:
            break
    return Dz, g


def weight_gradient(g: Array, a: Array) -> Array:
    """The gradient of the mean loss in W̄ (d_out, d_in + 1), from g (N, P, d_out) and ā (N, P, d_in + 1) of one layer."""
    xp = namespace(g, a)
    return xp.reshape(g, (-1, g.shape[-1])).T @ xp.reshape(a, (-1, a.shape[-1])) / g.shape[0]


def norm_gradient(g: Array, x_h: Array) -> Norm:
    """The gradient of the mean loss in γ and β, from g (N, P, C) and the normalised inputs x̂ (N, P, C) of one BatchNorm."""
    xp, N = namespace(g, x_h), g.shape[0]
    g, x_h = (xp.reshape(x, (-1, x.shape[-1])) for x in (g, x_h))
    return Norm(xp.sum(g * x_h, axis=0) / N, xp.sum(g, axis=0) / N)


def gradients(params: Any, g: Any, a: Any) -> tuple[Layer | Norm, ...]:
    """The gradient of the mean loss, like params, from g and a of every trainable layer."""
    return tuple(map(_gradient, params, g, a))


def _gradient(layer: Layer | Norm, g: Array, a: Array) -> Layer | Norm:
    if isinstance(layer, Norm):
        return norm_gradient(g, a)
    D = weight_gradient(g, a)
    return Layer(namespace(D).reshape(D[:, :-1], layer.W.shape), D[:, -1])


def backward(model: Model, params: Any, tape: Tape, y: Array) -> Back:
    """Loss, per-example pre-activation gradients and parameter gradient (R Algorithm 1, lines 3 and 4).

    Takes    tape: what `forward` returned for the same params; y: targets as in `Batch`.
    Raises   what `pre_gradients` raises.
    """
    g = pre_gradients(model, params, tape, y)
    return Back(mean_loss(model, tape.output, y), g, gradients(params, g, tape.a))


def mean_loss(model: Model, output: Array, y: Array) -> Array:
    """The mean over examples of the loss, for output (N, m) and y: targets as in `Batch`.

    Raises   ValueError and TypeError for targets that do not fit the loss, see `losses.targets`.
    """
    value = LOSSES[model.loss].value(output, targets(model.loss, output, y))
    return namespace(value).sum(value) / output.shape[0]


def output_gradient(model: Model, output: Array, y: Array) -> Array:
    """∂loss/∂ŷ (N, m) of each example, for output (N, m) and y: targets as in `Batch`.

    Raises   ValueError and TypeError for targets that do not fit the loss, see `losses.targets`.
    """
    return LOSSES[model.loss].gradient(output, targets(model.loss, output, y))


def output_hessian(model: Model, output: Array) -> Array:
    """H_l (N, m, m): the Hessian of each example's loss in the network's output (R (1.4))."""
    return LOSSES[model.loss].hessian(output)


def output_factor(model: Model, output: Array) -> Array:
    """C (N, m, m) with CCᵀ = H_l for each example, from output (N, m): symmetric formulas for singular H_l too."""
    return LOSSES[model.loss].factor(output)


def predictive(model: Model, output: Array) -> Any:
    """The model's distribution of y given its output (N, m): `Normal`, `Bernoulli` or `Categorical` (R 1.2.2)."""
    return LOSSES[model.loss].predictive(output)


def sample_targets(model: Model, output: Array, rng: np.random.Generator) -> Array:
    """Targets drawn from the model's predictive distribution: labels for "softmax_ce", (N, m) otherwise."""
    return predictive(model, output).sample(rng)


def batch_stats(model: Model, params: Any, data: Any) -> tuple[Moments, ...]:
    """Evaluation statistics: mean and variance of the input of every BatchNorm, in order, over all the data as one batch.

    Takes    data: a Batch or an iterable of Batches. With several, the statistics of one BatchNorm are complete before those of
             the next are taken, so that cutting the data into batches changes nothing but rounding; the data are gone through
             once for every BatchNorm.
    Raises   ValueError where there is no batch; TypeError for what is none; and what `forward` raises.
    """
    parts = batches(data, "statistics are taken from it")
    for batch in parts:
        _check_input(model, params, batch.x)
    stats: tuple[Moments, ...] = ()
    for k in range(sum(len(shape) == 1 for shape in layer_shapes(model))):
        found = [list(_moments(_forward(model, params, batch.x, stats).kept))[k] for batch in parts]
        stats += (_over_all([batch.x.shape[0] for batch in parts], found),)
    return stats


def _moments(kept: Any) -> Iterator[Moments]:
    """The statistics that a pass used, in order."""
    for keeps in kept:
        if isinstance(keeps, Moments):
            yield keeps
        elif isinstance(keeps, tuple):
            yield from _moments(keeps)


def _over_all(sizes: list[int], parts: list[Moments]) -> Moments:
    """The moments of all examples from those of parts with these sizes."""
    mean = sum(n * part.mean for n, part in zip(sizes, parts, strict=True)) / sum(sizes)
    var = sum(n * (part.var + (part.mean - mean) ** 2) for n, part in zip(sizes, parts, strict=True)) / sum(sizes)
    return Moments(mean, var)
