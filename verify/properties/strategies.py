"""Hypothesis strategies for exact inputs, small, well conditioned, and awkward on purpose.

Numbers are quarters between −3 and 3, exact in every float too; matrices are built from factors, never repaired. What is
awkward is written at each strategy: parallel, orthogonal and zero vectors, pairs at and beside a switch, singular Hessians,
more outputs than parameters, dimensions that are all different. The strategies of whole inputs, named after what is judged,
draw tuples in the order in which the checks take them.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any

import numpy as np
from hypothesis import assume, event
from hypothesis import strategies as st

from .polynomials import Polynomial
from .rational import array, diagonal, identity, inverse, is_invertible, outer, size

Array = Any
Draw = Callable[[st.SearchStrategy[Any]], Any]

HALF = Fraction(1, 2)
WEIGHTS = [Fraction(1, 5), Fraction(1, 2), Fraction(3, 4), Fraction(1, 16)]
"""μ inside (0, 1); 1/5 is the papers' default."""


@cache
def numbers() -> st.SearchStrategy[Fraction]:
    """Quarters from −3 to 3, zero included."""
    return st.integers(-12, 12).map(lambda k: Fraction(k, 4))


@cache
def arrays(*shape: int) -> st.SearchStrategy[Array]:
    """Arrays of such numbers."""
    return st.lists(numbers(), min_size=prod(shape), max_size=prod(shape)).map(lambda flat: array(flat, *shape))


@cache
def nonzero_vectors(n: int) -> st.SearchStrategy[Array]:
    """Vectors (n,) with an entry that is not zero."""
    return arrays(n).filter(lambda x: x.any())


@cache
def positives() -> st.SearchStrategy[Fraction]:
    """Positive numbers over four powers of two and some between."""
    return st.sampled_from([Fraction(1), HALF, Fraction(1, 8), Fraction(3), Fraction(2), Fraction(1, 3)])


@st.composite
def spd_matrices(draw: Draw, n: int) -> Array:
    """Symmetric positive definite matrices (n, n): L diag(d) Lᵀ, L unit lower triangular; diagonal ones occur."""
    L = identity(n)
    for i, j in zip(*np.tril_indices(n, -1), strict=True):
        L[i, j] = Fraction(draw(st.integers(-2, 2)), 2)
    d = draw(st.lists(st.sampled_from([Fraction(1), HALF, Fraction(2), Fraction(1, 4), Fraction(4)]), min_size=n, max_size=n))
    return L @ diagonal(array(d)) @ L.T


# Pairs of vectors, for damping and quasi-Newton updates

PAIR_STRUCTURES = ("generic", "at the switch", "just below", "just above", "tied", "parallel", "opposed", "orthogonal", "zero")


@st.composite
def switch_vectors(draw: Draw, M: Array, z: Array, mu: Fraction) -> Array:
    """x (n,) for a damping that moves x towards Mz where zᵀx < μ zᵀMz: at that switch, beside it, or far from it; z (n,).

    Tied means zᵀx = zᵀMz; parallel, to Mz; opposed, negatively so; orthogonal, zᵀx = 0. Where z is zero, x is not.
    """
    structure = draw(st.sampled_from(PAIR_STRUCTURES))
    event(f"pair: {structure if z.any() else 'zero z'}")
    if not z.any() or structure == "generic":
        return draw(nonzero_vectors(len(z)))
    across = draw(perpendiculars(z))
    return {
        "at the switch": mu * (M @ z) + across,
        "just below": mu * Fraction(63, 64) * (M @ z) + across,
        "just above": mu * Fraction(65, 64) * (M @ z) + across,
        "tied": M @ z + across,
        "parallel": draw(positives()) * (M @ z),
        "opposed": -draw(positives()) * (M @ z),
        "orthogonal": across,
        "zero": 0 * z,
    }[structure]


@st.composite
def perpendiculars(draw: Draw, z: Array) -> Array:
    """Vectors orthogonal to z (n,), z not zero: exactly, and with a few binary digits; only 0 where n = 1."""
    k = next(k for k in range(len(z)) if z[k])
    x = 0 * z
    for j in range(len(z)):
        if j != k:
            x[[j, k]] += draw(st.sampled_from([1, -1, 2, 0])) * array([z[k], -z[j]])
    return x


