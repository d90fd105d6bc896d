"""R Lemma 11 and the steps of its proof: the reduction that the model foretells, in pᵀp, pᵀBp and ‖Bp‖².

With g = −(B + λI)p, ‖g‖² = ‖Bp‖² + 2λ pᵀBp + λ² pᵀp and m(0) − m(p) = λ pᵀp + ½ pᵀBp; of B only 0 ⪯ B ⪯ βI enters, that is
0 ≤ pᵀBp, ‖Bp‖² ≤ β pᵀBp and pᵀBp ≤ β pᵀp. The hunt draws matrices and vectors, so that the reduction is tried with the rest.
"""

from __future__ import annotations

from fractions import Fraction

import flint

from ..checks import Inequality, Term, also, attained_at, certified, hunted, mod_p, over_Q, refuted_at
from ..fields import dot
from ..statement import Form, Statement

VARIABLES = ("beta", "tau", "lam", "pp", "pBp", "BpBp")
PSD, SHORT, LOW, FLOOR = "pBp >= 0", "beta pBp - BpBp >= 0", "beta pp - pBp >= 0", "lam - tau >= 0"
HYPOTHESES = {
    "beta >= 0": lambda beta, tau, lam, pp, pBp, BpBp: beta,
    "tau > 0": lambda beta, tau, lam, pp, pBp, BpBp: tau,
    "lam > 0": lambda beta, tau, lam, pp, pBp, BpBp: lam,
    FLOOR: lambda beta, tau, lam, pp, pBp, BpBp: lam - tau,
    "pp >= 0": lambda beta, tau, lam, pp, pBp, BpBp: pp,
    PSD: lambda beta, tau, lam, pp, pBp, BpBp: pBp,
    LOW: lambda beta, tau, lam, pp, pBp, BpBp: beta * pp - pBp,
    SHORT: lambda beta, tau, lam, pp, pBp, BpBp: beta * pBp - BpBp,
}
WHERE = "Section 5.6, "


def inequality(conclusion, without=(), strict=False):
    """A conclusion about the six numbers, under Assumption 11 and what the chapter says of B and λ, but for `without`."""
    return Inequality(VARIABLES, {name: value for name, value in HYPOTHESES.items() if name not in without}, conclusion, strict)


def foretold(lam, pp, pBp):
    """m(0) − m(p)."""
    return lam * pp + pBp / 2


def squared_gradient(lam, pp, pBp, BpBp):
    """‖g‖²."""
    return BpBp + 2 * lam * pBp + lam * lam * pp


def lemma(numerator=lambda beta, tau: tau, denominator=lambda beta, tau: beta + tau, without=()):
    """(m(0) − m(p))² ≥ c₁² ‖g‖² ‖p‖² with c₁ = numerator / denominator, multiplied out."""
    return inequality(lambda beta, tau, lam, pp, pBp, BpBp:
                      (denominator(beta, tau) * foretold(lam, pp, pBp)) ** 2
                      - numerator(beta, tau) ** 2 * squared_gradient(lam, pp, pBp, BpBp) * pp, without)


def sharp():
    """With c₁² = λ(3λ + 2β) / (2λ + β)², which grows with λ."""
    return inequality(lambda beta, tau, lam, pp, pBp, BpBp:
                      ((2 * lam + beta) * foretold(lam, pp, pBp)) ** 2
                      - lam * (3 * lam + 2 * beta) * squared_gradient(lam, pp, pBp, BpBp) * pp)


def growing():
    """λ(3λ + 2β) / (2λ + β)² ≥ the same with τ."""
    return inequality(lambda beta, tau, lam, pp, pBp, BpBp: lam * (3 * lam + 2 * beta) * (2 * tau + beta) ** 2
                      - tau * (3 * tau + 2 * beta) * (2 * lam + beta) ** 2)


LARGE = "2 lam^2 - beta^2 >= 0"


