"""Inverse p-th roots of symmetric positive definite matrices by a coupled Newton iteration.

Paper    R Section 4.7.2, Algorithm 16 line 12: "the coupled Newton method", at most 100 iterations, tolerance 1e-6. R prints no
         formula; the iteration is Iannazzo's.
Symbols  A (d, d); X → A^(−1/p); M = XᵖA → I; T = ((p + 1)I − M)/p.
Departs  DEV-ROOTS-1: the start. DEV-ROOTS-2: the end, and what is said of a failure.

All iterates are polynomials in A. An eigenvalue x of M becomes x((p + 1 − x)/p)ᵖ, which rises from 0 to 1 on [0, 1]: M starts
there, below I, and no eigenvalue ever leaves. A small one grows by ((p + 1)/p)ᵖ ≥ 2 a step, so that log₂ κ and a few more
steps are enough, and close to 1 its distance is squared: e becomes (p + 1)/2p · e². In floating point M stays as close to a
polynomial in A as the eigenvalues of A are known, and so is X: ‖XᵖA − I‖ ≤ 4p·d·u·κ(A) in the Frobenius norm is what the tests
of this file find for p up to 8 and d up to 64. It is no theorem: A = I − 11ᵀ/200 with d = 100 and p = 1 has 1.9 times that.
Exact eigenvalues would give no less than u·κ.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from ...arrays import namespace
from ...arrays.checks import check_number, checked
from ...arrays.errors import expect

Array = Any

TOLERANCE = Fraction(1, 10**6)
"""On the largest entry of |M − I| (R Section 4.7.2)."""

MOST = 100
"""Iterations (R Section 4.7.2)."""


class InverseRoot(NamedTuple):
    """X (d, d) symmetric; residual: the largest entry of |XᵖA − I|, computed from X itself; iterations taken."""

    X: Array
    residual: Any
    iterations: int


def _prepare(given: dict[str, Any]) -> dict[str, Any]:
    A, p = given["A"], given["p"]
    expect(getattr(A, "ndim", 0) == 2 and A.shape[0] == A.shape[1] > 0, "A", "a square matrix", "its powers are taken",
           f"shape {tuple(getattr(A, 'shape', ()))}")
    xp = namespace(A)
    expect(xp.all_finite(A), "A", "finite numbers", "nan and inf would spread", "nan or inf")
    expect(xp.symmetric(A), "A", "a symmetric matrix", "its eigenvalues must be real", "an asymmetric one")
    expect(isinstance(p, int) and not isinstance(p, bool) and p >= 1, "p", "a positive integer", "it counts factors", p)
    check_tolerance(given.get("tolerance", TOLERANCE))
    return given


@checked(_prepare)
def inverse_root(A: Array, p: int, tolerance: Any = TOLERANCE) -> Array:
    """The symmetric positive definite X (d, d) with XᵖA = I, by `coupled_newton`, or exactly over the rationals.

    Takes    A (d, d) symmetric positive definite, which is not written to; p >= 1; 0 < tolerance < 1.
    Raises   ArithmeticError where there is none, or `coupled_newton` does not reach it; NotRational over the rationals where X is
             not rational.
    """
    return _found(A, p, tolerance)                                   # R§4.7.2


@checked(_prepare)
def coupled_newton(A: Array, p: int, tolerance: Any = TOLERANCE) -> InverseRoot:
    """The inverse root of a matrix of floats (or mpf), and what was reached (R Section 4.7.2).

    Takes    A (d, d) symmetric positive definite, which is not written to; p >= 1; 0 < tolerance < 1, of which no more
             than 1/(2d) is made use of: within it all eigenvalues of I − M are below 1/2, and a step halves them at least.
    Ensures  X = Xᵀ, and no entry of |XᵖA − I| is beyond 1/2; in general all are far below, see the top of the file.
    Raises   ArithmeticError where M does not come within the tolerance (or within p·d·u, if rounding allows no less) in 100
             iterations, or an entry of XᵖA is wrong by more than 1/2: A is indefinite, singular, or so ill conditioned that its
             smallest eigenvalue has no digit right.
    """
    xp, d = namespace(A), A.shape[0]
    tolerance = max(min(xp.const(tolerance), xp.const(Fraction(1, 2 * d))), p * d * xp.u)             # DEV-ROOTS-2
    X, error, iterations = _iterated(A, p, tolerance)
    residual = xp.max(abs(_power(X, p) @ A - xp.eye(d))) if error <= tolerance else error
    if not (error <= tolerance and residual <= 0.5):
        raise ArithmeticError(f"inverse_root: expected a positive definite matrix with enough digits for its root, got an error "
                              f"of {float(residual):.2g} after {iterations} iterations")
    return InverseRoot(X, residual, iterations)


def _found(A: Array, p: int, tolerance: Any) -> Array:
    exactly = namespace(A).inverse_root
    return exactly(A, p, tolerance) if exactly else coupled_newton.trusted(A, p, tolerance).X


def _iterated(A: Array, p: int, tolerance: Any) -> tuple[Array, Any, int]:
    """X, the largest entry of |M − I| and the number of iterations; a broken-off run has an error that says so."""
    xp, d = namespace(A), A.shape[0]
    I = xp.eye(d)
    largest = xp.max(abs(A))
    if not largest > 0:
        return A, xp.const(1), 0
    B = A / largest
    norm = xp.sqrt(xp.sum(B**2))
    M = B / norm                                                     # R§4.7.2  DEV-ROOTS-1
    X = I / (xp.root(largest, p) * xp.root(norm, p))                 # R§4.7.2
    error = xp.max(abs(M - I))
    for iteration in range(MOST):
        T = ((p + 1) * I - M) / p                                    # R§4.7.2
        next_M = _symmetric(_power(T, p) @ M)                        # R§4.7.2
        next_error = xp.max(abs(next_M - I))
        if not next_error <= 1 + p * d * xp.u or (error <= tolerance and not 2 * next_error < error):
            return X, error, iteration
        X, M, error = _symmetric(X @ T), next_M, next_error          # R§4.7.2
    return X, error, MOST


def _power(X: Array, p: int) -> Array:
    """Xᵖ by repeated squaring."""
    half = _power(X, p // 2) if p > 1 else None
    return X if half is None else half @ half if p % 2 == 0 else half @ half @ X


def _symmetric(X: Array) -> Array:
    """(X + Xᵀ)/2: rounding alone makes an iterate asymmetric, and what is asymmetric grows."""
    return (X + X.T) / 2


def check_tolerance(tolerance: Any) -> None:
    """Raise ValueError unless 0 < tolerance < 1."""
    check_number("tolerance", tolerance, lambda tolerance: 0 < tolerance < 1, "a number in (0, 1)",
                 "M = I is approached from M − I of size 1")
