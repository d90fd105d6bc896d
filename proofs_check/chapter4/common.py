"""Tensors of any order over a field, by the definitions of R Section 4.2.1: nothing here is a clever reshape.

Directions i count from 1, as in the text; indices from 0.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import flint

from ..fields import Field, Matrix

MARGIN = 2.0**-30
"""What comparisons of floating-point numbers leave to rounding, of the larger one: 2²² roundoffs, for some thousand operations."""


class Tensor(NamedTuple):
    """A tensor: its shape (d_1, …, d_k), and its entries by index."""

    shape: tuple[int, ...]
    at: dict[tuple[int, ...], Any]


def shapes(n: int) -> tuple[tuple[int, ...], ...]:
    """Orders 1 to 4 with directions of about n, or, from n = 200 on, a matrix and a tensor of order 4 with 210 entries each."""
    if n >= 200:
        return (15, 14), (2, 3, 5, 7)
    return (n,), (n, n + 1), (n + 1, n), (2, n, 3), (1, 2, n, 2)


def indices(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """All indices, the last one fastest."""
    return list(product(*map(range, shape)))


def draw(field: Field, shape: tuple[int, ...]) -> Tensor:
    """A random tensor."""
    return Tensor(shape, {index: field.draw() for index in indices(shape)})


def slice_of(A: Tensor, i: int, j: int) -> Tensor:
    """A_j^i: the entries whose i-th index is j, of order k − 1."""
    return Tensor(A.shape[:i - 1] + A.shape[i:],
                  {index[:i - 1] + index[i:]: x for index, x in A.at.items() if index[i - 1] == j})


def vec(A: Tensor) -> list[Any]:
    """The slices along the first direction, one below the other; a number, which the text forgets, is its own vector."""
    if not A.shape:
        return [A.at[()]]
    if len(A.shape) == 1:
        return [A.at[j,] for j in range(A.shape[0])]
    return [x for j in range(A.shape[0]) for x in vec(slice_of(A, 1, j))]


def column(field: Field, entries: list[Any]) -> Matrix:
    """A list as a matrix of one column."""
    return field.build(len(entries), 1, lambda i, _: entries[i])


def mat(field: Field, A: Tensor, i: int) -> Matrix:
    """mat_i(A): vec(A_j^i)ᵀ is row j."""
    rows = [vec(slice_of(A, i, j)) for j in range(A.shape[i - 1])]
    return field.build(len(rows), len(rows[0]), lambda j, c: rows[j][c])


def contraction(field: Field, A: Tensor, i: int) -> Matrix:
    """A^(i) = mat_i(A) mat_i(A)ᵀ."""
    M = mat(field, A, i)
    return M * M.transpose()


def mode(A: Tensor, i: int, U: Matrix) -> Tensor:
    """A ×_i U, entry by entry."""
    shape = (*A.shape[:i - 1], U.nrows(), *A.shape[i:])
    entries = {}
    for index in indices(shape):
        total = None
        for j in range(A.shape[i - 1]):
            term = A.at[(*index[:i - 1], j, *index[i:])] * U[index[i - 1], j]
            total = term if total is None else total + term
        entries[index] = total
    return Tensor(shape, entries)


def modes(A: Tensor, Us: list[Matrix], first: int = 1) -> Tensor:
    """A ×_first U_1 ×_(first + 1) U_2 …"""
    for i, U in enumerate(Us, first):
        A = mode(A, i, U)
    return A


def kron(field: Field, Us: list[Matrix]) -> Matrix:
    """U_1 ⊗ U_2 ⊗ …: the row and the column of an entry run through the factors, the last one fastest."""
    rows = [[1]]
    for U in Us:
        of_U = [[U[i, j] if field.p is None else int(U[i, j]) for j in range(U.ncols())] for i in range(U.nrows())]
        rows = [[x * y for x in row for y in other] for row in rows for other in of_U]
    entries = [x for row in rows for x in row]
    if field.p is None:
        return flint.fmpq_mat(len(rows), len(rows[0]), entries)
    return flint.nmod_mat(len(rows), len(rows[0]), [x % field.p for x in entries], field.p)


def without(numbers: tuple[Any, ...] | list[Any], i: int) -> list[Any]:
    """All but the i-th."""
    return [x for j, x in enumerate(numbers, 1) if j != i]


def times(numbers: list[Any], one: Any = 1) -> Any:
    """The product."""
    for x in numbers:
        one = one * x
    return one
