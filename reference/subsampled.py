"""Subsampled Gauss-Newton (SMW-GN) and natural gradient (SMW-NG, SMW-NG-BD): (B + λI)⁻¹g by Sherman-Morrison-Woodbury.

Paper    R Algorithm 23 with Algorithms 20 and 22, Sections 5.2 to 5.6; the settings of Section 5.8. `METHODS["smw_gn"]` is this
         file, "smw_ng" the same with `HyperNG`, "smw_ng_bd" with `HyperBD`.
Symbols  `grad` the gradient g over the mini-batch S₁, in W̄; B = (1/N₂) JᵀJ over S₂ ⊆ S₁ with the q stacked rows J of
         `parts.curvature`; D (q, q), one for each block of layers; d = D⁻¹Jg; p the direction; ρ, λ of Section 5.2.3.
Departs  DEV-SMW-1: (5.6) with H = I for every loss, since the rows are CᵀJ with H_i = C_i C_iᵀ: D is symmetric, H may be singular.
         DEV-SMW-2: the Fisher matrix is the empirical one, as printed (ERR-13), or that of drawn targets. DEV-SMW-3: ρ is taken at
         θ + p, as printed, while the step goes to θ + αp. DEV-SMW-4: with a penalty η/2 ‖θ‖² its Hessian ηI is part of B.
         DEV-SMW-5: no refinement of p, which loses digits as ‖B‖/λ grows.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.errors import expect
from ..nets.jacobian import grams, products, transposed_products
from .parts import levenberg_marquardt as lm
from .parts.curvature import KINDS, examples, rows
from .parts.descent import check_descent, finite, learning_rate
from .parts.given import check_positive, check_start, check_state
from .parts.kronecker import damped, each, inner, joined, joined_gradient, split

Array = Any
Blocks = tuple[Array, ...]
"""One array a block of layers: the only block, or one a layer."""


class Hyper(NamedTuple):
    """Defaults with their source.

    B                    "gauss_newton" (R (5.2)), "empirical_fisher" (R (5.3) as printed) or "sampled_fisher" (R (1.7)).
    blocks               "whole", or "layers": B without the blocks between layers (R Section 5.8, SMW-NG-BD).
    alpha                learning rate, a number or a `StepDecay` (R Section 5.8, MNIST).
    lam_LM               λ_LM of the first step (R Section 5.8, as the next four).
    boost, drop, eps     how λ_LM follows ρ (R Section 5.2.3).
    tau                  λ = λ_LM + τ.
    accept               None: every step is taken (R Algorithm 23); a number in (0, ε): η of R Theorem 6, only steps with ρ ≥ η.
    eta                  weight of the penalty η/2 ‖θ‖².
    """

    B: str = "gauss_newton"
    blocks: str = "whole"
    alpha: Any = Fraction(1, 10)
    lam_LM: Any = 1
    boost: Any = Fraction(101, 100)
    drop: Any = Fraction(99, 100)
    eps: Any = Fraction(1, 4)
    tau: Any = Fraction(1, 1000)
    accept: Any = None
    eta: Any = 0


class HyperNG(Hyper):
    """`Hyper` for SMW-NG: the Fisher matrix (5.3)."""

    __slots__ = ()

    def __new__(cls, B: str = "empirical_fisher", *rest: Any, **named: Any) -> HyperNG:  # noqa: D102
        return super().__new__(cls, B, *rest, **named)


class HyperBD(Hyper):
    """`Hyper` for SMW-NG-BD: the Fisher matrix (5.3), a block a layer."""

    __slots__ = ()

    def __new__(cls, B: str = "empirical_fisher", blocks: str = "layers", *rest: Any, **named: Any) -> HyperBD:  # noqa: D102
        return super().__new__(cls, B, blocks, *rest, **named)


class State(NamedTuple):
    """k: steps taken; lam_LM (): λ_LM of the next step."""

    k: int
    lam_LM: Array


class Trace(NamedTuple):
    """Every intermediate in the order of computation.

    By layer, like W̄ (d_out, d_in + 1): grad, p, W. By block: D (q, q); Jg, d (q,). foretold, rho, lam_LM (): the reduction that the
    model foretells, ρ, and λ_LM of the next step.
    """

    grad: tuple[Array, ...]
    D: Blocks
    Jg: Blocks
    d: Blocks
    p: tuple[Array, ...]
    foretold: Array
    rho: Array
    lam_LM: Array
    W: tuple[Array, ...]


LINES = {"grad": "R23.4", "D": "R(5.6)", "Jg": "R(5.6)", "d": "R(5.6)", "p": "R23.5", "foretold": "R(5.5)", "rho": "R(5.5)",
         "lam_LM": "R23.6", "W": "R23.7"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """λ_LM as the hyper-parameters have it; the data are not looked at."""
    check_hyper(hyper)
    check_start(model, params)
    nets.expect_uncoupled(model, "R Algorithm 23")
    return State(0, namespace(*nets.tensors(params)).const(hyper.lam_LM))                                            # R§5.8


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch S₁, whose `curvature` names S₂.  Returns new params, new state and the trace; nothing is written to."""
    check_hyper(hyper)
    check_state(state, State, model, params, lam_LM=())
    check_positive("state.lam_LM", state.lam_LM)
    xp = namespace(*nets.tensors(params))
    k = state.k + 1                                                                                                  # R23.2
    alpha = learning_rate(hyper.alpha, k, params[0].W)
    lam = state.lam_LM + xp.const(hyper.tau) + xp.const(hyper.eta)                                        # R§5.2.3 DEV-SMW-4

    tape = nets.forward(model, params, batch.x) if tape is None else tape                                          # R§5.4.1
    S_2 = examples(model, params, tape, batch)                                                                       # R23.3
    N2 = S_2.tape.output.shape[0]                                                                                    # R23.3
    g = nets.pre_gradients(model, params, tape, batch.y)                                                             # R23.4
    grad = joined_gradient(g, tape.a, params, hyper.eta)                                                             # R23.4
    blocks = [tuple(range(len(params)))] if hyper.blocks == "whole" else [(l,) for l in range(len(params))]          # R§5.8
    J = rows(model, params, S_2, hyper.B)                                                                 # R§5.3.1 DEV-SMW-1
    D = each(lambda JJ: damped(JJ / N2, lam), over(blocks, grams(J)))                                                # R(5.6)
    Jg = over(blocks, products(J, grad))                                                                             # R(5.6)
    d = each(xp.solve, D, Jg)                                                                                        # R(5.6)
    d_l = [d[block] for block, layers in enumerate(blocks) for _ in layers]
    p = each(lambda g, Jd: (Jd / N2 - g) / lam, grad, transposed_products(J, d_l))                            # R23.5 R(5.6)

    theta = joined(params)
    f, f_p = lm.here_and_ahead(model, params, theta, tape, batch, p, hyper.eta)                                      # R(5.5)
    pBp = sum(xp.sum(Jp * Jp) for Jp in over(blocks, products(J, p))) / N2 + lm.penalty(p, hyper.eta)                # R(5.5)
    foretold = -inner(grad, p) - pBp / 2                                                                             # R(5.5)
    rho = lm.reduction_ratio(f, f_p, foretold)                                                                       # R(5.5)
    lam_LM = lm.adapted.trusted(state.lam_LM, rho, eps=hyper.eps, boost=hyper.boost, drop=hyper.drop)                # R23.6
    taken = hyper.accept is None or bool(rho >= xp.const(hyper.accept))                                              # R§5.6
    W = each(lambda W, p: W + alpha * p, theta, p) if taken else theta                                               # R23.7
    return split(params, finite("W", W)), State(k, lam_LM), Trace(grad, D, Jg, d, p, foretold, rho, lam_LM, W)


def over(blocks: Any, values: Any) -> Blocks:
    """The sum over the layers of each block."""
    return tuple(sum([values[l] for l in block[1:]], values[block[0]]) for block in blocks)


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    expect(hyper.B in KINDS, "B", f"one of {', '.join(KINDS)}", "the text has these", repr(hyper.B))
    expect(hyper.blocks in ("whole", "layers"), "blocks", "'whole' or 'layers'", "the text has these two", repr(hyper.blocks))
    lm.check_hyper(hyper)
