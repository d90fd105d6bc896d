"""R (2.12): L-BFGS as a recursion for H_i, and the recursion for B_i = H_i⁻¹ below it."""

from ..checks import mod_p, over_Q
from ..fields import dot, outer
from ..statement import Form, Statement


def recursions(sign=1, order=1, start=1):
    """B_p H_p = I and H_p y_p = s_p after three pairs, from H_0 = B_0 = I; B in the order of the terms printed there."""
    def pairs(field, n):
        n = max(n, 2)
        some = [(field.vector(n), field.vector(n)) for _ in range(3)]
        one = field.eye(n)
        H, B = one, one * field.number(start)
        for s, y in some:
            rho = 1 / dot(s, y)
            H = (one - outer(s, y) * rho) * H * (one - outer(y, s) * rho) + outer(s, s) * rho
        for s, y in some[::order]:
            Bs = B * s
            B = B + outer(y, y) * (sign / dot(s, y)) - outer(Bs, Bs) * (1 / dot(s, Bs))
        yield B * H, one
        yield H * some[-1][1], some[-1][0]
    return pairs


STATEMENTS = (
    Statement(
        "R.Eq.2.12", "Section 2.7, proof of Lemma 2",
        Form("H_i = (I − ρ_i s_i y_iᵀ) H_(i−1) (I − ρ_i y_i s_iᵀ) + ρ_i s_i s_iᵀ, \"and equivalently\" "
             "B_i = B_(i−1) + y_i y_iᵀ/(s_iᵀy_i) − B_(i−1)s_i s_iᵀB_(i−1)/(s_iᵀB_(i−1)s_i)", recursions()),
        checks=(over_Q((2, 3)), mod_p(lambda n: 120)),
        mutants=(Form("−y_i y_iᵀ", recursions(sign=-1)), Form("pairs in the other order", recursions(order=-1)),
                 Form("B_0 = 2I", recursions(start=2))),
        note="p = 3. H_p y_p = s_p for the newest pair only."),
)
