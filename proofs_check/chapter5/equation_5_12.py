"""R (5.12) to (5.14): the three displays of the proof of Theorem 6, in numbers.

pᵀ∇²f(θ + μp)p is h = 2(f(θ + p) − f(θ) − ∇fᵀp), by Taylor's theorem with its remainder; along the runs it is computed so.
"""

from __future__ import annotations

from ..checks import Inequality, Term, attained_at, certified, hunted, over_Q, refuted_at, simple
from ..fields import dot
from ..statement import Form, Statement
from .runs import along_runs, constants


def ratio(shift=0, sign=1):
    """ρ − 1 = (m(p) − f(θ + p)) / (m(0) − m(p)), where m(0) = f(θ) + shift."""
    def pairs(field, n):
        f, f_p, m_p = field.draw(), field.draw(), field.draw()
        m_0 = f + shift
        if m_0 == m_p:
            m_p += 1
        rho = (f - f_p) / (m_0 - m_p)
        yield (rho - 1) ** 2, ((m_p - sign * f_p) / (m_0 - m_p)) ** 2
    return pairs


REMAINDER = ("beta", "beta_1", "pp", "pBp", "h")
TWO_SIDED = {
    "beta pp - pBp >= 0": lambda beta, beta_1, pp, pBp, h: beta * pp - pBp,
    "beta pp + pBp >= 0": lambda beta, beta_1, pp, pBp, h: beta * pp + pBp,
    "beta_1 pp - h >= 0": lambda beta, beta_1, pp, pBp, h: beta_1 * pp - h,
    "beta_1 pp + h >= 0": lambda beta, beta_1, pp, pBp, h: beta_1 * pp + h,
}
ONE_SIGN = (("beta pp - pBp >= 0",), ("beta_1 pp + h >= 0",))
OTHER_SIGN = (("beta pp + pBp >= 0",), ("beta_1 pp - h >= 0",))


def remainder(weights=(1, 1), without=()):
    """(pᵀBp − h)² ≤ ((β, β₁)·weights pᵀp)²."""
    return Inequality(REMAINDER, {name: value for name, value in TWO_SIDED.items() if name not in without},
                      lambda beta, beta_1, pp, pBp, h: ((weights[0] * beta + weights[1] * beta_1) * pp) ** 2 - (pBp - h) ** 2)


def remainder_of(net, rule, step):
    """The numbers of `remainder` at a step."""
    beta, beta_1, _, _ = constants(net, rule)
    return beta, beta_1, dot(step.p, step.p), dot(step.p, step.B * step.p), -2 * (step.actual + dot(step.g, step.p))


def draw_remainder(rng):
    """Numbers within both bounds, at their ends often."""
    beta, beta_1, pp = simple(rng), simple(rng), simple(rng)
    return beta, beta_1, pp, beta * pp * rng.choice([-1, 0, 1]), beta_1 * pp * rng.choice([-1, 0, 1, 1])


DESCENT = ("eta", "c", "actual", "foretold", "gD", "gg", "bound")
RULES = {
    "eta > 0": lambda eta, c, actual, foretold, gD, gg, bound: eta,
    "c > 0": lambda eta, c, actual, foretold, gD, gg, bound: c,
    "actual - eta foretold >= 0": lambda eta, c, actual, foretold, gD, gg, bound: actual - eta * foretold,
    "foretold - c gD >= 0": lambda eta, c, actual, foretold, gD, gg, bound: foretold - c * gD,
    "bound gD - gg >= 0": lambda eta, c, actual, foretold, gD, gg, bound: bound * gD - gg,
    "bound > 0": lambda eta, c, actual, foretold, gD, gg, bound: bound,
    "gg >= 0": lambda eta, c, actual, foretold, gD, gg, bound: gg,
}


def descent(conclusion, strict=False, without=()):
    """What follows for f(θ⁽ᵗ⁾) − f(θ⁽ᵗ⁺¹⁾) where ρ_t ≥ η; gD = ‖g‖Δ, gg = ‖g‖², bound = β + Λ₁."""
    return Inequality(DESCENT, {name: value for name, value in RULES.items() if name not in without}, conclusion, strict)


def first(strict=False, without=(), factor=1):
    """f(θ⁽ᵗ⁾) − f(θ⁽ᵗ⁺¹⁾) against factor · η c₁ ‖g‖ Δ."""
    return descent(lambda eta, c, actual, foretold, gD, gg, bound: actual - factor * eta * c * gD, strict, without)


def second(without=(), factor=1):
    """f(θ⁽ᵗ⁾) − f(θ⁽ᵗ⁺¹⁾) ≥ factor · η c₁ ‖g‖² / (β + Λ₁), multiplied out."""
    return descent(lambda eta, c, actual, foretold, gD, gg, bound: bound * actual - factor * eta * c * gg, without=without)


def draw_descent(rng):
    """Small numbers, with equalities and g = 0 among them."""
    eta, c, gg, bound = simple(rng) + 1, simple(rng) + 1, simple(rng), simple(rng) + 1
    gD = gg / bound + simple(rng)
    foretold = c * gD + simple(rng)
    return eta, c, eta * foretold + simple(rng), foretold, gD, gg, bound


def descent_of(net, rule, step):
    """The numbers of `descent` at an accepted step; ‖g‖Δ, a root, by what is left of it when ‖g‖ = (β + Λ₁)Δ."""
    beta, _, Lambda, c = constants(net, rule)
    gg, bound = dot(step.g, step.g), beta + max(rule.lam_LM + rule.tau, rule.boost * Lambda + rule.tau)
    return (rule.eta, c, step.actual, step.foretold, gg / bound, gg, bound) if step.taken else ()


