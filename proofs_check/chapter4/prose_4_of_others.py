"""What chapter 4 says of other methods (4.3.3, 4.3.4, 4.7.2), of weight decay, and of its own tables of hyper-parameters."""

from fractions import Fraction

from ..checks import Outcome, claimed, mod_p, not_checkable, over_Q
from ..fields import dot, outer, trace
from ..statement import Form, Statement, Status
from .common import kron, shapes
from .equation_4_02 import expected_contraction

ROOM = "R.Prose.4.of-others"


def like_kfac(split="A/π ⊗ πG", ratio="means"):
    """(A + π√λ I) ⊗ (G + √λ/π I) = (Ũ_1 + √λ I) ⊗ (Ũ_2 + √λ I), Ũ_1 = A/π, Ũ_2 = πG with one mean eigenvalue: ε = √λ."""
    def pairs(field, n):
        d, e = (15, 14) if n >= 200 else (n + 1, n)
        A, G, pi, eps = field.symmetric(d), field.symmetric(e), field.draw(), field.draw()
        if trace(A) == 0 or trace(G) == 0:
            A, G = A + field.eye(d) * field.number(50), G + field.eye(e) * field.number(50)
        sizes = field.number(d, e) if ratio == "means" else field.number(1)
        A = A * (pi * pi * trace(G) * sizes / trace(A))                        # π² = (tr A/d)/(tr G/e)
        first, second = (A * (1 / pi), G * pi) if split == "A/π ⊗ πG" else (A, G)
        yield field.kron(A + field.eye(d) * (pi * eps), G + field.eye(e) * (eps / pi)), \
            field.kron(first + field.eye(d) * eps, second + field.eye(e) * eps)
        yield trace(first) * field.number(e), trace(second) * field.number(d)
    return pairs


def printed_pi(sizes="of the other"):
    """tr(A ⊗ I)/tr(I ⊗ G) = (tr A/d_A)/(tr G/d_G), the identities being of G's and A's size."""
    def pairs(field, n):
        d, e = (15, 14) if n >= 200 else (n + 1, n)
        A, G = field.symmetric(d) + field.eye(d) * field.number(50), field.symmetric(e) + field.eye(e) * field.number(50)
        I, J = (field.eye(e), field.eye(d)) if sizes == "of the other" else (field.eye(d), field.eye(e))
        yield trace(field.kron(A, I)) / trace(field.kron(J, G)), trace(A) * field.number(e) / (trace(G) * field.number(d))
    return pairs


def one_example(transposed=False, power=1):
    """G = g aᵀ, W of d_o × d_i, one x: F = E[ggᵀ] ⊗ aaᵀ exactly, KFAC's, and tr(F) F = E[G⁽¹⁾] ⊗ E[G⁽²⁾], TNT's."""
    def pairs(field, n):
        d, e = (15, 14) if n >= 200 else (n + 1, n)
        a, second, F = field.vector(e), field.zeros(d, d), field.zeros(d * e, d * e)
        for _ in range(2):
            g = field.vector(d)
            second += outer(g, g) * field.number(1, 2)
            flat = field.rows(g * a.transpose())
            F += outer(flat, flat) * field.number(1, 2)
        yield F, field.kron(outer(a, a), second) if transposed else field.kron(second, outer(a, a))
        moments = [expected_contraction(field, F, (d, e), i) for i in (1, 2)]
        yield field.kron(*moments), F * trace(F) ** power
        yield moments[0], second * dot(a, a)
    return pairs


def inverse_of_a_power(backwards=False):
    """(⊗X_i)⁻¹ = ⊗X_i⁻¹: "1/2k-th power" of the preconditioning matrix and −1/2k of the direction are one statement."""
    def pairs(field, n):
        for shape in shapes(n):
            Xs = [field.symmetric(d) + field.eye(d) * field.number(50) for d in shape]
            inverses = [X.inv() for X in (Xs[::-1] if backwards else Xs)]
            yield kron(field, Xs) * kron(field, inverses), kron(field, [field.eye(d) for d in shape])
    return pairs


def zero_gradient(relative):
    """(i) on Shampoo: damping by λ_max(Ĝ)ε, or by ε, where the gradient is always zero: nothing is damped."""
    def claim():
        G, eps = Fraction(0), Fraction(1, 4)   # the one entry is its own largest eigenvalue
        damped = G + (G if relative else 1) * eps
        return Outcome(f"Ĝ + ε = {damped}" if damped else "", "Ĝ = 0, λ_max = 0: Ĝ + λ_max ε = 0 has no inverse root")
    return claim


