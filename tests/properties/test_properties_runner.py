"""How checks are called and what they say: one input or drawn ones, exact or in floats, shapes, nan, the text of a failure."""

import re
from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from stepgauge.arrays import precision
from stepgauge.reference.parts import damping as reference
from stepgauge.verify.properties import PROPERTIES, batches, broyden, damping, invariance, kronecker, rational, run, strategies
from stepgauge.verify.properties.polynomials import Polynomial
from stepgauge.verify.properties.trial import Trial, cast


def vector(*values):
    return np.array([F(value) for value in values], dtype=object)


def scaled(factor):
    """A Kronecker product that is wrong by a factor."""
    return lambda A, B: np.kron(A, B) * factor


MATRICES = tuple(np.arange(size).reshape(shape) * F(1, 4) for size, shape in ((2, (1, 2)), (6, (2, 3)), (12, (3, 4))))


# One input

def test_one_input_passes_or_fails():
    kronecker.kron_row_major(np.kron, *MATRICES)
    with pytest.raises(AssertionError):
        kronecker.kron_row_major(scaled(2), *MATRICES)


def test_a_failure_says_which_equation_both_sides_and_the_inputs():
    with pytest.raises(AssertionError) as failure:
        damping.powell_identity_pins(lambda s, y, *, mu: (s, y + mu * s), vector(1, "1/2"), vector(3, 0), F(1, 5))
    assert str(failure.value) == "\n".join([
        "does not hold: sᵀỹ = max(sᵀy, μ sᵀs)",
        "  left = 13/4", "  right = 3", "  arithmetic = fraction", "  s = [1, 1/2]", "  y = [3, 0]", "  mu = 1/5"])


def test_a_failure_prints_matrices_polynomials_and_groups():
    loss = Polynomial({(2,): F(1, 2)}, 1)
    with pytest.raises(AssertionError) as failure:
        invariance.summaries_pins(lambda loss, theta, u, groups: (u, u[:, None], 0 * u), loss, vector(3), vector(1), ((0,),))
    assert str(failure.value) == "\n".join([
        "does not hold: ḡ = the derivative at η = 0 of L(θ + U I η)",
        "  left = [1]", "  right = [3]",
        "  arithmetic = fraction", "  loss = (1/2)·θ0^2", "  theta = [3]", "  u = [1]", "  groups = ((0))"])


ONE = vector(1, 0, 0, 1).reshape(2, 2)
A, X, B = MATRICES
PARABOLA = (Polynomial({(2,): F(1, 2)}, 1), vector(3), vector(1), ((0,),), vector(2), vector(1))   # L~ = (2θ~ + 1)²/2, θ~ = 1


def doubled_where(wrong):
    """A mode product that is doubled where `wrong(tensor, matrix, mode)`."""
    return lambda A, U, i: np.moveaxis(np.tensordot(U, A, (1, i - 1)), 0, i - 1) * (2 if wrong(A, U, i) else 1)


