"""Gauss-Newton and Fisher matrices: the definitions of R 1.2.2 and 5.2.2, by enumeration, by sampling, and as products."""

import mpmath
import numpy as np
import pytest
import slow
from problems import examples, problem, rationals, twin_of, vector
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference.parts import curvature as cv

DIGITS = mpmath.mpf(10) ** -45
LOSSES = ("mse", "bce", "softmax_ce")


def close(found, expected):
    return abs(found - np.array(expected, dtype=object)).max() <= DIGITS


def net_with(loss, kind="mpf", seed=0, N=3):
    model = nets.mlp((2, 3, 3), ("relu" if kind == "fmpq" else "tanh", "linear"), loss)
    return model, *problem(model, N, seed, kind)


@pytest.mark.parametrize("loss", LOSSES)
def test_matrices_are_the_definitions(loss):
    with mpmath.workdps(60):
        model, params, batch = net_with(loss)
        net, theta = twin_of(model, params, "mpf")
        assert close(cv.ggn(model, params, batch.x), slow.curvature(net, theta, examples(model, batch), "gauss_newton"))
        for matrix, y, sampled in ((cv.empirical_fisher, batch.y, False), (cv.sampled_fisher, batch.y_sampled, True)):
            expected = slow.curvature(net, theta, examples(model, batch, None, sampled), "fisher")
            assert close(matrix(model, params, batch.x, y), expected)


@pytest.mark.parametrize("loss", ["bce", "softmax_ce"])
def test_fisher_by_enumeration_is_gauss_newton(loss):
    with mpmath.workdps(60):
        model, params, batch = net_with(loss, seed=1)
        assert close(cv.fisher(model, params, batch.x), cv.ggn(model, params, batch.x))
        assert not close(cv.empirical_fisher(model, params, batch.x, batch.y), cv.ggn(model, params, batch.x))


def test_fisher_of_mse_is_gauss_newton_exactly():
    model, params, batch = net_with("mse", "fmpq", seed=2)
    assert (cv.fisher(model, params, batch.x) == cv.ggn(model, params, batch.x)).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_factor_is_one_of_the_hessian(loss):
    """CCᵀ = H_l, which is what second differences of the loss in ŷ give; saturated outputs included."""
    with mpmath.workdps(80):
        model = nets.mlp((2, 3), ("linear",), loss)
        output = cast(np.array([[0.3, -1.2, 2.0], [30.0, -40.0, 1.0]]), "mpf")
        C, H = nets.output_factor(model, output), nets.output_hessian(model, output)
        assert abs(C @ C.transpose(0, 2, 1) - H).max() < DIGITS
        y, t = np.array([[mpmath.mpf(v) for v in row] for row in ((0, 1, 0), (1, 0, 0))], dtype=object), mpmath.mpf(10) ** -25
        for n in range(2):
            for i in range(3):
                ends = [nets.output_gradient(model, output + sign * t * (np.arange(3) == i), y)[n] for sign in (1, -1)]
                assert abs((ends[0] - ends[1]) / (2 * t) - H[n, i]).max() < mpmath.mpf(10) ** -40
        assert loss != "softmax_ce" or abs(H.sum(axis=-1)).max() < DIGITS


def gradients_around(model, params, batch, kind):
    """The slow twin's gradient at θ + t e_i, as a function of i and t."""
    net, theta = twin_of(model, params, kind)

    def at(i, t):
        step = [t if j == i else 0 * t for j in range(len(vector(params)))]
        return np.array(slow.gradient(net, slow.moved(theta, step), examples(model, batch)), dtype=object)
    return at


def central(at, i, t):
    return (at(i, t) - at(i, -t)) / (2 * t)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("widths", [(2, 3), (2, 3, 3)])
def test_the_hessian_is_the_derivative_of_the_gradient(loss, widths):
    """Central differences in 80 digits; of one linear layer it is Gauss-Newton, since the second term of (1.4) is 0 there."""
    with mpmath.workdps(80):
        model = nets.mlp(widths, ("tanh",) * (len(widths) - 2) + ("linear",), loss)
        params, batch = problem(model, 3, 3, "mpf")
        H, t = cv.hessian(model, params, batch.x, batch.y), mpmath.mpf(10) ** -25
        at = gradients_around(model, params, batch, "mpf")
        assert abs(np.array([central(at, i, t) for i in range(len(H))]) - H).max() < mpmath.mpf(10) ** -40
        assert close(H, cv.ggn(model, params, batch.x)) == (len(widths) == 2)


