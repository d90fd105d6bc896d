"""The checks: each takes the form of a statement and says whether it stands, and by what evidence.

`identity` decides equalities in two fields. An `Inequality` is written once, in numbers that may be z3's, polynomials or rationals:
`proved_by_z3`, `certified`, `refuted_at`, `hunted` and `attained_at` all evaluate that one text.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import flint

from ..arrays.errors import expect
from .fields import PRIMES, Field
from .statement import Check, Finding, Form, Status

Number = Any

# ------------------------------------------------------------------------------------------------------------------ identities

Identity = Callable[[Field, int], Iterable[tuple[Any, Any]]]
"""A form for `over_Q` and `mod_p`: draws its variables from the field, for a size n, and yields pairs that should be equal."""


def _difference(code: Identity, field: Field, n: int) -> int | None:
    """Which pair, counted from 1, differs; None where all agree."""
    pairs = list(code(field, n))
    expect(pairs, "identity", "at least one pair", "an empty form would hold", "none")
    return next((k for k, (left, right) in enumerate(pairs, 1) if left != right), None)


def over_Q(sizes: Sequence[int] = (1, 2, 3), repeats: int = 5) -> Check:
    """Exactly at random rational points of small sizes; one that fails is a counterexample, a hit a proof at those points only."""
    def check(code: Identity) -> Finding:
        for n in sizes:
            for seed in range(repeats):
                pair = _difference(code, Field(None, seed), n)
                if pair is not None:
                    return Finding(False, Status.REFUTED, f"exactly over ℚ, n = {n}", f"pair {pair} differs at draw {seed}")
        return Finding(True, Status.EXACT_Q, f"{repeats} random rational points each for n = {', '.join(map(str, sizes))}")
    return check


def mod_p(degree: Callable[[int], int], n: int = 200) -> Check:
    """At one random point modulo each of two primes: a false identity passes with probability at most (D/(p−1))² in all.

    Takes    degree: a bound on D, the degree in the drawn numbers of the difference of both sides, denominators cleared, for n.
    """
    def check(code: Identity) -> Finding:
        D = degree(n)
        for p in PRIMES:
            if _difference(code, Field(p, n), n) is not None:
                return Finding(False, Status.REFUTED, f"mod {p}, n = {n}", f"differs at a random point mod {p}, n = {n}")
        bound = 1.0
        for p in PRIMES:
            bound *= D / (p - 1)
        return Finding(True, Status.EXACT_P, f"n = {n}, degree at most {D}, p = 2⁶¹ − 1 and 2⁶³ − 25: error probability below "
                                             f"{bound:.0e} (Schwartz–Zippel)")
    return check


# ---------------------------------------------------------------------------------------------------------------- inequalities

RELATIONS: dict[str, Callable[[Any], Any]] = {">=": lambda v: v >= 0, ">": lambda v: v > 0, "=": lambda v: v == 0}
"""What a hypothesis says of its value; its name ends with this sign and 0."""


class Inequality(NamedTuple):
    """For all real numbers named `variables`: where every hypothesis holds, `conclusion` is ≥ 0.

    variables    names, in order.
    hypotheses   by name, "… >= 0", "… > 0" or "… = 0", a function of the variables.
    conclusion   a function of the variables that is to be ≥ 0.
    strict       is it to be > 0?

    The functions use + − · and whole constants or Fractions alone, so that they work on every kind of number: polynomials.
    """

    variables: tuple[str, ...]
    hypotheses: Mapping[str, Callable[..., Number]]
    conclusion: Callable[..., Number]
    strict: bool = False


def satisfied(form: Inequality, point: Sequence[Any]) -> bool:
    """Do all hypotheses hold at a point of rationals?"""
    return all(_holds(name, value(*point)) for name, value in form.hypotheses.items())


def _holds(name: str, value: Any) -> bool:
    return bool(RELATIONS[name.split()[-2]](value))


def violated(form: Inequality, point: Sequence[Any]) -> bool:
    """Do all hypotheses hold at a point of rationals, and the conclusion not?"""
    value = form.conclusion(*point)
    return satisfied(form, point) and not (value > 0 if form.strict else value >= 0)


def _shown(form: Inequality, point: Sequence[Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in zip(form.variables, point, strict=True))


def refuted_at(*point: Any) -> Check:
    """A counterexample, verified exactly: the hypotheses hold at the point and the conclusion does not."""
    exact = [Fraction(x) for x in point]

    def check(form: Inequality) -> Finding | None:
        if len(form.variables) == len(exact) and violated(form, exact):
            return Finding(False, Status.REFUTED, "a counterexample, exact", f"{_shown(form, exact)}: "
                           f"{form.conclusion(*exact)} is not {'>' if form.strict else '>='} 0")
        return None
    return check


def attained_at(*point: Any) -> Check:
    """Sharpness: at the point, which satisfies the hypotheses, the conclusion is an equality."""
    exact = [Fraction(x) for x in point]

    def check(form: Inequality) -> Finding:
        equal = satisfied(form, exact) and form.conclusion(*exact) == 0
        return Finding(equal, Status.EXACT_Q if equal else Status.NOT_PROVED, "equality is attained", _shown(form, exact))
    return check


def proved_by_z3(seconds: int = 60) -> Check:
    """That no real point satisfies the hypotheses and not the conclusion, by z3; its own counterexample is verified exactly."""
    def check(form: Inequality) -> Finding | None:
        import z3

        xs = [z3.Real(name) for name in form.variables]
        solver = z3.SolverFor("QF_NRA")
        solver.set("timeout", 1000 * seconds)
        for name, value in form.hypotheses.items():
            solver.add(RELATIONS[name.split()[-2]](value(*xs)))
        expect(solver.check() == z3.sat, "hypotheses", "a point that satisfies them", "otherwise anything follows", "none")
        v = form.conclusion(*xs)
        solver.add(v <= 0 if form.strict else v < 0)
        answer = solver.check()
        if answer == z3.unsat:
            return Finding(True, Status.Z3, "nonlinear real arithmetic; the hypotheses are satisfiable")
        if answer == z3.unknown:
            return None
        model = solver.model()
        values = [model.eval(x, model_completion=True) for x in xs]
        if not all(z3.is_rational_value(value) for value in values):
            return Finding(False, Status.REFUTED, "z3 has a counterexample with irrational entries")
        point = [Fraction(value.numerator_as_long(), value.denominator_as_long()) for value in values]
        expect(violated(form, point), "z3", "a counterexample that is one", "it is evaluated exactly", _shown(form, point))
        return Finding(False, Status.REFUTED, "z3's counterexample, evaluated exactly")
    return check


class Term(NamedTuple):
    """c · (product of hypotheses) · square²: not negative where the hypotheses hold, since c > 0."""

    c: Any
    hypotheses: tuple[str, ...]
    square: Callable[..., Number]


def certified(*terms: Term, factor: tuple[str, ...] = ()) -> Check:
    """A certificate: (product of strict hypotheses named in `factor`) · conclusion = Σ of the terms, as polynomials over ℚ.

    A term may hold an equality among its hypotheses; then its c and square are any. A reader checks one identity of polynomials.
    """
    def check(form: Inequality) -> Finding | None:
        if form.strict:
            return None                    # a sum of terms can vanish
        expect(all(name.endswith(" > 0") for name in factor), "factor", "strict hypotheses", "one divides by them", factor)
        ring = flint.fmpq_mpoly_ctx.get(form.variables, "lex")
        xs = ring.gens()
        known = all(name in form.hypotheses for term in terms for name in term.hypotheses) and \
            all(name in form.hypotheses for name in factor)
        if not known:
            return Finding(False, Status.NOT_PROVED, "the certificate uses a hypothesis that the form lacks")

        def poly(value: Any) -> Any:
            return value if isinstance(value, flint.fmpq_mpoly) else ring.constant(flint.fmpq(Fraction(value).numerator,
                                                                                              Fraction(value).denominator))

        def product(names: Iterable[str]) -> Any:
            total = ring.constant(1)
            for name in names:
                total *= poly(form.hypotheses[name](*xs))
            return total

        total = ring.constant(0)
        for term in terms:
            free = any(name.endswith(" = 0") for name in term.hypotheses)
            expect(free or Fraction(term.c) > 0, "certificate", "a positive weight", "the term is not negative", term.c)
            square = poly(term.square(*xs))
            total += poly(Fraction(term.c)) * product(term.hypotheses) * (square if free else square * square)
        if poly(form.conclusion(*xs)) * product(factor) != total:
            return Finding(False, Status.NOT_PROVED, "the certificate's identity of polynomials fails")
        return Finding(True, Status.CERTIFICATE, f"an identity of polynomials with {len(terms)} terms")
    return check


def simple(rng: random.Random, sign: bool = False) -> Fraction:
    """A number for a hunt: 0 and 1 often, else a fraction from 1/64 to 64; negative ones too if `sign`."""
    size = rng.choice([Fraction(0), Fraction(1), Fraction(rng.randint(1, 64), rng.choice([1, 2, 7, 64]))])
    return size * rng.choice([-1, 1]) if sign else size


def hunted(draw: Callable[[random.Random], Sequence[Any]], tries: int = 2000) -> Check:
    """A hunt: rational points that `draw` makes, corners and ties among them; a violation is a counterexample.

    Takes    draw: from a random.Random, a point whose entries are whole numbers or Fractions; most should satisfy the hypotheses.
    """
    def check(form: Inequality) -> Finding | None:
        rng, valid = random.Random(0), 0
        for _ in range(tries):
            point = [Fraction(x) for x in draw(rng)]
            if len(point) != len(form.variables) or not satisfied(form, point):
                continue
            valid += 1
            if violated(form, point):
                return Finding(False, Status.REFUTED, "a hunt, verified exactly", _shown(form, point))
        expect(valid * 20 >= tries, "hunt", "at least one point in twenty that satisfies the hypotheses", "it would find nothing",
               f"{valid} of {tries}")
        return Finding(True, Status.SAMPLED, f"no counterexample among {valid} rational points that satisfy the hypotheses")
    return check


# ------------------------------------------------------------------------------------------------------- everything else

class Outcome(NamedTuple):
    """What a claim's code found: what contradicts it ("" where it stands), and a figure worth telling."""

    against: str = ""
    detail: str = ""


