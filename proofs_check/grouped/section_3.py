"""W Section 3: D^(d)_θ(u), an order-d derivative summed over subsets, checked on random polynomials of degree 4, orders 1 to 4."""

import itertools
from math import factorial

from ... import nets
from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import Field
from ..statement import Form, Statement, Status
from .common import composed, derivatives, polynomial, subsets, summary, taylor, taylor_term, value

ORDERS = (1, 2, 3, 4)


def drawn(field, n):
    """A loss with a point and a direction."""
    return polynomial(field, n), [field.draw() for _ in range(n)], [field.draw() for _ in range(n)]


def sums(kept=lambda places: True, scale=lambda u, order: u):
    """The sum of the entries of D^(d)(u) that are kept is the Taylor term."""
    def pairs(field, n):
        L, theta, u = drawn(field, n)
        for order in ORDERS:
            total = field.number(0)
            for places, x in summary(field, L, theta, scale(u, order), order, subsets(n)).items():
                if kept(places):
                    total += x
            yield total, taylor_term(field, L, theta, u, order)
    return pairs


def derivative_in_eta(sign=1, divide=lambda order: 1, axes=lambda order: order):
    """D^(d)(u) is the order-d derivative at η = 0 of L(θ + U I_{P:S} η), and symmetric."""
    def pairs(field, n):
        L, theta, u = drawn(field, n)
        S = subsets(n)
        inner = composed(field, L, theta, [sign * x for x in u], S)
        for order in ORDERS[:3]:
            D = summary(field, L, theta, u, axes(order), S)
            there = derivatives(field, inner, [field.number(0)] * S, order)
            for places in set(D) | set(there):
                yield D[places], there.get(places, field.number(0)) / field.number(divide(order))
                yield D[places], D[places[::-1]]
    return pairs


def expansion(upto=4, weight=factorial):
    """L(θ + u) is the sum of the Taylor terms, with nothing left where L has degree 4."""
    def pairs(field, n):
        L, theta, u = drawn(field, n)
        yield value(field, L, [x + y for x, y in zip(theta, u, strict=True)]), taylor(field, L, theta, u, upto, weight)
    return pairs


def more_than_taylor(other):
    """At u = (1, 1), S = 2: θ_1² + θ_2² and `other` have one second Taylor term and two summaries."""
    def code():
        field = Field(None, 0)
        one, zero = field.number(1), field.number(0)
        losses = [{places: field.number(*c) for places, c in L.items()} for L in ({(0, 0): (1,), (1, 1): (1,)}, other)]
        terms = [taylor_term(field, L, [zero, zero], [one, one], 2) for L in losses]
        first, second = (summary(field, L, [zero, zero], [one, one], 2, 2) for L in losses)
        if terms[0] != terms[1]:
            return Outcome(f"Taylor terms {terms[0]} and {terms[1]} differ")
        same = all(first[places] == second[places] for places in itertools.product(range(2), repeat=2))
        return Outcome("the two summaries are one" if same else "", f"second Taylor term {terms[0]} in both")
    return code


def tensors(count):
    """An L-layer perceptron has `count(L)` tensors."""
    def code():
        for L in (1, 2, 3, 7):
            params = nets.init(nets.mlp((2,) * (L + 1), ("tanh",) * (L - 1) + ("linear",), "mse"), seed=0)
            have = sum(len(layer) for layer in params)
            if have != count(L):
                return Outcome(f"L = {L}: {have} tensors, not {count(L)}")
        return Outcome()
    return code


