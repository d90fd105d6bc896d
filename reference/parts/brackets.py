"""A root inside a bracket, and what rounding may do: shared by the ways to solve a cubic problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...arrays import namespace

Array = Any


class Unproved(ArithmeticError):
    """What was found leaves more of ∇T(η) than rounding may: η may have no digit right."""


def crossing(newton: Callable[[Any], tuple[Any, Any, Any]], high: Any, eps: Any) -> Any:
    """The x in (0, high] at which a falling function is 0, by Newton's method inside a bracket.

    Ends     where a step is rounding; where no number lies inside the bracket; or where Newton's method leaves it because the
             function is rounding.
    Takes    newton: x to the function there, what rounding may have made of it, and Newton's next x.
    """
    x, low = high, 0 * high
    for _ in range(MOST):
        value, doubt, new = newton(x)
        if not bool(abs(new - x) > eps * x):
            return new
        low, high = (x, high) if bool(value > 0) else (low, x)
        if not (bool(new > low) and bool(new < high)):
            new = (low + high) / 2 if bool(low > 0) else high / 16
            if bool(abs(value) <= doubt) or not (bool(new > low) and bool(new < high)):
                return x
        x = new
    raise Unproved(f"root: expected convergence in {MOST} steps because Newton's method is kept in a bracket, "
                   f"got one from {low} to {high}")


MOST = 1000
"""Steps, after which a bracket has not closed."""


def norm(x: Array) -> Any:
    """‖x‖ of x (n,), without overflow."""
    xp = namespace(x)
    scale = xp.max(abs(x))
    return scale * xp.sqrt(xp.sum((x / scale) ** 2)) if bool(scale > 0) else scale


def roundoff(xp: Any, n: int) -> Any:
    """8n unit roundoffs: what the eigenvectors of an (n, n) matrix, or a sum of n products, may be off by, relative to its size."""
    return 8 * n * xp.u
