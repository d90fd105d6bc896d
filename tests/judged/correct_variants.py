"""Correct programs, written in the styles that people write them in: the judge must FAIL none of them.

Each is algebraically what the paper prints and differs only in how it is computed: other orders of summation, other
formulas, loops, einsum, buffers updated in place, other layouts, float32, more or fewer things exposed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from gradients import (
    batched,
    by_autograd,
    by_complex_step,
    by_einsum,
    by_exact_sums,
    by_loops,
    by_other_formulas,
    by_pairs,
    weighted,
)
from stepgauge import nets, verify
from stepgauge.reference.parts.descent import StepDecay

SMALL = ("plain", "labels", "dead", "degenerate")


class Variant(NamedTuple):
    """A correct candidate for `subject`.

    what       what is special about it.
    cases      names of cases, or Cases; None for a procedure, which is judged on all of its inputs.
    unstable   it computes what the paper says along a way that loses digits: UNSTABLE would be true.
    """

    subject: str
    what: str
    candidate: Callable[..., Any]
    cases: Any = SMALL
    layout: verify.Layout | None = None
    unstable: bool = False

    def judged(self):
        """The report."""
        return verify.check(self.subject, self.candidate, self.cases, layout=self.layout)

    @property
    def acceptable(self):
        """The verdicts that are right: never FAIL, never UNINFORMATIVE."""
        return ("PASS", "GREY", "UNSTABLE") if self.unstable else ("PASS", "GREY")


def start(case):
    """The tensors W₁, b₁, W₂, b₂, … of a case, as copies that may be written to."""
    return [np.array(tensor) for layer in case.params for tensor in layer]


def by_layer(theta):
    """The tensors as a step that exposes parameters only."""
    return {"W": list(theta[0::2]), "b": list(theta[1::2])}


def batches_of(data):
    """The warm-start data as a list of batches."""
    return [data] if isinstance(data, nets.Batch) else list(data)


def float32(subject, *names):
    """Cases whose arrays are float32."""
    return verify.cases(subject, names, dtype="float32")


def with_hyper(subject, name, **changes):
    """A case of the suite with other hyper-parameters."""
    case = verify.cases(subject, [name])[0]
    return (dataclasses.replace(case, name=f"{name} with {', '.join(changes)}", hyper=case.hyper._replace(**changes)),)


def kinked(subject):
    """Integers times tenths: pre-activations of exactly 0 come out as 0 or as a last bit, by the order of the sum."""
    case, = verify.cases(subject, ["plain"])
    rng = np.random.default_rng(99)
    tenths = tuple(nets.Layer(rng.integers(-3, 4, W.shape) / 10, rng.integers(-3, 4, b.shape) / 10) for W, b in case.params)
    batches = tuple(batch._replace(x=rng.integers(-2, 3, batch.x.shape).astype(float)) for batch in case.batches)
    case = dataclasses.replace(case, name="kinked", params=tenths, data=batches, batches=batches)
    h = batches[0].x @ tenths[0].W.T + tenths[0].b
    assert (np.rint(10 * h) == 0).any()
    assert (h[np.rint(10 * h) == 0] != 0).any()
    return (case,)


class Flat:
    """A list of tensors as one long vector, and back."""

    def __init__(self, tensors):
        self.shapes = [t.shape for t in tensors]
        self.cuts = np.cumsum([t.size for t in tensors])[:-1]

    def join(self, tensors):
        return np.concatenate([np.ravel(t) for t in tensors])

    def split(self, vector):
        return [part.reshape(shape) for part, shape in zip(np.split(vector, self.cuts), self.shapes, strict=True)]


# SGD with momentum -------------------------------------------------------------------------------------------------------


def sgd_textbook(case, gradient=batched):
    """Tensor by tensor, everything exposed; either convention, both decays, any schedule."""
    hyper, theta = case.hyper, start(case)
    g_h = [np.zeros_like(t) for t in theta]
    for k, batch in enumerate(case.batches):
        alpha = hyper.alpha
        if not np.isscalar(alpha):
            alpha = alpha.alpha * alpha.factor ** (k // alpha.period)
        g = gradient(case, theta, batch)
        share = 1 - hyper.beta if hyper.momentum == "ema" else 1
        g_h = [hyper.beta * a + share * b for a, b in zip(g_h, g, strict=True)]
        theta = [(1 - alpha * hyper.gamma) * t - alpha * a for t, a in zip(theta, g_h, strict=True)]
        yield by_layer(theta) | {"g": g, "g_h": g_h}


def sgd_flat(case):
    """One flat vector; the average as a step towards g, ĝ ← ĝ + (1 − β)(g − ĝ)."""
    flat = Flat(start(case))
    theta = flat.join(start(case))
    g_h = np.zeros_like(theta)
    for batch in case.batches:
        g = flat.join(by_pairs(case, flat.split(theta), batch))
        g_h = g_h + (1 - case.hyper.beta) * (g - g_h)
        theta = theta - case.hyper.alpha * g_h
        yield by_layer(flat.split(theta)) | {"g": flat.split(g), "g_h": flat.split(g_h)}


def sgd_differences(case):
    """No momentum buffer: θₖ₊₁ = θₖ − α(1 − β)g + β(θₖ − θₖ₋₁)."""
    alpha, beta, theta = case.hyper.alpha, case.hyper.beta, start(case)
    before = theta
    for batch in case.batches:
        g = by_einsum(case, theta, batch)
        theta, before = [t - alpha * (1 - beta) * d + beta * (t - b)
                         for t, b, d in zip(theta, before, g, strict=True)], theta
        yield by_layer(theta)


def sgd_unrolled(case):
    """No recursion: ĝ = (1 − β) Σ βᵏ⁻ⁱ gᵢ over all gradients so far, newest first."""
    alpha, beta, theta = case.hyper.alpha, case.hyper.beta, start(case)
    history = []
    for batch in case.batches:
        history.append(by_loops(case, theta, batch))
        g_h = [(1 - beta) * sum(beta**age * g for age, g in enumerate(reversed(past)))
               for past in zip(*history, strict=True)]
        theta = [t - alpha * a for t, a in zip(theta, g_h, strict=True)]
        yield by_layer(theta) | {"g_h": g_h}


def sgd_in_place(case):
    """Buffers allocated once, written to in place, and yielded live, at step 0 too."""
    alpha, beta, theta = case.hyper.alpha, case.hyper.beta, start(case)
    g_h = [np.zeros_like(t) for t in theta]
    step = by_layer(theta) | {"g_h": g_h}
    yield step
    for batch in case.batches:
        for t, a, g in zip(theta, g_h, by_loops(case, theta, batch), strict=True):
            a *= beta
            a += (1 - beta) * g
            t -= alpha * a
        yield step


def sgd_scaled_buffer(case):
    """The other convention's buffer u = ĝ/(1 − β), with the rate α(1 − β)."""
    rate, beta, theta = case.hyper.alpha * (1 - case.hyper.beta), case.hyper.beta, start(case)
    u = [np.zeros_like(t) for t in theta]
    for batch in case.batches:
        u = [beta * a + g for a, g in zip(u, weighted(case, theta, batch), strict=True)]
        theta = [t - rate * a for t, a in zip(theta, u, strict=True)]
        yield by_layer(theta) | {"g_h": [(1 - beta) * a for a in u]}


