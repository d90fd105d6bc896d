"""W Appendix C: (1) for the trivial and for the discrete partition, u = g."""

from ..checks import mod_p, over_Q
from ..fields import dot
from ..statement import Form, Statement
from .common import entries


def trivial(numerator=2, direction=1):
    """S = 1: G 1 (1ᵀGHG 1)⁻¹ 1ᵀG g = g gᵀg/(gᵀHg)."""
    def pairs(field, n):
        g, H, one = field.vector(n), field.symmetric(n), field.ones(n, 1)
        G = field.diagonal(entries(g))
        yield G * one, g
        middle = (one.transpose() * G * H * G * one)[0, 0]
        step = G * one * ((one.transpose() * G * g)[0, 0] / middle)
        yield step, (g if direction else H * g) * (dot(g, g) ** (numerator // 2) / dot(g, H * g))
    return pairs


def discrete(power=1, of="g", u="g"):
    """S = P: the η with G H G η = G g, and Gη = H⁻¹g."""
    def pairs(field, n):
        g, H = field.vector(n), field.symmetric(n)
        w = g if u == "g" else field.vector(n)
        W = field.diagonal(entries(w))
        eta = (W * H * W).solve(W * g)
        yield eta, W.inv() * H.inv() * g
        step = H.inv() * (g if of == "g" else W * g)
        yield W * eta if power == 1 else W * W * eta, step
    return pairs


STATEMENTS = (
    Statement(
        "W.App.C/1", "Appendix C, Cauchy's steepest descent",
        Form("S = 1: θ_{t+1} = θ_t − g (gᵀg)/(gᵀHg)", trivial()), checks=(over_Q(), mod_p(lambda n: 40)),
        mutants=(Form("g/(gᵀHg)", trivial(numerator=0)), Form("g (gᵀg)²/(gᵀHg)", trivial(numerator=4)),
                 Form("along Hg", trivial(direction=0))),
        hypotheses=("gᵀHg ≠ 0, which the text does not ask for",),
        note="Restored. gᵀHg < 0 makes the step an ascent (W.Eq.1/2), gᵀHg = 0 a division by 0; zero coordinates of g do no harm "
             "here."),
    Statement(
        "W.App.C/2", "Appendix C, Newton's method",
        Form("S = P, every coordinate of g ≠ 0: G H G η = G g ⇔ η = G⁻¹H⁻¹g, θ_{t+1} = θ_t − H⁻¹g", discrete()),
        checks=(over_Q(), mod_p(lambda n: 10 * n + 20)),
        mutants=(Form("θ_{t+1} = θ_t − H⁻¹Gg", discrete(of="Gg")), Form("θ_{t+1} = θ_t − G²η", discrete(power=2)),
                 Form("θ_{t+1} = θ_t − H⁻¹Gg, G²η", discrete(power=2, of="Gg"))),
        hypotheses=("H invertible: that it is positive definite is used for the system to have a solution, no more",), errata=(64,),
        note="Restored. Any direction u without a zero coordinate gives the same step, see /3; with zeros see "
             "W.Prose.special-cases."),
    Statement(
        "W.App.C/3", "beside Appendix C (ours)",
        Form("S = P: every direction u without a zero coordinate gives Newton's step", discrete(u="any")),
        checks=(over_Q(), mod_p(lambda n: 10 * n + 20)),
        mutants=(Form("θ_{t+1} = θ_t − U²η", discrete(power=2, u="any")), Form("θ_{t+1} = θ_t − H⁻¹Ug", discrete(of="Gg", u="any")),
                 Form("θ_{t+1} = θ_t − U²η = θ_t − H⁻¹Ug", discrete(power=2, of="Gg", u="any")))),
)
