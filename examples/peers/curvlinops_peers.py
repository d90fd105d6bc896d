"""curvlinops: Kronecker factors, their damped inverses and the direction that they give."""

import numpy as np
import torch
from curvlinops import EFLinearOperator, FisherType, GGNLinearOperator, KFACInverseLinearOperator, KFACLinearOperator
from peer import Peer, cases, columns_first
from stepgauge import nets
from stepgauge.verify.adapters.torch import recorded, torch_net

T = torch.from_numpy
FACTORS = {"Omega": "input_covariances", "Gamma": "gradient_covariances"}
INVERSES = {"H_Omega": "inverse_input_covariances", "H_Gamma": "inverse_gradient_covariances"}


def inverse(net, batches, lam):
    """The damped inverse of K-FAC's matrix of these batches, for the drawn targets; and what it is made of, by layer."""
    data = [(T(batch.x), T(batch.y_sampled)) for batch in batches]
    operator = KFACLinearOperator(net, torch.nn.CrossEntropyLoss(), list(net.parameters()), data, fisher_type=FisherType.EMPIRICAL,
                                  separate_weight_and_bias=False, check_deterministic=False)
    inverted = KFACInverseLinearOperator(operator, damping=lam, use_heuristic_damping=True)
    inverted @ [tensor.detach() for tensor in net.parameters()]                     # the factors are taken at the first product
    found = operator.state_dict() | inverted.state_dict()
    return inverted, {ours: [found[theirs][name].numpy() for name in found["input_covariances"]]
                      for ours, theirs in (FACTORS | INVERSES).items()}


def kfac(case):
    h, net = case.hyper, torch_net(case.model, case.params)
    layers = [module for module in net if hasattr(module, "weight")]

    def parameters():
        return {"W": [m.weight.detach().numpy() for m in layers], "b": [m.bias.detach().numpy() for m in layers]}

    inverted, shown = inverse(net, case.data, h.lam)
    yield {**parameters(), **shown}
    for batch in case.batches:
        recorded(net, case.model, batch.x, batch.y)
        p = inverted @ [tensor.grad for tensor in net.parameters()]
        inverted, shown = inverse(net, [batch], h.lam)
        with torch.no_grad():
            for tensor, p_i in zip(net.parameters(), p, strict=True):
                tensor -= h.alpha * p_i
        joined = [np.concatenate([W.reshape(len(b), -1).numpy(), b.numpy()[:, None]], axis=1)
                  for W, b in zip(p[0::2], p[1::2], strict=True)]
        yield {**parameters(), "p": joined, **shown}


LOSSES = {"mse": torch.nn.MSELoss, "bce": torch.nn.BCEWithLogitsLoss, "softmax_ce": torch.nn.CrossEntropyLoss}
TIMES = {"mse": 2, "bce": 1, "softmax_ce": 1}
"""Torch's squared error is twice R's."""


def matrix(kind, model, params, x, y):
    """A linear operator of the summed loss as a matrix, in R's order of θ."""
    net = torch_net(model, params)
    operator = kind(net, LOSSES[model.loss](reduction="sum"), list(net.parameters()), [(T(x), T(y))], check_deterministic=False)
    order = columns_first(params)
    return (operator @ torch.eye(len(order), dtype=T(x).dtype)).detach().numpy()[np.ix_(order, order)]


def ggn(model, params, x):
    m = nets.layer_shapes(model)[-1][0]
    y = np.zeros(len(x), int) if model.loss == "softmax_ce" else np.zeros((len(x), m), x.dtype)      # which it does not look at
    return matrix(GGNLinearOperator, model, params, x, y) / (TIMES[model.loss] * len(x))


def empirical_fisher(model, params, x, y):
    y = y.astype(x.dtype) if model.loss != "softmax_ce" else y
    return matrix(EFLinearOperator, model, params, x, y) / (TIMES[model.loss] ** 2 * len(x))


ALONE = {"beta": 0.0, "T_1": 1, "T_2": 1}
RUN = ("Factors of the drawn targets (its \"empirical\" Fisher, fed with them) with heuristic damping, of every "
"mini-batch anew (β = 0), "
       "inverted in every step; the softmax cases, since `MSELoss` and `BCEWithLogitsLoss` are other multiples of R's. ")

PEERS = [
    Peer("curvlinops-for-pytorch", "KFACLinearOperator, KFACInverseLinearOperator", "kfac", kfac, RUN + "Dense layers.",
         cases("kfac", ["labels", "dead"], **ALONE)),
    Peer("curvlinops-for-pytorch", "KFACLinearOperator, KFACInverseLinearOperator, convolutions", "kfac", kfac,
         RUN + "Convolutions.", cases("kfac", ["images"], **ALONE)),
    Peer("curvlinops-for-pytorch", "GGNLinearOperator", "curvature.ggn", ggn,
         "Times the identity, with losses that are summed, over N (and over 2 for torch's squared error)."),
    Peer("curvlinops-for-pytorch", "EFLinearOperator", "curvature.empirical_fisher", empirical_fisher,
         "Times the identity, with losses that are summed, over N (and over 4 for torch's squared error)."),
]
