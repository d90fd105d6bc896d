"""A quantity that is a constant times what its line gives, or its transpose: said with the factor's name where it has one.

The dictionary of conventions rewrites lines; this looks at the numbers alone, so that it finds wrong scales and signs wherever they
come from. "Constant" is up to half of the digits, far above rounding and far below what tells one name from another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import nets
from ..reference import METHODS
from ..reference.parts.kronecker import of_layers
from .case import Case, batches_of
from .replay import Line, by_tensor

LEAST = 3
"""Entries that are not 0, below which any ratio is constant by accident."""

HALF = {"float64": 2.0**-26, "float32": 2.0**-12}
"""Half of the digits."""


def factor(judged: Sequence[tuple[Case, tuple[Line, ...]]]) -> str:
    """What explains the first failing quantity in every case that shows it, in words; "" where nothing does.

    Takes    judged: every case with all its comparisons. Of a case, those of the quantity in the first step in which it fails have
             to agree, where they fail. (Later steps go on from the candidate's numbers, of which a factor is but a part.)
    """
    name, tag = next(((line.name, line.tag) for _, lines in judged for line in lines if line.verdict == "FAIL"), ("", ""))
    common: set[str] | None = None
    entries = 0
    for case, lines in judged:
        shown = [line for line in lines if line.name == name and line.informative]
        failing = [line for line in shown if line.verdict == "FAIL"]
        if shown and not failing:
            return ""
        for line in failing:
            if line.step == failing[0].step:
                common = _names(case, line) if common is None else common & _names(case, line)
                entries += int(np.count_nonzero(line.values[1]))
    if not common or entries < LEAST:
        return ""
    return f"{name} is {' or '.join(sorted(common, key=lambda text: (len(text), text))[:4])} what {place(tag)} gives"


def place(tag: str) -> str:
    """A tag as the sentences of explanations have it."""
    return "the initial state" if tag == "initial state" else f"line {tag}"


def _names(case: Case, line: Line) -> set[str]:
    """What the observed array is of the expected one."""
    observed, expected = map(np.asarray, line.values)
    if observed.shape != expected.shape or observed.dtype.kind != "f" or not np.isfinite(observed).all():
        return set()
    ratio = _ratio(observed, expected)
    names = {f"{text} times" for text, value in _named(case, line) if ratio is not None and _close(ratio, value)}
    if observed.ndim == 2 and observed.shape[0] == observed.shape[1] and _same(observed, expected.T):
        names.add("the transpose of")
    return names


def _ratio(observed: np.ndarray, expected: np.ndarray) -> Any:
    """The c with observed = c · expected, or None."""
    if not expected.any():
        return None
    at = np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
    if not observed[at]:
        return None
    c = float(observed[at]) / float(expected[at])
    return c if _same(observed, c * expected) else None


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    return bool(np.max(np.abs(x - y), initial=0) <= HALF[str(x.dtype)] * np.max(np.abs(y), initial=0))


def _close(a: float, b: float) -> bool:
    return math.isfinite(b) and abs(a - b) <= HALF["float32"] / 64 * abs(b)


def _named(case: Case, line: Line) -> Iterator[tuple[str, float]]:
    """Factors with a name and their negatives, at the step and layer of a line: N examples, m outputs, P positions, the Hyper."""
    seen = [case.batches[line.step - 1]] if line.step else batches_of(case.data)
    batch = seen[0]
    sizes: dict[str, float] = {"N": sum(len(part.x) for part in seen), "m": nets.layer_shapes(case.model)[-1][0]}
    curvature = batch.curvature
    if curvature is not None:
        sizes["N₂"] = len(curvature.x if isinstance(curvature, nets.Batch) else curvature)
    positions = nets.positions(case.model)
    positions = tuple(P for P, layer in zip(positions, case.params, strict=True) for _ in layer) \
        if by_tensor(METHODS[case.method]) else of_layers(case.params, positions)
    if line.index < len(positions):
        sizes["P"] = positions[line.index]
    yield from _signed("1", 1.0, plain=False)
    for text, value in (("2", 2), ("1/2", 1 / 2), ("3", 3), ("1/3", 1 / 3), ("6", 6), ("1/6", 1 / 6), ("4", 4), ("1/4", 1 / 4)):
        yield from _signed(text, value)
    for text, n in sizes.items():
        if n > 1:
            for form, value in ((text, n), (f"1/{text}", 1 / n), (f"{text}²", n * n), (f"1/{text}²", n**-2), (f"√{text}", n**0.5),
                                (f"1/√{text}", n**-0.5), (f"1 − 1/{text}", 1 - 1 / n), (f"{text}/({text} − 1)", n / (n - 1))):
                yield from _signed(form, value)
    for text, x in case.hyper._asdict().items():
        if isinstance(x, int | float) and not isinstance(x, bool) and x > 0 and x != 1:
            yield from _signed(text, x)
            yield from _signed(f"1/{text}", 1 / x)
            yield from _signed(f"√{text}", x**0.5)
            yield from _signed(f"1/√{text}", x**-0.5)
            if x < 1:
                yield from _signed(f"1 − {text}", 1 - x)
                yield from _signed(f"1/(1 − {text})", 1 / (1 - x))
                yield from _signed(f"(1 − {text})/{text}", (1 - x) / x)
                yield from _signed(f"{text}/(1 − {text})", x / (1 - x))


def _signed(text: str, value: float, plain: bool = True) -> Iterator[tuple[str, float]]:
    if plain and _close(abs(value), 1):
        return                                                        # such as (1 − x)/x where x is 1/2, or 1 − ε
    if plain:
        yield text, value
    yield f"−({text})" if " − " in text else f"−{text}", -value
