"""R Tables 2.1 and 2.2 against counts: the counting itself, the polynomials, the fitted exponents, the page."""

import importlib.util
import itertools
import math
from fractions import Fraction
from pathlib import Path

import costs
import counting
import numpy as np
import pytest
from stepgauge import nets
from stepgauge.reference import kbfgs20, kfac20
from stepgauge.reference.first_order import adam, rmsprop
from tracked import elimination, expect_same_work, gauss_jordan

SPEC = importlib.util.spec_from_file_location("table_of_costs", Path(__file__).with_name("table.py"))
table = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(table)

PRINTED_EXPONENT = 0.05
CELLS = [(name, column) for name in costs.DENSE for column in table.PRINTED[name]]


# The counting, against loops that count and against real arrays

def worked(function, *shapes):
    space = counting.Counting()
    result = function(space, *(space.zeros(shape) for shape in shapes))
    return space.work.total(), result.shape


@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (2, 3, 4), (5, 2, 3), (4, 7, 1)])
def test_each_operation_counts_what_its_loops_do(n, k, m):
    triple = sum(1 for _ in itertools.product(range(n), range(k), range(m)))
    triangle = sum(k for i in range(n) for j in range(n) if j <= i)
    assert worked(lambda xp, A, B: A @ B, (n, k), (k, m)) == (triple, (n, m))
    assert worked(lambda xp, A, x: A @ x, (n, k), (k,)) == (n * k, (n,))
    assert worked(lambda xp, x, y: x @ y, (k,), (k,)) == (k, ())
    assert worked(lambda xp, A: A @ A.T, (n, k)) == (triangle, (n, n))
    assert worked(lambda xp, A: A.T @ A, (k, n)) == (triangle, (n, n))
    assert worked(lambda xp, A, B: A.T @ B, (k, n), (k, n)) == (n * n * k, (n, n))
    assert worked(lambda xp, A: xp.inv(A), (n, n)) == (gauss_jordan(n), (n, n))
    assert worked(lambda xp, A, B: xp.solve(A, B), (n, n), (n, m)) == (elimination(n, m), (n, m))
    assert worked(lambda xp, A, b: xp.solve(A, b), (n, n), (n,)) == (elimination(n, 1), (n,))
    assert worked(lambda xp, a, b: 2 * (a[:, None] * b[None, :]), (n,), (m,)) == (2 * n * m, (n, m))
    assert worked(lambda xp, A: xp.sum(A, axis=0), (n, m)) == (n * m, (m,))
    assert worked(lambda xp, A: xp.reshape(A, (-1, m)), (n, 1, m)) == (0, (n, m))
    assert worked(lambda xp, A: xp.concat([A[:, 1:], A], axis=1), (n, k)) == (0, (n, 2 * k - 1))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="shapes: expected equal inner sizes"):
        worked(lambda xp, A, B: A @ B, (2, 3), (4, 5))


RUNS = [(kbfgs20, kbfgs20.Hyper()), (kbfgs20, kbfgs20.Hyper(p=3)), (kbfgs20, kbfgs20.Hyper(double_grad=True)),
        (kfac20, kfac20.Hyper(T=3)), (adam, adam.Hyper()), (rmsprop, rmsprop.Hyper())]


@pytest.mark.parametrize(("module", "hyper"), RUNS, ids=["K-BFGS", "K-BFGS(L)", "double-grad", "KFAC", "Adam", "RMSprop"])
def test_shapes_alone_count_what_real_arrays_do(module, hyper):
    expect_same_work(module, hyper, nets.mlp((5, 4, 3), ("linear", "linear"), "mse"))


# The polynomials and the fits

@pytest.mark.parametrize("name", costs.DENSE)
def test_polynomials_hold_at_sizes_that_they_were_not_made_from(name):
    rng = np.random.default_rng(41)
    for _ in range(4):
        sizes = {x: int(rng.integers(7, 60)) for x in costs.METHODS[name].variables}
        assert costs.layer(name, **sizes) == {column: p(**sizes) for column, p in costs.polynomials(name).items()}


def test_layers_add_up_to_networks():
    """A network's cost beyond its first layer is the sum of its layers'."""
    widths, m = (3, 5, 2, 4), 7
    for name in costs.DENSE:
        whole, first = costs.count(name, costs.mlp(widths), m), costs.count(name, costs.mlp(widths[:2]), m)
        parts = [costs.polynomials(name)] * 2
        sizes = [{"m": m, "p": 1, "T": 1, "d_i": d_i, "d_o": d_o} for d_i, d_o in itertools.pairwise(widths[1:])]
        if name == "K-BFGS(L)":
            whole, first = (costs.count(name, costs.mlp(w), m, p=1) for w in (widths, widths[:2]))
        for column in costs.WORK + costs.STATE:
            i = column in costs.STATE
            assert whole[i][column] - first[i][column] == sum(p[column](**s) for p, s in zip(parts, sizes, strict=True))


