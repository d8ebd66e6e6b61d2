import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are files, not a package: make `planted_pairs` importable

from planted_pairs import bench_of, planted


@pytest.fixture(scope="session")
def bench():
    return bench_of(planted(200, 0.3))
