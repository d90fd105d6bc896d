"""Single procedures under judgement: a plain function against one of `reference.parts`, on inputs that set traps.

The rule is that of `replay`, for one call: each tagged line of the procedure whose value the candidate returns is compared
with that line, evaluated on what the candidate returned for the lines before it.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count, pairwise
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from .. import nets
from ..arrays import cast, map_arrays, precision
from ..arrays.errors import expect
from ..nets import ACTIVATIONS, Layer, single
from ..reference import grouped_newton
from ..reference.parts import (
    conjugate_gradient,
    cubic,
    curvature,
    damping,
    descent,
    lbfgs,
    levenberg_marquardt,
    quasi_newton,
    roots,
    smw,
    tensor_normal,
    tensors,
)
from .bad_input import refusals
from .bands import BITS, Banded, Bands, Paths, every_path
from .equivalents import cubic_solution, dense_solve, product_form, shrunk, two_loops
from .replay import PAPER, Convention, Line, NotFinite, compare, explained, rounding_ratio, settled, worst
from .report import CaseReport, Report
from .runner import Endless, Misbehaved, copied, fingerprint, produced
from .shrink import of_call
from .source import instrument, tagged_names

Array = Any


class Inputs(NamedTuple):
    """One call: its name, positional arguments (float64, or tuples of arrays, or integers), keyword arguments."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Procedure(NamedTuple):
    """A procedure of the reference, the inputs it is judged on, and formulas that are as right as its own.

    on_bands    what its module finds under these names where it runs on bands.
    results     the fields of its NamedTuple that it is there for; all of them where this is empty.
    lines       the paper lines of results that are put together entry by entry.
    """

    module: ModuleType
    function: str
    inputs: Callable[[], Iterator[Inputs]]
    equivalents: tuple[Callable[..., Any], ...] = ()
    on_bands: tuple[tuple[str, Callable[..., Any]], ...] = ()
    results: tuple[str, ...] = ()
    lines: Mapping[str, str] = {}

    def fields(self) -> tuple[str, ...]:
        """The names of what it returns, where that is a NamedTuple."""
        returned = getattr(self.module, self.function).__annotations__["return"]
        return getattr(getattr(self.module, returned, None), "_fields", ())

    def shown(self) -> tuple[str, ...]:
        """What a candidate has to return: some or all of the fields, or the "result"."""
        return self.results or self.fields() or ("result",)

    def names(self) -> dict[str, str]:
        """Quantity to paper line, in order of computation; last what is handed back as it came."""
        tagged = tagged_names(self.module)[self.function]
        last = list(tagged.values())[-1]
        names = tagged | {name: self.lines.get(name, last) for name in self.shown() if name not in tagged}
        return {name: tag for name, tag in names.items() if name != "result" or not self.fields()}


