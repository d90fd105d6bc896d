"""The grouped methods and `nets.taylor.summaries` against a twin that was written from W's formulas alone, without a look at them.

Over ℚ for linear and ReLU nets, where everything is equal or wrong; to 50 digits, with 300 bits, where a root or an exponential
occurs: nets of this size take below 10⁵ operations, and their largest condition numbers leave more than 200 bits.
"""

import itertools
import random
from fractions import Fraction as Q

import grouped_twins_apart as apart
import mpmath
import numpy as np
import pytest
from stepgauge import arrays, nets
from stepgauge.reference import METHODS
from stepgauge.reference.parts import cubic

BITS = 300
CLOSE = mpmath.mpf(10) ** -50
PARTITIONS = {"canonical": nets.taylor.canonical, "trivial": nets.taylor.trivial, "discrete": nets.taylor.discrete}


class Problem:
    """A net with parameters, a direction, and samples, as plain lists and as the package's records."""

    def __init__(self, widths, activations, loss, seed, kind, rows=3, samples=1):
        draw = random.Random(seed)
        self.kind, self.net = kind, (widths, activations, loss)
        P = sum((a + 1) * b for a, b in itertools.pairwise(widths))

        def number():
            x = Q(draw.choice([-1, 1]) * draw.randint(1, 9), draw.randint(2, 5))
            return x if kind == "fraction" else mpmath.mpf(x.numerator) / x.denominator

        def target():
            if loss == "mse":
                return [number() for _ in range(widths[-1])]
            hot = draw.randrange(widths[-1])
            return [(1 if i == hot else 0) + 0 * number() for i in range(widths[-1])]

        self.theta, self.u = [number() for _ in range(P)], [number() for _ in range(P)]
        self.samples = [([[number() for _ in range(widths[0])] for _ in range(rows)], [target() for _ in range(rows)])
                        for _ in range(samples)]
        self.model = nets.mlp(widths, activations, loss)

    def records(self, flat):
        """A flat list as the package's layers."""
        layers, position = [], 0
        for d_in, d_out in itertools.pairwise(self.net[0]):
            W = flat[position:position + d_in * d_out]
            b = flat[position + d_in * d_out:position + (d_in + 1) * d_out]
            position += (d_in + 1) * d_out
            layers.append(nets.Layer(np.array(W, dtype=object).reshape(d_out, d_in), np.array(b, dtype=object)))
        return tuple(layers)

    def batch(self, sample, curvature=None):
        """A sample as a Batch."""
        return nets.Batch(*(np.array(rows, dtype=object) for rows in sample), curvature=curvature)

    def groups(self, partition):
        """Index sets and, for the twin, the subset of every parameter."""
        sets = PARTITIONS[partition](self.records(self.theta)) if isinstance(partition, str) else partition
        label = [None] * len(self.theta)
        for s, members in enumerate(sets):
            for p in members:
                label[int(p)] = s
        return sets, label


def flat(parts):
    """Arrays or layers as one list."""
    return [x for part in parts for y in (part if isinstance(part, tuple) else (part,)) for x in np.ravel(y)]


def same(kind, here, there):
    """Equal over ℚ; to 50 digits of the largest entry otherwise."""
    here, there = flat(here), flat(there)
    assert len(here) == len(there)
    if kind == "fraction":
        assert here == there
    else:
        size = max(map(abs, there), default=0)
        for x, y in zip(here, there, strict=True):
            assert abs(x - y) <= CLOSE * size, (mpmath.nstr(x, 60), mpmath.nstr(y, 60))


MIXED = (np.array([0, 5, 8]), np.array([1, 2, 3, 4, 6, 7]))

EXACT = [(("relu", "linear"), "canonical"), (("relu", "linear"), "trivial"), (("linear", "linear"), "discrete"),
         (("relu", "relu"), MIXED), (("linear", "relu"), "trivial")]


@pytest.mark.parametrize(("activations", "partition"), EXACT, ids=str)
def test_summaries_over_the_rationals(activations, partition):
    problem = Problem((2, 2, 1), activations, "mse", 1, "fraction")
    sets, label = problem.groups(partition)
    found = nets.taylor.summaries(problem.model, problem.records(problem.theta), problem.batch(problem.samples[0]),
                                  problem.records(problem.u), sets)
    twin = apart.Polynomials(problem.net, problem.theta, problem.samples[0]).summaries(problem.u, label, len(sets))
    for here, there in zip(found, twin, strict=True):
        same("fraction", [here], [np.array(there, dtype=object)])
    assert any(flat([np.array(twin[0], dtype=object)]))
    if partition == "trivial" and "linear" in activations:
        assert twin[2][0] != 0, "the third derivative is tested as well"


