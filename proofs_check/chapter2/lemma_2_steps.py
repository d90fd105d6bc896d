"""R Lemma 2: every step of its printed proof, and what replaces the two that fail.

Scalars: q = yᵀH̄y, a = sᵀs/sᵀy, c = yᵀy/sᵀy, r = √(ac), h = ‖H_{i−1}‖.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .. import checks
from ..checks import Identity, Inequality, Outcome, Term, attained_at, certified, claimed, hunted, proved_by_z3, simple
from ..fields import Matrix, dot, outer
from ..statement import Form, Statement, Status
from .common import Q, eye, lbfgs_H, part, semidefinite
from .frozen import MU1, barrier, steps
from .lemma_2 import sequences


def norm(B: Matrix) -> Any:
    """A number b ≥ ‖B‖ for B ⪰ 0, (n, n), n ≤ 2: the norm itself for n = 1, above it by less than 1/1000 of the trace "
    "otherwise."""
    if B.nrows() == 1:
        return B[0, 0]
    low, high = Q(0), B[0, 0] + B[1, 1]
    while (high - low) * 1000 > B[0, 0] + B[1, 1]:
        middle = (low + high) / 2
        low, high = (low, middle) if semidefinite(eye(2, middle) - B) else (middle, high)
    return high


def growth(bound: Callable[..., Any]) -> Callable[[], Outcome]:
    """‖B_i‖ ≤ bound(‖B_{i−1}‖, ‖B̄‖, 1/μ₁) for the last pair of every memory along the sequences."""
    def claim() -> Outcome:
        tried = 0
        for name, mu1, mu2, p, pairs in sequences():
            n = pairs[0][0].nrows()
            kept: list[tuple[Matrix, Matrix]] = []
            H_bar = eye(n)
            for s, y in pairs:
                if dot(s, y) < mu1 * dot(y, H_bar * y) or dot(s, y) < mu2 * dot(s, s):
                    continue
                kept = [*kept, (s, y)][-p:]
                before, after = norm(lbfgs_H(n, kept[:-1]).inv()), lbfgs_H(n, kept).inv()
                new, tried = bound(before, norm(H_bar.inv()), 1 / mu1), tried + 1
                if not semidefinite(eye(n, new) - after):
                    return Outcome(f"{name}, μ₁ = {mu1}: ‖B_(i−1)‖ ≤ {before}, and ‖B_i‖ > {new}")
                H_bar = lbfgs_H(n, kept)
        return Outcome(detail=f"{tried} updates")
    return claim


RISE = ("xBx", "xy", "yy", "q", "sy", "m", "b", "b_bar")
RISES = {
    "m > 0": lambda xBx, xy, yy, q, sy, m, b, b_bar: m, "sy > 0": lambda xBx, xy, yy, q, sy, m, b, b_bar: sy,
    "b - xBx >= 0": lambda xBx, xy, yy, q, sy, m, b, b_bar: b - xBx,
    "yy - xy² >= 0": lambda xBx, xy, yy, q, sy, m, b, b_bar: yy - xy * xy,
    "b_bar > 0": lambda xBx, xy, yy, q, sy, m, b, b_bar: b_bar, "b > 0": lambda xBx, xy, yy, q, sy, m, b, b_bar: b,
    "b_bar q - yy >= 0": lambda xBx, xy, yy, q, sy, m, b, b_bar: b_bar * q - yy,
    "sy - m q >= 0": lambda xBx, xy, yy, q, sy, m, b, b_bar: sy - m * q,
}


def rise(of: Callable[..., Any]) -> Inequality:
    """xᵀBx + (xᵀy)²/sᵀy ≤ b + of/μ₁ for xᵀx = 1, multiplied by μ₁ sᵀy; q = yᵀH̄y ≤ sᵀy/μ₁, yᵀy ≤ b̄q."""
    return Inequality(RISE, RISES, lambda xBx, xy, yy, q, sy, m, b, b_bar: m * sy * (b - xBx) + of(b, b_bar, m) * sy - m * xy * xy)


