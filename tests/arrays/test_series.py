"""Truncated power series: exact against polynomials over ℚ, functions against mpmath's Taylor coefficients; cube roots."""

from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
from stepgauge.arrays import Series, cast, namespace, precision, series

ORDER = 5


def made(kind="fraction", seed=0, count=2, shape=(3,)):
    """Two series with random coefficients, the constant terms of the second positive."""
    rng = np.random.default_rng(seed)

    def numbers():
        return cast(rng.integers(1, 9, shape) / 4.0, kind)

    space = series(numbers(), count, ORDER)
    return space, *(Series(numbers(), [[numbers() for _ in range(ORDER)] for _ in range(count)], space) for _ in range(2))


def ray(x, s):
    return [x.value, *x.rays[s]]


def test_products_quotients_and_powers_are_those_of_polynomials():
    _, x, y = made()
    product, quotient, cube, difference = x * y, x / y, x**3, 2 - x
    for s in range(2):
        a, b = ray(x, s), ray(y, s)
        for k in range(ORDER + 1):
            assert (ray(product, s)[k] == sum(a[i] * b[k - i] for i in range(k + 1))).all()
            assert (a[k] == sum(b[i] * ray(quotient, s)[k - i] for i in range(k + 1))).all()
            assert (ray(cube, s)[k] == sum(a[i] * a[j] * a[k - i - j] for i in range(k + 1) for j in range(k + 1 - i))).all()
            assert (ray(difference, s)[k] == 2 * (k == 0) - a[k]).all()


FUNCTIONS = {"exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log, "sqrt": mpmath.sqrt, "tanh": mpmath.tanh,
             "logistic": lambda t: 1 / (1 + mpmath.exp(-t)), "softplus": lambda t: mpmath.log1p(mpmath.exp(t))}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_mpmaths_taylor_coefficients(name):
    with precision(300):
        space, x, _ = made("mpf", shape=())
        x = Series(x.value[()], [[c[()] for c in along] for along in x.rays], space)
        found = getattr(space, name)(x)
        for s in range(2):
            expected = mpmath.taylor(lambda t, s=s: FUNCTIONS[name](sum(c * t**k for k, c in enumerate(ray(x, s)))), 0, ORDER)
            for a, b in zip(ray(found, s), expected, strict=True):
                assert abs(a - b) < mpmath.mpf(2) ** -80 * (1 + abs(b))


def test_softmax_and_logsumexp_are_made_of_exp_and_log():
    with precision(200):
        space, x, _ = made("mpf", shape=(2, 3))
        z = space.exp(x)
        total = space.sum(z, axis=-1, keepdims=True)
        for found, expected in ((space.softmax(x), z / total), (space.logsumexp(x), space.log(space.sum(z, axis=-1)))):
            for s in range(2):
                for a, b in zip(ray(found, s), ray(expected, s), strict=True):
                    assert np.max(np.abs(a - b)) < mpmath.mpf(2) ** -170


def test_decisions_look_at_the_value_alone():
    space = series(np.ones(2), 1, 2)
    x = space.along(np.array([0.0, 1.0]), [np.array([5.0, 7.0])])
    assert (space.maximum(x, space.zeros(2)).rays[0][0] == [0, 7]).all()
    assert (abs(x - 2).rays[0][0] == [-5, -7]).all()
    assert (x > 0).tolist() == [False, True]
    assert (x >= space.zeros(2)).tolist() == [True, True]
    assert (x < 1).tolist() == [True, False]
    assert (x <= 0).tolist() == [True, False]


def test_writing_and_reading_parts():
    space = series(np.ones(2), 2, 1)
    x = space.zeros((2, 2))
    x[0] = space.along(np.array([1.0, 2]), [None, np.array([3.0, 4])])
    x[:, 0] = space.ones(2)
    assert x.value.tolist() == [[1, 2], [1, 0]]
    assert x.rays[0] == [None]
    assert x.rays[1][0].tolist() == [[0, 4], [0, 0]]
    assert x.T[1].rays[1][0].tolist() == [4, 0]
    assert x.only([True, False]).rays == [[None], [None]]


def test_series_of_series_keep_mixed_products():
    inner = series(np.ones(()), 1, 1)
    a = inner.along(np.asarray(2.0), [np.asarray(1.0)])
    outer = series(a, 1, 1)
    x = outer.along(a, [inner.lift(np.asarray(1.0))])                # 2 + s + t
    assert (x * x * x).rays[0][0].rays[0][0] == 12                   # ∂²/∂s∂t (2 + s + t)³
    assert namespace(x) is not namespace(a)
    with pytest.raises(TypeError, match=r"^series: expected series of order 1"):
        a * x


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"^order: expected a positive integer"):
        series(np.ones(2), 1, 0)
    _, x, _ = made()
    with pytest.raises(ValueError, match=r"^exponent: expected an integer >= 0"):
        x ** -1
    with pytest.raises(TypeError, match="one arithmetic"):
        namespace(x, x.truncated(2))
    assert namespace(x).exact


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cube_roots_are_right_to_the_last_bits(dtype):
    info = np.finfo(dtype)
    x = np.concatenate([[0], np.logspace(np.log10(float(info.tiny)), np.log10(float(info.max)) - 1, 500)]).astype(dtype)
    found = namespace(x).root(x, 3)
    assert found.dtype == dtype
    assert found[0] == 0
    with precision(200):
        exact = [mpmath.cbrt(mpmath.mpf(float(v))) for v in x]
        assert max(abs(float(a) - b) / b for a, b in zip(found[1:], exact[1:], strict=True)) <= 2 * float(info.eps)


def test_few_cube_roots_are_rational():
    assert list(namespace(F(8)).root(cast(np.array([8.0]), "fraction"), 3)) == [2]
    with pytest.raises(ArithmeticError, match=r"^root: "):
        namespace(F(8)).root(cast(np.array([9.0]), "fraction"), 3)
