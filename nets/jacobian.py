"""Products with the Jacobians J_i = ∂ŷ_i/∂θ of all examples at once, without forming them: R Algorithms 19 to 22.

Symbols  q = N·C rows, C of them an example and next to each other: row (n, c) is x_ncᵀ J_n for one of C vectors x_nc (m,).
         W̄ = (W, b) of a layer, (d_out, d_in + 1), the kernel of a convolution flattened; ĥ (`h_h`) as in Section 5.4.5.
Paper    R Sections 5.3.3 and 5.4.4 to 5.4.7, written for multilayer perceptrons. A convolution is the same at every position t: its
         part of a row is Σ_t ĥ_t ā_tᵀ. A BatchNorm couples the examples, so that no example has a Jacobian of its own: refused.

`nets.single` has the printed algorithms, one example at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..arrays import map_arrays, namespace
from ..arrays.checks import check_rows
from ..arrays.errors import expect
from .model import Layer, Model, check_params, expect_uncoupled, tensors
from .passes import Tape, _back, check_tape
from .records import TRAINABLE, Residual
from .rules import RULES

Array = Any


class Jacobian(NamedTuple):
    """q rows x_ncᵀ J_n, kept as what the partial mode of Algorithm 20 gives: h_h[l] (q, P, d_out), and a[l] (N, P, d_in + 1)."""

    h_h: tuple[Array, ...]
    a: tuple[Array, ...]


def restricted(tape: Tape, rows: Array) -> Tape:
    """The tape of the examples `rows` (N₂,) alone, integers from 0: S₂ ⊆ S₁ (R Algorithm 23, line 3).

    Raises   ValueError for no example, or one that is not there.
    """
    check_rows(rows, tape.output.shape[0])
    return Tape(*(map_arrays(lambda x: x[rows], field) for field in tape))


def jacobian_product(model: Model, params: Any, tape: Tape, theta_1: Any) -> Array:
    """J_n θ₁ of every example (R Algorithm 19): the derivative of the output (N, m) in the direction θ₁.

    Takes    tape: what `forward` returned for the same params; theta_1 like params.
    Raises   ValueError where theta_1 has other shapes, tape or params are of another model, or it has a BatchNorm; TypeError for
             mixed arithmetics.
    """
    expect_uncoupled(model, "jacobian_product")
    check_tape(model, params, tape)
    check_params(model, theta_1)
    namespace(tape.output, *tensors(params), *tensors(theta_1))
    return _through(model.layers, None, tape.kept, zip(params, theta_1, tape.a, strict=True))      # R§5.4.4


def _through(records: Any, z_1: Array | None, kept: Any, layers: Iterator[Any]) -> Array | None:
    """z_1 after all records; None as long as no parameters have been met."""
    for record, keeps in zip(records, kept, strict=True):
        if isinstance(record, Residual):
            branches = [_through(part, z_1, kept_there, layers) for part, kept_there in zip(record, keeps, strict=True)]
            met = [branch for branch in branches if branch is not None]
            z_1 = sum(met[1:], met[0]) if met else None
        elif isinstance(record, TRAINABLE):
            layer, layer_1, a = next(layers)
            z_1 = RULES[type(record)].tangent(record, z_1, layer, layer_1, a, keeps)
        elif z_1 is not None:
            z_1 = RULES[type(record)].tangent(record, z_1, None, None, None, keeps)
    return z_1


def jacobian(model: Model, params: Any, tape: Tape, x: Array | None = None) -> Jacobian:
    """The rows x_ncᵀ J_n, factored: Algorithm 20 in its partial mode, for x (N, C, m); all of J where x is None, x_nc = e_c.

    Takes    tape: what `forward` returned for the same params.
    Raises   ValueError where x has another shape or is not finite, tape or params are of another model, or it has a BatchNorm;
             TypeError for mixed arithmetics.
    """
    expect_uncoupled(model, "jacobian")
    check_tape(model, params, tape)
    N, m = tape.output.shape
    xp = namespace(tape.output, *tensors(params))
    if x is None:
        x = xp.concat([xp.eye(m)[None]] * N)                                          # R§5.4.7
    else:
        _check_of_outputs("x", x, tape, 3)
    layers = reversed(list(enumerate(zip(params, tape.a, tape.h, strict=True))))
    _, h_h = _back(model.layers, xp.reshape(x, (-1, m)), tape.kept, layers, False)    # R§5.4.5
    return Jacobian(tuple(reversed(h_h)), tape.a)


def _check_of_outputs(name: str, x: Array, tape: Tape, ndim: int) -> None:
    """Raise ValueError unless x (N, m), or (N, C, m) for ndim = 3, fits the outputs and is finite; TypeError if mixed."""
    xp, (N, m) = namespace(tape.output, x), tape.output.shape
    expect(x.ndim == ndim and x.shape[0] == N and x.shape[-1] == m, name, f"shape ({N}, {'C, ' * (ndim - 2)}{m})",
           "it multiplies outputs", tuple(x.shape))
    expect(xp.all_finite(x), name, "finite numbers", "nan and inf spread to every parameter", "nan or inf")


def products(J: Jacobian, X: Any) -> tuple[Array, ...]:
    """Every layer's part of Jθ₁ (q,), whose sum over layers is Jθ₁, for θ₁ given as X: by layer, like W̄ (d_out, d_in + 1).

    Raises   ValueError for another number of layers or other shapes; TypeError for mixed arithmetics.
    """
    _check_by_layer("X", X, J, [(h_h.shape[-1], a.shape[-1]) for h_h, a in zip(J.h_h, J.a, strict=True)])
    return tuple(_product(*of_layer) for of_layer in zip(J.h_h, J.a, X, strict=True))


def _product(h_h: Array, a: Array, X: Array) -> Array:
    xp = namespace(h_h, a, X)
    h_1 = xp.reshape(xp.reshape(a, (-1, a.shape[-1])) @ X.T, (a.shape[0], 1, -1))
    return xp.reshape(xp.sum(xp.reshape(h_h, (a.shape[0], -1, h_1.shape[-1])) * h_1, axis=-1), (-1,))    # R§5.4.6


def transposed_products(J: Jacobian, d: Any) -> tuple[Array, ...]:
    """J_lᵀd_l by layer, like W̄ (d_out, d_in + 1), for d_l (q,) by layer: Algorithm 21, the sum over examples included.

    Raises   ValueError for another number of layers or other shapes; TypeError for mixed arithmetics.
    """
    _check_by_layer("d", d, J, [(h_h.shape[0],) for h_h in J.h_h])
    return tuple(_transposed_product(*of_layer) for of_layer in zip(J.h_h, J.a, d, strict=True))


def _transposed_product(h_h: Array, a: Array, d: Array) -> Array:
    xp = namespace(h_h, a, d)
    weighted = xp.reshape(d, (a.shape[0], -1, 1)) * xp.reshape(h_h, (a.shape[0], -1, h_h.shape[1] * h_h.shape[2]))
    summed = xp.reshape(xp.sum(weighted, axis=1), (-1, h_h.shape[-1]))
    return summed.T @ xp.reshape(a, (-1, a.shape[-1]))                                # R§5.4.5


def _check_by_layer(name: str, given: Any, J: Jacobian, shapes: list[tuple[int, ...]]) -> None:
    """Raise ValueError unless `given` has one array of its shape a layer; TypeError for what is no such tuple or list."""
    expect(isinstance(given, tuple | list), name, "a tuple or list of arrays", "every layer has one",
           lambda: type(given).__name__, TypeError)
    expect(len(given) == len(shapes), name, f"{len(shapes)} arrays", "every layer has one", len(given))
    namespace(*J.h_h, *given)
    for l, (x, shape) in enumerate(zip(given, shapes, strict=True)):
        expect(tuple(x.shape) == shape, f"{name}[{l}]", f"shape {shape}", "the Jacobian of its layer multiplies it", tuple(x.shape))


def grams(J: Jacobian) -> tuple[Array, ...]:
    """Every layer's part B_l (q, q) of JJᵀ, which is their sum (R Algorithm 22, lines 9 to 18); rows of one example together."""
    return tuple(map(_gram, J.h_h, J.a))


