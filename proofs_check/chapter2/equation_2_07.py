"""R (2.7) to (2.10): how much one update can change ‖B‖ and ‖H‖, as bounds of matrices and step by step in scalars.

A quadratic form is enough: ‖B⁺‖ ≤ b says xᵀB⁺x ≤ b for unit x. The matrix forms below take B or H diagonal (after a rotation), with
its norm as an entry, and μ₁, μ₂ as large as the pair lets them be, and decide b I − B⁺ ⪰ 0 exactly.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .. import checks
from ..checks import Identity, Inequality, Outcome, Term, attained_at, certified, claimed, hunted, proved_by_z3, simple
from ..fields import Matrix, dot, outer
from ..statement import Finding, Form, Statement, Status
from .common import Q, above_root, bfgs_H, column, diagonal, entries, eye, part, semidefinite, shown


def cases() -> list[tuple[list[Any], Matrix, Matrix]]:
    """Square roots of the diagonal of H, s, y with sᵀy > 0: n = 1, 2, 3, among them ones that come near the bounds."""
    rng, found = random.Random(0), [([Q(1)], column(1), column(Q(1, 9))), ([Q(1), Q(1)], column(1, 1000), column(1, 0))]
    for k in (10, 100):
        found.append(([Q(1), Q(1, k**2)], column(1, Q(1, k)), column(-1, 2 * k)))
        found.append(([Q(1), Q(1, k)], column(1, k**3), column(1, 0)))
    while len(found) < 300:
        n = rng.randint(1, 3)
        s, y = (column(*(rng.randint(-9, 9) for _ in range(n))) for _ in range(2))
        if dot(s, y) > 0:
            found.append(([Q(rng.randint(1, 9), rng.choice([1, 3, 27])) for _ in range(n)], s, y * Q(1, rng.choice([1, 9, 81]))))
    return found


def norm_of_B(bound: Callable[[Any, Any], Any]) -> Callable[[], Outcome]:
    """‖B⁺‖ ≤ bound(‖B‖, yᵀHy/sᵀy)."""
    def claim() -> Outcome:
        for roots, s, y in cases():
            H = diagonal(*(r * r for r in roots))
            most = bound(1 / min(r * r for r in roots), dot(y, H * y) / dot(s, y))
            if not semidefinite(eye(len(roots), most) - bfgs_H(H, s, y).inv()):
                return Outcome(f"B = {shown(H.inv())}, s = {entries(s)}, y = {entries(y)}: ‖B⁺‖ > {most}")
        return Outcome(detail="300 updates")
    return claim


def norm_of_H(bound: Callable[[Any, Any, Any], Any]) -> Callable[[], Outcome]:
    """‖H⁺‖ ≤ bound(‖H^(1/2)‖, √(sᵀs yᵀHy)/sᵀy, sᵀs/sᵀy)."""
    def claim() -> Outcome:
        for roots, s, y in cases():
            H = diagonal(*(r * r for r in roots))
            sy, ss = dot(s, y), dot(s, s)
            most = bound(max(roots), above_root(ss * dot(y, H * y) / sy**2), ss / sy)
            if not semidefinite(eye(len(roots), most) - bfgs_H(H, s, y)):
                return Outcome(f"H = {shown(H)}, s = {entries(s)}, y = {entries(y)}: ‖H⁺‖ > {most}")
        return Outcome(detail="300 updates")
    return claim


def nearly(kind: str) -> Callable[[Any], Finding]:
    """Sharpness: an update within one part in a thousand of the bound, exactly."""
    def check(_: Any) -> Finding:
        if kind == "B":
            H, s, y = eye(2), column(1, 1000), column(1, 0)
            near = not semidefinite(eye(2, (1 + Q(1)) * Q(999, 1000)) - bfgs_H(H, s, y).inv())
            text = "B = I, s = (1, 1000), y = (1, 0): ‖B⁺‖ > 0.999 · 2, where yᵀHy/sᵀy = 1"
        else:
            H, s, y = diagonal(1, Q(1, 10**8)), column(1, Q(1, 100)), column(-1, 200)
            sy, ss = dot(s, y), dot(s, s)
            most = (1 + above_root(ss * dot(y, H * y) / sy**2)) ** 2 + ss / sy
            near = not semidefinite(eye(2, most * Q(998, 1000)) - bfgs_H(H, s, y))
            text = "H = diag(1, 10^−8), s = (1, 1/100), y = (−1, 200): ‖H⁺‖ > 0.998 of the bound, about 5"
        return Finding(near, Status.EXACT_Q if near else Status.NOT_PROVED, "not attained, but a supremum", text)
    return check


def factors(square: int = 1, order: str = "BH") -> Identity:
    """‖ρyyᵀ‖ is that of B^(1/2)H^(1/2)yyᵀH^(1/2)B^(1/2)/sᵀy: the matrices are equal, with R any invertible root."""
    def pairs(field, n):
        n = max(n, 2)
        root, s, y = field.matrix(n, n), field.vector(n), field.vector(n)
        inverse = root.inv()
        left = inverse * root if order == "BH" else root * root
        yield outer(y, y) * (1 / dot(s, y)), left * outer(y, y) * (left.transpose() if square else left) * (1 / dot(s, y))
    return pairs


def split(minus: int = 1, plus: int = 1) -> Identity:
    """H⁺ = (H^(1/2) − ρsyᵀH^(1/2)) (…)ᵀ + ρssᵀ with H = RRᵀ."""
    def pairs(field, n):
        R, s, y = field.matrix(n, n), field.vector(n), field.vector(n)
        rho, one = 1 / dot(s, y), field.eye(n)
        left = R - s * (y.transpose() * R) * (minus * rho)
        H = R * R.transpose()
        yield (one - outer(s, y) * rho) * H * (one - outer(y, s) * rho) + outer(s, s) * rho, \
            left * left.transpose() + outer(s, s) * (plus * rho)
    return pairs


GRAM = {
    "sBs > 0": lambda xBx, sBx, sBs, xx, b, xy, q: sBs,
    "b xx - xBx >= 0": lambda xBx, sBx, sBs, xx, b, xy, q: b * xx - xBx,
    "xBx q - xy² >= 0": lambda xBx, sBx, sBs, xx, b, xy, q: xBx * q - xy * xy,
    "xBx sBs - sBx² >= 0": lambda xBx, sBx, sBs, xx, b, xy, q: xBx * sBs - sBx * sBx,
    "q >= 0": lambda xBx, sBx, sBs, xx, b, xy, q: q,
}
NAMES = ("xBx", "sBx", "sBs", "xx", "b", "xy", "q")


def projected(gain: int = 1, without: str = "") -> Inequality:
    """xᵀ(B − Bssᵀ B/(sᵀBs))x ≤ ‖B‖ xᵀx, multiplied by sᵀBs."""
    return Inequality(NAMES, {name: of for name, of in GRAM.items() if name != without},
                      lambda xBx, sBx, sBs, xx, b, xy, q: b * xx * sBs - gain * (xBx * sBs - sBx * sBx))


def rank_one(gain: int = 1, without: str = "") -> Inequality:
    """(xᵀy)² ≤ ‖B‖ (yᵀHy) xᵀx: (xᵀy)² ≤ xᵀBx yᵀHy by Cauchy–Schwarz, and xᵀBx ≤ ‖B‖ xᵀx; q = yᵀHy."""
    return Inequality(NAMES, {name: of for name, of in GRAM.items() if name != without},
                      lambda xBx, sBx, sBs, xx, b, xy, q: b * q * xx - gain * xy * xy)


def draw(rng):
    """(xᵀBx, sᵀBx, sᵀBs, xᵀx, ‖B‖, xᵀy, yᵀHy) with ties."""
    sBs, t, xx = Fraction(1, 8) + simple(rng), simple(rng, sign=True), Fraction(1, 8) + simple(rng)
    xBx = t * t * sBs + rng.choice([-1, 0, 1, 1]) * simple(rng)
    b, u = xBx / xx + rng.choice([-1, 0, 1, 1]) * simple(rng), simple(rng, sign=True)
    return xBx, t * sBs, sBs, xx, b, u * xBx, u * u * xBx + rng.choice([-1, 0, 1, 1]) * simple(rng)


UPDATE = ("xBx", "sBx", "sBs", "b", "xy", "q", "sy", "mu")
UNIT = {
    "sBs > 0": lambda xBx, sBx, sBs, b, xy, q, sy, mu: sBs, "mu > 0": lambda xBx, sBx, sBs, b, xy, q, sy, mu: mu,
    "sy > 0": lambda xBx, sBx, sBs, b, xy, q, sy, mu: sy, "b > 0": lambda xBx, sBx, sBs, b, xy, q, sy, mu: b,
    "q >= 0": lambda xBx, sBx, sBs, b, xy, q, sy, mu: q, "b - xBx >= 0": lambda xBx, sBx, sBs, b, xy, q, sy, mu: b - xBx,
    "xBx q - xy² >= 0": lambda xBx, sBx, sBs, b, xy, q, sy, mu: xBx * q - xy * xy,
    "sy - mu q >= 0": lambda xBx, sBx, sBs, b, xy, q, sy, mu: sy - mu * q,
}


def core_of_B(one: int = 1, gain: int = 1, without: str = "") -> Inequality:
    """xᵀB⁺x = xᵀBx − (sᵀBx)²/(sᵀBs) + (xᵀy)²/sᵀy ≤ b(1 + 1/μ₁) for xᵀx = 1, multiplied by μ₁ sᵀBs sᵀy."""
    return Inequality(UPDATE, {name: of for name, of in UNIT.items() if name != without},
                      lambda xBx, sBx, sBs, b, xy, q, sy, mu: b * (one * mu + 1) * sBs * sy - mu * sBs * sy * xBx
                      + mu * sy * sBx * sBx - gain * mu * sBs * xy * xy)


def draw_B(rng):
    """(xᵀBx, sᵀBx, sᵀBs, b, xᵀy, yᵀHy, sᵀy, μ₁) with ties."""
    xBx, t, mu = Fraction(1, 8) + simple(rng), simple(rng, sign=True), Fraction(rng.randint(1, 9), 8)
    q = t * t * xBx + rng.choice([0, 0, 1]) * simple(rng)
    return (xBx, simple(rng, sign=True), Fraction(1, 8) + simple(rng), xBx + rng.choice([-1, 0, 1, 1]) * simple(rng), t * xBx, q,
            mu * q + rng.choice([-1, 0, 0, 1, 1]) * simple(rng), mu)


INVERSE = ("eta", "u", "S", "sx", "k", "v", "rho")
LENGTHS = {
    "rho > 0": lambda eta, u, S, sx, k, v, rho: rho, "u >= 0": lambda eta, u, S, sx, k, v, rho: u,
    "eta - u >= 0": lambda eta, u, S, sx, k, v, rho: eta - u, "S >= 0": lambda eta, u, S, sx, k, v, rho: S,
    "k >= 0": lambda eta, u, S, sx, k, v, rho: k, "S² - sx² >= 0": lambda eta, u, S, sx, k, v, rho: S * S - sx * sx,
    "S u k + sx v >= 0": lambda eta, u, S, sx, k, v, rho: S * u * k + sx * v,
}


def core_of_H(cross: int = 2, last: int = 1, without: str = "") -> Inequality:
    """xᵀH⁺x = u² − 2ρ(sᵀx)v + ρ²(sᵀx)²k² + ρ(sᵀx)² ≤ (η + ρSk)² + ρS², where xᵀx = 1.

    u² = xᵀHx ≤ η² = ‖H‖, S² = sᵀs ≥ (sᵀx)², k² = yᵀHy, v = xᵀHy, so that |(sᵀx)v| ≤ S u k.
    """
    return Inequality(INVERSE, {name: of for name, of in LENGTHS.items() if name != without},
                      lambda eta, u, S, sx, k, v, rho: eta * eta + cross * eta * rho * S * k + rho * rho * S * S * k * k
                      + last * rho * S * S - (u * u - 2 * rho * sx * v + rho * rho * sx * sx * k * k + rho * sx * sx))


def draw_H(rng):
    """(η, u, S, sᵀx, k, v, ρ) with ties."""
    u, S, k = simple(rng), simple(rng), simple(rng)
    return (u + rng.choice([-1, 0, 1, 1]) * simple(rng), u, S, S * rng.choice([-1, 1, Fraction(1, 2), -2]), k,
            u * k * rng.choice([-1, 1, Fraction(1, 3)]), Fraction(1, 8) + simple(rng))


ROOTS = {"eta >= 0": lambda eta, a, r, A, R: eta, "r >= 0": lambda eta, a, r, A, R: r, "A - a >= 0": lambda eta, a, r, A, R: A - a,
         "R - r >= 0": lambda eta, a, r, A, R: R - r}


def roots(cross: int = 2, last: int = 1, without: str = "") -> Inequality:
    """(η + r)² + a ≤ (η + R)² + A for η = ‖H^(1/2)‖, a = sᵀs/sᵀy ≤ A = 1/μ₂, r = √(a yᵀHy/sᵀy) ≤ R = 1/√(μ₁μ₂)."""
    return Inequality(("eta", "a", "r", "A", "R"), {name: of for name, of in ROOTS.items() if name != without},
                      lambda eta, a, r, A, R: eta * eta + cross * eta * R + R * R + last * A - (eta + r) * (eta + r) - a)


def draw_roots(rng):
    """(η, a, r, A, R) with ties."""
    a, r = simple(rng), simple(rng)
    return simple(rng), a, r, a + rng.choice([-1, 0, 1, 1]) * simple(rng), r + rng.choice([-1, 0, 1, 1]) * simple(rng)


ON_MATRICES = claimed(Status.SAMPLED, "exactly, n = 1, 2, 3, diagonal B and random pairs")

STATEMENTS = (
    Statement(
        "R.Eq.2.7", "Section 2.3",
        Form("‖B⁺‖ ≤ ‖B − Bssᵀ B/(sᵀBs)‖ + ‖ρyyᵀ‖ ≤ ‖B‖ + …: xᵀ(B − Bssᵀ B/(sᵀBs))x ≤ ‖B‖xᵀx", projected()),
        checks=(certified(Term(1, ("sBs > 0", "b xx - xBx >= 0"), lambda *_: 1),
                          Term(1, (), lambda xBx, sBx, sBs, xx, b, xy, q: sBx)),
                hunted(draw, tries=1000)),
        mutants=(Form("2(B − …)", projected(gain=2)), Form("without xᵀBx ≤ ‖B‖xᵀx", projected(without="b xx - xBx >= 0")),
                 Form("3(B − …)", projected(gain=3))),
        hypotheses=("B symmetric positive definite", "sᵀy > 0"),
        sharpness=(attained_at(1, 0, 1, 1, 1, 0, 0),),
        note="The first inequality is the triangle's. Attained by x ⟂ Bs."),
    Statement(
        "R.Eq.2.7/1", "Section 2.3: the last term of (2.7)",
        Form("ρyyᵀ = B^(1/2)H^(1/2)yyᵀH^(1/2)B^(1/2)/sᵀy", factors()),
        checks=(checks.over_Q((2, 3)), checks.mod_p(lambda n: 4 * n + 20)),
        mutants=(Form("H^(1/2)H^(1/2)yyᵀ…", factors(order="HH")), Form("H^(1/2)H^(1/2)yyᵀH^(1/2)H^(1/2) without the transpose",
                                                                      factors(0, "HH"))),
        pinned="B^(1/2)H^(1/2) = I is all it says; both neighbours with the wrong root are rejected"),
    Statement(
        "R.Eq.2.8", "Section 2.3",
        Form("‖B⁺‖ ≤ ‖B‖(1 + yᵀHy/sᵀy) ≤ ‖B‖(1 + 1/μ₁)", (core_of_B(), norm_of_B(lambda b, r: b * (1 + r)))),
        checks=(part(0, certified(
                    Term(1, ("mu > 0", "sBs > 0", "sy > 0", "b - xBx >= 0"), lambda *_: 1),
                    Term(1, ("mu > 0", "sy > 0"), lambda xBx, sBx, sBs, b, xy, q, sy, mu: sBx),
                    Term(1, ("sBs > 0", "b > 0", "sy - mu q >= 0"), lambda *_: 1),
                    Term(1, ("sBs > 0", "mu > 0", "q >= 0", "b - xBx >= 0"), lambda *_: 1),
                    Term(1, ("sBs > 0", "mu > 0", "xBx q - xy² >= 0"), lambda *_: 1))), part(0, hunted(draw_B, tries=1000)),
                    part(1, ON_MATRICES)),
        mutants=(Form("‖B‖/μ₁", (core_of_B(one=0), norm_of_B(lambda b, r: b * r))),
                 Form("‖B‖(1 + r/2)", (core_of_B(gain=2), norm_of_B(lambda b, r: b * (1 + r / 2)))),
                 Form("without yᵀHy ≤ sᵀy/μ₁", (core_of_B(without="sy - mu q >= 0"), norm_of_B(lambda b, r: 2 * b))),
                 Form("without ‖B‖ ≤ b", (core_of_B(without="b - xBx >= 0"), norm_of_B(lambda b, r: b * max(1, r))))),
        hypotheses=("0 < yᵀHy/sᵀy ≤ 1/μ₁ with the H = B⁻¹ that is updated",), sharpness=(nearly("B"),),
        note="True, and never attained: for B = I the largest eigenvalue λ of B⁺ solves λ² − (1 + r)λ + sᵀy/sᵀs = 0 with r = "
             "yᵀHy/sᵀy, so that λ < 1 + r; the supremum is 1 + r."),
    Statement(
        "R.Eq.2.8/1", "Section 2.3: first step of (2.8)",
        Form("(xᵀy)² ≤ ‖B‖ yᵀHy xᵀx", rank_one()),
        checks=(certified(Term(1, ("xBx q - xy² >= 0",), lambda *_: 1), Term(1, ("q >= 0", "b xx - xBx >= 0"), lambda *_: 1)),
                hunted(draw, tries=1000)),
        mutants=(Form("2(xᵀy)²", rank_one(gain=2)), Form("without xᵀBx ≤ ‖B‖xᵀx", rank_one(without="b xx - xBx >= 0")),
                 Form("without Cauchy–Schwarz", rank_one(without="xBx q - xy² >= 0"))),
        sharpness=(attained_at(1, 0, 1, 1, 1, 1, 1),)),
    Statement(
        "R.Eq.2.9", "Section 2.3",
        Form("H⁺ = (H^(1/2) − ρsyᵀH^(1/2))(H^(1/2) − ρsyᵀH^(1/2))ᵀ + ρssᵀ, so ‖H⁺‖ ≤ ‖H^(1/2) − ρsyᵀH^(1/2)‖² + ‖ρssᵀ‖", split()),
        checks=(checks.over_Q(), checks.mod_p(lambda n: 10)),
        mutants=(Form("+ρsyᵀH^(1/2)", split(minus=-1)), Form("2ρssᵀ", split(plus=2)), Form("without ρssᵀ", split(plus=0))),
        note="The rest of the line is the triangle inequality with ‖syᵀH^(1/2)‖ = ‖s‖‖H^(1/2)y‖."),
    Statement(
        "R.Eq.2.10", "Section 2.3",
        Form("‖H⁺‖ ≤ (‖H^(1/2)‖ + √(sᵀs/sᵀy) √(yᵀHy/sᵀy))² + sᵀs/sᵀy ≤ (‖H^(1/2)‖ + 1/√(μ₁μ₂))² + 1/μ₂",
             (core_of_H(), norm_of_H(lambda eta, r, a: (eta + r) ** 2 + a))),
        checks=(part(0, certified(
                    Term(1, (), lambda eta, u, S, sx, k, v, rho: eta - u), Term(2, ("u >= 0", "eta - u >= 0"), lambda *_: 1),
                    Term(2, ("rho > 0", "eta - u >= 0", "S >= 0", "k >= 0"), lambda *_: 1),
                    Term(2, ("rho > 0", "S u k + sx v >= 0"), lambda *_: 1),
                    Term(1, ("S² - sx² >= 0",), lambda eta, u, S, sx, k, v, rho: rho * k),
                    Term(1, ("rho > 0", "S² - sx² >= 0"), lambda *_: 1))),
                part(0, hunted(draw_H, tries=1000)), part(1, ON_MATRICES)),
        mutants=(Form("‖H‖ + r² + a", (core_of_H(cross=0), norm_of_H(lambda eta, r, a: eta**2 + r**2 + a))),
                 Form("without a", (core_of_H(last=0), norm_of_H(lambda eta, r, a: (eta + r) ** 2))),
                 Form("η² + ηr + r² + a", (core_of_H(cross=1), norm_of_H(lambda eta, r, a: eta**2 + eta * r + r**2 + a)))),
        hypotheses=("0 < yᵀHy/sᵀy ≤ 1/μ₁", "0 < sᵀs/sᵀy ≤ 1/μ₂"), sharpness=(nearly("H"),),
        note="True: the core is the first inequality, R.Eq.2.10/1 the second. No constant can be improved without more "
             "hypotheses."),
    Statement(
        "R.Eq.2.10/1", "Section 2.3: last step of (2.10)",
        Form("(η + r)² + a ≤ (η + 1/√(μ₁μ₂))² + 1/μ₂", roots()),
        checks=(certified(Term(2, ("eta >= 0", "R - r >= 0"), lambda *_: 1), Term(1, (), lambda eta, a, r, A, R: R - r),
                          Term(2, ("r >= 0", "R - r >= 0"), lambda *_: 1), Term(1, ("A - a >= 0",), lambda *_: 1)),
                proved_by_z3(), hunted(draw_roots, tries=1000)),
        mutants=(Form("η² + ηR + R²", roots(cross=1)), Form("without 1/μ₂", roots(last=0)),
                 Form("without r ≤ R", roots(without="R - r >= 0"))),
        sharpness=(attained_at(1, 1, 1, 1, 1),)),
)
