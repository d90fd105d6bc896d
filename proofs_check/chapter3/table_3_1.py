"""R Tables 3.1 and 3.2: the entries that a state keeps and the multiply-adds of a step, from the shapes in the algorithms' lines.

A product of (a, b) by (b, c) takes abc multiply-adds, an inverse of (n, n) n³. With D = J|Δ| + 1 everything is a polynomial in the
sizes; a column of a table is right if each counted term divides a printed one (1/T at most 1), and each printed one is counted.
docs/costs.md has the same counted on the code that runs.
"""

from typing import Any

import flint

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status

NAMES = ("m", "P", "I", "J", "Δ", "p", "1/T", "1/T_1", "1/T_2")
RING = flint.fmpz_mpoly_ctx.get(("m", "P", "I", "J", "K", "p", "t", "t1", "t2"), "lex")
m, P, I, J, K, p, t, t1, t2 = RING.gens()
D = J * K + 1
"""K is |Δ|, P is |𝒯|, t = 1/T."""


def product(a: Any, b: Any, c: Any = 1) -> Any:
    """Multiply-adds of (a, b) by (b, c)."""
    return a * b * c


STEP = product(I, I, D) + product(I, D, D)
PASS = 2 * product(m * P, D, I)
ACTION = product(D, D) + 2 * product(m * P, D) + m * P * D + 5 * D * D
"""Lines 16 and 17 of Algorithm 9: H_A ā, A s_A by (3.15), the mean of a, and the update of H_A."""
COMPACT = product(p, I, p) + p**3 + product(2 * p, I) + product(p, p) + product(I, 2 * p)
"""H_G times a vector in the form of Byrd et al.: SᵀY or YᵀY, triangular solves, (S Y)ᵀ times it, and (S Y) times that."""

WORK = {
    "K-BFGS": {"pass": t * PASS, "curvature": t * (ACTION + 2 * m * P * I + product(I, I) + 5 * I * I), "step": STEP},
    "K-BFGS(L)": {"pass": t * PASS, "curvature": t * (ACTION + 2 * m * P * I + COMPACT),
                  "step": product(I, D, D) + 2 * product(2 * p, I, D) + product(p, p, D) + product(p, I, p) + p**3},
    "KFAC": {"pass": t1 * product(m * P, D, I),
             "curvature": t1 * (product(D, m * P, D) + product(I, m * P, I)) + t2 * (D**3 + I**3), "step": STEP},
    "Adam": {"pass": 0 * m, "curvature": 2 * I * D, "step": 3 * I * D},
}
"""By row and column of Table 3.2."""
ENTRIES = {
    "K-BFGS": {"𝒟W": I * D, "𝒟W ⊙ 𝒟W": 0 * m, "A": D * D, "G": I * I + 2 * I},
    "K-BFGS(L)": {"𝒟W": I * D, "𝒟W ⊙ 𝒟W": 0 * m, "A": D * D, "G": 2 * p * I + 2 * I},
    "KFAC": {"𝒟W": I * D, "𝒟W ⊙ 𝒟W": 0 * m, "A": 2 * D * D, "G": 2 * I * I},
    "Adam": {"𝒟W": I * D, "𝒟W ⊙ 𝒟W": I * D, "A": 0 * m, "G": 0 * m},
}
"""By row and column of Table 3.1; Total is their sum."""
ENTRIES = {name: row | {"Total": row["𝒟W"] + row["𝒟W ⊙ 𝒟W"] + row["A"] + row["G"]} for name, row in ENTRIES.items()}

IJK, WIDE = I * J * K, J**2 * K**2
PRINTED_WORK = {
    "K-BFGS": {"pass": t * m * IJK * P, "curvature": t * (m * J * K * P + WIDE + m * I * P + I**2),
               "step": I * WIDE + I**2 * J * K},
    "K-BFGS(L)": {"pass": t * m * IJK * P, "curvature": t * (m * J * K * P + WIDE + m * I * P + p * I), "step": I * WIDE + p * IJK},
    "KFAC": {"pass": t1 * m * IJK * P, "curvature": t1 * m * (WIDE + I**2) * P + t2 * (J**3 * K**3 + I**3),
             "step": I * WIDE + I**2 * J * K},
    "Adam": {"pass": 0 * m, "curvature": IJK, "step": IJK},
}
PRINTED_ENTRIES = {
    "K-BFGS": {"𝒟W": IJK, "𝒟W ⊙ 𝒟W": 0 * m, "A": WIDE, "G": I**2, "Total": WIDE + IJK + I**2},
    "K-BFGS(L)": {"𝒟W": IJK, "𝒟W ⊙ 𝒟W": 0 * m, "A": WIDE, "G": p * I, "Total": WIDE + IJK + p * I},
    "KFAC": {"𝒟W": IJK, "𝒟W ⊙ 𝒟W": 0 * m, "A": WIDE, "G": I**2, "Total": WIDE + IJK + I**2},
    "Adam": {"𝒟W": IJK, "𝒟W ⊙ 𝒟W": IJK, "A": 0 * m, "G": 0 * m, "Total": IJK},
}
MEMORY = t * (p**2 * I + p**3), p**2 * J * K + p**2 * I + p**3
"""What Table 3.2 is silent about in the row K-BFGS(L)."""


