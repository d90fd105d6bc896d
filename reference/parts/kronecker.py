"""What the Kronecker-factored methods take from a pass: W̄ = (W, b), averages over examples and positions, dampings.

Paper    R Section 2.2, Section 2.5.2 (averages over a mini-batch, overlined there; moving averages, under a hat); (3.2), (3.9),
         Section 3.4.3 (dampings of a layer with P positions, parameters of batch normalisation).
Symbols  W̄ (d_out, d_in + 1) the kernel with its bias as last column, a convolution's as a matrix with d_in = in·kh·kw (R (3.2));
         ā (N, P, d_in + 1); N examples, P positions; (γ; β) (2, C) the parameters of a BatchNorm, one below the other.

"By layer" is: one entry for every Dense and Conv2d. What belongs to BatchNorms is listed apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ... import nets
from ...arrays import namespace
from ...arrays.checks import check_number
from ...arrays.errors import expect
from .descent import finite

Array = Any


def each(function: Callable[..., Any], *by_layer: Any) -> tuple[Any, ...]:
    """`function` of the first entries, of the second, …: one result a layer."""
    return tuple(function(*values) for values in zip(*by_layer, strict=True))


def both(function: Callable[..., Any], *by_layer: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """`each` for a function with two results: all the first ones, and all the second ones."""
    first, second = zip(*each(function, *by_layer), strict=True)
    return first, second


def of_layers(params: Any, values: Any) -> tuple[Any, ...]:
    """Those of `values`, one for every trainable record, that belong to a Dense or Conv2d."""
    return tuple(value for layer, value in zip(params, values, strict=True) if isinstance(layer, nets.Layer))


def of_norms(params: Any, values: Any) -> tuple[Any, ...]:
    """Those of `values`, one for every trainable record, that belong to a BatchNorm."""
    return tuple(value for layer, value in zip(params, values, strict=True) if isinstance(layer, nets.Norm))


def join(layer: Any) -> Array:
    """W̄ (d_out, d_in + 1) of a Layer: the bias is the last column (R Section 2.2, (3.2))."""
    xp = namespace(*layer)
    return xp.concat([xp.reshape(layer.W, (layer.W.shape[0], -1)), layer.b[:, None]], axis=1)


def stack(norm: Any) -> Array:
    """(γ; β) (2, C) of a Norm."""
    return namespace(*norm).concat([norm.gamma[None, :], norm.beta[None, :]])


def joined(params: Any) -> tuple[Array, ...]:
    """W̄_l of every layer, see `join`."""
    return each(join, of_layers(params, params))


def stacked(params: Any) -> tuple[Array, ...]:
    """(γ; β) of every BatchNorm, see `stack`."""
    return each(stack, of_norms(params, params))


def split(params: Any, W_b: Any, norm: Any = ()) -> tuple[nets.Layer | nets.Norm, ...]:
    """The inverse of `joined` and `stacked`: records in the order and shapes of `params`, from W̄_l and (γ; β)."""
    W_b, norm = iter(W_b), iter(norm)
    return tuple(_layer(layer, next(W_b)) if isinstance(layer, nets.Layer) else nets.Norm(*next(norm)) for layer in params)


def _layer(like: nets.Layer, W_b: Array) -> nets.Layer:
    return nets.Layer(namespace(W_b).reshape(W_b[:, :-1], like.W.shape), W_b[:, -1])


def inner(X: Any, Y: Any) -> Any:
    """The inner product of two tuples of matrices, one a layer."""
    by_layer = each(lambda x, y: namespace(x, y).sum(x * y), X, Y)
    return sum(by_layer[1:], by_layer[0])


def joined_gradient(g: Any, a: Any, params: Any, eta: Any) -> tuple[Array, ...]:
    """∂/∂W̄_l of the mean loss plus η/2 ‖θ‖² (R Section 2.8.2), one (d_out, d_in + 1) a layer.

    Takes    g, a: (N, P, d_out) and (N, P, d_in + 1), as `nets.pre_gradients` and `nets.forward` give them.
    Raises   ValueError where it is not finite, or eta < 0.
    """
    check_number("eta", eta, lambda eta: eta >= 0, "a number >= 0", "it weighs a penalty")
    grad = each(nets.weight_gradient, of_layers(params, g), of_layers(params, a))
    if eta != 0:
        eta = namespace(*grad).const(eta)
        grad = each(lambda D, W: D + eta * W, grad, joined(params))
    return finite("grad", grad)


def stacked_gradient(g: Any, a: Any, params: Any) -> tuple[Array, ...]:
    """∂/∂(γ; β) of the mean loss, one (2, C) for every BatchNorm, from what `joined_gradient` takes.

    Raises   ValueError where it is not finite.
    """
    return finite("D_norm", each(lambda g, x_h: stack(nets.norm_gradient(g, x_h)), of_norms(params, g), of_norms(params, a)))


def sampled_gradients(model: nets.Model, params: Any, tape: nets.Tape, batch: nets.Batch) -> tuple[Array, ...]:
    """Pre-activation gradients by layer, (N, P, d_out), for the targets that the model has drawn.

    Raises   ValueError where the batch has none.
    """
    expect(batch.y_sampled is not None, "y_sampled", "targets drawn by nets.sample_targets",
           "the Fisher factor is an average over them", "None")
    return of_layers(params, nets.pre_gradients(model, params, tape, batch.y_sampled))


class Means(NamedTuple):
    """Means of a pass, by layer: h, g (d_out,) over examples and positions; grad the gradient in W̄ (d_out, d_in + 1), or ()."""

    h: tuple[Array, ...]
    g: tuple[Array, ...]
    grad: tuple[Array, ...]


def means(model: nets.Model, params: Any, batch: nets.Batch, eta: Any, with_gradient: bool = False) -> Means:
    """One pass over the batch of which the means alone are kept: the second pass of a K-BFGS step."""
    tape = nets.forward(model, params, batch.x)
    g = nets.pre_gradients(model, params, tape, batch.y)
    grad = joined_gradient(g, tape.a, params, eta) if with_gradient else ()
    return Means(each(mean, of_layers(params, tape.h)), each(mean, of_layers(params, g)), grad)


def mean(x: Array) -> Array:
    """The mean over examples and positions: (N, P, d) to (d,)."""
    xp = namespace(x)
    rows = xp.reshape(x, (-1, x.shape[-1]))
    return xp.ones(rows.shape[0]) @ rows / rows.shape[0]


def second_moment(x: Array) -> Array:
    """The mean over examples of x xᵀ, summed over positions: (N, P, d) to (d, d)."""
    rows = namespace(x).reshape(x, (-1, x.shape[-1]))
    return rows.T @ rows / x.shape[0]


def over_data(data: Any, statistic: Callable[[nets.Batch], tuple[Array, ...]]) -> tuple[Array, ...]:
    """The mean of a per-batch statistic over a Batch or an iterable of Batches, weighted by their size: a warm start.

    Raises   ValueError where there is no batch; TypeError for what is none.
    """
    batches = nets.batches(data, "the curvature starts from the data (R Section 2.8.2)")
    total = sum(batch.x.shape[0] for batch in batches)
    found: tuple[Array, ...] = ()
    for batch in batches:
        weighted = each(lambda x, n=batch.x.shape[0]: x * n / total, statistic(batch))
        found = each(lambda x, y: x + y, found, weighted) if found else weighted
    return found


def split_damping(model: nets.Model, params: Any, lam: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """λ_A = √P √λ and λ_G = √λ/√P of every layer (R Section 3.4.3): their product is λ, and P = 1 gives √λ twice."""
    P = nets.positions(model)
    xp = namespace(*nets.tensors(params))
    root = xp.sqrt(xp.const(lam))
    root_P = each(lambda P: xp.sqrt(xp.const(P)), of_layers(params, P))
    return each(lambda root_P: root_P * root, root_P), each(lambda root_P: root / root_P, root_P)


def damped(A: Array, lam: Any) -> Array:
    """A + λI, for A (d, d)."""
    return A + lam * namespace(A).eye(A.shape[0])
