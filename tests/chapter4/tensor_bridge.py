"""Between the arrays of chapter 4 and the lists of its twins: problems, hyper-parameters, numbers, one set of names for results."""

from itertools import chain, product
from typing import NamedTuple

import bridge
import flint
import mpmath
import numpy as np
import tensor_twins
import twins
from bridge import F, Problem, lists, weights
from stepgauge import nets
from stepgauge.reference import METHODS
from stepgauge.reference.parts.descent import StepDecay

STATISTICS = ("tnt", "tnt_ef", "shampoo")
BY_TENSOR = (*STATISTICS, "tnt_ideal")
ALL = (*BY_TENSOR, "block_fisher")

NETS = {
    "narrow": ((2, 3, 1), ("relu", "linear"), 3),
    "wide": ((3, 4, 2), ("relu", "relu"), 2),
    "deep": ((2, 3, 4, 1), ("relu", "relu", "linear"), 2),
}
SMOOTH = {
    "tanh, logistic, labels": ((3, 4, 2, 3), ("tanh", "logistic", "linear"), "softmax_ce"),
    "elu, probabilities": ((2, 4, 3), ("elu", "linear"), "bce"),
    "tanh to the end": ((3, 2, 4), ("elu", "tanh"), "mse"),
}


# ----------------------------------------------------------------------------------------------------------------- number types

class Numbers(NamedTuple):
    """What the twins of chapters 2 and 4 need besides + − × ÷ and comparison."""

    cast: object
    sqrt: object
    exp: object
    tanh: object
    root: object
    inverse_root: object


def exact_root(x, k):
    x = bridge.rational(x)
    found = F(*(int(flint.fmpz(part).root(k)) for part in (x.numerator, x.denominator)))
    assert found**k == x, "no perfect power"
    return bridge.fmpq(found)


def mp_inverse_root(A, p):
    """From eigenvalues, which the code never computes."""
    w, Q = mpmath.eigsy(mpmath.matrix(A))
    return (Q * mpmath.diag([mpmath.root(1 / t, p) for t in w]) * Q.T).tolist()


def float_inverse_root(A, p):
    A = np.array(A)
    w, Q = np.linalg.eigh((A + A.T) / 2)
    return lists((Q * w ** A.dtype.type(-1 / p)) @ Q.T)


def numbers(kind):
    root, inverse_root = {"fmpq": (exact_root, None), "mpf": (mpmath.root, mp_inverse_root)}.get(
        kind, (lambda x, k: x ** type(x)(1 / k), float_inverse_root))
    return Numbers(*bridge.NUMBERS[kind], root, inverse_root)


class OnTensors(Problem):
    """A Problem whose net has these numbers."""

    @property
    def net(self):
        return super().net._replace(numbers=numbers(self.kind))

    def cast(self, kind):
        return OnTensors(*super().cast(kind))


def rational_problem(widths, activations, seed, **more):
    return OnTensors(*bridge.rational_problem(widths, activations, seed, kind="fmpq", **more))


def float_problem(widths, activations, loss, seed, **more):
    return OnTensors(*bridge.float_problem(widths, activations, loss, seed, **more))


def hypers(method, **changes):
    """The Hyper of a method for exact arithmetic; only the fields that it has."""
    code = METHODS[method].Hyper
    fields = {"alpha": F(1, 8), "eps": F(1, 4), "mu": F(3, 4), "beta": F(1, 2), "T_1": 1, "T_2": 2, "gamma": F(1, 16)} | changes
    return code(**{name: value for name, value in fields.items() if name in code._fields})


# -------------------------------------------------------------------------------------------------------------------- the twins

