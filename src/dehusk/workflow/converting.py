"""Pairs in another layout."""

from __future__ import annotations

from dataclasses import dataclass

from dehusk.core.options import ConvertConfig, parse_map
from dehusk.io import read_pairs, write_pairs


@dataclass(frozen=True)
class Conversion:
    """What a conversion did."""

    rows: int
    read: str  # layout of the source
    written: str  # layout of the target
    notes: tuple[str, ...]


def run_convert(config: ConvertConfig) -> Conversion:
    """Rewrite pairs in another layout, or the same; unknown columns and the order of rows are kept.

    Raises:
        InputError: the source cannot be read, or the target layout cannot hold it.
    """
    loaded = read_pairs(config.source, columns=parse_map(config.map), layout=config.layout, lang=config.lang)
    written = config.to or loaded.record.layout
    lost = write_pairs(config.target, loaded.pairs, loaded.origin, layout=config.to)
    notes = loaded.record.notes + tuple(note.render(config.lang) for note in lost)
    return Conversion(len(loaded.pairs), loaded.record.layout, written, notes)
