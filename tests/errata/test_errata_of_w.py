"""Witnesses of mistakes in W found while its statements were checked one by one."""

import itertools
import math
from fractions import Fraction as Q

import numpy as np
from stepgauge.proofs_check.grouped import table_1


def exact(rows):
    """An object array of Fractions."""
    return np.vectorize(Q, otypes=[object])(np.array(rows, dtype=object))


def solved(A, b):
    """A⁻¹b by Gauss-Jordan; StopIteration where A is singular."""
    n = len(b)
    M = np.concatenate([A, b.reshape(n, 1)], axis=1)
    for j in range(n):
        k = next(i for i in range(j, n) if M[i, j] != 0)
        M[[j, k]] = M[[k, j]]
        M[j] = M[j] / M[j, j]
        for i in range(n):
            if i != j:
                M[i] = M[i] - M[i, j] * M[j]
    return M[:, n]


def step(H, g, groups):
    """U I_{P:S} H̄⁻¹ḡ with u = g: what (1) subtracts from θ."""
    U = g[:, None] * groups.T
    return U @ solved(U.T @ H @ U, U.T @ g)


def valued(node, numbers):
    """The number that a graph stands for."""
    for part in table_1.ordered(node):
        if part.sign:
            a, b = (numbers[x] for x in part.args)
            numbers[part] = a + b if part.sign == "+" else a * b
    return numbers[node]


def test_err_79_second_order_step_goes_uphill_along_negative_curvature():
    H, g = exact([[1, 0], [0, -3]]), exact([1, 1])

    def loss(d):
        return g @ d + d @ H @ d / 2

    cauchy = step(H, g, exact([[1, 1]]))
    assert (cauchy == g * (g @ g) / (g @ H @ g)).all(), "it is the step of Appendix C"
    assert g @ H @ g < 0
    assert loss(-cauchy) > 0, "uphill"
    assert loss(-g / 10) < 0, "although −g descends"
    newton = step(H, g, exact([[1, 0], [0, 1]]))
    assert loss(-newton + exact([0, 5])) < loss(-newton) < loss(-newton + exact([5, 0])), "a saddle point of Δ₂"
    H = exact([[1, 0], [0, 3]])
    assert all(loss(-step(H, g, groups)) < 0 for groups in (exact([[1, 1]]), exact([[1, 0], [0, 1]])))


def test_err_80_the_inverse_loses_the_minimiser():
    def T(k, c, eta, r):
        return sum(a * x * x / 2 - b * x for a, b, x in zip(k, c, eta, strict=True)) + Q(r) ** 3 / 3      # λ_int = 2, D = Id

    k, c = (-1, 1), (0, 2)
    roots = [Q(r, 7) for r in range(100) if Q(r, 7) * (1 + Q(r, 7)) == 2]        # η_1 (r − 1) = 0, η_2 (r + 1) = 2, r = ‖η‖
    assert roots == [1], "η_1 = 0 leaves r (1 + r) = 2"
    assert k[0] + roots[0] == 0, "where the matrix has no inverse: (2) has no solution"
    best = T(k, c, (0, 1), 1)
    line = [Q(j, 5) for j in range(-15, 16)]
    for r, (x, y) in itertools.product(line, ((1, 0), (0, 1), (Q(3, 5), Q(4, 5)), (Q(3, 5), Q(-4, 5)), (Q(5, 13), Q(12, 13)))):
        assert T(k, c, (r * x, r * y), abs(r)) > best or (r, x, y) == (1, 0, 1), "(0, 1) is the minimum"
    assert T((-1,), (0,), (0,), 0) > T((-1,), (0,), (1,), 1) == T((-1,), (0,), (-1,), 1), "η = 0 solves (2), but ±1 are the minima"
    assert [x for x in line if x * (abs(x) - 1) == 0] == [-1, 0, 1], "the equation without an inverse has them all"


