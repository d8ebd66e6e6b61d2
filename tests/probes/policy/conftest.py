"""Lets the tests of the policy probes share `stage_tables.py` under importlib's import mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
