"""What could an audit of this very data have seen? Plant effects of known size in it, and look.

Recall: a phrase is planted in a share of the chosen (later) answers and the audit's own miner and test are run.
False alarms: the labels are permuted, so that every finding is false. Smallest effect: computed from what the miner
and the test ask for, then planted too, so that the computation is checked on the spot.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.findings import Finding
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.options import AuditConfig, ValidateConfig
from dehusk.core.run import stream
from dehusk.core.tables import Floats, Ints, Pairs, Responses
from dehusk.features.intents import phrase_feature
from dehusk.features.measuring import chinese, declared, measure
from dehusk.features.mining import contrasts, mine
from dehusk.inputs import Watch, read, sampled
from dehusk.probes.data.association import FEWEST_PROMPTS
from dehusk.stats.distributions import normal_quantile
from dehusk.stats.effects import clustered_mean
from dehusk.stats.multiplicity import FAMILIES
from dehusk.workflow.auditing import half_of_prompts

PHRASES = {  # the first that does not occur in the data is planted
    "en": ("to put it plainly and without sugar", "speaking as plainly as a lamp post"),
    "zh": ("一句不太中听的大实话", "把糖衣剥开来说"),
}
POWER = 0.8  # recall at which an effect counts as one the data could have shown
SPLITS, DRAWS = 5, 100  # the smallest rate: halves of the prompts tried, and orders of planting in each
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
    side: str  # where it was planted: "chosen", or the last stage
    rows: int
    answers: int  # on that side and in the phrase's language
    recall: tuple[Recall, ...]
    permutations: int
    alarms: int  # permutations with any confirmed finding
    q: float
    smallest: Recall | None  # the rate computed to be confirmed with probability `POWER`, and what became of it
    smallest_shift: float | None  # win-rate shift of a declared feature that is confirmed with probability `POWER`

    def as_dict(self) -> dict[str, Any]:
        """JSON's own types."""
        return asdict(self)

    def sentences(self) -> list[Text]:
        """The result in words."""
        told = [say("validate.alarms", alarms=self.alarms, runs=self.permutations, percent=100 * self.q)]
        if self.smallest is None:
            told.append(say("validate.no_rate", power=POWER))
        else:
            planted = asdict(self.smallest) | {"found": round(self.smallest.found * self.smallest.runs)}
            told.append(say("validate.smallest_rate", power=POWER, percent=100 * self.smallest.rate, **planted))
        if self.smallest_shift is not None:
            told.append(say("validate.smallest_shift", points=100 * self.smallest_shift, power=POWER))
        return told


def run_validate(config: ValidateConfig, *, watch: Watch = lambda *_: None) -> Validation:
    """Plant and recover in the user's own data.

    Raises:
        InputError: nothing to plant in, or a phrase that the data already has.
    """
    table = _table(config)
    phrase = _phrase(table, config.phrase)
    side, answers = "chosen" if isinstance(table, Pairs) else table.stages[-1], places(table, phrase).size
    done, total = count(), SPLITS + 1 + (len(config.rates) + 2) * config.repeats

    def recall(rate: float, runs: int = config.repeats) -> Recall:
        found = []
        for run in range(runs):
            watch("planting", next(done), total)
            planted = plant(table, phrase, rate, stream(config.seed + run, f"plant {rate}"))
            names, _ = _confirmed(planted, config.seed + run, config.q)
            found.append((any(_shares(phrase, name) for name in names), any(_is(phrase, name) for name in names)))
        hit, named = np.mean(found, axis=0)
        return Recall(rate, round(rate * answers), float(hit), float(named), runs)

    needed = []
    for split in range(SPLITS):
        watch("planting", next(done), total)
        needed.append(needed_answers(table, phrase, config.seed + split, config.q))
    fewest = float(np.quantile(np.concatenate(needed), POWER, method="inverted_cdf"))
    possible = fewest <= answers and recall(1.0, 1).found > 0  # a probe may have a limit that is not computed here
    smallest = recall(fewest / answers) if possible else None
    recalls = tuple(recall(rate) for rate in config.rates)
    alarms = 0
    for run in range(config.repeats):
        watch("permuting", next(done), total)
        permuted = permute(table, stream(config.seed + run, "permute"))
        alarms += bool(_confirmed(permuted, config.seed + run, config.q, with_declared=True)[0])
    shift = _smallest_shift(table, config.q)
    return Validation(phrase, side, len(table), answers, recalls, config.repeats, alarms, config.q, smallest, shift)


