"""Code stands beside its paper line: `paper_lines.json` says which printed lines are code and which function holds them.

`algorithms` gives, for each algorithm that is implemented, how many lines are printed, why some of them are no code, and the
functions that carry the others. `passages` does the same for equations and sections, without an order.
"""

import ast
import io
import itertools
import json
import re
import tokenize
from pathlib import Path

import pytest
from stepgauge.reference import METHODS

LISTED = json.loads((Path(__file__).parent / "paper_lines.json").read_text(encoding="utf-8"))
TAG = r"(?:(?:R|KB|W)\d+\.\d+|[RW]\(\d+(?:\.\d+)?\)|[RW]§[A-Z0-9]+(?:\.\d+)*)"


def tags(source):
    """(line, tag) of every tag in the source's comments: `# R3.2 R3.3  words`."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and (found := re.match(rf"#\s*({TAG}(?:\s+{TAG})*)(?=\s|$)", token.string)):
            yield from ((token.start[0], tag) for tag in found[1].split())


def tags_by_function(source):
    """{"file::function": [tag, …]} in the order of the lines; a tag that goes on over several lines counts once."""
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef)]
    found = {}
    for line, tag in tags(source):
        holders = [node for node in functions if node.lineno <= line <= node.end_lineno]
        name = max(holders, key=lambda node: node.lineno).name if holders else "<module>"
        run = found.setdefault(f"{source.path}::{name}", [])
        if not run or run[-1] != tag:
            run.append(tag)
    return found


def split(tag):
    """("R3", 2) for R3.2, and None for equations and sections."""
    found = re.fullmatch(r"((?:R|KB|W)\d+)\.(\d+)", tag)
    return found and (found[1], int(found[2]))


def disorder(where, run):
    """Complaints about the algorithm lines of one function that stand in another order than in print."""
    lines = [split(tag) for tag in run if split(tag)]
    for (algorithm, line), (next_algorithm, next_line) in itertools.pairwise(lines):
        if algorithm == next_algorithm and next_line <= line:
            yield f"{where}: {algorithm}.{next_line} stands after {algorithm}.{line}; keep the paper's order, one place a line"


def expected_by_function(listed):
    """{"file::function": [algorithm lines]} and {"file::function": {passages}} as the committed list has them."""
    lines, passages = {}, {}
    for name, algorithm in listed["algorithms"].items():
        for where, numbers in algorithm["code"].items():
            lines.setdefault(where, []).extend(f"{name}.{number}" for number in numbers)
    for passage, functions in listed["passages"].items():
        for where in functions:
            passages.setdefault(where, set()).add(passage)
    return lines, passages


def differences(found, listed):
    """Complaints about tags in code that are not listed, and the other way round."""
    lines, passages = expected_by_function(listed)
    for where in sorted({*found, *lines, *passages}):
        run = found.get(where, [])
        yield from disorder(where, run)
        in_code = [tag for tag in run if split(tag)]
        if sorted(in_code) != sorted(lines.get(where, [])):
            yield f"{where}: tags {in_code} in the code, {lines.get(where, [])} in paper_lines.json; make them agree"
        in_code = {tag for tag in run if not split(tag)}
        if in_code != passages.get(where, set()):
            yield (f"{where}: tags {sorted(in_code)} in the code, {sorted(passages.get(where, set()))} in paper_lines.json; "
                   f"make them agree")


def gaps(name, algorithm):
    """Complaints about printed lines that are neither code nor said to be none, or both."""
    code = {number for numbers in algorithm["code"].values() for number in numbers}
    words = {int(number) for number in algorithm["no code"]}
    if code & words:
        yield f"{name}: lines {sorted(code & words)} are listed both as code and as no code"
    if code | words != set(range(1, algorithm["printed"] + 1)):
        missing = sorted(set(range(1, algorithm["printed"] + 1)) ^ (code | words))
        yield f"{name}: lines {missing} of {algorithm['printed']} must be tagged, or listed under 'no code' with the reason"


def stray_tags(source):
    """Comments that look like tags but are not written as one, such as `# R 3.2` or a tag after other words."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            rest = re.sub(rf"^#\s*(?:{TAG}\s*)*", "", token.string)
            if re.search(rf"(?<![\w.]){TAG}(?![\w.])", rest) or re.match(r"(?:R|KB) ?\d+\.\d|[RW] [(§]", rest):
                yield f"{source.path}:{token.start[0]}: write paper tags first and without spaces, '# R3.2 R3.3  words'"


