"""The cases on request do what they are there for: the reference passes them, and they switch on what they say."""

import numpy as np
import pytest
from stepgauge import nets, verify
from stepgauge.reference import METHODS
from stepgauge.verify.adapters.reference import reference
from stepgauge.verify.cases import EVERY, SUBSAMPLED, optional, suite

CURVATURE = ("accept", "preconditioned", "rows", "elsewhere")
OF_METHODS = [(method, name) for method in METHODS for name in optional(method) if name in CURVATURE]


@pytest.mark.parametrize(("method", "name"), OF_METHODS)
def test_the_reference_passes_and_every_line_but_the_cubic_term_of_cauchy_is_informative(method, name):
    report = verify.check(method, reference, [name])
    assert report.verdict == "PASS", str(report)
    told_nothing = {line for line, row in report.coverage.items() if not row["informative_cases"]}
    assert told_nothing == ({"d"} if method == "cauchy" else set())


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
    assert all(EVERY.index(name) > EVERY.index("saddle") for name in CURVATURE)


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
