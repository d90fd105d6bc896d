"""Would the judge pass a wrong implementation? Every slip that is planted in a method's file, run as a candidate.

The slips of tests/planted turn a test red where they stand in the reference; here each of them is somebody's program, which
shows all that it computes, and the judge must not PASS it on any small case of the suite.
"""

import sys
from pathlib import Path

import pytest
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.verify.adapters.reference import shown
from stepgauge.verify.cases import optional, suite
from stepgauge.verify.conventions import CONVENTIONS

sys.path.insert(0, str(Path(__file__).parents[1] / "planted"))
from test_planted import SLIPS, planted

sys.path.pop(0)

MODULES = {}
for method in METHODS:
    MODULES.setdefault(METHODS[method].step.__module__, []).append(method)

UNSEEN = ("tape", "passes", "by default", "where Γ = 0", "a row too many")
"""A forward pass made twice is no other program; no case has bad hyper-parameters or row numbers, none is left at its default, and
in none are all derivatives of a layer 0."""

WITHOUT_A_CASE = {
    "`schedule` is called between steps, which no case does": (
        "after every step", "any improvement counts", "one more time patient", "λ falls once only"),
}
"""Options that no case of the judge switches on yet, with the slips in them that it therefore cannot see."""

NO_CANDIDATES = (*UNSEEN, *(bug for bugs in WITHOUT_A_CASE.values() for bug in bugs))

CANDIDATES = [slip for slip in SLIPS if slip.module in MODULES and not any(words in slip.bug for words in NO_CANDIDATES)]


def candidate(slip, method):
    """The method with the slip in it."""
    def steps(case):
        source = {"__name__": slip.module, "__package__": slip.module.rpartition(".")[0]}
        exec(compile(planted(slip), slip.module, "exec"), source)
        params, state = case.params, source["init"](case.model, case.params, case.data, case.hyper)
        yield shown(params, state)
        for batch in case.batches:
            params, state, trace = source["step"](case.model, params, state, batch, case.hyper)
            yield shown(params, state, trace)

    return steps


def verdicts(slip):
    """The verdict on one case after the other, for all methods of the file, until one is not a PASS."""
    for method in MODULES[slip.module]:
        for name in (*suite(method), *optional(method)):
            if name != "digits":
                yield verify.check(method, candidate(slip, method), [name]).verdict


@pytest.mark.long
@pytest.mark.parametrize("slip", CANDIDATES, ids=lambda slip: f"{slip.module.rpartition('.')[2]} {slip.at}: {slip.bug}")
def test_a_planted_slip_is_not_passed(slip, monkeypatch):
    for method in MODULES[slip.module]:
        monkeypatch.setitem(CONVENTIONS, method, ())
    assert any(verdict not in ("PASS", "GREY") for verdict in verdicts(slip))
