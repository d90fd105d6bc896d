"""Single procedures under judgement: ours, written from the papers in other forms, pass; anything else is found on its line."""

import importlib
import inspect
import pkgutil
import threading
import time

import numpy as np
import pytest
from stepgauge import nets, verify
from stepgauge.arrays import map_arrays
from stepgauge.nets import single
from stepgauge.reference import parts
from stepgauge.reference.grouped_newton import Hyper
from stepgauge.reference.parts import damping
from stepgauge.verify.procedures import PROCEDURES


def dot(x, y):
    total = x[-1] * y[-1]
    for a, b in zip(x[-2::-1], y[-2::-1], strict=True):
        total = total + a * b
    return total


def mixed(weight, near, far):
    return far + weight * (near - far) if weight < 1 else near


def powell(s, y, far, c, mu, strict=True):
    sy = dot(s, y)
    damp = sy < mu * c if strict else sy <= mu * c
    return (1 - mu) * c / (c - sy) if damp and c != 0 else type(c)(1)


def powell_on_B(s, y, B, mu):
    Bs = np.einsum("ij,j->i", B, s)
    theta = powell(s, y, Bs, dot(s, Bs), mu)
    return s, theta * y + (1 - theta) * Bs


def powell_on_H(s, y, H, mu):
    Hy = np.sum(H * y, axis=1)
    theta = powell(s, y, Hy, dot(y, Hy), mu)
    return {"s_t": (1 - theta) * Hy + theta * s, "y_t": y}


def powell_identity(s, y, mu):
    theta = powell(s, y, s, dot(s, s), mu)
    return s, (1 - theta) * s + theta * y


def double_damping(s, y, H, mu1, mu2, strict=True):
    Hy = H @ y
    theta1 = powell(s, y, Hy, dot(Hy, y), mu1, strict)
    s_t = theta1 * s + (1 - theta1) * Hy
    theta2 = powell(s_t, y, s_t, dot(s_t, s_t), mu2, strict)
    return {"theta1": np.asarray(theta1), "s_t": s_t, "theta2": np.asarray(theta2), "y_t": theta2 * y + (1 - theta2) * s_t}


def dp_dlm(s, y, H, mu1, mu2):
    Hy = H @ y
    theta = powell(s, y, Hy, dot(Hy, y), mu1)
    s_t = theta * s + (1 - theta) * Hy
    return s_t, mu2 * s_t + y


def dpi_dlm(s, y, mu1, mu2):
    far = y / s.dtype.type(mu2)
    theta = powell(s, y, far, dot(y, far), mu1)
    s_t = theta * s + (1 - theta) * far
    return s_t, mu2 * s_t + y


def bfgs_H(H, s, y):
    rho = 1 / dot(s, y)
    left = np.eye(len(s), dtype=s.dtype) - rho * np.outer(s, y)
    return left @ H @ left.T + rho * np.outer(s, s)


def bfgs_B(B, s, y):
    Bs = B @ s
    return B + np.outer(y, y) / dot(y, s) - np.outer(Bs, Bs) / dot(s, Bs)


def dfp_H(H, s, y):
    return bfgs_B(H, y, s)


def broyden_H(H, s, y, phi):
    Hy = H @ y
    h = s / dot(s, y) - Hy / dot(y, Hy)
    return dfp_H(H, s, y) + phi * dot(y, Hy) * np.outer(h, h)


def hessian_action_pair(H, a, A):
    s = np.array([dot(row, a) for row in H])
    return s, np.array([dot(row, s) for row in A])


def minibatch_action_pair(H, a, lam):
    """A formed, position by position from the last, and damped."""
    N, P, n = a.shape
    A = np.asarray(lam, dtype=a.dtype) * np.eye(n, dtype=a.dtype)
    for e in range(N - 1, -1, -1):
        for t in range(P - 1, -1, -1):
            A = A + np.outer(a[e, t], a[e, t]) / N
    s = np.array([dot(row, a.mean(axis=1).mean(axis=0)) for row in H])
    return s, A @ s


def mat(A, i):
    return np.moveaxis(A, i - 1, 0).reshape(A.shape[i - 1], -1)


def contraction(A, i):
    return np.array([[dot(x, y) for y in mat(A, i)] for x in mat(A, i)])


def mode_product(A, U, i):
    return np.moveaxis(np.tensordot(U, A, axes=(1, i - 1)), 0, i - 1)