@st.composite
def base_vectors(draw: Draw, n: int) -> Array:
    """The vector z of a pair: generic, or one time in thirteen zero."""
    return array([0] * n) if draw(st.integers(0, 12)) == 7 else draw(nonzero_vectors(n))


SIZES = st.sampled_from([1, 2, 3, 4, 2, 3])


@st.composite
def powell_on_H(draw: Draw) -> tuple[Any, ...]:
    """(s, y, H, mu), s at or off the switch sᵀy = μ yᵀHy."""
    n = draw(SIZES)
    H, y, mu = draw(spd_matrices(n)), draw(base_vectors(n)), draw(st.sampled_from(WEIGHTS))
    return draw(switch_vectors(H, y, mu)), y, H, mu


@st.composite
def powell_on_B(draw: Draw) -> tuple[Any, ...]:
    """(s, y, B, mu), y at or off the switch sᵀy = μ sᵀBs."""
    y, s, B, mu = draw(powell_on_H())
    return s, y, B, mu


@st.composite
def powell_identity(draw: Draw) -> tuple[Any, ...]:
    """(s, y, mu), y at or off the switch sᵀy = μ sᵀs; μ = 1, where the weight is 0, included."""
    n = draw(SIZES)
    s, mu = draw(base_vectors(n)), draw(st.sampled_from([*WEIGHTS, Fraction(1)]))
    return s, draw(switch_vectors(identity(n), s, mu)), mu


@st.composite
def double_damping(draw: Draw) -> tuple[Any, ...]:
    """(s, y, H, mu1, mu2): at or off the first switch, or past it and at or off the second, sᵀy = μ₂ sᵀs; μ₂ = 1 included."""
    s, y, H, mu1 = draw(powell_on_H())
    mu2 = draw(st.sampled_from([*WEIGHTS, Fraction(1)]))
    if draw(st.booleans()):
        s = draw(nonzero_vectors(len(s)))
        y = draw(switch_vectors(identity(len(s)), s, mu2))
        while 0 < s @ y < mu1 * (y @ H @ y):
            H = H / 2
    return s, y, H, mu1, mu2


@st.composite
def dp_dlm(draw: Draw) -> tuple[Any, ...]:
    """(s, y, H, mu1, mu2) as for Powell's damping on H, and any μ₂ > 0."""
    return (*draw(powell_on_H()), draw(positives()))


@st.composite
def dpi_dlm(draw: Draw) -> tuple[Any, ...]:
    """(s, y, mu1, mu2), s at or off the switch sᵀy = μ₁ yᵀy/μ₂, and any μ₂ > 0."""
    n = draw(SIZES)
    y, mu1, mu2 = draw(base_vectors(n)), draw(st.sampled_from(WEIGHTS)), draw(positives())
    return draw(switch_vectors(identity(n) / mu2, y, mu1)), y, mu1, mu2


@st.composite
def curved_pairs(draw: Draw) -> tuple[Any, ...]:
    """(M, s, y), M (n, n) positive definite, sᵀy > 0: generic, parallel, and y parallel to M⁻¹s or Ms, at times equal to it."""
    n = draw(SIZES)
    M, s = draw(spd_matrices(n)), draw(nonzero_vectors(n))
    structure = draw(st.sampled_from(["generic", "parallel", "along M⁻¹s", "along Ms"]))
    event(f"curved pair: {structure}")
    if structure != "generic":
        return M, s, {"parallel": identity(n), "along M⁻¹s": inverse(M), "along Ms": M}[structure] @ s * draw(positives())
    y = draw(arrays(n))
    curvature = s @ y
    return M, s, y if curvature > 0 else s - y if curvature == 0 else -y


@st.composite
def broyden_family(draw: Draw) -> tuple[Any, ...]:
    """(H, s, y, phi): a pair with sᵀy > 0 and φ in [0, 1], both ends included."""
    return (*draw(curved_pairs()), draw(phis()))


@cache
def phis() -> st.SearchStrategy[Fraction]:
    """The Broyden parameter: 0 (DFP), 1 (BFGS), and between."""
    return st.sampled_from([Fraction(1), Fraction(0), HALF, Fraction(1, 3)])


@st.composite
def rank_one_changes(draw: Draw) -> tuple[Any, ...]:
    """(A, a, c) for A⁺ = A + c·aaᵀ: A (n, n) positive definite, a ≠ 0 (units and multiples of Ae_1 too), c > 0."""
    n = draw(SIZES)
    A = draw(spd_matrices(n))
    a = draw(st.one_of(nonzero_vectors(n), st.sampled_from(list(identity(n))), positives().map(lambda t: t * A[:, 0])))
    return A, a, draw(positives())


