"""R Algorithms 17 to 22, executed line by line as printed over ℚ: is everything defined before it is used, do shapes match, is the
result right?

A `Sheet` holds what is known so far; reading what no line has written, or a product whose shapes do not match, ends the run with
the number of the line. Nets have 1, 2 and 3 layers, among them one with a single unit everywhere, and activations as in
`polynomial_nets`; results are compared with exact slopes along random directions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from ..checks import Outcome, claimed
from ..fields import Field, dot
from ..polynomial_nets import Layer, Net, together, unit
from ..statement import Form, Statement, Status

WIDTHS = ((1, 1), (2, 3), (1, 1, 1), (2, 3, 2), (3, 2, 4, 2))


class BrokenLine(ValueError):
    """A line that cannot be executed."""


class Sheet(dict):
    """Names with their indices, such as ("v", 2), to values; `line` is the printed number of the line at hand."""

    line = 0

    def __missing__(self, name: Any) -> Any:
        raise BrokenLine(f"line {self.line} uses {show(name)}, which no line before it and no input has")


def show(name: Any) -> str:
    """v^(2) for ("v", 2)."""
    return f"{name[0]}^({','.join(map(str, name[1:]))})" if isinstance(name, tuple) else str(name)


def nets() -> Iterator[Net]:
    """A random net over ℚ for each of `WIDTHS`."""
    for seed, m in enumerate(WIDTHS):
        field = Field(None, seed)
        theta = tuple(Layer(field.matrix(o, i), field.vector(o)) for i, o in itertools.pairwise(m))
        yield Net(field, tuple(field.matrix(o, o) for o in m[1:]), theta, field.vector(m[0]), field.vector(m[-1]))


def executed(algorithm: Callable[[Net], Iterator[tuple[Any, Any]]]) -> Callable[[], Outcome]:
    """The algorithm on all nets; it yields pairs that should be equal."""
    def code() -> Outcome:
        for net in nets():
            m = (net.x.nrows(), *(layer.b.nrows() for layer in net.theta))
            try:
                for left, right in algorithm(net):
                    if left != right:
                        return Outcome(f"widths {m}: a wrong result")
            except BrokenLine as broken:
                return Outcome(f"widths {m}: {broken}")
        return Outcome()
    return code


def shaped(sheet: Sheet, *factors: Any) -> Any:
    """A product of matrices."""
    total = factors[0]
    for factor in factors[1:]:
        if total.ncols() != factor.nrows():
            raise BrokenLine(f"line {sheet.line} multiplies {total.nrows()} × {total.ncols()} by "
                             f"{factor.nrows()} × {factor.ncols()}")
        total = total * factor
    return total


def unpack(sheet: Sheet, theta: Any, suffix: str = "") -> None:
    """θ to W^(l), b^(l)."""
    for l, layer in enumerate(theta, 1):
        sheet["W" + suffix, l], sheet["b" + suffix, l] = layer


def tape(net: Net, first: int = 0) -> Sheet:
    """h^(l), v^(l) from l = `first` on, and ∂v^(l)/∂h^(l)."""
    sheet = Sheet()
    h, v = net.forward()
    for l, value in enumerate(v):
        if l >= first:
            sheet["v", l] = value
    for l, (value, D) in enumerate(zip(h, net.slopes(h), strict=True), 1):
        sheet["h", l], sheet["∂v/∂h", l] = value, D
    return sheet


def algorithm_17(start: bool = True, activate: bool = True) -> Callable[[Net], Iterator[tuple[Any, Any]]]:
    """Forward pass."""
    def lines(net: Net) -> Iterator[tuple[Any, Any]]:
        sheet, L = Sheet({"x": net.x}), len(net.theta)
        sheet.line = 3
        unpack(sheet, net.theta)
        sheet.line = 4
        if start:
            sheet["v", 0] = sheet["x"]
        for l in range(1, L + 1):
            sheet.line = 6
            sheet["h", l] = shaped(sheet, sheet["W", l], sheet["v", l - 1]) + sheet["b", l]
            sheet.line = 7
            h = sheet["h", l]
            sheet["v", l] = net.S[l - 1] * net.field.hadamard(h, h) + h if activate else h
        sheet.line = 9
        yield sheet["v", L], net.forward()[1][-1]
    return lines


def algorithm_18(transpose: bool, start: bool, bottom: int = 1) -> Callable[[Net], Iterator[tuple[Any, Any]]]:
    """Backward pass; `transpose`: the row g^(l) is made a column before (v^(l−1))ᵀ; `start`: v^(0) = x is among what is given."""
    def lines(net: Net) -> Iterator[tuple[Any, Any]]:
        sheet, L = tape(net, first=0 if start else 1), len(net.theta)
        sheet.line = 3
        unpack(sheet, net.theta)

        def outer(l: int) -> Any:
            g = sheet["g", l].transpose() if transpose else sheet["g", l]
            return shaped(sheet, g, sheet["v", l - 1].transpose())
        sheet.line = 4
        sheet["g", L] = shaped(sheet, (sheet["v", L] - net.y).transpose(), sheet["∂v/∂h", L])
        sheet.line = 5
        sheet["b1", L] = sheet["g", L]
        sheet.line = 6
        sheet["W1", L] = outer(L)
        for l in range(L - 1, bottom - 1, -1):
            sheet.line = 8
            sheet["g", l] = shaped(sheet, sheet["g", l + 1], sheet["W", l + 1], sheet["∂v/∂h", l])
            sheet.line = 9
            sheet["b1", l] = sheet["g", l]
            sheet.line = 10
            sheet["W1", l] = outer(l)
        sheet.line = 12
        theta_1 = net.direction()
        found = [Layer(sheet["W1", l], sheet["b1", l].transpose()) for l in range(1, L + 1)]
        yield together(found, theta_1), net.along(lambda theta: net.loss(net.forward(theta)[1][-1]), theta_1)
    return lines


def algorithm_19(first: str, biased: bool = True) -> Callable[[Net], Iterator[tuple[Any, Any]]]:
    """Jθ₁; `first`: what W_1^(l) multiplies."""
    def lines(net: Net) -> Iterator[tuple[Any, Any]]:
        sheet, L, theta_1 = tape(net), len(net.theta), net.direction()
        sheet.line = 3
        unpack(sheet, net.theta)
        sheet.line = 4
        unpack(sheet, theta_1, "1")
        sheet.line = 5
        sheet["v1", 0] = net.field.zeros(net.x.nrows(), 1)
        for l in range(1, L + 1):
            sheet.line = 7
            sheet["h1", l] = (shaped(sheet, sheet["W1", l], sheet[first, l - 1]) + shaped(sheet, sheet["W", l], sheet["v1", l - 1])
                              + sheet["b1", l] * int(biased))
            sheet.line = 8
            sheet["v1", l] = shaped(sheet, sheet["∂v/∂h", l], sheet["h1", l])
        sheet.line = 10
        yield sheet["v1", L], net.along(lambda theta: net.forward(theta)[1][-1], theta_1)
    return lines


def back(sheet: Sheet, L: int, x: Any, transpose: bool = True, bottom: int = 1, numbers: tuple[int, ...] = (4, 6, 7, 8, 9)) -> None:
    """The loop that Algorithms 20 and 21 share; `numbers` of its lines."""
    sheet.line = numbers[0]
    sheet["v^", L] = x
    for l in range(L, bottom - 1, -1):
        sheet.line = numbers[1]
        D = sheet["∂v/∂h", l]
        sheet["h^", l] = shaped(sheet, D.transpose() if transpose else D, sheet["v^", l])
        sheet.line = numbers[2]
        sheet["v^", l - 1] = shaped(sheet, sheet["W", l].transpose(), sheet["h^", l])
        sheet.line = numbers[3]
        sheet["W^", l] = shaped(sheet, sheet["h^", l], sheet["v", l - 1].transpose())
        sheet.line = numbers[4]
        sheet["b^", l] = sheet["h^", l]
    sheet.line = numbers[4] + 2


def algorithm_20(numbers: tuple[int, ...] = (4, 6, 7, 8, 9), **wrong: Any) -> Callable[[Net], Iterator[tuple[Any, Any]]]:
    """Jᵀx."""
    def lines(net: Net) -> Iterator[tuple[Any, Any]]:
        sheet, L = tape(net), len(net.theta)
        unpack(sheet, net.theta)
        x, theta_2 = net.field.vector(net.y.nrows()), net.direction()
        back(sheet, L, x, numbers=numbers, **wrong)
        found = [Layer(sheet["W^", l], sheet["b^", l]) for l in range(1, L + 1)]
        yield together(found, theta_2), net.along(lambda theta: dot(net.forward(theta)[1][-1], x), theta_2)
    return lines


def below(field: Field, v: Any, last: Any) -> Any:
    """v with one more entry."""
    return field.build(v.nrows() + 1, 1, lambda i, _: v[i, 0] if i < v.nrows() else last)


def gram(field: Field, rows: list[list[Layer]]) -> Any:
    """All inner products."""
    return field.build(len(rows), len(rows), lambda i, j: together(rows[i], rows[j]))


def algorithm_22(indexed: bool, bracket: bool = True, homogeneous: bool = True) -> Callable[[Net], Iterator[tuple[Any, Any]]]:
    """The blocks JJᵀ over S; `indexed`: ĥ of line 12 has its example; `bracket`: ⊗ comes before ⊙ in line 16."""
    def lines(net: Net) -> Iterator[tuple[Any, Any]]:
        field, L, m_L = net.field, len(net.theta), net.y.nrows()
        for S in (1, 3):
            examples = [net._replace(x=field.vector(net.x.nrows())) for _ in range(S)]
            tapes, sheet = [tape(example) for example in examples], Sheet()
            for i, known in enumerate(tapes):
                for j in range(1, m_L + 1):
                    sheet.line = 5
                    known.line = 5
                    unpack(known, net.theta)
                    back(known, L, unit(field, m_L, j - 1))
                    for l in range(1, L + 1):
                        sheet["ĥ", l, i, j] = known["h^", l]
                        sheet["row", l, i, j] = Layer(known["W^", l], known["b^", l])
            total = field.zeros(S * m_L, S * m_L)
            for l in range(1, L + 1):
                columns = []
                for i, known in enumerate(tapes):
                    sheet.line = 11
                    columns.append(below(field, known["v", l - 1], field.number(int(homogeneous))))
                    sheet.line = 12
                    example = (i,) if indexed else ()
                    sheet["Ĥ", l, i] = field.beside(*(sheet["ĥ", l, *example, j] for j in range(1, m_L + 1)))
                sheet.line = 14
                v_all = field.beside(*columns)
                sheet.line = 15
                H_all = field.beside(*(sheet["Ĥ", l, i] for i in range(S)))
                sheet.line = 16
                HH, ones_m = shaped(sheet, H_all.transpose(), H_all), field.ones(m_L, m_L)
                if not bracket and (HH.nrows(), HH.ncols()) != (m_L, m_L):
                    raise BrokenLine(f"line 16 multiplies {m_L} × {m_L} and {HH.nrows()} × {HH.ncols()} entry by entry")
                total += field.hadamard(field.kron(shaped(sheet, v_all.transpose(), v_all), ones_m), HH)
            sheet.line = 18
            rows = [[sheet["row", l, i, j] for l in range(1, L + 1)] for i in range(S) for j in range(1, m_L + 1)]
            yield total, gram(field, rows)
    return lines


EXECUTED = claimed(Status.EXACT_Q, "executed over ℚ on 5 nets of 1 to 3 layers, compared with exact slopes")
STATEMENTS = (
    Statement(
        "R.Alg.17", "Section 5.4.1, Algorithm 17", Form("all lines as printed give ŷ = v^(L)", executed(algorithm_17())),
        checks=(EXECUTED,),
        mutants=(Form("without line 4", executed(algorithm_17(start=False))),
                 Form("without φ^(l)", executed(algorithm_17(activate=False)))),
        pinned="the forward pass is a definition",
        note="The input list of Algorithm 18 starts at v^(1), but v^(0) of line 4 is needed there.",
    ),
    Statement(
        "R.Alg.18", "Section 5.4.2, Algorithm 18",
        Form("all lines as printed give ∇f_i", executed(algorithm_18(False, False))),
        checks=(EXECUTED,),
        repaired=Form("with (g^(l))ᵀ(v^(l−1))ᵀ in lines 6 and 10, and v^(0) = x among what is given",
                      executed(algorithm_18(True, True))),
        mutants=(Form("with v^(0), but a row times a row", executed(algorithm_18(False, True))),
                 Form("with (g^(l))ᵀ, but without v^(0)", executed(algorithm_18(True, False))),
                 Form("the loop ends at 2", executed(algorithm_18(True, True, bottom=2)))),
        errata=(4,),
        note="Lines 4, 5, 8, 9 are right; for L = 1 the loop is empty and line 6 alone gives W_1^(1).",
    ),
    Statement(
        "R.Alg.19", "Section 5.4.4, Algorithm 19", Form("all lines as printed give J_iθ₁", executed(algorithm_19("v1"))),
        checks=(EXECUTED,),
        repaired=Form("with W_1^(l)v^(l−1) in line 7", executed(algorithm_19("v"))),
        mutants=(Form("with h^(l) for v^(l−1)", executed(algorithm_19("h"))),
                 Form("without b_1", executed(algorithm_19("v", False))),
                 Form("with v_1^(l) of the same layer", executed(algorithm_19("v2")))),
        errata=(56,),
    ),
    Statement(
        "R.Alg.20", "Section 5.4.5, Algorithm 20", Form("all lines as printed give J_iᵀx", executed(algorithm_20())),
        checks=(EXECUTED,),
        mutants=(Form("∂v/∂h for its transpose", executed(algorithm_20(transpose=False))),
                 Form("for l = L, …, 2, as 5.4.5 has it", executed(algorithm_20(bottom=2))),
                 Form("x without ∂v^(L)/∂h^(L)", executed(lambda net: ((2 * a, b) for a, b in algorithm_20()(net))))),
        note="Line 7 computes v̂_2^(0), which nothing needs. The partial mode keeps ĥ_2^(l) and leaves lines 8, 9 and 11 out.",
    ),
    Statement(
        "R.Alg.21", "Section 5.4.5, Algorithm 21", Form("all lines as printed give J_iᵀV", executed(algorithm_20((1, 3, 4, 5, 6)))),
        checks=(EXECUTED,),
        mutants=(Form("∂v/∂h for its transpose", executed(algorithm_20((1, 3, 4, 5, 6), transpose=False))),
                 Form("for l = L, …, 2", executed(algorithm_20((1, 3, 4, 5, 6), bottom=2))),
                 Form("minus that", executed(lambda net: ((-a, b) for a, b in algorithm_20()(net))))),
        note="Algorithm 20 once more, without the lines for input and output: W^(l), h_i^(l), v_i^(l) have to be at hand.",
    ),
    Statement(
        "R.Alg.22", "Section 5.4.7, Algorithm 22",
        Form("all lines as printed give (J_{i₁}J_{i₂}ᵀ), i₁, i₂ ∈ S", executed(algorithm_22(False))),
        checks=(EXECUTED,),
        repaired=Form("with ĥ_{i,2}^(l),(j) in line 12, and ⊗ before ⊙ in line 16", executed(algorithm_22(True))),
        mutants=(Form("line 16 with ⊙ before ⊗", executed(algorithm_22(True, bracket=False))),
                 Form("line 11 without its 1", executed(algorithm_22(True, homogeneous=False))),
                 Form("twice", executed(lambda net: ((2 * a, b) for a, b in algorithm_22(True)(net))))),
        note="Line 12 lacks the example's index that lines 5 and 13 have. |S| = 1, m_L = 1 and L = 1 make sense.",
    ),
)
