"""W (2): T(η) = −ḡᵀη + ½ηᵀH̄η + (λ/6)‖Dη‖³, its gradient, and the equation that is to be equivalent to minimising it.

With r = ‖Dη‖, ρ = ‖Dζ‖, q = ‖D(ζ − η)‖² the remainder T(ζ) − T(η) − ∇T(η)ᵀ(ζ − η) is
½(ζ − η)ᵀH̄(ζ − η) + (λ/12)[(ρ − r)²(2ρ + r) + 3rq], which is of second order since (ρ − r)² <= q: so ∇T is the gradient.
"""

from fractions import Fraction

from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import Field, dot
from ..statement import Form, Statement, Status
from .common import cubic_model, entries, summary, with_norm
from .diagonal import T, norm, points, problems


def gradient(half=2, power=2, norm=1):
    """The remainder of T after the gradient −ḡ + H̄η + (λ/half) ‖Dη‖^norm D^power η."""
    def pairs(field, n):
        H, g, lam, D = field.symmetric(n), field.vector(n), field.draw(), field.diagonal(entries(field.vector(n)))
        (v, r), (w, rho) = with_norm(field, n), with_norm(field, n)
        eta, zeta = D.inv() * v, D.inv() * w
        q, e = dot(w - v, w - v), zeta - eta
        slope = H * eta - g + (D * D * eta if power == 2 else D * eta) * (lam / field.number(half) * r**norm)
        yield (cubic_model(H, g, lam, zeta, rho) - cubic_model(H, g, lam, eta, r) - dot(slope, e),
               dot(e, H * e) / 2 + lam / field.number(12) * ((rho - r) ** 2 * (2 * rho + r) + 3 * r * q))
    return pairs


def inverse_form(H, g, d, x, r):
    """Is the matrix invertible and η = (H̄ + (λ/2)‖Dη‖D²)⁻¹ḡ?"""
    M = [h + r * e * e for h, e in zip(H, d, strict=True)]
    return all(M) and all(b == m * a for m, a, b in zip(M, x, g, strict=True))


def definite_form(H, g, d, x, r, factor=1):
    """(H̄ + (λ/2)‖Dη‖D²)η = ḡ and H̄ + (factor λ/2)‖Dη‖D² positive semidefinite?"""
    return all((h + r * e * e) * a == b and h + factor * r * e * e >= 0 for h, e, a, b in zip(H, d, x, g, strict=True))


def without_definite(H, g, d, x, r):
    """The equation alone."""
    return all((h + r * e * e) * a == b for h, e, a, b in zip(H, d, x, g, strict=True))


def minimisers(answer):
    """Among the points the form's answers have the lowest T; a refused one that solves the equation has a lower point.

    A lower point is searched among the points and, along each axis, at the exact minimum of T on a finer grid.
    """
    def code():
        for H, g, d in problems():
            S = len(H)
            finer = points(S) + [tuple(Fraction(k, 8) if i == s else Fraction(0) for i in range(S))
                                 for s in range(S) for k in range(-32, 33)]
            lowest = min(T(H, g, d, x) for x in finer)
            for x in points(S):
                value, said = T(H, g, d, x), answer(H, g, d, x, norm(x, d))
                shown = f"H̄ = {H}, ḡ = {g}, D = {d}, λ = 2: η = {tuple(map(str, x))}"
                if said and value > lowest:
                    return Outcome(f"{shown} solves it, T = {value}, but T falls to {lowest}")
                if not said and value == lowest and definite_form(H, g, d, x, norm(x, d)):
                    return Outcome(f"{shown} does not solve it, but is the minimum, T = {value}")
        return Outcome()
    return code


def bounded(losses, factor=1):
    """|D^(3)[η, η, η]| <= factor ‖Dη‖³ at u = (1, 1), S = P = 2, for the cubic losses and points with a rational ‖Dη‖."""
    def code():
        field = Field(None, 0)
        zero, one = field.number(0), field.number(1)
        for L in losses:
            D3 = summary(field, {places: field.number(c) for places, c in L.items()}, [zero] * 2, [one] * 2, 3, 2)
            cubes = [abs(int(D3[s, s, s])) for s in range(2)]
            d = [next(x for x in range(cube + 1) if x**3 >= cube) for cube in cubes]
            for x in points(2):
                term = sum(int(entry) * x[i] * x[j] * x[k] for (i, j, k), entry in D3.items())
                if [e**3 for e in d] != cubes or (d[0] * d[1] and d[0] != d[1]):
                    return Outcome(f"d of {L} is not of use here")
                if abs(term) > factor * norm(x, d) ** 3:
                    return Outcome(f"L = {L} by monomials, η = ({x[0]}, {x[1]}): {abs(term)} > {factor * norm(x, d) ** 3}, d = {d}")
        return Outcome()
    return code


