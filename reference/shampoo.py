"""Shampoo as chapter 4 compares with it: moving averages, momentum, and inverse roots by a coupled Newton iteration.

Paper    R Algorithm 16, Section 4.7.2; what differs from Gupta et al. and from Anil et al. is said there.
Symbols  `grad` the mini-batch gradient ∇𝓛, `grad_h` its heavy-ball momentum; Ĝ⁽ⁱ⁾ (`G_h`) moving averages of the contractions
         of the gradient; (Ĝ⁽ⁱ⁾ + εI)^(−1/2k) (`root_inv`), k the order of the tensor; p a direction.
Departs  DEV-SHAMPOO-1: line 14 uses roots before line 12 first computes them; they come from the warm start. DEV-TNT-3, DEV-TNT-5
         as in TNT; DEV-ROOTS-1, DEV-ROOTS-2: how the iteration starts and ends.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from .parts.descent import check_descent, descend, finite, gradient, learning_rate
from .parts.given import by_tensor, check_start, check_state, of_modes
from .parts.kronecker import damped, each
from .parts.roots import TOLERANCE, check_tolerance, inverse_root
from .parts.tensor_normal import Factors, by_mode, check_factors, contractions, factors_over_data, preconditioned

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    alpha, eps  learning rate, a number or a `StepDecay`, and damping ε > 0 of every Ĝ⁽ⁱ⁾ (R Table 4.3, MNIST).
    mu, beta    momentum, Ĝ⁽ⁱ⁾ = βĜ⁽ⁱ⁾ + (1 − β)Ḡ⁽ⁱ⁾ (R Algorithm 16, line 1).
    T_1, T_2    periods of the statistics and of the roots (R Section 4.7.1).
    gamma       decoupled weight decay (R Algorithm 16, line 15; 0 in Section 4.7.2).
    eta         weight of the penalty η/2 ‖θ‖², of which chapter 4 has none.
    view        the modes of a tensor, see `parts.tensor_normal.as_modes` (R Section 4.7.2).
    tolerance   of the coupled Newton iteration (R Section 4.7.2).
    """

    alpha: Any = Fraction(3, 10**4)
    eps: Any = Fraction(3, 10**4)
    mu: Any = Fraction(9, 10)
    beta: Any = Fraction(9, 10)
    T_1: int = 1
    T_2: int = 20
    gamma: Any = 0
    eta: Any = 0
    view: str = "3-way"
    tolerance: Any = TOLERANCE


class State(NamedTuple):
    """k: steps taken (t in the text); grad_h: by tensor, in its shape; G_h, root_inv: by tensor and mode, (d_i, d_i)."""

    k: int
    grad_h: tuple[Array, ...]
    G_h: Factors
    root_inv: Factors


class Trace(NamedTuple):
    """Every intermediate in the order of computation: by tensor, in its shape, or by tensor and mode, (d_i, d_i).

    p is that of line 14, before weight decay.
    """

    grad: tuple[Array, ...]
    grad_h: tuple[Array, ...]
    G_h: Factors
    root_inv: Factors
    p: tuple[Array, ...]
    theta: tuple[Array, ...]


LINES = {"grad": "R16.5", "grad_h": "R16.7", "G_h": "R16.9", "root_inv": "R16.12", "p": "R16.14", "theta": "R16.16"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start: Ĝ⁽ⁱ⁾ from all of `data`, and the roots that belong to it (DEV-SHAMPOO-1); momentum 0.

    Takes    data: a Batch or an iterable of Batches, of the size of the later ones (DEV-TNT-3).
    """
    check_hyper(hyper)
    check_start(model, params)
    theta = nets.tensors(params)
    G_h = factors_over_data(data, lambda batch: contractions(gradient(model, params, batch, hyper.eta, None),
                                                             hyper.view))                                           # R16.2
    grad_h = each(namespace(*theta).zeros_like, theta)                                                               # R16.2
    return State(0, grad_h, G_h, roots(G_h, hyper))                                                         # DEV-SHAMPOO-1


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing that was passed in is written to.

    Raises   ArithmeticError where a root is not reached, see `parts.roots.inverse_root`.
    """
    check_hyper(hyper)
    check_state(state, State, model, params, grad_h=by_tensor(params), G_h=of_modes(params, hyper.view),
                root_inv=of_modes(params, hyper.view))
    theta = nets.tensors(params)
    xp = namespace(*theta)
    mu, beta = xp.const(hyper.mu), xp.const(hyper.beta)                                                              # R16.1
    k = state.k + 1                                                                                                  # R16.3
    alpha = learning_rate(hyper.alpha, k, theta[0])

    grad = gradient(model, params, batch, hyper.eta, tape)                                                           # R16.5
    grad_h = each(lambda D_h, D: mu * D_h + D, state.grad_h, grad)                                                   # R16.7
    G_h = by_mode(lambda G, new: beta * G + (1 - beta) * new, state.G_h,
                  contractions(grad, hyper.view)) if k % hyper.T_1 == 0 else state.G_h                          # R16.8 R16.9
    root_inv = roots(G_h, hyper) if k % hyper.T_2 == 0 else state.root_inv                                    # R16.11 R16.12
    p = preconditioned(grad_h, root_inv, hyper.view)                                                                 # R16.14
    theta = each(lambda W, p: descend(W, p, alpha, hyper.gamma), theta, p)                                    # R16.15 R16.16
    return (nets.layers(finite("theta", theta), params), State(k, grad_h, G_h, root_inv),
            Trace(grad, grad_h, G_h, root_inv, p, theta))


def roots(G_h: Factors, hyper: Hyper) -> Factors:
    """(Ĝ⁽ⁱ⁾ + εI)^(−1/2k) for all tensors and modes, k the tensor's order.

    Takes    G_h: (d_i, d_i) each.
    """
    return each(lambda G: each(lambda G_i: inverse_root.trusted(damped(G_i, namespace(G_i).const(hyper.eps)), 2 * len(G),
                                                                hyper.tolerance), G), G_h)


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_factors(hyper)
    check_tolerance(hyper.tolerance)
