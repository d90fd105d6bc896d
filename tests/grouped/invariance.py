"""Writes docs/invariance.md: which parts of grouped Newton keep the invariance of W Section 4.3, and which break it.

    python tests/grouped/invariance.py

The lines of `reference.grouped_newton` run twice: on a net, and on the same net in θ̃ with θ = α θ̃ + β, entry by entry. All that the
step asks of the net, forward and backward passes and summaries, is answered in θ̃; nothing else knows of it. A variant is the
step with some lines rewritten, as the judge does it for conventions.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import mpmath
import numpy as np
from stepgauge import nets
from stepgauge.arrays import cast, precision
from stepgauge.nets import taylor
from stepgauge.reference import grouped_newton
from stepgauge.verify.source import instrument

PAGE = Path(__file__).resolve().parents[2] / "docs" / "invariance.md"
MODEL = nets.mlp((2, 2, 2), ("tanh", "linear"), "softmax_ce")
STEPS, BITS = 5, 300
NEGLIGIBLE = mpmath.mpf(10) ** -60
HYPER = grouped_newton.Hyper(lam1=2.0**-10, tau=2, p_sch=0)

ALPHA = (("3", "3"), ("0.2", "0.2"), ("-0.5", "-0.5"), ("10", "10"))
"""The scaling α of each tensor, W_1, b_1, W_2, b_2: of its even and of its odd entries."""
INSIDE = (("3", "0.3"), ("0.2", "0.2"), ("-0.5", "-0.5"), ("10", "10"))
BY_ROLE = (("3", "3"), ("0.2", "0.2"), ("3", "3"), ("0.2", "0.2"))
SUMMARIES = "taylor.summaries(model, params, sample, nets.layers(u, params), partition)"

PARTS = {
    "Algorithm 1 as it stands": ({},),
    "Method 4.1 alone: u = g, no averages, τ = 1": ({"mu_g": 0, "mu_eta": 0, "tau": 1},),
    "(1) alone: λ_int = 0": ({"lam_int": 0},),
    "momentum 0.99 on g": ({"mu_g": 0.99},),
    "momentum 0.9 on η": ({"mu_eta": 0.9},),
    "no positive part": ({"positive": False},),
    "patience 1 in the schedule": ({"p_sch": 1},),
    "trivial partition, one α for all": ({"partition": "trivial"}, {}, (("3", "3"),) * 4),
    "partition by role, one α a role": ({"partition": "by_role"}, {}, BY_ROLE),
    "heavy ball, u = μ_g u + g": ({}, {"u": "tuple(mu_g * u_i + g_i for u_i, g_i in zip(state.u, g))"}),
    "the diagonal of H̄ alone": ({}, {"g_bar, H_bar, D3_diag": f"(lambda g, H, D: (g, H * xp.eye(4), D))(*{SUMMARIES})"}),
    "usual regularisation, H̄ + I/10": (
        {}, {"g_bar, H_bar, D3_diag": f"(lambda g, H, D: (g, H + xp.eye(4) / 10, D))(*{SUMMARIES})"}),
    "isotropic cubic term, D = I": ({}, {"d": "0 * D3_diag + 1"}),
    "no cube root in D": ({}, {"d": "abs(D3_diag)"}),
    "step sizes clipped at 1": ({}, {"e": "xp.where(cubic.step_sizes(g_bar, H_bar, d, hyper.lam_int) < 1, "
                                          "cubic.step_sizes(g_bar, H_bar, d, hyper.lam_int), 1 + 0 * g_bar)"}),
    "a direction divided by its size, u = g / (abs g + 1/10)": (
        {}, {"u": "tuple(g_i / (abs(g_i) + xp.ones(()) / 10) for g_i in g)"}),
    "weight decay, u + θ/10": ({}, {"u": "tuple(momentum(mu_g, u_i, g_i + theta_i / 10, t) "
                                         "for u_i, g_i, theta_i in zip(state.u, g, theta))"}),
    "λ_1 divided by ‖u‖": ({}, {"theta": "tuple(theta_i - state.lam / xp.sqrt(sum(xp.sum(v * v) for v in u)) * (eta_i * u_i) "
                                         "for theta_i, eta_i, u_i "
                                         "in zip(theta, taylor.spread(eta, taylor.labels(params, partition)), u))"}),
    "two values of α inside one subset": ({}, {}, INSIDE),
    "trivial partition, one α a tensor": ({"partition": "trivial"}, {}, ALPHA),
}
"""Hyper-parameters, rewritten lines and α of each variant."""


def problem():
    rng = np.random.default_rng(5)
    params = tuple(nets.Layer(rng.standard_normal(s), rng.standard_normal(s[0])) for s in nets.layer_shapes(MODEL))
    batches = [nets.Batch(rng.standard_normal((4, 2)), rng.integers(0, 2, 4),
                          curvature=nets.Batch(rng.standard_normal((5, 2)), rng.integers(0, 2, 5))) for _ in range(STEPS)]
    return cast((params, batches), "mpf")


def trajectory(hyper, rewrites, alpha, beta):
    """θ after every step of the method in θ̃, where θ = α θ̃ + β (tensor by tensor)."""
    params, batches = problem()

    def out(moved):
        return nets.layers(tuple(a * t + b for a, t, b in zip(alpha, nets.tensors(moved), beta, strict=True)), params)

    def scaled(values):
        return nets.layers(tuple(a * v for a, v in zip(alpha, nets.tensors(values), strict=True)), params)

    def backward(model, moved, tape, y):
        back = nets.backward(model, out(moved), tape, y)
        return back._replace(grad=scaled(back.grad))

    source = instrument(sys.modules[grouped_newton.__name__], lambda tag, function, name, value: value, rewrites)
    source["nets"] = SimpleNamespace(**vars(nets) | {"forward": lambda model, moved, x: nets.forward(model, out(moved), x),
                                                     "backward": backward})
    source["taylor"] = SimpleNamespace(**vars(taylor) | {
        "summaries": lambda model, moved, batch, u, partition: taylor.summaries(model, out(moved), batch, scaled(u), partition)})
    moved = nets.layers(tuple((t - b) / a for a, t, b in zip(alpha, nets.tensors(params), beta, strict=True)), params)
    state, found = source["init"](MODEL, moved, None, hyper), [nets.tensors(params)]
    for batch in batches:
        moved, state, _ = source["step"](MODEL, moved, state, batch, hyper)
        loss = nets.mean_loss(MODEL, nets.forward(MODEL, out(moved), batches[0].x).output, batches[0].y)
        state = source["schedule"](state, loss, hyper)
        found.append(nets.tensors(out(moved)))
    return found


def deviation(changes, rewrites=None, alpha=ALPHA):
    """The largest |θ − φ(θ̃)| over the steps, over the largest move of an entry of θ."""
    hyper = HYPER._replace(**changes)
    rng = np.random.default_rng(9)
    params, _ = problem()
    shape = [t.shape for t in nets.tensors(params)]
    ones = [cast(np.ones(s), "mpf") for s in shape]
    zeros = [0 * one for one in ones]
    scales = [np.array([mpmath.mpf(pair[i % 2]) for i in range(one.size)], dtype=object).reshape(one.shape)
              for pair, one in zip(alpha, ones, strict=True)]
    offsets = [cast(rng.standard_normal(s), "mpf") for s in shape]
    plain, other = trajectory(hyper, rewrites or {}, ones, zeros), trajectory(hyper, rewrites or {}, scales, offsets)
    off = max(np.max(np.abs(a - b)) for one, two in zip(plain, other, strict=True) for a, b in zip(one, two, strict=True))
    moved = max(np.max(np.abs(a - b)) for one in plain for a, b in zip(one, plain[0], strict=True))
    assert moved > NEGLIGIBLE
    return off / moved


def deviations():
    """The deviation of every variant by name."""
    with precision(BITS):
        return {name: deviation(*given) for name, given in PARTS.items()}


HEAD = """\
# What keeps the invariance of W Section 4.3, and what breaks it

