"""What a ledger entry is: a statement as printed, forms of it that checks accept or reject, and what they found.

A *form* is the statement as code: what it is (an identity, an inequality, a claim about runs) depends on the checks that take it.
The printed form, the repaired one, and mutated ones all go through the same checks, so that a check that would accept anything is
seen. A check returns a `Finding`, or None where it has nothing to say (no counterexample at a point proves nothing).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from ..arrays.errors import expect


class Status(StrEnum):
    """How much a finding says; the order is that of the ledger's legend."""

    EXACT_Q = "EXACT over ℚ"
    EXACT_P = "EXACT mod p"
    CERTIFICATE = "PROVED by a certificate"
    Z3 = "PROVED by z3"
    BALL = "BALL"
    SAMPLED = "SAMPLED"
    EMPIRICAL = "EMPIRICAL"
    NOT_CHECKABLE = "NOT CHECKABLE"
    NOT_PROVED = "NOT PROVED"
    REFUTED = "REFUTED"
    REPAIRED = "REPAIRED"


PROOFS = (Status.EXACT_Q, Status.EXACT_P, Status.CERTIFICATE, Status.Z3, Status.BALL)
"""What may be called a proof, of the sizes that the finding names."""


class Finding(NamedTuple):
    """What one check found about one form.

    accepted   does the form stand?
    status     the kind of evidence; REFUTED only with a counterexample that was verified exactly, NOT PROVED where a proof fails.
    method     how, in a line, with sizes, degrees and error probabilities where there are some.
    detail     a counterexample, a point at which a constant is attained, a measured figure; "" where there is none.
    """

    accepted: bool
    status: Status
    method: str
    detail: str = ""


Check = Callable[[Any], Finding | None]


class Form(NamedTuple):
    """One form of a statement: its text, and the code that the checks take."""

    text: str
    code: Any


class Statement(NamedTuple):
    """One numbered item of a work, or a part of one: a step of a printed proof has the id of its theorem, a slash and a number.

    id           such as "R.Lem.4", "R.Eq.2.6", "R.Thm.2/3", "W.App.D": see `index.json`.
    where        section and page or neighbouring formula, for somebody who holds the work in the other hand.
    printed      the statement as printed.
    hypotheses   those printed, one line each; their code is part of the form.
    checks       what decides; every one of them sees every form.
    mutants      forms that are wrong: a constant, an exponent, a dropped hypothesis. At least three, or `pinned` says why fewer.
    repaired     the corrected statement, where the printed one is false or means nothing.
    sharpness    checks of the form that stands which say how sharp its constants are.
    errata       numbers of ERRATA.md.
    note         one or two sentences for the reader of the docs page: what it means, or why it cannot be checked.
    pinned       why fewer than three mutants pin the statement (an equality, a definition), "" otherwise.
    long         does it take more than about two seconds? `make proofs` runs all, `make test` the others.
    """

    id: str
    where: str
    printed: Form
    checks: tuple[Check, ...]
    mutants: tuple[Form, ...] = ()
    hypotheses: tuple[str, ...] = ()
    repaired: Form | None = None
    sharpness: tuple[Check, ...] = ()
    errata: tuple[int, ...] = ()
    note: str = ""
    pinned: str = ""
    long: bool = False


class Entry(NamedTuple):
    """A line of the ledger: what stands in ledger.json."""

    id: str
    where: str
    printed: str
    hypotheses: tuple[str, ...]
    status: tuple[Status, ...]
    findings: tuple[Finding, ...]
    repaired: str
    repaired_findings: tuple[Finding, ...]
    sharpness: tuple[Finding, ...]
    errata: tuple[int, ...]
    note: str


def findings(checks: tuple[Check, ...], form: Form) -> tuple[Finding, ...]:
    """What the checks that have something to say found about a form."""
    return tuple(finding for check in checks if (finding := check(form.code)) is not None)


def rejected(statement: Statement, form: Form) -> tuple[Finding, ...]:
    """The findings that speak against a form."""
    return tuple(finding for finding in findings(statement.checks, form) if not finding.accepted)


def examine(statement: Statement) -> Entry:
    """The statement's line of the ledger.

    Raises   ValueError where the evidence is not clear: nothing was found; a printed form is refused without a counterexample
             and without a repaired form; or the form that is to stand is refused.
    """
    found = findings(statement.checks, statement.printed)
    expect(found, statement.id, "at least one finding", "a line of the ledger rests on evidence", "none")
    against = [finding for finding in found if not finding.accepted]
    repaired_found = findings(statement.checks, statement.repaired) if statement.repaired else ()
    if against:
        expect(any(finding.status is Status.REFUTED for finding in against), statement.id, "a counterexample",
               "a check that fails refutes nothing by itself", [finding.method for finding in against])
        expect(statement.repaired, statement.id, "a repaired form", "the printed one is refuted", "none")
    if statement.repaired:
        expect(against, statement.id, "a refuted printed form", "there is a repaired one", "a printed form that stands")
        expect(repaired_found and all(finding.accepted for finding in repaired_found), statement.id,
               "a repaired form that stands", "it replaces the printed one",
               [finding.method for finding in repaired_found if not finding.accepted])
    stands = statement.repaired or statement.printed
    sharpness = findings(statement.sharpness, stands)
    expect(all(finding.accepted for finding in sharpness), statement.id, "sharpness that holds", "the ledger states it",
           [finding.method for finding in sharpness if not finding.accepted])
    status = {Status.REFUTED, Status.REPAIRED} if against else set()
    status |= {finding.status for finding in (repaired_found or found) if finding.accepted}
    return Entry(statement.id, statement.where, statement.printed.text, statement.hypotheses,
                 tuple(kind for kind in Status if kind in status), found, statement.repaired.text if statement.repaired else "",
                 repaired_found, sharpness, statement.errata, statement.note)
