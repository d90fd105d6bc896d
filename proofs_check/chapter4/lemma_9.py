"""R Lemma 9: the norm of an expected contraction, and the steps of its proof.

With C = E[vec(X) vec(X)ᵀ] ⪯ λI and a unit vector u: uᵀE[XXᵀ]u is the sum over the n columns of v_jᵀCv_j, v_j = vec(u e_jᵀ) a unit
vector, hence at most nλ. The inequality is that sum for a matrix of 2 × 3; `columns` is its identity for any tensor.
"""

from fractions import Fraction
from math import prod

import numpy as np

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, mod_p, over_Q, simple
from ..fields import dot
from ..statement import Form, Statement, Status
from .common import MARGIN, Tensor, column, draw, indices, mat, shapes, vec, without
from .equation_4_02 import expected_contraction

ROWS, COLUMNS = 2, 3
SIZE = ROWS * COLUMNS
PAIRS = [(a, b) for a in range(SIZE) for b in range(a, SIZE)]
NAMES = ("lam", "u_1", "u_2", *(f"C_{a}{b}" for a, b in PAIRS))


def entry(C, a, b):
    """C_ab of the upper triangle."""
    return C[PAIRS.index((min(a, b), max(a, b)))]


def norm_at(j):
    """λuᵀu − v_jᵀCv_j."""
    return lambda lam, u_1, u_2, *C: lam * (u_1 * u_1 + u_2 * u_2) - sum(
        u * w * entry(C, a * COLUMNS + j, b * COLUMNS + j) for a, u in enumerate((u_1, u_2)) for b, w in enumerate((u_1, u_2)))


def bound(constant=COLUMNS, without_=()):
    """constant · λuᵀu − uᵀE[XXᵀ]u ≥ 0."""
    def conclusion(lam, u_1, u_2, *C):
        sums = [[sum(entry(C, a * COLUMNS + j, b * COLUMNS + j) for j in range(COLUMNS)) for b in range(ROWS)] for a in range(ROWS)]
        return constant * lam * (u_1 * u_1 + u_2 * u_2) - sum(
            u * w * sums[a][b] for a, u in enumerate((u_1, u_2)) for b, w in enumerate((u_1, u_2)))
    return Inequality(NAMES, {f"norm at v_{j} >= 0": norm_at(j) for j in range(COLUMNS) if j not in without_}, conclusion)


def moment(rng):
    """λ, u and a second moment C = RRᵀ with λ at or above the largest v_jᵀCv_j, mostly."""
    R = [[simple(rng, sign=True) for _ in range(rng.choice([1, 2, SIZE]))] for _ in range(SIZE)]
    if rng.random() < 0.2:
        R = [[Fraction(a == b) for b in range(SIZE)] for a in range(SIZE)]
    width = min(map(len, R))
    C = [sum(R[a][c] * R[b][c] for c in range(width)) for a, b in PAIRS]
    u = simple(rng, sign=True), simple(rng, sign=True) or Fraction(1)
    norms = [-norm_at(j)(0, *u, *C) / (u[0]**2 + u[1]**2) for j in range(COLUMNS)]
    return max(norms) + rng.choice([0, 0, 1]), *u, *C


IDENTITY = [Fraction(a == b) for a, b in PAIRS]


def columns(factor=1):
    """uᵀE[G⁽ⁱ⁾]u = Σ_j v_jᵀCv_j and v_jᵀv_l = uᵀu δ_jl, v_j = vec of u in direction i at the j-th of the other indices."""
    def pairs(field, n):
        for shape in shapes(n):
            C = field.symmetric(prod(shape))
            for i, d in enumerate(shape, 1):
                u, total, vs = field.vector(d), field.number(0), []
                for rest in indices(tuple(without(shape, i))):
                    A = Tensor(shape, {index: u[index[i - 1], 0] if (*index[:i - 1], *index[i:]) == rest else field.number(0)
                                       for index in indices(shape)})
                    vs.append(column(field, vec(A)))
                    total += dot(vs[-1], C * vs[-1])
                yield dot(u, expected_contraction(field, C, shape, i) * u), total * field.number(factor)
                yield from ((dot(vs[0], v), dot(u, u) * field.number(int(j == 0))) for j, v in enumerate(vs))
    return pairs


def same_up_to_order(exact):
    """vec(mat_i(G)) holds the entries of vec(G): `exact`: in the same order, otherwise in another one."""
    def pairs(field, n):
        for shape in shapes(n):
            G = draw(field, shape)
            for i in range(1, len(shape) + 1):
                left, right = (column(field, entries) for entries in (list(field.rows(mat(field, G, i)).entries()), vec(G)))
                if exact:
                    yield left * left.transpose(), right * right.transpose()
                else:
                    place = {int(x) if field.p else (x.p, x.q): r for r, x in enumerate(right.entries())}
                    order = [place[int(x) if field.p else (x.p, x.q)] for x in left.entries()]
                    C = right * right.transpose()
                    yield left * left.transpose(), field.build(len(order), len(order), lambda a, b, o=order, C=C: C[o[a], o[b]])
    return pairs


