"""The strategies draw what they promise: every input fit for its check, and every awkward structure among them.

Each test looks at 120 draws: `always` says what must hold for each, `sometimes` what must occur.
"""

from fractions import Fraction as F
from itertools import chain

import numpy as np
import pytest
from hypothesis import strategies as st
from stepgauge.verify.properties import PROPERTIES, strategies


def always(values, holds):
    bad = [value for value in values if not holds(*value)]
    assert not bad, bad[0]


def sometimes(values, **structures):
    """Each structure occurs."""
    counts = {name: sum(bool(holds(*value)) for value in values) for name, holds in structures.items()}
    assert min(counts.values()) > 0, str(counts)


def pivots(A):
    """What Gaussian elimination without exchanges leaves on the diagonal, as far as it gets."""
    A, found = A.copy(), []
    for j in range(len(A)):
        found.append(A[j, j])
        if A[j, j] == 0:
            break
        A[j + 1:] = A[j + 1:] - A[j + 1:, [j]] / A[j, j] * A[j]
    return found


def definite(A):
    return (A == A.T).all() and all(pivot > 0 for pivot in pivots(A))


def rank(A):
    rows = [row for row in A if row.any()]
    if not rows:
        return 0
    k = next(k for k in range(A.shape[1]) if rows[0][k])
    return 1 + rank(np.array([row - row[k] / rows[0][k] * rows[0] for row in rows[1:]], dtype=object).reshape(-1, A.shape[1]))


def parallel(x, y):
    return x.any() and y.any() and all(a * d == b * c for a, b in zip(x, y, strict=True) for c, d in zip(x, y, strict=True))


def in_floats(*arrays):
    """Is every entry a float64 exactly?"""
    return all(F(float(entry)) == entry for array in arrays for entry in np.ravel(array))


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_number_is_rational(drawn, name):
    def leaves(value):
        if isinstance(value, tuple | list):
            return chain.from_iterable(map(leaves, value))
        if isinstance(value, np.ndarray):
            return chain(value.ravel())
        return [value] if not hasattr(value, "terms") else value.terms.values()

    for inputs in drawn(PROPERTIES[name].inputs)[:20]:
        assert {type(leaf) for leaf in leaves(inputs)} <= {F, int}


def test_matrices(drawn):
    found = drawn(st.integers(1, 4).flatmap(lambda n: strategies.spd_matrices(n).map(lambda A: (A,))))
    always(found, lambda A: definite(A) and in_floats(A))
    always(found, lambda A: np.linalg.cond(A.astype(float)) < 1e5)
    sometimes(found, large=lambda A: len(A) == 4, number=lambda A: len(A) == 1,
              diagonal=lambda A: len(A) > 1 and not (A - np.diag(np.diag(A))).any(),
              full=lambda A: len(A) > 2 and A.all())


def test_pairs_for_damping_on_H(drawn):
    found = drawn(strategies.powell_on_H())
    always(found, lambda s, y, H, mu: definite(H) and 0 < mu < 1 and s.shape == y.shape == (len(H),) and (s.any() or y.any()))

    def c(y, H):
        return y @ H @ y

    sometimes(found, at_the_switch=lambda s, y, H, mu: y.any() and s @ y == mu * c(y, H),
              at_the_switch_and_not_parallel=lambda s, y, H, mu: y.any() and s @ y == mu * c(y, H) and not parallel(s, H @ y),
              just_below=lambda s, y, H, mu: mu * c(y, H) * F(9, 10) < s @ y < mu * c(y, H),
              just_above=lambda s, y, H, mu: mu * c(y, H) < s @ y < mu * c(y, H) * F(11, 10),
              tied=lambda s, y, H, mu: y.any() and s @ y == c(y, H) and (s != H @ y).any(),
              negative=lambda s, y, H, mu: s @ y < 0,
              untouched=lambda s, y, H, mu: s @ y > c(y, H) > 0,
              parallel=lambda s, y, H, mu: len(s) > 1 and parallel(s, H @ y) and s @ y > 0,
              opposed=lambda s, y, H, mu: len(s) > 1 and parallel(s, H @ y) and s @ y < 0,
              orthogonal=lambda s, y, H, mu: s.any() and y.any() and s @ y == 0,
              zero_s=lambda s, y, H, mu: not s.any(),
              zero_y=lambda s, y, H, mu: not y.any(),
              default=lambda s, y, H, mu: mu == F(1, 5))
    exchanged = drawn(strategies.powell_on_B())
    sometimes(exchanged, at_the_switch=lambda s, y, B, mu: s.any() and s @ y == mu * c(s, B),
              zero_s=lambda s, y, B, mu: not s.any())


