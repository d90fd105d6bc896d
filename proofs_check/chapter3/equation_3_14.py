"""R (3.14), (3.15): the pair of the Hessian action on the mini-batch's A."""

import random

from ..checks import Outcome, claimed, mod_p, on, over_Q
from ..fields import dot, outer
from ..statement import Form, Statement, Status
from .common import Q, times
from .common import dot as dot_Q


def action(damping=True, fixed=True):
    """(3.14) with y = As + λs: the update gives H⁺y = s, and leaves H = (A + λI)⁻¹ as it is."""
    def pairs(field, n):
        A, lam, a = field.symmetric(n), field.draw(), field.vector(n)
        eye = field.eye(n)
        inverse = (A + eye * lam).inv()
        for H in (field.symmetric(n), inverse):
            s = H * a
            y = A * s + s * lam if damping else A * s
            rho = 1 / dot(s, y)
            H_new = (eye - rho * outer(s, y)) * H * (eye - rho * outer(y, s)) + rho * outer(s, s)
            yield H_new * (A * s + s * lam), s
        if fixed:
            yield H_new, inverse
    return pairs


def curvature(damped=True, homogeneous=True):
    """s_Aᵀy_A > 0 for H_A positive definite, A = a sum of squares, λ_A > 0, â a mean of homogeneous inputs; 0 among the inputs."""
    def claim():
        rng = random.Random(2)
        for _ in range(50):
            rows = [[Q(rng.choice([0, 0, 1, -2])) for _ in range(2)] + ([Q(1)] if homogeneous else [Q(0)])
                    for _ in range(rng.randint(1, 3))]
            a, L = [sum(column, Q(0)) / len(rows) for column in zip(*rows, strict=True)], [
                [Q(rng.randint(-2, 2)) if j < i else Q(int(i == j)) for j in range(3)] for i in range(3)]
            s = times(L, [dot_Q([L[k][j] for k in range(3)], a) for j in range(3)])
            lam = Q(1, 3) if damped else Q(0)
            sy = sum((dot_Q(row, s)**2 for row in rows), Q(0)) / len(rows) + lam * dot_Q(s, s)
            if not sy > 0:
                return Outcome(f"inputs {rows}, H_A = LLᵀ with L = {L}: s_Aᵀy_A = {sy}")
        return Outcome(detail="50 mini-batches of up to three inputs, exactly")
    return claim


def product(first=True, weight=1):
    """(3.15): A s = E_n[Σ_t (a_tᵀ s) a_t], the columns of M all a_t of a mini-batch of m."""
    def pairs(field, n):
        D, count, m = (n, n + 1, 2) if n < 100 else (n, 12, 3)
        M, s = field.matrix(D, count), field.vector(D)
        total = field.zeros(D, 1)
        for k in range(count):
            a = field.build(D, 1, lambda i, _, k=k: M[i, k])
            total += a * dot(a, s) if first else s * dot(a, a)
        yield M * M.transpose() * field.number(1, m) * s, total * field.number(weight, m)
    return pairs


STATEMENTS = (
    Statement(
        "R.Eq.3.14", "Section 3.3.2",
        Form("s_A = H_A â, y_A = A s_A + λ_A s_A", {"update": action(), "curvature": curvature()}),
        checks=(on("update", over_Q()), on("update", mod_p(lambda n: 12 * n + 40)),
                on("curvature", claimed(Status.SAMPLED, "H_A positive definite, A a mean of squares"))),
        mutants=(Form("y_A = A s_A", {"update": action(damping=False)}),
                 Form("inputs without the 1", {"curvature": curvature(homogeneous=False)}),
                 Form("λ_A = 0, inputs without the 1", {"curvature": curvature(damped=False, homogeneous=False)})),
        hypotheses=("H_A positive definite", "λ_A > 0"), errata=(5,), long=True,
        note="s_Aᵀy_A >= λ_A‖s_A‖² > 0, since â ends with 1: no damping is needed. H_A = (A + λ_A I)⁻¹ is a fixed point. The hat "
             "on â means the mini-batch's mean. Section 3.3.1 has the equation with s and y exchanged (ERR-5)."),
    Statement(
        "R.Eq.3.15", "Section 3.3.2",
        Form("A s_A = E_n[Σ_t a_t(n) a_t(n)ᵀ] s_A = E_n[Σ_t (a_t(n)ᵀ s_A) a_t(n)]", product()),
        checks=(over_Q(), mod_p(lambda n: 3)),
        mutants=(Form("Σ_t (a_tᵀ a_t) s_A", product(first=False)), Form("twice", product(weight=2)), Form("its negative",
                                                                                                      product(weight=-1))),
        note="2(J|Δ| + 1) multiply-adds a position in place of (J|Δ| + 1)²."),
)
