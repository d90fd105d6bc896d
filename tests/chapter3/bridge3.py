"""Between the arrays of the code under test and the lists of the twins of chapter 3: problems, hyper-parameters, results by name.

The twins keep one entry for every trainable record. The code lists what belongs to a kernel by kernel, and (γ; β) apart.
"""

from fractions import Fraction as F

import numpy as np
import twins
import twins3
from bridge import NUMBERS, Problem, columns, lists, rational, rationals, root
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.nets.records import shapes
from stepgauge.reference import METHODS
from stepgauge.reference.parts.descent import StepDecay

K_BFGS, K_FAC = ("kbfgs", "kbfgs_l"), ("kfac", "kfac_ef")
ALL3 = (*K_BFGS, "kbfgs_l_exact", *K_FAC)
EXACT = (*K_BFGS, "kbfgs_l_exact")              # a π is a root: K-FAC is exact only in steps that invert nothing
OF_NORMS = {"DW": "D_norm", "DW_h": "D_norm_h", "W": "norm"}      # what both have, and its name for batch normalisation


# --------------------------------------------------------------------------------------------------------------------- problems

def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def plain(records):
    """Layer records as the twins' tuples."""
    return [plain_record(record) for record in records]


def plain_record(record):
    match record:
        case nets.Dense():
            return ("dense",)
        case nets.Act(name):
            return ("act", name)
        case nets.Conv2d(_, kernel, stride, padding):
            return ("conv", pair(kernel), pair(stride), padding)
        case nets.MaxPool(size, stride) | nets.AvgPool(size, stride):
            name = "max_pool" if isinstance(record, nets.MaxPool) else "avg_pool"
            return (name, pair(size), pair(size if stride is None else stride))
        case nets.Flatten():
            return ("flatten",)
        case nets.BatchNorm(eps):
            return ("bn", eps)
        case nets.Residual(layers, shortcut):
            return ("residual", plain(layers), plain(shortcut))
    raise TypeError(record)


class Images(Problem):
    """A training problem on any net; the rest as in chapter 2."""

    __slots__ = ()

    @property
    def net(self):
        return twins3.Net(plain(self.model.layers), self.model.loss, NUMBERS[self.kind])

    def cast(self, kind):
        return Images(self.model, *cast((self.params, self.batches), kind), kind)


def outputs(model):
    return shapes(model.layers, model.input_shape)[0][0]


def rational_images(shape, records, seed, sizes=(2, 1, 2), kind="fmpq", denominators=(1, 2)):
    """A net on "mse" whose parameters and examples are small fractions."""
    rng = np.random.default_rng(seed)
    model = nets.cnn(shape, records, "mse")
    params = tuple((nets.Layer if len(of) > 1 else nets.Norm)(
        rationals(rng, *of, denominators=denominators), rationals(rng, of[0], denominators=denominators))
        for of in nets.layer_shapes(model))
    batches = tuple(nets.Batch(*(rationals(rng, N, *of, denominators=denominators) for of in (shape, *[(outputs(model),)] * 2)))
                    for N in sizes)
    return Images(model, params, batches, "fraction").cast(kind)


def float_images(shape, records, loss, seed, sizes=(3, 2, 3), kind="float64"):
    """A net with numbers that float32 holds too."""
    rng = np.random.default_rng(seed)
    model = nets.cnn(shape, records, loss)
    params = tuple(type(layer)(layer[0], layer[1] + rng.standard_normal(layer[1].shape) / 4) for layer in nets.init(model, seed))
    out = outputs(model)
    targets = {"mse": lambda N: rng.standard_normal((N, out)), "bce": lambda N: rng.random((N, out)),
               "softmax_ce": lambda N: rng.integers(0, out, N)}[loss]
    batches = tuple(nets.Batch(rng.standard_normal((N, *shape)), targets(N), targets(N)) for N in sizes)
    return Images(model, params, batches, "float64").cast("float32").cast(kind)


