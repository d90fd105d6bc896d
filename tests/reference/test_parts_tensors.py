"""Tensor algebra: R Section 4.2.1, Lemma 8, Proposition 1.

Three routes: the recursive definitions of the text on nested lists; closed index formulas; floats, bit for bit where entries
only move or are multiplied once, inside γ_n bounds where they are summed. Orders 1 to 5, all dimensions different.
"""

from fractions import Fraction as F
from itertools import permutations, product
from math import prod

import numpy as np
import pytest
from stepgauge.arrays import cast
from stepgauge.reference.parts import tensors

SHAPES = [(4,), (2, 5), (5, 1), (3, 4, 2), (4, 1, 2, 3), (2, 3, 1, 5, 4)]
MODES = [(shape, i) for shape in SHAPES for i in range(1, len(shape) + 1)]
FLOATS = [np.float32, np.float64]


def random_rationals(shape, seed):
    rng = np.random.default_rng(seed)
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        array[index] = F(int(rng.integers(-9, 10)), int(rng.integers(1, 8)))
    return array


def matrices(shape, seed):
    """For every mode one matrix with as many columns, and rows that no dimension has."""
    return [random_rationals((6 + i % 2, d), seed + i) for i, d in enumerate(shape)]


# --------------------------------------------------------------------------- route 1: the text's definitions on nested lists


def shape_of(A):
    return (len(A), *shape_of(A[0])) if isinstance(A, list) else ()


def slice_of(A, i, j):
    """A_j^i: what is left of A when its i-th index is j."""
    return A[j] if i == 1 else [slice_of(branch, i - 1, j) for branch in A]


def text_vec(A):
    """The vecs of the slices along the first dimension one below the other; a vector is its own."""
    if not isinstance(A, list):
        return [A]
    stacked = []
    for j in range(len(A)):
        stacked += text_vec(slice_of(A, 1, j))
    return stacked


def text_mat(A, i):
    return [text_vec(slice_of(A, i, j)) for j in range(shape_of(A)[i - 1])]


def text_product(X, Y):
    return [[sum(X[i][k] * Y[k][j] for k in range(len(Y))) for j in range(len(Y[0]))] for i in range(len(X))]


def text_transpose(X):
    return [[X[i][j] for i in range(len(X))] for j in range(len(X[0]))]


def text_mode_product(A, U, i):
    """B_{… j′ …} = Σ_j A_{… j …} U_{j′ j}, by going down to mode i and summing what hangs there."""
    if i > 1:
        return [text_mode_product(branch, U, i - 1) for branch in A]
    return [weighted_sum(row, A) for row in U]


def weighted_sum(weights, branches):
    if isinstance(branches[0], list):
        return [weighted_sum(weights, [branch[k] for branch in branches]) for k in range(len(branches[0]))]
    return sum(w * x for w, x in zip(weights, branches, strict=True))


def text_kron(X, Y):
    """Block (i, j) is X_ij Y."""
    return [[X[i][j] * y for j in range(len(X[0])) for y in row] for i in range(len(X)) for row in Y]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_vec_of_the_text(shape):
    A = random_rationals(shape, 1)
    assert tensors.vec(A).tolist() == text_vec(A.tolist())


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (1, 5), (5, 1), (1, 1)], ids=str)
def test_vec_columns(shape):
    X = random_rationals(shape, 2)
    stacked = []
    for j in range(shape[1]):
        for i in range(shape[0]):
            stacked.append(X[i, j])
    assert tensors.vec_columns(X).tolist() == stacked
    assert tensors.vec_columns(X).tolist() == tensors.vec(X.T).tolist()