@st.composite
def family_rank_one_changes(draw: Draw) -> tuple[Any, ...]:
    """(A, a, c, phi)."""
    return (*draw(rank_one_changes()), draw(phis()))


@st.composite
def pair_sequences(draw: Draw) -> tuple[Any, ...]:
    """([(s_1, y_1), …, (s_p, y_p)], n, mu1, lam), 0 to 3 pairs of length n up to 3, undamped, none with s = y = 0; λ > 0."""
    n, mu1, lam = draw(st.integers(1, 3)), draw(st.sampled_from(WEIGHTS)), draw(positives())
    y = [draw(base_vectors(n)) for _ in range(draw(st.integers(0, 3)))]
    return [(draw(switch_vectors(identity(n) / lam, y_i, mu1)), y_i) for y_i in y], n, mu1, lam


@st.composite
def memories(draw: Draw) -> tuple[Any, ...]:
    """(S, Y, X, h): 0 to 3 pairs with sᵀy > 0 as columns (n, m), X (n, d), h > 0."""
    n, d = draw(st.sampled_from([(2, 1), (3, 2), (2, 3), (1, 2), (4, 1)]))
    S = Y = identity(n)[:, :0]
    for _ in range(draw(st.sampled_from([2, 3, 1, 0]))):
        s, across = draw(nonzero_vectors(n)), draw(arrays(n))
        y = draw(positives()) * s + across - (across @ s) / (s @ s) * s
        S, Y = np.column_stack([S, s]), np.column_stack([Y, y])
    return S, Y, draw(arrays(n, d)), draw(positives())


# Batches of vectors: examples, positions, entries

@st.composite
def batches(draw: Draw) -> tuple[Any, ...]:
    """(X,): X (N, P, d), N, P and d different; zero and equal examples occur."""
    N, P, d = draw(st.sampled_from([(2, 1, 3), (3, 2, 1), (4, 3, 2), (1, 2, 3), (3, 1, 2)]))
    X = draw(arrays(N, P, d))
    structure = draw(st.sampled_from(["generic", "generic", "equal", "one zero"]))
    event(f"batch: {structure}")
    if structure == "equal":
        X = X[np.zeros(N, dtype=int)]
    elif structure == "one zero":
        X[0] = 0 * X[0]
    return (X,)


@st.composite
def permuted_batches(draw: Draw) -> tuple[Any, ...]:
    """(X, order)."""
    X, = draw(batches())
    return X, tuple(draw(st.permutations(range(len(X)))))


def repeated_batches() -> st.SearchStrategy[tuple[Any, ...]]:
    """(X, times): the batch is to be repeated 2 or 3 times."""
    return st.tuples(batches(), st.sampled_from([2, 3])).map(lambda drawn: (*drawn[0], drawn[1]))


def scaled_batches() -> st.SearchStrategy[tuple[Any, ...]]:
    """(X, c): c of either sign, not ±1."""
    factors = st.sampled_from([Fraction(2), Fraction(-3), HALF, Fraction(-1, 4), Fraction(8)])
    return st.tuples(batches(), factors).map(lambda drawn: (*drawn[0], drawn[1]))


# Other units: powers of two, which floats carry exactly

@cache
def powers_of_two() -> st.SearchStrategy[Fraction]:
    """2^k for k from −20 to 20, far beyond any threshold."""
    return st.sampled_from([-20, -7, -1, 1, 6, 20]).map(lambda k: Fraction(2) ** k)


def rescaled_pairs() -> st.SearchStrategy[tuple[Any, ...]]:
    """(H, s, y, c, d): a pair with sᵀy > 0, and units for s and y."""
    return st.tuples(curved_pairs(), powers_of_two(), powers_of_two()).map(lambda drawn: (*drawn[0], *drawn[1:]))


def rescaled_damping() -> st.SearchStrategy[tuple[Any, ...]]:
    """(s, y, H, mu1, mu2, c)."""
    return st.tuples(double_damping(), powers_of_two()).map(lambda drawn: (*drawn[0], drawn[1]))