def check_procedure(name: str, candidate: Callable[..., Any], conventions: tuple[Convention, ...], time_limit: float,
                    bad_input: bool) -> Report:
    """Judge one procedure, see `check`; where it fails, try what is known to explain such failures."""
    procedure = PROCEDURES[name]
    calls = []
    for inputs in procedure.inputs():
        calls.append(_Call(procedure, candidate, inputs, time_limit))
        if calls[-1].endless:
            break
    refused: list[CaseReport] = []
    if bad_input and not calls[-1].endless:
        _, args, kwargs = calls[-1].inputs
        refused = refusals(getattr(procedure.module, procedure.function), candidate, args, kwargs, time_limit)
    judged = [call.judged(PAPER) for call in calls]
    failed = [(call, line) for call, found in zip(calls, judged, strict=True) for line in found.lines if line.verdict == "FAIL"]
    report = Report(name, procedure.names(), (*judged, *refused), shrink=lambda: _smallest(failed))
    if report.divergence is None:
        return report
    for convention in conventions:
        if explained(call.judged(convention).verdict for call in calls):
            return replace(report, known=(convention.text,))
    return report


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The arrays, numbers and words in an argument, with their places."""
    if isinstance(value, tuple | list):
        for i, part in enumerate(value):
            yield from _leaves(f"{name}[{i}]", part)
    else:
        yield name, value


def _smallest(failed: list[tuple[_Call, Line]]) -> tuple[str, ...]:
    """The failing call with the fewest numbers, described; of those where the line of the first failure fails."""
    call, line = min(((call, line) for call, line in failed if line.name == failed[0][1].name), key=lambda pair: pair[0].size)
    return of_call(call.inputs.name, call.arguments, line)


class _Call:
    """One call of the candidate, in float64 and, if it can, in float32."""

    def __init__(self, procedure: Procedure, candidate: Callable[..., Any], inputs: Inputs, time_limit: float) -> None:
        self.procedure, self.inputs = procedure, inputs
        self.returned: dict[str, Any] = {}
        self.reason, self.endless = "", False
        for dtype in ("float64", "float32"):
            args, kwargs = copy.deepcopy(cast((inputs.args, inputs.kwargs), dtype))
            before = fingerprint((args, kwargs))

            def work(args: Any = args, kwargs: Any = kwargs) -> Iterator[Any]:
                yield kept(candidate(*args, **kwargs))

            try:
                self.returned[dtype], = produced(work, "result", time_limit)
                expect(fingerprint((args, kwargs)) == before, "candidate", "untouched inputs",
                       "the caller goes on using them", "written ones", Misbehaved)
            except Misbehaved as error:
                self.reason, self.endless = str(error) if dtype == "float64" else "", isinstance(error, Endless)
            if self.reason:
                break

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by name, tuples entry by entry."""
        names = list(inspect.signature(getattr(self.procedure.module, self.procedure.function)).parameters)
        found = dict(zip(names, self.inputs.args, strict=False)) | self.inputs.kwargs
        return {name: part for place, value in found.items() for name, part in _leaves(place, value)}

    @property
    def size(self) -> int:
        """How many numbers go in."""
        return sum(np.size(value) for value in self.arguments.values())

    def judged(self, convention: Convention) -> CaseReport:
        if self.reason:
            return CaseReport(self.inputs.name, "FAIL", (), self.reason)
        try:
            lines = self.lines("float64", convention)
        except Misbehaved as error:
            return CaseReport(self.inputs.name, "FAIL", (), str(error))
        verdict = worst(lines)
        report = CaseReport(self.inputs.name, verdict, tuple(lines))
        if verdict != "FAIL" or "float32" not in self.returned:
            return report
        try:
            in_float32 = self.lines("float32", convention)
        except Misbehaved:
            return report
        ratios = [rounding_ratio(line, in_float32) for line in lines if line.verdict == "FAIL"]
        return replace(report, verdict=settled(ratios), ratio32=ratios[0])

    def lines(self, dtype: str, convention: Convention) -> list[Line]:
        """Every line that the candidate shows, on the path of decisions that suits it best and leads to a result."""
        best: list[Line] = []
        for paths in every_path():
            lines = self._one_path(dtype, convention, paths)
            if lines and (not best or max(line.ratio for line in lines) < max(line.ratio for line in best)):
                best = lines
        return best

    def _one_path(self, dtype: str, convention: Convention, paths: Paths) -> list[Line]:
        procedure, returned, space = self.procedure, self.returned[dtype], Bands(dtype, paths)
        fields = procedure.fields()
        for name in procedure.shown():
            expect(named(returned, name, fields) is not None, "candidate", f"{name} in what it returns",
                   "that is the procedure's result", "none", Misbehaved)
        lines: list[Line] = []

        def stop(tag: str, function: str, name: str, value: Any) -> Any:
            observed = named(returned, name, fields) if function == procedure.function else None
            if observed is None or not isinstance(value, Banded | int | tuple | list):
                return value
            return each(tag, name, value, observed, count())

        def each(tag: str, name: str, value: Any, observed: Any, places: Iterator[int]) -> Any:
            if not isinstance(value, tuple | list):
                return one(tag, name, value, observed, next(places))
            expect(isinstance(observed, list) and len(observed) == len(value), name, f"a tuple of {len(value)} arrays",
                   f"line {tag} gives as many", type(observed).__name__, Misbehaved)
            parts = [each(tag, name, part, shown, places) for part, shown in zip(value, observed, strict=True)]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)

        def one(tag: str, name: str, value: Any, observed: Any, index: int) -> Any:
            expect(isinstance(observed, np.ndarray), name, "an array", "its entries are compared", type(observed).__name__,
                   Misbehaved)
            value = space.lift(value)
            expect(observed.shape == value.shape, name, f"shape {value.shape}", f"line {tag} gives one", observed.shape, Misbehaved)
            if observed.ndim == 0 and observed.dtype.kind == "i":      # a count, or a weight that is 1 because nothing is damped
                observed = observed.astype(dtype)
            expect(observed.dtype == dtype, name, dtype, "the inputs are in it", observed.dtype, Misbehaved)
            if widths and name == "result":
                value = Banded(value.v, np.maximum.reduce([value.e, *widths]), space)
            lines.append(compare(1, name, index, tag, observed, value))
            if not np.isfinite(observed).all():
                raise NotFinite
            return space.asarray(observed)

        with precision(BITS):
            args, kwargs = cast((self.inputs.args, self.inputs.kwargs), dtype)
            args, kwargs = map_arrays(space.asarray, args), map_arrays(space.asarray, kwargs)
            widths = [equivalent(*args, **kwargs).e for equivalent in procedure.equivalents]
            try:
                source = instrument(procedure.module, stop, convention.rewrites)
                source |= dict(procedure.on_bands)
                result = source[procedure.function](*args, **kwargs)
                for name, tag in procedure.names().items():
                    if name in procedure.shown() and name not in {line.name for line in lines}:
                        stop(tag, procedure.function, name, getattr(result, name) if fields else result)
            except (NotFinite, ArithmeticError):   # nothing can be computed from there; the line itself is recorded as failed
                pass
        return lines


