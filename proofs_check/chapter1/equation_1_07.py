"""R (1.7) and Section 1.2.2: the Fisher matrix, the chain rule for it, Gauss-Newton, the sampled gradient, and who is semidefinite.

Expectations over the model's distribution are sums over all targets: one of m classes, or pairs of Bernoulli coordinates (second
moments involve two at a time); for the normal distribution its moments E[r] = 0, E[rrᵀ] = I enter.
"""

from __future__ import annotations

import flint

from ..checks import (
    Inequality,
    Outcome,
    Term,
    attained_at,
    certified,
    claimed,
    hunted,
    mod_p,
    over_Q,
    proved_by_z3,
    refuted_at,
    simple,
)
from ..fields import Field, dot, outer
from ..polynomial_nets import derivative, draw, polynomial_degree, product
from ..statement import Form, Statement, Status

Q = flint.fmpq


def one(*_):
    """The square of a term that has none."""
    return 1


# ---------------------------------------------------------------------------------------------- moments of ∂l/∂ŷ

def softmax(field, m):
    """m numbers whose sum is 1."""
    a = [field.draw() for _ in range(m - 1)]
    return field.build(m, 1, lambda i, _: a[i] if i < m - 1 else 1 - sum(a, field.number(0)))


def class_moments(field, a, weights):
    """Σ_k w_k(a − e_k) and Σ_k w_k(a − e_k)(a − e_k)ᵀ."""
    m = a.nrows()
    E = field.build(m, m, lambda i, k: a[i, 0] - int(i == k))             # column k: ∂l/∂ŷ for class k
    W = field.diagonal(weights)
    return E * (W * field.ones(m, 1)), E * W * E.transpose()


def bernoulli_moments(field, s, drawn):
    """E[σ − y] and E[(σ − y)(σ − y)ᵀ] by the outcomes of every pair of coordinates; `drawn`: the probability of y = 1."""
    m = len(s)

    def first(i):
        return drawn[i] * (s[i] - 1) + (1 - drawn[i]) * s[i]

    def second(i, j):
        if i == j:
            return drawn[i] * (s[i] - 1) ** 2 + (1 - drawn[i]) * s[i] ** 2
        total = field.number(0)
        for y in (0, 1):
            for z in (0, 1):
                chance = (drawn[i] if y else 1 - drawn[i]) * (drawn[j] if z else 1 - drawn[j])
                total += chance * (s[i] - y) * (s[j] - z)
        return total
    return field.build(m, 1, lambda i, _: first(i)), field.build(m, m, second)


def fisher_is_ggn(loss, empirical=False, hessian=None, variance=1):
    """E[Jᵀ(∂l/∂ŷ)(∂l/∂ŷ)ᵀJ] = JᵀH_lJ."""
    def pairs(field, n):
        m, d = (min(n, 40) + 1, n) if loss != "softmax" else (n + 1, min(n, 40))
        J = field.matrix(m, d)
        if loss == "softmax":
            a = softmax(field, m)
            weights = softmax(field, m).entries() if empirical else a.entries()
            F = class_moments(field, a, weights)[1]
            H = field.diagonal(a.entries()) - (outer(a, a) if hessian is None else hessian(field, a))
        elif loss == "bce":
            s = [field.draw() for _ in range(m)]
            drawn = [field.draw() for _ in range(m)] if empirical else s
            F = bernoulli_moments(field, s, drawn)[1]
            H = field.diagonal([x * (1 - x) if hessian is None else hessian(x) for x in s])
        else:
            r = field.vector(m)
            F = outer(r, r) if empirical else variance * field.eye(m)
            H = field.eye(m)
        yield J.transpose() * F * J, J.transpose() * H * J
    return pairs


def together(*forms):
    """All pairs of several identities."""
    def pairs(field, n):
        for form in forms:
            yield from form(field, n)
    return pairs


