"""What is derived from a prompt or a text: the cluster it belongs to, and its language."""

from __future__ import annotations

from hashlib import blake2b

import polars as pl

HAN_SHARE, LATIN_SHARE = 0.15, 0.4  # of the characters
_LOOKED_AT = 200  # characters of a text that decide its language


def clusters(prompts: pl.Series) -> pl.Series:
    """A name for each prompt's cluster: a hash of the prompt with case and white space evened out; shape (n,).

    A row without a prompt is a cluster of its own: nothing says that it belongs with any other. The hash is the
    same in every version and on every machine, so splits by cluster are repeatable.
    """
    plain = prompts.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    distinct = plain.unique()
    names = {text: blake2b(text.encode(), digest_size=8).hexdigest() for text in distinct if text}
    alone = pl.format("row{}", pl.int_range(pl.len()))
    found = plain.replace_strict(names, default=None, return_dtype=pl.String) if names else plain.replace("", None)
    return pl.DataFrame({"group": found}).select(pl.coalesce("group", alone).alias("group")).to_series()


def language(prompt: str, answer: str) -> pl.Expr:
    """Language of a prompt and an answer, two columns: "zh", "en", or null where neither script has enough of a share.

    Of a conversation the last question decides: system prompts are often English where nobody speaks it.
    """
    question = pl.col(prompt).str.split("\n\nHuman: ").list.last()
    text = pl.concat_str([text.str.head(_LOOKED_AT) for text in (question, pl.col(answer))], ignore_nulls=True)
    total = text.str.len_chars().cast(pl.Float64)
    han = text.str.count_matches(r"\p{Han}") / total
    latin = text.str.count_matches(r"[A-Za-z]") / total
    kana = text.str.contains(r"[\u3041-\u30ff\uac00-\ud7a3]")
    return (
        pl.when(kana).then(None).when(han > HAN_SHARE).then(pl.lit("zh")).when(latin > LATIN_SHARE).then(pl.lit("en"))
    )
