"""R Algorithms 9 and 10, line by line: names, shapes, and two exact steps of the reference against the printed lines.

The steps are taken on images of 2 × 2 by a convolution of one pixel, ReLU and a dense layer, in Fractions; λ = 1/4, so that √λ and
√|𝒯| = 2 are rational. "pair" and "momentum" follow one line alone, as it is printed.
"""

import functools
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ... import nets
from ...reference import METHODS
from ..checks import Outcome, claimed, on
from ..statement import Form, Statement, Status
from . import common
from .common import Q
from .lemma_6 import runs as pairs_of_lemma_6
from .lines import Line, followed

SHAPES = {"DW": ("I", "D"), "DW_h": ("I", "D"), "H_G": ("I", "I"), "H_A": ("D", "D"), "p": ("I", "D"), "a": ("D", "1"),
          "s_A": ("D", "1"), "A": ("D", "D"), "A s_A": ("D", "1"), "y": ("I", "1"), "H_G y": ("I", "1")}
STEP = (("H_G", "DW_h", "H_A", "p"),)

ALGORITHM_9 = (
    Line(1, (), ("mu1", "beta"), every="start"), Line(2, ("lam",), ("lam_A", "lam_G"), every="start"),
    Line(3, ("data", "lam_A", "lam_G"), ("DW_h", "A", "H_A", "H_G", "s_G", "y_G"), every="start"),
    Line(5, ("m", "data"), ("M_k",)), Line(6, ("M_k", "W"), ("DW", "a", "h", "Dh")), Line(8, ("beta", "DW_h", "DW"), ("DW_h",)),
    Line(9, ("H_G", "DW_h", "H_A"), ("p",), STEP), Line(10, ("W", "alpha_k", "p"), ("W",)),
    Line(13, ("M_k", "W"), ("h+", "Dh+"), every="T"),
    Line(16, ("H_A", "a", "lam_A"), ("s_A", "y_A"), (("H_A", "a", "s_A"), ("A", "s_A", "A s_A")), "T"),
    Line(17, ("H_A", "s_A", "y_A"), ("H_A",), every="T"),
    Line(19, ("beta", "s_G", "y_G", "h+", "h", "Dh+", "Dh"), ("s_G", "y_G"), every="T"),
    Line(20, ("s_G", "y_G", "H_G", "mu1", "lam_G"), ("s_t", "y_t"), (("H_G", "y", "H_G y"),), "T"),
    Line(21, ("H_G", "s_t", "y_t"), ("H_G",), every="T"))
GIVEN = ("alpha_k", "lam", "T", "m", "data", "W")

ALGORITHM_10 = (
    Line(1, ("data", "lam_A", "lam_G"), ("A", "H_A", "H_G", "s_G", "y_G"), every="start"), Line(3, ("m", "data"), ("M_k",)),
    Line(4, ("M_k", "W"), ("DW", "a", "h", "Dh")), Line(6, ("H_G", "DW", "H_A"), ("p",), (("H_G", "DW", "H_A", "p"),)),
    Line(7, ("W", "alpha_k", "p"), ("W",)), Line(9, ("M_k", "W"), ("h+", "Dh+")), Line(12, ("a", "lam_A"), ("A_h", "H_A")),
    Line(14, ("beta", "s_G", "y_G", "h+", "h", "Dh+", "Dh"), ("s_G", "y_G")),
    Line(15, ("s_G", "y_G", "mu1", "lam_G"), ("s_t", "y_t")), Line(16, ("H_G", "s_t", "y_t"), ("H_G",)))
GIVEN_10 = ("alpha_k", "lam_A", "lam_G", "m", "mu1", "beta", "data", "W")


def without(number, name, lines=ALGORITHM_9):
    """The lines without a name that one of them writes."""
    return tuple(line._replace(writes=tuple(one for one in line.writes if one != name)) if line.number == number else line
                 for line in lines)


RARELY = tuple(line._replace(every="T'") if line.number == 13 else line for line in ALGORITHM_9)
"""Line 13 with a period of its own."""

# -------------------------------------------------------------------------------------------------------------- two exact steps

class Taken(NamedTuple):
    """One step: parameters, state, and tape before it, trace, and the same after it."""

    params: Any
    state: Any
    tape: Any
    g: Any
    trace: Any
    after: Any
    g_after: Any
    new_state: Any