class Twin:
    """The twin of one method on one problem, side by side with the code."""

    def __init__(self, method, problem, hyper):
        self.method, self.problem, self.hyper = method, problem, hyper._asdict()
        if isinstance(hyper.alpha, StepDecay):
            first, factor, period = map(bridge.rational, hyper.alpha)
            self.hyper["alpha"] = lambda k: first * factor ** int((k - 1) // period)
        self.plain, self.drawn = problem.examples(), problem.examples(sampled=True)

    def start(self):
        net, Ws = self.problem.net, weights(self.problem.params)
        if self.method == "tnt_ideal":
            return {"k": 0}
        if self.method == "block_fisher":
            zero = net.numbers.cast(0)
            return {"k": 0, "grad_h": [twins.scale(zero, W) for W in Ws],
                    "F": tensor_twins.fisher_blocks(net, Ws, list(chain(*self.drawn)))}
        found = tensor_twins.start(self.method, net, self.hyper, Ws, self.drawn if self.method == "tnt" else self.plain)
        return self.renamed(found)

    def step(self, Ws, state, i):
        net, batch = self.problem.net, self.plain[i]
        if self.method == "tnt_ideal":
            k = state["k"] + 1
            Ws, made = tensor_twins.ideal_step(net, self.hyper, Ws, k, batch, batch, lambda output: all_targets(net, output))
            return Ws, {"k": k}, made
        if self.method == "block_fisher":
            return tensor_twins.block_fisher_step(net, self.hyper, Ws, state, batch, self.drawn[i])
        state = {("U_inv" if name == "root_inv" else name): value for name, value in state.items()}
        Ws, state, made = tensor_twins.step(self.method, net, self.hyper, Ws, state, batch, self.drawn[i])
        return Ws, self.renamed(state), self.renamed(made)

    def renamed(self, found):
        """Shampoo's factors are roots, and it has neither Ḡ apart from ∇𝓛 nor Ũ."""
        if self.method != "shampoo":
            return found
        return {("root_inv" if name == "U_inv" else name): value for name, value in found.items()
                if name not in ("G_b", "U_t")}

    def shown(self, made, Ws=None):
        """What `shown` would say, from the twin's results."""
        return {name: value for name, value in made.items() if name != "k"} | ({"params": Ws} if Ws is not None else {})


def all_targets(net, output):
    """(probability, y) for every target: all labels, all of the 2ᵐ patterns; for "mse", 2m points with a normal's moments."""
    m, one = len(output), net.numbers.cast(1)
    zero = one - one
    if net.loss == "softmax_ce":
        powers = [net.numbers.exp(a) for a in output]
        yield from zip([power / sum(powers, start=zero) for power in powers], twins.identity(m, one), strict=True)
    elif net.loss == "bce":
        p = [1 / (1 + net.numbers.exp(-a)) for a in output]
        for y in product((0, 1), repeat=m):
            weight = one
            for p_j, y_j in zip(p, y, strict=True):
                weight = weight * (p_j if y_j else 1 - p_j)
            yield weight, [one * y_j for y_j in y]
    else:                                    # the scaled corners of a cube: mean 0, covariance I, exactly
        for signs in product((-1, 1), repeat=m):
            yield one / 2**m, [a + s for a, s in zip(output, signs, strict=True)]


def shown(state, trace=None, params=None):
    """Everything that a state, a trace and parameters of the code hold, by name."""
    found = {name: value for record in (state, trace) if record is not None for name, value in record._asdict().items()}
    del found["k"]
    return {name: lists(value) for name, value in found.items()} | ({"params": weights(params)} if params is not None else {})


def three_steps(method, problem, hyper):
    """Code and twin over three batches: yields what each shows, first of the start, then of each step."""
    code, twin = METHODS[method], Twin(method, problem, hyper)
    params, Ws = problem.params, weights(problem.params)
    state, mirror = code.init(problem.model, params, problem.batches, hyper), twin.start()
    yield shown(state), twin.shown(mirror)
    for i, batch in enumerate(problem.batches):
        params, state, trace = code.step(problem.model, params, state, batch, hyper)
        Ws, mirror, made = twin.step(Ws, mirror, i)
        assert state.k == i + 1
        yield shown(state, trace, params), twin.shown(made, Ws)


def leaves(tree):
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree] if isinstance(tree, np.ndarray) else []


__all__ = ["ALL", "BY_TENSOR", "NETS", "SMOOTH", "STATISTICS", "F", "Twin", "float_problem", "hypers", "leaves", "lists", "nets",
           "rational_problem", "shown", "three_steps", "weights"]
