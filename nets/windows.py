"""Images seen through windows: patches for a convolution, pooling, and the adjoint of each.

Symbols  z (N, H, W, C) images with the channel last, as they go from layer to layer: then z, h and g of a layer are
         (N, P, C) without a copy, positions t row by row. δ an offset in a window, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from ..arrays import namespace
from .records import Window

Array = Any


def offsets(window: Window, positions: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """For each δ, row by row: the rows and columns of (padded) images that hold a_{t+δ} for all positions t at once."""
    (kh, kw), (down, across), _ = window
    for i in range(kh):
        for j in range(kw):
            yield slice(i, i + down * positions[0], down), slice(j, j + across * positions[1], across)


def blocks(N: int, entries: int) -> list[slice]:
    """Slices of examples with about 2¹⁷ entries: what a cache holds while one offset after the other goes through it."""
    step = max(1, 2**17 // entries)
    return [slice(n, n + step) for n in range(0, N, step)]


def patches(z: Array, window: Window) -> Array:
    """Homogeneous inputs ā (N, P, C·kh·kw + 1): the patch around each position of z (N, H, W, C), channel by channel, and 1."""
    xp = namespace(z)
    N, *shape = z.shape
    entries = xp.concat([xp.reshape(z, (N, -1)), xp.zeros((N, 1)), xp.ones((N, 1))], axis=1)
    return xp.reshape(xp.take(entries, _sources(tuple(shape), window), axis=1), (N, prod(window.positions(*shape[:2])), -1))


def _sources(shape: tuple[int, ...], window: Window) -> Array:
    """Where in (z, 0, 1) each entry of ā comes from, for one image z of this shape (H, W, C): integers, one after the other."""
    positions, zero = window.positions(*shape[:2]), prod(shape)
    padded = np.full(_padded_shape((1, *shape), window.padding), zero)
    padded[_inside((1, *shape), window.padding)] = np.arange(zero).reshape(1, *shape)
    found = np.stack([padded[0, rows, columns] for rows, columns in offsets(window, positions)], axis=-1)       # R(3.1)
    rows = found.reshape(prod(positions), -1)
    return np.append(rows, np.full((len(rows), 1), zero + 1), axis=1).ravel()


def patches_adjoint(Dh: Array, W: Array, shape: tuple[int, ...], window: Window) -> Array:
    """D of z (N, H, W, C), which is `shape`, from D of what W (out, C, kh, kw) makes of its patches: Dh (N·P, out)."""
    xp = namespace(Dh, W)
    N, height, width, C = shape
    positions, W = window.positions(height, width), xp.reshape(W, (W.shape[0], C, -1))
    Dh = xp.reshape(Dh, (N, prod(positions), -1))
    Dz = xp.zeros(_padded_shape(shape, window.padding))
    for n in blocks(N, prod(Dh.shape[1:])):
        rows_n = xp.reshape(Dh[n], (-1, Dh.shape[2]))
        for k, (rows, columns) in enumerate(offsets(window, positions)):
            Dz[n, rows, columns] += xp.reshape(rows_n @ W[:, :, k], (-1, *positions, C))    # D z_{t+δ} = W_δᵀ D h_t
    return Dz[_inside(shape, window.padding)]


def running_maxima(z: Array, window: Window) -> tuple[Array, ...]:
    """The largest of the first 1, 2, … entries of every window, by channel: z (N, H, W, C) to (N, down, across, C) each."""
    xp = namespace(z)
    maxima: tuple[Array, ...] = ()
    for at in offsets(window, window.positions(*z.shape[1:3])):
        entry = z[:, *at]
        maxima += (xp.where(entry > maxima[-1], entry, maxima[-1]) if maxima else entry,)
    return maxima


def max_pool_adjoint(Dz: Array, z: Array, maxima: Sequence[Array], window: Window) -> Array:
    """D of z (N, H, W, C) from D of its largest entries, Dz (N, down, across, C): it goes to the first largest of a window."""
    xp = namespace(Dz, z)
    result, zero = xp.zeros(z.shape), xp.zeros_like(Dz)
    (rows, columns), *others = offsets(window, window.positions(*z.shape[1:3]))
    for (rows_k, columns_k), before in reversed(list(zip(others, maxima, strict=False))):
        larger = z[:, rows_k, columns_k] > before
        result[:, rows_k, columns_k] += xp.where(larger, Dz, zero)
        Dz = xp.where(larger, zero, Dz)
    result[:, rows, columns] += Dz
    return result


def max_pool_tangent(z_1: Array, z: Array, maxima: Sequence[Array], window: Window) -> Array:
    """The derivative of the largest entries of z (N, H, W, C), from z_1 like z: that of the first largest of every window."""
    xp = namespace(z_1, z)
    at, *others = offsets(window, window.positions(*z.shape[1:3]))
    result = z_1[:, *at]
    for at, before in zip(others, maxima, strict=False):
        result = xp.where(z[:, *at] > before, z_1[:, *at], result)
    return result


def avg_pool(z: Array, window: Window) -> Array:
    """The mean of every window, by channel: z (N, H, W, C) to (N, down, across, C)."""
    return sum(z[:, *at] for at in offsets(window, window.positions(*z.shape[1:3]))) / prod(window.size)


def avg_pool_adjoint(Dz: Array, shape: tuple[int, ...], window: Window) -> Array:
    """D of z (N, H, W, C), which is `shape`, from D of its means, Dz (N, down, across, C)."""
    share, result = Dz / prod(window.size), namespace(Dz).zeros(shape)
    for rows, columns in offsets(window, window.positions(*shape[1:3])):
        result[:, rows, columns] += share
    return result


def _padded_shape(shape: tuple[int, ...], padding: tuple[int, int]) -> tuple[int, ...]:
    N, H, W, C = shape
    return (N, H + 2 * padding[0], W + 2 * padding[1], C)


def _inside(shape: tuple[int, ...], padding: tuple[int, int]) -> tuple[slice, ...]:
    return (slice(None), *(slice(p, p + n) for p, n in zip(padding, shape[1:3], strict=True)))
