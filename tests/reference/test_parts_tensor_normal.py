"""The tensor-normal distribution against the dense normal one, its moments by enumeration, and what (4.10) identifies."""

from fractions import Fraction as F
from itertools import product
from math import prod

import mpmath
import numpy as np
import pytest
import scipy.stats
from stepgauge.arrays import NotRational, cast, namespace, precision
from stepgauge.reference.parts import tensor_normal, tensors
from stepgauge.reference.parts.tensor_normal import as_modes, from_modes, identify, log_density, moments, sample

SHAPES = ((3,), (1,), (2, 3), (3, 1), (1, 1), (2, 3, 2), (2, 1, 3, 2))


def covariances(shape, seed=0):
    """Symmetric positive definite matrices with entries in multiples of 1/16."""
    rng = np.random.default_rng(seed)
    found = []
    for d in shape:
        B = rng.integers(-4, 5, (d, d)) / 4
        found.append(B @ B.T + np.eye(d))
    return found


def rational(tree):
    return cast(tree, "fraction")


# ------------------------------------------------------------------------------------------------------------ the distribution


@pytest.mark.parametrize("shape", SHAPES)
def test_log_density_is_that_of_the_dense_normal_distribution(shape):
    rng = np.random.default_rng(1)
    G, M, U = rng.standard_normal(shape), rng.standard_normal(shape), covariances(shape)
    dense = scipy.stats.multivariate_normal(M.ravel(), tensors.kron(*U)).logpdf(G.ravel())
    assert log_density(G, M, U) == pytest.approx(dense, rel=1e-12, abs=1e-12)
    single = cast((G, M, U), "float32")
    assert log_density(*single).dtype == np.float32


def test_log_density_with_sixty_digits():
    """Against the definition: −½(n log 2π + log det Σ + rᵀΣ⁻¹r) with the dense Σ."""
    with precision(220):
        rng = np.random.default_rng(2)
        G, M, U = cast((rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 3, 2)), covariances((2, 3, 2))), "mpf")
        dense, r = mpmath.matrix(tensors.kron(*U).tolist()), mpmath.matrix((G - M).ravel().tolist())
        expected = -(12 * mpmath.log(2 * mpmath.pi) + mpmath.log(mpmath.det(dense)) + (r.T * mpmath.lu_solve(dense, r))[0]) / 2
        assert abs(log_density(G, M, U) - expected) < mpmath.mpf(10) ** -60


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sample_is_the_mean_plus_the_dense_root_times_the_draws(shape):
    """Exactly: U_i = C_i C_iᵀ with rational C_i, draw by draw; C = ⊗C_i then has CCᵀ = ⊗U_i."""
    rng = np.random.default_rng(3)
    C = [np.tril(rng.integers(1, 4, (d, d))).astype(float) for d in shape]
    M, Z = (rng.integers(-3, 4, shape).astype(float) for _ in range(2))
    M, Z, C = rational((M, Z, C))
    drawn = sample(M, [C_i @ C_i.T for C_i in C], Z)
    assert (drawn.ravel() == M.ravel() + tensors.kron(*C) @ Z.ravel()).all()


