"""W's Algorithm 1 once more, slowly, from the restored formulas alone: plain lists, nothing of the repository imported.

A net's loss is one expression, evaluated in one of two algebras. `Polynomials`: every parameter is a variable of a ring over ℚ, and
derivatives are those of the polynomial; for linear and ReLU layers with half a square. `Truncated`: power series in the step sizes
η (Section 3: D^(d) is the order-d derivative at η = 0 of L(θ + U I_{P:S} η)) up to degree 3, with mpf coefficients.

Parameters are one flat list: W of the first layer row by row, its b, and so on; `groups[p]` is the subset of parameter p.
"""

import itertools
from fractions import Fraction
from math import factorial

import flint
import mpmath


def sizes(widths):
    """(rows, columns) of each layer's W."""
    return list(itertools.pairwise(widths))


def forward(widths, activations, parameters, example, apply):
    """The outputs, numbers or elements of an algebra; apply(name, h) is the activation."""
    position, values = 0, list(example)
    for (d_in, d_out), name in zip(sizes(widths), activations, strict=True):
        W = [parameters[position + i * d_in:position + (i + 1) * d_in] for i in range(d_out)]
        b = parameters[position + d_in * d_out:position + d_in * d_out + d_out]
        position += d_in * d_out + d_out
        hidden = []
        for row, offset in zip(W, b, strict=True):
            total = offset
            for w, a in zip(row, values, strict=True):
                total = total + w * a
            hidden.append(apply(name, total))
        values = hidden
    return values


# ------------------------------------------------------------------------------------------ polynomials in the parameters

class Polynomials:
    """The loss as a polynomial over ℚ in all P parameters; a ReLU is the branch that θ is on."""

    def __init__(self, net, theta, batch):
        widths, activations, loss = net
        assert loss == "mse"
        self.theta = [flint.fmpq(x.numerator, x.denominator) for x in theta]
        ring = flint.fmpq_mpoly_ctx.get([f"t{p}" for p in range(len(theta))], "lex")
        self.total = ring.constant(0)
        for example, target in zip(*batch, strict=True):
            numbers = [flint.fmpq(x.numerator, x.denominator) for x in example]
            outputs = forward(widths, activations, ring.gens(), numbers, self.apply)
            for output, y in zip(outputs, target, strict=True):
                difference = output - flint.fmpq(y.numerator, y.denominator)
                self.total += difference * difference * flint.fmpq(1, 2 * len(batch[0]))

    def at(self, polynomial):
        """Its value at θ, a Fraction."""
        value = polynomial(*self.theta)
        return Fraction(int(value.p), int(value.q))

    def apply(self, name, h):
        """h, or 0 for a ReLU that is off."""
        assert name in ("linear", "relu")
        if name == "relu":
            value = self.at(h)
            assert value != 0, "the kink has no derivative"
            return h if value > 0 else h * 0
        return h

    def loss(self):
        """L(θ)."""
        return self.at(self.total)

    def gradient(self):
        """∂L/∂θ, P numbers."""
        return [self.at(self.total.derivative(p)) for p in range(len(self.theta))]

    def summaries(self, u, groups, S):
        """ḡ, H̄ and the D^(3)_sss by the sums over subsets that define them."""
        P = range(len(self.theta))
        inside = [[p for p in P if groups[p] == s] for s in range(S)]
        first = [self.total.derivative(p) for p in P]
        g = [sum((u[p] * self.at(first[p]) for p in inside[s]), Fraction(0)) for s in range(S)]
        H = [[sum((u[p] * u[q] * self.at(first[p].derivative(q)) for p in inside[s] for q in inside[t]), Fraction(0))
              for t in range(S)] for s in range(S)]
        third = [Fraction(0)] * S
        for s in range(S):
            for p, q in itertools.product(inside[s], repeat=2):
                second = first[p].derivative(q)
                third[s] += sum(u[p] * u[q] * u[r] * self.at(second.derivative(r)) for r in inside[s])
        return g, H, third


# ------------------------------------------------------------------------------------------ power series in the step sizes

class Series:
    """A polynomial in η of total degree <= 3: {sorted tuple of indices: coefficient}."""

    def __init__(self, terms):
        self.terms = terms

    def __add__(self, other):
        out = dict(self.terms)
        for key, c in (other.terms if isinstance(other, Series) else {(): other}).items():
            out[key] = out.get(key, 0) + c
        return Series(out)

    __radd__ = __add__

    def __mul__(self, other):
        if not isinstance(other, Series):
            return Series({key: c * other for key, c in self.terms.items()})
        out = {}
        for (a, x), (b, y) in itertools.product(self.terms.items(), other.terms.items()):
            if len(a) + len(b) <= 3:
                key = tuple(sorted(a + b))
                out[key] = out.get(key, 0) + x * y
        return Series(out)

    __rmul__ = __mul__

    def through(self, derivatives):
        """f of it, from f, f′, f″, f‴ at its constant term."""
        rest = Series({key: c for key, c in self.terms.items() if key})
        out, power = Series({(): derivatives[0]}), Series({(): mpmath.mpf(1)})
        for k in (1, 2, 3):
            power = power * rest
            out = out + power * (derivatives[k] / factorial(k))
        return out