def test_pairs_for_damping_with_the_identity(drawn):
    found = drawn(strategies.powell_identity())
    always(found, lambda s, y, mu: 0 < mu <= 1 and (s.any() or y.any()))
    sometimes(found, at_the_switch=lambda s, y, mu: s.any() and mu < 1 and s @ y == mu * (s @ s),
              pole=lambda s, y, mu: mu == 1 and s.any() and s @ y == s @ s,
              weight_zero=lambda s, y, mu: mu == 1 and s @ y < s @ s,
              equal=lambda s, y, mu: (s == y).all())


def test_pairs_for_double_damping(drawn):
    def first(s, y, H, mu1):
        return s @ y < mu1 * (y @ H @ y)

    def moved(s, y, H, mu1):
        c, sy = y @ H @ y, s @ y
        return s + (mu1 * c - sy) / (c - sy) * (H @ y - s) if first(s, y, H, mu1) else s

    def second(s, y, H, mu1, mu2):
        s = moved(s, y, H, mu1)
        return s @ y < mu2 * (s @ s)

    found = drawn(strategies.double_damping())
    always(found, lambda s, y, H, mu1, mu2: definite(H) and 0 < mu1 < 1 and 0 < mu2 <= 1 and (s.any() or y.any()))
    sometimes(found, both=lambda s, y, H, mu1, mu2: first(s, y, H, mu1) and second(s, y, H, mu1, mu2),
              first_only=lambda s, y, H, mu1, mu2: first(s, y, H, mu1) and not second(s, y, H, mu1, mu2),
              second_only=lambda s, y, H, mu1, mu2: not first(s, y, H, mu1) and second(s, y, H, mu1, mu2),
              neither=lambda s, y, H, mu1, mu2: not first(s, y, H, mu1) and not second(s, y, H, mu1, mu2),
              at_the_first=lambda s, y, H, mu1, mu2: y.any() and s @ y == mu1 * (y @ H @ y),
              at_the_second=lambda s, y, H, mu1, mu2: s.any() and s @ y == mu2 * (s @ s) >= mu1 * (y @ H @ y),
              weight_zero=lambda s, y, H, mu1, mu2: mu2 == 1 and second(s, y, H, mu1, mu2))


@pytest.mark.parametrize("name", ["dp_dlm", "dpi_dlm"])
def test_pairs_for_levenberg_marquardt_damping(drawn, name):
    found = [(s, y, H[0] if H else np.eye(len(s), dtype=int) / mu2, mu1, mu2)
             for s, y, *H, mu1, mu2 in drawn(getattr(strategies, name)())]
    always(found, lambda s, y, H, mu1, mu2: definite(H) and 0 < mu1 < 1 and mu2 > 0 and (s.any() or y.any()))
    sometimes(found, at_the_switch=lambda s, y, H, mu1, mu2: y.any() and s @ y == mu1 * (y @ H @ y),
              damped=lambda s, y, H, mu1, mu2: s @ y < mu1 * (y @ H @ y),
              opposed=lambda s, y, H, mu1, mu2: len(s) > 1 and parallel(s, H @ y) and s @ y < 0,
              above_one=lambda s, y, H, mu1, mu2: mu2 > 1, below_one=lambda s, y, H, mu1, mu2: mu2 < 1)


def test_pairs_for_updates(drawn):
    found = drawn(strategies.broyden_family())
    always(found, lambda H, s, y, phi: definite(H) and s @ y > 0 and 0 <= phi <= 1)
    sometimes(found, bfgs=lambda H, s, y, phi: phi == 1, dfp=lambda H, s, y, phi: phi == 0,
              between=lambda H, s, y, phi: 0 < phi < 1, parallel=lambda H, s, y, phi: len(s) > 1 and parallel(s, y),
              h_is_zero=lambda H, s, y, phi: len(s) > 1 and parallel(H @ y, s),
              h_is_not_zero=lambda H, s, y, phi: len(s) > 1 and not parallel(H @ y, s))