def kept(returned: Any) -> Any:
    """A copy of what came back, since a candidate may use its buffers again: a dict or tuple of arrays, or one array."""
    if isinstance(returned, dict):
        return {name: copied(str(name), value) for name, value in returned.items()}
    if isinstance(returned, tuple | list):
        return tuple(copied(f"result[{i}]", value) for i, value in enumerate(returned))
    return copied("result", returned)


def named(returned: Any, name: str, fields: tuple[str, ...]) -> np.ndarray | list[Any] | None:
    """What a candidate returned under a name: in a dict, by position in a tuple, or alone as "result"; a list for a tuple."""
    if isinstance(returned, dict):
        shown = returned.get(name)
    elif isinstance(returned, tuple) and fields:
        shown = returned[fields.index(name)] if name in fields[:len(returned)] else None
    else:
        shown = (list(returned) if isinstance(returned, tuple) else returned) if name == "result" else None
    expect(shown is None or isinstance(shown, np.ndarray | list), name, "an array", "its entries are compared",
           type(shown).__name__, Misbehaved)
    return shown


def _spd(rng: np.random.Generator, n: int, spread: float) -> Array:
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    H = Q * np.logspace(0, spread, n) @ Q.T
    H = np.where(np.abs(H) < 2.0**-40, 0, H)          # what is left of an identity by this machine's rounding
    return _single((H + H.T) / 2)


