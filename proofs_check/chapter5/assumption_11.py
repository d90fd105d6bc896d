"""R Assumptions 11 and 12: which nets satisfy ‖B_t‖ <= β and ‖∇²f‖ <= β₁?

One layer: yes, for every θ, with constants. Two layers: no constant does for all θ, since ∂ŷ/∂W^(1) has the factor W^(2). Along a
run of Theorem 6's algorithm both hold where f has a penalty η/2 ‖θ‖²: f(θ⁽ᵗ⁾) <= f(θ⁽⁰⁾) keeps θ in a ball, and ‖p‖ <= ‖g‖/τ.
"""

from __future__ import annotations

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, refuted_at, simple
from ..fields import Field, dot
from ..polynomial_nets import derivative
from ..statement import Form, Statement, Status
from .runs import CASES, Q, column, constants, traces

POINTS = tuple(Q(x) for x in (-1000, -3, Q(-1, 2), 0, Q(1, 3), 2, 10**6))


def one(*_):
    """The square of a term that has none."""
    return 1


def curvatures(which, factor=1, layers=1):
    """dᵀMd <= factor · bound · dᵀd for M = B_t or ∇²f at many θ, d; for two layers ŷ = w_2w_1 there is no bound: M_11 = w_2²."""
    def code():
        if layers == 2:
            for w_2 in (1, 2, 10, 10**6):
                def output(s, w_2=w_2):
                    return Q(w_2 * s)                                     # w_1 = s

                def f(s, output=output):
                    return output(s) ** 2 / 2                             # y = 0
                rationals = Field(None, 0)
                value = derivative(rationals, f, 2, 4) if which == "Hessian" else derivative(rationals, output, 1, 4) ** 2
                if value != w_2**2:
                    return Outcome()
            return Outcome("ŷ = w_2w_1, y = 0, w_1 = 0: the entry of w_1 is w_2², which no constant bounds")
        for tag, net, *_ in CASES[:5]:
            beta, beta_1 = net.bounds()
            if tag or (which == "B" and net.phi == "linear" and net.B == "fisher"):
                continue
            size = len(net.start)
            for a in POINTS:
                theta = column([a + k for k in range(size)])
                for d in (column([1] * size), column([1, *[0] * (size - 1)]), column([*[0] * (size - 1), 1])):
                    if which == "B":
                        values = [dot(d, net.curvature(theta, t) * d) for t in range(3)]
                    else:
                        values = [slope_of_slope(net, theta, d)]
                    bound = factor * (beta if which == "B" else beta_1) * dot(d, d)
                    if any(abs(value) > bound for value in values):
                        return Outcome(f"{net.phi}, {net.B}: above the bound at θ = {a}, …")
        return Outcome()
    return code


def slope_of_slope(net, theta, d):
    """dᵀ∇²f d, from φ′ and φ″."""
    total = Q(0)
    for i in range(len(net.x)):
        J, residual = net.example(theta, i)
        h, x = dot(net.row(i), theta), dot(net.row(i), d)
        second = (6 * h * h - 2) / (1 + h * h) ** 3 if net.phi == "bell" else Q(0)
        total += dot(J, d) ** 2 + residual * second * x * x
    return total / len(net.x)


def slope_bound(number, factor=256):
    """27/64 >= φ′² = 4u/(1 + u)⁴ with u = h² for the bell, as number (1 + u)⁴ − factor u >= 0."""
    return Inequality(("u",), {"u >= 0": lambda u: u}, lambda u: number * (1 + u) ** 4 - factor * u)


def second_bound(k, m):
    """φ″ = (6u − 2)/(1 + u)³ <= k/m, for a negative m −φ″ <= −k/m."""
    return Inequality(("u",), {"u >= 0": lambda u: u}, lambda u: k * (1 + u) ** 3 - m * (6 * u - 2))


def logistic(k):
    """σ(1 − σ) <= 1/k for 0 <= σ <= 1."""
    return Inequality(("a",), {"a >= 0": lambda a: a, "1 - a >= 0": lambda a: 1 - a}, lambda a: 1 - k * a * (1 - a))


def proof_holds(*tags, halves=1):
    """|ρ − 1| <= halves · ½(β + β₁)/λ at every step of the runs that are smooth, or have one of these tags."""
    def code():
        for tag, net, rule, steps in traces():
            beta, beta_1, _, _ = constants(net, rule)
            for step in steps if tag in ("", *tags) else ():
                if abs(step.rho - 1) * step.lam > halves * (beta + beta_1) / 2:
                    return Outcome(f"f = ½(relu(b) + 1)², b = {step.theta[1, 0]}, λ_t = {step.lam}: ρ_t = {step.rho}")
        return Outcome()
    return code


def draw_one(rng):
    """A number that is not negative."""
    return [abs(simple(rng))]


