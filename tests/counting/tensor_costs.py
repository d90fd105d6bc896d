"""What R Table 4.1 counts, for one tensor: exact counts of the code on arrays that are only shapes, and closed forms for them.

`counted` runs the lines of TNT and Shampoo on a tensor of some shape; `FORMULAS` says what comes out, for every order, and a test
compares the two. The extra backward pass belongs to a layer: `extra_pass` counts it there.
"""

import itertools
import math
from collections import Counter

from counting import Counting
from stepgauge import nets
from stepgauge.arrays import map_arrays
from stepgauge.reference import shampoo, tnt
from stepgauge.reference.parts import roots
from stepgauge.reference.parts.tensor_normal import by_mode, contractions, identify, preconditioned
from stepgauge.verify.source import instrument


class Rooted(Counting):
    """Counting, where an inverse root is the products of `iterations` steps of the coupled Newton iteration."""

    def __init__(self, iterations=20):
        super().__init__(triangles=False)
        self.iterations = iterations

    def inverse_root(self, A, p, tolerance):
        for _ in range(self.iterations):
            roots._power(A, p) @ A
            A @ A
        return A


def counted(method, shape):
    """Multiply-adds of products and inversions for one tensor, by what Table 4.1 multiplies with 1/T_1, 1/T_2 and 1; and entries.

    Products in full: an A Aᵀ counts as any other. Entry by entry work, which is of lower order, is left out.
    """
    space = Rooted()
    g = (space.zeros(shape),)
    space.work.clear()
    G = contractions(g, "4-way")
    statistics = space.work["products"]
    space.work.clear()
    if method == "TNT":
        factors = by_mode(lambda U: space.inv(U), (identify.trusted(G[0]).U_t,))
    else:
        factors = shampoo.roots(G, shampoo.Hyper())
    inverses = space.work["products"] + space.work["inverses"]
    space.work.clear()
    p = preconditioned(g, factors, "4-way")
    direction = space.work["products"]
    assert p[0].shape == tuple(shape)
    entries = Counter()
    for name, tree in (("factors", (G, factors)), ("momentum", g)):
        map_arrays(lambda x, name=name: entries.update({name: math.prod(x.shape)}), tree)
    return {"statistics": statistics, "inverses": inverses, "direction": direction, **entries}


def powers(k):
    """Products of one coupled Newton step for p = 2k: T to the power p, M, X."""
    p, count = 2 * k, 0
    while p > 1:
        count, p = count + 1 + p % 2, p // 2
    return count + 2


def FORMULAS(method, shape, iterations=20):
    """The closed forms: sums over the modes of a tensor of shape (d_1, …, d_k)."""
    n, k = math.prod(shape), len(shape)
    per_cube = 1 if method == "TNT" else iterations * powers(k)
    return {"statistics": sum(shape) * n, "inverses": per_cube * sum(d**3 for d in shape), "direction": sum(shape) * n,
            "factors": 2 * sum(d * d for d in shape), "momentum": n}


def by_line(method, widths, m):
    """{tag: multiply-adds of a step} of a whole network, with products in full."""
    space, module = Rooted(), {"TNT": tnt, "Shampoo": shampoo}[method]
    model = nets.mlp(widths, ["linear"] * (len(widths) - 1), "mse")
    params = tuple(nets.Layer(space.zeros((d_o, d_i)), space.zeros(d_o)) for d_i, d_o in itertools.pairwise(widths))
    batch = nets.Batch(*(space.zeros((m, d)) for d in (widths[0], widths[-1], widths[-1])))
    hyper = module.Hyper(T_1=1, T_2=1)
    state, work = module.init(model, params, batch, hyper), Counter()
    space.taken()

    def stop(tag, function, names, value):
        work[tag] += space.taken()
        return value

    instrument(module, stop, {})["step"](model, params, state, batch, hyper)
    return work


def extra_pass(m, d_i, d_o):
    """Multiply-adds that the pass for sampled targets adds for one layer: a network with it, less the network without."""
    longer, shorter = (by_line("TNT", widths, m)["R15.6 R15.7"] for widths in ((1, d_i, d_o), (1, d_i)))
    return longer - shorter
