"""The suites: for every method small awkward cases, each with the trap it sets, and one on real data."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from .. import nets
from ..arrays import cast
from ..arrays.errors import expect
from ..reference import METHODS
from ..reference.parts.descent import StepDecay
from .case import Case
from .data import digits

TRAPS = {
    "plain": "all widths different, N ≠ d, a layer that is not square",
    "labels": "integer labels, three layers, saturating activations",
    "probabilities": "targets inside (0, 1), an activation whose second derivative jumps",
    "dead": "a hidden unit that never fires: its gradient is exactly 0",
    "narrow": "width 1 throughout, a batch of one",
    "degenerate": "repeated examples and a constant input: rank-deficient statistics",
    "large": "logits of several hundred: saturated probabilities",
    "penalty": "the penalty η/2 ‖θ‖² in the loss",
    "digits": "real images, 64-20-10, batches of 60",
}
"""What each case of the default suite is there for."""

IMAGES = {
    "images": "two convolutions on images that are not square, kernels that are not square, average pooling",
    "strided": "stride 2, no padding, overlapping max pooling with ties, a channel that never fires",
    "normalised": "batch normalisation, after a convolution and after a dense layer",
    "residual": "a residual block with a convolution beside it",
}
"""Cases with images: in the suite of the methods for convolutional nets, on request for those that do not look at the net."""

SQUARE = {
    "quadratic": "a linear net with squared loss: the model of order 2 is the loss itself",
    "convex": "logistic regression: a Hessian that is positive definite and moves",
    "saddle": "a net with fewer parameters than targets and an indefinite Hessian",
}
"""Cases whose whole Hessian is invertible: the suite of Newton's method."""

OPTIONAL = {
    "decay": "decoupled weight decay γ",
    "schedule": "a learning rate that falls twice within the run",
    "heavy_ball": "momentum in the convention of R's chapters 3 and 4",
    "double_grad": "gradients averaged with the previous second pass (R Section 2.8.3)",
    "improvement1_off": "K-BFGS with the double damping of chapter 2 (R Table 3.8)",
    "improvement2_off": "K-BFGS with the Hessian action of a moving average of A (R Table 3.8)",
    "accept": "steps of length 1, of which those with ρ < η are refused (R Section 5.6)",
    "preconditioned": "conjugate gradients with Martens' preconditioner",
    "rows": "`curvature` names rows of the batch, neither its head nor in order",
    "elsewhere": "`curvature` is another batch, of one example more",
    "dead_layer": "a hidden layer that never fires: all derivatives up to it are 0",
}
"""Cases that ask for more than the bare method; named in `cases=` by those whose code has it."""

EVERY = (*TRAPS, *tuple(OPTIONAL)[:6], *IMAGES, *SQUARE, *tuple(OPTIONAL)[6:])
"""All cases; the place of one decides its seeds and hyper-parameters, so that new ones stand last."""

LEVENBERG_MARQUARDT: dict[str, tuple[Any, ...]] = {
    "alpha": (0.4, 0.15, 0.25), "lam_LM": (0.5, 2.0, 0.1, 1.0), "boost": (1.5, 1.25, 1.75), "drop": (0.75, 0.5, 0.9),
    "eps": (0.25, 0.3, 0.1), "tau": (0.05, 0.001, 0.02)}

