"""Inverse roots: the backward error that is promised, failures that are signalled, exact roots, and eigenvalues as another way."""

from fractions import Fraction as F

import flint
import numpy as np
import pytest
from stepgauge.arrays import NotRational, cast, namespace, precision
from stepgauge.reference.parts import roots
from stepgauge.reference.parts.roots import coupled_newton, inverse_root

POWERS = (1, 2, 3, 4, 6, 8)
SIZES = (1, 2, 3, 7, 16, 33, 64)
CONDITIONS = {"float64": (1.0, 1e3, 1e8, 1e12), "float32": (1.0, 1e2, 1e5)}
SPECTRA = {
    "spread": lambda n, cond: np.logspace(0, -np.log10(cond), n),
    "one small": lambda n, cond: np.r_[np.ones(n - 1), 1 / cond],
    "one large": lambda n, cond: np.r_[1, np.full(n - 1, 1 / cond)],
}


def spd(n, cond, spectrum, seed, dtype="float64", scale=1.0):
    """A symmetric matrix of about this condition in the dtype."""
    rng = np.random.default_rng([seed, n])
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    A = (Q * (scale * SPECTRA[spectrum](n, cond))) @ Q.T
    return ((A + A.T) / 2).astype(dtype)


def backward_error(X, A, p):
    """‖XᵖA − I‖ in the Frobenius norm, with 200 bits."""
    with precision(200):
        X, A = (flint.arb_mat(M.astype(np.float64).tolist()) for M in (X, A))
        R = X**p * A - flint.arb_mat(A.nrows(), A.nrows(), [int(i == j) for i in range(A.nrows()) for j in range(A.nrows())])
        return float(sum((entry * entry for entry in R.entries()), start=flint.arb(0)).sqrt().mid())


def by_eigenvalues(A, p):
    w, Q = np.linalg.eigh(A)
    return (Q * w ** A.dtype.type(-1 / p)) @ Q.T


# -------------------------------------------------------------------------------------------------------------- how far off


@pytest.mark.parametrize("dtype", CONDITIONS)
@pytest.mark.parametrize("p", POWERS)
def test_the_backward_error_is_below_its_bound_or_the_failure_is_signalled(p, dtype):
    u, failures, calls = np.finfo(dtype).eps / 2, 0, 0
    for seed, (n, cond, spectrum) in enumerate((n, c, s) for n in SIZES for c in CONDITIONS[dtype] for s in SPECTRA):
        A = spd(n, cond if n > 1 else 1, spectrum, seed, dtype, scale=10.0 ** (seed % 9 - 4))
        calls += 1
        try:
            found = coupled_newton(A, p)
        except ArithmeticError:
            failures += 1
            continue
        bound = 4 * p * n * u * cond
        assert backward_error(found.X, A, p) <= bound, (n, cond, spectrum)
        assert found.residual <= 2 * bound
        assert (found.X.dtype, found.X.shape, found.X.tolist()) == (dtype, (n, n), found.X.T.tolist())
        assert found.iterations <= np.log2(cond * n) + 12
    assert failures <= calls // 50, "nearly all of these have enough digits"


@pytest.mark.parametrize("dtype", CONDITIONS)
@pytest.mark.parametrize("p", POWERS)
def test_eigenvalues_give_the_same_root(p, dtype):
    """‖X − Y‖ ≤ 8n·u·κ ‖Y‖ where Y comes from eigenvalues: a relative error δ of XᵖA is one of δ/p of X."""
    u = np.finfo(dtype).eps / 2
    for n in (1, 2, 5, 20):
        for cond in CONDITIONS[dtype][:3]:
            A = spd(n, cond if n > 1 else 1, "spread", 3, dtype)
            X, Y = inverse_root(A, p), by_eigenvalues(A.astype(np.float64), p)
            assert np.linalg.norm(X - Y) <= 8 * n * u * cond * np.linalg.norm(Y)


@pytest.mark.parametrize("p", POWERS)
def test_sixty_digits(p):
    with precision(220):
        A = cast(spd(5, 1e6, "spread", 1), "mpf")
        X, residual, _ = coupled_newton(A, p)
        power = A
        for _ in range(p):
            power = X @ power
        assert abs(power - namespace(A).eye(5)).max() < 2.0**-190
        assert residual < 2.0**-190


