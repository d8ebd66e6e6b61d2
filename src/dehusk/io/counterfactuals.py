"""Reading counterfactual pairs: answers beside a rewrite that adds one feature."""

from __future__ import annotations

from collections.abc import Mapping

from dehusk.core.errors import InputError
from dehusk.core.run import InputRecord
from dehusk.core.tables import Counterfactuals


def read_counterfactuals(path: str, *, columns: Mapping[str, str]) -> tuple[Counterfactuals, InputRecord]:
    """Read a table with prompt, original, edited and feature, and perhaps the share of people who prefer the edited.

    Raises:
        InputError: no such table.
    """
    raise InputError("counterfactuals cannot be read yet", where=path)
