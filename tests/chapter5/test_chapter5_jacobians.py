"""R Algorithms 19 to 22 against the explicit Jacobian, exactly over the rationals."""

from fractions import Fraction as F

import numpy as np
import pytest
import slow
from problems import exact_jacobian, examples, lists, problem, rationals, twin_of, vector
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.nets import jacobian as jac
from stepgauge.nets import single

MLPS = {
    "two layers": nets.mlp((3, 4, 2), ("relu", "linear"), "mse"),
    "relu at the output": nets.mlp((2, 3, 3, 3), ("relu", "relu", "relu"), "mse"),
    "one layer": nets.mlp((2, 3), ("linear",), "mse"),
    "narrow": nets.mlp((1, 1, 1), ("linear", "linear"), "mse"),
}
CNNS = {
    "average pooling": nets.cnn((2, 4, 3), (nets.Conv2d(3, (3, 1)), nets.Act("relu"), nets.AvgPool((2, 1)), nets.Conv2d(2, 1),
                                            nets.Act("relu"), nets.Flatten(), nets.Dense(3)), "mse"),
    "strides and overlapping maxima": nets.cnn((1, 7, 6), (nets.Conv2d(3, (3, 2), stride=2, padding="valid"), nets.Act("relu"),
                                                           nets.MaxPool(2, stride=1), nets.Flatten(), nets.Dense(2)), "mse"),
    "residual": nets.cnn((2, 3, 3), (
        nets.Act("relu"), nets.Residual((nets.Conv2d(3, 3), nets.Act("relu"), nets.Conv2d(2, 1))), nets.Act("relu"),
        nets.Residual((nets.Act("relu"), nets.MaxPool(2, 1)), (nets.AvgPool(2, 1),)), nets.Flatten(), nets.Dense(2)), "mse"),
    "residual before all weights": nets.cnn((1, 2, 2), (
        nets.Residual((nets.Act("relu"),), ()), nets.Residual((nets.Conv2d(2, 1),), (nets.Conv2d(2, 1),)), nets.Flatten(),
        nets.Dense(2)), "mse"),
}
ALL = MLPS | CNNS


def direction(params, seed):
    rng = np.random.default_rng(seed)
    return tuple(nets.Layer(rationals(rng, *layer.W.shape), rationals(rng, *layer.b.shape)) for layer in params)


@pytest.mark.parametrize("name", MLPS)
def test_printed_algorithms_against_the_explicit_jacobian(name):
    """5.4.3 by its own recursion; the printed algorithms give the same products, and Algorithm 22 its blocks, sample by sample."""
    model = MLPS[name]
    params, batch = problem(model, 3, 1, "fraction")
    net, theta = twin_of(model, params, "fraction")
    activations = tuple(net.activations)
    rng = np.random.default_rng(2)
    J = [np.array(slow.jacobian(net, theta, x), dtype=object) for x, _ in examples(model, batch)]
    assert (np.array(J) == exact_jacobian(model, params, batch.x)).all()
    passes = [single.forward(params, activations, x) for x in batch.x]
    theta_1 = direction(params, 3)
    for J_i, (h, v) in zip(J, passes, strict=True):
        x = rationals(rng, len(J_i))
        assert (single.jacobian_product(params, activations, h, v, theta_1) == J_i @ vector(theta_1)).all()
        h_h = single.partial_transposed_product(params, activations, h, x)
        assert (vector(single.packed(h_h, v)) == J_i.T @ x).all()
        assert (vector(single.transposed_product(params, activations, h, v, x)) == J_i.T @ x).all()
        assert [list(part) for part in h_h] == [list(layer.b) for layer in single.packed(h_h, v)]
        assert x @ single.jacobian_product(params, activations, h, v, theta_1) == (J_i.T @ x) @ vector(theta_1)
    h, v = zip(*passes, strict=True)
    stacked = np.concatenate(J)
    assert (single.block_matrix(params, activations, h, v) == stacked @ stacked.T).all()


