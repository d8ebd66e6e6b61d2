"""What could an audit of this very data have seen? Plant effects of known size in it, and look.

Recall: a phrase is planted in a share of the chosen (later) answers and the audit's own miner and test are run.
False alarms: the labels are permuted, so that every finding is false. Smallest effect: what the planting shows, and
what the counts alone say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.findings import Finding
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.options import AuditConfig, ValidateConfig
from dehusk.core.run import stream
from dehusk.core.tables import Pairs, Responses
from dehusk.features.intents import phrase_feature
from dehusk.features.measuring import declared, measure
from dehusk.features.mining import mine
from dehusk.stats.distributions import normal_quantile
from dehusk.stats.effects import clustered_mean
from dehusk.stats.multiplicity import FAMILIES
from dehusk.workflow import Inputs, Watch, half_of_prompts, read, sampled

PHRASES = {  # the first that does not occur in the data is planted
    "en": ("to put it plainly and without sugar", "speaking as plainly as a lamp post"),
    "zh": ("一句不太中听的大实话", "把糖衣剥开来说"),
}
POWER = 0.8  # recall at which an effect counts as one the data could have shown
_BOUNDARY = re.compile(r"[.!?。！？\n]+\s*")


@dataclass(frozen=True)
class Recall:
    """What became of one planted rate: share of runs in which it was found, and named exactly."""

    rate: float
    texts: int
    found: float
    named: float
    runs: int


@dataclass(frozen=True)
class Validation:
    """What this data set can show."""

    phrase: str
    rows: int
    recall: tuple[Recall, ...]
    permutations: int
    alarms: int  # permutations with any confirmed finding
    smallest_rate: float  # from the counts alone: planted share that is confirmed with probability `POWER`
    smallest_shift: float | None  # win-rate shift of a declared feature that is confirmed with probability `POWER`

    def as_dict(self) -> dict[str, Any]:
        """JSON's own types."""
        return asdict(self)

    def sentences(self) -> list[Text]:
        """The result in words."""
        told = [
            say("validate.alarms", alarms=self.alarms, runs=self.permutations),
            say("validate.smallest_rate", rate=self.smallest_rate, power=POWER),
        ]
        if self.smallest_shift is not None:
            told.append(say("validate.smallest_shift", shift=self.smallest_shift, power=POWER))
        return told


