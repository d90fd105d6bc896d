"""R Section 2.3: Powell's damping on H, with B = I, and double damping, as scalar cores and on vectors over ℚ.

One core serves both steps: the pair's curvature is sy, that of the pair it is moved towards is c > 0; where sy < μc,
θ(c − sy) = (1 − μ)c. For the first step c = yᵀHy, for the second c = s̃ᵀs̃.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, proved_by_z3, refuted_at, simple
from ..fields import Matrix, dot
from ..statement import Form, Statement, Status
from .common import Q, column, diagonal, double_damping, entries, eye, part, shown

NAMES = ("theta", "mu", "c", "sy")
MOVED = {
    "c > 0": lambda theta, mu, c, sy: c, "mu > 0": lambda theta, mu, c, sy: mu, "1 - mu >= 0": lambda theta, mu, c, sy: 1 - mu,
    "mu c - sy > 0": lambda theta, mu, c, sy: mu * c - sy,
    "theta (c - sy) - (1 - mu) c = 0": lambda theta, mu, c, sy: theta * (c - sy) - (1 - mu) * c,
}


def core(of: Callable[..., Any], without: str = "") -> Inequality:
    """A conclusion about a pair that is moved."""
    return Inequality(NAMES, {name: value for name, value in MOVED.items() if name != without}, of)


def reached(gain: int = 1) -> Inequality:
    """θ sy + (1 − θ) c ≥ gain · μc."""
    return core(lambda theta, mu, c, sy: theta * sy + (1 - theta) * c - gain * mu * c)


def draw(rng):
    """(θ, μ, c, sy), with μ = 1 now and then."""
    mu, c = Fraction(rng.randint(1, 10), 10), Fraction(1, 8) + simple(rng)
    sy = mu * c - Fraction(1, 64) - simple(rng)
    return (1 - mu) * c / (c - sy), mu, c, sy


TO_MU = Term(1, ("theta (c - sy) - (1 - mu) c = 0",), lambda *_: -1)

Pair = tuple[Matrix, Matrix, Matrix, Any, Any]


def pairs() -> Iterator[Pair]:
    """s, y, H, μ₁, μ₂: n = 1, 2, 3; H diagonal; negative, zero and positive curvature, small and large H."""
    rng = random.Random(0)
    yield column(-1), column(1), eye(1, 20), Q(1, 5), Q(1)
    for _ in range(400):
        n = rng.randint(1, 3)
        s, y = (column(*(rng.randint(-9, 9) for _ in range(n))) for _ in range(2))
        H = diagonal(*(Q(rng.choice([1, 3, 50]), rng.choice([1, 2, 40])) for _ in range(n)))
        mu1, mu2 = rng.choice([Q(1, 5), Q(1, 2), Q(9, 10)]), rng.choice([Q(1), Q(1, 2), Q(1, 9)])
        if dot(y, y) > 0:
            yield s * Q(1, rng.choice([1, 9, 81])), y, H, mu1, mu2


def told(given: Pair) -> str:
    """The pair in words."""
    s, y, H, mu1, mu2 = given
    return f"s = {entries(s)}, y = {entries(y)}, H = {shown(H)}, μ₁ = {mu1}, μ₂ = {mu2}"


def for_all(claim: Callable[[Pair, Matrix, Matrix], bool]) -> Callable[[], Outcome]:
    """A claim about s, y, H, μ₁, μ₂ and the damped s̃, ỹ, at every pair."""
    def code() -> Outcome:
        tried = 0
        for given in pairs():
            s, y, H, mu1, mu2 = given
            tried += 1
            if not claim(given, *double_damping(s, y, H, mu1, mu2)):
                return Outcome(told(given))
        return Outcome(detail=f"{tried} pairs")
    return code


def for_one(claim: Callable[[Pair, Matrix, Matrix], bool]) -> Callable[[], Outcome]:
    """There is a pair for which the claim holds."""
    def code() -> Outcome:
        for given in pairs():
            s, y, H, mu1, mu2 = given
            if claim(given, *double_damping(s, y, H, mu1, mu2)):
                return Outcome(detail=told(given))
        return Outcome("none among 400 pairs")
    return code


def after_first(power: int = 1, gain: int = 1) -> Callable[[], Outcome]:
    """s̃ᵀy = max(sᵀy, μ₁yᵀHy)."""
    return for_all(lambda given, s_t, y_t: dot(s_t, given[1]) == max(
        dot(given[0], given[1]), gain * given[3] ** power * dot(given[1], given[2] * given[1])))


def after_second(power: int = 1, against: str = "s̃") -> Callable[[], Outcome]:
    """s̃ᵀỹ = max(s̃ᵀy, μ₂s̃ᵀs̃)."""
    return for_all(lambda given, s_t, y_t: dot(s_t, y_t) == max(
        dot(s_t, given[1]), given[4] ** power * (dot(s_t, s_t) if against == "s̃" else dot(given[0], given[0]))))


def ratio(given: Pair, s_t: Matrix, y_t: Matrix) -> Any:
    """ỹᵀHỹ/s̃ᵀỹ."""
    return dot(y_t, given[2] * y_t) / dot(s_t, y_t)


def norm(given: Pair) -> Any:
    """‖H‖ of the diagonal H."""
    return max(given[2][i, i] for i in range(given[2].nrows()))


EXISTS = ("sy", "ss", "mu")


def weight_exists(most: int | None) -> Inequality:
    """s̃ᵀs̃ − s̃ᵀy > 0 where θ₂ divides by it: s̃ᵀy < μ₂s̃ᵀs̃."""
    hypotheses = {"ss > 0": lambda sy, ss, mu: ss, "mu > 0": lambda sy, ss, mu: mu, "mu ss - sy > 0": lambda sy, ss,
                  mu: mu * ss - sy}
    if most is not None:
        hypotheses["most - mu >= 0"] = lambda sy, ss, mu: most - mu
    return Inequality(EXISTS, hypotheses, lambda sy, ss, mu: ss - sy, strict=True)


def draw_exists(rng):
    """(s̃ᵀy, s̃ᵀs̃, μ₂)."""
    ss, mu = Fraction(1, 8) + simple(rng), Fraction(rng.randint(1, 10), rng.choice([5, 10]))
    return mu * ss - Fraction(1, 64) - simple(rng), ss, mu


def beyond(bound: Callable[[Any, Any], Any]) -> Callable[[], Outcome]:
    """Powell's damping on B, for B = diag(b, 1): sᵀs/sᵀỹ > bound(B, μ) somewhere."""
    def code() -> Outcome:
        for b in (Q(1, 10**6), Q(1), Q(10**6)):
            B, mu = diagonal(b, 1), Q(1, 5)
            for s, y in ((column(1, 0), column(-1, 0)), (column(1, 1), column(1, -3)), (column(0, 1), column(5, -1))):
                sBs, sy = dot(s, B * s), dot(s, y)
                theta = (1 - mu) * sBs / (sBs - sy) if sy < mu * sBs else Q(1)
                y_t = theta * y + (1 - theta) * (B * s)
                if dot(s, s) > bound(B, mu) * dot(s, y_t):
                    return Outcome(detail=f"B = diag({b}, 1), s = {entries(s)}, y = {entries(y)}, μ = 1/5: sᵀs/sᵀỹ = "
                                          f"{dot(s, s) / dot(s, y_t)}")
        return Outcome("none among nine pairs")
    return code


