"""A stand-in for CuPy where there is no GPU: NumPy's arithmetic behind what CuPy has, and behind what CuPy refuses.

`with guard("14") as cupy:` puts a module under the name `cupy`, so that array-api-compat, and whoever asks it, takes the guard's
arrays for CuPy's, and every line between stepgauge and CuPy is the real one. The module holds the names, parameters and dtypes of
the committed snapshot and does under each what NumPy does. Where CuPy differs, so does it: no implicit `__array__`, no host arrays
among the operands, 0-d arrays where NumPy has numbers, linear algebra that never fails, index arrays that wrap around, views where
NumPy copies a number out. It is stricter than CuPy in four points, each a trap: NumPy's functions are not handed on to CuPy, a
NumPy number of another dtype is no operand (CuPy 13 and 14 disagree on the result's dtype), an assignment to repeated indices
raises, and so does a draw of random numbers. What it cannot show: rounding, speed, more than one device.
"""

import operator
import sys
from collections import Counter
from contextlib import contextmanager
from functools import partial
from types import ModuleType

import array_api_compat
import numpy as np
from snapshot import load

UPLOADS = {"array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray"}
SIZED_BY_NUMBERS = {"zeros", "ones", "empty", "eye", "identity", "arange", "tri"}
MAKERS = UPLOADS | SIZED_BY_NUMBERS | {"full", "linspace", "logspace", "geomspace"}
PLAIN = {"result_type", "can_cast", "common_type", "min_scalar_type", "isscalar", "ndim", "shape", "size"}
SIZED_BY_DATA = {"nonzero", "ndarray.nonzero", "argwhere", "flatnonzero", "unique", "extract", "compress", "ndarray.compress"}


class Device:
    """The only device, and a block that makes it the current one.  CuPy's cannot be hashed."""

    __hash__ = None

    def __init__(self, device=None):
        self.id = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def __eq__(self, other):
        return isinstance(other, Device)

    def __repr__(self):
        return "<CUDA Device 0>"


class GuardArray:
    """An array on that device. Two names are its own: `_host`, its data, and `_number`, whether NumPy has a number in its place."""

    __slots__ = ("_host", "_number")
    __hash__ = None
    rules: "Rules"

    def __init__(self, host):
        self._number = not isinstance(host, np.ndarray)
        self._host = np.asarray(host)
        if self._host.dtype.char not in self.rules.snapshot["dtypes"]:
            raise ValueError(f"Unsupported dtype {self._host.dtype}")

    @property
    def numpys(self):
        """What NumPy has in its place: an array, or a number."""
        return self._host[()] if self._number else self._host

    def __getattr__(self, name):
        snapshot = self.rules.snapshot
        if name in snapshot["methods"]:
            return partial(self.rules.call, f"ndarray.{name}", snapshot["methods"][name],
                           lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs), self)
        if name in snapshot["attributes"] and name not in ("base", "cstruct", "data", "flat"):
            return Device() if name == "device" else self.rules.wrapped(getattr(self.numpys, name))
        raise AttributeError(f"'ndarray' object has no attribute {name!r}")

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array "
                        "explicitly.")

    def __array_ufunc__(self, function, *args, **kwargs):
        raise TypeError(f"numpy.{function.__name__} was given an array on a device")

    def __array_function__(self, function, *args):
        raise TypeError(f"numpy.{function.__name__} was given an array on a device")

    def get(self):
        """A copy on the host."""
        self.rules.copies["to host"] += 1
        return self._host.copy()

    def item(self):
        """The only entry as a Python number."""
        return self.get().item()

    def tolist(self):
        """The entries as nested lists of Python numbers."""
        return self.get().tolist()

    def __bool__(self):
        return bool(self.get())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __repr__(self):
        return repr(self.get())

    def __str__(self):
        return str(self.get())

    def __format__(self, spec):
        return format(self.get(), spec)

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        index, all_axes = self._index(index)
        found = type(self)(self._host[index if all_axes else (*index, ...)])    # the dots make a view where NumPy has a number
        found._number = found.ndim == 0 and not all_axes
        return found

    def __setitem__(self, index, value):
        index, _ = self._index(index)
        times = np.zeros(self.shape, dtype=int)
        np.add.at(times, index, 1)
        if np.any(times > 1):
            raise ValueError("an entry is assigned to more than once: which value stays is undefined in CuPy")
        self._host[index] = self._operand(value)

    def _index(self, index):
        """The index as a tuple for NumPy, arrays of integers wrapped around their axis; and whether it has an Ellipsis."""
        index = [self.rules.uploaded(i) if isinstance(i, list | np.ndarray) else i
                 for i in (index if isinstance(index, tuple) else (index,))]
        masks = [isinstance(i, GuardArray) and i.dtype == bool for i in index]
        axes = [0 if i is None or i is Ellipsis else i.ndim if mask else 1 for i, mask in zip(index, masks, strict=True)]
        self.rules.copies["to host"] += sum(masks)                              # the size of the result
        axis = 0
        for k, i in enumerate(index):
            if isinstance(i, GuardArray):
                index[k] = i._host if masks[k] else i._host % self.shape[axis]
            axis += self.ndim - sum(axes) if i is Ellipsis else axes[k]
        return tuple(index), any(i is Ellipsis for i in index)

    def _operand(self, other):
        """What NumPy is to see of an operand; TypeError for what CuPy refuses, or takes in two ways."""
        if isinstance(other, GuardArray):
            return other.numpys
        if type(other) in (bool, int, float, complex) or (isinstance(other, np.generic) and other.dtype == self.dtype):
            return other
        raise TypeError(f"Unsupported type {type(other)}")

    def _binary(self, function, other, swap=False):
        pair = self.numpys, self._operand(other)
        with np.errstate(all="ignore"):
            return self.rules.wrapped(function(*(pair[::-1] if swap else pair)))

    def _in_place(self, function, other):
        with np.errstate(all="ignore"):
            function(self._host, self._operand(other))
        return self