def decay(mu, steps=2):
    """Weight decay and L2 regularization of ½θ² from θ = 1, momentum μ, learning rate 1/10, γ = 1/2: the same iterates?"""
    alpha, gamma = Fraction(1, 10), Fraction(1, 2)

    def claim():
        theta, other = Fraction(1), Fraction(1)
        m, n = Fraction(0), Fraction(0)
        for t in range(1, steps + 1):
            m, n = mu * m + theta, mu * n + other + gamma * other
            theta, other = theta - alpha * (m + gamma * theta), other - alpha * n
            if theta != other:
                return Outcome(f"μ = {mu}: θ = {theta} by weight decay, {other} by L2, after step {t}")
        return Outcome(detail=f"the same iterates for {steps} steps")
    return claim


def momenta(T):
    """The momentum of Algorithm 15 and of Adam after T gradients g = 1, μ = β_1 = 9/10."""
    mu, m, n = Fraction(9, 10), Fraction(0), Fraction(0)
    for _ in range(T):
        m, n = mu * m + 1, mu * n + (1 - mu)
    return m, n


def momentum_ratio(factor):
    """The momentum of Algorithms 15 and 16 is `factor` times Adam's, whose gradients have the weight 1 − β_1."""
    def claim():
        m, n = momenta(5)
        return Outcome("" if m == factor * n else f"{m} and {n} after five steps of g = 1", f"{factor} times")
    return claim


GRIDS: dict[str, dict[str, tuple[str, ...]]] = {   # 4.7.2: learning rates, weight decays (CNNs), dampings
    "autoencoders": {
        "SGD-m": ("1e-4 3e-4 0.001 0.003 0.01 0.03", ""), "Adam": ("1e-5 3e-5 1e-4 3e-4 0.001 0.003 0.01", "1e-8 1e-4 1e-2"),
        "Shampoo": ("1e-5 3e-5 1e-4 3e-4 0.001 0.003", "1e-4 3e-4 0.001 0.003 0.01"),
        "TNT": ("1e-7 3e-7 1e-6 3e-6 1e-5 3e-5 1e-4 3e-4 0.001", "0.001 0.003 0.01 0.03 0.1 0.3"),
        "KFAC": ("1e-4 3e-4 0.001 0.003 0.01 0.03 0.1 0.3", "0.01 0.03 0.1 0.3 1 3 10")},
    "CNNs": {
        "SGD-m": ("3e-4 1e-3 3e-3 0.01 0.03 0.1 0.3", "0.001 0.01 0.1 1", ""),
        "Adam": ("3e-5 1e-4 3e-4 1e-3 3e-3 0.01 0.03 0.1", "0.01 0.1 1 10", "1e-8 1e-4 0.01 0.1 1"),
        "Shampoo": ("3e-5 1e-4 3e-4 0.001 0.003 0.01 0.03 0.1", "0.01 0.1 1 10", "0.001 0.01 0.1 1"),
        "TNT": ("1e-6 3e-6 1e-5 3e-5 1e-4 3e-4 0.001", "1 10 100", "0.001 0.01 0.1 1"),
        "KFAC": ("1e-3 3e-3 0.01 0.03 0.1 0.3", "0.001 0.01 0.1 1", "1e-4 0.001 0.01 0.1 1 10 100")}}
BEST: dict[str, tuple[str, dict[str, str]]] = {    # Tables 4.3 to 4.6
    "Table 4.3": ("autoencoders", {"TNT": "1e-4,0.1 1e-6,0.003 3e-6,0.01", "KFAC": "0.03,1 0.01,0.1 0.3,30", "Shampoo": "3e-4,3e-4",
                                   "Adam": "1e-4,1e-4 1e-3,1e-3", "SGD-m": "0.003 0.001"}),
    "Table 4.4": ("CNNs", {"TNT": "1e-4,10,0.1 1e-4,10,0.01", "KFAC": "3e-4,1,0.001 0.01,0.1,0.1 0.01,0.1,1 0.1,0.01,0.1",
                           "Shampoo": "0.001,1,0.1 0.01,0.1,0.01 0.001,1,0.01",
                           "Adam": "0.003,0.1,0.1 0.003,0.1,0.01 3e-4,1,0.01 0.01,0.1,0.01",
                           "SGD-m": "0.003,0.1 0.03,0.01"}),
    "Table 4.5": ("autoencoders", {"TNT": "3e-6,0.01 0.003,1", "KFAC": "1,100 0.3,30"}),
    "Table 4.6": ("CNNs", {"TNT": "1e-4,10,0.1 1e-4,10,0.01 3e-5,10,0.1",
                           "KFAC": "3e-4,1,0.001 0.01,0.1,0.1 3e-4,1,0.1 0.01,0.1,0.001"})}