def mean_zero(loss, empirical=False):
    """E[∂l/∂ŷ] = 0, so that E[Jᵀ∂l/∂ŷ] = 0."""
    def pairs(field, n):
        if loss == "softmax":
            a = softmax(field, n + 1)
            weights = softmax(field, n + 1).entries() if empirical else a.entries()
            yield class_moments(field, a, weights)[0], field.zeros(n + 1, 1)
        else:
            s = [field.draw() for _ in range(min(n, 40))]
            drawn = [field.draw() for _ in s] if empirical else s
            yield bernoulli_moments(field, s, drawn)[0], field.zeros(len(s), 1)
    return pairs


def covariance(subtract=True, empirical=False):
    """Cov[∂l/∂ŷ] = E[∂l/∂ŷ(∂l/∂ŷ)ᵀ] − E[·]E[·]ᵀ equals H_l, for classes."""
    def pairs(field, n):
        a = softmax(field, n + 1)
        mean, second = class_moments(field, a, softmax(field, n + 1).entries() if empirical else a.entries())
        yield second - outer(mean, mean), (field.diagonal(a.entries()) - outer(a, a)) * (1 if subtract else 2)
    return pairs


# ------------------------------------------------------------------------------------------------ (1.7), chain rule

def score(transposed):
    """∂log p/∂θ = J_f ∂log p/∂ŷ (printed) or its transpose, against the slope; log p = −½‖ŷ − y‖²."""
    def pairs(field, n):
        net = draw(field, n)
        theta_1 = net.direction()
        v = net.forward()[1][-1]
        slope = net.along(lambda theta: net.forward(theta)[1][-1], theta_1)
        residual = net.y - v
        size = sum(W.nrows() * (W.ncols() + 1) for W, _ in net.theta)
        J = field.zeros(v.nrows(), size)
        found = product(J if not transposed else J.transpose(), residual)
        fits = found is not None and found.nrows() == size
        yield dot(slope, residual) if fits else None, net.along(lambda theta: -net.loss(net.forward(theta)[1][-1]), theta_1)
    return pairs


def natural(inverse, sign=-1):
    """θ + sign · H_tg with H_t = F⁻¹ or F, for ½‖Jθ − y‖², F = JᵀJ: one step solves least squares."""
    def code():
        for seed in range(4):
            field = Field(None, seed)
            J, theta, y = field.matrix(4, 2), field.vector(2), field.vector(4)
            F, g = J.transpose() * J, J.transpose() * (J * theta - y)
            after = theta + sign * (F.solve(g) if inverse else F * g)
            if J.transpose() * (J * after - y) != field.zeros(2, 1):
                return Outcome("least squares with 4 equations in 2 unknowns: the gradient after the step is not 0")
        return Outcome()
    return code


def squared_slope(x, y):
    """∂l/∂θ at θ = 0 for l = ½(xθ − y)²."""
    return derivative(Field(None, 0), lambda s: Q((x * s - y) ** 2, 2), 1, 2)


def empirical(relation):
    """F_empirical by exact slopes of l_i = ½(x_iθ − y_i)² at θ = 0, and F = (1/I) Σ x_i²: how do they relate? 3 data sets."""
    def code():
        for x, y in (((1, 2), (1, 1)), ((1, 2), (3, 0)), ((1, 1), (0, 0))):
            slopes = [squared_slope(a, b) for a, b in zip(x, y, strict=True)]
            found = (slopes[0] ** 2 + slopes[1] ** 2) / 2
            if not relation(found, Q(x[0] ** 2 + x[1] ** 2, 2), x, y, slopes):
                return Outcome(f"x = {x}, y = {y}: F_empirical = {found}, slopes of l_i {slopes[0]}, {slopes[1]}")
        return Outcome()
    return code


# -------------------------------------------------------------------------------------------------- semidefinite

def squares(weight=1, own=True):
    """vᵀJᵀHJv = (Jv)ᵀH(Jv); vᵀ(∇∇ᵀ)v = (∇ᵀv)²: what is to be semidefinite is a sum of such."""
    def pairs(field, n):
        m = min(n, 20) + 1
        J, H, v, g = field.matrix(m, n), field.symmetric(m), field.vector(n), field.vector(n)
        Jv = J * v
        yield dot(v, J.transpose() * (H * Jv)), weight * dot(Jv, (H if own else field.eye(m)) * Jv)
        yield dot(v, outer(g, g) * v), dot(g, v) ** 2
    return pairs


