"""Batch normalisation: against loops over pixels to 50 digits, evaluation statistics, and batches that leave no variance."""

from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from pixels import run
from stepgauge import nets
from stepgauge.arrays import NotRational, cast, precision
from stepgauge.nets import Act, AvgPool, Batch, BatchNorm, Conv2d, Dense, Flatten, MaxPool, Residual

BITS = 400                                      # 120 digits, of which 50 are compared
DIGITS = mpmath.mpf(10) ** -50
TAIL = (Flatten(), Dense(2))
INNER = (Conv2d(3, 3), BatchNorm(), Act("relu"), Conv2d(2, 1), BatchNorm(Fraction(1, 7)))
CASES = {
    "images": ((2, 3, 4), (Conv2d(3, 3), BatchNorm(), Act("relu"), *TAIL), 3),
    "vectors": ((3,), (Dense(4), BatchNorm(), Act("relu"), Dense(2)), 5),
    "first": ((2, 2, 3), (BatchNorm(Fraction(1, 4)), Conv2d(2, 1), *TAIL), 2),
    "last": ((1, 3, 3), (Conv2d(2, 3), *TAIL, BatchNorm()), 4),
    "one example": ((2, 3, 3), (Conv2d(2, 3), BatchNorm(), Act("relu"), MaxPool(2), *TAIL), 1),
    "residual": ((2, 3, 3), (Conv2d(2, 1), Residual(INNER), Act("relu"), AvgPool((3, 1)), *TAIL), 2),
    "shortcut": ((2, 4, 3), (Residual((Conv2d(3, 3, 2), BatchNorm()), (Conv2d(3, 1, 2), BatchNorm())), Act("relu"), *TAIL), 2),
    "pool between": ((1, 4, 4), (Conv2d(2, 3), MaxPool(2, 1), BatchNorm(), AvgPool(3), *TAIL), 3),
}
every_case = pytest.mark.parametrize(("shape", "records", "N"), CASES.values(), ids=CASES)


@pytest.fixture(autouse=True)
def _precision():
    with precision(BITS):
        yield


def network(shape, records, N, kind="mpf", seed=5):
    """γ, β, biases and data of standard normal numbers."""
    rng = np.random.default_rng([seed, *shape, N])
    model = nets.cnn(shape, records, "mse")
    params = tuple(type(layer)(layer[0] + rng.standard_normal(layer[0].shape) / 4, rng.standard_normal(layer[1].shape))
                   for layer in nets.init(model, seed))
    m = params[-1][1].shape[0]
    return model, *cast((params, rng.standard_normal((N, *shape)), rng.standard_normal((N, m))), kind)


def agree(x, y):
    """Equal in 50 digits of the largest entry, or of 1."""
    x, y = np.asarray(x, dtype=object), np.asarray(y, dtype=object)
    assert x.shape == y.shape
    size = max([abs(value) for value in y.ravel()] + [mpmath.mpf(1)])
    return max((abs(value) for value in (x - y).ravel()), default=0) <= DIGITS * size


@every_case
def test_the_passes_are_the_loops_over_pixels(shape, records, N):
    model, params, x, y = network(shape, records, N)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    output, seen, backwards = run(records, iter(params), x, mpmath.sqrt)
    backwards(output - y)
    assert agree(tape.output, output)
    for l, layer in enumerate(seen):
        assert agree(tape.a[l], layer.a)
        assert agree(tape.h[l], layer.h)
        assert agree(back.g[l], layer.g)
        assert agree(back.grad[l][0] * N, layer.dW)
        assert agree(back.grad[l][1] * N, layer.db)
    assert [type(layer) for layer in back.grad] == [type(layer) for layer in params]


