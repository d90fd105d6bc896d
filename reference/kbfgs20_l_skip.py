"""K-BFGS(L) with skipping and exact inversion: the variant of chapter 2 whose convergence is proved.

Paper    R Algorithm 5, Section 2.7.
Symbols  as in `kbfgs20`; S, Y (d_o, m) the stored pairs of a layer, m ≤ p.
Departs  DEV-KBFGS20-2 and -4, as in `kbfgs20`. A pair s̃ = ỹ = 0 passes line 17 as printed (0 ≥ 0) and is passed over
         (DEV-KBFGS20-3).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number
from ..arrays.errors import expect
from .parts import lbfgs
from .parts.damping import double_damping
from .parts.descent import check_descent, finite, learning_rate
from .parts.given import check_start, check_state
from .parts.kronecker import both, damped, each, join, joined_gradient, mean, means, over_data, second_moment, split

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    alpha      learning rate, a number or a `StepDecay` (R Table 2.5, MNIST; Theorem 2 wants α_k ∝ k^(−β)).
    lam        damping λ, in (0, 1], split evenly into λ_A and λ_G (R Table 2.5, MNIST).
    beta, mu1  moving averages and Powell's damping (R Algorithm 5, line 1).
    p          pairs that L-BFGS keeps (R Section 2.8.2).
    eta        weight of the penalty η/2 ‖θ‖² (R Section 2.8.2).
    """

    alpha: Any = Fraction(3, 10)
    lam: Any = Fraction(3, 10)
    beta: Any = Fraction(9, 10)
    mu1: Any = Fraction(1, 5)
    p: int = 100
    eta: Any = 0


class State(NamedTuple):
    """k: steps taken. By layer: A, H_a (d_i + 1, d_i + 1); H_g a Memory of vectors (d_o,); s_g, y_g (d_o,)."""

    k: int
    A: tuple[Array, ...]
    H_a: tuple[Array, ...]
    H_g: tuple[lbfgs.Memory, ...]
    s_g: tuple[Array, ...]
    y_g: tuple[Array, ...]


class Trace(NamedTuple):
    """Every intermediate in the order of computation, by layer; shapes as in `State`; grad, p, W (as W̄) (d_o, d_i + 1)."""

    grad: tuple[Array, ...]
    p: tuple[Array, ...]
    W: tuple[Array, ...]
    s_g: tuple[Array, ...]
    y_g: tuple[Array, ...]
    s_t: tuple[Array, ...]
    y_t: tuple[Array, ...]
    H_g: tuple[lbfgs.Memory, ...]
    A: tuple[Array, ...]
    A_LM: tuple[Array, ...]
    H_a: tuple[Array, ...]


LINES = {"grad": "R5.6", "p": "R5.8", "W": "R5.10", "s_g": "R5.15", "y_g": "R5.15", "s_t": "R5.16", "y_t": "R5.16",
         "S": "R5.18", "Y": "R5.18", "A": "R5.21", "A_LM": "R5.22", "H_a": "R5.23"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start: A from all of `data`, H_a from A, H_g = I, averages 0.

    Takes    data: a Batch or an iterable of Batches.
    """
    check_hyper(hyper)
    check_start(model, params)
    nets.expect_mlp(model, "kbfgs20_l_skip")
    xp = namespace(*nets.tensors(params))
    lam_A = xp.sqrt(xp.const(hyper.lam))                                                                             # R5.2
    A = over_data(data, lambda batch: each(second_moment, nets.forward(model, params, batch.x).a))                   # R5.3
    H_a = each(lambda A: xp.inv(damped(A, lam_A)), A)                                                                # R5.3
    H_g = each(lambda layer: lbfgs.empty(layer.b.shape[0], hyper.p, layer.b), params)                                # R5.3
    s_g, y_g = (each(lambda layer: xp.zeros_like(layer.b), params) for _ in range(2))                       # DEV-KBFGS20-4
    return State(0, A, H_a, H_g, s_g, y_g)


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing that was passed in is written to."""
    check_hyper(hyper)
    check_state(state, State, model, params, A="ii", H_a="ii", H_g="oo", s_g="o", y_g="o")
    lbfgs.check_kept("state.H_g", state.H_g, hyper.p)
    xp = namespace(*nets.tensors(params))
    beta, mu1 = xp.const(hyper.beta), xp.const(hyper.mu1)                                                            # R5.1
    lam_A = lam_G = xp.sqrt(xp.const(hyper.lam))                                                                     # R5.2
    k = state.k + 1                                                                                                  # R5.4
    alpha = learning_rate(hyper.alpha, k, params[0].W)

    tape = nets.forward(model, params, batch.x) if tape is None else tape                                            # R5.6
    g = nets.pre_gradients(model, params, tape, batch.y)                                                             # R5.6
    grad = joined_gradient(g, tape.a, params, hyper.eta)                                                             # R5.6
    p = each(lambda H_g, D, H_a: H_g @ D @ H_a, state.H_g, grad, state.H_a)                                          # R5.8
    W = each(lambda layer, p: join(layer) - alpha * p, params, p)                                                    # R5.10
    params = split(params, finite("W", W))
    after = means(model, params, batch, hyper.eta)                                                                   # R5.12
    s_g = each(lambda s, h_p, h: beta * s + (1 - beta) * (h_p - mean(h)), state.s_g, after.h, tape.h)                # R5.15
    y_g = each(lambda y, g_p, g: beta * y + (1 - beta) * (g_p - mean(g)), state.y_g, after.g, g)                     # R5.15
    s_t, y_t = both(lambda s, y, H: double_damping.trusted(s, y, H, mu1=mu1, mu2=lam_G), s_g, y_g, state.H_g)     # R5.16
    H_g = each(lambda H, s, y: lbfgs.updated(H, s, y) if accepted(H, s, y, mu1) else H, state.H_g, s_t, y_t)         # R5.18
    A = each(lambda A, a: beta * A + (1 - beta) * second_moment(a), state.A, tape.a)                                 # R5.21
    A_LM = each(lambda A: damped(A, lam_A), A)                                                                       # R5.22
    H_a = each(xp.inv, A_LM)                                                                                         # R5.23
    return params, State(k, A, H_a, H_g, s_g, y_g), Trace(grad, p, W, s_g, y_g, s_t, y_t, H_g, A, A_LM, H_a)


def accepted(H: lbfgs.Memory, s_t: Array, y_t: Array, mu1: Any) -> Any:
    """Does the damped pair s̃, ỹ (d_o,) pass the test of line 17, s̃ᵀỹ ≥ μ₁ ỹᵀHỹ?"""
    return s_t @ y_t >= mu1 * (y_t @ (H @ y_t))                                                    # R5.17


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("lam", hyper.lam, lambda lam: 0 < lam <= 1, "a number in (0, 1]",
                 "μ₂ = √λ and Algorithm 3 has a pole beyond 1 (DEV-KBFGS20-2)")
    check_number("beta", hyper.beta, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    check_number("mu1", hyper.mu1, lambda mu1: 0 < mu1 < 1, "a number in (0, 1)", "it weighs old curvature against new")
    expect(isinstance(hyper.p, int) and hyper.p >= 1, "p", "a positive integer", "it counts pairs", hyper.p)
