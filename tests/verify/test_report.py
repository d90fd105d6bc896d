"""What a report says: its verdict, its fields, its page and its JSON."""

import itertools
import json

import numpy as np
import pytest
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.verify.conventions import CONVENTIONS
from stepgauge.verify.report import ORDER, CaseReport, Report


@pytest.fixture(scope="module")
def failed(mine):
    def touch(k, name, values):
        return [value * (1 + 1e-3) for value in values] if (k, name) == (2, "v") else values

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONVENTIONS, "adam", ())                      # unexplained, which takes long
        return verify.check("adam", mine(touch), ["plain", "narrow"])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_suite_is_as_bad_as_its_worst_case_and_undecided_cases_do_not_count(n):
    for verdicts in itertools.combinations_with_replacement(ORDER, n):
        report = Report("x", {}, tuple(CaseReport(f"{i}", verdict) for i, verdict in enumerate(verdicts)))
        decided = [verdict for verdict in verdicts if verdict != "UNINFORMATIVE"] or ["UNINFORMATIVE"]
        assert report.verdict == next(
            verdict for verdict in ("FAIL", "NOT-REJECTED", "UNSTABLE", "GREY", "PASS", "UNINFORMATIVE") if verdict in decided
        )
        assert report.ok == (report.verdict in ("PASS", "GREY"))
    assert Report("x", {}, ()).verdict == "UNINFORMATIVE"
    assert not Report("x", {}, ()).ok


def test_the_fields_of_a_failure(failed):
    assert (failed.subject, failed.verdict, failed.ok, failed.explanations) == ("adam", "FAIL", False, ())
    d = failed.divergence
    assert (d.case, d.step, d.layer, d.quantity, d.line) == ("plain", 2, 0, "v", "KB1.4")
    assert d.place.startswith("W_1, entry [")
    assert d.error == pytest.approx(abs(d.observed - d.expected), rel=1e-9, abs=0)
    assert d.error > 8 * d.band > 0
    assert d.ratio32 == pytest.approx(1, abs=1e-3)
    assert failed.failing == {"v": "KB1.4"}
    lines = failed.cases[0].lines
    first = next(line for line in lines if line.verdict == "FAIL")
    assert (first.observed, first.expected, first.error, first.band) == (d.observed, d.expected, d.error, d.band)
    assert first.ratio == max(line.ratio for line in lines if line[:3] == first[:3])


def test_coverage_counts_what_was_compared(failed):
    tensors, steps = {"plain": 4, "narrow": 4}, {"plain": 5, "narrow": 4}
    total = sum(tensors[name] * steps[name] for name in tensors)
    assert list(failed.coverage) == list(METHODS["adam"].Trace._fields)
    for name, row in failed.coverage.items():
        assert set(row) == {"line", "compared", "informative_cases", "worst"}
        assert (row["line"], row["compared"], row["informative_cases"]) == (METHODS["adam"].LINES[name], total, 2)
        assert (row["worst"] > 8) == (name == "v")


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")
    return json.loads(text, parse_constant=refuse)


def test_json_has_the_fields_that_others_rely_on(failed):
    found = strict(failed.to_json())
    assert set(found) >= {"subject", "verdict", "ok", "divergence", "failing", "coverage", "explanations", "cases"}
    assert set(found["divergence"]) >= {"case", "step", "layer", "quantity", "line", "observed", "expected", "error", "band"}
    assert found["divergence"]["observed"] == failed.divergence.observed           # to the last bit
    assert found["coverage"]["v"] == failed.coverage["v"]
    assert [case["case"] for case in found["cases"]] == ["plain", "narrow"]
    assert {case["verdict"] for case in found["cases"]} == {"FAIL"}


def test_json_of_what_passed_and_of_what_never_ran(mine):
    found = strict(verify.check("sgd_m", mine(show=()), ["narrow"]).to_json())
    assert (found["verdict"], found["ok"], found["divergence"], found["failing"], found["explanations"]) == (
        "PASS",
        True,
        None,
        {},
        [],
    )
    assert found["coverage"]["g"] == {"line": "R§2.8.2", "compared": 0, "informative_cases": 0, "worst": None}
    found = strict(verify.check("sgd_m", lambda case: None, ["narrow"]).to_json())
    assert (found["verdict"], found["divergence"], found["cases"][0]["compared"]) == ("FAIL", None, 0)
    assert "NoneType" in found["cases"][0]["reason"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_json_stays_json_where_numbers_are_not_finite(mine, bad, monkeypatch):
    monkeypatch.setitem(CONVENTIONS, "sgd_m", ())

    def touch(k, name, values):
        return [np.full_like(value, bad) for value in values] if (k, name) == (4, "theta") else values

    found = strict(verify.check("sgd_m", mine(touch), ["narrow"]).to_json())
    assert found["verdict"] == "FAIL"
    np.testing.assert_equal(float(found["divergence"]["observed"]), bad)
    assert float(found["divergence"]["error"]) == np.inf
    assert float(found["coverage"]["theta"]["worst"]) == np.inf


@pytest.fixture(scope="module")
def reports(mine, failed):
    def exact(k, name, values):
        return [value + 1e-5 for value in values] if (k, name) == (0, "g_h") else values

    return [failed, verify.check("sgd_m", mine(), ["plain"]), verify.check("sgd_m", mine(exact, start=True), ["plain"]),
            verify.check("sgd_m", lambda case: None, ["plain", "labels"]), verify.check("sgd_m", mine(), []),
            verify.check("tensors.vec", np.ravel)]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"FORCE_COLOR": "1"},
        {"COLORTERM": "truecolor", "TERM": "xterm-256color"},
        {"COLUMNS": "30"},
        {"NO_COLOR": "1"},
        {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1"},
    ],
)
def test_the_page_as_text_is_plain_whatever_the_terminal(reports, environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for report in reports:
        text = str(report)
        assert "\x1b" not in text
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        for line in text.splitlines():
            assert line == line.rstrip()
            assert len(line) <= 110
        assert f"{report.verdict}  {report.subject}" in text
        for name, row in report.coverage.items():
            assert f"  {name} " in text
            assert row["line"] in text


def test_the_page_says_where_by_how_much_and_how_often(failed, mine):
    text = " ".join(str(failed).replace("│", " ").split())
    d = failed.divergence
    for part in (f"First divergence: v, paper line KB1.4 (case plain, step 2, {d.place})", f"observed {d.observed:.17g}",
                 f"expected {d.expected:.17g}", f"which is {d.error / d.band:.2g} bands of {d.band:.2g}",
                 "error in float32 over error in float64: 1 (", "Lines that fail on their own inputs: v (KB1.4)",
                 f"v KB1.4 36 2 of 2 {failed.coverage['v']['worst']:.2g}"):
        assert part in text, part
    shy = " ".join(str(verify.check("sgd_m", mine(show=()), ["plain"])).replace("│", " ").split())
    assert "g R§2.8.2 0 0 of 1 not exposed" in shy
    assert "divergence" not in shy


def test_numbers_on_the_page_can_be_read_back_to_the_bit(failed):
    text = str(failed)
    observed = next(line for line in text.splitlines() if "observed" in line).replace("│", " ").split()[-1]
    assert float(observed) == failed.divergence.observed
