"""nets.taylor against exact differentiation of polynomials, against automatic differentiation, and against 50 digits."""

from fractions import Fraction
from itertools import permutations
from math import factorial

import autograd.numpy as anp
import mpmath
import numpy as np
import pixels
import pytest
from autograd import grad, jacobian
from polynomials import Poly, moved
from stepgauge import nets
from stepgauge.arrays import cast, map_arrays, precision
from stepgauge.nets import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, Layer, MaxPool, Norm, Residual, taylor
from stepgauge.reference.parts.curvature import hessian
from stepgauge.verify.bands import BITS, Bands, Paths
from test_cnn_autograd import LOSS, judged

POLYNOMIAL = {
    "mlp": ((3,), (Dense(4), Act("relu"), Dense(2), Act("relu"), Dense(2)), "canonical"),
    "linear": ((2,), (Dense(3), Act("linear"), Dense(1)), "canonical"),
    "conv": ((2, 4, 3), (Conv2d(3, (3, 1)), Act("relu"), MaxPool(2, stride=1), Conv2d(2, 2, padding="valid"), Flatten(), Dense(2)),
             "canonical"),
    "branches": ((2, 3, 2), (Residual((Conv2d(2, 1), Act("relu"), Conv2d(2, 1)), (Conv2d(1, 1), Conv2d(2, 1))),
                             AvgPool((3, 1)), Flatten(), Dense(2)), "canonical"),
    "trivial": ((3,), (Dense(4), Act("relu"), Dense(2)), "trivial"),
    "roles": ((3,), (Dense(4), Act("relu"), Dense(2)), "by_role"),
}


def small(rng, shape):
    return np.frompyfunc(lambda v: Fraction(int(v), 2), 1, 1)(rng.integers(-4, 5, shape))


def problem(name):
    input_shape, records, partition = POLYNOMIAL[name]
    model = nets.cnn(input_shape, records, "mse")
    rng = np.random.default_rng(sum(map(ord, name)))
    params, u = (tuple(Layer(small(rng, s), small(rng, s[:1])) for s in nets.layer_shapes(model)) for _ in range(2))
    batch = nets.Batch(small(rng, (2, *input_shape)), small(rng, (2, nets.layer_shapes(model)[-1][0])))
    return model, params, batch, u, getattr(taylor, partition)(params)


def subset_of(partition, params):
    """The number of each tensor's subset, where subsets are made of tensors."""
    starts = np.cumsum([0, *(t.size for t in nets.tensors(params))])[:-1]
    return [next(s for s, I in enumerate(partition) if start in I) for start in starts]


def polynomial(model, params, batch, u, partition, top, sqrt=None):
    """The mean loss as a polynomial in η, by the program of pixels.py."""
    S = len(partition)
    tensors = [moved(t, v, s, S, top) for t, v, s in
               zip(nets.tensors(params), nets.tensors(u), subset_of(partition, params), strict=True)]
    one = Poly({(0,) * S: 1}, top)
    x = np.frompyfunc(lambda v: one * v if v else one * 0 + Poly({(0,) * S: 0 * v + 1}, top) - one, 1, 1)(batch.x)
    output, *_ = pixels.run(model.layers, iter(nets.layers(tensors, params)), x, sqrt)
    return sum(((o - t) ** 2 / 2 for o, t in zip(output.ravel(), batch.y.ravel(), strict=True)), one * 0) / len(batch.x)


@pytest.mark.parametrize("name", POLYNOMIAL)
def test_summaries_of_polynomial_nets_are_exact(name):
    model, params, batch, u, partition = problem(name)
    expected = polynomial(model, params, batch, u, partition, 3)
    g_bar, H_bar, D3_diag = taylor.summaries(model, params, batch, u, partition)
    assert (g_bar == expected.derivative(1)).all()
    assert (H_bar == expected.derivative(2)).all()
    assert (D3_diag == np.einsum("iii->i", expected.derivative(3))).all()
    assert all(isinstance(v, Fraction) for v in (*g_bar, *H_bar.ravel(), *D3_diag))
    assert any(D3_diag) == (name in ("trivial", "roles"))    # a tensor alone enters such a loss quadratically (ERR-63)
    assert (taylor.summary(model, params, batch, u, partition, 3) == expected.derivative(3)).all()


