"""What a step of chapter 5 costs beyond the gradient: polynomials in N₂ and in the widths of a net (m_0, m_1, m_L).

Counts are integers and polynomials of low degree in each variable, so that as many counts as there are monomials determine them.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from functools import cache

import flint
import numpy as np
from costs import Polynomial
from counting import Counting
from stepgauge import nets
from stepgauge.reference import hessian_free, subsampled
from stepgauge.verify.source import instrument

VARIABLES = ("N_2", "m_0", "m_1", "m_L")
DEGREES = (3, 1, 2, 3)
N_1 = 40
"""Examples of S₁, which the columns here must not depend on."""

COLUMNS = {"J": "rows", "D": "D", "d": "solve", "Jg": "p", "p": "p"}
"""Name on a tagged line to the column under which its work is counted; what is not here is shared with SGD or belongs to ρ."""

METHODS = {
    "SMW-GN": (subsampled, subsampled.Hyper()),
    "SMW-NG": (subsampled, subsampled.HyperNG()),
    "SMW-NG-BD": (subsampled, subsampled.HyperBD()),
}


def step(module, hyper, N_2, widths):
    """Multiply-adds of a step by name of the tagged line, for `widths` and a net of linear layers with half the sum of squares."""
    space, work = Counting(), Counter()
    model = nets.mlp(widths, ["linear"] * (len(widths) - 1), "mse")
    params = tuple(nets.Layer(space.zeros((d_o, d_i)), space.zeros(d_o)) for d_i, d_o in itertools.pairwise(widths))
    batch = nets.Batch(space.zeros((N_1, widths[0])), space.zeros((N_1, widths[-1])), None, np.arange(N_2))
    state = module.init(model, params, batch, hyper)
    space.taken()

    def stop(tag, function, names, value):
        work[names] += space.taken()
        return value

    instrument(module, stop, {})["step"](model, params, state, batch, hyper)
    return work


@cache
def columns(name, *sizes):
    """{column: multiply-adds} at sizes N₂, m_0, m_1, m_L; for "HF" those of one conjugate gradient iteration."""
    N_2, *widths = sizes
    if name == "HF":
        counts = [step(hessian_free, hessian_free.Hyper(iterations=i), N_2, widths).total() for i in (1, 2)]
        return {"iteration": counts[1] - counts[0]}
    found = Counter(dict.fromkeys(COLUMNS.values(), 0))
    for line, count in step(*METHODS[name], N_2, widths).items():
        if line in COLUMNS:
            found[COLUMNS[line]] += count
    return dict(found)


@cache
def polynomials(name):
    """The columns as polynomials, through counts on a grid that has as many points as there are monomials."""
    lattice = list(itertools.product(*(range(degree + 1) for degree in DEGREES)))
    points = [tuple(1 + i for i in powers) for powers in lattice]
    counts = [columns(name, *point) for point in points]
    matrix = flint.fmpq_mat([[math.prod(x**power for x, power in zip(point, powers, strict=True)) for powers in lattice]
                             for point in points])
    found = {}
    for column in counts[0]:
        solved = matrix.solve(flint.fmpq_mat(len(points), 1, [flint.fmpq(count[column]) for count in counts])).entries()
        found[column] = Polynomial(VARIABLES, {powers: Fraction(int(c.p), int(c.q))
                                               for powers, c in zip(lattice, solved, strict=True) if c != 0})
    return found


def total(name):
    """The sum of all columns."""
    terms = Counter()
    for polynomial in polynomials(name).values():
        terms.update(polynomial.terms)
    return Polynomial(VARIABLES, {powers: c for powers, c in terms.items() if c})


N = {(0, 1, 1, 0), (0, 0, 1, 1), (0, 0, 1, 0), (0, 0, 0, 1)}
"""The terms of n = Σ_l (m_l m_{l−1} + m_l)."""
WIDTHS = {(0, 0, 1, 0), (0, 0, 0, 1)}
"""The terms of Σ_{l ≥ 1} m_l."""


def times(factor, terms):
    """The terms of a product."""
    return {tuple(a + b for a, b in zip(factor, term, strict=True)) for term in terms}


PRINTED = {
    "SMW-GN": times((1, 0, 0, 1), N) | times((2, 0, 0, 2), WIDTHS) | {(3, 0, 0, 3)},
    "SMW-NG": times((1, 0, 0, 0), N) | times((2, 0, 0, 0), WIDTHS) | {(3, 0, 0, 0)},
    "HF": times((1, 0, 0, 0), N),
}
PRINTED["SMW-NG-BD"] = PRINTED["SMW-NG"]
"""What stands inside O(·) in the table of R Section 5.7 (HF: for one of its n_HF iterations), for this net."""


def silent(name):
    """The leading terms of the total that divide no printed one."""
    return {term for term in total(name).leading()
            if not any(all(a <= b for a, b in zip(term, printed, strict=True)) for printed in PRINTED[name])}


def shown(powers):
    """A term as text: N₂² m_0."""
    letters = ("N₂", "m_0", "m_1", "m_L")
    return " ".join(letter + {1: "", 2: "²", 3: "³"}[power] for letter, power in zip(letters, powers, strict=True) if power)
