"""What Algorithm 8 with H = H_G does to a curvature that stays negative, and Algorithm 11 does not (ERR-15)."""

from itertools import pairwise

import numpy as np
import pytest
from stepgauge.reference.parts.damping import dp_dlm, dpi_dlm
from stepgauge.reference.parts.quasi_newton import bfgs_H

S, Y = np.array([1, 0]), np.array([-1, 1])


def least_eigenvalues(damping, dtype, updates):
    """Of H, from I, after each of so many updates with the same pair of sᵀy = −1."""
    s, y, H, found = S.astype(dtype), Y.astype(dtype), np.eye(2, dtype=dtype), []
    for _ in range(updates):
        s_t, y_t = damping(s, y, H)
        H = bfgs_H(H, s_t, y_t)
        found.append(float(np.linalg.eigvalsh(H.astype(float))[0]))
    return found


def test_a_negative_curvature_shrinks_H_without_end():
    of_H = least_eigenvalues(lambda s, y, H: dp_dlm(s, y, H, mu1=0.2, mu2=1), "float64", 20)
    of_I = least_eigenvalues(lambda s, y, H: dpi_dlm(s, y, mu1=0.2, mu2=1), "float64", 20)
    assert all(later < earlier / 2 for earlier, later in pairwise(of_H))
    assert min(of_I) > of_I[0] / 2


def test_so_that_float32_loses_its_definiteness():
    with pytest.raises(ValueError, match="H: expected a positive definite matrix"):
        least_eigenvalues(lambda s, y, H: dp_dlm(s, y, H, mu1=np.float32(0.2), mu2=np.float32(1)), "float32", 20)
