"""Small edits of Python expressions: what people write in the place of a line, one change at a time.

An edit is a change of one place in a syntax tree: an operand dropped, two exchanged, a sign turned, a transpose, a number off by
one, a name for another one, a factor too many. The judge tries the edits of a line that fails (`nearest`).
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple


class Edit(NamedTuple):
    """One edit: the tree with it, and "new for old", the smallest expression in which it can be read."""

    tree: Any
    new: str
    old: str

    @property
    def size(self) -> int:
        """How many characters it changes, and three for every word that was not there."""
        words = set(re.findall(r"\w+", self.new)) - set(re.findall(r"\w+", self.old))
        same = sum(block.size for block in SequenceMatcher(None, self.new, self.old, autojunk=False).get_matching_blocks())
        return len(self.new) + len(self.old) - 2 * same + 3 * len(words)


FACTORS = ("N", "N2", "2")
"""What a term may be multiplied or divided by too much: names that are numbers where an edit is evaluated."""

FUNCTIONS = ("xp.sqrt", "abs", "xp.sum", "mean_of", "divided_by_N", "without_bias")
"""What may stand around a term, by the names that they have there."""

_WORDS = (ast.Name, ast.Attribute, ast.Constant)
_OPPOSITE = {ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}


def edits(node: Any, names: Sequence[str] = (), siblings: Mapping[str, Sequence[str]] = {}) -> Iterator[Edit]:
    """Every edit of the expressions in a tree, the outermost first.

    Takes    node: an expression or a statement, which stays as it is; names: expressions that may stand in the place of a word;
             siblings: for the name of a function, those of functions like it.
    """
    if isinstance(node, ast.Lambda):
        names = (*names, *(arg.arg for arg in node.args.args))
    if isinstance(node, ast.expr):
        for new in _instead(node, names, siblings):
            yield Edit(new, ast.unparse(new), ast.unparse(node))
    if isinstance(node, ast.Compare) and any(isinstance(getattr(right, "value", None), str) for right in node.comparators):
        return                                                                                          # a switch, not a number
    for edited, child, edit in _below(node, names, siblings):
        inside = isinstance(child, _WORDS) and isinstance(node, ast.expr)
        yield Edit(edited, ast.unparse(edited), ast.unparse(node)) if inside else edit._replace(tree=edited)


def renamed(function: ast.FunctionDef, names: Sequence[str]) -> Iterator[Edit]:
    """A function that reads one of its names for another everywhere, or changes an argument before it begins."""
    for argument in function.args.args:
        for wrapped in FUNCTIONS:
            edited = copy.copy(function)
            edited.body = [*ast.parse(f"{argument.arg} = {wrapped}({argument.arg})").body, *function.body]
            yield Edit(edited, f"{wrapped}({argument.arg})", argument.arg)
    read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for old in (name for name in names if name in read):
        for new in names:
            if new != old:
                yield Edit(_Renamed(old, new).visit(copy.deepcopy(function)), new, old)


class _Renamed(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.new, ast.Load()) if node.id == self.old and isinstance(node.ctx, ast.Load) else node


def _below(node: Any, names: Sequence[str], siblings: Mapping[str, Sequence[str]]) -> Iterator[tuple[Any, Any, Edit]]:
    """The node with one of its children edited, that child, and its edit."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "args", "targets", "target") and not isinstance(node, ast.Call):
            continue
        for i, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            for edit in _functions(child, siblings) if field == "func" else edits(child, names, siblings):
                edited = copy.copy(node)
                setattr(edited, field, [*value[:i], edit.tree, *value[i + 1:]] if isinstance(value, list) else edit.tree)
                yield edited, child, edit


def _functions(node: Any, siblings: Mapping[str, Sequence[str]]) -> Iterator[Edit]:
    """A function that is called, `f` or `f.trusted`, exchanged for one like it."""
    text = ast.unparse(node)
    for called, others in siblings.items():
        if text in (called, f"{called}.trusted"):
            for other in others:
                new = text.replace(called, other)
                yield Edit(_parsed(new), new, text)


