"""R (5.4) and (5.5): the damped matrix, what its step minimises, the ratio ρ, and the rule for λ_LM."""

from __future__ import annotations

from fractions import Fraction

from ..chapter1.equation_1_07 import descent
from ..checks import (
    Inequality,
    Outcome,
    Term,
    attained_at,
    certified,
    claimed,
    hunted,
    mod_p,
    over_Q,
    proved_by_z3,
    refuted_at,
    simple,
)
from ..fields import Field, dot
from ..statement import Form, Statement, Status

DAMPED = {
    "tau > 0": lambda tau, lam, vv, vBv: tau,
    "lam - tau >= 0": lambda tau, lam, vv, vBv: lam - tau,
    "vv >= 0": lambda tau, lam, vv, vBv: vv,
    "vBv >= 0": lambda tau, lam, vv, vBv: vBv,
}


def one(*_):
    """The square of a term that has none."""
    return 1


def definite(factor=1, without=()):
    """vᵀ(B + λI)v ≥ factor · τ vᵀv."""
    return Inequality(("tau", "lam", "vv", "vBv"), {name: value for name, value in DAMPED.items() if name not in without},
                      lambda tau, lam, vv, vBv: vBv + lam * vv - factor * tau * vv)


def draw_definite(rng):
    """Numbers at their bounds often."""
    tau = simple(rng) + 1
    return tau, tau + simple(rng) - rng.choice([0, 0, 1]), simple(rng), simple(rng) - rng.choice([0, 0, 1])


def ranks(examples=1, outputs=1):
    """rank B_t ≤ examples · N_2 · outputs · m_L, for random J_i and H_i of full rank, n = 8; attained, so less is wrong."""
    def code():
        for N_2, m_L in ((1, 1), (1, 3), (2, 2), (2, 1), (3, 2)):
            field = Field(None, N_2 + m_L)
            total = field.zeros(8, 8)
            for _ in range(N_2):
                J = field.matrix(m_L, 8)
                total += J.transpose() * field.definite(m_L) * J
            if total.rank() > N_2 * m_L * outputs * examples:
                return Outcome(f"N_2 = {N_2}, m_L = {m_L}: rank {total.rank()}")
        return Outcome(detail="the bound is attained")
    return code


def minimiser(half=2, sign=1):
    """With Bp = −g, m(p + d) − m(p) = ½dᵀBd."""
    def pairs(field, n):
        B, p, d = field.symmetric(n), field.vector(n), field.vector(n)
        g = -sign * (B * p)

        def m(q):
            return dot(g, q) + dot(q, B * q) / 2
        yield m(p + d) - m(p), dot(d, B * d) / half
    return pairs


def trust_region(weight=1, without_damping=False):
    """With (B + λI)p = −g, m(q) − m(p) = ½(q − p)ᵀ(B + λI)(q − p) + ½λ(‖p‖² − ‖q‖²)."""
    def pairs(field, n):
        B, p, q, lam = field.symmetric(n), field.vector(n), field.vector(n), field.draw()
        G = B + lam * field.eye(n)
        g = -(G * p)

        def m(s):
            return dot(g, s) + dot(s, B * s) / 2
        middle = B if without_damping else G
        yield m(q) - m(p), dot(q - p, middle * (q - p)) / 2 + weight * lam * (dot(p, p) - dot(q, q)) / 2
    return pairs


def shorter(power=1, shift=0):
    """(B + λ)p = (B + λ′)p′ = −g: with r = p − p′, (λ′ − λ)p′ᵀr = rᵀ(B + λI)r, and ‖p‖² = ‖p′‖² + 2p′ᵀr + ‖r‖²."""
    def pairs(field, n):
        B, p_2, lam, lam_2 = field.definite(n), field.vector(n), field.draw(), field.draw()
        G = B + lam * field.eye(n)
        p = G.solve((B + lam_2 * field.eye(n)) * p_2)
        r = p - p_2
        yield (lam_2 - lam) ** power * dot(p_2, r), dot(r, (G + shift * field.eye(n)) * r)
        yield dot(p, p), dot(p_2, p_2) + 2 * dot(p_2, r) + dot(r, r)
    return pairs


