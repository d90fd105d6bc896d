"""The strict reader: what is no vector file is refused with a sentence, and nothing in a file is run, believed or followed."""

import json
import re

import numpy as np
import pytest
from stepgauge.verify.vectors import format as vectors

SENTENCE = re.compile(r".+: expected .+ because .+, got .+", re.S)

ARRAY = {"shape": [2], "data": ["0x1.8p-3", "-0x1p+0"], "float64": [-52, -1080], "float32": [-23, 1024]}


@pytest.fixture
def tree():
    """A right file with one vector of each kind."""
    inputs = {"s": {"shape": [2], "data": ["0x1p+0", "0x0p+0"]}, "mu": "0x1p-2"}
    return {"format": vectors.FORMAT, "version": "1.0.0", "subject": "a.b", "kind": "procedure", "source": "", "made": "",
            "quantities": {"y_t": "R3.5"}, "flags": {"random": "a sign"}, "vectors": [
                {"id": "a.b/one", "result": "valid", "flags": ["random"], "arguments": inputs, "expected": {"y_t": ARRAY}},
                {"id": "a.b/two", "result": "invalid", "flags": [], "arguments": inputs | {"mu": "nan"}, "error": "mu"},
                {"id": "a.b/three", "result": "acceptable", "flags": [], "arguments": inputs, "convention": "", "expected": {
                    "y_t": [ARRAY]}}]}


