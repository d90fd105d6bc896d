"""Quasi-Newton updates: R (2.6), (2.11), Section 2.4, Theorem 1, (3.14).

Three routes: sums over indices of lists of Fractions, written from the text; the dense definitions (triple product, inverse,
duality, interpolation) with a Gauss-Jordan inverse of our own; floats inside the bounds of a running error analysis.
"""

from fractions import Fraction as F
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from stepgauge.arrays import cast, const
from stepgauge.reference.parts import quasi_newton as qn

EXACT = settings(derandomize=True, deadline=None, database=None, max_examples=60,
                 suppress_health_check=[HealthCheck.too_slow])
PHIS = [F(0), F(1, 3), F(9, 10), F(1)]


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


def text_bfgs_H(H, s, y):
    """Σ_kl (I − ρsyᵀ)_ik H_kl (I − ρysᵀ)_lj + ρ s_i s_j, as (2.6) prints it."""
    n = range(len(s))
    rho = 1 / sum(s[i] * y[i] for i in n)
    left = [[int(i == k) - rho * s[i] * y[k] for k in n] for i in n]
    right = [[int(l == j) - rho * y[l] * s[j] for j in n] for l in n]
    return [[sum(left[i][k] * H[k][l] * right[l][j] for k in n for l in n) + rho * s[i] * s[j] for j in n] for i in n]


def text_bfgs_B(B, s, y):
    n = range(len(s))
    rho = 1 / sum(s[i] * y[i] for i in n)
    sBs = sum(s[i] * B[i][j] * s[j] for i in n for j in n)
    BssB = [[sum(B[i][k] * s[k] * s[l] * B[l][j] for k in n for l in n) for j in n] for i in n]
    return [[B[i][j] - BssB[i][j] / sBs + rho * y[i] * y[j] for j in n] for i in n]


def text_broyden_H(H, s, y, *, phi):
    n = range(len(s))
    rho = 1 / sum(s[i] * y[i] for i in n)
    yHy = sum(y[i] * H[i][j] * y[j] for i in n for j in n)
    sigma = 1 / yHy
    HyyH = [[sum(H[i][k] * y[k] * y[l] * H[l][j] for k in n for l in n) for j in n] for i in n]
    h = [rho * s[i] - sigma * sum(H[i][j] * y[j] for j in n) for i in n]
    return [[H[i][j] - sigma * HyyH[i][j] + rho * s[i] * s[j] + phi * yHy * h[i] * h[j] for j in n] for i in n]


TEXT = {
    "bfgs_H": (qn.bfgs_H, text_bfgs_H),
    "bfgs_B": (qn.bfgs_B, text_bfgs_B),
    "dfp_H": (qn.dfp_H, partial(text_broyden_H, phi=0)),
    **{f"broyden_H, φ = {phi}": (partial(qn.broyden_H, phi=phi), partial(text_broyden_H, phi=phi)) for phi in PHIS},
}

# ------------------------------------------------------------------------------------------ route 2: dense definitions


def eye(n):
    return rational([[int(i == j) for j in range(n)] for i in range(n)])


def inverse(A):
    """Gauss-Jordan on (A, I), with a search for a pivot."""
    n = A.shape[0]
    T = np.concatenate([A, eye(n)], axis=1)
    for j in range(n):
        pivot = next(i for i in range(j, n) if T[i, j] != 0)
        T[[j, pivot]] = T[[pivot, j]]
        T[j] = T[j] / T[j, j]
        for i in set(range(n)) - {j}:
            T[i] = T[i] - T[i, j] * T[j]
    return T[:, n:]


def triple_product(H, s, y):
    rho = 1 / (s @ y)
    left = eye(len(s)) - rho * np.multiply.outer(s, y)
    return left @ H @ left.T + rho * np.multiply.outer(s, s)


def determinant(A):
    if len(A) == 0:
        return F(1)
    minors = [[row[:j] + row[j + 1:] for row in A[1:]] for j in range(len(A))]
    return sum((-1) ** j * A[0][j] * determinant(minors[j]) for j in range(len(A)))


