"""Every convention and slip of chapter 4 that the judge knows by name: made by rewriting the reference, and recognized."""

import sys

import numpy as np
import pytest
from stepgauge import verify
from stepgauge.arrays import map_arrays
from stepgauge.reference import METHODS
from stepgauge.verify.conventions import CONVENTIONS
from stepgauge.verify.replay import PAPER
from stepgauge.verify.source import instrument
from tensor_bridge import ALL

STARTS = {"zeros": np.zeros_like, "ones": np.ones_like, "eye": lambda x: np.eye(len(x))}
KNOWN = [(method, convention) for method in ALL if method != "tnt_ef" for convention in CONVENTIONS[method]]


def text(case):
    return case.text if hasattr(case, "text") else str(case)


def candidate_under(method, convention):
    """The reference in floats, with a convention's lines in place of its own; it shows everything."""
    code = METHODS[method]
    step = instrument(sys.modules[code.step.__module__], lambda tag, function, name, value: value, convention.rewrites)["step"]

    def candidate(case):
        params, state = case.params, code.init(case.model, case.params, case.data, case.hyper)
        state = state._replace(**{name: map_arrays(STARTS[what], getattr(state, name)) for name, what in convention.start.items()})
        for batch in case.batches:
            params, state, trace = step(case.model, params, state, batch, case.hyper)
            yield {"W": [layer.W for layer in params], "b": [layer.b for layer in params],
                   **{name: list(value) for name, value in trace._asdict().items() if name not in ("theta", "W")}}

    return candidate


@pytest.mark.parametrize(("method", "convention"), KNOWN, ids=text)
def test_a_convention_is_named_and_a_slip_is_named_as_the_cause(method, convention):
    report = verify.check(method, candidate_under(method, convention), ["labels"])
    assert report.explanations == (convention.text,), str(report)
    assert report.verdict == ("PASS" if convention.legitimate else "FAIL")
    assert report.divergence is None or report.divergence.quantity == next(iter(convention.rewrites)).rpartition(".")[2]


def test_the_place_of_a_divergence_names_tensor_and_mode():
    convention = next(c for c in CONVENTIONS["shampoo"] if "−1/2 for every" in c.text)
    case, = verify.cases("shampoo", ["labels"])
    report = verify.check("shampoo", candidate_under("shampoo", convention), [case])
    assert report.ok
    wrong = candidate_under("shampoo", convention)

    def scaled(case):
        for step in wrong(case):
            yield step | {"root_inv": [[1.5 * np.asarray(part) for part in tensor] for tensor in step["root_inv"]]}

    found = verify.check("shampoo", scaled, [case]).divergence
    assert (found.quantity, found.layer) == ("root_inv", 0)
    assert found.place.startswith("W_1, mode 1, entry ")


def test_factors_may_be_listed_flat_or_by_tensor_and_empty_where_nothing_was_computed():
    case, = verify.cases("tnt", ["plain"])
    nested = candidate_under("tnt", PAPER)

    def flat(case):
        for step in nested(case):
            yield {name: [part for tensor in value for part in (tensor if isinstance(tensor, tuple) else [tensor])]
                   for name, value in step.items()}

    for candidate in (nested, flat):
        assert verify.check("tnt", candidate, [case]).verdict == "PASS"

    def short(case):
        for step in nested(case):
            yield step | {"G_h": step["G_h"][:-1]}

    report = verify.check("tnt", short, [case])
    assert report.cases[0].reason.startswith("G_h: expected a list of 6 arrays because ")
