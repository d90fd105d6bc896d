"""Second-order optimizers by a stranger: plain NumPy from the papers, by somebody who had seen neither the reference nor the judge.

A program is a generator `method(case, mistake, form)`. With no mistake it is right, in one or two forms; every mistake is one error
of the kind that people make, and `MISTAKES` in `strangers_mistakes.py` says which quantity is the first that it makes wrong. The
programs share the passes of a multilayer perceptron and nothing else, and take nothing from stepgauge but the case.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np

# The network: W̄ (d_out, d_in + 1) by layer, ā (N, d_in + 1), h (N, d_out); g (N, d_out) is the gradient of each example's own loss.


def sigma(h):
    """The logistic function, without overflow."""
    return np.exp(-np.logaddexp(0, -h))


def sech2(h):
    return 1 / np.cosh(h) ** 2


def slope(h):
    return sigma(h) * sigma(-h)


def exp_below(h):
    return np.exp(np.minimum(h, 0))


PHI = {  # φ, φ′, φ″, φ‴
    "linear": (np.copy, np.ones_like, np.zeros_like, np.zeros_like),
    "relu": (lambda h: np.maximum(h, 0), lambda h: np.where(h > 0, np.ones_like(h), 0), np.zeros_like, np.zeros_like),
    "tanh": (np.tanh, sech2, lambda h: -2 * np.tanh(h) * sech2(h), lambda h: sech2(h) * (4 - 6 * sech2(h))),
    "logistic": (sigma, slope, lambda h: slope(h) * (sigma(-h) - sigma(h)), lambda h: slope(h) * (1 - 6 * slope(h))),
    "elu": (lambda h: np.where(h > 0, h, np.expm1(np.minimum(h, 0))), exp_below,
            lambda h: np.where(h > 0, 0, exp_below(h)), lambda h: np.where(h > 0, 0, exp_below(h))),
}


class Sample(NamedTuple):
    """Examples x (N, d_in), their targets and those that the model drew (N, m)."""

    x: np.ndarray
    y: np.ndarray
    drawn: np.ndarray


class Net:
    """A multilayer perceptron with its loss."""

    def __init__(self, case):
        self.phi = [PHI[layer.name] for layer in case.model.layers if hasattr(layer, "name")]
        self.loss_name, self.dtype = case.model.loss, case.dtype
        self.outputs = case.params[-1].b.size

    def eye(self, n):
        return np.eye(n, dtype=self.dtype)

    def one_hot(self, y):
        return self.eye(self.outputs)[y] if y.ndim == 1 else y

    def sample(self, batch):
        drawn = None if batch.y_sampled is None else self.one_hot(batch.y_sampled)
        return Sample(batch.x, self.one_hot(batch.y), drawn)

    def samples(self, data):
        """The batches of the warm start."""
        return [self.sample(batch) for batch in ((data,) if hasattr(data, "x") else data)]

    def forward(self, W, x):
        """ā and h by layer, and the output."""
        a, h = [], []
        for W_l, phi in zip(W, self.phi, strict=True):
            a.append(np.hstack([x, np.ones_like(x[:, :1])]))
            h.append(a[-1] @ W_l.T)
            x = phi[0](h[-1])
        return a, h, x

    def backward(self, W, h, v):
        """g by layer, where v (N, m) is the derivative of each example's scalar in the output."""
        g = []
        for W_l, h_l, phi in zip(W[::-1], h[::-1], self.phi[::-1], strict=True):
            g.insert(0, v * phi[1](h_l))
            v = g[0] @ W_l[:, :-1]
        return g

    def probabilities(self, z):
        if self.loss_name == "bce":
            return sigma(z)
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def loss(self, z, y):
        """The mean loss."""
        if self.loss_name == "mse":
            return ((z - y) ** 2).sum() / (2 * len(y))
        if self.loss_name == "bce":
            return (np.logaddexp(0, z) - y * z).sum() / len(y)
        top = z.max(1)
        return (top + np.log(np.exp(z - top[:, None]).sum(1)) - (y * z).sum(1)).mean()

    def residual(self, z, y):
        """The derivative of each example's loss in its output."""
        return z - y if self.loss_name == "mse" else self.probabilities(z) - y

    def hessian(self, z):
        """H_n (N, m, m), the second derivative of each example's loss in its output."""
        if self.loss_name == "mse":
            return np.broadcast_to(self.eye(z.shape[1]), (len(z), *2 * z.shape[1:]))
        q = self.probabilities(z)
        if self.loss_name == "bce":
            return (q * sigma(-z))[:, :, None] * self.eye(z.shape[1])
        return q[:, :, None] * self.eye(z.shape[1]) - q[:, :, None] * q[:, None]

    def gradient(self, W, sample):
        """The mean loss's gradient in W̄, and what was met on the way."""
        a, h, z = self.forward(W, sample.x)
        g = self.backward(W, h, self.residual(z, sample.y))
        return [g_l.T @ a_l / len(a_l) for a_l, g_l in zip(a, g, strict=True)], a, h, g, z

    def forward_along(self, W, V, h, a):
        """Derivatives of ā, h and the output along V."""
        Ra, Rh, r = [], [], np.zeros_like(a[0][:, :-1])
        for W_l, V_l, h_l, a_l, phi in zip(W, V, h, a, self.phi, strict=True):
            Ra.append(np.hstack([r, np.zeros_like(r[:, :1])]))
            Rh.append(Ra[-1] @ W_l.T + a_l @ V_l.T)
            r = phi[1](h_l) * Rh[-1]
        return Ra, Rh, r

    def hessian_product(self, W, V, sample):
        """The Hessian of the mean loss times V, by the derivative of the backward pass along V."""
        a, h, z = self.forward(W, sample.x)
        Ra, Rh, Rz = self.forward_along(W, V, h, a)
        v, Rv, product = self.residual(z, sample.y), np.einsum("nij,nj->ni", self.hessian(z), Rz), []
        for l in reversed(range(len(W))):
            d1, d2 = self.phi[l][1](h[l]), self.phi[l][2](h[l])
            g, Rg = v * d1, Rv * d1 + v * d2 * Rh[l]
            product.insert(0, (Rg.T @ a[l] + g.T @ Ra[l]) / len(v))
            v, Rv = g @ W[l][:, :-1], Rg @ W[l][:, :-1] + g @ V[l][:, :-1]
        return product

    def third_derivative(self, W, V, sample):
        """d³/dt³ of the mean loss at W̄ + tV, by power series cut off behind t³."""
        x = [sample.x, *3 * [np.zeros_like(sample.x)]]
        for W_l, V_l, phi in zip(W, V, self.phi, strict=True):
            a = [np.hstack([x_k, np.full_like(x_k[:, :1], not k)]) for k, x_k in enumerate(x)]
            h = [a[k] @ W_l.T + (a[k - 1] @ V_l.T if k else 0) for k in range(4)]
            d0, d1, d2, d3 = (f(h[0]) for f in phi)
            x = [d0, d1 * h[1], d1 * h[2] + d2 * h[1] ** 2 / 2, d1 * h[3] + d2 * h[1] * h[2] + d3 * h[1] ** 3 / 6]
        z, z1, z2, z3 = x
        q = self.probabilities(z) if self.loss_name != "mse" else z
        if self.loss_name == "bce":
            third = slope(z) * (sigma(-z) - sigma(z)) * z1**3
        elif self.loss_name == "mse":
            third = 0 * z
        else:
            third = q * (z1 - (q * z1).sum(1, keepdims=True)) ** 3
        second = np.einsum("ni,nij,nj->n", z1, self.hessian(z), z2)
        return (6 * (self.residual(z, sample.y) * z3).sum() + 6 * second.sum() + third.sum()) / len(z)


