"""R (4.8): the direction of TNT, without damping."""

from ..checks import mod_p, over_Q
from ..statement import Form, Statement
from .common import column, draw, kron, modes, shapes, vec


def direction(inverse=True, backwards=False, transposed=False):
    """F_W⁻¹ vec(g) = (⊗U_i⁻¹) vec(g) = vec(g ×_1 U_1⁻¹ ⋯ ×_k U_k⁻¹); U_i not symmetric, so that a transpose shows."""
    def pairs(field, n):
        for shape in shapes(n):
            g, Us = draw(field, shape), [field.matrix(d, d) + field.definite(d) * field.number(9) for d in shape]
            F, v = kron(field, Us), column(field, vec(g))
            inverses = [U.inv() if inverse else U for U in Us]
            yield F * (kron(field, inverses[::-1] if backwards else inverses) * v), v
            yield F * column(field, vec(modes(g, [U.transpose() for U in inverses] if transposed else inverses))), v
    return pairs


STATEMENTS = (
    Statement("R.Eq.4.8", "Section 4.3.2", Form("F_W⁻¹ vec(∇) = (U_1⁻¹ ⊗ ⋯ ⊗ U_k⁻¹) vec(∇) = vec(∇ ×_1 U_1⁻¹ ×_2 ⋯ ×_k U_k⁻¹)",
                                                direction()),
              checks=(over_Q(), mod_p(lambda n: 100)),
              hypotheses=("F_W = U_1 ⊗ ⋯ ⊗ U_k, every U_i invertible",),
              mutants=(Form("without inverses", direction(inverse=False)),
                       Form("factors in the opposite order", direction(backwards=True)),
                       Form("U_i⁻ᵀ", direction(transposed=True))),
              note="The text before it has F_W = E[Var(vec G)]: the variance of vec(G) over x and y, or the mean over x of that "
                   "over y; they are one, since E[G | x] = 0."),
)
