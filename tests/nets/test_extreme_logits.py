"""Logits and pre-activations of ±10⁴: no nan, no inf, no warning, and the limits exactly (e^−10⁴ is below every float)."""

from math import log

import mpmath
import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast, namespace, precision

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
BIG = 1e4
E = np.eye(3)
# ŷ; y; and the limits, by hand: (r, k) for the loss r + k log 2, the gradient, H_l
BCE = [
    ([BIG, -BIG, BIG], [1, 0, 0], (10000, 0), [0, 0, 1], np.zeros((3, 3))),
    ([BIG, -BIG, -BIG], [0.5, 0.25, 1], (17500, 0), [0.5, -0.25, -1], np.zeros((3, 3))),
    ([0, BIG, -BIG], [0.5, 1, 0], (0, 1), [0, 0, 0], np.diag([0.25, 0, 0])),
]
SOFTMAX = [
    ([BIG, -BIG, 0], E[0], (0, 0), [0, 0, 0], np.zeros((3, 3))),
    ([BIG, -BIG, 0], E[1], (20000, 0), [1, -1, 0], np.zeros((3, 3))),
    ([BIG, -BIG, 0], [0.25, 0.25, 0.5], (10000, 0), [0.75, -0.25, -0.5], np.zeros((3, 3))),
    ([-BIG, -BIG, BIG], E[0], (20000, 0), [-1, 0, 1], np.zeros((3, 3))),
    ([BIG, BIG, -BIG], E[2], (20000, 1), [0.5, 0.5, -1], [[0.25, -0.25, 0], [-0.25, 0.25, 0], [0, 0, 0]]),
]
CASES = [("bce", *case) for case in BCE] + [("softmax_ce", *case) for case in SOFTMAX]
every_case = pytest.mark.parametrize(("loss", "output", "y", "value", "gradient", "hessian"), CASES, ids=range(len(CASES)))


def network(loss, output, y, dtype):
    """One linear layer that multiplies (1, −1) and makes the logits: w_j − 0 · … + b_j, half of each from W and b."""
    half = np.array(output, dtype=dtype) / 2
    params = (nets.Layer(np.stack([half / 2, -half / 2], axis=1), half),)
    x = np.array([[1, -1]], dtype=dtype)
    return nets.mlp((2, 3), ("linear",), loss), params, x, np.array([y], dtype=dtype)


@every_dtype
@every_case
def test_the_limits_are_reached(loss, output, y, value, gradient, hessian, dtype):
    model, params, x, targets = network(loss, output, y, dtype)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, targets)
    assert tape.output.tolist() == [output]
    limit = value[0] + value[1] * log(2)
    assert abs(float(back.loss) - limit) <= np.finfo(dtype).eps * limit
    assert back.g[0].tolist() == [[gradient]]
    assert back.grad[0].b.tolist() == gradient
    assert back.grad[0].W.tolist() == [[slope, -slope] for slope in gradient]
    assert nets.output_hessian(model, tape.output).tolist() == [np.array(hessian, dtype=float).tolist()]


@every_case
def test_the_limits_are_those_of_sixty_digits(loss, output, y, value, gradient, hessian):
    """They differ by e^−10⁴, which is below 10^−4000."""
    with precision(20000):
        logits, targets = cast(np.array([output], dtype=float), "mpf"), cast(np.array([y], dtype=float), "mpf")
        record = nets.LOSSES[loss]
        differences = [record.value(logits, targets)[0] - value[0] - value[1] * mpmath.log(2),
                       *(record.gradient(logits, targets)[0] - np.array(gradient)),
                       *(record.hessian(logits)[0] - np.array(hessian)).ravel()]
        assert max(map(abs, differences)) < mpmath.mpf(10) ** -4000


@every_dtype
def test_losses_between_the_extremes_are_those_of_sixty_digits(dtype):
    """Absolute errors, with functions good to 8u and s the largest logit and 1: each of the three terms of a loss adds numbers
    up to s some four times, and 16 units of log 2; softmax has relative errors of 2s + 22 units, at most 2 of them a factor.
    """
    unit = float(np.finfo(dtype).eps) / 2
    rng = np.random.default_rng(13)
    output = np.concatenate([rng.uniform(-s, s, (20, 3)) for s in (1, 30, 800, 1e4)]).astype(dtype)
    labels = rng.integers(0, 2, output.shape).astype(dtype)
    rows = np.eye(3, dtype=dtype)[rng.integers(0, 3, len(output))]
    with precision(200):
        for loss, y in [("bce", labels), ("softmax_ce", rows)]:
            record = nets.LOSSES[loss]
            exact_output, exact_y = cast((output, y), "mpf")
            size = abs(output).max(axis=1).astype(float) + 1
            for value, exact, scale in [
                    (record.value(output, y), record.value(exact_output, exact_y), 12 * size + 60),
                    (record.gradient(output, y), record.gradient(exact_output, exact_y), (2 * size + 40)[:, None]),
                    (record.hessian(output), record.hessian(exact_output), (4 * size + 100)[:, None, None])]:
                assert value.dtype == output.dtype
                assert np.isfinite(value).all()
                assert (abs(cast(value, "mpf") - exact) <= unit * scale).all()


@every_dtype
@pytest.mark.parametrize(("name", "at_minus", "at_plus"), [
    ("linear", (-BIG, 1, 0), (BIG, 1, 0)), ("relu", (0, 0, 0), (BIG, 1, 0)), ("logistic", (0, 0, 0), (1, 0, 0)),
    ("tanh", (-1, 0, 0), (1, 0, 0)), ("elu", (-1, 0, 0), (BIG, 1, 0))])
def test_activations_reach_their_limits(name, at_minus, at_plus, dtype):
    h = np.array([-BIG, BIG], dtype=dtype)
    for function, minus, plus in zip(nets.ACTIVATIONS[name], at_minus, at_plus, strict=True):
        assert function(h).tolist() == [minus, plus]
        assert function(h).dtype == h.dtype


@every_dtype
def test_the_slope_of_the_logistic_function_keeps_its_relative_accuracy(dtype):
    """σ(h) and σ(−h) are within 18u each (8u twice for e^−|h|, + and ÷), their product within 37u; 1 − σ(h) would be 0 or 1."""
    unit, tiny = float(np.finfo(dtype).eps) / 2, float(np.finfo(dtype).tiny)
    h = np.linspace(-120, 120, 241).astype(dtype)
    H = nets.output_hessian(nets.mlp((1, 1), ("linear",), "bce"), h[:, None])[:, 0, 0]
    with precision(200):
        for t, slope, curvature in zip(h.tolist(), nets.ACTIVATIONS["logistic"].d_phi(h), H, strict=True):
            exact = 1 / (2 + mpmath.exp(t) + mpmath.exp(-t))
            for value in (slope, curvature):
                assert abs(mpmath.mpf(float(value)) - exact) <= 37.01 * unit * exact + tiny


@every_dtype
@pytest.mark.parametrize("loss", ["bce", "softmax_ce"])
def test_predictive_distributions_have_probabilities(loss, dtype):
    output = np.array([[BIG, -BIG, 0], [-BIG, -BIG, -BIG], [BIG, BIG, BIG]], dtype=dtype)
    p = nets.predictive(nets.mlp((1, 3), ("linear",), loss), output).p
    third = float(namespace(output).const(1) / 3)
    assert p.tolist() == {"bce": [[1, 0, 0.5], [0, 0, 0], [1, 1, 1]],
                          "softmax_ce": [[1, 0, 0], [third] * 3, [third] * 3]}[loss]
