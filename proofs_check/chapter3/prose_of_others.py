"""What R chapter 3 says of other methods, and of its own beside them: ReLU networks, K-BFGS-20, K-FAC, Adam, the warm start."""

import itertools
from fractions import Fraction
from math import prod
from typing import Any

from ..checks import Outcome, claimed, not_checkable
from ..statement import Form, Statement, Status
from .common import Q
from .table_3_1 import ENTRIES, PRINTED_WORK, WORK, D, P, bounded, m, product, shown, t, terms


def networks():
    """(J, I, |𝒯|) of the convolutions of 3 × 3 on images of 32 × 32, by network of Section 3.7.1."""
    J, size, vgg = 3, 32, []
    for I in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):             # 0 is a pool
        if I == 0:
            size //= 2
        else:
            vgg.append((J, I, size**2))
            J = I
    resnet = [(3, 16, 1024)]
    for width, area in ((16, 1024), (32, 256), (64, 64)):
        resnet += [(resnet[-1][1], width, area)] + [(width, width, area)] * 9
    return {"VGG16": vgg, "ResNet32": resnet}


T, T_1, T_2 = 20, 10, 100
THESIS = {"m": 128, "K": 9, "p": 100, "t": Fraction(1, T), "t1": Fraction(1, T_1), "t2": Fraction(1, T_2)}
"""Sections 3.4.3 and 3.7.1."""


def at(polynomial, layer):
    """A polynomial's value for a layer (J, I, |𝒯|) at the thesis' sizes."""
    J, I, area = layer
    values = THESIS | {"J": J, "I": I, "P": area}
    order: list[Any] = [values[name] for name in ("m", "P", "I", "J", "K", "p", "t", "t1", "t2")]
    value = Fraction(0)
    for powers, c in zip(polynomial.monoms(), polynomial.coeffs(), strict=True) if polynomial != 0 else ():
        value += int(c) * prod(Fraction(x)**int(power) for x, power in zip(order, powers, strict=True))
    return value


def total(name, net, columns):
    """The sum of some columns over the convolutions of a network."""
    return sum(at(WORK[name][column], layer) for layer in networks()[net] for column in columns)


# -------------------------------------------------------------------------------------------------------------------- claims

def gauss_newton(blocks=True, active=True, v=3):
    """½(v relu(wx) − 1)²: is ∇²f the Gauss-Newton matrix, everywhere or on the diagonal? active: does the unit's slope stay 1?"""
    def claim():
        w, x, v_ = Q(2), Q(1), Q(v)

        def f(w, v):
            h = w * x if active else (w * x)**2
            return (v * h - 1)**2 / 2
        slope_w = v_ * x if active else 2 * v_ * w * x * x
        slopes = [slope_w, w * x if active else (w * x)**2]
        mixed = (f(w + 1, v_ + 1) - f(w + 1, v_ - 1) - f(w - 1, v_ + 1) + f(w - 1, v_ - 1)) / 4
        second = [[f(w + 1, v_) - 2 * f(w, v_) + f(w - 1, v_), mixed], [mixed, f(w, v_ + 1) - 2 * f(w, v_) + f(w, v_ - 1)]]
        for i, j in ((0, 0), (1, 1)) if blocks else ((0, 0), (1, 1), (0, 1)):
            if second[i][j] != slopes[i] * slopes[j]:
                return Outcome(f"w = 2, v = {v}, x = 1, target 1: entry {i + 1, j + 1} is {second[i][j]}, of Gauss-Newton "
                               f"{slopes[i] * slopes[j]}")
        return Outcome(detail="one unit in each of two layers")
    return claim


def old_action(weight=2, of_T=True):
    """K-BFGS-20 forms A of the mini-batch: the term m|𝒯|(J|Δ|)^weight/T takes the place of m|𝒯|J|Δ|/T."""
    def claim():
        formed = (t if of_T else t**0) * product(D, m * P, D)
        stated = list(terms(t * m * P * (D - 1)**weight))
        loose = [term for term in terms(formed) if not any(bounded(term, other) for other in stated)]
        if loose or not all(term in terms(formed) for term in stated):
            return Outcome(f"forming A: {[shown(term) for term in terms(formed)][:1]}, stated {[shown(term) for term in stated]}")
        if any(bounded(term, other) for term in stated for other in terms(PRINTED_WORK["K-BFGS"]["curvature"])):
            return Outcome("bounded by what the table has already")
        return Outcome(detail="forming A takes m|𝒯|D² multiply-adds")
    return claim