def bend(name, h):
    """f, f′, f″, f‴ of an activation at h, an mpf; also of exp, log and log(1 + exp), which the losses need."""
    one = mpmath.mpf(1)
    if name == "linear":
        return [h, one, 0 * one, 0 * one]
    if name == "relu":
        return [h, one, 0 * one, 0 * one] if h > 0 else [0 * one] * 4
    if name == "exp":
        return [mpmath.exp(h)] * 4
    if name == "log":
        return [mpmath.log(h), 1 / h, -1 / h**2, 2 / h**3]
    if name == "elu":
        return [h, one, 0 * one, 0 * one] if h > 0 else [mpmath.exp(h) - 1] + [mpmath.exp(h)] * 3
    if name == "tanh":
        t = mpmath.tanh(h)
        return [t, 1 - t**2, -2 * t * (1 - t**2), (1 - t**2) * (6 * t**2 - 2)]
    s = 1 / (1 + mpmath.exp(-h))
    slope = s * (1 - s)
    if name == "logistic":
        return [s, slope, slope * (1 - 2 * s), slope * (1 - 6 * slope)]
    assert name == "softplus"
    return [mpmath.log(1 + mpmath.exp(h)), s, slope, slope * (1 - 2 * s)]


class Truncated:
    """The loss along η ↦ θ + U I_{P:S} η, up to degree 3."""

    def __init__(self, net, theta, batch):
        self.net, self.theta, self.batch = net, theta, batch

    def along(self, u, groups):
        """The series of L(θ + U I_{P:S} η)."""
        widths, activations, loss = self.net
        moving = [Series({(): t, (s,): v}) for t, v, s in zip(self.theta, u, groups, strict=True)]

        def apply(name, h):
            return h.through(bend(name, h.terms[()]))

        total = Series({(): mpmath.mpf(0)})
        for example, target in zip(*self.batch, strict=True):
            outputs = forward(widths, activations, moving, example, apply)
            if loss == "softmax_ce":
                weight = Series({(): mpmath.mpf(0)})
                for output in outputs:
                    weight = weight + apply("exp", output)
                total = total + apply("log", weight)
            for output, y in zip(outputs, target, strict=True):
                if loss == "mse":
                    difference = output + -y
                    total = total + difference * difference * mpmath.mpf("0.5")
                elif loss == "bce":
                    total = total + apply("softplus", output) + output * -y
                else:
                    total = total + output * -y
        return total * (mpmath.mpf(1) / len(self.batch[0]))

    def loss(self):
        """L(θ)."""
        return self.along([mpmath.mpf(0)] * len(self.theta), [0] * len(self.theta)).terms[()]

    def gradient(self):
        """∂L/∂θ: every parameter by itself a subset."""
        P = len(self.theta)
        series = self.along([mpmath.mpf(1)] * P, range(P))
        return [series.terms.get((p,), mpmath.mpf(0)) for p in range(P)]

    def summaries(self, u, groups, S):
        """ḡ, H̄ and the D^(3)_sss from the coefficients: times 1, 2 on H̄'s diagonal, 6."""
        terms = self.along(u, groups).terms
        zero = mpmath.mpf(0)
        g = [terms.get((s,), zero) for s in range(S)]
        H = [[terms.get(tuple(sorted((s, t))), zero) * (2 if s == t else 1) for t in range(S)] for s in range(S)]
        return g, H, [6 * terms.get((s, s, s), zero) for s in range(S)]


# ------------------------------------------------------------------------------------------------------- the step sizes

def solve(A, b):
    """A⁻¹b by Gauss-Jordan, the largest pivot first."""
    n = len(b)
    rows = [[*row, x] for row, x in zip(A, b, strict=True)]
    for j in range(n):
        k = max(range(j, n), key=lambda i: abs(rows[i][j]))
        assert rows[k][j] != 0, "singular"
        rows[j], rows[k] = rows[k], rows[j]
        rows[j] = [x / rows[j][j] for x in rows[j]]
        for i in range(n):
            if i != j:
                rows[i] = [x - rows[i][j] * y for x, y in zip(rows[i], rows[j], strict=True)]
    return [row[n] for row in rows]


