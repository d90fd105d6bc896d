"""A progress bar on a terminal, and silence in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def progress(items: Iterable[Item], text: str, total: int | None = None) -> Iterable[Item]:
    """The items one by one, with a bar on stderr where that is a terminal; the bar is gone at the end.

    Takes    total: how many there are, where they have no length.
    """
    return track(items, text, total, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
