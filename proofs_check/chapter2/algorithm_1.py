"""R Algorithm 1: forward and backward pass, beside derivatives by truncated power series."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import flint

from ..checks import Outcome, claimed
from ..fields import Matrix
from ..statement import Form, Statement, Status
from .common import Q, column
from .programs import LINEAR, SQUARE, algorithm_1


def net() -> tuple[list[Matrix], Matrix, Matrix]:
    """W_1 (3, 3), W_2 (2, 4), x (2,), y (2,): a layer of squares, then a linear one."""
    rng = random.Random(1)
    W = [flint.fmpq_mat(m, n, [Q(rng.randint(-5, 5), rng.randint(1, 3)) for _ in range(m * n)]) for m, n in ((3, 3), (2, 4))]
    return W, column(Q(1, 2), -3), column(1, Q(2, 3))


def slope(W: list[Matrix], x: Matrix, y: Matrix, l: int, i: int, j: int) -> Any:
    """∂f/∂(W_l)_ij of f = ½‖W_2(φ(W_1(x, 1)), 1) − y‖², φ(h) = h²: the coefficient of t where (W_l)_ij + t stands for it."""
    def entry(k: int, m: int, n: int) -> Any:
        return flint.fmpq_series([W[k][m, n], 1 if (k, m, n) == (l, i, j) else 0], prec=2)

    def layer(k: int, a: list[Any]) -> list[Any]:
        return [sum((entry(k, m, n) * a[n] for n in range(1, len(a))), entry(k, m, 0) * a[0]) for m in range(W[k].nrows())]

    one = flint.fmpq_series([1], prec=2)
    h = layer(0, [*(v * one for v in x.entries()), one])
    out = layer(1, [*(v * v for v in h), one])
    loss = sum(((o - t) * (o - t) for o, t in zip(out, y.entries(), strict=True)), 0 * one)
    return loss[1] / 2


def gradients(**switches: Any) -> Callable[[], Outcome]:
    """𝒟W_l is ∂f/∂W_l, entry by entry."""
    def claim() -> Outcome:
        W, x, y = net()
        try:
            found = algorithm_1(W, [SQUARE, LINEAR], x, y, **switches)["DW"]
        except ValueError as shapes:
            return Outcome(f"line {2 if not switches.get('homogeneous', True) else 4}, l = 1: {shapes}")
        for l, DW in enumerate(found):
            for i in range(W[l].nrows()):
                for j in range(W[l].ncols()):
                    if DW[i, j] != slope(W, x, y, l, i, j):
                        return Outcome(f"(𝒟W_{l + 1})_{i + 1}{j + 1} = {DW[i, j]}, the derivative is {slope(W, x, y, l, i, j)}")
        return Outcome(detail="all 17 derivatives of a 2-3-2 net")
    return claim


STATEMENTS = (
    Statement(
        "R.Alg.1", "Section 2.2",
        Form("lines 2 to 4: 𝒟W_l = ∂𝓛/∂W_l, with 𝒟a_(l−1) = W_lᵀ g_l", gradients(keeps_bias=True)),
        checks=(claimed(Status.EXACT_Q, "beside truncated power series in one weight"),),
        mutants=(Form("a_(l−1) without its 1", gradients(homogeneous=False)), Form("φ′(a_l)", gradients(slope_at="a")),
                 Form("𝒟a_(l−1) = W_l g_l", gradients(transposed=False))),
        repaired=Form("𝒟a_(l−1) = W_lᵀ g_l without its last entry", gradients()), errata=(3,),
        note="Everything is defined before it is used, and the other shapes are consistent: ā_(l−1) (d_(l−1) + 1), h_l and g_l "
             "(d_l)."),
)
