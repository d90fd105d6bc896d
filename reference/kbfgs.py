"""K-BFGS and K-BFGS(L): block-diagonal Kronecker-factored BFGS for dense and convolutional layers.

Paper    R Algorithm 9, which is both; Sections 3.3.2, 3.4; Sections 3.7.1 (rates that fall in steps), 3.7.2 (weight decay),
         Table 3.8 (its two switches). With p > 0 pairs, L-BFGS keeps H_G: `METHODS["kbfgs_l"]` is this file with `HyperL`.
Symbols  `DW`, `DW_h` the mini-batch gradient 𝒟W̃ in W̄ (R (3.2)) and its momentum 𝒟Ŵ; A = E[Σ_t a_t a_tᵀ]; H_A, H_G inverses of
         A and G; p a direction; ⁺ after the step, on the same batch; (s, y) pairs, ~ damped; P = |𝒯| output positions of a layer.
         `D_norm`, `D_norm_h`, `norm` gradient, momentum and value of (γ; β) of every BatchNorm.
Departs  DEV-KBFGS-1: a pair s = y = 0 (a dead layer) is passed over. DEV-KBFGS-2: weight decay acts on W̄, biases included, and
         on no BatchNorm. DEV-KBFGS-3: without improvement #1, λ_G > 1 is refused.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number
from ..arrays.errors import expect
from .parts import lbfgs
from .parts.damping import double_damping, dp_dlm
from .parts.descent import check_descent, descend, finite, learning_rate
from .parts.given import by_norm, check_start, check_state
from .parts.kronecker import (
    both,
    damped,
    each,
    joined,
    joined_gradient,
    mean,
    means,
    of_layers,
    over_data,
    second_moment,
    split,
    split_damping,
    stacked,
    stacked_gradient,
)
from .parts.quasi_newton import bfgs_H, hessian_action_pair, minibatch_action_pair

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    p              pairs that L-BFGS keeps for H_G; 0 is BFGS (R Section 3.4.3: 100 for K-BFGS(L)).
    alpha          learning rate, a number or a `StepDecay` (R Table 3.5, MNIST).
    lam            damping λ > 0, split into λ_A and λ_G (R Table 3.5, MNIST).
    beta, mu1      momentum and averages of pairs; Powell's damping (R Algorithm 9, line 1).
    T              the curvature is updated in every T-th step (R Section 3.7.1: 1 for autoencoders, 20 for CNNs).
    gamma          decoupled weight decay (R Section 3.7.2).
    improvement1   D_P D_LM (Algorithm 8); without it, double damping (Algorithm 3), as in Table 3.8.
    improvement2   the Hessian action of the mini-batch's A; without it, of a moving average of A (Algorithm 4), as in Table 3.8.
    """

    p: int = 0
    alpha: Any = Fraction(3, 100)
    lam: Any = Fraction(3, 10)
    beta: Any = Fraction(9, 10)
    mu1: Any = Fraction(1, 5)
    T: int = 1
    gamma: Any = 0
    improvement1: bool = True
    improvement2: bool = True


class HyperL(Hyper):
    """`Hyper` for K-BFGS(L): p = 100 pairs (R Section 3.4.3)."""

    __slots__ = ()

    def __new__(cls, p: int = 100, *rest: Any, **named: Any) -> HyperL:  # noqa: D102
        return super().__new__(cls, p, *rest, **named)


class State(NamedTuple):
    """k: steps taken. By layer: DW_h (d_o, d_i + 1); H_A (d_i + 1, d_i + 1); H_G (d_o, d_o) or a Memory; s_G, y_G (d_o,).

    D_norm_h (2, C) by BatchNorm. A, like H_A: the moving average, without improvement #2; () otherwise.
    """

    k: int
    DW_h: tuple[Array, ...]
    H_A: tuple[Array, ...]
    H_G: tuple[Any, ...]
    s_G: tuple[Array, ...]
    y_G: tuple[Array, ...]
    D_norm_h: tuple[Array, ...] = ()
    A: tuple[Array, ...] = ()


