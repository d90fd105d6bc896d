"""The anisotropic cubic problem: certificates, brute force, and every case that W's Appendix D leaves out."""

from fractions import Fraction as F

import grouped_twins
import mpmath
import numpy as np
import pytest
from scipy.optimize import minimize
from stepgauge.arrays import cast, precision
from stepgauge.reference.parts import cubic

EPS = float(np.finfo(float).eps)
KINDS = ("definite", "indefinite", "singular", "no slope", "hard", "nearly hard", "badly scaled")


def problem(kind, rng):
    S = int(rng.integers(1, 6))
    A = rng.standard_normal((S, S))
    H, g, d, lam = (A + A.T) / 2, rng.standard_normal(S), np.exp(rng.uniform(-1, 1, S)), float(np.exp(rng.uniform(-3, 3)))
    if kind == "definite":
        H = A @ A.T
    if kind == "singular":
        H = A[:, :1] @ A[:, :1].T * (1 if rng.random() < 0.5 else -1)
    if kind == "no slope":
        g = 0 * g
    if kind in ("hard", "nearly hard"):
        _, V = np.linalg.eigh(H / d[:, None] / d)
        c = V.T @ (g / d)
        c[0] = 0 if kind == "hard" else c[0] * 10.0 ** -rng.integers(3, 14)
        g = d * (V @ c)
    if kind == "badly scaled":
        scale = 10.0 ** rng.uniform(-6, 6, S)
        H, g, d = H * scale[:, None] * scale, g * scale, d * scale
    return g, H, d, lam


def lifted(*numbers):
    return tuple(np.asarray(cast(np.asarray(x, dtype=float), "mpf")) for x in numbers)


def certified(found, g, H, d, lam):
    """Asserts stationarity and the sign of H̄ + (λ/2) r D² in 60 digits, in the scale of D, up to an eigenvalue's rounding."""
    with precision(200):
        eta, g, H, d, lam = lifted(found.eta, g, H, d, lam)
        r = mpmath.sqrt(sum((d * eta) ** 2))
        K = H / d[:, None] / d
        shift = lam / 2 * r
        step = d * eta
        size = mpmath.mnorm(mpmath.matrix(K.tolist()), "f")
        room = 64 * len(g) * EPS * (size + shift)
        residual = np.max(np.abs(K @ step + shift * step - g / d))
        assert residual <= room * r + 64 * len(g) * EPS * np.max(np.abs(g / d))
        assert min(mpmath.eigsy(mpmath.matrix(K.tolist()), eigvals_only=True)) + shift >= -room
        assert abs(r - float(found.r)) <= 64 * EPS * r


@pytest.mark.parametrize("kind", KINDS)
def test_every_solution_has_its_certificate_and_beats_a_thousand_others(kind):
    rng = np.random.default_rng(len(kind))
    hard = 0
    for _ in range(150):
        g, H, d, lam = problem(kind, rng)
        found = cubic.minimiser(g, H, d, lam)
        certified(found, g, H, d, lam)
        value = cubic.model(found.eta, g, H, d, lam)
        scale = np.abs(g) @ np.abs(found.eta) + np.abs(found.eta) @ np.abs(H) @ np.abs(found.eta) + lam * float(found.r) ** 3
        near = found.eta + rng.standard_normal((500, len(g))) / d * 10.0 ** rng.uniform(-6, 1, (500, 1))
        far = rng.standard_normal((500, len(g))) / d * 10.0 ** rng.uniform(-3, 3, (500, 1))
        for points in (near, far):
            assert (values(points, g, H, d, lam) >= value - 16 * len(g) * EPS * scale).all()
        hard += found.hard
        assert found.lowest >= 0
    assert hard > 20 if kind in ("hard", "no slope") else hard < 10


def values(points, g, H, d, lam):
    return -points @ g + np.einsum("ni,ij,nj->n", points, H, points) / 2 + lam / 6 * np.linalg.norm(points * d, axis=1) ** 3


