"""R (5.8) to (5.11): derivatives of one example's loss and output, against exact slopes along random directions."""

from __future__ import annotations

from ..checks import mod_p, over_Q
from ..polynomial_nets import draw, inner, only, polynomial_degree, product
from ..statement import Form, Statement

CHECKS = (over_Q(), mod_p(polynomial_degree, 206))


def row(net, h, v, l, transposed=False, last=True):
    """∂ε/∂ŷ ∂v^(L)/∂h^(L) W^(L) ⋯ W^(l+1) ∂v^(l)/∂h^(l), (1, m_l), for l from 0."""
    D = [S.transpose() for S in net.slopes(h)] if transposed else net.slopes(h)
    g = (v[-1] - net.y).transpose() * D[-1]
    for k in reversed(range(l, len(net.theta) - 1)):
        g = g * net.theta[k + 1].W
        g = g * D[k] if last or k > l else g
    return g


def bias(**wrong):
    """(5.8) against the slope of f_i in a direction b₁^(l), for every l."""
    def pairs(field, n):
        net = draw(field, n)
        h, v = net.forward()
        theta_1 = net.direction()
        for l, layer in enumerate(theta_1):
            found = net.along(lambda theta: net.loss(net.forward(theta)[1][-1]), only(theta_1, l, "b"))
            yield product(row(net, h, v, l, **wrong), layer.b)[0, 0], found
    return pairs


def weights(build):
    """∂f_i/∂W^(l) = build(g row, v^(l−1)) against the slope in a direction W₁^(l); None where it is not (m_l, m_{l−1})."""
    def pairs(field, n):
        net = draw(field, n)
        h, v = net.forward()
        theta_1 = net.direction()
        for l, layer in enumerate(theta_1):
            found = net.along(lambda theta: net.loss(net.forward(theta)[1][-1]), only(theta_1, l, "W"))
            G = build(row(net, h, v, l), v[l])
            fits = G is not None and (G.nrows(), G.ncols()) == (layer.W.nrows(), layer.W.ncols())
            yield inner(G, layer.W) if fits else None, found
    return pairs


def tangents(swapped=False, first=True, biased=True, own=True):
    """(5.11) along a random θ₁, against slopes of h^(l) and v^(l) for every l."""
    def pairs(field, n):
        net = draw(field, n)
        h, v = net.forward()
        theta_1, D = net.direction(), net.slopes(h)
        v_1 = field.zeros(net.x.nrows(), 1)
        for l, (layer, layer_1) in enumerate(zip(net.theta, theta_1, strict=True)):
            h_1 = layer_1.W * (v_1 if swapped else v[l]) * int(first) + layer.W * v_1 + layer_1.b * int(biased)
            v_1 = (D[l] if own else D[l].transpose()) * h_1
            yield h_1, net.along(net.before(l + 1), theta_1)
            yield v_1, net.along(net.after(l + 1), theta_1)
    return pairs


def jacobian(kron=lambda field, v, m: field.kron(v.transpose(), field.eye(m)), start=0):
    """(5.10) as a matrix (m_l, n), columns vec(W^(1)), b^(1), …, times a random θ₁, against slopes."""
    def pairs(field, n):
        net = draw(field, n)
        h, v = net.forward()
        theta_1, D = net.direction(), net.slopes(h)
        parts = [part for layer in theta_1 for part in (field.columns(layer.W), layer.b)]
        flat = field.build(sum(part.nrows() for part in parts), 1, lambda i, _: [x for part in parts for x in part.entries()][i])
        size = flat.nrows()
        J = field.build(net.x.nrows(), size, lambda i, j: field.number(start))
        before = 0
        for l, layer in enumerate(net.theta):
            m_l, m_in = layer.W.nrows(), layer.W.ncols()
            own = field.beside(kron(field, v[l], m_l), field.eye(m_l))
            spread = field.build(m_l, size, lambda i, j, own=own, before=before:
                                 own[i, j - before] if before <= j < before + own.ncols() else field.number(0))
            J_h = spread + layer.W * J
            J = D[l] * J_h
            before += m_l * (m_in + 1)
            yield J_h * flat, net.along(net.before(l + 1), theta_1)
            yield J * flat, net.along(net.after(l + 1), theta_1)
    return pairs


