"""L-BFGS in any form (compact, two loops, a matrix): it is BFGS, one pair after the other, from H_0 = hI.

Signature `apply(S, Y, X, h=h) -> HX` (n, d): S, Y (n, m) the pairs as columns, oldest first, m >= 0; X (n, d).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import strategies
from .rational import identity, outer, size
from .trial import Trial, drawn_from

Array = Any


@drawn_from(strategies.memories())
def compact_is_recursive(apply: Callable[..., Array], S: Array, Y: Array, X: Array, h: Any) -> None:
    """R (2.12), (3.16): HX for H_i = (I − ρ_i s_i y_iᵀ) H_{i−1} (I − ρ_i y_i s_iᵀ) + ρ_i s_i s_iᵀ, H_0 = hI, s_iᵀy_i > 0.

    Takes    apply(S, Y, X, h=h) -> HX (n, d); S, Y (n, m), m = 0 to 3 pairs; X (n, d), d not n; h > 0, most often not 1.
    Catches  pairs in the wrong order, h left out of one block of the compact form, the diagonal of SᵀY inside its triangle,
             lower for upper triangle, H_0 = I/h.
    """
    trial = Trial(S=S, Y=Y, X=X, h=h)
    HX = trial.array("HX", trial.call(apply, S, Y, X, h=h), *X.shape)
    S, Y, X, h = trial.exact()
    H = h * identity(len(S))
    largest = size(H)
    for s, y in zip(S.T, Y.T, strict=True):
        V = identity(len(s)) - outer(s, y) / (s @ y)
        H = V @ H @ V.T + outer(s, s) / (s @ y)
        largest = max(largest, size(V) ** 2 * largest * len(s) ** 2, size(H))
    trial.equal("HX = (BFGS, pair by pair) X", HX, H @ X, scale=len(S) * largest * size(X))
