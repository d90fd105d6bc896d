"""R Assumptions 8, 9 and 10: which nets satisfy them, on the smallest nets there are.

One linear layer ŷ = θx, or two, ŷ = w_2 w_1 x, with half the squared error or with the binary cross entropy; rational throughout,
the probability of the cross entropy being a free number in (0, 1).
"""

from fractions import Fraction

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, simple
from ..statement import Form, Statement, Status

POINTS = [Fraction(t) for t in (-7, -1, 0, Fraction(1, 3), 2, 50)]


def one_layer(theta, x=2, y=1):
    """∇ of ½(θx − y)², its F."""
    return ((theta[0] * x - y) * x,), Fraction(x * x)


def two_layers(theta, x=2, y=1):
    """∇ of ½(w_2w_1x − y)² for θ = (w_1, w_2), and the largest diagonal entry of F = ∇ŷ∇ŷᵀ."""
    w_1, w_2 = theta
    r = w_2 * w_1 * x - y
    return (r * w_2 * x, r * w_1 * x), max((w_2 * x)**2, (w_1 * x)**2)


def rectifier(theta, x=2, y=1):
    """∇ of ½(max(θx, 0) − y)²."""
    h = theta[0] * x
    return ((max(h, 0) - y) * (x if h > 0 else 0),), Fraction(x * x if h > 0 else 0)


def lipschitz(net, size, L):
    """‖∇(θ) − ∇(θ′)‖² ≤ L² ‖θ − θ′‖² on a grid along the diagonal, points close to 0 and far from it among them."""
    ts = [*POINTS, *(Fraction(sign, 10**n) for sign in (-1, 1) for n in (2, 4)), Fraction(1000), Fraction(2000)]

    def claim():
        worst = Fraction(0)
        for s in ts:
            for t in ts:
                if s < t:
                    there, here = net((s,) * size)[0], net((t,) * size)[0]
                    quotient = sum((a - b)**2 for a, b in zip(there, here, strict=True)) / (size * (t - s)**2)
                    if quotient > L * L:
                        return Outcome(f"between θ = {s} and θ = {t}, in each entry: slope² {quotient}, L² = {L * L}")
                    worst = max(worst, quotient)
        return Outcome(detail=f"largest slope² {worst}, L² = {L * L}")
    return claim


def fisher_bounded(net, size, bound):
    """‖F‖ ≤ bound at θ = (t, …, t)."""
    def claim():
        for t in (*POINTS, Fraction(1000)):
            F = net((t,) * size)[1]
            if bound < F:
                return Outcome(f"θ = {t} in each entry: ‖F‖ >= {F} > {bound}")
        return Outcome(detail=f"‖F‖ at most {bound}")
    return claim


def unbiased(order):
    """E[∇l(θ_2, ξ_2) | θ_2] = ∇ℒ(θ_2) for the second of two draws from two examples; θ_2 tells the first draw."""
    gradients = (Fraction(1), Fraction(3))

    def claim():
        for first in (0, 1):
            second = [1 - first] if order == "without replacement" else [0, 1]
            mean = sum(gradients[n] for n in second) / len(second)
            if mean != sum(gradients) / 2:
                return Outcome(f"∇l = 1 or 3, ∇ℒ = 2: after {gradients[first]}, E[∇l | θ_2] = {mean}")
        return Outcome(detail="two examples, ∇l = 1 or 3")
    return claim


def variance(least=0, most=1, scale=4):
    """Two examples' gradients (p − y)x of the cross entropy, x² ≤ X: the squared distance is at most 4X."""
    return Inequality(("p", "q", "x", "z", "X"), {
        "p >= 0": lambda p, q, x, z, X: p - least, "1 - p >= 0": lambda p, q, x, z, X: most - p,
        "q >= 0": lambda p, q, x, z, X: q - least, "1 - q >= 0": lambda p, q, x, z, X: most - q,
        "X - xx >= 0": lambda p, q, x, z, X: X - x * x, "X - zz >= 0": lambda p, q, x, z, X: X - z * z},
        lambda p, q, x, z, X: scale * X - (p * x - (q - 1) * z)**2)


def batch_variance(power=1):
    """E‖ḡ − ∇ℒ‖² = σ²/m over all draws of m = 3 from three examples."""
    gradients = (Fraction(1), Fraction(3), Fraction(-2))

    def claim():
        mean, m = sum(gradients) / 3, 3
        sigma2 = sum((g - mean)**2 for g in gradients) / 3
        draws = [(a + b + c) / m for a in gradients for b in gradients for c in gradients]
        found = sum((g - mean)**2 for g in draws) / len(draws)
        return Outcome("" if found == sigma2 / m**power else f"E‖ḡ − ∇ℒ‖² = {found}, σ² = {sigma2}", f"{found} = {sigma2}/3")
    return claim


def point(rng):
    """(p, q, x, z, X), X often as small as it may be."""
    x, z = simple(rng, sign=True), simple(rng, sign=True)
    low, high = rng.choice([(0, 8), (0, 8), (-8, 16)])
    p, q = Fraction(rng.randint(low, high), 8), Fraction(rng.randint(low, high), 8)
    return p, q, x, z, max(x * x, z * z) + rng.choice([0, simple(rng)])


