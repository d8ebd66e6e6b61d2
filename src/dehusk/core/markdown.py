"""Texts of others inside Markdown of ours."""

from __future__ import annotations

import re

from dehusk.core.messages import visible

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()<>#+|~$!&])")
# What GitHub would turn into a mention, an issue or a link is broken by a word joiner, which is not seen.
_LIVE = re.compile(r"(?<=[@/])(?=\w)|(?<=#)(?=\d)|(?<=:)(?=//)|(?<=www)(?=\.)")


def escaped(text: str, longest: int = 400) -> str:
    r"""One line of text, of at most `longest` characters, that Markdown shows as it is.

    >>> print(escaped("a|b *c* <script> @me"))
    a\|b \*c\* \<script\> @⁠me
    """
    line = " ".join(visible(text).split())
    line = line if len(line) <= longest else line[: longest - 1] + "…"
    return _LIVE.sub("\u2060", _PUNCTUATION.sub(r"\\\1", line))
