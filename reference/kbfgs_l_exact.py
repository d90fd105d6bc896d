"""K-BFGS(L) with D_P(I) D_LM and exact inversion of A: the variant of chapter 3 whose convergence is proved.

Paper    R Algorithm 10, Section 3.6.
Symbols  as in `kbfgs`; `DW` the mini-batch gradient 𝒟W̃ itself, without momentum; Â = E[Σ_t a_t a_tᵀ] over the mini-batch.
Departs  DEV-KBFGS-1, as in `kbfgs`. DEV-KBFGS_L_EXACT-1: nets with a BatchNorm are refused, since Algorithm 10 says nothing of its
         parameters. ERR-15: line 15 passes H_G to a damping that takes none.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number
from ..arrays.errors import expect
from .parts import lbfgs
from .parts.damping import dpi_dlm
from .parts.descent import check_descent, finite, learning_rate
from .parts.given import check_start, check_state
from .parts.kronecker import both, damped, each, joined, joined_gradient, mean, means, over_data, second_moment, split

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    alpha          learning rate, a number or a `StepDecay` (R Table 3.5, MNIST; Theorem 4 wants α_k ∝ k^(−β)).
    lam_A, lam_G   dampings > 0: a number for all layers, or a tuple with one a layer (R Algorithm 10; √λ of Table 3.5, MNIST).
    beta, mu1      averages of pairs; Powell's damping (R Algorithm 9, line 1).
    p              pairs that L-BFGS keeps (R Section 3.4.3).
    """

    alpha: Any = Fraction(3, 100)
    lam_A: Any = Fraction(11, 20)
    lam_G: Any = Fraction(11, 20)
    beta: Any = Fraction(9, 10)
    mu1: Any = Fraction(1, 5)
    p: int = 100


class State(NamedTuple):
    """k: steps taken. By layer: H_A (d_i + 1, d_i + 1); H_G a Memory of vectors (d_o,); s_G, y_G (d_o,)."""

    k: int
    H_A: tuple[Array, ...]
    H_G: tuple[lbfgs.Memory, ...]
    s_G: tuple[Array, ...]
    y_G: tuple[Array, ...]


class Trace(NamedTuple):
    """Every intermediate in the order of computation, by layer; as in `State`; DW, p, W (as W̄) (d_o, d_i + 1), A like H_A."""

    DW: tuple[Array, ...]
    p: tuple[Array, ...]
    W: tuple[Array, ...]
    A: tuple[Array, ...]
    H_A: tuple[Array, ...]
    s_G: tuple[Array, ...]
    y_G: tuple[Array, ...]
    s_t: tuple[Array, ...]
    y_t: tuple[Array, ...]
    H_G: tuple[lbfgs.Memory, ...]


LINES = {"DW": "R10.4", "p": "R10.6", "W": "R10.7", "A": "R10.12", "H_A": "R10.12", "s_G": "R10.14", "y_G": "R10.14",
         "s_t": "R10.15", "y_t": "R10.15", "S": "R10.16", "Y": "R10.16"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start: H_A from A of all of `data`, H_G = I/λ_G, averages 0.

    Takes    data: a Batch or an iterable of Batches.
    """
    lam_A, lam_G = dampings(model, params, hyper)
    check_start(model, params)
    xp = namespace(*nets.tensors(params))
    A = over_data(data, lambda batch: each(second_moment, nets.forward(model, params, batch.x).a))                   # R10.1
    H_A = each(lambda A, lam_A: xp.inv(damped(A, lam_A)), A, lam_A)                                                  # R10.1
    H_G = each(lambda layer, lam_G: lbfgs.empty(layer.b.shape[0], hyper.p, layer.b, 1 / lam_G), params, lam_G)       # R10.1
    s_G, y_G = (each(lambda layer: xp.zeros_like(layer.b), params) for _ in range(2))                                # R10.1
    return State(0, H_A, H_G, s_G, y_G)


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing that was passed in is written to."""
    lam_A, lam_G = dampings(model, params, hyper)
    check_state(state, State, model, params, H_A="ii", H_G="oo", s_G="o", y_G="o")
    lbfgs.check_kept("state.H_G", state.H_G, hyper.p)
    xp = namespace(*nets.tensors(params))
    beta, mu1 = xp.const(hyper.beta), xp.const(hyper.mu1)
    k = state.k + 1                                                                                                  # R10.2
    alpha = learning_rate(hyper.alpha, k, params[0].W)

    tape = nets.forward(model, params, batch.x) if tape is None else tape                                            # R10.4
    g = nets.pre_gradients(model, params, tape, batch.y)                                                             # R10.4
    DW = joined_gradient(g, tape.a, params, 0)                                                                       # R10.4
    p = each(lambda H_G, D, H_A: H_G @ D @ H_A, state.H_G, DW, state.H_A)                                            # R10.6
    W = each(lambda W, p: W - alpha * p, joined(params), p)                                                          # R10.7
    params = split(params, finite("W", W))
    after = means(model, params, batch, 0)                                                                           # R10.9
    A = each(second_moment, tape.a)                                                                                  # R10.12
    H_A = each(lambda A, lam_A: xp.inv(damped(A, lam_A)), A, lam_A)                                                  # R10.12
    s_G = each(lambda s, h_p, h: beta * s + (1 - beta) * (h_p - mean(h)), state.s_G, after.h, tape.h)                # R10.14
    y_G = each(lambda y, g_p, g: beta * y + (1 - beta) * (g_p - mean(g)), state.y_G, after.g, g)                     # R10.14
    s_t, y_t = both(lambda s, y, mu2: dpi_dlm.trusted(s, y, mu1=mu1, mu2=mu2), s_G, y_G, lam_G)                      # R10.15
    H_G = each(lbfgs.updated, state.H_G, s_t, y_t)                                                                   # R10.16
    return params, State(k, H_A, H_G, s_G, y_G), Trace(DW, p, W, A, H_A, s_G, y_G, s_t, y_t, H_G)


def dampings(model: nets.Model, params: Any, hyper: Hyper) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """λ_A and λ_G of every layer, after a check of all hyper-parameters.

    Raises   ValueError for one that is out of its range, and for a net with a BatchNorm.
    """
    check_descent(hyper, Hyper)
    nets.expect_no_batch_norm(model, "Algorithm 10 does not say how kbfgs_l_exact trains its parameters")
    check_number("beta", hyper.beta, lambda beta: 0 < beta < 1, "a number in (0, 1)", "Algorithm 10 requires it")
    check_number("mu1", hyper.mu1, lambda mu1: 0 < mu1 < 1, "a number in (0, 1)", "it weighs old curvature against new")
    expect(isinstance(hyper.p, int) and hyper.p >= 1, "p", "a positive integer", "it counts pairs", hyper.p)
    lam_A, lam_G = (_by_layer(name, getattr(hyper, name), params) for name in ("lam_A", "lam_G"))
    return lam_A, lam_G


def _by_layer(name: str, lam: Any, params: Any) -> tuple[Any, ...]:
    values = tuple(lam) if isinstance(lam, tuple | list) else (lam,) * len(params)
    expect(len(values) == len(params), name, f"a number, or {len(params)} of them", "there are as many layers", lam)
    for value in values:
        check_number(name, value, lambda value: value > 0, "positive numbers", "they make A and G invertible")
    xp = namespace(*nets.tensors(params))
    return tuple(xp.const(value) for value in values)
