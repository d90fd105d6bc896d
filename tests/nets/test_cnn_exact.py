"""Convolution, pooling and residual addition exactly: every comparison is == over ℚ, with loops over pixels as the judge.

And R Theorem 3 at small sizes: the gradient is Σ_t a_t ⊗ 𝒟h_t, the Hessian Σ_{t,t'} A_{tt'} ⊗ G_{tt'}.
"""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from pixels import run
from stepgauge import nets
from stepgauge.arrays import cast
from stepgauge.nets import Act, AvgPool, Conv2d, Dense, Flatten, MaxPool, Residual

TAIL = (Flatten(), Dense(2))
SHORT = Residual((Conv2d(3, (1, 3)), Act("relu"), Conv2d(2, 3)))
PROJECTED = Residual((Conv2d(3, 3, 2), Act("relu"), Conv2d(4, 1)), (Conv2d(4, 1, 2, "valid"),))
CASES = {
    "same": ((2, 4, 5), (Conv2d(3, 3), *TAIL), 2),
    "valid": ((2, 4, 5), (Conv2d(3, 3, padding="valid"), Act("relu"), *TAIL), 2),
    "even and valid": ((1, 4, 3), (Conv2d(2, (2, 1), padding="valid"), *TAIL), 3),
    "non-square kernel": ((2, 3, 5), (Conv2d(2, (1, 5)), Act("relu"), Conv2d(3, (3, 1)), *TAIL), 1),
    "stride": ((1, 5, 6), (Conv2d(2, 3, 2), *TAIL), 2),
    "strides": ((1, 5, 7), (Conv2d(2, 3, (1, 3)), Conv2d(2, (3, 2), (2, 1), "valid"), *TAIL), 2),
    "stride beyond the kernel": ((2, 5, 5), (Conv2d(2, 1, 3), *TAIL), 2),
    "rows left over": ((1, 4, 6), (Conv2d(2, 3, 2, "valid"), *TAIL), 2),
    "1 x 1 kernel": ((3, 2, 3), (Conv2d(2, 1), Act("relu"), *TAIL), 2),
    "kernel is the image": ((2, 3, 4), (Conv2d(3, (3, 4), padding="valid"), Act("relu"), *TAIL), 3),
    "kernel beyond the image": ((1, 2, 3), (Conv2d(2, (3, 5)), *TAIL), 2),
    "one of everything": ((1, 1, 1), (Conv2d(1, 1), Flatten()), 1),
    "max pool": ((2, 4, 6), (Conv2d(2, 3), MaxPool(2), *TAIL), 2),
    "overlapping windows": ((1, 5, 4), (Conv2d(2, 1), MaxPool((3, 2), 1), MaxPool(2, (2, 1)), *TAIL), 2),
    "pixels in no window": ((1, 5, 5), (Conv2d(1, 3), MaxPool(2), AvgPool((1, 2)), *TAIL), 2),
    "average pool": ((2, 4, 5), (Conv2d(2, 3), AvgPool((2, 3), (1, 2)), *TAIL), 2),
    "pool of one": ((1, 2, 2), (Conv2d(2, 1), MaxPool(1), AvgPool(1), *TAIL), 2),
    "pool first": ((1, 4, 4), (MaxPool(2), Act("relu"), AvgPool(1), Conv2d(2, 1), *TAIL), 2),
    "residual": ((2, 3, 3), (Conv2d(2, 1), SHORT, Act("relu"), *TAIL), 2),
    "residual first": ((2, 3, 3), (SHORT, Act("relu"), *TAIL), 2),
    "shortcut": ((2, 4, 3), (Conv2d(2, 3), PROJECTED, Act("relu"), *TAIL), 2),
    "shortcut first": ((2, 4, 3), (Act("relu"), PROJECTED, *TAIL), 2),
    "only the shortcut learns": ((2, 3, 3), (Residual((Act("relu"),), (Conv2d(2, 3),)), *TAIL), 2),
    "nested": ((1, 3, 3), (Conv2d(2, 3), Residual((SHORT, Act("relu"), Residual((Conv2d(2, 1),)))), *TAIL), 2),
    "residual of vectors": ((3,), (Dense(4), Residual((Act("relu"), Dense(4))), Act("relu"), Dense(1)), 3),
}
every_case = pytest.mark.parametrize(("shape", "records", "N"), CASES.values(), ids=CASES)


def rationals(rng, *shape):
    """Fractions p/q with |p| <= 20 and q <= 9, never 0."""
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        array[index] = Fraction(int(rng.choice([-1, 1]) * rng.integers(1, 21)), int(rng.integers(1, 10)))
    return array


