"""Which language a text is in, as far as surface features need to know: Chinese or not."""

from __future__ import annotations

import polars as pl


def mainly_chinese(text: pl.Expr) -> pl.Expr:
    """Whether a text has Chinese characters, and no more words in letters than those, Boolean.

    >>> texts = pl.DataFrame({"t": ["用 Python 写一个函数", "Please translate 你好 into English", ""]})
    >>> texts.select(mainly_chinese(pl.col("t")))["t"].to_list()
    [True, False, False]
    """
    return text.str.count_matches(r"\p{Han}") >= text.str.count_matches(r"[A-Za-z]+").clip(lower_bound=1)
