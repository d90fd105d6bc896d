"""R Assumption 5: which nets have a gradient that is Lipschitz everywhere. Those of one layer; none with two.

Two layers: let z = v(φ(w) − φ(0)) with v the outer weight. From w = 0 to w = c/v it moves by about cφ′(0), hence ∂f/∂w =
ℓ′(z)vφ′(w) by about v(ℓ′(cφ′(0)) − ℓ′(0))φ′(0): v²/c times the way, for every φ with a slope and every loss that is not linear.
One layer: the Hessian is E σ(1 − σ)āāᵀ, and σ(1 − σ) ≤ 1/4.
"""

import itertools

from flint import arb

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, on, proved_by_z3
from ..statement import Form, Statement, Status


def sigmoid(z):
    """σ."""
    return 1 / (1 + (-z).exp())


def residual(z):
    """ℓ′ of ½(z − 1)²."""
    return z - 1


def behind_tanh(z):
    """ℓ′ of ½(tanh z − 2)²."""
    return (z.tanh() - 2) * (1 - z.tanh()**2)


def elu(w):
    """ELU."""
    return w if w > 0 else w.exp() - 1


TWO_LAYERS = {
    "linear, squared": (residual, lambda w: w, lambda w: arb(1)),
    "tanh, squared": (residual, arb.tanh, lambda w: 1 - w.tanh()**2),
    "tanh, cross entropy": (sigmoid, arb.tanh, lambda w: 1 - w.tanh()**2),
    "logistic, cross entropy": (sigmoid, sigmoid, lambda w: sigmoid(w) * (1 - sigmoid(w))),
    "ELU, cross entropy": (sigmoid, elu, lambda w: arb(1) if w > 0 else w.exp()),
    "tanh behind each, squared": (behind_tanh, arb.tanh, lambda w: 1 - w.tanh()**2),
}
"""ℓ′, φ and φ′ of f = ℓ(v(φ(w) − φ(0))): one hidden unit, one input, an output weight v and an output bias −vφ(0)."""


def two_layers(name):
    """Does a Lipschitz constant of 10⁶ stand for ∂f/∂w = ℓ′ v φ′(w) at (v, 0) and (v, 1/v), v up to 10⁹?"""
    loss_slope, phi, slope = TWO_LAYERS[name]

    def claim():
        for v in (arb(10)**k for k in range(10)):
            at_0, at_w = (loss_slope(v * (phi(w) - phi(arb(0)))) * v * slope(w) for w in (arb(0), 1 / v))
            if abs(at_w - at_0) > 10**6 / v:
                return Outcome(f"{name}: v = {v.str(3)}, from w = 0 to w = 1/v: ∂f/∂w changes by more than 10⁶/v")
        return Outcome(detail=name)
    return claim


def curvature(quarter=4, sigmoid_range=True):
    """quarter · σ(1 − σ) ≤ 1 for 0 < σ < 1."""
    hypotheses = {"s >= 0": lambda s: s, "1 - s >= 0": lambda s: 1 - s} if sigmoid_range else {"s >= 0": lambda s: s}
    return Inequality(("s",), hypotheses, lambda s: 1 - quarter * s * (1 - s))


def one_layer(wrong=False):
    """f = log(1 + e^z) of a logit z = w: changes of f′ against changes of w, on a grid; L = 1/4."""
    def claim():
        points = [arb(k) / 4 for k in range(-40, 41)]
        for left, right in itertools.pairwise(points):
            if not abs(sigmoid(right) - sigmoid(left)) <= (right - left) / (5 if wrong else 4):
                return Outcome(f"from {left.str(3)} to {right.str(3)}")
        return Outcome(detail="logits from −10 to 10")
    return claim


STATEMENTS = (
    Statement(
        "R.As.5", "Section 3.6",
        Form("f is C¹, bounded from below, and ∇f has a Lipschitz constant L on all of R^d: logistic regression, "
             "L = ¼ λ_max(E āāᵀ)",
             {"hessian": curvature(), "net": one_layer()}),
        checks=(on("hessian", certified(Term(1, (), lambda s: 2 * s - 1))), on("hessian", proved_by_z3()),
                on("net", claimed(Status.SAMPLED, "differences of gradients on a grid, in ball arithmetic"))),
        mutants=(Form("L = λ_max(E āāᵀ)/5", {"net": one_layer(wrong=True)}), Form("5σ(1 − σ) <= 1", {"hessian": curvature(5)}),
                 *(Form(f"two layers: {name}", {"net": two_layers(name)}) for name in TWO_LAYERS)),
        sharpness=(on("hessian", attained_at("1/2")),),
        note="Satisfied by one layer with a smooth loss of bounded curvature, behind a smooth bounded activation or none: the "
             "Hessian is E σ(1 − σ)āāᵀ. By no net with two layers (part 1), nor with ReLU, which is not C¹."),
    Statement(
        "R.As.5/1", "Section 3.1: convergence \"under relatively mild conditions\"",
        Form("nets of two layers satisfy Assumption 5: tanh, cross entropy", {"two layers": two_layers("tanh, cross entropy")}),
        checks=(on("two layers", claimed(Status.BALL, "differences of gradients in ball arithmetic")),
                on("hessian", certified(Term(1, (), lambda s: 2 * s - 1)))),
        mutants=tuple(Form(name, {"two layers": two_layers(name)}) for name in TWO_LAYERS if name != "tanh, cross entropy"),
        repaired=Form("nets of one layer do: logistic regression, whose Hessian is at most ¼ E āāᵀ", {"hessian": curvature()}),
        note="Bounded activations do not help, since the outer weight multiplies the inner derivative. On a bounded set of "
             "parameters the assumption holds, but nothing keeps the iterates of Algorithm 10 in one.", errata=(68,)),
)
