"""The reference's source with stops: which lines are tagged, in what order they stop, and that nothing else changes."""

import importlib.util
import sys

import numpy as np
import pytest
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.verify.cases import suite
from stepgauge.verify.procedures import PROCEDURES
from stepgauge.verify.source import instrument, tagged_names, tags_by_line

SAMPLE = '''
"""A module to look at: R9.9 in a docstring is no tag."""
from typing import NamedTuple

class Pair(NamedTuple):
    s: float
    y: float

def first(x):
    a = x + 1                            # R3.2
    b = a * 2                            # R3.3 R3.4  two tags, then words R9.1
    c = b - 1                            # words before R3.5 make it none
    text = "# R3.6"
    c = (c
         + 10)                           # KB1.7
    d, e = c, -c                         # R(2.11)
    return d + e + c                     # R\N{SECTION SIGN}2.8.2

def second(x):
    a = first(x) / 2                     # W1.2
    def inner(t):
        u = t * t                        # R18.10
        return u
    z = inner(a)                         # R4.1
    return Pair(a, z)                    # R3.6

def third(x):
    return x                             # nothing
'''


@pytest.fixture
def sample(tmp_path):
    file = tmp_path / "sample_of_source.py"
    file.write_text(SAMPLE)
    spec = importlib.util.spec_from_file_location("sample_of_source", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorded(answers=None):
    seen = []

    def stop(tag, function, name, value):
        seen.append((tag, function, name, value))
        return (answers or {}).get(name, value)

    return seen, stop


@pytest.mark.parametrize(
    ("comment", "tags"),
    [
        ("# R4.16", ("R4.16",)),
        ("#R4.16", ("R4.16",)),
        ("# R8.2 R8.3 R8.5", ("R8.2", "R8.3", "R8.5")),
        ("# R3.3  Powell's damping on H", ("R3.3",)),
        ("# R§2.8.2 and more R1.1", ("R§2.8.2",)),
        ("# R(2.6)  H⁺", ("R(2.6)",)),
        ("# KB1.4", ("KB1.4",)),
        ("# W1.2", ("W1.2",)),
        ("# see R4.16", None),
        ("# R4", None),
        ("# R4.16, R4.17", None),
        ("# X1.2", None),
        ("# R4.16a", None),
        ("#", None),
    ],
)
def test_a_comment_is_tagged_by_the_words_that_it_starts_with(comment, tags):
    assert tags_by_line(f"x = 1\ny = x + 1  {comment}\n") == ({2: tags} if tags else {})


def test_tags_in_strings_are_none():
    assert tags_by_line('x = "# R1.1"  # R1.2\ny = """\n# R1.3\n"""\n') == {1: ("R1.2",)}


def test_stops_come_at_tagged_lines_in_order_with_their_values(sample):
    seen, stop = recorded()
    assert instrument(sample, stop, {})["second"](1) == sample.second(1)
    assert [(tag, function, name) for tag, function, name, _ in seen] == [
        ("R3.2", "first", "a"), ("R3.3 R3.4", "first", "b"), ("KB1.7", "first", "c"), ("R(2.11)", "first", ("d", "e")),
        ("R§2.8.2", "first", "result"), ("W1.2", "second", "a"), ("R18.10", "inner", "u"), ("R4.1", "second", "z")]
    assert [value for *_, value in seen] == [2, 4, 13, (13, -13), 13, 6.5, 42.25, 42.25]


def test_the_answer_is_what_the_following_lines_read(sample):
    _, stop = recorded({"b": 100, "u": -1})
    pair = instrument(sample, stop, {})["second"](1)
    assert pair == (54.5, -1)
    assert sample.second(1) == (6.5, 42.25)


def test_rewrites_replace_right_hand_sides(sample):
    _, stop = recorded()
    assert instrument(sample, stop, {"b": "a * 3"})["first"](1) == 15
    assert instrument(sample, stop, {"second.a": "x"})["second"](1) == (1, 1)
    assert instrument(sample, stop, {"a": "x", "b": "2 * a"})["first"](1) == 11
    assert instrument(sample, stop, {"result": "-c"})["first"](1) == -13
    seen, stop = recorded()
    instrument(sample, stop, {"first.b": "0"})["first"](1)
    assert [value for _, _, name, value in seen if name == "b"] == [0]


@pytest.mark.parametrize("name", ["text", "nothing", "third.result", "second.b", "s", "first.z", "a.first"])
def test_a_rewrite_of_no_tagged_line_is_refused(sample, name):
    with pytest.raises(ValueError, match=f"rewrites: .*{name}"):
        instrument(sample, lambda *stop: stop[-1], {"first.b": "0", name: "0"})


def test_names_by_function_with_their_tags(sample):
    found = {function: dict(names) for function, names in tagged_names(sample).items()}
    assert found == {
        "first": {"a": "R3.2", "b": "R3.3 R3.4", "c": "KB1.7", "d": "R(2.11)", "e": "R(2.11)", "result": "R§2.8.2"},
        "second": {"a": "W1.2", "z": "R4.1"}, "inner": {"u": "R18.10"}}


def _trajectory(method, step, case):
    params, state, found = case.params, method.init(case.model, case.params, case.data, case.hyper), []
    for batch in case.batches:
        params, state, trace = step(case.model, params, state, batch, case.hyper)
        found += [params, tuple(state), tuple(trace)]
    return found


def _bits(tree):
    if isinstance(tree, tuple | list):
        return [_bits(branch) for branch in tree]
    return tree.tobytes() if isinstance(tree, np.ndarray) else tree


@pytest.mark.parametrize(("method", "name"), [(method, suite(method)[i]) for method in METHODS for i in (1, -1)])
def test_stops_that_hand_back_what_they_get_change_no_bit_of_a_method(method, name):
    case, = verify.cases(method, [name])
    seen, stop = recorded()
    space = instrument(sys.modules[METHODS[method].step.__module__], stop, {})
    assert _bits(_trajectory(METHODS[method], space["step"], case)) == _bits(
        _trajectory(METHODS[method], METHODS[method].step, case)
    )
    assert len(seen) >= case.steps


def _parts(result):
    """The arrays that a procedure returns: one, or a tuple or list of them, or of tuples and lists."""
    return tuple(array for part in result for array in _parts(part)) if isinstance(result, tuple | list) else (np.asarray(result),)


@pytest.mark.parametrize("name", PROCEDURES)
def test_stops_that_hand_back_what_they_get_change_no_bit_of_a_procedure(name):
    procedure = PROCEDURES[name]
    seen, stop = recorded()
    instrumented = instrument(procedure.module, stop, {})[procedure.function]
    for inputs in procedure.inputs():
        plain = getattr(procedure.module, procedure.function)(*inputs.args, **inputs.kwargs)
        assert _bits(_parts(instrumented(*inputs.args, **inputs.kwargs))) == _bits(_parts(plain))
    met = {name for _, function, quantity, _ in seen if function == procedure.function
           for name in (quantity if isinstance(quantity, tuple) else [quantity])}
    assert met == set(tagged_names(procedure.module)[procedure.function])


@pytest.mark.parametrize("method", ["sgd_m", "adam", "rmsprop"])
def test_every_quantity_of_a_trace_is_computed_on_a_line_that_carries_its_tag(method):
    module = METHODS[method]
    assert set(module.LINES) == set(module.Trace._fields)
    assert {name: tag for name, tag in tagged_names(module)["step"].items() if name in module.LINES} == module.LINES
