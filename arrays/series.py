"""Truncated power series over any arithmetic: a value, and its Taylor coefficients along S directions at once.

A `Series` stands for x(t) = x₀ + Σ_s (x_s1 t_s + x_s2 t_s² + … + x_sd t_s^d) with products of different t_s dropped: S series in
one variable each that share their value, which is computed once. The lines of `nets` run on it unchanged, which makes
Pearlmutter's R-operator of every line (d = 1) and Taylor propagation (any d); a Series may be made of Series, which keeps mixed
products.

    x y      Σ_{i+j=k} x_i y_j               x / y   q_k = (x_k − Σ_{j≥1} y_j q_{k−j}) / y₀
    f(x)     k y_k = Σ_{j≥1} j x_j w_{k−j}, where w = f′(x) is a series in y itself: exp y, tanh 1 − y², logistic y − y²

A coefficient that is 0 whatever the numbers is None, and costs nothing. Comparisons, and with them `where` and `maximum`, look at
the value alone: on a kink the coefficients are those of the branch that the value takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .dispatch import namespace
from .errors import expect

Array = Any


class Series:
    """A value and its coefficients: rays[s][k − 1], an array of the value's shape or None, belongs to t_s^k."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Array, rays: Any, space: SeriesSpace) -> None:
        self.value, self.space = value, space
        shape = self.shape
        self.rays = [[c if c is None or _shape(c) == shape else space.inner.broadcast_to(c, shape) for c in ray] for ray in rays]

    def __stepgauge_namespace__(self) -> SeriesSpace:
        return self.space

    shape = property(lambda self: _shape(self.value))
    ndim = property(lambda self: len(self.shape))
    T = property(lambda self: self._each(lambda c: c.T))

    def _each(self, linear: Callable[[Array], Array]) -> Series:
        """A linear function of every coefficient."""
        return Series(linear(self.value), [[None if c is None else linear(c) for c in ray] for ray in self.rays], self.space)

    def _both(self, other: Any, product: Callable[[Array, Array], Array]) -> Series:
        """A bilinear function of both."""
        x, y = self, self.space.lift(other)
        return Series(product(x.value, y.value),
                      [[_convolution((x.value, *a), (y.value, *b), k, product) for k in range(1, self.space.order + 1)]
                       for a, b in zip(x.rays, y.rays, strict=True)], self.space)

    def __getitem__(self, index: Any) -> Series:
        return self._each(lambda c: c[index])

    def __setitem__(self, index: Any, other: Series) -> None:
        self.value[index] = other.value
        for mine, theirs in zip(self.rays, other.rays, strict=True):
            for k, c in enumerate(theirs):
                if mine[k] is None and c is not None:
                    mine[k] = self.space.inner.zeros(self.shape)
                if mine[k] is not None:
                    mine[k][index] = self.space.inner.zeros_like(other.value) if c is None else c

    def __neg__(self) -> Series:
        return self._each(lambda c: -c)

    def __abs__(self) -> Series:
        return self.space.where(self.value < 0, -self, self)

    def __add__(self, other: Any) -> Series:
        other = self.space.lift(other)
        return Series(self.value + other.value, [[_sum(pair) for pair in zip(a, b, strict=True)]
                                                 for a, b in zip(self.rays, other.rays, strict=True)], self.space)

    def __sub__(self, other: Any) -> Series:
        return self + -self.space.lift(other)

    def __rsub__(self, other: Any) -> Series:
        return -self + other

    def __mul__(self, other: Any) -> Series:
        return self._both(other, lambda x, y: x * y)

    __radd__ = __add__
    __rmul__ = __mul__

    def __matmul__(self, other: Any) -> Series:
        return self._both(other, lambda x, y: x @ y)

    def __truediv__(self, other: Any) -> Series:
        other = self.space.lift(other)
        value = self.value / other.value

        def ray(x: Any, y: Any) -> list[Any]:
            q = [value]
            for k in range(1, self.space.order + 1):
                q.append(_over(_minus(x[k - 1], _convolution((None, *y), q, k)), other.value))
            return q[1:]

        return Series(value, [ray(x, y) for x, y in zip(self.rays, other.rays, strict=True)], self.space)

    def __rtruediv__(self, other: Any) -> Series:
        return self.space.lift(other) / self

    def __pow__(self, exponent: int) -> Series:
        expect(isinstance(exponent, int) and exponent >= 0, "exponent", "an integer >= 0", "a power is a repeated product",
               exponent)
        result = self.space.ones(self.shape)
        for _ in range(exponent):
            result = result * self
        return result

    def __lt__(self, other: Any) -> Any:
        return self.value < self.space.lift(other).value

    def __le__(self, other: Any) -> Any:
        return self.value <= self.space.lift(other).value

    def __gt__(self, other: Any) -> Any:
        return self.value > self.space.lift(other).value

    def __ge__(self, other: Any) -> Any:
        return self.value >= self.space.lift(other).value

    def only(self, kept: Sequence[bool]) -> Series:
        """The same series along the directions that are kept, and constant along the others."""
        return Series(self.value, [ray if keep else [None] * len(ray) for ray, keep in zip(self.rays, kept, strict=True)],
                      self.space)

    def truncated(self, order: int) -> Series:
        """The same series up to a lower order."""
        space = self.space
        return Series(self.value, [ray[:order] for ray in self.rays], SeriesSpace(space.inner, space.count, order))


