"""What passes of convolutional nets promise whatever the numbers are: shapes, dtypes, and that nothing handed in is written to."""

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast, map_arrays, precision
from stepgauge.nets import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, MaxPool, Residual
from stepgauge.verify.bands import BITS, Bands, Paths

FLOATS = ("float32", "float64")
N = 3
NORMED = (Conv2d(3, (3, 1)), BatchNorm(), Act("tanh"), Residual((Conv2d(4, 3, 2), BatchNorm()), (Conv2d(4, 1, 2),)), Act("relu"),
          MaxPool(2, 1), AvgPool((1, 2)), Flatten(), Dense(2), Act("linear"))
PLAIN = (Conv2d(3, (3, 1)), Act("relu"), Residual((Conv2d(4, 3, 2), Act("linear")), (Conv2d(4, 1, 2),)), MaxPool(2, 1),
         AvgPool((1, 2)), Flatten(), Dense(2))
SETTINGS = [(PLAIN, "mse", kind) for kind in (*FLOATS, "fraction", "fmpq", "mpf")]
SETTINGS += [(NORMED, loss, kind) for kind in (*FLOATS, "mpf") for loss in ("mse", "bce", "softmax_ce")]
every_setting = pytest.mark.parametrize(("records", "loss", "kind"), SETTINGS)


def setting(records, loss, kind):
    rng = np.random.default_rng(43)
    model = nets.cnn((2, 4, 5), records, loss)
    params = tuple(type(layer)(layer[0], rng.standard_normal(layer[1].shape)) for layer in nets.init(model, 9))
    y = {"mse": rng.standard_normal((N, 2)), "bce": rng.integers(0, 3, (N, 2)) / 2, "softmax_ce": rng.integers(0, 2, N)}[loss]
    return model, *cast((params, rng.standard_normal((N, 2, 4, 5)), y), kind)


def arrays_in(tree):
    if isinstance(tree, tuple | list):
        return [array for branch in tree for array in arrays_in(branch)]
    return [tree] if isinstance(tree, np.ndarray | np.generic) else []


def everything(model, params, x, y):
    stats = nets.batch_stats(model, params, [nets.Batch(x, y), nets.Batch(x[:1], y[:1])])
    tapes = [nets.forward(model, params, x), nets.forward(model, params, x, stats)]
    return [stats, tapes, [nets.backward(model, params, tape, y) for tape in tapes]]


@every_setting
def test_shapes_and_arithmetic(records, loss, kind):
    model, params, x, y = setting(records, loss, kind)
    P = [20, 20, 6, 6, 6, 1] if records is NORMED else [20, 6, 6, 1]
    d_in = [7, 3, 28, 4, 4, 5] if records is NORMED else [7, 28, 4, 5]          # Norms have no 1 at the end
    d_out = [3, 3, 4, 4, 4, 2] if records is NORMED else [3, 4, 4, 2]
    tape = nets.forward(model, params, x)
    assert [a.shape for a in tape.a] == [(N, *pair) for pair in zip(P, d_in, strict=True)]
    assert [h.shape for h in tape.h] == [(N, *pair) for pair in zip(P, d_out, strict=True)]
    assert tape.output.shape == (N, 2)
    back = nets.backward(model, params, tape, y)
    assert [g.shape for g in back.g] == [h.shape for h in tape.h]
    assert [type(layer) for layer in back.grad] == [type(layer) for layer in params]
    assert [tensor.shape for tensor in nets.tensors(back.grad)] == [tensor.shape for tensor in nets.tensors(params)]
    results = arrays_in(everything(model, params, x, y))
    assert {array.dtype for array in results} == {x.dtype}
    assert {type(value) for array in results for value in array.ravel()} == {type(x.ravel()[0])}
    alone = nets.pre_gradients(model, params, tape, y)
    assert [g.tolist() for g in alone] == [g.tolist() for g in back.g]


@every_setting
def test_nothing_handed_in_is_written_to(records, loss, kind):
    model, params, x, y = setting(records, loss, kind)
    given = [*nets.tensors(params), x, y]
    stats = nets.batch_stats(model, params, nets.Batch(x, y))
    tape = nets.forward(model, params, x, stats)
    given += arrays_in([stats, tape])
    before = [array.tolist() for array in given]
    for array in given:
        array.flags.writeable = False
    nets.backward(model, params, tape, y)
    everything(model, params, x, y)
    assert [array.tolist() for array in given] == before


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("records", [NORMED, PLAIN])
def test_results_own_their_memory(records, kind):
    """Writing to a tape or a gradient afterwards must not reach parameters or data."""
    model, params, x, y = setting(records, "mse", kind)
    for result in arrays_in(everything(model, params, x, y)):
        for given in [*nets.tensors(params), x, y]:
            assert not np.shares_memory(result, given)


