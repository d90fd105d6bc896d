"""R Lemma 4: what D_P(I) D_LM (Algorithm 11) ensures, and how far that is from the most it ensures.

The outputs enter through s̃ᵀs̃, s̃ᵀy and yᵀy alone, since ỹ = y + μ₂s̃; what the first damping does to s enters through
μ₂ s̃ᵀy ≥ μ₁ yᵀy alone. So there are five numbers, of which the lemma speaks; part 1 shows the vectors' half of the reduction, and
"runs" takes whole vectors through the algorithm as printed.
"""

from fractions import Fraction

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, mod_p, on, over_Q, proved_by_z3, simple
from ..fields import dot
from ..statement import Form, Statement, Status
from . import common

VARIABLES = ("mu1", "mu2", "ss", "sy", "yy")
AFTER_POWELL, DIFFERENCE = "mu2 sy - mu1 yy >= 0", "|mu2 s - mu1 y|^2 >= 0"
HYPOTHESES = {
    "mu1 > 0": lambda mu1, mu2, ss, sy, yy: mu1,
    "mu2 > 0": lambda mu1, mu2, ss, sy, yy: mu2,
    "ss >= 0": lambda mu1, mu2, ss, sy, yy: ss,
    "yy >= 0": lambda mu1, mu2, ss, sy, yy: yy,
    AFTER_POWELL: lambda mu1, mu2, ss, sy, yy: mu2 * sy - mu1 * yy,
}
VECTORS = HYPOTHESES | {DIFFERENCE: lambda mu1, mu2, ss, sy, yy: mu2 * mu2 * ss - 2 * mu1 * mu2 * sy + mu1 * mu1 * yy}


def inequality(conclusion, without=(), hypotheses=HYPOTHESES):
    """An inequality between the five numbers."""
    return Inequality(VARIABLES, {name: value for name, value in hypotheses.items() if name not in without}, conclusion)


def first(weight=1, without=()):
    """s̃ᵀỹ ≥ weight · μ₂ s̃ᵀs̃."""
    return inequality(lambda mu1, mu2, ss, sy, yy: sy + (1 - weight) * mu2 * ss, without)


def ratio(two, power=2, without=(), hypotheses=HYPOTHESES, over=1):
    """ỹᵀỹ ≤ μ₂(1/μ₁ + two/over) s̃ᵀỹ with ỹ = y + μ₂s̃, multiplied by μ₁; `power` that of μ₂ in ỹᵀỹ."""
    return inequality(lambda mu1, mu2, ss, sy, yy: mu2 * (over + two * mu1) * (sy + mu2 * ss)
                      - over * mu1 * (yy + 2 * mu2 * sy + mu2**power * ss), without, hypotheses)


def angle(four=4, over=1, without=()):
    """four/over · μ₁(1 + μ₁) s̃ᵀs̃ ỹᵀỹ ≤ (1 + 2μ₁)² (s̃ᵀỹ)²."""
    def conclusion(mu1, mu2, ss, sy, yy):
        s_y_t, y_y_t, twice = sy + mu2 * ss, yy + 2 * mu2 * sy + mu2 * mu2 * ss, 1 + 2 * mu1
        return over * twice * twice * s_y_t * s_y_t - four * mu1 * (1 + mu1) * ss * y_y_t
    return inequality(conclusion, without)


def draw(rng):
    """(μ₁, μ₂, s̃ᵀs̃, s̃ᵀy, yᵀy), now and then just below the first damping's bound."""
    mu1, mu2, ss, yy = Fraction(rng.randint(1, 9), 8), Fraction(rng.randint(1, 9), 8), simple(rng), simple(rng)
    return mu1, mu2, ss, mu1 / mu2 * yy + rng.choice([-1, 1, 1]) * simple(rng), yy


def draw_vectors(rng):
    """The same of two vectors of the plane: s̃ = (a, b) and y = (c, 0)."""
    mu1, mu2, a, b, c = Fraction(rng.randint(1, 8), 8), Fraction(rng.randint(1, 9), 8), simple(rng), simple(rng), simple(rng)
    a = rng.choice([a, mu1 / mu2 * c])
    return mu1, mu2, a * a + b * b, a * c, c * c