def sgd_in_out(case):
    """Kernels (d_in, d_out) all the way, as in JAX or Keras; other quantities are turned when they are shown."""
    alpha, beta, theta = case.hyper.alpha, case.hyper.beta, [np.array(t.T) for t in start(case)]
    g_h = [np.zeros_like(t) for t in theta]
    for batch in case.batches:
        g = [d.T for d in weighted(case, [t.T for t in theta], batch)]
        g_h = [beta * a + (1 - beta) * d for a, d in zip(g_h, g, strict=True)]
        theta = [t - alpha * a for t, a in zip(theta, g_h, strict=True)]
        yield by_layer(theta) | {"g": [d.T for d in g], "g_h": [a.T for a in g_h]}


def sgd_bias_column(case, transposed=False):
    """W̄ = [W b], one matrix a layer (its transpose where kernels are (in, out)); parameters only."""
    alpha, beta = case.hyper.alpha, case.hyper.beta
    W_b = [np.column_stack([W, b]) for W, b in case.params]
    G = [np.zeros_like(W) for W in W_b]
    for batch in case.batches:
        g = by_einsum(case, [part for W in W_b for part in (W[:, :-1], W[:, -1])], batch)
        for l, (DW, Db) in enumerate(zip(g[0::2], g[1::2], strict=True)):
            G[l] = beta * G[l] + (1 - beta) * np.column_stack([DW, Db])
            W_b[l] = W_b[l] - alpha * G[l]
        yield {"W": [W.T for W in W_b] if transposed else W_b}


# Adam --------------------------------------------------------------------------------------------------------------------


def adam_textbook(case, gradient=batched, expose=("g", "m", "v", "m_h", "v_h", "p")):
    """Kingma and Ba's Algorithm 1 line by line."""
    hyper, theta = case.hyper, start(case)
    m = v = [np.zeros_like(t) for t in theta]
    for k, batch in enumerate(case.batches, start=1):
        g = gradient(case, theta, batch)
        m = [hyper.beta1 * a + (1 - hyper.beta1) * d for a, d in zip(m, g, strict=True)]
        v = [hyper.beta2 * a + (1 - hyper.beta2) * d * d for a, d in zip(v, g, strict=True)]
        m_h = [a / (1 - hyper.beta1**k) for a in m]
        v_h = [a / (1 - hyper.beta2**k) for a in v]
        p = [a / (np.sqrt(b) + hyper.eps) for a, b in zip(m_h, v_h, strict=True)]
        theta = [t - hyper.alpha * d for t, d in zip(theta, p, strict=True)]
        everything = {"g": g, "m": m, "v": v, "m_h": m_h, "v_h": v_h, "p": p}
        yield by_layer(theta) | {name: everything[name] for name in expose}


def adam_efficient(case, gradient=batched):
    """Kingma and Ba's efficient order of Section 2, with ε̂ = ε√(1 − β₂ᵗ) so that nothing changes."""
    hyper, theta = case.hyper, start(case)
    m, v = [np.zeros_like(t) for t in theta], [np.zeros_like(t) for t in theta]
    for k, batch in enumerate(case.batches, start=1):
        root = math.sqrt(1 - hyper.beta2**k)
        alpha_t, eps_t = hyper.alpha * root / (1 - hyper.beta1**k), hyper.eps * root
        for i, g in enumerate(gradient(case, theta, batch)):
            m[i] = m[i] * hyper.beta1 + g * (1 - hyper.beta1)
            v[i] = v[i] * hyper.beta2 + np.square(g) * (1 - hyper.beta2)
            theta[i] = theta[i] - alpha_t * m[i] / (np.sqrt(v[i]) + eps_t)
        yield by_layer(theta) | {"m": m, "v": v}


