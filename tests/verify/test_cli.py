"""The command `stepgauge`: exit codes, options, and what it says about questions that cannot be asked."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from stepgauge import verify
from stepgauge.proofs_check import ledger
from stepgauge.reference import METHODS
from stepgauge.verify.cases import OPTIONAL, TRAPS
from stepgauge.verify.cli import load, main
from stepgauge.verify.procedures import PROCEDURES
from stepgauge.verify.show import SUBJECTS, WORDS, page, tagged_code

ROOT = Path(__file__).parents[2]

CANDIDATES = """
import numpy as np

def right(case, turn=lambda w: w, column=False):
    W, b = ([layer[i].copy() for layer in case.params] for i in (0, 1))
    g_h = [0 * tensor for layer in case.params for tensor in layer]
    for batch in case.batches:
        _, grad = case.loss_and_grad(list(zip(W, b)), batch)
        for i, g in enumerate(g for layer in grad for g in layer):
            g_h[i] = case.hyper.beta * g_h[i] + (1 - case.hyper.beta) * g
            (b if i % 2 else W)[i // 2] -= case.hyper.alpha * g_h[i]
        if column:
            yield {"W": [np.column_stack([w, c]) for w, c in zip(W, b)]}
        else:
            yield {"W": [turn(w) for w in W], "b": b}

def turned(case):
    return right(case, lambda w: w.T)

def column(case):
    return right(case, column=True)

def wrong(case):
    return right(case, lambda w: w * (1 + 1e-9))

def asleep(case):
    import time
    time.sleep(30)

def sleepy_damping(s, y, H, mu1, mu2):
    import time
    time.sleep(30)

def damping(s, y, H, mu1, mu2):
    from stepgauge.reference.parts.damping import double_damping
    return double_damping(s, y, H, mu1=mu1, mu2=mu2)

number = 5
"""


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "candidates.py"
    place.write_text(CANDIDATES)
    return place


def said(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_check_says_with_its_exit_code_whether_the_candidate_is_right(capsys, file):
    code, out, err = said(capsys, "check", "sgd_m", f"{file}:right")
    assert (code, err) == (0, "")
    assert "PASS  sgd_m" in out
    assert f"{len(TRAPS)} of {len(TRAPS)}" in out
    code, out, _ = said(capsys, "check", "sgd_m", f"{file}:wrong", "--case", "plain")
    assert code == 1
    assert "FAIL  sgd_m" in out
    assert "First divergence: theta, paper line R§3.7.2 (case plain, step 1, W_1, entry" in out
    code, out, err = said(capsys, "check", "sgd", f"{file}:right")
    assert (code, out) == (2, "")
    assert err.startswith("stepgauge: method: expected one of sgd_m")


def test_check_judges_procedures(capsys, file):
    code, out, _ = said(capsys, "check", "damping.double_damping", f"{file}:damping")
    assert code == 0
    assert "PASS  damping.double_damping" in out
    code, out, _ = said(capsys, "check", "damping.double_damping", f"{file}:sleepy_damping", "--time-limit", "0.2")
    assert code == 1
    assert "expected a result within 0.2 s" in " ".join(out.split())


def test_check_takes_cases_dtypes_and_layouts(capsys, file):
    for arguments, cases in (
        (("--case", "narrow"), ["narrow"]),
        (("--case", "narrow", "--case", "schedule"), ["narrow", "schedule"]),
    ):
        _, out, _ = said(capsys, "check", "sgd_m", f"{file}:right", "--json", *arguments)
        assert [case["case"] for case in json.loads(out)["cases"]] == cases
    for dtype in ("float32", "float64"):
        code, out, _ = said(capsys, "check", "sgd_m", f"{file}:right", "--json", "--case", "labels", "--dtype", dtype)
        assert (code, json.loads(out)["verdict"]) == (0, "PASS")
    assert said(capsys, "check", "sgd_m", f"{file}:turned", "--case", "labels")[0] == 1
    assert said(capsys, "check", "sgd_m", f"{file}:turned", "--case", "labels", "--kernel", "in_out")[0] == 0
    assert said(capsys, "check", "sgd_m", f"{file}:column", "--case", "labels", "--bias", "column")[0] == 0
    code, out, _ = said(capsys, "check", "sgd_m", f"{file}:asleep", "--case", "labels", "--time-limit", "0.2")
    assert code == 1
    assert "expected a step within 0.2 s" in " ".join(out.split())
    assert said(capsys, "check", "sgd_m", f"{file}:right", "--case", "digit")[0] == 2


@pytest.mark.parametrize(
    ("subject", "option"),
    [("damping.double_damping", ["--dtype", "float64"]), ("damping.double_damping", ["--case", "plain"]),
     ("damping.double_damping", ["--kernel", "in_out"]), ("damping.double_damping", ["--bias", "column"]),
     ("sgd_m", ["--bad-input"])],
)
def test_options_that_mean_nothing_here_are_refused(capsys, file, subject, option):
    code, _, error = said(capsys, "check", subject, f"{file}:right", *option)
    assert (code, error.startswith(f"stepgauge: {option[0]}: expected nothing because")) == (2, True)


@pytest.mark.parametrize(
    "arguments", [["--dtype", "float16"], ["--kernel", "io"], ["--bias", "row"], ["--time-limit", "soon"], ["--colour"]]
)
def test_options_that_there_are_not_end_with_2(capsys, file, arguments):
    with pytest.raises(SystemExit) as end:
        main(["check", "sgd_m", f"{file}:right", *arguments])
    assert end.value.code == 2
    assert "usage: stepgauge" in capsys.readouterr().err


HALVES = [[], ["judge"], ["check"], ["check", "adam"], ["show"], ["save", "adam"], ["judge-files", "adam"]]


@pytest.mark.parametrize("arguments", HALVES)
def test_commands_that_are_not_whole_end_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: stepgauge" in capsys.readouterr().err


def test_json_holds_all_of_the_report(capsys, file):
    code, out, _ = said(capsys, "check", "sgd_m", f"{file}:wrong", "--case", "plain", "--json")
    found = json.loads(out)
    assert code == 1
    assert found == json.loads(verify.check("sgd_m", load(f"{file}:wrong"), ["plain"]).to_json())
    assert (found["divergence"]["step"], found["divergence"]["quantity"], found["ok"]) == (1, "theta", False)


def broken(file, text):
    file.write_text(text)
    return f"{file}:right"


PLACES = {
    "no colon": lambda file: str(file),
    "no file": lambda file: f"{file.parent}/nothing.py:right",
    "a folder": lambda file: f"{file.parent}:right",
    "no name": lambda file: f"{file}:",
    "another name": lambda file: f"{file}:left",
    "a name that is no function": lambda file: f"{file}:number",
    "nothing": lambda file: "",
    "a colon": lambda file: ":",
    "a module": lambda file: "os:path",
    "a syntax error": lambda file: broken(file, "def right(case:\n"),
    "a file that raises": lambda file: broken(file, "raise RuntimeError('not here')"),
    "a file that leaves": lambda file: broken(file, "import sys\nsys.exit(0)"),
    "a file that imports what is not there": lambda file: broken(file, "import no_such_module_anywhere"),
    "no Python": lambda file: f"{file.rename(file.with_suffix('.txt'))}:right",
    "bytes": lambda file: (file.write_bytes(b"\xff\xfe\x00"), f"{file}:right")[1],
}


@pytest.mark.parametrize("what", PLACES)
def test_a_candidate_that_is_not_there_ends_with_2_and_a_sentence(capsys, file, what):
    code, out, err = said(capsys, "check", "sgd_m", PLACES[what](file))
    assert (code, out) == (2, "")
    assert re.fullmatch(r"stepgauge: candidate: expected .* because .*, got .*\n", err, re.DOTALL)
    assert "Traceback" not in err


def test_a_candidate_file_may_import_its_neighbours_and_hold_dataclasses(capsys, file):
    (file.parent / "neighbour_of_candidate.py").write_text("BETA = 0.9\n")
    file.write_text("from __future__ import annotations\nfrom dataclasses import dataclass\nimport neighbour_of_candidate\n"
                    "@dataclass\nclass Setting:\n    beta: float = neighbour_of_candidate.BETA\n" + CANDIDATES)
    assert said(capsys, "check", "sgd_m", f"{file}:right", "--case", "plain")[0] == 0


def test_save_and_judge_files_are_a_way_round_python(capsys, file, tmp_path):
    folder = tmp_path / "folder"
    code, out, _ = said(capsys, "save", "sgd_m", "labels", folder, "--dtype", "float32")
    assert code == 0
    assert f"stepgauge judge-files sgd_m {folder}" in out
    case = verify.Case.load(folder)
    assert (case.name, case.dtype, case.method) == ("labels", "float32", "sgd_m")
    steps = [{name: [np.array(a) for a in arrays] for name, arrays in step.items()} for step in load(f"{file}:right")(case)]
    verify.write_steps(folder, steps)
    code, out, _ = said(capsys, "judge-files", "sgd_m", folder)
    assert code == 0
    assert "PASS  sgd_m" in out
    steps[2]["b"][1] = steps[2]["b"][1] + np.float32(1e-3)
    verify.write_steps(folder, steps)
    code, out, _ = said(capsys, "judge-files", "sgd_m", folder, "--json")
    assert code == 1
    assert json.loads(out)["divergence"]["place"].startswith("b_2")
    verify.write_steps(folder, steps[:3])
    code, out, _ = said(capsys, "judge-files", "sgd_m", folder)
    assert code == 1
    assert "expected 5 steps" in out
    for method, place in (("adam", folder), ("sgd_m", tmp_path), ("sgd_m", tmp_path / "nowhere")):
        code, out, err = said(capsys, "judge-files", method, place)
        assert (code, out) == (2, "")
        assert err.startswith("stepgauge: ")
    (folder / "steps.json").write_text("{}")
    assert said(capsys, "judge-files", "sgd_m", folder)[0] == 2


def test_save_refuses_unknown_names_and_places(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    for arguments in (("save", "kfak", "plain", tmp_path / "a"), ("save", "adam", "plane", tmp_path / "a"),
                      ("save", "adam", "plain", tmp_path / "file")):
        code, out, err = said(capsys, *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("stepgauge: ")
    assert not (tmp_path / "a").exists()


def test_list_names_all_methods_procedures_and_cases(capsys):
    code, out, _ = said(capsys, "list")
    assert code == 0
    for name in (*METHODS, *PROCEDURES, *TRAPS, *OPTIONAL):
        assert re.search(rf"^ *{re.escape(name)}\b", out, re.MULTILINE), name
    for name, text in OPTIONAL.items():
        assert re.search(rf"{name} +{re.escape(text)} \(only on request\)", out)
    assert {line for line in out.splitlines() if line.rstrip() in ("Methods", "Procedures", "Cases")}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_line_that_is_shown_has_words_and_no_words_are_left_over(capsys, subject):
    source = SUBJECTS[subject]
    tags = tagged_code(source.step if hasattr(source, "step") else source)
    assert set(WORDS[subject]) == set(tags)
    assert all(text and text == text.strip() for text in WORDS[subject].values())
    code, out, _ = said(capsys, "show", subject)
    assert code == 0
    flat = "".join(out.split())
    for tag, text in tags.items():
        assert "".join(tag.split()) in flat
        assert all(line.strip() for line in text.splitlines())
        assert not any("# " + part in text for part in tag.split())
    assert len(page(subject).rows) == len(tags)


def test_words_are_for_subjects_and_subjects_have_words(capsys):
    assert set(WORDS) == set(SUBJECTS)
    assert set(SUBJECTS) >= {*METHODS, *PROCEDURES}
    code, out, err = said(capsys, "show", "kfak")
    assert (code, out) == (2, "")
    assert err.startswith("stepgauge: subject: expected one of sgd_m")


def test_shown_code_is_code_of_the_file(capsys):
    for subject in SUBJECTS:
        source = SUBJECTS[subject]
        function = source.step if hasattr(source, "step") else source
        text = Path(sys.modules[function.__module__].__file__).read_text()
        for code in tagged_code(function).values():
            assert all(line.strip() in text for line in code.splitlines())


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"stepgauge {version('stepgauge')}\n"


def run(*arguments, **environment):
    command = [sys.executable, "-m", "stepgauge.verify.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment}, timeout=120,
                          check=False)


def test_the_planted_adam_is_named_with_its_line_and_cause():
    done = run("check", "adam", "examples/wrong_adam.py:candidate")
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAIL  adam" in done.stdout
    assert "First divergence: v, paper line KB1.4 (case plain, step 1, W_1" in done.stdout
    assert "Lines that fail on their own inputs: v (KB1.4)" in done.stdout
    assert "Cause: v averages the square of the momentum, not of the gradient" in done.stdout


def test_the_command_ends_with_its_codes_and_prints_no_traceback(file):
    done = run("check", "sgd_m", f"{file}:asleep", "--time-limit", "0.3", FORCE_COLOR="")
    assert done.returncode == 1
    assert "expected a step within 0.3 s" in " ".join(done.stdout.split())
    file.write_text("import sys\nsys.exit(0)\n")
    done = run("check", "sgd_m", f"{file}:right")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_nothing_optional_is_imported_by_the_judge():
    code = (
        "import sys, stepgauge.verify.cli, stepgauge.verify.adapters.torch, stepgauge.verify.adapters.gradients; "
        "print(sorted({'torch', 'cupy', 'jax', 'matplotlib', 'sklearn', 'autograd', 'nets', 'reference', 'verify', 'arrays'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_the_examples_are_candidates():
    for name in ("wrong_adam", "wrong_damping"):
        assert callable(load(f"{ROOT / 'examples' / name}.py:candidate"))


def test_proofs_prints_the_ledger_or_a_part_of_it(capsys):
    code, out, _ = said(capsys, "proofs")
    assert code == 0
    committed = ledger.read()
    assert all(re.search(rf"^{re.escape(entry.id)}\b", out, re.MULTILINE) for entry in committed)
    code, out, _ = said(capsys, "proofs", "R.Lem.4", "--json")
    assert (code, [line["id"] for line in json.loads(out)]) == (
        0, [entry.id for entry in committed if entry.id.split("/")[0] == "R.Lem.4"])
    code, out, _ = said(capsys, "proofs", "R.Lem.4/2")
    assert code == 0
    assert "printed" in out
    assert "PROVED by a certificate" in out
    code, out, err = said(capsys, "proofs", "R.Lem.99")
    assert (code, out) == (2, "")
    assert err.startswith("stepgauge: ID: expected the id of a statement")


def test_forms_and_jobs(capsys, file):
    code, page, _ = said(capsys, "check", "sgd_m", f"{file}:wrong", "--case", "plain", "--case", "labels")
    assert code == 1
    assert said(capsys, "check", "sgd_m", f"{file}:wrong", "--case", "plain", "--case", "labels", "--jobs", "2")[1] == page
    code, text, _ = said(capsys, "check", "sgd_m", f"{file}:wrong", "--case", "plain", "--markdown")
    assert code == 1
    assert text.startswith("## FAIL: sgd_m\n\nFirst divergence: **theta**")
    assert "Smallest case found:" in text
    assert said(capsys, "check", "damping.double_damping", f"{file}:damping", "--jobs", "2")[0] == 2
