"""Chapter 5 under the line-local rule: the code in both dtypes passes all cases, and conventions and slips are named."""

import dataclasses
import sys

import numpy as np
import pytest
import slow
from problems import KINDS, METHODS_5, examples, lists
from stepgauge import nets, verify
from stepgauge.reference import METHODS
from stepgauge.verify.cases import cases
from stepgauge.verify.conventions import CONVENTIONS
from stepgauge.verify.replay import replay, worst
from stepgauge.verify.runner import run
from stepgauge.verify.source import instrument

EVERY = [(method, convention) for method in METHODS_5 for convention in CONVENTIONS[method]]
SHAPES_CHANGE = ("is the empirical Fisher", "all of S₁", "is the Gauss-Newton", "a block for all")


def candidate(method, rewrites=None, hide=()):
    """The code on floats, with some lines written in another way; shows all but what `hide` names."""
    module = METHODS[method]

    def steps(case):
        step = instrument(sys.modules[module.step.__module__], lambda tag, function, name, value: value, rewrites or {})["step"]
        params, state = case.params, module.init(case.model, case.params, case.data, case.hyper)
        for batch in case.batches:
            params, state, trace = step(case.model, params, state, batch, case.hyper)
            shown = {name: list(value) if isinstance(value, tuple) else value for name, value in trace._asdict().items()}
            yield {name: value for name, value in shown.items() if name not in ("W", *hide)} | {
                "W": [layer.W for layer in params], "b": [layer.b for layer in params]}
    return steps


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", METHODS_5)
def test_the_code_passes_every_case(method, dtype):
    report = verify.check(method, candidate(method), cases(method, None, dtype))
    assert report.verdict == "PASS", str(report)
    assert report.cases
    for name, row in report.coverage.items():
        assert row["informative_cases"] >= (12 if name not in ("p", "foretold") or method != "hessian_free" else 7), name


@pytest.mark.parametrize("method", METHODS_5)
def test_parameters_alone_decide(method):
    everything = METHODS[method].Trace._fields
    report = verify.check(method, candidate(method, hide=everything), ["labels", "probabilities", "penalty", "images"])
    assert report.ok, str(report)
    case, = cases(method, ["plain"])
    longer = {"W": "each(lambda W, p: W + 1.001 * alpha * p, theta, p)"}
    lines = replay(case, run(candidate(method, longer, hide=everything), case, 60))
    assert worst(lines) == "FAIL"


@pytest.mark.parametrize(("method", "convention"), EVERY, ids=lambda value: getattr(value, "text", value))
def test_a_convention_is_named_and_a_slip_is_named_as_the_cause(method, convention):
    names = ["plain", "labels", "probabilities"]
    if "penalty" in convention.text:
        names = ["penalty"]
    if "lacks the damping" in convention.text:
        names = ["probabilities"]
    hide = ("D", "Jg", "d") if any(words in convention.text for words in SHAPES_CHANGE) else ()
    chosen = [dataclasses.replace(case, batches=case.batches[:2]) for case in cases(method, names)]
    report = verify.check(method, candidate(method, convention.rewrites, hide), chosen)
    assert report.explanations == (convention.text,)
    assert report.ok == convention.legitimate
    assert (report.verdict == "PASS") == convention.legitimate


def test_one_matrix_may_come_without_a_list():
    def bare(case):
        for step in candidate("smw_gn")(case):
            yield step | {name: step[name][0] for name in ("D", "Jg", "d")}

    assert verify.check("smw_gn", bare, ["plain"]).verdict == "PASS"

    def two(case):
        for step in candidate("smw_gn")(case):
            yield step | {"rho": [step["rho"], step["rho"]]}

    assert verify.check("smw_gn", two, ["plain"]).cases[0].reason.startswith("rho: expected a list of 1 arrays")
    def none(case):
        for step in candidate("smw_gn")(case):
            yield step | {"D": []}

    assert verify.check("smw_gn", none, ["plain"]).cases[0].reason.startswith("D: expected one array a block because ")


def test_minus_infinity_is_a_ratio_that_can_be_judged():
    """A model that foretells growth: ρ = −∞ on both sides is no failure of the line; a finite ρ there is."""
    case, = cases("smw_gn", ["plain"])
    climbing = {"p": "each(lambda g, Jd: (g - Jd / N2) / lam, grad, transposed_products(J, d_l))"}
    shown = next(candidate("smw_gn", climbing)(case))
    assert np.isneginf(shown["rho"])
    for rewrites, failing in ((climbing, {"p"}), (climbing | {"rho": "0 * f - 1"}, {"p", "rho"})):
        lines = replay(case, run(candidate("smw_gn", rewrites), case, 60))
        assert {line.name for line in lines if line.verdict == "FAIL"} == failing


# ------------------------------------------------------------------------------- a program of another kind: the slow twin in floats


def slow_twin(method):
    """Dense matrices, loops and Gauss elimination in the dtype of the case: no D, but everything else."""
    def steps(case):
        number = np.dtype(case.dtype).type
        names = [record.name for record in case.model.layers if isinstance(record, nets.Act)]
        net = slow.Net(names, case.model.loss, number(1), np.exp, np.log)
        theta = [(lists(W), lists(b)) for W, b in case.params]
        hyper = {name: value if value is None else number(value) for name, value in case.hyper._asdict().items()
                 if name in ("alpha", "tau", "boost", "drop", "eps", "accept", "eta")}
        lam_LM, kind = number(case.hyper.lam_LM), KINDS[method]
        for batch in case.batches:
            S_1, S_2 = examples(case.model, batch), examples(case.model, batch, list(batch.curvature))
            theta, lam_LM, made = slow.step(net, theta, lam_LM, S_1, S_2, hyper, kind, method != "smw_ng_bd")
            arrays = [(np.array(W, case.dtype), np.array(b, case.dtype)) for W, b in theta]
            shown = {name: number(made[name]) for name in ("foretold", "rho")} | {"lam_LM": number(lam_LM)}
            yield shown | {"W": [W for W, _ in arrays], "b": [b for _, b in arrays],
                           "grad": joined(made["grad"], arrays, case.dtype), "p": joined(made["p"], arrays, case.dtype)}
    return steps


def joined(vector, layers, dtype):
    """W̄ of every layer from a vector in the order of θ."""
    found, start = [], 0
    for W, b in layers:
        size = W.size + b.size
        found.append(np.array(vector[start:start + size], dtype).reshape(-1, len(b)).T)
        start += size
    return found


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", ["smw_gn", "smw_ng", "smw_ng_bd"])
def test_dense_matrices_and_loops_pass(method, dtype):
    report = verify.check(method, slow_twin(method), cases(method, ["plain", "labels", "degenerate", "penalty"], dtype))
    assert report.verdict == "PASS", str(report)
