"""W Table 1, counted: multiply-adds of Taylor terms and of D^(d), on nets of tanh layers that are only shapes."""

import itertools
import math

import numpy as np
from counting import Counting
from stepgauge import nets
from stepgauge.nets import taylor

DEEP = 12


def problem(width, examples=4, depth=DEEP):
    """A net with `depth` square layers, its parameters (also the direction) and a batch, without entries."""
    space = Counting(triangles=False)
    widths = (width,) * (depth + 1)
    model = nets.mlp(widths, ("tanh",) * depth, "mse")
    params = tuple(nets.Layer(space.zeros((o, i)), space.zeros(o)) for i, o in itertools.pairwise(widths))
    return space, model, params, nets.Batch(space.zeros((examples, width)), space.zeros((examples, width)))


def size(params):
    return sum(math.prod(t.shape) for t in nets.tensors(params))


def gradient(width):
    """Multiply-adds of a forward and a backward pass."""
    space, model, params, batch = problem(width)
    nets.backward(model, params, nets.forward(model, params, batch.x), batch.y)
    return space.taken()


def terms(width, order):
    """Multiply-adds of ∇^d L[u, …, u] for d = 0, …, order, by Taylor propagation."""
    space, model, params, batch = problem(width)
    taylor.taylor_terms(model, params, batch, params, order)
    return space.taken()


def recursion(width, order):
    """The same by Appendix A's recursion: D^(order) on the trivial partition."""
    return tensor(width, 1, order)


def partition(params, S):
    """S subsets of whole layers, in order, of nearly equal size."""
    return taylor.grouped(params, [[i for l in run for i in (2 * l, 2 * l + 1)] for run in np.array_split(np.arange(DEEP), S)])


def tensor(width, S, order):
    """Multiply-adds of D^(order) with S subsets."""
    space, model, params, batch = problem(width)
    taylor.summary(model, params, batch, params, partition(params, S), order)
    return space.taken()


def all_summaries(width, S):
    """Multiply-adds of ḡ, H̄ and the diagonal of D^(3) together."""
    space, model, params, batch = problem(width)
    taylor.summaries(model, params, batch, params, partition(params, S))
    return space.taken()


def exponent(cost, sizes):
    """The slope of log cost against log size, by least squares."""
    return float(np.polyfit(np.log([float(s) for s in sizes]), np.log([float(cost(s)) for s in sizes]), 1)[0])
