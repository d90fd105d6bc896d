"""Where a real CuPy can be imported, without a device: its names, and views over host memory against NumPy's."""

import warnings

import numpy as np
import pytest
from guard import guard
from snapshot import load, on_host, snapshot
from stepgauge.arrays import namespace
from stepgauge.reference.parts import tensors

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")   # the driver's, from Cython


@pytest.fixture(scope="module")
def real():
    """The real CuPy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                                         # it looks for a CUDA folder
        return pytest.importorskip("cupy")


def test_it_has_what_the_snapshot_says(real):
    recorded = load(real.__version__.partition(".")[0])
    if real.__version__ != recorded["version"]:
        pytest.skip(f"the snapshot is of CuPy {recorded['version']}, this is {real.__version__}")
    assert snapshot(real) == recorded


HOST = np.arange(24.0).reshape(2, 3, 4)

# Where NumPy's answer is a view, CuPy's needs no driver either.
VIEWS = {
    "transpose": lambda x: x.T,
    "matrix": lambda x: x[0].T,
    "last columns": lambda x: x[:, :, :-1],
    "column": lambda x: x[0][:, -1],
    "new axes": lambda x: x[0, :, None, :, None],
    "dots": lambda x: x[..., 0],
    "every second": lambda x: x[:, ::2, ::-1],
    "vec": tensors.vec,
    "mat 1": lambda x: tensors.mat(x, 1),
    "mat of a matrix": lambda x: tensors.mat(x[0], 1),
    "permute": lambda x: namespace(x).permute_dims(x, (1, 2, 0)),
    "rows": lambda x: namespace(x).reshape(x, (-1, x.shape[-1])),
    "positions": lambda x: namespace(x).reshape(x[0], (3, 1, -1)),
    "transposed rows": lambda x: namespace(x).reshape(x, (-1, x.shape[-1])).T,
    "matrix transpose": lambda x: namespace(x).matrix_transpose(x),
    "swap": lambda x: namespace(x).permute_dims(namespace(x).reshape(x, (6, 4)), (1, 0)),
}


def places(x, start):
    """Shape, strides and first address (from the start of the memory) of a view."""
    address = x.__array_interface__["data"][0] if isinstance(x, np.ndarray) else x.data.ptr
    return tuple(x.shape), tuple(x.strides), address - start


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", VIEWS)
def test_views_lie_where_numpys_lie(real, name, dtype):
    host = HOST.astype(dtype)
    view = VIEWS[name](host)
    assert np.shares_memory(view, host)
    found = VIEWS[name](on_host(real, host))
    assert type(found) is real.ndarray
    assert found.dtype == dtype
    assert places(found, host.ctypes.data) == places(view, host.ctypes.data)


def test_an_entry_is_a_view(real):
    assert places(on_host(real, HOST)[1, 2, 3], HOST.ctypes.data) == ((), (), 23 * 8)


def test_stepgauge_knows_it(real):
    x = on_host(real, HOST)
    xp = namespace(x)
    assert xp is namespace(x)
    assert xp.name == "cupy float64 on <CUDA Device 0>"
    assert xp.library.__name__ == "array_api_compat.cupy"
    assert xp.device == real.cuda.Device(0)
    with pytest.raises(TypeError, match="numpy float64 and cupy float64 on <CUDA Device 0>"):
        namespace(HOST, x)
    with pytest.raises(TypeError, match="cupy float64 on <CUDA Device 0> and cupy float64 on <CUDA Device 1>"):
        namespace(x, on_host(real, HOST, device=1))


REFUSED = {
    "implicit conversion": (TypeError, lambda x: np.asarray(x)),
    "a host array on the right": (TypeError, lambda x: x @ np.ones((4, 2))),
    "a host array on the left": (TypeError, lambda x: np.ones((2, 3)) @ x),
    "a host array in dot": (TypeError, lambda x: x.dot(np.ones(4))),
    "a keyword": (TypeError, lambda x: x.sum(where=None)),
    "an index from an array": (TypeError, lambda x: range(x[0, 0])),
    "a hash": (TypeError, hash),
    "a hash of the device": (TypeError, lambda x: hash(x.device)),
    "an integer index": (IndexError, lambda x: x[5]),
    "truth of many": (ValueError, bool),
    "a method": (AttributeError, lambda x: x.setflags(write=False)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_guard_refuses_what_cupy_refuses(real, name):
    """Errors that come before any arithmetic, and so without a driver."""
    error, call = REFUSED[name]
    with pytest.raises(error):
        call(on_host(real, np.ones((3, 4))))
    with guard(real.__version__.partition(".")[0]) as cupy, pytest.raises(error):
        call(cupy.ones((3, 4)))
