"""W Table 1: sizes and costs of the full derivative, the Taylor term and D^(d), counted.

Three things are counted: entries; passes (one gradient of a scalar and its dot products); and operations, where the recursion of
Appendix A is carried out on graphs: the gradient of a graph is a graph, whose additions and multiplications are counted.
"""

from __future__ import annotations

import itertools
from collections import Counter
from math import comb

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status

# ------------------------------------------------------------------------------------------- reverse passes on graphs


class Node:
    """A number in a graph: a leaf, or the sum or product of two others."""

    def __init__(self, sign="", *args):
        self.sign, self.args = sign, args


def ordered(out):
    """All nodes that `out` needs, each after those it is made of."""
    seen, done, stack = set(), [], [(out, False)]
    while stack:
        node, complete = stack.pop()
        if complete:
            done.append(node)
        elif node not in seen:
            seen.add(node)
            stack += [(node, True), *((part, False) for part in node.args)]
    return done


def gradient(out, leaves):
    """One reverse pass: the graphs of ∂out/∂leaf, without products by 1."""
    nodes, moved = ordered(out), set(leaves)
    for node in nodes:
        if moved & set(node.args):
            moved.add(node)
    one = Node()
    bars = {out: one}
    for node in reversed(nodes):
        for k, part in enumerate(node.args if node in bars else ()):
            if part in moved:
                bar = bars[node]
                if node.sign == "*":
                    bar = node.args[1 - k] if bar is one else Node("*", bar, node.args[1 - k])
                bars[part] = Node("+", bars[part], bar) if part in bars else bar
    return [bars[leaf] for leaf in leaves]


def recursion(P, upto):
    """(θ, u, the graphs of the Taylor terms of orders 1 to `upto`) for the loss x ← (x + θ_p)², p = 1, …, P, from x = 0."""
    theta, u = [Node() for _ in range(P)], [Node() for _ in range(P)]
    x = Node("*", theta[0], theta[0])
    for leaf in theta[1:]:
        y = Node("+", x, leaf)
        x = Node("*", y, y)
    found = []
    for _ in range(upto):
        terms = [Node("*", bar, v) for bar, v in zip(gradient(x, theta), u, strict=True)]
        x = terms[0]
        for term in terms[1:]:
            x = Node("+", x, term)
        found.append(x)
    return theta, u, found


def operations(P, upto):
    """Additions and multiplications of the Taylor terms of orders 1 to `upto`."""
    return [sum(bool(node.sign) for node in ordered(term)) for term in recursion(P, upto)[2]]


def taylor_operations(P, d):
    """The same terms by truncated Taylor polynomials in t of θ + tu: a sum costs d + 1, a product (d + 1)² operations."""
    return (P - 1) * (d + 1) + P * (d + 1) ** 2


# --------------------------------------------------------------------------------------------------------------- forms

def sizes(full, term, tensor):
    """Entries of the three objects, counted for small P, S, d."""
    def code():
        for P, S, d in itertools.product((1, 2, 3, 5), (1, 2, 3), (1, 2, 3, 4)):
            have = [len(list(itertools.product(range(P), repeat=d))), 1, len(list(itertools.product(range(S), repeat=d)))]
            said = [full(P, S, d), term(P, S, d), tensor(P, S, d)]
            if have != said:
                return Outcome(f"P = {P}, S = {S}, d = {d}: {have}, not {said}")
        return Outcome()
    return code


def tree(S, d):
    """Passes for D^(d) with every entry of a lower order differentiated once, by order."""
    return Counter(len(places) + 1 for k in range(d) for places in itertools.product(range(S), repeat=k))


def passes(said):
    """Passes for all entries of D^(d), the lower orders included, on which they rest."""
    def code():
        for S, d in itertools.product((1, 2, 3, 10), (1, 2, 3, 4)):
            have = sum(tree(S, d).values())
            if have != said(S, d):
                return Outcome(f"S = {S}, d = {d}: {have} passes, not {said(S, d)}")
        return Outcome()
    return code


def within(said, factor):
    """Sharpness: the sum is between the leading term and `factor` times it, for S >= 2."""
    return lambda _: claimed(Status.EXACT_Q, "counted for S = 2, 3, 10, d = 1, …, 4")(
        lambda: Outcome("" if all(said(S, d) <= sum(tree(S, d).values()) <= factor * said(S, d)
                                  for S in (2, 3, 10) for d in (1, 2, 3, 4)) else "outside",
                        "between S^(d−1) and 2S^(d−1) for S >= 2; sorted index tuples alone: C(S + d − 1, d − 1)"
                        if all(sum(comb(S + k - 1, k) for k in range(d)) == comb(S + d - 1, d - 1)
                               for S in (2, 3, 10) for d in (1, 2, 3, 4)) else "the sorted tuples are miscounted"))


