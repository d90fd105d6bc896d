"""The Sherman-Morrison-Woodbury solves: R (5.6), (5.7).

Three routes: (5.6) and (5.7) in sums over indices of lists of Fractions; the definition, G = λI + (1/N₂) JᵀHJ inverted by a
Gauss-Jordan of our own; floats inside a bound that is put together from the backward error of Gaussian elimination.
"""

from fractions import Fraction as F
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from stepgauge.arrays import cast
from stepgauge.reference.parts import smw

EXACT = settings(derandomize=True, deadline=None, database=None, max_examples=60,
                 suppress_health_check=[HealthCheck.too_slow])
SOLVES = {"(5.6)": smw.solve_with_inverse, "(5.7)": smw.solve_without_inverse}


class Case(NamedTuple):
    """λ, J (q, n), H (q, q), g (n,), N₂."""

    lam: F
    J: np.ndarray
    H: np.ndarray
    g: np.ndarray
    N2: int


def rational(x):
    """Nested lists as an object array of Fractions."""
    array = np.empty(np.shape(x), dtype=object)
    for index in np.ndindex(array.shape):
        value = x
        for i in index:
            value = value[i]
        array[index] = F(value)
    return array


# ------------------------------------------------------------------------------------------ route 1: sums over indices


def eliminate(A, b):
    """x with Ax = b: forward elimination with a search for a pivot, then substitution from below; A, b lists."""
    n = len(A)
    T = [[*A[i], b[i]] for i in range(n)]
    for j in range(n):
        pivot = next(i for i in range(j, n) if T[i][j] != 0)
        T[j], T[pivot] = T[pivot], T[j]
        for i in range(j + 1, n):
            ratio = T[i][j] / T[j][j]
            T[i] = [T[i][k] - ratio * T[j][k] for k in range(n + 1)]
    x = [F(0)] * n
    for j in reversed(range(n)):
        x[j] = (T[j][n] - sum(T[j][k] * x[k] for k in range(j + 1, n))) / T[j][j]
    return x


def text_with_inverse(lam, J, H, g, *, N2):
    q, n = len(J), len(g)
    columns = [eliminate(H, [F(int(i == j)) for i in range(q)]) for j in range(q)]
    D = [[lam * columns[j][i] + sum(J[i][k] * J[j][k] for k in range(n)) / F(N2) for j in range(q)] for i in range(q)]
    x = eliminate(D, [sum(J[i][k] * g[k] for k in range(n)) for i in range(q)])
    return [(g[k] - sum(J[i][k] * x[i] for i in range(q)) / F(N2)) / lam for k in range(n)]


def text_without_inverse(lam, J, H, g, *, N2):
    q, n = len(J), len(g)
    JJ = [[sum(J[i][k] * J[j][k] for k in range(n)) for j in range(q)] for i in range(q)]
    D = [[lam * int(i == j) + sum(JJ[i][k] * H[k][j] for k in range(q)) / F(N2) for j in range(q)] for i in range(q)]
    x = eliminate(D, [sum(J[i][k] * g[k] for k in range(n)) for i in range(q)])
    return [(g[k] - sum(J[i][k] * H[i][j] * x[j] for i in range(q) for j in range(q)) / F(N2)) / lam for k in range(n)]


TEXT = {"(5.6)": text_with_inverse, "(5.7)": text_without_inverse}


# ------------------------------------------------------------------------------------ route 2: the definition, inverted


def inverse(A):
    """Gauss-Jordan on (A, I), with a search for a pivot; A an object array."""
    n = A.shape[0]
    T = np.concatenate([A, rational([[int(i == j) for j in range(n)] for i in range(n)])], axis=1)
    for j in range(n):
        pivot = next(i for i in range(j, n) if T[i, j] != 0)
        T[[j, pivot]] = T[[pivot, j]]
        T[j] = T[j] / T[j, j]
        for i in set(range(n)) - {j}:
            T[i] = T[i] - T[i, j] * T[j]
    return T[:, n:]


def damped(case):
    n = len(case.g)
    identity = rational([[int(i == j) for j in range(n)] for i in range(n)])
    return case.lam * identity + case.J.T @ case.H @ case.J / F(case.N2)


# ---------------------------------------------------------------------------------------------------------------- cases


def block_diagonal(blocks):
    q = sum(len(block) for block in blocks)
    H = [[F(0)] * q for _ in range(q)]
    start = 0
    for block in blocks:
        for i, row in enumerate(block):
            H[start + i][start:start + len(row)] = [F(value) for value in row]
        start += len(block)
    return rational(H)


