"""Grouped Newton, Newton and Cauchy under the judge: other people's correct programs pass, in both dtypes, and slips are named."""

import dataclasses
import sys
from fractions import Fraction

import pytest
from candidates import automatic, exposed, the_code
from stepgauge import nets, verify
from stepgauge.reference import METHODS
from stepgauge.reference.parts import cubic
from stepgauge.verify.conventions import CONVENTIONS
from stepgauge.verify.procedures import PROCEDURES
from stepgauge.verify.source import instrument

SHORT = {"grouped_newton": ("plain", "labels", "narrow", "strided"), "newton": ("quadratic", "saddle"),
         "cauchy": ("probabilities", "dead", "images")}


@pytest.mark.parametrize("method", SHORT)
def test_the_code_passes(method):
    report = verify.check(method, the_code)
    assert (report.verdict, report.divergence) == ("PASS", None), str(report)
    assert all(row["informative_cases"] for name, row in report.coverage.items() if (method, name) not in {
        ("newton", "D3_diag"), ("newton", "d"), ("cauchy", "d")}), report.coverage


@pytest.mark.parametrize("method", SHORT)
def test_H_may_be_asymmetric_as_rounding_leaves_it(method):
    def uneven(case):
        for step in the_code(case):
            for H in ([step["H_bar"]] if "H_bar" in step else []):
                H[0, -1] *= 1 + 2.0**-52
            yield step

    assert verify.check(method, uneven, SHORT[method]).ok


@pytest.mark.parametrize("method", SHORT)
def test_what_was_not_computed_may_be_None(method):
    report = verify.check(method, lambda case: (step | {"d": None} for step in the_code(case)), SHORT[method])
    assert report.verdict == "PASS", str(report)


@pytest.mark.parametrize("method", ["newton", "cauchy"])
def test_a_wrong_step_without_a_cubic_term_gets_a_verdict(method):
    report = verify.check(method, lambda case: (step | {"e": 2 * step["e"]} for step in the_code(case)), SHORT[method])
    assert (report.verdict, report.divergence.quantity) == ("FAIL", "e")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", SHORT)
def test_nested_automatic_differentiation_passes(method, dtype):
    report = verify.check(method, automatic, verify.cases(method, SHORT[method], dtype=dtype))
    assert (report.verdict, report.explanations) == ("PASS", ()), str(report)


@pytest.mark.parametrize("method", ["grouped_newton", "cauchy"])
def test_batch_normalisation_passes(method):
    report = verify.check(method, automatic, verify.cases(method, ["normalised"]))
    assert report.verdict == "PASS", str(report)


@pytest.mark.parametrize(("slip", "cause", "first"), [
    ("half of H", "H̄ is half of the second derivative", "H_bar"), ("order 3 over 6", "D^(3) is divided by 3!", "D3_diag"),
    ("cubic weight", "2 * hyper.lam_int)` for", "e"), ("sign of g", "e is −1 times what line W(2) gives", "e"),
    ("no positive part", "the positive part is missing", "eta"), ("positive part last", "", "eta"),
    ("stale u", "`(1 - mu) * a` for `(1 - mu) * b` in momentum", "u"),
    ("one sample", "the summaries are taken on the mini-batch of the gradient", "g_bar"),
])
def test_slips_in_a_foreign_program_are_found(slip, cause, first):
    """At the first line that shows it; with the cause, where it is known or found."""
    report = verify.check("grouped_newton", lambda case: automatic(case, slip), short())
    if slip == "one sample":
        assert (report.verdict, report.explanations) == ("PASS", (cause,))
        return
    assert report.verdict == "FAIL"
    assert cause in "; ".join(report.explanations)
    assert bool(cause) == bool(report.explanations)
    assert report.divergence.quantity == first


def short(method="grouped_newton"):
    """Three steps of one case, with two calls of compute_lr, all averages at work and a λ that is not 1."""
    case, = verify.cases(method, ["labels"])
    hyper = case.hyper._replace(lam1=0.015625, tau=2, mu_eta=0.25, mu_g=0.75)
    return [dataclasses.replace(case, batches=case.batches[:3], hyper=hyper)]


def _identity(tag, function, name, value):
    return value


def under(method, convention):
    module = sys.modules[METHODS[method].step.__module__]

    def candidate(case):
        step = instrument(module, _identity, convention.rewrites)["step"]
        params, state = case.params, METHODS[method].init(case.model, case.params, case.data, case.hyper)
        for batch in case.batches:
            params, state, trace = step(case.model, params, state, batch, case.hyper)
            yield exposed(params, case.dtype, **{name: value for name, value in trace._asdict().items() if name != "theta"})

    return candidate


@pytest.mark.parametrize("convention", CONVENTIONS["grouped_newton"], ids=lambda convention: convention.text)
def test_conventions_are_named_and_slips_are_named_as_causes(convention):
    report = verify.check("grouped_newton", under("grouped_newton", convention), short())
    assert report.explanations == (convention.text,)
    assert report.verdict == ("PASS" if convention.legitimate else "FAIL")


def test_a_failing_whole_quantity_is_reported_without_a_tensor():
    report = verify.check("grouped_newton", lambda case: automatic(case, "half of H"), short())
    assert report.divergence.place.startswith("entry [")
    assert "W1.6" in str(report)


def test_parameters_alone_are_judged():
    def bare(case):
        for step in the_code(case):
            yield {name: step[name] for name in ("W", "b")}

    assert verify.check("grouped_newton", bare, short()).ok
    slip = next(c for c in CONVENTIONS["grouped_newton"] if "half" in c.text)

    def wrong(case):
        for step in under("grouped_newton", slip)(case):
            yield {name: step[name] for name in ("W", "b")}

    assert not verify.check("grouped_newton", wrong, short()).ok


@pytest.mark.parametrize("method", SHORT)
def test_cases_survive_their_files(method, tmp_path):
    case = verify.cases(method, SHORT[method][:1])[0]
    case.save(tmp_path)
    same = verify.Case.load(tmp_path)
    assert [float(x) if isinstance(x, Fraction) else x for x in case.hyper] == list(same.hyper)
    assert (same.batches[0].curvature.x == case.batches[0].curvature.x).all()
    whole = [*range(sum(t.size for t in nets.tensors(case.params)))]
    listed = dataclasses.replace(case, hyper=case.hyper._replace(partition=[whole]))
    listed.save(tmp_path / "listed")
    assert verify.Case.load(tmp_path / "listed").hyper.partition == listed.hyper.partition


# ------------------------------------------------------------------------------------------------------------- the cubic step


def test_step_sizes_pass():
    report = verify.check("cubic.step_sizes", cubic.step_sizes)
    assert report.verdict == "PASS", str(report)


@pytest.mark.parametrize("convention", CONVENTIONS["cubic.step_sizes"], ids=lambda convention: convention.text)
def test_slips_in_the_cubic_step_are_named(convention, monkeypatch):
    procedure = PROCEDURES["cubic.step_sizes"]
    some = list(procedure.inputs())[1:8:3]                           # not all of them, which takes long
    monkeypatch.setitem(PROCEDURES, "cubic.step_sizes", procedure._replace(inputs=lambda: iter(some)))
    wrong = instrument(cubic, _identity, convention.rewrites)["step_sizes"]
    report = verify.check("cubic.step_sizes", wrong)
    assert (report.verdict, report.explanations) == ("FAIL", (convention.text,))
