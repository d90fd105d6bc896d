"""W Algorithm 1 (Appendix F), as restored: what is read before it is written, what the averages weigh, what the positive part does.

`run` is the algorithm with λ_int = 0, so that everything is rational, on a polynomial loss that is the same in every step; what
λ_int > 0 adds to a line is W.App.E/2 and W.Method.4.1. Its lines: g; u = momentum(μ_g; u, g); every τ steps e = compute_lr and
η = momentum(μ_η; η, e_+); θ ← θ − λ Diag(u) I_{P:S} η; λ = schedule(λ).
"""

from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import Field, dot
from ..statement import Form, Statement, Status
from .common import derivatives, entries, partition

# --------------------------------------------------------------------------------------------------------------- a run


def run(field, L, theta, S, *, tau=2, mu_g=(1, 2), mu_eta=(1, 3), lam=(1, 2), steps=3, direction=None, ridge=0, clip=None,
        positive=True, groups=None, normed=False):
    """Yields (θ, η) after each step; the other arguments are the hyper-parameters, and departures that break something.

    direction: (u, θ) to another direction. ridge, added to H̄. clip: a bound on η. groups: U I_{P:S} from another matrix than
    I_{P:S}. normed: λ/(uᵀu) for λ.
    """
    P, u, eta = theta.nrows(), None, None
    I = partition(field, P, S) if groups is None else groups
    zero, number = field.number(0), field.number

    def momentum(mu, a, b):
        return b if a is None else a * number(*mu) + b * (1 - number(*mu))

    for t in range(steps):
        point = entries(theta)
        first = derivatives(field, L, point, 1)
        u = momentum(mu_g, u, field.build(P, 1, lambda p, _, first=first: first.get((p,), zero)))
        used = u if direction is None else direction(field, u, theta)
        U = field.diagonal(entries(used))
        if t % tau == 0:
            second = derivatives(field, L, point, 2)
            H = field.build(P, P, lambda p, q, second=second: second.get((p, q), zero))
            g = field.build(P, 1, lambda p, _, first=first: first.get((p,), zero))
            e = (I * U * H * U * I.transpose() + field.eye(S) * number(ridge)).solve(I * U * g)
            kept = [(x if x > 0 or not positive else zero) for x in entries(e)] if field.p is None else entries(e)
            if clip is not None:
                kept = [min(x, number(*clip)) for x in kept]
            eta = momentum(mu_eta, eta, field.build(S, 1, lambda s, _, kept=kept: kept[s]))
        rate = number(*lam) / (dot(used, used) if normed else 1)
        theta = theta - U * I.transpose() * eta * rate
        yield theta, eta


# --------------------------------------------------------------------------------------------------------------- forms

def defined(starts=lambda t, tau: t % tau == 0, rule=True, before=False, lam=True):
    """Every line at t = 0, …, 2τ reads what has been written; momentum's rule for an undefined first argument, or none."""
    def code():
        for tau in (1, 2, 3):
            have = {"theta"} | ({"lam"} if lam else set())
            for t in range(2 * tau + 1):
                lines = [("g", {"theta"}), ("u", {"g"} | (set() if rule else {"u"}))]
                rates = [("e", {"theta", "u"}), ("eta", {"e"} | (set() if rule else {"eta"}))] if starts(t, tau) else []
                step = [("theta", {"theta", "lam", "u", "eta"})]
                for name, reads in lines + (step + rates if before else rates + step) + [("lam", {"lam"})]:
                    if reads - have:
                        return Outcome(f"τ = {tau}, t = {t}: the line of {name} reads {', '.join(sorted(reads - have))} before it "
                                       f"is written")
                    have.add(name)
        return Outcome()
    return code


def weights(start=1, rest=1, total=1):
    """u_t = start μ^t g_0 + rest (1 − μ) Σ_{k=1}^{t} μ^(t−k) g_k, t = 5, and the weights add up to total."""
    def pairs(field, n):
        mu, gs = field.draw(), [field.vector(n) for _ in range(6)]
        u = gs[0]
        for g in gs[1:]:
            u = u * mu + g * (1 - mu)
        closed = gs[0] * (mu**5 * field.number(start))
        for k, g in enumerate(gs[1:], 1):
            closed = closed + g * ((1 - mu) * mu ** (5 - k) * field.number(rest))
        yield u, closed
        yield start * mu**5 + rest * sum((1 - mu) * mu ** (5 - k) for k in range(1, 6)), field.number(total)
    return pairs


def rates(B_h=lambda tau, B_g: tau * B_g, memory=lambda tau: 1 - Field(None, 0).number(1, tau), share=(63, 100)):
    """In Nτ steps as much is drawn from 𝒮_h as from 𝒮_g; 1/(1 − μ_g) = τ; the last τ gradients weigh more than the share."""
    def code():
        for tau, B_g in ((1, 7), (2, 100), (10, 100), (25, 3)):
            drawn = [0, 0]
            for t in range(4 * tau):
                drawn[0] += B_g
                drawn[1] += B_h(tau, B_g) if t % tau == 0 else 0
            if drawn[0] != drawn[1]:
                return Outcome(f"τ = {tau}, B_g = {B_g}: {drawn[0]} from 𝒮_g and {drawn[1]} from 𝒮_h")
            mu = memory(tau)
            last = sum((1 - mu) * mu**k for k in range(tau))
            if not 0 <= mu < 1 or 1 / (1 - mu) != tau or not last * share[1] > share[0]:
                return Outcome(f"τ = {tau}, μ_g = {mu}: the last τ gradients weigh {last}")
        return Outcome("", "the last τ gradients weigh 1 − (1 − 1/τ)^τ: 1 for τ = 1, above 1 − 1/e = 0.632… always")
    return code


