"""backpack: per-example gradients, as SMW natural gradient takes them."""

from dataclasses import replace

import numpy as np
import torch
from backpack import backpack, extend
from backpack.extensions import BatchGrad, SqrtGGNExact
from peer import Peer, columns_first
from stepgauge import nets, verify
from stepgauge.verify.adapters.torch import torch_net

T = torch.from_numpy
LOSSES = {"mse": torch.nn.MSELoss, "bce": torch.nn.BCEWithLogitsLoss, "softmax_ce": torch.nn.CrossEntropyLoss}


def smw(case):
    h, batch = case.hyper, case.batches[0]
    net, N = extend(torch_net(case.model, case.params)), len(batch.x)
    with backpack(BatchGrad()):
        extend(torch.nn.CrossEntropyLoss())(net(T(batch.x)), T(batch.y)).backward()
    J = N * np.concatenate([tensor.grad_batch.reshape(N, -1).numpy() for tensor in net.parameters()], axis=1)
    g = np.concatenate([tensor.grad.numpy().ravel() for tensor in net.parameters()])
    lam = h.lam_LM + h.tau
    D, Jg = lam * np.eye(N, dtype=case.dtype) + J @ J.T / N, J @ g
    d = np.linalg.solve(D, Jg)
    p = iter(np.split((J.T @ d / N - g) / lam, np.cumsum([tensor.numel() for tensor in net.parameters()])[:-1]))
    with torch.no_grad():
        for tensor in net.parameters():
            tensor += h.alpha * T(next(p)).reshape(tensor.shape)
    yield {"W": [t.detach().numpy() for t in net.parameters()][0::2], "b": [t.detach().numpy() for t in net.parameters()][1::2],
           "D": D, "Jg": Jg, "d": d}


def ggn(model, params, x):
    """VVᵀ of the exact square root V that backpack has of the Gauss-Newton matrix of the summed loss, over N."""
    net, m = extend(torch_net(model, params)), nets.layer_shapes(model)[-1][0]
    y = T(np.zeros(len(x), int) if model.loss == "softmax_ce" else np.zeros((len(x), m), x.dtype))
    with backpack(SqrtGGNExact()):
        extend(LOSSES[model.loss](reduction="sum"))(net(T(x)), y).backward()
    V = np.concatenate([tensor.sqrt_ggn_exact.reshape(-1, tensor.numel()).numpy() for tensor in net.parameters()], axis=1)
    V = V[:, columns_first(params)]
    return V.T @ V / ((2 if model.loss == "mse" else 1) * len(x))


PEERS = [
    Peer("backpack-for-pytorch", "backpack.extensions.BatchGrad", "smw_ng", smw,
         "First steps, B from the whole mini-batch: J is made of its `grad_batch`, g is torch's, and R (5.6) is written "
         "out in NumPy.",
         [replace(case, batches=(case.batches[0]._replace(curvature=None),))
          for case in verify.cases("smw_ng", ["labels", "dead"])]),
    Peer("backpack-for-pytorch", "backpack.extensions.SqrtGGNExact", "curvature.ggn", ggn,
         "VVᵀ of the square root V, with losses that are summed, over N (and over 2 for torch's squared error)."),
]
