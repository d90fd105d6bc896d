"""Constant factors and transposes at the first divergence are said, with the factor's name."""

import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from stepgauge import nets, verify
from stepgauge.verify.adapters.reference import reference
from stepgauge.verify.factors import _named


def spoiled(quantity, change):
    """The reference with one quantity changed in every step: change(array, batch, layer)."""
    def candidate(case):
        for k, step in enumerate(reference(case)):
            if k and quantity in step:
                step = step | {quantity: [change(np.asarray(x), case.batches[k - 1], l) for l, x in enumerate(step[quantity])]}
            yield step

    return candidate


def said(method, quantity, change, cases=("plain", "labels")):
    report = verify.check(method, spoiled(quantity, change), list(cases))
    assert (report.verdict, report.divergence.quantity) == ("FAIL", quantity)
    return report.explanations[:1]


@pytest.mark.parametrize(("method", "quantity", "change", "text"), [
    ("kfac", "Gamma", lambda x, batch, l: len(batch.x) * x, "Gamma is N times what line R12.14 gives"),
    ("kfac", "Omega", lambda x, batch, l: -x, "Omega is −1 times what line R12.14 gives"),
    ("adam", "v", lambda x, batch, l: x / len(batch.x)**2, "v is 1/N² times what line KB1.4 gives"),
    ("sgd_m", "g_h", lambda x, batch, l: 6 * x, "g_h is 6 times what line R§2.5.2 gives"),
    ("kfac", "Gamma", lambda x, batch, l: x if l else 3 * x, "Gamma is 3 times what line R12.14 gives"),
])
def test_a_constant_factor_is_said(method, quantity, change, text):
    assert said(method, quantity, change) == (text,)


def test_a_transpose_is_said():
    case, = verify.cases("sgd_m", ["plain"])
    (W, b), (V, c) = case.params
    params = nets.Layer(W[:3], b[:3]), nets.Layer(V[:, :3], c)
    square = replace(case, model=nets.mlp((3, 3, 2), ("relu", "linear"), "mse"), params=params)
    report = verify.check("sgd_m", spoiled("g_h", lambda x, batch, l: x.T if x.shape == (3, 3) else x), [square])
    assert report.explanations == ("g_h is the transpose of what line R§2.5.2 gives",)


@pytest.mark.parametrize(("method", "name", "step", "index", "layer"), [
    ("adam", "plain", 1, 0, 0), ("adam", "images", 2, 3, 1), ("kfac", "images", 2, 0, 0), ("kfac", "normalised", 1, 1, 2),
    ("smw_gn", "plain", 1, 0, 0),
])
def test_every_name_says_its_number(method, name, step, index, layer):
    """A name is a formula in N, m, N₂, P and the fields of the Hyper."""
    case, = verify.cases(method, [name])
    line = SimpleNamespace(step=step, index=index)
    batch = case.batches[step - 1]
    known = {**case.hyper._asdict(), "N": len(batch.x), "m": nets.layer_shapes(case.model)[-1][0], "sqrt": math.sqrt,
             "P": nets.positions(case.model)[layer], "N2": 0 if batch.curvature is None else len(batch.curvature)}
    found = list(_named(case, line))
    for text, value in found:
        formula = re.sub(r"√(\w+)", r"sqrt(\1)", text.replace("−", "-").replace("²", "**2").replace("N₂", "N2"))
        assert value == pytest.approx(eval(formula, known), rel=1e-14, abs=0), text
    texts = [text for text, _ in found]
    assert len(texts) == len(set(texts))
    assert {"2", "−N", "1/N²", "√N", "N/(N − 1)", "−(1 − 1/N)", "m"} <= set(texts)


def test_what_is_no_constant_factor_is_not_called_one():
    assert said("kfac", "Gamma", lambda x, batch, l: x * (1 + np.arange(len(x)))) == ()
    assert said("kfac", "Gamma", lambda x, batch, l: (2 + l) * x) == ()
    assert said("adam", "m", lambda x, batch, l: x + 1e-3) == ()
    assert said("sgd_m", "g_h", lambda x, batch, l: 7.3 * x) == ()
    assert said("sgd_m", "g_h", lambda x, batch, l: (1 + 1e-9) * x) == ()
    assert said("sgd_m", "g_h", lambda x, batch, l: 2 * x if batch.x.shape[1] == 3 else x) == ()


def test_positions_count_by_layer_where_quantities_are_listed_by_tensor():
    text, = said("adam", "m", lambda x, batch, l: x / (12, 12, 6, 6, 1, 1)[l], cases=["images"])
    assert text == "m is 1/P times what line KB1.3 gives"


def test_positions_count_by_layer():
    text, = said("kfac", "Omega", lambda x, batch, l: x / (12, 6, 1)[l], cases=["images"])
    assert text == "Omega is 1/P times what line R12.14 gives"