def pairwise_squares(weight=1, whole=True):
    """xᵀ(diag(a) − aaᵀ)x = Σ_{i<j} a_ia_j(x_i − x_j)² where Σ a = 1."""
    def pairs(field, n):
        m = min(n, 60) + 1
        a = softmax(field, m) if whole else field.vector(m)
        x = field.vector(m)
        total = field.number(0)
        for i in range(m):
            for j in range(i):
                total += a[i, 0] * a[j, 0] * (x[i, 0] - x[j, 0]) ** 2
        yield dot(x, field.diagonal(a.entries()) * x) - dot(a, x) ** 2, weight * total
    return pairs


def bernoulli_hessian(sign):
    """±σ(1 − σ) >= 0 for 0 <= σ <= 1."""
    return Inequality(("s",), {"s >= 0": lambda s: s, "1 - s >= 0": lambda s: 1 - s}, lambda s: sign * s * (1 - s))


DESCENT = ("gHg", "LHg", "Lg")


def descent(*hypotheses):
    """∇LᵀH_tg > 0, so that −H_tg descends; gHg = gᵀH_tg, LHg = ∇LᵀH_tg, Lg = ∇Lᵀg."""
    known = {"gHg > 0": lambda gHg, LHg, Lg: gHg, "gHg >= 0": lambda gHg, LHg, Lg: gHg, "Lg > 0": lambda gHg, LHg, Lg: Lg,
             "LHg - gHg = 0": lambda gHg, LHg, Lg: LHg - gHg}
    return Inequality(DESCENT, {name: known[name] for name in hypotheses}, lambda gHg, LHg, Lg: LHg, strict=True)


def draw_descent(rng):
    """With the exact gradient every other time."""
    gHg = simple(rng)
    return gHg, rng.choice([gHg, simple(rng, sign=True)]), simple(rng)


def near_optimum(*residuals):
    """|H − G| <= G/4 at the minimum θ = 0 of ½‖ŷ − y‖² for ŷ = (θ, θ²), y = (0, −r)."""
    def code():
        for r in map(Q, residuals):
            def f(s, r=r):
                return (Q(s) ** 2 + (s * s + r) ** 2) / 2
            H, G = derivative(Field(None, 0), f, 2, 4), Q(1)
            if abs(H - G) > G / 4:
                return Outcome(f"ŷ = (θ, θ²), y = (0, −{r}): at the minimum θ = 0, G = {G}, H = {H}")
        return Outcome()
    return code


