"""R Theorem 4: convergence of Algorithm 10 in expectation, on problems that satisfy its assumptions with known constants.

A problem is a net of one layer (deeper ones violate Assumption 5, see `assumption_05`), its data, and how mini-batches are drawn;
expectations are sums over *all* sequences of mini-batches. The proof is that of the stochastic quasi-Newton theorem which the text
cites: descent in expectation (part 2), summation by parts (3), a sum of k^(−β) (4). Part 5 shows why the printed bound survives
although (4) fails as it is needed. Units there: C = 2Lκ̄²/κ̲², F_k = C(E f(θ_k) − f_low), G_k = E‖∇f(θ_k)‖², all divided by
C(M_f − f_low), S = σ² divided by the same; then 0 ≤ G_k ≤ F_k ≤ 1 and F_(k+1) ≤ F_k − k^(−β)(2 − k^(−β))G_k + k^(−2β)S.
"""

import functools
import itertools
import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from flint import arb

from ... import nets
from ...arrays.errors import expect
from ...reference import METHODS
from ..checks import (
    Inequality,
    Outcome,
    Term,
    attained_at,
    certified,
    claimed,
    hunted,
    mod_p,
    not_checkable,
    on,
    over_Q,
    proved_by_z3,
    refuted_at,
    simple,
)
from ..statement import Form, Statement, Status

METHOD = METHODS["kbfgs_l_exact"]

# -------------------------------------------------------------------------------------------------------------------- problems


class Problem(NamedTuple):
    """What Theorem 4 speaks of, with the constants of its assumptions.

    batches   index tuples of length m, equally likely and drawn anew in every step.
    L, f_low  Assumption 5. phi: Assumption 7.
    kappa     (κ̲, κ̄); None for those of Lemma 7.
    """

    name: str
    model: Any
    params: Any
    data: Any
    batches: tuple[tuple[int, ...], ...]
    L: Any
    f_low: Any
    phi: Any
    lam: Any
    mu1: Any = Fraction(9, 10)
    p: int = 1
    kappa: Any = None


def exact(rows):
    """An array of Fractions."""
    values = np.array(rows, dtype=object)
    return np.vectorize(Fraction, otypes=[object])(values)


def bias_alone():
    """f = E ½(b − y)² with targets ±2 and inputs 0: only the bias moves. λ is large, so that H is nearly a multiple of I."""
    lam = Fraction(10**6)
    return Problem("bias alone, four draws of ±2", nets.mlp((1, 1), ("linear",), "mse"),
                   (nets.Layer(exact([[0]]), exact([1])),), nets.Batch(exact([[0], [0]]), exact([[2], [-2]])),
                   tuple(itertools.product(range(2), repeat=4)), Fraction(1), Fraction(2), Fraction(0), lam,
                   kappa=(1 / (1 + lam)**2, 1 / lam**2))


def logistic():
    """Logistic regression of three examples with |x| ≤ 1: L = λ_max(E āāᵀ)/4."""
    x, y = np.array([[1.0], [-1.0], [0.5]]), np.array([[1.0], [0.0], [0.0]])
    a = np.hstack([x, np.ones((3, 1))])
    return Problem("logistic regression", nets.mlp((1, 1), ("linear",), "bce"), (nets.Layer(np.array([[-1.0]]), np.array([2.0])),),
                   nets.Batch(x, y), ((0,), (1,), (2,)), float(np.linalg.eigvalsh(a.T @ a / 3)[-1]) / 4, 0.0, 1.0, 1.0)


def tanh_unit():
    """½(tanh(wx + b) − y)² with |y| ≤ 1/2: not convex; its second derivative in wx + b is below 1 + 1.5 · 0.77 < 2.2."""
    x, y = np.array([[1.0], [0.5], [-1.0]]), np.array([[0.5], [-0.5], [0.25]])
    a = np.hstack([x, np.ones((3, 1))])
    return Problem("a tanh unit with squared loss", nets.mlp((1, 1), ("tanh",), "mse"),
                   (nets.Layer(np.array([[0.5]]), np.array([1.0])),), nets.Batch(x, y), ((0, 1), (1, 2), (2, 0)),
                   2.2 * float(np.linalg.eigvalsh(a.T @ a / 3)[-1]), 0.0, 1.0, 0.5)


