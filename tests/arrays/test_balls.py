"""Balls: comparisons never guess, and every chain of + − × ÷ encloses its exact value."""

import operator
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepgauge.arrays import Ball, Undecided, namespace, precision

COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}
every_comparison = pytest.mark.parametrize("sign", COMPARISONS)
rationals = st.fractions(min_value=-50, max_value=50, max_denominator=97)


def ball(low, high):
    """A ball with these ends, or a trifle more (FLINT rounds radii up)."""
    return Ball(flint.arb(mid=(low + high) / 2, rad=(high - low) / 2))


@every_comparison
@pytest.mark.parametrize(("x", "y"), [
    (ball(0, 2), ball(1, 3)),                      # overlap
    (ball(0, 4), ball(1, 2)),                      # one inside the other
    (ball(0, 2), ball(0, 2)),                      # the same set, not the same number
    (ball(0, 2), 1), (1, ball(0, 2)),              # a point inside
    (ball(0, 2), Fraction(1, 3)), (0.5, ball(0, 2)),
    (Ball(float("nan")), 1),
], ids=str)
def test_overlapping_balls_are_undecided(sign, x, y):
    with pytest.raises(Undecided, match=r"^comparison: expected balls that do not overlap because .* must be decided, got "):
        COMPARISONS[sign](x, y)


def test_a_ball_is_not_even_equal_to_itself():
    third = Ball(Fraction(1, 3))
    with pytest.raises(Undecided, match=r"'=='"):
        third == third                             # noqa: B015
    assert Undecided.__mro__[1] is ArithmeticError


@every_comparison
@pytest.mark.parametrize(("x", "y"), [
    (ball(0, 1), ball(2, 3)), (ball(2, 3), ball(0, 1)), (ball(0, 1), 2), (2, ball(0, 1)), (ball(-3, -1), Fraction(1, 3)),
    (Ball(2), Ball(2)), (Ball(2), 2), (2, Ball(2)), (0.5, Ball(Fraction(1, 2))), (Ball(0), -1), (Ball(-7), Fraction(-7)),
], ids=str)
def test_disjoint_balls_and_equal_points_are_decided(sign, x, y):
    middle = [value.mid if isinstance(value, Ball) else value for value in (x, y)]
    answer = COMPARISONS[sign](x, y)
    assert answer is COMPARISONS[sign](*middle)


@every_comparison
@settings(derandomize=True, deadline=None, database=None, max_examples=80)
@given(x=rationals, y=rationals, bits=st.integers(4, 60))
def test_a_decided_comparison_is_true(sign, x, y, bits):
    with precision(bits):
        try:
            answer = COMPARISONS[sign](Ball(x), Ball(y))
        except Undecided:
            # the enclosures are no wider than a relative 2^(2−bits) on either side
            assert abs(x - y) <= (abs(x) + abs(y)) * Fraction(4, 2**bits)
        else:
            assert answer is COMPARISONS[sign](x, y)


OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
links = st.tuples(st.sampled_from([*OPERATIONS, "neg", "abs", "square"]), rationals,
                  st.sampled_from(["ball", "fraction", "left fraction", "int"]))


def apply(link, value, wrap):
    """One link of the chain on `value`; `wrap` brings the rational operand into the value's arithmetic."""
    sign, operand, form = link
    if sign in OPERATIONS:
        operand = Fraction(round(operand)) if form == "int" else operand
        other = {"ball": wrap, "int": int}.get(form, Fraction)(operand)
        return OPERATIONS[sign](*((other, value) if form == "left fraction" else (value, other)))
    return {"neg": operator.neg, "abs": abs, "square": lambda x: x**2}[sign](value)


@settings(derandomize=True, deadline=None, database=None, max_examples=200)
@given(start=rationals, chain=st.lists(links, max_size=9), bits=st.integers(6, 80))
def test_chains_enclose_the_exact_value(start, chain, bits):
    with precision(bits):
        exact, enclosure = start, Ball(start)
        for link in chain:
            try:
                exact = apply(link, exact, Fraction)
            except ZeroDivisionError:
                return
            enclosure = apply(link, enclosure, Ball)
            assert enclosure.contains(exact)


