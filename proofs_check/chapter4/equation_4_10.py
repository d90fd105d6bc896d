"""R (4.10): one representation of ⊗U_i with equal mean eigenvalues, from the moments of (4.2).

c_0 is a k-th root: it is drawn, and the moments are scaled so that it is that root. Then everything is rational.
"""

from fractions import Fraction
from math import prod

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, mod_p, over_Q, proved_by_z3, simple
from ..fields import trace
from ..statement import Form, Statement, Status
from .common import contraction, draw, kron, shapes, times, without
from .equation_4_02 import expected_contraction


def identified(field, moments, c_0, shape, power=None, over="j ≠ i"):
    """Ũ_1, …, Ũ_k of (4.10)."""
    k = len(shape)
    for i, E in enumerate(moments, 1):
        d = prod(without(shape, i) if over == "j ≠ i" else shape)
        yield E * (1 / (c_0 ** (k - 1 if power is None else k + power) * field.number(d)))


def scaled(field, shape):
    """U_1, …, U_k with random symmetric entries, and c_0 with ∏tr(U_i) = c_0^k ∏d_i."""
    c_0, Us = field.draw(), [field.symmetric(d) for d in shape]
    if any(trace(U) == 0 for U in Us):
        return scaled(field, shape)
    factor = c_0 ** len(shape) * field.number(prod(shape)) / times([trace(U) for U in Us], field.number(1))
    return [Us[0] * factor, *Us[1:]], c_0


def representation(power=None, over="j ≠ i"):
    """⊗Ũ_i = ⊗U_i, tr(Ũ_i)/d_i = c_0 for all i, and c_0^k is tr(E[G⁽ⁱ⁾])/∏d_j."""
    def pairs(field, n):
        for shape in shapes(n):
            Us, c_0 = scaled(field, shape)
            traces = [trace(U) for U in Us]
            moments = [U * times(without(traces, i), field.number(1)) for i, U in enumerate(Us, 1)]
            found = list(identified(field, moments, c_0, shape, power, over))
            yield kron(field, found), kron(field, Us)
            for E, U, d in zip(moments, found, shape, strict=True):
                yield trace(U), c_0 * field.number(d)
                yield trace(E), c_0 ** len(shape) * field.number(prod(shape))
    return pairs


def any_distribution(weighted=False, power=None):
    """tr(G⁽ⁱ⁾) = ‖G‖² for every i; ∏ tr(Ũ_i) = tr(F) and equal mean eigenvalues, with F of any shape whatever."""
    def pairs(field, n):
        for shape in shapes(n):
            G, k = draw(field, shape), len(shape)
            norm = sum((x * x for x in G.at.values()), field.number(0))
            for i, d in enumerate(shape, 1):
                yield trace(contraction(field, G, i)) * (field.number(1, d) if weighted else field.number(1)), norm
            c_0, C = field.draw(), field.symmetric(prod(shape))
            if trace(C) == 0:
                continue
            C = C * (c_0 ** k * field.number(prod(shape)) / trace(C))
            found = list(identified(field, [expected_contraction(field, C, shape, i) for i in range(1, k + 1)], c_0, shape, power))
            yield times([trace(U) for U in found], field.number(1)), trace(C)
            yield from ((trace(U), c_0 * field.number(d)) for U, d in zip(found, shape, strict=True))
    return pairs


def at_zero(limit):
    """Ũ_i by (4.10) for tensors of one entry, of orders 1 to 3, that are always 0; `limit`: 0 where the moments are 0."""
    def claim():
        for k in (1, 2, 3):
            E = c_0 = Fraction(0)
            try:
                U = E if limit and E == 0 else E / c_0 ** (k - 1)
            except ZeroDivisionError:
                return Outcome(f"k = {k}, d_i = 1, E[G⁽ⁱ⁾] = 0: c_0 = 0, and Ũ_i = 0/0")
            if U != 0:
                return Outcome(f"k = {k}: Ũ_i = {U}")
        return Outcome(detail="⊗Ũ_i = 0 = F")
    return claim


NAMES = ("eps", "l_1", "l_2", "l_3")


def inverse_bound(power=3, without_=()):
    """∏(λ_i + ε) ≥ ε³ for eigenvalues λ_i ≥ 0 of three factors: the inverse of an eigenvalue of ⊗(Ũ_i + εI) is at most ε⁻³."""
    hypotheses = {"eps > 0": lambda e, a, b, c: e, "l_1 >= 0": lambda e, a, b, c: a, "l_2 >= 0": lambda e, a, b, c: b,
                  "l_3 >= 0": lambda e, a, b, c: c}
    return Inequality(NAMES, {name: of for name, of in hypotheses.items() if name not in without_},
                      lambda e, a, b, c: (e + a) * (e + b) * (e + c) - e**power)


def products():
    """∏(ε + λ_i) − ε³, multiplied out."""
    ls = NAMES[1:]
    for chosen in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        yield Term(1, (*(["eps > 0"] * (3 - len(chosen))), *(f"{ls[i]} >= 0" for i in chosen)), lambda *_: 1)


