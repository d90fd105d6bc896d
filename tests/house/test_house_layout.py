"""The repository: what stands at its top level, what no file may say, how long a method may be, how tests are named."""

import re
from collections import Counter

import pytest

TOP = {"arrays", "nets", "reference", "verify", "proofs_check", "tests", "examples", "benchmarks", "docs", ".ci",
       "pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "DEVIATIONS.md", "ERRATA.md", "NOTATION.md",
       "LICENSE", ".gitignore"}
LONGEST = 350

# Written in pieces, so that this file does not say what it forbids.
HOSTS = re.compile("|".join(["pypi" + r"\.org", "python" + r"hosted\.org", "ana" + r"conda\.org", "npm" + r"js\.(com|org)",
                             "crates" + r"\.io", "proxy" + r"\.golang\.org"]))
PLACES = "|".join(["wo" + "rk", "ho" + "me", "ro" + "ot", "Us" + "ers", "tm" + "p", "mn" + "t", "op" + "t"])
PATHS = re.compile(rf"(?<![\w.~/}}*-])/(?:{PLACES})/[\w.]|\b[A-Z]:\\\\?" + "Us" + r"ers\b|\.\./" + "sha" + "red")


def forbidden(path, text):
    """Complaints about package registries and absolute paths of somebody's machine."""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := HOSTS.search(line):
            yield f"{path}:{number}: names the package registry {found[0]}; a package's name is enough, pip knows where"
        if found := PATHS.search(line):
            yield f"{path}:{number}: names a place on one machine, {found[0]}…; say it relative to the repository"


def strangers(files):
    return sorted({path.parts[0] for path in files} - TOP)


def overlong(sources):
    for source in sources:
        length = len(source.text.splitlines())
        if source.path.startswith("reference/") and length > LONGEST:
            yield (f"{source.path}: {length} lines; a method is to be read in one sitting, at most {LONGEST}: move what it shares "
                   f"into reference/parts")


def clashes(paths):
    tests = [path for path in paths if path.parts[0] == "tests" and path.suffix == ".py" and path.name != "conftest.py"
             and "slips" not in path.parts]
    names = Counter(path.name for path in tests)
    return [path.as_posix() for path in tests if names[path.name] > 1]


def test_top_level_holds_what_the_design_names(files):
    assert not strangers(files), (
        f"{strangers(files)} do not belong at the top level; move them into a room, or into .gitignore if a program makes them")


def test_no_file_names_a_registry_or_a_machine(files, root):
    broken = []
    for path in files:
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        broken += forbidden(path.as_posix(), text)
    assert not broken, "\n".join(broken)


def test_methods_are_short(sources):
    assert not list(overlong(sources)), "\n".join(overlong(sources))


def test_test_files_have_names_of_their_own(files):
    assert not clashes(files), f"rename one of each: {clashes(files)}; tests and what they import are told apart by the file's name"


def test_tests_are_no_packages(files):
    packages = [path.as_posix() for path in files if path.parts[0] == "tests" and path.name == "__init__.py"]
    assert not packages, f"remove {packages}: with --import-mode=importlib test folders are plain folders"


@pytest.mark.parametrize("line", [
    "https://" + "pypi" + ".org/simple", "files.python" + "hosted.org", "open('/" + "tmp/x.npy')", "in /" + "home/me/x",
    "/" + "work/main", "see ../" + "shared/DESIGN.md", "C:\\" + "Users\\me",
])
def test_a_registry_or_a_path_is_seen(line):
    assert list(forbidden("README.md", line))


@pytest.mark.parametrize("line", [
    "#!/usr/bin/env bash", "pip install stepgauge", "a/tmp/b", "W/b", "https://github.com/x/y", "${DIR}/tmp/x",
])
def test_ordinary_lines_are_left_alone(line):
    assert not list(forbidden("README.md", line))


def test_other_breaches_are_seen(root, source_of):
    here = [root.joinpath("x").relative_to(root).with_name(name) for name in ("README.md", "notes.txt")]
    assert strangers(here) == ["notes.txt"]
    assert list(overlong([source_of("reference/a.py", "\n" * (LONGEST + 1))]))
    assert not list(overlong([source_of("reference/a.py", "\n" * LONGEST), source_of("verify/a.py", "\n" * 999)]))
    base = here[0].parent
    assert clashes([base / "tests/a/test_x.py", base / "tests/b/test_x.py", base / "tests/b/test_y.py"]) \
        == ["tests/a/test_x.py", "tests/b/test_x.py"]
    assert clashes([base / f"tests/{folder}/{name}" for folder in "ab" for name in ("twins.py", "conftest.py")]) \
        == ["tests/a/twins.py", "tests/b/twins.py"]
