"""Runs of R Algorithm 23 as Theorem 6 has it, exact over ℚ: full gradient, α = 1, a step is taken only where ρ ≥ η.

The nets have one layer and one output: ŷ_i = φ(x̃_iᵀθ) with x̃ = (x, 1), θ = (w, b), half the square as loss. So ‖∇²f‖ and ‖B‖ have
bounds that hold for every θ, as Assumptions 11 and 12 ask, with φ linear, the bell 1/(1 + h²) (|φ′|² ≤ 27/64, |φ″| ≤ 2), or, for
comparison, ReLU, which has no second derivative at 0.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import flint

from ...arrays.errors import expect
from ..checks import Inequality, satisfied, violated
from ..fields import dot
from ..statement import Check, Finding, Status

Q = flint.fmpq
PHI: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "linear": (lambda h: h, lambda h: Q(1)),
    "bell": (lambda h: 1 / (1 + h * h), lambda h: -2 * h / (1 + h * h) ** 2),
    "relu": (lambda h: h if h > 0 else Q(0), lambda h: Q(int(h > 0))),
}
"""φ and φ′."""


class Net(NamedTuple):
    """f(θ) = (1/N) Σ ½(φ(x̃_iᵀθ) − y_i)².

    x, y      data: rows of numbers, and numbers.
    phi       a name in `PHI`.
    B         "gauss_newton" (5.2), or "fisher" (5.3) as printed.
    start     θ⁽⁰⁾.
    S_2       the examples that B_t is taken from, t by t, over and over.
    S_1       those of the gradient and of f in ρ, likewise; Theorem 6 has all.
    """

    x: Sequence[Sequence[Any]]
    y: Sequence[Any]
    phi: str
    B: str
    start: Sequence[Any]
    S_2: Sequence[Sequence[int]]
    S_1: Sequence[Sequence[int]] = ()

    def row(self, i: int) -> Any:
        """x̃_i, a column."""
        return column([*self.x[i], 1])

    def batch(self, t: int) -> Sequence[int]:
        """S₁ at step t."""
        return self.S_1[t % len(self.S_1)] if self.S_1 else range(len(self.x))

    def f(self, theta: Any, t: int) -> Any:
        """The mean over S₁."""
        rows = self.batch(t)
        return sum(((PHI[self.phi][0](dot(self.row(i), theta)) - Q(self.y[i])) ** 2 for i in rows), Q(0)) / (2 * len(rows))

    def example(self, theta: Any, i: int) -> tuple[Any, Any]:
        """∂ŷ_i/∂θ and the residual."""
        phi, slope = PHI[self.phi]
        h = dot(self.row(i), theta)
        return self.row(i) * slope(h), phi(h) - Q(self.y[i])

    def g(self, theta: Any, t: int) -> Any:
        """∇f over S₁."""
        total = column([0] * len(self.start))
        for i in self.batch(t):
            J, residual = self.example(theta, i)
            total += J * residual
        return total * Q(1, len(self.batch(t)))

    def curvature(self, theta: Any, t: int) -> Any:
        """B_t over S₂."""
        rows = self.S_2[t % len(self.S_2)]
        total = flint.fmpq_mat(len(self.start), len(self.start))
        for i in rows:
            J, residual = self.example(theta, i)
            total += J * J.transpose() * (residual**2 if self.B == "fisher" else Q(1))
        return total * Q(1, len(rows))

    def bounds(self) -> tuple[Any, Any]:
        """β and β₁ of Assumptions 11 and 12; for the Fisher matrix with φ linear β holds as long as f does not grow."""
        squares = [dot(self.row(i), self.row(i)) for i in range(len(self.x))]
        slope, second = {"linear": (Q(1), Q(1)), "bell": (Q(27, 64), Q(27, 64) + 2), "relu": (Q(1), Q(1))}[self.phi]
        residual = 2 * len(self.x) * self.f(column(self.start), 0) if self.B == "fisher" and self.phi == "linear" else Q(1)
        return slope * residual * max(squares), second * sum(squares, Q(0)) / len(squares)


class Rule(NamedTuple):
    """λ_LM⁽⁰⁾, τ, ε, boost, drop, η."""

    lam_LM: Any = 1
    tau: Any = Q(1, 1000)
    eps: Any = Q(1, 4)
    boost: Any = 2
    drop: Any = Q(1, 2)
    eta: Any = Q(1, 8)


class Step(NamedTuple):
    """What step t computed: θ, λ_LM, λ before it; g, B, p; m(0) − m(p), f(θ) − f(θ + p), ρ; was it taken?"""

    t: int
    theta: Any
    lam_LM: Any
    lam: Any
    g: Any
    B: Any
    p: Any
    foretold: Any
    actual: Any
    rho: Any
    taken: bool


def column(entries: Sequence[Any]) -> Any:
    """A column of rationals."""
    return flint.fmpq_mat(len(entries), 1, [Q(x) for x in entries])


def rounded(v: Any, bits: int) -> Any:
    """Each entry to a multiple of 2^−bits."""
    return column([Q(int((x * 2**bits).floor()), 2**bits) for x in v.entries()])


def run(net: Net, rule: Rule, steps: int, bits: int | None = None) -> Iterator[Step]:
    """The steps, until g = 0; where `bits` is given, θ is rounded between steps, so that each is exact from a short start."""
    theta, lam_LM = column(net.start), Q(rule.lam_LM)
    for t in range(steps):
        lam, g, B = lam_LM + rule.tau, net.g(theta, t), net.curvature(theta, t)
        if dot(g, g) == 0:
            return
        damped = B + flint.fmpq_mat([[lam if i == j else Q(0) for j in range(B.ncols())] for i in range(B.nrows())])
        p = -damped.solve(g)
        foretold = -dot(g, p) - dot(p, B * p) / 2
        actual = net.f(theta, t) - net.f(theta + p, t)
        rho = actual / foretold
        yield Step(t, theta, lam_LM, lam, g, B, p, foretold, actual, rho, rho >= rule.eta)
        if rho >= rule.eta:
            theta = theta + p if bits is None else rounded(theta + p, bits)
        lam_LM *= rule.boost if rho < rule.eps else rule.drop if rho > 1 - rule.eps else 1


X, Y = ((1, 0), (0, 2), (1, 1), (-1, 1)), (1, -1, 2, 0)
ONE = Net([[0]], [0], "linear", "fisher", [0, Q(1, 8)], [[0]])
"""x = 0, y = 0: ŷ = b, f = ½b², B = b² in the direction of b."""
CASES: tuple[tuple[str, Net, Rule, int, int | None], ...] = (
    ("", Net(X, Y, "linear", "gauss_newton", [3, -2, 1], [[0], [1], [2, 3]]), Rule(), 40, None),
    ("", Net(X, Y, "linear", "gauss_newton", [3, -2, 1], [[0]]), Rule(lam_LM=Q(1, 1000), boost=Q(3, 2)), 40, None),
    ("", Net(X, Y, "linear", "fisher", [3, -2, 1], [[0], [1], [2, 3]]), Rule(), 60, 60),
    ("", Net([[1], [2], [-1]], [1, Q(1, 2), 0], "bell", "gauss_newton", [1, Q(1, 2)], [[0, 1], [2]]), Rule(), 60, 60),
    ("", Net([[1], [2], [-1]], [1, Q(1, 2), 0], "bell", "fisher", [1, Q(1, 2)], [[0, 1], [2]]), Rule(lam_LM=Q(1, 100)), 60, 60),
    ("", ONE, Rule(tau=Q(1, 8), boost=Q(101, 100), drop=Q(99, 100)), 6, None),
    ("λ_LM = 0", ONE, Rule(lam_LM=0, tau=Q(1, 8)), 4, None),
    ("drop = 0", ONE, Rule(lam_LM=4, tau=Q(1, 8), drop=0), 4, None),
    ("η > ε", ONE._replace(start=[0, Q(1, 2)]), Rule(lam_LM=Q(5, 8), tau=Q(1, 8), eta=Q(3, 5)), 4, None),
    ("boost = 1", ONE, Rule(lam_LM=Q(1, 8), tau=Q(1, 8), boost=1), 4, None),
    ("N_1 < N", Net([[0], [0]], [1, -1], "linear", "gauss_newton", [0, Q(1, 2)], [[0], [1]], [[0], [1]]), Rule(tau=1), 200,
     None),
    ("ReLU", Net([[0]], [-1], "relu", "gauss_newton", [0, Q(1, 100)], [[0]]), Rule(lam_LM=10), 4, None),
)
"""(which hypothesis of Theorem 6 it breaks, "" for none; net; rule; steps; bits to round to between steps)."""


def hunt(count: int = 40) -> Iterator[tuple[str, Net, Rule, int, int | None]]:
    """Random nets and rules within the theorem's hypotheses, at their ends often: ε near 1/2, η near ε, boost and drop by 100."""
    rng = random.Random(6)
    for _ in range(count):
        N, phi = rng.randint(1, 4), rng.choice(["linear", "bell"])
        x = [[Q(rng.randint(-3, 3), rng.choice([1, 2])) for _ in range(2)] for _ in range(N)]
        y = [Q(rng.randint(0, 4), 4) if phi == "bell" else Q(rng.randint(-5, 5)) for _ in range(N)]
        S_2 = [sorted(rng.sample(range(N), rng.randint(1, N))) for _ in range(3)]
        net = Net(x, y, phi, rng.choice(["gauss_newton", "fisher"]), [Q(rng.randint(-4, 4), 2) for _ in range(3)], S_2)
        eps = rng.choice([Q(1, 10), Q(1, 4), Q(49, 100)])
        yield "", net, Rule(rng.choice([Q(1, 10**6), Q(1), Q(500)]), rng.choice([Q(1, 1000), Q(1)]), eps,
                            rng.choice([Q(101, 100), Q(2), Q(100)]), rng.choice([Q(99, 100), Q(1, 2), Q(1, 100)]),
                            eps * rng.choice([Q(1, 10), Q(99, 100)])), 12, 60


