"""What a call or a run gives, to be written down: values in high precision, rounded once, and how far floats may be from them.

Values come from the reference's own source on plain 180-bit numbers. Bands come from the same source on `Banded` numbers in
either dtype, carried through the whole call or run, since nothing restarts from a candidate's bits here. What is written must
not hang on the machine: values are computed a second time with more bits and must round alike, and a band is written as the
next power of two, so that the last bits of its own arithmetic do not show.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ...arrays import cast, map_arrays, precision
from ...arrays.errors import expect
from ...reference import METHODS
from ..adapters.reference import shown
from ..bands import BITS, Banded, Bands, Paths, every_path
from ..case import Case, flat
from ..equivalents import WIDER
from ..procedures import Inputs, Procedure
from ..replay import INFORMATIVE, PAPER, ROOM, Convention, hull, started
from ..source import instrument
from .format import EXACT, UNBOUNDED, number, value_of

MORE_BITS = 260
"""The precision of the second computation."""

SWEEPS = 10
"""Jacobi's method converges quadratically: to float64 in 4 to 6 sweeps."""

DIGITS = 200
"""The longest "p/q" that is written down."""

SMALL = 12
"""Calls on more numbers have no short quotients."""

Found = dict[str, Any]
"""Quantity to one array, or to a list of them."""


class Steady(Bands):
    """`Bands` whose eigenvectors come from Jacobi's rotations in Python's own floats: the same bits on every machine."""

    def eigen(self, A: Any) -> Any:
        """Eigenvalues (n,), ascending, and eigenvectors (n, n), by columns, of a symmetric float64 matrix A (n, n)."""
        n, a, q = len(A), A.tolist(), np.eye(len(A)).tolist()
        for _, i, j in product(range(SWEEPS), range(n), range(n)):
            if i < j and a[i][j]:
                half = (a[j][j] - a[i][i]) / (2 * a[i][j])
                t = math.copysign(1, half) / (abs(half) + math.sqrt(1 + half * half))
                c = 1 / math.sqrt(1 + t * t)
                s = t * c
                for row in (*a, *q):
                    row[i], row[j] = c * row[i] - s * row[j], s * row[i] + c * row[j]
                a[i], a[j] = ([c * x - s * y for x, y in zip(a[i], a[j], strict=True)],
                              [s * x + c * y for x, y in zip(a[i], a[j], strict=True)])
                a[i][j] = a[j][i] = 0.0
        w = np.array([a[i][i] for i in range(n)])
        order = np.argsort(w, kind="stable")
        return w[order], np.array(q).reshape(n, n)[:, order]


class Plain(Steady):
    """The values alone: every band is 0 and no decision open."""

    def __init__(self) -> None:
        super().__init__("float64", Paths())
        self.u = self.smallest = 0.0

    def rounded(self, v: Any, e: Any, *, may_underflow: bool = False) -> Banded:
        """v, without an error."""
        return Banded(v, np.zeros(np.shape(v)), self)


class Written(NamedTuple):
    """Everything that is known of one result: values at two precisions, bands in two dtypes (None where there are none)."""

    values: Banded
    again: Banded
    float64: Banded | None
    float32: Banded | None


def call(procedure: Procedure, inputs: Inputs) -> Found:
    """What a procedure gives on these inputs, as JSON: quantities by name."""
    def on(space: Bands) -> Found:
        return _hulled(space, lambda: _called(procedure, inputs, space))

    found = _four(lambda space: [on(space)])[0]
    exact = _rational(procedure, inputs)
    for name in exact:
        found[name] |= {"exact": exact[name]}
    return found


def run(case: Case, convention: Convention = PAPER) -> list[Found]:
    """What a method gives on a case, as JSON: quantities by name, of the initial state and after each step."""
    return _four(lambda space: list(_steps(case, convention, space)))


def _four(evaluate: Any) -> list[Found]:
    """The results at both precisions and with both bands, written down together."""
    with precision(BITS), np.errstate(all="ignore"):     # bands that overflow are unbounded
        values, wide, wider = evaluate(Plain()), evaluate(Steady("float64", Paths())), evaluate(Steady("float32", Paths()))
    with precision(MORE_BITS):
        again = evaluate(Plain())
    written = []
    for k, step in enumerate(values):
        others = [run[k] if k < len(run) else {} for run in (again, wide, wider)]
        written.append({name: _written(name, value, *(other.get(name) for other in others)) for name, value in step.items()})
    return written