def kappas(problem):
    """κ̲ and κ̄ of Lemmas 6 and 7, of one dense layer."""
    if problem.kappa:
        return problem.kappa
    lam, mu1, p = problem.lam, float(problem.mu1), problem.p
    mu_h = (1 + math.sqrt(2 + 1 / mu1))**2
    high_G, low_G = (mu_h**p + (mu_h**p - 1) / (mu_h - 1)) / lam, 1 / (lam + p * lam * (2 + 1 / mu1))
    return low_G / (problem.data.x.shape[1] * problem.phi**2 + 1 + lam), high_G / lam


class Step(NamedTuple):
    """Means over all mini-batches so far: f(θ_k), ‖∇f(θ_k)‖²; σ² the largest variance of a mini-batch gradient; α_k."""

    f: Any
    square: Any
    sigma2: Any
    alpha: Any


def gradient(problem, params, rows=None):
    """The loss and its gradient as a list, of the whole data or of some rows."""
    x, y = (problem.data.x, problem.data.y) if rows is None else (problem.data.x[[*rows]], problem.data.y[[*rows]])
    back = nets.backward(problem.model, params, nets.forward(problem.model, params, x), y)
    return back.loss, entries(back.grad)


def entries(layers):
    """All entries of parameters or gradients, as a list."""
    return [entry for tensor in nets.tensors(layers) for entry in np.ravel(tensor)]


def distance2(v, w):
    """‖v − w‖²."""
    return sum((a - b)**2 for a, b in zip(v, w, strict=True))


PROBLEMS = ((bias_alone, 2), (logistic, 4), (tanh_unit, 4))
BETAS = (Fraction(11, 20), Fraction(3, 4), Fraction(19, 20))


@functools.cache
def traced(make, K, beta, scale=1):
    """The steps 1 … K of Algorithm 10 along every sequence of mini-batches, and what on them contradicts an assumption.

    Takes    make: the problem; scale: a factor on its L.
    """
    problem = make()
    problem = problem._replace(L=scale * problem.L)
    low, high = kappas(problem)
    nodes, steps, against = [(problem.params, None)], [], []
    for k in range(1, K + 1):
        alpha = low / (problem.L * high**2) * (1 if k == 1 else k**-float(beta))
        hyper = METHOD.Hyper(alpha=alpha, lam_A=problem.lam, lam_G=problem.lam, mu1=problem.mu1, p=problem.p)
        later, f, square, sigma2 = [], 0, 0, 0
        for params, state in nodes:
            state = state or METHOD.init(problem.model, params, problem.data, hyper)
            loss, full = gradient(problem, params)
            drawn = [gradient(problem, params, rows)[1] for rows in problem.batches]
            mean = [sum(column) / len(drawn) for column in zip(*drawn, strict=True)]
            if distance2(mean, full) > TINY:
                against.append("E g ≠ ∇f")
            h = state.H_G[0] @ np.ones_like(params[0].b)
            stretched = np.linalg.eigvalsh(np.array((state.H_A[0] * h[0]).tolist(), dtype=float))
            if stretched[0] < low * (1 - TINY) or stretched[-1] > high * (1 + TINY):
                against.append("H is not between κ̲I and κ̄I")
            for rows in problem.batches if k < K else ():
                batch = nets.Batch(problem.data.x[[*rows]], problem.data.y[[*rows]])
                new, new_state, _ = METHOD.step(problem.model, params, state, batch, hyper)
                moved = distance2(entries(new), entries(params))
                if distance2(gradient(problem, new)[1], full) > problem.L**2 * moved * (1 + TINY):
                    against.append("L is no Lipschitz constant")
                later.append((new, new_state))
            f, square = f + loss, square + sum(entry**2 for entry in full)
            sigma2 = max(sigma2, sum(distance2(g, full) for g in drawn) / len(drawn))
        steps.append(Step(f / len(nodes), square / len(nodes), sigma2, alpha))
        nodes = later
    return problem, steps, [f"{problem.name}: {what}" for what in against]


