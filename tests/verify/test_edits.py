"""Edits of an expression: each is one change, can be read, and leaves the tree that it starts from as it is."""

import ast

import pytest
from stepgauge.verify.edits import edits, renamed


def tree(text):
    return ast.parse(text, mode="eval").body


def of(text, *args):
    return {ast.unparse(edit.tree) for edit in edits(tree(text), *args)}


@pytest.mark.parametrize(("text", "wanted"), [
    ("a + b", {"a", "b", "a - b"}),
    ("a - b", {"a", "-b", "a + b", "b - a"}),
    ("A @ x", {"A", "x", "A * x", "x @ A", "A.T @ x"}),
    ("a / b", {"b / a", "a * b", "a"}),
    ("beta * H + (1 - beta) * x", {"(1 - beta) * H + beta * x", "beta * H + x", "beta * H", "beta * H + (beta - 1) * x",
                                   "beta * H - (1 - beta) * x", "beta * H + (1 - beta) * (x / N)", "beta * H + (2 - beta) * x"}),
    ("f(g(a, eps), p)", {"g(f(a, p), eps)", "f(p, g(a, eps))", "f(a, p)", "f(g(a, eps ** 2), p)", "f(g(a, xp.sqrt(eps)), p)"}),
    ("k % T == 0", {"k % T != 0", "(k - 1) % T == 0", "k % T == 1"}),
    ("x if c else y", {"x", "y", "y if c else x"}),
    ("-x", {"x"}),
    ("a and b", {"a", "b"}),
])
def test_what_people_write_in_the_place_of_an_expression(text, wanted):
    assert wanted <= of(text)


def test_words_may_stand_for_one_another_and_functions_for_those_like_them():
    assert {"H @ y", "y @ s", "H @ H"} <= of("H @ s", ("s", "y", "H"))
    assert {"each(lambda H, x: H, A, b)", "each(lambda H, x: x @ x, A, b)"} <= of("each(lambda H, x: H @ x, A, b)")
    siblings = {"bfgs_H": ["dfp_H"]}
    assert "dfp_H.trusted(H, s, y)" in of("bfgs_H.trusted(H, s, y)", (), siblings)
    assert "each(dfp_H.trusted, H)" in of("each(bfgs_H.trusted, H)", (), siblings)
    assert not {text for text in of("f(x)", ("x", "y")) if text.startswith(("x(", "y("))}


def test_every_edit_compiles_is_another_text_and_leaves_the_tree_alone():
    text = "each(lambda s, h_p: beta * s + (1 - beta) * (h_p - mean(h_p)), state.s_G if k > 1 else zeros, after.h)"
    before = tree(text)
    found = list(edits(before, ("s_G", "state.y_G")))
    assert len(found) > 200
    for edit in found:
        compile(ast.fix_missing_locations(ast.Expression(edit.tree)), "edit", "eval")
        assert ast.unparse(edit.tree) != text
        assert edit.new != edit.old
    assert ast.unparse(before) == text


def test_an_edit_is_shown_in_the_smallest_expression_that_can_be_read():
    shown = {(edit.new, edit.old): edit.size for edit in edits(tree("a + sqrt(b * c)"), ("d",))}
    assert shown[("b * d", "b * c")] == 2 + 3
    assert shown[("b * c", "sqrt(b * c)")] == len("sqrt()")
    assert ("a + sqrt(b * d)", "a + sqrt(b * c)") not in shown


def test_a_function_may_read_one_name_for_another_everywhere():
    function = ast.parse("def f(s, y):\n    t = s + y\n    return t @ t").body[0]
    found = {ast.unparse(edit.tree).split("\n    ", 1)[1] for edit in renamed(function, ["s", "y", "t"])}
    assert {"t = s + y\n    return s @ s", "t = y + y\n    return t @ t",
            "s = mean_of(s)\n    t = s + y\n    return t @ t"} <= found
    assert ast.unparse(function) == "def f(s, y):\n    t = s + y\n    return t @ t"
