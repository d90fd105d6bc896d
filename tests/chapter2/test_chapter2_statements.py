"""Statements of chapter 2 about its algorithms, each checked exactly over ℚ, and the choices that DEVIATIONS.md lists."""

from fractions import Fraction as F

import flint
import numpy as np
import pytest
import twins
from bridge import Problem, Twin, array, flat, fmpq, hypers, lists, rational_problem, rationals, root, shown, weights
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS, kbfgs20_l_skip, kfac20, sqn
from stepgauge.reference.parts import lbfgs
from stepgauge.reference.parts.damping import double_damping
from stepgauge.reference.parts.descent import StepDecay
from stepgauge.reference.parts.kronecker import join, joined, split
from stepgauge.reference.parts.quasi_newton import bfgs_H

NUMBERS = twins.Numbers(F, root)


def start_and_step(method, problem, hyper, batch=None):
    """State, and parameters, state and trace after one step on the first batch."""
    code = METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    return state, code.step(problem.model, problem.params, state, batch or problem.batches[0], hyper)


# ---------------------------------------------------------------------------------------- Theorem 1, and R's remark on momentum

def symmetric_positive(rng, n):
    M = rationals(rng, n, n)
    return twins.add(twins.matmul(lists(M.T), lists(M)), twins.identity(n, F(1)))


def action_update(H, a, A_new):
    """The Hessian-action update of Section 2.4: s = Ha, y = A⁺s, then BFGS, by the code under test."""
    s = twins.matvec(H, a)
    return lists(bfgs_H(array(H), array(s), array(twins.matvec(A_new, s))))


@pytest.mark.parametrize("seed", range(6))
def test_momentum_needs_H_scaled_by_the_inverse_of_beta(seed):
    """Section 2.4: for A⁺ = βA + (1 − β)aaᵀ and H = A⁻¹, the update of H/β is the inverse of A⁺; that of H itself is not.

    Unscaled, the update is right along one direction only: H⁺A⁺s = s. On the vectors v ⊥ a, H⁺A⁺v = βv + (a multiple of s), so
    that H⁺A⁺ has the eigenvalues 1, and β in n − 1 directions.
    """
    rng = np.random.default_rng(seed)
    n, beta = 3, F(int(rng.integers(1, 9)), 9)
    A, a = symmetric_positive(rng, n), list(rationals(rng, n))
    a[seed % n] += 5
    H = twins.inverse(A)
    A_new = twins.moving(NUMBERS, beta, A, twins.outer(a, a))
    assert action_update(twins.scale(1 / beta, H), a, A_new) == twins.inverse(A_new)
    H_new = action_update(H, a, A_new)
    assert H_new != twins.inverse(A_new)
    s = twins.matvec(H, a)
    product = twins.matmul(H_new, A_new)
    assert twins.matvec(product, s) == s
    assert characteristic(product) == polynomial([F(1)] + [beta] * (n - 1))


def test_without_momentum_no_scaling_is_needed():
    """Theorem 1 itself, A⁺ = A + c aaᵀ; and β = 1, where nothing is added, leaves H as it is."""
    rng = np.random.default_rng(1)
    A, a = symmetric_positive(rng, 3), [F(1), F(-2), F(1, 2)]
    H = twins.inverse(A)
    A_new = twins.add(A, twins.scale(F(3, 7), twins.outer(a, a)))
    assert action_update(H, a, A_new) == twins.inverse(A_new)
    assert action_update(H, a, A) == H


def characteristic(M):
    """Coefficients of det(xI − M), highest power first, by Faddeev and LeVerrier."""
    n, coefficients = len(M), [F(1)]
    N = twins.identity(n, F(1))
    for k in range(1, n + 1):
        MN = twins.matmul(M, N)
        coefficients.append(-sum(MN[i][i] for i in range(n)) / k)
        N = twins.add(MN, twins.scale(coefficients[-1], twins.identity(n, F(1))))
    return coefficients


def polynomial(roots):
    """Coefficients of Π (x − root), highest power first."""
    found = [F(1)]
    for value in roots:
        found = [a - value * b for a, b in zip([*found, F(0)], [F(0), *found], strict=True)]
    return found


