"""The format of vectors: numbers and arrays as JSON and back, and a strict reader that believes nothing that a file says.

A number is a hexadecimal float, "0x1.8p-3" = 1.5 · 2⁻³, in its shortest form; an array is {"shape", "data"} with data row by
row. What a file may hold is written down once, in `data/schema.json`, and `conforms` reads that.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ...arrays import is_array
from ...arrays.errors import expect

Array = Any

FORMAT = "stepgauge vectors 1"

MOST_BYTES = 8 * 2**20
"""No file of the set is near this size; one beyond it is not read."""

EXACT, UNBOUNDED = -1080, 1024
"""The exponents of bands that are 0 and infinite: what 2ᵏ is in binary64."""

DATA = Path(__file__).with_name("data")


def number(x: float) -> str:
    """A float as the shortest hexadecimal text: 0.1875 is "0x1.8p-3"; "nan", "inf" and "-inf" are themselves."""
    text = float(x).hex()
    if "p" not in text:
        return text
    mantissa, exponent = text.split("p")
    return f"{mantissa.rstrip('0').removesuffix('.') if '.' in mantissa else mantissa}p{exponent}"


def encode(tree: Any) -> Any:
    """A tree of dicts, tuples, lists, floats, integers, strings and arrays as JSON's own types."""
    if is_array(tree) and np.ndim(tree) == 0 and not isinstance(tree, np.ndarray):
        tree = tree.item()
    if isinstance(tree, np.ndarray):
        entries = tree.reshape(-1).tolist()
        return {"shape": list(tree.shape), "data": entries if tree.dtype.kind == "i" else list(map(number, entries))}
    if isinstance(tree, float):
        return number(tree)
    if isinstance(tree, dict):
        return {name: encode(branch) for name, branch in tree.items()}
    if hasattr(tree, "_asdict"):
        return encode(tree._asdict())
    return list(map(encode, tree)) if isinstance(tree, list | tuple) else tree


def decode(tree: Any) -> Any:
    """The inverse of `encode`, but for tuples, which come back as lists, or dicts where they had names.

    Raises   ValueError where a shape does not fit its data.
    """
    if isinstance(tree, str):
        return value_of(tree) if NUMBER.fullmatch(tree) else tree
    if isinstance(tree, list):
        return list(map(decode, tree))
    if not isinstance(tree, dict):
        return tree
    return array(tree) if set(tree) == {"shape", "data"} else {name: decode(branch) for name, branch in tree.items()}


def array(tree: dict[str, Any]) -> Array:
    """The array of {"shape", "data"}: float64, or int64 where data are integers."""
    shape, data = tree["shape"], tree["data"]
    expect(math.prod(shape) == len(data), "data", f"{math.prod(shape)} entries", f"the shape is {shape}", len(data))
    if data and all(isinstance(entry, int) for entry in data):
        return np.array(data, dtype=np.int64).reshape(shape)
    return np.array(list(map(value_of, data)), dtype=np.float64).reshape(shape)


def value_of(entry: Any) -> float:
    """A number of a file as a float.  Raises ValueError where it is too large for one."""
    if not isinstance(entry, str):
        return float(entry)
    try:
        return float(entry) if "0x" not in entry else float.fromhex(entry)
    except OverflowError:
        raise ValueError(f"number: expected a binary64 number because entries are compared as such, got {entry!r}") from None


def parse(text: str, name: str) -> Any:
    """The JSON of a text in which no key stands twice and every number is finite.

    Raises   ValueError, which begins with `name`, for any other text.
    """
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        expect(len(found) == len(pairs), name, "every key once in an object", "the second would hide the first",
               sorted({key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1}))
        return found

    def not_a_number(constant: str) -> NoReturn:
        raise ValueError(f"{name}: expected JSON because other languages read it too, got {constant}")

    def integer(digits: str) -> int:
        expect(len(digits) <= 20, name, "integers below 2⁵³", "other languages read them as binary64", f"{len(digits)} digits")
        return int(digits)

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=not_a_number, parse_int=integer)
    except RecursionError:
        raise ValueError(f"{name}: expected a few levels of brackets because vectors have no more, got too many") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{name}: expected JSON because vectors are written in it, got {error}") from None


def read_text(path: Path) -> str:
    """The text of a plain file of at most `MOST_BYTES`.  Raises ValueError for any other."""
    expect(path.is_file() and not path.is_symlink(), path.name, "a plain file", "vectors are read from it", "none")
    size = path.stat().st_size
    expect(size <= MOST_BYTES, path.name, f"at most {MOST_BYTES} bytes", "no file of vectors is longer", size)
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: expected UTF-8 because JSON is written in it, got {error}") from None


def read(path: Path) -> dict[str, Any]:
    """A file of vectors, as its JSON, checked.

    Raises   ValueError where it is not what the schema says, or does not fit together.
    """
    tree = parse(read_text(path), path.name)
    try:
        for where, what, why, got in conforms(tree, SCHEMA, path.name):
            expect(False, where, what, why, got)
    except RecursionError:
        raise ValueError(f"{path.name}: expected a few levels of brackets because vectors have no more, got too many") from None
    _fits_together(tree, path.name)
    return tree


