"""Floats of chapter 4 under the line-local rule: the slow twins, run in float64 and float32, and the code itself, must pass."""

import numpy as np
import pytest
import tensor_twins
import twins
from stepgauge import nets, verify
from stepgauge.reference import METHODS
from stepgauge.verify.replay import replay, worst
from stepgauge.verify.runner import run
from tensor_bridge import ALL, BY_TENSOR, STATISTICS, OnTensors, Twin, weights

CASES = ("plain", "labels", "degenerate", "penalty")


def arrays(values, dtype):
    """One array a tensor or layer, or a list of matrices, one for each mode."""
    return [[np.array(part, dtype=dtype) for part in value] if len(tensor_twins.shape(value)) == 3 else np.array(value, dtype=dtype)
            for value in values]


def exposed(case, found, Ws):
    """One yield: W and b by layer, and everything else that was found."""
    found = {name: arrays(values, case.dtype) for name, values in found.items() if name not in ("W", "theta", "params")}
    return {"W": [np.array([row[:-1] for row in W], dtype=case.dtype) for W in Ws],
            "b": [np.array([row[-1] for row in W], dtype=case.dtype) for W in Ws]} | found


def slow_twin(case):
    """A candidate: the twin in the dtype of the case."""
    problem = OnTensors(case.model, case.params, case.batches, case.dtype)
    twin, Ws = Twin(case.method, problem, case.hyper), weights(case.params)
    state = twin.start()
    yield exposed(case, twin.shown(state), Ws)
    for i in range(case.steps):
        Ws, state, made = twin.step(Ws, state, i)
        yield exposed(case, twin.shown(made, Ws), Ws)


def the_code(case):
    """A candidate: the code under test."""
    code, params = METHODS[case.method], case.params
    state = code.init(case.model, params, case.data, case.hyper)
    yield parameters(params) | of_code(state)
    for batch in case.batches:
        params, state, trace = code.step(case.model, params, state, batch, case.hyper)
        yield parameters(params) | of_code(state) | of_code(trace)


def parameters(params):
    """W and b of the kernels, γ and β of the batch normalisations, by layer."""
    found = {"W": [], "b": [], "gamma": [], "beta": []}
    for layer in params:
        for name, tensor in layer._asdict().items():
            found[name].append(tensor)
    return found


def of_code(record):
    return {name: [list(part) if isinstance(part, tuple) else part for part in value] for name, value in record._asdict().items()
            if name not in ("k", "theta", "W")}


def assert_passes(report, but=()):
    assert report.verdict == "PASS", str(report)
    assert report.divergence is None
    assert [name for name, line in report.coverage.items() if not line["compared"]] == list(but)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(("dtype", "names"), [("float64", CASES), ("float32", ("plain", "penalty"))])
def test_the_slow_twin_in_floats_passes(dtype, names, method):
    assert_passes(verify.check(method, slow_twin, verify.cases(method, names, dtype=dtype)))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(("dtype", "names"), [("float64", ("labels", "probabilities", "dead", "narrow", "large")),
                                              ("float32", ("plain", "degenerate"))])
def test_the_code_passes(dtype, names, method):
    assert_passes(verify.check(method, the_code, verify.cases(method, names, dtype=dtype)))


