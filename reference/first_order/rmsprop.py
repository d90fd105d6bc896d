"""RMSprop as the thesis runs it: Adam's two averages without bias correction, v started from the data.

Paper    R Section 2.8.2; Hinton, *Neural networks for machine learning*, lecture 6e, which has no average of g.
Symbols  g gradient; m, v averages of g and of g ⊙ g; p direction; β₁, β₂ in the notation of Kingma and Ba.
Departs  DEV-RMSPROP-1: the text says both "exactly as Hinton" and "the only difference from Adam is the bias correction";
         we take the second, and β₁ = 0 gives the first. DEV-RMSPROP-2: what v starts from.
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

    alpha           learning rate, a number or a `StepDecay` (R Table 2.5, MNIST and FACES).
    beta1, beta2    decay of the two averages (R Section 2.8.2); beta1 = 0 is Hinton's method.
    eps             added to √v (R Table 2.5, MNIST and FACES).
    eta, gamma      penalty and decoupled weight decay, as in `parts.descent`.
    """

    alpha: Any = Fraction(1, 10**4)
    beta1: Any = Fraction(9, 10)
    beta2: Any = Fraction(9, 10)
    eps: Any = Fraction(1, 10**4)
    eta: Any = 0
    gamma: Any = 0


class State(NamedTuple):
    """k: steps taken; m, v: the two averages, one array a tensor."""

    k: int
    m: tuple[Array, ...]
    v: tuple[Array, ...]


class Trace(NamedTuple):
    """Every intermediate in the order of computation, one array a tensor."""

    g: tuple[Array, ...]
    m: tuple[Array, ...]
    v: tuple[Array, ...]
    p: tuple[Array, ...]
    theta: tuple[Array, ...]


LINES = {"g": "R§2.8.2", "m": "R§2.8.2", "v": "R§2.8.2", "p": "R§2.8.2", "theta": "R§2.8.2"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """m = 0; v = the mean of ḡ ⊙ ḡ over the batches of `data`, weighted by their size (DEV-RMSPROP-2).

    Takes    data: a Batch or an iterable of Batches.
    Raises   ValueError where there is none.
    """
    check_hyper(hyper)
    check_start(model, params)
    batches = nets.batches(data, "v starts from the data (R Section 2.8.2)")
    total = sum(batch.x.shape[0] for batch in batches)
    m = tuple(namespace(theta_i).zeros(theta_i.shape) for theta_i in nets.tensors(params))
    v = m
    for batch in batches:
        g = gradient(model, params, batch, hyper.eta, None)
        v = tuple(v_i + g_i**2 * batch.x.shape[0] / total for v_i, g_i in zip(v, g, strict=True))
    return State(0, m, v)


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing that was passed in is written to."""
    check_hyper(hyper)
    check_state(state, State, model, params, m=by_tensor(params), v=by_tensor(params))
    k = state.k + 1
    theta = nets.tensors(params)
    xp = namespace(*theta)
    alpha = learning_rate(hyper.alpha, k, theta[0])
    beta1, beta2, eps = xp.const(hyper.beta1), xp.const(hyper.beta2), xp.const(hyper.eps)
    g = gradient(model, params, batch, hyper.eta, tape)                                         # R§2.8.2
    m = tuple(beta1 * m_i + (1 - beta1) * g_i for m_i, g_i in zip(state.m, g, strict=True))     # R§2.8.2
    v = tuple(beta2 * v_i + (1 - beta2) * g_i**2 for v_i, g_i in zip(state.v, g, strict=True))  # R§2.8.2
    p = tuple(m_i / (xp.sqrt(v_i) + eps) for m_i, v_i in zip(m, v, strict=True))                # R§2.8.2
    theta = tuple(descend(theta_i, p_i, alpha, hyper.gamma) for theta_i, p_i in zip(theta, p, strict=True))  # R§2.8.2
    return nets.layers(finite("theta", theta), params), State(k, m, v), Trace(g, m, v, p, theta)


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("beta1", hyper.beta1, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    check_number("beta2", hyper.beta2, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    check_number("eps", hyper.eps, lambda eps: eps > 0, "a positive number", "a dead unit has v = 0")
