"""One witness for each entry of ERRATA.md: the printed form fails, the right one passes.

Everything is exact over the rationals, except where a logarithm or a root occurs: there mpmath works with 200 bits, and at
most a few dozen operations on numbers of size 1 to 100 leave an error far below `CLOSE`.
"""

import ast
import itertools
import re
from fractions import Fraction as Q
from pathlib import Path

import mpmath
import numpy as np
import pytest
from stepgauge import arrays, nets
from stepgauge.nets import LOSSES, single
from stepgauge.reference import kbfgs, kbfgs20, kfac, kfac20, tnt
from stepgauge.reference.parts import damping, levenberg_marquardt, quasi_newton, smw, tensor_normal, tensors

ROOT = Path(__file__).resolve().parents[2]
BITS, CLOSE = 200, mpmath.mpf(2) ** -180


def exact(values):
    """Nested lists of numbers or strings such as "1/3" as an object array of Fractions."""
    return np.vectorize(Q, otypes=[object])(np.array(values, dtype=object))


def eye(n):
    return exact([[int(i == j) for j in range(n)] for i in range(n)])


def inverse(A):
    """A⁻¹ by Gauss-Jordan elimination with a search for a pivot."""
    n = len(A)
    M = np.concatenate([A, eye(n)], axis=1)
    for j in range(n):
        pivot = next(i for i in range(j, n) if M[i, j] != 0)
        M[[j, pivot]] = M[[pivot, j]]
        M[j] = M[j] / M[j, j]
        for i in range(n):
            if i != j:
                M[i] = M[i] - M[i, j] * M[j]
    return M[:, n:]


def outer(u, v):
    return u[:, None] * v[None, :]


def slope(f, x):
    """The gradient of a function that is at most quadratic in each entry of x: there a central difference is exact."""
    gradient = x.copy()
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += 1
        down[index] -= 1
        gradient[index] = (f(up) - f(down)) / 2
    return gradient


def half_square(r):
    return r @ r / 2


def bar(a):
    return np.append(a, Q(1))


W1, W2 = exact([[1, -2, 3], [2, 1, -1], [0, 1, 2], [1, 1, 1]]), exact([[1, 2, -1, 1, 0], [2, 0, 1, -3, 1], [1, 1, 1, 1, 1]])
X, Y = exact([1, 2]), exact([3, -1, 2])                              # a linear 2-4-3 net with the bias in the last columns


def linear_net(first, second, x):
    return second @ bar(first @ bar(x))


def test_err_1_both_cross_entropies_lack_the_minus_sign():
    with mpmath.workprec(BITS):
        y, logits = [1, 0, 1], [mpmath.mpf(2), mpmath.mpf(-1), mpmath.mpf("0.5")]
        sigma = [1 / (1 + mpmath.exp(-t)) for t in logits]
        total = sum(mpmath.exp(t) for t in logits)
        softmax = [mpmath.exp(t) / total for t in logits]
        printed = {"bce": sum(t * mpmath.log(p) + (1 - t) * mpmath.log(1 - p) for t, p in zip(y, sigma, strict=True)),
                   "softmax_ce": mpmath.log(softmax[2])}
        likelihood = {"bce": sigma[0] * (1 - sigma[1]) * sigma[2], "softmax_ce": softmax[2]}
        for name, targets in [("bce", y), ("softmax_ce", [0, 0, 1])]:
            output, t = (np.array([[mpmath.mpf(v) for v in row]], dtype=object) for row in (logits, targets))
            ours = LOSSES[name].value(output, t)[0]
            assert abs(ours + mpmath.log(likelihood[name])) < CLOSE
            assert printed[name] < 0 < ours, "the printed form rewards a small likelihood"


def test_err_2_hessian_of_bce_is_sigma_times_one_minus_sigma():
    for p in (Q(1, 2), Q(1, 5), Q(9, 10)):
        fisher = p * (1 - p) ** 2 + (1 - p) * p**2                   # E[(∂loss/∂ŷ)²] = E[(σ − y)²], y = 1 with probability p
        assert fisher == p * (1 - p) != p
        with mpmath.workprec(BITS):
            logit = np.array([[mpmath.log(mpmath.mpf(p.numerator) / (p.denominator - p.numerator))]], dtype=object)
            right = mpmath.mpf(fisher.numerator) / fisher.denominator
            assert abs(LOSSES["bce"].hessian(logit)[0, 0, 0] - right) < CLOSE


def test_err_3_backward_pass_must_drop_the_bias_column():
    a = W1 @ bar(X)
    g = W2 @ bar(a) - Y                                              # φ is linear, the loss is half the sum of squares
    right = slope(lambda a: half_square(W2 @ bar(a) - Y), a)
    printed = W2.T @ g
    assert printed.shape == (5,)
    assert right.shape == (4,)
    assert (W2[:, :-1].T @ g == right).all()
    with pytest.raises(ValueError, match="broadcast"):
        printed * (W1 @ bar(X))                                      # line 4's next ⊙ φ′(h)
    found = single.forward_backward([W1, W2], ["linear"] * 2, "mse", X, Y).DW[0]
    assert (found == slope(lambda W: half_square(linear_net(W, W2, X) - Y), W1)).all()


def test_err_4_gradient_of_W_is_an_outer_product():
    theta = [nets.Layer(W[:, :-1], W[:, -1]) for W in (W1, W2)]
    h, v = single.forward(theta, ["linear"] * 2, X)
    g = (v[2] - Y)[None, :]                                          # a row, as g^(l+1) W^(l+1) in line 8 demands
    with pytest.raises(ValueError, match="mismatch"):
        g @ v[1][:, None].T                                          # lines 6 and 10, (5.9): a row times a row
    assert (slope(lambda W: half_square(linear_net(W1, W, X) - Y), W2)[:, :-1] == g.T @ v[1][:, None].T).all()
    assert ((g @ theta[1].W)[0] == slope(lambda a: half_square(W2 @ bar(a) - Y), v[1])).all(), "line 8 is right as printed"
    found = single.backward(theta, ["linear"] * 2, "mse", h, v, Y)
    assert (slope(lambda W: half_square(linear_net(W, W2, X) - Y), W1)[:, :-1] == found[0].W).all()


SPD = exact([[4, 1, 0], [1, 3, 1], [0, 1, 2]])


def test_err_5_hessian_action_pair_has_s_and_y_exchanged():
    lam, H, a = Q(1, 2), eye(3), exact([1, 2, -1])
    s, y = quasi_newton.hessian_action_pair(H, a, SPD + lam * eye(3))
    assert (y == SPD @ s + lam * s).all()
    assert not (s == SPD @ y + lam * s).any()                        # as printed


def test_err_6_size_of_D_for_natural_gradient():
    N2, m_L, n, lam = 3, 2, 4, Q(1, 3)
    J = exact([[1, 2, 0, 1], [0, 1, -1, 2], [3, 1, 1, 0]])           # one gradient a row
    D = lam * eye(N2) + J @ J.T / N2
    assert D.shape == (N2, N2) != (m_L, m_L)
    g = exact([1, -1, 2, 5])
    p = (g - J.T @ (inverse(D) @ (J @ g)) / N2) / lam
    assert ((lam * eye(n) + J.T @ J / N2) @ p == g).all()
    assert (smw.solve_with_inverse(lam, J, eye(N2), g, N2=N2) == p).all()


