"""`make gpu`: the judge's suites for every method, run by the reference on the arrays of a real CuPy.

Writes docs/gpu.txt: the date, the device, the versions, and one line a method and dtype. Ends with 1 where a verdict is not PASS,
and with 2 where there is no device. The guard in its place (as in the tests) shows that the program works, not that a GPU does.
"""

import datetime
import platform
import sys
from pathlib import Path

import numpy as np
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.verify.adapters.reference import reference
from stepgauge.verify.cases import suite

PAGE = Path(__file__).parents[2] / "docs" / "gpu.txt"


def on_device(cupy):
    """The reference on CuPy's arrays, as a candidate."""
    return lambda case: reference(case, cupy.asarray, cupy.asnumpy)


def judged(cupy, names=None, dtypes=("float32", "float64")):
    """(method, dtype, verdict) of every suite, or of the named cases of it (its first, where it has none of them)."""
    for method in METHODS:
        chosen = [name for name in names or suite(method) if name in suite(method)] or suite(method)[:1]
        for dtype in dtypes:
            yield method, dtype, verify.check(method, on_device(cupy), verify.cases(method, chosen, dtype)).verdict


def page(cupy, device, results):
    """What was run, where, when, and what came out."""
    head = [f"date    {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC", f"device  {device}",
            f"CuPy    {cupy.__version__}", f"NumPy   {np.__version__}", f"Python  {platform.python_version()}", ""]
    return "\n".join([*head, *(f"{method:16}{dtype:10}{verdict}" for method, dtype, verdict in results)]) + "\n"


def main():
    import cupy

    try:
        device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        print(f"no device: {error}", file=sys.stderr)
        return 2
    results = list(judged(cupy))
    text = page(cupy, device, results)
    PAGE.write_text(text, encoding="utf-8")
    print(text, end="")
    return int(any(verdict != "PASS" for _, _, verdict in results))


if __name__ == "__main__":
    sys.exit(main())