def claimed(status: Status, method: str) -> Check:
    """For a form that is a function without arguments and returns an `Outcome`: it enumerates, runs an algorithm, or counts.

    Takes    status: the kind of evidence it gives where it stands; a contradiction is a counterexample and has to be exact, or to
             exceed every error that the function's arithmetic can make.
    """
    def check(code: Callable[[], Outcome]) -> Finding:
        outcome = code()
        if outcome.against:
            return Finding(False, Status.REFUTED, method, outcome.against)
        return Finding(True, status, method, outcome.detail)
    return check


def on(part: str, check: Check) -> Check:
    """The check of one part of a form that has several: its code maps their names to what their checks take."""
    def named(code: Mapping[str, Any]) -> Finding | None:
        finding = check(code[part]) if part in code else None
        return finding._replace(method=f"{part}: {finding.method}") if finding else None
    return named


def not_checkable(why: str) -> Check:
    """For what no code decides: a remark, an assumption about quantities that nobody has."""
    return lambda _: Finding(True, Status.NOT_CHECKABLE, why)


def also(form: Form, *checks: Check) -> Check:
    """Sharpness that is a statement of its own: what a check finds about `form`, whichever form is examined."""
    def check(_: Any) -> Finding:
        found = [finding for one in checks if (finding := one(form.code)) is not None]
        expect(found, form.text, "at least one finding", "it is told as sharpness", "none")
        worst = min(found, key=lambda finding: finding.accepted)
        return Finding(worst.accepted, worst.status, form.text, "; ".join(
            finding.method + (f" ({finding.detail})" if finding.detail else "") for finding in found))
    return check