def rescaled_smw() -> st.SearchStrategy[tuple[Any, ...]]:
    """(lam, J, H, g, N2, c, d)."""
    return st.tuples(smw_invertible(), powers_of_two(), powers_of_two()).map(lambda drawn: (*drawn[0], *drawn[1:]))


# Tensors, all dimensions different

@st.composite
def tensors(draw: Draw) -> Array:
    """Tensors of order 1 to 5, their dimensions different numbers out of 1, …, 5 in any order."""
    order, dimensions = draw(st.integers(1, 5)), draw(st.permutations(range(1, 6)))
    return draw(arrays(*dimensions[:order]))


@st.composite
def tensors_and_matrices(draw: Draw) -> tuple[Any, ...]:
    """(A, [U_1, …, U_k]): a tensor (d_1, …, d_k) and matrices U_i (d_i′, d_i), most not square."""
    A = draw(tensors())
    rows = draw(st.permutations([1, 2, 3, 1, 2]))[:A.ndim]
    return A, [draw(arrays(m, n)) for m, n in zip(rows, A.shape, strict=True)]


@st.composite
def three_matrices(draw: Draw) -> tuple[Any, ...]:
    """(A, X, B) with the product AXB and four different dimensions."""
    k, m, n, p = draw(st.permutations(range(1, 5)))
    return draw(arrays(k, m)), draw(arrays(m, n)), draw(arrays(n, p))


# Jacobians and output Hessians

@st.composite
def jacobians(draw: Draw, q: int, n: int) -> Array:
    """J (q, n): generic, of rank one, with a zero row and column, with equal rows, or zero."""
    J = draw(arrays(q, n))
    structure = draw(st.sampled_from(["generic", "rank one", "zero row", "equal rows", "zero"]))
    event(f"Jacobian: {structure}")
    if structure == "rank one":
        J = outer(J[:, 0], draw(arrays(n)))
    elif structure == "zero row":
        J[-1], J[:, 0] = Fraction(0), Fraction(0)
    elif structure == "equal rows":
        J[-1] = J[0]
    elif structure == "zero":
        J = 0 * J
    return J


@st.composite
def semidefinite_blocks(draw: Draw, m: int) -> Array:
    """An output Hessian (m, m): positive definite, diag(p) − ppᵀ of a softmax (singular), of rank one, or zero."""
    kind = draw(st.sampled_from(["definite", "softmax", "rank one", "zero"]))
    event(f"output Hessian: {kind}")
    if kind == "definite":
        return draw(spd_matrices(m))
    weights = array(draw(st.lists(st.integers(1, 4), min_size=m, max_size=m)))
    p = weights / weights.sum()
    return {"softmax": diagonal(p) - outer(p, p), "rank one": outer(weights, weights), "zero": 0 * identity(m)}[kind]


def block_diagonal(blocks: list[Array]) -> Array:
    """Square blocks of one size m along the diagonal: (N·m, N·m)."""
    m = len(blocks[0])
    H = 0 * identity(len(blocks) * m)
    for i, block in enumerate(blocks):
        H[i * m:(i + 1) * m, i * m:(i + 1) * m] = block
    return H


@st.composite
def _smw(draw: Draw, block: Callable[[int], st.SearchStrategy[Array]]) -> tuple[Any, ...]:
    N2, m, n = draw(st.sampled_from([2, 3, 1])), draw(st.integers(1, 3)), draw(st.integers(1, 6))
    H = block_diagonal([draw(block(m)) for _ in range(N2)])
    return draw(positives()), draw(jacobians(N2 * m, n)), H, draw(arrays(n)), N2


def smw_invertible() -> st.SearchStrategy[tuple[Any, ...]]:
    """(lam, J, H, g, N2): J (q, n) with q = N₂·m below, at and above n; H (q, q) block diagonal, positive definite."""
    return _smw(spd_matrices)


def smw_singular_or_not() -> st.SearchStrategy[tuple[Any, ...]]:
    """The same with blocks of H that are singular, or zero, or definite."""
    return _smw(semidefinite_blocks)


@st.composite
def natural_gradients(draw: Draw) -> tuple[Any, ...]:
    """(lam, J, g): J (N₂, n), one gradient a row."""
    N2, n = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return draw(positives()), draw(jacobians(N2, n)), draw(arrays(n))


# Polynomial losses and subset-wise affine maps

