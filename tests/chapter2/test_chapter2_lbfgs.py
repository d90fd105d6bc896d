"""L-BFGS in the compact form of Section 2.3: the two-loop recursion and the dense recursion (2.12), exactly over ℚ."""

from fractions import Fraction as F

import flint
import numpy as np
import pytest
import twins
from bridge import array, fmpq, lists, rationals
from hypothesis import given, settings
from hypothesis import strategies as st
from stepgauge.arrays import cast
from stepgauge.reference.parts import lbfgs

ZERO = array([F(0)])


def pairs_of(rng, n, count):
    """Pairs (s, y) with sᵀy > 0, as lists of Fractions: y = s scaled, plus a little that is not a multiple of s."""
    found = []
    while len(found) < count:
        s, y = (list(rationals(rng, n, largest=5, denominators=(1, 2, 3, 5))) for _ in range(2))
        if twins.dot(s, y) > 0:
            found.append((s, y))
    return found


def filled(pairs, n, p, like=ZERO):
    """A Memory that has seen the pairs in order."""
    memory = lbfgs.empty(n, p, like)
    for s, y in pairs:
        memory = lbfgs.updated(memory, array(s), array(y))
    return memory


CASES = [(1, 1, 1), (2, 3, 1), (3, 2, 5), (4, 4, 4), (3, 7, 2), (2, 6, 4), (5, 9, 3), (3, 0, 2)]


@pytest.mark.parametrize(("n", "count", "p"), CASES)
def test_compact_two_loops_and_dense_are_one_matrix(n, count, p):
    """Empty memory, one pair, memory just full, memory that has rolled over, more pairs than dimensions."""
    rng = np.random.default_rng(100 * n + 10 * count + p)
    pairs = pairs_of(rng, n, count)
    memory = filled(pairs, n, p)
    kept = pairs[-p:] if pairs else []
    assert (lists(memory.S.T), lists(memory.Y.T)) == ([s for s, _ in kept], [y for _, y in kept])
    H = twins.dense_lbfgs(kept, n, F(1))
    for columns in (1, 2, n + 3):
        X = rationals(rng, n, columns)
        assert lists(memory @ X) == twins.matmul(H, lists(X))
        for column in X.T:
            assert lists(memory @ column) == twins.two_loops(kept, lists(column)) == twins.matvec(H, lists(column))


@pytest.mark.parametrize("count", range(1, 7))
def test_the_memory_with_all_pairs_is_the_bfgs_matrix(count):
    """`updated` on a matrix and on a Memory long enough: one inverse Hessian."""
    rng = np.random.default_rng(count)
    pairs = pairs_of(rng, 4, count)
    H = array(twins.identity(4, F(1)))
    for s, y in pairs:
        H = lbfgs.updated(H, array(s), array(y))
    assert lists(H) == twins.dense_lbfgs(pairs, 4, F(1)) == lists(filled(pairs, 4, count) @ array(twins.identity(4, F(1))))


def test_the_order_of_pairs_matters():
    """Newest last: two pairs exchanged give another matrix, and forgetting drops the first."""
    (s, y), (u, v) = pairs_of(np.random.default_rng(5), 3, 2)
    one = array(twins.identity(3, F(1)))
    assert lists(filled([(s, y), (u, v)], 3, 2) @ one) != lists(filled([(u, v), (s, y)], 3, 2) @ one)
    assert lists(filled([(s, y), (u, v)], 3, 1) @ one) == lists(filled([(u, v)], 3, 1) @ one)


small = st.fractions(-4, 4, max_denominator=5)


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(st.data())
def test_compact_is_two_loops_for_any_pairs(data):
    n, p = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    vectors = st.lists(small, min_size=n, max_size=n)
    drawn = data.draw(st.lists(st.tuples(vectors, vectors), max_size=6))
    pairs = [(s, y) for s, y in drawn if twins.dot(s, y) > 0]
    v = data.draw(vectors)
    assert lists(filled(pairs, n, p) @ array(v)) == twins.two_loops(pairs[-p:], v)


def test_the_secant_equation_holds_for_the_newest_pair():
    pairs = pairs_of(np.random.default_rng(8), 5, 4)
    memory = filled(pairs, 5, 3)
    assert lists(memory @ array(pairs[-1][1])) == pairs[-1][0]
    assert lists(memory @ array(pairs[-2][1])) != pairs[-2][0]


def test_a_pair_counts_by_its_direction_only():
    """(s, y) and (cs, cy) make the same update, so a Memory does not change when one pair is scaled."""
    pairs = pairs_of(np.random.default_rng(9), 3, 3)
    one = array(twins.identity(3, F(1)))
    scaled = [(twins.scale(c, s), twins.scale(c, y)) for c, (s, y) in zip((F(1, 7), F(-3), F(10**9)), pairs, strict=True)]
    assert lists(filled(scaled, 3, 3) @ one) == lists(filled(pairs, 3, 3) @ one)


def test_empty_memory_is_the_identity():
    for kind in ("fraction", "fmpq", "float32", "float64", "mpf"):
        X = cast(np.arange(6.0).reshape(3, 2), kind)
        memory = lbfgs.empty(3, 2, X)
        assert memory.S.shape == memory.Y.shape == (3, 0)
        assert lists(memory @ X) == lists(X)
        assert lists(memory @ X[:, 0]) == lists(X[:, 0])