# -------------------------------------------------------------------------------- Algorithm 5 and the lemmas of its convergence

def test_line_17_is_an_equality_for_every_pair_that_the_first_damping_alone_has_moved():
    """P1 with ỹ = y: s̃ᵀỹ = μ₁ ỹᵀHỹ. Over ℚ such a pair is taken; in floats rounding decides, and decides both ways."""
    rng, mu1, mu2 = np.random.default_rng(1), F(1, 5), F(1, 1000)
    H, decisions = lbfgs.empty(3, 2, array([F(0)])), []
    while len(decisions) < 40:
        s, y = (rationals(rng, 3, denominators=(1, 2, 3, 5, 7)) for _ in range(2))
        s_t, y_t = double_damping(s, y, array(twins.identity(3, F(1))), mu1=mu1, mu2=mu2)
        if lists(s_t) == lists(s) or lists(y_t) != lists(y) or not s_t @ y_t:
            continue
        assert s_t @ y_t == mu1 * (y_t @ (H @ y_t))
        assert kbfgs20_l_skip.accepted(H, s_t, y_t, mu1)
        in_floats = cast((s, y), "float64")
        damped_pair = double_damping(*in_floats, np.eye(3), mu1=mu1, mu2=mu2)
        decisions.append(bool(kbfgs20_l_skip.accepted(lbfgs.empty(3, 2, np.zeros(1)), *damped_pair, 0.2)))
    assert set(decisions) == {True, False}


def numbers(*rows):
    return array([[F(value) for value in row] for row in rows])


@pytest.mark.parametrize("p", [1, 2])
def test_lemma_2_promises_too_much(p):
    """Its proof gives H_g ⪰ (1 + 1/μ₁)^(−p) I = 6^(−p) I. Algorithm 5 on a linear net whose second weight is 10 has
    B_g = 5, 25, then the curvature ≈ 104 itself: each pair may be 1/μ₁ times as steep as the B that it replaces.

    (2.8) needs yᵀHy/sᵀy ≤ 1/μ₁ for the H that the pair updates; a pair that was not skipped has it for the H of its own step.
    """
    model = nets.mlp((1, 1, 1), ("linear", "linear"), "mse")
    params = (nets.Layer(numbers([1]), numbers([0])[0]), nets.Layer(numbers([10]), numbers([0])[0]))
    batch = nets.Batch(numbers([1]), numbers([9]))
    hyper = kbfgs20_l_skip.Hyper(alpha=F(1, 1000), lam=F(1, 4), beta=F(1, 2), mu1=F(1, 5), p=p)
    state, found = kbfgs20_l_skip.init(model, params, batch, hyper), []
    for _ in range(3):
        params, state, trace = kbfgs20_l_skip.step(model, params, state, batch, hyper)
        found.append((state.H_g[0] @ numbers([1]))[0, 0])
    assert state.H_g[0].S.shape == (1, p), "no pair was skipped"
    assert found[:2] == [F(1, 5), F(1, 25)]
    assert found[2] == (trace.s_g[0] / trace.y_g[0])[0] < F(1, 6**p), "an undamped pair: s/y"


def test_lemma_1_holds_for_layers_that_read_activations_only():
    """‖A_l‖ ≤ 1 + φ²d with φ = 1 for tanh: Assumption 3 bounds activations, but the first layer reads the data."""
    model = nets.mlp((1, 1, 1), ("tanh", "tanh"), "mse")
    x = np.array([[10.0]])
    state = kbfgs20_l_skip.init(model, nets.init(model, 1), nets.Batch(x, x), kbfgs20_l_skip.Hyper())
    assert lists(state.A[0]) == [[100.0, 10.0], [10.0, 1.0]]
    assert np.linalg.norm(state.A[0], 2) > 1 + 1 * 1 >= np.linalg.norm(state.A[1], 2)


# ------------------------------------------------------------------------------------------------------- Algorithm 6, the frame

