"""The idealized TNT of the convergence proof: the covariance of the model's own gradient itself, not an estimate of it.

Paper    R Algorithm 14, Section 4.4.
Symbols  `grad` the mini-batch gradient; E[G⁽ⁱ⁾] (`G`) over examples and over targets of the predictive distribution; Ũ_i
         (`U_t`); (Ũ_i + εI)⁻¹ (`U_inv`); p a direction.
Departs  DEV-TNT_IDEAL-1: which examples stand for the distribution of x; several tensors in place of one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number, check_rows
from .parts.descent import check_descent, finite, gradient, learning_rate
from .parts.fisher import per_example, weighted_targets
from .parts.given import check_start, check_state
from .parts.kronecker import damped, each
from .parts.tensor_normal import Factors, as_modes, by_mode, check_view, identify, preconditioned

Array = Any


class Hyper(NamedTuple):
    """The text gives no numbers; defaults are those of `tnt`.

    alpha, eps  learning rate, a number or a `StepDecay`, and damping ε > 0 of every Ũ_i.
    eta         weight of the penalty η/2 ‖θ‖², of which chapter 4 has none.
    view        the modes of a tensor, see `parts.tensor_normal.as_modes` (R Section 4.7.2).
    """

    alpha: Any = Fraction(1, 10**4)
    eps: Any = Fraction(1, 10)
    eta: Any = 0
    view: str = "3-way"


class State(NamedTuple):
    """k: steps taken (t in the text)."""

    k: int


class Trace(NamedTuple):
    """Every intermediate in the order of computation: by tensor, in its shape, or by tensor and mode, (d_i, d_i)."""

    grad: tuple[Array, ...]
    G: Factors
    U_t: Factors
    U_inv: Factors
    p: tuple[Array, ...]
    theta: tuple[Array, ...]


LINES = {"grad": "R14.3", "G": "R14.4", "U_t": "R14.4", "U_inv": "R14.5", "p": "R14.5", "theta": "R14.6"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """Nothing is remembered from step to step; the data are not looked at."""
    check_hyper(hyper)
    check_start(model, params)
    nets.expect_uncoupled(model, "tnt_ideal")
    return State(0)


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch; `batch.curvature` says over which examples the expectation runs, all of the batch where it is None.

    Returns new params, new state and the trace; nothing that was passed in is written to.
    """
    check_hyper(hyper)
    check_state(state, State, model, params)
    nets.expect_uncoupled(model, "tnt_ideal")
    k = state.k + 1                                                                                                  # R14.1
    theta = nets.tensors(params)
    alpha, eps = learning_rate(hyper.alpha, k, theta[0]), namespace(*theta).const(hyper.eps)

    grad = gradient(model, params, batch, hyper.eta, tape)                                                           # R14.3
    G = expectation(model, params, examples(batch), hyper.view)                                                      # R14.4
    U_t = each(lambda E: identify.trusted(E).U_t, G)                                                                 # R14.4
    U_inv = by_mode(lambda U: namespace(U).inv(damped(U, eps)), U_t)                                                 # R14.5
    p = preconditioned(grad, U_inv, hyper.view)                                                                      # R14.5
    theta = each(lambda W, p: W - alpha * p, theta, p)                                                               # R14.6
    return nets.layers(finite("theta", theta), params), State(k), Trace(grad, G, U_t, U_inv, p, theta)


def examples(batch: nets.Batch) -> Array:
    """The inputs x (N, …) that stand for their distribution (DEV-TNT_IDEAL-1).

    Raises   ValueError for rows that are no row numbers of this batch.
    """
    rows = batch.curvature
    if rows is None or isinstance(rows, nets.Batch):
        return batch.x if rows is None else rows.x
    check_rows(rows, batch.x.shape[0])
    return batch.x[rows]


def expectation(model: nets.Model, params: Any, x: Array, view: str) -> Factors:
    """E[G⁽ⁱ⁾] over the examples x (N, …), each with all targets of its predictive distribution, by tensor and mode."""
    tape = nets.forward(model, params, x)
    found: Any = None
    for w, y in weighted_targets(model, tape.output):
        G = per_example(nets.pre_gradients(model, params, tape, y), tape.a, params)
        terms = tuple(mean_contractions(as_modes(G_l, view, lead=1), w) for G_l in G)
        found = by_mode(lambda old, new: old + new, found, terms) if found else terms
    return found


def mean_contractions(G: Array, w: Array) -> tuple[Array, ...]:
    """The mean over n of w(n) G(n)⁽ⁱ⁾, for all modes i.

    Takes    G (N, d_1, …, d_k) one tensor an example; w (N,).
    """
    xp, N = namespace(G, w), G.shape[0]
    means = []
    for i in range(1, G.ndim):
        others = [axis for axis in range(1, G.ndim) if axis != i]
        rows = xp.permute_dims(G, (i, 0, *others))
        weighted = rows * xp.reshape(w, (1, N, *[1 for _ in others]))
        means.append(xp.reshape(weighted, (G.shape[i], -1)) @ xp.reshape(rows, (G.shape[i], -1)).T / N)
    return tuple(means)


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("eps", hyper.eps, lambda eps: eps > 0, "a positive number", "it makes every factor invertible")
    check_view(hyper.view)