ONE_BY_ONE = [
    ("(A ⊗ Bᵀ) vec(X) = vec(AXB), vec by rows", kronecker.kron_row_major, scaled(2), MATRICES),
    ("block (i, j) of A ⊗ Bᵀ is A_ij Bᵀ", kronecker.kron_row_major, scaled(2), (A, 0 * X, B)),
    ("(Bᵀ ⊗ A) vec(X) = vec(AXB), vec by columns", kronecker.kron_column_major, scaled(2), MATRICES),
    ("block (i, j) of Bᵀ ⊗ A is B_ji A", kronecker.kron_column_major, scaled(2), (A, 0 * X, B)),
    ("vec(X)_(in + j) = X_ij", kronecker.vec_row_major, lambda x: 2 * x.ravel(), MATRICES),
    ("(A ⊗ Bᵀ) vec(X) = vec(AXB), vec by rows",
     kronecker.vec_row_major, lambda x: x.ravel() if x.shape == X.shape else x.ravel()[::-1], MATRICES),
    ("vec(X)_(i + jm) = X_ij", kronecker.vec_column_major, lambda x: 2 * x.T.ravel(), MATRICES),
    ("(Bᵀ ⊗ A) vec(X) = vec(AXB), vec by columns",
     kronecker.vec_column_major, lambda x: x.T.ravel() if x.shape == X.shape else x.ravel()[::-1], MATRICES),
    ("tr A^(1) = ‖A‖²", kronecker.contraction_pins, lambda A, i: 2 * A[:, None] * A, (vector(1, 2),)),
    ("A^(1)_jk = sum of slice j times slice k", kronecker.contraction_pins, lambda A, i: np.diag(A * A), (vector(1, 2),)),
    ("(A ×_1 U)_(…j′…) = Σ_j A_(…j…) U_j′j", kronecker.mode_product_pins, doubled_where(lambda A, U, i: True), (X, [A, B.T])),
    ("A ×_1 U ×_1 Uᵀ = A ×_1 UᵀU",
     kronecker.mode_product_pins, doubled_where(lambda A, U, i: U.shape == (2, 2)), (X, [A, B.T])),
    ("A ×_1 U ×_2 V = A ×_2 V ×_1 U",
     kronecker.mode_product_pins, doubled_where(lambda A, U, i: len(A) == 1 and i == 2), (X, [A, B.T])),
    ("As = a", broyden.hessian_action_pair, lambda H, a, A: (2 * H @ a, A @ H @ a), (ONE, ONE[0], F(1))),
    ("B⁺ is symmetric", broyden.bfgs_B_pins, lambda B, s, y: B + vector(0, 1, -1, 0).reshape(2, 2), (ONE, ONE[0], ONE[0])),
    ("vᵀH⁺w = vᵀHw − 0·(vᵀHy)(wᵀHy)/yᵀHy for v, w ⊥ s",
     broyden.bfgs_H_pins, lambda H, s, y: H * vector(1, 1, 2), (rational.identity(3), vector(0, 1, 0), vector(0, 1, 0))),
    ("μ₁ yᵀHy <= yᵀs̃",
     damping.dp_dlm_pins, lambda s, y, H, *, mu1, mu2: (s, y + mu2 * s), (-ONE[0], ONE[0], ONE, F(1, 5), F(1))),
    ("μ₂ s̃ᵀs̃ <= s̃ᵀỹ", damping.dp_dlm_pins, lambda s, y, H, *, mu1, mu2: (s, y), (vector(1, 1), ONE[0], ONE, F(1, 5), F(1))),
    ("ỹ = y where s̃ᵀy >= μ₂ s̃ᵀs̃",
     damping.double_damping_pins, lambda s, y, H, *, mu1, mu2: (s, s), (ONE[0], vector(1, 1), ONE, F(1, 5), F(1, 2))),
    ("H⁺ is invertible", damping.lemma_5, lambda H, s, y: 0 * H, (ONE, ONE[0], ONE[0])),
    ("ḡ~ = A²ḡ", invariance.summaries_invariance, lambda loss, theta, u, groups: (0 * u + 3, 0 * u[None], 0 * u), PARABOLA),
    ("φ(θ~⁺) = θ⁺", invariance.newton_step, lambda g, H: g / H[0] * (1 if H == 1 else 2), PARABOLA),
    ("H̄η = ḡ", invariance.newton_step, lambda g, H: 2 * g / H[0], PARABOLA),
    ("φ(θ~⁺) = θ⁺", invariance.whole_newton_step, lambda loss, theta, u, groups: 0 * theta, PARABOLA),
    ("θ⁺ = θ − U I H̄⁻¹ḡ", invariance.whole_newton_step, lambda loss, theta, u, groups: theta, PARABOLA),
    ("d~ = α²d", invariance.cubic_diagonal, lambda D3: np.array([2.0]), (np.array([8.0]), vector(2))),
    ("d³ = |D3|", invariance.cubic_diagonal, lambda D3: np.array([0.0]), (np.array([8.0]), vector(2))),
]


@pytest.mark.parametrize(("claim", "prop", "wrong", "inputs"), ONE_BY_ONE)
def test_claims_one_by_one(claim, prop, wrong, inputs):
    """Each of them can be the first to fail, most of them where no other claim fails."""
    with pytest.raises(AssertionError, match=f"^does not hold: {re.escape(claim)}\n"):
        prop(wrong, *inputs)


