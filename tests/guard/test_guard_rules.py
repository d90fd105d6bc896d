"""The guard itself: what it shares with CuPy, where it differs from NumPy, and that it leaves no trace."""

import sys
from types import ModuleType

import array_api_compat
import numpy as np
import pytest
from guard import GuardArray, guard
from snapshot import load, parameters
from stepgauge.arrays import namespace


@pytest.fixture
def x(cupy):
    """0 … 5 on the device, (2, 3)."""
    return cupy.asarray(np.arange(6.0).reshape(2, 3))


def test_stepgauge_takes_it_for_cupy(cupy, x):
    assert namespace(x).name == "cupy float64 on <CUDA Device 0>"
    assert namespace(x).library is sys.modules["array_api_compat.cupy"]
    assert array_api_compat.is_cupy_array(x)
    assert cupy.__version__ in ("13.6.0", "14.2.0")


def test_it_leaves_no_trace(monkeypatch):
    hidden = {name: ModuleType(name) for name in ("cupy", "cupy.linalg", "array_api_compat.cupy")}
    for name, module in hidden.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(array_api_compat, "cupy", hidden["array_api_compat.cupy"], raising=False)
    before = {name: module for name, module in sys.modules.items() if "cupy" in name}
    with guard("14") as cupy:
        assert namespace(cupy.ones(2)).library is sys.modules["array_api_compat.cupy"]
        assert not set(map(id, hidden.values())) & set(map(id, sys.modules.values()))
    assert {name: module for name, module in sys.modules.items() if "cupy" in name} == before
    assert array_api_compat.cupy is hidden["array_api_compat.cupy"]
    monkeypatch.delattr(array_api_compat, "cupy")
    with guard("13") as cupy:
        namespace(cupy.ones(2))
    assert not hasattr(array_api_compat, "cupy")


@pytest.mark.parametrize("major", ["13", "14"])
def test_the_guards_array_has_nothing_that_cupys_has_not(major):
    snapshot = load(major)
    comparisons = {f"__{name}__" for name in ("lt", "le", "gt", "ge", "eq", "ne", "hash", "repr", "str", "format",
                                               "getattr", "init")}
    own = {name for name in vars(GuardArray) if name not in vars(type("empty", (), {"__slots__": ()}))} - comparisons
    allowed = {*snapshot["operators"], *snapshot["methods"], *snapshot["attributes"], "__annotations__",
               "_host", "_number", "_index", "_operand", "_binary", "_in_place", "numpys"}
    assert own <= allowed, own - allowed


def test_what_the_snapshots_say():
    """Facts about CuPy 13.6 and 14.2 that can be looked up, some of them absences."""
    both = ("unstack", "block", "insert", "einsum_path", "longdouble", "errstate", "nditer", "matvec", "setflags")
    for major, lacks in (("13", (*both, "astype", "vecdot", "mT")), ("14", both)):
        snapshot = load(major)
        names = {*snapshot["functions"]["cupy"], *snapshot["ufuncs"], *snapshot["numpys"], *snapshot["attributes"]}
        assert snapshot["version"].startswith(major)
        assert not names & set(lacks)
        assert {"einsum", "tensordot", "where", "kron", "float32", "exp", "T"} <= names
        assert not {"multi_dot", "svdvals", "vector_norm", "outer"} & set(snapshot["functions"]["linalg"])
        assert snapshot["functions"]["cupy"]["sum"] == ["a", "axis", "dtype", "out", "keepdims"]
        assert snapshot["functions"]["linalg"]["cholesky"] == ["a"]
        assert snapshot["ufunc_keywords"] == ["out", "dtype", "casting"]
        assert not set("Og") & set(snapshot["dtypes"])
        assert set("fd?l") <= set(snapshot["dtypes"])


def test_parameters_are_read_from_what_cython_leaves():
    def cython(doc):
        return type("builtin", (), {"__doc__": doc, "__call__": lambda self, *args: None, "__signature__": "none"})()

    assert parameters(lambda a, *args, axis=None, **more: None) == ["a", "*args", "axis", "**more"]
    assert parameters(cython("_ndarray_base.sum(self, axis=None, out=None, keepdims=False) -> _ndarray_base\n\nSum")) \
        == ["axis", "out", "keepdims"]
    assert parameters(cython("_ndarray_base.reshape(self, *shape, order=u'C')\n")) == ["*shape", "order"]
    assert parameters(cython("Returns something.")) is None


def test_reductions_and_entries_are_0d_arrays(cupy, x):
    for found in (x.sum(), x.max(axis=None), cupy.sum(x), x[0] @ x[1], x[1, 2], cupy.linalg.norm(x), x.argmax(),
                  cupy.array_equal(x, x), cupy.count_nonzero(x), x[0, 0] + 1, -x[0, 0], abs(x[0, 0])):
        assert isinstance(found, cupy.ndarray)
        assert found.shape == ()


def test_an_entry_is_a_view(x):
    entry = x[1, 2]
    x *= 2
    assert float(entry) == 10
    entry += 1
    assert float(x[1, 2]) == 11


@pytest.mark.parametrize("mix", [
    lambda x, host: x + host, lambda x, host: host + x, lambda x, host: x @ host.T, lambda x, host: host.T @ x,
    lambda x, host: x < host, lambda x, host: x == None, lambda x, host: x * [1, 2, 3], lambda x, host: x.__iadd__(host),   # noqa: E711
    lambda x, host: x * np.float32(2), lambda x, host: np.float32(2) * x, lambda x, host: x.dot(host.T),
    lambda x, host: x.__setitem__(0, host[0]), lambda x, host: host.__setitem__(0, x[0]), lambda x, host: np.multiply(host, x),
    lambda x, host: np.where(host > 0, x, host), lambda x, host: np.linalg.inv(x), lambda x, host: np.asarray(x),
    lambda x, host: np.array([x, x]), lambda x, host: np.zeros(x.sum()), lambda x, host: range(x[0, 0]),
])
def test_the_host_does_not_mix_in(x, mix):
    with pytest.raises(TypeError):
        mix(x, np.ones((2, 3)))


