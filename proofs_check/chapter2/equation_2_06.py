"""R (2.6): the BFGS updates of H and of its inverse B."""

from ..checks import mod_p, over_Q
from ..fields import dot, outer
from ..statement import Form, Statement


def update(sign=1, square=1):
    """H⁺ = (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ and B⁺ = B − Bssᵀ B/(sᵀBs) + ρyyᵀ: B⁺H⁺ = I and H⁺y = s."""
    def pairs(field, n):
        H, s, y = field.symmetric(n), field.vector(n), field.vector(n)
        B, rho, eye = H.inv(), 1 / dot(s, y) ** square, field.eye(n)
        H_new = (eye - rho * outer(s, y)) * H * (eye - rho * outer(y, s)) + rho * outer(s, s)
        Bs = B * s
        B_new = B - outer(Bs, Bs) * (1 / dot(s, Bs)) + outer(y, y) * (sign * rho)
        yield B_new * H_new, eye
        yield H_new * y, s
    return pairs


STATEMENTS = (
    Statement(
        "R.Eq.2.6", "Section 2.3",
        Form("H⁺ = (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ is the inverse of B⁺ = B − Bssᵀ B/(sᵀBs) + ρyyᵀ, ρ = 1/sᵀy", update()),
        checks=(over_Q(), mod_p(lambda n: 4 * n + 20)),
        mutants=(Form("−ρyyᵀ in B⁺", update(sign=-1)), Form("ρ = 1/(sᵀy)²", update(square=2)),
                 Form("2ρyyᵀ in B⁺", update(sign=2))),
    ),
)
