"""R Lemma 1: the eigenvalues of A_l + λ_A I. The form is the bound of ‖A_l‖; layers are shown by what they read, exactly."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, proved_by_z3, refuted_at, simple
from ..fields import Matrix, outer
from ..statement import Form, Statement, Status
from .common import Q, column, eye, semidefinite

Vectors = list[list[Any]]


class Layer(NamedTuple):
    """What a layer reads in a run: batches of vectors without their 1, the first of which gives A(0).

    first   does it read data, rather than activations bounded by φ?
    phi     the bound of the activation functions; d the number of inputs; longest = max ‖x‖² over the data.
    """

    name: str
    batches: list[Vectors]
    first: bool
    phi: Any
    d: int
    longest: Any


def averages(layer: Layer, beta: Any) -> Iterator[Matrix]:
    """A(0), A(1), …: line 21 of Algorithm 5 over homogeneous vectors."""
    A = None
    for batch in layer.batches:
        mean = sum((outer(column(*a, 1), column(*a, 1)) for a in batch[1:]), outer(column(*batch[0], 1), column(*batch[0], 1)))
        mean = mean * (1 / Q(len(batch)))
        A = mean if A is None else beta * A + (1 - beta) * mean
        yield A


def layers() -> Iterator[Layer]:
    """Data of length 10; activations at their bound, all with one sign and with both; random ones."""
    yield Layer("first layer, x = 10, tanh (φ = 1)", [[[10]]], True, Q(1), 1, Q(100))
    yield Layer("first layer, x = (3, 4), sigmoid (φ = 1)", [[[3, 4]], [[0, 0]]], True, Q(1), 2, Q(25))
    for phi in (Q(1, 2), Q(1), Q(3)):
        yield Layer(f"activations all at φ = {phi}", [[[phi] * 4]] * 3, False, phi, 4, Q(1))
        yield Layer(f"activations ± {phi}", [[[phi, -phi], [-phi, -phi]], [[phi, phi]]], False, phi, 2, Q(1))
    rng = random.Random(0)
    for _ in range(12):
        d, phi = rng.randint(1, 3), Q(rng.randint(1, 8), 4)
        batches = [[[phi * Q(rng.randint(-8, 8), 8) for _ in range(d)] for _ in range(rng.randint(1, 3))] for _ in range(3)]
        yield Layer("random activations", batches, False, phi, d, Q(1))


def bounded(most: Callable[[Layer], Any], inverse: Any = 1) -> Callable[[], Outcome]:
    """I/(most + λ) ⪯ (A + λI)⁻¹ ⪯ inverse/λ · I along every layer, for two λ."""
    def claim() -> Outcome:
        for layer in layers():
            for A in averages(layer, Q(9, 10)):
                for lam in (Q(1, 10), Q(2)):
                    H = (A + eye(layer.d + 1, lam)).inv()
                    if not semidefinite(H - eye(layer.d + 1, 1 / (most(layer) + lam))):
                        return Outcome(f"{layer.name}: ‖A‖ > {most(layer)}")
                    if not semidefinite(eye(layer.d + 1, inverse / lam) - H):
                        return Outcome(f"{layer.name}: H_a is not ⪯ {inverse}/λ I")
        return Outcome()
    return claim


NAMES = ("a1", "a2", "x1", "x2", "x3")


def cauchy(homogeneous: int = 1, cross: int = 1) -> Inequality:
    """⟨ā, x⟩² ≤ ‖x‖²‖ā‖² for ā = (a₁, a₂, 1)."""
    return Inequality(NAMES, {}, lambda a1, a2, x1, x2, x3: (x1 * x1 + x2 * x2 + x3 * x3) * (a1 * a1 + a2 * a2 + homogeneous)
                      - cross * (a1 * x1 + a2 * x2 + x3) * (a1 * x1 + a2 * x2 + x3))


SIZES = {"phi - a >= 0": lambda phi, a, b: phi - a, "phi + a >= 0": lambda phi, a, b: phi + a,
         "phi - b >= 0": lambda phi, a, b: phi - b, "phi + b >= 0": lambda phi, a, b: phi + b}


def length(one: int = 1, d: int = 2, without: str = "") -> Inequality:
    """‖ā‖² = 1 + a² + b² ≤ 1 + φ²d for d = 2."""
    return Inequality(("phi", "a", "b"), {name: of for name, of in SIZES.items() if name != without},
                      lambda phi, a, b: one + d * phi * phi - 1 - a * a - b * b)


def draw_length(rng):
    """(φ, a, b) with |a|, |b| at φ now and then."""
    phi = simple(rng)
    return phi, phi * rng.choice([-1, 1, Fraction(1, 2)]), phi * rng.choice([-1, 1, Fraction(-1, 3), 2])


def average(share: int = 1, without: str = "") -> Inequality:
    """βa + (1 − β)m ≤ b where a ≤ b and m ≤ b, β in [0, 1]."""
    hypotheses = {"beta >= 0": lambda beta, a, m, b: beta, "1 - beta >= 0": lambda beta, a, m, b: 1 - beta,
                  "b - a >= 0": lambda beta, a, m, b: b - a, "b - m >= 0": lambda beta, a, m, b: b - m}
    return Inequality(("beta", "a", "m", "b"), {name: of for name, of in hypotheses.items() if name != without},
                      lambda beta, a, m, b: b - beta * a - share * (1 - beta) * m)


def draw_average(rng):
    """(β, a, m, b) with ties."""
    b = simple(rng)
    return (Fraction(rng.randint(0, 5), rng.choice([4, 5])), b - rng.choice([-1, 0, 1, 1]) * simple(rng),
            b - rng.choice([-1, 0, 1, 1]) * simple(rng), b)


STATEMENTS = (
    Statement(
        "R.Lem.1", "Section 2.7",
        Form("1/(1 + φ²d_l + λ_A) I ⪯ H_a^l(k) ⪯ (1/λ_A) I for all k, l", bounded(lambda layer: 1 + layer.phi**2 * layer.d)),
        checks=(claimed(Status.EXACT_Q, "A(k) of layers that read data or activations, β = 9/10"),),
        mutants=(Form("φ²d_l without the 1", bounded(lambda layer: max(layer.phi**2 * layer.d, layer.longest))),
                 Form("1 + φ²", bounded(lambda layer: 1 + max(layer.phi**2, layer.longest))),
                 Form("1 + φd_l", bounded(lambda layer: 1 + max(layer.phi * layer.d, layer.longest))),
                 Form("1/(2λ_A) above", bounded(lambda layer: 1 + max(layer.phi**2 * layer.d, layer.longest), Q(1, 2)))),
        hypotheses=("Assumption 3: |φ_l(h)| ≤ φ",),
        repaired=Form("1 + φ²d for layers that read activations, 1 + max_i ‖x(i)‖² for the first; d the number of inputs",
                      bounded(lambda layer: 1 + (layer.longest if layer.first else layer.phi**2 * layer.d))), errata=(32,),
        note="For finite data some positive constants exist, as the lemma says; the printed ones are wrong for the first "
             "layer. d_l, which the chapter does not define, must be the number of inputs of layer l. Both ends are attained: by "
             "activations that are all ±φ, and by a batch that does not span. Proof: R.Lem.1/1 to /3."),
    Statement(
        "R.Lem.1/1", "Section 2.7, proof",
        Form("⟨ā, x⟩² ≤ ‖x‖²‖ā‖² (Cauchy–Schwarz), shown in three dimensions", cauchy()),
        checks=(certified(Term(1, (), lambda a1, a2, x1, x2, x3: a1 * x2 - a2 * x1),
                          Term(1, (), lambda a1, a2, x1, x2, x3: a1 * x3 - x1),
                          Term(1, (), lambda a1, a2, x1, x2, x3: a2 * x3 - x2)),
                hunted(lambda rng: [simple(rng, sign=True) for _ in range(5)]), refuted_at(1, 1, 1, 1, 1)),
        mutants=(Form("‖a‖² for ‖ā‖²", cauchy(homogeneous=0)), Form("2⟨ā, x⟩²", cauchy(cross=2)),
                 Form("4⟨ā, x⟩²", cauchy(cross=4))),
        sharpness=(attained_at(2, 3, 4, 6, 2),), errata=(10,),
        note="The printed line writes a for ā in the middle; its end has the 1. Lagrange's identity is the certificate."),
    Statement(
        "R.Lem.1/2", "Section 2.7, proof",
        Form("‖ā‖² ≤ 1 + φ²d, shown for d = 2", length()),
        checks=(certified(Term(1, ("phi - a >= 0", "phi + a >= 0"), lambda *_: 1),
                          Term(1, ("phi - b >= 0", "phi + b >= 0"), lambda *_: 1)),
                proved_by_z3(), hunted(draw_length, tries=1000)),
        mutants=(Form("φ²d", length(one=0)), Form("1 + φ²", length(d=1)), Form("without b ≤ φ", length(without="phi - b >= 0"))),
        sharpness=(attained_at(1, 1, -1),)),
    Statement(
        "R.Lem.1/3", "Section 2.7, proof: induction",
        Form("‖A(k)‖ ≤ β‖A(k − 1)‖ + (1 − β) b ≤ b", average()),
        checks=(certified(Term(1, ("beta >= 0", "b - a >= 0"), lambda *_: 1),
                          Term(1, ("1 - beta >= 0", "b - m >= 0"), lambda *_: 1)),
                proved_by_z3(), hunted(draw_average, tries=1000)),
        mutants=(Form("β‖A‖ + 2(1 − β)b", average(share=2)), Form("without β ≤ 1", average(without="1 - beta >= 0")),
                 Form("without ‖A(0)‖ ≤ b", average(without="b - a >= 0"))),
        sharpness=(attained_at(Fraction(1, 2), 1, 1, 1),)),
)