def adam_library(case):
    """The order of a common library: lerp, addcmul, √v/√(1 − β₂ᵗ) + ε, addcdiv; all in place, live buffers, step 0."""
    hyper, theta = case.hyper, start(case)
    m, v = [np.zeros_like(t) for t in theta], [np.zeros_like(t) for t in theta]
    step = by_layer(theta) | {"m": m, "v": v}
    yield step
    for k, batch in enumerate(case.batches, start=1):
        step_size, root = hyper.alpha / (1 - hyper.beta1**k), (1 - hyper.beta2**k) ** 0.5
        for t, a, b, g in zip(theta, m, v, weighted(case, theta, batch), strict=True):
            a += (1 - hyper.beta1) * (g - a)
            b *= hyper.beta2
            b += (1 - hyper.beta2) * g * g
            t += -step_size * (a / (np.sqrt(b) / root + hyper.eps))
        yield step


def adam_running_powers(case):
    """β₁ᵗ and β₂ᵗ as running products; the square as |g|²; a reciprocal instead of a division."""
    hyper, theta = case.hyper, start(case)
    m = v = [np.zeros_like(t) for t in theta]
    power1 = power2 = 1.0
    for batch in case.batches:
        power1, power2 = power1 * hyper.beta1, power2 * hyper.beta2
        g = by_einsum(case, theta, batch)
        m = [a - (1 - hyper.beta1) * (a - d) for a, d in zip(m, g, strict=True)]
        v = [a - (1 - hyper.beta2) * (a - np.abs(d) ** 2) for a, d in zip(v, g, strict=True)]
        m_h, v_h = [a * (1 / (1 - power1)) for a in m], [a * (1 / (1 - power2)) for a in v]
        p = [a * np.reciprocal(b**0.5 + hyper.eps) for a, b in zip(m_h, v_h, strict=True)]
        theta = [t - hyper.alpha * d for t, d in zip(theta, p, strict=True)]
        yield by_layer(theta) | {"m_h": m_h, "v_h": v_h, "p": p}


def adam_flat_expm1(case):
    """One flat vector; bias corrections through expm1 and log1p."""
    hyper, flat = case.hyper, Flat(start(case))
    theta = flat.join(start(case))
    m, v = np.zeros((2, theta.size))
    for k, batch in enumerate(case.batches, start=1):
        g = flat.join(by_pairs(case, flat.split(theta), batch))
        m, v = np.array([hyper.beta1, hyper.beta2])[:, None] * [m, v] + [(1 - hyper.beta1) * g, (1 - hyper.beta2) * g**2]
        m_h = m / -np.expm1(k * np.log1p(-(1 - hyper.beta1)))
        v_h = v / -np.expm1(k * np.log1p(-(1 - hyper.beta2)))
        theta = theta - hyper.alpha * m_h / (np.sqrt(v_h) + hyper.eps)
        yield by_layer(flat.split(theta)) | {"m": flat.split(m), "v": flat.split(v), "v_h": flat.split(v_h)}


def adam_scalars(case):
    """Entry by entry in Python floats, sums correctly rounded, roots by math.sqrt."""
    hyper, theta = case.hyper, start(case)
    m, v = [np.zeros_like(t) for t in theta], [np.zeros_like(t) for t in theta]
    for k, batch in enumerate(case.batches, start=1):
        for t, a, b, g in zip(theta, m, v, by_exact_sums(case, theta, batch), strict=True):
            for index in np.ndindex(t.shape):
                a[index] = math.fsum([hyper.beta1 * a[index], g[index], -hyper.beta1 * g[index]])
                b[index] = math.fsum([hyper.beta2 * b[index], g[index] ** 2, -hyper.beta2 * g[index] ** 2])
                t[index] -= hyper.alpha * (a[index] / (1 - math.pow(hyper.beta1, k))) / (
                    math.sqrt(b[index] / (1 - math.pow(hyper.beta2, k))) + hyper.eps)
        yield by_layer(theta) | {"m": m, "v": v}


def adam_unrolled(case):
    """m̂ and v̂ as weighted means over the whole past: Σ βᵗ⁻ⁱ gᵢ / Σ βᵗ⁻ⁱ needs no bias correction."""
    hyper, theta = case.hyper, start(case)
    history = []
    for batch in case.batches:
        history.insert(0, by_loops(case, theta, batch))
        w1, w2 = hyper.beta1 ** np.arange(len(history)), hyper.beta2 ** np.arange(len(history))
        past = [np.stack(tensors) for tensors in zip(*history, strict=True)]
        m_h = [np.tensordot(w1 / w1.sum(), g, 1) for g in past]
        v_h = [np.einsum("i,i...,i...->...", w2, g, g) / w2.sum() for g in past]
        theta = [t - hyper.alpha * a / (hyper.eps + np.sqrt(b)) for t, a, b in zip(theta, m_h, v_h, strict=True)]
        yield by_layer(theta) | {"m_h": m_h, "v_h": v_h}


