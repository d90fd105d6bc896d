"""R Lemma 6: H_G of Algorithm 10 stays between two multiples of I, however many steps are taken.

H_G is I/λ_G updated by at most p damped pairs, so that the lemma is Lemma 5 applied p times; its constants solve two recursions.
"runs" takes sequences of pairs through Algorithms 11 and (3.16), exactly: lasting negative curvature, pairs that turn, random ones;
μ₁ = 1/2 and 1/7 make √(μ₂μ₃) = √(μ₁/(1 + 2μ₁)) rational.
"""

import random
from typing import Any

from ..checks import Inequality, Outcome, Term, certified, claimed, mod_p, on, over_Q, refuted_at
from ..statement import Form, Statement, Status
from . import common
from .common import Q

# ---------------------------------------------------------------------------------------------------------------------- pairs


def turning(count, mu2):
    """Pairs of μ₁ = 1/3 at the smallest angle's cosine, 4/5, each turned so that it stretches what the last one left longest."""
    (a, b), c, d = (Q(1), Q(0)), Q(4, 5), Q(-3, 5)
    for _ in range(count):
        s, y = [a / 3 - 2 * b / 3, b / 3 + 2 * a / 3], [a, b]
        yield [entry / mu2 for entry in s], y
        a, b = c * a - d * b, d * a + c * b


def sequences(mu2):
    """Sequences of raw pairs (s_G, y_G)."""
    yield [([Q(-1)], [Q(1)])] * 6
    yield [([Q(-1), Q(0)], [Q(1), Q(1)]), ([Q(1), Q(2)], [Q(-2), Q(0)])] * 3
    yield [*turning(6, mu2)]
    rng = random.Random(6)
    for _ in range(8):
        yield [tuple([Q(rng.randint(-3, 3), rng.choice([1, 4])) for _ in range(2)] for _ in range(2)) for _ in range(5)]


RATIONAL = Q(1, 2), Q(1, 7)
"""μ₁ with a rational √(2 + 1/μ₁): 2 and 3."""


def kappas(p, mu1, lam):
    """The constants as printed: μ₂ = λ_G, 1/μ₃ = λ_G(2 + 1/μ₁), √(2 + 1/μ₁) a whole number here."""
    root = {Q(1, 2): 2, Q(1, 7): 3}[mu1]
    mu_h = Q(1 + root)**2
    return 1 / (lam + p * lam * (2 + 1 / mu1)), (mu_h**p + (mu_h**p - 1) / (mu_h - 1)) / lam


def best(p, mu1, lam):
    """The constants that parts 6 and 7 of Lemma 4 and part 3 of Lemma 5 give."""
    mu_h = 1 + 1 / (4 * mu1 * (1 + mu1))
    return 1 / (lam + p * lam * (1 + 1 / mu1)), (mu_h**p + (mu_h**p - 1) / (mu_h - 1)) / lam


def runs(zero=False, bounds=kappas, mu1s=RATIONAL, passed=False):
    """κ̲I ⪯ H_G ⪯ κ̄I after every pair, for memories of 1 to 3.

    Takes    zero: does a sequence of the pair (0, 0), as a dead layer has it, count? passed: is H_G passed on, as line 15 has it?
    """
    def claim():
        for lam in (Q(1, 3), Q(2)):
            for mu1 in mu1s:
                for p in (1, 2, 3):
                    for raw in [*([[([Q(0)], [Q(0)])]] if zero else []), *sequences(lam)]:
                        against = against_bounds(raw, p, mu1, lam, bounds(p, mu1, lam), passed)
                        if against:
                            return Outcome(f"λ_G = {lam}, μ₁ = {mu1}, p = {p}: {against}")
        return Outcome(detail="eleven sequences, p = 1, 2, 3")
    return claim


