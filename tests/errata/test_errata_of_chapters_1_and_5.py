"""Witnesses of mistakes in R chapters 1 and 5 that the ledger's search found."""

import itertools
from fractions import Fraction as F

from stepgauge.reference.parts import levenberg_marquardt as lm


def one_parameter(b, lam):
    """f = ½b² with the Fisher matrix b²: p = −G⁻¹g and ρ."""
    p = -b / (b * b + lam)
    return p, (b * b - (b + p) ** 2) / 2 / (-b * p - b * b * p * p / 2)


def test_err_75_boosting_zero_leaves_zero():
    eps, eta, tau, boost = F(1, 4), F(1, 8), F(1, 8), 2

    def run(lam_LM, drop, steps):
        b = F(1, 8)
        for _ in range(steps):
            p, rho = one_parameter(b, lam_LM + tau)
            yield b, lam_LM, rho
            b = b + p if rho >= eta else b
            lam_LM = lm.adapted.trusted(lam_LM, rho, eps=eps, boost=boost, drop=drop)

    assert set(run(F(0), F(99, 100), 9)) == {(F(1, 8), 0, F(-46, 17))}, "as printed: the same refused step for ever"
    _, *stuck = run(F(4), F(0), 9)
    assert len(set(stuck)) == 1, "drop = 0 leads there after one good step"
    assert stuck[0][2] < 0
    assert F(4) * F(-1, 32) + tau == 0, "drop = −1/32: the next λ is 0"
    taken = [rho >= eta for _, _, rho in run(F(1, 1000), F(99, 100), 11)]
    assert taken == [False] * 9 + [True] * 2, "λ_LM > 0 grows until a step is taken"


def test_err_76_cost_of_kfac_depends_on_the_inputs():
    def counted(m, N):
        """Both factors of every layer and their inverses."""
        return sum(N * (i + 1) ** 2 + N * o**2 + (i + 1) ** 3 + o**3 for i, o in itertools.pairwise(m))

    def printed(m, N, first):
        return sum(w**3 + N * w**2 for w in m[first:])

    def parameters(m):
        return sum(o * (i + 1) for i, o in itertools.pairwise(m))

    for m_0 in (10, 784, 10**5):
        assert counted((m_0, 1), 30) > m_0**2 * printed((m_0, 1), 30, first=1), "no constant will do"
        assert counted((m_0, 1), 30) <= 9 * printed((m_0, 1), 30, first=0)
        assert parameters((m_0, 1)) > m_0 * sum(w**3 for w in (1,)), "n is not of a lower order"


def test_err_77_gauss_newton_at_an_optimum_with_residuals():
    def L(theta):
        return F(theta) ** 2 / 2 + (F(theta) ** 2 + 1) ** 2 / 2          # ŷ = (θ, θ²), y = (0, −1)

    assert all(L(theta) > L(0) for theta in (F(-3), F(-1, 100), F(1, 100), F(5)))
    values = [L(k) for k in range(-2, 3)]
    hessian = F(-values[0] + 16 * values[1] - 30 * values[2] + 16 * values[3] - values[4], 12)     # exact for degree 4
    gauss_newton = 1 + (2 * 0) ** 2                                      # JᵀJ with J = (1, 2θ)
    assert (hessian, gauss_newton) == (3, 1)


def test_err_78_no_net_of_two_layers_satisfies_assumption_12():
    def f(w_1, w_2):
        return F(w_2 * w_1) ** 2 / 2                                     # ŷ = w₂w₁, y = 0

    for w_2 in (1, 10, 10**6):
        assert f(1, w_2) - 2 * f(0, w_2) + f(-1, w_2) == w_2**2, "∂²f/∂w₁², which no β₁ bounds"

    b, lam, beta, beta_1 = F(1, 100), F(10), 1, 1                        # f = ½(relu(b) + 1)²: B = 1, and f″ = 1 or 0 or none
    p = -(b + 1) / (1 + lam)
    assert b + p < 0, "across the kink"
    rho = (((b + 1) ** 2 - 1) / 2) / (-(b + 1) * p - p * p / 2)
    assert abs(rho - 1) > F(8, 10) > F(beta + beta_1, 2) / lam