Generated by `python tests/grouped/invariance.py`; a test compares this page with what the command writes.

W says that training in θ and in θ̃, with θ_p = α_s θ̃_p + β_p for p in the subset I_s and α_s ≠ 0, gives the same models. Here
the lines of `reference/grouped_newton.py` run in both, five steps on a net 2-2-2 with a second sample, α = 3, 0.2, −0.5, 10 for
its four tensors and random β, in numbers of 300 bits. The deviation is the largest difference of a parameter over the largest
move of one; "0" is below 10⁻⁶⁰. The first row has all of Algorithm 1 at once: momentum on g and on η, a period of 2, positive
part, λ_1 and the schedule.

| what runs | deviation | |
|---|---|---|
"""

TAIL = """
**Kept**: whatever is linear in past gradients as a direction, (1) and (2) for any λ_int, the positive part and all averages of η
(η̃_s = η_s/α_s², a positive factor that does not change from step to step), λ_1, and a schedule, which sees nothing but losses.
The diagonal of H̄ alone would keep it too: what the off-diagonal entries buy is not invariance. Dead subsets keep it (their rows
are 0 in both), and so does the hard case, whose eigenvectors are those of K = D⁻¹H̄D⁻¹, the same matrix in both.

**Broken**: whatever compares a number that carries units of θ with one that does not, ridge, isotropic cubic term, a wrong root
in D, a bound on η; a direction that is not linear in gradients, as Adam's; weight decay; a step measured by ‖u‖; and any α that
differs inside a subset: coarser partitions (W Appendix G) are invariant under coarser scalings only.

In floats "kept" means up to rounding where it means anything: a bias before a batch normalisation has u_s = 0 up to rounding,
which the method blows up to a step of its own (ERR-85), another one in each parameterisation.
"""


def page():
    rows = "".join(f"| {name} | {'0' if x < NEGLIGIBLE else mpmath.nstr(x, 2)} | {'kept' if x < NEGLIGIBLE else '**broken**'} |\n"
                   for name, x in deviations().items())
    return HEAD + rows + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
