"""Slow twins of R Algorithms 1 to 7 (chapter 2), written from the text: lists of numbers, loops over examples and units.

Every function is generic over the number type: `Fraction`, `fmpq`, `mpf`, `float` and `np.float32` all go through the same
lines. A vector is a list, a matrix is a list of rows, a layer's W is (d_o, d_i + 1) with the biases in its last column, a batch
is a list of pairs (x, y).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

# --------------------------------------------------------------------------------------------------------- vectors and matrices

def each(f, *trees):
    """f applied entry by entry to lists of lists of equal shape."""
    if isinstance(trees[0], list):
        return [each(f, *parts) for parts in zip(*trees, strict=True)]
    return f(*trees)


def add(X, Y):
    return each(lambda a, b: a + b, X, Y)


def sub(X, Y):
    return each(lambda a, b: a - b, X, Y)


def scale(c, X):
    return each(lambda a: c * a, X)


def mean(trees):
    """The bar of the text: the average over the examples of a minibatch."""
    trees = list(trees)
    total = trees[0]
    for tree in trees[1:]:
        total = add(total, tree)
    return each(lambda a: a / len(trees), total)


def dot(x, y):
    total = x[0] * y[0]
    for a, b in zip(x[1:], y[1:], strict=True):
        total = total + a * b
    return total


def transpose(X):
    return [list(column) for column in zip(*X, strict=True)]


def matvec(X, v):
    return [dot(row, v) for row in X]


def matmul(X, Y):
    columns = transpose(Y)
    return [[dot(row, column) for column in columns] for row in X]


def outer(x, y):
    return [[a * b for b in y] for a in x]


def identity(n, one):
    return [[one if i == j else one - one for j in range(n)] for i in range(n)]


def inverse(X):
    """Gauss-Jordan elimination with row exchanges."""
    n, one = len(X), X[0][0] / X[0][0] if X[0][0] != 0 else X[0][0] + 1
    rows = [list(row) + unit for row, unit in zip(X, identity(n, one), strict=True)]
    for j in range(n):
        pivot = max(range(j, n), key=lambda i: abs(rows[i][j]))
        rows[j], rows[pivot] = rows[pivot], rows[j]
        rows[j] = [a / rows[j][j] for a in rows[j]]
        for i in range(n):
            if i != j:
                factor = rows[i][j]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[j], strict=True)]
    return [row[n:] for row in rows]


def kron(X, Y):
    return [[a * b for a in x for b in y] for x in X for y in Y]


def vec(X):
    """Column by column."""
    return [X[i][j] for j in range(len(X[0])) for i in range(len(X))]


def unvec(v, rows):
    return transpose([v[start:start + rows] for start in range(0, len(v), rows)])


# ----------------------------------------------------------------------------------------------------------------- number types

class Numbers(NamedTuple):
    """What the twins need besides + − × ÷ and comparison."""

    cast: Callable          # an int or a Fraction -> a number
    sqrt: Callable
    exp: Callable | None = None
    tanh: Callable | None = None


# -------------------------------------------------------------------------------------------------------- networks: Algorithm 1

class Net(NamedTuple):
    activations: tuple      # a name for each layer
    loss: str               # "mse"; "bce" and "softmax_ce" take the last layer's output as logits
    numbers: Numbers


def activation(net, name, h):
    """φ(h) and φ′(h)."""
    one = net.numbers.cast(1)
    zero = one - one
    if name == "linear":
        return h, one
    if name == "relu":
        return (h, one) if h > 0 else (zero, zero)
    if name == "elu":
        return (h, one) if h > 0 else (net.numbers.exp(h) - 1, net.numbers.exp(h))
    if name == "tanh":
        t = net.numbers.tanh(h)
        return t, 1 - t * t
    if name == "logistic":
        z = 1 / (1 + net.numbers.exp(-h))
        return z, z * (1 - z)
    raise ValueError(name)


def loss_slope(net, z, y):
    """𝒟a_L = ∂𝓛/∂z at the network's output."""
    if net.loss == "mse":
        return [a - b for a, b in zip(z, y, strict=True)]
    if net.loss == "bce":
        return [1 / (1 + net.numbers.exp(-a)) - b for a, b in zip(z, y, strict=True)]
    powers = [net.numbers.exp(a - max(z)) for a in z]
    total = powers[0]
    for power in powers[1:]:
        total = total + power
    return [power / total - b for power, b in zip(powers, y, strict=True)]


