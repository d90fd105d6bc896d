"""R Lemma 2: bounds of H_g in Algorithm 5. The steps of its proof are in `lemma_2_steps`.

A pair that Algorithm 5 uses satisfies yᵀH̄y/sᵀy ≤ 1/μ₁ with the H̄ of its own step, and sᵀs/sᵀy ≤ 1/μ₂; L-BFGS then applies it to
another matrix. Written B̄ = H̄⁻¹, what (2.6) gives is ‖B_i‖ ≤ ‖B_{i−1}‖ + yᵀy/sᵀy ≤ ‖B_{i−1}‖ + ‖B̄‖/μ₁: bounds of one step
enter those of the next p, and no constant comes of it. Forms are bounds, tried on sequences of pairs over ℚ, and proved where
B ≤ 1 + Σ (of the last p pairs) yᵀy/sᵀy shows them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flint

from ..fields import Matrix, dot
from ..statement import Finding, Form, Statement, Status
from .common import Q, above_root, column, eye, lbfgs_H, number, semidefinite

FIFTH, HALF = Q(1, 5), Q(1, 2)


class Bounds(NamedTuple):
    """H_g(k) ⪰ I/steep(x, p, k) and H_g(k) ⪯ flat(x, z, p, k) I, where x = 1/μ₁, z = 1/μ₂ and k counts the pairs that were used.

    own     is line 17 as printed, with the H̄ of the pair's own step?  Otherwise it has the identity: s̃ᵀỹ ≥ μ₁ỹᵀỹ.
    """

    steep: Callable[..., Any]
    flat: Callable[..., Any] | None = None
    own: bool = True


Pairs = list[tuple[Matrix, Matrix]]


def used(form: Bounds, pairs: Pairs, mu1: Any, mu2: Any, p: int) -> Iterator[tuple[int, Matrix]]:
    """k and H_g(k) along a sequence: pairs that fail line 17, or sᵀs/sᵀy ≤ 1/μ₂ (which the damping ensures), are skipped."""
    kept: Pairs = []
    H, k = eye(pairs[0][0].nrows()), 0
    for s, y in pairs:
        tested = H if form.own else eye(H.nrows())
        if dot(s, y) <= 0 or dot(s, y) < mu1 * dot(y, tested * y) or dot(s, y) < mu2 * dot(s, s):
            continue
        kept, k = [*kept, (s, y)][-p:], k + 1
        H = lbfgs_H(H.nrows(), kept)
        yield k, H


def ladder(length: int) -> Pairs:
    """One dimension, every pair as steep as line 17 lets it: y = s/μ₁^k."""
    return [(column(1), column(5**k)) for k in range(1, length + 1)]


def turned() -> Pairs:
    """A ladder of two in direction e₁, then a pair whose s leans towards e₂: H grows along it."""
    pairs = [(column(1, 0), column(5**k, 0)) for k in (1, 2)]
    return [*pairs, (column(Q(1, 125), Q(1, 12)), column(1, 0))]


TIGHT = (column(1, 0), column(1, 2))
"""sᵀs/sᵀy = 1 and yᵀy/sᵀy = 5: both bounds are attained for μ₁ = 1/5, μ₂ = 1."""


def drawn(rng: random.Random, mu1: Any, mu2: Any, p: int) -> Pairs:
    """Random pairs in two dimensions, y as long as line 17 lets it, now and then as short as the second bound does."""
    kept: Pairs = []
    for _ in range(8):
        s, y = (column(rng.randint(-8, 8), rng.randint(-8, 8)) for _ in range(2))
        if dot(s, y) < 0:
            y = Q(-1) * y
        if dot(s, y) > 0:
            H = lbfgs_H(2, kept[-p:])
            longest, shortest = dot(s, y) / (mu1 * dot(y, H * y)), mu2 * dot(s, s) / dot(s, y)
            if shortest <= longest:
                kept.append((s, (shortest if rng.random() < 0.2 else longest) * y))
    return kept


def sequences() -> Iterator[tuple[str, Any, Any, int, Pairs]]:
    """Name, μ₁, μ₂, p and pairs."""
    for p in (1, 2, 3):
        yield f"n = 1, p = {p}, pairs (s, y) = (1, 5), (1, 25), …", FIFTH, Q(1), p, ladder(2 * p + 2)
    yield "n = 2, p = 1, the pair ((1, 0), (1, 2)), for which both ratios are ties", FIFTH, Q(1), 1, [TIGHT]
    yield "n = 2, p = 1, pairs ((1, 0), (5, 0)), ((1, 0), (25, 0)), ((1/125, 1/12), (1, 0))", FIFTH, Q(1), 1, turned()
    rng = random.Random(0)
    for _ in range(60):
        mu1, mu2, p = rng.choice([FIFTH, HALF, Q(9, 10)]), rng.choice([Q(1), HALF, Q(1, 16)]), rng.choice([1, 2, 4])
        pairs = drawn(rng, mu1, mu2, p)
        if pairs:
            yield f"n = 2, p = {p}, random pairs", mu1, mu2, p, pairs


def on_sequences(form: Bounds) -> Finding:
    """Both bounds along every sequence, exactly."""
    tried = 0
    for name, mu1, mu2, p, pairs in sequences():
        for k, H in used(form, pairs, mu1, mu2, p):
            x, z, tried = 1 / mu1, 1 / mu2, tried + 1
            low = semidefinite(H - eye(H.nrows(), 1 / number(form.steep(x, p, k))))
            high = form.flat is None or semidefinite(eye(H.nrows(), number(form.flat(x, z, p, k))) - H)
            if not (low and high):
                where = f"H_g = {H[0, 0]} after pair {k}" if H.nrows() == 1 else f"H_g after pair {k} is beyond the bound"
                return Finding(False, Status.REFUTED, "pairs that line 17 lets pass, exactly",
                               f"{name}, μ₁ = {mu1}, μ₂ = {mu2}: {where}{'' if low else ' from below'}")
    return Finding(True, Status.SAMPLED, f"exactly at {tried} updates along ladders and random sequences of pairs")


def recursion(p: int, k: int, own: bool) -> Any:
    """u_k, a polynomial in x = 1/μ₁: the bound of ‖B‖ that ‖B_i‖ ≤ ‖B_{i−1}‖ + x u_j gives, j the step before the pair's "
    "own."""
    x = flint.fmpq_poly([0, 1])
    u = [flint.fmpq_poly([1])]
    for i in range(1, k + 1):
        u.append(1 + sum((x * (u[j] if own else 1) for j in range(max(0, i - p), i)), flint.fmpq_poly([0])))
    return u[k]