@pytest.mark.parametrize("kind", KINDS[:6])
def test_never_worse_than_a_dense_grid_or_a_local_optimiser(kind):
    rng = np.random.default_rng(17)
    for _ in range(8):
        g, H, d, lam = problem(kind, rng)
        found = cubic.minimiser(g, H, d, lam)
        value = float(cubic.model(found.eta, g, H, d, lam))
        reach = 2 * float(found.r) + 1
        if len(g) <= 3:
            axes = [np.linspace(-reach, reach, 41) / d_s for d_s in d]
            points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(g))
            assert values(points, g, H, d, lam).min() >= value - 64 * EPS * (abs(value) + 1)
        for start in rng.standard_normal((4, len(g))) * reach / d:
            local = minimize(lambda eta, *given: values(eta[None], *given)[0], start, (g, H, d, lam), method="BFGS")
            assert local.fun >= value - 64 * EPS * (abs(value) + 1)


@pytest.mark.parametrize("kind", ["definite", "indefinite", "singular"])
def test_against_bisection_with_fifty_digits(kind):
    rng = np.random.default_rng(23)
    with precision(200):
        for _ in range(10):
            g, H, d, lam = lifted(*problem(kind, rng))
            lam = lam[()]
            found = cubic.solution(g, H, d, lam)
            expected = grouped_twins.compute_lr(list(g), H.tolist(), list(d), lam, mpmath.sqrt, 220)
            size = max(abs(x) for x in expected)
            assert max(abs(x - y) for x, y in zip(found.eta, expected, strict=True)) <= size * mpmath.mpf(2) ** -150
            assert not found.hard


def test_no_stationary_point_has_a_larger_radius():
    """S = 2: every real r with ‖D M(r)⁻¹ ḡ‖ = r is a root of a polynomial of degree 6, found by its coefficients."""
    rng = np.random.default_rng(29)
    several = 0
    for _ in range(200):
        A = rng.standard_normal((2, 2))
        H, g, d, lam = (A + A.T) / 2, rng.standard_normal(2), np.exp(rng.uniform(-1, 1, 2)), float(np.exp(rng.uniform(-2, 2)))
        found = cubic.solution(g, H, d, lam)
        w, V = np.linalg.eigh(H / d[:, None] / d)
        c = V.T @ (g / d)
        first, second = (np.polynomial.Polynomial([w_i, lam / 2]) ** 2 for w_i in w)
        r = np.polynomial.Polynomial([0, 1])
        roots = (c[0] ** 2 * second + c[1] ** 2 * first - r**2 * first * second).roots()
        real = [root.real for root in roots if abs(root.imag) < 1e-7 and root.real > 0]
        several += len(real) > 1
        assert abs(max(real) - found.r) <= 1e-7 * found.r
    assert several > 40


# --------------------------------------------------------------------------------------------- what Appendix D leaves out


def test_no_slope_on_a_bowl_stays():
    found = cubic.minimiser(np.zeros(2), np.diag([1.0, 0.0]), np.ones(2), 1.0)
    assert found.eta.tolist() == [0, 0]
    assert (found.r, found.hard) == (0, False)


def test_hard_case_of_the_text_book():
    """H̄ = diag(−1, 1), ḡ = (0, 1), D = I, λ = 2: r = 1, η₂ = 1/2, and η₁ = ±√3/2 from ‖η‖ = 1; the positive one is returned."""
    found = cubic.minimiser(np.array([0.0, 1.0]), np.diag([-1.0, 1.0]), np.ones(2), 2.0)
    assert found.hard
    assert abs(found.eta - [3**0.5 / 2, 0.5]).max() <= 4 * EPS
    assert found.r == 1
    same = cubic.minimiser(np.array([0.0, 1.0]), np.diag([-1.0, 1.0]), np.ones(2), 2.0)
    assert (same.eta == found.eta).all()