STATEMENTS = (
    Statement(
        "R.Eq.5.8", "Section 5.4.2",
        Form("∂f_i/∂b^(l) = ∂ε/∂ŷ_i ∂v^(L)/∂h^(L) W^(L) ⋯ W^(l+1) ∂v^(l)/∂h^(l)", bias()),
        checks=CHECKS,
        mutants=(Form("(∂v/∂h)ᵀ for ∂v/∂h", bias(transposed=True)), Form("without the last ∂v^(l)/∂h^(l)", bias(last=False)),
                 Form("W^(L) ⋯ W^(l) times 2", lambda field, n: ((2 * a, b) for a, b in bias()(field, n)))),
        note="A row (1, m_l), for activations φ^(l): ℝ^m → ℝ^m of any kind, whose ∂v/∂h need not be diagonal.",
    ),
    Statement(
        "R.Eq.5.9", "Section 5.4.2",
        Form("∂f_i/∂W^(l) = (the row of (5.8)) (v^(l−1))ᵀ", weights(lambda g, v: product(g, v.transpose()))),
        checks=CHECKS,
        repaired=Form("∂f_i/∂W^(l) = (the row of (5.8))ᵀ (v^(l−1))ᵀ", weights(lambda g, v: product(g.transpose(), v.transpose()))),
        mutants=(Form("v^(l−1) times the row", weights(lambda g, v: product(v, g))),
                 Form("twice that", weights(lambda g, v: 2 * product(g.transpose(), v.transpose()))),
                 Form("the row times v^(l−1)", weights(lambda g, v: product(g, v)))),
        errata=(4,),
        note="Printed it is a row times a row, whose shapes match for m_l = 1 alone. The lines above it, for vec(W), are "
             "right.",
    ),
    Statement(
        "R.Eq.5.9/1", "Section 5.4.2, between (5.8) and (5.9)",
        Form("∂h^(l)/∂vec(W^(l)) = ((v^(l−1))_1 I ⋯ (v^(l−1))_{m_{l−1}} I) = (v^(l−1))ᵀ ⊗ I", jacobian()),
        checks=CHECKS,
        mutants=(Form("I ⊗ (v^(l−1))ᵀ", jacobian(lambda field, v, m: field.kron(field.eye(m), v.transpose()))),
                 Form("with a sign", jacobian(lambda field, v, m: field.kron(-v.transpose(), field.eye(m)))),
                 Form("with 2v", jacobian(lambda field, v, m: field.kron(2 * v.transpose(), field.eye(m))))),
        note="vec puts columns one under the other (5.2.1). The last index is m_{l−1}; print has (v)_{m_l−1}.",
    ),
    Statement(
        "R.Eq.5.10", "Section 5.4.3",
        Form("∂h^(l)/∂θ = ∂W^(l)/∂θ v^(l−1) + W^(l) ∂v^(l−1)/∂θ + ∂b^(l)/∂θ, ∂v^(l)/∂θ = ∂v^(l)/∂h^(l) ∂h^(l)/∂θ, from 0",
             jacobian()),
        checks=CHECKS,
        mutants=(Form("from ∂v^(0)/∂θ = 1", jacobian(start=1)),
                 Form("rows of W in vec", jacobian(lambda field, v, m: field.kron(field.eye(m), v.transpose()))),
                 Form("∂W/∂θ without v", jacobian(lambda field, v, m: field.kron(field.ones(1, v.nrows()), field.eye(m))))),
        note="With ∂W^(l)/∂θ v^(l−1), which the text leaves abstract, read as (v^(l−1))ᵀ ⊗ I in the columns of vec(W^(l)).",
    ),
    Statement(
        "R.Eq.5.11", "Section 5.4.4",
        Form("h_1^(l) = W_1^(l)v^(l−1) + W^(l)v_1^(l−1) + b_1^(l), v_1^(l) = ∂v^(l)/∂h^(l) h_1^(l), v_1^(0) = 0", tangents()),
        checks=CHECKS,
        mutants=(Form("W_1 v_1", tangents(swapped=True)), Form("without W_1 v", tangents(first=False)),
                 Form("without b_1", tangents(biased=False)), Form("(∂v/∂h)ᵀ", tangents(own=False))),
        note="Algorithm 19 prints W_1^(l)v_1^(l−1) for the first term (ERR-56).",
    ),
)