def sharp_for_large():
    """With c₁ = (2λ + β) / (2λ + 2β), where 2λ² ≥ β²."""
    form = inequality(lambda beta, tau, lam, pp, pBp, BpBp: (2 * (lam + beta) * foretold(lam, pp, pBp)) ** 2
                      - (2 * lam + beta) ** 2 * squared_gradient(lam, pp, pBp, BpBp) * pp)
    return form._replace(hypotheses=form.hypotheses | {
        LARGE: lambda beta, tau, lam, pp, pBp, BpBp: 2 * lam * lam - beta * beta})


def one(*_):
    """The square of a term that has none."""
    return 1


def draw(rng):
    """The six numbers of a matrix 0 ⪯ B ⪯ βI and a vector p, often in a kernel or an eigenspace; now and then a violation."""
    n = rng.randint(1, 3)
    M = flint.fmpq_mat(n, n, [flint.fmpq(rng.randint(-3, 3), rng.choice([1, 2, 3])) for _ in range(n * n)])
    B = rng.choice([M * M.transpose(), M * M.transpose(), flint.fmpq_mat(n, n), -M * M.transpose()])
    beta = sum((abs(B[i, i]) for i in range(n)), flint.fmpq(rng.choice([0, 0, 1])))
    p = flint.fmpq_mat(n, 1, [flint.fmpq(rng.randint(-2, 2)) for _ in range(n)])
    tau = flint.fmpq(1, rng.choice([1, 5, 100, 1000]))
    lam = tau + rng.choice([0, 0, flint.fmpq(1, 7), 3, -tau / 2])
    Bp = B * p
    return [Fraction(int(x.p), int(x.q)) for x in (beta, tau, lam, dot(p, p), dot(p, Bp), dot(Bp, Bp))]


def reduction(half=2, sign=1):
    """−gᵀp = pᵀ(B + λI)p, and m(0) − m(p) = −gᵀp − ½pᵀBp = λ pᵀp + ½ pᵀBp."""
    def pairs(field, n):
        B, p, lam = field.symmetric(n), field.vector(n), field.draw()
        G = B + lam * field.eye(n)
        g = -sign * (G * p)
        yield -dot(g, p), dot(p, G * p)
        yield -dot(g, p) - dot(p, B * p) / 2, lam * dot(p, p) + dot(p, B * p) / half
    return pairs


def decrease(halves=2, without=()):
    """m(0) − m(p) ≥ halves/2 · λ ‖p‖², doubled."""
    return inequality(lambda beta, tau, lam, pp, pBp, BpBp: 2 * foretold(lam, pp, pBp) - halves * lam * pp, without)


def ratio(without=(), numerator=1, strict=False):
    """λ/(β + λ) ≥ numerator · τ/(β + τ)."""
    return inequality(lambda beta, tau, lam, pp, pBp, BpBp: lam * (beta + tau) - numerator * tau * (beta + lam), without, strict)


def last(without=(), factor=1):
    """factor · c₁ ‖g‖ Δ ≤ λ ‖p‖², squared and multiplied by (β + τ)²."""
    return inequality(lambda beta, tau, lam, pp, pBp, BpBp: ((beta + tau) * lam * pp) ** 2
                      - (factor * tau) ** 2 * squared_gradient(lam, pp, pBp, BpBp) * pp, without)


MIDDLE = (Term(1, ("lam > 0", FLOOR), lambda beta, tau, lam, pp, *_: beta * pp),
          Term(2, ("beta >= 0", FLOOR, "tau > 0", "lam > 0"), lambda beta, tau, lam, pp, *_: pp),
          Term(1, (FLOOR, "tau > 0"), lambda beta, tau, lam, pp, *_: beta * pp),
          Term(1, ("pp >= 0", "beta >= 0", LOW), lambda beta, tau, *_: tau),
          Term(1, ("pp >= 0", SHORT), lambda beta, tau, *_: tau),
          Term(2, ("pp >= 0", "lam > 0", LOW), lambda beta, tau, *_: tau))
