"""Activations φ with their first and second derivatives, entry by entry, in every arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..arrays import namespace

Array = Any


class Activation(NamedTuple):
    """φ, φ′ and φ″ as functions of the pre-activation h; each returns an array of h's shape."""

    phi: Callable[[Array], Array]
    d_phi: Callable[[Array], Array]
    d2_phi: Callable[[Array], Array]


def _positive(h: Array, yes: Array, no: Array) -> Array:
    """`yes` where h > 0, `no` elsewhere."""
    return namespace(h).where(h > 0, yes, no)


def _zeros(h: Array) -> Array:
    return namespace(h).zeros_like(h)


def _ones(h: Array) -> Array:
    return namespace(h).ones_like(h)


def _d_logistic(h: Array) -> Array:
    xp = namespace(h)
    return xp.logistic(h) * xp.logistic(-h)


def _d_tanh(h: Array) -> Array:
    return 1 - namespace(h).tanh(h) ** 2


def _exp_of_negative_part(h: Array) -> Array:
    return namespace(h).exp(_positive(h, _zeros(h), h))


ACTIVATIONS = {
    "linear": Activation(lambda h: h, _ones, _zeros),
    "relu": Activation(
        lambda h: namespace(h).maximum(h, namespace(h).zeros(())),
        lambda h: namespace(h).indicator(h > 0),                                          # φ′(0) = 0
        _zeros),
    "logistic": Activation(
        lambda h: namespace(h).logistic(h),
        _d_logistic,
        lambda h: _d_logistic(h) * (1 - 2 * namespace(h).logistic(h))),
    "tanh": Activation(
        lambda h: namespace(h).tanh(h),
        _d_tanh,
        lambda h: -2 * namespace(h).tanh(h) * _d_tanh(h)),
    "elu": Activation(
        lambda h: _positive(h, h, namespace(h).expm1(_positive(h, _zeros(h), h))),
        lambda h: _positive(h, _ones(h), _exp_of_negative_part(h)),
        lambda h: _positive(h, _zeros(h), _exp_of_negative_part(h))),
}