STATEMENTS = (
    Statement("R.As.8", "Section 4.4",
              Form("ℒ is C¹, bounded below, ∇ℒ Lipschitz with L on ℝⁿ: one linear layer, half the squared error, L = x²",
                                            lipschitz(one_layer, 1, 4)),
              checks=(claimed(Status.EXACT_Q, "slopes of ∇ℒ between 12 points"),),
              mutants=(Form("L = x", lipschitz(one_layer, 1, 2)), Form("two linear layers, L = 10⁶", lipschitz(two_layers, 2,
                                                                                                               10**6)),
                       Form("a rectifier, L = 10³", lipschitz(rectifier, 1, 1000))),
              note="One trainable layer with a convex loss satisfies it. ½(w_2w_1x − y)² is of degree 4, and so no L serves for "
                   "two trainable layers; a rectifier makes ∇ℒ jump. The theorem needs it on the segments of the run only."),
    Statement("R.As.9", "Section 4.4", Form("a) E[∇l(θ_t, ξ_t)] = ∇ℒ(θ_t), ξ_t independent of θ_1, …, θ_t",
                                            unbiased("with replacement")),
              checks=(claimed(Status.EXACT_Q, "two examples, two draws"),),
              mutants=(Form("an epoch's order: without replacement", unbiased("without replacement")),), pinned="an equality",
              note="True for fresh uniform draws. The epochs of Section 4.7 draw without replacement and do not satisfy it."),
    Statement("R.As.9/1", "Section 4.4",
              Form("b) E‖∇l(θ_t, ξ_t) − ∇ℒ(θ_t)‖² ≤ σ²: one layer, cross entropy, two examples, σ = max |x|", variance()),
              checks=(certified(Term(2, ("X - xx >= 0",), lambda *_: 1), Term(2, ("X - zz >= 0",), lambda *_: 1),
                                Term(2, ("1 - p >= 0",), lambda p, q, x, z, X: x), Term(2, ("p >= 0", "1 - p >= 0"), lambda p, q, x,
                                                                                        z, X: x),
                                Term(2, ("q >= 0",), lambda p, q, x, z, X: z), Term(2, ("q >= 0", "1 - q >= 0"), lambda p, q, x, z,
                                                                                    X: z),
                                Term(1, (), lambda p, q, x, z, X: p * x - (1 - q) * z)), hunted(point)),
              sharpness=(attained_at(1, 0, 1, 1, 1),),
              mutants=(Form("σ = max |x|/2", variance(scale=1)), Form("p to 2", variance(most=2)),
                       Form("p from −1", variance(least=-1))),
              note="The variance of two numbers is a quarter of their squared distance, the distance of (p − y)x at most 2 "
                   "max|x|. With half the squared error no σ serves for all θ, only along bounded runs."),
    Statement("R.As.9/2", "Section 4.4, as used in Theorem 5", Form("E‖∇̄ℒ_t − ∇ℒ(θ_t)‖² ≤ σ²/m for m independent draws",
                                                                    batch_variance()),
              checks=(claimed(Status.EXACT_Q, "all 27 draws of 3 from 3"),),
              mutants=(Form("σ²", batch_variance(0)), Form("σ²/m²", batch_variance(2)), Form("σ²/m³", batch_variance(3))),
              note="An equality where σ² is the variance. Unlike Assumption 6, σ² belongs to one example here."),
    Statement("R.As.10", "Section 4.4", Form("‖F(θ)‖ is bounded over ℝⁿ: one linear layer, half the squared error, ‖F‖ ≤ ‖x‖²",
                                             fisher_bounded(one_layer, 1, 4)),
              checks=(claimed(Status.EXACT_Q, "seven points"),),
              mutants=(Form("‖F‖ ≤ ‖x‖", fisher_bounded(one_layer, 1, 2)), Form("two layers, 10⁶", fisher_bounded(two_layers, 2,
                                                                                                                  10**6)),
                       Form("‖F‖ ≤ ‖x‖²/2", fisher_bounded(one_layer, 1, Fraction(3)))),
              note="With softmax or sigmoid outputs F = E[JᵀH_lJ] with ‖H_l‖ ≤ 1 and J = x of one layer."),
    Statement("R.As.10/1", "Section 4.4, below Assumption 10",
              Form("a mild assumption for reasonable models: two linear layers, ‖F‖ ≤ 10⁶", fisher_bounded(two_layers, 2, 10**6)),
              checks=(claimed(Status.EXACT_Q, "seven points, the bound is as good as any"),),
              repaired=Form("‖F‖ bounded on every bounded set, here |w_i| ≤ 1000: 4·10⁶", fisher_bounded(two_layers, 2, 4 * 10**6)),
              pinned="a bound that no number gives",
              note="F contains (w_2x)²: with two trainable layers F grows without bound on ℝⁿ, as Lipschitz constants do "
                   "(Assumption 8). What the proof needs holds on bounded sets, and along a run that stays in one.", errata=(72,)),
)
