"""What descent methods share: R Sections 2.8.2 (penalty), 3.7.1 (rates that fall in steps), 3.7.2 (weight decay).

Three routes: the learning rate by counting steps, the update in loops, the gradient by central differences, which are exact
over ℚ since the squared error of a piecewise linear network is quadratic in every single parameter; floats inside bounds.
"""

from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference.parts import descent
from stepgauge.reference.parts.descent import StepDecay

EXACT = settings(derandomize=True, deadline=None, database=None, max_examples=60,
                 suppress_health_check=[HealthCheck.too_slow])
ONE = np.array([F(1)], dtype=object)
positive = st.fractions(F(1, 100), 10, max_denominator=100)


# ------------------------------------------------------------------------------------------------------- learning rates


@EXACT
@given(positive, positive, st.integers(1, 5), st.integers(1, 23))
def test_step_decay_by_counting(alpha, factor, period, k):
    rate, left = alpha, period
    for _ in range(k - 1):
        left -= 1
        if left == 0:
            rate, left = rate * factor, period
    got = descent.learning_rate(StepDecay(alpha, factor, period), k, ONE)
    assert got == rate
    assert type(got) is F


def test_step_decay_at_its_boundaries():
    """The last step of a period still has the old rate, the first of the next has the new one."""
    decay = StepDecay(F(1, 2), F(1, 10), 3)
    rates = [descent.learning_rate(decay, k, ONE) for k in range(1, 8)]
    assert rates == [F(1, 2)] * 3 + [F(1, 20)] * 3 + [F(1, 200)]
    every_step = [descent.learning_rate(StepDecay(F(1), F(1, 2), 1), k, ONE) for k in range(1, 5)]
    assert every_step == [1, F(1, 2), F(1, 4), F(1, 8)]


