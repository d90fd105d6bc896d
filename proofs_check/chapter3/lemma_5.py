"""R Lemma 5: how far one BFGS update can raise ‖B‖ and ‖H‖.

Both norms are suprema of quadratic forms. With any vector x: xᵀB⁺x = xᵀBx − (sᵀBx)²/sᵀBs + (yᵀx)²/sᵀy, and xᵀH⁺x = zᵀHz +
(sᵀx)²/sᵀy with z = x − ρy(sᵀx). What is known of B and H are xᵀBx ≤ β xᵀx and zᵀHz ≤ η zᵀz; all that is known of x, s and y
are their inner products, of which the Gram determinant is not negative. Inequalities are multiplied by what is positive. "runs"
updates matrices exactly and compares spectral norms.
"""

from fractions import Fraction

from ..checks import (
    Inequality,
    Outcome,
    Term,
    attained_at,
    certified,
    claimed,
    hunted,
    mod_p,
    on,
    over_Q,
    proved_by_z3,
    refuted_at,
    simple,
)
from ..fields import dot, outer
from ..statement import Form, Statement, Status
from . import common
from .common import Q

# --------------------------------------------------------------------------------------------------------------------- B

OF_B = ("beta", "mu3", "xx", "xBx", "xBs", "sBs", "xy", "yy", "sy")
POSITIVE_B = {
    "sBs > 0": lambda beta, mu3, xx, xBx, xBs, sBs, xy, yy, sy: sBs,
    "sy > 0": lambda beta, mu3, xx, xBx, xBs, sBs, xy, yy, sy: sy,
    "mu3 > 0": lambda beta, mu3, xx, xBx, xBs, sBs, xy, yy, sy: mu3,
    "xx >= 0": lambda beta, mu3, xx, xBx, xBs, sBs, xy, yy, sy: xx,
    "beta xx - xBx >= 0": lambda beta, mu3, xx, xBx, xBs, sBs, xy, yy, sy: beta * xx - xBx,
    "sy - mu3 yy >= 0": lambda beta, mu3, xx, xBx, xBs, sBs, xy, yy, sy: sy - mu3 * yy,
    "xx yy - xy^2 >= 0": lambda beta, mu3, xx, xBx, xBs, sBs, xy, yy, sy: xx * yy - xy * xy,
}


def of_B(weight=1, over=1, without=()):
    """xᵀB⁺x ≤ (β + (weight/over)/μ₃) xᵀx, times sᵀBs · sᵀy · μ₃."""
    return Inequality(OF_B, {name: value for name, value in POSITIVE_B.items() if name not in without},
                      lambda beta, mu3, xx, xBx, xBs, sBs, xy, yy, sy: over * sBs * sy * mu3 * (beta * xx - xBx)
                      + weight * sBs * sy * xx + over * mu3 * sy * xBs * xBs - over * mu3 * sBs * xy * xy)


CERTIFICATE_B = certified(Term(1, ("sBs > 0", "sy > 0", "mu3 > 0", "beta xx - xBx >= 0"), lambda *_: 1),
                          Term(1, ("mu3 > 0", "sy > 0"), lambda beta, mu3, xx, xBx, xBs, *_: xBs),
                          Term(1, ("sBs > 0", "xx >= 0", "sy - mu3 yy >= 0"), lambda *_: 1),
                          Term(1, ("sBs > 0", "mu3 > 0", "xx yy - xy^2 >= 0"), lambda *_: 1))


def draw_B(rng):
    """Vectors of the plane and a diagonal B; x now and then y or orthogonal to s."""
    (s, y), x, b = ([simple(rng, sign=True), simple(rng, sign=True)] for _ in range(2)), [simple(rng, sign=True)] * 2, [
        Fraction(rng.randint(1, 8), 4) for _ in range(2)]
    x = rng.choice([x, y, [-s[1], s[0]]])

    def dot(v, w):
        return v[0] * w[0] + v[1] * w[1]

    def form(v, w):
        return b[0] * v[0] * w[0] + b[1] * v[1] * w[1]
    mu3 = dot(s, y) / dot(y, y) if any(y) else Fraction(1)
    return max(b), mu3, dot(x, x), form(x, x), form(x, s), form(s, s), dot(x, y), dot(y, y), dot(s, y)


# --------------------------------------------------------------------------------------------------------------------- H

