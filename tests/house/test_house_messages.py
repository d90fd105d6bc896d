"""Every error says `name: expected X because Y, got Z`: what was wrong, what would be right and why, and what came instead.

An ArithmeticError may leave the reason out: it says that a result does not exist, and the operation's name is the reason.
"""

import ast
import re

import pytest

FORM = re.compile(r"^.+?: expected .+? because .+, got .+$", re.S)
SHORT_FORM = re.compile(r"^.+?: expected .+, got .+$", re.S)
SIGNATURES = {"expect": "expect(holds, name, what, why, got)", "check_number": "check_number(name, value, holds, what, why)"}
ARITHMETIC = {"ArithmeticError", "NotRational", "Undecided"}
FREE = {"AssertionError", "NotImplementedError"}                     # a property that fails prints a page; nothing to say


def text_of(node):
    """A string literal, f-string or sum of them, with {} for what is filled in; None for anything else."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(value.value if isinstance(value, ast.Constant) else "{}" for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = text_of(left), text_of(right)
            return None if None in parts else "".join(parts)
        case ast.IfExp(body=body):
            return text_of(body)
        case ast.Call(func=ast.Attribute(value=value, attr="join" | "format")):
            return text_of(value) and "{}"
    return "{}" if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else None


def composed(*parts):
    """What `expect` makes of its name, what, why and got."""
    return "{}: expected {} because {}, got {}".format(*("{}" if (text := text_of(part)) is None else text for part in parts))


def message(call):
    """What `expect(…)`, `check_number(…)` or `SomeError(…)` would say, or None where the call is none of them."""
    name = ast.unparse(call.func).rsplit(".", 1)[-1]
    if name == "expect" and not call.keywords and len(call.args) in (5, 6):
        return composed(*call.args[1:5])
    if name == "check_number" and not call.keywords and len(call.args) == 5:
        return composed(call.args[0], *call.args[3:5], call.args[1])
    if name in ARITHMETIC or (name.endswith("Error") and name not in FREE):
        return text_of(call.args[0]) if call.args else ""
    return None


def malformed(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and message(node) is None and not any(isinstance(part, ast.Starred) for part in node.args):
            called = ast.unparse(node.func).rsplit(".", 1)[-1]
            if called in SIGNATURES:
                yield f"{source.path}:{node.lineno}: call {SIGNATURES[called]}, in that order and without keywords"
        if isinstance(node, ast.Call) and (said := message(node)) is not None:
            short = ast.unparse(node.func).rsplit(".", 1)[-1] in ARITHMETIC
            if not (SHORT_FORM if short else FORM).match(said):
                yield f"{source.path}:{node.lineno}: say 'name: expected X because Y, got Z' instead of {said!r}"
            elif re.search(r"expected expected|because because|got got|\.$|  |because ,|expected because", said):
                yield f"{source.path}:{node.lineno}: the words around are added by the form; {said!r} reads badly"


def test_every_error_says_what_was_expected_and_why(sources, rooms):
    broken = [line for source in sources if source.path.split("/")[0] in rooms for line in malformed(source)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("text", [
    'raise ValueError("bad")', 'raise ValueError()', 'raise TypeError(f"x: expected a number, got {x}")',
    'raise arrays.Undecided("overlap")', 'raise ValueError(f"expected 3 because 4, got {x}")',
    'return NotRational("no root")', 'raise ArithmeticError(f"{x}")',
    'expect(x, "x", "a number")', 'expect(holds=x, name="x", what="y", why="z", got=1)',
    'expect(x, "x", "expected a number", "of z", x)', 'expect(x, "x", "a number", "because of z", x)',
    'expect(x, "x", "", "of z", x)', 'raise ValueError(f"x: expected 3 because z, got {x}.")',
    'check_number("x", x, bool, "expected 3", "z")', 'check_number("x", x, bool, what="3", why="z")',
    'check_number("x", x, bool, "3")',
])
def test_a_malformed_error_is_seen(source_of, text):
    assert list(malformed(source_of("nets/a.py", f"def f(x):\n    {text}")))


@pytest.mark.parametrize("text", [
    'raise ValueError(f"x: expected a number because z is one, got {x}")', 'expect(x, "x", "a number", "z is one", f"a {x}")',
    'expect(x, f"x[{i}]", f"{n} rows", why, x, TypeError)', 'raise NotImplementedError',
    'raise ValueError(f"x: expected 3 because {z}, " f"got {x}")',
    'raise self._leaves("eigh")', 'check_number("x", x, lambda x: x > 0, "a positive number", "a step goes down")',
    'check_number(name, x, *RANGES[name])', 'raise SystemExit(2)', 'raise',
    'raise ArithmeticError("sqrt: expected a number >= 0, got -1")',
])
def test_a_well_formed_error_is_allowed(source_of, text):
    assert not list(malformed(source_of("nets/a.py", f"def f(x):\n    {text}")))