def runs(zero=False, first=1, two=2, H=lambda mu2: 1 / mu2):
    """Algorithm 11 on every pair of small vectors, both ratios by division; H = I/μ₂ as printed, or another multiple of I."""
    def claim():
        for mu1 in map(common.Q, (1, 1, 9), (10, 2, 10)):
            for mu2 in map(common.Q, (1, 1, 5), (3, 1, 1)):
                for s, y in common.pairs():
                    if not (zero or any(s) or any(y)):
                        continue
                    s_t, y_t = common.dp_dlm(s, y, common.identity(len(s), H(mu2)), mu1, mu2)
                    sy, shown = common.dot(s_t, y_t), f"μ₁ = {mu1}, μ₂ = {mu2}, s = {s}, y = {y}"
                    if sy == 0:
                        return Outcome(f"{shown}: s̃ᵀỹ = 0, both ratios are 0/0")
                    if sy < 0 or common.dot(s_t, s_t) / sy > 1 / (first * mu2):
                        return Outcome(f"{shown}: s̃ᵀs̃/s̃ᵀỹ = {common.dot(s_t, s_t) / sy}")
                    if common.dot(y_t, y_t) / sy > mu2 * (1 / mu1 + two):
                        return Outcome(f"{shown}: ỹᵀỹ/s̃ᵀỹ = {common.dot(y_t, y_t) / sy}")
        return Outcome(detail="all pairs with entries −1, 0, 2 in one and two dimensions, nine (μ₁, μ₂)")
    return claim


def lemma(**changes):
    """Both inequalities, and the algorithm's runs."""
    return {"runs": runs(), "first": first(), "second": ratio(2)} | changes


def powell(weight=1, mixing=1):
    """Where line 2 holds: μ₂ s̃ᵀy = μ₁ yᵀy for vectors of any length, θ₁ of line 3."""
    def pairs(field, n):
        s, y, mu1, mu2 = field.vector(n), field.vector(n), field.draw(), field.draw()
        Hyy, sy = dot(y, y) / mu2, dot(s, y)
        theta = (1 - weight * mu1) * Hyy / (Hyy - sy)
        s_t = s * theta + y * ((1 - theta) / mu2**mixing)
        yield mu2 * dot(s_t, y), mu1 * dot(y, y)
    return pairs


def denominator(strict=True):
    """The denominator of line 3 is positive where line 2 holds."""
    return Inequality(("mu1", "mu2", "sy", "yy"), {
        "1 - mu1 > 0": lambda mu1, mu2, sy, yy: 1 - mu1, "yy >= 0": lambda mu1, mu2, sy, yy: yy,
        "mu2 > 0": lambda mu1, mu2, sy, yy: mu2,
        **({"mu1 yy - mu2 sy > 0": lambda mu1, mu2, sy, yy: mu1 * yy - mu2 * sy} if strict else
           {"mu1 yy - mu2 sy >= 0": lambda mu1, mu2, sy, yy: mu1 * yy - mu2 * sy}),
    }, lambda mu1, mu2, sy, yy: yy - mu2 * sy, strict=True)


def chain(damped=True, two=2):
    """ỹᵀỹ = yᵀy + 2μ₂s̃ᵀy + μ₂²s̃ᵀs̃ = yᵀy + 2μ₂s̃ᵀ(ỹ − μ₂ ·) + μ₂²s̃ᵀs̃ with s̃, or s, for the dot."""
    def pairs(field, n):
        s, s_t, y, mu2 = field.vector(n), field.vector(n), field.vector(n), field.draw()
        y_t = y + s_t * mu2
        first_form = dot(y, y) + two * mu2 * dot(s_t, y) + mu2**2 * dot(s_t, s_t)
        yield dot(y_t, y_t), first_form
        yield first_form, dot(y, y) + 2 * mu2 * dot(s_t, y_t - (s_t if damped else s) * mu2) + mu2**2 * dot(s_t, s_t)
    return pairs


SECOND = certified(Term(1, (AFTER_POWELL,), lambda *_: 1), Term(1, ("ss >= 0",), lambda mu1, mu2, *_: mu2),
                   Term(1, ("mu1 > 0", "ss >= 0"), lambda mu1, mu2, *_: mu2))
DAMPED_FIRST = "s̃ᵀy >= (μ₁/μ₂) yᵀy, which the first damping ensures (part 1)"