def lm(gain: int = 1, without: str = "") -> Inequality:
    """B ⪰ μ₂I and ỹ = Bs̃ give ỹᵀs̃ = s̃ᵀBs̃ ≥ μ₂s̃ᵀs̃, shown for B = ((a, b), (b, d)) with a − μ₂, d − μ₂ ≥ 0 and a "
      "determinant ≥ 0."""
    hypotheses = {"a - mu > 0": lambda a, b, d, mu, s, t: a - mu,
                  "(a - mu) (d - mu) - b² >= 0": lambda a, b, d, mu, s, t: (a - mu) * (d - mu) - b * b,
                  "mu > 0": lambda a, b, d, mu, s, t: mu}
    return Inequality(("a", "b", "d", "mu", "s", "t"), {name: of for name, of in hypotheses.items() if name != without},
                      lambda a, b, d, mu, s, t: a * s * s + 2 * b * s * t + d * t * t - gain * mu * (s * s + t * t))


def draw_lm(rng):
    """(a, b, d, μ₂, s, t) with ties."""
    mu, e, b = Fraction(1, 8) + simple(rng), Fraction(1, 8) + simple(rng), simple(rng, sign=True)
    return mu + e, b, mu + b * b / e + rng.choice([-1, 0, 1, 1]) * simple(rng), mu, simple(rng, sign=True), simple(rng, sign=True)


