"""R Section 3.4.3: λ divided between A and G."""

from ..checks import Inequality, Term, attained_at, certified, hunted, mod_p, not_checkable, on, over_Q, simple
from ..statement import Form, Statement


def rebalanced(root_A=1, root_G=-1):
    """(A/r + √λ I) ⊗ (rG + √λ I) = (A + r√λ I) ⊗ (G + √λ/r I), r = √|𝒯|: powers of r in λ_A and λ_G; their product is λ."""
    def pairs(field, n):
        a, g = (n, n + 1) if n < 100 else (14, 15)
        A, G, r, root = field.symmetric(a), field.symmetric(g), field.draw(), field.draw()
        lam_A, lam_G = r**root_A * root, root * (r**root_G if root_G >= 0 else 1 / r**-root_G)
        left = field.kron(A * (1 / r) + field.eye(a) * root, G * r + field.eye(g) * root)
        yield left, field.kron(A + field.eye(a) * lam_A, G + field.eye(g) * lam_G)
        yield lam_A * lam_G, root**2
    return pairs


def products(cross=True):
    """(A + λ_A I) ⊗ (G + λ_G I) = A ⊗ G + λI, and λ_G A ⊗ I + λ_A I ⊗ G besides."""
    def pairs(field, n):
        a, g = (n, n + 1) if n < 100 else (14, 15)
        A, G, lam_A, lam_G = field.symmetric(a), field.symmetric(g), field.draw(), field.draw()
        eye_a, eye_g = field.eye(a), field.eye(g)
        right = field.kron(A, G) + field.eye(a * g) * (lam_A * lam_G)
        if cross:
            right = right + field.kron(A, eye_g) * lam_G + field.kron(eye_a, G) * lam_A
        yield field.kron(A + eye_a * lam_A, G + eye_g * lam_G), right
    return pairs


def more(strength=1, definite=True):
    """Eigenvalue by eigenvalue (a + λ_A)(g + λ_G) ≥ ag + strength λ_A λ_G."""
    hypotheses = {"x > 0": lambda a, g, x, z: x, "z > 0": lambda a, g, x, z: z, "a >= 0": lambda a, g, x, z: a}
    if definite:
        hypotheses["g >= 0"] = lambda a, g, x, z: g
    return Inequality(("a", "g", "x", "z"), hypotheses, lambda a, g, x, z: (a + x) * (g + z) - a * g - strength * x * z)


def draw(rng):
    """(a, g, λ_A, λ_G), g now and then negative."""
    return simple(rng), simple(rng, sign=rng.random() < 0.3), simple(rng) + 1, simple(rng) + 1


def rate(strength=1, definite=True):
    """e(a + λ_A) = 1 and f(g + λ_G) = 1 give ef λ_A λ_G · strength ≤ 1: the rate αef is at most α/λ."""
    hypotheses = {"x > 0": lambda a, g, x, z, e, f: x, "z > 0": lambda a, g, x, z, e, f: z, "e > 0": lambda a, g, x, z, e, f: e,
                  "f > 0": lambda a, g, x, z, e, f: f, "a >= 0": lambda a, g, x, z, e, f: a,
                  "e (a + x) - 1 = 0": lambda a, g, x, z, e, f: e * (a + x) - 1,
                  "f (g + z) - 1 = 0": lambda a, g, x, z, e, f: f * (g + z) - 1}
    if definite:
        hypotheses["g >= 0"] = lambda a, g, x, z, e, f: g
    return Inequality(("a", "g", "x", "z", "e", "f"), hypotheses, lambda a, g, x, z, e, f: 1 - strength * e * f * x * z)


def draw_rate(rng):
    """The same with the inverses."""
    a, g, x, z = draw(rng)
    return a, g, x, z, 1 / (a + x), 1 / (g + z) if g + z else 1


STATEMENTS = (
    Statement(
        "R.Prose.3.lambda-split", "Section 3.4.3",
        Form("λ_A = √|𝒯| √λ, λ_G = √λ/√|𝒯| is A → A/√|𝒯|, G → √|𝒯| G with √λ for both; λ_A λ_G = λ", rebalanced()),
        checks=(over_Q(), mod_p(lambda n: 10)),
        mutants=(Form("λ_A = λ_G = √λ", rebalanced(0, 0)),
                 Form("λ_A = |𝒯|√λ", rebalanced(2, -1)), Form("λ_G = √λ", rebalanced(1, 0))),
        note="The same matrix A ⊗ G, with the sums over positions shared evenly between the two. That this \"is shown to be "
             "better\" (3.3.2) no experiment of the thesis says.", long=True),
    Statement(
        "R.Prose.3.lambda-split/1", "Section 3.4.3: \"an approximation to adding … λI\"",
        Form("(A + λ_A I) ⊗ (G + λ_G I) ≈ A ⊗ G + λI, up to λ_G A ⊗ I + λ_A I ⊗ G", {"identity": products(), "more": more()}),
        checks=(on("identity", over_Q()), on("identity", mod_p(lambda n: 4)),
                on("more", certified(Term(1, ("a >= 0", "z > 0"), lambda *_: 1), Term(1, ("g >= 0", "x > 0"), lambda *_: 1))),
                on("more", hunted(draw))),
        mutants=(Form("=, nothing besides", {"identity": products(cross=False)}), Form("2λI at least", {"more": more(2)}),
                 Form("G indefinite", {"more": more(definite=False)})),
        sharpness=(on("more", attained_at(0, 0, 1, 1)),),
        note="For semidefinite A and G more than λI is added, equal only where both vanish: λ_G A ⊗ I is larger than λI where A's "
             "eigenvalues exceed λ_A.", long=True),
    Statement(
        "R.Prose.3.lambda-split/2", "Section 3.4.3: \"α_k/λ … the effective learning rate\"",
        Form("α (A + λ_A I)⁻¹ ⊗ (G + λ_G I)⁻¹ <= (α/λ) I", rate()),
        checks=(certified(Term(1, ("e > 0", "f > 0", "a >= 0", "g >= 0"), lambda *_: 1), Term(1, ("e > 0", "f > 0", "a >= 0", "z > "
                                                                                                                              "0"),
                                                                                          lambda *_: 1),
                          Term(1, ("e > 0", "f > 0", "x > 0", "g >= 0"), lambda *_: 1),
                          Term(-1, ("e (a + x) - 1 = 0",), lambda *_: 1),
                          Term(-1, ("f (g + z) - 1 = 0",), lambda a, g, x, z, e, f: e * (a + x))), hunted(draw_rate)),
        mutants=(Form("α/(2λ)", rate(2)), Form("α/(3λ)", rate(3)), Form("G indefinite", rate(definite=False))),
        hypotheses=("A, G semidefinite",), sharpness=(attained_at(0, 0, 1, 1, 1, 1),),
        note="An upper bound, attained where A and G vanish: \"roughly speaking\" holds for large λ alone."),
    Statement(
        "R.Prose.3.lambda-split/3", "Section 3.3.2: \"shown to be better\"",
        Form("λ_A = √|𝒯| √λ, λ_G = √λ/√|𝒯| is better than λ_A = λ_G = √λ", None),
        checks=(not_checkable("no experiment of the thesis compares the two"),)),
)
