"""Everything in `nets` and `reference` a second time on the guard: equal to NumPy's bit for bit, errors included."""

import dataclasses

import numpy as np
import pytest
from parity import assert_alike, fails, moved, on_host, outcome
from stepgauge import nets
from stepgauge.arrays import namespace
from stepgauge.reference import METHODS
from stepgauge.reference.parts import damping, descent, kronecker, lbfgs, quasi_newton, roots, smw, tensor_normal, tensors
from stepgauge.verify import cases
from stepgauge.verify.cases import optional, suite

DTYPES = ("float32", "float64")
SMALL = {"newton": ("quadratic", "saddle")}
VARIANTS = {"sgd_m": {"momentum": "heavy_ball"}, "kbfgs20": {"H_a_start": "identity", "double_grad": True}}


def trajectory(case, params, data, batches):
    """Parameters, state and trace of the start and of every step."""
    method = METHODS[case.method]
    state = method.init(case.model, params, data, case.hyper)
    run = [state]
    for batch in batches:
        params, state, trace = method.step(case.model, params, state, batch, case.hyper)
        run.append((params, state, trace))
    return run


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_methods_step_alike(cupy, method, dtype):
    everything = (*suite(method), *optional(method))
    names = everything if cupy.__version__.startswith("13") == (dtype == "float32") else SMALL.get(method, ("plain", "labels"))
    chosen = list(cases(method, names, dtype))
    if method in VARIANTS:
        chosen.append(dataclasses.replace(chosen[0], hyper=chosen[0].hyper._replace(**VARIANTS[method])))
    for case in chosen:
        run = assert_alike(cupy, trajectory, case, case.params, case.data, case.batches)
        assert not fails(run)


# Of the third step, on "plain" (two layers) and "labels" (three, and labels on the device): how many copies go to the device
# (constants), how many come back (questions that a decision hangs on).
COPIES = {
    "sgd_m": {"plain": (2, 10), "labels": (2, 15)},
    "adam": {"plain": (4, 10), "labels": (4, 15)},
    "rmsprop": {"plain": (4, 10), "labels": (4, 15)},
    "kbfgs20": {"plain": (4, 18), "labels": (4, 27)},
    "kbfgs20_l": {"plain": (4, 26), "labels": (4, 39)},
    "kbfgs20_l_skip": {"plain": (4, 32), "labels": (4, 48)},
    "kfac20": {"plain": (3, 7), "labels": (3, 17)},
    "kbfgs": {"plain": (6, 16), "labels": (7, 24)},
    "kbfgs_l": {"plain": (6, 24), "labels": (7, 36)},
    "kbfgs_l_exact": {"plain": (7, 20), "labels": (9, 30)},
    "kfac": {"plain": (3, 7), "labels": (3, 26)},
    "kfac_ef": {"plain": (3, 7), "labels": (3, 26)},
    "tnt": {"plain": (4, 15), "labels": (4, 36)},
    "tnt_ef": {"plain": (4, 10), "labels": (4, 36)},
    "tnt_ideal": {"plain": (2, 27), "labels": (2, 43)},
    "shampoo": {"plain": (3, 10), "labels": (30, 207)},  # "labels" has roots to compute: a question or two an iteration
    "block_fisher": {"plain": (3, 9), "labels": (3, 14)},
    "smw_gn": {"plain": (8, 23), "labels": (8, 30)},
    "smw_ng": {"plain": (8, 24), "labels": (8, 33)},
    "smw_ng_bd": {"plain": (8, 25), "labels": (8, 35)},
    "hessian_free": {"plain": (7, 43), "labels": (7, 45)},
    "grouped_newton": {"plain": (9, 45), "labels": (9, 112)},
    "newton": {"quadratic": (89, 45), "saddle": (100, 55)},
    "cauchy": {"plain": (9, 39), "labels": (9, 51)},
}


def test_copies_are_counted_for_every_method():
    assert COPIES.keys() == METHODS.keys()