def penalised(penalty=False):
    """τ as damping, −(B + λ_LM + τ)⁻¹g, against the step for f + τ/2 ‖θ‖², whose gradient is g + τθ and whose B has τ."""
    def pairs(field, n):
        B, g, lam, tau = field.symmetric(n), field.vector(n), field.draw(), field.draw()
        theta = field.vector(n)
        G = B + (lam + tau) * field.eye(n)
        yield G.solve(g + tau * theta * int(penalty)), G.solve(g + tau * theta)
    return pairs


REDUCTION = {"lam > 0": lambda lam, pp, pBp: lam, "pBp >= 0": lambda lam, pp, pBp: pBp}
NONZERO = {"pp > 0": lambda lam, pp, pBp: pp}


def foretold(hypotheses, conclusion=lambda lam, pp, pBp: lam * pp + pBp / 2):
    """m(0) − m(p) > 0, so that ρ has a denominator."""
    return Inequality(("lam", "pp", "pBp"), hypotheses, conclusion, strict=True)


def quality(near):
    """Is the model's error small beside the foretold reduction wherever ρ is `near`?  f = ½hθ², B, λ: ρ exactly, θ = 1."""
    def code():
        for h in (-198, -2, 0, 1, 2, 5):
            for B in (0, 1, 3):
                for lam in (Fraction(1, 8), Fraction(1), Fraction(9)):
                    p = -Fraction(h) / (B + lam)
                    if p == 0:
                        continue
                    said = -h * p - B * p * p / 2
                    rho = (Fraction(h) / 2 - h * (1 + p) ** 2 / 2) / said
                    error = abs((-h * p - h * p * p / 2) - said)
                    if near(rho) and error > said / 4:
                        return Outcome(f"f = {h}/2 θ², B = {B}, λ = {lam}, θ = 1: ρ = {rho}, and the model is wrong by "
                                       f"{error / said} times the reduction that it foretells")
        return Outcome()
    return code


RULE = ("lam_LM", "tau", "factor")


def kept_positive(hypotheses):
    """λ_{t+1} = factor · λ_LM + τ ≥ τ."""
    return Inequality(RULE, hypotheses, lambda lam_LM, tau, factor: factor * lam_LM)


RULE_PRINTED = {"lam_LM > 0": lambda lam_LM, tau, factor: lam_LM, "tau > 0": lambda lam_LM, tau, factor: tau,
                "1 - drop > 0": lambda lam_LM, tau, factor: 1 - factor}
DROP = {"drop > 0": lambda lam_LM, tau, factor: factor}


def exclusive(low=0, high=Fraction(1, 2)):
    """For low < ε < high not both of ρ < ε, ρ > 1 − ε."""
    def code():
        for k in range(1, 40):
            eps = low + Fraction(k, 40) * (high - low)
            for rho in (Fraction(j, 80) for j in range(-80, 160)):
                if rho < eps and rho > 1 - eps:
                    return Outcome(f"ε = {eps}, ρ = {rho}: both")
        return Outcome()
    return code