def lemma_4(y_t, bound, s=5):
    """s̃ = 1, μ₁ = 1/2, μ₂ = 1: the printed 1/μ₃ is 4, the best one 3."""
    return damping.lemma_4, lambda s, y, *, mu1, mu2: (vector(1), vector(y_t)), (vector(s), vector(1), F(1, 2), F(1)), bound


def lemma_5(H_plus, bound):
    """H = 1, s = 1, y = 2, so 1/μ₂ = 1/2, 1/μ₃ = 2: H⁺ is at most 4 + 1/2 as printed, at most 3/2, and B⁺ at most 1 + 2."""
    return damping.lemma_5, lambda H, s, y: vector(H_plus)[None], (vector(1)[None], vector(1), vector(2)), bound


def lemma_6(H, bound):
    """One pair, μ₁ = 1/2, λ = 1, so 1/√(μ₂μ₃) = 2: H is at most 9 + 1 and at least 1/(1 + 4)."""
    pairs = [(vector(1), vector(1))]
    return damping.lemma_6, lambda pairs, n, *, mu1, lam: vector(H)[None], (pairs, 1, F(1, 2), F(1)), bound


@pytest.mark.parametrize(("prop", "candidate", "inputs", "bound"), [
    lemma_4("1", None), lemma_4("999/1000", "μ₂ s̃ᵀs̃ <= s̃ᵀỹ"), lemma_4("3", None),
    lemma_4("3001/1000", "(μ₁/(μ₂(1 + μ₁))) ỹᵀỹ <= s̃ᵀỹ"), lemma_4("4", "(μ₁/(μ₂(1 + μ₁))) ỹᵀỹ <= s̃ᵀỹ"),
    lemma_4("3", None, s=-5), lemma_4("2", "(μ₁/(μ₂(1 + μ₁))) ỹᵀỹ = s̃ᵀỹ where s is parallel to y", s=-5),
    lemma_4("4001/1000", "μ₃ ỹᵀỹ <= s̃ᵀỹ with μ₃ = μ₁/(μ₂(1 + 2μ₁))"),
    lemma_5("3/2", "H⁺y = s"), lemma_5("1501/1000", "(‖H‖/(μ₂μ₃) + 1/μ₂)I − H⁺ is positive semidefinite"),
    lemma_5("9/2", "(‖H‖/(μ₂μ₃) + 1/μ₂)I − H⁺ is positive semidefinite"),
    lemma_5("4501/1000", "((1 + 1/√(μ₂μ₃))²‖H‖ + 1/μ₂)I − H⁺ is positive semidefinite"),
    lemma_5("1/3", "H⁺y = s"), lemma_5("333/1000", "(‖B‖ + 1/μ₃)I − B⁺ is positive semidefinite"), lemma_5("1/2", None),
    lemma_6("10", "HB = I"), lemma_6("10001/1000", "κ̄I − H is positive semidefinite"),
    lemma_6("1/5", "HB = I"), lemma_6("199/1000", "H − I/(λ_G + p/μ₃) is positive semidefinite"),
])
def test_the_constants_of_the_bounds(prop, candidate, inputs, bound):
    if bound is None:
        return prop(candidate, *inputs)
    with pytest.raises(AssertionError, match=f"^does not hold: {re.escape(bound)}\n"):
        prop(candidate, *inputs)


# Answers that are no answers

@pytest.mark.parametrize(("answer", "text"), [
    (lambda s, y: (s[:, None], y), "s̃ has shape (2,)\n  shape = (2, 1)"),
    (lambda s, y: (s, y[:1]), "ỹ has shape (2,)\n  shape = (1)"),
    (lambda s, y: (s, None), "ỹ has shape (2,)\n  shape = ()"),
    (lambda s, y: (s, y, F(1)), "the answer is (s̃, ỹ)\n"),
    (lambda s, y: None, "the answer is (s̃, ỹ)\n  answer = None"),
    (lambda s, y: s, "s̃ has shape (2,)\n  shape = ()"),
    (lambda s, y: (s, np.array([1.0, 2.0])),
     "ỹ stays in exact arithmetic (arithmetic='float64' judges float code)\n  ỹ = [1.0, 2.0]"),
    (lambda s, y: (s, y * 1.0), "ỹ stays in exact arithmetic"),
    (lambda s, y: ([1.0, 2], y), "s̃ stays in exact arithmetic"),
    (lambda s, y: (s, np.array([1j, 2])), "ỹ consists of finite real numbers ("),
    (lambda s, y: (s, ["1", None]), "ỹ consists of finite real numbers ("),
], ids=["column", "short", "none", "three", "nothing", "one", "floats", "objects that are floats", "list", "complex", "text"])
def test_answers_that_no_equation_is_tried_on(answer, text):
    with pytest.raises(AssertionError, match=f"^does not hold: {re.escape(text)}"):
        damping.powell_identity_pins(lambda s, y, *, mu: answer(s, y), vector(1, 2), vector(3, 0), F(1, 5))