def test_err_7_theorem_1_needs_a_nonzero():
    A, c = SPD, Q(2)
    zero, a = exact([0, 0, 0]), exact([1, 0, -2])
    s = inverse(A) @ zero
    with pytest.raises(ZeroDivisionError):
        1 / (s @ (A + c * outer(zero, zero)) @ s)                    # ρ of (2.11)
    pair = quasi_newton.hessian_action_pair(inverse(A), a, A + c * outer(a, a))
    for phi in (Q(0), Q(1, 3), Q(1)):
        assert (quasi_newton.broyden_H(inverse(A), *pair, phi=phi) == inverse(A + c * outer(a, a))).all()


def test_err_8_chain_rule_of_the_fisher_matrix_needs_the_transposed_jacobian():
    J = exact([[1, 2, 0], [3, -1, 1]])                               # J_f = ∂ŷ/∂θ (m, d), as in (1.4)
    theta, y = exact([1, 1, 2]), exact([4, 0])
    d_output = -(J @ theta - y)                                      # ∂log p/∂ŷ for a normal with unit variance
    with pytest.raises(ValueError, match="mismatch"):
        J @ d_output                                                 # as printed
    assert (J.T @ d_output == slope(lambda theta: -half_square(J @ theta - y), theta)).all()


def test_err_9_sum_over_examples_runs_to_N():
    gradients = [exact([1, 0, 2]), exact([0, 1, -1])]                # N = 2 examples, n = 3 parameters
    N, n = len(gradients), len(gradients[0])
    with pytest.raises(IndexError):
        sum(outer(gradients[i], gradients[i]) for i in range(n)) / N
    assert (sum(outer(gradients[i], gradients[i]) for i in range(N)) / N
            == exact([["1/2", 0, 1], [0, "1/2", "-1/2"], [1, "-1/2", "5/2"]])).all()


def test_err_10_gradient_and_hessian_of_W_need_the_homogeneous_activation():
    a = exact([2, -1])
    W = exact([[1, 0, 3], [2, 1, 1]])                                # the last column is the bias
    y = exact([1, 1])
    g = W @ bar(a) - y
    right = slope(lambda W: half_square(W @ bar(a) - y), W)
    assert outer(g, a).shape != W.shape
    assert (outer(g, bar(a)) == right).all()
    hessian = np.kron(outer(bar(a), bar(a)), eye(2))                 # (2.2), G = I
    direction = exact([[1, 2, 3], [0, -1, 1]])
    moved = slope(lambda V: half_square(V @ bar(a) - y), W + direction) - right
    assert (hessian @ direction.T.ravel() == moved.T.ravel()).all(), "columns stacked"
    assert np.kron(outer(a, a), eye(2)).shape != hessian.shape


def test_err_11_proof_of_lemma_4_writes_s_for_its_damped_form():
    mu1, mu2 = Q(1, 5), Q(1, 2)
    s, y = exact([-1, 2]), exact([3, 1])                             # sᵀy < μ₁yᵀy/μ₂, so that s is damped
    s_t, y_t = damping.dpi_dlm(s, y, mu1=mu1, mu2=mu2)
    assert (s_t != s).any()
    middle = {name: y @ y + 2 * mu2 * (s_t @ (y_t - mu2 * u)) + mu2**2 * (s_t @ s_t)
              for name, u in [("printed", s), ("right", s_t)]}
    assert middle["printed"] != y_t @ y_t == middle["right"]
    assert y_t @ y_t <= mu2 * (1 / mu1 + 2) * (s_t @ y_t), "the statement itself holds"


def test_err_12_double_damping_has_a_pole_for_mu2_above_one():
    def printed(sy, ss, mu2):
        return (1 - mu2) * ss / (ss - sy) if sy < mu2 * ss else Q(1)

    mu2, ss = Q(3, 2), Q(1)
    with pytest.raises(ZeroDivisionError):
        printed(ss, ss, mu2)
    assert [printed(1 - Q(1, k), ss, mu2) for k in (10, 1000)] == [-5, -500]
    with mpmath.workprec(BITS), pytest.raises(ZeroDivisionError):
        printed(mpmath.mpf(1), mpmath.mpf(1), mpmath.sqrt(3))        # λ = 3 of the thesis's own grid, μ₂ = √λ
    for sy in (Q(-7), Q(0), Q(99, 100)):
        assert 0 <= printed(sy, ss, Q(1, 2)) <= 1
    s, one = exact([1]), eye(1)
    with pytest.raises(ValueError, match=r"^mu2: expected"):
        damping.double_damping(s, s, one, mu1=Q(1, 5), mu2=mu2)
    assert damping.double_damping(s, s, one, mu1=Q(1, 5), mu2=Q(1)) == (s, s)


def test_err_13_fisher_matrix_of_chapter_5_is_the_empirical_one():
    J = [exact([1, 2]), exact([0, 3])]                               # linear model with one output, "mse", N = 2
    residual = [Q(5), Q(1, 2)]
    printed = sum(r**2 * outer(j, j) for r, j in zip(residual, J, strict=True)) / 2
    variance = Q(1)                                                  # E[(ŷ − y)²] where the model draws y, (1.7)
    fisher = sum(variance * outer(j, j) for j in J) / 2
    gauss_newton = sum(outer(j, j) for j in J) / 2                   # (5.2) with H_i = 1
    assert (fisher == gauss_newton).all()
    assert (printed != gauss_newton).any()
    draws = nets.predictive(nets.mlp((2, 1), ("linear",), "mse"), exact([[3]]))
    assert type(draws) is nets.Normal, "whose variance is 1"
    assert draws.mean[0, 0] == 3


def test_err_14_element_of_D_lacks_the_damping_and_the_mean():
    N2, lam = 2, Q(1, 4)
    J, g = exact([[1, 2, 0], [0, 1, 1]]), exact([1, 1, 1])
    G = lam * eye(3) + J.T @ J / N2

    def step(D):
        return (g - J.T @ (inverse(D) @ (J @ g)) / N2) / lam

    assert (G @ step(J @ J.T) != g).any()                            # (D)_ij = ∇f_iᵀ∇f_j as printed
    assert (G @ step(lam * eye(N2) + J @ J.T / N2) == g).all()
    a, b = (exact([1, 2]), exact([3]), exact([0, 1])), (exact([2, 1]), exact([1]), exact([4, 1]))      # g, g′ and v, v′
    products = (outer(a[0], bar(a[2])).ravel() @ outer(b[0], bar(b[2])).ravel(), (a[0] @ b[0]) * (a[2] @ b[2] + 1))
    assert products[0] == products[1], "with the biases, v·v′ becomes v·v′ + 1"


def test_err_15_algorithm_10_must_not_pass_H_to_its_damping():
    mu1, mu2, h = Q(1, 5), Q(1), Q(1, 10)
    s, y, H = exact([-1]), exact([1]), exact([[h]])
    bound = mu2 * (1 + 2 * mu1) / mu1                                # 1/μ₃ of Lemma 4, on which Lemma 6 rests
    s_t, y_t = damping.dp_dlm(s, y, H, mu1=mu1, mu2=mu2)             # "with H = H_G" is Algorithm 8
    assert y_t @ y_t / (s_t @ y_t) > bound
    s_t, y_t = damping.dpi_dlm(s, y, mu1=mu1, mu2=mu2)
    assert y_t @ y_t / (s_t @ y_t) <= bound


