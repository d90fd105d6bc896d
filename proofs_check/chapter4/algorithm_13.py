"""R Algorithms 13 to 16: is every name given or computed before it is used; and lines that do not do what they are for."""

from fractions import Fraction

from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import Field, trace
from ..statement import Form, Statement, Status
from .common import contraction, draw, kron, shapes, times, without
from .flow import Line, dataflow, lacking, moved

GENERIC = (Line(2, "data m t", "M"), Line(3, "M W", "grad"), Line(4, "M W", "G"), Line(6, "G", "E[G⁽ⁱ⁾]"), Line(7, "E[G⁽ⁱ⁾]", "U"),
           Line(8, "U", "U⁻¹"), Line(9, "grad U⁻¹", "p"), Line(10, "W p alpha", "W"))
IDEAL = (Line(2, "data m t", "M"), Line(3, "M θ", "grad"), Line(4, "θ model data", "Ũ"), Line(5, "grad Ũ eps", "p"),
         Line(6, "θ p alpha", "θ"))
GIVEN = "data m t alpha gamma eps T_1 T_2 W model"
START = (Line(1, "", "mu beta"), Line(2, "data W", "Ĝ momentum"))
TNT = (Line(4, "data m t", "M"), Line(5, "M W", "grad"), Line(7, "M W", "Ḡ", "T_1"), Line(10, "mu momentum grad", "momentum"),
       Line(12, "beta Ĝ Ḡ", "Ĝ", "T_1"), Line(15, "Ĝ", "Ũ", "T_2"), Line(16, "Ũ eps", "(Ũ+εI)⁻¹", "T_2"),
       Line(18, "momentum (Ũ+εI)⁻¹", "p"), Line(19, "p gamma W", "p"), Line(20, "W p alpha", "W"))
SHAMPOO = (Line(4, "data m t", "M"), Line(5, "M W", "grad"), Line(7, "mu momentum grad", "momentum"),
           Line(9, "beta Ĝ grad", "Ĝ", "T_1"),
           Line(12, "Ĝ eps", "(Ĝ+εI)^(−1/2k)", "T_2"), Line(14, "momentum (Ĝ+εI)^(−1/2k)", "p"), Line(15, "p gamma W", "p"),
           Line(16, "W p alpha", "W"))
PERIODS = {"T_1": 2, "T_2": 3}


def singular(damped):
    """Line 8 with the moments of one mini-batch's averaged tensor, and U_i a multiple of G⁽ⁱ⁾: is it invertible?"""
    def claim():
        field = Field(None, 13)
        for shape in ((1,), (2,), (3, 2), (2, 2, 2)):
            G = draw(field, shape)
            for i, d in enumerate(shape, 1):
                M = contraction(field, G, i) + (field.eye(d) if damped else field.zeros(d, d))
                if M.det() == 0:
                    return Outcome(f"d = {shape}, i = {i}: G⁽ⁱ⁾ of one tensor, {M.tolist()}, has rank below {d}")
        return Outcome(detail="a vector, a matrix, a cube")
    return claim


def averaged(factor):
    """𝒟W = ±1 with equal chances, m = 2 independent examples: the mean of Ḡ⁽¹⁾ times `factor` is E[G⁽¹⁾] = 1."""
    def claim():
        draws = [(Fraction(a) + b) / 2 for a in (-1, 1) for b in (-1, 1)]
        found = factor * sum(g * g for g in draws) / len(draws)
        return Outcome("" if found == 1 else f"𝒟W = ±1, m = 2: the mean is {found}, E[G⁽¹⁾] = 1", "E[Ḡ⁽ⁱ⁾] = E[G⁽ⁱ⁾]/m")
    return claim


def statistics_for(last):
    """Line 2 for l = 1, …, `last`: do all of L = 3 tensors, of order k = 2, have statistics when line 12 reads them?"""
    def claim():
        have = set(range(1, {"k": 2, "L": 3, "L − 1": 2, "1": 1}[last] + 1))
        missing = {1, 2, 3} - have
        return Outcome(f"k = 2, L = 3: no Ĝ for l = {min(missing)}" if missing else "", "k = 2, L = 3")
    return claim


