"""R Theorem 5: the bound on the mean squared gradient of Algorithm 14, on runs and step by step.

The thesis proves it by naming a theorem of others; the steps below are those of such a proof. Notation: κ̲I ⪯ H_t ⪯ κ̄I (which the
theorem does not say), c = κ̄²/κ̲², e_t = E[ℒ(θ_t)] − ℒ^low, w_t = 1/α_t.

Runs are exact in distribution: the two examples of a problem make a tree of all draws with m = 1, 2ᴺ paths, and expectations are
means over its levels. Numbers are doubles; every comparison leaves 2⁻³⁰ of its size to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import cos, exp, log1p, prod, sin
from typing import Any, NamedTuple

import flint
import numpy as np

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, mod_p, over_Q, proved_by_z3, simple
from ..statement import Form, Statement, Status
from .common import MARGIN
from .equation_4_08 import direction
from .lemma_10 import bounds, factors

STEPS = 7


class Problem(NamedTuple):
    """Two examples whose constants are known: gradients (n,), loss, F (n, n); the tensor's shape; L, ℒ^low, σ², φ ≥ ‖F‖."""

    name: str
    shape: tuple[int, ...]
    start: tuple[float, ...]
    gradients: Callable[[Any], list[Any]]
    loss: Callable[[Any], float]
    fisher: Callable[[Any], Any]
    L: float
    low: float
    sigma2: float
    phi: float


def logistic(rows, targets, start, shape):
    """The cross entropy of one linear layer: L = ‖XᵀX‖/(4N), σ² = max ‖x‖², φ = L."""
    X, y = np.array(rows, dtype=float), np.array(targets, dtype=float)

    def p(theta):
        return [1 / (1 + exp(-z)) for z in X @ theta]

    L = float(np.linalg.norm(X.T @ X, 2)) / (4 * len(X))
    return Problem("logistic", shape, start,
                   lambda theta: [(p_n - y_n) * x for p_n, y_n, x in zip(p(theta), y, X, strict=True)],
                   lambda theta: sum(log1p(exp(-abs(z))) + max(z, 0) - y_n * z for z,
                                     y_n in zip(X @ theta, y, strict=True)) / len(X),
                   lambda theta: sum(p_n * (1 - p_n) * np.outer(x, x) for p_n, x in zip(p(theta), X, strict=True)) / len(X),
                   L, 0.0, float(max(x @ x for x in X)), L)


def wave(y, start):
    """A normal model with mean sin θ, two targets ±y: ½(sin θ − y)². ∇²ℒ = cos 2θ is negative for long; F = cos²θ."""
    return Problem("wave", (1,), (start,), lambda t: [np.array([(sin(t[0]) - s) * cos(t[0])]) for s in (y, -y)],
                   lambda t: (sin(t[0])**2 + y * y) / 2, lambda t: np.array([[cos(t[0])**2]]), 1.0, y * y / 2, y * y, 1.0)


def parabola(y, start):
    """A normal model with mean θ, two targets ±y: ℒ = (θ² + y²)/2, F = 1, everything attained for y = 0."""
    return Problem("parabola", (1,), (start,), lambda t: [np.array([t[0] - s]) for s in (y, -y)],
                   lambda t: (t[0]**2 + y * y) / 2, lambda t: np.array([[1.0]]), 1.0, y * y / 2, y * y, 1.0)


PROBLEMS = (parabola(0.0, 3.0), parabola(2.0, 0.0), parabola(2.0, -5.0), wave(0.5, 1.4), wave(2.0, 1.57), wave(0.1, 0.3),
            logistic([[1, 2], [2, -1]], [1, 0], (0.0, 0.0), (1, 2)), logistic([[3, 1], [1, 1]], [0, 1], (2.0, -4.0), (2,)),
            logistic([[1, 0, 2, 1], [0, 1, 1, -1]], [1, 1], (-1.0, 0.0, -2.0, 3.0), (2, 2)))
EPS = (0.25, 1.0)
BETAS = (0.51, 0.75, 0.99)


