"""W Method 4.1: why the solution with the largest ‖Dη‖ is the one to take.

Two identities carry everything, for any H̄, any D, λ >= 0. Write M_η = H̄ + (λ/2)‖Dη‖D² and r = ‖Dη‖, ρ = ‖Dζ‖, q = ‖D(ζ − η)‖².
If M_η η = ḡ:                  T(ζ) − T(η) = ½(ζ − η)ᵀM_η(ζ − η) + (λ/12)(ρ − r)²(2ρ + r).
If in addition M_ζ ζ = ḡ:       T(η) − T(ζ) = (λ/8)(ρ − r)(q − (ρ − r)²/3), where q >= (ρ − r)².
The first: M_η ⪰ 0 makes η a minimiser; conversely, at ζ = η + te with ρ = r, where t = −2ηᵀD²e/(eᵀD²e), the last term is 0 and
eᵀM_η e < 0 gives a lower point, for all e with ηᵀD²e ≠ 0, hence for all e by continuity; where Dη = 0 M_η = H̄, and η + te with a
small t is the point. The second ranks all stationary points.
"""

from ..checks import Inequality, Outcome, Term, attained_at, certified, claimed, hunted, mod_p, over_Q, proved_by_z3, simple
from ..fields import Field, dot
from ..statement import Form, Statement, Status
from .common import cubic_model, entries, sending, with_norm


def two_solutions(field, n):
    """H̄, ḡ, λ, D and two vectors that solve (H̄ + (λ/2)‖Dη‖D²)η = ḡ, with their norms."""
    lam, D = field.draw(), field.diagonal(entries(field.vector(n)))
    (v, r), (w, rho) = with_norm(field, n), with_norm(field, n)
    while v == w:
        w, rho = with_norm(field, n)
    K = sending(field, v - w, (w * rho - v * r) * (lam / 2))
    return D * K * D, D * (K * v + v * (lam * r / 2)), lam, D, (D.inv() * v, r), (D.inv() * w, rho)


def ranked(eighth=8, third=3, weight=1):
    """T(η) − T(ζ) at two stationary points."""
    def pairs(field, n):
        H, g, lam, D, (eta, r), (zeta, rho) = two_solutions(field, n)
        yield H * eta + D * D * eta * (lam * r / 2), g
        yield H * zeta + D * D * zeta * (lam * rho / 2), g
        q = dot(D * (eta - zeta), D * (eta - zeta))
        yield (cubic_model(H, g, lam, eta, r) - cubic_model(H, g, lam, zeta, rho),
               lam / field.number(eighth) * (rho - r) * (weight * q - (rho - r) ** 2 / field.number(third)))
    return pairs


def above(half=2, twelfth=12, power=2):
    """T(ζ) − T(η) at a stationary η; at a ζ with the same norm; and at ζ = 0."""
    def pairs(field, n):
        lam, D, K = field.draw(), field.diagonal(entries(field.vector(n))), field.symmetric(n)
        (v, r), (w, rho) = with_norm(field, n), with_norm(field, n)
        H, eta, zeta = D * K * D, D.inv() * v, D.inv() * w
        M = H + (D * D if power == 2 else D) * (lam * r / field.number(half))
        g = M * eta

        def gap(e, rho):
            return dot(e, M * e) / 2 + lam / field.number(twelfth) * (rho - r) ** 2 * (2 * rho + r)

        e = field.vector(n)
        t = -2 * dot(D * eta, D * e) / dot(D * e, D * e)
        for other, norm in ((zeta, rho), (eta + e * t, r), (field.zeros(n, 1), field.number(0))):
            yield dot(D * other, D * other), norm * norm
            yield cubic_model(H, g, lam, other, norm) - cubic_model(H, g, lam, eta, r), gap(other - eta, norm)
    return pairs


def falls(weight=4, power=2, triangle=True):
    """(48/λ)(T(η) − T(ζ)) >= weight (ρ − r)^(power + 1), for stationary points with ρ >= r."""
    hypotheses = {"r >= 0": lambda r, rho, q: r, "rho - r >= 0": lambda r, rho, q: rho - r,
                  "q - (rho-r)**2 >= 0": lambda r, rho, q: q - (rho - r) * (rho - r)}
    if not triangle:
        del hypotheses["q - (rho-r)**2 >= 0"]
    return Inequality(("r", "rho", "q"), hypotheses, lambda r, rho, q:
                      2 * (rho - r) * (3 * q - (rho - r) * (rho - r)) - weight * (rho - r) ** (power + 1))


def draw(rng):
    """(r, ρ, q)."""
    r, rho = simple(rng), simple(rng)
    return min(r, rho), max(r, rho), (rho - r) ** 2 + rng.choice([0, 1, 1]) * simple(rng)


def pairs_of_solutions():
    """Over ℚ, λ > 0: two by hand, K = (−3/2 1; 1 1), Dη = (0, 1), Dζ = (2, 0), D = Diag(1, 1/3) or Diag(1, 3), and random ones."""
    field = Field(None, 1)
    K = field.build(2, 2, lambda i, j: field.number(-3, 2) if i == j == 0 else field.number(1))
    v, w = field.build(2, 1, lambda i, _: field.number(i)), field.build(2, 1, lambda i, _: field.number(2 - 2 * i))
    for second in (field.number(1, 3), field.number(3)):
        D = field.diagonal([field.number(1), second])
        yield D * K * D, D * (K * v + v), field.number(2), D, (D.inv() * v, field.number(1)), (D.inv() * w, field.number(2))
    for n in (1, 2, 3):
        for _ in range(40):
            found = two_solutions(field, n)
            if found[2] > 0 and found[4][1] != found[5][1]:
                yield found