@every_case
def test_the_gradient_is_the_difference_quotient(shape, records, N):
    """Central differences with a step of 10⁻⁴⁰ err by 10⁻⁸⁰ times third derivatives and by 120 − 40 digits of rounding."""
    model, params, x, y = network(shape, records, N)
    back = nets.backward(model, params, nets.forward(model, params, x), y)
    step = mpmath.mpf(10) ** -40
    for l, layer in enumerate(params):
        for which in (0, 1):
            index = tuple(n - 1 for n in layer[which].shape)
            losses = []
            for sign in (1, -1):
                tensors = list(layer)
                tensors[which] = layer[which].copy()
                tensors[which][index] += sign * step
                other = (*params[:l], type(layer)(*tensors), *params[l + 1:])
                losses.append(nets.backward(model, other, nets.forward(model, other, x), y).loss)
            assert abs((losses[0] - losses[1]) / (2 * step) - back.grad[l][which][index]) <= DIGITS


def test_examples_are_coupled_through_the_statistics():
    """g(n) is N · ∂(mean loss)/∂h(n): it contains what example n does to the others, and is not its own gradient alone."""
    model, params, x, y = network(*CASES["images"])
    tape = nets.forward(model, params, x)
    g = nets.backward(model, params, tape, y).g[0]
    other = y.copy()
    other[1] += 1                                              # another example's target
    assert (nets.pre_gradients(model, params, tape, other)[0][0] != g[0]).any()
    stats = nets.batch_stats(model, params, Batch(x, y))
    fixed = nets.forward(model, params, x, stats)
    g = nets.pre_gradients(model, params, fixed, y)[0]
    assert (nets.pre_gradients(model, params, fixed, other)[0][0] == g[0]).all()


@every_case
def test_evaluation_with_a_batchs_own_statistics_is_training(shape, records, N):
    model, params, x, y = network(shape, records, N)
    stats = nets.batch_stats(model, params, Batch(x, y))
    tape = nets.forward(model, params, x, stats)
    trained = nets.forward(model, params, x)
    for ours, theirs in zip((*tape.a, *tape.h, tape.output), (*trained.a, *trained.h, trained.output), strict=True):
        assert agree(ours, theirs)
    assert tape.stats == stats
    assert trained.stats == ()
    assert len(stats) == sum(isinstance(layer, nets.Norm) for layer in params)


@every_case
def test_evaluation_is_affine_and_so_is_its_way_back(shape, records, N):
    """A BatchNorm with statistics that do not move is γ (x − mean)/√(var + ε) + β, one example at a time."""
    model, params, x, y = network(shape, records, N)
    stats = nets.batch_stats(model, params, Batch(x[:1] + 1, y[:1]))
    tape = nets.forward(model, params, x, stats)
    back = nets.backward(model, params, tape, y)
    for n in range(N):
        alone = nets.forward(model, params, x[n:n + 1], stats)
        g = nets.pre_gradients(model, params, alone, y[n:n + 1])
        for l in range(len(params)):
            assert agree(tape.h[l][n], alone.h[l][0])
            assert agree(back.g[l][n], g[l][0])
    step = mpmath.mpf(10) ** -40
    for l, layer in enumerate(params):
        moved = [(*params[:l], type(layer)(layer[0], layer[1] + sign * step), *params[l + 1:]) for sign in (1, -1)]
        one, other = (nets.backward(model, p, nets.forward(model, p, x, stats), y).loss for p in moved)
        assert abs((one - other) / (2 * step) - back.grad[l][1].sum()) <= DIGITS


@every_case
def test_statistics_of_several_batches_are_those_of_all_data(shape, records, N):
    model, params, x, y = network(shape, records, 6)
    whole = nets.batch_stats(model, params, Batch(x, y))
    for cuts in ([0, 1, 6], [0, 2, 3, 6], [0, 6]):
        parts = [Batch(x[i:j], y[i:j]) for i, j in pairwise(cuts)]
        for data in (parts, iter(parts)):
            for ours, theirs in zip(nets.batch_stats(model, params, data), whole, strict=True):
                assert type(ours) is nets.Moments
                assert agree(ours.mean, theirs.mean)
                assert agree(ours.var, theirs.var)