@pytest.mark.parametrize("method", STATISTICS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_code_passes_on_images(dtype, method):
    names = ("images", "strided", "normalised", "residual")
    assert_passes(verify.check(method, the_code, verify.cases(method, names, dtype=dtype)))


SLIP = 1 + 2.0**-30
SLIPS = {
    "with_damping": (ALL, tensor_twins, lambda original: lambda A, eps: original(A, eps * SLIP)),
    "contraction": (BY_TENSOR, tensor_twins, lambda original: lambda A, i: twins.scale(SLIP, original(A, i))),
    "dense_product": (BY_TENSOR, tensor_twins, lambda original: lambda U, A: twins.scale(SLIP, original(U, A))),
    "moving": (("block_fisher",), twins, lambda original: lambda *given: twins.scale(SLIP, original(*given))),
}


@pytest.mark.parametrize(("name", "method"), [(name, method) for name, (methods, *_) in SLIPS.items() for method in methods
                                              if (name, method) != ("with_damping", "shampoo")])
def test_a_twin_that_is_wrong_by_a_billionth_fails(name, method, monkeypatch):
    """So that the verdicts above say something; but a root may be off by the text's own tolerance of 1e-6."""
    _, module, slip = SLIPS[name]
    monkeypatch.setattr(module, name, slip(getattr(module, name)))
    case = verify.cases(method, ["plain"])[0]
    assert worst(replay(case, run(slow_twin, case, time_limit=60))) == "FAIL"


# --------------------------------------------------------------------------- other correct programs, as people write them


def other_program(method, *, root="eigenvalues", which=-1, show=True):
    """TNT, TNT-EF or Shampoo in einsum, factors found in other ways; only parameters, or all that it has, shown."""

    def gradient(case, params, batch, y, eta):
        grad = nets.tensors(nets.backward(case.model, params, nets.forward(case.model, params, batch.x), y).grad)
        return [g + t.dtype.type(eta) * t for g, t in zip(grad, nets.tensors(params), strict=True)]

    def contracted(g):
        letters = "abcd"[:g.ndim]
        return [np.einsum(f"{letters},{letters.replace(c, 'z')}->{c}z", g, g) for c in letters]

    def factors(G, hyper, dtype):
        k, n, eps = len(G), int(np.prod([len(M) for M in G])), dtype(hyper.eps)
        if method == "shampoo":
            damped = [(M + M.T) / 2 + eps * np.eye(len(M), dtype=dtype) for M in G]
            return None, [ROOTS[root](M, 2 * k) for M in damped]
        total = np.trace(G[which])
        c_0 = (total / n) ** dtype(1 / k)
        U = [M / (c_0 ** dtype(k - 1) * dtype(n / len(M))) if total > 0 else M for M in G]
        return U, [np.linalg.inv(M + eps * np.eye(len(M), dtype=dtype)) for M in U]

    def applied(g, M):
        for mode, matrix in enumerate(M):
            g = np.moveaxis(np.tensordot(g, matrix, axes=(mode, 1)), -1, mode)
        return g

    def candidate(case):
        hyper, params, dtype = case.hyper, case.params, np.dtype(case.dtype).type
        total, G_h = sum(len(batch.x) for batch in case.data), None
        for batch in case.data:
            y, eta = (batch.y_sampled, 0) if method == "tnt" else (batch.y, hyper.eta)
            terms = [[M * dtype(len(batch.x) / total) for M in contracted(g)] for g in gradient(case, params, batch, y, eta)]
            G_h = terms if G_h is None else [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(G_h, terms, strict=True)]
        grad_h, inverses = [np.zeros_like(t) for t in nets.tensors(params)], [factors(G, hyper, dtype)[1] for G in G_h]
        for t, batch in enumerate(case.batches, start=1):
            grad = gradient(case, params, batch, batch.y, hyper.eta)
            grad_h = [dtype(hyper.mu) * m + g for m, g in zip(grad_h, grad, strict=True)]
            shown = {"grad": grad, "grad_h": grad_h}
            if t % hyper.T_1 == 0:
                sampled = gradient(case, params, batch, batch.y_sampled, 0) if method == "tnt" else grad
                beta = dtype(hyper.beta)
                G_h = [[beta * M + (1 - beta) * new for M, new in zip(G, contracted(g), strict=True)]
                       for G, g in zip(G_h, sampled, strict=True)]
                shown |= {} if method == "shampoo" else {"G_b": sampled}
            if t % hyper.T_2 == 0:
                both = [factors(G, hyper, dtype) for G in G_h]
                inverses = [one[1] for one in both]
                shown |= {} if method == "shampoo" else {"U_t": [one[0] for one in both]}
            p = [applied(m, M) for m, M in zip(grad_h, inverses, strict=True)]
            alpha = dtype(hyper.alpha)
            params = nets.layers([theta * (1 - alpha * dtype(hyper.gamma)) - alpha * d
                                  for theta, d in zip(nets.tensors(params), p, strict=True)])
            shown |= {"G_h": G_h, ("root_inv" if method == "shampoo" else "U_inv"): inverses, "p": p}
            yield parameters(params) | (shown if show else {})

    return candidate


def by_eigenvalues(A, p):
    w, Q = np.linalg.eigh(A)
    return (Q * w ** A.dtype.type(-1 / p)) @ Q.T


def as_published(A, p):
    """The coupled Newton iteration with its published start, until 1e-6 is reached."""
    dtype, eye = A.dtype.type, np.eye(len(A), dtype=A.dtype)
    z = dtype((1 + p) / 2) / np.linalg.norm(A)
    M, X = z * A, z ** dtype(1 / p) * eye
    for _ in range(100):
        if np.abs(M - eye).max() <= 1e-6:
            break
        T = (dtype(p + 1) * eye - M) / dtype(p)
        X, M = X @ T, np.linalg.matrix_power(T, p) @ M
    return X


ROOTS = {"eigenvalues": by_eigenvalues, "published": as_published}


@pytest.mark.parametrize("show", [True, False], ids=["all shown", "parameters only"])
@pytest.mark.parametrize(("dtype", "names"), [("float64", ("plain", "labels", "penalty", "degenerate", "decay")),
                                              ("float32", ("plain", "labels"))])
@pytest.mark.parametrize(("method", "more"), [("tnt", {}), ("tnt", {"which": 0}), ("tnt_ef", {}), ("shampoo", {}),
                                              ("shampoo", {"root": "published"})], ids=str)
def test_other_correct_programs_are_never_failed(method, more, dtype, names, show):
    report = verify.check(method, other_program(method, show=show, **more), verify.cases(method, names, dtype=dtype))
    assert report.verdict in ("PASS", "GREY"), str(report)
    assert report.explanations == ()
