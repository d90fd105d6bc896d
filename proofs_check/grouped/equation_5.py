"""W (5), Case 1: one number r for a vector, and why there is exactly one."""

import itertools
from fractions import Fraction

from ..checks import Inequality, Outcome, Term, certified, claimed, mod_p, over_Q, proved_by_z3
from ..fields import dot
from ..statement import Form, Statement, Status
from .common import entries, with_norm
from .diagonal import roots_above


def scalar(half=2, of=1, author=1):
    """A solution η′ of (4) with norm r: r is the norm of (K + (λ/half) r)⁻¹D⁻¹ḡ, in three ways of writing it."""
    def pairs(field, n):
        H, lam, D = field.symmetric(n), field.draw(), field.diagonal(entries(field.vector(n)))
        new, r = with_norm(field, n)
        inverse, eye = D.inv(), field.eye(n)
        K = inverse * H * inverse
        g = D * (K * new + new * (lam * r / 2))
        v = (K + eye * (lam * r / field.number(half))).inv() * (inverse * g if of else g)
        yield dot(v, v), r * r
        yield v, new
        w = (H * inverse + (D if author else eye) * (lam * r / 2)).inv() * g
        yield dot(w, w), r * r
        eta = (H + D * D * (lam * r / 2)).inv() * g
        yield D * eta, new
    return pairs


def falls(definite="k + lam r/2 > 0", without=()):
    """(k + λs/2)² − (k + λr/2)² >= 0 for s > r: each term of the right side of (5), squared, falls while r grows."""
    hypotheses = {"lam > 0": lambda k, lam, r, s: lam, "s - r > 0": lambda k, lam, r, s: s - r,
                  "k + lam r/2 > 0": lambda k, lam, r, s: k + lam * r / 2}
    return Inequality(("k", "lam", "r", "s"), {name: value for name, value in hypotheses.items() if name not in without},
                      lambda k, lam, r, s: (k + lam * s / 2) * (k + lam * s / 2) - (k + lam * r / 2) * (k + lam * r / 2))


def count(eigenvalues, said):
    """(5) has said(c) roots r >= 0, for K = Diag(k), c = D⁻¹ḡ, λ = 1, 2, 7/2."""
    def code():
        for k in itertools.product(eigenvalues, repeat=2):
            for c, lam in itertools.product(itertools.product((0, Fraction(1, 10), 1, 3), repeat=2), (1, 2, Fraction(7, 2))):
                have = roots_above(k, c, lam, 0) + (not any(c))
                if have != said(c):
                    return Outcome(f"K = Diag{tuple(map(str, k))}, D⁻¹ḡ = {tuple(map(str, c))}, λ = {lam}: {have} roots")
        return Outcome()
    return code


POSITIVE = (Fraction(1, 9), 1, 4)

STATEMENTS = (
    Statement(
        "W.Eq.5/1", "Appendix D, Case 1",
        Form("η solves (3) ⇔ η′ = Dη solves (4) ⇔ r = ‖η′‖ solves r = ‖(K + (λ_int/2) r Id)⁻¹D⁻¹ḡ‖, "
             "η′ = (K + (λ_int/2) r Id)⁻¹D⁻¹ḡ", scalar()),
        checks=(over_Q((1, 2, 3)), mod_p(lambda n: 16 * n + 40)),
        long=True,
        mutants=(Form("λ_int for λ_int/2", scalar(half=1)), Form("ḡ for D⁻¹ḡ", scalar(of=0)),
                 Form("‖(H̄D⁻¹ + (λ_int/2) r Id)⁻¹ḡ‖", scalar(author=0))),
        hypotheses=("H̄ positive definite", "λ_int >= 0, d_s > 0"),
        note="Also as ‖(H̄D⁻¹ + (λ_int/2) r D)⁻¹ḡ‖ and ‖D(H̄ + (λ_int/2) r D²)⁻¹ḡ‖. Back from r to η′ is the definition of r."),
    Statement(
        "W.Eq.5/2", "Appendix D, Case 1: the unique root; the right side of (5) falls while r grows",
        Form("(k + λ_int s/2)² >= (k + λ_int r/2)² for s > r, K's eigenvalue k with k + λ_int r/2 > 0", falls()),
        checks=(certified(Term(1, ("lam > 0", "s - r > 0", "k + lam r/2 > 0"), lambda k, lam, r, s: 1),
                          Term(Fraction(1, 4), (), lambda k, lam, r, s: lam * (s - r))), proved_by_z3()),
        mutants=(Form("without k + λ_int r/2 > 0", falls(without=("k + lam r/2 > 0",))),
                 Form("without s > r", falls(without=("s - r > 0",))),
                 Form("without λ_int > 0", falls(without=("lam > 0",)))),
        note="So r − ‖(K + (λ_int/2) r)⁻¹D⁻¹ḡ‖ rises strictly, from −‖K⁻¹D⁻¹ḡ‖ <= 0 at r = 0 to ∞: exactly one root."),
    Statement(
        "W.Eq.5/3", "Appendix D, Case 1: \"the unique global minimum\" by (5) alone",
        Form("(5) has exactly one root", count(POSITIVE, lambda c: 1)),
        checks=(claimed(Status.EXACT_Q, "Sturm's chain for K = Diag(k_1, k_2), k in {1/9, 1, 4}², 16 right sides, three λ"),),
        mutants=(Form("for K with an eigenvalue −1 too", count((*POSITIVE, -1), lambda c: 1)),
                 Form("for K with an eigenvalue −3 too", count((*POSITIVE, -3), lambda c: 1)),
                 Form("but for ḡ = 0, where it has none", count(POSITIVE, lambda c: int(any(c))))),
        note="ḡ = 0 gives r = 0."),
)
