"""Passes, losses and activations in mpmath at 60 digits, against scalar loops written here and numerical differentiation.

`mpmath.diff` doubles the working precision and takes a step of that size, so that its results are good to nearly all of the
60 digits. What is compared are numbers of size 1e-4 to 1e2 that some hundred operations made: 50 digits must agree.
"""

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast, precision
from stepgauge.nets import single

BITS = 200
TOLERANCE = mpmath.mpf(10) ** -50

PHI = {
    "linear": lambda t: t,
    "relu": lambda t: t if t > 0 else mpmath.mpf(0),
    "logistic": lambda t: 1 / (1 + mpmath.exp(-t)),
    "tanh": lambda t: mpmath.sinh(t) / mpmath.cosh(t),
    "elu": lambda t: t if t > 0 else mpmath.exp(t) - 1,
}


def log_logistic(t):
    return mpmath.log(1 / (1 + mpmath.exp(-t)))


LOSS = {                                             # one example, by the definitions of R 1.2.2 with their minus signs
    "mse": lambda output, y: sum((p - q) ** 2 for p, q in zip(output, y, strict=True)) / 2,
    "bce": lambda output, y: -sum(q * log_logistic(p) + (1 - q) * log_logistic(-p) for p, q in zip(output, y, strict=True)),
    "softmax_ce": lambda output, y: -sum(q * mpmath.log(mpmath.exp(p) / sum(map(mpmath.exp, output)))
                                         for p, q in zip(output, y, strict=True)),
}


@pytest.fixture(autouse=True)
def sixty_digits():
    with precision(BITS):
        yield


def unit_loss(theta, activations, loss, x, y, bump=None):
    """The loss of one example, unit by unit; `bump` = (l, i, ε) adds ε to one pre-activation."""
    a = list(x)
    for l, ((W, b), name) in enumerate(zip(theta, activations, strict=True)):
        h = [sum((w * t for w, t in zip(row, a, strict=True)), bias) for row, bias in zip(W, b, strict=True)]
        if bump and bump[0] == l:
            h[bump[1]] += bump[2]
        a = [PHI[name](t) for t in h]
    return LOSS[loss](a, y)