def one(*_):
    """The square of a term that has none."""
    return 1


WHERE = "Section 5.6, proof of Theorem 6"
STATEMENTS = (
    Statement(
        "R.Eq.5.12", WHERE,
        Form("|ρ_t − 1| = |(m_t(p_t) − f(θ + p_t)) / (m_t(0) − m_t(p_t))|", ratio()),
        checks=(over_Q((1,), 20),),
        mutants=(Form("m_t(0) ≠ f(θ), as with another mini-batch for f", ratio(shift=1)),
                 Form("f of the other sign", ratio(sign=-1)),
                 Form("m_t(0) = f(θ) − 2", ratio(shift=-2))),
        note="It needs m_t(0) = f(θ⁽ᵗ⁾) alone: the same f in ρ_t and in the model, that is N_1 = N or one mini-batch for both.",
    ),
    Statement(
        "R.Eq.5.13", WHERE,
        Form("|m_t(p_t) − f(θ + p_t)| = |½p_tᵀB_tp_t − ½p_tᵀ∇²f(θ + μp_t)p_t| <= ½(β + β₁)‖p_t‖²", remainder()),
        checks=(certified(*(Term(1, (*x, *y), lambda *_: 1) for x in ONE_SIGN for y in OTHER_SIGN)),
                refuted_at(1, 1, 1, 1, -1), refuted_at(1, 1, 1, 5, 1), refuted_at(1, 1, 1, 1, -7), hunted(draw_remainder, 500),
                along_runs(remainder_of)),
        mutants=(Form("½β‖p_t‖²", remainder((1, 0))), Form("½β₁‖p_t‖²", remainder((0, 1))),
                 Form("without ‖B_t‖ <= β", remainder(without=("beta pp - pBp >= 0",))),
                 Form("without ‖∇²f‖ <= β₁", remainder(without=("beta_1 pp + h >= 0",)))),
        hypotheses=("Assumptions 11 and 12", "g_t = ∇f(θ⁽ᵗ⁾): N_1 = N", "f twice differentiable between θ and θ + p_t"),
        sharpness=(attained_at(1, 1, 1, 1, -1),),
        note="Attained where B_t has the norm β and ∇²f = −β₁I. B_t ⪰ 0 is not needed here.",
    ),
    Statement(
        "R.Eq.5.14", WHERE,
        Form("f(θ⁽ᵗ⁾) − f(θ⁽ᵗ⁺¹⁾) > η c₁ ‖g_t‖Δ_t for t ∈ T_1", first(strict=True)),
        checks=(certified(Term(1, ("actual - eta foretold >= 0",), one), Term(1, ("eta > 0", "foretold - c gD >= 0"), one)),
                refuted_at(1, 1, 0, 0, 0, 0, 1), refuted_at(1, 1, 1, 1, 1, 1, 1), refuted_at(1, 1, 0, 1, 1, 1, 1),
                refuted_at(1, 1, 0, 0, 1, 1, 1), hunted(draw_descent, 500)),
        mutants=(Form("2ηc₁ ‖g_t‖Δ_t", first(factor=2)), Form("for t ∉ T_1 too", first(without=("actual - eta foretold >= 0",))),
                 Form("without Lemma 11", first(without=("foretold - c gD >= 0",)))),
        repaired=Form("f(θ⁽ᵗ⁾) − f(θ⁽ᵗ⁺¹⁾) >= η c₁ ‖g_t‖Δ_t for t ∈ T_1", first()),
        hypotheses=("ρ_t >= η", "Lemma 11"),
        sharpness=(attained_at(1, 1, 1, 1, 1, 1, 1),),
        note="Both sides are 0 at g_t = 0; the strict sign holds for g_t ≠ 0 and β > 0. The proof uses >= only.",
    ),
    Statement(
        "R.Eq.5.14/1", WHERE,
        Form("η c₁ ‖g_t‖Δ_t >= η c₁ ‖g_t‖²/(β + Λ₁), hence f(θ⁽ᵗ⁾) − f(θ⁽ᵗ⁺¹⁾) >= η c₁ ‖g_t‖²/(β + Λ₁)", second()),
        checks=(certified(Term(1, ("bound > 0", "actual - eta foretold >= 0"), one),
                          Term(1, ("bound > 0", "eta > 0", "foretold - c gD >= 0"), one),
                          Term(1, ("eta > 0", "c > 0", "bound gD - gg >= 0"), one)),
                refuted_at(1, 1, 1, 1, 1, 1, 1), refuted_at(1, 1, 1, 1, 1, 5, 1), refuted_at(1, 1, 0, 1, 1, 1, 1),
                hunted(draw_descent, 500), along_runs(descent_of)),
        mutants=(Form("2ηc₁ ‖g_t‖²/(β + Λ₁)", second(factor=2)),
                 Form("without ‖g_t‖ <= (β + Λ₁)Δ_t", second(without=("bound gD - gg >= 0",))),
                 Form("for t ∉ T_1 too", second(without=("actual - eta foretold >= 0",)))),
        hypotheses=("ρ_t >= η", "Lemma 11", "λ_t <= Λ₁"),
        sharpness=(attained_at(1, 1, 1, 1, 1, 1, 1),),
        note="Summed over T_1 it bounds Σ‖g_t‖², so that min ‖g_t‖² <= (β + Λ₁)(f(θ⁽⁰⁾) − inf f)/(ηc₁|T_1|): a rate that the "
             "text does not state.",
    ),
)
