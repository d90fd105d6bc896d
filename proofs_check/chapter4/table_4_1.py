"""R Table 4.1 and Section 4.6, counted: multiplications of the loops that the definitions write down, and entries of the state.

Order statements are decided with a constant: O(f) is refuted where the count exceeds CONSTANT · f, along a family on which the
quotient grows; it stands where it stays below on all shapes that are tried, and closed forms say so for the others.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status
from .common import Tensor, indices, mode, slice_of, vec

CONSTANT = 4
SHAPES = (*(tuple(d + 1 for d in index) for k in (1, 2, 3, 4) for index in indices((5, 4, 3, 3)[:k])), (40,), (9, 30), (30, 9))
LARGE = (*SHAPES, (60, 60), (12, 12, 12), (40, 40, 40), (200, 200, 200), (20, 20, 20, 20))
SETTINGS = ((1, 1, 1), (32, 1, 20), (1000, 10, 100))


class Tally:
    """A number that only counts the products it takes part in."""

    products = 0

    def __mul__(self, _):
        Tally.products += 1
        return self

    def __add__(self, _):
        return self


class Square:
    """A matrix of tallies."""

    def __init__(self, d):
        self.d = d

    def nrows(self):
        """d."""
        return self.d

    def __getitem__(self, _):
        return Tally()


def counted(work):
    """How many products `work` takes."""
    Tally.products = 0
    work()
    return Tally.products


def tallies(shape):
    """A tensor of them."""
    return Tensor(shape, dict.fromkeys(indices(shape), Tally()))


def contract(shape):
    """G⁽ⁱ⁾ for every i: rows of mat_i against rows."""
    for i in range(1, len(shape) + 1):
        rows = [vec(slice_of(tallies(shape), i, j)) for j in range(shape[i - 1])]
        for v in rows:
            for w in rows:
                [x * y for x, y in zip(v, w, strict=True)]


def move(shape):
    """g ×_1 U_1 ⋯ ×_k U_k."""
    A = tallies(shape)
    for i, d in enumerate(shape, 1):
        A = mode(A, i, Square(d))


def invert(shape):
    """Gauss and Jordan, in place: each of d pivots multiplies every entry once."""
    for d in shape:
        for _ in range(d):
            [Tally() * Tally() for _ in range(d * d)]


def statistics(shape):
    """(Σd_i)∏d_i."""
    return sum(shape) * prod(shape)


def closed_forms(slip=1):
    """Contractions and direction (Σd_i)∏d_i products each, inverses Σd_i³."""
    def claim():
        for shape in SHAPES:
            for work, formula in ((contract, statistics(shape)), (move, statistics(shape)), (invert, sum(d**3 for d in shape))):
                found = counted(lambda work=work, shape=shape: work(shape))
                if found != slip * formula:
                    return Outcome(f"d = {shape}: {found} products, {slip * formula} expected")
        return Outcome(detail=f"{len(SHAPES)} shapes")
    return claim


def time_of(method, m, T_1, T_2, shape, positions=1):
    """Products of a step beyond SGD, from the closed forms; a backward pass for sampled targets takes 2m∏d_i at each position."""
    extra = Fraction(2 * m * positions * prod(shape), T_1) if method == "TNT" else 0
    return extra + Fraction(statistics(shape), T_1) + statistics(shape) + Fraction(sum(d**3 for d in shape), T_2)


def printed_time(method, m, T_1, T_2, shape):
    """The table's entry."""
    return ((m / T_1 if method == "TNT" else 0) + sum(shape)) * prod(shape) + sum(d**3 for d in shape) / T_2