STATEMENTS = (
    Statement(
        "W.Sec.3/1", "Section 3, the Taylor term by subsets",
        Form("d^dL/dθ^d (θ)[u, …, u] = Σ_{s_1} ⋯ Σ_{s_d} (D^(d)_θ(u))_{s_1,…,s_d} = D^(d)_θ(u)[1_S, …, 1_S]", sums()),
        checks=(over_Q((1, 3, 5), 3), mod_p(lambda n: 20)),
        long=True,
        mutants=(Form("over s_1 <= … <= s_d only", sums(lambda places: places == tuple(sorted(places)))),
                 Form("over the diagonal only", sums(lambda places: len(set(places)) == 1)),
                 Form("D^(d)(2u)", sums(scale=lambda u, order: [2 * x for x in u]))),
        note="Restored from the text around the lost formula. Orders 1 to 4; polynomials of degree 4 have every derivative of "
             "these orders as a special case, so that the identity holds for every loss that is d times differentiable at θ.",
    ),
    Statement(
        "W.Sec.3/2", "Section 3, the entries of D^(d)",
        Form("(D^(d)_θ(u))_{s_1,…,s_d} = ∂^dL/(∂T^{s_1} ⋯ ∂T^{s_d}) [U^{s_1}, …, U^{s_d}], a symmetric d-linear form on R^S: the "
             "order-d derivative at η = 0 of L(θ + U I_{P:S} η)", derivative_in_eta()),
        checks=(over_Q((1, 3, 5), 3), mod_p(lambda n: 20)),
        long=True,
        mutants=(Form("of L(θ − U I_{P:S} η)", derivative_in_eta(sign=-1)),
                 Form("the order-d Taylor coefficient", derivative_in_eta(divide=factorial)),
                 Form("of L(θ + 2U I_{P:S} η)", derivative_in_eta(sign=2))),
        note="Restored; d-linear and symmetric in its arguments on R^S, homogeneous of degree d (not linear) in u.",
    ),
    Statement(
        "W.Sec.3/3", "Section 3, Taylor expansion",
        Form("L(θ + u) = Σ_{d=0}^{D} (1/d!) d^dL/dθ^d (θ)[u, …, u] + o(‖u‖^D)", expansion()),
        checks=(over_Q((1, 3, 5), 3), mod_p(lambda n: 20)),
        mutants=(Form("without 1/d!", expansion(weight=lambda d: 1)), Form("with 1/d", expansion(weight=lambda d: max(d, 1))),
                 Form("up to D − 1", expansion(upto=3))),
        hypotheses=("L is D times differentiable at θ: not so at the kink of a ReLU, where max(u, 0) has no first term",),
        note="Exactly, with no remainder, for polynomials of degree D = 4; Peano's remainder for other losses is a classical fact.",
    ),
    Statement(
        "W.Sec.3/4", "Section 3, Properties of D^(d)",
        Form("D^(d) extracts more information than the Taylor term: θ_1² + θ_2² and (θ_1 + θ_2)²/2 differ in it alone",
             more_than_taylor({(0, 0): (1, 2), (0, 1): (1,), (1, 1): (1, 2)})),
        checks=(claimed(Status.EXACT_Q, "two losses with one Taylor term and two summaries"),),
        mutants=(Form("θ_1² + θ_2² and 2θ_1² + 2θ_2²", more_than_taylor({(0, 0): (2,), (1, 1): (2,)})),
                 Form("θ_1² + θ_2² twice", more_than_taylor({(0, 0): (1,), (1, 1): (1,)})),
                 Form("θ_1² + θ_2² and θ_1θ_2", more_than_taylor({(0, 1): (1,)}))),
        note="The example is ours; the other direction is W.Sec.3/1: the Taylor term is the sum of the entries."),
    Statement(
        "W.Sec.3/5", "Section 3, Properties of D^(d)",
        Form("a perceptron with L layers has S = 2L tensors", tensors(lambda L: 2 * L)),
        checks=(claimed(Status.EXACT_Q, "counted for L = 1, 2, 3, 7"),),
        mutants=(Form("S = L", tensors(lambda L: L)), Form("S = 2L − 1", tensors(lambda L: 2 * L - 1)),
                 Form("S = 2L + 1", tensors(lambda L: 2 * L + 1)))),
)
