"""Looking scores up by prompt and response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.run import InputRecord
from dehusk.core.tables import Floats

# What another batch or a rounded decimal does to the score of one text, as a share of the standard deviation.
NOISE = 0.05
_KEYS = ["prompt", "response"]


@dataclass(frozen=True, eq=False)
class ScoreFile:
    """A reward model that knows the scores of some texts and cannot score another.

    `known` has prompt, response and score, in the order of the file. A text that is asked about as often as it is in
    the file has its scores in that order; otherwise its one score, and none if its scores differ. A text that is not
    there to the letter is looked for without surrounding white space, then by its response alone where a prompt is
    missing, in the file or in the question. In a file of whole conversations (RewardBench's) prompt and response are
    looked for inside the text, and what surrounds them must be what surrounds most others: the chat template.
    """

    name: str
    path: str
    known: pl.DataFrame
    whole: bool  # whether the texts are whole conversations
    record: InputRecord
    closed: bool = field(default=True, init=False)

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        """Scores of n answers, shape (n,), NaN for a text that is not in the file.

        Raises:
            InputError: none of the texts is in the file.
        """
        asked = pl.DataFrame({"prompt": prompts, "response": responses}, schema=dict.fromkeys(_KEYS, pl.String))
        found = self._in_order(asked)
        for way in (self._exact, self._spaced, self._alone, *([self._inside] if self.whole else [])):
            if found.null_count():
                found = found.fill_null(way(asked))
        if len(found) and found.null_count() == len(found):
            raise self._nothing(asked)
        return found.fill_null(float("nan")).to_numpy()

    def _matched(self, asked: pl.DataFrame, known: pl.DataFrame, keys: list[str]) -> pl.Series:
        """Scores by some columns, shape (n,), null where none or different ones answer."""
        score = pl.col("score")
        noise = NOISE * pl.lit(self.known["score"].std() or 0.0)
        one = known.group_by(keys, maintain_order=True).agg(score.first(), same=score.max() - score.min() <= noise)
        return asked.join(one.filter("same"), on=keys, how="left", maintain_order="left")["score"]

    def _in_order(self, asked: pl.DataFrame) -> pl.Series:
        place = {"nth": pl.int_range(pl.len()).over(_KEYS), "times": pl.len().over(_KEYS)}
        known = self.known.with_columns(**place)
        return self._matched(asked.with_columns(**place), known, [*_KEYS, *place])

    def _exact(self, asked: pl.DataFrame) -> pl.Series:
        return self._matched(asked, self.known, _KEYS)

    def _spaced(self, asked: pl.DataFrame) -> pl.Series:
        return self._matched(_trimmed(asked), _trimmed(self.known), _KEYS)

    def _alone(self, asked: pl.DataFrame) -> pl.Series:
        asked, known = _trimmed(asked), _trimmed(self.known)
        bare = self._matched(asked, known.filter(pl.col("prompt") == ""), ["response"])
        return bare.fill_null(self._matched(asked, known, ["response"]).set(asked["prompt"] != "", None))

    def _inside(self, asked: pl.DataFrame) -> pl.Series:
        """Scores of the conversations that hold prompt and response with the usual text around them."""
        asked = _trimmed(asked)
        prompts = [prompt for prompt in asked["prompt"].unique().sort() if prompt]
        held = pl.col("response").str.extract_many(prompts, overlapping=True)
        holding = self.known.select(held.alias("prompt"), pl.col("response").alias("text"), "score")
        pairs = asked.unique().join(holding.explode("prompt").unique(), on="prompt")
        pairs = pairs.filter(pl.col("response") != "", pl.col("text").str.contains(pl.col("response"), literal=True))
        around = pl.Series([_around(*row) for row in pairs.select("text", *_KEYS).iter_rows()], dtype=pl.String)
        times = Counter(around)
        usual = max(times, key=lambda text: (times[text], -len(text)), default="")
        return self._matched(asked, pairs.filter(around == usual), _KEYS)

    def _nothing(self, asked: pl.DataFrame) -> InputError:
        what = f"no score for any of {asked.height:,} texts"
        shared = asked.join(self.known, on="response", how="semi").height
        if shared:
            fix = f"scores:{self.path}?prompt= to look responses up without their prompts"
            return InputError(f"{what}: {shared:,} have other prompts there", where=self.path, fix=fix)
        return InputError(what, where=self.path, expected="the same texts as in the files that are scored")


def _trimmed(texts: pl.DataFrame) -> pl.DataFrame:
    return texts.with_columns(pl.col(_KEYS).str.strip_chars())


def _around(text: str, prompt: str, response: str) -> str:
    """What is left of a conversation without prompt and response."""
    before, _, after = text.partition(prompt)
    between, _, end = after.rpartition(response)
    return f"{before}\0{between}\0{end}"
