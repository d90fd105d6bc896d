"""An algorithm as what each line reads and writes, so that a name that is used before it has a value is seen."""

from __future__ import annotations

from typing import NamedTuple

from ..checks import Outcome


class Line(NamedTuple):
    """A printed line: its number, the names it reads and writes; `every`: the period with which it runs, by name."""

    number: int
    reads: str
    writes: str
    every: str = "1"


def dataflow(given, before, loop, periods=None, steps=4):
    """Runs t = 1, 2, … on names alone: `given` has a value from the start, `before` runs once, `loop` at each t ≡ 0 mod its period.

    Takes    given: names, separated by spaces; periods: what T_1 and T_2 are, such as {"T_1": 2, "T_2": 3}.
    """
    periods = {"1": 1} | (periods or {})

    def claim():
        known = set(given.split())
        for t, lines in enumerate([before, *[loop] * steps]):
            for line in lines:
                if t % periods[line.every]:
                    continue
                missing = set(line.reads.split()) - known
                if missing:
                    return Outcome(f"t = {t}, line {line.number}: no value for {', '.join(sorted(missing))}"
                                   f"{', T_2 = ' + str(periods['T_2']) if 'T_2' in periods else ''}")
                known |= set(line.writes.split())
        return Outcome(detail=f"{steps} steps")
    return claim


def lacking(lines, number):
    """The lines without one."""
    return tuple(line for line in lines if line.number != number)


def moved(lines, number, to):
    """The lines with one moved before another."""
    line = next(line for line in lines if line.number == number)
    rest = lacking(lines, number)
    place = next(i for i, other in enumerate(rest) if other.number == to)
    return (*rest[:place], line, *rest[place:])
