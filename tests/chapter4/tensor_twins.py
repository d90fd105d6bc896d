"""Slow twins of R Algorithms 13 to 16 and of the block Fisher method (chapter 4), written from the text: lists and loops.

A tensor is a list of lists of … numbers, a gradient one such tensor for every W_1, b_1, W_2, b_2, …; directions come from the
dense Kronecker product of all modes. Generic over the number type, as the twins of chapter 2 are, whose networks are used here.
"""

from itertools import product

import twins
from twins import add, each, inverse, matmul, matvec, mean, scale, sub, transpose

# -------------------------------------------------------------------------------------------------------------- Section 4.2.1

def shape(A):
    return (len(A), *shape(A[0])) if isinstance(A, list) else ()


def at(A, index):
    for i in index:
        A = A[i]
    return A


def built(sizes, entry, index=()):
    """The tensor with these sizes whose entry at an index is entry(index)."""
    return entry(index) if not sizes else [built(sizes[1:], entry, (*index, j)) for j in range(sizes[0])]


def vec(A):
    """The bar: slices along the first dimension one below the other, each in the same way."""
    return [number for part in A for number in vec(part)] if isinstance(A[0], list) else list(A)


def unvec(v, sizes):
    strides = [1]
    for d in reversed(sizes[1:]):
        strides.insert(0, strides[0] * d)
    return built(sizes, lambda index: v[sum(i * s for i, s in zip(index, strides, strict=True))])


def mat(A, i):
    """Row j is the bar of the j-th slice along mode i, counted from 1."""
    sizes = shape(A)
    others = [range(d) for axis, d in enumerate(sizes) if axis != i - 1]
    return [[at(A, (*rest[:i - 1], j, *rest[i - 1:])) for rest in product(*others)] for j in range(sizes[i - 1])]


def contraction(A, i):
    return matmul(mat(A, i), transpose(mat(A, i)))


def contractions(A):
    return [contraction(A, i) for i in range(1, len(shape(A)) + 1)]


def kron_all(Us):
    found = Us[0]
    for U in Us[1:]:
        found = twins.kron(found, U)
    return found


def dense_product(Us, A):
    """(U_1 ⊗ ⋯ ⊗ U_k) times the bar of A, as a tensor."""
    return unvec(matvec(kron_all(Us), vec(A)), shape(A))


# ---------------------------------------------------------------------------------------------------------- Sections 4.3.3, 4.7

def trace(A):
    total = A[0][0]
    for i in range(1, len(A)):
        total = total + A[i][i]
    return total


