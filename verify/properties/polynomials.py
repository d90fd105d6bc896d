"""Polynomial losses with rational coefficients: values in any arithmetic, derivatives of every order exactly.

A polynomial in θ_0, …, θ_{P−1} is a dict from exponents, a tuple of P integers, to coefficients: 3θ_0²θ_1 − 1/2 is
{(2, 1): 3, (0, 0): −1/2}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import product
from math import prod
from operator import add
from typing import Any

import numpy as np

Array = Any


class Polynomial:
    """A polynomial in `variables` variables; `loss(theta)` is its value at any sequence of numbers that know + and *."""

    def __init__(self, terms: Mapping[tuple[int, ...], Any], variables: int) -> None:
        self.terms = {powers: c for powers, c in terms.items() if c != 0}
        self.variables = variables

    @classmethod
    def affine(cls, constant: Any, slopes: Sequence[Any]) -> Polynomial:
        """constant + Σ_p slopes_p x_p, a polynomial in as many variables as there are slopes."""
        unit = [tuple(int(p == q) for q in range(len(slopes))) for p in range(len(slopes))]
        return cls({(0,) * len(slopes): constant, **dict(zip(unit, slopes, strict=True))}, len(slopes))

    def __call__(self, theta: Sequence[Any]) -> Any:
        """L(θ), in the arithmetic of θ; powers are products, so that tensors of automatic differentiation pass too."""
        values = [prod((x for x, power in zip(theta, powers, strict=True) for _ in range(power)), start=c)
                  for powers, c in self.terms.items()]
        return sum(values[1:], start=values[0]) if values else 0 * theta[0]

    def __add__(self, other: Polynomial) -> Polynomial:
        return Polynomial({powers: self.terms.get(powers, 0) + other.terms.get(powers, 0)
                           for powers in {**self.terms, **other.terms}}, self.variables)

    def __mul__(self, other: Polynomial) -> Polynomial:
        terms: dict[tuple[int, ...], Any] = {}
        for (p, a), (q, b) in product(self.terms.items(), other.terms.items()):
            powers = tuple(map(add, p, q))
            terms[powers] = terms.get(powers, 0) + a * b
        return Polynomial(terms, self.variables)

    def __repr__(self) -> str:
        powers = {p: "".join(f"·θ{i}" + f"^{e}" * (e > 1) for i, e in enumerate(p) if e) for p in self.terms}
        return " + ".join(f"({c}){powers[p]}" for p, c in self.terms.items()) or "0"

    def substitute(self, inner: Sequence[Polynomial]) -> Polynomial:
        """The polynomial in the variables of `inner` that arises when θ_p is replaced by inner[p]."""
        constants = [Polynomial({(0,) * inner[0].variables: c}, inner[0].variables) for c in self.terms.values()]
        products = [reduce(Polynomial.__mul__, (q for q, power in zip(inner, powers, strict=True) for _ in range(power)), c)
                    for powers, c in zip(self.terms, constants, strict=True)]
        return reduce(Polynomial.__add__, products, Polynomial({}, inner[0].variables))

    def derivative(self, *indices: int) -> Polynomial:
        """∂ᵈL/∂θ_{i_1}⋯∂θ_{i_d} for the d indices, counted from 0."""
        terms = self.terms
        for i in indices:
            terms = {(*powers[:i], powers[i] - 1, *powers[i + 1:]): c * powers[i] for powers, c in terms.items() if powers[i]}
        return Polynomial(terms, self.variables)

    def derivatives(self, order: int, theta: Sequence[Any]) -> Array:
        """All derivatives of one order at θ: the gradient (P,), the Hessian (P, P), the third derivative (P, P, P), …"""
        tensor = np.empty((self.variables,) * order, dtype=object)
        for indices in np.ndindex(*tensor.shape):
            tensor[indices] = self.derivative(*indices)(theta)
        return tensor

    def coefficient(self, *indices: int) -> Any:
        """∂ᵈL/∂θ_{i_1}⋯∂θ_{i_d} at θ = 0, read off the coefficient of that monomial."""
        powers = tuple(indices.count(i) for i in range(self.variables))
        return self.terms.get(powers, Fraction(0)) * prod(prod(range(1, power + 1)) for power in powers)
