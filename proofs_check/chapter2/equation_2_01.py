"""R (2.1) to (2.5): gradient and Hessian of a layer for one example, means of Kronecker products, the step, the pair.

vec stacks columns. The gradient itself is checked in R.Alg.1; here g and G are any vector and any symmetric matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..checks import Identity, Outcome, claimed, mod_p, over_Q
from ..fields import Field, Matrix, dot, outer
from ..statement import Form, Statement, Status
from .common import Q, part
from .programs import LINEAR, RELU, algorithm_1, algorithm_4, problem


def bar(field: Field, n: int, homogeneous: bool) -> Matrix:
    """ā = (a, 1), or a alone."""
    a = field.vector(n)
    return field.build(n + 1, 1, lambda i, _: a[i, 0] if i < n else field.number(1)) if homogeneous else a


def gradient(order: str = "a ⊗ g", stacked: str = "columns") -> Identity:
    """vec(gāᵀ) = ā ⊗ g."""
    def pairs(field, n):
        a, g = bar(field, n, True), field.vector(n + 2)
        yield getattr(field, stacked)(outer(g, a)), field.kron(a, g) if order == "a ⊗ g" else field.kron(g, a)
    return pairs


def shapes(of: Callable[[Matrix, Matrix], Any]) -> Callable[[], Outcome]:
    """The right side beside W_l, whose last column is b_l: sizes, and for the gradient its entries."""
    def claim() -> Outcome:
        given = problem()
        x, y, _ = given.examples[0][0]
        passed = algorithm_1(given.W, [RELU, LINEAR], x, y)
        for l in range(2):
            found, right = of(passed["g"][l], passed["a"][l]), passed["DW"][l]
            if (found.nrows(), found.ncols()) != (right.nrows(), right.ncols()):
                return Outcome(f"layer {l + 1}: {found.nrows()} × {found.ncols()}, W_l is {right.nrows()} × {right.ncols()}")
            if found != right:
                return Outcome(f"layer {l + 1}: other entries")
        return Outcome(detail="both layers of a 2-3-2 net")
    return claim


def without_one(a: Matrix) -> Matrix:
    """a_(l−1) of ā_(l−1)."""
    return type(a)(a.nrows() - 1, 1, list(a.entries())[:-1])


def hessian(homogeneous: bool = True, order: str = "aa ⊗ G", half: int = 1) -> Identity:
    """vec(V)ᵀ (āāᵀ ⊗ G) vec(V) = (Vā)ᵀ G (Vā): the second derivative of ℓ(Wā) along V, ℓ″ = G."""
    def pairs(field, n):
        n = min(n, 14)
        a, G = bar(field, n, True), field.symmetric(n)
        used = a if homogeneous else bar(field, n + 1, False)
        V = field.matrix(n, n + 1)
        v, Va = field.columns(V), V * a
        aa = outer(used, used)
        yield dot(v, (field.kron(aa, G) if order == "aa ⊗ G" else field.kron(G, aa)) * v), dot(Va, G * Va) * half
    return pairs


def size_of_hessian(homogeneous: bool) -> Callable[[], Outcome]:
    """The side of (āāᵀ) ⊗ G_l beside the number of weights of the layer, biases included."""
    def claim() -> Outcome:
        for d_in, d_out in ((2, 3), (3, 2), (784, 1000)):
            side = (d_in + homogeneous) * d_out
            if side != (d_in + 1) * d_out:
                return Outcome(f"W_l is {d_out} × {d_in + 1}: {(d_in + 1) * d_out} entries, and a Hessian of {side} × {side}")
        return Outcome()
    return claim


def covariance(cross: int = 1, examples: int = 3) -> Identity:
    """E[X ⊗ Y] = E[X] ⊗ E[Y] + E[(X − EX) ⊗ (Y − EY)]."""
    def pairs(field, n):
        n = min(n, 14)
        X, Y = ([field.symmetric(n) for _ in range(examples)] for _ in range(2))
        share = field.number(1, examples)

        def mean(some: list[Matrix]) -> Matrix:
            return sum(some[1:], some[0]) * share

        EX, EY = mean(X), mean(Y)
        left = mean([field.kron(x, y) for x, y in zip(X, Y, strict=True)])
        spread = mean([field.kron(x - EX, y - EY) for x, y in zip(X, Y, strict=True)])
        yield left, field.kron(EX, EY) + spread * field.number(cross)
    return pairs


def step(stacked: str = "columns", order: str = "H_a ⊗ H_g", symmetric: bool = True) -> Identity:
    """(H_a ⊗ H_g) vec(D) = vec(H_g D H_a)."""
    def pairs(field, n):
        n = min(n, 15)
        H_a, H_g = field.symmetric(n + 1) if symmetric else field.matrix(n + 1, n + 1), field.symmetric(n)
        D = field.matrix(n, n + 1)
        vec = getattr(field, stacked)
        yield (field.kron(H_a, H_g) if order == "H_a ⊗ H_g" else field.kron(H_g, H_a)) * vec(D), vec(H_g * D * H_a)
    return pairs


def pair(layer: int = 2, factor: int = 1, of: str = "s_g") -> Callable[[], Outcome]:
    """In the last, linear layer with ½ squares G_L = I, so that (2.5) gives y = s; by Algorithm 4's averages, over two "
    "steps."""
    def claim() -> Outcome:
        given = problem()
        for k, values in enumerate(algorithm_4(given._replace(examples=given.examples[:2])), 1):
            if values["y_g"][layer - 1] != Q(factor) * values[of][layer - 1]:
                return Outcome(f"step {k}, layer {layer}: y_g is another than {factor} {of}")
        return Outcome(detail="two steps")
    return claim


