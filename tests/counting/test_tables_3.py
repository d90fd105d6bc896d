"""R Tables 3.1 and 3.2 against counts: convolutions without numbers, the polynomials, the fitted exponents, the page's words."""

import importlib.util
from fractions import Fraction
from pathlib import Path
from unittest import mock

import costs
import counting
import numpy as np
import pytest
from stepgauge import nets
from stepgauge.nets import windows
from stepgauge.reference import kbfgs, kfac
from stepgauge.reference.first_order import adam
from tracked import expect_same_work

SPEC = importlib.util.spec_from_file_location("table_of_costs_3", Path(__file__).with_name("table.py"))
table = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(table)

PRINTED_EXPONENT = 0.05
CELLS = [(name, column) for name in costs.CONV for column in table.PRINTED[name]]
KBFGS, KBFGS_L, KFAC, ADAM = costs.CONV


# The counting, against real arrays

RUNS = {"K-BFGS": (kbfgs, kbfgs.Hyper(T=2)), "K-BFGS(L)": (kbfgs, kbfgs.HyperL(p=3)), "KFAC": (kfac, kfac.Hyper(T_1=2, T_2=4)),
        "Adam": (adam, adam.Hyper()), "action of K-BFGS-20": (kbfgs, kbfgs.Hyper(improvement2=False))}


@pytest.mark.parametrize("run", RUNS)
def test_images_without_numbers_count_what_real_images_do(run):
    """Two convolutions, one with padding and one with a stride, and a dense layer."""
    layers = (nets.Conv2d(3, 3), nets.Conv2d(2, (1, 2), 2, "valid"), nets.Flatten(), nets.Dense(4))
    expect_same_work(*RUNS[run], nets.cnn((2, 4, 5), layers, "mse"))


def test_how_images_are_cut_into_blocks_changes_no_count():
    space, model = counting.Counting(), costs.cnn(4, 3, (2, 5))
    params = tuple(nets.Layer(space.zeros(shape), space.zeros(shape[0])) for shape in nets.layer_shapes(model))
    x, work = space.zeros((6, *model.input_shape)), []
    for step in (1, 4, 6):
        cut = {"return_value": [slice(n, n + step) for n in range(0, 6, step)]}
        with mock.patch.object(windows, "blocks", **cut):
            tape = nets.forward(model, params, x)
            nets.pre_gradients(model, params, tape, tape.output)
        work.append(space.taken())
    assert len(set(work)) == 1


def test_what_a_number_that_does_not_fit_is_written_to_is_refused():
    space = counting.Counting()
    with pytest.raises(ValueError, match="mismatch"):
        space.zeros((2, 3))[:, 1:] = space.zeros((2, 3))


@pytest.mark.parametrize("name", [KBFGS, KFAC])
def test_a_period_is_counted_by_which_updates_are_due(name):
    """The mean over a whole period, step by step, is the mean that counts every kind of step once."""
    periods = {"T": 3} if name == KBFGS else {"T_1": 2, "T_2": 3}
    model = costs.cnn(4, 2, (3, 5))
    whole, by_kind = (costs.count(name, model, 7, k=k, **periods)[0] for k in (6, None))
    assert whole == by_kind


# The polynomials and the fits

@pytest.mark.parametrize("name", costs.CONV)
def test_polynomials_hold_at_convolutions_that_they_were_not_made_from(name):
    rng = np.random.default_rng(43)
    for _ in range(2):
        sizes = {x: int(rng.integers(6, 30)) for x in costs.METHODS[name].variables}
        if name == KFAC:
            sizes["T_2"] += sizes["T_1"]
        assert costs.layer(name, **sizes) == {column: p(**sizes) for column, p in costs.polynomials(name).items()}


@pytest.mark.parametrize("name", costs.CONV)
def test_windows_of_two_dimensions_cost_as_windows_of_one(name):
    """3 × 3 with padding on images of 4 × 5: all that differs is the loss, since the images of J channels have no margin."""
    sizes = {"m": 6, "J": 3, "I": 4, "P": 20, "Δ": 9, "p": 2, "T": 1, "T_1": 1, "T_2": 1}
    sizes = {x: sizes[x] for x in costs.METHODS[name].variables}
    more = {x: sizes[x] for x in ("p", *costs.PERIODS) if x in sizes}
    models = (nets.cnn((1, 4, 5), (nets.Conv2d(3, 1), *second, nets.Flatten()), "mse") for second in ((nets.Conv2d(4, 3),), ()))
    longer, shorter = (costs.count(name, model, 6, **more) for model in models)
    one = costs.polynomials(name)
    margin = 6 * 3 * 8                                     # examples, channels, pixels: entries of a gradient of the loss
    passes = {"shared": 1} if name == ADAM else {"shared": 1, "pass": 1}
    for column in costs.WORK:
        assert longer[0][column] - shorter[0][column] - one[column](**sizes) == passes.get(column, 0) * margin
    for column in costs.STATE:
        assert longer[1][column] - shorter[1][column] == one[column](**sizes)