def against_bounds(raw, p, mu1, lam, kappa, passed):
    """What contradicts the bounds along a sequence of pairs, or an empty text."""
    n = len(raw[0][0])
    memory: list[Any] = []
    H = common.identity(n, 1 / lam)
    for k, (s, y) in enumerate(raw, 1):
        memory = [*memory, common.dp_dlm(s, y, H, mu1, lam) if passed else common.dpi_dlm(s, y, mu1, lam)][-p:]
        if any(common.dot(*pair) == 0 for pair in memory):
            return f"s = y = 0 in step {k}: ρ = 1/0 in (3.16)"
        H = common.identity(n, 1 / lam)
        for pair in memory:
            H = common.bfgs(H, *pair)
        lower = [[entry - kappa[0] * (i == j) for j, entry in enumerate(row)] for i, row in enumerate(H)]
        if not common.at_most(H, kappa[1]) or not common.semidefinite(lower):
            return f"step {k} of {raw[0]}, …: H_G = {H} is not within [{kappa[0]}, {kappa[1]}]"
    return ""


def growth():
    """‖H_p‖ > (25/16)^p/λ_G along pairs that turn, with μ₁ = 1/3, where 1 + 1/(4μ₁(1 + μ₁)) is 25/16."""
    def claim():
        factor = Q(25, 16)
        for p in (1, 2, 5, 20):
            H = common.identity(2, Q(1))
            for s, y in turning(p, Q(1)):
                H = common.bfgs(H, *common.dpi_dlm(s, y, Q(1, 3), Q(1)))
            if common.at_most(H, factor**p):
                return Outcome(f"‖H_{p}‖ <= {factor}^{p}")
        return Outcome(detail="p = 1, 2, 5, 20, λ_G = 1, μ₁ = 1/3")
    return claim


# ------------------------------------------------------------------------------------------------------------------ recursions

def solved(extra=0, lower=1):
    """h_i = μ̂h_{i−1} + 1/μ₂ from 1/λ and b_i = b_{i−1} + 1/μ₃ from λ, n times, and the closed forms."""
    def pairs(field, n):
        mu_h, mu2, mu3, lam = (field.draw() for _ in range(4))
        h, b, power = 1 / lam, lam, mu_h**0
        for _ in range(n):
            h, b, power = mu_h * h + 1 / mu2, b + 1 / mu3, power * mu_h
        yield (mu_h - 1) * h, (mu_h - 1) * power / lam + (power * mu_h**extra - 1) / mu2
        yield b, lam + field.number(n * lower) / mu3
    return pairs


STEP = ("h", "q", "r", "mu1", "lam", "new")
ANGLE = "1 + 4 mu1 (1 + mu1) (1 - qr) >= 0"


def step(four=4, without=()):
    """‖H⁺‖ ≤ ‖H‖qr + q, qr ≤ 1 + 1/(4μ₁(1 + μ₁)) and q ≤ 1/λ give ‖H⁺‖ ≤ μ̂‖H‖ + 1/λ; times λ · 4μ₁(1 + μ₁).

    q = sᵀs/sᵀy, r = yᵀy/sᵀy, h = ‖H‖, new = ‖H⁺‖ (Lemma 5, part 3, before its two ratios are bounded one by one).
    """
    hypotheses = {
        "h > 0": lambda h, q, r, mu1, lam, new: h, "lam > 0": lambda h, q, r, mu1, lam, new: lam,
        "mu1 > 0": lambda h, q, r, mu1, lam, new: mu1,
        "1 - lam q >= 0": lambda h, q, r, mu1, lam, new: 1 - lam * q,
        ANGLE: lambda h, q, r, mu1, lam, new: 1 + 4 * mu1 * (1 + mu1) * (1 - q * r),
        "h q r + q - new >= 0": lambda h, q, r, mu1, lam, new: h * q * r + q - new,
    }
    return Inequality(STEP, {name: value for name, value in hypotheses.items() if name not in without},
                      lambda h, q, r, mu1, lam, new: lam * h * (1 + four * mu1 * (1 + mu1))
                      + 4 * mu1 * (1 + mu1) * (1 - lam * new))


PROVED = certified(Term(1, ("lam > 0", "h > 0", ANGLE), lambda *_: 1),
                   *(Term(4, ("mu1 > 0", *more), square) for more in (("1 - lam q >= 0",), ("lam > 0", "h q r + q - new >= 0"))
                     for square in (lambda *_: 1,)),
                   *(Term(4, more, lambda h, q, r, mu1, *_: mu1) for more in (("1 - lam q >= 0",),
                                                                              ("lam > 0", "h q r + q - new >= 0"))))

