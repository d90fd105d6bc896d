"""The anisotropic cubic problem: how far to go along each subset when the model of the loss holds nearby only.

Paper    W (2), Method 4.1, Appendix D, (3) to (6).
Symbols  T(η) = −ḡᵀη + ½ ηᵀH̄η + (λ/6) ‖Dη‖³ with D = Diag(d), d ≥ 0, and λ = λ_int ≥ 0; g (S,), H (S, S), d (S,), eta (S,);
         r = ‖Dη‖; M(r) = H̄ + (λ/2) r D²;
         K = D⁻¹H̄D⁻¹, its eigenvalues w ascending, σ = (λ/2) r its shift, σ₀ = max(0, −w₁), τ = σ − σ₀; c = D⁻¹ḡ, γ = Vᵀc.
Departs  ERR-27: where ḡ has no part along the lowest eigenvectors, (6) may have no solution (the hard case); r = 2σ₀/λ and a part
         along them, which no equation gives, complete it. DEV-CUBIC-1: coordinates with d_s = 0 (or all, where λ = 0) are
         eliminated by their own rows of (2). DEV-CUBIC-2: where T has several minima, the one that is positive in the coordinate
         of Dη in which they differ most. DEV-CUBIC-3: where a row of H̄, its d_s and its ḡ_s are 0 (u_s = 0), any η_s will do,
         and it is 0.

Every solution comes with its certificate, and what has none raises an error by name. `solution` is Method 4.1's; it is the global
minimiser of T wherever T has one, except where λ = 0 or d has zeros and H̄ is indefinite there: T has no minimum then, and
`minimiser` says so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...arrays import is_array, namespace
from ...arrays.checks import check_number, check_vectors, checked
from ...arrays.errors import expect
from .brackets import MOST, Unproved, crossing, norm, roundoff

Array = Any


class NoSolution(ArithmeticError):
    """No solution of (2) is given: a coordinate without curvature and without cubic term has a slope, so that there is none, or
    H̄ is singular, perhaps but for rounding, on the coordinates that DEV-CUBIC-1 eliminates, where there may be one."""


class Unbounded(ArithmeticError):
    """T falls without bound: H̄ is not positive semidefinite where the cubic term is absent."""


class Solution(NamedTuple):
    """A solution of (2) with what proves it.

    eta        (S,).
    r          ‖Dη‖, the radius.
    residual   M(r) η − ḡ (S,): 0 up to rounding.
    lowest     the smallest eigenvalue of K + σI, >= 0 up to rounding: with a residual of 0 it makes η a global minimiser of T over
               the coordinates with λ d_s > 0; None where there are none.
    hard       is this the hard case, in which r is 2σ₀/λ and (6) has no root?
    """

    eta: Array
    r: Any
    residual: Array
    lowest: Any
    hard: bool


def _prepare(given: dict[str, Any]) -> dict[str, Any]:
    """Checks what there is of a problem, ḡ, H̄, d and λ, and of a point, η and r; λ is brought into the arithmetic of the arrays."""
    H, d = given["H"], given["d"]
    xp = namespace(*(value for name, value in given.items() if name != "lam"))
    check_vectors(**{name: given[name] for name in ("g", "d", "eta") if name in given})
    S = d.shape[0]
    expect(tuple(H.shape) == (S, S), "H", f"shape {(S, S)}", "it acts on vectors like d", tuple(H.shape))
    expect(xp.all_finite(H), "H", "finite numbers", "nan and inf would spread", "nan or inf")
    expect(xp.symmetric(H), "H", "a symmetric matrix", "it is a Hessian", "an asymmetric one")
    expect(bool((d >= 0).all()), "d", "numbers >= 0", "they are roots of absolute values", "a negative one")
    check_number("lam", given["lam"], lambda lam: lam >= 0, "a number >= 0", "it weighs a penalty")
    if "r" in given:
        r = given["r"]
        if is_array(r):
            expect(r.ndim == 0 and xp.all_finite(r) and bool(r >= 0), "r", "a finite number >= 0", "it is a length", r)
        else:
            check_number("r", r, lambda r: r >= 0, "a finite number >= 0", "it is a length")
            given = given | {"r": xp.const(r)}
    return given | {"lam": xp.const(given["lam"])}


def solution(g: Array, H: Array, d: Array, lam: Any) -> Solution:
    """The solution η of (2) with the largest ‖Dη‖ (Method 4.1).

    Takes    g (S,); H (S, S) symmetric; d (S,) with entries >= 0, the cube roots of |D^(3)_sss|; lam >= 0.
    Ensures  M(r) η = ḡ with r = ‖Dη‖, each row up to the rounding of its terms, and no solution has a larger r.
    Raises   ValueError for arguments of another kind; NoSolution where there is none, or where H̄ is singular, up to rounding, on
             the coordinates with λ d_s = 0; Unproved where rounding leaves nothing that has this certificate.
    """
    lam = _prepare({"g": g, "H": H, "d": d, "lam": lam})["lam"]
    xp = namespace(g, H, d)
    bent, plain, flat = _parts(H, d, lam)
    for s in flat:
        expect(not bool(abs(g[s]) > 0), f"H[{s}]", "a row that is not 0", "the loss has a slope there and nothing bounds the step",
               "zeros", NoSolution)
    eta: list[Any] = [xp.zeros(())] * d.shape[0]                                                 # DEV-CUBIC-3
    lowest, hard = None, False
    g_b, H_b = _picked(g, bent), _block(H, bent, bent)
    size = xp.sum(abs(H_b) * xp.eye(len(bent)), axis=0)
    if plain:                                                                                    # DEV-CUBIC-1
        A, B, g_p = _block(H, plain, plain), _block(H, plain, bent), _picked(g, plain)
        to_g, to_eta = _solve(A, g_p, plain), _solve(A, B, plain) if bent else B
        if bent:
            size = size + xp.sum(abs(B) * abs(to_eta), axis=0)
            g_b, H_b = g_b - B.T @ to_g, H_b - B.T @ to_eta

    def whole(eta_b: Array) -> Array:
        """η (S,) from its coordinates with a cubic term."""
        for i, s in enumerate(bent):
            eta[s] = eta_b[i]
        if plain:
            eta_p = to_g - to_eta @ eta_b if bent else to_g
            for i, s in enumerate(plain):
                eta[s] = eta_p[i]
        return xp.concat([xp.reshape(value, (1,)) for value in eta])

    if bent:
        H_b, d_b = (H_b + H_b.T) / 2, _picked(d, bent)
        eta_b, lowest, hard = _bent(g_b, H_b, d_b, lam)
        found = _refined(whole(eta_b), g, H, d, lam)
        if not (_proved(found, g, H, d, lam) and _lowest(H_b, size, d_b, lam, norm(d * found))):
            eta_b, lowest, hard = _graded(g_b, H_b, d_b, lam, norm(d * found))
            found = _refined(whole(eta_b), g, H, d, lam)
        expect(_lowest(H_b, size, d_b, lam, norm(d * found)), "eta", "a positive semidefinite M(r), up to rounding",
               "no solution has a larger r then", "an indefinite one", Unproved)
    else:
        found = whole(g_b)
        if not _proved(found, g, H, d, lam):
            found = _refined(found, g, H, d, lam)
    expect(_proved(found, g, H, d, lam), "eta", "∇T(η) = 0 up to rounding", "that is what proves it",
           lambda: f"a row that is off by {float(_backward_error(found, g, H, d, lam))} of its terms", Unproved)
    r = norm(d * found) if bent else xp.zeros(())
    return Solution(found, r, stationarity.trusted(g, H, d, lam, found, r), lowest, hard)


def step_sizes(g: Array, H: Array, d: Array, lam: Any) -> Array:
    """η (S,) of `solution` alone, which is compute_lr of Algorithm 1: as `solution`."""
    return solution(g, H, d, lam).eta                                                            # W(2)


def minimiser(g: Array, H: Array, d: Array, lam: Any) -> Solution:
    """The global minimiser of T, among several the one of DEV-CUBIC-2.

    Takes    as `solution`.
    Ensures  M(r) η = ḡ and M(r) is positive semidefinite.
    Raises   Unbounded where T has no minimum; what `solution` raises.
    """
    found = solution(g, H, d, lam)
    _, plain, _ = _parts(H, d, lam)
    expect(not plain or namespace(H).positive_definite(_block(H, plain, plain)), "H", f"positive definite rows and columns {plain}",
           "no cubic term acts on them", "indefinite ones", Unbounded)
    return found


@checked(_prepare)
def model(eta: Array, g: Array, H: Array, d: Array, lam: Any) -> Any:
    """T(η): eta (S,), the rest as in `solution`."""
    return -(g @ eta) + eta @ (H @ eta) / 2 + lam / 6 * norm(d * eta) ** 3                        # W§D


@checked(_prepare)
def stationarity(g: Array, H: Array, d: Array, lam: Any, eta: Array, r: Any) -> Array:
    """∇T(η) = M(r) η − ḡ (S,), with r () = ‖Dη‖ and the rest as in `model`."""
    return H @ eta + lam / 2 * r * d * (d * eta) - g                                             # W(3)


def _bent(g: Array, H: Array, d: Array, lam: Any) -> tuple[Array, Any, bool]:
    """η, the smallest eigenvalue of K + σI, and whether it is the hard case, where all d > 0 and λ > 0."""
    xp = namespace(g)
    K, c = H / d[:, None] / d[None, :], g / d                                                    # W(4)
    w, V = xp.eigh(K)
    gamma = V.T @ c
    lowest = w[0]
    sigma_0 = -lowest if bool(lowest < 0) else 0 * lowest
    gaps = w - lowest
    base = gaps if bool(sigma_0 > 0) else w                      # w + σ₀ without cancellation
    if not bool(xp.max(abs(gamma)) > 0) and not bool(sigma_0 > 0):
        return 0 * g, lowest, False
    if bool(sigma_0 > 0):
        eps = roundoff(xp, g.shape[0])
        at_bottom = gaps <= eps * xp.max(abs(w))
        rest = xp.where(at_bottom, 0 * gamma, gamma / xp.where(at_bottom, 1 + 0 * gaps, gaps))
        along = norm(xp.where(at_bottom, gamma, 0 * gamma))
        r_0 = 2 * sigma_0 / lam
        if bool(along <= eps * norm(gamma)) and bool(norm(rest) <= r_0):                         # ERR-27
            v = _bottom(V, at_bottom, eps)
            missing = xp.sqrt((r_0 - norm(rest)) * (r_0 + norm(rest)))
            return (V @ rest + missing * v) / d, 0 * lowest, True                                # DEV-CUBIC-2
    tau = _root(gamma, base, sigma_0, lam)
    return V @ (gamma / (base + tau)) / d, tau if bool(sigma_0 > 0) else lowest + tau, False     # W(4)


def _root(gamma: Array, base: Array, sigma_0: Any, lam: Any) -> Any:
    """The τ > 0 with ‖γ/(base + τ)‖ = 2(σ₀ + τ)/λ: (5) and (6) in the shift beyond the lowest eigenvalue.

    Newton's method on (σ₀ + τ) / ‖γ/(base + τ)‖, which increases to λ/2 and is nearly straight there, inside a bracket.
    """
    xp = namespace(gamma)
    eps = roundoff(xp, gamma.shape[0])

    def newton(tau: Any) -> tuple[Any, Any, Any]:
        s = gamma / (base + tau)                                                                 # W(5)
        size = norm(s)
        excess = size - 2 * (sigma_0 + tau) / lam                                                # W(6)
        slope = xp.sum((s / size) ** 2 / (base + tau))
        if bool(size * eps > 1):                                                                 # the same without overflow
            return excess, eps * size, tau + excess * (lam / 2 / (1 + (sigma_0 + tau) * slope))
        return excess, eps * size, tau + excess * size * lam / (2 * (size + (sigma_0 + tau) * (size * slope)))

    half, product = sigma_0 / 2, lam * norm(gamma) / 2
    return crossing(newton, product / (half + xp.sqrt(half * half + product)), eps)     # all of γ along the lowest eigenvector


def _graded(g: Array, H: Array, d: Array, lam: Any, r: Any) -> tuple[Array, Any, bool]:
    """As `_bent`, not in the hard case, without K: its eigenvalues are right up to the largest, and d of very different sizes
    make all others small beside that. r = ‖D M(r)⁻¹ḡ‖ is solved with factors of M(r), which the scale of d does not touch.

    Takes    r: the radius to begin with; the rest as `_bent`.
    """
    xp = namespace(g)
    eps = roundoff(xp, g.shape[0])

    def M(r: Any) -> Array:
        return H + (lam / 2 * r * d * d)[:, None] * xp.eye(d.shape[0])

    def newton(r: Any) -> tuple[Any, Any, Any]:
        if not xp.positive_definite(M(r)):
            return r, 0 * r, 0 * r
        eta = xp.solve(M(r), g)
        size, a = norm(d * eta), d * (d * eta)
        slope = lam / 2 * (a @ xp.solve(M(r), a)) / size
        return size - r, eps * size, r + (size - r) * size / (size + r * slope)

    high = r if bool(r > 0) else r + 1
    for _ in range(MOST):
        if not bool(newton(high)[0] > 0):
            break
        high = 16 * high
        expect(xp.all_finite(high), "d", "entries that square to more than 0", "the cubic term bounds the step", d, Unproved)
    r = crossing(newton, high, eps)
    expect(xp.positive_definite(M(r)), "eta", "a positive definite M(r)", "the hard case needs K", "none with ‖Dη‖ = r", Unproved)
    inverse = d[:, None] * xp.inv(M(r)) * d[None, :]
    return xp.solve(M(r), g), 1 / xp.eigh((inverse + inverse.T) / 2)[0][-1], False


def _refined(eta: Array, g: Array, H: Array, d: Array, lam: Any) -> Array:
    """η after steps of Newton's method on ∇T = 0, as long as they halve the largest residual of a row, relative to its terms.

    An eigenvector is right up to the norm of K; where the subsets are of very different size, a row can be so to its own.
    """
    xp = namespace(eta)
    best = _backward_error(eta, g, H, d, lam)
    for _ in range(_REFINEMENTS):
        try:
            new = eta - xp.solve(hessian.trusted(eta, H, d, lam), stationarity.trusted(g, H, d, lam, eta, norm(d * eta)))
        except ArithmeticError:
            return eta
        error = _backward_error(new, g, H, d, lam)
        if not bool(2 * error < best):
            return eta
        eta, best = new, error
    return eta


_REFINEMENTS = 4


@checked(_prepare)
def hessian(eta: Array, H: Array, d: Array, lam: Any) -> Array:
    """∇²T(η) = M(r) + (λ/2) (D²η)(D²η)ᵀ / r (S, S), and H̄ where r = 0; an all-zero row with d_s = 0 gets a 1 on its diagonal."""
    xp = namespace(eta)
    r, a = norm(d * eta), d * (d * eta)
    alone = xp.indicator(xp.sum(abs(H), axis=1) + d <= 0)
    J = H + (lam / 2 * r * d * d + alone)[:, None] * xp.eye(d.shape[0])
    return J + lam / 2 * (a / r)[:, None] * a[None, :] if bool(r > 0) else J


def _proved(eta: Array, g: Array, H: Array, d: Array, lam: Any) -> bool:
    """Is no row of ∇T(η) beyond the rounding of its terms?"""
    xp = namespace(eta)
    return xp.exact or bool(_backward_error(eta, g, H, d, lam) <= roundoff(xp, eta.shape[0]))


def _lowest(H: Array, size: Array, d: Array, lam: Any, r: Any) -> bool:
    """Is M(r) positive semidefinite, up to the rounding of K, or of its diagonal where that of K leaves not half of the digits?

    Takes    size (S,): of the terms of which the diagonal of H is the sum.
    """
    xp = namespace(H)
    eps = roundoff(xp, d.shape[0])
    bend = lam / 2 * r * d * d
    size = size + bend
    room = eps * xp.max(size[None, :] * (d[:, None] / d[None, :]) ** 2, axis=1)
    if not bool(xp.all(room <= eps**0.5 * size)):
        room = eps * size
    alone = xp.indicator(xp.sum(abs(H), axis=1) + bend <= 0)
    return xp.positive_definite(H + (bend + room + alone)[:, None] * xp.eye(d.shape[0]))


def _backward_error(eta: Array, g: Array, H: Array, d: Array, lam: Any) -> Any:
    """The largest entry of |∇T(η)| over the sizes of the terms of which it is the sum."""
    xp = namespace(eta)
    r = norm(d * eta)
    terms = abs(H) @ abs(eta) + lam / 2 * r * d * (d * abs(eta)) + abs(g)
    left = abs(stationarity.trusted(g, H, d, lam, eta, r))
    return xp.max(xp.where(terms > 0, left, 0 * left) / xp.where(terms > 0, terms, 1 + 0 * terms))


def _bottom(V: Array, at_bottom: Array, eps: Any) -> Array:
    """The unit vector of the lowest eigenspace that is nearest to a coordinate axis (the first such), and positive along it."""
    kept = V * namespace(V).where(at_bottom, 1 + 0 * V[0], 0 * V[0])[None, :]
    P = kept @ kept.T
    first = 0
    for i in range(1, P.shape[0]):
        if bool(P[i, i] > (1 + eps) * P[first, first]):
            first = i
    return P[first] / norm(P[first])


def _parts(H: Array, d: Array, lam: Any) -> tuple[list[int], list[int], list[int]]:
    """The coordinates on which the cubic term acts, the others, and those of the others whose row of H̄ is 0."""
    bent = [s for s in range(d.shape[0]) if bool(d[s] > 0) and bool(lam > 0)]
    flat = [s for s in range(d.shape[0]) if s not in bent and not bool((abs(H[s]) > 0).any())]
    return bent, [s for s in range(d.shape[0]) if s not in bent and s not in flat], flat


def _solve(A: Array, b: Array, rows: list[int]) -> Array:
    """A⁻¹b of a vector or matrix b.  Raises NoSolution where A is singular, or may be but for rounding."""
    xp = namespace(A)
    got = "a singular matrix"
    try:
        x = xp.solve(A, b)                                                                       # W(1)
        sure = xp.exact
        if not sure:
            doubt = roundoff(xp, A.shape[0]) * (abs(xp.inv(A)) @ (abs(A) @ abs(x)))
            sure = bool(xp.all(xp.max(doubt, axis=0) <= xp.max(abs(x), axis=0)))
            got = "one that is numerically singular: rounding leaves no digit right"
    except ArithmeticError:
        sure = False
    expect(sure, "H", f"invertible rows and columns {rows}", "no cubic term acts on them: they are eliminated (DEV-CUBIC-1)",
           got, NoSolution)
    return x


def _picked(x: Array, rows: list[int]) -> Array:
    return namespace(x).concat([x[s:s + 1] for s in rows]) if rows else x[:0]


def _block(H: Array, rows: list[int], columns: list[int]) -> Array:
    return _picked(_picked(H, rows).T, columns).T
