"""The set of vectors: which calls and cases, which of them must be refused, which other results are right, and what each hunts.

    python -m stepgauge.verify.vectors.build FOLDER       # writes the set anew; refuses where VERSION does not say what changed
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from inspect import Parameter, getdoc, signature
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...arrays import is_array, map_arrays
from ...arrays.errors import expect
from ...nets import Layer, Model
from ...reference import METHODS
from ..bad_input import corruptions
from ..case import Case, model_text
from ..cases import SQUARE, TRAPS, cases
from ..conventions import CONVENTIONS
from ..procedures import PROCEDURES, Inputs, Procedure
from ..replay import GREY
from . import evaluate
from .format import FORMAT, encode, number, parse, read_text, value_of

VERSION = "2.0.0"
"""Of the set: major where a vector changes or goes, minor where one comes, patch for words alone."""

SUBJECTS = (*PROCEDURES, *METHODS)

STEPS = 3
"""The steps of a run: in the third, averages, memories and periods have a past."""

RUNS = ("plain", "dead", "narrow", "degenerate")
"""The cases that are written down; those of Newton's method, whose Hessian must be invertible, are the first two of `SQUARE`."""

INSTEAD = {("kbfgs20_l_skip", "narrow"): "labels", ("hessian_free", "narrow"): "labels"}
"""For runs that cannot be written down: with one number a pair, the curvature lies exactly on the threshold of R5.17 (in "labels" a
pair is skipped); conjugate gradients reach the solution before their last iteration, and divide 0 by 0."""

PARAMETERS = ("W", "b", "gamma", "beta")

HUNTS: dict[str, tuple[str, str]] = {
    "at the switch": (r"at the switch", "≤ where < decides whether to damp, or a weight that jumps there"),
    "random": (r"random", "a wrong product, sign, transpose or order where nothing is special"),
    "negative curvature": (r"negative curvature|against each other", "damping by |sᵀy|, or pairs with sᵀy < 0 that are left alone"),
    "strong curvature": (r"strong curvature", "damping where none is needed"),
    "weak curvature": (r"weak curvature|nearly orthogonal", "a threshold that is off, or the wrong μ; lost digits in 1/sᵀy"),
    "long pair": (r"parallel and long", "an absolute ε where a relative threshold is meant"),
    "zero vector": (r"[sy] = 0|zeros", "a division of 0 by 0"),
    "1×1": (r"n = 1\b|S = 1\b|shape \(3,\)|widths \(1, 1\)", "a scalar or vector where the code expects a matrix, a squeezed axis"),
    "ill-conditioned": (r"cond = 1e2|badly scaled", "an explicit inverse, or a tolerance without a scale"),
    "well-conditioned": (r"cond = 1e0", "a special case of H = I that is taken for the rule"),
    "not square": (r"order|shape|widths|q = |P = ", "a transpose, or sizes of different axes that are exchanged"),
    "positions": (r"P = [2-9]", "a sum over positions where a mean is meant, or the reverse"),
    "power": (r"p = \d", "the exponent −1/2p or 1/p for −1/p, roots taken entry by entry"),
    "diagonal": (r"diagonal", "eigenvectors in another order than eigenvalues"),
    "rank one": (r"rank one|singular", "a pseudo-inverse, a clamp of small eigenvalues, an inverse of H where H has none"),
    "indefinite": (r"indefinite", "|λ| for λ, a shift that stops at the wrong eigenvalue"),
    "definite": (r"\bdefinite", "the weight λ/2 of the cubic term, the sign of ḡ"),
    "no cubic term": (r"without cubic term|zeros in d", "a division by d_s = 0"),
    "action": (r"^n = \d$|^N = ", "A in the place of H, a mean that is left out"),
    "pairs": (r"pairs, X of", "pairs in the wrong order, h left out of a block, lower for upper triangle"),
    "views": (r"-way|^(matrix|vector)\b", "a view of a tensor that is not undone"),
    "hard case": (r"hard case", "a root finder that looks for a root where there is none"),
    "leading axes": (r"^behind", "axes in front of a tensor that are turned or counted with its own"),
    "losses": (r"^(mse|bce|softmax_ce), ", "the Hessian of another loss, a sum over examples for the mean, vec row by row"),
    "convolution": (r"input \(1, ", "positions that count as examples, a filter that is no row of one matrix"),
    "conjugate": (r"^(one layer|two layers|preconditioned)$",
                  "β upside down or with the wrong sign, step lengths of single layers, M for its inverse"),
    "early end": (r"early end", "the progress of one iteration where that of several is asked for, φ without its half"),
    "ratio": (r"foretold exactly|a (bad|good) step", "1/ρ, or a sign"),
    "no ratio": (r"loss that is nan|infinite loss|to gain|that rises|= -inf", "nan from 0/0 or ∞ − ∞, a failure that is a success"),
    "bounds": (r"^ρ = ", "boost and drop exchanged, one bound for both, λ that moves between them"),
    "first loss": (r"the first loss", "a comparison with a best loss that there is not yet"),
    "better loss": (r"better", "any improvement that counts, a threshold that is no share of the best loss"),
    "patience": (r"patience|once more|the same loss|a worse loss", "once too patient, a count that λ's fall does not end"),
    "between two times": (r"between two times", "λ that moves, or losses that count, in steps between"),
}
"""Flag to the names of calls that carry it, and to the bug that they hunt."""

