"""W Section 4.3, Appendix E: what keeps the invariance and what breaks it, on runs over ℚ and in exact single problems.

A run is three steps of Algorithm 1 with λ_int = 0 (`algorithm_1.run`) in θ and in θ̃, θ_p = α_s θ̃_p + β_p, on a random polynomial;
W.App.E/2 adds λ_int > 0. Runs with every part of the algorithm in numbers of 300 bits are in docs/invariance.md.
"""

from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import Field
from ..statement import Form, Statement, Status
from .algorithm_1 import run
from .appendix_e import entrywise
from .common import composed, polynomial, subsets, summary


def trained(spread=False, **departure):
    """φ(θ̃_t) = θ_t and α_s² η̃_s = η_s at every step; spread: α_p for every p."""
    def pairs(field, n):
        L, S = polynomial(field, n), subsets(n)
        L[0, 0], L[n - 1, n - 1] = field.number(3), field.number(2)
        theta, beta, alpha = ([field.draw() for _ in range(n)] for _ in range(3))
        if not spread:
            alpha = [alpha[p % S] for p in range(n)]
        start = field.build(n, 1, lambda p, _: theta[p])
        start_t = field.build(n, 1, lambda p, _: (theta[p] - beta[p]) / alpha[p])
        runs = run(field, L, start, S, **departure), run(field, composed(field, L, beta, alpha, n), start_t, S, **departure)
        for (here, eta), (there, eta_t) in zip(*runs, strict=True):
            yield field.build(n, 1, lambda p, _, there=there: alpha[p] * there[p, 0] + beta[p]), here
            yield field.build(S, 1, lambda s, _, eta_t=eta_t: alpha[s] ** 2 * eta_t[s, 0]), eta
    return pairs


def kept(solve):
    """S = 1, H̄ = ḡ = D = 1, α = 2: does solve(H̄, ḡ, d) give η̃ = η/α²? Returns the claim that it does not."""
    def code():
        Q = Field(None, 0).number
        eta, eta_t = solve(Q(1), Q(1), Q(1)), solve(Q(16), Q(4), Q(4))
        return Outcome("" if eta_t != eta / 4 else f"η = {eta}, η̃ = {eta_t}: kept", f"η = {eta}, η̃ = {eta_t} for α = 2")
    return code


def full_cubic(power=2):
    """D^(3)[η, η, η] in both parameterisations, η̃ = A^(−power) η."""
    def pairs(field, n):
        L, theta, S = polynomial(field, n), [field.draw() for _ in range(n)], subsets(n)
        u, beta, alpha, eta = ([field.draw() for _ in range(k)] for k in (n, n, S, S))
        spread = [alpha[p % S] for p in range(n)]
        L_t = composed(field, L, beta, spread, n)
        theta_t = [(x - b) / a for x, b, a in zip(theta, beta, spread, strict=True)]
        values = []
        for f, x, v, y in ((L, theta, u, eta), (L_t, theta_t, [a * b for a, b in zip(spread, u, strict=True)],
                                                [b / a**power for a, b in zip(alpha, eta, strict=True)])):
            total = field.number(0)
            for places, entry in summary(field, f, x, v, 3, S).items():
                for s in places:
                    entry = entry * y[s]
                total += entry
            values.append(total)
        yield values[0], values[1]
    return pairs


STATEMENTS = (
    Statement(
        "W.Prose.invariance/1", "Section 4.3: \"the training trajectory … is the same\"",
        Form("Algorithm 1 (τ = 2, both momenta, positive part, λ_1) gives φ(θ̃_t) = θ_t, η̃_s = η_s/α_s²", trained()),
        checks=(over_Q((1, 3, 4), 2),),
        mutants=(Form("with a ridge, H̄ + Id", trained(ridge=1)),
                 Form("with η clipped at 1/100", trained(clip=(1, 100), positive=False)),
                 Form("with u = g/(g² + 1) entry by entry", trained(direction=lambda field, u, _: entrywise(field, [u], 0, 0))),
                 Form("with weight decay, u + θ/10", trained(direction=lambda field, u, theta: u + theta * field.number(1, 10))),
                 Form("with λ/(uᵀu)", trained(normed=True)),
                 Form("with an α_p of its own for every parameter", trained(spread=True))),
        hypotheses=("α_s ≠ 0, one for each subset", "u is a linear combination of gradients (Assumption E.1)"),
        note="Kept by every line: g, both averages (η̃_s = η_s/α_s² with a factor that never changes), compute_lr with its ranking "
             "by ‖Dη‖ and its choice in the hard case, the positive part (α_s² > 0), λ, and a schedule, which sees losses only. "
             "Broken by whatever compares η, u or θ with a number of its own."),
    Statement(
        "W.Prose.invariance/2", "Section 4.3: other regularisations break it",
        Form("the usual one breaks it: (H̄ + Id)⁻¹ḡ", kept(lambda H, g, d: g / (H + 1))),
        checks=(claimed(Status.EXACT_Q, "S = 1, H̄ = ḡ = D = 1, α = 2"),),
        mutants=(Form("(1) breaks it", kept(lambda H, g, d: g / H)),
                 Form("(2) breaks it, r = ‖Dη‖ = 1", kept(lambda H, g, d: g / (H + d * d))),
                 Form("the positive part breaks it", kept(lambda H, g, d: max(g / H, 0)))),
        note="So does the isotropic cubic term (W.App.E/2): both compare an eigenvalue of H̄, whose unit is that of α⁴, with a "
             "number."),
    Statement(
        "W.Prose.invariance/3", "beside Section 4.3: \"due to our choice to keep only the diagonal coefficients\"",
        Form("D^(3)[η, η, η] with all its entries is invariant as well", full_cubic()),
        checks=(over_Q((1, 3, 5), 2), mod_p(lambda n: 60)),
        mutants=(Form("under η̃ = η", full_cubic(power=0)), Form("under η̃ = A⁻¹η", full_cubic(power=1)),
                 Form("under η̃ = A⁻³η", full_cubic(power=3))),
        note="And so is Σ|D^(3)_ijk η_i η_j η_k|, which bounds the cubic term from above, as ‖Dη‖³ does not. Invariance is no "
             "reason to leave out the cross-derivatives; their cost (S² passes) and the scalar equation (5) are.", errata=(83,)),
)