def chosen(rank):
    """Of two solutions the one with the larger rank(η, D) has the smaller T."""
    def code():
        for H, g, lam, D, (eta, r), (zeta, rho) in pairs_of_solutions():
            lower = cubic_model(H, g, lam, eta, r) < cubic_model(H, g, lam, zeta, rho)
            if lower != (rank(eta, D) > rank(zeta, D)):
                return Outcome(f"H̄ = {H.tolist()}, ḡ = {entries(g)}, D = {[D[i, i] for i in range(D.nrows())]}, λ = {lam}: "
                               f"η = {entries(eta)} and {entries(zeta)}")
        return Outcome()
    return code


def norm_of(power):
    """‖D^power η‖²."""
    return lambda eta, D: dot(D**power * eta, D**power * eta)


STATEMENTS = (
    Statement(
        "W.Method.4.1/1", "Method 4.1: \"the solution with the largest norm\"",
        Form("of two solutions of (H̄ + (λ_int/2)‖Dη‖D²)η = ḡ the one with the larger ‖Dη‖ has the smaller T", chosen(norm_of(1))),
        checks=(claimed(Status.EXACT_Q, "59 random pairs of solutions and two by hand; in general by W.Method.4.1/3 and /4"),),
        mutants=(Form("with the larger ‖η‖", chosen(norm_of(0))), Form("with the larger ‖D²η‖", chosen(norm_of(2))),
                 Form("with the smaller ‖Dη‖", chosen(lambda eta, D: -norm_of(1)(eta, D)))),
        note="The norm that ranks is lost in the text; only ‖Dη‖ is right (and invariant). Without an inverse in the equation the "
             "solutions of largest norm are exactly the minimisers of T, see /2; with the inverse of the printed equation they may "
             "be missing (W.Prose.uniqueness)."),
    Statement(
        "W.Method.4.1/2", "beside Method 4.1 (ours): when a solution minimises T",
        Form("M_η η = ḡ, M_η = H̄ + (λ_int/2)‖Dη‖D² ⇒ T(ζ) − T(η) = ½(ζ − η)ᵀM_η(ζ − η) + (λ_int/12)(‖Dζ‖ − ‖Dη‖)²(2‖Dζ‖ + ‖Dη‖)",
             above()),
        checks=(over_Q((1, 2, 3)), mod_p(lambda n: 16 * n + 60)),
        mutants=(Form("M_η = H̄ + λ_int‖Dη‖D²", above(half=1)), Form("λ_int/6 for λ_int/12", above(twelfth=6)),
                 Form("M_η = H̄ + (λ_int/2)‖Dη‖D", above(power=1))),
        hypotheses=("any symmetric H̄, any D, λ_int >= 0",),
        note="The certificate: a solution η minimises T if, and only if, M_η ⪰ 0; it is the only minimiser if M_η is positive "
             "definite. \"Only if\" by the points ζ with ‖Dζ‖ = ‖Dη‖, which the check has. At ζ = 0: T(η) = −½ηᵀM_η η − "
             "(λ_int/12)‖Dη‖³ <= 0."),
    Statement(
        "W.Method.4.1/3", "beside Method 4.1 (ours): T at two solutions",
        Form("T(η) − T(ζ) = (λ_int/8)(‖Dζ‖ − ‖Dη‖)(‖D(ζ − η)‖² − (‖Dζ‖ − ‖Dη‖)²/3) for two solutions", ranked()),
        checks=(over_Q((1, 2, 3)), mod_p(lambda n: 24 * n + 80)),
        long=True,
        mutants=(Form("λ_int/4 for λ_int/8", ranked(eighth=4)), Form("/2 for /3", ranked(third=2)),
                 Form("2‖D(ζ − η)‖²", ranked(weight=2))),
        hypotheses=("(H̄ + (λ_int/2)‖Dη‖D²)η = ḡ, the same for ζ; any symmetric H̄, any D",)),
    Statement(
        "W.Method.4.1/4", "beside Method 4.1 (ours): by how much T falls from one solution to the next",
        Form("T(η) − T(ζ) >= (λ_int/12)(‖Dζ‖ − ‖Dη‖)³ for two solutions, ‖Dζ‖ >= ‖Dη‖", falls()),
        checks=(certified(Term(6, ("rho - r >= 0", "q - (rho-r)**2 >= 0"), lambda r, rho, q: 1)), proved_by_z3(), hunted(draw)),
        sharpness=(attained_at(0, 1, 1),),
        mutants=(Form("λ_int/8", falls(weight=6)), Form("(‖Dζ‖ − ‖Dη‖)²", falls(power=1)),
                 Form("without ‖D(ζ − η)‖ >= ‖Dζ‖ − ‖Dη‖", falls(triangle=False)),
                 Form("5λ_int/48", falls(weight=5)), Form("(‖Dζ‖ − ‖Dη‖)⁴", falls(power=3))),
        hypotheses=("W.Method.4.1/3",),
        note="So solutions with one ‖Dη‖ have one T, and a larger ‖Dη‖ means a smaller T. Attained by solutions on one ray: H̄ = "
             "−1, ḡ = 0, D = 1, λ_int = 2, η = 0 and ζ = 1."),
)