def terms(polynomial):
    """The powers of each of its terms."""
    return [tuple(int(power) for power in powers) for powers in polynomial.monoms()] if polynomial != 0 else []


def bounded(term, other):
    """Is a term at most another at all sizes ≥ 1, T ≥ 1?"""
    return all(a <= b for a, b in zip(term[:6], other[:6], strict=True)) and all(
        a >= b for a, b in zip(term[6:], other[6:], strict=True))


def shown(term):
    """A term for readers."""
    return " ".join(name + (f"^{power}" if power > 1 else "") for name, power in zip(NAMES, term, strict=True) if power)


def table(counted, printed, **changes):
    """Each counted term is bounded by a printed one, each printed term is counted; `changes`: other printed rows, by column."""
    def claim():
        for row, columns in counted.items():
            for column, polynomial in columns.items():
                stated = terms(changes.get("other", {}).get((row, column), printed[row][column]))
                found = terms(polynomial)
                for term in found:
                    if not any(bounded(term, other) for other in stated):
                        return Outcome(f"{row}, {column}: {shown(term)} is counted, and no printed term bounds it")
                for term in stated:
                    if term not in found:
                        return Outcome(f"{row}, {column}: {shown(term)} is printed, and not counted")
        return Outcome(detail="all rows and columns")
    return claim


def other(row, column, polynomial, start=None):
    """The argument of `table` for one other printed cell."""
    return {"other": (start or {}) | {(row, column): polynomial}}


WITH_MEMORY = {("K-BFGS(L)", "curvature"): PRINTED_WORK["K-BFGS(L)"]["curvature"] + MEMORY[0],
               ("K-BFGS(L)", "step"): PRINTED_WORK["K-BFGS(L)"]["step"] + MEMORY[1]}
COUNTED = claimed(Status.EXACT_Q, "terms of polynomials in the sizes, from the shapes in the lines of Algorithms 9 and 12")

STATEMENTS = (
    Statement(
        "R.Tab.3.1", "Section 3.4.3",
        Form("O(·) of the entries of 𝒟W, 𝒟W ⊙ 𝒟W, A/H_A, G/H_G, Total", table(ENTRIES, PRINTED_ENTRIES)), checks=(COUNTED,),
        mutants=(Form("H_A: J²", table(ENTRIES, PRINTED_ENTRIES, **other("K-BFGS", "A", J**2))),
                 Form("K-BFGS(L), G: p", table(ENTRIES, PRINTED_ENTRIES, **other("K-BFGS(L)", "G", p))),
                 Form("KFAC, Total: with I²J", table(ENTRIES, PRINTED_ENTRIES, **other("KFAC", "Total", WIDE + IJK + I**2 * J))),
                 Form("Adam, Total: IJ", table(ENTRIES, PRINTED_ENTRIES, **other("Adam", "Total", I * J)))),
        note="Every term is counted, every counted one bounded, and the Totals add up. Constants: K-BFGS 1 for A and G, KFAC 2 "
             "(factors and inverses), K-BFGS(L) 2pI: more than I² where I < 2p. Adam's Total has the factor 2. The inputs a of a "
             "pass, m|𝒯|J|Δ| where patches are formed, are left out."),
    Statement(
        "R.Tab.3.2", "Section 3.5",
        Form("O(·) of a step: additional pass, curvature, step ΔW", table(WORK, PRINTED_WORK)), checks=(COUNTED,),
        mutants=(Form("curvature without m|𝒯|J|Δ|/T", table(WORK, PRINTED_WORK, **other("K-BFGS", "curvature", t * (
            WIDE + m * I * P + I**2), WITH_MEMORY))), Form("step without I²J|Δ|", table(WORK, PRINTED_WORK, **other(
                "K-BFGS", "step", I * WIDE, WITH_MEMORY))),
                 Form("KFAC's pass not over T_1", table(WORK, PRINTED_WORK, **other("KFAC", "pass", m * IJK * P, WITH_MEMORY))),
                 Form("Adam's step: I J²", table(WORK, PRINTED_WORK, **other("Adam", "step", I * J**2, WITH_MEMORY)))),
        repaired=Form("K-BFGS(L): curvature with (p²I + p³)/T, step with p²J|Δ| + p²I + p³; or as printed for p <= min(I, J|Δ|) "
                      "where SᵀY and YᵀY are kept", table(WORK, PRINTED_WORK, other=WITH_MEMORY)),
        errata=(30, 69),
        note="All other rows are right, every term counted. In the step of K-BFGS(L) two triangular solves and a product of (p, p) "
             "with (p, J|Δ| + 1) take p²J|Δ|, whatever is kept: more than the printed pIJ|Δ| where I < p, as in all layers of "
             "ResNet32 with the thesis' p = 100."),
)
