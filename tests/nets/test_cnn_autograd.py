"""Convolutional nets against automatic differentiation of a program written here, in float64 and float32.

Where data are small integers nothing is rounded and the comparison is ==. Elsewhere the tolerance is a running error bound:
`Banded` numbers (tests/verify/test_bands.py) go through the same passes and carry, entry by entry, what rounding can do.
"""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.scipy.special import logsumexp
from stepgauge import nets
from stepgauge.arrays import cast, map_arrays, precision
from stepgauge.nets import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, MaxPool, Residual
from stepgauge.verify.bands import BITS, Bands, Paths

PHI = {"linear": lambda h: h, "relu": lambda h: anp.where(h > 0, h, 0.0), "tanh": anp.tanh,
       "logistic": lambda h: 1 / (1 + anp.exp(-h)), "elu": lambda h: anp.where(h > 0, h, anp.exp(anp.minimum(h, 0)) - 1)}
LOSS = {"mse": lambda output, y: anp.sum((output - y) ** 2, axis=1) / 2,
        "bce": lambda output, y: anp.sum(anp.logaddexp(0, output) - y * output, axis=1),
        "softmax_ce": lambda output, y: anp.sum(y * (logsumexp(output, axis=1)[:, None] - output), axis=1)}


def two(value):
    return value if isinstance(value, tuple) else (value, value)


def corners(z, size, stride):
    """For every offset in the window: the pixels (N, C, rows, columns) that it falls on."""
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(z.shape[2:], size, stride, strict=True))
    return [z[:, :, i:i + rows * stride[0]:stride[0], j:j + columns * stride[1]:stride[1]][:, :, :rows, :columns]
            for i in range(size[0]) for j in range(size[1])]