@pytest.mark.parametrize("power", [-60, -3, 0, 5, 60])
@pytest.mark.parametrize("p", POWERS)
def test_any_scale(p, power):
    """(4ᵖᵏA)^(−1/p) = 4⁻ᵏ A^(−1/p); numbers that would overflow if squared are no trouble."""
    A = spd(4, 1e3, "spread", 2)
    X, Y = inverse_root(A, p), inverse_root(A * 2.0 ** (p * power), p)
    assert np.linalg.norm(Y * 2.0**power - X) <= 16 * 4 * 2.0**-53 * 1e3 * np.linalg.norm(X)


def test_the_map_of_an_eigenvalue_rises_to_one_and_squares_its_distance():
    """x((p + 1 − x)/p)ᵖ lies in [x, 1], is about ((p + 1)/p)ᵖx ≥ 2x for small x, and 1 − x becomes at most (1 − x)²."""
    for p in POWERS:
        xs = [F(i, 64) for i in range(65)]
        images = [x * ((p + 1 - x) / p) ** p for x in xs]
        assert images == sorted(images)
        assert all(x <= image <= 1 for x, image in zip(xs, images, strict=True))
        assert all(1 - image <= (1 - x) ** 2 for x, image in zip(xs, images, strict=True))
        assert images[1] >= 2 * xs[1] * (1 - xs[1]) ** p
        near = F(1, 1000)
        assert abs((1 - (1 - near) * ((p + near) / p) ** p) / near**2 - F(p + 1, 2 * p)) < near


# ------------------------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("dtype", CONDITIONS)
def test_what_has_no_root_is_signalled(dtype, p):
    rank_two = np.random.default_rng(4).standard_normal((6, 2))
    no_roots = [np.zeros((3, 3)), -np.eye(2), np.diag([1.0, -1.0]), np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([[-1.0]]),
                np.array([[0.0]]), np.diag([1.0, 0.0]), rank_two @ rank_two.T, np.diag([1.0, -1e-3])]
    for A in no_roots:
        with pytest.raises(ArithmeticError, match=r"^inverse_root: expected a positive definite matrix with enough digits "):
            inverse_root(A.astype(dtype), p)


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("dtype", CONDITIONS)
def test_rank_deficient_statistics_with_damping(dtype, p):
    """ggᵀ + εI for all ε from harmless to hopeless: below the bound, or signalled; both occur."""
    u, outcomes = np.finfo(dtype).eps / 2, []
    g = np.random.default_rng(5).standard_normal((12, 3))
    for power in range(0, 21, 2):
        A = (g @ g.T + 10.0**-power * np.eye(12)).astype(dtype)
        cond = np.linalg.norm(g, 2) ** 2 * 10.0**power
        try:
            found = coupled_newton(A, p)
        except ArithmeticError:
            outcomes.append(False)
            continue
        outcomes.append(True)
        assert backward_error(found.X, A, p) <= 4 * p * 12 * u * cond
        assert backward_error(found.X, A, p) <= 12, "an entry is at most 1/2 off"
    assert outcomes == sorted(outcomes, reverse=True)
    assert (outcomes[0], outcomes[-1]) == (True, False)


def test_a_hundred_iterations_are_the_limit():
    """κ = 2¹²⁰ needs 120 doublings of the smallest eigenvalue for p = 1; with 300 bits only the limit stands in the way."""
    with precision(300):
        A = cast(np.diag([1.0, 2.0**-120]), "mpf")
        with pytest.raises(ArithmeticError, match="after 100 iterations"):
            coupled_newton(A, 1)
        assert 70 < coupled_newton(A, 8).iterations < 100


def test_the_tolerance_is_met_at_least():
    """A tolerance that rounding cannot meet asks for what rounding allows; where errors square, a loose one changes nothing."""
    A = spd(5, 1e4, "spread", 6)
    first = coupled_newton(A, 4, F(1, 10**6))
    assert [coupled_newton(A, 4, tolerance).X.tolist() for tolerance in (F(1, 100), F(1, 10**30))] == 2 * [first.X.tolist()]


