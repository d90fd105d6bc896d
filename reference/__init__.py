"""Optimizers as pure functions, one file a method, line by line beside the paper.

`METHODS` maps a name to a module, or to one with other defaults, that has `Hyper`, `State`, `Trace`, `LINES`, `init` and `step`:

    state = method.init(model, params, data, hyper)
    params, state, trace = method.step(model, params, state, batch, hyper)
"""

from types import SimpleNamespace
from typing import Any

from . import (
    block_fisher,
    grouped_newton,
    hessian_free,
    kbfgs,
    kbfgs20,
    kbfgs20_l_skip,
    kbfgs_l_exact,
    kfac,
    kfac20,
    shampoo,
    subsampled,
    tnt,
    tnt_ideal,
)
from .first_order import adam, rmsprop, sgd_m

METHODS: dict[str, Any] = {
    "sgd_m": sgd_m,
    "adam": adam,
    "rmsprop": rmsprop,
    "kbfgs20": kbfgs20,
    "kbfgs20_l": SimpleNamespace(**vars(kbfgs20) | {"Hyper": kbfgs20.HyperL, "LINES": kbfgs20.LINES_L}),
    "kbfgs20_l_skip": kbfgs20_l_skip,
    "kfac20": kfac20,
    "kbfgs": kbfgs,
    "kbfgs_l": SimpleNamespace(**vars(kbfgs) | {"Hyper": kbfgs.HyperL, "LINES": kbfgs.LINES_L}),
    "kbfgs_l_exact": kbfgs_l_exact,
    "kfac": kfac,
    "kfac_ef": SimpleNamespace(**vars(kfac) | {"Hyper": kfac.HyperEF}),
    "tnt": tnt,
    "tnt_ef": SimpleNamespace(**vars(tnt) | {"Hyper": tnt.HyperEF}),
    "tnt_ideal": tnt_ideal,
    "shampoo": shampoo,
    "block_fisher": block_fisher,
    "smw_gn": subsampled,
    "smw_ng": SimpleNamespace(**vars(subsampled) | {"Hyper": subsampled.HyperNG}),
    "smw_ng_bd": SimpleNamespace(**vars(subsampled) | {"Hyper": subsampled.HyperBD}),
    "hessian_free": hessian_free,
    "grouped_newton": grouped_newton,
    "newton": SimpleNamespace(**vars(grouped_newton) | {"Hyper": grouped_newton.HyperNewton}),
    "cauchy": SimpleNamespace(**vars(grouped_newton) | {"Hyper": grouped_newton.HyperCauchy}),
}

__all__ = ["METHODS"]