HYPER: dict[str, dict[str, tuple[Any, ...]]] = {
    "sgd_m": {"alpha": (0.3, 0.7, 0.45), "beta": (0.9, 0.75, 0.6)},
    "adam": {"alpha": (0.2, 0.06, 0.11), "beta1": (0.9, 0.7, 0.8), "beta2": (0.98, 0.999, 0.9), "eps": (1e-8, 1e-3, 1e-5)},
    "kbfgs20": {"alpha": (0.4, 0.15, 0.25), "lam": (0.3, 0.64, 1.0, 0.05), "beta": (0.9, 0.7, 0.8), "mu1": (0.2, 0.35)},
    "kbfgs20_l": {"alpha": (0.4, 0.15, 0.25), "lam": (0.3, 0.64, 1.0, 0.05), "beta": (0.9, 0.7, 0.8), "mu1": (0.2, 0.35),
                  "p": (2, 3, 1)},
    "kbfgs20_l_skip": {"alpha": (0.4, 0.15, 0.25), "lam": (0.3, 0.64, 1.0, 0.05), "beta": (0.9, 0.7, 0.8), "mu1": (0.2, 0.8, 0.35),
                       "p": (2, 3, 1)},
    "kfac20": {"alpha": (0.3, 0.1, 0.2), "lam": (0.3, 3.0, 0.01), "beta": (0.9, 0.7, 0.8), "T": (2, 3, 1)},
    "kbfgs": {"alpha": (0.4, 0.15, 0.25), "lam": (0.3, 2.5, 1.0, 0.05), "beta": (0.9, 0.7, 0.8), "mu1": (0.2, 0.35),
              "T": (1, 1, 2)},
    "kbfgs_l": {"alpha": (0.4, 0.15, 0.25), "lam": (0.3, 2.5, 1.0, 0.05), "beta": (0.9, 0.7, 0.8), "mu1": (0.2, 0.35),
                "T": (1, 1, 2), "p": (2, 3, 1)},
    "kbfgs_l_exact": {"alpha": (0.4, 0.15, 0.25), "lam_A": (0.5, 1.25, 0.2), "lam_G": (0.75, 0.3, 1.5, 0.4),
                      "beta": (0.9, 0.7, 0.8), "mu1": (0.2, 0.35), "p": (2, 3, 1)},
    **{method: {"alpha": (0.3, 0.1, 0.2), "lam": (0.3, 3.0, 0.01), "beta": (0.9, 0.7, 0.8), "T_1": (1, 1, 2, 1),
                "T_2": (2, 3, 2, 1)} for method in ("kfac", "kfac_ef")},
    "tnt": {"alpha": (0.4, 0.15, 0.25), "eps": (0.3, 0.1, 0.05, 1.0), "mu": (0.9, 0.6, 0.75), "beta": (0.9, 0.7, 0.8),
            "T_1": (1, 2, 1), "T_2": (2, 3, 1)},
    "tnt_ef": {"alpha": (0.4, 0.15, 0.25), "eps": (0.3, 0.1, 0.05, 1.0), "mu": (0.9, 0.6, 0.75), "beta": (0.9, 0.7, 0.8),
               "T_1": (1, 2, 1), "T_2": (2, 3, 1)},
    "tnt_ideal": {"alpha": (0.4, 0.15, 0.25), "eps": (0.3, 0.1, 0.05, 1.0)},
    "shampoo": {"alpha": (0.4, 0.15, 0.25), "eps": (0.03, 0.1, 0.3, 0.01), "mu": (0.9, 0.6, 0.75), "beta": (0.9, 0.7, 0.8),
                "T_1": (1, 2, 1), "T_2": (2, 3, 1), "tolerance": (1e-6,)},
    "block_fisher": {"alpha": (0.4, 0.15, 0.25), "eps": (0.3, 0.1, 0.05, 1.0), "beta": (0.9, 0.7, 0.8)},
    "smw_gn": LEVENBERG_MARQUARDT,
    "smw_ng": LEVENBERG_MARQUARDT,
    "smw_ng_bd": LEVENBERG_MARQUARDT,
    "hessian_free": LEVENBERG_MARQUARDT | {"iterations": (3, 2, 4), "progress": (0.0005,)},
    "grouped_newton": {"lam1": (0.5, 1.0, 0.25), "lam_int": (1.0, 4.0, 0.25), "mu_g": (0.5, 0.75, 0.9), "mu_eta": (0.5, 0.25),
                       "tau": (2, 1, 3), "partition": ("canonical", "by_layer", "by_role")},
    "newton": {"lam1": (1.0, 0.75, 0.5)},
    "cauchy": {"lam1": (1.0, 0.5, 0.75)},
    "rmsprop": {"alpha": (0.1, 0.03, 0.07), "beta1": (0.9, 0.7, 0.8), "beta2": (0.9, 0.95, 0.8), "eps": (1e-4, 1e-3, 1e-8)},
}
"""Hyper-parameters, cycled over a suite so that no two neighbours share them, α so large that a step can be read off W."""


CONVOLUTIONAL = ("kbfgs", "kbfgs_l", "kbfgs_l_exact", "kfac", "kfac_ef", "tnt", "tnt_ef", "shampoo", "smw_gn", "smw_ng",
                 "smw_ng_bd", "hessian_free", "grouped_newton", "cauchy")
"""The methods whose suite has images."""

SUBSAMPLED = ("smw_gn", "smw_ng", "smw_ng_bd", "hessian_free")
"""The methods that take the curvature from a part S₂ of the batch."""

SAMPLED_TWICE = ("grouped_newton", "newton", "cauchy")
"""The methods whose batches have a second one, of one example more, as their `curvature`."""

KRONECKER = ("kbfgs20", "kbfgs20_l", "kbfgs20_l_skip", "kfac20", "kbfgs", "kbfgs_l", "kbfgs_l_exact", "kfac", "kfac_ef", "tnt",
             "tnt_ef", "shampoo", "block_fisher")
"""The methods with a matrix for each layer or tensor, which is 0 where all derivatives are."""

ONLY = {"rows": ("tnt_ideal", "grouped_newton", "cauchy"), "elsewhere": ("tnt_ideal", *SUBSAMPLED), "dead_layer": KRONECKER}
"""The methods that have a case whatever their hyper-parameters: those whose suite takes the curvature from elsewhere, and those
that would divide by what is 0 there, of which the text says nothing (DEV-KFAC-3, DEV-KBFGS20-3, DEV-TNT-4)."""