def one_root(positive=True, power=4):
    """x and y are c_0 of two representations: x⁴ = y⁴ = tr(F)/∏d_i, positive, are one number; −(x − y)² ≥ 0 says so."""
    hypotheses = {"x4 - y4 = 0": lambda x, y: x**power - y**power, "x > 0": lambda x, y: x}
    return Inequality(("x", "y"), hypotheses | ({"y > 0": lambda x, y: y} if positive else {}), lambda x, y: -(x - y) * (x - y))


def damped_twice(eps):
    """(Ũ_1 + εI) ⊗ (Ũ_2 + εI) for (1, 1) and for (2, 1/2), of one F = 1."""
    def claim():
        first, second = (1 + eps) * (1 + eps), (2 + eps) * (Fraction(1, 2) + eps)
        if first == second:
            return Outcome(f"ε = {eps}: 1⊗1 and 2⊗½ both give {first}")
        return Outcome(detail=f"F = 1 = 1⊗1 = 2⊗½, ε = {eps}: F⁻¹ becomes {1 / first} or {1 / second}")
    return claim


def draw_damping(rng):
    """(ε, λ_1, λ_2, λ_3)."""
    return simple(rng) + Fraction(1, 64), simple(rng), simple(rng), simple(rng)


EXACT = (over_Q(), mod_p(lambda n: 200))
STATEMENTS = (
    Statement("R.Eq.4.10", "Section 4.3.3",
              Form("Ũ_i = E[G⁽ⁱ⁾]/(c_0^(k−1) ∏_{j≠i} d_j), c_0 = (tr(E[G⁽ⁱ⁾])/∏_j d_j)^(1/k): c = 1 and tr(Ũ_i)/d_i does not "
                   "depend on i", representation()),
              checks=EXACT, hypotheses=("G is tensor normal with mean 0", "E[G⁽ⁱ⁾] ≠ 0, which the text does not say: see /2"),
              mutants=(Form("c_0^k", representation(0)), Form("∏ over all j", representation(over="all")),
                       Form("c_0^(k−2)", representation(-2)))),
    Statement("R.Eq.4.10/1", "Section 4.3.3, as used in 4.3.2 on gradients of any distribution",
              Form("c_0 is the same for every i; tr(Ũ_i)/d_i = c_0 and tr(⊗Ũ_i) = tr(F) for any F", any_distribution()),
              checks=EXACT,
              mutants=(Form("tr(G⁽ⁱ⁾)/d_i", any_distribution(weighted=True)), Form("c_0^k", any_distribution(power=0)),
                       Form("c_0^(k−2)", any_distribution(power=-2))),
              long=True, note="(4.10) needs no normal distribution to make sense: the trace of F is kept always, F itself where F "
                   "is a Kronecker product."),
    Statement("R.Eq.4.10/2", "Section 4.3.3", Form("Ũ_i by (4.10), for every gradient", at_zero(False)),
              checks=(claimed(Status.EXACT_Q, "a gradient that is always zero"),),
              repaired=Form("Ũ_i = 0 where E[G⁽ⁱ⁾] = 0", at_zero(True)),
              errata=(50,), pinned="one point"),
    Statement("R.Eq.4.10/3", "Section 4.3.3", Form("c = 1 gives F⁻¹ the constant upper bound ε⁻ᵏ I", inverse_bound()),
              checks=(certified(*products()), hunted(draw_damping)), sharpness=(attained_at(1, 0, 0, 0),),
              hypotheses=("ε > 0", "Ũ_i positive semidefinite with eigenvalues λ_i, k = 3"),
              mutants=(Form("ε⁻²", inverse_bound(2)), Form("without λ_1 >= 0", inverse_bound(without_=("l_1 >= 0",))),
                       Form("ε⁻⁴", inverse_bound(4))),
              note="F⁻¹ here is the damped inverse. For any k each factor is at least ε; attained where every Ũ_i is singular."),
    Statement("R.Eq.4.10/4", "Section 4.3.3", Form("different representations of F lead to different damped F⁻¹",
                                                   damped_twice(Fraction(1))),
              checks=(claimed(Status.EXACT_Q, "two representations of F = 1"),), mutants=(Form("ε = 0", damped_twice(Fraction(0))),
                                                                                          ),
              pinned="a statement that something exists; without damping there is no difference"),
    Statement("R.Eq.4.10/5", "Section 4.3.3", Form("c = 1 and equal tr(Ũ_i)/d_i determine the Ũ_i", one_root()),
              checks=(proved_by_z3(), hunted(lambda rng: [x := simple(rng) + Fraction(1, 64), rng.choice([1, 1, -1]) * x])),
              hypotheses=("Ũ_i = a_iU_i positive semidefinite, not 0: the common mean eigenvalue c_0 > 0 satisfies c_0^k = "
                          "∏tr(U_i)/d_i, k = 4",),
              mutants=(Form("without positivity", one_root(False)),), pinned="an equality that one dropped hypothesis breaks",
              note="For even k the negatives of all Ũ_i do as well: that the Ũ_i are covariances is needed."),
)
