"""K-FAC as chapter 3 compares with it: Fisher factors of dense and convolutional layers, with a damping that π splits.

Paper    R Algorithm 12; Section 3.7.1 (rates that fall in steps), Section 3.7.2 (weight decay, parameters of batch normalisation).
         With the targets of the data for sampled ones the factors are empirical: `METHODS["kfac_ef"]` is this file with `HyperEF`.
Symbols  `DW`, `DW_h` the mini-batch gradient 𝒟W̃ in W̄ (R (3.2)) and its momentum 𝒟Ŵ; Ω = E[Σ_t a_t a_tᵀ], the A of `kbfgs`;
         Γ = E[𝒟h_t 𝒟h_tᵀ], a mean over positions as well; H_Ω, H_Γ their damped inverses; p a direction.
         `D_norm`, `D_norm_h`, `norm` gradient, momentum and value of (γ; β) of every BatchNorm.
Departs  DEV-KFAC-1: line 8 uses H_Ω, H_Γ before line 19 first computes them; they come from the warm start. DEV-KFAC-2: line 12
         follows the update of W in the text; Ω and Γ are taken before it, where y is sampled. DEV-KFAC-3: π = 1 where Γ = 0.
         DEV-KFAC-4: the parameters of batch normalisation follow their momentum. DEV-KFAC-5: T_2 < T_1 is refused.
         DEV-KBFGS-2, as in `kbfgs`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number
from ..arrays.errors import expect
from .parts.descent import check_descent, descend, finite, learning_rate
from .parts.given import by_norm, check_start, check_state
from .parts.kronecker import (
    damped,
    each,
    joined,
    joined_gradient,
    of_layers,
    over_data,
    sampled_gradients,
    second_moment,
    split,
    stacked,
    stacked_gradient,
)

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    fisher     whose targets Γ is taken from: "sampled" from the predictive distribution (R Algorithm 12), or the "empirical" ones.
    alpha      learning rate, a number or a `StepDecay` (R Table 3.5, MNIST).
    lam        damping λ > 0; π√λ is added to Ω and √λ/π to Γ (R Table 3.5, MNIST).
    beta       momentum, and decay of the moving averages (R Algorithm 12, line 1).
    T_1, T_2   Ω and Γ are updated in every T_1-th step, their inverses in every T_2-th (R Section 3.7.1: 1, 20; for CNNs 10, 100).
    gamma      decoupled weight decay (R Section 3.7.2).
    """

    fisher: str = "sampled"
    alpha: Any = Fraction(3, 100)
    lam: Any = 1
    beta: Any = Fraction(9, 10)
    T_1: int = 1
    T_2: int = 20
    gamma: Any = 0


class HyperEF(Hyper):
    """`Hyper` for KFAC-EF; learning rate and damping of R Table 4.5, MNIST."""

    __slots__ = ()

    def __new__(cls, fisher: str = "empirical", alpha: Any = 1, lam: Any = 100, *rest: Any, **named: Any) -> HyperEF:  # noqa: D102
        return super().__new__(cls, fisher, alpha, lam, *rest, **named)


class State(NamedTuple):
    """k: steps taken. By layer: DW_h (d_o, d_i + 1); Omega, H_Omega (d_i + 1, d_i + 1); Gamma, H_Gamma (d_o, d_o).

    D_norm_h (2, C) by BatchNorm.
    """

    k: int
    DW_h: tuple[Array, ...]
    Omega: tuple[Array, ...]
    Gamma: tuple[Array, ...]
    H_Omega: tuple[Array, ...]
    H_Gamma: tuple[Array, ...]
    D_norm_h: tuple[Array, ...] = ()


class Trace(NamedTuple):
    """Every intermediate in the order of computation, by layer or BatchNorm; shapes as in `State`, p and W (as W̄) like DW_h.

    pi (): numbers; () in steps that invert nothing.
    """

    DW: tuple[Array, ...]
    D_norm: tuple[Array, ...]
    DW_h: tuple[Array, ...]
    D_norm_h: tuple[Array, ...]
    p: tuple[Array, ...]
    W: tuple[Array, ...]
    norm: tuple[Array, ...]
    Omega: tuple[Array, ...]
    Gamma: tuple[Array, ...]
    pi: tuple[Array, ...]
    H_Omega: tuple[Array, ...]
    H_Gamma: tuple[Array, ...]


