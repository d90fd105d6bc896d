"""R Proposition 1, as (4.3) and again as (4.9), and each step of its proof, from the definitions of Section 4.2.1.

Every step is an identity of polynomials in the entries; (4.4) to (4.7) are a file of their own.
"""

from ..checks import Outcome, claimed, mod_p, over_Q
from ..statement import Form, Statement, Status
from .common import Tensor, column, draw, indices, kron, mat, mode, modes, shapes, slice_of, vec


def product_of_modes(orders=range(1, 5), backwards=False, transposed=False, column_major=False):
    """(⊗U_i) vec(G) = vec(G ×_1 U_1 ⋯ ×_k U_k) for tensors of these orders."""
    def pairs(field, n):
        for shape in shapes(n) if orders != (1,) else ((n,),):
            if len(shape) not in orders:
                continue
            G, Us = draw(field, shape), [field.matrix(d, d) for d in shape]
            K = kron(field, Us[::-1] if backwards else Us)
            moved = modes(G, [U.transpose() for U in Us] if transposed else Us)
            flat = flat_backwards if column_major else vec
            yield K * column(field, flat(G)), column(field, flat(moved))
    return pairs


def square(n):
    """A shape whose directions are equally long, so that matrices can be exchanged."""
    return ((14, 14),) if n >= 200 else ((n, n),)


def flat_backwards(A):
    """vec with the first index fastest."""
    return [A.at[index[::-1]] for index in indices(A.shape[::-1])]


def of_matricization(i):
    """vec(A) = vec(mat_i(A)), the right one row by row."""
    def pairs(field, n):
        for shape in shapes(n):
            if len(shape) >= i:
                A = draw(field, shape)
                yield column(field, vec(A)), field.rows(mat(field, A, i))
    return pairs


def matrix_times_mat(transposed=False, shift=0):
    """B mat_i(A) = mat_i(A ×_i B) for every i, B rectangular."""
    def pairs(field, n):
        for shape in square(n) if shift else shapes(n):
            for i, d in enumerate(shape, 1):
                A, B = draw(field, shape), field.matrix(d if transposed or shift else d + 1, d)
                j = (i - 1 + shift) % len(shape) + 1
                yield B * mat(field, A, i), mat(field, mode(A, j, B.transpose() if transposed else B), i)
    return pairs


def commuting(same=True, different=True, swapped=False):
    """(G ×_i U) ×_j V = (G ×_j V) ×_i U, for i = j, i ≠ j; `swapped`: (G ×_j U) ×_i V on the right."""
    def pairs(field, n):
        for shape in square(n) if swapped else shapes(n):
            for i, d in enumerate(shape, 1):
                for j, e in enumerate(shape, 1):
                    if same if i == j else different:
                        G, U, V = draw(field, shape), field.matrix(d, d), field.matrix(e, e)
                        right = mode(mode(G, j, U), i, V) if swapped else mode(mode(G, j, V), i, U)
                        yield column(field, vec(mode(mode(G, i, U), j, V))), column(field, vec(right))
    return pairs


def matrix_case(second="AUᵀ"):
    """A ×_1 U = UA and A ×_2 U = AUᵀ, U rectangular on the first, square on the second."""
    def pairs(field, n):
        d_1, d_2 = (15, 14) if n >= 200 else (n + 1, n)
        A, U, V = draw(field, (d_1, d_2)), field.matrix(d_1 + 1, d_1), field.matrix(d_2, d_2)
        M = mat(field, A, 1)
        yield mat(field, mode(A, 1, U), 1), U * M
        yield mat(field, mode(A, 2, V), 1), M * (V.transpose() if second == "AUᵀ" else V)
    return pairs


def base_case(of_numbers):
    """mat_1 of a vector (a, b): its slices are numbers, and vec needs a rule for them."""
    def rule(A):
        if not A.shape and not of_numbers:
            return None
        return vec(A)

    def claim():
        rows = [rule(slice_of(Tensor((2,), {(0,): 3, (1,): 5}), 1, j)) for j in range(2)]
        if None in rows:
            return Outcome("a vector (3, 5), k = 1: vec of its slices, tensors of order 0, is not defined, nor is mat_1, A⁽¹⁾")
        return Outcome("" if rows == [[3], [5]] else f"rows {rows}", "mat_1 of a vector is the column, A⁽¹⁾ = aaᵀ")
    return claim


