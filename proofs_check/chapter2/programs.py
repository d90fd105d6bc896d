"""Algorithms 1, 4, 5 and 7 line by line over ℚ, as printed or put right by switches, and one problem to run them on.

Matrices are python-flint's: a vector is a column,
W_l is (d_l, d_(l−1) + 1) with the biases in its last column. A line that cannot be
carried out raises what Python raises: KeyError for a name without a value, ValueError for shapes that do not fit.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import flint
import numpy as np

from ... import nets
from ...arrays.errors import expect
from ..checks import Outcome
from ..fields import Matrix, dot, outer
from .common import Q, bfgs_H, column, double_damping, eye, lbfgs_H

Values = dict[str, Any]


class Activation(NamedTuple):
    """φ and φ′ of one number."""

    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]


LINEAR = Activation(lambda h: h, lambda h: Q(1))
RELU = Activation(lambda h: max(h, Q(0)), lambda h: Q(int(h > 0)))
SQUARE = Activation(lambda h: h * h, lambda h: 2 * h)


def over(of: Callable[[Any], Any], v: Matrix) -> Matrix:
    """A function of every entry of a column."""
    return flint.fmpq_mat(v.nrows(), 1, [of(x) for x in v.entries()])


def hadamard(v: Matrix, w: Matrix) -> Matrix:
    """v ⊙ w."""
    expect(v.nrows() == w.nrows(), "⊙", f"{w.nrows()} entries", "it multiplies entry by entry", f"{v.nrows()}")
    return flint.fmpq_mat(v.nrows(), 1, [a * b for a, b in zip(v.entries(), w.entries(), strict=True)])


def upper(v: Matrix, n: int) -> Matrix:
    """The first n entries of a column."""
    return column(*v.entries()[:n])


def algorithm_1(W: list[Matrix], phi: list[Activation], x: Matrix, y: Matrix, *, keeps_bias: bool = False, homogeneous: bool = True,
                slope_at: str = "h", transposed: bool = True) -> dict[str, list[Matrix]]:
    """Forward and backward pass with the loss ½‖a_L − y‖²; as printed with `keeps_bias`, line 4's 𝒟a_(l−1) = W_lᵀ g_l."""
    a, bars, hs, L = x, [], [], len(W)
    for l in range(L):                                                                                       # line 2
        bars.append(column(*a.entries(), 1) if homogeneous else a)
        hs.append(W[l] * bars[l])
        a = over(phi[l].value, hs[l])
    Da = a - y                                                                                               # line 3
    g, DW = [eye(1)] * L, [eye(1)] * L
    for l in reversed(range(L)):                                                                             # line 4
        g[l] = hadamard(Da, over(phi[l].slope, hs[l] if slope_at == "h" else over(phi[l].value, hs[l])))
        DW[l] = outer(g[l], bars[l])
        back = (W[l].transpose() if transposed else W[l]) * g[l]
        Da = back if keeps_bias or l == 0 else upper(back, hs[l - 1].nrows())
    return {"a": bars, "h": hs, "g": g, "DW": DW}


Example = tuple[Matrix, Matrix, Matrix]


class Problem(NamedTuple):
    """A net of rational numbers in both forms: for `reference`, and as matrices. An example is x, y and a sampled y."""

    model: Any
    params: Any
    batches: tuple[Any, ...]
    phi: list[Activation]
    W: list[Matrix]
    examples: list[list[Example]]


def targets(batch: nets.Batch) -> Any:
    """The sampled targets of a batch (N, d)."""
    expect(batch.y_sampled is not None, "y_sampled", "sampled targets", "Algorithm 7 needs them", "none")
    return batch.y_sampled


@cache
def problem(seed: int = 52) -> Problem:
    """2-3-2, ReLU and linear, ½ squares; three batches of two examples.  W_2 is small, so that Algorithm 3's second step
    and line 17 act."""
    rng = random.Random(seed)

    def numbers(*shape: int) -> Any:
        made = np.empty(shape, dtype=object)
        made.flat[:] = [Q(rng.randint(-6, 6), rng.choice([2, 6, 8])) for _ in range(made.size)]
        return made

    model = nets.mlp((2, 3, 2), ("relu", "linear"), "mse")
    params = (nets.Layer(numbers(3, 2), numbers(3)), nets.Layer(numbers(2, 3) / 8, numbers(2)))
    batches = tuple(nets.Batch(numbers(2, 2), numbers(2, 2), numbers(2, 2)) for _ in range(3))
    W = [matrix(np.concatenate([layer.W, layer.b[:, None]], axis=1)) for layer in params]
    examples = [[(column(*x), column(*y), column(*z)) for x, y, z in zip(b.x, b.y, targets(b), strict=True)] for b in batches]
    return Problem(model, params, batches, [RELU, LINEAR], W, examples)