def test_order_4_of_polynomial_nets_is_exact():
    model, params, batch, u, partition = problem("mlp")
    expected = polynomial(model, params, batch, u, partition, 4).derivative(4)
    found = taylor.summary(model, params, batch, u, partition, 4)
    assert (found == expected).all()
    assert len(set(found.ravel())) > 10


@pytest.mark.parametrize("name", POLYNOMIAL)
def test_taylor_terms_are_the_sums_of_the_tensors(name):
    model, params, batch, u, partition = problem(name)
    terms = taylor.taylor_terms(model, params, batch, u, 4)
    loss = nets.mean_loss(model, nets.forward(model, params, batch.x).output, batch.y)
    sums = [taylor.summary(model, params, batch, u, partition, d).sum() for d in (1, 2, 3)]
    assert list(terms[:4]) == [loss, *sums]
    g_bar, H_bar, _ = taylor.summaries(model, params, batch, u, partition)
    assert [g_bar.sum(), H_bar.sum()] == sums[:2]


def test_tensors_are_symmetric():
    D = taylor.summary(*problem("roles"), 3)
    assert all((D.transpose(axes) == D).all() for axes in permutations(range(3)))
    assert D[0, 0, 1] != D[0, 1, 1]


def test_batch_normalisation_in_50_digits():
    records = (Conv2d(2, (1, 2), padding="valid"), BatchNorm(), Act("relu"), Flatten(), Dense(2), BatchNorm(Fraction(1, 8)),
               Dense(2))
    model = nets.cnn((2, 2, 3), records, "mse")
    rng = np.random.default_rng(3)
    params, u = (tuple((Norm if len(s) == 1 else Layer)(small(rng, s), small(rng, s[:1])) for s in nets.layer_shapes(model))
                 for _ in range(2))
    batch = nets.Batch(small(rng, (3, 2, 2, 3)), small(rng, (3, 2)))
    with precision(200):
        params, u, batch = cast((params, u, batch), "mpf")
        partition = taylor.canonical(params)
        expected = polynomial(model, params, batch, u, partition, 3, lambda p: (p + mpmath.mpf(0)).sqrt(mpmath.sqrt))
        g_bar, H_bar, D3_diag = taylor.summaries(model, params, batch, u, partition)
        third = expected.derivative(3)
        small_enough = mpmath.mpf(2) ** -150
        for found, exact in ((g_bar, expected.derivative(1)), (H_bar, expected.derivative(2)),
                             (D3_diag, np.einsum("iii->i", third)),
                             (taylor.summary(model, params, batch, u, partition, 3), third)):
            assert np.max(np.abs(found - exact)) <= small_enough * np.max(np.abs(exact))
            assert np.max(np.abs(exact)) > 0


def through(model, params, batch, u, partition):
    """η → mean loss, by the automatic differentiator's program."""
    which = subset_of(partition, params)
    zero = iter(lambda: 0.0, 1)

    def loss(eta):
        tensors = [t + eta[s] * v for t, v, s in zip(nets.tensors(params), nets.tensors(u), which, strict=True)]
        pairs = iter([tuple(tensors[i:i + 2]) for i in range(0, len(tensors), 2)])
        return anp.mean(LOSS[model.loss](judged(model.layers, pairs, zero, batch.x), batch.y))

    return loss


SMOOTH = {
    "tanh": nets.mlp((3, 4, 2), ("tanh", "linear"), "softmax_ce"),
    "logistic": nets.mlp((3, 2, 3, 2), ("logistic", "elu", "linear"), "bce"),
    "output": nets.mlp((2, 3, 2), ("elu", "logistic"), "mse"),
    "lenet": nets.cnn((1, 6, 6), (Conv2d(2, 3), Act("tanh"), MaxPool(2), Conv2d(3, 2, padding="valid"), Act("tanh"), Flatten(),
                                  Dense(3)), "softmax_ce"),
    "vgg": nets.cnn((2, 4, 4), (Conv2d(2, 3), BatchNorm(), Act("elu"), AvgPool(2), Flatten(), Dense(2)), "softmax_ce"),
    "resnet": nets.cnn((2, 3, 3), (Residual((Conv2d(2, 3), BatchNorm(), Act("tanh"), Conv2d(2, 1)), (Conv2d(2, 1), BatchNorm())),
                                   Act("logistic"), Flatten(), Dense(2)), "bce"),
}