def by_recursion(form: Bounds) -> Finding | None:
    """steep − u_k is a polynomial in 1/μ₁ without negative coefficients, and flat is at least what h_i = ωh_(i−1) + 1/μ₂ "
    "gives."""
    x = flint.fmpq_poly([0, 1])
    for p in range(1, 6):
        for k in range(1, 13):
            if any(c < 0 for c in (form.steep(x, p, k) - recursion(p, k, form.own)).coeffs()):
                return None
        for a, z in ((Q(5), Q(1)), (Q(10, 9), Q(2)), (Q(2), Q(7, 3)), (Q(1), Q(1))) if form.flat else ():
            for k in (p, 2 * p):
                h, omega = Q(1), a * z * ((1 + a) ** k if form.own else 1)
                for _ in range(p):
                    h = omega * h + z
                if not form.flat or form.flat(a, z, p, k) < h:
                    return None
    return Finding(True, Status.CERTIFICATE, "the bound of ‖B‖ less the one that the steps prove is a polynomial in 1/μ₁ with "
                                             "coefficients ≥ 0, for p ≤ 5 and k ≤ 12; that of ‖H‖ is the sum which the "
                                             "steps give")


def printed_flat(x: Any, z: Any, p: int, k: int) -> Any:
    """κ̄_g, with μ̂ = (1 + √(x z (1 + x)^p))² rounded up (z = 1/μ₂)."""
    hat = (1 + above_root(x * z * (1 + x) ** p)) ** 2
    return hat**p + (hat**p - 1) / (hat - 1) * z


def sharper_flat(ratio: Callable[[Any, int], Any]) -> Callable[..., Any]:
    """ω^p + z (1 + ω + … + ω^(p−1)) with ω = max(1, z ratio(x, k)), where yᵀy/sᵀy ≤ ratio: ‖I − ρsyᵀ‖² = sᵀs yᵀy/(sᵀy)² for n ≥ "
      "2."""
    def flat(x: Any, z: Any, p: int, k: int) -> Any:
        omega = max(ratio(x, k) * z, Q(1))
        return omega**p + z * sum(omega**i for i in range(p))
    return flat


def nearly_attained(form: Bounds) -> Finding:
    """For p = 1 and `TIGHT`: ‖H⁺‖ is the larger root of λ² − (ω + z)λ + z, within z/ω of the bound ω + z; ‖B⁺‖ ≥ x for n "
    "= 1."""
    (_, H), = used(form, [TIGHT], FIFTH, Q(1), 1)
    (_, steep), = used(form, ladder(1), FIFTH, Q(1), 1)
    x, z = Q(5), Q(1)
    flat = form.flat(x, z, 1, 1) if form.flat else Q(0)
    near = not semidefinite(eye(2, flat - z / x) - H) and 1 / steep[0, 0] == form.steep(x, 1, 1) - 1
    return Finding(near, Status.EXACT_Q if near else Status.NOT_PROVED, "the distance from the bounds for p = 1, μ₁ = "
    "1/5, μ₂ = 1",
                   "s = (1, 0), y = (1, 2): ‖H‖ > 5.8 where the bound is 6; s = 1, y = 5: ‖B‖ = 5 where the bound is 6")


PRINTED = Bounds(lambda x, p, k: (1 + x) ** p, printed_flat)