def spread(examples: int) -> Callable[[], Outcome]:
    """Is the mean over this many examples of āāᵀ ⊗ G equal to A ⊗ G?  a = 0, 1, …, G = 1, 2, …."""
    def claim() -> Outcome:
        a, G = range(examples), range(1, examples + 1)
        left = Q(sum(x * x * y for x, y in zip(a, G, strict=True)), examples)
        right = Q(sum(x * x for x in a), examples) * Q(sum(G), examples)
        return Outcome(f"{examples} examples, a = 0, 1, …, G = 1, 2, …: {left} and {right}" if left != right else "")
    return claim


OVER_Q, MOD_P = over_Q((1, 2, 3)), mod_p(lambda n: 6, n=14)

STATEMENTS = (
    Statement(
        "R.Eq.2.1", "Section 2.2",
        Form("∇f_l(i) = g_l(i) (a_(l−1)(i))ᵀ, vec(∇f_l(i)) = a_(l−1)(i) ⊗ g_l(i)",
             (shapes(lambda g, a: outer(g, without_one(a))), gradient())),
        checks=(part(0, claimed(Status.EXACT_Q, "beside Algorithm 1")), part(1, OVER_Q), part(1, mod_p(lambda n: 2, n=30))),
        mutants=(Form("āgᵀ", (shapes(lambda g, a: outer(a, g)), gradient())),
                 Form("vec = g ⊗ ā", (shapes(outer), gradient("g ⊗ a"))),
                 Form("rows stacked", (shapes(outer), gradient(stacked="rows")))),
        repaired=Form("with ā_(l−1) = (a_(l−1), 1), as in Algorithm 1", (shapes(outer), gradient())), errata=(10,)),
    Statement(
        "R.Eq.2.2", "Section 2.2",
        Form("∇²f_l(i) = (a_(l−1)(i) (a_(l−1)(i))ᵀ) ⊗ G_l(i)", (size_of_hessian(False), hessian())),
        checks=(part(0, claimed(Status.EXACT_Q, "sizes")), part(1, OVER_Q), part(1, MOD_P)),
        mutants=(Form("G ⊗ āāᵀ", (size_of_hessian(True), hessian(order="G ⊗ aa"))),
                 Form("half of it", (size_of_hessian(True), hessian(half=2))),
                 Form("another vector for ā", (size_of_hessian(True), hessian(homogeneous=False)))),
        repaired=Form("with ā_(l−1)", (size_of_hessian(True), hessian())), errata=(10,),
        note="h_l is linear in W_l, so that nothing but G_l enters, whatever the layers above are. (14, 15) matrices V "
             "modulo p: 210 entries."),
    Statement(
        "R.Eq.2.3", "Section 2.2",
        Form("E[āāᵀ ⊗ G] = A ⊗ E[G] + E[(āāᵀ − A) ⊗ (G − E[G])], of which (2.3) keeps the first term", covariance()),
        checks=(OVER_Q, mod_p(lambda n: 2, n=8)),
        mutants=(Form("minus the covariance", covariance(cross=-1)), Form("twice the covariance", covariance(cross=2)),
                 Form("equality in (2.3)", covariance(cross=0))),
        errata=(10,), note="An approximation, and said to be one; exact for one example (R.Eq.2.3/1) or where āāᵀ and G are "
                           "uncorrelated."),
    Statement(
        "R.Eq.2.3/1", "Section 2.2: when ≈ is =",
        Form("for one example (2.3) is an equality", spread(1)), checks=(claimed(Status.EXACT_Q, "numbers"),),
        mutants=(Form("for two", spread(2)), Form("for three", spread(3)), Form("for ten", spread(10)))),
    Statement(
        "R.Eq.2.4", "Section 2.2",
        Form("(H_a ⊗ H_g) vec(∇f̂) = vec(H_g ∇f̂ H_a)", step()), checks=(OVER_Q, MOD_P),
        mutants=(Form("H_g ⊗ H_a", step(order="H_g ⊗ H_a")), Form("rows stacked", step(stacked="rows")),
                 Form("H_a not symmetric", step(symmetric=False))),
        hypotheses=("H_a symmetric", "vec stacks columns"), note="∇f̂ (n, n + 1), n = 14 modulo p."),
    Statement(
        "R.Eq.2.5", "Section 2.2",
        Form("s_g = E[h⁺] − E[h], y_g = E[g⁺] − E[g]: in a linear last layer with ½ squares y_g = G_L s_g = s_g", pair()),
        checks=(claimed(Status.EXACT_Q, "two steps of Algorithm 4 over ℚ, averages included"),),
        mutants=(Form("in the first layer, G = I", pair(layer=1)), Form("y_g = 2s_g", pair(factor=2)),
                 Form("y_g = 0", pair(factor=0))),
        note="A definition. Below the last layer the weights above h_l change in the same step, so that y_g is no G_l s_g "
             "for any G_l of one point, and curvature can come out negative even where every G_l(i) ⪰ 0."),
)
