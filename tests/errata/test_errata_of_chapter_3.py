"""Witnesses of mistakes that the ledger of chapter 3 found."""

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import precision
from stepgauge.nets import Layer


def of_bits(rows):
    """An object array of mpmath numbers."""
    return np.vectorize(mpmath.mpf, otypes=[object])(np.array(rows, dtype=object))


@pytest.mark.parametrize(("activation", "loss"), [("tanh", "mse"), ("tanh", "bce"), ("logistic", "bce"), ("elu", "softmax_ce"),
                                                  ("linear", "mse")])
def test_err_68_no_net_of_two_layers_has_a_lipschitz_gradient(activation, loss):
    """Outer weight v, inner weight 1/v against 0, output bias so that the output is the same at 0: the quotient grows like v²."""
    with precision(200):
        outputs = 2 if loss == "softmax_ce" else 1
        model = nets.mlp((1, 1, outputs), (activation, "linear"), loss)
        x, y = of_bits([[1]]), of_bits([[0, 1][:outputs]] if outputs == 2 else [[0]])

        def slope(w, v):
            start = nets.forward(model, (Layer(of_bits([[0]]), of_bits([0])), outer(v, 0)), x).output[0, 0]
            params = Layer(of_bits([[w]]), of_bits([0])), outer(v, -start)
            return nets.backward(model, params, nets.forward(model, params, x), y).grad[0].W[0, 0]

        def outer(v, b):
            return Layer(of_bits([[v], [0]][:outputs]), of_bits([b, 0][:outputs]))

        quotients = [abs(slope(1 / mpmath.mpf(v), v) - slope(0, v)) * v for v in (10, 100, 1000)]
        assert all(90 < larger / smaller < 110 for smaller, larger in itertools.pairwise(quotients)), quotients
        one = nets.mlp((1, 1), ("linear",), "bce")

        def one_slope(w):
            params = (Layer(of_bits([[w]]), of_bits([0])),)
            return nets.backward(one, params, nets.forward(one, params, x), of_bits([[0]])).grad[0].W[0, 0]
        assert all(abs(one_slope(w + 1) - one_slope(w)) <= Fraction(1, 4) for w in range(-20, 20))


def test_err_69_step_of_k_bfgs_l_is_not_bounded_by_the_printed_terms():
    """Multiply-adds of M (2p, 2p) times (S hY)ᵀ𝒟W alone, 4p²(JΔ + 1), against 4pI(JΔ + 1) for both products with (S hY)."""
    J, delta = 64, 9
    D = J * delta + 1
    for p, I, more in ((100, 16, True), (100, 64, True), (10, 64, False)):
        middle, outer = (2 * p) ** 2 * D, 2 * (2 * p) * I * D
        assert (middle > outer) == more
        assert Fraction(middle, p * I * D) == Fraction(4 * p, I), "no constant times p I J Δ bounds it for all p"


def test_err_70_the_pair_contains_the_steps_of_later_layers():
    """Where W_2 alone moves h_1 stands still, and its gradient does not."""
    model = nets.mlp((1, 1, 1), ("linear", "linear"), "mse")
    with precision(200):
        x, y = of_bits([[0]]), of_bits([[3]])

        def at(v):
            params = Layer(of_bits([[1]]), of_bits([1])), Layer(of_bits([[v]]), of_bits([0]))
            tape = nets.forward(model, params, x)
            return tape.h[0][0, 0, 0], nets.pre_gradients(model, params, tape, y)[0][0, 0, 0]
        (h, g), (h_new, g_new) = at(1), at(2)
        assert h_new - h == 0
        assert g_new - g == 2 * (2 - 3) - 1 * (1 - 3), "0 if y were G s"
