"""The nearest program: which small edit of the reference gives what the candidate shows, where it first fails.

The dictionary (`conventions`) knows what people have been seen to write. This looks for what nobody has listed: `edits` of the line
that fails, of the lines before it that it reads and the candidate does not show, and of the functions that these call; for a wrong
initial state, of `init`. Each is evaluated on the candidate's own numbers, in the place of the line, and one that agrees within the
bands wherever the line is compared is said. It speaks of one line; others that fail may have the same cause or another.
"""

from __future__ import annotations

import ast
import copy
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from .. import nets
from ..arrays import map_arrays, namespace, precision
from ..arrays.checks import Checked
from ..reference import METHODS
from ..reference.parts.lbfgs import Memory
from . import replay
from .bands import BITS, Banded, Bands, Paths
from .case import Case, batches_of, flat
from .edits import Edit, edits, renamed
from .factors import HALF, place
from .source import tags_by_line

UNTOUCHED = {"each", "both", "of_layers", "of_norms", "expect", "namespace", "split", "joined", "join", "stacked", "checked",
             "_power", "step_sizes"}
"""Functions that are not edited: they carry numbers about, or would not end."""

ITERATED = {"conjugate_gradient"}
"""Functions whose bands grow with every iteration until they tell nothing: lines that call them are left alone."""

MOST = 3
"""So many edits are named where several agree."""

_ERRORS = (ArithmeticError, AttributeError, IndexError, LookupError, NameError, RuntimeError, StopIteration, TypeError, ValueError)


class Trial(NamedTuple):
    """One edit: an expression to be evaluated in the place of the line, in a world where a function may be another.

    edit         the edit.
    code         the expression.
    module       where the function stands that is replaced by its edited definition; None where the line itself is edited.
    definition   that definition, compiled.
    function     its name.
    """

    edit: Edit
    code: CodeType
    module: ModuleType | None = None
    definition: CodeType | None = None
    function: str = ""

    @property
    def text(self) -> str:
        """The edit in words."""
        return f"`{self.edit.new}` for `{self.edit.old}`{self.function and ' in ' + self.function}"


def nearest(judged: Sequence[tuple[Case, list[dict[str, Any]], tuple[replay.Line, ...]]]) -> str:
    """Which edits explain the first failing quantity in all cases, in words; "" where none does.

    Takes    judged: every case with the candidate's steps and their comparisons.
    """
    first = [(case, steps, next((line for line in lines if line.verdict == "FAIL"), None)) for case, steps, lines in judged]
    failing = [(case, steps, line) for case, steps, line in first if line is not None]
    if not failing:
        return ""
    name, tag = failing[0][2].name, failing[0][2].tag
    find = _at_start if tag == "initial state" else _at_line
    trials: list[Trial] | None = None
    for case, steps, line in sorted(failing, key=lambda one: sum(value.size for value in one[2].values)):
        if (line.name, line.tag) == (name, tag):
            trials = find(case, steps, line, trials)
    for case, steps, _ in (one for one in first if one[2] is None):        # what the edit gives must be right there
        trials = find(case, steps, failing[0][2]._replace(step=case.steps), trials)
    texts = list(dict.fromkeys(trial.text for trial in sorted(trials or (), key=lambda trial: trial.edit.size)))[:MOST]
    return f"{name} is what {place(tag)} gives with {' or '.join(texts)}" if texts else ""


# ------------------------------------------------------------------------------------------------------------- in a step