@pytest.mark.parametrize(("method", "name"), [(method, name) for method in COPIES for name in COPIES[method]])
def test_copies_of_one_step(cupy, method, name):
    case, = cases(method, [name])
    params, data, batches = moved((case.params, case.data, case.batches), cupy)
    state = METHODS[method].init(case.model, params, data, case.hyper)
    for batch in batches[:3]:
        cupy._rules.copies.clear()
        params, state, _ = METHODS[method].step(case.model, params, state, batch, case.hyper)
    assert (cupy._rules.copies["to device"], cupy._rules.copies["to host"]) == COPIES[method][name]


def bad_batches(batch):
    """A batch of the "labels" case, spoiled in one place each."""
    nan = batch.x.copy()
    nan[1, 2] = np.nan
    yield batch._replace(x=nan)
    yield batch._replace(x=batch.x[:, :-1])
    yield batch._replace(x=batch.x[:0])
    yield batch._replace(x=batch.x.astype(np.float32))
    yield batch._replace(x=batch.y)
    yield batch._replace(y=batch.y + 1)
    yield batch._replace(y=batch.y - 1)
    yield batch._replace(y=batch.y[:-1])
    yield batch._replace(y=np.ones((len(batch.x), 2)))
    yield batch._replace(y=np.full((len(batch.x), 2), np.nan))
    yield batch._replace(y=np.full((len(batch.x), 2), -0.5))
    yield batch._replace(y=np.ones((len(batch.x), 2), dtype=np.float32))


@pytest.mark.parametrize("method", METHODS)
def test_methods_refuse_alike(cupy, method):
    case = cases(method, ["labels"])[0]
    for batch in bad_batches(case.batches[0]):
        assert fails(assert_alike(cupy, trajectory, case, case.params, case.data, (batch,)))
    wrong = (nets.Layer(case.params[0].W.T, case.params[0].b), *case.params[1:])
    assert fails(assert_alike(cupy, trajectory, case, wrong, case.data, case.batches))


@pytest.mark.parametrize("method", METHODS)
def test_methods_refuse_a_host_array_among_device_arrays(cupy, method):
    case = cases(method, ["plain"])[0]
    batch = case.batches[0]
    mixed = [(case.params, moved(batch, cupy)), (moved(case.params, cupy), batch),
             (moved(case.params, cupy), moved(batch, cupy)._replace(y=batch.y)),
             ((moved(case.params[0], cupy), *case.params[1:]), moved(batch, cupy))]
    for params, batch in mixed:
        with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic .* got .*(numpy|<CUDA Device 0>)"):
            trajectory(case, params, batch, [batch])


def _arguments(dtype):
    """Good arguments by name: n = 4; a pair with sᵀy > 0; definite H, B, A; an order-3 tensor."""
    rng = np.random.default_rng(5)
    square = rng.standard_normal((4, 4))
    s = rng.standard_normal(4)
    given = {"s": s, "y": 0.1 * s + 0.01 * rng.standard_normal(4), "H": square @ square.T + np.eye(4), "a": rng.standard_normal(4),
             "X": rng.standard_normal((4, 3)), "T": rng.standard_normal((4, 3, 2)), "U": rng.standard_normal((5, 3)),
             "J": rng.standard_normal((4, 6)), "g": rng.standard_normal(6)}
    given["A"] = given["B"] = given["H"] + np.eye(4)
    return {name: value.astype(dtype) for name, value in given.items()}


def limited_memory(s, y, X):
    """A Memory of two pairs out of three, applied."""
    H = lbfgs.empty(s.shape[0], 2, s)
    for k in range(3):
        H = lbfgs.updated(H, s, (k + 1) * y)
    return H, H @ X, H @ X[:, 0], lbfgs.updated(H, 0 * s, 0 * y)


