"""optax: the first-order methods."""

import optax
from peer import Peer, cases
from stepgauge import verify
from stepgauge.verify.adapters.optax import optax_transform

GRADIENTS = "It is given the case's gradients; parameters and buffers are compared."
HINTON = " β₁ = 0, which is Hinton's method."

PEERS = [
    Peer("optax", "optax.sgd(momentum)", "sgd_m", optax_transform(
        lambda h: optax.sgd(h.alpha, momentum=h.beta), {"trace": "g_h"}), GRADIENTS),
    Peer("optax", "optax.sgd(momentum, nesterov)", "sgd_m", optax_transform(
        lambda h: optax.sgd(h.alpha, momentum=h.beta, nesterov=True), {"trace": "g_h"}), GRADIENTS),
    Peer("optax", "optax.rmsprop", "rmsprop", optax_transform(
        lambda h: optax.rmsprop(h.alpha, h.beta2, h.eps), {"nu": "v"}), GRADIENTS + HINTON, cases("rmsprop", beta1=0.0)),
    Peer("optax", "optax.rmsprop(eps_in_sqrt=False)", "rmsprop", optax_transform(
        lambda h: optax.rmsprop(h.alpha, h.beta2, h.eps, eps_in_sqrt=False), {"nu": "v"}), GRADIENTS + HINTON,
        cases("rmsprop", beta1=0.0)),
    Peer("optax", "optax.adam", "adam", optax_transform(
        lambda h: optax.adam(h.alpha, h.beta1, h.beta2, h.eps), {"mu": "m", "nu": "v"}), GRADIENTS),
    Peer("optax", "optax.adamw", "adam", optax_transform(
        lambda h: optax.adamw(h.alpha, h.beta1, h.beta2, h.eps, weight_decay=h.gamma), {"mu": "m", "nu": "v"}),
        GRADIENTS + " The case has weight decay.", verify.cases("adam", ["decay"])),
]
