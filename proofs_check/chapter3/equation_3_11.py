"""R (3.11) and (3.16): the BFGS update of H, of B, and p of them in a row."""

import random

from ..checks import Outcome, claimed, mod_p, on, over_Q
from ..fields import dot, outer
from ..statement import Form, Statement, Status
from . import common
from .common import Q


def updates(count=1, sign=1, secant=True, oldest=False):
    """B_iH_i = I and H_i y_i = s_i after every update; with `oldest`, H_p y_1 = s_1 as well.

    For n >= 200 three updates.
    """
    def pairs(field, n):
        H = field.symmetric(n)
        B, eye, used = H.inv(), field.eye(n), []
        for _ in range(count if n < 100 else min(count, 3)):
            s, y = field.vector(n), field.vector(n)
            used.append((s, y))
            rho, Bs = 1 / dot(s, y), B * s
            H = (eye - rho * outer(s, y)) * H * (eye - rho * outer(y, s)) + rho * outer(s, s)
            B = B - outer(Bs, Bs) * (1 / dot(s, Bs)) + outer(y, y) * (sign * rho)
            yield B * H, eye
            yield H * y, s if secant else -s
        if oldest:
            yield H * used[0][1], used[0][0]
    return pairs


def definite(positive=True):
    """H⁺ is positive definite for random definite H and pairs with sᵀy > 0."""
    def claim():
        rng, count = random.Random(3), 0
        while count < 60:
            s, y = ([Q(rng.randint(-3, 3), rng.choice([1, 3])) for _ in range(2)] for _ in range(2))
            if common.dot(s, y) == 0 or (positive and common.dot(s, y) < 0):
                continue
            a, b, count = Q(rng.randint(1, 9)), Q(rng.randint(-2, 2)), count + 1
            H = common.bfgs([[a, b], [b, (b * b + 1) / a]], s, y)
            if not (H[0][0] > 0 and H[0][0] * H[1][1] > H[0][1]**2):
                return Outcome(f"H = [[{a}, {b}], [{b}, {(b * b + 1) / a}]], s = {s}, y = {y}: H⁺ is not positive definite")
        return Outcome(detail="60 updates of 2 × 2 matrices")
    return claim


STATEMENTS = (
    Statement(
        "R.Eq.3.11", "Section 3.3.1",
        Form("H_G⁺ = (I − ρs_G y_Gᵀ) H (I − ρy_G s_Gᵀ) + ρs_G s_Gᵀ, ρ = 1/y_Gᵀs_G", {"update": updates(), "definite": definite()}),
        checks=(on("update", over_Q()), on("update", mod_p(lambda n: 4 * n + 20)),
                on("definite", claimed(Status.SAMPLED, "exact updates of small matrices"))),
        mutants=(Form("−ρyyᵀ in B⁺", {"update": updates(sign=-1)}), Form("H⁺y = −s", {"update": updates(secant=False)}),
                 Form("definite for any sᵀy ≠ 0", {"definite": definite(positive=False)})),
        hypotheses=("sᵀy > 0", "H positive definite"), long=True,
        note="H is H_G, without its index in the print. The inverse of B⁺ of Lemma 5's proof, and H⁺y = s."),
    Statement(
        "R.Eq.3.16", "Section 3.6, proof of Lemma 6",
        Form("H_i = (I − ρ_i s_i y_iᵀ) H_{i−1} (I − ρ_i y_i s_iᵀ) + ρ_i s_i s_iᵀ and B_i = B_{i−1} − B_{i−1}s_i s_iᵀ "
             "B_{i−1}/s_iᵀB_{i−1}s_i + ρ_i y_i y_iᵀ stay inverse to each other, i = 1, …, p", updates(4)),
        checks=(over_Q(), mod_p(lambda n: 10 * n + 100)),
        mutants=(Form("−ρyyᵀ in B_i", updates(4, sign=-1)), Form("H_i y_i = −s_i", updates(4, secant=False)),
                 Form("H_p y_1 = s_1 too", updates(4, oldest=True))),
        hypotheses=("s_iᵀy_i ≠ 0",),
        note="Only the newest pair's secant equation holds after p updates.", long=True),
)
