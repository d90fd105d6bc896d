"""`stepgauge vectors list | export | verify | replay`."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ...arrays.errors import expect
from ..progress import progress
from . import build
from .evaluate import arrays, tells
from .format import DATA, FORMAT, parse, read, read_text
from .replay import Replay, replay, replay_answers


def export(folder: Path, subjects: list[str]) -> int:
    """Copy the set, or some of its files with an index of their own, into a folder.  Returns how many files of vectors."""
    for subject in subjects:
        expect(subject in build.SUBJECTS, "subject", f"one of {', '.join(build.SUBJECTS)}", "the set has these", repr(subject))
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{subject}.json": read_text(DATA / f"{subject}.json") for subject in subjects}
    texts["schema.json"] = read_text(DATA / "schema.json")
    for name, content in (texts | {"index.json": build.manifest(texts)}).items():
        (folder / name).write_bytes(content.encode())
    return len(subjects)


def verify(folder: Path, subjects: list[str]) -> list[str]:
    """What is wrong with a set: its index, its checksums, its form, and every bit that the reference computes otherwise.

    Takes    subjects: those to go through, or [] for all that the index lists.
    Returns  one complaint a file, at most; [] where all is well.
    """
    index = parse(read_text(folder / "index.json"), "index.json")
    expect(isinstance(index, dict) and set(index) == {"format", "version", "files"} and isinstance(index["files"], dict)
           and all(isinstance(file, dict) and set(file) == {"sha256", "vectors"} for file in index["files"].values()), "index.json",
           "format, version, files with sha256 and vectors", "the set is told by it", "something else")
    expect(index["format"] == FORMAT, "index.json: format", repr(FORMAT), "no other is known", repr(index["format"]))
    expect(index["version"] == build.VERSION, "index.json: version", build.VERSION,
           "this program makes the vectors of that one anew", repr(index["version"]))
    listed = [name.removesuffix(".json") for name in index["files"] if name != "schema.json"]
    for subject in (*subjects, *listed):
        expect(subject in build.SUBJECTS and subject in listed, "subject", f"one of {', '.join(listed)}", "the index lists these",
               repr(subject)[:80])
    return [complaint for subject in progress(subjects or listed, "vectors")
            if (complaint := _complaint(folder, subject, index["files"][f"{subject}.json"]))]


def _complaint(folder: Path, subject: str, listed: dict[str, Any]) -> str:
    name = f"{subject}.json"
    try:
        content = read_text(folder / name)
        expect(hashlib.sha256(content.encode()).hexdigest() == listed["sha256"], name, f"SHA-256 {listed['sha256']}",
               "the index says so", "another")
        tree = read(folder / name)
        expect(len(tree["vectors"]) == listed["vectors"], name, f"{listed['vectors']} vectors", "the index says so",
               len(tree["vectors"]))
    except ValueError as error:
        return str(error)
    fresh = build.text(subject)
    if fresh == content:
        return ""
    differing = next((n for n, (ours, theirs) in enumerate(zip(fresh.split("\n"), content.split("\n"), strict=False), start=1)
                      if ours != theirs), 0)
    return f"{name}: expected the bits that the reference gives because a vector is what it gives, got others in line {differing}"


def contents() -> Table:
    """The set in numbers: vectors of each kind by subject, and how many of their arrays tell right from wrong in either dtype."""
    table = Table(box=None, pad_edge=False)
    for heading in ("subject", "valid", "acceptable", "invalid", "arrays", "that tell in float64", "in float32"):
        table.add_column(heading, justify="left" if heading == "subject" else "right")
    total = [0] * 6
    for subject in build.SUBJECTS:
        vectors = parse(read_text(DATA / f"{subject}.json"), subject)["vectors"]
        counts = [sum(vector["result"] == result for vector in vectors) for result in ("valid", "acceptable", "invalid")]
        found = [part for vector in vectors for part in arrays(vector)]
        row = [*counts, len(found), *(sum(tells(part, dtype) for part in found) for dtype in ("float64", "float32"))]
        total = [a + b for a, b in zip(total, row, strict=True)]
        table.add_row(subject, *map(str, row))
    table.add_row("all", *map(str, total))
    return table


def add_to(commands: Any, load: Callable[[str], Any], show: Callable[[Any, Any], int]) -> None:
    """The command with its four parts.

    Takes    commands: of argparse; load: from FILE.py:NAME to a callable; show: prints a Replay as the options say, and returns
             the exit code.
    """
    command = commands.add_parser("vectors", help="test vectors: write them out, verify them, replay a candidate on them")
    parts = command.add_subparsers(required=True, metavar="PART")

    part = parts.add_parser("list", help="how many vectors there are of what")
    part.set_defaults(run=_list)

    part = parts.add_parser("export", help="copy the set into a folder, for programs in other languages")
    part.add_argument("folder", type=Path)
    part.add_argument("--subject", action="append", help="one method or procedure, instead of all (may be repeated)")
    part.set_defaults(run=_export)

    part = parts.add_parser("verify", help="check form and checksums, and compute every bit again (a minute or two)")
    part.add_argument("folder", type=Path, nargs="?", default=DATA, help="of an exported set (the package's own)")
    part.add_argument("--subject", action="append", help="one method or procedure, instead of all (may be repeated)")
    part.set_defaults(run=_verify)

    part = parts.add_parser("replay", help="run a candidate, or read answers, and compare with the vectors")
    part.add_argument("subject", help="a method or procedure of `stepgauge list`")
    part.add_argument("candidate", nargs="?", help="FILE.py:NAME")
    part.add_argument("--answers", type=Path, help="a JSON file that a program in any language has written, instead of a candidate")
    part.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    part.add_argument("--time-limit", type=float, default=60, metavar="S", help="seconds a call or step")
    part.add_argument("--bad-input", action="store_true", help="replay the invalid vectors too, and expect errors")
    part.add_argument("--json", action="store_true", help="print the report as JSON")
    part.set_defaults(markdown=False, run=lambda options: show(_replayed(options, load), options))


def _list(options: argparse.Namespace) -> int:
    Console(width=128, highlight=False).print(contents())
    return 0


def _export(options: argparse.Namespace) -> int:
    count = export(options.folder, options.subject or list(build.SUBJECTS))
    print(f"{options.folder}: {count} files of vectors, {build.VERSION}; index.json has their checksums, schema.json their form")
    return 0


def _verify(options: argparse.Namespace) -> int:
    complaints = verify(options.folder, options.subject or [])
    for complaint in complaints:
        print(complaint)
    if not complaints:
        print(f"vectors {build.VERSION}: form, checksums and every bit as they should be")
    return 1 if complaints else 0


def _replayed(options: argparse.Namespace, load: Callable[[str], Any]) -> Replay:
    expect((options.candidate is None) != (options.answers is None), "candidate", "FILE.py:NAME or --answers FILE",
           "one of them is compared", "both" if options.candidate else "neither")
    if options.answers is not None:
        return replay_answers(options.subject, options.answers, bad_input=options.bad_input)
    return replay(options.subject, load(options.candidate), options.dtype, time_limit=options.time_limit,
                  bad_input=options.bad_input)
