"""Forward and backward passes against automatic differentiation of a network written here, in float64 and float32.

The judge differentiates another program: losses as log(1 + e^ŷ) and so on, no backward pass of its own. The tolerance is a
running error bound (`error_bounds`): entry by entry, what rounding can do to either program, for every order of the sums.
"""

from itertools import pairwise
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, jacobian
from autograd.scipy.special import logsumexp
from stepgauge import nets

UNITS = {"float32": 2.0**-24, "float64": 2.0**-53}

PHI = {
    "linear": lambda h: h,
    "relu": lambda h: anp.maximum(h, 0),
    "logistic": lambda h: 1 / (1 + anp.exp(-h)),
    "tanh": anp.tanh,
    "elu": lambda h: anp.where(h > 0, h, anp.exp(anp.minimum(h, 0)) - 1),
}
LOSS = {
    "mse": lambda output, y: anp.sum((output - y) ** 2, axis=1) / 2,
    "bce": lambda output, y: anp.sum(anp.logaddexp(0, output) - y * output, axis=1),
    "softmax_ce": lambda output, y: anp.sum(y * (logsumexp(output, axis=1)[:, None] - output), axis=1),
}


class Problem(NamedTuple):
    """A network, its parameters as plain pairs, and data, in float64 (though rounded to `dtype`)."""

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    loss: str
    theta: list
    x: np.ndarray
    y: np.ndarray


def judged_losses(problem, theta, bumps=None):
    """The loss of each example; `bumps` are added to the pre-activations."""
    z = problem.x
    for l, ((W, b), name) in enumerate(zip(theta, problem.activations, strict=True)):
        h = anp.dot(z, W.T) + b
        z = PHI[name](h if bumps is None else h + bumps[l])
    return LOSS[problem.loss](z, problem.y)


class Judgement(NamedTuple):
    """Or the bounds on its entries."""

    h: list
    output: np.ndarray
    loss: float
    g: list
    grad: list


def judge(problem):
    h, z = [], problem.x
    for (W, b), name in zip(problem.theta, problem.activations, strict=True):
        h.append(z @ W.T + b)
        z = PHI[name](h[-1])
    N = len(problem.x)
    bumps = [np.zeros_like(h_l) for h_l in h]
    g = []
    for l in range(len(h)):
        # each example's own loss, differentiated in every example's pre-activations
        J = jacobian(lambda bump, l=l: judged_losses(problem, problem.theta, [*bumps[:l], bump, *bumps[l + 1:]]))(bumps[l])
        own = np.arange(N)
        g.append(J[own, own].copy())
        J[own, own] = 0
        assert (J == 0).all()
    gradient = grad(lambda theta: anp.mean(judged_losses(problem, theta)))(problem.theta)
    return Judgement(h, z, float(np.mean(judged_losses(problem, problem.theta))), g, gradient)


EVAL = 100