def mode_products(A, U):
    K = U[0]
    for U_i in U[1:]:
        K = np.kron(K, U_i)
    return (K @ A.ravel()).reshape([len(U_i) for U_i in U])


def dense(lam, J, H, g, N2):
    return np.linalg.solve(lam * np.eye(J.shape[1], dtype=J.dtype) + J.T @ H @ J / N2, g)


def smw_with(lam, J, H, g, N2):
    D = lam * np.linalg.inv(H) + J @ J.T / N2
    return (g - J.T @ (np.linalg.inv(D) @ (J @ g)) / N2) / J.dtype.type(lam)


def smw_without(lam, J, H, g, N2):
    D = lam * np.eye(len(J), dtype=J.dtype) + J @ J.T @ H / N2
    return (g - J.T @ H @ np.linalg.solve(D, J @ g) / N2) / J.dtype.type(lam)


def inverse_root(A, p):
    w, Q = np.linalg.eigh(A)
    return (Q * w ** A.dtype.type(-1 / p)) @ Q.T


def published_newton(A, p):
    """With the usual start, and an end at 1e-6."""
    dtype, eye = A.dtype.type, np.eye(len(A), dtype=A.dtype)
    z = dtype((p + 1) / 2) / np.sqrt((A * A).sum())
    M, X = z * A, z ** dtype(1 / p) * eye
    for _ in range(100):
        if np.abs(M - eye).max() <= 1e-6:
            break
        T = ((p + 1) * eye - M) / dtype(p)
        X, M = X @ T, np.linalg.matrix_power(T, p) @ M
    return X


def moments(U):
    return tuple(U_i * np.prod([np.trace(U_j) for j, U_j in enumerate(U) if j != i], dtype=U_i.dtype) for i, U_i in enumerate(U))


def identify(E, which=0):
    k, n, total = len(E), int(np.prod([len(E_i) for E_i in E])), np.trace(E[which])
    c_0 = (total / n) ** (total.dtype.type(1) / k)
    U_t = tuple(E_i / max(c_0, np.finfo(c_0.dtype).tiny) ** (k - 1) * len(E_i) / n for E_i in E)
    return {"U_t": U_t, "c_0": np.asarray(c_0)}


SLOPES = {"linear": np.ones_like, "tanh": lambda h: 1 / np.cosh(h) ** 2, "logistic": lambda h: 1 / (2 + 2 * np.cosh(h)),
          "elu": lambda h: np.exp(np.minimum(h, 0)), "relu": lambda h: (np.sign(h) + 1) / 2}
PHI = {"linear": lambda h: h, "tanh": np.tanh, "logistic": lambda h: (1 + np.tanh(h / 2)) / 2,
       "elu": lambda h: np.where(h > 0, h, np.expm1(h)), "relu": lambda h: (h + abs(h)) / 2}


def jacobians(theta, activations, h):
    """∂ŷ/∂h^(l) of every layer, from the last to the first."""
    found = [np.diag(SLOPES[activations[-1]](h[-1]))]
    for l in reversed(range(len(theta) - 1)):
        found.insert(0, np.einsum("jk,ki,i->ji", found[0], theta[l + 1].W, SLOPES[activations[l]](h[l])))
    return found


def jacobian_product(theta, activations, h, v, theta_1):
    layers = zip(jacobians(theta, activations, h), theta_1, v[:-1], strict=True)
    parts = [dy_dh @ (W_1 @ v_l + b_1) for dy_dh, (W_1, b_1), v_l in layers]
    return np.sum(parts[::-1], axis=0)


def block_matrix(theta, activations, h, v):
    rows = []
    for h_i, v_i in zip(h, v, strict=True):
        dy_dh = jacobians(theta, activations, h_i)
        rows.append(np.concatenate([np.einsum("jo,i->joi", d, np.append(v_l, v_l.dtype.type(1))).reshape(len(d), -1)
                                    for d, v_l in zip(dy_dh, v_i[:-1], strict=True)], axis=1))
    J = np.concatenate(rows)
    return J @ J.T


def joined(theta):
    return tuple(np.concatenate([W, b[:, None]], axis=1) for W, b in theta)


