"""A stranger's programs under the judge: docs/strangers.md says what is so, and a few rows of it are seen to in every run."""

import inspect

import pytest
import strangers
from strangers_mistakes import CONVENTIONS, MISTAKES, RIGHT
from strangers_table import PAGE, Outcome, accepted, judged, line_named, outcomes, page

SAMPLE = {("kbfgs20", "A from the mean activation"), ("kfac20", "G from the mean gradient"), ("smw_gn", "boost and drop exchanged"),
          ("cauchy", "λ₁ forgotten"), ("adam", "square of the momentum")}


def test_every_mistake_is_a_switch_of_its_program():
    code = inspect.getsource(strangers)
    assert [m.name for m in (*MISTAKES, *CONVENTIONS) if f'"{m.name}"' not in code] == []


@pytest.mark.parametrize("mistake", [m for m in MISTAKES if (m.method, m.name) in SAMPLE], ids=lambda m: f"{m.method}, {m.name}")
def test_a_wrong_program_fails_where_it_is_wrong(mistake):
    outcome = judged(mistake.method, mistake.name)
    assert outcome.verdict == "FAIL"
    assert line_named(mistake, outcome), outcome


@pytest.mark.parametrize(("method", "form"), [("kbfgs_l", "compact"), ("smw_ng", "dense"), ("grouped_newton", "solve")])
def test_a_right_program_passes(method, form):
    assert judged(method, form=form) == Outcome("PASS", "", "", "")


@pytest.fixture(scope="module")
def everything():
    return outcomes()


@pytest.mark.long
def test_the_page_is_what_the_judge_says(everything):
    assert page(*everything) == PAGE.read_text(encoding="utf-8"), "docs/strangers.md is old: python tests/judged/strangers_table.py"


@pytest.mark.long
def test_no_mistake_passes(everything):
    assert [m for m, outcome in zip(MISTAKES, everything[1], strict=True) if accepted(outcome)] == []


@pytest.mark.long
def test_conventions_are_accepted_and_named(everything):
    assert [m for m, outcome in zip(CONVENTIONS, everything[2], strict=True) if outcome.verdict != "PASS" or not outcome.said] == []


@pytest.mark.long
def test_nine_of_ten_first_divergences_are_named(everything):
    named = [line_named(m, outcome) for m, outcome in zip(MISTAKES, everything[1], strict=True)]
    assert sum(named) >= 0.9 * len(named)


@pytest.mark.long
def test_no_right_program_is_refused(everything):
    assert [what for what, outcome in zip(RIGHT, everything[0], strict=True) if not accepted(outcome)] == []
