"""Damping: R Section 2.3.1 and Algorithms 3, 8, 11.

Three routes: loops over lists of Fractions, written from the text; the definition "the shortest move that is enough"; floats
inside the bounds of a running error analysis.
"""

from fractions import Fraction as F
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stepgauge.arrays import Undecided, cast, const
from stepgauge.reference.parts import damping

EXACT = settings(derandomize=True, deadline=None, database=None, max_examples=60,
                 suppress_health_check=[HealthCheck.too_slow])


class Case(NamedTuple):
    """A pair, a matrix and the numbers: mu in (0, 1), mu_to_one in (0, 1], lam > 0, as lists and Fractions."""

    s: list
    y: list
    M: list
    mu: F
    mu_to_one: F
    lam: F


# ------------------------------------------------------------------------------------ what each function is called with

CALLS = {
    "powell_on_B": lambda f, s, y, M, mu, mu_to_one, lam: f(s, y, M, mu=mu),
    "powell_on_H": lambda f, s, y, M, mu, mu_to_one, lam: f(s, y, M, mu=mu),
    "powell_identity": lambda f, s, y, M, mu, mu_to_one, lam: f(s, y, mu=mu_to_one),
    "double_damping": lambda f, s, y, M, mu, mu_to_one, lam: f(s, y, M, mu1=mu, mu2=mu_to_one),
    "dp_dlm": lambda f, s, y, M, mu, mu_to_one, lam: f(s, y, M, mu1=mu, mu2=lam),
    "dpi_dlm": lambda f, s, y, M, mu, mu_to_one, lam: f(s, y, mu1=mu, mu2=lam),
}
NAMES = list(CALLS)
WITH_MATRIX = ["powell_on_B", "powell_on_H", "double_damping", "dp_dlm"]


def rational(x):
    """Nested lists as an object array of Fractions."""
    array = np.empty(np.shape(x), dtype=object)
    for index in np.ndindex(array.shape):
        value = x
        for i in index:
            value = value[i]
        array[index] = F(value)
    return array


def damp(name, case):
    """The code's answer to an exact case, as two object arrays."""
    s, y, M, *mus = case
    return damp_arrays(name, rational(s), rational(y), rational(M), mus)


def damp_arrays(name, s, y, M, mus):
    return CALLS[name](getattr(damping, name), s, y, M, *mus)


# ------------------------------------------------------------------------------------------ route 1: loops from the text


def inner(x, y):
    total = F(0)
    for i in range(len(x)):
        total += x[i] * y[i]
    return total


def times(M, x):
    result = []
    for i in range(len(M)):
        result.append(inner(M[i], x))
    return result


def mix(theta, x, z):
    return [theta * x[i] + (1 - theta) * z[i] for i in range(len(x))]


def text_theta(sy, c, mu):
    if sy < mu * c:
        return (1 - mu) * c / (c - sy)
    return F(1)


def text_powell_on_B(s, y, B, *, mu):
    Bs = times(B, s)
    return s, mix(text_theta(inner(s, y), inner(s, Bs), mu), y, Bs)


def text_powell_on_H(s, y, H, *, mu):
    Hy = times(H, y)
    return mix(text_theta(inner(s, y), inner(y, Hy), mu), s, Hy), y


def text_powell_identity(s, y, *, mu):
    n = len(s)
    return text_powell_on_B(s, y, [[F(int(i == j)) for j in range(n)] for i in range(n)], mu=mu)


def text_double_damping(s, y, H, *, mu1, mu2):
    theta1 = text_theta(inner(s, y), inner(y, times(H, y)), mu1)             # line 2
    s_t = mix(theta1, s, times(H, y))                                        # line 3
    theta2 = text_theta(inner(s_t, y), inner(s_t, s_t), mu2)                 # line 4
    return s_t, mix(theta2, y, s_t)                                          # lines 5, 6


def text_dp_dlm(s, y, H, *, mu1, mu2):
    theta1 = text_theta(inner(s, y), inner(y, times(H, y)), mu1)             # lines 2 to 6
    s_t = mix(theta1, s, times(H, y))                                        # line 7
    return s_t, [y[i] + mu2 * s_t[i] for i in range(len(y))]                 # lines 8, 9


def text_dpi_dlm(s, y, *, mu1, mu2):
    n = len(s)
    return text_dp_dlm(s, y, [[F(int(i == j)) / mu2 for j in range(n)] for i in range(n)], mu1=mu1, mu2=mu2)


