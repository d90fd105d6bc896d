"""What grouped Newton, Newton's method and Cauchy's steepest descent promise: purity, awkward inputs, and clear refusals."""

from fractions import Fraction as F

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.nets import Act, BatchNorm, Conv2d, Dense, Flatten, MaxPool, taylor
from stepgauge.reference import METHODS
from stepgauge.reference.parts import cubic

NAMES = ("grouped_newton", "newton", "cauchy")
MODEL = nets.mlp((3, 2, 2), ("tanh", "linear"), "softmax_ce")
CODE = METHODS["grouped_newton"]


def problem(dtype="float64", N=6):
    rng = np.random.default_rng(3)
    batches = [nets.Batch(rng.standard_normal((N, 3)), rng.integers(0, 2, N),
                          curvature=nets.Batch(rng.standard_normal((N, 3)), rng.integers(0, 2, N))) for _ in range(3)]
    return cast((nets.init(MODEL, 0), batches), dtype)


def run(method, hyper, params, batches, model=MODEL):
    state, traces = METHODS[method].init(model, params, None, hyper), []
    for batch in batches:
        params, state, trace = METHODS[method].step(model, params, state, batch, hyper)
        traces.append(trace)
    return params, state, traces


def arrays(tree):
    if isinstance(tree, np.ndarray):
        return [tree]
    return [x for branch in tree for x in arrays(branch)] if isinstance(tree, tuple | list) else []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", NAMES)
def test_inputs_are_untouched_and_the_dtype_is_kept(method, dtype):
    params, batches = problem(dtype)
    code, hyper, model = METHODS[method], METHODS[method].Hyper(), MODEL
    if method == "newton":
        model, batches = nets.mlp((3, 2, 2), ("tanh", "linear"), "bce"), [with_probabilities(batch, dtype) for batch in batches]
    state = code.init(model, params, None, hyper)
    for given in arrays((params, batches, state)):
        given.flags.writeable = False
    new, after, trace = code.step(model, params, state, batches[0], hyper)
    assert {x.dtype for x in arrays((new, after, trace))} == {np.dtype(dtype)}
    tape = nets.forward(model, params, batches[0].x)
    again, *_ = code.step(model, params, state, batches[0], hyper, tape=tape)
    assert all((x == y).all() for x, y in zip(arrays(new), arrays(again), strict=True))
    assert not any(np.shares_memory(x, y) for x in arrays((new, after)) for y in arrays((params, batches)))


def with_probabilities(batch, dtype):
    """The batch with a 1 for its label, and so its curvature's: Newton's method has no step where a softmax's shift is free."""
    first, second = (part._replace(y=np.eye(2, dtype=dtype)[part.y]) for part in (batch, batch.curvature))
    return first._replace(curvature=second)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_newton_says_that_a_softmax_leaves_its_hessian_singular(dtype):
    params, (batch, *_) = problem(dtype)
    with pytest.raises(cubic.NoSolution, match=r"H: expected invertible .*, got one that is numerically singular"):
        run("newton", METHODS["newton"].Hyper(), params, [batch])


def test_eta_is_refreshed_every_tau_steps_and_u_in_every_step():
    params, batches = problem()
    _, state, (first, second, third) = run("grouped_newton", CODE.Hyper(tau=2), params, batches)
    assert second.e is second.H_bar is None
    assert (second.eta == first.eta).all()
    assert third.e is not None
    assert (third.eta != first.eta).any()
    assert all((a != b).any() for a, b in zip(first.u, second.u, strict=True))
    assert state.k == 3


def test_curvature_as_rows_another_batch_or_none():
    params, (batch, *_) = problem()
    rows = np.array([0, 2, 5])
    other = nets.Batch(batch.x[rows], batch.y[rows])
    hyper = CODE.Hyper()
    results = [run("grouped_newton", hyper, params, [batch._replace(curvature=c)])[2][0] for c in (rows, other, None, batch)]
    assert (results[0].e == results[1].e).all()
    assert (results[2].e == results[3].e).all()
    assert (results[0].e != results[2].e).any()


def test_batch_normalisation_and_pooling_train():
    model = nets.cnn((1, 4, 4), (Conv2d(2, 3), BatchNorm(), Act("elu"), MaxPool(2), Flatten(), Dense(2)), "softmax_ce")
    rng = np.random.default_rng(1)
    params, batch = nets.init(model, 0), nets.Batch(rng.standard_normal((8, 1, 4, 4)), rng.integers(0, 2, 8))
    hyper = CODE.Hyper(tau=1, mu_g=0, mu_eta=0, partition="by_layer")
    before = nets.backward(model, params, nets.forward(model, params, batch.x), batch.y).loss
    params, _, traces = run("grouped_newton", hyper, params, [batch] * 5, model)
    assert nets.backward(model, params, nets.forward(model, params, batch.x), batch.y).loss < before
    assert traces[0].eta.shape == (3,)


