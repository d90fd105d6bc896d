"""A planted mistake: Adam whose second moment squares the momentum instead of the gradient (KB1.4).

    stepgauge check adam examples/wrong_adam.py:candidate
"""

import numpy as np


def candidate(case):
    W = [layer.W.copy() for layer in case.params]
    b = [layer.b.copy() for layer in case.params]
    tensors = [tensor for pair in zip(W, b, strict=True) for tensor in pair]
    m = [np.zeros_like(tensor) for tensor in tensors]
    v = [np.zeros_like(tensor) for tensor in tensors]
    h = case.hyper
    for t, batch in enumerate(case.batches, start=1):
        _, grad = case.loss_and_grad(list(zip(W, b, strict=True)), batch)
        for i, g in enumerate(g for layer in grad for g in layer):
            m[i] = h.beta1 * m[i] + (1 - h.beta1) * g
            v[i] = h.beta2 * v[i] + (1 - h.beta2) * m[i] ** 2        # the mistake: m for g
            tensors[i] -= h.alpha * (m[i] / (1 - h.beta1**t)) / (np.sqrt(v[i] / (1 - h.beta2**t)) + h.eps)
        yield {"W": W, "b": b, "m": m, "v": v}