def test_rank_one_changes(drawn):
    found = drawn(strategies.family_rank_one_changes())
    always(found, lambda A, a, c, phi: definite(A) and a.any() and c > 0 and 0 <= phi <= 1)
    sometimes(found, a_unit=lambda A, a, c, phi: len(a) > 1 and sorted(a)[:-1] == [0] * (len(a) - 1) and max(a) == 1,
              a_column=lambda A, a, c, phi: len(a) > 1 and parallel(a, A[:, 0]), large=lambda A, a, c, phi: c > 1,
              small=lambda A, a, c, phi: c < 1, number=lambda A, a, c, phi: len(a) == 1, four=lambda A, a, c, phi: len(a) == 4)


def test_sequences_of_pairs(drawn):
    found = drawn(strategies.pair_sequences())
    always(found, lambda pairs, n, mu1, lam: 0 < mu1 < 1 and lam > 0 and all(s.shape == y.shape == (n,) and (s.any() or y.any())
                                                                             for s, y in pairs))
    sometimes(found, none=lambda pairs, n, mu1, lam: not pairs, one=lambda pairs, n, mu1, lam: len(pairs) == 1,
              three=lambda pairs, n, mu1, lam: len(pairs) == 3 and n == 3,
              damped_and_not=lambda pairs, n, mu1, lam: {lam * (s @ y) < mu1 * (y @ y) for s, y in pairs} == {True, False})


def test_tensors(drawn):
    found = drawn(strategies.tensors_and_matrices())
    always(found, lambda A, U: len(set(A.shape)) == A.ndim and [V.shape[1] for V in U] == list(A.shape))
    sometimes(found, **{f"order_{k}": lambda A, U, k=k: A.ndim == k for k in range(1, 6)},
              not_square=lambda A, U: all(V.shape[0] != V.shape[1] for V in U),
              square=lambda A, U: any(len(V) == V.shape[1] > 1 for V in U),
              ascending=lambda A, U: A.ndim > 2 and list(A.shape) == sorted(A.shape),
              mixed=lambda A, U: A.ndim > 2 and sorted(A.shape) not in (list(A.shape), list(A.shape)[::-1]))
    always(drawn(strategies.three_matrices()), lambda A, X, B: len({*A.shape, *X.shape, *B.shape}) == 4
           and A.shape[1] == X.shape[0] and X.shape[1] == B.shape[0])


def blocks(H, N2):
    m = len(H) // N2
    return [H[i:i + m, i:i + m] for i in range(0, len(H), m)]


def test_jacobians_and_output_hessians(drawn):
    shapes = {"fewer": lambda lam, J, H, g, N2: J.shape[0] < J.shape[1],
              "as_many": lambda lam, J, H, g, N2: J.shape[0] == J.shape[1],
              "more": lambda lam, J, H, g, N2: J.shape[0] > J.shape[1],
              "several": lambda lam, J, H, g, N2: 1 < N2 < len(H),
              "deficient": lambda lam, J, H, g, N2: 0 < rank(J) < min(J.shape),
              "rank_one": lambda lam, J, H, g, N2: rank(J) == 1 < J.shape[1] and all(J[:, 0]) and (J[0] != J[-1]).any(),
              "zero_row": lambda lam, J, H, g, N2: J.any() and not all(row.any() for row in J),
              "equal_rows": lambda lam, J, H, g, N2: len(J) > 1 and (J[0] == J[-1]).all() and rank(J) > 1,
              "of_full_rank": lambda lam, J, H, g, N2: rank(J) == min(J.shape) > 2,
              "zero": lambda lam, J, H, g, N2: not J.any()}
    found = drawn(strategies.smw_invertible())
    always(found, lambda lam, J, H, g, N2: lam > 0 and len(H) % N2 == 0 and J.shape == (len(H), len(g)) and definite(H)
           and sum(np.count_nonzero(block) for block in blocks(H, N2)) == np.count_nonzero(H))
    sometimes(found, **shapes)
    found = drawn(strategies.smw_singular_or_not())
    always(found, lambda lam, J, H, g, N2: all(definite(block + F(1, 10**6) * np.eye(len(block), dtype=int))
                                               for block in blocks(H, N2)))
    sometimes(found, **shapes, singular=lambda lam, J, H, g, N2: rank(H) < len(H) and H.any(),
              invertible=lambda lam, J, H, g, N2: definite(H),
              softmax=lambda lam, J, H, g, N2: any(block.any() and not block.sum(axis=0).any() for block in blocks(H, N2)),
              zero_and_not=lambda lam, J, H, g, N2: {bool(block.any()) for block in blocks(H, N2)} == {True, False})
    found = drawn(strategies.natural_gradients())
    always(found, lambda lam, J, g: lam > 0 and J.shape[1] == len(g))
    sometimes(found, one=lambda lam, J, g: len(J) == 1, several=lambda lam, J, g: len(J) > 2 and rank(J) > 1,
              equal=lambda lam, J, g: len(J) > 1 and (J[0] == J[-1]).all() and J.any())


