"""R (5.1) to (5.3): the mean loss, the Hessian of one example, and the two matrices B_t."""

from __future__ import annotations

import itertools

import flint

from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import dot, outer
from ..polynomial_nets import draw, polynomial_degree, together
from ..statement import Form, Statement, Status
from .section_5_4_1 import transposed

CHECKS = (over_Q(), mod_p(polynomial_degree, 206))


def counted(biases=1, layers=0):
    """n = Σ_l (m_l m_{l−1} + m_l) against entries of the unpacked W^(l), b^(l)."""
    def code():
        for m in itertools.chain.from_iterable(itertools.product((1, 2, 3, 7), repeat=k) for k in (2, 3, 4)):
            pairs = list(itertools.pairwise(m))
            entries = sum(flint.fmpq_mat(o, i).nrows() * flint.fmpq_mat(o, i).ncols() + o for i, o in pairs)
            n = sum(o * i + biases * o for i, o in pairs) + layers * m[0]
            if n != entries:
                return Outcome(f"m = {m}: n = {n}, entries {entries}")
        return Outcome()
    return code


def mean_gradient(divisor=lambda N, n: N):
    """∇f = (1/N) Σ ∇f_i: the slope of (5.1) along θ₁, for N = 3 examples."""
    def pairs(field, n):
        net = draw(field, n)
        data = [(net.x, net.y)] + [(field.vector(net.x.nrows()), field.vector(net.y.nrows())) for _ in range(2)]
        theta_1 = net.direction()

        def f(theta):
            total = field.number(0)
            for x, y in data:
                total += net._replace(y=y).loss(net.forward(theta, x)[1][-1])
            return total / 3
        found = field.number(0)
        for x, y in data:
            h, v = net.forward(x=x)
            found += together(transposed(net, h, v, v[-1] - y), theta_1)
        yield found / divisor(3, n + 4), net.along(f, theta_1)
    return pairs


def hessian(second=1, weight=1):
    """θ₁ᵀ∇²f_iθ₁ = ‖J_iθ₁‖² + Σ_j (∂f_i/∂ŷ)_j θ₁ᵀ∇²ŷ_jθ₁, against the second derivative along the line; half a square: H_i = I."""
    def pairs(field, n):
        net = draw(field, n)
        theta_1 = net.direction()
        _, v = net.forward()
        J_1 = net.along(lambda theta: net.forward(theta)[1][-1], theta_1)
        bend = net.along(lambda theta: net.forward(theta)[1][-1], theta_1, 2)
        yield (weight * dot(J_1, J_1) + second * dot(v[-1] - net.y, bend),
               net.along(lambda theta: net.loss(net.forward(theta)[1][-1]), theta_1, 2))
    return pairs


def gauss_newton(mean=True, own=True):
    """B of (5.2) for 3 examples of a linear model ŷ = Wx + b, half the square: it is the Hessian, f(θ + p) − f(θ) − gᵀp = ½pᵀBp."""
    def pairs(field, n):
        m_in, m = min(n, 14), min(n, 13)
        W, b = field.matrix(m, m_in), field.vector(m)
        X, Y = field.matrix(m_in, 3), field.matrix(m, 3)
        P, c, ones = field.matrix(m, m_in), field.vector(m), field.ones(1, 3)
        R, R_p = W * X + b * ones - Y, (W + P) * X + (b + c) * ones - Y
        J_p = P * X + c * ones

        def square(A):
            return sum((x * x for x in A.entries()[1:]), A.entries()[0] ** 2)
        cross = sum((x * y for x, y in zip(R.entries(), J_p.entries(), strict=True)), field.number(0))
        pBp = square(J_p if own else R_p - 2 * R) / (3 if mean else 1)
        yield (square(R_p) - square(R)) / 6 - cross / 3, pBp / 2
    return pairs


