"""What the checks stand on, judged by other routes: exact algebra, polynomials, and the statements as such.

Determinants by cofactors, Taylor's formula, automatic differentiation; the laws of W Appendix E and the bounds of R Section 3.6
over ℚ, with the inputs that show which constants are sharp and which hypotheses are needed.
"""

from fractions import Fraction as F
from itertools import combinations

import autograd
import autograd.numpy as anp
import flint
import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stepgauge.verify.properties import PROPERTIES, rational, run, strategies
from stepgauge.verify.properties.invariance import exact_summaries, reparameterise
from stepgauge.verify.properties.polynomials import Polynomial
from stepgauge.verify.properties.trial import cast

quick = settings(derandomize=True, deadline=None, database=None, max_examples=25)


def vector(*values):
    return np.array([F(value) for value in values], dtype=object)


def determinant(A):
    if not A:
        return F(1)
    return sum((-1) ** j * A[0][j] * determinant([row[:j] + row[j + 1:] for row in A[1:]]) for j in range(len(A)))


def minors(A):
    """All principal minors of a matrix: it is positive semidefinite where it is symmetric and none of them is negative."""
    return [determinant([[A[i, j] for j in subset] for i in subset])
            for k in range(1, len(A) + 1) for subset in combinations(range(len(A)), k)]


def leading_minors(A):
    return [determinant(A[:k, :k].tolist()) for k in range(1, len(A) + 1)]


# Exact algebra

@quick
@given(data=st.data(), n=st.integers(1, 4), columns=st.integers(1, 2))
def test_solve_and_inverse(data, n, columns):
    A, B = data.draw(strategies.arrays(n, n)), data.draw(strategies.arrays(n, columns))
    assert rational.is_invertible(A) == (determinant(A.tolist()) != 0)
    assume(rational.is_invertible(A))
    assert (A @ rational.solve(A, B) == B).all()
    assert rational.solve(A, B[:, 0]).shape == (n,)
    assert (A @ rational.inverse(A) == rational.identity(n)).all()


@quick
@given(data=st.data(), n=st.integers(1, 4))
def test_semidefinite_by_elimination_is_semidefinite_by_minors(data, n):
    half = data.draw(strategies.arrays(n, n))
    J = data.draw(strategies.arrays(max(1, n - 1), n))
    for A in (half + half.T, J.T @ J, -(J.T @ J), J.T @ J - rational.identity(n) / 1000):
        assert rational.is_semidefinite(A) == all(minor >= 0 for minor in minors(A))


def test_solving_exchanges_rows():
    assert (rational.inverse(vector(0, 2, 4, 0).reshape(2, 2)) == vector(0, "1/4", "1/2", 0).reshape(2, 2)).all()


def test_a_zero_pivot_needs_a_zero_row():
    assert not rational.is_semidefinite(vector(0, 1, 1, 0).reshape(2, 2))
    assert rational.is_semidefinite(vector(0, 0, 0, 0).reshape(2, 2))
    assert rational.is_semidefinite(vector(0, 0, 0, 1).reshape(2, 2))
    assert not rational.is_semidefinite(vector(4, 2, 0, 2, 1, 1, 0, 1, 0).reshape(3, 3))


@quick
@given(data=st.data(), n=st.integers(1, 4))
def test_norm_bound_is_above_the_norm_and_close(data, n):
    A = data.draw(strategies.spd_matrices(n))
    t, rows = rational.norm_bound(A), max(sum(abs(entry) for entry in row) for row in A)
    identity = rational.identity(n)
    assert all(minor >= 0 for minor in minors(t * identity - A))
    assert any(minor < 0 for minor in minors((t - rows / 1000) * identity - A))


@pytest.mark.parametrize("x", [F(0), F(1), F(9, 4), F(2), F(1, 3), F(10**40 + 1), F(7, 10**30)])
def test_root(x):
    r = rational.root(x)
    assert r * r <= x < (r + F(1, 2**200)) ** 2
    assert rational.root(x * x) == x


@pytest.mark.parametrize(("value", "number"), [
    (3, F(3)), (0.1, F(0.1)), (np.float32(0.1), F(float(np.float32(0.1)))), (np.int64(-2), F(-2)), (flint.fmpq(2, 6), F(1, 3)),
    (mpmath.mpf(0.75), F(3, 4)), (mpmath.mpf(-2.5), F(-5, 2)), (mpmath.mpf(2) ** 70, F(2**70)), (mpmath.mpf(0), F(0))])
def test_exact_numbers(value, number):
    assert rational.exact(value) == number
    assert type(rational.exact(value)) is F
    assert rational.exact([[value, value]]).tolist() == [[number, number]]


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.float32("inf"), mpmath.nan, mpmath.inf])
def test_exact_numbers_are_finite(value):
    with pytest.raises(ValueError, match=r"^value: expected a finite number because no rational is nan or inf, got "):
        rational.exact(value)


