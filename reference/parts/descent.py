"""What every descent method does around its own direction: the gradient, the learning rate, the parameter update.

Paper    R Section 2.8.2 (the term η/2 ‖θ‖²), Section 3.7.1 (rates that fall in steps), Section 3.7.2 (weight decay).
Symbols  θ the tuple of parameter tensors W_1, b_1, W_2, b_2, …; α the learning rate; η, γ the two decays; p a direction.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ... import nets
from ...arrays import namespace
from ...arrays.checks import check_fields, check_number
from ...arrays.errors import expect

Array = Any


class StepDecay(NamedTuple):
    """A learning rate that is multiplied by `factor` after every `period` steps (R Section 3.7.1: 0.1, some epochs)."""

    alpha: Any
    factor: Any
    period: int


def learning_rate(alpha: Any, k: int, like: Array) -> Any:
    """α_k of step k = 1, 2, … in the arithmetic of `like`, from a number or a `StepDecay`.

    Raises   what `check_rate` raises.
    """
    check_rate(alpha)
    xp = namespace(like)
    if not isinstance(alpha, StepDecay):
        return xp.const(alpha)
    return xp.const(alpha.alpha) * xp.const(alpha.factor) ** ((k - 1) // alpha.period)


def check_rate(alpha: Any) -> None:
    """Raise ValueError for a rate or factor that is not positive, or a period that is not a positive integer."""
    alpha, factor, period = alpha if isinstance(alpha, StepDecay) else StepDecay(alpha, 1, 1)
    check_number("alpha", alpha, lambda alpha: alpha > 0, "a positive number", "a step goes down")
    check_number("factor", factor, lambda factor: factor > 0, "a positive number", "it scales a rate")
    expect(isinstance(period, int) and period >= 1, "period", "a positive integer", "it counts steps", period)


def check_descent(hyper: Any, kind: Any) -> None:
    """Raise TypeError unless `hyper` has the fields of `kind`, ValueError for an alpha, eta or gamma out of range."""
    check_fields("hyper", hyper, kind)
    check_rate(getattr(hyper, "alpha", 1))
    check_number("eta", getattr(hyper, "eta", 0), lambda eta: eta >= 0, "a number >= 0", "it weighs a penalty")
    check_number("gamma", getattr(hyper, "gamma", 0), lambda gamma: gamma >= 0, "a number >= 0", "it shrinks the parameters")


def gradient(model: nets.Model, params: Any, batch: nets.Batch, eta: Any, tape: nets.Tape | None) -> tuple[Array, ...]:
    """∂/∂θ of the mean loss over the batch plus η/2 ‖θ‖², tensor by tensor (R Section 2.8.2).

    Raises   ValueError where it is not finite, or eta < 0.
    """
    check_number("eta", eta, lambda eta: eta >= 0, "a number >= 0", "it weighs a penalty")
    tape = nets.forward(model, params, batch.x) if tape is None else tape
    theta = nets.tensors(params)
    xp = namespace(*theta)
    g = nets.tensors(nets.gradients(params, nets.pre_gradients(model, params, tape, batch.y), tape.a))
    if eta != 0:
        g = tuple(g_i + xp.const(eta) * theta_i for g_i, theta_i in zip(g, theta, strict=True))
    return finite("g", g)


def finite(name: str, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    """The arrays.

    Raises   ValueError where one has an entry that is not finite.
    """
    for l, x in enumerate(arrays):
        expect(namespace(x).all_finite(x), f"{name}[{l}]", "finite numbers", "the step would spread nan", "nan or inf")
    return arrays


def descend(theta: Array, p: Array, alpha: Any, gamma: Any) -> Array:
    """θ − α(p + γθ): one step along −p with decoupled weight decay (R Section 3.7.2).

    Takes    theta, p of one shape, whatever it is; alpha > 0, which is looked at where it is a plain number (what `learning_rate`
             gives has been, and asking a device costs a copy); gamma not below 0.
    Raises   ValueError for other numbers or shapes; TypeError for mixed arithmetics.
    """
    xp = namespace(theta, p)
    expect(tuple(theta.shape) == tuple(p.shape), "p", f"shape {tuple(theta.shape)}", "every parameter has its direction",
           tuple(p.shape))
    expect(hasattr(alpha, "shape") or alpha > 0, "alpha", "a positive number", "a step goes down", alpha)
    check_number("gamma", gamma, lambda gamma: gamma >= 0, "a number >= 0", "it shrinks the parameters")
    return theta - alpha * (p + xp.const(gamma) * theta if gamma != 0 else p)             # R§3.7.2