def positive_definite(A):
    """Sylvester's criterion."""
    return all(determinant([row[:n] for row in A[:n]]) > 0 for n in range(1, len(A) + 1))


# ---------------------------------------------------------------------------------------------------------------- cases

SKEWED = [[2, 1], [1, 3]]
TINY = F(1, 10**12)
AWKWARD = {
    "n=1": ([[F(2, 3)]], [2], [5]),
    "n=1, both negative": ([[F(2, 3)]], [-2], [-5]),
    "y = Bs already": (SKEWED, [5, 10], [1, 3]),
    "s = y": (SKEWED, [1, -2], [1, -2]),
    "s parallel y": (SKEWED, [1, -2], [3, -6]),
    "unit vectors": (SKEWED, [1, 0], [1, 0]),
    "sᵀy barely positive": (SKEWED, [1, -2], [2, 1 - TINY]),
    "tiny s": (SKEWED, [TINY, 0], [1, 7]),
    "tiny y": (SKEWED, [1, 7], [TINY, 0]),
    "badly conditioned": ([[1, 1 - TINY], [1 - TINY, 1]], [1, 2], [3, -1]),
    "n=4": ([[4, 1, 0, -1], [1, 3, 1, 0], [0, 1, 2, F(1, 2)], [-1, 0, F(1, 2), 5]],
            [1, -2, 0, F(1, 3)], [F(1, 2), -1, 5, 0]),
}
AWKWARD = {name: tuple(rational(v) for v in case) for name, case in AWKWARD.items()}

small = st.fractions(-4, 4, max_denominator=6)


@st.composite
def spd(draw, n):
    L = [[draw(small) if j < i else F(int(i == j)) for j in range(n)] for i in range(n)]
    D = [draw(st.fractions(F(1, 5), 5, max_denominator=5)) for _ in range(n)]
    return rational([[sum((L[i][k] * D[k] * L[j][k] for k in range(n)), F(0)) for j in range(n)] for i in range(n)])


@st.composite
def cases(draw):
    """H positive definite and a pair of small rationals with sᵀy > 0."""
    n = draw(st.integers(1, 4))
    s, y = (rational(draw(st.lists(small, min_size=n, max_size=n))) for _ in range(2))
    assume(s @ y != 0)
    return draw(spd(n)), s, y if s @ y > 0 else -y


def updates_are_those_of_the_text(H, s, y):
    for name, (code, text) in TEXT.items():
        got = code(H, s, y)
        assert got.tolist() == text(H.tolist(), s.tolist(), y.tolist()), name
        assert {type(value) for value in got.ravel()} == {F}, name


def dense_definitions_hold(H, s, y):
    bfgs, dfp = qn.bfgs_H(H, s, y), qn.dfp_H(H, s, y)
    B = inverse(H)
    assert (bfgs == triple_product(H, s, y)).all()
    assert (inverse(bfgs) == qn.bfgs_B(B, s, y)).all()
    assert (dfp == inverse(triple_product(B, y, s))).all()                        # DFP is BFGS with H, B and s, y exchanged
    assert (dfp == qn.bfgs_B(H, y, s)).all()
    for phi in PHIS:
        assert (qn.broyden_H(H, s, y, phi=phi) == (1 - phi) * dfp + phi * bfgs).all()


def promises_hold(H, s, y):
    updated = {name: code(H, s, y) for name, (code, _) in TEXT.items()}
    B_new = updated.pop("bfgs_B")
    assert (B_new @ s == y).all()
    for H_new in updated.values():
        assert (H_new @ y == s).all()
    for M in (B_new, *updated.values()):
        assert (M == M.T).all()
        assert positive_definite(M.tolist())
    assert (updated["broyden_H, φ = 1"] == updated["bfgs_H"]).all()
    assert (updated["broyden_H, φ = 0"] == updated["dfp_H"]).all()
    for name, (code, _) in TEXT.items():                                          # a pair that already fits changes nothing
        first = B_new if name == "bfgs_B" else updated[name]
        assert (code(first, s, y) == first).all()


