"""Levenberg-Marquardt damping: how well the quadratic model foretells f, and the λ that follows from it.

Paper    R Section 5.2.3, (5.4) and (5.5); the acceptance of Theorem 6, Section 5.6.
Symbols  f the mean loss over S₁ (with the penalty η/2 ‖θ‖², if there is one); m(p) = f(θ) + gᵀp + ½ pᵀBp its model, without λ;
         ρ actual over foretold reduction; λ = λ_LM + τ.
Departs  DEV-LM-1: ρ is 1/2, which changes nothing, where both reductions are 0. DEV-LM-2: ρ is −∞ where f(θ + p) is not finite, or
         the model foretells no reduction. DEV-LM-3: in floats λ_LM does not fall below the smallest normal number.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ... import nets
from ...arrays import namespace
from ...arrays.checks import check_number, checked
from ...arrays.errors import expect
from .kronecker import each, inner, split


def here_and_ahead(model: nets.Model, params: Any, theta: Any, tape: nets.Tape, batch: nets.Batch, p: Any,
                   eta: Any) -> tuple[Any, Any]:
    """f(θ) and f(θ + p) over the whole batch; theta: params by layer as W̄, p like it; tape: of the batch at θ."""
    theta_p = each(lambda W, p: W + p, theta, p)
    ahead = nets.forward(model, split(params, theta_p), batch.x).output                       # R(5.5)
    f, f_p = (nets.mean_loss(model, output, batch.y) for output in (tape.output, ahead))      # R(5.5)
    return f + penalty(theta, eta) / 2, f_p + penalty(theta_p, eta) / 2


def penalty(X: Any, eta: Any) -> Any:
    """η ‖X‖², for X by layer."""
    xp = namespace(*X)
    return xp.const(eta) * inner(X, X) if eta != 0 else xp.const(0)


def reduction_ratio(f: Any, f_p: Any, foretold: Any) -> Any:
    """ρ = (f(θ) − f(θ + p)) / (m(0) − m(p)) (R (5.5)).

    Ensures  ρ · foretold = f − f_p where foretold > 0 and f_p is finite.
    Raises   ValueError where f is not finite, or, in exact arithmetic, foretold < 0; TypeError for mixed arithmetics.
    """
    xp = namespace(f, f_p, foretold)
    _expect_scalars(f=f, f_p=f_p, foretold=foretold)
    expect(xp.all_finite(f), "f", "a finite number", "a step starts from it", f)
    if not (xp.all_finite(f_p) and foretold >= 0):
        expect(not xp.exact, "foretold", "a number >= 0", "ρ would be −∞, which is no rational number", foretold)
        return xp.asarray(float("-inf"))                                      # DEV-LM-2
    if not foretold > 0:
        return xp.const(Fraction(1, 2))                                       # DEV-LM-1
    return (f - f_p) / foretold                                               # R(5.5)


def _expect_scalars(**values: Any) -> None:
    """Raise ValueError for an array that is not 0-d."""
    for name, value in values.items():
        shape = tuple(getattr(value, "shape", ()))
        expect(shape == (), name, "one number", "a step has one", f"shape {shape}")


def _prepare(given: dict[str, Any]) -> dict[str, Any]:
    lam_LM, rho = given["lam_LM"], given["rho"]
    xp = namespace(lam_LM, rho)
    _expect_scalars(lam_LM=lam_LM, rho=rho)
    expect(xp.all_finite(lam_LM) and bool(lam_LM > 0), "lam_LM", "a finite positive number", "boosting 0 leaves 0", lam_LM)
    expect(xp.all_finite(rho) or bool(rho < 0), "rho", "a number, or −∞", "it is compared with ε", rho)
    check_changes(given["eps"], given["boost"], given["drop"])
    return given


@checked(_prepare)
def adapted(lam_LM: Any, rho: Any, *, eps: Any, boost: Any, drop: Any) -> Any:
    """λ_LM of the next step: boosted after a bad foretelling, dropped after a good one.

    Takes    lam_LM (), rho (); 0 < eps < 1/2; boost > 1; 0 < drop < 1.
    """
    xp = namespace(lam_LM, rho)
    eps = xp.const(eps)
    factor = boost if rho < eps else drop if rho > 1 - eps else 1             # R§5.2.3
    return _normal(xp.const(factor) * lam_LM)                                 # R§5.2.3


def _normal(lam_LM: Any) -> Any:
    """lam_LM (), or the smallest normal number where it is below that."""
    xp = namespace(lam_LM)
    return lam_LM if lam_LM > xp.smallest else xp.const(xp.smallest)          # DEV-LM-3


def check_changes(eps: Any, boost: Any, drop: Any) -> None:
    """Raise ValueError for ε, boost or drop out of range."""
    check_number("eps", eps, lambda eps: 0 < 2 * eps < 1, "a number in (0, 1/2)", "ρ < ε and ρ > 1 − ε exclude each other")
    check_number("boost", boost, lambda boost: boost > 1, "a number > 1", "a bad step makes the next one shorter")
    check_number("drop", drop, lambda drop: 0 < drop < 1, "a number in (0, 1)", "a good step makes the next one longer")


def check_hyper(hyper: Any) -> None:
    """Raise ValueError for alpha, lam_LM, tau, eps, boost, drop, eta or accept out of range."""
    check_number("eta", hyper.eta, lambda eta: eta >= 0, "a number >= 0", "it weighs a penalty")
    check_number("lam_LM", hyper.lam_LM, lambda lam: lam > 0, "a positive number", "boosting 0 leaves 0")
    check_number("tau", hyper.tau, lambda tau: tau > 0, "a positive number", "it keeps B + λI invertible")
    check_changes(hyper.eps, hyper.boost, hyper.drop)
    if hyper.accept is not None:
        check_number("accept", hyper.accept, lambda accept: 0 < accept < hyper.eps, "a number in (0, ε)",
                     "λ must grow after every step that is refused (R Theorem 6)")
        expect(hyper.alpha == 1, "alpha", "1", "ρ, which decides about the step, is taken at θ + p (R Theorem 6)", hyper.alpha)
