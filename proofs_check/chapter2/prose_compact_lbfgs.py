"""R Sections 2.3 and 2.6: the compact form of L-BFGS, the two-loop recursion, and what each costs for H_g X, X (d_o, d_i)."""

from __future__ import annotations

from ..checks import Identity, mod_p, over_Q
from ..fields import Field, Matrix, dot, outer
from ..statement import Form, Statement

Pairs = list[tuple[Matrix, Matrix]]


def recursion(field: Field, n: int, pairs: Pairs) -> Matrix:
    """(2.12) from H_0 = I."""
    H, one = field.eye(n), field.eye(n)
    for s, y in pairs:
        rho = 1 / dot(s, y)
        H = (one - outer(s, y) * rho) * H * (one - outer(y, s) * rho) + outer(s, s) * rho
    return H


def compact(field: Field, n: int, pairs: Pairs, corner: int = 1, upper: bool = True) -> Matrix:
    """I + (S Y) ((R⁻ᵀ(D + YᵀY)R⁻¹, −R⁻ᵀ), (−R⁻¹, 0)) (S Y)ᵀ, R the upper triangle of SᵀY and D its diagonal."""
    p = len(pairs)
    S, Y = field.beside(*(s for s, _ in pairs)), field.beside(*(y for _, y in pairs))
    SY = S.transpose() * Y
    R = field.build(p, p, lambda i, j: SY[i, j] if (i <= j if upper else i >= j) else field.number(0))
    D = field.diagonal(SY[i, i] for i in range(p))
    half = S * R.inv().transpose()
    return field.eye(n) + half * (D + Y.transpose() * Y) * half.transpose() * field.number(corner) \
        - half * Y.transpose() - Y * half.transpose()


def two_loops(pairs: Pairs, X: Matrix, reverse: bool = True) -> tuple[Matrix, int]:
    """H X by the two-loop recursion, and the number of products of a vector with a (d_o, d_i) matrix, axpy counted as one."""
    q, kept, products = X, [], 0
    order = list(reversed(pairs)) if reverse else list(pairs)
    for s, y in order:
        a = (s.transpose() * q) * (1 / dot(s, y))
        q, products = q - y * a, products + 2
        kept.append((s, y, a))
    for s, y, a in reversed(kept):
        q, products = q + s * (a - (y.transpose() * q) * (1 / dot(s, y))), products + 2
    return q, products


def drawn(field: Field, n: int) -> Pairs:
    """Four pairs of vectors."""
    return [(field.vector(n), field.vector(n)) for _ in range(4)]


def same(corner: int = 1, upper: bool = True, newest_first: bool = False) -> Identity:
    """Recursion and compact form."""
    def pairs(field, n):
        some = drawn(field, n)
        yield recursion(field, n, some), compact(field, n, some[::-1] if newest_first else some, corner, upper)
    return pairs


def loops(times: int = 4, reverse: bool = True) -> Identity:
    """The two-loop recursion gives the same, with `times` · p products."""
    def pairs(field, n):
        some, X = drawn(field, n), field.matrix(n, 3)
        found, products = two_loops(some, X, reverse)
        yield recursion(field, n, some) * X, found
        yield products, times * len(some)
    return pairs


def counted(main: int = 2, factor: int = 2) -> Identity:
    """H_g X by the compact form: `main` products with (S Y), factor · p d_i d_o multiply-adds each; none other has d_i d_o."""
    def pairs(field, n):
        some, X, found = drawn(field, n), field.matrix(n, 3), []
        p, d_i, d_o = len(some), 3, n

        def times(A: Matrix, B: Matrix) -> Matrix:
            found.append(A.nrows() * A.ncols() * B.ncols())
            return A * B

        S, Y = field.beside(*(s for s, _ in some)), field.beside(*(y for _, y in some))
        both, SY = field.beside(S, Y), S.transpose() * Y
        R = field.build(p, p, lambda i, j: SY[i, j] if i <= j else field.number(0))
        inner = times(both.transpose(), X)
        first, second = (field.build(p, d_i, lambda i, j, start=start: inner[start + i, j]) for start in (0, p))
        RS = R.solve(first)
        upper = R.transpose().solve((field.diagonal(SY[i, i] for i in range(p)) + Y.transpose() * Y) * RS - second)
        yield recursion(field, n, some) * X, X + times(both, field.build(
            2 * p, d_i, lambda i, j: upper[i, j] if i < p else -RS[i - p, j]))
        yield found, [factor * p * d_i * d_o] * main
    return pairs


STATEMENTS = (
    Statement(
        "R.Prose.2.compact-lbfgs", "Section 2.3, L-BFGS implementation",
        Form("the \"non-loop\" form I + (S Y) (…) (S Y)ᵀ is the recursion (2.12)", same()),
        checks=(over_Q((1, 2, 5)), mod_p(lambda n: 120)),
        mutants=(Form("2(D + YᵀY)", same(corner=2)), Form("R the lower triangle", same(upper=False)),
                 Form("newest pair first", same(newest_first=True))),
        note="p = 4 pairs; the text refers to [20] for the form.", long=True),
    Statement(
        "R.Prose.2.compact-lbfgs/1", "Section 2.3: 4p matrix-vector multiplications",
        Form("the two-loop recursion for H_g X gives the same with 4p products of O(d_i d_o)", loops()),
        checks=(over_Q((2, 5)), mod_p(lambda n: 60)),
        mutants=(Form("2p products", loops(times=2)), Form("5p products", loops(times=5)),
                 Form("oldest pair first", loops(reverse=False)))),
    Statement(
        "R.Prose.2.compact-lbfgs/2", "Section 2.3: 2 matrix-matrix multiplications",
        Form("the compact form has 2 products, each of 2 p d_i d_o multiply-adds", counted()),
        checks=(over_Q((4, 6), 2),),
        mutants=(Form("p d_i d_o each", counted(factor=1)), Form("4 products", counted(main=4)),
                 Form("3 products", counted(main=3))),
        errata=(30,),
        note="p = 4, d_i = 3. The same 4 p d_i d_o multiply-adds as the two loops, in two large products. The solves with "
        "R and the inner matrix add p²d_i + "
             "p²d_o + p³ (ERR-30)."),
)
