"""What the Kronecker-factored methods take from a pass: W̄ = (W, b), and averages over examples.

Paper    R Section 2.2, Section 2.5.2 (averages over a mini-batch, overlined there; moving averages, under a hat).
Symbols  W̄ (d_out, d_in + 1) the kernel with its bias as last column; ā (N, P, d_in + 1); N examples, P positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import nets
from ...arrays import namespace
from ...arrays.checks import check_number
from ...arrays.errors import expect

Array = Any


def joined(params: Any) -> tuple[Array, ...]:
    """W̄_l (d_out, d_in + 1) of every layer: the bias is the last column (R Section 2.2)."""
    return tuple(namespace(W, b).concat([W, b[:, None]], axis=1) for W, b in params)


def split(W_b: Any) -> tuple[nets.Layer, ...]:
    """The inverse of `joined`."""
    return tuple(nets.Layer(W[:, :-1], W[:, -1]) for W in W_b)


def joined_gradient(back: nets.Back, W_b: Any, eta: Any) -> tuple[Array, ...]:
    """∂/∂W̄_l of the mean loss plus η/2 ‖θ‖² (R Section 2.8.2), one (d_out, d_in + 1) a layer.

    Raises   ValueError where it is not finite, or eta < 0.
    """
    check_number("eta", eta, lambda eta: eta >= 0, "a number >= 0", "it weighs a penalty")
    xp = namespace(*W_b)
    grad = joined(back.grad) if eta == 0 else tuple(D + xp.const(eta) * W for D, W in zip(joined(back.grad), W_b, strict=True))
    for l, D in enumerate(grad):
        expect(xp.all_finite(D), f"grad[{l}]", "finite numbers", "the step would spread nan", "nan or inf")
    return grad


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
        weighted = tuple(x * batch.x.shape[0] / total for x in statistic(batch))
        found = tuple(x + y for x, y in zip(found, weighted, strict=True)) if found else weighted
    return found


def damped(A: Array, lam: Any) -> Array:
    """A + λI."""
    return A + lam * namespace(A).eye(A.shape[0])
