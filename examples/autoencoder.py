"""Six optimizers on three small autoencoders, after R Section 2.8: training loss against epochs and seconds.

    python examples/autoencoder.py [--epochs 30] [--sets digits faces curves] [--out examples/results] [--jobs 2]
    python examples/autoencoder.py --show examples/results/autoencoder.json

Every method runs on the grid below; the run with the lowest training loss at the end of an epoch is shown, as in the thesis.
Writes autoencoder.json and autoencoder.png. The faces come from scikit-image, the plot from matplotlib (extra `plot`).
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
    "kbfgs20": {"alpha": (0.01, 0.03, 0.1, 0.3), "lam": (0.003, 0.01, 0.03, 0.1, 0.3)},
    "kbfgs20_l": {"alpha": (0.01, 0.03, 0.1, 0.3), "lam": (0.003, 0.01, 0.03, 0.1, 0.3)},
    "kfac20": {"alpha": (0.03, 0.1, 0.3), "lam": (0.001, 0.003, 0.03, 0.3, 3.0)},
    "adam": {"alpha": (1e-3, 3e-3, 1e-2, 3e-2), "eps": (1e-8, 1e-4, 1e-2), "beta2": (0.9,)},
    "rmsprop": {"alpha": (1e-3, 3e-3, 1e-2, 3e-2), "eps": (1e-8, 1e-4, 1e-2)},
    "sgd_m": {"alpha": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)},
}
"""Learning rate and damping: a part of the grids of R Section 2.8.2 that the sizes here leave worth trying."""

NETS = {
    "digits": ((64, 100, 50, 25, 6, 25, 50, 100, 64), "bce", 200),
    "faces": ((625, 200, 100, 50, 10, 50, 100, 200, 625), "mse", 50),
    "curves": ((400, 200, 100, 50, 6, 50, 100, 200, 400), "bce", 200),
}
"""Widths (the thesis' shapes, scaled down), loss, batch size."""

ETA = 1e-5
"""Weight of η/2 ‖θ‖² (R Section 2.8.2); the loss that is shown leaves it out."""


def images(name):
    """The images of a set, (N, pixels) in [0, 1]."""
    if name == "digits":
        return digits()[0]
    if name == "faces":
        from skimage.data import lfw_subset
        return lfw_subset().reshape(200, 625).astype(np.float64)[:100]        # the first half are faces, the second are not
    return curves(1000, 20)


def curves(count, size):
    """Images (count, size²) of smooth curves: cubic Bézier curves of random control points, drawn with a soft pen."""
    rng = np.random.default_rng(20)
    t = np.linspace(0, 1, 60)[:, None]
    weights = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1).reshape(-1, 1, 2)
    drawn = []
    for _ in range(count):
        points = weights @ rng.uniform(2, size - 3, (4, 2))
        distance = ((grid - points) ** 2).sum(-1).min(1)
        drawn.append(np.exp(-distance))
    return np.array(drawn)


@np.errstate(all="ignore")
def train(job):
    """One run: training loss after every epoch, and seconds spent in steps; inf once a method refuses to go on."""
    name, method, choice, epochs = job
    widths, loss, size = NETS[name]
    model = nets.mlp(widths, ("relu", "relu", "relu", "linear", "relu", "relu", "relu", "linear"), loss)
    x, params = cast((images(name), nets.init(model, seed=1)), "float32")
    rng = np.random.default_rng(2)
    module = METHODS[method]
    hyper = module.Hyper(eta=ETA, **choice)
    losses, seconds, spent = [mean_loss(model, params, x)], [0.0], 0.0
    try:
        whole = nets.forward(model, params, x)
        state = module.init(model, params, nets.Batch(x, x, nets.sample_targets(model, whole.output, rng)), hyper)
        for _ in range(epochs):
            for rows in rng.permutation(len(x))[: len(x) // size * size].reshape(-1, size):
                start = time.perf_counter()
                tape = nets.forward(model, params, x[rows])
                y_sampled = nets.sample_targets(model, tape.output, rng) if method == "kfac20" else None
                params, state, _ = module.step(model, params, state, nets.Batch(x[rows], x[rows], y_sampled), hyper, tape=tape)
                spent += time.perf_counter() - start
            losses.append(mean_loss(model, params, x))
            seconds.append(spent)
    except (ValueError, ArithmeticError, FloatingPointError):
        losses.append(float("inf"))
        seconds.append(spent)
    return name, method, choice, losses, seconds


def mean_loss(model, params, x):
    """The mean loss over all of x."""
    return float(nets.LOSSES[model.loss].value(nets.forward(model, params, x).output, x).mean())


def best(runs):
    """The run with the lowest loss at the end of any epoch."""
    return min(runs, key=lambda run: min(run[3]))


def plot(chosen, path):
    """Loss above the lowest of all against epochs (above) and seconds (below), one column a set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sets = list(dict.fromkeys(name for name, _ in chosen))
    figure, axes = pyplot.subplots(2, len(sets), figsize=(4.5 * len(sets), 7), squeeze=False)
    for column, name in enumerate(sets):
        for method in GRID:
            _, _, choice, losses, seconds = chosen[name, method]
            label = f"{method} ({', '.join(f'{value:g}' for value in list(choice.values())[:2])})"
            axes[0, column].plot(losses, label=label)
            axes[1, column].plot(seconds, losses)
        axes[0, column].set(title=name, xlabel="epoch", ylabel="training loss", yscale="log")
        axes[1, column].set(xlabel="seconds in steps", ylabel="training loss", yscale="log")
        axes[0, column].legend(fontsize=7, title="method (learning rate, damping)", title_fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def page(runs):
    """The table of the runs that were chosen."""
    table = Table("set", "method", "learning rate, damping", "lowest training loss", "seconds", box=None)
    for run in sorted(runs, key=lambda run: (list(NETS).index(run["set"]), min(run["losses"]))):
        table.add_row(run["set"], run["method"], ", ".join(f"{value:g}" for value in list(run["hyper"].values())[:2]),
                      f"{min(run['losses']):.4g}", f"{run['seconds']:.1f}")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--sets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--show", type=Path, help="print the table of such a JSON file and run nothing")
    options = parser.parse_args()
    if options.show:
        Console(width=100).print(page(json.loads(options.show.read_text())["runs"]))
        return
    jobs = [(name, method, dict(zip(grid, values, strict=True)), options.epochs)
            for name in options.sets for method, grid in GRID.items() for values in product(*grid.values())]
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(train, job) for job in jobs]
        runs = [future.result() for future in progress(futures, f"{len(jobs)} runs")]
    chosen = {(name, method): best([run for run in runs if run[:2] == (name, method)])
              for name in options.sets for method in GRID}

    runs = [{"set": name, "method": method, "hyper": choice, "losses": [round(value, 5) for value in losses],
             "seconds": round(seconds[-1], 2)} for (name, method), (_, _, choice, losses, seconds) in chosen.items()]
    Console(width=100).print(page(runs))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "autoencoder.json").write_text(json.dumps(
        {"epochs": options.epochs, "grid": GRID, "nets": NETS, "eta": ETA, "runs": runs}, indent=1) + "\n")
    plot(chosen, options.out / "autoencoder.png")


if __name__ == "__main__":
    main()
