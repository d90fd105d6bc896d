"""R Algorithm 12, K-FAC: what is read before it is written, what its bars stand over, and its π."""

import random

from ..checks import Outcome, claimed, mod_p, on, over_Q
from ..fields import trace
from ..statement import Form, Statement, Status
from .common import Q, dot
from .lines import Line, followed

SHAPES = {"DW_h": ("I", "D"), "H_Gamma": ("I", "I"), "H_Omega": ("D", "D"), "p": ("I", "D")}
LINES = (
    Line(1, (), ("beta",), every="start"), Line(2, ("data", "W"), ("DW_h", "Omega", "Gamma"), every="start"),
    Line(4, ("m", "data"), ("M_k",)), Line(5, ("M_k", "W"), ("DW", "a")), Line(7, ("beta", "DW_h", "DW"), ("DW_h",)),
    Line(8, ("H_Gamma", "DW_h", "H_Omega"), ("p",), (("H_Gamma", "DW_h", "H_Omega", "p"),)), Line(9, ("W", "alpha_k", "p"), ("W",)),
    Line(12, ("M_k", "W"), ("Dh",), every="T_1"), Line(14, ("beta", "Omega", "Gamma", "a", "Dh"), ("Omega", "Gamma"), every="T_1"),
    Line(19, ("Omega", "Gamma", "lam"), ("H_Omega", "H_Gamma"), every="T_2"))
FIRST = Line(19, ("Omega", "Gamma", "lam"), ("H_Omega", "H_Gamma"), every="start")
GIVEN, PERIODS = ("alpha_k", "lam", "m", "T_1", "T_2", "data", "W"), {"T_1": 2, "T_2": 4}


def names(lines=LINES, first=True):
    """The lines with line 19 once before the loop, or as printed."""
    return followed(GIVEN, (*lines[:2], FIRST, *lines[2:]) if first else lines, SHAPES, PERIODS)


def factors(of_products=True, sum_Gamma=False):
    """For examples and positions that add up to a Fisher block Σ_n Σ_t a aᵀ ⊗ g gᵀ/N with equal a_t: Ω ⊗ Γ is that block.

    Takes    of_products: means of products g gᵀ, or as printed the mean g times g of each position.
    """
    def claim():
        rng = random.Random(12)
        for _ in range(5):
            a, N, T = [Q(rng.randint(-2, 2)), Q(1)], 2, 3
            g = [[[Q(rng.randint(-2, 2)) for _ in range(2)] for _ in range(T)] for _ in range(N)]
            g[0][1] = [-x for x in g[0][0]]
            Omega = [[T * u * v for v in a] for u in a]
            mean = [[sum((g[n][t][i] for t in range(T)), Q(0)) / T for i in range(2)] for n in range(N)]
            left = g if of_products else [[mean[n]] * T for n in range(N)]
            Gamma = [[sum((left[n][t][i] * g[n][t][j] for n in range(N) for t in range(T)), Q(0)) / (N if sum_Gamma else N * T)
                      for j in range(2)] for i in range(2)]
            for i in range(4):
                for j in range(4):
                    block = a[i // 2] * a[j // 2] * sum((one[i % 2] * one[j % 2] for example in g for one in example), Q(0)) / N
                    if Omega[i // 2][j // 2] * Gamma[i % 2][j % 2] != block:
                        return Outcome(f"𝒟h = {g}: entry {i, j} of Ω ⊗ Γ is {Omega[i // 2][j // 2] * Gamma[i % 2][j % 2]}, of the "
                                       f"sum over positions {block}")
        return Outcome(detail="five batches of two examples and three positions, all a_t equal")
    return claim


def balanced(size="other", power=1):
    """π² = trace(Ω ⊗ I)/trace(I ⊗ Γ): the ratio of mean eigenvalues, so that πΩ̄ … dampings stand to them in one ratio."""
    def pairs(field, n):
        d, e = (n, n + 1) if n < 100 else (10, 11)
        Omega, Gamma = field.symmetric(d), field.symmetric(e)
        of_Omega, of_Gamma = (e, d) if size == "other" else (d, e) if size == "own" else (1, 1)
        ratio = trace(field.kron(Omega, field.eye(of_Omega))) / trace(field.kron(field.eye(of_Gamma), Gamma))
        mean_Omega, mean_Gamma = trace(Omega) / field.number(d), trace(Gamma) / field.number(e)
        yield ratio * mean_Gamma, mean_Omega**power
    return pairs


def divides(zero):
    """π² for Γ = E ggᵀ of small gradients, all of them 0 among them if `zero`."""
    def claim():
        for g in ([Q(0), Q(0)], [Q(1), Q(0)]) if zero else ([Q(1), Q(0)], [Q(1), Q(-2)]):
            if dot(g, g) == 0:
                return Outcome(f"𝒟h = {g}: trace(I ⊗ Γ) = 0, π = 1/0")
        return Outcome(detail="gradients that are not 0")
    return claim


def form(**changes):
    """Algorithm 12, repaired, with some parts replaced."""
    return {"names": names(), "factors": factors(), "pi": balanced(), "division": divides(zero=False)} | changes


STATEMENTS = (
    Statement(
        "R.Alg.12", "Section 3.7.2",
        Form("K-FAC, line by line", form(names=names(first=False), factors=factors(of_products=False), pi=balanced("none"),
                                        division=divides(zero=True))),
        checks=(on("names", claimed(Status.EXACT_Q, "names and shapes, followed for six steps")),
                on("factors", claimed(Status.EXACT_Q, "small batches")), on("pi", over_Q()), on("pi", mod_p(lambda n: 4)),
                on("division", claimed(Status.EXACT_Q, "line 19"))),
        mutants=(Form("Γ without 1/|𝒯|", {"factors": factors(sum_Gamma=True)}), Form("each I of its own factor's size", {
            "pi": balanced("own")}), Form("π for π²", {"pi": balanced(power=2)}),
            Form("Ω and Γ not in line 2", {"names": names(tuple(line for line in LINES if line.number != 2))})),
        repaired=Form("line 19 once before the loop; means of products in lines 2 and 14; each I of the other factor's size; π = 1 "
                      "where Γ = 0",
                      form()),
        errata=(36, 37, 38, 39),
        note="Line 8 needs what line 19 computes first in step T_2. Sizes of I are not printed; with one by one π loses d_Γ/d_Ω. "
             "The dampings π√λ and √λ/π multiply to λ."),
)
