"""Single procedures under judgement: a plain function against one of `reference.parts`, on inputs that set traps.

The rule is that of `replay`, for one call: each tagged line of the procedure whose value the candidate returns is compared
with that line, evaluated on what the candidate returned for the lines before it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from .. import nets
from ..arrays import cast, map_arrays, precision
from ..arrays.errors import expect
from ..nets import ACTIVATIONS, Layer, single
from ..reference.parts import cubic, curvature, damping, lbfgs, quasi_newton, roots, smw, tensor_normal, tensors
from .bad_input import refusals
from .bands import BITS, Banded, Bands, Paths, every_path
from .equivalents import cubic_solution, dense_solve, product_form, two_loops
from .replay import EXPLAINED, PAPER, Convention, Line, NotFinite, compare, rounding_ratio, settled, worst
from .report import CaseReport, Report
from .runner import Endless, Misbehaved, copied, fingerprint, produced
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
    """

    module: ModuleType
    function: str
    inputs: Callable[[], Iterator[Inputs]]
    equivalents: tuple[Callable[..., Any], ...] = ()
    on_bands: tuple[tuple[str, Callable[..., Any]], ...] = ()

    def fields(self) -> tuple[str, ...]:
        """The names of what it returns, where that is a NamedTuple."""
        returned = getattr(self.module, self.function).__annotations__["return"]
        return getattr(getattr(self.module, returned, None), "_fields", ())

    def names(self) -> dict[str, str]:
        """Quantity to paper line, in order of computation; last what is handed back as it came."""
        tagged = tagged_names(self.module)[self.function]
        return tagged | {field: tag for tag in list(tagged.values())[-1:] for field in self.fields() if field not in tagged}


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
    report = Report(name, procedure.names(), (*(call.judged(PAPER) for call in calls), *refused))
    if report.divergence is None:
        return report
    for convention in conventions:
        if {call.judged(convention).verdict for call in calls} in EXPLAINED:
            return replace(report, explanations=(convention.text,))
    return report


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
                yield _kept(candidate(*args, **kwargs))

            try:
                self.returned[dtype], = produced(work, "result", time_limit)
                expect(fingerprint((args, kwargs)) == before, "candidate", "untouched inputs",
                       "the caller goes on using them", "written ones", Misbehaved)
            except Misbehaved as error:
                self.reason, self.endless = str(error) if dtype == "float64" else "", isinstance(error, Endless)
            if self.reason:
                break

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
        """Every line that the candidate shows, on the path of decisions that suits it best."""
        best: list[Line] = []
        for paths in every_path():
            lines = self._one_path(dtype, convention, paths)
            if not best or max(line.ratio for line in lines) < max(line.ratio for line in best):
                best = lines
        return best

    def _one_path(self, dtype: str, convention: Convention, paths: Paths) -> list[Line]:
        procedure, returned, space = self.procedure, self.returned[dtype], Bands(dtype, paths)
        fields = procedure.fields()
        for name in fields or ("result",):
            expect(_shown(returned, name, fields) is not None, "candidate", f"{name} in what it returns",
                   "that is the procedure's result", "none", Misbehaved)
        lines: list[Line] = []

        def stop(tag: str, function: str, name: str, value: Any) -> Any:
            observed = _shown(returned, name, fields) if function == procedure.function else None
            if observed is None or not isinstance(value, Banded | int | tuple):
                return value
            if not isinstance(value, tuple):
                return one(tag, name, value, observed, 0)
            expect(isinstance(observed, list) and len(observed) == len(value), name, f"a tuple of {len(value)} arrays",
                   f"line {tag} gives as many", type(observed).__name__, Misbehaved)
            return tuple(one(tag, name, part, shown, i) for i, (part, shown) in enumerate(zip(value, observed, strict=True)))

        def one(tag: str, name: str, value: Any, observed: Any, index: int) -> Any:
            expect(isinstance(observed, np.ndarray), name, "an array", "its entries are compared", type(observed).__name__,
                   Misbehaved)
            value = space.lift(value)
            expect(observed.shape == value.shape, name, f"shape {value.shape}", f"line {tag} gives one", observed.shape, Misbehaved)
            if observed.ndim == 0 and observed.dtype.kind == "i":      # a weight that is 1 because nothing is damped
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
                    if name in fields and name not in {line.name for line in lines}:
                        stop(tag, procedure.function, name, getattr(result, name))
            except (NotFinite, ArithmeticError):   # nothing can be computed from there; the line itself is recorded as failed
                pass
        return lines


