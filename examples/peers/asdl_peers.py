"""asdfghjkl, whose import name is asdl: K-BFGS, Shampoo, K-FAC and SMW natural gradient."""

import contextlib
from dataclasses import replace

import numpy as np
import torch
from asdl import (
    FISHER_EMP,
    SHAPE_KRON,
    FisherConfig,
    SmwEmpNaturalGradientConfig,
    SmwEmpNaturalGradientMaker,
    get_fisher_maker,
)
from asdl.precondition.kbfgs import bfgs_inv_update_, powell_lm_damping_
from asdl.precondition.shampoo import ComputePower
from peer import Peer, cases
from stepgauge import verify
from stepgauge.verify.adapters.torch import torch_net

T = torch.from_numpy
SOFTMAX = ["labels", "dead"]


def damping(s, y, H, mu1, mu2):
    s, y = T(s.copy()), T(y.copy())
    powell_lm_damping_(T(H), s, y, mu1=mu1, mu2=mu2)
    return s.numpy(), y.numpy()


def update(H, s, y):
    H = T(H.copy())
    bfgs_inv_update_(H, T(s), T(y))
    return H.numpy()


@contextlib.contextmanager
def precision(dtype):
    """Where the library makes matrices of torch's default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def root(A, p):
    A = T(A.copy())
    with precision(A.dtype):
        return ComputePower(A, p, ridge_epsilon=0).numpy()


def layers(net):
    return [module for module in net if hasattr(module, "weight")]


def joined(net):
    """The gradients in W̄ = (W, b), by layer."""
    return [np.concatenate([m.weight.grad.numpy(), m.bias.grad.numpy()[:, None]], axis=1) for m in layers(net)]


def backward(maker, net, batch, **arguments):
    """Forward and back through the library's maker, which leaves the gradient, or its direction, in the parameters' `grad`."""
    output = maker.setup_model_call(net, T(batch.x))
    maker.setup_loss_call(torch.nn.functional.cross_entropy, output, T(batch.y))
    maker.forward_and_backward(**arguments)


def moved(net, alpha):
    """The parameters after a step of −α along what stands in the place of the gradient."""
    with torch.no_grad():
        for tensor in net.parameters():
            tensor -= alpha * tensor.grad
    return {"W": [m.weight.detach().numpy() for m in layers(net)], "b": [m.bias.detach().numpy() for m in layers(net)]}


def smw(case):
    h, net, batch = case.hyper, torch_net(case.model, case.params), case.batches[0]
    maker = SmwEmpNaturalGradientMaker(net, SmwEmpNaturalGradientConfig(len(batch.x), h.lam_LM + h.tau))
    backward(maker, net, batch)
    yield {"D": net.kernel.numpy(), "p": [-p for p in joined(net)], **moved(net, h.alpha)}


def kfac(case):
    h, net = case.hyper, torch_net(case.model, case.params)
    maker = get_fisher_maker(net, FisherConfig(FISHER_EMP, [SHAPE_KRON]))
    for batch in case.batches:
        backward(maker, net, batch, data_size=len(batch.x), calc_loss_grad=True)
        kron = [module.fisher.kron for module in layers(net)]
        for module, factors in zip(layers(net), kron, strict=True):
            factors.update_inv(h.lam)
            factors.mvp(vec_weight=module.weight.grad, vec_bias=module.bias.grad, use_inv=True, inplace=True)
        yield {"p": joined(net), "Gamma": [factors.B.numpy() for factors in kron], **moved(net, h.alpha)}


def whole(names):
    """First steps, with the curvature of the whole mini-batch."""
    return [replace(case, batches=(case.batches[0]._replace(curvature=None),)) for case in verify.cases("smw_ng", names)]


PEERS = [
    Peer("asdfghjkl", "asdl.precondition.kbfgs.powell_lm_damping_", "damping.dp_dlm", damping,
         "s and y are changed in place; it is the damping of `KronBfgsGradientMaker`."),
    Peer("asdfghjkl", "asdl.precondition.kbfgs.bfgs_inv_update_", "quasi_newton.bfgs_H", update,
         "H is to be changed in place; it is the update of both inverses in `KronBfgsGradientMaker`."),
    Peer("asdfghjkl", "asdl.precondition.shampoo.ComputePower", "roots.inverse_root", root,
         "No ridge; it is the root of `ShampooGradientMaker`."),
    Peer("asdfghjkl", "asdl.get_fisher_maker, Kron.update_inv, Kron.mvp", "kfac_ef", kfac, "The pieces of `KfacGradientMaker`, "
         "which itself asks for a CUDA build of torch: empirical factors of every mini-batch anew (β = 0), inverted in every step.",
         [replace(case, batches=case.batches[:2]) for case in cases("kfac_ef", ["labels"], beta=0.0, T_1=1, T_2=1)]),
    Peer("asdfghjkl", "asdl.SmwEmpNaturalGradientMaker", "smw_ng", smw, "First steps, B from the whole mini-batch.",
         whole(SOFTMAX)),
]
