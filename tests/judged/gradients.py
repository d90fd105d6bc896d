"""The gradient of a case's loss, written nine times from the definition of a network, without the code under test.

Every function takes a case, the tensors θ = (W₁, b₁, W₂, b₂, …) with W (d_out, d_in), and a batch, and returns the gradient
of the mean loss plus η/2 ‖θ‖², tensor by tensor, in the dtype of θ.
"""

from __future__ import annotations

import math

import autograd.numpy as anp
import numpy as np
from autograd import grad as autograd_of


def activations(case):
    """The names of the activations, one a layer."""
    return [record.name for record in case.model.layers[1::2]]


def logistic(h):
    """1 / (1 + e⁻ʰ) without overflow."""
    e = np.exp(-np.abs(h))
    return np.where(h >= 0, 1, e) / (1 + e)


def softmax(z):
    """Rows of eᶻ over their sum."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


PHI = {
    "linear": lambda h: h,
    "relu": lambda h: np.maximum(h, 0),
    "logistic": logistic,
    "tanh": np.tanh,
    "elu": lambda h: np.where(h > 0, h, np.expm1(np.minimum(h, 0))),
}

D_PHI_OF_OUTPUT = {
    "linear": np.ones_like,
    "relu": lambda a: (a > 0).astype(a.dtype),
    "logistic": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
    "elu": lambda a: np.where(a > 0, 1, a + 1).astype(a.dtype),
}


def one_hot(y, m, dtype):
    """Integer labels (N,) as rows; anything else as it is."""
    return np.eye(m, dtype=dtype)[y] if np.issubdtype(y.dtype, np.integer) else y


def residual(case, output, y):
    """∂loss/∂ŷ of each example: all three losses give prediction minus target."""
    predict = {"mse": lambda z: z, "bce": logistic, "softmax_ce": softmax}[case.model.loss]
    return predict(output) - one_hot(y, output.shape[-1], output.dtype)


def penalized(case, theta, gradient):
    """The gradient with ηθ added."""
    eta = case.hyper.eta
    return [g + eta * t for g, t in zip(gradient, theta, strict=True)] if eta else gradient


def forward(case, theta, x):
    """Activations a₀ = x, a₁, …, a_L of a batch."""
    a = [x]
    for name, W, b in zip(activations(case), theta[0::2], theta[1::2], strict=True):
        a.append(PHI[name](a[-1] @ W.T + b))
    return a


def batched(case, theta, batch):
    """Matrix products over the whole batch; 1/N at the end."""
    a = forward(case, theta, batch.x)
    Da = residual(case, a[-1], batch.y)
    gradient = []
    for l, name in reversed(list(enumerate(activations(case)))):
        Dh = Da * D_PHI_OF_OUTPUT[name](a[l + 1])
        gradient = [Dh.T @ a[l] / len(batch.x), Dh.sum(axis=0) / len(batch.x), *gradient]
        Da = Dh @ theta[2 * l]
    return penalized(case, theta, gradient)


def weighted(case, theta, batch):
    """1/N inside the loss, as libraries with a mean reduction do; log-probabilities first; kernels (in, out)."""
    kernels = [np.ascontiguousarray(W.T) for W in theta[0::2]]
    a = [batch.x]
    for name, K, b in zip(activations(case), kernels, theta[1::2], strict=True):
        a.append(PHI[name](b + a[-1] @ K))
    z = a[-1]
    if case.model.loss == "softmax_ce":
        shifted = z - z.max(axis=1, keepdims=True)
        z = np.exp(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
    elif case.model.loss == "bce":
        z = logistic(z)
    Da = (z - one_hot(batch.y, z.shape[1], z.dtype)) * (1 / len(batch.x))
    gradient = []
    for l, name in reversed(list(enumerate(activations(case)))):
        Dh = D_PHI_OF_OUTPUT[name](a[l + 1]) * Da
        gradient = [(a[l].T @ Dh).T, np.ones(len(Dh), Dh.dtype) @ Dh, *gradient]
        Da = Dh @ kernels[l].T
    return penalized(case, theta, gradient)


def per_example(case, theta, batch):
    """The gradient of each example's own loss, one list of tensors an example: vectors and outer products only."""
    gradients = []
    for x, y in zip(batch.x, one_hot(batch.y, theta[-1].shape[0], theta[0].dtype), strict=True):
        a = [x]
        for name, W, b in zip(activations(case), theta[0::2], theta[1::2], strict=True):
            a.append(PHI[name](np.array([W[i] @ a[-1] + b[i] for i in range(len(b))])))
        Da = residual(case, a[-1], y)
        gradient = []
        for l, name in reversed(list(enumerate(activations(case)))):
            Dh = Da * D_PHI_OF_OUTPUT[name](a[l + 1])
            gradient = [np.outer(Dh, a[l]), Dh, *gradient]
            Da = sum(Dh[i] * theta[2 * l][i] for i in range(len(Dh)))
        gradients.append(gradient)
    return gradients


