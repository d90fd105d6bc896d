"""`stepgauge show`: the paper's lines in our words, with the code that is each of them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from rich.syntax import Syntax
from rich.table import Table

from ..arrays.errors import expect
from ..reference import METHODS
from .procedures import PROCEDURES
from .source import tags_by_line

SUBJECTS: dict[str, Any] = {
    **METHODS,
    **{name: getattr(procedure.module, procedure.function) for name, procedure in PROCEDURES.items()},
}
"""What can be shown: a method's `step`, or a procedure."""

_ALGORITHM_4 = {
    "R4.1": "the default numbers",
    "R4.2": "split the damping evenly into that of A and that of G",
    "R4.4": "count the step",
    "R4.6": "forward and backward over the mini-batch: the gradient in W̄",
    "R4.8": "its moving average",
    "R4.9": "the direction: the average between the two inverses",
    "R4.11": "move W̄ by −α along it",
    "R4.13": "forward and backward again on the same mini-batch, at the new parameters",
    "R4.16": "moving averages of the mean change of h and of g",
    "R4.17": "double damping of that pair",
    "R4.18": "BFGS, or L-BFGS, makes H_g satisfy it",
    "R4.20": "moving average of E[āāᵀ]",
    "R4.21": "plus Levenberg-Marquardt damping",
    "R4.22": "a pair that carries the action of A: s is what H_a makes of the mean input",
    "R4.23": "BFGS makes H_a satisfy it",
}

_ALGORITHM_9 = {
    "R9.1": "the default numbers",
    "R9.2": "split the damping by the number of positions: λ_A = √P √λ, λ_G = √λ/√P",
    "R9.4": "count the step",
    "R9.6": "forward and backward over the mini-batch: the gradient in W̄, summed over positions",
    "R9.8": "its momentum, as a heavy ball",
    "R§3.4.3": "batch normalisation: momentum of γ and β, and a step of α/λ along it",
    "R9.9": "the direction: the momentum between the two inverses",
    "R9.10": "move W̄ by −α along it, plus γW̄ where weight decay is on",
    "R9.12": "in every T-th step",
    "R9.13": "forward and backward again on the same mini-batch, at the new parameters",
    "R9.16": "a pair that carries the action of this mini-batch's A, which is not formed",
    "R§2.4": "without improvement #2: the action of a moving average of A",
    "R9.17": "BFGS makes H_A satisfy it",
    "R9.19": "moving averages of the change of h and of 𝒟h, means over examples and positions",
    "R9.20": "damp that pair: D_P D_LM, or double damping without improvement #1",
    "R9.21": "BFGS, or L-BFGS, makes H_G satisfy it",
}

_ALGORITHM_12 = {
    "R12.1": "the default numbers",
    "R12.3": "count the step",
    "R12.5": "forward and backward over the mini-batch: the gradient in W̄, summed over positions",
    "R12.7": "its momentum, as a heavy ball",
    "R§3.7.2": "batch normalisation: momentum of γ and β, and a step of α along it",
    "R12.8": "the direction: the momentum between the two inverses",
    "R12.9": "move W̄ by −α along it, plus γW̄ where weight decay is on",
    "R12.11": "in every T_1-th step",
    "R12.12": "backward once more, with targets drawn from the predictive distribution (the data's, for empirical factors)",
    "R12.14": "moving averages of the sum over positions of a aᵀ, and of the mean over positions of 𝒟h 𝒟hᵀ",
    "R12.17": "in every T_2-th step the inverses of both (line 19), damped by π√λ and √λ/π",
}

_ALGORITHM_15 = {
    "R15.1": "the default numbers",
    "R15.3": "count the step",
    "R15.5": "forward and backward over the mini-batch: the gradient",
    "R15.6 R15.7": "in every T₁-th step backward once more, with targets drawn from the predictive distribution: Ḡ, their average",
    "R15.10": "the gradient's momentum, heavy ball",
    "R15.11 R15.12": "in the same steps, moving averages of the contractions of Ḡ along each mode",
    "R15.14 R15.15": "in every T₂-th step, the covariance parameters of the distribution with these moments, by (4.10)",
    "R15.16": "their inverses, each with ε on its diagonal",
    "R15.18": "the direction: the momentum times the inverse of every mode",
    "R15.19 R15.20": "move W by −α along it and along γW",
}

