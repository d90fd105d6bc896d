"""Grouped Newton, Newton's method and Cauchy's steepest descent against the slow twins: == over ℚ, 40 digits where roots occur."""

from fractions import Fraction as F
from functools import cache
from itertools import product

import grouped_twins
import mpmath
import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast, precision
from stepgauge.nets import taylor
from stepgauge.reference import METHODS


def flat(params):
    return [v for t in nets.tensors(params) for v in np.ravel(t)]


def shaped(values, like):
    tensors, at = [], 0
    for t in nets.tensors(like):
        tensors.append(np.array(values[at:at + t.size], dtype=object).reshape(t.shape))
        at += t.size
    return nets.layers(tensors, like)


PHI = {"linear": lambda h: h, "relu": lambda h: h if h > 0 else 0 * h, "tanh": mpmath.tanh}


def loss_of(widths, activations, theta, batch):
    """The mean of half the squares, or of log Σ exp o − o_y for labels: loops over examples, layers, outputs, inputs."""
    total = 0
    for x, y in zip(batch.x, batch.y, strict=True):
        a, at = list(x), 0
        for n, m, name in zip(widths, widths[1:], activations, strict=False):
            W = [theta[at + i * n:at + (i + 1) * n] for i in range(m)]
            b = theta[at + m * n:at + m * n + m]
            at += m * n + m
            a = [PHI[name](sum((W[i][j] * a[j] for j in range(n)), b[i])) for i in range(m)]
        if np.ndim(y):
            total = total + sum((o - t) ** 2 for o, t in zip(a, y, strict=True)) / 2
        else:
            total = total + mpmath.log(sum(mpmath.exp(o) for o in a)) - a[int(y)]
    return total / len(batch.x)


class Jet:
    """x + Σ_i x_i ε_i + … with ε_i² = 0: products of up to three different ε give mixed derivatives, exactly."""

    def __init__(self, c):
        self.c = c                              # {frozenset of i: coefficient}

    def __add__(self, other):
        c = dict(self.c)
        for key, value in (other.c if isinstance(other, Jet) else {frozenset(): other}).items():
            c[key] = c.get(key, 0) + value
        return Jet(c)

    def __mul__(self, other):
        c = {}
        for (a, x), (b, y) in product(self.c.items(), (other.c if isinstance(other, Jet) else {frozenset(): other}).items()):
            if not a & b:
                c[a | b] = c.get(a | b, 0) + x * y
        return Jet(c)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __truediv__(self, number):
        return Jet({key: x / number for key, x in self.c.items()})

    def __pow__(self, k):
        return self * self if k == 2 else NotImplemented

    def __gt__(self, number):
        return self.c.get(frozenset(), 0) > number


def derivative(loss, theta, along):
    """∂^k loss / ∂θ_p… for the (perhaps repeated) numbers in `along`, one ε each."""
    moved = list(theta)
    for i, p in enumerate(along):
        moved[p] = moved[p] + Jet({frozenset([i]): 0 * theta[p] + 1})
    value = loss(moved)
    return value.c.get(frozenset(range(len(along))), 0) + 0 * theta[0]


def polynomial_derivatives(loss, theta):
    P = len(theta)
    return ([derivative(loss, theta, [p]) for p in range(P)],
            [[derivative(loss, theta, [p, q]) for q in range(P)] for p in range(P)],
            sorted_once(lambda *along: derivative(loss, theta, along)))


def sorted_once(third):
    """A symmetric function of three numbers, called once for each three."""
    known = cache(third)
    return lambda p, q, r: known(*sorted((p, q, r)))


def rational(widths, activations, seed, batches):
    rng = np.random.default_rng(seed)

    def numbers(*shape):
        return np.frompyfunc(lambda v: F(int(v), 2), 1, 1)(rng.integers(-4, 5, shape))

    model = nets.mlp(widths, activations, "mse")
    params = tuple(nets.Layer(numbers(*s), numbers(s[0])) for s in nets.layer_shapes(model))
    made = []
    for _ in range(batches):
        second = nets.Batch(numbers(4, widths[0]), numbers(4, widths[-1]))
        made.append(nets.Batch(numbers(3, widths[0]), numbers(3, widths[-1]), curvature=second))
    return model, params, made


