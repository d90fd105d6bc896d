"""torch.optim: the first-order methods."""

import torch
from peer import Peer
from stepgauge import verify
from stepgauge.verify.adapters.torch import torch_optimizer

ADAM = {"exp_avg": "m", "exp_avg_sq": "v"}
GRADIENTS = "It is given the case's gradients; parameters and buffers are compared."

PEERS = [
    Peer("torch", "torch.optim.SGD(momentum)", "sgd_m", torch_optimizer(
        lambda tensors, h: torch.optim.SGD(tensors, lr=h.alpha, momentum=h.beta), {"momentum_buffer": "g_h"}), GRADIENTS),
    Peer("torch", "torch.optim.SGD(momentum, dampening)", "sgd_m", torch_optimizer(
        lambda tensors, h: torch.optim.SGD(tensors, lr=h.alpha, momentum=h.beta, dampening=h.beta), {"momentum_buffer": "g_h"}),
        GRADIENTS + " Dampening is β."),
    Peer("torch", "torch.optim.SGD(momentum, nesterov)", "sgd_m", torch_optimizer(
        lambda tensors, h: torch.optim.SGD(tensors, lr=h.alpha, momentum=h.beta, nesterov=True), {"momentum_buffer": "g_h"}),
        GRADIENTS),
    Peer("torch", "torch.optim.RMSprop", "rmsprop", torch_optimizer(
        lambda tensors, h: torch.optim.RMSprop(tensors, lr=h.alpha, alpha=h.beta2, eps=h.eps), {"square_avg": "v"}), GRADIENTS),
    Peer("torch", "torch.optim.Adam", "adam", torch_optimizer(
        lambda tensors, h: torch.optim.Adam(tensors, lr=h.alpha, betas=(h.beta1, h.beta2), eps=h.eps), ADAM), GRADIENTS),
    Peer("torch", "torch.optim.AdamW", "adam", torch_optimizer(
        lambda tensors, h: torch.optim.AdamW(tensors, lr=h.alpha, betas=(h.beta1, h.beta2), eps=h.eps, weight_decay=h.gamma), ADAM),
        GRADIENTS + " The case has weight decay.", verify.cases("adam", ["decay"])),
]
