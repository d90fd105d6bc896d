"""README and the command line's example pages say what running them says."""

import importlib.util
import json
from pathlib import Path

import pytest


def beside(name):
    """The module in a file beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages, conventions_page = beside("pages"), beside("conventions_page")


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


def test_the_page_of_conventions_is_what_the_judge_knows():
    written = conventions_page.PAGE.read_text(encoding="utf-8")
    assert written == conventions_page.page(), "old page: python tests/docs/conventions_page.py"


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
    assert sorted(means, key=means.get, reverse=True)[:3] == ["kfac", "tnt", "shampoo"]
    assert max(means["adam"], means["sgd_m"]) < means["shampoo"]
    by_layer = [sum(layer) / len(layer) for layer in shown["tnt"]["cosines"]]
    assert [0.6 <= mean <= 0.8 for mean in by_layer] == [True, True, True, False]
    assert f"{by_layer[-1]:.2f}" == "0.59"
    assert [f"{means[method]:.2f}" for method in ("tnt", "shampoo")] == ["0.67", "0.64"]
    assert f"{means['kfac'] - means['tnt']:.2f}" == "0.05"
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


def test_what_the_experiments_page_says_of_the_ablation():
    found = json.loads((pages.ROOT / "examples/results/ablation.json").read_text())
    lowest, seconds = {}, {}
    for run in found["runs"]:
        losses = [min(one["losses"]) for one in run["seeds"]]
        lowest[run["set"], run["method"]] = sum(losses) / 3
        seconds[run["set"], run["method"]] = sum(one["seconds"][-1] for one in run["seeds"])
    both, first_off, second_off, none = ("kbfgs", "kbfgs (#1 off)", "kbfgs (#2 off)", "kbfgs (both off)")
    curves, faces, digits = ({m: lowest[name, m] for m in (both, first_off, second_off, none, "kbfgs20")}
                             for name in ("curves", "faces", "digits"))
    assert max(curves[first_off], curves[second_off]) < curves[none]
    assert curves[second_off] < curves[both] < curves["kbfgs20"]
    assert max(digits[m] for m in (both, first_off, second_off, none)) < 1.005 * min(digits.values())
    assert digits[both] < digits["kbfgs20"]
    assert faces["kbfgs20"] < max(faces[second_off], faces[none]) < min(faces[both], faces[first_off])
    assert all(abs(losses[first_off] / losses[both] - 1) < 0.015 for losses in (curves, faces, digits))
    assert 0.6 < seconds["curves", both] / seconds["curves", second_off] < 0.7
    on_faces = {run["method"]: run["hyper"] for run in found["runs"] if run["set"] == "faces"}
    assert (on_faces["kbfgs"]["alpha"], on_faces["kbfgs20"]["lam"]) == (0.001, 0.003)
    tried = {m: [t["value"] for t in found["tried"] if (t["set"], t["method"], t["lam"]) == ("faces", m, 0.003)]
             for m in (both, first_off, second_off, none, "kbfgs20")}
    start = 187.8                                                                   # where runs stand that end in their first epoch
    assert {m: sum(value < start - 1 for value in values) for m, values in tried.items()} == \
        {both: 0, first_off: 0, second_off: 0, none: 0, "kbfgs20": 2}


def test_what_the_experiments_page_says_of_the_convolutional_nets():
    found = json.loads((pages.ROOT / "examples/results/cnn.json").read_text())
    mean = {key: {(run["set"], run["method"]): sum(one[key][-1] for one in run["seeds"]) / 3 for run in found["runs"]}
            for key in ("losses", "errors", "seconds", "epoch")}
    problems = [f"{net} {name}" for name in ("digits", "faces") for net in ("vgg", "resnet")]

    def behind(method, other):
        differences = [round(mean["errors"][p, method] - mean["errors"][p, other], 4) for p in problems]
        return [sum(d > 0 for d in differences), sum(d == 0 for d in differences)]

    assert [behind("kbfgs", other) for other in ("adam", "sgd_m", "kbfgs_l")] == [[3, 0], [1, 1], [2, 1]]
    assert behind("kfac", "kbfgs") == [3, 1]
    on_600 = [[600 * one["errors"][-1] for one in run["seeds"]] for run in found["runs"] if run["set"].endswith("digits")]
    assert round(max(max(errors) - min(errors) for errors in on_600)) == 27
    for p in problems:
        for m in ("kbfgs", "kbfgs_l"):
            assert mean["losses"][p, m] < min(mean["losses"][p, other] for other in ("kfac", "adam", "sgd_m"))
        a_step = {m: mean["seconds"][p, m] / mean["epoch"][p, m] for m in ("kbfgs", "kfac", "sgd_m")}
        assert 1.065 < a_step["kbfgs"] / a_step["sgd_m"] < 1.185
        assert 0.995 < a_step["kbfgs"] / a_step["kfac"] < 1.145
    layers = [layer for run in found["runs"] for layer in run["seeds"][0]["layers"]]
    of_convolutions, of_dense = ([layer for layer in layers if layer[0].startswith(kind)] for kind in ("conv", "dense"))
    assert max(ratio for _, _, ratio, _, _ in of_convolutions) < 2.45e-6
    assert min(ratio for _, _, ratio, _, _ in of_dense) > 0.079
    assert 1.5e-4 < min(least for *_, least, _ in of_convolutions) < 2.5e-4
    assert 3.25 < max(most for *_, most in of_convolutions) < 3.35
    diverged = [(t["set"], t["method"], t["alpha"], t["lam"]) for t in found["tried"] if t["value"] is None]
    assert diverged == [("vgg faces", "kbfgs", 3, 10), ("vgg faces", "kbfgs_l", 3, 10)]
