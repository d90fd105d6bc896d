"""Forward and backward passes of relu and linear networks under "mse", exactly: every comparison is == over ℚ.

Two judges. Loops over units, written from the definition, one example at a time. And central differences: the loss is a
quadratic polynomial in any one parameter or pre-activation as long as no relu changes side, so (f(+ε) − f(−ε)) / 2ε is its
derivative, exactly.
"""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast, namespace
from stepgauge.nets import single

EPS = Fraction(1, 10**12)
NETS = [
    ((3, 4, 2), ("relu", "linear"), 5),
    ((2, 3, 4, 1), ("relu", "relu", "linear"), 3),
    ((4, 1, 3), ("linear", "relu"), 2),
    ((1, 1), ("relu",), 1),
    ((3, 2), ("linear",), 4),
    ((2, 5, 3, 2), ("linear", "relu", "relu"), 1),
]
every_net = pytest.mark.parametrize(("widths", "activations", "N"), NETS, ids=str)


def rationals(rng, *shape):
    """Fractions p/q with |p| <= 20 and q <= 9, never 0."""
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        array[index] = Fraction(int(rng.choice([-1, 1]) * rng.integers(1, 21)), int(rng.integers(1, 10)))
    return array


def network(widths, activations, N, seed=3):
    rng = np.random.default_rng([seed, *widths, N])
    params = tuple(nets.Layer(rationals(rng, d_out, d_in), rationals(rng, d_out)) for d_in, d_out in pairwise(widths))
    return nets.mlp(widths, activations, "mse"), params, rationals(rng, N, widths[0]), rationals(rng, N, widths[-1])


def unit_forward(theta, activations, x, bump=None):
    """Units one by one: a[l][j], h[l][i]; `bump` = (l, i, ε) adds ε to one pre-activation."""
    a, h = [list(x)], []
    for l, ((W, b), name) in enumerate(zip(theta, activations, strict=True)):
        h.append([])
        for i in range(len(b)):
            total = b[i]
            for j in range(len(a[l])):
                total += W[i][j] * a[l][j]
            h[l].append(total + (bump[2] if bump and bump[:2] == (l, i) else 0))
        a.append([max(t, Fraction(0)) if name == "relu" else t for t in h[l]])
    return a, h


def unit_loss(theta, activations, x, y, bump=None):
    """½ Σ_j (ŷ_j − y_j)² of one example, and the side of every relu."""
    a, h = unit_forward(theta, activations, x, bump)
    sides = [t > 0 for layer, name in zip(h, activations, strict=True) if name == "relu" for t in layer]
    return sum((p - q) ** 2 for p, q in zip(a[-1], y, strict=True)) / 2, sides


def unit_backward(theta, activations, x, y):
    """g[l][i] = ∂loss/∂h_{l,i} by the chain rule over the units above."""
    a, h = unit_forward(theta, activations, x)
    L = len(theta)
    g = [None] * L
    for l in reversed(range(L)):
        g[l] = []
        for i in range(len(h[l])):
            if l == L - 1:
                above = a[L][i] - y[i]
            else:
                above = sum((g[l + 1][k] * theta[l + 1][0][k][i] for k in range(len(h[l + 1]))), Fraction(0))
            g[l].append(above if activations[l] == "linear" or h[l][i] > 0 else Fraction(0))
    return a, h, g


def plain(params):
    return [(layer.W.tolist(), layer.b.tolist()) for layer in params]


def difference(loss):
    """The derivative at 0 of a function that is quadratic there."""
    (above, sides_above), (at, sides), (below, sides_below) = loss(EPS), loss(0), loss(-EPS)
    assert sides_above == sides == sides_below
    assert above + below - 2 * at >= 0
    return (above - below) / (2 * EPS)


@every_net
def test_the_passes_are_the_loops_over_units(widths, activations, N):
    model, params, x, y = network(widths, activations, N)
    theta = plain(params)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    L = len(params)
    sums_W = [[[Fraction(0)] * d_in for _ in range(d_out)] for d_in, d_out in pairwise(widths)]
    sums_b = [[Fraction(0)] * d_out for d_out in widths[1:]]
    for n in range(N):
        a, h, g = unit_backward(theta, activations, x[n].tolist(), y[n].tolist())
        assert tape.output[n].tolist() == a[L]
        for l in range(L):
            assert tape.a[l][n].tolist() == [[*a[l], 1]]
            assert tape.h[l][n].tolist() == [h[l]]
            assert back.g[l][n].tolist() == [g[l]]
            for i in range(widths[l + 1]):
                sums_b[l][i] += g[l][i]
                for j in range(widths[l]):
                    sums_W[l][i][j] += g[l][i] * a[l][j]
    for l in range(L):
        assert (back.grad[l].W * N).tolist() == sums_W[l]
        assert (back.grad[l].b * N).tolist() == sums_b[l]
    assert back.loss * N == sum(unit_loss(theta, activations, x[n].tolist(), y[n].tolist())[0] for n in range(N))


@every_net
def test_the_gradient_is_the_exact_difference_quotient(widths, activations, N):
    model, params, x, y = network(widths, activations, N)
    back = nets.backward(model, params, nets.forward(model, params, x), y)

    def mean_loss(l, tensor, index):
        def moved(eps):
            theta = [[layer.W.copy(), layer.b.copy()] for layer in params]
            theta[l][tensor][index] += eps
            losses, sides = zip(*(unit_loss(theta, activations, x[n], y[n]) for n in range(N)), strict=True)
            return sum(losses) / N, sides
        return moved

    for l, layer in enumerate(params):
        for tensor in (0, 1):
            for index in np.ndindex(*layer[tensor].shape):
                assert back.grad[l][tensor][index] == difference(mean_loss(l, tensor, index))


