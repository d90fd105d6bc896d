"""Portability slips, each right on NumPy and wrong on CuPy: the guard catches every one of them, and none of their right twins."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from parity import leaves, moved
from scipy.linalg import solve_triangular
from stepgauge.arrays import namespace

BUDGET = 1
"""Questions to the device that a routine of this file may ask."""


def damped_until(factor):
    """Add to the diagonal until a factorization works, which its error tells."""
    def damped(A):
        xp = namespace(A)
        for power in range(8):
            try:
                return factor(xp, A + 10.0**power * xp.eye(A.shape[0]))
            except (ArithmeticError, np.linalg.LinAlgError):
                continue
        raise AssertionError("never definite")
    return damped


def means_by_label(x, labels):
    """Sums of rows by label, in place."""
    xp = namespace(x)
    sums = xp.zeros((3, x.shape[1]))
    sums[labels] += x
    return sums


def first_row_scaled(x):
    """The corner of x before all of it is doubled in place."""
    x = 1 * x
    corner = x[0, 0]
    x *= 2
    return corner * x


def clipped_rows(x, rows):
    """Rows by number, with NumPy's IndexError as the sign that a number is too large."""
    try:
        return x[rows]
    except IndexError:
        return x[:0]


def into_buffer(x):
    """eˣ into a buffer made beforehand."""
    buffer = np.empty(x.shape)
    namespace(x).library.exp(x, out=buffer)
    return buffer + 0


def entry_by_entry(x):
    """Σ x_ij², a number at a time."""
    return sum(float(value) ** 2 for row in x for value in row) * x


def scaled(x, alpha):
    """αx with α a number of NumPy's, in double precision even where x is single."""
    return np.float64(alpha) * x


SLIPS: dict[str, tuple[str, Callable]] = {
    "numpy's function": ("TypeError: numpy.exp", lambda x, A, n: np.exp(x)),
    "numpy's reduction": ("TypeError: numpy.sum", lambda x, A, n: np.sum(x, axis=0) * x),
    "numpy's linear algebra": ("TypeError: numpy.norm", lambda x, A, n: np.linalg.norm(x) * x),
    "scipy on a device array": ("TypeError: Implicit conversion", lambda x, A, n: solve_triangular(A, A)),
    "implicit asarray": ("TypeError: Implicit conversion", lambda x, A, n: np.asarray(x) * 2),
    "an array of arrays": ("TypeError: Implicit conversion", lambda x, A, n: np.array([row.sum() for row in x])),
    "a host constant among device arrays": ("TypeError: Unsupported type", lambda x, A, n: x @ np.eye(3)),
    "a host array on the left": ("TypeError: numpy.matmul", lambda x, A, n: np.ones((2, 4)) @ x),
    "a list as an operand": ("TypeError: Unsupported type", lambda x, A, n: x * [1, 2, 3]),
    "a number of numpy's": (
        "TypeError: numpy.multiply",
        lambda x, A, n: scaled(namespace(x).library.asarray(x, dtype=namespace(x).library.float32), 0.1)),
    "out= on the host": ("TypeError: exp", lambda x, A, n: into_buffer(x)),
    "sum(where=)": (
        r"TypeError: sum\(\) got an unexpected keyword argument 'where'",
        lambda x, A, n: namespace(x).library.sum(x, where=x > 0)),
    "max(initial=)": (
        r"TypeError: ndarray.max\(\) got an unexpected keyword argument 'initial'",
        lambda x, A, n: x.max(initial=0.0)),
    "linalg.multi_dot": ("AttributeError: .* 'multi_dot'", lambda x, A, n: namespace(x).library.linalg.multi_dot([A, A, x])),
    "einsum_path": (
        "AttributeError: .* 'einsum_path'",
        lambda x, A, n: namespace(x).library.einsum_path("ij,jk", A, x)[1] and x),
    "block": ("AttributeError: .* 'block'", lambda x, A, n: namespace(x).library.block([[A, x]])),
    "insert": ("AttributeError: .* 'insert'", lambda x, A, n: namespace(x).library.insert(x, 0, 1.0, axis=1)),
    "errstate of the library": (
        "AttributeError: .* 'errstate'",
        lambda x, A, n: namespace(x).library.errstate(all="ignore") and x),
    "svd(hermitian=)": (
        r"TypeError: linalg.svd\(\) got an unexpected keyword argument 'hermitian'",
        lambda x, A, n: namespace(x).library.linalg.svd(A, hermitian=True)[1]),
    "take(mode=)": (
        r"TypeError: take\(\) got an unexpected keyword argument 'mode'",
        lambda x, A, n: namespace(x).library.take(x, n, axis=0, mode="clip")),
    "astype(object)": ("ValueError: Unsupported dtype object", lambda x, A, n: x.astype(object) * 2),
    "dtype 'g'": ("ValueError: Unsupported dtype", lambda x, A, n: x.astype("g") * 2),
    "zeros of longdouble": (
        "ValueError: Unsupported dtype",
        lambda x, A, n: namespace(x).library.zeros(3, dtype=np.longdouble) + x),
    "waiting for LinAlgError": (
        "another result",
        lambda x, A, n: damped_until(lambda xp, A: xp.library.linalg.cholesky(A))(-A)),
    "waiting for LinAlgError of inv": (
        "another result",
        lambda x, A, n: damped_until(lambda xp, A: xp.library.linalg.inv(A))(-namespace(A).eye(4))),
    "waiting for IndexError": ("another result", lambda x, A, n: clipped_rows(x, n + 9)),
    "in place on repeated rows": ("ValueError: an entry is assigned to more than once", lambda x, A, n: means_by_label(x, n)),
    "an entry as a copy": ("another result", lambda x, A, n: first_row_scaled(x)),
    "the library's random numbers": (
        "AttributeError: cupy.random",
        lambda x, A, n: x + namespace(x).library.random.default_rng(0).standard_normal(x.shape)),
    "numpy's permutation": ("TypeError: Implicit conversion", lambda x, A, n: np.random.default_rng(0).permutation(x)),
    "numpy's random numbers as operand": (
        "TypeError: Unsupported type",
        lambda x, A, n: x + np.random.default_rng(0).standard_normal(x.shape)),
    "float() in a loop": ("12 copies", lambda x, A, n: entry_by_entry(x)),
    "math on an entry": ("4 copies", lambda x, A, n: sum(math.sqrt(abs(value)) for value in x[:, 0]) * x),
    "python's max": ("3 copies", lambda x, A, n: max(x[:, 0]) * x),
    "python's sorted": ("6 copies", lambda x, A, n: sorted(x[:, 0])[0] * x),
    "an array as a length": (
        "TypeError: .* cannot be interpreted as an integer",
        lambda x, A, n: namespace(x).zeros(int(n[1]) + n[0]) + x[0, 0]),
    "range of an entry": ("TypeError: .* cannot be interpreted as an integer", lambda x, A, n: sum(x[k] for k in range(n[1]))),
    "an entry as a key": ("TypeError: unhashable", lambda x, A, n: {n[0]: x}[n[0]]),
    "isinstance of a number": (
        "ZeroDivisionError: division by zero",
        lambda x, A, n: x if isinstance(x.sum(), float) else 1 / 0),
    "writing protection": ("AttributeError: .* 'setflags'", lambda x, A, n: (x * 1).setflags(write=False) or x),
    "unstack of the library": ("AttributeError: .* 'unstack'", lambda x, A, n: __import__(type(x).__module__).unstack(x)[0]),
    "an attribute": ("AttributeError: .* 'ctypes'", lambda x, A, n: x.ctypes and x),
}

