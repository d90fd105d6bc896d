"""pytorch_optimizer: two Shampoos, and the inverse roots that they take."""

import torch
from peer import Peer, cases
from pytorch_optimizer import ScalableShampoo, Shampoo
from pytorch_optimizer.optimizer.utils.graft import LayerWiseGrafting
from pytorch_optimizer.optimizer.utils.matrix import compute_power_schur_newton, compute_power_svd
from stepgauge.verify.adapters.torch import torch_optimizer


def shampoo(tensors, h):
    return Shampoo(tensors, lr=h.alpha, momentum=h.mu, matrix_eps=h.eps)


def scalable(tensors, h):
    return ScalableShampoo(tensors, lr=h.alpha, betas=(h.mu, h.beta), matrix_eps=h.eps, nesterov=False, shape_interpretation=False,
                           graft_type=LayerWiseGrafting.NONE, start_preconditioning_step=1, preconditioning_compute_steps=1)


def roots(optimizer, tensor):
    return [optimizer.state[tensor][f"inv_pre_cond_{mode}"] for mode in range(tensor.ndim)]


def scalable_roots(optimizer, tensor):
    """Those of matrices; the tensors of other orders are not preconditioned."""
    found = list(optimizer.state[tensor]["pre_conditioner"].pre_conditioners)
    return found or [torch.eye(n, dtype=tensor.dtype) for n in tensor.shape]


def root(function):
    return lambda A, p: function(torch.from_numpy(A.copy()), p).numpy()


SMALL = ["plain", "dead", "narrow"]
EVERY_STEP = {"T_1": 1, "T_2": 1, "view": "4-way"}
RUN = "It is given the case's gradients; statistics and roots are taken in every step, by tensor and mode. "

PEERS = [
    Peer("pytorch_optimizer", "Shampoo", "shampoo", torch_optimizer(shampoo, {roots: "root_inv"}), RUN + "No momentum.",
         cases("shampoo", SMALL, mu=0.0, **EVERY_STEP)),
    Peer("pytorch_optimizer", "Shampoo(momentum)", "shampoo", torch_optimizer(shampoo, {roots: "root_inv"}), RUN,
         cases("shampoo", ["plain"], **EVERY_STEP)),
    Peer("pytorch_optimizer", "ScalableShampoo", "shampoo", torch_optimizer(scalable, {scalable_roots: "root_inv"}),
         RUN + "No momentum, grafting, merging of dimensions or warm-up.", cases("shampoo", ["plain"], mu=0.0, **EVERY_STEP)),
    Peer("pytorch_optimizer", "compute_power_svd", "roots.inverse_root", root(compute_power_svd), "It is the root of `Shampoo`."),
    Peer("pytorch_optimizer", "compute_power_schur_newton", "roots.inverse_root",
         root(lambda A, p: compute_power_schur_newton(A, p, ridge_epsilon=0.0)), "It is the root of `ScalableShampoo`; no ridge."),
    Peer("pytorch_optimizer", "compute_power_schur_newton(error_tolerance=1e-6)", "roots.inverse_root",
         root(lambda A, p: compute_power_schur_newton(A, p, ridge_epsilon=0.0, error_tolerance=1e-6)), "No ridge."),
]