def positions_by_kernel(model):
    """|𝒯| of every Dense and Conv2d."""
    return [P for P, shape in zip(nets.positions(model), nets.layer_shapes(model), strict=True) if len(shape) > 1]


def hypers3(method, model, **changes):
    """The Hyper of a method for exact arithmetic: λ is a square; only the fields that it has.

    Algorithm 10 is given the λ_A and λ_G of Algorithm 9, layer by layer, as the twins have them.
    """
    fields = {"alpha": F(1, 8), "lam": F(1, 4), "beta": F(1, 2), "mu1": F(1, 5), "p": 2, "T": 1, "T_1": 1, "T_2": 2} | changes
    if method == "kbfgs_l_exact" and "lam_A" not in fields:
        roots = [root(P) for P in positions_by_kernel(model)]
        fields |= {"lam_A": tuple(root_P * root(fields["lam"]) for root_P in roots),
                   "lam_G": tuple(root(fields["lam"]) / root_P for root_P in roots)}
    if method == "kbfgs":
        del fields["p"]
    code = METHODS[method].Hyper
    return code(**{name: value for name, value in fields.items() if name in code._fields})


# -------------------------------------------------------------------------------------------------------------- arrays to lists

def numbers_of(values):
    """Arrays, 0-dimensional ones and numbers too, as lists of numbers."""
    return [value if np.ndim(value) == 0 else lists(value) for value in values]


def weights3(params):
    """The twins' W: W̄ of a kernel, rows γ and β of a BatchNorm."""
    return [[[*row, bias] for row, bias in zip(lists(layer.W.reshape(len(layer.b), -1)), lists(layer.b), strict=True)]
            if isinstance(layer, nets.Layer) else lists(list(layer)) for layer in params]


def shown3(state, trace=None, params=None):
    """Everything that a state, a trace and parameters of the code hold, by name; a Memory's pairs as S and Y."""
    found = {name: value for record in (state, trace) if record is not None for name, value in record._asdict().items()}
    del found["k"]
    if "H_G" in found and hasattr(found["H_G"][0], "S"):
        memory = found.pop("H_G")
        found |= {"S": tuple(one.S for one in memory), "Y": tuple(one.Y for one in memory)}
    found = {name: numbers_of(value) for name, value in found.items()}
    return found | ({"params": weights3(params)} if params is not None else {})


# -------------------------------------------------------------------------------------------------------------------- the twins

