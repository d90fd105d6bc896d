"""How the layers of a net interact, and one step size a tensor, after W Section 5 and Appendix G, on small nets and real small
images.

    python examples/interactions.py [--epochs 12] [--seeds 3] [--out examples/results] [--jobs 2]
    python examples/interactions.py --show examples/results/interactions.json

LeNet-5, a small VGG and a deep multilayer perceptron are trained by SGD with momentum; at the start and after every epoch H̄
along the full gradient, H̄⁻¹ and the step sizes of (2) are taken over all training images (W Figures 1 to 3, 5, 6). Then grouped
Newton, Adam and K-FAC train a perceptron, each with the choice of a small grid that is best on the first seed (Figure 4). Writes
interactions.json and three plots; the plots need matplotlib (extra `plot`).
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.nets import Act, Conv2d, Dense, Flatten, MaxPool, taylor
from stepgauge.reference import METHODS
from stepgauge.reference.parts import cubic
from stepgauge.verify.data import digits
from stepgauge.verify.progress import progress

TRAINING, BATCH = 1200, 60
CHUNKS, DEPTH, WIDTH = 5, 20, 24
NETS = {
    "LeNet-5": (nets.lenet5((1, 16, 16)), 0.1),
    "VGG": (nets.cnn((1, 16, 16), (
        Conv2d(6, 3), Act("elu"), MaxPool(2), Conv2d(8, 3), Act("elu"), MaxPool(2),
        Conv2d(12, 3), Act("elu"), Conv2d(12, 3), Act("elu"), MaxPool(2),
        Conv2d(16, 3), Act("elu"), Conv2d(16, 3), Act("elu"), MaxPool(2), Flatten(), Dense(10)), "softmax_ce"), 0.03),
    "deep MLP": (nets.cnn((1, 16, 16), (Flatten(), *[Dense(WIDTH), Act("elu")] * (DEPTH - 1), Dense(10)), "softmax_ce"), 0.01),
}
"""Nets on digits of twice their size, 16 × 16, with SGD's learning rate; the last two like W's VGG-11' and VBigMLP, much
smaller."""

GRID = {
    "grouped_newton": {"lam1": (0.1, 0.3, 1.0), "lam_int": (1.0, 10.0, 100.0)},
    "adam": {"alpha": (1e-3, 3e-3, 1e-2, 3e-2)},
    "kfac20": {"alpha": (0.03, 0.1, 0.3), "lam": (0.003, 0.03, 0.3)},
}
"""What W searches too: λ_1 and λ_int; the learning rate; learning rate and damping."""

FIXED = {"grouped_newton": {"mu_g": 0.9, "mu_eta": 0.5, "tau": 10, "p_sch": 1}, "adam": {}, "kfac20": {}}
MLP = nets.mlp((64, 50, 25, 10), ("tanh", "tanh", "linear"), "softmax_ce")


def images():
    """Training images (N, 1, 16, 16) and their labels, mean 0 and variance 1."""
    x, y = digits()
    x = ((x - x.mean()) / x.std()).reshape(-1, 1, 8, 8)[:TRAINING]
    return x.repeat(2, axis=2).repeat(2, axis=3), y[:TRAINING]


def partition_of(name, params):
    return taylor.by_depth_and_role(params, CHUNKS) if name == "deep MLP" else taylor.canonical(params)


def at(name, model, params, x, y):
    """H̄, its inverse, the step sizes of (2) with λ_int = 1, and the loss, along the gradient and all in full batch."""
    back = nets.backward(model, params, nets.forward(model, params, x), y)
    g_bar, H_bar, D3 = taylor.summaries(model, params, nets.Batch(x, y), back.grad, partition_of(name, params))
    eta = cubic.step_sizes(g_bar, H_bar, np.cbrt(np.abs(D3)), 1)
    return {"H": H_bar.tolist(), "H_inv": np.linalg.inv(H_bar).tolist(), "eta": eta.tolist(), "loss": float(back.loss)}


def watched(job):
    """One net under SGD with momentum: what `at` finds at the start and after every epoch."""
    name, epochs, _ = job
    model, alpha = NETS[name]
    x, y = images()
    rng, params = np.random.default_rng(3), nets.init(model, seed=1)
    sgd, hyper = METHODS["sgd_m"], METHODS["sgd_m"].Hyper(alpha=alpha, beta=0.9)
    state, seen = sgd.init(model, params, None, hyper), [at(name, model, params, x, y)]
    for _ in range(epochs):
        for rows in rng.permutation(TRAINING).reshape(-1, BATCH):
            params, state, _ = sgd.step(model, params, state, nets.Batch(x[rows], y[rows]), hyper)
        seen.append(at(name, model, params, x, y))
    return "watched", name, None, seen


@np.errstate(all="ignore")
def trained(job):
    """One training run of the perceptron: the loss over all images after every epoch, inf once a method refuses to go on."""
    method, choice, seed, epochs = job
    images, y = digits()
    x, y = ((images - images.mean()) / images.std())[:TRAINING], y[:TRAINING]
    x, params = cast((x, nets.init(MLP, seed=seed)), "float64")
    rng, code = np.random.default_rng(100 + seed), METHODS[method]
    hyper = code.Hyper(**FIXED[method], **choice)

    def loss():
        return float(nets.mean_loss(MLP, nets.forward(MLP, params, x).output, y))

    def batch(rows):
        sampled = nets.sample_targets(MLP, nets.forward(MLP, params, x[rows]).output, rng) if method == "kfac20" else None
        return nets.Batch(x[rows], y[rows], sampled)

    losses = [loss()]
    try:
        state = code.init(MLP, params, batch(np.arange(TRAINING)), hyper)
        for _ in range(epochs):
            for rows in rng.permutation(TRAINING).reshape(-1, BATCH):
                given = batch(rows)
                if method == "grouped_newton" and state.k % hyper.tau == 0:
                    other = rng.choice(TRAINING, BATCH * hyper.tau, replace=False)
                    given = given._replace(curvature=nets.Batch(x[other], y[other]))
                params, state, _ = code.step(MLP, params, state, given, hyper)
            losses.append(loss())
            if method == "grouped_newton":
                state = code.schedule(state, losses[-1], hyper)
    except (ValueError, ArithmeticError):
        losses.append(float("inf"))
    return "trained", method, (choice, seed), losses


def run(job):
    """What a worker does."""
    return watched(job[1:]) if job[0] == "watched" else trained(job[1:])


def relative(M):
    """|M_ij| / √|M_ii M_jj|: an interaction that no scale of a tensor changes."""
    M = np.abs(np.array(M))
    d = np.sqrt(np.diagonal(M))
    return M / d[:, None] / d[None, :]


def off_diagonal(M, least=1):
    """The mean relative interaction of entries that are at least `least` subsets apart."""
    R = relative(M)
    i, j = np.indices(R.shape)
    return float(R[abs(i - j) >= least].mean())


def facts(seen):
    """The quantities that W's sentences are about, at the start and at the end."""
    found = {}
    for when, place in (("start", 0), ("end", -1)):
        H, H_inv, eta = (np.array(seen[place][name]) for name in ("H", "H_inv", "eta"))
        found[when] = {"H off the diagonal": off_diagonal(H), "H_inv off the diagonal": off_diagonal(H_inv),
                       "H_WW": relative(H[::2, ::2]).tolist(), "H_WW far off": off_diagonal(H[::2, ::2], 2),
                       "H_inv_WW far off": off_diagonal(H_inv[::2, ::2], 2),
                       "eta_W": eta[::2].tolist(), "eta_b": eta[1::2].tolist(),
                       "loss": seen[place]["loss"], "negative eigenvalues": int((np.linalg.eigvalsh(H) < 0).sum())}
    return found


