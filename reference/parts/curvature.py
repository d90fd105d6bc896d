"""Curvature of a mean loss over examples: Hessian, Gauss-Newton and Fisher matrices for small nets, and products with the last two.

Paper    R Sections 1.2.2 and 5.2.2. The text's F_t (5.3) has the data's own targets: the *empirical* Fisher matrix (ERR-13).
Symbols  J_n = ∂ŷ_n/∂θ (m, n); H_n = ∂²loss/∂ŷ² = C_n C_nᵀ; ∇f_n = J_nᵀ ∂loss/∂ŷ_n, one an example: never the square of a mean.
         Every B here is (1/N) JᵀJ of stacked rows x_ncᵀ J_n: the columns x of C_n for Gauss-Newton, ∂loss/∂ŷ_n for Fisher.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, NamedTuple

from ... import nets
from ...arrays import namespace
from ...arrays.errors import expect
from ...nets.jacobian import (
    Jacobian,
    entries,
    jacobian,
    jacobian_product,
    products,
    restricted,
    squared_rows,
    transposed_product,
    transposed_products,
)
from ...nets.losses import targets

Array = Any

KINDS = ("gauss_newton", "empirical_fisher", "sampled_fisher")
"""What B_t is made of: H_n, the data's own targets (R (5.3)), or targets that the model draws (R (1.7))."""


class Examples(NamedTuple):
    """The examples S₂ that a curvature is taken from: their tape, targets (N₂, m), and drawn targets or None."""

    tape: nets.Tape
    y: Array
    y_sampled: Array | None


def examples(model: nets.Model, params: Any, tape: nets.Tape, batch: nets.Batch) -> Examples:
    """S₂ as `batch.curvature` names it: rows of the batch, another Batch, or, where it is None, the batch itself.

    Takes    tape: of the batch.
    Raises   ValueError for rows that are not there, or none.
    """
    S_2 = batch.curvature
    if isinstance(S_2, nets.Batch):
        return examples(model, params, nets.forward(model, params, S_2.x), S_2._replace(curvature=None))
    y = targets(model.loss, tape.output, batch.y)
    y_sampled = None if batch.y_sampled is None else targets(model.loss, tape.output, batch.y_sampled)
    if S_2 is None:
        return Examples(tape, y, y_sampled)
    return Examples(restricted(tape, S_2), y[S_2], None if y_sampled is None else y_sampled[S_2])


def directions(model: nets.Model, S_2: Examples, kind: str) -> Array:
    """The vectors x (N₂, C, m) of which (1/N₂) Σ_nc J_nᵀ x_nc x_ncᵀ J_n is the matrix of this kind.

    Raises   ValueError for another kind, or no drawn targets where they are needed.
    """
    output = S_2.tape.output
    if kind == "gauss_newton":
        return namespace(output).permute_dims(nets.output_factor(model, output), (0, 2, 1))       # R(5.2)
    expect(kind in KINDS, "B", f"one of {', '.join(KINDS)}", "the text has these", repr(kind))
    y = S_2.y
    if kind == "sampled_fisher":
        expect(S_2.y_sampled is not None, "y_sampled", "targets drawn by nets.sample_targets", "B is their Fisher matrix", "None")
        y = S_2.y_sampled
    return nets.output_gradient(model, output, y)[:, None, :]                                     # R(5.3)


def rows(model: nets.Model, params: Any, S_2: Examples, kind: str) -> Jacobian:
    """The stacked rows of which B = (1/N₂) JᵀJ is the matrix of this kind."""
    return jacobian(model, params, S_2.tape, directions(model, S_2, kind))


def squared_gradients(model: nets.Model, params: Any, S_2: Examples) -> tuple[Array, ...]:
    """Σ_n ∇f_n ⊙ ∇f_n, by layer, like W̄ (d_out, d_in + 1): N₂ times the diagonal of the empirical Fisher matrix."""
    J = rows(model, params, S_2, "empirical_fisher")
    return tuple(squared_rows(h_h, a) for h_h, a in zip(J.h_h, J.a, strict=True))


def fisher_product(J: Jacobian, X: Any) -> tuple[Array, ...]:
    """(1/N) JᵀJ X by layer, like W̄ (d_out, d_in + 1) as X is, for the rows of any kind; nothing is formed."""
    N = J.a[0].shape[0]
    parts = products(J, X)
    JX = sum(parts[1:], parts[0])
    return tuple(Y / N for Y in transposed_products(J, [JX] * len(parts)))