@quick
@given(data=st.data())
def test_kronecker_products_entry_by_entry(data):
    A, B, C = (data.draw(strategies.arrays(*shape)) for shape in ((2, 3), (1, 2), (3, 2)))
    K = rational.kron(A, B, C)
    assert K.shape == (6, 12)
    for row in np.ndindex(2, 1, 3):
        for column in np.ndindex(3, 2, 2):
            entry = K[np.ravel_multi_index(row, (2, 1, 3)), np.ravel_multi_index(column, (3, 2, 2))]
            assert entry == A[row[0], column[0]] * B[row[1], column[1]] * C[row[2], column[2]]


# Polynomials

def test_a_polynomial_by_hand():
    p = Polynomial({(2, 1): F(3), (0, 0): F(-1, 2)}, 2)
    assert p([F(2), F(5)]) == F(119, 2)
    assert p.derivative(0)([F(2), F(5)]) == 60
    assert p.derivative(0, 1, 0).terms == {(0, 0): 6}
    assert p.derivative(1, 1).terms == {}
    assert p.derivative(1, 1)([F(2), F(5)]) == 0
    assert (p.coefficient(0, 0, 1), p.coefficient(0), p.coefficient()) == (6, 0, F(-1, 2))
    assert repr(p) == "(3)·θ0^2·θ1 + (-1/2)"
    assert repr(Polynomial({(1, 1): F(0)}, 2)) == "0"


@quick
@given(data=st.data(), P=st.integers(1, 3))
def test_taylor(data, P):
    """L(θ + v) is the sum of its derivatives along v up to order 4, the degree: exactly, for derivatives of any order."""
    loss = data.draw(strategies.polynomial_losses(P))
    theta, v = data.draw(strategies.arrays(P)), data.draw(strategies.arrays(P))
    value, factorial = F(0), 1
    for order in range(5):
        factorial *= max(order, 1)
        tensor = loss.derivatives(order, theta)
        value += sum(tensor[indices] * np.prod(v[list(indices)]) for indices in np.ndindex(*tensor.shape)) / factorial
    assert value == loss(theta + v)


@quick
@given(data=st.data(), P=st.integers(1, 3))
def test_sums_products_and_substitution_are_those_of_the_values(data, P):
    p, q = data.draw(strategies.polynomial_losses(P)), data.draw(strategies.polynomial_losses(P))
    theta, slopes = data.draw(strategies.arrays(P)), data.draw(strategies.arrays(P, 2))
    x = data.draw(strategies.arrays(2))
    assert (p + q)(theta) == p(theta) + q(theta)
    assert (p * q)(theta) == p(theta) * q(theta)
    inner = [Polynomial.affine(theta[i], slopes[i]) for i in range(P)]
    assert p.substitute(inner)(x) == p(theta + slopes @ x)


@quick
@given(strategies.grouped_losses())
def test_automatic_differentiation_agrees(inputs):
    """To the last digit: all numbers are quarters and their products have few digits, so that float64 does not round."""
    loss, theta, *_ = inputs
    traced, floats = cast(loss, "float64"), theta.astype(float)
    assert (autograd.grad(traced)(floats) == loss.derivatives(1, theta).astype(float)).all()
    assert (autograd.hessian(traced)(floats) == loss.derivatives(2, theta).astype(float)).all()


@pytest.mark.filterwarnings("ignore:Output seems independent of input")   # autograd, of a derivative that is constant
def test_a_candidate_that_differentiates_automatically_passes():
    def summaries(loss, theta, u, groups):
        parts = [np.isin(np.arange(len(theta)), group) for group in groups]

        def once_more(function, part):
            return lambda theta: anp.dot(autograd.grad(function)(theta)[part], u[part])

        first = [once_more(loss, part) for part in parts]
        second = [[once_more(f, part) for part in parts] for f in first]
        third = [once_more(second[s][s], part) for s, part in enumerate(parts)]
        return (np.array([f(theta) for f in first]), np.array([[f(theta) for f in row] for row in second]),
                np.array([f(theta) for f in third]))

    for name in ("invariance.summaries_pins", "invariance.summaries_invariance"):
        run(PROPERTIES[name], summaries, examples=10, arithmetic="float64")


# W Appendix E, as a statement

