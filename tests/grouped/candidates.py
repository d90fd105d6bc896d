"""Implementations of grouped Newton, Newton's and Cauchy's methods by other people's hands: what the judge has to pass.

Derivatives come from nested automatic differentiation, as in the author's code; (2) is solved by bracketing the scalar equation
with linear solves and no eigenvectors; sums go over subsets as vectors of indices.
"""

import sys
from pathlib import Path

import autograd.numpy as anp
import numpy as np
from autograd import grad
from scipy.optimize import brentq
from stepgauge import nets
from stepgauge.reference import METHODS

sys.path.insert(0, str(Path(__file__).parents[1] / "nets"))

from test_cnn_autograd import LOSS, judged


def exposed(params, dtype, **more):
    def listed(kind, i):
        return [np.asarray(layer[i], dtype=dtype) for layer in params if isinstance(layer, kind)]

    shown = {"W": listed(nets.Layer, 0), "b": listed(nets.Layer, 1), "gamma": listed(nets.Norm, 0), "beta": listed(nets.Norm, 1)}
    shown = {name: values for name, values in shown.items() if values}
    def cast(value):
        return [cast(v) for v in value] if isinstance(value, list | tuple) else np.asarray(value, dtype=dtype)

    return shown | {name: cast(value) for name, value in more.items() if value is not None}


def the_code(case):
    """The code under test."""
    code, params = METHODS[case.method], case.params
    state = code.init(case.model, params, case.data, case.hyper)
    for batch in case.batches:
        params, state, trace = code.step(case.model, params, state, batch, case.hyper)
        yield exposed(params, case.dtype, **{name: value for name, value in trace._asdict().items() if name != "theta"})


def mean_loss(model, tensors, x, y):
    pairs = iter([tuple(tensors[i:i + 2]) for i in range(0, len(tensors), 2)])
    output = judged(model.layers, pairs, iter(lambda: 0, 1), x)
    if y.ndim == 1:
        y = np.eye(output.shape[1], dtype=x.dtype)[y]
    return anp.mean(LOSS[model.loss](output, y))


def cubic_step(g, H, d, lam):
    if not lam or not d.any():
        keep = np.abs(H).sum(1) > 0
        eta = np.zeros_like(g)
        eta[keep] = np.linalg.solve(H[np.ix_(keep, keep)], g[keep])
        return eta
    keep = (np.abs(H).sum(1) > 0) | (d > 0)
    eta = np.zeros_like(g)
    g, H, d = (np.asarray(x, dtype=float) for x in (g[keep], H[np.ix_(keep, keep)], d[keep]))

    def at(r):
        return np.linalg.solve(H + lam / 2 * r * np.diag(d * d), g)

    def excess(r):
        return np.linalg.norm(d * at(r)) - r

    low = 0.0
    if (d > 0).all():
        low = max(0.0, -2 / lam * np.linalg.eigvalsh(H / np.outer(d, d))[0]) * (1 + 1e-13)
    else:
        flat, bent = d == 0, d > 0
        reduced = H[np.ix_(bent, bent)] - H[np.ix_(bent, flat)] @ np.linalg.solve(H[np.ix_(flat, flat)], H[np.ix_(flat, bent)])
        low = max(0.0, -2 / lam * np.linalg.eigvalsh(reduced / np.outer(d[bent], d[bent]))[0]) * (1 + 1e-13)
    high = low + 1e-6
    while excess(high) > 0:
        high = low + 2 * (high - low)
    eta[keep] = at(brentq(excess, low, high, xtol=1e-300, rtol=8.9e-16, maxiter=500) if excess(low) > 0 else low)
    return eta


def automatic(case, slip=None):
    """Nested automatic differentiation; `slip` names one line that goes wrong."""
    hyper, dtype, model = case.hyper, case.dtype, case.model
    code = METHODS[case.method]
    theta = [np.asarray(t) for t in nets.tensors(case.params)]
    sets = [np.asarray(I) for I in code.partition_of(case.params, hyper)]
    sizes = np.cumsum([0, *(t.size for t in theta)]).tolist()
    flat = np.concatenate([t.ravel() for t in theta])
    S, u, eta = len(sets), None, None

    def loss(vector, x, y):
        tensors = [anp.reshape(vector[a:b], t.shape) for a, b, t in zip(sizes, sizes[1:], theta, strict=False)]
        return mean_loss(model, tensors, x, y)

    def cut(vector):
        return [vector[a:b].reshape(t.shape) for a, b, t in zip(sizes, sizes[1:], theta, strict=False)]

    one = np.dtype(dtype).type
    for t, batch in enumerate(case.batches):
        g = grad(loss)(flat, batch.x, batch.y).astype(dtype)
        mu = one(hyper.mu_g)
        before, u = u, g if u is None else mu * u + (1 - mu) * g
        if slip == "stale u" and before is not None:
            u, before = before, u
        shown = {}
        if t % hyper.tau == 0:
            other = batch if slip == "one sample" else batch.curvature

            def along(w, other=other, u=u, flat=flat):
                steps = sum(w[s] * np.isin(np.arange(len(flat)), I).astype(dtype) for s, I in enumerate(sets))
                return loss(flat + u * steps, other.x, other.y)

            zero = np.zeros(S, dtype=dtype)
            g_bar = grad(along)(zero)
            rows = [grad(lambda w, s=s: grad(along)(w)[s])(zero) for s in range(S)]
            H_bar = np.array(rows)
            D3 = np.array([grad(lambda w, s=s: grad(lambda v: grad(along)(v)[s])(w)[s])(zero)[s] for s in range(S)])
            g_bar, H_bar, D3 = (np.asarray(x, dtype=dtype) for x in (g_bar, (H_bar + H_bar.T) / 2, D3))
            if slip == "half of H":
                H_bar = H_bar / 2
            if slip == "order 3 over 6":
                D3 = D3 / 6
            d = np.cbrt(np.abs(D3))
            lam_int = hyper.lam_int * (2 if slip == "cubic weight" else 1)
            e = cubic_step(-g_bar if slip == "sign of g" else g_bar, H_bar, d, lam_int).astype(dtype)
            kept = np.maximum(e, 0) if hyper.positive and slip not in ("no positive part", "positive part last") else e
            mu = one(hyper.mu_eta)
            eta = kept if eta is None else mu * eta + (1 - mu) * kept
            if slip == "positive part last":
                eta = np.maximum(eta, 0)
            shown = {"g_bar": g_bar, "H_bar": H_bar, "D3_diag": D3, "d": d, "e": e}
        spread = np.zeros_like(flat)
        for s, I in enumerate(sets):
            spread[I] = eta[s]
        flat = (flat - one(hyper.lam1) * (spread * u)).astype(dtype)
        params = nets.layers(cut(flat.copy()), case.params)
        yield exposed(params, dtype, g=cut(g), u=cut(u), eta=eta, **shown)
