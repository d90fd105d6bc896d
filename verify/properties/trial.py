"""What all properties share: how a check is fed (`Property`, `run`), and how it compares (`Trial`).

A check runs in the arithmetic of its inputs. On exact rationals, equal means equal, to the last digit. On floats, whose bits
the check takes for exact numbers too, equal means: up to half of the digits, relative to the terms of the equation. The inputs
are drawn small and well conditioned, so that rounding stays far below that and a wrong formula far above.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import update_wrapper
from typing import Any

import flint
import mpmath
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from ... import arrays
from .polynomials import Polynomial
from .rational import exact, is_semidefinite, size

Array = Any


class Property:
    """A check `(candidate, *inputs)` that raises AssertionError, together with the strategy that draws its inputs.

    `some_property(candidate, *inputs)` judges one input; `some_property(candidate)` draws inputs and judges them all, as `run`
    does; `@given(some_property.inputs)` feeds tuples of inputs to a Hypothesis test of your own.
    """

    def __init__(self, check: Callable[..., None], inputs: SearchStrategy[tuple[Any, ...]], arithmetic: str) -> None:
        self.check, self.inputs, self.arithmetic = check, inputs, arithmetic
        update_wrapper(self, check)

    def __call__(self, candidate: Any, *inputs: Any, **options: Any) -> None:
        """Judge `candidate` on these inputs, or without any on drawn ones (options as in `run`)."""
        if inputs:
            self.check(candidate, *inputs)
        else:
            run(self, candidate, **options)

    def __repr__(self) -> str:
        return f"<property {self.check.__module__.rpartition('.')[2]}.{self.check.__name__}>"


def drawn_from(inputs: SearchStrategy[tuple[Any, ...]],
               arithmetic: str = "fraction") -> Callable[[Callable[..., None]], Property]:
    """Turn a check into a `Property` fed by `inputs`, in `arithmetic` unless the caller of `run` asks for another."""
    return lambda check: Property(check, inputs, arithmetic)


def run(prop: Property, candidate: Any, *, examples: int = 100, arithmetic: str | None = None, shrink: bool = True) -> None:
    """Draw inputs and judge `candidate` on each; the same inputs at every call.

    Takes    arithmetic: "fraction" (exact, the default of nearly all), "fmpq", "mpf", "float64" or "float32": what the
             candidate is given, and so what it should compute in; shrink: look for the simplest failing input first.
    Raises   AssertionError with the equation that fails, both sides and the inputs; what the candidate raises passes through.
    """
    @settings(max_examples=examples, derandomize=True, database=None, deadline=None, report_multiple_bugs=False,
              suppress_health_check=list(HealthCheck), phases=[Phase.generate, *([Phase.shrink] if shrink else [])])
    @given(prop.inputs)
    def every_input(inputs: tuple[Any, ...]) -> None:
        prop.check(candidate, *cast(inputs, arithmetic or prop.arithmetic))

    every_input()


def cast(tree: Any, arithmetic: str) -> Any:
    """Arrays, rational numbers and polynomials in nested tuples and lists, in another arithmetic; the rest stays as it is."""
    if isinstance(tree, tuple | list):
        return type(tree)(cast(branch, arithmetic) for branch in tree)
    if isinstance(tree, Polynomial):
        return Polynomial({powers: cast(c, arithmetic) for powers, c in tree.terms.items()}, tree.variables)
    if isinstance(tree, Fraction):
        return arrays.cast(np.array([tree], dtype=object), arithmetic)[0]
    return arrays.cast(tree, arithmetic) if isinstance(tree, np.ndarray) else tree


class Trial:
    """One input of one check: its exact values, the candidate's answers made exact, and comparisons that say what failed.

    `arithmetic` is that of the inputs, and `slack` what it allows relative to the terms compared: 0 for exact numbers, else 2
    to the minus half the bits of the mantissa.
    """

    def __init__(self, **inputs: Any) -> None:
        self.inputs = inputs
        self.arithmetic = next((kind for value in inputs.values() for kind in _kinds(value)), "fraction")
        self.slack = Fraction(1, 2 ** (_bits(self.arithmetic) // 2)) if self.arithmetic in _BITS else Fraction(0)
        self._exact = tuple(_exactly(value) for value in inputs.values())

    def exact(self) -> tuple[Any, ...]:
        """The inputs in order, arrays and numbers as exact rationals."""
        return self._exact

    def given(self, value: Any) -> Any:
        """An exact value, computed by the check, in the arithmetic of the inputs."""
        return cast(value, self.arithmetic)

    def call(self, candidate: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
        """What the candidate answers to copies of these inputs (a candidate may work in place)."""
        return candidate(*arrays.map_arrays(np.copy, inputs), **options)

    def array(self, name: str, value: Any, *shape: int) -> Array:
        """The candidate's `value` as an exact array, after its shape and its numbers have been looked at."""
        if tuple(np.shape(value)) != shape:
            self.fail(f"{name} has shape {shape}", shape=tuple(np.shape(value)))
        if not self.slack and any(kind in _BITS for kind in _kinds(value)):
            self.fail(f"{name} stays in exact arithmetic (arithmetic='float64' judges float code)", **{name: value})
        try:
            return exact(value)
        except (TypeError, ValueError) as error:
            return self.fail(f"{name} consists of finite real numbers ({error})", **{name: value})

    def arrays(self, names: str, values: Any, *shapes: tuple[int, ...]) -> list[Array]:
        """The same for several: `names` with blanks between, a tuple of values, a shape for each."""
        if not hasattr(values, "__len__") or len(values) != len(shapes):
            self.fail(f"the answer is ({names.replace(' ', ', ')})", answer=values)
        return [self.array(name, value, *shape) for name, value, shape in zip(names.split(), values, shapes, strict=True)]

    def equal(self, equation: str, left: Any, right: Any, scale: Any = 0) -> None:
        """Demand left = right; on floats up to slack times the largest of both sides and `scale`, the terms they consist of."""
        if size(left - right) > self.slack * size(left, right, scale):
            self.fail(equation, left=left, right=right)

    def at_most(self, inequality: str, left: Any, right: Any, scale: Any = 0) -> None:
        """Demand left <= right, two numbers, with the same slack."""
        if left - right > self.slack * size(left, right, scale):
            self.fail(inequality, left=left, right=right)

    def semidefinite(self, claim: str, M: Array, scale: Any = 0) -> None:
        """Demand that the symmetric M be positive semidefinite; on floats with slack times the terms added to its diagonal."""
        M = (M + M.T) / 2
        if not is_semidefinite(M + self.slack * size(M, scale) * np.eye(len(M), dtype=int)):
            self.fail(claim, M=M)

    def fail(self, claim: str, **sides: Any) -> Any:
        """Raise AssertionError: the claim, its sides, the inputs."""
        facts = {**sides, "arithmetic": self.arithmetic, **self.inputs}
        lines = [f"  {name} = {_text(value)}" for name, value in facts.items()]
        raise AssertionError("\n".join([f"does not hold: {claim}", *lines]))


