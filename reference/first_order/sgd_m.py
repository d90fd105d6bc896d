"""SGD with momentum, in the two conventions of the thesis.

Paper    R Section 2.5.2, item 1 (chapter 2: a moving average); R Section 3.7.2 (chapters 3 and 4: heavy ball).
Symbols  g the mini-batch gradient; ĝ (`g_h`) its momentum; β the momentum's decay; α, η, γ as in `parts.descent`.
Departs  nothing. DEV-SGD_M-1 records that the two conventions differ by the factor 1 − β on ĝ.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from ... import nets
from ...arrays import namespace
from ...arrays.checks import check_number
from ...arrays.errors import expect
from ..parts.descent import check_descent, descend, finite, gradient, learning_rate
from ..parts.given import by_tensor, check_start, check_state

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    alpha       learning rate, a number or a `StepDecay` (R Table 2.5, MNIST).
    beta        momentum (R Section 2.8.2).
    momentum    "ema": ĝ = βĝ + (1 − β)g (R Section 2.5.2); "heavy_ball": ĝ = βĝ + g (R Section 3.7.2).
    eta         weight of the penalty η/2 ‖θ‖² (R Section 2.8.2 takes 1e-5 in its experiments).
    gamma       decoupled weight decay (R Section 3.7.2).
    """

    alpha: Any = Fraction(3, 100)
    beta: Any = Fraction(9, 10)
    momentum: str = "ema"
    eta: Any = 0
    gamma: Any = 0


class State(NamedTuple):
    """k: steps taken; g_h: momentum, one array a tensor."""

    k: int
    g_h: tuple[Array, ...]


class Trace(NamedTuple):
    """Every intermediate in the order of computation, one array a tensor."""

    g: tuple[Array, ...]
    g_h: tuple[Array, ...]
    theta: tuple[Array, ...]


LINES = {"g": "R§2.8.2", "g_h": "R§2.5.2", "theta": "R§3.7.2"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """ĝ = 0 (R Section 2.8.2); the data are not looked at."""
    check_hyper(hyper)
    check_start(model, params)
    return State(0, tuple(namespace(theta_i).zeros(theta_i.shape) for theta_i in nets.tensors(params)))


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing that was passed in is written to."""
    check_hyper(hyper)
    check_state(state, State, model, params, g_h=by_tensor(params))
    k = state.k + 1
    theta = nets.tensors(params)
    alpha = learning_rate(hyper.alpha, k, theta[0])
    beta = namespace(*theta).const(hyper.beta)
    new = 1 - beta if hyper.momentum == "ema" else 1
    g = gradient(model, params, batch, hyper.eta, tape)                                         # R§2.8.2
    g_h = tuple(beta * g_h_i + new * g_i for g_h_i, g_i in zip(state.g_h, g, strict=True))      # R§2.5.2
    theta = tuple(descend(theta_i, p_i, alpha, hyper.gamma) for theta_i, p_i in zip(theta, g_h, strict=True))  # R§3.7.2
    return nets.layers(finite("theta", theta), params), State(k, g_h), Trace(g, g_h, theta)


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("beta", hyper.beta, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "momentum must fade")
    expect(hyper.momentum in ("ema", "heavy_ball"), "momentum", "'ema' or 'heavy_ball'", "the thesis uses these two",
           repr(hyper.momentum))
