"""R Algorithms 14, 15 and 16 once more, from the text alone: lists, loops, and derivatives of single numbers.

Nothing of the repository is imported, and no other twin. Numbers are rationals (Fraction, fmpq) or mpmath's; a root is taken only
where the text has one of order 2 or more. Gradients come from a record of every product and sum (`Number`), so that no formula of a
layer is needed. Tensors are nested lists; directions i count from 1 as in the text. Where the text leaves something open: inverses
before the first step come from line 2's statistics, which are means over batches; Ũ_i = 0 where all statistics are 0.
"""

import itertools
import math

import mpmath

# ------------------------------------------------------------------------------------------------------------ derivatives


class Number:
    """A number that remembers what it was made of: (operand, partial derivative) pairs."""

    made = itertools.count()

    def __init__(self, value, of=()):
        self.value, self.of, self.order = value, of, next(Number.made)

    def __add__(self, other):
        if not isinstance(other, Number):
            return Number(self.value + other, ((self, 1),))
        return Number(self.value + other.value, ((self, 1), (other, 1)))

    def __mul__(self, other):
        if not isinstance(other, Number):
            return Number(self.value * other, ((self, other),))
        return Number(self.value * other.value, ((self, other.value), (other, self.value)))

    def __sub__(self, other):
        return self + other * -1

    def through(self, value, slope):
        """A function of this number, with its value and its slope here."""
        return Number(value, ((self, slope),))


def derivatives(result):
    """{number: ∂result/∂number} of all that it was made of."""
    seen, todo = {result}, [result]
    while todo:
        for operand, _ in todo.pop().of:
            if operand not in seen:
                seen.add(operand)
                todo.append(operand)
    slopes = dict.fromkeys(seen, 0)
    slopes[result] = 1
    for number in sorted(seen, key=lambda number: -number.order):
        for operand, partial in number.of:
            slopes[operand] += slopes[number] * partial
    return slopes


# ---------------------------------------------------------------------------------------------------------------- tensors


def shape(A):
    return (len(A), *shape(A[0])) if isinstance(A, list) else ()


def each(function, *tensors):
    """The tensor of function(a, b, …) of the entries."""
    if isinstance(tensors[0], list):
        return [each(function, *parts) for parts in zip(*tensors, strict=True)]
    return function(*tensors)


def at(A, index):
    for j in index:
        A = A[j]
    return A


def build(d, entry, index=()):
    """The tensor of shape d with entry(index)."""
    if len(index) == len(d):
        return entry(index)
    return [build(d, entry, (*index, j)) for j in range(d[len(index)])]


def indices(d):
    return itertools.product(*map(range, d))


def vec(A):
    return [at(A, index) for index in indices(shape(A))]


def contraction(A, i):
    """A⁽ⁱ⁾ = mat_i(A) mat_i(A)ᵀ."""
    d = shape(A)
    rest = list(indices(d[:i - 1] + d[i:]))
    rows = [[at(A, (*r[:i - 1], j, *r[i - 1:])) for r in rest] for j in range(d[i - 1])]
    return [[sum(x * y for x, y in zip(v, w, strict=True)) for w in rows] for v in rows]


def contractions(A):
    return [contraction(A, i) for i in range(1, len(shape(A)) + 1)]


def mode(A, i, U):
    """A ×_i U."""
    d = shape(A)
    return build((*d[:i - 1], len(U), *d[i:]), lambda index: sum(
        at(A, (*index[:i - 1], j, *index[i:])) * U[index[i - 1]][j] for j in range(d[i - 1])))


def seen_as(W, view):
    """A filter (out, in, kh, kw) as the text's three directions: size of the filter, input and output channels; or as told."""
    if view == "vector":
        return vec(W)
    d = shape(W)
    if len(d) < 4 or view == "4-way":
        return W
    out, in_, kh, kw = d
    if view == "matrix":
        return [vec(W[o]) for o in range(out)]
    return [[[W[o][c][r][s] for o in range(out)] for c in range(in_)] for r in range(kh) for s in range(kw)]


def seen_back(A, d, view):
    """The inverse of `seen_as`, for a tensor that had shape d."""
    if view == "vector" or (len(d) == 4 and view == "matrix"):
        flat = iter(vec(A))
        return build(d, lambda _: next(flat))
    if len(d) < 4 or view == "4-way":
        return A
    return build(d, lambda index: A[index[2] * d[3] + index[3]][index[1]][index[0]])


# --------------------------------------------------------------------------------------------------------------- matrices


def damped(A, eps):
    return [[x + eps if r == c else x for c, x in enumerate(row)] for r, row in enumerate(A)]


def inverse(A):
    """Gauss and Jordan, pivots down the diagonal: A is positive definite."""
    n = len(A)
    rows = [[*row, *(int(r == c) for c in range(n))] for r, row in enumerate(A)]
    for p in range(n):
        pivot = rows[p][p]
        rows[p] = [x / pivot for x in rows[p]]
        for r in range(n):
            if r != p:
                factor = rows[r][p]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[p], strict=True)]
    return [row[n:] for row in rows]


