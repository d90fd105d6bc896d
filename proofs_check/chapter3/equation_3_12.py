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


def pair_of_one(others=False, coupled=False, quadratic=True):
    """Is y_t = G_tt s_t at one position of one example, f = ½(v_1h_1 − 1)² + ½(v_2h_2 − 1)²?

    Takes    others: does the step move v, a later layer, too? coupled: f = ½(v_1h_1 + v_2h_2 − 1)²; quadratic: or of fourth power.
    """
    def claim():
        h, v, h_new, v_new = [Q(1), Q(2)], [Q(1), Q(3)], [Q(2), Q(1)], [Q(2), Q(-1)] if others else [Q(1), Q(3)]

        def slopes(h, v):
            z = [v[0] * h[0] + v[1] * h[1]] * 2 if coupled else [v[0] * h[0], v[1] * h[1]]
            return [v[t] * (z[t] - 1)**(1 if quadratic else 3) for t in range(2)]
        for h_plus in (h_new, h):
            for t in range(2):
                s, y = h_plus[t] - h[t], slopes(h_plus, v_new)[t] - slopes(h, v)[t]
                G_tt = v[t]**2 * (1 if quadratic else 3 * (v[t] * h[t] - 1)**2)
                if y != G_tt * s:
                    return Outcome(f"h = {h}, v = {v}; after the step h = {h_plus}, v = {v_new}: s_{t + 1} = {s}, y_{t + 1} = {y}, "
                                   f"G_tt = {G_tt}")
        return Outcome(detail="two positions, exactly")
    return claim


STATEMENTS = (
    *(Statement(
        f"R.Eq.3.{number}", "Section 3.3.2, extension to convolutional layers",
        Form(f"{formula}: the pair for G of (3.9)", pair_of_mean()),
        checks=(claimed(Status.EXACT_Q, "y_t = G_t s_t at every position, exactly"),),
        mutants=(Form("where s_t is the same, y doubled", pair_of_mean("s", scale=2)),
                 Form("where G_t is the same, y doubled", pair_of_mean("G", scale=2)), Form("y doubled", pair_of_mean(scale=2))),
        repaired=Form(f"{formula}: the pair for G where all G_tt(n), or all changes of h, are equal", pair_of_mean(equal)),
        errata=(43, 35), note=note)
      for number, formula, equal, note in (
        (12, "s_G = E_n[mean of h⁺ − h]", "s", "A mean of products is not the product of means, again (3.5); ȳ = Ḡs̄ holds where "
         "either factor is constant. What y_t is at one position is part 1."),
        (13, "y_G = E_n[mean of 𝒟h⁺ − 𝒟h]", "G", "In front of a batch normalisation y_G is 0 whatever G is (ERR-35)."))),
    Statement(
        "R.Eq.3.12/1", "Section 3.3.2, above (3.12)",
        Form("for fixed n and t, (h_t⁺ − h_t, 𝒟h_t⁺ − 𝒟h_t) is the pair for G_tt, + after a step of the parameters",
             pair_of_one(others=True)),
        checks=(claimed(Status.EXACT_Q, "a layer with two positions and one behind it, exactly"),),
        mutants=(Form("where positions are coupled", pair_of_one(coupled=True)),
                 Form("of a loss that is not quadratic", pair_of_one(quadratic=False)),
                 Form("both", pair_of_one(others=True, coupled=True))),
        repaired=Form("… of this layer's parameters alone, where G_tt′ = 0 and the loss is quadratic in h_t", pair_of_one()),
        note="All layers step before line 13: y_t contains what later layers' steps change, even where h_t stands still (s = 0, y "
             "≠ 0), and G_tt′s_t′ of other positions.", errata=(70,)),
)
