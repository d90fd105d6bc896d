"""A second program for every layer record, from its definition: pixel by pixel, one number at a time, in any exact arithmetic.

`run` goes forwards and leaves, for every trainable layer in the order of execution, a `Seen`; the function that it returns goes
backwards and fills in `g` and the sums over examples `dW` and `db` (for a BatchNorm: of γ and β). Images are (N, C, H, W). The
parameters of a layer may have a third part, (N, P, d_out), that is added to its pre-activations.
"""

from itertools import product
from types import SimpleNamespace

import numpy as np
from stepgauge import nets


def empty(*shape, fill=0):
    array = np.empty(shape, dtype=object)
    array.fill(fill)
    return array


def two(value):
    return value if isinstance(value, tuple) else (value, value)


def places(record, size, H, W):
    """For every position (row by row): its row and column in the output, and the pixel that offset (0, 0) falls on."""
    (kh, kw), (sh, sw) = size, two(size if record.stride is None else record.stride)
    top, left = ((kh - 1) // 2, (kw - 1) // 2) if getattr(record, "padding", "") == "same" else (0, 0)
    rows, columns = range(-top, H + top - kh + 1, sh), range(-left, W + left - kw + 1, sw)
    return [(i, j, y, x) for i, y in enumerate(rows) for j, x in enumerate(columns)], (len(rows), len(columns))


def run(records, params, z, sqrt=None):
    """The output, a list of Seen, and a function from D of the output to D of the input; `params` is an iterator."""
    seen, backs = [], []
    for record in records:
        if isinstance(record, nets.Residual):
            one, seen_one, back_one = run(record.layers, params, z, sqrt)
            other, seen_other, back_other = run(record.shortcut, params, z, sqrt)
            z = one + other
            seen += [*seen_one, *seen_other]
            backs.append(lambda D, back_one=back_one, back_other=back_other: back_one(D) + back_other(D))
            continue
        step = STEPS[type(record)](record, z, next(params), sqrt) if type(record) in TRAINED else STEPS[type(record)](record, z)
        z, back = step[:2]
        seen += step[2:]
        backs.append(back)

    def back(D):
        for function in reversed(backs):
            D = function(D)
        return D

    return z, seen, back


def dense(record, z, layer, _):
    W, b, *bump = layer
    N, d = z.shape
    m = record.width
    a, h = empty(N, 1, d + 1, fill=1), empty(N, 1, m)
    for n in range(N):
        for j in range(d):
            a[n, 0, j] = z[n, j]
        for i in range(m):
            h[n, 0, i] = sum((W[i, j] * z[n, j] for j in range(d)), b[i])
    h = sum(bump, h)
    seen = SimpleNamespace(a=a, h=h)

    def back(D):
        seen.g = D.reshape(N, 1, m)
        seen.dW, seen.db, Dz = empty(m, d), empty(m), empty(N, d)
        for n, i in np.ndindex(N, m):
            seen.db[i] += D[n, i]
            for j in range(d):
                seen.dW[i, j] += D[n, i] * z[n, j]
                Dz[n, j] += D[n, i] * W[i, j]
        return Dz

    return h.reshape(N, m), back, seen


def conv(record, z, layer, _):
    """(3.1): h_{i,t} = Σ_j Σ_δ w_{i,j,δ} a_{j,t+δ} + b_i, where a is 0 outside the image."""
    W, b, *bump = layer
    N, J, H, X = z.shape
    kh, kw = two(record.kernel)
    where, (rows, columns) = places(record, (kh, kw), H, X)
    I, P = record.channels, len(where)
    a, h = empty(N, P, J * kh * kw + 1), empty(N, I, rows, columns)
    for n in range(N):
        for t, (row, column, y, x) in enumerate(where):
            for e, (j, p, q) in enumerate(product(range(J), range(kh), range(kw))):
                if 0 <= y + p < H and 0 <= x + q < X:
                    a[n, t, e] = z[n, j, y + p, x + q]
            a[n, t, -1] = 1
            for i in range(I):
                h[n, i, row, column] = sum((W[i, j, p, q] * a[n, t, e] for e, (j, p, q) in
                                            enumerate(product(range(J), range(kh), range(kw)))), b[i])
    for n, (t, (row, column, *_)) in product(range(N if bump else 0), enumerate(where)):
        h[n, :, row, column] += bump[0][n, t]
    seen = SimpleNamespace(a=a, h=as_positions(h))

    def back(D):
        seen.g = as_positions(D)
        seen.dW, seen.db, Dz = empty(*W.shape), empty(I), empty(*z.shape)
        for n in range(N):
            for row, column, y, x in where:
                for i in range(I):
                    seen.db[i] += D[n, i, row, column]
                    for j, p, q in product(range(J), range(kh), range(kw)):
                        if 0 <= y + p < H and 0 <= x + q < X:
                            seen.dW[i, j, p, q] += D[n, i, row, column] * z[n, j, y + p, x + q]
                            Dz[n, j, y + p, x + q] += D[n, i, row, column] * W[i, j, p, q]
        return Dz

    return h, back, seen


def as_positions(images):
    """(N, C, H, W), or (N, C), to (N, P, C)."""
    N, C = images.shape[:2]
    flat = images.reshape(N, C, -1)
    found = empty(N, flat.shape[2], C)
    for n, t, c in np.ndindex(*found.shape):
        found[n, t, c] = flat[n, c, t]
    return found


def batch_norm(record, z, layer, sqrt):
    """x̂ = (x − m) / √(v + ε) by channel; backwards by the chain rule through x̂, the deviation s, the variance v and the mean m."""
    gamma, beta = layer
    N, C = z.shape[:2]
    x = as_positions(z)
    P = x.shape[1]
    all_of = list(np.ndindex(N, P))
    x_h, h, m, s = empty(*x.shape), empty(*x.shape), empty(C), empty(C)
    for c in range(C):
        m[c] = sum(x[n, t, c] for n, t in all_of) / (N * P)
        s[c] = sqrt(sum((x[n, t, c] - m[c]) ** 2 for n, t in all_of) / (N * P) + record.eps)
        for n, t in all_of:
            x_h[n, t, c] = (x[n, t, c] - m[c]) / s[c]
            h[n, t, c] = gamma[c] * x_h[n, t, c] + beta[c]
    seen = SimpleNamespace(a=x_h, h=h)

    def as_images(positions):
        images = empty(N, C, P)
        for n, t, c in np.ndindex(*positions.shape):
            images[n, c, t] = positions[n, t, c]
        return images.reshape(z.shape)

    def back(D):
        g = seen.g = as_positions(D)
        seen.dW, seen.db, Dx = empty(C), empty(C), empty(*x.shape)
        for c in range(C):
            seen.dW[c] = sum(g[n, t, c] * x_h[n, t, c] for n, t in all_of)
            seen.db[c] = sum(g[n, t, c] for n, t in all_of)
            Ds = -sum(g[n, t, c] * gamma[c] * (x[n, t, c] - m[c]) for n, t in all_of) / s[c] ** 2
            Dv = Ds / (2 * s[c])
            Dm = -sum(g[n, t, c] * gamma[c] / s[c] + Dv * 2 * (x[n, t, c] - m[c]) / (N * P) for n, t in all_of)
            for n, t in all_of:
                Dx[n, t, c] = g[n, t, c] * gamma[c] / s[c] + Dv * 2 * (x[n, t, c] - m[c]) / (N * P) + Dm / (N * P)
        return as_images(Dx)

    return as_images(h), back, seen


def act(record, z):
    value, slope = {"linear": (lambda t: t, lambda t: 1), "relu": (lambda t: max(t, 0 * t), lambda t: int(t > 0))}[record.name]
    return np.frompyfunc(value, 1, 1)(z), lambda D: D * np.frompyfunc(slope, 1, 1)(z)


def max_pool(record, z):
    N, C, H, X = z.shape
    kh, kw = two(record.size)
    where, (rows, columns) = places(record, (kh, kw), H, X)
    h, winner = empty(N, C, rows, columns), {}
    for n, c in np.ndindex(N, C):
        for row, column, y, x in where:
            pixels = [(n, c, y + p, x + q) for p in range(kh) for q in range(kw)]
            winner[n, c, row, column] = max(pixels, key=lambda at: z[at])         # the first of the largest
            h[n, c, row, column] = z[winner[n, c, row, column]]

    def back(D):
        Dz = empty(*z.shape)
        for at, pixel in winner.items():
            Dz[pixel] += D[at]
        return Dz

    return h, back


def avg_pool(record, z):
    N, C, H, X = z.shape
    kh, kw = two(record.size)
    where, (rows, columns) = places(record, (kh, kw), H, X)
    h = empty(N, C, rows, columns)
    for n, c in np.ndindex(N, C):
        for row, column, y, x in where:
            h[n, c, row, column] = sum(z[n, c, y + p, x + q] for p in range(kh) for q in range(kw)) / (kh * kw)

    def back(D):
        Dz = empty(*z.shape)
        for n, c in np.ndindex(N, C):
            for row, column, y, x in where:
                for p, q in product(range(kh), range(kw)):
                    Dz[n, c, y + p, x + q] += D[n, c, row, column] / (kh * kw)
        return Dz

    return h, back


def flatten(record, z):
    return z.reshape(len(z), -1), lambda D: D.reshape(z.shape)


TRAINED = (nets.Dense, nets.Conv2d, nets.BatchNorm)
STEPS = {nets.Dense: dense, nets.Conv2d: conv, nets.BatchNorm: batch_norm, nets.Act: act, nets.MaxPool: max_pool,
         nets.AvgPool: avg_pool, nets.Flatten: flatten}