def _called(procedure: Procedure, inputs: Inputs, space: Bands) -> Found:
    args, kwargs = map_arrays(space.asarray, inputs.args), map_arrays(space.asarray, inputs.kwargs)
    found = traced(procedure, args, kwargs, space.lift)
    widths = [equivalent(*args, **kwargs).e for equivalent in procedure.equivalents]
    if widths:
        result = found["result"]
        found["result"] = Banded(result.v, np.maximum.reduce([result.e, *widths]), space)
    return found


def traced(procedure: Procedure, args: Any, kwargs: Any, lift: Any) -> Found:
    """Every tagged quantity of one call in order of computation, and what is handed back, each through `lift`.

    Taken when the call has ended: lists that it fills are full then.
    """
    found: Found = {}

    def stop(tag: str, function: str, name: Any, value: Any) -> Any:
        if function == procedure.function:
            found.update(zip(name, value, strict=True) if isinstance(name, tuple) else {name: value})
        return value

    source = instrument(procedure.module, stop, {})
    source |= dict(procedure.on_bands)
    result = source[procedure.function](*args, **kwargs)
    found |= {name: getattr(result, name) if procedure.fields() else result for name in procedure.shown()}
    return {name: list(map(lift, flat(found[name]))) if isinstance(found[name], list | tuple) else lift(found[name])
            for name in procedure.names() if name in found}


def _rational(procedure: Procedure, inputs: Inputs) -> dict[str, list[str]]:
    """The quantities that are quotients of integers with texts of at most `DIGITS` characters; of small arguments only."""
    if procedure.on_bands or size(inputs.args) > SMALL:
        return {}
    given = (inputs.args, {name: Fraction(x) if isinstance(x, float) else x for name, x in inputs.kwargs.items()})
    try:
        args, kwargs = cast(given, "fraction")
        args = tuple(Fraction(x) if isinstance(x, float) else x for x in args)
        found = traced(procedure, args, kwargs, lambda value: value)
    except (ArithmeticError, ValueError):                        # a root; an infinity, or nan
        return {}
    texts = {name: [str(Fraction(x)) for x in np.asarray(value, dtype=object).reshape(-1)]
             for name, value in found.items() if not isinstance(value, list)}
    return {name: entries for name, entries in texts.items() if max(map(len, entries), default=0) <= DIGITS}


def size(tree: Any) -> int:
    """How many entries the arrays of a tree have together."""
    sizes = [0]
    map_arrays(lambda x: sizes.append(x.size), tree)
    return sum(sizes)


def _steps(case: Case, convention: Convention, space: Bands) -> Iterator[Found]:
    """The initial state, then one step after the other, each from what the one before has left."""
    method = METHODS[case.method]
    params, data, batches = map_arrays(space.asarray, (case.params, case.data, case.batches))
    source = instrument(sys.modules[method.step.__module__], lambda tag, function, name, value: value, convention.rewrites)
    state = started(source["init"](case.model, params, data, case.hyper), convention, space)
    yield _listed(shown(params, state))
    source |= WIDER
    for batch in batches:
        def step(before: Any = (params, state), batch: Any = batch) -> Any:
            return source["step"](case.model, *before, batch, case.hyper)

        try:
            params, state, trace = _hulled(space, step)
        except (ValueError, ArithmeticError):
            if isinstance(space, Plain):
                raise
            return                                               # bands so wide that the reference refuses to go on
        yield _listed(shown(params, state, trace))


def _listed(found: Found) -> Found:
    """One array, or a flat list of arrays, by name."""
    found = {name: flat(value) if isinstance(value, list) else value for name, value in found.items()}
    return {name: value for name, value in found.items()
            if isinstance(value, Banded) or all(isinstance(part, Banded) for part in value)}


def _hulled(space: Bands, work: Any) -> Any:
    """What `work()` gives on every path of its open decisions, in bands that hold all of it.

    Raises   what it raises where all paths do.
    """
    outcomes: list[Any] = []
    refused: list[Exception] = []
    for space.paths in every_path():
        try:
            outcomes.append(work())
        except (ValueError, ArithmeticError) as error:
            refused.append(error)
    if not outcomes:
        raise refused[0]
    first, *rest = outcomes
    for other in rest:
        first = _both(first, other)
    return first