def by_loops(case, theta, batch):
    """Examples one after the other, the last first, each divided by N before it is added."""
    total = [np.zeros_like(t) for t in theta]
    for gradient in reversed(per_example(case, theta, batch)):
        for i, g in enumerate(gradient):
            total[i] = total[i] + g / len(batch.x)
    return penalized(case, theta, total)


def by_pairs(case, theta, batch):
    """Per-example gradients, summed as a binary tree."""
    def tree(terms):
        middle = len(terms) // 2
        return terms[0] if len(terms) == 1 else tree(terms[:middle]) + tree(terms[middle:])

    return penalized(case, theta, [tree(list(terms)) / len(batch.x)
                                   for terms in zip(*per_example(case, theta, batch), strict=True)])


def by_einsum(case, theta, batch):
    """Every product an einsum, with homogeneous inputs: the bias is the last column of W̄."""
    W_b = [np.column_stack([W, b]) for W, b in zip(theta[0::2], theta[1::2], strict=True)]
    ones = np.ones((len(batch.x), 1), batch.x.dtype)
    a, z = [], batch.x
    for name, W in zip(activations(case), W_b, strict=True):
        a.append(np.concatenate([z, ones], axis=1))
        z = PHI[name](np.einsum("oi,ni->no", W, a[-1]))
    outputs = [*(a_l[:, :-1] for a_l in a[1:]), z]
    Da = residual(case, z, batch.y)
    gradient = []
    for l, name in reversed(list(enumerate(activations(case)))):
        Dh = np.einsum("no,no->no", Da, D_PHI_OF_OUTPUT[name](outputs[l]))
        DW = np.einsum("no,ni->oi", Dh, a[l]) / len(batch.x)
        gradient = [DW[:, :-1], DW[:, -1], *gradient]
        Da = np.einsum("no,oi->ni", Dh, W_b[l][:, :-1])
    return penalized(case, theta, gradient)


def by_other_formulas(case, theta, batch):
    """Textbook formulas: tanh′ = 1/cosh², σ = (1 + tanh(h/2))/2, softmax = exp(z − log Σ exp z)."""
    phi = PHI | {
        "logistic": lambda h: (1 + np.tanh(h / 2)) / 2, "tanh": lambda h: 2 * logistic(2 * h) - 1,
        "relu": lambda h: h * (h > 0), "elu": lambda h: np.where(h > 0, h, np.exp(np.minimum(h, 0)) - 1),
    }
    d_phi = {
        "linear": np.ones_like, "relu": lambda h: (np.sign(h) > 0).astype(h.dtype), "tanh": lambda h: np.cosh(h) ** -2,
        "logistic": lambda h: np.exp(-h) / (1 + np.exp(-h)) ** 2, "elu": lambda h: np.exp(np.minimum(h, 0)),
    }
    a, h = [batch.x], []
    for name, W, b in zip(activations(case), theta[0::2], theta[1::2], strict=True):
        h.append(np.tensordot(a[-1], W, axes=(1, 1)) + b)
        a.append(phi[name](h[-1]))
    z = a[-1]
    if case.model.loss == "softmax_ce":
        top = z.max(axis=1, keepdims=True)
        z = np.exp(z - (top + np.log(np.exp(z - top).sum(axis=1, keepdims=True))))
    elif case.model.loss == "bce":
        z = phi["logistic"](z)
    Da = z - one_hot(batch.y, z.shape[1], z.dtype)
    gradient = []
    for l, name in reversed(list(enumerate(activations(case)))):
        Dh = Da * d_phi[name](h[l])
        gradient = [(Dh[:, :, None] * a[l][:, None, :]).mean(axis=0), Dh.mean(axis=0), *gradient]
        Da = np.dot(theta[2 * l].T, Dh.T).T
    return penalized(case, theta, gradient)


