"""Lets the tests share `healthy.py`, and the factories of the data probes, under importlib's import mode."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "data")]
