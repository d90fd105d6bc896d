"""R (3.10): the step H_G 𝒟W H_A is the product of the inverse Hessian's approximation with the gradient."""

from ..checks import mod_p, over_Q
from ..statement import Form, Statement


def step(swapped=False, symmetric=True, inverse=True):
    """vec(W⁺) = vec(W) − α (H_A ⊗ H_G) vec(𝒟W); with H_A = A⁻¹, H_G = G⁻¹ the same is (A ⊗ G)⁻¹ vec(𝒟W)."""
    def pairs(field, n):
        I, J = (n, n + 1) if n < 100 else (14, 15)
        A, G = field.symmetric(J) if symmetric else field.matrix(J, J), field.symmetric(I)
        W, DW, alpha = field.matrix(I, J), field.matrix(I, J), field.draw()
        H_A, H_G = A.inv(), G.inv()
        W_new = W - H_G * DW * H_A * alpha
        moved = field.kron(H_G, H_A) if swapped else field.kron(H_A, H_G)
        yield field.columns(W_new), field.columns(W) - moved * field.columns(DW) * alpha
        A_G = field.kron(A, G) if inverse else field.kron(H_A, H_G)
        yield A_G * (field.columns(W) - field.columns(W_new)), field.columns(DW) * alpha
    return pairs


STATEMENTS = (
    Statement(
        "R.Eq.3.10", "Section 3.3.1",
        Form("W⁺ = W − αH_G (𝒟W) H_A: vec(W⁺) = vec(W) − α (A ⊗ G)⁻¹ vec(𝒟W) for H_A = A⁻¹, H_G = G⁻¹", step()),
        checks=(over_Q(), mod_p(lambda n: 80)),
        mutants=(Form("H_G ⊗ H_A", step(swapped=True)), Form("H_A not symmetric", step(symmetric=False)),
                 Form("the Hessian is H_A ⊗ H_G", step(inverse=False))),
        hypotheses=("H_A symmetric",), errata=(24,), long=True,
        note="vec stacks columns. The sentence before it calls H_A ⊗ H_G the approximation of the Hessian; it is that of its "
             "inverse."),
)