def softmax_hessian(a):
    """diag(a) − aaᵀ with Σa = 1: singular."""
    return [[a[i] * int(i == j) - a[i] * a[j] for j in range(len(a))] for i in range(len(a))]


def integers(shape, seed):
    return rational(np.random.default_rng(seed).integers(-4, 5, shape).tolist())


THIRDS = [F(1, 2), F(1, 3), F(1, 6)]
AWKWARD = {
    "1 × 1": Case(F(2), rational([[3]]), rational([[5]]), rational([7]), 1),
    "q < n, one example": Case(F(1, 3), integers((2, 5), 1), block_diagonal([[[2, 1], [1, 3]]]), integers((5,), 2), 1),
    "q > n, three examples": Case(F(1, 3), integers((6, 2), 3), block_diagonal([[[2, 1], [1, 3]]] * 3), integers((2,), 4), 3),
    "q = n": Case(F(5), integers((4, 4), 5), block_diagonal([[[2, -1], [-1, 3]], [[1, 0], [0, F(1, 9)]]]), integers((4,), 6),
                  2),
    "natural gradient, N2 = q": Case(F(1, 7), integers((5, 3), 7), block_diagonal([[[1]]] * 5), integers((3,), 8), 5),
    "λ tiny": Case(F(1, 10**12), integers((3, 2), 9), block_diagonal([[[1]], [[2]], [[3]]]), integers((2,), 10), 3),
    "λ huge": Case(F(10**12), integers((3, 2), 11), block_diagonal([[[1]], [[2]], [[3]]]), integers((2,), 12), 3),
    "J = 0": Case(F(3), rational([[0, 0], [0, 0]]), block_diagonal([[[2, 1], [1, 3]]]), integers((2,), 13), 2),
    "g = 0": Case(F(3), integers((4, 3), 14), block_diagonal([[[2, 1], [1, 3]]] * 2), rational([0, 0, 0]), 2),
    "equal rows of J": Case(F(1, 2), rational([[1, 2, 3]] * 4), block_diagonal([[[2, 1], [1, 3]]] * 2), integers((3,), 15), 2),
    "H not block-diagonal": Case(F(1, 2), integers((3, 2), 16), rational([[3, 1, 1], [1, 3, 1], [1, 1, 3]]),
                                 integers((2,), 17), 3),
}
SINGULAR = {
    "softmax": Case(F(1, 5), integers((6, 4), 20), block_diagonal([softmax_hessian(THIRDS)] * 2), integers((4,), 21), 2),
    "softmax, q < n": Case(F(1, 5), integers((3, 5), 22), block_diagonal([softmax_hessian(THIRDS)]), integers((5,), 23), 1),
    "H = 0": Case(F(2, 3), integers((3, 2), 24), rational([[0] * 3] * 3), integers((2,), 25), 3),
    "one dead output": Case(F(2, 3), integers((4, 3), 26), block_diagonal([[[2]], [[0]], [[1]], [[0]]]), integers((3,), 27), 4),
}

small = st.fractions(-3, 3, max_denominator=5)


@st.composite
def cases(draw, singular):
    """Block-diagonal H = diag(RRᵀ + D) with N₂ blocks of m rows; D = 0 and R with one column where it may be singular."""
    N2, m, n = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 4))
    blocks = []
    for _ in range(N2):
        r = [draw(small) for _ in range(m)]
        d = [F(0) if singular else draw(st.fractions(F(1, 4), 3, max_denominator=4)) for _ in range(m)]
        blocks.append([[r[i] * r[j] + d[i] * int(i == j) for j in range(m)] for i in range(m)])
    J = [[draw(small) for _ in range(n)] for _ in range(N2 * m)]
    g = [draw(small) for _ in range(n)]
    return Case(draw(st.fractions(F(1, 20), 20, max_denominator=20)), rational(J), block_diagonal(blocks), rational(g), N2)


def solve(name, case):
    return SOLVES[name](*case[:4], N2=case.N2)


def solved_as_in_the_text(name, case):
    got = solve(name, case)
    assert got.tolist() == TEXT[name](case.lam, case.J.tolist(), case.H.tolist(), case.g.tolist(), N2=case.N2)
    assert {type(value) for value in got} == {F}


def solved_by_definition(name, case):
    G, got = damped(case), solve(name, case)
    assert (G @ got == case.g).all()
    assert (got == inverse(G) @ case.g).all()


