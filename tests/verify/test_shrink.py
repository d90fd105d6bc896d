"""The smallest case: what it may lose, what it has to keep, and that it is made of the larger one's numbers."""

from itertools import pairwise

import numpy as np
import pytest
from stepgauge import nets, verify
from stepgauge.verify.adapters.reference import reference
from stepgauge.verify.cases import cases
from stepgauge.verify.check import judge_steps
from stepgauge.verify.replay import PAPER, replay
from stepgauge.verify.runner import run
from stepgauge.verify.shrink import shrunk, widths_of


def descent(case, gradient=lambda g, batch: g, momentum=lambda beta, k: beta, turn=lambda W: W):
    """SGD with an averaged gradient, spoiled where a test says so."""
    theta = [tensor.copy() for layer in case.params for tensor in layer]
    g_h = [0 * tensor for tensor in theta]
    for k, batch in enumerate(case.batches):
        params = list(zip(theta[::2], theta[1::2], strict=True))
        g = [tensor for layer in case.loss_and_grad(params, batch)[1] for tensor in layer]
        beta = momentum(case.hyper.beta, k)
        g_h = [beta * old + (1 - beta) * gradient(new, batch) for old, new in zip(g_h, g, strict=True)]
        theta = [t - case.hyper.alpha * turn(d) for t, d in zip(theta, g_h, strict=True)]
        yield {"W": theta[::2], "b": theta[1::2]}


def found(candidate, name="labels"):
    case, = cases("sgd_m", [name])

    def first(case):
        return next((line for line in replay(case, run(candidate, case, 60), PAPER) if line.verdict == "FAIL"), None)

    assert first(case) is not None
    return case, shrunk(case, first(case), first), first


def test_an_error_that_is_everywhere_shrinks_to_one_unit_one_example_one_step():
    case, smallest, first = found(lambda case: descent(case, gradient=lambda g, batch: 2 * g))
    assert widths_of(smallest.case)[:-1] == (1, 1, 1)
    assert (smallest.case.steps, [len(batch.x) for batch in smallest.case.batches]) == (1, [1])
    assert first(smallest.case).verdict == "FAIL"
    for small, large in zip(smallest.case.params, case.params, strict=True):
        for name, tensor in small._asdict().items():
            assert np.isin(tensor, getattr(large, name)).all()
    assert np.isin(smallest.case.batches[0].x, np.concatenate([batch.x for batch in case.batches])).all()


def test_an_error_of_the_second_step_keeps_two_steps():
    _, smallest, _ = found(lambda case: descent(case, momentum=lambda beta, k: beta if k == 0 else 1 - beta))
    assert (smallest.case.steps, smallest.line.step) == (2, 2)


def test_an_error_in_the_mean_keeps_two_examples():
    _, smallest, _ = found(lambda case: descent(case, gradient=lambda g, batch: len(batch.x) * g))
    assert [len(batch.x) for batch in smallest.case.batches] == [2]


def test_an_error_in_square_matrices_keeps_one():
    def turn(W):
        return W.T if W.ndim == 2 and W.shape[0] == W.shape[1] > 1 else W

    case, = cases("sgd_m", ["plain"])
    W, b = case.params[0]
    square = case.params[0]._replace(W=W[:3], b=b[:3])
    case = type(case)(case.name, case.method, nets.mlp((3, 3, 2), ("tanh", "linear"), "mse"),
                      (square, nets.Layer(case.params[1].W[:, :3], case.params[1].b)), case.hyper, case.data, case.batches)

    def first(case):
        return next((line for line in replay(case, run(lambda case: descent(case, turn=turn), case, 60), PAPER)
                     if line.verdict == "FAIL"), None)

    smallest = shrunk(case, first(case), first)
    widths = widths_of(smallest.case)
    assert any(a == b == 2 for a, b in pairwise(widths))


def test_images_lose_steps_and_examples():
    case, = cases("kfac", ["images"])

    def wrong(case):
        for step in reference(case):
            yield step | {"Gamma": [2 * Gamma for Gamma in step["Gamma"]]}

    report = verify.check("kfac", wrong, [case])
    assert report.divergence.quantity == "Gamma"
    assert report.smallest[0] == "the net of case images (tanh, relu; softmax_ce), batches of 1; step 0"


def test_the_page_quotes_the_line_and_shows_the_case():
    report = verify.check("sgd_m", lambda case: descent(case, gradient=lambda g, batch: -g), ["plain"])
    shown = " ".join(str(report).split())
    assert "Smallest case found: widths 1-1-1 (relu, linear; mse), batches of 1; step 1" in shown
    assert f"{report.divergence.line}: " in report.quoted
    assert "".join(report.quoted.splitlines()[1].split()) in "".join(str(report).replace("│", "").split())
    numbers = [line for line in report.smallest if line.startswith("W_1 = ")]
    assert len(numbers) == 1
    text = report.to_markdown()
    assert text.startswith("## FAIL: sgd_m\n")
    assert report.quoted in text
    assert all(line in text for line in report.smallest)


def test_where_nothing_fails_nothing_is_shrunk():
    runs = []

    def right(case):
        runs.append(case.name)
        yield from descent(case)

    report = verify.check("sgd_m", right, ["plain", "labels"])
    assert report.ok
    before = len(runs)
    assert (report.smallest, report.quoted) == ((), "")
    assert "Smallest" not in str(report)
    assert len(runs) == before
    assert report.to_markdown().startswith("## PASS: sgd_m\n")


def test_a_written_trajectory_cannot_be_run_again():
    case, = cases("sgd_m", ["plain"])
    report = judge_steps(case, list(descent(case, gradient=lambda g, batch: 2 * g)))
    assert report.verdict == "FAIL"
    assert report.smallest == ()


def test_a_procedure_shows_its_smallest_failing_call():
    report = verify.check("damping.double_damping", lambda s, y, H, mu1, mu2: (s - (H @ y), y))
    assert report.smallest[0] == "input random, n = 1"
    assert report.smallest[1].startswith("s = [")


def test_every_number_of_jobs_finds_the_same():
    one, two = (verify.check("sgd_m", descent, ["plain", "narrow", "dead"], jobs=jobs) for jobs in (1, 2))
    assert str(one) == str(two)
    with pytest.raises(TypeError, match="candidate: expected a function that can be pickled because 2 processes call it"):
        verify.check("sgd_m", lambda case: descent(case), jobs=2)
    with pytest.raises(ValueError, match="jobs: expected a positive integer"):
        verify.check("sgd_m", descent, jobs=0)
