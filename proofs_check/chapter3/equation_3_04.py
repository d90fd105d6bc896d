"""R (3.4) to (3.9): from the sum over pairs of positions to one Kronecker product, over positions and over examples.

What "≈" leaves out is an identity: the mean of U_t ⊗ V_t less the product of the means is the mean of (U_t − Ū) ⊗ (V_t − V̄).
Sizes: n positions (or examples), factors of 2 × 2 and 3 × 3.
"""

import itertools

from ..checks import mod_p, over_Q
from ..statement import Form, Statement


def drawn(field, n):
    """n symmetric matrices U_t and V_t each."""
    return [[field.symmetric(size) for _ in range(n)] for size in (2, 3)]


def summed(matrices):
    """Their sum."""
    total = matrices[0]
    for M in matrices[1:]:
        total = total + M
    return total


def mean(field, matrices):
    """Their mean."""
    return summed(matrices) * field.number(1, len(matrices))


def krons(field, U, V):
    """All U_t ⊗ V_t."""
    return [field.kron(*pair) for pair in zip(U, V, strict=True)]


def single(vanishing=True):
    """(3.4): Σ_tt′ A_tt′ ⊗ G_tt′ = Σ_t A_tt ⊗ G_tt where G_tt′ = 0 for t ≠ t′."""
    def pairs(field, n):
        T = min(n, 6)
        A = {tt: field.matrix(2, 2) for tt in itertools.product(range(T), repeat=2)}
        G = {tt: field.matrix(3, 3) if tt[0] == tt[1] or not vanishing else field.zeros(3, 3) for tt in A}
        yield summed([field.kron(A[tt], G[tt]) for tt in A]), summed([field.kron(A[t, t], G[t, t]) for t in range(T)])
    return pairs


def product_of_means(equal="nothing", residual=True, weight=1):
    """(3.5) with what it leaves out, or exact where all U_t, or all V_t, are equal."""
    def pairs(field, n):
        U, V = drawn(field, n)
        U, V = (U[:1] * n if equal == "U" else U), (V[:1] * n if equal == "V" else V)
        U_b, V_b = mean(field, U), mean(field, V)
        left, right = mean(field, krons(field, U, V)), field.kron(U_b, V_b) * weight
        if residual:
            right = right + mean(field, [field.kron(u - U_b, v - V_b) for u, v in zip(U, V, strict=True)])
        yield left, right
    return pairs


def one_product(power=1):
    """(3.6): |𝒯| (mean of A_tt) ⊗ (mean of G_tt) = (Σ A_tt) ⊗ (mean of G_tt), and what it leaves out of Σ A_tt ⊗ G_tt."""
    def pairs(field, n):
        A, G = drawn(field, n)
        A_b, G_b, T = mean(field, A), mean(field, G), field.number(n)
        first = field.kron(A_b, G_b) * T**power
        yield first, field.kron(summed(A), G_b)
        left_out = summed([field.kron(a - A_b, g - G_b) for a, g in zip(A, G, strict=True)])
        yield summed(krons(field, A, G)), first + left_out
    return pairs


def gradient(residual=True, weight=1):
    """Σ_t a_t ⊗ 𝒟h_t = (Σ_t a_t) ⊗ (mean of 𝒟h_t), and Σ_t (a_t − ā) ⊗ (𝒟h_t − mean) besides."""
    def pairs(field, n):
        a, Dh = ([field.vector(size) for _ in range(n)] for size in (2, 3))
        a_b, Dh_b = mean(field, a), mean(field, Dh)
        right = field.kron(summed(a), Dh_b) * weight
        if residual:
            right = right + summed([field.kron(u - a_b, v - Dh_b) for u, v in zip(a, Dh, strict=True)])
        yield summed(krons(field, a, Dh)), right
    return pairs


def examples(weight=1, sums=True, exact=False):
    """(3.7) to (3.9): E_n of products and the product A ⊗ G of E_n[Σ_t A_tt] and E_n[mean of G_tt], and what that leaves out."""
    def pairs(field, n):
        N, T = min(n, 8), 2
        U, V = [], []
        for _ in range(N):
            A, G = drawn(field, T)
            U.append(summed(A) if sums else mean(field, A))
            V.append(mean(field, G))
        A, G = mean(field, U), mean(field, V)
        left = mean(field, krons(field, U, V))
        covariance = mean(field, [field.kron(u - A, v - G) for u, v in zip(U, V, strict=True)])
        yield left, field.kron(A, G) * weight + (covariance if not exact else covariance * 0)
        yield A, mean(field, U)
    return pairs


def hessian_of_a_mean(weight=1):
    """(3.7), first line: second differences of a mean of quadratic functions are the mean of theirs."""
    def pairs(field, n):
        size, N = (n, 3) if n < 100 else (20, 12)
        Q, x, u, v = [field.symmetric(size) for _ in range(N)], *(field.vector(size) for _ in range(3))

        def f(x):
            return sum(((x.transpose() * q * x)[0, 0] for q in Q), field.number(0)) / field.number(2 * N)
        yield f(x + u + v) - f(x + u) - f(x + v) + f(x), (u.transpose() * mean(field, Q) * v)[0, 0] * weight
    return pairs