PARTS = {
    "powell_on_B": (lambda s, y, B: damping.powell_on_B(s, y, B, mu=0.5), "syB"),
    "powell_on_H": (lambda s, y, H: damping.powell_on_H(s, y, H, mu=0.5), "syH"),
    "powell_identity": (lambda s, y: damping.powell_identity(s, y, mu=0.5), "sy"),
    "double_damping": (lambda s, y, H: damping.double_damping(s, y, H, mu1=0.5, mu2=0.9), "syH"),
    "dp_dlm": (lambda s, y, H: damping.dp_dlm(s, y, H, mu1=0.5, mu2=0.9), "syH"),
    "dpi_dlm": (lambda s, y: damping.dpi_dlm(s, y, mu1=0.5, mu2=0.9), "sy"),
    "bfgs_H": (quasi_newton.bfgs_H, "Hsy"),
    "bfgs_B": (quasi_newton.bfgs_B, "Bsy"),
    "dfp_H": (quasi_newton.dfp_H, "Hsy"),
    "broyden_H": (lambda H, s, y: quasi_newton.broyden_H(H, s, y, phi=0.25), "Hsy"),
    "hessian_action_pair": (quasi_newton.hessian_action_pair, "HaA"),
    "smw_with_inverse": (lambda J, H, g: smw.solve_with_inverse(0.5, J, H, g, N2=2), "JHg"),
    "smw_without_inverse": (lambda J, H, g: smw.solve_without_inverse(0.5, J, H, g, N2=2), "JHg"),
    "vec": (tensors.vec, "T"),
    "vec_columns": (tensors.vec_columns, "X"),
    "mat": (lambda T: tensors.mat(T, 2), "T"),
    "contraction": (lambda T: tensors.contraction(T, 3), "T"),
    "mode_product": (lambda T, U: tensors.mode_product(T, U, 2), "TU"),
    "mode_products": (lambda T, H, U: tensors.mode_products(T, [H, U, U[:, :2]]), "THU"),
    "tensors.kron": (tensors.kron, "XHU"),
    "inverse_root": (lambda H: tuple(roots.inverse_root(H, p) for p in (1, 3, 4)), "H"),
    "coupled_newton": (lambda H: roots.coupled_newton(H, 2), "H"),
    "identify": (lambda H: tensor_normal.identify((H, H)), "H"),
    "moments": (lambda H, A: tensor_normal.moments((H, A)), "HA"),
    "log_density": (lambda X, H: tensor_normal.log_density(X, 0 * X, (H, H[:3, :3])), "XH"),
    "sample": (lambda X, H: tensor_normal.sample(0 * X, (H, H[:3, :3]), X), "XH"),
    "contractions": (lambda T: tensor_normal.contractions((T[None],), "3-way"), "T"),
    "preconditioned": (lambda T, H: tensor_normal.preconditioned((T,), ((H, H[:3, :3], H[:2, :2]),), "4-way"), "TH"),
    "as_modes": (lambda T: tensor_normal.from_modes(tensor_normal.as_modes(T[None], "3-way"), (1, *T.shape), "3-way"), "T"),
    "limited_memory": (limited_memory, "syX"),
    "triu": (lambda H: namespace(H).triu(H), "H"),
    "updated": (lbfgs.updated, "Hsy"),
    "descend": (lambda s, y: descent.descend(s, y, namespace(s).const(0.5), 0.25), "sy"),
    "learning_rate": (lambda s: descent.learning_rate(descent.StepDecay(0.3, 0.7, 2), 5, s), "s"),
    "join": (lambda H, s: kronecker.join(nets.Layer(H, s)), "Hs"),
    "split": (lambda H: kronecker.split((nets.Layer(H[:, :-1], H[0]),), [H]), "H"),
    "mean": (kronecker.mean, "T"),
    "second_moment": (kronecker.second_moment, "T"),
    "damped": (lambda A: kronecker.damped(A, namespace(A).const(0.5)), "A"),
    "joined_gradient": (lambda T: kronecker.joined_gradient((T,), (T,), (nets.Layer(T[0, :2, :1], T[0, 0]),), 0.25), "T"),
    "over_data": (lambda X, T: kronecker.over_data((nets.Batch(X, X), nets.Batch(T, T)), lambda batch: (batch.x.sum(),)), "XT"),
    "inv": (lambda H: namespace(H).inv(H), "H"),
    "solve": (lambda H, X: namespace(H, X).solve(H, X), "HX"),
    "cholesky": (lambda H: namespace(H).cholesky(H), "H"),
    "eigh": (lambda H: tuple(namespace(H).eigh(H)), "H"),
    "kron": (lambda H, X: namespace(H, X).kron(H, X), "HX"),
    "elementary": (lambda X: tuple(getattr(namespace(X), name)(X) for name in
                                   ("logistic", "softplus", "softmax", "logsumexp", "exp", "expm1", "tanh", "abs", "sqrt")), "X"),
    "questions": (lambda H: [getattr(namespace(H), name)(H) for name in ("all_finite", "symmetric", "positive_definite")], "H"),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PARTS)