class SeriesSpace:
    """The namespace of series with `count` directions and coefficients up to `order`, over the namespace `inner`."""

    def __init__(self, inner: Any, count: int, order: int) -> None:
        expect(isinstance(order, int) and order >= 1, "order", "a positive integer", "order 0 is the value itself", order)
        self.inner, self.count, self.order = inner, count, order
        self.exact, self.smallest = inner.exact if hasattr(inner, "exact") else False, inner.smallest
        self.name = f"series of order {order} in {count} directions over {inner.name}"

    def lift(self, x: Any) -> Series:
        """x as a series: an array or number of the inner arithmetic is a constant."""
        if isinstance(x, Series) and x.space.name == self.name:
            return x
        expect(not isinstance(x, Series) or x.space.name == self.inner.name, "series", f"{self.name} or what they are made of",
               "others cannot be mixed with them", lambda: x.space.name, TypeError)
        return self._constant(x if hasattr(x, "shape") else self.inner.const(x))

    def _constant(self, value: Array) -> Series:
        return Series(value, self._no_rays(), self)

    def _no_rays(self) -> list[list[None]]:
        return [[None] * self.order for _ in range(self.count)]

    def along(self, value: Array, directions: Sequence[Array | None]) -> Series:
        """value + Σ_s t_s · directions[s], where None is a direction that leaves this array alone."""
        return Series(value, [[direction, *[None] * (self.order - 1)] for direction in directions], self)

    def const(self, value: Any) -> Series:
        """The number `value`."""
        return self._constant(self.inner.const(value))

    def asarray(self, x: Any) -> Series:
        """Numbers as a constant of this arithmetic."""
        return self._constant(self.inner.asarray(x))

    def zeros(self, shape: Any) -> Series:
        """Zeros."""
        return self._constant(self.inner.zeros(shape))

    def ones(self, shape: Any) -> Series:
        """Ones."""
        return self._constant(self.inner.ones(shape))

    def eye(self, n: int) -> Series:
        """The n × n identity."""
        return self._constant(self.inner.eye(n))

    def zeros_like(self, x: Series) -> Series:
        """Zeros in the shape of x."""
        return self.zeros(x.shape)

    def ones_like(self, x: Series) -> Series:
        """Ones in the shape of x."""
        return self.ones(x.shape)

    def indicator(self, mask: Any) -> Series:
        """1 where the mask holds, 0 elsewhere."""
        return self._constant(self.inner.indicator(mask))

    def reshape(self, x: Series, shape: Any) -> Series:
        """The same entries in another shape."""
        return x._each(lambda c: self.inner.reshape(c, shape))

    def permute_dims(self, x: Series, axes: Any) -> Series:
        """The same entries with the axes in another order."""
        return x._each(lambda c: self.inner.permute_dims(c, axes))

    def take(self, x: Series, index: Any, axis: int) -> Series:
        """The entries at these places along `axis`."""
        return x._each(lambda c: self.inner.take(c, index, axis))

    def broadcast_to(self, x: Series, shape: Any) -> Series:
        """The same entries, repeated along new axes."""
        return x._each(lambda c: self.inner.broadcast_to(c, shape))

    def sum(self, x: Series, axis: Any = None, keepdims: bool = False) -> Series:
        """Sum over `axis` (all entries where None)."""
        return x._each(lambda c: self.inner.sum(c, axis=axis, keepdims=keepdims) if keepdims else self.inner.sum(c, axis=axis))

    def concat(self, arrays: Any, axis: int = 0) -> Series:
        """The arrays one after the other along `axis`."""
        def joined(parts: Any) -> Any:
            if all(part is None for part in parts):
                return None
            return self.inner.concat([self.inner.zeros(x.shape) if part is None else part
                                      for x, part in zip(arrays, parts, strict=True)], axis=axis)

        return Series(joined([x.value for x in arrays]),
                      [[joined(parts) for parts in zip(*rays, strict=True)]
                       for rays in zip(*(x.rays for x in arrays), strict=True)], self)

    def where(self, mask: Any, yes: Any, no: Any) -> Series:
        """`yes` or `no` entry by entry, with its coefficients."""
        yes, no = self.lift(yes), self.lift(no)
        value = self.inner.where(mask, yes.value, no.value)

        def chosen(a: Any, b: Any) -> Any:
            if a is None and b is None:
                return None
            zero = self.inner.zeros(())
            return self.inner.where(mask, zero if a is None else a, zero if b is None else b)

        return Series(value, [[chosen(a, b) for a, b in zip(*rays, strict=True)]
                              for rays in zip(yes.rays, no.rays, strict=True)], self)

    def maximum(self, x: Series, y: Series) -> Series:
        """The larger of two numbers, entry by entry; the second where they are equal."""
        x, y = self.lift(x), self.lift(y)
        return self.where(x.value > y.value, x, y)

    def all_finite(self, x: Series) -> bool:
        """Are all coefficients finite?"""
        return all(self.inner.all_finite(c) for c in (x.value, *(c for ray in x.rays for c in ray if c is not None)))

    def _function(self, x: Series, value: Array, slope: Array, next_slope: Callable[[list[Any], int], Any]) -> Series:
        """f(x) from its value, f′ at the value of x, and the k-th coefficient of f′(x) from those of f(x) up to k."""
        def ray(a: Any) -> list[Any]:
            y, w = [value], [slope]
            for k in range(1, self.order + 1):
                y.append(_integral(a, w, k))
                w.append(next_slope(y, k))
            return y[1:]

        return Series(value, [ray(a) for a in x.rays], self)

    def _with_slope(self, x: Series, value: Array, w: Series) -> Series:
        """f(x) from its value and the series w of f′(x)."""
        return Series(value, [[_integral(a, (w.value, *b), k) for k in range(1, self.order + 1)]
                              for a, b in zip(x.rays, w.rays, strict=True)], self)

    def exp(self, x: Series) -> Series:
        """eˣ, entry by entry."""
        value = self.inner.exp(x.value)
        return self._function(x, value, value, lambda y, k: y[k])

    def expm1(self, x: Series) -> Series:
        """eˣ − 1, entry by entry."""
        return self._function(x, self.inner.expm1(x.value), self.inner.exp(x.value), lambda y, k: y[k])

    def tanh(self, x: Series) -> Series:
        """tanh x, entry by entry."""
        value = self.inner.tanh(x.value)
        return self._function(x, value, 1 - value**2, lambda y, k: _minus(None, _convolution(y, y, k)))

    def logistic(self, x: Series) -> Series:
        """1 / (1 + e⁻ˣ), entry by entry."""
        value = self.inner.logistic(x.value)
        return self._function(x, value, value * self.inner.logistic(-x.value), lambda y, k: _minus(y[k], _convolution(y, y, k)))

    def softplus(self, x: Series) -> Series:
        """log(1 + eˣ), entry by entry."""
        return self._with_slope(x, self.inner.softplus(x.value), self.logistic(x))

    def log(self, x: Series) -> Series:
        """log x, entry by entry."""
        return self._with_slope(x, self.inner.log(x.value), 1 / x)

    def sqrt(self, x: Series) -> Series:
        """√x, entry by entry; where x = 0 it has no derivative."""
        value = self.inner.sqrt(x.value)

        def ray(a: Any) -> list[Any]:
            y = [value]
            for k in range(1, self.order + 1):
                y.append(_over(_minus(a[k - 1], _convolution((None, *y[1:]), (None, *y[1:]), k)), 2 * value))
            return y[1:]

        return Series(value, [ray(a) for a in x.rays], self)

    def softmax(self, x: Series) -> Series:
        """e^(x_j) / Σ_i e^(x_i) along the last axis."""
        return self._softmax(x)[0]

    def logsumexp(self, x: Series) -> Series:
        """log Σ_i e^(x_i) along the last axis."""
        return self._softmax(x)[1]

    def _softmax(self, x: Series) -> tuple[Series, Series]:
        """p = softmax x and ℓ = logsumexp x from ℓ′ = Σ_j p_j x_j′ and p′ = p (x − ℓ)′."""
        p_0, l_0 = self.inner.softmax(x.value), self.inner.logsumexp(x.value)
        rays_p, rays_l = [], []
        for a in x.rays:
            p, l, centred = [p_0], [l_0], []  # type: list[Any], list[Any], list[Any]
            for k in range(1, self.order + 1):
                moved = _integral(a, p, k)
                l.append(None if moved is None else self.inner.sum(moved, axis=-1))
                centred.append(_minus(a[k - 1], None if l[k] is None else l[k][..., None]))
                p.append(_integral(centred, p, k))
            rays_p.append(p[1:])
            rays_l.append(l[1:])
        return Series(p_0, rays_p, self), Series(l_0, rays_l, self)