TEXT = {name: globals()[f"text_{name}"] for name in NAMES}


# ----------------------------------------------------------------------- route 2: the shortest move that leaves μc or more


def shortest_move(x, z, partner, mu):
    """x + τ(z − x) with the smallest τ in [0, 1] for which its product with `partner` is at least μ zᵀpartner."""
    have, want = x @ partner, mu * (z @ partner)
    tau = F(0) if have >= want else (want - have) / (z @ partner - have)
    assert 0 <= tau <= 1
    return x + tau * (z - x)


def moved_powell_on_B(s, y, B, *, mu):
    return s, shortest_move(y, B @ s, s, mu)


def moved_powell_on_H(s, y, H, *, mu):
    return shortest_move(s, H @ y, y, mu), y


def moved_powell_identity(s, y, *, mu):
    return s, shortest_move(y, s, s, mu)


def moved_double_damping(s, y, H, *, mu1, mu2):
    s_t = shortest_move(s, H @ y, y, mu1)
    return s_t, shortest_move(y, s_t, s_t, mu2)


def moved_dp_dlm(s, y, H, *, mu1, mu2):
    s_t = shortest_move(s, H @ y, y, mu1)
    return s_t, y + mu2 * s_t


def moved_dpi_dlm(s, y, *, mu1, mu2):
    s_t = shortest_move(s, y / mu2, y, mu1)
    return s_t, y + mu2 * s_t


MOVED = {name: globals()[f"moved_{name}"] for name in NAMES}


# ---------------------------------------------------------------------------------------------------------------- cases

TINY = F(1, 10**12)
I2, SKEWED = [[1, 0], [0, 1]], [[2, 1], [1, 3]]


def case(s, y, M, mu=F(1, 5), mu_to_one=F(1, 3), lam=F(3, 2)):
    return Case([F(v) for v in s], [F(v) for v in y], [[F(v) for v in row] for row in M], mu, mu_to_one, lam)


AWKWARD = {
    "n=1, agreeing": case([2], [3], [[F(1, 2)]]),
    "n=1, negative curvature": case([2], [-3], [[F(1, 2)]]),
    "n=1, s = 0": case([0], [3], [[F(1, 2)]]),
    "n=1, y = 0": case([2], [0], [[F(1, 2)]]),
    "n=1, both 0": case([0], [0], [[F(1, 2)]]),
    "s = 0": case([0, 0], [3, -1], SKEWED),
    "y = 0": case([1, 2], [0, 0], SKEWED),
    "both 0": case([0, 0], [0, 0], SKEWED),
    "s parallel y": case([2, -4], [1, -2], SKEWED),
    "s antiparallel y": case([2, -4], [-1, 2], SKEWED),
    "s = y": case([2, -4], [2, -4], I2),
    "s = -y": case([2, -4], [-2, 4], I2),
    "s orthogonal to y": case([1, 2], [-2, 1], SKEWED),
    "s = Hy": case([5, 10], [1, 3], SKEWED),
    "s = -Hy": case([-5, -10], [1, 3], SKEWED),
    "y = Bs": case([1, 3], [5, 10], SKEWED),
    "y = -Bs": case([1, 3], [-5, -10], SKEWED),
    "mu_to_one = 1": case([1, 2], [-1, F(1, 7)], SKEWED, mu_to_one=F(1)),
    "mu_to_one = 1, sᵀy = sᵀs": case([1, 2], [5, 0], SKEWED, mu_to_one=F(1)),
    "mu_to_one = 1, sᵀy just above sᵀs": case([1, 2], [5 + TINY, 0], SKEWED, mu_to_one=F(1)),
    "mu_to_one = 1, sᵀy just below sᵀs": case([1, 2], [5 - TINY, 0], SKEWED, mu_to_one=F(1)),
    "mu near 0": case([1, 2], [-1, F(1, 7)], SKEWED, mu=TINY, mu_to_one=TINY, lam=TINY),
    "mu near 1": case([1, 2], [-1, F(1, 7)], SKEWED, mu=1 - TINY, mu_to_one=1 - TINY, lam=1 / TINY),
    "second switch of Algorithm 3 at equality": case([2, 0], [1, 5], [[1, 0], [0, F(1, 100)]], mu_to_one=F(1, 2)),
    "n=4": case([1, -2, 0, F(1, 3)], [F(-1, 2), 1, 5, 0],
                [[4, 1, 0, -1], [1, 3, 1, 0], [0, 1, 2, F(1, 2)], [-1, 0, F(1, 2), 5]]),
}

