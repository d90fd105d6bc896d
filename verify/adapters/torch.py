"""Adapters for torch: optimizers that know gradients only; a case's network and loss as modules, and hooks on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ... import nets
from ...arrays.errors import expect
from ...nets.records import shapes, window
from ...reference import METHODS
from ..case import Case
from .reference import shown

Array = Any


def torch_optimizer(make: Callable[[Any, Any], Any], state: Mapping[Any, str] | None = None) -> Callable[[Case], Iterator[Any]]:
    """A candidate from a torch optimizer that needs nothing but gradients, for methods that list them by tensor.

    Takes    make: called with the list of torch parameters (W_1, b_1, W_2, …) and the case's `Hyper`, returns the optimizer;
             state: names in the optimizer's per-parameter state to Trace or State names, such as {"exp_avg": "m"}; in the place of
             a name, a function of the optimizer and a parameter that returns its tensor, or a list with one for each mode.
    Returns  a candidate that yields parameters, gradients and that state.
    """
    def candidate(case: Case) -> Iterator[dict[str, Any]]:
        import torch

        tensors = [torch.nn.Parameter(torch.from_numpy(np.array(tensor))) for tensor in nets.tensors(case.params)]
        optimizer = make(tensors, case.hyper)
        gradient = next(iter(METHODS[case.method].LINES))
        for batch in case.batches:
            g = nets.tensors(case.loss_and_grad(_layers(tensors, case.params), batch)[1])
            for tensor, g_i in zip(tensors, g, strict=True):
                tensor.grad = torch.from_numpy(np.array(g_i))
            optimizer.step()
            kept = {ours: [_arrays(theirs(optimizer, tensor) if callable(theirs) else optimizer.state[tensor][theirs])
                           for tensor in tensors] for theirs, ours in (state or {}).items()}
            yield {**shown(_layers(tensors, case.params)), gradient: list(g), **kept}
    return candidate


def _layers(tensors: Any, like: Any) -> tuple[Any, ...]:
    return nets.layers([tensor.detach().numpy() for tensor in tensors], like)


def _arrays(value: Any) -> Any:
    return [tensor.numpy() for tensor in value] if isinstance(value, list) else value.numpy()


class Recorded(NamedTuple):
    """One pass forward and back, by Linear or Conv2d in their order, as a Tape and a Back have it, for N examples and P positions.

    loss    the mean loss.
    a       (N, P, d_in + 1): homogeneous inputs, the patches of a convolution; h (N, P, d_out): pre-activations.
    g       (N, P, d_out): N · ∂loss/∂h, of each example's own loss.
    """

    loss: float
    a: list[Array]
    h: list[Array]
    g: list[Array]


def torch_net(model: nets.Model, params: Any) -> Any:
    """The network as a `torch.nn.Sequential` with these parameters, which are copied: torch's own modules, whose names many
    libraries look for.

    Raises   ValueError for a BatchNorm or Residual.
    """
    import torch

    modules, waiting, shape = torch.nn.Sequential(), iter(params), model.input_shape
    for record in model.layers:
        modules.append(_module(torch.nn, record, shape))
        if isinstance(record, nets.Dense | nets.Conv2d):
            for tensor, value in zip(modules[-1].parameters(), next(waiting), strict=True):
                tensor.data = torch.from_numpy(np.array(value))
        shape, _ = shapes([record], shape)
    return modules


def _module(nn: Any, record: Any, shape: tuple[int, ...]) -> Any:
    match record:
        case nets.Dense(width):
            return nn.Linear(shape[0], width)
        case nets.Conv2d(channels):
            seen = window(record)
            return nn.Conv2d(shape[0], channels, seen.size, seen.stride, seen.padding)
        case nets.MaxPool() | nets.AvgPool():
            seen = window(record)
            return (nn.MaxPool2d if isinstance(record, nets.MaxPool) else nn.AvgPool2d)(seen.size, seen.stride)
        case nets.Flatten():
            return nn.Flatten()
        case nets.Act(name):
            return {"linear": nn.Identity, "relu": nn.ReLU, "logistic": nn.Sigmoid, "tanh": nn.Tanh, "elu": nn.ELU}[name]()
    expect(False, "model.layers", "Dense, Conv2d, Act, pools and Flatten", "a Sequential is made of these", type(record).__name__)


def torch_loss(model: nets.Model, output: Any, y: Array) -> Any:
    """The mean over examples of the model's loss, as a tensor, for a network's output (N, m) and targets y as in `nets.Batch`."""
    import torch

    y, losses = torch.from_numpy(np.array(y)), torch.nn.functional
    total = {"mse": lambda: losses.mse_loss(output, y, reduction="sum") / 2,
             "bce": lambda: losses.binary_cross_entropy_with_logits(output, y, reduction="sum"),
             "softmax_ce": lambda: losses.cross_entropy(output, y, reduction="sum")}[model.loss]()
    return total / len(output)


def recorded(net: Any, model: nets.Model, x: Array, y: Array) -> Recorded:
    """What hooks see while a `torch_net` goes forward and back; the parameters' `.grad` is that of the mean loss afterwards.

    Takes    x (N, *input_shape), y: as in `nets.Batch`.
    """
    import torch

    a: list[Array] = []
    outputs: list[Any] = []

    def hook(module: Any, inputs: Any, output: Any) -> None:
        rows = inputs[0].detach()
        if hasattr(module, "kernel_size"):
            rows = torch.nn.functional.unfold(rows, module.kernel_size, padding=module.padding, stride=module.stride).movedim(1, 2)
        else:
            rows = rows[:, None]
        a.append(torch.cat([rows, torch.ones_like(rows[..., :1])], dim=-1).numpy())
        output.retain_grad()
        outputs.append(output)

    handles = [module.register_forward_hook(hook) for module in net if hasattr(module, "weight")]
    net.zero_grad()
    loss = torch_loss(model, net(torch.from_numpy(np.array(x))), y)
    loss.backward()
    for handle in handles:
        handle.remove()

    def by_position(values: Any) -> Array:
        return values.detach().reshape(*values.shape[:2], -1).movedim(1, 2).numpy()

    return Recorded(loss.item(), a, [by_position(h) for h in outputs], [len(x) * by_position(h.grad) for h in outputs])