@pytest.mark.parametrize(("method", "changes"), [
    ("newton", {}), ("cauchy", {}), ("cauchy", {"lam1": F(1, 3)}),
    ("grouped_newton", {"lam_int": 0, "tau": 1}),
    ("grouped_newton", {"lam_int": 0, "tau": 2, "mu_g": F(1, 2), "mu_eta": F(1, 3), "partition": "by_role", "f_sch": F(1, 4)}),
    ("grouped_newton", {"lam_int": 0, "tau": 1, "partition": [[0, 3], [1, 2, 4, 5, 6]], "N_sch": 2}),
    ("grouped_newton", {"lam_int": 0, "tau": 1, "positive": False, "p_sch": 1, "threshold": F(1, 2)}),
])
def test_three_steps_over_the_rationals(method, changes):
    widths, activations = ((2, 2), ("linear",)) if method == "newton" else ((1, 2, 1), ("relu", "linear"))
    model, params, batches = rational(widths, activations, 7, 3)
    code = METHODS[method]
    hyper = code.Hyper(**changes)
    named = hyper.partition if not isinstance(hyper.partition, str) else \
        [I.tolist() for I in code.PARTITIONS[hyper.partition](params)]

    def at(batch):
        return lambda theta: loss_of(widths, activations, theta, batch)

    steps = grouped_twins.algorithm_1(
        flat(params), batches, [batch.curvature for batch in batches],
        lambda theta, batch: [derivative(at(batch), theta, [p]) for p in range(len(theta))],
        lambda theta, u, batch: grouped_twins.summaries(named, u, *polynomial_derivatives(at(batch), theta)),
        at(batches[0]), hyper._asdict() | {"partition": named}, None, lambda x: 0 * x, None)
    state = code.init(model, params, None, hyper)
    moved = 0
    for batch, (theta, u, g_bar, H_bar, D3, e, eta, lam) in zip(batches, steps, strict=True):
        assert state.lam == lam
        before = flat(params)
        params, state, trace = code.step(model, params, state, batch, hyper)
        assert flat(params) == theta
        assert [v for t in trace.u for v in t.ravel()] == u
        assert trace.eta.tolist() == eta
        if e is None:
            assert trace.e is trace.g_bar is trace.H_bar is trace.D3_diag is trace.d is None
        else:
            assert (trace.g_bar.tolist(), trace.H_bar.tolist(), trace.D3_diag.tolist(), trace.e.tolist()) == (g_bar, H_bar, D3, e)
        moved += before != theta
        state = code.schedule(state, at(batches[0])(theta), hyper)
    assert moved == 3


def limits(loss, theta):
    """First, second and third derivatives in 40 digits, by differences with a step of 10⁻³⁰ in 150 digits."""
    h = mpmath.mpf(10) ** -30

    def difference(along):
        total = 0
        for signs in product((1, -1), repeat=len(along)):
            moved = list(theta)
            for sign, p in zip(signs, along, strict=True):
                moved[p] = moved[p] + sign * h
            total = total + loss(moved) * mpmath.fprod(signs)
        return total / (2 * h) ** len(along)

    P = len(theta)
    return ([difference([p]) for p in range(P)], [[difference([p, q]) for q in range(P)] for p in range(P)],
            sorted_once(lambda *along: difference(along)))


@pytest.mark.parametrize("changes", [
    {"tau": 2, "lam1": F(1, 2)},
    {"tau": 1, "lam_int": 400, "lam1": F(1, 16), "mu_g": 0, "mu_eta": F(3, 4), "positive": False,
     "p_sch": 1},
    {"tau": 1, "lam_int": 9, "partition": "trivial", "f_sch": F(1, 8), "N_sch": 2},
])
def test_four_steps_in_forty_digits(changes):
    widths, activations = (2, 1, 2), ("tanh", "linear")
    model = nets.mlp(widths, activations, "softmax_ce")
    rng = np.random.default_rng(11)
    code = METHODS["grouped_newton"]
    hyper = code.Hyper(**changes)
    params = tuple(nets.Layer(rng.standard_normal(s), rng.standard_normal(s[0])) for s in nets.layer_shapes(model))
    batches = [nets.Batch(rng.standard_normal((3, 2)), rng.integers(0, 2, 3), curvature=np.array([0, 2]) if i == 2 else
               nets.Batch(rng.standard_normal((4, 2)), rng.integers(0, 2, 4))) for i in range(4)]
    with precision(500):
        params, batches = cast((params, batches), "mpf")
        samples = [batch.curvature if isinstance(batch.curvature, nets.Batch) else
                   nets.Batch(batch.x[[0, 2]], batch.y[[0, 2]]) for batch in batches]
        named = [I.tolist() for I in code.PARTITIONS[hyper.partition](params)]
        exact = {name: mpmath.mpf(v.numerator) / v.denominator if isinstance(v, F) else v for name, v in hyper._asdict().items()}
        exact = exact | {"partition": named, "lam_int": mpmath.mpf(1) * exact["lam_int"]}

        def at(batch):
            return lambda theta: loss_of(widths, activations, theta, batch)

        steps = grouped_twins.algorithm_1(
            flat(params), batches, samples, lambda theta, batch: limits(at(batch), theta)[0],
            lambda theta, u, batch: grouped_twins.summaries(named, u, *limits(at(batch), theta)), at(batches[0]), exact,
            mpmath.sqrt, mpmath.cbrt, 500)
        state = code.init(model, params, None, hyper)
        for batch, (theta, u, g_bar, _, D3, e, eta, lam) in zip(batches, steps, strict=True):
            assert abs(state.lam - lam) <= lam * mpmath.mpf(10) ** -40
            params, state, trace = code.step(model, params, state, batch, hyper)
            close(flat(params), theta)
            close([v for t in trace.u for v in t.ravel()], u)
            close(trace.eta, eta)
            if e is not None:
                close(trace.g_bar, g_bar)
                close(trace.D3_diag, D3)
                close(trace.e, e)
            state = code.schedule(state, at(batches[0])(theta), hyper)


