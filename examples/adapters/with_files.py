"""A program that knows nothing of stepgauge, not even NumPy: it reads a case's folder, trains, and writes its trajectory there.

    stepgauge save sgd_m plain FOLDER
    python examples/adapters/with_files.py FOLDER
    stepgauge judge-files sgd_m FOLDER

So would a program in C++ or Julia. It is SGD with momentum on a net with one hidden ReLU layer and half squared errors.
"""

import json
import struct
import sys
from ast import literal_eval
from pathlib import Path


def read(path):
    """A .npy file of float64 in C order, of one or two dimensions, as a list or a list of rows."""
    raw = path.read_bytes()
    end = 10 + struct.unpack_from("<H", raw, 8)[0]
    header = literal_eval(raw[10:end].decode())
    numbers = struct.unpack_from(f"<{(len(raw) - end) // 8}d", raw, end)
    *rows, last = header["shape"]
    return [list(numbers[i * last:(i + 1) * last]) for i in range(rows[0])] if rows else list(numbers)


def write(path, array):
    matrix = isinstance(array[0], list)
    shape = (len(array), len(array[0])) if matrix else (len(array),)
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    numbers = [x for row in array for x in row] if matrix else array
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    path.write_bytes(start + struct.pack(f"<{len(numbers)}d", *numbers))


def dot(x, y):
    return sum(a * b for a, b in zip(x, y, strict=True))


def gradient(W, b, X, Y):
    """∂/∂(W_1, b_1, W_2, b_2) of the mean over examples of ½‖W_2 max(W_1 x + b_1, 0) + b_2 − y‖²."""
    grad = [[[0.0] * len(row) for row in M] for M in W]
    grad_b = [[0.0] * len(v) for v in b]
    for x, y in zip(X, Y, strict=True):
        a = [max(dot(row, x) + c, 0.0) for row, c in zip(W[0], b[0], strict=True)]
        r = [(dot(row, a) + c - t) / len(X) for row, c, t in zip(W[1], b[1], y, strict=True)]
        back = [dot(r, column) * (a_j > 0) for column, a_j in zip(zip(*W[1], strict=True), a, strict=True)]
        for l, (g, inputs) in enumerate(((back, x), (r, a))):
            for i, g_i in enumerate(g):
                grad_b[l][i] += g_i
                for j, input_j in enumerate(inputs):
                    grad[l][i][j] += g_i * input_j
    return [grad[0], grad_b[0], grad[1], grad_b[1]]


def moved(x, y, a, c):
    """a·x + c·y, entry by entry."""
    return [moved(p, q, a, c) if isinstance(p, list) else a * p + c * q for p, q in zip(x, y, strict=True)]


def main(folder):
    case = json.loads((folder / "case.json").read_text())
    alpha, beta = case["hyper"]["alpha"], case["hyper"]["beta"]
    theta = [read(folder / layer[name]) for layer in case["params"] for name in ("W", "b")]
    momentum = [moved(t, t, 0.0, 0.0) for t in theta]
    steps = []
    for k, batch in enumerate(case["batches"]):
        grad = gradient(theta[0::2], theta[1::2], read(folder / batch["x"]), read(folder / batch["y"]))
        momentum = [moved(m, g, beta, 1 - beta) for m, g in zip(momentum, grad, strict=True)]
        theta = [moved(t, m, 1.0, -alpha) for t, m in zip(theta, momentum, strict=True)]
        shown = {"W": theta[0::2], "b": theta[1::2], "g_h": momentum}
        steps.append({name: [f"step_{k}_{name}_{i}.npy" for i in range(len(arrays))] for name, arrays in shown.items()})
        for name, arrays in shown.items():
            for i, array in enumerate(arrays):
                write(folder / f"step_{k}_{name}_{i}.npy", array)
    (folder / "steps.json").write_text(json.dumps(steps))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
