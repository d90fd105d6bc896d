"""Puts this folder's own modules, and the slow twins of networks in chapter 2's folder, within reach of its tests."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "chapter2")]