def _shape(x: Any) -> tuple[int, ...]:
    """The shape of an array, or of the bare number that a sum over an object array is."""
    return tuple(getattr(x, "shape", ()))


def _sum(terms: Any) -> Any:
    """The sum of what is not None, or None."""
    total = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


def _minus(x: Any, y: Any) -> Any:
    if y is None:
        return x
    return -y if x is None else x - y


def _over(x: Any, y: Any) -> Any:
    return None if x is None else x / y


def _times(x: Array, y: Array) -> Array:
    return x * y


def _convolution(x: Any, y: Any, k: int, product: Callable[[Array, Array], Array] = _times) -> Any:
    """Σ_{i+j=k} x_i y_j over the coefficients that are there."""
    return _sum(product(x[i], y[k - i]) for i in range(k + 1)
                if i < len(x) and k - i < len(y) and x[i] is not None and y[k - i] is not None)


def _integral(a: Any, w: Any, k: int) -> Any:
    """(1/k) Σ_{j=1..k} j a_j w_{k−j}: the k-th coefficient of ∫ w dx, a_j those of x from the first on."""
    total = _sum(j * (a[j - 1] * w[k - j]) for j in range(1, k + 1) if a[j - 1] is not None and w[k - j] is not None)
    return total if total is None or k == 1 else total / k


def series(like: Any, count: int, order: int) -> SeriesSpace:
    """The series with `count` directions up to `order` over the arithmetic of `like`, an array or a tuple of arrays."""
    return SeriesSpace(namespace(*like) if isinstance(like, tuple) else namespace(like), count, order)