def test_parts_work_alike(cupy, name, dtype):
    function, letters = PARTS[name]
    given = _arguments(dtype)
    assert not fails(assert_alike(cupy, function, *(given[letter] for letter in letters)))


def spoiled(x):
    """A good argument in the ways it can be bad."""
    nan, infinite = x.copy(), x.copy()
    nan.flat[-2], infinite.flat[0] = np.nan, np.inf
    yield from (nan, infinite, x[:-1], x[:0], x[None], x.astype(np.int64), x.astype(np.float16), 0 * x, -x)
    yield x.astype({"float32": "float64", "float64": "float32"}[x.dtype.name])
    if x.shape == (4, 4):
        singular, crooked, indefinite, last = (x.copy() for _ in range(4))
        singular[:, 3], crooked[0, 3], indefinite[1, 1] = singular[:, 2], crooked[0, 3] + 1, -indefinite[1, 1]
        last[3, 3] = x[3, :3] @ np.linalg.solve(x[:3, :3], x[:3, 3]) - 1
        yield from (singular, singular + singular.T, crooked, indefinite, last, np.ones_like(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PARTS)
def test_parts_refuse_alike(cupy, name, dtype):
    function, letters = PARTS[name]
    good = [_arguments(dtype)[letter] for letter in letters]
    for k, x in enumerate(good):
        for bad in spoiled(x):
            assert_alike(cupy, function, *good[:k], bad, *good[k + 1:])


@pytest.mark.parametrize("name", [name for name, (_, letters) in PARTS.items() if len(letters) > 1 and name != "over_data"])
def test_parts_refuse_a_host_array_among_device_arrays(cupy, name):
    function, letters = PARTS[name]
    good = [_arguments("float64")[letter] for letter in letters]
    for k in range(len(good)):
        mixed = [x if i == k else moved(x, cupy) for i, x in enumerate(good)]
        with pytest.raises(TypeError):
            function(*mixed)


def passes(model, params, x, y, seed):
    """Everything that `nets` computes from a batch, and draws."""
    tape = nets.forward(model, params, x)
    drawn = nets.sample_targets(model, tape.output, np.random.default_rng(seed))
    return [tape, nets.backward(model, params, tape, y), nets.output_hessian(model, tape.output), drawn,
            nets.backward(model, params, tape, drawn)]


def one_example(model, params, x, y):
    """R Algorithms 1, 17 and 18 on one example."""
    names = [record.name for record in model.layers[1::2]]
    W_b = kronecker.joined(params)
    h, v = nets.single.forward(params, names, x)
    return [nets.single.forward_backward(W_b, names, model.loss, x, y), h, v,
            nets.single.backward(params, names, model.loss, h, v, y)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["mse", "bce", "softmax_ce"])
@pytest.mark.parametrize("activation", ["linear", "relu", "logistic", "tanh", "elu"])
def test_nets_work_alike(cupy, activation, loss, dtype):
    rng = np.random.default_rng(11)
    model = nets.mlp((3, 5, 4), (activation, "linear"), loss)
    params = tuple(nets.Layer(W.astype(dtype), (b + 0.5).astype(dtype)) for W, b in nets.init(model, 3))
    x = rng.standard_normal((6, 3)).astype(dtype)
    soft = rng.random((6, 4))
    y = (soft / soft.sum(axis=1, keepdims=True)).astype(dtype)
    assert not fails(assert_alike(cupy, passes, model, params, x, y, seed=1))
    assert not fails(assert_alike(cupy, one_example, model, params, x[0], y[0]))
    if loss == "softmax_ce":
        labels = rng.integers(0, 4, 6)
        expected = assert_alike(cupy, passes, model, params, x, labels, seed=2)
        assert not fails(expected)
        device = outcome(passes, model, *moved((params, x), cupy), labels, seed=2)      # labels may stay on the host
        assert not on_host(device)
        assert [found.numpys.tobytes() for found in device[1].g] == [g.tobytes() for g in expected[1].g]


CNNS = {
    "lenet": ((1, 8, 9), (nets.Conv2d(2, 5), nets.Act("tanh"), nets.AvgPool(2), nets.Conv2d(3, 3, padding="valid"),
                          nets.Act("relu"), nets.Flatten(), nets.Dense(4))),
    "vgg": ((2, 6, 5), (nets.Conv2d(3, 3), nets.BatchNorm(), nets.Act("relu"), nets.MaxPool(2, 1), nets.Flatten(), nets.Dense(4))),
    "resnet": ((1, 5, 6), (nets.Conv2d(2, 3), nets.Residual((nets.Conv2d(3, 3, 2), nets.BatchNorm()), (nets.Conv2d(3, 1, 2),)),
                           nets.Act("elu"), nets.AvgPool((3, 3)), nets.Flatten(), nets.Dense(4))),
}


def passes_and_statistics(model, params, x, y):
    """The passes in training and in evaluation."""
    stats = nets.batch_stats(model, params, [nets.Batch(x, y), nets.Batch(x[:2], y[:2])])
    tapes = nets.forward(model, params, x), nets.forward(model, params, x, stats)
    return [stats, *tapes, *(nets.backward(model, params, tape, y) for tape in tapes)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "records"), CNNS.values(), ids=CNNS)