def smooth(name):
    model = SMOOTH[name]
    rng = np.random.default_rng(len(name))
    params, u = (tuple((Norm if len(s) == 1 else Layer)(rng.standard_normal(s), rng.standard_normal(s[:1]))
                       for s in nets.layer_shapes(model)) for _ in range(2))
    y = rng.random((5, nets.layer_shapes(model)[-1][0]))
    batch = nets.Batch(rng.standard_normal((5, *model.input_shape)), y / y.sum(1, keepdims=True))
    return model, params, batch, u, taylor.canonical(params)


@pytest.mark.parametrize("name", SMOOTH)
def test_summaries_against_automatic_differentiation(name):
    given = smooth(name)
    loss = through(*given)
    zero = np.zeros(len(given[-1]))
    first, second = grad(loss), jacobian(grad(loss))
    along = [grad(grad(grad(lambda t, s=s: loss(t * np.eye(len(zero))[s]))))(0.0) for s in range(len(zero))]
    for found, expected in zip(taylor.summaries(*given), (first(zero), second(zero), np.array(along)), strict=True):
        assert np.abs(found - expected).max() <= beyond(given, expected)


def beyond(given, expected):
    """What rounding may do: the bands of this repository's own pass, and three times as much for the other program's order."""
    with precision(BITS):
        space = Bands("float64", Paths())
        model, params, batch, u, partition = given
        params, u, batch = map_arrays(space.asarray, (params, u, batch))
        found = taylor.summaries(model, params, batch, u, partition)
    return 4 * max(float(part.e.max()) for part in found if part.shape == np.shape(expected))


@pytest.mark.parametrize("name", ["tanh", "vgg"])
def test_order_3_and_4_against_automatic_differentiation(name):
    given = smooth(name)
    model, params, batch, u, _ = given
    partition = taylor.by_role(params)
    given = (model, params, batch, u, partition)
    order = jacobian(grad(through(*given)))
    for d in (3, 4):
        order = jacobian(order)
        expected, found = order(np.zeros(2)), taylor.summary(*given, d)
        assert np.abs(found - expected).max() <= 2.0**-36 * np.abs(expected).max()


@pytest.mark.parametrize("name", SMOOTH)
def test_remainders_of_the_taylor_model_fall_at_their_order(name):
    with precision(200):
        model, params, batch, u, _ = smooth(name)
        params, u, batch = cast((params, u, batch), "mpf")
        terms = taylor.taylor_terms(model, params, batch, u, 5)

        def remainder(order, t):
            at = nets.layers(tuple(p + t * v for p, v in zip(nets.tensors(params), nets.tensors(u), strict=True)), params)
            loss = nets.mean_loss(model, nets.forward(model, at, batch.x).output, batch.y)
            return loss - sum(terms[d] * t**d / factorial(d) for d in range(order + 1))

        t = mpmath.mpf(2) ** -24
        for order in range(5):
            quotient = remainder(order, t) / (terms[order + 1] * t ** (order + 1) / factorial(order + 1))
            assert abs(quotient - 1) < mpmath.mpf(2) ** -8


def test_discrete_partition_is_the_hessian():
    model, params, batch, u, _ = problem("trivial")
    ones = nets.layers(tuple(0 * t + 1 for t in nets.tensors(u)), u)
    g_bar, H_bar, _ = taylor.summaries(model, params, batch, ones, taylor.discrete(params))
    grad_now = nets.backward(model, params, nets.forward(model, params, batch.x), batch.y).grad
    assert list(g_bar) == [v for t in nets.tensors(grad_now) for v in t.ravel()]
    v = [w for t in nets.tensors(u) for w in t.ravel()]
    _, H_u, _ = taylor.summaries(model, params, batch, u, taylor.trivial(params))
    assert sum(v[i] * v[j] * H_bar[i, j] for i in range(len(v)) for j in range(len(v))) == H_u[0, 0]