def like_adam(J_to_I, most):
    """Is the state of K-BFGS at most `most` times Adam's, windows of nine pixels, J = J_to_I · I, I up to 10⁴?"""
    def claim():
        for I in (16, 64, 512, 10**4):
            layer = max(1, int(J_to_I * I)), I, 1
            ratio = at(ENTRIES["K-BFGS"]["Total"], layer) / at(ENTRIES["Adam"]["Total"], layer)
            if ratio > most:
                return Outcome(f"I = {I}, J = {layer[0]}, |Δ| = 9: {float(ratio):.3g} times Adam's")
        return Outcome(detail=f"J = {J_to_I} I: at most {most} times Adam's")
    return claim


def positions(fewest):
    """Has VGG16 at least `fewest` convolutions with |𝒯| > max(I, J)?"""
    def claim():
        more = sum(area > max(J, I) for J, I, area in networks()["VGG16"])
        return Outcome("" if more >= fewest else f"VGG16 on 32 × 32: |𝒯| > max(I, J) in {more} of 13 convolutions", f"{more} of 13")
    return claim


def warm_start(net, most):
    """Multiply-adds of forming A for all examples, over those of an epoch of SGD (forward, backward, weights)."""
    def claim():
        A = sum(at(P * D**2, layer) for layer in networks()[net])
        epoch = sum(3 * at(P * D, layer) * layer[1] for layer in networks()[net])
        found = f"{net}: {float(A / epoch):.2g} epochs"
        return Outcome("" if most * epoch >= A else found, found)
    return claim


def first_direction(scaled):
    """The first momentum of Algorithms 4 and 9 on a gradient 1, β = 9/10, and H_G at first for λ = 1 or 4."""
    def claim():
        beta = Fraction(9, 10)
        chapter_2, chapter_3 = (1 - beta) / (1 if not scaled else 1 - beta), Fraction(1)
        if chapter_2 != chapter_3:
            return Outcome(f"gradient 1: first momentum {chapter_2} in Algorithm 4, {chapter_3} in Algorithm 9")
        return Outcome(detail="α times 1 − β, λ = 1")
    return claim


def cheaper(columns, factor, names=("K-BFGS",), nets=("VGG16", "ResNet32")):
    """Do these columns of K-BFGS take less than 1/factor of K-FAC's, in both networks?"""
    def claim():
        found = []
        for name, net in itertools.product(names, nets):
            ratio = total("KFAC", net, columns) / total(name, net, columns)
            if ratio < factor:
                return Outcome(f"{name}, {net}: K-FAC's is {float(ratio):.2g} times as much")
            found.append(f"{net} {float(ratio):.2g}")
        return Outcome(detail="K-FAC's over K-BFGS's: " + ", ".join(found))
    return claim


EXACT = claimed(Status.EXACT_Q, "exact numbers")
ALL = ("pass", "curvature", "step")
COUNTS = claimed(Status.EXACT_Q, "multiply-adds and entries as in Tables 3.1 and 3.2, at the thesis' sizes (m = 128, p = 100, T = "
                                 "20, T_1 = 10, T_2 = 100)")

