"""What `dehusk certify` says: a verdict on a repaired reward, with every number behind it, and its JSON (schema 1).

`certificate.json` is a contract: others build on it. `docs/certificate.schema.json` describes it and a test validates
against it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from dehusk.core.errors import InputError
from dehusk.core.findings import Curve, Estimate, GlossaryEntry, Skipped, as_text, plain
from dehusk.core.messages import Text
from dehusk.core.run import InputRecord, RunRecord

SCHEMA = 1
Outcome = Literal["success", "contamination", "substitution", "over_correction", "not_enough_data"]
OUTCOMES: tuple[Outcome, ...] = ("success", "contamination", "substitution", "over_correction", "not_enough_data")
# Why, in one word: `success` has "shown".
Reason = Literal[
    "shown",
    "target_remains",
    "gold_lower",
    "feature_grew",
    "target_reversed",
    "no_pressure",
    "target_undecided",
    "gold_undecided",
    "no_gold",
    "blind",
    "few_answers",
]
Role = Literal["target", "other", "wanted"]
# of a target: no_pressure, gone, remains, reversed, undecided; of another feature: grew, held, blind
State = Literal["no_pressure", "gone", "remains", "reversed", "undecided", "grew", "held", "blind"]


@dataclass(frozen=True)
class Lift:
    """What one way of selecting does to one feature under both rewards, as pressure.

    Pressure is the lift over an average answer of the pool, in within-prompt standard deviations, divided by what
    picking by a normal feature itself would reach: about the correlation of reward and feature within prompts.
    """

    selection: Literal["best_of_n", "tilt"]
    size: float  # answers to choose from, or nats
    scale: float  # units of the feature in one unit of pressure
    before: Estimate
    after: Estimate
    change: Estimate  # after − before
    growth: Estimate  # of what lies outside of the span from no preference to gold's own
    gold: Estimate | None = None  # what picking by gold does

    def curve_point(self, of: Literal["before", "after", "gold"]) -> tuple[float, float, float]:
        """Value, low and high of one of the rewards, in units of the feature."""
        one = getattr(self, of)
        return one.value * self.scale, one.low * self.scale, one.high * self.scale


@dataclass(frozen=True)
class Shift:
    """What became of one feature."""

    feature: str
    family: str
    unit: str  # of the lifts: "share" of answers, or "SD" of normal scores where it is a matter of how much
    role: Role
    state: State
    pool: float  # its mean in the pool: a share, or in its own unit
    told: int  # position of the selection, among `lifts`, that its state rests on
    detectable: float  # growth of pressure that would have been found four times out of five
    lifts: tuple[Lift, ...]

    @property
    def lift(self) -> Lift:
        """The selection that its state rests on."""
        return self.lifts[self.told]

    def curves(self) -> tuple[Curve, ...]:
        """Lifts along n, one curve a reward."""
        some = [one for one in self.lifts if one.selection == "best_of_n"]
        names: list[Literal["before", "after", "gold"]] = ["before", "after"]
        names += ["gold"] if some and some[0].gold is not None else []
        found = []
        for name in names:
            points = [(0.0, 0.0, 0.0), *(one.curve_point(name) for one in some)]
            value, low, high = zip(*points, strict=True)
            x = (1.0, *(one.size for one in some))
            found.append(Curve(name, "n", self.unit, x, value, low, high))
        return tuple(found)


@dataclass(frozen=True)
class Quality:
    """One measure of what must not be lost."""

    name: Literal["gold", "accuracy"]
    state: Literal["held", "lower", "undecided"]
    margin: float  # loss that is allowed, in the unit of the estimates
    selection: str  # "best_of_n", "tilt" or "pairs"
    size: float
    before: Estimate
    after: Estimate
    change: Estimate  # where it is worst


@dataclass(frozen=True)
class Certificate:
    """The verdict on a repaired reward against the one before it."""

    run: RunRecord
    inputs: tuple[InputRecord, ...]
    verdict: Outcome
    reason: Reason
    sentence: Text
    evidence: tuple[Text, ...]
    models: Mapping[str, str]  # "before", "after", "gold" -> name
    margins: Mapping[str, float]
    prompts: int
    answers: int  # that every prompt has
    shifts: tuple[Shift, ...]
    qualities: tuple[Quality, ...]
    unseen: tuple[Skipped, ...]  # features without a number, and why
    glossary: tuple[GlossaryEntry, ...] = ()

    def to_json(self) -> str:
        """Serialise; numbers that are not finite become null, sentences are rendered in English beside their key."""
        body = {"schema": SCHEMA, **{item.name: plain(getattr(self, item.name)) for item in fields(self)}}
        return json.dumps(body, ensure_ascii=False, allow_nan=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Read what `to_json` wrote.

        Raises:
            InputError: when the text is not a certificate of this schema.
        """
        try:
            body = json.loads(text)
            if body.pop("schema") != SCHEMA:
                raise InputError("another schema", where="certificate.json", expected=f"schema {SCHEMA}")
            rebuilt = {
                "run": RunRecord(**body["run"]),
                "inputs": tuple(InputRecord(**{**row, "notes": tuple(row["notes"])}) for row in body["inputs"]),
                "sentence": as_text(body["sentence"]),
                "evidence": tuple(map(as_text, body["evidence"])),
                "shifts": tuple(_shift(row) for row in body["shifts"]),
                "qualities": tuple(Quality(**_estimates(row)) for row in body["qualities"]),
                "unseen": tuple(Skipped(row["probe"], as_text(row["needs"])) for row in body["unseen"]),
                "glossary": tuple(GlossaryEntry(**row) for row in body["glossary"]),
            }
            return cls(**{**body, **rebuilt})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"not a certificate ({error})", where="certificate.json", expected="a file written by dehusk"
            ) from None


def _estimates(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Estimate(**value) if isinstance(value, dict) else value for name, value in row.items()}


def _shift(row: Mapping[str, Any]) -> Shift:
    return Shift(**{**row, "lifts": tuple(Lift(**_estimates(lift)) for lift in row["lifts"])})
