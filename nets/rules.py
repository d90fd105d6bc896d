"""Every layer record: what it makes of its input z, and how derivatives go back and forth through it.

Symbols  z (N, d) vectors or (N, H, W, C) images, channel last; Dz = N · ∂(mean loss)/∂z in z's shape, Dh the same for the output
         h of a trainable layer; ā (N, P, d_in + 1) homogeneous inputs, x̂ (N, P, C) normalised ones; z_1 the derivative of z in a
         direction of the parameters (R Section 5.4.4), in z's shape, or None where no parameters have come before.
         A forward rule takes (record, z, parameters, statistics) and returns the output, `a` (None without parameters) and what
         the other two need. The way back takes (record, D of the output, parameters, a, kept, fixed) and returns Dz; D may have
         several rows an example, those of one example together. A tangent takes (record, z_1, parameters, their direction, a,
         kept) and returns that of the output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..arrays import namespace
from .activations import ACTIVATIONS
from .model import Layer, Norm
from .records import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, MaxPool, window
from .windows import (
    avg_pool,
    avg_pool_adjoint,
    max_pool_adjoint,
    max_pool_tangent,
    patches,
    patches_adjoint,
    running_maxima,
)

Array = Any


class Moments(NamedTuple):
    """Mean and (biased) variance of every channel over examples and positions: mean (C,), var (C,)."""

    mean: Array
    var: Array


def affine(layer: Layer, a: Array) -> Array:
    """h_t = W̄ ā_t at every position of every example: ā (N, P, d_in + 1) to (N·P, d_out)."""
    rows = namespace(a).reshape(a, (-1, a.shape[-1]))
    h = rows[:, :-1] @ _kernel(layer).T
    h += layer.b                                                                      # R(3.1)
    return h


def _kernel(layer: Layer) -> Array:
    """W (d_out, d_in), of a convolution as well."""
    return namespace(layer.W).reshape(layer.W, (layer.W.shape[0], -1))


def _dense(record: Dense, z: Array, layer: Layer, _: None) -> tuple[Array, Array, Any]:
    xp = namespace(z)
    a = xp.reshape(xp.concat([z, xp.ones((z.shape[0], 1))], axis=1), (z.shape[0], 1, -1))
    return affine(layer, a), a, ()


def _dense_back(record: Dense, Dh: Array, layer: Layer, a: Array, kept: Any, fixed: bool) -> Array:
    return Dh @ layer.W


def _dense_tangent(record: Dense, z_1: Array | None, layer: Layer, layer_1: Layer, a: Array, kept: Any) -> Array:
    h_1 = affine(layer_1, a)                                                          # R(5.11)
    return h_1 if z_1 is None else h_1 + z_1 @ _kernel(layer).T                       # R(5.11)


def _conv(record: Conv2d, z: Array, layer: Layer, _: None) -> tuple[Array, Array, Any]:
    a = patches(z, window(record))
    h = affine(layer, a)
    return namespace(h).reshape(h, (z.shape[0], *window(record).positions(*z.shape[1:3]), -1)), a, tuple(z.shape[1:])


def _conv_back(record: Conv2d, Dh: Array, layer: Layer, a: Array, shape: tuple[int, ...], fixed: bool) -> Array:
    return patches_adjoint(Dh, layer.W, (Dh.shape[0], *shape), window(record))


def _conv_tangent(record: Conv2d, z_1: Array | None, layer: Layer, layer_1: Layer, a: Array, shape: tuple[int, ...]) -> Array:
    h_1 = affine(layer_1, a)                                                          # R(5.11)
    if z_1 is not None:
        a_1 = patches(z_1, window(record))
        h_1 = h_1 + namespace(a_1).reshape(a_1, (-1, a_1.shape[-1]))[:, :-1] @ _kernel(layer).T      # R(5.11)
    return namespace(h_1).reshape(h_1, (a.shape[0], *window(record).positions(*shape[:2]), -1))


def _batch_norm(record: BatchNorm, z: Array, layer: Norm, statistics: Moments | None) -> tuple[Array, Array, Moments]:
    xp = namespace(z)
    x = xp.reshape(z, (-1, z.shape[-1]))
    used = moments(x) if statistics is None else statistics
    x_h = (x - used.mean) / deviation(record, used)
    return xp.reshape(layer.gamma * x_h + layer.beta, z.shape), xp.reshape(x_h, (z.shape[0], -1, z.shape[-1])), used


def _batch_norm_back(record: BatchNorm, Dh: Array, layer: Norm, a: Array, used: Moments, fixed: bool) -> Array:
    xp = namespace(Dh)
    x_h, Dx_h = (xp.reshape(x, (-1, x.shape[-1])) for x in (a, layer.gamma * Dh))
    if not fixed:                              # mean and variance are functions of the batch
        n = x_h.shape[0]
        Dx_h = Dx_h - xp.sum(Dx_h, axis=0) / n - x_h * (xp.sum(Dx_h * x_h, axis=0) / n)
    return xp.reshape(Dx_h / deviation(record, used), Dh.shape)


def moments(x: Array) -> Moments:
    """Mean and variance of every column of x (n, C)."""
    xp = namespace(x)
    mean = xp.sum(x, axis=0) / x.shape[0]
    return Moments(mean, xp.sum((x - mean) ** 2, axis=0) / x.shape[0])


def deviation(record: BatchNorm, used: Moments) -> Array:
    """√(variance + ε) of every channel."""
    xp = namespace(used.var)
    return xp.sqrt(used.var + xp.const(record.eps))


def _act(record: Act, z: Array, *_: None) -> tuple[Array, None, Array]:
    return ACTIVATIONS[record.name].phi(z), None, z


def _act_back(record: Act, Dz: Array, layer: None, a: None, z: Array, fixed: bool) -> Array:
    xp, d_phi = namespace(Dz), ACTIVATIONS[record.name].d_phi
    if Dz.shape == z.shape:
        return Dz * d_phi(z)
    return xp.reshape(xp.reshape(Dz, (z.shape[0], -1, *z.shape[1:])) * d_phi(z)[:, None], Dz.shape)


def _act_tangent(record: Act, z_1: Array, layer: None, layer_1: None, a: None, z: Array) -> Array:
    return ACTIVATIONS[record.name].d_phi(z) * z_1                                    # R(5.11)


def _max_pool(record: MaxPool, z: Array, *_: None) -> tuple[Array, None, tuple[Array, ...]]:
    maxima = running_maxima(z, window(record))
    return maxima[-1], None, (z, *maxima)


def _max_pool_back(record: MaxPool, Dz: Array, layer: None, a: None, kept: tuple[Array, ...], fixed: bool) -> Array:
    xp, rows = namespace(Dz), Dz.shape[0] // kept[0].shape[0]
    if rows > 1:
        kept = tuple(xp.reshape(xp.concat([x[:, None]] * rows, axis=1), (-1, *x.shape[1:])) for x in kept)
    z, *maxima = kept
    return max_pool_adjoint(Dz, z, maxima, window(record))


def _max_pool_tangent(record: MaxPool, z_1: Array, layer: None, layer_1: None, a: None, kept: tuple[Array, ...]) -> Array:
    z, *maxima = kept
    return max_pool_tangent(z_1, z, maxima, window(record))


def _avg_pool(record: AvgPool, z: Array, *_: None) -> tuple[Array, None, Any]:
    return avg_pool(z, window(record)), None, tuple(z.shape[1:])


def _avg_pool_back(record: AvgPool, Dz: Array, layer: None, a: None, shape: tuple[int, ...], fixed: bool) -> Array:
    return avg_pool_adjoint(Dz, (Dz.shape[0], *shape), window(record))


def _avg_pool_tangent(record: AvgPool, z_1: Array, layer: None, layer_1: None, a: None, shape: tuple[int, ...]) -> Array:
    return avg_pool(z_1, window(record))


def _flatten(record: Flatten, z: Array, *_: None) -> tuple[Array, None, Any]:
    xp = namespace(z)
    return xp.reshape(xp.permute_dims(z, (0, 3, 1, 2)), (z.shape[0], -1)), None, tuple(z.shape[1:])


def _flatten_back(record: Flatten, Dz: Array, layer: None, a: None, shape: tuple[int, ...], fixed: bool) -> Array:
    xp = namespace(Dz)
    H, W, C = shape
    return xp.permute_dims(xp.reshape(Dz, (-1, C, H, W)), (0, 2, 3, 1))


def _flatten_tangent(record: Flatten, z_1: Array, layer: None, layer_1: None, a: None, shape: tuple[int, ...]) -> Array:
    return _flatten(record, z_1)[0]


class Rule(NamedTuple):
    """The three ways of a record; a BatchNorm, which couples the examples, has no tangent: no example has a Jacobian of its own."""

    forward: Callable[..., tuple[Array, Any, Any]]
    back: Callable[..., Array]
    tangent: Any = None


RULES = {Dense: Rule(_dense, _dense_back, _dense_tangent), Conv2d: Rule(_conv, _conv_back, _conv_tangent),
         BatchNorm: Rule(_batch_norm, _batch_norm_back), Act: Rule(_act, _act_back, _act_tangent),
         MaxPool: Rule(_max_pool, _max_pool_back, _max_pool_tangent), AvgPool: Rule(_avg_pool, _avg_pool_back, _avg_pool_tangent),
         Flatten: Rule(_flatten, _flatten_back, _flatten_tangent)}
