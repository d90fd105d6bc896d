"""R Lemma 8: a Kronecker product on the row-major vec of a matrix."""

from ..checks import mod_p, over_Q
from ..statement import Form, Statement


def on_matrices(order="A Bᵀ", vec="rows"):
    """(A ⊗ Bᵀ) vec(X) = vec(AXB), X (n + 1, n), or (15, 14) where n is large."""
    def pairs(field, n):
        rows, columns = (15, 14) if n >= 200 else (n + 1, n)
        A, B, X = field.matrix(rows, rows), field.matrix(columns, columns), field.matrix(rows, columns)
        K = {"A Bᵀ": (A, B.transpose()), "A B": (A, B), "Bᵀ A": (B.transpose(), A), "Aᵀ Bᵀ": (A.transpose(), B.transpose()),
             "B A": (B, A)}[order]
        flat = getattr(field, vec)
        yield field.kron(*K) * flat(X), flat(A * X * B)
    return pairs


STATEMENTS = (
    Statement(
        "R.Lem.8", "Section 4.2.1, also in the proof of Proposition 1",
        Form("(A ⊗ Bᵀ) vec(X) = vec(AXB) for X of m × n, vec row by row", on_matrices()),
        checks=(over_Q(), mod_p(lambda n: 3)),
        mutants=(Form("A ⊗ B", on_matrices("A B")), Form("Bᵀ ⊗ A", on_matrices("Bᵀ A")), Form("Aᵀ ⊗ Bᵀ", on_matrices("Aᵀ Bᵀ")),
                 Form("B ⊗ A", on_matrices("B A")), Form("vec column by column", on_matrices(vec="columns"))),
        note="A and B need not be square. Column by column it is Bᵀ ⊗ A.",
    ),
)
