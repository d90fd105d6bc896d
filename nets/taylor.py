"""Summaries of higher-order derivatives: what a loss does when each subset of its parameters moves along its own piece of u.

Paper    W Sections 3 and 4.1, 4.2, Appendix A; Table 1.
Symbols  θ the parameters in the order W_1, b_1, W_2, b_2, …, entries row by row; I_1, …, I_S a partition of their numbers 0 … P −
         1; u a direction, like θ, U = Diag(u), u_s = u on I_s and 0 elsewhere; D^(d) the order-d derivative at η = 0 of
         η → L(θ + U I_{P:S} η), S numbers along each of d axes; ḡ = D^(1), H̄ = D^(2).
Kinks    relu has φ′(0) = φ″(0) = … = 0; elu at 0 has the derivatives of eᵗ − 1; a max pool moves with the first largest entry.

Pearlmutter's R-operator is arithmetic of order 1 in t on the lines of the two passes, and Taylor propagation arithmetic of order d:
the passes run on `arrays.series`, which knows which coefficients are 0, so that a direction costs nothing before its layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import Any

from ..arrays import is_integer, map_arrays, namespace, series
from ..arrays.errors import expect
from .model import Batch, Model, layers, tensors
from .partitions import (
    Partition,
    by_depth_and_role,
    by_layer,
    by_role,
    canonical,
    discrete,
    grouped,
    labels,
    members,
    memberships,
    trivial,
)
from .passes import _check_input, backward, forward, gradients, mean_loss, pre_gradients

__all__ = ["by_depth_and_role", "by_layer", "by_role", "canonical", "discrete", "grouped", "labels", "spread", "summaries",
           "summary", "summed", "taylor_terms", "trivial"]

Array = Any


def pieces(x: Array, label: Array, S: int) -> list[Array | None]:
    """x on each of the S subsets and 0 elsewhere; None where a subset has no entry of this tensor.

    Takes    x like a tensor of the parameters; label like x, integers.
    """
    present = members(label)
    if len(present) == 1:
        return [x if s in present else None for s in range(S)]
    return [x * namespace(x).asarray((label == s).astype(int)) if s in present else None for s in range(S)]


def spread(eta: Array, label: Any) -> tuple[Array, ...]:
    """I_{P:S} η tensor by tensor: the entry of η (S,) that belongs to a parameter, a number where a tensor has but one."""
    xp = namespace(eta)

    def one(label: Array) -> Array:
        present = members(label)
        if len(present) == 1:
            return eta[min(present)]
        return xp.reshape(xp.asarray(memberships(label, eta.shape[0])) @ eta, label.shape)

    return tuple(one(piece) for piece in label)


def summed(values: Any, label: Any, S: int) -> Array:
    """I_{S:P} x (S,): the sum of x over each subset, x one array a tensor."""
    found = [pieces(x, l, S) for x, l in zip(values, label, strict=True)]
    xp = namespace(*values)
    return stacked([sum((xp.sum(x[s]) for x in found if x[s] is not None), xp.zeros(())) for s in range(S)])


def stacked(rows: Sequence[Array]) -> Array:
    """Arrays of one shape as one, along a new first axis."""
    xp = namespace(*rows)
    return xp.concat([xp.reshape(row, (1, *getattr(row, "shape", ()))) for row in rows])


def summaries(model: Model, params: Any, batch: Batch, u: Any, partition: Partition) -> tuple[Array, Array, Array]:
    """ḡ (S,), H̄ (S, S) and the diagonal of D^(3) (S,), with its sign, of the mean loss of `batch` at `params` along u.

    Takes    u like params; partition: S index sets, see `canonical`.
    Ensures  ḡ_s = u_sᵀ∇L;  H̄_ss′ = u_sᵀ∇²L u_s′, symmetric;  D^(3)_sss = ∇³L[u_s, u_s, u_s].
    Raises   ValueError for a u of another shape, numbers that are not finite, and what `labels` and `forward` raise; TypeError for
             mixed arithmetics.

    A direction goes back to the first layer that it moves and no further, since H̄ is symmetric: row s is read where the other
    subset starts there or later.
    """
    theta, u = tensors(params), _direction(model, params, batch, u)
    label, S = labels(params, partition), len(partition)
    lifted, x, y = _lifted(theta, [pieces(u_i, l, S) for u_i, l in zip(u, label, strict=True)], batch, 3)
    moved = layers(lifted, params)
    tape = forward(model, moved, x)
    loss = mean_loss(model, tape.output, y)
    D3_diag = stacked([_coefficient(loss, s, 3) * factorial(3) for s in range(S)])                          # W§4.2
    moved, tape, y = map_arrays(lambda z: z.truncated(1), (moved, tape, y))
    first = [min(i // 2 for i, l in enumerate(label) if s in members(l)) for s in range(S)]
    g = pre_gradients(model, moved, tape, y, lambda l, Dh: Dh.only([start < l for start in first]))
    grad = tensors(gradients(moved, g, tape.a))
    g_bar = summed([u_i * g_i.value for u_i, g_i in zip(u, grad, strict=True)], label, S)                   # W§4.1
    rows = stacked([summed([u_i * _coefficient(g_i, s, 1) for u_i, g_i in zip(u, grad, strict=True)], label, S)
                    for s in range(S)])                                                                     # W§4.1
    twice = namespace(rows).asarray([[1 + (a < b) - (a > b) for b in first] for a in first]) * rows
    return g_bar, (twice + twice.T) / 2, D3_diag


def summary(model: Model, params: Any, batch: Batch, u: Any, partition: Partition, order: int) -> Array:
    """D^(order), an array with S entries along each of `order` axes, of the mean loss of `batch` at `params` along u.

    Each order is the one before, differentiated along every u_s (W Appendix A): S^(order−1) passes, so for small nets and orders.
    Ensures  D_{s1…sd} = ∇^d L[u_s1, …, u_sd], symmetric.
    Raises   as `summaries` does.
    """
    expect(isinstance(order, int) and order >= 1, "order", "a positive integer", "order 0 is the loss", order)
    u = _direction(model, params, batch, u)
    return _summary(model, params, batch, u, labels(params, partition), len(partition), order)


def _summary(model: Model, params: Any, batch: Batch, u: Any, label: Any, S: int, order: int) -> Array:
    if order == 1:
        grad = tensors(backward(model, params, forward(model, params, batch.x), batch.y).grad)
        return summed([u_i * g_i for u_i, g_i in zip(u, grad, strict=True)], label, S)
    moved, x, y = _lifted(tensors(params), [pieces(u_i, l, S) for u_i, l in zip(u, label, strict=True)], batch, 1)
    space = namespace(*moved)
    lower = _summary(model, layers(moved, params), Batch(x, y), [space.lift(u_i) for u_i in u], label, S, order - 1)
    return stacked([_coefficient(lower, s, 1) for s in range(S)])                                           # W§A


def taylor_terms(model: Model, params: Any, batch: Batch, u: Any, order: int) -> Array:
    """∇^d L[u, …, u] for d = 0, …, order, of the mean loss of `batch` at `params`: (order + 1,).

    Ensures  L(θ + tu) = Σ_d terms[d] t^d / d! + O(t^(order+1)).
    Raises   as `summaries` does.
    """
    u = _direction(model, params, batch, u)
    moved, x, y = _lifted(tensors(params), [[u_i] for u_i in u], batch, order)
    loss = mean_loss(model, forward(model, layers(moved, params), x).output, y)
    return stacked([loss.value, *(_coefficient(loss, 0, d) * factorial(d) for d in range(1, order + 1))])  # W§3


def _direction(model: Model, params: Any, batch: Batch, u: Any) -> tuple[Array, ...]:
    """u tensor by tensor, after all that is lifted has been checked: a series takes other arithmetics without a word."""
    _check_input(model, params, batch.x)
    expect(isinstance(u, tuple | list) and all(isinstance(layer, tuple | list) for layer in u), "u", "a record a layer",
           "u is like the parameters", lambda: type(u).__name__, TypeError)
    theta, u = tensors(params), tensors(u)
    expect(len(u) == len(theta), "u", f"{len(theta)} tensors", "it has a piece for each", len(u))
    xp = namespace(*theta, *u, *(() if is_integer(batch.y) else (batch.y,)))
    for i, (u_i, theta_i) in enumerate(zip(u, theta, strict=True)):
        expect(xp.all_finite(theta_i), f"params[{i // 2}].{params[i // 2]._fields[i % 2]}", "finite numbers", "nan and inf spread",
               "nan or inf")
        expect(tuple(u_i.shape) == tuple(theta_i.shape), f"u[{i}]", f"shape {tuple(theta_i.shape)}", "u is like the parameters",
               tuple(u_i.shape))
        expect(xp.all_finite(u_i), f"u[{i}]", "finite numbers", "nan and inf spread", "nan or inf")
    return u


def _lifted(theta: Any, directions: Any, batch: Batch, order: int) -> tuple[list[Array], Array, Array]:
    """θ moved along the directions of each of its tensors, and the data as constants of the same series."""
    space = series(tuple(theta), len(directions[0]), order)
    moved = [space.along(theta_i, along) for theta_i, along in zip(theta, directions, strict=True)]
    return moved, space.lift(batch.x), batch.y if is_integer(batch.y) else space.lift(batch.y)


def _coefficient(x: Any, s: int, k: int) -> Array:
    """The coefficient of t_s^k of a Series, an array even where it is 0 for certain."""
    c = x.rays[s][k - 1]
    return namespace(x.value).zeros(x.shape) if c is None else c