LINES = {"DW": "R12.5", "D_norm": "R12.5", "DW_h": "R12.7", "D_norm_h": "R§3.7.2", "p": "R12.8", "W": "R12.9", "norm": "R§3.7.2",
         "Omega": "R12.14", "Gamma": "R12.14", "pi": "R12.19", "H_Omega": "R12.19", "H_Gamma": "R12.19"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start: Ω and Γ from all of `data`, and their damped inverses (R Section 3.7.2, DEV-KFAC-1).

    Takes    data: a Batch or an iterable of Batches, each with `y_sampled` unless the factors are empirical.
    """
    check_hyper(hyper, model)
    check_start(model, params)
    xp = namespace(*nets.tensors(params))
    DW_h, D_norm_h = each(xp.zeros_like, joined(params)), each(xp.zeros_like, stacked(params))                       # R12.2

    def factors(batch: nets.Batch) -> tuple[Array, ...]:
        tape = nets.forward(model, params, batch.x)
        return (*each(second_moment, of_layers(params, tape.a)),
                *each(position_mean, fisher_gradients(model, params, tape, batch, hyper)))

    both = over_data(data, factors)                                                                                  # R12.2
    Omega, Gamma = both[:len(DW_h)], both[len(DW_h):]
    root = xp.sqrt(xp.const(hyper.lam))                                                                              # R12.19
    _, H_Omega, H_Gamma = inverses(Omega, Gamma, root)                                                         # DEV-KFAC-1
    return State(0, DW_h, Omega, Gamma, H_Omega, H_Gamma, D_norm_h)


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch, with `y_sampled` where line 11 needs it.  Returns new params, new state and the trace."""
    check_hyper(hyper, model)
    check_state(state, State, model, params, DW_h="oi", Omega="ii", Gamma="oo", H_Omega="ii", H_Gamma="oo",
                D_norm_h=by_norm(params))
    xp = namespace(*nets.tensors(params))
    beta, root = xp.const(hyper.beta), xp.sqrt(xp.const(hyper.lam))                                                  # R12.1
    k = state.k + 1                                                                                                  # R12.3
    alpha = learning_rate(hyper.alpha, k, params[0][0])

    tape = nets.forward(model, params, batch.x) if tape is None else tape                                            # R12.5
    g = nets.pre_gradients(model, params, tape, batch.y)                                                             # R12.5
    DW = joined_gradient(g, tape.a, params, 0)                                                                       # R12.5
    D_norm = stacked_gradient(g, tape.a, params)                                                                     # R12.5
    DW_h = each(lambda D_h, D: beta * D_h + D, state.DW_h, DW)                                                       # R12.7
    D_norm_h = each(lambda D_h, D: beta * D_h + D, state.D_norm_h, D_norm)                                           # R§3.7.2
    p = each(lambda H_Gamma, D_h, H_Omega: H_Gamma @ D_h @ H_Omega, state.H_Gamma, DW_h, state.H_Omega)              # R12.8
    W = each(lambda W, p: descend(W, p, alpha, hyper.gamma), joined(params), p)                                      # R12.9
    norm = each(lambda norm, D_h: norm - alpha * D_h, stacked(params), D_norm_h)                                     # R§3.7.2

    Omega, Gamma, H_Omega, H_Gamma = state.Omega, state.Gamma, state.H_Omega, state.H_Gamma
    pi: tuple[Array, ...] = ()
    due_1 = k % hyper.T_1 == 0                                                                                       # R12.11
    if due_1:
        g_F = fisher_gradients(model, params, tape, batch, hyper)                                         # R12.12  DEV-KFAC-2
        Omega = each(lambda Omega, a: beta * Omega + (1 - beta) * second_moment(a), Omega, of_layers(params, tape.a))   # R12.14
        Gamma = each(lambda Gamma, g: beta * Gamma + (1 - beta) * position_mean(g), Gamma, g_F)                       # R12.14
    due_2 = k % hyper.T_2 == 0                                                                                       # R12.17
    if due_2:
        pi, H_Omega, H_Gamma = inverses(Omega, Gamma, root)
    return (split(params, finite("W", W), finite("norm", norm)), State(k, DW_h, Omega, Gamma, H_Omega, H_Gamma, D_norm_h),
            Trace(DW, D_norm, DW_h, D_norm_h, p, W, norm, Omega, Gamma, pi, H_Omega, H_Gamma))


def fisher_gradients(model: nets.Model, params: Any, tape: nets.Tape, batch: nets.Batch, hyper: Hyper) -> tuple[Array, ...]:
    """𝒟h by layer, (N, P, d_out), for the targets that Γ is taken from."""
    if hyper.fisher == "empirical":
        return of_layers(params, nets.pre_gradients(model, params, tape, batch.y))
    return sampled_gradients(model, params, tape, batch)


def position_mean(g: Array) -> Array:
    """The mean over examples and positions of g gᵀ: (N, P, d) to (d, d)."""
    return second_moment(g) / g.shape[1]


def inverses(Omega: tuple[Array, ...], Gamma: tuple[Array, ...], root: Any) -> tuple[tuple[Array, ...], ...]:
    """π, H_Ω = (Ω + π√λ I)⁻¹ and H_Γ = (Γ + √λ/π I)⁻¹ of every layer, from √λ."""
    xp = namespace(*Omega)
    pi = each(balance, Omega, Gamma)                                                                                 # R12.19
    H_Omega = each(lambda Omega, pi: xp.inv(damped(Omega, pi * root)), Omega, pi)                                    # R12.19
    H_Gamma = each(lambda Gamma, pi: xp.inv(damped(Gamma, root / pi)), Gamma, pi)                                    # R12.19
    return pi, H_Omega, H_Gamma


def balance(Omega: Array, Gamma: Array) -> Any:
    """π = √(trace(Ω ⊗ I)/trace(I ⊗ Γ)) = √(trace Ω/d_Ω ÷ trace Γ/d_Γ); 1 where Γ = 0, which leaves it open (DEV-KFAC-3).

    Takes    Omega (d_Ω, d_Ω), Gamma (d_Γ, d_Γ), positive semidefinite; Ω is not 0, since its inputs are homogeneous.
    Ensures  in floats, π is finite and not 0 even where the quotient of the traces is not: both roots have half of its exponent.
             In exact arithmetic, whose `smallest` is 0, one root is taken, which may be rational where two are not.
    """
    xp = namespace(Omega, Gamma)
    of_Omega, of_Gamma = xp.trace(Omega) * Gamma.shape[0], xp.trace(Gamma) * Omega.shape[0]
    if not of_Gamma > xp.smallest:
        return xp.const(1)
    if not (of_Omega * xp.smallest <= of_Gamma and of_Gamma * xp.smallest <= of_Omega):
        return xp.sqrt(of_Omega) / xp.sqrt(of_Gamma)
    return xp.sqrt(of_Omega / of_Gamma)                                                                              # R12.19


def check_hyper(hyper: Hyper, model: nets.Model) -> None:
    """Raise ValueError for a hyper-parameter out of its range, and for empirical factors of a net with a BatchNorm."""
    check_descent(hyper, Hyper)
    expect(hyper.fisher in ("sampled", "empirical"), "fisher", "'sampled' or 'empirical'", "targets are one of these",
           repr(hyper.fisher))
    if hyper.fisher == "empirical":
        nets.expect_uncoupled(model, "kfac_ef")
    check_number("lam", hyper.lam, lambda lam: lam > 0, "a positive number", "it makes Ω and Γ invertible")
    check_number("beta", hyper.beta, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    expect(isinstance(hyper.T_1, int) and hyper.T_1 >= 1, "T_1", "a positive integer", "it counts steps", hyper.T_1)
    expect(isinstance(hyper.T_2, int) and hyper.T_2 >= hyper.T_1, "T_2", f"an integer >= T_1 = {hyper.T_1}",
           "inverses change when their matrices do (DEV-KFAC-5)", hyper.T_2)
