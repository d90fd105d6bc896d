"""Floats of chapter 4 under the line-local rule: the slow twins, run in float64 and float32, and the code itself, must pass."""

import numpy as np
import pytest
import tensor_twins
import twins
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.verify.replay import replay, worst
from stepgauge.verify.runner import run
from tensor_bridge import ALL, BY_TENSOR, STATISTICS, OnTensors, Twin, shown, weights

CASES = ("plain", "labels", "degenerate", "penalty")


def arrays(values, dtype):
    """One array a tensor or layer, or a list of matrices, one for each mode."""
    return [[np.array(part, dtype=dtype) for part in value] if len(tensor_twins.shape(value)) == 3 else np.array(value, dtype=dtype)
            for value in values]


def exposed(case, found, Ws):
    """One yield: W and b by layer, and everything else that was found."""
    found = {name: arrays(values, case.dtype) for name, values in found.items() if name not in ("W", "theta", "params")}
    return {"W": [np.array([row[:-1] for row in W], dtype=case.dtype) for W in Ws],
            "b": [np.array([row[-1] for row in W], dtype=case.dtype) for W in Ws]} | found


def slow_twin(case):
    """A candidate: the twin in the dtype of the case."""
    problem = OnTensors(case.model, case.params, case.batches, case.dtype)
    twin, Ws = Twin(case.method, problem, case.hyper), weights(case.params)
    state = twin.start()
    yield exposed(case, twin.shown(state), Ws)
    for i in range(case.steps):
        Ws, state, made = twin.step(Ws, state, i)
        yield exposed(case, twin.shown(made, Ws), Ws)


def the_code(case):
    """A candidate: the code under test."""
    code, params = METHODS[case.method], case.params
    state = code.init(case.model, params, case.data, case.hyper)
    yield parameters(params) | of_code(state)
    for batch in case.batches:
        params, state, trace = code.step(case.model, params, state, batch, case.hyper)
        yield parameters(params) | of_code(state) | of_code(trace)


def parameters(params):
    """W and b of the kernels, γ and β of the batch normalisations, by layer."""
    found = {"W": [], "b": [], "gamma": [], "beta": []}
    for layer in params:
        for name, tensor in layer._asdict().items():
            found[name].append(tensor)
    return found


def of_code(record):
    return {name: [list(part) if isinstance(part, tuple) else part for part in value] for name, value in record._asdict().items()
            if name not in ("k", "theta", "W")}


def assert_passes(report, but=()):
    assert report.verdict == "PASS", str(report)
    assert report.divergence is None
    assert [name for name, line in report.coverage.items() if not line["compared"]] == list(but)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(("dtype", "names"), [("float64", CASES), ("float32", ("plain", "penalty"))])
def test_the_slow_twin_in_floats_passes(dtype, names, method):
    assert_passes(verify.check(method, slow_twin, verify.cases(method, names, dtype=dtype)))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(("dtype", "names"), [("float64", ("labels", "probabilities", "dead", "narrow", "large")),
                                              ("float32", ("plain", "degenerate"))])
def test_the_code_passes(dtype, names, method):
    assert_passes(verify.check(method, the_code, verify.cases(method, names, dtype=dtype)))


@pytest.mark.parametrize("method", STATISTICS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_code_passes_on_images(dtype, method):
    assert_passes(verify.check(method, the_code, verify.cases(method, ("images", "strided", "normalised", "residual"), dtype=dtype)))


SLIP = 1 + 2.0**-30
SLIPS = {
    "with_damping": (ALL, tensor_twins, lambda original: lambda A, eps: original(A, eps * SLIP)),
    "contraction": (BY_TENSOR, tensor_twins, lambda original: lambda A, i: twins.scale(SLIP, original(A, i))),
    "dense_product": (BY_TENSOR, tensor_twins, lambda original: lambda U, A: twins.scale(SLIP, original(U, A))),
    "moving": (("block_fisher",), twins, lambda original: lambda *given: twins.scale(SLIP, original(*given))),
}


@pytest.mark.parametrize(("name", "method"), [(name, method) for name, (methods, *_) in SLIPS.items() for method in methods
                                              if (name, method) != ("with_damping", "shampoo")])
def test_a_twin_that_is_wrong_by_a_billionth_fails(name, method, monkeypatch):
    """So that the verdicts above say something; but a root may be off by the text's own tolerance of 1e-6."""
    _, module, slip = SLIPS[name]
    monkeypatch.setattr(module, name, slip(getattr(module, name)))
    case = verify.cases(method, ["plain"])[0]
    assert worst(replay(case, run(slow_twin, case, time_limit=60))) == "FAIL"
