"""TNT, TNT-EF, idealized TNT, Shampoo and block Fisher against the slow twins, line by line.

With 60 digits every quantity of three steps agrees to 50; over ℚ all are compared with ==, where no root occurs: tensors of order
1, and statistics that are built from the answer (`test_chapter4_statements`).
"""

import mpmath
import pytest
from bridge import flat
from stepgauge.arrays import precision
from stepgauge.reference import METHODS
from stepgauge.reference.parts.descent import StepDecay
from tensor_bridge import ALL, NETS, SMOOTH, STATISTICS, F, float_problem, hypers, rational_problem, three_steps

DIGITS = 60
BITS = int(DIGITS / mpmath.log10(2)) + 1


def largest_relative_difference(ours, expected):
    """Over all quantities: the largest difference of entries over the largest entry."""
    worst = mpmath.mpf(0)
    for name in ours:
        a, b = flat(ours[name]), flat(expected[name])
        assert len(a) == len(b), name
        size = max((abs(number) for number in b), default=0)
        difference = max((abs(x - y) for x, y in zip(a, b, strict=True)), default=0)
        worst = max(worst, difference / size if size else difference)
    return worst


def assert_sixty_digits(method, problem, hyper):
    for ours, expected in three_steps(method, problem, hyper):
        assert ours.keys() == expected.keys()
        assert largest_relative_difference(ours, expected) < mpmath.mpf(10) ** -50


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("net", SMOOTH)
def test_three_steps_with_sixty_digits(net, method):
    with precision(BITS):
        problem = float_problem(*SMOOTH[net], 7, sizes=(4, 3, 2), kind="mpf")
        assert_sixty_digits(method, problem, hypers(method, eps=F(3, 100), beta=F(9, 10), mu=F(9, 10), alpha=F(3, 10)))


VARIANTS = {
    "penalty": {"eta": F(1, 16)},
    "a rate that falls": {"alpha": StepDecay(F(1, 4), F(1, 3), 1)},
    "no memory in the averages": {"beta": 0},
    "no momentum": {"mu": 0},
    "no weight decay": {"gamma": 0},
    "everything in every step": {"T_1": 1, "T_2": 1},
    "statistics every second step, inverses every third": {"T_1": 2, "T_2": 3},
    "nothing within three steps": {"T_1": 4, "T_2": 5},
    "other damping": {"eps": F(1, 1000)},
}


def differs(method, changes):
    return hypers(method, **changes) != hypers(method)


@pytest.mark.parametrize(("variant", "method"), [(variant, method) for variant, changes in VARIANTS.items()
                                                 for method in ALL if differs(method, changes)])
def test_three_steps_of_every_variant_with_sixty_digits(variant, method):
    with precision(BITS):
        problem = float_problem((2, 3, 2), ("relu", "linear"), "softmax_ce", 8, sizes=(3, 2, 2), kind="mpf")
        assert_sixty_digits(method, problem, hypers(method, **VARIANTS[variant]))


@pytest.mark.parametrize("net", NETS)
def test_three_steps_of_block_fisher_over_the_rationals(net):
    widths, activations, seed = NETS[net]
    for ours, expected in three_steps("block_fisher", rational_problem(widths, activations, seed), hypers("block_fisher")):
        assert ours == expected


@pytest.mark.parametrize("method", STATISTICS)
def test_defaults_are_those_of_the_text(method):
    """R Algorithms 15, 16, line 1; Tables 4.3 and 4.5, MNIST; Section 4.7.1."""
    hyper = METHODS[method].Hyper()
    common = (hyper.mu, hyper.beta, hyper.T_1, hyper.T_2, hyper.gamma, hyper.eta, hyper.view)
    assert common == (F(9, 10), F(9, 10), 1, 20, 0, 0, "3-way")
    assert (hyper.alpha, hyper.eps) == {"tnt": (F(1, 10**4), F(1, 10)), "tnt_ef": (F(3, 10**6), F(1, 100)),
                                        "shampoo": (F(3, 10**4), F(3, 10**4))}[method]