@pytest.mark.parametrize("kind", ["fraction", "fmpq"])
def test_a_zero_pair_leaves_everything_as_it_is(kind):
    s, y = ([fmpq(1), fmpq(2)], [fmpq(1), fmpq(1)]) if kind == "fmpq" else ([F(1), F(2)], [F(1), F(1)])
    nothing = array([s[0] - s[0]] * 2)
    memory = lbfgs.updated(lbfgs.empty(2, 2, array(s)), array(s), array(y))
    assert lbfgs.updated(memory, nothing, nothing) is memory
    H = array(twins.identity(2, s[0] / s[0]))
    assert lbfgs.updated(H, nothing, nothing) is H


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_keep_their_type(dtype):
    s, y = (np.array(v, dtype) for v in ([1, 0.5], [0.5, 1]))
    memory = lbfgs.updated(lbfgs.empty(2, 1, s), s, y)
    assert memory.S.dtype == memory.Y.dtype == (memory @ s).dtype == (memory @ np.eye(2, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(6))
def test_floats_are_as_near_as_a_backward_stable_solve_allows(seed, dtype):
    """Well conditioned pairs: y = Bs with B near I, so that R is near a diagonal and every sum has terms of one size.

    The compact form has three products with inner dimension n or m, two triangular solves of size m, and sums: at most
    20(n + m) roundings in a chain, each relative to the sum of absolute values along it. Those sums are bounded here by
    ‖|X| + |S||R⁻ᵀ|(|D| + |Y|ᵀ|Y|)|R⁻¹||S|ᵀ|X| + …‖, evaluated exactly.
    """
    rng = np.random.default_rng(seed)
    n, m = 6, 4
    pairs = []
    for _ in range(m):
        s = rationals(rng, n, largest=16, denominators=(16,))
        s[rng.integers(n)] += 2
        y = s + rationals(rng, n, largest=2, denominators=(64,))
        pairs.append((list(s), list(y)))
    v = list(rationals(rng, n, largest=16, denominators=(16,)))
    exact = twins.two_loops(pairs, v)
    S, Y = (twins.transpose([pair[i] for pair in pairs]) for i in range(2))
    R = [[twins.dot(s, y) if i <= j else F(0) for j, (_, y) in enumerate(pairs)] for i, (s, _) in enumerate(pairs)]
    size = magnitude(S, Y, R, v)
    memory = lbfgs.empty(n, m, np.zeros(1, dtype))
    for s, y in pairs:
        memory = lbfgs.updated(memory, *(np.array([float(a) for a in w], dtype) for w in (s, y)))
    got = memory @ np.array([float(a) for a in v], dtype)
    unit = F(float(np.finfo(dtype).eps)) / 2
    assert max(abs(F(float(a)) - b) for a, b in zip(got, exact, strict=True)) <= 20 * (n + m) * unit * size


def magnitude(S, Y, R, v):
    """The largest sum of absolute values in the compact form applied to v."""
    def sizes(M):
        return twins.each(abs, M)

    R_inv, St, Yt = sizes(twins.inverse(R)), sizes(twins.transpose(S)), sizes(twins.transpose(Y))
    v = sizes(v)
    D = [[abs(R[i][j]) if i == j else F(0) for j in range(len(R))] for i in range(len(R))]
    middle = twins.add(D, twins.matmul(Yt, sizes(Y)))
    RSv, condition = twins.matvec(R_inv, twins.matvec(St, v)), twins.matmul(R_inv, sizes(R))
    RSv = twins.matvec(condition, RSv)
    top = twins.matvec(twins.transpose(R_inv), twins.add(twins.matvec(middle, RSv), twins.matvec(Yt, v)))
    top = twins.matvec(twins.transpose(condition), top)
    return max(twins.add(v, twins.add(twins.matvec(sizes(S), top), twins.matvec(sizes(Y), RSv))))


@pytest.mark.parametrize("p", [0, -1, 1.0, "2", None])
def test_a_memory_counts_pairs(p):
    with pytest.raises(ValueError, match=r"^p: expected a positive integer because it counts pairs, got "):
        lbfgs.empty(2, p, ZERO)


@pytest.mark.parametrize("memory", [False, True])
def test_a_pair_of_negative_curvature_is_refused(memory):
    H = lbfgs.empty(2, 2, ZERO) if memory else array(twins.identity(2, F(1)))
    with pytest.raises(ValueError, match=r"^s, y: expected sᵀy > 0 because .*got sᵀy = -1/9$"):
        lbfgs.updated(H, array([F(1), F(0)]), array([F(-1, 9), F(0)]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_pair_fades_where_its_curvature_is_no_normal_number(dtype):
    """At twice the smallest normal number sᵀy still counts; there and below, H stays."""
    smallest = np.finfo(dtype).smallest_normal
    H, y = np.eye(2, dtype=dtype), np.array([1, 0], dtype)
    for times, counts in ((4, True), (2, True), (1, False), (0.25, False), (0, False)):
        s = np.array([times * smallest, 0], dtype)
        new = lbfgs.updated(H, s, y)
        assert (new is not H) == counts
        assert np.isfinite(new).all()


def test_arithmetics_are_not_mixed():
    memory = filled([([F(1)], [F(2)])], 1, 1)
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic"):
        memory @ np.ones((1, 1))
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic"):
        lbfgs.updated(memory, array([fmpq(1)]), array([fmpq(1)]))


def test_fmpq_and_fractions_agree():
    """The two exact arithmetics give one answer, so that either may stand for ℚ in this folder."""
    pairs = pairs_of(np.random.default_rng(12), 3, 4)
    v = [F(1), F(2, 3), F(-1, 5)]
    fast = lbfgs.empty(3, 2, array([flint.fmpq(0)]))
    for s, y in pairs:
        fast = lbfgs.updated(fast, cast(array(s), "fmpq"), cast(array(y), "fmpq"))
    assert lists(cast(fast @ cast(array(v), "fmpq"), "fraction")) == lists(filled(pairs, 3, 2) @ array(v))
