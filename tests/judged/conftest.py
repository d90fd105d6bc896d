"""The lists and their table are scripts in this folder, which import one another by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
