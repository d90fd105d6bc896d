"""`import stepgauge.…` loads no optional library.

Dummy packages with the names of the optional libraries stand first on the path, so that the test tells the same on a
machine that has them and on one that has not, and an import inside `try` is found out as well.
"""

import subprocess
import sys

import pytest

OPTIONAL = ("torch", "cupy", "jax", "matplotlib")
BARE = ("arrays", "nets", "reference", "verify", "proofs_check")


def loaded_after(statement, folder):
    for name in OPTIONAL:
        (folder / f"{name}.py").write_text("")
    program = (f"import sys; sys.path.insert(0, {str(folder)!r}); {statement}; "
               f"print(*[name for name in {OPTIONAL + BARE} if name in sys.modules])")
    return subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True,
                          cwd=folder).stdout.split()


@pytest.mark.parametrize("package", ["stepgauge.arrays", "stepgauge.nets", "stepgauge.reference"])
def test_no_optional_library_and_no_bare_name(package, tmp_path):
    assert loaded_after(f"import {package}", tmp_path) == []


def test_work_on_numpy_arrays_loads_none_either(tmp_path):
    work = "import numpy; from stepgauge import arrays; arrays.namespace(numpy.ones(2)).const(1)"
    assert loaded_after(work, tmp_path) == []


def test_the_test_can_fail(tmp_path):
    assert loaded_after("import torch", tmp_path) == ["torch"]
