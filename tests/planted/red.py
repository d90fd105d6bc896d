"""Does the suite go red when one module has one wrong line?

    python red.py < jobs.json > outcomes.json

A job is {"module", "source", "stages", "limit"}: tests to be run in the repository's root while `module` is imported from the
text `source`, stage after stage until one is not green, each within `limit` seconds of the processor and all of them within 20
times that of a clock. An outcome, in the order of the jobs, is {"status", "output"}: pytest's last exit status (0 green, 1 red,
more for a run that never came to a verdict, negative for one that was killed) and what pytest printed.

What takes long to import is imported once, here; every job is a fork of this process, which has seen no stepgauge module yet
and ends with its tests. As many forks as there are cores run at a time. Nothing is written to disk that stays.
"""

import contextlib
import gc
import importlib
import importlib.machinery
import io
import json
import linecache
import math
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parents[2]
LIBRARIES = ("array_api_compat.numpy", "autograd.scipy.special", "flint", "hypothesis.extra.numpy", "mpmath", "numpy",
             "scipy.linalg", "scipy.special", "scipy.stats")
OPTIONS = ["-o", "addopts=", "--import-mode=importlib", "--strict-markers", "--exitfirst", "--quiet", "--tb=short",
           "--assert=plain", "-p", "no:cacheprovider"]


class PlantedLoader(importlib.machinery.SourceFileLoader):
    """Loads a module under its own name and file name, but from another text; `inspect` finds that text too."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self.text = text
        linecache.cache[path] = len(text), None, text.splitlines(keepends=True), path

    def get_data(self, path: str) -> bytes:
        return self.text.encode()

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError(f"{path} is not what is loaded: no bytecode of it may be read or written")


class PlantedFinder:
    """Finds one module where it is, and has it loaded from `text`."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(spec for finder in others if (spec := finder.find_spec(name, path, target)))
        spec.loader = PlantedLoader(name, spec.origin, self.text)
        return spec


def run_tests(job: dict) -> int:
    sys.meta_path.insert(0, PlantedFinder(job["module"], job["source"]))
    status = 0
    for tests in job["stages"]:
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + job["limit"]), resource.RLIM_INFINITY))
        status = status or int(pytest.main([*OPTIONS, *tests]))
    return status


def fork(job: dict, output: object) -> int:
    """Start the job, with all that it prints in the file `output`; returns the process id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.setpgid(0, 0)
        signal.alarm(20 * job["limit"])
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        status = run_tests(job)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def outcomes(jobs: list[dict]) -> Iterator[tuple[int, dict]]:
    """(index, outcome) of every job, as they end."""
    waiting, running = list(enumerate(jobs)), {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            index, job = waiting.pop(0)
            output = tempfile.TemporaryFile("w+")         # noqa: SIM115
            running[fork(job, output)] = index, output
        pid, status = os.wait()
        index, output = running.pop(pid)
        with contextlib.suppress(ProcessLookupError):      # processes that the tests have started and not ended
            os.killpg(pid, signal.SIGKILL)
        with output:
            output.seek(0)
            yield index, {"status": os.waitstatus_to_exitcode(status), "output": output.read()}


def prepare() -> None:
    """Load what the tests will import, but for stepgauge; of threads, a fork would inherit none, and so none are started."""
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    sys.dont_write_bytecode = True
    os.chdir(ROOT)
    for name in LIBRARIES:
        importlib.import_module(name)
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*OPTIONS, "--version", "--version"])
    # The first failing example is enough: it need not be the smallest, nor the only one.
    phases = hypothesis.Phase.explicit, hypothesis.Phase.generate
    hypothesis.settings.register_profile("planted", phases=phases, report_multiple_bugs=False)
    hypothesis.settings.load_profile("planted")
    assert "stepgauge" not in {name.partition(".")[0] for name in sys.modules}
    gc.freeze()


def main() -> None:
    jobs = json.load(sys.stdin)
    prepare()
    with tempfile.TemporaryDirectory() as home:
        hypothesis.configuration.set_hypothesis_home_dir(home)
        done = dict(outcomes(jobs))
    json.dump([done[index] for index in range(len(jobs))], sys.stdout)


if __name__ == "__main__":
    main()
