"""Third-party optimizers through the adapters: their verdicts and the conventions they follow."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.misc import optimizers
from stepgauge import nets, verify
from stepgauge.verify.adapters.gradients import callback_optimizer
from stepgauge.verify.adapters.torch import torch_optimizer

CASES = ["plain", "labels", "dead"]

AUTOGRAD = {
    "sgd_m": (callback_optimizer(optimizers.sgd, step_size=lambda h: h.alpha, mass=lambda h: h.beta), ()),
    "rmsprop": (
        callback_optimizer(optimizers.rmsprop, step_size=lambda h: h.alpha, gamma=lambda h: h.beta2, eps=lambda h: h.eps),
        ("no average of the gradient: β₁ = 0 (Hinton, lecture 6e); v starts from ones",),
    ),
    "adam": (
        callback_optimizer(
            optimizers.adam, step_size=lambda h: h.alpha, b1=lambda h: h.beta1, b2=lambda h: h.beta2, eps=lambda h: h.eps
        ),
        (),
    ),
}


@pytest.mark.parametrize("method", AUTOGRAD)
def test_the_optimizers_of_autograd_are_right_and_their_conventions_named(method):
    candidate, explanations = AUTOGRAD[method]
    report = verify.check(method, candidate, CASES)
    assert (report.verdict, report.explanations, report.divergence) == ("PASS", explanations, None)
    assert report.coverage["g"]["informative_cases"] == report.coverage["theta"]["informative_cases"] == len(CASES)
    assert {name for name, row in report.coverage.items() if row["compared"]} == {"g", "theta"}


def test_arguments_come_from_the_hyper_parameters_of_each_case():
    asked = []

    def candidate(grad, x0, callback, num_iters, **arguments):
        asked.append((num_iters, arguments))
        return optimizers.sgd(grad, x0, callback, num_iters, **arguments)

    verify.check("sgd_m", callback_optimizer(candidate, step_size=lambda h: h.alpha, mass=lambda h: h.beta), CASES)
    assert asked == [
        (case.steps, {"step_size": case.hyper.alpha, "mass": case.hyper.beta}) for case in verify.cases("sgd_m", CASES)
    ]


def in_place(grad, x, callback, num_iters, step_size, mass):
    """Gradient descent with one set of buffers for everything."""
    velocity = [[0 * tensor for tensor in layer] for layer in x]
    buffer = [[0 * tensor for tensor in layer] for layer in x]
    for i in range(num_iters):
        for kept, layer in zip(buffer, grad(x, i), strict=True):
            for mine, tensor in zip(kept, layer, strict=True):
                mine[...] = tensor
        callback(x, i, buffer)
        for x_l, v_l, g_l in zip(x, velocity, buffer, strict=True):
            for t, v, g in zip(x_l, v_l, g_l, strict=True):
                v *= mass
                v += (1 - mass) * g
                t -= step_size * v
    return x


def test_an_optimizer_that_works_in_place_is_judged_by_what_it_had_at_each_step():
    report = verify.check("sgd_m", callback_optimizer(in_place, step_size=lambda h: h.alpha, mass=lambda h: h.beta), CASES)
    assert (report.verdict, report.explanations) == ("PASS", ())


def test_an_optimizer_that_loses_a_step_fails():
    def lossy(grad, x, callback, num_iters, **arguments):
        return optimizers.sgd(grad, x, callback, num_iters - 1, **arguments)

    report = verify.check("sgd_m", callback_optimizer(lossy, step_size=lambda h: h.alpha, mass=lambda h: h.beta), ["plain"])
    assert (report.verdict, report.cases[0].reason) == (
        "FAIL", "candidate: expected 5 steps because the case has as many batches, got 4")


def test_a_wrong_optimizer_behind_the_adapter_is_found():
    def wrong(grad, x, callback, num_iters, step_size, mass):
        return optimizers.sgd(grad, x, callback, num_iters, step_size * (1 + 1e-9), mass)

    report = verify.check("sgd_m", callback_optimizer(wrong, step_size=lambda h: h.alpha, mass=lambda h: h.beta), ["plain"])
    assert (report.verdict, report.divergence.quantity, report.divergence.step) == ("FAIL", "theta", 1)


def _logits(theta, x, acts):
    phi = {
        "relu": lambda h: anp.maximum(h, 0.0),
        "tanh": anp.tanh,
        "logistic": lambda h: 1 / (1 + anp.exp(-h)),
        "linear": lambda h: h,
        "elu": lambda h: anp.where(h > 0, h, anp.exp(anp.minimum(h, 0.0)) - 1),
    }
    for (W, b), act in zip(theta, acts, strict=True):
        x = phi[act](x @ W.T + b)
    return x


def by_autograd(case):
    """SGD whose gradient comes from autograd and the logits' log-softmax, as its own example of a neural network has it."""
    from autograd import grad
    from autograd.scipy.special import logsumexp

    acts = [record.name for record in case.model.layers if hasattr(record, "name")]

    def loss(theta, batch):
        out = _logits(theta, batch.x, acts)
        if case.model.loss == "mse":
            return anp.sum((out - batch.y) ** 2) / 2 / len(batch.x)
        if case.model.loss == "bce":
            return anp.sum(anp.logaddexp(0.0, out) - batch.y * out) / len(batch.x)
        logs = out - logsumexp(out, axis=1, keepdims=True)
        return -anp.sum(logs * np.eye(out.shape[1])[batch.y]) / len(batch.x)

    theta = [(layer.W, layer.b) for layer in case.params]
    g_h = [0 * tensor for layer in theta for tensor in layer]
    for batch in case.batches:
        g = [tensor for layer in grad(loss)(theta, batch) for tensor in layer]
        g_h = [case.hyper.beta * m + (1 - case.hyper.beta) * t for m, t in zip(g_h, g, strict=True)]
        flat = [t - case.hyper.alpha * m for t, m in zip([t for layer in theta for t in layer], g_h, strict=True)]
        theta = list(zip(flat[0::2], flat[1::2], strict=True))
        yield {"W": flat[0::2], "b": flat[1::2], "g": g, "g_h": g_h}