CHECKS = (over_Q((1, 2, 3), 3), mod_p(lambda n: 12))
STATEMENTS = (
    Statement(
        "R.Eq.1.7", "Section 1.2.2, below (1.7)",
        Form("∂log p/∂θ = J_f ∂log p/∂ŷ, F = E[J_f ∂log p/∂ŷ(∂log p/∂ŷ)ᵀJ_fᵀ]", score(False)),
        checks=(over_Q(), mod_p(polynomial_degree, 206)),
        repaired=Form("∂log p/∂θ = J_fᵀ ∂log p/∂ŷ, F = E[J_fᵀ ∂log p/∂ŷ(∂log p/∂ŷ)ᵀJ_f]", score(True)),
        mutants=(Form("twice that", lambda field, n: ((2 * a, b) for a, b in score(True)(field, n))),
                 Form("minus that", lambda field, n: ((-a, b) for a, b in score(True)(field, n)))),
        pinned="shapes decide",
        errata=(8,),
        note="J_f = ∂ŷ/∂θ is m × d by (1.4).",
    ),
    Statement(
        "R.Eq.1.7/1", "Section 1.2.2, Empirical Fisher matrix",
        Form("F_empirical = (1/I) Σ_i ∂l_i/∂θ(∂l_i/∂θ)ᵀ weighs every example of F by its squared residual", empirical(
            lambda found, fisher, x, y, slopes: found == (Q((x[0] * y[0]) ** 2) + Q((x[1] * y[1]) ** 2)) / 2)),
        checks=(claimed(Status.EXACT_Q, "ŷ = xθ with 2 examples at θ = 0, three sets of data"),),
        mutants=(Form("F_empirical = F", empirical(lambda found, fisher, x, y, slopes: found == fisher)),
                 Form("F_empirical = (∂L/∂θ)²", empirical(
                     lambda found, fisher, x, y, slopes: found == ((slopes[0] + slopes[1]) / 2) ** 2)),
                 Form("F_empirical ⪰ F", empirical(lambda found, fisher, x, y, slopes: found >= fisher))),
        note="So it is 0 where the data are fitted, while F is not, and equals F where all residuals are ±1. log p = −l, whose "
             "sign squares away.",
    ),
    Statement(
        "R.Eq.1.7/2", "Section 1.2.2, below (1.7)",
        Form("Fisher as the preconditioning matrix H_t of (1.2)", natural(False)),
        checks=(claimed(Status.EXACT_Q, "least squares, over ℚ"),),
        repaired=Form("H_t = F⁻¹", natural(True)),
        mutants=(Form("H_t = −F", natural(False, sign=1)), Form("H_t = −F⁻¹", natural(True, sign=1))),
        pinned="F or F⁻¹, with one sign or the other",
        errata=(16,),
    ),
    Statement(
        "R.Prose.1.fisher-is-ggn", "Section 1.2.2, Fisher Matrix",
        Form("E_y[J_fᵀ∂l/∂ŷ(∂l/∂ŷ)ᵀJ_f] = J_fᵀH_lJ_f for half a square, binary cross entropy, softmax", together(
            fisher_is_ggn("mse"), fisher_is_ggn("bce"), fisher_is_ggn("softmax"))),
        checks=CHECKS,
        mutants=(Form("at the targets of the data, half a square", fisher_is_ggn("mse", empirical=True)),
                 Form("at the targets of the data, softmax", fisher_is_ggn("softmax", empirical=True)),
                 Form("at the targets of the data, binary cross entropy", fisher_is_ggn("bce", empirical=True)),
                 Form("a normal distribution of variance 2", fisher_is_ggn("mse", variance=2)),
                 Form("with H_l = diag(σ) as printed", fisher_is_ggn("bce", hessian=lambda x: x)),
                 Form("with H_l = diag(a)", fisher_is_ggn("softmax", hessian=lambda field, a: 0 * outer(a, a)))),
        hypotheses=("y drawn from p(y | x, θ)", "variance 1 for half a square"),
        note="200 classes, 41 outputs otherwise. The fixed variance of the normal distribution has to be 1.",
    ),
    Statement(
        "R.Prose.1.sampled-gradient", "Sections 1.2.2 and 4.2",
        Form("E_y[𝒟θ] = 0 for y drawn from the model", together(mean_zero("softmax"), mean_zero("bce"))),
        checks=CHECKS,
        mutants=(Form("for the targets of the data, softmax", mean_zero("softmax", empirical=True)),
                 Form("for the targets of the data, binary cross entropy", mean_zero("bce", empirical=True)),
                 Form("E_y[∂l/∂ŷ] = (1, …, 1)", lambda field, n: (
                     (a, field.ones(a.nrows(), 1)) for a, b in mean_zero("bce")(field, n)))),
        note="𝒟θ = J_fᵀ∂l/∂ŷ, and E_y[∂l/∂ŷ] = 0 for each x; for the normal distribution it is E[ŷ − y] = 0.",
    ),
    Statement(
        "R.Prose.1.sampled-gradient/1", "Section 4.2",
        Form("F is the covariance matrix of 𝒟θ", covariance()),
        checks=CHECKS,
        mutants=(Form("at the targets of the data", covariance(empirical=True)), Form("half of it", covariance(subtract=False)),
                 Form("without subtracting, at the data's targets", fisher_is_ggn("softmax", empirical=True))),
        note="Second moment and covariance agree since the mean is 0; of the empirical gradient they do not (4.3.4).",
    ),
    Statement(
        "R.Prose.1.psd", "Section 1.2.2, 5.2.2",
        Form("vᵀ(J_fᵀH_lJ_f)v = (J_fv)ᵀH_l(J_fv) and vᵀ(∇l∇lᵀ)v = (∇lᵀv)²: G ⪰ 0 if H_l ⪰ 0, F and F_empirical ⪰ 0", squares()),
        checks=(over_Q(), mod_p(lambda n: 6)),
        mutants=(Form("with I for H_l", squares(own=False)), Form("twice that", squares(weight=2)),
                 Form("minus that", squares(weight=-1))),
        hypotheses=("H_l ⪰ 0 for G",),
        note="For losses whose H_l is not ⪰ 0 neither is G. Means of semidefinite matrices are semidefinite.",
    ),
    Statement(
        "R.Prose.1.psd/2", "Section 1.2.2, below (1.6)",
        Form("diag(a) − aaᵀ ⪰ 0: xᵀ(diag(a) − aaᵀ)x = Σ_{i<j} a_ia_j(x_i − x_j)²", pairwise_squares()),
        checks=(over_Q(), mod_p(lambda n: 6, 60)),
        mutants=(Form("for any a", pairwise_squares(whole=False)), Form("twice that", pairwise_squares(weight=2)),
                 Form("minus that", pairwise_squares(weight=-1))),
        hypotheses=("a >= 0, Σ a = 1",),
        note="Zero for x = (1, …, 1): always singular. 61 classes mod p.",
    ),
    Statement(
        "R.Prose.1.psd/3", "Section 1.2.2, below (1.5)",
        Form("diag(σ(ŷ)), the Hessian of (1.5) as printed, >= 0: it is −σ(1 − σ)", bernoulli_hessian(-1)),
        checks=(certified(Term(1, ("s >= 0", "1 - s >= 0"), one)), refuted_at("1/2"), refuted_at(2)),
        repaired=Form("with the minus sign in (1.5), σ(1 − σ) >= 0", bernoulli_hessian(1)),
        mutants=(Form("−2σ(1 − σ)", bernoulli_hessian(-2)), Form("−3σ(1 − σ)", bernoulli_hessian(-3))),
        pinned="a sign",
        sharpness=(attained_at(0),),
        errata=(1, 2),
        note="The printed loss is −1 times a convex one; the value that the text gives for H_l has the right sign and the "
             "wrong size.",
    ),
    Statement(
        "R.Prose.1.psd/4", "Section 1.2.2",
        Form("G is semidefinite, so that the direction −G⁻¹g_t of (1.2) descends", descent("gHg >= 0", "Lg > 0")),
        checks=(refuted_at(1, -1, 1), refuted_at(0, 0, 1), proved_by_z3(), hunted(draw_descent, 500)),
        repaired=Form("G positive definite and g_t = ∇L(θ) ≠ 0", descent("gHg > 0", "LHg - gHg = 0")),
        mutants=(Form("G positive definite, g_t an estimate within 90° of ∇L", descent("gHg > 0", "Lg > 0")),
                 Form("G semidefinite, g_t = ∇L", descent("gHg >= 0", "LHg - gHg = 0", "Lg > 0")),
                 Form("G positive definite and any g_t", descent("gHg > 0"))),
        errata=(29,),
        note="∇LᵀG⁻¹∇L > 0. A singular G has no inverse, and in its null space no descent (5.2.2 adds that); an estimate of ∇L "
             "may be turned beyond 90°.",
    ),
    Statement(
        "R.Prose.1.psd/5", "Section 1.2.2",
        Form("G approximates the Hessian well, especially near the optimal point", near_optimum(1)),
        checks=(claimed(Status.EXACT_Q, "ŷ = (θ, θ²), half a square, at the minimum θ = 0"),),
        repaired=Form("where ∂l/∂ŷ ≈ 0 for the examples, that is where the data are fitted", near_optimum(0, Q(1, 100), Q(1, 8))),
        mutants=(Form("with residual 1/4", near_optimum(Q(1, 4))), Form("with residual 10", near_optimum(10)),
                 Form("with residual 1/2", near_optimum(Q(1, 2)))),
        note="H − G = Σ_j [∂l/∂ŷ]_j ∇²ŷ_j vanishes with the residuals, as the text goes on to say; an optimum of L may leave "
             "them large.",
             errata=(77,),
    ),
)