@pytest.mark.parametrize(("shape", "i"), MODES, ids=str)
def test_mat_contraction_and_mode_product_of_the_text(shape, i):
    A = random_rationals(shape, 3)
    U = matrices(shape, 4)[i - 1]
    rows = text_mat(A.tolist(), i)
    assert tensors.mat(A, i).tolist() == rows
    assert tensors.contraction(A, i).tolist() == text_product(rows, text_transpose(rows))
    assert tensors.mode_product(A, U, i).tolist() == text_mode_product(A.tolist(), U.tolist(), i)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_kron_of_the_text(count):
    U = [random_rationals(shape, 5) for shape in [(2, 3), (1, 4), (3, 2), (2, 1)][:count]]
    expected = U[0].tolist()
    for factor in U[1:]:
        expected = text_kron(expected, factor.tolist())
    assert tensors.kron(*U).tolist() == expected


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mode_products_of_the_text(shape):
    A, U = random_rationals(shape, 6), matrices(shape, 7)
    expected = A.tolist()
    for i, U_i in enumerate(U, start=1):
        expected = text_mode_product(expected, U_i.tolist(), i)
    got = tensors.mode_products(A, U)
    assert got.shape == tuple(U_i.shape[0] for U_i in U)
    assert got.tolist() == expected


# -------------------------------------------------------------------------------------------- route 2: closed index formulas


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_vec_by_strides(shape):
    """Entry (j_1, …, j_k) stands at Σ_i j_i d_{i+1} ⋯ d_k."""
    A = random_rationals(shape, 8)
    v = tensors.vec(A)
    assert v.shape == (prod(shape),)
    for index in product(*map(range, shape)):
        assert v[sum(j * prod(shape[i + 1:]) for i, j in enumerate(index))] == A[index]


@pytest.mark.parametrize(("shape", "i"), MODES, ids=str)
def test_mat_and_contraction_by_indices(shape, i):
    """mat_i(A) has A_{…} in row j_i, at the place that the other indices have among themselves."""
    A = random_rationals(shape, 9)
    M, C = tensors.mat(A, i), tensors.contraction(A, i)
    others = shape[:i - 1] + shape[i:]
    assert M.shape == (shape[i - 1], prod(others))
    expected = {pair: F(0) for pair in product(range(shape[i - 1]), repeat=2)}
    for index in product(*map(range, shape)):
        rest = index[:i - 1] + index[i:]
        assert M[index[i - 1], sum(j * prod(others[l + 1:]) for l, j in enumerate(rest))] == A[index]
        for j in range(shape[i - 1]):
            expected[index[i - 1], j] += A[index] * A[(*index[:i - 1], j, *index[i:])]
    assert {pair: C[pair] for pair in expected} == expected
    assert C.shape == (shape[i - 1],) * 2
    assert (C == C.T).all()
    assert sum(C[j, j] for j in range(shape[i - 1])) == sum(value**2 for value in A.ravel())


@pytest.mark.parametrize(("shape", "i"), MODES, ids=str)
def test_mode_product_by_indices(shape, i):
    A, U = random_rationals(shape, 10), matrices(shape, 11)[i - 1]
    B = tensors.mode_product(A, U, i)
    assert B.shape == (*shape[:i - 1], U.shape[0], *shape[i:])
    for index in product(*map(range, B.shape)):
        terms = (A[(*index[:i - 1], j, *index[i:])] * U[index[i - 1], j] for j in range(shape[i - 1]))
        assert B[index] == sum(terms)
    assert (tensors.mat(B, i) == U @ tensors.mat(A, i)).all()                     # mat_i(A ×_i U) = U mat_i(A)


def test_mode_products_of_a_matrix():
    """A ×_1 U = UA and A ×_2 U = AUᵀ."""
    A, (U, V) = random_rationals((3, 4), 12), matrices((3, 4), 13)
    assert (tensors.mode_product(A, U, 1) == U @ A).all()
    assert (tensors.mode_product(A, V, 2) == A @ V.T).all()
    assert (tensors.mode_products(A, [U, V]) == U @ A @ V.T).all()


