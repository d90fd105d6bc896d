"""R Sections 5.4.1 to 5.4.7: forward, backward, Jθ₁, Jᵀx, inner products and blocks JJᵀ, against exact slopes and full vectors."""

from __future__ import annotations

from typing import Any

from ..checks import mod_p, over_Q
from ..fields import dot
from ..polynomial_nets import Layer, Net, draw, only, polynomial_degree, product, together, unit
from ..statement import Form, Statement
from .equation_5_08 import jacobian, row, tangents

CHECKS = (over_Q(), mod_p(polynomial_degree, 206))


def entry_by_entry(biased=True, swapped=False):
    """Algorithm 17 against sums over units, written out."""
    def pairs(field, n):
        net = draw(field, n)
        _, v = net.forward()
        z = net.x.entries()
        for S, layer in zip(net.S, net.theta, strict=True):
            units, inputs = range(layer.W.nrows()), range(layer.W.ncols())
            h = [sum((layer.W[i, j] * z[j] for j in inputs), layer.b[i, 0] * int(biased)) for i in units]
            z = [sum((S[i, k] * h[k] ** 2 for k in units), z[0] if swapped else h[i]) for i in units]
        yield v[-1], field.build(len(z), 1, lambda i, _: z[i])
    return pairs


def gradient(outer=lambda g, v: product(g.transpose(), v.transpose()), factor=1):
    """The recursion below (5.9), packed as Algorithm 18 does it: θ₁ᵀ∇f_i against the slope of f_i."""
    def pairs(field, n):
        net = draw(field, n)
        h, v = net.forward()
        D, theta_1 = net.slopes(h), net.direction()
        g = (v[-1] - net.y).transpose() * D[-1]
        found: list[Any] = []
        for l in reversed(range(len(net.theta))):
            W_1 = outer(g, v[l])
            fits = W_1 is not None and (W_1.nrows(), W_1.ncols()) == (net.theta[l].W.nrows(), net.theta[l].W.ncols())
            found.append(Layer(factor * W_1, factor * g.transpose()) if fits else None)
            g = g * net.theta[l].W * D[l - 1] if l else g
        whole = None if None in found else together(found[::-1], theta_1)
        yield whole, net.along(lambda theta: net.loss(net.forward(theta)[1][-1]), theta_1)
        yield row(net, h, v, 0) * theta_1[0].b, net.field.build(1, 1, lambda i, j: net.along(
            lambda theta: net.loss(net.forward(theta)[1][-1]), only(theta_1, 0, "b")))
    return pairs


def transposed(net: Net, h, v, x, own=True, weights=True):
    """Algorithm 20: Ŵ_2, b̂_2 of every layer; ĥ_2^(l) is b̂_2^(l)."""
    D, v_h, found = net.slopes(h), x, []
    for l in reversed(range(len(net.theta))):
        h_h = (D[l].transpose() if own else D[l]) * v_h
        v_h = (net.theta[l].W.transpose() if weights else net.field.zeros(net.theta[l].W.ncols(), h_h.nrows())) * h_h
        found.append(Layer(h_h * v[l].transpose(), h_h))
    return found[::-1]


def transposed_product(**wrong):
    """θ₂ᵀ(J_iᵀx) against the slope of ŷᵀx along θ₂."""
    def pairs(field, n):
        net = draw(field, n)
        h, v = net.forward()
        x, theta_2 = field.vector(net.y.nrows()), net.direction()
        yield together(transposed(net, h, v, x, **wrong), theta_2), net.along(
            lambda theta: dot(net.forward(theta)[1][-1], x), theta_2)
    return pairs