def matrix(A: Any) -> Matrix:
    """An object array (m, n) as a matrix."""
    return flint.fmpq_mat(A.shape[0], A.shape[1], list(A.flat))


def averages(given: Problem, W: list[Matrix], batch: list[Example], sampled: bool = False) -> Values:
    """By layer: means over the examples of ā, āāᵀ, h, g, ggᵀ and 𝒟W."""
    passes = [algorithm_1(W, given.phi, x, z if sampled else y) for x, y, z in batch]

    def mean(of: Callable[[Any, int], Matrix]) -> list[Matrix]:
        share = Q(1, len(passes))
        return [share * sum((of(one, l) for one in passes[1:]), of(passes[0], l)) for l in range(len(W))]

    return {"a": mean(lambda one, l: one["a"][l]), "aa": mean(lambda one, l: outer(one["a"][l], one["a"][l])),
            "h": mean(lambda one, l: one["h"][l]), "g": mean(lambda one, l: one["g"][l]),
            "gg": mean(lambda one, l: outer(one["g"][l], one["g"][l])), "DW": mean(lambda one, l: one["DW"][l])}


def start(given: Problem, lam: Any, printed: bool, H_a: str = "inverse") -> Values:
    """Line 3 of Algorithms 4 and 5: as printed it gives s_g and y_g no value."""
    A = averages(given, given.W, [one for batch in given.examples for one in batch])["aa"]
    values = {"W": given.W, "A": A, "H_a": [(M + eye(M.nrows(), lam)).inv() if H_a == "inverse" else eye(M.nrows()) for M in A],
              "H_g": [eye(W.nrows()) for W in given.W], "pairs": [[] for _ in given.W],
              "grad_h": [W * Q(0) for W in given.W]}
    if not printed:
        values |= {name: [W * column(*[0] * W.ncols()) for W in given.W] for name in ("s_g", "y_g")}
    return values


BETA, ALPHA, MU1, ROOT = Q(1, 2), Q(1, 3), Q(99, 100), Q(1, 2)
"""β, α, μ₁ and √λ = λ_A = λ_G = μ₂."""


def algorithm_4(given: Problem, memory: int = 0, *, printed: bool = False, momentum: str = "∇f", H_a: str = "inverse",
                before: bool = False, mu2: Any = ROOT, outer_of_mean: bool = False) -> Iterator[Values]:
    """K-BFGS, or with `memory` K-BFGS(L); as printed line 16 reads s_g before it has a value, and line 8 averages ∇f̂ with "
      "itself."""
    v = start(given, ROOT, printed, H_a)
    layers = range(len(given.W))
    for batch in given.examples:
        first = averages(given, v["W"], batch)                                                               # line 6
        v["grad_h"] = [BETA * v["grad_h"][l] + (1 - BETA) * (first["DW"] if momentum == "∇f" else v["grad_h"])[l] for l in layers]
        v["p"] = [v["H_g"][l] * v["grad_h"][l] * v["H_a"][l] for l in layers]                                # line 9
        old = v["W"]
        v["W"] = [v["W"][l] - ALPHA * v["p"][l] for l in layers]                                             # line 11
        second = averages(given, old if before else v["W"], batch)                                           # line 13
        moved(v, first, second, layers)                                                                      # line 16
        for l in layers:
            s, y = double_damping(v["s_g"][l], v["y_g"][l], v["H_g"][l], MU1, mu2)                           # line 17
            remember(v, l, s, y, memory)                                                                     # line 18
            aa = outer(first["a"][l], first["a"][l]) if outer_of_mean else first["aa"][l]
            v["A"][l] = BETA * v["A"][l] + (1 - BETA) * aa                                                   # line 20
            A_LM = v["A"][l] + eye(aa.nrows(), ROOT)                                                         # line 21
            s_a = v["H_a"][l] * first["a"][l]                                                                # line 22
            v["H_a"][l] = bfgs_H(v["H_a"][l], s_a, A_LM * s_a)                                               # line 23
        yield copied(v)


def moved(v: Values, first: Values, second: Values, layers: range) -> None:
    """Line 16 of Algorithm 4, line 15 of Algorithm 5."""
    for name, of in (("s_g", "h"), ("y_g", "g")):
        v[name] = [BETA * v[name][l] + (1 - BETA) * (second[of][l] - first[of][l]) for l in layers]


def remember(v: Values, l: int, s: Matrix, y: Matrix, memory: int) -> None:
    """The (L-)BFGS update of H_g."""
    v["pairs"][l] = [*v["pairs"][l], (s, y)][-memory:]
    v["H_g"][l] = lbfgs_H(s.nrows(), v["pairs"][l]) if memory else bfgs_H(v["H_g"][l], s, y)


