"""K-BFGS without both improvements "is the same as" K-BFGS-20 (R Section 3.7.3): exactly so from H_G = I, and only then."""

from fractions import Fraction as F

import flint
import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS

LAM, LAM_G = F(1, 4), flint.fmpq(1, 2)
ALPHA = F(1, 50)


def after_three_steps(method, hyper, from_identity=False):
    """W̄ over ℚ after three steps on one net with the same batches."""
    model = nets.mlp((2, 3, 1), ("relu", "linear"), "mse")
    rng = np.random.default_rng(5)
    quarters = [nets.Layer(np.round(4 * layer.W) / 4, layer.b + 0.25) for layer in nets.init(model, 3)]
    batches = [nets.Batch(rng.integers(-4, 5, (3, 2)) / 4, rng.integers(-4, 5, (3, 1)) / 4) for _ in range(3)]
    params, batches = cast((tuple(quarters), batches), "fmpq")
    module = METHODS[method]
    state = module.init(model, params, batches[0], hyper)
    if from_identity:
        state = state._replace(H_G=tuple(LAM_G * H for H in state.H_G))                            # Algorithm 9 starts from I/λ_G
    for batch in batches:
        params, state, _ = module.step(model, params, state, batch, hyper)
    return nets.tensors(params)


@pytest.mark.parametrize("from_identity", [True, False])
def test_both_improvements_off_is_kbfgs20_if_H_G_starts_from_the_identity(from_identity):
    off = METHODS["kbfgs"].Hyper(alpha=ALPHA, lam=LAM, improvement1=False, improvement2=False)
    ours = after_three_steps("kbfgs", off, from_identity)
    theirs = after_three_steps("kbfgs20", METHODS["kbfgs20"].Hyper(alpha=10 * ALPHA, lam=LAM))     # 1 − β = 1/10 of each gradient
    assert all((a == b).all() for a, b in zip(ours, theirs, strict=True)) == from_identity
