"""Floats of chapter 3 under the line-local rule: the slow twins, run in float64 and float32, and the code itself, must pass.

The twins add up their loops from left to right in the dtype of the case, the code calls matrix products: two programs that
round differently at every line. Each exposes all that it computes, the initial state included.
"""

from math import prod

import numpy as np
import pytest
import twins
import twins3
from bridge3 import ALL3, K_BFGS, Images, Twin3, float_images, hypers3, weights3
from stepgauge import nets, verify
from stepgauge.reference import METHODS
from stepgauge.verify.adapters.reference import reference
from stepgauge.verify.cases import optional, suite
from stepgauge.verify.replay import replay, worst
from stepgauge.verify.runner import run

CASES3 = ("plain", "images", "strided", "residual", "normalised")
NORMS = {"D_norm", "D_norm_h", "norm"}
OWN = {"W", "norm", "params"}


def exposed3(case, found, Ws):
    """One yield: the parameters in the shapes of the case's, and everything else that was found."""
    def arrays(values):
        return [np.array(value, dtype=case.dtype) for value in values]

    shown = {name: arrays(values) for name, values in found.items() if name not in OWN and values}
    for layer, W in zip(case.params, Ws, strict=True):
        if isinstance(layer, nets.Layer):
            kernel, bias = arrays([[row[:-1] for row in W], [row[-1] for row in W]])
            named = {"W": kernel.reshape(layer.W.shape), "b": bias}
        else:
            named = dict(zip(("gamma", "beta"), arrays(W), strict=True))
        for name, tensor in named.items():
            shown.setdefault(name, []).append(tensor)
    return shown


def slow_twin3(case):
    """A candidate: the twin in the dtype of the case."""
    twin, Ws = Twin3(case.method, Images(case.model, case.params, case.batches, case.dtype), case.hyper), weights3(case.params)
    state = twin.start()
    yield exposed3(case, twin.shown(state), Ws)
    for i in range(case.steps):
        Ws, state, made = twin.step(Ws, state, i)
        yield exposed3(case, twin.shown(made, Ws), Ws)


def fits(method, names):
    return [name for name in names if name in suite(method)]


def assert_passes3(report):
    assert report.verdict == "PASS", str(report)
    assert report.ok
    assert report.divergence is None


@pytest.fixture
def multiplied_out3(monkeypatch):
    """The twins' BFGS term by term, which rounds as often as the code's."""
    monkeypatch.setattr(twins3, "bfgs", twins.bfgs_multiplied_out)


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize(("name", "dtype"), [*((name, "float64") for name in CASES3),
                                             *((name, "float32") for name in ("images", "normalised"))])
def test_chapter_3_the_slow_twin_in_floats_passes(name, dtype, method, multiplied_out3):
    for case in fits(method, [name]):
        report = verify.check(method, slow_twin3, verify.cases(method, [case], dtype=dtype))
        assert_passes3(report)
        unused = {"A"} if method in K_BFGS else set()                # the moving average of A, without improvement #2
        norms = set() if name == "normalised" else NORMS
        assert {line for line, seen in report.coverage.items() if not seen["compared"]} <= unused | norms


@pytest.mark.parametrize("method", ALL3)
def test_chapter_3_the_slow_twin_passes_what_is_optional(method, multiplied_out3):
    for name in optional(method):
        assert_passes3(verify.check(method, slow_twin3, verify.cases(method, [name])))


@pytest.mark.parametrize("method", K_BFGS)
def test_chapter_3_the_slow_twin_with_the_printed_triple_product_passes(method):
    """(3.11) as it stands, two matrix products for each update of H_A and H_G."""
    assert_passes3(verify.check(method, slow_twin3, verify.cases(method, ["images"])))


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_code_of_chapter_3_passes_and_every_line_is_told_about(dtype, method):
    """Every case of the suite and every optional one; every quantity with a line is somewhere compared in a tight band, but for
    parameters of batch normalisation under a method that refuses it."""
    report = verify.check(method, reference, verify.cases(method, (*suite(method), *optional(method)), dtype=dtype))
    assert_passes3(report)
    silent = {line for line, seen in report.coverage.items() if not seen["informative_cases"]}
    assert silent == (NORMS if method == "kfac_ef" else set())
    assert set(METHODS[method].LINES) - set(report.coverage) == set()


SLIP3 = 1 + 2.0**-30


