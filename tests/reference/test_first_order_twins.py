"""SGD with momentum, Adam and RMSprop against slow twins of the texts, on small linear and ReLU networks.

The twins are loops over nested lists: Kingma and Ba, Algorithm 1; R Sections 2.5.2 and 3.7.2; R Section 2.8.2. They run on
three number systems: Fractions (compared with ==), mpmath at 400 bits (to 50 digits), and floats with a running error bound
(every step judged from the state that the code itself reached).
"""

from fractions import Fraction as F
from math import isqrt

import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stepgauge import nets
from stepgauge.arrays import NotRational, cast, precision
from stepgauge.reference import METHODS
from stepgauge.reference.first_order import adam, rmsprop, sgd_m
from stepgauge.reference.parts.descent import StepDecay

# -------------------------------------------------------------------------------------------------------- number systems


class Exact:
    """Fractions."""

    const = exactly = F

    def dot(self, xs, ys):
        total = F(0)
        for x, y in zip(xs, ys, strict=True):
            total += x * y
        return total

    def power(self, x, n):
        return x**n

    def sqrt(self, x):
        root = F(isqrt(x.numerator), isqrt(x.denominator))
        assert root * root == x, "no square of a rational"
        return root


class Precise(Exact):
    """mpmath numbers at 400 bits, whatever the precision of the code under test."""

    context = mpmath.MPContext()
    context.prec = 400

    def const(self, value):
        return self.context.mpf(F(value).numerator) / F(value).denominator

    exactly = const

    def sqrt(self, x):
        return self.context.sqrt(x)


# ------------------------------------------------------------------------------------------------------------- the twins


def each(function, *tensors):
    """The function applied entry by entry to nested lists of one shape."""
    if isinstance(tensors[0], list):
        return [each(function, *rows) for rows in zip(*tensors, strict=True)]
    return function(*tensors)


def text_gradient(numbers, activations, theta, x, y, eta):
    """∂/∂θ of (1/N) Σ_n ½ ‖ŷ(n) − y(n)‖² + η/2 ‖θ‖², for θ = [W_1, b_1, …]."""
    one, N, L = numbers.exactly(1), len(x), len(activations)
    W, b = theta[0::2], theta[1::2]
    a, h = [x], []
    for l in range(L):
        h.append([[numbers.dot([*W[l][i], b[l][i]], [*a[l][n], one]) for i in range(len(b[l]))] for n in range(N)])
        a.append(each(lambda v: v if v > 0 else v * 0, h[l]) if activations[l] == "relu" else h[l])
    Da = each(lambda out, target: out - target, a[L], y)
    gradient = []
    for l in reversed(range(L)):
        g = each(lambda d, v: d if v > 0 else v * 0, Da, h[l]) if activations[l] == "relu" else Da
        units, inputs = range(len(b[l])), range(len(W[l][0]))
        DW = [[numbers.dot([g[n][i] for n in range(N)], [a[l][n][j] for n in range(N)]) / N for j in inputs] for i in units]
        Db = [numbers.dot([g[n][i] for n in range(N)], [one] * N) / N for i in units]
        gradient = [DW, Db, *gradient]
        Da = [[numbers.dot([W[l][i][j] for i in units], g[n]) for j in inputs] for n in range(N)]
    eta = numbers.const(eta)
    return each(lambda d, t: d + eta * t, gradient, theta)


def text_sgd_m(numbers, hyper, t, state, g):
    """R 2.5.2, item 1: ∇̂ = β ∇̂ + (1 − β) ∇; R 3.7.2 (Algorithm 12, line 7): ∇̂ = β ∇̂ + ∇."""
    beta = numbers.const(hyper.beta)
    if hyper.momentum == "ema":
        g_h = each(lambda old, new: beta * old + (1 - beta) * new, state["g_h"], g)
    else:
        g_h = each(lambda old, new: beta * old + new, state["g_h"], g)
    return {"g_h": g_h}, g_h


