"""Levenberg-Marquardt: ρ, what λ makes of it, Theorem 6's variant, and what is refused."""

from fractions import Fraction as F
from itertools import pairwise

import numpy as np
import pytest
from problems import METHODS_5, hyper_of, problem, vector
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.reference.parts import levenberg_marquardt as lm

MODEL = nets.mlp((3, 4, 2), ("tanh", "linear"), "mse")


def floats(N=6, seed=0, model=MODEL):
    rng = np.random.default_rng(seed)
    return nets.init(model, seed), nets.Batch(rng.standard_normal((N, model.input_shape[0])), rng.standard_normal((N, 2)),
                                              rng.standard_normal((N, 2)), np.arange(0, N, 2))


@pytest.mark.parametrize("kind", ["fraction", "fmpq"])
def test_lambda_follows_rho(kind):
    """ρ < ε boosts, ρ > 1 − ε drops, both bounds themselves change nothing (Section 5.2.3)."""
    tiny, eps = F(1, 10**30), F(1, 4)
    for rho, factor in ((-5, F(3, 2)), (eps - tiny, F(3, 2)), (eps, 1), (F(1, 2), 1), (1 - eps, 1), (1 - eps + tiny, F(2, 3)),
                        (7, F(2, 3))):
        lam_LM, rho = cast(np.array([F(5, 7), F(rho)], dtype=object), kind)
        found = lm.adapted(lam_LM, rho, eps=eps, boost=F(3, 2), drop=F(2, 3))
        assert found == cast(np.array([F(5, 7) * factor], dtype=object), kind)[0]


def test_ratio_and_what_has_none():
    """DEV-LM-1 and DEV-LM-2: 0/0 changes nothing; an f that is not finite, or a model that foretells no reduction, is refused."""
    one = np.float64(1)
    assert lm.reduction_ratio(3 * one, 2 * one, 4 * one) == 0.25
    assert lm.reduction_ratio(2 * one, 3 * one, 4 * one) == -0.25
    assert lm.reduction_ratio(one, one, 0 * one) == 0.5
    for f_p, foretold in ((np.inf, 1), (np.nan, 1), (0.5, -1), (0.5, np.nan), (2, -1)):
        rho = lm.reduction_ratio(one, f_p * one, foretold * one)
        assert rho == -np.inf
        assert lm.adapted(one, rho, eps=F(1, 4), boost=2, drop=F(1, 2)) == 2
    for eps in (F(1, 10**9), F(1, 4), F(499, 1000)):
        assert lm.adapted(one, lm.reduction_ratio(one, one, 0 * one), eps=eps, boost=2, drop=F(1, 2)) == 1


@pytest.mark.parametrize("kind", ["fraction", "fmpq"])
def test_no_rational_is_a_ratio_of_minus_infinity(kind):
    f, f_p, foretold = cast(np.array([F(1), F(1, 2), F(-1)], dtype=object), kind)
    with pytest.raises(ValueError, match=r"^foretold: expected a number >= 0 because ρ would be −∞, .* got -1$"):
        lm.reduction_ratio(f, f_p, foretold)
    assert lm.reduction_ratio(f, f_p, -foretold) == f_p


@pytest.mark.parametrize("method", METHODS_5)
def test_at_a_stationary_point_nothing_moves(method):
    """g = 0, hence p = 0: ρ = 1/2, λ as it was, θ to the bit."""
    params, batch = floats()
    batch = batch._replace(y=nets.forward(MODEL, params, batch.x).output)
    for accept, alpha in ((None, F(1, 2)), (F(1, 8), 1)):
        hyper = hyper_of(method, accept=accept, alpha=alpha)
        state = METHODS[method].init(MODEL, params, batch, hyper)
        new, after, trace = METHODS[method].step(MODEL, params, state, batch, hyper)
        assert (trace.rho, after.lam_LM) == (0.5, state.lam_LM)
        assert (vector(new) == vector(params)).all()
        assert not any(vector(trace.p))


@pytest.mark.parametrize("method", METHODS_5)
def test_a_step_into_overflow_is_foretold_badly(method):
    """f(θ + p) = ∞: ρ = −∞, λ grows; Theorem 6's variant stays where it is."""
    model = nets.mlp((2, 2, 2), ("linear", "linear"), "mse")
    params, batch = floats(model=model)
    big = tuple(nets.Layer(1e75 * layer.W, layer.b) for layer in params)
    hyper = hyper_of(method, accept=F(1, 8), alpha=1, lam_LM=F(1, 10**9), tau=F(1, 10**9))
    if method == "hessian_free":
        hyper = hyper._replace(iterations=1)
    state = METHODS[method].init(model, big, batch, hyper)
    with np.errstate(all="ignore"):
        try:
            new, after, trace = METHODS[method].step(model, big, state, batch, hyper)
        except (ArithmeticError, ValueError):
            return                      # an overflow before ρ: refused, and nothing has been changed
    assert trace.rho < 1
    assert after.lam_LM in (state.lam_LM, 1.5 * state.lam_LM)
    assert np.isfinite(vector(new)).all()