def one_pass(W, activations, loss, x, y):
    """R Algorithm 1 in row vectors."""
    a, h = [], []
    for W_l, name in zip(W, activations, strict=True):
        a.append(np.append(x, x.dtype.type(1)))
        h.append(np.einsum("i,ji->j", a[-1], W_l))
        x = PHI[name](h[-1])
    Da, g, DW = residual(loss, x) - y, [], []
    for W_l, a_l, h_l, name in zip(W[::-1], a[::-1], h[::-1], activations[::-1], strict=True):
        g.insert(0, SLOPES[name](h_l) * Da)
        DW.insert(0, np.outer(g[0], a_l))
        Da = np.delete(g[0] @ W_l, -1)
    return {"a": a, "h": h, "g": g, "DW": DW, "output": x}


def residual(loss, output):
    """The mean of the predictive distribution."""
    if loss == "bce":
        return 1 / (1 + np.exp(-output))
    e = np.exp(output - output.max())
    return e / e.sum() if loss == "softmax_ce" else output


def single_forward(theta, activations, x):
    h, v = [], [x]
    for (W, b), name in zip(theta, activations, strict=True):
        h.append(b + np.sum(W * v[-1], axis=1))
        v.append(PHI[name](h[-1]))
    return h, v


def single_backward(theta, activations, loss, h, v, y):
    return transposed_product(theta, activations, h, v, residual(loss, v[-1]) - y)


def partial_transposed_product(theta, activations, h, x):
    return tuple(x @ dy_dh for dy_dh in jacobians(theta, activations, h))


def packed(h_h, v):
    return tuple((np.einsum("o,i->oi", g, v_l), g) for g, v_l in zip(h_h, v, strict=False))


def transposed_product(theta, activations, h, v, V):
    return packed(partial_transposed_product(theta, activations, h, V), v)


def conjugate_gradient(G, b, iterations, progress, M):
    """In the form of Hestenes and Stiefel, β from the new residual and Gd, over one long vector."""
    sizes, shapes = np.cumsum([b_l.size for b_l in b])[:-1], [b_l.shape for b_l in b]

    def apart(x):
        return tuple(part.reshape(shape) for part, shape in zip(np.split(x, sizes), shapes, strict=True))

    def whole(x):
        return np.concatenate([part.ravel() for part in x])

    M = np.ones_like(whole(b)) if M is None else whole(M)
    r, x, falls = whole(b), 0 * whole(b), [0]
    d = r / M
    for i in range(iterations):
        if not r.any():
            return apart(x), i
        Gd = whole(G(apart(d)))
        alpha = (r @ d) / (d @ Gd)
        x, r = x + alpha * d, r - alpha * Gd
        falls.append(x @ (r + whole(b)) / 2)
        if progress and i >= 10 and falls[-1] - falls[-11] < 10 * progress * falls[-1]:
            return apart(x), i + 1
        d = r / M - (r / M @ Gd) / (d @ Gd) * d
    return apart(x), iterations


def model(eta, g, H, d, lam):
    return -dot(g, eta) + np.einsum("i,ij,j", eta, H, eta) / 2 + lam / 6 * np.sum((d * eta) ** 2) ** (eta.dtype.type(3) / 2)


def stationarity(g, H, d, lam, eta, r):
    return (H + np.diag(lam / 2 * r * d**2)) @ eta - g


def descend(theta, p, alpha, gamma):
    return (1 - alpha * gamma) * theta - alpha * p


def schedule(state, loss, hyper):
    """torch's scheduler counts what is bad first, and compares with its patience then."""
    lam, best, bad = state.lam, state.best, state.bad
    if state.k % hyper.N_sch == 0:
        loss = state.lam.dtype.type(loss)
        if best is None or loss < best - best * hyper.threshold:
            best, bad = loss, 0
        else:
            bad += 1
        if bad > hyper.p_sch:
            lam, bad = lam * hyper.f_sch, 0
    return {"lam": lam, "best": best, "bad": bad}


def reduction_ratio(f, f_p, foretold):
    dtype = foretold.dtype.type
    if not np.isfinite(f_p) or foretold < 0:
        return dtype(-np.inf)
    return dtype(1) / 2 if foretold == 0 else 1 / (foretold / (f - f_p))


def adapted(lam_LM, rho, eps, boost, drop):
    return np.where(rho < eps, boost * lam_LM, np.where(rho + eps > 1, drop * lam_LM, lam_LM)).astype(lam_LM.dtype)