@functools.cache
def steps(method):
    """Two steps of `kbfgs` or `kbfgs_l_exact`, in Fractions."""
    rng = np.random.default_rng(9)

    def drawn(*shape):
        return np.vectorize(lambda k: Fraction(int(k), 4), otypes=[object])(rng.integers(-6, 7, size=shape))
    model = nets.cnn((1, 2, 2), (nets.Conv2d(2, 1), nets.Act("relu"), nets.Flatten(), nets.Dense(1)), "mse")
    params = tuple(nets.Layer(drawn(*shape), drawn(shape[0])) for shape in nets.layer_shapes(model))
    batches = [nets.Batch(drawn(3, 1, 2, 2), drawn(3, 1)) for _ in range(2)]
    code, alpha = METHODS[method], Fraction(1, 8)
    hyper = code.Hyper(alpha=alpha, lam=Fraction(1, 4)) if method == "kbfgs" else code.Hyper(
        alpha=alpha, lam_A=Fraction(1, 2), lam_G=Fraction(1, 3), p=1)
    state, taken = code.init(model, params, batches, hyper), []
    for batch in batches:
        new, new_state, trace = code.step(model, params, state, batch, hyper)
        tapes = [nets.forward(model, one, batch.x) for one in (params, new)]
        slopes = [nets.pre_gradients(model, one, tape, batch.y) for one, tape in zip((params, new), tapes, strict=True)]
        taken.append(Taken(params, state, tapes[0], slopes[0], trace, tapes[1], slopes[1], new_state))
        params, state = new, new_state
    return hyper, taken


def mean(x):
    """The mean over examples and positions."""
    return x.reshape(-1, x.shape[-1]).sum(axis=0) / Fraction(x.shape[0] * x.shape[1])


def second(a):
    """E_n[Σ_t a_t a_tᵀ]."""
    return a.reshape(-1, a.shape[-1]).T @ a.reshape(-1, a.shape[-1]) / Fraction(a.shape[0])


def eye(n):
    """The identity in Fractions."""
    return np.vectorize(Fraction, otypes=[object])(np.eye(n, dtype=int))


def differences(method, fresh=1, pair_weight=None, damping=1, action=True):
    """Names and steps at which the reference differs from the printed lines.

    Takes    fresh: the weight of 𝒟W in line 8; pair_weight: that of the new differences in line 19 or 14, 1 − β if None;
             damping: a factor on λ_A; action: H_A by the update of lines 16 and 17 (Algorithm 9), or by inversion (10).
    """
    hyper, taken = steps(method)
    beta = hyper.beta
    weight = 1 - beta if pair_weight is None else pair_weight
    for k, (_, state, tape, g, trace, after, g_after, new_state) in enumerate(taken, 1):
        for l, P in enumerate(x.shape[1] for x in tape.a):
            lam_A, lam_G = (Fraction(P**0.5) / 2, 1 / Fraction(P**0.5) / 2) if method == "kbfgs" else (hyper.lam_A, hyper.lam_G)
            flat_g, flat_a, N = g[l].reshape(-1, g[l].shape[-1]), tape.a[l].reshape(-1, tape.a[l].shape[-1]), tape.a[l].shape[0]
            DW = flat_g.T @ flat_a / Fraction(N)
            moved = beta * state.DW_h[l] + fresh * DW if method == "kbfgs" else fresh * DW
            p = state.H_G[l] @ moved @ state.H_A[l]
            A, a_b = second(tape.a[l]), mean(tape.a[l])
            s_G = beta * state.s_G[l] + weight * (mean(after.h[l]) - mean(tape.h[l]))
            y_G = beta * state.y_G[l] + weight * (mean(g_after[l]) - mean(g[l]))
            expected = {"DW": (trace.DW[l], DW), "p": (trace.p[l], p), "s_G": (trace.s_G[l], s_G), "y_G": (trace.y_G[l], y_G),
                        "y_t": (trace.y_t[l], y_G + lam_G * trace.s_t[l])}
            if action:
                s_A = state.H_A[l] @ a_b
                y_A = A @ s_A + damping * lam_A * s_A
                expected |= {"s_A": (trace.s_A[l], s_A), "y_A": (trace.y_A[l], y_A), "H_A y_A": (new_state.H_A[l] @ y_A, s_A)}
            else:
                expected |= {"H_A": (new_state.H_A[l] @ (A + damping * lam_A * eye(len(A))), eye(len(A)))}
            if (trace.s_t[l] != 0).any():
                expected |= {"H_G y_t": (new_state.H_G[l] @ trace.y_t[l], trace.s_t[l])}
            if k == 1:
                expected |= {"H_G at first": (state.H_G[l] @ eye(len(y_G)), eye(len(y_G)) / lam_G)}
            for name, (found, right) in expected.items():
                if (found != right).any():
                    yield f"step {k}, layer {l + 1}: {name}"


def reference(method, **changes):
    """The reference's two steps are the printed lines."""
    def claim():
        return Outcome(next(differences(method, action=method == "kbfgs", **changes), ""), "two steps, a convolution and a dense "
                                                                                           "layer")
    return claim


# --------------------------------------------------------------------------------------------------------------- single lines

def momentum(same_accent=False, fresh=1):
    """Lines 6 and 8 on gradients 1 and 3: Section 3.4.2 has 1, then β + 3. One name for both: line 6 overwrites the momentum."""
    def claim():
        beta, kept = Fraction(9, 10), Fraction(0)
        for k, g in enumerate((Fraction(1), Fraction(3)), 1):
            kept = beta * g + g if same_accent else beta * kept + fresh * g
            if kept != (1 if k == 1 else beta + 3):
                return Outcome(f"gradients 1, 3: the momentum of step {k} is {kept}, by Section 3.4.2 {1 if k == 1 else beta + 3}")
        return Outcome(detail="gradients 1 and 3")
    return claim


