"""Wrong programs: one realistic slip each, the kinds that public code has. The judge must PASS none of them.

A whole method is a dict of lines, evaluated in order for every tensor, and a slip replaces one of them; slips of memory and
of bookkeeping, and slips in procedures, are written out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial, reduce
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from correct_variants import batches_of, by_layer, second_moment, start, with_hyper
from gradients import D_PHI_OF_OUTPUT, PHI, activations, batched, mean_loss, penalized, per_example, residual
from stepgauge import verify
from stepgauge.reference.parts.descent import StepDecay

EXPOSED = {"sgd_m": ("g", "g_h"), "adam": ("g", "m", "v", "m_h", "v_h", "p"), "rmsprop": ("g", "m", "v", "p")}
STATE = {"sgd_m": ("g_h",), "adam": ("m", "v"), "rmsprop": ("m", "v")}


class Slip(NamedTuple):
    """A wrong candidate for `subject`.

    wrong        the quantities that do not follow from those shown before them, in order of computation; none where there is
                 no number to compare: the candidate raises, returns another shape, or overwrites its inputs.
    what         the slip, in a sentence.
    candidate    a method's takes (case, expose=names), a procedure's is the plain function.
    cases        the Cases of a method; None for a procedure, which is judged on all of its inputs.
    """

    subject: str
    wrong: tuple[str, ...]
    what: str
    candidate: Callable[..., Any]
    cases: Any = None

    def judged(self, *, parameters_only=False):
        """The report, with everything exposed or nothing but the parameters."""
        if self.cases is None:
            return verify.check(self.subject, self.candidate)
        expose = () if parameters_only else EXPOSED[self.subject]
        return verify.check(self.subject, partial(self.candidate, expose=expose), self.cases)


class Named(NamedTuple):
    """A published convention other than the paper's: no slip, if the judge says which it is.

    says    words of the explanation.
    """

    subject: str
    what: str
    says: str
    candidate: Callable[..., Any]
    cases: Any

    judged = Slip.judged


def short(cases, steps=2):
    """The first steps of cases: where a slip shows itself at all, it does so there."""
    return tuple(dataclasses.replace(case, batches=case.batches[:steps]) for case in cases)


def on(subject, *names, steps=2):
    """Short cases of the suite."""
    return short(verify.cases(subject, names), steps)


# Whole methods, line by line ---------------------------------------------------------------------------------------------

LINES = {
    "sgd_m": {
        "g_h": lambda o: o.beta * o.g_h + (1 - o.beta) * o.g,
        "theta": lambda o: o.theta - o.alpha * (o.g_h + o.gamma * o.theta),
    },
    "adam": {
        "m": lambda o: o.beta1 * o.m + (1 - o.beta1) * o.g,
        "v": lambda o: o.beta2 * o.v + (1 - o.beta2) * o.g**2,
        "m_h": lambda o: o.m / (1 - o.beta1**o.t),
        "v_h": lambda o: o.v / (1 - o.beta2**o.t),
        "p": lambda o: o.m_h / (np.sqrt(o.v_h) + o.eps),
        "theta": lambda o: o.theta - o.alpha * (o.p + o.gamma * o.theta),
    },
    "rmsprop": {
        "m": lambda o: o.beta1 * o.m + (1 - o.beta1) * o.g,
        "v": lambda o: o.beta2 * o.v + (1 - o.beta2) * o.g**2,
        "p": lambda o: o.m / (np.sqrt(o.v) + o.eps),
        "theta": lambda o: o.theta - o.alpha * (o.p + o.gamma * o.theta),
    },
}


def program(subject, case, expose=(), *, gradient=batched, v_0=second_moment, order=None, **slips):
    """A method from its lines, with some of them replaced.

    A line takes a record `o` of one tensor: the hyper-parameters, i which tensor, t which step, θ, the state, and whatever the
    lines before it left, in this step or (where they come later) in the step before. `gradient` takes (case, theta, batch).
    """
    lines = LINES[subject] | slips
    records = [SimpleNamespace(**case.hyper._asdict(), i=i, theta=t) for i, t in enumerate(start(case))]
    for o in records:
        for name in STATE[subject]:
            setattr(o, name, np.zeros_like(o.theta))
    if subject == "rmsprop":
        for o, v in zip(records, v_0(case, start(case)), strict=True):
            o.v = v
    for t, batch in enumerate(case.batches, start=1):
        for o, g in zip(records, gradient(case, [o.theta for o in records], batch), strict=True):
            o.t, o.g_old, o.g = t, getattr(o, "g", g), g
            for name in order or lines:
                setattr(o, name, lines[name](o))
        yield by_layer([o.theta for o in records]) | {name: [getattr(o, name) for o in records] for name in expose}


# Gradients with a slip ---------------------------------------------------------------------------------------------------


def scaled(factor):
    """The gradient times a factor of the batch and the case."""
    return lambda case, theta, batch: [g * factor(case, batch) for g in batched(case, theta, batch)]


def same_batch(case, theta, batch):
    """The first batch at every step."""
    return batched(case, theta, case.batches[0])


def nominal_batch_size(case, theta, batch):
    """Divided by the size of the first batch, where the last is shorter."""
    return [g * len(batch.x) / len(case.batches[0].x) for g in batched(case, theta, batch)]


def transposed_kernels(case, theta, batch):
    """Kernel gradients (d_in, d_out), reshaped where they should be transposed."""
    return [g.T.reshape(g.shape) for g in batched(case, theta, batch)]


def last_bias_missing(case, theta, batch):
    """No gradient for the last bias."""
    return [*batched(case, theta, batch)[:-1], np.zeros_like(theta[-1])]


def penalty_on_kernels_only(case, theta, batch):
    """ηθ for the kernels but not for the biases."""
    return [g - case.hyper.eta * t if t.ndim == 1 else g for g, t in zip(batched(case, theta, batch), theta, strict=True)]


def penalty_doubled(case, theta, batch):
    """The gradient of η‖θ‖² in place of η/2 ‖θ‖²."""
    return [g + case.hyper.eta * t for g, t in zip(batched(case, theta, batch), theta, strict=True)]


def penalty_forgotten(case, theta, batch):
    """The loss without its penalty."""
    return [g - case.hyper.eta * t for g, t in zip(batched(case, theta, batch), theta, strict=True)]


def backpropagated(d_phi=None, residual=residual, through=lambda Dh, W: Dh @ W):
    """Backpropagation with one of its three rules replaced."""
    d_phi = D_PHI_OF_OUTPUT | (d_phi or {})

    def gradient(case, theta, batch):
        names, a = activations(case), [batch.x]
        for name, W, b in zip(names, theta[0::2], theta[1::2], strict=True):
            a.append(PHI[name](a[-1] @ W.T + b))
        Da, found = residual(case, a[-1], batch.y), []
        for l in reversed(range(len(names))):
            Dh = Da * d_phi[names[l]](a[l + 1])
            found = [Dh.T @ a[l] / len(batch.x), Dh.mean(axis=0), *found]
            Da = through(Dh, theta[2 * l])
        return penalized(case, theta, found)

    return gradient


def softmax_of_softmax(case, output, y):
    """The softmax is taken of probabilities: it is in the network and in the loss."""
    if case.model.loss != "softmax_ce":
        return residual(case, output, y)
    e = np.exp(output - output.max(axis=1, keepdims=True))
    return residual(case, e / e.sum(axis=1, keepdims=True), y)


def decay_coupled(case, theta, batch):
    """γθ as part of the gradient."""
    return [g + case.hyper.gamma * t for g, t in zip(batched(case, theta, batch), theta, strict=True)]


def clipped(case, theta, batch):
    """Gradients clipped to a norm of 0.1, a setting left on."""
    g = batched(case, theta, batch)
    return [g_i * min(1, 0.1 / np.sqrt(sum((g_j**2).sum() for g_j in g))) for g_i in g]


def in_float32(case, theta, batch):
    """A gradient that passes through float32."""
    return [g.astype(np.float32).astype(g.dtype) for g in batched(case, theta, batch)]


def central_differences(case, theta, batch):
    """(f(θ + h) − f(θ − h)) / 2h with h = 1e-6: right to nine digits or so."""
    h = 1e-6
    gradient = [np.empty_like(t) for t in theta]
    for i, t in enumerate(theta):
        for index in np.ndindex(t.shape):
            up, down = [t.copy() for t in theta], [t.copy() for t in theta]
            up[i][index] += h
            down[i][index] -= h
            gradient[i][index] = (mean_loss(np, case, up, batch) - mean_loss(np, case, down, batch)) / (2 * h)
    return gradient


# Where RMSprop's v starts from -------------------------------------------------------------------------------------------


def v_0_zero(case, theta):
    """v starts from 0."""
    return [np.zeros_like(t) for t in theta]


def v_0_one(case, theta):
    """v starts from 1."""
    return [np.ones_like(t) for t in theta]


def v_0_of_first_batch(case, theta):
    """v starts from the first batch of the data only."""
    return [g**2 for g in batched(case, theta, batches_of(case.data)[0])]


def v_0_unweighted(case, theta):
    """Batches of different sizes count the same."""
    squares = [[g**2 for g in batched(case, theta, batch)] for batch in batches_of(case.data)]
    return [np.mean(np.stack(square), axis=0) for square in zip(*squares, strict=True)]


def v_0_square_of_mean(case, theta):
    """The square of the mean gradient, not the mean of squares."""
    batches = batches_of(case.data)
    total = sum(len(batch.x) for batch in batches)
    gradients = [[g * len(batch.x) / total for g in batched(case, theta, batch)] for batch in batches]
    return [sum(g) ** 2 for g in zip(*gradients, strict=True)]


# Slips of memory ---------------------------------------------------------------------------------------------------------


def one_buffer_for_both(case, expose=()):
    """`m = v = zeros`, updated in place: the two averages are one array."""
    h, theta = case.hyper, start(case)
    m = v = [np.zeros_like(t) for t in theta]
    for t, batch in enumerate(case.batches, start=1):
        for i, g in enumerate(batched(case, theta, batch)):
            m[i] *= h.beta1
            m[i] += (1 - h.beta1) * g
            v[i] *= h.beta2
            v[i] += (1 - h.beta2) * g**2
            theta[i] = theta[i] - h.alpha * (m[i] / (1 - h.beta1**t)) / (np.sqrt(np.abs(v[i]) / (1 - h.beta2**t)) + h.eps)
        state = {"m": m, "v": v}
        yield by_layer(theta) | {name: state[name] for name in expose if name in state}


def corrected_in_place(case, expose=()):
    """`m_h = m; m_h /= 1 − β₁ᵗ` writes into m itself."""
    h, theta = case.hyper, start(case)
    m, v = [np.zeros_like(t) for t in theta], [np.zeros_like(t) for t in theta]
    for t, batch in enumerate(case.batches, start=1):
        for i, g in enumerate(batched(case, theta, batch)):
            m[i] = h.beta1 * m[i] + (1 - h.beta1) * g
            v[i] = h.beta2 * v[i] + (1 - h.beta2) * g**2
            m_h = m[i]
            m_h /= 1 - h.beta1**t
            theta[i] = theta[i] - h.alpha * m_h / (np.sqrt(v[i] / (1 - h.beta2**t)) + h.eps)
        state = {"m": m, "v": v}
        yield by_layer(theta) | {name: state[name] for name in expose if name in state}


def one_buffer_for_all_biases(case, expose=()):
    """`[zeros] * L`: all biases share one momentum buffer."""
    h, theta = case.hyper, start(case)
    width = max(t.size for t in theta)
    memory = np.zeros(width)
    g_h = [memory[: t.size].reshape(t.shape) if t.ndim == 1 else np.zeros_like(t) for t in theta]
    for batch in case.batches:
        for i, g in enumerate(batched(case, theta, batch)):
            g_h[i] *= h.beta
            g_h[i] += (1 - h.beta) * g
            theta[i] = theta[i] - h.alpha * g_h[i]
        yield by_layer(theta) | {name: g_h for name in expose if name == "g_h"}


def squares_of_examples(case, expose=()):
    """v averages the mean over examples of g², the empirical Fisher's diagonal, not the square of the mean."""
    squares = []

    def gradient(case, theta, batch):
        squares[:] = [np.mean(np.stack(g) ** 2, axis=0) for g in zip(*per_example(case, theta, batch), strict=True)]
        return batched(case, theta, batch)

    return program("adam", case, expose, gradient=gradient, v=lambda o: o.beta2 * o.v + (1 - o.beta2) * squares[o.i])