def weights(case):
    """W̄ by layer."""
    return [np.column_stack([layer.W, layer.b]) for layer in case.params]


def shown(W):
    """What every program shows of its parameters."""
    return {"W": [W_l[:, :-1] for W_l in W], "b": [W_l[:, -1] for W_l in W]}


def tensors(W):
    """W_1, b_1, W_2, b_2, …"""
    return [part for W_l in W for part in (W_l[:, :-1], W_l[:, -1])]


def dot(U, V):
    return sum((U_l * V_l).sum() for U_l, V_l in zip(U, V, strict=True))


# BFGS


def bfgs(H, s, y, form=""):
    """R (2.6), multiplied out; as the printed triple product; with a mistake."""
    if s @ y == 0:
        return H
    rho = 1 / (s @ (s if form == "1/sᵀs" else y))
    if form == "triple":
        V = np.eye(len(s), dtype=s.dtype) - rho * np.outer(s, y)
        return V @ H @ V.T + rho * np.outer(s, s)
    Hy = H @ y
    if form == "DFP":
        return H - np.outer(Hy, Hy) / (y @ Hy) + rho * np.outer(s, s)
    last = 0 if form == "without ρssᵀ" else rho
    return H - rho * (np.outer(s, Hy) + np.outer(Hy, s)) + (rho**2 * (y @ Hy) + last) * np.outer(s, s)


def powell(s, y, Hy, mu1, mistake=""):
    """R Algorithm 3, lines 2 and 3."""
    sy, yHy = s @ y, y @ Hy
    theta = (1 if mistake == "θ₁ without 1 − μ₁" else 1 - mu1) * yHy / (yHy - sy) if sy < mu1 * yHy else 1
    if mistake == "sign of the interpolation":
        return theta * s - (1 - theta) * Hy
    return theta * s + (1 - theta) * Hy


