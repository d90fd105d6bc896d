"""W Appendix A: Taylor terms, and the entries of D^(d), by repeated derivatives along u."""

import itertools

from ..checks import mod_p, over_Q
from ..statement import Form, Statement
from .common import along, polynomial, subsets, summary, taylor_term, value


def recursion(moving=False, restricted=lambda place: place, orders=(1, 2, 3, 4)):
    """Taylor terms by the recursion with every parameter, entries of D^(d) with one subset a step; u = θ_1 u_0 moves or is held."""
    def pairs(field, n):
        L, theta, u, S = polynomial(field, n), [field.draw() for _ in range(n)], [field.draw() for _ in range(n)], subsets(n)
        term = L
        for order in orders:
            term = along(term, u, range(n))
            if moving:
                term = {(*monomial, 0): c for monomial, c in term.items()}
            now = [x * theta[0] for x in u] if moving else u
            yield value(field, term, theta), taylor_term(field, L, theta, now, order)
        firsts = [along(L, u, range(s, n, S)) for s in range(S)]
        D = {order: summary(field, L, theta, u, order, S) for order in (1, 2, 3)}
        for s in range(S):
            yield value(field, firsts[s], theta), D[1][restricted(s),]
            third = along(along(firsts[s], u, range(s, n, S)), u, range(s, n, S))
            yield value(field, third, theta), D[3][s, s, restricted(s)]
        for s, t in itertools.product(range(min(S, 10)), repeat=2):
            yield value(field, along(firsts[s], u, range(t, n, S)), theta), D[2][s, restricted(t)]
    return pairs


STATEMENTS = (
    Statement(
        "W.App.A", "Appendix A",
        Form("d^{d+1}L/dθ^{d+1} (θ)[u, …, u] = (∂/∂θ {d^dL/dθ^d (θ)[u, …, u]})ᵀ u; with one subset a step, the entries of D^(d)",
             recursion()),
        checks=(over_Q((1, 3, 5), 3), mod_p(lambda n: 20)),
        long=True,
        mutants=(Form("u differentiated as well, u = θ_1 u_0", recursion(moving=True)),
                 Form("the entry of the next subset", recursion(restricted=lambda s: s // 2)),
                 Form("orders counted from 0", recursion(orders=(0, 1, 2)))),
        hypotheses=("u is held constant when the gradient is taken, which the text leaves unsaid",),
        note="Restored. Where u is the gradient itself, a program must cut its dependence on θ. The cost is W.Tab.1/3."),
)