def test_err_81_invariance_needs_scaled_rotations():
    H, g = exact([[2, 1, 0], [1, 3, 1], [0, 1, 4]]), exact([1, 2, 3])
    groups = exact([[1, 1, 0], [0, 0, 1]])

    def kept(J):
        return (J @ step(J.T @ H @ J, J.T @ g, groups) == step(H, g, groups)).all()

    assert kept(exact([[3, 0, 0], [0, 3, 0], [0, 0, -2]])), "one scaling a subset"
    assert kept(exact([["3/5", "-4/5", 0], ["4/5", "3/5", 0], [0, 0, 7]])), "a rotation inside of a subset"
    assert not kept(exact([[1, 0, 0], [0, 2, 0], [0, 0, 1]])), "affine on each subset"
    assert not kept(exact([[1, 1, 0], [0, 1, 0], [0, 0, 1]]))


def test_err_82_passes_and_operations_of_taylor_terms():
    def passes(S, d):                                # every entry of a lower order is differentiated once
        return sum(S**k for k in range(d))

    assert [passes(1, d) for d in (1, 2, 3)] == [1, 2, 3], "S = 1: the Taylor term, d passes, not S^(d−1) = 1"
    assert all(S ** (d - 1) <= passes(S, d) < 2 * S ** (d - 1) or d == 1 for S in (2, 3, 10) for d in (1, 2, 3))

    theta, u, terms = table_1.recursion(3, 4)
    numbers = dict(zip(theta + u, (Q(1, 2), Q(-1), Q(3), Q(2), Q(1, 3), Q(-1)), strict=True))
    line = [Q(0), Q(1)]                              # the loss (((t_1)² + t_2)² + t_3)², t = θ + τu, as a polynomial in τ
    for k, (leaf, direction) in enumerate(zip(theta, u, strict=True)):
        line = ([Q(0)] if k == 0 else line) + [Q(0)]
        line[:2] = line[0] + numbers[leaf], line[1] + numbers[direction]
        line = list(np.polynomial.polynomial.polymul(line, line))
    for d, term in enumerate(terms, 1):
        assert valued(term, numbers) == math.factorial(d) * line[d], "what is counted computes the Taylor terms"
    slopes = [b - a for a, b in zip(table_1.operations(17, 6), table_1.operations(18, 6), strict=True)]
    assert slopes == [7, 18, 51, 152, 461, 1402], "operations a parameter: nothing like d times the first"


def test_err_83_cross_derivatives_are_invariant_too():
    T3 = np.zeros((2, 2, 2), object)
    for place, value in (((0, 0, 1), Q(5)), ((0, 1, 1), Q(-2)), ((0, 0, 0), Q(3))):
        for places in itertools.permutations(place):
            T3[places] = value
    alpha, u, eta = exact([3, "-1/2"]), exact([1, 4]), exact([2, "1/3"])

    def value(T3, u, eta):
        return np.einsum("ijk,i,j,k->", T3, u * eta, u * eta, u * eta)

    T3_t = T3 * alpha[:, None, None] * alpha[:, None] * alpha
    assert value(T3_t, alpha * u, eta / alpha**2) == value(T3, u, eta) != 0
    assert value(T3_t, alpha * u, eta) != value(T3, u, eta)


def test_err_84_discarded_third_derivatives_are_not_bounded():
    def loss(x, y):
        return -x - y + Q(1, 2) * (x * x + y * y) + 100 * x * x * y

    u = (-1, -1)                                     # u = g at 0; ḡ = (1, 1), H̄ = Id, D^(3)_sss = u_s³ ∂³L/∂θ_s³ = 0
    third = [loss(*(2 * e)) - 2 * loss(*e) + 2 * loss(*-e) - loss(*(-2 * e)) for e in np.eye(2, dtype=int)]
    assert third == [0, 0], "D = 0: the cubic term is gone for every λ_int, and (2) is (1)"
    eta = (1, 1)
    assert -sum(eta) + Q(1, 2) * sum(x * x for x in eta) == -1, "Δ₂"
    assert loss(*(-a * b for a, b in zip(u, eta, strict=True))) - loss(0, 0) == 99
