"""A case: one small training problem that a candidate runs and the judge replays, in memory or as a folder of files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import nets
from ..arrays import cast, is_integer
from ..arrays.checks import check_rows
from ..arrays.errors import expect
from ..reference import METHODS
from ..reference.parts.descent import StepDecay, gradient

Array = Any
FORMAT = "stepgauge case 1"


class Layout(NamedTuple):
    """How a candidate writes "W" and "b": declared, never guessed.  Every other quantity is written as the method's Trace says.

    kernel   "out_in": W (d_out, d_in), or (out, in, kh, kw); "in_out": W (d_in, d_out), or (kh, kw, in, out).
    bias     "separate": a list "b" beside "W"; "column": the last column of W̄ (d_out, d_in + 1), which is a matrix for a
             convolution too, d_in = in·kh·kw (the last row where kernel is "in_out").
    """

    kernel: str = "out_in"
    bias: str = "separate"


OURS = Layout()


@dataclass(frozen=True)
class Case:
    """One problem: `candidate(case)` starts at `params`, takes one step on each of `batches`, and yields after each.

    name       which case of the method's suite this is.
    method     a name out of `reference.METHODS`.
    model      the network.
    params     where to start: Layers with W (d_out, d_in) or (out, in, kh, kw), b (d_out,), whatever the layout of the candidate,
               and Norms.
    hyper      the method's `Hyper`, with floats for numbers.
    data       the Batch (or tuple of Batches) of the warm start.
    batches    one Batch a step.
    dtype      "float64" or "float32": what every array is and what the candidate is to compute and yield.
    layout     how the candidate writes its layers.
    """

    name: str
    method: str
    model: nets.Model
    params: tuple[nets.Layer | nets.Norm, ...]
    hyper: Any
    data: Any
    batches: tuple[nets.Batch, ...]
    dtype: str = "float64"
    layout: Layout = OURS

    @property
    def unit_roundoff(self) -> float:
        """Half the distance from 1 to the next number of the dtype."""
        return float(np.finfo(self.dtype).eps) / 2

    @property
    def steps(self) -> int:
        """How many steps the candidate takes."""
        return len(self.batches)

    def check(self) -> None:
        """Raise ValueError or TypeError, which name the field, unless the reference can go through this case."""
        expect(isinstance(self.name, str), "name", "a string", "reports print it", repr(self.name))
        expect(self.method in METHODS, "method", f"one of {', '.join(METHODS)}", "the reference has these", repr(self.method))
        expect(self.dtype in ("float32", "float64"), "dtype", "float32 or float64", "candidates run in one of these",
               repr(self.dtype))
        expect(self.layout.kernel in ("out_in", "in_out") and self.layout.bias in ("separate", "column"), "layout",
               "a kernel 'out_in' or 'in_out' and a bias 'separate' or 'column'", "layers are written in one of these ways",
               self.layout)
        method = METHODS[self.method]
        expect(isinstance(self.hyper, method.Hyper), "hyper", f"the Hyper of {self.method}", "its fields are read",
               type(self.hyper).__name__)
        expect(self.batches, "batches", "at least one", "a step is taken on each", "none")
        for l, layer in enumerate(self.params):
            for name, tensor in layer._asdict().items():
                expect(tensor.dtype == self.dtype, f"params[{l}].{name}", self.dtype, "the case says so", tensor.dtype)
                expect(np.isfinite(tensor).all(), f"params[{l}].{name}", "finite numbers", "nan and inf spread", "nan or inf")
        for batch in (*self.batches, *batches_of(self.data)):
            self._check_batch(batch)
        state = method.init(self.model, self.params, self.data, self.hyper)
        method.step(self.model, self.params, state, self.batches[0], self.hyper)

    def _check_batch(self, batch: nets.Batch) -> None:
        tape = nets.forward(self.model, self.params, batch.x)
        nets.backward(self.model, self.params, tape, batch.y)
        if batch.y_sampled is not None:
            nets.backward(self.model, self.params, tape, batch.y_sampled)
        if isinstance(batch.curvature, nets.Batch):
            self._check_batch(batch.curvature)
        elif batch.curvature is not None:
            check_rows(batch.curvature, len(batch.x))

    def loss_and_grad(self, params: Any, batch: nets.Batch) -> tuple[float, tuple[Any, ...]]:
        """The mean loss over the batch (plus η/2 ‖θ‖² where the hyper-parameters have an η) and its gradient.

        Takes    params: pairs W, b, or γ, β, in the shapes of this case's; batch: one of this case's.
        Returns  the loss, and the gradient as Layers and Norms.
        """
        params = tuple(type(mine)(*layer) for mine, layer in zip(self.params, params, strict=True))
        tape = nets.forward(self.model, params, batch.x)
        eta = getattr(self.hyper, "eta", 0)
        penalty = eta / 2 * sum(float((tensor**2).sum()) for tensor in nets.tensors(params))
        loss = nets.backward(self.model, params, tape, batch.y).loss
        return float(loss) + penalty, nets.layers(gradient(self.model, params, batch, eta, tape), params)

    def in_dtype(self, dtype: str) -> Case:
        """The same case in another dtype."""
        params, data, batches = cast((self.params, self.data, self.batches), dtype)
        return replace(self, params=params, data=data, batches=batches, dtype=dtype)

    def save(self, folder: Any) -> None:
        """Write this case as `case.json` and one .npy file an array (no pickle): the way in for other languages."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "case.json").write_text(json.dumps(self.described(_Writer(folder)), indent=1, default=float) + "\n")

    def described(self, write: Callable[[str, Array], Any]) -> dict[str, Any]:
        """This case as a tree of dicts, lists, strings and numbers, with `write(name, array)` in place of each array."""
        return {
            "format": FORMAT, "name": self.name, "method": self.method, "dtype": self.dtype,
            "layout": self.layout._asdict(),
            "model": model_text(self.model),
            "hyper": {name: {"StepDecay": value._asdict()} if isinstance(value, StepDecay) else value
                      for name, value in self.hyper._asdict().items()},
            "params": [{name: write(f"params_{l}_{name}", tensor) for name, tensor in layer._asdict().items()}
                       for l, layer in enumerate(self.params)],
            "data": [_batch_text(write, f"data_{i}", batch) for i, batch in enumerate(batches_of(self.data))],
            "batches": [_batch_text(write, f"batch_{i}", batch) for i, batch in enumerate(self.batches)],
        }

    @staticmethod
    def load(folder: Any) -> Case:
        """Read what `save` wrote.

        Raises   ValueError where a file is missing or says something else than a case; nothing in it is executed.
        """
        folder = Path(folder)
        text = read_json(folder / "case.json")
        with _well_formed():
            case = Case.from_described(text, _Reader(folder, text["dtype"]))
            case.check()
        return case

    @staticmethod
    def from_described(text: Any, read: Callable[[Any], Array]) -> Case:
        """The inverse of `described`, with `read(text)` for each array; not checked against the reference.

        Raises   ValueError where the tree says something else than a case.
        """
        with _well_formed():
            expect(text["format"] == FORMAT, "case.json: format", repr(FORMAT), "the folder must be a case",
                   repr(text["format"]))
            expect(text["method"] in METHODS, "case.json: method", f"one of {', '.join(METHODS)}",
                   "the reference has these", repr(text["method"]))
            model = read_model(text["model"])
            hyper = {name: StepDecay(**value["StepDecay"]) if isinstance(value, dict) else value
                     for name, value in text["hyper"].items()}
            params = tuple((nets.Norm if "gamma" in layer else nets.Layer)(**{name: read(file) for name, file in layer.items()})
                           for layer in text["params"])
            data = tuple(_read_batch(read, batch) for batch in text["data"])
            batches = tuple(_read_batch(read, batch) for batch in text["batches"])
            return Case(text["name"], text["method"], model, params, METHODS[text["method"]].Hyper(**hyper), data, batches,
                        text["dtype"], Layout(**text["layout"]))


