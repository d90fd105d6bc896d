"""Every property lets correct functions pass, in exact arithmetic and in floats, and catches realistic slips.

`TABLE` has one row a property: what is correct (stepgauge's own reference, and for W a plain solver written here), and at least
three functions that are wrong in one place. `OTHER_FORMS` has other correct code, most of it what the slips are made from. All
of it runs on exact rationals and on float64 alike.
"""

import itertools
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from stepgauge.arrays import namespace
from stepgauge.reference.parts import damping, quasi_newton, smw, tensors
from stepgauge.reference.parts.lbfgs import Memory
from stepgauge.verify.properties import PROPERTIES
from stepgauge.verify.properties.trial import cast


def outer(x, y):
    return x[:, None] * y[None, :]


def eye(like):
    """The identity in the arithmetic and size of `like` (n, …)."""
    unit = np.zeros_like(like, shape=(len(like), len(like)))
    for i in range(len(like)):
        unit[i, i] = Fraction(1) if like.dtype == object else 1
    return unit


def solve(A, b):
    """A⁻¹b by elimination with the largest pivot, for a vector or a matrix b."""
    rows = np.concatenate([A, b.reshape(len(b), -1)], axis=1)
    for j in range(len(A)):
        pivot = j + int(np.argmax(np.abs(rows[j:, j])))
        rows[[j, pivot]] = rows[[pivot, j]]
        rows[j] = rows[j] / rows[j, j]
        for i in range(len(A)):
            if i != j:
                rows[i] = rows[i] - rows[i, j] * rows[j]
    return rows[:, len(A):].reshape(b.shape)


# Quasi-Newton updates

def broyden(H, s, y, phi, *, rho=1, sigma=1, h=lambda s, Hy: s - Hy, scale=1):
    """(2.11) with factors to go wrong by: on ρssᵀ, on σHyyᵀH, in h(ρs, σHy), on φ(yᵀHy)hhᵀ."""
    Hy, sy = H @ y, s @ y
    yHy = y @ Hy
    h = h(s / sy, Hy / yHy)
    return H - sigma * outer(Hy, Hy) / yHy + rho * outer(s, s) / sy + phi * scale * yHy * outer(h, h)


def products(H, s, y, *, left=None, last=1):
    """(2.6) in factors, (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ, as it is printed."""
    V = eye(H) - outer(s, y) / (s @ y)
    return (left(V) if left else V) @ H @ V.T + last * outer(s, s) / (s @ y)


def bfgs_B(B, s, y, *, sign=-1, exchanged=False):
    Bs = B @ s
    sBs, sy = (s @ y, s @ Bs) if exchanged else (s @ Bs, s @ y)
    return B + sign * outer(Bs, Bs) / sBs + outer(y, y) / sy


def in_place(H, s, y):
    H += products(H, s, y) - H
    return np.copy(H)


def doubled(s):
    s *= 2
    return s


COUNTER = itertools.count(1)
BUFFERS = {}


def buffered(H, s, y):
    """One buffer for every size, which moves on by one at each call."""
    answer = BUFFERS.setdefault(len(s), np.zeros_like(H))
    answer += 1
    return answer


def compact(S, Y, X, h, *, in_YY=None, in_Y=None, triangle=np.triu, diagonal=1):
    """H = hI + (S hY) (R⁻ᵀ(D + hYᵀY)R⁻¹, −R⁻ᵀ; −R⁻¹, 0) (Sᵀ; hYᵀ), with places to go wrong by."""
    if not S.shape[1]:
        return h * X
    in_YY, in_Y = (h if wrong is None else wrong for wrong in (in_YY, in_Y))
    SY = S.T @ Y
    R = triangle(SY)
    inner = solve(R, S.T @ X)
    top = solve(R.T, (diagonal * SY * eye(SY) + in_YY * Y.T @ Y) @ inner - h * Y.T @ X)
    return h * X + S @ top - in_Y * Y @ inner


def second_moment(X):
    return sum(x.T @ x for x in X) / len(X)


UPDATE_SLIPS = {
    "sign of ρssᵀ": lambda H, s, y: broyden(H, s, y, 1, rho=-1),
    "sign of σHyyᵀH": lambda H, s, y: broyden(H, s, y, 1, sigma=-1),
    "σ for ρ": lambda H, s, y: broyden(H, s, y, 1, rho=(s @ y) / (y @ H @ y)),
    "ysᵀ on both sides": lambda H, s, y: products(H, s, y, left=lambda V: V.T),
    "H left out": lambda H, s, y: products(eye(H), s, y),
    "ρssᵀ left out": lambda H, s, y: products(H, s, y, last=0),
    "ρssᵀ doubled": lambda H, s, y: products(H, s, y, last=2),
    "s and y exchanged": lambda H, s, y: bfgs_B(H, s, y),
}
FAMILY_SLIPS = {
    "ρ and σ exchanged in h": lambda H, s, y, *, phi: broyden(H, s, y, phi, h=lambda s_, Hy_: s_ * (s @ y) / (y @ H @ y)
                                                              - Hy_ * (y @ H @ y) / (s @ y)),
    "plus in h": lambda H, s, y, *, phi: broyden(H, s, y, phi, h=lambda s, Hy: s + Hy),
    "φ on ρssᵀ": lambda H, s, y, *, phi: broyden(H, s, y, 0, rho=phi),
}
B_SLIPS = {
    "one sign": lambda B, s, y: bfgs_B(B, s, y, sign=1),
    "divisors exchanged": lambda B, s, y: bfgs_B(B, s, y, exchanged=True),
    "Bssᵀ for BssᵀB": lambda B, s, y: B - outer(B @ s, s) / (s @ B @ s) + outer(y, y) / (s @ y),
    "the update of H": lambda B, s, y: products(B, s, y),
}


