"""What floats must do to the last bit: leave their inputs alone, answer twice alike, and carry powers of two through.

A power of two changes no mantissa. A formula that respects the units of its inputs therefore gives the same bits, scaled; a hidden
threshold, a damping in the wrong unit or an ε does not. Judged in floats unless the caller says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from . import strategies
from .trial import Trial, drawn_from

Array = Any


@drawn_from(strategies.curved_pairs(), arithmetic="float64")
def pure(update: Callable[..., Array], H: Array, s: Array, y: Array) -> None:
    """R (2.6), (2.11) as functions: they write to none of their inputs, hand none of them back, and answer twice alike.

    Takes    update(H, s, y) -> an array, such as a quasi-Newton update; H (n, n), s, y (n,).
    Catches  H += …, a buffer that is used again, an answer that is a view of an input, hidden state.
    """
    trial = Trial(H=H, s=s, y=y)
    mine = [np.copy(x) for x in (H, s, y)]
    first = update(*mine)
    kept = np.copy(first)
    for name, before, after in zip("Hsy", (H, s, y), mine, strict=True):
        if not np.array_equal(before, after):
            trial.fail(f"{name} is left as it was", **{f"{name} afterwards": after})
        if isinstance(first, np.ndarray) and np.shares_memory(first, after):
            trial.fail(f"the answer has memory of its own, not {name}'s")
    second = update(*(np.copy(x) for x in (H, s, y)))
    if not np.array_equal(kept, second):
        trial.fail("the second answer is the first", first=kept, second=second)
    if not np.array_equal(kept, first):
        trial.fail("the first answer stays as it was", before=kept, after=first)


@drawn_from(strategies.rescaled_pairs(), arithmetic="float64")
def update_power_of_two(update: Callable[..., Array], H: Array, s: Array, y: Array, c: Any, d: Any) -> None:
    """R (2.6), (2.11) in other units: update((c/d)H, cs, dy) = (c/d) update(H, s, y), bit for bit for powers of two c, d.

    Takes    update(H, s, y) -> H⁺ (n, n), of an inverse Hessian; sᵀy > 0.
    Catches  an ε in a denominator, a skip with an absolute threshold, H clipped or shifted.
    """
    _same(Trial(H=H, s=s, y=y, c=c, d=d), update, (H, s, y), (c / d, c, d), (c / d,))


@drawn_from(strategies.rescaled_damping(), arithmetic="float64")
def damping_power_of_two(damp: Callable[..., tuple[Array, Array]], s: Array, y: Array, H: Array, mu1: Any, mu2: Any,
                         c: Any) -> None:
    """R Algorithm 3 with s and y in another unit: damp(cs, cy, H) = c damp(s, y, H), bit for bit for a power of two c.

    Takes    damp(s, y, H, mu1=μ₁, mu2=μ₂) -> (s̃, ỹ), each (n,); Algorithm 8 has the same law.
    Catches  an ε in a weight's denominator, "no damping" below an absolute threshold.
    """
    trial = Trial(s=s, y=y, H=H, mu1=mu1, mu2=mu2, c=c)
    _same(trial, lambda s, y, H: damp(s, y, H, mu1=mu1, mu2=mu2), (s, y, H), (c, c, 1), (c, c))


@drawn_from(strategies.rescaled_smw(), arithmetic="float64")
def smw_power_of_two(solver: Callable[..., Array], lam: Any, J: Array, H: Array, g: Array, N2: int, c: Any, d: Any) -> None:
    """R (5.6), (5.7) in other units: J times c, λ times c², g times d give x times d/c², bit for bit for powers of two c, d.

    Takes    solver(lam, J, H, g, N2=N₂) -> x (n,), as `smw.smw_with_inverse`.
    Catches  a ridge beside λ, a pseudo-inverse with an absolute cut-off, λ in the wrong unit (√λ, λ/N₂ twice).
    """
    trial = Trial(lam=lam, J=J, H=H, g=g, N2=N2, c=c, d=d)
    _same(trial, lambda lam, J, H, g: solver(lam, J, H, g, N2=N2), (lam, J, H, g), (c * c, c, 1, d), (d / (c * c),))


def _same(trial: Trial, function: Callable[..., Any], inputs: tuple[Any, ...], units: tuple[Any, ...],
          out: tuple[Any, ...]) -> None:
    """function of the inputs, each times its unit, = that of the inputs, times the units `out`."""
    plain, scaled = (trial.call(function, *these) for these in
                     (inputs, tuple(x * unit for x, unit in zip(inputs, units, strict=True))))
    plain, scaled = (answer if isinstance(answer, tuple) else (answer,) for answer in (plain, scaled))
    for i, (one, other, unit) in enumerate(zip(plain, scaled, out, strict=True)):
        if not np.array_equal(np.asarray(one) * unit, np.asarray(other)):
            trial.fail(f"answer {i + 1} in the other units is {Fraction(unit)} times the answer, bit for bit",
                       expected=np.asarray(one) * unit, answer=np.asarray(other))