class Passed(NamedTuple):
    """Algorithm 1 for one example, by layer."""

    a: list                 # ā_{l−1}, with its 1
    h: list
    g: list
    DW: list


def one_pass(net, Ws, x, y):
    """R Algorithm 1."""
    one = net.numbers.cast(1)
    a, bars, hs, slopes = list(x), [], [], []
    for W, name in zip(Ws, net.activations, strict=True):
        bar = [*a, one]
        h = matvec(W, bar)
        values = [activation(net, name, unit) for unit in h]
        a = [value for value, _ in values]
        bars.append(bar)
        hs.append(h)
        slopes.append([slope for _, slope in values])
    Da = loss_slope(net, a, y)
    gs, DWs = [], []
    for W, bar, slope in reversed(list(zip(Ws, bars, slopes, strict=True))):
        g = [d * s for d, s in zip(Da, slope, strict=True)]
        gs.insert(0, g)
        DWs.insert(0, outer(g, bar))
        Da = matvec(transpose(W), g)[:-1]
    return Passed(bars, hs, gs, DWs)


class Averages(NamedTuple):
    """The averages over a minibatch that chapter 2 uses, by layer."""

    a: list                 # mean of ā
    aa: list                # mean of ā āᵀ
    h: list
    g: list
    gg: list                # mean of g gᵀ
    DW: list                # ∇f̄


def averages(net, Ws, batch):
    passed = [one_pass(net, Ws, x, y) for x, y in batch]
    layers = range(len(Ws))
    return Averages(a=[mean(one.a[l] for one in passed) for l in layers],
                    aa=[mean(outer(one.a[l], one.a[l]) for one in passed) for l in layers],
                    h=[mean(one.h[l] for one in passed) for l in layers],
                    g=[mean(one.g[l] for one in passed) for l in layers],
                    gg=[mean(outer(one.g[l], one.g[l]) for one in passed) for l in layers],
                    DW=[mean(one.DW[l] for one in passed) for l in layers])


def gradient(net, hyper, Ws, DWs):
    """∇f̄ with the term (η/2)‖θ‖² of Section 2.8.2."""
    eta = net.numbers.cast(hyper.get("eta", 0))
    return DWs if eta == 0 else [add(DW, scale(eta, W)) for DW, W in zip(DWs, Ws, strict=True)]


def rate(net, hyper, k):
    """α, or α_k where the learning rate is a function of the step."""
    return net.numbers.cast(hyper["alpha"](k) if callable(hyper["alpha"]) else hyper["alpha"])


def moving(numbers, beta, old, new):
    beta = numbers.cast(beta)
    return add(scale(beta, old), scale(1 - beta, new))


def damped(A, root):
    """A + √λ I."""
    return [[entry + root if i == j else entry for j, entry in enumerate(row)] for i, row in enumerate(A)]


# ---------------------------------------------------------------------------------------- Algorithm 3, (2.6), (2.12), two loops

def double_damping(s, y, H, mu1, mu2):
    """R Algorithm 3."""
    Hy = matvec(H, y)
    yHy, sy = dot(y, Hy), dot(s, y)
    theta1 = (1 - mu1) * yHy / (yHy - sy) if sy < mu1 * yHy else 1
    s_t = add(scale(theta1, s), scale(1 - theta1, Hy))
    ss, sy = dot(s_t, s_t), dot(s_t, y)
    theta2 = (1 - mu2) * ss / (ss - sy) if sy < mu2 * ss else 1
    y_t = add(scale(theta2, y), scale(1 - theta2, s_t))
    return s_t, y_t