def text_adam(numbers, hyper, t, state, g):
    """Kingma and Ba, Algorithm 1."""
    beta1, beta2, eps = numbers.const(hyper.beta1), numbers.const(hyper.beta2), numbers.const(hyper.eps)
    m = each(lambda old, new: beta1 * old + (1 - beta1) * new, state["m"], g)
    v = each(lambda old, new: beta2 * old + (1 - beta2) * (new * new), state["v"], g)
    correction1, correction2 = 1 - numbers.power(beta1, t), 1 - numbers.power(beta2, t)
    m_h, v_h = each(lambda value: value / correction1, m), each(lambda value: value / correction2, v)
    p = each(lambda first, second: first / (numbers.sqrt(second) + eps), m_h, v_h)
    return {"m": m, "v": v, "m_h": m_h, "v_h": v_h, "p": p}, p


def text_rmsprop(numbers, hyper, t, state, g):
    """R 2.8.2: Adam without bias correction."""
    beta1, beta2, eps = numbers.const(hyper.beta1), numbers.const(hyper.beta2), numbers.const(hyper.eps)
    m = each(lambda old, new: beta1 * old + (1 - beta1) * new, state["m"], g)
    v = each(lambda old, new: beta2 * old + (1 - beta2) * (new * new), state["v"], g)
    p = each(lambda first, second: first / (numbers.sqrt(second) + eps), m, v)
    return {"m": m, "v": v, "p": p}, p


TWINS = {"sgd_m": text_sgd_m, "adam": text_adam, "rmsprop": text_rmsprop}


