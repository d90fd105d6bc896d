"""Real arrays that tally what NumPy is asked to compute, to compare shapes alone with; and elimination, counted in loops."""

from collections import Counter

import counting
import numpy as np
from stepgauge import nets
from stepgauge.arrays import namespace
from stepgauge.arrays.floats import Floats


def elimination(n, columns):
    """Multiply-adds of LU factors, and of forward and backward substitution, counted one by one."""
    work = 0
    for j in range(n):
        for _ in range(j + 1, n):
            work += 1 + (n - j - 1)
    for _ in range(columns):
        work += sum(i for i in range(n)) + sum(1 + n - i - 1 for i in range(n))
    return work


def gauss_jordan(n):
    """Multiply-adds of an inversion in place: each pivot scales its row and changes every entry of the other rows."""
    return sum(1 for _pivot in range(n) for _row in range(n) for _entry in range(n))


FREE = {np.isfinite, np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.absolute, np.logical_and}
TALLY = Counter()


class Tracked(np.ndarray):
    """A NumPy array that tallies what NumPy is asked to compute."""

    __array_priority__ = 1          # what is joined from Tracked arrays is Tracked

    def __stepgauge_namespace__(self):
        return TRACKED

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [x.view(np.ndarray) if isinstance(x, Tracked) else x for x in inputs]
        if "out" in kwargs:                          # what is added in place, such as D of overlapping windows
            kwargs["out"] = tuple(x.view(np.ndarray) if isinstance(x, Tracked) else x for x in kwargs["out"])
        result = getattr(ufunc, method)(*plain, **kwargs)
        if ufunc is np.matmul:
            A, B = plain
            mirrored = A.ndim == B.ndim == 2 and A.ctypes.data == B.ctypes.data and A.strides == B.strides[::-1]
            size = np.size(result)
            TALLY["products"] += A.shape[-1] * ((size + A.shape[0]) // 2 if mirrored and A.shape == B.shape[::-1] else size)
        elif ufunc not in FREE and (np.ndim(result) or method == "reduce"):
            TALLY["entrywise"] += plain[0].size if method == "reduce" else result.size
        return result.view(Tracked) if isinstance(result, np.ndarray) else result


class TrackedFloats(Floats):
    """float64 of NumPy, all of whose arrays are Tracked."""

    def __init__(self):
        space = namespace(np.zeros(1))
        super().__init__(space.library, space.dtype, space.device)

    def asarray(self, x):
        return super().asarray(x).view(Tracked)

    def const(self, value):
        return super().const(value).view(Tracked)

    def zeros(self, shape):
        return super().zeros(shape).view(Tracked)

    def ones(self, shape):
        return super().ones(shape).view(Tracked)

    def eye(self, n):
        return super().eye(n).view(Tracked)

    def inv(self, A):
        TALLY["inverses"] += gauss_jordan(len(A))
        return super().inv(A)

    def solve(self, A, B):
        TALLY["inverses"] += elimination(len(A), B.size // len(A))
        return super().solve(A, B)


TRACKED = TrackedFloats()


def expect_same_work(module, hyper, model):
    """Five steps with numbers and five without: every step has the same work of every kind, and every field the same shape."""
    rng, space, m = np.random.default_rng(31), counting.Counting(), 6
    real = tuple(nets.Layer(*map(TRACKED.asarray, layer)) for layer in nets.init(model, seed=3))
    bare = tuple(nets.Layer(space.zeros(layer.W.shape), space.zeros(layer.b.shape)) for layer in real)
    x = rng.standard_normal((m, *model.input_shape))
    outputs = nets.forward(model, nets.init(model, seed=3), x).output.shape
    x, y, sampled = (TRACKED.asarray(array) for array in (x, rng.standard_normal(outputs), rng.standard_normal(outputs)))
    full, empty = nets.Batch(x, y, sampled), nets.Batch(*(space.zeros(a.shape) for a in (x, y, sampled)))
    state, shape_state = module.init(model, real, full, hyper), module.init(model, bare, empty, hyper)
    for _ in range(5):
        TALLY.clear()
        space.work.clear()
        real, state, trace = module.step(model, real, state, full, hyper)
        bare, shape_state, shape_trace = module.step(model, bare, shape_state, empty, hyper)
        assert dict(TALLY) == {kind: work for kind, work in space.work.items() if kind != "numbers"}
        assert shapes((real, state, trace)) == shapes((bare, shape_state, shape_trace))


def shapes(tree):
    """The shapes of the arrays in nested tuples; anything else as it is."""
    if isinstance(tree, tuple):
        return tuple(map(shapes, tree))
    return tree.shape if hasattr(tree, "shape") else tree
