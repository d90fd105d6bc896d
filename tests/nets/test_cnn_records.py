"""Convolutional models: what is refused and in which words, shapes, initial parameters, builders, tensors and back."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from stepgauge import nets
from stepgauge.nets import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, MaxPool, Residual
from stepgauge.reference import METHODS

ERROR = 1e-9                                    # of any statistical test here, over seeds
END = (Flatten(), Dense(2))


def refused(sentence, records, shape=(2, 5, 4), loss="mse", error=ValueError):
    with pytest.raises(error, match=rf"^{sentence}$"):
        nets.cnn(shape, records, loss)


BAD = {
    "a string": (("relu",), r"layers\[0\]: expected a layer record because a network is made of them, got 'relu'"),
    "a class": ((Conv2d(2, 3), Flatten, Dense(2)), r"layers\[1\]: expected a layer record because .*"),
    "no channels": ((Conv2d(0, 3), *END), r"layers\[0\]\.channels: expected a positive integer because .*, got 0"),
    "half a channel": ((Conv2d(1.5, 3), *END), r"layers\[0\]\.channels: expected a positive integer because .*, got 1\.5"),
    "True channels": ((Conv2d(True, 3), *END), r"layers\[0\]\.channels: expected a positive integer because .*, got True"),
    "even": ((Conv2d(2, 4), *END), r"layers\[0\]\.kernel: expected odd sizes because padding 'same' puts a middle .*, got 4"),
    "even down": ((Conv2d(2, (2, 3)), *END), r"layers\[0\]\.kernel: expected odd sizes because .*, got \(2, 3\)"),
    "no kernel": ((Conv2d(2, 0), *END), r"layers\[0\]\.kernel: expected a positive integer or two because .*, got 0"),
    "three sizes": ((Conv2d(2, (1, 1, 1)), *END), r"layers\[0\]\.kernel: expected a positive integer or two because .*"),
    "float kernel": ((Conv2d(2, 3.0), *END), r"layers\[0\]\.kernel: expected a positive integer or two because .*, got 3\.0"),
    "too tall": ((Conv2d(2, (6, 1), padding="valid"), *END),
                 r"layers\[0\]\.kernel: expected one that fits into the image because .* no data, got \(6, 1\) on 5 × 4"),
    "too wide": ((Conv2d(2, 5, padding="valid"), *END), r"layers\[0\]\.kernel: expected one that fits .*, got 5 on 5 × 4"),
    "only padding": ((Conv2d(2, (1, 9)), *END), r"layers\[0\]\.kernel: expected one that fits .*, got \(1, 9\) on 5 × 4"),
    "later too wide": ((Conv2d(2, 3, 2), MaxPool(2), Conv2d(2, 3, padding="valid"), *END),
                       r"layers\[2\]\.kernel: expected one that fits .*, got 3 on 1 × 1"),
    "no stride": ((Conv2d(2, 3, 0), *END), r"layers\[0\]\.stride: expected a positive integer or two because .*, got 0"),
    "stride None": ((Conv2d(2, 3, None), *END), r"layers\[0\]\.stride: expected a positive integer or two because .*, got None"),
    "padding": ((Conv2d(2, 3, padding="full"), *END), r"layers\[0\]\.padding: expected 'same' or 'valid' because .*, got 'full'"),
    "pool too large": ((MaxPool(5), *END), r"layers\[0\]\.size: expected one that fits .*, got 5 on 5 × 4"),
    "pool of none": ((AvgPool(0), *END), r"layers\[0\]\.size: expected a positive integer or two because .*, got 0"),
    "pool stride": ((AvgPool(2, (1, 0)), *END), r"layers\[0\]\.stride: expected a positive integer or two because .*\(1, 0\)"),
    "conv after Flatten": ((Flatten(), Conv2d(2, 3), *END), r"layers\[1\]: expected images \(C, H, W\) because .*shape \(40,\)"),
    "pool after Flatten": ((Flatten(), AvgPool(2), *END), r"layers\[1\]: expected images \(C, H, W\) because .*shape \(40,\)"),
    "Flatten twice": ((Flatten(), Flatten(), Dense(2)), r"layers\[1\]: expected images \(C, H, W\) because .*shape \(40,\)"),
    "no Flatten": ((Conv2d(3, 3), Dense(2)), r"layers\[1\]: expected a vector because .*Flatten missing before it\?\), got images "
                                             r"of shape \(3, 5, 4\)"),
    "ends in images": ((Conv2d(3, 3),), r"layers: expected a last layer that gives a vector because .*, got images of .*"),
    "nothing": ((), r"layers: expected at least one with parameters because there is something to train, got \(\)"),
    "nothing to train": ((AvgPool(2), Flatten()), r"layers: expected at least one with parameters because .*"),
    "no width": ((Flatten(), Dense(0)), r"layers\[1\]\.width: expected a positive integer because .*, got 0"),
    "unknown activation": ((Conv2d(2, 3), Act("gelu"), *END), r"layers\[1\]\.name: expected one of linear, relu, .*, got 'gelu'"),
    "a list of activations": ((Conv2d(2, 3), Act(["relu"]), *END), r"layers\[1\]\.name: expected one of .*, got \['relu'\]"),
    "eps 0": ((BatchNorm(0), *END), r"layers\[0\]\.eps: expected a positive number because a channel may be constant, got 0"),
    "eps nan": ((BatchNorm(float("nan")), *END), r"layers\[0\]\.eps: expected a positive number because .*, got nan"),
    "eps text": ((BatchNorm("1e-5"), *END), r"layers\[0\]\.eps: expected a positive number because .*, got '1e-5'"),
    "empty branch": ((Residual(()), *END), r"layers\[0\]: expected two tuples, the first not empty because it adds .*"),
    "a list": ((Residual([Conv2d(2, 3)]), *END), r"layers\[0\]: expected two tuples, the first not empty because it adds .*"),
    "channels of branches": ((Residual((Conv2d(3, 3),)), *END), r"layers\[0\]: expected a shortcut that gives the shape "
                                                                r"\(3, 5, 4\) of the layers because .*, got \(2, 5, 4\)"),
    "sizes of branches": ((Residual((Conv2d(2, 3, 2),), (Conv2d(2, 1),)), *END), r"layers\[0\]: expected a shortcut .*\(2, 5, 4\)"),
    "inside": ((Residual((Act("relu"), Conv2d(2, 2))), *END), r"layers\[0\]\.layers\[1\]\.kernel: expected odd sizes because .*"),
    "in the shortcut": ((Residual((Act("relu"),), (Dense(2),)), *END), r"layers\[0\]\.shortcut\[0\]: expected a vector because .*"),
}


@pytest.mark.parametrize(("records", "sentence"), BAD.values(), ids=BAD)
def test_what_is_no_network_is_refused(records, sentence):
    refused(sentence, records, error=TypeError if "a layer record" in sentence else ValueError)


@pytest.mark.parametrize("shape", [(), (2, 5), (2, 5, 0), (2, 5, 4.0), (-1,), (1, 2, 5, 4)])
def test_input_shapes(shape):
    refused(r"input_shape: expected \(C, H, W\) or \(d,\), positive integers because inputs are images or vectors, got \(.*\)",
            (Conv2d(2, 3), *END), shape)


@pytest.mark.parametrize(("shape", "layers", "sentence"), [
    (4, END, r"input_shape: expected \(C, H, W\) or \(d,\), positive integers because inputs are images or vectors, got 4"),
    (None, END, r"input_shape: expected \(C, H, W\) or \(d,\), positive integers because .*, got None"),
    ((2, 5, 4), None, r"layers: expected layer records because a network is made of them, got None"),
    ((2, 5, 4), 7, r"layers: expected layer records because a network is made of them, got 7"),
])
def test_what_is_no_sequence_is_refused(shape, layers, sentence):
    refused(sentence, layers, shape, error=TypeError)


@pytest.mark.parametrize(("build", "channels", "shape", "error", "sentence"), [
    (build, *row) for build in (nets.small_vgg, nets.small_resnet) for row in [
        (3, (1, 8, 8), TypeError, r"channels: expected at least one positive integer because every block has its .*, got 3"),
        ((), (1, 8, 8), ValueError, r"channels: expected at least one positive integer because .*, got \(\)"),
        ((2, 0), (1, 8, 8), ValueError, r"channels: expected at least one positive integer because .*, got \(2, 0\)"),
        ((2,), 4, TypeError, r"input_shape: expected \(C, H, W\) or \(d,\), positive integers because .*, got 4"),
        ((2,), (8, 8), ValueError, r"input_shape: expected \(C, H, W\) or \(d,\), positive integers because .*, got \(8, 8\)"),
    ]])
def test_builders_of_nothing(build, channels, shape, error, sentence):
    with pytest.raises(error, match=rf"^{sentence}$"):
        build(shape, 3, channels)


BENT = {
    "before a Flatten": (Conv2d(2, (5, 4), padding="valid"), Act("relu"), Flatten()),
    "before a mean": (Conv2d(2, 3), Act("relu"), AvgPool((5, 4)), Flatten()),
    "before a pool": (Conv2d(2, 3), Act("relu"), MaxPool((5, 4)), Flatten()),
    "in the layers": (*END, Residual((Dense(2), Act("relu")))),
    "in the shortcut": (*END, Residual((Dense(2),), (Act("relu"),))),
    "in both": (*END, Residual((Dense(2), Act("relu")), (Dense(2), Act("relu")))),
    "deeper": (*END, Residual((Dense(3), Residual((Act("relu"),)), Act("linear")), (Dense(3),)), Act("linear")),
    "before branches of nothing": (*END, Act("relu"), Residual((Act("linear"),))),
}
STRAIGHT = {
    "Flatten": (Conv2d(2, (5, 4), padding="valid"), Flatten()),
    "a mean": (Conv2d(2, 3), AvgPool((5, 4)), Flatten()),
    "the largest": (Conv2d(2, 3), MaxPool((5, 4)), Flatten()),
    "relu before both branches": (*END, Act("relu"), Residual((Dense(2),))),
    "relu inside a branch": (*END, Residual((Dense(3), Act("relu"), Dense(2)))),
    "BatchNorm behind relu": (*END, Act("relu"), BatchNorm()),
}


@pytest.mark.parametrize("loss", ["bce", "softmax_ce"])
@pytest.mark.parametrize("records", BENT.values(), ids=BENT)
def test_no_activation_stands_between_the_last_parameters_and_the_logits(records, loss):
    refused(rf"layers: expected a last activation 'linear' because {loss} is taken on logits, got Act\(name='relu'\)", records,
            loss=loss)
    nets.cnn((2, 5, 4), records, "mse")


@pytest.mark.parametrize("records", STRAIGHT.values(), ids=STRAIGHT)
def test_what_else_may_stand_before_the_logits(records):
    assert nets.cnn((2, 5, 4), records, "softmax_ce").layers == records


def test_losses_on_logits():
    refused(r"layers: expected a last activation 'linear' because bce is taken on logits, got Act\(name='tanh'\)",
            (*END, Act("tanh")), loss="bce")
    refused(r"loss: expected one of mse, bce, softmax_ce because .*, got 'mae'", END, loss="mae")
    refused(r"loss: expected one of mse, bce, softmax_ce because .*, got \['mse'\]", END, loss=["mse"])
    for last in ((), (Act("linear"),), (BatchNorm(),)):
        nets.cnn((2, 5, 4), (*END, *last), "softmax_ce")
    nets.cnn((2, 5, 4), (*END, Act("tanh")), "mse")


@pytest.mark.parametrize(("record", "after"), [
    (Conv2d(3, 3), (3, 5, 4)), (Conv2d(3, 1), (3, 5, 4)), (Conv2d(3, (9, 7)), (3, 5, 4)), (Conv2d(1, 3, 2), (1, 3, 2)),
    (Conv2d(1, 3, (1, 3)), (1, 5, 2)), (Conv2d(1, 3, 9), (1, 1, 1)), (Conv2d(7, (5, 4), padding="valid"), (7, 1, 1)),
    (Conv2d(1, 2, padding="valid"), (1, 4, 3)), (Conv2d(1, 2, 2, "valid"), (1, 2, 2)), (MaxPool(2), (2, 2, 2)),
    (MaxPool(2, 1), (2, 4, 3)), (AvgPool((5, 1)), (2, 1, 4)), (AvgPool(3, (1, 2)), (2, 3, 1)), (Act("relu"), (2, 5, 4)),
    (BatchNorm(), (2, 5, 4)), (Flatten(), (40,)), (Residual((Conv2d(2, 3),)), (2, 5, 4)),
    (Residual((Flatten(), Dense(4)), (Conv2d(1, (5, 1), padding="valid"), Flatten())), (4,)),
], ids=str)
def test_shapes(record, after):
    assert nets.records.shapes((record,), (2, 5, 4))[0] == after


def test_models_are_values():
    records = [Conv2d(3, 3), Residual((Conv2d(3, 1), BatchNorm())), *END]
    model = nets.cnn([2, 5, 4], records, "mse")
    assert model == nets.cnn((2, 5, 4), tuple(records), "mse")
    assert hash(model) == hash(nets.cnn((2, 5, 4), iter(records), "mse"))
    assert nets.cnn((3,), (Dense(4), Act("relu"), Dense(2), Act("linear")), "mse") == nets.mlp((3, 4, 2), ("relu", "linear"), "mse")
    assert BatchNorm().eps == Fraction(1, 100000)


DEEP = nets.cnn((2, 6, 6), (
    Conv2d(30, (3, 1)), BatchNorm(), MaxPool(2), Act("relu"),                              # √2, through BatchNorm and pool
    Conv2d(20, 3),                                                                         # 1: a convolution follows
    Conv2d(30, 3),                                                                         # 1: a shortcut's tanh
    Residual((Act("tanh"), Conv2d(40, 3), Act("elu"), Conv2d(30, 3), BatchNorm()),         # √2; √2: what follows is a relu
             (Conv2d(30, 1),)),                                                            # √2
    Act("relu"), AvgPool(3), Flatten(), Dense(50), Act("logistic"), Dense(60)), "mse")     # 1; 1
SHAPES = [(30, 2, 3, 1), (30,), (20, 30, 3, 3), (30, 20, 3, 3), (40, 30, 3, 3), (30, 40, 3, 3), (30,), (30, 30, 1, 1), (50, 30),
          (60, 50)]
SQUARED_GAINS = [2, None, 1, 1, 2, 2, None, 2, 1, 1]


def test_shapes_of_weights_in_the_order_of_execution():
    assert nets.layer_shapes(DEEP) == SHAPES
    params = nets.init(DEEP, 0)
    assert [type(layer) for layer in params] == [nets.Norm if len(shape) == 1 else nets.Layer for shape in SHAPES]
    assert [layer[0].shape for layer in params] == SHAPES
    assert [layer[1].tolist() for layer in params] == [[0] * shape[0] for shape in SHAPES]
    assert {tensor.dtype for tensor in nets.tensors(params)} == {np.dtype(np.float64)}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_are_normal_with_variance_gain_squared_over_fan_in(seed):
    for layer, squared in zip(nets.init(DEEP, seed), SQUARED_GAINS, strict=True):
        if squared is None:
            assert layer.gamma.tolist() == [1] * layer.gamma.size
            continue
        z = layer.W.ravel() * np.sqrt(layer.W[0].size / squared)
        squares = (z**2).sum()
        assert min(stats.chi2.cdf(squares, z.size), stats.chi2.sf(squares, z.size)) >= ERROR / 100
        assert stats.kstest(z, "norm").pvalue >= ERROR / 50


def test_tensors_and_layers_are_inverse_to_each_other():
    params = nets.init(DEEP, 3)
    flat = nets.tensors(params)
    again = nets.layers(flat, params)
    assert [type(layer) for layer in again] == [type(layer) for layer in params]
    assert [id(tensor) for tensor in nets.tensors(again)] == [id(tensor) for tensor in flat]
    with pytest.raises(ValueError, match=r"zip\(\)"):
        nets.layers(flat[:-2], params)


def test_wrong_parameters():
    params, x = nets.init(DEEP, 0), np.ones((2, 2, 6, 6))
    first, norm = params[:2]
    for bad, sentence in [
            (params[:-1], r"params: expected 10 layers because the model has as many, got 9"),
            ((norm, *params[1:]), r"params\[0\]: expected a Layer because .*, got Norm"),
            ((first, first, *params[2:]), r"params\[1\]: expected a Norm because .*, got Layer"),
            ((first._replace(W=first.W[:, 0]), *params[1:]), r"params\[0\]\.W: expected shape \(30, 2, 3, 1\) .*\(30, 3, 1\)"),
            ((first._replace(W=first.W[:, ::-1, 0]), *params[1:]), r"params\[0\]\.W: expected shape .*, got \(30, 2, 1\)"),
            ((first._replace(b=first.b[1:]), *params[1:]), r"params\[0\]\.b: expected shape \(30,\) because .*, got \(29,\)"),
            ((first, norm._replace(gamma=norm.gamma[1:]), *params[2:]), r"params\[1\]\.gamma: expected shape \(30,\) because .*"),
            ((first, norm._replace(beta=norm.beta[1:]), *params[2:]), r"params\[1\]\.beta: expected shape \(30,\) because .*")]:
        with pytest.raises(ValueError, match=rf"^{sentence}$"):
            nets.forward(DEEP, bad, x)


@pytest.mark.parametrize(("x", "sentence"), [
    (np.ones((2, 3, 6, 6)), r"x: expected shape \('N', 2, 6, 6\) because .*, got \(2, 3, 6, 6\)"),
    (np.ones((2, 6, 6, 2)), r"x: expected shape \('N', 2, 6, 6\) because .*, got \(2, 6, 6, 2\)"),
    (np.ones((2, 6, 6)), r"x: expected shape \('N', 2, 6, 6\) because .*, got \(2, 6, 6\)"),
    (np.ones((3, 72)), r"x: expected shape \('N', 2, 6, 6\) because .*, got \(3, 72\)"),
    (np.ones((0, 2, 6, 6)), r"x: expected at least one example because .*, got an empty batch"),
    (np.full((1, 2, 6, 6), np.nan), r"x: expected finite numbers because .*, got nan or inf"),
    (np.full((1, 2, 6, 6), -np.inf), r"x: expected finite numbers because .*, got nan or inf"),
], ids=["channels", "channel last", "no batch", "flat", "empty", "nan", "inf"])
def test_wrong_images(x, sentence):
    with pytest.raises(ValueError, match=rf"^{sentence}$"):
        nets.forward(DEEP, nets.init(DEEP, 0), x)


def test_mixed_arithmetics():
    with pytest.raises(TypeError, match=r"^arrays: .* got numpy float32 and numpy float64$"):
        nets.forward(DEEP, nets.init(DEEP, 0), np.ones((2, 2, 6, 6), dtype=np.float32))


@pytest.mark.parametrize(("model", "count"), [
    (nets.lenet5(), 61706), (nets.lenet5((3, 32, 32), 7), 6 * 76 + 16 * 151 + (16 * 36 + 1) * 120 + 121 * 84 + 85 * 7),
    (nets.small_vgg((1, 8, 8), 10), 8 * 10 + 8 * 73 + 16 * 73 + 16 * 145 + 4 * 8 + 4 * 16 + 65 * 10),
    (nets.small_vgg((3, 7, 5), 4, (2,), "bce"), 2 * 28 + 2 * 19 + 2 * 4 + 4 * 13),
    (nets.small_resnet((1, 8, 8), 10), 8 * 10 + 2 * 8 * 73 + 16 * 73 + 16 * 145 + 16 * 9 + 6 * 8 + 6 * 16 + 170),
    (nets.small_resnet((3, 5, 6), 2, (2, 3, 4)), 56 + 76 + 57 + 84 + 9 + 112 + 148 + 16 + 12 + 18 + 24 + 10),
], ids=["lenet5", "lenet5 wide", "vgg", "vgg small", "resnet", "resnet deep"])
def test_builders(model, count):
    """LeNet-5's 61,706 parameters are those in print for 28 × 28 images; the others are counted by hand."""
    params = nets.init(model, 0)
    assert sum(tensor.size for tensor in nets.tensors(params)) == count
    x = np.random.default_rng(1).standard_normal((2, *model.input_shape))
    assert nets.forward(model, params, x).output.shape == (2, params[-1].b.size)


