"""Algorithm 23 and Hessian-free against slow twins with dense matrices: exactly over ℚ, in 60 digits with exponentials."""

from fractions import Fraction as F

import flint
import mpmath
import numpy as np
import pytest
import slow
from problems import KINDS, METHODS_5, examples, hyper_of, lists, problem, twin_of, vector
from stepgauge import nets
from stepgauge.arrays import cast, namespace
from stepgauge.reference import METHODS
from stepgauge.reference.parts import conjugate_gradient as cg
from stepgauge.reference.parts import curvature as cv

NETS = {
    "two layers": (nets.mlp((2, 3, 2), ("relu", "linear"), "mse"), 4, [2, 0, 3]),
    "one output": (nets.mlp((3, 2, 1), ("relu", "linear"), "mse"), 3, [1, 2]),
    "one example": (nets.mlp((2, 2, 3), ("linear", "linear"), "mse"), 2, [1]),
    "all examples": (nets.mlp((1, 2, 2), ("relu", "relu"), "mse"), 3, None),
}


def twin_step(method, model, params, batch, hyper, lam_LM, kind):
    """The slow twin's step from the code's parameters."""
    net, theta = twin_of(model, params, kind)
    what = getattr(hyper, "B", "gauss_newton")
    numbers = {name: value if value is None else net.one * flint_or(value, kind)
               for name, value in hyper._asdict().items() if name in ("alpha", "tau", "boost", "drop", "eps", "accept", "eta")}
    rows = None if batch.curvature is None else list(batch.curvature)
    S_2 = examples(model, batch, rows, what == "sampled_fisher")
    return slow.step(net, theta, lam_LM, examples(model, batch), S_2, numbers, what, getattr(hyper, "blocks", "whole") == "whole")


def flint_or(value, kind):
    value = F(value)
    return flint.fmpq(value.numerator, value.denominator) if kind == "fmpq" else mpmath.mpf(value.numerator) / value.denominator


def flat(theta):
    return [value for W, b in theta for column in (*slow.transpose(W), b) for value in column]


def same(found, expected, kind):
    """Equal, or equal to 40 digits of the largest."""
    found, expected = np.ravel(np.array(found, dtype=object)), np.ravel(np.array(expected, dtype=object))
    if kind == "fmpq":
        return list(found) == list(expected)
    return max(abs(found - expected)) <= mpmath.mpf(10) ** -40 * max(abs(expected))


def follow(method, model, params, batches, hyper, kind):
    """Steps of the code, each beside the twin's from the same parameters."""
    code = METHODS[method]
    state = code.init(model, params, batches[0], hyper)
    assert (state.k, state.lam_LM) == (0, flint_or(hyper.lam_LM, kind))
    for batch in batches:
        theta, lam_LM, made = twin_step(method, model, params, batch, hyper, state.lam_LM, kind)
        params, state, trace = code.step(model, params, state, batch, hyper)
        assert same(vector(trace.grad), made["grad"], kind)
        assert same(vector(trace.p), made["p"], kind)
        assert same([trace.foretold, trace.rho, trace.lam_LM, state.lam_LM], [made["foretold"], made["rho"], lam_LM, lam_LM], kind)
        assert same(vector(params), flat(theta), kind)
        assert same(vector(trace.W), flat(theta), kind)
    assert state.k == len(batches)


@pytest.mark.parametrize("changes", [{}, {"eta": F(1, 16)}, {"accept": F(1, 8), "alpha": 1}], ids=["plain", "penalty", "accept"])
@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("method", METHODS_5)
def test_two_steps_over_the_rationals(method, name, changes):
    model, N, rows = NETS[name]
    params, batch = problem(model, N, 1, "fmpq", rows)
    _, other = problem(model, N + 1, 2, "fmpq", rows)
    follow(method, model, params, [batch, other], hyper_of(method, **changes), "fmpq")