def test_a_number_is_the_same_rate_at_every_step():
    for k in (1, 2, 10**6):
        assert descent.learning_rate(F(1, 3), k, ONE) == F(1, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rates_in_floats(dtype, float_program):
    program = float_program(dtype)
    like = np.ones(1, dtype)
    got = np.asarray(descent.learning_rate(F(1, 3), 5, like))
    assert got.dtype == dtype
    assert got == dtype(1) / dtype(3)                                           # rounded once
    for k in (1, 4, 5, 12, 13):
        expected = program.const(F(1, 3)) * program.power(program.const(F(1, 10)), (k - 1) // 4)
        assert program.agrees(np.asarray(descent.learning_rate(StepDecay(F(1, 3), F(1, 10), 4), k, like)), expected)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("bad", [0, -1, F(-1, 10**12), NAN, INF, -INF, np.float32(0)])
def test_rates_that_are_not_positive(bad):
    with pytest.raises(ValueError, match=rf"^alpha: expected a positive number because a step goes down, got {bad}$"):
        descent.learning_rate(bad, 1, ONE)
    with pytest.raises(ValueError, match=rf"^alpha: expected a positive number because a step goes down, got {bad}$"):
        descent.learning_rate(StepDecay(bad, F(1, 10), 3), 1, ONE)
    with pytest.raises(ValueError, match=rf"^factor: expected a positive number because it scales a rate, got {bad}$"):
        descent.learning_rate(StepDecay(F(1, 2), bad, 3), 1, ONE)


@pytest.mark.parametrize("bad", [0, -3, 2.0, 1.5, F(3), None, "3"])
def test_periods_that_count_nothing(bad):
    with pytest.raises(ValueError, match=rf"^period: expected a positive integer because it counts steps, got {bad}$"):
        descent.learning_rate(StepDecay(F(1, 2), F(1, 10), bad), 1, ONE)


# ------------------------------------------------------------------------------------------------------------- gradient

MODEL = nets.mlp((3, 4, 2), ("relu", "linear"), "mse")


def rationals(shape, seed):
    rng = np.random.default_rng(seed)
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(*array.shape):
        array[index] = F(int(rng.integers(-9, 10)), int(rng.integers(1, 8)))
    return array


def network(seed):
    """Parameters and a batch of five examples."""
    params = (nets.Layer(rationals((4, 3), seed), rationals((4,), seed + 1)),
              nets.Layer(rationals((2, 4), seed + 2), rationals((2,), seed + 3)))
    return params, nets.Batch(rationals((5, 3), seed + 4), rationals((5, 2), seed + 5))


def penalized_loss(theta, batch, eta):
    """(1/N) Σ_n ½ ‖ŷ(n) − y(n)‖² + η/2 ‖θ‖², in loops."""
    W1, b1, W2, b2 = theta
    total = F(0)
    for x, y in zip(batch.x.tolist(), batch.y.tolist(), strict=True):
        hidden = []
        for i in range(4):
            h = b1[i] + sum(W1[i][j] * x[j] for j in range(3))
            hidden.append(h if h > 0 else F(0))
        for i in range(2):
            total += (b2[i] + sum(W2[i][j] * hidden[j] for j in range(4)) - y[i]) ** 2 / 2
    squares = sum(w**2 for W in (W1, W2) for row in W for w in row) + sum(w**2 for b in (b1, b2) for w in b)
    return total / len(batch.x) + eta / 2 * squares


@pytest.mark.parametrize("seed", [0, 100])
@pytest.mark.parametrize("eta", [F(0), F(1, 7)])
def test_gradient_by_central_differences(seed, eta):
    params, batch = network(seed)
    theta = nets.tensors(params)
    small = F(1, 10**9)                                                         # no hidden unit switches within this distance
    got = descent.gradient(MODEL, params, batch, eta, None)
    assert len(got) == 4
    for i, tensor in enumerate(theta):
        assert got[i].shape == tensor.shape
        for index in np.ndindex(*tensor.shape):
            sides = []
            for sign in (1, -1):
                moved = [t.copy() for t in theta]
                moved[i][index] += sign * small
                sides.append(penalized_loss([t.tolist() for t in moved], batch, eta))
            assert got[i][index] == (sides[0] - sides[1]) / (2 * small)


def test_penalty_is_eta_theta_and_covers_biases():
    params, batch = network(200)
    plain, penalized = (descent.gradient(MODEL, params, batch, eta, None) for eta in (0, F(3, 11)))
    for g, g_eta, theta in zip(plain, penalized, nets.tensors(params), strict=True):
        assert (g_eta - g == F(3, 11) * theta).all()


@pytest.mark.parametrize("kind", ["fraction", "float32", "float64"])
def test_a_tape_saves_the_forward_pass_and_changes_no_bit(kind, monkeypatch, untouched):
    params, batch = (cast(v, kind) for v in network(300))
    tape = nets.forward(MODEL, params, batch.x)
    without = untouched(descent.gradient, MODEL, params, batch, F(1, 7), None)
    monkeypatch.setattr(nets, "forward", None)
    given_tape = untouched(descent.gradient, MODEL, params, batch, F(1, 7), tape)
    assert [g.tolist() for g in given_tape] == [g.tolist() for g in without]
    assert {g.dtype for g in given_tape} == {batch.x.dtype}


@pytest.mark.parametrize("eta", [-1, F(-1, 10**12), NAN, INF, -INF])
def test_penalties_below_zero(eta):
    params, batch = network(400)
    with pytest.raises(ValueError, match=rf"^eta: expected a number >= 0 because it weighs a penalty, got {eta}$"):
        descent.gradient(MODEL, params, batch, eta, None)


@pytest.mark.parametrize(("dtype", "large"), [(np.float32, 2.0**70), (np.float64, 2.0**600)])
def test_gradients_that_overflow(dtype, large):
    """The residual is finite, its product with the input is not."""
    model = nets.mlp((1, 1), ("linear",), "mse")
    params = (nets.Layer(np.zeros((1, 1), dtype), np.zeros(1, dtype)),)
    batch = nets.Batch(np.full((1, 1), large, dtype), np.full((1, 1), large, dtype))
    match = r"^g\[0\]: expected finite numbers because the step would spread nan, got nan or inf$"
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=match):
        descent.gradient(model, params, batch, 0, None)


# --------------------------------------------------------------------------------------------------------------- update


@EXACT
@given(positive, st.fractions(0, 5, max_denominator=50), st.integers(0, 2**32 - 1))
def test_descend_in_loops(alpha, gamma, seed):
    theta, p = rationals((2, 3), seed), rationals((2, 3), seed + 1)
    got = descent.descend(theta, p, alpha, gamma)
    for i in range(2):
        for j in range(3):
            assert got[i, j] == theta[i, j] - alpha * p[i, j] - alpha * gamma * theta[i, j]
            assert type(got[i, j]) is F


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_descend_in_floats(dtype, float_program, untouched):
    program = float_program(dtype)
    rng = np.random.default_rng(500)
    theta, p = (rng.standard_normal((4, 5)).astype(dtype) for _ in range(2))
    alpha, gamma = dtype(0.3), program.const(F(1, 7))
    step = program.read(alpha)
    expected = [[t - step * (d + gamma * t) for t, d in zip(*rows, strict=True)]
                for rows in zip(program.read(theta), program.read(p), strict=True)]
    assert program.agrees(untouched(descent.descend, theta, p, alpha, F(1, 7)), expected)


def test_descend_returns_an_array_of_its_own():
    theta, p = np.ones(3), np.zeros(3)
    got = descent.descend(theta, p, 0.5, 0)
    assert got.tolist() == [1, 1, 1]
    assert not np.shares_memory(got, theta)


@pytest.mark.parametrize("gamma", [-1, F(-1, 10**12), NAN, INF, -INF])
def test_weight_decay_below_zero(gamma):
    with pytest.raises(ValueError, match=rf"^gamma: expected a number >= 0 because it shrinks the parameters, got {gamma}$"):
        descent.descend(np.ones(3), np.ones(3), 0.5, gamma)
