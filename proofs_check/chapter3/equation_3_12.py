"""R (3.12), (3.13): the pair (s_G, y_G) made of means over positions and examples."""

import random

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status
from .common import Q, mixed, times


def drawn(rng, n, count):
    """`count` symmetric matrices G_t of size n with changes s_t of h, and y_t = G_t s_t as of a loss that adds over positions."""
    for _ in range(count):
        M = [[Q(rng.randint(-3, 3)) for _ in range(n)] for _ in range(n)]
        G = [[M[min(i, j)][max(i, j)] for j in range(n)] for i in range(n)]
        yield G, [Q(rng.randint(-3, 3)) for _ in range(n)]


def mean(vectors):
    """Their mean."""
    total = vectors[0]
    for v in vectors[1:]:
        total = mixed(1, total, 1, v)
    return [entry / len(vectors) for entry in total]


def pair_of_mean(equal="", scale=1):
    """Is mean(y_t) = mean(G_t) mean(s_t)? equal: "G" or "s" are the same at all positions."""
    def claim():
        rng = random.Random(1)
        for n, T in ((1, 2), (2, 3), (3, 4)):
            found = [*drawn(rng, n, T)]
            if equal == "G":
                found = [(found[0][0], s) for _, s in found]
            if equal == "s":
                found = [(G, found[0][1]) for G, _ in found]
            y = [[scale * entry for entry in times(G, s)] for G, s in found]
            s_b, G_b = mean([s for _, s in found]), [mean([G[i] for G, _ in found]) for i in range(n)]
            if mean(y) != times(G_b, s_b):
                shown = f"G_t = {[G for G, _ in found]}, s_t = {[s for _, s in found]}"
                return Outcome(f"{shown}: ȳ = {mean(y)}, Ḡs̄ = {times(G_b, s_b)}")
        return Outcome(detail="n = 1, 2, 3 channels, 2 to 4 positions")
    return claim


STATEMENTS = tuple(
    Statement(
        f"R.Eq.3.{number}", "Section 3.3.2, extension to convolutional layers",
        Form(f"{formula}: the pair for G of (3.9)", pair_of_mean()),
        checks=(claimed(Status.EXACT_Q, "y_t = G_t s_t at every position, exactly"),),
        mutants=(Form("where s_t is the same, y doubled", pair_of_mean("s", scale=2)),
                 Form("where G_t is the same, y doubled", pair_of_mean("G", scale=2)), Form("y doubled", pair_of_mean(scale=2))),
        repaired=Form(f"{formula}: the pair for G where all G_tt(n), or all changes of h, are equal", pair_of_mean(equal)),
        errata=(43, 35), note=note)
    for number, formula, equal, note in (
        (12, "s_G = E_n[mean of h⁺ − h]", "s", "A mean of products is not the product of means, again (3.5); ȳ = Ḡs̄ holds where "
                                               "either "
         "factor is constant. For a loss that adds over positions, G_tt′ = 0."),
        (13, "y_G = E_n[mean of 𝒟h⁺ − 𝒟h]", "G", "In front of a batch normalisation y_G is 0 whatever G is (ERR-35).")))