OF_H = ("eta", "mu2", "mu3", "m", "xx", "ss", "yy", "sy", "xs", "xy", "zHz")
POSITIVE_H = {
    "eta > 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: eta,
    "mu2 > 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: mu2,
    "mu3 > 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: mu3,
    "m > 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: m,
    "m^2 - mu2 mu3 = 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: m * m - mu2 * mu3,
    "sy > 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: sy,
    "xx >= 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: xx,
    "ss >= 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: ss,
    "sy - mu2 ss >= 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: sy - mu2 * ss,
    "sy - mu3 yy >= 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: sy - mu3 * yy,
    "xx ss - xs^2 >= 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: xx * ss - xs * xs,
    "Gram determinant >= 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz:
        xx * (ss * yy - sy * sy) - xs * (xs * yy - sy * xy) + xy * (xs * sy - ss * xy),
    "sy^2 (eta zz - zHz) >= 0": lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz:
        eta * (sy * sy * xx - 2 * sy * xy * xs + yy * xs * xs) - sy * sy * zHz,
}


def of_H(grown=0, first=1, second=1, without=()):
    """xᵀH⁺x ≤ ((first + grown · √(μ₂μ₃))²η/(μ₂μ₃) + second/μ₂) xᵀx, times μ₂μ₃(sᵀy)²: grown = 1 is printed, 0 sharper."""
    return Inequality(OF_H, {name: value for name, value in POSITIVE_H.items() if name not in without},
                      lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz:
                      (first + grown * m) * (first + grown * m) * eta * xx * sy * sy + second * mu3 * xx * sy * sy
                      - mu2 * mu3 * sy * (sy * zHz + xs * xs))


SHARPER = (Term(1, ("mu2 > 0", "mu3 > 0", "sy^2 (eta zz - zHz) >= 0"), lambda *_: 1),
           Term(1, ("mu2 > 0", "mu3 > 0", "eta > 0", "Gram determinant >= 0"), lambda *_: 1),
           Term(1, ("mu2 > 0", "mu3 > 0", "eta > 0", "ss >= 0"),
                lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: xy),
           Term(1, ("eta > 0", "xx >= 0", "sy > 0", "sy - mu2 ss >= 0"), lambda *_: 1),
           Term(1, ("eta > 0", "xx >= 0", "mu2 > 0", "ss >= 0", "sy - mu3 yy >= 0"), lambda *_: 1),
           Term(1, ("mu3 > 0", "sy > 0", "xx >= 0", "sy - mu2 ss >= 0"), lambda *_: 1),
           Term(1, ("mu3 > 0", "sy > 0", "mu2 > 0", "xx ss - xs^2 >= 0"), lambda *_: 1))
PRINTED = (*SHARPER,
           Term(1, ("eta > 0", "xx >= 0"), lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: m * sy),
           Term(2, ("eta > 0", "xx >= 0", "m > 0"), lambda eta, mu2, mu3, m, xx, ss, yy, sy, xs, xy, zHz: sy))


def draw_H(rng):
    """Vectors of the plane at an angle with a rational cosine, H = ηI or less; x among the directions that H⁺ stretches."""
    (c, d), size = rng.choice([(1, 0), (4, 3), (3, 4), (5, 12), (24, -7)]), Fraction(rng.randint(1, 8), 4)
    length = {(1, 0): 1, (4, 3): 5, (3, 4): 5, (5, 12): 13, (24, -7): 25}[c, d]
    c, d = Fraction(c, length), Fraction(d, length)
    _s, y, eta = (Fraction(1), Fraction(0)), (size * c, size * d), Fraction(rng.randint(1, 64), 4)
    x = rng.choice([(-d, c), (1, 0), (simple(rng, sign=True), simple(rng, sign=True))])
    sy, xs, xy, u = y[0], x[0], x[0] * y[0] + x[1] * y[1], Fraction(1, rng.choice([1, 1, 2]))
    z = (x[0] - y[0] * xs / sy, x[1] - y[1] * xs / sy)
    zz = z[0] * z[0] + z[1] * z[1]
    return (eta, size * c * u, c / size * u, c * u, x[0] * x[0] + x[1] * x[1], 1, size * size, sy, xs, xy,
            zz * eta * rng.choice([1, Fraction(1, 2)]))


# ------------------------------------------------------------------------------------------------------------- whole matrices

TURN = [[Q(3, 5), Q(-4, 5)], [Q(4, 5), Q(3, 5)]]


