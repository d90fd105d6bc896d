"""R (1.5) and (1.6): the cross entropies and their Hessians, by power series in the logits, exact over ℚ.

With e^ŷ = z rational, sigmoid(ŷ + s) = z e^s/(1 + z e^s) is a power series in s with rational coefficients, and so is the logarithm
of its ratio to the value at s = 0: derivatives of the losses come out of `fmpq_series` without a rule of differentiation.
"""

from __future__ import annotations

import itertools
from typing import Any

import flint

from ..checks import Outcome, claimed
from ..statement import Form, Statement, Status

Q = flint.fmpq
Z = (Q(1), Q(1, 3), Q(5, 2), Q(1, 1000), Q(40))
S: Any = flint.fmpq_series([0, 1], prec=3)


def log_change(p):
    """log p(s) − log p(0): coefficients of s and s²."""
    ratio = (p * (1 / p[0])).log()
    return ratio[1], ratio[2]


def bernoulli(sign, hessian, exact_likelihood=True):
    """𝓛 = sign · (y log σ + (1 − y) log(1 − σ)): is 𝓛 = −log p(y) for y = 0, 1, and its second derivative hessian(σ)?"""
    def code():
        for z in Z:
            grown = z * S.exp()
            sigma = grown / (1 + grown)
            one, other = log_change(sigma), log_change(1 - sigma)
            for y in (Q(0), Q(1), Q(1, 3)):
                first, second = (sign * (y * a + (1 - y) * b) for a, b in zip(one, other, strict=True))
                likelihood = -(one[0] if y == 1 else other[0])
                if exact_likelihood and y in (0, 1) and first != likelihood:
                    return Outcome(f"e^ŷ = {z}, y = {y}: ∂𝓛/∂ŷ = {first}, but −∂log p/∂ŷ = {likelihood}")
                if 2 * second != hessian(sigma[0]):
                    return Outcome(f"e^ŷ = {z}, y = {y}: ∂²𝓛/∂ŷ² = {2 * second}, not {hessian(sigma[0])}")
        return Outcome()
    return code


def categorical(sign, cross=1, diagonal=1):
    """𝓛 = sign · Σ y_j log a_j: is 𝓛 = −log p(y), and dᵀ∂²𝓛/∂ŷ²d = dᵀ(diagonal · diag(a) − cross · aaᵀ)d?"""
    def code():
        for z in itertools.permutations(Z, 3):
            for d in ((1, 0, 0), (1, 1, 1), (1, -2, 3)):
                grown = [x * (k * S).exp() for x, k in zip(z, d, strict=True)]
                total = grown[0] + grown[1] + grown[2]
                logs = [log_change(g / total) for g in grown]
                a = [x / (z[0] + z[1] + z[2]) for x in z]
                mean = sum((x * k for x, k in zip(a, d, strict=True)), Q(0))
                wanted = diagonal * sum((x * k * k for x, k in zip(a, d, strict=True)), Q(0)) - cross * mean**2
                for j in range(3):
                    first, second = sign * logs[j][0], 2 * sign * logs[j][1]
                    if first != -logs[j][0]:
                        return Outcome(f"e^ŷ = ({', '.join(map(str, z))}), label {j + 1}: ∂𝓛/∂ŷ has the sign of +log p")
                    if second != wanted:
                        return Outcome(f"e^ŷ = ({', '.join(map(str, z))}): dᵀH_ld = {second}, not {wanted}, for d = {d}")
        return Outcome()
    return code


def variance(value=1, curvature=1):
    """½‖y − ŷ‖² = −log p + constant for a normal distribution of this variance: slopes in ŷ; and H_l = curvature · I."""
    def code():
        for y, y_hat in itertools.product((Q(0), Q(3), Q(-1, 2)), repeat=2):
            half, density = ((y - y_hat - S) ** 2 * (Q(1) / (2 * v)) for v in (Q(1), Q(value)))
            if half[1] != density[1]:
                return Outcome(f"y = {y}, ŷ = {y_hat}: ∂𝓛/∂ŷ = {half[1]}, −∂log p/∂ŷ = {density[1]}")
            if 2 * half[2] != curvature:
                return Outcome(f"H_l = {2 * half[2]}")
        return Outcome()
    return code


SERIES = claimed(Status.EXACT_Q, "power series over ℚ at 5 logits or 60 triples of them")
STATEMENTS = (
    Statement(
        "R.Eq.1.5", "Section 1.2.2",
        Form("𝓛 = Σ_j y_j log σ(ŷ_j) + (1 − y_j) log(1 − σ(ŷ_j)) = −log p, H_l = diag(σ(ŷ))", bernoulli(1, lambda s: s)),
        checks=(SERIES,),
        mutants=(Form("the minus sign, H_l = diag(σ)", bernoulli(-1, lambda s: s)),
                 Form("as printed, H_l = diag(σ(1 − σ))", bernoulli(1, lambda s: s * (1 - s))),
                 Form("the minus sign, H_l = diag(σ²)", bernoulli(-1, lambda s: s * s))),
        repaired=Form("𝓛 = −Σ_j …, H_l = diag(σ(ŷ) ⊙ (1 − σ(ŷ)))", bernoulli(-1, lambda s: s * (1 - s))),
        errata=(1, 2),
        note="Both mistakes, one by one, are among the wrong forms. H_l does not depend on y.",
    ),
    Statement(
        "R.Eq.1.6", "Section 1.2.2",
        Form("𝓛 = Σ_j y_j log a_j = −log p, a = softmax(ŷ), H_l = diag(a) − aaᵀ", categorical(1)),
        checks=(SERIES,),
        mutants=(Form("the minus sign, H_l = diag(a)", categorical(-1, cross=0)),
                 Form("the minus sign, diag(a) + aaᵀ", categorical(-1, cross=-1)),
                 Form("the minus sign, 2diag(a) − aaᵀ", categorical(-1, diagonal=2))),
        repaired=Form("𝓛 = −Σ_j y_j log a_j, H_l = diag(a) − aaᵀ", categorical(-1)),
        errata=(1,),
        note="The Hessian is right as printed, for the loss with its minus sign and Σ_j y_j = 1.",
    ),
    Statement(
        "R.Eq.1.6/1", "Section 1.2.2, above (1.5)",
        Form("𝓛 = ½‖y − ŷ‖²: H_l = I, and −log p of a normal distribution with variance 1 but for a constant", variance()),
        checks=(SERIES,),
        mutants=(Form("variance 2", variance(2)), Form("variance 1/2", variance(Q(1, 2))), Form("H_l = 2I", variance(curvature=2))),
        note="The text says 'with fixed variance': minimisers agree for any, 𝓛 = −log p and Fisher = Gauss-Newton for 1 alone.",
    ),
)
