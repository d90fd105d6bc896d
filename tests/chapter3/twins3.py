"""Slow twins of R Algorithms 8 to 12 (chapter 3), written from the text: lists of numbers, loops over examples and pixels.

Every function is generic over the number type, as in chapter 2. A vector is a list, a matrix a list of rows, an image a list of
channels, each a list of rows; a batch is a list of pairs (x, y), data are a list of batches.

A net is made of records, plain tuples: ("dense",)   ("conv", (kh, kw), (down, across), "same" or "valid")   ("act", name)
("max_pool", (kh, kw), (down, across))   ("avg_pool", (kh, kw), (down, across))   ("flatten",)   ("bn", ε)
("residual", records, records of the shortcut, none for the identity).

Parameters are a list with one matrix a trainable layer, in the order of execution, a shortcut after what it is added to: the W of
(3.2), (I, J|Δ| + 1), of "conv": one row an output channel; its columns channel by channel, within a channel offset by offset, row
by row, and the bias last; (d_o, d_i + 1) of "dense"; the two rows γ, β of "bn". Lists by layer have None where a line does not
concern a layer.
"""

from itertools import product
from types import SimpleNamespace
from typing import Any, NamedTuple

from twins import (
    Numbers,
    activation,
    add,
    bfgs,
    damped,
    dot,
    double_damping,
    identity,
    inverse,
    kron,
    loss_slope,
    matmul,
    matvec,
    mean,
    moving,
    outer,
    rate,
    scale,
    sub,
)

# -------------------------------------------------------------------------------------------------------- passes: (3.1), Theorem 3

class Net(NamedTuple):
    records: Any
    loss: str               # "mse"; "bce" and "softmax_ce" take the last layer's output as logits
    numbers: Numbers


def passes(net, Ws, batch):
    """A forward and a backward pass over a batch: for every trainable layer, in order, what `trained` leaves, with
    g[n][t] = 𝒟h_t(n), the derivative of the *sum* of all losses: that of example n's own loss where no "bn" couples them."""
    outputs, seen, back = walk(net, net.records, iter(Ws), [x for x, _ in batch])
    back([loss_slope(net, z, y) for z, (_, y) in zip(outputs, batch, strict=True)])
    return seen


def outputs(net, Ws, xs):
    return walk(net, net.records, iter(Ws), xs)[0]


def walk(net, records, Ws, zs):
    """All examples through all records: the outputs, what was seen, and a function from their 𝒟 to the 𝒟 of the inputs."""
    seen, backs = [], []
    for kind, *given in records:
        if kind == "residual":
            one, seen_one, back_one = walk(net, given[0], Ws, zs)
            other, seen_other, back_other = walk(net, given[1], Ws, zs)
            zs = add(one, other)
            seen += seen_one + seen_other
            backs.append(lambda Ds, one=back_one, other=back_other: add(one(Ds), other(Ds)))
        elif kind in TRAINED:
            zs, back, found = TRAINED[kind](net, next(Ws), zs, *given)
            seen.append(found)
            backs.append(back)
        else:
            results = [PLAIN[kind](net, z, *given) for z in zs]
            zs = [z for z, _ in results]
            backs.append(lambda Ds, results=results: [back(D) for (_, back), D in zip(results, Ds, strict=True)])

    def back(Ds):
        for step in reversed(backs):
            Ds = step(Ds)
        return Ds

    return zs, seen, back


def zeros(net, *shape):
    zero = net.numbers.cast(0)
    return [zeros(net, *shape[1:]) for _ in range(shape[0])] if shape else zero


def size(z):
    return len(z), len(z[0]), len(z[0][0])


def dense(net, W, zs):
    one = net.numbers.cast(1)
    a = [[[*z, one]] for z in zs]
    h = [[matvec(W, a_n[0])] for a_n in a]
    seen = SimpleNamespace(kind="dense", a=a, h=h)

    def back(Ds):
        seen.g = [[D] for D in Ds]
        return [[dot([row[j] for row in W], D) for j in range(len(W[0]) - 1)] for D in Ds]

    return [h_n[0] for h_n in h], back, seen


