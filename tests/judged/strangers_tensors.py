"""TNT and Shampoo by a stranger (R chapter 4): kernels are matrices with two modes, biases vectors with one."""

import math

import numpy as np
from strangers_net import Net, shown, tensors, weights


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