TINY = Fraction(1, 10**9)


def bound(problem, steps, beta, by_m, noise=1, first=2):
    """The printed bound after these steps, as a ball; M_f the largest E f(θ_k) so far, σ² divided by m or not."""
    low, high = kappas(problem)
    K, m = len(steps), len(problem.batches[0])
    M_f = max(step.f for step in steps)
    sigma2 = max(step.sigma2 for step in steps)
    share = (arb(K)**-ball(beta) - 1 / arb(K)) / (1 - ball(beta))
    return (ball(first * problem.L * (M_f - problem.f_low) * high**2 / low**2) * arb(K)**(ball(beta) - 1)
            + noise * ball(sigma2) / (m if by_m else 1) * share)


def ball(x):
    """A number as a ball: of radius 0, or the rounding of the quotient."""
    if isinstance(x, Fraction):
        return arb(x.numerator) / arb(x.denominator)
    return arb(float(x))


def at_most(left, right):
    """Is left ≤ right, of balls?

    Raises   ValueError where they overlap.
    """
    expect(left <= right or left > right, "balls", "two that do not overlap", "a comparison is to be certain", f"{left}, {right}")
    return bool(left <= right)


def theorem(by_m=False, noise=1, first=2, scale=1):
    """The bound at every K up to the last along all problems."""
    def claim():
        for (make, last), beta in itertools.product(PROBLEMS, BETAS):
            problem, steps, against = traced(make, last, beta, scale)
            if against:
                return Outcome(against[0])
            for K in range(1, last + 1):
                left = ball(sum(step.square for step in steps[:K])) / K
                right = bound(problem, steps[:K], beta, by_m, noise, first)
                if not at_most(left, right * (1 + ball(TINY))):
                    return Outcome(f"{problem.name}, λ_A = λ_G = {problem.lam}, m = {len(problem.batches[0])}, β = {beta}, K = "
                                   f"{K}: "
                                   f"{left.str(3, radius=False)} > {right.str(3, radius=False)}")
        return Outcome(detail="every sequence of mini-batches of three problems, K up to 2, 4, 4, three β")
    return claim


# ------------------------------------------------------------------------------------------------------------ steps of the proof

def unbiased(after=False, anew=True):
    """E[p_k | past] = H_k ∇f(θ_k) H_A in step 2, exactly, with the H that line 6 uses, or with the one that line 16 makes.

    Takes    anew: are mini-batches drawn anew in every step, or an epoch's permutation?
    """
    def claim():
        model = nets.mlp((1, 2, 1), ("relu", "linear"), "mse")
        params = (nets.Layer(exact([[1], [2]]), exact([1, 0])), nets.Layer(exact([[1, -1]]), exact([1])))
        data = nets.Batch(exact([[1], [2], [-1]]), exact([[1], [0], [2]]))
        hyper = METHOD.Hyper(alpha=Fraction(1, 8), lam_A=Fraction(1, 2), lam_G=Fraction(1, 2), p=1)

        def rows(*chosen):
            return nets.Batch(data.x[[*chosen]], data.y[[*chosen]])
        state = METHOD.init(model, params, data, hyper)
        params, state, _ = METHOD.step(model, params, state, rows(0), hyper)
        full = METHOD.step(model, params, state, data, hyper)[2]
        for l in range(2):
            directions = []
            for n in range(3) if anew else (1, 2):
                _, new, trace = METHOD.step(model, params, state, rows(n), hyper)
                H_G, H_A = (new.H_G[l], new.H_A[l]) if after else (state.H_G[l], state.H_A[l])
                directions.append(H_G @ trace.DW[l] @ H_A)
            if (sum(directions) / Fraction(len(directions)) != full.p[l]).any():
                return Outcome(f"layer {l + 1}: the mean of p over the mini-batches is not H_G ∇f H_A")
        return Outcome(detail="two layers, three mini-batches")
    return claim