OUTSIDE = frozenset({("Table 4.3", "KFAC", "0.3,30"), ("Table 4.3", "Adam", "1e-3,1e-3"), ("Table 4.4", "KFAC", "3e-4,1,0.001"),
           ("Table 4.5", "TNT", "0.003,1"), ("Table 4.5", "KFAC", "1,100"), ("Table 4.5", "KFAC", "0.3,30"),
           ("Table 4.6", "KFAC", "3e-4,1,0.001"), ("Table 4.6", "KFAC", "3e-4,1,0.1")})


def in_the_grids(tables=tuple(BEST), but=frozenset()):
    """The best values of the tables are points of the grids, but for exactly those of `but`. EF variants: their method's grid."""
    def claim():
        found = set()
        for table in tables:
            problem, rows = BEST[table]
            for method, values in rows.items():
                for value in values.split():
                    grids = GRIDS[problem][method]
                    if any(Fraction(x) not in map(Fraction, grid.split()) for x,
                           grid in zip(value.split(","), grids, strict=False)):
                        found.add((table, method, value))
        odd = sorted(found ^ but)
        return Outcome(f"{' '.join(odd[0])} is not in the grid of 4.7.2, {len(found)} such entries" if odd else "",
                       f"{len(but)} outside")
    return claim


ACCURACY = {"TNT": ("94.31", "93.48", "76.01", "71.70"), "KFAC": ("94.39", "93.31", "76.21", "71.14"),
            "TNT-EF": ("94.50", "93.24", "75.27", "71.58"), "KFAC-EF": ("94.29", "93.16", "75.55", "71.61")}


def better(first, second, times):
    """In how many of the four columns of Tables 4.2 and 4.6 is one better?"""
    def claim():
        ahead = sum(Fraction(a) > Fraction(b) for a, b in zip(ACCURACY[first], ACCURACY[second], strict=True))
        return Outcome("" if ahead == times else f"{first} is better in {ahead} of 4", f"{first} is better in {ahead} of 4")
    return claim


