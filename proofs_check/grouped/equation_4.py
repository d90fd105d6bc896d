"""W (4): (3) in η′ = Dη, with K = D⁻¹H̄D⁻¹."""

from ..checks import mod_p, over_Q
from ..fields import dot
from ..statement import Form, Statement
from .common import entries, with_norm


def scaled(left=1, of="Dη", right=1):
    """D times the residual of (4) is that of (3); left, right: powers of D⁻¹ before H̄ and ḡ."""
    def pairs(field, n):
        H, g, lam, D = field.symmetric(n), field.vector(n), field.draw(), field.diagonal(entries(field.vector(n)))
        new, r = with_norm(field, n)
        eta, eye = D.inv() * new, field.eye(n)
        if of != "Dη":
            new, eta = eta, D.inv() * eta
        power = [eye, D.inv()]
        K = power[left] * H * D.inv()
        yield (D * (K * new + new * (lam * r / 2) - power[right] * g),
               H * eta + D * D * eta * (lam * r / 2) - g)
        yield K, K.transpose()
        if of == "Dη":
            yield dot(new, new), r * r
        else:
            yield dot(D * eta, D * eta), r * r
    return pairs


def congruent(left=1, right=1):
    """vᵀKv = (D⁻¹v)ᵀH̄(D⁻¹v) and vᵀH̄v = (Dv)ᵀK(Dv); left, right: powers of D⁻¹ around H̄ in K."""
    def pairs(field, n):
        H, v, D = field.symmetric(n), field.vector(n), field.diagonal(entries(field.vector(n)))
        inverse = D.inv()
        K = {-1: D, 0: field.eye(n), 1: inverse, 2: inverse * inverse}[left] * H * (inverse if right else field.eye(n))
        yield dot(v, K * v), dot(inverse * v, H * inverse * v)
        yield dot(v, H * v), dot(D * v, K * D * v)
    return pairs


STATEMENTS = (
    Statement(
        "W.Eq.4/1", "Appendix D",
        Form("η solves (3) ⇔ η′ = Dη solves (K + (λ_int/2)‖η′‖Id)η′ = D⁻¹ḡ, K = D⁻¹H̄D⁻¹", scaled()),
        checks=(over_Q((1, 2, 3)), mod_p(lambda n: 8 * n + 20)),
        long=True,
        mutants=(Form("K = H̄D⁻¹", scaled(left=0)), Form("ḡ for D⁻¹ḡ", scaled(right=0)), Form("‖η‖ for ‖η′‖", scaled(of="η"))),
        hypotheses=("d_s > 0: false for whole classes of nets",), errata=(63,),
        note="(3) without an inverse, as (4) has none: D times the residual of (4) is that of (3). With a zero on D's diagonal the "
             "rows without cubic term are linear and can be eliminated first (DEV-CUBIC-1)."),
    Statement(
        "W.Eq.4/2", "Appendix D, before Case 1",
        Form("K is positive definite if, and only if, H̄ is: vᵀKv = (D⁻¹v)ᵀH̄(D⁻¹v)", congruent()),
        checks=(over_Q((1, 2, 3)), mod_p(lambda n: 8 * n + 20)),
        long=True,
        mutants=(Form("K = H̄D⁻¹", congruent(left=0)), Form("K = D⁻²H̄", congruent(left=2, right=0)),
                 Form("K = DH̄D⁻¹, which has the eigenvalues of H̄", congruent(left=-1))),
        hypotheses=("d_s > 0",),
        note="Both directions, since D⁻¹v and Dv run through all vectors but 0 as v does."),
)
