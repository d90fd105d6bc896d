"""Hessian-free: (B + λI)p = −g by conjugate gradients that meet the Gauss-Newton matrix B in products alone.

Paper    R Sections 5.3 and 5.8: the method that chapter 5 compares with, after Martens (2010), without an algorithm of its own.
         It is Algorithm 23 with conjugate gradients for the Sherman-Morrison-Woodbury formula.
Symbols  `grad` the gradient g over the mini-batch S₁, in W̄; B over S₂ ⊆ S₁ as in (5.2); p the direction; ρ, λ as in
         `parts.levenberg_marquardt`.
Departs  DEV-HF-1: what the thesis leaves open: conjugate gradients start at 0, end by Martens' rule, and their last iterate is
         taken. DEV-HF-2: Martens' preconditioner on request. As in `subsampled`: ρ at θ + p (DEV-SMW-3), ηI in B (DEV-SMW-4).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number
from ..arrays.errors import expect
from .parts import levenberg_marquardt as lm
from .parts.conjugate_gradient import conjugate_gradient
from .parts.curvature import examples, ggn_product, squared_gradients
from .parts.descent import check_descent, finite, learning_rate
from .parts.given import check_positive, check_start, check_state
from .parts.kronecker import each, inner, joined, joined_gradient, split

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    alpha, lam_LM, boost, drop, eps, tau, accept, eta     as in `subsampled`.
    iterations       products with B in a step, at most (Martens 2010, Section 4.4: 250).
    progress         conjugate gradients end after i iterations that have not lowered their model by the share k · progress in the
                     last k = max(10, i/10) (Martens 2010, Section 4.4: 0.0005); 0: no such end.
    preconditioner   "none", or "empirical_fisher": (diag Σ_i ∇f_i ⊙ ∇f_i + λI)^(3/4) over S₂ (Martens 2010, Section 4.7).
    """

    alpha: Any = Fraction(1, 10)
    lam_LM: Any = 1
    boost: Any = Fraction(101, 100)
    drop: Any = Fraction(99, 100)
    eps: Any = Fraction(1, 4)
    tau: Any = Fraction(1, 1000)
    accept: Any = None
    eta: Any = 0
    iterations: int = 250
    progress: Any = Fraction(1, 2000)
    preconditioner: str = "none"


class State(NamedTuple):
    """k: steps taken; lam_LM (): λ_LM of the next step."""

    k: int
    lam_LM: Array


class Trace(NamedTuple):
    """Every intermediate in the order of computation. By layer, like W̄ (d_out, d_in + 1): grad, p, W.

    foretold, rho, lam_LM (): what the model foretells, ρ, and λ_LM of the next step.
    """

    grad: tuple[Array, ...]
    p: tuple[Array, ...]
    foretold: Array
    rho: Array
    lam_LM: Array
    W: tuple[Array, ...]


LINES = {"grad": "R23.4", "p": "R23.5", "foretold": "R(5.5)", "rho": "R(5.5)", "lam_LM": "R23.6", "W": "R23.7"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """λ_LM as the hyper-parameters have it; the data are not looked at."""
    check_hyper(hyper)
    check_start(model, params)
    nets.expect_uncoupled(model, "hessian_free")
    return State(0, namespace(*nets.tensors(params)).const(hyper.lam_LM))                                            # R§5.8


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch S₁, whose `curvature` names S₂.  Returns new params, new state and the trace; nothing is written to."""
    check_hyper(hyper)
    check_state(state, State, model, params, lam_LM=())
    check_positive("state.lam_LM", state.lam_LM)
    xp = namespace(*nets.tensors(params))
    k = state.k + 1                                                                                                  # R23.2
    alpha = learning_rate(hyper.alpha, k, params[0].W)
    eta = xp.const(hyper.eta)
    lam = state.lam_LM + xp.const(hyper.tau)                                                                         # R§5.2.3

    tape = nets.forward(model, params, batch.x) if tape is None else tape                                          # R§5.4.1
    S_2 = examples(model, params, tape, batch)                                                                       # R23.3
    g = nets.pre_gradients(model, params, tape, batch.y)                                                             # R23.4
    grad = joined_gradient(g, tape.a, params, hyper.eta)                                                             # R23.4

    def B(X: tuple[Array, ...]) -> tuple[Array, ...]:
        ggn_X = joined(ggn_product(model, params, S_2.tape, split(params, X)))
        return each(lambda BX, X: BX + eta * X, ggn_X, X)                                                     # R(5.2) DEV-SMW-4

    M = None
    if hyper.preconditioner == "empirical_fisher":
        root = each(lambda v: xp.sqrt(v + lam), squared_gradients(model, params, S_2))                              # DEV-HF-2
        M = each(lambda root: root * xp.sqrt(root), root)                                                           # DEV-HF-2
    p = conjugate_gradient(lambda X: each(lambda BX, X: BX + lam * X, B(X), X), each(lambda D: -D, grad),
                           iterations=hyper.iterations, progress=hyper.progress, M=M).x                              # R23.5

    theta = joined(params)
    f, f_p = lm.here_and_ahead(model, params, theta, tape, batch, p, hyper.eta)                                      # R(5.5)
    pBp = inner(p, B(p))                                                                                             # R(5.5)
    foretold = -inner(grad, p) - pBp / 2                                                                             # R(5.5)
    rho = lm.reduction_ratio(f, f_p, foretold)                                                                       # R(5.5)
    lam_LM = lm.adapted.trusted(state.lam_LM, rho, eps=hyper.eps, boost=hyper.boost, drop=hyper.drop)                # R23.6
    taken = hyper.accept is None or bool(rho >= xp.const(hyper.accept))                                              # R§5.6
    W = each(lambda W, p: W + alpha * p, theta, p) if taken else theta                                               # R23.7
    return split(params, finite("W", W)), State(k, lam_LM), Trace(grad, p, foretold, rho, lam_LM, W)


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    lm.check_hyper(hyper)
    expect(isinstance(hyper.iterations, int) and hyper.iterations >= 1, "iterations", "a positive integer", "it counts products",
           hyper.iterations)
    check_number("progress", hyper.progress, lambda progress: 0 <= progress < 1, "a number in [0, 1)", "it is a share")
    expect(hyper.preconditioner in ("none", "empirical_fisher"), "preconditioner", "'none' or 'empirical_fisher'",
           "these two are written", repr(hyper.preconditioner))
