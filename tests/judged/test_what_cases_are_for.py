"""Cases do what they are there for: those on request switch on what they say, and batches are of more than one size."""

import dataclasses
import sys

import numpy as np
import pytest
from stepgauge import nets, verify
from stepgauge.reference import METHODS, kfac
from stepgauge.verify.adapters.reference import reference, shown
from stepgauge.verify.cases import EVERY, KRONECKER, SUBSAMPLED, optional, suite
from stepgauge.verify.source import instrument

NAMES = ("accept", "preconditioned", "rows", "elsewhere", "dead_layer")
OF_METHODS = [(method, name) for method in METHODS for name in optional(method) if name in NAMES]


@pytest.mark.parametrize(("method", "name"), OF_METHODS)
def test_the_reference_passes_and_every_line_that_there_is_is_informative(method, name):
    report = verify.check(method, reference, [name])
    assert report.verdict == "PASS", str(report)
    told_nothing = {line for line, row in report.coverage.items() if not row["informative_cases"]}
    assert told_nothing <= {"D_norm", "D_norm_h", "norm", "A", "d"}      # no BatchNorm, a moving A not kept, no cubic term
    assert ("d" in told_nothing) == (method == "cauchy")


@pytest.mark.parametrize("method", SUBSAMPLED)
def test_accept_has_steps_that_are_taken_and_steps_that_only_eta_refuses(method):
    case, = verify.cases(method, ["accept"])
    (before, *_), *steps = [(step["W"], step.get("rho")) for step in reference(case)]
    ratios = [float(rho) for _, rho in steps]
    assert max(ratios) > case.hyper.accept > 0 > min(ratios)
    assert any(0 < rho < case.hyper.accept for rho in ratios)
    for W, rho in steps:
        assert any((old != new).any() for old, new in zip(before, W, strict=True)) == (rho >= case.hyper.accept)
        before = W


@pytest.mark.parametrize("method", METHODS)
def test_the_place_of_a_case_does_not_depend_on_the_optional_ones(method):
    assert len(set(EVERY)) == len(EVERY)
    assert set(suite(method)) <= set(EVERY)
    assert not set(suite(method)) & set(optional(method))
    assert all(EVERY.index(name) > EVERY.index("saddle") for name in NAMES)


@pytest.mark.parametrize(("method", "name"), [pair for pair in OF_METHODS if pair[1] in ("rows", "elsewhere")])
def test_the_curvature_is_where_the_case_says(method, name):
    case, = verify.cases(method, [name])
    for batch in case.batches:
        if name == "elsewhere":
            assert isinstance(batch.curvature, nets.Batch)
            assert len(batch.curvature.x) == len(batch.x) + 1
        else:
            assert 0 < len(batch.curvature) < len(batch.x)
            assert (np.diff(batch.curvature) < 0).all()


@pytest.mark.parametrize("method", KRONECKER)
def test_two_layers_have_no_derivatives_and_the_last_has(method):
    case, = verify.cases(method, ["dead_layer"])
    for batch in (*case.batches, *(batch._replace(y=batch.y_sampled) for batch in case.batches)):
        grad = nets.backward(case.model, case.params, nets.forward(case.model, case.params, batch.x), batch.y).grad
        assert [bool(layer.W.any() or layer.b.any()) for layer in grad] == [False, False, True]


def with_balance(balance, inverses=None):
    """K-FAC with another π, or other inverses."""
    def steps(case):
        source = instrument(kfac, lambda tag, function, name, value: value, {})
        source |= {"balance": balance} | ({"inverses": inverses(source)} if inverses else {})
        params, state = case.params, source["init"](case.model, case.params, case.data, case.hyper)
        for batch in case.batches:
            params, state, trace = source["step"](case.model, params, state, batch, case.hyper)
            yield shown(params, state, trace)

    return steps


def bounded(Omega, Gamma):
    return np.sqrt(np.trace(Omega) / len(Omega) / np.maximum(np.trace(Gamma) / len(Gamma), np.asarray(1e-3, Gamma.dtype)))


def infinite(Omega, Gamma):
    with np.errstate(divide="ignore"):
        return np.sqrt(np.trace(Omega) / len(Omega) / (np.trace(Gamma) / len(Gamma)))


def in_the_limit(source):
    ours = source["inverses"]

    def inverses(Omega, Gamma, root):
        pi, H_Omega, H_Gamma = ours(Omega, Gamma, root)
        return pi, tuple(H if G.any() else np.eye(len(H)) / root for H, G in zip(H_Omega, Gamma, strict=True)), H_Gamma

    return inverses


@pytest.mark.parametrize("method", ["kfac", "kfac_ef"])
def test_pi_that_is_infinite_where_a_layer_is_dead_fails_and_what_others_do_is_named(method):
    assert verify.check(method, with_balance(kfac.balance), ["dead_layer", "plain"]).verdict == "PASS"
    assert verify.check(method, with_balance(infinite), ["plain", "labels"]).verdict == "PASS"
    assert verify.check(method, with_balance(infinite), ["dead_layer"]).verdict == "FAIL"
    named = {"counts as 1e-3": with_balance(bounded), "the limit I/λ": with_balance(kfac.balance, in_the_limit)}
    for words, candidate in named.items():
        report = verify.check(method, candidate, ["dead_layer", "plain"])
        assert report.ok
        assert words in " ".join(report.explanations)


@pytest.mark.parametrize("method", METHODS)
def test_batches_are_of_different_sizes(method):
    for case in verify.cases(method):
        assert (len({len(batch.x) for batch in case.batches}) > 1) == (case.name != "narrow")


@pytest.mark.parametrize("method", METHODS)
def test_a_gradient_divided_by_the_size_of_the_first_batch_fails(method):
    gradient = METHODS[method].Trace._fields[0]
    factor = 1

    def stop(tag, function, name, value):
        return tuple(factor * g for g in value) if function == "step" and name == gradient else value

    def candidate(case):
        nonlocal factor
        source = instrument(sys.modules[METHODS[method].step.__module__], stop, {})
        params, state = case.params, source["init"](case.model, case.params, case.data, case.hyper)
        for batch in case.batches:
            factor = len(batch.x) / len(case.batches[0].x)
            params, state, trace = source["step"](case.model, params, state, batch, case.hyper)
            yield shown(params, state, trace)

    report = verify.check(method, candidate, suite(method)[:1])
    assert (report.verdict, report.divergence.quantity, report.divergence.step) == ("FAIL", gradient, 2)


@pytest.mark.parametrize("method", [method for method in METHODS if "decay" in optional(method)])
def test_weight_decay_is_asked_for_by_its_case_alone(method):
    def without(case):
        yield from reference(dataclasses.replace(case, hyper=case.hyper._replace(gamma=0.0)))

    assert verify.check(method, without, ["plain"]).verdict == "PASS"
    report = verify.check(method, without, ["decay"])
    assert (report.verdict, report.divergence.quantity in ("theta", "W")) == ("FAIL", True)
