"""R Definition 1: the tensor normal distribution, its storage, and what its parameters leave open."""

from math import prod

from ..checks import Outcome, claimed, mod_p, over_Q
from ..statement import Form, Statement, Status
from .common import column, draw, indices, kron, modes, shapes, vec


def second_moment(transposed=False, backwards=False, squared=True):
    """G = Z ×_1 A_1 ⋯ ×_k A_k with E[vec Z vec Zᵀ] = I: the covariance of vec G is ⊗A_iA_iᵀ.

    The mode products are linear: column c is vec of the moved unit tensor, and the covariance their product with itself.
    """
    def pairs(field, n):
        for shape in shapes(n)[-1:] if n >= 200 else shapes(n):
            As = [field.matrix(d, d) for d in shape]
            Z = draw(field, shape)
            columns = []
            for one in indices(shape):
                unit = Z._replace(at={index: field.number(int(index == one)) for index in Z.at})
                columns.append(column(field, vec(modes(unit, As))))
            linear = field.beside(*columns)
            Us = [A.transpose() * A if transposed else A * A.transpose() if squared else A for A in As]
            yield linear * linear.transpose(), kron(field, Us[::-1] if backwards else Us)
    return pairs


def storage(shapes_):
    """Σ d_i² is smaller than (∏ d_i)²."""
    def claim():
        wrong = [shape for shape in shapes_ if sum(d * d for d in shape) >= prod(shape)**2]
        return Outcome(f"d = {wrong[0]}: {sum(d * d for d in wrong[0])} entries beside {prod(wrong[0])**2}" if wrong else "",
                       f"{len(shapes_)} shapes")
    return claim


def all_shapes(least, orders, most=5):
    """Shapes of these orders with least ≤ d_i < most."""
    return [shape for k in orders for shape in indices((most,) * k) if min(shape, default=0) >= least]


STATEMENTS = (
    Statement("R.Def.1", "Section 4.2", Form("G is TN(M, U_1, …, U_k) where vec(G) ∼ Normal(vec(M), U_1 ⊗ ⋯ ⊗ U_k)",
                                             second_moment()),
              checks=(over_Q((1, 2), 3), mod_p(lambda n: 8, 200)),
              mutants=(Form("U_i = A_iᵀA_i", second_moment(transposed=True)), Form("U_k ⊗ ⋯ ⊗ U_1", second_moment(backwards=True)),
                       Form("U_i = A_i", second_moment(squared=False))),
              note="Exists for positive semidefinite U_i, which the definition does not ask for: Z ×_1 A_1 ⋯ ×_k A_k, Z of "
                   "independent standard normals, has U_i = A_iA_iᵀ. The U_i are unique up to factors c_i with ∏c_i = 1, see "
                   "(4.10).",
              long=True),
    Statement("R.Def.1/1", "Section 4.2, below Definition 1", Form("Σ d_i² entries, compared with ∏ d_i²: a smaller number",
                                                                   storage(all_shapes(1, range(1, 5)))),
              checks=(claimed(Status.EXACT_Q, "all shapes with d_i up to 4, orders up to 4"),),
              repaired=Form("smaller where k >= 2 and every d_i >= 2", storage(all_shapes(2, range(2, 5)))),
              mutants=(Form("for vectors", storage(all_shapes(2, (1,)))),
                       Form("for matrices with d_1 = 1", storage([(1, 2), (1, 3)])),
                       Form("for tensors of one entry", storage([(1, 1), (1, 1, 1)]))),
              note="Equal for vectors (biases); a direction of length 1 costs an entry more and saves nothing. By induction: a + "
                   "b <= ab for a, b >= 2."),
)