def matrices(n, definite):
    """Symmetric matrices of size n with eigenvalues known, as (matrix, inverse, norm of each)."""
    for eigenvalues in ((1, 1), (Q(4), Q(1, 4)), *(() if definite else ((Q(1), Q(-1)),))):
        values = [Q(value) for value in eigenvalues[:n]]

        def turned(values):
            if len(values) == 1:
                return [values]
            return [[sum((TURN[i][k] * value * TURN[j][k] for k, value in enumerate(values)), Q(0)) for j in range(2)]
                    for i in range(2)]
        inverse = [1 / value for value in values]
        yield turned(values), turned(inverse), max(map(abs, values)), max(map(abs, inverse))


def runs(positive=True, definite=True, B=1, H=1, grown=True):
    """BFGS updates of small matrices by small pairs, with the largest μ₂ and μ₃ that the pair allows."""
    def claim():
        count = 0
        for s, y in common.pairs():
            ss, sy, yy = common.dot(s, s), common.dot(s, y), common.dot(y, y)
            if sy == 0 or (positive and sy < 0):
                continue
            mu2, mu3 = (sy / ss, sy / yy) if sy > 0 else (Q(8), Q(8))
            for H_old, B_old, eta, beta in matrices(len(s), definite):
                if common.dot(s, common.times(B_old, s)) == 0:
                    continue
                count += 1
                shown = f"s = {s}, y = {y}, H = {H_old}, μ₂ = {mu2}, μ₃ = {mu3}"
                if not common.at_most(common.bfgs_B(B_old, s, y), beta + B / mu3):
                    return Outcome(f"{shown}: ‖B⁺‖ > ‖B‖ + 1/μ₃ = {beta + B / mu3}")
                product = mu2 * mu3
                root = Q(int(1000 * float(Fraction(int(product.p), int(product.q))) ** 0.5) + 1, 1000)       # from above
                factor = (1 + 1 / root)**2 if grown else 1 / product
                if not common.at_most(common.bfgs(H_old, s, y), H * factor * eta + 1 / mu2):
                    return Outcome(f"{shown}: ‖H⁺‖ > {H * factor * eta + 1 / mu2}")
        return Outcome(detail=f"{count} updates in one and two dimensions")
    return claim


def lemma(**changes):
    """Both bounds and the runs, with some parts replaced."""
    return {"runs": runs(), "B": of_B(), "H": of_H(grown=1)} | changes


# ---------------------------------------------------------------------------------------------------------- steps of the proof

LESS = ("xBx", "xBs", "sBs")


def less(upper=True, twice=1, definite=True):
    """0 ≤ xᵀBx − twice (xᵀBs)²/sᵀBs ≤ xᵀBx, times sᵀBs."""
    hypotheses = {"sBs > 0": lambda xBx, xBs, sBs: sBs, "xBx >= 0": lambda xBx, xBs, sBs: xBx}
    if definite:
        hypotheses["xBx sBs - xBs^2 >= 0"] = lambda xBx, xBs, sBs: xBx * sBs - xBs * xBs
    return Inequality(LESS, hypotheses, (lambda xBx, xBs, sBs: twice * xBs * xBs) if upper else
                      (lambda xBx, xBs, sBs: xBx * sBs - twice * xBs * xBs))


def projection(sign=1):
    """I − ρsyᵀ is a projection along s: hence ‖I − P‖ = ‖P‖ for P = ρsyᵀ where neither is 0."""
    def pairs(field, n):
        s, y = field.vector(n), field.vector(n)
        P = outer(s, y) * (sign / (y.transpose() * s)[0, 0])
        rest = field.eye(n) - P
        yield rest * rest, rest
        yield rest * s, s * 0
    return pairs


OBLIQUE = ("xx", "ss", "yy", "sy", "xs", "xy")


def oblique(wide=0, over=1, gram=True):
    """over ‖x − ρs(yᵀx)‖² ≤ (‖s‖²‖y‖²/(sᵀy)² + wide) ‖x‖², times (sᵀy)²."""
    hypotheses = {"xx >= 0": lambda xx, ss, yy, sy, xs, xy: xx, "ss >= 0": lambda xx, ss, yy, sy, xs, xy: ss,
                  "yy >= 0": lambda xx, ss, yy, sy, xs, xy: yy}
    if gram:
        hypotheses["Gram determinant >= 0"] = lambda xx, ss, yy, sy, xs, xy: (
            xx * (ss * yy - sy * sy) - xs * (xs * yy - sy * xy) + xy * (xs * sy - ss * xy))
    return Inequality(OBLIQUE, hypotheses, lambda xx, ss, yy, sy, xs, xy: (ss * yy + wide * sy * sy) * xx
                      - over * (sy * sy * xx - 2 * sy * xs * xy + ss * xy * xy))


