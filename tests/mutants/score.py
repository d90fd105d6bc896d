"""How many wrong places of `reference` and `verify` do the tests see?

    python score.py [COUNT, or "all"] [SEED]

Plants so many of the mutants that `operators` makes, one at a time, and runs the tests that `plan.toml` has for the file, in stages
from the nearest to the widest. A red test kills a mutant; so does more than `SECONDS` of the processor or `MEMORY` for a stage.
Nothing is written: `red` loads the module from the text with the edit in it, in a process of its own. Prints the survivors that
`survivors.json` does not list, in the form in which it lists them, and the score, killed / (all − equivalent);
exits with 1 below `ENOUGH` per cent.

A sample is the same in every run, a smaller one is a part of a larger one, and an edit of the code changes only those of its lines.
"""

import json
import resource
import runpy
import shlex
import signal
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import hypothesis
from rich.console import Console
from rich.progress import Progress

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "planted")]

import red  # noqa: E402
from operators import Mutant, mutants  # noqa: E402

ENOUGH = 90
SECONDS, MEMORY = 60, 8 * 2**30
"""Of the processor, for a stage, which takes 40 at most without a mutant; bytes."""

RED = {1, 2, 4, -signal.SIGSEGV}
"""How a run of tests ends that kills: one is red; the module cannot be imported (4 where tests are named one by one; that all of
them are there is a test of its own); the interpreter is taken down."""

ENDLESS = {-signal.SIGXCPU, -signal.SIGALRM}
"""This kills, too."""

PLAN = tomllib.loads((HERE / "plan.toml").read_text(encoding="utf-8"))
LISTED = json.loads((HERE / "survivors.json").read_text(encoding="utf-8"))
SLIPS = [runpy.run_path(str(path))["SLIPS"] for path in sorted((HERE.parent / "planted" / "slips").glob("*.py"))]


class Planted(NamedTuple):
    """A mutant of a file."""

    file: str
    mutant: Mutant

    @property
    def entry(self) -> dict:
        """What survivors.json says of it, but for the reason."""
        old, new = (" ".join(" ".join(lines).split()) for lines in (self.mutant.old, self.mutant.new))
        nth = {"nth": self.mutant.nth} if self.mutant.nth else {}
        return {"file": self.file, "function": self.mutant.function, "old": old, "new": new, **nth}

    @property
    def job(self) -> dict:
        """What `red` is to run."""
        module = self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return {"module": f"stepgauge.{module}", "source": self.mutant.planted(text_of(self.file)), "stages": stages(self.file),
                "limit": SECONDS}


def key(entry: Mapping) -> tuple:
    """What tells an entry from others."""
    return tuple(entry.get(name, 0) for name in ("file", "function", "old", "new", "nth"))


@cache
def text_of(file: str) -> str:
    return (red.ROOT / file).read_text(encoding="utf-8")


def every() -> list[Planted]:
    """All mutants of what computes."""
    files = [path.relative_to(red.ROOT).as_posix() for room in ("reference", "verify") for path in (red.ROOT / room).rglob("*.py")]
    return [Planted(file, mutant) for file in sorted(files) if file not in PLAN["left-out"] for mutant in mutants(text_of(file))
            if f"{file}:{mutant.function}" not in PLAN["left-out"]]


@cache
def stages(file: str) -> list[list[str]]:
    """The tests for a file, as words for pytest: those that planted slips turn red, those of the plan, the wider ones."""
    slips = sorted({test for listed in SLIPS for test in listed.get(file.removesuffix(".py").replace("/", "."), ())})
    wider = next((tests for folder, tests in PLAN["wider"].items() if file.startswith(folder)), [])
    return [["-m", "not long", *(f"tests/{word}" if (HERE.parent / word.partition("::")[0]).exists() else word for word in words)]
            for words in [slips] * bool(slips) + [shlex.split(tests) for tests in PLAN["nearest"].get(file, []) + wider]]


def sample(planted: Sequence[Planted], count: int | None, seed: int) -> list[Planted]:
    """The first so many, in an order that hangs on the seed and on each mutant alone."""
    return sorted(planted, key=lambda one: sha256(f"{seed} {key(one.entry)}".encode()).digest())[:count]


def outcomes(planted: Sequence[Planted], bar: Progress) -> tuple[list[Planted], list[Planted]]:
    """Those that no stage kills, and those that are killed for their time.

    Raises   RuntimeError where a run of tests comes to no verdict, such as for a stage without a test.
    """
    alive, endless = [], []
    for index, outcome in bar.track(red.outcomes([one.job for one in planted]), total=len(planted)):
        if outcome["status"] in ENDLESS:
            endless.append(planted[index])
        elif outcome["status"] == 0:
            alive.append(planted[index])
        elif outcome["status"] not in RED:
            raise RuntimeError(f"{planted[index].entry}: expected a verdict, got status {outcome['status']}\n{outcome['output']}")
    return alive, endless


def main(count: str = "200", seed: str = "0") -> int:
    everything, reasons = every(), {key(entry): entry["reason"] for entry in LISTED}
    chosen = sample(everything, None if count == "all" else int(count), int(seed))
    unlisted = [one for one in chosen if key(one.entry) not in reasons]
    known = sum(reasons.get(key(one.entry), "").startswith("margin") for one in chosen)
    equivalent = len(chosen) - len(unlisted) - known
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    red.prepare()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as home, Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        hypothesis.configuration.set_hypothesis_home_dir(home)
        found, endless = outcomes(unlisted, bar)
    for one in found:
        print(f"{one.file}:{one.mutant.first + 1}\n {json.dumps(one.entry, ensure_ascii=False)}")
    killed = len(unlisted) - len(found)
    score = 100 * killed / max(len(chosen) - equivalent, 1)
    print(f"{len(chosen)} of {len(everything)} mutants, seed {seed}: {killed} killed, {len(endless)} of them for their time, "
          f"{equivalent} equivalent, {known} known and {len(found)} new survivors: {score:.1f} %")
    return 0 if score >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
