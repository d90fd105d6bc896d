"""W (1): η* = H̄⁻¹ḡ with H̄ = I_{S:P} U H U I_{P:S} and ḡ = I_{S:P} U g, and whether it minimises Δ₂.

Δ₂(η* + e) − Δ₂(η*) = ½ eᵀH̄e decides the second question, S = 2 stands for all S: its core is eᵀH̄e.
"""

from fractions import Fraction

from ..checks import Inequality, Term, certified, hunted, mod_p, over_Q, refuted_at, simple
from ..fields import dot
from ..statement import Form, Statement
from .common import entries, partition, subsets


def step(sign=1, left=1, right=1):
    """(1) for the quadratic loss gᵀδ + ½δᵀHδ; left, right: powers of U on both sides of H."""
    def pairs(field, n):
        g, H, u = field.vector(n), field.symmetric(n), field.vector(n)
        I, U = partition(field, n, subsets(n)), field.diagonal(entries(u))
        power = [field.eye(n), U, U * U]
        g_b, H_b = I * U * g, I * power[left] * H * power[right] * I.transpose()
        eta, e = H_b.solve(g_b), field.vector(subsets(n))

        def change(x):
            delta = U * I.transpose() * x * field.number(-1)
            return dot(g, delta) + dot(delta, H * delta) / 2

        def Delta_2(x):
            return dot(x, H_b * x) / 2 - sign * dot(g_b, x)

        yield change(e), Delta_2(e)
        yield change(eta + e) - change(eta), dot(e, H_b * e) / 2
        yield H_b * eta, g_b
        yield H_b, H_b.transpose()
    return pairs


VARIABLES = ("a", "b", "c", "e1", "e2")
INVERTIBLE = {"(a c - b b)**2 > 0": lambda a, b, c, e1, e2: (a * c - b * b) * (a * c - b * b)}
DEFINITE = {"a > 0": lambda a, b, c, e1, e2: a, "a c - b b > 0": lambda a, b, c, e1, e2: a * c - b * b}


def minimal(hypotheses, conclusion=lambda a, b, c, e1, e2: a * e1 * e1 + 2 * b * e1 * e2 + c * e2 * e2):
    """Δ₂(η* + e) >= Δ₂(η*), H̄ = (a b; b c)."""
    return Inequality(VARIABLES, hypotheses, conclusion)


def draw(rng):
    """H̄ and e, H̄ definite half of the time."""
    b, e1, e2 = (simple(rng, sign=True) for _ in range(3))
    a = simple(rng, sign=rng.random() < Fraction(1, 2))
    return a, b, (b * b + simple(rng)) / a if a else simple(rng, sign=True), e1, e2


MINIMAL = (refuted_at(-1, 0, 1, 1, 0),
           certified(Term(1, (), lambda a, b, c, e1, e2: a * e1 + b * e2), Term(1, ("a c - b b > 0",), lambda a, b, c, e1, e2: e2),
                     factor=("a > 0",)), hunted(draw))

STATEMENTS = (
    Statement(
        "W.Eq.1/1", "Section 4.1, Appendix B",
        Form("L(θ_{t+1}) − L(θ_t) ≈ Δ₂(η) = −ḡᵀη + ½ηᵀH̄η with ḡ = I_{S:P}U g, H̄ = I_{S:P}U H U I_{P:S}, stationary at η* = H̄⁻¹ḡ",
             step()),
        checks=(over_Q((1, 3, 5)), mod_p(lambda n: 8 * n + 20)),
        long=True,
        mutants=(Form("+ḡᵀη", step(sign=-1)), Form("H̄ = I_{S:P}U H I_{P:S}", step(right=0)),
                 Form("H̄ = I_{S:P}U² H U² I_{P:S}", step(left=2, right=2))),
        hypotheses=("θ_{t+1} = θ_t − U_t I_{P:S} η", "H̄ is invertible"), errata=(26,),
        note="Restored; exact for a quadratic loss, and for others with the remainder of Taylor's theorem."),
    Statement(
        "W.Eq.1/2", "Section 4.1: \"we minimize\" Δ₂, \"which gives\" (1)",
        Form("H̄ invertible ⇒ Δ₂(η* + e) >= Δ₂(η*) for all e", minimal(INVERTIBLE)), checks=MINIMAL,
        repaired=Form("H̄ positive definite ⇒ Δ₂(η* + e) >= Δ₂(η*) for all e", minimal(DEFINITE)),
        mutants=(Form("a > 0 alone", minimal({"a > 0": DEFINITE["a > 0"]})),
                 Form("det H̄ > 0 alone", minimal({"a c - b b > 0": DEFINITE["a c - b b > 0"]})),
                 Form("H̄ positive definite ⇒ Δ₂(η* + e) >= Δ₂(η*) + ½‖e‖²", minimal(
                     DEFINITE, lambda a, b, c, e1, e2: (a - 1) * e1 * e1 + 2 * b * e1 * e2 + (c - 1) * e2 * e2))),
        note="Where H̄ has a negative eigenvalue Δ₂ has no minimum and (1) is its saddle point, where it has no positive one its "
             "maximum: for S = 1, H̄ = −1, ḡ = 1 the step η* = −1 raises Δ₂ from 0 to ½, although the smallest step forward lowers "
             "it. A singular H̄ that is positive semidefinite has minima where ḡ lies in its range.", errata=(79,)),
)