STATEMENTS = (
    Statement(
        "R.Lem.6", "Section 3.6",
        Form("κ̲I <= H_G(k) <= κ̄I for all k, with κ̲ = (λ_G + p/μ₃)⁻¹ and κ̄ = μ̂^p/λ_G + ((μ̂^p − 1)/(μ̂ − 1))/μ₂, μ̂ = (1 + "
             "1/√(μ₂μ₃))², μ₂ = λ_G", {"runs": runs(zero=True), "recursions": solved()}),
        checks=(on("runs", claimed(Status.SAMPLED, "Algorithms 11 and (3.16) in exact numbers")),
                on("recursions", over_Q()), on("recursions", mod_p(lambda n: 2 * n + 8))),
        mutants=(Form("line 15 as printed, with H = H_G", {"runs": runs(passed=True)}),
                 Form("κ̲ = 1/λ_G", {"runs": runs(bounds=lambda p, mu1, lam: (1 / lam, kappas(p, mu1, lam)[1]))}),
                 Form("κ̄ = 1/λ_G", {"runs": runs(bounds=lambda p, mu1, lam: (kappas(p, mu1, lam)[0], 1 / lam))}),
                 Form("κ̲ without p", {"runs": runs(bounds=lambda p, mu1, lam: (kappas(1, mu1, lam)[0] * 2,
                                                                              kappas(p, mu1, lam)[1]))}),
                 Form("μ̂^(p+1) − 1", {"recursions": solved(extra=1)}), Form("2p/μ₃", {"recursions": solved(lower=2)})),
        hypotheses=("Algorithm 10, any sequence of pairs", "H_G = I/λ_G updated by the last p pairs, Algorithm 11 on each"),
        repaired=Form("the same where pairs (0, 0) are skipped", {"runs": runs(), "recursions": solved()}), errata=(15, 21, 22),
        note="Proved step by step: Lemma 4 for every pair that is not zero, Lemma 5 for every update, the recursions here. With "
             "line 15 as printed (H_G passed on) lasting negative curvature makes H_G as small as one likes."),
    Statement(
        "R.Lem.6/1", "not printed: constants from the best ones of Lemmas 4 and 5",
        Form("the same with λ_G(1 + 1/μ₁) for 1/μ₃ and μ̂ = 1 + 1/(4μ₁(1 + μ₁))",
             {"runs": runs(bounds=best, mu1s=(Q(1, 3), Q(1, 5), Q(9, 10))), "step": step(), "growth": growth()}),
        checks=(on("runs", claimed(Status.SAMPLED, "Algorithms 11 and (3.16) in exact numbers")),
                on("step", PROVED), *(on("step", refuted_at(1, q, r, 1, 1, new)) for q, r, new in (
                    (10, "1/10", 11), (1, 10, 11), (1, "9/8", "17/8")))),
        mutants=(Form("μ̂ = 1 + 1/(8μ₁(1 + μ₁))", {"runs": runs(bounds=lambda p, mu1, lam: (
            best(p, mu1, lam)[0], (1 + 1 / (8 * mu1 * (1 + mu1)))**p / lam), mu1s=(Q(1, 3),))}),
                 Form("λ_G/μ₁ for 1/μ₃", {"runs": runs(bounds=lambda p, mu1, lam: (
                     1 / (lam + p * lam / mu1 - lam / 2), best(p, mu1, lam)[1]), mu1s=(Q(1, 3),))}),
                 Form("without q <= 1/λ_G", {"step": step(without=("1 - lam q >= 0",))}),
                 Form("without the bound on the angle", {"step": step(without=(ANGLE,))}),
                 Form("3 for 4", {"step": step(four=3)})),
        hypotheses=("pairs (0, 0) are skipped",),
        sharpness=(on("growth", claimed(Status.EXACT_Q, "‖H_p‖ > μ̂^p/λ_G is reached, no smaller factor will do")),),
        note="μ̂ is 49/24 for μ₁ = 1/5 where the lemma has 13.3; no smaller factor will do. With p = 100 pairs κ̄ is below 10³² "
             "/λ_G, not 10¹¹³/λ_G."),
)
