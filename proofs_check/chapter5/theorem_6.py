"""R Theorem 6 and the steps of its proof that have no number: λ is bounded, T_1 is infinite, ‖g_t‖ → 0.

Steps are inequalities in ‖p‖², pᵀBp, ‖Bp‖² and in h = pᵀ∇²f p, as in `lemma_11` and `equation_5_12`, proved, and evaluated along
exact runs of Algorithm 23 (`runs`); the limit itself is seen through what the proof derives: Σ over T_1 of ‖g_t‖² <=
(β + Λ₁)(f(θ⁽⁰⁾) − inf f)/(ηc₁), a bound on the refused steps in a row, and no state that repeats itself with g_t ≠ 0.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

from ..checks import Inequality, Outcome, Term, also, attained_at, certified, claimed, hunted, proved_by_z3, refuted_at, simple
from ..fields import dot
from ..statement import Form, Statement, Status
from .runs import along_runs, constants, traces

WHERE = "Section 5.6, proof of Theorem 6"


def one(*_):
    """The square of a term that has none."""
    return 1


# --------------------------------------------------------------------------------------------------- |ρ − 1| and λ

RATIO = ("lam", "beta", "beta_1", "pp", "pBp", "h")
BOUNDS = {
    "lam > 0": lambda lam, beta, beta_1, pp, pBp, h: lam,
    "beta >= 0": lambda lam, beta, beta_1, pp, pBp, h: beta,
    "beta_1 >= 0": lambda lam, beta, beta_1, pp, pBp, h: beta_1,
    "pBp >= 0": lambda lam, beta, beta_1, pp, pBp, h: pBp,
    "beta pp - pBp >= 0": lambda lam, beta, beta_1, pp, pBp, h: beta * pp - pBp,
    "beta_1 pp - h >= 0": lambda lam, beta, beta_1, pp, pBp, h: beta_1 * pp - h,
    "beta_1 pp + h >= 0": lambda lam, beta, beta_1, pp, pBp, h: beta_1 * pp + h,
}
BELOW = ((1, ("lam > 0", "beta pp - pBp >= 0")), (1, ("lam > 0", "beta_1 pp + h >= 0")),
         ("1/2", ("beta >= 0", "pBp >= 0")), ("1/2", ("beta_1 >= 0", "pBp >= 0")))
ABOVE = ((1, ("lam > 0", "beta_1 pp - h >= 0")), (1, ("lam > 0", "beta pp - pBp >= 0")),
         (2, ("lam > 0", "pBp >= 0")), ("1/2", ("beta >= 0", "pBp >= 0")), ("1/2", ("beta_1 >= 0", "pBp >= 0")))
"""(β + β₁)(λpᵀp + ½pᵀBp) ∓ λ(pᵀBp − h) as weights and products of hypotheses."""


def near_one(factor=1, without=()):
    """factor · (m(p) − f(θ + p))² λ² ≤ (½(β + β₁))² (m(0) − m(p))², multiplied by 4."""
    def conclusion(lam, beta, beta_1, pp, pBp, h):
        return ((beta + beta_1) * (lam * pp + pBp / 2)) ** 2 - factor * (lam * (pBp - h)) ** 2
    return Inequality(RATIO, {name: value for name, value in BOUNDS.items() if name not in without}, conclusion)


def one_sided(halves=1):
    """1 − ρ ≤ halves · β₁/(2λ): λ(f(θ + p) − m(p)) ≤ halves · ½β₁ (m(0) − m(p)), doubled."""
    return Inequality(RATIO, BOUNDS, lambda lam, beta, beta_1, pp, pBp, h:
                      halves * beta_1 * (lam * pp + pBp / 2) - lam * (h - pBp))


def ratio_of(net, rule, step):
    """The numbers of `near_one` at a step."""
    beta, beta_1, _, _ = constants(net, rule)
    return (step.lam, beta, beta_1, dot(step.p, step.p), dot(step.p, step.B * step.p), -2 * (step.actual + dot(step.g, step.p)))


def draw_ratio(rng):
    """Within the bounds, at their ends often."""
    lam, beta, beta_1, pp = simple(rng) + 1, simple(rng), simple(rng), simple(rng)
    return lam, beta, beta_1, pp, beta * pp * rng.choice([0, 1]), beta_1 * pp * rng.choice([-1, 0, 1, 1])


FORETOLD = ("lam", "eps", "K", "rho")
CLOSE = {
    "lam > 0": lambda lam, eps, K, rho: lam,
    "K >= 0": lambda lam, eps, K, rho: K,
    "lam (rho - 1) + K >= 0": lambda lam, eps, K, rho: lam * (rho - 1) + K,
    "lam eps - K >= 0": lambda lam, eps, K, rho: lam * eps - K,
    "eps > 0": lambda lam, eps, K, rho: eps,
    "1 - 2 eps > 0": lambda lam, eps, K, rho: 1 - 2 * eps,
}


def not_boosted(conclusion, without=(), strict=False):
    """From λ ≥ Λ = K/ε with K = ½(β + β₁), and |ρ − 1| ≤ K/λ."""
    return Inequality(FORETOLD, {name: value for name, value in CLOSE.items() if name not in without}, conclusion, strict)


def draw_close(rng):
    """λ at Λ or beyond, ρ at its bound often."""
    eps, K = simple(rng) / 200, simple(rng)
    lam = (K / eps if eps else 1) + rng.choice([0, 1]) * simple(rng)
    return lam, eps, K, 1 - K / lam + simple(rng) if lam else 1


LAMBDA = ("tau", "boost", "Lambda", "lam_0", "lam_s", "M", "x")
RULE = {
    "tau > 0": lambda tau, boost, Lambda, lam_0, lam_s, M, x: tau,
    "boost - 1 > 0": lambda tau, boost, Lambda, lam_0, lam_s, M, x: boost - 1,
    "lam_s - tau >= 0": lambda tau, boost, Lambda, lam_0, lam_s, M, x: lam_s - tau,
    "lam_0 - tau >= 0": lambda tau, boost, Lambda, lam_0, lam_s, M, x: lam_0 - tau,
    "Lambda - lam_s > 0": lambda tau, boost, Lambda, lam_0, lam_s, M, x: Lambda - lam_s,
    "(x - lam_0) (x - boosted lam_s) = 0": lambda tau, boost, Lambda, lam_0, lam_s, M, x:
        (x - lam_0) * (x - boost * (lam_s - tau) - tau),
}


def bounded(M, without=()):
    """x ≤ M, where x is λ_0 or what boosting made of some λ_s < Λ: every λ_t is at most such an x, as all else makes it smaller."""
    known = {name: value for name, value in RULE.items() if name not in without}
    return Inequality(LAMBDA, known | M[0], M[1])


PRINTED: Any = ({}, lambda tau, boost, Lambda, lam_0, lam_s, M, x: boost * Lambda + tau - x)
REPAIRED = ({"M - lam_0 >= 0": lambda tau, boost, Lambda, lam_0, lam_s, M, x: M - lam_0,
             "M - boost (Lambda - tau) - tau >= 0": lambda tau, boost, Lambda, lam_0, lam_s, M, x:
             M - boost * (Lambda - tau) - tau},
            lambda tau, boost, Lambda, lam_0, lam_s, M, x: M - x)
START_ONLY = ({"M - lam_0 >= 0": REPAIRED[0]["M - lam_0 >= 0"]}, REPAIRED[1])
NO_BOOST = ({"M - lam_0 >= 0": REPAIRED[0]["M - lam_0 >= 0"], "M - Lambda >= 0": lambda tau, boost, Lambda, lam_0, lam_s, M, x:
             M - Lambda}, REPAIRED[1])


def draw_lambda(rng):
    """λ_s just below Λ often; x one of its two values; M the larger one."""
    tau, boost, Lambda = simple(rng) / 64 + 1, simple(rng) + 2, simple(rng) + 2
    lam_s = max(tau, Lambda - rng.choice([1, simple(rng) / 10**6 + tau / 10**9]))
    lam_0 = tau + simple(rng)
    boosted = boost * (lam_s - tau) + tau
    return tau, boost, Lambda, lam_0, lam_s, max(lam_0, boost * (Lambda - tau) + tau), rng.choice([lam_0, boosted])


# ---------------------------------------------------------------------------------------------------- ‖g‖ against Δ

SIZES = ("beta", "lam", "most", "pp", "pBp", "BpBp")
NORMS = {
    "beta >= 0": lambda beta, lam, most, pp, pBp, BpBp: beta,
    "lam > 0": lambda beta, lam, most, pp, pBp, BpBp: lam,
    "most - lam >= 0": lambda beta, lam, most, pp, pBp, BpBp: most - lam,
    "pp >= 0": lambda beta, lam, most, pp, pBp, BpBp: pp,
    "pBp >= 0": lambda beta, lam, most, pp, pBp, BpBp: pBp,
    "beta pp - pBp >= 0": lambda beta, lam, most, pp, pBp, BpBp: beta * pp - pBp,
    "beta pBp - BpBp >= 0": lambda beta, lam, most, pp, pBp, BpBp: beta * pBp - BpBp,
}


def norms(conclusion, without=()):
    """About g = −(B + λI)p with λ ≤ Λ₁ = `most`."""
    return Inequality(SIZES, {name: value for name, value in NORMS.items() if name not in without}, conclusion)


def gp_above(factor=1, without=()):
    """|gᵀ(B + λI)⁻¹g| = −gᵀp ≥ factor · ‖g‖²/(β + Λ₁), multiplied out."""
    return norms(lambda beta, lam, most, pp, pBp, BpBp:
                 (beta + most) * (lam * pp + pBp) - factor * (BpBp + 2 * lam * pBp + lam * lam * pp), without)


def norms_of(net, rule, step):
    """The numbers of `norms` at a step."""
    beta, _, Lambda, _ = constants(net, rule)
    Bp = step.B * step.p
    return (beta, step.lam, max(rule.lam_LM + rule.tau, rule.boost * Lambda + rule.tau), dot(step.p, step.p), dot(step.p, Bp),
            dot(Bp, Bp))


# ------------------------------------------------------------------------------------------------------------ runs

def cases(*broken):
    """The runs whose net and rule break no hypothesis, or one of those named."""
    return [(tag, net, rule, steps) for tag, net, rule, steps in traces() if tag == "" or tag in broken]


def refused(*broken):
    """T_1 is infinite: λ_LM grows by `boost` with every refused step, and Λ ends that."""
    def code():
        most = 0
        for tag, net, rule, steps in cases(*broken):
            _, _, Lambda, _ = constants(net, rule)
            for accepted, group in itertools.groupby(steps, key=lambda step: step.taken):
                if accepted:
                    continue
                in_a_row = list(group)
                most = max(most, len(in_a_row))
                for before, after in itertools.pairwise(in_a_row):
                    if after.lam_LM <= before.lam_LM:
                        return Outcome(f"{tag}: step {before.t} is refused, ρ = {before.rho}, and λ_LM = {before.lam_LM} stays, "
                                       f"hence so does g_t = {before.g.transpose()} for ever")
                    if before.lam >= Lambda:
                        return Outcome(f"{tag}: refused at λ_t >= Λ")
        return Outcome(detail=f"at most {most} refused steps in a row")
    return code


def kept(*broken):
    """lim ‖g_t‖ = lim over T_1: after a refused step the gradient is the one before it."""
    def code():
        for tag, net, _, steps in cases(*broken):
            for before, after in itertools.pairwise(steps):
                if not before.taken and after.g != before.g:
                    return Outcome(f"{tag}: step {before.t} is refused, and g_t changes")
                if net.f(after.theta, after.t) > net.f(before.theta, before.t):
                    return Outcome(f"{tag}: f grows in step {before.t}")
        return Outcome()
    return code


def descends(*broken):
    """Σ over T_1 of ‖g_t‖² ≤ (β + Λ₁)(f(θ⁽⁰⁾) − inf f)/(ηc₁), and no state repeats itself with g_t ≠ 0."""
    def code():
        for tag, net, rule, steps in cases(*broken):
            beta, _, Lambda, c = constants(net, rule)
            bound = (beta + max(rule.lam_LM + rule.tau, rule.boost * Lambda + rule.tau)) / (rule.eta * c)
            total, budget = 0, bound * net.f(steps[0].theta, 0)
            for step in steps:
                total += dot(step.g, step.g) if step.taken else 0
                if total > budget:
                    return Outcome(f"{tag}: after step {step.t} Σ‖g_t‖² is above (β + Λ₁)f(θ⁽⁰⁾)/(ηc₁)")
            for before, after in itertools.pairwise(steps):
                if (before.theta, before.lam_LM, before.B) == (after.theta, after.lam_LM, after.B):
                    theta = ", ".join(map(str, before.theta.entries()))
                    return Outcome(f"{tag}: θ = ({theta}), λ_LM = {before.lam_LM}, τ = {rule.tau}, ρ_t = {before.rho}: the step is "
                                   "refused and λ_LM stays, so that ‖g_t‖² = " f"{dot(before.g, before.g)} for ever")
        fall = [dot(steps[0].g, steps[0].g) / dot(steps[-1].g, steps[-1].g) for _, _, _, steps in cases()[:6]]
        least, most = (len(str(int(x.floor()))) - 1 for x in (min(fall), max(fall)))
        return Outcome(detail=f"‖g_t‖² falls by 1e{least} to 1e{most} in the 6 runs")
    return code


EXACT_RUNS = ("runs over ℚ of nets of one layer with known β, β₁, linear and 1/(1 + h²), Gauss-Newton and Fisher: 6 of up to 60 "
              "steps and a hunt with 40 random nets and rules; most round θ to multiples of 2⁻⁶⁰ between the exact steps")
STATEMENTS = (
    Statement(
        "R.Thm.6", "Section 5.6, Theorem 6",
        Form("lim ‖g_t‖ = 0, for 0 < η < ε < 1/2, τ > 0, drop < 1 < boost and any λ_LM⁽⁰⁾", descends("λ_LM = 0", "drop = 0")),
        checks=(claimed(Status.SAMPLED, EXACT_RUNS),),
        mutants=(Form("η > ε", descends("η > ε")), Form("N_1 < N", descends("N_1 < N")), Form("boost = 1", descends("boost = 1"))),
        hypotheses=("Algorithm 23 with N_1 = N, α = 1, θ_t changed only where ρ_t >= η", "0 < η < ε", "Assumptions 11 and 12",
                    "f bounded below"),
        repaired=Form("lim ‖g_t‖ = 0, where in addition λ_LM⁽⁰⁾ > 0 and 0 < drop (and B_t ⪰ 0 as in 5.2.2)", descends()),
        note="What the text leaves open admits λ_LM = 0, which no boost changes: f = ½b², Fisher, b = 1/8, τ = 1/8 is refused "
             "for ever. With λ_LM⁽⁰⁾, drop > 0 every step of the proof holds (below); 5.8 sets 1 and 0.99.",
             errata=(75,),
    ),
    Statement(
        "R.Thm.6/1", WHERE + ", after (5.13)",
        Form("|ρ_t − 1| <= ½(β + β₁)/λ_t", near_one()),
        checks=(certified(*(Term(Fraction(c) * Fraction(d), (*x, *y), one) for c, x in BELOW for d, y in ABOVE)),
                hunted(draw_ratio, 500), refuted_at(1, 1, 1, 1, 0, 3), refuted_at(1, 1, 1, 1, 0, -3),
                refuted_at(1, 0, 1, 1, 0, 1), along_runs(ratio_of)),
        mutants=(Form("¼(β + β₁)/λ_t", near_one(factor=4)), Form("without ∇²f <= β₁I", near_one(without=("beta_1 pp - h >= 0",))),
                 Form("without ∇²f >= −β₁I", near_one(without=("beta_1 pp + h >= 0",)))),
        hypotheses=("(5.13)", "m_t(0) − m_t(p_t) >= λ_t‖p_t‖²"),
        sharpness=(attained_at(1, 0, 1, 1, 0, 1),
                   also(Form("1 − ρ_t <= ½β₁/λ_t: B_t overestimates at its own cost", one_sided()),
                        certified(Term(1, ("lam > 0", "beta_1 pp - h >= 0"), one), Term("1/2", ("beta_1 >= 0", "pBp >= 0"), one),
                                  Term(1, ("lam > 0", "pBp >= 0"), one)), attained_at(1, 7, 1, 1, 0, 1))),
        note="Attained for β = 0 alone. Of the two signs λ_t has to guard against 1 − ρ_t only, for which ½β₁/λ_t is the best "
             "bound.",
    ),
    Statement(
        "R.Thm.6/2", WHERE,
        Form("ρ_t >= 1 − ε for all λ_t >= Λ", not_boosted(lambda lam, eps, K, rho: rho - 1 + eps)),
        checks=(certified(Term(1, ("lam (rho - 1) + K >= 0",), one), Term(1, ("lam eps - K >= 0",), one), factor=("lam > 0",)),
                hunted(draw_close, 500), refuted_at(1, "1/4", 1, 0), refuted_at(4, "1/4", 1, "3/4"), refuted_at(5, "1/4", 1, -9)),
        mutants=(Form("λ_t < Λ too", not_boosted(lambda lam, eps, K, rho: rho - 1 + eps, without=("lam eps - K >= 0",))),
                 Form("ρ_t >= 1 − ε/2", not_boosted(lambda lam, eps, K, rho: rho - 1 + eps / 2)),
                 Form("without |ρ_t − 1| <= K/λ_t", not_boosted(lambda lam, eps, K, rho: rho - 1 + eps,
                                                                 without=("lam (rho - 1) + K >= 0",)))),
        hypotheses=("Λ = ½(β + β₁)/ε", "|ρ_t − 1| <= ½(β + β₁)/λ_t"),
        sharpness=(attained_at(4, "1/4", 1, "3/4"),
                   also(Form("so that the step is not boosted and is accepted: ρ_t > ε", not_boosted(
                       lambda lam, eps, K, rho: rho - eps, strict=True)), proved_by_z3())),
        note="More than the proof needs: ρ_t >= ε suffices, and with 1 − ρ_t <= ½β₁/λ_t (step 1) already Λ = ½β₁/(1 − ε) does, "
             "without β and without a pole at ε = 0.",
    ),
    Statement(
        "R.Thm.6/3", WHERE,
        Form("λ_t <= boost · Λ + τ = Λ₁ for all t", bounded(PRINTED)),
        checks=(refuted_at("1/1000", "101/100", 8, "1000", 1, 1000, 1000), proved_by_z3(), hunted(draw_lambda, 500),
                refuted_at(1, 4, 8, 9, 7, 9, 25), refuted_at(1, 2, 8, 9, "15/2", 9, 14), refuted_at(1, 2, 8, 1, 9, 15, 17)),
        mutants=(Form("λ_t <= λ_0", bounded(START_ONLY)), Form("λ_t <= max(λ_0, Λ)", bounded(NO_BOOST)),
                 Form("boosted at λ_t >= Λ too", bounded(REPAIRED, without=("Lambda - lam_s > 0",)))),
        repaired=Form("λ_t <= max(λ_0, boost(Λ − τ) + τ) for all t", bounded(REPAIRED)),
        hypotheses=("λ_LM is boosted only where λ_t < Λ", "boost > 1 > drop >= 0"),
        errata=(60,),
        note="Nothing bounds the λ_0 that the user chooses; the theorem's proof works with this larger Λ₁. boost · Λ + τ can "
             "be replaced by boost(Λ − τ) + τ.",
    ),
    Statement(
        "R.Thm.6/4", WHERE,
        Form("‖g_t‖Δ_t >= |g_tᵀ(B_t + λ_tI)⁻¹g_t| >= ‖g_t‖²/(β + Λ₁)", gp_above()),
        checks=(certified(Term(1, ("most - lam >= 0", "lam > 0", "pp >= 0"), one), Term(1, ("most - lam >= 0", "pBp >= 0"), one),
                          Term(1, ("lam > 0", "beta pp - pBp >= 0"), one), Term(1, ("beta pBp - BpBp >= 0",), one)),
                refuted_at(0, 1, 1, 1, 0, 0), refuted_at(1, 10, 1, 1, 0, 0), refuted_at(1, 1, 1, 1, 1, 9), along_runs(norms_of)),
        mutants=(Form("2‖g_t‖²/(β + Λ₁)", gp_above(factor=2)), Form("without λ_t <= Λ₁", gp_above(without=("most - lam >= 0",))),
                 Form("without ‖B_t‖ <= β", gp_above(without=("beta pBp - BpBp >= 0", "beta pp - pBp >= 0")))),
        hypotheses=("0 ⪯ B_t ⪯ βI", "λ_t <= Λ₁"),
        sharpness=(attained_at(1, 1, 1, 1, 1, 1),),
        note="Printed with g_t for g_tᵀ. The first inequality is Cauchy's and Schwarz's; both are equalities for g_t in the "
             "eigenspace of β at λ_t = Λ₁.",
    ),
    Statement(
        "R.Thm.6/5", WHERE + ", after (5.14)",
        Form("|T_1| = ∞: if all steps from T on are refused, λ_t → ∞", refused("λ_LM = 0", "drop = 0")),
        checks=(claimed(Status.SAMPLED, EXACT_RUNS),),
        mutants=(Form("η > ε", refused("η > ε")), Form("boost = 1", refused("boost = 1")),
                 Form("drop = 0", refused("drop = 0"))),
        repaired=Form("|T_1| = ∞ where λ_LM⁽⁰⁾ > 0 and drop > 0", refused()),
        hypotheses=("ρ_t < η < ε boosts λ_LM",),
        note="λ_LM⁽⁰⁾ · boostᵏ → ∞ needs λ_LM⁽⁰⁾ > 0. At most log(Λ/λ_LM)/log(boost) + 1 steps in a row are refused.",
        errata=(75,),
    ),
    Statement(
        "R.Thm.6/6", WHERE + ", end",
        Form("lim ‖g_t‖ = lim over t ∈ T_1 of ‖g_t‖, and f(θ⁽ᵗ⁾) does not grow", kept()),
        checks=(claimed(Status.SAMPLED, EXACT_RUNS),),
        mutants=(Form("N_1 < N", kept("N_1 < N")),),
        hypotheses=("N_1 = N", "|T_1| = ∞"),
        pinned="θ and with it ∇f(θ) are what they were after a refused step: an equality",
        note="g_t is the gradient at the next accepted step for every refused t before it, since N_1 = N makes it a function "
             "of θ.",
    ),
)