def adam_decay_first(case):
    """Decoupled decay as its own statement before the step, as in AdamW."""
    hyper, theta = case.hyper, start(case)
    m, v = [np.zeros_like(t) for t in theta], [np.zeros_like(t) for t in theta]
    for k, batch in enumerate(case.batches, start=1):
        for i, g in enumerate(batched(case, theta, batch)):
            theta[i] = theta[i] * (1 - hyper.alpha * hyper.gamma)
            m[i] = hyper.beta1 * m[i] + (1 - hyper.beta1) * g
            v[i] = hyper.beta2 * v[i] + (1 - hyper.beta2) * g**2
            theta[i] -= hyper.alpha * (m[i] / (1 - hyper.beta1**k)) / (np.sqrt(v[i] / (1 - hyper.beta2**k)) + hyper.eps)
        yield by_layer(theta) | {"m": m, "v": v}


def adam_float32_constants(case):
    """Every constant rounded to float32 before it is used, β powers and 1 − β computed in float32 too."""
    one = np.float32(1)
    alpha, beta1, beta2, eps = (np.float32(x) for x in case.hyper[:4])
    theta = start(case)
    m = v = [np.zeros_like(t) for t in theta]
    power1 = power2 = one
    for batch in case.batches:
        power1, power2 = power1 * beta1, power2 * beta2
        g = batched(case, theta, batch)
        m = [beta1 * a + (one - beta1) * d for a, d in zip(m, g, strict=True)]
        v = [beta2 * a + (one - beta2) * d * d for a, d in zip(v, g, strict=True)]
        m_h, v_h = [a / (one - power1) for a in m], [a / (one - power2) for a in v]
        theta = [t - alpha * (a / (np.sqrt(b) + eps)) for t, a, b in zip(theta, m_h, v_h, strict=True)]
        yield by_layer(theta) | {"g": g, "m": m, "v": v, "m_h": m_h, "v_h": v_h}


def adam_master_weights(case):
    """float32 shown, float64 inside: mixed precision with master copies."""
    for step in adam_textbook(case.in_dtype("float64")):
        yield {name: [value.astype(np.float32) for value in values] for name, values in step.items()}


# RMSprop -----------------------------------------------------------------------------------------------------------------


def second_moment(case, theta, gradient=batched):
    """The mean of ḡ ⊙ ḡ over the warm-start batches, weighted by their size."""
    batches = batches_of(case.data)
    squares = [[g**2 for g in gradient(case, theta, batch)] for batch in batches]
    sizes = [len(batch.x) for batch in batches]
    return [np.average(np.stack(square), axis=0, weights=sizes) for square in zip(*squares, strict=True)]


def rmsprop_textbook(case, gradient=batched, expose=("g", "m", "v", "p")):
    """Line by line; v₀ by a weighted average; the initial state as step 0 where anything is exposed."""
    hyper, theta = case.hyper, start(case)
    m, v = [np.zeros_like(t) for t in theta], [a.astype(case.dtype) for a in second_moment(case, theta)]
    yield by_layer(theta) | {name: state for name, state in {"m": m, "v": v}.items() if name in expose}
    for batch in case.batches:
        g = gradient(case, theta, batch)
        m = [hyper.beta1 * a + (1 - hyper.beta1) * d for a, d in zip(m, g, strict=True)]
        v = [hyper.beta2 * a + (1 - hyper.beta2) * d**2 for a, d in zip(v, g, strict=True)]
        p = [a / (np.sqrt(b) + hyper.eps) for a, b in zip(m, v, strict=True)]
        theta = [t - hyper.alpha * d for t, d in zip(theta, p, strict=True)]
        everything = {"g": g, "m": m, "v": v, "p": p}
        yield by_layer(theta) | {name: everything[name] for name in expose}


def rmsprop_running_mean(case, expose=True):
    """v₀ as a running mean over examples seen; in-place updates, √v as a power; live buffers."""
    hyper, theta = case.hyper, start(case)
    v, seen = [np.zeros_like(t) for t in theta], 0
    for batch in batches_of(case.data):
        seen += len(batch.x)
        for a, g in zip(v, by_loops(case, theta, batch), strict=True):
            a += (g * g - a) * len(batch.x) / seen
    m = [np.zeros_like(t) for t in theta]
    for batch in case.batches:
        for t, a, b, g in zip(theta, m, v, by_einsum(case, theta, batch), strict=True):
            a += (1 - hyper.beta1) * (g - a)
            b *= hyper.beta2
            b += g * g * (1 - hyper.beta2)
            t -= a * hyper.alpha / (b**0.5 + hyper.eps)
        yield by_layer(theta) | ({"m": m, "v": v} if expose else {})


def rmsprop_flat(case):
    """One flat vector, correctly rounded sums in v₀, the rate folded into the numerator."""
    hyper, flat = case.hyper, Flat(start(case))
    theta = flat.join(start(case))
    batches = batches_of(case.data)
    total = sum(len(batch.x) for batch in batches)
    squares = [len(batch.x) * flat.join(by_pairs(case, flat.split(theta), batch)) ** 2 for batch in batches]
    v = np.array([math.fsum(column) / total for column in np.stack(squares).T])
    m = np.zeros_like(theta)
    for batch in case.batches:
        g = flat.join(weighted(case, flat.split(theta), batch))
        m, v = hyper.beta1 * m + (1 - hyper.beta1) * g, v + (1 - hyper.beta2) * (g * g - v)
        theta = theta - (hyper.alpha * m) / (np.sqrt(v) + hyper.eps)
        yield by_layer(flat.split(theta)) | {"v": flat.split(v)}


# Damping -----------------------------------------------------------------------------------------------------------------


def dot(x, y):
    """A correctly rounded sum of rounded products."""
    return math.fsum(a * b for a, b in zip(x.tolist(), y.tolist(), strict=True))


