"""R Theorem 3: gradient and Hessian of a convolution in vec(W), as sums of Kronecker products.

h_t = W a_t is affine in W, so that both depend on f through its first and second derivatives in h at one point alone: quadratic
functions f(h) = hᵀQh/2 + cᵀh stand for all, and differences of f take the place of derivatives, exactly. vec stacks columns.
"""

import itertools

from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import dot
from ..statement import Form, Statement, Status
from .common import Q as rational
from .equation_3_01 import SIZES, image, inputs


class Setting:
    """A convolution, a quadratic f of its outputs, and W."""

    def __init__(self, field, n):
        self.field, self.conv = field, SIZES[n]
        self.a = inputs(field, self.conv, image(field, self.conv))
        self.T, self.I, self.D = len(self.conv.positions), self.conv.I, self.conv.D
        self.Q, self.c = field.symmetric(self.I * self.T), field.vector(self.I * self.T)
        self.W = self.matrix()

    def matrix(self):
        """A random (I, D)."""
        return self.field.matrix(self.I, self.D)

    def f(self, W):
        """The loss."""
        h = self.field.columns(W * self.a)
        return dot(h, self.Q * h) / 2 + dot(self.c, h)

    def a_t(self, t):
        """(D, 1)."""
        return self.field.build(self.D, 1, lambda i, _: self.a[i, t])

    def Dh(self):
        """(I·|𝒯|, 1): 𝒟h, position by position."""
        return self.Q * self.field.columns(self.W * self.a) + self.c

    def Dh_t(self, t):
        """(I, 1)."""
        Dh = self.Dh()
        return self.field.build(self.I, 1, lambda i, _: Dh[t * self.I + i, 0])

    def G(self, t, u):
        """(I, I): G_tu."""
        return self.field.build(self.I, self.I, lambda i, k: self.Q[t * self.I + i, u * self.I + k])


def gradient(rows=False, swapped=False, one=False):
    """f(W + U) − f(W − U) = 2 vec(U)ᵀ Σ_t a_t ⊗ 𝒟h_t."""
    def pairs(field, n):
        at = Setting(field, n)
        U, total = at.matrix(), field.zeros(at.I * at.D, 1)
        for t in range(1 if one else at.T):
            total += field.kron(at.Dh_t(t), at.a_t(t)) if swapped else field.kron(at.a_t(t), at.Dh_t(t))
        vec = field.rows(U) if rows else field.columns(U)
        yield at.f(at.W + U) - at.f(at.W - U), 2 * dot(vec, total)
    return pairs


def hessian(G_transposed=False, swapped=False, diagonal=False, rows=False):
    """f(W + U + V) − f(W + U) − f(W + V) + f(W) = vec(U)ᵀ (Σ_tt′ A_tt′ ⊗ G_tt′) vec(V)."""
    def pairs(field, n):
        at = Setting(field, n)
        U, V, total = at.matrix(), at.matrix(), field.zeros(at.I * at.D, at.I * at.D)
        for t, u in itertools.product(range(at.T), repeat=2):
            if diagonal and t != u:
                continue
            A, G = at.a_t(t) * at.a_t(u).transpose(), at.G(t, u)
            G = G.transpose() if G_transposed else G
            total += field.kron(G, A) if swapped else field.kron(A, G)
        vec = field.rows if rows else field.columns
        yield (at.f(at.W + U + V) - at.f(at.W + U) - at.f(at.W + V) + at.f(at.W), dot(vec(U), total * vec(V)))
    return pairs


def last_display(right=True, first=True):
    """Blocks (i, i′) of the Hessian: ∂/∂w_i′ of Σ_t 𝒟h_it a_t, with ∂𝒟h_it/∂w_i′ = Σ_t′ (G_tt′)_ii′ a_t′."""
    def pairs(field, n):
        at = Setting(field, n)
        for i, k in itertools.product(range(at.I), repeat=2):
            middle, block = field.zeros(at.D, at.D), field.zeros(at.D, at.D)
            for t in range(at.T):
                slope = field.zeros(at.D, 1)
                for u in range(at.T):
                    slope += at.a_t(u) * at.G(t, u)[i, k]
                    block += at.a_t(t) * at.a_t(u).transpose() * at.G(t, u)[i, k]
                middle += at.a_t(t) * slope.transpose() if right else slope * at.a_t(t).transpose()
            yield middle, block if first else block * 2
    return pairs