@pytest.mark.parametrize(("name", "column"), CELLS)
def test_fitted_exponents_of_convolutions_are_the_printed_ones(name, column):
    missing, unneeded = table.silent(name, column)
    assert not unneeded, "a printed term that the counts do not have"
    counted = table.leading(name, column)
    assert set(counted) - missing <= costs.parsed(table.PRINTED[name][column], costs.METHODS[name].variables)
    for powers, (coefficient, fit) in counted.items():
        assert Fraction(1, 2) <= coefficient <= 6
        assert all(abs(x - power) <= PRINTED_EXPONENT for x, power in zip(fit.exponents, powers, strict=True))


def test_the_tables_of_convolutions_are_silent_about_the_memory_of_l_bfgs_and_about_nothing_else():
    found = {(name, column): {costs.shown(powers, costs.METHODS[name].variables) for powers in table.silent(name, column)[0]}
             for name, column in CELLS}
    assert {cell: terms for cell, terms in found.items() if terms} == {
        (KBFGS_L, "curvature"): {"I p²/T", "p³/T"}, (KBFGS_L, "step"): {"J Δ p²", "I p²", "p³"}}


@pytest.mark.parametrize(("name", "column", "wrong", "silent", "unneeded"), [
    (KBFGS, "pass", "m P I J/T", {"m P I J Δ/T"}, set()),
    (KBFGS, "curvature", "m P J² Δ²/T + m P I/T + I²/T", set(), {"m P J² Δ²/T"}),
    (KBFGS, "step", "I J² Δ² + I² J", {"I² J Δ"}, {"I² J"}),
    (KBFGS, "A", "J²", {"J² Δ²"}, set()),
    (KBFGS, "total", "J² Δ² + I² J Δ", set(), {"I² J Δ"}),
    (KFAC, "curvature", "m P J² Δ²/T_1 + m P I²/T_1 + J³ Δ³/T_1 + I³/T_2", {"J³ Δ³/T_2"}, {"J³ Δ³/T_1"}),
    (KFAC, "pass", "m P I J Δ/T_2", {"m P I J Δ/T_1"}, {"m P I J Δ/T_2"}),
    (ADAM, "step", "I J² Δ²", set(), {"I J² Δ²"})])
def test_a_wrong_table_of_convolutions_would_be_noticed(monkeypatch, name, column, wrong, silent, unneeded):
    monkeypatch.setitem(table.PRINTED, name, table.PRINTED[name] | {column: wrong})
    variables = costs.METHODS[name].variables
    missing, more = ({costs.shown(powers, variables) for powers in terms} for terms in table.silent(name, column))
    assert silent <= missing
    assert unneeded <= more
    assert missing | more


@pytest.mark.parametrize(("variable", "power"), [("m", 0.1), ("Δ", -0.1), ("T", 0.1)])
def test_a_fit_of_a_convolution_tells_neighbouring_exponents_apart(monkeypatch, variable, power):
    honest = costs.layer
    costs.polynomials(KBFGS)                                  # from honest counts, and kept
    monkeypatch.setattr(costs, "layer", lambda name, **sizes: {"pass": honest(name, **sizes)["pass"] * sizes[variable] ** power})
    powers = (1, 1, 1, 1, 1, -1)
    fit = dict(zip(costs.METHODS[KBFGS].variables, costs.fitted.__wrapped__(KBFGS, "pass", powers).exponents, strict=True))
    printed = dict(zip(costs.METHODS[KBFGS].variables, powers, strict=True))
    assert [x for x in fit if abs(fit[x] - printed[x]) > PRINTED_EXPONENT] == [variable]


# What the page says in words

def test_state_of_k_bfgs_is_half_of_kfacs():
    of = {name: {column: costs.polynomials(name)[column].leading() for column in ("A", "G")} for name in (KBFGS, KFAC)}
    for column in ("A", "G"):
        (c,), (twice,) = of[KBFGS][column].values(), of[KFAC][column].values()
        assert (c, twice) == (1, 2)
    assert list(costs.polynomials(costs.OLD_ACTION)["A"].leading().values()) == [2]


