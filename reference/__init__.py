"""Optimizers as pure functions, one file a method, line by line beside the paper.

`METHODS` maps a name to a module with `Hyper`, `State`, `Trace`, `LINES`, `init` and `step`:

    state = method.init(model, params, data, hyper)
    params, state, trace = method.step(model, params, state, batch, hyper)
"""

from types import ModuleType

from .first_order import adam, rmsprop, sgd_m

METHODS: dict[str, ModuleType] = {"sgd_m": sgd_m, "adam": adam, "rmsprop": rmsprop}

__all__ = ["METHODS"]
