"""R Assumption 6: unbiased mini-batch gradients of bounded variance, along all iterates."""

import itertools

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, on, proved_by_z3
from ..statement import Form, Statement, Status
from .common import Q

EXAMPLES = ((Q(1), Q(1)), (Q(2), Q(0)), (Q(-1), Q(1)))
"""(x, y) of f(n) = ½(wx − y)², one weight."""


def gradients(w):
    """Those of the examples, by w."""
    return [(w * x - y) * x for x, y in EXAMPLES]


def unbiased(independent=True, m=2):
    """E[g_k | past] = ∇f at w = 3, mini-batches of m; not independent: an epoch's second one, given that the first was {0}."""
    def claim():
        per_example, left = gradients(Q(3)), range(3) if independent else (1, 2)
        means = [sum((per_example[n] for n in rows), Q(0)) / m for rows in itertools.product(left, repeat=m)]
        found, full = sum(means, Q(0)) / len(means), sum(per_example, Q(0)) / 3
        return Outcome("" if found == full else f"E g = {found}, ∇f = {full}", f"mini-batches of {m}")
    return claim


def variance(limit, w_last):
    """Is the variance of one example's gradient at most `limit` at all w up to w_last?"""
    def claim():
        for w in (Q(0), Q(1), Q(w_last)):
            g = gradients(w)
            mean = sum(g, Q(0)) / 3
            found = sum(((one - mean)**2 for one in g), Q(0)) / 3
            if found > limit:
                return Outcome(f"least squares, w = {w}: variance {found} > {limit}")
        return Outcome(detail=f"w up to {w_last}")
    return claim


def logistic(over=1, bounded=True):
    """E‖(σ − y)ā‖² ≤ (largest ‖ā‖²)/over for |σ − y| ≤ 1."""
    hypotheses = {"aa >= 0": lambda r, aa, largest: aa, "largest - aa >= 0": lambda r, aa, largest: largest - aa}
    if bounded:
        hypotheses["1 - r^2 >= 0"] = lambda r, aa, largest: 1 - r * r
    return Inequality(("r", "aa", "largest"), hypotheses, lambda r, aa, largest: largest - over * r * r * aa)


STATEMENTS = (
    Statement(
        "R.As.6", "Section 3.6",
        Form("E g(θ_k, ξ_k) = ∇f(θ_k), E‖g(θ_k, ξ_k) − ∇f(θ_k)‖² <= σ², ξ_k independent: logistic regression, σ² = max ‖ā‖²/m, "
             "mini-batches drawn anew", {"unbiased": unbiased(), "variance": logistic()}),
        checks=(on("unbiased", claimed(Status.EXACT_Q, "all mini-batches of three examples")),
                on("variance", certified(Term(1, ("largest - aa >= 0",), lambda *_: 1), Term(1, ("aa >= 0", "1 - r^2 >= 0"),
                                                                                            lambda *_: 1))),
                on("variance", proved_by_z3()), on("least squares", claimed(Status.EXACT_Q, "three examples, one weight"))),
        mutants=(Form("an epoch's permutation", {"unbiased": unbiased(independent=False, m=1)}),
                 Form("least squares, σ² = 10¹²", {"least squares": variance(10**12, 10**9)}),
                 Form("half of max ‖ā‖²", {"variance": logistic(over=2)}), Form("residuals of any size", {"variance": logistic(
                     bounded=False)})),
        sharpness=(on("variance", attained_at(1, 2, 2)),), errata=(42,),
        note="σ² is the variance of the mini-batch gradient (of one example over m): Theorem 4 divides by m again. Least squares "
             "satisfies b) only while the iterates stay bounded; epochs that are permutations do not satisfy a) given the past. "
             "x_k for θ_k in b)."),
)