def test_hard_case_ends_where_the_slope_alone_goes_far_enough():
    """With ḡ = (0, 4) the rest alone has norm 2 > r₀ = 1: (6) has a root and η₁ = 0."""
    found = cubic.minimiser(np.array([0.0, 4.0]), np.diag([-1.0, 1.0]), np.ones(2), 2.0)
    assert not found.hard
    assert found.eta[0] == 0
    assert found.eta[1] == pytest.approx((17**0.5 - 1) / 2, rel=8 * EPS, abs=0)      # (1 + r) r = 4


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4, -np.pi / 4, 2.0])
def test_of_two_minimisers_the_same_one_is_taken(angle):
    """ḡ = 0 and one negative eigenvalue: ±v; the sign does not hang on what an eigenvector routine returns."""
    v = np.array([np.cos(angle), np.sin(angle)])
    H = np.eye(2) - 3 * np.outer(v, v)
    found = cubic.minimiser(np.zeros(2), H, np.ones(2), 1.0)
    expected = 4 * v * np.sign(v[np.abs(v) >= np.abs(v).max() * (1 - 4 * EPS)][0])      # r = 2 · 2 / λ
    assert np.abs(found.eta - expected).max() <= 64 * EPS
    assert found.hard


def test_of_a_sphere_of_minimisers_the_one_on_the_first_axis_is_taken():
    found = cubic.minimiser(np.zeros(3), -np.eye(3), np.ones(3), 2.0)
    assert found.eta.tolist() == [1, 0, 0]


def test_coordinates_without_cubic_term_are_eliminated():
    """d = (1, 0): the second row of (2) is linear, and the Schur complement has the rest."""
    H, g = np.array([[1.0, 0.5], [0.5, 2.0]]), np.array([1.0, -1.0])
    found = cubic.minimiser(g, H, np.array([1.0, 0.0]), 3.0)
    reduced = cubic.minimiser(np.array([1.25]), np.array([[0.875]]), np.ones(1), 3.0)
    assert found.eta[0] == reduced.eta[0]
    assert found.eta[1] == (-1 - 0.5 * found.eta[0]) / 2
    assert np.abs(found.residual).max() <= 8 * EPS


def test_indefinite_without_cubic_term_is_a_saddle_and_said_to_be_one():
    H, g = np.array([[1.0, 0.5], [0.5, -2.0]]), np.array([1.0, -1.0])
    found = cubic.solution(g, H, np.array([1.0, 0.0]), 3.0)
    assert np.abs(found.residual).max() <= 8 * EPS
    with pytest.raises(cubic.Unbounded, match=r"H: expected positive definite rows and columns \[1\] because no cubic term acts"):
        cubic.minimiser(g, H, np.array([1.0, 0.0]), 3.0)
    with pytest.raises(cubic.Unbounded):
        cubic.minimiser(g, H, np.ones(2), 0.0)


def test_without_cubic_term_it_is_equation_1_exactly():
    H, g = cast(np.array([[2.0, 1], [1, -3]]), "fraction"), cast(np.array([1.0, 2]), "fraction")
    found = cubic.solution(g, H, cast(np.ones(2), "fraction"), 0)
    assert found.eta.tolist() == [F(5, 7), F(-3, 7)]
    assert found.residual.tolist() == [0, 0]
    assert found.lowest is None


def test_a_subset_along_which_u_is_0_does_not_move():
    H, g, d = np.array([[2.0, 0, 1], [0, 0, 0], [1, 0, 3]]), np.array([1.0, 0, 1]), np.array([1.0, 0, 2])
    for lam in (0.0, 1.0):
        found = cubic.solution(g, H, d, lam)
        alone = cubic.solution(g[[0, 2]], H[np.ix_([0, 2], [0, 2])], d[[0, 2]], lam)
        assert found.eta[1] == 0
        assert np.abs(found.eta[[0, 2]] - alone.eta).max() <= 4 * EPS