@pytest.mark.parametrize(("name", "column"), CELLS)
def test_fitted_exponents_are_the_printed_ones(name, column):
    missing, unneeded = table.silent(name, column)
    assert not unneeded, "a printed term that the counts do not have"
    counted = table.leading(name, column)
    assert set(counted) - missing == costs.parsed(table.PRINTED[name][column], costs.METHODS[name].variables)
    for powers, (coefficient, fit) in counted.items():
        assert Fraction(1, 2) <= coefficient <= 6, "constants 'roughly at the same level and relatively small'"
        assert all(abs(x - power) <= PRINTED_EXPONENT for x, power in zip(fit.exponents, powers, strict=True))


def test_the_tables_are_silent_about_the_memory_of_l_bfgs_and_about_nothing_else():
    found = {(name, column): {costs.shown(powers, costs.METHODS[name].variables) for powers in table.silent(name, column)[0]}
             for name, column in CELLS}
    assert {cell: terms for cell, terms in found.items() if terms} == {
        ("K-BFGS(L)", "curvature"): {"p² d_o", "p³"}, ("K-BFGS(L)", "step"): {"p² d_i", "p² d_o", "p³"}}


def test_a_wrong_table_would_be_noticed(monkeypatch):
    wrong = {"step": "d_i² d_o + m d_o", "curvature": "m d_i² + d_o³/T"}
    monkeypatch.setitem(table.PRINTED, "KFAC", table.PRINTED["KFAC"] | wrong)
    assert table.silent("KFAC", "step") == ({(0, 1, 2, 0)}, {(1, 0, 1, 0)})
    assert table.silent("KFAC", "curvature")[0] == {(1, 0, 2, 0), (0, 3, 0, -1)}


def test_a_fit_tells_neighbouring_exponents_apart(monkeypatch):
    """The count of K-BFGS's step, made √d_o too large, is no longer d_i² d_o."""
    honest = costs.layer
    monkeypatch.setattr(costs, "layer", lambda name, **sizes: {"step": honest(name, **sizes)["step"] * math.sqrt(sizes["d_o"])})
    assert abs(costs.fitted.__wrapped__("K-BFGS", "step", (0, 2, 1)).exponents[2] - 1) > 8 * PRINTED_EXPONENT


# What the page says in words

def test_storage_totals_contain_a_gradient_that_no_column_has():
    for name in costs.DENSE:
        printed, variables = table.PRINTED[name], costs.METHODS[name].variables
        columns = set().union(*(costs.parsed(printed[column], variables) for column in ("second", "A", "G")))
        extra = costs.parsed(printed["total"], variables) - columns
        assert {costs.shown(powers, variables) for powers in extra} == (set() if name in ("Adam", "RMSprop") else {"d_i d_o"})
        assert costs.polynomials(name)["average"](m=1, p=1, T=1, d_i=6, d_o=5) == 7 * 5


def test_memory_stores_more_than_a_matrix_below_twice_p_outputs():
    for d_o in (199, 200, 201):
        matrix, memory = (costs.polynomials(name)["total"](m=1, p=100, d_i=9, d_o=d_o) for name in ("K-BFGS", "K-BFGS(L)"))
        assert (memory > matrix) == (d_o < 200)


def test_step_with_memory_costs_more_below_4_6_p_outputs():
    for d_o, more in ((400, True), (460, True), (480, False), (600, False)):
        matrix, memory = (costs.polynomials(name)["step"](m=1, p=100, d_i=10**6, d_o=d_o) for name in ("K-BFGS", "K-BFGS(L)"))
        assert (memory > matrix) == more


def test_first_T_steps_of_kfac_invert_every_time():
    sizes, T = (1, 30, 20), 4
    first, later = (costs.count("KFAC", costs.mlp(sizes), 50, T=T, k=k)[0]["curvature"] for k in (0, T))
    inverse = sum((d_i + 1) ** 3 + (d_i + 1) ** 2 * 2 + d_o**3 + d_o**2 * 2 for d_i, d_o in itertools.pairwise(sizes))
    assert first - later == inverse * Fraction(T - 1, T)


def test_less_computation_than_kfac_hangs_on_how_kfac_is_written():
    ours = {"K-BFGS", "K-BFGS(L)"}
    for net, widths in table.NETS.items():
        forward = 1000 * sum(d_i * d_o for d_i, d_o in itertools.pairwise(widths))
        for triangles, extra, cheaper in ((False, 0, ours), (True, forward, ours), (True, 0, ours - {"K-BFGS"})):
            kfac = table.beyond_sgd("KFAC", widths, triangles=triangles) + extra
            found = {name for name in ours if table.beyond_sgd(name, widths, triangles=triangles) < kfac}
            assert found == (set() if triangles and not extra and net != "FACES" else cheaper)
    curves = table.NETS["CURVES"]
    assert table.beyond_sgd("K-BFGS(L)", curves) > table.beyond_sgd("K-BFGS", curves)


def test_page_is_what_the_command_writes():
    committed = table.PAGE.read_text(encoding="utf-8")
    assert committed == table.page(), "run `python tests/counting/table.py` and look at the difference"
