"""The reference itself as a candidate: what it shows is a sample of what the judge can be shown, and of how it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...arrays import is_array, map_arrays
from ...reference import METHODS
from ...reference.parts.kronecker import of_layers, of_norms
from ...reference.parts.lbfgs import Memory
from ..case import Case


def reference(case: Case, move: Callable[[Any], Any] = lambda array: array, fetch: Callable[[Any], Any] = lambda array: array,
              ) -> Iterator[dict[str, Any]]:
    """Everything that the reference computes on a case: the initial state, then one dict a step.

    Takes    move: brings the case's arrays to where they are computed on; fetch: brings results back, as NumPy arrays.
    """
    method = METHODS[case.method]
    params, data, batches = map_arrays(move, (case.params, case.data, case.batches))
    state = method.init(case.model, params, data, case.hyper)
    yield map_arrays(fetch, shown(params, state))
    for batch in batches:
        params, state, trace = method.step(case.model, params, state, batch, case.hyper)
        yield map_arrays(fetch, shown(params, state, trace))


def shown(params: Any, *records: Any) -> dict[str, Any]:
    """Parameters and the fields of a State or Trace by the names that the judge knows; the pairs of a Memory as S and Y."""
    found = {name: list(value) if isinstance(value, tuple) else value for record in records
             for name, value in record._asdict().items() if is_array(value) or isinstance(value, tuple)}
    for name in ("theta", "W", "norm"):
        found.pop(name, None)
    for name in [name for name, values in found.items() if isinstance(values, list) and values and isinstance(values[0], Memory)]:
        memories = found.pop(name)
        found |= {"S": [memory.S for memory in memories], "Y": [memory.Y for memory in memories]}
    for kind in (of_layers(params, params), of_norms(params, params)):
        found |= {name: [getattr(layer, name) for layer in kind] for layer in kind[:1] for name in layer._fields}
    return found
