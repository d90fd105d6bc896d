"""R Algorithm 23: what it is given, three steps by (5.6) against dense solves, and `reference.subsampled` beside `runs`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from ... import nets
from ...arrays import cast
from ...reference import subsampled
from ..checks import Outcome, claimed
from ..fields import dot
from ..statement import Form, Statement, Status
from .algorithm_17 import BrokenLine, Sheet
from .runs import CASES, Q, column, run

NET, RULE = CASES[0][1], CASES[0][2]
GIVEN = {"N_1": 4, "N_2": 2, "ε": RULE.eps, "α": Q(1)}
"""Line 1."""
REST = {"θ": column(NET.start), "λ_LM": Q(1), "τ": RULE.tau, "boost": Q(RULE.boost), "drop": Q(RULE.drop)}


def lines(known: dict[str, Any], mean: bool = True, ahead: bool = True) -> Callable[[], Outcome]:
    """Three steps on a linear net: p by (5.6) against a dense solve, θ against θ − αG⁻¹g, λ_LM against the rule."""
    def code() -> Outcome:
        sheet = Sheet(known)
        try:
            for t, found in enumerate(steps(sheet, mean, ahead)):
                if found:
                    return Outcome(f"step {t}: {found}")
        except BrokenLine as broken:
            return Outcome(str(broken))
        return Outcome()
    return code


def steps(sheet: Sheet, mean: bool, ahead: bool) -> Iterator[str]:
    """What is wrong after each step, "" for nothing; `mean`: line 4 averages; `ahead`: ρ is taken at θ + p."""
    for t in range(3):
        sheet.line = 3
        S_1 = list(range(len(NET.x)))[: sheet["N_1"]]
        S_2 = [S_1[(t + k) % len(S_1)] for k in range(sheet["N_2"])]
        sheet.line = 4
        theta = sheet["θ"]
        g = NET.g(theta, t) * (1 if mean else len(S_1))
        sheet.line = 5
        lam = sheet["λ_LM"] + sheet["τ"]
        J = flint.fmpq_mat(len(S_2), len(NET.start), [e for i in S_2 for e in NET.row(i).entries()])
        D = J * J.transpose() * Q(1, len(S_2)) + flint.fmpq_mat(len(S_2), len(S_2), [
            lam if i == j else Q(0) for i in range(len(S_2)) for j in range(len(S_2))])
        p = -(g - J.transpose() * D.solve(J * g) * Q(1, len(S_2))) * (1 / lam)
        sheet.line = 6
        B = J.transpose() * J * Q(1, len(S_2))
        there = theta + p if ahead else theta + p * Q(1, 2)
        rho = (NET.f(theta, t) - NET.f(there, t)) / (-dot(g, p) - dot(p, B * p) / 2)
        before = sheet["λ_LM"]
        factor = sheet["boost"] if rho < sheet["ε"] else sheet["drop"] if rho > 1 - sheet["ε"] else Q(1)
        sheet["λ_LM"] = factor * before
        sheet.line = 7
        sheet["θ"] = theta + sheet["α"] * p
        gradient = sum((NET.example(theta, i)[0] * NET.example(theta, i)[1] for i in S_1[1:]),
                       NET.example(theta, S_1[0])[0] * NET.example(theta, S_1[0])[1]) * Q(1, len(S_1))
        if B * p + p * lam != -gradient:
            yield "(B_t + λ_tI)p_t is not −∇f"
        model = dot(gradient, p) + dot(p, B * p) / 2
        if rho * -model != NET.f(theta, t) - NET.f(theta + p, t):
            yield "ρ_t is not that of θ + p_t"
        yield ""


def of_reference(rule_of: Callable[[Any], Any] = lambda rule: rule, count: int = 8) -> Callable[[], Outcome]:
    """`reference.subsampled` and `runs.run` on the same net over ℚ: p, ρ, λ_LM and θ of 8 steps, entry by entry."""
    def code() -> Outcome:
        rule = rule_of(RULE)
        model = nets.mlp((2, 1), ("linear",), "mse")

        def exact(rows: Any) -> Any:
            return cast(np.array([[Fraction(x) for x in row] for row in rows], dtype=object), "fmpq")
        params = (nets.Layer(exact([NET.start[:2]]), exact([NET.start[2:]])[0]),)
        hyper = subsampled.Hyper(alpha=1, lam_LM=Fraction(int(rule.lam_LM)), boost=int(rule.boost), accept=Fraction(1, 8),
                                 drop=Fraction(int(rule.drop.p), int(rule.drop.q)))
        state = None
        for here in run(NET, RULE, count):
            rows = np.array(NET.S_2[here.t % len(NET.S_2)])
            batch = nets.Batch(exact(NET.x), exact([[y] for y in NET.y]), None, rows)
            state = state or subsampled.init(model, params, batch, hyper)
            if state.lam_LM != here.lam_LM:
                return Outcome(f"step {here.t}: λ_LM differs")
            params, state, trace = subsampled.step(model, params, state, batch, hyper)
            if list(trace.p[0].ravel()) != here.p.entries() or trace.rho != here.rho:
                return Outcome(f"step {here.t}: p or ρ differs")
        return Outcome()
    return code


STATEMENTS = (
    Statement(
        "R.Alg.23", "Section 5.5, Algorithm 23",
        Form("all lines as printed, given N_1, N_2, 0 < ε < 1/2, α", lines(GIVEN)),
        checks=(claimed(Status.EXACT_Q, "three steps over ℚ of a linear net with 4 examples, against a dense solve"),),
        repaired=Form("given in addition θ⁽⁰⁾, λ_LM⁽⁰⁾, τ, boost, drop", lines(GIVEN | REST)),
        mutants=(Form("given θ⁽⁰⁾ too", lines(GIVEN | {"θ": REST["θ"]})), Form("given all but drop, boost", lines(
            GIVEN | {name: REST[name] for name in ("θ", "λ_LM", "τ")})),
            Form("line 4 with the sum", lines(GIVEN | REST, mean=False)),
                 Form("ρ_t at θ + ½p_t", lines(GIVEN | REST, ahead=False))),
        errata=(61,),
        note="5.8 has λ_LM⁽⁰⁾ = 1. ρ_t is that of θ + p_t, while line 7 moves by αp_t: for α < 1 the rule judges a step that "
             "is not taken (DEV-SMW-3). At g_t = 0 line 6 is 0/0. N_1 = N_2 = 1 and t = 0 make sense.",
    ),
    Statement(
        "R.Alg.23/1", "Sections 5.5, 5.6",
        Form("reference.subsampled takes the same steps as an independent evaluation, with Theorem 6's rule", of_reference()),
        checks=(claimed(Status.EXACT_Q, "8 steps over ℚ of a linear net, S_2 of 1, 1, 2 examples in turn"),),
        mutants=(Form("drop = 1/3", of_reference(lambda rule: rule._replace(drop=Q(1, 3)))),
                 Form("boost = 3", of_reference(lambda rule: rule._replace(boost=3))),
                 Form("λ_LM⁽⁰⁾ = 2", of_reference(lambda rule: rule._replace(lam_LM=2)))),
    ),
)