def as_modes(A, view, lead=0):
    *head, out = A.shape[:lead + 1]
    if view == "vector":
        return A.reshape(*head, -1)
    if A.ndim - lead < 4 or view == "4-way":
        return A
    whole = A.reshape(*head, out, -1)
    if view == "matrix":
        return whole
    d_in, kh, kw = A.shape[lead + 1:]
    return np.moveaxis(np.moveaxis(whole.reshape(*head, out, d_in, kh * kw), -1, lead), -1, -2)


def from_modes(A, shape, view):
    if len(shape) < 4 or view != "3-way":
        return A.reshape(shape)
    return np.einsum("pio->oip", A).reshape(shape)


def preconditioned(G, U_inv, view):
    return tuple(from_modes(mode_products(as_modes(G_l, view), U), G_l.shape, view) for G_l, U in zip(G, U_inv, strict=True))


def by_bisection(g, H, d, lam):
    """(2) by bisection in r with linear solves, in the dtype of the data; the coordinates with d = 0 are left to the solve."""
    if not (np.isfinite(g).all() and np.isfinite(H).all() and np.isfinite(d).all() and np.isfinite(lam)):
        raise ValueError("finite numbers")
    if not (g.dtype == H.dtype == d.dtype) or g.dtype.kind != "f" or g.ndim != 1 or g.dtype == np.float16:
        raise TypeError("floats of one type")
    if lam < 0 or (d < 0).any() or H.shape != (len(g),) * 2 or d.shape != g.shape or not np.allclose(H, H.T, rtol=1e-4, atol=0):
        raise ValueError("arguments")
    if lam == 0:
        return np.linalg.solve(H, g)
    one = g.dtype.type
    D2 = np.diag(d * d)

    def at(r):
        M = H + one(lam) / 2 * one(r) * D2
        return M, np.linalg.solve(M, g) if np.linalg.cond(M) < 1e30 else 0 * g + np.inf

    def small(r):
        M, eta = at(r)
        return np.linalg.eigvalsh(M)[0] <= 0 or np.linalg.norm(d * eta) > r

    low, high = 0.0, 1.0
    while small(high):
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if small(middle) else (low, middle)
    return at(high)[1]


def two_loop_recursion(S, Y, X, h):
    m = S.shape[1]
    q, left = X.copy(), [None] * m
    for i in range(m - 1, -1, -1):
        left[i] = np.tensordot(S[:, i], q, 1) / dot(S[:, i], Y[:, i])
        q = q - np.multiply.outer(Y[:, i], left[i])
    r = X.dtype.type(h) * q
    for i in range(m):
        r = r + np.multiply.outer(S[:, i], left[i] - np.tensordot(Y[:, i], r, 1) / dot(S[:, i], Y[:, i]))
    return r


def dense_memory(S, Y, X, h):
    H = np.eye(len(S), dtype=S.dtype) * S.dtype.type(h)
    for s, y in zip(S.T, Y.T, strict=True):
        H = bfgs_H(H, s, y)
    return H @ X


def outputs_of(model, params):
    """The outputs (m,) of one example as a function of θ and x, for autograd."""
    import autograd.numpy as anp

    phi = {"linear": lambda h: h, "tanh": anp.tanh, "logistic": lambda h: 1 / (1 + anp.exp(-h)),
           "elu": lambda h: anp.where(h > 0, h, anp.exp(anp.minimum(h, 0)) - 1)}

    def outputs(theta, x):
        z, k = x, 0
        for record in model.layers:
            if isinstance(record, nets.Act):
                z = phi[record.name](z)
            elif isinstance(record, nets.Flatten):
                z = anp.reshape(z, -1)
            else:
                shape, d_out = params[k].W.shape, len(params[k].b)
                size = params[k].W.size
                W, b, theta, k = anp.reshape(theta[:size], (-1, d_out)).T, theta[size:size + d_out], theta[size + d_out:], k + 1
                if isinstance(record, nets.Conv2d):                    # kernel 3 × 1 on one channel, padded above and below
                    rows, columns = z.shape[1:]
                    padded = anp.concatenate([anp.zeros((1, columns)), z[0], anp.zeros((1, columns))])
                    patches = anp.stack([anp.reshape(padded[i:i + rows], -1) for i in range(shape[2])])
                    z = anp.reshape(anp.dot(W, patches) + b[:, None], (d_out, rows, columns))
                else:
                    z = anp.dot(W, z) + b
        return z

    return outputs


def packed_columns(params):
    """θ, matrices column by column."""
    return np.concatenate([part for W, b in params for part in (W.reshape(len(b), -1).ravel("F"), b)])