def writes_to_the_case(case, expose=()):
    """The right numbers, computed into the case's own parameters."""
    theta = [tensor for layer in case.params for tensor in layer]
    g_h = [np.zeros_like(t) for t in theta]
    for batch in case.batches:
        for t, a, g in zip(theta, g_h, batched(case, theta, batch), strict=True):
            a *= case.hyper.beta
            a += (1 - case.hyper.beta) * g
            t -= case.hyper.alpha * a
        yield by_layer(theta)


def stale_iterate(case, expose=()):
    """The gradient is taken at the iterate before."""
    iterates = []

    def gradient(case, theta, batch):
        iterates.append(theta)
        return batched(case, iterates[max(0, len(iterates) - 2)], batch)

    return program("sgd_m", case, expose, gradient=gradient)


SLIPS: list[Slip] = []


def written_out(subject, wrong, candidate):
    """List a slip of memory, described by its docstring."""
    SLIPS.append(Slip(subject, tuple(wrong.split()), candidate.__doc__, candidate, on(subject, "plain", "labels")))


def line(subject, wrong, what, cases=None, **replaced):
    """List a method with some of its lines replaced."""
    SLIPS.append(Slip(subject, tuple(wrong.split()), what, partial(program, subject, **replaced),
                      cases or on(subject, "plain", "labels")))


def gradient(function, what=None, cases=None):
    """List SGD with a wrong gradient."""
    line("sgd_m", "g", what or function.__doc__, cases, gradient=function)


