"""R Lemma 4: what D_{P(I)} D_LM ensures, reduced to four numbers: s̃ᵀs̃, s̃ᵀy, yᵀy and the constants μ₁, μ₂."""

from fractions import Fraction

from ..checks import Inequality, Term, certified, hunted, proved_by_z3, simple
from ..statement import Form, Statement

VARIABLES = ("mu1", "mu2", "ss", "sy", "yy")
AFTER_POWELL = "mu2 sy - mu1 yy >= 0"
HYPOTHESES = {
    "mu1 > 0": lambda mu1, mu2, ss, sy, yy: mu1,
    "mu2 > 0": lambda mu1, mu2, ss, sy, yy: mu2,
    "ss >= 0": lambda mu1, mu2, ss, sy, yy: ss,
    "yy >= 0": lambda mu1, mu2, ss, sy, yy: yy,
    AFTER_POWELL: lambda mu1, mu2, ss, sy, yy: mu2 * sy - mu1 * yy,
}


def ratio(two, power=2, without=()):
    """ỹᵀỹ ≤ μ₂(1/μ₁ + two) s̃ᵀỹ with ỹ = y + μ₂s̃, multiplied by μ₁; `power` that of μ₂ in ỹᵀỹ."""
    return Inequality(VARIABLES, {name: value for name, value in HYPOTHESES.items() if name not in without},
                      lambda mu1, mu2, ss, sy, yy: mu2 * (1 + two * mu1) * (sy + mu2 * ss)
                      - mu1 * (yy + 2 * mu2 * sy + mu2**power * ss))


def draw(rng):
    """(μ₁, μ₂, s̃ᵀs̃, s̃ᵀy, yᵀy), now and then just below the first damping's bound."""
    mu1, mu2, ss, yy = Fraction(rng.randint(1, 9), 8), Fraction(rng.randint(1, 9), 8), simple(rng), simple(rng)
    return mu1, mu2, ss, mu1 / mu2 * yy + rng.choice([-1, 1, 1]) * simple(rng), yy


STATEMENTS = (
    Statement(
        "R.Lem.4/2", "Section 3.6, second inequality of Lemma 4",
        Form("ỹᵀỹ / s̃ᵀỹ <= 1/μ₃ with μ₃ = μ₁ / (μ₂(1 + 2μ₁))", ratio(2)),
        checks=(certified(Term(1, (AFTER_POWELL,), lambda *_: 1), Term(1, ("ss >= 0",), lambda mu1, mu2, *_: mu2),
                          Term(1, ("mu1 > 0", "ss >= 0"), lambda mu1, mu2, *_: mu2)),
                proved_by_z3(), hunted(draw)),
        mutants=(Form("1/(2μ₁) for 1/μ₁ + 2", ratio(0)), Form("μ₂³ in ỹᵀỹ", ratio(2, power=1)),
                 Form("without s̃ᵀy >= (μ₁/μ₂) yᵀy", ratio(2, without=(AFTER_POWELL,)))),
        hypotheses=("ỹ = y + μ₂s̃", "s̃ᵀy >= (μ₁/μ₂) yᵀy, which the first damping ensures"),
    ),
)
