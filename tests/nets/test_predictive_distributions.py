"""The distribution behind every loss: its density, its Fisher matrix, and draws from it.

Statistical tests are exact binomial or χ² tests with fixed seeds. Each of them would reject a right sampler for fewer than one
seed in 10⁹ (`ERROR`, shared out by Bonferroni among the comparisons of a test).
"""

from itertools import product

import mpmath
import numpy as np
import pytest
from scipy import stats
from stepgauge import nets
from stepgauge.arrays import cast, precision

ERROR = 1e-9
LOSSES = ("mse", "bce", "softmax_ce")
TOLERANCE = mpmath.mpf(10) ** -55
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def model(loss, m):
    return nets.mlp((2, m), ("linear",), loss)


def outputs(seed, N, m, size=3):
    return np.random.default_rng(seed).uniform(-size, size, (N, m))


def support(loss, m):
    """All values of y: (targets as `backward` takes them, one-hot or 0/1 rows)."""
    if loss == "bce":
        return [(np.array(bits, dtype=float), bits) for bits in product((0, 1), repeat=m)]
    return [(np.array(label), tuple(int(j == label) for j in range(m))) for label in range(m)]


def density(loss, distribution, n, y):
    """p(y | x_n) by the definition of the distribution."""
    if loss == "mse":
        return mpmath.fprod(mpmath.npdf(t, mu, 1) for t, mu in zip(y, distribution.mean[n], strict=True))
    if loss == "bce":
        return mpmath.fprod(p if t == 1 else 1 - p for t, p in zip(y, distribution.p[n], strict=True))
    return mpmath.fsum(t * p for t, p in zip(y, distribution.p[n], strict=True))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_the_negative_log_density_up_to_a_constant(loss):
    """The constant is that of the normal density, m/2 log 2π, and 0 for the cross entropies; it never depends on ŷ."""
    N, m = 4, 3
    with precision(200):
        output = cast(outputs(1, N, m), "mpf")
        distribution = nets.predictive(model(loss, m), output)
        targets = [tuple(row) for row in cast(outputs(2, 5, m), "mpf")] if loss == "mse" else [y for _, y in support(loss, m)]
        constant = mpmath.mpf(m) / 2 * mpmath.log(2 * mpmath.pi) if loss == "mse" else 0
        for y in targets:
            rows = cast(np.array([y] * N, dtype=object if loss == "mse" else float), "mpf")
            values = nets.LOSSES[loss].value(output, rows)
            for n in range(N):
                assert abs(-mpmath.log(density(loss, distribution, n, y)) - values[n] - constant) < TOLERANCE


@pytest.mark.parametrize("loss", ["bce", "softmax_ce"])
def test_the_fisher_matrix_is_the_output_hessian(loss):
    """Over all y with their probabilities: the gradient has mean 0 and covariance H_l (so Fisher = GGN at the output)."""
    N, m = 3, 3
    with precision(200):
        output = cast(outputs(3, N, m), "mpf")
        network = model(loss, m)
        distribution = nets.predictive(network, output)
        H = nets.output_hessian(network, output)
        for n in range(N):
            total, mean, covariance = 0, 0 * output[n], 0 * H[n]
            for _, y in support(loss, m):
                p = density(loss, distribution, n, y)
                gradient = nets.LOSSES[loss].gradient(output, cast(np.array([y] * N, dtype=float), "mpf"))[n]
                total = total + p
                mean = mean + p * gradient
                covariance = covariance + p * gradient[:, None] * gradient[None, :]
            assert abs(total - 1) < TOLERANCE
            assert max(map(abs, mean)) < TOLERANCE
            assert max(map(abs, (covariance - H[n]).ravel())) < TOLERANCE


def test_the_fisher_matrix_of_mse_is_the_output_hessian():
    """Gauss-Hermite quadrature on the nodes 0, ±√3 with weights 2/3, 1/6, 1/6 is exact for these moments of a normal."""
    N, m = 2, 2
    with precision(200):
        output = cast(outputs(4, N, m), "mpf")
        mean = nets.predictive(model("mse", m), output).mean
        root = mpmath.sqrt(3)
        first, second = 0 * output, 0 * output[:, :, None] * output[:, None, :]
        for z in product([(-root, mpmath.mpf(1) / 6), (0, mpmath.mpf(2) / 3), (root, mpmath.mpf(1) / 6)], repeat=m):
            weight = mpmath.fprod(w for _, w in z)
            gradient = nets.LOSSES["mse"].gradient(output, mean + np.array([node for node, _ in z], dtype=object))
            first = first + weight * gradient
            second = second + weight * gradient[:, :, None] * gradient[:, None, :]
        assert max(map(abs, first.ravel())) < TOLERANCE
        assert max(map(abs, (second - nets.output_hessian(model("mse", m), output)).ravel())) < TOLERANCE


# sampling

def counts_are_plausible(counts, probabilities, draws):
    """Every cell's count against its binomial distribution, two-sided, exactly."""
    level = ERROR / (2 * len(counts))
    return all(min(stats.binom.cdf(count, draws, p), stats.binom.sf(count - 1, draws, p)) >= level
               for count, p in zip(counts, probabilities, strict=True))


def test_the_binomial_test_can_fail():
    assert counts_are_plausible([5000, 5000], [0.5, 0.5], 10000)
    assert not counts_are_plausible([5400, 4600], [0.5, 0.5], 10000)
    assert not counts_are_plausible([1, 9999], [0.0, 1.0], 10000)


DRAWS = 40000


