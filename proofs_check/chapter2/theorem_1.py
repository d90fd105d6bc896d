"""R Theorem 1 and (2.11): the Broyden family after a Hessian-action pair, the steps of the proof, and the remarks below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..checks import Identity, Outcome, claimed, mod_p, over_Q
from ..fields import Matrix, dot, outer
from ..statement import Form, Statement, Status
from .common import Q, column, eye


def broyden(H: Matrix, s: Matrix, y: Matrix, phi: Any) -> Matrix:
    """(2.11) as printed."""
    rho, Hy = 1 / dot(s, y), H * y
    sigma = 1 / dot(y, Hy)
    h = s * rho - Hy * sigma
    return H - outer(Hy, Hy) * sigma + outer(s, s) * rho + outer(h, h) * (phi * dot(y, Hy))


def action(scale: int = 1, sign: int = 1, exact: bool = True, pair: str = "A⁺s") -> Identity:
    """H⁺A⁺ = I for s = Ha, y = A⁺s, A⁺ = A + c aaᵀ, H = A⁻¹, any φ."""
    def pairs(field, n):
        H, a, c, phi = field.symmetric(n), field.vector(n), field.draw(), field.draw()
        A = H.inv() if exact else field.symmetric(n)
        A_new = A + outer(a, a) * c
        s = H * a
        y = A_new * s if pair == "A⁺s" else A * s
        yield broyden(H, s, y * field.number(sign), phi) * A_new * field.number(scale), field.eye(n)
    return pairs


def no_h(pair: str = "A⁺s", exact: bool = True, c: int = 1) -> Identity:
    """h = ρs − σHy = 0."""
    def pairs(field, n):
        n = max(n, 2)
        H, a = field.symmetric(n), field.vector(n)
        A = H.inv() if exact else field.symmetric(n)
        s = H * a if pair == "A⁺s" else field.vector(n)
        y = (A + outer(a, a) * field.draw()) * s * field.number(c) + (field.zeros(n, 1) if c == 1 else field.vector(n))
        yield s * (1 / dot(s, y)), H * y * (1 / dot(y, H * y))
    return pairs


def on_the_rest(pair: bool = True, exact: bool = True, orthogonal: bool = True) -> Identity:
    """For v ⊥ a: sᵀAv = 0, yᵀHAv = 0, H⁺A⁺v = v; and H⁺A⁺s = s."""
    def pairs(field, n):
        n = max(n, 2)
        H, a, c, w = field.symmetric(n), field.vector(n), field.draw(), field.vector(n)
        A = H.inv() if exact else field.symmetric(n)
        A_new = A + outer(a, a) * c
        v = w - a * (dot(a, w) / dot(a, a)) if orthogonal else w
        s = H * a if pair else field.vector(n)
        y = A_new * s
        H_new = broyden(H, s, y, field.draw())
        yield dot(s, A * v), field.number(0)
        yield dot(y, H * (A * v)), field.number(0)
        yield H_new * (A_new * v), v
        yield H_new * (A_new * s), s
    return pairs


def ends(phi_bfgs: int = 1, phi_dfp: int = 0) -> Identity:
    """φ = 1 in (2.11) is (2.6); φ = 0 is the DFP update, the inverse of B ↦ (I − ρysᵀ) B (I − ρsyᵀ) + ρyyᵀ."""
    def pairs(field, n):
        n = max(n, 2)
        H, s, y = field.symmetric(n), field.vector(n), field.vector(n)
        rho, one = 1 / dot(s, y), field.eye(n)
        yield (broyden(H, s, y, field.number(phi_bfgs)),
               (one - outer(s, y) * rho) * H * (one - outer(y, s) * rho) + outer(s, s) * rho)
        B_new = (one - outer(y, s) * rho) * H.inv() * (one - outer(s, y) * rho) + outer(y, y) * rho
        yield broyden(H, s, y, field.number(phi_dfp)) * B_new, one
    return pairs


def secant(power: int = 1, weight: int = 1) -> Identity:
    """H⁺y = s for every φ; h ⟂ y."""
    def pairs(field, n):
        H, s, y = field.symmetric(n), field.vector(n), field.vector(n)
        rho, Hy = 1 / dot(s, y) ** power, H * y
        sigma = 1 / dot(y, Hy)
        h = s * rho - Hy * sigma
        yield dot(h, y), field.number(0)
        H_new = H - outer(Hy, Hy) * (weight * sigma) + outer(s, s) * rho + outer(h, h) * (field.draw() * dot(y, Hy))
        yield H_new * y, s
    return pairs


def morrison(inverse: bool = True, sign: int = -1) -> Identity:
    """H⁺ = H − Ha (c⁻¹ + aᵀHa)⁻¹ aᵀH."""
    def pairs(field, n):
        H, a, c = field.symmetric(n), field.vector(n), field.draw()
        s = H * a
        y = (H.inv() + outer(a, a) * c) * s
        yield (broyden(H, s, y, field.draw()),
               H + outer(s, s) * (field.number(sign) / ((1 / c if inverse else c) + dot(a, s))))
    return pairs


def momentum(power: int = -1) -> Identity:
    """A⁺ = βA + (1 − β)aaᵀ: (2.11) of β^power H gives the inverse of A⁺."""
    def pairs(field, n):
        H, a, beta, phi = field.symmetric(n), field.vector(n), field.number(9, 10), field.draw()
        A_new = H.inv() * beta + outer(a, a) * (1 - beta)
        used = H * beta**power
        s = used * a
        yield broyden(used, s, A_new * s, phi) * A_new, field.eye(n)
    return pairs


def along_s_only(rest: str = "β") -> Identity:
    """Without the scaling H⁺A⁺s = s, and for v ⊥ a, H⁺A⁺v = βv + (a multiple of s): the trace is 1 + (n − 1)β."""
    def pairs(field, n):
        n = max(n, 2)
        H, a, w, beta = field.symmetric(n), field.vector(n), field.vector(n), field.number(9, 10)
        A_new = H.inv() * beta + outer(a, a) * (1 - beta)
        s = H * a
        product = broyden(H, s, A_new * s, field.draw()) * A_new
        v = w - a * (dot(a, w) / dot(a, a))
        factor = {"β": beta, "1": field.number(1), "1/β": 1 / beta}[rest]
        left = product * v - v * factor
        yield product * s, s
        yield outer(left, s), outer(s, left)                                      # parallel to s
    return pairs


def exists(vectors: Callable[[], Iterator[Matrix]]) -> Callable[[], Outcome]:
    """sᵀy > 0 and yᵀHy > 0, so that ρ and σ of (2.11) exist."""
    def claim() -> Outcome:
        H = eye(2, 2)
        H[0, 1] = H[1, 0] = Q(1)
        for a in vectors():
            s = H * a
            y = (H.inv() + outer(a, a)) * s
            if not (dot(s, y) > 0 and dot(y, H * y) > 0):
                return Outcome(f"a = {[str(x) for x in a.entries()]}: sᵀy = {dot(s, y)}, and ρ = 1/sᵀy does not exist")
        return Outcome()
    return claim


def grid(zero: bool) -> Callable[[], Iterator[Matrix]]:
    """Vectors a with entries from −2 to 2."""
    return lambda: (column(i, j) for i in range(-2, 3) for j in range(-2, 3) if zero or i or j)


def grows(power: Callable[[int], Any]) -> Callable[[], Outcome]:
    """With the scaling, ‖H_k‖ ≥ power(k) along a = e₁ in every step, from H = A = I, β = 9/10, for k = 1, …, 60."""
    def claim() -> Outcome:
        H, A, beta, a = eye(2), eye(2), Q(9, 10), column(1, 0)
        for k in range(1, 61):
            A = beta * A + (1 - beta) * outer(a, a)
            H = H * (1 / beta)
            s = H * a
            H = broyden(H, s, A * s, Q(1))
            if A.inv() != H or H[1, 1] < power(k):
                return Outcome(f"β = 9/10, a = e_1: e_2ᵀH e_2 = (10/9)^{k} after {k} steps")
        return Outcome()
    return claim


STATEMENTS = (
    Statement(
        "R.Thm.1", "Section 2.4",
        Form("H⁺ = (A⁺)⁻¹ for every φ, where s = Ha, y = A⁺s, A⁺ = A + c aaᵀ, H = A⁻¹", action()),
        checks=(over_Q(), mod_p(lambda n: 12 * n + 60)),
        mutants=(Form("H ≠ A⁻¹", action(exact=False)), Form("y = As", action(pair="As")), Form("y = −A⁺s", action(sign=-1)),
                 Form("2(A⁺)⁻¹", action(scale=2))),
        hypotheses=("A, H symmetric positive definite (invertible is enough)", "c > 0 (1 + c aᵀHa ≠ 0 is enough)",
                    "a ≠ 0: R.Thm.1/1"),
        note="True, and for any φ, not only in [0, 1], since h = 0. Approximate inverses do not do: H = A⁻¹ exactly.", long=True),
    Statement(
        "R.Thm.1/1", "Section 2.4, Theorem 1: \"If we choose s = Ha\"",
        Form("ρ = 1/sᵀy and σ = 1/yᵀHy exist for every a", exists(grid(zero=True))),
        checks=(claimed(Status.EXACT_Q, "24 vectors and 0, H = ((2, 1), (1, 2)), c = 1"),),
        mutants=(), repaired=Form("for every a ≠ 0: sᵀy = aᵀHa + c(aᵀHa)²", exists(grid(zero=False))), errata=(7,),
        pinned="the set of vectors for which they exist is pinned from both sides"),
    Statement(
        "R.Thm.1/2", "Section 2.4, proof: first sentence",
        Form("h = ρs − σHy = 0", no_h()), checks=(over_Q((2, 3)), mod_p(lambda n: 12 * n + 60)),
        mutants=(Form("any s", no_h(pair="any")), Form("H ≠ A⁻¹", no_h(exact=False)), Form("y = 2A⁺s + w", no_h(c=2)))),
    Statement(
        "R.Thm.1/3", "Section 2.4, proof: on s and on v ⟂ a",
        Form("sᵀAv = 0, yᵀHAv = 0, H⁺A⁺v = v for v ⟂ a; H⁺A⁺s = s", on_the_rest()),
        checks=(over_Q((2, 3)), mod_p(lambda n: 16 * n + 80)),
        mutants=(Form("any s", on_the_rest(pair=False)), Form("H ≠ A⁻¹", on_the_rest(exact=False)),
                 Form("any v", on_the_rest(orthogonal=False))),
        note="With sᵀa = aᵀHa > 0 these n vectors span."),
    Statement(
        "R.Thm.1/4", "Section 2.4, below Theorem 1",
        Form("H⁺ = H − Ha (c⁻¹ + aᵀHa)⁻¹ aᵀH (Sherman–Morrison)", morrison()),
        checks=(over_Q(), mod_p(lambda n: 12 * n + 60)),
        mutants=(Form("c for c⁻¹", morrison(inverse=False)), Form("+Ha …", morrison(sign=1)),
                 Form("twice the term", morrison(sign=-2)))),
    Statement(
        "R.Thm.1/5", "Section 2.4, momentum",
        Form("with A⁺ = βA + (1 − β)aaᵀ, H scaled by 1/β before the update gives (A⁺)⁻¹, β = 9/10", momentum()),
        checks=(over_Q((2, 3)), mod_p(lambda n: 12 * n + 60)),
        mutants=(Form("without the scaling", momentum(power=0)), Form("scaled by β", momentum(power=1)),
                 Form("scaled by β^(−2)", momentum(power=-2))),
        note="The scaling is needed: without it the identity fails for every n ≥ 2.", long=True),
    Statement(
        "R.Thm.1/6", "Section 2.4, momentum without the scaling",
        Form("the non-scaled update has H⁺A⁺s = s, and H⁺A⁺v = βv + (a multiple of s) for v ⟂ a", along_s_only()),
        checks=(over_Q((3, 4)), mod_p(lambda n: 16 * n + 80)),
        mutants=(Form("H⁺A⁺v = v + …", along_s_only("1")), Form("H⁺A⁺v = v/β + …", along_s_only("1/β"))),
        pinned="the eigenvalue β of n − 1 directions is pinned by both neighbours",
        note="So in one step the practical algorithm is the inverse along s, and too small by β in all other directions."),
    Statement(
        "R.Thm.1/7", "Section 2.4: \"This, however, turns out to be unstable\"",
        Form("‖H‖ ≥ β^(−k) after k scaled updates along one direction, n ≥ 2", grows(lambda k: Q(10, 9) ** k)),
        checks=(claimed(Status.EXACT_Q, "60 exact steps with a = e_1, n = 2, β = 9/10"),),
        mutants=(Form("‖H‖ ≥ β^(−2k)", grows(lambda k: Q(10, 9) ** (2 * k))),
                 Form("‖H‖ ≥ β^(−k) + 1", grows(lambda k: Q(10, 9) ** k + 1)),
                 Form("‖H‖ ≥ 2β^(−k)", grows(lambda k: 2 * Q(10, 9) ** k))),
        note="The remark is right: what is scaled is an exact inverse, of an A that forgets; H of directions that no "
             "batch shows grows like β^(−k)."),
    Statement(
        "R.Eq.2.11", "Section 2.4",
        Form("H⁺ = H − σHyyᵀH + ρssᵀ + φ(yᵀHy)hhᵀ with h = ρs − σHy has H⁺y = s for every φ", secant()),
        checks=(over_Q((2, 3)), mod_p(lambda n: 14)),
        mutants=(Form("ρ = 1/(sᵀy)²", secant(power=2)), Form("2σHyyᵀH", secant(weight=2)),
                 Form("without σHyyᵀH", secant(weight=0)))),
    Statement(
        "R.Eq.2.11/1", "Section 2.4, Theorem 1: \"Note that\"",
        Form("φ = 1 yields (2.6), φ = 0 yields DFP", ends()), checks=(over_Q((2, 3)), mod_p(lambda n: 10 * n + 60)),
        mutants=(Form("φ = 0 yields (2.6)", ends(phi_bfgs=0)), Form("φ = 1 yields DFP", ends(phi_dfp=1)),
                 Form("the two exchanged", ends(0, 1))), long=True),
)
