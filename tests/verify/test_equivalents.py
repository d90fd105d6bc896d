"""Formulas that are as right as the reference's own lie within the bands of its lines."""

import numpy as np
import pytest
from stepgauge.arrays import precision
from stepgauge.reference.parts.descent import descend
from stepgauge.verify.bands import BITS, Banded, Bands, Paths
from stepgauge.verify.equivalents import WIDER, _weight


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


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("room", "wide"), [(1e-6, False), (2.0, True)])
def test_the_weight_of_damping_is_the_hull_of_both_branches_and_no_more(dtype, room, wide):
    """θ = (1 − μ)c / (c − sᵀy) is 1 where sᵀy = μc: near there neither branch may be taken for granted, nor anything beyond."""
    with precision(BITS):
        space = Bands(dtype, Paths())
        c, sy = Banded(space.asarray(4.0).v, room, space), Banded(space.asarray(1.0).v, room, space)
        theta = _weight(sy, c, 0.25)
        low, high = (float(theta.v) + sign * float(theta.e) for sign in (-1, 1))
        assert low <= 0.75 * (4 + room) / (3 + 2 * room) <= 1 <= high
        assert (low, high) == (0, 1) if wide else 1 - 4 * room <= low <= high <= 1 + 4 * room
        sure = _weight(Banded(space.asarray(-2.0).v, 0.0, space), Banded(space.asarray(4.0).v, 0.0, space), 0.25)
        assert abs(float(sure.v) - 0.5) <= float(sure.e) <= 8 * space.u