def draw_rise(rng):
    """(xᵀBx, xᵀy, yᵀy, yᵀH̄y, sᵀy, μ₁, b, b̄) with ties."""
    b, b_bar, xy = Fraction(1, 8) + simple(rng), Fraction(1, 8) + simple(rng), simple(rng, sign=True)
    m = Fraction(rng.randint(1, 9), 10)
    yy = xy * xy + rng.choice([0, 0, 1]) * simple(rng)
    q = yy / b_bar + rng.choice([0, 0, 1]) * simple(rng)
    sy = m * q + rng.choice([Fraction(1, 64), Fraction(1), simple(rng)])
    return b * rng.choice([1, 1, Fraction(1, 2)]), xy, yy, q, sy, m, b, b_bar


def expansion(sign: int = -1, power: int = 2, last: int = 1) -> Identity:
    """The five terms of (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ."""
    def pairs(field, n):
        H, s, y = field.symmetric(n), field.vector(n), field.vector(n)
        rho, Hy, one = 1 / dot(s, y), H * y, field.eye(n)
        left = (one - rho * outer(s, y)) * H * (one - rho * outer(y, s)) + rho * outer(s, s)
        cross = (outer(s, Hy) + outer(Hy, s)) * (sign * rho)
        yield left, H + outer(s, s) * (rho**power * dot(y, Hy)) + cross + outer(s, s) * (last * rho)
    return pairs


def geometric(shift: int = 0, z: int = 1, start: int = 1) -> Identity:
    """‖H_i‖ ≤ μ̂‖H_{i−1}‖ + 1/μ₂ from ‖H_0‖ = 1, added up for p = 1, …, n."""
    def pairs(field, n):
        hat, inverse = field.draw() + field.number(17), field.draw()
        h = field.number(start)
        for p in range(1, n + 1):
            h = hat * h + inverse
            yield h, hat ** (p + shift) + (hat**p - 1) / (hat - 1) * inverse * field.number(z)
    return pairs


def inverse_curvature(power: int = 1, without: str = "") -> Inequality:
    """q ≥ κ yᵀy and q ≤ sᵀy/μ₁ give yᵀy ≤ sᵀy/(μ₁κ)."""
    return Inequality(NAMES, {name: value for name, value in LOWER.items() if name != without},
                      lambda m, k, q, yy, sy: sy - m**power * k * yy)


NAMES = ("m", "k", "q", "yy", "sy")
LOWER = {"m > 0": lambda m, k, q, yy, sy: m, "k > 0": lambda m, k, q, yy, sy: k, "yy >= 0": lambda m, k, q, yy, sy: yy,
         "q - k yy >= 0": lambda m, k, q, yy, sy: q - k * yy, "sy - m q >= 0": lambda m, k, q, yy, sy: sy - m * q}


def draw_inverse(rng):
    """(μ₁, κ, q, yᵀy, sᵀy) with ties."""
    m, k, yy = Fraction(rng.randint(1, 9), 10), Fraction(1, 9) + simple(rng), simple(rng)
    q = k * yy + rng.choice([-1, 0, 1, 1]) * simple(rng)
    return m, k, q, yy, m * q + rng.choice([0, 1]) * simple(rng)


CHAIN = ("h", "a", "z", "r", "R")
ROOTS = {"h >= 0": lambda h, a, z, r, R: h, "z - a >= 0": lambda h, a, z, r, R: z - a, "r >= 0": lambda h, a, z, r, R: r,
         "R - r >= 0": lambda h, a, z, r, R: R - r}


def chain(cross: int = 2, plus: int = 1, without: str = "") -> Inequality:
    """h(1 + r² + 2r) + a ≤ (1 + R)² h + z with r² = ac, R² = 1/(μ₁μ₂κ), z = 1/μ₂."""
    return Inequality(CHAIN, {name: value for name, value in ROOTS.items() if name != without},
                      lambda h, a, z, r, R: (1 + cross * R + R * R) * h + plus * z - h * (1 + r * r + 2 * r) - a)


