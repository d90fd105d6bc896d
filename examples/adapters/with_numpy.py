"""RMSprop in plain NumPy, which asks the case for gradients; everything else is its own.

    stepgauge check rmsprop examples/adapters/with_numpy.py:candidate
"""

import numpy as np


def candidate(case):
    h = case.hyper
    theta = [tensor.copy() for layer in case.params for tensor in layer]                # W_1, b_1, W_2, b_2, …

    def gradient(batch):
        _, grad = case.loss_and_grad(list(zip(theta[0::2], theta[1::2], strict=True)), batch)
        return [tensor for layer in grad for tensor in layer]

    share = [len(batch.x) / sum(len(batch.x) for batch in case.data) for batch in case.data]
    squares = [[g**2 for g in gradient(batch)] for batch in case.data]
    m = [np.zeros_like(tensor) for tensor in theta]
    v = [sum(w * g for w, g in zip(share, tensors, strict=True)).astype(case.dtype) for tensors in zip(*squares, strict=True)]
    yield {"W": theta[0::2], "b": theta[1::2], "m": m, "v": v}                          # the start, since v depends on the data
    for batch in case.batches:
        g = gradient(batch)
        for i, g_i in enumerate(g):
            m[i] = h.beta1 * m[i] + (1 - h.beta1) * g_i
            v[i] = h.beta2 * v[i] + (1 - h.beta2) * g_i**2
            theta[i] = theta[i] - h.alpha * m[i] / (np.sqrt(v[i]) + h.eps)
        yield {"W": theta[0::2], "b": theta[1::2], "g": g, "m": m, "v": v}