def test_what_has_no_solution_says_so():
    with pytest.raises(cubic.NoSolution, match=r"H\[1\]: expected a row that is not 0 because the loss has a slope there"):
        cubic.solution(np.ones(2), np.diag([1.0, 0.0]), np.array([1.0, 0.0]), 1.0)
    with pytest.raises(cubic.NoSolution, match=r"H: expected invertible rows and columns \[0, 1\] .*, got a singular matrix"):
        cubic.solution(np.ones(2), np.ones((2, 2)), np.ones(2), 0.0)


def test_a_solution_that_elimination_does_not_reach_is_not_denied():
    """H̄₂₂ = d₂ = 0: row 2 gives η₁ = 2 and row 1 η₂ = −1, which DEV-CUBIC-1 does not find."""
    g, H, d = np.array([1.0, 2.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1.0, 0.0])
    assert cubic.stationarity(g, H, d, 1, np.array([2.0, -1.0]), 2).tolist() == [0, 0]
    with pytest.raises(cubic.NoSolution, match=r"rows and columns \[1\] because .* are eliminated \(DEV-CUBIC-1\), got a singular"):
        cubic.solution(g, H, d, 1)


@pytest.mark.parametrize("kind", ["float32", "float64", "mpf"])
def test_a_matrix_that_is_singular_but_for_rounding_says_so(kind):
    rng = np.random.default_rng(0)
    with precision(120):
        for S in (2, 4, 6):
            for _ in range(30):
                v = cast(rng.standard_normal((S, S - 1)), kind)
                H, g, whole = v @ v.T, cast(rng.standard_normal(S), kind), cast(np.eye(S), kind)
                H = (H + H.T) / 2
                with pytest.raises(cubic.NoSolution, match=r"H: expected invertible .*, got (one that is numerically|a) sing"):
                    cubic.step_sizes(g, H, cast(np.ones(S), kind), 0)
                assert cubic.solution(g, H + whole, cast(np.ones(S), kind), 0).lowest is None


@pytest.mark.parametrize("kind", ["float32", "float64", "mpf"])
def test_beside_the_hard_case_the_root_is_found(kind):
    """H̄ = diag(−a, b), ḡ = (0, c), D = I: from λ = 2a(a + b)/c on η₁ = 0 and (b + λη₂/2) η₂ = c; below it is the hard case."""
    rng = np.random.default_rng(37)
    with precision(200):
        for i in range(300):
            a, b, c = cast(np.exp(rng.uniform(-1, 1, 3)), kind)
            away = 10.0 ** -rng.uniform(1, {"float32": 4, "float64": 11, "mpf": 40}[kind])
            zero, one = 0 * a, 1 + 0 * a
            boundary = 2 * a * (a + b) / c
            lam = boundary + (-1) ** i * boundary * (one * away)
            found = cubic.solution(np.array([zero, c]), np.array([[-a, zero], [zero, b]]), np.array([one, one]), lam)
            eps = mpmath.mpf(2) ** -199 if kind == "mpf" else np.finfo(kind).eps
            M = [-a + lam / 2 * found.r, b + lam / 2 * found.r]
            assert found.hard == (i % 2 == 1)
            assert abs(M[1] * found.eta[1] - c) <= 16 * eps * c
            assert abs(M[0]) <= 16 * eps * a if found.hard else M[0] >= 0
            assert (found.eta[0] > 0) == found.hard


def test_every_lambda_beside_the_textbook_hard_case():
    g, H, d = np.array([0.0, 1.0]), np.diag([-1.0, 1.0]), np.ones(2)
    for lam in np.concatenate([np.linspace(4.001, 4.1, 100), 4 + 4 * 10.0 ** -np.linspace(1, 7, 100)]):
        found = cubic.minimiser(g, H, d, lam)
        assert found.eta[0] == 0
        assert abs(found.eta[1] - ((1 + 2 * lam) ** 0.5 - 1) / lam) <= 16 * EPS


