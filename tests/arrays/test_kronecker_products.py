"""A ⊗ B in every arithmetic, against (A ⊗ B)_{ip+k, jq+l} = A_ij B_kl."""

import flint
import numpy as np
import pytest
from stepgauge.arrays import cast, namespace


@pytest.mark.parametrize("kind", ["float32", "float64", "fraction", "fmpq", "mpf", "ball"])
@pytest.mark.parametrize("shapes", [((2, 3), (4, 2)), ((1, 1), (3, 2)), ((3, 1), (1, 4)), ((2, 2), (2, 2))], ids=str)
def test_kron_by_indices(kind, shapes):
    rng = np.random.default_rng(7)
    (m, n), (p, q) = shapes
    whole_A, whole_B = (rng.integers(-99, 100, shape) for shape in shapes)        # products are exact in float32
    A, B = cast(whole_A.astype(float) / 4, kind), cast(whole_B.astype(float), kind)
    K = namespace(A, B).kron(A, B)
    assert K.shape == (m * p, n * q)
    assert K.dtype == A.dtype
    assert type(K[0, 0]) is type(A[0, 0])
    for i in range(m):
        for j in range(n):
            for k in range(p):
                for l in range(q):
                    entry = 4 * K[i * p + k, j * q + l]
                    assert entry == int(whole_A[i, j]) * int(whole_B[k, l])


def test_kron_of_rationals_does_not_round():
    A = np.array([[flint.fmpq(1, 3)]], dtype=object)
    assert namespace(A).kron(A, A)[0, 0] == flint.fmpq(1, 9)
