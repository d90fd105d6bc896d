"""Slow twins of R chapter 5, written from the text: lists of numbers, loops over examples, units and parameters.

Generic over the number type. A vector is a list, a matrix a list of rows, θ a list of (W, b); an example is a pair (x, y) with y a
list. The Jacobian of Section 5.4.3 is formed in full, from the recursion (5.10), in the order of θ: columns of W^(1), b^(1), ….
"""


def dot(x, y):
    return sum((a * b for a, b in zip(x[1:], y[1:], strict=True)), x[0] * y[0])


def matvec(X, v):
    return [dot(row, v) for row in X]


def transpose(X):
    return [list(column) for column in zip(*X, strict=True)]


def matmul(X, Y):
    columns = transpose(Y)
    return [[dot(row, column) for column in columns] for row in X]


def solve(A, b):
    """Gauss elimination with row exchanges."""
    n, rows = len(A), [[*row, c] for row, c in zip(A, b, strict=True)]
    for j in range(n):
        pivot = max(range(j, n), key=lambda i: abs(rows[i][j]))
        rows[j], rows[pivot] = rows[pivot], rows[j]
        for i in range(j + 1, n):
            factor = rows[i][j] / rows[j][j]
            rows[i] = [*rows[i][:j], *(a - factor * c for a, c in zip(rows[i][j:], rows[j][j:], strict=True))]
    x = [None] * n
    for i in reversed(range(n)):
        known = [rows[i][j] * x[j] for j in range(i + 1, n)]
        x[i] = (rows[i][n] - sum(known[1:], known[0]) if known else rows[i][n]) / rows[i][i]
    return x


class Net:
    """Activations by name, a loss on logits, and the exponential and logarithm of the number type, if it has them."""

    def __init__(self, activations, loss, one, exp=None, log=None):
        self.activations, self.loss, self.one, self.exp, self.log = activations, loss, one, exp, log

    def phi(self, name, h):
        """φ(h) and φ′(h)."""
        zero = self.one - self.one
        if name == "linear":
            return h, self.one
        if name == "relu":
            return (h, self.one) if h > 0 else (zero, zero)
        e = self.exp(h)
        if name == "logistic":
            return e / (1 + e), e / (1 + e) ** 2
        if name == "tanh":
            return (e * e - 1) / (e * e + 1), 4 * e * e / (e * e + 1) ** 2
        raise NotImplementedError(name)

    def probabilities(self, y_h):
        e = [self.exp(value) for value in y_h]
        if self.loss == "bce":
            return [value / (1 + value) for value in e]
        return [value / sum(e[1:], e[0]) for value in e]

    def value(self, y_h, y):
        """The loss of one example."""
        if self.loss == "mse":
            return sum((a - b) ** 2 for a, b in zip(y_h, y, strict=True)) / 2
        p = self.probabilities(y_h)
        if self.loss == "bce":
            return -sum(b * self.log(a) + (1 - b) * self.log(1 - a) for a, b in zip(p, y, strict=True))
        return -sum(b * self.log(a) for a, b in zip(p, y, strict=True))

    def gradient(self, y_h, y):
        """∂loss/∂ŷ."""
        return [a - b for a, b in zip(y_h if self.loss == "mse" else self.probabilities(y_h), y, strict=True)]

    def hessian(self, y_h):
        """H_i = ∂²loss/∂ŷ² (Section 1.2.2)."""
        m, zero = len(y_h), self.one - self.one
        if self.loss == "mse":
            return [[self.one if i == j else zero for j in range(m)] for i in range(m)]
        p = self.probabilities(y_h)
        if self.loss == "bce":
            return [[p[i] * (1 - p[i]) if i == j else zero for j in range(m)] for i in range(m)]
        return [[(p[i] if i == j else zero) - p[i] * p[j] for j in range(m)] for i in range(m)]


def forward(net, theta, x):
    """Algorithm 17: h^(l), φ′(h^(l)) and v^(l), v^(0) = x first."""
    h, slopes, v = [], [], [x]
    for (W, b), name in zip(theta, net.activations, strict=True):
        h.append([dot(row, v[-1]) + c for row, c in zip(W, b, strict=True)])
        pairs = [net.phi(name, value) for value in h[-1]]
        v.append([pair[0] for pair in pairs])
        slopes.append([pair[1] for pair in pairs])
    return h, slopes, v


def sizes(theta):
    return [len(W) * (len(W[0]) + 1) for W, _ in theta]