def pair(zero=True, curved=True):
    """The update that follows the damping, for the pair (0, 0) of a layer that gets no gradient and no change of its inputs."""
    def claim():
        H = common.identity(2, Q(2))
        found = [([Q(0), Q(0)], [Q(0), Q(0)])] if zero else []
        for s, y in [*found, ([Q(1), Q(0)], [Q(-1), Q(1)]), ([Q(0), Q(0)], [Q(1), Q(0)])]:
            s_t, y_t = common.dp_dlm(s, y, H, Q(1, 5), Q(1, 2)) if curved else (s, y)
            if not common.dot(s_t, y_t) > 0:
                return Outcome(f"s = {s}, y = {y}: ρ = 1/{common.dot(s_t, y_t)}")
            common.bfgs(H, s_t, y_t)
        return Outcome(detail="negative curvature, s = 0")
    return claim


def nine(**changes):
    """Algorithm 9, repaired, with some parts replaced."""
    return {"lines": followed(GIVEN, ALGORITHM_9, SHAPES, {"T": 2}), "reference": reference("kbfgs"), "momentum": momentum(),
            "pair": pair(zero=False)} | changes


def ten(**changes):
    """Algorithm 10, repaired, with some parts replaced."""
    return {"lines": followed(GIVEN_10, ALGORITHM_10, SHAPES), "reference": reference("kbfgs_l_exact"), "pair": pair(zero=False),
            "line 15": pairs_of_lemma_6()} | changes


CHECKS = (on("lines", claimed(Status.EXACT_Q, "names and shapes, followed for six steps")),
          on("reference", claimed(Status.EXACT_Q, "two steps of the reference, in Fractions")),
          on("momentum", claimed(Status.EXACT_Q, "lines 6 and 8 on numbers")), on("pair", claimed(Status.EXACT_Q, "damping, then "
                                                                                                                  "BFGS")),
          on("line 15", claimed(Status.SAMPLED, "the bounds of Lemma 6 on H_G")))

STATEMENTS = (
    Statement(
        "R.Alg.9", "Section 3.4.1",
        Form("K-BFGS, line by line", nine(momentum=momentum(same_accent=True), pair=pair())), checks=CHECKS,
        mutants=(Form("(1 − β)𝒟W in line 8", {"reference": reference("kbfgs", fresh=Fraction(1, 10))}),
                 Form("s_G without 1 − β", {"reference": reference("kbfgs", pair_weight=1)}),
                 Form("2λ_A in line 16", {"reference": reference("kbfgs", damping=2)}),
                 Form("H_A not in line 3", {"lines": followed(GIVEN, without(3, "H_A"), SHAPES)}),
                 Form("h⁺ only in every third step", {"lines": followed(GIVEN, RARELY, SHAPES, {"T'": 3})}),
                 Form("H_A 𝒟W H_G", {"lines": followed(
                     GIVEN, (*ALGORITHM_9, Line(9, (), (), (("H_A", "DW_h", "H_G", "p"),))), SHAPES)}),
                 Form("no damping", {"pair": pair(zero=False, curved=False)})),
        repaired=Form("… with a name of its own for the mini-batch gradient of lines 6 and 8, and pairs (0, 0) skipped", nine()),
        errata=(21, 25, 35), long=True,
        note="Everything is defined before it is read, also at k = 1 and where T > 1; shapes match. p, the pairs of L-BFGS, is not "
             "among the given numbers, A_l of line 3 serves H_A alone. In the transcription lines 3, 6 and 8 have one accent for "
             "two things."),
    Statement(
        "R.Alg.10", "Section 3.6",
        Form("K-BFGS(L) with D_P(I) D_LM and exact inversion of A, line by line",
             ten(pair=pair(), **{"line 15": pairs_of_lemma_6(passed=True)})), checks=CHECKS,
        mutants=(Form("2𝒟W in line 6", {"reference": reference("kbfgs_l_exact", fresh=2)}),
                 Form("2λ_A in line 12", {"reference": reference("kbfgs_l_exact", damping=2)}),
                 Form("s_G without 1 − β", {"reference": reference("kbfgs_l_exact", pair_weight=1)}),
                 Form("H_G not in line 1", {"lines": followed(GIVEN_10, without(1, "H_G", ALGORITHM_10), SHAPES)})),
        repaired=Form("… with Algorithm 11 in line 15, which takes no H, and pairs (0, 0) skipped", ten()),
        errata=(15, 21), long=True,
        note="Shapes match and nothing is read before it is written. T is not among the given numbers: the text takes T = 1. The H "
             "of line 6 is of the step before, on the whole data at k = 1."),
)