@pytest.mark.parametrize("case", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("name", SOLVES)
def test_awkward_cases(name, case):
    solved_as_in_the_text(name, case)
    solved_by_definition(name, case)


@pytest.mark.parametrize("case", SINGULAR.values(), ids=SINGULAR)
def test_singular_output_hessians(case):
    solved_as_in_the_text("(5.7)", case)
    solved_by_definition("(5.7)", case)
    with pytest.raises(ValueError, match=r"^H: expected a positive definite matrix because .*, got one that is not$"):
        solve("(5.6)", case)


@EXACT
@given(cases(singular=False))
def test_invertible_output_hessians(case):
    for name in SOLVES:
        solved_as_in_the_text(name, case)
        solved_by_definition(name, case)


@EXACT
@given(cases(singular=True))
def test_semidefinite_output_hessians(case):
    assume((case.J != 0).any())
    solved_as_in_the_text("(5.7)", case)
    solved_by_definition("(5.7)", case)


@pytest.mark.parametrize("name", SOLVES)
def test_fmpq_gives_the_same_numbers(name):
    for case in AWKWARD.values():
        flint = solve(name, Case(case.lam, *(cast(v, "fmpq") for v in case[1:4]), case.N2))
        assert (cast(flint, "fraction") == solve(name, case)).all()


@pytest.mark.parametrize("name", SOLVES)
def test_the_number_of_examples_divides(name):
    """The same J and H with another N₂ is another G: N₂ is no mere shape."""
    case = AWKWARD["q > n, three examples"]
    results = {tuple(solve(name, case._replace(N2=N2))) for N2 in (1, 2, 3, 6)}
    assert len(results) == 4
    for N2 in (1, 2, 3, 6):
        solved_by_definition(name, case._replace(N2=N2))


@pytest.mark.parametrize("kind", ["fraction", "fmpq", "mpf", "float64", "float32"])
def test_an_indefinite_hessian_is_refused_and_a_singular_one_is_not(kind):
    """With H = −1/4, J = 2 and λ = 1, λI + JJᵀH/N₂ is 0; the others have a solution, which is none of a method of the text."""
    for H in ([[F(-1, 4)]], [[-1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, 0], [0, -1]], [[1, 2], [2, 1]],
              [[1, 1, 0], [1, 1, F(1, 4)], [0, F(1, 4), 1]]):
        q = len(H)
        J, H, g = (cast(v, kind) for v in (2 * np.eye(q), rational(H), np.ones(q)))
        with pytest.raises(ValueError, match=r"^H: expected a positive semidefinite matrix because "):
            smw.solve_without_inverse(1, J, H, g, N2=1)
    for H in ([[0]], [[1, 1], [1, 1]], [[0, 0], [0, 1]], [[4, 2, 0], [2, 1, 0], [0, 0, 0]], [[F(1, 10**9), 0], [0, 0]]):
        q = len(H)
        J, H, g = (cast(v, kind) for v in (2 * np.eye(q), rational(H), np.ones(q)))
        smw.solve_without_inverse(1, J, H, g, N2=1)


# ---------------------------------------------------------------------------------------------------- route 3: in floats


def exact(array):
    return rational(array.tolist())


def magnitude(A):
    """The largest absolute row sum: ‖A‖∞ for matrices and vectors."""
    return max(sum(abs(value) for value in np.atleast_1d(row)) for row in A)


class Known(NamedTuple):
    """An exact matrix or vector, and a bound in the maximum norm on the error of what floats know of it."""

    value: np.ndarray
    error: F


class Bounds:
    """Normwise forward bounds of the few matrix operations in (5.6) and (5.7), at unit roundoff u."""

    def __init__(self, dtype):
        self.u = F(float(np.finfo(dtype).eps)) / 2

    def gamma(self, k):
        return k * self.u / (1 - k * self.u)

    def product(self, A, B):
        """γ_n |A||B| for the rounding, and what the errors of A and B do."""
        a, b = magnitude(A.value) + A.error, magnitude(B.value) + B.error
        error = magnitude(A.value) * B.error + A.error * b + self.gamma(A.value.shape[-1]) * a * b
        return Known(A.value @ B.value, error)

    def scaled(self, A, factor):
        """One product or quotient by a number that is itself rounded once."""
        return Known(A.value * factor, abs(factor) * A.error + self.gamma(2) * abs(factor) * (magnitude(A.value) + A.error))

    def total(self, A, B, sign=1):
        error = A.error + B.error
        return Known(A.value + sign * B.value, error + self.u * (magnitude(A.value + sign * B.value) + error))

    def solved(self, A, B):
        """A⁻¹B by elimination with partial pivoting: each computed column solves (A + E)x = b with |E| ≤ γ_3q |L||U| (Higham,
        Theorem 9.4), where |l_ij| ≤ 1 and |u_ij| ≤ 2^(q−1) max|a_ij| but for rounding, which γ_4q covers. So every row of |E|
        sums to at most γ_4q q² 2^(q−1) max|a_ij|."""
        q = A.value.shape[0]
        E = A.error + self.gamma(4 * q) * q**2 * 2 ** (q - 1) * (abs(A.value).max() + A.error)
        A_inv = inverse(A.value)
        contraction = magnitude(A_inv) * E
        assert contraction < F(1, 2), "A is too badly conditioned to say anything"
        x = A_inv @ B.value
        columns = 1 if x.ndim == 1 else x.shape[1]
        return Known(x, columns * magnitude(A_inv) * (E * magnitude(x) + B.error) / (1 - contraction))


def bound_with_inverse(bounds, lam, J, H, g, N2):
    q = J.value.shape[0]
    H_inv = bounds.solved(H, Known(rational([[int(i == j) for j in range(q)] for i in range(q)]), F(0)))
    JJ = bounds.scaled(bounds.product(J, Known(J.value.T, F(0))), F(1, N2))
    D = bounds.total(bounds.scaled(H_inv, lam), JJ)
    x = bounds.solved(D, bounds.product(J, g))
    back = bounds.scaled(bounds.product(Known(J.value.T, F(0)), x), F(1, N2))
    return bounds.scaled(bounds.total(g, back, -1), 1 / lam)


def bound_without_inverse(bounds, lam, J, H, g, N2):
    q = J.value.shape[0]
    JJH = bounds.scaled(bounds.product(bounds.product(J, Known(J.value.T, F(0))), H), F(1, N2))
    identity = Known(rational([[int(i == j) for j in range(q)] for i in range(q)]), F(0))
    D = bounds.total(bounds.scaled(identity, lam), JJH)
    x = bounds.product(H, bounds.solved(D, bounds.product(J, g)))
    back = bounds.scaled(bounds.product(Known(J.value.T, F(0)), x), F(1, N2))
    return bounds.scaled(bounds.total(g, back, -1), 1 / lam)


BOUND = {"(5.6)": bound_with_inverse, "(5.7)": bound_without_inverse}


def float_case(seed, N2, m, n, dtype):
    rng = np.random.default_rng(seed)
    H = np.zeros((N2 * m, N2 * m))
    for i in range(N2):
        R = rng.standard_normal((m, m))
        H[i * m:(i + 1) * m, i * m:(i + 1) * m] = R @ R.T / 4 + np.eye(m)
    J, g = rng.standard_normal((N2 * m, n)) / 2, rng.standard_normal(n)
    return J.astype(dtype), ((H + H.T) / 2).astype(dtype), g.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("N2", "m", "n"), [(1, 1, 1), (1, 2, 5), (2, 1, 3), (3, 1, 2), (2, 2, 3)])