class Trace(NamedTuple):
    """Every intermediate in the order of computation, by layer or BatchNorm; shapes as in `State`, p and W (as W̄) like DW_h.

    s_A, y_A (d_i + 1,), s_t, y_t (d_o,) are () in steps without an update of the curvature.
    """

    DW: tuple[Array, ...]
    D_norm: tuple[Array, ...]
    DW_h: tuple[Array, ...]
    D_norm_h: tuple[Array, ...]
    p: tuple[Array, ...]
    W: tuple[Array, ...]
    norm: tuple[Array, ...]
    A: tuple[Array, ...]
    s_A: tuple[Array, ...]
    y_A: tuple[Array, ...]
    H_A: tuple[Array, ...]
    s_G: tuple[Array, ...]
    y_G: tuple[Array, ...]
    s_t: tuple[Array, ...]
    y_t: tuple[Array, ...]
    H_G: tuple[Any, ...]


LINES = {"DW": "R9.6", "D_norm": "R9.6", "DW_h": "R9.8", "D_norm_h": "R§3.4.3", "p": "R9.9", "W": "R9.10", "norm": "R§3.4.3",
         "A": "R§2.4", "s_A": "R9.16", "y_A": "R9.16", "H_A": "R9.17", "s_G": "R9.19", "y_G": "R9.19", "s_t": "R9.20",
         "y_t": "R9.20", "H_G": "R9.21"}
