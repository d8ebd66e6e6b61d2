"""What is noticed row by row while reading: facts about a row that a trainer would want to know, never silent.

Each rule is one expression over all rows; only candidates for near-identity are looked at one by one.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dehusk.core.tables import Bools
from dehusk.io.edit_distance import nearly_equal

UNUSABLE = ("empty", "identical")  # checks that a pair does not survive (on either answer)
SHARED_START = 60  # characters that both sides begin with, to be called a common prefix
LEAST_PROMPT = 20  # shorter prompts occur in answers by chance
CLUSTER_SHARE, CLUSTER_WIDTH = 0.02, 0.85
LEAST_CAP = 200  # characters; nobody caps answers below that
_ROLE_MARKER = (
    r"(?m)^[ \t]*(?:Human|Assistant|User|System|用户|助手|人类)[ \t]*[:：]|"
    r"<\|(?:im_start|im_end|eot_id|start_header_id|end_header_id|endoftext|user|assistant|system|end)\|>|"
    r"\[/?INST\]|<</?SYS>>|^#{2,3} ?(?:Instruction|Response|Input|Human|Assistant)\b:?|"
    r"<(?:start|end)_of_turn>|<｜(?:User|Assistant|begin▁of▁sentence|end▁of▁sentence)｜>|</s>"
)
# UTF-8 read as Latin-1 or Windows-1252 (’ “ é …), as GBK, and the replacement character itself.
_MOJIBAKE = (
    r"â€[™œ˜“”¦¢\u0080-\u009f]|Ã[\u0080-\u00bf ]|Â[\u00a0-\u00bf]|ï¿½|ï»¿|\x{FFFD}|锟斤拷|"
    r"(?:[äåæçèé][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œž]{1,2}){2}"
)
_UNFINISHED = r"[\p{L}\p{N},，、(（\[{\-]\s*$"  # a letter, or a mark after which more must come
_CANNOT_END = (  # a short line that ends in a comma closes a letter ("Best,"); "5. a" is an answer, "is a" is not
    r"(?i)(?:[^\n]{18}[,，、]|[(（\[{]|[\p{L}\p{N},;] (?:the|an?|and|or|of|to|with|for|from|in|on|at|by|"
    r"is|are|was|were|that|which|its|their|as|because|if|but|your|our|will|can|be|has|have)|[和与或把被及以])\s*$"
)


def check_pairs(frame: pl.DataFrame, damaged: pl.Series) -> pl.DataFrame:
    """Check every pair.

    Args:
        frame: Columns row, prompt, chosen, rejected (n rows); missing text is "".
        damaged: Whether a lone surrogate was replaced somewhere in the row, Boolean, shape (n,).

    Returns:
        One line a pair and check: `at` (0-based line of `frame`), row, check, side.
    """
    near = pl.lit(_near_identical(frame))
    flags = {**_pair_flags(frame), ("near_identical", "pair"): near}
    flags["common_prefix", "pair"] &= ~near
    for side in ("chosen", "rejected"):
        flags |= {(check, side): found for check, found in response_flags(frame, side).items()}
        flags["lone_surrogate", side] = pl.lit(damaged) & pl.col(side).str.contains("�", literal=True)
    flags["empty", "prompt"] = ~pl.col("prompt").str.contains(r"\S")
    return lines(frame, flags)


def check_responses(frame: pl.DataFrame, damaged: pl.Series) -> pl.DataFrame:
    """Check every response; arguments and result as in `check_pairs`, with a column response instead of two."""
    flags = {(check, "response"): found for check, found in response_flags(frame, "response").items()}
    flags["lone_surrogate", "response"] = pl.lit(damaged) & pl.col("response").str.contains("�", literal=True)
    flags["duplicate", "response"] = ~_key("stage", "prompt", "response").is_first_distinct()
    return lines(frame, flags)


def lines(frame: pl.DataFrame, flags: dict[tuple[str, str], pl.Expr]) -> pl.DataFrame:
    """One line a row and (check, side) that holds for it, in the order of the rows."""
    names = {f"{check}/{side}": (check, side) for check, side in flags}
    found = frame.select(flags[pair].fill_null(value=False).alias(name) for name, pair in names.items())
    parts = []
    for name, (check, side) in names.items():
        at = found[name].arg_true().cast(pl.Int64)
        if len(at):
            part = pl.DataFrame({"at": at, "row": frame["row"].gather(at)})
            parts.append(part.with_columns(check=pl.lit(check), side=pl.lit(side)))
    if not parts:
        return pl.DataFrame(schema={"at": pl.Int64, "row": pl.Int64, "check": pl.String, "side": pl.String})
    return pl.concat(parts).sort("at", "check", "side")


def _pair_flags(frame: pl.DataFrame) -> dict[tuple[str, str], pl.Expr]:
    chosen, rejected, prompt = pl.col("chosen"), pl.col("rejected"), pl.col("prompt")
    start = chosen.str.head(SHARED_START)
    same_start = (start == rejected.str.head(SHARED_START)) & (start.str.len_chars() == SHARED_START)
    forward, backward = _key("prompt", "chosen", "rejected"), _key("prompt", "rejected", "chosen")
    identical = chosen == rejected
    return {
        ("identical", "pair"): identical & chosen.str.contains(r"\S"),
        ("duplicate", "pair"): ~forward.is_first_distinct(),
        ("contradictory", "pair"): ~identical & backward.is_in(forward.implode()),
        ("common_prefix", "pair"): same_start & ~identical & ~prompt.str.starts_with(start),
    }


def response_flags(frame: pl.DataFrame, side: str) -> dict[str, pl.Expr]:
    """Checks of one answer column, as Boolean expressions.

    *truncated* is conservative: the text ends in a letter, a digit, a comma or an open bracket, or inside a code
    fence, **and** it either sits in a pile-up of longest answers (at least 2 % of all answers within 15 % of the
    99.9th percentile of length: a cap) or, with 30 characters at least, ends in a word that cannot end a sentence
    ("the", "of", "和").
    """
    text, prompt = pl.col(side), pl.col("prompt").str.strip_chars()
    lengths = frame[side].str.len_chars()
    longest = float(lengths.quantile(0.999) or 0)
    capped = lengths >= CLUSTER_WIDTH * longest
    piled = longest >= LEAST_CAP and int(capped.sum()) >= max(CLUSTER_SHARE * len(lengths), 5)
    tail = text.str.tail(32)
    open_fence = text.str.count_matches("```", literal=True) % 2 == 1
    cut_off = tail.str.contains(_CANNOT_END) & (text.str.len_chars() >= 30)
    unfinished = tail.str.contains(_UNFINISHED) | open_fence
    return {
        "empty": ~text.str.contains(r"\S"),
        "truncated": unfinished & (cut_off | (pl.lit(capped) if piled else pl.lit(value=False))),
        "role_marker": text.str.contains(_ROLE_MARKER),
        "prompt_in_response": (prompt.str.len_chars() >= LEAST_PROMPT) & text.str.contains(prompt, literal=True),
        "mixed_encoding": text.str.contains(_MOJIBAKE),
    }


def _key(*names: str) -> pl.Expr:
    """One number for the texts of these columns in this order; hashed one by one, so that no text is copied."""
    return pl.struct(pl.col(name).hash().alias(str(place)) for place, name in enumerate(names)).hash()


def _near_identical(frame: pl.DataFrame) -> pl.Series:
    """Whether the two answers differ by less than 2 % of the longer one, without being equal; shape (n,)."""
    first, second = frame["chosen"], frame["rejected"]
    lengths = np.column_stack([first.str.len_chars().to_numpy(), second.str.len_chars().to_numpy()]).astype(np.int64)
    close: Bools = np.abs(lengths[:, 0] - lengths[:, 1]) < 0.02 * lengths.max(axis=1, initial=0)
    close &= lengths.max(axis=1, initial=0) > 50  # below that, one edit is 2 % already
    close &= (first != second).to_numpy()
    found = np.zeros(len(first), bool)
    for row in np.flatnonzero(close):
        found[row] = nearly_equal(first[int(row)], second[int(row)])
    return pl.Series("near_identical", found)