def test_a_bias_before_a_batch_normalisation_has_no_slope_and_needs_company():
    """Its gradient is 0: in floats u is rounding, which a subset of its own blows up, and one with its weights does not."""
    model = nets.cnn((1, 4, 4), (Conv2d(2, 3), BatchNorm(), Act("elu"), MaxPool(2), Flatten(), Dense(2)), "softmax_ce")
    rng = np.random.default_rng(1)
    params, batch = nets.init(model, 0), nets.Batch(rng.standard_normal((8, 1, 4, 4)), rng.integers(0, 2, 8))
    u = nets.backward(model, params, nets.forward(model, params, batch.x), batch.y).grad
    assert np.abs(u[0].b).max() <= 2.0**-50 * np.abs(u[0].W).max()
    g_bar, H_bar, _ = taylor.summaries(model, params, batch, u, taylor.canonical(params))
    lonely = g_bar[1] / H_bar[1, 1] if H_bar[1, 1] else np.inf
    assert abs(lonely) > 2.0**20 or g_bar[1] == 0                    # a step size made of rounding
    after, _, _ = run("grouped_newton", CODE.Hyper(partition="by_layer"), params, [batch], model)
    assert np.abs(after[0].b - params[0].b).max() <= 2.0**-40 * np.abs(after[0].W - params[0].W).max()


def test_a_dead_layer_does_not_move_and_does_no_harm():
    model = nets.mlp((2, 3, 2), ("relu", "linear"), "softmax_ce")
    W, b = nets.init(model, 0)[0]
    params = (nets.Layer(W, b - 100), nets.init(model, 0)[1])
    rng = np.random.default_rng(2)
    batch = nets.Batch(rng.standard_normal((4, 2)), rng.integers(0, 2, 4))
    for method in ("grouped_newton", "cauchy"):
        after, *_ = run(method, METHODS[method].Hyper(), params, [batch], model)
        assert (after[0].W == W).all()
        assert np.isfinite(after[1].b).all()
    assert run("grouped_newton", CODE.Hyper(), params, [batch], model)[2][0].e[:2].tolist() == [0, 0]


def test_newton_leaves_a_parameter_alone_whose_gradient_is_0():
    """Over ℚ: the others take the Newton step of the problem in which that one is fixed."""
    model = nets.mlp((2, 1), ("linear",), "mse")
    params = cast((nets.Layer(np.array([[1.0, 0.0]]), np.array([0.0])),), "fraction")
    batch = cast(nets.Batch(np.array([[1.0, 1], [1, -1], [2, 1]]), np.array([[2.0], [3], [0]])), "fraction")
    grad = nets.backward(model, params, nets.forward(model, params, batch.x), batch.y).grad[0]
    shift = grad.W[0, 1] / 2                                         # a target that makes ∂/∂w₂ vanish
    batch = batch._replace(y=batch.y + np.array([[2 * shift], [-2 * shift], [2 * shift]]) * F(1))
    grad = nets.backward(model, params, nets.forward(model, params, batch.x), batch.y).grad[0]
    assert grad.W[0, 1] == 0
    (after,), _, (trace,) = run("newton", METHODS["newton"].Hyper(), params, [batch], model)
    assert after.W[0, 1] == 0
    assert trace.e[1] == 0
    left = nets.backward(model, (after,), nets.forward(model, (after,), batch.x), batch.y).grad[0]
    assert (left.W[0, 0], left.b[0]) == (0, 0)
    assert left.W[0, 1] != 0


def test_newton_on_a_singular_hessian_says_so():
    model = nets.mlp((2, 1), ("linear",), "mse")
    params = cast((nets.Layer(np.array([[1.0, 2.0]]), np.array([0.0])),), "fraction")
    batch = cast(nets.Batch(np.array([[1.0, 1], [2, 2]]), np.array([[2.0], [0]])), "fraction")
    with pytest.raises(cubic.NoSolution, match="got a singular matrix"):
        run("newton", METHODS["newton"].Hyper(), params, [batch], model)


def test_at_a_stationary_point_nothing_moves():
    params, (batch, *_) = problem("float64")
    flat = tuple(nets.Layer(0 * W, 0 * b) for W, b in params)
    batch = batch._replace(x=batch.x, y=np.full((6, 2), 0.5), curvature=None)
    for method in NAMES:
        after, *_ = run(method, METHODS[method].Hyper(), flat, [batch])
        assert all((x == y).all() for x, y in zip(arrays(after), arrays(flat), strict=True))


def test_schedule_follows_torch_step_by_step():
    """λ after each loss, as torch.optim.lr_scheduler.ReduceLROnPlateau("min", factor=0.5, patience=1, threshold=0.1) has it."""
    hyper = CODE.Hyper(lam1=1, p_sch=1, f_sch=F(1, 2), threshold=F(1, 10))
    state = CODE.init(MODEL, problem()[0], None, hyper)
    seen = []
    for loss in (10.0, 9.5, 9.4, 8.9, 8.9, 8.9, 8.9, 7.0, 7.0, 7.0):
        state = CODE.schedule(state, loss, hyper)
        seen.append(float(state.lam))
    assert seen == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125]


def test_schedule_acts_every_n_sch_steps():
    hyper = CODE.Hyper(lam1=1, N_sch=2)
    state = CODE.init(MODEL, problem()[0], None, hyper)._replace(best=np.float64(1.0))
    assert CODE.schedule(state._replace(k=3), 5.0, hyper).lam == 1
    assert CODE.schedule(state._replace(k=4), 5.0, hyper).lam == 0.5


