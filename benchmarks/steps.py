"""Seconds and memory of one optimizer step, beside the floor that its matrix products alone set, measured in the same run.

    python benchmarks/steps.py [--nets autoencoder convolution] [--methods kbfgs kfac] [--dtypes float32 float64] [--repeats 5]
                               [--json FILE]
    python benchmarks/steps.py --show FILE

The nets are the MNIST autoencoder of R Table 2.4, batch 1000, and one convolution as VGG has them: 3 × 3, from 64 to 64 channels,
on images of 16 × 16, batch 128, behind a small one of 1 × 1, so that it has a backward product. For each method and dtype the
columns are

    step      median seconds of one step (with Trace; the mean of a period T where inverses or roots are due once a period)
    floor     the step's matrix products and factorisations alone, replayed at their real shapes
    stream    the bytes of optimizer state that one step must read or write, at the measured copy bandwidth
    ratio     step / (floor + stream)
    peak      MiB that a step allocates at most, beyond its inputs

Step and floor alternate, so that a machine that drifts slows both.
"""

from machine import prepare

SETTING = prepare(threads=2)

import argparse
import itertools
import json
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS
from stepgauge.reference.parts.kronecker import damped
from stepgauge.reference.parts.roots import coupled_newton
from stepgauge.verify.progress import progress

WIDTHS = (784, 1000, 500, 250, 30, 250, 500, 1000, 784)
ACTIVATIONS = ("relu", "relu", "relu", "linear", "relu", "relu", "relu", "linear")
CHANNELS, SIDE, KERNEL = 64, 16, 3
PAIRS, T = 100, 20
HYPER = {"sgd_m": {"alpha": 0.03}, "adam": {"alpha": 0.001}, "kbfgs20": {}, "kbfgs20_l": {"p": PAIRS}, "kfac20": {"T": T},
         "kbfgs": {}, "kbfgs_l": {"p": PAIRS}, "kfac": {"T_1": 1, "T_2": T}, "tnt": {"alpha": 0.0001, "T_2": T},
         "tnt_ef": {"alpha": 3e-06, "T_2": T}, "shampoo": {"alpha": 0.0003, "T_2": T, "eps": 10}}
"""Of Shampoo's factors the largest eigenvalues are near 1e5 here; with the thesis' ε float32 has no digit for the smallest."""
PERIODIC = ("kfac20", "kfac", "tnt", "tnt_ef", "shampoo")
CHAPTER_3 = ("kbfgs", "kbfgs_l", "kfac")
SECOND_ORDER = {"autoencoder": ("kbfgs20", "kbfgs20_l", "kfac20", *CHAPTER_3, "tnt", "shampoo"), "convolution": CHAPTER_3}


class Layer(NamedTuple):
    """What a layer multiplies: matrices of d_in + 1 inputs and d_out outputs, with as many rows as a batch has positions."""

    d_in: int
    d_out: int
    rows: int


class Net(NamedTuple):
    """A problem, as a function of the dtype, with its layers; `N` examples; `alpha` a rate at which K-BFGS and K-FAC go down."""

    problem: Callable[[str], tuple[Any, Any, Any]]
    N: int
    alpha: float
    layers: tuple[Layer, ...]


def autoencoder(dtype):
    """The autoencoder with 1000 smooth images in (0, 1), a low-rank field through a sigmoid."""
    rng, N = np.random.default_rng(0), NETS["autoencoder"].N
    field = rng.standard_normal((N, 30)) @ rng.standard_normal((30, WIDTHS[0])) / 30**0.5
    x = 1 / (1 + np.exp(-3 * field))
    model = nets.mlp(WIDTHS, ACTIVATIONS, "bce")
    y_sampled = (rng.random(x.shape) < x).astype(np.float64)
    params, batch = cast((nets.init(model, seed=0), nets.Batch(x, x, y_sampled)), dtype)
    return model, params, batch


def convolution(dtype):
    """The convolution, with normal images and targets."""
    rng, N = np.random.default_rng(0), NETS["convolution"].N
    model = nets.cnn((1, SIDE, SIDE), (nets.Conv2d(CHANNELS, 1), nets.Act("relu"), nets.Conv2d(CHANNELS, KERNEL), nets.Act("relu"),
                                       nets.Flatten()), "mse")
    x, y, y_sampled = (rng.standard_normal((N, d)) for d in (SIDE**2, CHANNELS * SIDE**2, CHANNELS * SIDE**2))
    batch = nets.Batch(x.reshape(N, 1, SIDE, SIDE), y, y_sampled)
    params, batch = cast((nets.init(model, seed=0), batch), dtype)
    return model, params, batch


