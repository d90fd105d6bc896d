"""W Appendix D: when T is strictly convex.

T((η + ζ)/2) against the mean of T(η) and T(ζ): with a = ‖Dη‖, b = ‖Dζ‖, m = ‖D(η + ζ)/2‖ and h = (η − ζ)ᵀH̄(η − ζ) the mean is
larger by h/8 + (λ/6)((a³ + b³)/2 − m³), where a² + b² − 2m² = ‖D(η − ζ)‖²/2 > 0. `midpoint` checks this, `gap` proves it positive
for h >= 0; near 0 the cubic term is of third order, so that H̄ must be semidefinite.
"""

import itertools
from fractions import Fraction

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, mod_p, over_Q, simple
from ..fields import dot
from ..statement import Form, Statement, Status
from .common import cubic_model, entries, with_norm

HYPOTHESES = {"a >= 0": lambda a, b, m: a, "b >= 0": lambda a, b, m: b, "m >= 0": lambda a, b, m: m,
              "a a + b b - 2 m m >= 0": lambda a, b, m: a * a + b * b - 2 * m * m}


def midpoint(eighth=8, sixth=6):
    """The gap in a, b, m and h; a third point with a norm in the field is drawn for the middle."""
    def pairs(field, n):
        H, g, lam, D = field.symmetric(n), field.vector(n), field.draw(), field.diagonal(entries(field.vector(n)))
        (v, a), (w, m) = with_norm(field, n), with_norm(field, n)
        eta, middle = D.inv() * v, D.inv() * w
        zeta = middle * field.number(2) - eta
        b_square = dot(D * zeta, D * zeta)
        yield a * a + b_square - 2 * m * m, dot(D * (eta - zeta), D * (eta - zeta)) / 2
        b = field.draw()                                                  # stands for the root of b², which T is linear in, cubed
        gap = (cubic_model(H, g, lam, eta, a) + cubic_model(H, g, lam, zeta, b)) / 2 - cubic_model(H, g, lam, middle, m)
        h = dot(eta - zeta, H * (eta - zeta))
        yield gap, h / field.number(eighth) + lam / field.number(sixth) * ((a**3 + b**3) / 2 - m**3)
    return pairs


def gap(weight=3, strict=False, without=()):
    """2(a³ + b³ − 2m³) >= weight m (a² + b² − 2m²)."""
    return Inequality(("a", "b", "m"), {name: value for name, value in HYPOTHESES.items() if name not in without},
                      lambda a, b, m: 2 * (a * a * a + b * b * b - 2 * m * m * m) - weight * m * (a * a + b * b - 2 * m * m))


def draw(rng):
    """(a, b, m), with m at its bound if both norms are one."""
    a, b = simple(rng), simple(rng)
    return (a, a, a) if rng.random() < 1 / 4 else (a, b, min(a, b, simple(rng)))


def strictly_convex(said):
    """T is strictly convex ⇔ said(H̄, D), for diagonal H̄, S = 2, ḡ = 0, λ = 2: violations at midpoints are looked for on both axes.

    What is found is exact; that there is none elsewhere, where none is found, is the gap of /2 and /3.
    """
    def code():
        line = [Fraction(k, 16) for k in (-32, -16, -8, -2, -1, 0, 1, 2, 8, 16, 32)]
        for H, d in itertools.product(itertools.product((-1, 0, 1), repeat=2), itertools.product((0, 1, 2), repeat=2)):
            def T(s, x, H=H, d=d):
                return H[s] * x * x / 2 + abs(d[s] * x) ** 3 / 3

            broken = [(s, x, y) for s in range(2) for x, y in itertools.combinations(line, 2)
                      if T(s, (x + y) / 2) >= (T(s, x) + T(s, y)) / 2]
            if bool(said(H, d)) == bool(broken):
                return Outcome(f"H̄ = Diag{H}, D = Diag{d}, λ = 2: T is {'not ' if broken else ''}strictly convex")
        return Outcome()
    return code


STATEMENTS = (
    Statement(
        "W.Prose.convexity/1", "Appendix D: T \"is strictly convex if, and only if, H̄ is positive definite\"",
        Form("T strictly convex ⇔ H̄ positive definite", strictly_convex(lambda H, d: min(H) > 0)),
        checks=(claimed(Status.EXACT_Q, "81 diagonal problems with S = 2 on both axes; \"if\" in general by /2 and /3"),),
        repaired=Form("T strictly convex ⇔ H̄ ⪰ 0 and ηᵀH̄η > 0 where Dη = 0 ≠ η; for d_s > 0: ⇔ H̄ ⪰ 0",
                      strictly_convex(lambda H, d: min(H) >= 0 and all(h > 0 for h, x in zip(H, d, strict=True) if x == 0))),
        mutants=(Form("⇔ H̄ ⪰ 0, for any D", strictly_convex(lambda H, d: min(H) >= 0)),
                 Form("⇔ H̄ + D² ⪰ 0", strictly_convex(lambda H, d: all(h + x * x >= 0 for h, x in zip(H, d, strict=True)))),
                 Form("⇔ H̄ ⪰ 0 and d_s > 0", strictly_convex(lambda H, d: min(H) >= 0 and min(d) > 0))),
        hypotheses=("λ_int > 0, d_s > 0",), errata=(28,),
        note="H̄ = 0, D = 1: |η|³ is strictly convex. \"Only if\": along an eigenvector with eigenvalue −κ the cubic term is of "
             "third order."),
    Statement(
        "W.Prose.convexity/2", "beside Appendix D (ours): the gap at a midpoint",
        Form("(T(η) + T(ζ))/2 − T((η + ζ)/2) = (1/8)(η − ζ)ᵀH̄(η − ζ) + (λ_int/6)((a³ + b³)/2 − m³), "
             "a = ‖Dη‖, b = ‖Dζ‖, m = ‖D(η + ζ)/2‖", midpoint()),
        checks=(over_Q((1, 2, 3)), mod_p(lambda n: 8 * n + 60)),
        mutants=(Form("1/4 for 1/8", midpoint(eighth=4)), Form("λ_int/3", midpoint(sixth=3)),
                 Form("1/2 for 1/8", midpoint(eighth=2)))),
    Statement(
        "W.Prose.convexity/3", "beside Appendix D (ours): the gap of the cubic term",
        Form("2(a³ + b³ − 2m³) >= 3m(a² + b² − 2m²), a² + b² − 2m² = ½‖D(η − ζ)‖²", gap()),
        checks=(certified(Term(2, ("a >= 0",), lambda a, b, m: a - m), Term(1, ("m >= 0",), lambda a, b, m: a - m),
                          Term(2, ("b >= 0",), lambda a, b, m: b - m), Term(1, ("m >= 0",), lambda a, b, m: b - m)),
                hunted(draw)),
        sharpness=(attained_at(1, 1, 1),),
        mutants=(Form("4m", gap(weight=4)), Form("without a >= 0", gap(without=("a >= 0",))),
                 Form("without m >= 0", gap(without=("m >= 0",)))),
        note="Positive where a² + b² > 2m², also at m = 0: the cubic term is strictly convex in Dη."),
)
