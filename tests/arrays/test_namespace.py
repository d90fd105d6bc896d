"""Which arithmetic serves which arrays, and the way between arithmetics: namespace, const, cast, precision."""

from fractions import Fraction
from itertools import permutations
from typing import NamedTuple

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepgauge import arrays
from stepgauge.arrays import Ball, cast, const, namespace

THIRD = Fraction(1, 3)
UNITS = {"float32": Fraction(1, 2**24), "float64": Fraction(1, 2**53)}


def exactly(value):
    """A number of any kind as the Fraction that it is; a ball must be a point."""
    if isinstance(value, Ball):
        assert value.rad == 0
        value = mpmath.mpf(value.mid)
    if isinstance(value, flint.fmpq):
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, mpmath.mpf):
        return (-1 if value < 0 else 1) * int(value.man_exp[0]) * Fraction(2) ** value.man_exp[1]
    return Fraction(value)


def of_objects(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


# kind: (the name that errors show, a vector, a scalar)
SAMPLES = {
    "float32": ("numpy float32", np.array([1.5, -0.25], dtype=np.float32), np.float32(0.5)),
    "float64": ("numpy float64", np.array([1.5, -0.25]), np.float64(0.5)),
    "fraction": ("exact Fraction", of_objects(Fraction(3, 2), -THIRD), THIRD),
    "fmpq": ("exact fmpq", of_objects(flint.fmpq(3, 2), flint.fmpq(-1, 3)), flint.fmpq(1, 3)),
    "mpf": ("mpmath mpf", of_objects(mpmath.mpf("1.5"), mpmath.mpf("-0.25")), mpmath.mpf("0.5")),
    "ball": ("ball", of_objects(Ball(Fraction(3, 2)), Ball(-THIRD)), Ball(THIRD)),
}
KINDS = tuple(SAMPLES)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_the_arguments_decides(kind):
    name, vector, scalar = SAMPLES[kind]
    xp = namespace(vector)
    assert xp.name == name
    for arguments in [(scalar,), (vector[None, :], scalar), (vector, vector[::-1]), (2, vector), (vector, 0.5)]:
        assert namespace(*arguments) is xp


@pytest.mark.parametrize("kind", KINDS)
def test_no_global_decides(kind):
    name, vector, _ = SAMPLES[kind]
    xp = namespace(vector)
    for _, other, _ in SAMPLES.values():
        namespace(other)
    with arrays.precision(17), np.errstate(all="raise"):
        assert namespace(vector) is xp
    assert namespace(vector).name == name


def test_exactness_is_said_by_the_namespace():
    assert {kind: namespace(vector).exact for kind, (_, vector, _) in SAMPLES.items()} == {
        "float32": False, "float64": False, "fraction": True, "fmpq": True, "mpf": False, "ball": False}


@pytest.mark.parametrize(("first", "second"), list(permutations(KINDS, 2)))
def test_mixed_kinds_are_refused_by_name(first, second):
    (name1, vector1, scalar1), (name2, vector2, scalar2) = SAMPLES[first], SAMPLES[second]
    for pair in [(vector1, vector2), (vector1, scalar2), (scalar1, vector2)]:
        with pytest.raises(TypeError, match=rf"^arrays: expected arrays of one arithmetic .*{name1} and {name2}$"):
            namespace(*pair)


@pytest.mark.parametrize(("first", "second"), list(permutations(["fraction", "fmpq", "mpf", "ball"], 2)))
def test_mixed_entries_are_refused_by_name(first, second):
    (name1, _, scalar1), (name2, _, scalar2) = SAMPLES[first], SAMPLES[second]
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic") as error:
        namespace(of_objects(scalar1, scalar2))
    assert name1 in str(error.value)
    assert name2 in str(error.value)


@pytest.mark.parametrize("stranger", [0.5, 1j, True, None, "1", np.float64(1), np.int64(1)], ids=lambda x: type(x).__name__)
def test_entries_of_no_exact_kind_are_refused_by_name(stranger):
    with pytest.raises(TypeError, match=rf"^arrays: expected entries of one .* got an entry of {type(stranger).__name__}$"):
        namespace(of_objects(THIRD, stranger))


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64", "bool", "complex64", "complex128", "float16",
                                   "longdouble"])
