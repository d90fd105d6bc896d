"""NOT-REJECTED: a candidate that computes on where the reference refuses, and the reference itself, which never does."""

import numpy as np
import pytest
from stepgauge import verify
from stepgauge.reference.parts import damping
from stepgauge.verify.bad_input import corruptions
from stepgauge.verify.cli import main

UNCHECKED = ("tensors.vec",)
"""What takes any tensor."""


@pytest.mark.parametrize("name", sorted(verify.PROCEDURES))
def test_the_reference_refuses_what_it_says_it_refuses(name):
    procedure = verify.PROCEDURES[name]
    report = verify.check(name, getattr(procedure.module, procedure.function), bad_input=True)
    assert report.verdict == "PASS"
    assert any(case.case.startswith("bad input") for case in report.cases) or name in UNCHECKED, "nothing was refused"


def unguarded(s, y, H, mu1, mu2):
    return damping.double_damping.trusted(s, y, H, mu1=s.dtype.type(mu1), mu2=s.dtype.type(mu2))


def test_a_candidate_without_checks_is_not_rejecting():
    assert verify.check("damping.double_damping", unguarded).verdict == "PASS"
    report = verify.check("damping.double_damping", unguarded, bad_input=True)
    assert report.verdict == "NOT-REJECTED"
    assert not report.ok
    missed = {case.case for case in report.cases if case.verdict == "NOT-REJECTED"}
    assert {"bad input: argument 1 with a nan", "bad input: argument 3 not symmetric", "bad input: argument 3 not definite",
            "bad input: mu2 = 1.5", "bad input: mu1 nan"} <= missed
    page = " ".join(str(report).replace("│", " ").split())
    assert "returned a result where the reference raises in bad input: argument 1 with a nan;" in page
    assert "bad input: argument 3 not definite;" in page


def test_corruptions_leave_the_good_call_alone():
    s, H = np.ones(2), np.eye(2)
    ways = list(corruptions((s, H, 3), {"mu": 0.5}))
    assert all(sum((args[0] is not s, args[1] is not H, args[2] != 3, kwargs != {"mu": 0.5})) == 1 for _, args, kwargs in ways)
    assert (s == 1).all()
    assert (np.eye(2) == H).all()


def test_on_the_command_line(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("from stepgauge.reference.parts import damping\n"
                    "def mine(s, y, mu):\n    return damping.powell_identity.trusted(s, y, mu=s.dtype.type(mu))\n")
    assert main(["check", "damping.powell_identity", f"{file}:mine"]) == 0
    assert main(["check", "damping.powell_identity", f"{file}:mine", "--bad-input"]) == 1
    assert "NOT-REJECTED" in capsys.readouterr().out