EXACT = (over_Q(), mod_p(lambda n: 6))
WRONG = (Form("factors in the opposite order", product_of_modes(backwards=True)), Form("U_iᵀ", product_of_modes(transposed=True)),
         Form("vec with the first index fastest", product_of_modes(column_major=True)))
STATEMENTS = (
    Statement("R.Prop.1", "Section 4.2.1, again in 4.3.2", Form("(⊗_i U_i) vec(G) = vec(G ×_1 U_1 ×_2 ⋯ ×_k U_k)",
                                                                product_of_modes()),
              checks=EXACT, mutants=WRONG, note="For every k and every square U_i; rectangular ones do as well."),
    Statement("R.Eq.4.3", "Section 4.2.1", Form("(⊗_i U_i) vec(G) = vec(G ×_1 U_1 ×_2 ⋯ ×_k U_k)", product_of_modes()),
              checks=EXACT,
              mutants=WRONG),
    Statement("R.Eq.4.9", "Section 4.3.2", Form("(⊗_i U_i) vec(G) = vec(G ×_1 U_1 ×_2 ⋯ ×_k U_k)", product_of_modes()),
              checks=EXACT,
              mutants=WRONG, note="The same as (4.3)."),
    Statement("R.Prop.1/1", "proof, k = 1", Form("U_1 vec(G) = vec(G ×_1 U_1)", product_of_modes((1,))), checks=EXACT,
              mutants=(Form("U_1ᵀ on the right", product_of_modes((1,), transposed=True)),),
              pinned="an equality of one matrix product"),
    Statement("R.Prop.1/2", "Section 4.2.1, used at the end of the proof",
              Form("vec(A) = vec(mat_1(A))", of_matricization(1)), checks=EXACT,
              mutants=(Form("mat_2", of_matricization(2)), Form("mat_3", of_matricization(3)), Form("mat_4", of_matricization(4)))),
    Statement("R.Prop.1/3", "proof, third from last equality",
              Form("B mat_i(A) = mat_i(A ×_i B)", matrix_times_mat()), checks=EXACT,
              mutants=(Form("Bᵀ on the right", matrix_times_mat(transposed=True)),
                       Form("×_(i+1) on the right", matrix_times_mat(shift=1))),
              pinned="an equality; the other convention and the other direction are the two ways to get it wrong"),
    Statement("R.Prop.1/4", "proof, last line", Form("mode-i products are commutative: any two of them", commuting()), checks=EXACT,
              repaired=Form("mode products along different directions are commutative", commuting(same=False)),
              mutants=(Form("along one direction", commuting(different=False)),
                       Form("different directions, matrices exchanged", commuting(same=False, swapped=True)),
                       Form("any directions, matrices exchanged", commuting(swapped=True))),
              note="The proof needs it for different directions only. Along one, (G ×_i U) ×_i V = G ×_i VU: "
                   "U = (0 1; 0 0), V = Uᵀ, G = (1, 0)ᵀ give 0 and G."),
    Statement("R.Prop.1/5", "Section 4.2.1, last line of the definitions",
              Form("k = 2: A ×_1 U = UA, A ×_2 U = AUᵀ", matrix_case()), checks=EXACT,
              mutants=(Form("A ×_2 U = AU", matrix_case("AU")),), pinned="two equalities"),
    Statement("R.Prop.1/6", "Section 4.2.1, vectorization and matricization",
              Form("vec by recursion down to order 1; mat_i for i = 1, …, k",
                                                                                   base_case(False)),
              checks=(claimed(Status.EXACT_Q, "the slices of a vector"),),
              repaired=Form("the same, and vec of a number is the number", base_case(True)), pinned="a definition",
              note="k = 1, which every bias has, needs the base case one order lower."),
)