STATEMENTS = (
    Statement(
        "R.Prose.3.of-others/1", "Section 3.2.2, on Wu et al.",
        Form("all activations ReLU: the Hessian is a Gauss-Newton matrix", gauss_newton(blocks=False)), checks=(EXACT,),
        mutants=(Form("activations squared, diagonal blocks", gauss_newton(active=False)),
                 Form("activations squared, all blocks", gauss_newton(active=False, blocks=False)),
                 Form("another weight, all blocks", gauss_newton(blocks=False, v=5))),
        repaired=Form("its diagonal blocks, layer by layer, away from kinks, are those of the Gauss-Newton matrix", gauss_newton()),
        errata=(45,),
        note="Off the diagonal ∂²ŷ/∂W_l ∂W_l′ remains."),
    Statement(
        "R.Prose.3.of-others/2", "Section 3.5, on K-BFGS-20",
        Form("with its Hessian action m J|Δ||𝒯|/T would increase to m J²|Δ|²|𝒯|/T", old_action()), checks=(COUNTS,),
        mutants=(Form("to m J³|Δ|³|𝒯|/T", old_action(3)), Form("to m J|Δ||𝒯|/T", old_action(1)),
                 Form("not over T", old_action(of_T=False))),
        note="Half of it where the symmetry of A is used."),
    Statement(
        "R.Prose.3.of-others/3", "Section 3.5, on Adam",
        Form("the memory of K-BFGS is of the order of Adam's in terms of I and J", like_adam(Fraction(100), 50)), checks=(COUNTS,),
        mutants=(Form("J = 16 I", like_adam(Fraction(16), 50)), Form("J = I/64, factor 3", like_adam(Fraction(1, 64), 3)),
                 Form("J = I, factor 4", like_adam(Fraction(1), 4))),
        repaired=Form("the same where J/I is bounded both ways, up to the factor (|Δ| + 1 + 1/|Δ|)/2 for J = I",
                      like_adam(Fraction(1), 6)),
        note="In the thesis' networks J <= I, I/J is 1 or 2, and 21 in VGG16's first layer. J²|Δ|² alone is |Δ|J/I times IJ|Δ|."),
    Statement(
        "R.Prose.3.of-others/4", "Section 3.5: \"|𝒯| is usually much larger than I or J\"",
        Form("|𝒯| > max(I, J) in most convolutions of VGG16", positions(7)), checks=(COUNTS,),
        mutants=(Form("in five", positions(5)), Form("in six", positions(6)), Form("in all", positions(13))),
        repaired=Form("in four of thirteen", positions(4)),
        note="Images of 32 × 32. In ResNet32 it is, but for its last block, where they are equal."),
    Statement(
        "R.Prose.3.of-others/5", "Sections 3.4.3 and 3.7.2, on the warm start",
        Form("forming A takes no more than an epoch", warm_start("VGG16", 1)), checks=(COUNTS,),
        mutants=(Form("two epochs", warm_start("VGG16", 2)), Form("ResNet32, one epoch", warm_start("ResNet32", 1)),
                 Form("ResNet32, half an epoch", warm_start("ResNet32", Fraction(1, 2)))),
        repaired=Form("up to three epochs of SGD", warm_start("VGG16", 3)), errata=(46,),
        note="Products in full; half of it where the symmetry of A is used."),
    Statement(
        "R.Prose.3.of-others/6", "Sections 3.4.3 and 3.7.3, on K-BFGS-20",
        Form("without both improvements it is K-BFGS-20, settings \"exactly the same as in Chapter 2\"",
             first_direction(scaled=False)),
        checks=(EXACT,), repaired=Form("… with α times 1 − β and λ = 1", first_direction(scaled=True)), errata=(41,),
        pinned="an equality of two algorithms; the scale is the one between their momenta",
        note="Momentum is a heavy ball here and an average there; H_G starts from I/λ_G, not from I."),
    Statement(
        "R.Prose.3.of-others/7", "Section 3.5, on K-FAC",
        Form("K-BFGS takes considerably less time than K-FAC for curvature", cheaper(("curvature",), 100)), checks=(COUNTS,),
        mutants=(Form("a thousandth", cheaper(("curvature",), 1000)), Form("of the step ΔW, half", cheaper(("step",), 2)),
                 Form("of all beyond SGD, a tenth", cheaper(ALL, 10))),
        note="Above all since nothing is inverted and no A is formed in a step; the warm start does both, once."),
    Statement(
        "R.Prose.3.of-others/8", "Section 3.1, on K-FAC: per-iteration time \"smaller, and in many cases, much smaller\"",
        Form("all that K-BFGS and K-BFGS(L) do beyond SGD takes less than K-FAC's", cheaper(ALL, 1, ("K-BFGS", "K-BFGS(L)"))),
        checks=(COUNTS,),
        mutants=(Form("half, in both networks", cheaper(ALL, 2, ("K-BFGS", "K-BFGS(L)"))), Form("a tenth, ResNet32", cheaper(
            ALL, 10, nets=("ResNet32",))), Form("K-BFGS(L), half, VGG16", cheaper(ALL, 2, ("K-BFGS(L)",), ("VGG16",)))),
        note="The step ΔW, which is K-FAC's as well, is most of it for VGG16. docs/costs.md counts the code, which saves more."),
    Statement(
        "R.Prose.3.of-others/9", "Section 3.2.2, on Grosse and Martens",
        Form("the assumptions behind (3.6) are analogous to theirs", None),
        checks=(not_checkable("an analogy, without a statement that could be false"),)),
)