_ALGORITHM_23 = {
    "R23.2": "count the step",
    "R§5.2.3": "λ is λ_LM and the small τ (and the weight of the penalty, whose Hessian is ηI)",
    "R§5.4.1": "forward over the mini-batch S₁",
    "R23.3": "the examples S₂ ⊆ S₁ from which the curvature is taken",
    "R23.4": "the gradient over S₁",
    "R(5.5)": "ρ: how far f falls at θ + p, over S₁, and how far its quadratic model foretells that it falls",
    "R23.6": "λ_LM is boosted where ρ < ε, dropped where ρ > 1 − ε",
    "R§5.6": "is the step taken? always, or if ρ ≥ η (Theorem 6)",
    "R23.7": "move W̄ by α along p",
}
_WOODBURY = _ALGORITHM_23 | {
    "R§5.8": "one block for all layers, or one a layer",
    "R§5.3.1": "the rows J of which B = (1/N₂) JᵀJ: Algorithm 20 in its partial mode, nothing is formed",
    "R(5.6)": "D = λI + (1/N₂) JJᵀ by Algorithm 22, the rows times g, and D⁻¹ of that",
    "R23.5 R(5.6)": "p = −(1/λ)(g − (1/N₂) JᵀD⁻¹Jg)",
}

WORDS: Mapping[str, Mapping[str, str]] = {
    "sgd_m": {
        "R§2.8.2": "g is the gradient of the mini-batch loss and of the penalty η/2 ‖θ‖²",
        "R§2.5.2": "ĝ forgets by the factor β and takes g in, with weight 1 − β (chapter 2) or 1 (chapters 3, 4: R§3.7.2)",
        "R§3.7.2": "θ moves by −α along ĝ, plus γθ where weight decay is on",
    },
    "adam": {
        "KB1.1": "count the step",
        "KB1.2": "g is the gradient at the current parameters",
        "KB1.3": "m averages the gradients, with decay β₁",
        "KB1.4": "v averages their squares, entry by entry, with decay β₂",
        "KB1.5": "m̂ removes the bias that starting m at 0 brings",
        "KB1.6": "v̂ does the same for v",
        "KB1.7": "θ moves by −α along m̂ divided by √v̂ + ε",
    },
    "rmsprop": {"R§2.8.2": "Adam's averages without the two bias corrections; v starts from the data"},
    "kbfgs20": _ALGORITHM_4,
    "kbfgs20_l": _ALGORITHM_4,
    "kbfgs20_l_skip": {
        "R5.1": "the default numbers",
        "R5.2": "split the damping evenly into that of A and that of G",
        "R5.4": "count the step",
        "R5.6": "forward and backward over the mini-batch: the gradient in W̄",
        "R5.8": "the direction: the gradient between the two inverses",
        "R5.10": "move W̄ by −α along it",
        "R5.12": "forward and backward again on the same mini-batch, at the new parameters",
        "R5.15": "moving averages of the mean change of h and of g",
        "R5.16": "double damping of that pair",
        "R5.18": "keep the pair for L-BFGS if it passes the test of line 17, s̃ᵀỹ ≥ μ₁ ỹᵀHỹ",
        "R5.21": "moving average of E[āāᵀ]",
        "R5.22": "plus Levenberg-Marquardt damping",
        "R5.23": "H_a is its inverse",
    },
    "kfac20": {
        "R7.1": "count the step",
        "R7.3": "forward and backward over the mini-batch: the gradient in W̄",
        "R§2.5.2": "its moving average",
        "R7.5": "the direction: the average between the two inverses",
        "R7.6": "move W̄ by −α along it",
        "R7.8": "backward once more, with targets drawn from the predictive distribution",
        "R7.9": "moving averages of E[āāᵀ] and E[ggᵀ]",
        "R7.10": "in the first T steps and in every T-th",
        "R7.11": "the inverses of both, damped by √λ",
    },
    "kbfgs": _ALGORITHM_9,
    "kbfgs_l": _ALGORITHM_9,
    "kbfgs_l_exact": {
        "R10.2": "count the step",
        "R10.4": "forward and backward over the mini-batch: the gradient in W̄, summed over positions",
        "R10.6": "the direction: the gradient between the two inverses",
        "R10.7": "move W̄ by −α along it",
        "R10.9": "forward and backward again on the same mini-batch, at the new parameters",
        "R10.12": "the mini-batch's A, and the inverse of it with its damping",
        "R10.14": "moving averages of the change of h and of 𝒟h, means over examples and positions",
        "R10.15": "damp that pair with H = I/λ_G",
        "R10.16": "keep it for L-BFGS",
    },
    "kfac": _ALGORITHM_12,
    "kfac_ef": _ALGORITHM_12,
    "tnt": _ALGORITHM_15,
    "tnt_ef": _ALGORITHM_15,
    "tnt_ideal": {
        "R14.1": "count the step",
        "R14.3": "the gradient of the mini-batch",
        "R14.4": "the true expectations of the contractions, over all targets, and the covariance parameters from them by (4.10)",
        "R14.5": "the direction: the gradient times the damped inverse of every mode",
        "R14.6": "move by −α along it",
    },
    "shampoo": {
        "R16.1": "the default numbers",
        "R16.3": "count the step",
        "R16.5": "forward and backward over the mini-batch: the gradient",
        "R16.7": "its momentum, heavy ball",
        "R16.8 R16.9": "in every T₁-th step, moving averages of the contractions of the gradient along each mode",
        "R16.11 R16.12": "in every T₂-th step, their −1/2k-th powers, each with ε on its diagonal, by the coupled Newton method",
        "R16.14": "the direction: the momentum times the root of every mode",
        "R16.15 R16.16": "move W by −α along it and along γW",
    },
    "block_fisher": {"R§4.3.4": "moving averages of gradient and full Fisher blocks; a step along their quotient"},
    "smw_gn": _WOODBURY,
    "smw_ng": _WOODBURY,
    "smw_ng_bd": _WOODBURY,
    "hessian_free": _ALGORITHM_23 | {
        "R§5.2.3": "λ is λ_LM and the small τ",
        "R(5.2)": "a product with B: Algorithm 19, the output Hessians, Algorithm 21",
        "R23.5": "conjugate gradients on (B + λI)p = −g, ended early",
    },
    "single.jacobian_product": {
        "R19.3 R19.4": "the weights, and the direction's",
        "R19.5": "the input does not move",
        "R19.6": "layer by layer",
        "R19.7": "h moves with the weights, with what comes in, and with the bias",
        "R19.8": "φ′ takes that through the activation",
        "R19.10": "how the output moves",
    },
    "single.partial_transposed_product": {
        "R20.3": "the weights",
        "R20.4": "start from x at the output",
        "R20.5": "layer by layer, from the last",
        "R20.6": "φ′ takes it back through the activation",
        "R20.7": "and Wᵀ to the layer before",
    },
    "single.packed": {
        "R20.8": "the part of W is an outer product",
        "R20.9": "that of b is ĥ itself",
        "R20.11": "all of them",
    },
    "single.transposed_product": {
        "R21.1": "start from V at the output",
        "R21.2": "layer by layer, from the last",
        "R21.3": "φ′ takes it back through the activation",
        "R21.4": "and Wᵀ to the layer before",
        "R21.5": "the part of W is an outer product",
        "R21.6": "that of b is ĥ itself",
    },
    "single.block_matrix": {
        "R22.3": "for every example",
        "R22.4": "and every output",
        "R22.5": "ĥ of all layers: Algorithm 20 in its partial mode, for a unit vector",
        "R22.9": "for every layer",
        "R22.10": "and every example",
        "R22.11": "its input and a 1",
        "R22.12": "its ĥ, one column an output",
        "R22.14": "the inputs of all examples",
        "R22.15": "the ĥ of all examples, one example's columns together",
        "R22.16": "the layer's part: products of inputs times products of ĥ",
        "R22.18": "the sum over layers",
    },
    **{name: {
        "W1.2": "the gradient on the mini-batch",
        "W1.3": "its moving average u, which starts from the first gradient",
        "W1.4": "in every τ-th step, from the first on",
        "W1.5": "the second mini-batch",
        "W1.6": "along u on that mini-batch: slope, curvature and third derivative, a number (or row) for each subset",
        "W§4.2": "the cube roots of the absolute third derivatives",
        "W(2)": "the step sizes: what minimises slope, curvature and cubic term together",
        "W1.7": "their positive parts, averaged over the calls",
        "W1.8": "move each subset by −λ times its step size along u",
    } for name in ("grouped_newton", "newton", "cauchy")},
    "grouped_newton.schedule": {"W1.9": "λ falls once the loss has failed to improve more than p_sch times in a row"},
    "conjugate_gradient.conjugate_gradient": {
        "R§5.3": "step along d, the new residual, and the next d, conjugate to all before",
    },
    "cubic.model": {"W§D": "slope, curvature and the cubic term (λ/6)‖Dη‖³"},
    "cubic.stationarity": {"W(3)": "the gradient of that: (H̄ + (λ/2) r D²) η − ḡ"},
    "descent.descend": {"R§3.7.2": "one step along −p, and −αγθ"},
    "levenberg_marquardt.reduction_ratio": {"R(5.5)": "what f has lost over what its model foretold"},
    "levenberg_marquardt.adapted": {"R§5.2.3": "λ is boosted where ρ < ε, dropped where ρ > 1 − ε, kept between"},
    "curvature.hessian": {"R(1.4)": "the mean over examples of J_nᵀ H_n J_n and of the outputs' own curvature, times ∂loss/∂ŷ"},
    "curvature.ggn": {"R(5.2)": "the mean over examples of J_nᵀ H_n J_n, from the columns of C_n with H_n = C_n C_nᵀ"},
    "curvature.empirical_fisher": {"R(5.3)": "the mean over examples of ∇f_n ∇f_nᵀ, each example's own gradient"},
    "cubic.step_sizes": {"W(2)": "the η of the largest ‖Dη‖ with (H̄ + (λ/2)‖Dη‖D²) η = ḡ"},
    "damping.powell_on_B": {"R§2.3.1": "pull y towards Bs until sᵀỹ is at least μ sᵀBs"},
    "damping.powell_on_H": {"R§2.3.1": "pull s towards Hy until s̃ᵀy is at least μ yᵀHy"},
    "damping.powell_identity": {"R§2.3.1": "pull y towards s until sᵀỹ is at least μ sᵀs"},
    "damping.double_damping": {
        "R3.2": "how much of s may stay, so that s̃ᵀy is at least μ₁ yᵀHy",
        "R3.3": "mix s with Hy by that weight",
        "R3.4": "how much of y may stay, so that s̃ᵀỹ is at least μ₂ s̃ᵀs̃",
        "R3.5": "mix y with s̃ by that weight",
        "R3.6": "hand back the damped pair",
    },
    "damping.dp_dlm": {
        "R8.2 R8.3 R8.5": "how much of s may stay, so that s̃ᵀy is at least μ₁ yᵀHy",
        "R8.7": "mix s with Hy by that weight",
        "R8.8": "add μ₂s̃ to y: Levenberg-Marquardt damping",
        "R8.9": "hand back the damped pair",
    },
    "damping.dpi_dlm": {
        "R11.2 R11.3 R11.5": "how much of s may stay, so that s̃ᵀy is at least μ₁ yᵀy/μ₂",
        "R11.7": "mix s with y/μ₂ by that weight",
        "R11.8": "add μ₂s̃ to y: Levenberg-Marquardt damping",
        "R11.9": "hand back the damped pair",
    },
    "lbfgs.product": {"R§2.3": "the compact form: one product with S and Y, two triangular solves, one product back"},
    "quasi_newton.bfgs_H": {"R(2.6)": "the rank-two update of H that makes H⁺y = s, multiplied out"},
    "quasi_newton.bfgs_B": {"R(2.6)": "the rank-two update of B that makes B⁺s = y"},
    "quasi_newton.dfp_H": {"R(2.11)": "the member φ = 0 of the Broyden family"},
    "quasi_newton.broyden_H": {"R(2.11)": "the member φ: DFP plus φ(yᵀHy) hhᵀ"},
    "quasi_newton.hessian_action_pair": {"R§2.4": "s is what H makes of the mean input, y what A makes of s"},
    "quasi_newton.minibatch_action_pair": {
        "R(3.14)": "s is what H makes of the mean input",
        "R(3.14) R(3.15)": "y what A + λI makes of s: examples and positions one by one, without A",
    },
    "tensors.vec": {"R§4.2.1": "the slices along the first mode one below the other, each vectorized likewise"},
    "tensors.vec_columns": {"R§5.2.1": "the columns one below the other"},
    "tensors.mat": {"R§4.2.1": "one row per slice along mode i"},
    "tensors.contraction": {"R§4.2.1": "the matricization times its transpose"},
    "tensors.mode_product": {"R§4.2.1": "sum over mode i against the rows of U"},
    "tensors.mode_products": {"R(4.3)": "one mode product after the other: the Kronecker product on vec(A)"},
    "roots.inverse_root": {"R§4.7.2": "the coupled Newton method, or exactly where the numbers are"},
    "tensor_normal.moments": {"R(4.2)": "U_i times the traces of all the others"},
    "tensor_normal.identify": {"R(4.10)": "c₀ from the trace that all share, and Ũ_i so that its mean eigenvalue is c₀"},
    "tensor_normal.as_modes": {
        "R§4.8": "one vector, or a kernel as one matrix",
        "R§4.7.2": "a kernel's filter positions, inputs and outputs as three modes",
    },
    "tensor_normal.from_modes": {"R§4.7.2": "the modes of a kernel back in their places"},
    "tensor_normal.preconditioned": {"R(4.8)": "each tensor times its factors, mode by mode"},
    "smw.solve_with_inverse": {"R(5.6)": "D in the space of outputs, and G⁻¹g through it, with H⁻¹"},
    "smw.solve_without_inverse": {"R(5.7)": "D in the space of outputs, and G⁻¹g through it, without H⁻¹"},
    "single.forward_backward": {
        "R1.2": "forward: append 1, multiply by W_l, apply φ_l, layer after layer",
        "R1.3": "the derivative of the loss in the output",
        "R1.4": "backward: g_l through φ_l, the gradient of W_l as an outer product, and on to the layer below",
    },
    "single.forward": {
        "R17.3": "take the parameters apart", "R17.4": "start at x", "R17.5": "layer after layer",
        "R17.6": "the pre-activation", "R17.7": "the activation", "R17.9": "the last one is the output",
    },
    "single.backward": {
        "R18.3": "take the parameters apart", "R18.4": "g of the last layer", "R18.5": "which is the gradient of its bias",
        "R18.6": "and, times the inputs, of its weights", "R18.7": "then layer by layer downwards",
        "R18.8": "g through the weights above and the activation", "R18.9": "the gradient of the bias",
        "R18.10": "the gradient of the weights", "R18.12": "put the gradient together",
    },
}
"""Subject to paper line to what happens there."""