BEST = ("beta", "mu2", "r", "t", "p", "q", "y1", "y2")


def best(constant=1, without=()):
    """‖B⁺‖ ≤ t, the larger root of t² − (β + 1/μ₃)t + βμ₂: with s = (1, 0), y = (y1, y2), x = (p, q), B ≤ βI and r = 1/μ₃.

    xᵀB⁺x ≤ min over a of β‖x − as‖², plus (yᵀx)²/sᵀy; times y1.
    """
    hypotheses = {
        "beta > 0": lambda beta, mu2, r, t, p, q, y1, y2: beta, "mu2 > 0": lambda beta, mu2, r, t, p, q, y1, y2: mu2,
        "y1 > 0": lambda beta, mu2, r, t, p, q, y1, y2: y1,
        "t > 0": lambda beta, mu2, r, t, p, q, y1, y2: t,
        "sy - mu2 ss >= 0": lambda beta, mu2, r, t, p, q, y1, y2: y1 - mu2,
        "r sy - yy >= 0": lambda beta, mu2, r, t, p, q, y1, y2: r * y1 - y1 * y1 - y2 * y2,
        "t - y1 > 0": lambda beta, mu2, r, t, p, q, y1, y2: t - y1,
        "root >= 0": lambda beta, mu2, r, t, p, q, y1, y2: t * t - (beta + r) * t + constant * beta * mu2,
    }
    return Inequality(BEST, {name: value for name, value in hypotheses.items() if name not in without},
                      lambda beta, mu2, r, t, p, q, y1, y2:
                      y1 * ((t - beta) * (p * p + q * q) + beta * p * p) - (y1 * p + y2 * q) * (y1 * p + y2 * q))


def draw_best(rng):
    """Points near the root: t a little above a rational approximation of it."""
    y1, y2 = Fraction(rng.randint(1, 12), 6), simple(rng, sign=True)
    mu2, beta = y1 * rng.choice([1, 1, Fraction(1, 2)]), Fraction(rng.randint(1, 12), 4)
    r = (y1 * y1 + y2 * y2) / y1 * rng.choice([1, 1, 2])
    root = float((beta + r) ** 2 - 4 * beta * mu2)
    t = Fraction(int(500 * (float(beta + r) + max(root, 0) ** 0.5)) + 1, 1000)
    p, q = t - beta - y2 * y2 / y1, y2
    return beta, mu2, r, t, *rng.choice([(p, q), (simple(rng, sign=True), simple(rng, sign=True))]), y1, y2


BEST_H = ("eta", "mu2", "r", "t", "p", "q", "y1", "y2")


def best_H(constant=1, without=()):
    """‖H⁺‖ ≤ t, the larger root of μ₂t² − (1 + η/μ₃)t + η: letters as in `best`, H ≤ ηI; then z = (0, q − y2 p/y1); times y1²."""
    hypotheses = {
        "eta > 0": lambda eta, mu2, r, t, p, q, y1, y2: eta, "y1 > 0": lambda eta, mu2, r, t, p, q, y1, y2: y1,
        "t - eta > 0": lambda eta, mu2, r, t, p, q, y1, y2: t - eta, "t > 0": lambda eta, mu2, r, t, p, q, y1, y2: t,
        "sy - mu2 ss >= 0": lambda eta, mu2, r, t, p, q, y1, y2: y1 - mu2,
        "r sy - yy >= 0": lambda eta, mu2, r, t, p, q, y1, y2: r * y1 - y1 * y1 - y2 * y2,
        "root >= 0": lambda eta, mu2, r, t, p, q, y1, y2: mu2 * t * t - (1 + eta * r) * t + constant * eta,
    }
    return Inequality(BEST_H, {name: value for name, value in hypotheses.items() if name not in without},
                      lambda eta, mu2, r, t, p, q, y1, y2:
                      t * y1 * y1 * (p * p + q * q) - eta * (y1 * q - y2 * p) * (y1 * q - y2 * p) - y1 * p * p)


