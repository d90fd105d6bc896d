"""Tensor-Normal Training (TNT): natural gradient with the covariance of a tensor-normal distribution for every tensor.

Paper    R Algorithm 15 (Algorithm 13 is its summary), Sections 4.3, 4.5. `METHODS["tnt_ef"]` is this file with `HyperEF`: the
         empirical gradient in place of the sampled one (Section 4.7.3).
Symbols  `grad` the mini-batch gradient ∇𝓛, `grad_h` its heavy-ball momentum; Ḡ (`G_b`) the gradient of sampled targets, averaged
         over the batch; Ĝ⁽ⁱ⁾ (`G_h`) moving averages of its contractions; Ũ_i (`U_t`); (Ũ_i + εI)⁻¹ (`U_inv`); p a direction.
Departs  DEV-TNT-1: line 18 uses inverses before line 16 first computes them; they come from the warm start. DEV-TNT-2: Ḡ⁽ⁱ⁾ has the
         mean E[G⁽ⁱ⁾]/m, m examples; it is used as printed. DEV-TNT-3: the warm start is the mean over the batches of `data`, which
         must be of the size of the later ones. DEV-TNT-5: T_2 < T_1 is refused.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.errors import expect
from .parts.descent import check_descent, descend, finite, gradient, learning_rate
from .parts.fisher import with_sampled
from .parts.given import by_tensor, check_start, check_state, of_modes
from .parts.kronecker import damped, each
from .parts.tensor_normal import Factors, by_mode, check_factors, contractions, factors_over_data, identify, preconditioned

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    fisher      "sampled": Ḡ from targets that the model draws (R Algorithm 15); "empirical": from the data's (R Section 4.7.3).
    alpha, eps  learning rate, a number or a `StepDecay`, and damping ε > 0 of every Ũ_i (R Table 4.3, MNIST).
    mu, beta    momentum, Ĝ = βĜ + (1 − β)Ḡ⁽ⁱ⁾ (R Algorithm 15, line 1).
    T_1, T_2    periods of the statistics and of the inverses (R Section 4.7.1).
    gamma       decoupled weight decay (R Algorithm 15, line 19; 0 in Section 4.7.2).
    eta         weight of the penalty η/2 ‖θ‖², of which chapter 4 has none.
    view        the modes of a tensor, see `parts.tensor_normal.as_modes` (R Section 4.7.2).
    """

    fisher: str = "sampled"
    alpha: Any = Fraction(1, 10**4)
    eps: Any = Fraction(1, 10)
    mu: Any = Fraction(9, 10)
    beta: Any = Fraction(9, 10)
    T_1: int = 1
    T_2: int = 20
    gamma: Any = 0
    eta: Any = 0
    view: str = "3-way"


class HyperEF(Hyper):
    """`Hyper` for TNT-EF; learning rate and damping of R Table 4.5, MNIST."""

    __slots__ = ()

    def __new__(cls, fisher: str = "empirical", alpha: Any = Fraction(3, 10**6), eps: Any = Fraction(1, 100),  # noqa: D102
                *rest: Any, **named: Any) -> HyperEF:
        return super().__new__(cls, fisher, alpha, eps, *rest, **named)


class State(NamedTuple):
    """k: steps taken (t in the text); grad_h: by tensor, in its shape; G_h, U_inv: by tensor and mode, (d_i, d_i)."""

    k: int
    grad_h: tuple[Array, ...]
    G_h: Factors
    U_inv: Factors


class Trace(NamedTuple):
    """Every intermediate in the order of computation: by tensor, in its shape, or by tensor and mode, (d_i, d_i).

    G_b and U_t are () in steps that do not compute them; p is that of line 18, before weight decay.
    """

    grad: tuple[Array, ...]
    G_b: tuple[Array, ...]
    grad_h: tuple[Array, ...]
    G_h: Factors
    U_t: Factors
    U_inv: Factors
    p: tuple[Array, ...]
    theta: tuple[Array, ...]


