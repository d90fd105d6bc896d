"""One wrong place in a Python text: what a mutant is, with operators for arrays as well as for plain Python.

A mutant is an edit of the text itself, so that line numbers stay, and comments, in which the judge finds the papers' lines.
Where a text does not compute (docstrings, annotations, messages of errors, imports, decorators) nothing is edited.
"""

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

PARTNERS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
            ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
TURNED = {ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
          ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
AT_EQUALITY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
LIKE = {"any": "all", "all": "any", "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "zeros": "ones",
        "zeros_like": "ones_like", "ones": "zeros", "ones_like": "zeros_like", "sum": "max"}
DROPPED = {"sqrt", "abs", "exp", "log", "permute_dims", "triu", "inv", "sorted", "reversed", "float"}
SYMMETRIC = {"min", "max", "minimum", "maximum"}                  # in their arguments
NONSENSE = {"isinstance", "getattr", "hasattr", "setattr"}        # with the arguments exchanged


class Mutant(NamedTuple):
    """One edit of a module: in `function` ("" for the module itself) the lines `old` become `new`.

    nth      how many mutants before it look the same: on equal lines, or at two places of one line.
    first    the first of the lines, from 0; there are as many new ones as old ones.
    """

    function: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    nth: int
    first: int

    def planted(self, text: str) -> str:
        """The module with the edit in it."""
        lines = text.splitlines()
        lines[self.first:self.first + len(self.old)] = self.new
        return "\n".join(lines) + "\n"


def mutants(text: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    lines = text.splitlines()
    comments = {token.start[0]: token.string for token in tokenize.generate_tokens(io.StringIO(text).readline)
                if token.type == tokenize.COMMENT}
    alike: Counter[tuple[Any, ...]] = Counter()
    found = []
    for function, node, new in edits(ast.parse(text)):
        old = tuple(lines[node.lineno - 1:node.end_lineno])
        before, after = old[0].encode()[:node.col_offset].decode(), old[-1].encode()[node.end_col_offset:].decode()
        lost = [comments.get(line, "") for line in range(node.lineno, node.end_lineno)]
        key = function, old, tuple((before + _written(new, lost) + after).split("\n"))
        found.append(Mutant(*key, alike[key], node.lineno - 1))
        alike[key] += 1
    return sorted(found, key=lambda mutant: mutant.first)


def _written(new: ast.AST, lost: list[str]) -> str:
    """The new text on as many lines as the old one, with the comments that stood between them."""
    text, rest = ast.unparse(new), "".join(f"  {comment}\n" for comment in lost)
    closed = isinstance(new, ast.Name | ast.Attribute | ast.Call | ast.Tuple) or text.isalnum()
    return text + rest if isinstance(new, ast.stmt) or (closed and not rest) else f"({text}{rest})"


def edits(tree: Any, function: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(function, node, what stands in its place) for every edit in a tree."""
    if isinstance(tree, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{tree.name}".lstrip(".")
    if isinstance(tree, ast.expr):
        same = ast.dump(tree)
        yield from ((function, tree, new) for new in _instead(tree) if ast.dump(new) != same)
    elif isinstance(tree, ast.stmt):
        yield from ((function, *edit) for edit in _statements(tree))
    for child in _computing(tree):
        yield from edits(child, function)


def _computing(node: ast.AST) -> Iterator[ast.AST]:
    """The children of a node that compute something."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Raise() | ast.Expr(ast.Constant()):
            return
        case ast.Call(ast.Name("expect"), arguments):
            yield arguments[0]
            return
    skipped = {"annotation", "returns", "decorator_list", "targets", "target", "bases", "type_params", "ctx"}
    for field, value in ast.iter_fields(node):
        if field not in skipped or (field == "target" and isinstance(node, ast.comprehension)):
            yield from (child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST))


def _statements(node: ast.stmt) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Edits of a statement, or of what stands in one directly."""
    match node:
        case ast.Expr(ast.Call() | ast.Yield()) | ast.Raise():
            yield node, ast.Pass()
        case ast.Continue():
            yield node, ast.Break()
        case ast.Break():
            yield node, ast.Continue()
        case ast.AugAssign(target, op, value) if type(op) in PARTNERS:
            yield node, ast.AugAssign(target, PARTNERS[type(op)](), value)
        case ast.Return(ast.Tuple(parts) as whole):
            for i in range(len(parts) - 1):
                yield whole, ast.Tuple([*parts[:i], parts[i + 1], parts[i], *parts[i + 2:]], ast.Load())
        case ast.If(test) | ast.While(test) if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield test, ast.UnaryOp(ast.Not(), test)


def _instead(node: ast.expr) -> Iterator[ast.expr]:
    """What may stand in the place of one expression."""
    match node:
        case ast.BinOp(ast.Constant(str()) | ast.JoinedStr(), _, _) | ast.BinOp(_, _, ast.Constant(str()) | ast.JoinedStr()):
            return
        case ast.BinOp(left, ast.MatMult() as op, right):
            yield from (left, right)
            if any(character.isupper() for character in ast.unparse(node)):         # no product of vectors, named in lower case
                yield from (ast.BinOp(right, op, left), ast.BinOp(ast.Attribute(left, "T", ast.Load()), op, right))
        case ast.BinOp(left, op, right):
            if type(op) in PARTNERS:
                yield ast.BinOp(left, PARTNERS[type(op)](), right)
            yield left
            if isinstance(op, ast.Add | ast.Sub | ast.Mult):
                yield right
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.Compare(left, ops, rights):
            for i, op in enumerate(ops):
                for of in (TURNED, AT_EQUALITY):
                    if type(op) in of:
                        yield ast.Compare(left, [*ops[:i], of[type(op)](), *ops[i + 1:]], rights)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for i in range(len(values)):
                rest = [*values[:i], *values[i + 1:]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.ListComp(made, loops) | ast.GeneratorExp(made, loops) | ast.SetComp(made, loops):
            for i, loop in enumerate(loops):
                if loop.ifs:
                    every = ast.comprehension(loop.target, loop.iter, [], loop.is_async)
                    yield type(node)(made, [*loops[:i], every, *loops[i + 1:]])
        case ast.Attribute(value, "T"):
            yield value
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield from map(_number, (value + 1, value - 1) if isinstance(value, int) else (2 * value, value / 2))
        case ast.Call(called, arguments, keywords):
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            plain = [not isinstance(argument, ast.Starred | ast.GeneratorExp) for argument in arguments]
            if name in LIKE:
                other = ast.Attribute(called.value, LIKE[name], ast.Load()) if isinstance(called, ast.Attribute) else \
                    ast.Name(LIKE[name], ast.Load())
                yield ast.Call(other, arguments, keywords)
            if name in DROPPED and plain[:1] == [True]:
                yield arguments[0]
            for i in range(len(arguments) - 1):
                if plain[i] and plain[i + 1] and name not in SYMMETRIC | NONSENSE | {"expect"}:
                    yield ast.Call(called, [*arguments[:i], arguments[i + 1], arguments[i], *arguments[i + 2:]], keywords)


def _number(value: float) -> ast.expr:
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))