def page(subject: str) -> Table:
    """The table of a subject's lines: tag, words, code.

    Raises   ValueError for an unknown subject.
    """
    expect(subject in SUBJECTS, "subject", f"one of {', '.join(SUBJECTS)}", "these have paper lines", repr(subject))
    source = SUBJECTS[subject]
    function = source.step if subject in METHODS else source
    table = Table("line", "in words", "code", title=f"{subject}  ({_place(function)})", title_justify="left", show_lines=True)
    for tag, code in tagged_code(function).items():
        table.add_row(tag, WORDS[subject].get(tag, ""), Syntax(code, "python", background_color="default", word_wrap=True))
    return table


def quoted(subject: str, tag: str) -> str:
    """A line of a subject in words, and its code below; "" where the line is not one of those that are shown."""
    if subject not in SUBJECTS:
        return ""
    function = SUBJECTS[subject].step if subject in METHODS else SUBJECTS[subject]
    code = next((code for tags, code in tagged_code(function).items() if tag in (tags, *tags.split())), "")
    words = next((words for tags, words in WORDS.get(subject, {}).items() if tag in (tags, *tags.split())), "")
    return "\n".join([f"{tag}: {words}", *code.splitlines()]) if code else ""


def tagged_code(function: Callable[..., Any]) -> dict[str, str]:
    """Every tag in a function's source, in order, with the lines that carry it (without their comments)."""
    source = textwrap.dedent(inspect.getsource(function))
    lines = source.splitlines()
    found: dict[str, list[str]] = {}
    for number, tags in tags_by_line(source).items():
        found.setdefault(" ".join(tags), []).append(lines[number - 1].split("  # ")[0].rstrip())
    return {tag: textwrap.dedent("\n".join(code)) for tag, code in found.items()}


def _place(function: Callable[..., Any]) -> str:
    _, line = inspect.getsourcelines(function)
    return f"{function.__module__.removeprefix('stepgauge.').replace('.', '/')}.py, line {line}"