def test_the_hessian_of_a_polynomial_net_exactly():
    """Two linear layers with "mse": the gradient is a cubic polynomial, on which the four-point difference makes no error."""
    model = nets.mlp((2, 3, 2), ("linear", "linear"), "mse")
    params, batch = problem(model, 3, 4, "fmpq")
    H, one = cv.hessian(model, params, batch.x, batch.y), batch.x[0, 0] / batch.x[0, 0]
    at = gradients_around(model, params, batch, "fmpq")
    assert (np.array([(4 * central(at, i, one) - central(at, i, 2 * one)) / 3 for i in range(len(H))]) == H).all()
    assert (H == H.T).all()


@pytest.mark.parametrize("loss", ["mse", "bce", "softmax_ce"])
def test_sampled_fisher_converges_at_the_rate_of_monte_carlo(loss):
    """Over K draws the mean of a fixed quadratic form is within z/√K of the exact one, and its spread what the loss says.

    vᵀFv of one draw is s = (1/N) Σ (∇f_nᵀv)². The mean of K is normal within the Berry-Esseen bound; z = 6 is passed with
    probability 2e-9. For "mse" ∇f_nᵀv is normal with variance vᵀJ_nᵀJ_nv =: q_n, so s has mean Σq_n/N, which needs y drawn with
    variance 1, the variance of the loss ½‖y − ŷ‖², and variance 2Σq_n²/N².
    """
    rng = np.random.default_rng(4)
    model = nets.mlp((2, 3, 2), ("tanh", "linear"), loss)
    params, x = nets.init(model, 5), rng.standard_normal((4, 2))
    v = rng.standard_normal(sum(layer.W.size + layer.b.size for layer in params))
    exact = v @ cv.fisher(model, params, x) @ v
    output, K = nets.forward(model, params, x).output, 600
    draws = [v @ cv.sampled_fisher(model, params, x, nets.sample_targets(model, output, rng)) @ v for _ in range(K)]
    assert abs(np.mean(draws) - exact) <= 6 * np.std(draws) / K**0.5
    if loss == "mse":
        q = [v @ cv.ggn(model, params, x[n:n + 1]) @ v for n in range(4)]
        variance = 2 * sum(value**2 for value in q) / 16
        assert abs(np.var(draws) - variance) <= 6 * np.std((np.array(draws) - np.mean(draws)) ** 2) / K**0.5
        assert abs(np.mean(draws) / 4 - exact) > 6 * np.std(draws) / 4 / K**0.5          # y drawn with variance 1/4 would be seen


@pytest.mark.parametrize("loss", LOSSES)
def test_products_are_those_of_the_matrices(loss):
    with mpmath.workdps(60):
        model, params, batch = net_with(loss, seed=6)
        rng = np.random.default_rng(7)
        X = cast(tuple(rationals(rng, len(layer.b), layer.W.shape[1] + 1) for layer in params), "mpf")
        theta_1 = tuple(nets.Layer(W[:, :-1], W[:, -1]) for W in X)
        tape = nets.forward(model, params, batch.x)
        G = cv.ggn(model, params, batch.x)
        assert close(vector(cv.ggn_product(model, params, tape, theta_1)), G @ vector(X))
        for kind, B in (("gauss_newton", G), ("empirical_fisher", cv.empirical_fisher(model, params, batch.x, batch.y)),
                        ("sampled_fisher", cv.sampled_fisher(model, params, batch.x, batch.y_sampled))):
            S_2 = cv.examples(model, params, tape, batch)
            J = cv.rows(model, params, S_2, kind)
            assert close(vector(cv.fisher_product(J, X)), B @ vector(X))
            if kind == "empirical_fisher":
                assert close(vector(cv.squared_gradients(model, params, S_2)), 3 * B.diagonal())


def test_a_mean_of_squares_is_not_the_square_of_a_mean():
    """Two examples with opposite gradients: g = 0, F ≠ 0; and rank 2 where (mean g)² has rank 1."""
    model = nets.mlp((1, 1), ("linear",), "mse")
    params = cast((nets.Layer(np.array([[0.0]]), np.array([0.0])),), "fmpq")
    x, y = cast((np.array([[1.0], [1.0]]), np.array([[2.0], [-2.0]])), "fmpq")
    assert not any(vector([nets.backward(model, params, nets.forward(model, params, x), y).grad[0]]))
    assert (cv.empirical_fisher(model, params, x, y) == 4).all()


def test_a_kind_that_there_is_not():
    model, params, batch = net_with("mse", "fmpq", seed=8)
    S_2 = cv.examples(model, params, nets.forward(model, params, batch.x), batch)
    with pytest.raises(ValueError, match=r"^B: expected one of gauss_newton, empirical_fisher, sampled_fisher because "):
        cv.directions(model, S_2, "fisher")