NETS = {"autoencoder": Net(autoencoder, 1000, 1e-2, tuple(Layer(i, o, 1000) for i, o in itertools.pairwise(WIDTHS))),
        "convolution": Net(convolution, 128, 1e-5, (Layer(1, CHANNELS, 128 * SIDE**2),
                                              Layer(CHANNELS * KERNEL**2, CHANNELS, 128 * SIDE**2)))}


def products(method, layers):
    """The step's matrix work: ("gemm", m, n, k), ("syrk", n, k) for XᵀX, ("inv", n), each with how often it occurs a step."""
    forward = [("gemm", N, o, i + 1, 1) for i, o, N in layers]
    back = [("gemm", N, i, o, 1) for i, o, N in layers[1:]]
    weights = [("gemm", o, i + 1, N, 1) for i, o, N in layers]
    A = [("syrk", i + 1, N, 1) for i, _, N in layers]
    G = [("syrk", o, N, 1) for _, o, N in layers]
    left = [("gemm", o, i + 1, o, 1) for i, o, _ in layers]
    right = [("gemm", o, i + 1, i + 1, 1) for i, o, _ in layers]
    compact = [op for i, o, _ in layers for op in (("gemm", 2 * PAIRS, i + 1, o, 1), ("gemm", o, i + 1, 2 * PAIRS, 1))]
    inverses = [("inv", i + 1, 1 / T) for i, _, _ in layers] + [("inv", o, 1 / T) for _, o, _ in layers]
    base = forward + back + weights
    tensors = [op for i, o, _ in layers for op in (("syrk", o, i, 1), ("syrk", i, o, 1))]
    tensors += [("gemm", o, o, 1, 1) for _, o, _ in layers]
    direction = [op for i, o, _ in layers for op in (("gemm", o, i, o, 1), ("gemm", i, o, i, 1))]
    direction += [("gemm", o, 1, o, 1) for _, o, _ in layers]
    factors = [d for i, o, _ in layers for d in (o, i, o)]
    second = forward + back
    kfac = base + back + A + G + left + right + inverses
    return {"sgd_m": base, "adam": base, "kbfgs20": base + A + second + left + right, "kbfgs": base + second + left + right,
            "kbfgs20_l": base + A + second + compact + right, "kbfgs_l": base + second + compact + right,
            "kfac20": kfac, "kfac": kfac,
            "tnt": base + back + weights + tensors + direction + [("inv", d, 1 / T) for d in factors],
            "tnt_ef": base + tensors + direction + [("inv", d, 1 / T) for d in factors],
            "shampoo": base + tensors + direction}[method]


def streamed(method, layers):
    """State entries that one step reads or writes: gradient momentum and parameters, A, the inverses, in and out."""
    P = sum((i + 1) * o for i, o, _ in layers)
    A = sum((i + 1) ** 2 for i, _, _ in layers)
    G = sum(o * o for _, o, _ in layers)
    U = sum(i * i + 2 * o * o for i, o, _ in layers)
    return {"sgd_m": 5 * P, "adam": 7 * P, "kbfgs20": 5 * P + 6 * A + 3 * G, "kbfgs20_l": 5 * P + 6 * A,
            "kbfgs": 5 * P + 3 * A + 3 * G, "kbfgs_l": 5 * P + 3 * A, "kfac20": 5 * P + 2 * A + 2 * G,
            "kfac": 5 * P + 2 * A + 2 * G, "tnt": 5 * P + 3 * U, "tnt_ef": 5 * P + 3 * U, "shampoo": 5 * P + 3 * U}[method]


MEMORY = {"kbfgs20_l": "H_g", "kbfgs_l": "H_G"}


def replay(ops, dtype):
    """A function that performs the products once, on arrays of their shapes; inverses are timed apart and scaled."""
    rng = np.random.default_rng(1)
    arrays = {}

    def array(*shape):
        if shape not in arrays:
            arrays[shape] = rng.standard_normal(shape).astype(dtype)
        return arrays[shape]

    calls, fixed = [], 0.0
    for kind, *shape, times in ops:
        if kind == "gemm":
            m, n, k = shape
            calls.append((array(m, k), array(k, n), np.empty((m, n), dtype)))
        elif kind == "syrk":
            n, k = shape
            X = array(k, n)
            calls.append((X.T, X, np.empty((n, n), dtype)))
        else:
            X = array(shape[0] + 8, shape[0])
            spd = X.T @ X / shape[0] + np.eye(shape[0], dtype=dtype)
            fixed += times * median(lambda spd=spd: np.linalg.inv(spd), 3)

    def run():
        for a, b, out in calls:
            np.matmul(a, b, out=out)
    return run, fixed


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def median(function, repeats):
    function()
    return statistics.median(seconds(function) for _ in range(repeats))


