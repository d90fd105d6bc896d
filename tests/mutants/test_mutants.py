"""The mutants themselves: what each operator makes, what none touches, how a sample is drawn and a score counted."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import score
from operators import mutants

HERE = Path(__file__).parent
DAMPING = "reference/parts/damping.py"


def made(line):
    """What a line of code becomes, without the brackets around the new part."""
    return [mutant.new[0].replace("(", "").replace(")", "") for mutant in mutants(line)]


@pytest.mark.parametrize(("line", "new"), [
    ("x + y", ["x - y", "x", "y"]),
    ("x - y", ["x + y", "x", "y"]),
    ("x * y", ["x / y", "x", "y"]),
    ("x / y", ["x * y", "x"]),
    ("x // y", ["x * y", "x"]),
    ("x ** y", ["x * y", "x"]),
    ("x | y", ["x & y", "x"]),
    ("A @ b", ["A", "b", "b @ A", "A.T @ b"]),
    ("a @ b", ["a", "b"]),
    ("A @ A", ["A", "A", "A.T @ A"]),
    ("-x", ["x"]),
    ("not x", ["x"]),
    ("x < y", ["x >= y", "x <= y"]),
    ("x >= y", ["x < y", "x > y"]),
    ("x == y", ["x != y"]),
    ("x in y", ["x not in y"]),
    ("x is y", ["x is not y"]),
    ("x < y < z", ["x >= y < z", "x <= y < z", "x < y >= z", "x < y <= z"]),
    ("x and y", ["x or y", "y", "x"]),
    ("x or y or z", ["x and y and z", "y or z", "x or z", "x or y"]),
    ("x if y else z", ["x", "z"]),
    ("3", ["4", "2"]),
    ("0", ["1", "-1"]),
    ("0.5", ["1.0", "0.25"]),
    ("True", ["False"]),
    ("A.T", ["A"]),
    ("[x for x in y if x]", ["[x for x in y]"]),
    ("sqrt(x)", ["x"]),
    ("xp.sum(x)", ["xp.maxx"]),
    ("any(x)", ["allx"]),
    ("f(x, y, z)", ["fy, x, z", "fx, z, y"]),
    ("max(x, y)", ["minx, y"]),
    ("isinstance(x, y)", []),
    ("f(x)", []),
    ("f(*x, y)", []),
])
def test_an_expression_becomes(line, new):
    assert made(f"k = {line}") == [f"k = {text}" for text in new]


@pytest.mark.parametrize(("line", "new"), [
    ("f()", "pass"), ("expect(x, 'x', 'a number')", "pass"), ("raise ValueError(1 + 1)", "pass"), ("continue", "break"),
    ("break", "continue"), ("x += y", "x -= y"), ("yield x", "pass"), ("return x, y", "return (y, x)"),
    ("if x: k = y", "if (not x): k = y"), ("while x: k = y", "while (not x): k = y"),
])
def test_a_statement_becomes(line, new):
    text = f"def f():\n    while g:\n        {line}\n"
    assert [mutant.new[0].strip() for mutant in mutants(text)[1:]] == [new]


@pytest.mark.parametrize("text", [
    '"""1 + 1."""\n', "import a.b as c\n", "def f(x: a | b) -> c | d:\n    return x\n", "x: a | b = y\n",
    "@g(1)\ndef f(): return x\n", "class A(B[1]): pass\n", "k = f'{1 + 1}'\n", "k = 'a' + b\n",
])
def test_what_does_not_compute_stays(text):
    assert mutants(text) == []


def test_of_a_check_its_condition_alone_is_edited():
    assert [mutant.new[0] for mutant in mutants("expect(x < 1, f(1), 'below ' + 'one', 'why', 1 + 1)")][1:] == [
        f"expect({new}, f(1), 'below ' + 'one', 'why', 1 + 1)" for new in ("(x >= 1)", "(x <= 1)", "x < 2", "x < 0")]


def test_lines_and_comments_stay():
    text = "k = (a +    # R4.1\n     b)     # R4.2\nβ = 'ß', a - b   # R4.3\n"
    found = [mutant.planted(text) for mutant in mutants(text)]
    assert found[0] == "k = ((a - b  # R4.1\n))     # R4.2\nβ = 'ß', a - b   # R4.3\n"
    assert found[3] == "k = (a +    # R4.1\n     b)     # R4.2\nβ = 'ß', (a + b)   # R4.3\n"


@pytest.mark.parametrize("file", [DAMPING, "reference/kfac.py", "verify/source.py", "verify/runner.py"])
def test_every_mutant_is_another_program_and_no_two_are_told_alike(file):
    text = score.text_of(file)
    found = mutants(text)
    assert len({mutant[:4] for mutant in found}) == len(found)
    same = ast.dump(ast.parse(text))
    for mutant in found:
        planted = mutant.planted(text)
        assert planted.count("\n") == text.count("\n")
        assert planted.count("#") == text.count("#")
        assert ast.dump(ast.parse(planted)) != same, mutant


def test_a_smaller_sample_is_a_part_of_a_larger_one():
    everything = [score.Planted(DAMPING, mutant) for mutant in mutants(score.text_of(DAMPING))]
    ten = score.sample(everything, 10, 0)
    assert score.sample(everything[::-1], 30, 0)[:10] == ten != score.sample(everything, 10, 1)
    assert sorted(score.sample(everything, None, 0)) == sorted(everything)


def test_every_listed_survivor_is_a_mutant_and_has_its_reason():
    there = {score.key(one.entry) for one in score.every()}
    listed = [score.key(entry) for entry in score.LISTED]
    assert len(set(listed)) == len(listed)
    assert [entry for entry in listed if entry not in there] == [], "drop these: the code has changed"
    for entry in score.LISTED:
        kind, _, why = entry["reason"].partition(": ")
        assert kind in ("equivalent", "input", "margin", "speed", "text"), entry
        assert len(why) > 10, f"a reason is a phrase: {entry}"


def test_what_is_left_out_is_there_and_has_its_reason():
    for place, reason in score.PLAN["left-out"].items():
        file, _, function = place.partition(":")
        assert not function or any(mutant.function == function for mutant in mutants(score.text_of(file))), place
        assert len(reason) > 10


def run(program):
    """What a process without stepgauge prints, as JSON."""
    done = subprocess.run([sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(HERE)!r})\n{program}"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_tested_line_is_killed_and_an_untested_one_survives():
    program = f"""
