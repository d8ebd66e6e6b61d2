"""The error tree.

Every error a user can cause is one line: what went wrong, where, what was expected, the nearest fix.

    DehuskError
    ├── InputError        the user's input (exit code 2)
    │   ├── UnknownName   a name that no table holds
    │   └── MissingExtra  an optional part that is not installed
    ├── BackendError      a reward model, judge or server that did not answer (exit code 3)
    └── NotEnoughData     a kernel's refusal; recorded as skipped, never shown as a number
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DehuskError(Exception):
    """Root of all errors that dehusk raises on purpose."""

    exit_code = 1


class InputError(DehuskError):
    """Something the user gave cannot be used.

    >>> print(InputError("no column 'chosen'", where="prefs.jsonl", fix="--map chosen=win"))
    prefs.jsonl: no column 'chosen'. Try: --map chosen=win
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        row: int | None = None,
        expected: str | None = None,
        fix: str | None = None,
    ) -> None:
        """Compose the line.

        Args:
            what: What is wrong, lower case, no full stop.
            where: File, flag or table.
            row: 1-based row or line inside `where`.
            expected: What would have been right.
            fix: The nearest thing to try.
        """
        self.what, self.where, self.row, self.expected, self.fix = what, where, row, expected, fix
        place = f"{where}: " if where and row is None else f"{where}, row {row:,}: " if where else ""
        line = place + what
        if expected:
            line += f"; expected {expected}"
        if fix:
            line += f". Try: {fix}"
        super().__init__(" ".join(line.split()))


class UnknownName(InputError):
    """A name that is in no table; carries the nearest ones."""

    def __init__(
        self, kind: str, name: str, known: Iterable[str], *, where: str | None = None, fix: str | None = None
    ) -> None:
        """Compose the line from the kind of thing, the wrong name and the right ones."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        shown = near or names[:12]
        more = "" if near or len(names) <= 12 else f", … ({len(names)} in all)"
        lead = "did you mean" if near else "one of"
        super().__init__(f"unknown {kind} {name!r}; {lead} {', '.join(shown)}{more}", where=where, fix=fix)


class MissingExtra(InputError):
    """An optional part of dehusk that is not installed."""

    def __init__(self, extra: str, purpose: str) -> None:
        """Compose the sentence that installs the extra."""
        super().__init__(f"{purpose} needs an optional part", fix=f'pip install "dehusk[{extra}]"')


class BackendError(DehuskError):
    """A reward model, judge or server failed."""

    exit_code = 3


class NotEnoughData(DehuskError):
    """A kernel refuses to give a number; `needs` says what would be enough."""

    def __init__(self, needs: str) -> None:
        """Keep the refusal as a short clause, e.g. "at least 20 pairs, got 3"."""
        self.needs = needs
        super().__init__(needs)
