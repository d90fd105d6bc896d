"""The planted slips of `tests/planted`, put into the methods and procedures themselves: their vectors find them."""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from stepgauge.reference import METHODS
from stepgauge.verify.adapters import reference as adapter
from stepgauge.verify.procedures import PROCEDURES
from stepgauge.verify.vectors.replay import replay

SPEC = importlib.util.spec_from_file_location("planted", Path(__file__).parents[1] / "planted" / "test_planted.py")
planted = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(planted)

ELSEWHERE = ("penalty", "decay", "𝒟γ", "over positions", "tape", "heavy ball damped", "second pass", "λ_G in the action of A",
             "λ_A damps the pair of G", "without pairs", "before and after exchanged", "f(θ) for f(θ + p)", "ρ = ε boosts",
             "has faded", "eigenvalue rounds to 0", "the trace overflows")
LINES_ELSEWHERE = {("stepgauge.reference.kbfgs", "R§2.4"), ("stepgauge.reference.kbfgs", "R§3.4.3"),
                   ("stepgauge.reference.kfac", "R§3.7.2")}
"""What is left to other cases of the judge: options, batch normalisation, convolutions (λ_A and λ_G differ there alone), tapes
that are handed in, no pairs at all; losses that are handed to `reduction_ratio`, not computed by it. ρ = ε, since ε is rounded in a
band, conjugate gradients beyond convergence, and what happens at the ends of the floats, have no vectors that tell."""


def subjects(slip):
    """The methods and procedures among whose paper lines the slip's line is, or the procedure that it names."""
    yield from (name for name, method in METHODS.items() if method.step.__module__ == slip.module
                and slip.at in " ".join(method.LINES.values()).split())
    yield from (name for name, procedure in PROCEDURES.items() if procedure.module.__name__ == slip.module
                and slip.at in (procedure.function, *" ".join(procedure.names().values()).split()))


def slipped(slip):
    """The module with the slip in it, beside the real one."""
    module = types.ModuleType(slip.module)
    module.__package__ = slip.module.rpartition(".")[0]
    module.__file__ = sys.modules[slip.module].__file__
    exec(compile(planted.planted(slip), module.__file__, "exec"), module.__dict__)
    return module


def candidate_of(module, subject):
    if subject in PROCEDURES:
        return getattr(module, PROCEDURES[subject].function)

    def candidate(case):
        params, state = case.params, module.init(case.model, case.params, case.data, case.hyper)
        yield adapter.shown(params, state)
        for batch in case.batches:
            params, state, trace = module.step(case.model, params, state, batch, case.hyper)
            yield adapter.shown(params, state, trace)
    return candidate


def found(slip):
    module = slipped(slip)
    with np.errstate(all="ignore"):
        return any(not (outcome := replay(subject, candidate_of(module, subject))).ok or outcome.convention
                   for subject in subjects(slip))


def test_a_planted_slip_is_found_and_none_is_not():
    slip = next(slip for slip in planted.SLIPS if slip.at == "R3.5")
    assert list(subjects(slip)) == ["damping.double_damping"]
    assert found(slip)
    assert not found(slip._replace(new=slip.old))


@pytest.mark.long
def test_planted_slips_are_found():
    slips = [slip for slip in planted.SLIPS if any(subjects(slip))]
    missed = [slip for slip in slips if not found(slip)]
    assert len(slips) > 200
    missed = [slip for slip in missed if (slip.module, slip.at) not in LINES_ELSEWHERE]
    others = [str(slip) for slip in missed if not any(words in slip.bug for words in ELSEWHERE)]
    assert not others, f"{len(others)} of {len(slips)}:\n" + "\n".join(others)
    assert [words for words in ELSEWHERE if not any(words in slip.bug for slip in missed)] == []