def quadratic(seed, n=3, samples=4):
    """Q, b, and per step a function θ → sampled gradients whose mean is Qθ − b."""
    rng = np.random.default_rng(seed)
    Q, b = array(symmetric_positive(rng, n)), rationals(rng, n)
    noise = [rationals(rng, n) for _ in range(samples)]
    noise = [e - sum(noise, 0 * b) / samples for e in noise]
    return Q, b, lambda theta: [Q @ theta - b + e for e in noise]


def test_the_frame_with_the_identity_is_gradient_descent():
    Q, b, sampled = quadratic(1)
    theta, alpha = rationals(np.random.default_rng(2), 3), StepDecay(F(1, 3), F(1, 2), 2)
    one = array(twins.identity(3, F(1)))
    run = list(sqn.iterate(theta, [sampled] * 5, lambda past: one, alpha))
    for k, iterate in enumerate(run, start=1):
        expected = theta - F(1, 3) * F(1, 2) ** ((k - 1) // 2) * (Q @ theta - b)
        assert (iterate.k, lists(iterate.grad_h)) == (k, lists(Q @ theta - b))
        assert lists(iterate.theta) == lists(expected)
        assert iterate.H is one
        theta = iterate.theta
    assert len(run) == 5


def test_the_frame_with_the_inverse_hessian_solves_a_quadratic_in_one_step():
    Q, b, sampled = quadratic(3)
    inverse = array(twins.inverse(lists(Q)))
    first, second = sqn.iterate(rationals(np.random.default_rng(4), 3), [sampled] * 2, lambda past: inverse, 1)
    assert lists(Q @ first.theta) == lists(b)
    assert lists(second.theta) == lists(first.theta)
    assert set(lists(second.grad_h)) == {F(0)}


def test_the_frame_is_its_twin_with_any_matrices():
    rng = np.random.default_rng(5)
    _, _, sampled = quadratic(6)
    matrices = [symmetric_positive(rng, 3) for _ in range(4)]
    theta = rationals(rng, 3)
    run = sqn.iterate(theta, [sampled] * 4, lambda past: array(matrices[len(past)]), F(1, 9))
    expected = twins.sqn(lists(theta), [F(1, 9)] * 4, [lambda at: twins.mean(lists(sampled(array(at))))] * 4,
                         lambda k, past: matrices[k - 1])
    assert [lists(iterate.theta) for iterate in run] == expected[1:]


def test_the_maker_of_matrices_sees_the_past_only():
    """H_k gets iterations 1 … k − 1 (Assumption 4): it is called once a step, and ξ_k leaves no trace in what it is given."""
    _, _, sampled = quadratic(7)
    one = array(twins.identity(3, F(1)))
    seen = []

    def make_H(past):
        seen.append(past)
        return one

    theta = rationals(np.random.default_rng(8), 3)
    run = list(sqn.iterate(theta, [sampled, sampled, lambda at: [at]], make_H, F(1, 4)))
    assert [len(past) for past in seen] == [0, 1, 2]
    assert seen[2] == (run[0], run[1])
    assert all(isinstance(past, tuple) for past in seen)
    other = list(sqn.iterate(theta, [sampled, sampled, lambda at: [at - at]], make_H, F(1, 4)))
    assert [lists(iterate.theta) for iterate in seen[5]] == [lists(iterate.theta) for iterate in seen[2]]
    assert lists(other[2].theta) != lists(run[2].theta)


def test_the_frame_is_lazy():
    """An iteration is computed when it is asked for: nothing of step 2 happens before."""
    _, _, sampled = quadratic(9)
    one = array(twins.identity(3, F(1)))
    run = sqn.iterate(rationals(np.random.default_rng(10), 3), [sampled, None], lambda past: one, 1)
    assert next(run).k == 1
    with pytest.raises(TypeError):
        next(run)


BAD_MATRICES = {
    "asymmetric": ([[1, 1], [0, 1]], "a symmetric matrix"),
    "indefinite": ([[1, 2], [2, 1]], "a positive definite matrix"),
    "singular": ([[1, 1], [1, 1]], "a positive definite matrix"),
    "of another size": ([[1]], "shape"),
}


@pytest.mark.parametrize("what", BAD_MATRICES)
@pytest.mark.parametrize("kind", ["fraction", "float64"])
def test_the_frame_refuses_a_matrix_that_is(what, kind):
    rows, message = BAD_MATRICES[what]
    H, theta = cast((np.array(rows, float), np.array([1.0, 2.0])), kind)
    with pytest.raises(ValueError, match=rf"^H: expected {message}"):
        next(sqn.iterate(theta, [lambda at: [at]], lambda past: H, 1))


def test_the_frame_refuses_other_bad_input():
    theta, one = np.array([1.0, 2.0]), np.eye(2)

    def first(sampled, H=one, alpha=1.0):
        return next(sqn.iterate(theta, [sampled], lambda past: H, alpha))

    with pytest.raises(ValueError, match=r"^gradients: expected at least one gradient because their mean is taken, got none$"):
        first(lambda at: [])
    with pytest.raises(ValueError, match=r"^gradient: expected 2 entries because .*got 3$"):
        first(lambda at: [np.ones(3)])
    with pytest.raises(ValueError, match=r"^gradient: expected finite numbers because "):
        first(lambda at: [at, np.array([np.nan, 0.0])])
    with pytest.raises(ValueError, match=r"^alpha: expected a positive number because .*got 0"):
        first(lambda at: [at], alpha=0)
    with pytest.raises(TypeError, match=r"^arrays: expected arrays of one arithmetic"):
        first(lambda at: [at], H=np.eye(2, dtype=np.float32))


def test_the_frame_writes_to_nothing():
    theta, gradient, H = np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([[2.0, 1.0], [1.0, 2.0]])
    for each_array in (theta, gradient, H):
        each_array.setflags(write=False)
    run = list(sqn.iterate(theta, [lambda at: [gradient, gradient]] * 2, lambda past: H, 0.5))
    assert lists(run[0].theta) == [1 - 0.5 * 10, 2 - 0.5 * 11]
    assert lists(theta) == [1.0, 2.0]


def test_algorithm_5_is_algorithm_6():
    """Proof of Theorem 2: θ the stacked vec(W̄_l) column by column, H_k = diag{H_a(k − 1) ⊗ H_g(k − 1)} made from the past."""
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8, kind="fmpq")
    hyper = hypers("kbfgs20_l_skip")
    code, shapes = METHODS["kbfgs20_l_skip"], [W.shape for W in joined(problem.params)]
    steps, params = [], problem.params
    state = code.init(problem.model, params, problem.batches, hyper)
    for batch in problem.batches:
        steps.append((params, state))
        params, state, _ = code.step(problem.model, params, state, batch, hyper)
    steps.append((params, state))

    def stacked(layers):
        return array([number for W in layers for number in twins.vec(W)])

    def per_example(examples):
        def sampled(theta):
            found, Ws = lists(theta), []
            for rows, columns in shapes:
                Ws.append(twins.unvec(found[:rows * columns], rows))
                found = found[rows * columns:]
            return [stacked(twins.one_pass(problem.net, Ws, x, y).DW) for x, y in examples]
        return sampled

    def make_H(past):
        _, state = steps[len(past)]
        blocks = [twins.kron(lists(H_a), lists(H_g @ array(twins.identity(H_g.S.shape[0], flint.fmpq(1)))))
                  for H_a, H_g in zip(state.H_a, state.H_g, strict=True)]
        return array(block_diagonal(blocks))

    run = sqn.iterate(stacked(weights(problem.params)), [per_example(examples) for examples in problem.examples()], make_H,
                      hyper.alpha)
    for iterate, (after, _) in zip(run, steps[1:], strict=True):
        assert lists(iterate.theta) == lists(stacked(weights(after)))


