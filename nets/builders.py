"""Three well-known convolutional networks in a few lines each, small enough to be gone through by hand.

Symbols  input_shape (C, H, W); classes outputs, on which `loss` is taken.
"""

from __future__ import annotations

from typing import Any

from ..arrays.errors import expect, sequence
from .model import Model, cnn, shape_of_input
from .records import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, MaxPool, Residual, count, shapes


def lenet5(input_shape: Any = (1, 28, 28), classes: int = 10, loss: str = "softmax_ce") -> Model:
    """LeNet-5 of LeCun et al. (1998) with tanh and average pooling: two convolutions of 5 × 5, three dense layers."""
    return cnn(input_shape, (
        Conv2d(6, 5), Act("tanh"), AvgPool(2),
        Conv2d(16, 5, padding="valid"), Act("tanh"), AvgPool(2),
        Flatten(), Dense(120), Act("tanh"), Dense(84), Act("tanh"), Dense(classes)), loss)


def small_vgg(input_shape: Any, classes: int, channels: Any = (8, 16), loss: str = "softmax_ce") -> Model:
    """A VGG: for each entry of `channels` two blocks convolution, BatchNorm, relu and a pool of 2 × 2; one dense layer."""
    layers: list[Any] = []
    for width in _widths(channels):
        layers += [Conv2d(width, 3), BatchNorm(), Act("relu")] * 2
        layers += [MaxPool(2)]
    return cnn(input_shape, (*layers, Flatten(), Dense(classes)), loss)


def small_resnet(input_shape: Any, classes: int, channels: Any = (8, 16), loss: str = "softmax_ce") -> Model:
    """A ResNet: a first block, then a residual block for each entry of `channels`, from the second on with stride 2; the mean."""
    input_shape, channels = shape_of_input(input_shape), _widths(channels)
    layers: list[Any] = [Conv2d(channels[0], 3), BatchNorm(), Act("relu")]
    for i, width in enumerate(channels):
        stride = 2 if i else 1
        inner = (Conv2d(width, 3, stride), BatchNorm(), Act("relu"), Conv2d(width, 3), BatchNorm())
        layers += [Residual(inner, (Conv2d(width, 1, stride), BatchNorm()) if i else ()), Act("relu")]
    (_, height, width), _ = shapes(layers, input_shape)
    return cnn(input_shape, (*layers, AvgPool((height, width)), Flatten(), Dense(classes)), loss)


def _widths(channels: Any) -> tuple[int, ...]:
    what, why = "at least one positive integer", "every block has its channels"
    channels = sequence(channels, "channels", what, why)
    expect(channels and all(map(count, channels)), "channels", what, why, channels)
    return channels