def judged(records, params, bumps, z):
    """The network in N, C, H, W; `bumps` (N, C, rows, columns) or (N, d) are added to the outputs of trainable layers."""
    for record in records:
        match record:
            case Dense():
                W, b = next(params)
                z = anp.dot(z, W.T) + b + next(bumps)
            case Conv2d(_, kernel, stride, padding):
                W, b = next(params)
                kh, kw = two(kernel)
                if padding == "same":
                    z = anp.pad(z, ((0, 0), (0, 0), (kh // 2, kh // 2), (kw // 2, kw // 2)), mode="constant")
                z = sum(anp.einsum("njyx,ij->niyx", part, W[:, :, k // kw, k % kw])
                        for k, part in enumerate(corners(z, (kh, kw), two(stride)))) + b[:, None, None] + next(bumps)
            case BatchNorm(eps):
                gamma, beta = next(params)
                axes = tuple(i for i in range(z.ndim) if i != 1)
                shape = (1, -1) + (1,) * (z.ndim - 2)
                z = (z - anp.mean(z, axis=axes, keepdims=True)) / anp.sqrt(anp.var(z, axis=axes, keepdims=True) + float(eps))
                z = anp.reshape(gamma, shape) * z + anp.reshape(beta, shape) + next(bumps)
            case Act(name):
                z = PHI[name](z)
            case MaxPool(size, stride):
                z = anp.max(anp.stack(corners(z, two(size), two(stride or size))), axis=0)
            case AvgPool(size, stride):
                z = anp.mean(anp.stack(corners(z, two(size), two(stride or size))), axis=0)
            case Flatten():
                z = anp.reshape(z, (len(z), -1))
            case Residual(inner, shortcut):
                one = judged(inner, params, bumps, z)
                z = one + judged(shortcut, params, bumps, z)
    return z


def bumps_of(model, records, shape, N):
    """Zeros in the shape of every trainable layer's output."""
    found = []
    for record in records:
        if isinstance(record, Residual):
            found += bumps_of(model, record.layers, shape, N) + bumps_of(model, record.shortcut, shape, N)
        shape, _ = nets.records.shapes((record,), shape)
        if isinstance(record, Dense | Conv2d | BatchNorm):
            found.append(np.zeros((N, *shape)))
    return found


def judge(model, params, x, y):
    """Output, loss, g and gradient by automatic differentiation; g as (N, P, C)."""
    theta = [tuple(layer) for layer in params]
    bumps = bumps_of(model, model.layers, model.input_shape, len(x))

    def total(theta, bumps):
        return anp.sum(LOSS[model.loss](judged(model.layers, iter(theta), iter(bumps), x), y))

    g = grad(lambda bumps: total(theta, bumps))(bumps)
    g = [np.moveaxis(g_l.reshape(*g_l.shape[:2], -1), 1, 2) for g_l in g]
    gradient = grad(lambda theta: total(theta, bumps) / len(x))(theta)
    return [judged(model.layers, iter(theta), iter(bumps), x), total(theta, bumps) / len(x), *g, *nets.tensors(gradient)]


def computed(model, params, x, y):
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    return [tape.output, back.loss, *back.g, *nets.tensors(back.grad)]


EXACT = {
    "same": ((2, 5, 4), (Conv2d(3, 3), Act("relu"), Conv2d(2, (1, 3)), Flatten(), Dense(2))),
    "valid and strides": ((3, 7, 6), (Conv2d(2, (3, 2), (2, 1), "valid"), Act("relu"), Conv2d(2, 3, 2), Flatten(), Dense(3))),
    "kernel is the image": ((2, 3, 4), (Conv2d(3, (3, 4), padding="valid"), Act("relu"), Flatten(), Dense(2))),
    "pools": ((1, 6, 7), (Conv2d(2, 3), AvgPool((2, 4), (1, 3)), Conv2d(2, 1), AvgPool(2, 1), Flatten(), Dense(1))),
    "residual": ((2, 4, 4), (Conv2d(2, 3), Residual((Conv2d(3, 3), Act("relu"), Conv2d(2, 3))), Act("relu"),
                             Residual((Conv2d(3, 3, 2), Act("relu")), (Conv2d(3, 1, 2, "valid"),)), Flatten(), Dense(2))),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("N", [1, 4])
@pytest.mark.parametrize(("shape", "records"), EXACT.values(), ids=EXACT)
def test_integers_agree_exactly(shape, records, N, dtype):
    """Entries of −1, 0 and 1, batches of a power of two: every number is a small dyadic one, whatever the order of sums."""
    rng = np.random.default_rng(3)
    model = nets.cnn(shape, records, "mse")
    params = tuple(nets.Layer(rng.integers(-1, 2, W).astype(float), rng.integers(-1, 2, W[0]).astype(float))
                   for W in nets.layer_shapes(model))
    x = rng.integers(-1, 2, (N, *shape)).astype(float)
    y = rng.integers(-1, 2, (N, params[-1].b.size)).astype(float)
    ours = computed(model, *cast((params, x, y), dtype))
    for mine, theirs in zip(ours, judge(model, params, x, y), strict=True):
        assert mine.dtype == dtype
        assert mine.tolist() == theirs.tolist()


ROUNDED = {
    "lenet": ((1, 8, 9), (Conv2d(2, 5), Act("tanh"), AvgPool(2), Conv2d(3, 3, padding="valid"), Act("tanh"), Flatten(), Dense(4),
                          Act("logistic"), Dense(3)), "softmax_ce", 3),
    "vgg": ((2, 6, 4), (Conv2d(3, 3), BatchNorm(), Act("relu"), MaxPool(2), Conv2d(2, 3), BatchNorm(), Act("elu"), Flatten(),
                        Dense(3)), "bce", 4),
    "resnet": ((1, 5, 6), (Conv2d(2, 3), BatchNorm(), Act("relu"),
                           Residual((Conv2d(3, 3, 2), BatchNorm(), Act("relu"), Conv2d(3, 3), BatchNorm()),
                                    (Conv2d(3, 1, 2), BatchNorm())), Act("relu"), AvgPool((3, 3)), Flatten(), Dense(3)),
               "softmax_ce", 5),
    "overlapping": ((2, 5, 5), (Conv2d(2, 3), MaxPool(3, 2), Act("tanh"), AvgPool(2, 1), Flatten(), BatchNorm(), Dense(2)),
                    "mse", 6),
    "one example": ((2, 3, 5), (Conv2d(3, (3, 1)), BatchNorm(), Act("elu"), Flatten(), Dense(2)), "bce", 1),
    "vectors": ((4,), (Dense(5), BatchNorm(), Act("tanh"), Residual((Dense(5), BatchNorm(), Act("relu"))), Dense(3)), "mse", 6),
}


def problem(shape, records, loss, N, dtype):
    rng = np.random.default_rng([*shape, N])
    model = nets.cnn(shape, records, loss)
    params = tuple(type(layer)(layer[0], layer[1] + rng.standard_normal(layer[1].shape) / 4) for layer in nets.init(model, 2))
    m = params[-1][1].size
    y = {"mse": rng.standard_normal((N, m)), "bce": rng.integers(0, 5, (N, m)) / 4,
         "softmax_ce": np.eye(m)[rng.integers(0, m, N)]}[loss]
    return model, *cast((params, rng.standard_normal((N, *shape)), y), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "records", "loss", "N"), ROUNDED.values(), ids=ROUNDED)
def test_the_passes_are_automatic_differentiation(shape, records, loss, N, dtype):
    """Ours within its bands, the judge within those of float64: both programs do these operations, in some order."""
    model, *given = problem(shape, records, loss, N, dtype)
    ours, theirs = computed(model, *given), judge(model, *cast(given, "float64"))
    with precision(BITS):
        within, narrow = (computed(model, *map_arrays(Bands(kind, Paths()).asarray, given)) for kind in (dtype, "float64"))
    for mine, judges, band, judges_band in zip(ours, theirs, within, narrow, strict=True):
        assert mine.dtype == dtype
        value = judges_band.v.astype(np.float64)
        assert (abs(mine - band.v.astype(np.float64)) <= band.e + np.finfo(float).eps * abs(value)).all()
        assert (abs(judges - value) <= judges_band.e + np.finfo(float).eps * abs(value)).all()
        assert judges_band.e.max() <= np.sqrt(np.finfo(float).eps) * max(abs(value).max(), 1)      # half of the digits are left