# Damping

def damp(x, t, z, mu, *, c=None, switch=None, theta=lambda theta: theta, sign=1, swerve=False, tied=False):
    """x moved towards t until zᵀx is μ zᵀt, with a curvature c, a switch, a weight and a sign to go wrong by.

    Two slips leave zᵀx̃ right: to swerve across z, and to jump to t where zᵀx = zᵀt.
    """
    zx, c = z @ x, z @ t if c is None else c
    if swerve and len(z) > 1:
        x, t = (v + np.concatenate([z[[1]], -z[[0]], 0 * z[2:]]) for v in (x, t))
    if zx >= (mu * c if switch is None else switch):
        return t if tied and zx == c else x
    weight = theta((1 - mu) * c / (c - zx))
    return weight * x + sign * (1 - weight) * t


def dd(s, y, H, mu1, mu2, *, towards=lambda s, s_t: s_t, first=None, second=None):
    s_t = damp(s, H @ y, y, mu1, **first or {})
    t = towards(s, s_t)
    return s_t, damp(y, t, t, mu2, **second or {})


def alg8(s, y, H, mu1, mu2, **options):
    s_t = damp(s, H @ y, y, mu1, **options)
    return s_t, y + mu2 * s_t


def alg11(s, y, mu1, mu2, *, target=None, weaker=1, lm=1, **options):
    target = y / mu2 if target is None else target
    s_t = damp(s, target, y, mu1 / weaker, **options)
    return s_t, y + lm * mu2 * s_t


SWERVES, TIES, ALL_THE_WAY = {"swerve": True}, {"tied": True}, {"theta": lambda theta: 0}


def lbfgs(pairs, n, mu1, lam, *, damped=lambda s, y, H, mu1, lam: alg11(s, y, mu1, lam), start=lambda lam: 1 / lam, order=iter):
    like = np.array([[lam] * n] * n, dtype=object if isinstance(lam, Fraction) else float)
    H = start(lam) * eye(like)
    for s, y in order(pairs):
        s, y = damped(s, y, H, mu1, lam)
        H = products(H, s, y) if s @ y else H
    return H


def reference_lbfgs(pairs, n, *, mu1, lam):
    H = lbfgs([], n, mu1, lam)
    for s, y in pairs:
        H = quasi_newton.bfgs_H(H, *damping.dpi_dlm(s, y, mu1=mu1, mu2=lam))
    return H


# Tensors

def unfold(A, i, *, order=list, start=1):
    axis = (i - start) % A.ndim
    return A.transpose(axis, *order([other for other in range(A.ndim) if other != axis])).reshape(A.shape[axis], -1)


def along(A, U, i, *, where=None):
    return np.moveaxis(np.tensordot(U, A, (1, i - 1)), 0, i - 1 if where is None else where)


def square_transposed(U):
    return U.T if U.shape[0] == U.shape[1] else U


def all_along(A, U, *, along=along):
    for i, V in enumerate(U, start=1):
        A = along(A, V, i)
    return A


# SMW

def woodbury(lam, J, H, g, N2, *, invert=True, inside=None, outside=None, lam_in=None, lam_out=None, sign=-1):
    """(5.6) with H⁻¹ and the four places of λ and N₂ to go wrong by."""
    inside, outside, lam_in, lam_out = inside or N2, outside or N2, lam_in or lam, lam_out or lam
    D = lam_in * (solve(H, eye(H)) if invert else H) + J @ J.T / inside
    return (g + sign * (J.T @ solve(D, J @ g)) / outside) / lam_out


def singular(lam, J, H, g, N2, *, order=lambda JJ, H: JJ @ H, last=lambda H, x: H @ x, inside=None, outside=None):
    """(5.7), the same way."""
    D = lam * eye(H) + order(J @ J.T, H) / (inside or N2)
    return (g - J.T @ last(H, solve(D, J @ g)) / (outside or N2)) / lam


def fisher(lam, J, g, *, inside=None, outside=None):
    return woodbury(lam, J, eye(J), g, len(J), inside=inside, outside=outside)


# Grouped Newton (W): plain code from derivatives

def summaries(loss, theta, u, groups, *, mean=False, power=1, pure=False, blocks=False, third=lambda x: x, ridge=0):
    P, S = range(len(theta)), range(len(groups))
    u = u**power
    g, H = [loss.derivative(p)(theta) for p in P], [[loss.derivative(p, q)(theta) for q in P] for p in P]
    g_bar, H_bar, D3 = (np.zeros_like(theta, shape=shape) for shape in ((len(S),), (len(S), len(S)), (len(S),)))
    for s, I in enumerate(groups):
        g_bar[s] = sum(u[p] * g[p] for p in I) / (len(I) if mean else 1)
        triples = [(p, p, p) for p in I] if pure else product(I, I, I)
        D3[s] = third(sum(u[p] * u[q] * u[r] * loss.derivative(p, q, r)(theta) for p, q, r in triples))
        for t, K in enumerate(groups):
            H_bar[s, t] = sum(u[p] * u[q] * H[p][q] for p in I for q in K) * (not blocks or s == t) + ridge * (s == t)
    return g_bar, H_bar, D3