@pytest.mark.parametrize("name", ALL)
def test_batched_products_against_the_explicit_jacobian(name):
    model = ALL[name]
    params, batch = problem(model, 3, 4, "fraction")
    J = exact_jacobian(model, params, batch.x)
    N, m, _ = J.shape
    assert (J != 0).any()
    tape, rng = nets.forward(model, params, batch.x), np.random.default_rng(5)
    theta_1, V = direction(params, 6), rationals(rng, N, m)
    Jtheta_1 = jac.jacobian_product(model, params, tape, theta_1)
    assert (Jtheta_1 == J @ vector(theta_1)).all()
    JV = vector(jac.transposed_product(model, params, tape, V))
    assert (np.einsum("njk,nj->k", J, V) == JV).all()
    assert (V * Jtheta_1).sum() == JV @ vector(theta_1)
    assert [layer.W.shape for layer in jac.transposed_product(model, params, tape, V)] == [layer.W.shape for layer in params]


@pytest.mark.parametrize("C", [None, 1, 2])
@pytest.mark.parametrize("name", ALL)
def test_factored_rows_against_the_explicit_jacobian(name, C):
    """Rows x_ncᵀ J_n, C of them an example: entries, JJᵀ, products both ways, in the order example by example."""
    model = ALL[name]
    params, batch = problem(model, 3, 7, "fraction")
    J = exact_jacobian(model, params, batch.x)
    N, m, n = J.shape
    rng = np.random.default_rng(8)
    x = None if C is None else rationals(rng, N, C, m)
    tape = nets.forward(model, params, batch.x)
    found = jac.jacobian(model, params, tape, x)
    rows = (J if C is None else np.einsum("ncj,njk->nck", x, J)).reshape(-1, n)
    assert (jac.entries(found) == rows).all()
    assert (sum(jac.grams(found)) == rows @ rows.T).all()
    ends = np.cumsum([layer.W.size + layer.b.size for layer in params])
    for part, end, layer in zip(jac.grams(found), ends, params, strict=True):
        block = rows[:, end - layer.W.size - layer.b.size:end]
        assert (part == block @ block.T).all()
    X = tuple(np.concatenate([W.reshape(len(b), -1), b[:, None]], 1) for W, b in direction(params, 9))
    assert (sum(jac.products(found, X)) == rows @ vector(X)).all()
    d = rationals(rng, len(rows))
    assert (vector(jac.transposed_products(found, [d] * len(params))) == d @ rows).all()
    squares = vector([jac.squared_rows(*parts) for parts in zip(*found, strict=True)])
    assert (squares == (rows**2).sum(0)).all()


@pytest.mark.parametrize("name", ["two layers", "average pooling", "residual"])
def test_a_tape_restricted_to_examples_is_theirs(name):
    model = ALL[name]
    params, batch = problem(model, 4, 10, "fraction")
    rows = np.array([3, 0, 3])
    part = jac.restricted(nets.forward(model, params, batch.x), rows)
    whole = nets.forward(model, params, batch.x[rows])
    assert lists(part.output) == lists(whole.output)
    assert lists(jac.entries(jac.jacobian(model, params, part))) == lists(jac.entries(jac.jacobian(model, params, whole)))


@pytest.mark.parametrize("loss", ["bce", "softmax_ce"])
def test_smooth_activations_against_the_slow_jacobian(loss):
    """φ′ of "logistic" and "tanh" in floats of 60 digits."""
    import mpmath

    model = nets.mlp((3, 4, 3, 2), ("logistic", "tanh", "linear"), loss)
    with mpmath.workdps(60):
        params, batch = problem(model, 2, 11, "mpf")
        net, theta = twin_of(model, params, "mpf")
        J = np.array([slow.jacobian(net, theta, list(x)) for x in batch.x], dtype=object)
        found = jac.entries(jac.jacobian(model, params, nets.forward(model, params, batch.x)))
        assert abs(found - J.reshape(found.shape)).max() < mpmath.mpf(10) ** -50