RUN_HUNTS = {
    "skipped pair": "a pair that should be skipped is kept, or the memory is emptied",
    "nothing due": "curvature that moves in steps in which it must stay as it is",
    "zero gradient": "0 divided by 0, an ε that is added where the exact 0 must stay",
}
"""Flags that are read off a run."""

WORDS = {"bad input": "a result, or nan, where the arguments should be refused",
         "convention": "nothing: another published form, for which its results are right"}

Text = dict[str, Any]


def text(subject: str) -> str:
    """The whole file of a subject, to the last byte."""
    return _laid_out(_procedure(subject) if subject in PROCEDURES else _method(subject))


def manifest(texts: dict[str, str]) -> str:
    """`index.json`: the version of the set, and for every file its SHA-256 and its number of vectors."""
    files = {name: {"sha256": hashlib.sha256(content.encode()).hexdigest(),
                    "vectors": len(json.loads(content)["vectors"]) if name != "schema.json" else 0}
             for name, content in sorted(texts.items())}
    return json.dumps({"format": FORMAT, "version": VERSION, "files": files}, indent=1) + "\n"


def slug(words: str) -> str:
    """Words as part of an id: letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", words)
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:60].strip("-")


def _procedure(subject: str) -> Text:
    procedure = PROCEDURES[subject]
    function = getattr(procedure.module, procedure.function)
    vectors: list[Text] = []
    for inputs in (*procedure.inputs(), *_more(subject)):
        flags = [flag for flag, (pattern, _) in HUNTS.items() if re.search(pattern, inputs.name)]
        vector = {"id": f"{subject}/{slug(inputs.name)}", "comment": inputs.name, "result": "valid", "flags": flags,
                  "arguments": _arguments(function, inputs), "expected": evaluate.call(procedure, inputs)}
        if any(evaluate.tells(part, "float64") for part in evaluate.arrays(vector)):     # not beyond convergence, or on an edge
            vectors += _both_solutions(vector) if "hard case" in flags else [vector]
    vectors += list(_bad_calls(subject, procedure, function))
    return _file(subject, "procedure", (getdoc(function) or "").splitlines()[0], procedure.names(), vectors)


def _both_solutions(vector: Text) -> list[Text]:
    """The hard case, in which two solutions are right, and differ in the sign of their last entry: one of them is to be found."""
    result = vector["expected"]["result"]
    data = [*result["data"][:-1], number(-value_of(result["data"][-1]))]
    this, other = ({"result": "acceptable", "convention": f"of two solutions the one with the {sign} last entry (DEV-CUBIC-2)"}
                   for sign in ("positive", "negative"))
    return [vector | this, {"id": f"{vector['id']}/other", "of": vector["id"], "flags": vector["flags"], **other,
                            "expected": {"result": result | {"data": data}}}]


def _more(subject: str) -> Iterator[Inputs]:
    """Calls that no suite can judge by, since another result is as right."""
    if subject == "cubic.step_sizes":
        yield Inputs("hard case, S = 2", (np.array([1.0, 0.0]), np.diag([1.0, -2.0]), np.ones(2), 2.0), {})


def _arguments(function: Any, inputs: Inputs) -> Text:
    bound = signature(function).bind(*inputs.args, **inputs.kwargs)
    return {name: encode(model_text(value) if isinstance(value, Model) else value) for name, value in bound.arguments.items()}


def call(function: Any, arguments: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments for a candidate from those of a vector, by what the reference takes by keyword only."""
    by_keyword = [name for name, parameter in signature(function).parameters.items() if parameter.kind == Parameter.KEYWORD_ONLY]
    return (tuple(value for name, value in arguments.items() if name not in by_keyword),
            {name: value for name, value in arguments.items() if name in by_keyword})


