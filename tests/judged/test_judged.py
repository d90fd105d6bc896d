"""The judge is judged: correct programs are never failed, wrong ones never passed, and the wrong line is named."""

from functools import partial

import numpy as np
import pytest
from bands_table import (
    PAGE,
    PARAMETERS_ONLY,
    named_all,
    named_first,
    named_report,
    page,
    rightly_named,
    slip_report,
    variant_report,
)
from correct_variants import SMALL, VARIANTS, by_layer, start
from gradients import by_complex_step
from seeded_slips import EXPOSED, NAMED, SLIPS, program
from stepgauge import verify


def each(programs, indices=None):
    """One test a program."""
    indices = range(len(programs)) if indices is None else indices
    return pytest.mark.parametrize("i", [pytest.param(i, id=f"{programs[i].subject}: {programs[i].what}") for i in indices])


@each(VARIANTS)
def test_a_correct_variant_is_never_failed(i):
    report = variant_report(i)
    assert report.verdict in VARIANTS[i].acceptable, str(report)


@each(SLIPS)
def test_a_slip_is_never_passed_and_just_the_wrong_lines_fail(i):
    report = slip_report(i)
    assert report.verdict != "PASS", str(report)
    assert not report.ok
    assert named_first(i), str(report)
    assert named_all(i), str(report)


@each(SLIPS, PARAMETERS_ONLY)
def test_a_slip_shows_in_the_parameters_alone(i):
    report = slip_report(i, parameters_only=True)
    assert not report.ok, str(report)


@each(NAMED)
def test_a_convention_is_named_and_accepted(i):
    report = named_report(i)
    assert report.ok, str(report)
    assert NAMED[i].says in " ".join(report.explanations)


@pytest.mark.parametrize("subject", EXPOSED)
@pytest.mark.parametrize("gradient", [{}, {"gradient": by_complex_step}], ids=["batched", "complex step"])
def test_without_their_slips_the_programs_are_right(subject, gradient):
    candidate = partial(program, subject, expose=EXPOSED[subject], **gradient)
    report = verify.check(subject, candidate, SMALL)
    assert report.ok, str(report)
    assert all(line["informative_cases"] == len(SMALL) for line in report.coverage.values())


def test_an_initial_state_that_is_shown_is_judged():
    def candidate(case):
        yield by_layer(start(case)) | {"v": [np.zeros_like(t) for t in start(case)]}
        yield from program("rmsprop", case, expose=("v",))

    found = verify.check("rmsprop", candidate, ["plain"]).divergence
    assert (found.step, found.quantity) == (0, "v")


def test_there_are_enough_of_both():
    assert len(VARIANTS) >= 26
    assert len(SLIPS) >= 50
    assert len({(program.subject, program.what) for program in (*VARIANTS, *SLIPS)}) == len(VARIANTS) + len(SLIPS)
    assert {program.subject for program in VARIANTS} == {program.subject for program in SLIPS} > {*EXPOSED}


def test_nine_in_ten_wrong_quantities_are_named():
    first, exactly, wrong = rightly_named()
    assert min(first, exactly) >= 0.9 * wrong


def test_the_committed_table_is_this_one():
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/bands.md is stale: run python tests/judged/bands_table.py"
