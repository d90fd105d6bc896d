"""Adapter for `torch.optim.Optimizer`: the case's gradients in, parameters and optimizer state out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ... import nets
from ..case import Case


def torch_optimizer(make: Callable[[Any, Any], Any], state: Mapping[str, str] | None = None) -> Callable[[Case], Iterator[Any]]:
    """A candidate from a torch optimizer that needs nothing but gradients.

    Takes    make: called with the list of torch parameters (W_1, b_1, W_2, …) and the case's `Hyper`, returns the optimizer;
             state: names in the optimizer's per-parameter state to Trace or State names, such as {"exp_avg": "m"}.
    Returns  a candidate that yields parameters and that state.
    """
    def candidate(case: Case) -> Iterator[dict[str, Any]]:
        import torch

        tensors = [torch.nn.Parameter(torch.from_numpy(np.array(tensor))) for tensor in nets.tensors(case.params)]
        optimizer = make(tensors, case.hyper)
        for batch in case.batches:
            params = nets.layers([tensor.detach().numpy() for tensor in tensors], case.params)
            g = nets.tensors(case.loss_and_grad(params, batch)[1])
            for tensor, g_i in zip(tensors, g, strict=True):
                tensor.grad = torch.from_numpy(np.array(g_i))
            optimizer.step()
            shown = {ours: [optimizer.state[tensor][theirs].numpy() for tensor in tensors]
                     for theirs, ours in (state or {}).items()}
            yield {"W": [tensor.detach().numpy() for tensor in tensors[0::2]],
                   "b": [tensor.detach().numpy() for tensor in tensors[1::2]], "g": list(g), **shown}
    return candidate
