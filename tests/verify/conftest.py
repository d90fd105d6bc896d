"""What the tests of the judge share: optimizers and gradients written here, from the papers, without the reference."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

PHI = {
    "linear": (lambda h: h, lambda h: np.ones_like(h)),
    "relu": (lambda h: np.maximum(h, 0), lambda h: (h > 0).astype(h.dtype)),
    "logistic": (lambda h: np.exp(-np.logaddexp(0, -h)), lambda h: np.exp(-np.logaddexp(0, -h) - np.logaddexp(0, h))),
    "tanh": (np.tanh, lambda h: 1 - np.tanh(h) ** 2),
    "elu": (lambda h: np.where(h > 0, h, np.exp(np.minimum(h, 0)) - 1), lambda h: np.exp(np.minimum(h, 0))),
}


def _loss_slope(loss, output, y):
    if loss == "mse":
        return output - y
    if loss == "bce":
        return np.exp(-np.logaddexp(0, -output)) - y
    z = np.exp(output - output.max(axis=1, keepdims=True))
    one_hot = (np.arange(output.shape[1]) == y[:, None]).astype(output.dtype) if y.ndim == 1 else y
    return z / z.sum(axis=1)[:, None] - one_hot


def mean_gradient(case, theta, batch) -> list[np.ndarray]:
    """The gradient of the mean loss and of η/2 ‖θ‖², tensor by tensor, summed over examples by einsum."""
    acts = [record.name for record in case.model.layers if hasattr(record, "name")]
    W, b = theta[0::2], theta[1::2]
    a, h = [batch.x], []
    for W_l, b_l, act in zip(W, b, acts, strict=True):
        h.append(np.einsum("ni,oi->no", a[-1], W_l) + b_l)
        a.append(PHI[act][0](h[-1]))
    delta = _loss_slope(case.model.loss, a[-1], batch.y) / len(batch.x)
    found = []
    for l in reversed(range(len(W))):
        delta = delta * PHI[acts[l]][1](h[l])
        found[:0] = [np.einsum("no,ni->oi", delta, a[l]), delta.sum(axis=0)]
        delta = np.einsum("no,oi->ni", delta, W[l])
    return [g + case.hyper.eta * t for g, t in zip(found, theta, strict=True)]


def _rate(alpha, k):
    return alpha if not hasattr(alpha, "period") else alpha.alpha * alpha.factor ** ((k - 1) // alpha.period)


def optimizer(touch: Callable = lambda k, name, values: values, *, show=None, start=False) -> Callable[..., Iterator[dict]]:
    """A candidate for "sgd_m", "adam" and "rmsprop" that shows all it computes.

    Takes    touch: gets step, name and arrays of every quantity just computed, and returns those to go on with; show: the
             names to yield besides W and b, or None for all; start: yield the initial state too.
    """

    def candidate(case):
        h, dtype = case.hyper, np.dtype(case.dtype)
        theta = [np.array(tensor) for layer in case.params for tensor in layer]
        m = [np.zeros_like(t) for t in theta]
        v = [np.zeros_like(t) for t in theta]
        if case.method == "rmsprop":
            data = [case.data] if hasattr(case.data, "y_sampled") else list(case.data)
            total = sum(len(batch.x) for batch in data)
            for batch in data:
                v = [v_i + g_i * g_i * dtype.type(len(batch.x) / total)
                     for v_i, g_i in zip(v, mean_gradient(case, theta, batch), strict=True)]
        shown = {}

        def made(name, values):
            shown[name] = touch(k, name, [np.asarray(value, dtype) for value in values])
            return shown[name]

        def step():
            kept = {name: values for name, values in shown.items() if name != "theta" and (show is None or name in show)}
            return {"W": theta[0::2], "b": theta[1::2], **kept}

        k = 0
        if start:
            if case.method == "sgd_m":
                m = made("g_h", m)
            else:
                m, v = made("m", m), made("v", v)
            theta = made("theta", theta)
            yield step()
        for k, batch in enumerate(case.batches, start=1):
            shown.clear()
            alpha = _rate(h.alpha, k)
            g = made("g", mean_gradient(case, theta, batch))
            if case.method == "sgd_m":
                new = 1 - h.beta if h.momentum == "ema" else 1
                p = m = made("g_h", [m_i * h.beta + new * g_i for m_i, g_i in zip(m, g, strict=True)])
            else:
                m = made("m", [m_i * h.beta1 + (1 - h.beta1) * g_i for m_i, g_i in zip(m, g, strict=True)])
                v = made("v", [v_i * h.beta2 + (1 - h.beta2) * g_i * g_i for v_i, g_i in zip(v, g, strict=True)])
                m_h, v_h = m, v
                if case.method == "adam":
                    m_h = made("m_h", [m_i / (1 - h.beta1**k) for m_i in m])
                    v_h = made("v_h", [v_i / (1 - h.beta2**k) for v_i in v])
                p = made("p", [m_i / (np.sqrt(v_i) + h.eps) for m_i, v_i in zip(m_h, v_h, strict=True)])
            theta = made("theta", [t - alpha * (p_i + h.gamma * t) for t, p_i in zip(theta, p, strict=True)])
            yield step()

    return candidate


@pytest.fixture(scope="session")
def mine():
    """`mine(touch, show=…, start=…)`: our own implementation of every first-order method, as a candidate."""
    return optimizer


@pytest.fixture(scope="session")
def my_gradient():
    """`my_gradient(case, theta, batch)`: our own gradient, tensor by tensor."""
    return mean_gradient