def block_diagonal(blocks):
    size, zero = sum(map(len, blocks)), flint.fmpq(0)
    rows, before = [], 0
    for block in blocks:
        rows += [[zero] * before + row + [zero] * (size - before - len(row)) for row in block]
        before += len(block)
    return rows


# ------------------------------------------------------------------------------------------------------------------ Algorithm 7

@pytest.mark.parametrize("T", [1, 2, 3, 5])
def test_inverses_are_renewed_in_the_first_T_steps_and_in_every_T_th(T):
    problem = rational_problem((2, 1), ("linear",), 4, kind="fmpq")
    hyper = hypers("kfac20", T=T)
    state = kfac20.init(problem.model, problem.params, problem.batches, hyper)
    params, renewed = problem.params, []
    for k in range(1, 8):
        old = state
        params, state, _ = kfac20.step(problem.model, params, state, problem.batches[k % 3], hyper)
        fresh = [lists(H) == twins.inverse(twins.damped(lists(M), fmpq(F(1, 2))))
                 for H, M in ((state.H_a[0], state.A[0]), (state.H_g[0], state.G[0]))]
        kept = [lists(new) == lists(before) for new, before in ((state.H_a[0], old.H_a[0]), (state.H_g[0], old.H_g[0]))]
        assert fresh[0] == fresh[1] == (not kept[0]) == (not kept[1])
        renewed.append(fresh[0])
    assert renewed == [k <= T or k % T == 0 for k in range(1, 8)]


