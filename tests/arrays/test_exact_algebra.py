"""Linear algebra on rationals against a Gauss-Jordan elimination written here, with == throughout; and what ℚ refuses."""

from fractions import Fraction
from itertools import permutations

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepgauge.arrays import Ball, NotRational, Undecided, namespace

NUMBERS = {"fraction": Fraction, "fmpq": lambda value: flint.fmpq(value.numerator, value.denominator)}
every_rational = pytest.mark.parametrize("kind", NUMBERS)
quick = settings(derandomize=True, deadline=None, database=None, max_examples=30)
entries = st.builds(Fraction, st.integers(-30, 30), st.integers(1, 7))


def of(kind, rows):
    """Nested lists of Fractions as an object array of the kind."""
    flat = [NUMBERS[kind](Fraction(value)) for value in np.array(rows, dtype=object).ravel()]
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array.reshape(np.shape(np.array(rows, dtype=object)))


def fractions(array):
    return [[Fraction(int(value.p), int(value.q)) if isinstance(value, flint.fmpq) else value for value in row]
            for row in np.atleast_2d(array).tolist()]


@st.composite
def matrices(draw, rows=None, columns=None):
    rows = rows or draw(st.integers(1, 5))
    return [[draw(entries) for _ in range(columns or rows)] for _ in range(rows)]


def transposed(A):
    return [list(column) for column in zip(*A, strict=True)]


def product(A, B):
    return [[sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for column in transposed(B)] for row in A]


def gauss_jordan(A, B):
    """A⁻¹B by elimination to reduced row echelon form, or None where A is singular."""
    n = len(A)
    rows = [list(a) + list(b) for a, b in zip(A, B, strict=True)]
    for j in range(n):
        pivot = next((i for i in range(j, n) if rows[i][j] != 0), None)
        if pivot is None:
            return None
        rows[j], rows[pivot] = rows[pivot], rows[j]
        rows[j] = [value / rows[j][j] for value in rows[j]]
        for i in range(n):
            if i != j:
                rows[i] = [value - rows[i][j] * top for value, top in zip(rows[i], rows[j], strict=True)]
    return [row[n:] for row in rows]


def determinant(A):
    """Leibniz's sum over permutations."""
    total = Fraction(0)
    for order in permutations(range(len(A))):
        inversions = sum(order[i] > order[j] for i in range(len(A)) for j in range(i + 1, len(A)))
        term = Fraction((-1) ** inversions)
        for i, j in enumerate(order):
            term *= A[i][j]
        total += term
    return total


def identity(n):
    return [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]


@every_rational
@quick
@given(A=matrices())
def test_inv_is_the_inverse(kind, A):
    expected = gauss_jordan(A, identity(len(A)))
    xp = namespace(of(kind, A))
    if expected is None:
        with pytest.raises(ArithmeticError, match=r"^solve: expected an invertible matrix"):
            xp.inv(of(kind, A))
    else:
        assert fractions(xp.inv(of(kind, A))) == expected


@every_rational
@quick
@given(data=st.data(), n=st.integers(1, 5), columns=st.integers(1, 4))
def test_solve_solves_for_matrices_and_vectors(kind, data, n, columns):
    A, B = data.draw(matrices(n)), data.draw(matrices(n, columns))
    expected = gauss_jordan(A, B)
    xp = namespace(of(kind, A))
    if expected is None:
        with pytest.raises(ArithmeticError, match=r"^solve: expected an invertible matrix"):
            xp.solve(of(kind, A), of(kind, B))
        return
    X = xp.solve(of(kind, A), of(kind, B))
    assert X.shape == (n, columns)
    assert fractions(X) == expected
    x = xp.solve(of(kind, A), of(kind, B)[:, 0])
    assert x.shape == (n,)
    assert fractions(x) == [[row[0] for row in expected]]
    assert {type(value) for value in x} == {type(of(kind, [[1]])[0, 0])}


@every_rational
@quick
@given(data=st.data(), n=st.integers(2, 5))
def test_singular_matrices_are_refused(kind, data, n):
    """A product through n − 1 dimensions has no inverse."""
    A = of(kind, product(data.draw(matrices(n, n - 1)), data.draw(matrices(n - 1, n))))
    for refused in (lambda: namespace(A).inv(A), lambda: namespace(A).solve(A, A[:, 0])):
        with pytest.raises(ArithmeticError, match=r"^solve: expected an invertible matrix, got a singular one$"):
            refused()


@every_rational
@quick
@given(roots=st.lists(st.fractions(0, 10**9, max_denominator=10**9), min_size=1, max_size=4))
def test_sqrt_of_squares_is_exact(kind, roots):
    squares = of(kind, [[root * root for root in roots]])
    assert fractions(namespace(squares).sqrt(squares)) == [roots]