def _bad_calls(subject: str, procedure: Procedure, function: Any) -> Iterator[Text]:
    """The smallest call with all arguments, without an axis of length 1 or infinity, corrupted in every way that is refused."""
    def room(inputs: Inputs) -> tuple[int, bool, bool, int]:
        axes: list[int] = []
        finite: list[bool] = []
        map_arrays(lambda x: axes.extend(x.shape), inputs.args)
        map_arrays(lambda x: finite.append(bool(np.isfinite(x).all())), inputs.args)
        return -len(inputs.args), min(axes, default=1) < 2, not all(finite), evaluate.size(inputs.args)

    smallest = min(procedure.inputs(), key=room)
    for name, args, kwargs in _writable(smallest.args, smallest.kwargs):
        named = refused(lambda args=args, kwargs=kwargs: function(*args, **kwargs))
        if named:
            words = _worded(name, [*signature(function).parameters])
            yield {"id": f"{subject}/invalid/{slug(words)}", "comment": words, "result": "invalid", "flags": ["bad input"],
                   "arguments": _arguments(function, Inputs(name, args, kwargs)), "error": named}


def _worded(name: str, parameters: list[str]) -> str:
    """What `corruptions` calls a bad call, with the argument's name in place of its number."""
    return re.sub(r"argument (\d+)", lambda match: parameters[int(match[1]) - 1], name.removeprefix("bad input: "))