def test_other_number_types_are_refused_by_name(dtype):
    for value in [np.ones(2, dtype=dtype), np.ones((), dtype=dtype), np.ones(2, dtype=dtype)[0]]:
        with pytest.raises(TypeError, match=rf"^arrays: expected float32 or float64 .* got {np.dtype(dtype).name}$"):
            namespace(value)
        with pytest.raises(TypeError, match=rf"^arrays: expected float32 or float64 .* got {np.dtype(dtype).name}$"):
            namespace(np.ones(2), value)


@pytest.mark.parametrize("stranger", [[1.0], (1.0,), "1", None, True, 1j, mpmath.mpc(1), flint.arb(1)],
                         ids=lambda x: type(x).__name__)
def test_what_is_no_array_is_refused_by_name(stranger):
    with pytest.raises(TypeError, match=rf"^arrays: expected arrays because .* got {type(stranger).__name__}$"):
        namespace(stranger)


@pytest.mark.parametrize("arguments", [(), (1,), (1, 0.5)], ids=str)
def test_plain_numbers_alone_decide_nothing(arguments):
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic .* got plain numbers only$"):
        namespace(*arguments)


def test_an_array_may_bring_its_own_namespace():
    class Functions:
        name = "house functions"

    class Guarded:
        def __stepgauge_namespace__(self):
            return Functions

    assert namespace(Guarded(), 2) is Functions
    with pytest.raises(TypeError, match=r"house functions and numpy float64"):
        namespace(Guarded(), np.ones(2))


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_made_in_the_arithmetic(kind):
    _, vector, scalar = SAMPLES[kind]
    xp = namespace(vector)
    made = {"zeros": (xp.zeros((2, 3)), [[0, 0, 0]] * 2), "ones": (xp.ones(2), [1, 1]), "eye": (xp.eye(2), [[1, 0], [0, 1]]),
            "zeros_like": (xp.zeros_like(vector), [0, 0]), "ones_like": (xp.ones_like(vector), [1, 1]),
            "asarray": (xp.asarray([[1, 2], [0, 4]]), [[1, 2], [0, 4]]),
            "concat": (xp.concat([xp.eye(2), xp.ones((2, 1))], axis=1), [[1, 0, 1], [0, 1, 1]]),
            "sum": (xp.sum(xp.asarray([[1, 2], [3, 4]]), axis=-1), [3, 7]),
            "max": (xp.max(xp.asarray([[1, 2], [4, 3]]), axis=-1, keepdims=True), [[2], [4]]),
            "where": (xp.where(np.array([True, False]), xp.ones(2), xp.zeros(2)), [1, 0]),
            "reshape": (xp.reshape(xp.asarray([[1, 2], [3, 4]]), (-1,)), [1, 2, 3, 4]),
            "matrix_transpose": (xp.matrix_transpose(xp.asarray([[1, 2], [3, 4]])), [[1, 3], [2, 4]])}
    for name, (array, expected) in made.items():
        assert array.tolist() == expected, name
        assert array.dtype == vector.dtype, name
        assert {type(entry) for entry in array.ravel()} == {type(scalar)}, name


@pytest.mark.parametrize("kind", ["float32", "float64", "mpf", "ball"])
def test_all_finite_sees_every_entry(kind):
    for value, finite in [(1.0, True), (float("nan"), False), (float("inf"), False), (float("-inf"), False)]:
        array = cast(np.array([[0.5, 2.0], [1.0, value]]), kind)
        assert namespace(array).all_finite(array) is finite


@pytest.mark.parametrize("kind", ["fraction", "fmpq"])
def test_rationals_are_always_finite(kind):
    _, vector, _ = SAMPLES[kind]
    assert namespace(vector).all_finite(vector) is True


# const

@pytest.mark.parametrize("kind", ["float32", "float64"])
@settings(derandomize=True, deadline=None, database=None, max_examples=100)
@given(value=st.fractions(-1000, 1000, max_denominator=10**9))
def test_const_of_a_float_kind_is_rounded_and_keeps_the_dtype(kind, value):
    _, vector, _ = SAMPLES[kind]
    c = const(value, like=vector)
    assert c.dtype == (c * vector).dtype == (vector - c).dtype == vector.dtype
    # through float64 on the way to float32: each rounding errs by its unit at most
    units = (1 + UNITS[kind]) * (1 + UNITS["float64"]) - 1
    assert abs(Fraction(float(c)) - value) <= units * abs(value)