def test_samples_have_the_moments():
    """200,000 draws: mean and (4.2) within six standard errors, the errors estimated from the draws."""
    rng = np.random.default_rng(4)
    shape, count = (2, 3), 200_000
    M, U = rng.standard_normal(shape), covariances(shape)
    roots, Z = [np.linalg.cholesky(U_i) for U_i in U], rng.standard_normal((count, *shape))
    draws = M + np.einsum("ab,nbd,cd->nac", roots[0], Z, roots[1])
    assert np.linalg.norm(draws[7] - sample(M, U, Z[7])) <= 2.0**-48 * np.linalg.norm(draws[7])
    centred = draws - M
    for i, expected in enumerate(moments(U)):
        contracted = np.einsum("nab,ncb->nac" if i == 0 else "nab,nac->nbc", centred, centred)
        error = contracted.std(axis=0) / count**0.5
        assert (np.abs(contracted.mean(axis=0) - expected) <= 6 * error).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_moment_identity_by_enumeration(shape):
    """(4.2) on a discrete distribution over ℚ with covariance ⊗U_i: C z for all z in {−1, 1}ⁿ with equal probability."""
    rng = np.random.default_rng(5)
    C = rational([np.tril(rng.integers(1, 4, (d, d))).astype(float) for d in shape])
    n = prod(shape)
    if n > 8:
        points = [sign * n * unit for unit in np.eye(n, dtype=int) for sign in (-1, 1)]       # ±√n·√n e_j, weighted 1/2n²
        weight = F(1, 2 * n**2)
    else:
        points, weight = [np.array(z) for z in product((-1, 1), repeat=n)], F(1, 2**n)
    means = None
    for z in points:
        G = sample(rational(np.zeros(shape)), [C_i @ C_i.T for C_i in C], rational(z.reshape(shape).astype(float)))
        terms = [weight * tensors.contraction(G, i) for i in range(1, len(shape) + 1)]
        means = terms if means is None else [old + new for old, new in zip(means, terms, strict=True)]
    expected = moments([C_i @ C_i.T for C_i in C])
    assert all((mean == E).all() for mean, E in zip(means, expected, strict=True))


# ------------------------------------------------------------------------------------------------------------- identification


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_identified_has_the_moments_and_one_mean_eigenvalue(shape):
    """Exactly, from Ũ_i that are built with tr(Ũ_i)/d_i = 3/2."""
    U = [F(3, 2) * U_i * U_i.shape[0] / sum(np.diag(U_i)) for U_i in rational(covariances(shape))]
    found = identify(moments(U))
    if len(shape) > 1:
        assert found.c_0 == F(3, 2)
        assert all((ours == U_i).all() for ours, U_i in zip(found.U_t, U, strict=True))
    else:
        assert (found.U_t[0] == U[0]).all()
    assert all((ours == theirs).all() for ours, theirs in zip(moments(found.U_t), moments(U), strict=True))


@pytest.mark.parametrize("shape", [(2, 3), (3, 1), (1, 1), (2, 3, 2), (2, 1, 3, 2)])
def test_any_representation_of_a_covariance_is_identified_alike(shape):
    """(U_1, …, U_k) and (c U_1, U_2/c, U_3, …) are one distribution, and ⊗Ũ_i is its covariance."""
    with precision(220):
        U = list(cast(covariances(shape), "mpf"))
        found = identify(moments(U))
        other = identify(moments([7 * U[0], U[1] / 7, *U[2:]]))
        dense = tensors.kron(*U)
        for ours in (found, other):
            assert abs(tensors.kron(*ours.U_t) - dense).max() < mpmath.mpf(10) ** -55
            for U_i in ours.U_t:
                assert abs(tensor_normal.trace(U_i) / len(U_i) - ours.c_0) < mpmath.mpf(10) ** -55


@pytest.mark.parametrize("kind", ["float32", "float64", "fraction", "fmpq", "mpf"])
@pytest.mark.parametrize("shape", SHAPES)
def test_zero_statistics_are_identified_as_zero(shape, kind):
    E = [cast(np.zeros((d, d)), kind) for d in shape]
    found = identify(E)
    assert all((U == 0).all() and U.shape == E_i.shape for U, E_i in zip(found.U_t, E, strict=True))
    assert found.c_0 == 0
    assert not any(U is E_i for U, E_i in zip(found.U_t, E, strict=True))


def test_zero_is_the_limit():
    """As E → 0, Ũ_i → 0 with the k-th root: E 4⁻ʲ gives Ũ 2⁻ʲ for k = 2."""
    E = rational(moments([2.25 * np.eye(2), 2.25 * np.eye(3)]))
    for j in range(4):
        smaller = identify([E_i / 4**j for E_i in E])
        assert all((F(9, 4) / 2**j * namespace(U).eye(len(U)) == U).all() for U in smaller.U_t)


def test_what_is_no_perfect_power_is_not_rational():
    with pytest.raises(NotRational, match=r"^root: expected the square of a rational because"):
        identify(rational([np.eye(2) * 3, 6 * np.eye(1)]))