def _writable(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """The corruptions that JSON can say: no other types, and no networks that cannot be made."""
    for name, bad_args, bad_kwargs in corruptions(args, kwargs):
        kinds: set[str] = set()
        map_arrays(lambda x, kinds=kinds: kinds.add(str(x.dtype)), (bad_args, bad_kwargs))
        known = not any(isinstance(bad, Model) and bad is not given for bad, given in zip(bad_args, args, strict=True))
        if known and kinds <= {"float64"} and _integer_arrays((bad_args, bad_kwargs)) == _integer_arrays((args, kwargs)):
            yield name, bad_args, bad_kwargs


def _integer_arrays(tree: Any) -> int:
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    return sum(map(_integer_arrays, tree)) if isinstance(tree, list | tuple) else int(is_array(tree) and tree.dtype.kind == "i")


def refused(work: Any) -> str:
    """What the error of `work()` names, the part before the colon; "" where it raises none, or none in this house's form."""
    try:
        with np.errstate(all="ignore"):
            work()
    except (ValueError, TypeError, ArithmeticError) as error:
        name, colon, rest = str(error).partition(": expected ")
        return name if colon and " got " in rest else ""
    return ""


def _method(subject: str) -> Text:
    vectors: list[Text] = []
    twins: list[Text] = []
    for case in runs(subject):
        start, *rest = evaluate.run(case)
        steps = [_in_order(subject, step) for step in (
            {name: value for name, value in start.items() if name not in PARAMETERS}, *rest)]
        found = [name for name in RUN_HUNTS if _shows(name, case, steps)]
        vectors.append({"id": f"{subject}/{case.name}", "comment": (TRAPS | SQUARE)[case.name], "result": "valid",
                        "flags": [case.name, *found], "case": encode(case.described(lambda _, array: array)), "steps": steps})
        twins += _twins(subject, case, steps)
    vectors += [*twins, *_bad_runs(subject)]
    module: ModuleType = sys.modules[METHODS[subject].step.__module__]
    return _file(subject, "method", (module.__doc__ or "").splitlines()[0], METHODS[subject].LINES, vectors)


def _in_order(subject: str, step: Text) -> Text:
    """Quantities in order of computation, the parameters where the method has them as W or θ."""
    lines = list(METHODS[subject].LINES)
    place = {name: i for i, name in enumerate(lines)} | dict.fromkeys(PARAMETERS, lines.index("theta" if "theta" in lines else "W"))
    return dict(sorted(step.items(), key=lambda entry: place.get(entry[0], -1)))


def runs(subject: str) -> Iterator[Case]:
    """The cases of a method that are written down, cut to `STEPS` steps."""
    names = tuple(SQUARE)[:2] if subject == "newton" else tuple(INSTEAD.get((subject, name), name) for name in RUNS)
    for case in cases(subject, names):
        yield replace(case, batches=case.batches[:STEPS], data=case.batches[:STEPS])


def _shows(flag: str, case: Case, steps: list[Text]) -> bool:
    """Does a run show what the flag is about?"""
    if flag == "skipped pair":
        pairs = [[S["shape"][1] for S in step["S"]] for step in steps if "S" in step]
        grown = [[b - a for a, b in zip(*two, strict=True)] for two in pairwise(pairs)]
        return case.method == "kbfgs20_l_skip" and any(0 in step for step in grown[:case.hyper.p])
    if flag == "nothing due":
        return any(getattr(case.hyper, period, 1) > 1 for period in ("T", "T_1", "T_2"))
    gradients = [x for step in steps for name in ("g", "grad", "DW") for x in step.get(name, ())]
    return any(all(value_of(entry) == 0 for entry in row) for x in gradients if len(x["shape"]) == 2
               for row in np.array(x["data"]).reshape(x["shape"]).tolist())


def _twins(subject: str, case: Case, steps: list[Text]) -> Iterator[Text]:
    """What the parameters are under each published convention, where that moves them beyond the bands."""
    for convention in CONVENTIONS.get(subject, ()):
        if not convention.legitimate:
            continue
        try:
            others = [{name: step[name] for name in PARAMETERS if name in step} for step in evaluate.run(case, convention)[1:]]
        except (ValueError, ArithmeticError):        # a convention that cannot go through this case
            continue
        if _apart(steps[1:], others):
            yield {"id": f"{subject}/{case.name}/{slug(convention.text)}", "of": f"{subject}/{case.name}", "result": "acceptable",
                   "convention": convention.text, "flags": ["convention"], "steps": others}


def _apart(steps: list[Text], others: list[Text]) -> bool:
    """Is some parameter further from its twin than a candidate may be from either, in float64?"""
    for step, other in zip(steps, others, strict=True):
        for name in other:
            for x, y in zip(step[name], other[name], strict=True):
                for a, b, i, j in zip(x["data"], y["data"], x["float64"], y["float64"], strict=True):
                    with np.errstate(over="ignore"):
                        if abs(value_of(a) - value_of(b)) > GREY * (np.ldexp(1.0, i) + np.ldexp(1.0, j)):
                            return True
    return False


def _bad_runs(subject: str) -> Iterator[Text]:
    """The smallest case with a hyper-parameter, an input or a weight made wrong: for each the first way that is refused."""
    method = METHODS[subject]
    smallest = min(runs(subject), key=lambda case: evaluate.size(case.params))
    case = replace(smallest, batches=smallest.batches[:1], data=smallest.batches[:1])
    numbers = {name: value for name, value in case.hyper._asdict().items() if isinstance(value, int | float)}
    bad: list[tuple[str, str, Case]] = [
        (changed, name, replace(case, hyper=case.hyper._replace(**values))) for changed in numbers
        for name, _, values in corruptions((), {changed: numbers[changed]}) if not isinstance(numbers[changed], bool)]
    first, (kernel, b) = case.batches[0], case.params[0]
    for name, (x, y, W), _ in _writable((first.x, first.y, kernel), {}):
        words = _worded(name, ["x", "y", "W"])
        batches = (first._replace(x=x, y=y),)
        bad.append((words[0], words, replace(case, batches=batches, data=batches, params=(Layer(W, b), *case.params[1:]))))
    written: set[str] = set()
    for changed, name, wrong in bad:
        def go(wrong: Case = wrong) -> None:
            state = method.init(wrong.model, wrong.params, wrong.data, wrong.hyper)
            method.step(wrong.model, wrong.params, state, wrong.batches[0], wrong.hyper)

        if changed not in written and (named := refused(go)):
            written.add(changed)
            words = name.removeprefix("bad input: ")
            yield {"id": f"{subject}/invalid/{slug(words)}", "comment": words, "result": "invalid", "flags": ["bad input"],
                   "case": encode(wrong.described(lambda _, array: array)), "error": named}


def _file(subject: str, kind: str, source: str, quantities: dict[str, str], vectors: list[Text]) -> Text:
    hunts = {flag: bug for flag, (_, bug) in HUNTS.items()} | RUN_HUNTS | WORDS | TRAPS | SQUARE
    used = {flag for vector in vectors for flag in vector["flags"]}
    return {"format": FORMAT, "version": VERSION, "subject": subject, "kind": kind, "source": source,
            "made": f"by the reference's lines in {evaluate.BITS} bits and again in {evaluate.MORE_BITS}, rounded to nearest",
            "quantities": dict(quantities), "flags": {flag: bug for flag, bug in hunts.items() if flag in used}, "vectors": vectors}


def _laid_out(tree: Any, depth: int = 5) -> str:
    """JSON with a line for whatever is `depth` levels down: long lines, but a difference shows where it is."""
    if not depth or not isinstance(tree, dict | list) or not tree:
        return json.dumps(tree, ensure_ascii=False, separators=(",", ":")) + ("\n" if depth == 5 else "")
    opening, closing = "{}" if isinstance(tree, dict) else "[]"
    keys = [f"{json.dumps(key, ensure_ascii=False)}:" for key in tree] if isinstance(tree, dict) else [""] * len(tree)
    values = tree.values() if isinstance(tree, dict) else tree
    entries = [key + _laid_out(value, depth - 1) for key, value in zip(keys, values, strict=True)]
    return f"{opening}\n" + ",\n".join(entries) + f"\n{closing}" + ("\n" if depth == 5 else "")


def needed(old: Text, new: Text) -> str:
    """Which part of the version has to grow from one text of a file to another: "major", "minor", "patch", or "" for none."""
    before, after = ({vector["id"]: vector for vector in tree["vectors"]} for tree in (old, new))

    def numbers(vector: Text) -> Text:
        return {name: value for name, value in vector.items() if name not in ("comment", "flags", "convention")}

    if any(identity not in after or numbers(vector) != numbers(after[identity]) for identity, vector in before.items()):
        return "major"
    if set(after) > set(before):
        return "minor"
    return "patch" if old | {"version": ""} != new | {"version": ""} else ""


def write(folder: Path) -> None:
    """Write every file of the set into a folder that holds its predecessor, or nothing but the schema.

    Raises   ValueError where VERSION has not grown as the changes ask for; nothing is written then.
    """
    texts = {f"{subject}.json": text(subject) for subject in SUBJECTS}
    index = folder / "index.json"
    if index.exists():
        old = parse(read_text(index), index.name)
        gone = set(old["files"]) - set(texts) - {"schema.json"}
        changes = {"major"} if gone else set()
        for name, content in texts.items():
            there = (folder / name).exists()
            changes.add(needed(parse(read_text(folder / name), name), parse(content, name)) if there else "minor")
        part = next((part for part in ("major", "minor", "patch") if part in changes), "")
        expect(not part or grown(old["version"], VERSION, part), "VERSION", f"a {part} version after {old['version']}",
               f"vectors have changed that much since, in {', '.join(sorted(gone)) or 'files that stay'}", VERSION)
    texts["schema.json"] = read_text(folder / "schema.json")
    for name, content in (texts | {"index.json": manifest(texts)}).items():
        (folder / name).write_bytes(content.encode())


def grown(old: str, new: str, part: str) -> bool:
    """Is `new` a later version than `old` that differs in `part` or before it?"""
    place = ("major", "minor", "patch").index(part) + 1
    before, after = ([int(n) for n in version.split(".")] for version in (old, new))
    return after[:place] > before[:place]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