def network(shape, records, N, seed=3):
    rng = np.random.default_rng([seed, *shape, N])
    model = nets.cnn(shape, records, "mse")
    params = tuple(nets.Layer(rationals(rng, *W), rationals(rng, W[0])) for W in nets.layer_shapes(model))
    m = nets.forward(model, params, rationals(rng, 1, *shape)).output.shape[1]
    return model, params, rationals(rng, N, *shape), rationals(rng, N, m)


@every_case
def test_the_passes_are_the_loops_over_pixels(shape, records, N):
    model, params, x, y = network(shape, records, N)
    tape = nets.forward(model, params, x)
    back = nets.backward(model, params, tape, y)
    output, seen, backwards = run(records, iter(params), x)
    backwards(output - y)
    assert tape.output.tolist() == output.tolist()
    assert back.loss == sum((p - q) ** 2 for p, q in zip(output.ravel(), y.ravel(), strict=True)) / 2 / N
    assert len(seen) == len(params) == len(tape.a) == len(back.g) == len(back.grad)
    for l, layer in enumerate(seen):
        assert tape.a[l].tolist() == layer.a.tolist()
        assert tape.h[l].tolist() == layer.h.tolist()
        assert back.g[l].tolist() == layer.g.tolist()
        assert (back.grad[l].W * N).tolist() == layer.dW.tolist()
        assert (back.grad[l].b * N).tolist() == layer.db.tolist()
    assert {type(value) for array in (*tape.a, *tape.h, *back.g, *nets.tensors(back.grad)) for value in array.ravel()} == {Fraction}


@every_case
def test_h_is_the_product_with_the_homogeneous_inputs(shape, records, N):
    """R (3.1) and (3.2): h_t = W̄ ā_t with W̄ = (W.reshape(d_out, −1), b)."""
    model, params, x, _ = network(shape, records, N)
    tape = nets.forward(model, params, x)
    for layer, a, h in zip(params, tape.a, tape.h, strict=True):
        W_b = np.concatenate([layer.W.reshape(len(layer.b), -1), layer.b[:, None]], axis=1)
        assert (a @ W_b.T).tolist() == h.tolist()


def kron(u, v):
    return np.array([p * q for p in u for q in v], dtype=object)


@every_case
def test_theorem_3_gradient(shape, records, N):
    """vec(𝒟W) = Σ_t a_t ⊗ 𝒟h_t, columns of W̄ one below the other, example by example."""
    model, params, x, y = network(shape, records, N)
    back = nets.backward(model, params, nets.forward(model, params, x), y)
    tape = nets.forward(model, params, x)
    for l, layer in enumerate(back.grad):
        W_b = np.concatenate([layer.W.reshape(len(layer.b), -1), layer.b[:, None]], axis=1)
        by_example = [sum(kron(tape.a[l][n, t], back.g[l][n, t]) for t in range(tape.a[l].shape[1])) for n in range(N)]
        assert W_b.T.ravel().tolist() == (sum(by_example) / N).tolist()


# Linear nets under mse: the loss is a quadratic polynomial in one layer's parameters and in its pre-activations.
LINEAR = {
    "same": ((2, 2, 3), (Conv2d(2, (1, 3)), Conv2d(1, (1, 3)), *TAIL), 0),
    "second layer": ((1, 2, 3), (Conv2d(2, (1, 3)), Conv2d(2, (1, 3), (1, 2)), *TAIL), 1),
    "valid and pooled": ((1, 3, 3), (Conv2d(2, 2, padding="valid"), AvgPool((1, 2)), *TAIL), 0),
    "residual": ((1, 2, 2), (Conv2d(1, 1), Residual((Conv2d(1, (1, 1)),)), *TAIL), 1),
    "dense": ((3,), (Dense(2), Dense(2)), 0),
}


