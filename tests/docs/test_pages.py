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


def test_what_the_experiments_page_says_of_the_directions():
    found = json.loads((pages.ROOT / "examples/results/direction_quality.json").read_text())
    shown = {}
    for run in found["runs"]:
        if run["mean"] > shown.get(run["method"], {"mean": -1})["mean"]:
            shown[run["method"]] = run
    means = {method: run["mean"] for method, run in shown.items()}
    assert sorted(means, key=means.get, reverse=True)[:3] == ["kfac20", "tnt", "shampoo"]
    assert max(means["adam"], means["sgd_m"]) < means["shampoo"]
    by_layer = [sum(layer) / len(layer) for layer in shown["tnt"]["cosines"]]
    assert [0.6 <= mean <= 0.8 for mean in by_layer] == [True, True, True, False]
    assert f"{by_layer[-1]:.2f}" == "0.59"
    assert [f"{means[method]:.2f}" for method in ("tnt", "shampoo")] == ["0.67", "0.64"]
    assert f"{means['kfac20'] - means['tnt']:.2f}" == "0.07"
    assert all(min(shown[method]["cosines"][-1]) < 0.6 for method in ("tnt", "shampoo"))
    assert all(layer[-1] < layer[0] for run in shown.values() for layer in run["cosines"])
    assert min(run["mean"] for run in found["runs"] if run["method"] == "tnt") < means["sgd_m"]
    assert found["block_fisher"]["eps"] == 0.001


def test_what_the_experiments_page_says_of_TNT():
    runs = json.loads((pages.ROOT / "examples/results/tnt_autoencoder.json").read_text())["runs"]
    lowest = {run["method"]: min(run["losses"]) for run in runs}
    spent = {run["method"]: run["times"][-1] for run in runs}
    assert lowest["kfac20"] < lowest["tnt"] < min(lowest[method] for method in ("tnt_ef", "adam", "shampoo", "sgd_m"))
    assert max(spent[method] for method in ("adam", "sgd_m")) < min(spent[method] for method in ("tnt", "shampoo", "kfac20"))
    assert next(run["hyper"]["eps"] for run in runs if run["method"] == "shampoo") == 0.1