def test_err_16_natural_gradient_is_the_inverse_of_fisher_times_gradient():
    J, theta, y = exact([[1, 2], [0, 3], [1, 1]]), exact([5, -1]), exact([1, 0, 2])
    F, g = J.T @ J, J.T @ (J @ theta - y)                            # least squares: one whole step ends at the minimum
    assert (J.T @ (J @ (theta - inverse(F) @ g) - y) == 0).all()
    assert (J.T @ (J @ (theta - F @ g) - y) != 0).any()              # H_t = F in (1.2), as printed


def test_err_17_H_a_does_not_start_from_the_identity():
    A, a, c = SPD, exact([1, 2, 0]), Q(1, 10)
    A_plus = A + c * outer(a, a)
    for start, right in [(eye(3), False), (inverse(A), True)]:       # Section 2.8.2 against Algorithm 4, line 3
        pair = quasi_newton.hessian_action_pair(start, a, A_plus)
        assert (quasi_newton.bfgs_H(start, *pair) == inverse(A_plus)).all() == right


def test_err_18_rmsprop_cannot_be_both_hintons_and_adam_without_bias_correction():
    gradients, beta1 = [Q(1), Q(3)], Q(9, 10)

    def numerators(beta1):                                           # what is divided by √v, step by step, from zero
        return list(itertools.accumulate(gradients, lambda m, g: beta1 * m + (1 - beta1) * g, initial=Q(0)))[1:]

    assert numerators(Q(0)) == gradients, "lecture 6e divides the gradient itself, which is β₁ = 0"
    assert numerators(beta1) == [Q(1, 10), Q(39, 100)], "β₁ = 0.9 as in R's list of hyper-parameters is another method"


def test_err_19_two_bounds_for_the_same_skip():
    mu1, mu2, h = Q(1, 5), Q(1), Q(15, 2)
    s, y = damping.double_damping(exact([-1]), exact([1]), exact([[h]]), mu1=mu1, mu2=mu2)
    ratio = (y @ y) * h / (s @ y)
    assert ratio <= 2 / mu1                                          # Section 2.3.1 keeps the pair
    assert not s @ y >= mu1 * (y @ y) * h                            # Algorithm 5, line 17 skips it
    assert ratio > 1 / mu1


def test_err_20_moving_average_of_the_pair_needs_a_start():
    line_3 = {"gradient": Q(0), "A": eye(2), "H_a": eye(2), "H_g": eye(2)}      # what Algorithms 4 and 5 initialise
    beta, differences = Q(9, 10), [Q(2), Q(-1), Q(4)]
    with pytest.raises(KeyError, match="s_g"):
        beta * line_3["s_g"] + (1 - beta) * differences[0]           # line 16

    def averages(s, rest):
        return list(itertools.accumulate(rest, lambda s, d: beta * s + (1 - beta) * d, initial=s))

    zero, first = averages(Q(0), differences)[1:], averages(differences[0], differences[1:])
    assert zero == [Q(1, 5), Q(2, 25), Q(59, 125)]                   # Algorithm 9, line 3: s = y = 0
    assert zero[1] / zero[0] != first[1] / first[0], "the choice is no mere factor"


def test_err_21_zero_pair_has_no_curvature():
    zero = exact([0, 0])
    for damped in (damping.double_damping(zero, zero, eye(2), mu1=Q(1, 5), mu2=Q(1, 2)),
                   damping.dp_dlm(zero, zero, eye(2), mu1=Q(1, 5), mu2=Q(1, 2)),
                   damping.dpi_dlm(zero, zero, mu1=Q(1, 5), mu2=Q(1, 2))):
        with pytest.raises(ZeroDivisionError):
            (damped.s_t @ damped.s_t) / (damped.s_t @ damped.y_t)    # Lemma 4 as printed
        with pytest.raises(ValueError, match=r"^s, y: expected sᵀy > 0"):
            quasi_newton.bfgs_H(eye(2), *damped)
    for s, y in [([0, 0], [1, 0]), ([1, 0], [0, 0])]:                # either one nonzero is enough
        s_t, y_t = damping.dpi_dlm(exact(s), exact(y), mu1=Q(1, 5), mu2=Q(1, 2))
        assert s_t @ y_t > 0


def test_err_22_lemma_5_needs_positive_curvature():
    def hypotheses_and_conclusion(s, y, H, mu2, mu3):                # one-dimensional; √(μ₂μ₃) = 1
        hypotheses = s * s / (s * y) <= 1 / mu2 and y * y / (s * y) <= 1 / mu3
        H_plus = (1 - s * y / (s * y)) ** 2 * H + s * s / (s * y)    # (3.11)
        return hypotheses, abs(H_plus) <= (1 + 1) ** 2 * abs(H) + 1 / mu2

    assert hypotheses_and_conclusion(Q(1), Q(-1, 100), Q(1), Q(1), Q(1)) == (True, False)
    assert hypotheses_and_conclusion(Q(1), Q(1), Q(1), Q(1), Q(1)) == (True, True)
    assert hypotheses_and_conclusion(Q(2), Q(4), Q(9), Q(2), Q(1, 2)) == (True, True)


def test_err_23_secant_bound_is_no_bound_on_the_matrix():
    mu2, B = Q(1), eye(2)
    s_t, y_t = damping.dp_dlm(exact([1, 0]), exact([1, 1]), eye(2), mu1=Q(1, 5), mu2=mu2)
    assert s_t @ y_t >= mu2 * (s_t @ s_t), "the pair satisfies the inequality"
    rest = quasi_newton.bfgs_B(B, s_t, y_t) - mu2 * eye(2)
    assert rest[0, 0] * rest[1, 1] - rest[0, 1] ** 2 < 0, "and B⁺ ⪰ μ₂I fails, though B = μ₂I"


def test_err_24_H_A_kron_H_G_approximates_the_inverse():
    A, G = exact([[2, 1], [1, 3]]), exact([[4, 1, 0], [1, 2, 0], [0, 0, 5]])
    H = np.kron(inverse(A), inverse(G))
    assert (H @ np.kron(A, G) == eye(6)).all()
    assert (np.kron(A, G) != H).any()
    grad, alpha = exact([[1, 2], [0, 1], [3, -1]]), Q(1, 2)
    newton = -alpha * inverse(np.kron(A, G)) @ tensors.vec_columns(grad)
    assert (newton == tensors.vec_columns(-alpha * inverse(G) @ grad @ inverse(A))).all(), "(3.10) means the inverse"


def test_err_25_momentum_of_algorithm_4_never_moves_as_transcribed():
    beta, gradients = Q(9, 10), [Q(1), Q(2), Q(3)]
    printed = right = Q(0)
    for gradient in gradients:
        printed = beta * printed + (1 - beta) * printed              # line 8, the same accent on both
        right = beta * right + (1 - beta) * gradient                 # Section 2.5.2, item 1
    assert printed == 0
    assert right == Q(561, 1000)