def test_bad_input_is_refused():
    model = MLPS["two layers"]
    params, batch = problem(model, 3, 12, "fraction")
    tape = nets.forward(model, params, batch.x)
    for rows in (np.array([3]), np.array([-1]), np.array([], dtype=int), np.array([0.0, 1.0]), np.array([[0]])):
        with pytest.raises(ValueError, match=r"^curvature: expected "):
            jac.restricted(tape, rows)
    with pytest.raises(ValueError, match=r"^x: expected shape \(3, C, 2\) because "):
        jac.jacobian(model, params, tape, rationals(np.random.default_rng(0), 3, 2, 3))
    with pytest.raises(ValueError, match=r"^V: expected shape \(3, 2\) because "):
        jac.transposed_product(model, params, tape, rationals(np.random.default_rng(0), 2))
    with pytest.raises(ValueError, match=r"^params\[0\].W: expected shape \(4, 3\) because "):
        jac.jacobian_product(model, params, tape, (nets.Layer(params[0].W.T, params[0].b), params[1]))
    J = jac.jacobian(model, params, tape)
    for X, sentence in ((params[:1], r"X: expected 2 arrays because .* got 1"), ((), r"X: expected 2 arrays because .* got 0"),
                        ([layer.W for layer in params], r"X\[0\]: expected shape \(4, 4\) because .* got \(4, 3\)")):
        with pytest.raises(ValueError, match=rf"^{sentence}"):
            jac.products(J, X)
    d = rationals(np.random.default_rng(0), 6)
    for given, sentence in (([d], r"d: expected 2 arrays because .* got 1"), ([d] * 3, r"d: expected 2 arrays because .* got 3"),
                            ([d, d[:3]], r"d\[1\]: expected shape \(6,\) because .* got \(3,\)")):
        with pytest.raises(ValueError, match=rf"^{sentence}"):
            jac.transposed_products(J, given)
    for function in (jac.products, jac.transposed_products):
        for given in (None, d, 1):
            with pytest.raises(TypeError, match=r"^[Xd]: expected a tuple or list of arrays because "):
                function(J, given)
        with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic"):
            function(J, [np.ones(6)] * 2)
    normalised = nets.cnn((2, 3, 3), (nets.Conv2d(2, 3), nets.BatchNorm(), nets.Flatten(), nets.Dense(2)), "mse")
    theta, x = nets.init(normalised, 0), np.ones((2, 2, 3, 3))
    tape = nets.forward(normalised, theta, x)
    for function, arguments in ((jac.jacobian, ()), (jac.jacobian_product, (theta,)), (jac.transposed_product, (np.ones((2, 2)),))):
        with pytest.raises(ValueError, match=r"^model: expected no BatchNorm because "):
            function(normalised, theta, tape, *arguments)


def test_other_arithmetics_and_numbers_that_are_not_finite_are_refused():
    model = MLPS["two layers"]
    params, batch = cast(problem(model, 3, 12, "fraction"), "float64")
    tape = nets.forward(model, params, batch.x)
    V = np.ones((3, 2))
    for kind in ("float32", "fraction", "mpf"):
        for call in (lambda other: jac.jacobian_product(model, params, tape, other((params, V))[0]),
                     lambda other: jac.jacobian_product(model, other((params, V))[0], tape, params),
                     lambda other: jac.jacobian(model, params, tape, other((params, V[:, None]))[1]),
                     lambda other: jac.jacobian(model, other((params, V))[0], tape),
                     lambda other: jac.transposed_product(model, params, tape, other((params, V))[1])):
            with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic"):
                call(lambda tree, kind=kind: cast(tree, kind))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"^x: expected finite numbers because "):
            jac.jacobian(model, params, tape, bad * V[:, None])
        with pytest.raises(ValueError, match=r"^V: expected finite numbers because "):
            jac.transposed_product(model, params, tape, bad * V)
    with pytest.raises(ValueError, match=r"^V: expected shape \(3, 2\) because .* got \(3, 3\)"):
        jac.transposed_product(model, params, tape, np.ones((3, 3)))


def test_inputs_are_not_written_to():
    model = CNNS["strides and overlapping maxima"]
    params, batch = nets.init(model, 0), nets.Batch(np.random.default_rng(1).standard_normal((3, 1, 7, 6)), np.ones((3, 2)))
    tape = nets.forward(model, params, batch.x)
    for array in (batch.x, *nets.tensors(params), *tape.a, *tape.h, tape.output):
        array.setflags(write=False)
    found = jac.jacobian(model, params, tape)
    jac.grams(found), jac.entries(found), jac.jacobian_product(model, params, tape, params)
    jac.transposed_product(model, params, tape, np.ones((3, 2)))


def test_differences_see_a_wrong_jacobian():
    model = MLPS["two layers"]
    params, batch = problem(model, 2, 13, "fraction")
    J = exact_jacobian(model, params, batch.x)
    other = exact_jacobian(model, (nets.Layer(params[0].W + F(1, 7), params[0].b), params[1]), batch.x)
    assert (other != J).any()