def output_jacobians(model, params, x):
    """∂ŷ/∂θ of every example, (N, m, n), by differentiating the outputs one after the other with autograd."""
    from autograd import jacobian as differentiate

    theta, outputs = packed_columns(params), outputs_of(model, params)
    return np.array([differentiate(outputs)(theta, x_n) for x_n in x]), np.array([outputs(theta, x_n) for x_n in x])


def probabilities(output):
    shifted = np.exp(output - output.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def hessian(model, params, x, y):
    """The mean of the second derivatives of every example's loss in θ, by autograd."""
    import autograd.numpy as anp
    from autograd import hessian as differentiate

    outputs, y = outputs_of(model, params), np.eye(len(params[-1].b))[y] if model.loss == "softmax_ce" else y
    loss = {"mse": lambda z, y: anp.sum((z - y) ** 2) / 2, "bce": lambda z, y: anp.sum(anp.logaddexp(0, z) - y * z),
            "softmax_ce": lambda z, y: anp.log(anp.sum(anp.exp(z))) - anp.sum(y * z)}[model.loss]
    curved = differentiate(lambda theta, x, y: loss(outputs(theta, x), y))
    return (sum(curved(packed_columns(params), *example) for example in zip(x, y, strict=True)) / len(x)).astype(x.dtype)


def ggn(model, params, x):
    J, output = output_jacobians(model, params, x)
    sigma = 1 / (1 + np.exp(-output))
    total = 0
    for J_n, s, p in zip(J, sigma, probabilities(output), strict=True):
        H = {"mse": np.eye(len(s)), "bce": np.diag(s * (1 - s)), "softmax_ce": np.diag(p) - np.outer(p, p)}[model.loss]
        total = total + J_n.T @ H @ J_n / len(x)
    return total.astype(x.dtype)


def empirical_fisher(model, params, x, y):
    J, output = output_jacobians(model, params, x)
    if model.loss == "softmax_ce":
        residual = probabilities(output) - np.eye(output.shape[1])[y]
    else:
        residual = (output if model.loss == "mse" else 1 / (1 + np.exp(-output))) - y
    g = np.array([J_n.T @ r for J_n, r in zip(J, residual, strict=True)])
    return (g.T @ g / len(x)).astype(x.dtype)


OURS = {
    "single.forward_backward": [one_pass, lambda *args: tuple(one_pass(*args).values())],
    "single.forward": [single_forward],
    "single.backward": [single_backward],
    "single.partial_transposed_product": [partial_transposed_product],
    "single.packed": [packed],
    "single.transposed_product": [transposed_product],
    "conjugate_gradient.conjugate_gradient": [conjugate_gradient],
    "cubic.model": [model],
    "cubic.stationarity": [stationarity],
    "descent.descend": [descend, lambda theta, p, alpha, gamma: theta - alpha * p - alpha * gamma * theta],
    "grouped_newton.schedule": [schedule],
    "levenberg_marquardt.reduction_ratio": [reduction_ratio],
    "levenberg_marquardt.adapted": [adapted],
    "tensor_normal.as_modes": [as_modes],
    "tensor_normal.from_modes": [from_modes],
    "tensor_normal.preconditioned": [preconditioned],
    "curvature.hessian": [hessian],
    "curvature.ggn": [ggn],
    "curvature.empirical_fisher": [empirical_fisher],
    "lbfgs.product": [two_loop_recursion, dense_memory],
    "single.jacobian_product": [jacobian_product],
    "single.block_matrix": [block_matrix],
    "cubic.step_sizes": [by_bisection],
    "damping.powell_on_B": [powell_on_B],
    "damping.powell_on_H": [powell_on_H],
    "damping.powell_identity": [powell_identity],
    "damping.double_damping": [double_damping, lambda *args, **mus: double_damping(*args, **mus, strict=False)],
    "damping.dp_dlm": [dp_dlm],
    "damping.dpi_dlm": [dpi_dlm],
    "quasi_newton.bfgs_H": [bfgs_H],
    "quasi_newton.bfgs_B": [bfgs_B],
    "quasi_newton.dfp_H": [dfp_H],
    "quasi_newton.broyden_H": [broyden_H],
    "quasi_newton.hessian_action_pair": [hessian_action_pair],
    "quasi_newton.minibatch_action_pair": [minibatch_action_pair],
    "tensors.vec": [lambda A: A.ravel(), lambda A: np.concatenate([a.ravel() for a in A])],
    "tensors.vec_columns": [lambda X: X.T.ravel(), lambda X: X.ravel(order="F")],
    "tensors.mat": [mat],
    "tensors.contraction": [contraction],
    "tensors.mode_product": [mode_product],
    "tensors.mode_products": [mode_products],
    "roots.inverse_root": [inverse_root, published_newton],
    "tensor_normal.moments": [moments],
    "tensor_normal.identify": [identify, lambda E: identify(E, -1)],
    "smw.solve_with_inverse": [smw_with, dense],
    "smw.solve_without_inverse": [smw_without, dense],
}


def test_every_procedure_has_a_candidate_here():
    assert set(OURS) == set(PROCEDURES)


LEFT_OUT = {
    "takes a net, a tape or a batch: what the methods show judges it": """curvature.examples curvature.directions curvature.rows
        curvature.squared_gradients curvature.fisher_product curvature.ggn_product
        curvature.sampled_fisher curvature.fisher descent.gradient fisher.weighted_targets fisher.per_example fisher.of_weights
        fisher.with_sampled kronecker.joined_gradient kronecker.stacked_gradient kronecker.sampled_gradients kronecker.means
        kronecker.mean kronecker.second_moment kronecker.over_data kronecker.split_damping
        levenberg_marquardt.here_and_ahead tensor_normal.factors_over_data""",
    "bookkeeping of layers and tuples": """given.by_layer given.by_norm given.by_tensor given.of_modes kronecker.each
        kronecker.both kronecker.of_layers kronecker.of_norms kronecker.join kronecker.stack
        kronecker.joined kronecker.stacked kronecker.split tensor_normal.by_mode""",
    "one expression, seen in what is made of it": """conjugate_gradient.plus conjugate_gradient.preconditioned
        damping.weight descent.learning_rate kronecker.inner kronecker.damped levenberg_marquardt.penalty quasi_newton.curvature
        tensor_normal.trace tensor_normal.contractions tensors.kron""",
    "says how good a solution is, which is judged itself": """cubic.solution cubic.minimiser cubic.hessian
        roots.coupled_newton brackets.crossing brackets.norm brackets.roundoff""",
    "the memory that the L-BFGS methods show as S and Y": "lbfgs.empty lbfgs.updated",
    "the distribution itself, which no method evaluates; any root of U_i makes a draw":
        "tensor_normal.log_density tensor_normal.sample",
    "raises or does nothing": """conjugate_gradient.check descent.check_descent descent.check_rate descent.finite
        given.check_positive given.check_start given.check_state lbfgs.check_kept levenberg_marquardt.check_changes
        levenberg_marquardt.check_hyper roots.check_tolerance tensor_normal.check_factors
        tensor_normal.check_view""",
}
"""Why a public function of `reference.parts` or `nets.single` is no procedure, and which."""


def test_every_public_function_is_a_procedure_or_left_out_for_a_reason():
    found = pkgutil.iter_modules(parts.__path__, f"{parts.__name__}.")
    modules = [*(importlib.import_module(module.name) for module in found), single]
    public = {f"{module.__name__.rpartition('.')[2]}.{name}" for module in modules for name, value in vars(module).items()
              if not name.startswith("_") and callable(value) and not inspect.isclass(value)
              and value.__module__ == module.__name__}
    left_out = [name for names in LEFT_OUT.values() for name in names.split()]
    assert len(set(left_out)) == len(left_out)
    assert sorted([*left_out, *set(PROCEDURES) - {"grouped_newton.schedule"}]) == sorted(public)


@pytest.mark.parametrize("name", OURS)
def test_right_code_in_other_forms_passes(name):
    for candidate in OURS[name]:
        report = verify.check(name, candidate)
        assert report.verdict == "PASS", [(c.case, c.verdict, c.reason) for c in report.cases if c.verdict != "PASS"]
        assert report.ok
        for field in PROCEDURES[name].shown():
            row = report.coverage[field]
            assert row["compared"] == sum(leaves(of_reference(name, inputs, field)) for inputs in PROCEDURES[name].inputs())
            assert row["informative_cases"] >= 1
        assert [case.case for case in report.cases] == [inputs.name for inputs in PROCEDURES[name].inputs()]


def of_reference(name, inputs, field):
    """What the reference returns under a name."""
    result = getattr(PROCEDURES[name].module, PROCEDURES[name].function)(*inputs.args, **inputs.kwargs)
    return getattr(result, field) if PROCEDURES[name].fields() else result


def leaves(value):
    return sum(map(leaves, value)) if isinstance(value, tuple | list) else 1


COUNTS = ("iterations", "bad")
"""What is a whole number."""

OFF = {"roots.inverse_root": 1e-4}
"""A billionth elsewhere; but a root may be off by the text's tolerance of 1e-6."""


def scaled(value, off):
    if isinstance(value, tuple | list):
        return tuple(scaled(part, off) for part in value)
    return value + off if isinstance(value, int) else value * value.dtype.type(1 + off)


def moved(returned, field, fields, off):
    """What a candidate returned, with one array of it (or a tuple of arrays) off by a factor 1 + off."""
    if isinstance(returned, dict):
        return returned | {field: scaled(returned[field], off)}
    if isinstance(returned, tuple) and fields:
        return tuple(scaled(value, off) if name == field else value for name, value in zip(fields, returned, strict=True))
    return scaled(returned, off)


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in OURS for field in PROCEDURES[name].shown()]
)
def test_a_result_that_is_one_part_in_a_billion_or_one_count_off_is_found_on_its_line(name, field, monkeypatch):
    from stepgauge.verify.conventions import CONVENTIONS
    monkeypatch.setitem(CONVENTIONS, name, ())
    fields, off = PROCEDURES[name].fields(), 1 if field in COUNTS else OFF.get(name, 1e-9)
    report = verify.check(name, lambda *args, **kwargs: moved(OURS[name][0](*args, **kwargs), field, fields, off))
    d = report.divergence
    assert (report.verdict, report.ok, d.quantity, d.step, d.layer) == ("FAIL", False, field, 1, 0)
    assert d.line == PROCEDURES[name].names()[field]
    assert d.error == pytest.approx(off * (1 if field in COUNTS else abs(d.expected)), rel=1e-3, abs=0)
    assert field in report.failing


