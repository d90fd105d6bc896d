"""R Section 5.7, the table of costs, and the cost of 5.4.7: multiply-adds of the lines as polynomials in N_2, m_0, …, m_3.

A product (a, b) by (b, c) takes abc, an inverse or a solve of size a takes a³, entry by entry 1 an entry; constant factors aside. A
term is bounded by a printed O(·) for all sizes >= 1 if a multiple of it, x^{ka}, divides a product of k printed terms (k <= 3: the
geometric mean of terms is at most their sum); it is not if along some x = (T^{w_1}, T^{w_2}, …) it grows faster than all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import flint

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status

NAMES = ("N_2", "m_0", "m_1", "m_2", "m_3")
RING = flint.fmpz_mpoly_ctx.get(NAMES, "lex")
N, *M = RING.gens()
M_L, LAYERS = M[-1], list(itertools.pairwise(M))


def total(terms: Any) -> Any:
    """A sum of polynomials."""
    return sum(terms, RING.constant(0))


n = total(o * i + o for i, o in LAYERS)
"""The number of parameters."""
WIDTHS, ALL_WIDTHS = total(M[1:]), total(M)
"""Σ_l m_l from l = 1, as layers are numbered, and from l = 0."""


def powers(polynomial: Any) -> list[tuple[int, ...]]:
    """The exponents of its terms."""
    return [tuple(map(int, exponents)) for exponents in polynomial.to_dict()]


def bounded(term: tuple[int, ...], by: list[tuple[int, ...]]) -> bool:
    """Is a multiple of the term at most a sum of as many of `by`?"""
    return any(all(k * a <= sum(b) for a, b in zip(term, zip(*chosen, strict=True), strict=True))
               for k in (1, 2, 3) for chosen in itertools.combinations_with_replacement(by, k))


def ray(term: tuple[int, ...], by: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """Powers of T along which the term outgrows all of `by`."""
    def degree(exponents: tuple[int, ...], w: tuple[int, ...]) -> int:
        return sum(a * b for a, b in zip(exponents, w, strict=True))
    rays = itertools.product((0, 1, 2), repeat=len(term))
    return next((w for w in rays if degree(term, w) > max(degree(b, w) for b in by)), None)


def costs(count: Any, printed: Any) -> Callable[[], Outcome]:
    """Is the count O(printed)?"""
    def code() -> Outcome:
        by = powers(printed)
        for term in powers(count):
            if bounded(term, by):
                continue
            w = ray(term, by)
            if w is None:
                raise ValueError(f"{term}: expected a bound or a ray because one of them exists, got neither")
            along = ", ".join(f"{name} = T{'²' if power == 2 else ''}" for name, power in zip(NAMES, w, strict=True) if power)
            text = " ".join(f"{name}{'' if power == 1 else '²' if power == 2 else '³'}"
                            for name, power in zip(NAMES, term, strict=True) if power)
            return Outcome(f"{text} with {along}, all else 1, outgrows every printed term")
        return Outcome(detail=f"{len(powers(count))} terms")
    return code


FORWARD = total(o * i + 2 * o for i, o in LAYERS)
BACKWARD = total(2 * o * i + 2 * o for i, o in LAYERS)
TANGENT = total(2 * o * i + 2 * o for i, o in LAYERS)
"""Algorithms 17, 18 and 21, 19: φ entry by entry."""
PARTIAL = total(o for o in M[1:]) + total(o * i for i, o in LAYERS[1:])
"""Algorithm 20 in its partial mode."""
BLOCKS = total(N**2 * (i + 1) + (N * M_L) ** 2 * o + 2 * (N * M_L) ** 2 for i, o in LAYERS)
"""Algorithm 22, lines 16 and 18."""
GN = N * M_L * PARTIAL + BLOCKS + (N * M_L) ** 3 + N * M_L + N * TANGENT + N * BACKWARD
NG = total(N**2 * (i + 1) + N**2 * o + 2 * N**2 for i, o in LAYERS) + N**3 + N * TANGENT + N * BACKWARD
HF = N * TANGENT + N * BACKWARD + 2 * N * M_L + 6 * n
HF_DENSE = HF + N * M_L**2
KFAC = N * BACKWARD + total(N * (i + 1) ** 2 + N * o**2 + (i + 1) ** 3 + o**3 + o * (i + 1) * (o + i + 1) for i, o in LAYERS)


def gauss_newton(widths: Any = WIDTHS, solve: Any = (N * M_L) ** 3, first: Any = M_L * N * n) -> Any:
    """What the table has for SMW-GN."""
    return first + M_L**2 * N**2 * widths + solve


def natural(widths: Any = WIDTHS, solve: Any = N**3, first: Any = N * n) -> Any:
    """What the table has for SMW-NG."""
    return first + N**2 * widths + solve


def kfac(from_0: bool, power: int = 3) -> Any:
    """What the table has for KFAC."""
    widths = M if from_0 else M[1:]
    return total(m**power for m in widths) + N * total(m**2 for m in widths)


COUNTED = claimed(Status.EXACT_Q, "counted for nets of three layers of any widths, and any N_2")
STATEMENTS = (
    Statement(
        "R.Tab.5.7", "Section 5.7, SMW-GN",
        Form("O(m_L N_2 n + m_L²N_2² Σ_l m_l + m_L³N_2³), l = 1, …, L", costs(GN, gauss_newton())),
        checks=(COUNTED,),
        mutants=(Form("without m_L³N_2³", costs(GN, gauss_newton(ALL_WIDTHS, solve=N))),
                 Form("m_L N_2² Σ_l m_l", costs(GN, M_L * N * n + M_L * N**2 * ALL_WIDTHS + (N * M_L)**3)),
                 Form("without m_L N_2 n", costs(GN, gauss_newton(ALL_WIDTHS, first=N)))),
        repaired=Form("the same with l = 0, …, L", costs(GN, gauss_newton(ALL_WIDTHS))),
        errata=(59,),
        note="Bounded as printed where N_2 <= m_1. In the partial mode m_L N_2 n is more than is spent: N_2 n + m_L N_2 "
             "Σ_{l>=2} m_l m_{l−1}.",
    ),
    Statement(
        "R.Tab.5.7/2", "Section 5.7, SMW-NG",
        Form("O(N_2 n + N_2² Σ_l m_l + N_2³), l = 1, …, L", costs(NG, natural())),
        checks=(COUNTED,),
        mutants=(Form("without N_2³", costs(NG, natural(ALL_WIDTHS, solve=N))),
                 Form("N_2 Σ_l m_l", costs(NG, N * n + N * ALL_WIDTHS + N**3)),
                 Form("without N_2 n", costs(NG, natural(ALL_WIDTHS, first=N)))),
        repaired=Form("the same with l = 0, …, L", costs(NG, natural(ALL_WIDTHS))),
        errata=(59,),
    ),
    Statement(
        "R.Tab.5.7/3", "Section 5.7, HF",
        Form("n_HF × O(N_2 n)", costs(HF, N * n)),
        checks=(COUNTED,),
        mutants=(Form("with H_i as a full matrix", costs(HF_DENSE, N * n)), Form("O(n)", costs(HF, n)),
                 Form("O(N_2 Σ_l m_l)", costs(HF, N * ALL_WIDTHS))),
        note="An iteration of conjugate gradients. H_i times a vector has to take O(m_L), as it does for the losses of 1.2.2; "
             "a full H_i adds N_2m_L², which n does not bound where the last layer is the widest.",
    ),
    Statement(
        "R.Tab.5.7/4", "Section 5.7, KFAC",
        Form("O(Σ_l m_l³ + N_2 Σ_l m_l²), l = 1, …, L", costs(KFAC, kfac(False))),
        checks=(COUNTED,),
        mutants=(Form("Σ_l m_l², l = 0, …, L, for the cubes", costs(KFAC, kfac(True, power=2))),
                 Form("without N_2", costs(KFAC, total(m**3 for m in M) + total(m**2 for m in M))),
                 Form("O(N_2 n + Σ_l m_l³)", costs(KFAC, N * n + total(m**3 for m in M)))),
        repaired=Form("the same with l = 0, …, L", costs(KFAC, kfac(True))),
        note="The first layer's factor is (m_0 + 1) × (m_0 + 1): for MNIST m_0 = 784 is the largest of all. Products with the "
             "two inverses are bounded by the cubes.",
             errata=(76,),
    ),
    Statement(
        "R.Tab.5.7/5", "Section 5.4.7, cost of the shortcut",
        Form("O(L m_L²N² + Σ_l(m_l m_L²N² + m_L²N² + m_{l−1}N²)) = O(m_L²N² Σ_{l>=1} m_l)", costs(BLOCKS, M_L**2 * N**2 * WIDTHS)),
        checks=(COUNTED,),
        mutants=(Form("O(m_L N² Σ_l m_l)", costs(BLOCKS, M_L * N**2 * ALL_WIDTHS)),
                 Form("O(m_L²N Σ_l m_l)", costs(BLOCKS, M_L**2 * N * ALL_WIDTHS)),
                 Form("O(m_L²N²)", costs(BLOCKS, M_L**2 * N**2))),
        repaired=Form("O(m_L²N² Σ_{l>=1} m_l + N² m_0)", costs(BLOCKS, M_L**2 * N**2 * WIDTHS + N**2 * M[0])),
        errata=(59,),
        note="The sums of 5.4.7 are printed to N instead of L.",
    ),
    Statement(
        "R.Tab.5.7/6", "Section 5.7",
        Form("f_i, ∇f_i, J_iV and J_iᵀv take O(n) each", costs(FORWARD + BACKWARD + TANGENT, n)),
        checks=(COUNTED,),
        mutants=(Form("O(Σ_l m_l)", costs(FORWARD + BACKWARD + TANGENT, ALL_WIDTHS)),
                 Form("with a full ∂v/∂h", costs(FORWARD + total(m**2 for m in M[1:]), n)),
                 Form("O(m_L m_{L−1})", costs(FORWARD, M_L * M[-2]))),
        note="For activations entry by entry, and an output loss whose gradient takes O(m_L).",
    ),
)
