"""R (3.1) to (3.3): a convolution, its parameters as a matrix W, its inputs as vectors a_t, and the factors of its Hessian.

Images have J channels; windows are (2R + 1)² offsets δ, row by row; stride 1 and padding R, so that inputs and outputs have the
same positions t. Sizes: n = 1, 2, 3 are small; from 200 on there are I(J|Δ| + 1) = 230 parameters.
"""

import itertools
from typing import Any, NamedTuple

from ..checks import mod_p, over_Q
from ..statement import Form, Statement


class Conv(NamedTuple):
    """I outputs, J inputs, offsets up to R, an image of `size`."""

    I: int
    J: int
    R: int
    size: tuple[int, int]

    @property
    def offsets(self):
        """The δ, row by row."""
        return [*itertools.product(range(-self.R, self.R + 1), repeat=2)]

    @property
    def positions(self):
        """The t, row by row."""
        return [*itertools.product(*map(range, self.size))]

    @property
    def D(self):
        """J|Δ| + 1."""
        return self.J * len(self.offsets) + 1


SIZES = {1: Conv(1, 1, 0, (1, 1)), 2: Conv(2, 1, 1, (1, 2)), 3: Conv(2, 2, 1, (2, 2)), 200: Conv(5, 5, 1, (1, 2))}


def image(field: Any, conv: Conv) -> Any:
    """The padded input a_jt as a function of j and t: 0 outside of the image."""
    values = {(j, *t): field.draw() for j in range(conv.J) for t in conv.positions}
    zero = field.number(0)
    return lambda j, u, v: values.get((j, u, v), zero)


def inputs(field: Any, conv: Conv, a: Any) -> Any:
    """(D, |𝒯|): the columns a_t, channel by channel, offset by offset, the 1 last."""
    columns = [[*(a(j, t[0] + d[0], t[1] + d[1]) for j in range(conv.J) for d in conv.offsets), field.number(1)]
               for t in conv.positions]
    return field.build(conv.D, len(columns), lambda i, k: columns[k][i])


def convolved(bias=True, sign=1, offset_first=False):
    """(3.1) by loops against W a_t, W with the rows w_i of (3.2)."""
    def pairs(field, n):
        conv = SIZES[n]
        a, w, b = image(field, conv), field.matrix(conv.I, conv.D - 1), field.vector(conv.I)
        W = field.beside(w, b)
        h = W * inputs(field, conv, a)

        def weight(i, j, d):
            place = j * len(conv.offsets) + d if not offset_first else d * conv.J + j
            return w[i, place]
        for i in range(conv.I):
            for k, t in enumerate(conv.positions):
                total = b[i, 0] if bias else field.number(0)
                for j in range(conv.J):
                    for d, (u, v) in enumerate(conv.offsets):
                        total += weight(i, j, d) * a(j, t[0] + sign * u, t[1] + sign * v)
                yield h[i, k], total
    return pairs


def factors(transposed=True, square=True):
    """A_tt′ᵀ = A_t′t and G_tt′ᵀ = G_t′t, for any symmetric matrix as the Hessian of f in h; A_tt is a square, of rank 1."""
    def pairs(field, n):
        conv = SIZES[n]
        a, T = inputs(field, conv, image(field, conv)), len(conv.positions)
        Q = field.symmetric(conv.I * T)

        def column(t):
            return field.build(conv.D, 1, lambda i, _: a[i, t])

        def G(t, u):
            return field.build(conv.I, conv.I, lambda i, k: Q[t * conv.I + i, u * conv.I + k])
        for t, u in itertools.product(range(T), repeat=2):
            A_tu, A_ut = column(t) * column(u).transpose(), column(u) * column(t).transpose()
            yield A_tu.transpose(), A_ut if transposed else A_tu
            yield G(t, u).transpose(), G(u, t) if transposed else G(t, u)
        A_tt = column(0) * column(0).transpose()
        yield A_tt * A_tt, A_tt * ((column(0).transpose() * column(0))[0, 0] if square else field.number(2))
    return pairs


STATEMENTS = (
    Statement(
        "R.Eq.3.1", "Section 3.2.1",
        Form("h_it = Σ_j Σ_δ w_ijδ a_j,t+δ + b_i for all t ∈ 𝒯: (h_t)_i = (W a_t)_i", convolved()),
        checks=(over_Q(), mod_p(lambda n: 2)),
        mutants=(Form("without b_i", convolved(bias=False)), Form("a_j,t−δ", convolved(sign=-1)),
                 Form("w with the offset before the channel", convolved(offset_first=True))),
        hypotheses=("stride 1, padding R: inputs and outputs have the same positions",),
        note="A correlation, as in every library; 𝒯 is a subset of Z², not of R². Padding adds zeros, but the 1 of the bias stands "
             "at every position."),
    Statement(
        "R.Eq.3.2", "Section 3.2.2, Case 1",
        Form("W = (w_1, …, w_I)ᵀ with w_i = (w_i,1,δ_1, …, w_i,J,δ_|Δ|, b_i): h_t = W a_t", convolved()),
        checks=(over_Q(), mod_p(lambda n: 2)),
        mutants=(Form("without b_i", convolved(bias=False)), Form("offsets mirrored", convolved(sign=-1)),
                 Form("w_i,1,δ_1, w_i,2,δ_1, …", convolved(offset_first=True))),
        note="The order of w_i has to be that of a_t: channel by channel, within it offset by offset, the bias last."),
    Statement(
        "R.Eq.3.3", "Section 3.2.2, Theorem 3",
        Form("A_tt′ = a_t a_t′ᵀ, G_tt′ = ∂²f/∂h_t ∂h_t′, entry (i, i′) by h_it and h_i′t′", factors()),
        checks=(over_Q(), mod_p(lambda n: 4)),
        mutants=(Form("both symmetric for t ≠ t′", factors(transposed=False)), Form("A_tt² = 2A_tt", factors(square=False))),
        pinned="a definition; what it is for is Theorem 3, which fails with G_tt′ transposed",
        note="A_tt′ᵀ = A_t′t and G_tt′ᵀ = G_t′t, so that the sum of Theorem 3 is symmetric though its terms are not. The entry (i, "
             "i′) of G_tt′ belongs to h_it and h_i′t′: numerator layout's transpose would be another sum."),
)