@cache
def partitions(P: int) -> st.SearchStrategy[tuple[tuple[int, ...], ...]]:
    """(I_1, …, I_S): 0, …, P − 1 cut into subsets that need not be contiguous; S = 1 and S = P occur."""
    labels = st.lists(st.integers(0, P - 1), min_size=P, max_size=P)
    return labels.map(lambda subset: tuple(tuple(p for p in range(P) if subset[p] == s) for s in sorted(set(subset))))


@st.composite
def polynomial_losses(draw: Draw, P: int) -> Polynomial:
    """½ θᵀQθ plus up to four monomials of degree 1 to 4, in P variables; Q is positive definite or indefinite."""
    Q = draw(spd_matrices(P))
    Q[0, 0] *= draw(st.sampled_from([1, -1]))
    loss = Polynomial({}, P)
    unit = [tuple(int(p == q) for q in range(P)) for p in range(P)]
    quadratic = [Polynomial({tuple(np.add(unit[p], unit[q]).tolist()): Q[p, q] / 2}, P) for p in range(P) for q in range(P)]
    powers = st.lists(st.integers(0, P - 1), min_size=1, max_size=4).map(lambda hits: tuple(hits.count(p) for p in range(P)))
    others = [Polynomial({draw(powers): draw(numbers())}, P) for _ in range(draw(st.integers(1, 4)))]
    return sum([*quadratic, *others], start=loss)


@st.composite
def grouped_losses(draw: Draw) -> tuple[Any, ...]:
    """(loss, theta, u, groups): P = 1 to 4 parameters, u the gradient at θ or any direction, no subset with u = 0."""
    P = draw(SIZES)
    loss, theta, groups = draw(polynomial_losses(P)), draw(arrays(P)), draw(partitions(P))
    u = loss.derivatives(1, theta) if draw(st.booleans()) else draw(arrays(P))
    assume(all(any(u[p] for p in group) for group in groups))
    return loss, theta, u, groups


@st.composite
def reparameterised_losses(draw: Draw) -> tuple[Any, ...]:
    """(loss, theta, u, groups, alpha, beta): the map θ_p = α_s θ~_p + β_p for p in I_s, α_s ≠ 0 of either sign."""
    loss, theta, u, groups = draw(grouped_losses())
    return loss, theta, u, groups, draw(scalings(len(groups))), draw(arrays(len(theta)))


@cache
def scalings(S: int) -> st.SearchStrategy[Array]:
    """α (S,): different, equal, negative, never zero."""
    alpha = st.sampled_from([Fraction(-2), Fraction(1), Fraction(3), HALF, -HALF])
    return st.lists(alpha, min_size=S, max_size=S).map(array)


@st.composite
def newton_steps(draw: Draw) -> tuple[Any, ...]:
    """The same, where in addition H̄ is invertible and its condition below 1000, so that floats can be judged."""
    loss, theta, u, groups, alpha, beta = draw(reparameterised_losses())
    uHu = outer(u, u) * loss.derivatives(2, theta)
    H_bar = array([uHu[np.ix_(I, K)].sum() for I in groups for K in groups], len(groups), len(groups))
    assume(is_invertible(H_bar) and size(H_bar) * size(inverse(H_bar)) < 1000)
    return loss, theta, u, groups, alpha, beta


@st.composite
def cubic_steps(draw: Draw) -> tuple[Any, ...]:
    """(H_bar, eta, d, lam_int, alpha), S = 1 to 3: H̄ + (λ/2)‖Dη‖D² is positive definite, H̄ itself often not; d > 0.

    ‖Dη‖ is rational: Dη is r times a column of a reflection, I − 2vvᵀ/vᵀv.
    """
    S = draw(st.integers(1, 3))
    v, r, lam_int = draw(nonzero_vectors(S)), draw(positives()), draw(positives())
    d = array([draw(positives()) for _ in range(S)])
    D_eta = r * (identity(S) - 2 * outer(v, v) / (v @ v))[draw(st.integers(0, S - 1))]
    H_bar = draw(spd_matrices(S)) - lam_int / 2 * r * diagonal(d * d)
    return H_bar, D_eta / d, d, lam_int, draw(scalings(S))


@st.composite
def cubic_diagonals(draw: Draw) -> tuple[Any, ...]:
    """(D3, alpha): the diagonal of an order-3 summary (S,), cubes of rationals of either sign, zero included."""
    S = draw(st.integers(1, 3))
    return draw(arrays(S)) ** 3, draw(scalings(S))
