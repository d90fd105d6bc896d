"""R Table 4.1: the closed forms of docs/costs.md against counts of the code."""

import itertools

import pytest
import tensor_costs
from stepgauge.reference import shampoo, tnt
from stepgauge.reference.parts.tensor_normal import contractions

SHAPES = [shape for k in range(1, 5) for shape in itertools.islice(itertools.product((1, 2, 3, 5), repeat=k), 0, None, 5)]


@pytest.mark.parametrize("method", ["TNT", "Shampoo"])
def test_counts_are_the_closed_forms(method):
    assert len(SHAPES) > 60
    for shape in SHAPES:
        assert tensor_costs.counted(method, shape) == tensor_costs.FORMULAS(method, shape), shape


def test_products_of_one_newton_step():
    """Squaring: 2, 4, 6, 8 take 1, 2, 3, 3 products; M and X take one each."""
    assert [tensor_costs.powers(k) for k in (1, 2, 3, 4)] == [3, 4, 5, 5]


@pytest.mark.parametrize(("d_i", "d_o"), [(40, 50), (100, 30)])
def test_the_extra_pass_is_two_products_a_layer(d_i, d_o):
    """Back through the weights, and their gradient; entry by entry work beside it is at most of order m(d_i + d_o) + d_i d_o."""
    for m in (50, 500):
        extra = tensor_costs.extra_pass(m, d_i, d_o) - 2 * m * d_i * d_o
        assert abs(extra) <= 8 * (m * (d_i + d_o) + d_i * d_o)


def test_whole_steps_add_up_to_the_tensors():
    """The lines of both methods on a net: products of the tensors' closed forms, and work entry by entry of lower order."""
    widths, m = (30, 40, 20), 10
    shapes = [shape for d_i, d_o in itertools.pairwise(widths) for shape in ((d_o, d_i), (d_o,))]
    for method, tags in (("TNT", ("R15.11 R15.12", "R15.16", "R15.18")), ("Shampoo", ("R16.8 R16.9", "R16.11 R16.12", "R16.14"))):
        lines = tensor_costs.by_line(method, widths, m)
        for tag, term in zip(tags, ("statistics", "inverses", "direction"), strict=True):
            products = sum(tensor_costs.FORMULAS(method, shape)[term] for shape in shapes)
            assert products <= lines[tag] <= products + 4 * sum(sum(d * d for d in shape) for shape in shapes)


def test_what_is_counted_is_what_the_methods_call():
    assert tnt.contractions is contractions
    assert shampoo.contractions is contractions