def bandwidth():
    """Bytes a second of a large copy, read and write counted."""
    a, b = np.ones(2**25), np.zeros(2**25)
    return 2 * a.nbytes / median(lambda: np.copyto(b, a), 5)


def measure(net, method, dtype, repeats):
    module = METHODS[method]
    model, params, batch = NETS[net].problem(dtype)
    layers = NETS[net].layers
    hyper = module.Hyper(**{"alpha": NETS[net].alpha} | HYPER[method])
    state = module.init(model, params, batch, hyper)
    if method in MEMORY:
        while getattr(state, MEMORY[method])[0].S.shape[1] < PAIRS:
            memories = tuple(map(filled, getattr(state, MEMORY[method])))
            state = state._replace(**{MEMORY[method]: memories})
    if method == "kfac20":
        state = state._replace(k=T)                       # past the first T steps, in which every step inverts

    def step():
        nonlocal params, state
        params, state, _ = module.step(model, params, state, batch, hyper)

    run, fixed = replay(products(method, layers), dtype)
    if method == "shampoo":
        fixed += root_products(model, params, batch, hyper, dtype) / T
    count = T if method in PERIODIC else 1
    step(), run()
    steps, floors = [], []
    for _ in range(repeats):
        steps.append(statistics.mean(seconds(step) for _ in range(count)))
        floors.append(seconds(run) + fixed)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    new = module.step(model, params, state, batch, hyper)
    peak = (tracemalloc.get_traced_memory()[1] - before) / 2**20
    tracemalloc.stop()
    del new
    stream = streamed(method, layers) * np.dtype(dtype).itemsize / bandwidth()
    step_s, floor_s = statistics.median(steps), statistics.median(floors)
    return {"net": net, "method": method, "dtype": dtype,
            "step_ms": 1e3 * step_s, "floor_ms": 1e3 * floor_s, "stream_ms": 1e3 * stream,
            "ratio": step_s / (floor_s + stream), "peak_MiB": peak}


def root_products(model, params, batch, hyper, dtype):
    """Seconds that the products of all inverse roots take, with as many iterations as each of them needs here."""
    state = METHODS["shampoo"].init(model, params, batch, hyper)
    total = 0.0
    for of_tensor in state.G_h:
        for G in of_tensor:
            d, p = len(G), 2 * len(of_tensor)
            iterations = coupled_newton(damped(G, G.dtype.type(hyper.eps)), p).iterations
            X, out = np.eye(d, dtype=dtype), np.empty((d, d), dtype)
            count = {2: 3, 4: 4}[p]
            total += iterations * count * median(lambda X=X, out=out: np.matmul(X, X, out=out), 3)
    return total


def filled(memory):
    """An L-BFGS memory with one more random pair of positive curvature."""
    rng = np.random.default_rng(memory.S.shape[1])
    s = rng.standard_normal((memory.S.shape[0], 1)).astype(memory.S.dtype)
    noise = 0.1 * rng.standard_normal(s.shape).astype(s.dtype)
    return memory._replace(S=np.concatenate([memory.S, s], 1), Y=np.concatenate([memory.Y, s + noise], 1))


def page(measured):
    """The table of one run."""
    table = Table("net", "method", "dtype", "step ms", "floor ms", "stream ms", "ratio", "peak MiB", box=None,
                  title=f"{measured['setting']}, NumPy {measured['numpy']}, {measured['machine']}")
    for row in measured["rows"]:
        table.add_row(row["net"], row["method"], row["dtype"], *(f"{row[key]:.0f}" for key in ("step_ms", "floor_ms", "stream_ms")),
                      f"{row['ratio']:.2f}", f"{row['peak_MiB']:.0f}")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument("--methods", nargs="+", choices=list(HYPER), help="default: all of second order that are for such a net")
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "float64"], default=["float32", "float64"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", help="write the rows to this file as well")
    parser.add_argument("--show", help="print the rows of such a file and measure nothing")
    options = parser.parse_args()
    if options.show:
        Console(width=100).print(page(json.loads(Path(options.show).read_text())))
        return
    jobs = [(net, method, dtype) for net in options.nets for method in options.methods or SECOND_ORDER[net]
            for dtype in options.dtypes]
    rows = [measure(*job, options.repeats) for job in progress(jobs, "steps")]
    measured = {"numpy": np.__version__, "machine": platform.machine(), "setting": SETTING, "rows": rows}
    Console(width=100).print(page(measured))
    if options.json:
        Path(options.json).write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