def identified(E, root):
    """(4.10) from E[G⁽¹⁾], …, E[G⁽ᵏ⁾]; zeros where they are zero; root(x, k) is the k-th root."""
    k, n = len(E), 1
    for factor in E:
        n = n * len(factor)
    if k == 1 or trace(E[0]) == 0:
        return E
    c_0 = root(trace(E[0]) / n, k)
    power = c_0
    for _ in range(k - 2):
        power = power * c_0
    return [twins.scale(1 / (power * (n // len(factor))), factor) for factor in E]


def with_damping(A, eps):
    return [[a + eps if i == j else a for j, a in enumerate(row)] for i, row in enumerate(A)]


# ------------------------------------------------------------------------------------------------------------------- gradients

def tensors_of(Ws):
    """W_1, b_1, W_2, b_2, … from matrices with the biases as last column."""
    return [part for W in Ws for part in ([row[:-1] for row in W], [row[-1] for row in W])]


def matrices_of(tensors):
    """The inverse of `tensors_of`."""
    return [[[*row, b] for row, b in zip(W, bs, strict=True)] for W, bs in zip(tensors[0::2], tensors[1::2], strict=True)]


def averaged(net, Ws, batch):
    """The gradient averaged over the batch, tensor by tensor."""
    return tensors_of(twins.averages(net, Ws, batch).DW)


def with_penalty(net, hyper, tensors, gradient):
    eta = net.numbers.cast(hyper.get("eta", 0))
    return gradient if eta == 0 else [add(g, scale(eta, t)) for g, t in zip(gradient, tensors, strict=True)]


def over_batches(statistics, sizes):
    """Σ size · statistic over all batches, by their total size."""
    total = sum(sizes)
    found = [each(lambda a, n=sizes[0]: a * n / total, part) for part in statistics[0]]
    for statistic, n in zip(statistics[1:], sizes[1:], strict=True):
        found = [add(old, each(lambda a, n=n: a * n / total, part)) for old, part in zip(found, statistic, strict=True)]
    return found


# ----------------------------------------------------------------------------------------------- Algorithms 15 and 16: one frame

def factors(method, hyper, numbers, G_h):
    """What line 18 of Algorithm 15 (line 14 of Algorithm 16) multiplies with, and Ũ on the way."""
    eps, root = numbers.cast(hyper["eps"]), numbers.root
    if method == "shampoo":
        return None, [[numbers.inverse_root(with_damping(G, eps), 2 * len(Gs)) for G in Gs] for Gs in G_h]
    U_t = [identified(Gs, root) for Gs in G_h]
    return U_t, [[inverse(with_damping(U, eps)) for U in Us] for Us in U_t]


def start(method, net, hyper, Ws, batches):
    """Line 2, batch by batch, and the factors that the first steps need; `batches` with drawn targets for the true Fisher."""
    found = []
    for batch in batches:
        gradient = averaged(net, Ws, batch)
        if method != "tnt":
            gradient = with_penalty(net, hyper, tensors_of(Ws), gradient)
        found.append([contractions(G) for G in gradient])
    G_h = over_batches(found, [len(batch) for batch in batches])
    zero = net.numbers.cast(0)
    _, inverses = factors(method, hyper, net.numbers, G_h)
    return {"k": 0, "grad_h": [each(lambda a: zero, t) for t in tensors_of(Ws)], "G_h": G_h, "U_inv": inverses}


def step(method, net, hyper, Ws, state, batch, batch_sampled):
    """Lines 4 to 21 of Algorithm 15 ("tnt", "tnt_ef"), lines 4 to 17 of Algorithm 16 ("shampoo")."""
    numbers, k = net.numbers, state["k"] + 1
    mu, beta, gamma = (numbers.cast(hyper[name]) for name in ("mu", "beta", "gamma"))
    alpha, W = twins.rate(net, hyper, k), tensors_of(Ws)
    grad = with_penalty(net, hyper, W, averaged(net, Ws, batch))                                                # line 5
    due_1, due_2 = k % hyper["T_1"] == 0, k % hyper["T_2"] == 0
    G_b = []
    if due_1:                                                                                                   # lines 6, 7
        G_b = averaged(net, Ws, batch_sampled) if method == "tnt" else grad
    grad_h = [add(scale(mu, old), new) for old, new in zip(state["grad_h"], grad, strict=True)]                 # line 10
    G_h = state["G_h"]
    if due_1:                                                                                                   # lines 11, 12
        G_h = [[add(scale(beta, old), scale(1 - beta, contraction(G, i))) for i, old in enumerate(olds, start=1)]
               for olds, G in zip(G_h, G_b, strict=True)]
    U_t, inverses = factors(method, hyper, numbers, G_h) if due_2 else ([], state["U_inv"])                     # lines 14 to 16
    p = [dense_product(Us, g) for Us, g in zip(inverses, grad_h, strict=True)]                                  # line 18
    moved = [add(direction, scale(gamma, t)) for direction, t in zip(p, W, strict=True)]                        # line 19
    W = [sub(t, scale(alpha, direction)) for t, direction in zip(W, moved, strict=True)]                        # line 20
    new = {"k": k, "grad_h": grad_h, "G_h": G_h, "U_inv": inverses}
    return matrices_of(W), new, {**new, "grad": grad, "G_b": G_b, "U_t": U_t, "p": p, "theta": W}


# ---------------------------------------------------------------------------------------- Algorithm 14, and the Fisher matrices

def expectation(net, Ws, examples, targets, statistic):
    """E over the examples x and over y of statistic(gradient); targets(output) yields (probability, y) for all y."""
    found = []
    for x, _ in examples:
        a = x
        for W, name in zip(Ws, net.activations, strict=True):
            a = [twins.activation(net, name, h)[0] for h in matvec(W, [*a, net.numbers.cast(1)])]
        terms = []
        for probability, y in targets(a):
            value = statistic(tensors_of(twins.one_pass(net, Ws, x, y).DW))
            terms.append(each(lambda s, w=probability: w * s, value))
        total = terms[0]
        for term in terms[1:]:
            total = [add(old, new) for old, new in zip(total, term, strict=True)]
        found.append(total)
    return [mean(parts) for parts in zip(*found, strict=True)]


def ideal_step(net, hyper, Ws, k, batch, examples, targets):
    """Lines 2 to 6 of Algorithm 14."""
    numbers, W = net.numbers, tensors_of(Ws)
    eps = numbers.cast(hyper["eps"])
    grad = with_penalty(net, hyper, W, averaged(net, Ws, batch))                                                # line 3
    G = expectation(net, Ws, examples, targets, lambda gradient: [contractions(part) for part in gradient])     # line 4
    U_t = [identified(E, numbers.root) for E in G]
    U_inv = [[inverse(with_damping(U, eps)) for U in Us] for Us in U_t]
    p = [dense_product(Us, g) for Us, g in zip(U_inv, grad, strict=True)]                                       # line 5
    alpha = twins.rate(net, hyper, k)
    W = [sub(t, scale(alpha, direction)) for t, direction in zip(W, p, strict=True)]                            # line 6
    return matrices_of(W), {"grad": grad, "G": G, "U_t": U_t, "U_inv": U_inv, "p": p, "theta": W}


def block_fisher_step(net, hyper, Ws, state, batch, batch_sampled):
    """The block Fisher method of Section 4.3.4, each block one layer's W̄ read row by row."""
    numbers, k = net.numbers, state["k"] + 1
    beta, eps = numbers.cast(hyper["beta"]), numbers.cast(hyper["eps"])
    grad = twins.gradient(net, hyper, Ws, twins.averages(net, Ws, batch).DW)
    grad_h = [twins.moving(numbers, hyper["beta"], old, new) for old, new in zip(state["grad_h"], grad, strict=True)]
    sampled = fisher_blocks(net, Ws, batch_sampled)
    F = [add(scale(beta, old), scale(1 - beta, new)) for old, new in zip(state["F"], sampled, strict=True)]
    p = [unvec(matvec(inverse(with_damping(block, eps)), vec(g)), shape(g)) for block, g in zip(F, grad_h, strict=True)]
    alpha = twins.rate(net, hyper, k)
    new = {"k": k, "grad_h": grad_h, "F": F}
    W = [sub(w, scale(alpha, direction)) for w, direction in zip(Ws, p, strict=True)]
    return W, new, {**new, "grad": grad, "p": p, "W": W}


def fisher_blocks(net, Ws, batch_sampled):
    """By layer: the mean over examples of the outer product of the bar of each example's own gradient in W̄."""
    gradients = [twins.one_pass(net, Ws, x, y).DW for x, y in batch_sampled]
    return [mean(twins.outer(vec(DW[l]), vec(DW[l])) for DW in gradients) for l in range(len(Ws))]
