"""W (6), Case 2: how many roots lie beyond (2/λ)|λ_min|, counted exactly by Sturm's chain."""

import itertools
from fractions import Fraction

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status
from .diagonal import roots_above

RIGHT_SIDES = tuple(itertools.product((0, Fraction(1, 10), 1, 2), repeat=2))


def cases():
    """(k, c, λ) with K = Diag(k) not positive definite, k_1 its smallest eigenvalue; λ in {1, 2}."""
    for k1, gap, c, lam in itertools.product((-2, -1, 0), (0, 1, 3), RIGHT_SIDES, (1, 2)):
        yield (k1, k1 + gap), c, lam


def beyond(k, c, lam):
    """Does ‖(K − λ_min)⁺c‖ exceed (2/λ)|λ_min|, or has c a component in the eigenspace of λ_min?"""
    lowest = min(k)
    if any(y for x, y in zip(k, c, strict=True) if x == lowest):
        return 1
    rest = sum((Fraction(y) / (x - lowest)) ** 2 for x, y in zip(k, c, strict=True) if x != lowest)
    return int(rest > Fraction(2 * lowest, lam) ** 2)


def roots(said, bound=2):
    """(6) has said(k, c, λ) roots r > (bound/λ)|λ_min|."""
    def code():
        for k, c, lam in cases():
            have = roots_above(k, c, lam, Fraction(bound * abs(k[0]), lam))
            if have != said(k, c, lam):
                return Outcome(f"K = Diag{k}, D⁻¹ḡ = ({', '.join(map(str, c))}), λ = {lam}: {have} roots beyond")
        return Outcome()
    return code


STATEMENTS = (
    Statement(
        "W.Eq.6", "Appendix D, Case 2",
        Form("r = ‖(K + (λ_int/2) r Id)⁻¹D⁻¹ḡ‖ with r > (2/λ_int)|λ_min| has exactly one solution", roots(lambda k, c, lam: 1)),
        checks=(claimed(Status.EXACT_Q, "Sturm's chain on 288 diagonal K with λ_min in {−2, −1, 0}; in general at most one by "
                                        "W.Eq.5/2, and one where the limit at the bound exceeds it"),),
        repaired=Form("it has one if D⁻¹ḡ has a component in the eigenspace of λ_min or ‖(K − λ_min Id)⁺D⁻¹ḡ‖ > (2/λ_int)|λ_min|, "
                      "and none otherwise (the hard case)", roots(beyond)),
        mutants=(Form("if, and only if, D⁻¹ḡ has a component in the eigenspace of λ_min",
                      roots(lambda k, c, lam: int(any(y for x, y in zip(k, c, strict=True) if x == min(k))))),
                 Form("with >= for > in the second condition", roots(
                     lambda k, c, lam: max(beyond(k, c, lam), int(k[0] == 0)))),
                 Form("beyond (3/λ_int)|λ_min|", roots(beyond, bound=3)),
                 Form("one if ḡ is not 0", roots(lambda k, c, lam: int(any(c))))),
        hypotheses=("H̄ not positive definite, λ_min <= 0 the smallest eigenvalue of K", "λ_int > 0, d_s > 0"), errata=(27,),
        note="In the hard case the minimisers lie on ‖η′‖ = (2/λ_int)|λ_min| itself, where the matrix is singular: "
             "(K − λ_min Id)⁺D⁻¹ḡ and a free part in the eigenspace, that fills up the norm. H̄ = 0, ḡ = 0 is the smallest case."),
)
