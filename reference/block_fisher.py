"""The block Fisher method: natural gradient with the full Fisher matrix of every layer, the yardstick of R Figure 4.1.

Paper    R Section 4.3.4 (below Figure 4.1), which says no more than that gradient and blocks are moving averages with decay 0.9;
         Section 4.2.
Symbols  `grad`, `grad_h` the mini-batch gradient in W̄ and its moving average; F the mean over examples of vec(𝒟W̄) vec(𝒟W̄)ᵀ, for
         sampled targets, rows of W̄ one after the other; p a direction.
Departs  DEV-BLOCK_FISHER-1: what the text leaves open, its damping above all.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number
from .parts.descent import check_descent, finite, learning_rate
from .parts.fisher import of_weights, with_sampled
from .parts.given import by_layer, check_start, check_state
from .parts.kronecker import damped, each, join, joined, joined_gradient, over_data, split
from .parts.tensors import vec

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source, where there is one.

    alpha   learning rate, a number or a `StepDecay`; the text gives none.
    eps     damping ε > 0 of every block; the text gives none, and this is TNT's (R Table 4.3, MNIST).
    beta    decay of both moving averages (R Section 4.3.4).
    eta     weight of the penalty η/2 ‖θ‖², of which chapter 4 has none.
    """

    alpha: Any = Fraction(1, 10)
    eps: Any = Fraction(1, 10)
    beta: Any = Fraction(9, 10)
    eta: Any = 0


class State(NamedTuple):
    """k: steps taken. By layer: grad_h (d_o, d_i + 1); F (n, n), n = d_o (d_i + 1)."""

    k: int
    grad_h: tuple[Array, ...]
    F: tuple[Array, ...]


class Trace(NamedTuple):
    """Every intermediate in the order of computation, by layer; shapes as in `State`, p and W (as W̄) like grad_h."""

    grad: tuple[Array, ...]
    grad_h: tuple[Array, ...]
    F: tuple[Array, ...]
    p: tuple[Array, ...]
    W: tuple[Array, ...]


LINES = {"grad": "R§4.3.4", "grad_h": "R§4.3.4", "F": "R§4.3.4", "p": "R§4.3.4", "W": "R§4.3.4"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start of chapter 4: F from all of `data` (R Section 4.5); momentum 0.

    Takes    data: a Batch or an iterable of Batches, each with `y_sampled`.
    """
    check_hyper(hyper)
    check_start(model, params)
    nets.expect_mlp(model, "block_fisher")
    F = over_data(data, lambda batch: blocks(model, params, nets.forward(model, params, batch.x), batch))         # R§4.3.4
    return State(0, each(namespace(*F).zeros_like, joined(params)), F)


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch with `y_sampled`.  Returns new params, new state and the trace; nothing is written to."""
    check_hyper(hyper)
    check_state(state, State, model, params, grad_h="oi", F=tuple((o * i, o * i) for o, i in by_layer(params, "oi")))
    xp = namespace(*nets.tensors(params))
    beta, eps = xp.const(hyper.beta), xp.const(hyper.eps)
    k = state.k + 1
    alpha = learning_rate(hyper.alpha, k, params[0].W)

    tape = nets.forward(model, params, batch.x) if tape is None else tape
    grad = joined_gradient(nets.pre_gradients(model, params, tape, batch.y), tape.a, params, hyper.eta)           # R§4.3.4
    grad_h = each(lambda D_h, D: beta * D_h + (1 - beta) * D, state.grad_h, grad)                                  # R§4.3.4
    F = each(lambda F, new: beta * F + (1 - beta) * new, state.F, blocks(model, params, tape, batch))             # R§4.3.4
    p = each(lambda F, D_h: xp.reshape(xp.solve(damped(F, eps), vec(D_h)), D_h.shape), F, grad_h)                  # R§4.3.4
    W = each(lambda layer, p: join(layer) - alpha * p, params, p)                                                  # R§4.3.4
    return split(params, finite("W", W)), State(k, grad_h, F), Trace(grad, grad_h, F, p, W)


def blocks(model: nets.Model, params: Any, tape: nets.Tape, batch: nets.Batch) -> tuple[Array, ...]:
    """By layer: the mean over examples of vec(𝒟W̄) vec(𝒟W̄)ᵀ for the sampled targets."""
    g = nets.pre_gradients(model, params, tape, with_sampled(batch).y)
    return each(second_moment_of_gradients, g, tape.a)


def second_moment_of_gradients(g: Array, a: Array) -> Array:
    """The mean over examples of vec(g āᵀ) vec(g āᵀ)ᵀ, for g (N, P, d_out), a (N, P, d_in + 1)."""
    rows = namespace(g, a).reshape(of_weights(g, a), (g.shape[0], -1))
    return rows.T @ rows / g.shape[0]


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("eps", hyper.eps, lambda eps: eps > 0, "a positive number", "it makes every block invertible")
    check_number("beta", hyper.beta, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
