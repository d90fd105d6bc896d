"""What chapter 4 says of its methods: directions are dense Kronecker systems, 𝒟θ has mean 0, F is its covariance, (4.2), (4.10)."""

from itertools import chain

import mpmath
import numpy as np
import pytest
import tensor_twins
import twins
from bridge import rationals
from stepgauge import nets
from stepgauge.arrays import cast, namespace, precision
from stepgauge.reference import METHODS, shampoo
from stepgauge.reference.parts import fisher, tensors
from stepgauge.reference.parts.tensor_normal import as_modes, contractions, from_modes, identify, moments, preconditioned
from stepgauge.reference.tnt_ideal import expectation, mean_contractions
from tensor_bridge import STATISTICS, F, all_targets, float_problem, hypers, lists, rational_problem, weights

SHAPES = ((3,), (1,), (2, 3), (1, 3), (1, 1), (2, 3, 2), (2, 1, 2, 3))


def definite(rng, d, kind="fraction"):
    """A rational symmetric positive definite matrix with small entries."""
    B = cast(rng.integers(-2, 3, (d, d)).astype(float), kind)
    return B @ B.T + namespace(B).eye(d)


# -------------------------------------------------------------------------------------------- directions of orders 1 to 4


@pytest.mark.parametrize("shape", SHAPES)
def test_the_direction_of_TNT_is_the_dense_system(shape):
    """vec(p) = (⊗ (Ũ_i + εI))⁻¹ vec(g) over ℚ, for Ũ_i with one mean eigenvalue, recovered from their moments."""
    rng = np.random.default_rng(1)
    eps = F(1, 3)
    U = [definite(rng, d) for d in shape]
    U = [U_i * U_i.shape[0] / sum(np.diag(U_i)) for U_i in U] if len(shape) > 1 else U
    found = identify(moments(U)).U_t
    damped = [U_i + eps * namespace(U_i).eye(len(U_i)) for U_i in found]
    g = rationals(rng, *shape)
    p, = preconditioned((g,), (tuple(namespace(M).inv(M) for M in damped),), "4-way")
    assert (tensors.kron(*damped) @ p.ravel() == g.ravel()).all()
    assert all((ours == theirs).all() for ours, theirs in zip(found, U, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_direction_of_Shampoo_is_the_dense_system_to_the_power(shape):
    """Over ℚ, for factors built from the answer: Ĝ + εI = X⁻²ᵏ, so that (⊗ (Ĝ + εI))^(−1/2k) = ⊗X_i."""
    rng, k = np.random.default_rng(2), len(shape)
    hyper = shampoo.Hyper(eps=F(1, 5))
    X = [definite(rng, d) for d in shape]
    G_h = []
    for X_i in X:
        power = X_i
        for _ in range(2 * k - 1):
            power = power @ X_i
        G_h.append(namespace(X_i).inv(power) - F(1, 5) * namespace(X_i).eye(len(X_i)))
    g = rationals(rng, *shape)
    p, = preconditioned((g,), shampoo.roots((tuple(G_h),), hyper), "4-way")
    assert (p.ravel() == tensors.kron(*X) @ g.ravel()).all()


def built_state(method, problem, hyper, k):
    """A state before step k + 1 from which the statistics of that step are perfect: over ℚ, with its answer by tensor and mode."""
    rng, code = np.random.default_rng(3), METHODS[method]
    zero_grad = tuple(namespace(t).zeros_like(t) for t in nets.tensors(problem.params))
    targets, answers = [], []
    for t in zero_grad:
        U = [definite(rng, d, "fmpq") for d in t.shape]
        if method == "shampoo":
            powers = [namespace(U_i).inv(np.linalg.matrix_power(U_i, 2 * t.ndim)) for U_i in U]
            targets.append([P - hyper.eps * namespace(P).eye(len(P)) for P in cast(powers, "fmpq")])
        else:
            U = [3 * U_i * U_i.shape[0] / sum(np.diag(U_i)) for U_i in U] if t.ndim > 1 else U
            targets.append(moments(U))
        answers.append(U)
    tape = nets.forward(problem.model, problem.params, problem.batches[0].x)
    y = problem.batches[0].y_sampled if method == "tnt" else problem.batches[0].y
    new = contractions(nets.tensors(nets.backward(problem.model, problem.params, tape, y).grad), "3-way")
    beta = hyper.beta
    G_h = tuple(tuple((target - (1 - beta) * G) / beta for target, G in zip(of_targets, of_new, strict=True))
                for of_targets, of_new in zip(targets, new, strict=True))
    return code.State(k, zero_grad, G_h, G_h), answers


@pytest.mark.parametrize("method", STATISTICS)
def test_a_whole_step_over_the_rationals(method):
    """Step 2 of T_1 = T_2 = 2 from statistics that become perfect in it: W and b move along dense systems, exactly."""
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8)
    hyper = cast_hyper(hypers(method, T_1=2, eta=0))
    state, answers = built_state(method, problem, hyper, 1)
    params, after, trace = METHODS[method].step(problem.model, problem.params, state, problem.batches[0], hyper)
    Ws = weights(problem.params)
    grad = tensor_twins.averaged(problem.net, Ws, problem.examples()[0])
    for theta, p, moved, g, U in zip(nets.tensors(problem.params), trace.p, nets.tensors(params), grad, answers, strict=True):
        if method == "shampoo":
            assert (p.ravel() == tensors.kron(*U) @ np.array(tensor_twins.vec(g), dtype=object)).all()
        else:
            damped = [U_i + hyper.eps * namespace(U_i).eye(len(U_i)) for U_i in U]
            assert (tensors.kron(*damped) @ p.ravel() == np.array(tensor_twins.vec(g), dtype=object)).all()
        assert (moved == theta - hyper.alpha * (p + hyper.gamma * theta)).all()
    assert after.k == 2


def cast_hyper(hyper):
    return hyper._replace(**{name: namespace(cast(np.ones(1), "fmpq")).const(value) for name, value in hyper._asdict().items()
                             if isinstance(value, F)})


@pytest.mark.parametrize("method", ["tnt", "tnt_ef"])
def test_order_one_needs_no_root(method):
    """With every tensor as a vector, TNT is exact over ℚ from the start: the full second moment of each tensor's gradient."""
    problem = rational_problem((2, 3, 1), ("relu", "linear"), 8)
    hyper, code = cast_hyper(hypers(method, view="vector", T_2=1)), METHODS[method]
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    _, state, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    for G, U, U_inv, p, g in zip(state.G_h, trace.U_t, state.U_inv, trace.p, trace.grad_h, strict=True):
        assert len(G) == 1
        assert (U[0] == G[0]).all()
        damped = G[0] + hyper.eps * namespace(G[0]).eye(len(G[0]))
        assert (damped @ U_inv[0] == namespace(G[0]).eye(len(G[0]))).all()
        assert (damped @ p.ravel() == g.ravel()).all()


# ----------------------------------------------------------------------------------- views of a convolution, whole steps


@pytest.mark.parametrize("view", ["3-way", "4-way", "matrix", "vector"])
@pytest.mark.parametrize("method", STATISTICS)
def test_a_convolution_in_every_view(method, view):
    """Ĝ, p and W of a net with a 2 × 3 kernel from the dense definition on the viewed gradient."""
    rng, code = np.random.default_rng(4), METHODS[method]
    model = nets.cnn((2, 3, 4), (nets.Conv2d(3, (2, 3), padding="valid"), nets.Act("tanh"), nets.Flatten(), nets.Dense(2)), "mse")
    params, N = nets.init(model, 1), 3
    batch = nets.Batch(rng.standard_normal((N, 2, 3, 4)), rng.standard_normal((N, 2)), rng.standard_normal((N, 2)))
    hyper = code.Hyper(alpha=0.5, eps=0.2, T_2=1, view=view)
    state = code.init(model, params, batch, hyper)
    new, after, trace = code.step(model, params, state, batch, hyper)
    y = batch.y_sampled if method == "tnt" else batch.y
    sampled = nets.tensors(nets.backward(model, params, nets.forward(model, params, batch.x), y).grad)
    for i, (theta, G) in enumerate(zip(nets.tensors(params), sampled, strict=True)):
        seen = as_modes(G, view)
        expected = [np.tensordot(seen, seen, axes=[[a for a in range(seen.ndim) if a != m]] * 2) for m in range(seen.ndim)]
        for ours, theirs in zip(after.G_h[i], expected, strict=True):
            assert np.linalg.norm(ours - theirs) <= 2.0**-48 * np.linalg.norm(theirs)
        if method == "shampoo":
            dense = tensors.kron(*[E + 0.2 * np.eye(len(E)) for E in expected])
            w, Q = np.linalg.eigh(dense)
            inverse = (Q * w ** (-1 / (2 * seen.ndim))) @ Q.T
        else:
            scale = (np.trace(expected[0]) / G.size) ** (1 / seen.ndim)
            U = [E / (scale ** (seen.ndim - 1) * G.size / len(E)) for E in expected]
            inverse = np.linalg.inv(tensors.kron(*[U_i + 0.2 * np.eye(len(U_i)) for U_i in U]))
        p = from_modes((inverse @ as_modes(trace.grad[i], view).ravel()).reshape(seen.shape), theta.shape, view)
        assert np.linalg.norm(p - trace.p[i]) <= 2.0**-40 * np.linalg.norm(p)
        assert np.linalg.norm(nets.tensors(new)[i] - (theta - 0.5 * p)) <= 2.0**-40 * (np.linalg.norm(theta) + np.linalg.norm(p))


# ------------------------------------------------------------------------------------------ expectations over all targets


LOSSES = {"softmax_ce": ((2, 3, 3), ("tanh", "linear")), "bce": ((2, 3, 2), ("elu", "linear")),
          "mse": ((3, 2, 2), ("tanh", "tanh"))}


def enumerated(loss):
    """A problem with 50 digits, its weights as lists, and all targets."""
    widths, activations = LOSSES[loss]
    problem = float_problem(widths, activations, loss, 5, sizes=(4,), kind="mpf")
    return problem, weights(problem.params), problem.examples()[0], lambda output: all_targets(problem.net, output)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_sampled_gradient_has_mean_zero_and_its_covariance_is_the_fisher_matrix(loss):
    """By enumeration of all targets (for "mse", of points with a normal's moments): E[𝒟θ] = 0; E[𝒟θ𝒟θᵀ] = E[JᵀH_lJ] (R (1.7))."""
    with precision(170):
        problem, Ws, examples, targets = enumerated(loss)
        mean = tensor_twins.expectation(problem.net, Ws, examples, targets, lambda gradient: gradient)
        assert all(abs(number) < mpmath.mpf(2) ** -160 for part in mean for number in tensor_twins.vec(part))
        second = tensor_twins.expectation(problem.net, Ws, examples, targets, lambda gradient: [twins.outer(
            *2 * [list(chain(*(tensor_twins.vec(part) for part in gradient)))])])
        tape = nets.forward(problem.model, problem.params, problem.batches[0].x)
        H = nets.output_hessian(problem.model, tape.output)
        J = jacobians(problem, tape)
        total = sum(J[n].T @ H[n] @ J[n] for n in range(len(J))) / len(J)
        assert abs(total - np.array(second[0], dtype=object)).max() < mpmath.mpf(2) ** -155


def jacobians(problem, tape):
    """∂ŷ/∂θ (m, n) of every example, row by row, from "mse" gradients at ŷ − e_j, which are that row exactly."""
    linear = problem.model._replace(loss="mse")
    rows = []
    for e in namespace(tape.output).eye(tape.output.shape[1]):
        G = fisher.per_example(nets.pre_gradients(linear, problem.params, tape, tape.output - e), tape.a, problem.params)
        rows.append([np.concatenate([part[n].ravel() for part in G]) for n in range(len(tape.output))])
    return [np.array([row[n] for row in rows], dtype=object) for n in range(len(tape.output))]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_ideal_expectations_are_those_of_the_enumeration(loss):
    with precision(170):
        problem, Ws, examples, targets = enumerated(loss)
        expected = tensor_twins.expectation(problem.net, Ws, examples, targets,
                                            lambda gradient: [tensor_twins.contractions(part) for part in gradient])
        found = expectation(problem.model, problem.params, problem.batches[0].x, "3-way")
        for ours, theirs in zip(chain(*found), chain(*expected), strict=True):
            assert abs(ours - np.array(theirs, dtype=object)).max() < mpmath.mpf(2) ** -150


@pytest.mark.parametrize("loss", LOSSES)
def test_weighted_targets_have_the_second_moment_of_the_output_gradient(loss):
    """Σ w δδᵀ = H_l for every example; all targets are accepted by the loss, and weights of "softmax_ce" and "bce" add up."""
    with precision(170):
        problem, *_ = enumerated(loss)
        tape = nets.forward(problem.model, problem.params, problem.batches[0].x)
        H, total = nets.output_hessian(problem.model, tape.output), 0
        for w, y in fisher.weighted_targets(problem.model, tape.output):
            delta = nets.LOSSES[loss].gradient(tape.output, y)
            total = total + w[:, None, None] * delta[:, :, None] * delta[:, None, :]
            nets.backward(problem.model, problem.params, tape, y)
        assert abs(total - H).max() < mpmath.mpf(2) ** -160


def test_the_mean_of_an_averaged_gradient_is_an_mth_of_the_expectation():
    """DEV-TNT-2: over all draws of a batch of m = 2 independent examples, E[Ḡ⁽ⁱ⁾] = E[G⁽ⁱ⁾]/m."""
    with precision(170):
        problem, Ws, examples, targets = enumerated("softmax_ce")
        examples, m = examples[:2], 2
        single = tensor_twins.expectation(problem.net, Ws, examples, targets,
                                          lambda gradient: [tensor_twins.contractions(part) for part in gradient])
        outputs = [twins.one_pass(problem.net, Ws, x, y).h[-1] for x, y in examples]
        averaged = None
        for first in targets(outputs[0]):
            for second in targets(outputs[1]):
                batch = [(x, y) for (x, _), (_, y) in zip(examples, (first, second), strict=True)]
                G_b = tensor_twins.averaged(problem.net, Ws, batch)
                terms = [twins.scale(first[0] * second[0], tensor_twins.contractions(part)) for part in G_b]
                averaged = terms if averaged is None else [twins.add(old, new) for old, new in zip(averaged, terms, strict=True)]
        for ours, theirs in zip(averaged, single, strict=True):
            assert max(abs(a - b / m) for a, b in zip(flat3(ours), flat3(theirs), strict=True)) < mpmath.mpf(2) ** -155


def flat3(parts):
    return [number for part in parts for number in tensor_twins.vec(part)]


def test_mean_contractions_are_loops():
    rng = np.random.default_rng(6)
    G, w = rationals(rng, 3, 2, 3, 2), rationals(rng, 3)
    found = mean_contractions(G, w)
    for i in range(3):
        expected = sum(w[n] * tensors.contraction(G[n], i + 1) for n in range(3)) / 3
        assert (found[i] == expected).all()


@pytest.mark.parametrize("curvature", [np.array([0, 2]), "another batch"])
def test_the_ideal_method_takes_its_expectation_over_the_examples_it_is_told(curvature):
    problem = float_problem((3, 4, 2), ("tanh", "linear"), "bce", 5, sizes=(5, 4))
    first, second = problem.batches
    told = first._replace(curvature=second if isinstance(curvature, str) else curvature)
    x = second.x if isinstance(curvature, str) else first.x[curvature]
    code, hyper = METHODS["tnt_ideal"], METHODS["tnt_ideal"].Hyper()
    trace = code.step(problem.model, problem.params, code.State(0), told, hyper)[2]
    assert lists(trace.G) == lists(expectation(problem.model, problem.params, x, "3-way"))
    plain = code.step(problem.model, problem.params, code.State(0), first, hyper)[2]
    assert lists(trace.grad) == lists(plain.grad)
    assert lists(trace.G) != lists(plain.G)


@pytest.mark.parametrize("rows", [np.array([99]), np.array([-1]), [0, 1], np.array([True, False, True, False, True]),
                                  np.array([], dtype=int), np.array([[0]]), np.array([0.0]), 2, "all"])
def test_the_ideal_method_refuses_what_names_no_examples(rows):
    problem, code = float_problem((3, 4, 2), ("tanh", "linear"), "bce", 5), METHODS["tnt_ideal"]
    told = problem.batches[0]._replace(curvature=rows)
    with pytest.raises(ValueError, match=r"^curvature: expected a Batch or row numbers from 0 to 4 because it names"):
        code.step(problem.model, problem.params, code.State(0), told, code.Hyper())


def test_block_fisher_is_the_full_fisher_matrix_of_every_layer():
    """Its blocks over all draws are the diagonal blocks of E[𝒟θ𝒟θᵀ]: by enumeration, each layer's W̄ row by row."""
    with precision(170):
        problem, Ws, examples, targets = enumerated("softmax_ce")
        outputs = [twins.one_pass(problem.net, Ws, x, y).h[-1] for x, y in examples]
        blocks = None
        for (x, _), output in zip(examples, outputs, strict=True):
            for weight, y in targets(output):
                terms = [twins.scale(weight / len(examples), F_l) for F_l in tensor_twins.fisher_blocks(problem.net, Ws, [(x, y)])]
                blocks = terms if blocks is None else [twins.add(old, new) for old, new in zip(blocks, terms, strict=True)]
        tape = nets.forward(problem.model, problem.params, problem.batches[0].x)
        expected = [0 for _ in Ws]
        for w, y in fisher.weighted_targets(problem.model, tape.output):
            g = nets.pre_gradients(problem.model, problem.params, tape, y)
            for l in range(len(Ws)):
                rows = fisher.of_weights(g[l], tape.a[l]).reshape(len(examples), -1)
                expected[l] = expected[l] + (w[:, None] * rows).T @ rows / len(examples)
        for block, F_l in zip(blocks, expected, strict=True):
            assert abs(np.array(block, dtype=object) - F_l).max() < mpmath.mpf(2) ** -150


def test_the_bound_of_the_inverse():
    """Section 4.3.3: with c = 1, F⁻¹ is at most ε⁻ᵏ I."""
    rng = np.random.default_rng(7)
    for shape in ((3, 2), (2, 2, 3)):
        G = rng.standard_normal((2, *shape))
        U = identify(mean_contractions(G, np.ones(2))).U_t
        dense = tensors.kron(*[np.linalg.inv(U_i + 0.1 * np.eye(len(U_i))) for U_i in U])
        assert np.linalg.norm(dense, 2) <= 10.0 ** len(shape) * (1 + 2.0**-40)