def definite(A):
    """Is A positive definite? Its pivots without exchanges."""
    rows = [list(row) for row in A]
    for j in range(len(rows)):
        if rows[j][j] <= 0:
            return False
        for i in range(j + 1, len(rows)):
            factor = rows[i][j] / rows[j][j]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[j], strict=True)]
    return True


def cubic_step_sizes(g, H, d, lam, bits):
    """The solution of (2) with the largest ‖Dη‖, generic case: at the r where the matrix is positive definite and r = ‖Dη‖.

    Above this r the matrix is definite and ‖Dη‖ < r, below it one of both fails: bisection. Rows with d_s = 0 are eliminated.
    """
    flat, bent = [s for s, x in enumerate(d) if x == 0], [s for s, x in enumerate(d) if x != 0]
    first = [solve([[H[s][t] for t in flat] for s in flat], column) for column in
             [[H[s][b] for s in flat] for b in bent] + [[g[s] for s in flat]]] if flat else [[] for _ in range(len(bent) + 1)]
    K = [[H[a][b] - sum(H[a][s] * x for s, x in zip(flat, first[j], strict=True)) for j, b in enumerate(bent)] for a in bent]
    c = [g[a] - sum(H[a][s] * x for s, x in zip(flat, first[-1], strict=True)) for a in bent]

    def at(r):
        matrix = [[K[i][j] + (lam * r * d[a] ** 2 / 2 if i == j else 0) for j in range(len(bent))] for i, a in enumerate(bent)]
        if not definite(matrix):
            return None, False
        eta = solve(matrix, c)
        return eta, sum((d[a] * x) ** 2 for a, x in zip(bent, eta, strict=True)) <= r * r

    low, high = mpmath.mpf(0), mpmath.mpf(1)
    while not at(high)[1]:
        high *= 2
    for _ in range(bits + 40):
        middle = (low + high) / 2
        low, high = (low, middle) if at(middle)[1] else (middle, high)
    eta = [None] * len(d)
    for a, x in zip(bent, at(high)[0], strict=True):
        eta[a] = x
    for i, s in enumerate(flat):
        eta[s] = first[-1][i] - sum(first[j][i] * eta[b] for j, b in enumerate(bent))
    return eta


def step_sizes(g, H, third, lam, bits):
    """compute_lr: (d, e). Subsets that nothing depends on keep e = 0; without a cubic term (1)."""
    S = len(g)
    d = [x if x == 0 else mpmath.cbrt(abs(x)) for x in third]
    live = [s for s in range(S) if g[s] or third[s] or any(H[s])]
    e = [g[s] * 0 for s in range(S)]
    part = [g[s] for s in live], [[H[s][t] for t in live] for s in live]
    found = cubic_step_sizes(*part, [d[s] for s in live], lam, bits) if lam and any(d) else solve(part[1], part[0])
    for s, x in zip(live, found, strict=True):
        e[s] = x
    return d, e


# ------------------------------------------------------------------------------------------------------------- Algorithm 1

def momentum(mu, a, b):
    """b where a is undefined, else μa + (1 − μ)b."""
    return b if a is None else [mu * x + (1 - mu) * y for x, y in zip(a, b, strict=True)]


def algorithm_1(algebra, net, theta, samples, groups, S, *, lam1, lam_int, mu_g, mu_eta, tau, positive, schedule=None, bits=0):
    """Yields a dict after every step; samples are pairs (of 𝒮_g, of 𝒮_h), each (x, y) as lists of rows.

    schedule: (f_sch, patience, threshold), applied after every step to the loss of the first sample, or None.
    """
    u = eta = best = None
    lam, bad = lam1, 0
    for t, (sample_g, sample_h) in enumerate(samples):
        out = {"g": algebra(net, theta, sample_g).gradient()}
        out["u"] = u = momentum(mu_g, u, out["g"])
        if t % tau == 0:
            out["g_bar"], out["H_bar"], out["D3_diag"] = algebra(net, theta, sample_h).summaries(u, groups, S)
            out["d"], out["e"] = step_sizes(out["g_bar"], out["H_bar"], out["D3_diag"], lam_int, bits)
            eta = momentum(mu_eta, eta, [x if x > 0 or not positive else 0 * x for x in out["e"]])
        out["eta"] = eta
        out["theta"] = theta = [x - lam * y * eta[s] for x, y, s in zip(theta, u, groups, strict=True)]
        if schedule is not None:
            factor, patience, threshold = schedule
            out["loss"] = loss = algebra(net, theta, sample_g).loss()
            if best is None or loss < best * (1 - threshold):
                best, bad = loss, 0
            else:
                bad += 1
            if bad > patience:
                lam, bad = lam * factor, 0
        out["lam"] = lam
        yield out
