"""R Algorithms 8 and 11: D_P D_LM with a matrix H and with H = I/μ₂; and what Section 3.3.2 says they do."""

from ..checks import Inequality, Outcome, claimed, mod_p, on, over_Q, proved_by_z3
from ..fields import dot
from ..statement import Form, Statement, Status
from . import common
from .common import Q


def lines(weight=1, towards_s=False, lm=1, scaled=False):
    """Lines 3, 7 and 8 on vectors of any length: s̃ᵀy = μ₁yᵀHy, ỹ = y + μ₂s̃ and so s̃ᵀỹ = s̃ᵀy + μ₂s̃ᵀs̃.

    Takes    scaled: Algorithm 11, H = I/μ₂.
    """
    def pairs(field, n):
        s, y, mu1, mu2 = field.vector(n), field.vector(n), field.draw(), field.draw()
        H = field.eye(n) * (1 / mu2) if scaled else field.symmetric(n)
        yHy, sy = dot(y, H * y), dot(s, y)
        theta = (1 - weight * mu1) * yHy / (yHy - sy)
        s_t = s * theta + (s if towards_s else H * y) * (1 - theta)
        y_t = y + s_t * mu2
        yield dot(s_t, y), mu1 * yHy
        yield dot(s_t, y_t), mu1 * yHy + lm * mu2 * dot(s_t, s_t)
    return pairs


def weight(closed=False, mu1_any=False):
    """Where line 2 holds, with yᵀHy ≥ 0: line 3 divides by a positive number, and 0 ≤ θ₁ ≤ 1 after multiplication by it."""
    hypotheses = {"mu1 > 0": lambda mu1, sy, yHy: mu1, "yHy >= 0": lambda mu1, sy, yHy: yHy}
    if not mu1_any:
        hypotheses["1 - mu1 > 0"] = lambda mu1, sy, yHy: 1 - mu1
    hypotheses["mu1 yHy - sy >= 0" if closed else "mu1 yHy - sy > 0"] = lambda mu1, sy, yHy: mu1 * yHy - sy
    return Inequality(("mu1", "sy", "yHy"), hypotheses, lambda mu1, sy, yHy: yHy - sy, strict=True)


HS = {1: ([[Q(1)]], [[Q(1, 9)]]), 2: ([[Q(2), Q(1)], [Q(1), Q(3)]], [[Q(1, 8), Q(0)], [Q(0), Q(4)]])}


def runs(zero=False, scaled=False, always=False):
    """All pairs of small vectors: s̃ᵀy = max(sᵀy, μ₁yᵀHy), s̃ᵀỹ > 0, and where line 2 does not hold s̃ = s."""
    def claim():
        for mu1, mu2 in ((Q(1, 5), Q(1)), (Q(1, 2), Q(5)), (Q(9, 10), Q(1, 3))):
            for s, y in common.pairs():
                if not (zero or any(s) or any(y)):
                    continue
                for H in [common.identity(len(s), 1 / mu2)] if scaled else HS[len(s)]:
                    yHy, sy = common.dot(y, common.times(H, y)), common.dot(s, y)
                    s_t, y_t = common.dp_dlm(s, y, H, mu1, mu2)
                    shown = f"s = {s}, y = {y}, H = {H}, μ₁ = {mu1}, μ₂ = {mu2}"
                    if common.dot(s_t, y) != max(sy, mu1 * yHy) or (s_t == s) != (sy >= mu1 * yHy or always):
                        return Outcome(f"{shown}: s̃ = {s_t}")
                    if not common.dot(s_t, y_t) > 0:
                        return Outcome(f"{shown}: s̃ᵀỹ = {common.dot(s_t, y_t)}, and BFGS divides by it")
        return Outcome(detail="entries −1, 0, 2 in one and two dimensions")
    return claim