@pytest.mark.parametrize(("dtype", "decades"), [("float32", 6), ("float64", 10)])
@pytest.mark.parametrize("kind", ["definite", "indefinite", "nearly hard"])
def test_subsets_whose_cubic_terms_are_of_very_different_size(kind, dtype, decades):
    """d of many orders of magnitude beside an H̄ of one: against the same problem, and neighbours of it, in 500 bits.

    Nearly hard: H̄ = diag(−1, 1/2, 1) with a slope of 10⁻¹² or none along the first; where no digit would be proved, that is said.
    """
    rng = np.random.default_rng(41)
    eps, answered = float(np.finfo(dtype).eps), 0
    for _ in range(30):
        S = 3
        A = rng.standard_normal((S, S))
        H = {"definite": A @ A.T, "indefinite": A + A.T, "nearly hard": np.diag([-1.0, 0.5, 1.0])}[kind]
        g, d = rng.standard_normal(S), 10.0 ** (rng.uniform(-1, 0, S) - decades * rng.integers(0, 2, S))
        if kind == "nearly hard":
            g[0] *= rng.integers(0, 2) / 10.0**12
        g, H, d = (x.astype(dtype) for x in (g, (H + H.T) / 2, d))
        lam = float(np.float32(10.0 ** rng.uniform(-3, 3)))
        try:
            found = cubic.solution(g, H, d, lam)
        except cubic.Unproved:
            assert kind == "nearly hard"
            continue
        answered += 1
        terms = np.abs(H) @ np.abs(found.eta) + lam / 2 * found.r * d * d * np.abs(found.eta) + np.abs(g)
        assert (np.abs(found.residual) <= 4 * S * eps * terms).all()
        with precision(500):
            g, H, d, lam = lifted(g, H, d, lam)
            exact, moved = cubic.solution(g, H, d, lam[()]).r, 0
            for _ in range(4):
                P = lifted(1 + 2 * eps * rng.standard_normal((S, S)))[0]
                moved = max(moved, abs(cubic.solution(g, H * (P + P.T) / 2, d, lam[()]).r - exact))
            assert abs(found.r - exact) <= 100 * moved + 64 * eps * exact
    assert answered >= 25


def test_a_badly_scaled_d_is_near_a_d_with_zeros():
    g, H = np.array([0.0, -1, 2]), np.array([[4.0, 0, -1], [0, 9, -4], [-1, -4, 6]])
    found, limit = (cubic.solution(g, H, np.array([small, small, 1.0]), 1.0) for small in (2.0**-27, 0.0))
    assert np.abs(found.eta - limit.eta).max() <= 64 * EPS
    assert abs(found.lowest - limit.lowest) <= 64 * EPS * limit.lowest


def test_stationarity_takes_a_number_for_r():
    given = (np.ones(2), np.eye(2), np.ones(2), 1, np.ones(2))
    assert (cubic.stationarity(*given, 1) == cubic.stationarity(*given, np.float64(1))).all()
    for r in (-1.0, np.float64(-1), float("nan"), np.ones(2)):
        with pytest.raises(ValueError, match="r: expected a finite number >= 0 because it is a length, got"):
            cubic.stationarity(*given, r)


@pytest.mark.parametrize(("g", "H", "d", "lam"), [
    (2.0, 3.0, 1.0, 2.0), (-2.0, 3.0, 1.0, 2.0), (1.0, -3.0, 2.0, 0.5), (1e-200, 1.0, 1e-3, 1.0), (1e150, -1e-150, 1e-40, 1e60)])
