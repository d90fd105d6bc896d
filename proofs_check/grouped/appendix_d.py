"""W Appendix D: what it says of T and D before and around its two cases; (3) to (6) and convexity have files of their own.

The Hessian: with v = Dη, e = D(ζ − η), r = ‖v‖, ρ = ‖Dζ‖, q = ‖e‖² the remainder of ‖v‖v after its derivative re + v(vᵀe)/r is
(ρ − r)(e − v(ρ − r)/(2r)) + vq/(2r), at most 2q in norm: so T is twice differentiable where Dη ≠ 0. At Dη = 0 ‖v‖v is of second
order, the Hessian is H̄, and the formula tends to it.
"""

import itertools
from fractions import Fraction

from ..checks import Inequality, Outcome, claimed, mod_p, over_Q, proved_by_z3
from ..fields import Field, dot, outer
from ..statement import Form, Statement, Status
from .common import Polynomial, entries, summary, with_norm
from .equation_6 import beyond, cases


def hessian(second=1, half=2):
    """∇T at ζ less ∇T at η less the Hessian times ζ − η."""
    def pairs(field, n):
        H, lam, D = field.symmetric(n), field.draw(), field.diagonal(entries(field.vector(n)))
        (v, r), (w, rho) = with_norm(field, n), with_norm(field, n)
        e, eta = w - v, D.inv() * v
        q, DDeta = dot(e, e), D * v
        hess = H + (D * D * r + outer(DDeta, DDeta) * (second / r)) * (lam / field.number(half))

        def slope(x, norm):
            return H * x + D * D * x * (lam * norm / 2)

        rest = (e - v * ((rho - r) / (2 * r))) * (rho - r) + v * (q / (2 * r))
        yield slope(D.inv() * w, rho) - slope(eta, r) - hess * (D.inv() * e), D * rest * (lam / 2)
    return pairs


def minimum_exists(condition):
    """T has a minimum ⇔ condition(H̄, ḡ, d, λ), over diagonal H̄ with S = 2.

    The rows with λd_s = 0 have no cubic term: T falls to −∞ along one of them if H̄_ss < 0, or if H̄_ss = 0 ≠ ḡ_s. Otherwise they
    have a minimum of their own, and the other rows are coercive: ‖Dη‖³ >= Σ_s |d_s η_s|³, so that T is at least a sum over rows.
    """
    def code():
        for H, g, d, lam in itertools.product(itertools.product((-1, 0, 1), repeat=2), itertools.product((0, 1), repeat=2),
                                              itertools.product((0, 1), repeat=2), (0, 2)):
            far = Fraction(10**6)
            falls = [s for s in range(2) for sign in (-1, 1)
                     if H[s] * far**2 / 2 - g[s] * sign * far + Fraction(lam, 6) * (d[s] * far) ** 3 < -1000]
            if bool(condition(H, g, d, lam)) == bool(falls):
                return Outcome(f"H̄ = Diag{H}, ḡ = {g}, D = Diag{d}, λ = {lam}: T {'falls to −∞' if falls else 'has a minimum'}")
        return Outcome()
    return code


def exists_where(H, g, d, lam):
    """Every row without a cubic term is convex, and flat only without a slope."""
    return all(lam * d[s] or H[s] > 0 or H[s] == g[s] == 0 for s in range(2))


def positive(claim, partition):
    """Is claim(d_s³) true of every subset, for ½(w_2 w_1 x + b_2 + w_2 b_1 − y)² with tensors w_1, b_1, w_2, b_2 of one entry?"""
    def code():
        field = Field(None, 3)
        one, x, y = field.number(1), field.number(2), field.number(1)
        output = {(0, 2): x, (1, 2): one, (3,): one, (): -y}                   # variables 0 w_1, 1 b_1, 2 w_2, 3 b_2
        L: Polynomial = {}
        for (a, c), (b, e) in itertools.product(output.items(), repeat=2):
            key = tuple(sorted(a + b))
            L[key] = L.get(key, field.number(0)) + c * e / 2
        theta, u = ([field.number(*z) for z in w] for w in (((1, 2), (3,), (-2,), (1,)), ((1,), (2,), (-1,), (1, 3))))
        D3 = summary(field, L, theta, u, 3, 4 if partition == "canonical" else 1)
        diagonal = [D3[s, s, s] for s in range(4 if partition == "canonical" else 1)]
        wrong = [str(value) for value in diagonal if not claim(abs(value))]
        return Outcome(f"{partition} partition: |D^(3)_sss| = {', '.join(str(abs(value)) for value in diagonal)}" if wrong else "")
    return code


def case_2(said):
    """How many minimisers η′ has (4) in C, and how many on its boundary, as said(k, c, λ): from the exact formulas."""
    def code():
        for k, c, lam in cases():
            lowest, bound = min(k), Fraction(2 * abs(min(k)), lam)
            inside = beyond(k, c, lam)
            rest = [Fraction(y) / (x - lowest) if x != lowest else None for x, y in zip(k, c, strict=True)]
            edge = 0
            if not any(y for y, z in zip(c, rest, strict=True) if z is None):
                free = bound**2 - sum(z * z for z in rest if z is not None)
                edge = (free >= 0) + (free > 0 and len([z for z in rest if z is None]) == 1) + \
                    2 * (free > 0 and len([z for z in rest if z is None]) > 1)
            if (inside, min(edge, 3)) not in said:
                return Outcome(f"K = Diag{k}, D⁻¹ḡ = ({', '.join(map(str, c))}), λ = {lam}: {inside} in C, "
                               f"{'a circle' if edge == 3 else edge} on its boundary")
        return Outcome()
    return code


