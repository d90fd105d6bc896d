"""What the Kronecker-factored methods take from a pass: W̄ = (W, b), and averages over examples.

Paper    R Section 2.2, Section 2.5.2 (averages over a mini-batch, overlined there; moving averages, under a hat).
Symbols  W̄ (d_out, d_in + 1) the kernel with its bias as last column; ā (N, P, d_in + 1); N examples, P positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ... import nets
from ...arrays import namespace
from ...arrays.checks import check_number
from ...arrays.errors import expect

Array = Any


def each(function: Callable[..., Any], *by_layer: Any) -> tuple[Any, ...]:
    """`function` of the first entries, of the second, …: one result a layer."""
    return tuple(function(*values) for values in zip(*by_layer, strict=True))


def both(function: Callable[..., Any], *by_layer: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """`each` for a function with two results: all the first ones, and all the second ones."""
    first, second = zip(*each(function, *by_layer), strict=True)
    return first, second


def join(layer: Any) -> Array:
    """W̄ (d_out, d_in + 1) of a Layer, a convolution's kernel flattened: the bias is the last column (R Section 2.2)."""
    xp = namespace(layer.W, layer.b)
    return xp.concat([xp.reshape(layer.W, (layer.W.shape[0], -1)), layer.b[:, None]], axis=1)


def joined(params: Any) -> tuple[Array, ...]:
    """W̄_l of every layer, see `join`."""
    return each(join, params)


def split(W_b: Any, like: Any = None) -> tuple[nets.Layer, ...]:
    """The inverse of `joined`; `like`: params whose kernels have the shapes that W is to have, matrices where None."""
    if like is None:
        return tuple(nets.Layer(W[:, :-1], W[:, -1]) for W in W_b)
    return tuple(nets.Layer(namespace(W).reshape(W[:, :-1], layer.W.shape), W[:, -1]) for W, layer in zip(W_b, like, strict=True))


def inner(X: Any, Y: Any) -> Any:
    """The inner product of two tuples of matrices, one a layer."""
    by_layer = each(lambda x, y: namespace(x, y).sum(x * y), X, Y)
    return sum(by_layer[1:], by_layer[0])


def joined_gradient(g: Any, a: Any, params: Any, eta: Any) -> tuple[Array, ...]:
    """∂/∂W̄_l of the mean loss plus η/2 ‖θ‖² (R Section 2.8.2), one (d_out, d_in + 1) a layer.

    Takes    g, a: by layer, (N, P, d_out) and (N, P, d_in + 1), as `nets.pre_gradients` and `nets.forward` give them.
    Raises   ValueError where it is not finite, or eta < 0.
    """
    check_number("eta", eta, lambda eta: eta >= 0, "a number >= 0", "it weighs a penalty")
    grad = each(nets.weight_gradient, g, a)
    if eta != 0:
        eta = namespace(*grad).const(eta)
        grad = each(lambda D, W: D + eta * W, grad, joined(params))
    for l, D in enumerate(grad):
        expect(namespace(D).all_finite(D), f"grad[{l}]", "finite numbers", "the step would spread nan", "nan or inf")
    return grad


class Means(NamedTuple):
    """Means over examples of a pass, by layer: h, g (d_out,); grad the gradient in W̄ (d_out, d_in + 1), or ()."""

    h: tuple[Array, ...]
    g: tuple[Array, ...]
    grad: tuple[Array, ...]


def means(model: nets.Model, params: Any, batch: nets.Batch, eta: Any, with_gradient: bool = False) -> Means:
    """One pass over the batch of which the means alone are kept: the second pass of a K-BFGS step."""
    tape = nets.forward(model, params, batch.x)
    g = nets.pre_gradients(model, params, tape, batch.y)
    grad = joined_gradient(g, tape.a, params, eta) if with_gradient else ()
    return Means(each(mean, tape.h), each(mean, g), grad)


def mean(x: Array) -> Array:
    """The mean over examples and positions: (N, P, d) to (d,)."""
    rows = namespace(x).reshape(x, (-1, x.shape[-1]))
    return namespace(x).sum(rows, axis=0) / rows.shape[0]


def second_moment(x: Array) -> Array:
    """The mean over examples of x xᵀ, summed over positions: (N, P, d) to (d, d)."""
    rows = namespace(x).reshape(x, (-1, x.shape[-1]))
    return rows.T @ rows / x.shape[0]


def over_data(data: Any, statistic: Callable[[nets.Batch], tuple[Array, ...]]) -> tuple[Array, ...]:
    """The mean of a per-batch statistic over a Batch or an iterable of Batches, weighted by their size: a warm start.

    Raises   ValueError where there is no batch.
    """
    batches = [data] if isinstance(data, nets.Batch) else list(data)
    expect(batches, "data", "at least one batch", "the curvature starts from the data (R Section 2.8.2)", "none")
    total = sum(batch.x.shape[0] for batch in batches)
    found: tuple[Array, ...] = ()
    for batch in batches:
        weighted = each(lambda x, n=batch.x.shape[0]: x * n / total, statistic(batch))
        found = each(lambda x, y: x + y, found, weighted) if found else weighted
    return found


def damped(A: Array, lam: Any) -> Array:
    """A + λI, for A (d, d)."""
    return A + lam * namespace(A).eye(A.shape[0])
