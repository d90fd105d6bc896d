"""Write docs/peers.md from examples/results/peers.json.

    python examples/peers/page.py
"""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS, PAGE = ROOT / "examples/results/peers.json", ROOT / "docs/peers.md"

HEAD = """# Real peers, judged

Public implementations, as they install from the package index, under the judge. `make peers` runs them again and `make docs`
writes this page from what it finds ([examples/peers](../examples/peers), one short file a library; [judging.md](judging.md) says
how a verdict is reached). Run with {beside}.

The yardstick is the two works that stepgauge is the reference for, and what they cite. Another method is no mistake, and so a
difference has one of these names:

* **as the text**: every quantity shown agrees with its paper line to within rounding;
* **a convention**: it agrees with another published form of some lines, which is named;
* **another algorithm by design**, or **less accurate than the text asks for**: it differs, and means to;
* **not offered**: it refuses some cases, and says so; the others agree;
* **a bug**: it contradicts its own documentation, or the property that it is there for, and its section shows how.

A piece that agrees has been judged in these quantities on these cases, no more.

"""


def difference(entry):
    return entry["kind"] if entry["kind"] != "a convention" else "; ".join(entry["explanations"])


def summary(packages):
    yield "| library | piece | judged as | verdict | difference |"
    yield "|---|---|---|---|---|"
    for package, found in packages.items():
        for entry in found["entries"]:
            yield (f"| {package} {found['version']} | {entry['name']} | `{entry['subject']}` | {entry['verdict']} "
                   f"| {difference(entry)} |")


def section(entry):
    yield f"### {entry['name']}\n"
    yield f"Judged as `{entry['subject']}`. {entry['how']}\n"
    compared = ", ".join(f"{name} in {count}" for name, count in entry["compared"].items()) or "nothing"
    yield f"**{entry['verdict']}: {difference(entry)}.** Compared informatively: {compared} of {entry['cases']} cases.\n"
    smallest = f"Smallest of the {len(entry['failing'])} failing cases: {entry['smallest case']}."
    if (d := entry["divergence"]) is not None:
        size = f"{d['bands']:.1e} bands off" if d["bands"] else "where the value must be exact"
        beside = f" under the convention \"{'; '.join(entry['under'])}\"" if entry["under"] else ""
        yield (f"First divergence{beside}: {d['quantity']}, paper line {d['line']} (case {d['case']}, step {d['step']}, "
               f"{d['place']}): observed {d['observed']:.10g}, expected {d['expected']:.10g}, {size}. {smallest}\n")
    elif entry["reason"]:
        yield f"It does not run: {entry['reason'].rstrip('.')}. {smallest}\n"
    if entry["verdict"] == "FAIL" and entry["explanations"]:
        yield f"Cause, as the judge names it: {'; '.join(entry['explanations'])}.\n"
    if entry["because"]:
        yield entry["because"] + "\n"
    if entry["smallest"]:
        yield f"```python\n{entry['smallest']}\n```\nprints\n```text\n{entry['prints']}```\n"


def page(found):
    """The page as text, from what run.py has found."""
    beside = ", ".join(f"{name} {number}" for name, number in found["with"].items())
    parts = [HEAD.format(beside=beside), *(line + "\n" for line in summary(found["packages"]))]
    for package, of_package in found["packages"].items():
        parts.append(f"\n## {package} {of_package['version']}\n\n")
        parts.append("\n".join(line for entry in of_package["entries"] for line in section(entry)))
    parts.append("\n## Looked at, and not judged\n\n")
    parts += [f"* **{name}**: {' '.join(why.split())}\n" for name, why in found["not judged"].items()]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
