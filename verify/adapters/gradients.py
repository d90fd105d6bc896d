"""Adapter for optimizers that are plain functions of a gradient, such as those of `autograd.misc.optimizers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ... import nets
from ..case import Case


def callback_optimizer(optimize: Callable[..., Any], **arguments: Callable[[Any], Any]) -> Callable[[Case], Iterator[Any]]:
    """A candidate from `optimize(grad, x0, callback=…, num_iters=…, **arguments)`, where grad takes (x, i).

    Takes    optimize: called once, on the parameters as nested lists; its callback gets (x, i, g) before step i; arguments: for
             each keyword of `optimize`, a function of the case's `Hyper`, such as `step_size=lambda hyper: hyper.alpha`.
    Returns  a candidate that yields the parameters and the gradients g.
    """
    def candidate(case: Case) -> Iterator[dict[str, Any]]:
        iterates: list[Any] = []
        gradients: list[Any] = []

        def copied(params: Any) -> list[nets.Layer]:
            return [nets.Layer(*map(np.array, layer)) for layer in params]

        def grad(params: Any, i: int) -> Any:
            return [list(layer) for layer in case.loss_and_grad(params, case.batches[i])[1]]

        def callback(params: Any, i: int, g: Any) -> None:
            iterates.append(copied(params))
            gradients.append(nets.tensors(copied(g)))

        start = [list(layer) for layer in copied(case.params)]
        end = optimize(grad, start, callback=callback, num_iters=case.steps,
                       **{name: value(case.hyper) for name, value in arguments.items()})
        iterates.append(copied(end))
        for params, g in zip(iterates[1:], gradients, strict=True):
            yield {"W": [layer.W for layer in params], "b": [layer.b for layer in params], "g": list(g)}
    return candidate
