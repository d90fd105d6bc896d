"""R (5.6), (5.7) and Sections 5.3.1 to 5.3.3: Sherman, Morrison and Woodbury's formula, and the matrix D_t."""

from __future__ import annotations

from fractions import Fraction

import flint

from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import Field, dot
from ..polynomial_nets import draw, polynomial_degree, together
from ..statement import Form, Statement, Status
from .section_5_4_1 import transposed, transposed_product

N_2, M_L = 3, 2
"""Examples and outputs: J has 6 rows."""


def stacked(field, n, singular=False):
    """J (6, n), block-diagonal H (6, 6), λ."""
    blocks = [field.symmetric(M_L) for _ in range(N_2)]
    if singular:
        a = [field.draw() for _ in range(N_2)]                            # diag(a, 1 − a) − (a, 1 − a)(a, 1 − a)ᵀ: softmax
        blocks = [field.build(M_L, M_L, lambda i, j, x=x: x * (1 - x) * (1 if i == j else -1)) for x in a]
    size = N_2 * M_L
    H = field.build(size, size, lambda i, j: blocks[i // M_L][i % M_L, j % M_L] if i // M_L == j // M_L else field.number(0))
    return field.matrix(size, n), H, field.draw()


def inverse(mean_in_D=True, mean=True, front=True, damped=True):
    """(5.6): G times it is I."""
    def pairs(field, n):
        J, H, lam = stacked(field, n)
        third = field.number(1, N_2)
        D = (lam if damped else field.number(1)) * H.inv() + J * J.transpose() * (third if mean_in_D else field.number(1))
        inner = field.eye(n) - J.transpose() * D.inv() * J * (third if mean else field.number(1))
        yield (lam * field.eye(n) + J.transpose() * H * J * third) * inner * (1 / lam if front else lam), field.eye(n)
    return pairs


def without_inverse(left=True, right=True, singular=True):
    """(5.7): G times it is I, for singular H."""
    def pairs(field, n):
        J, H, lam = stacked(field, n, singular)
        third, size = field.number(1, N_2), N_2 * M_L
        D = lam * field.eye(size) + J * J.transpose() * (H if right else field.eye(size)) * third
        middle = (H if left else field.eye(size)) * D.inv()
        inner = field.eye(n) - J.transpose() * middle * J * third
        yield (lam * field.eye(n) + J.transpose() * H * J * third) * inner * (1 / lam), field.eye(n)
    return pairs


def through_d(sign=-1, factor=1):
    """Footnote 1: D_td_t = −Jg_t, and p_t = −(g_t + (1/N_2)Jᵀd_t)/λ."""
    def pairs(field, n):
        J, H, lam = stacked(field, n)
        g, third = field.vector(n), field.number(1, N_2)
        D = lam * H.inv() + J * J.transpose() * third
        d = D.solve(sign * (J * g))
        p = -(g + factor * (J.transpose() * d) * third) * (1 / lam)
        yield (lam * field.eye(n) + J.transpose() * H * J * third) * p, -g
    return pairs


def sizes(rule):
    """Rows of D for natural gradient, for all small N_2, m_L."""
    def code():
        for examples in (1, 2, 5):
            for outputs in (1, 2, 5):
                field = Field(None, 0)
                J = field.matrix(examples, 7)                             # one gradient ∇f_i an example
                D = J * J.transpose()
                if D.nrows() != rule(examples, outputs):
                    return Outcome(f"N_2 = {examples}, m_L = {outputs}: D has {D.nrows()} rows")
        return Outcome()
    return code


def elements(damped=True, mean=True, biases=1, cross=1):
    """(D_t)_ij for natural gradient: (1/N_2) Σ_l (g_iᵀg_j)(v_iᵀv_j + 1), and λ on the diagonal, against λI + (1/N_2)JJᵀ."""
    def pairs(field, n):
        net, lam = draw(field, n), field.draw()
        gradients, factors = [], []
        for _ in range(2):
            x, y = field.vector(net.x.nrows()), field.vector(net.y.nrows())
            h, v = net.forward(x=x)
            layers = transposed(net, h, v, v[-1] - y)                     # ∇f_i = J_iᵀ(ŷ_i − y_i)
            gradients.append(layers)
            factors.append(([layer.b for layer in layers], v))
        for i in range(2):
            for j in range(2):
                D = together(gradients[i], gradients[j]) / 2 + (lam if i == j else 0)
                total = field.number(0)
                for l, (a, b) in enumerate(zip(factors[i][0], factors[j][0], strict=True)):
                    total += dot(a, b) * (dot(factors[i][1][l], factors[j][1][l]) * cross + biases)
                yield (total / 2 if mean else total) + (lam if damped and i == j else 0), D
    return pairs


LOSSES = {"half a square": lambda a, i, j: Fraction(int(i == j)),
          "binary cross entropy": lambda a, i, j: a[i] * (1 - a[i]) if i == j else Fraction(0),
          "softmax": lambda a, i, j: (a[i] if i == j else 0) - a[i] * a[j]}
"""H_i at probabilities a, by loss."""


def invertible(*losses):
    """Is H_i invertible for all of these?"""
    def code():
        a = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
        for loss in losses:
            entries = [LOSSES[loss](a, i, j) for i in range(3) for j in range(3)]
            if flint.fmpq_mat(3, 3, [flint.fmpq(x.numerator, x.denominator) for x in entries]).det() == 0:
                return Outcome(f"{loss}: H_i(1, 1, 1)ᵀ = 0, det H_i = 0")
        return Outcome()
    return code


STATEMENTS = (
    Statement(
        "R.Eq.5.6", "Section 5.3.1",
        Form("G_t⁻¹ = (1/λ)(I − (1/N_2)JᵀD_t⁻¹J), D_t = λH⁻¹ + (1/N_2)JJᵀ", inverse()),
        checks=(over_Q((1, 2, 3), 3), mod_p(lambda n: 400)),
        mutants=(Form("JJᵀ without 1/N_2 in D_t", inverse(mean_in_D=False)), Form("JᵀD_t⁻¹J without 1/N_2", inverse(mean=False)),
                 Form("λ for 1/λ", inverse(front=False)), Form("H⁻¹ for λH⁻¹", inverse(damped=False))),
        hypotheses=("H invertible", "λ ≠ 0, D_t invertible: both for H ≻ 0, λ > 0"),
        note="G_t = λI + (1/N_2)JᵀHJ; 3 examples with 2 outputs, n parameters. Exact, as 5.3 says, where Hessian-free is not.",
    ),
    Statement(
        "R.Eq.5.6/1", "Section 5.3.1, below (5.6)",
        Form("for natural gradient D_t is m_L × m_L", sizes(lambda examples, outputs: outputs)),
        checks=(claimed(Status.EXACT_Q, "counted, N_2 and m_L out of 1, 2, 5"),),
        mutants=(Form("N_2m_L × N_2m_L", sizes(lambda examples, outputs: examples * outputs)),
                 Form("max(N_2, m_L)", sizes(lambda examples, outputs: max(examples, outputs)))),
        repaired=Form("for natural gradient D_t is N_2 × N_2", sizes(lambda examples, outputs: examples)),
        pinned="one number",
        errata=(6,),
    ),
    Statement(
        "R.Eq.5.6/2", "Section 5.3.3",
        Form("(D_t)_ij = ∇f_iᵀ∇f_j = Σ_l (g_iᵀg_j)(v_iᵀv_j), b's left out", elements(damped=False, mean=False, biases=0)),
        checks=(over_Q(), mod_p(polynomial_degree, 206)),
        repaired=Form("(D_t)_ij = λδ_ij + (1/N_2) Σ_l (g_iᵀg_j)(v_iᵀv_j + 1)", elements()),
        mutants=(Form("without λδ_ij", elements(damped=False)), Form("without 1/N_2", elements(mean=False)),
                 Form("without + 1", elements(biases=0)), Form("without v_iᵀv_j", elements(cross=0))),
        errata=(14,),
        note="Printed is (JJᵀ)_ij of the weights. g_i^(l) is ∂f_i/∂h^(l).",
    ),
    Statement(
        "R.Eq.5.6/3", "Section 5.3.2",
        Form("J_iᵀV = ∂(ŷ_iᵀV)/∂θ, by one backpropagation", transposed_product()),
        checks=(over_Q(), mod_p(polynomial_degree, 206)),
        mutants=(Form("with ∂v/∂h for its transpose", transposed_product(own=False)),
                 Form("v̂^(l−1) = 0", transposed_product(weights=False)),
                 Form("twice", lambda field, n: ((2 * a, b) for a, b in transposed_product()(field, n)))),
    ),
    Statement(
        "R.Eq.5.6/4", "Section 5.3.3, footnote 1",
        Form("D_td_t = −Jg_t, and p_t = −(1/λ)(g_t + (1/N_2)Jᵀd_t)", through_d()),
        checks=(over_Q((1, 2, 3), 3), mod_p(lambda n: 400)),
        mutants=(Form("D_td_t = Jg_t", through_d(sign=1)), Form("2Jᵀd_t", through_d(factor=2)),
                 Form("without Jᵀd_t", through_d(factor=0))),
        note="The footnote gives the system for d_t; p_t follows from (5.6).",
    ),
    Statement(
        "R.Eq.5.7", "Section 5.3.1",
        Form("G_t⁻¹ = (1/λ)(I − (1/N_2)JᵀHD_t⁻¹J), D_t = λI + (1/N_2)JJᵀH, for singular H_i", without_inverse()),
        checks=(over_Q((1, 2, 3), 3), mod_p(lambda n: 400)),
        mutants=(Form("JᵀD_t⁻¹J", without_inverse(left=False)), Form("D_t = λI + (1/N_2)JJᵀ", without_inverse(right=False)),
                 Form("without both H", without_inverse(left=False, right=False))),
        hypotheses=("λ > 0, H ⪰ 0, under which JJᵀH has no negative eigenvalue and D_t is invertible",),
        note="H_i = diag(a) − aaᵀ here, of rank 1 for two classes. D_t is not symmetric.",
    ),
    Statement(
        "R.Eq.5.7/1", "Section 5.3.1, above (5.7)",
        Form("H_i is invertible for half a square and binary cross entropy", invertible("half a square", "binary cross entropy")),
        checks=(claimed(Status.EXACT_Q, "determinants at probabilities 1/2, 1/3, 1/6"),),
        mutants=(Form("H_i is invertible for softmax", invertible("softmax")),),
        pinned="three losses",
        note="For softmax H_i(1, …, 1)ᵀ = a − a Σa = 0 always, as the text says. In floats binary cross entropy joins in where "
             "σ is 0 or 1.",
    ),
)