def matvec(A, x):
    """A matrix times a vector, row by row."""
    return np.array([dot(row, x) for row in A], A.dtype)


def powell_on_B_convex(s, y, B, *, mu):
    """ỹ = Bs + θ(y − Bs)."""
    Bs = np.einsum("ij,j->i", B, s)
    sBs, sy = s @ Bs, s @ y
    theta = 1.0 if sy >= mu * sBs else (1 - mu) * sBs / (sBs - sy)
    return s, Bs + theta * (y - Bs)


def powell_on_B_target(s, y, B, *, mu):
    """θ from where the curvature must end, max(sᵀy, μ sᵀBs)."""
    Bs = B.T @ s
    sBs, sy = np.dot(Bs, s), np.dot(y, s)
    if sy < mu * sBs:
        theta = (sBs - max(sy, mu * sBs)) / (sBs - sy)
        y = theta * y + (1 - theta) * Bs
    return s, y


def powell_on_H_loops(s, y, H, *, mu):
    """Loops and correctly rounded sums."""
    Hy = matvec(H, y)
    sy, yHy = dot(s, y), dot(y, Hy)
    theta = (1 - mu) * yHy / (yHy - sy) if sy < mu * yHy else 1.0
    return np.array([theta * a + (1 - theta) * b for a, b in zip(s, Hy, strict=True)], s.dtype), y


def powell_identity_other_branch(s, y, *, mu):
    """τ = 1 − θ is computed instead of θ: ỹ = y + τ(s − y)."""
    sy, ss = s @ y, (s**2).sum()
    tau = max(0.0, (mu * ss - sy) / (ss - sy)) if sy < ss else 0.0
    return s, y + tau * (s - y)


def double_damping_composed(s, y, H, *, mu1, mu2):
    """Powell's damping on H, then with B = I, by the two functions above; a dict."""
    s_t, _ = powell_on_H_loops(s, y, H, mu=mu1)
    _, y_t = powell_identity_other_branch(s_t, y, mu=mu2)
    return {"s_t": s_t, "y_t": y_t}


def double_damping_curvature(s, y, H, *, mu1, mu2):
    """s̃ᵀy is not computed from s̃ but from P1, which it fulfils: max(sᵀy, μ₁ yᵀHy)."""
    Hy = H @ y
    sy, yHy = s @ y, y @ Hy
    theta1 = min(1.0, (1 - mu1) * yHy / (yHy - sy)) if sy < yHy else 1.0
    s_t = Hy + theta1 * (s - Hy)
    sy_t, ss = max(sy, mu1 * yHy), s_t @ s_t
    theta2 = min(1.0, (1 - mu2) * ss / (ss - sy_t)) if sy_t < ss else 1.0
    return s_t, s_t + theta2 * (y - s_t)


def double_damping_integers(s, y, H, *, mu1, mu2):
    """Both θ are shown, and are the integer 1 where nothing is damped."""
    Hy = H @ y
    theta1 = (1 - mu1) * (y @ Hy) / (y @ Hy - s @ y) if s @ y < mu1 * (y @ Hy) else 1
    s_t = theta1 * s + (1 - theta1) * Hy
    theta2 = (1 - mu2) * (s_t @ s_t) / (s_t @ s_t - s_t @ y) if s_t @ y < mu2 * (s_t @ s_t) else 1
    return {"theta1": theta1, "s_t": s_t, "theta2": theta2, "y_t": theta2 * y + (1 - theta2) * s_t}


def dp_dlm_einsum(s, y, H, *, mu1, mu2):
    """Einsum; the convex combination written from the other end."""
    sy, Hy = np.einsum("i,i", s, y), np.einsum("ij,j", H, y)
    yHy = np.einsum("i,ij,j", y, H, y)
    theta1 = (1 - mu1) * yHy / (yHy - sy) if not sy >= mu1 * yHy else 1.0
    s_t = s + (1 - theta1) * (Hy - s)
    return s_t, mu2 * s_t + y


def dpi_dlm_by_matrix(s, y, *, mu1, mu2):
    """D_P D_LM with the matrix I/μ₂ formed."""
    return dp_dlm_einsum(s, y, np.eye(len(s), dtype=s.dtype) / mu2, mu1=mu1, mu2=mu2)


def dpi_dlm_cleared(s, y, *, mu1, mu2):
    """All fractions cleared: the test is μ₂sᵀy < μ₁yᵀy, θ = (1 − μ₁)yᵀy / (yᵀy − μ₂sᵀy)."""
    sy, yy = s @ y, np.linalg.norm(y) ** 2
    theta = (1 - mu1) * yy / (yy - mu2 * sy) if mu2 * sy < mu1 * yy else 1.0
    s_t = theta * s + (1 - theta) / mu2 * y
    return s_t, y + mu2 * s_t


# Quasi-Newton ------------------------------------------------------------------------------------------------------------


def bfgs_H_printed(H, s, y):
    """The printed triple product."""
    rho, eye = 1 / (s @ y), np.eye(len(s), dtype=s.dtype)
    return (eye - rho * np.outer(s, y)) @ H @ (eye - rho * np.outer(y, s)) + rho * np.outer(s, s)


