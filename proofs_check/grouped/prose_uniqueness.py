"""W Method 4.1, Appendix D: is there a solution of (2) with the largest norm, is it one, and does it minimise T?

Decided on diagonal problems in the eigenvectors of K, with λ = 2, so that the matrix is K + r. A root r of (5) is one solution of
the printed equation, unless K + r is singular. Without an inverse a singular K + r has solutions as well, if ḡ's part in its null
space is 0 and the rest leaves room: one, two, or a sphere, told by the square of what is left free.
"""

import itertools
from fractions import Fraction

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status
from .diagonal import roots_above


def problems(lowest=-2, highest=2):
    """(k, c): K = Diag(k), k_1 <= k_2, c = D⁻¹ḡ."""
    for k1, gap in itertools.product(range(lowest, highest + 1), (0, 1, 2)):
        for c in itertools.product((0, Fraction(1, 3), 1, 2), repeat=2):
            yield (k1, k1 + gap), c


def singular(k, c):
    """For every r >= 0 at which K + r is singular and has solutions with norm r: (r, what is left free of r²)."""
    for r in {-x for x in k if x <= 0}:
        if not any(y for x, y in zip(k, c, strict=True) if x == -r):
            free = r * r - sum((Fraction(y) / (x + r)) ** 2 for x, y in zip(k, c, strict=True) if x != -r)
            if free >= 0:
                yield r, free


def invertible(k, c, above=None):
    """How many solutions with an invertible K + r there are, with r > above if it is given."""
    if not any(c):
        return int(all(k) and (above is None or above < 0))
    count = roots_above(k, c, 2, 0 if above is None else above)
    return count - sum(free == 0 for r, free in singular(k, c) if r > (0 if above is None else above))


def solution(inverse, *, exists=False, unique=False, minimises=False):
    """What is claimed of the solutions of largest norm, with the inverse or without."""
    def code():
        for k, c in problems():
            shown = f"K = Diag{k}, D⁻¹ḡ = ({', '.join(map(str, c))}), λ = 2"
            edge = [] if inverse else list(singular(k, c))
            if exists and not invertible(k, c) and not edge:
                return Outcome(f"{shown}: no solution")
            largest = max((r for r, _ in edge), default=-1)
            beyond = invertible(k, c, largest if largest >= 0 else None)
            lowest = max(0, -k[0])
            good = invertible(k, c, lowest) or (not any(c) and k[0] > 0) or (edge and largest == lowest)
            if minimises and (beyond or edge) and not good:
                return Outcome(f"{shown}: the solution of largest norm is no minimiser of T")
            if unique and not beyond and any(free > 0 for r, free in edge if r == largest):
                return Outcome(f"{shown}: more than one solution has the largest norm")
        return Outcome()
    return code


def number(said, lowest, inverse=False):
    """(2) has said solutions where λ_min(K) >= lowest."""
    def code():
        for k, c in problems(lowest):
            have = invertible(k, c) + (0 if inverse else sum(1 + (free > 0) for _, free in singular(k, c)))
            if have != said:
                return Outcome(f"K = Diag{k}, D⁻¹ḡ = ({', '.join(map(str, c))}), λ = 2: {have} solutions")
        return Outcome()
    return code


def most(said):
    """The largest number of solutions with an inverse, for S = 1 and for S = 2, is said(S)."""
    def code():
        single = [((k,), (c,)) for k in range(-3, 3) for c in (0, Fraction(1, 3), 1, 2)]
        for S, cases in ((1, single), (2, problems(-3))):
            have = max(invertible(k, c) for k, c in cases)
            if have != said(S):
                return Outcome(f"S = {S}: up to {have}")
        return Outcome()
    return code


CHECKED = (claimed(Status.EXACT_Q, "240 problems with S = 2, by Sturm's chain and rational arithmetic; the general argument is "
                                   "W.Method.4.1/2 and /4"),)

STATEMENTS = (
    Statement(
        "W.Prose.uniqueness/1", "Method 4.1: \"the solution with the largest norm of\" η = (H̄ + (λ_int/2)‖Dη‖D²)⁻¹ḡ",
        Form("(2) has a solution with the largest ‖Dη‖, one only, and it minimises T",
             solution(True, exists=True, unique=True, minimises=True)),
        checks=CHECKED,
        repaired=Form("(H̄ + (λ_int/2)‖Dη‖D²)η = ḡ has solutions with the largest ‖Dη‖, and they minimise T",
                      solution(False, exists=True, minimises=True)),
        mutants=(Form("(2) has a solution", solution(True, exists=True)),
                 Form("where (2) has solutions, one with the largest ‖Dη‖ minimises T", solution(True, minimises=True)),
                 Form("without an inverse, one solution has the largest ‖Dη‖", solution(False, unique=True))),
        hypotheses=("d_s > 0, λ_int > 0",), errata=(27, 80),
        note="With the inverse a solution is determined by its norm, but may be missing: K = Diag(−1, 1), D⁻¹ḡ = (0, 2), λ_int = 2 "
             "has none (η′ = (0, 1), the minimiser, makes K + 1 singular), nor has H̄ = 0, ḡ = 0; H̄ = −1, ḡ = 0 has η = 0 alone, "
             "a maximum. Without it the minimisers are there, but two, or a sphere, in the hard case: DEV-CUBIC-2 chooses."),
    Statement(
        "W.Prose.uniqueness/2", "Appendix D, Case 1: \"the unique global minimum\"",
        Form("H̄ positive definite ⇒ (2) has exactly one solution", number(1, 1, inverse=True)), checks=CHECKED,
        mutants=(Form("H̄ ⪰ 0 ⇒ (2) has exactly one solution", number(1, 0, inverse=True)),
                 Form("λ_min(K) >= −1 ⇒ (2) has exactly one solution", number(1, -1, inverse=True)),
                 Form("λ_min(K) >= −1 ⇒ without an inverse there is exactly one solution", number(1, -1))),
        note="T is strictly convex there. Without an inverse H̄ ⪰ 0 is enough, see /3."),
    Statement(
        "W.Prose.uniqueness/3", "beside Appendix D (ours)",
        Form("H̄ ⪰ 0 ⇒ (H̄ + (λ_int/2)‖Dη‖D²)η = ḡ has exactly one solution", number(1, 0)), checks=CHECKED,
        mutants=(Form("with an inverse", number(1, 0, inverse=True)), Form("λ_min(K) >= −1", number(1, -1)),
                 Form("λ_min(K) >= −2", number(1, -2)))),
    Statement(
        "W.Prose.uniqueness/4", "Method 4.1: why \"with the largest norm\" is needed",
        Form("(2) has up to 2S + 1 solutions", most(lambda S: 2 * S + 1)), checks=CHECKED,
        mutants=(Form("up to 2S", most(lambda S: 2 * S)), Form("one", most(lambda S: 1)),
                 Form("up to S + 2", most(lambda S: S + 2)),
                 Form("up to 2S + 2, the degree of (5)", most(lambda S: 2 * S + 2))),
        note="Attained for S = 1, 2. No more for any S: (5) squared and cleared of denominators is a polynomial of degree 2S + 2 "
             "in r, with a positive leading coefficient and not positive at r = 0, so that one root at least is not positive. By "
             "W.Method.4.1/4 T falls from each solution to the next in the order of ‖Dη‖."),
)
