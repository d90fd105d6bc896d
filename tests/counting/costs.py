"""What a step costs, layer by layer, as polynomials in the sizes: exact, because counts are integers.

The cost of a layer with d_i inputs and d_o outputs is what a network costs with it, less what it costs without it, so that the
layer has a backward product and everything that belongs to other layers cancels. `layer` counts it at given sizes,
`polynomials` finds the polynomials through enough of such counts, `fitted` the exponents by which counts grow where one term
outweighs the rest.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import flint
import numpy as np
from counting import Counting
from stepgauge import nets
from stepgauge.arrays import map_arrays
from stepgauge.reference import kbfgs20, kfac20
from stepgauge.reference.first_order import adam, rmsprop
from stepgauge.reference.parts.lbfgs import Memory
from stepgauge.verify.source import instrument


class Method(NamedTuple):
    """A row of the tables.

    variables   the sizes on which its cost depends.
    lines       paper line, or name of what it computes: the column of Table 2.2 under which it is counted; absent: "shared",
                as SGD does it too.
    fields      field of State: the column of Table 2.1.
    """

    module: object
    variables: tuple[str, ...]
    lines: dict[str, str]
    fields: dict[str, str]


KBFGS_LINES = {"R4.9": "step", "R4.13": "pass"} | dict.fromkeys(
    ("R4.16", "R4.17", "R4.18", "R4.20", "R4.21", "R4.22", "R4.23"), "curvature")
KBFGS_FIELDS = {"A": "A", "H_a": "A", "H_g": "G", "s_g": "G", "y_g": "G", "grad_h": "average"}
FIRST_ORDER = (("m", "d_i", "d_o"), {"v": "curvature", "m_h": "step", "v_h": "step", "p": "step"},
               {"v": "second", "m": "average"})

METHODS = {
    "K-BFGS": Method(kbfgs20, ("m", "d_i", "d_o"), KBFGS_LINES, KBFGS_FIELDS),
    "K-BFGS(L)": Method(kbfgs20, ("m", "p", "d_i", "d_o"), KBFGS_LINES, KBFGS_FIELDS),
    "KFAC": Method(kfac20, ("m", "d_i", "d_o", "T"),
                   {"R7.5": "step", "R7.8": "pass", "R7.9": "curvature", "R7.11": "curvature"},
                   {"A": "A", "H_a": "A", "G": "G", "H_g": "G", "grad_h": "average"}),
    "Adam": Method(adam, *FIRST_ORDER),
    "RMSprop": Method(rmsprop, *FIRST_ORDER),
}
WORK = ("shared", "pass", "curvature", "step")
STATE = ("second", "A", "G", "average", "total")


def network(name, widths, m, p=0, T=1, k=None, triangles=True):
    """(multiply-adds of a step by column, entries of State by column), with p pairs stored.

    Multiply-adds are means over the T steps after step k, which is step T unless said otherwise.
    """
    method, space = METHODS[name], Counting(triangles)
    model = nets.mlp(widths, ["linear"] * (len(widths) - 1), "mse")
    params = tuple(nets.Layer(space.zeros((d_o, d_i)), space.zeros(d_o)) for d_i, d_o in itertools.pairwise(widths))
    batch = nets.Batch(space.zeros((m, widths[0])), space.zeros((m, widths[-1])), space.zeros((m, widths[-1])))
    hyper = method.module.Hyper(**{"p": p} if p else {"T": T} if "T" in method.variables else {})
    state = method.module.init(model, params, batch, hyper)._replace(k=T if k is None else k)
    if p:
        state = state._replace(H_g=tuple(Memory(*(space.zeros((d, p)) for _ in range(2)), p) for d in widths[1:]))
    work, entries = Counter(), Counter()
    space.taken()

    def stop(tag, function, names, value):
        work[method.lines.get(tag, method.lines.get(names, "shared"))] += space.taken()
        return value

    step = instrument(method.module, stop, {})["step"]
    for _ in range(T):
        params, state, _ = step(model, params, state, batch, hyper)
        assert space.taken() == 0, "work after the last line with a tag"
    for field, value in state._asdict().items():
        sizes = []
        map_arrays(lambda x, sizes=sizes: sizes.append(math.prod(x.shape)), value)
        if sizes:
            entries[method.fields[field]] += sum(sizes)
    entries["total"] = entries.total()
    return {column: Fraction(work[column], T) for column in WORK}, {column: entries[column] for column in STATE}


@cache
def layer(name, **sizes):
    """The columns of both tables for one layer, at sizes m, d_i, d_o and, where the method has them, p, T."""
    m, d_i, d_o, more = sizes["m"], sizes["d_i"], sizes["d_o"], {x: sizes[x] for x in ("p", "T") if x in sizes}
    longer, shorter = (network(name, widths, m, **more) for widths in ((1, d_i, d_o), (1, d_i)))
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


DEGREE = 4


@cache
def polynomials(name):
    """The columns of both tables as polynomials, through the counts at a simplex of sizes that determines degree 4."""
    variables = METHODS[name].variables
    lattice = [powers for powers in itertools.product(range(DEGREE + 1), repeat=len(variables)) if sum(powers) <= DEGREE]
    points = [dict(zip(variables, (1 + i for i in powers), strict=True)) for powers in lattice]
    counts = [layer(name, **point) for point in points]
    matrix = flint.fmpq_mat([[math.prod(x**power for x, power in zip(point.values(), powers, strict=True))
                              for powers in lattice] for point in points])
    over_T = "T" in variables                      # a period of T steps costs a polynomial, a step a T-th of that
    found = {}
    for column in WORK + STATE:
        rhs = [flint.fmpq(*(count[column] * point.get("T", 1)).as_integer_ratio())
               for count, point in zip(counts, points, strict=True)]
        solved = matrix.solve(flint.fmpq_mat(len(rhs), 1, rhs)).entries()
        found[column] = Polynomial(variables, {(*powers[:-1], powers[-1] - over_T): Fraction(int(c.p), int(c.q))
                                               for powers, c in zip(lattice, solved, strict=True) if c != 0})
    return found


REACH = {"m": range(0, 31, 3), "d_i": range(0, 25, 3), "d_o": range(0, 25, 3), "p": (0, 4, 8), "T": (0,)}
"""Where `fitted` looks, as powers of two; every fit goes on to the eightfold of each size."""

OUTWEIGHS = 0.9
"""A term of which the rest is at most a ninth can be read off the count."""


class Fit(NamedTuple):
    """The exponents by which a count grows with each variable; `doubled`: fitted to what doubling this size adds, or None."""

    exponents: tuple[float, ...]
    doubled: str | None


def _stage(found, powers, doubled):
    """(share, sizes): where, and by how much, the term with these powers outweighs the rest over the whole window of a fit."""
    exponents = np.array(list(found.terms), dtype=float)
    weights = np.array([abs(float(c)) for c in found.terms.values()])
    if doubled:
        weights = weights * (2 ** exponents[:, found.variables.index(doubled)] - 1)
    wanted = list(found.terms).index(powers)
    bases = np.array(list(itertools.product(*(REACH[x] for x in found.variables))), dtype=float)
    share = np.inf
    for shift in (0, *3 * np.eye(len(found.variables))):
        terms = 2.0 ** ((bases + shift) @ exponents.T) * weights
        share = np.minimum(share, terms[:, wanted] / terms.sum(axis=1))
    return share.max(), dict(zip(found.variables, (2 ** int(x) for x in bases[np.argmax(share)]), strict=True))


def fitted(name, column, powers):
    """The Fit of one term of a column, from counts where it outweighs the rest.

    A term that lies between two others, as p d_i d_o between d_i² d_o and p² d_o, outweighs both nowhere. It is fitted to
    what a doubling of one size adds to the count, which is free of the terms without that size.
    """
    found = polynomials(name)[column]
    share, base = _stage(found, powers, None)
    doubled = None
    if share < OUTWEIGHS:
        sizes = [x for x, power in zip(found.variables, powers, strict=True) if power]
        doubled = max(sizes, key=lambda x: _stage(found, powers, x)[0])
        base = _stage(found, powers, doubled)[1]

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
        powers = Counter()
        for factor in term.replace("/T", " T⁻¹").split():
            x = factor.rstrip("⁻¹²³")
            powers[x] += {"": 1, "²": 2, "³": 3, "⁻¹": -1}[factor[len(x):]]
        assert set(powers) <= set(variables), term
        terms.add(tuple(powers[x] for x in variables))
    return terms


def shown(powers, variables):
    """A term in the notation that `parsed` reads."""
    factors = [x + {1: "", 2: "²", 3: "³"}[power] for x, power in zip(variables, powers, strict=True) if power > 0]
    return " ".join(factors) + ("/T" if "T" in variables and powers[-1] < 0 else "")