def bfgs_H_loops(H, s, y):
    """Entry by entry: H − ρ(s(Hy)ᵀ + (Hy)sᵀ) + ρ(1 + ρyᵀHy) ssᵀ."""
    n, rho, Hy = len(s), 1 / dot(s, y), matvec(H, y)
    both = rho * (1 + rho * dot(y, Hy))
    return np.array([[H[i, j] - rho * (s[i] * Hy[j] + Hy[i] * s[j]) + both * s[i] * s[j] for j in range(n)] for i in range(n)],
                    H.dtype)


def bfgs_H_by_inverse(H, s, y):
    """Invert, update B, invert back: right in exact arithmetic, and backward-unstable."""
    B = np.linalg.inv(H)
    Bs = B @ s
    return np.linalg.inv(B - np.outer(Bs, Bs) / (s @ Bs) + np.outer(y, y) / (s @ y))


def bfgs_H_product_form(H, s, y):
    """With H = LLᵀ: (VL)(VL)ᵀ + ρssᵀ, V = I − ρsyᵀ."""
    L, rho = np.linalg.cholesky(H), 1 / np.dot(y, s)
    VL = L - rho * np.outer(s, y @ L)
    return VL @ VL.T + np.outer(rho * s, s)


def bfgs_H_as_broyden(H, s, y):
    """φ = 1 of the Broyden family."""
    return broyden_mixed(H, s, y, phi=1.0)


def bfgs_B_outer(B, s, y):
    """Two rank-one updates by np.outer, the denominators last."""
    Bs = s @ B
    return B + np.outer(y, y) / np.dot(y, s) - np.outer(Bs, Bs) / np.dot(s, Bs)


def bfgs_B_by_inverse(B, s, y):
    """Update the inverse with the triple product, invert back."""
    return np.linalg.inv(bfgs_H_printed(np.linalg.inv(B), s, y))


def dfp_H_einsum(H, s, y):
    """Einsum throughout, normalized vectors squared."""
    w = np.einsum("ij,j->i", H, y) / math.sqrt(np.einsum("i,ij,j->", y, H, y))
    u = s / math.sqrt(np.einsum("i,i->", s, y))
    return H - np.einsum("i,j->ij", w, w) + np.einsum("i,j->ij", u, u)


def dfp_H_projected(H, s, y):
    """H projected along Hy first, H(I − yyᵀH/(yᵀHy)), then ρssᵀ added."""
    Hy = H @ y
    return H @ (np.eye(len(s), dtype=s.dtype) - np.outer(y, Hy) / (y @ Hy)) + np.outer(s, s) / (s @ y)


def broyden_mixed(H, s, y, *, phi):
    """(1 − φ) DFP + φ BFGS."""
    return (1 - phi) * dfp_H_einsum(H, s, y) + phi * bfgs_H_loops(H, s, y)


def broyden_rank_two(H, s, y, *, phi):
    """H + [s Hy] C [s Hy]ᵀ with a 2 × 2 matrix C."""
    Hy = H @ y
    rho, sigma = 1 / (s @ y), 1 / (y @ Hy)
    C = np.array([[rho + phi * rho**2 / sigma, -phi * rho], [-phi * rho, (phi - 1) * sigma]], H.dtype)
    U = np.stack([s, Hy], axis=1)
    return H + U @ C @ U.T


def action_einsum(H, a, A):
    """Both products by einsum, the second from a."""
    return np.einsum("ij,j->i", H, a), np.einsum("ij,jk,k->i", A, H, a)


def action_loops(H, a, A):
    """Row by row; a list of two."""
    s = matvec(H, a)
    return [s, matvec(A, s)]


def minibatch_formed(H, a, *, lam):
    """A formed by einsum."""
    A = np.einsum("ntj,ntk->jk", a, a) / a.shape[0]
    s = H @ a.mean(axis=(0, 1))
    return s, A @ s + lam * s


def minibatch_by_example(H, a, *, lam):
    """Example by example: λs + (1/N) Σ_n a(n)ᵀ(a(n)s)."""
    s = H @ (sum(one.sum(axis=0) for one in a) / (a.shape[0] * a.shape[1]))
    return s, lam * s + sum(one.T @ (one @ s) for one in a) / a.shape[0]


# Tensors -----------------------------------------------------------------------------------------------------------------


def vec_loop(A):
    """Every entry in the order of np.ndindex."""
    return np.array([A[index] for index in np.ndindex(A.shape)])


def vec_columns_concatenated(X):
    """Columns concatenated."""
    return np.concatenate([X[:, j] for j in range(X.shape[1])])


def vec_columns_fortran(X):
    """Fortran order."""
    return X.ravel(order="F")


def mat_moveaxis(A, i):
    """The mode moved to the front."""
    return np.moveaxis(A, i - 1, 0).reshape(A.shape[i - 1], -1)


def mat_slices(A, i):
    """Slice by slice."""
    return np.stack([np.take(A, j, axis=i - 1).ravel() for j in range(A.shape[i - 1])])


def contraction_tensordot(A, i):
    """A tensordot over all other axes."""
    others = [axis for axis in range(A.ndim) if axis != i - 1]
    return np.tensordot(A, A, axes=(others, others))


def contraction_fibres(A, i):
    """A sum of outer products of the mode's fibres."""
    moved = np.moveaxis(A, i - 1, -1)
    total = np.zeros((A.shape[i - 1],) * 2, A.dtype)
    for index in np.ndindex(moved.shape[:-1]):
        total += np.outer(moved[index], moved[index])
    return total


def mode_product_tensordot(A, U, i):
    """A tensordot, whose new axis is moved back."""
    return np.moveaxis(np.tensordot(U, A, axes=(1, i - 1)), 0, i - 1)


