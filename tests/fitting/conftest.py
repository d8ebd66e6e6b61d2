"""Lets the tests of fitting share `planted_batches.py` under importlib's import mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