LINES_L = {name: tag for name, tag in LINES.items() if name != "H_G"} | {"S": "R9.21", "Y": "R9.21"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start: H_A from A of all of `data`, H_G = I/λ_G, momentum and averages 0.

    Takes    data: a Batch or an iterable of Batches.
    """
    check_hyper(hyper, model)
    check_start(model, params)
    xp = namespace(*nets.tensors(params))
    lam_A, lam_G = split_damping(model, params, hyper.lam)                                                           # R9.2
    layers = of_layers(params, params)
    DW_h, D_norm_h = each(xp.zeros_like, joined(params)), each(xp.zeros_like, stacked(params))                       # R9.3

    def second_moments(batch: nets.Batch) -> tuple[Array, ...]:
        return each(second_moment, of_layers(params, nets.forward(model, params, batch.x).a))

    A = over_data(data, second_moments)                                                                              # R9.3
    H_A = each(lambda A, lam_A: xp.inv(damped(A, lam_A)), A, lam_A)                                                  # R9.3
    H_G = each(lambda layer, lam_G: lbfgs.empty(layer.b.shape[0], hyper.p, layer.b, 1 / lam_G) if hyper.p
               else xp.eye(layer.b.shape[0]) / lam_G, layers, lam_G)                                                 # R9.3
    s_G, y_G = (each(lambda layer: xp.zeros_like(layer.b), layers) for _ in range(2))                                # R9.3
    return State(0, DW_h, H_A, H_G, s_G, y_G, D_norm_h, () if hyper.improvement2 else A)


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing that was passed in is written to."""
    check_hyper(hyper, model)
    check_state(state, State, model, params, DW_h="oi", H_A="ii", H_G="oo", s_G="o", y_G="o", D_norm_h=by_norm(params),
                A=() if hyper.improvement2 else "ii")
    lbfgs.check_kept("state.H_G", state.H_G, hyper.p)
    xp = namespace(*nets.tensors(params))
    beta, mu1 = xp.const(hyper.beta), xp.const(hyper.mu1)                                                            # R9.1
    lam_A, lam_G = split_damping(model, params, hyper.lam)                                                           # R9.2
    k = state.k + 1                                                                                                  # R9.4
    alpha = learning_rate(hyper.alpha, k, params[0][0])

    tape = nets.forward(model, params, batch.x) if tape is None else tape                                            # R9.6
    g = nets.pre_gradients(model, params, tape, batch.y)                                                             # R9.6
    DW = joined_gradient(g, tape.a, params, 0)                                                                       # R9.6
    D_norm = stacked_gradient(g, tape.a, params)                                                                     # R9.6
    DW_h = each(lambda D_h, D: beta * D_h + D, state.DW_h, DW)                                                       # R9.8
    D_norm_h = each(lambda D_h, D: beta * D_h + D, state.D_norm_h, D_norm)                                           # R§3.4.3
    p = each(lambda H_G, D_h, H_A: H_G @ D_h @ H_A, state.H_G, DW_h, state.H_A)                                      # R9.9
    W = each(lambda W, p: descend(W, p, alpha, hyper.gamma), joined(params), p)                                      # R9.10
    norm = each(lambda norm, D_h: norm - alpha / xp.const(hyper.lam) * D_h, stacked(params), D_norm_h)               # R§3.4.3
    a, h, g = (of_layers(params, values) for values in (tape.a, tape.h, g))
    params = split(params, finite("W", W), finite("norm", norm))

    A, H_A, s_G, y_G, H_G = state.A, state.H_A, state.s_G, state.y_G, state.H_G
    s_A = y_A = s_t = y_t = ()
    due = k % hyper.T == 0                                                                                           # R9.12
    if due:
        after = means(model, params, batch, 0)                                                                       # R9.13
        if hyper.improvement2:
            s_A, y_A = both(lambda H, a, lam: minibatch_action_pair.trusted(H, a, lam=lam), H_A, a, lam_A)           # R9.16
        else:
            A = each(lambda A, a: beta * A + (1 - beta) * second_moment(a), A, a)                                    # R§2.4
            s_A, y_A = both(lambda H, a, A, lam: hessian_action_pair.trusted(H, mean(a), damped(A, lam)),
                            H_A, a, A, lam_A)                                                                        # R§2.4
        H_A = each(bfgs_H.trusted, H_A, s_A, y_A)                                                                    # R9.17
        s_G = each(lambda s, h_p, h: beta * s + (1 - beta) * (h_p - mean(h)), s_G, after.h, h)                       # R9.19
        y_G = each(lambda y, g_p, g: beta * y + (1 - beta) * (g_p - mean(g)), y_G, after.g, g)                       # R9.19
        damping = dp_dlm if hyper.improvement1 else double_damping
        s_t, y_t = both(lambda s, y, H, mu2: damping.trusted(s, y, H, mu1=mu1, mu2=mu2), s_G, y_G, H_G, lam_G)       # R9.20
        H_G = each(lbfgs.updated, H_G, s_t, y_t)                                                                     # R9.21
    return (params, State(k, DW_h, H_A, H_G, s_G, y_G, D_norm_h, A),
            Trace(DW, D_norm, DW_h, D_norm_h, p, W, norm, A, s_A, y_A, H_A, s_G, y_G, s_t, y_t, H_G))


def check_hyper(hyper: Hyper, model: nets.Model) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("lam", hyper.lam, lambda lam: lam > 0, "a positive number", "it makes A and G invertible")
    check_number("beta", hyper.beta, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    check_number("mu1", hyper.mu1, lambda mu1: 0 < mu1 < 1, "a number in (0, 1)", "it weighs old curvature against new")
    expect(isinstance(hyper.T, int) and hyper.T >= 1, "T", "a positive integer", "it counts steps", hyper.T)
    least = 1 if isinstance(hyper, HyperL) else 0
    expect(isinstance(hyper.p, int) and hyper.p >= least, "p", f"an integer >= {least}", "it counts pairs", hyper.p)
    for name in ("improvement1", "improvement2"):
        expect(isinstance(getattr(hyper, name), bool), name, "True or False", "it is a switch", repr(getattr(hyper, name)))
    P = min((P for P, shape in zip(nets.positions(model), nets.layer_shapes(model), strict=True) if len(shape) > 1),
            default=float("inf"))
    expect(hyper.improvement1 or hyper.lam <= P, "lam", f"a number <= {P}",
           f"without improvement #1, μ₂ = √λ/√P and Algorithm 3 has a pole beyond 1 (DEV-KBFGS-3), at P = {P}", hyper.lam)