def kbfgs20(case, mistake="", form=""):
    """R Algorithms 3 and 4. Forms: "triple"; "from step 1" does not show the start."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)
    L, root = range(len(W)), math.sqrt(hp.lam)
    data = np.concatenate([sample.x for sample in net.samples(case.data)])
    A = [a.T @ a / len(a) for a in net.forward(W, data)[0]]
    H_a = [np.linalg.inv(A_l + root * net.eye(len(A_l))) for A_l in A]
    H_g = [net.eye(len(W_l)) for W_l in W]
    grad_h = [np.zeros_like(W_l) for W_l in W]
    s_g, y_g = ([np.zeros_like(W_l[:, 0]) for W_l in W] for _ in "sy")
    if form != "from step 1":
        yield shown(W) | {"grad_h": grad_h, "A": A, "H_a": H_a, "H_g": H_g, "s_g": s_g, "y_g": y_g}
    for batch in case.batches:
        sample = net.sample(batch)
        grad, a, h, g, _ = net.gradient(W, sample)
        if wrong("gradient summed"):
            grad = [len(batch.x) * D for D in grad]
        keep = 1 - hp.beta if wrong("β and 1 − β exchanged") else hp.beta
        grad_h = [keep * D_h + (1 - keep) * D for D_h, D in zip(grad_h, grad, strict=True)]
        ahead = grad if wrong("direction without momentum") else grad_h
        p = [H_g[l] @ ahead[l] @ H_a[l] for l in L]
        if wrong("H_g left out"):
            p = [ahead[l] @ H_a[l] for l in L]
        before = [W_l.copy() for W_l in W]
        W = [W_l - hp.alpha * p_l for W_l, p_l in zip(W, p, strict=True)]
        if wrong("bias not preconditioned"):
            for l in L:
                W[l][:, -1] = before[l][:, -1] - hp.alpha * grad_h[l][:, -1]
        _, _, h_p, g_p, _ = net.gradient(before if wrong("second pass at the old parameters") else W, sample)
        s_t, y_t, A_LM, s_a, y_a = ([None for _ in L] for _ in range(5))
        for l in L:
            ds, dy = (h_p[l] - h[l]).mean(0), (g_p[l] - g[l]).mean(0)
            if wrong("y from the gradient of the mean loss"):
                dy = dy / len(batch.x)
            if wrong("y with the wrong sign"):
                dy = -dy
            s_g[l] = hp.beta * s_g[l] + (1 - hp.beta) * ds
            y_g[l] = hp.beta * y_g[l] + (1 - hp.beta) * dy
            s, y, Hy = s_g[l], y_g[l], H_g[l] @ y_g[l]
            s_t[l] = powell(s, y, Hy, hp.mu1, mistake)
            mu2 = hp.lam if wrong("μ₂ = λ") else root
            base = s if wrong("second damping with the undamped s") else s_t[l]
            sy, ss = base @ y, base @ base
            theta = (1 - mu2) * ss / (ss - sy) if sy < mu2 * ss else 1
            y_t[l] = theta * y + (1 - theta) * base
            if wrong("H_g updated with the undamped pair"):
                H_g[l] = bfgs(H_g[l], s, y)
            else:
                H_g[l] = bfgs(H_g[l], s_t[l], y_t[l], form or mistake)
            mean = a[l].mean(0)
            second = np.outer(mean, mean) if wrong("A from the mean activation") else a[l].T @ a[l] / len(a[l])
            if wrong("bias column forgotten in A"):
                second[-1], second[:, -1] = 0, 0
            A[l] = hp.beta * A[l] + (1 - hp.beta) * second
            A_LM[l] = A[l] + (hp.lam if wrong("λ for √λ in A_LM") else root) * net.eye(len(A[l]))
            s_a[l] = H_a[l] @ mean
            y_a[l] = (A[l] if wrong("y_a without damping") else A_LM[l]) @ s_a[l]
            H_a[l] = bfgs(H_a[l], s_a[l], y_a[l], "DFP" if wrong("H_a by DFP") else form)
        yield shown(W) | {"grad": grad, "grad_h": grad_h, "p": p, "s_g": s_g, "y_g": y_g, "s_t": s_t, "y_t": y_t, "H_g": H_g,
                          "A": A, "A_LM": A_LM, "s_a": s_a, "y_a": y_a, "H_a": H_a}


class Memory:
    """L-BFGS: up to p pairs, oldest first, and γI to start from."""

    def __init__(self, n, p, gamma, mistake, form, dtype):
        self.S = self.Y = np.zeros((n, 0), dtype)
        self.p, self.gamma, self.mistake, self.form = p, gamma, mistake, form

    def add(self, s, y):
        if s @ y == 0:
            return
        S, Y = np.column_stack([self.S, s]), np.column_stack([self.Y, y])
        full = S.shape[1] > self.p + (self.mistake == "one pair too many")
        drop = slice(1, None) if self.mistake != "newest pair dropped" else [*range(self.p - 1), self.p]
        self.S, self.Y = (S[:, drop], Y[:, drop]) if full else (S, Y)

    def __matmul__(self, X):
        S, Y, gamma = self.S, self.Y, self.gamma
        if self.mistake == "started from I":
            gamma = 1
        if self.mistake == "started from sᵀy/yᵀy" and S.shape[1]:
            gamma = (S[:, -1] @ Y[:, -1]) / (Y[:, -1] @ Y[:, -1])
        if self.form == "compact":
            R, D = np.triu(S.T @ Y), np.diag((S * Y).sum(0))
            SX, YX = S.T @ X, Y.T @ X
            R_SX = np.linalg.solve(R, SX)
            top = np.linalg.solve(R.T, (D + gamma * Y.T @ Y) @ R_SX - gamma * YX)
            return gamma * X + S @ top - gamma * Y @ R_SX
        alpha, pairs = {}, range(S.shape[1])
        first = pairs if self.mistake == "loops in the wrong order" else reversed(pairs)
        for i in first:
            alpha[i] = S[:, i] @ X / (S[:, i] @ Y[:, i])
            X = X - np.multiply.outer(Y[:, i], alpha[i])
        X = gamma * X
        for i in reversed(pairs) if self.mistake == "loops in the wrong order" else pairs:
            X = X + np.multiply.outer(S[:, i], alpha[i] - Y[:, i] @ X / (S[:, i] @ Y[:, i]))
        return X


def kbfgs(case, mistake="", form=""):
    """R Algorithms 8 and 9, both ways of keeping H_G. Forms: "triple" for BFGS; "compact" for L-BFGS; "from step 1"."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)
    L, root = range(len(W)), math.sqrt(hp.lam)
    data = np.concatenate([sample.x for sample in net.samples(case.data)])
    H_A = [np.linalg.inv(a.T @ a / len(a) + root * net.eye(a.shape[1])) for a in net.forward(W, data)[0]]
    if hp.p:
        H_G = [Memory(len(W_l), hp.p, 1 / root, mistake, form, net.dtype) for W_l in W]
    else:
        H_G = [net.eye(len(W_l)) if wrong("H_G starts at I") else net.eye(len(W_l)) / root for W_l in W]
    DW_h = [np.zeros_like(W_l) for W_l in W]
    s_G, y_G = ([np.zeros_like(W_l[:, 0]) for W_l in W] for _ in "sy")
    kept = (lambda: {"S": [H.S for H in H_G], "Y": [H.Y for H in H_G]}) if hp.p else (lambda: {"H_G": H_G})
    if form != "from step 1":
        yield shown(W) | {"DW_h": DW_h, "H_A": H_A, "s_G": s_G, "y_G": y_G} | kept()
    for k, batch in enumerate(case.batches, start=1):
        sample = net.sample(batch)
        DW, a, h, g, _ = net.gradient(W, sample)
        new = 1 - hp.beta if wrong("momentum as a moving average") else 1
        DW_h = [hp.beta * D_h + new * D for D_h, D in zip(DW_h, DW, strict=True)]
        p = [H_G[l] @ DW_h[l] @ H_A[l] for l in L]
        W = [W_l - hp.alpha * (DW[l] if wrong("gradient for the direction") else p[l]) for l, W_l in enumerate(W)]
        found = {}
        if (k - 1 if wrong("steps counted from 0") else k) % hp.T == 0:
            _, _, h_p, g_p, _ = net.gradient(W, sample)
            s_A, y_A, s_t, y_t = ([None for _ in L] for _ in range(4))
            for l in L:
                mean = a[l].mean(0)
                s_A[l] = mean if wrong("s_A without H_A") else H_A[l] @ mean
                if wrong("A s from mean activations"):
                    y_A[l] = (mean @ s_A[l]) * mean + root * s_A[l]
                else:
                    y_A[l] = (a[l] @ s_A[l]) @ a[l] / len(a[l]) + (0 if wrong("y_A without damping") else root) * s_A[l]
                H_A[l] = bfgs(H_A[l], *((y_A[l], s_A[l]) if wrong("s and y exchanged") else (s_A[l], y_A[l])), form)
                new = 1 if wrong("pair averaged without 1 − β") else 1 - hp.beta
                N = 1 if wrong("pair summed over the batch") else len(a[l])
                s_G[l] = hp.beta * s_G[l] + new * (h_p[l] - h[l]).sum(0) / N
                y_G[l] = hp.beta * y_G[l] + new * (g_p[l] - g[l]).sum(0) / N
                Hy = H_G[l] @ y_G[l]
                s_t[l] = powell(s_G[l], y_G[l], Hy, hp.mu1, mistake)
                mu2 = hp.lam if wrong("μ₂ = λ") else root
                y_t[l] = y_G[l] + mu2 * (s_G[l] if wrong("damping along the undamped s") else s_t[l])
                pair = (s_G[l], y_G[l]) if wrong("undamped pair kept") else (s_t[l], y_t[l])
                if hp.p:
                    H_G[l].add(*pair)
                else:
                    H_G[l] = bfgs(H_G[l], *pair, form or mistake)
            found = {"s_A": s_A, "y_A": y_A, "s_t": s_t, "y_t": y_t}
        yield shown(W) | {"DW": DW, "DW_h": DW_h, "p": p, "H_A": H_A, "s_G": s_G, "y_G": y_G} | found | kept()