@contextmanager
def _well_formed() -> Iterator[None]:
    """Whatever a malformed tree makes of the code that reads it is said in one way."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, ZeroDivisionError, RecursionError) as error:
        raise ValueError(f"case.json: expected the fields that Case.save writes because the judge replays them, "
                         f"got {type(error).__name__}: {error}") from error


def batches_of(data: Any) -> tuple[nets.Batch, ...]:
    """A Batch, or an iterable of them, as a tuple."""
    return (data,) if isinstance(data, nets.Batch) else tuple(data)


def write_steps(folder: Any, steps: Any) -> None:
    """Write a trajectory, one dict of arrays or lists of arrays a step, as `steps.json` and .npy files."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write = _Writer(folder)
    text = [{name: [write(f"step_{k}_{name}_{i}", array) for i, array in enumerate(flat(values))]
             if isinstance(values, list | tuple) else write(f"step_{k}_{name}", values)
             for name, values in step.items()} for k, step in enumerate(steps)]
    (folder / "steps.json").write_text(json.dumps(text, indent=1) + "\n")


def flat(values: Any) -> list[Array]:
    """A list of arrays from one that may have lists in it, such as one matrix for each mode of a tensor."""
    return [part for value in values for part in (value if isinstance(value, list | tuple) else [value])]