def _kept(returned: Any) -> Any:
    """A copy of what came back, since a candidate may use its buffers again: a dict or tuple of arrays, or one array."""
    if isinstance(returned, dict):
        return {name: copied(str(name), value) for name, value in returned.items()}
    if isinstance(returned, tuple | list):
        return tuple(copied(f"result[{i}]", value) for i, value in enumerate(returned))
    return copied("result", returned)


def _shown(returned: Any, name: str, fields: tuple[str, ...]) -> np.ndarray | list[Any] | None:
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


def _network() -> Iterator[tuple[str, Any, Any, Array]]:
    """(name, θ, activations, examples (N, m_0)) of small multilayer perceptrons, no two widths alike."""
    rng = np.random.default_rng(31)
    for widths, activations, N in (((1, 1), ("linear",), 1), ((3, 4, 2), ("tanh", "linear"), 3),
                                   ((2, 5, 4, 3), ("elu", "logistic", "linear"), 2)):
        theta = tuple(Layer(_single(rng.standard_normal((d_out, d_in))), _single(rng.standard_normal(d_out)))
                      for d_in, d_out in pairwise(widths))
        yield f"widths {widths}, {N} examples", theta, activations, _single(rng.standard_normal((N, widths[0])))


def _passed(theta: Any, activations: Any, x: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """h and v of R Algorithm 17 as numbers that float32 holds too: whoever computes with them has them exactly."""
    h, v = single.forward(theta, activations, x)
    h = [_single(h_l) for h_l in h]
    return tuple(h), (v[0], *(_single(ACTIVATIONS[name].phi(h_l)) for name, h_l in zip(activations, h, strict=True)))


def _directions() -> Iterator[Inputs]:
    rng = np.random.default_rng(37)
    for name, theta, activations, examples in _network():
        theta_1 = tuple(Layer(*(_single(rng.standard_normal(tensor.shape)) for tensor in layer)) for layer in theta)
        yield Inputs(name, (theta, activations, *_passed(theta, activations, examples[0]), theta_1), {})


def _several() -> Iterator[Inputs]:
    for name, theta, activations, examples in _network():
        h, v = zip(*(_passed(theta, activations, x) for x in examples), strict=True)
        yield Inputs(name, (theta, activations, h, v), {})


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
        H = _single(H)
        yield Inputs(f"{kind}, S = {n}", (_single(rng.standard_normal(n)), (H + H.T) / 2, _single(d), (0.5, 2.0, 8.0)[i % 3]), {})
    g, H, d = _single(rng.standard_normal(3)), _spd(rng, 3, 0), np.ones(3)
    scale = np.array([2.0**-10, 1.0, 2.0**12])
    yield Inputs("badly scaled", (g * scale, H * scale[:, None] * scale, d * scale, 1.0), {})
    yield Inputs("without cubic term", (g, H, d, 0.0), {})


MU = MU1 = (0.25, 0.1, 0.4)
MU2, MU2_LM = (0.4, 0.75), (1.25, 0.3)

PROCEDURES: dict[str, Procedure] = {
    "cubic.step_sizes": Procedure(cubic, "step_sizes", _cubics, on_bands=(("solution", cubic_solution),)),
    "curvature.ggn": Procedure(curvature, "ggn", _curvatures(False)),
    "curvature.empirical_fisher": Procedure(curvature, "empirical_fisher", _curvatures(True)),
    "damping.powell_on_B": Procedure(damping, "powell_on_B", _damped(True, mu=MU)),
    "damping.powell_on_H": Procedure(damping, "powell_on_H", _damped(True, mu=MU)),
    "damping.powell_identity": Procedure(damping, "powell_identity", _damped(False, mu=MU)),
    "damping.double_damping": Procedure(damping, "double_damping", _damped(True, mu1=MU1, mu2=MU2)),
    "damping.dp_dlm": Procedure(damping, "dp_dlm", _damped(True, mu1=MU1, mu2=MU2_LM)),
    "damping.dpi_dlm": Procedure(damping, "dpi_dlm", _damped(False, mu1=MU1, mu2=MU2_LM)),
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
    "single.jacobian_product": Procedure(single, "jacobian_product", _directions),
    "single.block_matrix": Procedure(single, "block_matrix", _several),
    "smw.solve_with_inverse": Procedure(smw, "solve_with_inverse", _solves(False), (dense_solve,)),
    "smw.solve_without_inverse": Procedure(smw, "solve_without_inverse", _solves(True), (dense_solve,)),
}
"""Every procedure that can be judged by name."""
