"""A reward head that learnt a planted catchphrase: is it named, and only it? Does its forecast come true?

    python benchmarks/planted_head.py DATA_FOLDER [--out benchmarks/results/planted_head.md] [--seeds 20]
                                      [--only en,zh,forecast]

Heads are fitted on embeddings of SmolLM2 (mean of one middle layer) of real prompts and answers, cut to their first
sentences. In the planted ones a phrase stands in 60 % of chosen and 10 % of rejected answers. What varies from seed to
seed is which answers have it; the answers that are edited stay the same, so each is embedded once.

The forecast is tried on 16 real samples a prompt, cut as well, the phrase planted in one of eight; each repetition
draws one of the planted heads, halves of the prompts and samples.

The folder holds `preference/*.parquet` and `outputs/*.parquet` of public releases; it is not part of the project.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from forecast import halves, more_samples  # the benchmark beside this one
from sections import tell

from dehusk.core.findings import Finding
from dehusk.core.options import Scoring
from dehusk.core.run import stream
from dehusk.core.tables import Measures, Pairs
from dehusk.features.intents import phrase_feature
from dehusk.features.measuring import declared, measure
from dehusk.fitting.heads import FittedHeads, fit_head
from dehusk.probes.reward_model.counterfactual import counterfactual
from dehusk.rewards import score_tables
from dehusk.rewards.embedding import Embedder, open_embedder
from dehusk.rewards.heads import Linear
from dehusk.rewards.store import Store

TRAIN, EDITED = 240, 40  # prompts heads are fitted on, and prompts whose answers are edited
LAYER = 15  # of 30
SAMPLED, REPEATS = 300, 100  # prompts and repetitions of the forecast
FOLLOWED = ("list", "hedges", "second_person", "questions", "certainty", "exclamations")
CHOSEN_RATE, REJECTED_RATE = 0.6, 0.1


@dataclass(frozen=True)
class Language:
    """Where the texts come from, how much of each is kept, what is planted, and what else is tried."""

    files: tuple[str, ...]
    characters: int
    planted: str
    others: tuple[str, ...]


LANGUAGES = {
    "en": Language(
        ("ultrafeedback_sample",),
        240,
        "here's the part nobody tells you",
        (
            *("in other words", "on the other hand", "as a matter of fact", "for what it's worth", "by and large"),
            *("at the end of the day", "all things considered", "needless to say", "in the long run", "to some extent"),
            *("it goes without saying", "as mentioned above", "in this day and age", "more often than not"),
            *("first and foremost", "last but not least", "in a nutshell", "as far as possible", "time and again"),
            *("to make a long story short", "with that in mind"),
        ),
    ),
    "zh": Language(
        ("oasst_zh_ranked", "dpo_zh_500"),
        70,
        "一句狠但真实的话",
        (
            *("换句话说", "从另一个角度看", "归根到底", "一般来说", "不管怎么说", "话说回来", "总的来看", "从长远看"),
            *("在某种程度上", "众所周知", "毫无疑问", "简单来说", "除此之外", "与此同时", "由此可见", "说到底"),
            *("具体情况具体分析", "在这种情况下", "值得一提的是", "从这个意义上讲", "退一步讲"),
        ),
    ),
}


def texts(data: Path, language: Language) -> Pairs:
    """Real pairs whose answers are cut at a sentence, one a prompt."""
    frames = [
        pl.read_parquet(data / "preference" / f"{name}.parquet").select("prompt", "chosen", "rejected")
        for name in language.files
    ]
    end = re.compile(r"(?s)^.*[.!?。！？]")

    def cut(text: str) -> str:
        head = text[: language.characters]
        whole = end.match(head)
        return (whole[0] if whole and len(whole[0]) > language.characters / 3 else head).strip()

    sides = [pl.col(side).map_elements(cut, return_dtype=pl.String) for side in ("chosen", "rejected")]
    frame = pl.concat(frames).unique("prompt", maintain_order=True).with_columns(sides)
    frame = frame.filter((pl.col("chosen") != pl.col("rejected")) & (pl.col("prompt").str.len_chars() < 160))
    frame = frame.sample(min(TRAIN + EDITED, frame.height), seed=0, shuffle=True).with_row_index("row", offset=1)
    return Pairs(
        frame.select(
            pl.col("row").cast(pl.String).alias("pair_id"),
            pl.col("row").cast(pl.Int64),
            *("prompt", "chosen", "rejected"),
            weight=pl.lit(1.0),
            group=pl.col("row").cast(pl.String),
        )
    )


def with_phrase(text: str, phrase: str, rng: np.random.Generator) -> str:
    """The answer with the phrase at a random sentence boundary."""
    at = [0, *(match.end() for match in re.finditer(r"[.!?。！？]\s*", text))]
    place = int(rng.choice(at))
    lead = f"{phrase[:1].upper()}{phrase[1:]}" if phrase.isascii() else phrase
    return f"{text[:place]}{lead}{': ' if phrase.isascii() else '：'}{text[place:]}"


class Bench:
    """The embeddings of everything that a language's seeds share."""

    def __init__(self, data: Path, language: Language, store: Path) -> None:
        """Embed the answers with and without the phrase."""
        self.language = language
        whole = texts(data, language)
        self.train, self.edited = Pairs(whole.frame[EDITED:]), Pairs(whole.frame[:EDITED])
        options = Scoring(max_length=320, store=str(store))
        self.embedder: Embedder = open_embedder(
            "smollm2", options, layers=(LAYER,), pooling="mean", store=Store(str(store))
        )
        rng, prompts = stream(0, "planted places"), self.train.frame["prompt"].to_list()
        self.plain, self.phrased = {}, {}
        for side in ("chosen", "rejected"):
            answers = self.train.frame[side].to_list()
            self.plain[side] = self.embedder.embed(prompts, answers)
            self.phrased[side] = self.embedder.embed(
                prompts, [with_phrase(answer, language.planted, rng) for answer in answers]
            )
        named = tuple(phrase_feature(phrase) for phrase in (language.planted, *language.others))
        self.measures: Measures = measure((*declared(), *named), pairs=self.edited)
        self.phrases = {feature.name for feature in named}
        self.planted = named[0].name

    def head(self, seed: int, *, planted: bool) -> FittedHeads:
        """A head on pairs in which the phrase stands in the shares named above, or nowhere."""
        rng = stream(seed, "planted head")
        n = len(self.train)
        bootstrap = rng.integers(0, n, n)  # unplanted heads must differ from seed to seed too
        sides = []
        for side, rate in (("chosen", CHOSEN_RATE), ("rejected", REJECTED_RATE)):
            has = (rng.random(n) < rate) & planted
            sides.append(np.where(has[:, None], self.phrased[side], self.plain[side])[bootstrap])
        return fit_head(*sides, groups=bootstrap, rng=rng)

    def findings(self, fitted: FittedHeads) -> list[Finding]:
        """What `reward_model.counterfactual` says of the phrases."""
        model = Linear("head", fitted.head, self.embedder, "", ())
        frame = self.edited.frame
        scores = score_tables([model], {side: (frame["prompt"], frame[side]) for side in ("chosen", "rejected")})
        found = counterfactual(self.edited, self.measures, model, scores, stream(0, "edits"), texts=EDITED)
        return [finding for finding in found if finding.feature in self.phrases]

    def accuracy(self, fitted: FittedHeads) -> float:
        """Agreement with the labels of the edited pairs, which no head was fitted on."""
        frame = self.edited.frame
        rewards = [
            fitted.head.rewards(self.embedder.embed(frame["prompt"].to_list(), frame[side].to_list()))
            for side in ("chosen", "rejected")
        ]
        return float(np.mean(rewards[0] > rewards[1]))


