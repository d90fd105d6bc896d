"""K-FAC as chapter 2 compares with it: Fisher factors from sampled targets, inverted every T steps.

Paper    R Algorithm 7, Section 2.8.2; G here is that of Martens and Grosse, not the G of K-BFGS.
Symbols  `grad`, `grad_h` the mini-batch gradient ∇f in W̄ and its moving average ∇f̂; A = E[āāᵀ]; G = E[ggᵀ], g the pre-activation
         gradients of sampled targets; H_a, H_g their damped inverses; p a direction.
Departs  DEV-KFAC20-1: line 5 uses H_a, H_g before line 11 first computes them; they come from the warm start. DEV-KFAC20-2: line 8
         follows the update of W in the text; A and G are taken before it, at the parameters from which y is sampled.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number
from ..arrays.errors import expect
from .parts.descent import check_descent, finite, learning_rate
from .parts.given import check_start, check_state
from .parts.kronecker import damped, each, join, joined, joined_gradient, over_data, sampled_gradients, second_moment, split

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    alpha   learning rate, a number or a `StepDecay` (R Table 2.5, MNIST).
    lam     damping λ > 0; √λ is added to A and to G (R Table 2.5, MNIST).
    beta    decay of the moving averages (R Section 2.8.2).
    T       inverses are computed anew in steps 1 to T and in every T-th (R Section 2.8.2).
    eta     weight of the penalty η/2 ‖θ‖² (R Section 2.8.2 takes 1e-5 in its experiments).
    """

    alpha: Any = 1
    lam: Any = 3
    beta: Any = Fraction(9, 10)
    T: int = 20
    eta: Any = 0


class State(NamedTuple):
    """k: steps taken. By layer: grad_h (d_o, d_i + 1); A, H_a (d_i + 1, d_i + 1); G, H_g (d_o, d_o)."""

    k: int
    grad_h: tuple[Array, ...]
    A: tuple[Array, ...]
    G: tuple[Array, ...]
    H_a: tuple[Array, ...]
    H_g: tuple[Array, ...]


class Trace(NamedTuple):
    """Every intermediate in the order of computation, by layer; shapes as in `State`, p and W (as W̄) like grad_h."""

    grad: tuple[Array, ...]
    grad_h: tuple[Array, ...]
    p: tuple[Array, ...]
    W: tuple[Array, ...]
    A: tuple[Array, ...]
    G: tuple[Array, ...]
    H_a: tuple[Array, ...]
    H_g: tuple[Array, ...]


LINES = {"grad": "R7.3", "grad_h": "R§2.5.2", "p": "R7.5", "W": "R7.6", "A": "R7.9", "G": "R7.9", "H_a": "R7.11", "H_g": "R7.11"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start: A and G from all of `data`, and their damped inverses (R Section 2.8.2, DEV-KFAC20-1).

    Takes    data: a Batch or an iterable of Batches, each with `y_sampled`.
    """
    check_hyper(hyper)
    check_start(model, params)
    nets.expect_mlp(model, "kfac20")
    xp = namespace(*nets.tensors(params))
    root = xp.sqrt(xp.const(hyper.lam))
    zeros = each(xp.zeros_like, joined(params))

    def factors(batch: nets.Batch) -> tuple[Array, ...]:
        tape = nets.forward(model, params, batch.x)
        return each(second_moment, (*tape.a, *sampled_gradients(model, params, tape, batch)))

    A_G = over_data(data, factors)                                                                                   # R§2.8.2
    A, G = A_G[:len(params)], A_G[len(params):]
    return State(0, zeros, A, G, *(each(lambda M: xp.inv(damped(M, root)), factors) for factors in (A, G)))


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch with `y_sampled`.  Returns new params, new state and the trace; nothing is written to."""
    check_hyper(hyper)
    check_state(state, State, model, params, grad_h="oi", A="ii", G="oo", H_a="ii", H_g="oo")
    xp = namespace(*nets.tensors(params))
    beta, root = xp.const(hyper.beta), xp.sqrt(xp.const(hyper.lam))
    k = state.k + 1                                                                                                  # R7.1
    alpha = learning_rate(hyper.alpha, k, params[0].W)

    tape = nets.forward(model, params, batch.x) if tape is None else tape                                            # R7.3
    g = nets.pre_gradients(model, params, tape, batch.y)                                                             # R7.3
    grad = joined_gradient(g, tape.a, params, hyper.eta)                                                             # R7.3
    grad_h = each(lambda D_h, D: beta * D_h + (1 - beta) * D, state.grad_h, grad)                                    # R§2.5.2
    p = each(lambda H_g, D_h, H_a: H_g @ D_h @ H_a, state.H_g, grad_h, state.H_a)                                    # R7.5
    W = each(lambda layer, p: join(layer) - alpha * p, params, p)                                                    # R7.6

    g = sampled_gradients(model, params, tape, batch)                                               # R7.8  DEV-KFAC20-2
    A = each(lambda A, a: beta * A + (1 - beta) * second_moment(a), state.A, tape.a)                                 # R7.9
    G = each(lambda G, g: beta * G + (1 - beta) * second_moment(g), state.G, g)                                      # R7.9
    H_a, H_g = state.H_a, state.H_g
    if k <= hyper.T or k % hyper.T == 0:                                                                             # R7.10
        H_a = each(lambda A: xp.inv(damped(A, root)), A)                                                             # R7.11
        H_g = each(lambda G: xp.inv(damped(G, root)), G)                                                             # R7.11
    return split(params, finite("W", W)), State(k, grad_h, A, G, H_a, H_g), Trace(grad, grad_h, p, W, A, G, H_a, H_g)


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("lam", hyper.lam, lambda lam: lam > 0, "a positive number", "it makes A and G invertible")
    check_number("beta", hyper.beta, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    expect(isinstance(hyper.T, int) and hyper.T >= 1, "T", "a positive integer", "it counts steps", hyper.T)