def cost(bound, text, method=operations):
    """Operations of orders d = 1, …, 6 stay below the bound for P = 8, 16, 17, 18, and grow with P along a line."""
    def code():
        counts = {P: method(P, 6) for P in (8, 16, 17, 18)}
        for P, orders in counts.items():
            for d, have in enumerate(orders, 1):
                if have > bound(d, P, orders[0]):
                    return Outcome(f"P = {P}, d = {d}: {have} operations, against {bound(d, P, orders[0])} = {text}")
        steps = [[b - a for a, b in zip(counts[P], counts[P + 1], strict=True)] for P in (16, 17)]
        return Outcome("" if steps[0] == steps[1] else "not linear in P", f"operations for one more parameter, by order: "
                                                                          f"{steps[0]}")
    return code


COUNTED = claimed(Status.EXACT_Q, "counted")

STATEMENTS = (
    Statement(
        "W.Tab.1/1", "Table 1, sizes",
        Form("full derivative P^d, Taylor term 1, tensor D^(d) S^d scalars",
             sizes(lambda P, S, d: P**d, lambda P, S, d: 1, lambda P, S, d: S**d)),
        checks=(claimed(Status.EXACT_Q, "counted for P <= 5, S <= 3, d <= 4"),),
        mutants=(Form("P^d counted up to symmetry", sizes(lambda P, S, d: comb(P + d - 1, d), lambda P, S, d: 1,
                                                          lambda P, S, d: S**d)),
                 Form("dP for P^d", sizes(lambda P, S, d: d * P, lambda P, S, d: 1, lambda P, S, d: S**d)),
                 Form("S^(d−1) for S^d", sizes(lambda P, S, d: P**d, lambda P, S, d: 1, lambda P, S, d: S**(d - 1)))),
        note="Up to symmetry C(P + d − 1, d) and C(S + d − 1, d) of them are different. Restored from the text."),
    Statement(
        "W.Tab.1/2", "Table 1, cost of D^(d) in passes of cost P",
        Form("S^(d−1)", passes(lambda S, d: S**(d - 1))), checks=(COUNTED,),
        repaired=Form("1 + S + ⋯ + S^(d−1)", passes(lambda S, d: sum(S**k for k in range(d)))),
        sharpness=(within(lambda S, d: S**(d - 1), 2),),
        mutants=(Form("d S^(d−1)", passes(lambda S, d: d * S**(d - 1))), Form("S^d", passes(lambda S, d: S**d)),
                 Form("1 + S^(d−1)", passes(lambda S, d: 1 + S**(d - 1)))),
        note="Restored. Right for S >= 2 up to a factor below 2; at S = 1, where D^(d) is the Taylor term, it contradicts the row "
             "above it, which says d: the passes of the lower orders are forgotten. H̄ (d = 2) takes S + 1.", errata=(82,)),
    Statement(
        "W.Tab.1/3", "Table 1 and Appendix A, cost of the Taylor term: each order one gradient and one dot product",
        Form("proportional to d × P", cost(lambda d, P, first: d * first, "d times the first order's")), checks=(COUNTED,),
        repaired=Form("c_d × P; for the loss x ← (x + θ_p)² and d <= 6 c_d = 7, 18, 51, 152, 461, 1402, nearly tripled each time",
                      cost(lambda d, P, first: (7, 18, 51, 152, 461, 1402)[d - 1] * P, "c_d P")),
        long=True,
        mutants=(Form("7·2^(d−1) P", cost(lambda d, P, first: 7 * 2**(d - 1) * P, "7·2^(d−1) P")),
                 Form("7d² P", cost(lambda d, P, first: 7 * d**2 * P, "7d² P")),
                 Form("2d P", cost(lambda d, P, first: 2 * d * P, "2d P"))),
        note="d passes, but each is a gradient of a longer computation, not of one that costs P. For a fixed d the cost is linear "
             "in P, which is all that the method uses (d <= 3).", errata=(82,)),
    Statement(
        "W.Tab.1/4", "beside Table 1 (ours): the cost of the Taylor term",
        Form("at most 3d² × P for d >= 2, by truncated Taylor polynomials along θ + tu instead of the recursion of Appendix A",
             cost(lambda d, P, first: max(3 * d**2, 6) * P, "3d² P",
                  lambda P, upto: [taylor_operations(P, d) for d in range(1, upto + 1)])),
        checks=(COUNTED,),
        mutants=(Form("by the recursion", cost(lambda d, P, first: max(3 * d**2, 6) * P, "3d² P")),
                 Form("at most 4d × P", cost(lambda d, P, first: max(4 * d, 6) * P, "4d P",
                                             lambda P, upto: [taylor_operations(P, d) for d in range(1, upto + 1)])),
                 Form("at most d² × P", cost(lambda d, P, first: max(d**2, 6) * P, "d² P",
                                             lambda P, upto: [taylor_operations(P, d) for d in range(1, upto + 1)]))),
        note="A polynomial dependence on d can be had for the Taylor term; the same loss."),
)
