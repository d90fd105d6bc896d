"""mpmath namespaces at 60 digits: linear algebra by residuals, functions against their definitions."""

import mpmath
import numpy as np
import pytest
from stepgauge.arrays import cast, namespace, precision

BITS = 200                                     # 60.2 decimal digits
UNIT = 2.0**-BITS


@pytest.fixture(autouse=True)
def sixty_digits():
    with precision(BITS):
        yield


def integers(seed, *shape):
    """Small integers, exact in every arithmetic."""
    return cast(np.random.default_rng(seed).integers(-9, 10, shape).astype(float), "mpf")


def norm(A):
    """The largest row sum of absolute values."""
    return max(sum(abs(value) for value in row) for row in np.atleast_2d(A).tolist())


def definite(n):
    """BBᵀ + I with integer entries: exact, symmetric, smallest eigenvalue at least 1."""
    B = integers(n, n, n)
    return B @ B.T + cast(np.eye(n), "mpf")


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_solve_and_inv_leave_residuals_of_a_few_units(n):
    """The threshold of LAPACK's own test program: 30 n units of ‖A‖‖X‖; the matrix has a definite symmetric part."""
    S, B = integers(50 + n, n, n), integers(60 + n, n, 3)
    A = definite(n) + S - S.T
    xp = namespace(A)
    X, x, A_inv = xp.solve(A, B), xp.solve(A, B[:, 0]), xp.inv(A)
    assert (X.shape, x.shape, A_inv.shape) == ((n, 3), (n,), (n, n))
    units = 30 * n * UNIT * norm(A)
    assert max(abs(A @ x - B[:, 0])) <= units * max(abs(x))
    assert norm(A @ A_inv - xp.eye(n)) <= units * norm(A_inv)
    # for a matrix on the right the inverse is formed first, and its error multiplied
    assert norm(A @ X - B) <= units * norm(A_inv) * norm(B)


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_cholesky_leaves_residuals_of_a_few_units(n):
    """|CCᵀ − A|_ij ≤ γ_{n+2} √(a_ii a_jj), by Cauchy and Schwarz."""
    A = definite(n)
    C = namespace(A).cholesky(A)
    assert all(C[i, j] == 0 for i in range(n) for j in range(i + 1, n))
    assert all(C[i, i] > 0 for i in range(n))
    for i in range(n):
        for j in range(n):
            assert abs((C @ C.T)[i, j] - A[i, j]) <= (2 * n + 4) * UNIT * mpmath.sqrt(A[i, i] * A[j, j])


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_eigh_diagonalizes_in_ascending_order(n):
    """The threshold of LAPACK's own test program: residuals below 30 n units of ‖A‖."""
    A = integers(70 + n, n, n)
    A = A + A.T
    w, Q = namespace(A).eigh(A)
    assert all(w[i] <= w[i + 1] for i in range(n - 1))
    assert norm(A @ Q - Q * w[None, :]) <= 30 * n * UNIT * norm(A)
    assert norm(Q.T @ Q - cast(np.eye(n), "mpf")) <= 30 * n * UNIT


def test_eigh_of_a_known_matrix():
    w, _ = namespace(definite(1)).eigh(cast(np.array([[2.0, 1, 0], [1, 2, 1], [0, 1, 2]]), "mpf"))
    for value, expected in zip(w, [2 - mpmath.sqrt(2), 2, 2 + mpmath.sqrt(2)], strict=True):
        assert abs(value - expected) <= 300 * UNIT


@pytest.mark.parametrize("rows", [[[0.0]], [[1, 2], [2, 4]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[0, 0], [0, 1]]], ids=str)
def test_singular_matrices_are_refused(rows):
    A = cast(np.array(rows, dtype=float), "mpf")
    for refused in (lambda: namespace(A).inv(A), lambda: namespace(A).solve(A, A[:, 0])):
        with pytest.raises(ArithmeticError, match=r"^solve: expected an invertible matrix, got a singular one$"):
            refused()