def text_rate(numbers, alpha, t):
    if isinstance(alpha, StepDecay):
        return numbers.const(alpha.alpha) * numbers.power(numbers.const(alpha.factor), (t - 1) // alpha.period)
    return numbers.const(alpha)


def text_step(numbers, method, activations, hyper, t, theta, state, x, y):
    """All quantities of step t, by name; `theta` is the new one (R 3.7.2: W − α (p + γ W))."""
    g = text_gradient(numbers, activations, theta, x, y, hyper.eta)
    found, p = TWINS[method](numbers, hyper, t, state, g)
    alpha, gamma = text_rate(numbers, hyper.alpha, t), numbers.const(hyper.gamma)
    return {"g": g, **found, "theta": each(lambda w, d: w - alpha * (d + gamma * w), theta, p)}


def text_warm_start(numbers, activations, theta, batches, eta):
    """v = the mean of ḡ ⊙ ḡ over batches, weighted by their sizes (DEV-RMSPROP-2)."""
    total = sum(len(x) for x, _ in batches)
    v = each(lambda w: w * 0, theta)
    for x, y in batches:
        N, g = len(x), text_gradient(numbers, activations, theta, x, y, eta)
        v = each(lambda old, d, N=N: old + d * d * N / total, v, g)
    return v


# ---------------------------------------------------------------------------------------------------- networks and data

NETS = {
    "relu": (nets.mlp((3, 4, 2), ("relu", "linear"), "mse"), ["relu", "linear"]),
    "linear": (nets.mlp((2, 3), ("linear",), "mse"), ["linear"]),
    "narrow": (nets.mlp((2, 1, 3, 1), ("relu", "linear", "linear"), "mse"), ["relu", "linear", "linear"]),
}


def rationals(rng, shape):
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(*array.shape):
        array[index] = F(int(rng.integers(-6, 7)), int(rng.integers(1, 5)))
    return array


def problem(net, seed, sizes=(5, 3, 1)):
    """Rational parameters and batches of the given sizes."""
    model, _ = NETS[net]
    rng = np.random.default_rng(seed)
    params = tuple(nets.Layer(rationals(rng, shape), rationals(rng, shape[:1])) for shape in nets.layer_shapes(model))
    d_in, d_out = model.input_shape[0], nets.layer_shapes(model)[-1][0]
    return params, [nets.Batch(rationals(rng, (N, d_in)), rationals(rng, (N, d_out))) for N in sizes]


def lists(tensors):
    return [tensor.tolist() for tensor in tensors]


def flat(tree):
    return [value for branch in tree for value in flat(branch)] if isinstance(tree, list) else [tree]


def state_of(state):
    """A state's tensors by name."""
    return {name: lists(value) for name, value in state._asdict().items() if name != "k"}


DECAY = StepDecay(F(1, 3), F(1, 10), 2)
SGD = {
    "defaults": sgd_m.Hyper(),
    "ema, all terms": sgd_m.Hyper(F(1, 7), F(2, 3), "ema", F(1, 11), F(1, 13)),
    "heavy ball, all terms": sgd_m.Hyper(F(1, 7), F(2, 3), "heavy_ball", F(1, 11), F(1, 13)),
    "no momentum": sgd_m.Hyper(F(1, 7), 0, "heavy_ball"),
    "schedule": sgd_m.Hyper(DECAY, F(1, 2), "ema", F(1, 11), F(1, 13)),
}
ADAM = {
    "defaults": adam.Hyper(),
    "all terms": adam.Hyper(F(1, 7), F(2, 3), F(4, 5), F(1, 1000), F(1, 11), F(1, 13)),
    "schedule": adam.Hyper(DECAY, F(9, 10), F(9, 10), F(1, 10)),
    "no averages": adam.Hyper(F(1, 7), 0, 0, F(1, 9)),
}
RMSPROP = {
    "defaults": rmsprop.Hyper(),
    "all terms": rmsprop.Hyper(F(1, 7), F(2, 3), F(4, 5), F(1, 1000), F(1, 11), F(1, 13)),
    "schedule": rmsprop.Hyper(DECAY, F(9, 10), F(99, 100), F(1, 10)),
    "as Hinton": rmsprop.Hyper(F(1, 7), 0, F(9, 10), F(1, 9)),
}
RUNS = [(method, name) for method, hypers in (("sgd_m", SGD), ("adam", ADAM), ("rmsprop", RMSPROP)) for name in hypers]
HYPERS = {"sgd_m": SGD, "adam": ADAM, "rmsprop": RMSPROP}


# ------------------------------------------------------------------------------------------------- exactly, over three steps


def run_exactly(method, net, hyper, seed, kind="fraction"):
    """Code and twin side by side, all trace fields, states and parameters compared with ==; returns the last trace."""
    code, (model, activations) = METHODS[method], NETS[net]
    params, batches = problem(net, seed)
    start, data = cast(params, kind), cast(batches, kind)
    state = code.init(model, start, data, hyper)
    twin_theta = lists(nets.tensors(params))
    twin_state = {name: each(lambda w: w * 0, twin_theta) for name in code.State._fields if name != "k"}
    if method == "rmsprop":
        examples = [(lists(batch.x), lists(batch.y)) for batch in batches]
        twin_state["v"] = text_warm_start(Exact(), activations, twin_theta, examples, hyper.eta)
    assert state_of(cast(state, "fraction")) == twin_state
    for t, (batch, exact_batch) in enumerate(zip(data, batches, strict=True), start=1):
        start, state, trace = code.step(model, start, state, batch, hyper)
        expected = text_step(Exact(), method, activations, hyper, t, twin_theta, twin_state,
                             lists(exact_batch.x), lists(exact_batch.y))
        for name in code.Trace._fields:
            assert lists(cast(getattr(trace, name), "fraction")) == expected[name], f"{name} at step {t}"
        assert set(expected) == set(code.Trace._fields)
        twin_theta, twin_state = expected["theta"], {name: expected[name] for name in twin_state}
        assert lists(nets.tensors(cast(start, "fraction"))) == twin_theta
        assert state_of(cast(state, "fraction")) == twin_state
        assert state.k == t
        if kind == "fraction":
            assert {type(value) for value in flat(lists(nets.tensors(start)) + list(state_of(state).values()))} == {F}
    return trace


@pytest.mark.parametrize("kind", ["fraction", "fmpq"])
@pytest.mark.parametrize("name", SGD)
@pytest.mark.parametrize("net", NETS)
def test_sgd_m_over_the_rationals(net, name, kind):
    run_exactly("sgd_m", net, SGD[name], 3, kind)


unit = st.fractions(0, F(29, 30), max_denominator=30)
positive = st.fractions(F(1, 30), 2, max_denominator=30)


@settings(derandomize=True, deadline=None, database=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_sgd_m_over_the_rationals_with_any_numbers(data):
    alpha = data.draw(positive | st.builds(StepDecay, positive, positive, st.integers(1, 3)))
    hyper = sgd_m.Hyper(alpha, data.draw(unit), data.draw(st.sampled_from(["ema", "heavy_ball"])), data.draw(unit),
                        data.draw(unit))
    run_exactly("sgd_m", "narrow", hyper, data.draw(st.integers(0, 1000)))


@pytest.mark.parametrize("beta1", [0, F(2, 3)])
@pytest.mark.parametrize("method", ["adam", "rmsprop"])
@pytest.mark.parametrize("net", NETS)
def test_adam_and_rmsprop_over_the_rationals_where_v_is_a_square(net, method, beta1):
    """β₂ = 0 makes v = g ⊙ g, so that its root is rational at every step."""
    code = METHODS[method]
    if method == "rmsprop" and beta1 == 0:
        hyper = code.Hyper(DECAY, 0, 0, F(1, 9), F(1, 11), F(1, 13))
    else:
        hyper = code.Hyper(F(1, 7), beta1, 0, F(1, 9), F(1, 11), F(1, 13))
    trace = run_exactly(method, net, hyper, 2)
    for g, p, m in zip(trace.g, trace.p, getattr(trace, "m_h", trace.m), strict=True):
        assert (p * (abs(g) + F(1, 9)) == m).all()


@pytest.mark.parametrize("method", ["adam", "rmsprop"])
def test_one_step_over_the_rationals_from_a_prepared_state(method, untouched):
    """Before step 4 the state is chosen so that the new v̂ (RMSprop: v) is the square of a rational in every entry."""
    code, (model, activations) = METHODS[method], NETS["relu"]
    params, (batch, *_) = problem("relu", 3)
    hyper = HYPERS[method]["all terms"]._replace(alpha=DECAY)
    theta = lists(nets.tensors(params))
    x, y = lists(batch.x), lists(batch.y)
    g = text_gradient(Exact(), activations, theta, x, y, hyper.eta)
    correction = 1 - hyper.beta2**4 if method == "adam" else F(1)
    rng = np.random.default_rng(4)
    roots = each(lambda d: abs(d) + F(int(rng.integers(1, 9)), 7), g)
    v = each(lambda r, d: (correction * r * r - (1 - hyper.beta2) * d * d) / hyper.beta2, roots, g)
    m = each(lambda d: F(int(rng.integers(-9, 9)), 7), g)
    arrays = [cast([np.array(tensor, dtype=object) for tensor in moment], "fraction") for moment in (m, v)]
    new, state, trace = untouched(code.step, model, params, code.State(3, *map(tuple, arrays)), batch, hyper)
    expected = text_step(Exact(), method, activations, hyper, 4, theta, {"m": m, "v": v}, x, y)
    for name in code.Trace._fields:
        assert lists(getattr(trace, name)) == expected[name], name
    assert lists(nets.tensors(new)) == expected["theta"]
    assert (state.k, lists(state.m), lists(state.v)) == (4, expected["m"], expected["v"])
    assert each(lambda r, d, p: p * (r + hyper.eps) == d, roots, expected.get("m_h", expected["m"]), lists(trace.p)) == each(
        lambda r: True, roots)


@pytest.mark.parametrize("method", ["adam", "rmsprop"])
def test_roots_that_leave_the_rationals_are_refused(method):
    code, (model, _) = METHODS[method], NETS["relu"]
    params, batches = problem("relu", 5)
    hyper = HYPERS[method]["all terms"]
    state = code.init(model, params, batches, hyper)
    state = state._replace(k=1, v=tuple(v + 1 for v in state.v))
    with pytest.raises(NotRational, match=r"^sqrt: expected the square of a rational because the arithmetic is exact, got "):
        code.step(model, params, state, batches[0], hyper)


# ------------------------------------------------------------------------------------------------ mpmath, over five steps


@pytest.mark.parametrize(("method", "name"), RUNS)
@pytest.mark.parametrize("net", ["relu", "narrow"])
def test_fifty_digits_over_five_steps(net, method, name):
    """The code works with 240 bits, 72 digits; the twin with 400. 22 digits are left for five steps to lose."""
    code, (model, activations) = METHODS[method], NETS[net]
    hyper = HYPERS[method][name]
    params, batches = problem(net, 6, sizes=(5, 3, 1, 4, 2))
    numbers = Precise()
    twin_theta = each(numbers.const, lists(nets.tensors(params)))
    examples = [(each(numbers.const, lists(batch.x)), each(numbers.const, lists(batch.y))) for batch in batches]
    twin_state = {field: each(lambda w: w * 0, twin_theta) for field in code.State._fields if field != "k"}
    if method == "rmsprop":
        twin_state["v"] = text_warm_start(numbers, activations, twin_theta, examples, hyper.eta)
    with precision(240):
        params, batches = cast(params, "mpf"), cast(batches, "mpf")
        state = code.init(model, params, batches, hyper)
        for t, (batch, (x, y)) in enumerate(zip(batches, examples, strict=True), start=1):
            params, state, trace = code.step(model, params, state, batch, hyper)
            expected = text_step(numbers, method, activations, hyper, t, twin_theta, twin_state, x, y)
            for field in code.Trace._fields:
                for got, value in zip(flat(lists(getattr(trace, field))), flat(expected[field]), strict=True):
                    off = abs(numbers.context.mpf(got) - value)
                    assert off <= numbers.context.mpf(10) ** -50 * max(1, abs(value)), f"{field} at step {t}"
            twin_theta, twin_state = expected["theta"], {field: expected[field] for field in twin_state}
            assert lists(nets.tensors(params)) == lists(trace.theta)
            assert all(getattr(state, field) is getattr(trace, field) for field in twin_state)


# ---------------------------------------------------------------------------------------------- floats, each step by itself


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("method", "name"), RUNS)
def test_float_steps_stay_inside_their_error_bounds(method, name, dtype, float_program, untouched):
    program = float_program(dtype)
    code, (model, activations) = METHODS[method], NETS["relu"]
    hyper = HYPERS[method][name]
    rng = np.random.default_rng(7)
    params = tuple(nets.Layer(rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[0]).astype(dtype))
                   for shape in nets.layer_shapes(model))
    batches = [nets.Batch(rng.standard_normal((N, 3)).astype(dtype), rng.standard_normal((N, 2)).astype(dtype))
               for N in (6, 4, 5, 7)]
    state = untouched(code.init, model, params, batches, hyper)
    if method == "rmsprop":
        examples = [(program.read(batch.x), program.read(batch.y)) for batch in batches]
        warm = text_warm_start(program, activations, [program.read(tensor) for tensor in nets.tensors(params)], examples,
                               hyper.eta)
        assert all(program.agrees(got, value) for got, value in zip(state.v, warm, strict=True))
    for t, batch in enumerate(batches, start=1):
        theta = [program.read(tensor) for tensor in nets.tensors(params)]
        known = {field: [program.read(tensor) for tensor in tensors] for field, tensors in state._asdict().items()
                 if field != "k"}
        expected = text_step(program, method, activations, hyper, t, theta, known, program.read(batch.x),
                             program.read(batch.y))
        params, state, trace = untouched(code.step, model, params, state, batch, hyper)
        for field in code.Trace._fields:
            for got, value in zip(getattr(trace, field), expected[field], strict=True):
                assert program.agrees(got, value), f"{field} at step {t}"
        assert lists(nets.tensors(params)) == lists(trace.theta)
        found = [*nets.tensors(params), *(tensor for moment in state[1:] for tensor in moment)]
        assert {tensor.dtype for tensor in found} == {program.dtype}


