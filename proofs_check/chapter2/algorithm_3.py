"""R Algorithm 3, double damping, line by line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..checks import Outcome, claimed
from ..fields import Matrix, dot
from ..statement import Form, Statement, Status
from .common import Q, column, double_damping, eye
from .prose_dampings import pairs, told

Damping = Callable[[Matrix, Matrix, Matrix, Any, Any], tuple[Matrix, Matrix]]


def swapped(s: Matrix, y: Matrix, H: Matrix, mu1: Any, mu2: Any) -> tuple[Matrix, Matrix]:
    """Lines 4 and 5 before lines 2 and 3."""
    sy, ss = dot(s, y), dot(s, s)
    theta = (1 - mu2) * ss / (ss - sy) if sy < mu2 * ss else Q(1)
    y_t = theta * y + (1 - theta) * s
    return double_damping(s, y_t, H, mu1, Q(1, 10**9))[0], y_t


def of_s(s: Matrix, y: Matrix, H: Matrix, mu1: Any, mu2: Any) -> tuple[Matrix, Matrix]:
    """Line 5 with s for s̃."""
    s_t, _ = double_damping(s, y, H, mu1, mu2)
    sy, ss = dot(s_t, y), dot(s_t, s_t)
    theta = (1 - mu2) * ss / (ss - sy) if sy < mu2 * ss else Q(1)
    return s_t, theta * y + (1 - theta) * s


def exchanged(s: Matrix, y: Matrix, H: Matrix, mu1: Any, mu2: Any) -> tuple[Matrix, Matrix]:
    """Line 3 with θ₁ and 1 − θ₁ exchanged."""
    yHy, sy = dot(y, H * y), dot(s, y)
    theta = (1 - mu1) * yHy / (yHy - sy) if sy < mu1 * yHy else Q(1)
    s_t = (1 - theta) * s + theta * (H * y)
    return s_t, double_damping(s_t, y, H, mu1, mu2)[1]


def ensures(damping: Damping, special: bool = True) -> Callable[[], Outcome]:
    """s̃ᵀy = max(sᵀy, μ₁yᵀHy), s̃ᵀỹ = max(s̃ᵀy, μ₂s̃ᵀs̃), both points on their segments, s̃ᵀỹ > 0.

    special   also for μ₂ > 1, and for s = y = 0.
    """
    def claim() -> Outcome:
        extra = [(column(1), column(1), eye(1), Q(1, 5), Q(3, 2)), (column(0, 0), column(0, 0), eye(2), Q(1, 5), Q(1, 2))]
        for given in [*(extra if special else []), *pairs()]:
            s, y, H, mu1, mu2 = given
            try:
                s_t, y_t = damping(*given)
            except ZeroDivisionError:
                return Outcome(f"{told(given)}: division by zero")
            first, second = dot(s_t, y), dot(s_t, y_t)
            if not (first == max(dot(s, y), mu1 * dot(y, H * y)) and second == max(first, mu2 * dot(s_t, s_t)) and second > 0
                    and on_segment(s_t, s, H * y) and on_segment(y_t, y, s_t)):
                return Outcome(told(given))
        return Outcome(detail="the pairs of R.Prose.2.double-damping")
    return claim


def on_segment(v: Matrix, a: Matrix, b: Matrix) -> bool:
    """Is v between a and b?"""
    direction, offset = b - a, v - a
    length = dot(direction, direction)
    t = dot(offset, direction) / length if length else Q(0)
    return offset == direction * t and 0 <= t <= 1


STATEMENTS = (
    Statement(
        "R.Alg.3", "Section 2.3",
        Form("lines 1 to 6 for every s, y, H ≻ 0, 0 < μ₁ < 1, μ₂ > 0", ensures(double_damping)),
        checks=(claimed(Status.SAMPLED, "exactly, random pairs and diagonal H, n ≤ 3"),),
        mutants=(Form("lines 4 and 5 first", ensures(swapped, False)), Form("s for s̃ in line 5", ensures(of_s, False)),
                 Form("θ₁ and 1 − θ₁ exchanged in line 3", ensures(exchanged, False))),
        repaired=Form("for 0 < μ₂ ≤ 1 and (s, y) ≠ (0, 0)", ensures(double_damping, False)), errata=(12, 21),
        note="Three equalities pin both results; the cores are proved in R.Prose.2.powell-H and R.Prose.2.powell-B-I. "
             "Beyond μ₂ = 1 line 4 divides by zero at s̃ᵀy = s̃ᵀs̃ (R.Prose.2.powell-B-I/1)."),
)
