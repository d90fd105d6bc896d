"""Between the arrays of the code under test and the lists of the twins: one problem for both, one set of names for results."""

from fractions import Fraction as F
from itertools import chain
from math import isqrt
from typing import Any, NamedTuple

import flint
import mpmath
import numpy as np
import twins
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.reference.parts.descent import StepDecay

KBFGS = ("kbfgs20", "kbfgs20_l", "kbfgs20_l_skip")
ALL = (*KBFGS, "kfac20")


# ----------------------------------------------------------------------------------------------------------------- number types

def rational(value):
    """An int, Fraction, float or fmpq as a Fraction."""
    return F(int(value.p), int(value.q)) if isinstance(value, flint.fmpq) else F(value)


def fmpq(value):
    return flint.fmpq(rational(value).numerator, rational(value).denominator)


def root(value):
    """The root of the square of a rational, as a Fraction."""
    value = rational(value)
    found = F(isqrt(value.numerator), isqrt(value.denominator))
    assert found * found == value, "no square of a rational"
    return found


NUMBERS = {
    "fraction": twins.Numbers(rational, root),
    "fmpq": twins.Numbers(fmpq, lambda value: fmpq(root(value))),
    "mpf": twins.Numbers(lambda value: mpmath.mpf(rational(value).numerator) / rational(value).denominator,
                         mpmath.sqrt, mpmath.exp, mpmath.tanh),
    "float64": twins.Numbers(float, np.sqrt, np.exp, np.tanh),
    "float32": twins.Numbers(np.float32, np.sqrt, np.exp, np.tanh),
}


# --------------------------------------------------------------------------------------------------------------------- problems

class Problem(NamedTuple):
    """One small training problem in one arithmetic; y_sampled of every batch stands for drawn targets."""

    model: nets.Model
    params: tuple[nets.Layer, ...]
    batches: tuple[nets.Batch, ...]
    kind: str

    @property
    def net(self) -> twins.Net:
        activations = tuple(layer.name for layer in self.model.layers if isinstance(layer, nets.Act))
        return twins.Net(activations, self.model.loss, NUMBERS[self.kind])

    def examples(self, sampled=False) -> list[Any]:
        """The batches as lists of pairs (x, y), labels as rows of the identity."""
        return [list(zip(lists(batch.x), self.rows(batch.y_sampled if sampled else batch.y), strict=True))
                for batch in self.batches]

    def rows(self, y):
        if y.ndim > 1:
            return lists(y)
        one = NUMBERS[self.kind].cast(1)
        classes = nets.layer_shapes(self.model)[-1][0]
        return [twins.identity(classes, one)[label] for label in y.tolist()]

    def cast(self, kind):
        return Problem(self.model, *cast((self.params, self.batches), kind), kind)


def rationals(rng, *shape, largest=3, denominators=(1, 2, 4)):
    """Small fractions."""
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        array[index] = F(int(rng.integers(-largest, largest + 1)), int(rng.choice(denominators)))
    return array


def rational_problem(widths, activations, seed, sizes=(3, 2, 2), kind="fraction", **numbers):
    """A net on "mse" whose parameters and examples are small fractions."""
    rng = np.random.default_rng(seed)
    model = nets.mlp(widths, activations, "mse")
    params = tuple(nets.Layer(rationals(rng, *shape, **numbers), rationals(rng, shape[0], **numbers))
                   for shape in nets.layer_shapes(model))
    batches = tuple(nets.Batch(*(rationals(rng, N, d, **numbers) for d in (widths[0], widths[-1], widths[-1]))) for N in sizes)
    return Problem(model, params, batches, "fraction").cast(kind)


def float_problem(widths, activations, loss, seed, sizes=(5, 3, 4), kind="float64"):
    """A net with numbers that float32 holds too."""
    rng = np.random.default_rng(seed)
    model = nets.mlp(widths, activations, loss)
    params = tuple(nets.Layer(layer.W, layer.b + rng.standard_normal(layer.b.shape) / 4) for layer in nets.init(model, seed))
    targets = {"mse": lambda N: rng.standard_normal((N, widths[-1])), "bce": lambda N: rng.random((N, widths[-1])),
               "softmax_ce": lambda N: rng.integers(0, widths[-1], N)}[loss]
    batches = tuple(nets.Batch(rng.standard_normal((N, widths[0])), targets(N), targets(N)) for N in sizes)
    return Problem(model, params, batches, "float64").cast("float32").cast(kind)


def hypers(method, **changes):
    """The Hyper of a method for exact arithmetic: λ is a square; only the fields that it has."""
    code = METHODS[method].Hyper
    fields = {"alpha": F(1, 8), "lam": F(1, 4), "beta": F(1, 2), "mu1": F(1, 5), "p": 2, "T": 2} | changes
    if method == "kbfgs20":
        del fields["p"]
    return code(**{name: value for name, value in fields.items() if name in code._fields})


