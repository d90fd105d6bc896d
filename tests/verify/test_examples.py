"""The main job and the planted mistakes, as a stranger runs them."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from stepgauge import verify
from stepgauge.verify.cli import load

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_main_job_prints_the_verdicts_and_ends_with_0(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "judge.py", "--quick"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        env={**os.environ, "FORCE_COLOR": ""},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(tmp_path.iterdir())
    summary, planted = done.stdout.split("Two planted mistakes, which must be found:")
    rows = {
        row[0]: row
        for row in (re.split(r"\s*│\s*", line.strip("│ \n")) for line in summary.splitlines() if line.startswith("│"))
    }
    assert rows["autograd.misc.optimizers.sgd"] == ["autograd.misc.optimizers.sgd", "sgd_m", "PASS", "not at all"]
    assert rows["autograd.misc.optimizers.adam"] == ["autograd.misc.optimizers.adam", "adam", "PASS", "not at all"]
    assert rows["autograd.misc.optimizers.rmsprop"][1:3] == ["rmsprop", "PASS"]
    assert rows["autograd.misc.optimizers.rmsprop"][3].startswith(
        "no average of the gradient: β₁ = 0 (Hinton, lecture 6e); v starts"
    )
    if find_spec("torch") is None:
        assert "torch is not installed here: torch.optim.SGD, RMSprop and Adam were not judged." in summary
    else:
        assert {"torch.optim.SGD", "torch.optim.RMSprop", "torch.optim.Adam"} <= set(rows)
    pages = " ".join(planted.replace("│", " ").split())
    assert "FAIL adam First divergence: v, paper line KB1.4 (case digits, step 1, W_1" in pages
    assert "Cause: v averages the square of the momentum, not of the gradient" in pages
    assert "FAIL damping.double_damping First divergence: s_t, paper line R3.3" in pages
    assert "Cause: s_t: the interpolation has the wrong sign" in pages


def test_the_planted_adam_fails_on_its_line_alone():
    report = verify.check("adam", load(f"{EXAMPLES / 'wrong_adam.py'}:candidate"), ["plain", "labels", "large"])
    assert (report.verdict, report.failing) == ("FAIL", {"v": "KB1.4"})
    assert report.explanations == ("v averages the square of the momentum, not of the gradient",)
    assert {case.verdict for case in report.cases} == {"FAIL"}
    d = report.divergence
    assert (d.case, d.step, d.layer, d.quantity, d.line) == ("plain", 1, 0, "v", "KB1.4")
    beta1 = verify.cases("adam", ["plain"])[0].hyper.beta1
    assert abs(d.observed / d.expected / (1 - beta1) ** 2 - 1) < 1e-12               # m = (1 − β₁) g at the first step


def test_the_planted_damping_fails_on_its_line_alone():
    report = verify.check("damping.double_damping", load(f"{EXAMPLES / 'wrong_damping.py'}:candidate"))
    assert (report.verdict, report.failing) == ("FAIL", {"s_t": "R3.3"})
    assert report.explanations == ("s_t: the interpolation has the wrong sign",)
    damped = {case.case: case.verdict for case in report.cases}
    assert damped["strong curvature, n = 5"] == "PASS"
    assert damped["negative curvature, n = 5"] == "FAIL"


@pytest.mark.parametrize(("script", "problem", "methods"), [
    ("autoencoder", "digits", ("kbfgs20", "kbfgs20_l", "kfac20", "adam", "rmsprop", "sgd_m")),
    ("ablation", "digits", ("kbfgs", "kbfgs (#1 off)", "kbfgs (#2 off)", "kbfgs (both off)", "kbfgs20")),
    ("cnn", "vgg digits", ("kbfgs", "kbfgs_l", "kfac", "adam", "sgd_m")),
])
def test_an_experiment_writes_what_it_finds(script, problem, methods, tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{script}.py", "--quick", "--sets", problem, "--out", tmp_path, "--jobs", "1"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "FORCE_COLOR": "", "MPLCONFIGDIR": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    runs = json.loads((tmp_path / f"{script}.json").read_text())["runs"]
    assert [(run["set"], run["method"]) for run in runs] == [(problem, method) for method in methods]
    for run in runs:
        assert f" {problem}  {run['method']} " in done.stdout
        for one in run.get("seeds", [run]):
            assert len(one["losses"]) == 2
            assert one["losses"][1] < one["losses"][0]
            assert all(0 <= error < 1 for error in one.get("errors", ()))
    drawn = find_spec("matplotlib") is not None
    assert (tmp_path / f"{script}.png").exists() == drawn
    assert (f"matplotlib is not installed (extra `plot`): {script}.png was not drawn." in done.stdout) != drawn