def test_presets():
    """W Appendix C: S = P and S = 1, λ_int = 0, no momentum, no positive part, λ = 1."""
    for name, partition in (("newton", "discrete"), ("cauchy", "trivial")):
        hyper = METHODS[name].Hyper()
        assert hyper._asdict() | {"partition": partition, "lam1": 1, "lam_int": 0, "mu_g": 0, "mu_eta": 0, "tau": 1,
                                  "positive": False} == hyper._asdict()
        assert METHODS[name].Hyper(lam1=2).lam1 == 2
        assert METHODS[name].Hyper(**hyper._asdict()) == hyper
        assert hyper._replace(lam1=3).partition == partition
    default = CODE.Hyper()
    assert default.mu_g == 1 - F(1, default.tau)                     # Appendix F, "Explanation"


BAD = {
    "lam1": (0, -1, float("nan"), float("inf")), "lam_int": (-F(1, 10**12), float("nan"), float("inf")),
    "mu_g": (-1, 1, float("nan")), "mu_eta": (-1, 1, float("nan")), "tau": (0, -1, 1.5), "N_sch": (0, 1.0), "p_sch": (-1, 0.5),
    "f_sch": (0, 1, float("nan")), "threshold": (-1, 1, float("nan")), "partition": ("Canonical",),
}


@pytest.mark.parametrize(("name", "bad"), [(name, bad) for name, values in BAD.items() for bad in values])
def test_hyper_parameters_out_of_range(name, bad):
    params, batches = problem()
    good = CODE.Hyper()
    state = CODE.init(MODEL, params, None, good)
    for call in (lambda hyper: CODE.init(MODEL, params, None, hyper),
                 lambda hyper: CODE.step(MODEL, params, state, batches[0], hyper),
                 lambda hyper: CODE.schedule(state, 1.0, hyper)):
        with pytest.raises(ValueError, match=rf"^{name}: expected .* because .*, got "):
            call(good._replace(**{name: bad}))


@pytest.mark.parametrize("partition", [((0, 1), (1, 2)), ((0,),), ()])
def test_partitions_that_are_none(partition):
    params, batches = problem()
    hyper = CODE.Hyper(partition=partition)
    state = CODE.init(MODEL, params, None, CODE.Hyper())
    with pytest.raises(ValueError, match=r"^partition(\[\d\])?: expected "):
        CODE.init(MODEL, params, None, hyper)
    with pytest.raises(ValueError, match=r"^partition(\[\d\])?: expected "):
        CODE.step(MODEL, params, state, batches[0], hyper)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf"), np.asarray(np.nan), None, "a", np.ones(2)])
@pytest.mark.parametrize("kind", ["float32", "float64", "fmpq"])
def test_losses_that_are_none(loss, kind):
    hyper = CODE.Hyper()
    state = CODE.init(MODEL, cast(problem()[0], kind), None, hyper)
    with pytest.raises(ValueError, match=r"^loss: expected a finite number because it is compared with the best so far, got "):
        CODE.schedule(state, loss, hyper)


def test_a_sample_in_another_arithmetic_is_refused():
    params, (batch, *_) = cast(problem(), "float32")
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic"):
        CODE.step(MODEL, params, CODE.init(MODEL, params, None, CODE.Hyper()),
                  batch._replace(curvature=cast(nets.Batch(batch.x, batch.y), "float64")), CODE.Hyper())


@pytest.mark.parametrize("curvature", [
    np.array([0, 6]), np.array([-1]), np.array([0.0]), np.array([[0]]), "all", np.array([], dtype=int)])
def test_curvature_that_names_no_examples(curvature):
    params, (batch, *_) = problem()
    state = CODE.init(MODEL, params, None, CODE.Hyper())
    with pytest.raises((ValueError, TypeError), match=r"^curvature: expected "):
        CODE.step(MODEL, params, state, batch._replace(curvature=curvature), CODE.Hyper())


def test_data_that_are_not_finite():
    params, (batch, *_) = problem()
    state = CODE.init(MODEL, params, None, CODE.Hyper())
    bad = batch._replace(x=np.full_like(batch.x, np.nan))
    for given in (bad, batch._replace(curvature=bad)):
        with pytest.raises(ValueError, match="x: expected finite numbers"):
            CODE.step(MODEL, params, state, given, CODE.Hyper())


def test_partition_of_every_kind_gives_the_same_first_step_along_its_own_subsets():
    """By definition: θ moves by λ η_s u_s, so any partition's step lies in the span of the finer one's."""
    params, (batch, *_) = problem()
    for name in ("canonical", "by_role", "trivial"):
        after, _, (trace,) = run("grouped_newton", CODE.Hyper(partition=name), params, [batch])
        label = taylor.labels(params, CODE.PARTITIONS[name](params))
        for old, new, u, l in zip(nets.tensors(params), nets.tensors(after), trace.u, label, strict=True):
            assert (new == old - np.float64(0.1) * (trace.eta[l] * u)).all()