def error_bounds(problem, u):
    """Bounds on the absolute rounding errors of a program that computes a Judgement with unit of roundoff u.

    Sums and products of n terms err by γ_n of the sum of sizes. Each φ, φ′ and loss derivative is a chain of at most four
    functions that are good to 4 ulp = 8u; |φ′| <= 1, and φ, φ′ have the Lipschitz constant 1 (away from relu's kink, which
    is asserted). exp(ŷ − log(1 + e^ŷ)) loses 8u · 9 where |ŷ| <= 8, which is asserted too. EVAL = 100 units cover these.
    """
    def gamma(n):
        return 1.001 * n * u

    N = len(problem.x)
    a, e_a, inputs, e_h = problem.x, np.zeros_like(problem.x), [], []
    for (W, b), name in zip(problem.theta, problem.activations, strict=True):
        h = a @ W.T + b
        inputs.append((abs(a), e_a))
        e_h.append(e_a @ abs(W).T + gamma(W.shape[1] + 1) * ((abs(a) + e_a) @ abs(W).T + abs(b)))
        assert name != "relu" or (abs(h) > 2 * e_h[-1]).all()
        a = PHI[name](h)
        e_a = e_h[-1] + EVAL * u * (abs(a) + e_h[-1])
    assert (abs(a) <= 8).all()
    m = a.shape[1]
    if problem.loss == "mse":
        D = abs(a - problem.y) + e_a
        e_D = e_a + u * D
        e_loss = (D * e_a).sum(axis=1) + gamma(m + len(a) + 3) * (D**2).sum(axis=1)
    else:                                       # |∂loss/∂ŷ_j| <= 1, its Lipschitz constant <= 1/2, terms of the loss <= 17
        D = np.ones_like(a)
        e_D = e_a.max(axis=1, keepdims=True) / 2 + EVAL * u * D
        e_loss = m * (e_a.max(axis=1) + (17 * gamma(m + len(a)) + EVAL * u) * np.ones(len(a)))
    e_output = e_a
    e_g, e_grad = [], []
    for l in reversed(range(len(problem.theta))):
        W = problem.theta[l][0]
        a, e_a = inputs[l]
        e = e_D + (D + e_D) * (e_h[l] + EVAL * u)
        g = D + e                               # |φ′| <= 1
        e_g.append(e)
        e_grad.append((((e.T @ a) + g.T @ e_a + gamma(N + 2) * g.T @ (a + e_a)) / N, (e + gamma(N + 2) * g).sum(axis=0) / N))
        D, e_D = D @ abs(W), e @ abs(W) + gamma(W.shape[0]) * g @ abs(W)
    return Judgement(e_h, e_output, float(np.mean(e_loss)), e_g[::-1], e_grad[::-1])


def problem_of(widths, activations, loss, N, seed, dtype):
    rng = np.random.default_rng(seed)

    def normal(*shape, size=1.0):
        return (size * rng.standard_normal(shape)).astype(dtype).astype(np.float64)

    theta = [(normal(d_out, d_in, size=d_in**-0.5), normal(d_out)) for d_in, d_out in pairwise(widths)]
    x, m = normal(N, widths[0]), widths[-1]
    y = {"mse": normal(N, m), "bce": rng.integers(0, 5, (N, m)) / 4, "softmax_ce": np.eye(m)[rng.integers(0, m, N)]}[loss]
    return Problem(widths, activations, loss, theta, x, y)


def largest_excess(problem, params, x, y, read, u):
    """The largest error by kind, as a multiple of what the rounding of both programs explains."""
    model = nets.mlp(problem.widths, problem.activations, problem.loss)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    computed = Judgement([h[:, 0] for h in tape.h], tape.output, back.loss, [g[:, 0] for g in back.g], back.grad)
    expected, ours, theirs = judge(problem), error_bounds(problem, u), error_bounds(problem, UNITS["float64"])

    def excess(value, exact, bound1, bound2):
        return (abs(read(value) - exact) / (bound1 + bound2)).max()

    return {
        "h": max(map(excess, computed.h, expected.h, ours.h, theirs.h)),
        "output": excess(computed.output, expected.output, ours.output, theirs.output),
        "loss": abs(float(computed.loss) - expected.loss) / (ours.loss + theirs.loss),
        "g": max(map(excess, computed.g, expected.g, ours.g, theirs.g)),
        "grad": max(excess(*tensors) for layers in zip(computed.grad, expected.grad, ours.grad, theirs.grad, strict=True)
                    for tensors in zip(*layers, strict=True)),
    }


def read_numpy(value):
    return np.asarray(value, dtype=np.float64)


CASES = [((3, 5, 4, 2), (name, name, name), "mse", 6) for name in PHI]
CASES += [((3, 5, 4, 2), (name, "tanh" if name == "linear" else name, "linear"), loss, 6)
          for name in PHI for loss in ("bce", "softmax_ce")]
