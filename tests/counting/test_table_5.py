"""R Section 5.7, by counting: the printed terms bound what is counted, but for the inputs' share of D."""

import costs5
import pytest


@pytest.mark.parametrize("name", [*costs5.METHODS, "HF"])
def test_polynomials_foretell_counts_elsewhere(name):
    for sizes in ((7, 9, 5, 2), (30, 784, 500, 10), (2, 3, 50, 11)):
        assert {column: polynomial(**dict(zip(costs5.VARIABLES, sizes, strict=True)))
                for column, polynomial in costs5.polynomials(name).items()} == costs5.columns(name, *sizes)


@pytest.mark.parametrize("name", costs5.METHODS)
def test_the_table_bounds_all_but_the_inputs(name):
    """ERR-68: Σ_l m_l must begin with m_0, whose N₂² m_0 no printed term divides."""
    assert costs5.silent(name) == {(2, 1, 0, 0)}
    assert all(costs5.polynomials(name)["D"].terms[2, 1, 0, 0] == c for c in [costs5.total(name).terms[2, 1, 0, 0]])


def test_an_iteration_of_hessian_free_is_bounded():
    """O(N₂ n), but for what conjugate gradients do with vectors of length n, whatever N₂ is, and N₂ m_L² of the output Hessians."""
    leading = set(costs5.total("HF").leading())
    assert {(1, 1, 1, 0), (1, 0, 1, 1)} <= leading
    assert costs5.silent("HF") <= {(1, 0, 0, 2)}


def test_every_printed_term_of_the_two_woodburys_is_met():
    assert {(1, 0, 1, 2), (2, 0, 1, 2), (3, 0, 0, 3)} <= set(costs5.total("SMW-GN").terms)
    assert {(1, 1, 1, 0), (2, 0, 1, 0), (3, 0, 0, 0)} <= set(costs5.total("SMW-NG").terms)


def test_no_pass_of_gauss_newton_is_repeated_for_every_output_and_every_weight():
    """The partial mode stops at ĥ: N₂ n + m_L N₂ Σ m_l, where the table allows for m_L N₂ n."""
    assert (1, 1, 1, 1) not in costs5.total("SMW-GN").terms
    assert costs5.total("SMW-GN").terms[1, 1, 1, 0] == 2


def test_counts_at_the_sizes_of_the_thesis():
    """(784, 500, 10), N₂ = 30: Gauss-Newton costs more than natural gradient, by D and its solution."""
    gn, ng = (costs5.columns(name, 30, 784, 500, 10) for name in ("SMW-GN", "SMW-NG"))
    assert sum(gn.values()) > sum(ng.values())
    assert gn["solve"] == (300**3 - 300) // 3 + 300 * 300
    assert ng["solve"] == (30**3 - 30) // 3 + 30 * 30
    assert gn["D"] < 300 * 300 * 520


def test_nothing_here_depends_on_the_gradients_examples(monkeypatch):
    before = costs5.columns("SMW-GN", 3, 4, 5, 2)
    costs5.columns.cache_clear()
    monkeypatch.setattr(costs5, "N_1", 41)
    assert costs5.columns("SMW-GN", 3, 4, 5, 2) == before
    costs5.columns.cache_clear()