def bfgs(H, s, y):
    """(2.6), the printed triple product; H itself where s = y = 0, since ρ = 1/sᵀy does not exist."""
    if dot(s, y) == 0:
        return H
    rho = 1 / dot(s, y)
    one = rho / rho
    left = sub(identity(len(s), one), scale(rho, outer(s, y)))
    right = sub(identity(len(s), one), scale(rho, outer(y, s)))
    return add(matmul(matmul(left, H), right), scale(rho, outer(s, s)))


def bfgs_multiplied_out(H, s, y):
    """(2.6) term by term: H − ρ s(Hy)ᵀ − ρ (Hy)sᵀ + ρ(1 + ρ yᵀHy) ssᵀ."""
    if dot(s, y) == 0:
        return H
    rho, Hy = 1 / dot(s, y), matvec(H, y)
    mixed = add(outer(s, Hy), outer(Hy, s))
    return add(sub(H, scale(rho, mixed)), scale(rho * (1 + rho * dot(y, Hy)), outer(s, s)))


def dense_lbfgs(pairs, n, one):
    """(2.12): H_p from H_0 = I and the pairs, oldest first."""
    H = identity(n, one)
    for s, y in pairs:
        H = bfgs(H, s, y)
    return H


def two_loops(pairs, v):
    """Nocedal and Wright's Algorithm 7.4 with H_k⁰ = I: H v without H."""
    q, alphas = v, []
    for s, y in reversed(pairs):
        alpha = dot(s, q) / dot(y, s)
        q = sub(q, scale(alpha, y))
        alphas.insert(0, alpha)
    r = q
    for (s, y), alpha in zip(pairs, alphas, strict=True):
        b = dot(y, r) / dot(y, s)
        r = add(r, scale(alpha - b, s))
    return r


# -------------------------------------------------------------------------------------------------------- Algorithms 4, 5 and 7

def start(net, hyper, Ws, data):
    """Line 3 of Algorithms 4 and 5, and the warm start of Section 2.8.2."""
    numbers = net.numbers
    root, one = numbers.sqrt(numbers.cast(hyper["lam"])), numbers.cast(1)
    first = averages(net, Ws, data)
    sizes = [len(W) for W in Ws]
    return {"k": 0, "grad_h": [scale(one - one, W) for W in Ws], "A": first.aa,
            "H_a": [identity(len(A), one) if hyper.get("H_a_start") == "identity" else inverse(damped(A, root))
                    for A in first.aa],
            "H_g": [identity(d, one) for d in sizes], "pairs": [[] for _ in sizes], "grad_p": None,
            "s_g": [[one - one] * d for d in sizes], "y_g": [[one - one] * d for d in sizes]}