def test_err_26_sign_of_the_linear_term_of_delta_2():
    H, g = exact([[2, 1, 0], [1, 3, 1], [0, 1, 1]]), exact([1, -2, 3])

    def loss(d):
        return g @ d + d @ H @ d / 2

    groups = exact([[1, 1, 0], [0, 0, 1]])                           # I_{S:P}
    U = g[:, None] * eye(3)
    g_b, H_b = groups @ U @ g, groups @ U @ H @ U @ groups.T
    for eta in (exact([1, 2]), exact(["1/3", -1])):
        change = loss(-U @ groups.T @ eta)
        assert change == -g_b @ eta + eta @ H_b @ eta / 2
        assert change != g_b @ eta + eta @ H_b @ eta / 2             # the README's second line
    best = inverse(H_b) @ g_b
    assert all(loss(-U @ groups.T @ best) < loss(-U @ groups.T @ (best + e)) for e in eye(2))


def test_err_27_equation_6_may_have_no_solution():
    K, c, lam_int = (Q(-1), Q(1)), (Q(0), Q(1, 10)), Q(2)            # diagonal K; c ⟂ the eigenvector of λ_min = −1
    lowest = 2 / lam_int * 1                                         # (6) asks for r > (2/λ_int) |λ_min|
    for r in (lowest + Q(1, 10**6), Q(2), Q(100)):
        assert c[1] ** 2 / (K[1] + r) ** 2 < r**2, "the right side of (6) stays below r"
    assert c[1] / (K[1] + lowest) < lowest, "at the end, and it falls while r grows"
    second = c[1] / (K[1] + lowest)                                  # a solution of (4) lies on the boundary ‖η′‖ = lowest,
    square_of_first = lowest**2 - second**2                          # with a free component along the eigenvector
    assert square_of_first > 0
    assert (K[0] + lam_int / 2 * lowest) == c[0]
    c = (Q(1, 10), Q(1, 10))
    gap = [c[0] ** 2 / (K[0] + r) ** 2 + c[1] ** 2 / (K[1] + r) ** 2 - r**2 for r in (Q(101, 100), Q(2))]
    assert gap[0] > 0 > gap[1], "where c is not orthogonal to it, a root lies beyond"


def test_err_28_cubic_model_is_strictly_convex_for_singular_H():
    values = [Q(k, 3) for k in range(-9, 10)]

    def T(eta, H):
        return H * eta**2 / 2 + abs(eta) ** 3 / 6                    # S = 1, ḡ = 0, D = 1, λ_int = 1

    def strict(H):
        return all(T((x + y) / 2, H) < (T(x, H) + T(y, H)) / 2 for x, y in itertools.combinations(values, 2))

    assert strict(Q(0)), "H̄ = 0 is not positive definite"
    assert strict(Q(1))
    assert not strict(Q(-1))


def small_net(activations, loss="mse"):
    """A net of two layers, 2-2-1, a batch of three, and a direction, over the rationals."""
    model = nets.mlp((2, 2, 1), activations, loss)
    params = (nets.Layer(exact([[1, 2], ["1/2", -1]]), exact([1, 3])), nets.Layer(exact([[2, -1]]), exact([1])))
    u = (nets.Layer(exact([[1, -1], [2, 1]]), exact([1, 2])), nets.Layer(exact([[1, 3]]), exact([-1])))
    return model, params, nets.Batch(exact([[1, 2], [-1, 1], [2, "1/3"]]), exact([[1], [2], [0]])), u


def test_err_63_third_derivatives_vanish_for_whole_classes_of_nets():
    for activations in (("relu", "linear"), ("linear", "linear"), ("relu", "relu")):
        model, params, batch, u = small_net(activations)
        g_bar, H_bar, D3_diag = nets.taylor.summaries(model, params, batch, u, nets.taylor.canonical(params))
        assert not any(D3_diag), "D = 0, though"
        assert any(g_bar)
        assert any(H_bar.ravel())
    assert any(nets.taylor.summaries(model, params, batch, u, nets.taylor.trivial(params))[2]), "it is not so for every partition"
    normed = nets.cnn((2,), (nets.Dense(1), nets.BatchNorm(Q(1, 10**5)), nets.Dense(1)), "mse")
    with mpmath.workprec(BITS):
        params, batch, u = (arrays.cast(part, "mpf") for part in (
            (nets.Layer(exact([[1, 2]]), exact([3])), nets.Norm(exact([1]), exact([2])), nets.Layer(exact([[2]]), exact([1]))),
            nets.Batch(exact([[1, 2], [-1, 1], [2, 1]]), exact([[1], [2], [0]])),
            (nets.Layer(exact([[1, 1]]), exact([1])), nets.Norm(exact([1]), exact([1])), nets.Layer(exact([[1]]), exact([1])))))
        g_bar, H_bar, D3_diag = nets.taylor.summaries(normed, params, batch, u, nets.taylor.canonical(params))
        assert max(abs(g_bar[1]), *abs(H_bar[1]), abs(D3_diag[1])) < CLOSE, "a bias before a batch normalisation"
        assert abs(g_bar[0]) > Q(1, 100)


def test_err_64_discrete_partition_is_not_newton_where_a_gradient_is_zero():
    H, g = exact([[2, 1], [1, 3]]), exact([0, 1])
    G = g[:, None] * eye(2)
    H_bar = G @ H @ G
    assert not any(H_bar[0])
    with pytest.raises(StopIteration):
        inverse(H_bar)
    newton = inverse(H) @ g
    assert newton[0] != 0, "Newton's method moves θ_1"
    assert (g * exact([5, "1/3"]))[0] == 0, "θ − Gη does not, whatever η"
    g = exact([2, 1])
    G = g[:, None] * eye(2)
    assert (G @ inverse(G @ H @ G) @ G @ g == inverse(H) @ g).all(), "they agree where no coordinate is 0"


def test_err_65_weight_bias_block_is_not_symmetric():
    model, params, batch, u = small_net(("relu", "linear"))
    _, H_bar, _ = nets.taylor.summaries(model, params, batch, u, nets.taylor.canonical(params))
    WB = H_bar[::2, 1::2]
    assert (H_bar == H_bar.T).all()
    assert WB[0, 1] != WB[1, 0]


def test_err_29_preconditioned_estimate_need_not_descend():
    B, gradient, estimate = exact([[2, 1], [1, 1]]), exact([1, 0]), exact([1, 2])
    assert gradient @ -estimate < 0, "−g_t is a descent direction"
    assert (B @ estimate != 0).all(), "g_t is not in the null space of B_t, which is positive definite"
    assert gradient @ -(inverse(B) @ estimate) > 0, "and p_t ascends"
    assert gradient @ -(inverse(B) @ gradient) < 0, "with g_t = ∇f(θ) it descends"