def _instead(node: ast.expr, names: Sequence[str], siblings: Mapping[str, Sequence[str]]) -> Iterator[ast.expr]:
    """What may stand in the place of one expression."""
    match node:
        case ast.BinOp(ast.BinOp(a, ast.Mult(), x), ast.Add() as plus, ast.BinOp(b, ast.Mult(), y)):
            yield ast.BinOp(_times(b, x), plus, _times(a, y))
    match node:
        case ast.BinOp(left, op, right):
            yield left
            yield right
            for other in _operators(op):
                yield ast.BinOp(left, other, right)
            if not isinstance(op, ast.Add | ast.Mult):
                yield ast.BinOp(right, op, left)
            if isinstance(op, ast.Sub):
                yield ast.UnaryOp(ast.USub(), right)
            if isinstance(op, ast.Mod):
                yield ast.BinOp(_binary(left, ast.Sub, "1"), op, right)
                yield ast.BinOp(_binary(left, ast.Add, "1"), op, right)
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.Compare(left, [op], [right]):
            if type(op) in _OPPOSITE:
                yield ast.Compare(left, [_OPPOSITE[type(op)]()], [right])
                yield ast.Compare(right, [op], [left])
        case ast.BoolOp(op, values):
            for i in range(len(values)):
                rest = [*values[:i], *values[i + 1:]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.IfExp(test, body, orelse):
            yield body
            yield orelse
            yield ast.IfExp(test, orelse, body)
        case ast.Call(function, arguments, keywords):
            match arguments:
                case [ast.Call(inner, [first, *others], []), *rest]:
                    yield ast.Call(inner, [ast.Call(function, [first, *rest], keywords), *others], [])
            plain = [i for i, argument in enumerate(arguments)
                     if not isinstance(argument, ast.Lambda | ast.Starred | ast.GeneratorExp)]
            for i in plain:
                yield arguments[i]
                for j in (j for j in plain if j < i):
                    yield ast.Call(function, [*arguments[:j], arguments[i], *arguments[j + 1:i], arguments[j],
                                              *arguments[i + 1:]], keywords)
        case ast.Constant(int() | float() as value) if not isinstance(value, bool):
            for number in dict.fromkeys((value + 1, value - 1, 2 * value, value / 2, -value)):
                if number != value:
                    yield ast.Constant(number)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
    text = ast.unparse(node)
    if isinstance(node, ast.Name | ast.Attribute):
        for name in dict.fromkeys((*names, *siblings.get(text, ()))):
            if name != text:
                yield _parsed(name)
    if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.BinOp | ast.Subscript) and text not in siblings:
        yield ast.UnaryOp(ast.USub(), node)
        for factor in FACTORS:
            yield ast.BinOp(_parsed(factor), ast.Mult(), node)
            yield _binary(node, ast.Div, factor)
        yield _binary(node, ast.Pow, "2")
        yield ast.BinOp(ast.Constant(1), ast.Div(), node)
        yield ast.Attribute(node, "T", ast.Load())
        for around in FUNCTIONS:
            yield ast.Call(_parsed(around), [node], [])


def _times(factor: ast.expr, x: ast.expr) -> ast.expr:
    return ast.BinOp(factor, ast.Mult(), x)


def _operators(op: ast.operator) -> Sequence[ast.operator]:
    match op:
        case ast.Add():
            return (ast.Sub(),)
        case ast.Sub():
            return (ast.Add(),)
        case ast.Mult():
            return (ast.Div(), ast.MatMult())
        case ast.Div() | ast.MatMult():
            return (ast.Mult(),)
        case _:
            return ()


def _binary(node: ast.expr, op: type[ast.operator], text: str) -> ast.expr:
    return ast.BinOp(node, op(), _parsed(text))


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