def ggn_product(model: nets.Model, params: Any, tape: nets.Tape, theta_1: Any) -> tuple[nets.Layer, ...]:
    """(1/N) Σ_n J_nᵀ H_n J_n θ₁, like params, by R Algorithms 19 and 21.

    Takes    theta_1 like params; tape: of the examples.
    """
    xp = namespace(tape.output)
    J_theta_1 = jacobian_product(model, params, tape, theta_1)
    HJ_theta_1 = xp.sum(nets.output_hessian(model, tape.output) * J_theta_1[:, None, :], axis=-1)
    return transposed_product(model, params, tape, HJ_theta_1 / tape.output.shape[0])             # R(5.2)


def hessian(model: nets.Model, params: Any, x: Array, y: Array) -> Array:
    """The Hessian (n, n) of the mean loss over x (N, *input_shape), y: targets as in `nets.Batch` (R 1.2.2), in the order of `ggn`.

    Unlike the matrices below it may be indefinite: with (1/N) Σ_n Σ_j [∂loss/∂ŷ_n]_j ∂²[ŷ_n]_j/∂θ² it has the second term of (1.4).
    """
    ones = nets.layers([namespace(tensor).ones(tensor.shape) for tensor in nets.tensors(params)], params)
    H = nets.taylor.summary(model, params, nets.Batch(x, y), ones, nets.taylor.discrete(params), 2)
    order = _columns_first(params)
    return namespace(H).take(namespace(H).take(H, order, 0), order, 1)                            # R(1.4)


def _columns_first(params: Any) -> list[int]:
    """Where each entry of θ, whose matrices go column by column, stands when they go row by row."""
    order: list[int] = []
    for tensor in nets.tensors(params):
        d_out, d_in = tensor.shape[0], prod(tensor.shape[1:])
        start = len(order)
        order += [start + i * d_in + j for j in range(d_in) for i in range(d_out)]
    return order


def ggn(model: nets.Model, params: Any, x: Array) -> Array:
    """The generalized Gauss-Newton matrix (n, n) of the mean loss over x (N, *input_shape) (R 1.2.2), in the order of θ:
    vec(W^(1)) column by column, b^(1), …, where a convolution's W is the matrix (out, in·kh·kw).
    """
    return _matrix(model, params, Examples(nets.forward(model, params, x), None, None), "gauss_newton")                   # R(5.2)


def empirical_fisher(model: nets.Model, params: Any, x: Array, y: Array) -> Array:
    """(1/N) Σ_n ∇f_n ∇f_nᵀ (n, n) at the data's own targets, for x (N, *input_shape), y: targets as in `nets.Batch`."""
    return _matrix(model, params, Examples(nets.forward(model, params, x), y, None), "empirical_fisher")                  # R(5.3)


def sampled_fisher(model: nets.Model, params: Any, x: Array, y: Array) -> Array:
    """The same at targets that the model has drawn: an unbiased estimate of `fisher`, for x (N, *input_shape), y as in
    `nets.Batch`."""
    return _matrix(model, params, Examples(nets.forward(model, params, x), None, y), "sampled_fisher")


def _matrix(model: nets.Model, params: Any, S_2: Examples, kind: str) -> Array:
    E = entries(rows(model, params, S_2, kind))
    return E.T @ E / S_2.tape.output.shape[0]


def fisher(model: nets.Model, params: Any, x: Array) -> Array:
    """The Fisher matrix (n, n) of R (1.7) with the examples x (N, *input_shape): the expectation over the model's own targets.

    By enumeration of all targets, 2ᵐ of them for "bce"; for "mse", whose targets are normal, E[rrᵀ] = I gives `ggn`.
    """
    if model.loss == "mse":
        return ggn(model, params, x)
    tape = nets.forward(model, params, x)
    N, m = tape.output.shape
    xp = namespace(tape.output)
    p = nets.predictive(model, tape.output).p
    outcomes = xp.eye(m) if model.loss == "softmax_ce" else xp.asarray(list(product((0, 1), repeat=m)))
    total: Any = 0
    for y in outcomes:
        likely = xp.sum(p * y, axis=-1)
        if model.loss == "bce":
            likely = xp.ones(N)
            for j in range(m):
                likely = likely * (p[:, j] * y[j] + (1 - p[:, j]) * (1 - y[j]))
        J = jacobian(model, params, tape, nets.output_gradient(model, tape.output, xp.ones((N, 1)) * y)[:, None, :])
        E = entries(J)
        total = total + E.T @ (likely[:, None] * E) / N                                           # R(1.7)
    return total