@pytest.mark.parametrize("case", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("statement", [updates_are_those_of_the_text, dense_definitions_hold, promises_hold])
def test_awkward_cases(statement, case):
    statement(*case)


@EXACT
@given(cases())
def test_sums_of_the_text(case):
    updates_are_those_of_the_text(*case)


@EXACT
@given(cases())
def test_dense_definitions(case):
    dense_definitions_hold(*case)


@EXACT
@given(cases())
def test_promises(case):
    promises_hold(*case)


@pytest.mark.parametrize("name", TEXT)
def test_fmpq_gives_the_same_numbers(name):
    code, _ = TEXT[name]
    for case in AWKWARD.values():
        assert (cast(code(*(cast(v, "fmpq") for v in case)), "fraction") == code(*case)).all()


@pytest.mark.parametrize("name", TEXT)
def test_balls_enclose_the_same_numbers(name):
    code, _ = TEXT[name]
    for case in (rational([[F(1, 2)]]), *AWKWARD["n=1"][1:]), AWKWARD["s parallel y"], AWKWARD["y = Bs already"]:
        balls = code(*(cast(v, "ball") for v in case)).ravel()
        for ball, value in zip(balls, code(*case).ravel(), strict=True):
            assert ball.contains(value)
            assert ball.rad <= 2.0**-40


def test_the_unchecked_functions_are_the_same_and_still_want_curvature():
    """`trusted` leaves out what costs time; sᵀy > 0 is looked at in the line that divides by it."""
    functions = qn.bfgs_H, qn.bfgs_B, qn.dfp_H, qn.broyden_H
    for kind in ("fraction", "float32", "float64"):
        M, s, y = (cast(v, kind) for v in AWKWARD["n=4"])
        for function in functions:
            phi = {"phi": const(F(1, 3), like=M)} if function is qn.broyden_H else {}
            assert function.trusted(M, s, y, **phi).tolist() == function(M, s, y, **phi).tolist()
            with pytest.raises(ValueError, match=r"^s, y: expected sᵀy > 0 because "):
                function.trusted(M, s, -y, **phi)
        for trusted, checked in zip(qn.hessian_action_pair.trusted(M, s, M), qn.hessian_action_pair(M, s, M), strict=True):
            assert trusted.tolist() == checked.tolist()


def test_arguments_by_name_in_any_order():
    H, s, y = AWKWARD["n=4"]
    assert (qn.broyden_H(phi=F(1, 3), y=y, s=s, H=H) == qn.broyden_H(H, s, y, phi=F(1, 3))).all()
    assert (qn.bfgs_B(y=y, s=s, B=H) == qn.bfgs_B(H, s, y)).all()


# --------------------------------------------------------------------------------------------------- Hessian-action pairs


@EXACT
@given(st.data())
def test_hessian_action_gives_the_inverse(data):
    """R Theorem 1, with c of either sign as long as A⁺ stays positive definite, and A⁺ + λI = A + caaᵀ for the LM form."""
    n = data.draw(st.integers(1, 4))
    A, a = data.draw(spd(n)), rational(data.draw(st.lists(small, min_size=n, max_size=n)))
    assume(any(a != 0))
    c = data.draw(st.fractions(F(-1, 4), 4, max_denominator=8))
    A_new = A + c * np.multiply.outer(a, a)
    assume(positive_definite(A_new.tolist()))
    H = inverse(A)
    s, y = qn.hessian_action_pair(H, a, A_new)
    assert s.tolist() == [sum(H[i, j] * a[j] for j in range(n)) for i in range(n)]
    assert y.tolist() == [sum(A_new[i, j] * s[j] for j in range(n)) for i in range(n)]
    expected = inverse(A_new)
    for code in (qn.bfgs_H, qn.dfp_H, *(partial(qn.broyden_H, phi=phi) for phi in PHIS)):
        assert (code(H, s, y) == expected).all()
    assert (qn.bfgs_B(A, s, y) == A_new).all()


def test_hessian_action_of_zero_is_a_pair_that_no_update_takes():
    H = rational(SKEWED)
    s, y = qn.hessian_action_pair(H, rational([0, 0]), inverse(H))
    assert s.tolist() == y.tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"^s, y: expected sᵀy > 0 because .*, got sᵀy = 0$"):
        qn.bfgs_H(H, s, y)