gradient(scaled(lambda case, batch: len(batch.x)), "a sum over examples in place of the mean: N times too large")
gradient(scaled(lambda case, batch: len(batch.x) ** 0.5), "√N times too large")
gradient(scaled(lambda case, batch: len(batch.x) / (len(batch.x) - 1)), "N − 1 for N")
gradient(scaled(lambda case, batch: 1 / case.model.layers[-2].width), "a mean over outputs as well")
gradient(scaled(lambda case, batch: 2), "the loss without its factor 1/2")
gradient(scaled(lambda case, batch: 1 + 1e-6), "off in the sixth digit")
gradient(scaled(lambda case, batch: 1 + 1e-12), "off in the twelfth digit")
gradient(nominal_batch_size, cases=on("sgd_m", "labels"))
gradient(same_batch)
gradient(transposed_kernels)
gradient(last_bias_missing)
gradient(clipped)
gradient(in_float32)
gradient(central_differences)
gradient(penalty_on_kernels_only, cases=on("sgd_m", "penalty"))
gradient(penalty_doubled, cases=on("sgd_m", "penalty"))
gradient(penalty_forgotten, cases=on("sgd_m", "penalty"))
gradient(backpropagated({"relu": np.ones_like, "tanh": np.ones_like}), "no activation's derivative")
gradient(backpropagated({"tanh": lambda a: 1 - a}), "tanh′ = 1 − tanh")
gradient(backpropagated({"logistic": lambda a: a * (1 + a)}), "logistic′ = σ(1 + σ)")
gradient(backpropagated({"elu": lambda a: np.where(a > 0, 1, a)}), "elu′ without its 1 on the left",
         on("sgd_m", "probabilities"))
gradient(backpropagated({"relu": lambda a: np.where(a > 0, 1, 0.01)}), "a leaky ReLU's derivative",
         on("sgd_m", "plain", "dead"))
gradient(backpropagated(residual=softmax_of_softmax), softmax_of_softmax.__doc__, on("sgd_m", "labels", "dead"))
gradient(backpropagated(through=lambda Dh, W: np.zeros((len(Dh), W.shape[1]))), "nothing reaches the first layers")
gradient(backpropagated(through=lambda Dh, W: Dh @ W * (1 + 1e-9)), "the first layers off in the ninth digit")

sgd = partial(line, "sgd_m")
sgd("g_h", "β and 1 − β exchanged", g_h=lambda o: (1 - o.beta) * o.g_h + o.beta * o.g)
sgd("g_h", "β off in the sixth digit", g_h=lambda o: (o.beta + 1e-6) * o.g_h + (1 - o.beta) * o.g)
sgd("g_h", "β rounded to float32", g_h=lambda o: float(np.float32(o.beta)) * o.g_h + (1 - o.beta) * o.g)
sgd("g_h", "the default β = 0.9 hard-coded", g_h=lambda o: 0.9 * o.g_h + (1 - 0.9) * o.g)
sgd("g_h", "momentum forgets at every step", g_h=lambda o: (1 - o.beta) * o.g)
sgd("g_h", "momentum reset at step 3", on("sgd_m", "plain", steps=3),
    g_h=lambda o: o.beta * (o.g_h if o.t != 3 else 0) + (1 - o.beta) * o.g)
sgd("g_h", "the gradient before enters the average", g_h=lambda o: o.beta * o.g_h + (1 - o.beta) * o.g_old)
sgd("g_h", "momentum on kernels only", g_h=lambda o: o.beta * o.g_h + (1 - o.beta) * o.g if o.theta.ndim > 1 else o.g)
sgd("g_h", "bias-corrected momentum",
    g_h=lambda o: (o.beta * o.g_h * (1 - o.beta ** (o.t - 1)) + (1 - o.beta) * o.g) / (1 - o.beta**o.t))
sgd("theta", "the step goes up", theta=lambda o: o.theta + o.alpha * o.g_h)
sgd("theta", "parameters first, momentum after", order=("theta", "g_h"))
sgd("theta", "the step along g, momentum kept in vain", theta=lambda o: o.theta - o.alpha * o.g)
sgd("theta", "Nesterov's step", theta=lambda o: o.theta - o.alpha * (o.beta * o.g_h + (1 - o.beta) * o.g))
sgd("theta", "biases are never updated", theta=lambda o: o.theta - o.alpha * o.g_h * (o.theta.ndim > 1))
sgd("theta", "the second layer is never updated", theta=lambda o: o.theta - o.alpha * o.g_h * (o.i < 2))
sgd("theta", "the last bias is never updated", on("sgd_m", "plain"), theta=lambda o: o.theta - o.alpha * o.g_h * (o.i < 3))
sgd("theta", "the learning rate divided by √t", theta=lambda o: o.theta - o.alpha * o.g_h / o.t**0.5)
sgd("theta", "the learning rate rounded to float32", theta=lambda o: o.theta - float(np.float32(o.alpha)) * o.g_h)
sgd("theta", "parameters kept in float32", theta=lambda o: (o.theta - o.alpha * o.g_h).astype(np.float32).astype(float))
sgd("g theta", "the penalty decoupled: ηθ joins the step, not the gradient", on("sgd_m", "penalty"),
    gradient=penalty_forgotten, theta=lambda o: o.theta - o.alpha * (o.g_h + o.eta * o.theta))
sgd("g theta", "decoupled decay made part of the gradient", short(with_hyper("sgd_m", "plain", gamma=0.25)),
    gradient=decay_coupled, theta=lambda o: o.theta - o.alpha * o.g_h)
sgd("theta", "decoupled decay forgotten", short(with_hyper("sgd_m", "plain", gamma=0.25)),
    theta=lambda o: o.theta - o.alpha * o.g_h)
sgd("theta", "decoupled decay not multiplied by α", short(with_hyper("sgd_m", "labels", gamma=0.05)),
    theta=lambda o: o.theta - o.alpha * o.g_h - o.gamma * o.theta)
sgd("theta", "decay after the step, of the new parameters", short(with_hyper("sgd_m", "labels", gamma=0.05)),
    theta=lambda o: (o.theta - o.alpha * o.g_h) * (1 - o.alpha * o.gamma))