def numbers(name):
    """Every number that a procedure takes, by place or by name, with all the values that it has."""
    found = {}
    for inputs in PROCEDURES[name].inputs():
        for place, value in (*enumerate(inputs.args), *inputs.kwargs.items()):
            if isinstance(value, int | float):
                found.setdefault(place, set()).add(value)
            elif isinstance(value, np.ndarray) and value.ndim == 0 and np.isfinite(value):
                found.setdefault(place, set()).add(float(value))
            elif isinstance(value, Hyper):
                for field in ("N_sch", "p_sch", "f_sch", "threshold"):
                    found.setdefault((place, field), set()).add(getattr(value, field))
    return found


def written_in(function, place, number):
    """A program that does not look at one of its arguments."""
    def program(*args, **kwargs):
        if isinstance(place, str):
            return function(*args, **kwargs | {place: number})
        at, *field = place if isinstance(place, tuple) else (place,)
        was = args[at]
        value = was._replace(**{field[0]: number}) if field else np.asarray(number, was.dtype) if hasattr(was, "dtype") else number
        return function(*args[:at], value, *args[at + 1:], **kwargs)

    return program


@pytest.mark.parametrize("name", [name for name in OURS if numbers(name)])
def test_no_number_can_be_written_into_the_code(name, monkeypatch):
    from stepgauge.verify.conventions import CONVENTIONS
    monkeypatch.setitem(CONVENTIONS, name, ())
    for place, values in numbers(name).items():
        assert len(values) > 1, place
        for number in values:
            report = verify.check(name, written_in(OURS[name][0], place, number))
            assert report.verdict == "FAIL", (place, number)