@pytest.mark.parametrize("upper", [True, False])
def test_a_small_unit_is_no_zero(upper):
    """Rows and columns scaled by up to 10⁻⁷⁰, as the SᵀY of L-BFGS is where a pair is rounding noise: the inverse scales along."""
    n, size = 3, [mpmath.mpf(10)**-70, mpmath.mpf(1), mpmath.mpf(10)**-35]
    A = np.triu(definite(n)) if upper else definite(n)
    scale = cast(np.eye(n), "mpf") * np.array(size, dtype=object)
    X = cast(np.arange(3.0 * n).reshape(n, 3) + 1, "mpf")
    for B in (X, X[:, 0]):
        expected = namespace(A).solve(A, B)
        found = scale @ namespace(A).solve(scale @ A @ scale, scale @ B)
        assert norm(found - expected) <= 100 * n * UNIT * norm(expected)


@pytest.mark.parametrize("rows", [[[0.0]], [[-1]], [[1, 1], [1, 1]], [[1, 2], [2, 1]]], ids=str)
def test_cholesky_refuses_what_is_not_definite(rows):
    A = cast(np.array(rows, dtype=float), "mpf")
    assert namespace(A).positive_definite(A) is False
    with pytest.raises(ArithmeticError, match=r"^cholesky: expected a positive definite matrix"):
        namespace(A).cholesky(A)


def test_symmetric_and_definite():
    A = definite(4)
    assert namespace(A).symmetric(A) is True
    assert namespace(A).positive_definite(A) is True
    A[0, 3] += mpmath.mpf(10) ** -50
    assert namespace(A).symmetric(A) is False


ARGUMENTS = [-1e4, -40.5, -3.25, -1e-12, 0.0, 1e-12, 0.75, 2.5, 36.0, 1e4]
DEFINITIONS = {
    "exp": lambda t: mpmath.e**t,
    "expm1": lambda t: mpmath.e**t - 1,
    "tanh": lambda t: 1 - 2 / (mpmath.e ** (2 * t) + 1),
    "logistic": lambda t: mpmath.e**t / (1 + mpmath.e**t),
    "softplus": lambda t: mpmath.log(1 + mpmath.e**t),
}


@pytest.mark.parametrize("function", DEFINITIONS)
def test_functions_keep_their_relative_accuracy(function):
    x = cast(np.array([ARGUMENTS]), "mpf")
    computed = getattr(namespace(x), function)(x)
    assert computed.shape == x.shape
    with precision(32000):                             # e⁻¹⁰⁰⁰⁰ is 2⁻¹⁴⁴²⁷: cancellation leaves over 3000 bits
        for value, t in zip(computed[0], x[0], strict=True):
            exact = DEFINITIONS[function](t)
            assert abs(value - exact) <= 8 * UNIT * abs(exact)


def test_log_and_sqrt():
    x = cast(np.array([1e-300, 0.5, 2.0, 1e300]), "mpf")
    xp = namespace(x)
    assert all(abs(mpmath.e**value - t) <= 800 * 4 * UNIT * t for value, t in zip(xp.log(x), x, strict=True))
    assert all(abs(value**2 - t) <= 4 * UNIT * t for value, t in zip(xp.sqrt(x), x, strict=True))
    with pytest.raises(ArithmeticError, match=r"^sqrt: expected a number >= 0, got -"):
        xp.sqrt(-x)


def test_softmax_and_logsumexp_by_their_definitions():
    x = cast(np.array([[0.5, -2.0, 3.0], [1e4, -1e4, 0.0], [7.0, 7.0, 7.0]]), "mpf")
    xp = namespace(x)
    a, z = xp.softmax(x), xp.logsumexp(x)
    assert (a.shape, z.shape) == ((3, 3), (3,))
    with precision(32000):
        for n in range(3):
            total = sum(mpmath.e**t for t in x[n])
            assert abs(z[n] - mpmath.log(total)) <= 8 * UNIT * abs(mpmath.log(total))
            for j in range(3):
                assert abs(a[n, j] - mpmath.e ** x[n, j] / total) <= 16 * UNIT * a[n, j]
