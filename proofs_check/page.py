"""The docs page "What is true in these works", made from the ledger for somebody who holds the works in the other hand.

    python -m stepgauge.proofs_check.page        prints it
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from .ledger import index, read
from .statement import Entry, Finding, Status

HEAD = """# What is true in these works

Every numbered item of **R** (Yi Ren, *Using Second-Order Information in Training Deep Neural Networks*, 2022) and **W** (Wolinski,
*Adapting Newton's Method to Neural Networks through a Summary of Higher-Order Derivatives*), with what was found out about it.
`make proofs` examines all of them again; `stepgauge proofs ID` shows one in the terminal.

How much a status says:

| status | meaning |
|---|---|
| EXACT over ℚ | the identity holds exactly at the rational points named, of small sizes |
| EXACT mod p | it holds at a random point modulo two large primes, with matrices of the size named, with the error probability |
| PROVED by a certificate | an identity of polynomials, checked exactly, that anybody can check again without a solver |
| PROVED by z3 | z3 found that no real numbers violate it |
| BALL | evaluated with a rigorous error bound |
| SAMPLED | a search for counterexamples found none: no proof |
| EMPIRICAL | counted, or measured along runs: no proof |
| NOT CHECKABLE | nothing that code could decide; the note says why |
| NOT PROVED | a proof that was tried does not go through |
| REFUTED | false as printed: the counterexample is exact |
| REPAIRED | the corrected statement stands beside it, with evidence of its own |
"""
CHAPTERS = {"R.1": "R, chapter 1 and Section 1.2", "R.2": "R, chapter 2: K-BFGS for dense layers",
            "R.3": "R, chapter 3: K-BFGS for convolutions", "R.4": "R, chapter 4: Tensor Normal Training",
            "R.5": "R, chapter 5: Gauss-Newton and natural gradient", "W": "W: grouped Newton"}
CHAPTER_OF = {"Thm": {1: 2, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5}, "Prop": {1: 4}, "Def": {1: 4},
              "Lem": {n: 2 + (n > 3) + (n > 7) + (n > 10) for n in range(1, 12)},
              "As": {n: 2 + (n > 4) + (n > 7) + (n > 10) for n in range(1, 13)},
              "Alg": {n: 2 + (n > 7) + (n > 12) + (n > 16) for n in range(1, 24)}}


def chapter(name: str) -> str:
    """The key of CHAPTERS under which an id stands."""
    work, kind, number, *_ = *re.split(r"[./]", name), ""
    if work == "W":
        return "W"
    return f"R.{CHAPTER_OF[kind][int(number)] if kind in CHAPTER_OF else number}"


def page(entries: list[Entry]) -> str:
    """The whole page, in Markdown."""
    return "\n".join(_lines(entries))


def _lines(entries: list[Entry]) -> Iterator[str]:
    yield HEAD
    items = {entry.id.split("/")[0] for entry in entries}
    false = [entry for entry in entries if Status.REFUTED in entry.status]
    yield f"{len(items)} items in {len(entries)} entries; {len(false)} entries are false as printed, or mean nothing as printed:\n"
    yield "| item | printed | holds |\n|---|---|---|"
    for entry in false:
        yield f"| {entry.id} | {_cell(entry.printed)} | {_cell(entry.repaired)} |"
    yield "\nEvidence, by the number of entries that have it: " + ", ".join(
        f"{kind} {count}" for kind in Status if (count := Counter(k for e in entries for k in e.status)[kind])) + "."
    names = index()
    for key, title in CHAPTERS.items():
        yield f"\n## {title}"
        for entry in entries:
            if chapter(entry.id) == key:
                yield from _entry(entry, names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _entry(entry: Entry, names: dict[str, str]) -> Iterator[str]:
    item, _, part = entry.id.partition("/")
    errata = "".join(f" · [ERR-{n}](../ERRATA.md)" for n in entry.errata)
    title = names[item] + (f", part {part}" if part else "")
    yield f"\n**{title}** (`{entry.id}`; {entry.where}) · {', '.join(entry.status)}{errata}"
    yield f"- Printed: {entry.printed}"
    for hypothesis in entry.hypotheses:
        yield f"- Hypothesis: {hypothesis}"
    yield from map(_finding, entry.findings)
    if entry.repaired:
        yield f"- **Repaired**: {entry.repaired}"
        yield from map(_finding, entry.repaired_findings)
    for finding in entry.sharpness:
        yield f"- Sharpness: {finding.method}: {finding.detail}"
    if entry.note:
        yield f"- {entry.note}"


def _finding(finding: Finding) -> str:
    detail = f" ({finding.detail})" if finding.detail else ""
    return f"- {'Stands' if finding.accepted else '**Fails**'}: {finding.status}, {finding.method}{detail}"


if __name__ == "__main__":
    print(page(read()))