def linear_in_direction(printed):
    """s(θ₂) = θ₂ᵀ(Jᵀx) through the recursion of 5.4.5 for h_2, with W_2 (printed as W_{i,2}) or W in its second term."""
    def pairs(field, n):
        net = draw(field, n)
        h, v = net.forward()
        D, theta_2 = net.slopes(h), net.direction()

        def output(scale):
            v_2 = field.zeros(net.x.nrows(), 1)
            for l, (layer, layer_2) in enumerate(zip(net.theta, theta_2, strict=True)):
                second = scale * layer_2.W if printed else layer.W
                v_2 = D[l] * (scale * layer_2.W * v[l] + second * v_2 + scale * layer_2.b)
            return v_2
        yield output(2), 2 * output(1)
        yield output(1), net.along(lambda theta: net.forward(theta)[1][-1], theta_2)
    return pairs


def two(field, n):
    """A net, and two examples as (h, v)."""
    net = draw(field, n)
    return net, net.forward(), net.forward(x=field.vector(net.x.nrows()))


def inner_products(biases=1, crossed=False):
    """(J_1ᵀx_1)ᵀJ_2ᵀx_2 = Σ_l (v_1ᵀv_2 + 1)(ĥ_1ᵀĥ_2), against the product of the full vectors."""
    def pairs(field, n):
        net, (h, v), (k, w) = two(field, n)
        one = transposed(net, h, v, field.vector(net.y.nrows()))
        other = transposed(net, k, w, field.vector(net.y.nrows()))
        total = field.number(0)
        for l, (a, b) in enumerate(zip(one, other, strict=True)):
            total += (dot(v[l], v[l] if crossed else w[l]) + biases) * dot(a.b, b.b)
        yield total, together(one, other)
    return pairs


def vec_identity(column_first=True):
    """vec(a₁b₁ᵀ)ᵀvec(a₂b₂ᵀ) = (b₁ᵀb₂)(a₁ᵀa₂), through vec(abᵀ) = b ⊗ a."""
    def pairs(field, n):
        size = min(n, 14)
        a, b = field.vector(size), field.vector(size + 1)
        c, d = field.vector(size), field.vector(size + 1)
        yield field.columns(a * b.transpose()), field.kron(b, a) if column_first else field.kron(a, b)
        yield dot(field.columns(a * b.transpose()), field.columns(c * d.transpose())), dot(b, d) * dot(a, c)
    return pairs


def columns_of_H(net, h, v):
    """Ĥ_2^(l): ĥ_2^(l) for x = e_1, …, e_{m_L} in a row, for every l."""
    m_L = net.y.nrows()
    each = [transposed(net, h, v, unit(net.field, m_L, j)) for j in range(m_L)]
    return [net.field.beside(*(found[l].b for found in each)) for l in range(len(net.theta))], each


def block(printed=False, biases=1):
    """Σ_l V (Ĥ_1)ᵀĤ_2 against J_1J_2ᵀ from full vectors; None where the left side, `printed` as J_1ᵀJ_2, has another shape."""
    def pairs(field, n):
        net, (h, v), (k, w) = two(field, n)
        (H, rows), (K, others) = columns_of_H(net, h, v), columns_of_H(net, k, w)
        total = field.zeros(len(rows), len(rows))
        for l in range(len(net.theta)):
            total += (dot(v[l], w[l]) + biases) * (H[l].transpose() * K[l])
        size = sum(layer.W.nrows() * (layer.W.ncols() + 1) for layer in net.theta)
        JJ = field.build(len(rows), len(others), lambda i, j: together(rows[i], others[j]))
        left = (size, size) if printed else (JJ.nrows(), JJ.ncols())
        yield total if left == (total.nrows(), total.ncols()) else None, JJ
    return pairs


def blocks(ones=None, biases=1, order=1):
    """The shortcut: Σ_l (V^(l−1) ⊗ 1) ⊙ (Ĥ^(l))ᵀĤ^(l) for three examples, against all blocks."""
    def pairs(field, n):
        net, first, second = two(field, n)
        examples = [first, second, net.forward(x=field.vector(net.x.nrows()))]
        H, rows = zip(*(columns_of_H(net, h, v) for h, v in examples), strict=True)
        m_L, N = net.y.nrows(), len(examples)
        total = field.zeros(N * m_L, N * m_L)
        for l in range(len(net.theta)):
            V = field.build(N, N, lambda i, j, l=l: dot(examples[i][1][l], examples[j][1][l]) + biases)
            ones_l = field.ones(m_L, m_L) if ones is None else ones(field, m_L)
            all_H = field.beside(*(H[i][l] for i in range(N)))
            spread = field.kron(V, ones_l) if order else field.kron(ones_l, V)
            total += field.hadamard(spread, all_H.transpose() * all_H)
        flat = [row for example in rows for row in example]
        yield total, field.build(N * m_L, N * m_L, lambda i, j: together(flat[i], flat[j]))
    return pairs


