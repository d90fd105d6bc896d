"""Seconds of one step of SMW-GN and SMW-NG beside their floor, and how the time grows with N₂, m_L and the width.

    python benchmarks/subsampled.py [--dtypes float32 float64] [--repeats 30] [--json FILE] [--plot FILE]
    python benchmarks/subsampled.py --show FILE

The net is that of R Section 5.8 for MNIST, (784, 500, 10), logistic and softmax, N₁ = 60 and N₂ = 30. The columns are

    step     median milliseconds of one step (with Trace)
    floor    its matrix products, logistic functions and the solution with D alone, at their real shapes
    ratio    step / floor

and, for growth, the median of a step with one size changed at a time, with the exponent between the last two and the largest one of
the table of R Section 5.7. Step and floor alternate, so that a machine that drifts slows both.
"""

from machine import prepare

SETTING = prepare(threads=2)

import argparse
import itertools
import json
import math
import platform
import statistics
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.verify.progress import progress

WIDTHS, N_1, N_2 = (784, 500, 10), 60, 30
NAMES = ("smw_gn", "smw_ng")
GROWTH = {"N_2": (30, 60, 120, 240, 480), "m_L": (10, 20, 40, 80, 160), "m_1": (250, 500, 1000, 2000, 4000)}
"""One size at a time; N₁ is 480 throughout, so that S₂ fits into S₁."""
EXPONENTS = {"smw_gn": {"N_2": 3, "m_L": 3, "m_1": 1}, "smw_ng": {"N_2": 3, "m_L": 1, "m_1": 1}}
"""The largest exponent of each size in the table of R Section 5.7 (n = Σ_l m_l m_{l−1} has one of m_1 and of m_L)."""


def stepping(method, dtype, widths=WIDTHS, n_1=N_1, n_2=N_2):
    """A function that takes one step after another on one batch."""
    rng = np.random.default_rng(0)
    model = nets.mlp(widths, ("logistic", "linear"), "softmax_ce")
    x, y = rng.standard_normal((n_1, widths[0])), rng.integers(0, widths[-1], n_1)
    params, x = cast((nets.init(model, 0), x), dtype)
    batch, module = nets.Batch(x, y, None, np.arange(n_2)), METHODS[method]
    hyper = module.Hyper()
    at = [params, module.init(model, params, batch, hyper)]

    def step():
        at[0], at[1], _ = module.step(model, at[0], at[1], batch, hyper)
    return step


def floor(method, dtype):
    """A function that makes a step's matrix products, logistic functions and solution once, at their shapes."""
    m_0, m_1, m_L = WIDTHS
    q = N_2 * m_L if method == "smw_gn" else N_2
    both = [(N_1, m_0 + 1, m_1), (N_1, m_1 + 1, m_L)]                      # forward, at θ and at θ + p
    back = [(N_1, m_L, m_1), (m_1, N_1, m_0 + 1), (m_L, N_1, m_1 + 1)]
    rows = [(q, m_L, m_1)]
    grams = [(N_2, m_0 + 1, N_2), (N_2, m_1 + 1, N_2), (q, m_1, q), (q, m_L, q)]
    along = [(N_2, m_0 + 1, m_1), (N_2, m_1 + 1, m_L)] * 2                 # Jg and Jp
    across = [(m_1, N_2, m_0 + 1), (m_L, N_2, m_1 + 1)]                    # Jᵀd
    rng = np.random.default_rng(1)
    products = [(rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype), np.empty((m, n), dtype))
                for m, k, n in [*both * 2, *back, *rows, *grams, *along, *across]]
    E = rng.standard_normal((q, q + 8)).astype(dtype)
    D, Jg = E @ E.T + np.eye(q, dtype=dtype), rng.standard_normal(q).astype(dtype)
    h = rng.standard_normal((N_1, m_1)).astype(dtype)

    def run():
        for a, b, out in products:
            np.matmul(a, b, out=out)
        np.linalg.solve(D, Jg)
        for _ in range(2):
            1 / (1 + np.exp(-h))
    return run


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def beside_its_floor(method, dtype, repeats):
    """One row: medians of step and floor, taken in turn."""
    step, least = stepping(method, dtype), floor(method, dtype)
    step(), least()
    pairs = [(seconds(step), seconds(least)) for _ in range(repeats)]
    step_s, floor_s = (statistics.median(values) for values in zip(*pairs, strict=True))
    return {"method": method, "dtype": dtype, "step_ms": 1e3 * step_s, "floor_ms": 1e3 * floor_s, "ratio": step_s / floor_s}