CHAPTER_2 = ["kbfgs20", "kbfgs20_l", "kbfgs20_l_skip", "kfac20"]
SMALL = nets.cnn((1, 3, 3), (Conv2d(2, 3), BatchNorm(), Act("relu"), *END), "softmax_ce")


def batch(N=5):
    rng = np.random.default_rng(4)
    return nets.Batch(rng.standard_normal((N, 1, 3, 3)), rng.integers(0, 2, N), rng.integers(0, 2, N))


@pytest.mark.parametrize("method", CHAPTER_2)
def test_methods_of_chapter_2_want_a_perceptron(method):
    name = method.removesuffix("_l") if method == "kbfgs20_l" else method
    vectors = nets.cnn((9,), (Dense(2), BatchNorm(), Act("relu"), Dense(2)), "softmax_ce")
    for model, x in [(SMALL, batch().x), (vectors, batch().x.reshape(5, 9))]:
        with pytest.raises(ValueError, match=rf"^model: expected a multilayer perceptron because {name} is a method for .*"):
            METHODS[method].init(model, nets.init(model, 0), batch()._replace(x=x), METHODS[method].Hyper())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", ["sgd_m", "adam", "rmsprop"])
def test_first_order_methods_train_any_net(method, dtype):
    model = nets.small_resnet((1, 6, 6), 3)
    rng = np.random.default_rng(6)
    y = rng.integers(0, 3, 24)
    x = (rng.standard_normal((24, 1, 6, 6)) + y[:, None, None, None]).astype(dtype)
    params = tuple(type(layer)(*(tensor.astype(dtype) for tensor in layer)) for layer in nets.init(model, 0))
    data = nets.Batch(x, y)
    hyper = METHODS[method].Hyper(alpha=0.2 if method == "sgd_m" else 0.02)
    state, now = METHODS[method].init(model, params, data, hyper), params
    losses = []
    for _ in range(20):
        tape = nets.forward(model, now, x)
        losses.append(nets.backward(model, now, tape, y).loss)
        now, state, trace = METHODS[method].step(model, now, state, data, hyper, tape=tape)
    assert losses[-1] < losses[0] / 2
    assert [type(layer) for layer in now] == [type(layer) for layer in params]
    assert {tensor.dtype for tensor in (*nets.tensors(now), *trace.theta)} == {np.dtype(dtype)}
