"""The reference's own source, with a stop at every tagged line.

A line of `reference` that carries a paper tag, such as

    m = tuple(beta1 * m_i + (1 - beta1) * g_i for …)     # KB1.3

is where the judge looks: `instrument` recompiles the module so that the right-hand side passes through a function
`stop(tag, function, name, value)`, whose answer is what the rest of the step reads. Nothing else changes. A tagged `return`
of a value that has no name is called "result"; for `s, y = …` the name is the tuple of names. `rewrites` replaces right-hand
sides, which is how conventions and slips are tried: "name" outside of `init`, or "function.name".
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Callable, Mapping
from functools import cache
from types import CodeType, ModuleType
from typing import Any

TAG = re.compile(r"(?:R|KB|W)(?:\d+\.\d+|§[A-Z0-9]+(?:\.\d+)*|\(\d+(?:\.\d+)?\))")
"""R4.16: algorithm and line; R§2.8.2: section; R(2.6): equation; KB: Kingma and Ba; W: the second work."""


@cache
def tags_by_line(source: str) -> Mapping[int, tuple[str, ...]]:
    """Line number to the tags that its comment starts with."""
    found: dict[int, tuple[str, ...]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            words = token.string.lstrip("# ").split()
            tags = [word for i, word in enumerate(words) if all(TAG.fullmatch(earlier) for earlier in words[:i + 1])]
            if tags:
                found[token.start[0]] = tuple(tags)
    return found


class _Stops(ast.NodeTransformer):
    """Wraps the value of every tagged assignment, and of every tagged return of something nameless, in `__stop__`."""

    def __init__(self, source: str, rewrites: Mapping[str, str]) -> None:
        self.tags, self.rewrites, self.used = tags_by_line(source), rewrites, set()  # type: Any, Any, set[str]
        self.function, self.found = "", {}  # type: str, dict[str, dict[str, str]]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        outer, self.function = self.function, node.name
        self.generic_visit(node)
        self.function = outer
        return node

    def _tag(self, node: ast.stmt) -> str | None:
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        return next((" ".join(self.tags[line]) for line in lines if line in self.tags), None)

    def _stop(self, node: Any, tag: str, *names: str) -> None:
        whole = ", ".join(names)
        for key in (*((whole,) if self.function != "init" else ()), f"{self.function}.{whole}"):
            if key in self.rewrites:
                node.value = ast.parse(self.rewrites[key], mode="eval").body
                self.used.add(key)
        for name in names:
            self.found.setdefault(self.function, {})[name] = tag
        shown: Any = names if len(names) > 1 else whole
        arguments = [ast.Constant(tag), ast.Constant(self.function), ast.Constant(shown), node.value]
        node.value = ast.copy_location(ast.Call(ast.Name("__stop__", ast.Load()), arguments, []), node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        target = node.targets[0]
        if tag := self._tag(node):
            if isinstance(target, ast.Name):
                self._stop(node, tag, target.id)
            elif isinstance(target, ast.Tuple) and all(isinstance(part, ast.Name) for part in target.elts):
                self._stop(node, tag, *(part.id for part in target.elts if isinstance(part, ast.Name)))
        return node

    def visit_Return(self, node: ast.Return) -> Any:
        named = isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id[0].isupper()
        if (tag := self._tag(node)) and not named:
            self._stop(node, tag, "result")
        return node


@cache
def tagged_names(module: ModuleType) -> dict[str, dict[str, str]]:
    """Function to the names that it assigns (or returns, as "result") on tagged lines, each with its tags, in order."""
    source = inspect.getsource(module)
    stops = _Stops(source, {})
    stops.visit(ast.parse(source))
    return stops.found


@cache
def _compiled(module: ModuleType, rewrites: tuple[tuple[str, str], ...]) -> CodeType:
    source = inspect.getsource(module)
    stops = _Stops(source, dict(rewrites))
    tree = ast.fix_missing_locations(stops.visit(ast.parse(source)))
    missing = set(dict(rewrites)) - stops.used
    if missing:
        raise ValueError(f"rewrites: expected names that {module.__name__} assigns on a tagged line because a convention rewrites "
                         f"those, got {sorted(missing)}")
    return compile(tree, module.__file__ or "reference", "exec")


def instrument(module: ModuleType, stop: Callable[[str, str, Any, Any], Any], rewrites: Mapping[str, str]) -> dict[str, Any]:
    """The namespace of `module`, executed again with `stop` at its tagged lines and `rewrites` in their place.

    Raises   ValueError where a rewrite names no tagged line.
    """
    space = {"__name__": module.__name__, "__package__": module.__package__, "__stop__": stop}
    exec(_compiled(module, tuple(sorted(rewrites.items()))), space)
    return space
