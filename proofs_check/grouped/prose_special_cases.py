"""W Section 4.3: Newton's method and Cauchy's steepest descent as special cases, at gradients with zeros and at flat directions."""

import itertools

import flint

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status

Q = flint.fmpq


def column(*values):
    """A column over ℚ."""
    return flint.fmpq_mat(len(values), 1, [Q(x) for x in values])


def step(H, g, groups):
    """(1) with u = g: None where H̄ is singular."""
    P, S = g.nrows(), max(groups) + 1
    U = flint.fmpq_mat(P, S, [g[p, 0] if groups[p] == s else Q(0) for p in range(P) for s in range(S)])     # U I_{P:S}
    H_b = U.transpose() * H * U
    return None if H_b.det() == 0 else U * H_b.solve(U.transpose() * g)


def problems():
    """H = (a b; b c) and g, whole numbers from −2 to 2, 0 among them; H positive definite."""
    for a, b, c, g1, g2 in itertools.product((1, 2), (-1, 0, 1), (1, 2), (-2, 0, 1), (0, 1)):
        if a * c > b * b:
            yield flint.fmpq_mat(2, 2, [Q(x) for x in (a, b, b, c)]), column(g1, g2)


def newton(applies):
    """Where applies(g), (1) with the discrete partition is Newton's step."""
    def code():
        for H, g in problems():
            mine = step(H, g, (0, 1))
            if applies(g) and mine != H.solve(g):
                return Outcome(f"H = {H.tolist()}, g = ({g[0, 0]}, {g[1, 0]}): H̄ is singular, Newton's step "
                               f"({', '.join(map(str, H.solve(g).entries()))})" if mine is None else "another step")
            if not applies(g) and mine == H.solve(g):
                return Outcome(f"g = ({g[0, 0]}, {g[1, 0]}) is not among them, and the step is Newton's")
        return Outcome()
    return code


def cauchy(applies, indefinite=False):
    """Where applies(H, g), (1) with the trivial partition is Cauchy's step, and L falls to its minimum along g."""
    def code():
        more = [(flint.fmpq_mat(2, 2, [Q(x) for x in entries]), column(*g)) for entries in ((1, 0, 0, -1), (-1, 0, 0, -1))
                for g in ((1, 1), (1, 0), (0, 1))] if indefinite else []
        for H, g in (*problems(), *more):
            gg, gHg = (g.transpose() * g)[0, 0], (g.transpose() * H * g)[0, 0]
            mine, shown = step(H, g, (0, 0)), f"H = {H.tolist()}, g = ({g[0, 0]}, {g[1, 0]})"
            right = mine is not None and gHg > 0 and mine == g * (gg / gHg)
            if right != bool(applies(H, g)):
                return Outcome(f"{shown}: gᵀHg = {gHg}")
        return Outcome()
    return code


def no_zero(g):
    """Every coordinate of g is nonzero."""
    return all(g.entries())


STATEMENTS = (
    Statement(
        "W.Prose.special-cases/1", "Section 4.3, \"Encompassing Newton's method\"",
        Form("λ_int = 0, S = P ⇒ Newton's step", newton(lambda g: True)),
        checks=(claimed(Status.EXACT_Q, "60 problems with P = 2, H positive definite; in general by W.App.C/2"),),
        repaired=Form("λ_int = 0, S = P ⇒ Newton's step ⇔ every coordinate of g_t is nonzero", newton(no_zero)),
        mutants=(Form("⇔ g_t ≠ 0", newton(lambda g: any(g.entries()))), Form("⇔ g_1 ≠ 0", newton(lambda g: g[0, 0] != 0)),
                 Form("⇔ g_t > 0", newton(lambda g: all(x > 0 for x in g.entries())))),
        errata=(64,),
        note="Appendix C has the condition, Section 4.3 does not. At a zero coordinate H̄ has a row of zeros. Method 4.1 alone: "
             "Algorithm 1, with its positive part, is not Newton's method, see W.Alg.1/4."),
    Statement(
        "W.Prose.special-cases/2", "Section 4.3, \"and Cauchy's steepest descent\"",
        Form("λ_int = 0, S = 1 ⇒ the step to the minimum along −g_t, zeros in g_t or not",
             cauchy(lambda H, g: True, indefinite=True)),
        checks=(claimed(Status.EXACT_Q, "66 problems with P = 2; in general by W.App.C/1"),),
        repaired=Form("… ⇔ g_tᵀH_tg_t > 0", cauchy(lambda H, g: (g.transpose() * H * g)[0, 0] > 0, indefinite=True)),
        mutants=(Form("⇔ g_t ≠ 0", cauchy(lambda H, g: any(g.entries()), indefinite=True)),
                 Form("⇔ every coordinate of g_t is nonzero", cauchy(lambda H, g: no_zero(g), indefinite=True)),
                 Form("⇔ g_tᵀH_tg_t > 1", cauchy(lambda H, g: (g.transpose() * H * g)[0, 0] > 1, indefinite=True))),
        note="A coordinate of g_t that is 0 does no harm. gᵀHg = 0 divides by 0, at g_t = 0 as well; gᵀHg < 0 steps to the maximum "
             "along g_t, uphill.", errata=(79,)),
)
