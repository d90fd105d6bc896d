"""The ledger: every statement of both works with its status, made from the modules of this room and kept in ledger.json.

    python -m stepgauge.proofs_check.ledger [FOLDER]     examines every statement and writes ledger.json and timings.json

A statement's module stands under `chapter1` … `chapter5` (R) or `grouped` (W), named after it, and lists it in `STATEMENTS`.
`index.json` lists every numbered item of both works, read off the texts; the ledger has one entry or more for each.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import platform
import re
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ..arrays.errors import expect
from .statement import Entry, Finding, Form, Statement, Status, examine, rejected

HERE = Path(__file__).parent
ROOMS = ("chapter1", "chapter2", "chapter3", "chapter4", "chapter5", "grouped")


def statements() -> dict[str, Statement]:
    """All statements by id, in the order of the index, the parts of one after it."""
    found: dict[str, Statement] = {}
    for room in ROOMS:
        package = importlib.import_module(f"{__package__}.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            for statement in getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "STATEMENTS", ()):
                expect(statement.id not in found, statement.id, "an id of its own", "a reader looks it up", "two statements")
                found[statement.id] = statement
    order = {name: place for place, name in enumerate(index())}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0].split("/")[0], len(order)), _parts(item[0]))))


def _parts(name: str) -> list[Any]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"[./]", name)]


def index() -> dict[str, str]:
    """Every numbered item of both works: its id, and where it stands."""
    return json.loads((HERE / "index.json").read_text())


def read() -> list[Entry]:
    """The committed ledger."""
    return [_entry(line) for line in json.loads((HERE / "ledger.json").read_text())]


def _entry(line: dict[str, Any]) -> Entry:
    def of(found: Any) -> tuple[Finding, ...]:
        return tuple(Finding(one["accepted"], Status(one["status"]), one["method"], one["detail"]) for one in found)

    return Entry(**line | {"hypotheses": tuple(line["hypotheses"]), "status": tuple(map(Status, line["status"])),
                           "findings": of(line["findings"]), "repaired_findings": of(line["repaired_findings"]),
                           "sharpness": of(line["sharpness"]), "errata": tuple(line["errata"])})


def as_json(entries: Iterable[Entry]) -> str:
    """The text of ledger.json: the same bytes wherever the same was found."""
    def plain(value: Any) -> Any:
        if isinstance(value, Entry | Finding):
            return {name: plain(part) for name, part in value._asdict().items()}
        return [plain(part) for part in value] if isinstance(value, tuple) else value

    return json.dumps([plain(entry) for entry in entries], indent=1, ensure_ascii=False) + "\n"


def accepted_mutants(statement: Statement) -> Iterator[Form]:
    """Wrong forms that no check speaks against: there must be none."""
    for mutant in statement.mutants:
        if not rejected(statement, mutant):
            yield mutant


def chosen(entries: list[Entry], wanted: str) -> list[Entry]:
    """The entry with this id and its parts, or all whose id starts like it.

    Raises   ValueError where there is none.
    """
    found = [entry for entry in entries if entry.id.split("/")[0] == wanted or entry.id == wanted] or \
        [entry for entry in entries if entry.id.startswith(wanted)]
    expect(found, "ID", "the id of a statement, or its beginning", "`stepgauge proofs` lists them", repr(wanted))
    return found


STYLES = {Status.REFUTED: "red", Status.REPAIRED: "yellow", Status.SAMPLED: "cyan", Status.EMPIRICAL: "cyan",
          Status.NOT_CHECKABLE: "dim"}


def _shown(status: Iterable[Status]) -> Text:
    return Text(", ").join(Text(str(kind), style=STYLES.get(kind, "green")) for kind in status)


def table(entries: list[Entry]) -> Table:
    """One line a statement."""
    page = Table(Column("id", no_wrap=True), "where", "statement", "status", "errata", box=None, pad_edge=False)
    for entry in entries:
        page.add_row(entry.id, entry.where, Text(entry.printed), _shown(entry.status), " ".join(f"ERR-{n}" for n in entry.errata))
    return page


def pages(entries: list[Entry]) -> Iterator[Text]:
    """Everything about each statement."""
    for entry in entries:
        yield Text.assemble((entry.id, "bold"), f"  {entry.where}  ", _shown(entry.status))
        yield Text(f"  printed     {entry.printed}")
        for hypothesis in entry.hypotheses:
            yield Text(f"  hypothesis  {hypothesis}")
        yield from _findings(entry.findings)
        if entry.repaired:
            yield Text(f"  repaired    {entry.repaired}")
            yield from _findings(entry.repaired_findings)
        for finding in entry.sharpness:
            yield Text(f"  sharpness   {finding.method}: {finding.detail}")
        if entry.errata:
            yield Text("  errata      " + ", ".join(f"ERR-{n}" for n in entry.errata))
        if entry.note:
            yield Text(f"  note        {entry.note}")
        yield Text("")


def _findings(found: tuple[Finding, ...]) -> Iterator[Text]:
    for finding in found:
        mark = ("  stands      ", "green") if finding.accepted else ("  fails       ", "red")
        yield Text.assemble(mark, f"{finding.status}: {finding.method}", f" [{finding.detail}]" if finding.detail else "")


def main() -> int:
    """Examine every statement and its mutants, and write both files.  Returns 1 where a mutant was accepted."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    entries, seconds, wrong = [], {}, 0
    console = Console(stderr=True)
    with console.status("") as status:
        for name, statement in statements().items():
            status.update(name)
            start = time.perf_counter()
            entries.append(examine(statement))
            for mutant in accepted_mutants(statement):
                console.print(f"{name}: accepted a wrong form: {mutant.text}")
                wrong += 1
            seconds[name] = round(time.perf_counter() - start, 2)
    (folder / "ledger.json").write_text(as_json(entries))
    versions = {name: version(name) for name in ("python-flint", "z3-solver", "mpmath", "numpy")} | {
        "python": platform.python_version()}
    (folder / "timings.json").write_text(json.dumps({"versions": versions, "seconds": seconds}, indent=1) + "\n")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
