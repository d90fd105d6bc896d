"""R Assumptions 1 to 4: can a network satisfy them?  Each is shown for one, or refuted for a class.

The activation is φ(h) = h/(1 + |h|) (softsign), bounded and rational; tanh and the sigmoid are where the text names them.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from fractions import Fraction as F

from ..checks import Inequality, Outcome, Term, certified, claimed, hunted, proved_by_z3, simple
from ..statement import Form, Statement, Status
from .frozen import MU1, barrier, steps


def softsign(h: F) -> tuple[F, F]:
    """φ(h) and φ′(h)."""
    return h / (1 + abs(h)), 1 / (1 + abs(h)) ** 2


def unit_gradient(h: F) -> F:
    """ψ′(h) for ψ = ½φ²: one layer, one unit, x = 1, target 0."""
    value, slope = softsign(h)
    return value * slope


def points() -> list[F]:
    """Numbers of all sizes, and neighbours of 0 and 1 where |ψ″| is largest."""
    rng = random.Random(0)
    found = [F(n, d) for n in (-64, -9, -2, -1, 0, 1, 2, 9, 64) for d in (1, 7, 64)]
    return found + [F(rng.randint(-500, 500), 100) for _ in range(60)]


def lipschitz(L: F) -> Callable[[], Outcome]:
    """|ψ′(x) − ψ′(y)| ≤ L |x − y|, so that ∇f is L‖ā‖²-Lipschitz."""
    def claim() -> Outcome:
        for x, y in itertools.combinations(points(), 2):
            if abs(unit_gradient(x) - unit_gradient(y)) > L * abs(x - y):
                return Outcome(f"ψ′ at {x} and {y}")
        return Outcome()
    return claim


def two_layers(L: Callable[[F], F]) -> Callable[[], Outcome]:
    """|∂f/∂b₁(θ) − ∂f/∂b₁(θ′)| ≤ L(R) ‖θ − θ′‖ for f = ½(φ(w₂φ(w₁x + b₁) + b₂) − 1)², at w₂ = R, where b₁ goes from 0 to "
    "1/R."""
    def slope(w_2: F, b_1: F) -> F:
        a_1, d_1 = softsign(b_1)
        a_2, d_2 = softsign(w_2 * a_1)
        return (a_2 - 1) * d_2 * w_2 * d_1

    def claim() -> Outcome:
        R = next((R for R in (F(2) ** i for i in range(60)) if abs(slope(R, F(0)) - slope(R, 1 / R)) > L(R) / R), None)
        return Outcome(f"1-1-1 softsign net, x = 0, y = 1, w_2 = {R}, b_2 = 0: ∂f/∂b_1 changes by more than {L(R)} times the "
                       f"change of "
                       f"b_1 from 0 to 1/{R}" if R else "")
    return claim


def curvature(above: int | None = None, below: int = 16) -> Inequality:
    """ψ″(h)(1 + h)⁴ = 1 − 2h for h ≥ 0: ψ″ ≤ above, or ψ″ ≥ −1/below."""
    return Inequality(("h",), {"h >= 0": lambda h: h}, lambda h: (1 + h) ** 4 + below * (1 - 2 * h) if above is None
                      else above * (1 + h) ** 4 - (1 - 2 * h))


def sampling(kind: str, sigma2: F) -> Callable[[], Outcome]:
    """Two examples, x = ±1 with targets 0 and 1, batches of one: E ∇f̂ = ∇f and E‖∇f̂ − ∇f‖² ≤ σ² given what was drawn "
    "before."""
    def gradients(w: F, b: F) -> list[tuple[F, F]]:
        found = []
        for x, y in ((F(1), F(0)), (F(-1), F(1))):
            value, slope = softsign(w * x + b)
            found.append(((value - y) * slope * x, (value - y) * slope))
        return found

    def claim() -> Outcome:
        for w, b in itertools.product((F(-3), F(0), F(1, 2), F(4)), repeat=2):
            both = gradients(w, b)
            mean = [sum(entry) / 2 for entry in zip(*both, strict=True)]
            drawn = both if kind == "with replacement" else both[1:]                # the second draw of an epoch, after example 1
            expected = [sum(entry) / len(drawn) for entry in zip(*drawn, strict=True)]
            spread = sum(sum((g - m) ** 2 for g, m in zip(one, mean, strict=True)) for one in drawn) / len(drawn)
            if expected != mean or spread > sigma2:
                return Outcome(f"w = {w}, b = {b}: E∇f̂ = {[str(e) for e in expected]}, ∇f = {[str(m) for m in mean]}, variance "
                               f"{spread}")
        return Outcome()
    return claim


