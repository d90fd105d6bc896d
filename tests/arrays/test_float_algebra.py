"""Linear algebra in float32 and float64, by residuals that are computed exactly, in Fractions.

The thresholds are those of LAPACK's own test program: a residual divided by its natural size and by n units of roundoff
(LAPACK's eps is the unit here) stays below 30.
"""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from stepgauge.arrays import namespace

UNITS = {"float32": 2.0**-24, "float64": 2.0**-53}
THRESHOLD = 30
every_dtype = pytest.mark.parametrize("dtype", UNITS)
every_size = pytest.mark.parametrize("n", [1, 2, 3, 5, 8])


def exact(array):
    rows = np.empty(array.shape, dtype=object)
    for index, value in np.ndenumerate(array):
        rows[index] = Fraction(float(value))
    return rows


def norm(A):
    """The largest column sum of absolute values, exactly; of a vector the sum."""
    return abs(A).sum(axis=0).max() if A.ndim == 2 else abs(A).sum()


def eye(n):
    return exact(np.eye(n))


def matrices(n, dtype):
    """Gaussian; Gaussian with rows of very different size; Hilbert's, whose condition number grows like e^3.5n."""
    rng = np.random.default_rng(n)
    gaussian = rng.standard_normal((n, n))
    yield gaussian.astype(dtype)
    yield (gaussian * 2.0 ** rng.integers(-12, 13, (n, 1))).astype(dtype)
    if n <= 5:
        i = np.arange(n)
        yield (1 / (1 + i[:, None] + i[None, :])).astype(dtype)


@every_dtype
@every_size
def test_inv_leaves_small_residuals(dtype, n):
    """‖AX − I‖ ≤ 30 n u ‖A‖‖X‖, that is, units times the condition number."""
    for A in matrices(n, dtype):
        X = namespace(A).inv(A)
        assert X.dtype == A.dtype
        assert norm(exact(A) @ exact(X) - eye(n)) <= THRESHOLD * n * UNITS[dtype] * norm(exact(A)) * norm(exact(X))


@every_dtype
@every_size
def test_solve_leaves_small_residuals(dtype, n):
    """‖Ax − b‖ ≤ 30 n u ‖A‖‖x‖, column by column."""
    for A in matrices(n, dtype):
        B = np.random.default_rng(100 + n).standard_normal((n, 3)).astype(dtype)
        X, x = namespace(A).solve(A, B), namespace(A).solve(A, B[:, 0])
        assert (X.shape, x.shape, X.dtype, x.dtype) == ((n, 3), (n,), A.dtype, A.dtype)
        for solution, right in [(x, B[:, 0]), *zip(X.T, B.T, strict=True)]:
            residual = exact(A) @ exact(solution) - exact(right)
            assert norm(residual) <= THRESHOLD * n * UNITS[dtype] * norm(exact(A)) * norm(exact(solution))


def definite(n, dtype):
    B = np.random.default_rng(200 + n).standard_normal((n, n))
    A = (B @ B.T + np.eye(n)).astype(dtype)
    return np.tril(A) + np.tril(A, -1).T


@every_dtype
@every_size
def test_cholesky_leaves_small_residuals(dtype, n):
    """|CCᵀ − A|_ij ≤ γ_{n+1} √(a_ii a_jj), for every order of the sums."""
    A = definite(n, dtype)
    C = namespace(A).cholesky(A)
    assert C.dtype == A.dtype
    assert (np.triu(C, 1) == 0).all()
    assert (np.diag(C) > 0).all()
    residual = abs(exact(C) @ exact(C).T - exact(A))
    for i in range(n):
        for j in range(n):
            assert residual[i, j] <= 1.01 * (n + 1) * UNITS[dtype] * sqrt(float(A[i, i]) * float(A[j, j]))


@every_dtype
@every_size
def test_eigh_diagonalizes_in_ascending_order(dtype, n):
    A = np.random.default_rng(300 + n).standard_normal((n, n)).astype(dtype)
    A = np.tril(A) + np.tril(A, -1).T
    w, Q = namespace(A).eigh(A)
    assert (w.shape, Q.shape, w.dtype, Q.dtype) == ((n,), (n, n), A.dtype, A.dtype)
    assert (np.diff(w) >= 0).all()
    A, w, Q = exact(A), exact(w), exact(Q)
    assert norm(A @ Q - Q * w[None, :]) <= THRESHOLD * n * UNITS[dtype] * norm(A)
    assert norm(Q.T @ Q - eye(n)) <= THRESHOLD * n * UNITS[dtype]


@every_dtype
@pytest.mark.parametrize("rows", [[[0.0]], [[1, 2], [2, 4]], [[0, 0], [0, 1]], [[1, 2, 0], [2, 4, 0], [0, 0, 1]]], ids=str)
def test_singular_matrices_are_refused(dtype, rows):
    A = np.array(rows, dtype=dtype)
    with pytest.raises(ArithmeticError, match=rf"^inv: expected a matrix that can be factored, .* numpy {dtype} says"):
        namespace(A).inv(A)
    for B in (A[:, 0], A):
        with pytest.raises(ArithmeticError, match=rf"^solve: expected a matrix that can be factored, .* numpy {dtype} says"):
            namespace(A).solve(A, B)


@every_dtype
@pytest.mark.parametrize("rows", [[[0.0]], [[-1]], [[1, 1], [1, 1]], [[1, 2], [2, 1]], [[1, 0], [0, -1]]], ids=str)
def test_cholesky_refuses_what_is_not_definite(dtype, rows):
    A = np.array(rows, dtype=dtype)
    assert namespace(A).positive_definite(A) is False
    with pytest.raises(ArithmeticError, match=r"^cholesky: expected a"):
        namespace(A).cholesky(A)


@pytest.mark.parametrize("garbage", [np.full((2, 2), np.nan), np.array([[1.0, 0], [np.inf, 1]])], ids=["nan", "inf"])
def test_a_library_that_returns_garbage_instead_of_raising_is_found_out(garbage, monkeypatch):
    """CuPy does that."""
    A = np.eye(2)
    xp = namespace(A)
    for function in ("inv", "solve", "cholesky"):
        monkeypatch.setattr(xp.library.linalg, function, lambda *operands: garbage)
    for refused in (lambda: xp.inv(A), lambda: xp.solve(A, A), lambda: xp.cholesky(A)):
        with pytest.raises(ArithmeticError, match=r"^\w+: expected a matrix that can be factored, got one whose result is not"):
            refused()
    monkeypatch.setattr(xp.library.linalg, "cholesky", lambda A: np.array([[1.0, 0], [0.5, -1]]))
    with pytest.raises(ArithmeticError, match=r"^cholesky: expected a positive definite matrix, got one with a pivot <= 0$"):
        xp.cholesky(A)


@every_dtype
def test_symmetric_forgives_rounding_and_nothing_more(dtype):
    A = definite(4, dtype)
    xp = namespace(A)
    assert xp.symmetric(A) is True
    assert xp.symmetric(np.zeros((2, 2), dtype=dtype)) is True
    A[0, 3] += 64 * np.finfo(dtype).eps * abs(A).max()
    assert xp.symmetric(A) is True
    A[0, 3] += 2 * np.finfo(dtype).eps ** 0.5 * abs(A).max()
    assert xp.symmetric(A) is False


@every_dtype
@every_size
def test_definite_matrices_are_seen_as_such(dtype, n):
    A = definite(n, dtype)
    before = A.tobytes()
    assert namespace(A).positive_definite(A) is True
    assert A.tobytes() == before