@pytest.mark.parametrize("name", SOLVES)
def test_floats_stay_inside_their_error_bounds(name, N2, m, n, dtype, untouched):
    lam = F(13, 3)
    for seed in range(4):
        J, H, g = float_case(seed, N2, m, n, dtype)
        got = untouched(SOLVES[name], lam, J, H, g, N2=N2)
        assert got.dtype == dtype
        known = BOUND[name](Bounds(dtype), lam, *(Known(exact(v), F(0)) for v in (J, H, g)), N2)
        assert (damped(Case(lam, exact(J), exact(H), exact(g), N2)) @ known.value == exact(g)).all()
        assert max(abs(exact(got) - known.value)) <= known.error
        assert known.error <= magnitude(known.value) * F(1, 64), "the bound is too wide to say anything"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [-5, 6])
@pytest.mark.parametrize("name", SOLVES)
def test_power_of_two_scaling_is_exact(name, k, dtype):
    """g → 2ᵏg and (λ, J) → (4ᵏλ, 2ᵏJ) and (λ, H) → 2ᵏ(λ, H) scale the result by 2ᵏ, 4⁻ᵏ and 2⁻ᵏ."""
    two = dtype(2.0**k)
    for seed in range(6):
        J, H, g = float_case(50 + seed, 1 + seed % 3, 2, 1 + seed, dtype)
        N2 = 1 + seed % 3
        plain = SOLVES[name](0.3, J, H, g, N2=N2)
        assert SOLVES[name](0.3, J, H, two * g, N2=N2).tolist() == (two * plain).tolist()
        assert SOLVES[name](0.3 * 4.0**k, two * J, H, g, N2=N2).tolist() == (plain / two**2).tolist()
        assert SOLVES[name](0.3 * 2.0**k, J, two * H, g, N2=N2).tolist() == (plain / two).tolist()


