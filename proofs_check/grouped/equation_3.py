"""W (3): where the gradient of T vanishes."""

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status
from .diagonal import norm, points, problems


def stationary(matrix_inverted, weight=1, power=2):
    """∇T(η) = 0 ⇔ (H̄ + (weight λ/2)‖Dη‖D^power)η = ḡ, with a matrix that has an inverse or without this condition."""
    def code():
        for H, g, d in problems():
            for x in points(len(H)):
                r = norm(x, d)
                gradient = [h * a - b + r * e * e * a for h, a, b, e in zip(H, x, g, d, strict=True)]
                M = [h + weight * r * e**power for h, e in zip(H, d, strict=True)]
                said = all(m * a == b for m, a, b in zip(M, x, g, strict=True)) and (all(M) or not matrix_inverted)
                if said != (not any(gradient)):
                    return Outcome(f"H̄ = {H}, ḡ = {g}, D = {d}, λ = 2, η = {tuple(map(str, x))}: ∇T is "
                                   f"{'not ' if any(gradient) else ''}0, and η is {'' if said else 'not '}a solution")
        return Outcome()
    return code


STATEMENTS = (
    Statement(
        "W.Eq.3", "Appendix D",
        Form("∇T(η) = 0 ⇔ η = (H̄ + (λ_int/2)‖Dη‖D²)⁻¹ḡ", stationary(matrix_inverted=True)),
        checks=(claimed(Status.EXACT_Q, "on 68 diagonal problems with S = 1, 2 and rational points"),),
        repaired=Form("∇T(η) = 0 ⇔ (H̄ + (λ_int/2)‖Dη‖D²)η = ḡ", stationary(matrix_inverted=False)),
        mutants=(Form("λ_int for λ_int/2", stationary(False, weight=2)), Form("D for D²", stationary(False, power=1)),
                 Form("without the cubic term", stationary(False, weight=0))),
        note="Restored with the inverse that (2) has. The matrix is invertible at every η where H̄ is positive definite (Case 1) "
             "and for η in C (Case 2); elsewhere stationary points may be lost, the minimisers of the hard case among them. That "
             "the left side of the repaired form is the gradient is W.Eq.2/1.", errata=(80,)),
)
