"""Judge the peers that are installed, and write what is found: examples/results/peers.json, from which page.py makes docs/peers.md.

    make peers            or            python examples/peers/run.py [PACKAGE …]

What is not installed, or not asked for, keeps its entry.
"""

import contextlib
import importlib
import io
import json
import sys
import tomllib
import warnings
from importlib.metadata import PackageNotFoundError, version
from math import prod
from pathlib import Path

from stepgauge import verify
from stepgauge.arrays import is_array
from stepgauge.nets import tensors
from stepgauge.verify.check import tensor_names
from stepgauge.verify.conventions import CONVENTIONS
from stepgauge.verify.procedures import PROCEDURES
from stepgauge.verify.replay import Convention, replay
from stepgauge.verify.report import CaseReport, Report
from stepgauge.verify.runner import run

RESULTS = Path(__file__).parents[1] / "results" / "peers.json"
MODULES = {"torch": "torch_optim", "optax": "optax_peers", "autograd": "autograd_optimizers", "scipy": "scipy_optimize",
           "pytorch_optimizer": "pytorch_optimizers", "asdfghjkl": "asdl_peers", "curvlinops-for-pytorch": "curvlinops_peers",
           "backpack-for-pytorch": "backpack_peers"}
BESIDE = ("numpy", "torch", "jax")
JUDGEMENTS = tomllib.loads((Path(__file__).parent / "judgements.toml").read_text(encoding="utf-8"))
KINDS = ("another algorithm by design", "less accurate than the text asks for", "not offered", "a bug")
"""What a difference can be that no published convention explains."""


def installed(package):
    """Its version, or None."""
    with contextlib.suppress(PackageNotFoundError):
        return version(package)


def sizes(peer):
    """How large each input is, by name: entries of a procedure's arguments, parameters of a case's network."""
    if peer.subject in PROCEDURES:
        return {inputs.name: sum(x.size for x in inputs.args if is_array(x)) for inputs in PROCEDURES[peer.subject].inputs()}
    return {case.name: sum(prod(x.shape) for x in tensors(case.params)) for case in peer.cases or verify.cases(peer.subject)}


def printed(program):
    """What a program prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, "smallest", "exec"), {"__name__": "smallest"})
    return out.getvalue()


def first_divergence(peer, texts):
    """The first failing line under the conventions with these texts, as a `Divergence` has it."""
    conventions = [convention for convention in CONVENTIONS[peer.subject] if convention.text in texts]
    rewrites, start = ({name: value for c in conventions for name, value in of(c).items()}
                       for of in (lambda c: c.rewrites, lambda c: c.start))
    for case in peer.cases or verify.cases(peer.subject):
        lines = tuple(replay(case, run(peer.candidate, case, 60), Convention("; ".join(texts), rewrites, start)))
        report = Report(peer.subject, {}, (CaseReport(case.name, "FAIL", lines, tensors=tensor_names(case)),))
        if report.divergence is not None:
            return report.divergence
    raise SystemExit(f"{peer.name}: nothing fails under {texts}")


def judged(peer):
    """The entry of one peer: its words, and what the judge measured."""
    report, words = verify.check(peer.subject, peer.candidate, peer.cases), JUDGEMENTS.get(peer.name, {})
    if report.ok == bool(words) or not (report.ok or words["kind"] in KINDS):
        raise SystemExit(f"{peer.name}: the verdict is {report.verdict}, and judgements.toml has {words.get('kind')!r}")
    failing = [case.case for case in report.cases if case.verdict != "PASS"] if not report.ok else []
    d = first_divergence(peer, words["under"]) if "under" in words else report.divergence
    return {
        "name": peer.name, "subject": peer.subject, "how": peer.how, "verdict": report.verdict,
        "explanations": list(report.known),
        "compared": {name: row["informative_cases"] for name, row in report.coverage.items() if row["compared"]},
        "cases": len(report.cases), "failing": failing, "smallest case": min(failing, key=sizes(peer).get, default=None),
        "under": words.get("under", []),
        "divergence": d and {"case": d.case, "step": d.step, "place": d.place, "quantity": d.quantity, "line": d.line,
                             "observed": d.observed, "expected": d.expected, "bands": d.error / d.band if d.band else None},
        "reason": next((case.reason for case in report.cases if case.reason), ""),
        "kind": words.get("kind", "a convention" if report.known else "as the text"),
        "because": words.get("because", "").strip(), "smallest": words.get("smallest", "").strip("\n"),
        "prints": printed(words.get("smallest", ""))}


def main(asked):
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"packages": {}}
    found["not judged"] = JUDGEMENTS["not judged"]
    found["with"] = {name: installed(name) for name in BESIDE if installed(name)}
    for package, module in MODULES.items():
        if (asked and package not in asked) or not installed(package):
            continue
        entries = []
        for peer in importlib.import_module(module).PEERS:
            entries.append(judged(peer))
            print(f"{peer.name:60} {entries[-1]['verdict']:6} {entries[-1]['kind']}", flush=True)
        found["packages"][package] = {"version": installed(package), "entries": entries}
    found["packages"] = {package: found["packages"][package] for package in MODULES if package in found["packages"]}
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")                     # of the libraries' own old calls
    main(sys.argv[1:])
