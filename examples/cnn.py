"""K-BFGS, K-BFGS(L), K-FAC, Adam and SGD-m on a small VGG and a small ResNet, after R Section 3.7: loss and validation error.

    python examples/cnn.py [--epochs 15] [--sets "vgg digits" …] [--out examples/results] [--jobs 2] [--quick]
    python examples/cnn.py --show examples/results/cnn.json

Every method runs on the grid below; the choice with the lowest validation error at the end runs again with every seed, and the
means are shown, as in the thesis. First-order methods get 4/3 of the epochs, as there. Writes cnn.json and cnn.png. The faces come
from scikit-image, the plot from matplotlib (extra `plot`).
"""

import json
from functools import cache

from experiment import (Problem, choices, descend, digits, faces, mean_loss, mean_of, numbers, options, picture, search, show,
                        spread, table, write)
import numpy as np
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.reference.parts.descent import StepDecay
from stepgauge.reference.parts.kronecker import of_layers, split_damping

KBFGS = [{"alpha": (0.1 * lam, 0.3 * lam), "lam": (lam,)} for lam in (1.0, 10.0, 100.0)]
GRID = {
    "kbfgs": KBFGS,
    "kbfgs_l": KBFGS,
    "kfac": {"alpha": (0.01, 0.03), "lam": (0.01, 0.1, 1.0)},
    "adam": {"alpha": (0.003, 0.01, 0.03), "eps": (1e-8, 1e-2)},
    "sgd_m": {"alpha": (0.01, 0.03, 0.1, 0.3)},
}
"""Learning rate and damping: a part of the grids of R Section 3.7.2 that the sizes here leave worth trying. For K-BFGS, whose best
rates go with the damping there (Table 3.7), the rates are multiples of it."""

FIXED = {"kbfgs": {"T": 10}, "kbfgs_l": {"T": 10}, "kfac": {"T_1": 5, "T_2": 50}, "adam": {}, "sgd_m": {"momentum": "heavy_ball"}}
"""Periods are half of R Section 3.7.1's; R Section 3.7.2's SGD-m is heavy ball."""

FIRST_ORDER = ("adam", "sgd_m")
DECAY = 1e-3
"""γ is such that αγ is this number: it lies between 1e-4 and 1e-3 in all columns of R Table 3.7."""

SEEDS = (1, 2, 3)
NETS = {"vgg": nets.small_vgg, "resnet": nets.small_resnet}
SETS = ("digits", "faces")
PROBLEMS = [f"{net} {name}" for name in SETS for net in NETS]


@cache
def images(name):
    """Images (N, 1, H, W) and labels of a set, for training and for validation, and the batch size.

    The digits are the first 600 of scikit-learn's, 8 × 8, and the next 600; the faces, and what are none, are 12 × 12 means over
    2 × 2 pixels, 100 and 100.
    """
    if name == "digits":
        x, y = digits()
        x, train, valid, size = x.reshape(-1, 1, 8, 8), slice(0, 600), slice(600, 1200), 30
    else:
        x, y = faces()
        x = x[:, :24, :24].reshape(-1, 1, 12, 2, 12, 2).mean((3, 5))
        train, valid, size = slice(0, None, 2), slice(1, None, 2), 10
    x = cast(x, "float32")
    return (x[train], y[train]), (x[valid], y[valid]), size


def problem_of(name):
    """A Problem, and the images and labels for validation."""
    net, data = name.split()
    (x, y), valid, size = images(data)
    return Problem(NETS[net](x.shape[1:], int(y.max()) + 1), x, y, size), valid