def _single(x: Array) -> Array:
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def _pairs() -> Iterator[tuple[str, Array, Array, Array]]:
    """(name, s, y, H) for the dampings."""
    yield "at the switch", np.array([MU1[0], 0.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.diag([1.0, 2.0, 4.0])
    rng = np.random.default_rng(7)
    for n in (1, 2, 5, 9):
        H = _spd(rng, n, 1)
        s, y = _single(rng.standard_normal(n)), _single(rng.standard_normal(n))
        yield f"random, n = {n}", s, y, H
        yield f"negative curvature, n = {n}", _single(-0.5 * y), y, H
        yield f"strong curvature, n = {n}", _single(3 * H @ y), y, H
        yield f"weak curvature, n = {n}", _single(0.05 * H @ y), y, H
        yield f"parallel and long, n = {n}", s, _single(0.001 * s), H
        yield f"against each other, n = {n}", s, _single(-20 * s), H
        yield f"s = 0, n = {n}", 0 * s, y, H
        yield f"y = 0, n = {n}", s, 0 * y, H


def _damped(with_H: bool, **mus: tuple[float, ...]) -> Callable[[], Iterator[Inputs]]:
    """The pairs, each with the next value of every μ, so that none can be written into the code."""
    def inputs() -> Iterator[Inputs]:
        for i, (name, s, y, H) in enumerate(_pairs()):
            yield Inputs(name, (s, y, H) if with_H else (s, y), _cycled(mus, i))
    return inputs


def _cycled(values: dict[str, tuple[float, ...]], i: int) -> dict[str, float]:
    return {name: choice[i % len(choice)] for name, choice in values.items()}


def _updates(**kwargs: tuple[float, ...]) -> Callable[[], Iterator[Inputs]]:
    def inputs() -> Iterator[Inputs]:
        rng = np.random.default_rng(11)
        for n in (1, 2, 5, 9):
            for spread in (0, 2):
                H = _spd(rng, n, spread)
                s = _single(rng.standard_normal(n))
                y = _single(np.linalg.solve(_spd(rng, n, 1), s))
                yield Inputs(f"n = {n}, cond = 1e{spread}", (H, s, y), _cycled(kwargs, n + spread))
            if n > 1:
                away = _single(rng.standard_normal(n))
                y = _single(away - (away @ s) / (s @ s) * s + 0.01 * s)
                yield Inputs(f"nearly orthogonal, n = {n}", (H, s, y), _cycled(kwargs, n))
    return inputs


def _memories() -> Iterator[Inputs]:
    """h a power of 4, so that who starts from I can have it by scaling S and Y by exact numbers."""
    rng = np.random.default_rng(43)
    for i, (n, m) in enumerate(((1, 1), (2, 1), (3, 2), (5, 3), (5, 5), (8, 4))):
        S = _single(rng.standard_normal((n, m)))
        Y = _single(np.linalg.solve(_spd(rng, n, 1), S))
        for X in (rng.standard_normal(n), rng.standard_normal((n, 2))):
            yield Inputs(f"n = {n}, {m} pairs, X of {X.ndim} axes", (S, Y, _single(X), (1.0, 0.25, 4.0)[i % 3]), {})


def _action() -> Iterator[Inputs]:
    rng = np.random.default_rng(13)
    for n in (1, 3, 6):
        yield Inputs(f"n = {n}", (_spd(rng, n, 1), _single(rng.standard_normal(n)), _spd(rng, n, 2)), {})


def _minibatch_action() -> Iterator[Inputs]:
    rng = np.random.default_rng(31)
    for (N, P, n), lam in (((1, 1, 1), 0.3), ((4, 1, 3), 0.7), ((3, 4, 5), 1.25), ((2, 6, 3), 0.3)):
        yield Inputs(f"N = {N}, P = {P}, n = {n}", (_spd(rng, n, 1), _single(rng.standard_normal((N, P, n)))), {"lam": lam})


def _tensor(rng: np.random.Generator, order: int) -> Array:
    return _single(rng.standard_normal((2, 3, 4, 1, 5)[:order]))


def _modes(with_matrix: bool) -> Callable[[], Iterator[Inputs]]:
    def inputs() -> Iterator[Inputs]:
        rng = np.random.default_rng(17)
        for order in range(1, 5):
            A = _tensor(rng, order)
            for i in range(1, order + 1):
                U = (_single(rng.standard_normal((3, A.shape[i - 1]))),) if with_matrix else ()
                yield Inputs(f"order {order}, mode {i}", (A, *U, i), {})
    return inputs


def _whole(least: int, most: int) -> Callable[[], Iterator[Inputs]]:
    def inputs() -> Iterator[Inputs]:
        rng = np.random.default_rng(19)
        for order in range(least, most + 1):
            yield Inputs(f"order {order}", (_tensor(rng, order),), {})
    return inputs


def _all_modes() -> Iterator[Inputs]:
    rng = np.random.default_rng(23)
    for order in range(1, 5):
        A = _tensor(rng, order)
        yield Inputs(f"order {order}", (A, tuple(_single(rng.standard_normal((d + 1, d))) for d in A.shape)), {})


def _solves(singular: bool) -> Callable[[], Iterator[Inputs]]:
    def inputs() -> Iterator[Inputs]:
        rng = np.random.default_rng(29)
        for q, n, N2, lam in ((1, 3, 1, 0.1), (4, 6, 2, 0.5), (6, 4, 3, 2.0), (6, 6, 2, 0.1)):
            J, g = _single(rng.standard_normal((q, n))), _single(rng.standard_normal(n))
            H = _spd(rng, q, 1)
            if singular:
                p = (1 + rng.multinomial(16 - q, np.ones(q) / q)) / 16       # so that H is exact in float32, and semidefinite
                H = np.diag(p) - np.outer(p, p)
            yield Inputs(f"q = {q}, n = {n}, N₂ = {N2}", (lam, J, H, g), {"N2": N2})
    return inputs


def _definite() -> Iterator[Inputs]:
    rng = np.random.default_rng(31)
    for i, p in enumerate((1, 2, 4, 6, 8, 3)):
        for n in (1, 2, 5, 9):
            A = _spd(rng, n, (0, 2, 1)[i % 3] if n > 1 else 0)
            yield Inputs(f"p = {p}, n = {n}", (_single(A * (0.01, 1.0, 30.0)[i % 3]), p), {})
    yield Inputs("diagonal", (np.diag([4.0, 1.0, 0.25, 16.0]), 2), {})
    yield Inputs("rank one and a damping", (_single(np.outer([3.0, 1.0, 2.0], [3.0, 1.0, 2.0]) + 0.125 * np.eye(3)), 4), {})


def _statistics() -> Iterator[Inputs]:
    """Sums of contractions of whole numbers, so that all traces are one number in either dtype; and zeros."""
    rng = np.random.default_rng(37)
    for shape in ((3,), (2, 3), (1, 4), (2, 3, 2), (2, 1, 3, 2)):
        tensors_of = [rng.integers(-3, 4, shape).astype(float) for _ in range(3)]
        yield Inputs(f"shape {shape}", (tuple(sum(tensors.contraction(G, i) for G in tensors_of)
                                              for i in range(1, len(shape) + 1)),), {})
    yield Inputs("zeros", (tuple(np.zeros((d, d)) for d in (2, 3)),), {})


def _factors() -> Iterator[Inputs]:
    rng = np.random.default_rng(41)
    for shape in ((3,), (2, 3), (1, 4), (2, 3, 2), (2, 1, 3, 2)):
        yield Inputs(f"shape {shape}", (tuple(_spd(rng, d, 1) for d in shape),), {})


class _Network(NamedTuple):
    """Parameters θ, activations and loss of a multilayer perceptron, examples (N, m_0) and targets (N, m_L)."""

    theta: tuple[Layer, ...]
    activations: tuple[str, ...]
    loss: str
    x: Array
    y: Array


def _network() -> Iterator[tuple[str, _Network]]:
    """Small ones, no two widths of one alike."""
    rng = np.random.default_rng(31)
    for widths, activations, loss, N in (((1, 1), ("linear",), "mse", 1), ((3, 4, 2), ("tanh", "linear"), "bce", 3),
                                         ((2, 5, 4, 3), ("elu", "logistic", "linear"), "softmax_ce", 2),
                                         ((3, 5, 2), ("relu", "tanh"), "mse", 2)):
        theta = tuple(Layer(_single(rng.standard_normal((d_out, d_in))), _single(rng.standard_normal(d_out)))
                      for d_in, d_out in pairwise(widths))
        x, m = _single(rng.standard_normal((N, widths[0]))), widths[-1]
        y = {"mse": lambda N, m: _single(rng.standard_normal((N, m))), "bce": lambda N, m: _single(rng.random((N, m))),
             "softmax_ce": lambda N, m: np.eye(m)[rng.integers(0, m, N)]}[loss](N, m)
        yield f"widths {widths}, {N} examples", _Network(theta, activations, loss, x, y)


def _passed(theta: Any, activations: Any, x: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """h and v of R Algorithm 17 as numbers that float32 holds too: whoever computes with them has them exactly."""
    h, v = single.forward(theta, activations, x)
    h = [_single(h_l) for h_l in h]
    return tuple(h), (v[0], *(_single(ACTIVATIONS[name].phi(h_l)) for name, h_l in zip(activations, h, strict=True)))


def _backwards(rng: np.random.Generator, net: _Network) -> tuple[tuple[Array, ...], tuple[Array, ...], Array]:
    """h and v of the first example, and numbers (m_L,) to be taken back from its output."""
    h, v = _passed(net.theta, net.activations, net.x[0])
    return h, v, _single(rng.standard_normal(v[-1].shape))


def _one_pass() -> Iterator[Inputs]:
    for name, net in _network():
        W = tuple(np.concatenate([layer.W, layer.b[:, None]], axis=1) for layer in net.theta)
        yield Inputs(name, (W, net.activations, net.loss, net.x[0], net.y[0]), {})


def _forwards() -> Iterator[Inputs]:
    for name, net in _network():
        yield Inputs(name, (net.theta, net.activations, net.x[0]), {})


def _gradients() -> Iterator[Inputs]:
    for name, net in _network():
        yield Inputs(name, (net.theta, net.activations, net.loss, *_passed(net.theta, net.activations, net.x[0]), net.y[0]), {})


def _directions() -> Iterator[Inputs]:
    rng = np.random.default_rng(37)
    for name, net in _network():
        theta_1 = tuple(Layer(*(_single(rng.standard_normal(tensor.shape)) for tensor in layer)) for layer in net.theta)
        yield Inputs(name, (net.theta, net.activations, *_passed(net.theta, net.activations, net.x[0]), theta_1), {})


def _partial() -> Iterator[Inputs]:
    rng = np.random.default_rng(41)
    for name, net in _network():
        h, _, x = _backwards(rng, net)
        yield Inputs(name, (net.theta, net.activations, h, x), {})


def _parts_of_rows() -> Iterator[Inputs]:
    rng = np.random.default_rng(43)
    for name, net in _network():
        h, v, _ = _backwards(rng, net)
        yield Inputs(name, (tuple(_single(rng.standard_normal(h_l.shape)) for h_l in h), v), {})


def _transposed() -> Iterator[Inputs]:
    rng = np.random.default_rng(47)
    for name, net in _network():
        yield Inputs(name, (net.theta, net.activations, *_backwards(rng, net)), {})


def _several() -> Iterator[Inputs]:
    for name, net in _network():
        h, v = zip(*(_passed(net.theta, net.activations, x) for x in net.x), strict=True)
        yield Inputs(name, (net.theta, net.activations, h, v), {})


def _curvatures(with_targets: bool) -> Callable[[], Iterator[Inputs]]:
    """A net of each loss, and one with convolutions; no two widths alike."""
    def inputs() -> Iterator[Inputs]:
        rng = np.random.default_rng(47)
        conv = (nets.Conv2d(2, (3, 1)), nets.Act("tanh"), nets.Flatten(), nets.Dense(3))
        for model, N in ((nets.mlp((2, 3), ("linear",), "softmax_ce"), 4), (nets.mlp((3, 4, 2), ("tanh", "linear"), "mse"), 5),
                         (nets.mlp((4, 3, 2), ("elu", "linear"), "bce"), 3),
                         (nets.mlp((3, 2, 4), ("logistic", "linear"), "softmax_ce"), 1),
                         (nets.cnn((1, 3, 2), conv, "softmax_ce"), 4)):
            m = nets.layer_shapes(model)[-1][0]
            params = tuple(Layer(_single(W), _single(0.1 * rng.standard_normal(b.shape))) for W, b in nets.init(model, N))
            x = _single(rng.standard_normal((N, *model.input_shape)))
            y = {"mse": _single(rng.standard_normal((N, m))), "bce": rng.integers(0, 5, (N, m)) / 4,
                 "softmax_ce": rng.integers(0, m, N)}[model.loss]
            args = (model, params, x, y) if with_targets else (model, params, x)
            yield Inputs(f"{model.loss}, input {model.input_shape}, N = {N}", args, {})
    return inputs


def _cubics() -> Iterator[Inputs]:
    rng = np.random.default_rng(31)
    for i, (n, kind) in enumerate((n, kind) for n in (1, 2, 4, 6) for kind in ("definite", "indefinite", "singular", "zeros in d")):
        A = rng.standard_normal((n, n))
        H = {"definite": A @ A.T + np.eye(n), "singular": A[:, :1] @ A[:, :1].T}.get(kind, (A + A.T) / 2)
        d = np.exp(rng.uniform(-1, 1, n))
        if kind == "zeros in d":
            d, H = np.where(np.arange(n) % 2 == 1, 0.0, d), A @ A.T + np.eye(n)
        yield Inputs(f"{kind}, S = {n}", (_single(rng.standard_normal(n)), _single(H), _single(d), (0.5, 2.0, 8.0)[i % 3]), {})
    g, H, d = _single(rng.standard_normal(3)), _spd(rng, 3, 0), np.ones(3)
    scale = np.array([2.0**-10, 1.0, 2.0**12])
    yield Inputs("badly scaled", (g * scale, H * scale[:, None] * scale, d * scale, 1.0), {})
    yield Inputs("without cubic term", (g, H, d, 0.0), {})


def _steps_of_cubics(with_r: bool) -> Callable[[], Iterator[Inputs]]:
    """The problems of `_cubics`, each at a point η, which is 0 in one of them; r is what the caller says."""
    def inputs() -> Iterator[Inputs]:
        rng = np.random.default_rng(53)
        for i, (name, (g, H, d, lam), _) in enumerate(_cubics()):
            eta = _single(rng.standard_normal(g.shape)) if i else 0 * g
            yield Inputs(name, (g, H, d, lam, eta, _single(rng.random())) if with_r else (eta, g, H, d, lam), {})
    return inputs


class Product(NamedTuple):
    """X ↦ AX by layer, as a function that changes its arithmetic with its matrices."""

    A: tuple[Array, ...]

    def __call__(self, X: tuple[Array, ...]) -> tuple[Array, ...]:
        """AX by layer, for X by layer: matrices of as many rows as A has columns."""
        return tuple(A @ X for A, X in zip(self.A, X, strict=True))


def _systems() -> Iterator[Inputs]:
    """Few iterations, since what rounding may do to them grows tenfold with each; twelve where the matrix is diagonal."""
    rng = np.random.default_rng(59)
    for name, shapes, iterations, preconditioned in (
            ("one number", ((1, 1),), 5, False), ("one layer", ((4, 1),), 2, False), ("two layers", ((3, 2), (2, 4)), 3, False),
            ("preconditioned", ((3, 1), (4, 2)), 2, True)):
        A = tuple(_spd(rng, n, 1) for n, _ in shapes)
        b = tuple(_single(rng.standard_normal(shape)) for shape in shapes)
        M = tuple(_single(rng.random(shape) + 0.5) for shape in shapes) if preconditioned else None
        yield Inputs(name, (Product(A), b), {"iterations": iterations, "progress": 0.0, "M": M})
    G, b = Product((np.diag(_single(np.logspace(0, 1, 16))),)), (_single(rng.standard_normal((16, 1))),)
    for after, progress in ((11, 0.06), (12, 0.02)):
        yield Inputs(f"an early end after {after}", (G, b), {"iterations": 20, "progress": progress, "M": None})


def _ratios() -> Iterator[Inputs]:
    for name, numbers in {"an infinite loss": (2.5, np.inf, 0.25), "a loss that is nan": (2.5, np.nan, 0.25),
                          "nothing to gain": (2.5, 2.5, 0.0), "a model that rises": (2.5, 2.0, -0.25),
                          "foretold exactly": (1.5, 1.0, 0.5), "a bad step": (2.5, 3.0, 0.75),
                          "a good step": (2.5, 1.75, 0.625)}.items():
        yield Inputs(name, tuple(np.asarray(number) for number in numbers), {})


def _dampings() -> Iterator[Inputs]:
    """Ratios on both sides of both bounds, and on them, where λ stays; all of them exact in float32."""
    for i, (rho, eps) in enumerate(((-np.inf, 0.25), (0.1875, 0.25), (0.1875, 0.125), (0.3125, 0.375), (0.3125, 0.25), (0.25, 0.25),
                                    (0.5, 0.375), (0.75, 0.25), (0.6875, 0.375), (0.6875, 0.25), (0.8125, 0.125), (0.8125, 0.25),
                                    (0.0625, 0.125), (0.9375, 0.125), (3.0, 0.375))):
        yield Inputs(f"ρ = {rho}, ε = {eps}", (np.asarray((0.75, 2.0, 0.0625)[i % 3]), np.asarray(rho)),
                     {"eps": eps, **_cycled({"boost": (1.5, 1.25), "drop": (0.75, 0.875, 0.5)}, i)})


def _descents() -> Iterator[Inputs]:
    rng = np.random.default_rng(61)
    for shape, alpha, gamma in (((3,), 0.3, 0.0), ((2, 3), 0.1, 0.05), ((2, 1, 3, 2), 1.5, 0.2), ((1,), 0.7, 1.0)):
        yield Inputs(f"shape {shape}, γ = {gamma}", (*(_single(rng.standard_normal(shape)) for _ in range(2)), alpha, gamma), {})


def _schedules() -> Iterator[Inputs]:
    """(state, loss, hyper) of every turn of the rule."""
    at = grouped_newton.State(4, (), np.zeros(1), np.asarray(0.375), np.asarray(2.0), 0)
    for name, patience, changed, loss, N_sch in (
            ("the first loss", 0, {"best": None}, 3.0, 1), ("a better loss", 1, {"bad": 1}, 1.0, 1),
            ("better by less than the threshold", 2, {}, 1.96875, 2), ("better by more than it", 2, {"bad": 1}, 1.90625, 1),
            ("better by less than a larger threshold", 1, {}, 1.90625, 1), ("the same loss", 1, {}, 2.0, 4),
            ("a worse loss", 2, {"bad": 1}, 2.5, 1), ("out of patience", 2, {"bad": 2}, 2.5, 2),
            ("without patience", 0, {}, 2.25, 1), ("out of patience by less than the threshold", 1, {"bad": 1}, 1.96875, 4),
            ("between two times", 0, {"k": 6}, 2.5, 4), ("a better loss between two times", 0, {"k": 5}, 1.0, 2),
            ("once more", 1, {"k": 7, "bad": 1, "lam": np.asarray(0.09375)}, 8.0, 1)):
        f_sch, threshold = ((0.5, 0.03125), (0.75, 0.0625))[patience % 2]
        yield Inputs(name, (at._replace(**changed), loss, grouped_newton.Hyper(
            0.5, 1.0, 0.75, 0.25, N_sch=N_sch, p_sch=patience, f_sch=f_sch, threshold=threshold)), {})


def _views(there: bool) -> Callable[[], Iterator[Inputs]]:
    """Every view of a kernel, and of tensors that most views leave alone; `there`: to the modes, or back from them."""
    def inputs() -> Iterator[Inputs]:
        rng = np.random.default_rng(71)
        for view in tensor_normal.VIEWS:
            for shape in ((2, 3, 4, 5), (2, 3), (4,)):
                A = _single(rng.standard_normal(shape))
                given = (A, view) if there else (tensor_normal.as_modes(A, view), shape, view)
                yield Inputs(f"{view}, shape {shape}", given, {})
        if there:
            for lead in (1, 2):
                A = _single(rng.standard_normal((5, 1, 3, 2, 1, 4)[2 - lead:]))
                yield Inputs(f"behind {lead} of the axes", (A, "3-way", lead), {})
    return inputs


def _preconditionings() -> Iterator[Inputs]:
    rng = np.random.default_rng(73)
    for view in tensor_normal.VIEWS:
        G = tuple(_single(rng.standard_normal(shape)) for shape in ((2, 3, 1, 2), (2, 3), (4,)))
        modes = (tensor_normal.as_modes(A, view).shape for A in G)
        yield Inputs(view, (G, tuple(tuple(_single(rng.standard_normal((d, d))) for d in shape) for shape in modes), view), {})


MU = MU1 = (0.25, 0.1, 0.4)
MU2, MU2_LM = (0.4, 0.75), (1.25, 0.3)

PROCEDURES: dict[str, Procedure] = {
    "conjugate_gradient.conjugate_gradient": Procedure(conjugate_gradient, "conjugate_gradient", _systems),
    "cubic.model": Procedure(cubic, "model", _steps_of_cubics(False)),
    "cubic.stationarity": Procedure(cubic, "stationarity", _steps_of_cubics(True)),
    "cubic.step_sizes": Procedure(cubic, "step_sizes", _cubics, on_bands=(("solution", cubic_solution),)),
    "curvature.hessian": Procedure(curvature, "hessian", _curvatures(True)),
    "curvature.ggn": Procedure(curvature, "ggn", _curvatures(False)),
    "curvature.empirical_fisher": Procedure(curvature, "empirical_fisher", _curvatures(True)),
    "damping.powell_on_B": Procedure(damping, "powell_on_B", _damped(True, mu=MU)),
    "damping.powell_on_H": Procedure(damping, "powell_on_H", _damped(True, mu=MU)),
    "damping.powell_identity": Procedure(damping, "powell_identity", _damped(False, mu=MU)),
    "damping.double_damping": Procedure(damping, "double_damping", _damped(True, mu1=MU1, mu2=MU2)),
    "damping.dp_dlm": Procedure(damping, "dp_dlm", _damped(True, mu1=MU1, mu2=MU2_LM)),
    "damping.dpi_dlm": Procedure(damping, "dpi_dlm", _damped(False, mu1=MU1, mu2=MU2_LM)),
    "descent.descend": Procedure(descent, "descend", _descents, (shrunk,)),
    "grouped_newton.schedule": Procedure(grouped_newton, "schedule", _schedules, results=("lam", "best", "bad")),
    "levenberg_marquardt.reduction_ratio": Procedure(levenberg_marquardt, "reduction_ratio", _ratios),
    "levenberg_marquardt.adapted": Procedure(levenberg_marquardt, "adapted", _dampings),
    "quasi_newton.bfgs_H": Procedure(quasi_newton, "bfgs_H", _updates(), (product_form,)),
    "quasi_newton.bfgs_B": Procedure(quasi_newton, "bfgs_B", _updates()),
    "quasi_newton.dfp_H": Procedure(quasi_newton, "dfp_H", _updates()),
    "quasi_newton.broyden_H": Procedure(quasi_newton, "broyden_H", _updates(phi=(0.25, 0.75, 0.5))),
    "lbfgs.product": Procedure(lbfgs, "product", _memories, (two_loops,)),
    "quasi_newton.hessian_action_pair": Procedure(quasi_newton, "hessian_action_pair", _action),
    "quasi_newton.minibatch_action_pair": Procedure(quasi_newton, "minibatch_action_pair", _minibatch_action),
    "tensors.vec": Procedure(tensors, "vec", _whole(1, 4)),
    "tensors.vec_columns": Procedure(tensors, "vec_columns", _whole(2, 2)),
    "tensors.mat": Procedure(tensors, "mat", _modes(False)),
    "tensors.contraction": Procedure(tensors, "contraction", _modes(False)),
    "tensors.mode_product": Procedure(tensors, "mode_product", _modes(True)),
    "tensors.mode_products": Procedure(tensors, "mode_products", _all_modes),
    "roots.inverse_root": Procedure(roots, "inverse_root", _definite),
    "tensor_normal.moments": Procedure(tensor_normal, "moments", _factors),
    "tensor_normal.identify": Procedure(tensor_normal, "identify", _statistics),
    "tensor_normal.as_modes": Procedure(tensor_normal, "as_modes", _views(True)),
    "tensor_normal.from_modes": Procedure(tensor_normal, "from_modes", _views(False)),
    "tensor_normal.preconditioned": Procedure(tensor_normal, "preconditioned", _preconditionings),
    "single.forward_backward": Procedure(single, "forward_backward", _one_pass,
                                         lines={"a": "R1.2", "h": "R1.2", "output": "R1.2"}),
    "single.forward": Procedure(single, "forward", _forwards),
    "single.backward": Procedure(single, "backward", _gradients),
    "single.partial_transposed_product": Procedure(single, "partial_transposed_product", _partial),
    "single.packed": Procedure(single, "packed", _parts_of_rows),
    "single.transposed_product": Procedure(single, "transposed_product", _transposed),
    "single.jacobian_product": Procedure(single, "jacobian_product", _directions),
    "single.block_matrix": Procedure(single, "block_matrix", _several),
    "smw.solve_with_inverse": Procedure(smw, "solve_with_inverse", _solves(False), (dense_solve,)),
    "smw.solve_without_inverse": Procedure(smw, "solve_without_inverse", _solves(True), (dense_solve,)),
}
"""Every procedure that can be judged by name."""
