"""Number systems: one source line, several arithmetics.

The same lines of `nets` and `reference` run on NumPy, CuPy and torch floats, on exact rationals, on mpmath numbers and on
balls. `namespace(*arrays)` says which functions serve the arrays at hand; `const` brings a number into their arithmetic;
`cast` moves whole parameter sets between arithmetics; `precision` sets the bits of mpmath and ball arithmetic; `series` makes
truncated power series over any of them.
"""

from .balls import Ball
from .dispatch import cast, const, is_array, is_integer, map_arrays, namespace, precision
from .errors import NotRational, Undecided
from .series import Series, series

__all__ = ["Ball", "NotRational", "Series", "Undecided", "cast", "const", "is_array", "is_integer", "map_arrays", "namespace",
           "precision", "series"]
