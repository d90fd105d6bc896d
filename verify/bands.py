"""Numbers with a running error bound: what a correct floating-point program may differ by.

A `Banded` array holds a high-precision value v (FLINT `arb` used as a plain number) and, beside every entry, a float e: the
largest distance at which a program with unit roundoff u, computing the same line from the same inputs, may lie. The lines of
`reference` and `nets` run on it unchanged. Rules, entry by entry, for z = the result:

    constant c   u|c| (an integer: 0)            sum of n       Σe + (n − 1)u Σ|x|
    x ± y        e_x + e_y + u|z|                A @ B          |A|e_B + e_A|B| + e_A e_B + γ_n |A||B|
    x y          |x|e_y + |y|e_x + e_x e_y + u|z|               inverse X of A   |X|e_A|X| + 3n u ‖A‖ ‖X‖² in every entry
    x / y        (e_x + |z|e_y)/(|y| − e_y) + u|z|, infinite where |y| ≤ e_y; likewise where A ± e_A holds a singular matrix
    √x           by interval; an exact 0 stays exact;  k-th root: (4 + |log x|)u|z|, since 1/k is rounded in x^(1/k)
    A^(−1/p)     what the derivative of the root makes of e_A; in every entry the most that it makes of 4n u ‖A‖, and
                 (4n + |log ‖A⁻¹‖|) u ‖X‖; and τ/p Σ_k |X_ik| in row i for an iteration that may end where |XᵖA − I| ≤ τ
    exp, log, tanh   max |derivative| e + 8u|z|: 4 ulp is what NumPy's vector loops promise; exp, logistic, expm1 and softplus
                 with u absolute, since common formulas lose that much

A comparison that the bands leave open is hulled in `where`, and asked of `Paths` in an `if`, so that both branches are run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import flint
import numpy as np

from ..arrays.balls import as_arb
from ..arrays.errors import expect

BITS = 180
"""Working precision of the values: three times that of float64, so that their own error never shows."""


NEWTON = 40
"""Corrections of an inverse root; each wins digits, but few where the condition is high."""

MOST_PATHS = 16
"""Four open decisions of a run are followed both ways; beyond that the first ones found are."""


class Paths:
    """The open decisions of one run: those in `forced` are taken as they say, later ones as True, and all are recorded."""

    def __init__(self, forced: tuple[bool, ...] = ()) -> None:
        self.forced, self.taken = forced, []  # type: tuple[bool, ...], list[bool]

    def decide(self) -> bool:
        """The next open decision."""
        choice = self.forced[len(self.taken)] if len(self.taken) < len(self.forced) else True
        self.taken.append(choice)
        return choice


def every_path() -> Iterator[Paths]:
    """Runs until every open decision has been taken both ways, `MOST_PATHS` at most."""
    pending: list[tuple[bool, ...]] = [()]
    for _ in range(MOST_PATHS):
        if not pending:
            return
        paths = Paths(pending.pop())
        yield paths
        pending += [(*paths.taken[:i], False) for i in range(len(paths.forced), len(paths.taken))]


class Banded:
    """An array of numbers v with error bounds e, made by `Bands`; see the module's rules."""

    __array_ufunc__ = None

    def __init__(self, v: Any, e: Any, space: Bands) -> None:
        e = np.asarray(e, dtype=np.float64)
        self.v, self.e, self.space = np.asarray(v, dtype=object), np.where(np.isnan(e), np.inf, e), space

    def __stepgauge_namespace__(self) -> Bands:
        return self.space

    shape = property(lambda self: self.v.shape)
    ndim = property(lambda self: self.v.ndim)
    T = property(lambda self: Banded(self.v.T, self.e.T, self.space))

    def __getitem__(self, index: Any) -> Banded:
        return Banded(self.v[index], self.e[index], self.space)

    def __setitem__(self, index: Any, value: Banded) -> None:
        self.v[index], self.e[index] = value.v, value.e

    @property
    def size(self) -> Any:
        """|v| as floats."""
        return np.abs(self.v.astype(np.float64))

    def __neg__(self) -> Banded:
        return Banded(-self.v, self.e, self.space)

    def __abs__(self) -> Banded:
        return Banded(abs(self.v), self.e, self.space)

    def __add__(self, other: Any) -> Banded:
        other = self.space.lift(other)
        return self.space.rounded(self.v + other.v, self.e + other.e)

    def __sub__(self, other: Any) -> Banded:
        return self + -self.space.lift(other)

    def __rsub__(self, other: Any) -> Banded:
        return -self + other

    def __mul__(self, other: Any) -> Banded:
        other = self.space.lift(other)
        with np.errstate(invalid="ignore", over="ignore"):
            e = self.size * other.e + other.size * self.e + self.e * other.e
        return self.space.rounded(self.v * other.v, e, may_underflow=True)

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Banded:
        other = self.space.lift(other)
        zero = other.size == 0
        divisor: Any = np.where(zero, 1, other.v)
        v: Any = np.asarray(self.v / divisor, dtype=object)
        room = np.where(zero, 0, other.size - other.e)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            e = np.where(room > 0, (self.e + np.abs(v.astype(np.float64)) * other.e) / room, np.inf)
        return self.space.rounded(v, e, may_underflow=True)

    def __rtruediv__(self, other: Any) -> Banded:
        return self.space.lift(other) / self

    def __pow__(self, exponent: int) -> Banded:
        expect(exponent >= 0, "exponent", "an integer >= 0", "a power is a repeated product", exponent)
        result = self.space.ones(self.shape)
        for _ in range(exponent):
            result = result * self
        return result

    def __matmul__(self, other: Banded) -> Banded:
        a, b = self.size, other.size
        n = self.shape[-1]
        gamma = n * self.space.u / (1 - n * self.space.u)
        with np.errstate(invalid="ignore", over="ignore"):
            e = a @ other.e + self.e @ b + self.e @ other.e + gamma * (a @ b)
        return Banded(self.v @ other.v, e, self.space)

    def _compare(self, other: Any, holds: Callable[[Any, float], Any]) -> Mask:
        other = self.space.lift(other)
        difference = np.asarray(self.v - other.v, dtype=object).astype(np.float64)
        slack = np.broadcast_to(self.e + other.e, difference.shape)
        return Mask(holds(difference, 0), (np.abs(difference) <= slack) & (slack > 0), self.space)

    def __lt__(self, other: Any) -> Mask:
        return self._compare(other, np.less)

    def __le__(self, other: Any) -> Mask:
        return self._compare(other, np.less_equal)

    def __gt__(self, other: Any) -> Mask:
        return self._compare(other, np.greater)

    def __ge__(self, other: Any) -> Mask:
        return self._compare(other, np.greater_equal)

    def __eq__(self, other: object) -> bool:
        raise TypeError("==: expected <, <=, > or >= because equality of numbers with bands is never certain, got ==")

    __hash__ = None  # type: ignore[assignment]


