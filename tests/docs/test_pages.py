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
    assert lowest["kfac"] < lowest["tnt"] < min(lowest[method] for method in ("tnt_ef", "kfac_ef", "adam", "shampoo", "sgd_m"))
    assert lowest["tnt"] / lowest["kfac"] < 1.02
    assert next(run["hyper"]["alpha"] for run in runs if run["method"] == "kfac_ef") == 0.3


def test_what_the_experiments_page_says_of_interactions():
    found = json.loads((pages.ROOT / "examples/results/interactions.json").read_text())
    facts, lenet, vgg, deep = found["facts"], *(found["facts"][name] for name in ("LeNet-5", "VGG", "deep MLP"))
    both = [facts[name][when] for name in facts for when in ("start", "end")]
    assert min(f["H off the diagonal"] for f in both) > 0.5
    assert min(f["H_WW far off"] for f in both) > 0.4
    assert [f["H_inv off the diagonal"] < f["H off the diagonal"] for f in both] == [False, *[True] * 5]
    with_others = [sum(row) - 1 for row in lenet["start"]["H_WW"]]
    assert min(with_others) == with_others[0]
    for eta in found["eta"].values():
        for now in eta:
            assert sum(abs(b) > abs(W) for W, b in zip(now[::2], now[1::2], strict=True)) > len(now) / 4
    for f in (lenet["end"], vgg["end"], deep["end"]):
        sizes = [abs(x) for x in f["eta_W"]]
        assert max(sizes) > 25 * min(sizes)
    assert max(map(abs, lenet["end"]["eta_W"][:2])) < min(map(abs, lenet["end"]["eta_W"][2:]))
    assert max(map(abs, vgg["end"]["eta_W"][4:6])) < min(map(abs, vgg["end"]["eta_W"][:2]))
    assert min(map(min, deep["start"]["H_WW"])) > 0.7
    assert deep["end"]["H_WW far off"] < deep["start"]["H_WW far off"] / 2
    assert max(map(abs, deep["end"]["eta_b"])) == abs(deep["end"]["eta_b"][-1])
    # what does not agree
    assert deep["end"]["H_WW"][0][4] > 0.3
    assert any(abs(after) < abs(before) for before, after in zip(*(deep[when]["eta_W"] for when in ("start", "end")), strict=True))
    assert min(map(abs, deep["end"]["eta_W"])) < abs(deep["end"]["eta_W"][0])
    assert all(f["start"]["negative eigenvalues"] > 0 for f in facts.values())
    assert any(x < 0 for f in both for x in (*f["eta_W"], *f["eta_b"]))
    assert found["trained"]["grouped_newton"]["choice"] == {"lam1": 1.0, "lam_int": 100.0}
    lowest = {method: [min(losses) for losses in run["losses"]] for method, run in found["trained"].items()}
    assert max(lowest["grouped_newton"]) < min(lowest["adam"])
    assert max(lowest["grouped_newton"]) < 2 * max(lowest["kfac20"])
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
