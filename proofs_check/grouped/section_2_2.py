"""W Section 2.2: what it recalls of Newton's and Cauchy's methods.

Cauchy's rate on a quadratic: L(θ_{t+1}) − L* = (1 − κ)(L(θ_t) − L*) with κ = (gᵀg)²/((gᵀHg)(gᵀH⁻¹g)). With eigenvalues h of
weight w_h = (component of g)²/gᵀg let m = Σ w h, i = Σ w/h, so that κ = 1/(mi). (h − a)(b − h) >= 0 for a <= h <= b gives
ab/h <= a + b − h and so abi <= a + b − m: the hypothesis of `kantorovich`, whose conclusion is κ >= 4ab/(a + b)², that is
1 − κ <= ((b − a)/(b + a))².
"""

from ..checks import Inequality, Term, attained_at, certified, hunted, mod_p, over_Q, proved_by_z3, simple
from ..fields import dot
from ..statement import Form, Statement


def newton(gradient=True, hessian=True, inverse=True):
    """Newton's step, or the gradient's, in θ̃ with θ = Aθ̃ + b is the one in θ; A for Aᵀ in g̃ = Aᵀg or in H̃ = AᵀHA."""
    def pairs(field, n):
        A, H, g = field.matrix(n, n), field.symmetric(n), field.vector(n)
        g_t = (A.transpose() if gradient else A) * g
        H_t = (A.transpose() if hessian else A) * H * A
        yield A * (H_t.solve(g_t) if inverse else g_t), H.solve(g) if inverse else g
    return pairs


def cauchy(power=2, scale=1):
    """One step of Cauchy's method on ½δᵀHδ, g = Hδ: what is left of it."""
    def pairs(field, n):
        H, delta = field.symmetric(n), field.vector(n)
        g = H * delta
        new = delta - g * (dot(g, g) / dot(g, H * g) * scale)
        kappa = dot(g, g) ** power / (dot(g, H * g) * dot(g, H.solve(g)))
        yield dot(new, H * new), (1 - kappa) * dot(delta, H * delta)
    return pairs


HYPOTHESES = {"a > 0": lambda a, b, m, i: a, "b - a >= 0": lambda a, b, m, i: b - a, "m > 0": lambda a, b, m, i: m,
              "i > 0": lambda a, b, m, i: i, "a + b - m - a b i >= 0": lambda a, b, m, i: a + b - m - a * b * i}


def kantorovich(four=4, without=()):
    """(a + b)² >= four · ab · mi."""
    return Inequality(("a", "b", "m", "i"), {name: value for name, value in HYPOTHESES.items() if name not in without},
                      lambda a, b, m, i: (a + b) * (a + b) - four * a * b * m * i)


def eigenvalue(product=True):
    """a + b − h − ab/h >= 0, times h, for a <= h <= b."""
    return Inequality(("a", "b", "h"), {"a > 0": lambda a, b, h: a, "h - a >= 0": lambda a, b, h: h - a} | (
        {"b - h >= 0": lambda a, b, h: b - h} if product else {}), lambda a, b, h: (a + b - h) * h - a * b)


def draw(rng):
    """(a, b, m, i), often with equality in the last hypothesis."""
    a = simple(rng) + 1
    b = a + simple(rng)
    m = a + (b - a) * rng.choice([0, 1, simple(rng) / 64])
    return a, b, m, (a + b - m) / (a * b) * rng.choice([1, 1, simple(rng) / 64])


STATEMENTS = (
    Statement(
        "W.Sec.2.2/1", "Section 2.2, \"invariant by affine reparameterization\"",
        Form("Newton's step −H⁻¹g in θ is that of L(Aθ̃ + b) in θ̃, A invertible", newton()),
        checks=(over_Q(), mod_p(lambda n: 10 * n + 20)),
        mutants=(Form("with g̃ = Ag", newton(gradient=False)), Form("with H̃ = AHA", newton(hessian=False)),
                 Form("the gradient's step", newton(inverse=False))),
        note="Restored."),
    Statement(
        "W.Sec.2.2/2", "Section 2.2, Cauchy's step on a quadratic",
        Form("θ_{t+1} = θ_t − g gᵀg/(gᵀHg) leaves L − L* times 1 − (gᵀg)²/((gᵀHg)(gᵀH⁻¹g))", cauchy()),
        checks=(over_Q(), mod_p(lambda n: 6 * n + 20)),
        mutants=(Form("gᵀg for its square", cauchy(power=1)), Form("(gᵀg)³", cauchy(power=3)),
                 Form("twice the step", cauchy(scale=2))),
        hypotheses=("g ≠ 0",)),
    Statement(
        "W.Sec.2.2/3", "Section 2.2, Cauchy's rate",
        Form("L(θ_{t+1}) − L* <= ((λ_max − λ_min)/(λ_max + λ_min))²(L(θ_t) − L*): (a + b)² >= 4ab·mi", kantorovich()),
        checks=(certified(Term(1, (), lambda a, b, m, i: a + b - 2 * m),
                          Term(4, ("m > 0", "a + b - m - a b i >= 0"), lambda *_: 1)),
                proved_by_z3(), hunted(draw)),
        sharpness=(attained_at(1, 100, "101/2", "101/200"),),
        mutants=(Form("5ab·mi", kantorovich(four=5)),
                 Form("without abi <= a + b − m", kantorovich(without=("a + b - m - a b i >= 0",))),
                 Form("without m > 0", kantorovich(without=("m > 0",)))),
        hypotheses=("H positive definite with eigenvalues from a = λ_min to b = λ_max",),
        note="Restored. Attained by g with equal weights on both ends of the spectrum, at every step."),
    Statement(
        "W.Sec.2.2/4", "Section 2.2, the step from eigenvalues to the hypothesis of /3",
        Form("(a + b − h)h >= ab for a <= h <= b", eigenvalue()),
        checks=(certified(Term(1, ("h - a >= 0", "b - h >= 0"), lambda *_: 1)), proved_by_z3()), sharpness=(attained_at(1, 2, 1),),
        mutants=(Form("without h <= b", eigenvalue(product=False)),), pinned="the product of both hypotheses is the conclusion"),
)