@pytest.mark.parametrize("changes", [{"B": "sampled_fisher"}, {"B": "gauss_newton", "blocks": "layers"},
                                     {"B": "sampled_fisher", "blocks": "layers"}])
def test_every_matrix_in_every_cut(changes):
    model, N, rows = NETS["two layers"]
    params, batch = problem(model, N, 3, "fmpq", rows)
    follow("smw_gn", model, params, [batch], hyper_of("smw_gn", **changes), "fmpq")


@pytest.mark.parametrize("loss", ["bce", "softmax_ce"])
@pytest.mark.parametrize("method", METHODS_5)
def test_a_step_in_sixty_digits(method, loss):
    """H_l of "softmax_ce" is singular, that of "bce" σ(1 − σ)."""
    model = nets.mlp((2, 3, 3), ("tanh", "linear"), loss)
    with mpmath.workdps(60):
        params, batch = problem(model, 4, 4, "mpf", [3, 1])
        follow(method, model, params, [batch], hyper_of(method), "mpf")
        if method in ("smw_ng", "smw_ng_bd"):
            follow(method, model, params, [batch], hyper_of(method, B="sampled_fisher"), "mpf")


# ------------------------------------------------------------------------------------- Sherman-Morrison-Woodbury, at all sizes


def residual(B, lam, p, g):
    return (B @ p + lam * p + g)


@pytest.mark.parametrize("lam", [F(1, 10**12), F(1, 7), 10**6])
@pytest.mark.parametrize("kind", cv.KINDS)
@pytest.mark.parametrize("widths", [(2, 1), (1, 2, 2), (2, 2, 1)])
def test_woodbury_is_the_dense_solution_exactly(widths, kind, lam):
    """N₂ from 1 to beyond the number of parameters, duplicated examples, a dead unit."""
    model = nets.mlp(widths, ["relu"] * (len(widths) - 2) + ["linear"], "mse")
    n = sum(o * i + o for o, i in nets.layer_shapes(model))
    params, batch = problem(model, n + 2, 6, "fmpq")
    dead = (nets.Layer(params[0].W, params[0].b - flint.fmpq(100)), *params[1:])
    for theta in (params, dead):
        for rows in ([0], [3, 1], [2, 2, 1], list(range(n + 2)), None):
            S_1 = batch._replace(curvature=None if rows is None else np.array(rows))
            hyper = hyper_of("smw_gn", B=kind, lam_LM=F(lam) / 2, tau=F(lam) / 2)
            state = METHODS["smw_gn"].init(model, theta, S_1, hyper)
            _, _, trace = METHODS["smw_gn"].step(model, theta, state, S_1, hyper)
            x, y = (batch.x, batch.y) if rows is None else (batch.x[rows], batch.y[rows])
            y_sampled = batch.y_sampled if rows is None else batch.y_sampled[rows]
            B = {"gauss_newton": lambda x=x, theta=theta: cv.ggn(model, theta, x),
                 "empirical_fisher": lambda x=x, y=y, theta=theta: cv.empirical_fisher(model, theta, x, y),
                 "sampled_fisher": lambda x=x, y=y_sampled, theta=theta: cv.sampled_fisher(model, theta, x, y)}[kind]()
            off = residual(B, flint_or(lam, "fmpq"), vector(trace.p), vector(trace.grad))
            assert not any(off), (rows, kind)
            assert trace.D[0].shape[0] == len(x) * (widths[-1] if kind == "gauss_newton" else 1)


