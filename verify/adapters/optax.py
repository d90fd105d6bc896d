"""Adapter for optax: a gradient transformation on the case's gradients, in the case's precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ... import nets
from ...reference import METHODS
from ..case import Case
from .reference import shown


def optax_transform(make: Callable[[Any], Any], state: Mapping[str, str] | None = None) -> Callable[[Case], Iterator[Any]]:
    """A candidate from an `optax.GradientTransformation` that needs nothing but gradients,
    for methods that list them by tensor.

    Takes    make: called with the case's `Hyper`, returns the transformation; state: names in the transformation's state to
             Trace or State names, such as {"mu": "m"}.
    Returns  a candidate that yields parameters, gradients and that state. It computes in float64 where the case does.
    """
    def candidate(case: Case) -> Iterator[dict[str, Any]]:
        import jax
        import optax

        with jax.enable_x64(True):
            transformation = make(case.hyper)
            theta = tuple(map(jax.numpy.asarray, nets.tensors(case.params)))
            inner = transformation.init(theta)
            gradient, steps = next(iter(METHODS[case.method].LINES)), []
            for batch in case.batches:
                g = nets.tensors(case.loss_and_grad(nets.layers(tuple(map(np.asarray, theta)), case.params), batch)[1])
                updates, inner = transformation.update(tuple(map(jax.numpy.asarray, g)), inner, theta)
                theta = optax.apply_updates(theta, updates)
                kept = {ours: list(map(np.asarray, optax.tree.get(inner, theirs))) for theirs, ours in (state or {}).items()}
                steps.append({**shown(nets.layers(tuple(map(np.asarray, theta)), case.params)), gradient: list(g), **kept})
        yield from steps                                       # not before: the switch must not stay on while the caller works
    return candidate