def draw_best_H(rng):
    """Points near the root, x where the form is smallest."""
    y1, y2, eta = Fraction(rng.randint(1, 12), 6), simple(rng, sign=True), Fraction(rng.randint(1, 12), 4)
    mu2, r = y1 * rng.choice([1, 1, Fraction(1, 2)]), (y1 * y1 + y2 * y2) / y1 * rng.choice([1, 1, 2])
    middle = 1 + eta * r
    t = Fraction(int(500 * float((float(middle) + float(middle**2 - 4 * eta * mu2) ** 0.5) / float(mu2))) + 1, 1000)
    x = rng.choice([((t - eta) * y1, -eta * y2), (simple(rng, sign=True), simple(rng, sign=True))])
    return eta, mu2, r, t, *x, y1, y2


def forms(z=True, secant=1):
    """xᵀB⁺x and xᵀH⁺x in the numbers that the inequalities are about, and zᵀz in inner products."""
    def pairs(field, n):
        H, s, y, x = field.symmetric(n), field.vector(n), field.vector(n), field.vector(n)
        B, eye = H.inv(), field.eye(n)
        rho, Bs = 1 / dot(s, y), B * s
        H_new = (eye - rho * outer(s, y)) * H * (eye - rho * outer(y, s)) + rho * outer(s, s)
        yield dot(x, B * x) - dot(x, Bs)**2 / dot(s, Bs) + secant * rho * dot(x, y)**2, dot(x, H_new.inv() * x)
        turned = x - y * (rho * dot(s, x)) if z else x - s * (rho * dot(y, x))
        yield dot(x, H_new * x), dot(turned, H * turned) + rho * dot(s, x)**2
        yield dot(s, y)**2 * dot(turned, turned), (dot(s, y)**2 * dot(x, x) - 2 * dot(s, y) * dot(x, y) * dot(s, x)
                                                   + dot(y, y) * dot(s, x)**2)
    return pairs


NO_VECTORS = refuted_at(1, 1, 1, 1, 1, 1, 1, 1, 1, -2, 6)
"""Inner products that no vectors have: their Gram determinant is negative."""
POSITIVE = "sᵀy > 0 and H positive definite, which the text has at (2.6) and for damped pairs"

