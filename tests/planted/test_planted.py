"""One planted slip per tagged line: each turns a test red, and no tagged line of `nets` or `reference` is without one.

`slips/*.py` say {module: {test: [(at, old, new, bug), …]}}: what a tired hand writes in place of a line, and the test that must
go red. In `module`, at the statement with the tag `at`, or in the function, class or table named `at`, where `old` occurs exactly
once, it becomes `new`; `bug` says what has gone wrong. Lines without a tag on which much rests have slips, too. `red.py` runs
the tests.
"""

import ast
import importlib.util
import io
import json
import pkgutil
import re
import runpy
import subprocess
import sys
import tokenize
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from stepgauge import nets, reference
from stepgauge.verify.source import TAG, tags_by_line

HERE = Path(__file__).parent
SECONDS = 120                                            # after which a test under a slip has hung


class Slip(NamedTuple):
    module: str
    at: str
    old: str
    new: str
    bug: str
    test: str

    def __str__(self):
        return f"{self.module} {self.at}: {self.old!r} to {self.new!r} ({self.bug}), under {self.test}"


SLIPS = [Slip(f"stepgauge.{module}", *slip, f"tests/{test}") for file in sorted(HERE.glob("slips/*.py"))
         for module, tests in runpy.run_path(str(file))["SLIPS"].items() for test, slips in tests.items() for slip in slips]


@cache
def source(module):
    """The text of an installed module, which is not run for it."""
    return importlib.util.find_spec(module).loader.get_source(module)


@cache
def tagged(text):
    """(first line, last line, tags) of every statement, or head of a compound statement, that carries tags."""
    found, first, tags = [], 0, ()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            found += [(first, token.start[0], tags)] if tags else []
            first, tags = 0, ()
        elif token.type == tokenize.COMMENT:
            tags += tags_by_line(text).get(token.start[0], ()) if first else ()
        elif token.type not in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            first = first or token.start[0]
    return found


def defined(node):
    """The names that a function, class or assignment gives."""
    return {getattr(node, "name", None), *(getattr(target, "id", None) for target in getattr(node, "targets", ()))}


@cache
def places(text, at):
    """(first line, last line) of what `at` names: statements with this tag, or a definition, such as `init` or `Ball.__le__`."""
    if TAG.fullmatch(at):
        return [(first, last) for first, last, tags in tagged(text) if at in tags]
    nodes = [ast.parse(text)]
    for name in at.split("."):
        nodes = [child for node in nodes for child in node.body if name in defined(child)]
    return [(node.lineno, node.end_lineno) for node in nodes]


@cache
def hits(slip):
    """Where in the module's text `old` begins, for every time that it occurs at the slip's place."""
    text = source(slip.module)
    lines = text.splitlines(keepends=True)
    return [len("".join(lines[:first - 1])) + match.start() for first, last in places(text, slip.at)
            for match in re.finditer(re.escape(slip.old), "".join(lines[first - 1:last]))]


def planted(slip):
    """The module's text with the slip in it."""
    text, (at,) = source(slip.module), hits(slip)
    return text[:at] + slip.new + text[at + len(slip.old):]


def outcomes(jobs):
    """What `red.py` says of (module, text, test, …) each: pytest's exit status and output."""
    asked = [{"module": module, "source": text, "stages": [tests], "limit": SECONDS} for module, text, *tests in jobs]
    done = subprocess.run([sys.executable, "-P", str(HERE / "red.py")], input=json.dumps(asked), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return [(outcome["status"], outcome["output"]) for outcome in json.loads(done.stdout)]


def test_every_tagged_line_has_a_slip():
    found = {(slip.module, source(slip.module).count("\n", 0, at) + 1) for slip in SLIPS for at in hits(slip)}
    bare = [f"{module.name}:{first} ({' '.join(tags)})" for package in (nets, reference)
            for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
            for first, last, tags in tagged(source(module.name))
            if not any((module.name, line) in found for line in range(first, last + 1))]
    assert not bare, "tests/planted/slips: expected a slip for every tagged line, got none for\n" + "\n".join(bare)


def test_every_slip_fits_one_place_and_changes_the_program():
    strays = [f"{len(hits(slip))} times: {slip}" for slip in SLIPS if len(hits(slip)) != 1]
    assert not strays, "tests/planted/slips: expected `old` exactly once in its place, got it\n" + "\n".join(strays)
    idle = [str(slip) for slip in SLIPS if ast.dump(ast.parse(planted(slip))) == ast.dump(ast.parse(source(slip.module)))]
    assert not idle, "tests/planted/slips: expected another program, got the same one for\n" + "\n".join(idle)


def test_no_slip_is_listed_twice():
    edits = [slip[:4] for slip in SLIPS]
    assert [str(slip) for slip in SLIPS if edits.count(slip[:4]) > 1] == []


@pytest.mark.long
def test_every_slip_turns_its_test_red():
    verdicts = outcomes([(slip.module, planted(slip), slip.test) for slip in SLIPS])
    others = [f"survived: {slip}" if status == 0 else f"no verdict: {slip}\n{output}"
              for slip, (status, output) in zip(SLIPS, verdicts, strict=True) if status != 1]
    assert not others, f"{len(others)} of {len(SLIPS)} slips: expected a red test, got\n" + "\n".join(others)


@pytest.mark.long
def test_without_a_slip_the_same_tests_are_green():
    tests = sorted({slip.test for slip in SLIPS})
    halves = [("stepgauge.nets", source("stepgauge.nets"), *half) for half in (tests[::2], tests[1::2])]
    for status, output in outcomes(halves):
        assert status == 0, output


def test_what_changes_nothing_survives_and_what_never_runs_is_not_red():
    module, file = "stepgauge.reference.parts.damping", "tests/reference/test_parts_damping.py"
    text, test = source(module), f"{file}::test_awkward_cases_are_those_of_the_text"
    same = text.replace("theta1 * s + (1 - theta1) * Hy", "Hy - theta1 * (Hy - s)")
    assert same != text
    (survives, output), *nothing_runs = outcomes([
        (module, same, test), (module, f"{text})", test), (module, text, f"{file}::test_of_nothing"),
        (module, text, "tests/nowhere.py")])
    assert survives == 0, output
    assert not {0, 1} & {status for status, _ in nothing_runs}
