"""Adam of optax: its two averages and the parameters. A convention that differs from the paper's is named by the report.

    stepgauge check adam examples/adapters/with_optax.py:candidate
"""

from stepgauge.verify.adapters.optax import optax_transform


def make(hyper):
    import optax

    return optax.adam(hyper.alpha, hyper.beta1, hyper.beta2, hyper.eps)


candidate = optax_transform(make, {"mu": "m", "nu": "v"})