def _gram(h_h: Array, a: Array) -> Array:
    xp = namespace(h_h, a)
    if a.shape[1] > 1:                                # positions: ā_t and ĥ_t are summed over together, so that nothing factors
        rows = _rows(h_h, a)
        return rows @ rows.T
    v, H_h = a[:, 0], h_h[:, 0]
    N, q = v.shape[0], H_h.shape[0]
    blocks = (v @ v.T)[:, None, :, None] * xp.reshape(H_h @ H_h.T, (N, q // N, N, q // N))         # R§5.4.7
    return xp.reshape(blocks, (q, q))


def squared_rows(h_h: Array, a: Array) -> Array:
    """Σ over the rows of the squares of one layer's entries, like W̄, for h_h (q, P, d_out), a (N, P, d_in + 1)."""
    xp = namespace(h_h, a)
    if a.shape[1] > 1:
        return xp.reshape(xp.sum(_rows(h_h, a) ** 2, axis=0), (h_h.shape[-1], a.shape[-1]))
    by_example = xp.sum(xp.reshape(h_h[:, 0] ** 2, (a.shape[0], -1, h_h.shape[-1])), axis=1)
    return by_example.T @ a[:, 0] ** 2


def entries(J: Jacobian) -> Array:
    """The rows (q, n) themselves, for small nets; columns in the order of θ, vec(W^(1)), b^(1), … (R Section 5.2.1)."""
    xp = namespace(*J.a)
    by_layer = []
    for h_h, a in zip(J.h_h, J.a, strict=True):
        rows = xp.reshape(_rows(h_h, a), (h_h.shape[0], h_h.shape[-1], a.shape[-1]))
        by_layer.append(xp.reshape(xp.permute_dims(rows, (0, 2, 1)), (h_h.shape[0], -1)))          # R§5.4.3
    return xp.concat(by_layer, axis=1)


def _rows(h_h: Array, a: Array) -> Array:
    """Σ_t ĥ_t ā_tᵀ of every row: (q, d_out·(d_in + 1)), the inputs fastest."""
    xp = namespace(h_h, a)
    N, P, d_out = a.shape[0], a.shape[1], h_h.shape[2]
    by_example = xp.reshape(xp.permute_dims(xp.reshape(h_h, (N, -1, P, d_out)), (0, 1, 3, 2)), (N, -1, P))
    return xp.reshape(by_example @ a, (h_h.shape[0], -1))


def transposed_product(model: Model, params: Any, tape: Tape, V: Array) -> tuple[Layer, ...]:
    """JᵀV = Σ_n J_nᵀ V_n, like params, for V (N, m), by one backpropagation (R Algorithm 21).

    Raises   ValueError where V has another shape or is not finite, or the model has a BatchNorm; TypeError for mixed arithmetics.
    """
    _check_of_outputs("V", V, tape, 2)
    J = jacobian(model, params, tape, V[:, None, :])
    summed = transposed_products(J, [namespace(V).ones(V.shape[0])] * len(params))
    return tuple(Layer(namespace(V).reshape(W_b[:, :-1], layer.W.shape), W_b[:, -1])
                 for W_b, layer in zip(summed, params, strict=True))
