"""SMW-GN, SMW-NG, SMW-NG-BD, K-FAC, Hessian-free and SGD on three classification problems, after R Section 5.8.

    python examples/gauss_newton.py [--epochs 40] [--sets one two parity] [--out examples/results] [--jobs 2]
    python examples/gauss_newton.py --show examples/results/gauss_newton.json

Real images of digits with 64 pixels in place of MNIST, CIFAR-10 and webspam; logistic nets; λ_LM, boost, drop, ε and τ as printed.
Writes gauss_newton.json and gauss_newton.png (the plot needs matplotlib, extra `plot`).
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

NETS = {
    "one": ((64, 50, 10), "softmax_ce", 60, 30),
    "two": ((64, 40, 40, 10), "softmax_ce", 100, 50),
    "parity": ((64, 40, 40, 1), "bce", 60, 30),
}
"""Widths, loss, N₁ and N₂: one hidden layer as for MNIST, two as for CIFAR-10 and webspam, whose problem has two classes."""

RATES = {
    "one": dict.fromkeys(("smw_gn", "smw_ng", "smw_ng_bd", "hessian_free", "kfac20"), (0.1,)) | {"sgd_m": (0.01, 0.05, 0.1, 0.5)},
    "two": dict.fromkeys(("smw_gn", "smw_ng", "smw_ng_bd", "hessian_free", "kfac20", "sgd_m"), (0.01,)),
    "parity": dict.fromkeys(("smw_gn", "smw_ng", "smw_ng_bd", "hessian_free", "kfac20", "sgd_m"), (0.05, 0.1, 0.4)),
}
"""Learning rates as in the thesis: tuned for SGD alone and taken over by the others; one for all; tuned for each."""

CHOICES = {"sgd_m": {"beta": (0.0,)}, "kfac20": {"lam": (0.01, 0.1, 1.0)}}
"""SGD has no momentum; K-FAC is R Algorithm 7, whose damping the thesis does not say, with its momentum of 0.9."""


def problem(name):
    """(training inputs, targets, test inputs, labels): 1440 and 357 digits, pixels of mean 0 and variance 1."""
    images, labels = digits()
    order = np.random.default_rng(50).permutation(len(labels))
    images, labels = images[order], labels[order]
    deviation = images[:1440].std(axis=0)
    x = (images - images[:1440].mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    y = labels % 2 if name == "parity" else labels
    targets = y[:1440, None].astype(np.float64) if name == "parity" else y[:1440]
    return x[:1440], targets, x[1440:], y[1440:]


def error(model, params, x, labels):
    """The share of test images that are put into a wrong class."""
    output = nets.forward(model, params, x).output
    return float(np.mean((output[:, 0] > 0 if model.loss == "bce" else output.argmax(axis=1)) != labels))


@np.errstate(all="ignore")
def train(job):
    """One run: training loss and test error after every epoch, seconds spent in steps; inf once a method refuses to go on."""
    name, method, choice, epochs = job
    widths, loss, N_1, N_2 = NETS[name]
    model = nets.mlp(widths, ("logistic",) * (len(widths) - 2) + ("linear",), loss)
    x, y, x_test, labels = problem(name)
    x, y, x_test, params = cast((x, y, x_test, nets.init(model, seed=1)), "float32")
    rng, module = np.random.default_rng(2), METHODS[method]
    hyper = module.Hyper(**choice)

    def loss_of(params):
        return float(nets.mean_loss(model, nets.forward(model, params, x).output, y))

    losses, errors, seconds, spent = [loss_of(params)], [error(model, params, x_test, labels)], [0.0], 0.0
    try:
        whole = nets.forward(model, params, x)
        state = module.init(model, params, nets.Batch(x, y, nets.sample_targets(model, whole.output, rng)), hyper)
        for _ in range(epochs):
            for rows in rng.permutation(len(x))[: len(x) // N_1 * N_1].reshape(-1, N_1):
                start = time.perf_counter()
                tape = nets.forward(model, params, x[rows])
                y_sampled = nets.sample_targets(model, tape.output, rng) if method == "kfac20" else None
                batch = nets.Batch(x[rows], y[rows], y_sampled, np.arange(N_2))
                params, state, _ = module.step(model, params, state, batch, hyper, tape=tape)
                spent += time.perf_counter() - start
            losses.append(loss_of(params))
            errors.append(error(model, params, x_test, labels))
            seconds.append(spent)
    except (ValueError, ArithmeticError, FloatingPointError):
        losses.append(float("inf"))
        errors.append(1.0)
        seconds.append(spent)
    return name, method, choice, losses, errors, seconds


def jobs_of(names, epochs):
    """Every run: a learning rate and what else there is to choose."""
    for name in names:
        for method, rates in RATES[name].items():
            grid = {"alpha": rates} | CHOICES.get(method, {})
            for values in product(*grid.values()):
                yield name, method, dict(zip(grid, values, strict=True)), epochs


def plot(chosen, path):
    """Training loss against epochs and seconds, test error against epochs: one column a problem."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(run[0] for run in chosen))
    figure, axes = pyplot.subplots(3, len(names), figsize=(4.5 * len(names), 10), squeeze=False)
    for column, name in enumerate(names):
        for _, method, choice, losses, errors, seconds in [run for run in chosen if run[0] == name]:
            axes[0, column].plot(losses, label=f"{method} ({choice['alpha']:g})")
            axes[1, column].plot(seconds, losses)
            axes[2, column].plot([100 * value for value in errors])
        axes[0, column].set(title=" × ".join(map(str, NETS[name][0])), xlabel="epoch", ylabel="training loss", yscale="log")
        axes[1, column].set(xlabel="seconds in steps", ylabel="training loss", yscale="log", xscale="log")
        axes[2, column].set(xlabel="epoch", ylabel="test error, %", yscale="log")
        axes[0, column].legend(fontsize=7, title="method (learning rate)", title_fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def page(runs):
    """The table of the runs that were chosen."""
    table = Table("problem", "method", "learning rate", "training loss", "test error %", "seconds", box=None)
    for run in sorted(runs, key=lambda run: (list(NETS).index(run["set"]), run["losses"][-1])):
        table.add_row(run["set"], run["method"], f"{run['hyper']['alpha']:g}", f"{run['losses'][-1]:.4f}",
                      f"{100 * run['errors'][-1]:.1f}", f"{run['seconds'][-1]:.1f}")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--sets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--show", type=Path, help="print the table of such a JSON file and run nothing")
    options = parser.parse_args()
    if options.show:
        Console(width=100).print(page(json.loads(options.show.read_text())["runs"]))
        return
    jobs = list(jobs_of(options.sets, options.epochs))
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(train, job) for job in jobs]
        runs = [future.result() for future in progress(futures, f"{len(jobs)} runs")]
    chosen = [min((run for run in runs if run[:2] == (name, method)), key=lambda run: run[3][-1])
              for name in options.sets for method in RATES[name]]

    shown = [{"set": name, "method": method, "hyper": choice, "losses": [round(value, 5) for value in losses],
              "errors": [round(value, 5) for value in errors], "seconds": [round(value, 3) for value in seconds]}
             for name, method, choice, losses, errors, seconds in chosen]
    Console(width=100).print(page(shown))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "gauss_newton.json").write_text(json.dumps(
        {"epochs": options.epochs, "nets": NETS, "rates": RATES, "choices": CHOICES, "runs": shown}, indent=1) + "\n")
    plot(chosen, options.out / "gauss_newton.png")


if __name__ == "__main__":
    main()