def _define(kind, names):
    for name in names:
        function = getattr(operator, f"__{kind}{name}__" if kind == "i" else f"__{name}__")
        if kind == "u":
            method = lambda self, f=function: self.rules.wrapped(f(self.numpys))                            # noqa: E731
        elif kind == "i":
            method = lambda self, other, f=function: self._in_place(f, other)                               # noqa: E731
        else:
            method = lambda self, other, f=function, swap=kind == "r": self._binary(f, other, swap)         # noqa: E731
        setattr(GuardArray, f"__{kind if kind in 'ri' else ''}{name}__", method)


_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift")
_define("u", ("neg", "pos", "abs", "invert"))
_define("", (*_ARITHMETIC, "matmul", "lt", "le", "gt", "ge", "eq", "ne"))
_define("r", (*_ARITHMETIC, "matmul"))
_define("i", _ARITHMETIC)


class Rules:
    """One CuPy: its snapshot, its array class, its functions, and how many copies went between host and device."""

    def __init__(self, major):
        self.snapshot = load(major)
        self.copies = Counter()
        self.ndarray = type("ndarray", (GuardArray,), {"__slots__": (), "__module__": "cupy", "rules": self})

    def wrapped(self, value):
        """A result of NumPy's as the guard hands it out."""
        if isinstance(value, np.ndarray | np.generic):
            return self.ndarray(value)
        if isinstance(value, tuple | list):
            values = [self.wrapped(entry) for entry in value]
            return type(value)(*values) if hasattr(value, "_fields") else type(value)(values)
        return value

    def uploaded(self, host):
        """A host array or list on the device."""
        self.copies["to device"] += 1
        return self.ndarray(np.asarray(host))

    def call(self, name, known, function, *args, **kwargs):
        """Call NumPy's function, if CuPy has these parameters and takes these operands."""
        if unknown := set(kwargs) - set(known) if not any(p.startswith("**") for p in known) else set():
            raise TypeError(f"{name}() got an unexpected keyword argument {min(unknown)!r}")
        if len(args) - name.startswith("ndarray.") > len(known) and not any(p.startswith("*") for p in known):
            raise TypeError(f"{name}() takes {len(known)} positional arguments but {len(args)} were given")
        if name == "asnumpy":
            return args[0].get()
        host = [_operands(value, name) for value in (*args, *kwargs.values())]
        arrays = any(_has_array(value) for value in (*args, *kwargs.values()))
        if not arrays and name not in MAKERS | PLAIN:
            raise TypeError(f"{name}() got no array")
        self.copies["to device"] += name in UPLOADS and not arrays
        self.copies["to host"] += name in SIZED_BY_DATA
        with np.errstate(all="ignore"):
            result = function(*host[:len(args)], **dict(zip(kwargs, host[len(args):], strict=True)))
        if type(result) in (bool, int, float) and name not in PLAIN:
            result = np.asarray(result)[()]
        return self.wrapped(result)

    def modules(self):
        """The modules, by the names that they are imported under."""
        found = {name: ModuleType(name) for name in ("cupy", "cupy.linalg", "cupy.fft", "cupy.cuda", "cupy.cuda.device")}
        cupy, linalg = found["cupy"], found["cupy.linalg"]
        for name in self.snapshot["numpys"]:
            setattr(cupy, name, getattr(np, name))
        for name in self.snapshot["ufuncs"]:
            setattr(cupy, name, partial(self.call, name, ["*args", *self.snapshot["ufunc_keywords"]], _twin(np, name)))
        for name, known in self.snapshot["functions"]["cupy"].items():
            setattr(cupy, name, partial(self.call, name, known, _twin(np, name)))
        for name, known in self.snapshot["functions"]["linalg"].items():
            setattr(linalg, name, partial(self.call, f"linalg.{name}", known, _silent(name, _twin(np.linalg, name))))
        linalg.LinAlgError = np.linalg.LinAlgError
        found["cupy.cuda"].Device = found["cupy.cuda.device"].Device = Device
        cupy.random = _NoRandom("cupy.random")
        cupy.ndarray, cupy._rules = self.ndarray, self
        cupy.linalg, cupy.fft, cupy.cuda = linalg, found["cupy.fft"], found["cupy.cuda"]
        cupy.__version__ = self.snapshot["version"]
        return found