STATEMENTS = (
    Statement(
        "R.Lem.4", "Section 3.6",
        Form("the output of D_P(I) D_LM satisfies s̃ᵀs̃/s̃ᵀỹ <= 1/μ₂ and ỹᵀỹ/s̃ᵀỹ <= 1/μ₃, μ₃ = μ₁/(μ₂(1 + 2μ₁))",
             lemma(runs=runs(zero=True))),
        checks=(on("runs", claimed(Status.SAMPLED, "Algorithm 11 as printed, in exact numbers")),
                on("first", certified(Term(1, (AFTER_POWELL,), lambda *_: 1), Term(1, ("mu1 > 0", "yy >= 0"), lambda *_: 1),
                                      factor=("mu2 > 0",))),
                on("second", SECOND), on("first", hunted(draw, 500)), on("second", hunted(draw, 500))),
        mutants=(Form("s̃ᵀs̃/s̃ᵀỹ <= 1/(2μ₂)", {"runs": runs(first=2)}),
                 Form("μ₃ = 1/(μ₂(1/μ₁ + 1/2))", {"runs": runs(two=common.Q(1, 2))}),
                 Form("Algorithm 8 with H = I/(10 μ₂)", {"runs": runs(H=lambda mu2: 1 / (10 * mu2))}),
                 Form("s̃ᵀs̃/s̃ᵀỹ <= 1/(2μ₂), between numbers", {"first": first(weight=2)}),
                 Form("the second without s̃ᵀy >= (μ₁/μ₂) yᵀy", {"second": ratio(2, without=(AFTER_POWELL,))})),
        hypotheses=("0 < μ₁ < 1, μ₂ > 0", "(s̃, ỹ) is the output of Algorithm 11"),
        repaired=Form("the same for (s, y) ≠ (0, 0)", lemma()),
        sharpness=(on("first", attained_at(Fraction(1, 5), 3, 2, 0, 0)),),
        errata=(21,),
        note="The first constant is attained (y = 0); the second is not: μ₂(1/μ₁ + 1) will do, and is attained (part 6). Both at "
             "once never are (part 7). s = y = 0, the first pair of a dead layer, comes back unchanged."),
    Statement(
        "R.Lem.4/1", "Section 3.6, proof of Lemma 4, first sentence; Algorithm 11, lines 2 to 7",
        Form("s̃ᵀy >= (μ₁/μ₂) yᵀy", {"damped": powell(), "denominator": denominator()}),
        checks=(on("damped", over_Q()), on("damped", mod_p(lambda n: 20)), on("denominator", proved_by_z3())),
        mutants=(Form("θ₁ = (1 − 2μ₁)…", {"damped": powell(weight=2)}), Form("mixing with y", {"damped": powell(mixing=0)}),
                 Form("damping where sᵀy <= μ₁ yᵀHy", {"denominator": denominator(strict=False)})),
        note="An equality wherever the damping acts; elsewhere it is the test of line 2. The denominator of line 3 is never 0: "
             "with <= for < in line 2 it is, at y = 0."),
    Statement(
        "R.Lem.4/2", "Section 3.6, second inequality of Lemma 4",
        Form("ỹᵀỹ / s̃ᵀỹ <= 1/μ₃ with μ₃ = μ₁ / (μ₂(1 + 2μ₁))", ratio(2)),
        checks=(SECOND, proved_by_z3(), hunted(draw, 500)),
        mutants=(Form("1/(2μ₁) for 1/μ₁ + 2", ratio(0)), Form("μ₂³ in ỹᵀỹ", ratio(2, power=1)),
                 Form("without s̃ᵀy >= (μ₁/μ₂) yᵀy", ratio(2, without=(AFTER_POWELL,)))),
        hypotheses=("ỹ = y + μ₂s̃", DAMPED_FIRST)),
    Statement(
        "R.Lem.4/3", "Section 3.6, first inequality of Lemma 4",
        Form("s̃ᵀỹ = s̃ᵀy + μ₂s̃ᵀs̃ >= μ₂s̃ᵀs̃", first()),
        checks=(proved_by_z3(), hunted(draw, 500)),
        mutants=(Form("2μ₂", first(weight=2)), Form("(3/2)μ₂", first(weight=Fraction(3, 2))),
                 Form("without s̃ᵀy >= (μ₁/μ₂) yᵀy", first(without=(AFTER_POWELL,)))),
        hypotheses=("ỹ = y + μ₂s̃", DAMPED_FIRST), sharpness=(attained_at(Fraction(1, 5), 3, 2, 0, 0),)),
    Statement(
        "R.Lem.4/4", "Section 3.6, proof of Lemma 4, first line of the display",
        Form("ỹᵀỹ = yᵀy + 2μ₂s̃ᵀy + μ₂²s̃ᵀs̃ = yᵀy + 2μ₂s̃ᵀ(ỹ − μ₂s) + μ₂²s̃ᵀs̃", chain(damped=False)),
        checks=(over_Q(), mod_p(lambda n: 6)),
        mutants=(Form("s̃ for s, without the 2 in the middle", chain(two=1)),),
        repaired=Form("… = yᵀy + 2μ₂s̃ᵀ(ỹ − μ₂s̃) + μ₂²s̃ᵀs̃", chain()),
        errata=(11,), note="s̃, with its tilde, in the bracket: ỹ − μ₂s̃ is y.",
        pinned="equalities of quadratic forms: every other coefficient breaks them"),
    Statement(
        "R.Lem.4/5", "Section 3.6, proof of Lemma 4, second line of the display",
        Form("ỹᵀỹ <= yᵀy + 2μ₂s̃ᵀỹ <= μ₂(1/μ₁ + 2) s̃ᵀỹ",
             {"left": inequality(lambda mu1, mu2, ss, sy, yy: 2 * mu2 * (sy + mu2 * ss) - 2 * mu2 * sy - mu2 * mu2 * ss),
              "right": inequality(lambda mu1, mu2, ss, sy, yy: mu2 * (sy + mu2 * ss) - mu1 * yy)}),
        checks=(on("left", certified(Term(1, ("ss >= 0",), lambda mu1, mu2, *_: mu2))),
                on("right", certified(Term(1, (AFTER_POWELL,), lambda *_: 1), Term(1, ("ss >= 0",), lambda mu1, mu2, *_: mu2))),
                on("left", hunted(draw, 500)), on("right", hunted(draw, 500))),
        mutants=(Form("ỹᵀỹ <= yᵀy + μ₂s̃ᵀỹ", {"left": inequality(
            lambda mu1, mu2, ss, sy, yy: mu2 * (sy + mu2 * ss) - 2 * mu2 * sy - mu2 * mu2 * ss)}),
                 Form("yᵀy <= (μ₂/2μ₁) s̃ᵀỹ", {"right": inequality(
                     lambda mu1, mu2, ss, sy, yy: mu2 * (sy + mu2 * ss) - 2 * mu1 * yy)}),
                 Form("the second without s̃ᵀy >= (μ₁/μ₂) yᵀy", {"right": inequality(
                     lambda mu1, mu2, ss, sy, yy: mu2 * (sy + mu2 * ss) - mu1 * yy, without=(AFTER_POWELL,))})),
        hypotheses=("ỹ = y + μ₂s̃", DAMPED_FIRST),
        note="The first step gives away μ₂²s̃ᵀs̃, the second as much again over μ₁: hence a constant that is not attained."),
    Statement(
        "R.Lem.4/6", "not printed: the best second constant",
        Form("ỹᵀỹ / s̃ᵀỹ <= μ₂(1/μ₁ + 1)", ratio(1, hypotheses=VECTORS)),
        checks=(certified(Term(1, (AFTER_POWELL,), lambda *_: 1), Term(1, ("mu1 > 0", AFTER_POWELL), lambda *_: 1),
                          Term(1, (DIFFERENCE,), lambda *_: 1)), proved_by_z3(), hunted(draw_vectors, 500)),
        mutants=(Form("1/μ₁ + 1/2", ratio(1, hypotheses=VECTORS, over=2)), Form("1/μ₁", ratio(0, hypotheses=VECTORS)),
                 Form("of numbers that belong to no vectors", ratio(1)),
                 Form("without s̃ᵀy >= (μ₁/μ₂) yᵀy", ratio(1, without=(AFTER_POWELL,), hypotheses=VECTORS))),
        hypotheses=("ỹ = y + μ₂s̃", DAMPED_FIRST, "‖μ₂s̃ − μ₁y‖² >= 0, as of all vectors"),
        sharpness=(attained_at(Fraction(1, 5), 1, Fraction(1, 25), Fraction(1, 5), 1),),
        note="Attained where s̃ = μ₁y/μ₂, that is for every pair with y in the direction of −s: μ₁(ỹᵀỹ) = μ₂(1 + μ₁) s̃ᵀỹ − (1 + "
             "μ₁)(μ₂s̃ᵀy − μ₁yᵀy) − ‖μ₂s̃ − μ₁y‖²."),
    Statement(
        "R.Lem.4/7", "not printed: both ratios at once",
        Form("(s̃ᵀs̃/s̃ᵀỹ)(ỹᵀỹ/s̃ᵀỹ) <= 1 + 1/(4μ₁(1 + μ₁))", angle()),
        checks=(certified(Term(1, (), lambda mu1, mu2, ss, sy, yy: mu2 * ss - (1 + 2 * mu1) * sy),
                          Term(4, ("ss >= 0", AFTER_POWELL), lambda *_: 1),
                          Term(4, ("mu1 > 0", "ss >= 0", AFTER_POWELL), lambda *_: 1)), hunted(draw, 500)),
        mutants=(Form("1/(5μ₁(1 + μ₁))", angle(5)), Form("1/(4.1μ₁(1 + μ₁))", angle(41, over=10)),
                 Form("without s̃ᵀy >= (μ₁/μ₂) yᵀy", angle(without=(AFTER_POWELL,)))),
        hypotheses=("ỹ = y + μ₂s̃", DAMPED_FIRST),
        sharpness=(attained_at(Fraction(1, 3), 1, Fraction(5, 9), Fraction(1, 3), 1),),
        note="1/cos² of the angle between s̃ and ỹ. The proof of Lemma 6 multiplies the two constants instead, 1/(μ₂μ₃) = 2 + "
             "1/μ₁, which for μ₁ = 1/5 is 7 in place of 49/24. Attained by s = (1/3, 2/3), y = (1, 0), μ₁ = 1/3, μ₂ = 1."),
)
