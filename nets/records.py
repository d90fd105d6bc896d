"""Layer records: what a network is made of, and the shapes that go through it.

Symbols  a flat shape is (d,), the shape of an image (C, H, W): channels, height, width.
Paper    R Section 3.2.1: odd kernels, stride 1 and a padding of R keep the size of an image. Beyond it (R's footnote 1): strides,
         which keep every stride-th of those positions, and convolution without padding.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any, NamedTuple

from ..arrays.errors import expect
from .activations import ACTIVATIONS

Shape = tuple[int, ...]


class Dense(NamedTuple):
    """A fully connected layer with `width` outputs: h = W a + b."""

    width: int


class Act(NamedTuple):
    """An activation, applied entry by entry: "linear", "relu", "logistic", "tanh" or "elu"."""

    name: str


class Conv2d(NamedTuple):
    """A convolution with `channels` outputs at every position t: h_t = Σ_δ W_δ a_{t+δ} + b (R (3.1)).

    kernel    its size, an integer or (height, width).
    stride    every how manieth position is kept, an integer or (down, across).
    padding   "same": odd kernels, and (k − 1)/2 zeros on every side; "valid": none.
    """

    channels: int
    kernel: int | tuple[int, int]
    stride: int | tuple[int, int] = 1
    padding: str = "same"


class MaxPool(NamedTuple):
    """The largest entry of each window, by channel; `stride` is `size` where None. Rows that fill no window are left out.

    Where several entries are largest, the derivative goes to the first of them, row by row.
    """

    size: int | tuple[int, int]
    stride: int | tuple[int, int] | None = None


class AvgPool(NamedTuple):
    """The mean of each window, by channel; windows as in `MaxPool`."""

    size: int | tuple[int, int]
    stride: int | tuple[int, int] | None = None


class Flatten(NamedTuple):
    """An image (C, H, W) as a vector (C·H·W,), the last index fastest."""


class BatchNorm(NamedTuple):
    """γ x̂ + β by channel, with x̂ = (x − mean) / √(variance + ε) over the batch and all positions; the variance is biased.

    In a batch of one example with one position x̂ is 0 and nothing goes back through it.
    """

    eps: Any = Fraction(1, 10**5)


class Residual(NamedTuple):
    """layers(x) + shortcut(x), where an empty shortcut is x itself."""

    layers: tuple[Any, ...]
    shortcut: tuple[Any, ...] = ()


TRAINABLE = (Dense, Conv2d, BatchNorm)
"""The records with parameters."""


class Weights(NamedTuple):
    """What a trainable record has: the shape of its weights, and the number of positions at which it applies them."""

    shape: Shape
    positions: int


class Window(NamedTuple):
    """What a kernel or a pool sees from a position: its size, the stride between positions and the padding around the image."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    def positions(self, height: int, width: int) -> tuple[int, int]:
        """How many positions an image has, down and across."""
        down, across = ((n + 2 * p - k) // s + 1 for n, k, s, p in zip((height, width), *self, strict=True))
        return down, across


def pair(value: Any) -> tuple[int, int]:
    """(height, width) from an integer for both, or from two of them."""
    return (value, value) if isinstance(value, int) else tuple(value)


def window(record: Conv2d | MaxPool | AvgPool) -> Window:
    """The Window of a record; `record` has passed `shapes`."""
    if isinstance(record, Conv2d):
        kh, kw = pair(record.kernel)
        return Window((kh, kw), pair(record.stride), ((kh - 1) // 2, (kw - 1) // 2) if record.padding == "same" else (0, 0))
    return Window(pair(record.size), pair(record.size if record.stride is None else record.stride), (0, 0))


def shapes(records: Any, shape: Shape, name: str = "layers") -> tuple[Shape, list[Weights]]:
    """What `records` make of one input of this shape, and the weights of those with parameters, in the order of execution.

    Their shapes are (d_out, d_in) of a Dense, (out, in, kh, kw) of a Conv2d, (C,) of a BatchNorm.
    Raises   ValueError or TypeError, which name the record, where one does not fit.
    """
    weights: list[Weights] = []
    for i, record in enumerate(records):
        shape, found = _shapes(record, shape, f"{name}[{i}]")
        weights += found
    return shape, weights


def _shapes(record: Any, shape: Shape, name: str) -> tuple[Shape, list[Weights]]:
    match record:
        case Dense(width):
            expect(count(width), f"{name}.width", "a positive integer", "a layer has outputs", repr(width))
            expect(len(shape) == 1, name, "a vector", "a Dense layer reads one (is a Flatten missing before it?)",
                   f"images of shape {shape}")
            return (width,), [Weights((width, *shape), 1)]
        case Act(function):
            expect(isinstance(function, str) and function in ACTIVATIONS, f"{name}.name", f"one of {', '.join(ACTIVATIONS)}",
                   "their derivatives are written by hand", repr(function))
            return shape, []
        case Conv2d(channels, kernel):
            expect(count(channels), f"{name}.channels", "a positive integer", "a layer has outputs", repr(channels))
            expect(record.padding in ("same", "valid"), f"{name}.padding", "'same' or 'valid'", "images are padded in these ways",
                   repr(record.padding))
            positions = _positions(record, kernel, "kernel", shape, name)
            return (channels, *positions), [Weights((channels, shape[0], *pair(kernel)), prod(positions))]
        case MaxPool(size) | AvgPool(size):
            return (shape[0], *_positions(record, size, "size", shape, name)), []
        case Flatten():
            _expect_image(shape, name)
            return (shape[0] * shape[1] * shape[2],), []
        case BatchNorm(eps):
            expect(isinstance(eps, int | float | Fraction) and 0 < eps < float("inf"), f"{name}.eps", "a positive number",
                   "a channel may be constant", repr(eps))
            return shape, [Weights(shape[:1], prod(shape[1:]))]
        case Residual(inner, shortcut):
            expect(isinstance(inner, tuple) and inner and isinstance(shortcut, tuple), name, "two tuples, the first not empty",
                   "it adds two branches", record)
            (after, weights), (beside, more) = shapes(inner, shape, f"{name}.layers"), shapes(shortcut, shape, f"{name}.shortcut")
            expect(after == beside, name, f"a shortcut that gives the shape {after} of the layers", "the two are added", beside)
            return after, weights + more
    raise TypeError(f"{name}: expected a layer record because a network is made of them, got {record!r}")


def ends(records: Any) -> list[Any]:
    """The records that an output comes from, one for each branch: the last ones with parameters, or activations behind them.

    Pools, Flatten and "linear" are looked through: they neither bend the numbers nor bound them.
    """
    for record in reversed(records):
        match record:
            case Residual(inner, shortcut):
                found = ends(inner) + ends(shortcut)
            case Dense() | Conv2d() | BatchNorm():
                found = [record]
            case Act(name) if name != "linear":
                found = [record]
            case _:
                found = []
        if found:
            return found
    return []


def _positions(record: Any, size: Any, what: str, shape: Shape, name: str) -> tuple[int, int]:
    """Positions of a Conv2d or pool on an image, after all checks on its size and stride."""
    _expect_image(shape, name)
    stride = size if record.stride is None and not isinstance(record, Conv2d) else record.stride
    for field, value in ((what, size), ("stride", stride)):
        expect(count(value) or (isinstance(value, tuple) and len(value) == 2 and all(map(count, value))), f"{name}.{field}",
               "a positive integer or two", "an image has a height and a width", repr(value))
    same = getattr(record, "padding", "valid") == "same"
    expect(not same or all(k % 2 for k in pair(size)), f"{name}.{what}", "odd sizes",
           "padding 'same' puts a middle over every position", repr(size))
    expect(all(k <= (2 * n - 1 if same else n) for k, n in zip(pair(size), shape[1:], strict=True)), f"{name}.{what}",
           "one that fits into the image", "beyond it there are no data", f"{size} on {shape[1]} × {shape[2]}")
    return window(record).positions(*shape[1:])


def _expect_image(shape: Shape, name: str) -> None:
    expect(len(shape) == 3, name, "images (C, H, W)", "it works on their height and width", f"vectors of shape {shape}")


def count(value: Any) -> bool:
    """Is it a positive integer?"""
    return type(value) is int and value >= 1