@every_rational
@pytest.mark.parametrize("value", [2, Fraction(1, 2), Fraction(8, 9), Fraction(9, 8), 10**40 + 1, Fraction(1, 3)], ids=str)
def test_other_roots_are_not_rational(kind, value):
    x = of(kind, [[4, value]])
    with pytest.raises(NotRational, match=r"^sqrt: expected the square of a rational because the arithmetic is exact, got "):
        namespace(x).sqrt(x)


@every_rational
def test_roots_of_negative_numbers_are_an_error_of_another_kind(kind):
    x = of(kind, [[4, -4]])
    with pytest.raises(ArithmeticError, match=r"^sqrt: expected a number >= 0, got -4$") as error:
        namespace(x).sqrt(x)
    assert not isinstance(error.value, NotRational)


@every_rational
@pytest.mark.parametrize("function", ["exp", "expm1", "log", "tanh", "logistic", "softplus", "softmax", "logsumexp", "eigh"])
def test_functions_that_leave_the_rationals(kind, function):
    x = of(kind, [[1, 0], [0, 2]])
    with pytest.raises(NotRational, match=r"^\w+: expected mpmath numbers because the result is not rational, got exact "):
        getattr(namespace(x), function)(x)


@every_rational
@quick
@given(data=st.data(), n=st.integers(1, 5))
def test_cholesky_finds_the_factor_that_made_the_matrix(kind, data, n):
    C = data.draw(matrices(n))
    C = [[abs(C[i][j]) + 1 if i == j else C[i][j] * (j < i) for j in range(n)] for i in range(n)]
    A = of(kind, product(C, transposed(C)))
    assert fractions(namespace(A).cholesky(A)) == C


@every_rational
def test_cholesky_refuses(kind):
    with pytest.raises(NotRational, match=r"^sqrt: expected the square of a rational"):
        namespace(of(kind, [[1]])).cholesky(of(kind, [[4, 2], [2, 3]]))             # second pivot 2
    for rows in ([[0]], [[-1]], [[1, 1], [1, 1]], [[1, 2], [2, 1]]):
        with pytest.raises(ArithmeticError, match=r"^cholesky: expected a positive definite matrix") as error:
            namespace(of(kind, rows)).cholesky(of(kind, rows))
        assert not isinstance(error.value, NotRational)


@every_rational
@quick
@given(data=st.data(), n=st.integers(1, 4), shift=st.integers(-3, 20))
def test_definiteness_is_sylvesters_criterion(kind, data, n, shift):
    """All leading principal minors positive."""
    B = data.draw(matrices(n))
    A = [[B[i][j] + B[j][i] + shift * (i == j) for j in range(n)] for i in range(n)]
    expected = all(determinant([row[:k] for row in A[:k]]) > 0 for k in range(1, n + 1))
    given_ = of(kind, A)
    assert namespace(given_).positive_definite(given_) is expected
    assert fractions(given_) == A


@every_rational
@quick
@given(data=st.data(), n=st.integers(2, 5))
def test_semidefinite_is_not_definite(kind, data, n):
    """BBᵀ through n − 1 dimensions has determinant 0."""
    B = data.draw(matrices(n, n - 1))
    A = of(kind, product(B, transposed(B)))
    assert namespace(A).positive_definite(A) is False


def test_integer_entries_do_not_turn_the_pivots_into_floats():
    """The second pivot is 9/7 − 3/7 · 3 = 0; in floats it is 2.2e-16."""
    A = np.array([[7, 3], [3, Fraction(9, 7)]], dtype=object)
    assert namespace(A).positive_definite(A) is False


@every_rational
@quick
@given(data=st.data(), n=st.integers(2, 4))
def test_symmetry_is_exact(kind, data, n):
    B = data.draw(matrices(n))
    A = [[B[i][j] + B[j][i] for j in range(n)] for i in range(n)]
    assert namespace(of(kind, A)).symmetric(of(kind, A)) is True
    A[0][n - 1] += Fraction(1, 10**30)
    assert namespace(of(kind, A)).symmetric(of(kind, A)) is False


def point(value):
    return Ball(flint.arb(mid=value, rad=0.25))


def test_balls_answer_where_it_is_proved_and_say_so_where_not():
    definite = np.array([[point(4), point(0)], [point(0), point(4)]], dtype=object)
    indefinite = np.array([[point(1), point(4)], [point(4), point(1)]], dtype=object)
    unknown = np.array([[point(1), point(1)], [point(1), point(1)]], dtype=object)
    xp = namespace(definite)
    assert xp.positive_definite(definite) is True
    assert xp.positive_definite(indefinite) is False
    with pytest.raises(Undecided):
        xp.positive_definite(unknown)
    root = xp.sqrt(np.array([Ball(2)], dtype=object))[0]
    assert root.rad > 0
    assert (root * root).contains(Fraction(2))
    for function in ("exp", "expm1", "log", "tanh", "logistic", "softplus", "softmax", "logsumexp", "eigh"):
        with pytest.raises(NotRational, match=r"got ball$"):
            getattr(xp, function)(xp.eye(1))