def validate(config: ValidateConfig, *, watch: Watch = lambda *_: None) -> Validation:
    """Plant and recover in the user's own data.

    Raises:
        InputError: nothing to plant in, or a phrase that the data already has.
    """
    asked = AuditConfig(
        pairs=config.pairs,
        responses=() if config.pairs else config.responses,
        map=config.map,
        layout=config.layout,
        stages=config.stages,
        sample=config.sample,
        seed=config.seed,
        q=config.q,
    )
    table = _table(sampled(read(asked), asked))
    phrase = _phrase(table, config.phrase)
    total = (len(config.rates) + 1) * config.repeats
    done, tested, recall = 0, [1], []
    for rate in config.rates:
        found = []
        for run in range(config.repeats):
            watch("planting", done, total)
            done += 1
            planted = plant(table, phrase, rate, stream(config.seed + run, f"plant {rate}"))
            names, count = _confirmed(planted, config.seed + run, config.q)
            tested.append(count)
            found.append((any(_shares(phrase, name) for name in names), any(_is(phrase, name) for name in names)))
        hit, named = np.mean(found, axis=0)
        recall.append(Recall(rate, _planted_count(table, rate), float(hit), float(named), config.repeats))
    alarms = 0
    for run in range(config.repeats):
        watch("permuting", done, total)
        done += 1
        permuted = permute(table, stream(config.seed + run, "permute"))
        alarms += bool(_confirmed(permuted, config.seed + run, config.q, with_declared=True)[0])
    rate = smallest_rate(_planted_count(table, 1.0) // 2, int(np.median(tested)), config.q)
    return Validation(phrase, len(table), tuple(recall), config.repeats, alarms, rate, _smallest_shift(table, config.q))


def smallest_rate(texts: int, tested: int, q: float) -> float:
    """Planted share that the exact sign test confirms with probability `POWER`, from counts alone.

    A phrase that only one side has needs k held-out prompts with 2 · 2⁻ᵏ ≤ q / (families · tested), the strictest
    threshold of Benjamini and Hochberg; the normal approximation then gives the share that yields k with that
    probability.

    >>> 0.01 < smallest_rate(1000, 50, 0.05) < 0.02
    True
    """
    needed = math.ceil(math.log2(2 * FAMILIES * max(tested, 1) / q))
    z = normal_quantile(POWER)
    # Solve n·r − z·sqrt(n·r) = k for n·r: a count exceeds k with probability POWER.
    root = (z + math.sqrt(z * z + 4 * needed)) / 2
    return min(1.0, root * root / max(texts, 1))


def plant(table: Pairs | Responses, phrase: str, rate: float, rng: np.random.Generator) -> Pairs | Responses:
    """Insert a phrase at a random sentence boundary of a share of the chosen answers, or of the last stage's."""
    column = "chosen" if isinstance(table, Pairs) else "response"
    rows = np.arange(len(table)) if isinstance(table, Pairs) else table.at(table.stages[-1])
    picked = rng.choice(rows, size=min(rows.size, _planted_count(table, rate)), replace=False)
    texts = table.frame[column].to_list()
    glue = ", " if phrase.isascii() else "，"
    for row in picked.tolist():
        text = texts[row]
        at = int(rng.choice([0, *(match.end() for match in _BOUNDARY.finditer(text))]))
        texts[row] = text[:at] + phrase + glue + text[at:]
    return replace(table, frame=table.frame.with_columns(pl.Series(column, texts)))


def permute(table: Pairs | Responses, rng: np.random.Generator) -> Pairs | Responses:
    """Swap chosen and rejected in a random half of the pairs, or stage labels within prompts: nothing is true then."""
    if isinstance(table, Responses):
        order = pl.Series("order", rng.permutation(len(table)))
        shuffled = pl.col("stage").sort_by("order").over("group")
        return replace(table, frame=table.frame.with_columns(order).with_columns(shuffled).drop("order"))
    swap = pl.Series(rng.random(len(table)) < 0.5)
    frame = table.frame.with_columns(
        chosen=pl.when(swap).then("rejected").otherwise("chosen"),
        rejected=pl.when(swap).then("chosen").otherwise("rejected"),
    )
    return replace(table, frame=frame)


def _table(inputs: Inputs) -> Pairs | Responses:
    if inputs.pairs is not None:
        return inputs.pairs
    if inputs.responses is not None and len(inputs.responses.stages) >= 2:
        return inputs.responses
    raise InputError("nothing to plant in", fix="--pairs FILE, or --responses for two stages")


def _planted_count(table: Pairs | Responses, rate: float) -> int:
    rows = len(table) if isinstance(table, Pairs) else table.at(table.stages[-1]).size
    return round(rate * rows)


def _phrase(table: Pairs | Responses, wanted: str | None) -> str:
    """A phrase that no text of the table has, in its language."""
    if wanted is not None:
        phrase_feature(wanted, "--phrase")
    texts = table.frame["chosen" if isinstance(table, Pairs) else "response"]
    chinese = float(texts.str.contains(r"\p{Han}").mean() or 0) > 0.5  # type: ignore[arg-type]
    for phrase in (wanted,) if wanted is not None else PHRASES["zh" if chinese else "en"]:
        if not texts.str.contains(phrase, literal=True).any():
            return phrase
    raise InputError(f"{wanted!r} already occurs in the data", where="--phrase", expected="a phrase that does not")


def _confirmed(table: Pairs | Responses, seed: int, q: float, *, with_declared: bool = False) -> tuple[list[str], int]:
    """Names of the features an audit would confirm, and how many mined ones it tested."""
    discovery = half_of_prompts(table, stream(seed, "split"))
    mined = mine(table, discovery, stream(seed, "mine"))
    features = (*declared(), *mined) if with_declared else mined
    if not features:
        return [], 0
    if isinstance(table, Pairs):
        measures = measure(features, pairs=table, held_out={"chosen": ~discovery, "rejected": ~discovery})
        found = _run(("data.catchphrases", "data.association"), with_declared, q, pairs=table, measures=measures)
    else:
        measures = measure(features, responses=table, held_out={"response": ~discovery})
        found = _run(("policy.amplification",), False, q, responses=table, measures=measures)
    names = [finding.feature for finding in found if finding.feature and finding.q is not None and finding.q <= q]
    return names, len(mined)


def _run(names: tuple[str, ...], every: bool, q: float, **inputs: Any) -> Iterable[Finding]:
    """Findings of the first named probe, or of every one."""
    found: list[Finding] = []
    for name in names if every else names[:1]:
        try:
            found.extend(probes[name].thing(**inputs, q=q))
        except NotEnoughData:
            continue
    return found


def _smallest_shift(table: Pairs | Responses, q: float) -> float | None:
    """Win-rate shift that a declared feature needs, from the spread of the commonest one: length."""
    if isinstance(table, Responses):
        return None
    signs = table.frame.select(
        (pl.col("chosen").str.len_chars().cast(pl.Int64) - pl.col("rejected").str.len_chars().cast(pl.Int64)).sign()
    )
    effect = clustered_mean(signs.to_series().cast(pl.Float64).to_numpy(), table.groups, level=0.68)
    spread = (effect.high - effect.low) / 2  # about one standard error
    strictest = q / (FAMILIES * max(len(declared()), 1))
    return (normal_quantile(1 - strictest / 2) + normal_quantile(POWER)) * spread


def _spelled(name: str) -> str:
    return name.strip("“”").removesuffix(" …").removeprefix("… ").strip("[]")


def _is(phrase: str, name: str) -> bool:
    return phrase_feature(phrase).name == f"“{_spelled(name)}”"


def _shares(phrase: str, name: str) -> bool:
    """Whether a found name is a piece of the planted phrase or contains it."""
    ours, theirs = _spelled(phrase_feature(phrase).name), _spelled(name)
    return ours in theirs or (theirs in ours and len(theirs) >= min(4, len(ours)))