def kbfgs20_step(net, hyper, Ws, state, batch, memory=None):
    """Lines 5 to 24 of Algorithm 4: K-BFGS, or K-BFGS(L) with `memory` pairs. Returns W, the state and what the lines made."""
    numbers, beta = net.numbers, hyper["beta"]
    mu1, root = numbers.cast(hyper["mu1"]), numbers.sqrt(numbers.cast(hyper["lam"]))
    alpha = rate(net, hyper, state["k"] + 1)
    first = averages(net, Ws, batch)                                                                            # line 6
    grad = gradient(net, hyper, Ws, first.DW)
    if hyper.get("double_grad") and state["k"] > 0:                                                             # Section 2.8.3
        both = zip(grad, state["grad_p"], strict=True)
        grad = [each(lambda a, b: (a + b) / 2, now, before) for now, before in both]
    new = {"k": state["k"] + 1, **{name: [] for name in ("grad_h", "A", "H_a", "H_g", "pairs", "s_g", "y_g")}}
    made = {"grad": grad, **{name: [] for name in ("p", "W", "s_t", "y_t", "A_LM", "s_a", "y_a")}}
    for l, W in enumerate(Ws):
        new["grad_h"].append(moving(numbers, beta, state["grad_h"][l], grad[l]))                                # line 8
        made["p"].append(matmul(matmul(state["H_g"][l], new["grad_h"][l]), state["H_a"][l]))                    # line 9
        made["W"].append(sub(W, scale(alpha, made["p"][l])))                                                    # line 11
    second = averages(net, made["W"], batch)                                                                    # line 13
    for l in range(len(Ws)):
        new["s_g"].append(moving(numbers, beta, state["s_g"][l], sub(second.h[l], first.h[l])))                 # line 16
        new["y_g"].append(moving(numbers, beta, state["y_g"][l], sub(second.g[l], first.g[l])))
        s_t, y_t = double_damping(new["s_g"][l], new["y_g"][l], state["H_g"][l], mu1, root)                     # line 17
        if memory is None:                                                                                      # line 18
            new["pairs"].append([])
            new["H_g"].append(bfgs(state["H_g"][l], s_t, y_t))
        else:
            pairs = state["pairs"][l] + ([(s_t, y_t)] if dot(s_t, y_t) != 0 else [])
            new["pairs"].append(pairs[-memory:])
            new["H_g"].append(dense_lbfgs(new["pairs"][l], len(s_t), numbers.cast(1)))
        new["A"].append(moving(numbers, beta, state["A"][l], first.aa[l]))                                      # line 20
        A_LM = damped(new["A"][l], root)                                                                        # line 21
        s_a = matvec(state["H_a"][l], first.a[l])                                                               # line 22
        y_a = matvec(A_LM, s_a)
        new["H_a"].append(bfgs(state["H_a"][l], s_a, y_a))                                                      # line 23
        for name, value in (("s_t", s_t), ("y_t", y_t), ("A_LM", A_LM), ("s_a", s_a), ("y_a", y_a)):
            made[name].append(value)
    new["grad_p"] = gradient(net, hyper, made["W"], second.DW)
    return made["W"], new, {**new, **made}


def kbfgs20_l_skip_step(net, hyper, Ws, state, batch, memory):
    """Lines 5 to 24 of Algorithm 5."""
    numbers, beta = net.numbers, hyper["beta"]
    mu1, root = numbers.cast(hyper["mu1"]), numbers.sqrt(numbers.cast(hyper["lam"]))
    alpha = rate(net, hyper, state["k"] + 1)
    first = averages(net, Ws, batch)                                                                            # line 6
    new = {"k": state["k"] + 1, **{name: [] for name in ("A", "H_a", "H_g", "pairs", "s_g", "y_g")}}
    made = {"grad": gradient(net, hyper, Ws, first.DW), **{name: [] for name in ("p", "W", "s_t", "y_t", "A_LM", "taken")}}
    for l, W in enumerate(Ws):
        made["p"].append(matmul(matmul(state["H_g"][l], made["grad"][l]), state["H_a"][l]))                     # line 8
        made["W"].append(sub(W, scale(alpha, made["p"][l])))                                                    # line 10
    second = averages(net, made["W"], batch)                                                                    # line 12
    for l in range(len(Ws)):
        new["s_g"].append(moving(numbers, beta, state["s_g"][l], sub(second.h[l], first.h[l])))                 # line 15
        new["y_g"].append(moving(numbers, beta, state["y_g"][l], sub(second.g[l], first.g[l])))
        s_t, y_t = double_damping(new["s_g"][l], new["y_g"][l], state["H_g"][l], mu1, root)                     # line 16
        taken = dot(s_t, y_t) >= mu1 * dot(y_t, matvec(state["H_g"][l], y_t)) and dot(s_t, y_t) != 0            # line 17
        new["pairs"].append((state["pairs"][l] + [(s_t, y_t)])[-memory:] if taken else state["pairs"][l])       # line 18
        new["H_g"].append(dense_lbfgs(new["pairs"][l], len(s_t), numbers.cast(1)))
        new["A"].append(moving(numbers, beta, state["A"][l], first.aa[l]))                                      # line 21
        A_LM = damped(new["A"][l], root)                                                                        # line 22
        new["H_a"].append(inverse(A_LM))                                                                        # line 23
        for name, value in (("s_t", s_t), ("y_t", y_t), ("A_LM", A_LM), ("taken", taken)):
            made[name].append(value)
    return made["W"], new, {**new, **made}


