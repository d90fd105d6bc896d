"""Cases with images: convolutional nets, batch normalisation and residual blocks, judged like any other."""

import numpy as np
import pytest
from stepgauge import nets, verify
from stepgauge.verify import Case, Layout
from stepgauge.verify.case import OURS
from stepgauge.verify.cases import CONVOLUTIONAL, IMAGES, LEFT_OUT, cases, suite

METHOD = "sgd_m"


def written(params, layout=OURS):
    """The parameters as a candidate of that layout yields them: our own arithmetic of axes, entry by entry."""
    kernels = [layer for layer in params if isinstance(layer, nets.Layer)]
    norms = [layer for layer in params if isinstance(layer, nets.Norm)]
    shown = {}
    if layout.bias == "column":
        W_b = []
        for W, b in kernels:
            row = np.zeros((len(b), W[0].size + 1), W.dtype)
            for o in range(len(b)):
                row[o, :-1], row[o, -1] = list(W[o].flat), b[o]
            W_b.append(row.T.copy() if layout.kernel == "in_out" else row)
        shown["W"] = W_b
    else:
        shown["W"] = [W if layout.kernel == "out_in" else
                      np.einsum("oikl->klio", W) if W.ndim == 4 else np.einsum("oi->io", W) for W, _ in kernels]
        shown["b"] = [b for _, b in kernels]
    if norms:
        shown |= {"gamma": [norm.gamma for norm in norms], "beta": [norm.beta for norm in norms]}
    return shown


def heavy_ball(layout=OURS, *, show=True, touch=lambda shown: shown):
    """SGD with momentum that asks the case for gradients; `touch` changes what is shown."""

    def candidate(case):
        dtype = np.dtype(case.dtype)
        params, g_h = case.params, None
        for batch in case.batches:
            g = nets.tensors(case.loss_and_grad(params, batch)[1])
            new = 1 - case.hyper.beta if case.hyper.momentum == "ema" else 1
            g_h = [case.hyper.beta * old + new * now for old, now in zip(g_h or [0] * len(g), g, strict=True)]
            theta = iter([np.asarray(t - case.hyper.alpha * p, dtype) for t, p in zip(nets.tensors(params), g_h, strict=True)])
            params = tuple(type(layer)(*(next(theta) for _ in layer)) for layer in params)
            yield touch(written(params, layout) | ({"g": list(g), "g_h": g_h} if show else {}))

    return candidate


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("show", [True, False], ids=["everything", "parameters alone"])
@pytest.mark.parametrize("name", IMAGES)
def test_right_code_passes(name, show, dtype):
    report = verify.check(METHOD, heavy_ball(show=show), cases(METHOD, [name], dtype))
    assert report.verdict == "PASS", report
    assert report.coverage["theta"]["informative_cases"] == 1


@pytest.mark.parametrize("bias", ["separate", "column"])
@pytest.mark.parametrize("kernel", ["out_in", "in_out"])
@pytest.mark.parametrize("name", IMAGES)
def test_layouts_of_kernels_are_declared(name, kernel, bias):
    layout = Layout(kernel, bias)
    assert verify.check(METHOD, heavy_ball(layout), [name], layout=layout).verdict == "PASS"


@pytest.mark.parametrize(("declared", "given"), [(Layout(), Layout("in_out")), (Layout("in_out"), Layout()),
                                                 (Layout(bias="column"), Layout()), (Layout(), Layout(bias="column")),
                                                 (Layout("in_out", "column"), Layout(bias="column"))])
def test_another_layout_than_the_declared_one_is_named(declared, given):
    report = verify.check(METHOD, heavy_ball(given), ["images"], layout=declared)
    assert report.verdict == "FAIL"
    assert not report.cases[0].lines
    assert report.cases[0].reason.startswith(("W[0]: expected", "b: expected", "W: expected", "b[0]: expected"))


@pytest.mark.parametrize("name", ["gamma", "beta"])
def test_parameters_of_batch_normalisation_must_be_shown(name):
    report = verify.check(METHOD, heavy_ball(touch=lambda shown: {k: v for k, v in shown.items() if k != name}), ["normalised"])
    assert report.verdict == "FAIL"
    assert report.cases[0].reason == (f"{name}: expected a list of arrays at every step because the parameters are what is "
                                      f"judged, got none")


def test_parameters_of_batch_normalisation_have_their_shapes():
    candidate = heavy_ball(touch=lambda shown: shown | {"gamma": [g[:1] for g in shown["gamma"]]})
    report = verify.check(METHOD, candidate, ["normalised"])
    assert report.cases[0].reason.startswith("gamma[0]: expected shape (2,)")


def test_a_net_without_batch_normalisation_shows_no_gamma():
    report = verify.check(METHOD, heavy_ball(touch=lambda shown: shown | {"gamma": [np.ones(2)]}), ["images"])
    assert report.cases[0].reason.startswith("gamma: expected a list of 0 arrays")


@pytest.mark.parametrize(("name", "tensor", "place"), [("images", 2, "W_2"), ("normalised", 2, "gamma_2"),
                                                       ("normalised", 3, "beta_2"), ("residual", 4, "W_3")])
def test_the_tensor_that_is_wrong_is_named(name, tensor, place):
    def touch(shown):
        shown["g"][tensor] = shown["g"][tensor] + 1e-3
        return shown

    divergence = verify.check(METHOD, heavy_ball(touch=touch), [name]).divergence
    assert divergence.place.startswith(f"{place}, entry")


def test_images_are_in_the_suite_of_methods_for_convolutional_nets_alone():
    assert "images" not in suite("sgd_m")
    for method in CONVOLUTIONAL:
        assert set(IMAGES) - set(suite(method)) == ({"normalised"} if "normalised" in LEFT_OUT.get(method, ()) else set())
    for method in ("kfac_ef", "smw_gn", "hessian_free"):
        with pytest.raises(ValueError, match=r"^model: expected no BatchNorm because "):
            verify.check(method, heavy_ball(), ["normalised"])


@pytest.mark.parametrize("name", IMAGES)
def test_cases_with_images_are_saved_and_loaded(name, tmp_path):
    case, = cases(METHOD, [name])
    case.save(tmp_path)
    report = verify.check(METHOD, heavy_ball(), [Case.load(tmp_path)])
    assert report.verdict == "PASS"