def whole_step(loss, theta, u, groups, *, sign=-1, move=None, shared=False):
    g_bar, H_bar, _ = summaries(loss, theta, u, groups)
    eta = solve(H_bar, g_bar)
    theta_plus = theta.copy()
    for s, I in enumerate(groups):
        for p in I:
            theta_plus[p] = theta[p] + sign * eta[0 if shared else s] * (u if move is None else move(loss, theta))[p]
    return theta_plus


def gradient_at(loss, theta):
    return [loss.derivative(p)(theta) for p in range(len(theta))]


def cubic_step(g, H, d, lam, *, factor=0.5, power=2, weigh=lambda d: d, shortest=False):
    """(2) by bisection on r = ‖Dη‖ above the radius from which H̄ + factor·λrD² is positive definite."""
    D2 = d**power
    w = np.linalg.eigvalsh(H / np.sqrt(np.outer(D2, D2)))

    def eta(r):
        return np.linalg.solve(H + factor * lam * r * np.diag(D2), g)

    low = max(0.0, -w[0] / (factor * lam))
    high = low + 1
    while np.linalg.norm(weigh(d) * eta(high)) > high:
        high *= 3
    if shortest:
        radii = np.linspace(0, high, 300)[1:]
        low, high = 0.0, next(r for r in radii if np.linalg.norm(d * eta(r)) <= r)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.linalg.norm(weigh(d) * eta(middle)) > middle else (low, middle)
    return eta(high)