@pytest.mark.parametrize("sign", OPERATIONS)
@settings(derandomize=True, deadline=None, database=None, max_examples=50)
@given(x=st.fractions(1, 50, max_denominator=97), y=st.fractions(51, 99, max_denominator=97), bits=st.integers(20, 80))
def test_enclosures_are_tight(sign, x, y, bits):
    """Two operands and one result, each within a relative 2^(1−bits): the radius stays below 8 of these of the largest."""
    with precision(bits):
        result = OPERATIONS[sign](Ball(x), Ball(y))
        largest = max(abs(OPERATIONS[sign](x, y)), x + y if sign in "+-" else 0)
        assert 0 <= result.rad <= 16 * largest / 2**bits


@settings(derandomize=True, deadline=None, database=None, max_examples=50)
@given(values=st.lists(st.tuples(rationals, rationals), min_size=1, max_size=6), bits=st.integers(6, 80))
def test_dot_products_of_ball_arrays_enclose(values, bits):
    with precision(bits):
        x, y = (namespace(Ball(0)).asarray(np.array(column, dtype=object)) for column in zip(*values, strict=True))
        assert (x @ y).contains(sum((a * b for a, b in values), Fraction(0)))
        assert np.sum(x).contains(sum((a for a, _ in values), Fraction(0)))


def test_division_by_a_ball_around_zero_encloses_everything_and_decides_nothing():
    quotient = Ball(1) / ball(-1, 1)
    assert quotient.contains(10**9)
    with pytest.raises(Undecided):
        quotient < 3                               # noqa: B015


@pytest.mark.parametrize(("value", "inside", "outside"), [
    (2**300 + 1, 2**300 + 1, 2**300), (0.1, Fraction(3602879701896397, 2**55), Fraction(1, 10)),
    (Fraction(1, 3), Fraction(1, 3), Fraction(1, 3) + Fraction(1, 2**20)), ("0.1 +/- 1e-20", Fraction(1, 10), 0.25),
    (flint.fmpq(1, 3), flint.fmpq(1, 3), flint.fmpq(1, 3) + flint.fmpq(1, 2**20)), (flint.arb(2), 2, 3),
    (Ball(2), Fraction(2), 2.5), (flint.fmpz(3), 3, 4), (Fraction(-1, 3), Fraction(-1, 3), Fraction(1, 3)),
    (mpmath.mpf("0.375"), Fraction(3, 8), Fraction(1, 3)),
], ids=str)
def test_values_that_a_ball_encloses(value, inside, outside):
    enclosure = Ball(value)
    assert enclosure.contains(inside)
    assert not enclosure.contains(outside)


def test_containment_does_not_round_the_number_first():
    """At 6 bits 1/3 is no point; 3 · [1/9] holds it all the same."""
    with precision(6):
        product = Ball(Fraction(1, 9)) * 3
        assert product.contains(Fraction(1, 3))
        assert product.contains(flint.fmpq(1, 3))
        assert product.contains(Ball(0.328125))
        assert not product.contains(Ball(Fraction(1, 3)) + ball(-1, 1))


def test_middle_and_radius():
    assert ball(0.5, 2.0).mid == 1.25
    assert 0.75 <= ball(0.5, 2.0).rad <= 0.75 * (1 + 2.0**-28)             # radii have 30 bits
    assert (Ball(3).mid, Ball(3).rad) == (3.0, 0.0)
    with precision(53):
        assert Ball(Fraction(1, 3)).mid == 1 / 3
    assert repr(Ball(3)) == "Ball(3.00000000000000)"


@pytest.mark.parametrize("value", [None, 1j, [1], np.ones(2), mpmath.mpc(1)], ids=lambda x: type(x).__name__)
def test_what_no_ball_encloses(value):
    with pytest.raises(TypeError, match=rf"^value: expected int, .* got {type(value).__name__}$"):
        Ball(value)


def test_balls_have_no_hash():
    with pytest.raises(TypeError, match=r"unhashable"):
        hash(Ball(1))


def test_arrays_of_balls_compare_entry_by_entry_from_both_sides():
    two, x = Ball(2), np.array([Ball(1), Ball(3)], dtype=object)
    assert (two > x).tolist() == (x < two).tolist() == [True, False]
    assert (two - x).tolist() == [1, -1]
    assert (two / x)[1].contains(Fraction(2, 3))
    with pytest.raises(Undecided):
        x < np.array([Ball(2), ball(2, 4)], dtype=object)      # noqa: B015
