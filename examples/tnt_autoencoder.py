"""TNT, K-FAC, Shampoo and first-order methods on a small autoencoder, after R Figures 4.2 and 4.4: loss against epochs and seconds.

    python examples/tnt_autoencoder.py [--epochs 20] [--out examples/results] [--jobs 2]
    python examples/tnt_autoencoder.py --show examples/results/tnt_autoencoder.json

Every method runs on the grid below; the run with the lowest training loss at the end of an epoch is shown, as in the thesis.
Writes tnt_autoencoder.json and tnt_autoencoder.png (extra `plot`).
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.verify.data import digits
from stepgauge.verify.progress import progress

GRID = {
    "tnt": {"alpha": (3e-6, 1e-5, 3e-5, 1e-4, 3e-4), "eps": (0.003, 0.01, 0.03, 0.1), "T_2": (20,)},
    "tnt_ef": {"alpha": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), "eps": (0.03, 0.1, 0.3, 1.0), "T_2": (20,)},
    "kfac": {"alpha": (0.003, 0.01, 0.03, 0.1), "lam": (0.01, 0.03, 0.1, 0.3), "T_2": (20,)},
    "kfac_ef": {"alpha": (0.01, 0.03, 0.1, 0.3), "lam": (0.1, 1.0, 10.0, 100.0), "T_2": (20,)},
    "shampoo": {"alpha": (1e-3, 3e-3, 1e-2, 3e-2), "eps": (1e-2, 1e-1, 1.0, 10.0), "T_2": (20,)},
    "adam": {"alpha": (1e-3, 3e-3, 1e-2, 3e-2), "eps": (1e-8, 1e-4, 1e-2)},
    "sgd_m": {"alpha": (0.001, 0.003, 0.01, 0.03, 0.1), "momentum": ("heavy_ball",)},
}
"""Learning rate and damping: parts of the grids of R Section 4.7.2 that the sizes here leave worth trying. A method of METHODS
joins by its line here."""

SAMPLING = ("tnt", "kfac")
"""The methods that draw targets."""

WIDTHS, LOSS, BATCH = (64, 100, 50, 25, 6, 25, 50, 100, 64), "bce", 200
"""The thesis' shape, scaled down; its batch is 1000 of 60,000."""


@np.errstate(all="ignore")
def train(job):
    """One run: training loss after every epoch, and seconds spent in steps; inf once a method refuses to go on."""
    method, choice, epochs = job
    model = nets.mlp(WIDTHS, ("relu", "relu", "relu", "linear", "relu", "relu", "relu", "linear"), LOSS)
    x, params = cast((digits()[0], nets.init(model, seed=1)), "float32")
    rng, module = np.random.default_rng(2), METHODS[method]
    hyper = module.Hyper(**choice)
    losses, seconds, spent = [mean_loss(model, params, x)], [0.0], 0.0

    def batch(rows, tape):
        return nets.Batch(x[rows], x[rows], nets.sample_targets(model, tape.output, rng) if method in SAMPLING else None)

    def parts():
        return rng.permutation(len(x))[: len(x) // BATCH * BATCH].reshape(-1, BATCH)

    try:
        state = module.init(model, params, [batch(rows, nets.forward(model, params, x[rows])) for rows in parts()], hyper)
        for _ in range(epochs):
            for rows in parts():
                start = time.perf_counter()
                tape = nets.forward(model, params, x[rows])
                params, state, _ = module.step(model, params, state, batch(rows, tape), hyper, tape=tape)
                spent += time.perf_counter() - start
            losses.append(mean_loss(model, params, x))
            seconds.append(spent)
    except (ValueError, ArithmeticError, FloatingPointError):
        losses.append(float("inf"))
        seconds.append(spent)
    return method, choice, losses, seconds


def mean_loss(model, params, x):
    """The mean loss over all of x."""
    return float(nets.LOSSES[model.loss].value(nets.forward(model, params, x).output, x).mean())


def named(choice):
    """Learning rate and damping, as the table shows them."""
    return ", ".join(f"{value:g}" for name, value in choice.items() if name in ("alpha", "eps", "lam"))


def plot(runs, path):
    """Training loss against epochs and against seconds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4))
    for run in runs:
        axes[0].plot(run["losses"], label=f"{run['method']} ({named(run['hyper'])})")
        axes[1].plot(run["times"], run["losses"])
    axes[0].set(xlabel="epoch", ylabel="training loss", yscale="log")
    axes[1].set(xlabel="seconds in steps", yscale="log")
    axes[0].legend(fontsize=7, title="method (learning rate, damping)", title_fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def page(runs):
    """The table of the runs that were chosen."""
    table = Table("method", "learning rate, damping", "lowest training loss", "at an edge of the grid", "seconds", box=None)
    for run in sorted(runs, key=lambda run: min(run["losses"])):
        edges = [name for name, values in GRID[run["method"]].items() if len(values) > 1 and run["hyper"][name] in
                 (values[0], values[-1])]
        table.add_row(run["method"], named(run["hyper"]), f"{min(run['losses']):.4g}", ", ".join(edges), f"{run['times'][-1]:.1f}")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--show", type=Path, help="print the table of such a JSON file and run nothing")
    options = parser.parse_args()
    if options.show:
        Console(width=100).print(page(json.loads(options.show.read_text())["runs"]))
        return
    jobs = [(method, dict(zip(grid, values, strict=True)), options.epochs)
            for method, grid in GRID.items() for values in product(*grid.values())]
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(train, job) for job in jobs]
        found = [future.result() for future in progress(futures, f"{len(jobs)} runs")]
    runs = []
    for method in GRID:
        _, choice, losses, seconds = min((run for run in found if run[0] == method), key=lambda run: min(run[2]))
        runs.append({"method": method, "hyper": choice, "losses": [round(loss, 5) for loss in losses],
                     "times": [round(second, 3) for second in seconds]})
    Console(width=100).print(page(runs))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "tnt_autoencoder.json").write_text(json.dumps(
        {"epochs": options.epochs, "grid": GRID, "widths": WIDTHS, "batch": BATCH, "runs": runs}, indent=1) + "\n")
    plot(runs, options.out / "tnt_autoencoder.png")


if __name__ == "__main__":
    main()