_BITS = {"float32": 24, "float64": 53, "mpf": None}
_SCALARS = {flint.fmpq: "fmpq", mpmath.mpf: "mpf", float: "float64"}


def _bits(arithmetic: str) -> int:
    return _BITS[arithmetic] or mpmath.mp.prec


def _kinds(value: Any) -> Any:
    """The arithmetics other than Fraction and integers that occur in a number, an array, a polynomial, a sequence of them."""
    if isinstance(value, Polynomial):
        value = list(value.terms.values())
    if isinstance(value, tuple | list):
        for entry in value:
            yield from _kinds(entry)
    elif str(getattr(value, "dtype", "object")) != "object":
        yield from (kind for kind in _BITS if str(value.dtype).endswith(kind))
    else:
        for entry in np.ravel(np.asarray(value, dtype=object)):
            yield from (kind for scalar, kind in _SCALARS.items() if isinstance(entry, scalar))


def _exactly(value: Any) -> Any:
    if isinstance(value, Polynomial):
        return Polynomial({powers: exact(c) for powers, c in value.terms.items()}, value.variables)
    if isinstance(value, tuple | list):
        return type(value)(_exactly(entry) for entry in value)
    return value if isinstance(value, int) else exact(value)


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(_text(entry) for entry in value) + "]" if value.ndim else _text(value.item())
    if isinstance(value, tuple | list):
        return "(" + ", ".join(_text(entry) for entry in value) + ")"
    return str(value)
