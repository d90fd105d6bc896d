"""pytorch_optimizer: two Shampoos, and the inverse roots that they take."""

import torch
from peer import BUG, BY_DESIGN, LOOSE, Peer, cases
from pytorch_optimizer import ScalableShampoo, Shampoo
from pytorch_optimizer.optimizer.utils.graft import LayerWiseGrafting
from pytorch_optimizer.optimizer.utils.matrix import compute_power_schur_newton, compute_power_svd
from stepgauge.verify.adapters.torch import torch_optimizer


def shampoo(tensors, h):
    return Shampoo(tensors, lr=h.alpha, momentum=h.mu, matrix_eps=h.eps)


def scalable(tensors, h):
    return ScalableShampoo(tensors, lr=h.alpha, betas=(h.mu, h.beta), matrix_eps=h.eps, graft_type=LayerWiseGrafting.NONE,
                           nesterov=False, shape_interpretation=False, start_preconditioning_step=1, preconditioning_compute_steps=1)


def roots(optimizer, tensor):
    return [optimizer.state[tensor][f"inv_pre_cond_{mode}"] for mode in range(tensor.ndim)]


def scalable_roots(optimizer, tensor):
    """Those of matrices; the tensors of other orders are not preconditioned."""
    return list(optimizer.state[tensor]["pre_conditioner"].pre_conditioners) or [torch.eye(n, dtype=tensor.dtype) for n in tensor.shape]


def root(function):
    return lambda A, p: function(torch.from_numpy(A.copy()), p).numpy()


SMALL = ["plain", "dead", "narrow"]
EVERY_STEP = {"T_1": 1, "T_2": 1, "view": "4-way"}
RUN = "It is given the case's gradients; statistics and roots are taken in every step, by tensor and mode. "

PEERS = [
    Peer("pytorch_optimizer", "Shampoo", "shampoo", torch_optimizer(shampoo, {roots: "root_inv"}), RUN + "No momentum.",
         cases("shampoo", SMALL, mu=0.0, **EVERY_STEP)),
    Peer("pytorch_optimizer", "Shampoo(momentum)", "shampoo", torch_optimizer(shampoo, {roots: "root_inv"}), RUN,
         cases("shampoo", ["plain"], **EVERY_STEP), BUG,
         "`momentum_buffer` holds the last *preconditioned* gradient, and the next gradient is mixed with that. What is preconditioned "
         "(and enters the statistics) is then neither a gradient nor an average of gradients, as Gupta et al. have it: past "
         "gradients pass the preconditioner again in every step, and the scale of the loss, which cancels out of Shampoo, does not "
         "cancel any more. With a loss a million times larger the program below goes another way; without momentum it goes the same.",
         """
import torch
from pytorch_optimizer import Shampoo
for momentum in (0.0, 0.9):
    for scale in (1.0, 1e6):
        w = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.float64))
        optimizer = Shampoo([w], lr=1.0, momentum=momentum, matrix_eps=0.0)
        for G in ([[4.0, 1.0], [2.0, 3.0]], [[1.0, -2.0], [3.0, 1.0]]):
            w.grad = scale * torch.tensor(G, dtype=torch.float64)
            optimizer.step()
        print(f"momentum {momentum}, loss times {scale:7.0e}:", [round(x, 3) for x in w.data.flatten().tolist()])
"""),
    Peer("pytorch_optimizer", "ScalableShampoo", "shampoo", torch_optimizer(scalable, {scalable_roots: "root_inv"}),
         RUN + "No momentum, grafting, merging of dimensions or warm-up.", cases("shampoo", ["plain"], mu=0.0, **EVERY_STEP), BY_DESIGN,
         "Vectors are not preconditioned at all, where R preconditions every tensor. For matrices the damping is ε times an estimate of "
         "the largest eigenvalue (a power iteration from a random start), as in Anil et al., where R adds ε itself, and the "
         "statistics start from εI, which fades. The roots are compared first; they cannot agree."),
    Peer("pytorch_optimizer", "compute_power_svd", "roots.inverse_root", root(compute_power_svd), "It is the root of `Shampoo`."),
    Peer("pytorch_optimizer", "compute_power_schur_newton", "roots.inverse_root",
         root(lambda A, p: compute_power_schur_newton(A, p, ridge_epsilon=0.0)), "It is the root of `ScalableShampoo`; no ridge.",
         kind=LOOSE, because="The iteration is R's, but by default it ends when the norm of M − I is below 1e-3, where R Section 4.7.2 "
         "asks for 1e-6. With `error_tolerance=1e-6` it agrees (next entry)."),
    Peer("pytorch_optimizer", "compute_power_schur_newton(error_tolerance=1e-6)", "roots.inverse_root",
         root(lambda A, p: compute_power_schur_newton(A, p, ridge_epsilon=0.0, error_tolerance=1e-6)), "No ridge."),
]
