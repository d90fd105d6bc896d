"""autograd.misc.optimizers: the first-order methods."""

from autograd.misc import optimizers
from peer import Peer, cases
from stepgauge.verify.adapters.gradients import callback_optimizer

GRADIENTS = "It is given the case's gradients; the parameters are compared."

PEERS = [
    Peer("autograd", "autograd.misc.optimizers.sgd", "sgd_m", callback_optimizer(
        optimizers.sgd, step_size=lambda h: h.alpha, mass=lambda h: h.beta), GRADIENTS),
    Peer("autograd", "autograd.misc.optimizers.rmsprop", "rmsprop", callback_optimizer(
        optimizers.rmsprop, step_size=lambda h: h.alpha, gamma=lambda h: h.beta2, eps=lambda h: h.eps),
        GRADIENTS + " β₁ = 0, which is Hinton's method.", cases("rmsprop", beta1=0.0)),
    Peer("autograd", "autograd.misc.optimizers.adam", "adam", callback_optimizer(
        optimizers.adam, step_size=lambda h: h.alpha, b1=lambda h: h.beta1, b2=lambda h: h.beta2, eps=lambda h: h.eps), GRADIENTS),
]
