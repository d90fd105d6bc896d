"""W Appendix E: training in θ and in θ̃, where θ = φ(θ̃). A tilde in the text is `_t` here; L̃ = L ∘ φ is formed as a polynomial.

`equivariant` has (2): r = ‖Dη‖ is drawn, since the same r solves both scalar equations as soon as the vectors agree.
`blocks` asks which affine maps of a subset keep (1): J_s = α_s Q_s with Q_s orthogonal, made by Cayley's transform.
"""

from ..checks import mod_p, over_Q
from ..fields import dot
from ..statement import Form, Statement
from .common import composed, derivatives, entries, partition, polynomial, subsets, summary


def summaries(power=2, direction=1, spread=False):
    """D̃^(d) = Π α_{s_i}^power D^(d) for L̃(θ̃) = L(αθ̃ + β), ũ = α^direction u; spread: an α of its own for every parameter."""
    def pairs(field, n):
        L, theta, S = polynomial(field, n), [field.draw() for _ in range(n)], subsets(n)
        u, beta, alpha = ([field.draw() for _ in range(n)] for _ in range(3))
        if not spread:
            alpha = [alpha[p % S] for p in range(n)]
        L_t = composed(field, L, beta, alpha, n)
        theta_t = [(x - b) / a for x, b, a in zip(theta, beta, alpha, strict=True)]
        first, first_t = (derivatives(field, f, x, 1) for f, x in ((L, theta), (L_t, theta_t)))
        for p in range(n):
            yield first_t.get((p,), field.number(0)), alpha[p] * first.get((p,), field.number(0))
        u_t = [a**direction * x if direction >= 0 else x / a for a, x in zip(alpha, u, strict=True)]
        for order in (1, 2, 3):
            D, D_t = summary(field, L, theta, u, order, S), summary(field, L_t, theta_t, u_t, order, S)
            for places in set(D) | set(D_t):
                factor = field.number(1)
                for s in places:
                    factor = factor * alpha[s] ** power
                yield D_t[places], factor * D[places]
    return pairs


def equivariant(root=2, ridge=0, isotropic=False, eta_power=-2):
    """(2) in both parameterisations: η̃ = A^eta_power η and D̃ = A^root D, with a ridge, or with the identity for both D."""
    def pairs(field, n):
        A, H, g = field.diagonal(entries(field.vector(n))), field.symmetric(n), field.vector(n)
        d, lam, r, eye = field.vector(n), field.draw(), field.draw(), field.eye(n)
        D, D_t = (eye, eye) if isotropic else (field.diagonal(entries(d)), A**root * field.diagonal(entries(d)))
        H_t, g_t = A * A * H * A * A + eye * field.number(ridge), A * A * g
        eta = (H + eye * field.number(ridge) + D * D * (lam * r / 2)).solve(g)
        eta_t = (H_t + D_t * D_t * (lam * r / 2)).solve(g_t)
        yield eta_t, (A.inv() ** 2 if eta_power == -2 else A.inv()) * eta
        yield dot(D_t * eta_t, D_t * eta_t), dot(D * eta, D * eta)
        if not isotropic:
            yield D_t.inv() * H_t * D_t.inv(), D.inv() * (H + eye * field.number(ridge)) * D.inv()
            yield D_t.inv() * g_t, D.inv() * g
    return pairs


def step(direction=1, eta_power=-2, beta_lost=False):
    """φ(θ̃ − Ũ I η̃) = θ − U I η, φ(θ̃) = Jθ̃ + β."""
    def pairs(field, n):
        S = subsets(n)
        alpha, eta, u, theta, beta = field.vector(S), field.vector(S), field.vector(n), field.vector(n), field.vector(n)
        I, A = partition(field, n, S), field.diagonal(entries(alpha))
        J = field.diagonal([alpha[p % S, 0] for p in range(n)])
        yield J * I.transpose(), I.transpose() * A
        yield I * J, A * I
        theta_t = J.inv() * (theta - beta)
        u_t = J * u if direction == 1 else u
        eta_t = (A.inv() ** 2 if eta_power == -2 else A.inv()) * eta
        new_t = theta_t - field.diagonal(entries(u_t)) * I.transpose() * eta_t
        phi = J * new_t + beta * field.number(2 if beta_lost else 1)
        yield phi, theta - field.diagonal(entries(u)) * I.transpose() * eta
    return pairs


