"""How close directions come to that of the block Fisher method, along its own trajectory: R Figure 4.1 in miniature.

    python examples/direction_quality.py [--steps 20] [--out examples/results]
    python examples/direction_quality.py --show examples/results/direction_quality.json

A 256-20-20-20-20-10 net of tanh units learns digits of 16 × 16 pixels. All methods see the same batches at the same points, those
that the block Fisher method reaches; none of their own steps is taken. For every method a few dampings run side by side, and the
one with the highest mean cosine is shown. Writes direction_quality.json and direction_quality.png (extra `plot`).
"""

import argparse
import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.reference.parts.kronecker import joined
from stepgauge.verify.data import digits
from stepgauge.verify.progress import progress

WIDTHS = (256, 20, 20, 20, 20, 10)
LAYERS = (1, 2, 3, 4)
"""The thesis shows "the middle four layers" of this net, which has five; here all but the first, whose block is 5140 × 5140."""

BATCH = 300
BLOCK_FISHER = {"alpha": 0.05, "eps": 0.001}
"""The thesis gives neither; learning rate and damping of the trajectory."""

METHODS_SHOWN = {
    "tnt": [{"eps": eps, "T_2": 1} for eps in (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)],
    "kfac": [{"lam": lam, "T_1": 1, "T_2": 1} for lam in (0.0001, 0.001, 0.01, 0.1, 1.0)],
    "shampoo": [{"eps": eps, "T_2": 1} for eps in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)],
    "adam": [{"beta2": 0.9, "eps": eps} for eps in (1e-8, 1e-4, 1e-2)],
    "sgd_m": [{}],
}
"""Dampings tried; all averages have decay 0.9 (R Section 4.3.4)."""


def images():
    """The 1797 digits as (N, 256), from 8 × 8 to 16 × 16 pixels by linear interpolation along both axes; and their labels."""
    small, labels = digits()
    at = np.linspace(0, 7, 16)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(8)))
    large = weights @ small.reshape(-1, 8, 8) @ weights.T
    return large.reshape(-1, 256), labels


def direction(trace):
    """A step's direction by layer, as W̄ (d_out, d_in + 1), bias last."""
    p = getattr(trace, "p", None) or trace.g_h
    return p if len(p) == len(WIDTHS) - 1 else joined(nets.layers(p))


def cosine(a, b):
    """The cosine of the angle between two arrays."""
    a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def follow(steps):
    """Cosines by method, choice, layer and step, and the training loss along the trajectory."""
    rng = np.random.default_rng(1)
    model = nets.mlp(WIDTHS, ("tanh",) * 4 + ("linear",), "softmax_ce")
    x, labels = images()
    x, params = cast((x, nets.init(model, seed=2)), "float32")

    def batch(rows):
        drawn = nets.sample_targets(model, nets.forward(model, params, x[rows]).output, rng)
        return nets.Batch(x[rows], labels[rows], drawn)

    def parts():
        return np.split(rng.permutation(len(x))[:len(x) // BATCH * BATCH], len(x) // BATCH)

    data = [batch(rows) for rows in parts()]
    leader = METHODS["block_fisher"]
    hyper = leader.Hyper(**BLOCK_FISHER)
    state = leader.init(model, params, data, hyper)
    chosen = [(method, METHODS[method].Hyper(**choice)) for method, choices in METHODS_SHOWN.items() for choice in choices]
    states = [METHODS[method].init(model, params, data, own) for method, own in chosen]
    cosines = [[] for _ in chosen]
    losses, order = [], iter([rows for _ in range(steps) for rows in parts()])
    for _ in progress(range(steps), "steps"):
        now = batch(next(order))
        tape = nets.forward(model, params, now.x)
        losses.append(float(nets.backward(model, params, tape, now.y).loss))
        params_after, state, trace = leader.step(model, params, state, now, hyper, tape=tape)
        for i, (method, own) in enumerate(chosen):
            _, states[i], theirs = METHODS[method].step(model, params, states[i], now, own, tape=tape)
            p = direction(theirs)
            cosines[i].append([cosine(p[l], trace.p[l]) for l in LAYERS])
        params = params_after
    return chosen, np.array(cosines).transpose(0, 2, 1), losses


def best(runs):
    """By method, the run with the highest mean cosine over layers and steps."""
    found = {}
    for run in runs:
        if run["method"] not in found or run["mean"] > found[run["method"]]["mean"]:
            found[run["method"]] = run
    return found


def plot(runs, path):
    """Cosine against steps, one panel a layer."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(LAYERS), figsize=(4 * len(LAYERS), 3.6), sharey=True)
    for axis, panel, layer in zip(axes, range(len(LAYERS)), LAYERS, strict=True):
        for method, run in best(runs).items():
            axis.plot(run["cosines"][panel], label=f"{method} {run['choice']}")
        axis.set(title=f"layer {layer + 1}: {WIDTHS[layer]}-{WIDTHS[layer + 1]}", xlabel="step")
    axes[0].set(ylabel="cosine with the block Fisher direction", ylim=(-0.1, 1))
    axes[-1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def page(found):
    """The table of the runs that are shown, and of all the others by their mean."""
    table = Table("method", "damping", "mean cosine", "by layer", "lowest", "highest", "other dampings", box=None)
    shown = best(found["runs"])
    for method, run in sorted(shown.items(), key=lambda item: -item[1]["mean"]):
        cosines = np.array(run["cosines"])
        others = [other for other in found["runs"] if other["method"] == method and other is not run]
        table.add_row(method, run["choice"], f"{run['mean']:.2f}", " ".join(f"{c:.2f}" for c in cosines.mean(axis=1)),
                      f"{cosines.min():.2f}", f"{cosines.max():.2f}",
                      ", ".join(f"{other['choice']}: {other['mean']:.2f}" for other in others))
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--show", type=Path, help="print the table of such a JSON file and run nothing")
    options = parser.parse_args()
    if options.show:
        Console(width=130).print(page(json.loads(options.show.read_text())))
        return
    chosen, cosines, losses = follow(options.steps)
    runs = [{"method": method,
             "choice": next((f"{value:g}" for name, value in own._asdict().items() if name in ("lam", "eps")), ""),
             "mean": round(float(part.mean()), 4), "cosines": [[round(c, 4) for c in layer] for layer in part.tolist()]}
            for (method, own), part in zip(chosen, cosines, strict=True)]
    found = {"widths": WIDTHS, "batch": BATCH, "block_fisher": BLOCK_FISHER, "losses": [round(loss, 4) for loss in losses],
             "runs": runs}
    Console(width=130).print(page(found))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "direction_quality.json").write_text(json.dumps(found) + "\n")
    plot(runs, options.out / "direction_quality.png")


if __name__ == "__main__":
    main()
