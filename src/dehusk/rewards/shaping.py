"""`shaped:`, rewards centred on reference answers and bounded, so that there is nothing to gain far out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import RewardModel, adjustments, reward_models, scores_new_texts
from dehusk.core.options import Scoring
from dehusk.core.tables import Floats
from dehusk.io.atomic import write_table
from dehusk.rewards.nesting import identity_of, portable, read_config, write_config

FORMAT = 1
FILE, REFERENCES = "shaped.json", "references.parquet"
UPPER = 0.85  # quantile of the references from which LSC counts
Unseen = Literal["refuse", "all"]
SHAPINGS = ("par", "lsc", "clip", "minmax", "centre")


@adjustments.add("par", of="references", by="prompt")
def par(scores: Floats, references: Floats) -> Floats:
    """Mean over the prompt's reference answers of σ(reward − theirs): how often it beats them (PAR, arXiv 2502.18770).

    Between 0 and 1 and steepest around the references. The order within a prompt stays.

    Args:
        scores: Shape (n,), of one prompt.
        references: Shape (m,), m >= 1, of the same prompt.
    """
    found: Floats = _sigmoid(scores[:, None] - references[None, :]).mean(axis=1)
    return found


@adjustments.add("lsc", of="references", by="prompt")
def lsc(scores: Floats, references: Floats) -> Floats:
    """Log σ(reward − 85th percentile of the prompt's reference answers) (LSC, arXiv 2402.00742): bounded by 0 above.

    Args:
        scores: Shape (n,), of one prompt.
        references: Shape (m,), m >= 1, of the same prompt.
    """
    found: Floats = -np.logaddexp(0, np.quantile(references, UPPER) - scores)
    return found


@adjustments.add("clip", of="references", by="all")
def clip(scores: Floats, references: Floats) -> Floats:
    """The reward, kept within one standard deviation around the mean of all reference answers.

    Outside, answers are told apart no more. In the published comparison it held nothing back.

    Args:
        scores: Shape (n,).
        references: Shape (m,), m >= 2.
    """
    middle, spread = float(references.mean()), _spread(references)
    return np.clip(scores, middle - spread, middle + spread)


@adjustments.add("minmax", of="references", by="all")
def minmax(scores: Floats, references: Floats) -> Floats:
    """The reward between the lowest (0) and the highest (1) of all reference answers, no further.

    Args:
        scores: Shape (n,).
        references: Shape (m,), m >= 2.
    """
    _spread(references)
    low, high = float(references.min()), float(references.max())
    return np.clip((scores - low) / (high - low), 0, 1)


@adjustments.add("centre", of="references", by="prompt")
def centre(scores: Floats, references: Floats) -> Floats:
    """The reward less the mean of the prompt's reference answers: 0 is as good as they are; not bounded.

    Args:
        scores: Shape (n,), of one prompt.
        references: Shape (m,), m >= 1, of the same prompt.
    """
    return scores - float(references.mean())


def _sigmoid(x: Floats) -> Floats:
    found: Floats = np.exp(-np.logaddexp(0, -x))
    return found


def _spread(references: Floats) -> float:
    spread = float(references.std())
    if spread <= 0:
        raise NotEnoughData("scores of reference answers that differ")
    return spread


@dataclass(frozen=True)
class Shaping:
    """A shaping and what it is centred on."""

    rule: str
    references: Mapping[str, Floats]  # prompt -> scores of reference answers, by the same model
    unseen: Unseen = "refuse"  # what becomes of a prompt without references: an error, or those of all prompts
    scale: float = 1.0  # differences of scores that count as 1: of a Bradley-Terry model, log odds, 1

    def __post_init__(self) -> None:
        """Check that there is something to centre on.

        Raises:
            InputError: no shaping of that name, no finite references, or a scale that is none.
        """
        if self.rule not in SHAPINGS:
            raise InputError(f"no shaping {self.rule!r}", expected=", ".join(SHAPINGS))
        if not self.references or not all(v.size and np.isfinite(v).all() for v in self.references.values()):
            raise InputError("no score of a reference answer", expected="finite scores for at least one prompt")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"scale = {self.scale}", expected="more than 0")

    def shape(self, prompts: Sequence[str], scores: Floats) -> Floats:
        """Shaped scores, shape (n,), of raw ones.

        Raises:
            InputError: a prompt without reference answers, if those are refused.
        """
        rule = adjustments[self.rule]
        every = np.concatenate(list(self.references.values())) / self.scale
        found, scores = np.empty(len(scores)), scores / self.scale
        rows: dict[str, list[int]] = {}
        for row, prompt in enumerate(prompts):
            rows.setdefault(prompt, []).append(row)
        for prompt, some in rows.items():
            own = self.references.get(prompt)
            if own is None and self.unseen == "refuse" and rule.options["by"] == "prompt":
                fix = '"unseen": "all" there, which takes those of all prompts together'
                raise InputError(f"no reference answers to the prompt {prompt[:60]!r}", where=FILE, fix=fix)
            by_prompt = own is not None and rule.options["by"] == "prompt"
            found[some] = rule.thing(scores[some], own / self.scale if by_prompt and own is not None else every)
        return found


class Shaped:
    """A reward model whose scores are shaped around reference answers."""

    def __init__(self, name: str, inner: RewardModel, shaping: Shaping) -> None:
        """Put a shaping around a model."""
        self.name, self.inner, self.shaping = name, inner, shaping
        self.closed = not scores_new_texts(inner)
        self.texts_a_call: int | None = 2048
        kept = {prompt: values.tolist() for prompt, values in shaping.references.items()}
        self.identity = identity_of("shaped", [shaping.rule, kept, shaping.unseen, shaping.scale], [inner])
        self.notes: tuple[str, ...] = tuple(getattr(getattr(inner, "model", inner), "notes", ()))

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        """Scores of n answers, shape (n,).

        Raises:
            InputError: a prompt without reference answers.
            BackendError: the model did not answer.
        """
        return self.shaping.shape(prompts, np.asarray(self.inner.score(prompts, responses), dtype=np.float64))


@reward_models.add("shaped")
def open_shaped(name: str | None, where: str, options: Scoring) -> Shaped:
    """A folder with a shaped.json: a reward model, a bounded shaping, and scores of reference answers to centre on.

    `dehusk adjust --method par` (lsc, clip, minmax, centre) writes one; its references.parquet has the columns prompt
    and score.

    Raises:
        InputError: no such file, or a model that cannot be opened.
    """
    nest = read_config(where, FILE, FORMAT, ("rule", "inner"))
    folder, content = nest.folder, nest.content
    try:
        table = pl.read_parquet(folder / REFERENCES, columns=["prompt", "score"])
        grouped = table.group_by("prompt", maintain_order=True).agg(pl.col("score").cast(pl.Float64))
        references = {prompt: np.array(scores, dtype=np.float64) for prompt, scores in grouped.iter_rows()}
        unseen: Unseen = "all" if content.get("unseen") == "all" else "refuse"
        shaping = Shaping(str(content["rule"]), references, unseen, float(content.get("scale", 1.0)))
    except (OSError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(f"not a shaped model: {error}", where=str(folder)) from None
    return Shaped(name or folder.resolve().name, nest.open(str(content["inner"]), options), shaping)


def save_shaped(folder: str | Path, inner: str, shaping: Shaping) -> None:
    """Write a shaping of a model, given as `[NAME=]KIND:WHERE`, to a folder, which `shaped:FOLDER` opens.

    Raises:
        InputError: the folder cannot be written.
    """
    content = {"format": FORMAT, "rule": shaping.rule, "inner": portable(inner, folder)}
    write_config(folder, FILE, content | {"unseen": shaping.unseen, "scale": shaping.scale})
    rows = [(prompt, score) for prompt, scores in shaping.references.items() for score in scores.tolist()]
    schema = {"prompt": pl.String, "score": pl.Float64}
    write_table(Path(folder) / REFERENCES, pl.DataFrame(rows, schema=schema, orient="row"))