def assigned_under(source):
    """{tag: names that a line under it assigns}, where a statement over several lines carries the tags of all of them."""
    by_line, found = {}, {}
    for line, tag in tags(source):
        by_line.setdefault(line, set()).add(tag)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assign):
            names = {part.id for target in node.targets for part in ast.walk(target)
                     if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
            for line in range(node.lineno, node.end_lineno + 1):
                for tag in by_line.get(line, ()):
                    found.setdefault(tag, set()).update(names)
    return found


def unassigned(lines, fields, source):
    """Complaints about Trace fields without a line that assigns them under their tag.

    A field that is a record may stand in LINES under the names of its parts instead, with the tag of the field's line.
    """
    assigned = assigned_under(source)
    records = [field for field in fields if field not in lines]
    parts = [name for name in lines if name not in fields]
    if [name for name in lines if name in fields] != [field for field in fields if field in lines]:
        yield f"{source.path}: LINES has keys {list(lines)}, Trace has fields {list(fields)}; keep one order"
    for field in records:
        if not any(field in assigned.get(lines[part], ()) for part in parts):
            yield f"{source.path}: LINES lacks {field}; give every field of Trace (or the parts of a record) its line"
    for name, tag in lines.items():
        if not assigned.get(tag, set()) & ({name} if name in fields else set(records)):
            yield f"{source.path}: no line that assigns {name} carries the tag {tag} that LINES promises"


def of_code(sources):
    return [source for source in sources if source.path.startswith(("nets/", "reference/"))]


def test_tags_are_listed_complete_and_in_order(sources):
    found = {where: run for source in of_code(sources) for where, run in tags_by_function(source).items()}
    broken = [*differences(found, LISTED), *(line for source in of_code(sources) for line in stray_tags(source))]
    assert not broken, "\n".join(broken)


def test_every_printed_line_is_code_or_said_to_be_none():
    broken = [line for name, algorithm in LISTED["algorithms"].items() for line in gaps(name, algorithm)]
    assert not broken, "\n".join(broken)
    for name, algorithm in LISTED["algorithms"].items():
        assert all(algorithm["no code"].values()), f"{name}: say of each line under 'no code' why it is none"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_trace_field_has_its_line(name, sources):
    method = METHODS[name]
    path = "/".join(method.step.__module__.split(".")[1:]) + ".py"
    source = next(source for source in sources if source.path == path)
    broken = list(unassigned(method.LINES, method.Trace._fields, source))
    assert not broken, "\n".join(broken)


SNIPPET = '''
def double_damping(s, y):
    a = s      # R3.2  words
    b = y      # R3.2
    c = a + b  # R3.3 R(2.6)
    return c   # R3.4
'''
SNIPPET_LIST = {
    "algorithms": {"R3": {"printed": 5, "no code": {"1": "inputs", "5": "end"}, "code": {"f.py::double_damping": [2, 3, 4]}}},
    "passages": {"R(2.6)": ["f.py::double_damping"]},
}


def test_the_list_agrees_with_a_good_snippet(source_of):
    found = tags_by_function(source_of("f.py", SNIPPET))
    assert found == {"f.py::double_damping": ["R3.2", "R3.3", "R(2.6)", "R3.4"]}
    assert not list(differences(found, SNIPPET_LIST))
    assert not list(gaps("R3", SNIPPET_LIST["algorithms"]["R3"]))


@pytest.mark.parametrize(("old", "new"), [
    ("# R3.4", ""), ("# R3.4", "# R3.5"), ("# R3.4", "# R3.1"), ("# R3.3 R(2.6)", "# R3.3"), ("# R3.3 R(2.6)", "# R(2.6)"),
    ("# R3.4", "# R3.4 R§2.3"), ("# R3.2  words", "# R3.4  words"), ("double_damping", "damping"), ("# R3.4", "# R4.4"),
])
def test_a_wrong_tag_is_seen(source_of, old, new):
    assert list(differences(tags_by_function(source_of("f.py", SNIPPET.replace(old, new, 1))), SNIPPET_LIST))


def test_other_slips_are_seen(source_of):
    algorithm = SNIPPET_LIST["algorithms"]["R3"]
    assert list(gaps("R3", {**algorithm, "printed": 6}))
    assert list(gaps("R3", {**algorithm, "no code": {"1": "inputs"}}))
    assert list(gaps("R3", {**algorithm, "no code": {"1": "inputs", "4": "return", "5": "end"}}))
    for comment in ("# see R3.2", "# R 3.2", "# KB 1.2", "# R3.2, words R3.3", "# R (2.6)"):
        assert list(stray_tags(source_of("f.py", f"a = 1  {comment}"))), comment
    for comment in ("# R3.2  Powell's damping on H", "# R§5.2.1", "# W(2)  words", "# ERR-3: without the bias column"):
        assert not list(stray_tags(source_of("f.py", f"a = 1  {comment}"))), comment
    method = source_of("m.py", "def step():\n    g = 1  # R4.6\n    m = 2  # R4.8\n    return g, m  # R4.9")
    assert not list(unassigned({"g": "R4.6", "m": "R4.8"}, ("g", "m"), method))
    assert list(unassigned({"g": "R4.6"}, ("g", "m"), method))
    assert list(unassigned({"m": "R4.8", "g": "R4.6"}, ("g", "m"), method))
    assert list(unassigned({"g": "R4.6", "m": "R4.9"}, ("g", "m"), method))
    pair = source_of("m.py", "def step():\n    s, y = zip(*g,\n        strict=True)  # R4.17\n    H = f(s, y)  # R4.18")
    assert not list(unassigned({"s": "R4.17", "y": "R4.17", "H": "R4.18"}, ("s", "y", "H"), pair))
    assert not list(unassigned({"s": "R4.17", "y": "R4.17", "S": "R4.18", "Y": "R4.18"}, ("s", "y", "H"), pair))
    assert list(unassigned({"s": "R4.17", "y": "R4.17", "S": "R4.17"}, ("s", "y", "H"), pair))
    assert list(unassigned({"s": "R4.17", "y": "R4.17"}, ("s", "y", "H"), pair))
    assert list(unassigned({"s": "R4.17", "y": "R4.18", "H": "R4.18"}, ("s", "y", "H"), pair))