@pytest.mark.parametrize("name", SOLVES)
def test_exact_inputs_are_not_written_to(name, untouched):
    for case in AWKWARD.values():
        untouched(solve, name, case)


# ------------------------------------------------------------------------------------------------------------- bad input

J, H, G_ = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]]), np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0, 3.0])


def refused(name, error, match, lam=F(1, 2), J=J, H=H, g=G_, N2=2):
    with pytest.raises(error, match=match):
        SOLVES[name](lam, J, H, g, N2=N2)


@pytest.mark.parametrize("name", SOLVES)
def test_numbers_out_of_range(name):
    for lam in (0, -1, F(-1, 10**12), 0.0, float("nan"), float("inf"), -float("inf")):
        refused(name, ValueError, rf"^lam: expected a positive number because G must be invertible, got {lam}$", lam=lam)
    for N2 in (0, -1, -2, 3, 4, 1.0, 2.5, None):
        refused(name, ValueError, rf"^N2: expected a positive divisor of 2 because .*, got {N2}$", N2=N2)
    refused(name, ValueError, r"^N2: expected a positive divisor of 3 because .*, got 2$", J=np.ones((3, 3)), H=np.eye(3))


@pytest.mark.parametrize("name", SOLVES)
def test_shapes_that_do_not_fit(name):
    refused(name, ValueError, r"^g: expected a vector because .*, got shape \(3, 1\)$", g=G_[:, None])
    refused(name, ValueError, r"^J: expected shape \(q, 2\) because .*, got \(2, 3\)$", g=G_[:2])
    refused(name, ValueError, r"^J: expected shape \(q, 3\) because .*, got \(3,\)$", J=J[0])
    refused(name, ValueError, r"^J: expected shape \(q, 3\) because .*, got \(1, 2, 3\)$", J=J[None])
    refused(name, ValueError, r"^J: expected shape \(q, 3\) because .*, got \(3, 2\)$", J=J.T)
    for bad in (np.eye(3), np.ones((2, 3)), np.ones(2), np.ones((1, 2, 2))):
        refused(name, ValueError, r"^H: expected shape \(2, 2\) because .*, got \(", H=bad)


@pytest.mark.parametrize("name", SOLVES)
def test_numbers_that_are_not_finite(name):
    for bad in (np.nan, np.inf, -np.inf):
        refused(name, ValueError, r"^J, H: expected finite numbers because .*, got nan or inf$", J=np.full_like(J, bad))
        refused(name, ValueError, r"^J, H: expected finite numbers because .*, got nan or inf$", H=np.diag([1, bad]))
        refused(name, ValueError, r"^g: expected finite numbers because .*, got nan or inf$", g=np.full_like(G_, bad))


@pytest.mark.parametrize("name", SOLVES)
def test_asymmetric_hessians(name):
    refused(name, ValueError, "^H: expected a symmetric matrix because ", H=np.array([[1.0, 0.25], [0.0, 1.0]]))
    refused(name, ValueError, "^H: expected a symmetric matrix because ", J=exact(J), g=exact(G_),
            H=rational([[1, F(1, 10**12)], [0, 1]]))


def test_hessians_without_an_inverse():
    for bad in ([[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]], [[-1.0, 0.0], [0.0, 1.0]]):
        match = r"^H: expected a positive definite matrix because .*, got one that is not$"
        refused("(5.6)", ValueError, match, H=np.array(bad))
        refused("(5.6)", ValueError, match, J=exact(J), g=exact(G_), H=rational(bad))


@pytest.mark.parametrize("name", SOLVES)
def test_other_types_and_mixed_arithmetics(name):
    for dtype in (np.int64, np.complex128, np.float16, np.bool_):
        match = rf"^arrays: expected float32 or float64 because .*, got {np.dtype(dtype)}$"
        refused(name, TypeError, match, J=np.ones((2, 3)).astype(dtype))
        refused(name, TypeError, match, H=np.eye(2).astype(dtype))
        refused(name, TypeError, match, g=np.ones(3).astype(dtype))
    mixed = r"^arrays: expected arrays of one arithmetic because .*, got "
    refused(name, TypeError, mixed + "numpy float32 and numpy float64$", J=J.astype(np.float32))
    refused(name, TypeError, mixed + "numpy float64 and numpy float32$", H=H.astype(np.float32))
    refused(name, TypeError, mixed + "numpy float64 and exact Fraction$", g=exact(G_))
    refused(name, TypeError, mixed + "numpy float64 and exact fmpq$", H=cast(H, "fmpq"))
    refused(name, TypeError, r"^arrays: expected arrays because .*, got list$", J=J.tolist())