def invertible(half=2, bound=2):
    """2(k + (λ/half) r) > 0 for an eigenvalue k >= −m of K and λr > bound·m, m = |λ_min|."""
    return Inequality(("k", "m", "lam", "r"),
                      {"k + m >= 0": lambda k, m, lam, r: k + m, "m >= 0": lambda k, m, lam, r: m,
                       "lam > 0": lambda k, m, lam, r: lam,
                       "lam r - bound m > 0": lambda k, m, lam, r: lam * r - bound * m},
                      lambda k, m, lam, r: half * k + lam * r, strict=True)


STATEMENTS = (
    Statement(
        "W.App.D/1", "Appendix D: \"differentiable twice\"",
        Form("∇²T(η) = H̄ + (λ_int/2)(‖Dη‖D² + D²ηηᵀD²/‖Dη‖), and H̄ where Dη = 0", hessian()),
        checks=(over_Q((1, 2, 3)), mod_p(lambda n: 8 * n + 60)),
        long=True,
        mutants=(Form("without D²ηηᵀD²/‖Dη‖", hessian(second=0)), Form("λ_int for λ_int/2", hessian(half=1)),
                 Form("2D²ηηᵀD²/‖Dη‖", hessian(second=2))),
        note="True, and no more than that: |η|³ has no third derivative at 0. The Hessian is not the matrix in (2), which lacks "
             "its second, semidefinite term; a stationary point with this Hessian ⪰ 0 is a local minimum at best."),
    Statement(
        "W.App.D/2", "Appendix D: D's diagonal",
        Form("d_s = |D^(3)_sss|^(1/3) > 0 for all s", positive(lambda cube: cube > 0, "canonical")),
        checks=(claimed(Status.EXACT_Q, "a perceptron 1-1-1 with linear layers and half a square, over ℚ"),),
        repaired=Form("d_s >= 0; 0 where the loss is quadratic in a tensor, as all tensors of linear and ReLU nets are with half a "
                      "square",
                      positive(lambda cube: cube == 0, "canonical")),
        mutants=(Form("d_s = 0 with the trivial partition as well", positive(lambda cube: cube == 0, "trivial")),
                 Form("d_s > 1 with the trivial partition", positive(lambda cube: cube > 10**6, "trivial")),
                 Form("d_s < 0", positive(lambda cube: cube < 0, "canonical"))),
        errata=(63,),
        note="Then (4) to (6) divide by 0. With tanh, logistic or a cross entropy d_s > 0 as a rule, but not where u_s = 0."),
    Statement(
        "W.App.D/3", "Appendix D: \"at least one global minimum\"",
        Form("d_s > 0 for all s, λ_int > 0 ⇒ T has a minimum; beyond the text, for diagonal H̄: ⇔ in every row with λ_int d_s = 0 "
             "H̄_ss > 0 or H̄_ss = ḡ_s = 0", minimum_exists(exists_where)),
        checks=(claimed(Status.EXACT_Q, "288 problems with diagonal H̄, S = 2"),),
        mutants=(Form("always", minimum_exists(lambda *_: True)),
                 Form("if, and only if, λ_int > 0", minimum_exists(lambda H, g, d, lam: lam > 0)),
                 Form("if, and only if, d_s > 0 for all s and λ_int > 0", minimum_exists(lambda H, g, d, lam: all(d) and lam > 0)),
                 Form("with H̄_ss >= 0 in the rows without a cubic term", minimum_exists(
                     lambda H, g, d, lam: all(lam * d[s] or H[s] >= 0 for s in range(2))))),
        note="With d_s > 0 T >= −‖D⁻¹ḡ‖ρ + ½λ_min(K)ρ² + (λ_int/6)ρ³ with ρ = ‖Dη‖, which tends to ∞. λ_int = 0, the special case "
             "of Section 4.3, has a minimum only if H̄ ⪰ 0."),
    Statement(
        "W.App.D/4", "Appendix D, Case 2: \"the unique η′ belonging to\" C = {‖η′‖ > (2/λ_int)|λ_min|}",
        Form("(4) has one solution in C, which is the one of maximum norm", case_2({(1, 0)})),
        checks=(claimed(Status.EXACT_Q, "288 diagonal problems with λ_min <= 0"),),
        repaired=Form("(4) has one solution in C and no solution with K + (λ_int/2)‖η′‖Id ⪰ 0 on its boundary, or none in C and "
                      "one, two or a sphere of them on its boundary (the hard case): the solutions of maximum norm, which minimise "
                      "T",
                      case_2({(1, 0), (0, 1), (0, 2), (0, 3)})),
        mutants=(Form("one in C, or two on its boundary", case_2({(1, 0), (0, 2)})),
                 Form("one in C, or one on its boundary", case_2({(1, 0), (0, 1)})),
                 Form("one in C, or finitely many on its boundary", case_2({(1, 0), (0, 1), (0, 2)}))),
        hypotheses=("K not positive definite, λ_min <= 0 its smallest eigenvalue",), errata=(27,),
        note="ḡ = 0 with an indefinite H̄ is always the hard case: from a point where ḡ = 0 the printed method stands still, a "
             "minimiser of T moves along the lowest eigenvector."),
    Statement(
        "W.App.D/5", "Appendix D, Case 2: K + (λ_int/2)‖η′‖Id is invertible for η′ in C",
        Form("k + (λ_int/2)r > 0 for every eigenvalue k >= λ_min of K and r > (2/λ_int)|λ_min|", invertible()),
        checks=(proved_by_z3(),),
        mutants=(Form("r > (1/λ_int)|λ_min|", invertible(bound=1)), Form("k + (λ_int/3)r", invertible(half=3)),
                 Form("r > 0", invertible(bound=0))),
        note="It is positive definite, hence T has one minimum there at most (W.Method.4.1/2)."),
)
