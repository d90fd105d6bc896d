"""K-BFGS with its two improvements on or off, and K-BFGS-20, on three small autoencoders, after R Table 3.8.

    python examples/ablation.py [--epochs 20] [--sets digits faces curves] [--out examples/results] [--jobs 2] [--quick]
    python examples/ablation.py --show examples/results/ablation.json

Improvement #1 is the damping D_P D_LM, #2 the Hessian action of the mini-batch. Every variant runs on the grid below. The two
choices with the lowest training loss at the end of an epoch run again with every seed, since what trains with one may diverge with
another; means of the best of these are shown. Writes ablation.json and ablation.png. The faces come from scikit-image, the plot
from matplotlib (extra `plot`).
"""

import json

from experiment import (AUTOENCODERS, autoencoder, choices, descend, mean_loss, mean_of, numbers, options, picture, search, show,
                        spread, table, write)
import numpy as np
from stepgauge.reference import METHODS

VARIANTS = {
    "kbfgs": ("kbfgs", {}),
    "kbfgs (#1 off)": ("kbfgs", {"improvement1": False}),
    "kbfgs (#2 off)": ("kbfgs", {"improvement2": False}),
    "kbfgs (both off)": ("kbfgs", {"improvement1": False, "improvement2": False}),
    "kbfgs20": ("kbfgs20", {}),
}
"""Method and switches of each row of R Table 3.8, whose last row is two here: they are not the same method."""

LAM = (0.003, 0.03, 0.3)
GRID = {variant: {"alpha": (0.01, 0.03, 0.1, 0.3) if variant == "kbfgs20" else (0.001, 0.003, 0.01, 0.03), "lam": LAM}
        for variant in VARIANTS}
"""A part of the grid of R Section 3.7.2. K-BFGS-20 averages gradients with weight 1 − β = 1/10 where K-BFGS adds them up: its
rates are ten times larger for the same steps. Without #1 no λ > 1 is possible (DEV-KBFGS-3)."""

SEEDS = (1, 2, 3)


def train(name, variant, choice, epochs, seed):
    """Training losses and seconds of one run, epoch by epoch; no penalty (R Section 3.7.2)."""
    problem = autoencoder(name)
    method, switches = VARIANTS[variant]
    rows = descend(problem, method, METHODS[method].Hyper(**choice, **switches), lambda params: (mean_loss(problem, params),),
               epochs=epochs, seed=seed)
    return {"epoch": [row[0] for row in rows], "seconds": [round(row[1], 3) for row in rows],
            "losses": [round(row[2], 5) for row in rows]}


def lowest(found):
    """The lowest training loss at the end of an epoch."""
    return min(found["losses"])


def trial(*job):
    return (lowest(train(*job)),)


def page(runs):
    """The table of the runs that were chosen: in each, the lowest loss at the end of an epoch."""
    rows = table("set", "method", "learning rate, damping", "lowest training loss", "seconds")
    for run in runs:
        losses, seconds = [lowest(one) for one in run["seeds"]], [one["seconds"][-1] for one in run["seeds"]]
        rows.add_row(run["set"], run["method"], numbers(run["hyper"].values()), spread(losses), f"{np.mean(seconds):.1f}")
    return rows


def main():
    given = options(__doc__, 20, list(AUTOENCODERS))
    if given.show:
        show(page(json.loads(given.show.read_text())["runs"]))
        return
    grids = {(name, variant): choices(GRID[variant], given.quick) for name in given.sets for variant in VARIANTS}
    runs, tried = search(trial, train, lowest, grids, SEEDS, given, finalists=2)
    show(page(runs))
    write(given.out / "ablation.json", {"epochs": given.epochs, "nets": AUTOENCODERS, "tried": tried, "runs": runs})
    draw(runs, given.out / "ablation.png")


def draw(runs, path):
    """Means over seeds of training losses, against epochs and seconds."""
    columns = {"epoch": ("epoch", 1), "seconds in steps": ("seconds", 1), "training loss": ("losses", 1)}
    picture({name: mean_of(runs, name, columns) for name in dict.fromkeys(run["set"] for run in runs)},
            [("epoch", "training loss"), ("seconds in steps", "training loss")], path)


if __name__ == "__main__":
    main()