EXACTLY = claimed(Status.SAMPLED, "exact quadratic forms at 7 θ, up to 10⁶, of 4 nets of one layer; w_2w_1 for two layers")
STATEMENTS = (
    Statement(
        "R.As.11", "Section 5.6, Assumption 11",
        Form("‖B_t‖ <= β: nets of any number of layers have such a β", curvatures("B", layers=2)),
        checks=(EXACTLY,),
        mutants=(Form("a hundredth of β", curvatures("B", Q(1, 100))), Form("β = 0", curvatures("B", 0)),
                 Form("a negative β", curvatures("B", -1))),
        repaired=Form("nets of one layer with |φ′| bounded have one, for every θ; deeper ones on bounded sets of θ",
                      curvatures("B")),
        note="Gauss-Newton: β = max φ′² max ‖x̃_i‖². Fisher (5.3): the residual enters, so that even a linear net needs "
             "f(θ⁽ᵗ⁾) not to grow, as Theorem 6's algorithm ensures. With a penalty η/2 ‖θ‖² in f the iterates stay bounded, "
             "and every smooth net has β.",
    ),
    Statement(
        "R.As.11/1", "a net that satisfies it",
        Form("for φ = 1/(1 + h²), φ′² <= 27/64: 27(1 + u)⁴ >= 256u, u = h²", slope_bound(27)),
        checks=(certified(Term(27, (), lambda u: 3 * u - 1), Term(14, ("u >= 0",), lambda u: 3 * u - 1),
                          Term(3, (), lambda u: u * (3 * u - 1))), refuted_at("1/3"), hunted(draw_one, 300)),
        mutants=(Form("26 for 27", slope_bound(26)), Form("257 for 256", slope_bound(27, 257)),
                 Form("φ′² <= 1/4", slope_bound(16))),
        sharpness=(attained_at("1/3"),),
        note="The nets of `runs` with a bell satisfy both assumptions for all θ with these constants.",
    ),
    Statement(
        "R.As.12", "Section 5.6, Assumption 12",
        Form("‖∇²f(θ)‖ <= β₁: nets of any number of layers have such a β₁", curvatures("Hessian", layers=2)),
        checks=(EXACTLY,),
        mutants=(Form("a hundredth of β₁", curvatures("Hessian", Q(1, 100))), Form("β₁ = 0", curvatures("Hessian", 0)),
                 Form("a negative β₁", curvatures("Hessian", -1))),
        repaired=Form("nets of one layer with φ′, residual · φ″ bounded have one, for every θ; deeper smooth ones on bounded sets",
                      curvatures("Hessian")),
        note="Linear, logistic and softmax regression satisfy it.",
        errata=(78,),
    ),
    Statement(
        "R.As.12/1", "a net that satisfies it",
        Form("for φ = 1/(1 + h²), φ″ <= 1/2: (1 + u)³ >= 12u − 4, u = h²", second_bound(1, 2)),
        checks=(certified(Term(1, ("u >= 0",), lambda u: u - 1), Term(5, (), lambda u: u - 1)), refuted_at(1),
                hunted(draw_one, 300)),
        mutants=(Form("φ″ <= 1/3", second_bound(1, 3)), Form("φ″ <= 1/4", second_bound(1, 4)),
                 Form("φ″ <= 2/5", second_bound(2, 5))),
        sharpness=(attained_at(1),),
    ),
    Statement(
        "R.As.12/2", "a net that satisfies it",
        Form("for φ = 1/(1 + h²), −φ″ <= 2: 2(1 + u)³ >= 2 − 6u", second_bound(2, -1)),
        checks=(certified(Term(2, ("u >= 0",), lambda u: u), Term(6, (), lambda u: u), Term(12, ("u >= 0",), one)), refuted_at(0),
                hunted(draw_one, 300)),
        mutants=(Form("−φ″ <= 1", second_bound(1, -1)), Form("−φ″ <= 3/2", second_bound(3, -2)),
                 Form("−φ″ <= 0", second_bound(0, -1))),
        sharpness=(attained_at(0),),
    ),
    Statement(
        "R.As.12/3", "a net that satisfies it",
        Form("logistic regression: σ(1 − σ) <= 1/4, hence ‖∇²f‖ <= ¼ (1/N) Σ‖x̃_i‖²", logistic(4)),
        checks=(certified(Term(1, (), lambda a: 1 - 2 * a)), refuted_at("1/2")),
        mutants=(Form("<= 1/5", logistic(5)), Form("<= 1/6", logistic(6)), Form("<= 1/8", logistic(8))),
        sharpness=(attained_at("1/2"),),
        note="Without a penalty its infimum need not be attained: ‖g_t‖ → 0 while ‖θ⁽ᵗ⁾‖ → ∞, as Theorem 6 allows.",
    ),
    Statement(
        "R.As.12/4", "nets of ReLUs",
        Form("‖∇²f‖ <= β₁ wherever ∇²f exists suffices for |ρ_t − 1| <= ½(β + β₁)/λ_t", proof_holds("ReLU")),
        checks=(claimed(Status.SAMPLED, "exact runs"),),
        mutants=(Form("with ¼(β + β₁)/λ_t and ReLU", proof_holds("ReLU", halves=Q(1, 2))),
                 Form("with 2(β + β₁)/λ_t and ReLU", proof_holds("ReLU", halves=4)),
                 Form("with 1/1000 of the bound", proof_holds(halves=Q(1, 1000)))),
        repaired=Form("f has to be twice differentiable between θ and θ + p_t", proof_holds()),
        note="A step across a kink: nets of ReLUs, which 5.2.1 admits, do not satisfy Assumption 12, and the proof does not "
             "cover them.",
    ),
)