def test_strided_views_are_the_same_numbers():
    """Small integers and N = 4: nothing is rounded, whatever the order of the sums."""
    rng = np.random.default_rng(44)
    model = nets.cnn((2, 4, 5), PLAIN, "mse")
    params = tuple(nets.Layer(rng.integers(-3, 4, shape).astype(float), rng.integers(-3, 4, shape[0]).astype(float))
                   for shape in nets.layer_shapes(model))
    views = tuple(nets.Layer(np.asfortranarray(layer.W), np.repeat(layer.b, 2)[::2]) for layer in params)
    wide, y = rng.integers(-3, 4, (8, 4, 5, 2)).astype(float), rng.integers(-3, 4, (4, 2)).astype(float)
    x = wide[::2].transpose(0, 3, 1, 2)
    plain = nets.backward(model, params, nets.forward(model, params, np.ascontiguousarray(x)), y)
    other = nets.backward(model, views, nets.forward(model, views, x), np.asfortranarray(y))
    assert [array.tolist() for array in arrays_in(list(plain))] == [array.tolist() for array in arrays_in(list(other))]


def test_batches_of_several_blocks():
    """The adjoint of many patches is made block by block; small integers, so that order does not matter."""
    rng = np.random.default_rng(45)
    model = nets.cnn((20, 18, 18), (Conv2d(20, 3), Conv2d(200, 3, padding="valid"), AvgPool(16), Flatten()), "mse")
    params = tuple(nets.Layer(rng.integers(-1, 2, shape).astype(float), np.zeros(shape[0])) for shape in nets.layer_shapes(model))
    N = 9
    x, y = rng.integers(-1, 2, (N, 20, 18, 18)).astype(float), np.ones((N, 200))
    assert len(nets.windows.blocks(N, 256 * 200)) == 5
    tape = nets.forward(model, params, x)
    g = nets.pre_gradients(model, params, tape, y)
    assert np.abs(tape.a[0][:, :, -1] - 1).max() == 0
    for n in range(N):
        alone = nets.forward(model, params, x[n:n + 1])
        assert tape.h[1][n].tolist() == alone.h[1][0].tolist()
        assert g[0][n].tolist() == nets.pre_gradients(model, params, alone, y[n:n + 1])[0][0].tolist()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("loss", ["mse", "bce", "softmax_ce"])
def test_float_passes_stay_within_their_bands(loss, dtype):
    """The judge's numbers go through convolution, pooling and normalisation, and floats stay within them."""
    model, params, x, y = setting(NORMED, loss, dtype)
    with precision(BITS):
        banded = map_arrays(Bands(dtype, Paths()).asarray, (params, x, y))
        for floats, bands in zip(everything(model, params, x, y), everything(model, *banded), strict=True):
            for value, band in zip(arrays_in(floats), banded_in(bands), strict=True):
                assert (abs(value - band.v.astype(float)) <= band.e + np.finfo(float).eps * abs(value)).all()


def banded_in(tree):
    if isinstance(tree, tuple | list):
        return [array for branch in tree for array in banded_in(branch)]
    return [tree] if hasattr(tree, "v") else []


def test_a_maximum_that_rounding_could_change_has_both_derivatives_in_its_band():
    """Two pixels that a 3 × 10⁻⁹ parts: float32 cannot tell, float64 can; a tie of exact numbers is none."""
    model = nets.cnn((1, 1, 2), (Conv2d(1, 1), MaxPool((1, 2)), Flatten()), "mse")
    third = nets.Layer(np.full((1, 1, 1, 1), 1 / 3), np.zeros(1))
    x, y = np.array([[[[1.0, 1 + 1e-8]]]]), np.array([[0.0]])
    for dtype, open_ in [("float32", True), ("float64", False)]:
        space = Bands(dtype, Paths())
        with precision(BITS):
            given = map_arrays(space.asarray, (third, x, y))
            g = nets.pre_gradients(model, given[:1], nets.forward(model, given[:1], given[1]), given[2])[0]
        low, high = (g.v.astype(float) - g.e).ravel(), (g.v.astype(float) + g.e).ravel()
        assert high[1] >= 1 / 3
        assert (low[1] <= 0) == open_
        assert (high[0] >= 1 / 3) == open_
    space = Bands("float32", Paths())
    with precision(BITS):
        given = map_arrays(space.asarray, (nets.Layer(np.ones((1, 1, 1, 1)), np.zeros(1)), 0 * x, y + 1))
        g = nets.pre_gradients(model, given[:1], nets.forward(model, given[:1], given[1]), given[2])[0]
    assert g.e.ravel().tolist()[1] == 0
    assert g.v.astype(float).ravel().tolist() == [-1, 0]
