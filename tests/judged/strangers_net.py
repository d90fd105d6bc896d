"""The passes of the strangers' programs: a multilayer perceptron with its loss, and derivatives up to the third."""

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


def flat(V):
    return np.concatenate([V_l.ravel() for V_l in V])


def layers(v, W):
    """A vector in the shapes of W̄."""
    ends = np.cumsum([W_l.size for W_l in W])[:-1]
    return [part.reshape(W_l.shape) for part, W_l in zip(np.split(v, ends), W, strict=True)]