def test_any_partition_is_the_sum_over_a_finer_one():
    model, params, batch, u, _ = problem("trivial")
    P = sum(t.size for t in nets.tensors(params))
    rng = np.random.default_rng(5)
    shuffled = rng.permutation(P)
    partition = [shuffled[:7].tolist(), tuple(shuffled[7:9].tolist()), shuffled[9:]]
    fine_g, fine_H, _ = taylor.summaries(model, params, batch, u, taylor.discrete(params))
    g_bar, H_bar, D3_diag = taylor.summaries(model, params, batch, u, partition)
    assert list(g_bar) == [sum(fine_g[i] for i in I) for I in partition]
    assert (H_bar == np.array([[sum(fine_H[i, j] for i in I for j in J) for J in partition] for I in partition])).all()
    D3 = taylor.summary(model, params, batch, u, partition, 3)
    assert (D3_diag == np.einsum("iii->i", D3)).all()


def test_kinks_take_the_stated_side():
    model = nets.mlp((1, 1, 1), ("relu", "linear"), "mse")
    params = cast((Layer(np.ones((1, 1)), np.zeros(1)), Layer(np.ones((1, 1)), np.zeros(1))), "fraction")
    u = cast((Layer(np.ones((1, 1)), np.ones(1)), Layer(np.zeros((1, 1)), np.zeros(1))), "fraction")
    batch = cast(nets.Batch(np.zeros((1, 1)), np.ones((1, 1))), "fraction")
    g_bar, H_bar, D3_diag = taylor.summaries(model, params, batch, u, taylor.canonical(params))
    assert not any((*g_bar, *H_bar.ravel(), *D3_diag))                                    # h = 0: φ′(0) = 0 at every order
    pooled = nets.cnn((1, 1, 2), (MaxPool((1, 2)), Flatten(), Dense(1)), "mse")
    tie = cast((Layer(np.ones((1, 1)), np.zeros(1)),), "fraction")
    _, H_bar, _ = taylor.summaries(pooled, tie, cast(nets.Batch(np.full((1, 1, 1, 2), 3.0), np.zeros((1, 1))), "fraction"), tie,
                                   taylor.trivial(tie))
    assert H_bar[0, 0] == 9
    elu = nets.mlp((1, 1), ("elu",), "mse")
    at_0 = (Layer(np.zeros((1, 1)), np.zeros(1)),)
    along = (Layer(np.zeros((1, 1)), np.ones(1)),)
    terms = taylor.taylor_terms(elu, at_0, nets.Batch(np.zeros((1, 1)), np.zeros((1, 1))), along, 3)
    assert list(terms) == [0, 0, 1, 3]                                                    # ½ (e^t − 1)² = t²/2 + t³/2 + …


def test_partitions_by_name():
    params = nets.init(nets.mlp((2, 3, 1, 2), ("tanh", "tanh", "linear"), "mse"), 0)       # W 6, b 3, W 3, b 1, W 2, b 2
    assert [I.tolist() for I in taylor.canonical(params)] == [
        [*range(6)], [6, 7, 8], [9, 10, 11], [12], [13, 14], [15, 16]]
    assert [I.tolist() for I in taylor.trivial(params)] == [[*range(17)]]
    assert [I.tolist() for I in taylor.discrete(params)] == [[p] for p in range(17)]
    assert [I.tolist() for I in taylor.by_role(params)] == [[*range(6), 9, 10, 11, 13, 14], [6, 7, 8, 12, 15, 16]]
    assert [I.tolist() for I in taylor.by_layer(params)] == [[*range(9)], [9, 10, 11, 12], [13, 14, 15, 16]]
    assert [I.tolist() for I in taylor.by_depth_and_role(params, 2)] == [
        [*range(6), 9, 10, 11], [6, 7, 8, 12], [13, 14], [15, 16]]
    deep = nets.init(nets.mlp((2,) * 101, ("tanh",) * 100, "mse"), 0)
    assert [I.size for I in taylor.by_depth_and_role(deep, 5)] == [80, 40] * 5