def test_convolutional_nets_work_alike(cupy, shape, records, dtype):
    rng = np.random.default_rng(12)
    model = nets.cnn(shape, records, "softmax_ce")
    params = tuple(type(layer)(*(tensor.astype(dtype) for tensor in layer)) for layer in nets.init(model, 3))
    x, labels = rng.standard_normal((5, *shape)).astype(dtype), rng.integers(0, 4, 5)
    assert not fails(assert_alike(cupy, passes_and_statistics, model, params, x, labels))
    for bad in (x[:0], x[:, :, :-1], x[0], x.astype(np.float16), x * np.float32("nan")):
        assert fails(assert_alike(cupy, passes_and_statistics, model, params, bad, labels))
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic "):
        nets.forward(model, moved(params, cupy), x)


@pytest.mark.parametrize("method", ["sgd_m", "adam", "rmsprop"])
def test_first_order_methods_train_convolutional_nets_alike(cupy, method):
    rng = np.random.default_rng(13)
    model = nets.small_resnet((1, 4, 4), 3, (2, 3))
    batch = nets.Batch(rng.standard_normal((5, 1, 4, 4)), rng.integers(0, 3, 5))

    def steps(params, batch):
        state = METHODS[method].init(model, params, batch, METHODS[method].Hyper())
        for _ in range(2):
            params, state, trace = METHODS[method].step(model, params, state, batch, METHODS[method].Hyper())
        return params, state, trace

    assert not fails(assert_alike(cupy, steps, nets.init(model, 1), batch))
