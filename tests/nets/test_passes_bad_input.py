"""Bad input to the passes: one sentence `name: expected X because Y, got Z` each, and nothing computed or changed."""

from fractions import Fraction

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast

N, WIDTHS = 4, (3, 5, 2)


def network(loss="mse"):
    model = nets.mlp(WIDTHS, ("tanh", "linear"), loss)
    return model, nets.init(model, 0), np.random.default_rng(1).standard_normal((N, 3))


def refused(error, sentence, model, params, x):
    with pytest.raises(error, match=rf"^{sentence}$"):
        nets.forward(model, params, x)


# forward

@pytest.mark.parametrize(("x", "got"), [
    (np.ones(3), r"\(3,\)"), (np.ones((N, 2)), r"\(4, 2\)"), (np.ones((N, 4)), r"\(4, 4\)"),
    (np.ones((N, 3, 1)), r"\(4, 3, 1\)"), (np.ones((3, N)), r"\(3, 4\)"), (np.ones(()), r"\(\)")],
    ids=["vector", "narrow", "wide", "3-d", "transposed", "0-d"])
def test_wrong_shapes_of_x(x, got):
    model, params, _ = network()
    refused(ValueError, rf"x: expected shape \('N', 3\) because the model's inputs .*, got {got}", model, params, x)