LEFT_OUT = {**dict.fromkeys(("kbfgs_l_exact", "kfac_ef", *SUBSAMPLED), ("normalised",)),
            **dict.fromkeys(("tnt_ideal", "block_fisher"), ("digits",)),
            **dict.fromkeys(("grouped_newton", "cauchy"), ("large",))}
"""What a method refuses (batch normalisation), is too large for (expectations over all targets, matrices of all weights), or has no
curvature to divide by in (saturated probabilities)."""

ASKED: dict[str, dict[str, Any]] = {
    "penalty": {"eta": 0.03}, "decay": {"gamma": 0.05}, "schedule": {"alpha": StepDecay(1, 0.5, 2)},
    "heavy_ball": {"momentum": "heavy_ball"}, "double_grad": {"double_grad": True, "eta": 0.03},
    "improvement1_off": {"improvement1": False, "lam": 0.3}, "improvement2_off": {"improvement2": False},
    "accept": {"alpha": 1, "accept": 0.17, "lam_LM": 0.03}, "preconditioned": {"preconditioner": "empirical_fisher"},
}
"""The hyper-parameters that a case is about; a schedule starts from the rate that the case has otherwise."""


def suite(method: str) -> tuple[str, ...]:
    """The names of a method's default suite."""
    if method == "newton":
        return tuple(SQUARE)
    names = (*TRAPS, *IMAGES) if method in CONVOLUTIONAL else tuple(TRAPS)
    return tuple(name for name in names if _fits(method, name) and name not in LEFT_OUT.get(method, ()))


def optional(method: str) -> tuple[str, ...]:
    """The names of the cases that a method can have on request."""
    return tuple(name for name in OPTIONAL if _fits(method, name))


def _fits(method: str, name: str) -> bool:
    return set(ASKED.get(name, ())) <= set(METHODS[method].Hyper._fields) and method in ONLY.get(name, METHODS)


def cases(method: str, names: Any = None, dtype: str = "float64") -> tuple[Case, ...]:
    """The default suite of a method, or the cases of the given names.

    Raises   ValueError for an unknown method or case.
    """
    expect(method in METHODS, "method", f"one of {', '.join(METHODS)}", "the reference has these", repr(method))
    names = suite(method) if names is None else tuple(names)
    known = tuple(name for name in EVERY if _fits(method, name))
    for name in names:
        expect(name in known, "case", f"one of {', '.join(known)}",
               f"{method} has no {' or '.join(ASKED[name])}" if name in ASKED else "suites are made of these", repr(name))
    return tuple(_case(method, name, EVERY.index(name)).in_dtype(dtype) for name in names)


def _case(method: str, name: str, index: int) -> Case:
    rng = np.random.default_rng(1000 + index)
    model, N, steps = _NETS.get(name, _NETS["plain"])
    sizes = [N, max(1, N - 2), *[N] * (steps - 2)]              # not all alike: a mean is over the batch at hand
    params = nets.init(model, seed=index)
    params = tuple(type(layer)(layer[0], layer[1] + 0.1 * rng.standard_normal(layer[1].shape)) for layer in params)
    if name == "digits":
        images, labels = digits()
        order = np.split(rng.permutation(len(labels))[: sum(sizes)], np.cumsum(sizes)[:-1])
        batches = tuple(_sampled(model, nets.Batch(images[rows], labels[rows]), rng) for rows in order)
    else:
        batches = tuple(_batch(model, size, rng) for size in sizes)
    by_rows = name == "rows" or (method in SUBSAMPLED and name != "elsewhere")
    if name == "elsewhere" or (method in SAMPLED_TWICE and not by_rows):
        batches = tuple(batch._replace(curvature=_second(model, batch, rng)) for batch in batches)
    if name in ("dead", "strided"):
        W, b = params[0]
        params = (nets.Layer(W, np.where(np.arange(len(b)) == 1, -100.0, b)), *params[1:])
    if name == "dead_layer":
        W, b = params[1]
        params = (params[0], nets.Layer(W, b - 100), *params[2:])
    if name == "degenerate":
        batches = tuple(batch._replace(x=_degenerate(batch.x), curvature=batch.curvature and batch.curvature._replace(
            x=_degenerate(batch.curvature.x))) for batch in batches)
    if name == "large":
        W, b = params[-1]
        params = (*params[:-1], nets.Layer(300 * W, b))
    if by_rows:                                 # less than half of the batch, neither its head nor in order
        batches = tuple(batch._replace(curvature=np.arange(len(batch.x))[::-2][:6]) for batch in batches)
    hyper = {field: values[index % len(values)] for field, values in HYPER[method].items()}
    asked = ASKED.get(name, {})
    hyper |= asked if name != "schedule" else {"alpha": asked["alpha"]._replace(alpha=hyper["alpha"])}
    params, batches = cast(cast((params, batches), "float32"), "float64")
    numbers = METHODS[method].Hyper(**hyper)
    numbers = numbers._replace(**{field: float(x) for field, x in numbers._asdict().items() if isinstance(x, Fraction)})
    return Case(name, method, model, params, numbers, batches, batches)