def test_what_is_handed_back_as_it_came_is_compared_too():
    def meddling(s, y, B, mu):
        s_t, y_t = powell_on_B(s, y, B, mu)
        return s_t + 1e-3, y_t

    report = verify.check("damping.powell_on_B", meddling)
    assert (report.verdict, set(report.failing)) == ("FAIL", {"s_t"})
    assert PROCEDURES["damping.powell_on_B"].names() == {"theta": "R§2.3.1", "y_t": "R§2.3.1", "s_t": "R§2.3.1"}


def test_weights_that_are_shown_are_judged_damped_or_not():
    report = verify.check("damping.double_damping", double_damping)
    assert report.coverage["theta1"]["compared"] == report.coverage["theta2"]["compared"] == len(report.cases)

    def undamped(s, y, H, mu1, mu2):
        shown = double_damping(s, y, H, mu1, mu2)
        return shown | {"theta1": shown["theta1"] * 0 + 1 / 2} if shown["theta1"] == 1 else shown

    report = verify.check("damping.double_damping", undamped)
    assert report.divergence.quantity == "theta1"
    assert report.divergence.expected == 1


def test_the_inputs_set_the_traps_that_their_names_claim():
    inputs = {call.name: call for call in PROCEDURES["damping.double_damping"].inputs()}
    for name, call in inputs.items():
        (s, y, H), mu1 = call.args, call.kwargs["mu1"]
        sy, yHy = s @ y, y @ H @ y
        assert (H == H.T).all()
        assert np.linalg.eigvalsh(H).min() > 0
        kind = name.partition(",")[0]
        if kind == "negative curvature":
            assert sy < 0
        if kind == "strong curvature":
            assert sy > yHy
        if kind == "weak curvature":
            assert 0 < sy < mu1 * yHy
        if kind == "s = 0":
            assert not s.any()
        if kind == "y = 0":
            assert not y.any()
        if kind == "at the switch":
            assert sy == mu1 * yHy
    assert len(inputs) == 33
    for name, procedure in PROCEDURES.items():
        names = [call.name for call in procedure.inputs()]
        assert len(set(names)) == len(names) > 0, name
        for call in procedure.inputs():
            seen = []
            map_arrays(seen.append, call.args)
            assert seen
            assert all(np.array_equal(array, array.astype(np.float32), equal_nan=True) for array in seen)
    shapes = [(call.args[1].shape, call.kwargs["N2"]) for call in PROCEDURES["smw.solve_without_inverse"].inputs()]
    assert len({q < n for (q, n), _ in shapes}) == 2
    for call in PROCEDURES["smw.solve_without_inverse"].inputs():
        H = call.args[2]
        assert np.linalg.eigvalsh(H).min() < 1e-6
    for call in PROCEDURES["quasi_newton.bfgs_H"].inputs():
        assert call.args[1] @ call.args[2] > 0


