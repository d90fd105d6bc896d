"""What is judged of another library, and what is said about it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from stepgauge import verify

BY_DESIGN, LOOSE, BUG = "another algorithm by design", "less accurate than the text asks for", "a bug"


class Peer(NamedTuple):
    """One piece of a library.

    package     the distribution that has it.
    name        what it is called there.
    subject     the method or procedure of stepgauge that it is judged as.
    candidate   the adapter.
    how         how it was run, in words.
    cases       Cases, or None for the default suite.
    kind        of a difference that no convention explains: BY_DESIGN, LOOSE or BUG; "" where there is none.
    because     the cause, and for a bug the reason why it is one.
    smallest    a program of a few lines, with that library alone, that shows the difference.
    """

    package: str
    name: str
    subject: str
    candidate: Callable[..., Any]
    how: str
    cases: Any = None
    kind: str = ""
    because: str = ""
    smallest: str = ""


def cases(method, names=None, **hyper):
    """Cases of a method with some of their hyper-parameters replaced, where a library has no such freedom."""
    return tuple(replace(case, hyper=case.hyper._replace(**hyper)) for case in verify.cases(method, names))
