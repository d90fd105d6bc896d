"""The command `stepgauge`: check, judge-files, save, list, show, proofs, vectors."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ..arrays.errors import expect
from ..reference import METHODS
from .case import Case, Layout, read_steps
from .cases import IMAGES, OPTIONAL, TRAPS, cases
from .check import check, judge_steps
from .procedures import PROCEDURES
from .show import SUBJECTS, page
from .vectors.command import add_to


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.  Returns 0 where the candidate is right, 1 where it is not, 2 where the question could not be asked."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, TypeError, OSError) as error:
        print(f"stepgauge: {error}", file=sys.stderr)
        return 2


def load(place: str) -> Callable[..., Any]:
    """The callable that FILE.py:NAME names.

    Raises   ValueError where there is no such file, name or callable, or the file cannot be run.
    """
    file, colon, name = place.rpartition(":")
    expect(colon and Path(file).is_file(), "candidate", "FILE.py:NAME", "the judge calls NAME out of that file", repr(place))
    spec = importlib.util.spec_from_file_location("stepgauge_candidate", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"candidate: expected a Python file because it is imported, got {file!r}")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    sys.path.append(str(Path(file).resolve().parent))   # so that a file may import those beside it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"candidate: expected a file that can be imported because NAME is taken from it, "
                         f"got {type(error).__name__}: {error}") from error
    expect(callable(getattr(module, name, None)), "candidate", f"a callable {name!r} in {Path(file).name}",
           "the judge calls it", "none")
    return getattr(module, name)


class _Candidate:
    """The callable in a file, as what another process can be sent: it reads the file itself."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.function = load(place)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    def __reduce__(self) -> Any:
        return _Candidate, (self.place,)


def _check(options: argparse.Namespace) -> int:
    candidate = _Candidate(options.candidate)
    given = {name for name, value in vars(options).items() if value is not None}
    if options.method in PROCEDURES:
        _not_for(given, ("case", "dtype", "kernel", "bias", "jobs"), "a procedure is judged on its own inputs, in both dtypes")
        return _print(check(options.method, candidate, time_limit=options.time_limit, bad_input=bool(options.bad_input)),
                      options)
    _not_for(given, ("bad_input",), "a method is judged on cases that it can go through")
    chosen = cases(options.method, options.case, options.dtype or "float64")
    layout = Layout(options.kernel or "out_in", options.bias or "separate")
    return _print(check(options.method, candidate, chosen, layout=layout, time_limit=options.time_limit, jobs=options.jobs or 1),
                  options)


def _not_for(given: set[str], names: tuple[str, ...], why: str) -> None:
    for name in names:
        expect(name not in given, f"--{name.replace('_', '-')}", "nothing", why, "the option")


def _judge_files(options: argparse.Namespace) -> int:
    case = Case.load(options.folder)
    expect(case.method == options.method, "method", repr(case.method), "the case in the folder was made for it",
           repr(options.method))
    return _print(judge_steps(case, read_steps(options.folder)), options)


def _save(options: argparse.Namespace) -> int:
    case, = cases(options.method, [options.case], options.dtype)
    case.save(options.folder)
    print(f"{options.folder}: case {case.name} of {case.method}, {case.steps} steps. Write steps.json beside it, then: "
          f"stepgauge judge-files {case.method} {options.folder}")
    return 0


def _list(options: argparse.Namespace) -> int:
    console = _console()
    methods = Table("method", "paper lines", "file", title="Methods", title_justify="left", box=None)
    for name, module in METHODS.items():
        methods.add_row(name, ", ".join(sorted(set(module.LINES.values()))), module.__name__.removeprefix("stepgauge.")
                        .replace(".", "/") + ".py")
    procedures = Table("procedure", "what it is", title="\nProcedures", title_justify="left", box=None)
    for name, procedure in PROCEDURES.items():
        function = getattr(procedure.module, procedure.function)
        procedures.add_row(name, (function.__doc__ or "").splitlines()[0])
    suite = Table("case", "the trap it sets", title="\nCases", title_justify="left", box=None)
    images = {name: f"{text} (where the method is for convolutional nets, else on request)" for name, text in IMAGES.items()}
    for name, trap in (TRAPS | images | {name: f"{text} (only on request)" for name, text in OPTIONAL.items()}).items():
        suite.add_row(name, trap)
    for table in (methods, procedures, suite):
        console.print(table)
    return 0


