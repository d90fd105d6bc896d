"""What `init` and `step` ask of what they are given, beyond the numbers of the hyper-parameters: kinds, shapes, finite numbers.

Symbols  axes of arrays by layer: "o" is d_out, "i" is d_in + 1 (R Section 2.2): W̄ has "oi", H_A "ii"; (γ; β) (2, C) of a BatchNorm.
"""

from __future__ import annotations

from math import prod
from typing import Any

from ... import nets
from ...arrays import namespace
from ...arrays.checks import check_fields
from ...arrays.errors import expect
from .descent import finite
from .tensor_normal import as_modes

Array = Any
Shapes = tuple[Any, ...]


def check_start(model: nets.Model, params: Any) -> None:
    """Raise ValueError or TypeError unless `params` are finite parameters of this model, in one arithmetic."""
    nets.check_params(model, params)
    namespace(*nets.tensors(params))
    finite("params", nets.tensors(params))


def check_state(state: Any, kind: Any, model: nets.Model, params: Any, **shapes: str | Shapes) -> None:
    """Raise TypeError unless `state` is a `kind` in the arithmetic of `params`, ValueError unless its fields have these shapes.

    Takes    shapes: by field, the axes of one array a layer ("oi"; "oi?" where there may be none), or what `by_norm`, `by_tensor`
             or `of_modes` gives.
    """
    nets.check_params(model, params)
    check_fields("state", state, kind)
    expect(isinstance(state.k, int) and state.k >= 0, "state.k", "an integer >= 0", "it counts steps", repr(state.k))
    for name, given in shapes.items():
        value, expected = getattr(state, name), by_layer(params, given.rstrip("?")) if isinstance(given, str) else given
        none = isinstance(given, str) and given.endswith("?") and len(value) == 0
        expect(none or _shapes(value) == expected, f"state.{name}", f"shapes {expected}", "the parameters ask for them",
               lambda value=value: _shapes(value))
        namespace(*nets.tensors(params), *_arrays(value))


def check_positive(name: str, x: Any) -> None:
    """Raise ValueError unless the number x is finite and positive."""
    expect(namespace(x).all_finite(x) and bool(x > 0), name, "a finite positive number", "a damping of 0 stays 0", x)


def by_layer(params: Any, axes: str) -> Shapes:
    """The shape of an array with these axes, for every Dense and Conv2d."""
    sizes = [{"o": layer.W.shape[0], "i": prod(layer.W.shape[1:]) + 1} for layer in params if isinstance(layer, nets.Layer)]
    return tuple(tuple(size[axis] for axis in axes) for size in sizes)


def by_norm(params: Any) -> Shapes:
    """(2, C) for every BatchNorm."""
    return tuple((2, norm.gamma.shape[0]) for norm in params if isinstance(norm, nets.Norm))


def by_tensor(params: Any) -> Shapes:
    """The shape of every parameter tensor."""
    return tuple(tuple(tensor.shape) for tensor in nets.tensors(params))


def of_modes(params: Any, view: str) -> Shapes:
    """(d_i, d_i) for every mode of every parameter tensor in this view."""
    return tuple(tuple((d, d) for d in as_modes(tensor, view).shape) for tensor in nets.tensors(params))


def _shapes(value: Any) -> Any:
    return tuple(map(_shapes, value)) if type(value) in (tuple, list) else tuple(getattr(value, "shape", ()))


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, tuple | list):
        return [array for part in value for array in _arrays(part)]
    return [value] if hasattr(value, "shape") else []
