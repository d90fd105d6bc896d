"""Summaries of higher-order derivatives: what a loss does when each subset of its parameters moves along its own piece of u.

Paper    W Sections 3 and 4.1, 4.2, Appendix A; Table 1.
Symbols  θ the parameters in the order W_1, b_1, W_2, b_2, …, entries row by row; I_1, …, I_S a partition of their numbers 0 … P − 1;
         u a direction, like θ, U = Diag(u), u_s = u on I_s and 0 elsewhere; D^(d) the order-d derivative at η = 0 of
         η → L(θ + U I_{P:S} η), S numbers along each of d axes; ḡ = D^(1), H̄ = D^(2).
Kinks    relu has φ′(0) = φ″(0) = … = 0; elu at 0 has the derivatives of eᵗ − 1; a max pool moves with the first largest entry.

Pearlmutter's R-operator is arithmetic of order 1 in t on the lines of the two passes, and Taylor propagation arithmetic of order d:
the passes run on `arrays.series`, which knows which coefficients are 0, so that a direction costs nothing before its layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import Any

import numpy as np

from ..arrays import is_integer, map_arrays, namespace, series
from ..arrays.errors import expect
from .model import Batch, Model, layers, tensors
from .passes import backward, forward, mean_loss

Array = Any
Partition = Sequence[Any]
"""S index sets I_s (integer arrays, lists or tuples), which together hold every number from 0 to P − 1 once."""


def grouped(params: Any, groups: Any) -> tuple[Array, ...]:
    """The partition whose s-th subset holds the tensors with the numbers groups[s], in the order W_1, b_1, W_2, b_2, …

    Raises   ValueError unless every tensor is in one group and no group is empty.
    """
    numbers = _numbers(params)
    groups = [list(group) for group in groups]
    listed = sorted(i for group in groups for i in group)
    expect(all(groups) and listed == list(range(len(numbers))), "groups", f"the numbers 0 to {len(numbers) - 1}, each in one group",
           "a partition holds every tensor once", groups)
    return tuple(np.concatenate([numbers[i].ravel() for i in group]) for group in groups)


def canonical(params: Any) -> tuple[Array, ...]:
    """A subset a tensor: weights and biases of every layer apart, S = 2L (W Section 4.3)."""
    return grouped(params, [[i] for i in range(len(tensors(params)))])


def trivial(params: Any) -> tuple[Array, ...]:
    """One subset that holds all (W Appendix C)."""
    return grouped(params, [range(len(tensors(params)))])


def discrete(params: Any) -> tuple[Array, ...]:
    """A subset a parameter (W Appendix C)."""
    return tuple(np.asarray([p]) for p in range(_count(params)))


def by_role(params: Any) -> tuple[Array, ...]:
    """Two subsets: all weights (and γ), all biases (and β)."""
    return by_depth_and_role(params, 1)


def by_depth_and_role(params: Any, chunks: int) -> tuple[Array, ...]:
    """The layers in `chunks` runs that differ by one at most, the longer ones first, and each in weights and biases: S = 2·chunks.

    W Appendix G takes 5 chunks of 100 layers.
    Raises   ValueError unless chunks is an integer from 1 to the number of layers.
    """
    L = len(params)
    expect(isinstance(chunks, int) and 1 <= chunks <= L, "chunks", f"an integer from 1 to {L}", "every chunk has a layer", chunks)
    runs = [run.tolist() for run in np.array_split(np.arange(L), chunks)]
    return grouped(params, [[2 * l + role for l in run] for run in runs for role in (0, 1)])


def _count(params: Any) -> int:
    return sum(int(np.prod(tensor.shape)) for tensor in tensors(params))


def _numbers(params: Any) -> list[Array]:
    """The number of every parameter, tensor by tensor."""
    sizes = [int(np.prod(tensor.shape)) for tensor in tensors(params)]
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end).reshape(tuple(tensor.shape))
            for end, size, tensor in zip(ends, sizes, tensors(params), strict=True)]


def labels(params: Any, partition: Partition) -> tuple[Array, ...]:
    """The number s of every parameter's subset, one integer array a tensor: what a partition says, after it has been checked.

    Raises   ValueError for subsets that are empty, overlap, leave a parameter out, or name one that does not exist.
    """
    P = _count(params)
    label = np.full(P, -1)
    expect(len(partition) > 0, "partition", "at least one subset", "every parameter is in one", "none")
    for s, given in enumerate(partition):
        subset = np.asarray(given)
        expect(subset.ndim == 1 and subset.size > 0 and subset.dtype.kind in "iu", f"partition[{s}]", "a vector of integers, not empty",
               "it lists parameters by number", lambda subset=subset: f"{subset.dtype} of shape {subset.shape}")
        expect(((subset >= 0) & (subset < P)).all(), f"partition[{s}]", f"numbers from 0 to {P - 1}", f"there are {P} parameters",
               lambda subset=subset: f"{subset.min()} to {subset.max()}")
        expect((label[subset] < 0).all() and np.unique(subset).size == subset.size, f"partition[{s}]",
               "parameters that are in no other subset, each once", "subsets of a partition do not overlap",
               lambda subset=subset: f"parameter {_repeated(label, subset)} again")
        label[subset] = s
    expect((label >= 0).all(), "partition", "every parameter", "a parameter in no subset would never move",
           lambda: f"none for parameter {int(np.argmin(label))}")
    return tuple(label[numbers] for numbers in _numbers(params))


def _repeated(label: Array, subset: Array) -> int:
    old = subset[label[subset] >= 0]
    values, counts = np.unique(subset, return_counts=True)
    return int(old[0] if old.size else values[np.argmax(counts)])


def pieces(x: Array, label: Array, S: int) -> list[Array | None]:
    """x on each of the S subsets and 0 elsewhere; None where a subset has no entry of this tensor."""
    first = int(label.flat[0])
    if (label == first).all():
        return [x if s == first else None for s in range(S)]
    present = set(np.unique(label).tolist())
    return [x * namespace(x).asarray((label == s).astype(int)) if s in present else None for s in range(S)]


def spread(eta: Array, label: Any) -> tuple[Array, ...]:
    """I_{P:S} η tensor by tensor: the entry of η (S,) that belongs to a parameter, a number where a tensor has but one."""
    xp = namespace(eta)

    def one(label: Array) -> Array:
        first = int(label.flat[0])
        if (label == first).all():
            return eta[first]
        member = (label.reshape(-1, 1) == np.arange(eta.shape[0])).astype(int)
        return xp.reshape(xp.asarray(member) @ eta, label.shape)

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
    Raises   ValueError for a u of another shape or not finite, and what `labels` raises.
    """
    label, S = labels(params, partition), len(partition)
    theta, u = tensors(params), _direction(params, u)
    moved, x, y = _lifted(theta, [pieces(u_i, l, S) for u_i, l in zip(u, label, strict=True)], batch, 3)
    moved = layers(moved, params)
    tape = forward(model, moved, x)
    loss = mean_loss(model, tape.output, y)
    D3_diag = stacked([_coefficient(loss, s, 3) * factorial(3) for s in range(S)])                          # W§4.2
    moved, tape, y = map_arrays(lambda z: z.truncated(1), (moved, tape, y))
    grad = tensors(backward(model, moved, tape, y).grad)
    g_bar = summed([u_i * g_i.value for u_i, g_i in zip(u, grad, strict=True)], label, S)                   # W§4.1
    H_bar = stacked([summed([u_i * _coefficient(g_i, s, 1) for u_i, g_i in zip(u, grad, strict=True)], label, S)
                     for s in range(S)])                                                                    # W§4.1
    return g_bar, (H_bar + H_bar.T) / 2, D3_diag


