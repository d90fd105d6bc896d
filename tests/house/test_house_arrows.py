"""Arrows point downward: which room may import which, where numpy may be named, and that optional extras stay optional."""

import ast

import pytest

ABOVE = {"arrays": {"arrays"},
         "nets": {"nets", "arrays"},
         "parts": {"parts", "nets", "arrays"},
         "method": {"parts", "nets", "arrays"},
         "reference": {"method", "parts", "nets", "arrays"},
         "verify": {"verify", "proofs_check", "reference", "method", "parts", "nets", "arrays"},
         "proofs_check": {"proofs_check", "reference", "method", "parts", "nets", "arrays"}}
EXTRAS = {"torch", "cupy", "jax", "optax", "matplotlib", "sklearn"}

# Every use of numpy in the rooms whose lines run on any array library, with the reason why it cannot be the namespace's.
NUMPY = {
    "nets/model.py": {"np.random.default_rng": "parameters are drawn on the host, once",
                      "np.random.Generator": "the type of the generator that draws them",
                      "np.zeros": "the biases that go with them",
                      "np.ones": "the scales of a BatchNorm"},
    "nets/passes.py": {"np.random.Generator": "the type of the generator that a caller hands over"},
    "nets/losses.py": {"np.random.Generator": "the type of the generator that a caller hands over",
                       "np.finfo": "rows of probabilities may have been rounded to float32",
                       "np.float32": "their type"},
    "nets/partitions.py": dict.fromkeys(
        ("np.arange", "np.argmax", "np.argmin", "np.array_split", "np.asarray", "np.concatenate", "np.cumsum", "np.diff",
         "np.full", "np.prod", "np.sort", "np.unique"), "numbers of parameters, integers on the host in every arithmetic"),
    "nets/windows.py": dict.fromkeys(("np.append", "np.arange", "np.full", "np.stack"),
                                     "numbers of entries, integers on the host in every arithmetic"),
}


def room_of(parts):
    """The room of a module, from its path below the root or below `stepgauge`: a method is a room of its own."""
    if parts[0] != "reference":
        return parts[0]
    if len(parts) == 1 or parts[1] in ("__init__.py", "__init__"):
        return "reference"
    return "parts" if parts[1] == "parts" else "method"


def for_type_checkers(node):
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def modules_imported(source):
    """(line, module as a tuple of names, is it imported while this module is?) of every import in the source."""
    package = ("stepgauge", *source.path.removesuffix(".py").split("/")[:-1])

    def visit(node, at_import):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield child.lineno, tuple(alias.name.split(".")), at_import
            elif isinstance(child, ast.ImportFrom):
                base = package[:len(package) - child.level + 1] if child.level else ()
                base += tuple(child.module.split(".")) if child.module else ()
                for alias in child.names:
                    yield child.lineno, (*base, alias.name), at_import
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or for_type_checkers(child):
                yield from visit(child, False)
            else:
                yield from visit(child, at_import)

    yield from visit(source.tree, True)


def upward_imports(source):
    room = room_of(source.path.split("/"))
    for line, module, _ in modules_imported(source):
        if module[0] in ABOVE and module[0] != "stepgauge":
            yield f"{source.path}:{line}: import {'.'.join(module)} relatively, as part of stepgauge"
        if module[0] != "stepgauge" or len(module) < 2:
            continue
        target = room_of(module[1:])
        if room == target == "method":
            yield f"{source.path}:{line}: a method imports no other method; move what both need into reference/parts"
        elif target not in ABOVE[room]:
            yield f"{source.path}:{line}: {room} must not import {'.'.join(module)}; arrows point to {sorted(ABOVE[room])}"


def named(source, library):
    """The dotted names, such as np.random.Generator, under which `library` is used in a source."""
    aliases = {alias.asname or alias.name for node in ast.walk(source.tree) if isinstance(node, ast.Import)
               for alias in node.names if alias.name.split(".")[0] == library}
    names = {f"{library}.{alias.name}" for node in ast.walk(source.tree)
             if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == library for alias in node.names}

    def visit(node):
        if isinstance(node, ast.Attribute) and ast.unparse(node).split(".")[0] in aliases and "(" not in ast.unparse(node):
            names.add(ast.unparse(node))
        else:
            for child in ast.iter_child_nodes(node):
                visit(child)

    visit(source.tree)
    return names