@pytest.mark.parametrize("lam", [F(1, 10**12), 1, 10**6])
@pytest.mark.parametrize("loss", ["bce", "softmax_ce"])
def test_woodbury_for_losses_with_exponentials(loss, lam):
    """By the residual in 60 digits, for a singular H_l as well: N₂ = 1, beyond n, and duplicates."""
    model = nets.mlp((1, 3), ("linear",), loss)
    with mpmath.workdps(60):
        params, batch = problem(model, 8, 7, "mpf")
        for rows in ([4], [1, 1, 5], list(range(8))):
            S_1 = batch._replace(curvature=np.array(rows))
            hyper = hyper_of("smw_gn", lam_LM=F(lam) / 2, tau=F(lam) / 2)
            state = METHODS["smw_gn"].init(model, params, S_1, hyper)
            _, _, trace = METHODS["smw_gn"].step(model, params, state, S_1, hyper)
            p, g = vector(trace.p), vector(trace.grad)
            off = residual(cv.ggn(model, params, batch.x[rows]), flint_or(lam, "mpf"), p, g)
            assert max(abs(off)) <= mpmath.mpf(10) ** -30 * max(abs(g))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["mse", "bce", "softmax_ce"])
def test_residual_in_floats(loss, dtype):
    """‖Gp + g‖ ≤ c u (‖G‖/λ) ‖g‖: subtracting from g and dividing by λ costs that much, and no more.

    c = 4 (q + n + 8) counts the sums of length q and n on the way, and D's condition, which (5.6) with H = I bounds by ‖G‖/λ.
    """
    rng = np.random.default_rng(8)
    model, u = nets.mlp((5, 6, 3), ("tanh", "linear"), loss), float(np.finfo(dtype).eps) / 2
    params = nets.init(model, 9)
    targets = {"mse": rng.standard_normal((20, 3)), "bce": rng.random((20, 3)), "softmax_ce": rng.integers(0, 3, 20)}[loss]
    params, batch = cast((params, nets.Batch(rng.standard_normal((20, 5)), targets, None, np.arange(12))), dtype)
    for lam in (1e-6, 1e-3, 1.0, 1e6):
        hyper = METHODS["smw_gn"].Hyper(lam_LM=lam / 2, tau=lam / 2)
        state = METHODS["smw_gn"].init(model, params, batch, hyper)
        _, _, trace = METHODS["smw_gn"].step(model, params, state, batch, hyper)
        theta, S_2 = cast((params, batch.x[:12]), "float64")
        G = cv.ggn(model, theta, S_2) + lam * np.eye(57)
        p, g = vector(trace.p).astype(float), vector(trace.grad).astype(float)
        bound = 4 * (36 + 57 + 8) * u * np.linalg.norm(G, 2) / lam * np.linalg.norm(g)
        assert np.linalg.norm(G @ p + g) <= bound


def test_D_is_symmetric_and_definite_where_H_is_singular():
    model = nets.mlp((3, 4, 3), ("tanh", "linear"), "softmax_ce")
    rng = np.random.default_rng(10)
    params, batch = nets.init(model, 1), nets.Batch(rng.standard_normal((6, 3)), rng.integers(0, 3, 6))
    hyper = METHODS["smw_gn"].Hyper(lam_LM=1e-9, tau=1e-9)
    _, _, trace = METHODS["smw_gn"].step(model, params, METHODS["smw_gn"].init(model, params, batch, hyper), batch, hyper)
    assert (trace.D[0] == trace.D[0].T).all()
    assert namespace(trace.D[0]).positive_definite(trace.D[0])


def test_rows_of_D_go_example_by_example():
    """N₂ = 3 and m_L = 2: block (i₁, i₂) of D is J_i₁ J_i₂ᵀ/N₂, 2 × 2, plus λI on the diagonal (Algorithm 22)."""
    model, _, _ = NETS["two layers"]
    params, batch = problem(model, 4, 11, "fmpq", [2, 0, 3])
    hyper = hyper_of("smw_gn")
    _, _, trace = METHODS["smw_gn"].step(model, params, METHODS["smw_gn"].init(model, params, batch, hyper), batch, hyper)
    net, theta = twin_of(model, params, "fmpq")
    J = [slow.jacobian(net, theta, list(batch.x[i])) for i in (2, 0, 3)]
    lam = flint_or(hyper.lam_LM + hyper.tau, "fmpq")
    for i in range(3):
        for k in range(3):
            block = np.array(slow.matmul(J[i], slow.transpose(J[k])), dtype=object)
            expected = lists(block / 3 + (lam if i == k else 0) * np.eye(2, dtype=int))
            assert lists(trace.D[0][2 * i:2 * i + 2, 2 * k:2 * k + 2]) == expected


