"""W Table 1 by counting; docs/costs.md, which has the figures, is compared with its command in test_tables_2.py."""

from itertools import pairwise

import orders
import pytest

WIDTH = 32


def test_taylor_terms_grow_linearly_with_the_order():
    """Each order adds about as much as the one before, once the first is there."""
    counts = [orders.terms(WIDTH, d) for d in range(1, 7)]
    added = [b - a for a, b in pairwise(counts)]
    assert max(added) < 1.3 * min(added)
    assert counts[5] < 6 * counts[0]


def test_the_recursion_of_appendix_a_multiplies():
    counts = [orders.recursion(WIDTH, d) for d in range(1, 5)]
    assert all(2.5 < b / a < 3 for a, b in pairwise(counts))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_tensors_cost_at_most_s_to_the_order_less_one(order):
    one = orders.tensor(WIDTH, 1, order)
    for S in (2, 3, 4, 6, 12):
        assert orders.tensor(WIDTH, S, order) <= S ** (order - 1) * one
    assert orders.exponent(lambda S: orders.tensor(WIDTH, S, order), (6, 12)) <= order - 1 + 1e-9


def test_cost_is_proportional_to_p():
    for cost in (lambda w: orders.terms(w, 3), lambda w: orders.tensor(w, 3, 2), lambda w: orders.all_summaries(w, 4)):
        sizes = [(cost(w), orders.size(orders.problem(w)[2])) for w in (128, 256)]
        (small, P), (large, Q) = sizes
        assert abs(large / small / (Q / P) - 1) < 0.05


@pytest.mark.parametrize("S", [1, 2, 4, 12])
def test_summaries_cost_less_than_tangent_passes(S):
    """A forward-backward-tangent pass is twice a forward and backward pass."""
    unit = orders.gradient(64)
    assert orders.all_summaries(64, S) < (3 + 2 * S) * unit