sgd("theta", "the schedule falls one step early", short(with_hyper("sgd_m", "plain", alpha=StepDecay(0.3, 0.5, 2))),
    theta=lambda o: o.theta - o.alpha.alpha * o.alpha.factor ** (o.t // o.alpha.period) * o.g_h)
written_out("sgd_m", "g", stale_iterate)
written_out("sgd_m", "g_h theta", one_buffer_for_all_biases)
written_out("sgd_m", "", writes_to_the_case)

adam = partial(line, "adam")
adam("g", "the gradient of −loss", gradient=scaled(lambda case, batch: -1))
adam("g theta", "decay coupled: γθ is part of g", short(with_hyper("adam", "labels", gamma=0.5)),
     gradient=decay_coupled, theta=lambda o: o.theta - o.alpha * o.p)
adam("m", "β₁ and 1 − β₁ exchanged", m=lambda o: (1 - o.beta1) * o.m + o.beta1 * o.g)
adam("m", "1 − β₁ forgotten", m=lambda o: o.beta1 * o.m + o.g)
adam("m", "β₂ for β₁", m=lambda o: o.beta2 * o.m + (1 - o.beta2) * o.g)
adam("m", "β₁ off in the sixth digit", m=lambda o: (o.beta1 - 1e-6) * o.m + (1 - o.beta1) * o.g)
adam("m", "β₁ decays with t", m=lambda o: o.beta1**o.t * o.m + (1 - o.beta1**o.t) * o.g)
written_out("adam", "m v theta", one_buffer_for_both)
written_out("adam", "m theta", corrected_in_place)
adam("v", "squares the momentum", v=lambda o: o.beta2 * o.v + (1 - o.beta2) * o.m**2)
adam("v", "not squared", v=lambda o: o.beta2 * o.v + (1 - o.beta2) * np.abs(o.g))
adam("v", "one number a tensor: the mean of g²", v=lambda o: o.beta2 * o.v + (1 - o.beta2) * (o.g**2).mean())
adam("v", "one number a tensor: (mean g)²", v=lambda o: o.beta2 * o.v + (1 - o.beta2) * o.g.mean() ** 2)
written_out("adam", "v", squares_of_examples)
adam("v", "β₁ for β₂", v=lambda o: o.beta1 * o.v + (1 - o.beta1) * o.g**2)
adam("v", "β₂ off in the sixth digit", v=lambda o: (o.beta2 - 1e-6) * o.v + (1 - o.beta2) * o.g**2)
adam("v", "1 − β₂ forgotten", v=lambda o: o.beta2 * o.v + o.g**2)
adam("v", "the gradient before is squared", v=lambda o: o.beta2 * o.v + (1 - o.beta2) * o.g_old**2)
adam("v", "the product of two successive gradients", v=lambda o: o.beta2 * o.v + (1 - o.beta2) * np.abs(o.g * o.g_old))
adam("v", "a maximum in place of the average", v=lambda o: np.maximum(o.beta2 * o.v, o.g**2))
adam("v", "centred: (g − m)²", v=lambda o: o.beta2 * o.v + (1 - o.beta2) * (o.g - o.m) ** 2)
adam("v", "ε added into the average", v=lambda o: o.beta2 * o.v + (1 - o.beta2) * o.g**2 + o.eps)
adam("m_h", "no bias correction of m", m_h=lambda o: o.m)
adam("m_h v_h", "t one too large", m_h=lambda o: o.m / (1 - o.beta1 ** (o.t + 1)), v_h=lambda o: o.v / (1 - o.beta2 ** (o.t + 1)))
adam("m_h", "1 − β₁ without its power", m_h=lambda o: o.m / (1 - o.beta1))
adam("m_h", "multiplied by the correction", m_h=lambda o: o.m * (1 - o.beta1**o.t))
adam("v_h", "no bias correction of v", v_h=lambda o: o.v)
adam("v_h", "β₁ in the correction of v", v_h=lambda o: o.v / (1 - o.beta1**o.t))
adam("v_h", "t counts tensors: it grows inside the loop over them", v_h=lambda o: o.v / (1 - o.beta2 ** (o.t + o.i)))
adam("v_h", "v̂ never falls (AMSGrad)", v_h=lambda o: np.maximum(o.v / (1 - o.beta2**o.t), getattr(o, "v_h", 0)))
adam("p", "ε² inside the root", p=lambda o: o.m_h / np.sqrt(o.v_h + o.eps**2))
adam("p", "ε forgotten", p=lambda o: o.m_h / np.where(o.v_h > 0, np.sqrt(o.v_h), 1))
adam("p", "ε = 1e-8 whatever was asked", p=lambda o: o.m_h / (np.sqrt(o.v_h) + 1e-8))
adam("p", "ε as a floor: max(√v̂, ε)", p=lambda o: o.m_h / np.maximum(np.sqrt(o.v_h), o.eps))
adam("p", "no root", p=lambda o: o.m_h / (o.v_h + o.eps))
adam("p", "g for m̂", p=lambda o: o.g / (np.sqrt(o.v_h) + o.eps))
adam("p", "m for m̂", p=lambda o: o.m / (np.sqrt(o.v_h) + o.eps))
adam("p", "Nesterov's m̂ (NAdam)",
     p=lambda o: (o.beta1 * o.m_h + (1 - o.beta1) * o.g / (1 - o.beta1**o.t)) / (np.sqrt(o.v_h) + o.eps))
adam("p", "v̂ of the step before", order=("m", "v", "m_h", "p", "v_h", "theta"),
     p=lambda o: o.m_h / (np.sqrt(getattr(o, "v_h", o.g**2)) + o.eps))
adam("theta", "the step goes up", theta=lambda o: o.theta + o.alpha * o.p)
adam("theta", "α doubled on biases", theta=lambda o: o.theta - (2 - (o.theta.ndim > 1)) * o.alpha * o.p)
adam("theta", "the rate decays as 1/√t", theta=lambda o: o.theta - o.alpha / o.t**0.5 * o.p)
adam("theta", "entries with a small p are skipped", theta=lambda o: o.theta - o.alpha * np.where(np.abs(o.p) > 0.5, o.p, 0))
adam("theta", "the decay is divided by √v̂ + ε as well", short(with_hyper("adam", "labels", gamma=0.5)),
     theta=lambda o: o.theta - o.alpha * (o.p + o.gamma * o.theta / (np.sqrt(o.v_h) + o.eps)))

rmsprop = partial(line, "rmsprop")
rmsprop("v", v_0_of_first_batch.__doc__, v_0=v_0_of_first_batch)
rmsprop("v", v_0_unweighted.__doc__, on("rmsprop", "plain"), v_0=v_0_unweighted)
rmsprop("v", v_0_square_of_mean.__doc__, v_0=v_0_square_of_mean)
rmsprop("v", "centred: g² − m², cut at 0", v=lambda o: o.beta2 * o.v + (1 - o.beta2) * (o.g**2 - o.m**2).clip(0))
rmsprop("v", "β₂ and 1 − β₂ exchanged", v=lambda o: (1 - o.beta2) * o.v + o.beta2 * o.g**2)
rmsprop("m p", "momentum after preconditioning", order=("v", "m", "p", "theta"),
        m=lambda o: o.beta1 * o.m + (1 - o.beta1) * o.g / (np.sqrt(o.v) + o.eps), p=lambda o: o.m)
rmsprop("p", "v of the step before", order=("m", "p", "v", "theta"))
rmsprop("p", "with Adam's bias corrections",
        p=lambda o: o.m / (1 - o.beta1**o.t) / (np.sqrt(o.v / (1 - o.beta2**o.t)) + o.eps))
rmsprop("p", "ε twice", p=lambda o: o.m / (np.sqrt(o.v + o.eps) + o.eps))
rmsprop("p", "a fourth root", p=lambda o: o.m / (o.v**0.25 + o.eps))
rmsprop("theta", "kernels only", theta=lambda o: o.theta - o.alpha * o.p * (o.theta.ndim > 1))
rmsprop("theta", "the step twice", theta=lambda o: o.theta - 2 * o.alpha * o.p)

NAMED = [Named(subject, what, says, partial(program, subject, **replaced), cases) for subject, what, says, cases, replaced in (
    ("sgd_m", "heavy ball where the average is asked for", "heavy ball", on("sgd_m", "plain", "labels"),
     {"g_h": lambda o: o.beta * o.g_h + o.g}),
    ("sgd_m", "the average where heavy ball is asked for", "exponential moving average",
     short(with_hyper("sgd_m", "plain", momentum="heavy_ball")), {}),
    ("sgd_m", "`buffer = g` at the first step, where the average has (1 − β)g: a library's dampening", "from the first gradient",
     on("sgd_m", "plain", "labels"), {"g_h": lambda o: o.g if o.t == 1 else o.beta * o.g_h + (1 - o.beta) * o.g}),
    ("adam", "ε inside the root", "inside the root", on("adam", "plain", "labels"),
     {"p": lambda o: o.m_h / np.sqrt(o.v_h + o.eps)}),
    ("adam", "ε before the bias correction", "before the bias correction", on("adam", "plain", "labels"),
     {"p": lambda o: o.m_h / ((np.sqrt(o.v) + o.eps) / np.sqrt(1 - o.beta2**o.t))}),
    ("rmsprop", "v starts from 0", "zeros", on("rmsprop", "plain", "labels"), {"v_0": v_0_zero}),
    ("rmsprop", "v starts from 1", "ones", on("rmsprop", "plain", "labels"), {"v_0": v_0_one}),
    ("rmsprop", "no average of the gradient", "β₁ = 0", on("rmsprop", "plain", "labels"), {"m": lambda o: o.g}),
    ("rmsprop", "no average of the gradient, and ε inside the root", "β₁ = 0", on("rmsprop", "plain", "labels"),
     {"m": lambda o: o.g, "p": lambda o: o.m / np.sqrt(o.v + o.eps)}),
)]

# Procedures --------------------------------------------------------------------------------------------------------------


def slip(subject, wrong):
    """Register a procedure with a slip, described by its docstring."""
    def register(candidate):
        SLIPS.append(Slip(subject, tuple(wrong.split()), candidate.__doc__, candidate))
        return candidate

    return register


def theta_of(sy, c, mu):
    """The weight of Powell's damping."""
    return (1 - mu) * c / (c - sy) if sy < mu * c else 1.0


def mix(theta, here, there):
    """θ here + (1 − θ) there."""
    return theta * here + (1 - theta) * there


@slip("damping.powell_on_B", "y_t")
def on_B_towards_s(s, y, B, *, mu):
    """y moves towards s in place of Bs."""
    return s, mix(theta_of(s @ y, s @ B @ s, mu), y, s)


@slip("damping.powell_on_B", "y_t")
def on_B_weights_swapped(s, y, B, *, mu):
    """θ and 1 − θ exchanged."""
    return s, mix(theta_of(s @ y, s @ B @ s, mu), B @ s, y) if s @ y < mu * (s @ B @ s) else y


@slip("damping.powell_on_B", "y_t")
def on_B_test_swapped(s, y, B, *, mu):
    """The test compares μsᵀy with sᵀBs."""
    Bs = B @ s
    theta = (1 - mu) * (s @ Bs) / (s @ Bs - s @ y) if mu * (s @ y) < s @ Bs and s @ Bs != s @ y else 1.0
    return s, mix(theta, y, Bs)


@slip("damping.powell_on_B", "y_t")
def on_B_never_damped(s, y, B, *, mu):
    """Damped only where sᵀy < 0."""
    return s, mix(theta_of(s @ y, s @ B @ s, mu) if s @ y < 0 else 1.0, y, B @ s)


@slip("damping.powell_on_B", "s_t")
def on_B_overwrites_s(s, y, B, *, mu):
    """Right, but returns Bs in the place of s."""
    return B @ s, mix(theta_of(s @ y, s @ B @ s, mu), y, B @ s)


@slip("damping.powell_on_H", "s_t y_t")
def on_H_moves_y(s, y, H, *, mu):
    """The vector that must stay is moved: y towards Hy."""
    return s, mix(theta_of(s @ y, y @ H @ y, mu), y, H @ y)


@slip("damping.powell_on_H", "y_t")
def on_H_moves_both(s, y, H, *, mu):
    """s̃ is right, and y is moved towards s̃ as well."""
    s_t = mix(theta_of(s @ y, y @ H @ y, mu), s, H @ y)
    return s_t, mix(0.9, y, s_t)


@slip("damping.powell_on_H", "s_t")
def on_H_without_H(s, y, H, *, mu):
    """The curvature is yᵀy in place of yᵀHy."""
    return mix(theta_of(s @ y, y @ y, mu), s, H @ y), y


@slip("damping.powell_on_H", "s_t")
def on_H_hidden_eps(s, y, H, *, mu):
    """1e-8 added to the denominator, to be safe."""
    sy, yHy = s @ y, y @ H @ y
    return mix((1 - mu) * yHy / (yHy - sy + 1e-8) if sy < mu * yHy else 1.0, s, H @ y), y


@slip("damping.powell_on_H", "")
def on_H_border(s, y, H, *, mu):
    """≤ for <, which divides 0 by 0 at y = 0."""
    sy, yHy = float(s @ y), float(y @ H @ y)
    return mix((1 - mu) * yHy / (yHy - sy) if sy <= mu * yHy else 1.0, s, H @ y), y


@slip("damping.powell_identity", "y_t")
def identity_curvature_of_y(s, y, *, mu):
    """yᵀy in place of sᵀs."""
    return s, mix(theta_of(s @ y, y @ y, mu), y, s)


@slip("damping.powell_identity", "y_t")
def identity_towards_mu_s(s, y, *, mu):
    """y moves towards μs."""
    return s, mix(theta_of(s @ y, s @ s, mu), y, mu * s)


@slip("damping.powell_identity", "y_t")
def identity_threshold(s, y, *, mu):
    """sᵀy is compared with μ alone."""
    return s, mix((1 - mu) * (s @ s) / (s @ s - s @ y) if s @ y < mu and s @ y < s @ s else 1.0, y, s)


@slip("damping.powell_identity", "y_t")
def identity_clamped(s, y, *, mu):
    """θ kept above 1/2."""
    return s, mix(max(0.5, theta_of(s @ y, s @ s, mu)), y, s)


@slip("damping.double_damping", "s_t")
def double_wrong_sign(s, y, H, *, mu1, mu2):
    """s̃ = θ₁s − (1 − θ₁)Hy."""
    s_t = mix(theta_of(s @ y, y @ H @ y, mu1), s, -H @ y)
    return s_t, mix(theta_of(s_t @ y, s_t @ s_t, mu2), y, s_t)


@slip("damping.double_damping", "s_t y_t")
def double_mus_swapped(s, y, H, *, mu1, mu2):
    """μ₁ and μ₂ exchanged."""
    s_t = mix(theta_of(s @ y, y @ H @ y, mu2), s, H @ y)
    return s_t, mix(theta_of(s_t @ y, s_t @ s_t, mu1), y, s_t)


@slip("damping.double_damping", "y_t")
def double_stale_s(s, y, H, *, mu1, mu2):
    """θ₂ computed from the undamped s."""
    s_t = mix(theta_of(s @ y, y @ H @ y, mu1), s, H @ y)
    return s_t, mix(theta_of(s @ y, s @ s, mu2), y, s_t)


@slip("damping.double_damping", "y_t")
def double_stale_curvature(s, y, H, *, mu1, mu2):
    """sᵀy is not computed again after s has moved."""
    sy = s @ y
    s_t = mix(theta_of(sy, y @ H @ y, mu1), s, H @ y)
    return s_t, mix(theta_of(sy, s_t @ s_t, mu2), y, s_t)


@slip("damping.double_damping", "y_t")
def double_towards_undamped(s, y, H, *, mu1, mu2):
    """y moves towards the undamped s."""
    s_t = mix(theta_of(s @ y, y @ H @ y, mu1), s, H @ y)
    return s_t, mix(theta_of(s_t @ y, s_t @ s_t, mu2), y, s)


@slip("damping.double_damping", "y_t")
def double_only_once(s, y, H, *, mu1, mu2):
    """The second damping is left out."""
    return mix(theta_of(s @ y, y @ H @ y, mu1), s, H @ y), y


@slip("damping.double_damping", "s_t y_t")
def double_other_order(s, y, H, *, mu1, mu2):
    """B = I first, H second."""
    y_t = mix(theta_of(s @ y, s @ s, mu2), y, s)
    return mix(theta_of(s @ y_t, y_t @ H @ y_t, mu1), s, H @ y_t), y_t


@slip("damping.double_damping", "s_t")
def double_default_mu1(s, y, H, *, mu1, mu2):
    """μ₁ = 0.2 whatever was asked."""
    s_t = mix(theta_of(s @ y, y @ H @ y, 0.2), s, H @ y)
    return s_t, mix(theta_of(s_t @ y, s_t @ s_t, mu2), y, s_t)


@slip("damping.double_damping", "y_t")
def double_hidden_eps(s, y, H, *, mu1, mu2):
    """1e-10 added to the second denominator."""
    s_t = mix(theta_of(s @ y, y @ H @ y, mu1), s, H @ y)
    ss, sy = s_t @ s_t, s_t @ y
    return s_t, mix((1 - mu2) * ss / (ss - sy + 1e-10) if sy < mu2 * ss else 1.0, y, s_t)


@slip("damping.powell_identity", "y_t")
def identity_capped(s, y, *, mu):
    """θ is kept above 1/20."""
    return s, mix(max(theta_of(s @ y, s @ s, mu), 0.05), y, s)


@slip("damping.powell_on_H", "s_t")
def powell_on_H_default_mu(s, y, H, *, mu):
    """μ = 0.25 whatever was asked."""
    return mix(theta_of(s @ y, y @ H @ y, 0.25), s, H @ y), y


@slip("quasi_newton.broyden_H", "result")
def broyden_half(H, s, y, *, phi):
    """φ = 1/4 whatever was asked."""
    Hy = H @ y
    h = s / (s @ y) - Hy / (y @ Hy)
    return H - np.outer(Hy, Hy) / (y @ Hy) + np.outer(s, s) / (s @ y) + 0.25 * (y @ Hy) * np.outer(h, h)


@slip("quasi_newton.bfgs_H", "result")
def bfgs_guarded(H, s, y):
    """The pair is passed over where the cosine of s and y is below 1/10."""
    if s @ y < 0.1 * np.sqrt((s @ s) * (y @ y)):
        return np.array(H)
    V = np.eye(len(s), dtype=H.dtype) - np.outer(s, y) / (s @ y)
    return V @ H @ V.T + np.outer(s, s) / (s @ y)


@slip("damping.dp_dlm", "y_t")
def dlm_undamped_s(s, y, H, *, mu1, mu2):
    """ỹ = y + μ₂s with the undamped s."""
    return mix(theta_of(s @ y, y @ H @ y, mu1), s, H @ y), y + mu2 * s


@slip("damping.dp_dlm", "y_t")
def dlm_wrong_mu(s, y, H, *, mu1, mu2):
    """ỹ = y + μ₁s̃."""
    s_t = mix(theta_of(s @ y, y @ H @ y, mu1), s, H @ y)
    return s_t, y + mu1 * s_t


@slip("damping.dp_dlm", "y_t")
def dlm_scales_y(s, y, H, *, mu1, mu2):
    """ỹ = (1 + μ₂)y: the damping is applied to the wrong vector."""
    return mix(theta_of(s @ y, y @ H @ y, mu1), s, H @ y), y + mu2 * y


@slip("damping.dp_dlm", "s_t y_t")
def dlm_other_order(s, y, H, *, mu1, mu2):
    """Levenberg-Marquardt damping first, Powell's second."""
    y_t = y + mu2 * s
    return mix(theta_of(s @ y_t, y_t @ H @ y_t, mu1), s, H @ y_t), y_t


@slip("damping.dpi_dlm", "s_t")
def dpi_multiplied(s, y, *, mu1, mu2):
    """H = μ₂I in place of I/μ₂."""
    s_t = mix(theta_of(s @ y, mu2 * (y @ y), mu1), s, mu2 * y)
    return s_t, y + mu2 * s_t


@slip("damping.dpi_dlm", "s_t")
def dpi_identity(s, y, *, mu1, mu2):
    """H = I."""
    s_t = mix(theta_of(s @ y, y @ y, mu1), s, y)
    return s_t, y + mu2 * s_t


@slip("damping.dpi_dlm", "y_t")
def dpi_without_mu2(s, y, *, mu1, mu2):
    """ỹ = y + s̃."""
    s_t = mix(theta_of(s @ y, y @ y / mu2, mu1), s, y / mu2)
    return s_t, y + s_t


@slip("quasi_newton.bfgs_H", "result")
def bfgs_vectors_exchanged(H, s, y):
    """(I − ρysᵀ) H (I − ρsyᵀ): s and y exchanged in the projections."""
    rho, eye = 1 / (s @ y), np.eye(len(s))
    return (eye - rho * np.outer(y, s)) @ H @ (eye - rho * np.outer(s, y)) + rho * np.outer(s, s)


@slip("quasi_newton.bfgs_H", "result")
def bfgs_without_ss(H, s, y):
    """ρssᵀ forgotten."""
    V = np.eye(len(s)) - np.outer(s, y) / (s @ y)
    return V @ H @ V.T


@slip("quasi_newton.bfgs_H", "result")
def bfgs_hidden_eps(H, s, y):
    """ρ = 1/(sᵀy + 1e-8)."""
    rho, eye = 1 / (s @ y + 1e-8), np.eye(len(s))
    return (eye - rho * np.outer(s, y)) @ H @ (eye - rho * np.outer(y, s)) + rho * np.outer(s, s)


@slip("quasi_newton.bfgs_H", "result")
def bfgs_wrong_rho(H, s, y):
    """ρ = 1/yᵀy in the last term."""
    V = np.eye(len(s)) - np.outer(s, y) / (s @ y)
    return V @ H @ V.T + np.outer(s, s) / (y @ y)


@slip("quasi_newton.bfgs_H", "result")
def bfgs_wrong_sign(H, s, y):
    """H + ρs(Hy)ᵀ + ρ(Hy)sᵀ: the sign inside."""
    rho, Hy = 1 / (s @ y), H @ y
    return H + rho * (np.outer(s, Hy) + np.outer(Hy, s)) + rho * (1 + rho * (y @ Hy)) * np.outer(s, s)


@slip("quasi_newton.bfgs_H", "result")
def bfgs_one_forgotten(H, s, y):
    """1 + ρyᵀHy without its 1."""
    rho, Hy = 1 / (s @ y), H @ y
    return H - rho * (np.outer(s, Hy) + np.outer(Hy, s)) + rho * rho * (y @ Hy) * np.outer(s, s)


@slip("quasi_newton.bfgs_H", "result")
def bfgs_one_sided(H, s, y):
    """2s(Hy)ᵀ for s(Hy)ᵀ + (Hy)sᵀ: no longer symmetric."""
    rho, Hy = 1 / (s @ y), H @ y
    return H - 2 * rho * np.outer(s, Hy) + rho * (1 + rho * (y @ Hy)) * np.outer(s, s)


@slip("quasi_newton.bfgs_H", "result")
def bfgs_of_B(H, s, y):
    """The update of B, applied to H."""
    Hs = H @ s
    return H - np.outer(Hs, Hs) / (s @ Hs) + np.outer(y, y) / (s @ y)


@slip("quasi_newton.bfgs_H", "")
def bfgs_in_place(H, s, y):
    """Right, but H itself is overwritten."""
    rho, Hy = 1 / (s @ y), H @ y
    H += rho * (1 + rho * (y @ Hy)) * np.outer(s, s) - rho * (np.outer(s, Hy) + np.outer(Hy, s))
    return H


@slip("quasi_newton.bfgs_B", "result")
def bfgs_B_wrong_sign(B, s, y):
    """Both rank-one terms added."""
    Bs = B @ s
    return B + np.outer(Bs, Bs) / (s @ Bs) + np.outer(y, y) / (s @ y)


@slip("quasi_newton.bfgs_B", "result")
def bfgs_B_denominator(B, s, y):
    """sᵀs for sᵀBs."""
    Bs = B @ s
    return B - np.outer(Bs, Bs) / (s @ s) + np.outer(y, y) / (s @ y)


@slip("quasi_newton.bfgs_B", "result")
def bfgs_B_yy(B, s, y):
    """yyᵀ/yᵀy for yyᵀ/sᵀy."""
    Bs = B @ s
    return B - np.outer(Bs, Bs) / (s @ Bs) + np.outer(y, y) / (y @ y)


@slip("quasi_newton.dfp_H", "result")
def dfp_as_bfgs(H, s, y):
    """BFGS."""
    V = np.eye(len(s)) - np.outer(s, y) / (s @ y)
    return V @ H @ V.T + np.outer(s, s) / (s @ y)


@slip("quasi_newton.dfp_H", "result")
def dfp_one_denominator(H, s, y):
    """sᵀy under both terms."""
    Hy = H @ y
    return H - np.outer(Hy, Hy) / (s @ y) + np.outer(s, s) / (s @ y)


def dfp(H, s, y):
    """DFP, rightly."""
    Hy = H @ y
    return H - np.outer(Hy, Hy) / (y @ Hy) + np.outer(s, s) / (s @ y)


@slip("quasi_newton.broyden_H", "result")
def broyden_other_end(H, s, y, *, phi):
    """1 − φ for φ."""
    h = s / (s @ y) - H @ y / (y @ H @ y)
    return dfp(H, s, y) + (1 - phi) * (y @ H @ y) * np.outer(h, h)


@slip("quasi_newton.broyden_H", "result")
def broyden_without_factor(H, s, y, *, phi):
    """φhhᵀ without yᵀHy."""
    h = s / (s @ y) - H @ y / (y @ H @ y)
    return dfp(H, s, y) + phi * np.outer(h, h)


@slip("quasi_newton.broyden_H", "result")
def broyden_one_denominator(H, s, y, *, phi):
    """h = ρs − ρHy."""
    h = (s - H @ y) / (s @ y)
    return dfp(H, s, y) + phi * (y @ H @ y) * np.outer(h, h)


@slip("quasi_newton.broyden_H", "result")
def broyden_all_or_nothing(H, s, y, *, phi):
    """`if phi:` for a factor φ: right at 0 and at 1."""
    h = s / (s @ y) - H @ y / (y @ H @ y)
    return dfp(H, s, y) + ((y @ H @ y) * np.outer(h, h) if phi else 0)


@slip("quasi_newton.hessian_action_pair", "y")
def action_of_a(H, a, A):
    """y = Aa."""
    return H @ a, A @ a


@slip("quasi_newton.hessian_action_pair", "s y")
def action_exchanged(H, a, A):
    """s and y exchanged, as one printing has them."""
    return A @ (H @ a), H @ a


@slip("quasi_newton.hessian_action_pair", "s")
def action_inverted(H, a, A):
    """H solved with in place of multiplied by."""
    s = np.linalg.solve(H, a)
    return s, A @ s


@slip("quasi_newton.hessian_action_pair", "y")
def action_damped(H, a, A):
    """y = (A + 1e-6 I)s."""
    s = H @ a
    return s, A @ s + 1e-6 * s


@slip("quasi_newton.minibatch_action_pair", "y")
def minibatch_mean_over_positions(H, a, *, lam):
    """A is a mean over positions, where R sums over them."""
    rows = a.reshape(-1, a.shape[-1])
    s = H @ rows.mean(axis=0)
    return s, rows.T @ (rows @ s) / len(rows) + lam * s


@slip("quasi_newton.minibatch_action_pair", "s")
def minibatch_sum_over_positions(H, a, *, lam):
    """â is a sum over positions, where R averages."""
    rows = a.reshape(-1, a.shape[-1])
    s = H @ a.sum(axis=1).mean(axis=0)
    return s, rows.T @ (rows @ s) / len(a) + lam * s


@slip("quasi_newton.minibatch_action_pair", "y")
def minibatch_undamped(H, a, *, lam):
    """y = As, without λs."""
    rows = a.reshape(-1, a.shape[-1])
    s = H @ rows.mean(axis=0)
    return s, rows.T @ (rows @ s) / len(a)


@slip("quasi_newton.minibatch_action_pair", "y")
def minibatch_of_the_mean(H, a, *, lam):
    """y = ââᵀs + λs: the mean is squared, not the square averaged."""
    a_h = a.reshape(-1, a.shape[-1]).mean(axis=0)
    s = H @ a_h
    return s, a.shape[1] * a_h * (a_h @ s) + lam * s


@slip("tensors.vec", "result")
def vec_by_columns(A):
    """First index fastest."""
    return A.ravel(order="F")


@slip("tensors.vec_columns", "result")
def columns_by_rows(X):
    """Rows stacked."""
    return X.ravel()


@slip("tensors.vec", "result")
def vec_reversed_axes(A):
    """The first two axes exchanged, as after a forgotten channels-last permutation."""
    return A.swapaxes(0, min(1, A.ndim - 1)).ravel()


@slip("tensors.mat", "result")
def mat_of_kolda(A, i):
    """Columns in the order of Kolda and Bader: the first of the other indices fastest."""
    return np.moveaxis(A, i - 1, 0).reshape(A.shape[i - 1], -1, order="F")


@slip("tensors.mat", "")
def mat_from_zero(A, i):
    """Modes counted from 0."""
    return np.moveaxis(A, i % A.ndim, 0).reshape(A.shape[i % A.ndim], -1)


@slip("tensors.mat", "result")
def mat_reshaped(A, i):
    """A reshape without the permutation."""
    return A.reshape(A.shape[i - 1], -1)


@slip("tensors.mat", "result")
def mat_cyclic(A, i):
    """The other axes in cyclic order, i + 1, …, k, 1, …, i − 1."""
    return A.transpose([(i - 1 + j) % A.ndim for j in range(A.ndim)]).reshape(A.shape[i - 1], -1)


@slip("tensors.contraction", "")
def contraction_from_zero(A, i):
    """Modes counted from 0."""
    return np.tensordot(A, A, ([j for j in range(A.ndim) if j != i % A.ndim],) * 2)


@slip("tensors.contraction", "result")
def contraction_averaged(A, i):
    """A mean over the other modes in place of the sum."""
    M = np.moveaxis(A, i - 1, 0).reshape(A.shape[i - 1], -1)
    return M @ M.T / M.shape[1]


@slip("tensors.contraction", "result")
def contraction_centred(A, i):
    """Fibres centred first: a covariance."""
    M = np.moveaxis(A, i - 1, 0).reshape(A.shape[i - 1], -1)
    M = M - M.mean(axis=1, keepdims=True)
    return M @ M.T


@slip("tensors.mode_product", "result")
def product_transposed(A, U, i):
    """Uᵀ where it fits."""
    U = U.T if U.shape[0] == U.shape[1] else U
    return np.moveaxis(np.tensordot(U, A, (1, i - 1)), 0, i - 1)


@slip("tensors.mode_product", "")
def product_axis_left(A, U, i):
    """tensordot leaves the new axis in front."""
    return np.tensordot(U, A, (1, i - 1))


@slip("tensors.mode_product", "result")
def product_axis_last(A, U, i):
    """tensordot leaves the new axis at the end."""
    return np.tensordot(A, U, (i - 1, 1))


@slip("tensors.mode_products", "result")
def products_reversed_kron(A, U):
    """U_k ⊗ ⋯ ⊗ U_1, the Kronecker product of the other vec, on a row-major vec."""
    return (reduce(np.kron, U[::-1]) @ A.ravel()).reshape([u.shape[0] for u in U])


@slip("tensors.mode_products", "result")
def products_last_missing(A, U):
    """The last mode is left out where its matrix is square, and only its shape is right otherwise."""
    letters = "abcdefgh"[: A.ndim]
    U = [*U[:-1], np.eye(*U[-1].shape)]
    return np.einsum(f"{letters},{','.join(c.upper() + c for c in letters)}->{letters.upper()}", A, *U)


@slip("smw.solve_with_inverse", "result")
def smw_D_not_averaged(lam, J, H, g, *, N2):
    """D = λH⁻¹ + JJᵀ without 1/N₂."""
    return (g - J.T @ np.linalg.solve(lam * np.linalg.inv(H) + J @ J.T, J @ g) / N2) / lam


@slip("smw.solve_with_inverse", "result")
def smw_outer_not_averaged(lam, J, H, g, *, N2):
    """1/N₂ forgotten before Jᵀ."""
    return (g - J.T @ np.linalg.solve(lam * np.linalg.inv(H) + J @ J.T / N2, J @ g)) / lam


@slip("smw.solve_with_inverse", "result")
def smw_lam_not_inverted(lam, J, H, g, *, N2):
    """λ in place of 1/λ in front."""
    return (g - J.T @ np.linalg.solve(lam * np.linalg.inv(H) + J @ J.T / N2, J @ g) / N2) * lam


@slip("smw.solve_with_inverse", "result")
def smw_H_not_inverted(lam, J, H, g, *, N2):
    """H in place of H⁻¹."""
    return (g - J.T @ np.linalg.solve(lam * H + J @ J.T / N2, J @ g) / N2) / lam


@slip("smw.solve_with_inverse", "result")
def smw_wrong_sign(lam, J, H, g, *, N2):
    """g + … for g − …."""
    return (g + J.T @ np.linalg.solve(lam * np.linalg.inv(H) + J @ J.T / N2, J @ g) / N2) / lam


@slip("smw.solve_with_inverse", "result")
def smw_rows_for_examples(lam, J, H, g, *, N2):
    """N₂ counts rows of J in place of examples."""
    q = len(J)
    return (g - J.T @ np.linalg.solve(lam * np.linalg.inv(H) + J @ J.T / q, J @ g) / q) / lam


@slip("smw.solve_with_inverse", "result")
def smw_jitter(lam, J, H, g, *, N2):
    """1e-8 I added to D, to be safe."""
    D = lam * np.linalg.inv(H) + J @ J.T / N2 + 1e-8 * np.eye(len(J))
    return (g - J.T @ np.linalg.solve(D, J @ g) / N2) / lam


@slip("smw.solve_with_inverse", "result")
def smw_H_ignored(lam, J, H, g, *, N2):
    """The identity for H, as for natural gradient."""
    return (g - J.T @ np.linalg.solve(lam * np.eye(len(J)) + J @ J.T / N2, J @ g) / N2) / lam


@slip("smw.solve_without_inverse", "result")
def smw_H_forgotten(lam, J, H, g, *, N2):
    """JᵀD⁻¹Jg without H."""
    return (g - J.T @ np.linalg.solve(lam * np.eye(len(J)) + J @ J.T @ H / N2, J @ g) / N2) / lam


@slip("smw.solve_without_inverse", "result")
def smw_D_transposed(lam, J, H, g, *, N2):
    """D = λI + HJJᵀ/N₂: the transposed."""
    return (g - J.T @ H @ np.linalg.solve(lam * np.eye(len(J)) + H @ J @ J.T / N2, J @ g) / N2) / lam


@slip("smw.solve_without_inverse", "result")
def smw_H_on_the_right(lam, J, H, g, *, N2):
    """D⁻¹HJg for HD⁻¹Jg."""
    return (g - J.T @ np.linalg.solve(lam * np.eye(len(J)) + J @ J.T @ H / N2, H @ (J @ g)) / N2) / lam


@slip("smw.solve_without_inverse", "result")
def smw_diagonal_H(lam, J, H, g, *, N2):
    """Only the diagonal of H."""
    H = np.diag(np.diag(H))
    return (g - J.T @ H @ np.linalg.solve(lam * np.eye(len(J)) + J @ J.T @ H / N2, J @ g) / N2) / lam