def read_steps(folder: Any) -> list[dict[str, Any]]:
    """Read what `write_steps`, or a program in another language, wrote.

    Raises   ValueError where a file is missing or malformed.
    """
    folder = Path(folder)
    text = read_json(folder / "steps.json")
    expect(isinstance(text, list) and all(isinstance(step, dict) for step in text), "steps.json",
           "a list with one object a step", "a trajectory is read from it", type(text).__name__)
    read = _Reader(folder)
    return [{name: [read(file) for file in files] if isinstance(files, list) else read(files)
             for name, files in step.items()} for step in text]


def read_json(path: Path) -> Any:
    """The JSON in a file.  Raises ValueError where there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path.name}: expected a JSON file because the folder must hold one, got {error}") from error


RECORDS = {kind.__name__: kind for kind in (nets.Dense, nets.Act, nets.Conv2d, nets.MaxPool, nets.AvgPool, nets.Flatten,
                                            nets.BatchNorm, nets.Residual)}


def model_text(model: nets.Model) -> dict[str, Any]:
    """A network as a tree of dicts, lists, strings and numbers."""
    return {"input_shape": model.input_shape, "layers": _record_text(model.layers), "loss": model.loss}


def read_model(text: Any) -> nets.Model:
    """The inverse of `model_text`.  Raises what `nets.cnn` raises, or KeyError and the like, where the tree says something else."""
    return nets.cnn(text["input_shape"], _read_records(text["layers"]), text["loss"])


def _record_text(value: Any) -> Any:
    """Layer records as JSON: [name, field, …], a tuple of records as a list, a Fraction as "p/q"."""
    if type(value) in RECORDS.values():
        return [type(value).__name__, *map(_record_text, value)]
    if isinstance(value, tuple):
        return list(map(_record_text, value))
    return str(value) if isinstance(value, Fraction) else value


def _read_records(text: Any) -> Any:
    """The inverse of `_record_text`."""
    if isinstance(text, list):
        name, *fields = text or [None]
        made = isinstance(name, str)
        return RECORDS[name](*map(_read_records, fields)) if made else tuple(map(_read_records, text))
    return Fraction(text) if isinstance(text, str) and "/" in text else text


class _Writer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, array: Array) -> str:
        np.save(self.folder / f"{name}.npy", np.asarray(array), allow_pickle=False)
        return f"{name}.npy"


def _batch_text(write: Callable[[str, Array], Any], name: str, batch: nets.Batch) -> dict[str, Any]:
    fields: dict[str, Any] = {"x": write(f"{name}_x", batch.x), "y": write(f"{name}_y", batch.y)}
    if batch.y_sampled is not None:
        fields["y_sampled"] = write(f"{name}_y_sampled", batch.y_sampled)
    if isinstance(batch.curvature, nets.Batch):
        fields["curvature"] = _batch_text(write, f"{name}_curvature", batch.curvature)
    elif batch.curvature is not None:
        fields["curvature"] = write(f"{name}_curvature", batch.curvature)
    return fields


def _read_batch(read: Callable[[Any], Array], fields: dict[str, Any]) -> nets.Batch:
    optional = {name: _read_batch(read, value) if isinstance(value, dict) else read(value)
                for name, value in fields.items() if name not in ("x", "y")}
    return nets.Batch(read(fields["x"]), read(fields["y"]), **optional)


class _Reader:
    """Reads the arrays of a folder; those of a case are finite floats of its dtype, or integers."""

    def __init__(self, folder: Path, dtype: Any = None) -> None:
        self.folder, self.dtype = folder, dtype

    def __call__(self, name: Any) -> Array:
        expect(isinstance(name, str) and name == Path(name).name and not (self.folder / name).is_symlink(), "file",
               "the plain name of a file in the folder", "nothing outside it is read", repr(name))
        try:
            with (self.folder / name).open("rb") as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError, EOFError, MemoryError) as error:
            raise ValueError(f"{name}: expected a .npy file because an array is read from it, got {error}") from error
        expect(array.dtype in (np.float32, np.float64) or is_integer(array), name, "floats or integers",
               "arrays of a case are one of these", array.dtype)
        if self.dtype is not None and not is_integer(array):
            expect(array.dtype == self.dtype, name, self.dtype, "case.json says so", array.dtype)
            expect(np.isfinite(array).all(), name, "finite numbers", "nan and inf spread", "nan or inf")
        return array
