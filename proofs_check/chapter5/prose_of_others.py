"""What R chapter 5 says of other methods and of its own beside them: Hessian-free, KFAC, costs and results."""

from __future__ import annotations

from typing import Any

from ..checks import Outcome, claimed, not_checkable
from ..fields import Field, dot, outer
from ..statement import Form, Statement, Status
from .table_5_7 import GN, M_L, RING, WIDTHS, M, N, costs, n, total


def residual(solver: str, iterations: int = 1) -> Any:
    """(B_t + λI)p + g = 0 exactly?  By (5.6), or by conjugate gradients that end early; n = 4, 2 rows of J, over ℚ."""
    def code() -> Outcome:
        for seed in range(3):
            field = Field(None, seed)
            J, g, lam, eye = field.matrix(2, 4), field.vector(4), field.number(1, 3), field.eye(4)
            G = lam * eye + J.transpose() * J * field.number(1, 2)
            if solver == "SMW":
                D = lam * field.eye(2) + J * J.transpose() * field.number(1, 2)
                p = -(g - J.transpose() * D.solve(J * g) * field.number(1, 2)) * (1 / lam)
            else:
                p, r = 0 * g, -g
                d = r
                for _ in range(iterations):
                    alpha = dot(r, r) / dot(d, G * d)
                    p, after = p + alpha * d, r - alpha * (G * d)
                    beta = dot(after, after) / dot(r, r)
                    r, d = after, after + beta * d
            if G * p != -g:
                return Outcome(f"{solver}, draw {seed}, {iterations} iterations: a residual is left")
        return Outcome()
    return code


def kronecker_block(examples: int, factor: int = 1) -> Any:
    """E[aaᵀ] ⊗ E[ggᵀ], KFAC's block, against E[aaᵀ ⊗ ggᵀ], the Fisher matrix's, over so many examples."""
    def code() -> Outcome:
        field = Field(None, 1)
        A, G = field.zeros(2, 2), field.zeros(2, 2)
        F = field.zeros(4, 4)
        for _ in range(examples):
            a, g = field.vector(2), field.vector(2)
            A, G = A + outer(a, a) * field.number(1, examples), G + outer(g, g) * field.number(1, examples)
            F = F + field.kron(outer(a, a), outer(g, g)) * field.number(1, examples)
        if factor * field.kron(A, G) != F:
            return Outcome(f"{examples} examples, 2 inputs, 2 units: the two matrices differ")
        return Outcome()
    return code


def fewer(condition: Any) -> Any:
    """m_L N_2 < n_HF N_2 for all n_HF, m_L that satisfy the condition."""
    def code() -> Outcome:
        for n_HF in (1, 5, 10, 50, 250):
            for m_L in (1, 2, 10, 100):
                if condition(m_L, n_HF) and not m_L < n_HF:
                    return Outcome(f"n_HF = {n_HF}, m_L = {m_L}")
        return Outcome()
    return code


def fixed(polynomial: Any, *names: int) -> Any:
    """The polynomial with N_2 (0) or m_L (4) set to 1."""
    gens = [RING.constant(1) if k in names else gen for k, gen in enumerate(RING.gens())]
    return polynomial.compose(*gens, ctx=RING)


CUBES = total(m**3 for m in M)
COUNTED = claimed(Status.EXACT_Q, "counted for nets of three layers of any widths")
STATEMENTS = (
    Statement(
        "R.Prose.5.of-others", "Section 5.3",
        Form("p_t by (5.6) is exact, where Hessian-free ends conjugate gradients early", residual("SMW")),
        checks=(claimed(Status.EXACT_Q, "over ℚ, three systems with n = 4"),),
        mutants=(Form("conjugate gradients after 1 iteration", residual("CG", 1)),
                 Form("conjugate gradients after 2 iterations", residual("CG", 2)), Form("no iteration", residual("CG", 0))),
        note="With q rows of J conjugate gradients are exact after q + 1 iterations, since G_t has q + 1 eigenvalues at most.",
    ),
    Statement(
        "R.Prose.5.of-others/1", "Section 5.1.2",
        Form("KFAC uses the block-diagonal part of the Fisher matrix", kronecker_block(2)),
        checks=(claimed(Status.EXACT_Q, "over ℚ, a layer with 2 inputs and 2 units"),),
        mutants=(Form("for 3 examples", kronecker_block(3)), Form("for 5 examples", kronecker_block(5)),
                 Form("twice it, for one example", kronecker_block(1, factor=2))),
        repaired=Form("an approximation of it, E[aaᵀ] ⊗ E[ggᵀ], exact for a single example", kronecker_block(1)),
        note="1.1 says it rightly: a Kronecker-factored approximation.",
    ),
    Statement(
        "R.Prose.5.of-others/2", "Section 5.7.1",
        Form("KFAC's Σ_{l>=1} m_l³ is of an even higher order than n", costs(n, total(m**3 for m in M[1:]))),
        checks=(COUNTED,),
        mutants=(Form("Σ_l m_l²  in place of n", costs(total(m**2 for m in M), n)), Form("Σ_l m_l", costs(n, total(M))),
                 Form("m_L³", costs(n, M_L**3))),
        repaired=Form("n = O(Σ_l m_l³) with the inputs, l = 0, …, L", costs(n, CUBES)),
        note="Without the inputs' cube many inputs and a narrow net refute it; at the sizes of 5.8 it is true either way.",
    ),
    Statement(
        "R.Prose.5.of-others/3", "Section 5.7.1",
        Form("the multiplier of n is reduced from n_HF N_2 to m_L N_2", fewer(lambda m_L, n_HF: True)),
        checks=(claimed(Status.EXACT_Q, "n_HF from 1 to 250, m_L from 1 to 100"),),
        mutants=(Form("for m_L <= 10", fewer(lambda m_L, n_HF: m_L <= 10)),
                 Form("for n_HF >= 50", fewer(lambda m_L, n_HF: n_HF >= 50)),
                 Form("for m_L <= n_HF", fewer(lambda m_L, n_HF: m_L <= n_HF))),
        repaired=Form("where m_L < n_HF", fewer(lambda m_L, n_HF: m_L < n_HF)),
        note="m_L is 10 or 1 in 5.8, where n_HF is not told. In the partial mode the multiplier of SMW-GN is N_2 (R.Tab.5.7).",
    ),
    Statement(
        "R.Prose.5.of-others/4", "Section 5.1.1",
        Form("G_t is formed and inverted in O(n) time", costs(GN, n)),
        checks=(COUNTED,),
        mutants=(Form("for m_L = 1", costs(fixed(GN, 4), fixed(n, 4))), Form("in O(N_2 n)", costs(GN, N * n)),
                 Form("in O(n Σ_l m_l)", costs(GN, n * WIDTHS))),
        repaired=Form("for N_2 and m_L that do not grow", costs(fixed(GN, 0, 4), fixed(n, 0, 4))),
        note="5.7 has the factors m_L N_2 and m_L³N_2³.",
    ),
    Statement(
        "R.Prose.5.of-others/5", "Sections 5.8, 5.8.1",
        Form("SMW-GN is always faster than HF; KFAC slows down with wide layers; rankings change with the problem", None),
        checks=(not_checkable("times and curves of MATLAB runs whose seeds, n_HF and grids the text does not give"),),
        note="docs/costs.md and docs/experiments.md have counts and small runs instead.",
    ),
    Statement(
        "R.Prose.5.of-others/6", "Section 5.1.2",
        Form("what is cited of Krylov subspace descent, KFRA and others", None),
        checks=(not_checkable("statements about works that are not part of this ledger"),),
    ),
)
