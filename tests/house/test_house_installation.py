"""The installed package: one import name, no optional extra loaded, typed, and every folder of code installed."""

import importlib.metadata
import json
import subprocess
import sys
import tomllib

import pytest

EXTRAS = ["torch", "cupy", "jax", "optax", "matplotlib", "sklearn"]
PROGRAM = """
import importlib, json, sys
before = set(sys.modules)
rooms, watched = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for room in rooms:
    importlib.import_module(f"stepgauge.{room}")
import stepgauge
loaded = [name for name in watched if name in set(sys.modules) - before]
print(json.dumps({"loaded": loaded, "file": vars(stepgauge).get("__file__")}))
"""


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def loaded(names, watched, folder):
    """What is in sys.modules of a fresh interpreter, started elsewhere, after the rooms are imported."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(names), json.dumps(watched)], cwd=folder, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, f"importing {names} from an empty folder failed; is stepgauge installed?\n{done.stderr}"
    return json.loads(done.stdout)


def test_rooms_load_under_one_name_and_without_extras(rooms, tmp_path):
    found = loaded(rooms, [*rooms, *EXTRAS], tmp_path)
    bare = [name for name in found["loaded"] if name in rooms]
    assert not bare, f"import {bare} relatively or as stepgauge.…: the bare names may be a user's own modules"
    assert not found["loaded"], f"import {found['loaded']} inside the function that needs it: extras stay optional"
    assert found["file"] is None, "stepgauge is a namespace of its rooms; nothing belongs into a package above them"


def test_a_loaded_module_is_seen(tmp_path):
    assert loaded(["arrays"], ["fractions", "stepgauge.arrays", "torch"], tmp_path)["loaded"] == ["fractions", "stepgauge.arrays"]


def test_version_is_the_metadata_s(project):
    installed = importlib.metadata.version("stepgauge")
    assert installed == project["project"]["version"], (
        f"the installed stepgauge is {installed}, the repository says {project['project']['version']}; install it again (make)")


def folder_of(package, mapping):
    """The folder of a package: its longest mapped beginning is replaced."""
    head = max((name for name in mapping if package == name or package.startswith(name + ".")), key=len)
    return "/".join([mapping[head], *package.removeprefix(head).strip(".").split(".")]).rstrip("/")


def packaging_gaps(listed, present, typed):
    """Complaints about folders of code, the packages that are listed, and the py.typed files."""
    for folder in sorted(set(present) - set(listed)):
        yield f"{folder}: has code but is not installed; add its package to [tool.setuptools] packages in pyproject.toml"
    for folder in sorted(set(listed) - set(present)):
        yield f"{folder}: is listed in pyproject.toml but has no __init__.py"
    for folder in sorted(set(listed) - set(typed)):
        yield f"{folder}: has no py.typed, so that type checkers ignore its annotations; add the empty file"


def test_every_folder_of_code_is_installed_and_typed(project, files, rooms):
    setuptools = project["tool"]["setuptools"]
    listed = [folder_of(package, setuptools["package-dir"]) for package in setuptools["packages"]]
    in_rooms = [path for path in files if path.parts[0] in rooms]
    present = {path.parent.as_posix() for path in in_rooms if path.suffix == ".py"}
    typed = {path.parent.as_posix() for path in in_rooms if path.name == "py.typed"}
    initialised = {path.parent.as_posix() for path in in_rooms if path.name == "__init__.py"}
    broken = list(packaging_gaps(listed, present | initialised, typed))
    broken += [f"{folder}: has no __init__.py" for folder in sorted(present - initialised)]
    assert not broken, "\n".join(broken)
    assert "py.typed" in setuptools["package-data"]["*"], "pyproject.toml: py.typed must be installed with the code"
    assert len(set(listed)) == len(listed), "pyproject.toml lists a package twice"


def test_gaps_are_seen():
    assert folder_of("stepgauge.reference.parts", {"stepgauge.reference": "reference", "stepgauge": "."}) == "reference/parts"
    assert len(list(packaging_gaps(["a", "b"], ["a", "c"], ["a"]))) == 3
    assert not list(packaging_gaps(["a"], ["a"], ["a"]))