def test_statistics_by_hand():
    """Pixels 1, 3 and 5, 7 of one channel: mean 4, variance 5; the second BatchNorm sees (x − 4)/√(5 + 1/10)."""
    model = nets.cnn((1, 1, 2), (BatchNorm(Fraction(1, 10)), BatchNorm(), Flatten(), Dense(1)), "mse")
    params = cast(nets.init(model, 0), "mpf")
    x = cast(np.array([[[[1.0, 3]]], [[[5, 7]]]]), "mpf")
    first, second = nets.batch_stats(model, params, [Batch(x[:1], None), Batch(x[1:], None)])
    assert first.mean.tolist() == [4]
    assert first.var.tolist() == [5]
    assert agree(second.mean, np.array([mpmath.mpf(0)]))
    assert agree(second.var, np.array([5 / mpmath.mpf("5.1")]))


@pytest.mark.parametrize("kind", ["float32", "float64", "mpf"])
@pytest.mark.parametrize("records", [(Dense(4), BatchNorm(), Act("tanh"), Dense(2)),
                                     (Dense(4), Residual((BatchNorm(), Dense(4))), Dense(2))])
def test_a_batch_of_one_with_one_position(records, kind):
    """The variance is 0: x̂ = 0, the output is β, and nothing goes back through it."""
    model, params, x, y = network((3,), records, 1, kind)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    assert tape.a[1].tolist() == [[[0] * 4]]
    assert tape.h[1].tolist() == [[params[1].beta.tolist()]]
    assert back.grad[1].gamma.tolist() == [0] * 4
    assert np.isfinite(back.grad[1].beta.astype(float)).all()
    if not isinstance(records[1], Residual):
        assert back.g[0].tolist() == [[[0] * 4]]
        assert not back.grad[0].W.any()


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("build", [nets.small_vgg, nets.small_resnet])
@pytest.mark.parametrize("pixel", [0.0, 1.0, 1e4])
def test_constant_images_and_dead_channels_give_numbers(build, pixel, kind):
    model = build((1, 8, 8), 3)
    rng = np.random.default_rng(7)
    params = cast(nets.init(model, 1), kind)
    dead = tuple(nets.Norm(0 * layer.gamma, layer.beta - 1) if l == 1 else layer for l, layer in enumerate(params))
    x = np.full((4, 1, 8, 8), pixel, dtype=kind)
    y = rng.integers(0, 3, 4)
    for net in (params, dead):
        tape = nets.forward(model, net, x)
        back = nets.backward(model, net, tape, y)
        stats = nets.batch_stats(model, net, Batch(x, y))
        for array in (*tape.a, *tape.h, *back.g, *nets.tensors(back.grad), back.loss, *nets.tensors(stats)):
            assert np.isfinite(array).all()
            assert array.dtype == kind


def test_rationals_have_no_roots():
    model, params, x, _ = network(*CASES["images"], kind="fraction")
    with pytest.raises(NotRational, match=r"^sqrt: expected the square of a rational"):
        nets.forward(model, params, x)


def test_rationals_that_have_roots():
    """Pixels ±3 with ε = 16: x̂ = ±3/5, exactly."""
    model = nets.cnn((1, 1, 2), (BatchNorm(16), Flatten()), "mse")
    params = cast((nets.Norm(np.array([2.0]), np.array([1.0])),), "fraction")
    x = cast(np.array([[[[3.0, -3]]]]), "fraction")
    tape = nets.forward(model, params, x)
    assert tape.a[0].ravel().tolist() == [Fraction(3, 5), Fraction(-3, 5)]
    assert tape.output.tolist() == [[Fraction(11, 5), Fraction(-1, 5)]]


BAD_STATS = {
    "too few": (lambda s: s[:1], "stats: expected 2 pairs of mean and variance because every BatchNorm has one, got 1"),
    "channels": (lambda s: (s[0]._replace(mean=s[0].mean[:1]), s[1]), r"stats\[0\]\.mean: expected shape \(3,\) because .*\(1,\)"),
    "nan": (lambda s: (s[0], s[1]._replace(mean=s[1].mean * mpmath.nan)), r"stats\[1\]\.mean: expected finite numbers because .*"),
    "none needed": (lambda s: (*s, s[0]), "stats: expected 2 pairs of mean and variance because every BatchNorm has one, got 3"),
    "negative": (lambda s: (s[0], s[1]._replace(var=-s[1].var)), r"stats\[1\]\.var: expected numbers >= 0 because .* negative one"),
}