@pytest.fixture
def read(tmp_path):
    def from_text(text):
        (tmp_path / "a.b.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        return vectors.read(tmp_path / "a.b.json")
    return from_text


def test_what_is_right_is_read(read, tree):
    assert read(json.dumps(tree)) == tree


def put(*path):
    *way, value = path

    def change(tree):
        at = tree
        for key in way[:-1]:
            at = at[key]
        at[way[-1]] = value
    return change


FIRST = ("vectors", 0)
WRONG = {
    "an unknown key": put("notes", ""), "an unknown key of a vector": put(*FIRST, "notes", ""),
    "another format": put("format", "stepgauge vectors 2"), "a version that is none": put("version", "1.0"),
    "a version with a line more": put("version", "1.0.0\n"),
    "another kind": put("kind", "program"), "a list for an object": put("quantities", []),
    "a name with a path": put("subject", "../a"),
    "an id twice": put("vectors", 1, "id", "a.b/one"), "the id of another subject": put(*FIRST, "id", "b/one"),
    "an id with a path": put(*FIRST, "id", "a.b/../x"),
    "a result that is none": put(*FIRST, "result", "true"), "a flag without a bug": put(*FIRST, "flags", ["other"]),
    "an error beside values": put(*FIRST, "error", "mu"), "values beside an error": put("vectors", 1, "expected", {}),
    "a vector without arguments": lambda tree: tree["vectors"][0].pop("arguments"),
    "a vector without an id": lambda tree: tree["vectors"][0].pop("id"),
    "a JSON number for a float": put(*FIRST, "arguments", "mu", 0.25),
    "a decimal": put(*FIRST, "arguments", "s", "data", ["1.5", "2"]),
    "an expression": put(*FIRST, "arguments", "s", "data", ["__import__('os')", "0x1p+0"]),
    "a number that float64 has not": put(*FIRST, "arguments", "mu", "0x1p+9999"),
    "a number of another base": put(*FIRST, "expected", "y_t", "data", ["0b1p+0", "0x1p+0"]),
    "true for a number": put(*FIRST, "expected", "y_t", "float64", [True, -1]),
    "a band beyond infinity": put(*FIRST, "expected", "y_t", "float64", [0, 1025]),
    "too few bands": put(*FIRST, "expected", "y_t", "float32", [0]), "too few numbers": put(*FIRST, "expected", "y_t", "data", []),
    "a shape that does not fit": put(*FIRST, "arguments", "s", "shape", [3]),
    "a huge shape": put(*FIRST, "arguments", "s", "shape", [10**9]),
    "a negative shape": put(*FIRST, "arguments", "s", "shape", [-1, -2]),
    "too many axes": put(*FIRST, "arguments", "s", "shape", [2] + [1] * 8),
    "a huge integer": put(*FIRST, "arguments", "n", 2**60), "an integer of many digits": put(*FIRST, "arguments", "n", 10**4000),
    "a long text": put("source", "x" * 2000), "too many vectors": lambda tree: tree.update(vectors=tree["vectors"] * 400),
    "the inputs of nothing": put(*FIRST, "of", "a.b/zero"),
    "exact numbers that are none": put(*FIRST, "expected", "y_t", "exact", ["1.5", "2"]),
    "too few exact numbers": put(*FIRST, "expected", "y_t", "exact", ["3/16"]),
    "brackets as deep as the schema lets them be": put(*FIRST, "arguments", "n", json.loads("[" * 400 + "]" * 400)),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_refused_with_a_sentence(read, tree, what):
    tree = json.loads(json.dumps(tree))
    WRONG[what](tree)
    with pytest.raises(ValueError, match=SENTENCE) as refusal:
        read(json.dumps(tree))
    assert str(refusal.value).startswith(("a.b.json", "number: expected", "data: expected"))
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize("text", [
    b"", b"\xff\xfe", b"{", b"[]", b"null", b"[" * 100_000, b'{"a": ' * 50_000, b'{"format": NaN}', b'{"format": Infinity}',
    b'{"format": 1, "format": 2}', b"\x80\x04\x95.", b"x" * (vectors.MOST_BYTES + 1), b'{"format": ' + b"9" * 5000 + b"}"],
    ids=lambda text: repr(text[:20]))
def test_what_is_no_json_of_ours_is_refused_with_a_sentence(read, text):
    with pytest.raises(ValueError, match=SENTENCE):
        read(text)


def test_a_link_or_a_folder_is_no_file(tmp_path, tree):
    (tmp_path / "secret").write_text(json.dumps(tree))
    (tmp_path / "a.b.json").symlink_to(tmp_path / "secret")
    for path in (tmp_path / "a.b.json", tmp_path, tmp_path / "nothing"):
        with pytest.raises(ValueError, match="expected a plain file"):
            vectors.read(path)


@pytest.mark.parametrize("x", [0.0, -0.0, 1.0, -1.5, 0.1, 5e-324, -2.2250738585072014e-308, 1.7976931348623157e308,
                               float("inf"), float("-inf")])
def test_numbers_come_back_bit_for_bit(x):
    text = vectors.number(x)
    assert vectors.NUMBER.fullmatch(text)
    assert vectors.value_of(text).hex() == x.hex()


def test_numbers_are_written_in_their_shortest_form():
    texts = {0.1875: "0x1.8p-3", 1.0: "0x1p+0", 0.0: "0x0p+0", -3.0: "-0x1.8p+1", float("nan"): "nan"}
    assert [vectors.number(x) for x in texts] == list(texts.values())


def test_trees_come_back():
    rng = np.random.default_rng(5)
    tree = {"x": rng.standard_normal((2, 3)), "n": 4, "empty": np.zeros((3, 0)), "labels": np.array([1, 0]), "one": np.array(0.5),
            "name": "tanh", "list": [1.5, None, True, {"a": np.float64(2.5)}]}
    back = vectors.decode(json.loads(json.dumps(vectors.encode(tree))))
    for name in ("x", "empty", "labels", "one"):
        assert (back[name].dtype, back[name].shape) == (tree[name].dtype, tree[name].shape)
        assert np.array_equal(back.pop(name), tree.pop(name))
    assert back == tree


def test_the_schema_is_one_that_conforms_reads_whole():
    """Every keyword of the schema is one that `conforms` looks at, or only words."""
    looked_at = {"$ref", "anyOf", "const", "enum", "type", "maxLength", "pattern", "minimum", "maximum", "maxItems", "items",
                 "maxProperties", "required", "properties", "additionalProperties"}
    words = {"$schema", "title", "description", "$defs"}

    def keywords(schema):
        yield from schema
        parts = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ()),
                 schema.get("items"), schema.get("additionalProperties")]
        for part in filter(None, parts):
            yield from keywords(part)

    assert set(keywords(vectors.SCHEMA)) <= looked_at | words