@pytest.mark.parametrize("method", METHODS_5)
@pytest.mark.parametrize("loss", ["mse", "softmax_ce"])
def test_theorem_6_on_small_problems(method, loss):
    """Full gradient, α = 1, steps with ρ ≥ η only: f never grows, ‖g‖ → 0, and λ_t stays below boost · Λ + τ.

    A linear net has ∇²f of the same bounds as B for Gauss-Newton; Fisher matrices are bounded as the iterates are. S₂ changes from
    step to step. It ends where ‖g‖ has fallen by 1e5: once f no longer shows a step in its digits, ρ is noise and λ grows.
    """
    rng = np.random.default_rng(3)
    model = nets.mlp((3, 2), ("linear",), loss)
    params, x = nets.init(model, 3), rng.standard_normal((12, 3))
    y = x @ rng.standard_normal((3, 2)) + 0.1 * rng.standard_normal((12, 2)) if loss == "mse" else rng.integers(0, 2, 12)
    hyper = METHODS[method].Hyper(alpha=1, lam_LM=1e-3, boost=2.0, drop=0.5, accept=0.1)
    state = METHODS[method].init(model, params, nets.Batch(x, y), hyper)
    f, norms, lams, moved = [], [], [], []
    while not norms or norms[-1] >= 1e-5 * norms[0]:
        assert len(norms) < 2000
        batch = nets.Batch(x, y, None, rng.permutation(12)[:4])
        f.append(float(nets.mean_loss(model, nets.forward(model, params, x).output, y)))
        before = vector(params)
        params, state, trace = METHODS[method].step(model, params, state, batch, hyper)
        norms.append(float(np.linalg.norm(vector(trace.grad))))
        lams.append(float(state.lam_LM))
        moved.append(bool((vector(params) != before).any()))
        assert moved[-1] == (trace.rho >= 0.1 and norms[-1] > 0)
    assert all(after <= before for before, after in pairwise(f))
    x_b = np.concatenate([x, np.ones((12, 1))], 1)
    beta_1 = np.linalg.norm(x_b.T @ x_b / 12, 2)                    # ‖∇²f‖ for "mse"; smaller for "softmax_ce"
    beta = max(np.linalg.norm(x_b, axis=1)) ** 2 * max(1.0, 2 * max(f))
    Lambda = (beta + beta_1) / 2 / 0.25
    assert max(lams) <= max(float(hyper.lam_LM), 2 * Lambda)
    assert any(moved)


def test_a_refused_step_leaves_the_parameters_and_boosts():
    params, batch = floats()
    hyper = METHODS["smw_gn"].Hyper(alpha=1, lam_LM=F(1, 10**8), tau=F(1, 10**8), accept=F(249, 1000))
    state = METHODS["smw_gn"].init(MODEL, params, batch, hyper)
    new, after, trace = METHODS["smw_gn"].step(MODEL, params, state, batch, hyper)
    assert trace.rho < 0.249
    assert (vector(new) == vector(params)).all()
    assert after.lam_LM > state.lam_LM
    free, _, _ = METHODS["smw_gn"].step(MODEL, params, state, batch, hyper._replace(accept=None))
    assert (vector(free) != vector(params)).any()


# ---------------------------------------------------------------------------------------------------------------- bad input

NAN, INF = float("nan"), float("inf")
OUT_OF_RANGE = [
    ("lam_LM", (0, -1, NAN, INF), "a positive number because boosting 0 leaves 0"),
    ("tau", (0, -1, NAN, INF), r"a positive number because it keeps B \+ λI invertible"),
    ("eps", (0, -1, F(1, 2), 1, NAN), r"a number in \(0, 1/2\) because "),
    ("boost", (1, 0, F(99, 100), NAN, INF), "a number > 1 because a bad step"),
    ("drop", (0, 1, F(101, 100), -1, NAN), r"a number in \(0, 1\) because a good step"),
    ("accept", (0, F(1, 4), 1, NAN), r"a number in \(0, ε\) because "),
    ("eta", (-1, NAN), "a number >= 0 because it weighs a penalty"),
    ("alpha", (0, -1, NAN, INF), "a positive number because a step goes down"),
]


@pytest.mark.parametrize(("name", "values", "text"), OUT_OF_RANGE)
@pytest.mark.parametrize("method", METHODS_5)
def test_hyper_parameters_out_of_range(method, name, values, text):
    params, batch = floats()
    code, hyper = METHODS[method], METHODS[method].Hyper()
    state = code.init(MODEL, params, batch, hyper)
    for value in values:
        with pytest.raises(ValueError, match=rf"^{name}: expected {text}"):
            code.step(MODEL, params, state, batch, hyper._replace(**{name: value}))
        if name not in ("alpha", "eta"):
            with pytest.raises(ValueError, match=rf"^{name}: expected {text}"):
                code.init(MODEL, params, batch, hyper._replace(**{name: value}))


