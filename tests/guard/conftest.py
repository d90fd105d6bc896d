"""Puts this folder's own modules within reach of its tests, and lends them the guard in both versions."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from guard import guard


@pytest.fixture(scope="module", params=["13", "14"])
def cupy(request):
    """The module that stands in for CuPy, under its name."""
    with guard(request.param) as module:
        yield module