# ----------------------------------------------------------------------------------------------- what follows from the texts


def trajectory(hyper, steps=3):
    """Parameters of sgd_m after every step, exactly."""
    model, _ = NETS["narrow"]
    params, batches = problem("narrow", 8, sizes=(4, 2, 3))
    state, found = sgd_m.init(model, params, None, hyper), []
    for batch in batches[:steps]:
        params, state, _ = sgd_m.step(model, params, state, batch, hyper)
        found.append(lists(nets.tensors(params)))
    return found


def test_the_two_momenta_differ_by_a_factor_on_the_rate():
    """ĝ of the moving average is (1 − β) times that of the heavy ball (DEV-SGD_M-1), here with every other term."""
    beta = F(3, 4)
    ema = sgd_m.Hyper(F(1, 5), beta, "ema", F(1, 11))
    assert trajectory(ema) == trajectory(ema._replace(momentum="heavy_ball", alpha=F(1, 5) * (1 - beta)))
    assert trajectory(ema) != trajectory(ema._replace(momentum="heavy_ball"))


def test_without_momentum_both_are_gradient_descent():
    ema = sgd_m.Hyper(F(1, 5), 0, "ema", F(1, 11), F(1, 13))
    assert trajectory(ema) == trajectory(ema._replace(momentum="heavy_ball"))


