"""W's Method 4.1 and Algorithm 1, written from the text alone: lists, loops and one number at a time.

Numbers are anything with + − × ÷ and <: Fraction, mpmath's mpf. A loss is a function of the flat list of parameters; its
derivatives come from the definition, as limits are out of reach of a program: `derivatives` asks for the polynomial that the loss
is (tests/nets/polynomials.py) or, with mpmath, for its Taylor polynomial by interpolation.
"""

from itertools import product


def momentum(mu, a, b):
    """b if a is undefined, else μa + (1 − μ)b."""
    return list(b) if a is None else [mu * x + (1 - mu) * y for x, y in zip(a, b, strict=True)]


def matrix_of(partition, P):
    """I_{S:P}: (I_{S:P})_sp = 1 if p ∈ I_s, 0 otherwise."""
    return [[1 if p in subset else 0 for p in range(P)] for subset in partition]


def summaries(partition, u, gradient, hessian, third):
    """ḡ = I_{S:P} U g, H̄ = I_{S:P} U H U I_{P:S}, and the diagonal of D^(3) as the sum over p, q, r ∈ I_s."""
    P, S = len(u), len(partition)
    I = matrix_of(partition, P)
    g_bar = [sum(I[s][p] * u[p] * gradient[p] for p in range(P)) for s in range(S)]
    H_bar = [[sum(I[s][p] * u[p] * hessian[p][q] * u[q] * I[t][q] for p, q in product(range(P), repeat=2)) for t in range(S)]
             for s in range(S)]
    D3 = [sum(u[p] * u[q] * u[r] * third(p, q, r) for p, q, r in product(subset, repeat=3)) for subset in partition]
    return g_bar, H_bar, D3


def solved(A, b):
    """A⁻¹b by Gauss's elimination with the first pivot that is not 0, or None."""
    n = len(b)
    rows = [[*A[i], b[i]] for i in range(n)]
    for j in range(n):
        k = max(range(j, n), key=lambda i: abs(rows[i][j]))
        if rows[k][j] == 0:
            return None
        rows[j], rows[k] = rows[k], rows[j]
        for i in range(n):
            if i != j:
                factor = rows[i][j] / rows[j][j]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[j], strict=True)]
    return [rows[i][n] / rows[i][i] for i in range(n)]


def definite(A):
    """Are all pivots of elimination without exchanges positive?"""
    A = [list(row) for row in A]
    n = len(A)
    for j in range(n):
        if not A[j][j] > 0:
            return False
        for i in range(j + 1, n):
            factor = A[i][j] / A[j][j]
            A[i] = [x - factor * y for x, y in zip(A[i], A[j], strict=True)]
    return True


def shifted(H, d, lam, r):
    """H̄ + (λ/2) r D²."""
    return [[H[s][t] + (lam / 2 * r * d[s] * d[s] if s == t else 0) for t in range(len(d))] for s in range(len(d))]


def radius(eta, d, sqrt):
    return sqrt(sum((x * y) ** 2 for x, y in zip(eta, d, strict=True)))


def compute_lr(g, H, d, lam, sqrt, halvings):
    """(2) with the largest ‖Dη‖ for d > 0, outside of the hard case, by bisection in r over the r with H̄ + (λ/2) r D² ≻ 0."""
    if lam == 0:
        return solved(H, g)

    def too_small(r):
        M = shifted(H, d, lam, r)
        return not definite(M) or radius(solved(M, g), d, sqrt) > r

    low, high = 0 * lam, lam / lam
    while too_small(high):
        low, high = high, 2 * high
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if too_small(middle) else (low, middle)
    return solved(shifted(H, d, lam, high), g)


def plateau(lam, best, bad, loss, patience, factor, threshold):
    """torch's ReduceLROnPlateau in mode "min" with a relative threshold."""
    if best is None or loss < best * (1 - threshold):
        best, bad = loss, 0
    else:
        bad += 1
    if bad > patience:
        lam, bad = lam * factor, 0
    return lam, best, bad


def algorithm_1(theta, batches, samples, gradient_of, summaries_of, losses, hyper, sqrt, cbrt, halvings):
    """Algorithm 1: yields θ, u, the summaries, e and η after every step; all as lists.

    batches, samples: what 𝒮_g and 𝒮_h hand over in every step; losses: the training loss from θ, for the schedule.
    """
    lam, u, eta, best, bad = hyper["lam1"], None, None, None, 0
    for t, batch in enumerate(batches):
        g = gradient_of(theta, batch)
        u = momentum(hyper["mu_g"], u, g)
        g_bar = H_bar = D3 = e = None
        if t % hyper["tau"] == 0:
            g_bar, H_bar, D3 = summaries_of(theta, u, samples[t])
            d = [cbrt(abs(x)) for x in D3]
            e = compute_lr(g_bar, H_bar, d, hyper["lam_int"], sqrt, halvings)
            eta = momentum(hyper["mu_eta"], eta, [x if x > 0 else 0 * x for x in e] if hyper["positive"] else e)
        theta = list(theta)
        for s, subset in enumerate(hyper["partition"]):
            for p in subset:
                theta[p] = theta[p] - lam * u[p] * eta[s]
        yield theta, u, g_bar, H_bar, D3, e, eta, lam
        if (t + 1) % hyper["N_sch"] == 0:
            lam, best, bad = plateau(lam, best, bad, losses(theta), hyper["p_sch"], hyper["f_sch"], hyper["threshold"])