def kappas(problem, eps):
    """κ̲ and κ̄ of Lemma 10: H = F_TNT⁻¹."""
    k = len(problem.shape)
    return 1 / prod(d ** (1 - 1 / k) * problem.phi ** (1 / k) + eps for d in problem.shape), eps ** -k


def preconditioner(problem, theta, eps):
    """F_TNT⁻¹ at θ, by (4.10) with the true moments (lines 4 and 5)."""
    H: Any = np.eye(1)
    for U in factors(problem.fisher(theta), problem.shape, True):
        H = np.kron(H, np.linalg.inv(U + eps * np.eye(len(U))))
    return H


class Node(NamedTuple):
    """θ_t on one path, and what line 5 makes of each example there."""

    theta: Any
    gradient: Any
    H: Any
    after: list[Any]


def tree(problem, eps, beta, steps):
    """Levels t = 1, …, of Algorithm 14 with m = 1: all paths, each as likely."""
    lower, upper = kappas(problem, eps)
    thetas = [np.array(problem.start)]
    for t in range(1, steps + 1):
        alpha, level = lower / (problem.L * upper**2) * t**-beta, []
        for theta in thetas:
            H, gradients = preconditioner(problem, theta, eps), problem.gradients(theta)
            level.append(Node(theta, sum(gradients) / 2, H, [theta - alpha * (H @ g) for g in gradients]))
        yield alpha, level
        thetas = [after for node in level for after in node.after]


RUNS = [(problem, eps, beta) for problem in PROBLEMS for eps in EPS for beta in BETAS]


def right_side(p, lower, upper, beta, N, M, scale=1.0):
    """Of the theorem, m = 1; `scale` multiplies its first term."""
    return scale * 2 * p.L * (M - p.low) * upper**2 / lower**2 * N**(beta - 1) + p.sigma2 / (1 - beta) * (N**-beta - 1 / N)


def from_start(p, lower, upper, beta):
    """A bound of all E[ℒ(θ_t)], m = 1: ℒ(θ_1) + (σ²κ̲²/(2Lκ̄²)) Σ_t t^(−2β), the sum at most 2β/(2β − 1)."""
    return p.loss(np.array(p.start)) + p.sigma2 * lower**2 / (2 * p.L * upper**2) * 2 * beta / (2 * beta - 1)


def theorem(bound=right_side, M=from_start, constants=kappas):
    """The bound for N = 1, …, 7 on every run; the hypotheses are verified on the way."""
    def claim():
        closest = 0.0
        for p, eps, beta in RUNS:
            lower, upper = constants(p, eps)
            total = 0.0
            for N, (_, level) in enumerate(tree(p, eps, beta, STEPS), 1):
                total += sum(node.gradient @ node.gradient for node in level) / len(level)
                right = bound(p, lower, upper, beta, N, M(p, lower, upper, beta))
                if total / N > right + MARGIN * abs(right):
                    return Outcome(f"{p.name}, start {p.start}, ε = {eps}, β = {beta}, N = {N}: {total / N:.3g} above {right:.3g}")
                closest = max(closest, total / N / right if right else 0.0)
        return Outcome(detail=f"{len(RUNS)} runs; at most {closest:.2f} of the bound")
    return claim


def only_of_the_loss(values=(1, 10**3, 10**6)):
    """The printed bound for N = 1 with a number M that ℒ = ½θ² alone determines, from θ_1 = M + 1; F = 1, κ̲ = κ̄, no noise."""
    def claim():
        for M in values:
            p = parabola(0, M + 1)
            square, right = p.gradients(p.start)[0][0]**2, right_side(p, 1, 1, Fraction(3, 4), 1, M)
            if square > right:
                return Outcome(f"ℒ = θ²/2, F = 1, L = 1, ℒ^low = 0, no noise, N = 1, θ_1 = M + 1: ‖∇ℒ(θ_1)‖² = (M + 1)² is above "
                               f"the bound, "
                               f"2M, for every M; M = {M}: {square} above {right:g}")
        return Outcome()
    return claim