def draw_chain(rng):
    """(h, a, z, r, R) with ties."""
    a, r = simple(rng), simple(rng)
    return simple(rng), a, a + rng.choice([0, 1]) * simple(rng), r, r + rng.choice([-1, 0, 1, 1]) * simple(rng)


def projection(gain: int = 1, weight: int = 1, tilt: int = 1) -> Inequality:
    """‖(I − ρysᵀ)v‖² ≤ (sᵀs yᵀy/(sᵀy)²) ‖v‖² where s = (1, 0), y = (1, t), v = (v₁, v₂): sᵀs yᵀy/(sᵀy)² = 1 + t²."""
    return Inequality(("t", "v1", "v2"), {},
                      lambda t, v1, v2: (gain + weight * t * t) * (v1 * v1 + v2 * v2) - (v2 - tilt * t * v1) * (v2 - tilt * t * v1))


def lasting(floor: Callable[[int], Any]) -> Callable[[], Outcome]:
    """H_g(k) ≥ floor(k) for all k: tried on the run of `frozen`, six steps and p = 1, 3, and on its law H_g(k) = μ₁^k "
    "for all k."""
    def claim() -> Outcome:
        low = barrier()
        for p in (1, 3):
            for k, (h, H) in enumerate(steps(5, p), 1):
                if MU1**k != H or not h > low:
                    return Outcome(f"the law H_g(k) = μ₁^k fails at k = {k}")
        below = next((k for k in range(1, 200) if MU1**k < floor(k)), None)
        if below:
            return Outcome(f"softsign unit, x = 1, y = 0, w + b = 10, μ₁ = 1/5, λ = 1/4: H_g(k) = 5^−k (exactly for k ≤ 5, p = "
                           f"1 and 3; "
                           f"for all k since h stays in [265/27, 10], where ψ″ < 0), so H_g({below}) is below the bound")
        return Outcome()
    return claim


def hunt(draw):
    """The two checks of a scalar core beside its certificate."""
    return proved_by_z3(), hunted(draw, tries=1000)