@pytest.mark.parametrize(("kind", "number"), [("fraction", Fraction), ("fmpq", flint.fmpq)])
def test_const_is_exact_on_rationals(kind, number):
    _, vector, _ = SAMPLES[kind]
    assert const(Fraction(1, 5), like=vector) == number(1, 5)
    assert type(const(Fraction(1, 5), like=vector)) is number
    assert const(7, like=vector) == number(7, 1)
    assert const(0.1, like=vector) == number(3602879701896397, 2**55)      # the float is that dyadic
    assert (const(Fraction(1, 5), like=vector) * vector).tolist() == [number(3, 10), number(-1, 15)]


def test_const_fits_the_working_precision():
    _, vector, _ = SAMPLES["mpf"]
    for bits in (24, 53, 400):
        with arrays.precision(bits):
            man, exponent = const(Fraction(1, 5), like=vector).man_exp
            assert int(man).bit_length() <= bits
            assert abs(Fraction(int(man)) * Fraction(2) ** exponent - Fraction(1, 5)) <= Fraction(1, 5) / 2**bits
            assert const(0.1, like=vector) == (mpmath.mpf(0.1) if bits >= 53 else +mpmath.mpf(0.1))


def test_const_is_enclosed_by_a_ball():
    _, vector, _ = SAMPLES["ball"]
    for bits in (24, 53, 400):
        with arrays.precision(bits):
            c = const(Fraction(1, 5), like=vector)
            assert c.contains(Fraction(1, 5))
            assert 0 < c.rad <= 2.0 ** (1 - bits)


@pytest.mark.parametrize("kind", KINDS)
def test_const_multiplies_arrays_from_both_sides(kind):
    _, vector, scalar = SAMPLES[kind]
    half = const(Fraction(1, 2), like=vector)
    for product in (half * vector, vector * half):
        assert product.dtype == vector.dtype
        assert {type(entry) for entry in product} == {type(scalar)}
    assert [exactly(entry) for entry in (half * namespace(vector).asarray([3, -8])).tolist()] == [Fraction(3, 2), -4]


# cast

class Pair(NamedTuple):
    first: object
    second: object


def test_cast_walks_trees_and_keeps_their_types():
    labels = np.array([3, 1], dtype=np.uint8)
    tree = {"pair": Pair(np.array([0.1, 0.5]), [np.array([[0.25]]), None]), "labels": labels, "k": 3, "name": "x", "mu": 0.2,
            "tuple": (np.float64(0.5), THIRD)}
    exact = cast(tree, "fraction")
    assert type(exact["pair"]) is Pair
    assert exact["pair"].first.tolist() == [Fraction(0.1), Fraction(1, 2)]
    assert type(exact["pair"].second) is list
    assert exact["pair"].second[0].tolist() == [[Fraction(1, 4)]]
    assert exact["pair"].second[1] is None
    assert exact["labels"] is labels
    assert labels.tolist() == [3, 1]
    assert (exact["k"], exact["name"], exact["mu"]) == (3, "x", 0.2)
    assert type(exact["tuple"]) is tuple
    assert exact["tuple"][0].item() == Fraction(1, 2)
    assert exact["tuple"][1] is THIRD
    assert tree["pair"].first.tolist() == [0.1, 0.5]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["float32", "float64", "fraction", "fmpq", "mpf"])
def test_cast_reaches_every_kind_from_every_kind(source, kind):
    """Dyadic numbers of three bits lose nothing anywhere."""
    array = cast(cast(np.array([[1.5, -0.25, 0.0], [3.0, -1.0, 0.125]]), source), kind)
    assert namespace(array).name == SAMPLES[kind][0]
    assert [[exactly(entry) for entry in row] for row in array.tolist()] == [[1.5, -0.25, 0], [3, -1, 0.125]]


@pytest.mark.parametrize("kind", ["int8", "uint16", "int64"])
def test_cast_leaves_integers_alone(kind):
    indices = np.arange(4, dtype=kind)
    for target in KINDS:
        assert cast(indices, target) is indices
    assert arrays.is_integer(indices)
    assert not any(arrays.is_integer(value) for value in (np.ones(2), np.ones(2, bool), 3, None, SAMPLES["fraction"][1]))


@pytest.mark.parametrize("route", ["fraction", "fmpq", "mpf"])
@settings(derandomize=True, deadline=None, database=None, max_examples=100)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive_the_round_trip_bit_for_bit(route, value):
    array = np.array([value]) + 0.0                                         # rationals know no negative zero
    assert cast(cast(array, route), "float64").tobytes() == array.tobytes()


