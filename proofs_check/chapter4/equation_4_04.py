"""R (4.4) to (4.7): the chain in the proof of Proposition 1, link by link; H = U_2 ⊗ ⋯ ⊗ U_k."""

from ..checks import mod_p, over_Q
from ..statement import Form, Statement
from .common import column, draw, kron, mat, modes, shapes, slice_of, vec


def chain(link, slip=""):
    """One equality of the chain, for k >= 2."""
    def pairs(field, n):
        for shape in shapes(n):
            if len(shape) < 2:
                continue
            G, Us = draw(field, shape), [field.matrix(d, d) for d in shape]
            tail = [U.transpose() for U in Us[1:]] if slip == "transposed" else Us[1:]
            H = kron(field, Us[1:])
            if slip == "backwards":
                H = kron(field, Us[:0:-1])
            first = [column(field, vec(slice_of(G, 1, j))) for j in range(shape[0])]
            beside = field.beside(*first)
            moved = [column(field, vec(modes(slice_of(G, 1, j), tail))) for j in range(shape[0])]
            whole = modes(G, tail, first=2)
            M = mat(field, G, 1)
            yield from {
                4: [(M * H.transpose(), (H * M.transpose()).transpose()),
                    ((H * M.transpose()).transpose(), (H * beside).transpose())],
                5: [((H * beside).transpose(), field.beside(*(H * v for v in first)).transpose())],
                6: [(field.beside(*(H * v for v in first)).transpose(), field.beside(*moved).transpose())],
                7: [(field.beside(*moved).transpose(), mat(field, whole, 1)), (M * H.transpose(), mat(field, whole, 1))],
            }[link] if slip != "H for Hᵀ" else [(M * H, mat(field, whole, 1))]
    return pairs


EXACT = (over_Q(), mod_p(lambda n: 6))
TEXTS = {4: "mat_1(G)Hᵀ = (H mat_1(G)ᵀ)ᵀ = (H (vec(G_1¹) … vec(G_{d_1}¹)))ᵀ", 5: "= (H vec(G_1¹) … H vec(G_{d_1}¹))ᵀ",
         6: "= (vec(G_1¹ ×_1 U_2 ⋯ ×_{k−1} U_k) …)ᵀ, by the induction hypothesis", 7: "= mat_1(G ×_2 U_2 ⋯ ×_k U_k)"}
PINNED = "an equality by the rules of matrix products alone: H may be any matrix"
STATEMENTS = (
    *(Statement(f"R.Eq.4.{link}", "proof of Proposition 1", Form(TEXTS[link], chain(link)), checks=EXACT,
                mutants=(Form("H for Hᵀ", chain(link, "H for Hᵀ")),), pinned=PINNED) for link in (4, 5)),
    *(Statement(f"R.Eq.4.{link}", "proof of Proposition 1", Form(TEXTS[link], chain(link)), checks=EXACT,
                mutants=(Form("U_iᵀ", chain(link, "transposed")), Form("H for Hᵀ", chain(link, "H for Hᵀ")),
                         *([Form("H in the opposite order", chain(link, "backwards"))]),
                         )) for link in (6, 7)),
)