def _show(options: argparse.Namespace) -> int:
    _console().print(page(options.subject))
    return 0


def _proofs(options: argparse.Namespace) -> int:
    from ..proofs_check import ledger

    entries = ledger.read()
    if options.id is not None:
        entries = ledger.chosen(entries, options.id)
    if options.json:
        print(ledger.as_json(entries), end="")
    elif options.verbose or options.id is not None:
        for part in ledger.pages(entries):
            _console().print(part)
    else:
        _console().print(ledger.table(entries))
    return 0


def _print(report: Any, options: argparse.Namespace) -> int:
    if options.json:
        print(report.to_json())
    elif options.markdown:
        print(report.to_markdown(), end="")
    else:
        _console().print(report)
    return 0 if report.ok else 1


def _console() -> Console:
    return Console(highlight=False) if sys.stdout.isatty() else Console(width=128, highlight=False)


def _forms(command: argparse.ArgumentParser) -> None:
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the report as JSON")
    form.add_argument("--markdown", action="store_true", help="print the report as Markdown, for an issue tracker")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stepgauge", description="Judge second-order optimizers line by line.")
    parser.add_argument("--version", action="version", version=f"stepgauge {version('stepgauge')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("check", help="run a candidate on a method's suite and judge every line")
    command.set_defaults(run=_check)
    command.add_argument("method", help="a method or procedure of `stepgauge list`")
    command.add_argument("candidate", help="FILE.py:NAME")
    command.add_argument("--case", action="append", help="one case by name, instead of the suite (may be repeated)")
    command.add_argument("--dtype", choices=("float64", "float32"), help="of the cases (float64)")
    command.add_argument("--kernel", choices=("out_in", "in_out"), help="how the candidate writes W (out_in)")
    command.add_argument("--bias", choices=("separate", "column"), help="where it writes b (separate)")
    command.add_argument("--time-limit", type=float, default=60, metavar="S", help="seconds between two steps")
    command.add_argument("--bad-input", action="store_const", const=True,
                         help="expect a procedure to refuse what the reference refuses")
    command.add_argument("--jobs", type=int, metavar="N", help="processes that go through the cases (1)")
    _forms(command)

    command = commands.add_parser("judge-files", help="judge a trajectory written to a folder by any language")
    command.set_defaults(run=_judge_files)
    command.add_argument("method")
    command.add_argument("folder", help="a folder with case.json and steps.json")
    _forms(command)

    command = commands.add_parser("save", help="write a case to a folder, for programs in other languages")
    command.set_defaults(run=_save)
    command.add_argument("method")
    command.add_argument("case")
    command.add_argument("folder")
    command.add_argument("--dtype", choices=("float64", "float32"), default="float64")

    command = commands.add_parser("list", help="methods, procedures and cases")
    command.set_defaults(run=_list)

    command = commands.add_parser("show", help="the lines of a method in words, with the code beside them")
    command.set_defaults(run=_show)
    command.add_argument("subject", help=f"one of {', '.join(SUBJECTS)}")

    command = commands.add_parser("proofs", help="the statements of both works, and whether they are true")
    command.set_defaults(run=_proofs)
    command.add_argument("id", nargs="?", metavar="ID", help="one statement such as R.Lem.4, or all whose id starts so (all)")
    command.add_argument("--verbose", action="store_true", help="hypotheses, method, sizes and sharpness of each")
    command.add_argument("--json", action="store_true", help="print the ledger as JSON")

    add_to(commands, load, _print)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