def test_choices_that_there_are_not():
    params, batch = floats()
    of_hf = [("iterations", 0), ("iterations", 2.5), ("progress", -1), ("progress", 1), ("preconditioner", "jacobi")]
    for method, name, value in (("smw_gn", "B", "fisher"), ("smw_ng", "blocks", "diagonal"),
                                *(("hessian_free", *choice) for choice in of_hf)):
        with pytest.raises(ValueError, match=rf"^{name}: expected "):
            METHODS[method].init(MODEL, params, batch, METHODS[method].Hyper()._replace(**{name: value}))
    for method in METHODS_5:
        with pytest.raises(ValueError, match=r"^alpha: expected 1 because ρ"):
            METHODS[method].init(MODEL, params, batch, METHODS[method].Hyper(accept=F(1, 8)))


@pytest.mark.parametrize("method", METHODS_5)
def test_examples_that_are_not_there(method):
    """An index outside the batch, N₂ = 0, numbers that are no indices; drawn targets that are missing."""
    params, batch = floats()
    code, hyper = METHODS[method], METHODS[method].Hyper()
    state = code.init(MODEL, params, batch, hyper)
    for rows in (np.array([6]), np.array([-1, 0]), np.array([], dtype=np.int64), np.array([0.0]), np.array([[1, 2]])):
        with pytest.raises(ValueError, match=r"^curvature: expected "):
            code.step(MODEL, params, state, batch._replace(curvature=rows), hyper)
    if method != "hessian_free":
        with pytest.raises(ValueError, match=r"^y_sampled: expected targets drawn by nets.sample_targets because "):
            code.step(MODEL, params, state, batch._replace(y_sampled=None), hyper._replace(B="sampled_fisher"))
    with pytest.raises(ValueError, match=r"^x: expected finite numbers"):
        code.step(MODEL, params, state, batch._replace(x=np.full((6, 3), NAN)), hyper)
    with pytest.raises(ValueError, match=r"^y: expected "):
        code.step(MODEL, params, state, batch._replace(y=batch.y[:4]), hyper)
    normalised = nets.cnn((2, 3, 3), (nets.Conv2d(2, 3), nets.BatchNorm(), nets.Flatten(), nets.Dense(2)), "mse")
    with pytest.raises(ValueError, match=r"^model: expected no BatchNorm because "):
        code.init(normalised, nets.init(normalised, 0), batch, hyper)


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("method", METHODS_5)
def test_pure_and_in_one_dtype(method, kind):
    """Inputs are read-only, a tape changes no bit, results have the dtype and shapes, and share no memory with what went in."""
    params, batch = cast(floats(), kind)
    arrays = [*nets.tensors(params), batch.x, batch.y, batch.y_sampled, batch.curvature]
    for array in arrays:
        array.setflags(write=False)
    code, hyper = METHODS[method], METHODS[method].Hyper()
    state = code.init(MODEL, params, batch, hyper)
    new, after, trace = code.step(MODEL, params, state, batch, hyper)
    with_tape = code.step(MODEL, params, state, batch, hyper, tape=nets.forward(MODEL, params, batch.x))
    assert (vector(new) == vector(with_tape[0])).all()
    assert [layer.W.shape for layer in new] == [(4, 3), (2, 4)]
    assert (type(after), type(trace)) == (code.State, code.Trace)
    found = [value for field in trace for value in (field if isinstance(field, tuple) else (field,))] + [after.lam_LM]
    assert {value.dtype.name for value in found} == {kind}
    assert not any(np.shares_memory(value, array) for value in (*found, *nets.tensors(new)) for array in arrays)


def test_defaults_are_those_of_section_5_8():
    for method in METHODS_5:
        hyper = METHODS[method].Hyper()
        assert (hyper.alpha, hyper.lam_LM, hyper.boost, hyper.drop, hyper.eps, hyper.tau, hyper.accept, hyper.eta) == (
            F(1, 10), 1, F(101, 100), F(99, 100), F(1, 4), F(1, 1000), None, 0)
    assert [METHODS[method].Hyper()[:2] for method in METHODS_5[:3]] == [
        ("gauss_newton", "whole"), ("empirical_fisher", "whole"), ("empirical_fisher", "layers")]


def test_problems_are_exact():
    params, batch = problem(nets.mlp((2, 3, 2), ("relu", "linear"), "mse"), 3, 0)
    assert {type(value).__name__ for value in (*batch.x.ravel(), *params[0].W.ravel())} == {"fmpq"}
