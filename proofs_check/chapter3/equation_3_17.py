"""R (3.17): H_A of Algorithm 10 between two multiples of I, eigenvalue by eigenvalue."""

from ..checks import Inequality, Term, attained_at, certified, hunted, on, proved_by_z3, simple
from ..statement import Form, Statement


def bounds(upper, semidefinite=True, damping=1):
    """For an eigenvalue a of Â, 0 ≤ a ≤ c, and e(a + λ) = 1: 1/(c + λ) ≤ e ≤ 1/(damping λ), multiplied out."""
    hypotheses = {"lam > 0": lambda a, c, lam, e: lam, "c - a >= 0": lambda a, c, lam, e: c - a,
                  "e (a + lam) - 1 = 0": lambda a, c, lam, e: e * (a + lam) - 1, "e > 0": lambda a, c, lam, e: e}
    if semidefinite:
        hypotheses["a >= 0"] = lambda a, c, lam, e: a
    return Inequality(("a", "c", "lam", "e"), hypotheses, (lambda a, c, lam, e: 1 - damping * lam * e) if upper else
                      (lambda a, c, lam, e: e * (c + damping * lam) - 1))


def draw(rng):
    """(a, c, λ, 1/(a + λ)), a now and then negative or at its end."""
    a, lam = simple(rng, sign=rng.random() < 0.2), simple(rng) + 1
    return a, a + rng.choice([0, simple(rng)]), lam, 1 / (a + lam) if a + lam else 1


STATEMENTS = (
    Statement(
        "R.Eq.3.17", "Section 3.6, proof of Lemma 7",
        Form("((J|Δ|φ² + 1)|𝒯| + λ_A)⁻¹ I <= H_A = (Â + λ_A I)⁻¹ <= λ_A⁻¹ I", {"lower": bounds(False), "upper": bounds(True)}),
        checks=(*(on(name, certified(Term(1, ("e > 0", more), lambda *_: 1), Term(sign, ("e (a + lam) - 1 = 0",), lambda *_: 1)))
                  for name, more, sign in (("lower", "c - a >= 0", 1), ("upper", "a >= 0", -1))),
                *(on(name, check) for name in ("lower", "upper") for check in (proved_by_z3(), hunted(draw)))),
        mutants=(Form("without λ_A on the left", {"lower": bounds(False, damping=0)}),
                 Form("(2λ_A)⁻¹ on the right", {"upper": bounds(True, damping=2)}),
                 Form("Â indefinite", {"upper": bounds(True, semidefinite=False)})),
        hypotheses=("0 <= Â <= (J|Δ|φ² + 1)|𝒯| I, Lemma 7 (i)", "λ_A > 0"),
        sharpness=(on("lower", attained_at(2, 2, 1, "1/3")), on("upper", attained_at(0, 2, 1, 1))),
        note="The upper bound is attained where Â is singular: always, when m|𝒯| < J|Δ| + 1."),
)