LINES = {"grad": "R15.5", "G_b": "R15.7", "grad_h": "R15.10", "G_h": "R15.12", "U_t": "R15.15", "U_inv": "R15.16", "p": "R15.18",
         "theta": "R15.20"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start: Ĝ⁽ⁱ⁾ from all of `data`, and the inverses that belong to it (DEV-TNT-1); momentum 0.

    Takes    data: a Batch or an iterable of Batches, of the size of the later ones (DEV-TNT-3), with `y_sampled` for "sampled".
    """
    check_hyper(hyper)
    check_start(model, params)
    theta = nets.tensors(params)
    eps = namespace(*theta).const(hyper.eps)

    def statistics(batch: nets.Batch) -> Factors:
        tape = nets.forward(model, params, batch.x)
        grad = gradient(model, params, batch, hyper.eta, tape) if hyper.fisher == "empirical" else ()
        return contractions(averaged(model, params, tape, batch, hyper, grad), hyper.view)

    G_h = factors_over_data(data, statistics)                                                                        # R15.2
    grad_h = each(namespace(*theta).zeros_like, theta)                                                               # R15.2
    return State(0, grad_h, G_h, inverses(each(lambda G: identify.trusted(G).U_t, G_h), eps))                           # DEV-TNT-1


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch, with `y_sampled` where the statistics are due.  Returns new params, new state and the trace."""
    check_hyper(hyper)
    check_state(state, State, model, params, grad_h=by_tensor(params), G_h=of_modes(params, hyper.view),
                U_inv=of_modes(params, hyper.view))
    theta = nets.tensors(params)
    xp = namespace(*theta)
    mu, beta = xp.const(hyper.mu), xp.const(hyper.beta)                                                              # R15.1
    k = state.k + 1                                                                                                  # R15.3
    alpha, eps = learning_rate(hyper.alpha, k, theta[0]), xp.const(hyper.eps)

    tape = nets.forward(model, params, batch.x) if tape is None else tape                                            # R15.5
    grad = gradient(model, params, batch, hyper.eta, tape)                                                           # R15.5
    G_b = averaged(model, params, tape, batch, hyper, grad) if k % hyper.T_1 == 0 else ()                     # R15.6 R15.7
    grad_h = each(lambda D_h, D: mu * D_h + D, state.grad_h, grad)                                                   # R15.10
    G_h = by_mode(lambda G, new: beta * G + (1 - beta) * new, state.G_h,
                  contractions(G_b, hyper.view)) if G_b else state.G_h                                      # R15.11 R15.12
    U_t = each(lambda G: identify.trusted(G).U_t, G_h) if k % hyper.T_2 == 0 else ()                                # R15.14 R15.15
    U_inv = inverses(U_t, eps) if U_t else state.U_inv                                                               # R15.16
    p = preconditioned(grad_h, U_inv, hyper.view)                                                                    # R15.18
    theta = each(lambda W, p: descend(W, p, alpha, hyper.gamma), theta, p)                                  # R15.19 R15.20
    return (nets.layers(finite("theta", theta), params), State(k, grad_h, G_h, U_inv),
            Trace(grad, G_b, grad_h, G_h, U_t, U_inv, p, theta))


def averaged(model: nets.Model, params: Any, tape: nets.Tape, batch: nets.Batch, hyper: Hyper, grad: Any) -> tuple[Array, ...]:
    """Ḡ_l: the gradient of the sampled targets' loss, averaged over the batch; for TNT-EF `grad`, without another pass."""
    return grad if hyper.fisher == "empirical" else gradient(model, params, with_sampled(batch), 0, tape)


def inverses(U_t: Factors, eps: Any) -> Factors:
    """(Ũ_i + εI)⁻¹ for all tensors and modes.

    Takes    U_t: (d_i, d_i) each.
    """
    return by_mode(lambda U: namespace(U).inv(damped(U, eps)), U_t)


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    expect(hyper.fisher in ("sampled", "empirical"), "fisher", "'sampled' or 'empirical'", "the text has these two",
           repr(hyper.fisher))
    check_factors(hyper)