def separate(coupled=False):
    """𝒟W(1) = a(1)𝒟h(1) for f(1) = ½(h(1) − c h̄)² of two examples, h̄ their mean as batch normalisation takes it, or c = 0."""
    def claim():
        w, x, c = rational(3), (rational(1), rational(2)), rational(int(coupled))

        def f(w):
            h = [w * value for value in x]
            return (h[0] - c * (h[0] + h[1]) / 2)**2 / 2
        slope = (f(w + 1) - f(w - 1)) / 2
        h = [w * value for value in x]
        Dh = (h[0] - c * (h[0] + h[1]) / 2) * (1 - c / 2)
        if slope != x[0] * Dh:
            return Outcome(f"x = (1, 2), w = 3: ∂f(1)/∂w = {slope}, a(1)𝒟h(1) = {x[0] * Dh}")
        return Outcome(detail="examples that are not coupled")
    return claim


STATEMENTS = (
    Statement(
        "R.Thm.3/1", "Section 3.2.2, Theorem 3 i)",
        Form("vec(𝒟W) = Σ_t a_t ⊗ 𝒟h_t", gradient()),
        checks=(over_Q(), mod_p(lambda n: 6)),
        mutants=(Form("vec by rows", gradient(rows=True)), Form("𝒟h_t ⊗ a_t", gradient(swapped=True)), Form("one position",
                                                                                                     gradient(one=True))),
        note="vec stacks columns; by rows the product is 𝒟h_t ⊗ a_t."),
    Statement(
        "R.Thm.3", "Section 3.2.2, Theorem 3 ii)",
        Form("∂²f/∂vec(W)² = Σ_tt′ A_tt′ ⊗ G_tt′", hessian()),
        checks=(over_Q(repeats=3), mod_p(lambda n: 6)),
        mutants=(Form("G_t′t", hessian(G_transposed=True)), Form("G_tt′ ⊗ A_tt′", hessian(swapped=True)),
                 Form("t = t′ alone", hessian(diagonal=True)), Form("vec by rows", hessian(rows=True))),
        hypotheses=("f twice differentiable in h: no kink of a ReLU or pool at the point", "f depends on the h of this example "
                                                                                           "alone"),
        note="For any f: both sides depend on its second derivatives at one point, since h is affine in W. G_tt′ for G_t′t is "
             "another matrix: (i, i′) belongs to h_it and h_i′t′.", long=True),
    Statement(
        "R.Thm.3/2", "Section 3.2.2, last display of the proof",
        Form("∂²f/∂w_i ∂w_i′ = Σ_t (∂𝒟h_it/∂w_i′) a_tᵀ = Σ_tt′ (∂²f/∂h_it ∂h_i′t′) A_tt′", last_display(right=False)),
        checks=(over_Q(repeats=2),),
        mutants=(Form("twice the right side", last_display(first=False)),),
        repaired=Form("… = Σ_t a_t (∂𝒟h_it/∂w_i′)ᵀ = …", last_display()),
        pinned="equalities of sums: every other coefficient or order breaks them",
        note="The factors of the middle term are exchanged, which gives the transpose, A_t′t; the result has it right."),
    Statement(
        "R.Thm.3/3", "Section 3.2.2: \"without any assumptions about the activation functions or model architectures\"",
        Form("Theorem 3 holds whatever the architecture", separate(coupled=True)),
        checks=(claimed(Status.EXACT_Q, "two examples, one weight, exactly"),),
        repaired=Form("… for networks that do not couple examples", separate()), errata=(44,),
        pinned="a claim about all architectures: one that refutes it, one that does not",
        note="Batch normalisation in training couples them."),
)