@every_dtype
@pytest.mark.parametrize("m", [1, 2, 4])
def test_labels_come_with_the_probabilities_of_softmax(m, dtype):
    """Different rows, each repeated; the labels of different rows are counted apart."""
    rows = outputs(5, 3, m, size=1.5)
    exact = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
    output = np.repeat(rows, DRAWS, axis=0).astype(dtype)
    labels = nets.sample_targets(model("softmax_ce", m), output, np.random.default_rng(100 + m))
    assert labels.shape == (3 * DRAWS,)
    assert np.issubdtype(labels.dtype, np.integer)
    assert labels.min() >= 0
    assert labels.max() < m
    for row in range(3):
        counts = np.bincount(labels[row * DRAWS:(row + 1) * DRAWS], minlength=m)
        assert counts_are_plausible(counts, exact[row], DRAWS)


@every_dtype
def test_bits_come_independently_with_the_probabilities_of_the_logistic_function(dtype):
    """All 2³ patterns of three outputs are counted, so that a draw shared between outputs is seen."""
    rows = outputs(6, 2, 3, size=1.5)
    p = 1 / (1 + np.exp(-rows))
    bits = nets.sample_targets(model("bce", 3), np.repeat(rows, DRAWS, axis=0).astype(dtype), np.random.default_rng(200))
    assert bits.shape == (2 * DRAWS, 3)
    assert bits.dtype == dtype
    assert set(np.unique(bits)) == {0, 1}
    for row in range(2):
        drawn = bits[row * DRAWS:(row + 1) * DRAWS].astype(int) @ [4, 2, 1]
        patterns = [np.prod([p[row, j] if bit else 1 - p[row, j] for j, bit in enumerate(pattern)])
                    for pattern in product((0, 1), repeat=3)]
        assert counts_are_plausible(np.bincount(drawn, minlength=8), patterns, DRAWS)


@every_dtype
def test_real_targets_are_normal_around_the_output_with_unit_variance(dtype):
    """Kolmogorov and Smirnov for the distribution; χ² for the variances of sums, which covariances would change."""
    output = outputs(7, DRAWS, 2, size=5).astype(dtype)
    y = nets.sample_targets(model("mse", 2), output, np.random.default_rng(300))
    assert y.shape == output.shape
    assert y.dtype == dtype
    z = (y - output).astype(np.float64)
    for sample in (*z.T, (z[:, 0] + z[:, 1]) / 2**0.5, (z[:-1, 0] + z[1:, 0])[::2] / 2**0.5):
        assert stats.kstest(sample, "norm").pvalue >= ERROR / 8
        squares = (sample**2).sum()
        assert min(stats.chi2.cdf(squares, len(sample)), stats.chi2.sf(squares, len(sample))) >= ERROR / 16


class Fixed:
    """A generator whose uniform numbers are all the same."""

    def __init__(self, value):
        self.value = value

    def random(self, size):
        return np.full(size, self.value)


LARGEST = np.nextafter(1.0, 0.0)               # what Generator.random returns at most; float32 rounds it to 1


@every_dtype
@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2.0**-24, 1 - 2.0**-25, LARGEST], ids=repr)
def test_impossible_targets_are_never_drawn(uniform, dtype):
    rng = Fixed(uniform)
    one_hot = np.eye(4, dtype=dtype)
    assert nets.Categorical(one_hot).sample(rng).tolist() == [0, 1, 2, 3]
    assert nets.Bernoulli(one_hot).sample(rng).tolist() == one_hot.tolist()
    for m in range(1, 40):
        # m equal probabilities between impossible labels; their rounded sum may miss 1 by some units
        logits = np.array([[-1e4, *[0] * m, -1e4]], dtype=dtype)
        assert 1 <= nets.sample_targets(model("softmax_ce", m + 2), logits, rng)[0] <= m


@every_dtype
def test_certain_targets_are_always_drawn(dtype):
    output = np.tile(np.array([[1e4, -1e4, -1e4], [-1e4, -1e4, 1e4]], dtype=dtype), (500, 1))
    rng = np.random.default_rng(8)
    assert nets.sample_targets(model("softmax_ce", 3), output, rng).tolist() == [0, 2] * 500
    assert nets.sample_targets(model("bce", 3), output, rng).tolist() == [[1, 0, 0], [0, 0, 1]] * 500


@every_dtype
@pytest.mark.parametrize("uniform", np.linspace(0, 1, 9, endpoint=False))
def test_labels_invert_the_distribution_function(uniform, dtype):
    p = np.array([[0.125, 0.5, 0.375]], dtype=dtype)
    assert nets.Categorical(p).sample(Fixed(uniform))[0] == (0 if uniform < 0.125 else 1 if uniform < 0.625 else 2)
    assert nets.Bernoulli(p).sample(Fixed(uniform)).tolist() == [[float(uniform < t) for t in (0.125, 0.5, 0.375)]]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_generator_alone_decides(loss):
    output = outputs(9, 50, 3)
    network = model(loss, 3)
    first, second, other = (nets.sample_targets(network, output, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.tobytes() == second.tobytes() != other.tobytes()
    rng = np.random.default_rng(1)
    assert nets.sample_targets(network, output, rng).tobytes() == first.tobytes()
    assert nets.sample_targets(network, output, rng).tobytes() != first.tobytes()


@pytest.mark.parametrize(("loss", "kind"), [*product(LOSSES, ("float32", "float64", "mpf")),
                                              ("mse", "fraction"), ("mse", "fmpq")])
def test_draws_are_targets_that_backward_takes(loss, kind):
    x, params = cast((outputs(10, 6, 2), nets.init(model(loss, 3), 0)), kind)
    tape = nets.forward(model(loss, 3), params, x)
    y = nets.sample_targets(model(loss, 3), tape.output, np.random.default_rng(11))
    back = nets.backward(model(loss, 3), params, tape, y)
    assert back.g[0].dtype == x.dtype
    assert np.shape(y) == ((6,) if loss == "softmax_ce" else (6, 3))