@pytest.mark.parametrize("p", POWERS)
def test_a_tolerance_that_says_nothing_changes_nothing(p):
    """On entries of I − M = (1 − m) 11ᵀ/d a tolerance of 1/d says nothing; they do not halve in a step from m near 0 (p = 1)."""
    for A in (np.diag([1.0, 2.0, 3.0]), np.eye(100) - np.full((100, 100), 0.98 / 100)):
        first = coupled_newton(A, p)
        for tolerance in (F(1, 50), F(1, 2), F(999, 1000)):
            assert coupled_newton(A, p, tolerance).X.tolist() == first.X.tolist()


# ------------------------------------------------------------------------------------------------------------- exact, and refused


@pytest.mark.parametrize("kind", ["fraction", "fmpq"])
def test_perfect_roots_are_exact(kind):
    X = cast(np.array([[F(2), F(1), F(0)], [F(1), F(3, 2), F(-1, 3)], [F(0), F(-1, 3), F(1)]]), kind)
    for p in POWERS:
        power = X
        for _ in range(p - 1):
            power = power @ X
        found = inverse_root(namespace(X).inv(power), p)
        assert found.tolist() == X.tolist()
        assert {type(entry) for entry in found.ravel()} == {type(X[0, 0])}


@pytest.mark.parametrize("kind", ["fraction", "fmpq"])
def test_other_roots_are_not_rational(kind):
    A = cast(np.array([[F(2), F(1)], [F(1), F(3)]]), kind)
    assert inverse_root(A, 1).tolist() == namespace(A).inv(A).tolist()
    for p in POWERS[1:]:
        with pytest.raises(NotRational, match=r"^inverse_root: expected a matrix whose inverse root is rational because"):
            inverse_root(A, p)
    for p in POWERS:
        with pytest.raises(ArithmeticError, match=r"^inverse_root: expected a positive definite matrix, got one with a pivot <= 0"):
            inverse_root(-A, p)
    assert inverse_root(cast(np.array([[F(1, 81)]]), kind), 4).tolist() == [[3]]


@pytest.mark.parametrize("dtype", CONDITIONS)
def test_the_statistics_are_never_written_to(dtype, untouched):
    for A in (spd(5, 1e3, "spread", 7, dtype), np.eye(3, dtype=dtype), np.ones((1, 1), dtype)):
        found = untouched(inverse_root, A, 4)
        assert not np.shares_memory(found, A)


@pytest.mark.parametrize("inverse_root", [inverse_root, coupled_newton])
def test_bad_input_is_refused(inverse_root):
    A = np.eye(3)
    for bad in (0, -1, 1.5, "2", True, None):
        with pytest.raises(ValueError, match=r"^p: expected a positive integer because it counts factors, got "):
            inverse_root(A, bad)
    for bad in (0, 1, -1, F(3, 2), float("nan"), float("inf"), "0.1", None, [0.1], np.full(2, 0.1), np.full(1, 0.1), 0.1j):
        with pytest.raises(ValueError, match=r"^tolerance: expected a number in \(0, 1\) because "):
            inverse_root(A, 2, bad)
    for bad, what in ((np.ones(3), "a square matrix"), (np.ones((2, 3)), "a square matrix"), (np.ones((0, 0)), "a square matrix"),
                      (np.full((2, 2), np.nan), "finite numbers"), (np.array([[np.inf]]), "finite numbers"),
                      (np.array([[1.0, 0.1], [0.0, 1.0]]), "a symmetric matrix")):
        with pytest.raises(ValueError, match=rf"^A: expected {what} because "):
            inverse_root(bad, 2)
    with pytest.raises(TypeError, match="expected float32 or float64"):
        inverse_root(np.eye(3, dtype=int), 2)


def test_powers_by_squaring():
    X = cast(np.array([[F(1), F(2)], [F(3), F(4)]]), "fraction")
    for p in range(1, 12):
        power = X
        for _ in range(p - 1):
            power = power @ X
        assert roots._power(X, p).tolist() == power.tolist()
