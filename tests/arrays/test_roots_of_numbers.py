"""k-th roots of numbers in every arithmetic, and exact inverse roots of matrices."""

from fractions import Fraction as F

import flint
import mpmath
import numpy as np
import pytest
from stepgauge.arrays import NotRational, cast, namespace, precision


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_roots_of_floats_are_right_to_two_units_over_the_whole_range(dtype):
    """Against 100 bits; 0 and 1 exactly. Without its correction x^(1/k) is off by |log x| units, up to 700."""
    info = np.finfo(dtype)
    x = np.concatenate([[0, 1, info.tiny, info.max / 2], np.geomspace(info.tiny, info.max / 2, 40)]).astype(dtype)
    xp = namespace(x)
    for k in range(1, 9):
        found = xp.root(x, k)
        assert found.dtype == dtype
        assert found[0] == 0
        assert found[1] == 1
        with mpmath.workprec(100):
            for value, root in zip(x.tolist(), found.tolist(), strict=True):
                assert abs(mpmath.mpf(root) - mpmath.root(mpmath.mpf(value), k)) <= 2 * info.eps * root


@pytest.mark.parametrize("kind", ["fraction", "fmpq"])
def test_roots_of_rationals_are_exact_or_refused(kind):
    x = cast(np.array([[F(8, 27), F(0)], [F(1), F(64)]]), kind)
    xp = namespace(x)
    assert (xp.root(x, 3) == cast(np.array([[F(2, 3), F(0)], [F(1), F(4)]]), kind)).all()
    assert {type(value) for value in xp.root(x, 3).ravel()} == {F if kind == "fraction" else flint.fmpq}
    assert (xp.root(x, 1) == x).all()
    for k in (2, 4, 5):
        with pytest.raises(NotRational, match=r"^root: expected .* because the arithmetic is exact, got 8/27$"):
            xp.root(x, k)
    with pytest.raises(ArithmeticError, match=r"^root: expected a number >= 0, got -1$"):
        xp.root(-x[1, :1], 3)
    assert xp.u == 0


def test_roots_of_mpf():
    with precision(200):
        x = cast(np.array([2.0, 0.0, 1e-30]), "mpf")
        xp = namespace(x)
        assert all(abs(root**5 - value) <= 2**-195 * value for root, value in zip(xp.root(x, 5), x, strict=True))
        assert xp.u == mpmath.mpf(2) ** -200
        assert abs(xp.pi - mpmath.pi) == 0
        with pytest.raises(ArithmeticError, match=r"^root: expected a number >= 0, got -2"):
            xp.root(-x[:1], 3)


def test_balls_have_no_roots():
    x = cast(np.array([[2.0]]), "ball")
    for call in (lambda: namespace(x).root(x, 3), lambda: namespace(x).inverse_root(x, 3)):
        with pytest.raises(NotRational, match="expected mpmath numbers because the result is not rational, got ball"):
            call()


@pytest.mark.parametrize("p", [2, 3, 5])
def test_inverse_roots_with_large_numerators_and_denominators(p):
    """X = QDQᵀ with a rational rotation Q by Cayley's map: entries of more than 64 bits."""
    xp = namespace(cast(np.ones(1), "fmpq"))
    S = xp.asarray(np.array([[0, F(3, 7), F(-5, 11)], [F(-3, 7), 0, F(13, 17)], [F(5, 11), F(-13, 17), 0]]))
    Q = (xp.eye(3) - S) @ xp.inv(xp.eye(3) + S)
    X = Q @ xp.asarray(np.diag([F(101000000007, 103000000011), F(7, 131), F(255, 2)])) @ Q.T
    power = X
    for _ in range(p - 1):
        power = power @ X
    assert (xp.inverse_root(xp.inv(power), p) == X).all()