# -------------------------------------------------------------------------------------------------------------- arrays to lists

def lists(tree):
    """Arrays, and tuples of them, as nested lists of the numbers in them: Python floats for float64, np.float32 for float32."""
    if isinstance(tree, tuple | list):
        return [lists(branch) for branch in tree]
    if tree.ndim > 1:
        return [lists(row) for row in tree]
    return tree.tolist() if tree.dtype == np.float64 else list(tree)


def array(rows):
    """Nested lists of exact numbers as an object array."""
    found = np.empty(np.shape(rows) if flat(rows) else (len(rows), 0), dtype=object)
    for index in np.ndindex(*found.shape):
        found[index] = pick(rows, index)
    return found


def pick(tree, index):
    return pick(tree[index[0]], index[1:]) if index else tree


def flat(tree):
    return [number for branch in tree for number in flat(branch)] if isinstance(tree, list) else [tree]


def weights(params):
    """W̄_l, with the biases as last column."""
    return [[[*row, bias] for row, bias in zip(lists(W), lists(b), strict=True)] for W, b in params]


def shown(state, trace=None, params=None):
    """Everything that a state, a trace and parameters of the code hold, by name; a Memory's pairs as S and Y."""
    found = {name: value for record in (state, trace) if record is not None for name, value in record._asdict().items()}
    del found["k"]
    if hasattr(found["H_g"][0], "S"):
        memory = found.pop("H_g")
        found |= {"S": tuple(one.S for one in memory), "Y": tuple(one.Y for one in memory)}
    if found.get("grad_p") == ():
        del found["grad_p"]
    found = {name: lists(value) for name, value in found.items()}
    return found | ({"params": weights(params)} if params is not None else {})


# -------------------------------------------------------------------------------------------------------------------- the twins

class Twin:
    """The twin of one method on one problem, side by side with the code."""

    def __init__(self, method, problem, hyper):
        self.method, self.problem, self.hyper = method, problem, hyper._asdict()
        self.memory = self.hyper.pop("p", 0) or None
        if isinstance(hyper.alpha, StepDecay):
            start, factor, period = map(rational, hyper.alpha)
            self.hyper["alpha"] = lambda k: start * factor ** int((k - 1) // period)

    def start(self):
        """The state before the first step; all batches are the data of the warm start."""
        data = list(chain.from_iterable(self.problem.examples()))
        Ws = weights(self.problem.params)
        if self.method == "kfac20":
            drawn = list(chain.from_iterable(self.problem.examples(sampled=True)))
            return twins.kfac20_start(self.problem.net, self.hyper, Ws, data, drawn)
        return twins.start(self.problem.net, self.hyper, Ws, data)

    def step(self, Ws, state, i):
        """W after the step on batch i, the new state, and everything that the lines made."""
        given = self.problem.net, self.hyper, Ws, state, self.problem.examples()[i]
        if self.method == "kfac20":
            return twins.kfac20_step(*given, self.problem.examples(sampled=True)[i])
        if self.method == "kbfgs20_l_skip":
            return twins.kbfgs20_l_skip_step(*given, self.memory)
        return twins.kbfgs20_step(*given, self.memory)

    def shown(self, made, Ws=None):
        """What `shown` would say, from the twin's results."""
        code = METHODS[self.method]
        wanted = {*code.State._fields, *(code.Trace._fields if Ws is not None else ())} - {"k", "grad_p"}
        found = dict(made)
        if self.memory:
            wanted = wanted - {"H_g"} | {"S", "Y"}
            found |= {"S": columns(made["pairs"], 0, made["s_g"]), "Y": columns(made["pairs"], 1, made["s_g"])}
        if self.hyper.get("double_grad") and made["grad_p"]:
            wanted.add("grad_p")
        return {name: found[name] for name in wanted} | ({"params": Ws} if Ws is not None else {})


def columns(pairs_by_layer, which, vectors):
    """The first or second halves of the stored pairs as the columns of (d_o, m)."""
    return [[[pair[which][i] for pair in pairs] for i in range(len(s))]
            for pairs, s in zip(pairs_by_layer, vectors, strict=True)]


def twin_state(state):
    """A state of the code as the twin keeps it."""
    found = {"k": state.k, **shown(state)}
    if "S" in found:
        one = next(iter(flat(found["A"])))
        found["pairs"] = [list(zip(*map(twins.transpose, halves), strict=True))
                          for halves in zip(found["S"], found["Y"], strict=True)]
        found["H_g"] = [twins.dense_lbfgs(pairs, len(s), one - one + 1)
                        for pairs, s in zip(found["pairs"], found["s_g"], strict=True)]
    return found