RIGHT = {
    "the library's function": lambda x, A, n: namespace(x).exp(x),
    "a reduction": lambda x, A, n: namespace(x).sum(x, axis=0) * x,
    "a constant of its own": lambda x, A, n: x @ namespace(x).eye(3),
    "a Python number": lambda x, A, n: 0.1 * x,
    "where instead of where=": lambda x, A, n: namespace(x).sum(namespace(x).where(x > 0, x, namespace(x).zeros_like(x))),
    "products one by one": lambda x, A, n: A @ A @ x,
    "failure read off the values": lambda x, A, n: damped_until(lambda xp, A: xp.cholesky(A))(-A),
    "singularity read off the values": lambda x, A, n: damped_until(lambda xp, A: xp.inv(A))(-namespace(A).eye(4)),
    "sums by a product": lambda x, A, n: namespace(x).eye(3)[n].T @ x,
    "numbers drawn beforehand": lambda x, A, n: x + namespace(x).asarray(np.random.default_rng(0).standard_normal(x.shape)),
    "a sum on the device": lambda x, A, n: (x * x).sum() * x,
    "one decision": lambda x, A, n: x if x.sum() > 0 else -x,
    "unstack of the array API": lambda x, A, n: namespace(x).library.unstack(x)[0] * 1,
    "concatenation": lambda x, A, n: namespace(x).concat([A, x], axis=1),
    "solve": lambda x, A, n: namespace(A, x).solve(A, x),
}


def arguments():
    """x (4, 3), A (4, 4) symmetric positive definite, n (4,) row numbers with a repeated one."""
    rng = np.random.default_rng(2)
    square = rng.standard_normal((4, 4))
    return rng.standard_normal((4, 3)), square @ square.T + np.eye(4), np.array([0, 2, 1, 2])


def caught(cupy, function, budget):
    """What the guard says to a function that works on NumPy: nothing, an error, another result, or how often it asked."""
    with np.errstate(all="ignore"):
        expected = function(*arguments())
    device = moved(arguments(), cupy)
    cupy._rules.copies.clear()
    try:
        found = function(*device)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if cupy._rules.copies["to host"] > budget:
        return f"{cupy._rules.copies['to host']} copies"
    return "" if leaves(found) == leaves(expected) else "another result"


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_caught(cupy, name):
    reason, function = SLIPS[name]
    assert re.match(reason, caught(cupy, function, BUDGET))


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_routine_passes(cupy, name):
    assert caught(cupy, RIGHT[name], 12 if "values" in name else BUDGET) == ""