def test_err_30_cost_of_k_bfgs_l_needs_p_below_the_layer():
    def step(p, d_i, d_o):          # D H_a; SᵀX, YᵀX, S·, Y·; two solves and the inner matrix, each (p, p) by (p, d_i)
        return d_i**2 * d_o + 4 * p * d_i * d_o + 3 * p**2 * d_i

    def printed(p, d_i, d_o):
        return d_i**2 * d_o + p * d_i * d_o

    for d in (6, 25, 100):
        assert all(step(p, d, d) <= 7 * printed(p, d, d) for p in (1, d // 2, d))       # one constant where p ≤ min(d_i, d_o),
        assert step(100 * d, d, d) > 100 * printed(100 * d, d, d)                       # none without that condition,
        assert step(100 * d, d, d) <= 4 * (printed(100 * d, d, d) + (100 * d)**2 * d)   # one again with the missing term
    assert 4 * 1000 * 10 > 100 * (1 * 10**2 + 1 * 10)    # line 17's H_g y, 4 p d_o, beside m d_i² + m d_o: p = 1000, m = 1


def test_err_31_lower_bound_of_lemma_2():
    mu1 = Q(1, 5)
    B_0, H_bar, used = Q(1), Q(1), []
    for s, y in [(Q(1), Q(5)), (Q(1), Q(25))]:
        assert y * H_bar * y / (s * y) <= 1 / mu1, "not skipped: (2.8)'s ratio holds for the matrix of its own step"
        B = B_0 - B_0 * s * s * B_0 / (s * B_0 * s) + y * y / (s * y)       # p = 1: B_0 and this pair alone
        H_bar = 1 / B
        used.append(H_bar)
    assert used == [Q(1, 5), Q(1, 25)]
    assert used[0] > 1 / (1 + 1 / mu1) > used[1], "the second is below the printed bound"
    assert Q(25) * 1 * 25 / (1 * 25) > 1 / mu1, "with H_0, to which the update is applied, (2.8)'s hypothesis fails"


def test_err_32_lemma_1_needs_bounded_data():
    phi, d = 1, 1                                                    # |tanh| <= 1
    A = outer(bar(exact([10])), bar(exact([10])))                    # the first layer reads x = 10
    assert list(A @ exact([10, 1])) == [101 * 10, 101 * 1]
    assert 1 + phi**2 * d < 101, "an eigenvalue beyond the printed bound"
    with mpmath.workprec(BITS):
        a = mpmath.tanh(10)
        assert a**2 + 1 < 1 + phi**2 * d, "the second layer reads tanh"


def test_err_33_line_17_is_a_tie_after_the_first_damping():
    mu1, mu2, H = Q(1, 5), Q(1, 1000), exact([[2, 0], [0, 1]])
    decisions = set()
    for k in range(1, 40):
        s, y = exact([Q(-1, k), Q(1, 3)]), exact([1, Q(1, 7)])
        s_t, y_t = damping.double_damping(s, y, H, mu1=mu1, mu2=mu2)
        assert (s_t != s).any()
        assert (y_t == y).all(), "the first damping alone acts"
        assert s_t @ y_t == mu1 * (y_t @ (H @ y_t)), "equality, whatever the pair"
        s, y, B = (M.astype(float) for M in (s, y, H))
        s_t, y_t = damping.double_damping(s, y, B, mu1=0.2, mu2=0.001)
        decisions.add(bool(s_t @ y_t >= 0.2 * (y_t @ (B @ y_t))))
    assert decisions == {True, False}, "in floats some are used and some are skipped"


def test_err_34_algorithm_7_never_computes_its_momentum():
    beta, gradient, W = Q(9, 10), exact([1, -2]), exact([3, 4])
    D_h, printed = exact([0, 0]), W
    for _ in range(3):
        printed = printed - D_h                                      # lines 5 and 6 with H_a = H_g = I, α = 1
    assert (printed == W).all()
    D_h = beta * D_h + (1 - beta) * gradient                         # Section 2.5.2, missing between lines 4 and 5
    assert (W - D_h == W - gradient / 10).all()


def of_bits(values):
    """Nested lists of numbers or strings as an object array of mpmath numbers."""
    return np.vectorize(lambda value: mpmath.mpf(str(value)), otypes=[object])(np.array(values, dtype=object))


def gradients_before_batch_norm(params):
    """𝒟h (N, P, C) of a convolution that a BatchNorm follows, in training."""
    model = nets.cnn((1, 2, 2), (nets.Conv2d(2, 1), nets.BatchNorm(), nets.Act("tanh"), nets.Flatten(), nets.Dense(2)), "mse")
    x = of_bits([[[[1, 2], [0, -1]]], [[[3, 1], [1, "0.5"]]]])
    tape = nets.forward(model, params, x)
    return tape.h[0], nets.pre_gradients(model, params, tape, of_bits([[1, 0], [0, 2]]))[0]


def test_err_35_before_batch_normalisation_the_pair_of_G_has_no_curvature():
    with mpmath.workprec(BITS):
        rng = np.random.default_rng(0)
        def numbers(*shape):
            return of_bits(rng.integers(-8, 9, shape) / 4)

        rest = nets.Norm(numbers(2), numbers(2)), nets.Layer(numbers(2, 8), numbers(2))
        (h, g), (h_p, g_p) = (gradients_before_batch_norm((nets.Layer(numbers(2, 1, 1, 1), numbers(2)), *rest)) for _ in range(2))
        assert abs(g).max() > mpmath.mpf("0.01"), "single gradients are not small,"
        assert abs(g.sum(axis=(0, 1))).max() < CLOSE, "but their sum over examples and positions is 0"
        s, y = (h_p - h).mean(axis=(0, 1)), (g_p - g).mean(axis=(0, 1))                  # (3.12) and (3.13)
        assert abs(s).max() > mpmath.mpf("0.01")
        assert abs(y).max() < CLOSE
    lam_G, s, y = Q(1, 3), exact([1, -2]), exact([0, 0])
    s_t, y_t = damping.dp_dlm(s, y, eye(2) / lam_G, mu1=Q(1, 5), mu2=lam_G)
    assert (quasi_newton.bfgs_H(eye(2) / lam_G, s_t, y_t) == eye(2) / lam_G).all(), "H_G stays where it starts,"
    noise = exact(["1e-16", "-3e-16"])
    for sign in (1, -1):
        s_t, y_t = damping.dp_dlm(s, sign * noise, eye(2) / lam_G, mu1=Q(1, 5), mu2=lam_G)
        moved = abs(quasi_newton.bfgs_H(eye(2) / lam_G, s_t, y_t) - eye(2) / lam_G).max()
        assert (moved > Q(1, 10)) == (sign * (s @ noise) < 0), "unless the last bits of y point against s: then it follows them"


def test_err_36_kfac_of_chapter_3_uses_its_inverses_before_they_exist():
    T_2, first_use, made = 20, 1, [k for k in range(1, 41) if k % 20 == 0]               # lines 8 and 17
    assert min(made) > first_use, "line 19 is first reached in step T_2"
    assert sum(k < min(made) for k in range(1, 41)) == T_2 - 1


def test_err_37_factors_are_means_of_products():
    Dh = exact([1, -1])                                                                  # at two positions, one unit
    printed, right = (Dh.sum() / 2) * Dh, (Dh * Dh).sum() / 2                            # the bar over the first factor, over both
    assert right == 1
    assert printed.sum() / 2 == 0, "a product of means says that there is no curvature"


def test_err_38_identities_of_pi_have_the_size_of_the_other_factor():
    Omega, Gamma = np.diag(exact([4, 2, 1, 1])), np.diag(exact([3, 1]))
    right = np.trace(np.kron(Omega, eye(2))) / np.trace(np.kron(eye(4), Gamma))
    assert right == (np.trace(Omega) / 4) / (np.trace(Gamma) / 2) == 1
    assert np.trace(np.kron(Omega, eye(4))) / np.trace(np.kron(eye(2), Gamma)) == 4, "each with its own size: π = 2"
    assert np.trace(Omega) / np.trace(Gamma) == 2, "without sizes: π = √2"


def test_err_39_pi_is_infinite_where_Gamma_vanishes():
    Omega, Gamma = exact([[2, 1], [1, 3]]), exact([[0]])
    with pytest.raises(ZeroDivisionError):
        np.trace(np.kron(Omega, eye(1))) / np.trace(np.kron(eye(2), Gamma))
    assert np.trace(Omega) > 0, "since inputs are homogeneous: no 0/0"
    with mpmath.workprec(BITS):
        assert kfac.balance(of_bits([[2, 1], [1, 3]]), of_bits([[0]])) == 1, "what the code takes (DEV-KFAC-3)"


def test_err_40_pairs_of_section_3_4_2_lack_the_mean_over_positions():
    h, h_p = exact([[[1, 2], [3, 4]]]), exact([[[2, 2], [5, 4]]])                        # (N, P, I) = (1, 2, 2)
    printed = (h_p - h).sum(axis=0) / 1
    assert printed.shape == (2, 2), "a vector for each position: no y in H_G y"
    assert list((h_p - h).sum(axis=(0, 1)) / 2) == [Q(3, 2), 0]                          # (3.12)


def test_err_41_without_both_improvements_it_is_not_k_bfgs_20():
    model = nets.mlp((1, 1), ("linear",), "mse")
    params = (nets.Layer(exact([[2]]), exact([1])),)
    batch = nets.Batch(exact([[1], [3]]), exact([[0], [2]]))
    lam, beta = Q(1, 4), Q(1, 2)
    old, new = kbfgs20.Hyper(lam=lam, beta=beta), kbfgs.Hyper(lam=lam, beta=beta, improvement1=False, improvement2=False)
    first = [method.step(model, params, method.init(model, params, batch, hyper), batch, hyper)[2].p[0]
             for method, hyper in ((kbfgs20, old), (kbfgs, new))]
    factor = 1 / (1 - beta) / Q(1, 2)                                # heavy ball for a moving average, I/λ_G for I, λ_G = √λ = 1/2
    assert (first[1] == factor * first[0]).all()
    assert factor == 4


def test_err_42_theorem_4_divides_by_the_batch_size_twice():
    """f = sin from its minimum on; H = I, L = κ = κ̄ = 1; noise uniform over a whole period after a step: θ_k is uniform, k > 1."""
    K, beta, m = 1024, mpmath.mpf("0.6"), 10**6
    with mpmath.workprec(BITS):
        alpha = [mpmath.mpf(k) ** -beta for k in range(1, K + 1)]
        sigma2 = (mpmath.pi / alpha[-1]) ** 2 / 3                    # the largest variance of the noise ± π/α_k
        left = mpmath.mpf(K - 1) / K / 2                             # E[cos²] = 1/2, and 0 at the minimum
        assert mpmath.quad(lambda t: mpmath.cos(t) ** 2, [0, 2 * mpmath.pi]) / (2 * mpmath.pi) - mpmath.mpf(1) / 2 < CLOSE
        share = (K ** -beta - mpmath.mpf(1) / K) / (1 - beta)
        printed = 2 * (1 - -1) * K ** (beta - 1) + sigma2 / m * share            # M_f <= 1, f_low = −1
        assert left > printed, "g is the mini-batch gradient, whose variance is σ² already (Assumption 6 b)"
        assert left < 2 * (1 - -1) * K ** (beta - 1) + sigma2 * share, "without m the bound holds"


def test_err_43_mean_differences_are_no_pair_of_the_mean_matrix():
    G, s = exact([1, 3]), exact([1, -1])                             # G_tt at two positions, one unit, and changes of h
    s_mean, y_mean = s.sum() / 2, (G * s).sum() / 2
    assert (s_mean, y_mean) == (0, -1)
    assert (G.sum() / 2) * s_mean != y_mean


def test_err_44_batch_normalisation_breaks_the_structure_of_theorem_3():
    model = nets.cnn((1,), (nets.Dense(1), nets.BatchNorm(), nets.Act("tanh")), "mse")
    x, y = of_bits([[1], [2], [4]]), of_bits([["0.3"], ["-0.2"], [0]])

    def first_loss(w):
        params = nets.Layer(w, of_bits([0])), nets.Norm(of_bits([1]), of_bits([0]))
        return (nets.forward(model, params, x).output[0, 0] - y[0, 0]) ** 2 / 2, params

    with mpmath.workprec(BITS):
        w, step = of_bits([["0.7"]]), mpmath.mpf(2) ** -60
        slope = (first_loss(w + step)[0] - first_loss(w - step)[0]) / (2 * step)
        _, params = first_loss(w)
        tape = nets.forward(model, params, x)
        fitted = np.concatenate([y[:1], tape.output[1:]])            # no loss but that of the first example
        Dh = nets.pre_gradients(model, params, tape, fitted)[0][:, 0, 0]
        assert abs(slope - Dh @ x[:, 0]) < mpmath.mpf(2) ** -100, "its loss depends on the h of all examples:"
        assert abs(slope - Dh[0] * x[0, 0]) > mpmath.mpf("0.01"), "a(n) ⊗ 𝒟h(n) of its own is not its gradient"


def test_err_45_relu_makes_diagonal_blocks_alone_gauss_newton():
    w, v, x, y = Q(2), Q(3), Q(1), Q(1)                              # ½ (v relu(w x) − y)², all active
    r = v * w * x - y
    hessian = exact([[(v * x) ** 2, 2 * v * w * x**2 - y * x], [2 * v * w * x**2 - y * x, (w * x) ** 2]])
    gauss_newton = outer(exact([v * x, w * x]), exact([v * x, w * x]))
    assert hessian[0, 0] == gauss_newton[0, 0]
    assert hessian[1, 1] == gauss_newton[1, 1]
    assert (hessian[0, 1], gauss_newton[0, 1]) == (11, 6)
    assert hessian[0, 1] == gauss_newton[0, 1] + r * x, "the second derivative of v·w does not vanish"


VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)   # model D, 32 × 32; 0 is a pool


def test_err_46_a_warm_start_can_cost_more_than_an_epoch():
    J, size, A, epoch = 3, 32, 0, 0
    for I in VGG16:
        if I == 0:
            size //= 2
            continue
        A += size**2 * (9 * J + 1) ** 2                              # Σ_t a_t a_tᵀ of one example
        epoch += 3 * size**2 * I * (9 * J + 1)                       # forward, backward, weights
        J = I
    widths = (784, 1000, 500, 250, 30, 250, 500, 1000, 784)
    dense = [(d_i + 1, d_o) for d_i, d_o in itertools.pairwise(widths)]
    of_dense = Q(sum(d_i**2 for d_i, _ in dense), sum(3 * d_i * d_o for d_i, d_o in dense))
    assert (round(A / epoch, 1), round(float(of_dense), 1)) == (2.7, 0.4), "epochs; for the autoencoder it is as printed"
def test_err_47_the_contraction_of_an_average_is_an_mth():
    """Two examples, each with gradient ±A or ±B with probability 1/2: mean 0, independent."""
    A, B = exact([[1, 2, 0], [0, 1, "1/2"]]), exact([[3, 0, 1], [1, 1, 1]])
    signs = (1, -1)
    for i in (1, 2):
        one = (tensors.contraction(A, i) + tensors.contraction(B, i)) / 2            # E[G⁽ⁱ⁾] over examples and targets
        averages = [(s * A + t * B) / 2 for s in signs for t in signs]
        of_averages = sum(tensors.contraction(G, i) for G in averages) / 4
        assert (of_averages != one).any()
        assert (of_averages == one / 2).all()


def test_err_48_the_moment_identity_needs_mean_zero():
    """G = M ± C_1 E C_2ᵀ over the signs of E's entries: covariance U_1 ⊗ U_2 with U_i = C_i C_iᵀ."""
    M, C_1, C_2 = exact([[1, 0], [2, 1]]), exact([[1, 0], [1, 2]]), exact([[2, 0], [1, 1]])
    U_1, U_2 = C_1 @ C_1.T, C_2 @ C_2.T
    points = [M + C_1 @ exact([[a, b], [c, d]]) @ C_2.T for a, b, c, d in itertools.product((-1, 1), repeat=4)]
    found = sum(tensors.contraction(G, 1) for G in points) / len(points)
    assert (found != U_1 * np.trace(U_2)).any()
    assert (found == U_1 * np.trace(U_2) + tensors.contraction(M, 1)).all()


def test_err_49_inverses_are_used_before_they_are_computed():
    def run(T_2, steps, start):
        """Lines 14 to 18 of Algorithm 15 for one 1 × 1 factor: the directions of the steps."""
        inverse, directions = start, []
        for t in range(1, steps + 1):
            if t % T_2 == 0:
                inverse = Q(1, 3)
            directions.append(2 * inverse)
        return directions

    with pytest.raises(TypeError):
        run(20, 19, None)
    assert run(20, 20, Q(1, 2)) == [1] * 19 + [Q(2, 3)]


def test_err_50_zero_statistics_are_zero_over_zero():
    zero = exact([[0, 0], [0, 0]])
    c_0, d = Q(0), 2                                                  # (tr/d_1d_2)^(1/2)
    with pytest.raises(ZeroDivisionError):
        zero / (c_0 * d)
    assert all((U == 0).all() for U in tensor_normal.identify([zero, zero]).U_t)


def test_err_51_statistics_are_needed_for_all_tensors():
    params = nets.init(nets.mlp((2, 3, 1), ("relu", "linear"), "mse"), 0)
    orders = [tensor.ndim for tensor in nets.tensors(params)]
    L, k = len(orders), max(orders)
    assert (L, k) == (4, 2)
    started = dict.fromkeys(range(1, k + 1), 0)
    with pytest.raises(KeyError):
        [started[l] for l in range(1, L + 1)]


def test_err_52_a_norm_that_is_bounded_below_bounds_no_inverse():
    delta, eps = Q(1, 10**6), Q(1, 2)
    F = exact([[1, 0], [0, delta]])
    assert max(F.ravel()) == 1
    assert max(inverse(F).ravel()) == 10**6
    U_t = exact([[1, 1], [1, 1]])                                     # semidefinite: eigenvalues 2 and 0
    damped = U_t + eps * eye(2)
    F_TNT = tensors.kron(damped, damped)
    v = outer(exact([1, -1]), exact([1, -1])).ravel()
    assert (F_TNT @ v == eps**2 * v).all(), "ε² is an eigenvalue, and no other product of 1/2 and 5/2 is smaller"


def test_err_53_memory_beside_kfac():
    def entries(method, widths):
        model = nets.mlp(widths, ("linear",) * (len(widths) - 1), "mse")
        batch = nets.Batch(*(np.ones((1, d)) for d in (widths[0], widths[-1], widths[-1])))
        state = method.init(model, nets.init(model, 0), batch, method.Hyper())
        kept = (state.A, state.G) if method is kfac20 else (state.G_h,)
        return sum(array.size for array in arrays_in(kept))

    for d_i, d_o in ((3, 1), (2, 5), (7, 3), (6, 4)):
        assert entries(tnt, (d_i, d_o)) == d_i**2 + 2 * d_o**2
        assert entries(kfac20, (d_i, d_o)) == (d_i + 1) ** 2 + d_o**2
        assert (entries(tnt, (d_i, d_o)) > entries(kfac20, (d_i, d_o))) == (d_o**2 > 2 * d_i + 1)
    widths = (784, 1000, 500, 250, 30, 250, 500, 1000, 784)
    assert [d_o for d_i, d_o in itertools.pairwise(widths) if d_o**2 <= 2 * d_i + 1] == []


def arrays_in(tree):
    return [array for branch in tree for array in arrays_in(branch)] if isinstance(tree, tuple) else [tree]


def test_err_54_work_beside_shampoo():
    """Table 4.1 for a tensor (d_1, d_2), with the same constants in both rows."""
    def shared(d, T_2):
        return sum(d) * d[0] * d[1] + Q(sum(x**3 for x in d), T_2)

    for d, m, T_1, T_2 in itertools.product(((2, 3), (100, 10)), (1, 1000), (1, 10), (20, 100)):
        with_pass, without = Q(m * d[0] * d[1], T_1) + shared(d, T_2), shared(d, T_2)
        assert with_pass > without


def test_err_55_momentum_is_missing_from_the_memory():
    for d in (8, 16):
        model = nets.cnn((d, 4, d // 4), (nets.Conv2d(d, (4, d // 4), padding="valid"), nets.Flatten()), "mse")
        batch = nets.Batch(np.ones((1, d, 4, d // 4)), np.ones((1, d)), np.ones((1, d)))
        state = tnt.init(model, nets.init(model, 0), batch, tnt.Hyper())
        assert [M.shape for M in state.G_h[0]] == [(d, d)] * 3
        assert sum(M.size for M in state.G_h[0]) == 3 * d**2
        assert state.grad_h[0].size == d**3
        assert d**3 > 2 * 3 * d**2 or d <= 6
def tiny_net():
    """θ, h, v and J of a relu net 2-2-2 with no activation at the output, by (5.10), exact."""
    W, V, x = exact([[1, "1/2"], [-1, 3]]), exact([[2, -1], ["1/3", 1]]), exact([1, 2])
    h = [W @ x + exact([1, 1]), None]
    v = [x, np.array([max(value, Q(0)) for value in h[0]], dtype=object)]
    h[1] = V @ v[1]
    v.append(h[1])
    slopes = np.array([Q(int(value > 0)) for value in h[0]], dtype=object)
    through = V * slopes                                                        # ∂ŷ/∂h^(1)
    J = np.concatenate([np.kron(x, through), through, np.kron(v[1], eye(2)), eye(2)], axis=1)
    return [(W, exact([1, 1])), (V, exact([0, 0]))], h, v, J


def theta_vector(theta):
    return np.concatenate([np.concatenate([W.T.ravel(), b]) for W, b in theta])


def test_err_56_algorithm_19_multiplies_the_direction_by_the_activation():
    theta, h, v, J = tiny_net()
    theta_1 = [(exact([[1, 2], [3, 4]]), exact([1, 0])), (exact([[0, 1], [1, 0]]), exact([2, 5]))]

    def algorithm_19(printed):
        v_1 = 0 * v[0]
        for l, ((W, _), (W_1, b_1)) in enumerate(zip(theta, theta_1, strict=True)):
            h_1 = W_1 @ (v_1 if printed else v[l]) + W @ v_1 + b_1
            v_1 = h_1 * (h[l] > 0) if l == 0 else h_1
        return v_1

    assert (algorithm_19(False) == J @ theta_vector(theta_1)).all()
    assert (algorithm_19(True) != J @ theta_vector(theta_1)).any()
    right = single.jacobian_product(theta, ("relu", "linear"), h, v, theta_1)
    assert (right == algorithm_19(False)).all()


def test_err_57_directional_derivatives_are_linear_in_the_direction():
    theta, _, v, J = tiny_net()
    theta_2 = [(exact([[1, 2], [3, 4]]), exact([1, 0])), (exact([[1, 1], [1, 0]]), exact([2, 5]))]

    def output_2(scale, printed):
        (W_2, b_2), (V_2, c_2) = [(scale * A, scale * b) for A, b in theta_2]
        v_2 = W_2 @ v[0] + b_2                                                  # both units are active
        return V_2 @ v[1] + (V_2 if printed else theta[1][0]) @ v_2 + c_2

    assert (output_2(1, False) == J @ theta_vector(theta_2)).all()
    assert (output_2(2, False) == 2 * output_2(1, False)).all()
    assert (output_2(2, True) != 2 * output_2(1, True)).any()


def test_err_58_blocks_are_J_times_J_transposed():
    theta, h, v, J = tiny_net()
    through = theta[1][0] * np.array([Q(int(value > 0)) for value in h[0]], dtype=object)
    block = (v[0] @ v[0] + 1) * (through @ through.T) + (v[1] @ v[1] + 1) * eye(2)
    assert (block == J @ J.T).all()
    assert (J.T @ J).shape == (12, 12) != block.shape
    assert (single.block_matrix(theta, ("relu", "linear"), [h], [v]) == block).all()


def test_err_59_cost_of_D_depends_on_the_inputs():
    def counted(widths, N):
        """Multiply-adds of ṽᵀṽ and ĤᵀĤ for every layer, by the definition of the products."""
        m_L = widths[-1]
        return sum(N * N * (m_in + 1) + (N * m_L) ** 2 * m + (N * m_L) ** 2 for m_in, m in itertools.pairwise(widths))

    def printed(widths, N):
        return widths[-1] ** 2 * N * N * sum(widths[1:])

    assert all(counted((m_0, 1), 30) > m_0 * printed((m_0, 1), 30) for m_0 in (10, 784, 10**6))      # no constant will do
    assert all(counted((m_0, 1), 30) <= 3 * (printed((m_0, 1), 30) + 30 * 30 * m_0) for m_0 in (1, 10, 784, 10**6))


def test_err_60_bound_on_lambda_needs_its_start():
    beta = beta_1 = Q(2)                                                        # f = θ² in one dimension: f'' = B = 2
    eps, boost, tau, lam_0 = Q(1, 4), Q(101, 100), Q(1, 1000), Q(1000)
    Lambda = (beta + beta_1) / 2 / eps                                          # ½(β + β₁)/λ ≤ ε from here on
    assert lam_0 > boost * Lambda + tau
    assert lam_0 <= max(lam_0, boost * Lambda + tau)


def test_err_61_ratio_at_a_stationary_point():
    one = np.float64(1)
    with np.errstate(invalid="ignore"):
        rho = (one - one) / (0 * one)                                           # (5.5) with p = 0
    assert not rho < 0.25
    assert not rho > 0.75
    assert not rho >= 0.25
    assert levenberg_marquardt.reduction_ratio(one, one, 0 * one) == 0.5


def test_err_62_tau_is_damping_not_regularization():
    theta, g, B, lam_LM, tau = Q(5), Q(2), Q(3), Q(1), Q(1, 2)
    damped = -g / (B + lam_LM + tau)                                            # R (5.4) with λ = λ_LM + τ
    penalised = -(g + tau * theta) / ((B + tau) + lam_LM)                       # of f + τ/2 θ², whose B has τ
    assert damped != penalised
    foretold = [-slope * p - curvature * p * p / 2
                for slope, curvature, p in ((g, B, damped), (g + tau * theta, B + tau, penalised))]
    assert foretold[0] == (-g * damped + (lam_LM + tau) * damped**2) / 2
    assert foretold[1] == (-(g + tau * theta) * penalised + lam_LM * penalised**2) / 2


def numbers_in(text):
    return {int(n) for n in re.findall(r"\bERR-(\d+)", text)}


def test_every_erratum_is_listed_once_and_has_its_witness():
    text = (ROOT / "ERRATA.md").read_text(encoding="utf-8")
    headings = [int(n) for n in re.findall(r"^### ERR-(\d+)", text, re.M)]
    functions = [node.name for path in sorted(Path(__file__).parent.glob("test_errata*.py"))
                 for node in ast.parse(path.read_text(encoding="utf-8")).body
                 if isinstance(node, ast.FunctionDef) and node.name.startswith("test_err_")]
    witnesses = {int(name.split("_")[2]): name for name in functions}
    assert len(witnesses) == len(functions), "two witnesses carry the same number"
    assert sorted(headings) == list(range(1, len(headings) + 1)), "ERRATA.md: give each erratum one heading and no gaps"
    assert set(headings) == set(witnesses), "ERRATA.md and the witnesses here must list the same numbers"
    for n, name in witnesses.items():
        entry = re.search(rf"^### ERR-{n}\b.*?(?=^#|\Z)", text, re.M | re.S)[0]
        assert f"`{name}`" in entry, f"ERRATA.md: let ERR-{n} name its witness `{name}`"


def mentions():
    """Every (file, numbers) outside ERRATA.md."""
    for path in sorted([*ROOT.glob("*.md"), *(p for room in ("arrays", "nets", "reference", "verify", "proofs_check", "docs",
                                                             "examples", "tests") for p in (ROOT / room).rglob("*"))]):
        if path.suffix in {".py", ".md", ".json"} and path.name != "ERRATA.md" and not path.match("tests/errata/test_errata*.py"):
            yield path.relative_to(ROOT), numbers_in(path.read_text(encoding="utf-8"))


def test_every_erratum_that_is_mentioned_is_listed():
    listed = {int(n) for n in re.findall(r"^### ERR-(\d+)", (ROOT / "ERRATA.md").read_text(encoding="utf-8"), re.M)}
    unknown = {str(path): sorted(numbers - listed) for path, numbers in mentions() if numbers - listed}
    assert not unknown, f"add these to ERRATA.md, each with a witness in tests/errata: {unknown}"
    assert numbers_in("see ERR-3 and ERR-12.") == {3, 12}