def test_a_statistic_has_one_shape_whatever_the_number_of_examples():
    X = vector(1, 2, 3, 4)[:, None, None]
    with pytest.raises(AssertionError, match=r"^does not hold: statistic has shape \(4,\)\n  shape = \(8\)"):
        batches.duplication_of_the_batch(lambda X: X[:, 0, 0], X, 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_inf_are_no_answers(bad):
    s = np.array([1.0, 2.0])
    with pytest.raises(AssertionError, match=r"^does not hold: ỹ consists of finite real numbers \(value: expected a f"):
        damping.powell_identity_pins(lambda s, y, *, mu: (s, y * bad), s, s, 0.5)


def test_answers_may_be_lists_integers_or_named():
    damping.powell_identity_pins(lambda s, y, *, mu: ([1, 2], np.array([3, 0])), vector(1, 2), vector(3, 0), F(1, 5))
    damping.powell_identity_pins(reference.powell_identity, vector(1, 2), vector(3, 0), F(1, 5))


def test_what_the_candidate_raises_passes_through():
    def broken(A, B):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        kronecker.kron_row_major(broken, *MATRICES)
    with pytest.raises(KeyError, match="mine"):
        run(kronecker.kron_row_major, broken)


# Exact, and in floats

@pytest.mark.parametrize("arithmetic", ["fraction", "fmpq"])
def test_exact_means_exact(arithmetic):
    run(kronecker.kron_row_major, np.kron, examples=20, arithmetic=arithmetic)
    with pytest.raises(AssertionError, match=rf"^does not hold: [^=]*=[^=]*\n(.*\n)*  arithmetic = {arithmetic}\n"):
        run(kronecker.kron_row_major, lambda A, B: np.kron(A, B) * (10**40 + 1) / 10**40, examples=20, arithmetic=arithmetic)


@pytest.mark.parametrize(("arithmetic", "bits"), [("float64", 26), ("float32", 12), ("mpf", 50)])
def test_floats_are_judged_to_half_of_their_digits(arithmetic, bits):
    with precision(100):
        run(kronecker.kron_row_major, scaled(1 + 2.0 ** -(bits + 1)), examples=20, arithmetic=arithmetic)
        with pytest.raises(AssertionError, match=rf"\n  arithmetic = {arithmetic}\n"):
            run(kronecker.kron_row_major, scaled(1 + 2.0 ** -(bits - 2)), examples=20, arithmetic=arithmetic)


def test_the_cubic_step_in_many_digits():
    """Bisection on (2) in mpmath at 120 bits, of which half are 18 decimal digits."""
    def step(g, H, d, lam):
        def eta(r):
            return mpmath.lu_solve(mpmath.matrix((H + np.diag(lam / 2 * r * d**2)).tolist()), mpmath.matrix(g.tolist()))

        def length(r):
            return mpmath.norm([d_s * eta_s for d_s, eta_s in zip(d, eta(r), strict=True)])

        lowest = min(mpmath.eigsy(mpmath.matrix((H / d / d[:, None]).tolist()), eigvals_only=True))
        low = max(mpmath.mpf(0), -2 * lowest / lam)
        high = low + 2**10
        for _ in range(130):
            middle = (low + high) / 2
            low, high = (middle, high) if length(middle) > middle else (low, middle)
        return np.array(list(eta(high)), dtype=object)

    with precision(120):
        run(invariance.cubic_step, step, examples=3, arithmetic="mpf")
        with pytest.raises(AssertionError, match=r"^does not hold: the step is η\n"):
            run(invariance.cubic_step, lambda *inputs: step(*inputs) * (1 + mpmath.mpf("1e-15")), examples=1, arithmetic="mpf")


def test_unknown_arithmetic():
    with pytest.raises(ValueError, match=r"^kind: expected one of "):
        run(kronecker.kron_row_major, np.kron, arithmetic="decimal")


def test_cast():
    tree = (vector(1, "1/2"), [F(1, 4), 3], ((0, 1),), Polynomial({(1,): F(1, 2)}, 1))
    x, (number, integer), groups, loss = cast(tree, "float64")
    assert x.dtype == np.float64
    assert x.tolist() == [1, 0.5]
    assert (type(number), number) == (np.float64, 0.25)
    assert (integer, groups) == (3, ((0, 1),))
    assert {powers: type(c) for powers, c in loss.terms.items()} == {(1,): np.float64}


@pytest.mark.parametrize(("arithmetic", "slack"), [
    ("fraction", 0), ("fmpq", 0), ("float32", F(1, 2**12)), ("float64", F(1, 2**26)), ("mpf", F(1, 2**50))])
def test_the_arithmetic_is_that_of_the_inputs(arithmetic, slack):
    with precision(100):
        for value in cast((vector(1, "1/2"), F(1, 2), [(vector(3),)], Polynomial({(1,): F(1, 2)}, 1)), arithmetic):
            trial = Trial(n=3, value=value)
            assert (trial.arithmetic, trial.slack) == (arithmetic, slack)
            assert trial.given(vector("1/4"))[0] == cast(vector("1/4"), arithmetic)[0]


def test_properties_whose_answers_are_not_rational_run_in_floats():
    kinds = []
    invariance.cubic_diagonal(lambda D3: kinds.append(D3.dtype) or np.cbrt(abs(D3)), examples=5)
    assert set(kinds) == {np.dtype(float)}


# Drawn inputs

def test_drawn_inputs_are_the_same_at_every_call():
    def record(into):
        return lambda A, B: into.append((A.tolist(), B.tolist())) or np.kron(A, B)

    one, other = [], []
    kronecker.kron_row_major(record(one))
    run(kronecker.kron_row_major, record(other))
    assert one == other
    assert len(one) == 100
    assert len({str(inputs) for inputs in one}) > 50
    few = []
    kronecker.kron_row_major(record(few), examples=10)
    assert len(few) == 10


def test_the_input_reported_is_a_simple_one():
    def reports(shrink):
        with pytest.raises(AssertionError) as failure:
            run(damping.powell_on_H_pins, lambda s, y, H, *, mu: (s, y), shrink=shrink)
        return str(failure.value)

    assert "\n  H = [[1]]\n" in reports(shrink=True)
    assert len(reports(shrink=True)) <= len(reports(shrink=False))


def test_candidates_may_work_in_place():
    def in_place(s, y, *, mu):
        y_t = reference.powell_identity(s, y, mu=mu).y_t
        y[:] = y_t
        s *= 1
        return s, y

    damping.powell_identity_pins(in_place, examples=20)
    s, y = vector(1, 2), vector(-3, 0)
    damping.powell_identity_pins(in_place, s, y, F(1, 5))
    assert (s.tolist(), y.tolist()) == ([1, 2], [-3, 0])


@settings(derandomize=True, deadline=None, database=None, max_examples=20)
@given(damping.double_damping_pins.inputs)
def test_inside_a_hypothesis_test(inputs):
    damping.double_damping_pins(reference.double_damping, *inputs)


@settings(derandomize=True, deadline=None, database=None, max_examples=20)
@given(strategies.dpi_dlm())
def test_a_strategy_feeds_the_checks_of_one_procedure(inputs):
    damping.dpi_dlm_pins(reference.dpi_dlm, *inputs)
    damping.lemma_4(reference.dpi_dlm, *inputs)


# The list

def test_every_property_says_what_it_states_takes_and_catches():
    for name, prop in PROPERTIES.items():
        assert name.split(".")[1] == prop.__name__
        text = prop.__doc__
        assert all(f"\n    {word}  " in text for word in ("Takes  ", "Catches")), name
        assert re.search(r"\b[RW] \(|\b[RW] (Theorem|Lemma|Section|Algorithm|Appendix|Proposition|chapter)", text), name
        assert re.search(r"\((n|m|q|k|N|S|P|d_1)", text), name
        assert str(prop) == f"<property {name}>"