def test_gradients_of_another_library_pass_in_every_case_but_the_penalty():
    report = verify.check(
        "sgd_m", by_autograd, ["plain", "labels", "probabilities", "dead", "narrow", "degenerate", "large", "digits"]
    )
    assert {case.case: case.verdict for case in report.cases} == {case.case: "PASS" for case in report.cases}
    report = verify.check("sgd_m", by_autograd, ["penalty"])
    assert (report.verdict, set(report.failing)) == ("FAIL", {"g"})


def torch_cases():
    torch = pytest.importorskip("torch")
    adam = {"exp_avg": "m", "exp_avg_sq": "v"}
    return {
        "sgd_m": (
            torch_optimizer(lambda t, h: torch.optim.SGD(t, lr=h.alpha, momentum=h.beta), {"momentum_buffer": "g_h"}),
            ("momentum is heavy ball, ĝ = βĝ + g (R Section 3.7.2)",),
            {"g_h"},
        ),
        "rmsprop": (
            torch_optimizer(lambda t, h: torch.optim.RMSprop(t, lr=h.alpha, alpha=h.beta2, eps=h.eps), {"square_avg": "v"}),
            ("no average of the gradient: β₁ = 0 (Hinton, lecture 6e); v starts from zeros",),
            {"v"},
        ),
        "adam": (
            torch_optimizer(lambda t, h: torch.optim.Adam(t, lr=h.alpha, betas=(h.beta1, h.beta2), eps=h.eps), adam),
            (),
            {"m", "v"},
        ),
    }


@pytest.mark.parametrize("method", ["sgd_m", "rmsprop", "adam"])
def test_the_optimizers_of_torch_are_right_and_their_conventions_named(method):
    candidate, explanations, shown = torch_cases()[method]
    for dtype in ("float64", "float32"):
        report = verify.check(method, candidate, verify.cases(method, CASES, dtype))
        assert report.ok
        assert report.explanations == explanations
        assert {name for name, row in report.coverage.items() if row["compared"]} == {"g", "theta", *shown}


def test_nesterov_momentum_of_torch_is_named():
    torch = pytest.importorskip("torch")
    nesterov = torch_optimizer(lambda t, h: torch.optim.SGD(t, lr=h.alpha, momentum=h.beta, nesterov=True))
    report = verify.check("sgd_m", nesterov, CASES)
    assert report.ok
    assert report.explanations == ("Nesterov momentum: the step is taken along g + βĝ with heavy ball",)


def test_the_adapters_hand_over_arrays_that_the_case_can_keep():
    case, = verify.cases("sgd_m", ["plain"])
    steps = list(AUTOGRAD["sgd_m"][0](case))
    for step in steps:
        for name in ("W", "b", "g"):
            for array in step[name]:
                assert not any(np.shares_memory(array, tensor) for tensor in nets.tensors(case.params))
    assert len({id(step["W"][0]) for step in steps}) == case.steps
