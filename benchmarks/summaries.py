"""Seconds of `nets.taylor.summaries` beside S forward–backward–tangent passes at the measured peak rate, in one run.

    python benchmarks/summaries.py [--repeats 5] [--json FILE]
    python benchmarks/summaries.py --show FILE

LeNet-5 for 32 × 32 × 3, tanh and max pooling, batch 100. A pass of the limit is twice the matrix products of a forward and a
backward pass; the peak rate is that of a square product in the same dtype, with as many threads. Both alternate. One row a
partition and width.
"""

from machine import prepare

SETTING = prepare(threads=1)

import argparse
import json
import platform
import statistics
import time
from math import prod
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.nets import Act, Conv2d, Dense, Flatten, MaxPool, taylor
from stepgauge.verify.progress import progress

N = 100
JOBS = [(1, "canonical"), (1, "by_layer"), (1, "by_role"), (1, "trivial"), (2, "canonical")]
"""Width factor and partition."""


def lenet(width):
    """LeNet-5, all hidden layers `width` times as wide."""
    return nets.cnn((3, 32, 32), (
        Conv2d(6 * width, 5, padding="valid"), Act("tanh"), MaxPool(2),
        Conv2d(16 * width, 5, padding="valid"), Act("tanh"), MaxPool(2),
        Flatten(), Dense(120 * width), Act("tanh"), Dense(84 * width), Act("tanh"), Dense(10)), "softmax_ce")


def flops(params, tape):
    """Floating-point operations of the products of a forward and a backward pass."""
    layer = [2 * prod(h.shape) * (a.shape[-1] - 1) for h, a in zip(tape.h, tape.a, strict=True)]
    return 2 * sum(layer) + sum(layer[1:])


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(width, name, dtype, repeats):
    model, rng = lenet(width), np.random.default_rng(0)
    params, x = cast((nets.init(model, seed=0), rng.random((N, 3, 32, 32))), dtype)
    batch = nets.Batch(x, rng.integers(0, 10, N))
    tape = nets.forward(model, params, x)
    u, partition = nets.backward(model, params, tape, batch.y).grad, getattr(taylor, name)(params)
    n = 1024
    A, B, C = (rng.random((n, n)).astype(dtype) for _ in range(3))
    times, products = [], []
    taylor.summaries(model, params, batch, u, partition)
    np.matmul(A, B, out=C)
    for _ in range(repeats):
        times.append(seconds(lambda: taylor.summaries(model, params, batch, u, partition)))
        products += [seconds(lambda: np.matmul(A, B, out=C)) for _ in range(5)]
    rate, S = 2 * n**3 / min(products), len(partition)
    limit = 2 * S * flops(params, tape) / rate
    P = sum(prod(t.shape) for t in nets.tensors(params))
    return {"partition": name, "S": S, "P": P, "dtype": dtype, "ms": 1e3 * statistics.median(times), "limit_ms": 1e3 * limit,
            "peak_gflops": rate / 1e9, "ratio": statistics.median(times) / limit}


def page(measured):
    """The table of one run."""
    table = Table("partition", "S", "P", "dtype", "ms", "limit ms", "peak Gflop/s", "ratio", box=None,
                  title=f"LeNet-5, batch {N}, {measured['setting']}, NumPy {measured['numpy']}, {measured['machine']}")
    for row in measured["rows"]:
        table.add_row(row["partition"], str(row["S"]), str(row["P"]), row["dtype"],
                      *(f"{row[key]:.0f}" for key in ("ms", "limit_ms", "peak_gflops")), f"{row['ratio']:.2f}")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", help="write the rows to this file as well")
    parser.add_argument("--show", help="print the rows of such a file and measure nothing")
    options = parser.parse_args()
    if options.show:
        Console(width=100).print(page(json.loads(Path(options.show).read_text())))
        return
    jobs = [(*job, dtype) for dtype in ("float32", "float64") for job in JOBS]
    rows = [measure(*job, options.repeats) for job in progress(jobs, "summaries")]
    measured = {"numpy": np.__version__, "machine": platform.machine(), "setting": SETTING, "rows": rows}
    Console(width=100).print(page(measured))
    if options.json:
        Path(options.json).write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
