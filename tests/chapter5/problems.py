"""Small problems for chapter 5, in exact rationals or 60 digits, for the code and for the slow twins."""

from fractions import Fraction as F

import flint
import mpmath
import numpy as np
import slow
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.reference import METHODS

KINDS = {"smw_gn": "gauss_newton", "smw_ng": "empirical_fisher", "smw_ng_bd": "empirical_fisher", "hessian_free": "gauss_newton"}
METHODS_5 = tuple(KINDS)


def rationals(rng, *shape, largest=600):
    """Fractions with a numerator up to `largest` over one of three primes: no sum of few products of them is 0."""
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        array[index] = F(int(rng.integers(1, largest)) * int(rng.choice([-1, 1])), int(rng.choice([101, 211, 307])))
    return array


def problem(model, N, seed, kind="fmpq", curvature=None):
    """Parameters and a batch with drawn targets, in one arithmetic."""
    rng = np.random.default_rng(seed)
    params = tuple(nets.Layer(rationals(rng, *shape), rationals(rng, shape[0])) for shape in nets.layer_shapes(model))
    m = nets.layer_shapes(model)[-1][0]
    x = rationals(rng, N, *model.input_shape)
    if model.loss == "softmax_ce":
        y, y_sampled = rng.integers(0, m, N), rng.integers(0, m, N)
    elif model.loss == "bce":
        y, y_sampled = abs(rationals(rng, N, m, largest=101)), abs(rationals(rng, N, m, largest=101))
    else:
        y, y_sampled = rationals(rng, N, m), rationals(rng, N, m)
    rows = None if curvature is None else np.array(curvature)
    params, x = cast((params, x), kind)
    return params, nets.Batch(x, cast(y, kind), cast(y_sampled, kind), rows)


def lists(array):
    return [lists(row) for row in array] if array.ndim > 1 else list(array)


def twin_of(model, params, kind):
    """The slow net and θ."""
    names = [record.name for record in model.layers if isinstance(record, nets.Act)]
    one = {"fmpq": flint.fmpq(1), "mpf": mpmath.mpf(1), "fraction": F(1)}[kind]
    return slow.Net(names, model.loss, one, mpmath.exp, mpmath.log), [(lists(W), lists(b)) for W, b in params]


def examples(model, batch, rows=None, sampled=False):
    """Pairs (x, y), labels as rows of the identity."""
    y = batch.y_sampled if sampled else batch.y
    if y.ndim == 1:
        m = nets.layer_shapes(model)[-1][0]
        y = np.array([[1 if j == label else 0 for j in range(m)] for label in y], dtype=object)
    rows = range(len(batch.x)) if rows is None else rows
    return [(list(batch.x[i]), list(y[i])) for i in rows]


def vector(by_layer):
    """W̄ of every layer, or Layers, in the order of θ."""
    parts = [(layer[:, :-1], layer[:, -1]) if isinstance(layer, np.ndarray) else layer for layer in by_layer]
    return np.concatenate([part for W, b in parts for part in (W.reshape(len(b), -1).T.ravel(), b)])


def hyper_of(method, **changes):
    """Numbers that a test can tell apart, and a full run of conjugate gradients."""
    fields = {"alpha": F(1, 2), "lam_LM": F(3, 4), "boost": F(3, 2), "drop": F(2, 3), "tau": F(1, 8)}
    if method == "hessian_free":
        fields |= {"iterations": 200, "progress": 0}
    return METHODS[method].Hyper(**fields | changes)


def exact_jacobian(model, params, x):
    """J (N, m, n) by differences: a net of "relu" and "linear" is affine in each single parameter, up to the next kink."""
    step = F(1, 10**12)
    before, columns = nets.forward(model, params, x).output, []
    for l, layer in enumerate(params):
        d_out = len(layer.b)
        for j in range(layer.W.size // d_out + 1):
            for i in range(d_out):
                W, b = layer.W.copy(), layer.b.copy()
                if j < layer.W.size // d_out:
                    W.reshape(d_out, -1)[i, j] += step
                else:
                    b[i] += step
                ahead = (*params[:l], nets.Layer(W, b), *params[l + 1:])
                columns.append((nets.forward(model, ahead, x).output - before) * 10**12)
    return np.stack(columns, axis=-1)