"""(β + τ)² λ² ‖p‖⁴ − τ² ‖g‖² ‖p‖²: from λ(β + τ) ≥ τ(β + λ) and ‖g‖ ≤ (β + λ)‖p‖."""

STATEMENTS = (
    Statement(
        "R.Lem.11", WHERE + "Lemma 11",
        Form("m_t(0) − m_t(p_t) >= c₁ ‖g_t‖ Δ_t with c₁ = τ/(β + τ), Δ_t = ‖p_t‖", lemma()),
        checks=(certified(Term(1, ("lam > 0", "pp >= 0", PSD), lambda beta, tau, *_: beta + tau),
                          Term("1/4", (), lambda beta, tau, lam, pp, pBp, BpBp: (beta + tau) * pBp), *MIDDLE),
                refuted_at(1, "1/8", "1/4", 1, -1, 1), refuted_at(1, 1, "1/100", 1, "1/2", "1/2"), refuted_at(1, 1, 1, 1, 1, 9),
                hunted(draw, 600)),
        mutants=(Form("without B_t ⪰ 0", lemma(without=(PSD, LOW, SHORT))), Form("without λ_t >= τ", lemma(without=(FLOOR,))),
                 Form("without ‖B_t‖ <= β", lemma(without=(LOW, SHORT))),
                 Form("c₁ = 2τ/(β + τ)", lemma(lambda beta, tau: 2 * tau)),
                 Form("c₁ = τ/β, multiplied out", lemma(denominator=lambda beta, tau: beta)),
                 Form("c₁ = 1", lemma(lambda beta, tau: 1, lambda beta, tau: 1))),
        hypotheses=("‖B_t‖ <= β (Assumption 11)", "B_t ⪰ 0: in the proof, not in the assumption (5.2.2: wherever all H_i ⪰ 0)",
                    "λ_t >= τ > 0 (5.2.3): in the proof"),
        sharpness=(attained_at(0, 1, 5, 1, 0, 0),
                   also(Form("λ(3λ + 2β)/(2λ + β)² for c₁² holds for every λ > 0", sharp()),
                        certified(Term(1, (), lambda beta, tau, lam, pp, pBp, BpBp:
                                       (2 * lam + beta) * pBp / 2 - lam * (lam + beta) * pp),
                                  Term(3, ("lam > 0", "lam > 0", SHORT, "pp >= 0"), one),
                                  Term(2, ("lam > 0", "beta >= 0", SHORT, "pp >= 0"), one)),
                        attained_at(6, 2, 2, 1, "16/5", "96/5")),
                   also(Form("(2λ + β)/(2λ + 2β) for c₁ holds where 2λ² >= β²", sharp_for_large()),
                        certified(Term(2, (LOW, LARGE, "pp >= 0", "lam > 0"), one),
                                  Term(1, (LOW, LARGE, "pp >= 0", "beta >= 0"), one),
                                  Term(1, (), lambda beta, tau, lam, pp, pBp, BpBp: (lam + beta) * (beta * pp - pBp)),
                                  Term(1, ("pp >= 0", SHORT), lambda beta, tau, lam, *_: 2 * lam + beta)),
                        attained_at(1, 1, 1, 1, 1, 1)),
                   also(Form("the first grows with λ: c₁ = √(τ(3τ + 2β))/(2τ + β) does for all λ_t >= τ", growing()),
                        certified(Term(4, ("beta >= 0", FLOOR, "lam > 0", "tau > 0"), one),
                                  Term(3, (FLOOR, "lam > 0"), lambda beta, *_: beta),
                                  Term(3, (FLOOR, "tau > 0"), lambda beta, *_: beta),
                                  Term(2, ("beta >= 0", FLOOR), lambda beta, *_: beta)))),
        note="The printed constant is attained only for β = 0. The best one is √(τ(3τ + 2β))/(2τ + β) for 2τ² <= β², attained by B "
             "with the eigenvalues 0 and β, and (2τ + β)/(2τ + 2β) otherwise: about √(2τ/β) for small τ, where the text has τ/β. "
             "β = 6, τ = 2: 3/5 where the text has 1/4. Without B_t ⪰ 0 it is false: B = −1, λ = 1/4 foretells an increase.",
    ),
    Statement(
        "R.Lem.11/1", WHERE + "proof of Lemma 11, first line",
        Form("−g_tᵀp_t = p_tᵀ(B_t + λ_tI)p_t and m_t(0) − m_t(p_t) = −g_tᵀp_t − ½p_tᵀB_tp_t = λ_t‖p_t‖² + ½p_tᵀB_tp_t",
             reduction()),
        checks=(over_Q(), mod_p(lambda n: 4)),
        mutants=(Form("¼p_tᵀB_tp_t", reduction(half=4)), Form("p_t = +(B_t + λ_tI)⁻¹g_t", reduction(sign=-1)),
                 Form("p_tᵀB_tp_t", reduction(half=1))),
        note="m_t leaves λ_t out, so that the model is not the function that p_t minimises.",
    ),
    Statement(
        "R.Lem.11/2", WHERE + "proof of Lemma 11",
        Form("m_t(0) − m_t(p_t) >= λ_t ‖p_t‖²", decrease()),
        checks=(certified(Term(1, (PSD,), one)), refuted_at(1, "1/8", "1/4", 1, -1, 1), hunted(draw, 600)),
        mutants=(Form("without B_t ⪰ 0", decrease(without=(PSD, LOW, SHORT))), Form("2λ_t ‖p_t‖²", decrease(4)),
                 Form("3/2 λ_t ‖p_t‖²", decrease(3))),
        hypotheses=("B_t ⪰ 0",),
        sharpness=(attained_at(1, 1, 1, 1, 0, 0),),
        note="An equality where B_tp_t = 0.",
    ),
    Statement(
        "R.Lem.11/3", WHERE + "proof of Lemma 11, second line",
        Form("λ_t/(β + λ_t) >= τ/(β + τ) > 0", ratio()),
        checks=(certified(Term(1, ("beta >= 0", FLOOR), one)), refuted_at(1, 1, "1/100", 1, 1, 1), refuted_at(1, 1, 1, 1, 1, 1),
                refuted_at(-1, 2, 3, 0, 0, 0)),
        mutants=(Form("without λ_t >= τ", ratio(without=(FLOOR,))), Form("2τ/(β + τ)", ratio(numerator=2)),
                 Form("without β >= 0", ratio(without=("beta >= 0",)))),
        hypotheses=("λ_t >= τ > 0", "β >= 0"),
        sharpness=(attained_at(1, 1, 1, 1, 1, 1),),
        note="An equality at λ_t = τ.",
    ),
    Statement(
        "R.Lem.11/4", WHERE + "proof of Lemma 11, last line",
        Form("c₁ ‖g_t‖ Δ_t = c₁ ‖(B_t + λ_tI)p_t‖ ‖p_t‖ <= c₁(β + λ_t)‖p_t‖² <= λ_t‖p_t‖²", last()),
        checks=(certified(*MIDDLE), refuted_at(1, 1, "1/100", 1, 1, 1), refuted_at(1, 1, 1, 1, 1, 1), refuted_at(1, 1, 1, 1, 5, 25),
                hunted(draw, 600)),
        mutants=(Form("without λ_t >= τ", last(without=(FLOOR,))), Form("½λ_t‖p_t‖²", last(factor=2)),
                 Form("without ‖B_t‖ <= β", last(without=(LOW, SHORT)))),
        hypotheses=("‖B_t‖ <= β", "λ_t >= τ > 0"),
        sharpness=(attained_at(1, 1, 1, 1, 1, 1),),
        note="An equality at λ_t = τ for p_t in the eigenspace of β; there the step before it is far from one, which is why "
             "the lemma's constant is not sharp.",
    ),
)