def _at_line(case: Case, steps: list[dict[str, Any]], first: replay.Line, trials: list[Trial] | None) -> list[Trial]:
    """The trials that agree with what a case shows of a line: in the first step in which it fails, and as long as there are any."""
    module = sys.modules[METHODS[case.method].step.__module__]
    shown = {name for step in steps for name in step} | {"W", "theta", "norm"}
    alive = trials

    def watch(now: replay.Step, tag: str, function: str, name: Any, value: Any, frame: Any) -> None:
        nonlocal alive
        names = (name,) if isinstance(name, str) else name
        if function == "init" or now.k == 0 or tag != first.tag or not (first.name in names or first.name in Memory._fields):
            return
        worlds = _Worlds(case, module, now.space, frame.f_globals, frame.f_locals)
        asked = _trials_of_line(module, function, name, tag, frame.f_locals, shown) if alive is None else alive
        agreeing = [trial for trial in asked if _agrees(now, tag, first.name, name, value, trial, worlds)]
        if now.k > first.step and not agreeing:     # what is not shown may have gone another way since
            raise _Enough
        alive = agreeing

    with suppress(_Enough):
        replay.replay(case, steps, watch=watch)
    return alive or []


class _Enough(Exception):
    """All has been seen."""


def _agrees(now: replay.Step, tag: str, looked_at: str, names: Any, value: Any, trial: Trial, worlds: _Worlds) -> bool:
    """Does what the trial gives agree with what the candidate shows of a quantity, within bands that decide something?

    Takes    names, value: what the line gives, under the names that it gives, or the initial state and one of its fields.
    """
    paths, now.space.paths = now.space.paths, Paths()
    try:
        with np.errstate(all="ignore"):
            other = eval(trial.code, worlds.of(trial))
        if now.k == 0:
            other, value = getattr(other, names), getattr(value, names)
        elif not isinstance(names, str):
            i = names.index(looked_at)
            names, other, value = looked_at, other[i], value[i]
        lines = [line for line in now.instead(tag, names, other) if line.name == looked_at]
        return bool(lines) and all(line.verdict != "FAIL" for line in lines) and _sharp(other, value)
    except (*_ERRORS, replay.Misbehaved):
        return False
    finally:
        now.space.paths = paths


def _sharp(other: Any, value: Any) -> bool:
    """Are the bands of one tree below a hundredth of the largest entry of another, array by array, or as sharp as its own?"""
    if isinstance(value, tuple):
        return all(map(_sharp, other, value))
    return not isinstance(value, Banded) or bool(other.e.max(initial=0) <= max(
        value.e.max(initial=0), replay.INFORMATIVE * abs(value).size.max(initial=0)))


# ----------------------------------------------------------------------------------------------------- in the initial state

def _at_start(case: Case, steps: list[dict[str, Any]], first: replay.Line, trials: list[Trial] | None) -> list[Trial]:
    """The trials of `init` that agree with what a case shows of the initial state."""
    method = METHODS[case.method]
    module = sys.modules[method.step.__module__]
    initial, _ = replay.check_steps(case, method, steps)
    if first.name not in initial:
        return trials or []
    for data in (case.data, _as_one(case.data)):
        inner = {"model": case.model, "params": case.params, "data": data, "hyper": case.hyper}
        plain = _Worlds(case, module, namespace(*nets.tensors(case.params)), vars(module), inner)
        asked = _trials_of_start(module, first.name, method.State._fields, set(initial)) if trials is None else trials
        rough = [trial for trial in asked if _alike(trial, plain, first.name, initial[first.name], HALF[case.dtype])]
        if rough:
            break
    else:
        return []
    space = Bands(case.dtype, Paths())
    with precision(BITS):
        inner["params"], inner["data"] = map_arrays(space.asarray, (case.params, data))
        now = replay.Step(0, initial, case, space, [])
        worlds = _Worlds(case, module, space, vars(module), inner)
        value = eval(rough[0].code, worlds.of(rough[0]._replace(definition=None)))
        return [trial for trial in rough if _agrees(now, first.tag, first.name, first.name, value, trial, worlds)]


def _as_one(data: Any) -> nets.Batch:
    """Several batches as one, since slips with N speak of all of them."""
    parts = batches_of(data)
    return nets.Batch(*(None if any(value is None for value in values) else np.concatenate(values)
                        for values in zip(*(part[:3] for part in parts), strict=True)))