def kfac20_start(net, hyper, Ws, data, data_sampled):
    """The warm start of Section 2.8.2: A and G over all data, and their inverses, which line 5 needs in the first step."""
    numbers = net.numbers
    root, one = numbers.sqrt(numbers.cast(hyper["lam"])), numbers.cast(1)
    A, G = averages(net, Ws, data).aa, averages(net, Ws, data_sampled).gg
    return {"k": 0, "grad_h": [scale(one - one, W) for W in Ws], "A": A, "G": G,
            "H_a": [inverse(damped(X, root)) for X in A], "H_g": [inverse(damped(X, root)) for X in G]}


def kfac20_step(net, hyper, Ws, state, batch, batch_sampled, before_update=True):
    """Lines 2 to 12 of Algorithm 7; `batch_sampled` pairs the same inputs with targets of the predictive distribution.

    Line 8 stands below the update of W. The code under test makes that pass with the W from which the targets were drawn,
    before the update (DEV-KFAC20-2); `before_update=False` is the order of the page.
    """
    numbers, beta, k = net.numbers, hyper["beta"], state["k"] + 1
    root, alpha = numbers.sqrt(numbers.cast(hyper["lam"])), rate(net, hyper, k)
    grad = gradient(net, hyper, Ws, averages(net, Ws, batch).DW)                                                # line 3
    new = {"k": k, **{name: [] for name in ("grad_h", "A", "G", "H_a", "H_g")}}
    made = {"grad": grad, "p": [], "W": []}
    for l, W in enumerate(Ws):
        new["grad_h"].append(moving(numbers, beta, state["grad_h"][l], grad[l]))
        made["p"].append(matmul(matmul(state["H_g"][l], new["grad_h"][l]), state["H_a"][l]))                    # line 5
        made["W"].append(sub(W, scale(alpha, made["p"][l])))                                                    # line 6
    second = averages(net, Ws if before_update else made["W"], batch_sampled)                                   # line 8
    for l in range(len(Ws)):
        new["A"].append(moving(numbers, beta, state["A"][l], second.aa[l]))                                     # line 9
        new["G"].append(moving(numbers, beta, state["G"][l], second.gg[l]))
        due = k <= hyper["T"] or k % hyper["T"] == 0                                                            # line 10
        new["H_a"].append(inverse(damped(new["A"][l], root)) if due else state["H_a"][l])                       # line 11
        new["H_g"].append(inverse(damped(new["G"][l], root)) if due else state["H_g"][l])
    return made["W"], new, {**new, **made}


# ------------------------------------------------------------------------------------------------------------------ Algorithm 6

def sqn(theta, alphas, minibatch_gradients, maker) -> list[Any]:
    """R Algorithm 6 on a vector θ: the iterates θ_1, θ_2, …; `maker(k, past)` makes H_k from the past (θ_j, ∇f̂_j), j < k."""
    iterates, past = [theta], []
    for k, (alpha, minibatch_gradient) in enumerate(zip(alphas, minibatch_gradients, strict=True), start=1):
        g = minibatch_gradient(iterates[-1])                                                                    # line 2
        H = maker(k, list(past))                                                                                # line 3
        past.append((iterates[-1], g))
        iterates.append(sub(iterates[-1], scale(alpha, matvec(H, g))))                                          # line 4
    return iterates