def copied(v: Values) -> Values:
    """The values now, in lists of their own."""
    return {name: list(value) for name, value in v.items()}


def algorithm_5(given: Problem, memory: int = 3, *, printed: bool = False, skips: bool = True, late: bool = False,
                mu1: Any = MU1) -> Iterator[Values]:
    """K-BFGS(L) with skipping and exact inversion; `late` would use H_a(k) in line 8; mu1 that of line 17."""
    v = start(given, ROOT, printed)
    layers = range(len(given.W))
    for batch in given.examples:
        first = averages(given, v["W"], batch)                                                               # line 6
        A = [BETA * v["A"][l] + (1 - BETA) * first["aa"][l] for l in layers]                                 # line 21
        H_a = [(M + eye(M.nrows(), ROOT)).inv() for M in A]                                                  # lines 22 and 23
        v["used"] = [(H_a if late else v["H_a"])[l] for l in layers] + [v["H_g"][l] for l in layers]
        v["p"] = [v["H_g"][l] * first["DW"][l] * (H_a if late else v["H_a"])[l] for l in layers]             # line 8
        v["W"] = [v["W"][l] - ALPHA * v["p"][l] for l in layers]                                             # line 10
        moved(v, first, averages(given, v["W"], batch), layers)                                              # lines 12 and 15
        for l in layers:
            s, y = double_damping(v["s_g"][l], v["y_g"][l], v["H_g"][l], MU1, ROOT)                          # line 16
            if dot(s, y) >= mu1 * dot(y, v["H_g"][l] * y) or not skips:                                      # line 17
                remember(v, l, s, y, memory)                                                                 # line 18
        v["A"], v["H_a"] = A, H_a
        yield copied(v)


def algorithm_7(given: Problem, T: int = 2, *, printed: bool = False, momentum: bool = True, targets: str = "sampled",
                every: bool = False) -> Iterator[Values]:
    """K-FAC; as printed line 5 reads H_a, H_g and ∇f̂ before they have values. `every` inverts in every step."""
    everything = [one for batch in given.examples for one in batch]
    first = averages(given, given.W, everything, sampled=True)
    v: Values = {"W": given.W, "A": first["aa"], "G": first["gg"]}                                           # Section 2.8.2
    layers = range(len(given.W))

    def inverses() -> Values:
        return {H: [(M + eye(M.nrows(), ROOT)).inv() for M in v[name]] for H, name in (("H_a", "A"), ("H_g", "G"))}

    if not printed:
        v |= inverses() | {"grad_h": [W * Q(0) for W in given.W]}
    for k, batch in enumerate(given.examples, 1):
        now = averages(given, v["W"], batch)                                                                 # line 3
        drawn = averages(given, v["W"], batch, sampled=targets == "sampled")                                 # line 8
        if not printed:
            v["grad_h"] = [BETA * v["grad_h"][l] + (1 - BETA) * now["DW"][l] if momentum else now["DW"][l] for l in layers]
        v["p"] = [v["H_g"][l] * v["grad_h"][l] * v["H_a"][l] for l in layers]                                # line 5
        v["W"] = [v["W"][l] - ALPHA * v["p"][l] for l in layers]                                             # line 6
        for name, of in (("A", "aa"), ("G", "gg")):                                                          # line 9
            v[name] = [BETA * v[name][l] + (1 - BETA) * drawn[of][l] for l in layers]
        if k <= T or k % T == 0 or every:                                                                    # line 10
            v |= inverses()                                                                                  # line 11
        yield copied(v)


def against_reference(module: Any, hyper: Any, run: Callable[[Problem], Iterator[Values]], names: dict[str, str],
                      steps: int = 2) -> Outcome:
    """The lines beside the reference, step by step, exactly; `names`: those of the run for those of the reference's trace."""
    given = problem()
    params = given.params
    state = module.init(given.model, params, given.batches, hyper)
    try:
        for k, (batch, values) in enumerate(zip(given.batches[:steps], run(given), strict=False), 1):
            params, state, trace = module.step(given.model, params, state, batch, hyper)
            for ours, theirs in names.items():
                for l, (mine, other) in enumerate(zip(values[ours], getattr(trace, theirs), strict=True), 1):
                    other = other if hasattr(other, "ndim") else other @ np.array(eye(mine.nrows()).tolist(), dtype=object)
                    if list(mine.entries()) != list(other.flat):
                        return Outcome(f"step {k}, layer {l}: {ours} is another than the reference's")
    except KeyError as missing:
        return Outcome(f"step 1 reads {missing.args[0]}, which has no value")
    except ZeroDivisionError:
        return Outcome("division by zero")
    return Outcome(detail=f"{steps} steps of a 2-3-2 net, all numbers equal")
