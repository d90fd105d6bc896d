"""R Lemma 7: Â and the whole preconditioner of Algorithm 10 stay between two multiples of I.

xᵀA_tt x = (a_tᵀx)² with ‖a_t‖² ≤ J|Δ|φ² + 1: the sum of J|Δ| numbers of at most φ² and the 1 of the bias. "images" takes small
images through windows with padding, as Section 3.2.1 has them, and decides the bound on Â exactly; "blocks" forms H_A ⊗ H_G.
"""

import itertools
import random

from ..checks import Inequality, Outcome, Term, certified, claimed, hunted, on, proved_by_z3, simple
from ..statement import Form, Statement, Status
from . import common
from .common import Q


def windows(image, R):
    """a_t of (3.1) for every position of an image (J, height, width) padded with zeros: (J|Δ| + 1,), the 1 last."""
    height, width = len(image[0]), len(image[0][0])
    offsets = [*itertools.product(range(-R, R + 1), repeat=2)]
    for t in itertools.product(range(height), range(width)):
        inside = [(t[0] + d[0], t[1] + d[1]) for d in offsets]
        yield [*(channel[u][v] if 0 <= u < height and 0 <= v < width else Q(0) for channel in image for u, v in inside), Q(1)]


def second_moment(images, R):
    """Â of a mini-batch: the mean over images of Σ_t a_t a_tᵀ."""
    a = [*itertools.chain.from_iterable(windows(image, R) for image in images)]
    n = len(a[0])
    return [[sum((v[i] * v[j] for v in a), Q(0)) / len(images) for j in range(n)] for i in range(n)]


def examples():
    """(images, R, φ): entries of ±φ, all equal among them, and mixed ones."""
    rng = random.Random(7)
    for R, J, (height, width), m in ((0, 1, (1, 1), 1), (0, 2, (2, 3), 2), (1, 1, (2, 2), 1), (1, 1, (3, 3), 2)):
        for phi in (Q(1), Q(3, 2), Q(1, 4)):
            for draw in (lambda phi: phi, lambda phi: rng.choice([-1, 1]) * phi, lambda phi: rng.choice([0, -1, 1, 1]) * phi):
                yield [[[[draw(phi) for _ in range(width)] for _ in range(height)] for _ in range(J)] for _ in range(m)], R, phi


def images(one=1, power=2, positions=True, factor=1):
    """Â ⪯ factor(J|Δ|φ^power + one)|𝒯| I."""
    def claim():
        count = 0
        for batch, R, phi in examples():
            J, area = len(batch[0]), len(batch[0][0]) * len(batch[0][0][0])
            bound = Q(factor) * (J * (2 * R + 1)**2 * phi**power + one) * (area if positions else 1)
            if not common.at_most(second_moment(batch, R), bound):
                return Outcome(f"R = {R}, φ = {phi}, images {batch}: Â is not ⪯ {bound} I")
            count += 1
        return Outcome(detail=f"{count} mini-batches of images with entries up to φ, windows of one pixel and of 3 × 3")
    return claim


def attained():
    """With windows of one pixel and all inputs φ, Â's largest eigenvalue is the bound; with 3 × 3 and padding it is below."""
    def claim():
        for batch, R, phi in examples():
            J, area = len(batch[0]), len(batch[0][0]) * len(batch[0][0][0])
            bound, A = (J * (2 * R + 1)**2 * phi**2 + 1) * area, second_moment(batch, R)
            equal = all(entry == phi for image in batch for channel in image for row in channel for entry in row)
            if R == 0 and equal and common.at_most(A, bound * (1 - Q(1, 10**9))):
                return Outcome(f"φ = {phi}, {batch}: below {bound}")
            if R == 1 and sum(A[i][i] for i in range(len(A))) >= bound:
                return Outcome(f"φ = {phi}, {batch}: trace not below {bound}")
        return Outcome(detail="one pixel, all inputs φ: equality; 3 × 3 with padding: trace Â < bound")
    return claim


POSITION = ("c", "aa", "ax", "xx")


def position(gram=True, bounded=True):
    """(a_tᵀx)² ≤ c xᵀx with ‖a_t‖² ≤ c."""
    hypotheses = {"xx >= 0": lambda c, aa, ax, xx: xx}
    if gram:
        hypotheses["aa xx - ax^2 >= 0"] = lambda c, aa, ax, xx: aa * xx - ax * ax
    if bounded:
        hypotheses["c - aa >= 0"] = lambda c, aa, ax, xx: c - aa
    return Inequality(POSITION, hypotheses, lambda c, aa, ax, xx: c * xx - ax * ax)


def norm(one=1, over=1):
    """‖(u, v, 1)‖² ≤ over(2φ² + one) where |u|, |v| ≤ φ."""
    return Inequality(("phi", "u", "v"), {"phi^2 - u^2 >= 0": lambda phi, u, v: phi * phi - u * u,
                                         "phi^2 - v^2 >= 0": lambda phi, u, v: phi * phi - v * v},
                      lambda phi, u, v: over * (2 * phi * phi + one) - u * u - v * v - 1)


