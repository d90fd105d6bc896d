"""R Assumption 7: bounded inputs of all layers. Data and activations have to be bounded, whatever the parameters."""

from flint import arb

from ..checks import Inequality, Outcome, Term, certified, claimed, hunted, on, refuted_at, simple
from ..statement import Form, Statement, Status


def bounded(phi, activation, data=1):
    """Are the inputs of both layers of a net with one hidden unit at most φ, for weights up to 10 and |x| ≤ data?"""
    def claim():
        for x in (arb(-data), arb(0), arb(data)):
            for w in (arb(0), arb(1), arb(10)):
                for name, a in (("first", x), ("second", activation(w * x))):
                    if abs(a) > phi:
                        return Outcome(f"x = {x.str(3)}, w = {w.str(3)}: input {a.str(3)} of the {name} layer")
        return Outcome(detail="x and w at their ends")
    return claim


def relu(z):
    """ReLU."""
    return z if z > 0 else arb(0)


def normalized(N, scaled=False):
    """γ x̂ for a batch of N: one entry 1, the others 0; x̂ is at most √(N − 1)."""
    def activation(z):
        mean, square = z / N, z**2 / N
        return (z - mean) / (square - mean**2).sqrt() * (z if scaled else 1) if z != 0 else arb(0)
    return activation


def batch(count=1, square=True):
    """x̂² ≤ N − 1 for x̂_i of mean 0 and mean square 1: the first is a, the other n = N − 1 have sum −a and squares summing to r."""
    hypotheses = {"n > 0": lambda n, a, r: n, "n r - a^2 >= 0": lambda n, a, r: n * r - a * a}
    if square:
        hypotheses["n + 1 - a^2 - r = 0"] = lambda n, a, r: n + 1 - a * a - r
    return Inequality(("n", "a", "r"), hypotheses, lambda n, a, r: n * (n + 1) - (n + 1) * a * a * count)


def draw(rng):
    """(n, a, r) with n + 1 = a² + r, a² = n, which is the end, often."""
    n, a = rng.randint(1, 9), simple(rng, sign=True)
    if rng.random() < 0.4:
        n = a * a if a else 1
    return n, a, n + 1 - a * a


STATEMENTS = (
    Statement(
        "R.As.7", "Section 3.6",
        Form("|a_jt| <= φ for the inputs of all layers: tanh and data in [−1, 1], φ = 1", {"net": bounded(1, arb.tanh)}),
        checks=(on("net", claimed(Status.SAMPLED, "inputs in ball arithmetic")),),
        mutants=(Form("ReLU", {"net": bounded(1, relu)}), Form("tanh, data up to 2", {"net": bounded(1, arb.tanh, 2)}),
                 Form("batch normalisation with a trained scale", {"net": bounded(3, normalized(5, scaled=True))})),
        note="Bounded activations are not enough, the first layer reads data. The binary step that the text names satisfies this, "
             "but its f is not even continuous (Assumption 5)."),
    Statement(
        "R.As.7/1", "Section 3.6, below Assumption 7: \"or some appropriate normalization\"",
        Form("inputs normalised over a batch of N are at most √(N − 1) in size", {"inequality": batch(),
             "net": bounded(2, normalized(5))}),
        checks=(on("inequality", certified(Term(1, ("n r - a^2 >= 0",), lambda *_: 1), Term(1, ("n > 0", "n + 1 - a^2 - r = 0"),
                                                                                           lambda *_: 1))),
                on("inequality", hunted(draw)), on("inequality", refuted_at(1, 5, 100)), on("net", claimed(Status.SAMPLED, "inputs "
                                                                                                                           "in "
                                                                                                                           "ball "
                                                                                                                           "arithmetic"))),
        mutants=(Form("with a trained scale γ", {"net": bounded(2, normalized(5, scaled=True))}),
                 Form("√((N − 1)/2)", {"inequality": batch(2)}), Form("any mean square", {"inequality": batch(square=False)})),
        note="Over N|𝒯| numbers for a convolution. A scale and a shift that are trained, as in batch normalisation, unbound them "
             "again; and Theorem 3 does not hold of nets that couple examples."),
)
