"""Grouped Newton (NewtonSummary), and with it Newton's method and Cauchy's steepest descent: one step size a subset of parameters.

Paper    W Method 4.1 and Algorithm 1 (Appendix F); (1), (2), Appendix C. `METHODS["newton"]` and `METHODS["cauchy"]` are this file
         with `HyperNewton` and `HyperCauchy`: the finest and the coarsest partition, λ_int = 0, and (1) alone.
Symbols  g the gradient on the batch; u its average, the direction; ḡ, H̄, D^(3) the summaries along u on `batch.curvature`, one
         number (or row) a subset; d the diagonal of D; e the step sizes that solve (2); η their average; λ the damping, from λ_1
         on.
Departs  DEV-GROUPED_NEWTON-1: without `batch.curvature` the summaries are taken on the batch itself. DEV-GROUPED_NEWTON-2: the
         positive part is taken before the average, the text says of neither. DEV-GROUPED_NEWTON-3: λ multiplies the step, not what
         is averaged. DEV-GROUPED_NEWTON-4: a subset along which u = 0 gets e = 0; so Newton's method leaves a parameter alone whose
         gradient is 0 (ERR-64), and is Newton's method in the others. ERR-63: d_s > 0, which Appendix D asks for, fails for whole
         classes of nets; `parts.cubic` goes on without.

The lines of Algorithm 1 are counted inside its loop: 1 sample 𝒮_g, 2 g, 3 u, 4 every τ steps, 5 sample 𝒮_h, 6 compute_lr, 7 η, 8 θ,
9 λ.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .. import nets
from ..arrays import namespace
from ..arrays.checks import check_number, check_rows
from ..arrays.errors import expect
from ..nets import taylor
from .parts import cubic
from .parts.descent import check_descent, finite
from .parts.given import by_tensor, check_positive, check_start, check_state

Array = Any


class Hyper(NamedTuple):
    """Defaults with their source: W's Tables 2 and 3 are lost, so most are those of its author's run scripts of February 2024.

    lam1        λ_1, the first damping (run scripts).
    lam_int     λ_int >= 0, weight of the cubic term (run scripts).
    mu_g        momentum on g: 1 − 1/τ (W Appendix F, "Explanation").
    mu_eta      momentum on η (run scripts).
    tau         τ, steps from one computation of η to the next (run scripts).
    partition   "canonical", "trivial", "discrete", "by_role", "by_layer" (for nets with BatchNorms, see there), or index sets
                (W Section 4.3).
    positive    take the positive part of the step sizes (W Appendix F).
    N_sch       `schedule` acts after every N_sch-th step (one epoch in the run scripts; 1 leaves it to who calls it).
    p_sch       patience: how many times in a row the loss may fail to improve (run scripts).
    f_sch       what λ is multiplied by then (run scripts).
    threshold   the share of the best loss that counts as an improvement (torch's ReduceLROnPlateau, which W names).
    """

    lam1: Any = Fraction(1, 10)
    lam_int: Any = 1
    mu_g: Any = Fraction(9, 10)
    mu_eta: Any = Fraction(1, 2)
    tau: int = 10
    partition: Any = "canonical"
    positive: bool = True
    N_sch: int = 1
    p_sch: int = 0
    f_sch: Any = Fraction(1, 2)
    threshold: Any = Fraction(1, 10**4)


_BARE: dict[str, Any] = {"lam1": 1, "lam_int": 0, "mu_g": 0, "mu_eta": 0, "tau": 1, "positive": False}


class HyperNewton(Hyper):
    """`Hyper` for Newton's method: a subset a parameter, (1) at every step (W Appendix C)."""

    __slots__ = ()

    def __new__(cls, *values: Any, **fields: Any) -> HyperNewton:  # noqa: D102
        return super().__new__(cls, *values, **(_left(values, _BARE | {"partition": "discrete"}) | fields))


class HyperCauchy(Hyper):
    """`Hyper` for Cauchy's steepest descent: one subset, (1) at every step (W Appendix C)."""

    __slots__ = ()

    def __new__(cls, *values: Any, **fields: Any) -> HyperCauchy:  # noqa: D102
        return super().__new__(cls, *values, **(_left(values, _BARE | {"partition": "trivial"}) | fields))


def _left(values: tuple[Any, ...], defaults: dict[str, Any]) -> dict[str, Any]:
    """The defaults of fields that are not given by position."""
    return {name: value for name, value in defaults.items() if name not in Hyper._fields[:len(values)]}


class State(NamedTuple):
    """k: steps taken. u: one array a tensor, and eta (S,), both 0 before the first step. lam (): λ now.

    best, bad: the best loss that `schedule` has seen (None before the first) and how often in a row it has not improved since.
    """

    k: int
    u: tuple[Array, ...]
    eta: Array
    lam: Array
    best: Any = None
    bad: int = 0


class Trace(NamedTuple):
    """Every intermediate in the order of computation: g, u and theta one array a tensor, the others one array.

    g_bar (S,), H_bar (S, S), D3_diag (S,), d (S,), e (S,): None in a step that goes on with the η it has; d also where λ_int = 0,
    since nothing is weighed by it then. eta (S,).
    """

    g: tuple[Array, ...]
    u: tuple[Array, ...]
    g_bar: Array | None
    H_bar: Array | None
    D3_diag: Array | None
    d: Array | None
    e: Array | None
    eta: Array
    theta: tuple[Array, ...]


LINES = {"g": "W1.2", "u": "W1.3", "g_bar": "W1.6", "H_bar": "W1.6", "D3_diag": "W1.6", "d": "W§4.2", "e": "W(2)", "eta": "W1.7",
         "theta": "W1.8"}


def init(model: nets.Model, params: Any, data: Any, hyper: Hyper) -> State:
    """Nothing is known yet: u = 0, η = 0; the data are not looked at."""
    check_hyper(hyper)
    check_start(model, params)
    xp = namespace(*nets.tensors(params))
    partition = partition_of(params, hyper)
    taylor.labels(params, partition)
    return State(0, tuple(xp.zeros_like(theta_i) for theta_i in nets.tensors(params)), xp.zeros((len(partition),)),
                 xp.const(hyper.lam1))


def step(model: nets.Model, params: Any, state: State, batch: nets.Batch, hyper: Hyper, *,
         tape: nets.Tape | None = None) -> tuple[Any, State, Trace]:
    """One step on one batch.  Returns new params, new state and the trace; nothing is written to.

    Takes    batch.curvature: the sample of 𝒮_h where t is a multiple of τ, a Batch or rows of this one.
    Raises   cubic.NoSolution where (2) has no solution; ValueError where a gradient is not finite.
    """
    check_hyper(hyper)
    theta = nets.tensors(params)
    xp = namespace(*theta)
    mu_g, mu_eta = xp.const(hyper.mu_g), xp.const(hyper.mu_eta)
    partition = partition_of(params, hyper)
    label = taylor.labels(params, partition)
    check_state(state, State, model, params, u=by_tensor(params), eta=(len(partition),), lam=())
    check_positive("state.lam", state.lam)
    t, eta = state.k, state.eta

    tape = nets.forward(model, params, batch.x) if tape is None else tape
    g = finite("g", nets.tensors(nets.backward(model, params, tape, batch.y).grad))                                 # W1.2
    u = tuple(momentum(mu_g, u_i, g_i, t) for u_i, g_i in zip(state.u, g, strict=True))                             # W1.3
    g_bar = H_bar = D3_diag = d = e = None
    if t % hyper.tau == 0:                                                                                          # W1.4
        sample = second_sample(batch)                                                                               # W1.5
        g_bar, H_bar, D3_diag = taylor.summaries(model, params, sample, nets.layers(u, params), partition)          # W1.6
        d = xp.root(abs(D3_diag), 3) if hyper.lam_int else None                                                     # W§4.2
        e = cubic.step_sizes(g_bar, H_bar, 0 * D3_diag if d is None else d, hyper.lam_int)                          # W(2)
        eta = momentum(mu_eta, eta, xp.maximum(e, xp.zeros(())) if hyper.positive else e, t)                        # W1.7
    theta = tuple(theta_i - state.lam * (eta_i * u_i) for theta_i, eta_i, u_i
                  in zip(theta, taylor.spread(eta, label), u, strict=True))              # W1.8
    return (nets.layers(finite("theta", theta), params), state._replace(k=t + 1, u=u, eta=eta),
            Trace(g, u, g_bar, H_bar, D3_diag, d, e, eta, theta))


def momentum(mu: Any, a: Array, b: Array, t: int) -> Array:
    """b at t = 0, when there is no a yet, and μa + (1 − μ)b from then on: a, b of one shape (W Appendix F)."""
    return b if t == 0 else mu * a + (1 - mu) * b                                                                   # W§F


def schedule(state: State, loss: Any, hyper: Hyper) -> State:
    """What Algorithm 1 does to λ between steps: f_sch λ once the loss has failed to improve more than p_sch times in a row.

    Takes    loss: the training loss now, a number. Nothing happens where k is no multiple of N_sch.
    Raises   ValueError for a loss that is no finite number.
    """
    check_hyper(hyper)
    check_number("loss", loss, lambda loss: loss == loss, "a finite number", "it is compared with the best so far")
    if state.k % hyper.N_sch:                                                                                       # W1.9
        return state
    xp = namespace(state.eta)
    loss = xp.const(loss)
    if state.best is None or bool(loss < state.best * (1 - xp.const(hyper.threshold))):                             # W1.9
        return state._replace(best=loss, bad=0)
    if state.bad < hyper.p_sch:                                                                                     # W1.9
        return state._replace(bad=state.bad + 1)
    return state._replace(lam=state.lam * xp.const(hyper.f_sch), bad=0)                                             # W1.9


def partition_of(params: Any, hyper: Hyper) -> Any:
    """The index sets that `hyper` names or gives."""
    return PARTITIONS[hyper.partition](params) if isinstance(hyper.partition, str) else hyper.partition


PARTITIONS = {"canonical": taylor.canonical, "trivial": taylor.trivial, "discrete": taylor.discrete, "by_role": taylor.by_role,
              "by_layer": taylor.by_layer}


def second_sample(batch: nets.Batch) -> nets.Batch:
    """What 𝒮_h has drawn: another Batch, rows of this one, or this one (DEV-GROUPED_NEWTON-1).

    Raises   ValueError for rows that are no row numbers of this batch.
    """
    rows = batch.curvature
    if rows is None or isinstance(rows, nets.Batch):
        return batch if rows is None else rows
    check_rows(rows, batch.x.shape[0])
    return nets.Batch(batch.x[rows], batch.y[rows])


def check_hyper(hyper: Hyper) -> None:
    """Raise ValueError for a hyper-parameter out of its range."""
    check_descent(hyper, Hyper)
    check_number("lam1", hyper.lam1, lambda lam: lam > 0, "a positive number", "a step goes down")
    check_number("lam_int", hyper.lam_int, lambda lam: lam >= 0, "a number >= 0", "it weighs a penalty")
    for name in ("mu_g", "mu_eta"):
        check_number(name, getattr(hyper, name), lambda mu: 0 <= mu < 1, "a number in [0, 1)", "averages must forget")
    for name, least in (("tau", 1), ("N_sch", 1), ("p_sch", 0)):
        value = getattr(hyper, name)
        expect(isinstance(value, int) and value >= least, name, f"an integer >= {least}", "it counts steps", value)
    check_number("f_sch", hyper.f_sch, lambda f: 0 < f < 1, "a number in (0, 1)", "it reduces the damping")
    check_number("threshold", hyper.threshold, lambda share: 0 <= share < 1, "a number in [0, 1)", "it is a share of a loss")
    expect(not isinstance(hyper.partition, str) or hyper.partition in PARTITIONS, "partition",
           f"one of {', '.join(PARTITIONS)}, or index sets", "these have names", repr(hyper.partition))
