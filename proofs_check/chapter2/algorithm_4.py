"""R Algorithms 2 to 5 and 7, run as printed and put right, beside the reference; (2.4) and (2.5) belong to Algorithm 2."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ...reference import kbfgs20, kbfgs20_l_skip, kfac20
from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status
from .common import Q, semidefinite
from .programs import against_reference, algorithm_4, algorithm_5, algorithm_7, problem

HYPER: dict[str, Any] = {"alpha": Fraction(1, 3), "lam": Fraction(1, 4), "beta": Fraction(1, 2)}
DAMPED = HYPER | {"mu1": Fraction(99, 100)}
NAMES = {"grad_h": "grad_h", "p": "p", "W": "W", "s_g": "s_g", "y_g": "y_g", "H_g": "H_g", "A": "A", "H_a": "H_a"}
BESIDE = claimed(Status.EXACT_Q, "some steps over ℚ beside the reference")


def fourth(memory: int = 0, **switches: Any) -> Callable[[], Outcome]:
    """Algorithm 4, K-BFGS or K-BFGS(L)."""
    return lambda: against_reference(kbfgs20, kbfgs20.Hyper(p=memory, **DAMPED),
                                     lambda given: algorithm_4(given, memory, **switches), NAMES)


def both(**switches: Any) -> Callable[[], Outcome]:
    """K-BFGS and K-BFGS(L) with two pairs."""
    def claim() -> Outcome:
        found = [fourth(memory, **switches)() for memory in (0, 2)]
        return next((one for one in found if one.against), found[0])
    return claim


def fifth(**switches: Any) -> Callable[[], Outcome]:
    """Algorithm 5."""
    names = {name: of for name, of in NAMES.items() if name != "grad_h"}
    return lambda: against_reference(kbfgs20_l_skip, kbfgs20_l_skip.Hyper(p=3, **DAMPED),
                                     lambda given: algorithm_5(given, **switches), names)


def seventh(**switches: Any) -> Callable[[], Outcome]:
    """Algorithm 7."""
    names = {"p": "p", "W": "W", "A": "A", "G": "G", "H_a": "H_a", "H_g": "H_g"}
    return lambda: against_reference(kfac20, kfac20.Hyper(T=2, **HYPER),
                                     lambda given: algorithm_7(given, **switches), names, steps=3)


def summary(direction: Callable[..., Any] = lambda H_g, D, H_a: H_g * D * H_a, sign: int = -1) -> Callable[[], Outcome]:
    """Algorithm 2's line 4 on what Algorithm 4 holds: W − α H_g ∇f̂ H_a, with H_g and H_a of the step before."""
    def claim() -> Outcome:
        given = problem()
        runs = list(algorithm_4(given._replace(examples=given.examples[:2])))
        for before, values in itertools.pairwise(runs):
            for l in range(2):
                p = direction(before["H_g"][l], values["grad_h"][l], before["H_a"][l])
                if before["W"][l] + sign * Q(1, 3) * p != values["W"][l]:
                    return Outcome(f"layer {l + 1}: another W")
        return Outcome(detail="step 2 of a 2-3-2 net")
    return claim


def past_only(**switches: Any) -> Callable[[], Outcome]:
    """H_a and H_g that line 8 uses in step 2 are the same whatever the second batch is, and positive definite."""
    def claim() -> Outcome:
        given = problem()
        other = given._replace(examples=[given.examples[i] for i in (0, 2, 1)])
        ours, theirs = (next(itertools.islice(algorithm_5(one, **switches), 1, None))["used"] for one in (given, other))
        if ours != theirs:
            return Outcome("H_a of step 2 depends on the second batch")
        if not all(semidefinite(M) and M.det() > 0 for M in ours):
            return Outcome("not positive definite")
        return Outcome(detail="two runs that differ in the second batch")
    return claim