@pytest.mark.parametrize(("shape", "records", "l"), LINEAR.values(), ids=LINEAR)
def test_theorem_3_hessian(shape, records, l):
    """∂²f/∂vec(W)² = Σ_{t,t'} a_t a_t'ᵀ ⊗ ∂²f/∂h_t∂h_t', with both sides from exact second differences of gradients."""
    model, params, x, y = network(shape, records, 1)
    tape = nets.forward(model, params, x)
    a = tape.a[l][0]
    d_out, columns = len(params[l].b), a.shape[1]

    W_b = np.concatenate([params[l].W.reshape(d_out, -1), params[l].b[:, None]], axis=1)

    def gradient(W_b):
        """vec(𝒟W), affine in W̄."""
        moved = (*params[:l], nets.Layer(W_b[:, :-1].reshape(params[l].W.shape), W_b[:, -1]), *params[l + 1:])
        grad = nets.backward(model, moved, nets.forward(model, moved, x), y).grad[l]
        return np.concatenate([grad.W.reshape(d_out, -1), grad.b[:, None]], axis=1).T.ravel()

    def Dh(bump):
        """𝒟h (P, d_out) where `bump` is added to h, affine in it: by loops over pixels."""
        output, seen, backwards = run(records, iter((*params[:l], (*params[l], bump[None]), *params[l + 1:])), x)
        backwards(output - y)
        return seen[l].g[0]

    H = np.array([gradient(moved(W_b, i, j)) - gradient(W_b) for j in range(columns) for i in range(d_out)])
    nothing = 0 * tape.h[l][0]
    P = len(a)
    G = np.array([[Dh(moved(nothing, s, i)) - Dh(nothing) for i in range(d_out)] for s in range(P)])       # G[s, i, t, k]
    right = sum(np.kron(np.outer(a[t], a[s]), G[s, :, t, :].T) for t in range(P) for s in range(P))
    assert H.tolist() == right.tolist()
    assert any(G[s, :, t, :].any() for t in range(P) for s in range(P) if s != t) or P == 1


def moved(array, *index):
    array = array.copy()
    array[index] += 1
    return array


def test_ties_go_to_the_first_pixel_of_a_window():
    """Row by row; overlapping windows each to their own first."""
    model = nets.cnn((1, 2, 3), (Conv2d(1, 1), MaxPool(2, 1), Flatten()), "mse")
    one = nets.Layer(cast(np.ones((1, 1, 1, 1)), "fraction"), cast(np.zeros(1), "fraction"))
    for pixels, first in [([[5, 5, 5], [5, 5, 5]], (0, 1)), ([[1, 2, 1], [2, 2, 2]], (1, 1)), ([[0, 0, 0], [3, 0, 3]], (3, 5)),
                          ([[1, 1, 4], [1, 4, 1]], (4, 2)), ([[1, 1, 4], [4, 4, 1]], (3, 2))]:
        x = cast(np.array([[pixels]], dtype=float), "fraction")
        y = cast(np.array([[-100.0, -1000.0]]), "fraction")
        tape = nets.forward(model, (one,), x)
        expected = [Fraction(0)] * 6
        for window, pixel in enumerate(first):
            expected[pixel] += tape.output[0, window] - y[0, window]
        assert nets.backward(model, (one,), tape, y).g[0].ravel().tolist() == expected


KINDS = ("float32", "float64", "fraction", "fmpq", "mpf")
FLAT = {
    "1 x 1 images": ((3, 1, 1), (Conv2d(4, 1), Act("relu"), Conv2d(2, 1), Flatten())),
    "kernel is the image": ((2, 3, 2), (Conv2d(4, (3, 2), padding="valid"), Act("relu"), Conv2d(2, 1), Flatten())),
}


@pytest.mark.parametrize("N", [1, 2, 7, 33])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["1 x 1 images", "kernel is the image"])
def test_with_one_position_convolution_is_dense_bit_for_bit(name, kind, N):
    shape, records = FLAT[name]
    rng = np.random.default_rng(N)
    model = nets.cnn(shape, records, "mse")
    dense = nets.mlp((prod(shape), 4, 2), ("relu", "linear"), "mse")
    params, x, y = cast((nets.init(model, 1), rng.standard_normal((N, *shape)), rng.standard_normal((N, 2))), kind)
    flat = tuple(nets.Layer(layer.W.reshape(len(layer.b), -1), layer.b) for layer in params)
    tape, tape_flat = nets.forward(model, params, x), nets.forward(dense, flat, x.reshape(N, -1))
    back, back_flat = nets.backward(model, params, tape, y), nets.backward(dense, flat, tape_flat, y)
    ours = [*tape.a, *tape.h, tape.output, *back.g, *(tensor.reshape(len(tensor), -1) for tensor in nets.tensors(back.grad))]
    theirs = [*tape_flat.a, *tape_flat.h, tape_flat.output, *back_flat.g,
              *(tensor.reshape(len(tensor), -1) for tensor in nets.tensors(back_flat.grad))]
    assert [array.shape for array in ours] == [array.shape for array in theirs]
    assert [array.tolist() for array in ours] == [array.tolist() for array in theirs]
    if kind.startswith("float"):
        assert [array.tobytes() for array in ours] == [array.tobytes() for array in theirs]