def summary(model: Model, params: Any, batch: Batch, u: Any, partition: Partition, order: int) -> Array:
    """D^(order), an array with S entries along each of `order` axes, of the mean loss of `batch` at `params` along u.

    Each order is the one before, differentiated along every u_s (W Appendix A): S^(order−1) passes, so for small nets and orders.
    Ensures  D_{s1…sd} = ∇^d L[u_s1, …, u_sd], symmetric.
    """
    expect(isinstance(order, int) and order >= 1, "order", "a positive integer", "order 0 is the loss", order)
    label = labels(params, partition)
    return _summary(model, params, batch, _direction(params, u), label, len(partition), order)


def _summary(model: Model, params: Any, batch: Batch, u: Any, label: Any, S: int, order: int) -> Array:
    if order == 1:
        grad = tensors(backward(model, params, forward(model, params, batch.x), batch.y).grad)
        return summed([u_i * g_i for u_i, g_i in zip(u, grad, strict=True)], label, S)
    moved, x, y = _lifted(tensors(params), [pieces(u_i, l, S) for u_i, l in zip(u, label, strict=True)], batch, 1)
    space = namespace(*moved)
    lower = _summary(model, layers(moved, params), Batch(x, y), [space.lift(u_i) for u_i in u], label, S, order - 1)
    return stacked([_coefficient(lower, s, 1) for s in range(S)])


def taylor_terms(model: Model, params: Any, batch: Batch, u: Any, order: int) -> Array:
    """∇^d L[u, …, u] for d = 0, …, order, of the mean loss of `batch` at `params`: (order + 1,).

    Ensures  L(θ + tu) = Σ_d terms[d] t^d / d! + O(t^(order+1)).
    """
    u = _direction(params, u)
    moved, x, y = _lifted(tensors(params), [[u_i] for u_i in u], batch, order)
    loss = mean_loss(model, forward(model, layers(moved, params), x).output, y)
    return stacked([loss.value, *(_coefficient(loss, 0, d) * factorial(d) for d in range(1, order + 1))])  # W§3.0


def _direction(params: Any, u: Any) -> tuple[Array, ...]:
    """u tensor by tensor, after its shapes and numbers have been checked."""
    theta, u = tensors(params), tensors(u)
    expect(len(u) == len(theta), "u", f"{len(theta)} tensors", "it has a piece for each", len(u))
    xp = namespace(*theta, *u)
    for i, (u_i, theta_i) in enumerate(zip(u, theta, strict=True)):
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