def test_the_smallest_and_the_largest_statistics_in_floats():
    for dtype, sizes in (("float32", (1e-36, 1e36)), ("float64", (1e-300, 1e300))):
        for size in sizes:
            E = [np.array([[size]], dtype) * np.eye(d, dtype=dtype) * (4 // d) for d in (2, 4, 1)]
            found = identify(E)
            assert all(np.isfinite(U).all() and (np.diag(U) > 0).all() for U in found.U_t)
            assert abs(found.U_t[2] / (4 * size / 8) ** (1 / 3) - 1) <= 2.0**-20


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_statistics_at_the_ends_of_the_floats(dtype):
    """A mean eigenvalue that rounds to 0 is 0 (DEV-TNT-4), one that overflows is said to; one number above, roots have digits."""
    least = np.finfo(dtype).smallest_subnormal
    E = [np.eye(2, dtype=dtype) * least] * 2
    assert all((U == 0).all() and U.dtype == dtype for U in identify(E).U_t)
    assert identify(E).c_0 == 0
    found = identify([np.eye(1, dtype=dtype) * least] * 2)
    assert found.c_0 == np.sqrt(least)
    assert found.c_0 * found.U_t[1] == least
    with np.errstate(over="ignore"), pytest.raises(ArithmeticError, match=r"^E: expected statistics with a finite trace because"):
        identify([np.eye(2, dtype=dtype) * np.finfo(dtype).max] * 2)


@pytest.mark.parametrize("kind", ["float32", "float64", "fraction", "fmpq", "mpf"])
def test_statistics_that_are_none_are_refused(kind):
    eye, lower = (cast(A, kind) for A in (np.eye(2), np.array([[1.0, 0.0], [0.5, 1.0]])))
    for E, message in (((eye, lower), "E_2: expected a symmetric matrix because"), ((lower,), "E_1: expected a symmetric matrix"),
                       ((-eye, -eye), "E_1: expected a trace >= 0 because"), ((eye, -eye), "E_2: expected a trace >= 0 because")):
        with pytest.raises(ValueError, match=f"^{message}"):
            identify(E)


# ------------------------------------------------------------------------------------------------------------------- the views


KERNEL = np.arange(2 * 3 * 2 * 5).reshape(2, 3, 2, 5).astype(float)


def test_views_of_a_kernel():
    """(out, in, kh, kw) = (2, 3, 2, 5): entry by entry."""
    three = as_modes(KERNEL, "3-way")
    assert three.shape == (10, 3, 2)
    for o, i, h, w in np.ndindex(KERNEL.shape):
        assert three[5 * h + w, i, o] == KERNEL[o, i, h, w]
    assert as_modes(KERNEL, "4-way") is KERNEL
    assert as_modes(KERNEL, "matrix").tolist() == KERNEL.reshape(2, 30).tolist()
    assert as_modes(KERNEL, "vector").tolist() == KERNEL.ravel().tolist()


@pytest.mark.parametrize("view", tensor_normal.VIEWS)
@pytest.mark.parametrize("A", [KERNEL, KERNEL[0, 0], KERNEL[0, 0, 0]], ids=["kernel", "matrix", "vector"])
def test_views_come_back_and_go_behind_leading_axes(A, view):
    seen = as_modes(A, view)
    assert from_modes(seen, A.shape, view).tolist() == A.tolist()
    stacked = as_modes(np.stack([A, 2 * A, -A]), view, lead=1)
    assert [part.tolist() for part in stacked] == [seen.tolist(), (2 * seen).tolist(), (-seen).tolist()]


def test_shapes_that_do_not_fit_are_refused():
    G, U = np.ones((2, 3)), covariances((2, 3))
    for call in (lambda U: log_density(G, G, U), lambda U: sample(G, U, G)):
        with pytest.raises(ValueError, match=r"^U: expected square matrices of sizes \(2, 3\) because every mode has"):
            call(U[::-1])
        with pytest.raises(ArithmeticError, match=r"^cholesky: expected a "):
            call([U[0], -U[1]])
        with pytest.raises(ValueError, match=r"^U: expected symmetric matrices because they are covariances, got an asymmetric"):
            call([U[0], np.tril(U[1])])
    with pytest.raises(ValueError, match=r"^M: expected shape \(2, 3\) because draw and mean are of one shape, got \(3, 2\)"):
        log_density(G, G.T, U)
