"""Pages whose output blocks are produced by running what stands above them.

    python tests/docs/pages.py        rewrites README.md, docs/cli.md, docs/experiments.md, docs/speed.md and docs/vectors.md

A ```python block followed by a bare ``` block, and a ```console block whose first line starts with `$ `, are run; what they print
replaces the block. `test_pages.py` compares the committed pages with freshly rendered ones.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/cli.md", "docs/experiments.md", "docs/speed.md", "docs/vectors.md")
PROGRAMS = {"stepgauge": [sys.executable, "-m", "stepgauge.verify.cli"], "python": [sys.executable]}
PYTHON = re.compile(r"(```python\n(.*?)```\n)```\n.*?```\n", re.S)
CONSOLE = re.compile(r"(```console\n\$ (.*?)\n).*?```\n", re.S)
MEASURED = re.compile(r"\d+\.\d+(e[+-]\d+)?|\de[+-]\d+|(?<=│ )0\b")


def rendered(text: str) -> str:
    """The page with every output block made anew."""
    text = PYTHON.sub(lambda match: f"{match[1]}```\n{_run_python(match[2])}```\n", text)
    return CONSOLE.sub(lambda match: f"{match[1]}{_run_command(match[2])}```\n", text)


def without_measurements(text: str) -> str:
    """The page with numbers that hang on the machine's rounding taken out."""
    return re.sub(r" +", " ", MEASURED.sub("#", text))


def _run_python(code: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    return printed.getvalue()


def _run_command(command: str) -> str:
    program, *arguments = shlex.split(command)
    done = subprocess.run([*PROGRAMS.get(program, [program]), *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "128"})
    return "\n".join(line.rstrip() for line in (done.stdout + done.stderr).splitlines()) + "\n"


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        path.write_text(rendered(path.read_text()))
