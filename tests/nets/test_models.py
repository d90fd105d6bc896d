"""What a network is: mlp, init, Batch, and the order of tensors."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy import stats
from stepgauge import nets

ERROR = 1e-9                                    # of any statistical test here, over seeds


def test_mlp_records_layers_in_order():
    model = nets.mlp([5, 4, 3], ["tanh", "linear"], "softmax_ce")
    assert model.input_shape == (5,)
    assert model.layers == (nets.Dense(4), nets.Act("tanh"), nets.Dense(3), nets.Act("linear"))
    assert model.loss == "softmax_ce"
    assert nets.layer_shapes(model) == [(4, 5), (3, 4)]
    assert nets.mlp((w for w in (5, 4, 3)), ("tanh", "linear"), "softmax_ce") == model
    assert hash(model) == hash(nets.mlp((5, 4, 3), ("tanh", "linear"), "softmax_ce"))


@pytest.mark.parametrize("name", ["linear", "relu", "logistic", "tanh", "elu"])
def test_mse_takes_any_last_activation(name):
    assert nets.mlp((2, 3), (name,), "mse").layers[-1] == nets.Act(name)


def test_the_names_of_activations_and_losses():
    assert set(nets.ACTIVATIONS) == {"linear", "relu", "logistic", "tanh", "elu"}
    assert set(nets.LOSSES) == {"mse", "bce", "softmax_ce"}


@pytest.mark.parametrize(("widths", "activations", "loss", "sentence"), [
    ((3,), (), "mse", r"widths: expected at least two positive integers because .*, got \(3,\)"),
    ((), (), "mse", r"widths: expected at least two positive integers because .*, got \(\)"),
    ((3, 0), ("relu",), "mse", r"widths: expected at least two positive integers because .*, got \(3, 0\)"),
    ((-1, 2), ("relu",), "mse", r"widths: expected at least two positive integers because .*, got \(-1, 2\)"),
    ((3, 2.0), ("relu",), "mse", r"widths: expected at least two positive integers because .*, got \(3, 2\.0\)"),
    ((3, 2), (), "mse", r"activations: expected 1 names because every layer has one activation, got \(\)"),
    ((3, 2), ("relu", "relu"), "mse", r"activations: expected 1 names because every layer has one .*, got \('relu', 'relu'\)"),
    ((3, 2), ("sigmoid",), "mse", r"activations: expected names out of linear, relu, logistic, tanh, elu because .*\)"),
    ((3, 2, 1), ("gelu", "linear"), "mse", r"activations: expected names out of .*, got \('gelu', 'linear'\)"),
    ((3, 2), ("relu",), "mae", r"loss: expected one of mse, bce, softmax_ce because .*, got 'mae'"),
    ((True, 2), ("relu",), "mse", r"widths: expected at least two positive integers because .*, got \(True, 2\)"),
    ((3, 2), (["relu"],), "mse", r"activations: expected names out of .*, got \(\['relu'\],\)"),
    ((3, 2), ("relu",), ["mse"], r"loss: expected one of mse, bce, softmax_ce because .*, got \['mse'\]"),
    ((3, 2), ("relu",), None, r"loss: expected one of mse, bce, softmax_ce because .*, got None"),
    ((3, 2), ("logistic",), "bce", r"activations: expected a last activation 'linear' because bce .*, got 'logistic'"),
    ((3, 4, 2), ("linear", "relu"), "softmax_ce", r"activations: expected a last activation 'linear' because softm.*'relu'"),
], ids=str)
def test_what_is_no_network_is_refused(widths, activations, loss, sentence):
    with pytest.raises(ValueError, match=rf"^{sentence}$"):
        nets.mlp(widths, activations, loss)


@pytest.mark.parametrize(("widths", "activations", "sentence"), [
    (3, ("relu",), r"widths: expected positive integers because every layer has one, got 3"),
    (None, ("relu",), r"widths: expected positive integers because every layer has one, got None"),
    ((3, 2), None, r"activations: expected names because every layer has one, got None"),
])
def test_what_is_no_sequence_is_refused(widths, activations, sentence):
    with pytest.raises(TypeError, match=rf"^{sentence}$"):
        nets.mlp(widths, activations, "mse")


def test_a_batch_has_four_fields():
    batch = nets.Batch("x", "y")
    assert batch == ("x", "y", None, None)
    assert nets.Batch._fields == ("x", "y", "y_sampled", "curvature")


# init

NAMES = ("relu", "tanh", "elu", "logistic", "linear")
GAINS = {"linear": 1, "relu": 2, "logistic": 1, "tanh": 1, "elu": 2}
BIG = nets.mlp((150, 140, 130, 120, 110, 100), NAMES, "mse")


def test_init_has_the_shapes_and_dtype_of_the_model():
    params = nets.init(BIG, 0)
    assert type(params) is tuple
    assert [type(layer) for layer in params] == [nets.Layer] * 5
    assert [layer.W.shape for layer in params] == nets.layer_shapes(BIG) == [(b, a) for a, b in
                                                                           pairwise((150, 140, 130, 120, 110, 100))]
    assert all(layer.b.tolist() == [0] * layer.W.shape[0] for layer in params)
    assert {tensor.dtype for tensor in nets.tensors(params)} == {np.dtype(np.float64)}


def test_init_depends_on_the_seed_alone():
    def weights(seed):
        return [layer.W.tobytes() for layer in nets.init(BIG, seed)]

    first = weights(1)
    np.random.default_rng(1).random(10)
    assert weights(1) == first
    assert not set(first) & set(weights(2))


@pytest.mark.parametrize("seed", [-1, None, "a", 1.5, True, (1, 2), np.float64(1)])
def test_seeds_are_integers_from_0_on(seed):
    error = ValueError if seed == -1 else TypeError
    with pytest.raises(error, match=r"^seed: expected an integer >= 0 because the same parameters are drawn from it .*, got .*$"):
        nets.init(BIG, seed)


def test_seeds_of_numpy_are_those_of_python():
    assert [layer.W.tobytes() for layer in nets.init(BIG, np.uint32(7))] == [layer.W.tobytes() for layer in nets.init(BIG, 7)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_are_normal_with_variance_gain_squared_over_fan_in(seed):
    """√(d_in) W / gain is standard normal: χ² of the sum of squares, Kolmogorov and Smirnov of the distribution."""
    for layer, name in zip(nets.init(BIG, seed), NAMES, strict=True):
        z = (layer.W * np.sqrt(layer.W.shape[1] / GAINS[name])).ravel()
        squares = (z**2).sum()
        assert min(stats.chi2.cdf(squares, z.size), stats.chi2.sf(squares, z.size)) >= ERROR / 60
        assert stats.kstest(z, "norm").pvalue >= ERROR / 30


def test_layers_are_drawn_independently():
    """Equal shapes, yet correlations below 6.7 standard errors (ERROR / 10 of a normal variable)."""
    model = nets.mlp((60,) * 5, ("tanh",) * 4, "mse")
    for one, other in combinations(nets.init(model, 3), 2):
        correlation = np.corrcoef(one.W.ravel(), other.W.ravel())[0, 1]
        assert abs(correlation) <= 6.7 / 60


# tensors and layers

def test_tensors_and_layers_are_inverse_to_each_other():
    params = nets.init(nets.mlp((4, 3, 2), ("relu", "linear"), "mse"), 7)
    flat = nets.tensors(params)
    assert [id(tensor) for tensor in flat] == [id(tensor) for layer in params for tensor in (layer.W, layer.b)]
    again = nets.layers(flat)
    assert type(again) is tuple
    assert [type(layer) for layer in again] == [nets.Layer, nets.Layer]
    assert [(id(layer.W), id(layer.b)) for layer in again] == [(id(layer.W), id(layer.b)) for layer in params]
    assert [id(tensor) for tensor in nets.tensors(again)] == [id(tensor) for tensor in flat]
    assert nets.layers(()) == nets.tensors(()) == ()


def test_layers_need_pairs():
    with pytest.raises(ValueError, match=r"zip\(\)"):
        nets.layers((1, 2, 3))