@pytest.mark.parametrize(("partition", "message"), [
    ([], r"partition: expected at least one subset .* got none"),
    ([[0, 1], []], r"partition\[1\]: expected a vector of integers, not empty"),
    ([[0, 1, 2], [2, 3]], r"partition\[1\]: expected parameters that are in no other subset, each once .* got parameter 2 again"),
    ([[0, 1, 1], [2, 3]], r"partition\[0\]: expected parameters that are in no other subset, each once .* got parameter 1 again"),
    ([[0, 1], [3]], r"partition: expected every parameter .* got none for parameter 2"),
    ([[0, 1], [2, 4]], r"partition\[1\]: expected numbers from 0 to 3 .* got 2 to 4"),
    ([[0, 1], [2, -1]], r"partition\[1\]: expected numbers from 0 to 3 .* got -1 to 2"),
    ([[0, 1], [2.0, 3.0]], r"partition\[1\]: expected a vector of integers"),
    ([[[0, 1], [2, 3]]], r"partition\[0\]: expected a vector of integers"),
    ([[0, [1]], [2, 3]], r"partition\[0\]: expected a vector of integers, not empty .* got object of shape \(2,\)"),
    ([(i for i in range(4))], r"partition\[0\]: expected a vector of integers"),
])
def test_what_is_no_partition_is_refused(partition, message):
    model = nets.mlp((1, 1, 1), ("tanh", "linear"), "mse")
    params = nets.init(model, 0)
    batch = nets.Batch(np.ones((1, 1)), np.ones((1, 1)))
    with pytest.raises(ValueError, match=message):
        taylor.summaries(model, params, batch, params, partition)


@pytest.mark.parametrize("partition", [None, 3, (I for I in ([0, 1], [2, 3])), {0: [0, 1, 2, 3]}])
def test_what_is_no_sequence_of_subsets_is_refused(partition):
    params = nets.init(nets.mlp((1, 1, 1), ("tanh", "linear"), "mse"), 0)
    with pytest.raises(TypeError, match=r"^partition: expected a list or tuple of index sets because "):
        taylor.labels(params, partition)


def test_bad_arguments_are_refused():
    model = nets.mlp((1, 1, 1), ("tanh", "linear"), "mse")
    params = nets.init(model, 0)
    batch = nets.Batch(np.ones((1, 1)), np.ones((1, 1)))
    partition = taylor.canonical(params)
    for u, message in ((params[:1], r"u: expected 4 tensors"),
                       ((params[0], Layer(np.ones((2, 1)), np.ones(1))), r"u\[2\]: expected shape"),
                       ((params[0], Layer(np.full((1, 1), np.nan), np.ones(1))), r"u\[2\]: expected finite numbers")):
        with pytest.raises(ValueError, match=message):
            taylor.summaries(model, params, batch, u, partition)
    for u in (None, np.ones(4), 1.0, "u"):
        with pytest.raises(TypeError, match="u: expected a record a layer because "):
            taylor.summaries(model, params, batch, u, partition)
    with pytest.raises(TypeError, match="one arithmetic"):
        taylor.summaries(model, params, batch, cast(params, "float32"), partition)
    for order in (0, 1.0):
        with pytest.raises(ValueError, match="order: expected a positive integer"):
            taylor.summary(model, params, batch, params, partition, order)
        with pytest.raises(ValueError, match="order: expected a positive integer"):
            taylor.taylor_terms(model, params, batch, params, order)
    for chunks in (0, 3, 1.0):
        with pytest.raises(ValueError, match="chunks: expected an integer from 1 to 2"):
            taylor.by_depth_and_role(params, chunks)
    for groups in ([[0, 1], [1, 2, 3]], [[0, 1, 2]], [[0, 1, 2, 3], []]):
        with pytest.raises(ValueError, match="groups: expected the numbers 0 to 3"):
            taylor.grouped(params, groups)
    for groups in (None, 3, [0, 1, 2, 3], [[0.0, 1, 2, 3]], [[0, 1], None], [[0, 1], ["2", 3]]):
        with pytest.raises(TypeError, match="groups: expected lists of integers because "):
            taylor.grouped(params, groups)