def inverse_root(A, p):
    """A^(−1/p), p >= 2, from Jacobi's eigenvalues: rotations until what is left beside the diagonal is some thousand roundoffs."""
    n = len(A)
    A, Q = [list(row) for row in A], [[mpmath.mpf(r == c) for c in range(n)] for r in range(n)]
    size = mpmath.sqrt(sum(x * x for row in A for x in row))
    while mpmath.sqrt(sum(A[r][c]**2 for r in range(n) for c in range(n) if r != c)) > 2**10 * size * mpmath.eps:
        for r in range(n):
            for c in range(r + 1, n):
                angle = mpmath.atan2(2 * A[r][c], A[c][c] - A[r][r]) / 2
                cos, sin = mpmath.cos(angle), mpmath.sin(angle)
                for M in (A, Q):
                    for row in M:
                        row[r], row[c] = cos * row[r] - sin * row[c], sin * row[r] + cos * row[c]
                A[r], A[c] = ([cos * x - sin * y for x, y in zip(A[r], A[c], strict=True)],
                              [sin * x + cos * y for x, y in zip(A[r], A[c], strict=True)])
    powers = [1 / mpmath.root(A[j][j], p) for j in range(n)]
    return [[sum(Q[r][j] * powers[j] * Q[c][j] for j in range(n)) for c in range(n)] for r in range(n)]


# --------------------------------------------------------------------------------------------------------------- networks


def activated(kind, z):
    if kind == "linear":
        return z
    if kind == "relu":
        return z.through(*((z.value, 1) if z.value > 0 else (z.value * 0, 0)))
    y = mpmath.tanh(z.value) if kind == "tanh" else 1 / (1 + mpmath.exp(-z.value))
    return z.through(y, 1 - y * y if kind == "tanh" else y * (1 - y))


def total(numbers):
    first, *others = numbers
    for number in others:
        first = first + number
    return first


def output(net, tensors, x):
    """The last layer's numbers.  net: ("dense",), ("conv",), ("act", kind), ("flatten",); tensors: W, b of each layer in turn."""
    tensors = iter(tensors)
    for layer, *kind in net:
        if layer == "act":
            x = each(lambda z, kind=kind[0]: activated(kind, z), x)
        elif layer == "flatten":
            x = vec(x)
        elif layer == "dense":
            W, b = next(tensors), next(tensors)
            x = [total(w * y for w, y in zip(row, x, strict=True)) + b_o for row, b_o in zip(W, b, strict=True)]
        else:
            W, b = next(tensors), next(tensors)
            (channels, kh, kw), (_, height, width) = shape(W[0]), shape(x)
            x = [[[total(W[o][c][i][j] * x[c][r + i][s + j] for c in range(channels) for i in range(kh) for j in range(kw)) + b[o]
                   for s in range(width - kw + 1)] for r in range(height - kh + 1)] for o in range(len(W))]
    return x


def loss_slopes(loss, z, y):
    """∂l/∂z of one example, z the output's values: half the squared error, or cross entropies of logits; y a class for softmax."""
    if loss == "mse":
        return [z_o - y_o for z_o, y_o in zip(z, y, strict=True)]
    if loss == "bce":
        return [1 / (1 + mpmath.exp(-z_o)) - y_o for z_o, y_o in zip(z, y, strict=True)]
    return [p - (o == y) for o, p in enumerate(softmax(z))]


def softmax(z):
    powers = [mpmath.exp(z_o) for z_o in z]
    return [power / sum(powers) for power in powers]


def gradient(net, loss, tensors, x, y):
    """𝒟W of one example, tensor by tensor; `y` targets, or a function of the output's values that gives ∂l/∂z itself."""
    numbers = [each(Number, W) for W in tensors]
    z = output(net, numbers, x)
    values = [z_o.value for z_o in z]
    slopes = y(values) if callable(y) else loss_slopes(loss, values, y)
    found = derivatives(total(z_o * slope for z_o, slope in zip(z, slopes, strict=True)))
    return [each(lambda number: found.get(number, 0), W) for W in numbers]


def mean(terms, weights=None):
    """Σ w_n t_n of lists of tensors, w_n = 1/N if none are given."""
    terms = list(terms)
    if weights is None:
        return [each(lambda *xs: sum(xs) / len(terms), *parts) for parts in zip(*terms, strict=True)]
    return [each(lambda *xs: sum(w * x for w, x in zip(weights, xs, strict=True)), *parts) for parts in zip(*terms, strict=True)]


def batch_gradient(net, loss, tensors, batch, targets):
    return mean(gradient(net, loss, tensors, x, y) for x, y in zip(batch["x"], batch[targets], strict=True))


# --------------------------------------------------------------------------------------------------------------- methods


