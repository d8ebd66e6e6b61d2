"""Pairs of made-up answers that edits have room in, and reward models whose prices are known."""

import zlib

import numpy as np
import polars as pl
from factories import make_pairs

from dehusk.core.tables import Scores
from dehusk.features.intents import phrase_feature
from dehusk.features.measuring import declared, measure

WORDS = {
    "en": [
        "water",
        "stone",
        "garden",
        "letter",
        "window",
        "river",
        "morning",
        "paper",
        "music",
        "table",
        "road",
        "cloud",
    ],
    "zh": ["水流", "石头", "花园", "信件", "窗户", "河边", "早晨", "纸张", "音乐", "桌子", "道路", "云彩"],
}
VERBS = {
    "en": ["may include", "need to show", "help", "create"],
    "zh": ["可以帮助", "因为使用", "如果提高", "能够选择"],
}


def answer(rng, lang="en", sentences=6):
    """Three paragraphs of plain sentences."""
    words, verbs, (space, stop) = WORDS[lang], VERBS[lang], (" ", ". ") if lang == "en" else ("", "。")
    parts = []
    for at in range(sentences):
        said = [*rng.choice(words, 3), rng.choice(verbs), *rng.choice(words, 3)]
        parts.append(space.join(said).capitalize() + stop + ("\n\n" if at % 2 else ""))
    return "".join(parts).replace(" \n", "\n").strip()


def edited_pairs(rng, n=60, lang="en", **columns):
    """n pairs, a prompt each."""
    ask = "What about the {} number {}?" if lang == "en" else "第{1}个{0}怎么样？"
    return make_pairs(
        n,
        prompts=[ask.format(rng.choice(WORDS[lang]), at) for at in range(n)],
        chosen=[answer(rng, lang) for _ in range(n)],
        rejected=[answer(rng, lang, 4) for _ in range(n)],
        **columns,
    )


def measured(pairs, phrases=()):
    """Declared features and phrases as a user names them."""
    return measure([*declared(), *(phrase_feature(phrase) for phrase in phrases)], pairs=pairs)


class Model:
    """Pays what `price` says of an answer, and noise that is a hash of the text; keeps what it was asked."""

    def __init__(self, price=lambda text: 0.0, noise=1.0, seed=0, name="rm"):
        self.name, self.price, self.noise, self.seed, self.asked = name, price, noise, seed, []

    def score(self, prompts, responses):
        self.asked.append(list(zip(prompts, responses, strict=True)))
        return np.array([self.price(text) + self.noise * self._hash(ask + text) for ask, text in self.asked[-1]])

    def _hash(self, text):
        uniform = zlib.crc32(f"{self.seed}{text}".encode()) / 2**32
        return (uniform - 0.5) * 12**0.5  # variance 1

    def scores(self, pairs):
        """What it says of pairs."""
        frame = pairs.frame
        said = {side: self.score(frame["prompt"], frame[side]) for side in ("chosen", "rejected")}
        return Scores((self.name,), {side: pl.DataFrame({self.name: values}) for side, values in said.items()})
