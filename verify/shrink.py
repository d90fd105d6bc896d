"""The smallest case on which a candidate still goes wrong in the same line: fewer steps, fewer examples, narrower layers.

A smaller case is made of pieces of the larger one's arrays, so that nothing new comes in. Among all that are tried the first that
still fails is taken, again and again, until none does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .. import nets
from ..nets.records import Act, Dense
from .case import Case, batches_of
from .replay import Line

TRIES = 60
"""Runs of the candidate that shrinking may take: each is a few milliseconds for a plain program."""


SHOWN = 24
"""Numbers that are written out."""


class Smallest(NamedTuple):
    """A case, and the first line of its that fails."""

    case: Case
    line: Line


def shrunk(case: Case, first: Line, failing: Callable[[Case], Line | None]) -> Smallest:
    """The smallest case found, from one on which `first` is the first failing line.

    Takes    failing: the first failing line of a case, or None; it may raise where the candidate or the reference cannot go on.
    """
    found, tries = Smallest(case, first), 0
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(found.case, found.line.step):
            tries += 1
            if tries > TRIES:
                return found
            try:
                smaller.check()
                line = failing(smaller)
            except (ValueError, TypeError, ArithmeticError, IndexError):
                continue
            if line is not None and line.name == first.name:
                found, progress = Smallest(smaller, line), True
                break
    return found


def _smaller(case: Case, step: int) -> Iterator[Case]:
    """Smaller cases, the boldest first; `step` is that of the failure."""
    batches = case.batches
    if len(batches) > max(step, 1):
        yield replace(case, batches=batches[:max(step, 1)])
    for k in range(len(batches)):
        if len(batches) > 1:
            yield replace(case, batches=batches[:k] + batches[k + 1:])
    N = max(len(batch.x) for batch in (*batches, *batches_of(case.data)))
    for n in _below(N):
        yield replace(case, batches=tuple(_first(batch, n) for batch in batches),
                      data=tuple(_first(batch, n) for batch in batches_of(case.data)))
    for widths in _narrower(case):
        yield _narrow(case, widths)


def _first(batch: nets.Batch, n: int) -> nets.Batch:
    """The first n examples; of row numbers those that are still there."""
    curvature = batch.curvature
    if isinstance(curvature, nets.Batch):
        curvature = _first(curvature, n)
    elif curvature is not None:
        curvature = curvature[curvature < n] if (curvature < n).any() else curvature[:1] * 0
    return nets.Batch(batch.x[:n], batch.y[:n], None if batch.y_sampled is None else batch.y_sampled[:n], curvature)


def widths_of(case: Case) -> tuple[int, ...]:
    """d_0, d_1, …, d_L of a multilayer perceptron; () of other nets."""
    if any(not isinstance(record, Dense | Act) for record in case.model.layers):
        return ()
    return (*case.model.input_shape, *(layer[1].shape[0] for layer in case.params))


def _narrower(case: Case) -> Iterator[tuple[int, ...]]:
    widths = widths_of(case)
    most = max(widths, default=0)
    for d in _below(most):
        yield tuple(min(d, width) for width in widths)
    for l, width in enumerate(widths):
        for d in _below(width):
            yield (*widths[:l], d, *widths[l + 1:])


def _below(n: int) -> list[int]:
    """Smaller positive numbers than n, the boldest first."""
    return [d for d in dict.fromkeys((1, 2, n // 2, n - 1)) if 0 < d < n]


def _narrow(case: Case, widths: tuple[int, ...]) -> Case:
    """The multilayer perceptron cut down to these widths, with the first rows and columns of its arrays."""
    left = iter(widths[1:])
    records = tuple(Dense(next(left)) if isinstance(record, Dense) else record for record in case.model.layers)
    params = tuple(nets.Layer(W[:d_out, :d_in], b[:d_out])
                   for (W, b), d_in, d_out in zip(case.params, widths, widths[1:], strict=False))

    def targets(y: Any) -> Any:
        return y if y is None or y.ndim == 1 else y[:, :widths[-1]]

    def cut(batch: nets.Batch) -> nets.Batch:
        curvature = cut(batch.curvature) if isinstance(batch.curvature, nets.Batch) else batch.curvature
        return nets.Batch(batch.x[:, :widths[0]], targets(batch.y), targets(batch.y_sampled), curvature)

    return replace(case, model=nets.cnn(widths[:1], records, case.model.loss), params=params,
                   data=tuple(map(cut, batches_of(case.data))), batches=tuple(map(cut, case.batches)))


def described(found: Smallest) -> tuple[str, ...]:
    """The smallest case in words, with its numbers where they are few."""
    case, line = found
    widths = widths_of(case)
    net = f"widths {'-'.join(map(str, widths))}" if widths else f"the net of case {case.name}"
    sizes = ", ".join(str(len(batch.x)) for batch in case.batches)
    activations = ", ".join(record.name for record in case.model.layers if isinstance(record, Act)) or "no activation"
    arrays: dict[str, Any] = {f"{name}_{l}": tensor for l, layer in enumerate(case.params, 1)
                              for name, tensor in layer._asdict().items()}
    for k, batch in enumerate(case.batches, 1):
        arrays |= {f"{name}({k})": value for name, value in batch._asdict().items() if isinstance(value, np.ndarray)}
    return (f"{net} ({activations}; {case.model.loss}), batches of {sizes}; step {line.step}", *_numbers(arrays),
            f"observed {line.observed:.17g}, expected {line.expected:.17g}")


def of_call(name: str, arguments: dict[str, Any], line: Line) -> tuple[str, ...]:
    """A call of a procedure in words, with its numbers where they are few."""
    return (f"input {name}", *_numbers(arguments), f"observed {line.observed:.17g}, expected {line.expected:.17g}")


def _numbers(arrays: dict[str, Any]) -> list[str]:
    """One line an array, where all of them together have few entries."""
    if sum(np.size(array) for array in arrays.values()) > SHOWN:
        return []
    return [f"{name} = {np.array2string(np.asarray(array), separator=', ', floatmode='unique')}".replace("\n", "")
            for name, array in arrays.items()]