def _alike(trial: Trial, worlds: _Worlds, name: str, shown: list[Any], digits: float) -> bool:
    """Does what the trial gives in floats have about half of its digits in common with what the candidate shows?"""
    try:
        with np.errstate(all="ignore"):
            value = getattr(eval(trial.code, worlds.of(trial)), name)
            given = flat(value if isinstance(value, tuple) else [value])
            return all(x.shape == y.shape and np.max(np.abs(x - y), initial=0) <= digits * np.max(np.abs(y), initial=0)
                       for x, y in zip(given, shown, strict=True))
    except _ERRORS:
        return False


class _Worlds:
    """What the names of a line mean: the method's module and the frame's locals, with one function edited or none.

    `N`, `N2`: the sizes of the first batch and of its curvature; `mean_of(x)`: the mean of the first axis, in its place;
    `divided_by_N(x)`: by the length of that axis; `without_bias(x)`: the last entries of the last axis are 0.
    """

    def __init__(self, case: Case, module: ModuleType, space: Any, outer: Mapping[str, Any], inner: Mapping[str, Any]) -> None:
        batch = case.batches[0]
        curvature = batch.x if batch.curvature is None else getattr(batch.curvature, "x", batch.curvature)
        self.module, self.inner = module, inner
        self.outer = {"xp": space, "N": len(batch.x), "N2": len(curvature), "mean_of": _mean, "without_bias": _without_bias,
                      "divided_by_N": lambda x: x / x.shape[0], **_parts(), **outer}

    def of(self, trial: Trial) -> dict[str, Any]:
        world = dict(self.outer)
        exec(_defined(self.module), world)                      # the method's functions as they are written, without stops
        if trial.definition is not None and trial.module is self.module:
            exec(trial.definition, world)
        elif trial.definition is not None and trial.module is not None:
            self._linked(world, trial.module, trial.definition)
        return {**world, **self.inner}

    def _linked(self, world: dict[str, Any], edited: ModuleType, definition: CodeType) -> None:
        """Put an edited function into the world, and into all parts that the method uses."""
        places = {self.module: world} | {part: {**self.outer, **vars(part)} for part in _used(self.module)}
        for part, space in places.items():
            exec(_defined(part), space)
        exec(definition, places[edited])
        for part, space in places.items():
            for other, theirs in places.items():
                if other is not part:
                    space |= {name: theirs[name] for name in _functions(other) if name in space}
                    short = other.__name__.rpartition(".")[2]
                    if short in space and not isinstance(space[short], FunctionType | Checked):
                        space[short] = SimpleNamespace(**theirs)


@cache
def _parts() -> dict[str, Any]:
    """All functions of `reference.parts` by name: what may stand in the place of another that a method knows."""
    modules = [module for name, module in list(sys.modules.items()) if ".reference.parts." in name]
    return {name: getattr(module, name) for module in modules for name in _functions(module)}


@cache
def _used(module: ModuleType) -> tuple[ModuleType, ...]:
    """The parts that a method's functions call, directly or not."""
    return tuple(dict.fromkeys(where for where, _ in _called(module, *_functions(module).values()) if where is not module))


def _mean(x: Any) -> Any:
    return namespace(x).sum(x, axis=0)[None, ...] / x.shape[0]


def _without_bias(x: Any) -> Any:
    return x * namespace(x).asarray([1.0] * (x.shape[-1] - 1) + [0.0])


# ------------------------------------------------------------------------------------------------------------- the trials

