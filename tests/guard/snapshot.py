"""Writes down what an installed CuPy offers: `python tests/guard/snapshot.py` makes `cupy-<major>.json` beside this file.

Names and keywords only, read without a driver: functions of `cupy` and `cupy.linalg` with their parameters, ufuncs, what is
NumPy's own (dtypes, constants), methods and attributes of the array, dtypes. None stands for parameters that cannot be read.
"""

import inspect
import json
import re
import types
import warnings
from pathlib import Path

import numpy as np

KEYWORDS = ("out", "dtype", "casting", "order", "where", "subok", "axis", "keepdims", "initial")
FOLDER = Path(__file__).parent


def load(major):
    """The committed snapshot of a major version."""
    return json.loads((FOLDER / f"cupy-{major}.json").read_text(encoding="utf-8"))


def on_host(cupy, array, device=0):
    """A real `cupy.ndarray` over the memory of a contiguous NumPy array: views and shapes work, arithmetic asks for the driver."""
    memory = cupy.cuda.UnownedMemory(array.ctypes.data, array.nbytes, array, device_id=device)
    return cupy.ndarray(array.shape, array.dtype, memptr=cupy.cuda.MemoryPointer(memory, 0))


def parameters(function):
    """Names of the parameters, `*` and `**` kept; from the first line of the docstring where Cython has left them there."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        embedded = re.match(r"[\w.]*\((.*?)\)( ->.*)?$", (function.__doc__ or "").partition("\n")[0])
        if embedded is None:
            return None
        names = re.findall(r"(?:^|, )(?:[\w ]+ )?(\*{0,2}\w+)", re.sub(r"=[^,]*(\([^)]*\))?", "", embedded[1]))
        return [name for name in names if name != "self"]
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(p.kind, "") + p.name for p in found if p.name != "self"]


def ufunc_keywords(cupy):
    """Which keywords a ufunc knows: it names those it does not know before it asks for the driver."""
    x = on_host(cupy, np.ones(2))
    known = []
    for name in KEYWORDS:
        try:
            cupy.add(x, x, **{name: None})
        except TypeError as error:
            if "unexpected keyword" in str(error) or "Wrong arguments" in str(error):
                continue
        except Exception:  # the driver's, or one about the value
            pass
        known.append(name)
    return known


def snapshot(cupy):
    """What this CuPy offers, as a dict of names."""
    spaces = {"cupy": cupy, "linalg": cupy.linalg}
    functions, ufuncs, numpys = {}, set(), []
    for space, module in spaces.items():
        functions[space] = {}
        for name in sorted(name for name in dir(module) if not name.startswith("_")):
            value = getattr(module, name)
            if isinstance(value, types.ModuleType):
                continue
            if isinstance(value, cupy.ufunc):
                ufuncs.add(name)
            elif hasattr(np, name) and (value is getattr(np, name) or (not callable(value) and value == getattr(np, name))):
                numpys.append(name)
            elif callable(value) and not isinstance(value, type):
                functions[space][name] = parameters(value)
    members = {name: getattr(cupy.ndarray, name) for name in dir(cupy.ndarray)}
    public = {name: member for name, member in members.items() if not name.startswith("_")}
    return {
        "version": cupy.__version__,
        "dtypes": "".join(sorted({char for name in ufuncs for loop in getattr(cupy, name).types for char in loop} - set("->"))),
        "ufuncs": sorted(ufuncs),
        "ufunc_keywords": ufunc_keywords(cupy),
        "numpys": numpys,
        "functions": functions,
        "methods": {name: parameters(member) for name, member in public.items() if callable(member)},
        "attributes": sorted(name for name, member in public.items() if not callable(member)),
        "operators": sorted(name for name, member in members.items() if name.startswith("__") and member is not None
                            and name not in dir(object)),
    }


def dumps(found, depth=1):
    """A snapshot as text: one function, or one list of names, a line."""
    if not isinstance(found, dict):
        return json.dumps(found)
    entries = (f"{' ' * depth}{json.dumps(name)}: {dumps(found[name], depth + 1)}" for name in sorted(found))
    return "{\n" + ",\n".join(entries) + "\n" + " " * (depth - 1) + "}"


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy looks for a CUDA folder
        import cupy
        found = snapshot(cupy)
    target = FOLDER / f"cupy-{found['version'].partition('.')[0]}.json"
    target.write_text(dumps(found) + "\n", encoding="utf-8")
    print(f"{target.name}: CuPy {found['version']}, {sum(map(len, found['functions'].values()))} functions")