def order_of_time(method, printed=printed_time, positions=1):
    """The count is at most CONSTANT times the entry."""
    def claim():
        worst = 0.0
        for m, T_1, T_2 in SETTINGS:
            for shape in LARGE:
                found, entry = time_of(method, m, T_1, T_2, shape, positions), printed(method, m, T_1, T_2, shape)
                if found > CONSTANT * entry:
                    return Outcome(f"d = {shape}, m = {m}, T_1 = {T_1}, T_2 = {T_2}, {positions} positions: "
                                   f"{float(found):.4g} products, entry {float(entry):.4g}")
                worst = max(worst, float(found / entry))
        return Outcome(detail=f"at most {worst:.1f} times the entry")
    return claim


def memory_of(shape):
    """Entries that Algorithm 15 or 16 keeps beside W and its gradient: Ĝ⁽ⁱ⁾ and their inverses or roots, and the momentum."""
    return 2 * sum(d * d for d in shape) + prod(shape)


def order_of_memory(momentum, power=2):
    """The entries are at most CONSTANT times Σd_i^power, with ∏d_i for the momentum or without."""
    def claim():
        for shape in LARGE:
            entry = sum(d**power for d in shape) + (prod(shape) if momentum else 0)
            if memory_of(shape) > CONSTANT * entry:
                return Outcome(f"d = {shape}: {memory_of(shape)} entries, {entry} in the table; d, d, d has 6d² + d³ beside 3d²")
        return Outcome(detail=f"{len(LARGE)} shapes")
    return claim


def below_adam(momentum, least=4):
    """k d² entries for d_i = d, against Adam's ∏d_i (its momentum counted where TNT's is)."""
    def claim():
        for k in (3, 4):
            for d in range(least, 60):
                mine, adam = k * d * d + (d**k if momentum == "mine" else 0), d**k
                if mine >= adam:
                    return Outcome(f"k = {k}, d = {d}: {mine} entries beside {adam}")
        return Outcome(detail=f"k = 3, 4; d = {least}, …, 59")
    return claim


def layer(d_i, d_o):
    """Entries of the factors of a dense layer: TNT's for W and b, KFAC's for W̄."""
    return d_i**2 + 2 * d_o**2, (d_i + 1)**2 + d_o**2


def memory_beside_kfac(factor=1):
    """TNT's entries are at most `factor` times KFAC's, factors of a dense layer."""
    def claim():
        for d_i in range(1, 12):
            for d_o in range(1, 12):
                tnt, kfac = layer(d_i, d_o)
                if tnt > factor * kfac:
                    return Outcome(f"d_i = {d_i}, d_o = {d_o}: {tnt} entries beside {kfac}")
        return Outcome(detail="121 layers")
    return claim


def convolution(strict):
    """|Δ|² + I² + J² beside (|Δ|I)² + J² for a filter of |Δ| and I and J channels."""
    def claim():
        for filter_ in (1, 4, 9, 25):
            for I in (1, 2, 3, 64, 512):
                tnt, kfac = filter_**2 + I * I, (filter_ * I)**2
                if (strict or (filter_ > 1 and I > 1)) and tnt >= kfac:
                    return Outcome(f"|Δ| = {filter_}, I = {I}: {tnt} beside {kfac}, without J²")
        return Outcome(detail="|Δ| = 1, 4, 9, 25; I = 1, …, 512")
    return claim


def time_beside_kfac(factor):
    """A dense layer's step beyond SGD, one backward pass for sampled targets each; KFAC's statistics are of m examples."""
    def claim():
        for m, T_1, T_2 in SETTINGS:
            for d_i, d_o in ((1, 1), (1, 50), (50, 1), (30, 30), (300, 100)):
                tnt = sum(time_of("TNT", 0, T_1, T_2, shape) for shape in ((d_o, d_i), (d_o,)))
                kfac = m * ((d_i + 1)**2 + d_o**2) / T_1 + (d_i + 1 + d_o) * (d_i + 1) * d_o + ((d_i + 1)**3 + d_o**3) / T_2
                if tnt > factor * kfac:
                    return Outcome(f"d_i = {d_i}, d_o = {d_o}, m = {m}, T_1 = {T_1}, T_2 = {T_2}: {float(tnt):.4g} products beside "
                                   f"{float(kfac):.4g}")
        return Outcome(detail=f"at most {factor} times KFAC's")
    return claim