TABLE = {
    "broyden.theorem_1": (quasi_newton.bfgs_H, UPDATE_SLIPS),
    "broyden.theorem_1_family": (quasi_newton.broyden_H, FAMILY_SLIPS),
    "broyden.theorem_1_B": (quasi_newton.bfgs_B, B_SLIPS),
    "broyden.hessian_action_pair": (quasi_newton.hessian_action_pair, {
        "s and y exchanged": lambda H, a, A: (A @ (H @ a), H @ a),
        "y = As with the old A": lambda H, a, A: (H @ a, a),
        "s = a": lambda H, a, A: (a, A @ a),
        "y = Aa": lambda H, a, A: (H @ a, A @ a)}),
    "broyden.sherman_morrison": (lambda H, a, c: quasi_newton.bfgs_H(H, H @ a, a + c * (a @ (H @ a)) * a), {
        "c for 1/c": lambda H, a, c: H - outer(H @ a, H @ a) / (c + a @ H @ a),
        "1 left out": lambda H, a, c: H - outer(H @ a, H @ a) / (a @ H @ a),
        "plus": lambda H, a, c: H + outer(H @ a, H @ a) / (1 / c + a @ H @ a),
        "a for Ha": lambda H, a, c: H - outer(a, a) / (1 / c + a @ H @ a)}),
    "broyden.bfgs_H_pins": (quasi_newton.bfgs_H, {
        **UPDATE_SLIPS,
        "DFP": lambda H, s, y: broyden(H, s, y, 0),
        "1 + yᵀHy for 1 + ρyᵀHy": lambda H, s, y: (H - (outer(s, H @ y) + outer(H @ y, s)) / (s @ y)
                                                   + (1 + y @ H @ y) * outer(s, s) / (s @ y))}),
    "broyden.bfgs_B_pins": (quasi_newton.bfgs_B, {**B_SLIPS, "DFP": lambda B, s, y: products(B, y, s)}),
    "broyden.dfp_H_pins": (quasi_newton.dfp_H, {
        "BFGS": products,
        "ρ and σ exchanged": lambda H, s, y: bfgs_B(H, y, s, exchanged=True),
        "yyᵀ for Hyyᵀ H": lambda H, s, y: H - outer(y, y) / (y @ H @ y) + outer(s, s) / (s @ y),
        "s and y exchanged": lambda H, s, y: bfgs_B(H, s, y)}),
    "broyden.broyden_pins": (quasi_newton.broyden_H, {
        **FAMILY_SLIPS,
        "1 − φ for φ": lambda H, s, y, *, phi: broyden(H, s, y, 1 - phi),
        "yᵀHy left out": lambda H, s, y, *, phi: broyden(H, s, y, phi, scale=1 / (y @ H @ y)),
        "sᵀy for yᵀHy": lambda H, s, y, *, phi: broyden(H, s, y, phi, scale=(s @ y) / (y @ H @ y)),
        "φ ignored": lambda H, s, y, *, phi: broyden(H, s, y, 1)}),
    "damping.powell_on_B_pins": (damping.powell_on_B, {
        "θ and 1 − θ exchanged": lambda s, y, B, *, mu: (s, damp(y, B @ s, s, mu, theta=lambda theta: 1 - theta)),
        "μ for 1 − μ": lambda s, y, B, *, mu: (s, damp(y, B @ s, s, mu, theta=lambda theta: theta * mu / (1 - mu))),
        "damped without need": lambda s, y, B, *, mu: (s, (y + B @ s) / 2),
        "damped all the way": lambda s, y, B, *, mu: (s, damp(y, B @ s, s, mu, **ALL_THE_WAY)),
        "s for Bs": lambda s, y, B, *, mu: (s, damp(y, s, s, mu)),
        "s moved": lambda s, y, B, *, mu: (damp(s, B @ y, y, mu), y),
        "s made longer": lambda s, y, B, *, mu: (2 * s, damp(y, B @ s, s, mu)),
        "ỹ off the way": lambda s, y, B, *, mu: (s, damp(y, B @ s, s, mu, **SWERVES)),
        "Bs at ties": lambda s, y, B, *, mu: (s, damp(y, B @ s, s, mu, **TIES))}),
    "damping.powell_on_H_pins": (damping.powell_on_H, {
        "minus": lambda s, y, H, *, mu: (damp(s, H @ y, y, mu, sign=-1), y),
        "y for Hy": lambda s, y, H, *, mu: (damp(s, y, y, mu), y),
        "switch at 0": lambda s, y, H, *, mu: (damp(s, H @ y, y, mu, switch=0), y),
        "switch at yᵀHy": lambda s, y, H, *, mu: (damp(s, H @ y, y, mu, switch=y @ H @ y), y),
        "yᵀy for yᵀHy": lambda s, y, H, *, mu: (damp(s, H @ y, y, mu, c=y @ y), y),
        "s made longer": lambda s, y, H, *, mu: (s * mu * (y @ H @ y) / (s @ y) if 0 < s @ y < mu * (y @ H @ y)
                                                 else damp(s, H @ y, y, mu), y),
        "y made longer": lambda s, y, H, *, mu: (damp(s, H @ y, y, mu), 2 * y),
        "s̃ off the way": lambda s, y, H, *, mu: (damp(s, H @ y, y, mu, **SWERVES), y),
        "Hy at ties": lambda s, y, H, *, mu: (damp(s, H @ y, y, mu, **TIES), y)}),
    "damping.powell_identity_pins": (damping.powell_identity, {
        "Levenberg-Marquardt": lambda s, y, *, mu: (s, y + mu * s),
        "damped all the way": lambda s, y, *, mu: (s, damp(y, s, s, mu, **ALL_THE_WAY)),
        "yᵀy for sᵀs": lambda s, y, *, mu: (s, damp(y, s, s, mu, c=y @ y)),
        "s towards y": lambda s, y, *, mu: (damp(s, y, y, mu), y),
        "not damped": lambda s, y, *, mu: (s, y),
        "s made longer": lambda s, y, *, mu: (2 * s, damp(y, s, s, mu)),
        "ỹ off the way": lambda s, y, *, mu: (s, damp(y, s, s, mu, **SWERVES)),
        "s at ties": lambda s, y, *, mu: (s, damp(y, s, s, mu, **TIES))}),
    "damping.double_damping_pins": (damping.double_damping, {
        "s for s̃": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2, towards=lambda s, s_t: s),
        "μ₁ and μ₂ exchanged": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu2, mu1),
        "minus": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2, first={"sign": -1}),
        "minus in the second": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2, second={"sign": -1}),
        "second damping first": lambda s, y, H, *, mu1, mu2: dd(s, damp(y, s, s, mu2), H, mu1, 0),
        "no second damping": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, 0),
        "Algorithm 8": lambda s, y, H, *, mu1, mu2: alg8(s, y, H, mu1, mu2),
        "s̃ all the way": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2, first=ALL_THE_WAY),
        "s̃ off the way": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2, first=SWERVES),
        "ỹ off the way": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2, second=SWERVES),
        "Hy at ties": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2, first=TIES),
        "s̃ at ties": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2, second=TIES)}),
    "damping.dp_dlm_pins": (damping.dp_dlm, {
        "s not damped": lambda s, y, H, *, mu1, mu2: (s, y + mu2 * s),
        "undamped s in line 8": lambda s, y, H, *, mu1, mu2: (damp(s, H @ y, y, mu1), y + mu2 * s),
        "μ₁ for μ₂": lambda s, y, H, *, mu1, mu2: (damp(s, H @ y, y, mu1), y + mu1 * damp(s, H @ y, y, mu1)),
        "Algorithm 3": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2),
        "μ₂ on y": lambda s, y, H, *, mu1, mu2: (damp(s, H @ y, y, mu1), mu2 * y + damp(s, H @ y, y, mu1)),
        "y damped first": lambda s, y, H, *, mu1, mu2: dd(s, y + mu2 * s, H, mu1, 0),
        "y not damped": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, 0),
        "s̃ all the way": lambda s, y, H, *, mu1, mu2: alg8(s, y, H, mu1, mu2, **ALL_THE_WAY),
        "s̃ off the way": lambda s, y, H, *, mu1, mu2: alg8(s, y, H, mu1, mu2, **SWERVES),
        "Hy at ties": lambda s, y, H, *, mu1, mu2: alg8(s, y, H, mu1, mu2, **TIES)}),
    "damping.dpi_dlm_pins": (damping.dpi_dlm, {
        "H = μ₂I": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, target=mu2 * y),
        "y for y/μ₂": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, target=y),
        "no 1/μ₂ in the weight": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, c=y @ y),
        "1/μ₂ in line 8": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, lm=1 / mu2**2),
        "s̃ all the way": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, **ALL_THE_WAY),
        "s̃ off the way": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, **SWERVES),
        "y/μ₂ at ties": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, **TIES)}),
    "damping.lemma_4": (damping.dpi_dlm, {
        "half of μ₁": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, weaker=2),
        "y not damped": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, lm=0),
        "s not damped": lambda s, y, *, mu1, mu2: (s, y + mu2 * s),
        "μ₂ twice": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, lm=2),
        "H = μ₂I": lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2, target=mu2 * y)}),
    "damping.lemma_5": (quasi_newton.bfgs_H, {
        **UPDATE_SLIPS,
        "halved ten times": lambda H, s, y: products(H, s, y) / 1024,
        "ρyyᵀ doubled in B": lambda H, s, y: solve(bfgs_B(solve(H, eye(H)), s, y) + outer(y, y) / (s @ y), eye(H))}),
    "damping.lemma_6": (reference_lbfgs, {
        "pairs reversed": lambda pairs, n, *, mu1, lam: lbfgs(pairs, n, mu1, lam, order=reversed),
        "H_0 = λI": lambda pairs, n, *, mu1, lam: lbfgs(pairs, n, mu1, lam, start=lambda lam: lam),
        "H_0 = 0": lambda pairs, n, *, mu1, lam: lbfgs(pairs, n, mu1, lam, start=lambda lam: 0 * lam),
        "undamped": lambda pairs, n, *, mu1, lam: lbfgs(pairs, n, mu1, lam, damped=lambda s, y, H, mu1, lam: (s, y)),
        "Algorithm 8": lambda pairs, n, *, mu1, lam: lbfgs(
            pairs, n, mu1, lam, damped=alg8)}),
    "kronecker.kron_row_major": (tensors.kron, {
        "factors exchanged": lambda A, B: np.kron(B, A),
        "indices not interleaved": lambda A, B: np.multiply.outer(A, B).reshape(len(A) * len(B), -1),
        "columns exchanged": lambda A, B: np.multiply.outer(A, B).transpose(0, 2, 3, 1).reshape(len(A) * len(B), -1),
        "a column of blocks": lambda A, B: np.concatenate([a * B for a in A.ravel()])}),
    "kronecker.kron_column_major": (tensors.kron, {
        "factors exchanged": lambda B, A: np.kron(A, B),
        "A transposed": lambda B, A: np.kron(B, A.T),
        "B transposed": lambda B, A: np.kron(B.T, A)}),
    "kronecker.vec_row_major": (tensors.vec, {
        "columns stacked": lambda X: X.T.reshape(-1),
        "reversed": lambda X: X.reshape(-1)[::-1],
        "a column": lambda X: X.reshape(-1, 1)}),
    "kronecker.vec_column_major": (tensors.vec_columns, {
        "rows stacked": lambda X: X.reshape(-1),
        "reversed": lambda X: X.T.reshape(-1)[::-1],
        "a row": lambda X: X.T.reshape(1, -1)}),
    "kronecker.vec_of_tensor": (tensors.vec, {
        "first index fastest": lambda A: A.reshape(-1, order="F"),
        "from order 3 on, last axes exchanged": lambda A: (A.swapaxes(-1, -2) if A.ndim > 2 else A).reshape(-1),
        "not flat": lambda A: A}),
    "kronecker.mat_pins": (tensors.mat, {
        "other axes reversed": lambda A, i: unfold(A, i, order=reversed),
        "other axes cyclic": lambda A, i: unfold(A, i, order=lambda axes: sorted(axes, key=lambda axis: (axis - i) % A.ndim)),
        "modes from 0": lambda A, i: unfold(A, i, start=0),
        "a plain reshape": lambda A, i: A.reshape(A.shape[i - 1], -1)}),
    "kronecker.contraction_pins": (tensors.contraction, {
        "MᵀM": lambda A, i: unfold(A, i).T @ unfold(A, i),
        "a mean": lambda A, i: unfold(A, i) @ unfold(A, i).T / (A.size // A.shape[i - 1]),
        "next mode": lambda A, i: unfold(A, i % A.ndim + 1) @ unfold(A, i % A.ndim + 1).T,
        "of a reshape": lambda A, i: A.reshape(A.shape[i - 1], -1) @ A.reshape(A.shape[i - 1], -1).T}),
    "kronecker.mode_product_pins": (tensors.mode_product, {
        "new axis in front": lambda A, U, i: along(A, U, i, where=0),
        "new axis at the end": lambda A, U, i: along(A, U, i, where=-1),
        "Uᵀ where square": lambda A, U, i: along(A, square_transposed(U), i),
        "a dimension found by its length": lambda A, U, i: along(A, U, 1 + A.shape.index(A.shape[i - 1])),
        "a mean": lambda A, U, i: along(A, U, i) / A.shape[i - 1]}),
    "kronecker.proposition_1": (tensors.mode_products, {
        "last mode left out": lambda A, U: all_along(A, U[:-1]),
        "modes reversed": lambda A, U: all_along(A, U).transpose(),
        "Uᵀ where square": lambda A, U: all_along(A, [square_transposed(V) for V in U]),
        "the last axis reversed": lambda A, U: all_along(A, U)[..., ::-1]}),
    "smw.smw_with_inverse": (smw.solve_with_inverse, {
        "H for H⁻¹": lambda lam, J, H, g, *, N2: woodbury(lam, J, H, g, N2, invert=False),
        "1/N₂ left out inside": lambda lam, J, H, g, *, N2: woodbury(lam, J, H, g, N2, inside=1),
        "1/N₂ left out outside": lambda lam, J, H, g, *, N2: woodbury(lam, J, H, g, N2, outside=1),
        "no λ on H⁻¹": lambda lam, J, H, g, *, N2: woodbury(lam, J, H, g, N2, lam_in=1),
        "no 1/λ in front": lambda lam, J, H, g, *, N2: woodbury(lam, J, H, g, N2, lam_out=1),
        "D = λI + JJᵀ/N₂": lambda lam, J, H, g, *, N2: woodbury(lam, J, eye(H), g, N2),
        "plus": lambda lam, J, H, g, *, N2: woodbury(lam, J, H, g, N2, sign=1)}),
    "smw.smw_without_inverse": (smw.solve_without_inverse, {
        "HJJᵀ for JJᵀH": lambda lam, J, H, g, *, N2: singular(lam, J, H, g, N2, order=lambda JJ, H: H @ JJ),
        "H left out before D⁻¹": lambda lam, J, H, g, *, N2: singular(lam, J, H, g, N2, last=lambda H, x: x),
        "H left out in D": lambda lam, J, H, g, *, N2: singular(lam, J, H, g, N2, order=lambda JJ, H: JJ),
        "1/N₂ left out inside": lambda lam, J, H, g, *, N2: singular(lam, J, H, g, N2, inside=1),
        "1/N₂ left out outside": lambda lam, J, H, g, *, N2: singular(lam, J, H, g, N2, outside=1),
        "H + λI for H in (5.6)": lambda lam, J, H, g, *, N2: woodbury(lam, J, H + lam * eye(H), g, N2)}),
    "smw.smw_forms_agree": ((smw.solve_with_inverse, smw.solve_without_inverse), {
        "1/N₂ left out in (5.6)": (lambda lam, J, H, g, *, N2: woodbury(lam, J, H, g, N2, inside=1), smw.solve_without_inverse),
        "λ misplaced in (5.6)": (lambda lam, J, H, g, *, N2: woodbury(lam, J, H, g, N2, lam_in=1), smw.solve_without_inverse),
        "H left out in (5.7)": (smw.solve_with_inverse,
                                lambda lam, J, H, g, *, N2: singular(lam, J, H, g, N2, last=lambda H, x: x))}),
    "smw.smw_natural_gradient": (lambda lam, J, g: smw.solve_with_inverse(lam, J, namespace(J).eye(len(J)), g, N2=len(J)), {
        "1/N₂ left out": lambda lam, J, g: fisher(lam, J, g, inside=1, outside=1),
        "1/N₂ twice": lambda lam, J, g: fisher(lam, J, g, inside=len(J)**2, outside=len(J)**2),
        "the mean gradient's outer product": lambda lam, J, g: fisher(lam, J.sum(axis=0, keepdims=True) / len(J), g),
        "1/N₂ outside only": lambda lam, J, g: fisher(lam, J, g, inside=1)}),
    "invariance.summaries_pins": (summaries, {
        "a mean": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, mean=True),
        "u squared": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, power=2),
        "diagonal blocks only": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, blocks=True),
        "|D3|": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, third=abs),
        "pure third derivatives": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, pure=True),
        "D3/3!": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, third=lambda x: x / 6)}),
    "invariance.summaries_invariance": (summaries, {
        "a ridge": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, ridge=1),
        "u normalised": lambda loss, theta, u, groups: summaries(loss, theta, u / max(abs(u)), groups),
        "u left out": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, power=0),
        "u squared": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, power=2),
        "a threshold": lambda loss, theta, u, groups: summaries(loss, theta, u, groups, third=lambda x: max(x, 1))}),
    "invariance.newton_step": (lambda g, H: solve(H, g), {
        "sign": lambda g, H: -solve(H, g),
        "diagonal only": lambda g, H: g / np.diag(H) if all(np.diag(H)) else 0 * g,
        "a ridge": lambda g, H: solve(H + eye(H), g),
        "negative steps cut off": lambda g, H: np.maximum(solve(H, g), 0 * g),
        "g for H⁻¹g": lambda g, H: g}),
    "invariance.whole_newton_step": (whole_step, {
        "plus": lambda loss, theta, u, groups: whole_step(loss, theta, u, groups, sign=1),
        "along the gradient": lambda loss, theta, u, groups: whole_step(loss, theta, u, groups, move=gradient_at),
        "one η for all": lambda loss, theta, u, groups: whole_step(loss, theta, u, groups, shared=True),
        "half a step": lambda loss, theta, u, groups: (theta + whole_step(loss, theta, u, groups)) / 2}),
    "invariance.cubic_diagonal": (lambda D3: np.cbrt(abs(D3)), {
        "no absolute value": np.cbrt,
        "square root": lambda D3: np.sqrt(abs(D3)),
        "an ε under the root": lambda D3: np.cbrt(abs(D3) + 1e-3),
        "D3/3!": lambda D3: np.cbrt(abs(D3) / 6),
        "largest entry for all": lambda D3: np.cbrt(np.max(abs(D3))) + 0 * D3}),
    "invariance.cubic_step": (cubic_step, {
        "λ for λ/2": lambda g, H, d, lam: cubic_step(g, H, d, lam, factor=1),
        "λ/6 for λ/2": lambda g, H, d, lam: cubic_step(g, H, d, lam, factor=1 / 6),
        "D for D²": lambda g, H, d, lam: cubic_step(g, H, d, lam, power=1),
        "‖η‖ for ‖Dη‖": lambda g, H, d, lam: cubic_step(g, H, d, lam, weigh=np.ones_like),
        "sign": lambda g, H, d, lam: -cubic_step(g, H, d, lam),
        "a shorter solution": lambda g, H, d, lam: cubic_step(g, H, d, lam, shortest=True),
        "order 2": lambda g, H, d, lam: np.linalg.lstsq(H, g, rcond=None)[0]}),
    "lbfgs.compact_is_recursive": (lambda S, Y, X, h: Memory(S, Y, 3, h) @ X, {
        "newest first": lambda S, Y, X, h: compact(S[:, ::-1], Y[:, ::-1], X, h),
        "h left out of YᵀY": lambda S, Y, X, h: compact(S, Y, X, h, in_YY=1),
        "h left out of Y": lambda S, Y, X, h: compact(S, Y, X, h, in_Y=1),
        "H_0 = I/h": lambda S, Y, X, h: compact(S, Y, X, 1 / h),
        "the lower triangle": lambda S, Y, X, h: compact(S, Y, X, h, triangle=np.tril),
        "the diagonal left out of D": lambda S, Y, X, h: compact(S, Y, X, h, diagonal=0)}),
    "batches.second_moment_pins": (second_moment, {
        "a mean over positions": lambda X: second_moment(X) / X.shape[1],
        "a sum over examples": lambda X: second_moment(X) * len(X),
        "of the mean": lambda X: outer(X.sum(axis=(0, 1)), X.sum(axis=(0, 1))) / len(X),
        "1/N²": lambda X: second_moment(X) / len(X),
        "1/(N + 1)": lambda X: second_moment(X) * len(X) / (len(X) + 1),
        "positions summed first": lambda X: X.sum(axis=1).T @ X.sum(axis=1) / len(X)}),
    "batches.permutation_of_the_batch": (second_moment, {
        "the first example": lambda X: X[0].T @ X[0],
        "neighbours": lambda X: X.reshape(-1, X.shape[2])[:-1].T @ X.reshape(-1, X.shape[2])[1:] / len(X),
        "reshaped with the wrong axis first": lambda X: X.reshape(X.shape[2], -1) @ X.reshape(X.shape[2], -1).T / len(X),
        "the last example weighs twice": lambda X: second_moment(np.concatenate([X, X[-1:]]))}),
    "batches.duplication_of_the_batch": (second_moment, {
        "a sum over examples": lambda X: second_moment(X) * len(X),
        "1/N²": lambda X: second_moment(X) / len(X),
        "1/(N + 1)": lambda X: second_moment(X) * len(X) / (len(X) + 1),
        "gradients of the mean loss": lambda X: second_moment(X / len(X))}),
    "batches.loss_scaling": (second_moment, {
        "an ε": lambda X: second_moment(X) + eye(second_moment(X)),
        "|x| for x²": lambda X: abs(X).sum(axis=(0, 1)) / len(X),
        "clipped": lambda X: second_moment(np.minimum(X, 1 + 0 * X)),
        "a mean of squares, normalised": lambda X: second_moment(X) / (1 + (X * X).sum())}),
    "bits.pure": (quasi_newton.bfgs_H, {
        "H +=": lambda H, s, y: in_place(H, s, y),
        "H itself": lambda H, s, y: H,
        "a view of s": lambda H, s, y: s[::-1],
        "s and y scaled in place": lambda H, s, y: quasi_newton.bfgs_H(H, doubled(s), y),
        "a counter": lambda H, s, y: products(H, s, y) * next(COUNTER),
        "one buffer for all answers": lambda H, s, y: buffered(H, s, y)}),
    "bits.update_power_of_two": (quasi_newton.bfgs_H, {
        "an ε in ρ": lambda H, s, y: products(H, s, y, last=(s @ y) / (s @ y + 1e-8)),
        "skipped below a threshold": lambda H, s, y: products(H, s, y) if s @ y > 1e-4 else H,
        "a ridge": lambda H, s, y: products(H, s, y) + 1e-6 * eye(H),
        "H clipped": lambda H, s, y: np.minimum(products(H, s, y), 1 + 0 * H)}),
    "bits.damping_power_of_two": (damping.double_damping, {
        "an ε in the weight": lambda s, y, H, *, mu1, mu2: dd(s + 1e-3 * eye(H)[0], y, H, mu1, mu2),
        "no damping of small vectors": lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2) if s @ s > 1e-3 else (s, y),
        "y clipped": lambda s, y, H, *, mu1, mu2: dd(s, np.minimum(y, 1 + 0 * y), H, mu1, mu2)}),
    "bits.smw_power_of_two": (smw.solve_with_inverse, {
        "a ridge": lambda lam, J, H, g, *, N2: woodbury(lam + 1e-6, J, H, g, N2),
        "λ in the wrong unit": lambda lam, J, H, g, *, N2: woodbury(lam**0.5, J, H, g, N2),
        "small entries dropped": lambda lam, J, H, g, *, N2: woodbury(lam, J * (abs(J) > 1e-3), H, g, N2)}),
}
OTHER_FORMS = {
    "broyden.theorem_1": [products, lambda H, s, y: broyden(H, s, y, 1), lambda H, s, y: broyden(H, s, y, 0)],
    "broyden.theorem_1_family": [lambda H, s, y, *, phi: broyden(H, s, y, phi)],
    "broyden.theorem_1_B": [bfgs_B, lambda B, s, y: products(B, y, s)],
    "broyden.sherman_morrison": [lambda H, a, c: H - outer(H @ a, H @ a) / (1 / c + a @ H @ a)],
    "broyden.bfgs_H_pins": [products, lambda H, s, y: broyden(H, s, y, 1),
                            lambda H, s, y: solve(bfgs_B(solve(H, eye(H)), s, y), eye(H))],
    "broyden.bfgs_B_pins": [bfgs_B, lambda B, s, y: broyden(B, y, s, 0)],
    "broyden.dfp_H_pins": [lambda H, s, y: broyden(H, s, y, 0), lambda H, s, y: bfgs_B(H, y, s)],
    "broyden.broyden_pins": [lambda H, s, y, *, phi: broyden(H, s, y, phi),
                             lambda H, s, y, *, phi: (1 - phi) * broyden(H, s, y, 0) + phi * products(H, s, y)],
    "damping.powell_on_B_pins": [lambda s, y, B, *, mu: (s, damp(y, B @ s, s, mu))],
    "damping.powell_on_H_pins": [lambda s, y, H, *, mu: (damp(s, H @ y, y, mu), y)],
    "damping.powell_identity_pins": [lambda s, y, *, mu: (s, damp(y, s, s, mu))],
    "damping.double_damping_pins": [lambda s, y, H, *, mu1, mu2: dd(s, y, H, mu1, mu2)],
    "damping.dp_dlm_pins": [lambda s, y, H, *, mu1, mu2: alg8(s, y, H, mu1, mu2)],
    "damping.dpi_dlm_pins": [lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2)],
    "damping.lemma_4": [lambda s, y, *, mu1, mu2: alg11(s, y, mu1, mu2)],
    "damping.lemma_5": [products],
    "damping.lemma_6": [lambda pairs, n, *, mu1, lam: lbfgs(pairs, n, mu1, lam)],
    "kronecker.kron_row_major": [np.kron],
    "kronecker.vec_of_tensor": [np.ravel],
    "kronecker.mat_pins": [unfold],
    "kronecker.contraction_pins": [lambda A, i: np.tensordot(A, A, [[axis for axis in range(A.ndim) if axis != i - 1]] * 2)],
    "kronecker.mode_product_pins": [along],
    "kronecker.proposition_1": [lambda A, U: all_along(A, U)],
    "smw.smw_with_inverse": [lambda lam, J, H, g, *, N2: woodbury(lam, J, H, g, N2),
                             lambda lam, J, H, g, *, N2: solve(lam * eye(J.T) + J.T @ H @ J / N2, g)],
    "smw.smw_without_inverse": [lambda lam, J, H, g, *, N2: singular(lam, J, H, g, N2)],
    "smw.smw_natural_gradient": [fisher],
    "lbfgs.compact_is_recursive": [compact],
    "batches.second_moment_pins": [lambda X: X.reshape(-1, X.shape[2]).T @ X.reshape(-1, X.shape[2]) / len(X)],
    "invariance.newton_step": [lambda g, H: solve(H, eye(H)) @ g],
}
FLOATS_ONLY = {"invariance.cubic_diagonal", "invariance.cubic_step", "bits.pure", "bits.update_power_of_two",
               "bits.damping_power_of_two", "bits.smw_power_of_two"}