STATEMENTS = (
    Statement(
        "R.Lem.2", "Section 2.7",
        Form("κ_g I ⪯ H_g(k) ⪯ κ̄_g I for all k, κ_g = (1 + 1/μ₁)^(−p), κ̄_g = μ̂^p + (μ̂^p − 1)/(μ̂ − 1)/μ₂, "
             "μ̂ = (1 + 1/√(μ₁μ₂κ_g))²", PRINTED),
        checks=(on_sequences, by_recursion),
        mutants=(Form("κ_g = (1 + p/μ₁)^(−1) with line 17 as printed", Bounds(lambda x, p, k: 1 + p * x)),
                 Form("κ_g = (1 + (p − 1)/μ₁)^(−1) with line 17 repaired",
                      Bounds(lambda x, p, k: 1 + (p - 1) * x, own=False)),
                 Form("κ_g = (1 + p/(2μ₁))^(−1) with line 17 repaired",
                      Bounds(lambda x, p, k: 1 + p * x / 2, own=False)),
                 Form("κ̄_g = ω^p with line 17 repaired",
                      Bounds(lambda x, p, k: 1 + p * x, lambda x, z, p, k: max(x * z, Q(1)) ** p,
                                                              own=False)),
                 Form("printed κ̄_g with line 17 as printed and (1 + 1/μ₁)^(−k)",
                      Bounds(lambda x, p, k: (1 + x) ** k, printed_flat))),
        hypotheses=("Algorithm 5", "none of Assumptions 1 to 4"),
        repaired=Form("with line 17 reading s̃ᵀỹ ≥ μ₁ỹᵀỹ: I/(1 + p/μ₁) ⪯ H_g(k) ⪯ (ω^p + (1 + ω + … + ω^(p−1))/μ₂) I for "
                      "all k, ω = max(1, 1/(μ₁μ₂))", Bounds(lambda x, p, k: 1 + p * x, sharper_flat(lambda x, k: x), own=False)),
        sharpness=(nearly_attained,), errata=(31,),
        note="Both printed constants are false, the lower one with two pairs in one dimension (for κ̄_g see R.Lem.2/9). With "
        "line 17 as printed no positive "
             "constants need exist: see R.Lem.2/8. The repaired bounds are proved by R.Lem.2/1, /3, /4, /6 and /7 with κ = μ₁ "
             "in the last column: yᵀy/sᵀy ≤ 1/μ₁."),
    Statement(
        "R.Lem.2/2", "Section 2.7, proof: the bound of ‖B‖",
        Form("‖B‖ ≤ (1 + 1/μ₁)^p", PRINTED._replace(flat=None)),
        checks=(on_sequences, by_recursion),
        mutants=(Form("‖B‖ ≤ (1 + 1/μ₁)^(k−1)", Bounds(lambda x, p, k: (1 + x) ** (k - 1))),
                 Form("‖B‖ ≤ 1 + k/μ₁", Bounds(lambda x, p, k: 1 + k * x)),
                 Form("‖B‖ ≤ (1 + 1/μ₁)^k/2", Bounds(lambda x, p, k: HALF * (1 + x) ** k)),
                 Form("‖B‖ ≤ (1/μ₁)^k − 1", Bounds(lambda x, p, k: x**k - 1))),
        repaired=Form("‖B‖ ≤ (1 + 1/μ₁)^k after k pairs that were used, whatever p", Bounds(lambda x, p, k: (1 + x) ** k)),
        errata=(31,),
        note="Induction: 1 + x Σ_(j<k) (1 + x)^j = (1 + x)^k. Ladders in one dimension reach (1/μ₁)^k: the growth with k "
        "is real."),
    Statement(
        "R.Lem.2/9", "Section 2.7, Lemma 2: κ̄_g",
        Form("H_g(k) ⪯ κ̄_g I, κ̄_g = μ̂^p + (μ̂^p − 1)/(μ̂ − 1)/μ₂", Bounds(lambda x, p, k: (1 + x) ** k, printed_flat)),
        checks=(on_sequences, by_recursion),
        mutants=(Form("ω = 1/(μ₁μ₂)", Bounds(lambda x, p, k: (1 + x) ** k, sharper_flat(lambda x, k: x))),
                 Form("ω = (1 + 1/μ₁)/(μ₁μ₂)", Bounds(lambda x, p, k: (1 + x) ** k, sharper_flat(lambda x, k: x * (1 + x)))),
                 Form("1 + p/μ₂", Bounds(lambda x, p, k: (1 + x) ** k, lambda x, z, p, k: 1 + p * z))),
        repaired=Form("H_g(k) ⪯ (ω^p + (1 + … + ω^(p−1))/μ₂) I after k pairs, ω = max(1, (1 + 1/μ₁)^k/(μ₁μ₂))",
                      Bounds(lambda x, p, k: (1 + x) ** k, sharper_flat(lambda x, k: x * (1 + x) ** k))),
        errata=(31,),
        note="Follows from the printed κ_g by right steps (R.Lem.2/3 to /7), and falls with it: where H_g has shrunk in one "
             "direction, line 17 lets a pair pass whose s leans far out of it."),
)
