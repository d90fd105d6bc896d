"""K-BFGS of chapter 2 (K-BFGS-20): block-diagonal Kronecker-factored BFGS for multilayer perceptrons.

Paper    R Algorithm 4 (and 2, its summary); Sections 2.2 to 2.5, 2.8.2, 2.8.3. The L-BFGS form is `kbfgs20_l`.
Symbols  ∇f, ∇f̂ (`grad`, `grad_h`) mini-batch gradient in W̄ and its moving average; H_a, H_g inverses of A and G; A = E[āāᵀ];
         p direction; h⁺, g⁺ (`h_p`, `g_p`) pre-activations and their gradients after the step, on the same batch; s, y pairs.
Departs  DEV-KBFGS20-1: Algorithm 4 starts H_a from (A + λ_A I)⁻¹, Section 2.8.2 from I. DEV-KBFGS20-2: λ > 1 is refused, since
         μ₂ = √λ. DEV-KBFGS20-3: a pair s = y = 0 (a dead layer) is passed over. Algorithm 4 leaves s_g, y_g undefined before
         line 16; they start at 0, as in Algorithm 9.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number
from ..arrays.errors import expect
from .parts.damping import double_damping
from .parts.descent import learning_rate
from .parts.kronecker import damped, joined, joined_gradient, mean, over_data, second_moment, split
from .parts.quasi_newton import bfgs_H, hessian_action_pair

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    alpha          learning rate, a number or a `StepDecay` (R Table 2.5, MNIST).
    lam            damping λ, split evenly into λ_A and λ_G (R Table 2.5, MNIST).
    beta, mu1      moving average and Powell's damping (R Algorithm 4, line 1).
    H_a_start      "inverse": (A + λ_A I)⁻¹ (R Algorithm 4, line 3); "identity" (R Section 2.8.2).
    eta            weight of the penalty η/2 ‖θ‖² (R Section 2.8.2 takes 1e-5 in its experiments).
    double_grad    average ∇f with the gradient that the previous step's second pass met (R Section 2.8.3).
    """

    alpha: Any = Fraction(3, 10)
    lam: Any = Fraction(3, 10)
    beta: Any = Fraction(9, 10)
    mu1: Any = Fraction(1, 5)
    H_a_start: str = "inverse"
    eta: Any = 0
    double_grad: bool = False


class State(NamedTuple):
    """By layer. grad_h (d_o, d_i + 1); A, H_a (d_i + 1, d_i + 1); H_g (d_o, d_o); s_g, y_g (d_o,); grad_p like grad_h or ().

    k is the number of steps taken; grad_p the gradient of the last second pass, where double_grad asks for it.
    """

    k: int
    grad_h: tuple[Array, ...]
    A: tuple[Array, ...]
    H_a: tuple[Array, ...]
    H_g: tuple[Array, ...]
    s_g: tuple[Array, ...]
    y_g: tuple[Array, ...]
    grad_p: tuple[Array, ...] = ()


class Trace(NamedTuple):
    """Every intermediate in the order of computation, by layer; shapes as in `State`, W as W̄."""

    grad: tuple[Array, ...]
    grad_h: tuple[Array, ...]
    p: tuple[Array, ...]
    W: tuple[Array, ...]
    s_g: tuple[Array, ...]
    y_g: tuple[Array, ...]
    s_t: tuple[Array, ...]
    y_t: tuple[Array, ...]
    H_g: tuple[Array, ...]
    A: tuple[Array, ...]
    A_LM: tuple[Array, ...]
    s_a: tuple[Array, ...]
    y_a: tuple[Array, ...]
    H_a: tuple[Array, ...]


LINES = {"grad": "R4.6", "grad_h": "R4.8", "p": "R4.9", "W": "R4.11", "s_g": "R4.16", "y_g": "R4.16", "s_t": "R4.17",
         "y_t": "R4.17", "H_g": "R4.18", "A": "R4.20", "A_LM": "R4.21", "s_a": "R4.22", "y_a": "R4.22", "H_a": "R4.23"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start: A from all of `data`, H_a from A, H_g = I, averages 0.

    Takes    data: a Batch or an iterable of Batches.
    """
    lam_A = check(hyper, params[0].W).lam_A
    A = over_data(data, lambda batch: tuple(second_moment(a) for a in nets.forward(model, params, batch.x).a))        # R4.3
    xp = namespace(*A)
    H_a = tuple(xp.inv(damped(A_l, lam_A)) if hyper.H_a_start == "inverse" else xp.eye(A_l.shape[0]) for A_l in A)    # R4.3
    H_g = tuple(xp.eye(b.shape[0]) for _, b in params)                                                                # R4.3
    zeros = tuple(xp.zeros(b.shape) for _, b in params)
    return State(0, tuple(xp.zeros(W.shape) for W in joined(params)), A, H_a, H_g, zeros, zeros)                      # R4.3


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing that was passed in is written to."""
    c = check(hyper, params[0].W)
    beta, k, layers = c.beta, state.k + 1, range(len(params))
    alpha = learning_rate(hyper.alpha, k, params[0].W)
    t = Trace(*([] for _ in Trace._fields))  # type: ignore[arg-type]

    tape = nets.forward(model, params, batch.x) if tape is None else tape
    back = nets.backward(model, params, tape, batch.y)
    W_b = joined(params)
    grad = doubled(joined_gradient(back, W_b, hyper.eta), state.grad_p)                            # R4.6
    for l in layers:                                                                               # R4.7
        grad_h = beta * state.grad_h[l] + (1 - beta) * grad[l]                                     # R4.8
        p = state.H_g[l] @ grad_h @ state.H_a[l]                                                   # R4.9
        W = W_b[l] - alpha * p                                                                     # R4.11
        record(t, grad=grad[l], grad_h=grad_h, p=p, W=W)

    params_p = split(t.W)
    tape_p = nets.forward(model, params_p, batch.x)                                                # R4.13
    g_p, grad_p = second_pass(model, params_p, tape_p, batch.y, hyper)                             # R4.13
    for l in layers:                                                                               # R4.14
        s_g = beta * state.s_g[l] + (1 - beta) * (mean(tape_p.h[l]) - mean(tape.h[l]))             # R4.16
        y_g = beta * state.y_g[l] + (1 - beta) * (mean(g_p[l]) - mean(back.g[l]))                  # R4.16
        s_t, y_t = double_damping(s_g, y_g, state.H_g[l], mu1=hyper.mu1, mu2=c.lam_G)              # R4.17
        H_g = bfgs_H(state.H_g[l], s_t, y_t) if s_t @ s_t > 0 else state.H_g[l]                    # R4.18  DEV-KBFGS20-3
        A = beta * state.A[l] + (1 - beta) * second_moment(tape.a[l])                              # R4.20
        A_LM = damped(A, c.lam_A)                                                                  # R4.21
        s_a, y_a = hessian_action_pair(state.H_a[l], mean(tape.a[l]), A_LM)                        # R4.22
        H_a = bfgs_H(state.H_a[l], s_a, y_a)                                                       # R4.23
        record(t, s_g=s_g, y_g=y_g, s_t=s_t, y_t=y_t, H_g=H_g, A=A, A_LM=A_LM, s_a=s_a, y_a=y_a, H_a=H_a)

    t = Trace(*(tuple(values) for values in t))
    return params_p, State(k, t.grad_h, t.A, t.H_a, t.H_g, t.s_g, t.y_g, grad_p), t