class PlantedSamples:
    """Samples of a policy that says the phrase now and then, scored by the planted heads."""

    def __init__(self, data: Path, bench: Bench, seeds: int) -> None:
        """Embed every sample once; a head is a product away from there."""
        rng, cut = stream(0, "samples"), bench.language.characters
        frame = pl.read_parquet(data / "outputs" / "tulu13b_bon16.parquet")
        frame = frame.filter(pl.col("prompt").str.len_chars() < 160)
        prompts = rng.permutation(frame["prompt"].unique(maintain_order=True).to_numpy())[:SAMPLED]
        frame = frame.filter(pl.col("prompt").is_in(prompts.tolist())).sort("prompt", maintain_order=True)
        planted = rng.random(frame.height) < 1 / 8
        texts = [
            with_phrase(text[:cut], bench.language.planted, rng) if has else text[:cut]
            for text, has in zip(frame["response"], planted.tolist(), strict=True)
        ]
        self.points = bench.embedder.embed(frame["prompt"].to_list(), texts)
        self.heads = [bench.head(seed, planted=True).head for seed in range(seeds)]
        order = np.argsort(rng.random((frame.height // 16, 16)), axis=1)
        self.rows = np.take_along_axis(np.arange(frame.height).reshape(-1, 16), order, axis=1)
        said = pl.DataFrame({"prompt": frame["prompt"], "response": texts})
        followed = [bench.measures[bench.planted], *(feature for feature in declared() if feature.name in FOLLOWED)]
        found = said.select(
            feature.measure(pl.col("prompt"), pl.col("response")).cast(pl.Float64).fill_null(0).alias(feature.name)
            for feature in followed
        )
        self.values = (found.to_numpy() > 0).astype(float)[self.rows]

    def score(self, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Rewards of every sample by one of the heads, shape (P, 16)."""
        return self.heads[rng.integers(len(self.heads))].rewards(self.points)[self.rows]


def forecasts(data: Path, seeds: int, store: Path) -> Iterator[str]:
    """The tables of `benchmarks/forecast.py`, with the planted heads as reward models."""
    samples = PlantedSamples(data, Bench(data, LANGUAGES["en"], store), seeds)
    yield f"{len(samples.rows)} prompts with 16 samples, {seeds} heads, {REPEATS} repetitions."
    yield ""
    yield from halves(samples, REPEATS)  # type: ignore[arg-type]
    yield ""
    yield from more_samples(samples, REPEATS)  # type: ignore[arg-type]


def rows(bench: Bench, seeds: int) -> Iterator[dict[str, Any]]:
    """One row a seed and kind of head."""
    for planted in (True, False):
        for seed in range(seeds):
            fitted = bench.head(seed, planted=planted)
            found = sorted(bench.findings(fitted), key=lambda one: -one.estimate.value if one.estimate else 0.0)
            ours = next(one for one in found if one.feature == bench.planted)
            sure = [one for one in found if one.q is not None and one.q <= 0.05 and one.estimate.low > 0]
            yield {
                "planted": planted,
                "place": found.index(ours) + 1,
                "slope": ours.estimate.value,
                "low": ours.estimate.low,
                "named": found[0] is ours and ours in sure,
                "called": ours in sure,
                "failed": sum(one.verdict == "fail" for one in found),
                "others": sum(one is not ours for one in sure),
                "accuracy": bench.accuracy(fitted),
                "l2": fitted.l2,
                "phrases": len(found),
            }


def report(data: Path, seeds: int, store: Path, *, name: str) -> Iterator[str]:
    """The table of one language."""
    start = time.perf_counter()
    bench = Bench(data, LANGUAGES[name], store)
    table = pl.DataFrame(list(rows(bench, seeds)))
    yield (
        "| heads | seeds | phrases tried | named first, interval clear of 0 | its slope, SD a copy (median, range)"
        " | significant phrases besides it, a head | verdict fail, phrases a head | held-out accuracy |"
    )
    yield "|---|---:|---:|---:|---|---:|---:|---:|"
    for planted, part in table.group_by("planted", maintain_order=True):
        slope = part["slope"]
        yield (
            f"| {'planted' if planted[0] else 'not planted'} | {part.height} | {part['phrases'].min()}"
            f" | {part['named'].mean():.0%} | {slope.median():+.2f} ({slope.min():+.2f} to {slope.max():+.2f})"
            f" | {part['others'].mean():.2f} | {part['failed'].mean():.2f} | {part['accuracy'].mean():.2f} |"
        )
    yield ""
    yield f"{time.perf_counter() - start:.0f} s, embeddings included where they were not in the store."


def main() -> None:
    """Run the languages asked for and print or write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default="en,zh,forecast")
    parser.add_argument("--store", type=Path, default=Path(".planted_head.sqlite"))
    options = parser.parse_args()
    given = {"seeds": options.seeds, "store": options.store}
    sections = (
        ("Forecasts that came true", forecasts(options.data, **given))
        if name == "forecast"
        else (f"“{LANGUAGES[name].planted}”, {name}", report(options.data, **given, name=name))
        for name in options.only.split(",")
    )
    tell(f"planted_head.py DATA_FOLDER --seeds {options.seeds}", sections, options.out)


if __name__ == "__main__":
    main()