def norms(constant):
    """A hunt with the norms themselves: ascent from random second moments to the projection on u ⊗ everything."""
    def claim():
        rng, worst = np.random.default_rng(9), 0.0
        for shape in ((3,), (2, 3), (3, 2), (2, 2, 3), (1, 4), (2, 3, 2, 2)):
            for rank in (1, 2, prod(shape)):
                R = rng.standard_normal((prod(shape), rank))
                C = R @ R.T
                for i in range(1, len(shape) + 1):
                    d = shape[i - 1]
                    for weight in (0, 0.5, 0.9, 1):
                        T = np.moveaxis(C.reshape(*shape, *shape), (i - 1, len(shape) + i - 1),
                                        (0, len(shape))).reshape(d, prod(shape) // d, d, -1)
                        E = np.einsum("ajbj->ab", T)
                        ratio = np.linalg.eigvalsh(E)[-1] / (constant(shape, i) * np.linalg.eigvalsh(C)[-1])
                        if ratio > 1 + MARGIN:
                            return Outcome(f"d = {shape}, i = {i}: the norms' quotient is {ratio:.2g} times the bound")
                        worst = max(worst, ratio)
                        u = np.linalg.eigh(E)[1][:, -1]
                        P = np.moveaxis(np.einsum("a,b,jl->ajbl", u, u, np.eye(prod(shape) // d)).reshape(
                            d, *without(shape, i), d, *without(shape, i)), (0, len(shape)),
                                        (i - 1, len(shape) + i - 1)).reshape(C.shape)
                        C = (1 - weight) * C / np.linalg.norm(C, 2) + weight * P
        return Outcome(detail=f"the largest quotient by the bound is {worst:.2f}")
    return claim


EXACT = (over_Q(), mod_p(lambda n: 6))
STATEMENTS = (
    Statement("R.Lem.9", "Section 4.4", Form("‖E[G⁽ⁱ⁾]‖ ≤ ((1/d_i) ∏_{i′} d_{i′}) ‖E[vec(G) vec(G)ᵀ]‖", bound()),
              checks=(certified(*(Term(1, (f"norm at v_{j} >= 0",), lambda *_: 1) for j in range(COLUMNS))), hunted(moment, 400)),
              sharpness=(attained_at(1, 1, 0, *IDENTITY),),
              hypotheses=("the spectral norm", "none on the distribution; Assumption 10 makes the right side finite"),
              mutants=(Form("d_i for its quotient", bound(ROWS)), Form("without the factor", bound(1)), Form("0", bound(0)),
                       Form("without the norm at the first column", bound(without_=(0,))),
                       Form("without the norm at one column", bound(without_=(2,)))),
              note="The certificate is for a matrix of 2 × 3, /2 is its identity for every tensor. Sharp: E[vec(G) vec(G)ᵀ] = I "
                   "attains it, uncorrelated entries of one variance. In the Frobenius norm √(∏d/d_i) would do."),
    Statement("R.Lem.9/1", "proof, second display",
              Form("‖E[XXᵀ]‖ = ‖Σ_j E[x_jx_jᵀ]‖ ≤ Σ_j ‖E[x_jx_jᵀ]‖ ≤ n‖E[vec(X) vec(X)ᵀ]‖",
                   norms(lambda shape, i: prod(without(shape, i)))),
              checks=(claimed(Status.SAMPLED, "54 random second moments of ranks 1, 2 and full, each followed by ascent"),),
              mutants=(Form("half of it", norms(lambda shape, i: prod(without(shape, i)) / 2)),
                       Form("d_i", norms(lambda shape, i: shape[i - 1])), Form("1", norms(lambda shape, i: 1)))),
    Statement("R.Lem.9/2", "proof: x_jx_jᵀ is a submatrix of vec(X) vec(X)ᵀ",
              Form("uᵀE[G⁽ⁱ⁾]u = Σ_j v_jᵀE[vec(G) vec(G)ᵀ]v_j with orthogonal v_j as long as u", columns()),
              checks=(over_Q(), mod_p(lambda n: 3)),
              mutants=(Form("half of it", columns(2)),), pinned="an equality", long=True,
              note="The reduction behind the certificate of Lemma 9; X = mat_i(G)."),
    Statement("R.Lem.9/3", "proof, last equality",
              Form("‖E[vec(mat_i(G)) vec(mat_i(G))ᵀ]‖ = ‖E[vec(G) vec(G)ᵀ]‖: one matrix up to the order of rows and columns",
                   same_up_to_order(False)),
              checks=EXACT, mutants=(Form("the matrices are equal", same_up_to_order(True)),), pinned="an equality", long=True,
              note="The matrices themselves are equal for i = 1 only."),
)