def test_a_batch_of_its_own_may_give_the_curvature():
    """W's convention: `curvature` is another Batch."""
    model, _, _ = NETS["two layers"]
    params, batch = problem(model, 4, 12, "fmpq")
    rows = np.array([3, 1])
    part = nets.Batch(batch.x[rows], batch.y[rows], batch.y_sampled[rows])
    for method in METHODS_5:
        hyper, code = hyper_of(method), METHODS[method]
        state = code.init(model, params, batch, hyper)
        one, other = (code.step(model, params, state, batch._replace(curvature=S_2), hyper)[2].p for S_2 in (rows, part))
        assert list(vector(one)) == list(vector(other))


# ------------------------------------------------------------------------------------------------------- conjugate gradients


def dense_problem(n, rank, seed):
    """A matrix B of some rank, and G = B + λI."""
    rng = np.random.default_rng(seed)
    E = cast(rng.integers(-3, 4, (n, rank)).astype(float), "fmpq")
    B = E @ E.T
    return B, B + namespace(B).eye(n) * flint.fmpq(1, 3)


@pytest.mark.parametrize(("n", "rank"), [(6, 1), (6, 2), (5, 4)])
def test_conjugate_gradients_end_after_rank_steps(n, rank):
    """b in the range of B: at most `rank` steps; any b: one more for the eigenvalue λ. Exactly, over ℚ."""
    B, G = dense_problem(n, rank, 13)
    b = B @ cast(np.arange(1.0, n + 1), "fmpq")
    for rhs, steps in ((b, rank), (cast(np.arange(1.0, n + 1) ** 2, "fmpq"), rank + 1)):
        found = cg.conjugate_gradient(lambda X: (G @ X[0],), (rhs[:, None],), iterations=rank + 2, progress=0)
        assert found.iterations <= steps
        assert list(G @ found.x[0][:, 0]) == list(rhs)
        x, count = slow.conjugate_gradient(lists(G), list(rhs), rank + 2)
        assert (list(found.x[0][:, 0]), found.iterations) == (x, count)
    cut = cg.conjugate_gradient(lambda X: (G @ X[0],), (rhs[:, None],), iterations=1, progress=0)
    assert (list(cut.x[0][:, 0]), cut.iterations) == slow.conjugate_gradient(lists(G), list(rhs), 1)
    M = cast(np.arange(1.0, n + 1)[:, None], "fmpq")
    other = cg.conjugate_gradient(lambda X: (G @ X[0],), (rhs[:, None],), iterations=n, progress=0, M=(M,))
    assert list(G @ other.x[0][:, 0]) == list(rhs)


def test_preconditioned_steps_are_those_of_the_scaled_system():
    """With M = S² the iterates are S⁻¹ times those of S⁻¹GS⁻¹ y = S⁻¹b."""
    _, G = dense_problem(5, 3, 14)
    b, S = cast(np.arange(1.0, 6), "fmpq"), cast(np.array([1.0, 2, 3, 1, 2]), "fmpq")
    for steps in (1, 2, 3):
        found = cg.conjugate_gradient(lambda X: (G @ X[0],), (b[:, None],), iterations=steps, progress=0, M=((S**2)[:, None],))
        y, _ = slow.conjugate_gradient(lists(G / S[:, None] / S[None, :]), list(b / S), steps)
        assert list(found.x[0][:, 0]) == list(np.array(y, dtype=object) / S)


