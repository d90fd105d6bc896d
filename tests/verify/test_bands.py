"""Bands against mpmath at 300 bits: every rule holds for float programs and for erring inputs, and none is much too wide."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepgauge import arrays
from stepgauge.arrays import precision
from stepgauge.reference.parts import roots
from stepgauge.verify.bands import BITS, MOST_PATHS, Banded, Bands, Mask, Paths, every_path

REAL = mpmath.MPContext()
REAL.prec = 300

SLACK = 1 + 1e-12
"""Bounds are kept in float64: what is reached exactly may exceed one by a few roundings."""


@pytest.fixture(autouse=True)
def _precision():
    with arrays.precision(BITS):
        yield


@pytest.fixture(params=["float64", "float32"])
def space(request):
    return Bands(request.param, Paths())


def dtype_of(space):
    return np.dtype(space.name.split()[-1])


def real(x):
    """Floats, or the centres of a Banded array, as mpmath numbers."""
    if isinstance(x, Banded):
        def exactly(t):
            man, exponent = t.mid().man_exp()
            return REAL.mpf(int(man)) * REAL.mpf(2) ** int(exponent)
        x = np.asarray(x.v, dtype=object)
        return np.asarray(np.frompyfunc(exactly, 1, 1)(x), dtype=object)
    return np.asarray(np.frompyfunc(lambda t: REAL.mpf(float(t)), 1, 1)(np.asarray(x)), dtype=object)


def entrywise(function):
    return lambda x: np.asarray(np.frompyfunc(function, 1, 1)(x), dtype=object)


def size(x):
    return np.asarray(np.abs(np.asarray(x, dtype=object)), dtype=object).astype(np.float64)


def holds(banded, got):
    """Is a float result (or an exact one) within the bands, as `replay.compare` counts it?"""
    got = real(got) if np.asarray(got).dtype != object else np.asarray(got, dtype=object)
    assert got.shape == banded.shape
    off = size(got - real(banded))
    floor = np.where((banded.e > 0) | (banded.size > 0), 8 * banded.space.smallest, 0)
    return bool((off <= banded.e + floor).all())


def kinds(space, *shape):
    """Inputs of every kind, exactly as a candidate of this dtype would get them."""
    rng = np.random.default_rng(math.prod(shape) + 1)
    dtype = dtype_of(space)
    normal = rng.standard_normal(shape).astype(dtype)
    huge, tiny = (1e150, 1e-160) if dtype == np.float64 else (1e18, 1e-20)
    spread = (normal * 10.0 ** rng.uniform(-6, 6, shape)).astype(dtype)
    holes = np.where(rng.random(shape) < 0.4, 0, normal).astype(dtype)
    return {"random": normal, "huge": (normal * huge).astype(dtype), "tiny": (normal * tiny).astype(dtype), "spread": spread,
            "zeros": np.zeros(shape, dtype), "holes": holes}


def neighbours(x):
    """Numbers that cancel x up to its last bits, and some that cancel it exactly."""
    rng = np.random.default_rng(5)
    return -np.where(rng.random(x.shape) < 0.3, x, np.nextafter(x * x.dtype.type(1.000001), x.dtype.type(0)))


def fsum(terms, dtype):
    return dtype.type(math.fsum(map(float, terms)))


BINARY = {
    "add": (lambda x, y: x + y, [lambda x, y: y + x, lambda x, y: x - (-y), lambda x, y: -(-x - y)]),
    "subtract": (lambda x, y: x - y, [lambda x, y: x + -y, lambda x, y: -(y - x)]),
    "multiply": (lambda x, y: x * y, [lambda x, y: y * x, lambda x, y: -(x * -y), lambda x, y: x * (y / 4) * 4]),
    "divide": (lambda x, y: x / y, [lambda x, y: -x / -y, lambda x, y: (x * 2) / (y * 2)]),
}


@pytest.mark.parametrize("name", BINARY)
def test_one_rounding_for_an_operation_on_exact_numbers(space, name):
    rule, programs = BINARY[name]
    for kind, x in kinds(space, 40).items():
        for y in (neighbours(x), np.roll(x, 1)):
            y = np.where(y == 0, y.dtype.type(3), y) if name == "divide" else y
            z = rule(space.asarray(x), space.asarray(y))
            truth = rule(real(x), real(y))
            assert (size(real(z) - truth) <= 1e-40 * size(truth)).all(), kind
            with np.errstate(under="ignore"):
                for program in (rule, *programs):
                    got = program(x, y)
                    assert got.dtype == x.dtype
                    assert holds(z, got), kind
            underflow = np.where(size(truth) < space.smallest / space.u, space.smallest, 0)
            assert (z.e <= space.u * size(truth) * 1.001 + underflow).all(), kind
            assert (z.e[np.asarray(truth == 0, dtype=bool)] == 0).all(), kind


def test_a_product_that_falls_below_the_normal_numbers_has_the_smallest_of_them_as_band(space):
    x = space.asarray([dtype_of(space).type(space.smallest * 2**10)])
    assert (x * space.asarray([2.0**-30])).e == space.smallest + space.u * space.smallest * 2.0**-20
    assert (x / space.asarray([2.0**30])).e == space.smallest + space.u * space.smallest * 2.0**-20
    assert (x * space.asarray([0.0])).e == 0
    got = (np.array([space.smallest * 2**10], dtype_of(space)) * dtype_of(space).type(2.0**-40)).astype(dtype_of(space))
    assert holds(x * space.asarray([2.0**-40]), got)


@pytest.mark.parametrize("name", BINARY)
def test_errors_of_the_inputs_are_carried_and_no_more(space, name):
    rule, _ = BINARY[name]
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(30), rng.uniform(0.5, 2, 30) * rng.choice([-1, 1], 30)
    for share in (1e-4, 0.3):
        e_x, e_y = share * np.abs(x), share * np.abs(y)
        e_x[:5], e_y[5:10] = 0, 0
        z = rule(Banded(space.asarray(x).v, e_x, space), Banded(space.asarray(y).v, e_y, space))
        reached = np.zeros(30)
        for a, b in itertools.product((-1, 1, 0.4), repeat=2):
            moved = rule(real(x) + a * real(e_x), real(y) + b * real(e_y))
            assert (size(moved - real(z)) <= z.e * SLACK).all()
            reached = np.maximum(reached, size(moved - real(z)))
        rounding = space.u * z.size
        assert (z.e - rounding <= 1.001 * reached).all()


def test_entries_can_be_set(space):
    """Values and errors alike, and those of an array that is the source stay what they are."""
    x = space.zeros((2, 3))
    y = Banded(space.asarray(np.array([1.0, 2])).v, np.array([0.5, 0.25]), space)
    x[:, 1] = y
    x[1, 0:2] += y
    assert x.v.astype(float).tolist() == [[0, 1, 0], [1, 4, 0]]
    assert x.e.tolist() == [[0, 0.5, 0], [0.5 + space.u, 0.5 + 4 * space.u, 0]]
    x[...] = space.zeros((2, 3))
    assert y.v.astype(float).tolist() == [1, 2]
    assert y.e.tolist() == [0.5, 0.25]


@pytest.mark.parametrize("value", [3, -1, 0, 0.1, -2.5, Fraction(1, 3), Fraction(-7, 10**9)])
def test_constants(space, value):
    c = space.const(value)
    exactly = REAL.mpf(Fraction(value).numerator) / Fraction(value).denominator
    assert size(real(c) - exactly) <= 1e-50 * abs(float(exactly))
    assert c.e == (0 if isinstance(value, int) else space.u * abs(float(value)))
    assert holds(c, dtype_of(space).type(float(value)))
    assert space.const(c) is c


def test_constants_on_either_side_of_an_operator(space):
    dtype = dtype_of(space)
    x = np.array([1.25, -3.0, 0.0078125], dtype)
    for rule in (lambda t, c: t + c, lambda t, c: c + t, lambda t, c: t - c, lambda t, c: c - t, lambda t, c: t * c,
                 lambda t, c: c * t, lambda t, c: t / c, lambda t, c: c / t):
        for c in (0.3, 2, Fraction(1, 7)):
            z = rule(space.asarray(x), c)
            assert holds(z, rule(x, dtype.type(float(c))))
            assert size(real(z) - rule(real(x), REAL.mpf(Fraction(c).numerator) / Fraction(c).denominator)).max() <= 1e-30
            assert (z.e <= 3 * space.u * (z.size + abs(float(c)))).all()


def test_signs_are_free(space):
    x = Banded(space.asarray([1.0, -2.0, 0.0]).v, [0.5, 0.25, 0.0], space)
    assert (-x).v.tolist() == [-1, 2, 0]
    assert abs(x).v.tolist() == space.abs(x).v.tolist() == [1, 2, 0]
    for y in (-x, abs(x), space.abs(x)):
        assert y.e.tolist() == [0.5, 0.25, 0.0]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
def test_powers_are_repeated_products(space, n):
    dtype = dtype_of(space)
    for kind in ("random", "spread", "holes"):
        x = np.clip(kinds(space, 30)[kind], -1e4, 1e4)
        z = space.asarray(x) ** n
        repeated = np.ones_like(x)
        with np.errstate(under="ignore"):
            for _ in range(n):
                repeated = repeated * x
            assert holds(z, repeated)
            assert holds(z, x**n)
        assert (size(real(z) - real(x) ** n) <= 1e-40 * z.size).all()
        assert (z.e <= n * space.u * z.size * 1.001 + n * space.smallest).all()
    assert dtype == x.dtype


def test_a_negative_power_is_refused(space):
    with pytest.raises(ValueError, match="exponent: expected an integer >= 0"):
        space.ones(2) ** -1


def _in_turn(terms):
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _pairwise(terms):
    return terms[0] if len(terms) == 1 else _pairwise(terms[: len(terms) // 2]) + _pairwise(terms[len(terms) // 2:])


SHAPES = [((6, 9), (9, 4)), ((9,), (9,)), ((5, 9), (9,)), ((9,), (9, 5)), ((3, 1), (1, 4)), ((2, 3, 4), (4, 2))]


@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_matrix_products_in_every_order_of_summation(space, left, right):
    dtype = dtype_of(space)
    for (kind, A), B in zip(kinds(space, *left).items(), kinds(space, *right).values(), strict=True):
        if kind == "random" and A.shape[-1] > 1:
            A[..., 1::2] = A[..., :-1:2]                                   # cancels: half of the terms are minus the others
            B = np.array(B)
            B[1::2] = -B[:-1:2] * dtype.type(1 + 1e-3)
        Z = space.asarray(A) @ space.asarray(B)
        with np.errstate(under="ignore"):
            terms = [np.multiply.outer(A[..., k], B[k]) for k in range(A.shape[-1])]
            programs = [A @ B, np.tensordot(A, B, axes=1), _in_turn(terms), _in_turn(terms[::-1]), _pairwise(terms)]
        for got in programs:
            assert holds(Z, np.asarray(got, dtype)), kind
        n = A.shape[-1]
        magnitude = np.abs(A.astype(np.float64)) @ np.abs(B.astype(np.float64))
        assert (Z.e <= 1.001 * n * space.u * magnitude).all(), kind
        assert (Z.e[magnitude == 0] == 0).all(), kind
        truth = np.tensordot(real(A), real(B), axes=1)
        assert (size(real(Z) - truth) <= 1e-40 * magnitude).all(), kind


def test_matrix_products_carry_the_errors_of_their_factors(space):
    rng = np.random.default_rng(2)
    A, B = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    e_A, e_B = 1e-3 * rng.random((3, 4)), 1e-3 * rng.random((4, 2))
    Z = Banded(space.asarray(A).v, e_A, space) @ Banded(space.asarray(B).v, e_B, space)
    for i, j in np.ndindex(3, 2):
        factors = zip(np.abs(A[i]), e_A[i], np.abs(B[:, j]), e_B[:, j], strict=True)
        reached = sum((a + d) * (b + c) - a * b for a, d, b, c in factors)       # every factor at its far end
        rounding = 1.001 * 4 * space.u * (np.abs(A[i]) @ np.abs(B[:, j]))
        assert reached * (1 - 1e-9) <= Z.e[i, j] <= reached * (1 + 1e-9) + rounding


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_in_every_order(space, axis, keepdims):
    dtype = dtype_of(space)
    for kind, x in kinds(space, 6, 7).items():
        x = np.concatenate([x, neighbours(x)])
        z = space.sum(space.asarray(x), axis=axis, keepdims=keepdims)
        lines = x.reshape(1, -1) if axis is None else np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
        with np.errstate(under="ignore"):
            programs = [np.sum(x, axis=axis), np.array([_in_turn(list(t)) for t in lines]),
                        np.array([_in_turn(list(t[::-1])) for t in lines]), np.array([_pairwise(list(t)) for t in lines]),
                        np.array([fsum(t, dtype) for t in lines])]
        for got in programs:
            assert holds(z, np.asarray(got, dtype).reshape(z.shape)), kind
        magnitude = np.abs(lines.astype(np.float64)).sum(axis=1).reshape(z.shape)
        assert (z.e <= 1.001 * (lines.shape[1] - 1) * space.u * magnitude).all(), kind
        assert (z.e[magnitude == 0] == 0).all(), kind
    shifted = Banded(space.asarray([[1.0, -1.0]]).v, [[0.25, 0.5]], space)
    assert space.sum(shifted, axis=1).e[0] == 0.75 + 2 * space.u
    assert space.sum(shifted, axis=0).e.tolist() == [0.25, 0.5]


def test_the_maximum_of_banded_numbers(space):
    x = Banded(space.asarray([[1.0, 3.0, 2.9], [-1.0, -5.0, -1.0]]).v, [[0, 0.1, 0.3], [0, 0.25, 0]], space)
    assert space.max(x, axis=1).v.tolist() == [3, -1]
    assert space.max(x, axis=1).e.tolist() == [0.3, 0.25]
    assert space.max(x, axis=-1, keepdims=True).shape == (2, 1)
    assert (space.max(x).v.item(), space.max(x).e.item()) == (3, 0.3)


def test_square_roots(space):
    for kind, x in kinds(space, 50).items():
        x = np.abs(x)
        z = space.sqrt(space.asarray(x))
        assert holds(z, np.sqrt(x)), kind
        assert (z.e <= 1.001 * space.u * z.size).all(), kind
        assert (z.e[x == 0] == 0).all(), kind
        assert (size(real(z) - entrywise(REAL.sqrt)(real(x))) <= 1e-40 * z.size).all(), kind


def test_square_roots_of_erring_numbers_are_the_interval_cut_at_zero(space):
    v = np.array([4.0, 4.0, 1.0, 1e-12, 0.0, 0.0, 1.0])
    e = np.array([1.0, 4.0, 1e-10, 1.0, 1e-8, 0.0, 9.0])
    z = space.sqrt(Banded(space.asarray(v).v, e, space))
    for share in (-1, -0.999, -0.5, 0, 0.5, 1):
        moved = entrywise(lambda t: REAL.sqrt(max(t, 0)))(real(v) + share * real(e))
        assert (size(moved - real(z)) <= z.e * SLACK).all()
    reached = [max(math.sqrt(c) - math.sqrt(max(c - d, 0)), math.sqrt(c + d) - math.sqrt(c)) for c, d in zip(v, e, strict=True)]
    assert (z.e <= np.array(reached) * (1 + 1e-5) + 2 * space.u * z.size).all()
    assert z.e[5] == 0


@pytest.mark.parametrize("k", [3, 4, 7])
def test_higher_roots_of_erring_numbers_are_the_interval_cut_at_zero(space, k):
    v = np.array([4.0, 4.0, 1.0, 1e-12, 0.0, 0.0, 1.0])
    e = np.array([1.0, 4.0, 1e-10, 1.0, 1e-8, 0.0, 9.0])
    z = space.root(Banded(space.asarray(v).v, e, space), k)
    root = entrywise(lambda t: REAL.root(max(t, 0), k))
    reached = np.max([size(root(real(v) + share * real(e)) - real(z)) for share in (-1, -0.5, 0, 0.5, 1)], axis=0)
    assert (reached <= z.e * SLACK).all()
    logs = np.abs(np.log(np.where(v > 0, v, 1)))
    assert (z.e <= 1.001 * (reached + (4 + logs) * space.u * z.size)).all()
    assert z.e[5] == 0


UNARY = {
    "exp": (REAL.exp, [np.exp, lambda x: 1 / np.exp(-x), lambda x: np.expm1(x) + 1], 8, lambda z: z + 1),
    "expm1": (REAL.expm1, [np.expm1, lambda x: np.exp(x) - 1], 8, lambda z: z + 1),
    "tanh": (REAL.tanh, [np.tanh, lambda x: -np.tanh(-x)], 8, lambda z: z),
    "logistic": (lambda t: 1 / (1 + REAL.exp(-t)),
                 [lambda x: 1 / (1 + np.exp(-x)), lambda x: (1 + np.tanh(x / 2)) / 2, lambda x: np.exp(x) / (1 + np.exp(x)),
                  lambda x: np.where(x > 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))],
                 4, np.ones_like),
    "softplus": (lambda t: REAL.log1p(REAL.exp(t)),
                 [lambda x: np.log(1 + np.exp(x)), lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
                  lambda x: np.logaddexp(x.dtype.type(0), x)], 4, lambda z: 1 + z),
}


@pytest.mark.parametrize("name", UNARY)
def test_functions_in_the_forms_that_are_in_use(space, name):
    truth, programs, ulps, scale = UNARY[name]
    rng = np.random.default_rng(3)
    for width in (1e-3, 1, 6, 40):
        x = np.concatenate([width * rng.standard_normal(200), [0.0]]).clip(-80, 80).astype(dtype_of(space))
        z = getattr(space, name)(space.asarray(x))
        for program in programs:
            assert holds(z, program(x))
        assert (size(real(z) - entrywise(truth)(real(x))) <= 1e-40 * (1 + z.size)).all()
        assert (z.e <= 1.001 * 2 * ulps * space.u * scale(z.size) + space.smallest).all()


def test_functions_of_large_numbers_neither_overflow_nor_widen(space):
    x = space.asarray([-1e4, -800.0, 800.0, 1e4])
    assert space.logistic(x).v.astype(float).tolist() == [0, 0, 1, 1]
    assert space.softplus(x).v.astype(float).tolist() == [0, 0, 800, 1e4]
    assert space.tanh(x).v.astype(float).tolist() == [-1, -1, 1, 1]
    for z in (space.logistic(x), space.softplus(x), space.tanh(x)):
        assert (z.e <= 8.001 * space.u * (1 + z.size)).all()
    assert (space.exp(x[:2]).size <= 5e-324).all()


def test_logarithms(space):
    rng = np.random.default_rng(4)
    x = np.exp(rng.uniform(-30, 30, 300)).astype(dtype_of(space))
    z = space.log(space.asarray(x))
    assert holds(z, np.log(x))
    assert (z.e <= 8.001 * space.u * z.size).all()
    assert (size(real(z) - entrywise(REAL.log)(real(x))) <= 1e-40).all()


@pytest.mark.parametrize("name", ["exp", "expm1", "tanh", "logistic", "softplus", "log"])
def test_functions_carry_the_largest_slope_of_the_interval(space, name):
    truth = UNARY[name][0] if name in UNARY else REAL.log
    v = np.array([0.5, 1.0, 2.0, 5.0, 20.0]) if name == "log" else np.array([-3.0, -0.2, 0.0, 0.7, 4.0])
    for e in (1e-5, 0.05, 0.4):
        z = getattr(space, name)(Banded(space.asarray(v).v, np.full(5, e), space))
        reached = np.zeros(5)
        for share in (-1, -0.5, 0.5, 1):
            moved = entrywise(truth)(real(v + share * e))
            assert (size(moved - real(z)) <= z.e * SLACK).all()
            reached = np.maximum(reached, size(moved - real(z)))
        flat = {"logistic": e / 4, "softplus": e}.get(name, 3 * reached)         # these two take the largest slope there is
        assert (z.e <= SLACK * flat + 20 * space.u * (1 + z.size)).all()
    far = getattr(space, name)(Banded(space.asarray([40.0]).v, [0.5], space))
    assert far.e[0] <= {"tanh": 20 * space.u, "log": 0.5 / 39.5 + 40 * space.u}.get(name, np.inf)


def test_the_logarithm_of_what_may_be_zero_is_unknown(space):
    z = space.log(Banded(space.asarray([1.0, 1.0, 1.0]).v, [0.999, 1.0, 2.0], space))
    assert np.isinf(z.e).tolist() == [False, True, True]


def _softmax(x):
    z = np.exp(x - x.max(axis=-1, keepdims=True))
    return z / z.sum(axis=-1, keepdims=True)


def _logsumexp(x):
    top = x.max(axis=-1, keepdims=True)
    return (top + np.log(np.exp(x - top).sum(axis=-1, keepdims=True)))[..., 0]


@pytest.mark.parametrize("m", [1, 2, 3, 10])
@pytest.mark.parametrize("width", [0.1, 1, 10, 300])
def test_softmax_and_logsumexp_in_the_forms_that_are_in_use(space, m, width):
    rng = np.random.default_rng(m)
    x = (width * rng.standard_normal((60, m))).astype(dtype_of(space))
    z, total = space.softmax(space.asarray(x)), space.logsumexp(space.asarray(x))
    programs = [_softmax, lambda x: np.exp(x - _logsumexp(x)[:, None]),
                lambda x: _softmax(x[:, ::-1])[:, ::-1], lambda x: np.exp(x) / np.exp(x).sum(axis=1)[:, None]]
    for program in programs[: 4 if width <= 10 else 3]:
        with np.errstate(under="ignore"):
            assert holds(z, program(x))
    assert holds(total, _logsumexp(x))
    assert holds(total, np.logaddexp.reduce(x, axis=1))
    powers = entrywise(REAL.exp)(real(x))
    sums = powers.sum(axis=1)
    assert (size(real(z) - powers / sums[:, None]) <= 1e-40).all()
    assert (size(real(total) - entrywise(REAL.log)(sums)) <= 1e-40 * (1 + width)).all()
    largest = np.abs(x.astype(np.float64)).max(axis=1)
    assert (z.e <= (m + 18 + 8 * largest[:, None]) * space.u * z.size + space.smallest).all()
    assert (total.e <= (m + 4.01) * space.u * (1 + largest)).all()


def test_softmax_carries_errors_of_its_inputs_but_not_a_common_shift(space):
    rng = np.random.default_rng(6)
    for width, error in itertools.product((0.5, 3, 30), (1e-4, 0.5, 3.0)):
        x = width * rng.standard_normal((20, 4))
        e = error * rng.random((20, 4))
        z, total = (f(Banded(space.asarray(x).v, e, space)) for f in (space.softmax, space.logsumexp))
        for _ in range(20):
            moved = real(x) + real(e * rng.choice([-1, 1, 0.3], e.shape))
            powers = entrywise(REAL.exp)(moved)
            assert (size(powers / powers.sum(axis=1)[:, None] - real(z)) <= z.e).all()
            assert (size(entrywise(REAL.log)(powers.sum(axis=1)) - real(total)) <= total.e).all()
        assert (z.e <= 1 + 100 * space.u * (1 + width * 10)).all()
    sure = space.softmax(Banded(space.asarray([[50.0, 0.0]]).v, [[1e-3, 1e-3]], space))
    assert sure.e[0, 1] <= 1e-2 * sure.size[0, 1]


def _matrices(space, n):
    rng = np.random.default_rng(n)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    dtype = dtype_of(space)
    wide = 6 if dtype == np.float64 else 2
    return {"random": rng.standard_normal((n, n)).astype(dtype), "definite": (Q * np.logspace(0, 1, n) @ Q.T).astype(dtype),
            "ill": (Q * np.logspace(0, wide, n) @ Q.T).astype(dtype), "diagonal": np.diag(rng.random(n) + 0.5).astype(dtype),
            "triangular": (np.tril(rng.standard_normal((n, n))) + 3 * np.eye(n)).astype(dtype)}


def _gauss_jordan(A, B):
    A, B = np.array(A), np.array(B)
    for j in range(len(A)):
        pivot = j + int(np.argmax(np.abs(A[j:, j])))
        A[[j, pivot]], B[[j, pivot]] = A[[pivot, j]], B[[pivot, j]]
        B[j], A[j] = B[j] / A[j, j], A[j] / A[j, j]
        for i in range(len(A)):
            if i != j:
                B[i], A[i] = B[i] - A[i, j] * B[j], A[i] - A[i, j] * A[j]
    return B


def _by_eigenvalues(A):
    w, Q = np.linalg.eigh(A)
    return Q / w @ Q.T


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_inverses_and_solutions_by_several_algorithms(space, n):
    dtype = dtype_of(space)
    rng = np.random.default_rng(n)
    eye, b, B = np.eye(n, dtype=dtype), rng.standard_normal(n).astype(dtype), rng.standard_normal((n, 3)).astype(dtype)
    for kind, A in _matrices(space, n).items():
        X, x, Y = space.inv(space.asarray(A)), space.solve(space.asarray(A), space.asarray(b)), \
            space.solve(space.asarray(A), space.asarray(B))
        inverses = [np.linalg.inv(A), np.linalg.solve(A, eye), _gauss_jordan(A, eye)]
        if kind in ("definite", "ill"):
            symmetric = ((A + A.T) / 2).astype(dtype)
            S = space.inv(space.asarray(symmetric))
            C = np.linalg.inv(np.linalg.cholesky(symmetric))
            for got in (_by_eigenvalues(symmetric), C.T @ C, np.linalg.inv(symmetric)):
                assert holds(S, got), kind
        for got in inverses:
            assert holds(X, got), kind
        for got in (np.linalg.solve(A, b), _gauss_jordan(A, b[:, None])[:, 0]):
            assert holds(x, got), kind
        for got in (np.linalg.solve(A, B), _gauss_jordan(A, B)):
            assert holds(Y, got), kind
        norms = np.linalg.norm(A.astype(np.float64)), np.linalg.norm(X.size)
        assert (X.e <= 3.001 * n * space.u * norms[0] * norms[1] ** 2).all(), kind
        assert (x.e <= 3.001 * n * space.u * norms[0] * norms[1] * np.linalg.norm(x.size)).all(), kind
        residual = np.tensordot(real(A), real(X), axes=1) - real(np.eye(n))
        assert size(residual).max() <= 1e-40 * norms[0] * norms[1], kind


def test_inverses_carry_errors_beyond_first_order(space):
    rng = np.random.default_rng(8)
    A = 0.5 * rng.standard_normal((3, 3)) + 4 * np.eye(3)
    b = rng.standard_normal(3)
    X = np.linalg.inv(A)
    for share in (1e-6, 0.05):
        e_A, e_b = share * rng.random((3, 3)), share * rng.random(3)
        banded = Banded(space.asarray(A).v, e_A, space)
        Z, z = space.inv(banded), space.solve(banded, Banded(space.asarray(b).v, e_b, space))
        reached = np.zeros((3, 3))
        for i, j in np.ndindex(3, 3):
            E = -np.sign(np.outer(X[i], X[:, j])) * e_A
            moved = _gauss_jordan(real(A + E), real(np.eye(3)))
            assert (size(moved - real(Z)) <= Z.e * SLACK).all()
            assert (size(_gauss_jordan(real(A + E), real(b + e_b)[:, None])[:, 0] - real(z)) <= z.e * SLACK).all()
            reached[i, j] = size(moved - real(Z))[i, j]
        stable = 9.01 * space.u * np.linalg.norm(A) * np.linalg.norm(X) ** 2
        assert (Z.e <= (1 + 20 * share) * reached + stable).all()
    for wide in (1.0, 5.0, np.inf):
        assert np.isinf(space.inv(Banded(space.asarray([[1.0]]).v, [[wide]], space)).e).all()
        assert np.isinf(space.solve(Banded(space.asarray([[1.0]]).v, [[wide]], space), space.ones(1)).e).all()
    assert space.inv(Banded(space.asarray([[1.0]]).v, [[0.9]], space)).e[0, 0] == pytest.approx(9.0, rel=1e-5, abs=0)


@pytest.mark.parametrize("p", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_inverse_roots_by_eigenvalues_and_by_iteration(space, n, p):
    """And no wider than A's condition makes them: n matrices' worth of 4n u κ/p, and rounding of the root, times ‖X‖."""
    dtype = dtype_of(space)
    rng = np.random.default_rng(n)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    A = (Q * np.linspace(0.5, 9, n) @ Q.T).astype(dtype)
    A = (A + A.T) / 2
    Z = space.inverse_root(space.asarray(A), p)
    X, power = real(Z), real(A)
    for _ in range(p):
        power = np.tensordot(X, power, axes=1)
    assert size(power - real(np.eye(n))).max() <= 2.0 ** -(BITS // 2)
    w, V = np.linalg.eigh(A)
    for got in ((V * w ** dtype.type(-1 / p)) @ V.T, roots.inverse_root(A, p)):
        assert holds(Z, np.asarray(got, dtype))
    w = w.astype(np.float64)
    most = 4 * n * n / p * w.max() / w.min() + 4 * n + np.abs(np.log(w)).max()
    assert (Z.e <= 1.001 * space.u * most * w.min() ** (-1 / p)).all()
    e = 1e-3 * (1 + np.eye(n))
    banded = space.inverse_root(Banded(space.asarray(A).v, e, space), p)
    for sign in (-1, 1):
        w, V = np.linalg.eigh(A.astype(np.float64) + sign * e)
        assert (np.abs((V * w ** (-1 / p)) @ V.T - real(Z).astype(np.float64)) <= banded.e).all()
    early = space.inverse_root(space.asarray(A), p, 0.125).e - Z.e
    assert early == pytest.approx(np.repeat(0.125 / p * Z.size.sum(axis=1, keepdims=True), n, axis=1), rel=1e-6, abs=0)


def test_inverse_roots_of_what_may_be_singular_are_unknown(space):
    for A, e in ((np.zeros((2, 2)), 0), (-np.eye(2), 0), (np.eye(2), 1.0)):
        assert np.isinf(space.inverse_root(Banded(space.asarray(A).v, np.full((2, 2), float(e)), space), 4).e).all()


def test_kronecker_products(space):
    rng = np.random.default_rng(9)
    A, B = rng.standard_normal((2, 3)).astype(dtype_of(space)), rng.standard_normal((4, 2)).astype(dtype_of(space))
    A[0, 0] = 0
    Z = space.kron(space.asarray(A), space.asarray(B))
    assert holds(Z, np.kron(A, B))
    assert (Z.e <= 1.001 * space.u * Z.size).all()
    assert (Z.e[:4, :2] == 0).all()


def test_what_straddles_zero_cannot_be_divided_by(space):
    y = Banded(space.asarray([1.0, 1.0, -1.0, 0.0, 0.0, 1.0]).v, [0.999, 1.0, 1.5, 0.0, 1.0, np.inf], space)
    z = space.ones(6) / y
    assert np.isinf(z.e).tolist() == [False, True, True, True, True, True]
    assert z.e[0] == pytest.approx(999, rel=1e-9, abs=0)
    assert (space.zeros(1) / y[:1]).e[0] == 0


def test_what_is_unknown_stays_unknown_and_is_never_nan(space):
    unknown = space.ones(2) / space.zeros(2)
    with np.errstate(all="raise"):
        for z in (unknown * space.zeros(2), space.zeros(2) * unknown, unknown**2, unknown + 1, 1 - unknown, unknown / 2,
                  unknown / unknown, unknown[None, :] @ space.zeros((2, 1)), space.sum(unknown), space.max(unknown),
                  space.where(space.zeros(2) < unknown, unknown, space.zeros(2)), space.logsumexp(unknown),
                  space.logistic(unknown), space.softplus(unknown), space.sqrt(unknown), abs(unknown)):
            assert np.isinf(z.e).all()
        assert (unknown < 5).open.all()
        assert (space.softmax(unknown).e >= 1).all()


def test_exact_zeros_stay_exact(space):
    zero, x, e = space.zeros(3), space.asarray([1.5, -2.0, 0.0]), Banded(space.ones(3).v, [0.5] * 3, space)
    for z in (
        zero + zero,
        zero - zero,
        zero * x,
        x * zero,
        zero * e,
        zero / e,
        zero**2,
        -zero,
        abs(zero),
        zero @ x,
        space.sqrt(zero),
        space.tanh(zero),
        space.sum(zero),
        space.max(zero),
        space.kron(zero[None, :], x[None, :]),
        x - x,
        space.zeros_like(x),
        zero[None, :] @ space.eye(3),
    ):
        assert (z.e == 0).all()
        assert (z.size == 0).all()


COMPARISONS = [("<", lambda x, y: x < y), ("<=", lambda x, y: x <= y), (">", lambda x, y: x > y), (">=", lambda x, y: x >= y)]


@pytest.mark.parametrize(("sign", "compare"), COMPARISONS)
def test_comparisons_are_open_where_the_bands_meet(space, sign, compare):
    v, e = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 0.0]), np.array([0, 0.5, 0.25, 0, 0.75, 0])
    mask = compare(
        Banded(space.asarray(v).v, e, space), Banded(space.asarray([1.0, 2, 1.5, 2, 1, 0]).v, [0, 0.5, 0.2, 0.5, 0, 0], space)
    )
    assert mask.open.tolist() == [False, True, False, False, False, False]
    assert mask.yes.tolist() == compare(v, np.array([1.0, 2, 1.5, 2, 1, 0])).tolist()


def test_bounds_that_touch_are_open(space):
    x = Banded(space.asarray([1.0]).v, [0.5], space)
    assert (x < 1.5).open[0]
    assert not (x < 1.500001).open[0] or dtype_of(space) == np.float32


def test_an_open_choice_is_the_hull_of_both_and_a_decided_one_is_not(space):
    h = Banded(space.asarray([2.0, 0.1, 0.0, -0.1, -2.0]).v, [0.5, 0.2, 0.0, 0.2, 0.5], space)
    yes, no = Banded(space.asarray([1.0] * 5).v, [0.1] * 5, space), Banded(space.asarray([-3.0] * 5).v, [0.3] * 5, space)
    z = space.where(h > 0, yes, no)
    assert z.v.astype(float).tolist() == [1, -1, -3, -1, -3]
    assert np.abs(z.e - [0.1, 2.3, 0.3, 2.3, 0.3]).max() <= 1e-6
    for branch in (yes, no):
        for end in (-1, 1):
            assert (np.abs(branch.v.astype(float) + end * branch.e - z.v.astype(float)) <= z.e + 1e-12)[1::2].all()
    slope = space.where(h > 0, space.ones(5), space.zeros(5))
    assert slope.v.astype(float).tolist() == [1, 0.5, 0, 0.5, 0]
    assert (slope.e >= [0, 0.5, 0, 0.5, 0]).all()
    assert (slope.e[[0, 2, 4]] == 0).all()
    continuous = space.where(h > 0, h, space.zeros(5))
    assert continuous.e[1] <= 0.25 + 1e-6
    assert space.where(Mask(True, False, space), 0.5, 2).e == space.u * 0.5


def test_conjunctions_and_all_are_open_only_where_an_answer_hangs_on_it(space):
    def mask(yes, open):
        return Mask([yes], [open], space)

    for (a, a_open), (b, b_open) in itertools.product([(True, False), (False, False), (True, True), (False, True)], repeat=2):
        both = mask(a, a_open) & mask(b, b_open)
        possible = {x and y for x in ({True, False} if a_open else {a}) for y in ({True, False} if b_open else {b})}
        assert both.open[0] == (possible == {True, False})
        if len(possible) == 1:
            assert {bool(both.yes[0])} == possible
    assert not Mask([True, False], [True, False], space).all().open
    assert Mask([True, True], [True, False], space).all().open
    assert bool(Mask([True, True], [False, False], space).all())
    assert not bool(Mask([True, False], [True, False], space).all())


def leaves(decide):
    """What a program of decisions comes to, on every path."""
    found = []
    for paths in every_path():
        space = Bands("float64", paths)
        x = Banded(space.ones(()).v, 1.0, space)
        found.append(decide(lambda x=x: bool(x < 1)))
    return found


def test_three_nested_decisions_are_followed_on_all_eight_paths():
    found = leaves(lambda flip: (flip(), flip(), flip()))
    assert sorted(found) == sorted(itertools.product([False, True], repeat=3))


def _grow(tree, flip):
    while isinstance(tree, tuple):
        tree = tree[0] if flip() else tree[1]
    return tree


@settings(derandomize=True, deadline=None, database=None, max_examples=100)
@given(st.recursive(st.integers(0, 10**6), lambda t: st.tuples(t, t), max_leaves=20))
def test_every_leaf_of_any_tree_of_decisions_is_reached_once(tree):
    def all_leaves(t):
        return all_leaves(t[0]) + all_leaves(t[1]) if isinstance(t, tuple) else [t]

    assert sorted(leaves(lambda flip: _grow(tree, flip))) == sorted(all_leaves(tree))


def test_no_more_than_a_stated_number_of_paths_and_none_for_decided_questions():
    found = leaves(lambda flip: tuple(flip() for _ in range(10)))
    assert len(found) == len(set(found)) == MOST_PATHS
    runs = []
    for paths in every_path():
        space = Bands("float64", paths)
        runs.append((bool(space.ones(()) < 2), bool(space.ones(()) < 1), paths.taken))
    assert runs == [(True, False, [])]


def test_a_path_that_raises_does_not_end_the_others():
    seen = []
    for paths in every_path():
        if paths.decide():
            continue
        seen.append(paths.decide())
    assert sorted(seen) == [False, True]


def test_data_enter_as_they_are(space):
    x = np.array([[0.1, -3.0], [1e-40, 7.0]], dtype_of(space))
    z = space.asarray(x)
    assert (real(z) == real(x)).all()
    assert (z.e == 0).all()
    for made, plain in ((space.zeros((2, 3)), np.zeros((2, 3))), (space.ones(2), np.ones(2)), (space.eye(3), np.eye(3)),
                        (space.ones_like(z), np.ones((2, 2))), (space.zeros_like(z), np.zeros((2, 2)))):
        assert (made.v.astype(float) == plain).all()
        assert made.shape == plain.shape
        assert (made.e == 0).all()


def test_values_and_bounds_move_together(space):
    v = np.arange(24.0).reshape(2, 3, 4)
    x = Banded(space.asarray(v).v, v / 100, space)
    for z, plain in (
        (space.reshape(x, (6, 4)), v.reshape(6, 4)),
        (space.permute_dims(x, (2, 0, 1)), v.transpose(2, 0, 1)),
        (x[1, :, None], v[1, :, None]),
        (x[0].T, v[0].T),
        (space.concat([x, x], axis=1), np.concatenate([v, v], 1)),
        (x[..., :-1], v[..., :-1]),
    ):
        assert (z.v.astype(float) == plain).all()
        assert (z.e == plain / 100).all()
        assert (z.shape, z.ndim) == (plain.shape, plain.ndim)


LINES = {
    "average": (
        lambda m, g, c: c * m + (1 - c) * g,
        [lambda m, g, c: g + c * (m - g), lambda m, g, c: c * (m - g) + g, lambda m, g, c: (1 - c) * g + m * c],
    ),
    "direction": (
        lambda m, v, c: m / ((v**2 + 1) * c + c),
        [lambda m, v, c: m / (c * (v * v + 2)), lambda m, v, c: m * (1 / (c * (1 + v * v) + c))],
    ),
    "decay": (
        lambda t, p, c: t - c * (p + c * t),
        [lambda t, p, c: (1 - c * c) * t - c * p, lambda t, p, c: t - c * p - c * c * t],
    ),
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("c", [0.4, 0.05, 1e-4])
def test_whole_lines_in_equal_forms_are_never_beyond_grey(space, name, c):
    rule, programs = LINES[name]
    rng = np.random.default_rng(10)
    x, y = (rng.standard_normal(300).astype(dtype_of(space)) for _ in range(2))
    z = rule(space.asarray(x), space.asarray(y), space.const(c))
    assert holds(z, rule(x, y, dtype_of(space).type(c)))
    for program in programs:
        got = program(x, y, dtype_of(space).type(c))
        assert got.dtype == x.dtype
        assert (size(real(got) - real(z)) <= 8 * z.e).all()
    assert (z.e <= 20 * space.u * (np.abs(x) + np.abs(y) + z.size)).all()


def test_equality_is_never_asked_of_bands(space):
    with pytest.raises(TypeError, match="equality of numbers with bands is never certain"):
        bool(space.ones((2,)) == space.ones((2,)))


def test_the_larger_of_two_numbers_needs_no_decision(space):
    x, y = Banded(space.asarray([1.0, 2.0, -3.0]).v, [0.5, 0.0, 0.1], space), Banded(space.zeros((3,)).v, [0.6, 1.0, 0.0], space)
    z = space.maximum(x, y)
    assert (z.v.astype(float).tolist(), z.e.tolist()) == ([1, 2, 0], [0.6, 1, 0.1])
    assert space.paths.taken == []


def test_an_indicator_is_the_hull_where_it_is_open(space):
    x = Banded(space.asarray([1.0, 0.1, -1.0]).v, [0.5, 0.5, 0.5], space)
    z = space.indicator(x > 0)
    assert (z.v.astype(float).tolist(), z.e.tolist()) == ([1, 0.5, 0], [0, 0.5, 0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_too_small_for_float64_may_have_become_zero(dtype):
    """A probability of e^−1372 is 0 in a program, and its root 0; the bands must admit both, however small the number is."""
    space = Bands(dtype, Paths())
    with precision(180):
        p = space.softmax(space.asarray(np.array([[0.0, -1372.0]])))
        assert p.e[0, 1] >= space.smallest
        assert holds(p, np.array([[1.0, 0.0]], dtype))
        assert holds(space.sqrt(p), np.array([[1.0, 0.0]], dtype))
        assert (space.zeros(1) * space.ones(1)).e[0] == 0