def test_hessian_action_needs_no_inverse():
    """H is only an approximation in the methods: s = Ha and y = As whatever H is (R Section 2.4, (3.14))."""
    H, A, lam = rational([[3, 1], [1, 5]]), rational(SKEWED), F(1, 7)
    s, y = qn.hessian_action_pair(H, rational([1, -2]), A + lam * eye(2))
    assert s.tolist() == [1, -9]
    assert y.tolist() == [2 - 9 + lam, 1 - 27 - 9 * lam]


@EXACT
@given(st.data())
def test_minibatch_action_is_that_of_the_second_moment(data):
    """(3.14), (3.15): A = E_n[Σ_t a_t a_tᵀ] formed by loops, a sum over positions; â = E_n[(1/|𝒯|) Σ_t a_t], a mean over them."""
    n, N, P = (data.draw(st.integers(1, 3)) for _ in range(3))
    a = rational(data.draw(st.lists(small, min_size=n * N * P, max_size=n * N * P))).reshape(N, P, n)
    H, lam = data.draw(spd(n)), data.draw(st.fractions(F(1, 8), 4, max_denominator=8))
    A = [[sum(a[e, t, i] * a[e, t, j] for e in range(N) for t in range(P)) / F(N) + (lam if i == j else 0) for j in range(n)]
         for i in range(n)]
    a_h = [sum(a[e, t, i] for e in range(N) for t in range(P)) / F(N * P) for i in range(n)]
    s, y = qn.minibatch_action_pair(H, a, lam=lam)
    assert s.tolist() == [sum(H[i, j] * a_h[j] for j in range(n)) for i in range(n)]
    assert y.tolist() == [sum(A[i][j] * s[j] for j in range(n)) for i in range(n)]


def test_minibatch_action_tells_examples_from_positions():
    """Two examples of one position, and one example of two: A is twice as large for the second, â is the same."""
    a, H = rational([[1, 2], [3, 4]]), eye(2)
    apart, together = (qn.minibatch_action_pair(H, a.reshape(shape), lam=1) for shape in ((2, 1, 2), (1, 2, 2)))
    assert apart.s.tolist() == together.s.tolist() == [2, 3]
    assert (together.y - together.s).tolist() == (2 * (apart.y - apart.s)).tolist() == [8 + 54, 16 + 72]


# ---------------------------------------------------------------------------------------------------- route 3: in floats


def rounded_H(program, H, s, y):
    """(2.6) multiplied out: H − ρs(Hy)ᵀ − ρ(Hy)sᵀ + ρ(1 + ρyᵀHy)ssᵀ, the last term halved between the two others."""
    n = range(len(s))
    rho = 1 / program.dot(s, y)
    Hy = [program.dot(row, y) for row in H]
    half = (1 + rho * program.dot(y, Hy)) / 2
    v = [rho * (half * s[i] - Hy[i]) for i in n]
    return [[H[i][j] + s[i] * v[j] + v[i] * s[j] for j in n] for i in n]


def rounded_B(program, B, s, y):
    n = range(len(s))
    Bs = [program.dot(row, s) for row in B]
    sBs, sy = program.dot(s, Bs), program.dot(s, y)
    return [[B[i][j] - Bs[i] * (Bs[j] / sBs) + y[i] * (y[j] / sy) for j in n] for i in n]


def rounded_broyden(program, H, s, y, phi):
    n = range(len(s))
    Hy = [program.dot(row, y) for row in H]
    yHy, sy = program.dot(y, Hy), program.dot(s, y)
    h = [s[i] / sy - Hy[i] / yHy for i in n]
    dfp = rounded_B(program, H, y, s)
    return [[dfp[i][j] + program.const(phi) * yHy * (h[i] * h[j]) for j in n] for i in n]