def epochs_of(method, epochs):
    """How many epochs a method gets, and after how many its learning rate falls to a tenth (R Section 3.7.1, over ten)."""
    return (epochs * 4 // 3, max(1, epochs * 4 // 10)) if method in FIRST_ORDER else (epochs, max(1, epochs // 3))


def train(name, method, choice, epochs, seed, at=None):
    """One run: seconds, training losses and validation errors, by epoch, and what became of K-BFGS's G by layer.

    Takes    at: the epochs after which losses and errors are measured; the start and every fifth of the run if None.
    """
    problem, (x, y) = problem_of(name)
    model, alpha = problem.model, choice["alpha"]
    epochs, period = epochs_of(method, epochs)
    decay = StepDecay(alpha, 0.1, period * (len(problem.x) // problem.size))
    hyper = METHODS[method].Hyper(**choice | FIXED[method] | {"alpha": decay, "gamma": DECAY / alpha})

    def measure(params):
        stats = nets.batch_stats(model, params, nets.Batch(problem.x, problem.y))
        guess = nets.forward(model, params, x, stats).output.argmax(1)
        return mean_loss(problem, params, stats), float((guess != y).mean())

    pairs = []

    def watch(trace):
        if method == "kbfgs" and trace.s_t:
            pairs.append((trace.s_G, trace.y_G, trace.H_G))

    rows = descend(problem, method, hyper, measure, epochs=epochs, seed=seed, at=at or range(0, epochs + 1, max(1, epochs // 5)),
                   watch=watch)
    found = {key: [round(row[i], 5) for row in rows] for i, key in enumerate(("epoch", "seconds", "losses", "errors"))}
    return found | {"layers": layers_of(model, pairs, hyper) if pairs else []}


def trial(name, method, choice, epochs, seed):
    """Validation error at the end, then training loss."""
    found = train(name, method, choice, epochs, seed, at=(epochs_of(method, epochs)[0],))
    return (found["errors"][-1], found["losses"][-1]) if found["epoch"] and np.isfinite(found["losses"][-1]) else (np.inf, np.inf)


def final_error(found):
    return found["errors"][-1]


def layers_of(model, pairs, hyper):
    """By layer of K-BFGS: λ_G, the largest ‖y_G‖/‖s_G‖ of all updates, and the extreme eigenvalues of λ_G H_G at the end.

    Takes    pairs: (s_G, y_G, H_G) after each update.
    """
    params = nets.init(model, 0)
    _, lam_G = split_damping(model, params, hyper.lam)
    names = of_layers(params, [f"{'conv' if layer[0].ndim == 4 else 'dense'} {layer[0].shape[0]}" for layer in params])
    norm = np.linalg.norm
    ratios = [max(float(norm(y_G[l]) / norm(s_G[l])) for s_G, y_G, _ in pairs) for l in range(len(names))]
    ends = [np.linalg.eigvalsh(lam * H_G.astype(float))[[0, -1]].tolist() for lam, H_G in zip(lam_G, pairs[-1][2], strict=True)]
    return [[name, float(lam), ratio, *end] for name, lam, ratio, end in zip(names, lam_G, ratios, ends, strict=True)]


def page(runs):
    """The table of the runs that were chosen: what they had reached at the end."""
    rows = table("problem", "method", "learning rate, damping", "training loss", "validation error, %", "seconds")
    for run in runs:
        losses, errors, seconds = (np.array([one[key][-1] for one in run["seeds"]]) for key in ("losses", "errors", "seconds"))
        rows.add_row(run["set"], run["method"], numbers(run["hyper"].values()), spread(losses, 2), spread(100 * errors, 3),
                     f"{np.mean(seconds):.1f}")
    return rows


def page_of_layers(runs):
    """The table of what K-BFGS's G was made of, by layer, with the first seed of each problem."""
    rows = table("problem", "kbfgs's layer", "λ_G", "largest ‖y_G‖/‖s_G‖", "eigenvalues of λ_G H_G at the end")
    for run in runs:
        for layer, lam_G, ratio, least, most in run["seeds"][0]["layers"]:
            rows.add_row(run["set"], layer, f"{lam_G:.3g}", f"{ratio:.1e}", f"{least:.2g} … {most:.2g}")
    return rows


def main():
    given = options(__doc__, 15, PROBLEMS)
    if given.show:
        runs = json.loads(given.show.read_text())["runs"]
        show(page(runs), page_of_layers(runs))
        return
    grids = {(name, method): choices(grid, given.quick) for name in given.sets for method, grid in GRID.items()}
    runs, tried = search(trial, train, final_error, grids, SEEDS, given)
    show(page(runs), page_of_layers(runs))
    write(given.out / "cnn.json", {"epochs": given.epochs, "fixed": FIXED, "alpha gamma": DECAY, "tried": tried, "runs": runs})
    draw(runs, given.out / "cnn.png")


def draw(runs, path):
    """Means over seeds of training losses and validation errors, against epochs and seconds, as in the thesis' figures."""
    columns = {"epoch": ("epoch", 1), "seconds in steps": ("seconds", 1), "training loss": ("losses", 1),
               "validation error, %": ("errors", 100)}
    picture({name: mean_of(runs, name, columns) for name in dict.fromkeys(run["set"] for run in runs)},
            [(x, y) for y in ("training loss", "validation error, %") for x in ("epoch", "seconds in steps")], path)


if __name__ == "__main__":
    main()