class Mask:
    """The outcome of a comparison: `yes` for the values themselves, `open` where the bands admit the other answer."""

    __array_ufunc__ = None

    def __init__(self, yes: Any, open: Any, space: Bands) -> None:
        self.yes, self.open, self.space = np.asarray(yes, dtype=bool), np.asarray(open, dtype=bool), space

    def __and__(self, other: Mask) -> Mask:
        possible = (self.yes | self.open) & (other.yes | other.open)
        return Mask(self.yes & other.yes, possible & (self.open | other.open), self.space)

    def all(self) -> Mask:
        """Does it hold everywhere?  (Open where the answer hangs on open entries.)"""
        return Mask(self.yes.all(), (self.yes | self.open).all() and self.open.any(), self.space)

    def __bool__(self) -> bool:
        return self.space.paths.decide() if self.open.any() else bool(self.yes)


class Bands:
    """The namespace of `Banded` arrays for a candidate with unit roundoff `u` and smallest normal number `smallest`."""

    exact = False

    def __init__(self, dtype: str, paths: Paths) -> None:
        info = np.finfo(dtype)
        self.u, self.smallest, self.paths = float(info.eps) / 2, float(info.tiny), paths
        self.name = f"bands of {dtype}"

    def rounded(self, v: Any, e: Any, *, may_underflow: bool = False) -> Banded:
        """v with the error e and one rounding; a product or quotient may also fall below the normal numbers."""
        v = np.asarray(v, dtype=object)
        size = np.abs(v.astype(np.float64))
        e = e + self.u * size
        if may_underflow:
            there = size > 0
            if not there.all():                # what is no 0 may be too small for float64, in which sizes are told
                there = there | np.asarray(v != 0, dtype=bool)
            e = e + np.where(there & (size < self.smallest / self.u), self.smallest, 0)
        return Banded(v, e, self)

    def lift(self, x: Any) -> Banded:
        """x as a Banded array: integers are exact, other numbers carry the rounding of a constant."""
        return x if isinstance(x, Banded) else self.const(x)

    def const(self, value: Any) -> Banded:
        """A constant or hyper-parameter: exact if an integer, rounded once otherwise."""
        if isinstance(value, Banded):
            return value
        v = as_arb(value)
        return Banded(v, 0.0 if isinstance(value, int) else self.u * abs(float(v)), self)

    def asarray(self, x: Any) -> Banded:
        """Data or an observed value: the floats that they are, without error."""
        x = np.asarray(x, dtype=np.float64)
        v = np.empty(x.shape, dtype=object)
        v[...] = np.frompyfunc(flint.arb, 1, 1)(x.astype(object))
        return Banded(v, np.zeros(x.shape), self)

    def restarted(self, observed: Any, value: Banded) -> Banded:
        """A candidate's value in place of the line's; where that is symmetric, by |X − Xᵀ|, since code may read H or Hᵀ."""
        x = self.asarray(observed)
        square = x.ndim == 2 and x.shape[0] == x.shape[1]
        if square and not (value.v - value.v.T).astype(np.float64).any():
            return Banded(x.v, np.abs((x.v - x.v.T).astype(np.float64)), self)
        return x

    def zeros(self, shape: Any) -> Banded:
        """Exact zeros."""
        return self.asarray(np.zeros(shape))

    def ones(self, shape: Any) -> Banded:
        """Exact ones."""
        return self.asarray(np.ones(shape))

    def eye(self, n: int) -> Banded:
        """The exact identity."""
        return self.asarray(np.eye(n))

    def zeros_like(self, x: Banded) -> Banded:
        """Exact zeros in the shape of x."""
        return self.zeros(x.shape)

    def ones_like(self, x: Banded) -> Banded:
        """Exact ones in the shape of x."""
        return self.ones(x.shape)

    def reshape(self, x: Banded, shape: Any) -> Banded:
        """The same entries in another shape."""
        return Banded(x.v.reshape(shape), x.e.reshape(shape), self)

    def permute_dims(self, x: Banded, axes: Any) -> Banded:
        """The same entries with the axes in another order."""
        return Banded(x.v.transpose(axes), x.e.transpose(axes), self)

    def broadcast_to(self, x: Banded, shape: Any) -> Banded:
        """The same entries, repeated along new axes."""
        return Banded(np.broadcast_to(x.v, shape), np.broadcast_to(x.e, shape), self)

    def take(self, x: Banded, index: Any, axis: int) -> Banded:
        """The entries at these places along `axis`."""
        return Banded(np.take(x.v, index, axis), np.take(x.e, index, axis), self)

    def concat(self, arrays: Any, axis: int = 0) -> Banded:
        """The arrays one after the other along `axis`."""
        return Banded(np.concatenate([x.v for x in arrays], axis), np.concatenate([x.e for x in arrays], axis), self)

    def where(self, mask: Mask, yes: Any, no: Any) -> Banded:
        """`yes` or `no` entry by entry; the hull of both where the mask is open."""
        yes, no = self.lift(yes), self.lift(no)
        both_v, both_e = (yes.v + no.v) / 2, abs(yes - no).size / 2 + np.maximum(yes.e, no.e)
        return Banded(np.where(mask.open, both_v, np.where(mask.yes, yes.v, no.v)),
                      np.where(mask.open, both_e, np.where(mask.yes, yes.e, no.e)), self)

    def maximum(self, x: Banded, y: Banded) -> Banded:
        """The larger of two numbers, entry by entry: no rounding, and no decision."""
        return Banded(np.maximum(x.v, y.v), np.maximum(x.e, y.e), self)

    def indicator(self, mask: Mask) -> Banded:
        """1 where the mask holds, 0 elsewhere; the hull of both where it is open."""
        return self.where(mask, 1, 0)

    def abs(self, x: Banded) -> Banded:
        """|x|."""
        return abs(x)

    def sum(self, x: Banded, axis: Any = None, keepdims: bool = False) -> Banded:
        """Sum over `axis`, in any order."""
        count = x.v.size if axis is None else x.shape[axis]
        e = x.e.sum(axis, keepdims=keepdims) + (count - 1) * self.u * x.size.sum(axis, keepdims=keepdims)
        return Banded(x.v.sum(axis, keepdims=keepdims), e, self)

    def max(self, x: Banded, axis: Any = None, keepdims: bool = False) -> Banded:
        """Maximum over `axis`."""
        return Banded(x.v.max(axis, keepdims=keepdims), x.e.max(axis, keepdims=keepdims), self)

    def all_finite(self, x: Banded) -> bool:
        """Is no entry nan or infinite?"""
        return all(entry.is_finite() for entry in x.v.flat if isinstance(entry, flint.arb))

    def symmetric(self, A: Banded) -> bool:
        """True: what is observed has been checked before it enters."""
        return True

    positive_definite = positive_semidefinite = symmetric

    def triu(self, A: Banded) -> Banded:
        """A (n, n) with exact zeros below its diagonal."""
        above = np.triu(np.ones(A.shape, dtype=bool))
        return Banded(np.where(above, A.v, self.zeros(A.shape).v), np.where(above, A.e, 0), self)

    def kron(self, A: Banded, B: Banded) -> Banded:
        """A ⊗ B."""
        blocks = A[:, None, :, None] * B[None, :, None, :]
        return self.reshape(blocks, (A.shape[0] * B.shape[0], A.shape[1] * B.shape[1]))

    def trace(self, A: Banded) -> Banded:
        """The sum of the diagonal of A (n, n), in any order."""
        return self.sum(Banded(A.v.diagonal(), A.e.diagonal(), self))

    def inv(self, A: Banded) -> Banded:
        """A⁻¹, with the error of any algorithm that is backward stable up to its condition."""
        n = A.shape[0]
        X = self._solve(A.v, self.eye(n).v)
        size = np.abs(X.astype(np.float64))
        stable = 3 * n * self.u * np.linalg.norm(A.size) * np.linalg.norm(size) ** 2
        with np.errstate(invalid="ignore"):                       # 0 · ∞
            return Banded(X, beyond_first_order(size @ A.e, size @ A.e @ size) + stable, self)

    def inverse_root(self, A: Banded, p: int, tolerance: Any = 0) -> Banded:
        """A^(−1/p), with the error of any algorithm that is backward stable up to its condition, and of an early end.

        Infinite where eigenvalues in float64 cannot tell A from a singular matrix.
        """
        w, Q = self.eigen(A.v.astype(np.float64))
        X = _inverse_root(A.v, p, w, Q)
        low = w - np.linalg.norm(A.e)
        if X is None or not low.min() > 0:
            return Banded(self.eye(len(w)).v, np.full(A.shape, np.inf), self)
        a, b = np.minimum(low[:, None], low), np.maximum(low[:, None], low)
        gap = b - a
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.where(gap > a / 4, (a ** (-1 / p) - b ** (-1 / p)) / gap, a ** (-1 / p - 1) / p)
        moved = np.abs(Q) @ (slopes * (np.abs(Q.T) @ A.e @ np.abs(Q))) @ np.abs(Q.T)
        stable = 4 * len(w) * self.u * w.max() * (np.abs(Q) @ slopes @ np.abs(Q.T)).max()
        stable += (4 * len(w) + np.abs(np.log(w)).max()) * self.u * w.min() ** (-1 / p)
        early = float(self.const(tolerance).v.item()) / p * np.abs(X.astype(np.float64)).sum(axis=1, keepdims=True)
        return Banded(X, moved + stable + early, self)

    def eigen(self, A: Any) -> Any:
        """Eigenvalues (n,), ascending, and eigenvectors (n, n), by columns, of a symmetric float64 matrix A (n, n)."""
        return np.linalg.eigh(A)

    def solve(self, A: Banded, B: Banded) -> Banded:
        """A⁻¹B, with the error of any algorithm that is backward stable up to its condition."""
        n = A.shape[0]
        b = B.v.reshape(n, -1)
        X, X_A = self._solve(A.v, b), np.abs(self._solve(A.v, self.eye(n).v).astype(np.float64))
        size = np.abs(X.astype(np.float64))
        stable = 3 * n * self.u * np.linalg.norm(A.size) * np.linalg.norm(X_A) * np.linalg.norm(size, axis=0)
        with np.errstate(invalid="ignore"):                       # 0 · ∞
            e = beyond_first_order(X_A @ A.e, X_A @ (B.e.reshape(n, -1) + A.e @ size)) + stable
        return Banded(X.reshape(B.shape), e.reshape(B.shape), self)

    def _solve(self, A: Any, B: Any) -> Any:
        X = flint.arb_mat(A.tolist()).solve(flint.arb_mat(B.tolist()))
        solution = np.empty(B.size, dtype=object)
        solution[:] = [entry.mid() for entry in X.entries()]
        return solution.reshape(B.shape)

    def sqrt(self, x: Banded) -> Banded:
        """√x: the interval's image, so that an exact 0 stays exact; a band that reaches below 0 is cut there."""
        v = _entrywise(lambda t: t.sqrt() if t > 0 else flint.arb(0), x.v)
        size, root = x.v.astype(np.float64), v.astype(np.float64)
        below = root - np.sqrt(np.maximum(size - x.e, 0))
        with np.errstate(invalid="ignore"):
            above = x.e / np.maximum(np.sqrt(size.clip(0) + x.e) + root, np.finfo(float).tiny)
        return self.rounded(v, np.where(x.e > 0, np.maximum(below, above), 0))

    def root(self, x: Banded, k: int) -> Banded:
        """The k-th root, as `sqrt`."""
        if k <= 2:
            return x if k == 1 else self.sqrt(x)
        v = _entrywise(lambda t: t.root(k) if t > 0 else flint.arb(0), x.v)
        size, root = x.v.astype(np.float64), v.astype(np.float64)
        moved = np.maximum(root - np.maximum(size - x.e, 0) ** (1 / k), (size.clip(0) + x.e) ** (1 / k) - root)
        logs = np.abs(np.log(np.where(size > 0, size, 1)))
        return self.rounded(v, np.where(x.e > 0, moved, 0) + (3 + logs) * self.u * root)

    def _function(self, function: str, x: Banded, slope: Any, absolute: float = 0) -> Banded:
        v = _entrywise(lambda t: getattr(t, function)(), x.v)
        size = np.abs(v.astype(np.float64))
        with np.errstate(all="ignore"):
            e = np.where(x.e > 0, slope(x.v.astype(np.float64), x.e) * x.e, 0)
        return self.rounded(v, e + 7 * self.u * size + absolute, may_underflow=True)

    def exp(self, x: Banded) -> Banded:
        """eˣ; u absolute, since the derivative of "elu" is taken as its value plus 1."""
        return self._function("exp", x, lambda v, e: np.exp(v + e), 2 * self.u)

    def expm1(self, x: Banded) -> Banded:
        """eˣ − 1; u absolute, since eˣ − 1 is in use."""
        return self._function("expm1", x, lambda v, e: np.exp(v + e), 8 * self.u)

    def log(self, x: Banded) -> Banded:
        """log x; infinite where the band reaches 0."""
        return self._function("log", x, lambda v, e: np.where(v > e, 1 / (v - e), np.inf))

    def tanh(self, x: Banded) -> Banded:
        """tanh x."""
        return self._function("tanh", x, lambda v, e: np.cosh(np.maximum(np.abs(v) - e, 0)) ** -2.0)

    def logistic(self, x: Banded) -> Banded:
        """1 / (1 + e⁻ˣ); u absolute, since (1 + tanh(x/2))/2 is in use."""
        v = _entrywise(lambda t: 1 / (1 + (-t).exp()), x.v)
        return Banded(v, x.e / 4 + 4 * self.u, self)

    def softplus(self, x: Banded) -> Banded:
        """log(1 + eˣ); u absolute as well."""
        v = _entrywise(lambda t: (1 + t.exp()).log() if t < 60 else t + (-t).exp(), x.v)
        return Banded(v, x.e + 4 * self.u * (1 + np.abs(v.astype(np.float64))), self)

    def softmax(self, x: Banded) -> Banded:
        """e^(x_j) / Σ_i e^(x_i) along the last axis: a common shift of x cancels, errors in x_j − x_i do not.

        The shift counts as rounded once, since e^(x − logsumexp(x)) is in use.
        """
        shift = x.v.max(axis=-1, keepdims=True)
        powers = _entrywise(lambda t: t.exp(), x.v - shift)
        v = powers / powers.sum(axis=-1, keepdims=True)
        z = np.abs(v.astype(np.float64))
        moved = x.e + self.u * np.abs((x.v - shift).astype(np.float64)) + self.u * np.abs(shift.astype(np.float64))
        with np.errstate(over="ignore", invalid="ignore"):
            common = np.log1p((z * np.expm1(moved)).sum(axis=-1, keepdims=True))
            e = np.fmin(z * np.expm1(moved + common), 1)
        return self.rounded(v, e + (x.shape[-1] + 16) * self.u * z, may_underflow=True)

    def logsumexp(self, x: Banded) -> Banded:
        """log Σ_i e^(x_i) along the last axis."""
        shift = x.v.max(axis=-1, keepdims=True)
        powers = _entrywise(lambda t: t.exp(), x.v - shift)
        v = shift[..., 0] + _entrywise(lambda t: t.log(), powers.sum(axis=-1))
        size = np.abs(x.v.astype(np.float64)).max(axis=-1)
        return Banded(v, x.e.max(axis=-1) + (x.shape[-1] + 4) * self.u * (1 + size), self)