def hypotheses(L=1.0, sigma2=1.0, phi=1.0, low=0.0):
    """Assumptions 8 to 10 with each problem's constants, times these, at all θ of the runs, and random ones."""
    def claim():
        rng = np.random.default_rng(5)
        for p in PROBLEMS:
            thetas = [node.theta for _, level in tree(p, 0.25, 0.75, 4) for node in level]
            thetas += [*(3 * rng.standard_normal((20, len(p.start)))), np.zeros(len(p.start))]
            thetas += [theta + rng.standard_normal() * rng.standard_normal(len(theta)) for theta in thetas]
            gradients = [sum(p.gradients(theta)) / 2 for theta in thetas]
            for theta, g in zip(thetas, gradients, strict=True):
                if p.loss(theta) < p.low + low - MARGIN:
                    return Outcome(f"{p.name}: ℒ = {p.loss(theta):.3g} below {p.low + low:.3g}")
                if sum((one - g) @ (one - g) for one in p.gradients(theta)) / 2 > sigma2 * p.sigma2 + MARGIN:
                    return Outcome(f"{p.name}: variance above σ² = {sigma2 * p.sigma2:.3g}")
                if np.linalg.norm(p.fisher(theta), 2) > phi * p.phi + MARGIN:
                    return Outcome(f"{p.name}: ‖F‖ above {phi * p.phi:.3g}")
                for other, h in zip(thetas, gradients, strict=True):
                    if np.linalg.norm(g - h) > L * p.L * np.linalg.norm(theta - other) + MARGIN:
                        return Outcome(f"{p.name}: a slope of ∇ℒ above L = {L * p.L:.3g}")
        return Outcome(detail=f"{len(PROBLEMS)} problems")
    return claim


def along_runs(lower_factor=1.0, noise=1.0, part="descent"):
    """At every node: κ̲ and κ̄ bound H's spectrum; E[ℒ(θ_{t+1})] ≤ ℒ(θ_t) − ½ακ̲‖∇ℒ‖² + ½Lα²κ̄²σ²."""
    def claim():
        for p, eps, beta in RUNS:
            lower, upper = kappas(p, eps)
            lower = lower * lower_factor
            for alpha, level in tree(p, eps, beta, STEPS - 2):
                for node in level:
                    w = np.linalg.eigvalsh(node.H)
                    if part == "spectrum":
                        if w[0] < lower * (1 - MARGIN) or w[-1] > noise * upper * (1 + MARGIN):
                            return Outcome(f"{p.name}, ε = {eps}: spectrum of H from {w[0]:.3g} to {w[-1]:.3g}, κ̲ = {lower:.3g}, "
                                           f"κ̄ = {upper:.3g}")
                        continue
                    before, after = p.loss(node.theta), sum(p.loss(theta) for theta in node.after) / 2
                    right = before - alpha * lower / 2 * (node.gradient @ node.gradient)
                    right += noise * p.L / 2 * alpha**2 * upper**2 * p.sigma2
                    if after > right + MARGIN * (1 + abs(right)):
                        return Outcome(f"{p.name}, start {p.start}, ε = {eps}: E[ℒ] {after:.6g} above {right:.6g}")
        return Outcome(detail=f"{len(RUNS)} runs, every node of their trees")
    return claim


def inverse_is_bounded(by):
    """‖F⁻¹‖ of F = diag(1, δ), δ = 1, 1/8, …, 8⁻⁷: at most 1000, by ‖F‖ = 1, or 1/δ, by its smallest eigenvalue."""
    def claim():
        for n in range(8):
            delta = Fraction(1, 8**n)
            if 1 / delta > (1000 if by == "norm" else 1 / delta):
                return Outcome(f"F = diag(1, {delta}): ‖F‖ = 1, ‖F⁻¹‖ = {1 / delta}, and so on")
        return Outcome(detail="‖F⁻¹‖ is one divided by the smallest eigenvalue")
    return claim


