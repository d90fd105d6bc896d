"""Polynomials in η_1, …, η_S with rational (or mpmath) coefficients, cut off above a total degree: exact differentiation at η = 0.

Numbers for tests/nets/pixels.py, whose nets then give the loss as a polynomial in η. Order and sign are those at η = 0.
"""

from math import factorial

import numpy as np


class Poly:
    """Σ c_m η^m: `terms` maps exponents, one an η, to coefficients; terms of degree above `top` are dropped."""

    def __init__(self, terms, top):
        self.terms, self.top = {m: c for m, c in terms.items() if c != 0 and sum(m) <= top}, top

    def _lift(self, other):
        if isinstance(other, Poly):
            return other
        return Poly({(0,) * self.size: other}, self.top)

    @property
    def size(self):
        return len(next(iter(self.terms))) if self.terms else 0

    @property
    def at_0(self):
        return next((c for m, c in self.terms.items() if not any(m)), 0)

    def __add__(self, other):
        if not isinstance(other, Poly):
            if other == 0:
                return self
            if not self.terms:
                raise ValueError("zero: expected a size because a constant has exponents too, got none")
            other = self._lift(other)
        total = dict(self.terms)
        for m, c in other.terms.items():
            total[m] = total.get(m, 0) + c
        return Poly(total, self.top)

    def __mul__(self, other):
        if not isinstance(other, Poly):
            return Poly({m: c * other for m, c in self.terms.items()}, self.top)
        total = {}
        for m, c in self.terms.items():
            for n, d in other.terms.items():
                key = tuple(i + j for i, j in zip(m, n, strict=True))
                if sum(key) <= self.top:
                    total[key] = total.get(key, 0) + c * d
        return Poly(total, self.top)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __truediv__(self, other):
        if not isinstance(other, Poly):
            return Poly({m: c / other for m, c in self.terms.items()}, self.top)
        # 1/(a + x) = Σ (−x)^k / a^(k+1), x without a constant term
        a = other.at_0
        x = other - a
        inverse, power = self._lift(0) * 0, self._lift(1) if self.terms else self
        for k in range(self.top + 1):
            inverse = inverse + power / a ** (k + 1)
            power = power * -x
        return self * inverse

    def __pow__(self, k):
        result = self
        for _ in range(k - 1):
            result = result * self
        return result

    def __lt__(self, other):
        return self.at_0 < (other.at_0 if isinstance(other, Poly) else other)

    def __gt__(self, other):
        return self.at_0 > (other.at_0 if isinstance(other, Poly) else other)

    def sqrt(self, root):
        """The binomial series of √(a + x) for an a whose root is `root(a)`."""
        a, x = self.at_0, self - self.at_0
        total, power, c = self._lift(root(a)), self._lift(1), root(a)
        for k in range(1, self.top + 1):
            c = c * (3 - 2 * k) / (2 * k) / a              # (1/2 over k) a^(1/2 − k)
            power = power * x
            total = total + power * c
        return total

    def derivative(self, order):
        """The tensor of order-`order` derivatives at η = 0."""
        S = self.size
        tensor = np.empty((S,) * order, dtype=object)
        for at in np.ndindex(*tensor.shape):
            m = tuple(at.count(s) for s in range(S))
            scale = 1
            for i in m:
                scale *= factorial(i)
            tensor[at] = self.terms.get(m, 0) * scale
        return tensor


def moved(theta, u, s, S, top):
    """θ + η_s u, entry by entry."""
    zero, one = (0,) * S, tuple(int(i == s) for i in range(S))
    return np.frompyfunc(lambda t, v: Poly({zero: t, one: v}, top), 2, 1)(theta, u)
