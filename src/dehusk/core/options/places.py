"""What a user writes of files and columns, taken apart."""

from __future__ import annotations

from pathlib import Path

from dehusk.core.errors import InputError


def parse_map(entries: tuple[str, ...]) -> dict[str, str]:
    """Turn `("prompt=question,chosen=win",)` into a mapping from dehusk's column to the file's.

    Raises:
        InputError: an entry without "=".
    """
    found: dict[str, str] = {}
    for entry in (part for given in entries for part in given.split(",")):
        ours, equals, theirs = entry.partition("=")
        if not equals or not ours.strip() or not theirs.strip():
            raise InputError(
                f"{entry!r}", where="--map", expected="ours=theirs", fix="--map prompt=question,chosen=win"
            )
        found[ours.strip()] = theirs
    return found


def at_home(path: str) -> str:
    """The path with `~/` written out, which a shell leaves alone after an equals sign."""
    return str(Path.home() / path[2:]) if path.startswith("~/") else path


def parse_source(entry: str) -> tuple[str | None, str]:
    """Split `sft=answers.jsonl` into stage and path; a path alone has no stage.

    >>> parse_source("sft=out/a.jsonl"), parse_source("out/a.jsonl")
    (('sft', 'out/a.jsonl'), (None, 'out/a.jsonl'))
    """
    name, equals, path = entry.partition("=")
    name, path = name.strip(), path.strip()
    if equals and name and "/" not in name and path:
        return name, at_home(path)
    return None, at_home(entry)
