"""SMW-GN, SMW-NG and Hessian-free by a stranger (R chapter 5)."""

from functools import partial

import numpy as np
from strangers_net import Net, Sample, dot, flat, layers, shown, sigma, weights


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