@quick
@given(strategies.reparameterised_losses())
def test_the_laws_of_the_summaries(inputs):
    loss, theta, u, groups, alpha, beta = inputs
    loss_m, theta_m, u_m = reparameterise(*inputs)
    for s, group in enumerate(groups):
        for p in group:
            assert theta[p] == alpha[s] * theta_m[p] + beta[p]
            assert u_m[p] == alpha[s] * u[p]
            assert loss_m.derivative(p)(theta_m) == alpha[s] * loss.derivative(p)(theta)
    assert loss_m(theta_m) == loss(theta)
    (g, H, D3), (g_m, H_m, D3_m) = exact_summaries(loss, theta, u, groups), exact_summaries(loss_m, theta_m, u_m, groups)
    for s, a in enumerate(alpha):
        assert (g_m[s], D3_m[s]) == (a**2 * g[s], a**6 * D3[s])
        assert [H_m[s, t] for t in range(len(groups))] == [a**2 * H[s, t] * alpha[t] ** 2 for t in range(len(groups))]


@quick
@given(strategies.cubic_steps())
def test_the_cubic_step_is_invariant_over_the_rationals(inputs):
    """If η solves (2), then A⁻²η solves (2)~, with equal ‖Dη‖; and no solution of (2) is longer (a scan, in floats)."""
    H, eta, d, lam, alpha = inputs
    length = rational.root(sum((d * eta) ** 2))
    assert length**2 == sum((d * eta) ** 2)
    g = H @ eta + lam / 2 * length * d**2 * eta
    H_m, g_m, d_m, eta_m = alpha[:, None] ** 2 * H * alpha**2, alpha**2 * g, alpha**2 * d, eta / alpha**2
    assert sum((d_m * eta_m) ** 2) == length**2
    assert (H_m @ eta_m + lam / 2 * length * d_m**2 * eta_m == g_m).all()
    H, g, d, lam, length = (np.asarray(x).astype(float) for x in (H, g, d, lam, length))
    for r in length * np.linspace(1.01, 10, 20):
        assert np.linalg.norm(d * np.linalg.solve(H + lam / 2 * r * np.diag(d**2), g)) < r


# R Section 3.6: sharp constants, needed hypotheses

def algorithm_11(s, y, mu1, mu2):
    sy, c = s @ y, y @ y / mu2
    theta = (1 - mu1) * c / (c - sy) if sy < mu1 * c else 1
    s_t = theta * s + (1 - theta) * y / mu2
    return s_t, y + mu2 * s_t


@pytest.mark.parametrize(("mu1", "mu2"), [(F(1, 5), F(3)), (F(1, 2), F(1, 7)), (F(9, 10), F(1))])
def test_the_printed_constant_of_lemma_4_is_not_the_best_and_the_best_is_attained(mu1, mu2):
    y = vector(3, -4)
    s_t, y_t = algorithm_11(-2 * y, y, mu1, mu2)
    assert (s_t == mu1 * y / mu2).all()
    assert y_t @ y_t / (s_t @ y_t) == mu2 * (1 + mu1) / mu1 < mu2 * (1 + 2 * mu1) / mu1


def test_lemma_4_divides_by_zero_where_the_pair_is_zero():
    s_t, y_t = algorithm_11(vector(0, 0), vector(0, 0), F(1, 5), F(1))
    assert s_t @ y_t == 0


def test_lemma_5_needs_positive_curvature():
    """n = 1, H = 1, s = 1, y = −100: sᵀs/sᵀy and yᵀy/sᵀy are below any 1/μ₂ and 1/μ₃, being negative; ‖B⁺‖ = 100 > 1 + 1/μ₃."""
    s, y, mu2, mu3 = F(1), F(-100), F(1), F(1)
    assert s * s / (s * y) <= 1 / mu2
    assert y * y / (s * y) <= 1 / mu3
    B_plus = 1 - s * s / (s * s) + y * y / (s * y)
    assert abs(B_plus) == 100 > 1 + 1 / mu3


@pytest.mark.parametrize("epsilon", [F(1, 1000), F(1, 10**6)])
def test_the_bounds_of_lemma_5_are_approached(epsilon):
    """H = I, s = (1, 0), y = (ε, 1), or the other way round: the bound of B and the one of H without roots are nearly met."""
    one = rational.identity(2)
    for s, y in ((vector(1, 0), vector(epsilon, 1)), (vector(epsilon, 1), vector(1, 0))):
        sy, ss, yy = s @ y, s @ s, y @ y
        V = one - rational.outer(s, y) / sy
        H_plus = V @ V.T + rational.outer(s, s) / sy
        B_plus = one - rational.outer(s, s) / ss + rational.outer(y, y) / sy
        assert (H_plus @ B_plus == one).all()
        beta, gamma = yy / sy, ss / sy
        assert not rational.is_semidefinite((1 - 3 * epsilon) * (1 + beta) * one - B_plus)
        assert not rational.is_semidefinite((1 - 3 * epsilon) * (beta * gamma + gamma) * one - H_plus)
