"""The checks that several rooms make on their arguments: what passes, and one sentence for what does not."""

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
from stepgauge.arrays import cast
from stepgauge.arrays.checks import check_number, check_rows, check_spd, check_vectors, checked
from stepgauge.arrays.errors import expect

KINDS = ["float32", "float64", "fraction", "fmpq", "mpf"]
every_kind = pytest.mark.parametrize("kind", KINDS)


def test_the_sentence():
    expect(True, "x", "a", "b", "c")
    with pytest.raises(ValueError, match=r"^x: expected a because b, got c$"):
        expect(False, "x", "a", "b", "c")
    with pytest.raises(TypeError, match=r"^x: expected a because b, got 3$"):
        expect(0, "x", "a", "b", 3, TypeError)


@every_kind
def test_vectors_of_one_length_pass(kind):
    s = cast(np.array([1.0, -2.0]), kind)
    check_vectors(s=s, y=2 * s)


@every_kind
def test_vectors_of_other_shapes_are_refused(kind):
    s = cast(np.array([1.0, -2.0]), kind)
    with pytest.raises(ValueError, match=r"^y: expected a vector because the update is a rank-one one, got shape \(1, 2\)$"):
        check_vectors(s=s, y=s[None, :])
    with pytest.raises(ValueError, match=r"^s: expected a vector because .*, got shape"):
        check_vectors(s=s.sum(), y=s)
    with pytest.raises(ValueError, match=r"^y: expected 2 entries because the vectors of a pair have one length, got 1$"):
        check_vectors(s=s, y=s[:1])


def test_vectors_of_other_numbers_are_refused():
    s = np.array([1.0, -2.0])
    for bad in (np.array([1.0, np.nan]), np.array([-np.inf, 1.0])):
        with pytest.raises(ValueError, match=r"^y: expected finite numbers because nan and inf would spread, got nan or inf$"):
            check_vectors(s=s, y=bad)
    for bad in (s.astype(np.float32), cast(s, "fraction"), s.astype(int), s.astype(complex), [1.0, 2.0]):
        with pytest.raises(TypeError, match=r"^arrays: expected"):
            check_vectors(s=s, y=bad)


@every_kind
def test_definite_matrices_pass(kind):
    check_spd("H", cast(np.array([[2.0, -1.0], [-1.0, 2.0]]), kind), 2)


@every_kind
@pytest.mark.parametrize(("rows", "sentence"), [
    ([[2.0, 0, 0], [0, 2, 0]], r"H: expected shape \(2, 2\) because it acts on vectors of length 2, got \(2, 3\)"),
    ([2.0, 2.0], r"H: expected shape \(2, 2\) because .* got \(2,\)"),
    ([[2.0, 1], [0, 2]], "H: expected a symmetric matrix because it approximates a Hessian .*, got an asymmetric one"),
    ([[1.0, 2], [2, 1]], "H: expected a positive definite matrix because the update keeps definiteness, .*"),
    ([[1.0, 1], [1, 1]], "H: expected a positive definite matrix because .*, got one that is not"),
    ([[0.0, 0], [0, 0]], "H: expected a positive definite matrix because .*, got one that is not"),
], ids=["wide", "vector", "asymmetric", "indefinite", "semidefinite", "zero"])
def test_other_matrices_are_refused(kind, rows, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        check_spd("H", cast(np.array(rows), kind), 2)


@pytest.mark.parametrize("kind", ["float32", "float64", "mpf"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_matrices_with_nan_or_inf_are_refused(kind, bad):
    with pytest.raises(ValueError, match=r"^H: expected finite numbers because nan and inf would spread, got nan or inf$"):
        check_spd("H", cast(np.array([[1.0, bad], [bad, 1.0]]), kind), 2)


def test_exact_matrices_must_be_symmetric_to_the_last_digit_floats_need_not():
    H = np.array([[2.0, 1.0], [1.0 + 2**-40, 2.0]])
    check_spd("H", H, 2)
    for kind in ("fraction", "fmpq", "mpf"):
        with pytest.raises(ValueError, match=r"^H: expected a symmetric matrix"):
            check_spd("H", cast(H, kind), 2)


@pytest.mark.parametrize("good", [1, 0.5, Fraction(1, 3), np.float32(2)], ids=str)
def test_numbers_for_which_the_predicate_holds_pass(good):
    check_number("lam", good, lambda lam: lam > 0, "a positive number", "it divides")


@pytest.mark.parametrize("bad", [0, -0.5, Fraction(-1, 3), float("nan"), float("inf"), np.float64("inf"), np.float32("inf")],
                         ids=repr)
def test_other_numbers_are_refused(bad):
    with pytest.raises(ValueError, match=r"^lam: expected a positive number because it divides, got "):
        check_number("lam", bad, lambda lam: lam > 0, "a positive number", "it divides")


def halves(arguments):
    expect(arguments["x"] >= 0, "x", "a number >= 0", "it is halved", arguments["x"])
    return {**arguments, "x": arguments["x"] / 2}


@checked(halves)
def minus(x, *, y=1):
    """x − y."""
    return x - y


def test_a_checked_function_prepares_its_arguments_by_name():
    assert (minus(6), minus(x=6), minus(6, y=2)) == (2, 2, 1)
    assert (minus.__name__, minus.__doc__) == ("minus", "x − y.")
    with pytest.raises(ValueError, match=r"^x: expected a number >= 0 because it is halved, got -1$"):
        minus(-1)
    with pytest.raises(TypeError, match=r"missing a required argument: 'x'"):
        minus(y=2)


def test_its_trusted_core_does_not():
    assert (minus.trusted(6), minus.trusted(-1, y=2)) == (5, -3)


@pytest.mark.parametrize("value", [Fraction(1, 5), flint.fmpq(1, 5), mpmath.mpf(1) / 5, 0.2, np.float32(0.2), 1])
def test_a_finite_number_of_any_kind_is_taken(value):
    check_number("mu", value, lambda mu: mu > 0, "a positive number", "it is one")


def test_rows_are_numbers_of_examples():
    check_rows(np.array([2, 0, 2]), 3)
    for bad in (np.array([3]), np.array([0, -1]), np.array([], dtype=int), np.array([[0]]), np.array(0), np.array([0.0]),
                np.array([True, False, True]), [0], "all", None):
        with pytest.raises(ValueError, match=r"^curvature: expected a Batch or row numbers from 0 to 2 because it names examples"):
            check_rows(bad, 3)