small = st.fractions(-4, 4, max_denominator=6)


@st.composite
def cases(draw):
    """Pairs of small rationals with M = LDLᵀ positive definite."""
    n = draw(st.integers(1, 4))
    vector = st.lists(small, min_size=n, max_size=n)
    L = [[draw(small) if j < i else F(int(i == j)) for j in range(n)] for i in range(n)]
    D = [draw(st.fractions(F(1, 5), 5, max_denominator=5)) for _ in range(n)]
    M = [[sum((L[i][k] * D[k] * L[j][k] for k in range(n)), F(0)) for j in range(n)] for i in range(n)]
    numbers = st.fractions(F(1, 50), F(49, 50), max_denominator=50)
    return Case(draw(vector), draw(vector), M, draw(numbers), draw(numbers | st.just(F(1))),
                draw(st.fractions(F(1, 20), 20, max_denominator=20)))


def same_as_text(name, case):
    s_t, y_t = damp(name, case)
    expected = CALLS[name](TEXT[name], *case)
    assert s_t.tolist() == expected[0]
    assert y_t.tolist() == expected[1]
    assert {type(value) for value in [*s_t, *y_t]} == {F}


def same_as_shortest_move(name, case):
    s, y, M, *mus = case
    s_t, y_t = damp(name, case)
    expected = CALLS[name](MOVED[name], rational(s), rational(y), rational(M), *mus)
    assert (s_t == expected[0]).all()
    assert (y_t == expected[1]).all()


# ------------------------------------------------------------------------------------------------------------ the routes


