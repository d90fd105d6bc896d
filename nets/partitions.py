"""Partitions of a network's parameters: index sets I_1, …, I_S, as data.

Paper    W Sections 4.1, 4.3, Appendices C and G.
Symbols  parameters are numbered 0 … P − 1 in the order W_1, b_1, W_2, b_2, …, the entries of a tensor row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from ..arrays import is_array
from ..arrays.errors import expect
from .model import tensors

Array = Any
Partition = Sequence[Any]
"""S index sets I_s (integer arrays, lists or tuples), which together hold every number from 0 to P − 1 once."""


def grouped(params: Any, groups: Any) -> tuple[Array, ...]:
    """The partition whose s-th subset holds the tensors with the numbers groups[s], in the order W_1, b_1, W_2, b_2, …

    Raises   ValueError unless every tensor is in one group and no group is empty; TypeError for what is no numbers in groups.
    """
    numbers = _numbers(params)
    groups = [list(group) if isinstance(group, Iterable) else group for group in groups] if isinstance(groups, Iterable) else groups
    expect(isinstance(groups, list) and all(isinstance(group, list) and all(isinstance(i, Integral) for i in group)
                                            for group in groups),
           "groups", "lists of integers", "a group lists tensors by number", groups, TypeError)
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


def by_layer(params: Any) -> tuple[Array, ...]:
    """A subset a layer: its weights and biases together, or γ and β.

    For nets with BatchNorms: a bias before one has the gradient 0, so that in floats a subset of its own moves along rounding
    alone.
    """
    return grouped(params, [(2 * l, 2 * l + 1) for l in range(len(params))])


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

    Raises   ValueError for subsets that are empty, overlap, leave a parameter out, or name one that does not exist; TypeError for
             what is no sequence of subsets.
    """
    P = _count(params)
    label = np.full(P, -1)
    expect(isinstance(partition, Sequence) or is_array(partition), "partition", "a list or tuple of index sets",
           "they are counted and gone through twice", lambda: type(partition).__name__, TypeError)
    expect(len(partition) > 0, "partition", "at least one subset", "every parameter is in one", "none")
    for s, given in enumerate(partition):
        subset = _vector(given)
        expect(subset.ndim == 1 and subset.size > 0 and subset.dtype.kind in "iu", f"partition[{s}]",
               "a vector of integers, not empty", "it lists parameters by number",
               lambda subset=subset: f"{subset.dtype} of shape {subset.shape}")
        expect(((subset >= 0) & (subset < P)).all(), f"partition[{s}]", f"numbers from 0 to {P - 1}", f"there are {P} parameters",
               lambda subset=subset: f"{subset.min()} to {subset.max()}")
        expect((label[subset] < 0).all() and np.diff(np.sort(subset)).all(), f"partition[{s}]",
               "parameters that are in no other subset, each once", "subsets of a partition do not overlap",
               lambda subset=subset: f"parameter {_repeated(label, subset)} again")
        label[subset] = s
    expect((label >= 0).all(), "partition", "every parameter", "a parameter in no subset would never move",
           lambda: f"none for parameter {int(np.argmin(label))}")
    return tuple(label[numbers] for numbers in _numbers(params))


def _vector(given: Any) -> Array:
    """`given` as an array; of objects, which are no integers, where its entries have different lengths."""
    try:
        return np.asarray(given)
    except ValueError:
        return np.full(len(given), None)


def members(label: Array) -> set[int]:
    """The subsets that a tensor's parameters are in: label like the tensor, integers."""
    first = int(label.flat[0])
    return {first} if (label == first).all() else set(np.unique(label).tolist())


def memberships(label: Array, S: int) -> Array:
    """The rows (n, S) of I_{P:S} of a tensor with n parameters: 1 in their subset, 0 elsewhere; label like the tensor."""
    return (label.reshape(-1, 1) == np.arange(S)).astype(int)


def _repeated(label: Array, subset: Array) -> int:
    old = subset[label[subset] >= 0]
    values, counts = np.unique(subset, return_counts=True)
    return int(old[0] if old.size else values[np.argmax(counts)])
