"""K-BFGS and K-BFGS(L) of chapter 2 (K-BFGS-20): block-diagonal Kronecker-factored BFGS for multilayer perceptrons.

Paper    R Algorithm 4, which is both (Algorithm 2 is its summary); Sections 2.2 to 2.5, 2.8.2, 2.8.3. With p > 0 pairs, L-BFGS
         keeps H_g: `METHODS["kbfgs20_l"]` is this file with `HyperL`.
Symbols  `grad`, `grad_h` the mini-batch gradient ∇f in W̄ and its moving average ∇f̂; H_a, H_g inverses of A and G; A = E[āāᵀ];
         p a direction; ⁺ (`_p`) after the step, on the same batch; (s, y) pairs, ~ damped.
Departs  DEV-KBFGS20-1: Algorithm 4 starts H_a from (A + λ_A I)⁻¹, Section 2.8.2 from I. DEV-KBFGS20-2: λ > 1 is refused, since
         μ₂ = √λ. DEV-KBFGS20-3: a pair s = y = 0 (a dead layer) is passed over. DEV-KBFGS20-4: s_g = y_g = 0 before the first
         step, which Algorithm 4 leaves open and Algorithm 9 says.
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
from .parts.kronecker import both, damped, each, join, joined, joined_gradient, mean, means, over_data, second_moment, split
from .parts.quasi_newton import bfgs_H, hessian_action_pair

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source.

    p              pairs that L-BFGS keeps for H_g; 0 is BFGS (R Section 2.8.2: 100 for K-BFGS(L)).
    alpha          learning rate, a number or a `StepDecay` (R Table 2.5, MNIST).
    lam            damping λ, in (0, 1], split evenly into λ_A and λ_G (R Table 2.5, MNIST).
    beta, mu1      moving averages and Powell's damping (R Algorithm 4, line 1).
    H_a_start      "inverse": (A + λ_A I)⁻¹ (R Algorithm 4, line 3); "identity" (R Section 2.8.2).
    eta            weight of the penalty η/2 ‖θ‖² (R Section 2.8.2 takes 1e-5 in its experiments).
    double_grad    average ∇f with the gradient that the previous step's second pass met (R Section 2.8.3).
    """

    p: int = 0
    alpha: Any = Fraction(3, 10)
    lam: Any = Fraction(3, 10)
    beta: Any = Fraction(9, 10)
    mu1: Any = Fraction(1, 5)
    H_a_start: str = "inverse"
    eta: Any = 0
    double_grad: bool = False


class HyperL(Hyper):
    """`Hyper` for K-BFGS(L): p = 100 pairs (R Section 2.8.2)."""

    __slots__ = ()

    def __new__(cls, p: int = 100, *rest: Any, **named: Any) -> HyperL:  # noqa: D102
        return super().__new__(cls, p, *rest, **named)


class State(NamedTuple):
    """k: steps taken. By layer: grad_h (d_o, d_i + 1); A, H_a (d_i + 1, d_i + 1); H_g (d_o, d_o) or a Memory; s_g, y_g (d_o,).

    grad_p, like grad_h: the gradient at the last second pass, where double_grad asks for it; () otherwise.
    """

    k: int
    grad_h: tuple[Array, ...]
    A: tuple[Array, ...]
    H_a: tuple[Array, ...]
    H_g: tuple[Any, ...]
    s_g: tuple[Array, ...]
    y_g: tuple[Array, ...]
    grad_p: tuple[Array, ...] = ()


class Trace(NamedTuple):
    """Every intermediate in the order of computation, by layer; shapes as in `State`, p and W (as W̄) like grad_h."""

    grad: tuple[Array, ...]
    grad_h: tuple[Array, ...]
    p: tuple[Array, ...]
    W: tuple[Array, ...]
    s_g: tuple[Array, ...]
    y_g: tuple[Array, ...]
    s_t: tuple[Array, ...]
    y_t: tuple[Array, ...]
    H_g: tuple[Any, ...]
    A: tuple[Array, ...]
    A_LM: tuple[Array, ...]
    s_a: tuple[Array, ...]
    y_a: tuple[Array, ...]
    H_a: tuple[Array, ...]


LINES = {"grad": "R4.6", "grad_h": "R4.8", "p": "R4.9", "W": "R4.11", "s_g": "R4.16", "y_g": "R4.16", "s_t": "R4.17",
         "y_t": "R4.17", "H_g": "R4.18", "A": "R4.20", "A_LM": "R4.21", "s_a": "R4.22", "y_a": "R4.22", "H_a": "R4.23"}