def _both(one: Any, other: Any) -> Any:
    """`hull`, through dicts and lists as well; unbounded where the two are not built alike."""
    if isinstance(one, dict):
        return {name: _both(value, other.get(name)) for name, value in one.items()}
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        parts = [_both(*pair) for pair in zip(one, other, strict=True)]
        return type(one)(*parts) if hasattr(one, "_fields") else type(one)(parts)
    if isinstance(one, Banded) and isinstance(other, Banded):
        return hull(one, other)
    return map_arrays(lambda x: Banded(x.v, np.full(x.shape, np.inf), x.space), one)


def _written(name: str, values: Any, again: Any, wide: Any, wider: Any) -> Any:
    """The JSON of one quantity: an array, or a list of them."""
    if isinstance(values, list):
        parts = [other if isinstance(other, list) and len(other) == len(values) else [None] * len(values)
                 for other in (again, wide, wider)]
        return [_written(name, *entries) for entries in zip(values, *parts, strict=True)]
    expect(isinstance(again, Banded) and again.shape == values.shape, name, f"shape {values.shape} at {MORE_BITS} bits too",
           "the result must not hang on the precision", getattr(again, "shape", None))
    fitting = [(other.v, other.e) if isinstance(other, Banded) and other.shape == values.shape
               else (values.v, np.full(values.shape, np.inf)) for other in (wide, wider)]
    entries = [_entry(name, values.v[i], again.v[i], [(v[i], float(e[i])) for v, e in fitting]) for i in np.ndindex(values.shape)]
    data, float64, float32 = zip(*entries, strict=True) if entries else ((), (), ())
    return {"shape": list(values.shape), "data": list(map(number, data)), "float64": list(float64), "float32": list(float32)}


def _entry(name: str, value: Any, again: Any, banded: list[tuple[Any, float]]) -> tuple[float, int, int]:
    """One number: rounded to nearest, with the exponents of its two bands.

    What does not round alike at both precisions is the noise of a sum that should be 0, far below the band: 0.
    """
    x = nearest(again)
    if math.isinf(x):
        expect({x} == set(map(nearest, (value, *(v for v, _ in banded)))), name, "infinity in every arithmetic",
               "it is written down once and for all", banded)
        return x, EXACT, EXACT
    if nearest(value) != x:
        expect(abs(nearest(value)) + abs(x) <= banded[0][1] * 2.0**-60, name, "one number at both precisions",
               "it is written down once and for all", (nearest(value), x))
        x = 0.0
    exponents = []
    for (v, e), dtype in zip(banded, ("float64", "float32"), strict=True):
        apart = abs(float(v - type(v)(x))) * ROOM
        band = ROOM * e + apart + (8 * float(np.finfo(dtype).tiny) if e > 0 or x else 0)
        exponents.append(exponent(band))
    return x, exponents[0], exponents[1]


def exponent(band: float) -> int:
    """The k of a band 2ᵏ that is somewhat wider: by 1/16 at least, so that bands which are round numbers are not on an edge."""
    if band == 0:
        return EXACT
    wider = band * (17 / 16)
    return math.frexp(wider)[1] if math.isfinite(wider) else UNBOUNDED


def arrays(vector: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every array that a vector expects, with its bands."""
    for quantities in vector.get("steps", [vector.get("expected", {})]):
        for value in quantities.values():
            yield from value if isinstance(value, list) else [value]


def bands(part: dict[str, Any], dtype: str) -> Any:
    """2ᵏ for every entry of an array."""
    with np.errstate(over="ignore"):
        return np.ldexp(1.0, np.array(part[dtype], dtype=np.int64))


def tells(part: dict[str, Any], dtype: str) -> bool:
    """Is some band narrow enough to tell right from wrong: at most 1 % of the largest finite entry, or 0 where all of those are?"""
    scale = max((abs(x) for x in map(value_of, part["data"]) if math.isfinite(x)), default=0.0)
    band = bands(part, dtype)
    return bool((band <= INFORMATIVE * scale).any()) and (scale > 0 or not band.any())


def nearest(x: Any) -> float:
    """A ball's midpoint, rounded once to the nearest float; an infinity as it is."""
    if not x.is_finite():
        return float(x)
    mantissa, power = (int(part) for part in x.mid().man_exp())
    return float(Fraction(mantissa) * Fraction(2) ** power)
