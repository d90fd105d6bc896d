"""R (4.2): the moments of the contractions, from the dense second moment of vec(G)."""

from math import prod

from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import trace
from ..statement import Form, Statement, Status
from .common import contraction, draw, indices, kron, shapes, times, without


def expected_contraction(field, C, shape, i):
    """E[G^(i)] (d_i, d_i): entry (a, b) sums E[g_{…a…} g_{…b…}] over the other indices; C = E[vec G vec Gᵀ]."""
    place = {index: row for row, index in enumerate(indices(shape))}
    rest = indices(tuple(without(shape, i)))

    def entry(a, b):
        return sum((C[place[(*r[:i - 1], a, *r[i - 1:])], place[(*r[:i - 1], b, *r[i - 1:])]] for r in rest), field.number(0))
    return field.build(shape[i - 1], shape[i - 1], entry)


def moments(mean="any", added=True, over="j ≠ i", power=1):
    """E[G^(i)] = U_i ∏_{j≠i} tr(U_j), + M^(i) where `added`."""
    def pairs(field, n):
        for shape in shapes(n):
            Us, M = [field.symmetric(d) for d in shape], draw(field, shape)
            m = field.build(prod(shape), 1, lambda r, _, M=M: list(M.at.values())[r])
            C = kron(field, Us) + (m * m.transpose() if mean == "any" else field.zeros(prod(shape), prod(shape)))
            for i, U in enumerate(Us, 1):
                traces = [trace(U_j) for U_j in (without(Us, i) if over == "j ≠ i" else Us)]
                right = U * (times(traces, field.number(1)) ** power)
                yield expected_contraction(field, C, shape, i), right + contraction(field, M, i) if added else right
    return pairs


def cost(strict):
    """d_i ∏ d_j products for G^(i), (∏ d_j)² for vec(G) vec(G)ᵀ: fewer where `strict`, at most as many elsewhere."""
    def claim():
        for shape in (tuple(d + 1 for d in index) for k in range(1, 5) for index in indices((4,) * k)):
            for d in shape:
                few, many = d * prod(shape), prod(shape) ** 2
                if few > many or (strict and few == many):
                    return Outcome(f"d = {shape}: {few} products beside {many}")
        return Outcome(detail="their quotient is ∏_{j≠i} d_j")
    return claim


EXACT = (over_Q(), mod_p(lambda n: 5))
STATEMENTS = (
    Statement("R.Eq.4.2", "Section 4.2", Form("E[G⁽ⁱ⁾] = U_i ∏_{j≠i} tr(U_j) for G of Definition 1", moments(added=False)),
              checks=EXACT,
              repaired=Form("E[G⁽ⁱ⁾] = U_i ∏_{j≠i} tr(U_j) + M⁽ⁱ⁾", moments()),
              mutants=(Form("∏ over all j", moments(over="all")), Form("squared traces", moments(power=2)),
                       Form("M = 0 and yet + M⁽ⁱ⁾", moments("zero"))),
              errata=(48,), note="A number, U_1 = 1, M = 1: E[G²] = 2. "
                   "True as printed for M = 0, which holds for 𝒟W with targets drawn from the model."),
    Statement("R.Eq.4.2/1", "Section 4.2, as used in 4.3",
              Form("M = 0: E[G⁽ⁱ⁾] = U_i ∏_{j≠i} tr(U_j)", moments("zero", added=False)),
              checks=EXACT, mutants=(Form("∏ over all j", moments("zero", False, "all")),
                                     Form("squared traces", moments("zero", False, power=2)),
                                     Form("any mean", moments("any", False)))),
    Statement("R.Eq.4.2/2", "Section 4.2, below (4.2)", Form("G⁽ⁱ⁾ costs d_i ∏ d_j, far less than vec(G) vec(G)ᵀ", cost(True)),
              checks=(claimed(Status.EXACT_Q, "all shapes with d_i up to 4, orders up to 4"),),
              repaired=Form("by the factor ∏_{j≠i} d_j, which is 1 for a vector", cost(False)),
              pinned="two closed forms are compared"),
)
