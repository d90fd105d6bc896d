"""Kronecker products, both vecs, and tensor algebra: R Lemma 8, Proposition 1, Section 4.2.1; the textbook's column-major vec.

Signatures as in `stepgauge.reference.parts.tensors`; modes are counted from 1, as in the text. The other side of every equation
is written out entry by entry. All dimensions of an input differ, so that no transposed or exchanged factor fits by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from . import strategies
from .rational import array, columns_stacked, kron, rows_stacked, size
from .trial import Trial, drawn_from

Array = Any


@drawn_from(strategies.three_matrices())
def kron_row_major(product_of: Callable[..., Array], A: Array, X: Array, B: Array) -> None:
    """R Lemma 8: (A ⊗ Bᵀ) vec(X) = vec(AXB) where vec stacks rows; here for any A, B that fit, not only square ones.

    States   that, and that block (i, j) of A ⊗ Bᵀ is A_ij Bᵀ, which pins every entry.
    Takes    product_of(A, Bᵀ) -> A ⊗ Bᵀ (kp, mn); A (k, m), X (m, n), B (n, p).
    Catches  the factors in the other order, which is the column-major convention.
    """
    trial = Trial(A=A, X=X, B=B)
    K = trial.call(product_of, A, B.T)
    A, X, B = trial.exact()
    K = trial.array("A ⊗ Bᵀ", K, len(A) * B.shape[1], X.size)
    trial.equal("(A ⊗ Bᵀ) vec(X) = vec(AXB), vec by rows", K @ rows_stacked(X), rows_stacked(A @ X @ B),
                scale=X.size * size(K) * size(X))
    trial.equal("block (i, j) of A ⊗ Bᵀ is A_ij Bᵀ", K, kron(A, B.T))


@drawn_from(strategies.three_matrices())
def kron_column_major(product_of: Callable[..., Array], A: Array, X: Array, B: Array) -> None:
    """The common lemma: (Bᵀ ⊗ A) vec(X) = vec(AXB) where vec stacks columns (R chapters 2, 3 and 5).

    States   that, and that block (i, j) of Bᵀ ⊗ A is B_ji A, which pins every entry.
    Takes    product_of(Bᵀ, A) -> Bᵀ ⊗ A (pk, nm); A (k, m), X (m, n), B (n, p).
    Catches  the factors in the other order, which is the row-major convention.
    """
    trial = Trial(A=A, X=X, B=B)
    K = trial.call(product_of, B.T, A)
    A, X, B = trial.exact()
    K = trial.array("Bᵀ ⊗ A", K, B.shape[1] * len(A), X.size)
    trial.equal("(Bᵀ ⊗ A) vec(X) = vec(AXB), vec by columns", K @ columns_stacked(X), columns_stacked(A @ X @ B),
                scale=X.size * size(K) * size(X))
    trial.equal("block (i, j) of Bᵀ ⊗ A is B_ji A", K, kron(B.T, A))


@drawn_from(strategies.three_matrices())
def vec_row_major(vec: Callable[..., Array], A: Array, X: Array, B: Array) -> None:
    """The vec of R chapter 4, which stacks rows: (A ⊗ Bᵀ) vec(X) = vec(AXB).

    States   that, and entry by entry vec(X)_(in + j) = X_ij, counted from 0.
    Takes    vec(X) -> (mn,) for X (m, n); A (k, m), B (n, p).
    Catches  the other vec, a result of shape (mn, 1), entries in reverse.
    """
    trial = Trial(A=A, X=X, B=B)
    A, X, B = trial.exact()
    v, w = _vecs(trial, vec, X, A @ X @ B)
    trial.equal("vec(X)_(in + j) = X_ij", v, rows_stacked(X))
    trial.equal("(A ⊗ Bᵀ) vec(X) = vec(AXB), vec by rows", kron(A, B.T) @ v, w, scale=size(A) * size(X) * size(B) * X.size)


@drawn_from(strategies.three_matrices())
def vec_column_major(vec: Callable[..., Array], A: Array, X: Array, B: Array) -> None:
    """The vec of R chapters 2, 3 and 5, which stacks columns: (Bᵀ ⊗ A) vec(X) = vec(AXB).

    States   that, and entry by entry vec(X)_(i + jm) = X_ij, counted from 0.
    Takes    vec(X) -> (mn,) for X (m, n); A (k, m), B (n, p).
    Catches  the other vec (what `reshape(-1)` does in most libraries), a result of shape (mn, 1), entries in reverse.
    """
    trial = Trial(A=A, X=X, B=B)
    A, X, B = trial.exact()
    v, w = _vecs(trial, vec, X, A @ X @ B)
    trial.equal("vec(X)_(i + jm) = X_ij", v, columns_stacked(X))
    trial.equal("(Bᵀ ⊗ A) vec(X) = vec(AXB), vec by columns", kron(B.T, A) @ v, w, scale=size(A) * size(X) * size(B) * X.size)


def _vecs(trial: Trial, vec: Callable[..., Array], X: Array, AXB: Array) -> tuple[Array, Array]:
    return (trial.array("vec(X)", trial.call(vec, trial.given(X)), X.size),
            trial.array("vec(AXB)", trial.call(vec, trial.given(AXB)), AXB.size))


@drawn_from(strategies.tensors().map(lambda A: (A,)))
def vec_of_tensor(vec: Callable[..., Array], A: Array) -> None:
    """The vectorization of R Section 4.2.1 for order 1 to 5: vec of the slices along the first dimension, one below the other.

    States   unrolled: the entries of A with the last index fastest; a vector is its own vec.
    Takes    vec(A) -> (d_1⋯d_k,); A (d_1, …, d_k).
    Catches  the first index fastest, axes reversed from order 3 on only.
    """
    trial = Trial(A=A)
    v = trial.array("vec(A)", trial.call(vec, A), A.size)
    trial.equal("vec(A), last index fastest", v, rows_stacked(*trial.exact()))


@drawn_from(strategies.tensors().map(lambda A: (A,)))
def mat_pins(mat: Callable[..., Array], A: Array) -> None:
    """The matricizations of R Section 4.2.1: row j of mat_i(A) is vec of the j-th slice along dimension i, for every i.

    States   that; for i = 1 it says vec(A) = vec(mat_1(A)).
    Takes    mat(A, i) -> (d_i, ∏ of the others); A (d_1, …, d_k), k = 1 to 5; i from 1.
    Catches  the other axes in cyclic or reversed order (Kolda and Bader's unfolding), i counted from 0, a plain reshape.
    """
    trial = Trial(A=A)
    A_, = trial.exact()
    for i in range(1, A.ndim + 1):
        M = trial.array(f"mat_{i}(A)", trial.call(mat, A, i), A.shape[i - 1], A.size // A.shape[i - 1])
        trial.equal(f"row j of mat_{i}(A) is vec of slice j along dimension {i}", M, _mat(A_, i))


@drawn_from(strategies.tensors().map(lambda A: (A,)))
def contraction_pins(contraction: Callable[..., Array], A: Array) -> None:
    """The contractions of R Section 4.2.1: A⁽ⁱ⁾ = mat_i(A) mat_i(A)ᵀ, A with itself along all dimensions but i.

    States   A⁽ⁱ⁾_jk = sum of the products of slices j and k along dimension i; tr A⁽ⁱ⁾ = ‖A‖² for every i.
    Takes    contraction(A, i) -> (d_i, d_i); A (d_1, …, d_k), k = 1 to 5; i from 1.
    Catches  mat_i(A)ᵀ mat_i(A), a mean for the sum, contraction over dimension i alone.
    """
    trial = Trial(A=A)
    A_, = trial.exact()
    for i in range(1, A.ndim + 1):
        C = trial.array(f"A^({i})", trial.call(contraction, A, i), A.shape[i - 1], A.shape[i - 1])
        slices = [A_[(slice(None),) * (i - 1) + (j,)] for j in range(A.shape[i - 1])]
        sums = array([np.sum(one * other) for one in slices for other in slices], len(slices), len(slices))
        trial.equal(f"tr A^({i}) = ‖A‖²", C.trace(), np.sum(A_ * A_))
        trial.equal(f"A^({i})_jk = sum of slice j times slice k", C, sums)


@drawn_from(strategies.tensors_and_matrices())
def mode_product_pins(mode_product: Callable[..., Array], A: Array, U: Sequence[Array]) -> None:
    """The mode-i product of R Section 4.2.1 and the two facts that the proof of Proposition 1 uses.

    States   U mat_i(A) = mat_i(A ×_i U), entry by entry (A ×_i U)_(…j′…) = Σ_j A_(…j…) U_j′j; A ×_i U ×_j V = A ×_j V ×_i U for
             i ≠ j: products along different modes commute; A ×_i U ×_i V = A ×_i VU.
    Takes    mode_product(A, U, i) -> (…, d_i′, …); A (d_1, …, d_k), k = 1 to 5; U a list of k matrices (d_i′, d_i); i from 1.
    Catches  Uᵀ for U, the new dimension left at the front or the end (np.tensordot), a dimension found by its length.
    """
    trial = Trial(A=A, U=U)
    A_, U_ = trial.exact()

    def along(what: str, T: Array, V: Array, i: int) -> Array:
        product_ = trial.call(mode_product, trial.given(T), trial.given(V), i)
        return trial.array(what, product_, *T.shape[:i - 1], len(V), *T.shape[i:])

    once = [along(f"A ×_{i} U_{i}", A_, V, i) for i, V in enumerate(U_, start=1)]
    for i, (V, AV) in enumerate(zip(U_, once, strict=True), start=1):
        terms = max(A.shape) * size(A_) * size(V)
        trial.equal(f"(A ×_{i} U)_(…j′…) = Σ_j A_(…j…) U_j′j", _mat(AV, i), V @ _mat(A_, i), scale=terms)
        trial.equal(f"A ×_{i} U ×_{i} Uᵀ = A ×_{i} UᵀU", along("A × U × Uᵀ", AV, V.T, i), along("A × UᵀU", A_, V.T @ V, i),
                    scale=terms * size(V) * max(A.shape))
    for i, j in combinations(range(1, A.ndim + 1), 2):
        first, second = U_[i - 1], U_[j - 1]
        trial.equal(f"A ×_{i} U ×_{j} V = A ×_{j} V ×_{i} U", along("A × U × V", once[i - 1], second, j),
                    along("A × V × U", once[j - 1], first, i), scale=max(A.shape) ** 2 * size(A_) * size(first) * size(second))


@drawn_from(strategies.tensors_and_matrices())
def proposition_1(mode_products: Callable[..., Array], A: Array, U: Sequence[Array]) -> None:
    """R Proposition 1, (4.3): (U_1 ⊗ ⋯ ⊗ U_k) vec(A) = vec(A ×_1 U_1 ×_2 ⋯ ×_k U_k); here for U_i that need not be square.

    Takes    mode_products(A, [U_1, …, U_k]) -> the tensor on the right (d_1′, …, d_k′); A (d_1, …, d_k), k = 1 to 5;
             U_i (d_i′, d_i).
    Catches  Uᵀ for U, one matrix left out, the modes in the other order, vec by columns.
    """
    trial = Trial(A=A, U=U)
    T = trial.array("A ×_1 U_1 ⋯ ×_k U_k", trial.call(mode_products, A, list(U)), *(len(V) for V in U))
    A, U = trial.exact()
    K = kron(*U)
    trial.equal("(U_1 ⊗ ⋯ ⊗ U_k) vec(A) = vec(A ×_1 U_1 ⋯ ×_k U_k)", rows_stacked(T), K @ rows_stacked(A),
                scale=A.size * size(K) * size(A))


def _mat(A: Array, i: int) -> Array:
    """mat_i(A), entry by entry."""
    others = [range(d) for axis, d in enumerate(A.shape) if axis != i - 1]
    entries = [A[(*rest[:i - 1], j, *rest[i - 1:])] for j in range(A.shape[i - 1]) for rest in product(*others)]
    return array(entries, A.shape[i - 1], -1)