def test_kron_by_indices():
    """Entry (i_1 … i_k, j_1 … j_k) of U_1 ⊗ ⋯ ⊗ U_k is the product of the U_l[i_l, j_l]."""
    U = [random_rationals(shape, 14) for shape in [(2, 3), (4, 1), (1, 2), (3, 2)]]
    K = tensors.kron(*U)
    rows, columns = [u.shape[0] for u in U], [u.shape[1] for u in U]
    assert K.shape == (prod(rows), prod(columns))
    for row, i in enumerate(product(*map(range, rows))):
        for column, j in enumerate(product(*map(range, columns))):
            assert K[row, column] == prod(U[l][i[l], j[l]] for l in range(4))


# ----------------------------------------------------------------------------------------------------------- identities


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_vec_is_vec_of_the_first_matricization(shape):
    A = random_rationals(shape, 15)
    assert tensors.vec(A).tolist() == tensors.vec(tensors.mat(A, 1)).tolist()


def test_lemma_8_and_its_columnwise_twin():
    """(A ⊗ Bᵀ) vec(X) = vec(AXB) with rows stacked; (Bᵀ ⊗ A) vec(X) = vec(AXB) with columns; A and B need not be square."""
    for (p, m, n, q) in [(3, 3, 4, 4), (2, 3, 4, 5), (1, 3, 2, 1)]:
        A, X, B = random_rationals((p, m), 16), random_rationals((m, n), 17), random_rationals((n, q), 18)
        assert (tensors.kron(A, B.T) @ tensors.vec(X) == tensors.vec(A @ X @ B)).all()
        assert (tensors.kron(B.T, A) @ tensors.vec_columns(X) == tensors.vec_columns(A @ X @ B)).all()
    A, X, B = random_rationals((3, 3), 19), random_rationals((3, 2), 20), random_rationals((2, 2), 21)
    assert (tensors.kron(B.T, A) @ tensors.vec(X) != tensors.vec(A @ X @ B)).any()            # the conventions differ


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_proposition_1(shape):
    """(U_1 ⊗ ⋯ ⊗ U_k) vec(G) = vec(G ×_1 U_1 ⋯ ×_k U_k), with square U as printed and with others."""
    G = random_rationals(shape, 22)
    for U in ([random_rationals((d, d), 23 + d) for d in shape], [random_rationals((1 + d % 3, d), 33 + d) for d in shape]):
        assert (tensors.kron(*U) @ tensors.vec(G) == tensors.vec(tensors.mode_products(G, U))).all()


@pytest.mark.parametrize("shape", [(3, 4, 2), (2, 3, 1, 5)], ids=str)
def test_mode_products_commute_over_modes_and_compose_within_one(shape):
    A, U = random_rationals(shape, 40), matrices(shape, 41)
    expected = tensors.mode_products(A, U)
    for order in permutations(range(len(shape))):
        B = A
        for i in order:
            B = tensors.mode_product(B, U[i], i + 1)
        assert (expected == B).all()
    V = random_rationals((2, U[1].shape[0]), 42)
    assert (tensors.mode_product(tensors.mode_product(A, U[1], 2), V, 2) == tensors.mode_product(A, V @ U[1], 2)).all()


def test_kron_rules():
    A, B, C, D = (random_rationals(shape, seed) for shape, seed in [((2, 3), 43), ((4, 1), 44), ((3, 2), 45), ((1, 5), 46)])
    kron = tensors.kron
    assert (kron(A, B) @ kron(C, D) == kron(A @ C, B @ D)).all()
    assert (kron(A.T, B.T) == kron(A, B).T).all()
    assert (kron(kron(A, B), C) == kron(A, kron(B, C))).all()
    assert (kron(A, kron(B, C)) == kron(A, B, C)).all()
    assert (kron(A) == A).all()
    assert (kron(A, B).shape, kron(B, A).shape) == ((8, 3), (8, 3))
    assert (kron(A, B) != kron(B, A)).any()


def test_all_exact_arithmetics_give_the_same():
    A, U = random_rationals((3, 4, 2), 47), matrices((3, 4, 2), 48)
    B, V = cast(A, "fmpq"), cast(U, "fmpq")
    for got, expected in [(tensors.vec(B), tensors.vec(A)), (tensors.mat(B, 2), tensors.mat(A, 2)),
                          (tensors.contraction(B, 3), tensors.contraction(A, 3)),
                          (tensors.mode_products(B, V), tensors.mode_products(A, U)), (tensors.kron(*V), tensors.kron(*U))]:
        assert (cast(got, "fraction") == expected).all()