def test_the_cubic_problems_are_what_their_names_claim():
    for call in PROCEDURES["cubic.step_sizes"].inputs():
        _, H, d, lam = call.args
        kind, _, S = call.name.partition(", S = ")
        w = np.linalg.eigvalsh(H)
        assert (H == H.T).all()
        assert ((d == 0) == ((np.arange(len(d)) % 2 == 1) if kind == "zeros in d" else False)).all(), call.name
        assert (lam == 0) == (kind == "without cubic term")
        assert len(d) == int(S or 3)
        if kind in ("definite", "zeros in d"):
            assert w[0] > 0
        if kind == "singular" and len(d) > 1:
            assert abs(w[0]) < 1e-6 * w[-1]
        if kind == "indefinite" and len(d) > 1:                # where S = 2 both eigenvalues are negative
            assert w[0] < 0


def test_the_losses_that_are_out_of_patience_are_those_that_say_so():
    procedure = PROCEDURES["grouped_newton.schedule"]
    falls = {call.name for call in procedure.inputs() if procedure.module.schedule(*call.args).lam < call.args[0].lam}
    assert falls == {"out of patience", "without patience", "out of patience by less than the threshold", "once more"}


def test_to_hang_on_bad_input_is_not_to_refuse_it():
    release = threading.Event()

    def hanging(s, y, H, mu1, mu2):
        while not np.isfinite(s).all() and not release.is_set():
            time.sleep(0.05)
        return damping.double_damping(s, y, H, mu1=mu1, mu2=mu2)

    try:
        report = verify.check("damping.double_damping", hanging, bad_input=True, time_limit=0.4)
        missed = {case.case for case in report.cases if case.verdict == "NOT-REJECTED"}
        assert (report.verdict, missed) == (
            "NOT-REJECTED",
            {"bad input: argument 1 with a nan", "bad input: argument 1 with an infinity"},
        )
    finally:
        release.set()


def test_slips_in_a_limited_memory_are_named():
    report = verify.check("lbfgs.product", lambda S, Y, X, h: two_loop_recursion(S[:, ::-1], Y[:, ::-1], X, h))
    assert report.explanations == ("the pairs are taken in the wrong order, the newest first",)
    report = verify.check("lbfgs.product", lambda S, Y, X, h: two_loop_recursion(S, Y, X, 1))
    assert report.explanations == ("H starts from the identity, not from hI",)