MIXED = ("theta", "A", "X", "W", "sy", "ss", "M")
GUARANTEED = {
    "theta >= 0": lambda theta, A, X, W, sy, ss, M: theta, "1 - theta >= 0": lambda theta, A, X, W, sy, ss, M: 1 - theta,
    "M sy - A >= 0": lambda theta, A, X, W, sy, ss, M: M * sy - A, "M ss - W >= 0": lambda theta, A, X, W, sy, ss, M: M * ss - W,
    "A - 2X + W >= 0": lambda theta, A, X, W, sy, ss, M: A - 2 * X + W,
}


def mixed(gain: int = 1, without: str = "") -> Inequality:
    """ỹᵀHỹ ≤ M s̃ᵀỹ for ỹ = θy + (1 − θ)s̃; A = yᵀHy, X = s̃ᵀHy, W = s̃ᵀHs̃, M = max(1/μ₁, ‖H‖)."""
    return Inequality(MIXED, {name: of for name, of in GUARANTEED.items() if name != without},
                      lambda theta, A, X, W, sy, ss, M: M * (theta * sy + (1 - theta) * ss)
                      - gain * (theta * theta * A + 2 * theta * (1 - theta) * X + (1 - theta) * (1 - theta) * W))


def draw_mixed(rng):
    """(θ, A, X, W, s̃ᵀy, s̃ᵀs̃, M) with ties."""
    M, sy, ss, theta = (simple(rng) for _ in range(4))
    A, W = M * sy - rng.choice([-1, 0, 0, 1]) * simple(rng), M * ss - rng.choice([-1, 0, 0, 1]) * simple(rng)
    return theta / (1 + theta) * rng.choice([1, 1, 2]), A, (A + W) / 2 - rng.choice([0, 0, 1]) * simple(rng), W, sy, ss, M


ON_PAIRS = claimed(Status.SAMPLED, "exactly, random pairs and diagonal H, n ≤ 3")
SCALAR = (certified(TO_MU), proved_by_z3(), hunted(draw, tries=1000))

