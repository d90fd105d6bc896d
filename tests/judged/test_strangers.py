"""A stranger's programs under the judge: docs/strangers.md says what is so, and a few rows of it are seen to in every run."""

import inspect

import pytest
from strangers import PROGRAMS
from strangers_mistakes import CONVENTIONS, MISTAKES, RIGHT
from strangers_table import PAGE, Outcome, judged, line_named, outcomes, page

SAMPLE = {("kbfgs20", "A from the mean activation"), ("kfac20", "G from the mean gradient"), ("cauchy", "λ₁ forgotten"),
          ("adam", "square of the momentum")}


def test_every_mistake_is_a_switch_of_its_program():
    code = {method: inspect.getsource(inspect.getmodule(program)) for method, program in PROGRAMS.items()}
    assert [m.name for m in (*MISTAKES, *CONVENTIONS) if f'"{m.name}"' not in code[m.method]] == []


@pytest.mark.parametrize("mistake", [m for m in MISTAKES if (m.method, m.name) in SAMPLE], ids=lambda m: f"{m.method}, {m.name}")
def test_a_wrong_program_fails_where_it_is_wrong(mistake):
    outcome = judged(mistake.method, mistake.name)
    assert outcome.verdict == "FAIL"
    assert line_named(mistake, outcome), outcome


@pytest.mark.parametrize(("method", "form"), [("kbfgs_l", "compact"), ("smw_ng", "dense")])
def test_a_right_program_passes(method, form):
    assert judged(method, form=form) == Outcome("PASS", "", "", "")


@pytest.mark.long
def test_the_page_is_what_the_judge_says():
    right, wrong, other = outcomes()
    assert page(right, wrong, other) == PAGE.read_text(encoding="utf-8"), "old page: python tests/judged/strangers_table.py"


def total(what):
    """A number of the page's first table."""
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {what} |"))
    return int(row.split("|")[3].split()[0])


def test_the_page_has_them_all():
    text = PAGE.read_text(encoding="utf-8")
    assert f"| right | {len(RIGHT)} |" in text
    assert f"| wrong | {len(MISTAKES)} |" in text
    assert total("other conventions") == len(CONVENTIONS)


def test_no_mistake_passes():
    assert total("wrong") == 0


def test_nine_of_ten_first_divergences_are_named():
    assert total("… first divergence") >= 0.9 * len(MISTAKES)


def test_no_right_program_is_refused():
    assert total("right") == 0


def test_four_of_five_causes_are_named():
    assert total("… cause") >= 0.8 * len(MISTAKES)