def beside_shampoo(extra):
    """TNT's step beyond Shampoo's, inverses and roots set aside: `extra` times m∏d_i/T_1, 2 in the count."""
    def claim():
        for m, T_1, T_2 in SETTINGS:
            for shape in SHAPES:
                more = time_of("TNT", m, T_1, T_2, shape) - time_of("Shampoo", m, T_1, T_2, shape)
                if more > extra * Fraction(m * prod(shape), T_1):
                    return Outcome(f"d = {shape}, m = {m}: {float(more):.4g} more products")
        return Outcome(detail="2m∏d_i/T_1 more")
    return claim


def dense(power):
    """vec(G) vec(G)ᵀ has (∏d_i)^power entries, the squares of G ∏d_i."""
    def claim():
        for shape in SHAPES:
            v = vec(tallies(shape))
            pairs, squares = sum(1 for _ in v for _ in v), len([x * x for x in v])
            if (pairs, squares) != (prod(shape)**power, prod(shape)):
                return Outcome(f"d = {shape}: {pairs} and {squares}")
        return Outcome(detail=f"{len(SHAPES)} shapes")
    return claim


COUNT = claimed(Status.EXACT_Q, "counting")
STATEMENTS = (
    Statement("R.Tab.4.1", "Section 4.6", Form("TNT, time: O((m/T_1 + Σd_i)∏d_i + Σd_i³/T_2)", order_of_time("TNT")),
              checks=(COUNT,),
              mutants=(Form("without m/T_1", order_of_time("TNT", lambda _, m, T_1, T_2, shape: printed_time("Shampoo", m, T_1, T_2,
                                                                                                             shape))),
                       Form("without Σd_i",
                            order_of_time("TNT", lambda _, m, T_1, T_2, d: m / T_1 * prod(d) + sum(x**3 for x in d) / T_2)),
                       Form("without Σd_i³/T_2", order_of_time("TNT", lambda _, m, T_1, T_2, d: (m / T_1 + sum(d)) * prod(d) / 2))),
              note="For tensors of dense layers. The statistics' share is amortized by T_1 as well."),
    Statement("R.Tab.4.1/1", "Section 4.6, as counted",
              Form("G⁽ⁱ⁾ for all i, and the direction: (Σd_i)∏d_i products each; inverses Σd_i³", closed_forms()),
              checks=(COUNT,), mutants=(Form("twice", closed_forms(2)), Form("half", closed_forms(0.5)),
                                        Form("none", closed_forms(0)))),
    Statement("R.Tab.4.1/2", "Section 4.6", Form("TNT, Shampoo, memory beyond SGD: O(Σd_i²)", order_of_memory(False)),
              checks=(COUNT,),
              repaired=Form("O(Σd_i² + ∏d_i): the momentum", order_of_memory(True)), errata=(55,),
              mutants=(Form("O(Σd_i)", order_of_memory(False, 1)), Form("O(Σd_i + ∏d_i)", order_of_memory(True, 1)),
                       Form("O(k)", order_of_memory(False, 0)))),
    Statement("R.Tab.4.1/3", "Section 4.6", Form("Shampoo, time: O((Σd_i)∏d_i + Σd_i³/T_2)", order_of_time("Shampoo")),
              checks=(COUNT,),
              mutants=(Form("without Σd_i", order_of_time("Shampoo", lambda _, m, T_1, T_2,
                                                          d: prod(d) + sum(x**3 for x in d) / T_2)),
                       Form("O(∏d_i)", order_of_time("Shampoo", lambda _, m, T_1, T_2, d: prod(d))),
                       Form("O(Σd_i³/T_2)", order_of_time("Shampoo", lambda _, m, T_1, T_2, d: sum(x**3 for x in d) / T_2))),
              note="A root counts as one inverse here; the coupled Newton iteration takes 3 to 5 products in each of up to 100 "
                   "iterations."),
    Statement("R.Tab.4.1/4", "Section 4.6, on any tensor",
              Form("SGD O(m∏d_i), TNT's extra pass O(m∏d_i/T_1): with 64 positions of a convolution",
                   order_of_time("TNT", positions=64)),
              checks=(COUNT,), repaired=Form("m|𝒯|∏d_i for m∏d_i, |𝒯| = 64", order_of_time(
                  "TNT", lambda _, m, T_1, T_2, shape: printed_time("TNT", 64 * m, T_1, T_2, shape), positions=64)),
              mutants=(Form("m√|𝒯|", order_of_time("TNT", lambda _, m, T_1, T_2, d: printed_time("TNT", 8 * m, T_1, T_2, d),
                                                   positions=64)),),
              pinned="one factor",
              note="A filter is applied at every position, as Chapter 3 counts it; dense layers have |𝒯| = 1.", errata=(74,)),
    Statement("R.Tab.4.1/5", "Section 4.6, third paragraph", Form("d_i = d, 3 ≤ k ≪ d: kd² entries, less than Adam's diagonal",
                                                                  below_adam("none")), checks=(COUNT,),
              mutants=(Form("with the momentum", below_adam("mine")), Form("for d = 3", below_adam("none", 3)),
                       Form("for d = 2", below_adam("none", 2))),
              errata=(55,),
              note="Of the factors alone. With the momentum, which Adam has too, it is Adam's ∏d_i that is replaced by 2kd²."),
    Statement("R.Tab.4.1/6", "Section 4.1, contribution 3", Form("per-iteration needs no greater than Shampoo's",
                                                                 beside_shampoo(0)), checks=(COUNT,),
              repaired=Form("greater by the extra pass, 2m∏d_i/T_1", beside_shampoo(2)), errata=(54,),
              mutants=(Form("by m∏d_i/T_1", beside_shampoo(1)),), pinned="a count",
              note="Inverses and roots set aside: a root costs more than an inverse, by a factor that depends on its tolerance."),
    Statement("R.Tab.4.1/7", "Section 4.1, contribution 3", Form("memory no greater than KFAC's, a dense layer with its bias",
                                                                 memory_beside_kfac()), checks=(COUNT,),
              repaired=Form("no greater than twice KFAC's", memory_beside_kfac(2)), errata=(53,),
              mutants=(Form("no greater than 3/2 of KFAC's", memory_beside_kfac(1.5)),), pinned="a count of two closed forms",
              note="Without biases the two are equal."),
    Statement("R.Tab.4.1/8", "Section 4.6, last paragraph",
              Form("convolutions: KFAC's first matrix requires much more memory than TNT's first two", convolution(True)),
              checks=(COUNT,), repaired=Form("where |Δ| > 1 and I > 1", convolution(False)), pinned="a count of two closed forms",
              note="For 1 × 1 filters, or one input channel, TNT has one entry more."),
    Statement("R.Tab.4.1/9", "Section 4.6, last sentence",
              Form("KFAC's per-iteration complexity is no less than TNT's: in order, within a factor 2", time_beside_kfac(2)),
              checks=(COUNT,), mutants=(Form("in numbers", time_beside_kfac(1)),), pinned="a count",
              note="In numbers TNT can take nearly twice as many: the bias has a d_o × d_o matrix of its own (as ERR-53)."),
    Statement("R.Tab.4.1/10", "Section 4.6", Form("memory of a Newton-like method O(∏d_i²), Adam-like O(∏d_i)", dense(2)),
              checks=(COUNT,),
              mutants=(Form("Newton-like O(∏d_i)", dense(1)), Form("Newton-like O(∏d_i³)", dense(3))), pinned="two definitions",
              note="A matrix of all pairs of entries; a second moment an entry (Adam's first moment is one more)."),
)