LINES_L = {name: tag for name, tag in LINES.items() if name != "H_g"} | {"S": "R4.18", "Y": "R4.18"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """The warm start: A from all of `data`, H_a from A, H_g = I, averages 0.

    Takes    data: a Batch or an iterable of Batches.
    """
    check_hyper(hyper)
    check_start(model, params)
    nets.expect_mlp(model, "kbfgs20")
    xp = namespace(*nets.tensors(params))
    lam_A = xp.sqrt(xp.const(hyper.lam))                                                                             # R4.2
    zeros = each(xp.zeros_like, joined(params))                                                                      # R4.3
    A = over_data(data, lambda batch: each(second_moment, nets.forward(model, params, batch.x).a))                   # R4.3
    H_a = each(lambda A: xp.inv(damped(A, lam_A)) if hyper.H_a_start == "inverse" else xp.eye(A.shape[0]), A)        # R4.3
    H_g = each(lambda layer: lbfgs.empty(layer.b.shape[0], hyper.p, layer.b) if hyper.p else xp.eye(layer.b.shape[0]),
               params)                                                                                               # R4.3
    s_g, y_g = (each(lambda layer: xp.zeros_like(layer.b), params) for _ in range(2))                       # DEV-KBFGS20-4
    return State(0, zeros, A, H_a, H_g, s_g, y_g)


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing that was passed in is written to."""
    check_hyper(hyper)
    check_state(state, State, model, params, grad_h="oi", A="ii", H_a="ii", H_g="oo", s_g="o", y_g="o", grad_p="oi?")
    lbfgs.check_kept("state.H_g", state.H_g, hyper.p)
    xp = namespace(*nets.tensors(params))
    beta, mu1 = xp.const(hyper.beta), xp.const(hyper.mu1)                                                            # R4.1
    lam_A = lam_G = xp.sqrt(xp.const(hyper.lam))                                                                     # R4.2
    k = state.k + 1                                                                                                  # R4.4
    alpha = learning_rate(hyper.alpha, k, params[0].W)

    tape = nets.forward(model, params, batch.x) if tape is None else tape                                            # R4.6
    g = nets.pre_gradients(model, params, tape, batch.y)                                                             # R4.6
    grad = with_second_pass(joined_gradient(g, tape.a, params, hyper.eta), state.grad_p)                             # R4.6
    grad_h = each(lambda D_h, D: beta * D_h + (1 - beta) * D, state.grad_h, grad)                                    # R4.8
    p = each(lambda H_g, D_h, H_a: H_g @ D_h @ H_a, state.H_g, grad_h, state.H_a)                                    # R4.9
    W = each(lambda layer, p: join(layer) - alpha * p, params, p)                                                    # R4.11
    params = split(params, finite("W", W))
    after = means(model, params, batch, hyper.eta, hyper.double_grad)                                                # R4.13
    s_g = each(lambda s, h_p, h: beta * s + (1 - beta) * (h_p - mean(h)), state.s_g, after.h, tape.h)                # R4.16
    y_g = each(lambda y, g_p, g: beta * y + (1 - beta) * (g_p - mean(g)), state.y_g, after.g, g)                     # R4.16
    s_t, y_t = both(lambda s, y, H: double_damping.trusted(s, y, H, mu1=mu1, mu2=lam_G), s_g, y_g, state.H_g)     # R4.17
    H_g = each(lbfgs.updated, state.H_g, s_t, y_t)                                                                   # R4.18
    A = each(lambda A, a: beta * A + (1 - beta) * second_moment(a), state.A, tape.a)                                 # R4.20
    A_LM = each(lambda A: damped(A, lam_A), A)                                                                       # R4.21
    s_a, y_a = both(lambda H, a, A: hessian_action_pair.trusted(H, mean(a), A), state.H_a, tape.a, A_LM)             # R4.22
    H_a = each(bfgs_H.trusted, state.H_a, s_a, y_a)                                                                  # R4.23
    return (params, State(k, grad_h, A, H_a, H_g, s_g, y_g, after.grad),
            Trace(grad, grad_h, p, W, s_g, y_g, s_t, y_t, H_g, A, A_LM, s_a, y_a, H_a))


def with_second_pass(grad: tuple[Array, ...], grad_p: tuple[Array, ...]) -> tuple[Array, ...]:
    """The gradient, averaged with the one that the previous step's second pass met at the same parameters (R Section 2.8.3)."""
    return each(lambda D, D_p: (D + D_p) / 2, grad, grad_p) if grad_p else grad


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("lam", hyper.lam, lambda lam: 0 < lam <= 1, "a number in (0, 1]",
                 "μ₂ = √λ and Algorithm 3 has a pole beyond 1 (DEV-KBFGS20-2)")
    check_number("beta", hyper.beta, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    check_number("mu1", hyper.mu1, lambda mu1: 0 < mu1 < 1, "a number in (0, 1)", "it weighs old curvature against new")
    least = 1 if isinstance(hyper, HyperL) else 0
    expect(isinstance(hyper.p, int) and hyper.p >= least, "p", f"an integer >= {least}", "it counts pairs", hyper.p)
    expect(hyper.H_a_start in ("inverse", "identity"), "H_a_start", "'inverse' or 'identity'", "the text has these two",
           repr(hyper.H_a_start))