@pytest.mark.parametrize("method", ["sgd_m", "adam", "rmsprop"])
def test_the_rate_falls_after_the_last_step_of_a_period(method):
    """Steps 3 and 4 of a period of 3, from one state: the second moves a tenth as far."""
    code, (model, _) = METHODS[method], NETS["narrow"]
    params, (batch, *_) = problem("narrow", 9)
    hyper = code.Hyper(StepDecay(F(1, 5), F(1, 10), 3), *(0, "ema") if method == "sgd_m" else (0, 0, F(1, 9)))
    start = code.init(model, params, batch, hyper)
    moved = []
    for k in (2, 3, 5, 6):
        new, state, _ = code.step(model, params, start._replace(k=k), batch, hyper)
        assert state.k == k + 1
        moved.append([old - tensor for old, tensor in zip(nets.tensors(params), nets.tensors(new), strict=True)])
    assert any((tensor != 0).any() for tensor in moved[0])
    for last, first, last_2, first_2 in zip(*moved, strict=True):
        assert (first == last / 10).all()
        assert (last_2 == first).all()
        assert (first_2 == last / 100).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["sgd_m", "adam", "rmsprop"])
def test_a_dead_unit_does_not_move(method, dtype):
    """A ReLU that is off for every example has gradient 0 and keeps its bits, while the others move; nothing is 0/0."""
    code, (model, _) = METHODS[method], NETS["relu"]
    rng = np.random.default_rng(10)
    W, b = rng.standard_normal((4, 3)), rng.standard_normal(4)
    b[1] = -100
    params = (nets.Layer(W.astype(dtype), b.astype(dtype)),
              nets.Layer(rng.standard_normal((2, 4)).astype(dtype), rng.standard_normal(2).astype(dtype)))
    batch = nets.Batch(rng.standard_normal((5, 3)).astype(dtype), rng.standard_normal((5, 2)).astype(dtype))
    state, new = code.init(model, params, batch, code.Hyper()), params
    for _ in range(3):
        new, state, trace = code.step(model, new, state, batch, code.Hyper())
    assert new[0].W[1].tolist() == params[0].W[1].tolist()
    assert new[0].b[1] == params[0].b[1]
    assert new[1].W[:, 1].tolist() == params[1].W[:, 1].tolist()
    assert trace.g[0][1].tolist() == [0, 0, 0]
    assert (new[1].b != params[1].b).all()