def test_conjugate_gradients_may_go_on_after_convergence():
    """In float32 the residual fades until dᵀGd is 0 where rᵀr is not: the last x is kept, not divided by 0."""
    G = np.array([[np.float32(1) / 16]])
    met = 0
    for power in range(-149, -139):
        b = np.array([[2 ** (power / 2)]], dtype=np.float32)
        with np.errstate(under="ignore"):
            met += bool((b * b).sum() > 0 and (b * (G @ b)).sum() == 0)
            found = cg.conjugate_gradient(lambda X: (G @ X[0],), (b,), iterations=250, progress=0)
        assert np.isfinite(found.x[0]).all()
    assert met


def test_conjugate_gradients_say_what_is_no_positive_definite_system():
    """Exactly, at whatever direction; in floats at the first, while the x so far is handed back at a later one."""
    diagonal, b = np.diag([1.0, -1.0]), np.array([[2.0], [1.0]])
    for kind in ("fraction", "fmpq", "float32", "float64", "mpf"):
        G, rhs = cast((diagonal, b), kind)
        if namespace(G).exact:
            with pytest.raises(ArithmeticError, match=r"^G: expected dᵀGd > 0 because it is positive definite, got -"):
                cg.conjugate_gradient(lambda X, G=G: (G @ X[0],), (rhs,), iterations=2, progress=0)
        else:
            found = cg.conjugate_gradient(lambda X, G=G: (G @ X[0],), (rhs,), iterations=2, progress=0)
            first = cg.conjugate_gradient(lambda X, G=G: (G @ X[0],), (rhs,), iterations=1, progress=0)
            assert found.iterations == first.iterations == 1
            assert (found.x[0] == first.x[0]).all()
        with pytest.raises(ArithmeticError, match=r"^G: expected dᵀGd > 0 because "):
            cg.conjugate_gradient(lambda X, G=G: (G @ X[0],), (rhs[::-1],), iterations=2, progress=0)


def test_conjugate_gradients_stop_with_an_error_where_numbers_are_not_finite():
    for bad in (np.nan, np.inf):
        with pytest.raises(ArithmeticError, match=rf"^G: expected a finite dᵀGd because .* got {bad}$"):
            cg.conjugate_gradient(lambda X, bad=bad: (bad * X[0],), (np.ones((2, 1)),), iterations=2, progress=0)
    b = np.array([[1e15], [1.0]], dtype=np.float32)
    with np.errstate(over="ignore"):
        with pytest.raises(ArithmeticError, match=r"^G: expected a finite dᵀGd because .* got inf"):
            cg.conjugate_gradient(lambda X: (np.float32(1e15) * X[0],), (b,), iterations=2, progress=0)
        with pytest.raises(ArithmeticError, match=r"^G, b: expected a finite rᵀM⁻¹r because .* got inf"):
            cg.conjugate_gradient(lambda X: X, (np.float32(1e5) * b,), iterations=2, progress=0)


def test_conjugate_gradients_end_early_by_martens_rule():
    """k = max(10, i/10) steps must lower φ by the share kε."""
    rng = np.random.default_rng(15)
    Q, _ = np.linalg.qr(rng.standard_normal((60, 60)))
    G = Q * np.logspace(0, 6, 60) @ Q.T
    b = rng.standard_normal((60, 1))

    def phi(i):
        x = cg.conjugate_gradient(lambda X: (G @ X[0],), (b,), iterations=i, progress=0).x[0]
        return float((x * (G @ x) / 2 - b * x).sum())

    epsilon = 0.02
    expected = next(i for i in range(11, 200) if (phi(i) - phi(i - 10)) / phi(i) < 10 * epsilon)
    found = cg.conjugate_gradient(lambda X: (G @ X[0],), (b,), iterations=200, progress=epsilon)
    assert 11 <= found.iterations == expected < 100
    assert cg.conjugate_gradient(lambda X: (G @ X[0],), (0 * b,), iterations=9, progress=0).iterations == 0


