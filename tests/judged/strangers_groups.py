"""Newton's method by groups, and Adam, by a stranger (W; Kingma and Ba)."""

import math

import numpy as np
from strangers_net import Net, dot, shown, tensors, weights


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