def extras_loaded(source):
    for line, module, at_import in modules_imported(source):
        if module[0] in EXTRAS:
            if source.path.startswith(("arrays/", "nets/", "reference/", "proofs_check/")):
                yield f"{source.path}:{line}: {module[0]} is named in adapters only; ask arrays.namespace for what serves an array"
            elif at_import and not source.path.startswith("verify/adapters/"):
                yield f"{source.path}:{line}: import {module[0]} inside the function that needs it; it is an optional extra"


def of_rooms(sources, rooms):
    return [source for source in sources if source.path.split("/")[0] in rooms]


def test_imports_point_downward(sources, rooms):
    broken = [line for source in of_rooms(sources, rooms) for line in upward_imports(source)]
    assert not broken, "\n".join(broken)


def test_numpy_is_named_in_arrays_and_verify_only(sources):
    for source in sources:
        if source.path.startswith(("nets/", "reference/")):
            allowed, used = set(NUMPY.get(source.path, {})), named(source, "numpy")
            assert used <= allowed, (
                f"{source.path}: take {sorted(used - allowed)} from arrays.namespace(…), so that the line runs in every "
                f"arithmetic; or give the reason in NUMPY, {__file__}")
            assert allowed <= used, f"{source.path}: {sorted(allowed - used)} is no longer used; drop it from NUMPY, {__file__}"


def test_optional_extras_are_imported_late(sources, rooms):
    broken = [line for source in of_rooms(sources, rooms) for line in extras_loaded(source)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(("path", "text"), [
    ("arrays/floats.py", "from ..nets import mlp"),
    ("nets/model.py", "from .. import reference"),
    ("nets/model.py", "def f():\n    from stepgauge.verify import check"),
    ("reference/parts/smw.py", "from ..first_order import adam"),
    ("reference/parts/smw.py", "from .. import METHODS"),
    ("reference/first_order/adam.py", "from .rmsprop import Hyper"),
    ("reference/first_order/adam.py", "from . import rmsprop"),
    ("reference/first_order/adam.py", "from ..kbfgs import step"),
    ("reference/first_order/adam.py", "from ...verify import check"),
    ("reference/kbfgs.py", "from .kfac import step"),
    ("reference/__init__.py", "from ..verify import check"),
    ("proofs_check/ledger.py", "from ..verify import check"),
    ("reference/adam.py", "from ..proofs_check import ledger"),
    ("verify/cli.py", "import nets"),
])
def test_an_upward_import_is_seen(source_of, path, text):
    assert list(upward_imports(source_of(path, text)))


@pytest.mark.parametrize(("path", "text"), [
    ("nets/model.py", "from ..arrays.errors import expect\nfrom .losses import LOSSES\nfrom . import single"),
    ("reference/parts/smw.py", "from ...arrays import namespace\nfrom .damping import weight\nfrom ... import nets"),
    ("reference/first_order/adam.py", "from ... import nets\nfrom ..parts.descent import descend"),
    ("reference/kbfgs.py", "from .. import nets\nfrom .parts import damping"),
    ("reference/__init__.py", "from .first_order import adam"),
    ("verify/check.py", "from ..reference import METHODS\nfrom . import bands\nfrom ..reference.first_order import adam"),
    ("proofs_check/ledger.py", "from ..reference.parts import damping\nfrom . import statements"),
])
def test_a_downward_import_is_allowed(source_of, path, text):
    assert not list(upward_imports(source_of(path, text)))


def test_numpy_and_extras_are_seen(source_of):
    assert named(source_of("nets/a.py", "import numpy as np\ndef f(x: np.ndarray):\n    return np.linalg.inv(x).T"), "numpy") \
        == {"np.ndarray", "np.linalg.inv"}
    assert named(source_of("nets/a.py", "from numpy.linalg import inv"), "numpy") == {"numpy.inv"}
    assert list(extras_loaded(source_of("verify/check.py", "import torch.nn")))
    assert list(extras_loaded(source_of("verify/check.py", "try:\n    import torch\nexcept ImportError:\n    torch = None")))
    assert list(extras_loaded(source_of("nets/model.py", "def f():\n    import cupy")))
    assert not list(extras_loaded(source_of("verify/check.py", "def f():\n    import torch")))
    assert not list(extras_loaded(source_of("verify/adapters/torch.py", "import torch")))