def positions(shape, kernel, stride, padding):
    """The pixel under the first offset of the kernel for every position t, row by row, and how many rows and columns there are.

    "same": t is the pixel under the middle of the kernel, and is every stride-th pixel from the first one on."""
    (_, H, X), (kh, kw), (down, across) = shape, kernel, stride
    top, left = ((kh - 1) // 2, (kw - 1) // 2) if padding == "same" else (0, 0)
    rows = range(0, H if padding == "same" else H - kh + 1, down)
    columns = range(0, X if padding == "same" else X - kw + 1, across)
    return [(y - top, x - left) for y in rows for x in columns], (len(rows), len(columns))


def conv(net, W, zs, kernel, stride, padding):
    """(3.1): h_{i,t} = Σ_j Σ_δ w_{i,j,δ} a_{j,t+δ} + b_i, with a_{j,t+δ} = 0 outside of the image."""
    zero, one, shape = net.numbers.cast(0), net.numbers.cast(1), size(zs[0])
    J, H, X = shape
    kh, kw = kernel
    T, (rows, columns) = positions(shape, kernel, stride, padding)
    offsets = list(product(range(kh), range(kw)))

    def inside(y, x):
        return 0 <= y < H and 0 <= x < X

    def w(i, j, p, q):
        return W[i][j * kh * kw + p * kw + q]

    def a_t(z, y, x):
        return [z[j][y + p][x + q] if inside(y + p, x + q) else zero for j in range(J) for p, q in offsets] + [one]

    def h_it(i, z, y, x):
        total = W[i][-1]
        for j in range(J):
            for p, q in offsets:
                if inside(y + p, x + q):
                    total = total + w(i, j, p, q) * z[j][y + p][x + q]
        return total

    seen = SimpleNamespace(kind="conv", a=[[a_t(z, y, x) for y, x in T] for z in zs],
                           h=[[[h_it(i, z, y, x) for i in range(len(W))] for y, x in T] for z in zs])

    def back(Ds):
        seen.g = [as_positions(D) for D in Ds]
        found = []
        for g in seen.g:
            Dz = zeros(net, *shape)
            for (y, x), Dh in zip(T, g, strict=True):
                for i, j, (p, q) in product(range(len(W)), range(J), offsets):
                    if inside(y + p, x + q):
                        Dz[j][y + p][x + q] = Dz[j][y + p][x + q] + Dh[i] * w(i, j, p, q)
            found.append(Dz)
        return found

    return [as_image(h, rows, columns) for h in seen.h], back, seen


def as_positions(z):
    """A vector as one position; an image (C, H, W) as H·W vectors of C channels, row by row."""
    if not isinstance(z[0], list):
        return [z]
    C, H, X = size(z)
    return [[z[c][y][x] for c in range(C)] for y in range(H) for x in range(X)]


def as_image(h, rows, columns):
    return [[[h[y * columns + x][c] for x in range(columns)] for y in range(rows)] for c in range(len(h[0]))]


def batch_norm(net, W, zs, eps):
    """γ x̂ + β with x̂ = (x − m)/s, s = √(v + ε), m and v the mean and the biased variance over all examples and positions."""
    gamma, beta = W
    xs = [as_positions(z) for z in zs]
    channels, count = range(len(gamma)), len(xs) * len(xs[0])

    def over_all(vectors):
        """The mean over examples and positions, channel by channel."""
        return mean(mean(by_position) for by_position in vectors)

    m = over_all(xs)
    v = over_all([[[(x[c] - m[c]) * (x[c] - m[c]) for c in channels] for x in x_n] for x_n in xs])
    s = [net.numbers.sqrt(v[c] + net.numbers.cast(eps)) for c in channels]
    x_h = [[[(x[c] - m[c]) / s[c] for c in channels] for x in x_n] for x_n in xs]
    h = [[[gamma[c] * x[c] + beta[c] for c in channels] for x in x_n] for x_n in x_h]
    seen = SimpleNamespace(kind="bn", a=x_h, h=h)

    def shaped(vectors, z):
        return as_image(vectors, len(z[0]), len(z[0][0])) if isinstance(z[0], list) else vectors[0]

    def back(Ds):
        """∂x̂_i/∂x_j = (δ_ij − 1/M − x̂_i x̂_j/M)/s over the M entries of a channel."""
        g = seen.g = [as_positions(D) for D in Ds]
        entries = [(n, t) for n in range(len(xs)) for t in range(len(xs[0]))]
        Dx = [[list(x) for x in x_n] for x_n in xs]
        for c in channels:
            for n, t in entries:
                total = g[n][t][c]
                for i, u in entries:
                    total = total - g[i][u][c] * (1 + x_h[i][u][c] * x_h[n][t][c]) / count
                Dx[n][t][c] = gamma[c] * total / s[c]
        return [shaped(vectors, z) for vectors, z in zip(Dx, zs, strict=True)]

    return [shaped(vectors, z) for vectors, z in zip(h, zs, strict=True)], back, seen


def act(net, z, name):
    """φ entry by entry."""
    if isinstance(z, list):
        results = [act(net, part, name) for part in z]
        return [value for value, _ in results], lambda D: [back(d) for (_, back), d in zip(results, D, strict=True)]
    value, slope = activation(net, name, z)
    return value, lambda D: D * slope


def pooled(net, z, kernel, stride, shares):
    """`shares(pixels of a window, row by row)` says with which weight each counts; the derivative takes the same way back."""
    C = len(z)
    T, (rows, columns) = positions(size(z), kernel, stride, "valid")
    h, weights = zeros(net, C, rows, columns), []
    for c, (t, (y, x)) in product(range(C), enumerate(T)):
        pixels = [(y + p, x + q) for p, q in product(range(kernel[0]), range(kernel[1]))]
        found = shares([z[c][at][to] for at, to in pixels])
        row, column = divmod(t, columns)
        h[c][row][column] = dot(found, [z[c][at][to] for at, to in pixels])
        weights.append((c, row, column, list(zip(pixels, found, strict=True))))

    def back(D):
        Dz = zeros(net, *size(z))
        for c, row, column, window in weights:
            for (y, x), share in window:
                Dz[c][y][x] = Dz[c][y][x] + D[c][row][column] * share
        return Dz

    return h, back


def max_pool(net, z, kernel, stride):
    def first_of_the_largest(values):
        return [net.numbers.cast(int(i == values.index(max(values)))) for i in range(len(values))]

    return pooled(net, z, kernel, stride, first_of_the_largest)


def avg_pool(net, z, kernel, stride):
    return pooled(net, z, kernel, stride, lambda values: [net.numbers.cast(1) / len(values) for _ in values])


def flatten(net, z):
    C, H, X = size(z)
    return ([z[c][y][x] for c in range(C) for y in range(H) for x in range(X)],
            lambda D: [[[D[c * H * X + y * X + x] for x in range(X)] for y in range(H)] for c in range(C)])


TRAINED = {"dense": dense, "conv": conv, "bn": batch_norm}
PLAIN = {"act": act, "max_pool": max_pool, "avg_pool": avg_pool, "flatten": flatten}


# ------------------------------------------------------------------------------------------------------------ averages, (3.9)

class Averages(NamedTuple):
    """What chapter 3 averages over a minibatch, by layer. Outer bar: the mean over positions, tilde: the mean over examples."""

    P: list                 # |𝒯|
    each_a: list            # a_t(n), by example and position, for (3.15)
    a: list                 # mean over n and t of a_t
    A: list                 # mean over n of Σ_t a_t a_tᵀ
    h: list                 # mean over n and t of h_t
    Dh: list                # mean over n and t of 𝒟h_t
    DhDh: list              # mean over n and t of 𝒟h_t 𝒟h_tᵀ
    DW: list                # mean over n of Σ_t 𝒟h_t a_tᵀ; of "bn" the rows 𝒟γ, 𝒟β


def summed(trees):
    total, *others = trees
    for tree in others:
        total = add(total, tree)
    return total


def averages(net, Ws, batch):
    """One pass over one batch."""
    found = Averages(*[[] for _ in Averages._fields])
    for seen in passes(net, Ws, batch):
        both = [list(zip(a_n, g_n, strict=True)) for a_n, g_n in zip(seen.a, seen.g, strict=True)]
        if seen.kind == "bn":
            values = [None] * 7
            DW = mean(summed([[Dh_c * x_c for Dh_c, x_c in zip(Dh, x_h, strict=True)], Dh] for x_h, Dh in by_t) for by_t in both)
        else:
            values = [len(seen.a[0]), seen.a, mean(map(mean, seen.a)),
                      mean(summed(outer(a_t, a_t) for a_t in a_n) for a_n in seen.a),
                      mean(map(mean, seen.h)), mean(map(mean, seen.g)),
                      mean(mean(outer(Dh_t, Dh_t) for Dh_t in g_n) for g_n in seen.g)]
            DW = mean(summed(outer(Dh_t, a_t) for a_t, Dh_t in by_t) for by_t in both)
        for field, value in zip(found, [*values, DW], strict=True):
            field.append(value)
    return found


def over_data(net, Ws, data, field):
    """One field of the averages over a whole data set, by layer: every batch with the weight of its size."""
    total = sum(len(batch) for batch in data)
    by_batch = [[None if value is None else scale(net.numbers.cast(len(batch)) / total, value)
                 for value in getattr(averages(net, Ws, batch), field)] for batch in data]
    return [None if values[0] is None else summed(values) for values in zip(*by_batch, strict=True)]


# ------------------------------------------------------------------------------------- Algorithms 8, 11, L-BFGS, (3.14), (3.15)

def d_p_d_lm(s, y, H, mu1, mu2):
    """R Algorithm 8."""
    Hy = matvec(H, y)
    sy, yHy = dot(s, y), dot(y, Hy)
    theta1 = (1 - mu1) * yHy / (yHy - sy) if sy < mu1 * yHy else 1                                          # lines 2 to 6
    s_t = add(scale(theta1, s), scale(1 - theta1, Hy))                                                      # line 7
    return s_t, add(y, scale(mu2, s_t))                                                                     # lines 8, 9


def d_pi_d_lm(s, y, mu1, mu2):
    """R Algorithm 11."""
    sy, yy = dot(s, y), dot(y, y)
    theta1 = (1 - mu1) * yy / mu2 / (yy / mu2 - sy) if sy < mu1 * (yy / mu2) else 1                         # lines 2 to 6
    s_t = add(scale(theta1, s), scale((1 - theta1) / mu2, y))                                               # line 7
    return s_t, add(y, scale(mu2, s_t))                                                                     # lines 8, 9


def dense_lbfgs(pairs, n, one, lambda_G):
    """(3.16): H_p from H_0 = I/λ_G and the pairs, oldest first, by (3.11)."""
    H = scale(1 / lambda_G, identity(n, one))
    for s, y in pairs:
        H = bfgs(H, s, y)
    return H


def remembered(pairs, s_t, y_t, memory):
    """The last `memory` pairs; a pair of zeros has no ρ and is not taken (ERR-21)."""
    return ([*pairs, (s_t, y_t)] if dot(s_t, y_t) != 0 else pairs)[-memory:]


def a_hat(each_a):
    """â = E_n[(1/|𝒯|) Σ_t a_t(n)]."""
    return mean(map(mean, each_a))


def hessian_action_pair(H_A, each_a, lambda_A):
    """(3.14) with A s_A by (3.15): a sum over examples and positions of (a_tᵀ s_A) a_t."""
    s_A = matvec(H_A, a_hat(each_a))
    As_A = mean(summed(scale(dot(a_t, s_A), a_t) for a_t in a_n) for a_n in each_a)
    return s_A, add(As_A, scale(lambda_A, s_A))


def hessian_action_pair_formed(H_A, each_a, lambda_A):
    """(3.14) with the A of (3.9)."""
    A = mean(summed(outer(a_t, a_t) for a_t in a_n) for a_n in each_a)
    s_A = matvec(H_A, a_hat(each_a))
    return s_A, add(matvec(A, s_A), scale(lambda_A, s_A))


# ----------------------------------------------------------------------------------------------------------- Algorithms 9 and 10

def split_damping(net, hyper, P):
    """λ_A and λ_G of a layer with P positions; those that `hyper` gives for all layers, which Algorithm 10 leaves open."""
    if "lam_A" in hyper:
        return net.numbers.cast(hyper["lam_A"]), net.numbers.cast(hyper["lam_G"])
    root, root_P = net.numbers.sqrt(net.numbers.cast(hyper["lam"])), net.numbers.sqrt(net.numbers.cast(P))
    return root_P * root, root / root_P                                                                     # R9 line 2


def descended(net, hyper, W, p, alpha):
    """Line 10 with Section 3.7.2: W − α_k (p + γW). All of the W of (3.2) decays, the bias too; parameters of "bn" do not, since
    Section 3.7.2 changes line 10 only and these are updated by Section 3.4.3."""
    return sub(W, scale(alpha, add(p, scale(net.numbers.cast(hyper.get("gamma", 0)), W))))


def sizes_of(net, Ws, batch):
    """Positions by layer, None for "bn"."""
    return [None if seen.kind == "bn" else len(seen.a[0]) for seen in passes(net, Ws, batch)]


def kbfgs_start(net, hyper, Ws, data):
    """Line 3 of Algorithm 9. The moving average of A, which `improvement2=False` needs, starts from the same A_l."""
    zero = net.numbers.cast(0)
    state = {"k": 0, "DW_h": [scale(zero, W) for W in Ws], "A": over_data(net, Ws, data, "A"),
             **{name: [] for name in ("H_A", "H_G", "pairs", "s_G", "y_G")}}
    for W, A, P in zip(Ws, state["A"], sizes_of(net, Ws, data[0][:1]), strict=True):
        if P is None:
            values = [None] * 5
        else:
            lambda_A, lambda_G = split_damping(net, hyper, P)
            values = [inverse(damped(A, lambda_A)), dense_lbfgs([], len(W), zero + 1, lambda_G), [],
                      [zero] * len(W), [zero] * len(W)]
        for name, value in zip(("H_A", "H_G", "pairs", "s_G", "y_G"), values, strict=True):
            state[name].append(value)
    return state


LINES_13_TO_21 = ("a_h", "s_A", "y_A", "A_LM", "s_t", "y_t")


def kbfgs_step(net, hyper, Ws, state, batch, memory=None):
    """Lines 5 to 23 of Algorithm 9: K-BFGS, or K-BFGS(L) with `memory` pairs. Returns W, the state and what the lines made.

    `improvement1=False` damps by Algorithm 3 in place of Algorithm 8, `improvement2=False` takes y_A from the moving average of A
    (Algorithm 4, lines 20 to 22) in place of the minibatch's A: the two columns of Table 3.8.
    """
    numbers, beta, k = net.numbers, hyper["beta"], state["k"] + 1
    one, mu1, alpha = numbers.cast(1), numbers.cast(hyper["mu1"]), rate(net, hyper, k)
    first = averages(net, Ws, batch)                                                                        # line 6
    new = {**state, "k": k, "DW_h": []}
    made = {"DW": first.DW, "p": [], "W": [], **{name: [None] * len(Ws) for name in LINES_13_TO_21}}
    for l, W in enumerate(Ws):
        new["DW_h"].append(add(scale(numbers.cast(beta), state["DW_h"][l]), first.DW[l]))                   # line 8
        if first.P[l] is None:
            made["p"].append(None)
            made["W"].append(sub(W, scale(alpha / numbers.cast(hyper["lam"]), new["DW_h"][l])))             # Section 3.4.3
            continue
        made["p"].append(matmul(matmul(state["H_G"][l], new["DW_h"][l]), state["H_A"][l]))                  # line 9
        made["W"].append(descended(net, hyper, W, made["p"][l], alpha))                                     # line 10
    if k % hyper["T"] != 0:                                                                                 # line 12
        return made["W"], new, {**new, **made}
    new |= {name: list(state[name]) for name in ("A", "H_A", "H_G", "pairs", "s_G", "y_G")}
    second = averages(net, made["W"], batch)                                                                # line 13
    for l, P in enumerate(first.P):
        if P is None:
            continue
        lambda_A, lambda_G = split_damping(net, hyper, P)
        A_LM = None
        if hyper.get("improvement2", True):
            s_A, y_A = hessian_action_pair(state["H_A"][l], first.each_a[l], lambda_A)                      # line 16
        else:
            new["A"][l] = moving(numbers, beta, state["A"][l], first.A[l])                                  # R4 line 20
            A_LM = damped(new["A"][l], lambda_A)                                                            # R4 line 21
            s_A = matvec(state["H_A"][l], first.a[l])                                                       # R4 line 22
            y_A = matvec(A_LM, s_A)
        new["H_A"][l] = bfgs(state["H_A"][l], s_A, y_A)                                                     # line 17
        new["s_G"][l] = moving(numbers, beta, state["s_G"][l], sub(second.h[l], first.h[l]))                # line 19
        new["y_G"][l] = moving(numbers, beta, state["y_G"][l], sub(second.Dh[l], first.Dh[l]))
        if not hyper.get("improvement1", True) and lambda_G > 1:
            raise ValueError("Algorithm 3 needs μ₂ = λ_G ≤ 1 (DEV-DD-1)")
        damping = d_p_d_lm if hyper.get("improvement1", True) else double_damping
        s_t, y_t = damping(new["s_G"][l], new["y_G"][l], state["H_G"][l], mu1, lambda_G)                    # line 20
        if memory is None:
            new["H_G"][l] = bfgs(state["H_G"][l], s_t, y_t)                                                 # line 21
        else:
            new["pairs"][l] = remembered(state["pairs"][l], s_t, y_t, memory)                               # line 21
            new["H_G"][l] = dense_lbfgs(new["pairs"][l], len(s_t), one, lambda_G)
        for name, value in zip(LINES_13_TO_21, (first.a[l], s_A, y_A, A_LM, s_t, y_t), strict=True):
            made[name][l] = value
    return made["W"], new, {**new, **made}


def kbfgs_l_exact_start(net, hyper, Ws, data):
    """Line 1 of Algorithm 10."""
    state = kbfgs_start(net, hyper, Ws, data)
    del state["DW_h"]
    return state


def kbfgs_l_exact_step(net, hyper, Ws, state, batch, memory):
    """Lines 3 to 17 of Algorithm 10; λ_A^l and λ_G^l, which it leaves open, are those of Algorithm 9.

    It knows dense and convolutional layers only. Parameters of "bn" follow Section 3.4.3 with the gradient that this algorithm has,
    which is without momentum. T = 1 as printed; `T` in hyper is that of Section 3.6, "all the proofs and results still hold".
    """
    numbers, beta, k = net.numbers, hyper["beta"], state["k"] + 1
    one, mu1, alpha = numbers.cast(1), numbers.cast(hyper["mu1"]), rate(net, hyper, k)
    first = averages(net, Ws, batch)                                                                        # line 4
    new = {**state, "k": k}
    made = {"DW": first.DW, "p": [], "W": [], **{name: [None] * len(Ws) for name in ("A_h", "s_t", "y_t")}}
    for l, W in enumerate(Ws):
        if first.P[l] is None:
            made["p"].append(None)
            made["W"].append(sub(W, scale(alpha / numbers.cast(hyper["lam"]), first.DW[l])))                # Section 3.4.3
            continue
        made["p"].append(matmul(matmul(state["H_G"][l], first.DW[l]), state["H_A"][l]))                     # line 6
        made["W"].append(descended(net, hyper, W, made["p"][l], alpha))                                     # line 7
    if k % hyper.get("T", 1) != 0:
        return made["W"], new, {**new, **made}
    new |= {name: list(state[name]) for name in ("A", "H_A", "H_G", "pairs", "s_G", "y_G")}
    second = averages(net, made["W"], batch)                                                                # line 9
    for l, P in enumerate(first.P):
        if P is None:
            continue
        lambda_A, lambda_G = split_damping(net, hyper, P)
        new["A"][l] = first.A[l]                                                                            # line 12
        new["H_A"][l] = inverse(damped(first.A[l], lambda_A))
        new["s_G"][l] = moving(numbers, beta, state["s_G"][l], sub(second.h[l], first.h[l]))                # line 14
        new["y_G"][l] = moving(numbers, beta, state["y_G"][l], sub(second.Dh[l], first.Dh[l]))
        s_t, y_t = d_pi_d_lm(new["s_G"][l], new["y_G"][l], mu1, lambda_G)                                   # line 15
        new["pairs"][l] = remembered(state["pairs"][l], s_t, y_t, memory)                                   # line 16
        new["H_G"][l] = dense_lbfgs(new["pairs"][l], len(s_t), one, lambda_G)
        for name, value in (("A_h", first.A[l]), ("s_t", s_t), ("y_t", y_t)):
            made[name][l] = value
    return made["W"], new, {**new, **made}


# ------------------------------------------------------------------------------------------------------------------ Algorithm 12

def trace(X):
    return summed(X[i][i] for i in range(len(X)))


def pi_kron(Omega, Gamma, sqrt):
    """π of line 19 as printed, the identities as large as the Kronecker product Ω ⊗ Γ asks: trace(Ω ⊗ I)/trace(I ⊗ Γ)."""
    one = Omega[-1][-1] / Omega[-1][-1]
    return sqrt(trace(kron(Omega, identity(len(Gamma), one))) / trace(kron(identity(len(Omega), one), Gamma)))


def pi_traces(Omega, Gamma, sqrt):
    """The same: I trace(Ω) / ((J|Δ| + 1) trace(Γ)), a ratio of mean eigenvalues."""
    return sqrt(len(Gamma) * trace(Omega) / (len(Omega) * trace(Gamma)))


def damped_inverses(net, hyper, Omega, Gamma):
    """Line 19: π_l, H_Ω, H_Γ.

    trace(Ω) is at least |𝒯|, the share of the homogeneous 1, so that the quotient is never 0/0. Where no example has a derivative,
    trace(Γ) = 0 and π = ∞, for which the printed H_Ω is 0 and the printed H_Γ is 0⁻¹. For Γ → 0, H_Ω ⊗ H_Γ tends to I/λ.
    hyper["dead"] says what is done: "limit", H_Ω = H_Γ = I/√λ; or a number that stands for π.
    """
    numbers = net.numbers
    root, one = numbers.sqrt(numbers.cast(hyper["lam"])), numbers.cast(1)
    if trace(Gamma) == 0 and hyper["dead"] == "limit":
        return None, scale(1 / root, identity(len(Omega), one)), scale(1 / root, identity(len(Gamma), one))
    pi = numbers.cast(hyper["dead"]) if trace(Gamma) == 0 else pi_traces(Omega, Gamma, numbers.sqrt)
    return pi, inverse(damped(Omega, pi * root)), inverse(damped(Gamma, root / pi))


def kfac_start(net, hyper, Ws, data, data_sampled):
    """Line 2 of Algorithm 12. Line 8 of the first T₂ − 1 steps needs inverses that line 19 has not computed: they are those of line
    19 from the warm start."""
    state = {"k": 0, "DW_h": [scale(net.numbers.cast(0), W) for W in Ws],
             "Omega": over_data(net, Ws, data, "A"), "Gamma": over_data(net, Ws, data_sampled, "DhDh"),
             **{name: [] for name in ("pi", "H_Omega", "H_Gamma")}}
    for Omega, Gamma in zip(state["Omega"], state["Gamma"], strict=True):
        values = [None] * 3 if Omega is None else damped_inverses(net, hyper, Omega, Gamma)
        for name, value in zip(("pi", "H_Omega", "H_Gamma"), values, strict=True):
            state[name].append(value)
    return state


def kfac_step(net, hyper, Ws, state, batch, batch_sampled, before_update=True):
    """Lines 4 to 21 of Algorithm 12; `batch_sampled` pairs the same inputs with targets of the predictive distribution.

    The pass of line 12 stands below the update of W. The code under test makes it with the W from which the targets were drawn,
    before the update; `before_update=False` is the order of the page. Parameters of "bn" follow Section 3.7.2, "with the gradient
    direction, along with the same learning rate α"; hyper["bn"] = "momentum" takes this to be line 7's.
    """
    numbers, beta, k = net.numbers, hyper["beta"], state["k"] + 1
    alpha = rate(net, hyper, k)
    first = averages(net, Ws, batch)                                                                        # line 5
    new = {**state, "k": k, "DW_h": []} | {name: list(state[name]) for name in ("Omega", "Gamma", "pi", "H_Omega", "H_Gamma")}
    made = {"DW": first.DW, "p": [], "W": []}
    for l, W in enumerate(Ws):
        new["DW_h"].append(add(scale(numbers.cast(beta), state["DW_h"][l]), first.DW[l]))                   # line 7
        if first.P[l] is None:
            direction = new["DW_h"][l] if hyper.get("bn", "gradient") == "momentum" else first.DW[l]
            made["p"].append(None)
            made["W"].append(sub(W, scale(alpha, direction)))                                               # Section 3.7.2
            continue
        made["p"].append(matmul(matmul(state["H_Gamma"][l], new["DW_h"][l]), state["H_Omega"][l]))          # line 8
        made["W"].append(descended(net, hyper, W, made["p"][l], alpha))                                     # line 9
    layers = [l for l, P in enumerate(first.P) if P is not None]
    if k % hyper["T_1"] == 0:                                                                               # line 11
        second = averages(net, Ws if before_update else made["W"], batch_sampled)                           # line 12
        for l in layers:
            new["Omega"][l] = moving(numbers, beta, state["Omega"][l], second.A[l])                         # line 14
            new["Gamma"][l] = moving(numbers, beta, state["Gamma"][l], second.DhDh[l])
    if k % hyper["T_2"] == 0:                                                                               # line 17
        for l in layers:
            found = damped_inverses(net, hyper, new["Omega"][l], new["Gamma"][l])                           # line 19
            new["pi"][l], new["H_Omega"][l], new["H_Gamma"][l] = found
    return made["W"], new, {**new, **made}


def kfac_ef_start(net, hyper, Ws, data):
    """K-FAC with the empirical Fisher matrix: Γ from the data's own targets."""
    return kfac_start(net, hyper, Ws, data, data)


def kfac_ef_step(net, hyper, Ws, state, batch):
    return kfac_step(net, hyper, Ws, state, batch, batch)
