"""What R chapter 2 says of other methods, where a count, an identity or a number can say yes or no."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from ..checks import Identity, Outcome, claimed, not_checkable, over_Q
from ..fields import dot
from ..statement import Form, Statement, Status
from .common import Q
from .programs import averages, problem


def numerators(beta1: Any) -> Callable[[], Outcome]:
    """What RMSprop with β₁ divides by √v, from 0, is the gradient itself, as in Hinton's lecture."""
    def claim() -> Outcome:
        gradients = [Q(1), Q(3), Q(-2)]
        found = list(itertools.accumulate(gradients, lambda m, g: beta1 * m + (1 - beta1) * g, initial=Q(0)))[1:]
        told = ", ".join(map(str, found))
        return Outcome("" if found == gradients else f"gradients 1, 3, −2: the average with β₁ = {beta1} is {told}")
    return claim


def warm_start(ratio: Callable[[int, int], Any]) -> Callable[[], Outcome]:
    """Multiply-adds an example and layer: A needs a forward pass and āāᵀ; G a backward pass and ggᵀ more."""
    def claim() -> Outcome:
        for d_i, d_o in ((1, 1), (784, 1000), (1000, 784), (30, 250), (250, 30)):
            ours = d_o * d_i + d_i * d_i
            theirs = ours + d_i * d_o + d_o * d_o
            if Q(theirs, ours) != ratio(d_i, d_o):
                return Outcome(f"d_i = {d_i}, d_o = {d_o}: the ratio is {Q(theirs, ours)}")
        return Outcome()
    return claim


def doubled(stale: bool = False, share: int = 2) -> Callable[[], Outcome]:
    """The mean of the second pass' gradient (last batch, new θ) and of this step's is that of both batches together, at θ."""
    def claim() -> Outcome:
        given = problem()
        old = given.W
        new = [W - Q(1, 7) * D for W, D in zip(old, averages(given, old, given.examples[0])["DW"], strict=True)]
        second = averages(given, old if stale else new, given.examples[0])["DW"]
        first = averages(given, new, given.examples[1])["DW"]
        both = averages(given, new, [*given.examples[0], *given.examples[1]])["DW"]
        weight = Q(1, share)
        same = all(weight * a + (1 - weight) * b == c for a, b, c in zip(second, first, both, strict=True))
        return Outcome("" if same else "2-3-2 net: another gradient")
    return claim


def average_hessian(points: int = 2, exact: bool = True) -> Identity:
    """y = ∇f(x + s) − ∇f(x) = (mean of the Hessian along the segment) s; for f = Σ c_i (a_iᵀx)³ that at the midpoint."""
    def pairs(field, n):
        rows = [(field.draw(), field.vector(n)) for _ in range(3)]
        x, s = field.vector(n), field.vector(n)

        def gradient(at: Any) -> Any:
            return sum((a * (3 * c * dot(a, at) ** 2) for c, a in rows), field.zeros(n, 1))

        def hessian_times_s(at: Any) -> Any:
            return sum((a * (6 * c * dot(a, at) * dot(a, s)) for c, a in rows), field.zeros(n, 1))

        where = x + s * (field.number(1, points) if exact else field.number(0))
        yield gradient(x + s) - gradient(x), hessian_times_s(where)
    return pairs


STATEMENTS = (
    Statement(
        "R.Prose.2.of-others", "Section 2.8.2: RMSprop \"exactly as in\" its source, with β₁ = 0.9",
        Form("RMSprop with β₁ = 9/10 divides the gradient itself by √v", numerators(Q(9, 10))),
        checks=(claimed(Status.EXACT_Q, "three gradients"),),
        mutants=(Form("β₁ = 1/2", numerators(Q(1, 2))), Form("β₁ = 999/1000", numerators(Q(999, 1000))),
                 Form("β₁ = 1/10", numerators(Q(1, 10)))),
        repaired=Form("β₁ = 0", numerators(Q(0))), errata=(18,),
        note="\"The only difference is bias correction\" and \"exactly as in Hinton\" cannot both be: DEV-RMSPROP-1."),
    Statement(
        "R.Prose.2.of-others/1", "Section 2.8.2: warm start \"roughly twice as large for KFAC\"",
        Form("the ratio of multiply-adds is 1 + d_o/d_i a layer", warm_start(lambda d_i, d_o: 1 + Q(d_o, d_i))),
        checks=(claimed(Status.EXACT_Q, "counted for five layers"),),
        mutants=(Form("2", warm_start(lambda d_i, d_o: Q(2))), Form("1 + d_i/d_o", warm_start(lambda d_i, d_o: 1 + Q(d_i, d_o))),
                 Form("3/2", warm_start(lambda d_i, d_o: Q(3, 2)))),
        note="So 2 for square layers, and roughly 2 for the autoencoders, whose widths come back; biases and inversions "
        "left out."),
    Statement(
        "R.Prose.2.of-others/2", "Section 2.8.3: \"double-grad-minibatch\"",
        Form("averaging with the second pass' gradient of the step before is the gradient of 2m examples at θ_k", doubled()),
        checks=(claimed(Status.EXACT_Q, "a 2-3-2 net, two batches of two"),),
        mutants=(Form("with the first pass' gradient of the step before", doubled(stale=True)),
                 Form("weights 1/3, 2/3", doubled(share=3)),
                 Form("weights 1, 0", doubled(share=1))),
        note="Right. \"Almost no extra cost\" is m d_i d_o multiply-adds for 𝒟W, which (2.5) does not need, half of the second "
             "pass; and one more gradient to keep (docs/costs.md)."),
    Statement(
        "R.Prose.2.of-others/3", "Section 2.1: B⁺ acts on s as the average of the Hessian along the segment",
        Form("y = (average of ∇²f over the segment) s; for a cubic f, the Hessian at the midpoint", average_hessian()),
        checks=(over_Q(),),
        mutants=(Form("the Hessian at x", average_hessian(exact=False)), Form("the Hessian at a third", average_hessian(points=3)),
                 Form("the Hessian at x⁺", average_hessian(points=1)))),
    Statement(
        "R.Prose.2.of-others/4", "Sections 2.1, 2.8: other methods and measured comparisons",
        Form("reviews of the literature, running times, figures 2.1 to 2.7, best hyper-parameters", None),
        checks=(not_checkable("measurements and histories; nothing in them follows from the formulas"),),
        note="\"At least 90% of the pairs\" (Figure 2.1) included. examples/ablation.py runs these methods on small data."),
)