# ---------------------------------------------------------------------------------------------------- route 3: in floats


def exact(array):
    result = np.empty(array.shape, dtype=object)
    for index in np.ndindex(*array.shape):
        result[index] = F(float(array[index]))
    return result


def within(computed, expected, magnitude, roundings, dtype):
    """|computed − expected| ≤ γ · magnitude with γ = k u / (1 − k u) for k roundings on every term's way."""
    assert computed.dtype == dtype
    assert computed.shape == expected.shape
    u = F(float(np.finfo(dtype).eps)) / 2
    gamma = roundings * u / (1 - roundings * u)
    return bool((abs(exact(computed) - expected) <= gamma * magnitude).all())


def along(U, A, axis):
    """A with U applied along one axis."""
    return np.moveaxis(np.tensordot(U, A, (1, axis)), 0, axis)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_vec_and_mat_only_move_floats(shape, dtype, untouched):
    A = np.random.default_rng(50).standard_normal(shape).astype(dtype)
    moved = untouched(tensors.vec, A)
    assert moved.dtype == dtype
    assert moved.tolist() == text_vec(A.tolist())
    for i in range(1, len(shape) + 1):
        moved = untouched(tensors.mat, A, i)
        assert moved.dtype == dtype
        assert moved.tolist() == text_mat(A.tolist(), i)
    if len(shape) == 2:
        moved = untouched(tensors.vec_columns, A)
        assert moved.dtype == dtype
        assert moved.tolist() == text_vec(text_transpose(A.tolist()))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_in_floats(shape, dtype, untouched):
    rng = np.random.default_rng(51)
    A = rng.standard_normal(shape).astype(dtype)
    U = [rng.standard_normal((3 - i % 2, d)).astype(dtype) for i, d in enumerate(shape)]
    products, sizes = exact(A), abs(exact(A))
    for i, d in enumerate(shape):
        M = np.moveaxis(exact(A), i, 0).reshape(d, -1)
        assert within(untouched(tensors.contraction, A, i + 1), M @ M.T, abs(M) @ abs(M).T, A.size // d, dtype)
        one = along(exact(U[i]), exact(A), i), along(abs(exact(U[i])), abs(exact(A)), i)
        assert within(untouched(tensors.mode_product, A, U[i], i + 1), *one, d, dtype)
        products, sizes = along(exact(U[i]), products, i), along(abs(exact(U[i])), sizes, i)
    assert within(untouched(tensors.mode_products, A, U), products, sizes, sum(shape), dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_kron_in_floats(dtype, untouched):
    """Two factors: every entry is one product, rounded once. Three: rounded twice."""
    rng = np.random.default_rng(52)
    A, B, C = (rng.standard_normal(shape).astype(dtype) for shape in ((2, 3), (4, 1), (3, 2)))
    K = untouched(tensors.kron, A, B)
    assert K.dtype == dtype
    for i, j, k, l in product(range(2), range(3), range(4), range(1)):
        assert K[i * 4 + k, j + l] == A[i, j] * B[k, l]
    expected = np.array(text_kron(text_kron(exact(A).tolist(), exact(B).tolist()), exact(C).tolist()), dtype=object)
    assert within(untouched(tensors.kron, A, B, C), expected, abs(expected), 2, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_power_of_two_scaling_is_exact(dtype):
    rng = np.random.default_rng(53)
    A = rng.standard_normal((3, 4, 2)).astype(dtype)
    U = [rng.standard_normal((d + 1, d)).astype(dtype) for d in A.shape]
    two = dtype(2.0**-11)
    assert tensors.mode_products(two * A, U).tolist() == (two * tensors.mode_products(A, U)).tolist()
    assert tensors.contraction(two * A, 2).tolist() == (two**2 * tensors.contraction(A, 2)).tolist()
    assert tensors.kron(two * U[0], U[1]).tolist() == (two * tensors.kron(*U[:2])).tolist()


def test_exact_inputs_are_not_written_to(untouched):
    A, U = random_rationals((3, 4, 2), 54), matrices((3, 4, 2), 55)
    untouched(tensors.vec, A)
    untouched(tensors.vec_columns, U[0])
    untouched(tensors.mat, A, 2)
    untouched(tensors.contraction, A, 2)
    untouched(tensors.mode_product, A, U[1], 2)
    untouched(tensors.mode_products, A, U)
    untouched(tensors.kron, *U)


# ------------------------------------------------------------------------------------------------------------- bad input

CALLS = {"vec": tensors.vec, "vec_columns": tensors.vec_columns, "mat": lambda A: tensors.mat(A, 1),
         "contraction": lambda A: tensors.contraction(A, 1), "mode_product": lambda A: tensors.mode_product(A, A, 1),
         "mode_products": lambda A: tensors.mode_products(A, [A, A]), "kron": lambda A: tensors.kron(A, A)}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("dtype", [np.int64, np.complex128, np.float16, np.bool_])
def test_data_of_other_types(call, dtype):
    with pytest.raises(TypeError, match=rf"^arrays: expected float32 or float64 because .*, got {np.dtype(dtype)}$"):
        call(np.ones((2, 2)).astype(dtype))


@pytest.mark.parametrize("i", [0, 4, -1, 17])
def test_modes_that_do_not_exist(i):
    A = np.ones((2, 3, 4))
    match = rf"^i: expected a mode from 1 to 3 because modes are counted from 1, as in the text, got {i}$"
    with pytest.raises(ValueError, match=match):
        tensors.mat(A, i)
    with pytest.raises(ValueError, match=match):
        tensors.contraction(A, i)
    with pytest.raises(ValueError, match=match):
        tensors.mode_product(A, np.eye(2), i)


def test_matrices_that_do_not_fit():
    A = np.ones((2, 3, 4))
    with pytest.raises(ValueError, match=r"^U: expected 3 columns because mode 2 of A is as long, got shape \(3, 2\)$"):
        tensors.mode_product(A, np.ones((3, 2)), 2)
    for U in (np.ones(3), np.ones((1, 3, 3))):
        with pytest.raises(ValueError, match=r"^U: expected 3 columns because mode 2 of A is as long, got shape \("):
            tensors.mode_product(A, U, 2)
    for count in (2, 4):
        with pytest.raises(ValueError, match=f"^U: expected 3 matrices because A has as many modes, got {count}$"):
            tensors.mode_products(A, [np.eye(2)] * count)
    with pytest.raises(ValueError, match=r"^U: expected 4 columns because mode 3 of A is as long, got shape \(2, 3\)$"):
        tensors.mode_products(A, [np.eye(2), np.eye(3), np.ones((2, 3))])
    for X in (np.ones(3), np.ones((2, 3, 4))):
        with pytest.raises(ValueError, match=r"^X: expected a matrix because columns are stacked, got shape \("):
            tensors.vec_columns(X)
    with pytest.raises(ValueError, match=r"^U: expected at least one matrix because .*, got none$"):
        tensors.kron()


def test_mixed_arithmetics():
    A, mixed = np.ones((2, 2)), r"^arrays: expected arrays of one arithmetic because .*, got numpy float64 and "
    for other, name in ((A.astype(np.float32), "numpy float32"), (random_rationals((2, 2), 56), "exact Fraction")):
        with pytest.raises(TypeError, match=mixed + name):
            tensors.mode_product(A, other, 1)
        with pytest.raises(TypeError, match=mixed + name):
            tensors.mode_products(A, [A, other])
        with pytest.raises(TypeError, match=mixed + name):
            tensors.kron(A, A, other)
    with pytest.raises(TypeError, match=r"^arrays: expected arrays because .*, got list$"):
        tensors.vec([[1.0]])
