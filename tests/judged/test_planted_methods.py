"""Would the judge pass a wrong implementation? Every slip that is planted in a method's or a procedure's file, run as a candidate.

The slips of tests/planted turn a test red where they stand in the reference; here each of them is somebody's program, which
shows all that it computes, and the judge must not PASS it on any small case of the suite, or in any call of the procedure.
"""

import sys
from pathlib import Path

import pytest
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.verify.adapters.reference import shown
from stepgauge.verify.cases import optional, suite
from stepgauge.verify.conventions import CONVENTIONS
from stepgauge.verify.procedures import PROCEDURES

sys.path.insert(0, str(Path(__file__).parents[1] / "planted"))
from test_planted import SLIPS, planted

sys.path.pop(0)

METHODS_IN, PROCEDURES_IN = {}, {}
for method in METHODS:
    METHODS_IN.setdefault(METHODS[method].step.__module__, []).append(method)
for name, procedure in PROCEDURES.items():
    PROCEDURES_IN.setdefault(procedure.module.__name__, []).append(name)

UNSEEN = {
    "a forward pass made twice is no other program": ("tape", "passes"),
    "no case has bad hyper-parameters or row numbers, and none is left at its default": (
        "by default", "a row too many", "T_2 < T_1 passes", "ε = 0 passes", "N₂ need not divide the rows of J",
        "the positions of a BatchNorm count", "rows that are none are taken", "a tolerance that says nothing ends the iteration"),
    "no case lies at the ends of the floats, and within them it is the same": (
        "the quotient overflows where its root is a number", "the quotient underflows where its root is a number",
        "two roots for one", "0/0 where the mean eigenvalue rounds to 0", "Ũ = 0 where the trace overflows",
        "a step may end in infinity"),
    "no input has subsets of such different sizes, or a matrix so nearly singular": (
        "what nothing proves is not solved again", "1/6 in M(r)", "no doubt about an inverse"),
    "no method evaluates the tensor-normal distribution, and no procedure draws from it": (
        "the half is left out", "π for 2π", "the sign of log det", "the determinant of C for that of CCᵀ", "the mean is left out",
        "Cᵀ for C"),
    "`here_and_ahead`, `gradient` and `learning_rate` are no procedures: the ρ, the gradient and the step of a method show them": (
        "f(θ) without the penalty", "before and after exchanged", "f(θ) for f(θ + p)", "falls one step too early", "falls smoothly",
        "the penalty is η‖θ‖²", "biases are not penalized", "an infinite gradient goes on"),
    "no method calls it": ("U_k ⊗ ⋯ ⊗ U_1",),
    "the line has no tag; a method shows what comes of it in its first step": ("without pairs H is I",),
    "no input needs so much: they are good enough as they are": (
        "a thousand iterations", "a root without a digit passes", "0/0 once d has faded"),
    "ε is a hyper-parameter, rounded in one program and not in the other": ("ρ = ε boosts",),
    "Newton's method on ∇T = 0, or factors of M(r), mend it": (
        "no Schur complement", "1/6 in the scalar equation", "K = D⁻¹H̄", "c = ḡ", "η′ for η", "the shift twice"),
    "the hard case has two solutions that are equally good": (
        "the hard case without its free part", "the hard case at the wrong side", "the sign of an eigenvector routine"),
}
"""Why the judge cannot see a slip, and the slips."""

NOT_CALLED = {("stepgauge.reference.parts.lbfgs", "updated"), *(("stepgauge.reference.parts.curvature", at) for at in (
    "directions", "R(1.7)", "fisher", "ggn_product", "fisher_product", "examples"))}
"""Where no procedure of a module comes by: methods do, which are judged with slips of their own."""

CANDIDATES = [slip for slip in SLIPS if slip.module in {*METHODS_IN, *PROCEDURES_IN} and (slip.module, slip.at) not in NOT_CALLED
              and not any(words in slip.bug for bugs in UNSEEN.values() for words in bugs)]


def namespace(slip):
    """What the module with the slip in it defines."""
    source = {"__name__": slip.module, "__package__": slip.module.rpartition(".")[0]}
    exec(compile(planted(slip), slip.module, "exec"), source)
    return source


def candidate(slip):
    """The method with the slip in it."""
    def steps(case):
        source = namespace(slip)
        params, state = case.params, source["init"](case.model, case.params, case.data, case.hyper)
        yield shown(params, state)
        for batch in case.batches:
            params, state, trace = source["step"](case.model, params, state, batch, case.hyper)
            yield shown(params, state, trace)

    return steps


def verdicts(slip):
    """The verdict on one case after the other, for all methods and procedures of the file, until one is not a PASS."""
    for name in PROCEDURES_IN.get(slip.module, ()):
        yield verify.check(name, namespace(slip)[PROCEDURES[name].function]).verdict
    for method in METHODS_IN.get(slip.module, ()):
        for name in (*suite(method), *optional(method)):
            if name != "digits":
                yield verify.check(method, candidate(slip), [name]).verdict


@pytest.mark.long
@pytest.mark.parametrize("slip", CANDIDATES, ids=lambda slip: f"{slip.module.rpartition('.')[2]} {slip.at}: {slip.bug}")
def test_a_planted_slip_is_not_passed(slip, monkeypatch):
    for name in (*METHODS_IN.get(slip.module, ()), *PROCEDURES_IN.get(slip.module, ())):
        monkeypatch.setitem(CONVENTIONS, name, ())
    assert any(verdict not in ("PASS", "GREY") for verdict in verdicts(slip))


def test_what_is_unseen_is_planted():
    unused = {words for bugs in UNSEEN.values() for words in bugs if not any(words in slip.bug for slip in SLIPS)}
    assert not unused
