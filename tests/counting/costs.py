"""What a step costs, layer by layer, as polynomials in the sizes: exact, because counts are integers.

The cost of a layer is what a network costs with it, less what it costs without it, so that the layer has a backward product and
everything that belongs to other layers cancels. A dense layer has d_i inputs and d_o outputs; a convolution J input channels, I
output channels, a window of Δ offsets and P positions. `layer` counts it at given sizes, `polynomials` finds the polynomials
through enough of such counts, `fitted` the exponents by which counts grow where one term outweighs the rest.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from functools import cache
from operator import sub
from typing import NamedTuple
from unittest import mock

import flint
import numpy as np
from counting import Counting
from stepgauge import nets
from stepgauge.arrays import map_arrays
from stepgauge.nets import windows
from stepgauge.reference import kbfgs, kbfgs20, kfac, kfac20
from stepgauge.reference.first_order import adam, rmsprop
from stepgauge.verify.source import instrument


class Method(NamedTuple):
    """A row of the tables.

    variables   the sizes on which its cost depends.
    lines       paper line, or name of what it computes: the column of Table 2.2 or 3.2 under which it is counted; absent:
                "shared", as SGD does it too.
    fields      field of State: the column of Table 2.1 or 3.1.
    memory      the field that K-BFGS(L) fills with pairs.
    hyper       hyper-parameters that differ from their defaults.
    """

    module: object
    variables: tuple[str, ...]
    lines: dict[str, str]
    fields: dict[str, str]
    memory: str = ""
    hyper: tuple[tuple[str, object], ...] = ()


KBFGS20_LINES = {"R4.9": "step", "R4.13": "pass"} | dict.fromkeys(
    ("R4.16", "R4.17", "R4.18", "R4.20", "R4.21", "R4.22", "R4.23"), "curvature")
KBFGS20_FIELDS = {"A": "A", "H_a": "A", "H_g": "G", "s_g": "G", "y_g": "G", "grad_h": "average"}
KBFGS_LINES = {"R9.9": "step", "R9.13": "pass"} | dict.fromkeys(
    ("R9.16", "R§2.4", "R9.17", "R9.19", "R9.20", "R9.21"), "curvature")
KBFGS_FIELDS = {"A": "A", "H_A": "A", "H_G": "G", "s_G": "G", "y_G": "G", "DW_h": "average"}
FIRST_ORDER = ({"v": "curvature", "m_h": "step", "v_h": "step", "p": "step"}, {"v": "second", "m": "average"})

DENSE = {
    "K-BFGS": Method(kbfgs20, ("m", "d_i", "d_o"), KBFGS20_LINES, KBFGS20_FIELDS),
    "K-BFGS(L)": Method(kbfgs20, ("m", "p", "d_i", "d_o"), KBFGS20_LINES, KBFGS20_FIELDS, "H_g"),
    "KFAC": Method(kfac20, ("m", "d_i", "d_o", "T"),
                   {"R7.5": "step", "R7.8": "pass", "R7.9": "curvature", "R7.11": "curvature"},
                   {"A": "A", "H_a": "A", "G": "G", "H_g": "G", "grad_h": "average"}),
    "Adam": Method(adam, ("m", "d_i", "d_o"), *FIRST_ORDER),
    "RMSprop": Method(rmsprop, ("m", "d_i", "d_o"), *FIRST_ORDER),
}
"""The rows of R Tables 2.1 and 2.2."""

LAYER = ("m", "P", "I", "J", "Δ")
CONV = {
    "K-BFGS, conv": Method(kbfgs, (*LAYER, "T"), KBFGS_LINES, KBFGS_FIELDS),
    "K-BFGS(L), conv": Method(kbfgs, (*LAYER, "p", "T"), KBFGS_LINES, KBFGS_FIELDS, "H_G"),
    "KFAC, conv": Method(kfac, (*LAYER, "T_1", "T_2"),
                         {"R12.8": "step", "R12.12": "pass", "R12.14": "curvature", "R12.19": "curvature"},
                         {"Omega": "A", "H_Omega": "A", "Gamma": "G", "H_Gamma": "G", "DW_h": "average"}),
    "Adam, conv": Method(adam, LAYER, *FIRST_ORDER),
}
"""The rows of R Tables 3.1 and 3.2."""

OLD_ACTION = "K-BFGS with the Hessian action of K-BFGS-20, conv"
METHODS = DENSE | CONV | {OLD_ACTION: CONV["K-BFGS, conv"]._replace(hyper=(("improvement2", False),))}
WORK = ("shared", "pass", "curvature", "step")
STATE = ("second", "A", "G", "average", "total")
COLUMNS = (*WORK, "start", *STATE)
PERIODS = ("T", "T_1", "T_2")


def mlp(widths):
    """A model of linear layers."""
    return nets.mlp(widths, ["linear"] * (len(widths) - 1), "mse")


def cnn(P, Δ, channels):
    """A model of convolutions with these numbers of channels, on images of one row.

    The first has windows of one pixel, so that the second, if there is one, sees P positions through windows of Δ pixels.
    """
    layers = [nets.Conv2d(d, (1, Δ if i else 1), padding="valid") for i, d in enumerate(channels)]
    return nets.cnn((1, 1, P + Δ - 1), (*layers, nets.Flatten()), "mse")


def count(name, model, m, p=0, k=None, triangles=True, **periods):
    """(multiply-adds of a step by column and those of the warm start, entries of State by column), with p pairs stored.

    A step's multiply-adds are means over a period, T steps or the least common multiple of T_1 and T_2, of a training that has
    gone on for long, where it matters only which updates are due; with k, over the steps after step k. The m examples of the
    batch are all the data that the warm start has.
    """
    method = METHODS[name]
    space, work_of_step = instrumented(name, triangles)
    shapes = nets.layer_shapes(model)
    params = tuple(nets.Layer(space.zeros(shape), space.zeros(shape[0])) for shape in shapes)
    x = space.zeros((m, *model.input_shape))
    batch = nets.Batch(x, *[nets.forward(model, params, x).output] * 2)
    hyper = method.module.Hyper(**periods, **dict(method.hyper), **({"p": p} if p else {}))
    space.taken()
    state = method.module.init(model, params, batch, hyper)
    start = space.taken()
    if p:
        full = tuple(H._replace(S=space.zeros((d, p)), Y=space.zeros((d, p)))
                     for H, (d, *_) in zip(getattr(state, method.memory), shapes, strict=True))
        state = state._replace(**{method.memory: full})
    period = math.lcm(*periods.values())
    counted, work = {}, Counter()
    for i in range(period):
        kind = i if k is not None else tuple((i + 1) % T == 0 for T in periods.values())
        if kind not in counted:
            counted[kind] = work_of_step(model, params, state._replace(k=i + (period if k is None else k)), batch, hyper)
        work += counted[kind]
    entries = Counter()
    for field, value in state._asdict().items():
        sizes = []
        map_arrays(lambda x, sizes=sizes: sizes.append(math.prod(x.shape)), value)
        if sizes:
            entries[method.fields[field]] += sum(sizes)
    entries["total"] = entries.total()
    spent = {column: Fraction(work[column], period) for column in WORK}
    return spent | {"start": start}, {column: entries[column] for column in STATE}


@cache
def instrumented(name, triangles):
    """A number system that counts, and a function that takes one step in it: the multiply-adds of the step by column."""
    method, space, work = METHODS[name], Counting(triangles), Counter()

    def stop(tag, function, names, value):
        work[method.lines.get(tag, method.lines.get(names, "shared"))] += space.taken()
        return value

    step = instrument(method.module, stop, {})["step"]

    def work_of_step(*arguments):
        work.clear()
        space.taken()
        step(*arguments)
        assert space.taken() == 0, "work after the last line with a tag"
        return Counter(work)

    return space, work_of_step


@cache
def layer(name, **sizes):
    """The columns of both tables for one layer, at sizes m, d_i, d_o or m, P, I, J, Δ and, with some methods, p, T, T_1, T_2."""
    more = {x: sizes[x] for x in ("p", *PERIODS) if x in sizes}
    if name in DENSE:
        models = mlp((1, sizes["d_i"], sizes["d_o"])), mlp((1, sizes["d_i"]))
    else:
        models = (cnn(sizes["P"], sizes["Δ"], channels) for channels in ((sizes["J"], sizes["I"]), (sizes["J"],)))
    def places(shape, window):                                # where entries of patches come from costs memory here, and no count
        return range(math.prod(window.positions(*shape[:2])) * (shape[2] * math.prod(window.size) + 1))

    whole = {"return_value": [slice(None)]}                   # nor does how images are cut into blocks
    with mock.patch.object(windows, "blocks", **whole), mock.patch.object(windows, "_sources", places):
        longer, shorter = (count(name, model, sizes["m"], **more) for model in models)
    return {column: longer[i][column] - shorter[i][column] for i in range(2) for column in longer[i]}


class Polynomial(NamedTuple):
    """Σ coefficient · Π variable^power: `terms` maps the powers to the coefficient."""

    variables: tuple[str, ...]
    terms: dict[tuple[int, ...], Fraction]

    def __call__(self, **sizes):
        return sum(c * math.prod(Fraction(sizes[x]) ** power for x, power in zip(self.variables, powers, strict=True))
                   for powers, c in self.terms.items())

    def leading(self):
        """The terms that divide no other term: each outweighs all others at some sizes, unless a sum of them bounds it."""
        return {powers: c for powers, c in self.terms.items()
                if not any(other != powers and all(a <= b for a, b in zip(powers, other, strict=True)) for other in self.terms)}


SIDES = (("m", "P"), ("J", "Δ"), ("I",), ("d_i",), ("d_o",), ("p",))
"""What a matrix has as many rows or columns as; a product or inverse of matrices has three sides at most, one of them m P."""


def lattice(variables):
    """The powers of every term that a cost may have: three sides, and every period."""
    sides = [[variables.index(x) for x in side if x in variables] for side in SIDES]
    return [powers for powers in itertools.product(*(range(2) if x in ("m", "P", *PERIODS) else range(4) for x in variables))
            if sum(max((powers[i] for i in side), default=0) for side in sides) <= 3]


@cache
def polynomials(name):
    """The columns of both tables as polynomials, through counts at sizes that determine them."""
    variables = METHODS[name].variables
    terms = lattice(variables)
    points = [{x: 1 + i + (x == "T_2") for x, i in zip(variables, powers, strict=True)} for powers in terms]      # T_2 >= T_1
    counts = [layer(name, **point) for point in points]
    matrix = flint.fmpq_mat([[math.prod(x**power for x, power in zip(point.values(), powers, strict=True))
                              for powers in terms] for point in points])
    over = [x in PERIODS for x in variables]       # the steps of a period cost a polynomial, one step a part of that
    rhs = flint.fmpq_mat([[flint.fmpq(*(count[column] * math.prod(point[x] for x in PERIODS if x in point)).as_integer_ratio())
                           for column in COLUMNS] for count, point in zip(counts, points, strict=True)])
    solved = matrix.solve(rhs).tolist()
    return {column: Polynomial(variables, {tuple(map(sub, powers, over)): Fraction(int(row[i].p), int(row[i].q))
                                           for powers, row in zip(terms, solved, strict=True) if row[i] != 0})
            for i, column in enumerate(COLUMNS)}


REACH = {"m": range(0, 31, 3), "d_i": range(0, 25, 3), "d_o": range(0, 25, 3), "p": (0, 4, 8), "T": (0,)}
"""Where `fitted` looks, as powers of two; every fit goes on to the eightfold of each size."""

REACH_CONV = {"m": range(0, 16, 5), "P": range(0, 16, 5), "I": range(0, 19, 3), "J": range(0, 19, 3), "Δ": (0, 2),
              "p": (0, 4, 8), "T": (0,), "T_1": (0,), "T_2": (3,)}
"""The same for convolutions; T_2 starts from 8, since T_1 goes up to that."""

OUTWEIGHS = 0.9
"""A term of which the rest is at most a ninth can be read off the count."""


class Fit(NamedTuple):
    """The exponents by which a count grows with each variable; `doubled`: fitted to what doubling this size adds, or None."""

    exponents: tuple[float, ...]
    doubled: str | None


def _stage(found, powers, doubled, reach):
    """(share, sizes): where, and by how much, the term with these powers outweighs the rest over the whole window of a fit."""
    exponents = np.array(list(found.terms), dtype=float)
    weights = np.array([abs(float(c)) for c in found.terms.values()])
    if doubled:
        weights = weights * (2 ** exponents[:, found.variables.index(doubled)] - 1)
    wanted = list(found.terms).index(powers)
    bases = np.array(list(itertools.product(*(reach[x] for x in found.variables))), dtype=float)
    share = np.inf
    for shift in (0, *3 * np.eye(len(found.variables))):
        terms = 2.0 ** ((bases + shift) @ exponents.T) * weights
        share = np.minimum(share, terms[:, wanted] / terms.sum(axis=1))
    return share.max(), dict(zip(found.variables, (2 ** int(x) for x in bases[np.argmax(share)]), strict=True))


@cache
def fitted(name, column, powers):
    """The Fit of one term of a column, from counts where it outweighs the rest.

    A term that lies between two others, as p d_i d_o between d_i² d_o and p² d_o, outweighs both nowhere. It is fitted to
    what a doubling of one size adds to the count, which is free of the terms without that size.
    """
    found = polynomials(name)[column]
    reach = REACH if name in DENSE else REACH_CONV
    share, base = _stage(found, powers, None, reach)
    doubled = None
    if share < OUTWEIGHS:
        sizes = [x for x, power in zip(found.variables, powers, strict=True) if power > 0]
        doubled = max(sizes, key=lambda x: _stage(found, powers, x, reach)[0])
        base = _stage(found, powers, doubled, reach)[1]

    def count(sizes):
        value = layer(name, **sizes)[column]
        return layer(name, **sizes | {doubled: 2 * sizes[doubled]})[column] - value if doubled else value

    slopes = []
    for x in found.variables:
        logs = [math.log2(count(base | {x: base[x] * 2**i})) for i in range(4)]
        slopes.append(sum((i - 1.5) * y for i, y in enumerate(logs)) / 5)      # least squares over i = 0, …, 3
    return Fit(tuple(slopes), doubled)


def parsed(text, variables):
    """{powers} of a printed sum such as "m d_i² + d_o³/T"; "—" is the empty sum."""
    terms = set()
    for term in () if text == "—" else text.split(" + "):
        factors, *period = term.split("/")
        powers = Counter(dict.fromkeys(period, -1))
        for factor in factors.split():
            x = factor.rstrip("²³")
            powers[x] += {"": 1, "²": 2, "³": 3}[factor[len(x):]]
        assert set(powers) <= set(variables), term
        terms.add(tuple(powers[x] for x in variables))
    return terms


def shown(powers, variables):
    """A term in the notation that `parsed` reads."""
    powers = dict(zip(variables, powers, strict=True))
    return (" ".join(x + {1: "", 2: "²", 3: "³"}[power] for x, power in powers.items() if power > 0)
            + "".join(f"/{x}" for x, power in powers.items() if power < 0))
