"""Networks as torch modules with hooks on them, optax, and the examples that show how each way in is used."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stepgauge import nets, verify
from stepgauge.verify.case import Case, read_steps
from stepgauge.verify.check import judge_steps
from stepgauge.verify.cli import load

EXAMPLES = Path(__file__).parents[2] / "examples" / "adapters"
NETS = ["plain", "labels", "probabilities", "large", "images", "strided"]


def bound(x):
    """Two orders of summation through three layers of at most 42 inputs, forward and back: less than a thousand roundings."""
    return 1000 * np.finfo(x.dtype).eps * max(1, np.abs(x).max())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NETS)
def test_hooks_on_a_torch_net_see_what_the_passes_compute(name, dtype):
    torch = pytest.importorskip("torch")
    from stepgauge.verify.adapters.torch import recorded, torch_net

    case, = verify.cases("kfac", [name], dtype)
    net, batch = torch_net(case.model, case.params), case.batches[0]
    seen = recorded(net, case.model, batch.x, batch.y)
    tape = nets.forward(case.model, case.params, batch.x)
    back = nets.backward(case.model, case.params, tape, batch.y)
    grads = [tensor.grad.numpy() for tensor in net.parameters()]
    assert all(tensor.dtype == getattr(torch, dtype) for tensor in net.parameters())
    for theirs, ours in ((seen.a, tape.a), (seen.h, tape.h), (seen.g, back.g), (grads, nets.tensors(back.grad))):
        for x, y in zip(theirs, ours, strict=True):
            assert x.shape == y.shape
            assert x.dtype == dtype
            assert np.abs(x - y).max() <= bound(y)
    assert abs(seen.loss - back.loss) <= bound(np.asarray(back.loss))
    assert not any(module._forward_hooks for module in net)


def test_a_torch_net_has_its_own_parameters():
    pytest.importorskip("torch")
    from stepgauge.verify.adapters.torch import torch_net

    case, = verify.cases("kfac", ["plain"])
    before = [tensor.tobytes() for tensor in nets.tensors(case.params)]
    for tensor in torch_net(case.model, case.params).parameters():
        tensor.data += 1
    assert [tensor.tobytes() for tensor in nets.tensors(case.params)] == before


@pytest.mark.parametrize("name", ["normalised", "residual"])
def test_a_torch_net_of_other_records_is_refused(name):
    pytest.importorskip("torch")
    from stepgauge.verify.adapters.torch import torch_net

    case, = verify.cases("kfac", [name])
    with pytest.raises(ValueError, match=r"model.layers: expected Dense, Conv2d, Act, pools and Flatten because"):
        torch_net(case.model, case.params)


def test_the_K_FAC_on_torch_modules_passes_on_every_line_and_a_slip_in_it_is_found():
    pytest.importorskip("torch")
    candidate = load(f"{EXAMPLES / 'with_torch.py'}:candidate")
    report = verify.check("kfac", candidate, ["plain", "labels", "images"])
    assert (report.verdict, report.explanations) == ("PASS", ())
    compared = {name for name, row in report.coverage.items() if row["informative_cases"] == 3}
    assert compared == set(report.names) - {"D_norm", "D_norm_h", "norm"}

    def summed(case):
        for step in candidate(case):
            yield {**step, "Omega": [len(case.batches[0].x) * x for x in step["Omega"]]}

    report = verify.check("kfac", summed, ["labels"])
    assert (report.verdict, report.divergence.quantity) == ("FAIL", "Omega")


def optax_candidates():
    optax = pytest.importorskip("optax")
    from stepgauge.verify.adapters.optax import optax_transform

    return {
        "sgd_m": (optax_transform(lambda h: optax.sgd(h.alpha, momentum=h.beta), {"trace": "g_h"}), {"g_h"},
                  ("momentum is heavy ball, ĝ = βĝ + g (R Section 3.7.2)",)),
        "adam": (load(f"{EXAMPLES / 'with_optax.py'}:candidate"), {"m", "v"}, ()),
        "rmsprop": (optax_transform(lambda h: optax.rmsprop(h.alpha, h.beta2, h.eps, eps_in_sqrt=False), {"nu": "v"}), {"v"},
                    ("no average of the gradient: β₁ = 0 (Hinton, lecture 6e); v starts from zeros",)),
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", ["sgd_m", "adam", "rmsprop"])
def test_the_optimizers_of_optax_are_right_and_their_conventions_named(method, dtype):
    candidate, shown, explanations = optax_candidates()[method]
    report = verify.check(method, candidate, verify.cases(method, ["plain", "labels", "dead"], dtype))
    assert report.ok
    assert report.explanations == explanations
    assert {name for name, row in report.coverage.items() if row["compared"]} == {"g", "theta", *shown}


def test_a_wrong_optax_transformation_is_found_and_leaves_no_switch_behind():
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    from stepgauge.verify.adapters.optax import optax_transform

    report = verify.check("adam", optax_transform(lambda h: optax.adam(h.alpha, h.beta2, h.beta1, h.eps)), ["plain"])
    assert (report.verdict, report.divergence.quantity, report.divergence.step) == ("FAIL", "theta", 2)
    assert jax.numpy.zeros(1).dtype == "float32"


def test_the_example_in_plain_numpy_shows_all_that_rmsprop_has_but_p():
    report = verify.check("rmsprop", load(f"{EXAMPLES / 'with_numpy.py'}:candidate"), ["plain", "labels", "dead", "narrow"])
    assert (report.verdict, report.explanations) == ("PASS", ())
    assert {name for name, row in report.coverage.items() if row["informative_cases"] == 4} == {"g", "m", "v", "theta"}


def test_a_program_without_numpy_is_judged_by_its_folder(tmp_path):
    case, = verify.cases("sgd_m", ["plain"])
    case.save(tmp_path)
    done = subprocess.run([sys.executable, "-I", "-S", EXAMPLES / "with_files.py", tmp_path], capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    report = judge_steps(Case.load(tmp_path), read_steps(tmp_path))
    assert (report.verdict, report.explanations) == ("PASS", ())
    assert report.coverage["g_h"]["compared"] == report.coverage["theta"]["compared"] == 4 * case.steps
    other = replace(case, hyper=case.hyper._replace(beta=case.hyper.beta * (1 + 1e-9)))
    assert judge_steps(other, read_steps(tmp_path)).verdict == "FAIL"