TWO = np.array([[0.5], [-1.0]])
ENTRIES = {
    "summaries": lambda model, params, batch: taylor.summaries(model, params, batch, params, taylor.canonical(params)),
    "summary of order 1": lambda model, params, batch: taylor.summary(model, params, batch, params, taylor.canonical(params), 1),
    "summary of order 3": lambda model, params, batch: taylor.summary(model, params, batch, params, taylor.canonical(params), 3),
    "taylor_terms": lambda model, params, batch: taylor.taylor_terms(model, params, batch, params, 2),
    "hessian": lambda model, params, batch: hessian(model, params, batch.x, batch.y),
}
REFUSED = {
    "a float64 batch": ("float32", {}, TypeError, r"arrays: expected arrays of one arithmetic"),
    "float64 targets": ("float32", {"x": TWO.astype(np.float32)}, TypeError, r"arrays: expected arrays of one arithmetic"),
    "a Fraction batch": ("mpf", {"x": cast(TWO, "fraction"), "y": cast(TWO, "fraction")}, TypeError, r"arrays: .* one arithmetic"),
    **{f"{name} of {dtype}": ("float64", {name: np.ones((2, 1), dtype)}, TypeError, rf"arrays: expected float32 .* {dtype}")
       for name in "xy" for dtype in ("bool", "float16")},
    "integer x": ("float64", {"x": np.ones((2, 1), int)}, TypeError, r"arrays: expected float32 or float64 .* int64"),
    "integer y": ("float64", {"y": np.ones((2, 1), int)}, TypeError, r"y: expected real numbers"),
    **{f"{name} as a list": ("float64", {name: TWO.tolist()}, TypeError, r"arrays: expected arrays .* got list") for name in "xy"},
    "nan in x": ("float64", {"x": TWO * np.nan}, ValueError, r"x: expected finite numbers"),
    "inf in y": ("float64", {"y": TWO * np.inf}, ValueError, r"y: expected finite numbers"),
    "wide x": ("float64", {"x": np.ones((2, 2))}, ValueError, r"x: expected shape \('N', 1\)"),
    "an empty batch": ("float64", {"x": TWO[:0], "y": TWO[:0]}, ValueError, r"x: expected at least one example"),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(("kind", "changed", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_batches_are_refused_as_forward_and_backward_refuse_them(entry, kind, changed, error, message):
    model = nets.mlp((1, 1, 1), ("linear", "linear"), "mse")
    params, batch = cast(nets.init(model, 0), kind), nets.Batch(TWO, TWO)._replace(**changed)
    with pytest.raises(error, match=rf"^{message}"):
        ENTRIES[entry](model, params, batch)


@pytest.mark.parametrize("entry", ENTRIES)
def test_parameters_that_are_not_finite_are_refused(entry):
    model = nets.mlp((1, 1, 1), ("tanh", "linear"), "mse")
    first, second = nets.init(model, 0)
    for params, name in (((first, second._replace(b=np.full(1, np.nan))), r"params\[1\]\.b"),
                         ((first._replace(W=np.full((1, 1), np.inf)), second), r"params\[0\]\.W")):
        with pytest.raises(ValueError, match=rf"^{name}: expected finite numbers because "):
            ENTRIES[entry](model, params, nets.Batch(TWO, TWO))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_and_dtype(dtype):
    model = nets.mlp((3, 4, 2), ("relu", "linear"), "softmax_ce")
    rng = np.random.default_rng(1)
    params, x = cast((nets.init(model, 1), rng.standard_normal((5, 3))), dtype)
    labels = rng.integers(0, 2, 5)
    found = taylor.summaries(model, params, nets.Batch(x, labels), params, taylor.by_role(params))
    assert [part.dtype for part in found] == [dtype] * 3
    same = taylor.summaries(model, params, nets.Batch(x, np.eye(2, dtype=dtype)[labels]), params, taylor.by_role(params))
    assert all((a == b).all() for a, b in zip(found, same, strict=True))


def test_a_direction_of_zeros_summarises_to_zero():
    model, params, batch, u, partition = problem("mlp")
    u = (nets.Layer(0 * u[0].W, 0 * u[0].b), *u[1:])
    g_bar, H_bar, D3_diag = taylor.summaries(model, params, batch, u, partition)
    assert not any((*g_bar[:2], *H_bar[:2].ravel(), *D3_diag[:2]))
    assert any(g_bar[2:])