STRAIGHT = ({(0, 0, 0): 36, (1, 1, 1): -36}, {(0, 0, 0): 36}, {(1, 1, 1): -36, (0, 1): 5})                # D^(3)_sss = ±6³
CROSSED = ({(0, 0, 1): 100, (0, 0): 1, (1, 1): 1},)

STATEMENTS = (
    Statement(
        "W.Eq.2/1", "Section 4.2, the gradient behind (2), and Appendix D",
        Form("∇T(η) = −ḡ + H̄η + (λ_int/2)‖Dη‖D²η for T(η) = −ḡᵀη + ½ηᵀH̄η + (λ_int/6)‖Dη‖³", gradient()),
        checks=(over_Q((1, 2, 3)), mod_p(lambda n: 8 * n + 40)),
        mutants=(Form("(λ/6) for λ/2", gradient(half=6)), Form("D for D²", gradient(power=1)),
                 Form("‖Dη‖² for ‖Dη‖", gradient(norm=2))),
        note="T is restored from (2) and the text: 1/6 is what makes λ/2 in (2), and for S = 1, λ_int = 1 the cubic term is "
             "|D^(3)||η|³/3!."),
    Statement(
        "W.Eq.2/2", "Section 4.2: minimising T \"is equivalent to finding a solution\" of (2)",
        Form("η minimises T ⇔ η = (H̄ + (λ_int/2)‖Dη‖D²)⁻¹ḡ", minimisers(inverse_form)),
        checks=(claimed(Status.EXACT_Q, "exactly on 68 diagonal problems with S = 1, 2 and rational points; in general by "
                                        "W.Method.4.1/2"),),
        repaired=Form("η minimises T ⇔ (H̄ + (λ_int/2)‖Dη‖D²)η = ḡ and H̄ + (λ_int/2)‖Dη‖D² ⪰ 0", minimisers(definite_form)),
        mutants=(Form("the equation without an inverse, and nothing else", minimisers(without_definite)),
                 Form("with H̄ + λ_int‖Dη‖D² ⪰ 0, the Hessian's bound", minimisers(
                     lambda H, g, d, x, r: definite_form(H, g, d, x, r, factor=2))),
                 Form("with H̄ ⪰ 0", minimisers(lambda H, g, d, x, r: definite_form(H, g, d, x, r, factor=0)))),
        hypotheses=("\"Under conditions detailed in Appendix D\": λ_int > 0, d_s > 0",), errata=(27, 80),
        note="Both directions fail. H̄ = −1, ḡ = 0, D = 1, λ_int = 2: η = 0 is the only solution of (2) and the maximum of T, "
             "whose minima ±1 make the matrix singular. And a solution may be any stationary point."),
    Statement(
        "W.Eq.2/3", "Section 4.2: the update \"remains in an area … where the cubic term … is negligible\"",
        Form("(1/6)‖Dη‖³ bounds the cubic term (1/6)|D^(3)[η, η, η]| of Taylor's expansion", bounded(STRAIGHT + CROSSED)),
        checks=(claimed(Status.EXACT_Q, "cubic losses of two parameters, S = 2, at points with a rational ‖Dη‖"),),
        repaired=Form("it does if D^(3) has nothing beside its diagonal, in particular for S = 1", bounded(STRAIGHT)),
        mutants=(Form("with 1/12 for 1/6, without cross-derivatives", bounded(STRAIGHT, Fraction(1, 2))),
                 Form("1000 ‖Dη‖³ bounds it", bounded(CROSSED, 1000)),
                 Form("with 1/7 for 1/6, without cross-derivatives", bounded(STRAIGHT, Fraction(6, 7)))),
        note="Σ d_s³|η_s|³ <= ‖Dη‖³. Cross-derivatives are discarded: L = −x − y + ½(x² + y²) + 100x²y at 0 has D = 0, so that u = "
             "g gives η = (1, 1) whatever λ_int is; Δ₂ = −1, and L rises by 99.", errata=(84,)),
)
