"""R Lemma 3: H_k = diag{H_a ⊗ H_g} lies between products of constants, by two identities of Kronecker products."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ..checks import Identity, Inequality, Outcome, Term, attained_at, certified, claimed, hunted, over_Q, proved_by_z3, simple
from ..statement import Form, Statement, Status
from .common import Q
from .frozen import LAM_A, MU1, barrier, steps


def orders(low: int = 1, high: int = 1) -> Identity:
    """H_a ⊗ H_g − κ_aκ_g I = (H_a − κ_aI) ⊗ H_g + κ_a I ⊗ (H_g − κ_gI), and the same from above: sums of ⊗ of matrices ⪰ 0."""
    def pairs(field, n):
        H_a, H_g = field.symmetric(n), field.symmetric(2)
        one, two, all_ = field.eye(n), field.eye(2), field.eye(2 * n)
        ka, kg, ja, jg = (field.draw() for _ in range(4))
        yield field.kron(H_a, H_g) - all_ * (ka * kg), field.kron(H_a - one * ka, H_g) + field.kron(one, H_g - two * kg) * (ka**low)
        yield all_ * (ja * jg) - field.kron(H_a, H_g), field.kron(one * ja - H_a, two * jg) + field.kron(H_a, two * jg - H_g) * high
    return pairs


NAMES = ("a", "g", "ka", "kg", "ja", "jg")
HYPOTHESES = {"ka > 0": lambda a, g, ka, kg, ja, jg: ka, "kg > 0": lambda a, g, ka, kg, ja, jg: kg,
              "a - ka >= 0": lambda a, g, ka, kg, ja, jg: a - ka, "g - kg >= 0": lambda a, g, ka, kg, ja, jg: g - kg,
              "ja - a >= 0": lambda a, g, ka, kg, ja, jg: ja - a, "jg - g >= 0": lambda a, g, ka, kg, ja, jg: jg - g}


def product(of: Callable[..., Any], without: str = "") -> Inequality:
    """Of eigenvalues a of H_a and g of H_g."""
    return Inequality(NAMES, {name: value for name, value in HYPOTHESES.items() if name != without}, of)


def draw(rng):
    """(a, g, κ_a, κ_g, κ̄_a, κ̄_g) with ties."""
    ka, kg = Fraction(1, 8) + simple(rng), Fraction(1, 8) + simple(rng)
    a, g = ka + rng.choice([-1, 0, 1, 1, 1]) * simple(rng), kg + rng.choice([-1, 0, 1, 1, 1]) * simple(rng)
    return a, g, ka, kg, a + rng.choice([0, 1]) * simple(rng), g + rng.choice([0, 1]) * simple(rng)


def stays(floor: Callable[[int], Any]) -> Callable[[], Outcome]:
    """H_k ⪰ floor(k) I in the run of `frozen`, where H_(k+1) = H_a ⊗ μ₁^k and ‖H_a‖ = 1/λ_A."""
    def claim() -> Outcome:
        barrier()
        law = all(MU1**k == H for k, (_, H) in enumerate(steps(4, 1), 1))
        k = next((k for k in range(1, 200) if MU1**k / LAM_A < floor(k)), None)
        return Outcome(f"softsign unit, x = 1, y = 0, w + b = 10: H_g(k) = 5^−k for all k (R.Lem.2/8), so that ‖H_(k+1)‖ is "
                       f"below the "
                       f"bound for k = {k}" if k or not law else "")
    return claim


STATEMENTS = (
    Statement(
        "R.Lem.3", "Section 2.7",
        Form("some κ > 0 has H_k ⪰ κI for all k in Algorithm 5; shown for κ = 10^(−100), any other goes the same way",
             stays(lambda k: Q(1, 10**100))),
        checks=(claimed(Status.EXACT_Q, "Algorithm 5 on one softsign unit whose curvature stays negative"),),
        mutants=(Form("κ = 1/(1 + φ²d + λ_A) (1 + 1/μ₁)^(−1)", stays(lambda k: Q(2, 5) / 6)),
                 Form("H_k ⪰ 4^(−k) I", stays(lambda k: Q(2, 4**k))), Form("H_k ⪰ I/(10k)", stays(lambda k: Q(1, 10 * k)))),
        hypotheses=("Assumption 3",),
        repaired=Form("H_(k+1) ⪰ (1 + φ²d + λ_A)^(−1) (1 + 1/μ₁)^(−k) I; with constants for all k where R.Lem.2 as repaired "
                      "gives them",
                      stays(lambda k: Q(2, 5) / 6**k)), errata=(31, 32, 66),
        note="Falls with Lemma 2. What it says of products is right: R.Lem.3/1 and /2 with κ = min_l κ_a κ_g, κ̄ = max_l κ̄_a "
             "κ̄_g."),
    Statement(
        "R.Lem.3/1", "Section 2.7, proof: from factors to H_k",
        Form("H_a ⊗ H_g − κ_aκ_gI = (H_a − κ_aI) ⊗ H_g + κ_aI ⊗ (H_g − κ_gI), "
             "κ̄_aκ̄_gI − H_a ⊗ H_g = (κ̄_aI − H_a) ⊗ κ̄_gI + H_a ⊗ (κ̄_gI − H_g)", orders()),
        checks=(over_Q(),),
        mutants=(Form("κ_a² in the first", orders(low=2)), Form("2H_a in the second", orders(high=2)),
                 Form("without κ_a", orders(low=0))),
        note="Every ⊗ on the right is of matrices ⪰ 0, and so is ⪰ 0."),
    Statement(
        "R.Lem.3/2", "Section 2.7, proof: from factors to H_k, eigenvalues",
        Form("κ_aκ_g ≤ ag for eigenvalues a ≥ κ_a, g ≥ κ_g", product(lambda a, g, ka, kg, ja, jg: a * g - ka * kg)),
        checks=(certified(Term(1, ("kg > 0", "a - ka >= 0"), lambda *_: 1), Term(1, ("ka > 0", "g - kg >= 0"), lambda *_: 1),
                          Term(1, ("a - ka >= 0", "g - kg >= 0"), lambda *_: 1)), proved_by_z3(), hunted(draw, tries=1000)),
        mutants=(Form("2κ_aκ_g", product(lambda a, g, ka, kg, ja, jg: a * g - 2 * ka * kg)),
                 Form("κ_aκ̄_g", product(lambda a, g, ka, kg, ja, jg: a * g - ka * jg)),
                 Form("without a ≥ κ_a", product(lambda a, g, ka, kg, ja, jg: a * g - ka * kg, without="a - ka >= 0"))),
        sharpness=(attained_at(1, 2, 1, 2, 1, 2),)),
)
