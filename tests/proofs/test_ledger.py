"""The committed ledger is what the statements give, nothing of the scope is missing, and wrong forms are rejected."""

import re
from pathlib import Path

import pytest
from stepgauge.proofs_check import ledger
from stepgauge.proofs_check.page import CHAPTERS, chapter, page
from stepgauge.proofs_check.statement import examine

ROOT = Path(__file__).resolve().parents[2]
STATEMENTS = ledger.statements()
COMMITTED = {entry.id: entry for entry in ledger.read()}
EACH = [pytest.param(statement, id=name, marks=[pytest.mark.long] if statement.long else [])
        for name, statement in STATEMENTS.items()]


@pytest.mark.parametrize("statement", EACH)
def test_the_committed_line_is_what_the_checks_find(statement):
    assert examine(statement) == COMMITTED[statement.id], "make proofs"


@pytest.mark.parametrize("statement", EACH)
def test_every_wrong_form_is_rejected(statement):
    accepted = [mutant.text for mutant in ledger.accepted_mutants(statement)]
    assert not accepted, accepted


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=list(STATEMENTS))
def test_three_wrong_forms_or_a_reason(statement):
    assert len(statement.mutants) >= 3 or statement.pinned or all(
        finding.status == "NOT CHECKABLE" for finding in COMMITTED[statement.id].findings)
    texts = [statement.printed.text, *(mutant.text for mutant in statement.mutants)]
    assert len(set(texts)) == len(texts)


def test_every_numbered_item_of_both_works_has_a_line():
    have = {name.split("/")[0] for name in STATEMENTS}
    index = set(ledger.index())
    assert have >= index, f"no statement: {sorted(index - have)}"
    assert have <= index, f"not in index.json: {sorted(have - index)}"


def test_the_ledger_has_the_statements_and_no_others():
    assert list(COMMITTED) == list(STATEMENTS)


def test_errata_that_the_ledger_names_exist():
    entries = set(map(int, re.findall(r"^### ERR-(\d+)", (ROOT / "ERRATA.md").read_text(), re.M)))
    named = {number for entry in COMMITTED.values() for number in entry.errata}
    assert named <= entries, sorted(named - entries)


def test_the_page_is_what_the_ledger_gives():
    assert (ROOT / "docs/truth.md").read_text() == page(ledger.read()) + "\n", "make proofs"


def test_every_item_stands_in_a_chapter_of_the_page():
    assert {chapter(name) for name in ledger.index()} == set(CHAPTERS)