EXACT = (over_Q(), mod_p(lambda n: 200))
STATEMENTS = (
    Statement(f"{ROOM}/1", "4.3.3: some similarity with how KFAC splits the damping",
              Form("k = 2: KFAC's (A + π√λI) ⊗ (G + (√λ/π)I) is TNT's (Ũ_1 + εI) ⊗ (Ũ_2 + εI), ε = √λ, Ũ_i from A ⊗ G",
                   like_kfac()), checks=EXACT,
              mutants=(Form("A ⊗ G undivided", like_kfac("A ⊗ G")), Form("π² = tr A/tr G", like_kfac(ratio="traces")),
                       Form("both", like_kfac("A ⊗ G", "traces"))),
              note="More than a similarity: with A and G for the statistics the two are one, KFAC scales ε, TNT the matrices."),
    Statement(f"{ROOM}/2", "4.7.2, KFAC", Form("π² = tr(A ⊗ I)/tr(I ⊗ G) = (tr A/d_A)/(tr G/d_G)", printed_pi()), checks=EXACT,
              mutants=(Form("identities of A's and G's own size", printed_pi("own")),), pinned="an equality",
              errata=(38,),
              note="The quotient of the mean eigenvalues, where Algorithm 12 leaves the identities' sizes open. The index of π_l "
                   "is lost once in the text."),
    Statement(f"{ROOM}/3", "4.3.4, (i) on KFAC",
              Form("one example of a linear layer, 𝒟W = g aᵀ: KFAC's E[ggᵀ] ⊗ aaᵀ and TNT's ⊗Ũ_i are F", one_example()),
              checks=EXACT,
              mutants=(Form("aaᵀ ⊗ E[ggᵀ]", one_example(transposed=True)), Form("tr(F)² F", one_example(power=2)),
                       Form("F alone", one_example(power=0))),
              long=True, note="Not in the text: the two approximations part ways only where a and g vary together over examples. "
                   "Row by row, G comes first."),
    Statement(f"{ROOM}/4", "4.3.4, (ii) and (iii) on Shampoo",
              Form("the preconditioning matrix has the power 1/2k, the direction −1/2k: (⊗X_i)⁻¹ = ⊗X_i⁻¹", inverse_of_a_power()),
              checks=(over_Q(), mod_p(lambda n: 200)), mutants=(Form("factors in the opposite order", inverse_of_a_power(True)),),
              pinned="an equality",
              note="“Computes 1/2k-th power” of (ii) is a slip unless it means the matrix that is to be inverted; Algorithm 16 "
                   "has −1/2k."),
    Statement(f"{ROOM}/5", "4.7.2, (i): damping by λ_max", Form("where a gradient is always zero, λ_max ε damps nothing",
                                                                zero_gradient(True)),
              checks=(claimed(Status.EXACT_Q, "a tensor of one entry"),),
              mutants=(Form("an absolute ε damps nothing either", zero_gradient(False)),), pinned="one point", errata=(50,),
              note="True of that variant of Shampoo; (4.10), of TNT itself, has a gap at the same point."),
    Statement(f"{ROOM}/6", "4.7.2: weight decay", Form("for pure SGD weight decay is L2 regularization", decay(Fraction(0), 4)),
              checks=(claimed(Status.EXACT_Q, "½θ² from θ = 1"),),
              mutants=(Form("with momentum 9/10", decay(Fraction(9, 10))), Form("with momentum 1/10", decay(Fraction(1, 10))),
                       Form("with momentum −1", decay(Fraction(-1)))),
              note="With momentum they part at the second step, as the text says."),
    Statement(f"{ROOM}/7", "4.7.2: the roles of β_1 and μ are similar",
              Form("the momentum of Algorithms 15 and 16 is 1/(1 − μ) times Adam's", momentum_ratio(10)),
              checks=(claimed(Status.EXACT_Q, "five steps of one gradient"),),
              mutants=(Form("the same", momentum_ratio(1)), Form("1 − μ times", momentum_ratio(Fraction(1, 10))),
                       Form("(1 − μ)⁻² times", momentum_ratio(100))),
              note="A learning rate is not carried over: TNT's p is ten times as long (as ERR-41 between Chapters 2 and 3)."),
    Statement(f"{ROOM}/8", "Tables 4.3 to 4.6 and 4.7.2", Form("the best hyper-parameters are points of the grids", in_the_grids()),
              checks=(claimed(Status.EXACT_Q, "each entry looked up"),),
              repaired=Form("but for eight entries, seven of them with a value beyond the grid's end", in_the_grids(but=OUTSIDE)),
              mutants=(Form("Table 4.3 alone", in_the_grids(("Table 4.3",))), Form("Table 4.4 alone", in_the_grids(("Table 4.4",))),
                       Form("Table 4.5 alone", in_the_grids(("Table 4.5",)))),
              note="Table 4.3: KFAC (0.3, 30), Adam (1e-3, 1e-3). Table 4.4: KFAC (3e-4, 1, 0.001). Table 4.5: TNT-EF (0.003, 1), "
                   "KFAC-EF (1, 100), (0.3, 30). Table 4.6: KFAC-EF (3e-4, 1, 0.001), (3e-4, 1, 0.1)."),
    Statement(f"{ROOM}/9", "4.7.3", Form("TNT is better than TNT-EF on 3 of the four CNN problems", better("TNT", "TNT-EF", 3)),
              checks=(claimed(Status.EXACT_Q, "Tables 4.2 and 4.6"),), mutants=(Form("on all", better("TNT", "TNT-EF", 4)),),
              pinned="a count"),
    Statement(f"{ROOM}/10", "4.7.3", Form("KFAC is better than KFAC-EF on 3 of the four", better("KFAC", "KFAC-EF", 3)),
              checks=(claimed(Status.EXACT_Q, "Tables 4.2 and 4.6"),), mutants=(Form("on all", better("KFAC", "KFAC-EF", 4)),),
              pinned="a count"),
    Statement(f"{ROOM}/11", "4.7.1 and 4.7.2", Form("what Figures 4.1 to 4.6 show, which code was run, what is hard to implement",
                                                    None),
              checks=(not_checkable("needs the runs, or is a judgement"),)),
)