def fisher(last, sampled, rows=2, parameters=3):
    """(5.3) of ŷ = θᵀx with half the square, two examples: is it defined, and is it the Fisher matrix (1.7), that is (1/N)Σxxᵀ?"""
    def code():
        x = [flint.fmpq_mat(parameters, 1, row) for row in ([1, 0, 2], [0, 1, -1])]
        residual = [flint.fmpq(5), flint.fmpq(1, 2)]
        top = {"N": rows, "n": parameters}[last]
        if top > rows:
            return Outcome(f"i runs to n = {parameters}, but there are N = {rows} examples")
        squares = [flint.fmpq(1)] * rows if sampled else [r * r for r in residual]     # E[(y − ŷ)²] = 1: the model draws y
        F = sum((outer(v, v) * c for v, c in zip(x[:top], squares, strict=True)), flint.fmpq_mat(parameters, parameters))
        G = sum((outer(v, v) for v in x), flint.fmpq_mat(parameters, parameters))
        if F != G:
            return Outcome(f"residuals {residual[0]}, {residual[1]}: (5.3) has {F[0, 0] / rows} where (1.7) has {G[0, 0] / rows}")
        return Outcome()
    return code


STATEMENTS = (
    Statement(
        "R.Eq.5.1", "Section 5.2.1",
        Form("f(θ) = (1/N) Σ_i f_i(θ) = (1/N) Σ_i ε(ŷ_i(θ), y_i)", mean_gradient()),
        checks=CHECKS,
        mutants=(Form("the sum", mean_gradient(lambda N, n: 1)), Form("divided by N − 1", mean_gradient(lambda N, n: N - 1)),
                 Form("divided by the number of parameters", mean_gradient(lambda N, n: n))),
        note="Algorithm 23, line 4, takes g_t as the mean of ∇f_i over S_1: with S_1 = [N] it is the gradient of this f.",
    ),
    Statement(
        "R.Eq.5.1/1", "Section 5.2.1, below (5.1)",
        Form("θ ∈ ℝⁿ with n = Σ_l (m_l m_{l−1} + m_l)", counted()),
        checks=(claimed(Status.EXACT_Q, "counted for all nets of 1 to 3 layers with widths out of 1, 2, 3, 7"),),
        mutants=(Form("without biases", counted(biases=0)), Form("2m_l", counted(biases=2)), Form("+ m_0", counted(layers=1))),
        note="L layers with parameters; 'NNs with L + 1 layers' of 5.2.1 counts the inputs as one.",
    ),
    Statement(
        "R.Eq.5.2", "Section 5.2.2",
        Form("B_t = (1/N) Σ_i J_iᵀH_iJ_i approximates ∂²f/∂θ²: it is the Hessian where ŷ is linear in θ", gauss_newton()),
        checks=(over_Q(), mod_p(lambda n: 8, 14)),
        mutants=(Form("without 1/N", gauss_newton(mean=False)),
                 Form("with Jp minus the residuals in place of Jp", gauss_newton(own=False))),
        pinned="a definition; the equality of its quadratic form with that of f fixes every entry",
        note="Linear models of 14 inputs and 13 outputs, 195 parameters, 3 examples. ρ_t = 1 exactly there, if S_2 = S_1.",
    ),
    Statement(
        "R.Eq.5.2/1", "Section 5.2.2, above (5.2)",
        Form("∂²f_i/∂θ² = J_iᵀH_iJ_i + Σ_j (∂f_i/∂ŷ_i)_j ∂(J_i)_j/∂θ", hessian()),
        checks=CHECKS,
        mutants=(Form("without the sum", hessian(second=0)), Form("minus the sum", hessian(second=-1)),
                 Form("2J_iᵀH_iJ_i", hessian(weight=2))),
        note="Quadratic forms in a random direction, which determine a symmetric matrix; half a square, H_i = I.",
    ),
    Statement(
        "R.Eq.5.3", "Section 5.2.2",
        Form("the Fisher matrix is F_t = (1/N) Σ_{i=1}^n ∇f_i∇f_iᵀ", fisher("n", False)),
        checks=(claimed(Status.EXACT_Q, "ŷ = θᵀx, half the square, N = 2, n = 3"),),
        mutants=(Form("(1/N) Σ_{i=1}^N ∇f_i∇f_iᵀ with the targets of the data", fisher("N", False)),
                 Form("i = 1, …, n with drawn targets", fisher("n", True))),
        pinned="the two mistakes, one by one",
        repaired=Form("F_t = (1/N) Σ_{i=1}^N E_y[∇f_i∇f_iᵀ], y drawn from the model", fisher("N", True)),
        errata=(9, 13),
        note="n counts parameters. With the targets of the data it is the empirical Fisher matrix of 1.2.2, which is zero "
             "where the data are fitted and equals (5.2) only by accident.",
    ),
)