import json, score
from rich.progress import Progress
score.PLAN["nearest"], score.PLAN["wider"] = {{"{DAMPING}": ["reference/test_parts_damping.py"]}}, {{}}
lines = score.text_of("{DAMPING}").splitlines()
def planted(old, new):
    at = next(i for i, line in enumerate(lines) if old in line)
    return score.Planted("{DAMPING}", score.Mutant("", (lines[at],), (lines[at].replace(old, new),), 0, at))
score.red.prepare()
tested = planted("s_t = theta1 * s + (1 - theta1) * Hy", "s_t = theta1 * s - (1 - theta1) * Hy")
untested = planted("from __future__ import annotations", "from __future__ import annotations; UNTESTED = 1")
with Progress(disable=True) as bar:
    print(json.dumps([one.entry["new"] for one in score.outcomes([tested, untested], bar)[0]]))
"""
    assert run(program) == ["from __future__ import annotations; UNTESTED = 1"]


@pytest.mark.long
def test_every_stage_has_tests():
    program = """
import contextlib, io, json, pytest, score
stages = {tuple(words) for one in score.every() for words in score.stages(one.file)}
with contextlib.redirect_stdout(io.StringIO()):
    found = [words for words in sorted(stages) if pytest.main([*score.red.OPTIONS, "--collect-only", *words])]
print(json.dumps(found))
"""
    assert run(program) == []