def network(widths, activations, loss, N, seed):
    """Parameters, inputs and (soft) targets that are dyadic, in mpf."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return cast(rng.standard_normal(shape), "mpf")

    params = tuple(nets.Layer(normal(d_out, d_in), normal(d_out)) for d_in, d_out in pairwise(widths))
    m = widths[-1]
    y = {"mse": rng.standard_normal((N, m)), "bce": rng.integers(0, 9, (N, m)) / 8,
         "softmax_ce": rng.multinomial(8, [1 / m] * m, N) / 8}[loss]
    return nets.mlp(widths, activations, loss), params, normal(N, widths[0]), cast(y, "mpf")


CASES = [((2, 3, 2), (name, name), "mse") for name in PHI]
CASES += [((2, 3, 2), (name, "linear"), loss) for name in PHI for loss in ("bce", "softmax_ce")]
CASES += [((1, 2, 2, 3), ("tanh", "elu", "linear"), "softmax_ce"), ((2, 1), ("linear",), "bce")]
every_case = pytest.mark.parametrize(("widths", "activations", "loss"), CASES, ids=str)


@every_case
def test_loss_g_and_gradient_by_differentiation(widths, activations, loss):
    N = 2
    model, params, x, y = network(widths, activations, loss, N, 23)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    theta = [(layer.W.tolist(), layer.b.tolist()) for layer in params]

    def own_loss(n, theta=theta, bump=None):
        return unit_loss(theta, activations, loss, x[n].tolist(), y[n].tolist(), bump)

    def mean_loss(l, tensor, index, value):
        moved = [[layer.W.copy(), layer.b.copy()] for layer in params]
        moved[l][tensor][index] = value
        return sum(own_loss(n, [(W.tolist(), b.tolist()) for W, b in moved]) for n in range(N)) / N

    assert abs(back.loss - sum(map(own_loss, range(N))) / N) < TOLERANCE
    for l, layer in enumerate(params):
        for n in range(N):
            for i in range(widths[l + 1]):
                g = mpmath.diff(lambda eps, n=n, l=l, i=i: own_loss(n, bump=(l, i, eps)), 0)
                assert abs(back.g[l][n, 0, i] - g) < TOLERANCE
        for tensor in (0, 1):
            for index in np.ndindex(*layer[tensor].shape):
                slope = mpmath.diff(lambda t, l=l, tensor=tensor, index=index: mean_loss(l, tensor, index, t),
                                    layer[tensor][index])
                assert abs(back.grad[l][tensor][index] - slope) < TOLERANCE


@every_case
def test_the_single_passes_are_the_batched_ones(widths, activations, loss):
    """R Algorithms 1, 17 and 18, for the activations and losses that leave ℚ."""
    N = 3
    model, params, x, y = network(widths, activations, loss, N, 29)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    W_b = [np.concatenate([layer.W, layer.b[:, None]], axis=1) for layer in params]

    def close(one, other):
        return one.shape == other.shape and all(abs(p - q) < TOLERANCE for p, q in zip(one.ravel(), other.ravel(), strict=True))

    sums = [0] * len(params)
    for n in range(N):
        first = single.forward_backward(W_b, activations, loss, x[n], y[n])
        h, v = single.forward(params, activations, x[n])
        gradient = single.backward(params, activations, loss, h, v, y[n])
        assert close(first.output, tape.output[n])
        assert close(v[-1], tape.output[n])
        for l in range(len(params)):
            assert close(first.a[l], tape.a[l][n, 0])
            assert close(first.h[l], tape.h[l][n, 0])
            assert close(h[l], tape.h[l][n, 0])
            assert close(first.g[l], back.g[l][n, 0])
            assert close(gradient[l].b, back.g[l][n, 0])
            assert close(first.DW[l], np.concatenate([gradient[l].W, gradient[l].b[:, None]], axis=1))
            sums[l] = sums[l] + first.DW[l] / N
    for l, layer in enumerate(back.grad):
        assert close(sums[l], np.concatenate([layer.W, layer.b[:, None]], axis=1))


POINTS = [-30.5, -2.75, -0.5, -0.0009765625, 0.0009765625, 0.375, 1.0, 4.5, 30.5]


@pytest.mark.parametrize("name", PHI)
def test_activations_and_their_two_derivatives(name):
    h = cast(np.array([POINTS]), "mpf")
    phi, d_phi, d2_phi = nets.ACTIVATIONS[name]
    for order, function in enumerate((phi, d_phi, d2_phi)):
        values = function(h)
        assert values.shape == h.shape
        for value, t in zip(values[0], h[0], strict=True):
            exact = mpmath.diff(PHI[name], t, order) if order else PHI[name](t)
            assert abs(value - exact) < TOLERANCE


@pytest.mark.parametrize(("name", "expected"), [
    ("linear", (0, 1, 0)), ("relu", (0, 0, 0)), ("logistic", (0.5, 0.25, 0)), ("tanh", (0, 1, 0)), ("elu", (0, 1, 1))])
def test_activations_at_zero(name, expected):
    """Where elu has no second derivative it takes that of e^h − 1, its left one; relu takes its left ones."""
    zero = cast(np.array([0.0]), "mpf")
    assert tuple(function(zero)[0] for function in nets.ACTIVATIONS[name]) == expected


@pytest.mark.parametrize("loss", LOSS)
def test_value_gradient_and_hessian_of_losses(loss):
    rng = np.random.default_rng(31)
    output = cast(rng.uniform(-4, 4, (3, 3)), "mpf")
    y = cast({"mse": rng.standard_normal((3, 3)), "bce": rng.integers(0, 9, (3, 3)) / 8,
              "softmax_ce": np.array([[0, 1, 0], [0.5, 0.25, 0.25], [0, 0, 1.0]])}[loss], "mpf")
    value, gradient, hessian = (function(*arguments) for function, arguments in
                                zip(nets.LOSSES[loss], [(output, y), (output, y), (output,)], strict=False))
    assert (value.shape, gradient.shape, hessian.shape) == ((3,), (3, 3), (3, 3, 3))
    assert (nets.output_hessian(nets.mlp((1, 3), ("linear",), loss), output) == hessian).all()
    for n in range(3):
        def own_loss(*logits, n=n):
            return LOSS[loss](logits, y[n].tolist())

        point = tuple(output[n])
        assert abs(value[n] - own_loss(*point)) < TOLERANCE
        for i in range(3):
            orders = [int(k == i) for k in range(3)]
            assert abs(gradient[n, i] - mpmath.diff(own_loss, point, tuple(orders))) < TOLERANCE
            for j in range(3):
                twice = tuple(order + int(k == j) for k, order in enumerate(orders))
                assert abs(hessian[n, i, j] - mpmath.diff(own_loss, point, twice)) < TOLERANCE
