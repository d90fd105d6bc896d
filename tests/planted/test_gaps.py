"""Tests for slips that nothing else catches."""

from fractions import Fraction

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast, namespace
from stepgauge.reference import METHODS


@pytest.mark.parametrize("kind", ["fraction", "fmpq", "mpf"])
def test_every_entry_counts_for_symmetry(kind):
    for i in range(4):
        for j in range(i):
            A = np.arange(16.0).reshape(4, 4)
            A = A + A.T
            A[i, j] += 2.0**-40
            A = cast(A, kind)
            assert namespace(A).symmetric(A) is False


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("power", [-40, 0, 40])
def test_symmetry_of_floats_is_relative_to_their_size(dtype, power):
    """A difference of √ε/4 of the largest entry is rounding, one of 4√ε is not, at every scale."""
    for factor, symmetric in [(0.25, True), (4, False)]:
        A = np.array([[2, 1], [1 + factor * 2 * np.sqrt(np.finfo(dtype).eps), 2]]) * 2.0**power
        A = A.astype(dtype)
        assert namespace(A).symmetric(A) is symmetric


@pytest.mark.parametrize("method", ["kbfgs20", "kbfgs20_l", "kbfgs20_l_skip"])
@pytest.mark.parametrize("lam", [Fraction(9, 8), 2])
def test_dampings_beyond_one_are_refused(method, lam):
    """DEV-KBFGS20-2: μ₂ = √λ, and Algorithm 3 has a pole beyond 1."""
    model = nets.mlp((2, 2), ("linear",), "mse")
    params, batch = nets.init(model, 0), nets.Batch(np.eye(2), np.ones((2, 2)))
    hyper = METHODS[method].Hyper()
    state = METHODS[method].init(model, params, batch, hyper)
    with pytest.raises(ValueError, match=r"^lam: expected a number in \(0, 1\] because "):
        METHODS[method].init(model, params, batch, hyper._replace(lam=lam))
    with pytest.raises(ValueError, match=r"^lam: expected a number in \(0, 1\] because "):
        METHODS[method].step(model, params, state, batch, hyper._replace(lam=lam))