def beyond_first_order(M: Any, e: Any) -> Any:
    """A bound on Σ Mᵏe ≥ e for M, e ≥ 0: what a perturbation M of the identity makes of e; infinite where ‖M‖ ≥ 1."""
    norm = M.sum(axis=1).max(initial=0)
    return e + norm / (1 - norm) * e.max(axis=0, keepdims=True) if norm < 1 else np.full(e.shape, np.inf)


def _inverse_root(A: Any, p: int, w: Any, Q: Any) -> Any:
    """A^(−1/p) to `BITS`, from the eigenvalues w and vectors Q in float64; None where these have too few digits.

    Newton's method on XᵖA = I: in the basis Q the equation for a correction D is D_ij w_j Σ_k x_i^k x_j^(p−1−k) = −R_ij, so
    that every step wins about as many digits as float64 has to spare over the condition of A.
    """
    if not w.min() > 0:
        return None
    n, x = len(w), w ** (-1 / p)
    divisor = w * sum(x[:, None] ** k * x ** (p - 1 - k) for k in range(p))
    start = (Q * x) @ Q.T
    a, X = flint.arb_mat(A.tolist()), flint.arb_mat(((start + start.T) / 2).tolist())
    identity = flint.arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
    for _ in range(NEWTON):
        R = np.array((X**p * a - identity).mid().entries(), dtype=object).reshape(n, n).astype(np.float64)
        D = Q @ (Q.T @ R @ Q / divisor) @ Q.T
        X = (X - flint.arb_mat(((D + D.T) / 2).tolist())).mid()
        if np.abs(R).max() < 2.0 ** -(BITS // 2):
            return np.array(X.entries(), dtype=object).reshape(n, n)
    return None


def _entrywise(function: Any, x: Any) -> Any:
    return np.asarray(np.frompyfunc(function, 1, 1)(x), dtype=object)