@pytest.mark.parametrize("kind", ["fraction", "float64"])
@pytest.mark.parametrize("method", ["sgd_m", "adam", "rmsprop"])
def test_at_a_perfect_fit_nothing_moves_but_momentum(method, kind):
    code, (model, _) = METHODS[method], NETS["relu"]
    params, (batch, *_) = problem("relu", 11)
    params, batch = cast(params, kind), cast(batch, kind)
    batch = batch._replace(y=nets.forward(model, params, batch.x).output)
    state = code.init(model, params, batch, code.Hyper())
    new, after, trace = code.step(model, params, state, batch, code.Hyper())
    assert lists(nets.tensors(new)) == lists(nets.tensors(params))
    assert all((g == 0).all() for field in (trace.g, *after[1:]) for g in field)
    if method == "sgd_m":
        going = state._replace(g_h=nets.tensors(params))
        new, after, _ = code.step(model, params, going, batch, code.Hyper(alpha=F(1, 2), beta=F(1, 4)))
        assert lists(after.g_h) == [(old / 4).tolist() for old in nets.tensors(params)]
        assert lists(nets.tensors(new)) == [(7 * old / 8).tolist() for old in nets.tensors(params)]


# ------------------------------------------------------------------------------------------------------------ warm starts


def test_rmsprop_starts_from_the_mean_square_of_batch_gradients():
    model, activations = NETS["relu"]
    params, batches = problem("relu", 12, sizes=(5, 3, 1))
    hyper = rmsprop.Hyper(eta=F(1, 11))
    theta = lists(nets.tensors(params))
    examples = [(lists(batch.x), lists(batch.y)) for batch in batches]
    expected = text_warm_start(Exact(), activations, theta, examples, hyper.eta)
    for data in (batches, tuple(batches), iter(batches), (batch for batch in batches)):
        state = rmsprop.init(model, params, data, hyper)
        assert state.k == 0
        assert lists(state.v) == expected
        assert lists(state.m) == each(lambda w: F(0), theta)
    sizes = [5, 3, 1]
    squares = [[g**2 for g in np.array(text_gradient(Exact(), activations, theta, *example, hyper.eta)[0], dtype=object)]
               for example in examples]
    assert (rmsprop.init(model, params, batches, hyper).v[0] ==
            sum(size * np.array(square) for size, square in zip(sizes, squares, strict=True)) / F(9)).all()


