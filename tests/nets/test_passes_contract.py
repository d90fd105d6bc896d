"""What every pass promises whatever the numbers are: shapes, dtypes, means, and that nothing handed in is written to."""

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast

FLOATS = ("float32", "float64")
KINDS = (*FLOATS, "fraction", "fmpq", "mpf")
LOSSES = ("mse", "bce", "softmax_ce")
HIDDEN = ("linear", "relu", "logistic", "tanh", "elu")
N, WIDTHS = 6, (3, 5, 4, 2)


def setting(hidden, loss, kind):
    """Model, parameters, inputs and targets of the given arithmetic."""
    rng = np.random.default_rng(41)
    model = nets.mlp(WIDTHS, (hidden, hidden, "linear"), loss)
    params = tuple(nets.Layer(layer.W, rng.standard_normal(layer.b.shape)) for layer in nets.init(model, 42))
    y = {"mse": rng.standard_normal((N, 2)), "bce": rng.integers(0, 3, (N, 2)) / 2,
         "softmax_ce": rng.integers(0, 2, N)}[loss]
    return model, *cast((params, rng.standard_normal((N, 3)), y), kind)


def rational(hidden, loss):
    return hidden in ("linear", "relu") and loss == "mse"


EVERYTHING = [(hidden, loss, kind) for hidden in HIDDEN for loss in LOSSES for kind in KINDS
              if kind not in ("fraction", "fmpq") or rational(hidden, loss)]
everything = pytest.mark.parametrize(("hidden", "loss", "kind"), EVERYTHING)


def all_arrays(tree):
    if isinstance(tree, tuple | list):
        return [array for branch in tree for array in all_arrays(branch)]
    return [tree]


@everything
def test_shapes_and_arithmetic(hidden, loss, kind):
    model, params, x, y = setting(hidden, loss, kind)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    assert type(tape) is nets.Tape
    assert type(back) is nets.Back
    assert [a.shape for a in tape.a] == [(N, 1, 4), (N, 1, 6), (N, 1, 5)]
    assert [h.shape for h in tape.h] == [g.shape for g in back.g] == [(N, 1, 5), (N, 1, 4), (N, 1, 2)]
    assert tape.output.shape == (N, 2)
    assert np.shape(back.loss) == ()
    assert [type(layer) for layer in back.grad] == [nets.Layer] * 3
    assert [(layer.W.shape, layer.b.shape) for layer in back.grad] == [(layer.W.shape, layer.b.shape) for layer in params]
    H = nets.output_hessian(model, tape.output)
    assert H.shape == (N, 2, 2)
    distribution = nets.predictive(model, tape.output)
    assert type(distribution) is {"mse": nets.Normal, "bce": nets.Bernoulli, "softmax_ce": nets.Categorical}[loss]
    drawn = nets.sample_targets(model, tape.output, np.random.default_rng(0))
    results = all_arrays([tape, back.g, back.grad, H, distribution])
    if loss == "softmax_ce":
        assert drawn.dtype.kind == "i"
    else:
        results.append(drawn)
    assert {array.dtype for array in results} == {x.dtype}
    entry = type(x.ravel()[0])
    assert {type(value) for array in results for value in array.ravel()} == {entry}
    assert type(back.loss) is entry


@everything
def test_nothing_handed_in_is_written_to(hidden, loss, kind):
    model, params, x, y = setting(hidden, loss, kind)

    def freeze(arrays):
        for array in arrays:
            array.flags.writeable = False
        return [array.copy() for array in arrays]

    def unchanged(arrays, copies):
        if kind in FLOATS:
            return [array.tobytes() for array in arrays] == [copy.tobytes() for copy in copies]
        return [array.tolist() for array in arrays] == [copy.tolist() for copy in copies]

    given = [*nets.tensors(params), x, y]
    given_before = freeze(given)
    tape = nets.forward(model, params, x)
    taped = all_arrays(tape)
    taped_before = freeze(taped)
    nets.backward(model, params, tape, y)
    nets.pre_gradients(model, params, tape, y)
    nets.output_hessian(model, tape.output)
    nets.sample_targets(model, tape.output, np.random.default_rng(0))
    assert unchanged(given, given_before)
    assert unchanged(taped, taped_before)


@everything
def test_pre_gradients_are_those_of_backward(hidden, loss, kind):
    model, params, x, y = setting(hidden, loss, kind)
    tape = nets.forward(model, params, x)
    alone, within = nets.pre_gradients(model, params, tape, y), nets.backward(model, params, tape, y).g
    assert type(alone) is type(within) is tuple
    assert [g.tolist() for g in alone] == [g.tolist() for g in within]


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("loss", LOSSES)
def test_results_own_their_memory(loss, kind):
    """Writing to a tape or a gradient afterwards must not reach parameters or data."""
    model, params, x, y = setting("linear", loss, kind)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    for result in all_arrays([tape, back.g, back.grad]):
        for given in [*nets.tensors(params), x, y]:
            assert not np.shares_memory(result, given)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64"])
def test_labels_are_one_hot_rows(dtype, kind):
    model, params, x, labels = setting("tanh", "softmax_ce", kind)
    tape = nets.forward(model, params, x)
    from_labels = nets.backward(model, params, tape, labels.astype(dtype))
    from_rows = nets.backward(model, params, tape, np.eye(2, dtype=kind)[labels])
    assert [array.tobytes() for array in all_arrays(from_labels)] == [array.tobytes() for array in all_arrays(from_rows)]


@pytest.mark.parametrize("loss", LOSSES)
def test_examples_are_independent_and_averaged(loss):
    """Per-example quantities do not know the rest of the batch; loss and gradient are means. Exactly so at 60 digits."""
    model, params, x, y = setting("tanh", loss, "mpf")
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    singles = []
    for n in range(N):
        tape_n = nets.forward(model, params, x[n:n + 1])
        singles.append(nets.backward(model, params, tape_n, y[n:n + 1]))
        for l in range(3):
            assert tape.h[l][n].tolist() == tape_n.h[l][0].tolist()
            assert back.g[l][n].tolist() == singles[n].g[l][0].tolist()
    units = 2.0**-50                                     # six numbers of size 1 to 10 in 53 bits
    assert abs(sum(single.loss for single in singles) / N - back.loss) <= units * abs(back.loss)
    for l in range(3):
        for tensor in (0, 1):
            mean = sum(single.grad[l][tensor] for single in singles) / N
            size = max(abs(single.grad[l][tensor]).max() for single in singles)
            assert (abs(mean - back.grad[l][tensor]) <= units * 8 * size).all()


def test_strided_views_are_the_same_numbers():
    """Small integers and N = 4: nothing is rounded, whatever the order of the sums."""
    rng = np.random.default_rng(43)
    model = nets.mlp((3, 5, 2), ("relu", "linear"), "mse")
    params = tuple(nets.Layer(rng.integers(-3, 4, shape).astype(float), rng.integers(-3, 4, shape[0]).astype(float))
                   for shape in nets.layer_shapes(model))
    wide, y = rng.integers(-3, 4, (8, 9)).astype(float), rng.integers(-3, 4, (4, 2)).astype(float)
    views = tuple(nets.Layer(np.asfortranarray(layer.W), np.repeat(layer.b, 2)[::2]) for layer in params)
    plain = nets.backward(model, params, nets.forward(model, params, wide[::2, ::3].copy()), y)
    other = nets.backward(model, views, nets.forward(model, views, wide[::2, ::3]), np.asfortranarray(y))
    assert [array.tolist() for array in all_arrays(tuple(plain))] == [array.tolist() for array in all_arrays(tuple(other))]
