"""The tensor-normal distribution, its moments, and the covariance parameters that R identifies from them; tensors by mode.

Paper    R Definition 1, (4.2), (4.10), Sections 4.3.3, 4.7.2 (convolution weights as tensors of order 3), 4.8 (other shapes).
Symbols  G, M (d_1, …, d_k) a tensor and its mean; U_i (d_i, d_i) covariance of mode i, counted from 1; G⁽ⁱ⁾ = mat_i(G) mat_i(G)ᵀ;
         Ũ_i (`U_t`), all with the mean eigenvalue c_0.
Departs  DEV-TNT-4: Ũ_i = 0 where the statistics are 0. DEV-TNT-6: the order of a convolution's modes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from numbers import Integral
from typing import Any, NamedTuple

from ... import nets
from ...arrays import namespace
from ...arrays.checks import check_number, checked
from ...arrays.errors import expect, sequence, shape_of
from .kronecker import each, over_data
from .tensors import contraction, mode_products

Array = Any
Factors = tuple[tuple[Array, ...], ...]
"""By tensor, then by mode: one (d_i, d_i) matrix each."""

VIEWS = ("3-way", "4-way", "matrix", "vector")


class Identified(NamedTuple):
    """Ũ_1, …, Ũ_k, each (d_i, d_i), with tr(Ũ_i)/d_i = c_0 for all i."""

    U_t: tuple[Array, ...]
    c_0: Any


# ------------------------------------------------------------------------------------------------------------ the distribution

def log_density(G: Array, M: Array, U: Iterable[Array]) -> Any:
    """log of the density at G: vec(G) ~ Normal(vec(M), U_1 ⊗ ⋯ ⊗ U_k) (R Definition 1).

    Takes    G, M (d_1, …, d_k); U: k symmetric positive definite matrices (d_i, d_i).
    Ensures  −½ (n log 2π + log det(⊗U_i) + vec(G − M)ᵀ (⊗U_i)⁻¹ vec(G − M)), n = d_1⋯d_k, without the n × n matrix.
    Raises   ArithmeticError where a U_i is not positive definite; ValueError where one is not symmetric, or shapes do not fit.
    """
    U = _checked(U, G, M)
    xp, n = namespace(G, M, *U), prod(G.shape)
    roots = [xp.cholesky(U_i) for U_i in U]
    log_det = sum(2 * (n // C.shape[0]) * xp.sum(xp.log(_diagonal(C))) for C in roots)
    white = mode_products(G - M, [xp.inv(C) for C in roots])
    return -(n * xp.log(xp.const(2 * xp.pi)) + log_det + xp.sum(white**2)) / 2                # R§4.2


def sample(M: Array, U: Iterable[Array], Z: Array) -> Array:
    """M + Z ×_1 C_1 ⋯ ×_k C_k with C_i C_iᵀ = U_i: a draw of the distribution (R Definition 1) for a Z of standard normal draws.

    Takes    M, Z (d_1, …, d_k); U: k symmetric positive definite matrices (d_i, d_i).
    Raises   ArithmeticError where a U_i is not positive definite; ValueError where one is not symmetric, or shapes do not fit.
    """
    U = _checked(U, M, Z)
    return M + mode_products(Z, [namespace(M, Z, *U).cholesky(U_i) for U_i in U])            # R§4.2


def _prepare(given: dict[str, Any]) -> dict[str, Any]:
    (name, matrices), *rest = given.items()
    matrices = tuple(matrices)
    expect(matrices, name, "at least one matrix", "a tensor has at least one mode", "none")
    xp = namespace(*matrices)
    for i, A in enumerate(matrices, start=1):
        expect(A.ndim == 2 and A.shape[0] == A.shape[1] > 0, f"{name}_{i}", "a square matrix", "it is a mode's covariance",
               f"shape {tuple(A.shape)}")
        expect(xp.all_finite(A), f"{name}_{i}", "finite numbers", "nan and inf would spread", "nan or inf")
    for other, i in rest:
        expect(isinstance(i, int) and 1 <= i <= len(matrices), other, f"a mode from 1 to {len(matrices)}",
               "modes are counted from 1, as in the text", i)
    return {name: matrices, **dict(rest)}


@checked(_prepare)
def moments(U: Iterable[Array]) -> tuple[Array, ...]:
    """E[G⁽ⁱ⁾] = U_i ∏_{j≠i} tr(U_j) for all i, where M = 0 (R (4.2); ERR-48).

    Takes    U: k matrices (d_i, d_i), one after the other.
    """
    traces = [trace(U_i) for U_i in U]
    return tuple(U_i * prod(traces[:i] + traces[i + 1:], start=1) for i, U_i in enumerate(U))  # R(4.2)


def _prepare_statistics(given: dict[str, Any]) -> dict[str, Any]:
    """`_prepare`, and symmetric matrices with traces that are not negative."""
    given = _prepare(given)
    xp = namespace(*given["E"])
    for j, E_j in enumerate(given["E"], start=1):
        expect(xp.symmetric(E_j), f"E_{j}", "a symmetric matrix", "it is the mean of mat_i(G) mat_i(G)ᵀ", "an asymmetric one")
        expect(trace(E_j) >= 0, f"E_{j}", "a trace >= 0", "it is the mean of ‖G‖²", lambda E_j=E_j: trace(E_j))
    return given


@checked(_prepare_statistics)
def identify(E: Sequence[Array], i: int = 1) -> Identified:
    """Ũ_1, …, Ũ_k and c_0 from E[G⁽¹⁾], …, E[G⁽ᵏ⁾] (R (4.10)); zeros from zeros (DEV-TNT-4).

    Takes    E: k symmetric positive semidefinite matrices (d_i, d_i), all of one trace, which is E‖G‖²; i: the mode whose trace
             is taken, since rounding makes them differ.
    Ensures  moments(Ũ) = E where the traces are one number, and tr(Ũ_i)/d_i = c_0 for that i; for k = 1, Ũ_1 = E[G⁽¹⁾].
    Raises   ArithmeticError where the trace is too large a number; ValueError for an asymmetric E[G⁽ⁱ⁾], or a negative trace.
    """
    xp, k, n, total = namespace(*E), len(E), prod(E_j.shape[0] for E_j in E), trace(E[i - 1])
    mean = total / n
    if not mean > 0:
        return Identified(tuple(0 * E_j for E_j in E), 0 * total)                               # DEV-TNT-4
    expect(xp.all_finite(mean), "E", "statistics with a finite trace", "it gives every Ũ_i its size", mean, ArithmeticError)
    c_0 = xp.root(mean, k)                                                                      # R(4.10)
    U_t = tuple(E_j / (c_0 ** (k - 1) * (n // E_j.shape[0])) for E_j in E)                      # R(4.10)
    return Identified(U_t, c_0)


def trace(A: Array) -> Any:
    """tr(A) for A (d, d)."""
    return namespace(A).sum(_diagonal(A))


def _diagonal(A: Array) -> Array:
    return namespace(A).sum(A * namespace(A).eye(A.shape[0]), axis=0)


def _checked(U: Iterable[Array], *tensors: Array) -> tuple[Array, ...]:
    U = tuple(U)
    xp = namespace(*tensors, *U)
    for array in (*tensors, *U):
        expect(xp.all_finite(array), "G, M, U", "finite numbers", "nan and inf would spread", "nan or inf")
    for tensor in tensors:
        expect(tensor.shape == tensors[0].shape, "M", f"shape {tuple(tensors[0].shape)}", "draw and mean are of one shape",
               tuple(tensor.shape))
    expect([tuple(U_i.shape) for U_i in U] == [(d, d) for d in tensors[0].shape], "U",
           f"square matrices of sizes {tuple(tensors[0].shape)}", "every mode has its covariance",
           [tuple(U_i.shape) for U_i in U])
    expect(all(xp.symmetric(U_i) for U_i in U), "U", "symmetric matrices", "they are covariances", "an asymmetric one")
    return U


# ------------------------------------------------------------------------------------------------- a model's tensors, by mode

def as_modes(A: Array, view: str, lead: int = 0) -> Array:
    """A parameter tensor (or its gradient) as the tensor whose modes are preconditioned, after `lead` axes that stay.

    Takes    A (…, d_1, …, d_k), a parameter's shape behind `lead` axes. "3-way": a kernel (out, in, kh, kw) becomes
             (kh·kw, in, out), with the size of the filter, the inputs and the outputs as modes (R Section 4.7.2); "4-way": it
             stays; "matrix": it becomes (out, in·kh·kw); "vector": every tensor becomes (n,) (R Section 4.8). Others stay as
             they are.
    Raises   ValueError for another view, or a number of axes that no parameter has.
    """
    check_view(view)
    order = len(shape_of(A, "A", "its axes are modes"))
    expect(isinstance(lead, int) and 0 <= lead < order and order - lead <= 4, "lead", "one to four axes behind it",
           "parameters have as many", f"{lead!r} of {order}")
    xp, head, shape = namespace(A), tuple(A.shape[:lead]), tuple(A.shape[lead:])
    modes = _modes(shape, view)
    if view == "vector" or (view == "matrix" and modes != shape):
        return xp.reshape(A, (*head, *modes))                                                   # R§4.8
    if modes == shape:
        return A
    axes = (*range(lead), *(lead + axis for axis in (2, 3, 1, 0)))
    return xp.reshape(xp.permute_dims(A, axes), (*head, *modes))                                # R§4.7.2  DEV-TNT-6


def _modes(shape: tuple[int, ...], view: str) -> tuple[int, ...]:
    """(d_1, …, d_k) of a parameter of this shape in this view."""
    if view == "vector":
        return (prod(shape),)
    if len(shape) < 4 or view == "4-way":
        return shape
    out, d_in, kh, kw = shape
    return (out, d_in * kh * kw) if view == "matrix" else (kh * kw, d_in, out)


def from_modes(A: Array, shape: tuple[int, ...], view: str) -> Array:
    """The inverse of `as_modes`, for a parameter of this shape.

    Takes    A (d_1, …, d_k): what `as_modes` made of it.
    Raises   ValueError for another view, a shape that no parameter has, or an A of another one than `as_modes` gives.
    """
    check_view(view)
    what, why = "one to four positive integers", "a parameter has as many axes"
    shape = sequence(shape, "shape", what, why)
    expect(1 <= len(shape) <= 4 and all(isinstance(d, Integral) and d >= 1 for d in shape), "shape", what, why, shape)
    modes, why = _modes(shape, view), f"a parameter of shape {shape} has these modes"
    found = shape_of(A, "A", why)
    expect(found == modes, "A", f"shape {modes}", why, found)
    xp = namespace(A)
    if len(shape) < 4 or view != "3-way":
        return xp.reshape(A, shape)
    out, d_in, kh, kw = shape
    return xp.permute_dims(xp.reshape(A, (kh, kw, d_in, out)), (3, 2, 0, 1))                    # R§4.7.2  DEV-TNT-6


def contractions(G: Iterable[Array], view: str) -> Factors:
    """G_l⁽¹⁾, …, G_l⁽ᵏ⁾ of every tensor.

    Takes    G: gradients in the shapes of the parameters.
    """
    seen = [as_modes(G_l, view) for G_l in G]
    return tuple(tuple(contraction(A, i) for i in range(1, A.ndim + 1)) for A in seen)


def preconditioned(G: Iterable[Array], U_inv: Factors, view: str) -> tuple[Array, ...]:
    """G_l ×_1 U_inv_1 ⋯ ×_k U_inv_k of every tensor (R (4.8)).

    Takes    G: gradients in the shapes of the parameters; U_inv: their factors.
    """
    return each(lambda G_l, U: from_modes(mode_products(as_modes(G_l, view), U), tuple(G_l.shape), view), G, U_inv)   # R(4.8)


def by_mode(function: Callable[..., Array], *factors: Factors) -> Factors:
    """`function` of the first modes of the first tensor, of the second, …, of all: Factors from Factors."""
    return each(lambda *of_tensor: each(function, *of_tensor), *factors)


def factors_over_data(data: Any, statistic: Callable[[nets.Batch], Factors]) -> Factors:
    """The mean of Factors over a Batch or an iterable of Batches, weighted by their size: a warm start."""
    orders: list[int] = []

    def flat(batch: nets.Batch) -> tuple[Array, ...]:
        found = statistic(batch)
        orders[:] = [len(of_tensor) for of_tensor in found]
        return tuple(E for of_tensor in found for E in of_tensor)

    means = iter(over_data(data, flat))
    return tuple(tuple(next(means) for _ in range(order)) for order in orders)


def check_factors(hyper: Any) -> None:
    """Raise ValueError for a hyper-parameter out of its range, of those that TNT and Shampoo share."""
    check_number("eps", hyper.eps, lambda eps: eps > 0, "a positive number", "it makes every factor invertible")
    check_number("mu", hyper.mu, lambda mu: 0 <= mu < 1, "a number in [0, 1)", "momentum must fade")
    check_number("beta", hyper.beta, lambda beta: 0 <= beta < 1, "a number in [0, 1)", "averages must forget")
    expect(isinstance(hyper.T_1, int) and hyper.T_1 >= 1, "T_1", "a positive integer", "it counts steps", hyper.T_1)
    expect(isinstance(hyper.T_2, int) and hyper.T_2 >= hyper.T_1, "T_2", f"an integer >= T_1 = {hyper.T_1}",
           "between two statistics there is nothing new to invert (DEV-TNT-5)", hyper.T_2)
    check_view(hyper.view)


def check_view(view: str) -> None:
    """Raise ValueError unless it is one of `VIEWS`."""
    expect(view in VIEWS, "view", f"one of {', '.join(VIEWS)}", "a tensor's modes are taken from it", repr(view))
