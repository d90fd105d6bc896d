"""Adam, as in Algorithm 1 of Kingma and Ba, which the thesis follows exactly.

Paper    Kingma and Ba, *Adam: a method for stochastic optimization*, Algorithm 1 (KB1, whose statements inside the loop we
         count 1 to 7: t, g, m, v, m̂, v̂, θ); R Sections 2.8.2, 3.7.2, 4.7.2.
Symbols  g gradient; m, v averages of g and of g ⊙ g; m̂, v̂ (`m_h`, `v_h`) without their bias towards 0; p direction.
Departs  nothing. DEV-ADAM-1 lists where ε stands in common code.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from ... import nets
from ...arrays import namespace
from ...arrays.checks import check_number
from ..parts.descent import check_descent, descend, finite, gradient, learning_rate
from ..parts.given import by_tensor, check_start, check_state

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    alpha           learning rate, a number or a `StepDecay` (KB1).
    beta1, beta2    decay of the two averages (KB1; R Section 4.7.2. R Section 2.8.2 takes 0.9 for both).
    eps             added to √v̂ (KB1; the thesis tunes it as a damping).
    eta, gamma      penalty and decoupled weight decay, as in `parts.descent`.
    """

    alpha: Any = Fraction(1, 1000)
    beta1: Any = Fraction(9, 10)
    beta2: Any = Fraction(999, 1000)
    eps: Any = Fraction(1, 10**8)
    eta: Any = 0
    gamma: Any = 0


class State(NamedTuple):
    """k: steps taken (t in KB1); m, v: the two averages, one array a tensor."""

    k: int
    m: tuple[Array, ...]
    v: tuple[Array, ...]


class Trace(NamedTuple):
    """Every intermediate in the order of computation, one array a tensor."""

    g: tuple[Array, ...]
    m: tuple[Array, ...]
    v: tuple[Array, ...]
    m_h: tuple[Array, ...]
    v_h: tuple[Array, ...]
    p: tuple[Array, ...]
    theta: tuple[Array, ...]


LINES = {"g": "KB1.2", "m": "KB1.3", "v": "KB1.4", "m_h": "KB1.5", "v_h": "KB1.6", "p": "KB1.7", "theta": "KB1.7"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """m = v = 0 (KB1); the data are not looked at: the bias correction makes a warm start needless (R Section 2.8.2)."""
    check_hyper(hyper)
    check_start(model, params)
    m, v = (tuple(namespace(theta_i).zeros(theta_i.shape) for theta_i in nets.tensors(params)) for _ in range(2))
    return State(0, m, v)


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing that was passed in is written to."""
    check_hyper(hyper)
    check_state(state, State, model, params, m=by_tensor(params), v=by_tensor(params))
    t = state.k + 1                                                                             # KB1.1
    theta = nets.tensors(params)
    xp = namespace(*theta)
    alpha = learning_rate(hyper.alpha, t, theta[0])
    beta1, beta2, eps = xp.const(hyper.beta1), xp.const(hyper.beta2), xp.const(hyper.eps)
    g = gradient(model, params, batch, hyper.eta, tape)                                         # KB1.2
    m = tuple(beta1 * m_i + (1 - beta1) * g_i for m_i, g_i in zip(state.m, g, strict=True))     # KB1.3
    v = tuple(beta2 * v_i + (1 - beta2) * g_i**2 for v_i, g_i in zip(state.v, g, strict=True))  # KB1.4
    m_h = tuple(m_i / (1 - beta1**t) for m_i in m)                                              # KB1.5
    v_h = tuple(v_i / (1 - beta2**t) for v_i in v)                                              # KB1.6
    p = tuple(m_i / (xp.sqrt(v_i) + eps) for m_i, v_i in zip(m_h, v_h, strict=True))            # KB1.7
    theta = tuple(descend(theta_i, p_i, alpha, hyper.gamma) for theta_i, p_i in zip(theta, p, strict=True))  # KB1.7
    return nets.layers(finite("theta", theta), params), State(t, m, v), Trace(g, m, v, m_h, v_h, p, theta)


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("beta1", hyper.beta1, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    check_number("beta2", hyper.beta2, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    check_number("eps", hyper.eps, lambda eps: eps > 0, "a positive number", "a dead unit has v = 0")
