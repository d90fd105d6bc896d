"""No tolerance without a reason: comparisons name their bounds, and every small number in the rooms is listed with its why."""

import ast
import json
from pathlib import Path

import pytest

LISTED = json.loads((Path(__file__).parent / "tolerances.json").read_text(encoding="utf-8"))
COMPARISONS = {"allclose": {"rtol", "atol"}, "assert_allclose": {"rtol", "atol"}, "isclose": {"rtol", "atol"},
               "math.isclose": {"rel_tol", "abs_tol"}, "approx": {"abs"}}   # abs switches approx.s default rel off
BANNED = {"assert_almost_equal", "assert_array_almost_equal", "assert_approx_equal", "assertAlmostEqual", "almosteq"}
SMALL = 0.01


def bare_comparisons(source):
    """Complaints about comparisons that lean on somebody's default bounds."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            full = ast.unparse(node.func)
            name = full.rsplit(".", 1)[-1]
            needed = COMPARISONS.get(full, COMPARISONS.get(name, set()))
            if name in BANNED:
                yield f"{source.path}:{node.lineno}: {name} hides its bound; compare with == or with a bound that you can justify"
            elif needed - {keyword.arg for keyword in node.keywords}:
                yield f"{source.path}:{node.lineno}: {name} needs {' and '.join(sorted(needed))}, each with a reason beside it"


def value_of(node):
    """The number that an expression of literals stands for, or None: 1e-8, 2.0**-40, Fraction(1, 10**8), 3 * 2**-52."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = value_of(operand)
            return None if value is None else -value
        case ast.BinOp(left=left, op=ast.Pow() | ast.Div() | ast.Mult() as op, right=right):
            a, b = value_of(left), value_of(right)
            if a is None or b is None or (isinstance(op, ast.Div | ast.Pow) and b == a == 0) or abs(b) > 10**4:
                return None
            try:
                return a**b if isinstance(op, ast.Pow) else a / b if isinstance(op, ast.Div) else a * b
            except (ZeroDivisionError, OverflowError):
                return None
        case ast.Call(func=ast.Name(id="Fraction") | ast.Attribute(attr="mpf" | "ldexp"), args=[first, second]):
            a, b = value_of(first), value_of(second)
            return a / b if a is not None and b else None
    return None


def small_numbers(source):
    """{text of the expression: first line} of every number up to 0.01, and of every use of finfo."""
    found = {}

    def visit(node):
        value = value_of(node)
        if value is not None:
            if 0 < abs(value) <= SMALL:
                found.setdefault(ast.unparse(node), node.lineno)
            return
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith((".finfo", "float_info.epsilon", "mp.eps")):
            found.setdefault(ast.unparse(node), node.lineno)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(source.tree)
    return found


def unlisted(found, listed, path):
    for text, line in found.items():
        if text not in listed:
            yield (f"{path}:{line}: {text} is a tolerance or a default that nobody has justified; derive it from the unit roundoff "
                   f"and sizes, or list it in tests/house/tolerances.json with its reason")
    for text in set(listed) - set(found):
        yield f"{path}: {text} is listed in tests/house/tolerances.json but no longer used; drop it there"


def test_comparisons_name_their_bounds(sources):
    broken = [line for source in sources for line in bare_comparisons(source)]
    assert not broken, "\n".join(broken)


def test_every_small_number_has_a_reason(sources, rooms):
    found = {source.path: small_numbers(source) for source in sources if source.path.split("/")[0] in rooms}
    broken = [line for path in sorted({*found, *LISTED}) for line in unlisted(found.get(path, {}), LISTED.get(path, {}), path)]
    assert not broken, "\n".join(broken)
    assert all(len(reason) > 10 for listed in LISTED.values() for reason in listed.values()), "a reason is a phrase"


@pytest.mark.parametrize("text", [
    "np.allclose(a, b)", "np.allclose(a, b, rtol=1e-3)", "assert_allclose(a, b, atol=0)", "np.testing.assert_allclose(a, b)",
    "math.isclose(a, b)", "math.isclose(a, b, rel_tol=0)", "pytest.approx(a)", "approx(a, rel=0)", "xp.isclose(a, b)",
    "np.testing.assert_almost_equal(a, b, decimal=9)", "mpmath.almosteq(a, b)",
])
def test_a_bare_comparison_is_seen(source_of, text):
    assert list(bare_comparisons(source_of("tests/a.py", text)))


def test_a_comparison_with_bounds_is_allowed(source_of):
    text = "np.allclose(a, b, rtol=0, atol=bound); math.isclose(a, b, rel_tol=u, abs_tol=0); pytest.approx(a, rel=u, abs=0)"
    assert not list(bare_comparisons(source_of("tests/a.py", text)))


@pytest.mark.parametrize("text", [
    "1e-8", "-1e-8", "2.0**-40", "Fraction(1, 10**8)", "3 * 2**-52", "1 / 1000", "10**-6", "np.finfo(x).eps", "xp.finfo(x).eps",
    "sys.float_info.epsilon", "mpmath.mp.eps",
])
def test_a_small_number_is_seen(source_of, text):
    source = source_of("verify/a.py", f"def f(x, tol={text}):\n    return x")
    found = small_numbers(source)
    assert len(found) == 1
    assert list(unlisted(found, {}, source.path))
    assert not list(unlisted(found, dict.fromkeys(found, "because"), source.path))


def test_ordinary_numbers_are_left_alone(source_of):
    text = "x = [0, 0.0, 1, 0.5, 0.02, Fraction(1, 5), 2**10, 1e8, 'a 1e-8', hyper.eps, -3, x**-2, True]"
    assert not small_numbers(source_of("verify/a.py", text))
    assert list(unlisted({}, {"1e-8": "no longer there"}, "verify/a.py"))