# Kronecker factors


def inverse(M, form=""):
    """M⁻¹, directly or by a Cholesky factorisation."""
    if form == "cholesky":
        half = np.linalg.inv(np.linalg.cholesky(M))
        return half.T @ half
    return np.linalg.inv(M)


def kfac20(case, mistake="", form=""):
    """R Algorithm 7. Forms: "cholesky", "einsum", "from step 1"."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)
    damping = hp.lam if wrong("λ for √λ") else math.sqrt(hp.lam)

    def factors(sample):
        a, h, z = net.forward(W, sample.x)
        N = len(sample.x)
        g = net.backward(W, h, net.residual(z, sample.y if wrong("empirical targets") else sample.drawn))
        if form == "einsum":
            return [np.einsum("ni,nj->ij", x, x) / N for x in a], [np.einsum("ni,nj->ij", x, x) / N for x in g]
        if wrong("bias column forgotten"):
            a = [np.hstack([a_l[:, :-1], 0 * a_l[:, -1:]]) for a_l in a]
        G = [g_l.T @ g_l / N for g_l in g]
        if wrong("G from gradients of the mean loss"):
            G = [G_l / N**2 for G_l in G]
        if wrong("G summed over the batch"):
            G = [G_l * N for G_l in G]
        if wrong("G from the mean gradient"):
            G = [np.outer(g_l.mean(0), g_l.mean(0)) for g_l in g]
        return [a_l.T @ a_l / N for a_l in a], G

    def inverses(M):
        return [inverse(M_l + damping * net.eye(len(M_l)), form) for M_l in M]

    warm = Sample(*(np.concatenate(part) for part in zip(*net.samples(case.data), strict=True)))
    A, G = factors(warm)
    H_a, H_g, grad_h = inverses(A), inverses(G), [np.zeros_like(W_l) for W_l in W]
    if form != "from step 1":
        yield shown(W) | {"grad_h": grad_h, "A": A, "G": G, "H_a": H_a, "H_g": H_g}
    for k, batch in enumerate(case.batches, start=1):
        sample = net.sample(batch)
        grad, *_ = net.gradient(W, sample)
        grad_h = [hp.beta * D_h + (1 - hp.beta) * D for D_h, D in zip(grad_h, grad, strict=True)]
        A_n, G_n = factors(sample)
        update = k <= hp.T or k % hp.T == 0
        if wrong("first T steps without inversion"):
            update = k % hp.T == 0
        A, G = ([hp.beta * old + (1 - hp.beta) * new for old, new in zip(*pair, strict=True)] for pair in ((A, A_n), (G, G_n)))
        H_a_n, H_g_n = (inverses(A), inverses(G)) if update else (H_a, H_g)
        ahead = (H_a_n, H_g_n) if wrong("inverses before the direction") else (H_a, H_g)
        p = [H_g_l @ D_h @ H_a_l for H_a_l, H_g_l, D_h in zip(*ahead, grad_h, strict=True)]
        if wrong("H_a left out"):
            p = [H_g_l @ D_h for H_g_l, D_h in zip(H_g, grad_h, strict=True)]
        H_a, H_g = H_a_n, H_g_n
        W = [W_l + (hp.alpha if wrong("uphill") else -hp.alpha) * p_l for W_l, p_l in zip(W, p, strict=True)]
        yield shown(W) | {"grad": grad, "grad_h": grad_h, "p": p, "A": A, "G": G, "H_a": H_a, "H_g": H_g}


def kfac(case, mistake="", form=""):
    """R Algorithm 12. Forms: "cholesky", "from step 1"."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)
    root = hp.lam if wrong("λ for √λ") else math.sqrt(hp.lam)
    empirical = hp.fisher == "empirical" or wrong("empirical targets")

    def factors(sample):
        a, h, z = net.forward(W, sample.x)
        g = net.backward(W, h, net.residual(z, sample.y if empirical else sample.drawn))
        if wrong("Γ from gradients of the mean loss"):
            g = [g_l / len(g_l) for g_l in g]
        if wrong("bias column forgotten"):
            a = [np.hstack([a_l[:, :-1], 0 * a_l[:, -1:]]) for a_l in a]
        return [a_l.T @ a_l / len(a_l) for a_l in a], [g_l.T @ g_l / len(g_l) for g_l in g]

    def split(O, C):
        """π of one layer."""
        o, c = (np.trace(M) if wrong("π without dimensions") else np.trace(M) / len(M) for M in (O, C))
        if c == 0 or wrong("√λ without π"):
            return 1
        return o / c if wrong("π without its root") else math.sqrt(c / o) if wrong("π upside down") else math.sqrt(o / c)

    def damped(M, amount):
        if wrong("damping added to the average itself"):
            M += amount * net.eye(len(M))
            return inverse(M)
        if wrong("damping after the inversion"):
            return inverse(M + 1e-8 * net.eye(len(M))) + amount * net.eye(len(M))
        return inverse(M + amount * net.eye(len(M)), form)

    def inverses(Omega, Gamma):
        pi = [split(*pair) for pair in zip(Omega, Gamma, strict=True)]
        turned = [1 / x for x in pi] if wrong("π on the wrong factor") else pi
        return pi, [damped(O, x * root) for O, x in zip(Omega, turned, strict=True)], \
            [damped(C, root / x) for C, x in zip(Gamma, turned, strict=True)]

    warm = Sample(*(np.concatenate(part) for part in zip(*net.samples(case.data), strict=True)))
    Omega, Gamma = factors(warm)
    _, H_Omega, H_Gamma = inverses(Omega, Gamma)
    DW_h = [np.zeros_like(W_l) for W_l in W]
    if form != "from step 1":
        yield shown(W) | {"DW_h": DW_h, "Omega": Omega, "Gamma": Gamma, "H_Omega": H_Omega, "H_Gamma": H_Gamma}
    for k, batch in enumerate(case.batches, start=1):
        sample, found = net.sample(batch), {}
        DW, *_ = net.gradient(W, sample)
        new = 1 - hp.beta if wrong("momentum as a moving average") else 1
        DW_h = [hp.beta * D_h + new * D for D_h, D in zip(DW_h, DW, strict=True)]
        p = [C @ D_h @ O for C, D_h, O in zip(H_Gamma, DW_h, H_Omega, strict=True)]
        if wrong("factors after the step"):
            W = [W_l - hp.alpha * p_l for W_l, p_l in zip(W, p, strict=True)]
        if k % hp.T_1 == 0:
            new = 1 if wrong("Ω averaged without 1 − β") else 1 - hp.beta
            O_n, C_n = factors(sample)
            Omega = [hp.beta * old + new * x for old, x in zip(Omega, O_n, strict=True)]
            Gamma = [hp.beta * old + (1 - hp.beta) * x for old, x in zip(Gamma, C_n, strict=True)]
        if k % hp.T_2 == 0 and not wrong("never inverted again"):
            pi, H_Omega, H_Gamma = inverses(Omega, Gamma)
            found = {} if wrong("√λ without π") else {"pi": pi}
        if not wrong("factors after the step"):
            W = [W_l - hp.alpha * p_l for W_l, p_l in zip(W, p, strict=True)]
        yield shown(W) | {"DW": DW, "DW_h": DW_h, "p": p, "Omega": Omega, "Gamma": Gamma, "H_Omega": H_Omega,
                          "H_Gamma": H_Gamma} | found


