"""docs/peers.md is what examples/results/peers.json gives, and what is installed of it is judged again."""

import importlib
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.verify.procedures import PROCEDURES

PEERS = Path(__file__).resolve().parents[2] / "examples" / "peers"
FOUND = json.loads((PEERS.parent / "results" / "peers.json").read_text(encoding="utf-8"))
ENTRIES = [(package, entry) for package, found in FOUND["packages"].items() for entry in found["entries"]]
FIRST_ORDER = ("sgd_m", "adam", "rmsprop")


@pytest.fixture
def script(monkeypatch):
    """A module out of examples/peers, which import one another by their bare names."""
    monkeypatch.syspath_prepend(str(PEERS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in {path.stem for path in PEERS.glob("*.py")} - before:
        sys.modules.pop(name, None)


def test_page_is_what_the_results_give(script):
    committed = (PEERS.parents[1] / "docs" / "peers.md").read_text(encoding="utf-8")
    assert script("page").page(FOUND) == committed, "docs/peers.md: run `make docs`"


def test_a_changed_verdict_changes_the_page(script):
    page, text = script("page").page, json.dumps(FOUND)
    assert page(json.loads(text.replace('"PASS"', '"FAIL"', 1))) != page(FOUND)


def test_enough_is_judged_and_every_difference_has_its_reason(script):
    assert len(FOUND["packages"]) >= 6
    second = {package for package, entry in ENTRIES if entry["subject"] not in FIRST_ORDER}
    assert len(second) >= 3
    assert set(FOUND["packages"]) == set(script("run").MODULES)
    judgements = script("run").JUDGEMENTS
    for _, entry in ENTRIES:
        assert entry["subject"] in {*METHODS, *PROCEDURES}
        assert (entry["verdict"] in ("PASS", "GREY")) == (entry["kind"] in ("as the text", "a convention")), entry["name"]
        if entry["verdict"] == "FAIL":
            assert entry["because"] == judgements[entry["name"]]["because"].strip()
            assert entry["divergence"] or entry["reason"]
            assert entry["smallest case"] in entry["failing"]
        if entry["kind"] == "a bug":
            assert entry["smallest"]
            assert entry["prints"]
    assert set(judgements) - {"not judged"} == {entry["name"] for _, entry in ENTRIES if entry["verdict"] == "FAIL"}


def skip_unless_judged(package):
    """Skip, with the reason, where another version is installed than that on the page, or none."""
    try:
        installed = version(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed: `make .venv/peers`")
    if installed != FOUND["packages"][package]["version"]:
        pytest.skip(f"{package} {installed} is installed, and {FOUND['packages'][package]['version']} was judged")


def again(script, package, entry):
    """What the judge says now of an entry."""
    skip_unless_judged(package)
    peer = {peer.name: peer for peer in script(script("run").MODULES[package]).PEERS}[entry["name"]]
    report = verify.check(peer.subject, peer.candidate, peer.cases)
    d = script("run").first_divergence(peer, entry["under"]) if entry["under"] else report.divergence
    return report.verdict, list(report.known), d and [d.case, d.step, d.quantity, d.line]


def recorded(entry):
    d = entry["divergence"]
    return entry["verdict"], entry["explanations"], d and [d["case"], d["step"], d["quantity"], d["line"]]


def cost(package, entry):
    """Procedures of all packages in the ordinary run, methods in the long one."""
    return pytest.param(package, entry, id=f"{package} {entry['name']}",
                        marks=() if entry["subject"] in PROCEDURES else pytest.mark.long)


@pytest.mark.filterwarnings("ignore")                               # the libraries' own old calls
@pytest.mark.parametrize(("package", "entry"), [cost(*found) for found in ENTRIES])
def test_peers_are_judged_again_as_the_page_has_it(script, package, entry):
    assert again(script, package, entry) == recorded(entry)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("package", "entry"), [pytest.param(*found, id=found[1]["name"]) for found in ENTRIES
                                                if found[1]["smallest"]])
def test_programs_of_peers_print_what_the_page_shows(script, package, entry):
    skip_unless_judged(package)
    assert script("run").printed(entry["smallest"]) == entry["prints"]