def blocks(kind):
    """(1) with u = g in θ = Jθ̃, J one block a subset of this kind: the same step?"""
    def pairs(field, n):
        S, eye = subsets(n), field.eye(n)
        alpha = field.vector(S)
        scale = field.diagonal([alpha[p % S, 0] for p in range(n)])
        M = field.matrix(n, n)
        inside = field.build(n, n, lambda i, j: M[i, j] if i % S == j % S else field.number(0))
        skew = inside - inside.transpose()
        Q = (eye - skew) * (eye + skew).inv()
        J = {"any": inside, "scaled rotation": Q * scale, "scaling": scale, "diagonal": field.diagonal(entries(field.vector(n))),
             "rotation of all": (eye - M + M.transpose()) * (eye + M - M.transpose()).inv() * scale,
             "sheared": scale * (eye + inside)}[kind]
        g, H, I = field.vector(n), field.symmetric(n), partition(field, n, S)
        g_t, H_t = J.transpose() * g, J.transpose() * H * J

        def move(g, H):
            U = field.diagonal(entries(g))
            return U * I.transpose() * (I * U * H * U * I.transpose()).solve(I * U * g)

        yield J * move(g_t, H_t), move(g, H)
    return pairs


def assumption(direction):
    """ũ = Ju for a direction made of gradients (and θ) g_1, …, g_4, whose counterparts are J g_k."""
    def pairs(field, n):
        alpha = field.vector(n)
        J = field.diagonal(entries(alpha))
        gradients, weights, theta = [field.vector(n) for _ in range(4)], [field.draw() for _ in range(4)], field.vector(n)
        there = direction(field, [J * g for g in gradients], weights, J.inv() * theta)
        yield there, J * direction(field, gradients, weights, theta)
    return pairs


def combination(field, gradients, weights, theta):
    """Σ c_k g_k."""
    total = gradients[0] * weights[0]
    for g, c in zip(gradients[1:], weights[1:], strict=True):
        total += g * c
    return total


def momentum(field, gradients, weights, theta):
    """u ← μu + (1 − μ)g, from the first gradient on."""
    u = gradients[0]
    for g in gradients[1:]:
        u = u * weights[0] + g * (1 - weights[0])
    return u


def entrywise(field, gradients, weights, theta):
    """g/(g² + 1), a direction that divides by the gradient's size, as Adam's does."""
    g = gradients[-1]
    return field.build(g.nrows(), 1, lambda i, _: g[i, 0] / (g[i, 0] ** 2 + 1))


SIZES = (1, 3, 5)