def test_memory_stores_more_and_works_more_than_a_matrix_below_twice_p_channels():
    sizes = {"m": 128, "P": 64, "J": 64, "Δ": 9, "p": 100, "T": 20, "T_1": 10, "T_2": 100}

    def cost(name, column, I):
        return costs.polynomials(name)[column](**{x: (sizes | {"I": I})[x] for x in costs.METHODS[name].variables})

    for I in (199, 200, 201):
        h = 1                                           # the number 1/λ_G that a memory has beside its pairs
        assert (cost(KBFGS_L, "G", I) - h > cost(KBFGS, "G", I)) == (I < 200)
    assert all(cost(KBFGS_L, "step", I) > cost(KBFGS, "step", I) for I in (16, 64, 128, 200))


def test_the_action_of_k_bfgs_20_costs_what_the_text_says():
    leading = costs.polynomials(costs.OLD_ACTION)["curvature"].leading()
    shown = {costs.shown(powers, costs.METHODS[costs.OLD_ACTION].variables): c for powers, c in leading.items()}
    assert shown == {"m P J² Δ²/T": Fraction(1, 2), "m P I/T": 2, "I²/T": 5}


def test_warm_start_inverts_and_takes_longer_than_an_epoch_of_sgd():
    variables = costs.METHODS[KBFGS].variables
    start = {costs.shown(powers, variables): c for powers, c in costs.polynomials(KBFGS)["start"].leading().items()}
    assert start == {"J³ Δ³": 1, "I²": 1, "m P I J Δ": 1, "m P J² Δ²": Fraction(1, 2)}
    for I, longer in ((8, True), (15, True), (17, False), (40, False)):                    # J Δ = 64, so that the edge is I = 16
        sizes = {"m": 10**9, "P": 4096, "I": I, "J": 16, "Δ": 4, "T": 20}
        cost = {column: costs.polynomials(KBFGS)[column](**sizes) for column in ("start", "shared")}
        assert (cost["start"] > cost["shared"]) == longer
    for net in table.CONVOLUTIONS:
        for name in (KBFGS, KBFGS_L, KFAC):
            work = table.convolutions(name, net)
            epoch = sum(work[column] for column in costs.WORK) * table.EXAMPLES / 128
            start = table.convolutions(name, net, m=table.EXAMPLES)["start"]
            assert start > epoch > work["shared"] * table.EXAMPLES / 128


def test_positions_are_fewer_than_channels_in_nine_layers_of_vgg16():
    assert sum(P < I for _, I, P in table.CONVOLUTIONS["VGG16"]) == 9
    J, I, P = table.CONVOLUTIONS["VGG16"][-1]
    cost = {column: float(costs.polynomials(KBFGS)[column](m=128, P=P, I=I, J=J, Δ=9, T=20)) for column in ("shared", "step")}
    assert round(cost["step"] / cost["shared"], 1) == round((9 * J + I) / (3 * 128 * P), 1) == 3.3


def test_curvature_takes_less_than_kfacs_and_the_whole_between_a_quarter_and_three_quarters():
    found = {}
    for net in table.CONVOLUTIONS:
        of = {name: table.convolutions(name, net) for name in costs.CONV}
        beyond = {name: sum(of[name][column] for column in ("pass", "curvature", "step")) for name in of}
        ratios = (beyond[KBFGS] / beyond[KFAC], beyond[KBFGS_L] / beyond[KBFGS])
        found[net] = (round(float(of[KFAC]["curvature"] / of[KBFGS]["curvature"]), -1), *(round(float(x), 2) for x in ratios))
    assert found == {"VGG16": (330, 0.77, 1.0), "ResNet32": (70, 0.23, 1.41)}


def test_patches_are_as_large_as_the_page_says():
    space, model = counting.Counting(), costs.cnn(8, 3, (5, 4))
    params = tuple(nets.Layer(space.zeros(shape), space.zeros(shape[0])) for shape in nets.layer_shapes(model))
    assert nets.forward(model, params, space.zeros((7, *model.input_shape))).a[1].shape == (7, 8, 5 * 3 + 1)
    assert all(table.patches(net)[0] > table.convolutions(KBFGS, net)["total"] for net in table.CONVOLUTIONS)