def factors(sum_G=False, mean_A=False):
    """(3.9) for equal positions: A = |𝒯| A_tt and G = G_tt, so that A ⊗ G is |𝒯| times the Hessian of one position."""
    def pairs(field, n):
        U, V = (M[:1] * n for M in drawn(field, n))
        A, G = mean(field, U) if mean_A else summed(U), summed(V) if sum_G else mean(field, V)
        yield field.kron(A, G), summed(krons(field, U, V))
    return pairs


def total(n):
    """The degree of products of two factors, a weight and a scalar."""
    return 3 if n < 100 else 4


STATEMENTS = (
    Statement(
        "R.Eq.3.4", "Section 3.2.2, Case 1",
        Form("if G_tt′ = 0 for t ≠ t′: ∂²f/∂vec(W)² ≈ Σ_t A_tt ⊗ G_tt", single()),
        checks=(over_Q(), mod_p(total)), mutants=(Form("without the assumption", single(vanishing=False)),),
        pinned="an equality under the one assumption",
        note="Under the assumption it is an equality: ≈ is =. The assumption holds where what follows treats positions one by one "
             "and adds their losses; any later window, dense layer or pool couples them."),
    Statement(
        "R.Eq.3.5", "Section 3.2.2, Case 1",
        Form("(1/|𝒯|) Σ_t U_t ⊗ V_t ≈ (mean of U_t) ⊗ (mean of V_t), up to (1/|𝒯|) Σ_t (U_t − Ū) ⊗ (V_t − V̄)", product_of_means()),
        checks=(over_Q(), mod_p(total)),
        mutants=(Form("=, nothing left out", product_of_means(residual=False)), Form("2Ū ⊗ V̄", product_of_means(weight=2)),
                 Form("a third of it", product_of_means(weight=3, residual=False))),
        note="What is left out is printed here: it vanishes where U_t and V_t are not correlated, as where either is constant, or "
             "for one position."),
    Statement(
        "R.Eq.3.6", "Section 3.2.2, Case 1",
        Form("|𝒯| (mean of A_tt) ⊗ (mean of G_tt) = (Σ_t A_tt) ⊗ (mean of G_tt) ≈ Σ_t A_tt ⊗ G_tt", one_product()),
        checks=(over_Q(), mod_p(total)),
        mutants=(Form("|𝒯|²", one_product(power=2)), Form("without |𝒯|", one_product(power=0)),
                 Form("1/|𝒯|", one_product(power=-1))),
        note="The second line equals the first; ≈ leaves out Σ_t (A_tt − Ā) ⊗ (G_tt − Ḡ). A sum for A and a mean for G: the other "
             "way round would be the same product."),
    Statement(
        "R.Eq.3.6/1", "Section 3.2.2, below (3.6)",
        Form("vec(𝒟W) ≈ (Σ_t a_t) ⊗ (mean of 𝒟h_t), up to Σ_t (a_t − ā) ⊗ (𝒟h_t − mean)", gradient()),
        checks=(over_Q(), mod_p(total)),
        mutants=(Form("=, nothing left out", gradient(residual=False)), Form("twice", gradient(weight=2)),
                 Form("its negative", gradient(weight=-1))),
        note="\"Similarly … a single Kronecker approximation for the gradient\": no algorithm of the thesis uses it."),
    Statement(
        "R.Eq.3.7", "Section 3.2.2, Case 2",
        Form("∂²f/∂vec(W)² = E_n[∂²f(n)/∂vec(W)²] ≈ E_n[(Σ_t A_tt(n)) ⊗ (mean of G_tt(n))]", hessian_of_a_mean()),
        checks=(over_Q(), mod_p(lambda n: 4)),
        mutants=(Form("half of it", hessian_of_a_mean(weight=2)), Form("a third of it", hessian_of_a_mean(weight=3)),
                 Form("its negative", hessian_of_a_mean(weight=-1))),
        hypotheses=("f = E_n f(n), examples not coupled (Theorem 3, part 3)",),
        note="The equality; the ≈ is (3.6) for every example."),
    Statement(
        "R.Eq.3.8", "Section 3.2.2, Case 2",
        Form("E_n[(Σ_t A_tt(n)) ⊗ (mean of G_tt(n))] ≈ A ⊗ G, up to the covariance of the two over n", examples()),
        checks=(over_Q(), mod_p(total)),
        mutants=(Form("=, nothing left out", examples(exact=True)), Form("2A ⊗ G", examples(weight=2)), Form("−A ⊗ G",
                                                                                                          examples(weight=-1))),
        note="(3.5) over examples; with one example nothing is left out."),
    Statement(
        "R.Eq.3.9", "Section 3.2.2, Case 2",
        Form("A = E_n[Σ_t A_tt(n)], G = E_n[(1/|𝒯|) Σ_t G_tt(n)]: for equal positions A ⊗ G is the sum over t", factors()),
        checks=(over_Q(), mod_p(total)),
        mutants=(Form("sums in both", factors(sum_G=True)), Form("means in both", factors(mean_A=True)),),
        pinned="a definition; a sum in one factor and a mean in the other is what (3.6) needs",
        note="For dense layers, |𝒯| = 1, these are the A and G of chapter 2."),
)
