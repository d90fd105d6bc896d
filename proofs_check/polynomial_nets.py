"""Feed-forward nets of R Section 5.2.1 in the two fields, with polynomial activations, and exact derivatives by interpolation.

φ(h) = S(h ⊙ h) + h with a matrix S: the Jacobian ∂v/∂h = 2S diag(h) + I is neither diagonal nor symmetric, as 5.2.1 allows, so that
a transpose that is missing shows. Along a line θ + sθ₁ every quantity is a polynomial in s; its values at 0, 1, …, D give its slope
at 0 exactly, without any rule of differentiation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .fields import Field, dot

Matrix = Any
DEGREE = 28
"""In s, of half a square behind three layers: 1, 2, 3, 6, 7, 14, 28."""


def widths(n: int) -> tuple[int, ...]:
    """m_0, …, m_L: small and without two equal neighbours for n up to 3; with n = 206 parameters otherwise."""
    return {1: (1, 1, 1), 2: (2, 3, 2), 3: (3, 2, 4, 2)}.get(n, (9, 10, 8, 2))


class Layer(NamedTuple):
    """W (m_l, m_{l−1}), b (m_l, 1)."""

    W: Matrix
    b: Matrix


class Net(NamedTuple):
    """A net: the field, S of every layer, θ, an input and a target."""

    field: Field
    S: tuple[Matrix, ...]
    theta: tuple[Layer, ...]
    x: Matrix
    y: Matrix

    def forward(self, theta: Sequence[Layer] | None = None, x: Matrix | None = None) -> tuple[list[Matrix], list[Matrix]]:
        """h^(1), …, h^(L) and v^(0), …, v^(L)."""
        h, v = [], [self.x if x is None else x]
        for S, layer in zip(self.S, theta or self.theta, strict=True):
            h.append(layer.W * v[-1] + layer.b)
            v.append(S * self.field.hadamard(h[-1], h[-1]) + h[-1])
        return h, v

    def slopes(self, h: Sequence[Matrix]) -> list[Matrix]:
        """∂v^(l)/∂h^(l), l = 1, …, L."""
        return [2 * S * self.field.diagonal(h_l.entries()) + self.field.eye(S.nrows()) for S, h_l in zip(self.S, h, strict=True)]

    def before(self, l: int) -> Callable[[Sequence[Layer]], Matrix]:
        """h^(l) as a function of θ, l from 1."""
        return lambda theta: self.forward(theta)[0][l - 1]

    def after(self, l: int = -1) -> Callable[[Sequence[Layer]], Matrix]:
        """v^(l) as a function of θ; ŷ without an l."""
        return lambda theta: self.forward(theta)[1][l]

    def example(self, x: Matrix, y: Matrix) -> Callable[[Sequence[Layer]], Any]:
        """ε(ŷ(x), y) as a function of θ."""
        return lambda theta: self._replace(y=y).loss(self.forward(theta, x)[1][-1])

    def loss(self, v: Matrix) -> Any:
        """ε(ŷ, y) = ½‖ŷ − y‖²."""
        return dot(v - self.y, v - self.y) / 2

    def direction(self) -> tuple[Layer, ...]:
        """A random θ₁."""
        return tuple(Layer(self.field.matrix(W.nrows(), W.ncols()), self.field.vector(b.nrows())) for W, b in self.theta)

    def along(self, value: Callable[[Sequence[Layer]], Any], theta_1: Sequence[Layer], order: int = 1, degree: int = DEGREE) -> Any:
        """d/ds (or d²/ds²) of value(θ + sθ₁) at s = 0."""
        def at(s: int) -> Any:
            return value([Layer(a.W + s * d.W, a.b + s * d.b) for a, d in zip(self.theta, theta_1, strict=True)])
        return derivative(self.field, at, order, degree)


def derivative(field: Field, at: Callable[[int], Any], order: int = 1, degree: int = DEGREE) -> Any:
    """The first or second derivative at 0 of a polynomial in s of this degree, from its values at 0, …, degree (Lagrange)."""
    def weight(k: int) -> Any:
        sign, choose = (-1) ** (k - 1), math.comb(degree, k)
        if order == 1:
            return field.number(sign * choose, k)
        harmonic = sum((field.number(1, j) for j in range(1, degree + 1) if j != k), field.number(0))
        return field.number(-2 * sign * choose, k) * harmonic
    start = at(0)
    return sum(((at(k) - start) * weight(k) for k in range(2, degree + 1)), (at(1) - start) * weight(1))


def draw(field: Field, n: int) -> Net:
    """A random net of `widths(n)`."""
    m = widths(n)
    theta = tuple(Layer(field.matrix(o, i), field.vector(o)) for i, o in itertools.pairwise(m))
    return Net(field, tuple(field.matrix(o, o) for o in m[1:]), theta, field.vector(m[0]), field.vector(m[-1]))


def product(*factors: Matrix) -> Any:
    """The product from the left; None where shapes do not match, which equals no matrix."""
    total = factors[0]
    for factor in factors[1:]:
        if total is None or total.ncols() != factor.nrows():
            return None
        total = total * factor
    return total


def unit(field: Field, m: int, j: int) -> Matrix:
    """e_j (m, 1), j from 0."""
    return field.build(m, 1, lambda i, _: field.number(int(i == j)))


def only(theta_1: Sequence[Layer], l: int, name: str) -> tuple[Layer, ...]:
    """θ₁ with all but W or b of layer l (from 0) set to 0."""
    def kept(k: int, part: str, value: Matrix) -> Matrix:
        return value if (k, part) == (l, name) else 0 * value
    return tuple(Layer(kept(k, "W", d.W), kept(k, "b", d.b)) for k, d in enumerate(theta_1))


def inner(A: Matrix, B: Matrix) -> Any:
    """Σ of the products of entries."""
    return sum((a * b for a, b in zip(A.entries()[1:], B.entries()[1:], strict=True)), A.entries()[0] * B.entries()[0])


def together(left: Sequence[Layer], right: Sequence[Layer]) -> Any:
    """θ₁ᵀθ₂."""
    parts = [inner(a.W, b.W) + inner(a.b, b.b) for a, b in zip(left, right, strict=True)]
    return sum(parts[1:], parts[0])


def polynomial_degree(n: int) -> int:
    """A bound on the degree, in what is drawn, of derivatives of three layers with their loss: 3 · 29 + 1, twice, and a factor."""
    return 200