STATEMENTS = (
    Statement(
        "W.App.E/1", "Appendix E, what becomes of the summaries",
        Form("ũ = Ju, θ_p = α_s θ̃_p + β_p ⇒ g̃ = Jg, ḡ~ = A²ḡ, H̄~ = A²H̄A², D̃^(3)_sss = α_s⁶ D^(3)_sss", summaries()),
        checks=(over_Q(SIZES, 2), mod_p(lambda n: 60)),
        long=True,
        mutants=(Form("A for A²", summaries(power=1)), Form("ũ = u", summaries(direction=0)),
                 Form("ũ = J⁻¹u", summaries(direction=-1)),
                 Form("an α_p for every p in I_s", summaries(spread=True))),
        hypotheses=("one α_s ≠ 0 a subset",),
        note="Restored. All entries of D^(3) scale, by α_{s_1}²α_{s_2}²α_{s_3}², not the diagonal alone."),
    Statement(
        "W.App.E/2", "Appendix E, what becomes of (2)",
        Form("D̃ = A²D, η̃ = A⁻²η, ‖D̃η̃‖ = ‖Dη‖; K and D⁻¹ḡ are the same in both", equivariant()),
        checks=(over_Q(), mod_p(lambda n: 10 * n + 40)),
        long=True,
        mutants=(Form("D̃ = A⁶D, without the cube root", equivariant(root=6)), Form("with a ridge, H̄ + Id", equivariant(ridge=1)),
                 Form("with the isotropic ‖η‖", equivariant(isotropic=True)), Form("η̃ = A⁻¹η", equivariant(eta_power=-1)),
                 Form("D̃ = AD", equivariant(root=1))),
        note="Restored; |α⁶D^(3)|^(1/3) = α²|D^(3)|^(1/3). So the ranking of solutions is the same, and so is every choice that "
             "looks at K and D⁻¹ḡ alone, in the hard case too."),
    Statement(
        "W.App.E/3", "Appendix E, the step",
        Form("J I_{P:S} = I_{P:S} A, φ(θ̃_{t+1}) = θ_{t+1}", step()), checks=(over_Q(SIZES), mod_p(lambda n: 40)),
        mutants=(Form("ũ = u", step(direction=0)), Form("η̃ = A⁻¹η", step(eta_power=-1)),
                 Form("φ without its offset", step(beta_lost=True))),
        hypotheses=("Assumption E.1: ũ_t = Ju_t", "η̃ = A⁻²η")),
    Statement(
        "W.App.E/4", "Section 4.3: \"invariant by affine reparameterization of the sub-vectors\"; Appendix E: φ \"affine on each "
                     "subset\", \"therefore\" with the Jacobian Diag(α_s)",
        Form("θ = φ(θ̃), φ affine and invertible on each subset, u = g ⇒ the steps of (1) are the same", blocks("any")),
        checks=(over_Q(SIZES), mod_p(lambda n: 30 * n + 60)),
        repaired=Form("the same if J_s = α_s Q_s on each subset, Q_s orthogonal", blocks("scaled rotation")),
        long=True,
        mutants=(Form("J diagonal", blocks("diagonal")), Form("J = α Q, Q orthogonal on all parameters", blocks("rotation of all")),
                 Form("J_s a shear", blocks("sheared"))),
        note="An affine map of a subset has any invertible matrix for Jacobian. The text's proof is for scalings and holds for "
             "scaled rotations, and for no other J_s: the step moves θ_s along J_sJ_sᵀg_s, which is parallel to every g_s only if "
             "J_sJ_sᵀ is a multiple of Id.", errata=(81,)),
    Statement(
        "W.App.E/5", "Assumption E.1",
        Form("ũ_t = Ju_t for u_t = Σ_k c_{t,k} g_k", assumption(combination)), checks=(over_Q(), mod_p(lambda n: 20)),
        mutants=(Form("for u = g/(g² + 1) entry by entry", assumption(entrywise)),
                 Form("for u = g/(gᵀg)", assumption(lambda field, g, c, theta: g[-1] * (1 / dot(g[-1], g[-1])))),
                 Form("with weight decay, g + θ/10", assumption(lambda field, g, c, theta: g[-1] + theta * (field.number(1, 10))))),
        hypotheses=("the c_{t,k} do not depend on the parameterisation",),
        note="Any J, one α per parameter included; sign(g) keeps it for |α_s| = 1 alone."),
    Statement(
        "W.App.E/6", "Assumption E.1, \"which includes the momentum\"",
        Form("ũ_t = Ju_t for u ← μu + (1 − μ)g, u_0 = g_0", assumption(momentum)), checks=(over_Q(), mod_p(lambda n: 20)),
        mutants=(Form("for the momentum of g/(g² + 1)", assumption(lambda field, g, c, theta: momentum(
                    field, [entrywise(field, [x], c, theta) for x in g], c, theta))),
                 Form("with μ = gᵀg of the first gradient", assumption(lambda field, g, c, theta: momentum(
                     field, g, [dot(g[0], g[0])], theta))),
                 Form("from u_0 = θ_0", assumption(lambda field, g, c, theta: momentum(field, [theta, *g], c, theta))))),
)