def blocks(lower=1, upper=1, kron=True):
    """lower κ̲_A κ̲_G I ⪯ H_A ⊗ H_G ⪯ upper κ̄_A κ̄_G I with κ̲_A = 1/(bound + λ_A), κ̄_A = 1/λ_A."""
    def claim():
        for batch, R, phi in examples():
            if R or len(batch) > 1:
                continue
            J, area, lam = len(batch[0]), len(batch[0][0]) * len(batch[0][0][0]), Q(1, 3)
            A = second_moment(batch, R)
            damped = common.flint.fmpq_mat([[entry + lam * (i == j) for j, entry in enumerate(row)] for i, row in enumerate(A)])
            H_A = damped.inv()
            for H_G in ([[Q(2)]], [[Q(2), Q(1)], [Q(1), Q(2)]]):                                    # eigenvalues 2; 1 and 3
                smallest, largest = (Q(2), Q(2)) if len(H_G) == 1 else (Q(1), Q(3))
                n, g = H_A.nrows(), len(H_G)
                H = [[H_A[i // g, j // g] * H_G[i % g][j % g] if kron else H_A[i // g, j // g] + H_G[i % g][j % g]
                      for j in range(n * g)] for i in range(n * g)]
                low, high = lower * smallest / ((J * phi**2 + 1) * area + lam), upper * largest / lam
                if not common.semidefinite([[entry - low * (i == j) for j, entry in enumerate(row)] for i, row in enumerate(H)]):
                    return Outcome(f"φ = {phi}, H_G = {H_G}: not ⪰ {low} I")
                if not common.at_most(H, high):
                    return Outcome(f"φ = {phi}, H_G = {H_G}: not ⪯ {high} I")
        return Outcome(detail="exact inverses and Kronecker products of small layers")
    return claim


def product(positive=True, twice=1):
    """twice · ag ≤ (a + more_a)(g + more_g)."""
    hypotheses = {"more_a >= 0": lambda a, g, more_a, more_g: more_a, "more_g >= 0": lambda a, g, more_a, more_g: more_g}
    if positive:
        hypotheses |= {"a > 0": lambda a, g, more_a, more_g: a, "g > 0": lambda a, g, more_a, more_g: g}
    return Inequality(("a", "g", "more_a", "more_g"), hypotheses,
                      lambda a, g, more_a, more_g: (a + more_a) * (g + more_g) - twice * a * g)


def draw_product(rng):
    """Two bounds of any sign and what is above them."""
    return simple(rng, sign=True), simple(rng, sign=True), simple(rng), simple(rng)


CAUCHY = certified(Term(1, ("c - aa >= 0", "xx >= 0"), lambda *_: 1), Term(1, ("aa xx - ax^2 >= 0",), lambda *_: 1))
NORM = certified(Term(1, ("phi^2 - u^2 >= 0",), lambda *_: 1), Term(1, ("phi^2 - v^2 >= 0",), lambda *_: 1))

STATEMENTS = (
    Statement(
        "R.Lem.7", "Section 3.6",
        Form("(i) Â <= (J|Δ|φ² + 1)|𝒯| I; (ii) κ̲I <= H = diag{H_1, …, H_L} <= κ̄I for some 0 < κ̲ <= κ̄",
             {"images": images(), "blocks": blocks(), "position": position(), "norm": norm(), "attained": attained()}),
        checks=(on("images", claimed(Status.SAMPLED, "windows of small images in exact numbers")),
                on("blocks", claimed(Status.SAMPLED, "κ̲ = κ̲_G/((J|Δ|φ² + 1)|𝒯| + λ_A), κ̄ = κ̄_G/λ_A")),
                on("position", CAUCHY), on("norm", NORM), on("position", proved_by_z3()), on("norm", proved_by_z3())),
        mutants=(Form("without the 1 of the bias", {"images": images(one=0)}), Form("φ for φ²", {"images": images(power=1)}),
                 Form("without |𝒯|", {"images": images(positions=False)}),
                 Form("(J|Δ|φ² + 1)|𝒯|/2", {"images": images(factor=Q(1, 2))}),
                 Form("2κ̲", {"blocks": blocks(lower=2)}), Form("κ̄/2", {"blocks": blocks(upper=Q(1, 2))}),
                 Form("H_A + H_G", {"blocks": blocks(kron=False)}),
                 Form("without Cauchy and Schwarz", {"position": position(gram=False)}),
                 Form("without φ", {"position": position(bounded=False)}), Form("2φ², no 1", {"norm": norm(one=0)})),
        hypotheses=("Assumption 7: |a_jt| <= φ for the inputs of all layers", "λ_A, λ_G > 0"),
        sharpness=(on("attained", claimed(Status.EXACT_Q, "(i) is attained")),), errata=(15, 21),
        note="The constant is right, bias and padding included. It is attained for windows of one pixel; with wider windows, "
             "padded, the corners lack inputs and trace Â itself is smaller. The first layer reads data: φ must bound them too. "
             "(ii) takes Lemma 6, hence pairs (0, 0) that are skipped and line 15 without its H. Norms of a_t: two inputs stand "
             "for J|Δ|."),
    Statement(
        "R.Lem.7/1", "Section 3.6, end of the proof of Lemma 7",
        Form("κ̲_A I <= H_A <= κ̄_A I and κ̲_G I <= H_G <= κ̄_G I give κ̲_A κ̲_G I <= H_A ⊗ H_G <= κ̄_A κ̄_G I", product()),
        checks=(hunted(draw_product), certified(
            Term(1, ("more_a >= 0", "more_g >= 0"), lambda *_: 1), Term(1, ("more_a >= 0", "g > 0"), lambda *_: 1),
            Term(1, ("a > 0", "more_g >= 0"), lambda *_: 1))),
        mutants=(Form("bounds of any sign", product(positive=False)), Form("2κ̲_A κ̲_G", product(twice=2)),
                 Form("3κ̲_A κ̲_G", product(twice=3))),
        hypotheses=("0 < κ̲_A, κ̲_G",),
        note="Eigenvalues of H_A ⊗ H_G are the products αγ of theirs: with 0 < a <= a + more_a and 0 < g <= g + more_g, ag <= (a + "
             "more_a)(g + more_g), once for the lower bounds and once for the upper. A diagonal has the extremes of its blocks."),
)