def convex(change):
    """½δᵀHδ + gᵀδ with H = (2 3; 3 5), g = (1, 2) at δ = 0: the change of L in one step of `run`, S = P, against `change`."""
    def code():
        field = Field(None, 0)
        one, two, three, five_halves = (field.number(*x) for x in ((1,), (2,), (3,), (5, 2)))
        L = {(0,): one, (1,): two, (0, 0): one, (0, 1): three, (1, 1): five_halves}
        (theta, eta), = run(field, L, field.zeros(2, 1), 2, lam=(1,), steps=1, positive=change[0])
        x, y = entries(theta)
        value = x + 2 * y + x * x + 3 * x * y + y * y * five_halves
        if any(s < 0 for s in entries(eta)) != change[1] or value != field.number(*change[2]):
            return Outcome(f"η = ({', '.join(map(str, entries(eta)))}), L changes by {value}")
        return Outcome("", f"η = ({', '.join(map(str, entries(eta)))}), L changes by {value}")
    return code


STATEMENTS = (
    Statement(
        "W.Alg.1/1", "Algorithm 1: every line at t = 0",
        Form("g; u = momentum(μ_g; u, g); if t mod τ = 0: e = compute_lr(θ, u), η = momentum(μ_η; η, e_+); θ ← θ − λUI_{P:S}η; "
             "λ = schedule(λ), with momentum(μ; undefined, b) = b", defined()),
        checks=(claimed(Status.EXACT_Q, "read line by line for τ = 1, 2, 3, t = 0, …, 2τ"),),
        mutants=(Form("if t mod τ = τ − 1", defined(starts=lambda t, tau: t % tau == tau - 1)),
                 Form("momentum without its rule", defined(rule=False)), Form("the step before compute_lr", defined(before=True)),
                 Form("λ without its start λ_1", defined(lam=False))),
        note="Restored from the prose of Appendix F and its author's repository: the stored text has no line of it. η keeps its "
             "value between two calls while u moves on, so that a step may combine an η with a direction it was not computed for."),
    Statement(
        "W.Alg.1/2", "Appendix F, \"momentum\"",
        Form("u_t = μ^t g_0 + (1 − μ)Σ_{k=1}^{t} μ^(t−k) g_k, weights that add up to 1", weights()),
        checks=(over_Q(), mod_p(lambda n: 20)),
        mutants=(Form("(1 − μ)μ^t g_0, as from u = 0", weights(start=0)), Form("without 1 − μ, heavy ball", weights(rest=2)),
                 Form("weights that add up to 2", weights(total=2))),
        note="The first gradient weighs 1/(1 − μ) = τ times what a later one of the same age does."),
    Statement(
        "W.Alg.1/3", "Appendix F, \"Explanation\"",
        Form("μ_g = 1 − 1/τ, B_h = τB_g: both samplers are read at the same rate, and u memorizes the gradients for τ steps",
             rates()),
        checks=(claimed(Status.EXACT_Q, "counted for four pairs τ, B_g"),),
        mutants=(Form("B_h = B_g", rates(B_h=lambda tau, B_g: B_g)), Form("B_h = τ²B_g", rates(B_h=lambda tau, B_g: tau**2 * B_g)),
                 Form("μ_g = 1/τ", rates(memory=lambda tau: Field(None, 0).number(1, tau))),
                 Form("with 2/3 of the weight in the last τ gradients", rates(share=(2, 3)))),
        note="The relation is restored. \"Memorizes for τ steps\" is the usual reading 1/(1 − μ_g) = τ of an exponential average: "
             "about two thirds of the weight."),
    Statement(
        "W.Alg.1/4", "Appendix F: \"the positive part … in order to avoid negative learning rates\"",
        Form("e_+ gives η >= 0; H = (2 3; 3 5), g = (1, 2), S = P, λ_int = 0: L then changes by +1/2",
             convex((True, False, (1, 2)))),
        checks=(claimed(Status.EXACT_Q, "one step over ℚ"),),
        mutants=(Form("and L changes by −1/2, the minimum", convex((True, False, (-1, 2)))),
                 Form("and L stays", convex((True, False, (0,)))),
                 Form("η < 0 with e_+", convex((True, True, (1, 2))))),
        note="True, at a price that the text does not name: H is positive definite, e = (−1, 1/2) is Newton's step with L falling "
             "by 1/2, and e_+ = (0, 1/2) raises L by 1/2 from the same point. Algorithm 1 need not lower a strictly convex "
             "quadratic, where Method 4.1 solves it; it does go downhill at first, since ḡ_s = ‖g_s‖² >= 0."),
    Statement(
        "W.Alg.1/5", "beside Algorithm 1 (ours): the same step without the positive part",
        Form("e = (−1, 1/2), L changes by −1/2", convex((False, True, (-1, 2)))),
        checks=(claimed(Status.EXACT_Q, "one step over ℚ"),),
        mutants=(Form("L changes by +1/2", convex((False, True, (1, 2)))), Form("e >= 0", convex((False, False, (-1, 2)))),
                 Form("with the positive part", convex((True, True, (-1, 2)))))),
)