@pytest.mark.parametrize(("spoil", "sentence"), BAD_STATS.values(), ids=BAD_STATS)
def test_bad_statistics(spoil, sentence):
    model, params, x, y = network((2, 3, 3), (*INNER, *TAIL), 2)
    stats = nets.batch_stats(model, params, Batch(x, y))
    with pytest.raises(ValueError, match=rf"^{sentence}$"):
        nets.forward(model, params, x, spoil(stats))


NO_STATS = {
    "None": (lambda s: None, r"stats: expected a tuple because it is what `batch_stats` returned, or empty, got NoneType"),
    "an array": (lambda s: s[0].mean, r"stats: expected a tuple because .*, got ndarray"),
    "numbers": (lambda s: [1, 2], r"stats\[0\]: expected Moments because a BatchNorm has a mean and a variance, got int"),
    "tuples": (lambda s: (s[0], tuple(s[1])), r"stats\[1\]: expected Moments because .*, got tuple"),
    "a number": (lambda s: (s[0]._replace(var=1.0), s[1]), r"stats\[0\]\.var: expected an array because .*, got float"),
}


@pytest.mark.parametrize(("spoil", "sentence"), NO_STATS.values(), ids=NO_STATS)
def test_what_are_no_statistics(spoil, sentence):
    model, params, x, y = network((2, 3, 3), (*INNER, *TAIL), 2)
    stats = nets.batch_stats(model, params, Batch(x, y))
    with pytest.raises(TypeError, match=rf"^{sentence}$"):
        nets.forward(model, params, x, spoil(stats))


NO_DATA = {
    "None": (lambda x: None, r"data: expected a Batch or several because statistics are taken from it, got None"),
    "an array": (lambda x: x, r"data\[0\]: expected a Batch because statistics are taken from it, got ndarray"),
    "a pair": (lambda x: (Batch(x, None), (x, None)), r"data\[1\]: expected a Batch because statistics .*, got tuple"),
    "x None": (lambda x: Batch(None, None), r"x: expected an array because a batch has examples, got NoneType"),
    "x a list": (lambda x: [Batch(x.tolist(), None)], r"x: expected an array because a batch has examples, got list"),
}


@pytest.mark.parametrize(("data", "sentence"), NO_DATA.values(), ids=NO_DATA)
def test_what_are_no_data(data, sentence):
    model, params, x, _ = network(*CASES["images"])
    with pytest.raises(TypeError, match=rf"^{sentence}$"):
        nets.batch_stats(model, params, data(x))


def test_statistics_of_nothing():
    model, params, x, y = network(*CASES["images"])
    with pytest.raises(ValueError, match=r"^data: expected at least one batch because statistics are taken from it, got none$"):
        nets.batch_stats(model, params, [])
    with pytest.raises(ValueError, match=r"^x: expected at least one example because .*, got an empty batch$"):
        nets.batch_stats(model, params, [Batch(x, y), Batch(x[:0], y[:0])])


def test_methods_that_need_uncoupled_examples_say_so():
    plain = nets.cnn((2, 3, 4), (Conv2d(3, 3), Residual((Conv2d(3, 1),)), *TAIL), "mse")
    nets.expect_uncoupled(plain, "smw_gn")
    for records in [(Conv2d(3, 3), BatchNorm()), (Residual((Conv2d(2, 1), BatchNorm())),),
                    (Residual((Conv2d(2, 1),), (BatchNorm(),)),), (Residual((Residual((BatchNorm(),)),)),)]:
        model = nets.cnn((2, 3, 4), (*records, *TAIL), "mse")
        with pytest.raises(ValueError, match=r"^model: expected no BatchNorm because smw_gn needs the gradient of .*, got one$"):
            nets.expect_uncoupled(model, "smw_gn")
