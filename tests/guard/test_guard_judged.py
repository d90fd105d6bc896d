"""What `make gpu` does with a GPU, done with the guard: the judge on the reference over device arrays."""

import re
from types import SimpleNamespace

import gpu
from stepgauge import verify
from stepgauge.reference import METHODS
from stepgauge.verify.cases import optional, suite


def test_the_judge_passes_the_reference_on_the_device(cupy):
    results = list(gpu.judged(cupy, ["plain"], ["float64"]))
    assert results == [(method, "float64", "PASS") for method in METHODS]
    page = gpu.page(cupy, "none", results)
    assert re.search(r"^date    \d{4}-\d\d-\d\d \d\d:\d\d UTC\ndevice  none\nCuPy    1[34].*(.*\n)*\w+ +float64 +PASS\n\Z", page)


def test_everything_that_can_be_judged_is_shown(cupy):
    for method in METHODS:
        cases = verify.cases(method, [name for name in (suite(method)[0], "normalised", "improvement2_off")
                                      if name in (*suite(method), *optional(method))])
        shown = {name for case in cases for step in gpu.on_device(cupy)(case) for name in step}
        norms = {"norm", "D_norm", "D_norm_h"} - shown if "normalised" not in suite(method) else {"norm"}
        unweighed = set() if getattr(cases[0].hyper, "lam_int", 1) else {"d"}
        assert set(METHODS[method].LINES) <= {*shown, *norms, *unweighed, "theta"}, method


def test_the_judge_fails_a_device_that_computes_wrongly(cupy, monkeypatch):
    right = cupy._rules.wrapped

    def wrong(value):
        return right(value * (1 + 2.0**-20) if getattr(value, "shape", ()) == (2, 5) else value)

    monkeypatch.setattr(cupy._rules, "wrapped", wrong)
    assert verify.check("kfac20", gpu.on_device(cupy), ["plain"]).verdict == "FAIL"


def test_without_a_device_nothing_is_written(monkeypatch, capsys):
    class CUDARuntimeError(RuntimeError):
        pass

    def fails(_):
        raise CUDARuntimeError("cudaErrorNoDevice")

    runtime = SimpleNamespace(getDeviceProperties=fails, CUDARuntimeError=CUDARuntimeError)
    monkeypatch.setitem(__import__("sys").modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    monkeypatch.setattr(gpu, "PAGE", None)
    assert gpu.main() == 2
    assert capsys.readouterr().err == "no device: cudaErrorNoDevice\n"
