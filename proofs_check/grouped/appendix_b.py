"""W Appendix B: the derivation of (1), for losses that are polynomials of degree 4."""

from ..checks import mod_p, over_Q
from ..fields import dot
from ..statement import Form, Statement
from .common import composed, derivatives, entries, partition, polynomial, subsets, summary


def derived(sign=-1, half=2, gradient_half=1, transposed=True):
    """L(θ − U I_{P:S} η) as a polynomial in η starts as L(θ) + Δ₂(η), and ∂Δ₂/∂η = −ḡ + H̄η."""
    def pairs(field, n):
        L, theta, S = polynomial(field, n), [field.draw() for _ in range(n)], subsets(n)
        u = field.vector(n)
        first, second = derivatives(field, L, theta, 1), derivatives(field, L, theta, 2)
        zero = field.number(0)
        g = field.build(n, 1, lambda p, _: first.get((p,), zero))
        H = field.build(n, n, lambda p, q: second.get((p, q), zero))
        I, U = partition(field, n, S), field.diagonal(entries(u))
        g_b, H_b = I * U * g, I * U * H * U * I.transpose()
        moved = composed(field, L, theta, [-x for x in entries(u)], S)
        eta, e = field.vector(S), field.vector(S)
        linear, quadratic = zero, zero
        for monomial, c in moved.items():
            for s in monomial:
                c = c * eta[s, 0]
            linear += c if len(monomial) == 1 else zero
            quadratic += c if len(monomial) == 2 else zero
        yield linear, sign * dot(g_b, eta)
        yield quadratic, dot(eta, H_b * eta) / field.number(half)

        def Delta_2(x):
            return dot(x, H_b * x) / 2 - dot(g_b, x)

        slope = H_b * eta * field.number(gradient_half) - g_b
        yield Delta_2(eta + e) - Delta_2(eta) - dot(slope, e), dot(e, H_b * e) / 2
        D = [summary(field, L, theta, entries(u), order, S) for order in (1, 2)]
        for s in range(S):
            yield g_b[s, 0], D[0][s,]
            yield H_b[s, 0], D[1][s, 0] if transposed else D[1][0, 0]
    return pairs


STATEMENTS = (
    Statement(
        "W.App.B", "Appendix B",
        Form("L(θ_{t+1}) = L(θ_t) − gᵀU I_{P:S}η + ½ηᵀI_{S:P}U H U I_{P:S}η + o(‖η‖²), ∂Δ₂/∂η = −I_{S:P}Ug + I_{S:P}U H U "
             "I_{P:S}η; the two sums are D^(1) and D^(2)", derived()),
        checks=(over_Q((1, 3, 5), 3), mod_p(lambda n: 20)),
        long=True,
        mutants=(Form("+gᵀU I_{P:S}η", derived(sign=1)), Form("ηᵀH̄η without ½", derived(half=1)),
                 Form("∂Δ₂/∂η = −ḡ + 2H̄η", derived(gradient_half=2)),
                 Form("every row of H̄ starts with H̄_11", derived(transposed=False))),
        note="Restored. \"If this linear system can be inverted, one may choose\" its solution: a stationary point of Δ₂, and its "
             "minimum only if H̄ is positive definite (W.Eq.1/2)."),
)