def close(found, expected):
    size = max(abs(x) for x in expected)
    assert max(abs(x - y) for x, y in zip(found, expected, strict=True)) <= size * mpmath.mpf(10) ** -40
    assert size > 0


def test_newton_and_cauchy_reach_the_minimum_of_a_quadratic_as_they_should():
    """Over ℚ: Newton's method in one step; Cauchy's at the rate of W Section 2.2 from the worst start."""
    model = nets.mlp((2, 1), ("linear",), "mse")
    params = cast((nets.Layer(np.array([[10.0, 1.0]]), np.array([0.0])),), "fraction")
    x = cast(np.array([[1.0, 0], [-1, 0], [0, 10], [0, -10]]), "fraction")       # Hessian diag(1/2, 50, 1)
    batch = nets.Batch(x, cast(np.zeros((4, 1)), "fraction"))
    code = METHODS["newton"]
    shifted = batch._replace(y=cast(np.array([[3.0], [1], [2], [4]]), "fraction"))
    after, _, _ = code.step(model, params, code.init(model, params, None, code.Hyper()), shifted, code.Hyper())
    grad = nets.backward(model, after, nets.forward(model, after, x), shifted.y).grad
    assert not any(flat(grad))
    code = METHODS["cauchy"]
    params = cast((nets.Layer(np.array([[100.0, 1.0]]), np.array([0.0])),), "fraction")
    before = nets.backward(model, params, nets.forward(model, params, x), batch.y).loss
    after, _, _ = code.step(model, params, code.init(model, params, None, code.Hyper()), batch, code.Hyper())
    loss = nets.backward(model, after, nets.forward(model, after, x), batch.y).loss
    assert loss / before == F(99, 101) ** 2                                      # (λ_max − λ_min)² / (λ_max + λ_min)²


def test_discrete_and_trivial_partitions_are_newton_and_cauchy_by_their_own_formulas():
    model, params, (batch, *_) = rational((2, 2), ("linear",), 3, 1)
    g, H, _ = polynomial_derivatives(lambda theta: loss_of((2, 2), ("linear",), theta, batch), flat(params))
    batch = batch._replace(curvature=None)
    rate = sum(x * x for x in g) / sum(x * H[i][j] * y for i, x in enumerate(g) for j, y in enumerate(g))
    for method, step in (("newton", grouped_twins.solved(H, g)), ("cauchy", [rate * x for x in g])):
        code = METHODS[method]
        after, _, _ = code.step(model, params, code.init(model, params, None, code.Hyper()), batch, code.Hyper())
        assert flat(after) == [t - s for t, s in zip(flat(params), step, strict=True)]


def test_partition_given_by_name_and_by_index_sets_is_the_same():
    model, params, batches = rational((2, 2, 1), ("relu", "linear"), 5, 1)
    code = METHODS["grouped_newton"]
    named = code.Hyper(partition="by_role", lam_int=0)
    listed = named._replace(partition=tuple(tuple(I.tolist()) for I in taylor.by_role(params)))
    ours, theirs = (code.step(model, params, code.init(model, params, None, h), batches[0], h) for h in (named, listed))
    assert flat(ours[0]) == flat(theirs[0])
    assert ours[2].e.tolist() == theirs[2].e.tolist()