def _trials_of_line(module: ModuleType, function: str, names: Any, tag: str, values: Mapping[str, Any],
                    shown: set[str]) -> Iterator[Trial]:
    """Edits of the line that gives `names`, of those before it that it reads and the candidate does not show, of what they call."""
    body = _functions(module)[function]
    targets = (names,) if isinstance(names, str) else names
    line = next((node for node in ast.walk(body) if isinstance(node, ast.Assign) and _has(module, node, tag)
                 and _targets(ast.Assign(node.targets[:1], node.value)) == targets), None)
    if line is None or _read(line.value) & ITERATED:            # a returned value has no name
        return
    words = [name for name, value in values.items() if isinstance(value, tuple | Banded | int) and name not in ("params", "data")]
    words += [f"{record}.{field}" for record in ("state", "batch") for field in getattr(values.get(record), "_fields", ())]
    before = _unshown(body, line, shown)

    def trials(value: ast.expr, wrap: Any) -> Iterator[Trial]:
        near = [ast.unparse(node) for node in ast.walk(value) if isinstance(node, ast.Attribute)]
        for edit in edits(value, tuple(dict.fromkeys((*words, *near))), _siblings(module, value)):
            yield Trial(edit, _expression(wrap(edit.tree)))

    yield from trials(line.value, lambda edited: _let(before, edited))
    for i, earlier in enumerate(before):
        def wrap(edited: ast.expr, i: int = i) -> ast.expr:
            changed = ast.Assign(before[i].targets, edited)
            return _let([*before[:i], changed, *before[i + 1:]], line.value)
        yield from trials(earlier.value, wrap)
    whole = _let(before, line.value)
    yield from _trials_of_functions(module, _called(module, whole), _expression(whole))


def _trials_of_start(module: ModuleType, field: str, fields: Sequence[str], shown: set[str]) -> Iterator[Trial]:
    """Edits of what `init` computes a field of the state from, as far as the candidate does not show it, and of what that calls."""
    init, code = _functions(module)["init"], _expression(ast.parse("init(model, params, data, hyper)", mode="eval").body)
    last = init.body[-1]
    assert isinstance(last, ast.Return)
    assert isinstance(last.value, ast.Call)
    given = last.value.args
    several = next((i for i, value in enumerate(given) if isinstance(value, ast.Starred)), len(given))
    i = min(fields.index(field), several)
    if i == len(given):                                         # what is empty at the start
        return
    behind: dict[int, ast.stmt] = {}
    wanted = _read(given[i])
    for j, node in reversed(list(enumerate(init.body))):
        names = {node.name} if isinstance(node, ast.FunctionDef) else set(_targets(node)) if isinstance(node, ast.Assign) else set()
        if names & wanted - (shown - {field}):
            behind[j] = node
            wanted |= _read(node)
    words = list(dict.fromkeys([*_words(init), "batch.y", "batch.y_sampled"]))

    def trial(edit: Edit, place: int, node: Any) -> Trial:
        edited = copy.copy(init)
        edited.body = [*init.body[:place], node, *init.body[place + 1:]]
        return Trial(edit, code, module, _statements([edited]), "init")

    for edit in edits(given[i], words, _siblings(module, init)):
        value = ast.Call(last.value.func, [*given[:i], edit.tree, *given[i + 1:]], last.value.keywords)
        yield trial(edit, len(init.body) - 1, ast.Return(value))
    for j, node in behind.items():
        for edit in edits(node, words, _siblings(module, init)):
            yield trial(edit, j, edit.tree)
    yield from _trials_of_functions(module, _called(module, given[i], *behind.values()), code)


def _words(definition: ast.AST) -> list[str]:
    """The arguments of a function, and the names that it gives."""
    return [*(arg.arg for arg in ast.walk(definition) if isinstance(arg, ast.arg)),
            *(name for node in ast.walk(definition) if isinstance(node, ast.Assign) for name in _targets(node))]


def _trials_of_functions(module: ModuleType, functions: Iterable[tuple[ModuleType, str]], code: CodeType) -> Iterator[Trial]:
    for where, name in functions:
        definition = _functions(where)[name]
        words = _words(definition)
        words = list(dict.fromkeys([*words, *(f"batch.{field}" for field in ("y", "y_sampled") if "batch" in words)]))
        for edit in (*edits(definition, words, _siblings(where, definition)), *renamed(definition, words)):
            yield Trial(edit, code, where, _statements([edit.tree]), name)