# Tensors: kernels are matrices with two modes, biases vectors with one


def contractions(G, mistake=""):
    """G⁽ⁱ⁾ for every mode of a matrix or vector."""
    both = [np.outer(G, G)] if G.ndim == 1 else [G @ G.T, G.T @ G]
    return [M / (G.size // len(M)) for M in both] if mistake == "contraction as a mean" else both


def along_modes(G, factors, form=""):
    """G ×_1 U_1 ⋯ ×_k U_k. Forms: "kron", one matrix times vec(G)."""
    if G.ndim == 1:
        return factors[0] @ G
    return (np.kron(*factors) @ G.ravel()).reshape(G.shape) if form == "kron" else factors[0] @ G @ factors[1].T


def tnt(case, mistake="", form=""):
    """R Algorithm 15. Forms: "kron", "from step 1"."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)
    empirical = hp.fisher == "empirical" or wrong("empirical gradient")

    def sampled(sample):
        a, h, z = net.forward(W, sample.x)
        g = net.backward(W, h, net.residual(z, sample.y if empirical else sample.drawn))
        mean = tensors([g_l.T @ a_l / len(a_l) for a_l, g_l in zip(a, g, strict=True)])
        if wrong("contracted example by example"):
            each = [tensors([np.outer(g_n, a_n) for a_n, g_n in zip(*rows, strict=True)])
                    for rows in zip(zip(*a, strict=True), zip(*g, strict=True), strict=True)]
            each = [[contractions(G) for G in one] for one in each]
            return mean, [[sum(C) / len(each) for C in zip(*modes, strict=True)] for modes in zip(*each, strict=True)]
        return mean, [contractions(G, mistake) for G in mean]

    def identified(modes):
        """Ũ_i by (4.10)."""
        k, sizes = len(modes), [len(M) for M in modes]
        c_0 = (np.trace(modes[0]) / math.prod(sizes)) ** (1 if wrong("c₀ without its k-th root") else 1 / k)
        if c_0 == 0:
            return [0 * M for M in modes]
        power = k if wrong("c₀ to the power k") else k - 1
        others = [1 if wrong("dimensions of the others left out") else math.prod(sizes) // d for d in sizes]
        return [M / (c_0**power * n) for M, n in zip(modes, others, strict=True)]

    def inverses(U):
        if wrong("ε after the inversion"):
            return [[np.linalg.pinv(M) + hp.eps * net.eye(len(M)) for M in modes] for modes in U]
        eps = math.sqrt(hp.eps) if wrong("√ε for ε") else hp.eps
        return [[np.linalg.inv(M + eps * net.eye(len(M))) for M in modes] for modes in U]

    def average(new, old, share):
        return [[(1 - share) * o + share * n for o, n in zip(*pair, strict=True)] for pair in zip(old, new, strict=True)]

    warm, seen, G_h = net.samples(case.data), 0, None
    for sample in warm:
        seen += len(sample.x)
        _, C = sampled(sample)
        G_h = C if G_h is None else average(C, G_h, len(sample.x) / seen)
    U_inv = inverses([identified(modes) for modes in G_h])
    grad_h = [np.zeros_like(T) for T in tensors(W)]
    if form != "from step 1":
        yield shown(W) | {"grad_h": grad_h, "G_h": G_h, "U_inv": U_inv}
    for k, batch in enumerate(case.batches, start=1):
        sample, found = net.sample(batch), {}
        grad = tensors(net.gradient(W, sample)[0])
        new = 1 - hp.mu if wrong("momentum as a moving average") else 1
        grad_h = [hp.mu * D_h + new * D for D_h, D in zip(grad_h, grad, strict=True)]
        if k % hp.T_1 == 0:
            found["G_b"], C = sampled(sample)
            G_h = average(C, G_h, hp.beta if wrong("β and 1 − β exchanged") else 1 - hp.beta)
        before = U_inv
        if k % hp.T_2 == 0:
            found["U_t"] = [identified(modes) for modes in G_h]
            U_inv = inverses(found["U_t"])
        used = before if wrong("inverses of the step before") else U_inv
        p = [along_modes(D_h, F, form) for D_h, F in zip(grad_h, used, strict=True)]
        if wrong("inputs not preconditioned"):
            p = [F[0] @ D_h for D_h, F in zip(grad_h, used, strict=True)]
        step = [np.column_stack([p[2 * l], p[2 * l + 1]]) for l in range(len(W))]
        W = [W_l - hp.alpha * p_l for W_l, p_l in zip(W, step, strict=True)]
        yield shown(W) | {"grad": grad, "grad_h": grad_h, "G_h": G_h, "U_inv": U_inv, "p": p} | found


def shampoo(case, mistake="", form=""):
    """R Algorithm 16, roots by eigenvalues. Forms: "svd", "from step 1"."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)

    def root(M, k):
        eps, power = hp.eps, -1 / (2 * k)
        if wrong("exponent −1/k"):
            power = -1 / k
        if wrong("exponent −1/4 for every tensor"):
            power = -1 / 4
        if wrong("positive exponent"):
            power = -power
        if form == "svd":
            U, w, Vt = np.linalg.svd(M + eps * net.eye(len(M)))
            return (U * w**power) @ Vt
        w, V = np.linalg.eigh(M)
        if wrong("ε outside the root"):
            return (V * (np.maximum(w, 1e-12) ** -power + eps) ** -1) @ V.T
        if wrong("ε² for ε"):
            eps = eps**2
        X = (V * np.maximum(w + eps, eps) ** power) @ V.T
        return V.T @ X @ V if wrong("root left in the eigenbasis") else X

    def roots(G_h):
        return [[net.eye(len(M)) if wrong("biases left alone") and len(modes) == 1 else root(M, len(modes)) for M in modes]
                for modes in G_h]

    G_h, seen = None, 0
    for sample in net.samples(case.data):
        seen += len(sample.x)
        C = [contractions(D, mistake) for D in tensors(net.gradient(W, sample)[0])]
        share = len(sample.x) / seen
        G_h = C if G_h is None else [[o + share * (n - o) for o, n in zip(*pair, strict=True)] for pair in zip(G_h, C, strict=True)]
    root_inv, grad_h = roots(G_h), [np.zeros_like(T) for T in tensors(W)]
    if form != "from step 1":
        yield shown(W) | {"grad_h": grad_h, "G_h": G_h, "root_inv": root_inv}
    for k, batch in enumerate(case.batches, start=1):
        sample = net.sample(batch)
        grad = tensors(net.gradient(W, sample)[0])
        new = 1 - hp.mu if wrong("momentum as a moving average") else 1
        grad_h = [hp.mu * D_h + new * D for D_h, D in zip(grad_h, grad, strict=True)]
        if k % hp.T_1 == 0:
            source = grad
            if wrong("statistics of the momentum"):
                source = grad_h
            if wrong("statistics of sampled gradients"):
                source = tensors(net.gradient(W, sample._replace(y=sample.drawn))[0])
            old, new = (1, 1) if wrong("statistics summed") else (hp.beta, 1 - hp.beta)
            G_h = [[old * o + new * n for o, n in zip(modes, contractions(D, mistake), strict=True)]
                   for modes, D in zip(G_h, source, strict=True)]
        before = root_inv
        if k % hp.T_2 == 0:
            root_inv = roots(G_h)
        used = before if wrong("roots of the step before") else root_inv
        p = [along_modes(D_h, F) for D_h, F in zip(grad_h, used, strict=True)]
        if wrong("roots summed, not multiplied"):
            p = [D_h if D_h.ndim == 1 else F[0] @ D_h + D_h @ F[1] for D_h, F in zip(grad_h, used, strict=True)]
        step = [np.column_stack([p[2 * l], p[2 * l + 1]]) for l in range(len(W))]
        W = [W_l - hp.alpha * p_l for W_l, p_l in zip(W, step, strict=True)]
        yield shown(W) | {"grad": grad, "grad_h": grad_h, "G_h": G_h, "root_inv": root_inv, "p": p}


# Subsampled Gauss-Newton, natural gradient, Hessian-free


def damping_after(rho, lam_LM, hp, wrong):
    """λ_LM of the next step (R Section 5.2.3)."""
    boost, drop = (hp.drop, hp.boost) if wrong("boost and drop exchanged") else (hp.boost, hp.drop)
    upper = hp.eps if wrong("drop above ε") else 1 - hp.eps
    return boost * lam_LM if rho < hp.eps else drop * lam_LM if rho > upper else lam_LM


def roots_of_loss(net, z, wrong):
    """C (N, m, m) with CCᵀ = H_n."""
    one = np.broadcast_to(net.eye(net.outputs), (len(z), net.outputs, net.outputs))
    if net.loss_name == "mse" or wrong("loss Hessian left out"):
        return one
    if wrong("loss Hessian without its root"):
        return net.hessian(z)
    q = net.probabilities(z)
    if net.loss_name == "bce":
        return np.sqrt(q * sigma(-z))[:, :, None] * one
    second = 0 if wrong("loss Hessian without its second term") else q[:, :, None] * np.sqrt(q)[:, None]
    return np.sqrt(q)[:, :, None] * one - second


def smw(case, mistake="", form=""):
    """R Algorithm 23 with (5.6), for both matrices. Forms: "dense", which solves with the n × n matrix and shows no D."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)
    lam_LM = hp.lam_LM
    for batch in case.batches:
        sample = net.sample(batch)
        N_1, chosen = len(batch.x), batch.curvature
        if wrong("curvature from the whole batch"):
            chosen = np.arange(N_1)
        N_2, lam = len(chosen), lam_LM + (0 if wrong("τ forgotten") else hp.tau)
        grad, *_ = net.gradient(W, sample)
        a, h, z_2 = net.forward(W, sample.x[chosen])
        rows = roots_of_loss(net, z_2, wrong) if hp.B == "gauss_newton" else net.residual(z_2, sample.y[chosen])[:, :, None]
        if hp.B != "gauss_newton" and wrong("sampled targets"):
            rows = net.residual(z_2, sample.drawn[chosen])[:, :, None]
        if wrong("gradients of the mean loss"):
            rows = rows / N_2
        if wrong("gradients centred"):
            rows = rows - rows.mean(0)
        columns = [net.backward(W, h, rows[:, :, j]) for j in range(rows.shape[2])]
        g = [np.stack([c[l] for c in columns], 1).reshape(-1, len(W[l])) for l in range(len(W))]  # example by example
        each = len(columns)
        a = [np.repeat(a_l, each, 0) for a_l in a]
        if wrong("bias column forgotten"):
            a = [np.hstack([a_l[:, :-1], 0 * a_l[:, -1:]]) for a_l in a]
        n_2 = 1 if wrong("1/N₂ forgotten in D") else N_1 if wrong("1/N₁ for 1/N₂") else N_2
        JJ = sum((a_l @ a_l.T) * (g_l @ g_l.T) for a_l, g_l in zip(a, g, strict=True))
        if wrong("first layer alone in JJᵀ"):
            JJ = (a[0] @ a[0].T) * (g[0] @ g[0].T)
        D = lam * net.eye(len(JJ)) + JJ / n_2
        Jg = sum(((g_l @ D_l) * a_l).sum(1) for a_l, g_l, D_l in zip(a, g, grad, strict=True))
        if wrong("rows output by output"):
            Jg = Jg.reshape(N_2, each).T.ravel()
        d = np.linalg.solve(D, Jg)
        n_2 = 1 if wrong("1/N₂ forgotten in p") else N_2
        p = [(g_l.T @ (d[:, None] * a_l) / n_2 - D_l) / (1 if wrong("1/λ forgotten") else lam)
             for a_l, g_l, D_l in zip(a, g, grad, strict=True)]
        if wrong("sign of the direction"):
            p = [-p_l for p_l in p]
        inner = {"D": [D], "Jg": [Jg], "d": [d]}
        if form == "dense":
            J = np.hstack([(g_l[:, :, None] * a_l[:, None]).reshape(len(a_l), -1) for a_l, g_l in zip(a, g, strict=True)])
            p, inner = layers(np.linalg.solve(J.T @ J / N_2 + lam * net.eye(J.shape[1]), -flat(grad)), W), {}
        Jp = sum(((g_l @ p_l) * a_l).sum(1) for a_l, g_l, p_l in zip(a, g, p, strict=True))
        half = 1 if wrong("model without its half") else 0.5
        foretold = -dot(grad, p) - half * (Jp @ Jp / N_2 + (lam * dot(p, p) if wrong("damping inside the model") else 0))
        seen = Sample(*(part[chosen] for part in sample)) if wrong("ρ on S₂") else sample
        at = [W_l + p_l for W_l, p_l in zip(W, p, strict=True)]
        f, f_at = (net.loss(net.forward(V, seen.x)[2], seen.y) for V in (W, at))
        rho = foretold / (f - f_at) if wrong("ρ upside down") else (f - f_at) / foretold
        lam_LM = damping_after(rho, lam_LM, hp, wrong)
        W = [W_l + hp.alpha * p_l for W_l, p_l in zip(W, p, strict=True)]
        yield shown(W) | inner | {"grad": grad, "p": p, "foretold": foretold, "rho": rho, "lam_LM": lam_LM}


def flat(V):
    return np.concatenate([V_l.ravel() for V_l in V])


def layers(v, W):
    """A vector in the shapes of W̄."""
    ends = np.cumsum([W_l.size for W_l in W])[:-1]
    return [part.reshape(W_l.shape) for part, W_l in zip(np.split(v, ends), W, strict=True)]


def curvature_product(net, W, half, wrong, v):
    """Bv for the Gauss-Newton matrix B over S₂."""
    V = layers(v, W)
    if wrong("Hessian for Gauss-Newton"):
        return flat(net.hessian_product(W, V, half))
    a, h, z = net.forward(W, half.x)
    _, _, Rz = net.forward_along(W, V, h, a)
    HRz = Rz if wrong("loss Hessian left out") else np.einsum("nij,nj->ni", net.hessian(z), Rz)
    g = net.backward(W, h, HRz)
    return flat([g_l.T @ a_l for a_l, g_l in zip(a, g, strict=True)]) / (1 if wrong("1/N₂ forgotten") else len(z))


def conjugate_gradients(times, g, lam, hp, wrong):
    """x towards −(B + λI)⁻¹g, with the rule that ends them."""
    r, x = g if wrong("first residual with the wrong sign") else -g, np.zeros_like(g)
    q, models = r, [0]
    damping = 0 if wrong("conjugate gradients without λ") else lam
    for i in range(1, hp.iterations + 1 - wrong("one iteration too few")):
        rr, Gq = r @ r, times(q) + damping * q
        if rr == 0:
            break
        alpha = rr / (q @ Gq)
        x, r = x + alpha * q, r - alpha * Gq
        q = r if wrong("steepest descent") else r + (rr / (r @ r) if wrong("β upside down") else r @ r / rr) * q
        models.append(-(x @ (r - g)) / 2)
        k = max(10, i // 10)
        if i > k and models[-1] < 0 and models[-1] - models[-1 - k] > k * hp.progress * models[-1]:
            break
    return x


def hessian_free(case, mistake="", form=""):
    """R Algorithm 23 with conjugate gradients. Forms: "matrix", with B itself."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)
    lam_LM = hp.lam_LM
    for batch in case.batches:
        sample, lam = net.sample(batch), lam_LM + (0 if wrong("τ forgotten") else hp.tau)
        half = Sample(*(part[batch.curvature] for part in sample))
        grad, *_ = net.gradient(W, sample)
        times = partial(curvature_product, net, W, sample if wrong("curvature from the whole batch") else half, wrong)
        if form == "matrix":
            times = np.stack([times(e) for e in net.eye(flat(W).size)]).__matmul__
        x = conjugate_gradients(times, flat(grad), lam, hp, wrong)
        p = layers(x, W)
        step = x @ times(x) + (lam * x @ x if wrong("damping inside the model") else 0)
        foretold = -(flat(grad) @ x) - step / 2
        at = [W_l + p_l for W_l, p_l in zip(W, p, strict=True)]
        seen = half if wrong("ρ on S₂") else sample
        f, f_at = (net.loss(net.forward(V, seen.x)[2], seen.y) for V in (W, at))
        rho = (f - f_at) / foretold
        lam_LM = damping_after(rho, lam_LM, hp, wrong)
        rate = 1 if wrong("α forgotten") else hp.alpha
        W = [W_l + rate * p_l for W_l, p_l in zip(W, p, strict=True)]
        yield shown(W) | {"grad": grad, "p": p, "foretold": foretold, "rho": rho, "lam_LM": lam_LM}


# Newton's method by groups


def groups(W, partition):
    """One 0-1 mask like W̄ for every subset, as its entries stand in W_1, b_1, W_2, …."""
    def mask(*entries):
        M = [np.zeros_like(W_l) for W_l in W]
        for l, where in entries:
            M[l][where] = 1
        return M

    every, kernel, bias = slice(None), np.s_[:, :-1], np.s_[:, -1]
    L = range(len(W))
    if partition == "trivial":
        return [mask(*((l, every) for l in L))]
    if partition == "by_layer":
        return [mask((l, every)) for l in L]
    if partition == "by_role":
        return [mask(*((l, kernel) for l in L)), mask(*((l, bias) for l in L))]
    if partition == "canonical":
        return [mask((l, part)) for l in L for part in (kernel, bias)]
    return [mask((l, (i, j))) for l in L for block in (range(W[l].shape[1] - 1), [W[l].shape[1] - 1])
            for i in range(len(W[l])) for j in block]


def cubic_step(g, H, d, lam, wrong, form):
    """The solution of (2) with the largest ‖Dη‖, where every d_s > 0 or the cubic term is 0."""
    if lam == 0 or not d.any() or wrong("cubic term forgotten"):
        return np.linalg.solve(H, g)
    c = lam / (6 if wrong("λ/6 for λ/2") else 2)
    w, V = np.linalg.eigh(H / np.outer(d, d))
    b = V.T @ (g / d)
    low = max(0, -w[0] / c)
    if wrong("smallest solution"):
        low = 0

    def gap(r):
        return np.linalg.norm(b / (w + c * r)) - r

    high = low + 1
    while gap(high) > 0:
        high = low + 3 * (high - low)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(middle) > 0 else (low, middle)
    if form == "solve":
        return np.linalg.solve(H + c * high * np.diag(d**2), g)
    return V @ (b / (w + c * high)) / d


def grouped_newton(case, mistake="", form=""):
    """W Algorithm 1, for any partition. Forms: "solve", the last step of (6) by the other formula; "polarised", H̄ from u_s ± u_r;
    "row by row": H̄ from a product a row, symmetric to within rounding, where otherwise its upper triangle is taken for both."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)
    masks, u, eta = groups(W, hp.partition), None, None
    for k, batch in enumerate(case.batches):
        g, *_ = net.gradient(W, net.sample(batch))
        if u is None or wrong("no momentum on u"):
            u = g if not wrong("u averaged from 0") else [(1 - hp.mu_g) * g_l for g_l in g]
        else:
            new = 1 if wrong("u as heavy ball") else 1 - hp.mu_g
            u = [hp.mu_g * u_l + new * g_l for u_l, g_l in zip(u, g, strict=True)]
        found = {}
        if (k + 1 if wrong("steps counted from 1") else k) % hp.tau == 0 or eta is None:
            other = net.sample(batch if wrong("curvature on the gradient's batch") else batch.curvature)
            along = g if wrong("summaries along g") else u
            pieces = [[M_l * u_l for M_l, u_l in zip(M, along, strict=True)] for M in masks]
            slope_at = g if wrong("ḡ from the gradient's batch") else net.gradient(W, other)[0]
            g_bar = np.array([dot(slope_at, piece) for piece in pieces])
            if wrong("ḡ as a mean over the subset"):
                g_bar = g_bar / [dot(M, M) for M in masks]
            products = [net.hessian_product(W, piece, other) for piece in pieces]
            H_bar = np.array([[dot(product, piece) for piece in pieces] for product in products])
            if form != "row by row":
                H_bar = np.triu(H_bar) + np.triu(H_bar, 1).T
            if form == "polarised":
                sums = [[[x + sign * y for x, y in zip(s, r, strict=True)] for s in pieces for r in pieces] for sign in (1, -1)]
                quadratic = [[dot(net.hessian_product(W, V, other), V) for V in part] for part in sums]
                H_bar = (np.subtract(*quadratic) / 4).reshape(len(pieces), -1)
            if wrong("Gauss-Newton for the Hessian"):
                H_bar = gauss_newton_summary(net, W, pieces, other)
            if wrong("only the diagonal of H̄"):
                H_bar = np.diag(np.diag(H_bar))
            if wrong("H̄ summed over the batch"):
                H_bar = H_bar * len(other.x)
            D3 = np.array([net.third_derivative(W, piece, other) for piece in pieces])
            if wrong("Taylor coefficient for the derivative"):
                D3 = D3 / 6
            d = np.abs(D3) if wrong("cube root forgotten") else np.cbrt(np.abs(D3))
            if wrong("square root for the cube root"):
                d = np.sqrt(np.abs(D3))
            live = np.array([any(V.any() for V in piece) for piece in pieces])
            e = np.zeros_like(g_bar)
            e[live] = cubic_step(g_bar[live], H_bar[np.ix_(live, live)], d[live], hp.lam_int, wrong, form)
            if wrong("step sizes upside down"):
                e = 1 / e
            if wrong("norm not squared"):
                e = np.sqrt(g_bar) / H_bar[0]
            plus = np.maximum(e, 0) if hp.positive or wrong("positive part in Newton's method") else e
            if wrong("negative step sizes kept"):
                plus = e
            if wrong("absolute value for the positive part"):
                plus = np.abs(e)
            start = 0 * plus if wrong("η averaged from 0") and eta is None else eta
            eta = plus if start is None else hp.mu_eta * start + (1 - hp.mu_eta) * plus
            found = {"g_bar": g_bar, "H_bar": H_bar, "D3_diag": D3, "d": d, "e": e}
        rate = 1 if wrong("λ₁ forgotten") else hp.lam1
        ahead = g if wrong("step along g") else u
        scale = [sum(eta_s * M[l] for eta_s, M in zip(eta, masks, strict=True)) for l in range(len(W))]
        W = [W_l - rate * s_l * u_l for W_l, s_l, u_l in zip(W, scale, ahead, strict=True)]
        yield shown(W) | {"g": tensors(g), "u": tensors(u), "eta": eta} | found


def gauss_newton_summary(net, W, pieces, sample):
    a, h, z = net.forward(W, sample.x)
    tangents = [net.forward_along(W, piece, h, a)[2] for piece in pieces]
    return np.array([[np.einsum("ni,nij,nj->", s, net.hessian(z), r) / len(z) for r in tangents] for s in tangents])


def adam(case, mistake="", form=""):
    """Kingma and Ba, Algorithm 1. Forms: "efficient", their Section 2."""
    wrong, hp, net, W = mistake.__eq__, case.hyper, Net(case), weights(case)
    m, v = ([np.zeros_like(W_l) for W_l in W] for _ in "mv")
    for k, batch in enumerate(case.batches, start=1):
        g, *_ = net.gradient(W, net.sample(batch))
        m = [hp.beta1 * m_l + (1 - hp.beta1) * g_l for m_l, g_l in zip(m, g, strict=True)]
        v = [hp.beta2 * v_l + (1 - hp.beta2) * (m_l if wrong("square of the momentum") else g_l) ** 2
             for m_l, v_l, g_l in zip(m, v, g, strict=True)]
        m_h = [m_l / (1 - hp.beta1**k) for m_l in m]
        v_h = [v_l / (1 - (hp.beta1 if wrong("β₁ corrects v") else hp.beta2) ** k) for v_l in v]
        if wrong("v not corrected"):
            v_h = v
        if wrong("ε inside the root"):
            p = [m_l / np.sqrt(v_l + hp.eps) for m_l, v_l in zip(m_h, v_h, strict=True)]
        else:
            p = [m_l / (np.sqrt(v_l) + hp.eps) for m_l, v_l in zip(m_h, v_h, strict=True)]
        if form == "efficient":
            c = math.sqrt(1 - hp.beta2**k)
            W = [W_l - hp.alpha * c / (1 - hp.beta1**k) * m_l / (np.sqrt(v_l) + c * hp.eps)
                 for W_l, m_l, v_l in zip(W, m, v, strict=True)]
            yield shown(W) | {"g": tensors(g), "m": tensors(m), "v": tensors(v)}
            continue
        W = [W_l - hp.alpha * p_l for W_l, p_l in zip(W, p, strict=True)]
        found = {"g": g, "m": m, "v": v, "m_h": m_h, "v_h": v_h, "p": p}
        yield shown(W) | {name: tensors(value) for name, value in found.items()}