def test_cast_rounds_to_the_nearest():
    third = SAMPLES["fraction"][1][1:]
    assert cast(third, "float64")[0] == -1 / 3
    assert cast(third, "float32")[0] == np.float32(-1) / np.float32(3)
    assert cast(np.array([0.1]), "float32")[0] == np.float32(0.1)
    with arrays.precision(300):
        tenth = cast(np.array([0.1]), "mpf")[0]
        assert tenth == mpmath.mpf(3602879701896397) / 2**55
        assert cast(third, "mpf")[0] * 3 + 1 <= mpmath.mpf(2) ** -299
        assert cast(third, "ball")[0].contains(-THIRD)


def test_cast_refuses_unknown_kinds():
    with pytest.raises(ValueError, match=r"^kind: expected one of float32, float64, .* got 'float16'$"):
        cast(np.ones(2), "float16")


def test_is_array():
    class Guarded:
        def __stepgauge_namespace__(self):
            raise NotImplementedError

    assert all(arrays.is_array(value) for value in (np.ones(2), np.float32(1), SAMPLES["mpf"][1], Guarded()))
    assert not any(arrays.is_array(value) for value in (1, 0.5, None, [1.0], THIRD, "x"))


# precision

def both_precisions():
    return mpmath.mp.prec, flint.ctx.prec


def test_precision_sets_both_and_restores_both():
    before = both_precisions()
    with arrays.precision(211):
        assert both_precisions() == (211, 211)
        with arrays.precision(30):
            assert both_precisions() == (30, 30)
            assert mpmath.mpf(1) / 3 == mpmath.mpf(round(2**31 * THIRD)) / 2**31
        assert both_precisions() == (211, 211)
        assert abs(3 * (mpmath.mpf(1) / 3) - 1) <= mpmath.mpf(2) ** -210
        assert 0 < Ball(THIRD).rad < 2.0**-200
    assert both_precisions() == before


def test_precision_restores_two_different_settings():
    before = both_precisions()
    try:
        mpmath.mp.prec, flint.ctx.prec = 61, 97
        with arrays.precision(300):
            pass
        assert both_precisions() == (61, 97)
    finally:
        mpmath.mp.prec, flint.ctx.prec = before


def fail_at(bits):
    with arrays.precision(bits):
        assert both_precisions() == (bits, bits)
        raise RuntimeError("inside")


def test_precision_restores_after_an_exception():
    before = both_precisions()
    with pytest.raises(RuntimeError, match=r"inside"):
        fail_at(400)
    assert both_precisions() == before


@pytest.mark.parametrize("bits", [1, 0, -53])
def test_precision_needs_a_mantissa(bits):
    before = both_precisions()
    with pytest.raises(ValueError, match=rf"^bits: expected at least 2 because .* got {bits}$"), arrays.precision(bits):
        pass
    assert both_precisions() == before


# torch

@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_tensors_keep_their_library_and_dtype(dtype):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=getattr(torch, dtype))
    xp = namespace(tensor)
    assert xp.name == f"torch {dtype}"
    assert namespace(tensor, 2, 0.5) is xp
    for made in (xp.zeros((2, 2)), xp.ones(2), xp.eye(2), xp.asarray([[1, 2]]), xp.const(Fraction(1, 5)) * tensor,
                 xp.inv(tensor), xp.solve(tensor, tensor[0]), xp.cholesky(tensor), xp.kron(tensor, tensor),
                 xp.logistic(tensor), xp.softplus(tensor), xp.softmax(tensor), xp.logsumexp(tensor)):
        assert isinstance(made, torch.Tensor)
        assert made.dtype == tensor.dtype
    labels = torch.tensor([1, 0])
    assert arrays.is_integer(labels)
    assert cast(labels, "float64") is labels
    assert cast(tensor, "fraction").tolist() == [[2, 1], [1, 3]]
    with pytest.raises(ArithmeticError, match=r"^inv: expected a matrix that can be factored"):
        xp.inv(tensor * 0)
    with pytest.raises(ArithmeticError, match=r"^cholesky: expected a"):
        xp.cholesky(-tensor)


def test_torch_and_numpy_do_not_mix():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"numpy float64 and torch float64$"):
        namespace(np.ones(2), torch.ones(2, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"torch float32 and torch float64$"):
        namespace(torch.ones(2), torch.ones(2, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"^arrays: expected float32 or float64 because"):
        namespace(torch.ones(2, dtype=torch.bfloat16))
