"""logistic, softplus, softmax and logsumexp in floats, for arguments from −10⁴ to 10⁴, against mpmath at 60 digits.

u is the unit of roundoff. NumPy promises exp, log and log1p within 4 ulp, that is 8u; every bound below adds up these and
one u for each +, − and ÷. Below the smallest normal number no relative accuracy is promised, and none is asked for.
"""

from fractions import Fraction
from math import e, log

import flint
import mpmath
import numpy as np
import pytest
from stepgauge.arrays import namespace, precision

UNITS = {"float32": 2.0**-24, "float64": 2.0**-53}
every_dtype = pytest.mark.parametrize("dtype", UNITS)


def grid(dtype):
    """Both signs of everything from the smallest normal number to 10⁴, and a dense stretch where exp leaves the range."""
    sizes = np.concatenate([[0.0], np.logspace(-37, 4, 100), np.linspace(1, 110, 100), np.linspace(680, 750, 60), [1e4]])
    return np.concatenate([-sizes, sizes]).astype(dtype)


def close(computed, exact, units, dtype):
    return abs(mpmath.mpf(float(computed)) - exact) <= units * UNITS[dtype] * abs(exact) + float(np.finfo(dtype).tiny)


@every_dtype
def test_logistic(dtype):
    """e^−|x| : 8u, twice in numerator and denominator; +, ÷: 2u."""
    x = grid(dtype)
    computed = namespace(x).logistic(x)
    assert computed.dtype == x.dtype
    with precision(200):
        for value, t in zip(computed, x, strict=True):
            assert close(value, 1 / (1 + mpmath.exp(-mpmath.mpf(float(t)))), 18, dtype)


@every_dtype
def test_softplus(dtype):
    """e^−|x| and log1p: 8u each; +: u."""
    x = grid(dtype)
    computed = namespace(x).softplus(x)
    assert computed.dtype == x.dtype
    with precision(200):
        for value, t in zip(computed, x, strict=True):
            assert close(value, mpmath.log1p(mpmath.exp(mpmath.mpf(float(t)))), 17, dtype)


def rows(dtype):
    """Rows of four numbers: moderate, far apart, equal, huge, and huge with small differences."""
    rng = np.random.default_rng(11)
    yield from rng.uniform(-5, 5, (40, 4)).astype(dtype)
    yield from rng.uniform(-1e4, 1e4, (40, 4)).astype(dtype)
    yield from rng.uniform(-60, 60, (40, 4)).astype(dtype)
    yield from (1e4 + rng.uniform(-1, 0, (20, 4))).astype(dtype)
    yield from (-1e4 + rng.uniform(0, 1, (20, 4))).astype(dtype)
    yield from np.array([[1e4, -1e4, 1e4, -1e4], [1e4] * 4, [-1e4] * 4, [0] * 4, [1e4, 0, 0, 0], [0, -1e4, 0, -1e4]], dtype)
    yield np.full(4, -log(4), dtype)                # the result cancels to nearly 0


@every_dtype
def test_softmax(dtype):
    """x_j − max is off by u|x_j − max|, which exp turns into relative error; the average of these in the sum is below
    m/e; exp: 8u twice; sum: mu; ÷: u."""
    x = np.stack(list(rows(dtype)))
    m = x.shape[1]
    computed = namespace(x).softmax(x)
    assert computed.dtype == x.dtype
    assert computed.shape == x.shape
    with precision(200):
        for a, logits in zip(computed, x.tolist(), strict=True):
            powers = [mpmath.exp(mpmath.mpf(t) - max(logits)) for t in logits]
            for j in range(m):
                units = 1.001 * (abs(logits[j] - max(logits)) + m / e + 16 + m + 1)
                assert close(a[j], powers[j] / sum(powers), units, dtype)


@every_dtype
def test_logsumexp(dtype):
    """The sum is off by m/e + 8 + m relative units, absolute ones of its logarithm; log: 8u of at most log m; +: u."""
    x = np.stack(list(rows(dtype)))
    m = x.shape[1]
    computed = namespace(x).logsumexp(x)
    assert computed.dtype == x.dtype
    assert computed.shape == x.shape[:1]
    with precision(200):
        for value, logits in zip(computed, x.tolist(), strict=True):
            exact = mpmath.log(sum(mpmath.exp(mpmath.mpf(t) - max(logits)) for t in logits)) + max(logits)
            bound = 1.001 * UNITS[dtype] * (m / e + 8 + m + 8 * log(m) + abs(exact))
            assert abs(mpmath.mpf(float(value)) - exact) <= bound


@every_dtype
def test_limits_are_reached_exactly(dtype):
    x = np.array([-1e4, 1e4], dtype=dtype)
    xp = namespace(x)
    assert xp.logistic(x).tolist() == [0, 1]
    assert xp.softplus(x).tolist() == [0, 1e4]
    assert xp.softmax(x).tolist() == [0, 1]
    assert xp.softmax(x[:, None]).tolist() == [[1], [1]]
    assert xp.logsumexp(x) == np.float32(1e4)
    assert xp.logsumexp(x[:, None]).tolist() == [-1e4, 1e4]


@pytest.mark.parametrize("number", [Fraction, mpmath.mpf, flint.fmpq, np.float32, np.float64])
def test_maximum_and_indicator_stay_in_their_arithmetic(number):
    values = [-2, 0, 3]
    x = np.array([number(value) for value in values], dtype=object if number not in (np.float32, np.float64) else number)
    xp = namespace(x)
    for result, expected in ((xp.maximum(x, xp.zeros(())), [0, 0, 3]), (xp.maximum(xp.zeros(()), -x), [2, 0, 0]),
                             (xp.indicator(x > 0), [0, 0, 1]), (xp.indicator(x >= 0), [0, 1, 1])):
        assert result.dtype == x.dtype
        assert [type(entry) for entry in result] == [type(entry) for entry in x]
        assert result.tolist() == expected


@pytest.mark.parametrize("number", [Fraction, mpmath.mpf, flint.fmpq, np.float32, np.float64])
def test_triu_cuts_below_the_diagonal(number):
    M = np.array([[number(10 + 3 * i + j) for j in range(3)] for i in range(3)],
                 dtype=object if number not in (np.float32, np.float64) else number)
    kept = namespace(M).triu(M)
    assert kept.tolist() == [[10, 11, 12], [0, 14, 15], [0, 0, 18]]
    assert (kept.dtype, {type(entry) for entry in kept.ravel()}) == (M.dtype, {number})