def slipped(name):
    """The twin's own line, and the same with a relative slip of 2⁻³⁰."""
    original = getattr(twins3, name)
    return {
        "damped": lambda A, lam: original(A, lam * SLIP3),
        "moving": lambda numbers, beta, old, new: original(numbers, beta * SLIP3, old, new),
        "outer": lambda x, y: twins.scale(SLIP3, original(x, y)),
        "d_p_d_lm": lambda s, y, H, mu1, mu2: original(s, y, H, mu1, mu2 * SLIP3),
        "d_pi_d_lm": lambda s, y, mu1, mu2: original(s, y, mu1, mu2 * SLIP3),
        "hessian_action_pair": lambda H, a, lam: original(H, a, lam * SLIP3),
        "pi_traces": lambda Omega, Gamma, sqrt: original(Omega, Gamma, sqrt) * SLIP3,
        "descended": lambda net, hyper, W, p, alpha: original(net, hyper, W, p, alpha * SLIP3),
        "over_data": lambda *given: [value and twins.scale(SLIP3, value) for value in original(*given)],
    }[name]


@pytest.mark.parametrize(("name", "method"), [
    *((name, method) for name in ("outer", "descended", "over_data") for method in ALL3),
    *((name, method) for name in ("moving", "d_p_d_lm", "hessian_action_pair") for method in K_BFGS),
    *((name, "kbfgs_l_exact") for name in ("moving", "d_pi_d_lm", "damped")),
    *((name, method) for name in ("moving", "damped", "pi_traces") for method in ("kfac", "kfac_ef"))])
def test_a_twin_of_chapter_3_that_is_wrong_by_a_billionth_fails(name, method, multiplied_out3, monkeypatch):
    """So that the verdicts above, of which one is on this case, say something."""
    case = verify.cases(method, ["images"])[0]
    monkeypatch.setattr(twins3, name, slipped(name))
    assert worst(replay(case, run(slow_twin3, case, time_limit=60))) == "FAIL"


RECORDS3 = (nets.Conv2d(3, (3, 1)), nets.BatchNorm(), nets.Act("elu"), nets.Conv2d(2, 2, padding="valid"), nets.Flatten(),
            nets.Dense(2))
SHAPES3 = ((3, 7), (2, 13), (2, 5))                 # W̄ of the three kernels: 2·3·1 + 1, 3·2·2 + 1, 2·2·1 + 1 columns


@pytest.mark.parametrize("method", ALL3)
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["mse", "bce", "softmax_ce"])
def test_every_array_of_chapter_3_keeps_its_dtype_and_has_the_shape_that_is_documented(loss, kind, method):
    """Parameters, state and trace, with hyper-parameters that are Fractions and weight decay."""
    normalised = method not in ("kbfgs_l_exact", "kfac_ef")
    records = tuple(record for record in RECORDS3 if normalised or not isinstance(record, nets.BatchNorm))
    problem = float_images((2, 3, 2), records, loss, 1, kind=kind)
    code = METHODS[method]
    hyper = hypers3(method, problem.model, gamma=0.03, T_2=1, improvement2=False, lam=1,
                    **({"lam_A": 1, "lam_G": 0.5} if method == "kbfgs_l_exact" else {}))
    state = code.init(problem.model, problem.params, problem.batches, hyper)
    params, new, trace = code.step(problem.model, problem.params, state, problem.batches[0], hyper)
    for record in (state, new, trace, *params):
        assert {array.dtype.name for array in leaves3(record)} == {kind}
    for old, layer in zip(problem.params, params, strict=True):
        assert [tensor.shape for tensor in layer] == [tensor.shape for tensor in old]
    for record in (new, trace):
        for name in {"D_norm", "D_norm_h", "norm"} & set(record._fields):
            assert [value.shape for value in getattr(record, name)] == [(2, 3)] * normalised
        for l, (d_o, columns) in enumerate(SHAPES3):
            expected = {**dict.fromkeys(("A", "H_A", "Omega", "H_Omega"), (columns, columns)),
                        **dict.fromkeys(("Gamma", "H_Gamma"), (d_o, d_o)), **dict.fromkeys(("s_A", "y_A"), (columns,)),
                        **dict.fromkeys(("s_G", "y_G", "s_t", "y_t"), (d_o,)), "pi": (),
                        **dict.fromkeys(("DW", "DW_h", "p", "W"), (d_o, columns))}
            for name in set(record._fields) & set(expected):
                assert getattr(record, name)[l].shape == expected[name], name
            if "H_G" in record._fields:
                H_G = record.H_G[l]
                assert (H_G.S.shape == H_G.Y.shape == (d_o, 1)) if hasattr(H_G, "S") else (H_G.shape == (d_o, d_o))
    assert [prod(layer.W.shape[1:]) + 1 for layer in params if isinstance(layer, nets.Layer)] == [n for _, n in SHAPES3]


def leaves3(tree):
    if isinstance(tree, tuple):
        return [leaf for branch in tree for leaf in leaves3(branch)]
    return [tree] if isinstance(tree, np.ndarray) or (isinstance(tree, np.generic) and np.ndim(tree) == 0) else []