def test_functions_do_not_mix_either(cupy, x):
    host = np.ones((2, 3))
    for call in (lambda: cupy.add(x, host), lambda: cupy.concatenate([x, host]), lambda: cupy.where(x > 0, x, host),
                 lambda: cupy.sum(host), lambda: cupy.sum([1, 2]), lambda: cupy.exp(x, out=host),
                 lambda: cupy.linalg.solve(x[:, :2], host[:, 0]), lambda: cupy.maximum(x, np.float64(1)),
                 lambda: cupy.sum(x, None, None, None, False, 0)):
        with pytest.raises(TypeError):
            call()


def test_index_arrays_wrap_around_and_integers_do_not(cupy, x):
    rows = cupy.asarray(np.array([0, 3, -1]))
    assert x[rows].get().tolist() == [[0, 1, 2], [3, 4, 5], [3, 4, 5]]
    assert x[:, [4]].get().tolist() == [[1], [4]]
    assert x[None, ..., rows].get().tolist() == [[[0, 0, 2], [3, 3, 5]]]
    with pytest.raises(IndexError):
        x[2]


def test_indexing_is_numpys_otherwise(cupy, x):
    host = x.get()
    for index in (0, -1, (0, 1), (slice(None), 1), (None, 0), (..., 0), (0, ..., None), (slice(None, None, -1), slice(1)), [1, 0],
                  (..., [0, 2]), ([0, 1], [1, 2]), host > 2, (host[:, 0] > 1, 0)):
        found = x[index]
        assert found.get().tolist() == host[index].tolist()
        assert found.shape == host[index].shape
        index = cupy.asarray(index) if isinstance(index, np.ndarray | list) else index
        found = x[index] * 1
        assert found.get().tobytes() == (host[index.get() if isinstance(index, cupy.ndarray) else index] * 1).tobytes()


def test_repeated_indices_are_not_assigned_to(cupy):
    x = cupy.zeros(4)
    x[[0, 2]] = cupy.ones(2)
    x[1:] = 5
    x[cupy.asarray(np.array([True, False, False, False]))] = -1
    assert x.get().tolist() == [-1, 5, 5, 5]
    for index in ([0, 0], [0, 4], [-1, 3]):
        with pytest.raises(ValueError, match="more than once"):
            x[index] = cupy.ones(2)


def test_linear_algebra_never_fails(cupy):
    indefinite = cupy.asarray(np.array([[1.0, 2], [2, 1]]))
    singular, nan = cupy.ones((2, 2)), cupy.full((2, 2), np.nan)
    assert cupy.linalg.cholesky(indefinite).get().tolist() == [[1, 0], [2, 1]]          # finite, pivots positive, no factor
    assert np.isnan(cupy.linalg.inv(singular).get()).all()
    assert np.isnan(cupy.linalg.solve(singular, cupy.ones(2)).get()).all()
    assert all(np.isnan(part.get()).all() for part in cupy.linalg.eigh(nan))
    stack = cupy.linalg.cholesky(cupy.asarray(np.stack([np.eye(2), -np.eye(2)])))
    assert stack.shape == (2, 2, 2)
    assert np.isnan(stack.get()).any()
    with pytest.raises(np.linalg.LinAlgError):
        cupy.linalg.inv(cupy.ones((2, 3)))


def test_good_linear_algebra_is_numpys(cupy):
    A = np.array([[4.0, 2], [2, 3]])
    for name in ("cholesky", "inv", "det"):
        assert getattr(cupy.linalg, name)(cupy.asarray(A)).get().tobytes() == np.asarray(getattr(np.linalg, name)(A)).tobytes()


def test_dtypes_that_no_device_has(cupy, x):
    for call in (lambda: x.astype(object), lambda: x.astype("g"), lambda: cupy.asarray([1], dtype=np.longdouble),
                 lambda: cupy.asarray("a"), lambda: cupy.zeros(2, dtype=object), lambda: cupy.asarray(np.array([None]))):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            call()
    assert x.astype("float32").dtype == np.float32


def test_copies_are_counted(cupy, x):
    def counted(call):
        cupy._rules.copies.clear()
        call()
        return cupy._rules.copies["to device"], cupy._rules.copies["to host"]

    one = cupy.ones(())
    assert counted(lambda: [float(one), int(one), bool(one), one.item(), f"{one}{x!s}"]) == (0, 6)
    assert counted(lambda: [x.tolist(), x.get(), cupy.asnumpy(x)]) == (0, 3)
    assert counted(lambda: cupy.asarray(np.ones(2))) == (1, 0)
    assert counted(lambda: x[[0, 1]]) == (1, 0)
    assert counted(lambda: x[x > 2]) == (0, 1)
    assert counted(lambda: cupy.nonzero(x)) == (0, 1)
    assert counted(lambda: (x @ x.T + 1).sum(axis=0)[0] * cupy.eye(2) - cupy.zeros((2, 2))) == (0, 0)
    assert counted(lambda: 3 in x[0]) == (0, 3)


def test_in_place_operations_keep_the_array(cupy):
    x = cupy.ones(3)
    same, view = x, x[1:]
    x += 2
    x *= x
    assert same is x
    assert view.get().tolist() == [9, 9]
    with pytest.raises(TypeError, match="Cannot cast"):
        cupy.ones(2, dtype=np.float32).__iadd__(cupy.ones(2) * 1j)