def test_losses_and_maps(drawn):
    found = drawn(strategies.reparameterised_losses())

    def gradient(loss, theta):
        return np.array([loss.derivative(p)(theta) for p in range(len(theta))], dtype=object)

    always(found, lambda loss, theta, u, groups, alpha, beta: sorted(chain(*groups)) == list(range(len(theta)))
           and all(u[list(group)].any() for group in groups) and alpha.shape == (len(groups),) and alpha.all()
           and theta.shape == u.shape == beta.shape == (loss.variables,))
    sometimes(found, one_subset=lambda loss, theta, u, groups, alpha, beta: len(groups) == 1 < len(theta),
              all_subsets=lambda loss, theta, u, groups, alpha, beta: len(groups) == len(theta) > 1,
              scattered=lambda loss, theta, u, groups, alpha, beta: any(max(g) - min(g) >= len(g) for g in groups),
              along_the_gradient=lambda loss, theta, u, groups, alpha, beta: (u == gradient(loss, theta)).all(),
              elsewhere=lambda loss, theta, u, groups, alpha, beta: (u != gradient(loss, theta)).any(),
              partly_zero=lambda loss, theta, u, groups, alpha, beta: not u.all(),
              cubic=lambda loss, theta, u, groups, alpha, beta: max(map(sum, loss.terms)) == 3,
              quartic=lambda loss, theta, u, groups, alpha, beta: max(map(sum, loss.terms)) == 4,
              mixed=lambda loss, theta, u, groups, alpha, beta: any(sum(map(bool, powers)) > 2 for powers in loss.terms),
              negative=lambda loss, theta, u, groups, alpha, beta: min(alpha) < 0,
              different=lambda loss, theta, u, groups, alpha, beta: len({abs(a) for a in alpha}) > 1)


def test_newton_steps(drawn):
    def summary(loss, theta, u, groups):
        uHu = u[:, None] * loss.derivatives(2, theta) * u
        return np.array([[uHu[np.ix_(I, K)].sum() for K in groups] for I in groups], dtype=object)

    found = [(summary(*inputs[:4]), inputs[4]) for inputs in drawn(strategies.newton_steps())]
    always(found, lambda H, alpha: rank(H) == len(H) and np.linalg.cond(H.astype(float)) < 4000)
    sometimes(found, definite=lambda H, alpha: len(H) > 1 and definite(H),
              indefinite=lambda H, alpha: len(H) > 1 and not definite(H) and not definite(-H),
              negative=lambda H, alpha: min(alpha) < 0, full=lambda H, alpha: len(H) > 2 and H.all())


def test_cubic_steps(drawn):
    def matrix(H, eta, d, lam):
        squared = sum((d * eta) ** 2)
        length = F(round(np.sqrt(float(squared)) * 2**20), 2**20).limit_denominator(1000)
        assert length**2 == squared
        return H + np.diag(lam / 2 * length * d**2)

    found = drawn(strategies.cubic_steps())
    always(found, lambda H, eta, d, lam, alpha: all(d > 0) and lam > 0 and alpha.all() and definite(matrix(H, eta, d, lam)))
    sometimes(found, three=lambda H, eta, d, lam, alpha: len(d) == 3, number=lambda H, eta, d, lam, alpha: len(d) == 1,
              definite=lambda H, eta, d, lam, alpha: definite(H),
              indefinite=lambda H, eta, d, lam, alpha: len(d) > 1 and not definite(H) and not definite(-H),
              anisotropic=lambda H, eta, d, lam, alpha: len(set(d)) > 1 and len(set(abs(alpha))) > 1,
              negative=lambda H, eta, d, lam, alpha: min(alpha) < 0,
              no_zero=lambda H, eta, d, lam, alpha: len(d) > 1 and eta.all())
    found = drawn(strategies.cubic_diagonals())
    always(found, lambda D3, alpha: D3.shape == alpha.shape and alpha.all()
           and all(F(round(float(abs(x)) ** (1 / 3) * 4), 4) ** 3 == abs(x) for x in D3))
    sometimes(found, negative=lambda D3, alpha: min(D3) < 0, zero=lambda D3, alpha: not D3.all(),
              positive=lambda D3, alpha: min(D3) > 0)