def _targets(node: ast.Assign) -> tuple[str, ...]:
    """The names that an assignment gives, () where it gives something else."""
    parts = [part for target in node.targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    names = tuple(part.id for part in parts if isinstance(part, ast.Name))
    return names if len(names) == len(parts) else ()


def _has(module: ModuleType, node: ast.stmt, tag: str) -> bool:
    tags = tags_by_line(inspect.getsource(module))
    return any(" ".join(tags.get(line, ())) == tag for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _unshown(body: ast.AST, line: ast.Assign, shown: set[str]) -> list[ast.Assign]:
    """The assignments before a line that it reads, directly or not, and of which the candidate shows nothing, in their order."""
    earlier = [node for node in ast.walk(body) if isinstance(node, ast.Assign) and node.lineno < line.lineno and _targets(node)]
    found: list[ast.Assign] = []
    wanted = _read(line.value)
    for node in sorted(earlier, key=lambda node: -node.lineno):
        given = set(_targets(node))
        if given & wanted and not given & (shown | _read(node.value)):
            found.insert(0, node)
            wanted |= _read(node.value)
    return found


def _read(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Load)}


def _let(assignments: Sequence[ast.Assign], value: ast.expr) -> ast.expr:
    """`value` after the assignments, as one expression."""
    for node in reversed(assignments):
        names = ", ".join(_targets(node))
        function = ast.parse(f"lambda {names}: 0", mode="eval").body
        assert isinstance(function, ast.Lambda)
        function.body = value
        values = ast.BinOp(ast.Tuple([node.value], ast.Load()), ast.Mult(), ast.Constant(len(node.targets)))
        several = isinstance(node.targets[0], ast.Tuple)
        value = ast.Call(function, [ast.Starred(node.value if several else values, ast.Load())], [])
    return value


def _called(module: ModuleType, *trees: ast.AST) -> list[tuple[ModuleType, str]]:
    """The reference's functions that are called, with those that they call, the method's own first, each with its module."""
    found: dict[tuple[ModuleType, str], None] = {}

    def look(where: ModuleType, tree: ast.AST) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                place = _place(vars(where).get(node.id), node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                outer = vars(where).get(node.value.id)
                place = _place(getattr(outer, node.attr, None), node.attr) if isinstance(outer, ModuleType) else None
            else:
                continue
            if place and place not in found:
                found[place] = None
                look(place[0], _functions(place[0])[place[1]])

    for tree in trees:
        look(module, tree)
    return sorted(found, key=lambda place: place[0] is not module)


def _place(value: Any, name: str) -> tuple[ModuleType, str] | None:
    """The module of the reference that defines a function, and its name there."""
    function = getattr(value, "trusted", value) if isinstance(value, Checked) else value
    if not isinstance(function, FunctionType) or ".reference." not in function.__module__ or name in UNTOUCHED:
        return None
    module = sys.modules[function.__module__]
    return (module, name) if name in _functions(module) and not name.startswith("check") else None


def _siblings(module: ModuleType, tree: ast.AST) -> dict[str, list[str]]:
    """For every function that is called by its name, those of its module with as many arguments that this module knows too."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and (place := _place(vars(module).get(node.id), node.id)):
            definitions = _functions(place[0])
            count = len(definitions[place[1]].args.args)
            found[node.id] = [name for name, other in definitions.items() if name != node.id and len(other.args.args) == count]
    return found


@cache
def _functions(module: ModuleType) -> dict[str, ast.FunctionDef]:
    """A module's functions by name."""
    return {node.name: node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.FunctionDef)}


@cache
def _defined(module: ModuleType) -> CodeType:
    """The definitions of all of them."""
    return _statements(_functions(module).values())


def _statements(nodes: Iterable[ast.stmt]) -> CodeType:
    later = ast.parse("from __future__ import annotations").body
    return compile(ast.fix_missing_locations(ast.Module([*later, *nodes], [])), "edited", "exec")


def _expression(node: ast.expr) -> CodeType:
    return compile(ast.fix_missing_locations(ast.Expression(node)), "edited", "eval")
