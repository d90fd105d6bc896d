"""R Lemma 10: both bounds of ‖F_TNT‖, and the steps of its proof without roots.

x is the largest eigenvalue of E[G⁽ⁱ⁾], r ≥ 0 the sum of the others, so that x + r is the trace; d = d_i, D = ∏d_j, φ = ‖F‖.
By (4.10) ‖Ũ_i‖^k = x^k d^k / (D (x + r)^(k−1)), and Lemma 9 is dx ≤ Dφ.
"""

from fractions import Fraction
from math import prod

import numpy as np

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, mod_p, over_Q, proved_by_z3, simple
from ..fields import Field, trace
from ..statement import Form, Statement, Status
from .common import MARGIN, indices
from .equation_4_02 import expected_contraction

SHAPES = ((3,), (2, 3), (1, 4), (4, 2), (2, 2, 3), (2, 3, 2, 2))
EPS = (0.125, 0.5, 3.0)


def contractions(C, shape):
    """E[G⁽ⁱ⁾] for every i, from C = E[vec(G) vec(G)ᵀ] in floating point."""
    for i in range(len(shape)):
        T = np.moveaxis(C.reshape(*shape, *shape), (i, len(shape) + i), (0, len(shape)))
        d = shape[i]
        yield np.einsum("ajbj->ab", T.reshape(d, prod(shape) // d, d, -1))


def factors(C, shape, limit):
    """Ũ_i of (4.10); 0 for zero moments where `limit`.  Raises ZeroDivisionError where the printed formula does."""
    k = len(shape)
    for E in contractions(C, shape):
        c_0 = (float(np.trace(E)) / prod(shape)) ** (1 / k)
        if limit and c_0 == 0:
            yield E
        else:
            yield E * (1 / (c_0 ** (k - 1) * (prod(shape) / len(E))))


def moments(shape, rng):
    """Second moments of G: of ranks 1, 2 and full; I; projections on u ⊗ everything; and 0."""
    size = prod(shape)
    for rank in (1, 2, size):
        R = rng.standard_normal((size, rank))
        yield R @ R.T
    yield np.eye(size)
    yield np.diag([float(index < size // shape[0]) for index in range(size)])
    yield np.zeros((size, size))


def bounds(limit=True, lower=lambda k: k, exponent=lambda k: 1 - 1 / k, smallest=False, upper=True):
    """ε^k ≤ ‖F_TNT‖ ≤ ∏(d_i^(1−1/k) ‖F‖^(1/k) + ε); `smallest`: the lower bound is one of the smallest eigenvalue."""
    def claim():
        rng, margin = np.random.default_rng(10), 1 + MARGIN
        for shape in SHAPES:
            k = len(shape)
            for C in moments(shape, rng):
                for eps in EPS:
                    try:
                        spectra = [np.linalg.eigvalsh(U) + eps for U in factors(C, shape, limit)]
                    except ZeroDivisionError:
                        return Outcome(f"d = {shape}, E[G⁽ⁱ⁾] = 0, which Assumption 10 allows: c_0 = 0, (4.10) is 0/0")
                    norm, least = prod(w[-1] for w in spectra), prod(w[0] for w in spectra)
                    phi = np.linalg.norm(C, 2)
                    above = prod(d ** exponent(k) * phi ** (1 / k) + eps for d in shape)
                    if (least if smallest else norm) * margin < eps ** lower(k):
                        return Outcome(f"d = {shape}, ε = {eps}: {least if smallest else norm:.2g} is below ε^{lower(k)}")
                    if upper and norm > above * margin:
                        return Outcome(f"d = {shape}, ε = {eps}: norm {norm:.2g} above {above:.2g}")
        return Outcome(detail="0 attains the lower bound")
    return claim


def kronecker(reverse=False, positive=True):
    """The largest eigenvalue of A ⊗ B is that of A times that of B: ab − a′b′ ≥ 0 for 0 ≤ a′ ≤ a, 0 ≤ b′ ≤ b."""
    hypotheses = {"a - a' >= 0": lambda a, a_, b, b_: a - a_, "b - b' >= 0": lambda a, a_, b, b_: b - b_}
    if positive:
        hypotheses |= {"a' >= 0": lambda a, a_, b, b_: a_, "b >= 0": lambda a, a_, b, b_: b}
    sign = -1 if reverse else 1
    return Inequality(("a", "a'", "b", "b'"), hypotheses, lambda a, a_, b, b_: sign * (a * b - a_ * b_))


def first_row(index):
    """The entries of row 0."""
    return index[0] == 0


def first_cross(index):
    """The entries of row 0 and column 0."""
    return 0 in index


STEP = ("x", "r")


def by_the_trace(k=4, low=0, others=True):
    """x^(k−1) ≤ (x + r)^(k−1), so that ‖Ũ_i‖ ≤ d x^(1/k)/D^(1/k); `low`: of another power."""
    hypotheses = {"x >= 0": lambda x, r: x} | ({"r >= 0": lambda x, r: r} if others else {})
    return Inequality(STEP, hypotheses, lambda x, r: (x + r)**(k - 1) - x**(k - 1 - low) * (1 + low * x)**low)


def one_factor(scale=(1, 1), lemma_9=True, k=3):
    """‖Ũ_i‖^k ≤ d^(k−1)φ, multiplied out: φD(x + r)^(k−1) − d x^k ≥ 0, `scale` a factor of each."""
    hypotheses = {"x >= 0": lambda x, r, d, D, phi: x, "r >= 0": lambda x, r, d, D, phi: r, "d > 0": lambda x, r, d, D, phi: d}
    if lemma_9:
        hypotheses["D phi - d x >= 0"] = lambda x, r, d, D, phi: D * phi - d * x
    return Inequality(("x", "r", "d", "D", "phi"), hypotheses,
                      lambda x, r, d, D, phi: scale[0] * phi * D * (x + r)**(k - 1) - scale[1] * d * x**k)


def one_factor_point(rng):
    """(x, r, d, D, φ), φ often as small as Lemma 9 allows."""
    x, r, d, D = simple(rng), simple(rng), Fraction(rng.randint(1, 5)), Fraction(rng.randint(1, 30))
    return x, r, d, D, d * x / D + rng.choice([0, simple(rng)])


def attained(shape, ones, both, bound):
    """k = 2, C diagonal with ones where `ones` says so: ‖Ũ_1‖², or ‖Ũ_1‖‖Ũ_2‖ if `both`, is `bound`; ‖F‖ = 1."""
    def claim():
        field, d, D = Field(None, 0), shape[0], prod(shape)
        C = field.diagonal(field.number(int(ones(index))) for index in indices(shape))
        first, second = (max(E[j, j] for j in range(E.nrows())) for E in (expected_contraction(field, C, shape, i) for i in (1, 2)))
        found = first * second / trace(C) if both else first * first * d * d / (D * trace(C))
        if found != field.number(*bound):
            return Outcome(f"{found} for {Fraction(*bound)}")
        return Outcome(detail=f"d = {shape}: {'‖Ũ_1‖‖Ũ_2‖' if both else '‖Ũ_1‖²'} = {found}")
    return claim


PAIR = ("a", "b", "S", "p", "q")


def both_factors(constant=lambda p, q: p + q - 1, overlap=1, case=None):
    """k = 2, φ = 1: ‖Ũ_1‖‖Ũ_2‖ = ab/S ≤ pq/(p + q − 1), with a, b the norms of the moments, S their trace, p = d_2, q = d_1."""
    hypotheses = {"a > 0": lambda a, b, S, p, q: a, "b > 0": lambda a, b, S, p, q: b,
                  "S - a >= 0": lambda a, b, S, p, q: S - a, "S - b >= 0": lambda a, b, S, p, q: S - b,
                  "S - a - b + 1 >= 0": lambda a, b, S, p, q: S - a - b + overlap,
                  "p - a >= 0": lambda a, b, S, p, q: p - a, "q - b >= 0": lambda a, b, S, p, q: q - b}
    hypotheses |= {"p - 1 >= 0": lambda a, b, S, p, q: p - 1, "q - 1 >= 0": lambda a, b, S, p, q: q - 1}
    if case == "a, b >= 1":
        hypotheses |= {"a - 1 >= 0": lambda a, b, S, p, q: a - 1, "b - 1 >= 0": lambda a, b, S, p, q: b - 1}
    if case == "a <= 1":
        hypotheses["1 - a >= 0"] = lambda a, b, S, p, q: 1 - a
    return Inequality(PAIR, hypotheses, lambda a, b, S, p, q: p * q * S - a * b * constant(p, q))


def pair_point(rng):
    """(a, b, S, p, q), S often as small as it may be."""
    p, q = Fraction(rng.randint(1, 6)), Fraction(rng.randint(1, 6))
    a, b = p * Fraction(rng.randint(1, 8), 8), q * Fraction(rng.randint(1, 8), 8)
    return a, b, max(a, b, a + b - 1) + rng.choice([0, 0, simple(rng)]), p, q


def overlapping(sign=1):
    """tr(C) − tr(CP) − tr(CQ) + uvᵀ-entry of C = tr(C(I − P)(I − Q)), P = uuᵀ ⊗ I, Q = I ⊗ vvᵀ: not negative for C ⪰ 0."""
    def pairs(field, n):
        p, q = (14, 15) if n >= 200 else (n + 1, n)
        C = field.symmetric(p * q)
        u, v = field.build(p, 1, lambda i, _: field.number(int(i == 0))), field.build(q, 1, lambda i, _: field.number(int(i == 0)))
        P, Q = field.kron(u * u.transpose(), field.eye(q)), field.kron(field.eye(p), v * v.transpose())
        eye = field.eye(p * q)
        E = [expected_contraction(field, C, (p, q), i) for i in (1, 2)]
        left = trace(C) - E[0][0, 0] - E[1][0, 0] + C[0, 0] * field.number(sign)
        yield left, trace(C * (eye - P) * (eye - Q))
    return pairs


STATEMENTS = (
    Statement("R.Lem.10", "Section 4.4", Form("Assumption 10 ⇒ ‖F_TNT‖ is bounded both above and below: ε^k ≤ ‖F_TNT‖ ≤ ∏_i "
                                              "(d_i^(1−1/k) ‖F‖^(1/k) + ε)", bounds(limit=False)),
              checks=(claimed(Status.SAMPLED, "second moments of ranks 0, 1, 2 and full, orders 1 to 4, three ε"),),
              repaired=Form("the same, with Ũ_i = 0 where E[G⁽ⁱ⁾] = 0", bounds()),
              hypotheses=("Assumption 10: ‖F‖ bounded in θ", "F_TNT = (Ũ_1 + εI) ⊗ ⋯ ⊗ (Ũ_k + εI), ε > 0"), errata=(50, 52),
              mutants=(Form("ε^(k−1) below", bounds(lower=lambda k: k - 1)), Form("ε^(2k) below", bounds(lower=lambda k: 2 * k)),
                       Form("d_i^(1/k) / d_i^(1/2) above", bounds(exponent=lambda k: 1 / k - 0.5)),
                       Form("d_i^(1/k − 1) above", bounds(exponent=lambda k: 1 / k - 1)),
                       Form("‖F‖^(1/k) + ε above, no power of d_i", bounds(exponent=lambda k: 0))),
              note="/1 to /3 prove it. The upper bound is attained in each factor alone (/4), not in all at once: see /5."),
    Statement("R.Lem.10/1", "proof, first line",
              Form("‖A ⊗ B‖ = ‖A‖‖B‖ for positive semidefinite A, B: hence ‖F_TNT‖ = ∏‖Ũ_i + εI‖", kronecker()),
              checks=(certified(Term(1, ("a - a' >= 0", "b >= 0"), lambda *_: 1),
                                Term(1, ("a' >= 0", "b - b' >= 0"), lambda *_: 1)),
                      proved_by_z3()), sharpness=(attained_at(2, 2, 3, 3),),
              mutants=(Form("the other way", kronecker(reverse=True)), Form("eigenvalues of any sign", kronecker(positive=False))),
              pinned="an equality: eigenvalues of A ⊗ B are the products, and the largest is that of the largest"),
    Statement("R.Lem.10/2", "proof, the display",
              Form("‖Ũ_i‖ = λ_{d_i}/((tr/∏d_j)^((k−1)/k) ∏_{j≠i} d_j) ≤ d_i λ_{d_i}^(1/k)/(∏d_j)^(1/k)",
                                                       by_the_trace()),
              checks=(certified(Term(3, ("r >= 0",), lambda x, r: x), Term(3, ("x >= 0",), lambda x, r: r),
                                Term(1, ("r >= 0",), lambda x, r: r)),
                      proved_by_z3()),
              sharpness=(attained_at(1, 0),), hypotheses=("k = 4; x = λ_{d_i}, x + r the trace, not 0",),
              mutants=(Form("without λ_j >= 0", by_the_trace(others=False)), Form("another power of x", by_the_trace(low=1)),
                       Form("of the square", by_the_trace(low=2))),
              note="λ_{d_i} is at most the trace. Attained where E[G⁽ⁱ⁾] has rank one."),
    Statement("R.Lem.10/3", "proof, last display", Form("‖Ũ_i‖ ≤ d_i^(1−1/k) ‖F‖^(1/k)", one_factor()),
              checks=(certified(Term(1, ("D phi - d x >= 0",), lambda x, r, d, D, phi: x + r),
                                Term(2, ("d > 0", "r >= 0"), lambda x, r, d, D, phi: x),
                                Term(1, ("d > 0", "x >= 0"), lambda x, r, d, D, phi: r)), hunted(one_factor_point)),
              sharpness=(attained_at(2, 0, 4, 8, 1),), hypotheses=("k = 3", "Lemma 9: d x ≤ D φ"),
              mutants=(Form("half of it", one_factor(scale=(1, 2))), Form("without Lemma 9", one_factor(lemma_9=False)),
                       Form("9/10 of it", one_factor(scale=(9, 10))))),
    Statement("R.Lem.10/4", "proof, last display", Form("‖Ũ_i‖ ≤ d_i^(1−1/k) ‖F‖^(1/k) cannot be improved for one i",
                                                        attained((4, 2), first_row, False, (4,))),
              checks=(claimed(Status.EXACT_Q, "a distribution that attains it"),),
              mutants=(Form("3/2 for 4^(1/2)", attained((4, 2), first_row, False, (9, 4))),),
              pinned="an equality at one point",
              note="d = (4, 2), one row of independent entries of variance 1, zeros elsewhere."),
    Statement("R.Lem.10/5", "beside the last display",
              Form("k = 2: ‖Ũ_1‖‖Ũ_2‖ ≤ d_1d_2/(d_1 + d_2 − 1) ‖F‖, less than the product of the two bounds, (d_1d_2)^(1/2) ‖F‖",
                   both_factors()),
              checks=(proved_by_z3(), hunted(pair_point)), sharpness=(attained_at(3, 2, 4, 3, 2),),
              hypotheses=("‖F‖ = 1; a = ‖E[G⁽¹⁾]‖ ≤ d_2 and b = ‖E[G⁽²⁾]‖ ≤ d_1 (Lemma 9), S the trace", "S ≥ a + b − 1: see /6"),
              mutants=(Form("d_1d_2/(d_1 + d_2)", both_factors(lambda p, q: p + q)),
                       Form("S ≥ a + b − 2 alone", both_factors(overlap=2)),
                       Form("d_1d_2/(2d_1 − 1)", both_factors(lambda p, q: 2 * p - 1))),
              note="Not in the text: what is best for both factors as ε → 0. Attained by independent entries of variance 1 in one "
                   "row and one column, zeros elsewhere."),
    Statement("R.Lem.10/5.1", "certificate of /5", Form("/5 where a, b >= 1", both_factors(case="a, b >= 1")),
              checks=(certified(Term(1, ("p - 1 >= 0", "q - 1 >= 0", "S - a - b + 1 >= 0"), lambda *_: 1),
                                Term(1, ("p - 1 >= 0", "S - a - b + 1 >= 0"), lambda *_: 1),
                                Term(1, ("q - 1 >= 0", "S - a - b + 1 >= 0"), lambda *_: 1),
                                Term(1, ("S - a - b + 1 >= 0",), lambda *_: 1),
                                Term(1, ("p - a >= 0", "b > 0", "q - 1 >= 0"), lambda *_: 1),
                                Term(1, ("p - 1 >= 0", "a - 1 >= 0", "q - b >= 0"), lambda *_: 1),
                                Term(1, ("a - 1 >= 0", "q - b >= 0"), lambda *_: 1)),),
              mutants=(Form("d_1d_2/(d_1 + d_2)", both_factors(lambda p, q: p + q, case="a, b >= 1")),
                       Form("S ≥ a + b − 2", both_factors(overlap=2, case="a, b >= 1")),
                       Form("a ≤ 1", both_factors(case="a <= 1"))),
              note="pqS − ab(p + q − 1) = pq(S − a − b + 1) + (p − a)b(q − 1) + p(a − 1)(q − b)."),
    Statement("R.Lem.10/5.2", "certificate of /5", Form("/5 where a <= 1, and by symmetry where b <= 1",
                                                        both_factors(case="a <= 1")),
              checks=(certified(Term(1, ("p - 1 >= 0", "q - 1 >= 0", "S - b >= 0"), lambda *_: 1),
                                Term(1, ("p - 1 >= 0", "S - b >= 0"), lambda *_: 1),
                                Term(1, ("q - 1 >= 0", "S - b >= 0"), lambda *_: 1),
                                Term(1, ("S - b >= 0",), lambda *_: 1), Term(1, ("b > 0", "1 - a >= 0", "p - 1 >= 0"),
                                                                             lambda *_: 1),
                                Term(1, ("b > 0", "1 - a >= 0", "q - 1 >= 0"), lambda *_: 1),
                                Term(1, ("b > 0", "1 - a >= 0"), lambda *_: 1),
                                Term(1, ("b > 0", "p - 1 >= 0", "q - 1 >= 0"), lambda *_: 1)),),
              mutants=(Form("d_1d_2/(d_1 + d_2)", both_factors(lambda p, q: p + q, case="a <= 1")),
                       Form("any a", both_factors()), Form("d_1d_2/(2d_1 − 1)", both_factors(lambda p, q: 2 * p - 1,
                                                                                             case="a <= 1"))),
              note="pqS − ab(p + q − 1) = pq(S − b) + b(1 − a)(p + q − 1) + b(p − 1)(q − 1)."),
    Statement("R.Lem.10/7", "beside the last display", Form("d_1d_2/(d_1 + d_2 − 1) is attained", attained((3, 4), first_cross,
                                                                                                           True, (12, 6))),
              checks=(claimed(Status.EXACT_Q, "a distribution that attains it"),),
              mutants=(Form("d_1d_2/(d_1 + d_2)", attained((3, 4), first_cross, True, (12, 7))),),
              pinned="an equality at one point"),
    Statement("R.Lem.10/6", "beside the last display",
              Form("tr(F) − ‖E[G⁽¹⁾]‖ − ‖E[G⁽²⁾]‖ + wᵀFw = tr(F(I − uuᵀ ⊗ I)(I − I ⊗ vvᵀ)) ≥ 0, w = u ⊗ v",
                                                            overlapping()),
              checks=(over_Q(), mod_p(lambda n: 1)), mutants=(Form("− wᵀFw", overlapping(-1)),), pinned="an equality",
              note="Not in the text: the reduction of /5, in coordinates in which u and v are first unit vectors; the projections "
                   "commute, and wᵀFw ≤ ‖F‖."),
)