def bounded_activation(name: str, phi: int) -> Inequality:
    """|φ(h)| ≤ φ, in E = e^h > 0 for the sigmoid E/(1 + E) and E = e^2h for tanh (E − 1)/(E + 1); in h ≥ 0 for ReLU: as φ − "
      "φ(h) ≥ 0."""
    if name == "relu":
        return Inequality(("E",), {"E > 0": lambda E: E}, lambda E: phi - E)
    if name == "sigmoid":
        return Inequality(("E",), {"E > 0": lambda E: E}, lambda E: phi * (1 + E) - E)
    return Inequality(("E",), {"E > 0": lambda E: E}, lambda E: phi * (E + 1) - (E - 1))


def kept(least: Callable[[int], F]) -> Callable[[], Outcome]:
    """H_k ⪰ least(k) in the run of Algorithm 5 in `frozen`, for k up to 100."""
    def claim() -> Outcome:
        barrier()
        law = all(MU1**k == H for k, (_, H) in enumerate(steps(4, 1), 1))
        k = next((k for k in range(1, 100) if F(1, 5) ** k < least(k)), None)
        return Outcome(f"Algorithm 5 on a softsign unit, w + b = 10: H_g({k}) = 5^−{k}" if k or not law else "")
    return claim


STATEMENTS = (
    Statement(
        "R.As.1", "Section 2.7",
        Form("some network has a globally Lipschitz gradient and f ≥ f^low: one softsign unit, x = 1, y = 0, L = ‖ā‖² = 2, "
             "f^low = 0",
             lipschitz(F(1))),
        checks=(claimed(Status.SAMPLED, "|ψ′(x) − ψ′(y)| ≤ L|x − y| at all pairs of 87 rational points"),),
        mutants=(Form("L = 9/10 ‖ā‖²", lipschitz(F(9, 10))), Form("L = ‖ā‖²/2", lipschitz(F(1, 2))),
                 Form("L = ‖ā‖²/100", lipschitz(F(1, 100)))),
        note="One layer with a smooth bounded activation satisfies it; R.As.1/1 proves this one. With a hidden layer none "
             "does: R.As.1/2."),
    Statement(
        "R.As.1/1", "Section 2.7, Assumption 1: one softsign unit",
        Form("ψ″(h) = (1 − 2h)/(1 + h)⁴ ≤ 1 for h ≥ 0, ψ = ½φ²", curvature(1)),
        checks=(certified(Term(6, ("h >= 0",), lambda h: 1), Term(6, (), lambda h: h), Term(4, ("h >= 0",), lambda h: h),
                          Term(1, (), lambda h: h * h)), proved_by_z3(), hunted(lambda rng: [simple(rng)])),
        mutants=(Form("ψ″ ≤ 0", curvature(0)), Form("ψ″ ≥ −1/17", curvature(below=17)),
                 Form("ψ″ ≥ −1/100", curvature(below=100))),
        note="ψ″ ≥ −1/16, its minimum at h = 1; ψ is even."),
    Statement(
        "R.As.1/2", "Section 2.7, Assumption 1, of the networks of Section 2.2",
        Form("∇f is globally L-Lipschitz for a net with a hidden layer; shown for L = 10⁹, any other goes the same way",
             two_layers(lambda R: F(10**9))),
        checks=(claimed(Status.EXACT_Q, "1-1-1 softsign net, x = 0, y = 1, along w_2 → ∞"),),
        mutants=(Form("L = 1", two_layers(lambda R: F(1))), Form("L = |w_2|", two_layers(lambda R: R)),
                 Form("L = 3w_2²/4", two_layers(lambda R: 3 * R * R / 4))),
        repaired=Form("along this line L = w_2² will do, and no constant",
                      two_layers(lambda R: R * R)),
        note="∂²f/∂b_1² contains w_2²φ′(h_2)²φ′(h_1)², and b_2 can hold h_2 where φ′ is not small. So Theorem 2 (and "
             "Theorem 4, which has the "
             "same assumption) is about nets of one layer, or needs iterates that stay bounded.", errata=(68,)),
    Statement(
        "R.As.2", "Section 2.7",
        Form("batches drawn with replacement from finite data: E∇f̂ = ∇f, variance ≤ σ² = 2 for a softsign unit",
             sampling("with replacement", F(2))),
        checks=(claimed(Status.EXACT_Q, "two examples, all draws, 16 parameters"),),
        mutants=(Form("without replacement, given the epoch's first draw", sampling("without replacement", F(2))),
                 Form("σ² = 1/10", sampling("with replacement", F(1, 10))), Form("σ² = 0", sampling("with replacement", F(0)))),
        note="Satisfied by sampling with replacement. Passing through shuffled data epoch by epoch, as in the experiments, is not "
             "independent: the last batch of an epoch is known from the others. What σ² is the variance of: R.Thm.2/9."),
    Statement(
        "R.As.3", "Section 2.7: \"such as sigmoid and tanh\"",
        Form("tanh(h) ≤ 1; with E = e^2h: (E − 1)/(E + 1) ≤ 1", bounded_activation("tanh", 1)),
        checks=(certified(Term(2, (), lambda E: 1)), proved_by_z3(), hunted(lambda rng: [simple(rng)])),
        mutants=(Form("ReLU, φ = 1", bounded_activation("relu", 1)), Form("ReLU, φ = 50", bounded_activation("relu", 50)),
                 Form("tanh(h) ≤ 0", bounded_activation("tanh", 0))),
        note="tanh is odd. Satisfied by tanh, the sigmoid (R.As.3/1) and softsign, not by ReLU and linear layers, which "
             "are all hidden layers of Table 2.4: the theorem covers none of the experiments. No proof uses the bound of the last "
             "activation."),
    Statement(
        "R.As.3/1", "Section 2.7: \"such as sigmoid and tanh\"",
        Form("sigmoid(h) ≤ 1; with E = e^h: E/(1 + E) ≤ 1", bounded_activation("sigmoid", 1)),
        checks=(certified(Term(1, (), lambda E: 1)), proved_by_z3(), hunted(lambda rng: [simple(rng)])),
        mutants=(Form("sigmoid(h) ≤ 0", bounded_activation("sigmoid", 0)), Form("ReLU, φ = 2", bounded_activation("relu", 2)),
                 Form("ReLU, φ = 10", bounded_activation("relu", 10)))),
    Statement(
        "R.As.4", "Section 2.7",
        Form("Algorithm 5 satisfies it: κI ⪯ H_k for all k; shown for κ = 10^(−50), any other goes the same way",
             kept(lambda k: F(1, 10**50))),
        checks=(claimed(Status.EXACT_Q, "Algorithm 5 on one softsign unit whose curvature stays negative"),),
        mutants=(Form("κ = 1/6", kept(lambda k: F(1, 6))), Form("κ = 2^(−k)", kept(lambda k: F(1, 2**k))),
                 Form("κ = 10^(−9)", kept(lambda k: F(1, 10**9)))),
        repaired=Form("H_g(k) ⪰ (1 + 1/μ₁)^(−k) in Algorithm 5; κI ⪯ H_k where line 17 tests s̃ᵀỹ ≥ μ₁ỹᵀỹ",
                      kept(lambda k: F(1, 6**k))),
        errata=(31, 66),
        note="The first half is Lemma 3 (R.Lem.3). The second half, that H_k depends on ξ_[k−1] alone, holds: R.Thm.2/7. H_k = "
             "I, plain SGD, satisfies all of it."),
)
