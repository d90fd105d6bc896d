"""One example through a multilayer perceptron, as printed: R Algorithms 1, 17 and 18.

Symbols  φ_l activation, h_l pre-activation, a_l (chapter 2) or v^(l) (chapter 5) activation, ā = (a, 1), g_l = ∂loss/∂h_l,
         𝒟X = ∂loss/∂X.
Departs  ERR-3: line 4 of Algorithm 1 multiplies by W_lᵀ, whose last row belongs to the bias and must be left out.
         ERR-4: line 10 of Algorithm 18 prints g (vᵀ) for two row vectors; the gradient of W is the outer product g vᵀ.

These are the definitions; `nets.forward` and `nets.backward` do the same for a batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..arrays import namespace
from .activations import ACTIVATIONS
from .losses import LOSSES
from .model import Layer

Array = Any


class SinglePass(NamedTuple):
    """What Algorithm 1 computes: ā_{l−1} (d_{l−1} + 1,), h_l and g_l (d_l,), 𝒟W_l (d_l, d_{l−1} + 1), the output a_L."""

    a: list[Array]
    h: list[Array]
    g: list[Array]
    DW: list[Array]
    output: Array


def forward_backward(W: Any, activations: Any, loss: str, x: Array, y: Array) -> SinglePass:
    """Forward and backward pass for a single data-point (R Algorithm 1).

    Takes    W: matrices (d_l, d_{l−1} + 1) whose last columns are the biases; x (d_0,); y (d_L,).
    """
    xp = namespace(x, *W)
    phi = [ACTIVATIONS[name] for name in activations]
    L = len(W)
    a_b, h = [], []
    a = x                                                            # R1.2
    for l in range(L):                                               # R1.2
        a_b.append(xp.concat([a, xp.ones(1)]))                       # R1.2
        h.append(W[l] @ a_b[l])                                      # R1.2
        a = phi[l].phi(h[l])                                         # R1.2
    Da = LOSSES[loss].gradient(a[None, :], y[None, :])[0]            # R1.3
    g: list[Any] = [None] * L
    DW: list[Any] = [None] * L
    for l in reversed(range(L)):                                     # R1.4
        g[l] = Da * phi[l].d_phi(h[l])                               # R1.4
        DW[l] = g[l][:, None] * a_b[l][None, :]                      # R1.4
        Da = W[l][:, :-1].T @ g[l]                                   # R1.4  ERR-3: without the bias column
    return SinglePass(a_b, h, g, DW, a)


def forward(theta: Any, activations: Any, x: Array) -> tuple[list[Array], list[Array]]:
    """Compute the network with respect to a single input x (R Algorithm 17).

    Takes    theta: pairs W^(l) (m_l, m_{l−1}), b^(l) (m_l,); x (m_0,).
    Returns  h^(1) … h^(L), and v^(0) … v^(L), the last of which is ŷ.
    """
    W, b = [layer[0] for layer in theta], [layer[1] for layer in theta]          # R17.3
    h, v = [], [x]                                                               # R17.4
    for l in range(len(W)):                                                      # R17.5
        h.append(W[l] @ v[l] + b[l])                                             # R17.6
        v.append(ACTIVATIONS[activations[l]].phi(h[l]))                          # R17.7
    return h, v                                                                  # R17.9


def backward(theta: Any, activations: Any, loss: str, h: Any, v: Any, y: Array) -> tuple[Layer, ...]:
    """Compute the gradient ∇f_i(θ) of a single example (R Algorithm 18).

    Takes    theta as in `forward`, whose h and v are given; y (m_L,).
    Returns  pairs W₁^(l), b₁^(l) in the shapes of θ.
    """
    W = [layer[0] for layer in theta]                                            # R18.3
    d_phi = [ACTIVATIONS[name].d_phi for name in activations]
    L = len(W)
    W_1: list[Any] = [None] * L
    b_1: list[Any] = [None] * L
    g = LOSSES[loss].gradient(v[L][None, :], y[None, :])[0] * d_phi[-1](h[-1])   # R18.4
    b_1[-1] = g                                                                  # R18.5
    W_1[-1] = g[:, None] * v[L - 1][None, :]                                     # R18.6
    for l in reversed(range(L - 1)):                                             # R18.7
        g = (g @ W[l + 1]) * d_phi[l](h[l])                                      # R18.8
        b_1[l] = g                                                               # R18.9
        W_1[l] = g[:, None] * v[l][None, :]                                      # R18.10  ERR-4: the outer product
    return tuple(Layer(*pair) for pair in zip(W_1, b_1, strict=True))            # R18.12
