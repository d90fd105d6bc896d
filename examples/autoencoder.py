"""Six optimizers on three small autoencoders, after R Section 2.8: training loss against epochs and seconds.

    python examples/autoencoder.py [--epochs 30] [--sets digits faces curves] [--out examples/results] [--jobs 2] [--quick]
    python examples/autoencoder.py --show examples/results/autoencoder.json

Every method runs on the grid below; the run with the lowest training loss at the end of an epoch is shown, as in the thesis.
Writes autoencoder.json and autoencoder.png. The faces come from scikit-image, the plot from matplotlib (extra `plot`).
"""

import json

from experiment import (AUTOENCODERS, autoencoder, choices, descend, in_parallel, mean_loss, numbers, options, picture, show, table,
                        write)
from stepgauge.reference import METHODS

GRID = {
    "kbfgs20": {"alpha": (0.01, 0.03, 0.1, 0.3), "lam": (0.003, 0.01, 0.03, 0.1, 0.3)},
    "kbfgs20_l": {"alpha": (0.01, 0.03, 0.1, 0.3), "lam": (0.003, 0.01, 0.03, 0.1, 0.3)},
    "kfac20": {"alpha": (0.03, 0.1, 0.3), "lam": (0.001, 0.003, 0.03, 0.3, 3.0)},
    "adam": {"alpha": (1e-3, 3e-3, 1e-2, 3e-2), "eps": (1e-8, 1e-4, 1e-2), "beta2": (0.9,)},
    "rmsprop": {"alpha": (1e-3, 3e-3, 1e-2, 3e-2), "eps": (1e-8, 1e-4, 1e-2)},
    "sgd_m": {"alpha": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)},
}
"""Learning rate and damping: a part of the grids of R Section 2.8.2 that the sizes here leave worth trying."""

ETA = 1e-5
"""Weight of η/2 ‖θ‖² (R Section 2.8.2); the loss that is shown leaves it out."""


def train(name, method, choice, epochs):
    """One run: training loss after every epoch, seconds spent in steps until then ("spent") and in all ("seconds")."""
    problem = autoencoder(name)
    hyper = METHODS[method].Hyper(eta=ETA, **choice)
    rows = descend(problem, method, hyper, lambda params: (mean_loss(problem, params),), epochs=epochs)
    _, seconds, losses = zip(*rows, strict=True)
    return {"set": name, "method": method, "hyper": choice, "losses": [round(loss, 5) for loss in losses],
            "seconds": round(seconds[-1], 2), "spent": seconds}


def page(runs):
    """The table of the runs that were chosen."""
    rows = table("set", "method", "learning rate, damping", "lowest training loss", "seconds")
    for run in sorted(runs, key=lambda run: (list(AUTOENCODERS).index(run["set"]), min(run["losses"]))):
        rows.add_row(run["set"], run["method"], numbers(list(run["hyper"].values())[:2]), f"{min(run['losses']):.4g}",
                     f"{run['seconds']:.1f}")
    return rows


def main():
    given = options(__doc__, 30, list(AUTOENCODERS))
    if given.show:
        show(page(json.loads(given.show.read_text())["runs"]))
        return
    jobs = [(name, method, choice, given.epochs)
            for name in given.sets for method, grid in GRID.items() for choice in choices(grid, given.quick)]
    found = in_parallel(train, jobs, given.jobs)
    runs = [min((run for run in found if (run["set"], run["method"]) == (name, method)), key=lambda run: min(run["losses"]))
            for name in given.sets for method in GRID]
    lines = {name: {f"{run['method']} ({numbers(list(run['hyper'].values())[:2])})":
                    {"epoch": range(len(run["losses"])), "seconds in steps": run.pop("spent"), "training loss": run["losses"]}
                    for run in runs if run["set"] == name} for name in given.sets}
    show(page(runs))
    write(given.out / "autoencoder.json", {"epochs": given.epochs, "grid": GRID, "nets": AUTOENCODERS, "eta": ETA, "runs": runs})
    picture(lines, [("epoch", "training loss"), ("seconds in steps", "training loss")], given.out / "autoencoder.png")


if __name__ == "__main__":
    main()