def factors(moments, d):
    """Ũ_1, …, Ũ_k by (4.10)."""
    k, D = len(d), math.prod(d)
    trace = sum(moments[0][j][j] for j in range(d[0]))
    if trace == 0:
        return moments
    c_0 = trace / D if k == 1 else mpmath.root(trace / D, k)
    return [each(lambda x, d_i=d_i: x / (c_0**(k - 1) * (D // d_i)), E) for E, d_i in zip(moments, d, strict=True)]


def inverses(method, moments, d, eps):
    """(Ũ_i + εI)⁻¹, lines 15 and 16 of Algorithm 15; (Ĝ⁽ⁱ⁾ + εI)^(−1/2k), line 12 of Algorithm 16."""
    if method == "shampoo":
        return [inverse_root(damped(G, eps), 2 * len(d)) for G in moments]
    return [inverse(damped(U, eps)) for U in factors(moments, d)]


def direction(g, matrices, view):
    """g ×_1 M_1 ⋯ ×_k M_k in a view of g."""
    A = seen_as(g, view)
    for i, M in enumerate(matrices, 1):
        A = mode(A, i, M)
    return seen_back(A, shape(g), view)


def statistics(gradients, view):
    return [contractions(seen_as(G, view)) for G in gradients]


def run(method, net, loss, tensors, data, batches, *, alpha, eps, view, mu=None, beta=None, T_1=1, T_2=1, gamma=0):
    """Algorithm 15, of the true ("tnt") or the empirical Fisher matrix ("tnt_ef"), or Algorithm 16 ("shampoo").

    Yields after line 2, and after each step, W, the momentum and Ĝ by tensor.
    """
    targets = "y_sampled" if method == "tnt" else "y"
    sizes = [len(batch["x"]) for batch in data]
    starts = [statistics(batch_gradient(net, loss, tensors, batch, targets), view) for batch in data]
    G_h = mean(starts, [alpha * 0 + size / (alpha * 0 + sum(sizes)) for size in sizes])
    momentum = [each(lambda w: w * 0, W) for W in tensors]
    d = [shape(seen_as(W, view)) for W in tensors]
    matrices = [inverses(method, G, d_l, eps) for G, d_l in zip(G_h, d, strict=True)]
    yield tensors, momentum, G_h
    for t, batch in enumerate(batches, 1):
        grad = batch_gradient(net, loss, tensors, batch, "y")
        momentum = [each(lambda m, g: mu * m + g, *pair) for pair in zip(momentum, grad, strict=True)]
        if t % T_1 == 0:
            new = statistics(batch_gradient(net, loss, tensors, batch, targets), view)
            G_h = [each(lambda old, x: beta * old + (1 - beta) * x, *pair) for pair in zip(G_h, new, strict=True)]
        if t % T_2 == 0:
            matrices = [inverses(method, G, d_l, eps) for G, d_l in zip(G_h, d, strict=True)]
        p = [direction(m, M, view) for m, M in zip(momentum, matrices, strict=True)]
        tensors = [each(lambda w, q: w - alpha * (q + gamma * w), *pair) for pair in zip(tensors, p, strict=True)]
        yield tensors, momentum, G_h


def drawn_slopes(loss, z):
    """All (probability, ∂l/∂z), y drawn from the model; for half the squared error, points with the normal's second moment."""
    if loss == "mse":      # y − ŷ standard normal: E[𝒟θ𝒟θᵀ] sums ∂ŷ_o/∂θ (∂ŷ_o/∂θ)ᵀ over the outputs
        return [(1, [int(o == one) for o in range(len(z))]) for one in range(len(z))]
    if loss == "bce":
        p = [1 / (1 + mpmath.exp(-z_o)) for z_o in z]
        return [(math.prod(p_o if y_o else 1 - p_o for p_o, y_o in zip(p, y, strict=True)), loss_slopes(loss, z, y))
                for y in itertools.product((0, 1), repeat=len(z))]
    p = softmax(z)
    return [(p[y], [p_o - (o == y) for o, p_o in enumerate(p)]) for y in range(len(p))]


def expected_statistics(net, loss, tensors, xs, view):
    """E[G⁽ⁱ⁾] over the x given and y from the model: line 4 of Algorithm 14."""
    terms, weights = [], []
    for x in xs:
        z = [z_o.value for z_o in output(net, [each(Number, W) for W in tensors], x)]
        for weight, slopes in drawn_slopes(loss, z):
            terms.append(statistics(gradient(net, loss, tensors, x, lambda _, slopes=slopes: slopes), view))
            weights.append(z[0] * 0 + weight / (z[0] * 0 + len(xs)))
    return mean(terms, weights)


def run_ideal(net, loss, tensors, batches, *, alpha, eps, view):
    """Algorithm 14, the expectation over each batch's x.  Yields after each step W and E[G⁽ⁱ⁾]."""
    for batch in batches:
        grad = batch_gradient(net, loss, tensors, batch, "y")
        moments = expected_statistics(net, loss, tensors, batch["x"], view)
        matrices = [inverses("tnt", G, shape(seen_as(W, view)), eps) for G, W in zip(moments, tensors, strict=True)]
        p = [direction(g, M, view) for g, M in zip(grad, matrices, strict=True)]
        tensors = [each(lambda w, q: w - alpha * q, *pair) for pair in zip(tensors, p, strict=True)]
        yield tensors, moments
