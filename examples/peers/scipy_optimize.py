"""SciPy: BFGS updates and their damping, the L-BFGS product, matrix powers."""

import numpy as np
from peer import Peer
from scipy.linalg import fractional_matrix_power
from scipy.optimize import BFGS, LbfgsInvHessProduct


class Shown(BFGS):
    """BFGS that keeps the pair with which it updates, after its damping."""

    pair = None

    def _update_hessian(self, ys, Bs, sBs, y):
        self.pair = y.copy()
        super()._update_hessian(ys, Bs, sBs, y)

    def _update_inverse_hessian(self, ys, Hy, yHy, s):
        self.pair = s.copy()
        super()._update_inverse_hessian(ys, Hy, yHy, s)


def updated(kind, M, s, y, as_float=True):
    """B or H after one update of M, whose only entry is handed over as a float where it is 1 × 1."""
    strategy = BFGS(init_scale=float(M[0, 0]) if as_float and len(M) == 1 else M)
    strategy.initialize(len(s), kind)
    strategy.update(s, y)
    return np.asarray(strategy.get_matrix(), M.dtype)


def damped(kind, M, s, y, mu):
    """The pair after Powell's damping; as it came where SciPy makes no update of it."""
    strategy = Shown("damp_update", mu, float(M[0, 0]) if len(M) == 1 else M)
    strategy.initialize(len(s), kind)
    if s.any() and y.any():
        strategy.update(s, y)
    moved = strategy.pair
    if moved is None:
        return s, y
    moved = moved.astype(M.dtype)
    return (s, moved) if kind == "hess" else (moved, y)


def two_loops(S, Y, X, h):
    """H X where H starts from hI: SciPy's, which starts from I, of scaled pairs. √h is a power of 2, so that nothing is rounded."""
    return h * (LbfgsInvHessProduct(S.T / h**0.5, Y.T * h**0.5) @ X)


PEERS = [
    Peer("scipy", "scipy.optimize.BFGS, inverse Hessian", "quasi_newton.bfgs_H", lambda H, s, y: updated("inv_hess", H, s, y),
         "One `update(s, y)` of `init_scale=H`, a float where H is 1 × 1."),
    Peer("scipy", "scipy.optimize.BFGS, Hessian", "quasi_newton.bfgs_B", lambda B, s, y: updated("hess", B, s, y),
         "One `update(s, y)` of `init_scale=B`, a float where B is 1 × 1."),
    Peer("scipy", "scipy.optimize.BFGS, 1 × 1 matrix", "quasi_newton.bfgs_H",
         lambda H, s, y: updated("inv_hess", H, s, y, as_float=False), "As above, with H an array always."),
    Peer("scipy", "scipy.optimize.BFGS(damp_update), Hessian", "damping.powell_on_B",
         lambda s, y, B, mu: damped("hess", B, s, y, mu), "The y of one `update(s, y)`, seen in `_update_hessian`."),
    Peer("scipy", "scipy.optimize.BFGS(damp_update), inverse Hessian", "damping.powell_on_H",
         lambda s, y, H, mu: damped("inv_hess", H, s, y, mu), "The s of one `update(s, y)`, seen in `_update_inverse_hessian`."),
    Peer("scipy", "scipy.optimize.LbfgsInvHessProduct", "lbfgs.product", two_loops, "Of pairs scaled by √h, and times h."),
    Peer("scipy", "scipy.linalg.fractional_matrix_power", "roots.inverse_root", lambda A, p: fractional_matrix_power(A, -1 / p),
         "A to the power −1/p."),
]