def best(results, method):
    """The choice whose loss on the first seed got lowest, and that run."""
    runs = [(min(losses), choice, losses) for _, name, (choice, _), losses in results if name == method]
    return min(runs, key=lambda run: run[0])[1:]


def plot(text, out):
    """Three figures, from what the JSON file has: interactions, step sizes, training."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    blocks = {"W–W": (slice(0, None, 2), slice(0, None, 2)), "b–b": (slice(1, None, 2), slice(1, None, 2)),
              "W–b": (slice(0, None, 2), slice(1, None, 2))}
    figure, axes = pyplot.subplots(3 * 2, 6, figsize=(12, 12), layout="constrained")
    for row, (name, seen) in enumerate(text["watched"].items()):
        for half, (title, key) in enumerate((("H̄", "H"), ("H̄⁻¹", "H_inv"))):
            for column, ((block, at), when) in enumerate(product(blocks.items(), (0, -1))):
                M = relative(seen[when][key])[at]
                axis = axes[2 * row + half, column]
                image = axis.imshow(np.log10(M + 1e-6), vmin=-3, vmax=1, cmap="viridis")
                axis.set_title(f"{name}: {title} {block}, {'end' if when else 'start'}", fontsize=8)
                axis.tick_params(labelsize=6)
    figure.colorbar(image, ax=axes, shrink=0.3, label="log₁₀ |M_ij| / √|M_ii M_jj|")
    figure.savefig(out / "interactions.png", dpi=80)

    figure, axes = pyplot.subplots(1, len(text["eta"]), figsize=(15, 4.5))
    for axis, (name, eta) in zip(axes, text["eta"].items(), strict=True):
        eta = np.array(eta)
        for s in range(eta.shape[1]):
            label = f"{'b' if s % 2 else 'W'} {s // 2 + 1}"
            axis.plot(np.where(eta[:, s] > 0, eta[:, s], np.nan), "--" if s % 2 else "-", color=f"C{s // 2}", label=label)
        axis.set(title=name, xlabel="epoch", ylabel="η of (2), where positive", yscale="log")
        axis.legend(fontsize=6, ncol=2)
    figure.tight_layout()
    figure.savefig(out / "interactions_steps.png", dpi=90)

    figure, axis = pyplot.subplots(figsize=(6, 4.5))
    for i, (method, run) in enumerate(text["trained"].items()):
        label = f"{method} ({', '.join(f'{name} {value:g}' for name, value in run['choice'].items())})"
        for k, losses in enumerate(run["losses"]):
            axis.plot(losses, color=f"C{i}", label=None if k else label)
    axis.set(xlabel="epoch", ylabel="training loss", yscale="log", title="64-50-25-10, tanh, digits")
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(out / "interactions_training.png", dpi=90)


def page(text):
    """The tables of what was found."""
    console = Console(width=128)
    table = Table("net", "when", "loss", "H̄ off diag.", "H̄⁻¹ off diag.", "H̄_WW, ≥ 2 apart", "eigenvalues < 0", box=None)
    for name, found in text["facts"].items():
        for when, f in found.items():
            table.add_row(name, when, f"{f['loss']:.3g}", f"{f['H off the diagonal']:.2f}", f"{f['H_inv off the diagonal']:.2f}",
                          f"{f['H_WW far off']:.2f}", str(f["negative eigenvalues"]))
    console.print(table)
    steps = Table("net", "when", "η of weights, first layer (or chunk) first", "η of biases", box=None)
    for name, found in text["facts"].items():
        for when, f in found.items():
            steps.add_row(name, when, *(" ".join(f"{x:.2g}" for x in f[key]) for key in ("eta_W", "eta_b")))
    console.print(steps)
    runs = Table("method", "choice", "lowest training loss of each seed", box=None)
    for method, run in text["trained"].items():
        runs.add_row(method, ", ".join(f"{name} {value:g}" for name, value in run["choice"].items()),
                     " ".join(f"{min(losses):.2g}" for losses in run["losses"]))
    console.print(runs)


def rounded(value):
    """Lists of lists of numbers, to six digits."""
    return [rounded(x) for x in value] if isinstance(value, list) else float(f"{value:.6g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--show", type=Path, help="print the tables of such a JSON file and run nothing")
    options = parser.parse_args()
    if options.show:
        page(json.loads(options.show.read_text()))
        return
    jobs = [("watched", name, options.epochs, 0) for name in NETS]
    jobs += [("trained", method, dict(zip(grid, values, strict=True)), 0, 2 * options.epochs)
             for method, grid in GRID.items() for values in product(*grid.values())]
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        results = [future.result() for future in progress(futures, f"{len(jobs)} runs")]
        chosen = {method: best([result for result in results if result[0] == "trained"], method) for method in GRID}
        again = [pool.submit(run, ("trained", method, choice, seed, 2 * options.epochs))
                 for method, (choice, _) in chosen.items() for seed in range(1, options.seeds)]
        more = [future.result() for future in progress(again, f"{len(again)} runs on other seeds")]
    found = {"watched": {name: seen for kind, name, _, seen in results if kind == "watched"},
             "trained": {method: (choice, [first, *(losses for _, name, _, losses in more if name == method)])
                         for method, (choice, first) in chosen.items()}}
    text = {"epochs": options.epochs, "facts": {name: facts(seen) for name, seen in found["watched"].items()},
            "watched": {name: [{key: rounded(value) for key, value in now.items()} for now in (seen[0], seen[-1])]
                        for name, seen in found["watched"].items()},
            "eta": {name: rounded([now["eta"] for now in seen]) for name, seen in found["watched"].items()},
            "trained": {method: {"choice": choice, "losses": rounded(runs)} for method, (choice, runs) in found["trained"].items()}}
    page(text)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "interactions.json").write_text(json.dumps(text, separators=(",", ":")) + "\n")
    plot(text, options.out)


if __name__ == "__main__":
    main()
