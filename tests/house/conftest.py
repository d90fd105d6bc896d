"""What the house tests look at: the repository's files, each source parsed once."""

import ast
import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("arrays", "nets", "reference", "verify", "proofs_check")


class Source(NamedTuple):
    """A Python file: its path from the root with forward slashes, its text, its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path, text):
        return cls(path, text, ast.parse(text))


def ignored():
    """The patterns of .gitignore: names of build products at any depth."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return [line.rstrip("/") for line in lines if line.strip() and not line.startswith("#")]


def walk(folder, patterns):
    """Every file below `folder` that .gitignore lets through."""
    for path in sorted(folder.iterdir()):
        if path.name == ".git" or any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns):
            continue
        if path.is_dir():
            yield from walk(path, patterns)
        else:
            yield path


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def rooms():
    return ROOMS


@pytest.fixture(scope="session")
def source_of():
    """A Source from a path and a snippet, for the tests that a rule can be broken."""
    return Source.of


@pytest.fixture(scope="session")
def files():
    """The paths of all files of the repository, from the root."""
    return [path.relative_to(ROOT) for path in walk(ROOT, ignored())]


@pytest.fixture(scope="session")
def sources(files):
    """All Python files of the repository."""
    return [Source.of(path.as_posix(), (ROOT / path).read_text(encoding="utf-8")) for path in files if path.suffix == ".py"]