def test_one_subset_solves_a_quadratic(g, H, d, lam):
    """λ d³ η|η|/2 + H̄η = ḡ, whose solution of the larger size has the sign of ḡ."""
    found = cubic.minimiser(np.array([g]), np.array([[H]]), np.array([d]), lam)
    with precision(4000):                                            # −b + √(b² + 4ac) may leave 1e-400 of either
        a, b, c = mpmath.mpf(lam) * mpmath.mpf(d) ** 3 / 2, mpmath.mpf(H), abs(mpmath.mpf(g))
        exact = mpmath.sign(g) * (-b + mpmath.sqrt(b**2 + 4 * a * c)) / (2 * a)
        assert abs(found.eta[0] - exact) <= 32 * EPS * abs(exact)


def test_scaling_the_subsets_scales_the_solution():
    """H̄ → A²H̄A², D → A²D, ḡ → A²ḡ gives η → A⁻²η with the same radius (W Appendix E): exactly, where A is powers of 2."""
    rng = np.random.default_rng(31)
    for kind in ("definite", "indefinite", "hard"):
        g, H, d, lam = problem(kind, rng)
        A = 2.0 ** rng.integers(-20, 20, len(g))
        ours, theirs = cubic.solution(g, H, d, lam), cubic.solution(A**2 * g, H * (A**2)[:, None] * A**2, A**2 * d, lam)
        assert (theirs.eta * A**2 == ours.eta).all()
        assert theirs.r == ours.r


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(dtype):
    g, H, d = (np.array(x, dtype=dtype) for x in ([1, 2], [[1, 0.5], [0.5, -1]], [1, 2]))
    found = cubic.minimiser(g, H, d, 1)
    assert {np.asarray(x).dtype for x in (found.eta, found.r, found.residual, found.lowest)} == {np.dtype(dtype)}


GOOD = {"g": np.ones(2), "H": np.eye(2), "d": np.ones(2), "lam": 1.0}


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"lam": -1.0}, ValueError, "lam: expected a number >= 0"), ({"lam": float("nan")}, ValueError, "lam: expected a number >= 0"),
    ({"lam": float("inf")}, ValueError, "lam: expected a number >= 0"),
    ({"d": np.array([1.0, -1.0])}, ValueError, "d: expected numbers >= 0"),
    ({"d": np.ones(3)}, ValueError, "d: expected 2 entries"), ({"g": np.ones((2, 1))}, ValueError, "g: expected a vector"),
    ({"g": np.array([1.0, np.inf])}, ValueError, "g: expected finite numbers"),
    ({"H": np.array([[1.0, np.nan], [np.nan, 1.0]])}, ValueError, "H: expected finite numbers"),
    ({"H": np.array([[1.0, 1.0], [0.0, 1.0]])}, ValueError, "H: expected a symmetric matrix"),
    ({"H": np.ones((2, 3))}, ValueError, r"H: expected shape \(2, 2\)"),
    ({"g": np.ones(2, dtype=np.float32)}, TypeError, "one arithmetic"),
    ({"g": np.ones(0), "d": np.ones(0), "H": np.ones((0, 0))}, ValueError, "g: expected at least one entry"),
])
def test_bad_input(change, error, message):
    for function in (cubic.solution, cubic.minimiser):
        with pytest.raises(error, match=message):
            function(**(GOOD | change))


def test_rationals_have_no_eigenvalues():
    with pytest.raises(ArithmeticError, match="eigh"):
        cubic.solution(*(cast(GOOD[name], "fraction") for name in ("g", "H", "d")), 1)


def test_the_scalar_equation_alone_solves_what_is_well_scaled(monkeypatch):
    """Neither refinement nor factors of M(r) are needed where d = 1: what (6) gives has the certificate as it is."""
    monkeypatch.setattr(cubic, "_refined", lambda eta, *_: eta)
    monkeypatch.setattr(cubic, "_graded", None)
    rng = np.random.default_rng(61)
    for _ in range(20):
        A, g = rng.standard_normal((3, 3)), rng.standard_normal(3)
        cubic.solution(g, (A + A.T) / 2, np.ones(3), 1.0)