def jacobian(net, theta, x):
    """J_i (m_L, n) by (5.10): ∂h/∂θ = (∂W/∂θ) v + W ∂v/∂θ + ∂b/∂θ, ∂v/∂θ = φ′(h) ∂h/∂θ."""
    _, slopes, v = forward(net, theta, x)
    n, zero, start = sum(sizes(theta)), net.one - net.one, 0
    dv = [[zero] * n for _ in x]
    for l, (W, _) in enumerate(theta):
        m, m_in = len(W), len(W[0])
        dh = [[dot(row, column) for column in transpose(dv)] for row in W]
        for i in range(m):
            for j in range(m_in):
                dh[i][start + j * m + i] = dh[i][start + j * m + i] + v[l][j]          # vec(W) stacks columns
            dh[i][start + m_in * m + i] = dh[i][start + m_in * m + i] + net.one
        dv = [[slope * value for value in row] for slope, row in zip(slopes[l], dh, strict=True)]
        start += m * (m_in + 1)
    return dv


def mean_loss(net, theta, examples):
    return sum(net.value(forward(net, theta, x)[2][-1], y) for x, y in examples) / len(examples)


def example_gradient(net, theta, x, y):
    """∇f_i = J_iᵀ ∂loss/∂ŷ."""
    return matvec(transpose(jacobian(net, theta, x)), net.gradient(forward(net, theta, x)[2][-1], y))


def gradient(net, theta, examples):
    total = [example_gradient(net, theta, x, y) for x, y in examples]
    return [sum(column[1:], column[0]) / len(examples) for column in transpose(total)]


def curvature(net, theta, examples, kind):
    """B: (5.2) or (5.3) as a matrix; the examples of a Fisher matrix come with the targets that it is to have."""
    n, zero = sum(sizes(theta)), net.one - net.one
    B = [[zero] * n for _ in range(n)]
    for x, y in examples:
        J = jacobian(net, theta, x)
        if kind == "gauss_newton":
            part = matmul(transpose(J), matmul(net.hessian(forward(net, theta, x)[2][-1]), J))
        else:
            g = example_gradient(net, theta, x, y)
            part = [[a * b for b in g] for a in g]
        B = [[a + b / len(examples) for a, b in zip(*rows, strict=True)] for rows in zip(B, part, strict=True)]
    return B


def blocked(B, theta):
    """B without the blocks between layers."""
    owner = [l for l, size in enumerate(sizes(theta)) for _ in range(size)]
    return [[b if owner[i] == owner[j] else b - b for j, b in enumerate(row)] for i, row in enumerate(B)]


def direction(B, lam, g):
    """p = −(B + λI)⁻¹g."""
    return [-value for value in solve([[b + lam if i == j else b for j, b in enumerate(row)] for i, row in enumerate(B)], g)]


def vector(theta):
    return [value for W, b in theta for column in (*transpose(W), b) for value in column]


def moved(theta, v):
    """θ + v."""
    found, start = [], 0
    for W, b in theta:
        m, m_in = len(W), len(W[0])
        part = v[start:start + m * (m_in + 1)]
        found.append(([[W[i][j] + part[j * m + i] for j in range(m_in)] for i in range(m)],
                      [b[i] + part[m_in * m + i] for i in range(m)]))
        start += m * (m_in + 1)
    return found


def step(net, theta, lam_LM, S_1, S_2, hyper, kind, whole=True):
    """Algorithm 23 with dense matrices: θ, λ_LM after the step, and g, p, what the model foretells, ρ."""
    B = curvature(net, theta, S_2, kind)
    B = B if whole else blocked(B, theta)
    g, eta = gradient(net, theta, S_1), hyper["eta"]
    if eta:
        g = [a + eta * b for a, b in zip(g, vector(theta), strict=True)]
        B = [[b + eta if i == j else b for j, b in enumerate(row)] for i, row in enumerate(B)]
    p = direction(B, lam_LM + hyper["tau"], g)
    foretold = -dot(g, p) - dot(p, matvec(B, p)) / 2
    def f(at):
        return mean_loss(net, at, S_1) + (eta / 2 * dot(vector(at), vector(at)) if eta else 0)
    rho = (f(theta) - f(moved(theta, p))) / foretold
    if rho < hyper["eps"]:
        lam_LM = hyper["boost"] * lam_LM
    elif rho > 1 - hyper["eps"]:
        lam_LM = hyper["drop"] * lam_LM
    if hyper["accept"] is None or rho >= hyper["accept"]:
        theta = moved(theta, [hyper["alpha"] * value for value in p])
    return theta, lam_LM, {"grad": g, "p": p, "foretold": foretold, "rho": rho}


def conjugate_gradient(A, b, iterations):
    """The textbook's, from 0: x and the number of steps until the residual is 0."""
    x, r = [value - value for value in b], list(b)
    d = list(r)
    for i in range(iterations):
        if dot(r, r) == 0:
            return x, i
        Ad = matvec(A, d)
        step_length = dot(r, r) / dot(d, Ad)
        x = [a + step_length * c for a, c in zip(x, d, strict=True)]
        new = [a - step_length * c for a, c in zip(r, Ad, strict=True)]
        d = [a + dot(new, new) / dot(r, r) * c for a, c in zip(new, d, strict=True)]
        r = new
    return x, iterations