def test_an_empty_batch():
    model, params, _ = network()
    refused(ValueError, "x: expected at least one example because a mean over none is undefined, got an empty batch",
            model, params, np.ones((0, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["float32", "float64", "mpf"])
def test_nan_and_inf_in_x(bad, kind):
    model, params, x = network()
    x[2, 1] = bad
    refused(ValueError, "x: expected finite numbers because nan and inf spread to every parameter, got nan or inf",
            model, *cast((params, x), kind))


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex128", "float16"])
def test_other_numbers_in_x(dtype):
    model, params, _ = network()
    x = np.ones((N, 3), dtype=dtype)
    refused(TypeError, rf"arrays: expected float32 or float64 because .*, got {dtype}", model, params, x)


def test_no_array_as_x():
    model, params, x = network()
    refused(TypeError, r"arrays: expected arrays because .*, got list", model, params, x.tolist())


def test_mixed_arithmetics():
    model, params, x = network()
    single = x.astype(np.float32)
    refused(TypeError, r"arrays: .* got numpy float32 and numpy float64", model, params, single)
    refused(TypeError, r"arrays: .* got exact Fraction and numpy float64", model, params, cast(x, "fraction"))
    refused(TypeError, r"arrays: .* got numpy float64 and mpmath mpf", model, cast(params, "mpf"), x)
    mixed = (params[0], nets.Layer(params[1].W, params[1].b.astype(np.float32)))
    refused(TypeError, r"arrays: .* got numpy float64 and numpy float32", model, mixed, x)
    integers = (nets.Layer(np.ones((5, 3), dtype=int), params[0].b), params[1])
    refused(TypeError, r"arrays: expected float32 or float64 because .*, got int64", model, integers, x)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_layers(count):
    model, params, x = network()
    refused(ValueError, rf"params: expected 2 layers because the model has as many, got {count}",
            model, (params * 2)[:count], x)


def test_wrong_shapes_of_parameters():
    model, (first, second), x = network()
    for W, got in [(second.W.T, r"\(5, 2\)"), (second.W[0], r"\(5,\)"), (second.W[:, :4], r"\(2, 4\)")]:
        refused(ValueError, rf"params\[1\]\.W: expected shape \(2, 5\) because W maps d_in inputs to d_out outputs, got {got}",
                model, (first, nets.Layer(W, second.b)), x)
    for b, got in [(first.b[:, None], r"\(5, 1\)"), (first.b[:4], r"\(4,\)")]:
        refused(ValueError, rf"params\[0\]\.b: expected shape \(5,\) because b has one entry an output, got {got}",
                model, (nets.Layer(first.W, b), second), x)



LINES = "the model's record there has these tensors"


@pytest.mark.parametrize(("spoil", "error", "sentence"), [
    (lambda P: None, TypeError, r"params: expected a tuple of Layers and Norms because the model has layers, got NoneType"),
    (lambda P: np.ones((2, 5)), TypeError, r"params: expected a tuple of Layers and Norms because .*, got ndarray"),
    (lambda P: tuple(map(tuple, P)), ValueError, rf"params\[0\]: expected a Layer because {LINES}, got tuple"),
    (lambda P: (P[0], None), ValueError, rf"params\[1\]: expected a Layer because {LINES}, got NoneType"),
    (lambda P: (nets.Layer(P[0].W, 1.0), P[1]), TypeError, r"params\[0\]\.b: expected an array because b has .*, got float"),
    (lambda P: (P[0], nets.Layer(P[1].W.tolist(), P[1].b)), TypeError, r"params\[1\]\.W: expected an array because .*, got list"),
], ids=["None", "array", "tuples", "a layer None", "b a number", "W a list"])
def test_what_are_no_parameters(spoil, error, sentence):
    model, params, x = network()
    refused(error, sentence, model, spoil(params), x)


@pytest.mark.parametrize(("x", "got"), [(1.0, "float"), (3, "int")])
def test_no_array_of_any_kind_as_x(x, got):
    model, params, _ = network()
    refused(TypeError, f"x: expected an array because the model's inputs have that shape, got {got}", model, params, x)


# backward

THROUGH = "because the way back goes through the layers of this model"
AVERAGED, LARGEST = (nets.cnn((1, 2, 2), (nets.Conv2d(2, 1), *pair, nets.Flatten(), nets.Dense(2)), "mse")
                     for pair in ((nets.AvgPool(2), nets.MaxPool(1)), (nets.MaxPool(1), nets.AvgPool(2))))
IMAGES = nets.cnn((1, 3, 1), (nets.Flatten(), nets.Dense(5), nets.Act("tanh"), nets.Dense(2)), "mse")
JOINED = nets.cnn((3,), (nets.Residual((nets.Dense(5), nets.Act("tanh")), (nets.Dense(5),)), nets.Dense(2)), "mse")
JOINED_TWICE = nets.cnn((3,), (nets.Residual((nets.Dense(5),), (nets.Dense(5),)), nets.Dense(2)), "mse")


def taped(model):
    params = nets.init(model, 0)
    return model, params, nets.forward(model, params, np.random.default_rng(1).standard_normal((N, *model.input_shape)))


NARROW, DEEP, WIDE_OUT = (taped(nets.mlp(widths, ("tanh",) * (len(widths) - 2) + ("linear",), "mse"))
                          for widths in ((3, 4, 2), (3, 5, 5, 2), (3, 5, 3)))
OWN = taped(network()[0])
TAPES = {
    "None": (*OWN[:2], None, TypeError, rf"tape: expected a Tape {THROUGH}, got NoneType"),
    "a tuple": (*OWN[:2], tuple(OWN[2]), TypeError, rf"tape: expected a Tape {THROUGH}, got tuple"),
    "other widths": (*OWN[:2], NARROW[2], ValueError, rf"tape\.a: expected the shapes \[\(4, 1, 4\), \(4, 1, 6\)\] {THROUGH}, "
                                                      r"got \[\(4, 1, 4\), \(4, 1, 5\)\]"),
    "a layer more": (*OWN[:2], DEEP[2], ValueError, rf"tape\.a: expected the shapes .* {THROUGH}, got .*"),
    "other outputs": (*OWN[:2], WIDE_OUT[2], ValueError, rf"tape\.output: expected the shapes \[\(4, 2\)\] {THROUGH}, got .*"),
    "other records": (*OWN[:2], taped(IMAGES)[2], ValueError, rf"tape\.kept: expected an entry for every record {THROUGH}, got .*"),
    "other records inside": (*taped(JOINED)[:2], taped(JOINED_TWICE)[2], ValueError, rf"tape\.kept: expected .* {THROUGH}, got .*"),
    "pools exchanged": (*taped(AVERAGED)[:2], taped(LARGEST)[2], ValueError, rf"tape\.kept: expected .* {THROUGH}, got .*"),
    "no h": (*OWN[:2], OWN[2]._replace(h=None), TypeError, rf"tape\.h: expected the shapes .* {THROUGH}, got None"),
    "h of others": (*OWN[:2], OWN[2]._replace(h=OWN[2].h[::-1]), ValueError, rf"tape\.h: expected the shapes .* {THROUGH}, got .*"),
    "a of numbers": (*OWN[:2], OWN[2]._replace(a=(1.0, 2.0)), TypeError, rf"tape\.a: expected an array {THROUGH}, got float"),
    "kept None": (*OWN[:2], OWN[2]._replace(kept=None), ValueError, rf"tape\.kept: expected an entry .* {THROUGH}, got .*"),
    "other parameters": (OWN[0], NARROW[1], OWN[2], ValueError, r"params\[0\]\.W: expected shape \(5, 3\) because .*\(4, 3\)"),
    "no parameters": (OWN[0], None, OWN[2], TypeError, r"params: expected a tuple of Layers and Norms because .*, got NoneType"),
}


@pytest.mark.parametrize(("model", "params", "tape", "error", "sentence"), TAPES.values(), ids=TAPES)
def test_tapes_and_parameters_of_other_models(model, params, tape, error, sentence):
    for run in (lambda: nets.backward(model, params, tape, np.ones((N, 2))),
                lambda: nets.pre_gradients(model, params, tape, np.ones((N, 2))),
                lambda: nets.jacobian.jacobian(model, params, tape),
                lambda: nets.jacobian.jacobian_product(model, params, tape, params)):
        with pytest.raises(error, match=rf"^{sentence}$"):
            run()


@pytest.mark.parametrize("model", [IMAGES, JOINED, JOINED_TWICE, AVERAGED, LARGEST, OWN[0]])
def test_tapes_of_the_model_are_taken(model):
    model, params, tape = taped(model)
    assert np.isfinite(nets.backward(model, params, tape, np.ones((N, 2))).loss)
    assert nets.jacobian.jacobian_product(model, params, tape, params).shape == (N, 2)


ROW = np.array([[0.25, 0.75]] * N)
BAD_TARGETS = {
    "mse: one output too many": ("mse", np.ones((N, 3)), ValueError, r"y: expected shape \(4, 2\) because .*, got \(4, 3\)"),
    "mse: vector": ("mse", np.ones(N), ValueError, r"y: expected shape \(4, 2\) because every output .*, got \(4,\)"),
    "mse: an example too few": ("mse", np.ones((N - 1, 2)), ValueError, r"y: expected shape \(4, 2\) because .*, got \(3, 2\)"),
    "mse: one row": ("mse", np.ones((1, 2)), ValueError, r"y: expected shape \(4, 2\) because .*, got \(1, 2\)"),
    "mse: nan": ("mse", np.full((N, 2), np.nan), ValueError, "y: expected finite numbers because .*, got nan or inf"),
    "mse: inf": ("mse", np.full((N, 2), -np.inf), ValueError, "y: expected finite numbers because .*, got nan or inf"),
    "mse: labels": ("mse", np.zeros(N, int), TypeError, "y: expected real numbers in the arithmetic .*, got integers"),
    "mse: integers": ("mse", np.zeros((N, 2), int), TypeError, "y: expected real numbers .*, got integers"),
    "mse: bool": ("mse", np.zeros((N, 2), bool), TypeError, "arrays: expected float32 or float64 because .*, got bool"),
    "mse: complex": ("mse", np.zeros((N, 2), complex), TypeError, "arrays: expected float32 or float64 .*, got complex128"),
    "mse: float16": ("mse", np.zeros((N, 2), np.float16), TypeError, "arrays: expected float32 or float64 .*, got float16"),
    "mse: float32": ("mse", np.zeros((N, 2), np.float32), TypeError, "arrays: .* got numpy float64 and numpy float32"),
    "mse: fractions": ("mse", cast(ROW, "fraction"), TypeError, "arrays: .* got numpy float64 and exact Fraction"),
    "mse: list": ("mse", ROW.tolist(), TypeError, "arrays: expected arrays because .*, got list"),
    "mse: None": ("mse", None, TypeError, "arrays: expected arrays because .*, got NoneType"),
    "bce: labels": ("bce", np.zeros(N, int), TypeError, "y: expected real numbers .* because bce is no loss on labels, .*"),
    "bce: above 1": ("bce", ROW + 0.5, ValueError, r"y: expected probabilities in \[0, 1\] because bce is a likelihood, .*"),
    "bce: below 0": ("bce", ROW - 0.5, ValueError, r"y: expected probabilities in \[0, 1\] because bce is a likelihood, .*"),
    "bce: nan": ("bce", ROW * np.nan, ValueError, "y: expected finite numbers because .*, got nan or inf"),
    "bce: shape": ("bce", ROW[:, :1], ValueError, r"y: expected shape \(4, 2\) because .*, got \(4, 1\)"),
    "softmax_ce: label m": ("softmax_ce", np.array([0, 1, 2, 0]), ValueError,
                            "y: expected labels from 0 to 1 because the network has 2 outputs, got labels from 0 to 2"),
    "softmax_ce: label -1": ("softmax_ce", np.array([0, 1, -1, 0]), ValueError,
                             "y: expected labels from 0 to 1 because the network has 2 outputs, got labels from -1 to 1"),
    "softmax_ce: labels too few": ("softmax_ce", np.zeros(N - 1, int), ValueError,
                                   r"y: expected 4 labels because every example has one, got shape \(3,\)"),
    "softmax_ce: a column of labels": ("softmax_ce", np.zeros((N, 1), int), ValueError,
                                       r"y: expected 4 labels because every example has one, got shape \(4, 1\)"),
    "softmax_ce: integer rows": ("softmax_ce", np.eye(2, dtype=int)[[0, 1, 0, 1]], ValueError,
                                 r"y: expected 4 labels because every example has one, got shape \(4, 2\)"),
    "softmax_ce: float labels": ("softmax_ce", np.zeros(N), ValueError, r"y: expected shape \(4, 2\) because .*, got \(4,\)"),
    "softmax_ce: sums": ("softmax_ce", ROW * (1 - 2.0**-10), ValueError,
                         "y: expected rows that sum to one because they are distributions, got a row with another sum"),
    "softmax_ce: one sum": ("softmax_ce", ROW - np.array([[0], [0], [0.125], [0]]), ValueError, "y: expected rows that sum .*"),
    "softmax_ce: negative": ("softmax_ce", np.array([[-0.25, 1.25]] * N), ValueError,
                             r"y: expected probabilities in \[0, 1\] because softmax_ce is a likelihood, got a value outside"),
    "softmax_ce: inf": ("softmax_ce", ROW + np.inf, ValueError, "y: expected finite numbers because .*, got nan or inf"),
    "softmax_ce: float32": ("softmax_ce", ROW.astype(np.float32), TypeError, "arrays: .* got numpy float64 and numpy float32"),
}


@pytest.mark.parametrize(("loss", "y", "error", "sentence"), BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_bad_targets(loss, y, error, sentence):
    model, params, x = network(loss)
    tape = nets.forward(model, params, x)
    before = [tensor.tobytes() for tensor in (*nets.tensors(params), *tape.a, *tape.h, tape.output)]
    for run in (nets.backward, nets.pre_gradients):
        with pytest.raises(error, match=rf"^{sentence}$"):
            run(model, params, tape, y)
    assert [tensor.tobytes() for tensor in (*nets.tensors(params), *tape.a, *tape.h, tape.output)] == before


def test_probabilities_at_the_ends_are_fine():
    for loss, y in [("bce", np.array([[0.0, 1.0]] * N)), ("softmax_ce", np.array([[1.0, 0.0]] * N))]:
        model, params, x = network(loss)
        assert np.isfinite(nets.backward(model, params, nets.forward(model, params, x), y).loss)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_that_another_softmax_has_rounded_are_fine(dtype):
    model, params, x = network("softmax_ce")
    rows = np.random.default_rng(2).dirichlet([1, 1], N).astype(np.float32)        # sums within a few float32 units
    params, x = cast((params, x), dtype)
    nets.backward(model, params, nets.forward(model, params, x), rows.astype(dtype))


def test_exact_rows_must_sum_to_one_exactly():
    model = nets.mlp((3, 2), ("linear",), "softmax_ce")
    rows = cast(np.array([[0.25, 0.75]]), "fraction")
    output = cast(np.array([[1.0, 2.0]]), "fraction")
    assert nets.losses.targets(model.loss, output, rows) is rows
    with pytest.raises(ValueError, match=r"^y: expected rows that sum to one"):
        nets.losses.targets(model.loss, output, rows + Fraction(1, 10**40) * np.array([[1, 0]]))