def descent(kept=1, step=1, bounded=True):
    """Scalar core, G = ‖∇ℒ‖², twice of: ακ̲G − ½Lα²κ̄²G ≥ ½ακ̲G · kept, where Lακ̄² ≤ step · κ̲."""
    known = {"alpha > 0": lambda a, l, u, L, G: a, "lower > 0": lambda a, l, u, L, G: l, "G >= 0": lambda a, l, u, L, G: G}
    if bounded:
        known["lower - L alpha upper2 >= 0"] = lambda a, l, u, L, G: step * l - L * a * u * u
    return Inequality(("alpha", "lower", "upper", "L", "G"), known,
                      lambda a, l, u, L, G: 2 * a * l * G - L * a * a * u * u * G - kept * a * l * G)


def descent_point(rng):
    """(α, κ̲, κ̄, L, G), α often as large as it may be."""
    l, u, L = simple(rng) + Fraction(1, 64), simple(rng) + Fraction(1, 64), simple(rng) + Fraction(1, 64)
    return l / (L * u * u) * rng.choice([1, 1, 2, Fraction(1, 2)]), l, u, L, simple(rng)


TELESCOPE = ("w_1", "w_2", "w_3", "e_1", "e_2", "e_3", "e_4", "M")


def telescoped(rising=True, above=True, halves=2):
    """Twice of Σ_t w_t(e_t − e_{t+1}) ≤ w_3 M for N = 3, where 0 ≤ e_t ≤ M and w_t rises."""
    known = {"w_1 > 0": lambda *v: v[0], "e_4 >= 0": lambda *v: v[6]}
    if rising:
        known |= {"w_2 - w_1 >= 0": lambda *v: v[1] - v[0], "w_3 - w_2 >= 0": lambda *v: v[2] - v[1]}
    known |= {"w_3 > 0": lambda *v: v[2]}
    if above:
        known |= {f"M - e_{t} >= 0": lambda *v, t=t: v[7] - v[t + 2] for t in (1, 2, 3)}
    return Inequality(TELESCOPE, known, lambda *v: halves * v[2] * v[7] - 2 * sum(v[t] * (v[t + 3] - v[t + 4]) for t in range(3)))


def telescope_point(rng):
    """(w, e, M), now and then with steps out of order or an e above M."""
    w, M = sorted(simple(rng) + Fraction(1, 64) for _ in range(3)), simple(rng) + 1
    if rng.random() < 0.2:
        rng.shuffle(w)
    return *w, *(M * rng.choice([0, 1, Fraction(1, 2)]) * rng.choice([1, 1, 1, 2]) for _ in range(3)), M * rng.choice([0, 1]), M


def sums(last):
    """Σ_{t=1}^N t^(−β) ≤ (N^(1−β) − last(β))/(1 − β): exactly for N = 1, with balls from there on."""
    def claim():
        for beta in (Fraction(n, 100) for n in (51, 60, 75, 90, 99)):
            if (1 - last(beta)) / (1 - beta) < 1:
                return Outcome(f"N = 1, β = {beta}: the sum is 1, the bound {(1 - last(beta)) / (1 - beta)}")
            b, total = flint.arb(flint.fmpq(beta.numerator, beta.denominator)), flint.arb(1)
            low = flint.arb(flint.fmpq(last(beta).numerator, last(beta).denominator))
            for N in range(2, 401):
                total += flint.arb(N) ** -b
                right = (flint.arb(N) ** (1 - b) - low) / (1 - b)
                if not total < right:
                    return Outcome(f"N = {N}, β = {beta}: the sum is {float(total.mid()):.3g}, the bound {float(right.mid()):.3g}")
        return Outcome(detail="N up to 400, five β; equality at N = 1")
    return claim


def rate(power=1, ones=True):
    """β = 3/4, N = n⁴: A/n + B(n⁻³ − b n⁻⁴) ≤ (A + B)/n, multiplied by n⁴; `power`: /n² for /n."""
    known = {"A >= 0": lambda n, A, B, b: A, "B >= 0": lambda n, A, B, b: B, "b >= 0": lambda n, A, B, b: b}
    if ones:
        known["n - 1 >= 0"] = lambda n, A, B, b: n - 1
    return Inequality(("n", "A", "B", "b"), known, lambda n, A, B, b: (A + B) * n**(4 - power) - A * n**3 - B * n + b * B)