def _batch(model: nets.Model, N: int, rng: np.random.Generator) -> nets.Batch:
    x = rng.standard_normal((N, *model.input_shape))
    m = nets.layer_shapes(model)[-1][0]
    y = {"mse": lambda: rng.standard_normal((N, m)), "bce": lambda: rng.random((N, m)),
         "softmax_ce": lambda: rng.integers(0, m, N)}[model.loss]()
    return _sampled(model, nets.Batch(x, y), rng)


def _second(model: nets.Model, batch: nets.Batch, rng: np.random.Generator) -> nets.Batch:
    """A batch of one example more; of real data, those of `batch` with one of them twice."""
    if len(batch.x) == 60:
        again = [*range(60), 7]
        return nets.Batch(batch.x[again], batch.y[again])
    return _batch(model, len(batch.x) + 1, rng)._replace(y_sampled=None)


def _sampled(model: nets.Model, batch: nets.Batch, rng: np.random.Generator) -> nets.Batch:
    """The batch with targets drawn as if every output were 0: data, as far as a judge is concerned."""
    m = nets.layer_shapes(model)[-1][0]
    return batch._replace(y_sampled=nets.sample_targets(model, np.zeros((len(batch.x), m)), rng))


def _degenerate(x: np.ndarray) -> np.ndarray:
    x = x[np.arange(len(x)) // 2 * 2]
    x[:, 0] = 1.0
    return x


_NETS = {
    "plain": (nets.mlp((3, 4, 2), ("relu", "linear"), "mse"), 5, 5),
    "labels": (nets.mlp((4, 3, 5, 2), ("tanh", "logistic", "linear"), "softmax_ce"), 7, 5),
    "probabilities": (nets.mlp((3, 5, 4), ("elu", "linear"), "bce"), 6, 5),
    "dead": (nets.mlp((3, 4, 2), ("relu", "linear"), "softmax_ce"), 6, 4),
    "narrow": (nets.mlp((1, 1, 1), ("tanh", "logistic"), "mse"), 1, 4),
    "degenerate": (nets.mlp((4, 3, 2), ("tanh", "linear"), "mse"), 6, 4),
    "large": (nets.mlp((3, 4, 3), ("tanh", "linear"), "softmax_ce"), 5, 4),
    "quadratic": (nets.mlp((3, 2), ("linear",), "mse"), 9, 4),
    "convex": (nets.mlp((3, 2), ("linear",), "bce"), 12, 4),
    "saddle": (nets.mlp((2, 2, 1), ("tanh", "linear"), "mse"), 14, 4),
    **dict.fromkeys(("accept", "rows", "elsewhere"), (nets.mlp((4, 3, 5, 2), ("tanh", "logistic", "linear"), "softmax_ce"), 7, 5)),
    "dead_layer": (nets.mlp((3, 4, 5, 2), ("tanh", "relu", "linear"), "softmax_ce"), 6, 4),
    "digits": (nets.mlp((64, 20, 10), ("relu", "linear"), "softmax_ce"), 60, 4),
    "images": (nets.cnn((2, 4, 3), (nets.Conv2d(3, (3, 1)), nets.Act("tanh"), nets.AvgPool((2, 1)), nets.Conv2d(2, 1),
                                    nets.Act("relu"), nets.Flatten(), nets.Dense(3)), "softmax_ce"), 5, 4),
    "strided": (nets.cnn((1, 7, 6), (nets.Conv2d(3, (3, 2), stride=2, padding="valid"), nets.Act("relu"), nets.MaxPool(2, stride=1),
                                     nets.Flatten(), nets.Dense(2)), "mse"), 4, 4),
    "normalised": (nets.cnn((2, 3, 3), (nets.Conv2d(2, 3), nets.BatchNorm(), nets.Act("relu"), nets.Flatten(), nets.Dense(4),
                                        nets.BatchNorm(), nets.Act("tanh"), nets.Dense(2)), "mse"), 6, 4),
    "residual": (nets.cnn((2, 3, 3), (nets.Residual((nets.Conv2d(3, 3), nets.Act("tanh"), nets.Conv2d(2, 1)), (nets.Conv2d(2, 1),)),
                                      nets.Act("relu"), nets.Flatten(), nets.Dense(2)), "bce"), 5, 4),
}
"""Model, batch size (of all but the second batch, which is smaller) and steps; names that are not here are as "plain"."""
