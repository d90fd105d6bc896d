"""One example through a multilayer perceptron, as printed: R Algorithms 1 and 17 to 22.

Symbols  φ_l activation, h_l pre-activation, a_l (chapter 2) or v^(l) (chapter 5) activation, ā = (a, 1), g_l = ∂loss/∂h_l,
         𝒟X = ∂loss/∂X; J_i = ∂ŷ_i/∂θ, subscript 1 the derivative in the direction θ₁, x̂₂ (`x_h`) the derivative of (J_i θ₂)ᵀx in
         x₂, e_j the j-th unit vector.
Departs  ERR-3: line 4 of Algorithm 1 multiplies by W_lᵀ, whose last row belongs to the bias and must be left out.
         ERR-4: line 10 of Algorithm 18 prints g (vᵀ) for two row vectors; the gradient of W is the outer product g vᵀ.
         ERR-56: line 7 of Algorithm 19 prints W₁ v₁ for W₁ v.

These are the definitions; `nets.forward`, `nets.backward` and `nets.jacobian` do the same for a batch.
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
    a_l = x                                                          # R1.2
    for l in range(L):                                               # R1.2
        a_b.append(xp.concat([a_l, xp.ones(1)]))                     # R1.2
        h.append(W[l] @ a_b[l])                                      # R1.2
        a_l = phi[l].phi(h[l])                                       # R1.2
    Da = LOSSES[loss].gradient(a_l[None, :], y[None, :])[0]          # R1.3
    g: list[Any] = [None] * L
    DW: list[Any] = [None] * L
    for l in reversed(range(L)):                                     # R1.4
        g[l] = Da * phi[l].d_phi(h[l])                               # R1.4
        DW[l] = g[l][:, None] * a_b[l][None, :]                      # R1.4
        Da = W[l][:, :-1].T @ g[l]                                   # R1.4  ERR-3: without the bias column
    return SinglePass(a_b, h, g, DW, a_l)


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


def jacobian_product(theta: Any, activations: Any, h: Any, v: Any, theta_1: Any) -> Array:
    """The product of J_i and a vector θ₁ (R Algorithm 19): (m_L,).

    Takes    theta, h and v as in `backward`; theta_1: pairs like theta.
    """
    xp = namespace(v[0])
    W, (W_1, b_1) = [layer[0] for layer in theta], zip(*theta_1, strict=True)                   # R19.3 R19.4
    v_1 = xp.zeros_like(v[0])                                                                   # R19.5
    for l in range(len(W)):                                                                     # R19.6
        h_1 = W_1[l] @ v[l] + W[l] @ v_1 + b_1[l]                                               # R19.7  ERR-56: W₁ v, not W₁ v₁
        v_1 = ACTIVATIONS[activations[l]].d_phi(h[l]) * h_1                                     # R19.8
    return v_1                                                                                  # R19.10


def partial_transposed_product(theta: Any, activations: Any, h: Any, x: Array) -> tuple[Array, ...]:
    """ĥ₂^(l) (m_l,) for l = 1, …, L, from which Algorithm 20 packs J_iᵀx: its partial mode, for x (m_L,).

    Takes    theta, h as in `backward`.
    """
    W = [layer[0] for layer in theta]                                                           # R20.3
    h_h: list[Any] = [None] * len(W)
    v_h = x                                                                                     # R20.4
    for l in reversed(range(len(W))):                                                           # R20.5
        h_h[l] = ACTIVATIONS[activations[l]].d_phi(h[l]) * v_h                                  # R20.6
        v_h = W[l].T @ h_h[l]                                                                   # R20.7
    return tuple(h_h)


def packed(h_h: Any, v: Any) -> tuple[Layer, ...]:
    """J_iᵀx, pairs Ŵ₂^(l), b̂₂^(l) in the shapes of θ, from what the partial mode of Algorithm 20 gives."""
    W_h = [h_h[l][:, None] * v[l][None, :] for l in range(len(h_h))]                            # R20.8
    b_h = [1 * h_h[l] for l in range(len(h_h))]                                                 # R20.9
    return tuple(Layer(*pair) for pair in zip(W_h, b_h, strict=True))                           # R20.11


def transposed_product(theta: Any, activations: Any, h: Any, v: Any, V: Array) -> tuple[Layer, ...]:
    """J_iᵀV by backpropagation (R Algorithm 21): pairs in the shapes of θ, for V (m_L,).

    Takes    theta, h and v as in `backward`.
    """
    L = len(theta)
    W_h: list[Any] = [None] * L
    b_h: list[Any] = [None] * L
    v_h = V                                                                                     # R21.1
    for l in reversed(range(L)):                                                                # R21.2
        h_h = ACTIVATIONS[activations[l]].d_phi(h[l]) * v_h                                     # R21.3
        v_h = theta[l][0].T @ h_h                                                               # R21.4
        W_h[l] = h_h[:, None] * v[l][None, :]                                                   # R21.5
        b_h[l] = h_h                                                                            # R21.6
    return tuple(Layer(*pair) for pair in zip(W_h, b_h, strict=True))


def block_matrix(theta: Any, activations: Any, h: Any, v: Any) -> Array:
    """The |S| × |S| block matrix (J_{i₁} J_{i₂}ᵀ) (R Algorithm 22): (|S| m_L, |S| m_L), the outputs of one example together.

    Takes    theta as in `backward`; h, v: one list an example, as `forward` returns them.
    """
    xp = namespace(v[0][0])
    e = xp.eye(theta[-1][1].shape[0])
    h_h: list[list[Any]] = []
    for i in range(len(h)):                                                                     # R22.3
        h_h.append([])
        for e_j in e:                                                                           # R22.4
            h_h[i].append(partial_transposed_product(theta, activations, h[i], e_j))            # R22.5
    B = []
    for l in range(len(theta)):                                                                 # R22.9
        v_t, H_h = [], []
        for i in range(len(h)):                                                                 # R22.10
            v_t.append(xp.concat([v[i][l], xp.ones(1)])[:, None])                               # R22.11
            H_h.append(xp.concat([h_h_ij[l][:, None] for h_h_ij in h_h[i]], axis=1))            # R22.12
        v_l = xp.concat(v_t, axis=1)                                                            # R22.14
        H_l = xp.concat(H_h, axis=1)                                                            # R22.15
        B.append(xp.kron(v_l.T @ v_l, xp.ones(e.shape)) * (H_l.T @ H_l))                        # R22.16
    return sum(B[1:], B[0])                                                                     # R22.18
