"""K-BFGS and K-FAC by a stranger (R chapters 2 and 3)."""

import math

import numpy as np
from strangers_net import Net, Sample, shown, weights


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