def bounded(secant=True, matrix=False):
    """Is s̃ᵀB⁺s̃ ≥ μ₂s̃ᵀs̃ (secant), is B⁺ ⪰ μ₂I (matrix), after updates of B = μ₂I?"""
    def claim():
        mu2 = Q(1)
        for s, y in common.pairs(sizes=(2,)):
            if not any(s) and not any(y):
                continue
            s_t, y_t = common.dp_dlm(s, y, common.identity(2, 1 / mu2), Q(1, 5), mu2)
            B = common.bfgs_B(common.identity(2, mu2), s_t, y_t)
            if secant and common.dot(s_t, common.times(B, s_t)) < mu2 * common.dot(s_t, s_t):
                return Outcome(f"s = {s}, y = {y}: s̃ᵀB⁺s̃ is too small")
            if matrix and not common.semidefinite([[B[i][j] - mu2 * (i == j) for j in range(2)] for i in range(2)]):
                return Outcome(f"μ₁ = 1/5, μ₂ = 1, s = {s}, y = {y}: B⁺ = {B} is not ⪰ μ₂I")
        return Outcome(detail="entries −1, 0, 2 in two dimensions, B = μ₂I")
    return claim


def statement(number, scaled, where, text, errata, note):
    """Algorithm 8 or 11."""
    of_lines = {"scaled": scaled}
    return Statement(
        f"R.Alg.{number}", where,
        Form(text, {"lines": lines(**of_lines), "weight": weight(), "runs": runs(zero=True, **of_lines)}),
        checks=(on("lines", over_Q()), on("lines", mod_p(lambda n: 30)), on("weight", proved_by_z3()),
                on("runs", claimed(Status.SAMPLED, "whole runs in exact numbers"))),
        mutants=(Form("θ₁ = (1 − 2μ₁)…", {"lines": lines(weight=2, **of_lines)}), Form("s̃ = s", {"lines": lines(
            towards_s=True, **of_lines)}), Form("2μ₂s̃ᵀs̃", {"lines": lines(lm=2, **of_lines)}),
            Form("<= for < in line 2", {"weight": weight(closed=True)}), Form("μ₁ of any size", {"weight": weight(mu1_any=True)}),
            Form("no damping ever", {"runs": runs(always=True, **of_lines)})),
        hypotheses=("0 < μ₁ < 1, μ₂ > 0", *(() if scaled else ("H positive definite",))),
        repaired=Form("the same for (s, y) ≠ (0, 0)", {"lines": lines(**of_lines), "weight": weight(), "runs": runs(**of_lines)}),
        errata=errata, note=note, long=True)


STATEMENTS = (
    statement(8, False, "Section 3.3.2", "D_P D_LM: s̃ = θ₁s + (1 − θ₁)Hy, ỹ = y + μ₂s̃; s̃ᵀy = max(sᵀy, μ₁yᵀHy), s̃ᵀỹ > 0", (21,),
              "Line by line: line 3 never divides by 0, whatever the pair; shapes match. s = y = 0 comes back as it is, and the "
              "update that follows divides by 0."),
    statement(11, True, "Section 3.6", "D_P(I) D_LM: Algorithm 8 with H = I/μ₂; s̃ᵀy = max(sᵀy, μ₁yᵀy/μ₂), s̃ᵀỹ > 0", (15, 21),
              "It takes no H: Algorithm 10, line 15, passes one. Lemma 4 says how good the pair is."),
    Statement(
        "R.Alg.8/1", "Section 3.3.2, Improvement #1",
        Form("s̃ᵀỹ >= μ₂‖s̃‖², since G is then bounded by μ₂I from below", bounded(matrix=True)),
        checks=(claimed(Status.SAMPLED, "updates in exact numbers"),),
        repaired=Form("s̃ᵀB⁺s̃ = s̃ᵀỹ >= μ₂‖s̃‖², along s̃ alone", bounded()), errata=(23,),
        pinned="a bound on a matrix is read off one direction",
        note="μ₂ in all of (0, ∞), as the text says: line 8 has no pole, where Algorithm 3 has one beyond μ₂ = 1."),
)
