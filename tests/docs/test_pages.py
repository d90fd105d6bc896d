"""README and the command line's example pages say what running them says."""

import importlib.util
import json
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("pages", Path(__file__).with_name("pages.py"))
pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pages)


@pytest.mark.parametrize("page", pages.PAGES)
def test_page_is_what_its_commands_print(page):
    committed = (pages.ROOT / page).read_text()
    assert "```console\n$ " in committed or "```python\n" in committed
    fresh = pages.rendered(committed)
    assert pages.without_measurements(committed) == pages.without_measurements(fresh), \
        f"{page}: run `make docs` and look at the difference before you commit it"


def test_a_stale_page_is_noticed():
    page = "```python\nprint(2 + 2)\n```\n```\n5\n```\n"
    assert pages.rendered(page) == "```python\nprint(2 + 2)\n```\n```\n4\n```\n"


def test_table_of_methods_is_complete():
    from stepgauge.reference import METHODS

    readme = (pages.ROOT / "README.md").read_text()
    for name, module in METHODS.items():
        file = module.__name__.removeprefix("stepgauge.").replace(".", "/") + ".py"
        assert f"| `{name}` | {file} |" in readme, f"README's table: add a row for {name} in {file}"


def test_what_the_experiments_page_says_of_the_autoencoders():
    runs = json.loads((pages.ROOT / "examples/results/autoencoder.json").read_text())["runs"]
    for name in ("digits", "faces", "curves"):
        lowest = {run["method"]: min(run["losses"]) for run in runs if run["set"] == name}
        spent = {run["method"]: run["seconds"] for run in runs if run["set"] == name}
        second, first = ("kbfgs20", "kbfgs20_l"), ("rmsprop", "adam", "sgd_m")
        assert max(lowest[method] for method in second) < min(lowest[method] for method in first)
        assert abs(lowest["kbfgs20"] / lowest["kbfgs20_l"] - 1) < 0.01
        assert lowest["kfac20"] < min(lowest[method] for method in second)
        assert max(spent[method] for method in first) < min(spent[method] for method in second)
    edges = [run["hyper"]["lam"] for run in runs if run["set"] == "faces" and run["method"].startswith("kbfgs20")]
    assert edges == [0.003, 0.003]


def test_what_the_experiments_page_says_of_gauss_newton():
    runs = json.loads((pages.ROOT / "examples/results/gauss_newton.json").read_text())["runs"]
    for name in ("one", "two", "parity"):
        loss, spent = ({run["method"]: run[what][-1] for run in runs if run["set"] == name} for what in ("losses", "seconds"))
        assert name == "one" or spent["smw_gn"] < spent["hessian_free"]
        assert loss["smw_gn"] < min(loss["smw_ng"], loss["smw_ng_bd"])
        assert min(loss, key=loss.get) == "kfac20"
    found = {(run["set"], run["method"]): run for run in runs}
    for name in ("one", "two", "parity"):
        gn, hf = found[name, "smw_gn"], found[name, "hessian_free"]
        assert all(abs(a - b) < 0.01 * a for a, b in zip(gn["losses"], hf["losses"], strict=True))
    one = {method: run["losses"][-1] for (name, method), run in found.items() if name == "one"}
    assert min(one.values()) < one["sgd_m"] < max(one.values())
    two = {method: run["losses"][-1] for (name, method), run in found.items() if name == "two"}
    assert two["sgd_m"] > 3 * max(loss for method, loss in two.items() if method != "sgd_m")
    errors = {method: run["errors"][-1] for (name, method), run in found.items() if name == "one"}
    assert (min(errors, key=errors.get), max(errors, key=errors.get)) == ("smw_gn", "kfac20")
    assert [round(100 * errors[method], 1) for method in ("smw_gn", "kfac20")] == [2.2, 3.1]
