"""What the experiments share: small images, one run, the grid, the choice, the table, JSON and pictures.

A run is a list of rows (epoch, seconds, …): what was measured after so many epochs and so many seconds of processor time in steps.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import re
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.verify.data import digits
from stepgauge.verify.progress import progress


class Problem(NamedTuple):
    """A net, training images and targets in float32, and how many of them a batch has."""

    model: nets.Model
    x: Any
    y: Any
    size: int


AUTOENCODERS = {
    "digits": ((64, 100, 50, 25, 6, 25, 50, 100, 64), "bce", 200),
    "faces": ((625, 200, 100, 50, 10, 50, 100, 200, 625), "mse", 50),
    "curves": ((400, 200, 100, 50, 6, 50, 100, 200, 400), "bce", 200),
}
"""Widths (the thesis' shapes, scaled down), loss, batch size."""


@cache
def autoencoder(name):
    """The autoencoder of a set: every layer has a relu, but for the middle one and the last (R Tables 2.4, 3.6)."""
    widths, loss, size = AUTOENCODERS[name]
    sets = {"digits": lambda: digits()[0], "faces": lambda: faces()[0].reshape(200, 625)[:100], "curves": lambda: curves(1000, 20)}
    x = cast(sets[name](), "float32")
    return Problem(nets.mlp(widths, ("relu", "relu", "relu", "linear", "relu", "relu", "relu", "linear"), loss), x, x, size)


def faces():
    """200 grey images (200, 25, 25) in [0, 1], of which the first 100 are faces, labelled 1, and the others are not."""
    from skimage.data import lfw_subset

    return lfw_subset().astype(np.float64), np.repeat([1, 0], 100)


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
def descend(problem, method, hyper, measure, *, epochs, seed=1, at=None, watch=None):
    """The rows (epoch, seconds, *measure(params)) of one run, after the epochs in `at` (all, and 0, if None).

    Takes    seed: of the parameters; order and sampled targets have the next one. watch: called with the trace of every step.
    Returns  rows that end early where a method refuses to go on.
    """
    model, x, y, size = problem
    module = METHODS[method]
    params = cast(nets.init(model, seed), "float32")
    rng = np.random.default_rng(seed + 1)
    at = range(epochs + 1) if at is None else at
    rows, spent = [], 0.0

    def record(epoch):
        if epoch in at:
            rows.append((epoch, spent, *measure(params)))

    record(0)
    try:
        whole = nets.forward(model, params, x)
        state = module.init(model, params, nets.Batch(x, y, nets.sample_targets(model, whole.output, rng)), hyper)
        for epoch in range(1, epochs + 1):
            for i in rng.permutation(len(x))[: len(x) // size * size].reshape(-1, size):
                start = time.process_time()
                tape = nets.forward(model, params, x[i])
                y_sampled = nets.sample_targets(model, tape.output, rng) if method.startswith("kfac") else None
                params, state, trace = module.step(model, params, state, nets.Batch(x[i], y[i], y_sampled), hyper, tape=tape)
                spent += time.process_time() - start
                if watch:
                    watch(trace)
            record(epoch)
    except (ValueError, ArithmeticError):
        pass
    return rows


def mean_loss(problem, params, stats=()):
    """The mean loss over all training examples."""
    return float(nets.mean_loss(problem.model, nets.forward(problem.model, params, problem.x, stats).output, problem.y))


def options(doc, epochs, names):
    """The command line of an experiment on problems with these names."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--sets", nargs="+", choices=names, default=names)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="one epoch of the first choice of every grid: to see that it runs")
    parser.add_argument("--show", type=Path, help="print the table of such a JSON file and run nothing")
    given = parser.parse_args()
    return argparse.Namespace(**vars(given) | {"epochs": 1}) if given.quick else given


def choices(grid, quick):
    """The points of a grid {name: values}, or of a list of such grids, as dicts; the first point alone if `quick`."""
    grids = [grid] if isinstance(grid, dict) else grid
    return [dict(zip(grid, values, strict=True)) for grid in grids for values in product(*grid.values())][: 1 if quick else None]


def in_parallel(function, jobs, workers):
    """[function(*job) for job in jobs], by several processes."""
    with ProcessPoolExecutor(workers) as pool:
        futures = [pool.submit(function, *job) for job in jobs]
        return [future.result() for future in progress(futures, f"{len(jobs)} runs")]


def search(trial, train, worth, grids, seeds, given, finalists=1):
    """Every choice once, with the first seed; then the best few for each problem and method with every seed, and the best of these.

    Takes    grids: {(problem, method): choices}; trial, train: functions of (problem, method, choice, epochs, seed), of which the
             first gives a tuple that is to be low, and the second a dict, of which the number `worth` is to be low in the mean.
    Returns  what was chosen, with its dicts as "seeds", and what was tried, with its "value"; None where it diverged.
    """
    seeds = seeds[:1] if given.quick else seeds
    jobs = [(*pair, choice, given.epochs) for pair, grid in grids.items() for choice in grid]
    values = in_parallel(trial, [(*job, seeds[0]) for job in jobs], given.jobs)
    ranked = sorted(zip(values, jobs, strict=True), key=lambda tried: tried[0])
    best = [job for pair in grids for job in [job for _, job in ranked if job[:2] == pair][:finalists]]
    again = iter(in_parallel(train, [(*job, seed) for job in best for seed in seeds], given.jobs))
    last = [{"set": name, "method": method, "hyper": choice, "seeds": [next(again) for _ in seeds]}
            for name, method, choice, _ in best]
    runs = [min((run for run in last if (run["set"], run["method"]) == pair), key=lambda run: sum(map(worth, run["seeds"])))
            for pair in grids]
    tried = [{"set": name, "method": method, **choice, "value": value[0] if np.isfinite(value[0]) else None}
             for (name, method, choice, _), value in zip(jobs, values, strict=True)]
    return runs, tried


def mean_of(runs, name, columns):
    """{label: {name on an axis: means over seeds}} for one column of `picture`, from what `search` chose.

    Takes    columns: {name on an axis: (name in the JSON file, factor)}.
    """
    lines = {}
    for run in (run for run in runs if run["set"] == name):
        length = min(len(one["epoch"]) for one in run["seeds"])
        lines[f"{run['method']} ({numbers(run['hyper'].values())})"] = {
            axis: factor * np.mean([one[key][:length] for one in run["seeds"]], axis=0) for axis, (key, factor) in columns.items()}
    return lines


def numbers(values):
    """Numbers as a table shows them."""
    return ", ".join(f"{value:g}" for value in values)


def spread(values, digits=4):
    """Mean ± standard deviation / √count, as in the thesis' figures."""
    mean, error = np.mean(values), np.std(values) / np.sqrt(len(values))
    return f"{mean:.{digits}g} ± {error:.2g}"


def table(*columns):
    """A table without a frame."""
    return Table(*columns, box=None)


def show(*tables):
    """Print tables, as wide as the pages are, with an empty line between them."""
    Console(width=100).print(*[part for page in tables for part in ("", page)][1:], sep="\n")


def write(path, content):
    """JSON, with one line for every innermost list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, allow_nan=False)
    path.write_text(re.sub(r"\[[^][{}]*\]", lambda found: " ".join(found[0].split()), text) + "\n")


def picture(lines, rows, path):
    """One column a problem, one row a pair (x, y) of names; one line a method.

    Takes    lines: {problem: {label: {name: values}}}. Says so, and draws nothing, where matplotlib is missing.
    """
    if find_spec("matplotlib") is None:
        print(f"matplotlib is not installed (extra `plot`): {path.name} was not drawn.")
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogFormatter

    figure, axes = pyplot.subplots(len(rows), len(lines), figsize=(4.5 * len(lines), 3.5 * len(rows)), squeeze=False)
    for column, (name, by_label) in enumerate(lines.items()):
        for row, (x, y) in enumerate(rows):
            for label, values in by_label.items():
                axes[row, column].plot(values[x], values[y], label=label)
            axes[row, column].set(xlabel=x, ylabel=y, yscale="log")
            axes[row, column].xaxis.get_major_locator().set_params(integer=x == "epoch")
            axes[row, column].yaxis.set_major_formatter(LogFormatter())
            axes[row, column].yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
        axes[0, column].set(title=name)
        axes[0, column].legend(fontsize=7, title="method (learning rate, damping)", title_fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