STATEMENTS = (
    Statement(
        "R.Eq.5.4", "Section 5.2.3",
        Form("the smallest eigenvalue of G_t = B_t + λ_tI is >= τ > 0", definite()),
        checks=(certified(Term(1, ("vBv >= 0",), one), Term(1, ("lam - tau >= 0", "vv >= 0"), one)), hunted(draw_definite, 500),
                refuted_at(1, 1, 1, -5), refuted_at(2, 1, 1, 0), refuted_at(1, 1, 1, 0)),
        mutants=(Form("without B_t ⪰ 0", definite(without=("vBv >= 0",))), Form("without λ_t >= τ", definite(without=(
            "lam - tau >= 0",))), Form(">= 2τ", definite(factor=2))),
        hypotheses=("B_t ⪰ 0", "λ_t >= τ > 0"),
        sharpness=(attained_at(1, 1, 1, 0),),
        note="Attained in the null space of B_t, which a mini-batch always leaves.",
    ),
    Statement(
        "R.Eq.5.4/1", "Section 5.2.3",
        Form("mini-batches make B_t of low rank: at most N_2 m_L (Gauss-Newton; N_2 for (5.3))", ranks()),
        checks=(claimed(Status.EXACT_Q, "ranks over ℚ of random B_t with n = 8"),),
        mutants=(Form("N_2", ranks(outputs=0)), Form("half of it", ranks(examples=0.5)),
                 Form("two thirds of it", ranks(examples=2 / 3))),
        note="A sum of N_2 matrices of rank m_L; (5.3) has m_L = 1.",
    ),
    Statement(
        "R.Eq.5.4/2", "Section 5.2.3",
        Form("solving B_tp = −g_t is the same as minimising m_t: m_t(p + d) − m_t(p) = ½dᵀB_td", minimiser()),
        checks=(over_Q(), mod_p(lambda n: 4)),
        mutants=(Form("dᵀB_td", minimiser(half=1)), Form("B_tp = g_t", minimiser(sign=-1)), Form("¼dᵀB_td", minimiser(half=4))),
        hypotheses=("B_t ⪰ 0",),
        note="Where g_t is outside the range of B_t, as it is with mini-batches, m_t has no minimum and the system no "
             "solution.",
    ),
    Statement(
        "R.Eq.5.4/3", "Section 5.6, first paragraph",
        Form("p_t = −(B_t + λ_tI)⁻¹g_t minimises m_t(p) over ‖p‖ <= Δ_t = ‖p_t‖: m_t(q) − m_t(p_t) = ½(q − p_t)ᵀG_t(q − p_t) + "
             "½λ_t(‖p_t‖² − ‖q‖²)", trust_region()),
        checks=(over_Q(), mod_p(lambda n: 4)),
        mutants=(Form("λ_t for ½λ_t", trust_region(weight=2)), Form("B_t for G_t", trust_region(without_damping=True)),
                 Form("−½λ_t", trust_region(weight=-1))),
        hypotheses=("G_t ⪰ 0", "λ_t >= 0"),
        note="Both terms are not negative for ‖q‖ <= ‖p_t‖; the minimiser is the only one.",
        long=True,
    ),
    Statement(
        "R.Eq.5.4/4", "Sections 5.2.3, 5.6",
        Form("‖p‖ falls as λ grows: (λ′ − λ)p′ᵀr = rᵀ(B + λI)r for r = p − p′, ‖p‖² = ‖p′‖² + 2p′ᵀr + ‖r‖²", shorter()),
        checks=(over_Q(), mod_p(lambda n: 8 * n + 20)),
        mutants=(Form("(λ′ − λ)²", shorter(power=2)), Form("rᵀ(B + 2I + λI)r", shorter(shift=2)),
                 Form("rᵀ(B − I + λI)r", shorter(shift=-1))),
        hypotheses=("B ⪰ 0", "λ′ > λ > 0"),
        note="So p′ᵀr >= 0 and ‖p‖ > ‖p′‖ for g ≠ 0: λ and the radius are inversely related, as the text says.",
        long=True,
    ),
    Statement(
        "R.Eq.5.4/5", "Section 5.2.2, Properties",
        Form("p_t = −G_t⁻¹g_t is a descent direction if −g_t is one (and B_tg_t ≠ 0)", descent("gHg > 0", "Lg > 0")),
        checks=(refuted_at(1, -1, 1), refuted_at(0, 0, 1), proved_by_z3()),
        mutants=(Form("for any g_t", descent("gHg > 0")), Form("for G_t⁻¹ ⪰ 0 and g_t = ∇f", descent("gHg >= 0", "LHg - gHg = 0"))),
        repaired=Form("for g_t = ∇f(θ⁽ᵗ⁾) ≠ 0", descent("gHg > 0", "LHg - gHg = 0")),
        pinned="two hypotheses",
        errata=(29,),
        note="An estimate of ∇f within 90° can be turned beyond 90°. With λ > 0 the null space of B_t does not matter.",
    ),
    Statement(
        "R.Eq.5.4/6", "Section 5.2.3",
        Form("τ can be viewed as coming from an l₂ term τ/2 ‖θ‖² in f", penalised()),
        checks=(over_Q(), mod_p(lambda n: 2 * n + 4)),
        repaired=Form("τ is damping; with the l₂ term the gradient is g_t + τθ⁽ᵗ⁾, and f in ρ_t has the term",
                      penalised(penalty=True)),
        mutants=(Form("at θ⁽ᵗ⁾ ≠ 0 with −τθ⁽ᵗ⁾", lambda field, n: ((-a, b) for a, b in penalised(penalty=True)(field, n))),
                 Form("with 2τ", lambda field, n: ((2 * a, b) for a, b in penalised(penalty=True)(field, n)))),
        pinned="an equality of two steps",
        errata=(62,),
        note="Both agree at θ = 0 alone.",
        long=True,
    ),
    Statement(
        "R.Eq.5.5", "Section 5.2.3",
        Form("ρ_t = (f(θ) − f(θ + p_t))/(m_t(0) − m_t(p_t)) is defined: m_t(0) − m_t(p_t) > 0", foretold(REDUCTION | {
            "pp >= 0": NONZERO["pp > 0"]})),
        checks=(proved_by_z3(), refuted_at(1, 0, 0), refuted_at(1, 1, -8), refuted_at(-1, 1, 0)),
        mutants=(Form("for p_t ≠ 0 without B_t ⪰ 0", foretold(NONZERO | {"lam > 0": REDUCTION["lam > 0"]})),
                 Form("for p_t ≠ 0 without λ_t > 0", foretold(NONZERO | {"pBp >= 0": REDUCTION["pBp >= 0"]})),
                 Form("m_t(0) − m_t(p_t) > λ_t‖p_t‖²", foretold(REDUCTION | NONZERO, lambda lam, pp, pBp: pBp / 2))),
        repaired=Form("the same where g_t ≠ 0, that is p_t ≠ 0", foretold(REDUCTION | NONZERO)),
        errata=(61,),
        note="0/0 at g_t = 0; defined everywhere else, since B_t ⪰ 0 and λ_t > 0.",
    ),
    Statement(
        "R.Eq.5.5/1", "Section 5.2.3",
        Form("if ρ_t is positive and large, m_t is a good approximation", quality(lambda rho: rho > 2)),
        checks=(claimed(Status.SAMPLED, "f = ½hθ² with 6 curvatures, 3 B_t, 3 λ_t, exact"),),
        mutants=(Form("if ρ_t is positive", quality(lambda rho: rho > 0)),
                 Form("if ρ_t > 1 − ε, ε = 1/4", quality(lambda rho: rho > 0.75)),
                 Form("if ρ_t is small", quality(lambda rho: rho < 0.25))),
        repaired=Form("if ρ_t is near 1: the model's error is |ρ_t − 1| times m_t(0) − m_t(p_t)",
                      quality(lambda rho: abs(rho - 1) <= 0.25)),
        note="(5.12) is the error itself. The rule drops λ_LM for all ρ_t > 1 − ε, also where the model is far too cautious; "
             "that is a choice, not a sign of a good model.",
    ),
    Statement(
        "R.Eq.5.5/2", "Section 5.2.3",
        Form("λ_t = λ_LM + τ >= τ > 0 for all t, with drop < 1 < boost", kept_positive(RULE_PRINTED)),
        checks=(proved_by_z3(), refuted_at(4, "1/8", "-1/32"), refuted_at(-1, "1/8", "1/2")),
        mutants=(Form("for drop > −1", kept_positive(RULE_PRINTED | {"drop + 1 > 0": lambda lam_LM, tau, factor: factor + 1})),
                 Form("for 0 < drop and any λ_LM", kept_positive({"tau > 0": RULE_PRINTED["tau > 0"]} | DROP)),
                 Form("for drop < 1/2", kept_positive(RULE_PRINTED | {
                     "1 - 2 drop > 0": lambda lam_LM, tau, factor: 1 - 2 * factor}))),
        repaired=Form("λ_t >= τ for λ_LM⁽⁰⁾ > 0 and 0 < drop < 1 < boost", kept_positive(RULE_PRINTED | DROP)),
        note="λ_LM = 4, drop = −1/32, τ = 1/8 gives λ = 0. drop = 0 keeps λ_t >= τ, but no boost moves λ_LM from 0 any more "
             "(R.Thm.6).",
             errata=(75,),
    ),
    Statement(
        "R.Eq.5.5/3", "Section 5.2.3",
        Form("for 0 < ε < 1/2 the two conditions of the rule exclude each other", exclusive()),
        checks=(claimed(Status.EXACT_Q, "a grid of ε and ρ"),),
        mutants=(Form("0 < ε < 1", exclusive(high=1)), Form("0 < ε < 3/4", exclusive(high=Fraction(3, 4))),
                 Form("1/2 < ε < 1", exclusive(Fraction(1, 2), 1))),
        note="ρ < ε <= 1 − ε < ρ has no solution for ε <= 1/2; at ε = 1/2 one ρ alone would change nothing.",
    ),
)