def to_the_power(power, scale=1):
    """Line 14 of Algorithm 16 on perfect statistics E[G⁽ⁱ⁾] = U_i ∏_{j≠i} tr(U_j): X = ⊗X_i with X_i^(−2k) = E[G⁽ⁱ⁾].

    X^(−2k) = ⊗E[G⁽ⁱ⁾] = tr(F)^(k−1) F; drawn so that the roots are rational: U_i from X_i.
    """
    def pairs(field, n):
        for shape in shapes(n):
            k = len(shape)
            Xs = [field.symmetric(d) + field.eye(d) * field.number(50) for d in shape]
            moments = [(X ** (2 * k)).inv() for X in Xs]
            eye = kron(field, [field.eye(d) for d in shape])
            yield kron(field, Xs) ** power(k) * kron(field, moments), eye * field.number(scale)
    return pairs


def kronecker_of_moments(power=-1):
    """⊗E[G⁽ⁱ⁾] = tr(F)^(k−1) F for F = ⊗U_i."""
    def pairs(field, n):
        for shape in shapes(n):
            Us = [field.symmetric(d) for d in shape]
            traces = [trace(U) for U in Us]
            moments = [U * times(without(traces, i), field.number(1)) for i, U in enumerate(Us, 1)]
            F = kron(field, Us)
            yield kron(field, moments), F * trace(F) ** (len(shape) + power)
    return pairs