STATEMENTS = (
    Statement(
        "R.Lem.2/1", "Section 2.7, proof: by (2.8)",
        Form("‖B_i‖ ≤ ‖B_{i−1}‖ (1 + 1/μ₁)", (rise(lambda b, b_bar, m: b), growth(lambda b, b_bar, x: b * (1 + x)))),
        checks=(part(0, certified(Term(1, ("m > 0", "sy > 0", "b - xBx >= 0"), lambda *_: 1),
                                  Term(1, ("b_bar > 0", "sy - m q >= 0"), lambda *_: 1),
                                  Term(1, ("m > 0", "b_bar q - yy >= 0"), lambda *_: 1),
                                  Term(1, ("m > 0", "yy - xy² >= 0"), lambda *_: 1))),
                part(0, hunted(draw_rise, tries=1000)),
                part(1, claimed(Status.SAMPLED, "exactly, along ladders and random sequences of pairs"))),
        mutants=(Form("‖B_{i−1}‖ + 1/μ₁", (rise(lambda b, b_bar, m: 1), growth(lambda b, b_bar, x: b + x))),
                 Form("‖B_{i−1}‖ + ‖B̄‖", (rise(lambda b, b_bar, m: m * b_bar), growth(lambda b, b_bar, x: b + b_bar))),
                 Form("‖B_{i−1}‖ + ‖B̄‖/μ₁ − 1",
                      (rise(lambda b, b_bar, m: b_bar - m), growth(lambda b, b_bar, x: b + b_bar * x - 1)))),
        hypotheses=("yᵀH̄y/sᵀy ≤ 1/μ₁ with the H̄ of the pair's own step",),
        repaired=Form("‖B_i‖ ≤ ‖B_{i−1}‖ + ‖B̄‖/μ₁", (rise(lambda b, b_bar, m: b_bar), growth(lambda b, b_bar, x: b + b_bar * x))),
        errata=(31,),
        note="(2.8) needs yᵀH_{i−1}y/sᵀy ≤ 1/μ₁, which the sentence before says is not known. The repaired step is (2.7) with "
             "yᵀy/sᵀy ≤ ‖B̄‖ yᵀH̄y/sᵀy."),
    Statement(
        "R.Lem.2/3", "Section 2.7, proof: below \"On the other hand\"",
        Form("1/μ₁ ≥ yᵀH̄y/sᵀy ≥ (κ_g/μ₁) yᵀy/sᵀy ⇒ yᵀy/sᵀy ≤ 1/(μ₁κ_g)",
             Inequality(NAMES, LOWER, lambda m, k, q, yy, sy: m * q - k * yy)),
        checks=(checks.refuted_at(Fraction(1, 5), 1, 1, 1, 1), certified(Term(1, ("sy - m q >= 0",), lambda *_: 1),
                                                                Term(1, ("m > 0", "q - k yy >= 0"), lambda *_: 1)),
                *hunt(draw_inverse)),
        mutants=(Form("yᵀy/sᵀy ≤ κ/μ₁ without κ's inverse", Inequality(NAMES, LOWER, lambda m, k, q, yy, sy: k * sy - m * yy)),
                 Form("1/(2μ₁κ)", Inequality(NAMES, LOWER, lambda m, k, q, yy, sy: sy - 2 * m * k * yy)),
                 Form("without H̄ ⪰ κI", inverse_curvature(without="q - k yy >= 0")),
                 Form("without yᵀH̄y ≤ sᵀy/μ₁", inverse_curvature(without="sy - m q >= 0"))),
        hypotheses=("H̄ ⪰ κ_g I: q = yᵀH̄y ≥ κ yᵀy", "line 17: sᵀy ≥ μ₁q"),
        repaired=Form("yᵀH̄y/sᵀy ≥ κ_g yᵀy/sᵀy, and the conclusion as printed", inverse_curvature()),
        sharpness=(attained_at(Fraction(1, 5), 1, 1, 1, Fraction(1, 5)),),
        note="A slip in the middle of the display (ERRATA.md lists it): H̄ = κI, μ₁ < 1 contradicts it. The conclusion is "
        "right."),
    Statement(
        "R.Lem.2/4", "Section 2.7, proof: ‖H_i‖, second line",
        Form("H_i = H_{i−1} + ρ²(yᵀH_{i−1}y) ssᵀ − ρsyᵀH_{i−1} − ρH_{i−1}ysᵀ + ρssᵀ", expansion()),
        checks=(checks.over_Q(), checks.mod_p(lambda n: 9)),
        mutants=(Form("+ρsyᵀH", expansion(sign=1)), Form("ρ(yᵀHy) ssᵀ", expansion(power=1)), Form("2ρssᵀ", expansion(last=2)))),
    Statement(
        "R.Lem.2/5", "Section 2.7, proof: ‖H_i‖, lines 3 to 7",
        Form("‖H_i‖ ≤ ‖H_{i−1}‖ (1 + sᵀs yᵀy/(sᵀy)² + 2√(sᵀs yᵀy)/sᵀy) + sᵀs/sᵀy "
             "≤ μ̂‖H_{i−1}‖ + 1/μ₂, μ̂ = (1 + 1/√(μ₁μ₂κ_g))²", chain()),
        checks=(certified(Term(1, ("z - a >= 0",), lambda *_: 1), Term(2, ("h >= 0", "R - r >= 0"), lambda *_: 1),
                          Term(1, ("h >= 0", "R - r >= 0", "R - r >= 0"), lambda *_: 1),
                          Term(2, ("h >= 0", "R - r >= 0", "r >= 0"), lambda *_: 1)), *hunt(draw_chain)),
        mutants=(Form("1 + 1/√(μ₁μ₂κ) + 1/(μ₁μ₂κ)", chain(cross=1)), Form("without 1/μ₂", chain(plus=0)),
                 Form("without sᵀs/sᵀy ≤ 1/μ₂", chain(without="z - a >= 0")),
                 Form("without r ≤ R", chain(without="R - r >= 0"))),
        hypotheses=("a = sᵀs/sᵀy ≤ 1/μ₂ = z", "r = √(ac) ≤ R = 1/√(μ₁μ₂κ_g), c = yᵀy/sᵀy"),
        sharpness=(attained_at(1, 1, 1, 1, 1),),
        note="Right wherever c ≤ 1/(μ₁κ), and not sharp: see R.Lem.2/6."),
    Statement(
        "R.Lem.2/6", "Section 2.7, proof: ‖(I − ρsyᵀ) H_{i−1} (I − ρysᵀ)‖, sharper than printed",
        Form("‖I − ρysᵀ‖² = sᵀs yᵀy/(sᵀy)² for n ≥ 2, so ‖H_i‖ ≤ ‖H_{i−1}‖/(μ₁μ₂κ_g) + 1/μ₂", projection()),
        checks=(certified(Term(1, (), lambda t, v1, v2: v1 + t * v2)), proved_by_z3(),
                hunted(lambda rng: [simple(rng, sign=True) for _ in range(3)])),
        mutants=(Form("(sᵀs yᵀy/(sᵀy)² − 1)", projection(gain=0)), Form("(1 + t²/2)", projection(weight=0)),
                 Form("I − 2ρysᵀ", projection(tilt=2))),
        hypotheses=("s = (1, 0), y = (1, t) after a rotation and a change of scale; what is orthogonal to both is left alone",),
        sharpness=(attained_at(1, 1, -1), attained_at(2, -2, 1)),
        note="1 + r in the printed chain is the triangle inequality for I − ρysᵀ; its norm is √(sᵀs yᵀy)/sᵀy itself, "
             "attained for H_{i−1} = I. For n = 1 H_i = s/y ≤ 1/μ₂."),
    Statement(
        "R.Lem.2/7", "Section 2.7, end of the proof",
        Form("h_0 = 1, h_i = μ̂h_{i−1} + 1/μ₂ gives h_p = μ̂^p + (μ̂^p − 1)/(μ̂ − 1)/μ₂", geometric()),
        checks=(checks.over_Q((3, 8)), checks.mod_p(lambda n: 2 * n + 2)),
        mutants=(Form("μ̂^(p+1)", geometric(shift=1)), Form("2/μ₂", geometric(z=2)), Form("h_0 = 2", geometric(start=2)))),
    Statement(
        "R.Lem.2/8", "Section 2.7, Lemma 2: \"There exist two positive constants\"",
        Form("some κ_g > 0 bounds H_g(k) from below for all k; shown for κ_g = 10^(−100), any other goes the same way",
             lasting(lambda k: Q(1, 10**100))),
        checks=(claimed(Status.EXACT_Q, "Algorithm 5 on one softsign unit whose curvature stays negative"),),
        mutants=(Form("H_g(k) ≥ (1 + 1/μ₁)^(−1)", lasting(lambda k: Q(1, 6))),
                 Form("H_g(k) ≥ 1/(1 + k/μ₁)", lasting(lambda k: 1 / Q(1 + 5 * k))),
                 Form("H_g(k) ≥ 4^(−k)", lasting(lambda k: Q(1, 4**k)))),
        hypotheses=("Assumptions 1 to 3, which this network satisfies", "line 17 with ≥, as printed; every pair of the "
                                                                        "run is a tie"),
        repaired=Form("H_g(k) ≥ (1 + 1/μ₁)^(−k)", lasting(lambda k: Q(1, 6**k))), errata=(31, 33, 66),
        note="Where sᵀy < 0 the damped pair is s̃ = μ₁H_g y, and in one dimension the newest pair is all of H_g: so H_g(k) = "
             "μ₁^k, for every p. In floats rounding decides the ties (ERR-33), and those that pass shrink H_g all the same."),
)
