"""Diagonal cubic problems with λ = 2, exactly: points with a rational norm, T, and how many roots (6) has.

With H̄ and D diagonal K = D⁻¹H̄D⁻¹ is diagonal too, and so is every cubic problem in the eigenvectors of its K.
"""

import itertools
from fractions import Fraction
from math import isqrt

import flint


def problems():
    """(H̄, ḡ, D) of size 1 and 2, diagonal, small whole numbers; λ = 2."""
    for H, g, d in itertools.product((-2, -1, 0, 1), (-2, 0, 1, 2), (1, 2)):
        yield (H,), (g,), (d,)
    for H1, H2, g1, g2 in itertools.product((-1, 0, 1), (-1, 1), (0, 1, 2), (0, 2)):
        yield (H1, H2), (g1, g2), (1, 1)


def points(S):
    """Points with a rational norm where D = I, or S = 1."""
    line = [Fraction(k, 2) for k in range(-6, 7)]
    if S == 1:
        return [(x,) for x in line]
    return [(x, Fraction(0)) for x in line] + [(Fraction(0), x) for x in line if x] + [
        (s * Fraction(3, 5) * k, t * Fraction(4, 5) * k) for s, t, k in itertools.product((-1, 1), (-1, 1), (1, 2))]


def norm(x, d):
    """‖Dη‖ of these points."""
    square = sum((a * b) ** 2 for a, b in zip(x, d, strict=True))
    return Fraction(isqrt(square.numerator), isqrt(square.denominator))


def T(H, g, d, x):
    """The model for λ = 2."""
    return sum(h * a * a / 2 - b * a for h, b, a in zip(H, g, x, strict=True)) + norm(x, d) ** 3 / 3


def roots_above(k, c, lam, bound):
    """How many r > bound solve r² = Σ c_i²/(k_i + (λ/2) r)², c_i = 0 left out: by Sturm's chain of the numerator."""
    def exact(x):
        return flint.fmpq(Fraction(x).numerator, Fraction(x).denominator)

    squares = {x: sum(Fraction(b) ** 2 for a, b in zip(k, c, strict=True) if a == x) for x in k}
    kept = {x: square for x, square in squares.items() if square}
    factors = [flint.fmpq_poly([exact(x), exact(lam) / 2]) ** 2 for x in kept]

    def product(but=None):
        total = flint.fmpq_poly([1])
        for i, factor in enumerate(factors):
            total *= factor if i != but else 1
        return total

    F = flint.fmpq_poly([0, 0, 1]) * product()
    for i, square in enumerate(kept.values()):
        F -= product(but=i) * exact(square)
    F = F // F.gcd(F.derivative())
    chain = [F, F.derivative()]
    while chain[-1].degree() > 0:
        chain.append(-(chain[-2] % chain[-1]))

    def changes(signs):
        kept = [sign for sign in signs if sign]
        return sum(a != b for a, b in itertools.pairwise(kept))

    here = [f(exact(bound)) for f in chain]
    far = [f[f.degree()] for f in chain]
    return changes([(x > 0) - (x < 0) for x in here]) - changes([(x > 0) - (x < 0) for x in far])