CASES += [((1, 1), ("tanh",), "mse", 1), ((2, 1, 3), ("elu", "linear"), "softmax_ce", 1),
          ((4, 3, 2, 5, 1), ("relu", "tanh", "logistic", "linear"), "bce", 3)]


@pytest.mark.parametrize("dtype", UNITS)
@pytest.mark.parametrize(("widths", "activations", "loss", "N"), CASES, ids=str)
def test_the_passes_are_automatic_differentiation(widths, activations, loss, N, dtype):
    problem = problem_of(widths, activations, loss, N, 17, dtype)
    params = tuple(nets.Layer(W.astype(dtype), b.astype(dtype)) for W, b in problem.theta)
    excess = largest_excess(problem, params, problem.x.astype(dtype), problem.y.astype(dtype), read_numpy, UNITS[dtype])
    assert {kind: factor for kind, factor in excess.items() if not factor <= 1} == {}


@pytest.mark.parametrize("dtype", UNITS)
@pytest.mark.parametrize(("widths", "activations", "loss", "N"), CASES, ids=str)
def test_the_passes_on_torch_tensors(widths, activations, loss, N, dtype):
    torch = pytest.importorskip("torch")
    problem = problem_of(widths, activations, loss, N, 17, dtype)

    def tensor(array):
        return torch.tensor(array, dtype=getattr(torch, dtype))

    params = tuple(nets.Layer(tensor(W), tensor(b)) for W, b in problem.theta)
    y = torch.tensor(problem.y.argmax(axis=1)) if loss == "softmax_ce" else tensor(problem.y)
    excess = largest_excess(problem, params, tensor(problem.x), y, lambda value: value.numpy().astype(np.float64), UNITS[dtype])
    assert {kind: factor for kind, factor in excess.items() if not factor <= 1} == {}


@pytest.mark.parametrize("dtype", UNITS)
@pytest.mark.parametrize("loss", LOSS)
def test_output_hessians_are_second_derivatives(loss, dtype):
    """Entries of H_l are at most 1 in size; three products and a sum of values good to EVAL units."""
    rng = np.random.default_rng(5)
    output = rng.uniform(-6, 6, (7, 4)).astype(dtype)
    y = rng.dirichlet(np.ones(4), 7)
    model = nets.mlp((2, 4), ("linear",), loss)
    H = nets.output_hessian(model, output)
    assert H.shape == (7, 4, 4)
    assert H.dtype == output.dtype
    for n in range(7):
        def own_loss(row, n=n):
            return LOSS[loss](row[None, :], y[n:n + 1])[0]
        exact = jacobian(grad(own_loss))(output[n].astype(np.float64))
        assert abs(H[n].astype(np.float64) - exact).max() <= 3 * EVAL * (UNITS[dtype] + UNITS["float64"])


@pytest.mark.filterwarnings("ignore:Output seems independent")         # a second derivative that is 0 everywhere
@pytest.mark.parametrize("dtype", UNITS)
@pytest.mark.parametrize("name", PHI)
def test_derivatives_of_activations(name, dtype):
    """|φ′|, |φ″| <= 1: chains of at most six operations within 8u each, doubled where a difference is taken."""
    h = np.concatenate([np.linspace(-6, 6, 101), [-0.01, 0.01]]).astype(dtype)
    h = h[h != 0]
    activation = nets.ACTIVATIONS[name]
    first = jacobian(lambda t: anp.sum(PHI[name](t)))
    second = jacobian(lambda t: anp.sum(first(t)))
    exact_h = h.astype(np.float64)
    expected = [PHI[name](exact_h), first(exact_h), second(exact_h)]
    for function, exact in zip(activation, expected, strict=True):
        value = function(h)
        assert value.dtype == h.dtype
        assert value.shape == h.shape
        bound = EVAL * (UNITS[dtype] + UNITS["float64"]) * np.maximum(1, abs(exact))
        assert (abs(value.astype(np.float64) - exact) <= bound).all()