def mode_product_fibres(A, U, i):
    """Fibre by fibre, the last first."""
    return np.apply_along_axis(lambda fibre: sum(U[:, j] * fibre[j] for j in reversed(range(len(fibre)))), i - 1, A)


def mode_products_kron(A, U):
    """The Kronecker product formed, times vec(A)."""
    return (reduce(np.kron, U) @ A.ravel()).reshape([u.shape[0] for u in U])


def mode_products_backwards(A, U):
    """The last mode first."""
    for i in reversed(range(A.ndim)):
        A = mode_product_tensordot(A, U[i], i + 1)
    return A


def mode_products_einsum(A, U):
    """One einsum over all modes."""
    letters = "abcdefgh"[:A.ndim]
    pairs = ",".join(letter.upper() + letter for letter in letters)
    return np.einsum(f"{letters},{pairs}->{letters.upper()}", A, *U)


# Sherman-Morrison-Woodbury -----------------------------------------------------------------------------------------------


def smw_cholesky(lam, J, H, g, *, N2):
    """(5.6) with Cholesky factors of H and of D."""
    D = lam * scipy.linalg.cho_solve(scipy.linalg.cho_factor(H), np.eye(len(H), dtype=H.dtype)) + J @ J.T / N2
    return (g - J.T @ scipy.linalg.cho_solve(scipy.linalg.cho_factor(D), J @ g) / N2) / lam


def smw_eigenvectors(lam, J, H, g, *, N2):
    """(5.6) with D⁻¹ through the eigenvectors of D."""
    w, Q = np.linalg.eigh(lam * np.linalg.inv(H) + J @ J.T / N2)
    return g / lam - J.T @ (Q @ ((Q.T @ (J @ g)) / w)) / (N2 * lam)


def smw_dense(lam, J, H, g, *, N2):
    """No small space at all: G formed and solved."""
    return np.linalg.solve(lam * np.eye(J.shape[1], dtype=J.dtype) + J.T @ H @ J / N2, g)


def smw_dense_cholesky(lam, J, H, g, *, N2):
    """G formed by einsum, symmetrized, Cholesky."""
    G = np.einsum("pi,pq,qj->ij", J, H, J, optimize=True) / N2 + lam * np.eye(J.shape[1], dtype=J.dtype)
    return scipy.linalg.cho_solve(scipy.linalg.cho_factor((G + G.T) / 2, lower=True), g)


def smw_without_inverse(lam, J, H, g, *, N2):
    """(5.7), where (5.6) is asked for: H invertible does no harm."""
    D = lam * np.eye(len(J), dtype=J.dtype) + J @ J.T @ H / N2
    return (g - J.T @ H @ np.linalg.solve(D, J @ g) / N2) / lam


def smw_square_root(lam, J, H, g, *, N2):
    """With H = RRᵀ by eigenvectors and K = RᵀJ/√N₂: (g − Kᵀ(λI + KKᵀ)⁻¹Kg)/λ."""
    w, Q = np.linalg.eigh(H)
    K = (Q * np.sqrt(np.maximum(w, 0))).T @ J / math.sqrt(N2)
    return (g - K.T @ scipy.linalg.solve(lam * np.eye(len(K), dtype=K.dtype) + K @ K.T, K @ g, assume_a="pos")) / lam


def smw_transposed(lam, J, H, g, *, N2):
    """(5.7) pushed through: JᵀD⁻ᵀ with D ᵀ = λI + HJJᵀ/N₂, times HJg."""
    D_T = N2 * lam * np.eye(len(J), dtype=J.dtype) + H @ (J @ J.T)
    return (g - J.T @ np.linalg.solve(D_T, H @ (J @ g))) / lam


IN_OUT = verify.Layout(kernel="in_out", bias="separate")
COLUMN = verify.Layout(kernel="out_in", bias="column")
IN_OUT_COLUMN = verify.Layout(kernel="in_out", bias="column")


def of(subject, *candidates, unstable=False):
    """Variants that say in the first line of their docstring what is special about them."""
    cases = None if "." in subject else SMALL
    return [Variant(subject, candidate.__doc__, candidate, cases, None, unstable) for candidate in candidates]