ROWS = [(name, arithmetic) for name in TABLE for arithmetic in ("fraction", "float64")
        if not (name in FLOATS_ONLY and arithmetic == "fraction")]
FORMS = [(name, form, arithmetic) for name, forms in OTHER_FORMS.items() for form in range(len(forms))
         for arithmetic in ("fraction", "float64")]
SLIPS = [(name, slip, arithmetic) for name, arithmetic in ROWS for slip in TABLE[name][1]]


def test_the_table_is_complete():
    assert list(TABLE) == list(PROPERTIES)
    assert all(len(slips) >= 3 for _, slips in TABLE.values())


@pytest.fixture
def judge(drawn):
    """Run a property on every so many-th of its drawn inputs, in one arithmetic; neighbours are often alike."""
    def run(name, candidate, arithmetic, every=1):
        for inputs in drawn(PROPERTIES[name].inputs)[::every]:
            PROPERTIES[name](candidate, *cast(inputs, arithmetic))

    return run


@pytest.mark.parametrize(("name", "arithmetic"), ROWS)
def test_correct_functions_pass(judge, name, arithmetic):
    judge(name, TABLE[name][0], arithmetic, 4)


@pytest.mark.parametrize(("name", "form", "arithmetic"), FORMS)
def test_other_correct_forms_pass(judge, name, form, arithmetic):
    judge(name, OTHER_FORMS[name][form], arithmetic, 8)


@pytest.mark.parametrize(("name", "slip", "arithmetic"), SLIPS)
def test_slips_are_caught(judge, name, slip, arithmetic):
    with pytest.raises(AssertionError, match=r"^does not hold: "):
        judge(name, TABLE[name][1][slip], arithmetic)