FIELDS = {("procedure", "valid"): {"arguments", "expected"}, ("procedure", "invalid"): {"arguments", "error"},
          ("procedure", "acceptable"): {"arguments", "convention", "expected"}, ("method", "valid"): {"case", "steps"},
          ("method", "invalid"): {"case", "error"}, ("method", "acceptable"): {"of", "convention", "steps"}}
"""What a vector of each kind has beside "id", "comment", "result", "flags"; "of" in the place of "arguments" that are shared."""


def _fits_together(tree: dict[str, Any], name: str) -> None:
    """Raise ValueError where vectors contradict one another or themselves: what a schema cannot say."""
    seen: dict[str, str] = {}
    for vector in tree["vectors"]:
        where = f"{name}: {vector['id']}"
        expect(vector["id"] not in seen, where, "an id of its own", "answers are filed under it", "one that stands above")
        seen[vector["id"]] = vector["result"]
        expect(vector["id"].startswith(f"{tree['subject']}/"), where, f"an id that begins with {tree['subject']}/",
               "the file is about that", vector["id"])
        expect(set(vector["flags"]) <= set(tree["flags"]), where, f"flags out of {', '.join(tree['flags'])}",
               "the file says what they hunt", vector["flags"])
        fields = FIELDS[tree["kind"], vector["result"]]
        if "of" in vector:
            fields = fields - {"arguments"} | {"of"} if vector["result"] == "acceptable" else fields
            expect(seen.get(vector["of"]) in ("valid", "acceptable"), f"{where}: of", "the id of a vector above that has a result",
                   "its inputs are shared", vector["of"])
        expect(set(vector) - {"id", "comment", "result", "flags"} == fields, where, f"the fields {', '.join(sorted(fields))}",
               f"it is a {vector['result']} vector of a {tree['kind']}", ", ".join(sorted(set(vector))))
        for i, quantities in enumerate(vector.get("steps", [vector.get("expected", {})])):
            for quantity, arrays in quantities.items():
                for shown in arrays if isinstance(arrays, list) else [arrays]:
                    count = math.prod(shown["shape"])
                    for part in {"data", "exact", "float64", "float32"} & set(shown):
                        expect(len(shown[part]) == count, f"{where}: step {i}, {quantity}, {part}", f"{count} entries",
                               f"the shape is {shown['shape']}", len(shown[part]))
        decode([vector.get("arguments"), vector.get("case")])


def conforms(value: Any, schema: dict[str, Any], path: str, root: dict[str, Any] | None = None) -> Iterator[tuple[str, ...]]:
    """What is wrong with `value` under the part of JSON Schema that `data/schema.json` uses.

    Returns  complaints: where, what is expected, why, and what came.
    """
    root = schema if root is None else root
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        complaints = [next(conforms(value, option, path, root), None) for option in schema["anyOf"]]
        if None not in complaints:                   # the deepest complaint comes from what was meant
            yield max((complaint for complaint in complaints if complaint), key=lambda complaint: len(complaint[0]))
        return
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else [value])
    if value not in allowed:
        yield path, f"one of {', '.join(allowed)}", "no other is known", _short(value)
    kind = schema.get("type")
    if kind and not _is(value, kind):
        yield path, kind, "the schema says so", _short(value)
    elif kind == "string":
        if len(value) > schema.get("maxLength", math.inf):
            yield path, f"at most {schema['maxLength']} characters", "none is longer", str(len(value))
        elif "pattern" in schema and not re.search(schema["pattern"].replace("$", r"\Z"), value):
            yield path, f"text like {schema['pattern']}", "the schema says so", _short(value)
    elif kind == "integer":
        if not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
            yield path, f"{schema['minimum']} to {schema['maximum']}", "none is beyond", _short(value)
    elif kind == "array":
        if len(value) > schema.get("maxItems", math.inf):
            yield path, f"at most {schema['maxItems']} entries", "none has more", str(len(value))
        for i, entry in enumerate(value):
            yield from conforms(entry, schema.get("items", {}), f"{path}[{i}]", root)
    elif kind == "object":
        if len(value) > schema.get("maxProperties", math.inf):
            yield path, f"at most {schema['maxProperties']} keys", "none has more", str(len(value))
        for name in schema.get("required", ()):
            if name not in value:
                yield path, f"the key {name!r}", "it is required", ", ".join(map(_short, value)) or "none"
        for name, entry in value.items():
            known = schema.get("properties", {})
            if name not in known and schema.get("additionalProperties") is False:
                yield path, f"the keys {', '.join(known)}", "there are no others", _short(name)
            else:
                yield from conforms(entry, known.get(name, schema.get("additionalProperties", {})), f"{path}.{name}", root)


def _is(value: Any, kind: str) -> bool:
    types = {"string": str, "integer": int, "array": list, "object": dict, "boolean": bool, "null": type(None)}
    return isinstance(value, types[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:60]}…"


SCHEMA: dict[str, Any] = json.loads((DATA / "schema.json").read_text(encoding="utf-8"))
NUMBER = re.compile(SCHEMA["$defs"]["number"]["pattern"].strip("^$"))