def survives(power=2, twice=2, above=True):
    """1 − 1/x + c x²/(2x − 1) ≤ c x for x = N^β ≥ 1 and c = κ̄²/κ̲² ≥ 1, times x(2x − 1); `power`: 1 − 1/x^(power − 1)."""
    known = {"2c - 2 >= 0": lambda c, x: 2 * c - twice}
    if above:
        known["x - 1 >= 0"] = lambda c, x: x - 1
    return Inequality(("c", "x"), known, lambda c, x: c * x**2 * (x - 1) - (x - 1) * (2 * x - 1) * (1 if power == 2 else x + 1))


WEIGHTS = ("e_1", "e_2", "e_3", "e_4", "w_1", "w_2", "w_3", "theta", "l", "M")


def mixed(last=True, rising=True, share=1):
    """N = 4: l(1 − θ)e_1 + θw_1(e_1 − e_2) + w_2(e_2 − e_3) + w_3(e_3 − e_4) + l e_4 ≤ M(l(1 − θ)·share + w_3), l = 2L, θ = 1/x."""
    known = {f"M - e_{t} >= 0": lambda *v, t=t: v[9] - v[t - 1] for t in (1, 2, 3)}
    known |= {"e_4 >= 0": lambda *v: v[3], "w_1 > 0": lambda *v: v[4], "w_2 - w_1 >= 0": lambda *v: v[5] - v[4],
              "theta >= 0": lambda *v: v[7], "1 - theta >= 0": lambda *v: 1 - v[7], "l > 0": lambda *v: v[8]}
    if rising:
        known["w_3 - w_2 >= 0"] = lambda *v: v[6] - v[5]
    if last:
        known["w_3 - l >= 0"] = lambda *v: v[6] - v[8]
    return Inequality(WEIGHTS, known, lambda e, f, g, h, u, v, w, t, l, M: M * (l * (1 - t) * share + w) - (
        l * (1 - t) * e + t * u * (e - f) + v * (f - g) + w * (g - h) + l * h))


def mixed_point(rng):
    """(e, w, θ, l, M), now and then with l above w_3 or w_3 below w_2."""
    M = simple(rng) + 1
    w = sorted(simple(rng) + Fraction(1, 64) for _ in range(3))
    if rng.random() < 0.2:
        w[1:] = w[:0:-1]
    return (*(M * rng.choice([0, 1, Fraction(1, 2)]) for _ in range(4)), *w, Fraction(rng.randint(0, 8), 8),
            w[2] * rng.choice([1, 1, Fraction(1, 2), 2]), M)


def rate_point(rng):
    """(n, A, B, β)."""
    return simple(rng) + rng.choice([0, 1]), simple(rng), simple(rng), Fraction(rng.randint(0, 4), 4)