def test_one_batch_is_a_list_of_one_and_not_the_sum_of_its_parts():
    model, _ = NETS["relu"]
    params, batches = problem("relu", 13, sizes=(4, 4))
    whole = nets.Batch(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in ("x", "y")))
    hyper = rmsprop.Hyper()
    one = lists(rmsprop.init(model, params, whole, hyper).v)
    assert one == lists(rmsprop.init(model, params, [whole], hyper).v)
    assert one == lists(rmsprop.init(model, params, [whole, whole], hyper).v)
    assert one != lists(rmsprop.init(model, params, batches, hyper).v)


@pytest.mark.parametrize("method", ["sgd_m", "adam"])
@pytest.mark.parametrize("kind", ["fraction", "float32", "float64"])
def test_sgd_and_adam_start_from_zero_and_leave_the_data_alone(method, kind):
    code, (model, _) = METHODS[method], NETS["relu"]
    params = cast(problem("relu", 14)[0], kind)
    for data in (None, (1 / 0 for _ in [0])):
        state = code.init(model, params, data, code.Hyper())
        assert state.k == 0
        for moment in state[1:]:
            for zero, theta in zip(moment, nets.tensors(params), strict=True):
                assert (zero == 0).all()
                assert (zero.shape, zero.dtype) == (theta.shape, theta.dtype)
                assert {type(value) for value in flat(zero.tolist())} == {type(value) for value in flat(theta.tolist())}
