"""R (1.1) to (1.4): the mean loss, the preconditioned step, the chain rule, and the Hessian's two terms."""

from __future__ import annotations

from ..checks import mod_p, over_Q
from ..fields import dot
from ..polynomial_nets import draw, polynomial_degree, product
from ..statement import Form, Statement

CHECKS = (over_Q(), mod_p(polynomial_degree, 206))


def loss(net, v, c):
    """A loss whose Hessian is neither I nor constant: Σ_j c_j ŷ_j³ + ½‖ŷ − y‖² + ŷ_1ŷ_m."""
    cubes = sum((c[j, 0] * v[j, 0] ** 3 for j in range(1, v.nrows())), c[0, 0] * v[0, 0] ** 3)
    return cubes + net.loss(v) + v[0, 0] * v[v.nrows() - 1, 0]


def loss_gradient(net, v, c):
    """∂l/∂ŷ, a row."""
    last = v.nrows() - 1
    return net.field.build(1, v.nrows(), lambda _, j: 3 * c[j, 0] * v[j, 0] ** 2 + v[j, 0] - net.y[j, 0]
                           + (v[last, 0] if j == 0 else 0) + (v[0, 0] if j == last else 0))


def loss_hessian(net, v, c):
    """H_l."""
    last = v.nrows() - 1
    return net.field.build(v.nrows(), v.nrows(), lambda i, j: (6 * c[i, 0] * v[i, 0] + 1 if i == j else net.field.number(0))
                           + (1 if (i, j) == (0, last) else 0) + (1 if (i, j) == (last, 0) else 0))


DEGREE = 42
"""In s: three times the 14 of the output."""


def jacobian_times(net, theta_1):
    """J_fθ₁ and θ₁ᵀ(∂²ŷ/∂θ²)θ₁, exact slopes."""
    def output(theta):
        return net.forward(theta)[1][-1]
    return net.along(output, theta_1, 1, DEGREE), net.along(output, theta_1, 2, DEGREE)


def mean(divisor):
    """θ₁ᵀ∇L = (1/I) Σ θ₁ᵀ∇l_i, I = 3."""
    def pairs(field, n):
        net = draw(field, n)
        data = [(field.vector(net.x.nrows()), field.vector(net.y.nrows())) for _ in range(3)]
        theta_1 = net.direction()

        losses = [net.example(x, y) for x, y in data]

        def L(theta):
            return (losses[0](theta) + losses[1](theta) + losses[2](theta)) / 3
        each = [net.along(l_i, theta_1) for l_i in losses]
        yield net.along(L, theta_1), (each[0] + each[1] + each[2]) / divisor
    return pairs


def newton(inverse=True, alpha=1, sign=-1):
    """θ_t = θ_{t−1} − α_tH_tg_t with H_t the inverse Hessian ends at the minimum of ½θᵀAθ − bᵀθ in one step, for α_t = 1."""
    def pairs(field, n):
        A, theta, b = field.definite(n), field.vector(n), field.vector(n)
        g = A * theta - b
        after = theta + sign * alpha * (A.solve(g) if inverse else A * g)
        yield A * after, b
    return pairs


def chain(transposed=False):
    """(∂l/∂ŷ)(∂ŷ/∂θ)θ₁ against the slope of l."""
    def pairs(field, n):
        net = draw(field, n)
        c, theta_1 = field.vector(net.y.nrows()), net.direction()
        v = net.forward()[1][-1]
        row = loss_gradient(net, v, c)
        found = product(row.transpose() if transposed else row, jacobian_times(net, theta_1)[0])
        yield None if found is None or found.nrows() != 1 else found[0, 0], net.along(
            lambda theta: loss(net, net.forward(theta)[1][-1], c), theta_1, 1, DEGREE)
    return pairs


def hessian(first=1, second=1, own=True):
    """θ₁ᵀ∇²lθ₁ = (J_fθ₁)ᵀH_l(J_fθ₁) + Σ_j [∂l/∂ŷ]_j θ₁ᵀ∇²[ŷ]_jθ₁."""
    def pairs(field, n):
        net = draw(field, n)
        c, theta_1 = field.vector(net.y.nrows()), net.direction()
        v = net.forward()[1][-1]
        J_1, bend = jacobian_times(net, theta_1)
        H = loss_hessian(net, v, c) if own else field.eye(v.nrows())
        yield (first * dot(J_1, H * J_1) + second * (loss_gradient(net, v, c) * bend)[0, 0],
               net.along(lambda theta: loss(net, net.forward(theta)[1][-1], c), theta_1, 2, DEGREE))
    return pairs


STATEMENTS = (
    Statement(
        "R.Eq.1.1", "Section 1.2.1",
        Form("L(θ) = (1/I) Σ_i l_i(θ), l_i = 𝓛(y_i, f_θ(x_i))", mean(3)),
        checks=CHECKS,
        mutants=(Form("the sum", mean(1)), Form("divided by I − 1", mean(2)), Form("divided by I + 1", mean(4))),
        note="Its gradient and Hessian are the means of those of l_i, with which 1.2.2 goes on.",
    ),
    Statement(
        "R.Eq.1.2", "Section 1.2.1",
        Form("θ_t = θ_{t−1} − α_tH_tg_t; with H_t the inverse Hessian Newton's method", newton()),
        checks=(over_Q(), mod_p(lambda n: 2 * n + 10)),
        mutants=(Form("H_t the Hessian", newton(inverse=False)), Form("+α_t", newton(sign=1)), Form("α_t = 2", newton(alpha=2))),
        note="One step with α_t = 1 ends at the minimum of a quadratic function. 1.2.2 calls F itself H_t, which is wrong "
             "(R.Eq.1.7/2).",
    ),
    Statement(
        "R.Eq.1.3", "Section 1.2.2",
        Form("∂l/∂θ = ∂l/∂ŷ ∂ŷ/∂θ", chain()),
        checks=CHECKS,
        mutants=(Form("(∂l/∂ŷ)ᵀ ∂ŷ/∂θ", chain(transposed=True)), Form("twice that", lambda field, n: (
            (2 * a, b) for a, b in chain()(field, n))),
                 Form("minus that", lambda field, n: ((-a, b) for a, b in chain()(field, n)))),
        note="∂l/∂θ and ∂l/∂ŷ are rows, ∂ŷ/∂θ = J_f is m × d.",
    ),
    Statement(
        "R.Eq.1.4", "Section 1.2.2",
        Form("∂²l/∂θ² = J_fᵀH_lJ_f + Σ_j [∂l/∂ŷ]_j ∂²[ŷ]_j/∂θ²", hessian()),
        checks=CHECKS,
        mutants=(Form("without the sum", hessian(second=0)), Form("minus the sum", hessian(second=-1)),
                 Form("J_fᵀJ_f", hessian(own=False)), Form("2J_fᵀH_lJ_f", hessian(first=2))),
        note="With a loss whose H_l is neither constant nor diagonal; quadratic forms in a random direction, against second "
             "slopes.",
    ),
)