@pytest.mark.parametrize("case", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("name", NAMES)
def test_awkward_cases_are_those_of_the_text(name, case):
    same_as_text(name, case)
    same_as_shortest_move(name, case)


@EXACT
@given(cases())
def test_the_text_in_loops(case):
    for name in NAMES:
        same_as_text(name, case)


@EXACT
@given(cases())
def test_the_shortest_move_that_is_enough(case):
    for name in NAMES:
        same_as_shortest_move(name, case)


@pytest.mark.parametrize("name", NAMES)
def test_fmpq_gives_the_same_numbers(name):
    for case in AWKWARD.values():
        s, y, M, *mus = case
        flint = damp_arrays(name, *(cast(rational(v), "fmpq") for v in (s, y, M)), mus)
        for got, expected in zip(flint, damp(name, case), strict=True):
            assert (cast(got, "fraction") == expected).all()


@pytest.mark.parametrize("name", NAMES)
def test_balls_enclose_the_same_numbers(name):
    for case in (AWKWARD["n=4"], AWKWARD["s antiparallel y"], AWKWARD["s = Hy"], AWKWARD["both 0"]):
        s, y, M, *mus = case
        balls = damp_arrays(name, *(cast(rational(v), "ball") for v in (s, y, M)), mus)
        for got, expected in zip(balls, damp(name, case), strict=True):
            assert all(ball.contains(value) and ball.rad <= 2.0**-40 for ball, value in zip(got, expected, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_unchecked_function_is_the_same(name):
    """`trusted` takes what the checks return: numbers in the arithmetic of the arrays."""
    for kind in ("fraction", "float32", "float64"):
        s, y, M, *mus = AWKWARD["n=4"]
        s, y, M = (cast(rational(v), kind) for v in (s, y, M))
        function = getattr(damping, name)
        trusted = CALLS[name](function.trusted, s, y, M, *(const(mu, like=s) for mu in mus))
        for got, expected in zip(trusted, CALLS[name](function, s, y, M, *mus), strict=True):
            assert got.tolist() == expected.tolist()


def test_arguments_by_name_in_any_order():
    case = AWKWARD["n=4"]
    s, y, M = (rational(v) for v in case[:3])
    got = damping.double_damping(mu2=case.mu_to_one, H=M, mu1=case.mu, y=y, s=s)
    for named, expected in zip(got, damp("double_damping", case), strict=True):
        assert named.tolist() == expected.tolist()


# -------------------------------------------------------------------------------------------- what the docstrings promise


def between(x, a, b):
    """Is x = a + τ(b − a) for one τ in [0, 1]?"""
    taus = {(x[i] - a[i]) / (b[i] - a[i]) for i in range(len(x)) if a[i] != b[i]}
    assert all(x[i] == a[i] for i in range(len(x)) if a[i] == b[i])
    assert len(taus) <= 1
    assert all(0 <= tau <= 1 for tau in taus)


def promises(case):
    s, y, M = case.s, case.y, case.M
    mu, mu_to_one, lam = case.mu, case.mu_to_one, case.lam
    My, Ms = times(M, y), times(M, s)

    s_t, y_t = damp("powell_on_B", case)
    assert s_t.tolist() == s
    assert inner(s, y_t) == max(inner(s, y), mu * inner(s, Ms))
    between(y_t, y, Ms)

    s_t, y_t = damp("powell_on_H", case)
    assert y_t.tolist() == y
    assert inner(s_t, y) == max(inner(s, y), mu * inner(y, My))
    between(s_t, s, My)

    s_t, y_t = damp("powell_identity", case)
    assert s_t.tolist() == s
    assert inner(s, y_t) == max(inner(s, y), mu_to_one * inner(s, s))
    between(y_t, y, s)

    s_t, y_t = damp("double_damping", case)
    assert inner(s_t, y) == max(inner(s, y), mu * inner(y, My))                        # P1
    assert inner(s_t, y_t) == max(inner(s_t, y), mu_to_one * inner(s_t, s_t))          # P2
    between(s_t, s, My)                                                                # P3
    between(y_t, y, s_t)

    s_t, y_t = damp("dp_dlm", case)
    assert inner(s_t, y) == max(inner(s, y), mu * inner(y, My))
    assert inner(s_t, y_t) == inner(s_t, y) + lam * inner(s_t, s_t)
    between(s_t, s, My)

    s_t, y_t = damp("dpi_dlm", case)
    assert inner(s_t, y) == max(inner(s, y), mu * inner(y, y) / lam)
    assert inner(s_t, y_t) == inner(s_t, y) + lam * inner(s_t, s_t)
    between(s_t, s, [v / lam for v in y])
    mu3 = mu / (lam * (1 + 2 * mu))                                                    # R Lemma 4, without its divisions
    assert lam * inner(s_t, s_t) <= inner(s_t, y_t)
    assert mu3 * inner(y_t, y_t) <= inner(s_t, y_t)


@pytest.mark.parametrize("case", AWKWARD.values(), ids=AWKWARD)
def test_promises_on_awkward_cases(case):
    promises(case)


@EXACT
@given(cases())
def test_promises(case):
    promises(case)


@pytest.mark.parametrize("mu", [F(1, 5), F(1, 10**9), 1 - F(1, 10**9), F(1)])
@pytest.mark.parametrize("c", [F(0), F(1), F(7, 3), F(10**9)])
@pytest.mark.parametrize("sy", [F(-10**9), F(-1), F(0), F(1, 7), F(1), F(10**9)])
def test_weight(sy, c, mu):
    theta = damping.weight(sy, c, mu)
    assert 0 <= theta <= 1
    assert theta * sy + (1 - theta) * c == max(sy, mu * c)
    assert (theta == 1) == (sy >= mu * c)


MU = F(1, 4)
AT_SWITCH = {                      # sᵀy = μ · curvature exactly; adding t to the first entry named moves sᵀy by t
    "powell_on_B": lambda t: case([1, 0], [2 * MU + t, -1], SKEWED, mu=MU),
    "powell_on_H": lambda t: case([2 * MU + t, -1], [1, 0], SKEWED, mu=MU),
    "powell_identity": lambda t: case([1, 0], [MU + t, 7], SKEWED, mu_to_one=MU),
    "double_damping": lambda t: case([2 * MU + t, F(1, 16)], [1, 0], SKEWED, mu=MU, mu_to_one=F(1, 2)),
    "dp_dlm": lambda t: case([2 * MU + t, -1], [1, 0], SKEWED, mu=MU),
    "dpi_dlm": lambda t: case([2 * MU + t, -1], [1, 0], SKEWED, mu=MU, lam=F(1, 2)),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_switch_is_in_the_right_place(name):
    """At and above the switch the pair is not moved (apart from + μ₂s̃), just below it is, and by no more than is missing."""
    for t in (F(0), TINY):
        at = AT_SWITCH[name](t)
        s_t, y_t = damp(name, at)
        assert s_t.tolist() == at.s
        assert y_t.tolist() == ([at.y[i] + at.lam * at.s[i] for i in range(2)] if "dlm" in name else at.y)
    below = AT_SWITCH[name](-TINY)
    s_t, y_t = damp(name, below)
    assert (s_t.tolist(), y_t.tolist()) != (below.s, below.y)
    moved = y_t if name in ("powell_on_B", "powell_identity") else s_t
    start = below.y if name in ("powell_on_B", "powell_identity") else below.s
    assert 0 < max(abs(moved[i] - start[i]) for i in range(2)) < 20 * TINY


@pytest.mark.parametrize(("name", "s", "y"), [
    ("powell_on_B", [1, -2], [2, 0]), ("powell_on_H", [2, 0], [1, -2]), ("powell_identity", [1, 2], [1, 0]),
    ("double_damping", [2, 0], [1, -2]), ("dp_dlm", [2, 0], [1, -2]), ("dpi_dlm", [1, -1], [1, 0])])
def test_a_switch_that_balls_cannot_decide(name, s, y):
    """sᵀy = μ · curvature with μ = 1/5, which is a ball with a radius: either answer would be a guess."""
    s, y, M = (cast(rational(v), "ball") for v in (s, y, SKEWED))
    with pytest.raises(Undecided, match=r"^comparison: expected balls that do not overlap because '<' must be decided, got "):
        damp_arrays(name, s, y, M, [F(1, 5)] * 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_the_switch_in_floats(name, dtype):
    """All numbers of the switch are dyadic, so floats stand exactly on it: the pair keeps its bits."""
    at = AT_SWITCH[name](F(0))
    s, y, M = (np.array(v, dtype=dtype) for v in (at.s, at.y, at.M))
    s_t, y_t = damp_arrays(name, s, y, M, [float(mu) for mu in at[3:]])
    assert s_t.tolist() == s.tolist()
    assert y_t.tolist() == ((y + dtype(at.lam) * s) if "dlm" in name else y).tolist()


# ---------------------------------------------------------------------------------------------------- route 3: in floats


def matvec(program, M, x):
    return [program.dot(row, x) for row in M]


def rounded_theta(sy, c, mu):
    return (1 - mu) * c / (c - sy) if sy < mu * c else c._other(1)


def rounded_mix(theta, x, z):
    return [theta * x_i + (1 - theta) * z_i for x_i, z_i in zip(x, z, strict=True)]


def rounded_powell_on_B(program, s, y, B, *, mu):
    Bs = matvec(program, B, s)
    return s, rounded_mix(rounded_theta(program.dot(s, y), program.dot(s, Bs), mu), y, Bs)


def rounded_powell_on_H(program, s, y, H, *, mu):
    return rounded_powell_on_B(program, y, s, H, mu=mu)[::-1]


def rounded_powell_identity(program, s, y, *, mu):
    return s, rounded_mix(rounded_theta(program.dot(s, y), program.dot(s, s), mu), y, s)


def rounded_double_damping(program, s, y, H, *, mu1, mu2):
    s_t, _ = rounded_powell_on_H(program, s, y, H, mu=mu1)
    return rounded_powell_identity(program, s_t, y, mu=mu2)


def rounded_dp_dlm(program, s, y, H, *, mu1, mu2):
    s_t, _ = rounded_powell_on_H(program, s, y, H, mu=mu1)
    return s_t, [y_i + mu2 * s_i for y_i, s_i in zip(y, s_t, strict=True)]


def rounded_dpi_dlm(program, s, y, *, mu1, mu2):
    Hy = [y_i / mu2 for y_i in y]
    s_t = rounded_mix(rounded_theta(program.dot(s, y), program.dot(y, Hy), mu1), s, Hy)
    return s_t, [y_i + mu2 * s_i for y_i, s_i in zip(y, s_t, strict=True)]


def float_case(seed, n, dtype):
    rng = np.random.default_rng(seed)
    R = rng.standard_normal((n, n + 1))
    s, y, M = (v.astype(dtype) for v in (rng.standard_normal(n), rng.standard_normal(n), R @ R.T + np.eye(n)))
    return s, y, (M + M.T) / 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_floats_stay_inside_their_error_bounds(name, dtype, float_program, untouched):
    program = float_program(dtype)
    branches = set()
    for seed in range(40):
        s, y, M = float_case(seed, 1 + seed % 8, dtype)
        mus = F(1, 5), F(2, 3) if seed % 3 else F(1), F(7, 10)
        got = untouched(damp_arrays, name, s, y, M, mus)
        twin = globals()[f"rounded_{name}"]
        expected = CALLS[name](lambda *args, twin=twin, **kwargs: twin(program, *args, **kwargs),
                               program.read(s), program.read(y), program.read(M), *(program.const(mu) for mu in mus))
        assert program.agrees(got.s_t, expected[0])
        assert program.agrees(got.y_t, expected[1])
        branches.add((got.s_t.tolist() == s.tolist(), got.y_t.tolist() == y.tolist()))
    assert len(branches) > 1, "only one branch was taken"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [-9, 7])
def test_power_of_two_scaling_is_exact(dtype, k):
    """(s, y) → 2ᵏ(s, y) scales every damped pair; H → 2ᵏH with y → 2⁻ᵏy (and μ₂ → 2⁻ᵏμ₂ for LM damping) keeps s̃."""
    two = dtype(2.0**k)
    for seed in range(12):
        s, y, M = float_case(100 + seed, 1 + seed % 7, dtype)
        mus = 0.2, 1.0 if seed % 2 else 0.3, 0.7
        for name in NAMES:
            s_t, y_t = damp_arrays(name, s, y, M, mus)
            s_2, y_2 = damp_arrays(name, two * s, two * y, M, mus)
            assert s_2.tolist() == (two * s_t).tolist()
            assert y_2.tolist() == (two * y_t).tolist()
        for name in ("powell_on_H", "dp_dlm", "dpi_dlm"):
            s_t, y_t = damp_arrays(name, s, y, M, mus)
            s_2, y_2 = damp_arrays(name, s, y / two, two * M, (mus[0], mus[1], mus[2] / 2.0**k))
            assert s_2.tolist() == s_t.tolist()
            assert y_2.tolist() == (y_t / two).tolist()
        s_t, y_t = damp_arrays("powell_on_B", s, y, M, mus)
        s_2, y_2 = damp_arrays("powell_on_B", s / two, y, two * M, mus)
        assert s_2.tolist() == (s_t / two).tolist()
        assert y_2.tolist() == y_t.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_exact_inputs_are_not_written_to(name, untouched):
    for case in AWKWARD.values():
        s, y, M, *mus = case
        untouched(damp_arrays, name, rational(s), rational(y), rational(M), mus)


# ------------------------------------------------------------------------------------------------------------- bad input

S, Y, H = np.array([1.0, 2.0]), np.array([-1.0, 0.5]), np.array([[2.0, 1.0], [1.0, 3.0]])
MUS = F(1, 5), F(1, 3), F(3, 2)


def refused(name, error, match, s=S, y=Y, M=H, mus=MUS):
    with pytest.raises(error, match=match):
        damp_arrays(name, s, y, M, mus)


@pytest.mark.parametrize("name", NAMES)
def test_pairs_that_are_no_pairs(name):
    refused(name, ValueError, r"^s: expected a vector because .*, got shape \(2, 1\)$", s=S[:, None])
    refused(name, ValueError, r"^y: expected a vector because .*, got shape \(1, 2\)$", y=Y[None])
    refused(name, ValueError, r"^s: expected a vector because .*, got shape \(\)$", s=np.float64(1))
    refused(name, ValueError, r"^y: expected 2 entries because .*, got 3$", y=np.ones(3))
    for bad in (np.nan, np.inf, -np.inf):
        refused(name, ValueError, r"^s: expected finite numbers because .*, got nan or inf$", s=np.array([1, bad]))
        refused(name, ValueError, r"^y: expected finite numbers because .*, got nan or inf$", y=np.array([bad, 1]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.int64, np.complex128, np.float16, np.bool_])
def test_data_of_other_types(name, dtype):
    ones = np.ones(2).astype(dtype)
    match = rf"^arrays: expected float32 or float64 because .*, got {np.dtype(dtype)}$"
    refused(name, TypeError, match, s=ones, y=ones)
    refused(name, TypeError, match, y=ones)
    if name in WITH_MATRIX:
        refused(name, TypeError, match, M=np.eye(2).astype(dtype))


@pytest.mark.parametrize("name", NAMES)
def test_mixed_arithmetics(name):
    mixed = r"^arrays: expected arrays of one arithmetic because .*, got "
    exact = rational([1, 2])
    refused(name, TypeError, mixed + "numpy float64 and numpy float32$", y=Y.astype(np.float32))
    refused(name, TypeError, mixed + "exact Fraction and numpy float64$", s=exact)
    refused(name, TypeError, mixed + "exact Fraction and exact fmpq$", s=exact, y=cast(exact, "fmpq"))
    refused(name, TypeError, r"^arrays: expected arrays because .*, got list$", s=[1.0, 2.0])


@pytest.mark.parametrize("name", WITH_MATRIX)
def test_a_matrix_of_another_arithmetic(name):
    mixed = r"^arrays: expected arrays of one arithmetic because .*, got "
    refused(name, TypeError, mixed + "numpy float64 and numpy float32$", M=H.astype(np.float32))
    refused(name, TypeError, mixed + "numpy float64 and exact Fraction$", M=rational(H.tolist()))
    exact = rational([1, 2])
    refused(name, TypeError, mixed + "exact Fraction and numpy float64$", s=exact, y=-exact)
    refused(name, TypeError, r"^arrays: expected arrays because .*, got list$", M=H.tolist())


@pytest.mark.parametrize("name", WITH_MATRIX)
def test_matrices_that_are_not_symmetric_positive_definite(name):
    letter = "B" if name == "powell_on_B" else "H"
    refused(name, ValueError, rf"^{letter}: expected shape \(2, 2\) because .*, got \(3, 3\)$", M=np.eye(3))
    refused(name, ValueError, rf"^{letter}: expected shape \(2, 2\) because .*, got \(2, 3\)$", M=np.ones((2, 3)))
    refused(name, ValueError, rf"^{letter}: expected shape \(2, 2\) because .*, got \(2,\)$", M=np.ones(2))
    refused(name, ValueError, rf"^{letter}: expected finite numbers because ", M=np.array([[1, np.nan], [np.nan, 1]]))
    refused(name, ValueError, rf"^{letter}: expected finite numbers because ", M=np.array([[np.inf, 0], [0, 1]]))
    refused(name, ValueError, rf"^{letter}: expected a symmetric matrix because ", M=np.array([[1, 0.25], [0, 1]]))
    for bad in ([[1.0, 2.0], [2.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]):
        refused(name, ValueError, rf"^{letter}: expected a positive definite matrix because ", M=np.array(bad))
        refused(name, ValueError, rf"^{letter}: expected a positive definite matrix because ",
                s=rational([1, 2]), y=rational([-1, 1]), M=rational([[F(v) for v in row] for row in bad]))
    refused(name, ValueError, rf"^{letter}: expected a symmetric matrix because ",
            s=rational([1, 2]), y=rational([-1, 1]), M=rational([[1, TINY], [0, 1]]))


INF, NAN = float("inf"), float("nan")
OUT_OF_RANGE = [
    *((name, 0, "mu", bad, r"a number in \(0, 1\)") for name in ("powell_on_B", "powell_on_H")
      for bad in (0, 1, -0.2, F(6, 5), NAN, INF, -INF)),
    *((name, 0, "mu1", bad, r"a number in \(0, 1\)") for name in ("double_damping", "dp_dlm", "dpi_dlm")
      for bad in (0, 1, -0.2, F(6, 5), NAN, INF, -INF)),
    *((name, 1, mu, bad, r"a number in \(0, 1\]") for name, mu in (("powell_identity", "mu"), ("double_damping", "mu2"))
      for bad in (0, -0.2, 1 + TINY, 2, NAN, INF, -INF)),
    *((name, 2, "mu2", bad, "a positive number") for name in ("dp_dlm", "dpi_dlm")
      for bad in (0, -0.2, NAN, INF, -INF, np.float32(np.nan))),
]


@pytest.mark.parametrize(("name", "position", "mu", "bad", "what"), OUT_OF_RANGE)
def test_numbers_out_of_range(name, position, mu, bad, what):
    mus = list(MUS)
    mus[position] = bad
    refused(name, ValueError, rf"^{mu}: expected {what} because .*, got {bad}$", mus=mus)
