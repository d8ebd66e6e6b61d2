"""What a fit says of itself: sentences and numbers, on the terminal and in the model card."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dehusk.core.findings import Audit, TraceRow, plain
from dehusk.core.kinds import objectives
from dehusk.core.messages import Text, label, say
from dehusk.core.options import FitConfig
from dehusk.core.run import InputRecord
from dehusk.fitting.cards import Card, model_card, reading, standing_out
from dehusk.fitting.launching import rate
from dehusk.fitting.monitor import Reading

_HERE = ("store", "device", "batch_tokens", "out", "format", "resume")  # of this machine and this run
_PLAIN = ("accuracy", "margin", "loss", "prompt_gain", "length_correlation")


@dataclass(frozen=True)
class Fit:
    """A reward model that was fitted and written."""

    objective: str
    train: str  # "heads", "lora" or "full"
    models: tuple[str, ...]  # as KIND:WHERE; the first is the one to use
    pairs: int  # that it was fitted on
    held_out: int  # that only the monitor saw
    targets: tuple[str, ...]  # features that the objective saw
    watched: tuple[str, ...]  # features that the monitor saw
    last: tuple[Reading, ...]  # the last reading of each member
    l2: float | None
    seconds: float
    notes: tuple[Text, ...]
    says: tuple[Mapping[str, float], ...] = ()  # the objective, of each member
    audit: Audit | None = None  # of the held-out pairs, with the rewards of what was fitted

    def as_dict(self) -> dict[str, Any]:
        """JSON's own types."""
        told = {name: value for name, value in vars(self).items() if name not in ("last", "notes", "says", "audit")}
        return told | {
            "readings": [reading.row() for reading in self.last],
            "objective_says": [dict(each) for each in self.says],
            "stands_out": [_told(row) for row in self._rows],
            "notes": [note.render("en") for note in self.notes],
        }

    def sentences(self) -> list[Text]:
        """What was fitted, on what."""
        said = [say("fit.fitted", objective=self.objective, pairs=self.pairs, held_out=self.held_out)]
        if self.l2 is not None:
            said.append(say("fit.penalty", l2=self.l2))
        if len(self.last) > 1:
            said.append(say("fit.members", members=len(self.last)))
        return said

    def stands_out(self, lang: str) -> Text | None:
        """Beside what was watched, the features that the model surely pays for or punishes, most of all the first."""
        others = [row for row in self._rows if row.feature not in self.watched]
        paid = [(row.feature, one) for row in others if (one := reading(row, "reward_model")) and one.direction]
        told = [f"{label(name, lang)} {one.value:+.2f}" for name, one in paid]
        return say("fit.stands_out", paid=say("report.list").render(lang).join(told)) if told else None

    def numbers(self, lang: str, *, but: Collection[str] = ()) -> list[tuple[str, str]]:
        """Name and value of everything that was read on held-out pairs at the end, with its interval if it has one.

        `but` are features of which it is told elsewhere what is paid for them.
        """
        found = []
        for name in (*_PLAIN, *(f"paid/{feature}" for feature in self.watched if feature not in but)):
            values, low, high = (self._mean(f"eval_{name}{end}") for end in ("", "/low", "/high"))
            if values is None:
                continue
            kind, _, feature = name.partition("/")
            words = say(f"fit.read.{kind}", **({"feature": label(feature, lang)} if feature else {})).render(lang)
            sign = "" if kind in ("accuracy", "loss") else "+"
            bounds = low is not None and high is not None and len(self.last) == 1
            interval = f" ({low:{sign}.3f} … {high:{sign}.3f})" if bounds else ""
            found.append((words, f"{values:{sign}.3f}{interval}"))
        for name in self.says[0] if self.says else ():
            said = [each[name] for each in self.says]
            found.append((name, f"{sum(said) / len(said):.4g}"))
        return found

    def _mean(self, name: str) -> float | None:
        """Over members; None where it was not read."""
        values = [reading.values[name] for reading in self.last if name in reading.values]
        return sum(values) / len(values) if values else None

    def card(self, config: FitConfig, record: InputRecord) -> str:
        """The model card, in the language of the run."""
        schedule: dict[str, Any] = {"seconds": self.seconds, "seed": config.seed}
        if self.train != "heads":
            whole = {"rate": rate(config), "rank": config.lora_rank, "alpha": config.lora_alpha}
            schedule |= {"epochs": config.epochs, "batch": config.batch * config.accumulate, **whole}
        card = Card(
            name=Path(str(config.out)).name,
            base=config.embedder,
            models=self.models,
            train=self.train,
            objective=self.objective,
            options=dict(option.split("=", 1) for option in config.option),
            features=self.targets if "features" in self._needs else (),
            inputs=(record,),
            pairs=self.pairs,
            schedule=schedule,
            readings=self.numbers(config.lang, but=[r.feature for r in self._rows if reading(r, "reward_model")]),
            audit=self.audit,
            watched=self.watched,
            tokens=config.max_length,
            notes=(*self.sentences(), *self.notes),
            record={name: value for name, value in config.record().items() if name not in _HERE},
        )
        return model_card(card, config.lang)

    @property
    def _rows(self) -> list[TraceRow]:
        """Features that the audit is told of."""
        return standing_out(self.audit, self.watched) if self.audit else []

    @property
    def _needs(self) -> tuple[str, ...]:
        return tuple(objectives[self.objective].options.get("needs", ()))


def _told(row: TraceRow) -> dict[str, Any]:
    """A feature in the labels and in the rewards, in JSON's own types."""
    stages = {stage: plain(reading(row, stage)) for stage in ("data", "reward_model")}
    return {"feature": row.feature, "verdict": row.verdict, **stages}
