"""Puts this folder's own modules, and the twins of chapter 2 that they build on, within reach of its tests."""

import sys
from pathlib import Path

here = Path(__file__).parent
for folder in (here.parent / "chapter2", here):
    sys.path.insert(0, str(folder))