@cache
def traces() -> tuple[tuple[str, Net, Rule, tuple[Step, ...]], ...]:
    """Every case with its steps, those of the hunt too; a net that starts where ∇f = 0 has none."""
    runs = ((tag, net, rule, tuple(run(net, rule, steps, bits))) for tag, net, rule, steps, bits in (*CASES, *hunt()))
    return tuple(found for found in runs if found[3])


def constants(net: Net, rule: Rule) -> tuple[Any, Any, Any, Any]:
    """β, β₁, Λ = (β + β₁)/(2ε), c₁ of Lemma 11."""
    beta, beta_1 = net.bounds()
    return beta, beta_1, (beta + beta_1) / (2 * rule.eps), rule.tau / (beta + rule.tau)


def along_runs(point: Callable[[Net, Rule, Step], Sequence[Any]]) -> Check:
    """An `Inequality` at the numbers of every step of every run that breaks no hypothesis: exact, and its hypotheses must hold."""
    def check(form: Inequality) -> Finding | None:
        count, runs = 0, sum(tag == "" for tag, *_ in traces())
        for tag, net, rule, steps in traces():
            for step in steps:
                numbers = [Q(x) for x in point(net, rule, step)]
                if tag or len(numbers) != len(form.variables):
                    continue
                expect(satisfied(form, numbers), "a run", "the step's hypotheses to hold", "the net was chosen so", step.t)
                if violated(form, numbers):
                    return Finding(False, Status.REFUTED, "a run of Algorithm 23, exact", f"step {step.t}")
                count += 1
        return Finding(True, Status.SAMPLED, f"at all {count} steps of {runs} exact runs of Algorithm 23") if count else None
    return check