class _NoRandom(ModuleType):
    def __getattr__(self, name):
        raise AttributeError(f"cupy.random.{name}: CuPy's random numbers are not NumPy's; randomness is an argument here")


def _twin(module, name):
    def missing(*args, **kwargs):
        raise NotImplementedError(f"{name}: the guard has no stand-in for it")

    return getattr(module, name, missing)


def _operands(value, name):
    """An argument as NumPy is to see it; TypeError for host arrays and numbers, and for lists where CuPy takes none."""
    if isinstance(value, GuardArray):
        if name in SIZED_BY_NUMBERS:
            raise TypeError("'ndarray' object cannot be interpreted as an integer")
        return value._host if name in MAKERS else value.numpys
    if name in MAKERS | PLAIN:
        return [_operands(entry, name) for entry in value] if isinstance(value, list) else value
    if isinstance(value, np.ndarray | np.inexact):
        raise TypeError(f"{name}(): Unsupported type {type(value)}")
    if isinstance(value, list | tuple):
        return type(value)(_operands(entry, name) for entry in value)
    return value


def _has_array(value):
    """Is there an array on the device in this argument, or nothing at all?"""
    return isinstance(value, GuardArray) or (isinstance(value, list | tuple) and (not value or any(map(_has_array, value))))


def _silent(name, function):
    """NumPy's function without its LinAlgError, but for wrong shapes: nan, or the factor as far as it got, with A in the rest."""

    def silent(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except np.linalg.LinAlgError:
            harmless = [np.broadcast_to(np.eye(*x.shape[-2:], dtype=x.dtype), x.shape) if np.ndim(x) > 1 else x for x in args]
            found = function(*harmless, **kwargs)                               # raises once more where a shape is wrong
            if name == "cholesky" and args[0].ndim == 2:
                return _unfinished(args[0])
            if isinstance(found, tuple):
                return type(found)(*(np.full_like(part, np.nan) for part in found))
            return np.full_like(found, np.nan)

    return silent


def _unfinished(A):
    """Cholesky's factor up to the first pivot that is not positive, and from there the lower triangle of A."""
    C = np.tril(A)
    for j in range(len(A)):
        pivot = A[j, j] - C[j, :j] @ C[j, :j]
        if not pivot > 0:
            return C
        C[j + 1:, j] = (A[j + 1:, j] - C[j + 1:, :j] @ C[j, :j]) / np.sqrt(pivot)
        C[j, j] = np.sqrt(pivot)
    return C


@contextmanager
def guard(major):
    """The guard under the name `cupy`, for as long as the block lasts; a real CuPy comes back after it."""
    def ours(name):
        return name.split(".")[0] == "cupy" or name.startswith("array_api_compat.cupy")

    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if ours(name)}
    compat = vars(array_api_compat).pop("cupy", None)
    modules = Rules(major).modules()
    sys.modules.update(modules)
    try:
        yield modules["cupy"]
    finally:
        for name in [name for name in sys.modules if ours(name)]:
            del sys.modules[name]
        vars(array_api_compat).pop("cupy", None)
        sys.modules.update(hidden)
        if compat is not None:
            array_api_compat.cupy = compat
