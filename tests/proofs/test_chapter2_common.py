"""The exact matrix tools of chapter 2's statements, beside numpy and beside what they promise."""

from fractions import Fraction

import flint
import numpy as np
import pytest
from stepgauge.proofs_check.chapter2 import common, frozen, programs, theorem_2


def drawn(seed, n):
    return np.random.default_rng(seed).integers(-4, 5, (n, n))


def exact(A):
    return flint.fmpq_mat(len(A), len(A), [int(x) for x in A.flat])


@pytest.mark.parametrize("seed", range(30))
def test_semidefinite_is_what_the_eigenvalues_say(seed):
    M = drawn(seed, 3)
    symmetric = M.T @ M - seed % 5 * np.eye(3, dtype=int)
    smallest = np.linalg.eigvalsh(symmetric)[0]
    assert abs(smallest) > 2.0**-20, "far from a tie"
    assert common.semidefinite(exact(symmetric)) == (smallest > 0)


def test_some_of_these_are_semidefinite_and_some_are_not():
    found = [common.semidefinite(exact(M.T @ M - seed % 5 * np.eye(3, dtype=int))) for seed in range(30) for M in [drawn(seed, 3)]]
    assert 5 < sum(found) < 25


@pytest.mark.parametrize("seed", range(10))
def test_singular_matrices_are_semidefinite_up_to_any_shift(seed):
    M = exact(drawn(seed, 3)[:, :2] @ drawn(seed, 3)[:, :2].T)
    assert common.semidefinite(M)
    assert not common.semidefinite(M - common.eye(3, Fraction(1, 10**9)))
    assert not common.semidefinite(exact(np.array([[0, 1], [1, 0]])))


@pytest.mark.parametrize("x", ["0", "1", "2", "1/3", "49/4", "1000001/1000000"])
def test_above_root_is_the_next_number_above(x):
    x = common.number(x)
    r = common.above_root(x)
    assert r**2 >= x
    assert r == 0 or (r - common.Q(1, 10**12)) ** 2 < x


def test_the_run_that_freezes_in_floats():
    """The law of `frozen.steps` as a recursion in floats, with rounding errors that five steps cannot make visible."""
    h, H, s, y = 10.0, 1.0, 0.0, 0.0
    for k, (exact_h, exact_H) in enumerate(frozen.steps(5, 1), 1):
        new = h - round(1000 * k**-0.75) / 1000 * H * h / (1 + h) ** 3
        s, y = 0.9 * s + 0.1 * (new - h), 0.9 * y + 0.1 * (new / (1 + new) ** 3 - h / (1 + h) ** 3)
        assert s < 0 < y
        h, H = new, 0.2 * H
        assert abs(h - float(exact_h)) < 2.0**-40
        assert exact_H == common.Q(1, 5**k)


def test_runs_of_the_frame_are_what_a_simulation_gives():
    """E θ² of f = θ²/2 by all paths of a noise of ±1: three steps, exactly what the recursion of `quadratic` adds up."""
    N, beta = 4, 0.75
    run = theorem_2.quadratic(N, flint.arb(3) / 4, 1, 1, 1, 1)
    paths, total = [1.0], 0.0
    for k in range(1, N + 1):
        total += sum(theta**2 for theta in paths) / len(paths)
        paths = [theta - k**-beta * (theta + noise) for theta in paths for noise in (-1, 1)]
    assert abs(total / N - float(run.mean)) < 2.0**-40


def test_the_problem_of_the_programs_is_one_for_both():
    given = programs.problem()
    for layer, W in zip(given.params, given.W, strict=True):
        assert W.tolist() == np.concatenate([layer.W, layer.b[:, None]], axis=1).tolist()