STATEMENTS = (
    Statement(
        "R.Prose.2.powell-H", "Section 2.3.1, Powell's damping on H",
        Form("s̃ᵀy ≥ μyᵀHy; exactly: s̃ᵀy = max(sᵀy, μyᵀHy)", (reached(), after_first())),
        checks=(*(part(0, check) for check in SCALAR), part(1, ON_PAIRS)),
        mutants=(Form("≥ 2μyᵀHy", (reached(2), after_first(gain=2))),
                 Form("= max(sᵀy, μ²yᵀHy)", (reached(), after_first(power=2))),
                 Form("the denominator yᵀHy + sᵀy", (core(lambda theta, mu, c, sy: theta * sy + (1 - theta) * c - mu * c,
                                                         "theta (c - sy) - (1 - mu) c = 0"), after_first())),
                 Form("≥ 3μyᵀHy", (reached(3), after_first(gain=3)))),
        hypotheses=("0 < μ < 1", "y ≠ 0 (for y = 0 both sides are 0, and no s̃ᵀy > 0 comes of it: ERR-21)"),
        sharpness=(part(0, attained_at(Fraction(1, 2), Fraction(1, 2), 1, 0)),), errata=(21,),
        note="An equality wherever the pair is moved, so that the test of Algorithm 5, line 17, is a tie (ERR-33)."),
    Statement(
        "R.Prose.2.powell-H/1", "Section 2.3.1: θ between 0 and 1",
        Form("θ ≥ 0 where the pair is moved", core(lambda theta, mu, c, sy: theta)),
        checks=(proved_by_z3(), hunted(draw, tries=1000)),
        mutants=(Form("θ ≥ 1", core(lambda theta, mu, c, sy: theta - 1)),
                 Form("θ ≥ 1 − μ", core(lambda theta, mu, c, sy: theta - 1 + mu)),
                 Form("θ ≥ 0 for μ > 1 too", core(lambda theta, mu, c, sy: theta, "1 - mu >= 0"))),
        note="θ ≤ 1 too, which says μc ≥ sy: s̃ interpolates between s and Hy."),
    Statement(
        "R.Prose.2.powell-B-I", "Section 2.3.1, Powell's damping with B = I",
        Form("s̃ᵀỹ ≥ μ₂s̃ᵀs̃; exactly: s̃ᵀỹ = max(s̃ᵀy, μ₂s̃ᵀs̃)", (reached(), after_second())),
        checks=(*(part(0, check) for check in SCALAR), part(1, ON_PAIRS)),
        mutants=(Form("≥ 2μ₂s̃ᵀs̃", (reached(2),
                                     after_second())), Form("= max(s̃ᵀy, μ₂²s̃ᵀs̃)", (reached(), after_second(power=2))),
                 Form("≥ μ₂sᵀs", (reached(), after_second(against="s")))),
        hypotheses=("0 < μ₂ ≤ 1",), sharpness=(part(0, attained_at(Fraction(1, 2), Fraction(1, 2), 1, 0)),), errata=(12,)),
    Statement(
        "R.Prose.2.powell-B-I/1", "Algorithm 3, line 4: \"Given: H, μ₁, μ₂\"",
        Form("θ₂ exists for every μ₂ > 0", weight_exists(None)),
        checks=(refuted_at(1, 1, Fraction(3, 2)), proved_by_z3(), hunted(draw_exists, tries=1000)),
        mutants=(Form("for μ₂ ≤ 2", weight_exists(2)), Form("for μ₂ ≤ 10", weight_exists(10)),
                 Form("for μ₂ ≤ 3", weight_exists(3))),
        repaired=Form("for 0 < μ₂ ≤ 1: s̃ᵀs̃ − s̃ᵀy > (1 − μ₂)s̃ᵀs̃ ≥ 0", weight_exists(1)), errata=(12,),
        note="2.3.1 recommends μ₂ in (0, 1] for another reason; beyond 1 there is a pole at s̃ᵀy = s̃ᵀs̃. The inequality "
             "s̃ᵀỹ ≥ μ₂s̃ᵀs̃ itself holds on both sides of the pole."),
    Statement(
        "R.Prose.2.powell-B-I/2", "Section 2.3.1: B ⪰ μ₂I implies the same inequality",
        Form("B ⪰ μ₂I and ỹ = Bs̃ give ỹᵀs̃ ≥ μ₂s̃ᵀs̃, shown for n = 2", lm()),
        checks=(certified(Term(1, (), lambda a, b, d, mu, s, t: (a - mu) * s + b * t),
                          Term(1, ("(a - mu) (d - mu) - b² >= 0",), lambda a, b, d, mu, s, t: t), factor=("a - mu > 0",)),
                          hunted(draw_lm, tries=1000)),
        mutants=(Form("2μ₂s̃ᵀs̃", lm(gain=2)), Form("without the determinant", lm(without="(a - mu) (d - mu) - b² >= 0")),
                 Form("without a > μ₂", lm(without="a - mu > 0"))),
        errata=(23,), note="True. The converse, which chapter 2 does not claim, is not (ERR-23)."),
    Statement(
        "R.Prose.2.powell-B-I/3", "Section 2.3.1: Powell's damping on B",
        Form("no bound of sᵀs/sᵀỹ is independent of B; shown for 1000, any other goes the same way", beyond(lambda B, mu: Q(1000))),
        checks=(claimed(Status.EXACT_Q, "B = diag(b, 1), b = 10^−6, 1, 10^6"),),
        mutants=(Form("nor is ‖B⁻¹‖/μ one", beyond(lambda B, mu: 1 / (min(B[0, 0], B[1, 1]) * mu))),
                 Form("nor is ‖B⁻¹‖/μ²", beyond(lambda B, mu: 1 / (min(B[0, 0], B[1, 1]) * mu**2))),
                 Form("nor is 2‖B⁻¹‖/μ", beyond(lambda B, mu: 2 / (min(B[0, 0], B[1, 1]) * mu)))),
        note="The text is right that there is no such bound; what it depends on is ‖B⁻¹‖, not ‖B‖: sᵀs/sᵀỹ ≤ ‖B⁻¹‖/μ, "
        "attained."),
    Statement(
        "R.Prose.2.double-damping", "Section 2.3",
        Form("the second step guarantees s̃ᵀs̃/s̃ᵀỹ ≤ 1/μ₂, and s̃ᵀỹ > 0",
             (reached(), for_all(lambda given, s_t, y_t: dot(s_t, y_t) > 0 and given[4] * dot(s_t, s_t) <= dot(s_t, y_t)))),
        checks=(part(0, certified(TO_MU)), part(1, ON_PAIRS)),
        mutants=(Form("ỹᵀHỹ/s̃ᵀỹ ≤ 1/μ₁", (reached(), for_all(lambda given, s_t, y_t: given[3] * ratio(given, s_t, y_t) <= 1))),
                 Form("ỹᵀHỹ/s̃ᵀỹ ≤ 2/μ₁", (reached(), for_all(lambda given, s_t, y_t: given[3] * ratio(given, s_t, y_t) <= 2))),
                 Form("s̃ᵀs̃/s̃ᵀỹ ≤ 1/(2μ₂)", (reached(2),
                                               for_all(lambda given, s_t, y_t: 2 * given[4] * dot(s_t, s_t) <= dot(s_t, y_t))))),
        hypotheses=("(s, y) ≠ (0, 0): ERR-21", "0 < μ₁ < 1, 0 < μ₂ ≤ 1"), errata=(21,),
        note="The core is that of R.Prose.2.powell-B-I; s̃ᵀy ≥ μ₁yᵀHy > 0 keeps s̃ from 0. Where y = 0 ≠ s the second "
        "step gives ỹ = μ₂s."),
    Statement(
        "R.Prose.2.double-damping/1", "Section 2.3: \"the first step … guarantees\"",
        Form("yᵀHy/s̃ᵀy ≤ 1/μ₁ after the first step", (reached(), for_all(
            lambda given, s_t, y_t: dot(s_t, given[1]) >= given[3] * dot(given[1], given[2] * given[1])))),
        checks=(part(0, certified(TO_MU)), part(1, ON_PAIRS)),
        mutants=(Form("≤ 1/(2μ₁)", (reached(2), for_all(
                     lambda given, s_t, y_t: dot(s_t, given[1]) >= 2 * given[3] * dot(given[1], given[2] * given[1])))),
                 Form("of sᵀy, undamped", (reached(), for_all(
                     lambda given, s_t, y_t: dot(given[0], given[1]) >= given[3] * dot(given[1], given[2] * given[1])))),
                 Form("with ỹ for y", (reached(), for_all(
                     lambda given, s_t, y_t: dot(s_t, y_t) >= given[3] * dot(y_t, given[2] * y_t))))),
        note="The core is that of R.Prose.2.powell-H."),
    Statement(
        "R.Prose.2.double-damping/2", "Section 2.3, 2.3.1: \"no guarantee … after the second step\"",
        Form("ỹᵀHỹ/s̃ᵀỹ ≤ 2/μ₁ is not guaranteed", for_one(lambda given, s_t, y_t: given[3] * ratio(given, s_t, y_t) > 2)),
        checks=(claimed(Status.EXACT_Q, "a pair"),),
        mutants=(Form("s̃ᵀs̃/s̃ᵀỹ ≤ 1/μ₂ is not guaranteed",
                      for_one(lambda given, s_t, y_t: given[4] * dot(s_t, s_t) > dot(s_t, y_t))),
                 Form("ỹᵀHỹ/s̃ᵀỹ ≤ max(1/μ₁, ‖H‖) is not guaranteed",
                      for_one(lambda given, s_t, y_t: ratio(given, s_t, y_t) > max(1 / given[3], norm(given)))),
                 Form("s̃ᵀỹ > 0 is not guaranteed", for_one(lambda given, s_t, y_t: dot(s_t, y_t) <= 0))),
        errata=(19,), note="Neither 1/μ₁ nor 2/μ₁. \"At least 90% of the pairs\" is measured, and not checked here."),
    Statement(
        "R.Prose.2.double-damping/3", "Section 2.1, contribution 3: \"limits the decrease (and increase)\"",
        Form("what is guaranteed after both steps: ỹᵀHỹ/s̃ᵀỹ ≤ max(1/μ₁, ‖H‖)",
             (mixed(), for_all(lambda given, s_t, y_t: ratio(given, s_t, y_t) <= max(1 / given[3], norm(given))))),
        checks=(part(0, certified(Term(1, ("theta >= 0", "M sy - A >= 0"), lambda *_: 1),
                                  Term(1, ("1 - theta >= 0", "M ss - W >= 0"), lambda *_: 1),
                                  Term(1, ("theta >= 0", "1 - theta >= 0", "A - 2X + W >= 0"), lambda *_: 1))),
                part(0, hunted(draw_mixed, tries=1000)), part(1, ON_PAIRS)),
        mutants=(Form("≤ ‖H‖", (mixed(without="M sy - A >= 0"),
                                for_all(lambda given, s_t, y_t: ratio(given, s_t, y_t) <= norm(given)))),
                 Form("≤ 1/μ₁", (mixed(without="M ss - W >= 0"),
                                 for_all(lambda given, s_t, y_t: ratio(given, s_t, y_t) <= 1 / given[3]))),
                 Form("≤ max(1/μ₁, ‖H‖)/2", (mixed(gain=2), for_all(
                     lambda given, s_t, y_t: ratio(given, s_t, y_t) <= max(1 / given[3], norm(given)) / 2)))),
        sharpness=(part(0, attained_at(0, 1, 1, 1, 1, 1, 1)),),
        note="Not in the text. ỹᵀHỹ ≤ θ₂yᵀHy + (1 − θ₂)s̃ᵀHs̃ ≤ θ₂s̃ᵀy/μ₁ + (1 − θ₂)‖H‖s̃ᵀs̃, and s̃ᵀỹ = θ₂s̃ᵀy + (1 − "
             "θ₂)s̃ᵀs̃. With (2.8) one "
             "update without skipping multiplies ‖B‖ by at most 1 + max(1/μ₁, ‖H‖); nothing limits many: negative curvature "
             "shrinks H by μ₁ in every step (R.Lem.2/8)."),
)