FLOW = claimed(Status.EXACT_Q, "names read and written, T_1 = 2, T_2 = 3")
EXACT = (over_Q(), mod_p(lambda n: 3000))
ONCE = (*START, Line(2, "Ĝ", "Ũ"), Line(2, "Ũ eps", "(Ũ+εI)⁻¹"))
ROOTS = (*START, Line(2, "Ĝ eps", "(Ĝ+εI)^(−1/2k)"))
STATEMENTS = (
    Statement("R.Alg.13", "Section 4.3.2", Form("every name is given or computed before it is used (W_l: given)",
                                                dataflow("data m t alpha W", (), GENERIC)),
              checks=(FLOW,), mutants=(Form("without line 4", dataflow("data m t alpha W", (), lacking(GENERIC, 4))),
                                       Form("line 9 before line 8", dataflow("data m t alpha W", (), moved(GENERIC, 9, 8))),
                                       Form("without W", dataflow("data m t alpha", (), GENERIC))),
              note="Initial W_l are not among the required. k = 1 makes sense: U_1 = E[G⁽¹⁾], the natural gradient of the tensor."),
    Statement("R.Alg.13/1", "lines 4 and 6", Form("E[G⁽ⁱ⁾] is estimated from G_l averaged over M_t", averaged(1)),
              checks=(claimed(Status.EXACT_Q, "all draws of two examples"),),
              repaired=Form("from m times its contraction, or from single examples", averaged(2)),
              mutants=(Form("m²", averaged(4)),), pinned="one factor", errata=(47,)),
    Statement("R.Alg.13/2", "lines 6 to 8", Form("compute the inverses of U_1, …, U_k, determined from G_l", singular(False)),
              checks=(claimed(Status.EXACT_Q, "one random tensor of each of four shapes"),),
              repaired=Form("the inverses of U_i + εI, as Algorithm 15 does", singular(True)),
              pinned="ranks",
              note="From one averaged tensor G⁽ⁱ⁾ has rank at most ∏_{j≠i} d_j: 1 for a vector, so that every bias with two "
                   "entries or more has a singular U_1, and every matrix that is not square one singular factor.", errata=(71,)),
    Statement("R.Alg.14", "Section 4.4", Form("every name is given or computed before it is used",
                                              dataflow("data m t alpha eps θ model", (), IDEAL)), checks=(FLOW,),
              mutants=(Form("without line 4", dataflow("data m t alpha eps θ model", (), lacking(IDEAL, 4))),
                       Form("line 5 before line 3", dataflow("data m t alpha eps θ model", (), moved(IDEAL, 5, 3))),
                       Form("without ε", dataflow("data m t alpha θ model", (), IDEAL))),
              errata=(50,), note="θ and ∇ℒ are in ℝⁿ in lines 1 to 3 and a tensor in line 5. Line 4 needs Ũ_i = 0 where E[G⁽ⁱ⁾] = "
                                 "0 and k ≥ 2, see (4.10)/2; for k = 1, Ũ_1 = F."),
    Statement("R.Alg.15", "Section 4.4", Form("every name is given or computed before it is used, T_1 = 2, T_2 = 3",
                                              dataflow(GIVEN, START, TNT, PERIODS)), checks=(FLOW,),
              repaired=Form("with lines 15 and 16 once before the loop, from line 2", dataflow(GIVEN, ONCE, TNT, PERIODS)),
              errata=(49,),
              mutants=(Form("the same, without line 2", dataflow(GIVEN, ONCE[:1] + ONCE[2:], TNT, PERIODS)),
                       Form("the same, without line 7", dataflow(GIVEN, ONCE, lacking(TNT, 7), PERIODS)),
                       Form("the same, line 18 before line 10, no momentum at the start", dataflow(
                           GIVEN, (START[0], Line(2, "data W", "Ĝ"), *ONCE[2:]), moved(TNT, 18, 10), PERIODS))),
              note="×_k and (Ũ_k + εI) in line 18 are k_l."),
    Statement("R.Alg.15/1", "line 2", Form("statistics for l = 1, …, k", statistics_for("k")),
              checks=(claimed(Status.EXACT_Q, "three matrices"),),
              repaired=Form("for l = 1, …, L", statistics_for("L")),
              mutants=(Form("for l = 1, …, L − 1", statistics_for("L − 1")), Form("for l = 1", statistics_for("1"))),
              pinned="an index", errata=(51,)),
    Statement("R.Alg.15/2", "lines 7 and 12", Form("Ĝ⁽ⁱ⁾ estimates E[G⁽ⁱ⁾], from the contraction of the average", averaged(1)),
              checks=(claimed(Status.EXACT_Q, "all draws of two examples"),),
              repaired=Form("E[G⁽ⁱ⁾]/m: times m it does", averaged(2)),
              mutants=(Form("m²", averaged(4)),), pinned="one factor", errata=(47,)),
    Statement("R.Alg.16", "Section 4.7.2", Form("every name is given or computed before it is used, T_1 = 2, T_2 = 3",
                                                dataflow(GIVEN, START, SHAMPOO, PERIODS)), checks=(FLOW,),
              repaired=Form("with line 12 once before the loop, from line 2", dataflow(GIVEN, ROOTS, SHAMPOO, PERIODS)),
              errata=(49,),
              mutants=(Form("the same, without line 2", dataflow(GIVEN, ROOTS[:1] + ROOTS[2:], SHAMPOO, PERIODS)),
                       Form("the same, without line 5", dataflow(GIVEN, ROOTS, lacking(SHAMPOO, 5), PERIODS)),
                       Form("the same, without μ and β", dataflow(GIVEN, ROOTS[1:], SHAMPOO, PERIODS)))),
    Statement("R.Alg.16/1", "line 2", Form("statistics for l = 1, …, k", statistics_for("k")),
              checks=(claimed(Status.EXACT_Q, "three matrices"),),
              repaired=Form("for l = 1, …, L", statistics_for("L")),
              mutants=(Form("for l = 1, …, L − 1", statistics_for("L − 1")), Form("for l = 1", statistics_for("1"))),
              pinned="an index", errata=(51,)),
    Statement("R.Alg.16/2", "lines 12 and 14", Form("⊗(Ĝ⁽ⁱ⁾)^(−1/2k) is (⊗Ĝ⁽ⁱ⁾)^(−1/2k)", to_the_power(lambda k: 2 * k)),
              checks=EXACT,
              mutants=(Form("−1/k", to_the_power(lambda k: k)), Form("−1/2", to_the_power(lambda k: 2 if k > 1 else 1)),
                       Form("half of it", to_the_power(lambda k: 2 * k, 2))), long=True,
              note="With X_i = (Ĝ⁽ⁱ⁾)^(−1/2k): (⊗X_i)^(2k) ⊗Ĝ⁽ⁱ⁾ = I. For k = 1 the power is −1/2, full AdaGrad's, for k = 2 it "
                   "is −1/4."),
    Statement("R.Alg.16/3", "beside lines 12 and 14", Form("⊗E[G⁽ⁱ⁾] = tr(F)^(k−1) F where F = ⊗U_i", kronecker_of_moments()),
              checks=(over_Q(), mod_p(lambda n: 20)),
              mutants=(Form("tr(F)^k", kronecker_of_moments(0)), Form("tr(F)^(k−2)", kronecker_of_moments(-2)),
                       Form("tr(F)^(k−3)", kronecker_of_moments(-3))),
              long=True, note="Not in the text: on perfect statistics Shampoo's matrix is (tr(F)^(k−1) F)^(1/2k), a power 1/2k of "
                   "the (empirical) Fisher matrix, not AdaGrad's 1/2; the larger k, the nearer to the gradient's own direction."),
)
