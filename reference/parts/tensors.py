"""Tensor algebra: row-major vectorization, matricization, contraction, mode products, Kronecker products.

Paper    R Section 4.2.1, Lemma 8, Proposition 1.
Symbols  A (d_1, …, d_k) a tensor of order k; modes i are counted from 1, as in the text; U_i (d_i′, d_i).

Which vec: chapter 4 stacks rows (`vec`), chapters 2, 3 and 5 stack columns (`vec_columns`). In the first,
(A ⊗ Bᵀ) vec(X) = vec(AXB); in the second, (Bᵀ ⊗ A) vec(X) = vec(AXB).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from numbers import Integral
from typing import Any

from ...arrays import namespace
from ...arrays.errors import expect, sequence, shape_of

Array = Any


def vec(A: Array) -> Array:
    """The entries of A, last index fastest (R Section 4.2.1, written with a bar there): (d_1, …, d_k) to (d_1⋯d_k,)."""
    return namespace(A).reshape(A, (-1,))                                             # R§4.2.1


def vec_columns(X: Array) -> Array:
    """The columns of a matrix one below the other (R chapters 2, 3 and 5): (m, n) to (mn,)."""
    _check_matrix(X, "X", "a matrix", "columns are stacked")
    return namespace(X).reshape(X.T, (-1,))                                           # R§5.2.1


def mat(A: Array, i: int) -> Array:
    """The matricization mat_i(A) (R Section 4.2.1): row j is vec of the j-th slice along mode i; (d_i, ∏ of the others)."""
    _check_mode(A, i)
    others = [axis for axis in range(A.ndim) if axis != i - 1]
    return namespace(A).reshape(namespace(A).permute_dims(A, (i - 1, *others)), (A.shape[i - 1], -1))     # R§4.2.1


def contraction(A: Array, i: int) -> Array:
    """A⁽ⁱ⁾ = mat_i(A) mat_i(A)ᵀ (R Section 4.2.1): A contracted with itself along all modes but i; (d_i, d_i)."""
    matricized = mat(A, i)
    return matricized @ matricized.T                                                  # R§4.2.1


def mode_product(A: Array, U: Array, i: int) -> Array:
    """A ×_i U (R Section 4.2.1): entry (…, j′, …) is Σ_j A_{…j…} U_{j′j}; mode i changes from d_i to U's rows.

    Raises   ValueError where U does not act on mode i.
    """
    _check_mode(A, i)
    what, why = f"{A.shape[i - 1]} columns", f"mode {i} of A is as long"
    expect(shape_of(U, "U", why)[1:] == (A.shape[i - 1],), "U", what, why, f"shape {tuple(U.shape)}")
    xp = namespace(A, U)
    others = [d for axis, d in enumerate(A.shape) if axis != i - 1]
    product = xp.reshape(U @ mat(A, i), (U.shape[0], *others))
    return xp.permute_dims(product, (*range(1, i), 0, *range(i, A.ndim)))             # R§4.2.1


def mode_products(A: Array, U: Sequence[Array]) -> Array:
    """A ×_1 U_1 ×_2 U_2 ⋯ ×_k U_k, which is (U_1 ⊗ ⋯ ⊗ U_k) vec(A) without forming the product (R Proposition 1)."""
    order = len(shape_of(A, "A", "its axes are modes"))
    what, why = f"{order} matrices", "A has as many modes"
    U = sequence(U, "U", what, why)
    expect(len(U) == order, "U", what, why, len(U))
    return reduce(lambda product, mode: mode_product(product, mode[1], mode[0]), enumerate(U, start=1), A)   # R(4.3)


def kron(*U: Array) -> Array:
    """U_1 ⊗ U_2 ⊗ ⋯ ⊗ U_k: block (i, j) of A ⊗ B is A_ij B."""
    expect(len(U) > 0, "U", "at least one matrix", "an empty product has no arithmetic", "none")
    for U_i in U:
        _check_matrix(U_i, "U", "matrices", "blocks are matrices")
    return reduce(namespace(*U).kron, U)


def _check_mode(A: Array, i: int) -> None:
    order = len(shape_of(A, "A", "its axes are modes"))
    expect(isinstance(i, Integral) and 1 <= i <= order, "i", f"a mode from 1 to {order}",
           "modes are counted from 1, as in the text", repr(i))


def _check_matrix(X: Array, name: str, what: str, why: str) -> None:
    shape = shape_of(X, name, why)
    expect(len(shape) == 2, name, what, why, f"shape {shape}")