def growth(method, size, repeats):
    """Medians in float32 for the sizes of GROWTH."""
    found = []
    for value in GROWTH[size]:
        widths = (WIDTHS[0], value if size == "m_1" else WIDTHS[1], value if size == "m_L" else WIDTHS[2])
        step = stepping(method, "float32", widths, max(GROWTH["N_2"]), value if size == "N_2" else N_2)
        step()
        found.append(1e3 * statistics.median(seconds(step) for _ in range(max(3, repeats // 5))))
    return {"method": method, "size": size, "values": GROWTH[size], "step_ms": found}


def exponent(row):
    """The slope between the two largest sizes, on logarithmic scales."""
    (a, b), (s, t) = row["values"][-2:], row["step_ms"][-2:]
    return math.log(t / s) / math.log(b / a)


def page(measured):
    """The tables of one run."""
    steps = Table("method", "dtype", "step ms", "floor ms", "ratio", box=None,
                  title=f"{WIDTHS}, N₁ = {N_1}, N₂ = {N_2}, {measured['setting']}, NumPy {measured['numpy']}, "
                        f"{measured['machine']}")
    for row in measured["rows"]:
        steps.add_row(row["method"], row["dtype"], f"{row['step_ms']:.2f}", f"{row['floor_ms']:.2f}", f"{row['ratio']:.2f}")
    grown = Table("method", "size", "values", "step ms, float32", "exponent at the end", "of the table", box=None)
    for row in measured["growth"]:
        grown.add_row(row["method"], row["size"], " ".join(map(str, row["values"])), " ".join(f"{ms:.1f}" for ms in row["step_ms"]),
                      f"{exponent(row):.2f}", str(EXPONENTS[row["method"]][row["size"]]))
    return steps, grown


def plot(measured, path):
    """Milliseconds against each size, with the slope of the table's exponent beside it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(GROWTH), figsize=(4.2 * len(GROWTH), 3.8))
    for axis, size in zip(axes, GROWTH, strict=True):
        for row, colour in zip([row for row in measured["growth"] if row["size"] == size], ("C0", "C1"), strict=True):
            axis.plot(row["values"], row["step_ms"], "o-", color=colour, label=row["method"])
            power = EXPONENTS[row["method"]][size]
            slope = [row["step_ms"][-1] * (value / row["values"][-1]) ** power for value in row["values"]]
            axis.plot(row["values"], slope, ":", color=colour, label=f"exponent {power}")
        lowest = min(min(row["step_ms"]) for row in measured["growth"])
        axis.set(xlabel=size, ylabel="ms a step", xscale="log", yscale="log", ylim=(0.3 * lowest, None))
        axis.set_xticks(GROWTH[size], map(str, GROWTH[size]), minor=False)
        axis.set_xticks([], minor=True)
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "float64"], default=["float32", "float64"])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--json", help="write the rows to this file as well")
    parser.add_argument("--plot", help="draw the growth into this file")
    parser.add_argument("--show", help="print the rows of such a file and measure nothing")
    options = parser.parse_args()
    if options.show:
        measured = json.loads(Path(options.show).read_text())
    else:
        jobs = [(beside_its_floor, method, dtype) for method in NAMES for dtype in options.dtypes]
        jobs += [(growth, method, size) for method, size in itertools.product(NAMES, GROWTH)]
        done = [work(*given, options.repeats) for work, *given in progress(jobs, "steps")]
        measured = {"numpy": np.__version__, "machine": platform.machine(), "setting": SETTING,
                    "rows": [row for row in done if "dtype" in row], "growth": [row for row in done if "size" in row]}
    Console(width=128).print(*page(measured))
    if options.json:
        Path(options.json).write_text(json.dumps(measured, indent=1) + "\n")
    if options.plot:
        plot(measured, options.plot)


if __name__ == "__main__":
    main()