@every_net
def test_g_is_the_derivative_of_each_examples_own_loss(widths, activations, N):
    model, params, x, y = network(widths, activations, N)
    back = nets.backward(model, params, nets.forward(model, params, x), y)
    for n in range(N):
        for l, width in enumerate(widths[1:]):
            for i in range(width):
                own = difference(lambda eps, n=n, bump=(l, i): unit_loss(plain(params), activations, x[n], y[n], (*bump, eps)))
                assert back.g[l][n, 0, i] == own


@every_net
def test_the_single_passes_as_printed_are_the_batched_ones(widths, activations, N):
    """R Algorithm 1, and R Algorithms 17 and 18, example by example."""
    model, params, x, y = network(widths, activations, N)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    W_b = [np.concatenate([layer.W, layer.b[:, None]], axis=1) for layer in params]
    sums = [0] * len(params)
    for n in range(N):
        first = single.forward_backward(W_b, activations, "mse", x[n], y[n])
        h, v = single.forward(params, activations, x[n])
        gradient = single.backward(params, activations, "mse", h, v, y[n])
        assert first.output.tolist() == v[-1].tolist() == tape.output[n].tolist()
        assert len(first.a) == len(first.h) == len(first.g) == len(first.DW) == len(h) == len(v) - 1 == len(gradient)
        for l in range(len(params)):
            assert first.a[l].tolist() == tape.a[l][n, 0].tolist() == [*v[l], 1]
            assert first.h[l].tolist() == tape.h[l][n, 0].tolist() == h[l].tolist()
            assert first.g[l].tolist() == back.g[l][n, 0].tolist() == gradient[l].b.tolist()
            assert first.DW[l][:, :-1].tolist() == gradient[l].W.tolist()
            assert first.DW[l][:, -1].tolist() == gradient[l].b.tolist()
            sums[l] = sums[l] + first.DW[l]
    for l in range(len(params)):
        assert sums[l].tolist() == (N * np.concatenate([back.grad[l].W, back.grad[l].b[:, None]], axis=1)).tolist()


@every_net
@pytest.mark.parametrize("kind", ["fmpq", "ball"])
def test_other_exact_arithmetics_agree(widths, activations, N, kind):
    """FLINT's rationals are the same numbers; balls enclose them."""
    model, params, x, y = network(widths, activations, N)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    params2, x2, y2 = cast((params, x, y), kind)
    tape2 = nets.forward(model, params2, x2)
    back2 = nets.backward(model, params2, tape2, y2)
    assert namespace(back2.loss).name == namespace(x2).name
    for ours, other in zip([*tape.a, *tape.h, tape.output, *back.g, *nets.tensors(back.grad), np.array(back.loss)],
                           [*tape2.a, *tape2.h, tape2.output, *back2.g, *nets.tensors(back2.grad), np.array(back2.loss)],
                           strict=True):
        assert ours.shape == other.shape
        for p, q in zip(ours.ravel().tolist(), other.ravel().tolist(), strict=True):
            if kind == "ball":
                assert q.contains(p)
                assert q.rad < 1e-6                    # and not everything else as well
            else:
                assert (int(q.p), int(q.q)) == (p.numerator, p.denominator)


def test_a_unit_at_the_kink_passes_nothing_back():
    """φ′(0) = 0: h = 1 · 2 − 2 = 0."""
    params = (nets.Layer(cast(np.array([[1.0]]), "fraction"), cast(np.array([-2.0]), "fraction")),)
    model = nets.mlp((1, 1), ("relu",), "mse")
    tape = nets.forward(model, params, cast(np.array([[2.0]]), "fraction"))
    back = nets.backward(model, params, tape, cast(np.array([[3.0]]), "fraction"))
    assert tape.h[0].item() == tape.output.item() == 0
    assert back.g[0].item() == back.grad[0].W.item() == back.grad[0].b.item() == 0
    assert back.loss == Fraction(9, 2)


def test_dead_units_and_their_weights_have_no_gradient():
    model, params, x, y = network((2, 3, 2), ("relu", "linear"), 4)
    b = params[0].b.copy()
    b[1] = Fraction(-10**6)
    params = (nets.Layer(params[0].W, b), params[1])
    back = nets.backward(model, params, nets.forward(model, params, x), y)
    assert back.g[0][:, 0, 1].tolist() == [0] * 4
    assert back.grad[0].W[1].tolist() == [0, 0]
    assert back.grad[1].W[:, 1].tolist() == [0, 0]
    assert all(value != 0 for value in back.grad[1].b)


def test_the_output_hessian_of_mse_is_the_identity():
    model, params, x, _ = network((3, 4, 2), ("relu", "linear"), 5)
    H = nets.output_hessian(model, nets.forward(model, params, x).output)
    assert H.tolist() == [[[1, 0], [0, 1]]] * 5
    assert {type(value) for value in H.ravel()} == {Fraction}


@pytest.mark.parametrize("name", ["linear", "relu"])
def test_derivatives_of_piecewise_linear_activations(name):
    h = cast(np.array([[-1.5, 0.0, 0.25], [7.0, -0.125, 1.0]]), "fraction")
    phi, d_phi, d2_phi = nets.ACTIVATIONS[name]
    on = [[True] * 3, [True] * 3] if name == "linear" else [[False, False, True], [True, False, True]]
    assert phi(h).tolist() == [[t if side else 0 for t, side in zip(*rows, strict=True)]
                               for rows in zip(h.tolist(), on, strict=True)]
    assert d_phi(h).tolist() == [[int(side) for side in row] for row in on]
    assert d2_phi(h).tolist() == [[0] * 3] * 2
    for function in (phi, d_phi, d2_phi):
        assert {type(value) for value in function(h).ravel()} == {Fraction}