def by_exact_sums(case, theta, batch):
    """Entry by entry in Python floats, every sum correctly rounded (`math.fsum`)."""
    W, b = [t.tolist() for t in theta[0::2]], [t.tolist() for t in theta[1::2]]
    names, N = activations(case), len(batch.x)
    terms = [np.empty(t.shape, object) for t in theta]
    for tensor in terms:
        for index in np.ndindex(tensor.shape):
            tensor[index] = []
    for x, y in zip(batch.x.tolist(), one_hot(batch.y, len(b[-1]), np.float64).tolist(), strict=True):
        a = [x]
        for l, name in enumerate(names):
            h = [math.fsum([b_i, *(w * a_j for w, a_j in zip(row, a[-1], strict=True))])
                 for row, b_i in zip(W[l], b[l], strict=True)]
            a.append(PHI[name](np.array(h)).tolist())
        Da = residual(case, np.array(a[-1]), np.array(y)).tolist()
        for l in reversed(range(len(names))):
            slope = D_PHI_OF_OUTPUT[names[l]](np.array(a[l + 1])).tolist()
            Dh = [d * s for d, s in zip(Da, slope, strict=True)]
            for i, d in enumerate(Dh):
                terms[2 * l + 1][i].append(d)
                for j, a_j in enumerate(a[l]):
                    terms[2 * l][i, j].append(d * a_j)
            Da = [math.fsum(W[l][i][j] * Dh[i] for i in range(len(Dh))) for j in range(len(a[l]))]
    means = [np.array([math.fsum(terms_of_entry) / N for terms_of_entry in tensor.ravel()]) for tensor in terms]
    return penalized(case, theta, [mean.reshape(t.shape) for mean, t in zip(means, theta, strict=True)])


def mean_loss(lib, case, theta, batch):
    """The mean loss plus penalty, for programs that differentiate it themselves."""
    phi = {
        "linear": lambda h: h,
        "relu": lambda h: lib.where(lib.real(h) > 0, h, 0 * h),
        "logistic": lambda h: 1 / (1 + lib.exp(-h)),
        "tanh": lib.tanh,
        "elu": lambda h: lib.where(lib.real(h) > 0, h, lib.exp(lib.where(lib.real(h) > 0, 0 * h, h)) - 1),
    }
    z = batch.x
    for name, W, b in zip(activations(case), theta[0::2], theta[1::2], strict=True):
        z = phi[name](lib.dot(z, W.T) + b)
    y = one_hot(batch.y, z.shape[1], np.float64)
    if case.model.loss == "mse":
        values = (z - y) ** 2 / 2
    elif case.model.loss == "bce":
        values = lib.log(1 + lib.exp(z)) - y * z
    else:
        shifted = z - np.max(lib.real(z), axis=1, keepdims=True) if lib is np else z
        values = y * (lib.log(lib.sum(lib.exp(shifted), axis=1, keepdims=True)) - shifted)
    return lib.sum(values) / len(batch.x) + case.hyper.eta / 2 * sum(lib.sum(t * t) for t in theta)


def by_autograd(case, theta, batch):
    """Reverse-mode differentiation of the loss (autograd)."""
    return list(autograd_of(lambda theta: mean_loss(anp, case, theta, batch))(list(theta)))


def by_complex_step(case, theta, batch):
    """Im f(θ + ih) / h with h = 2⁻¹⁰⁰, entry by entry: no subtraction, so as exact as the forward pass."""
    h = 2.0**-100
    gradient = [np.empty_like(t) for t in theta]
    for i, t in enumerate(theta):
        for index in np.ndindex(t.shape):
            moved = [t.astype(complex) for t in theta]
            moved[i][index] += 1j * h
            gradient[i][index] = np.imag(mean_loss(np, case, moved, batch)) / h
    return gradient

