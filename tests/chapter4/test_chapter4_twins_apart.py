"""TNT, TNT-EF, idealized TNT and Shampoo against `tensor_twins_apart`: exactly over ℚ for vectors, to 60 digits elsewhere."""

from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
import tensor_twins_apart as apart
from stepgauge import nets
from stepgauge.arrays import cast, precision
from stepgauge.reference import METHODS

BITS = 260
SIXTY_DIGITS = mpmath.mpf(2) ** -200
CONV = (nets.Conv2d(3, (2, 1), padding="valid"), nets.Act("tanh"), nets.Flatten(), nets.Dense(2))
NETS = {   # the repository's model, the twin's net, the shape of an input, outputs
    "dense": lambda loss: (nets.mlp((3, 2, 3), ("tanh", "linear"), loss), (("dense",), ("act", "tanh"), ("dense",)), (3,), 3),
    "thin": lambda loss: (nets.mlp((1, 1, 2), ("logistic", "linear"), loss), (("dense",), ("act", "logistic"), ("dense",)),
                          (1,), 2),
    "relu": lambda loss: (nets.mlp((2, 3, 2), ("relu", "linear"), loss), (("dense",), ("act", "relu"), ("dense",)), (2,), 2),
    "conv": lambda loss: (nets.cnn((2, 2, 2), CONV, loss), (("conv",), ("act", "tanh"), ("flatten",), ("dense",)), (2, 2, 2), 2)}


def rational(rng, *shape):
    """Halves and quarters."""
    return cast(rng.integers(-6, 7, shape) / 4, "fraction")


def targets(rng, loss, N, outputs, kind):
    """Targets that the loss takes."""
    if loss == "mse":
        return cast(rational(rng, N, outputs), kind)
    if loss == "bce":
        return cast(rng.integers(0, 2, (N, outputs)).astype(float), kind)
    return rng.integers(0, outputs, N)


def problem(net, loss, seed, sizes, kind, dead):
    """The model, its parameters, batches, and for the twin: net, tensors, batches as lists; `dead`: no unit of layer 1 is on."""
    model, layers, shape, outputs = NETS[net](loss)
    rng = np.random.default_rng(seed)
    params = cast(tuple(layer._replace(W=rational(rng, *layer.W.shape), b=rational(rng, *layer.b.shape))
                        for layer in nets.init(model, 0)), kind)
    if dead:
        params = (params[0]._replace(b=params[0].b - 100), *params[1:])
    batches = [nets.Batch(cast(rational(rng, N, *shape), kind), *(targets(rng, loss, N, outputs, kind) for _ in range(2)))
               for N in sizes]
    lists = [{"x": b.x.tolist(), "y": b.y.tolist(), "y_sampled": b.y_sampled.tolist()} for b in batches]
    return model, params, batches, (layers, loss, as_lists(nets.tensors(params))), lists


def as_lists(arrays):
    return [array.tolist() for array in arrays]


def agree(ours, theirs, exact):
    """Tensor by tensor; unless `exact`, to 60 digits of the tensor's largest entry."""
    assert len(ours) == len(theirs)
    for array, tensor in zip(ours, theirs, strict=True):
        assert array.shape == apart.shape(tensor)
        pairs = list(zip(array.ravel().tolist(), apart.vec(tensor), strict=True))
        if exact:
            assert all(a == b for a, b in pairs)
        else:
            largest = max(abs(b) for _, b in pairs)
            assert all(abs(a - b) <= SIXTY_DIGITS * largest for a, b in pairs)


def check(method, net, loss, view, *, seed=0, sizes=(2, 3), steps=4, T_1=2, T_2=3, kind="mpf", dead=False):
    """Every step's W, momentum and Ĝ (E[G⁽ⁱ⁾] of the idealized method)."""
    model, params, batches, twin, lists = problem(net, loss, seed, sizes, kind, dead)
    numbers = {"alpha": F(1, 8), "eps": F(1, 3)}
    if method != "tnt_ideal":
        numbers |= {"mu": F(3, 4), "beta": F(2, 3), "gamma": F(1, 5)}
    code, periods = METHODS[method], {} if method == "tnt_ideal" else {"T_1": T_1, "T_2": T_2}
    hyper = code.Hyper(**numbers, **periods, view=view)
    twins_numbers = {name: cast(np.array([value], dtype=object), kind)[0] for name, value in numbers.items()}
    turn = [n % len(batches) for n in range(steps)]
    state = code.init(model, params, batches, hyper)
    if method == "tnt_ideal":
        run = apart.run_ideal(*twin, [lists[n] for n in turn], **twins_numbers, view=view)
    else:
        run = apart.run(method, *twin, lists, [lists[n] for n in turn], **twins_numbers, **periods, view=view)
        _, momentum, G_h = next(run)
        agree(state.grad_h, momentum, True)
        for ours, theirs in zip(state.G_h, G_h, strict=True):
            agree(ours, theirs, kind == "fmpq")
    for n, theirs in zip(turn, run, strict=True):
        params, state, trace = code.step(model, params, state, batches[n], hyper)
        agree(nets.tensors(params), theirs[0], kind == "fmpq")
        if method != "tnt_ideal":
            agree(state.grad_h, theirs[1], kind == "fmpq")
        for ours, moments in zip(trace.G if method == "tnt_ideal" else state.G_h, theirs[-1], strict=True):
            agree(ours, moments, kind == "fmpq")


@pytest.mark.parametrize("method", ["tnt", "tnt_ef", "tnt_ideal"])
@pytest.mark.parametrize("seed", [1, 2])
def test_vectors_over_the_rationals(method, seed):
    """Order 1 needs no root: three steps, new statistics in the second, new inverses in the second."""
    check(method, "relu", "mse", "vector", seed=seed, sizes=(2, 1), steps=3, T_2=2, kind="fmpq")


@pytest.mark.parametrize("method", ["tnt", "tnt_ef", "tnt_ideal", "shampoo"])
@pytest.mark.parametrize(("net", "loss"), [("dense", "softmax_ce"), ("dense", "bce"), ("thin", "mse"), ("relu", "mse")])
def test_dense_nets_to_sixty_digits(method, net, loss):
    """Orders 1 and 2, a chain of single units among them."""
    with precision(BITS), mpmath.workprec(BITS):
        check(method, net, loss, "3-way", seed=3)


@pytest.mark.parametrize("method", ["tnt", "tnt_ef", "tnt_ideal", "shampoo"])
@pytest.mark.parametrize(("view", "loss"), [("3-way", "softmax_ce"), ("4-way", "bce"), ("matrix", "mse"), ("vector", "bce")])
def test_filters_in_every_view_to_sixty_digits(method, view, loss):
    """Orders 1 to 4."""
    with precision(BITS), mpmath.workprec(BITS):
        check(method, "conv", loss, view, seed=4)


@pytest.mark.parametrize("method", ["tnt", "tnt_ef", "tnt_ideal", "shampoo"])
def test_a_gradient_that_is_always_zero(method):
    """A dead first layer of order 2: E[G⁽ⁱ⁾] = 0, where (4.10) is 0/0 as printed."""
    with precision(BITS), mpmath.workprec(BITS):
        check(method, "relu", "mse", "3-way", seed=5, dead=True)