def test_A_comes_from_the_inputs_and_G_from_the_drawn_targets_alone():
    """Other targets y change the gradient, not A and G; other drawn targets change G, not A and not the gradient."""
    problem = rational_problem((2, 3, 1), ("linear", "linear"), 8)
    batch, hyper = problem.batches[0], hypers("kfac20")
    base, other_y, other_drawn = (
        {name: lists(value) for name, value in start_and_step("kfac20", problem, hyper, changed)[1][2]._asdict().items()}
        for changed in (batch, batch._replace(y=batch.y + 1), batch._replace(y_sampled=batch.y_sampled + 1)))
    assert base["A"] == other_y["A"] == other_drawn["A"]
    assert base["G"] == other_y["G"] != other_drawn["G"]
    assert base["grad"] == other_drawn["grad"] != other_y["grad"]


def linear_problem_with_exact_fisher():
    """A linear net on one input, 8 times, with drawn targets ŷ ± 2e_j: their second moment about ŷ is the identity, as that
    of the predictive distribution N(ŷ, I) is."""
    rng = np.random.default_rng(11)
    model = nets.mlp((2, 3, 4), ("linear", "linear"), "mse")
    params = tuple(nets.Layer(rationals(rng, *shape), rationals(rng, shape[0])) for shape in nets.layer_shapes(model))
    x = np.tile(rationals(rng, 1, 2), (8, 1))
    output = nets.forward(model, params, x).output
    signs = array([[F(0)] * j + [F(sign)] + [F(0)] * (3 - j) for j in range(4) for sign in (2, -2)])
    return Problem(model, params, (nets.Batch(x, output, output + signs),), "fraction")


@pytest.mark.parametrize("l", [0, 1])
def test_for_one_input_and_a_linear_net_A_kron_G_is_the_block_of_the_fisher_matrix(l):
    """F = JᵀJ for N(ŷ, I), with J = ∂ŷ/∂vec(W̄_l) column by column; every K-FAC factor is a mean over the eight targets."""
    problem = linear_problem_with_exact_fisher()
    state = kfac20.init(problem.model, problem.params, problem.batches[0], hypers("kfac20"))
    Ws, bar = weights(problem.params), [*lists(problem.batches[0].x[0]), F(1)]
    after = Ws[1] if l == 0 else twins.identity(4, F(1))
    bar = bar if l == 0 else [*twins.matvec(Ws[0], bar), F(1)]
    onward = [row[:len(Ws[l])] for row in after]                     # ∂ŷ/∂h_l: W̄ without its bias column, or I
    J = [[slope * a for a in bar for slope in row] for row in onward]
    fisher = twins.matmul(twins.transpose(J), J)
    assert twins.kron(lists(state.A[l]), lists(state.G[l])) == fisher


