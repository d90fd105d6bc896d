"""An array that is only its shape, in a number system that counts what would be computed.

Every line of `reference` and `nets` runs on it unchanged, at any size and at no cost, since a count depends on shapes alone. A
decision needs a value: a comparison of two numbers answers as for an ordinary pair, whose sᵀy is large, so that nothing is
skipped or damped (damping or not costs the same vectors). What is counted, in multiply-adds:

    A @ B, (n, k) by (k, m)        nkm; for A @ Aᵀ of one array the triangle alone, kn(n + 1)/2, as BLAS's syrk does it, unless
                                   `triangles` is false
    inverse of (n, n)              n³
    solve, (n, n) with k columns   (n³ − n)/3 for the factors and n²k for the columns, triangular or not, as `xp.solve` does it
    entry by entry                 1 an entry of the result;  a sum: 1 an entry of what is summed

Copies, constants, comparisons and checks for nan are free: also the copies that make patches of an image.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np


class Sized:
    """An array of some shape without entries; `of` is the array that this one is the transpose of."""

    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, shape, space, of=None):
        self.shape, self.space, self.of = tuple(shape), space, of

    def __stepgauge_namespace__(self):
        return self.space

    ndim = property(lambda self: len(self.shape))
    T = property(lambda self: Sized(self.shape[::-1], self.space, of=self))

    def __getitem__(self, index):
        return Sized(np.broadcast_to(np.int8(0), self.shape)[index].shape, self.space)

    def __setitem__(self, index, value):
        np.broadcast_shapes(self[index].shape, value.shape)

    def _entrywise(self, *others):
        shape = np.broadcast_shapes(self.shape, *(getattr(other, "shape", ()) for other in others))
        return self.space.counted("entrywise" if shape else "numbers", math.prod(shape), shape)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = __neg__ = _entrywise

    def __abs__(self):
        return self

    def __lt__(self, other):
        return False

    def __gt__(self, other):
        return True

    __le__, __ge__ = __lt__, __gt__

    def __matmul__(self, other):
        if not isinstance(other, Sized):
            return NotImplemented
        n, k = self.shape if self.ndim == 2 else (1, *self.shape)
        also_k, m = other.shape if other.ndim == 2 else (*other.shape, 1)
        if k != also_k:
            raise ValueError(f"shapes: expected equal inner sizes because they are summed over, "
                             f"got {self.shape} and {other.shape}")
        gram = self.of is other or other.of is self
        work = k * n * (n + 1) // 2 if gram and self.space.triangles else n * k * m
        return self.space.counted("products", work, (*self.shape[:-1], *other.shape[1:]))


class Counting:
    """The namespace of `Sized` arrays; `work` holds the multiply-adds so far, by kind."""

    exact, name, smallest, u = False, "counting", 0, 0

    def __init__(self, triangles=True):
        self.triangles, self.work = triangles, Counter()

    def counted(self, kind, work, shape):
        self.work[kind] += work
        return Sized(shape, self)

    def taken(self):
        """The multiply-adds since the last call."""
        total = self.work.total()
        self.work.clear()
        return total

    def zeros(self, shape):
        return Sized(shape if isinstance(shape, tuple) else (shape,), self)

    ones = zeros

    def eye(self, n):
        return Sized((n, n), self)

    def zeros_like(self, x):
        return Sized(x.shape, self)

    ones_like = zeros_like

    def const(self, value):
        return Sized((), self)

    def all_finite(self, x):
        return True

    def triu(self, A):
        return A

    def reshape(self, x, shape):
        size, known = math.prod(x.shape), math.prod(n for n in shape if n != -1)
        return Sized((size // known if n == -1 else n for n in shape), self)

    def permute_dims(self, x, axes):
        return Sized((x.shape[axis] for axis in axes), self)

    def root(self, x, k):
        return x._entrywise()

    def take(self, x, index, axis):
        return Sized((len(index) if i == axis else n for i, n in enumerate(x.shape)), self)

    def concat(self, arrays, axis=0):
        shape = list(arrays[0].shape)
        shape[axis] = sum(x.shape[axis] for x in arrays)
        return Sized(shape, self)

    def sum(self, x, axis=None):
        kept = [n for i, n in enumerate(x.shape) if axis is not None and i != axis % x.ndim]
        return self.counted("entrywise", math.prod(x.shape), kept)

    def trace(self, A):
        return self.counted("entrywise", A.shape[0], ())

    def sqrt(self, x):
        return x._entrywise()

    def tanh(self, x):
        return x._entrywise()

    def asarray(self, x):
        return Sized(np.shape(x), self)

    def broadcast_to(self, x, shape):
        return Sized(shape, self)

    def inv(self, A):
        return self.counted("inverses", A.shape[0] ** 3, A.shape)

    def solve(self, A, B):
        n = A.shape[0]
        return self.counted("inverses", (n**3 - n) // 3 + n * math.prod(B.shape), B.shape)