STATEMENTS = (
    Statement(
        "R.Lem.5", "Section 3.6",
        Form("if sᵀs/sᵀy <= 1/μ₂ and yᵀy/sᵀy <= 1/μ₃, then ‖B⁺‖ <= ‖B‖ + 1/μ₃ and ‖H⁺‖ <= (1 + 1/√(μ₂μ₃))² ‖H‖ + 1/μ₂",
             lemma(runs=runs(positive=False, definite=False))),
        checks=(on("runs", claimed(Status.SAMPLED, "updates in exact numbers, norms compared exactly")),
                on("B", CERTIFICATE_B), on("B", hunted(draw_B, 500)), on("H", certified(*PRINTED)), on("H", hunted(draw_H, 300)),
                on("B", refuted_at(1, 1, 1, 5, 0, 1, 0, 1, 1)), on("H", NO_VECTORS)),
        mutants=(Form("‖B‖ + 1/(2μ₃)", {"runs": runs(B=Q(1, 2))}), Form("(…)²‖H‖/4", {"runs": runs(H=Q(1, 4))}),
                 Form("sᵀy of any sign", {"runs": runs(positive=False)}), Form("H of any signature",
                                                                                 {"runs": runs(definite=False)}),
                 Form("‖B‖ + 2/(3μ₃), by forms", {"B": of_B(2, over=3)}),
                 Form("xᵀBx <= β xᵀx dropped", {"B": of_B(without=("beta xx - xBx >= 0",))}),
                 Form("the Gram determinant dropped", {"H": of_H(grown=1, without=("Gram determinant >= 0",))}),
                 Form("without 1/μ₂", {"H": of_H(grown=1, second=0)})),
        hypotheses=("μ₂ > 0, μ₃ > 0", "B = H⁻¹", "(s, y) as in (3.11)"),
        repaired=Form("the same with sᵀy > 0 and H positive definite", lemma()), errata=(22,),
        note="Negative ratios satisfy both hypotheses as printed. Neither constant is attained: parts 3 and 4 have smaller ones."),
    Statement(
        "R.Lem.5/1", "Section 3.6, proof of Lemma 5, first display",
        Form("‖B − Bssᵀ B/sᵀBs‖ <= ‖B‖", {"upper": less(), "lower": less(upper=False)}),
        checks=(on("upper", certified(Term(1, (), lambda xBx, xBs, sBs: xBs))),
                on("lower", certified(Term(1, ("xBx sBs - xBs^2 >= 0",), lambda *_: 1))),
                on("upper", proved_by_z3()), on("lower", proved_by_z3())),
        mutants=(Form("B − 2Bssᵀ B/sᵀBs >= 0", {"lower": less(upper=False, twice=2)}),
                 Form("B + Bssᵀ B/sᵀBs <= B", {"upper": less(twice=-1)}),
                 Form("B indefinite", {"lower": less(upper=False, definite=False)})),
        hypotheses=("B positive definite",),
        note="0 ⪯ B − Bssᵀ B/sᵀBs ⪯ B; equality of the norms whenever s is orthogonal to a top eigenvector of B."),
    Statement(
        "R.Lem.5/2", "Section 3.6, proof of Lemma 5, second display",
        Form("‖I − ρsyᵀ‖ = ‖I − ρysᵀ‖ <= ‖I‖ + ‖s‖‖y‖/sᵀy", {"projection": projection(), "norm": oblique(wide=1)}),
        checks=(on("projection", over_Q()), on("projection", mod_p(lambda n: 10)),
                on("norm", certified(Term(1, ("Gram determinant >= 0",), lambda *_: 1),
                                     Term(1, ("yy >= 0",), lambda xx, ss, yy, sy, xs, xy: xs),
                                     Term(1, ("xx >= 0",), lambda xx, ss, yy, sy, xs, xy: sy))),
                on("norm", refuted_at(1, 1, 2, 1, 0, 1)), on("norm", refuted_at(1, 0, 0, 1, 1, -1))),
        mutants=(Form("ρ = −1/sᵀy", {"projection": projection(sign=-1)}),
                 Form("half of it", {"norm": oblique(wide=1, over=2)}),
                 Form("without the Gram determinant", {"norm": oblique(wide=1, gram=False)})),
        hypotheses=("sᵀy ≠ 0",),
        note="Transposes have the same norm. The bound gives away the whole ‖I‖: I − ρsyᵀ is a projection, and ‖I − P‖ = ‖P‖ (part "
             "3)."),
    Statement(
        "R.Lem.5/3", "not printed: the triangle inequality of Lemma 5's proof is not needed",
        Form("‖I − ρsyᵀ‖ <= ‖s‖‖y‖/sᵀy and ‖H⁺‖ <= ‖H‖/(μ₂μ₃) + 1/μ₂",
             {"runs": runs(grown=False), "norm": oblique(), "H": of_H()}),
        checks=(on("runs", claimed(Status.SAMPLED, "updates in exact numbers, norms compared exactly")),
                on("norm", certified(Term(1, ("Gram determinant >= 0",), lambda *_: 1),
                                     Term(1, ("yy >= 0",), lambda xx, ss, yy, sy, xs, xy: xs))),
                on("H", certified(*SHARPER)), on("H", hunted(draw_H, 300)), on("H", NO_VECTORS),
                on("norm", refuted_at(1, 1, 2, 1, 0, 1))),
        mutants=(Form("‖H‖/(2μ₂μ₃)", {"runs": runs(grown=False, H=Q(1, 2))}), Form("without 1/μ₂", {"H": of_H(second=0)}),
                 Form("half the norm", {"norm": oblique(over=2)}),
                 Form("without the Gram determinant", {"H": of_H(without=("Gram determinant >= 0",))})),
        hypotheses=(POSITIVE,), sharpness=(on("norm", attained_at(1, 1, 2, 1, 0, 1)),),
        note="Attained by x = (0, 1), s = (1, 0), y = (1, 1). The printed factor (1 + √(1/μ₂μ₃))² is up to four times as large; "
             "for Algorithm 11 with μ₁ = 1/5 it is 13.3 against 7. One dimension has ‖H⁺‖ = sᵀs/sᵀy <= 1/μ₂."),
    Statement(
        "R.Lem.5/4", "not printed: the best bound on ‖B⁺‖",
        Form("‖B⁺‖ <= t, the larger root of t² − (‖B‖ + 1/μ₃)t + ‖B‖μ₂ = 0", best()),
        checks=(certified(Term(1, (), lambda beta, mu2, r, t, p, q, y1, y2: (t - y1) * p * y1 - y2 * q * y1),
                          Term(1, ("y1 > 0", "y1 > 0", "root >= 0"), lambda beta, mu2, r, t, p, q, y1, y2: q),
                          Term(1, ("y1 > 0", "t > 0", "r sy - yy >= 0"), lambda beta, mu2, r, t, p, q, y1, y2: q),
                          Term(1, ("y1 > 0", "y1 > 0", "beta > 0", "sy - mu2 ss >= 0"),
                               lambda beta, mu2, r, t, p, q, y1, y2: q), factor=("y1 > 0", "t - y1 > 0")), hunted(draw_best, 500),
                *(refuted_at(1, mu2, r, t, p, 1, Fraction(2, 3), Fraction(2, 3)) for mu2, r, t, p in (
                    (Fraction(2, 3), Fraction(4, 3), Fraction(4, 3), 1), (10, Fraction(4, 3), 1, 2), (Fraction(2, 3), 0, 1, 2)))),
        mutants=(Form("… + 2‖B‖μ₂", best(constant=2)), Form("without sᵀs/sᵀy <= 1/μ₂", best(without=("sy - mu2 ss >= 0",))),
                 Form("without yᵀy/sᵀy <= 1/μ₃", best(without=("r sy - yy >= 0",)))),
        hypotheses=(POSITIVE, "t >= max(‖B‖, 1/μ₃) is the larger root, since the polynomial is not positive at both"),
        sharpness=(attained_at(1, Fraction(2, 3), Fraction(4, 3), 2, 1, 2, Fraction(2, 3), Fraction(2, 3)),),
        note="B ↦ B − Bssᵀ B/sᵀBs is monotone (a minimum over a of (x − as)ᵀB(x − as)), so that B = ‖B‖ I is the worst case; it "
             "attains t = 2 with s = (1, 0), y = (2/3, 2/3), B = I, where the lemma has 7/3."),
    Statement(
        "R.Lem.5/5", "not printed: the best bound on ‖H⁺‖",
        Form("‖H⁺‖ <= t, the larger root of μ₂t² − (1 + ‖H‖/μ₃)t + ‖H‖ = 0", best_H()),
        checks=(certified(Term(1, (), lambda eta, mu2, r, t, p, q, y1, y2: (t - eta) * y1 * q + eta * y2 * p),
                          Term(1, ("y1 > 0", "root >= 0"), lambda eta, mu2, r, t, p, q, y1, y2: p),
                          Term(1, ("y1 > 0", "sy - mu2 ss >= 0"), lambda eta, mu2, r, t, p, q, y1, y2: t * p),
                          Term(1, ("t > 0", "eta > 0", "r sy - yy >= 0"), lambda eta, mu2, r, t, p, q, y1, y2: p),
                          factor=("t - eta > 0",)), hunted(draw_best_H, 500),
                *(refuted_at(1, mu2, r, Fraction(3, 2), 1, -1, Fraction(2, 3), Fraction(1, 3)) for mu2, r in (
                    (Fraction(2, 3), Fraction(5, 6)), (10, Fraction(5, 6)), (Fraction(2, 3), 0)))),
        mutants=(Form("… + 2‖H‖", best_H(constant=2)), Form("without sᵀs/sᵀy <= 1/μ₂", best_H(without=("sy - mu2 ss >= 0",))),
                 Form("without yᵀy/sᵀy <= 1/μ₃", best_H(without=("r sy - yy >= 0",)))),
        hypotheses=(POSITIVE,),
        sharpness=(attained_at(1, Fraction(2, 3), Fraction(5, 6), 2, 2, -1, Fraction(2, 3), Fraction(1, 3)),),
        note="Attained by t = 2, s = (1, 0), y = (2/3, 1/3), H = I, where part 3 has 2.75 and the lemma 6.0."),
    Statement(
        "R.Lem.5/6", "Section 3.6: what the inequalities of Lemma 5 are about",
        Form("xᵀB⁺x = xᵀBx − (sᵀBx)²/sᵀBs + (yᵀx)²/sᵀy, xᵀH⁺x = zᵀHz + (sᵀx)²/sᵀy with z = x − ρy(sᵀx)", forms()),
        checks=(over_Q(), mod_p(lambda n: 8 * n + 40)),
        mutants=(Form("z = x − ρs(yᵀx)", forms(z=False)), Form("−(yᵀx)²/sᵀy", forms(secant=-1)),
                 Form("2(yᵀx)²/sᵀy", forms(secant=2))),
        note="The reduction of both norms to inner products, for vectors of any length.", long=True),
)