DESCENT = ("L", "a", "c", "low", "high", "G", "gHg", "HgHg", "noise", "S", "rise")
DESCENT_LEMMA, SHORT = "-a gHg + L a^2 (HgHg + noise)/2 - rise >= 0", "c - L a high >= 0"
DESCENDS = {
    "L > 0": lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise: L,
    "a > 0": lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise: a,
    "2 - c > 0": lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise: 2 - c,
    "gHg >= 0": lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise: gHg,
    "gHg - low G >= 0": lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise: gHg - low * G,
    "high gHg - HgHg >= 0": lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise: high * gHg - HgHg,
    "high^2 S - noise >= 0": lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise: high * high * S - noise,
    SHORT: lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise: c - L * a * high,
    DESCENT_LEMMA: lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise: L * a * a * (HgHg + noise) - 2 * a * gHg - 2 * rise,
}


def descent(whole=2, without=()):
    """E f(θ_(k+1)) − E f(θ_k) = rise ≤ −(whole − c)/2 · α κ̲ G + ½ L κ̄² α² σ² where Lακ̄ ≤ c < 2, times 2."""
    return Inequality(DESCENT, {name: value for name, value in DESCENDS.items() if name not in without},
                      lambda L, a, c, low, high, G, gHg, HgHg, noise, S, rise:
                      L * a * a * high * high * S - (whole - c) * a * low * G - 2 * rise)


def draw_descent(rng):
    """Eigenvalues of H at its ends, the longest step, the largest noise."""
    low, L, G, S = simple(rng) + 1, simple(rng) + Fraction(1, 8), simple(rng), simple(rng)
    high = low + rng.choice([0, simple(rng)])
    h = rng.choice([low, high])
    a, c = 1 / (L * high) * rng.choice([1, Fraction(1, 2), Fraction(5, 4)]), Fraction(rng.randint(2, 7), 4)
    gHg, HgHg, noise = h * G, h * h * G, h * h * S
    return L, a, c, low, high, G, gHg, HgHg, noise, S, L * a * a * (HgHg + noise) / 2 - a * gHg


def on_traces(half=1):
    """The same inequality between the means on the traces."""
    def claim():
        for (make, last), beta in itertools.product(PROBLEMS, BETAS):
            problem, steps, _ = traced(make, last, beta)
            low, high = kappas(problem)
            for step, after in itertools.pairwise(steps):
                allowed = problem.L * high**2 * step.alpha**2 * step.sigma2 / 2 - half * step.alpha * low * step.square / 2
                if after.f - step.f > allowed + TINY * abs(allowed):
                    return Outcome(f"{problem.name}, β = {beta}: E f rises by {float(after.f - step.f):.2g}")
        return Outcome(detail="every step of the traces but the last")
    return claim


def by_parts(shift=0):
    """Σ w_k(F_k − F_(k+1)) = w_1F_1 + Σ_(k>1) (w_k − w_(k−1))F_k − w_K F_(K+1)."""
    def pairs(field, n):
        w, F = field.vector(n), field.vector(n + 1)
        left = sum((w[k, 0] * (F[k, 0] - F[k + 1, 0]) for k in range(n)), field.number(0))
        yield left, w[0, 0] * F[0, 0] - w[n - 1, 0] * F[n - shift, 0] + sum(
            ((w[k, 0] - w[k - 1, 0]) * F[k, 0] for k in range(1, n)), field.number(0))
    return pairs


PARTS = ("w1", "d2", "d3", "u1", "u2", "u3", "v", "M")


