"""Docstrings: array parameters come with their shapes, and what a docstring shows is what happens."""

import ast
import doctest
import importlib
import pkgutil
import re
import unicodedata

import pytest

EXTRAS = {"torch", "cupy", "jax", "matplotlib", "sklearn"}
SHAPE = r"\((?:SIZE, ?)+(?:SIZE)?\)".replace("SIZE", r"[^\s(),]+(?: [+−-] [^\s(),]+)*")     # (n,), (N, d + 1), (d_1, …, d_k)
MARKS = {"h": "\N{COMBINING CIRCUMFLEX ACCENT}", "t": "\N{COMBINING TILDE}", "b": "\N{COMBINING MACRON}"}


def array_parameters(function):
    """The names of the parameters annotated as arrays; of one named `like` only the arithmetic counts."""
    arguments = function.args
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg]:
        annotation = argument and argument.annotation and ast.unparse(argument.annotation)
        if annotation in ("Array", "Array | None") and argument.arg != "like":
            yield argument.arg


def says_shape(name, text):
    """Does the text give the shape: `H (n, n) …`, `U_i (d, d)`, `y as an (N, m) array`, `v like w`, `y: targets as in …`?"""
    letter, _, mark = name.rpartition("_")
    written = [rf"{re.escape(name)}(?:_i)?\b", *([re.escape(letter) + MARKS[mark]] if mark in MARKS else [])]
    near = rf"(?<![\w.])(?:{'|'.join(written)})`?[^;.()]{{0,40}}"
    forms = (near + SHAPE, rf"{near}(?:\blike\b|\bas in `|\bof one shape\b)", rf"arithmetic of `{re.escape(name)}`")
    return any(re.search(form, unicodedata.normalize("NFD", text), re.S) for form in forms)


def undocumented(source):
    """Complaints about public functions whose docstring leaves the shape of an array parameter open."""
    module_text = ast.get_docstring(source.tree) or ""
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            own_text = ast.get_docstring(node) or ""
            names = list(array_parameters(node))
            alone = len(names) == 1 and re.search(SHAPE, own_text.split("\n")[0])
            for name in names:
                if not (alone or says_shape(name, own_text) or says_shape(name, module_text)):
                    yield (f"{source.path}:{node.lineno}: {node.name} must say the shape of {name} in its docstring, as in "
                           f"'Takes    {name} (n, n) symmetric' or '{name} like …'; or under Symbols at the top of the file")


def modules(names):
    """Every installed module of stepgauge; one that needs an optional extra that is not installed is left out."""
    for name in names:
        package = importlib.import_module(f"stepgauge.{name}")
        yield package
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if info.name.rsplit(".", 1)[-1] == "__main__":
                continue
            try:
                yield importlib.import_module(info.name)
            except ModuleNotFoundError as error:
                if error.name not in EXTRAS:
                    raise


def failures(module):
    """The reports of those examples in a module's docstrings that do not print what they show."""
    reports = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, module.__name__):
        runner.run(test, out=reports.append)
    return reports


def test_array_parameters_have_shapes(sources):
    broken = [line for source in sources if source.path.startswith(("nets/", "reference/")) for line in undocumented(source)]
    assert not broken, "\n".join(broken)


def test_examples_in_docstrings_are_true(rooms):
    reports = [report for module in modules(rooms) for report in failures(module)]
    assert not reports, "".join(reports)


def test_every_module_says_what_it_is(sources, rooms):
    silent = [source.path for source in sources
              if source.path.split("/")[0] in rooms and len(ast.get_docstring(source.tree) or "") < 20]
    assert not silent, f"begin these with a docstring that says what they are for: {silent}"


@pytest.mark.parametrize("text", [
    'def f(H: Array, n: int):\n    """Of H (R Section 2)."""',
    'def f(s: Array, y: Array):\n    """Takes s (n,) and y."""',
    'def f(x: Array | None):\n    """Nothing."""',
    'def f(*U: Array):\n    """A product."""',
    'def f(x: Array):\n    pass',
    'def f(x: Array):\n    """Of x (R Algorithm 1, lines 3 and 4)."""',
])
def test_a_missing_shape_is_seen(source_of, text):
    assert list(undocumented(source_of("nets/a.py", text)))


@pytest.mark.parametrize("text", [
    'def f(s: Array, y: Array):\n    """Takes    s (n,), y (n,) with sᵀy > 0."""',
    'def f(s: Array, y: Array):\n    """Takes    s (n,); y like s."""',
    'def f(x: Array):\n    """The columns: (m, n) to (mn,)."""',
    '"""Symbols  U_i (d, e)."""\ndef f(*U: Array):\n    """A product."""',
    'def _f(x: Array):\n    pass',
    'def f(a: Array, b: Array):\n    """Takes    a (N, P, d_in + 1); b (d_1, …, d_k)."""',
    'def f(n: int, like: Array):\n    """Zeros."""',
    'def f(s_t: Array, y_t: Array):\n    """Of the damped pair s̃, ỹ (n,)."""',
    'def f(y: Array):\n    """Takes    y: targets as in `Batch`."""',
])
def test_a_given_shape_is_seen(source_of, text):
    assert not list(undocumented(source_of("nets/a.py", text)))


def test_a_wrong_example_is_seen():
    module = type(doctest)("example")
    module.__doc__ = ">>> 1 + 1\n3\n"
    assert len(failures(module)) == 1
    module.__doc__ = ">>> 1 + 1\n2\n"
    assert not failures(module)
