"""`namespace`: which arithmetic serves these arrays, decided from the arrays alone; `cast` and `const` on top of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import array_api_compat
import array_api_compat.numpy
import flint
import mpmath
import numpy as np

from .balls import Ball
from .floats import Floats
from .objects import Balls, Mpfs, Rationals

_OBJECTS = {Fraction: Rationals(Fraction), flint.fmpq: Rationals(flint.fmpq), mpmath.mpf: Mpfs(), Ball: Balls()}


_FLOATS: dict[tuple[Any, Any, str], Floats] = {}


def namespace(*arrays: Any) -> Any:
    """The functions that serve these arrays: one object per arithmetic, dtype and device.

    Takes    arrays or scalars of one kind: float32 or float64 arrays of NumPy, CuPy or torch; object arrays of Fraction,
             fmpq, mpf or Ball; or arrays that bring `__array_namespace__` with functions of their own. Plain Python
             numbers and integer entries of object arrays fit any kind.
    Ensures  the answer depends on the arguments alone, never on a global.
    Raises   TypeError where kinds, dtypes or devices are mixed, and for integer, bool, complex or float16 data.
    """
    found: dict[str, Any] = {}
    for array in arrays:
        for space in _spaces(array):
            found.setdefault(space.name, space)
    if len(found) != 1:
        got = " and ".join(found) if found else "plain numbers only"
        raise TypeError(f"arrays: expected arrays of one arithmetic because mixing loses exactness silently, got {got}")
    return next(iter(found.values()))


def _spaces(array: Any) -> Iterator[Any]:
    """The namespaces of one argument: none for a plain number, several for an object array of mixed entries."""
    kind = type(array)
    if kind in _OBJECTS:
        yield _OBJECTS[kind]
    elif kind is int or kind is float:
        return
    elif kind is np.ndarray and array.dtype == object:
        for entry in {type(value) for value in array.ravel()}:
            if entry in _OBJECTS:
                yield _OBJECTS[entry]
            elif entry is not int:
                raise TypeError(f"arrays: expected entries of one exact or multiprecision kind because object arrays "
                                f"hide their arithmetic, got an entry of {entry.__name__}")
    elif hasattr(kind, "__stepgauge_namespace__"):
        yield array.__stepgauge_namespace__()
    elif kind is np.ndarray or isinstance(array, np.generic):
        yield _float_space(array_api_compat.numpy, array.dtype, "cpu")
    elif array_api_compat.is_array_api_obj(array):
        yield _float_space(array_api_compat.array_namespace(array), array.dtype, array_api_compat.device(array))
    else:
        raise TypeError(f"arrays: expected arrays because every function here computes on them, got {kind.__name__}")


def _float_space(library: Any, dtype: Any, device: Any) -> Floats:
    key = library, dtype, str(device)    # CuPy's devices cannot be hashed
    if key not in _FLOATS:
        if dtype not in (library.float32, library.float64):
            raise TypeError(f"arrays: expected float32 or float64 because other types lose what is computed, got {dtype}")
        _FLOATS[key] = Floats(library, dtype, device)
    return _FLOATS[key]


def const(value: Any, like: Any) -> Any:
    """The number `value` (int, Fraction, float) in the arithmetic and dtype of `like`.

    `const(Fraction(1, 5), like=X) * X` stays exact on rationals and float32 on float32.
    """
    return namespace(like).const(value)


def cast(tree: Any, kind: str) -> Any:
    """Every float, rational or multiprecision array in `tree` in another arithmetic; integer arrays stay as they are.

    Takes    tree: an array or a tuple, list, dict or NamedTuple of them; kind: "float32", "float64", "fraction", "fmpq",
             "mpf" or "ball".
    Raises   ValueError for an unknown kind.
    """
    if kind not in _KINDS:
        raise ValueError(f"kind: expected one of {', '.join(_KINDS)} because there are no other arithmetics, got {kind!r}")
    return map_arrays(lambda x: _KINDS[kind]().asarray(x), tree)


_KINDS = {
    "float32": lambda: namespace(np.float32(0)),
    "float64": lambda: namespace(np.float64(0)),
    "fraction": lambda: _OBJECTS[Fraction],
    "fmpq": lambda: _OBJECTS[flint.fmpq],
    "mpf": lambda: _OBJECTS[mpmath.mpf],
    "ball": lambda: _OBJECTS[Ball],
}


def map_arrays(function: Any, tree: Any) -> Any:
    """`tree` with `function` applied to each non-integer array in it; numbers, strings and None stay."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_arrays(function, branch) for branch in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(map_arrays(function, branch) for branch in tree)
    if isinstance(tree, dict):
        return {key: map_arrays(function, branch) for key, branch in tree.items()}
    if is_array(tree) and not is_integer(tree):
        return function(tree)
    return tree


def is_array(x: Any) -> bool:
    """Is x an array (of any library, or one with a namespace of its own)?"""
    return (hasattr(x, "shape") and hasattr(x, "dtype")) or hasattr(type(x), "__stepgauge_namespace__")


def is_integer(x: Any) -> bool:
    """Is x an array of machine integers, such as class labels or indices?"""
    if not hasattr(x, "dtype"):
        return False
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind in "iu"
    return array_api_compat.array_namespace(x).isdtype(x.dtype, "integral")


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work with `bits` bits of mpmath and ball precision inside the `with` block, and restore both after it.

    Raises   ValueError for bits < 2.
    """
    if bits < 2:
        raise ValueError(f"bits: expected at least 2 because a number needs a mantissa, got {bits}")
    before = mpmath.mp.prec, flint.ctx.prec
    mpmath.mp.prec = flint.ctx.prec = bits
    try:
        yield
    finally:
        mpmath.mp.prec, flint.ctx.prec = before


