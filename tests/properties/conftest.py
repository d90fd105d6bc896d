"""Draws that several tests look at, made once."""

import pytest
from hypothesis import Phase, given, settings


@pytest.fixture(scope="session")
def drawn():
    """`drawn(strategy)`: its first 120 draws, the same at every run; Hypothesis' health checks stay on."""
    kept = {}

    def draws(strategy):
        found = kept.setdefault(repr(strategy), [])
        if not found:
            @settings(max_examples=120, derandomize=True, deadline=None, database=None, phases=[Phase.generate])
            @given(strategy)
            def collect(value):
                found.append(value)

            collect()
        return found

    return draws
