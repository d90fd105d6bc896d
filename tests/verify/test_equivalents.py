"""Formulas that are as right as the reference's own lie within the bands of its lines."""

import numpy as np
import pytest
from stepgauge.arrays import precision
from stepgauge.reference.parts.descent import descend
from stepgauge.verify.bands import BITS, Bands, Paths
from stepgauge.verify.equivalents import WIDER


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weight_decay_in_both_forms(dtype):
    rng = np.random.default_rng(0)
    theta, p = rng.standard_normal((2, 400)).astype(dtype)
    p *= np.float32(2) ** -12                    # so that the rounding of θ is what counts
    for alpha, gamma in ((0.7, 0.3), (0.01, 0.05), (1.0, 0.9)):
        a, c = (np.asarray(x, dtype)[()] for x in (alpha, gamma))
        forms = [theta - a * (p + c * theta), theta * (1 - a * c) - a * p, (1 - a * c) * theta + -a * p]
        with precision(BITS):
            space = Bands(dtype, Paths())
            args = space.asarray(theta), space.asarray(p), space.const(alpha)
            wide, narrow = WIDER["descend"](*args, gamma), descend(*args, gamma)
            assert (wide.e >= narrow.e).all()
            for form in forms:
                assert (np.abs((space.asarray(form).v - wide.v).astype(float)) <= wide.e).all()
            without = WIDER["descend"](*args, 0)
            assert (without.e == descend(*args, 0).e).all()