def test_for_two_inputs_A_kron_G_is_not_the_mean_of_the_products():
    """(2.3) is an approximation: the mean of āāᵀ ⊗ ggᵀ differs from the product of the means."""
    problem = rational_problem((2, 3), ("linear",), 12, sizes=(2,))
    state = kfac20.init(problem.model, problem.params, problem.batches, hypers("kfac20"))
    passed = [twins.one_pass(problem.net, weights(problem.params), x, y) for x, y in problem.examples(sampled=True)[0]]
    exact = twins.mean([twins.kron(twins.outer(one.a[0], one.a[0]), twins.outer(one.g[0], one.g[0])) for one in passed])
    assert twins.kron(lists(state.A[0]), lists(state.G[0])) != exact
    one = rational_problem((2, 3), ("linear",), 12, sizes=(1,))
    state = kfac20.init(one.model, one.params, one.batches, hypers("kfac20"))
    passed = twins.one_pass(one.net, weights(one.params), *one.examples(sampled=True)[0][0])
    gradient = twins.vec(passed.DW[0])
    assert twins.kron(lists(state.A[0]), lists(state.G[0])) == twins.outer(gradient, gradient)


# ------------------------------------------------------------------------------------------------------------ the parts' pieces

def test_joined_and_split_are_inverse_and_the_bias_is_the_last_column():
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8)
    W_b = joined(problem.params)
    assert lists(W_b) == weights(problem.params)
    assert lists(split(problem.params, W_b)) == lists(problem.params)
    assert all(lists(join(layer)) == lists(W) for layer, W in zip(problem.params, W_b, strict=True))


def test_one_step_moves_vec_W_by_the_kronecker_product():
    """(2.4): vec(H_g ∇f H_a) = (H_a ⊗ H_g) vec(∇f), with vec column by column."""
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8)
    state, (_, _, trace) = start_and_step("kfac20", problem, hypers("kfac20"))
    for l in range(2):
        H = twins.kron(lists(state.H_a[l]), lists(state.H_g[l]))
        assert twins.vec(lists(trace.p[l])) == twins.matvec(H, twins.vec(lists(trace.grad_h[l])))


# ------------------------------------------------------------------------------------- where the code departs, or had to choose

def exact_steps(method, hyper, count=1, **changes):
    """The code and its twin side by side: problem, and for each step (what the code shows, what the twin shows)."""
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8, kind="fmpq")
    code, twin = METHODS[method], Twin(method, problem, hyper)
    state, mirror = code.init(problem.model, problem.params, problem.batches, hyper), twin.start() | changes
    params, Ws, found = problem.params, weights(problem.params), []
    for i in range(count):
        params, state, trace = code.step(problem.model, params, state, problem.batches[i], hyper)
        Ws, mirror, made = twin.step(Ws, mirror, i)
        found.append((shown(state, trace, params), twin.shown(made, Ws)))
    return problem, found


def differing(ours, theirs):
    return {name for name in ours if ours[name] != theirs[name]}


def test_dev_kbfgs20_1_the_two_starts_of_H_a_are_two_first_steps():
    (ours, _), (theirs, _) = (exact_steps("kbfgs20", hypers("kbfgs20", H_a_start=start))[1][0]
                              for start in ("inverse", "identity"))
    assert {"p", "W", "H_a"} <= differing(ours, theirs)
    assert not {"grad", "A", "A_LM"} & differing(ours, theirs)
    assert theirs["p"] == theirs["grad_h"], "with H_a = H_g = I the first step is one of SGD"


@pytest.mark.parametrize("method", ["kbfgs20", "kbfgs20_l", "kbfgs20_l_skip"])
def test_dev_kbfgs20_2_beyond_one_the_second_damping_no_longer_interpolates(method):
    """λ = 9/4, so μ₂ = 3/2: the page's formula makes ỹ = y + (1 − θ₂)(s̃ − y) with 1 − θ₂ > 1, as large as you like."""
    hyper = hypers(method, lam=F(9, 4))
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8, kind="fmpq")
    with pytest.raises(ValueError, match=r"^lam: expected a number in \(0, 1\] because .*got 9/4$"):
        METHODS[method].init(problem.model, problem.params, problem.batches, hyper)
    near = F(10**6 - 1, 10**6)
    s_t, y_t = twins.double_damping([F(1)], [near], [[F(1)]], F(1, 5), F(3, 2))
    assert (s_t, y_t) == ([F(1)], [F(3, 2)])
    s_t, y_t = twins.double_damping([F(1), F(1)], [near, near + F(1, 10**3)], twins.identity(2, F(1)), F(1, 5), F(3, 2))
    assert max(y_t) > 2 * max(s_t), "far outside of [y, s̃]"