@pytest.mark.parametrize("loss", ["mse", "bce", "softmax_ce"])
@pytest.mark.parametrize("activation", ["tanh", "logistic", "elu", "relu"])
def test_summaries_to_fifty_digits(activation, loss):
    with arrays.precision(BITS):
        problem = Problem((2, 3, 2), (activation, "linear"), loss, 2, "mpf")
        for partition in ("canonical", "trivial"):
            sets, label = problem.groups(partition)
            found = nets.taylor.summaries(problem.model, problem.records(problem.theta), problem.batch(problem.samples[0]),
                                          problem.records(problem.u), sets)
            twin = apart.Truncated(problem.net, problem.theta, problem.samples[0]).summaries(problem.u, label, len(sets))
            for here, there in zip(found, twin, strict=True):
                same("mpf", [here], [np.array(there, dtype=object)])


def both(name, problem, partition, **fields):
    """Run the method and the twin side by side, and compare every quantity of every step."""
    method = METHODS[name]
    sets, label = problem.groups(partition)
    hyper = method.Hyper(**({} if name != "grouped_newton" else {"partition": sets}) | fields)
    params = problem.records(problem.theta)
    pairs = list(zip(problem.samples[::2], problem.samples[1::2], strict=True))
    state = method.init(problem.model, params, problem.batch(pairs[0][0]), hyper)
    algebra = apart.Polynomials if problem.kind == "fraction" else apart.Truncated
    cast = (lambda x: Q(x)) if problem.kind == "fraction" else (lambda x: mpmath.mpf(Q(x).numerator) / Q(x).denominator)
    twin = apart.algorithm_1(algebra, problem.net, problem.theta, pairs, label, len(sets), lam1=cast(hyper.lam1),
                             lam_int=cast(hyper.lam_int), mu_g=cast(hyper.mu_g), mu_eta=cast(hyper.mu_eta), tau=hyper.tau,
                             positive=hyper.positive, bits=BITS,
                             schedule=(cast(hyper.f_sch), hyper.p_sch, cast(hyper.threshold)))
    outs = []
    for (sample_g, sample_h), out in zip(pairs, twin, strict=True):
        batch = problem.batch(sample_g, curvature=problem.batch(sample_h))
        params, state, trace = method.step(problem.model, params, state, batch, hyper)
        for quantity in ("g", "u", "theta"):
            same(problem.kind, getattr(trace, quantity), [np.array(out[quantity], dtype=object)])
        for quantity in ("g_bar", "H_bar", "D3_diag", "d", "e", "eta"):
            have = getattr(trace, quantity)
            unweighed = quantity == "d" and not hyper.lam_int
            assert (have is None) == (quantity not in out or unweighed)
            if have is not None:
                same(problem.kind, [have], [np.array(out[quantity], dtype=object)])
        same(problem.kind, params, trace.theta)
        state = method.schedule(state, cast(0) + out["loss"], hyper)
        same(problem.kind, [state.lam], [out["lam"]])
        outs.append(out)
    return outs


def test_grouped_newton_over_the_rationals():
    problem = Problem((2, 2, 1), ("relu", "linear"), "mse", 3, "fraction", samples=6)
    outs = both("grouped_newton", problem, "canonical", lam1=Q(1, 3), mu_g=Q(1, 2), mu_eta=Q(1, 3), tau=2)
    assert [("e" in out) for out in outs] == [True, False, True]
    assert any(x < 0 for out in outs if "e" in out for x in out["e"]), "the positive part has something to do"
    assert all(x >= 0 for out in outs for x in out["eta"])


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("partition", ["trivial", MIXED], ids=["trivial", "mixed"])
def test_grouped_newton_over_the_rationals_without_a_cubic_term(partition, positive):
    problem = Problem((2, 2, 1), ("relu", "linear"), "mse", 5, "fraction", samples=6)
    both("grouped_newton", problem, partition, lam_int=0, lam1=Q(1, 2), mu_g=Q(2, 3), mu_eta=Q(1, 4), tau=1, positive=positive)


def test_newton_over_the_rationals():
    problem = Problem((2, 1), ("linear",), "mse", 7, "fraction", rows=4, samples=4)
    problem.samples = [problem.samples[0]] * 4
    outs = both("newton", problem, "discrete")
    assert any(outs[0]["g"])
    assert not any(outs[1]["g"]), "one step minimises a quadratic"
    problem = Problem((1, 1, 1), ("linear", "linear"), "mse", 8, "fraction", samples=4)
    outs = both("newton", problem, "discrete")
    assert any(outs[1]["g"])