STATEMENTS = (
    Statement(
        "R.Sec.5.4.1", "Section 5.4.1",
        Form("v^(0) = x, h^(l) = W^(l)v^(l−1) + b^(l), v^(l) = φ^(l)(h^(l)), ŷ = v^(L)", entry_by_entry()),
        checks=CHECKS,
        mutants=(Form("without b^(l)", entry_by_entry(biased=False)), Form("φ^(l) of the inputs", entry_by_entry(swapped=True))),
        pinned="a definition: sums over units, written out",
    ),
    Statement(
        "R.Sec.5.4.2", "Section 5.4.2, below (5.9)",
        Form("∂f_i/∂b^(l) = ∂f_i/∂b^(l+1) W^(l+1) ∂v^(l)/∂h^(l), ∂f_i/∂W^(l) = ∂f_i/∂b^(l) (v^(l−1))ᵀ",
             gradient(lambda g, v: product(g, v.transpose()))),
        checks=CHECKS,
        repaired=Form("the same with ∂f_i/∂W^(l) = (∂f_i/∂b^(l))ᵀ(v^(l−1))ᵀ", gradient()),
        mutants=(Form("v^(l−1) ∂f_i/∂b^(l)", gradient(lambda g, v: product(v, g))), Form("twice that", gradient(factor=2)),
                 Form("minus that", gradient(factor=-1))),
        errata=(4,),
        note="∂f_i/∂b^(l) is a row; the recursion for it is right as printed.",
    ),
    Statement(
        "R.Sec.5.4.3", "Section 5.4.3",
        Form("J_i = ∂v_i^(L)/∂θ by recursion from ∂v_i^(0)/∂θ = 0", jacobian()),
        checks=CHECKS,
        mutants=(Form("from 1", jacobian(start=1)), Form("rows of W in vec", jacobian(
            lambda field, v, m: field.kron(field.eye(m), v.transpose()))), Form("with −v", jacobian(
                lambda field, v, m: field.kron(-v.transpose(), field.eye(m))))),
        note="(5.10); J_i (m_L, n) is formed here in full and multiplied by a random θ₁.",
    ),
    Statement(
        "R.Sec.5.4.4", "Section 5.4.4",
        Form("J_iθ₁ = v_{i,1}^(L), the directional derivative of ŷ_i along θ₁ = (vec(W_1^(1)), b_1^(1), …)", tangents()),
        checks=CHECKS,
        mutants=(Form("W_1 v_1 as in Algorithm 19", tangents(swapped=True)), Form("without W_1 v", tangents(first=False)),
                 Form("without b_1", tangents(biased=False))),
    ),
    Statement(
        "R.Sec.5.4.5", "Section 5.4.5",
        Form("h_2^(l) = W_2^(l)v^(l−1) + W_{i,2}^(l)v_2^(l−1) + b_2^(l), with s(θ₂) = θ₂ᵀ(J_iᵀx)", linear_in_direction(True)),
        checks=CHECKS,
        repaired=Form("h_2^(l) = W_2^(l)v^(l−1) + W^(l)v_2^(l−1) + b_2^(l)", linear_in_direction(False)),
        mutants=(Form("without h_2's first term", tangents(first=False)), Form("(∂v/∂h)ᵀ", tangents(own=False)),
                 Form("without b_2", tangents(biased=False))),
        errata=(57,),
        note="As printed s is not linear in θ₂. Where W_2 stands for W, the shape is right and the derivative wrong.",
    ),
    Statement(
        "R.Sec.5.4.5/1", "Section 5.4.5",
        Form("ĥ_2^(l) = (∂v^(l)/∂h^(l))ᵀv̂_2^(l), v̂_2^(l−1) = (W^(l))ᵀĥ_2^(l), Ŵ_2^(l) = ĥ_2^(l)(v^(l−1))ᵀ, b̂_2^(l) = ĥ_2^(l): "
             "J_iᵀx", transposed_product()),
        checks=CHECKS,
        mutants=(Form("∂v/∂h without transpose", transposed_product(own=False)),
                 Form("v̂_2^(l−1) = 0", transposed_product(weights=False)),
                 Form("minus that", lambda field, n: ((-a, b) for a, b in transposed_product()(field, n)))),
        note="Needed for l = L, …, 1; the text says 2, Algorithm 20 says 1.",
    ),
    Statement(
        "R.Sec.5.4.6", "Section 5.4.6",
        Form("(J_{i₁}ᵀx₁)ᵀJ_{i₂}ᵀx₂ = Σ_l ((v_{i₁}^(l−1))ᵀv_{i₂}^(l−1) + 1)((ĥ_{i₁,2}^(l))ᵀĥ_{i₂,2}^(l))", inner_products()),
        checks=CHECKS,
        mutants=(Form("without + 1", inner_products(biases=0)), Form("v_{i₁} twice", inner_products(crossed=True)),
                 Form("+ 2", inner_products(biases=2))),
        note="The + 1 is that of the biases. Printed with the indices (1), (2) mixed up in the lines before.",
    ),
    Statement(
        "R.Sec.5.4.6/1", "Section 5.4.6",
        Form("vec(a₁b₁ᵀ)ᵀvec(a₂b₂ᵀ) = (b₁ ⊗ a₁)ᵀ(b₂ ⊗ a₂) = (b₁ᵀb₂)(a₁ᵀa₂)", vec_identity()),
        checks=(over_Q(), mod_p(lambda n: 4, 14)),
        mutants=(Form("vec(abᵀ) = a ⊗ b", vec_identity(column_first=False)),),
        pinned="vec and ⊗ are defined entry by entry; sizes up to 14 × 15 = 210 entries",
    ),
    Statement(
        "R.Sec.5.4.7", "Section 5.4.7",
        Form("J_{i₁}ᵀJ_{i₂} = Σ_l V_{i₁,i₂}^(l−1) (Ĥ_{i₁,2}^(l))ᵀĤ_{i₂,2}^(l)", block(printed=True)),
        checks=CHECKS,
        repaired=Form("J_{i₁}J_{i₂}ᵀ = Σ_l V_{i₁,i₂}^(l−1) (Ĥ_{i₁,2}^(l))ᵀĤ_{i₂,2}^(l)", block()),
        mutants=(Form("V without + 1", block(biases=0)), Form("V + 2", block(biases=2)),
                 Form("twice", lambda field, n: ((2 * a, b) for a, b in block()(field, n)))),
        errata=(58,),
        note="J_{i₁}ᵀJ_{i₂} is n × n; the sum is m_L × m_L, as the lines around it and Algorithm 22 have it.",
    ),
    Statement(
        "R.Sec.5.4.7/1", "Section 5.4.7, the shortcut",
        Form("(J_{i₁}J_{i₂}ᵀ)_{i₁,i₂} = Σ_l (V^(l−1) ⊗ 1_{m_L×m_L}) ⊙ ((Ĥ_2^(l))ᵀĤ_2^(l))", blocks()),
        checks=CHECKS,
        mutants=(Form("1 ⊗ V", blocks(order=0)), Form("I for the matrix of ones", blocks(ones=lambda field, m: field.eye(m))),
                 Form("V without + 1", blocks(biases=0))),
        note="Printed for N examples; Algorithm 22 has |S|. What it costs: R.Tab.5.7/5.",
    ),
)
