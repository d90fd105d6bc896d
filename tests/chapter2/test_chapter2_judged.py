"""Floats of chapter 2 under the line-local rule: the slow twins, run in float64 and float32, and the code itself, must pass.

The twins add up their loops from left to right in the dtype of the case, the code calls matrix products: two programs that
round differently at every line. Each exposes all that it computes, the initial state included.
"""

from itertools import pairwise

import numpy as np
import pytest
import twins
from bridge import ALL, Problem, Twin, float_problem, hypers, shown, weights
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.verify.replay import replay, worst
from stepgauge.verify.runner import run

CASES = ("plain", "labels", "degenerate", "penalty")


def arrays(values, dtype):
    return [np.array(value, dtype=dtype) for value in values]


def exposed(case, found, Ws):
    """One yield: W and b by layer, and everything else that was found."""
    found = {name: arrays(values, case.dtype) for name, values in found.items() if name not in ("W", "params")}
    return {"W": arrays([[row[:-1] for row in W] for W in Ws], case.dtype),
            "b": arrays([[row[-1] for row in W] for W in Ws], case.dtype)} | found


def slow_twin(case):
    """A candidate: the twin in the dtype of the case."""
    problem = Problem(case.model, case.params, case.batches, case.dtype)
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
    yield exposed(case, shown(state), weights(params))
    for batch in case.batches:
        params, state, trace = code.step(case.model, params, state, batch, case.hyper)
        yield exposed(case, shown(state, trace), weights(params))


def assert_passes(report):
    assert report.verdict == "PASS", str(report)
    assert report.ok
    assert report.divergence is None
    assert all(line["compared"] for line in report.coverage.values())


@pytest.fixture
def multiplied_out(monkeypatch):
    """The twins' BFGS term by term, which rounds as often as the code's."""
    monkeypatch.setattr(twins, "bfgs", twins.bfgs_multiplied_out)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(("dtype", "names"), [("float64", CASES), ("float32", ("plain", "penalty"))])
def test_the_slow_twin_in_floats_passes(dtype, names, method, multiplied_out):
    assert_passes(verify.check(method, slow_twin, verify.cases(method, names, dtype=dtype)))


@pytest.mark.parametrize("method", ["kbfgs20", "kbfgs20_l"])
def test_the_slow_twin_with_the_printed_triple_product_passes(method):
    """(2.6) as it stands, two matrix products for each update of H_a and H_g."""
    assert_passes(verify.check(method, slow_twin, verify.cases(method, ["penalty"])))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(("dtype", "names"), [("float64", ("labels", "probabilities", "dead", "narrow", "large")),
                                              ("float32", ("plain", "degenerate"))])
def test_the_code_passes(dtype, names, method):
    assert_passes(verify.check(method, the_code, verify.cases(method, names, dtype=dtype)))


SLIP = 1 + 2.0**-30
SLIPS = {
    "damped": lambda original: lambda A, root: original(A, root * SLIP),
    "moving": lambda original: lambda numbers, beta, old, new: original(numbers, beta * SLIP, old, new),
    "outer": lambda original: lambda x, y: twins.scale(SLIP, original(x, y)),
}


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("name", SLIPS)
def test_a_twin_that_is_wrong_by_a_billionth_fails(name, method, multiplied_out, monkeypatch):
    """So that the verdicts above say something: relative slips of 2⁻³⁰ in the damping, the averages, the outer products."""
    monkeypatch.setattr(twins, name, SLIPS[name](getattr(twins, name)))
    case = verify.cases(method, ["plain"])[0]
    assert worst(replay(case, run(slow_twin, case, time_limit=60))) == "FAIL"


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["mse", "bce", "softmax_ce"])
def test_every_array_keeps_its_dtype(loss, kind, method):
    """Parameters, state and trace, with hyper-parameters that are Fractions and a penalty; shapes are those of `State`."""
    widths = (3, 4, 2)
    problem = float_problem(widths, ("elu", "linear"), loss, 1, kind=kind)
    code, hyper = METHODS[method], hypers(method, eta=0.03)
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    params, new, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    for record in (state, new, trace, *params):
        assert {array.dtype.name for array in leaves(record)} == {kind}
    for l, (d_i, d_o) in enumerate(pairwise(widths)):
        expected = {"A": (d_i + 1,) * 2, "H_a": (d_i + 1,) * 2, "A_LM": (d_i + 1,) * 2, "s_a": (d_i + 1,), "y_a": (d_i + 1,),
                    "G": (d_o,) * 2, **dict.fromkeys(("s_g", "y_g", "s_t", "y_t"), (d_o,)),
                    **dict.fromkeys(("grad", "grad_h", "p", "W"), (d_o, d_i + 1))}
        for record in (new, trace):
            for name in set(record._fields) & set(expected):
                assert getattr(record, name)[l].shape == expected[name], name
        H_g = new.H_g[l]
        assert (H_g.S.shape == H_g.Y.shape == (d_o, 1)) if hasattr(H_g, "S") else (H_g.shape == (d_o, d_o))


def leaves(tree):
    if isinstance(tree, tuple):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree] if isinstance(tree, np.ndarray) else []
