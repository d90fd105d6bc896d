"""An algorithm as lines that read and write names: is every name defined before it is read, and do the shapes of products match?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..checks import Outcome


class Line(NamedTuple):
    """A printed line.

    number    as printed.
    reads     names, in any order.  writes  names.
    products  chains of names that are multiplied, the last one the result: ("H_G", "DW", "H_A", "p").
    every     the period, by name, of a line that not every step executes; "start" for one before the loop.
    """

    number: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    products: tuple[tuple[str, ...], ...] = ()
    every: str = ""


def followed(given: Sequence[str], lines: Sequence[Line], shapes: Mapping[str, tuple[str, str]] | None = None,
             periods: Mapping[str, int] | None = None, steps: int = 6) -> Callable[[], Outcome]:
    """A claim: the lines, followed for some steps, read nothing that was not written, and multiply what fits.

    Takes    shapes: rows and columns by name, of what is multiplied; periods: a length for each period, 1 if absent.
    """
    def claim() -> Outcome:
        known = set(given)
        for k in range(steps + 1):
            for line in lines:
                started = line.every == "start"
                if started != (k == 0) or (not started and k % (periods or {}).get(line.every, 1)):
                    continue
                missing = [name for name in line.reads if name not in known]
                if missing:
                    return Outcome(f"step {k}, line {line.number}: {missing[0]} has no value yet")
                known |= {*line.writes}
        for line in lines:
            for *chain, result in line.products:
                sizes = [(shapes or {})[name] for name in chain]
                found = sizes[0][0], sizes[-1][1]
                if any(left[1] != right[0] for left, right in itertools.pairwise(sizes)) or found != (shapes or {})[result]:
                    return Outcome(f"line {line.number}: {' '.join(chain)} with {sizes} is no {result}")
        return Outcome(detail=f"{steps} steps")
    return claim