def test_cauchy_over_the_rationals():
    problem = Problem((2, 2, 1), ("relu", "linear"), "mse", 10, "fraction", samples=4)
    both("cauchy", problem, "trivial")


@pytest.mark.parametrize(("activation", "loss", "partition"), [
    ("tanh", "softmax_ce", "canonical"), ("logistic", "bce", "canonical"), ("elu", "softmax_ce", "canonical"),
    ("tanh", "mse", "trivial"), ("tanh", "mse", "canonical")])
@pytest.mark.parametrize("positive", [True, False])
def test_grouped_newton_to_fifty_digits(activation, loss, partition, positive):
    with arrays.precision(BITS):
        problem = Problem((2, 2, 2), (activation, "linear"), loss, 11, "mpf", samples=10)
        outs = both("grouped_newton", problem, partition, lam1=Q(1, 4), lam_int=Q(3, 2), mu_g=Q(1, 2), mu_eta=Q(1, 3), tau=2,
                    positive=positive)
        assert [("e" in out) for out in outs] == [True, False, True, False, True]
        zeros = 2 if (loss, partition) == ("mse", "canonical") else 0                     # the last W and b enter half a square
        assert all(sum(x == 0 for x in out["d"]) == zeros for out in outs if "d" in out)
        assert any(not apart.definite(out["H_bar"]) for out in outs if "H_bar" in out) or loss == "mse", "Case 2 occurs"
        assert len({mpmath.nstr(out["lam"]) for out in outs}) > 1, "the schedule acts"


def turned(numbers):
    """A symmetric matrix with these eigenvalues, and its eigenvectors as columns: a product of rotations."""
    n = len(numbers)
    V = [[mpmath.mpf(int(i == j)) for j in range(n)] for i in range(n)]
    for i, (c, s) in zip(range(n - 1), itertools.cycle(((3, 4), (5, 12), (8, 15)))):
        r = mpmath.sqrt(c * c + s * s)
        for row in V:
            row[i], row[i + 1] = (c * row[i] - s * row[i + 1]) / r, (s * row[i] + c * row[i + 1]) / r
    return [[sum(V[i][k] * numbers[k] * V[j][k] for k in range(n)) for j in range(n)] for i in range(n)], V


@pytest.mark.parametrize("hard", [True, False])
def test_step_sizes_carry_the_certificate_of_a_minimum(hard):
    """(H̄ + (λ/2) r D²)e = ḡ with r = ‖De‖ and a semidefinite matrix: exactly the minimisers of T (ledger, W.Method.4.1/2)."""
    draw = random.Random(13)
    with arrays.precision(BITS):
        for _ in range(30):
            n, lam = draw.randint(1, 4), mpmath.mpf(draw.randint(1, 9)) / 4
            eigenvalues = sorted(mpmath.mpf(draw.randint(-9, 9)) / 2 for _ in range(n))
            if hard:
                eigenvalues[0] = -max(map(abs, eigenvalues)) - 1
            K, rotation = turned(eigenvalues)
            c = [mpmath.mpf(draw.randint(-9, 9)) / (100 if hard else 2) for _ in range(n)]
            if hard:
                c[0] = 0 * c[0]
            c = [sum(rotation[i][k] * c[k] for k in range(n)) for i in range(n)]
            d = [mpmath.mpf(draw.randint(1, 9)) / 3 for _ in range(n)]
            H = np.array([[d[i] * K[i][j] * d[j] for j in range(n)] for i in range(n)], dtype=object)
            H = (H + H.T) / 2
            g = np.array([x * y for x, y in zip(d, c, strict=True)], dtype=object)
            e = cubic.step_sizes(g, H, np.array(d, dtype=object), lam)
            r = mpmath.sqrt(sum((x * y) ** 2 for x, y in zip(d, e, strict=True)))
            M = [[H[i, j] + (lam * r * d[i] ** 2 / 2 if i == j else 0) for j in range(n)] for i in range(n)]
            size = max(abs(x) for x in (*H.ravel(), *(y for row in M for y in row))) * (1 + max(map(abs, e)))
            for row, x in zip(M, g, strict=True):
                assert abs(sum(a * b for a, b in zip(row, e, strict=True)) - x) <= CLOSE * size
            lifted = [[M[i][j] + (CLOSE * size if i == j else 0) for j in range(n)] for i in range(n)]
            assert apart.definite(lifted)
            if hard:
                lowered = [[M[i][j] - (CLOSE * size if i == j else 0) for j in range(n)] for i in range(n)]
                assert not apart.definite(lowered), "the matrix is singular: (2) with its inverse has no such solution"
                assert r > 0