def summed(growing=True, left=1):
    """left (w_1(F_1 − F_2) + w_2(F_2 − F_3) + w_3(F_3 − F_4)) ≤ w_3 (M_f − f_low): F_k = M − u_k, F_4 = v, w growing."""
    hypotheses = {"w1 > 0": lambda w1, d2, d3, u1, u2, u3, v, M: w1}
    hypotheses |= {"u1 >= 0": lambda w1, d2, d3, u1, u2, u3, v, M: u1, "u2 >= 0": lambda w1, d2, d3, u1, u2, u3, v, M: u2,
                   "u3 >= 0": lambda w1, d2, d3, u1, u2, u3, v, M: u3, "v >= 0": lambda w1, d2, d3, u1, u2, u3, v, M: v,
                   "M > 0": lambda w1, d2, d3, u1, u2, u3, v, M: M}
    if growing:
        hypotheses |= {"d2 >= 0": lambda w1, d2, d3, u1, u2, u3, v, M: d2, "d3 >= 0": lambda w1, d2, d3, u1, u2, u3, v, M: d3}
    return Inequality(PARTS, hypotheses, lambda w1, d2, d3, u1, u2, u3, v, M: (w1 + d2 + d3) * M
                      - left * (w1 * (u2 - u1) + (w1 + d2) * (u3 - u2) + (w1 + d2 + d3) * (M - u3 - v)))


def draw_parts(rng):
    """Weights that grow, or now and then do not, and values."""
    return simple(rng) + 1, simple(rng, sign=rng.random() < 0.3), simple(rng), *(simple(rng) for _ in range(4)), simple(rng) + 1


def exponents():
    """β between 1/2 and 1 as balls that cover it."""
    for i in range(32, 64):
        yield (arb(i) / 64).union(arb(i + 1) / 64)


def power_sum(first=1, less=1):
    """Σ_(k = first)^K k^(−β) ≤ (K^(1−β) − less)/(1 − β); less = None stands for β, an equality at K = 1."""
    def claim():
        for b in range(11, 20):
            beta = arb(b) / 20
            for K in (first, *range(first + 1, 12), 100, 1000):
                left = sum((arb(k)**-beta for k in range(first, K + 1)), arb(0))
                right = (arb(K)**(1 - beta) - (beta if less is None else less)) / (1 - beta)
                if not (K == 1 and less is None) and not at_most(left, right):
                    return Outcome(f"K = {K}, β = {b}/20: {left.str(4, radius=False)} > {right.str(4, radius=False)}")
        return Outcome(detail="K up to 1000, nine β")
    return claim


def large(without=False, one=1):
    """one + u²/(2u − 1) ≤ u, times 2u − 1, for u = K^β with u² − 3u + 1 ≥ 0 and u ≥ 1."""
    hypotheses = {"u - 1 >= 0": lambda u: u - 1}
    if not without:
        hypotheses["u^2 - 3u + 1 >= 0"] = lambda u: u * u - 3 * u + 1
    return Inequality(("u",), hypotheses, lambda u: (u - one) * (2 * u - 1) - u * u)


def small(last=6, noise=1):
    """(K − K^β) N ≤ noise (K − b) I for K = 2 … last, N = Σ_(k<K) k^(−β)/(2 − k^(−β)), b = w_(K−1), I the integral from below."""
    def claim():
        for K, beta in itertools.product(range(2, last + 1), exponents()):
            N = sum((arb(k)**-beta / (2 - arb(k)**-beta) for k in range(1, K)), arb(0))
            b = arb(K - 1)**beta / (2 - arb(K - 1)**-beta)
            integral = sum(((arb(2 * k + 1) / 2)**-beta for k in range(1, K)), arb(0))
            if not at_most((K - arb(K)**beta) * N, noise * (K - b) * integral):
                return Outcome(f"K = {K}, β in {beta.str(3)}")
        if not arb(last + 1).sqrt() > (3 + arb(5).sqrt()) / 2:
            return Outcome(f"K = {last + 1} is neither large nor small")
        return Outcome(detail=f"K = 2, …, {last}, β in 32 balls that cover [1/2, 1]; larger K have K^β > (3 + √5)/2")
    return claim


