"""R (4.1) and what Section 4.2 derives of it: 𝒟θ has mean 0, so that F is its covariance.

The model is softmax on logits Jθ: with p the probabilities of one x, ∇log p(y|x, θ) = Jᵀ(e_y − p), and F sums over targets.
"""

from fractions import Fraction

from ..checks import Outcome, claimed, mod_p, over_Q
from ..fields import outer
from ..statement import Form, Statement, Status

OUTPUTS, EXAMPLES = 3, 2


def model(field, n):
    """For each x: its weight in Q_x, the Jacobian J of its logits (3, n), and its probabilities, which sum to 1."""
    for x in range(EXAMPLES):
        p = [field.draw() for _ in range(OUTPUTS - 1)]
        p.append(field.number(1) - sum(p[1:], p[0]))
        yield field.number(1, 3) if x else field.number(2, 3), field.matrix(OUTPUTS, n), p


def fisher(sign=1, centred=True, factor=(1, 1), check="covariance"):
    """E[𝒟θ] = 0; E[𝒟θ𝒟θᵀ] is the covariance, and Σ Q_x Jᵀ(diag p − ppᵀ)J."""
    def pairs(field, n):
        mean, second, expected = field.zeros(n, 1), field.zeros(n, n), field.zeros(n, n)
        for Q, J, p in model(field, n):
            of_p = field.build(OUTPUTS, 1, lambda j, _, p=p: p[j])
            for y in range(OUTPUTS):
                e = field.build(OUTPUTS, 1, lambda j, _, y=y: field.number(int(j == y)))
                score = J.transpose() * (e - of_p if centred else e) * field.number(sign)
                mean += score * (Q * p[y])
                second += outer(score, score) * (Q * p[y])
            H = field.diagonal(p) - outer(of_p, of_p)
            expected += J.transpose() * H * J * (Q * field.number(*factor))
        if check != "covariance":
            yield mean, field.zeros(n, 1)
        else:
            yield second - outer(mean, mean), second
            yield second, expected
    return pairs


def exchanged(families):
    """∫ ∇p dy = ∇ ∫ p dy = 0 for each family of densities: the integral on the left, exactly, at θ = 2."""
    theta = Fraction(2)
    left = {"categorical": sum((Fraction(1, 4), Fraction(-1, 4))),   # p = (θ/4, 1 − θ/4)
            "uniform on [0, θ]": theta * (-1 / theta**2)}            # p = 1/θ on an interval of length θ

    def claim():
        wrong = [f"p {family}: ∫ ∇p dy = {left[family]} at θ = 2, ∇1 = 0" for family in families if left[family]]
        return Outcome(wrong[0] if wrong else "", "the support must not move with θ")
    return claim


def empirical(targets):
    """Model N(θ, 1) at θ = 0 with these targets: mean and second moment of 𝒟θ = θ − y over the data."""
    def claim():
        mean, second = Fraction(-sum(targets), len(targets)), Fraction(sum(y * y for y in targets), len(targets))
        variance = second - mean**2
        if variance == second:
            return Outcome(f"targets {targets}: second moment {second} is the covariance")
        return Outcome(detail=f"targets {targets}: second moment {second}, covariance {variance}")
    return claim


EXACT = (over_Q(), mod_p(lambda n: 6))
STATEMENTS = (
    Statement("R.Eq.4.1", "Section 4.2", Form("F = E_{x∼Q_x, y∼p}[∇log p (∇log p)ᵀ] = E[𝒟θ𝒟θᵀ], the covariance of 𝒟θ", fisher()),
              checks=EXACT,
              hypotheses=("log p is l up to sign and constants: softmax with cross entropy, normal with half the squared error",),
              mutants=(Form("score e_y, not centred", fisher(centred=False)), Form("half of it", fisher(factor=(1, 2))),
                       Form("twice of it", fisher(factor=(2, 1)))),
              note="l = −log p up to a constant; the sign cancels in F. F is E[JᵀH_l J], R (1.7)."),
    Statement("R.Eq.4.1/1", "Section 4.2, below (4.1)", Form("E_{y∼p}[∇log p(y|x, θ)] = 0, hence E[𝒟θ] = 0", fisher(check="mean")),
              checks=EXACT, mutants=(Form("score e_y, not centred", fisher(check="mean", centred=False)),),
              pinned="an equality with 0, which a factor does not change"),
    Statement("R.Eq.4.1/2", "Section 4.2, the display below (4.1)",
              Form("∫ ∇p dy = ∇ ∫ p dy, for the density of any model", exchanged(("categorical", "uniform on [0, θ]"))),
              checks=(claimed(Status.EXACT_Q, "the integral in closed form"),),
              repaired=Form("the same where p's support does not move with θ and ∇p has an integrable bound near θ",
                            exchanged(("categorical",))),
              mutants=(Form("for uniform densities", exchanged(("uniform on [0, θ]",))),),
              pinned="a hypothesis is missing, no constant",
              note="Softmax, sigmoid and normal models, all that the thesis uses, satisfy the missing hypothesis."),
    Statement("R.Eq.4.1/3", "Section 4.2, last sentence on F",
              Form("the empirical Fisher matrix is in general no covariance of the empirical gradient", empirical((1, 3))),
              checks=(claimed(Status.EXACT_Q, "two examples of N(θ, 1)"),), mutants=(Form("targets −1, 1", empirical((-1, 1))),),
              pinned="a statement that something exists"),
)