class Twin3:
    """The twin of one method on one problem, side by side with the code."""

    def __init__(self, method, problem, hyper, lam=F(1, 4)):
        """`lam` is the λ that the λ_A, λ_G of Algorithm 10 were made of, which its Hyper does not have."""
        self.method, self.problem = method, problem
        self.hyper = {"lam": lam, "dead": 1, "bn": "momentum", **hyper._asdict()}
        self.kernels = [isinstance(layer, nets.Layer) for layer in problem.params]
        self.memory = self.hyper.pop("p", 0) or None
        if isinstance(self.hyper.get("lam_A"), tuple):                  # of `hypers3`: those of Algorithm 9
            del self.hyper["lam_A"], self.hyper["lam_G"]
        if isinstance(hyper.alpha, StepDecay):
            start, factor, period = map(rational, hyper.alpha)
            self.hyper["alpha"] = lambda k: start * factor ** int((k - 1) // period)

    def start(self):
        """The state before the first step; all batches are the data of the warm start."""
        given = self.problem.net, self.hyper, weights3(self.problem.params), self.problem.examples()
        if self.method == "kfac":
            return twins3.kfac_start(*given, self.problem.examples(sampled=True))
        starts = {"kfac_ef": twins3.kfac_ef_start, "kbfgs_l_exact": twins3.kbfgs_l_exact_start}
        return starts.get(self.method, twins3.kbfgs_start)(*given)

    def step(self, Ws, state, i):
        """W after the step on batch i, the new state, and everything that the lines made."""
        given = self.problem.net, self.hyper, Ws, state, self.problem.examples()[i]
        if self.method == "kfac":
            return twins3.kfac_step(*given, self.problem.examples(sampled=True)[i])
        if self.method == "kfac_ef":
            return twins3.kfac_ef_step(*given)
        if self.method == "kbfgs_l_exact":
            return twins3.kbfgs_l_exact_step(*given, self.memory)
        return twins3.kbfgs_step(*given, self.memory)

    def shown(self, made, Ws=None):
        """What `shown3` would say, from the twin's results."""
        code = METHODS[self.method]
        wanted = {*code.State._fields, *(code.Trace._fields if Ws is not None else ())} - {"k", *OF_NORMS.values()}
        found = dict(made)
        if self.memory:
            wanted = wanted - {"H_G"} | {"S", "Y"}
            pairs, vectors = self.of_kernels(made["pairs"]), self.of_kernels(made["s_G"])
            found |= {"S": columns(pairs, 0, vectors), "Y": columns(pairs, 1, vectors)}
        if self.hyper.get("improvement2") is True:
            found["A"] = []
        if "T_2" in self.hyper and made["k"] % self.hyper["T_2"] != 0:
            found["pi"] = []
        shown = {name: self.of_kernels(found[name]) if len(found[name]) == len(self.kernels) else found[name] for name in wanted}
        for name in wanted & set(OF_NORMS):
            if OF_NORMS[name] in (*code.State._fields, *code.Trace._fields):
                shown[OF_NORMS[name]] = [value for value, kernel in zip(found[name], self.kernels, strict=True) if not kernel]
        return shown | ({"params": Ws} if Ws is not None else {})

    def of_kernels(self, values):
        """Those of kernels; nothing where the twin has made none of them."""
        kept = [value for value, kernel in zip(values, self.kernels, strict=True) if kernel]
        return [] if all(value is None for value in kept) else kept

    def kept(self, state):
        """A state of the code as the twin keeps it."""
        found = shown3(state)
        merged = {name: self.merged(values) for name, values in found.items() if name not in ("D_norm_h", "S", "Y")}
        if "DW_h" in found:
            merged["DW_h"] = self.merged(found["DW_h"], found.get("D_norm_h", []))
        if self.memory:
            net = self.problem.net
            pairs = [list(zip(*map(twins.transpose, halves), strict=True))
                     for halves in zip(found["S"], found["Y"], strict=True)]
            one = net.numbers.cast(1)
            merged["pairs"] = self.merged(pairs)
            merged["H_G"] = self.merged([
                twins3.dense_lbfgs(known, len(s), one, twins3.split_damping(net, self.hyper, P)[1])
                for known, s, P in zip(pairs, found["s_G"], positions_by_kernel(self.problem.model), strict=True)])
        nothing = [None] * len(self.kernels)
        return {"k": state.k, "A": nothing, "pairs": nothing, "pi": nothing, **merged}

    def merged(self, by_kernel, by_norm=None):
        """One entry for every trainable record."""
        by_kernel, by_norm = iter(by_kernel), iter(by_norm or ())
        return [next(by_kernel, None) if kernel else next(by_norm, None) for kernel in self.kernels]


def three_steps3(method, problem, hyper, lam=F(1, 4)):
    """Code and twin over three batches: yields what each shows, first of the start, then of each step."""
    code, twin = METHODS[method], Twin3(method, problem, hyper, lam)
    params, Ws = problem.params, weights3(problem.params)
    state, mirror = code.init(problem.model, params, problem.batches, hyper), twin.start()
    yield shown3(state), twin.shown(mirror)
    for i, batch in enumerate(problem.batches):
        params, state, trace = code.step(problem.model, params, state, batch, hyper)
        Ws, mirror, made = twin.step(Ws, mirror, i)
        assert state.k == i + 1
        yield shown3(state, trace, params), twin.shown(made, Ws)