def test_dev_kbfgs20_3_without_the_exception_a_dead_layer_divides_by_zero():
    """The first layer never fires: its pair is s = y = 0, and ρ = 1/sᵀy of (2.6) does not exist."""
    problem = dead(rational_problem((2, 3, 1), ("relu", "linear"), 8))
    for method in ("kbfgs20", "kbfgs20_l", "kbfgs20_l_skip"):
        hyper = hypers(method)
        state, (_, new, trace) = start_and_step(method, problem, hyper)
        assert set(lists(trace.s_t[0])) == set(lists(trace.y_t[0])) == {F(0)}
        assert new.H_g[0] is state.H_g[0]
        assert new.H_g[1] is not state.H_g[1]
    with pytest.raises(ZeroDivisionError):
        1 / twins.dot(lists(trace.s_t[0]), lists(trace.y_t[0]))


def dead(problem):
    """The problem with biases in the first layer so low that no unit fires on any example."""
    first, *rest = problem.params
    lowered = first._replace(b=first.b - max(abs(number) for number in flat(lists(nets.forward(
        problem.model, problem.params, np.concatenate([batch.x for batch in problem.batches])).h[0]))) - 1)
    return problem._replace(params=(lowered, *rest))


def test_dev_kbfgs20_4_another_start_of_the_averages_changes_later_pairs():
    """s_g = y_g = the first differences (as if the average had started there) gives the first pair at twice the length (β = ½),
    which makes the same update; the second pair then points elsewhere."""
    hyper = hypers("kbfgs20")
    _, [(first, _), (second, twin_second)] = exact_steps("kbfgs20", hyper, 2)
    differences = {name: [twins.scale(2, v) for v in first[name]] for name in ("s_g", "y_g")}
    _, [(_, other_first), (_, other_second)] = exact_steps("kbfgs20", hyper, 2, **differences)
    assert second == twin_second
    assert other_first["s_g"] == differences["s_g"]
    assert other_first["H_g"] == first["H_g"], "a pair counts by its direction only"
    s, other = second["s_g"][1] + second["s_g"][0], other_second["s_g"][1] + other_second["s_g"][0]
    assert len({a / b for a, b in zip(s, other, strict=True) if b}) > 1, "not a multiple"


def test_dev_kfac20_1_with_identities_before_line_11_the_first_step_is_another():
    identities = {name: [twins.identity(n, fmpq(1)) for n in sizes] for name, sizes in (("H_a", (3, 4)), ("H_g", (3, 1)))}
    _, [(ours, twin)] = exact_steps("kfac20", hypers("kfac20"))
    _, [(_, other)] = exact_steps("kfac20", hypers("kfac20"), **identities)
    assert ours == twin
    assert other["p"] == other["grad_h"], "one of SGD"
    assert differing(ours, other) == {"p", "W", "params"}


def test_dev_kfac20_2_a_pass_after_the_update_gives_other_factors(monkeypatch):
    """Line 8 where it stands: the inputs of the first layer are data, so its A is the same; everything else is another."""
    _, [(ours, twin)] = exact_steps("kfac20", hypers("kfac20"))
    monkeypatch.setattr(twins, "kfac20_step", printed_order(twins.kfac20_step))
    _, [(_, other)] = exact_steps("kfac20", hypers("kfac20"))
    assert ours == twin
    assert differing(ours, other) == {"A", "G", "H_a", "H_g"}
    assert ours["A"][0] == other["A"][0]
    assert ours["A"][1] != other["A"][1]


def printed_order(step):
    def printed(*given):
        return step(*given, before_update=False)
    return printed