STATEMENTS = (
    Statement("R.Thm.5", "Section 4.4",
              Form("(1/N) Σ_t E‖∇ℒ(θ_t)‖² ≤ (2L(M − ℒ^low)κ̄²/κ̲²) N^(β−1) + (σ²/((1−β)m)) (N^(−β) − N^(−1)), M > 0 depending "
                   "only on ℒ", only_of_the_loss()),
              checks=(claimed(Status.EMPIRICAL,
                              "runs: the printed M at N = 1; else all paths of 7 steps, m = 1, nine problems with known constants"),
                      ),
              repaired=Form("the same with any M ≥ sup_t E[ℒ(θ_t)], such as ℒ(θ_1) + σ²κ̲²ζ(2β)/(2Lκ̄²m)", theorem()),
              hypotheses=("Assumptions 8, 9, 10", "m_t = m", "α_t = (κ̲/(Lκ̄²)) t^(−β), β ∈ (0.5, 1)",
                          "not printed: κ̲I ⪯ F_TNT⁻¹ ⪯ κ̄I, that is κ̄ = ε^(−k), κ̲ = ∏(d_i^(1−1/k)‖F‖^(1/k) + ε)^(−1)"),
              mutants=(Form("L for 2L", theorem(lambda p, low, high, beta, N, M: right_side(p, low, high, beta, N, M, 0.5),
                                                constants=lambda p,
                                                eps: (1 / (1 + eps),) * 2
                                                if p.name == "parabola" else kappas(p, eps))),
                       Form("M = ℒ^low", theorem(M=lambda p, *_: p.low)),
                       Form("κ̲²/κ̄² in the bound", theorem(lambda p, low, high, *a: right_side(p, high, low, *a))),
                       Form("M = 1", theorem(M=lambda *_: 1.0))), long=True,
              note="Proved by its parts: /2 the constants, /3 the descent, /6 the telescope, /8 and /9 the last term, whose "
                   "evident derivation (/5) fails. M cannot depend on ℒ alone where ℒ is unbounded: the start and the noise "
                   "enter.", errata=(73,)),
    Statement("R.Thm.5/1", "proof: the pre-conditioning matrix H = F_TNT⁻¹, by Proposition 1; AS.4",
              Form("line 5's p_t is F_TNT⁻¹ vec(∇̄ℒ_t)", direction()), checks=(over_Q(), mod_p(lambda n: 100)),
              mutants=(Form("without inverses", direction(inverse=False)),
                       Form("factors in the opposite order", direction(backwards=True)),
                       Form("transposed", direction(transposed=True))),
              note="H_t is a function of θ_t alone, since line 4 has the true moments; so it is independent of ξ_t (AS.4). "
                   "Algorithm 15, whose moments are estimates from M_t, is not covered."),
    Statement("R.Thm.5/2", "proof: since ‖F_TNT‖ is both upper and lower bounded, so is ‖F_TNT⁻¹‖",
              Form("1 ≤ ‖F‖ ≤ 1 bounds ‖F⁻¹‖, by 1000 say", inverse_is_bounded("norm")),
              checks=(claimed(Status.EXACT_Q, "diag(1, 8⁻ⁿ)"),),
              repaired=Form("a lower bound of the smallest eigenvalue does", inverse_is_bounded("eigenvalue")), errata=(52,),
              pinned="an implication"),
    Statement("R.Thm.5/2.1", "proof: AS.3", Form("ε^k ≤ λ_min(F_TNT), ‖F_TNT‖ ≤ ∏(d_i^(1−1/k)‖F‖^(1/k) + ε)",
                                                 bounds(smallest=True)),
              checks=(claimed(Status.SAMPLED, "second moments of ranks 0, 1, 2 and full, orders 1 to 4, three ε"),),
              mutants=(Form("ε^(k−1)", bounds(smallest=True, lower=lambda k: k - 1)),
                       Form("ε^(k/2)", bounds(smallest=True, lower=lambda k: k / 2)),
                       Form("d_i^(1/k − 1)", bounds(smallest=True, exponent=lambda k: 1 / k - 1))),
              note="Each Ũ_i ⪰ 0, so that each factor of λ_min is at least ε (certificate: (4.10)/3); above, Lemma 10/3."),
    Statement("R.Thm.5/2.2", "AS.3 on runs", Form("κ̲I ⪯ H_t ⪯ κ̄I with κ̄ = ε^(−k), κ̲ = ∏(d_i^(1−1/k)φ^(1/k) + ε)^(−1)",
                                                  along_runs(part="spectrum")),
              checks=(claimed(Status.EMPIRICAL, "all paths of 5 steps, nine problems"),),
              mutants=(Form("1.1 κ̲", along_runs(1.1, part="spectrum")), Form("0.9 κ̄", along_runs(noise=0.9, part="spectrum")),
                       Form("2 κ̲", along_runs(2.0, part="spectrum")))),
    Statement("R.Thm.5/2.3", "AS.1, AS.2 on runs", Form("Assumptions 8, 9, 10 with the problems' L, ℒ^low, σ², φ", hypotheses()),
              checks=(claimed(Status.SAMPLED, "points of runs and random ones"),),
              mutants=(Form("0.9 L", hypotheses(L=0.9)), Form("0.9 σ²", hypotheses(sigma2=0.9)), Form("0.9 φ", hypotheses(phi=0.9)),
                       Form("ℒ^low + 1/10", hypotheses(low=0.1)))),
    Statement("R.Thm.5/3", "step behind the proof: descent", Form("Lα_tκ̄² ≤ κ̲ ⇒ α_tκ̲‖∇ℒ‖² − ½Lα_t²κ̄²‖∇ℒ‖² ≥ ½α_tκ̲‖∇ℒ‖²",
                                                                  descent()),
              checks=(certified(Term(1, ("alpha > 0", "G >= 0", "lower - L alpha upper2 >= 0"), lambda *_: 1)),
                      hunted(descent_point)),
              sharpness=(attained_at(1, 1, 1, 1, 1),),
              mutants=(Form("all of α_tκ̲‖∇ℒ‖²", descent(kept=2)), Form("α_t twice as large", descent(step=2)),
                       Form("any α_t", descent(bounded=False))),
              note="With E[ℒ(θ_{t+1}) | θ_t] ≤ ℒ − α∇ᵀH∇ + ½Lα²E‖H∇̄‖² and E‖H∇̄‖² ≤ κ̄²(‖∇ℒ‖² + σ²/m). Equality at t = 1."),
    Statement("R.Thm.5/4", "the same on runs", Form("E[ℒ(θ_{t+1}) | θ_t] ≤ ℒ(θ_t) − ½α_tκ̲‖∇ℒ(θ_t)‖² + ½Lα_t²κ̄²σ²/m",
                                                    along_runs()),
              checks=(claimed(Status.EMPIRICAL, "all paths of 5 steps, nine problems, each node"),),
              mutants=(Form("without noise", along_runs(noise=0.0)), Form("8 κ̲", along_runs(8.0)),
                       Form("1/8 of the noise", along_runs(noise=0.125)))),
    Statement("R.Thm.5/5", "step behind the proof: the sum over t",
              Form("Σ_{t=1}^N t^(−β) ≤ (N^(1−β) − 1)/(1−β), which gives N^(−β) − N^(−1)", sums(lambda beta: Fraction(1))),
              checks=(claimed(Status.BALL, "exactly at N = 1, balls above"),),
              repaired=Form("Σ_{t=1}^N t^(−β) ≤ (N^(1−β) − β)/(1−β)", sums(lambda beta: beta)),
              mutants=(Form("(N^(1−β) − (1 + β)/2)/(1−β)", sums(lambda beta: (1 + beta) / 2)),
                       Form("(N^(1−β) − 2β)/(1−β)", sums(lambda beta: 2 * beta)),
                       Form("(N^(1−β) − 1.01β)/(1−β)", sums(lambda beta: beta * Fraction(101, 100)))),
              note="∫_1^N bounds the terms from t = 2 on; the first is 1: the sum is above ∫_1^N for every N and β."),
    Statement("R.Thm.5/6", "step behind the proof: the sum over e_t − e_{t+1}",
              Form("Σ_t (e_t − e_{t+1})/α_t ≤ (M − ℒ^low)/α_N where 0 ≤ e_t ≤ M − ℒ^low, N = 3", telescoped()),
              checks=(certified(Term(2, ("w_1 > 0", "M - e_1 >= 0"), lambda *_: 1),
                                Term(2, ("w_2 - w_1 >= 0", "M - e_2 >= 0"), lambda *_: 1),
                                Term(2, ("w_3 - w_2 >= 0", "M - e_3 >= 0"), lambda *_: 1),
                                Term(2, ("w_3 > 0", "e_4 >= 0"), lambda *_: 1)),
                      proved_by_z3(), hunted(telescope_point)), sharpness=(attained_at(1, 2, 3, 1, 1, 1, 0, 1),),
              mutants=(Form("half of it", telescoped(halves=1)), Form("steps that may grow", telescoped(rising=False)),
                       Form("e_t not bounded by M", telescoped(above=False)))),
    Statement("R.Thm.5/7", "last sentence of the theorem",
              Form("N = O(δ^(−1/(1−β))) suffices: for β = 3/4, N = n⁴ the bound is at most (A + B)/n", rate()),
              checks=(certified(Term(1, ("B >= 0", "n - 1 >= 0"), lambda n, A, B, b: n - 1),
                                Term(3, ("B >= 0",), lambda n, A, B, b: n - 1),
                                Term(2, ("B >= 0", "n - 1 >= 0"), lambda *_: 1), Term(1, ("B >= 0", "b >= 0"), lambda *_: 1)),
                      hunted(rate_point)),
              hypotheses=("A = 2L(M − ℒ^low)κ̄²/κ̲², B = σ²/((1−β)m)",),
              mutants=(Form("(A + B)/n²", rate(2)), Form("(A + B)/n³", rate(3)), Form("N < 1", rate(ones=False))),
              note="N^(−β) ≤ N^(β−1) needs β ≥ 1/2. N “needs to be at most” means: this many are enough."),
    Statement("R.Thm.5/8", "the printed last term, all the same", Form("1 − 1/x + c x²/(2x − 1) ≤ c x for x = N^β, c = κ̄²/κ̲²",
                                                                       survives()),
              checks=(certified(Term(Fraction(1, 2), ("2c - 2 >= 0", "x - 1 >= 0"), lambda c, x: x),
                                Term(1, ("x - 1 >= 0",), lambda c, x: x - 1)), proved_by_z3()), sharpness=(attained_at(5, 1),),
              mutants=(Form("1 − 1/x²", survives(power=3)), Form("c ≥ 1/2", survives(twice=1)),
                       Form("x < 1", survives(above=False))),
              hypotheses=("M ≥ sup_t E[ℒ(θ_t)]",),
              note="So N^(−β) − N^(−1) is right for every N, by another proof than /5: E‖∇ℒ(θ_t)‖² is at most 2Le_t, and at most "
                   "w_t(e_t − e_{t+1}) + (σ²/m)/(2x_t − 1) with w_t = 2Lc x_t²/(2x_t − 1), x_t = t^β, by the whole of the "
                   "descent. Take (1 − 1/x) of the first and 1/x of the second for t = 1, the second for 1 < t < N, the first for "
                   "t = N. The noise adds up to at most N^(−β) + Σ_{t=2}^{N−1} t^(−β) ≤ ∫_1^N t^(−β), the rest to /9."),
    Statement("R.Thm.5/9", "the printed last term, all the same", Form(
                  "2L(1 − θ)e_1 + θw_1(e_1 − e_2) + Σ_{t=2}^{N−1} w_t(e_t − e_{t+1}) + 2Le_N ≤ (2L(1 − θ) + w_{N−1})M, N = 4",
        mixed()),
              checks=(certified(Term(1, ("M - e_1 >= 0", "l > 0", "1 - theta >= 0"), lambda *_: 1),
                                Term(1, ("M - e_1 >= 0", "theta >= 0", "w_1 > 0"), lambda *_: 1),
                                Term(1, ("M - e_2 >= 0", "w_2 - w_1 >= 0"), lambda *_: 1),
                                Term(1, ("M - e_2 >= 0", "1 - theta >= 0", "w_1 > 0"), lambda *_: 1),
                                Term(1, ("M - e_3 >= 0", "w_3 - w_2 >= 0"), lambda *_: 1),
                                Term(1, ("e_4 >= 0", "w_3 - l >= 0"), lambda *_: 1)), hunted(mixed_point)),
              hypotheses=("0 ≤ e_t ≤ M, w_t rises, w_{N−1} ≥ 2L, 0 ≤ θ ≤ 1",), sharpness=(attained_at(1, 1, 1, 0, 1, 2, 3, 1, 1, 1),
                                                                                          ),
              mutants=(Form("w_{N−1} below 2L", mixed(last=False)), Form("w_t that may fall", mixed(rising=False)),
                       Form("w_{N−1}M", mixed(share=0))),
              note="With θ = 1/x: w_{N−1} ≤ w_N = 2Lc x²/(2x − 1), so that by /8 the right side is at most 2Lc N^β M. N = 2: 2 + "
                   "2(1 − 1/x) ≤ 2x; N = 1: 2L e_1."),
)