STATEMENTS = (
    Statement(
        "R.Alg.4", "Section 2.5.1",
        Form("lines 1 to 25, as printed", both(printed=True)), checks=(BESIDE,),
        mutants=(Form("line 8 averages ∇f̂ with itself, as transcribed", both(momentum="itself")),
                 Form("H_a from the identity (2.8.2)", both(H_a="identity")), Form("line 13 before line 11", both(before=True)),
                 Form("μ₂ = λ in line 17", both(mu2=Q(1, 4))), Form("line 20 with the product of means", both(outer_of_mean=True))),
        repaired=Form("s_g = y_g = 0 in line 3; line 8 averages with the mini-batch gradient", both()), errata=(17, 20, 25, 30),
        note="All else is defined before it is used, at k = 1 too, and the shapes are consistent: p_l is (d_l, d_(l−1) + "
             "1) like W_l. A pair s_g = y_g = 0 stops line 18 (ERR-21)."),
    Statement(
        "R.Alg.2", "Section 2.2",
        Form("line 4: p_l = H_g ∇f̂_l H_a, W_l = W_l − αp_l, on what Algorithm 4 holds", summary()),
        checks=(claimed(Status.EXACT_Q, "step 2 of Algorithm 4 over ℚ"),),
        mutants=(Form("p_l = H_g ∇f̂_l", summary(lambda H_g, D, H_a: H_g * D)),
                 Form("p_l = ∇f̂_l H_a", summary(lambda H_g, D, H_a: D * H_a)),
                 Form("W_l + αp_l", summary(sign=1))),
        note="Lines 1 to 8 leave all starts to Algorithm 4. Mini-batches are described in 2.5.2, not in \"Section 2.8\" "
             "(ERRATA.md, slips)."),
    Statement(
        "R.Alg.5", "Section 2.7",
        Form("lines 1 to 25, as printed", fifth(printed=True)), checks=(BESIDE,),
        mutants=(Form("without line 17", fifth(skips=False)), Form("line 8 with H_a(k)", fifth(late=True)),
                 Form("2/μ₁ for 1/μ₁ in line 17", fifth(mu1=Q(99, 200)))),
        repaired=Form("s_g = y_g = 0 in line 3; H_g(k) = H_g(k − 1) where line 17 skips; the mean of āāᵀ in line 21", fifth()),
        errata=(19, 20, 21, 31, 33),
        note="Line 17 is a tie wherever the first damping alone acts (ERR-33), skips nothing while ‖H_g‖ ≤ 1/μ₁ "
             "(R.Prose.2.double-damping/3), and does not keep H_g from shrinking for ever (R.Lem.2/8)."),
    Statement(
        "R.Thm.2/7", "Section 2.7, proof of Theorem 2: H_k and ξ_k",
        Form("H_k of Algorithm 5, made from H_a(k − 1) and H_g(k − 1), does not depend on the batch of step k", past_only()),
        checks=(claimed(Status.EXACT_Q, "step 2 for two different second batches"),),
        mutants=(Form("with H_a(k) in line 8", past_only(late=True)),),
        pinned="independence is pinned by the one line that could break it",
        note="The second half of Assumption 4. With Algorithm 4's momentum in place of the mini-batch gradient E∇f̂_k = "
             "∇f would fail instead."),
    Statement(
        "R.Alg.7", "Section 2.8.2",
        Form("lines 1 to 13, as printed", seventh(printed=True)), checks=(BESIDE,),
        mutants=(Form("without momentum", seventh(momentum=False)), Form("targets of the data in line 8", seventh(targets="data")),
                 Form("inverses in every step", seventh(every=True))),
        repaired=Form("H_a, H_g from the warm start before step 1, ∇f̂ = β∇f̂ + (1 − β)∇f after line 4, line 8 at the "
                      "parameters of line 3, lines 8 to 12 for every l", seventh()), errata=(34,),
        note="Line 5 reads H_a, H_g and ∇f̂ before any line sets them; see DEV-KFAC20-1 and -2. T = 2."),
)