@pytest.mark.parametrize("changes", [{}, {"eta": F(1, 16)}])
def test_hessian_free_with_full_conjugate_gradients_is_smw_gn(changes):
    for name in NETS:
        model, N, rows = NETS[name]
        params, batch = problem(model, N, 16, "fmpq", rows)
        found = []
        for method in ("smw_gn", "hessian_free"):
            hyper = hyper_of(method, **changes)
            state = METHODS[method].init(model, params, batch, hyper)
            new, after, trace = METHODS[method].step(model, params, state, batch, hyper)
            found.append((list(vector(new)), after, trace.foretold, trace.rho))
        assert found[0][0] == found[1][0]
        assert tuple(found[0][1]) == tuple(found[1][1])
        assert found[0][2:] == found[1][2:]


def test_the_preconditioner_is_martens_and_changes_the_way_only():
    """(Σ ∇f ⊙ ∇f + λ)^(3/4) in 60 digits; a full run ends at the same p."""
    model = nets.mlp((2, 3, 2), ("tanh", "linear"), "softmax_ce")
    with mpmath.workdps(60):
        params, batch = problem(model, 4, 17, "mpf", [0, 2])
        runs = {}
        for name in ("none", "empirical_fisher"):
            for iterations in (1, 40):
                hyper = hyper_of("hessian_free", preconditioner=name, iterations=iterations)
                state = METHODS["hessian_free"].init(model, params, batch, hyper)
                runs[name, iterations] = vector(METHODS["hessian_free"].step(model, params, state, batch, hyper)[2].p)
        net, theta = twin_of(model, params, "mpf")
        S_2 = examples(model, batch, [0, 2])
        squares = [sum(value**2 for value in values)
                   for values in slow.transpose([slow.example_gradient(net, theta, x, y) for x, y in S_2])]
        lam = flint_or(hyper.lam_LM + hyper.tau, "mpf")
        g = slow.gradient(net, theta, examples(model, batch))
        y = [-a / (s + lam) ** mpmath.mpf("0.75") for a, s in zip(g, squares, strict=True)]
        G = [[b + lam if i == j else b for j, b in enumerate(row)]
             for i, row in enumerate(slow.curvature(net, theta, S_2, "gauss_newton"))]
        length = -slow.dot(g, y) / slow.dot(y, slow.matvec(G, y))
        assert same(runs["empirical_fisher", 1], [length * value for value in y], "mpf")
        assert same(runs["empirical_fisher", 40], runs["none", 40], "mpf")
        assert not same(runs["empirical_fisher", 1], runs["none", 1], "mpf")


# -------------------------------------------------------------------------------------------------- convolutional nets, floats


@pytest.mark.parametrize("method", METHODS_5)
def test_convolutional_nets_against_dense_matrices(method):
    model = nets.cnn((2, 3, 3), (nets.Residual((nets.Conv2d(3, 3), nets.Act("relu"), nets.Conv2d(2, 1))), nets.Act("relu"),
                                 nets.Flatten(), nets.Dense(2)), "mse")
    params, batch = problem(model, 4, 18, "fmpq", [3, 0])
    hyper = hyper_of(method) if method != "hessian_free" else hyper_of(method, iterations=8)
    state = METHODS[method].init(model, params, batch, hyper)
    new, _, trace = METHODS[method].step(model, params, state, batch, hyper)
    x, y = batch.x[[3, 0]], batch.y[[3, 0]]
    B = cv.ggn(model, params, x) if KINDS[method] == "gauss_newton" else cv.empirical_fisher(model, params, x, y)
    if method == "smw_ng_bd":
        owner = np.repeat(np.arange(len(params)), [layer.W.size + layer.b.size for layer in params])
        B = np.where(owner[:, None] == owner, B, flint.fmpq(0))
    p, g = vector(trace.p), vector(trace.grad)
    assert not any(residual(B, flint_or(hyper.lam_LM + hyper.tau, "fmpq"), p, g))
    assert trace.foretold == -(g @ p) - p @ B @ p / 2
    assert [layer.W.shape for layer in new] == [layer.W.shape for layer in params]
    assert list(vector(new)) == list(vector(params) + p * flint.fmpq(1, 2))