ROUNDED = {
    "bfgs_H": (qn.bfgs_H, rounded_H),
    "bfgs_B": (qn.bfgs_B, rounded_B),
    "dfp_H": (qn.dfp_H, lambda program, H, s, y: rounded_B(program, H, y, s)),
    "broyden_H": (partial(qn.broyden_H, phi=F(2, 3)), partial(rounded_broyden, phi=F(2, 3))),
}


def float_case(seed, n, dtype):
    """H positive definite and a pair of the kind that a Hessian gives: y = Bs and a disturbance, sᵀy > 0."""
    rng = np.random.default_rng(seed)
    R = rng.standard_normal((n, n + 1))
    H = (R @ R.T + np.eye(n)).astype(dtype)
    s = rng.standard_normal(n)
    y = 0.5 * s + 0.1 * rng.standard_normal(n)
    return (H + H.T) / 2, s.astype(dtype), (y if s @ y > 0 else -y).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ROUNDED)
def test_floats_stay_inside_their_error_bounds(name, dtype, float_program, untouched):
    program = float_program(dtype)
    code, rounded = ROUNDED[name]
    for seed in range(24):
        H, s, y = float_case(seed, 1 + seed % 8, dtype)
        got = untouched(code, H, s, y)
        assert program.agrees(got, rounded(program, program.read(H), program.read(s), program.read(y)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_pairs_stay_inside_their_error_bounds(dtype, float_program, untouched):
    program = float_program(dtype)
    for seed in range(24):
        H, a, _ = float_case(seed, 1 + seed % 8, dtype)
        A, _, _ = float_case(seed + 1000, 1 + seed % 8, dtype)
        got = untouched(qn.hessian_action_pair, H, a, A)
        s = [program.dot(row, program.read(a)) for row in program.read(H)]
        assert program.agrees(got.s, s)
        assert program.agrees(got.y, [program.dot(row, s) for row in program.read(A)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_minibatch_pairs_stay_inside_their_error_bounds(dtype, float_program, untouched):
    program = float_program(dtype)
    for seed in range(24):
        n, N, P = 1 + seed % 5, 1 + seed % 3, 1 + seed % 4
        H, *_ = float_case(seed, n, dtype)
        a = np.random.default_rng(seed).standard_normal((N, P, n)).astype(dtype)
        got = untouched(partial(qn.minibatch_action_pair, lam=dtype(0.3)), H, a)
        rows, lam = program.read(a.reshape(N * P, n)), program.read(np.array([0.3], dtype=dtype))[0]
        one = program.read(np.ones(N * P, dtype=dtype))
        a_h = [program.dot(one, column) / (N * P) for column in zip(*rows, strict=True)]
        s = [program.dot(row, a_h) for row in program.read(H)]
        As = [program.dot(column, [program.dot(row, s) for row in rows]) / N for column in zip(*rows, strict=True)]
        assert program.agrees(got.s, s)
        assert program.agrees(got.y, [x + lam * z for x, z in zip(As, s, strict=True)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [-9, 7])
@pytest.mark.parametrize("name", ROUNDED)
def test_power_of_two_scaling_is_exact(name, k, dtype):
    """(s, y) → 2ᵏ(s, y) changes no bit; for M with y → 2⁻ᵏy (s → 2⁻ᵏs where M is B), M → 2ᵏM scales the result."""
    code, _ = ROUNDED[name]
    two = dtype(2.0**k)
    for seed in range(12):
        M, s, y = float_case(200 + seed, 1 + seed % 7, dtype)
        plain = code(M, s, y)
        assert code(M, two * s, two * y).tolist() == plain.tolist()
        scaled = code(two * M, s / two, y) if name == "bfgs_B" else code(two * M, s, y / two)
        assert scaled.tolist() == (two * plain).tolist()


@pytest.mark.parametrize("name", TEXT)
def test_exact_inputs_are_not_written_to(name, untouched):
    for case in AWKWARD.values():
        untouched(TEXT[name][0], *case)


# ------------------------------------------------------------------------------------------------------------- bad input

UPDATES = {"bfgs_H": qn.bfgs_H, "bfgs_B": qn.bfgs_B, "dfp_H": qn.dfp_H, "broyden_H": partial(qn.broyden_H, phi=F(1, 2))}
PAIR = {"hessian_action_pair": lambda H, a, y: qn.hessian_action_pair(H, a, np.eye(2))}
S, Y, H = np.array([1.0, 2.0]), np.array([1.0, 0.5]), np.array([[2.0, 1.0], [1.0, 3.0]])


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_pairs_without_curvature(update):
    match = r"^s, y: expected sᵀy > 0 because the update would lose definiteness \(damp the pair first\), got sᵀy = "
    for s, y in (([1, 2], [-2, 1]), ([1, 2], [-2, 1 - TINY]), ([1, 2], [-1, -2]), ([0, 0], [1, 2]), ([1, 2], [0, 0]),
                 ([0, 0], [0, 0])):
        with pytest.raises(ValueError, match=match):
            update(rational(SKEWED), rational(s), rational(y))
        with pytest.raises(ValueError, match=match):
            update(H, np.array(s, dtype=float), np.array(y, dtype=float))
    with pytest.raises(ValueError, match=match + "0.0$"):
        update(H, np.array([2.0**-600, 0]), np.array([2.0**-600, 0]))                   # sᵀy underflows to zero


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_pairs_that_are_no_pairs(update):
    for bad, match in ((S[:, None], r"got shape \(2, 1\)$"), (S[None], r"got shape \(1, 2\)$"), (S[0], r"got shape \(\)$")):
        with pytest.raises(ValueError, match=r"^s: expected a vector because .*, " + match):
            update(H, bad, Y)
        with pytest.raises(ValueError, match=r"^y: expected a vector because .*, " + match):
            update(H, S, bad)
    with pytest.raises(ValueError, match=r"^y: expected 2 entries because .*, got 3$"):
        update(H, S, np.ones(3))
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match=r"^s: expected finite numbers because .*, got nan or inf$"):
            update(H, np.array([1, bad]), Y)
        with pytest.raises(ValueError, match=r"^y: expected finite numbers because .*, got nan or inf$"):
            update(H, S, np.array([bad, 1]))


@pytest.mark.parametrize("update", [*UPDATES.values(), *PAIR.values()], ids=[*UPDATES, *PAIR])
def test_matrices_that_are_not_symmetric_positive_definite(update):
    letter = "B" if update is qn.bfgs_B else "H"
    for bad, match in [
        (np.eye(3), r"shape \(2, 2\) because .*, got \(3, 3\)$"),
        (np.ones((2, 3)), r"shape \(2, 2\) because .*, got \(2, 3\)$"),
        (np.ones(2), r"shape \(2, 2\) because .*, got \(2,\)$"),
        (np.array([[1, np.nan], [np.nan, 1]]), "finite numbers because "),
        (np.array([[np.inf, 0], [0, 1]]), "finite numbers because "),
        (np.array([[1, 0.25], [0, 1]]), "a symmetric matrix because .*, got an asymmetric one$"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "a positive definite matrix because .*, got one that is not$"),
        (np.array([[1.0, 1.0], [1.0, 1.0]]), "a positive definite matrix because "),
        (np.zeros((2, 2)), "a positive definite matrix because "),
    ]:
        with pytest.raises(ValueError, match=f"^{letter}: expected {match}"):
            update(bad, S, Y)
    for bad, match in (([[1, TINY], [0, 1]], "a symmetric matrix"), ([[1, 1], [1, 1 - TINY]], "a positive definite matrix"),
                       ([[0, 0], [0, 1]], "a positive definite matrix")):
        with pytest.raises(ValueError, match=f"^{letter}: expected {match} because "):
            update(rational(bad), rational([1, 2]), rational([1, 1]))


@pytest.mark.parametrize("update", [*UPDATES.values(), *PAIR.values()], ids=[*UPDATES, *PAIR])
def test_other_types_and_mixed_arithmetics(update):
    for dtype in (np.int64, np.complex128, np.float16, np.bool_):
        match = rf"^arrays: expected float32 or float64 because .*, got {np.dtype(dtype)}$"
        ones = np.ones(2).astype(dtype)
        with pytest.raises(TypeError, match=match):
            update(np.eye(2).astype(dtype), S, Y)
        with pytest.raises(TypeError, match=match):
            update(H, ones, ones)
    mixed = r"^arrays: expected arrays of one arithmetic because .*, got "
    exact = rational(SKEWED)
    for matrix, s, y in ((H.astype(np.float32), S, Y), (H, S.astype(np.float32), Y.astype(np.float32)), (exact, S, Y),
                         (H, exact[0], exact[0]), (cast(exact, "fmpq"), exact[0], exact[0])):
        with pytest.raises(TypeError, match=mixed):
            update(matrix, s, y)
    with pytest.raises(TypeError, match=r"^arrays: expected arrays because .*, got list$"):
        update(H.tolist(), S, Y)


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_a_pair_of_mixed_arithmetics(update):
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic because .*, got numpy float64 and numpy "):
        update(H, S, Y.astype(np.float32))


@pytest.mark.parametrize("phi", [-TINY, 1 + TINY, -0.5, 2, float("nan"), float("inf")])
def test_phi_out_of_range(phi):
    with pytest.raises(ValueError, match=rf"^phi: expected a number in \[0, 1\] because .*, got {phi}$"):
        qn.broyden_H(H, S, Y, phi=phi)


def test_what_hessian_action_pairs_refuse():
    for a, match in ((S[:, None], "a: expected a vector"), (np.array([1, np.nan]), "a: expected finite numbers"),
                     (np.ones(3), r"H: expected shape \(3, 3\)")):
        with pytest.raises(ValueError, match=f"^{match} because "):
            qn.hessian_action_pair(H, a, H)
    for A, match in ((np.eye(3), r"shape \(2, 2\)"), (np.array([[1, 0.25], [0, 1]]), "a symmetric matrix"),
                     (-H, "a positive definite matrix"), (np.full((2, 2), np.nan), "finite numbers")):
        with pytest.raises(ValueError, match=f"^A: expected {match} because "):
            qn.hessian_action_pair(H, S, A)
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic because .*, got "):
        qn.hessian_action_pair(H, S, rational(SKEWED))


def test_what_minibatch_action_pairs_refuse():
    a = np.ones((2, 3, 2))
    for bad, match in ((S, r"shape \(N, P, n\) with N, P >= 1"), (a[0], r"shape \(N, P, n\) with N, P >= 1"),
                       (a[:0], r"shape \(N, P, n\) with N, P >= 1"), (a[:, :0], r"shape \(N, P, n\) with N, P >= 1"),
                       (a * np.nan, "finite numbers")):
        with pytest.raises(ValueError, match=f"^a: expected {match} because "):
            qn.minibatch_action_pair(H, bad, lam=1)
    for bad, match in ((np.eye(3), r"shape \(2, 2\)"), (np.array([[1, 0.25], [0, 1]]), "a symmetric matrix"),
                       (-H, "a positive definite matrix"), (np.full((2, 2), np.nan), "finite numbers")):
        with pytest.raises(ValueError, match=f"^H: expected {match} because "):
            qn.minibatch_action_pair(bad, a, lam=1)
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"^lam: expected a positive number because it makes A positive definite"):
            qn.minibatch_action_pair(H, a, lam=bad)
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic because .*, got "):
        qn.minibatch_action_pair(rational(SKEWED), a, lam=1)


def test_minibatch_action_pairs_trusted_or_checked_are_the_same():
    a = np.arange(12.0).reshape(2, 3, 2)
    for trusted, checked in zip(qn.minibatch_action_pair.trusted(H, a, lam=0.5), qn.minibatch_action_pair(H, a, lam=0.5),
                                strict=True):
        assert trusted.tolist() == checked.tolist()
