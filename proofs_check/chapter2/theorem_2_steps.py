"""R Theorem 2: the steps behind its bound, which the thesis takes from Theorem 2.8 of its reference [87], and what they need.

G = E‖∇f(θ_k)‖², F_k = E f(θ_k) − f^low, v = σ²/m, α = α_k. With Assumptions 1, 2 and 4:
F_(k+1) ≤ F_k − α E∇fᵀH∇f + (L/2)α² E‖H∇f̂‖², E∇fᵀH∇f ≥ κG, E‖H∇f̂‖² ≤ κ̄²(G + v), and G ≤ 2L F_k.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import flint

from ...arrays import precision
from .. import checks
from ..checks import Identity, Inequality, Outcome, Term, attained_at, certified, claimed, hunted, proved_by_z3, simple
from ..statement import Finding, Form, Statement, Status
from .theorem_2 import BITS, Bound, Run, along_runs, quadratic, value

arb = flint.arb
NAMES = ("F", "new", "p", "q", "G", "v", "a", "L", "low", "high")
FRAME = {
    "a > 0": lambda F, new, p, q, G, v, a, L, low, high: a,
    "L > 0": lambda F, new, p, q, G, v, a, L, low, high: L,
    "descent >= 0": lambda F, new, p, q, G, v, a, L, low, high: 2 * F - 2 * a * p + L * a * a * q - 2 * new,
    "p - low G >= 0": lambda F, new, p, q, G, v, a, L, low, high: p - low * G,
    "high² (G + v) - q >= 0": lambda F, new, p, q, G, v, a, L, low, high: high * high * (G + v) - q,
}


def descent(half: int = 1, noise: int = 1, without: str = "") -> Inequality:
    """2F_(k+1) ≤ 2F_k − 2ακG + Lα²κ̄²(G + v)."""
    return Inequality(NAMES, {name: of for name, of in FRAME.items() if name != without},
                      lambda F, new, p, q, G, v, a, L, low, high: 2 * F - 2 * half * a * low * G
                      + L * a * a * high * high * (G + noise * v) - 2 * new)


def draw_descent(rng):
    """(F, F⁺, p, q, G, v, α, L, κ, κ̄) with ties."""
    F, G, v, low, a, L = (simple(rng) for _ in range(6))
    a, L, low = a + Fraction(1, 8), L + Fraction(1, 8), low + Fraction(1, 8)
    high = low + rng.choice([0, 1]) * simple(rng)
    p, q = low * G + rng.choice([-1, 0, 1]) * simple(rng), high * high * (G + v) - rng.choice([-1, 0, 1]) * simple(rng)
    return F, F - a * p + L * a * a * q / 2 - rng.choice([0, 1]) * simple(rng), p, q, G, v, a, L, low, high


STEP = ("a", "L", "low", "high")
SIZE = {"a > 0": lambda a, L, low, high: a, "low - L high² a >= 0": lambda a, L, low, high: low - L * high * high * a}


def halved(share: Any = 2, without: str = "") -> Inequality:
    """α(κ − Lκ̄²α/2) ≥ ακ/2 for α ≤ κ/(Lκ̄²), times 2."""
    return Inequality(STEP, {name: of for name, of in SIZE.items() if name != without},
                      lambda a, L, low, high: 2 * a * low - L * high * high * a * a - share * a * low / 2)


def draw_step(rng):
    """(α, L, κ, κ̄) with α at its bound now and then."""
    L, low = simple(rng) + Fraction(1, 8), simple(rng) + Fraction(1, 8)
    high = low + simple(rng)
    return low / (L * high * high) * rng.choice([1, 1, Fraction(1, 3), 2]), L, low, high


def abel(shift: int = 0, sign: int = 1, last: int = 1) -> Identity:
    """Σ_(k=1)^n w_k (F_k − F_(k+1)) = w_1F_1 + Σ_(k=2)^n (w_k − w_(k−1)) F_k − w_n F_(n+1)."""
    def pairs(field, n):
        w, F = [field.draw() for _ in range(n + 1)], [field.draw() for _ in range(n + 2)]
        left = sum((w[k] * (F[k] - F[k + 1]) for k in range(1, n)), w[0] * (F[0] - F[1]))
        right = w[0] * F[0] - last * w[n - 1] * F[n]
        for k in range(1, n):
            right = right + (w[k] - sign * w[k - 1]) * F[k + shift]
        yield left, right
    return pairs


def of_the_start(M: Callable[[Any, Any, Any], Any]) -> Callable[[], Outcome]:
    """M(f(θ_1) − f^low, rv, β), r = κ²/(Lκ̄²), is to be at least E f(θ_k) − f^low in every run of the frame on f = θ²/2."""
    def claim() -> Outcome:
        with precision(BITS):
            for start, v, high in ((1, 0, 1), (1, 4, 1), (0, 4, 1), (4, 1, 2), (4 * 10**9, 0, 1)):
                for percent in (51, 75, 99):
                    beta = arb(percent) / 100
                    run = quadratic(30, beta, start, v, high, 1)
                    promised = M(arb(start) / 2, run.v / arb(high) ** 2, beta)
                    if promised < run.M:
                        return Outcome(f"{run.name}, β = 0.{percent}: E f(θ_k) reaches {float(run.M):.3g}, and for N = 1 the "
                                       f"theorem "
                                       f"would say ‖∇f(θ_1)‖² = {start} ≤ 2 M_f = {float(2 * promised):.3g}")
        return Outcome()
    return claim


def sums(bound: Callable[[int, Any], Any]) -> Callable[[], Outcome]:
    """Σ_(k ≤ N) k^−β ≤ bound(N, β)."""
    def claim() -> Outcome:
        with precision(BITS):
            for percent in (51, 60, 75, 90, 99):
                beta, total = arb(percent) / 100, arb(0)
                for N in range(1, 301):
                    total += arb(N) ** -beta
                    if total > bound(N, beta):
                        return Outcome(f"N = {N}, β = 0.{percent}: the sum is {float(total):.3f}, the bound "
                                       f"{float(bound(N, beta)):.3f}")
        return Outcome()
    return claim


def integral(N: int, beta: Any) -> Any:
    """∫_1^N x^−β dx."""
    if beta == 1:
        return arb(N).log()
    return (arb(N) ** (1 - beta) - 1) / (1 - beta)


def iterations(exponent: Callable[[Any], Any], betas: tuple[int, ...] = (51, 75, 95)) -> Callable[[], Outcome]:
    """c N^(β−1) + c′ (N^−β − 1/N) < ε for N = (2(c + c′)/ε)^exponent, and c′ ≥ 0."""
    def claim() -> Outcome:
        with precision(BITS):
            for percent in betas:
                beta = arb(percent) / 100
                for c, other in ((1, 0), (1, 1), (0, 1), (1, 100)):
                    for digits in (1, 3, 12):
                        eps = arb(10) ** -digits
                        N = (2 * (c + other) / eps) ** exponent(beta)
                        reached = c * N ** (beta - 1) + other * (N ** -beta - 1 / N)
                        if not reached < eps:
                            return Outcome(f"β = 0.{percent}, ε = 1e-{digits}: {float(reached):.2g} after that many iterations")
        return Outcome()
    return claim


# ----------------------------------------------------------------- the bound as printed, by another way than the printed one

BOXES = 64


@cache
def shares(N: int, box: int) -> tuple[list[tuple[Any, Any]], Any, Any]:
    """For β in a box of [1/2, 1]: pairs (A_j, B_j) with Σ_(k ≤ N) G_k ≤ (2/r) A_j M + B_j v; N^β from below; the box's end.

    G_k ≤ (2/r) w_k (F_k − F_(k+1)) + c_k v for k ≤ j, w_k = k^2β/(2k^β − 1) growing, c_k = 1/(2k^β − 1); G_(j+1) ≤ (2/r) F_(j+1),
    whose factor 1 − w_j is not positive; the others ≤ (2/r) M. So A_j = w_j + N − j − 1 and B_j = Σ_(k ≤ j) c_k; A_N = w_N.
    """
    low, high = (arb(1) / 2 + arb(i) / (2 * BOXES) for i in (box, box + 1))

    def w(k: int) -> Any:
        return arb(k) ** (2 * high) / (2 * arb(k) ** high - 1)

    def c(k: int) -> Any:
        return 1 / (2 * arb(k) ** low - 1)

    found, noise = [], arb(0)
    for j in range(1, N + 1):
        noise += c(j)
        found.append((w(j) + max(N - j - 1, 0), noise))
    return found, arb(N) ** low, high


def another_way(noise: Callable[[int, Any], Any]) -> Finding:
    """(1/N) Σ G_k ≤ (2/r) M N^(β−1) + (v/N) noise(N, β) for all N: a mixture of two shares for N ≤ 6, R.Thm.2/10 for N ≥ 7.

    noise(N, β) falls with β.
    """
    with precision(BITS):
        for N in range(2, 7):                                     # G_1 ≤ 2L F_1 ≤ (2/r) M
            for box in range(BOXES):
                found, u, high = shares(N, box)
                most = noise(N, high)
                weights = ((most / B * (1 - arb(2) ** -40)).min(1) for _, B in found)
                if not any(u > t * A + (1 - t) * N and most > t * B for t, (A, B) in zip(weights, found, strict=True)):
                    return Finding(False, Status.NOT_PROVED, "mixtures of bounds of single steps", f"N = {N}, box {box}")
        for percent in (50, 60, 75, 90, 99):                      # Σ_(2 ≤ k ≤ N) c_k ≤ Σ k^−β ≤ ∫_1^N
            beta, total = arb(percent) / 100, arb(0)
            for N in range(2, 200):
                total += 1 / (2 * arb(N) ** beta - 1)
                if not total < noise(N, beta):
                    return Finding(False, Status.NOT_PROVED, "Σ 1/(2k^β − 1) beside the noise term", f"N = {N}, β = "
                    "0.{percent}")
    return Finding(True, Status.BALL, f"N ≤ 6: mixtures of bounds of single steps, for {BOXES} boxes that cover β in [1/2, 1]; "
                                      "N^β ≥ 21/8, so for N ≥ 7: R.Thm.2/10")


def late(left: int = 1, w: int = 2, free: bool = False) -> Inequality:
    """2(u − left)(2u − 1) ≥ w u²."""
    return Inequality(("u",), {"2u - 1 > 0": lambda u: 2 * u - 1} if free else {"8u - 21 >= 0": lambda u: 8 * u - 21},
                      lambda u: 2 * (u - left) * (2 * u - 1) - w * u * u)


def tanh_freezes(start: Any, low: Any, mu1: Any = Fraction(1, 5)) -> Callable[[], Outcome]:
    """One tanh unit, target 0: ψ′ = t(1 − t²), t = tanh h, falls where 3t² > 1, so that Algorithm 5 has H_g(k) = μ₁^k above `low`.

    ψ″ = (1 − 3t²)(1 − t²) is in [−1/3, 1]: L = ‖ā‖², and α_1 āᵀH_aā ≤ 1 as in `frozen`. h moves by less than ψ′(low)/(1 − μ₁).
    """
    def claim() -> Outcome:
        with precision(BITS):
            first, floor, mu = (arb(x.numerator) / x.denominator for x in (Fraction(start), Fraction(low), Fraction(mu1)))
            t = floor.tanh()
            if not 3 * t**2 > 1:
                return Outcome(f"curvature at h = {low} is not negative")
            if not t * (1 - t**2) / (1 - mu) < first - floor:
                return Outcome(f"the steps from h = {start} may lead below {low}")
        return Outcome()
    return claim


def literal(run: Run) -> Any:
    """The bound where σ² of Assumption 2 b) bounds the variance of ∇f̂_k itself, and is divided by m = 10⁶ once more."""
    return value(m=10**6)(run)


STATEMENTS = (
    Statement(
        "R.Thm.2/1", "behind Theorem 2: descent in expectation",
        Form("F_(k+1) ≤ F_k − α_kκG + (L/2)α_k²κ̄²(G + σ²/m)", descent()),
        checks=(certified(Term(1, ("descent >= 0",), lambda *_: 1), Term(2, ("a > 0", "p - low G >= 0"), lambda *_: 1),
                          Term(1, ("L > 0", "high² (G + v) - q >= 0"), lambda F, new, p, q, G, v, a, L, low, high: a)),
                hunted(draw_descent, tries=1000)),
        mutants=(Form("2α_kκG", descent(half=2)), Form("without σ²/m", descent(noise=0)),
                 Form("without H_k ⪰ κI", descent(without="p - low G >= 0")),
                 Form("without H_k ⪯ κ̄I", descent(without="high² (G + v) - q >= 0"))),
        hypotheses=("F⁺ ≤ F − αp + (L/2)α²q (Assumption 1)", "p = E∇fᵀH∇f ≥ κG", "q = E‖H∇f̂‖² ≤ κ̄²(G + σ²/m) "
        "(Assumptions 2, 4)"),
        sharpness=(attained_at(2, 1, 2, 4, 2, 2, 1, Fraction(1, 2), 1, 1),),
        note="E∇fᵀH_k∇f̂ = E∇fᵀH_k∇f needs H_k to be independent of ξ_k: the second half of Assumption 4."),
    Statement(
        "R.Thm.2/2", "behind Theorem 2: the step size",
        Form("α_k(κ − (L/2)κ̄²α_k) ≥ α_kκ/2 for α_k ≤ κ/(Lκ̄²)", halved()),
        checks=(certified(Term(1, ("a > 0", "low - L high² a >= 0"), lambda *_: 1)), proved_by_z3(), hunted(draw_step, tries=1000)),
        mutants=(Form("≥ (3/4)α_kκ", halved(share=3)), Form("≥ α_kκ", halved(share=4)),
                 Form("for every α_k > 0", halved(without="low - L high² a >= 0"))),
        sharpness=(attained_at(1, 1, 1, 1),),
        note="Attained by k = 1 alone: α_k = k^−β κ/(Lκ̄²) leaves α_kκ(1 − k^−β/2), which R.Thm.2/8 needs."),
    Statement(
        "R.Thm.2/3", "Section 2.7, Theorem 2: M_f",
        Form("M_f depends only on f; shown for M_f = 10⁶, as for any other", of_the_start(lambda f_1, rv, beta: arb(10**6))),
        checks=(claimed(Status.BALL, "Algorithm 6 on f = θ²/2, 30 iterations"),),
        mutants=(Form("M_f = f(θ_1)", of_the_start(lambda f_1, rv, beta: f_1)),
                 Form("M_f = ζ(2β) κ²σ²/(2Lκ̄²m)", of_the_start(lambda f_1, rv, beta: rv / 2 * (2 * beta).zeta())),
                 Form("f(θ_1)/2 + ζ(2β) κ²σ²/(2Lκ̄²m)",
                      of_the_start(lambda f_1, rv, beta: f_1 / 2 + rv / 2 * (2 * beta).zeta()))),
        repaired=Form("M_f = f(θ_1) + ζ(2β) κ²σ²/(2Lκ̄²m)", of_the_start(lambda f_1, rv, beta: f_1 + rv / 2 * (2 * beta).zeta())),
        note="Any bound of E f(θ_k) does. It depends on where the run starts, and on the noise; only where f is bounded, "
             "as for bounded "
             "losses, its supremum is one that does not. The repaired one adds up R.Thm.2/1 and /2: Σ α_k² < ∞ is why β > "
             "1/2.", errata=(67,)),
    Statement(
        "R.Thm.2/4", "behind Theorem 2: summation by parts",
        Form("Σ w_k(F_k − F_(k+1)) = w_1F_1 + Σ_(k ≥ 2) (w_k − w_(k−1)) F_k − w_NF_(N+1), hence ≤ w_N max F for growing w_k = "
             "k^β", abel()),
        checks=(checks.over_Q((1, 2, 7)), checks.mod_p(lambda n: 2)),
        mutants=(Form("F_(k+1) in the second sum", abel(shift=1)), Form("w_k + w_(k−1)", abel(sign=-1)),
                 Form("2w_NF_(N+1)", abel(last=2)))),
    Statement(
        "R.Thm.2/5", "behind Theorem 2: the noise term (a step of the reference, which the thesis does not print)",
        Form("Σ_(k=1)^N k^−β ≤ ∫_1^N x^−β dx = (N^(1−β) − 1)/(1 − β), which is N times N^−β − N^−1 over 1 − β", sums(integral)),
        checks=(claimed(Status.BALL, "N ≤ 300, five β in (1/2, 1)"),),
        mutants=(Form("∫_1^N x^−β dx + 1/2", sums(lambda N, beta: integral(N, beta) + arb(1) / 2)),
                 Form("N^(1−β)", sums(lambda N, beta: arb(N) ** (1 - beta))),
                 Form("∫_1^N x^−β dx + N^−β", sums(lambda N, beta: integral(N, beta) + arb(N) ** -beta))),
        repaired=Form("Σ_(k=1)^N k^−β ≤ 1 + ∫_1^N x^−β dx = (N^(1−β) − β)/(1 − β), with equality for N = 1",
                      sums(lambda N, beta: 1 + integral(N, beta))),
        note="The printed sum is below the integral for no N: at N = 1 it says 1 ≤ 0. Σ_(k=2)^N k^−β ≤ ∫_1^N holds. The "
             "theorem survives (R.Thm.2/8), its printed noise term is not a consequence of this step."),
    Statement(
        "R.Thm.2/6", "Section 2.7, Theorem 2: number of iterations",
        Form("N = O(ε^(−1/(1−β)))", iterations(lambda beta: 1 / (1 - beta))),
        checks=(claimed(Status.BALL, "both terms at N = (2C/ε)^(1/(1−β)), down to ε = 1e-12"),),
        mutants=(Form("O(ε^(−1/β))", iterations(lambda beta: 1 / beta)), Form("O(ε^(−1))", iterations(lambda beta: arb(1))),
                 Form("also for β = 3/10", iterations(lambda beta: 1 / (1 - beta), betas=(30,)))),
        note="N^−β ≤ N^(β−1) for β ≥ 1/2: the first term decides, and β next to 1/2 is best."),
    Statement(
        "R.Thm.2/8", "Section 2.7, Theorem 2 under Assumption 4: another proof",
        Form("(1/N) Σ G_k ≤ (2L(M_f − f^low)κ̄²/κ²) N^(β−1) + (σ²/m) (N^−β − N^−1)/(1 − β)", integral),
        checks=(another_way,),
        mutants=(Form("half the noise term", lambda N, beta: integral(N, beta) / 2),
                 Form("(N^(1−β) − 1) for the noise", lambda N, beta: arb(N) ** (1 - beta) - 1),
                 Form("no noise term", lambda N, beta: arb(0) * N)),
        hypotheses=("Assumptions 1, 2 and 4", "M_f ≥ E f(θ_k) for all k"),
        note="G_1 ≤ 2L(M_f − f^low) needs no noise term at all: so the sum may start at k = 2, and the slack of R.Thm.2/2 "
             "for k ≥ 2 pays for G_1."),
    Statement(
        "R.Thm.2/9", "Section 2.7, Assumption 2 b) beside Theorem 2",
        Form("σ² bounds the variance of ∇f̂_k, which Algorithm 6 makes of m samples, and the bound has σ²/m", Bound(literal)),
        checks=(along_runs,),
        mutants=(Form("σ²/m²", Bound(value(m=10**3))), Form("the noise term over 2", Bound(value(noise=arb(1) / 2))),
                 Form("no noise term", Bound(value(noise=0)))),
        repaired=Form("σ² bounds the variance of ∇f(θ_k, ξ_(k,i)), one sample", Bound(value())), errata=(42,),
        note="The same slip as in Assumption 6 and Theorem 4."),
    Statement(
        "R.Thm.2/10", "Section 2.7, Theorem 2 under Assumption 4: another proof, N ≥ 7",
        Form("1 + w_N ≤ N^β for w_N = N^2β/(2N^β − 1) and u = N^β ≥ 21/8 (7^(1/2) > 21/8)", late()),
        checks=(certified(Term(Fraction(1, 32), (), lambda u: 8 * u - 21), Term(Fraction(9, 16), ("8u - 21 >= 0",), lambda u: 1),
                          Term(Fraction(1, 32), (), lambda u: 1)),
                proved_by_z3(), hunted(lambda rng: [Fraction(21, 8) + rng.choice([-1, 0, 1, 1]) * simple(rng)])),
        mutants=(Form("2 + w_N ≤ N^β", late(left=2)), Form("1 + 3w_N/2 ≤ N^β", late(w=3)), Form("for every N", late(free=True))),
        note="Σ G_k ≤ (2/r)M + Σ_(k ≥ 2) [(2/r) w_k(F_k − F_(k+1)) + c_kv] ≤ (2/r)M(1 + w_N) + v∫_1^N x^−β dx, since "
             "c_k = 1/(2k^β − 1) ≤ k^−β."),
    Statement(
        "R.Thm.2/11", "Section 2.7, Theorem 2: the same with tanh",
        Form("Algorithm 5 on one tanh unit, x = 1, y = 0, from w + b = 3: h stays in [29/10, 3] for ever",
             tanh_freezes(3, Fraction(29, 10))),
        checks=(claimed(Status.BALL, "tanh in balls; H_g(k) = μ₁^k as in R.Lem.2/8"),),
        mutants=(Form("in [299/100, 3]", tanh_freezes(3, Fraction(299, 100))), Form("from 7/10, in [6/10, 7/10]",
                                                                                   tanh_freezes(Fraction(7, 10), Fraction(6, 10))),
                 Form("with μ₁ = 99/100", tanh_freezes(3, Fraction(29, 10), Fraction(99, 100))),
                 Form("from 1, in [9/10, 1]", tanh_freezes(1, Fraction(9, 10)))),
        hypotheses=("Assumptions 1 to 3 with L = 2, f^low = 0, φ = 1", "α_k ≤ κ/(Lκ̄²), κ̄ ≥ ‖H_1‖"),
        errata=(66,),
        note="‖∇f(θ_k)‖ ≥ √2 tanh(3)(1 − tanh(3)²) > 0.013 in every step. What freezes is any layer of one unit whose curvature "
             "stays negative while Σ_k μ₁^k α_k is spent."),
)
