"""The reductions behind the statements on W are faithful: from vectors to the few numbers that their checks decide about."""

import random
from fractions import Fraction as Q

import flint
import pytest
from stepgauge.proofs_check.checks import satisfied
from stepgauge.proofs_check.fields import Field, dot
from stepgauge.proofs_check.grouped import algorithm_1, common, diagonal, equation_6, method_4_1, prose_uniqueness, section_2_2


def fraction(x):
    return Q(int(x.p), int(x.q))


@pytest.mark.parametrize("seed", range(10))
def test_sturm_counts_what_the_roots_of_the_polynomial_say(seed):
    draw = random.Random(seed)
    k = [draw.randint(-3, 3) for _ in range(3)]
    c = [Q(draw.randint(0, 4), draw.randint(1, 5)) for _ in range(3)]
    kept = {x: sum(b * b for a, b in zip(k, c, strict=True) if a == x) for x in k}
    kept = {x: square for x, square in kept.items() if square}
    F = flint.fmpq_poly([0, 0, 1])
    for x in kept:
        F *= flint.fmpq_poly([x, 1]) ** 2
    for x, square in kept.items():
        term = flint.fmpq_poly([flint.fmpq(square.numerator, square.denominator)])
        for y in kept:
            term *= flint.fmpq_poly([y, 1]) ** 2 if y != x else 1
        F -= term
    real = [root.real for root, _ in F.complex_roots() if root.imag == 0]
    for bound in (0, 1, 3):
        assert diagonal.roots_above(k, c, 2, bound) == sum(root > bound for root in real)


def test_kantorovichs_four_numbers_are_those_of_a_matrix():
    form = section_2_2.kantorovich()
    for seed in range(20):
        field = Field(None, seed)
        eigenvalues = sorted(abs(field.draw()) for _ in range(3))
        skew = field.matrix(3, 3)
        skew = skew - skew.transpose()
        rotation = (field.eye(3) - skew) * (field.eye(3) + skew).inv()
        H = rotation * field.diagonal(eigenvalues) * rotation.transpose()
        g = field.vector(3)
        m, i = dot(g, H * g) / dot(g, g), dot(g, H.solve(g)) / dot(g, g)
        point = [fraction(x) for x in (eigenvalues[0], eigenvalues[-1], m, i)]
        assert satisfied(form, point)
        assert form.conclusion(*point) >= 0


def test_solutions_of_the_cubic_problem_satisfy_what_is_said_of_their_norms():
    form = method_4_1.falls()
    for seed in range(20):
        field = Field(None, seed)
        H, g, lam, D, (eta, r), (zeta, rho) = method_4_1.two_solutions(field, 3)
        if lam > 0 and r != rho:
            (eta, r), (zeta, rho) = sorted(((eta, r), (zeta, rho)), key=lambda pair: pair[1])
            q = dot(D * (zeta - eta), D * (zeta - eta))
            point = [fraction(x) for x in (r, rho, q)]
            assert satisfied(form, point)
            gap = common.cubic_model(H, g, lam, eta, r) - common.cubic_model(H, g, lam, zeta, rho)
            assert fraction(gap * 48 / lam) - 4 * (point[1] - point[0]) ** 3 == form.conclusion(*point) >= 0


def test_the_hard_case_is_where_no_root_lies_beyond():
    for k, c, lam in equation_6.cases():
        lowest = Q(2 * abs(k[0]), lam)
        near = lowest + Q(1, 10**9)
        if k[0] + Q(lam) * near / 2 > 0:
            above = sum((Q(b) / (a + Q(lam) * near / 2)) ** 2 for a, b in zip(k, c, strict=True)) > near**2
            assert above == bool(equation_6.beyond(k, c, lam)), "is the right side of (6) larger than r just beyond?"


def test_a_solution_with_an_inverse_is_counted_where_it_can_be_seen():
    assert prose_uniqueness.invertible((-1, 1), (0, 2)) == 0, "η′ = (0, 1) makes K + 1 singular"
    assert list(prose_uniqueness.singular((-1, 1), (0, 2))) == [(1, 0)]
    assert prose_uniqueness.invertible((-1, 1), (0, 0)) == 1, "η′ = 0"
    assert prose_uniqueness.invertible((0, 1), (0, 0)) == 0
    assert list(prose_uniqueness.singular((-2, -1), (0, 0))) in ([(2, 4), (1, 1)], [(1, 1), (2, 4)]), "±2e_1 and ±e_2"


def test_a_run_without_departures_is_newtons_method():
    field = Field(None, 0)
    L = {(0,): field.number(1), (1,): field.number(2), (0, 0): field.number(1), (0, 1): field.number(1), (1, 1): field.number(2)}
    (theta, _), = algorithm_1.run(field, L, field.zeros(2, 1), 2, lam=(1,), steps=1, positive=False)
    H, g = field.build(2, 2, lambda i, j: field.number([[2, 1], [1, 4]][i][j])), field.build(2, 1, lambda i, _: field.number(i + 1))
    assert theta == -H.solve(g)
