"""What is judged of another library; what is said about differences stands in judgements.toml."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from stepgauge import verify

class Peer(NamedTuple):
    """One piece of a library.

    package     the distribution that has it.
    name        what it is called there.
    subject     the method or procedure of stepgauge that it is judged as.
    candidate   the adapter.
    how         how it was run, in words.
    cases       Cases, or None for the default suite.
    """

    package: str
    name: str
    subject: str
    candidate: Callable[..., Any]
    how: str
    cases: Any = None


def cases(method, names=None, **hyper):
    """Cases of a method with some of their hyper-parameters replaced, where a library has no such freedom."""
    return tuple(replace(case, hyper=case.hyper._replace(**hyper)) for case in verify.cases(method, names))


def columns_first(params):
    """Where the entries of θ in torch's order (W row by row, b) stand in R's (columns of W, b): an index array."""
    found, start = [], 0
    for W, b in params:
        rows = np.arange(start, start + W.size).reshape(len(b), -1)
        found += [rows.T.ravel(), np.arange(start + W.size, start + W.size + len(b))]
        start += W.size + len(b)
    return np.concatenate(found)
