"""Small tables of made-up words, with nothing in them but what is asked for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

WORDS = ("rain", "road", "house", "river", "stone", "garden", "window", "letter", "market", "bridge", "winter", "water",
         "summer", "morning", "evening", "table", "paper", "music", "story", "light", "forest", "village", "harbour",
         "mountain", "kitchen", "engine", "bottle", "mirror", "carpet", "ladder")  # fmt: skip
HAN = "天地人山水火木金土风云花草树石路桥门窗书画琴棋茶酒米面鱼鸟马牛羊春夏秋冬东西南北"
SYLLABLES = ("ba", "ke", "di", "mo", "ru", "sa", "te", "ni", "lo", "pu", "ga", "ve")
FACES = "😀😁😂🤣😃😄😅😆"


class Speaker:
    """Sentences drawn from a seed."""

    def __init__(self, seed: int = 0) -> None:
        self.draw = random.Random(seed)

    def english(self, words: int = 9) -> str:
        return " ".join(self.draw.choices(WORDS, k=words)).capitalize() + "."

    def chinese(self, characters: int = 12) -> str:
        return "".join(self.draw.choices(HAN, k=characters)) + "。"

    def prose(self, words: int = 40) -> str:
        """A long text in which some words are common and most are rare, as in any language."""
        said = [SYLLABLES[k % 12] + SYLLABLES[k // 12 % 12] + SYLLABLES[k // 144] for k in self.ranks(words, 1700)]
        return " ".join(word + "." * (place % 9 == 8) for place, word in enumerate(said)) + "."

    def chinese_prose(self, characters: int = 70) -> str:
        """The same in Chinese characters."""
        said = [chr(0x4E00 + 7 * k) for k in self.ranks(characters, 1700)]
        return "".join(word + "。" * (place % 15 == 14) for place, word in enumerate(said)) + "。"

    def ranks(self, count: int, most: int) -> list[int]:
        """Ranks whose frequency falls off as in Zipf's law."""
        return [int(most ** self.draw.random()) for _ in range(count)]

    def emoji(self) -> str:
        return "".join(self.draw.choices(FACES, k=4))

    def letter(self) -> str:
        return self.draw.choice("abcdefgh")


def pairs(count: int, say: Callable[[], str], prompt: Callable[[int], str] = "question {}".format) -> list[dict]:
    return [{"prompt": prompt(i), "chosen": say(), "rejected": say()} for i in range(count)]


def answers(count: int, say: Callable[[], str], prompt: Callable[[int], str] = "question {}".format) -> list[dict]:
    return [{"prompt": prompt(i), "response": say()} for i in range(count)]


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return path