VARIANTS: list[Variant] = [
    Variant("sgd_m", "tensor by tensor, everything exposed", sgd_textbook, (*SMALL, "large", "digits")),
    Variant("sgd_m", "gradient: 1/N inside the loss, log-probabilities, products with kernels (in, out)",
            partial(sgd_textbook, gradient=weighted), (*SMALL, "large", "probabilities")),
    Variant("sgd_m", "gradient by reverse-mode differentiation, penalty included",
            partial(sgd_textbook, gradient=by_autograd), (*SMALL, "penalty", "probabilities")),
    Variant("sgd_m", "gradient by complex step", partial(sgd_textbook, gradient=by_complex_step),
            ("labels", "narrow", "degenerate")),
    Variant("sgd_m", "gradient by textbook formulas: 1/cosh², (1 + tanh)/2, exp(z − log Σ exp z)",
            partial(sgd_textbook, gradient=by_other_formulas), (*SMALL, "large", "probabilities", "narrow")),
    Variant("sgd_m", "pre-activations at the kink of ReLU, loops over examples", partial(sgd_textbook, gradient=by_loops),
            kinked("sgd_m")),
    Variant("sgd_m", "pre-activations at the kink of ReLU, einsum", partial(sgd_textbook, gradient=by_einsum), kinked("sgd_m")),
    *of("sgd_m", sgd_flat, sgd_differences, sgd_unrolled, sgd_in_place, sgd_scaled_buffer),
    Variant("sgd_m", sgd_in_out.__doc__, sgd_in_out, layout=IN_OUT),
    Variant("sgd_m", sgd_bias_column.__doc__, sgd_bias_column, layout=COLUMN),
    Variant("sgd_m", "W̄ transposed: the bias is the last row", partial(sgd_bias_column, transposed=True),
            layout=IN_OUT_COLUMN),
    Variant("sgd_m", "heavy ball, decoupled decay as a factor 1 − αγ", sgd_textbook,
            with_hyper("sgd_m", "plain", momentum="heavy_ball", gamma=0.25)),
    Variant("sgd_m", "a rate that falls, by integer division", sgd_textbook,
            with_hyper("sgd_m", "labels", alpha=StepDecay(0.7, 0.1, 2))),
    Variant("sgd_m", "float32", sgd_textbook, float32("sgd_m", *SMALL)),
    Variant("sgd_m", "float32, loops over examples, live buffers, step 0", sgd_in_place, float32("sgd_m", *SMALL)),
    Variant("adam", "Algorithm 1 line by line, everything exposed", adam_textbook, (*SMALL, "large", "digits")),
    Variant("adam", "only v̂ and the parameters exposed, gradient by einsum",
            partial(adam_textbook, gradient=by_einsum, expose=("v_h",))),
    Variant("adam", "parameters only, gradient by reverse-mode differentiation, penalty included",
            partial(adam_textbook, gradient=by_autograd, expose=()), (*SMALL, "penalty")),
    Variant("adam", "gradient by complex step, m and p exposed",
            partial(adam_textbook, gradient=by_complex_step, expose=("m", "p")), ("labels", "narrow", "degenerate")),
    Variant("adam", "pre-activations at the kink of ReLU, sums correctly rounded", partial(adam_textbook, gradient=by_exact_sums),
            kinked("adam")),
    *of("adam", adam_efficient, adam_library, adam_running_powers, adam_flat_expm1, adam_scalars, adam_unrolled),
    Variant("adam", adam_decay_first.__doc__, adam_decay_first, with_hyper("adam", "labels", gamma=0.5)),
    Variant("adam", "float32, constants as Python floats", adam_textbook, float32("adam", *SMALL)),
    Variant("adam", "float32, efficient order, sums as a binary tree",
            partial(adam_efficient, gradient=by_pairs), float32("adam", *SMALL)),
    Variant("adam", adam_float32_constants.__doc__, adam_float32_constants, float32("adam", *SMALL)),
    Variant("adam", "float32, parameters only", partial(adam_textbook, gradient=weighted, expose=()), float32("adam", *SMALL)),
    Variant("adam", adam_master_weights.__doc__, adam_master_weights, float32("adam", *SMALL)),
    Variant("rmsprop", rmsprop_textbook.__doc__, rmsprop_textbook, (*SMALL, "large", "digits")),
    Variant("rmsprop", "parameters only, gradient by loops over examples",
            partial(rmsprop_textbook, gradient=by_loops, expose=())),
    *of("rmsprop", rmsprop_running_mean, rmsprop_flat),
    Variant("rmsprop", "v₀ as a running mean, parameters only", partial(rmsprop_running_mean, expose=False)),
    Variant("rmsprop", "float32", rmsprop_textbook, float32("rmsprop", *SMALL)),
    *of("damping.powell_on_B", powell_on_B_convex, powell_on_B_target),
    *of("damping.powell_on_H", powell_on_H_loops),
    *of("damping.powell_identity", powell_identity_other_branch),
    *of("damping.double_damping", double_damping_composed, double_damping_curvature, double_damping_integers),
    *of("damping.dp_dlm", dp_dlm_einsum),
    *of("damping.dpi_dlm", dpi_dlm_by_matrix, dpi_dlm_cleared),
    *of("quasi_newton.bfgs_H", bfgs_H_printed, bfgs_H_loops, bfgs_H_product_form, bfgs_H_as_broyden),
    *of("quasi_newton.bfgs_H", bfgs_H_by_inverse, unstable=True),
    *of("quasi_newton.bfgs_B", bfgs_B_outer),
    *of("quasi_newton.bfgs_B", bfgs_B_by_inverse, unstable=True),
    *of("quasi_newton.dfp_H", dfp_H_einsum, dfp_H_projected),
    *of("quasi_newton.broyden_H", broyden_mixed, broyden_rank_two),
    *of("quasi_newton.hessian_action_pair", action_einsum, action_loops),
    *of("quasi_newton.minibatch_action_pair", minibatch_formed, minibatch_by_example),
    *of("tensors.vec", vec_loop),
    *of("tensors.vec_columns", vec_columns_concatenated, vec_columns_fortran),
    *of("tensors.mat", mat_moveaxis, mat_slices),
    *of("tensors.contraction", contraction_tensordot, contraction_fibres),
    *of("tensors.mode_product", mode_product_tensordot, mode_product_fibres),
    *of("tensors.mode_products", mode_products_kron, mode_products_backwards, mode_products_einsum),
    *of("smw.solve_with_inverse", smw_cholesky, smw_eigenvectors, smw_dense, smw_dense_cholesky, smw_without_inverse,
        smw_square_root),
    *of("smw.solve_without_inverse", smw_dense, smw_dense_cholesky, smw_square_root, smw_transposed),
]
