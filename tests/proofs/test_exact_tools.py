"""The tools of the ledger's chapters 1 and 5: slopes by interpolation, orders of costs, runs of Algorithm 23."""

from itertools import pairwise

import pytest
from stepgauge.proofs_check import polynomial_nets
from stepgauge.proofs_check.chapter5 import algorithm_17, runs, table_5_7
from stepgauge.proofs_check.fields import PRIMES, Field, dot

FIELDS = [Field(None, 0), *(Field(p, 0) for p in PRIMES)]


@pytest.mark.parametrize("field", FIELDS, ids=["Q", "first prime", "second prime"])
def test_slopes_of_a_polynomial(field):
    """c_0 + c_1 s + … + c_6 s⁶: c_1 and 2c_2, for any degree that is large enough, and not for one that is too small."""
    c = [field.draw() for _ in range(7)]

    def at(s):
        return sum((a * s**k for k, a in enumerate(c)), field.number(0))

    for degree in (6, 7, 28, 42):
        assert polynomial_nets.derivative(field, at, 1, degree) == c[1]
        assert polynomial_nets.derivative(field, at, 2, degree) == 2 * c[2]
    assert polynomial_nets.derivative(field, at, 1, 5) != c[1]
    assert polynomial_nets.derivative(field, at, 2, 5) != 2 * c[2]


@pytest.mark.parametrize("n", [1, 2, 3, 206])
def test_slopes_of_a_net_are_linear_in_the_direction(n):
    field = FIELDS[1]
    net = polynomial_nets.draw(field, n)
    one, other = net.direction(), net.direction()
    both = [polynomial_nets.Layer(a.W + 2 * b.W, a.b + 2 * b.b) for a, b in zip(one, other, strict=True)]
    slopes = [net.along(net.after(), theta_1) for theta_1 in (one, other, both)]
    assert slopes[0] + 2 * slopes[1] == slopes[2]
    assert slopes[0] != slopes[1]
    if n > 3:
        assert sum(W.nrows() * (W.ncols() + 1) for W, _ in net.theta) == n


def test_activations_have_jacobians_that_are_not_symmetric():
    net = polynomial_nets.draw(FIELDS[0], 3)
    assert all(D.transpose() != D for D in net.slopes(net.forward()[0]))


def test_orders_of_terms():
    """xy² is at most x³ + y³, and x²y² is not, along x = y = T."""
    assert table_5_7.bounded((1, 2), [(3, 0), (0, 3)])
    assert table_5_7.bounded((1, 0), [(1, 4)])
    assert not table_5_7.bounded((2, 2), [(3, 0), (0, 3)])
    w = table_5_7.ray((2, 2), [(3, 0), (0, 3)])
    assert w == (1, 1)
    assert table_5_7.ray((1, 2), [(3, 0), (0, 3)]) is None


def test_every_term_is_bounded_or_outgrows():
    everything = [table_5_7.GN, table_5_7.NG, table_5_7.HF_DENSE, table_5_7.KFAC, table_5_7.BLOCKS]
    printed = [table_5_7.gauss_newton(), table_5_7.natural(), table_5_7.kfac(False), table_5_7.N * table_5_7.n]
    for count in everything:
        for by in map(table_5_7.powers, printed):
            for term in table_5_7.powers(count):
                assert table_5_7.bounded(term, by) == (table_5_7.ray(term, by) is None)


def test_a_sheet_tells_what_is_missing():
    sheet = algorithm_17.Sheet({"x": 1})
    sheet.line = 7
    assert sheet["x"] == 1
    with pytest.raises(algorithm_17.BrokenLine, match=r"^line 7 uses v\^\(2\), "):
        sheet["v", 2]


def test_runs_take_the_damped_step_and_obey_the_rule():
    for tag, net, rule, steps in runs.traces()[:6]:
        assert tag == ""
        for before, after in pairwise(steps):
            assert before.B * before.p + before.lam * before.p == -before.g
            assert before.lam == before.lam_LM + rule.tau
            assert before.taken == (before.rho >= rule.eta) == (after.theta != before.theta)
            factor = rule.boost if before.rho < rule.eps else rule.drop if before.rho > 1 - rule.eps else 1
            assert after.lam_LM == factor * before.lam_LM
            assert net.g(before.theta, before.t) == before.g


def test_bounds_of_the_nets_hold_where_they_are_used():
    for _, net, _, steps in runs.traces()[:6]:
        beta, beta_1 = net.bounds()
        for step in steps:
            p, h = step.p, -2 * (step.actual + dot(step.g, step.p))       # pᵀ∇²f p, somewhere between θ and θ + p
            assert 0 <= dot(p, step.B * p) <= beta * dot(p, p)
            assert abs(h) <= beta_1 * dot(p, p)