def needed_answers(table: Pairs | Responses, phrase: str, seed: int, q: float) -> Floats:
    """How many answers must have a new phrase to be mined on one half of the prompts and confirmed on the other.

    The phrase is put into one answer after the other, in random order, until it stands in as many discovery prompts as
    the miner asks for and in as many held-out ones as the exact test asks for: k with 2 · 2⁻ᵏ ≤ q · (c + 1) /
    (families · tested), Benjamini and Hochberg's threshold beside the c phrases that are confirmed anyway. A prompt
    with more later than earlier answers counts for less.

    Returns:
        Answers needed in each of `DRAWS` orders, inf where all of them are too few, shape (DRAWS,).
    """
    rows, groups, rng = places(table, phrase), table.groups, stream(seed, "order")
    discovery = half_of_prompts(table, stream(seed, "split"))
    contrast = next(contrasts(table, discovery, stream(seed, "mine")))
    screen = contrast.fewest(len(phrase_feature(phrase).details["tokens"][0]))
    confirmed, tested = _confirmed(table, seed, q)
    proof = math.log2(2 * FAMILIES * (tested + 1) / (q * (len(confirmed) + 1)))
    every = np.arange(int(groups.max()) + 1)
    half, compared, bits = np.isin(every, groups[discovery]), np.ones(every.size, dtype=bool), np.ones(every.size)
    if isinstance(table, Responses):
        early, late = (np.bincount(groups[table.at(table.stages[k])], minlength=every.size) for k in (0, -1))
        compared, bits = (early > 0) & (late > 0), np.log2(1 + early / np.maximum(late, 1))
        rows = rows[compared[groups[rows]]]
    looked_at = contrast.prompts / max(int((half & compared).sum()), 1)  # in very large files not all are mined
    needed = np.full(DRAWS, np.inf)
    if screen is None:
        return needed
    for draw in range(DRAWS):
        prompts, first = np.unique(groups[rng.permutation(rows)], return_index=True)
        prompts, first = prompts[np.argsort(first)], np.sort(first)
        seen = first[half[prompts] & (rng.random(prompts.size) < looked_at)][screen - 1 : screen]
        held = first[~half[prompts]][np.cumsum(bits[prompts[~half[prompts]]]) >= proof - 1e-9]
        if seen.size and held.size:
            needed[draw] = 1 + max(int(seen[0]), int(held[0]))
    return needed


def places(table: Pairs | Responses, phrase: str) -> Ints:
    """Rows of the chosen, or the last stage's, answers that can have a phrase: those in its language."""
    rows = np.arange(len(table)) if isinstance(table, Pairs) else table.at(table.stages[-1])
    meant = table.frame.select(chinese(_side(table)))[:, 0].to_numpy() == (phrase_feature(phrase).lang == "zh")
    found: Ints = rows[meant[rows]]
    return found


def plant(table: Pairs | Responses, phrase: str, rate: float, rng: np.random.Generator) -> Pairs | Responses:
    """Insert a phrase at a random sentence boundary of a share of the answers that can have it (see `places`)."""
    rows, side = places(table, phrase), _side(table)
    picked = rng.choice(rows, size=round(rate * rows.size), replace=False)
    texts = table.frame[side].to_list()
    glue = ", " if phrase.isascii() else "，"
    for row in picked.tolist():
        text = texts[row]
        at = int(rng.choice([0, *(match.end() for match in _BOUNDARY.finditer(text))]))
        texts[row] = text[:at] + phrase + glue + text[at:]
    return replace(table, frame=table.frame.with_columns(pl.Series(side, texts)))


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


def _table(config: ValidateConfig) -> Pairs | Responses:
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
    inputs = sampled(read(asked), asked)
    if inputs.pairs is not None:
        return inputs.pairs
    if inputs.responses is not None and len(inputs.responses.stages) >= 2:
        return inputs.responses
    raise InputError("nothing to plant in", fix="--pairs FILE, or --responses for two stages")


def _side(table: Pairs | Responses) -> str:
    return "chosen" if isinstance(table, Pairs) else "response"


def _phrase(table: Pairs | Responses, wanted: str | None) -> str:
    """A phrase that no text of the table has, in the language of most of them."""
    if wanted is not None:
        phrase_feature(wanted, "--phrase")  # refuses one without a word
        if not places(table, wanted).size:
            raise InputError(f"no answer in the language of {wanted!r}", where="--phrase")
    mostly_chinese = bool(table.frame.select(chinese(_side(table)).mean()).item() > 0.5)
    texts = table.frame.select("chosen", "rejected") if isinstance(table, Pairs) else table.frame.select("response")
    choices = (wanted,) if wanted is not None else PHRASES["zh" if mostly_chinese else "en"]
    for phrase in choices:
        if not texts.select(pl.any_horizontal(pl.all().str.contains(phrase, literal=True)).any()).item():
            return phrase
    raise InputError(f"{choices[0]!r} already occurs in the data", where="--phrase", expected="a phrase that does not")


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
    """Win-rate shift that a declared feature needs, from the spread of length, a common one; None if none will do."""
    if isinstance(table, Responses) or np.unique(table.groups).size < FEWEST_PROMPTS:
        return None
    signs = table.frame.select(
        (pl.col("chosen").str.len_chars().cast(pl.Int64) - pl.col("rejected").str.len_chars().cast(pl.Int64)).sign()
    )
    effect = clustered_mean(signs.to_series().cast(pl.Float64).to_numpy(), table.groups, level=0.68)
    spread = (effect.high - effect.low) / 2  # about one standard error
    strictest = q / (FAMILIES * max(len(declared()), 1))
    shift = (normal_quantile(1 - strictest / 2) + normal_quantile(POWER)) * spread
    return shift if 0 < shift <= 1 else None  # without a spread, all answers are of one length


def _spelled(name: str) -> str:
    return name.strip("“”").removesuffix(" …").removeprefix("… ").strip("[]")


def _is(phrase: str, name: str) -> bool:
    return phrase_feature(phrase).name == f"“{_spelled(name)}”"


def _shares(phrase: str, name: str) -> bool:
    """Whether a found name is a piece of the planted phrase or contains it."""
    ours, theirs = _spelled(phrase_feature(phrase).name), _spelled(name)
    return ours in theirs or (theirs in ours and len(theirs) >= min(4, len(ours)))