def iterations(lowest=51):
    """K^(−β) ≤ K^(β−1), so that K = (C/ε)^(1/(1−β)) suffices; exponents in hundredths, whole numbers compared."""
    def claim():
        for b in range(lowest, 100):
            for K in (1, 2, 3, 10, 1000):
                if K**(100 - b) > K**b:
                    return Outcome(f"β = {b}/100, K = {K}: K^(−β) > K^(β−1)")
        return Outcome(detail="β = 51/100, …, 99/100, K up to 1000")
    return claim


def step_length(p=100, digits=220):
    """κ̲/κ̄² ≤ 10^(−digits) for λ_A = λ_G = 1, μ₁ = 1/5, p pairs, whatever the data: κ̲ ≤ 1/(1 + 7p), κ̄ ≥ μ̂^p, √7 > 2.6457."""
    def claim():
        mu_h = (1 + Fraction(26457, 10000))**2
        ratio = Fraction(1, 1 + 7 * p) / mu_h**(2 * p)
        if ratio > Fraction(1, 10**digits):
            return Outcome(f"p = {p}: not below 10^-{digits}")
        return Outcome(detail=f"L α_1 < 10^-{digits}")
    return claim


STATEMENTS = (
    Statement(
        "R.Thm.4", "Section 3.6",
        Form("(1/K) Σ_{k<=K} E‖∇f(θ_k)‖² <= 2L(M_f − f_low)(κ̄²/κ̲²) K^(β−1) + (σ²/((1 − β)m)) (K^(−β) − K^(−1))",
             theorem(by_m=True)),
        checks=(claimed(Status.EMPIRICAL, "the bound along runs of Algorithm 10; every assumption checked on the traces"),),
        mutants=(Form("without noise", theorem(noise=0)), Form("L for 2L", theorem(first=1)),
                 Form("half a Lipschitz constant", theorem(scale=Fraction(1, 2)))),
        hypotheses=("Assumptions 5 to 7", "α_k = κ̲ k^(−β)/(Lκ̄²), β ∈ (1/2, 1)", "M_f >= E f(θ_k) for all k, which the text does "
                                                                                  "not say",
                    "σ² bounds the variance of the mini-batch gradient (Assumption 6 b)"),
        repaired=Form("the same with σ²/(1 − β) for σ²/((1 − β)m)", theorem()), errata=(15, 21, 42), long=True,
        note="m counts twice: refuted by Algorithm 10 itself on a net of one bias (targets ±2, inputs 0, four draws a step, large "
             "λ; E(b_2)² = σ² = b_1² = 1, and E f(θ_k) never exceeds f(θ_1)). Repaired it is proved, parts 1 to 5; K = 1 on that "
             "net attains it as λ grows. Assumption 5 leaves nets of one layer alone, and with the thesis' p = 100 the steps are "
             "below 10^(−220)/L (part 7)."),
    Statement(
        "R.Thm.4/1", "Section 3.6, proof of Theorem 4: \"AS.4 in Wang et al. is satisfied\"",
        Form("H_k does not depend on mini-batch k, so that E[p_k | past] = H_G ∇f(θ_k) H_A", unbiased()),
        checks=(claimed(Status.EXACT_Q, "Algorithm 10 in exact numbers, step 2, a mean over mini-batches"),),
        mutants=(Form("with the H that line 16 makes", unbiased(after=True)),
                 Form("with an epoch's permutation for independent mini-batches", unbiased(anew=False))),
        pinned="an equality; the two wrong forms are the two ways to lose it",
        hypotheses=("mini-batches are drawn independently",),
        note="Line 6 uses what steps before k made. Where epochs are permutations, as in the thesis' experiments, Assumption 6 a) "
             "fails given the past."),
    Statement(
        "R.Thm.4/2", "Section 3.6; descent in expectation, which the cited theorem rests on",
        Form("E f(θ_(k+1)) <= E f(θ_k) − (1 − c/2)α_kκ̲ E‖∇f(θ_k)‖² + ½Lκ̄²α_k²σ² where Lα_kκ̄ <= c < 2; c = 1 gives the ½ of the "
             "textbook", {"inequality": descent(), "traces": on_traces()}),
        checks=(on("inequality", certified(
            Term(1, (DESCENT_LEMMA,), lambda *_: 1), Term(1, ("L > 0", "high^2 S - noise >= 0"), lambda L, a, *_: a),
            Term(1, ("L > 0", "high gHg - HgHg >= 0"), lambda L, a, *_: a),
            Term(1, ("a > 0", "2 - c > 0", "gHg - low G >= 0"), lambda *_: 1),
            Term(1, ("a > 0", "gHg >= 0", SHORT), lambda *_: 1))),
            on("inequality", hunted(draw_descent)), on("inequality", refuted_at(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0)),
            on("traces", claimed(Status.EMPIRICAL, "means on the traces of Theorem 4"))),
        mutants=(Form("(2 − c/2)α_kκ̲", {"inequality": descent(whole=4)}), Form("without Lα_kκ̄ <= c",
                                                                                  {"inequality": descent(without=(SHORT,))}),
                 Form("without κ̲I <= H", {"inequality": descent(without=("gHg - low G >= 0",))}),
                 Form("3α_kκ̲ on the traces", {"traces": on_traces(half=30)})),
        hypotheses=("∇f has Lipschitz constant L", "E g = ∇f, E‖g − ∇f‖² <= σ²", "κ̲I <= H_k <= κ̄I", "Lα_kκ̄ <= (κ̲/κ̄) k^(−β) <= "
                                                                                                      "k^(−β) = c"),
        sharpness=(on("inequality", attained_at(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, Fraction(-1, 2))),), long=True,
        note="Attained where κ̲ = κ̄ and Lα_kκ̄ = c; the ½ for k = 1 alone."),
    Statement(
        "R.Thm.4/3", "Section 3.6; summation by parts, which the cited theorem rests on",
        Form("Σ_{k<=K} w_k(F_k − F_(k+1)) <= w_K(M_f − f_low) for growing w_k > 0 and f_low <= F_k <= M_f",
             {"identity": by_parts(), "three": summed()}),
        checks=(on("identity", over_Q()), on("identity", mod_p(lambda n: 2)),
                on("three", certified(*(Term(1, names, lambda *_: 1) for names in (
                    ("w1 > 0", "u1 >= 0"), ("d2 >= 0", "u2 >= 0"), ("d3 >= 0", "u3 >= 0"), ("w1 > 0", "v >= 0"),
                    ("d2 >= 0", "v >= 0"), ("d3 >= 0", "v >= 0"))))), on("three", hunted(draw_parts))),
        mutants=(Form("w_K F_K at the end", {"identity": by_parts(shift=1)}),
                 Form("w of any order", {"three": summed(growing=False)}),
                 Form("half of it", {"three": summed(left=2)})),
        note="Three terms; the identity is for any K. Attained where E f stays at M_f and falls to f_low in step K alone."),
    Statement(
        "R.Thm.4/4", "Section 3.6; the sum that the printed noise term stands for",
        Form("Σ_{k=1}^K k^(−β) <= (K^(1−β) − 1)/(1 − β) = K (K^(−β) − K^(−1))/(1 − β)", power_sum()),
        checks=(claimed(Status.BALL, "sums in ball arithmetic"),),
        mutants=(Form("from k = 2, (K^(1−β) − 2)/(1 − β)", power_sum(first=2, less=2)),),
        repaired=Form("Σ_{k=1}^K k^(−β) <= (K^(1−β) − β)/(1 − β), or the printed bound for the sum from k = 2",
                      power_sum(less=None)),
        hypotheses=("β ∈ (1/2, 1)",), pinned="β for 1 is attained at K = 1",
        note="False for every K: the integral from 1 to K bounds the terms from k = 2. The theorem survives, by part 5; who wants "
             "the short proof has to write K^(−β) − βK^(−1)."),
    Statement(
        "R.Thm.4/5", "Section 3.6; why K^(−β) − K^(−1) is enough all the same",
        Form("Σ_{k<=K} G_k <= K^β + S (K^(1−β) − 1)/(1 − β) where 0 <= G_k <= F_k <= 1 and F_(k+1) <= F_k − k^(−β)(2 − k^(−β))G_k "
             "+ k^(−2β)S", {"large K": large(), "small K": small()}),
        checks=(on("large K", certified(Term(1, ("u^2 - 3u + 1 >= 0",), lambda *_: 1))), on("large K", proved_by_z3()),
                on("small K", claimed(Status.BALL, "two bounds mixed, in ball arithmetic"))),
        mutants=(Form("for every K^β >= 1", {"large K": large(without=True)}), Form("K^β − 1", {"large K": large(one=2)}),
                 Form("half the noise", {"small K": small(noise=arb(1) / 2)}), Form("K up to 5", {"small K": small(last=5)})),
        hypotheses=("units C = 2Lκ̄²/κ̲², F_k = C(E f(θ_k) − f_low), G_k = E‖∇f(θ_k)‖², S = σ², all over C(M_f − f_low)",
                    "F_k >= G_k from E‖∇f‖² <= 2L(E f − f_low), the last hypothesis from part 2 with c = k^(−β)"),
        note="G_k <= w_k(F_k − F_(k+1)) + k^(−β)S/(2 − k^(−β)) with w_k = k^β/(2 − k^(−β)), which grow. Large K: G_1 <= 1, and "
             "from k = 2 the sum is at most w_K + S (K^(1−β) − 1)/(1 − β); 1 + w_K <= K^β if K^β >= (3 + √5)/2. Small K: the sum "
             "is at most K, and at most w_(K−1) + S Σ_{k<K} k^(−β)/(2 − k^(−β)); a mean of the two is below the bound. K = 1: G_1 "
             "<= 1."),
    Statement(
        "R.Thm.4/6", "Section 3.6, last sentence of Theorem 4",
        Form("K = O(ε^(−1/(1−β))) iterations suffice for a mean of E‖∇f‖² below ε", iterations()),
        checks=(claimed(Status.EXACT_Q, "K^(−β) <= K^(β−1), whole numbers compared"),),
        mutants=(Form("β = 1/4 too", iterations(lowest=25)), Form("β = 2/5 too", iterations(lowest=40)),
                 Form("β = 49/100 too", iterations(lowest=49))),
        hypotheses=("β ∈ (1/2, 1)",),
        note="Both terms are at most a constant times K^(β−1), since β >= 1/2: K >= (C/ε)^(1/(1−β)), rounded up."),
    Statement(
        "R.Thm.4/7", "Section 3.6: how long the steps of Theorem 4 are",
        Form("with p = 100, μ₁ = 1/5, λ_A = λ_G = 1: α_1 = κ̲/(Lκ̄²) < 10^(−220)/L", step_length()),
        checks=(claimed(Status.EXACT_Q, "the constants of Lemmas 6 and 7, whole numbers compared"),),
        mutants=(Form("p = 1", step_length(p=1)), Form("p = 50", step_length(p=50)), Form("10^(−240)", step_length(digits=240))),
        note="No float64 parameter moves in such a step. The best constants (Lemma 6, part 1) leave about 10^(−65)."),
    Statement(
        "R.Thm.4/8", "Section 3.6, last sentence",
        Form("Theorems 2.5 and 2.6 of Wang et al. hold for Algorithm 10 as well", None),
        checks=(not_checkable("the text does not print them"),)),
)
