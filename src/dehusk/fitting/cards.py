"""The model card: what was trained on what, against what, what came of it, and how the folder is used elsewhere."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dehusk.fitting.objectives  # noqa: F401 - importing it fills the table of objectives
from dehusk.core.findings import Audit, Estimate, TraceRow
from dehusk.core.kinds import objectives
from dehusk.core.markdown import escaped
from dehusk.core.messages import Text, catalogue, label, meaning, say
from dehusk.core.run import InputRecord
from dehusk.io.atomic import write_atomic

_LISTED = 12  # findings of an audit that are told
_OTHERS = 6  # features that stand out beside the watched ones

_TRANSFORMERS = """import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("PATH")
model = AutoModelForSequenceClassification.from_pretrained("PATH", dtype=torch.float32).eval()
talk = [{"role": "user", "content": "Why is the sky blue?"}, {"role": "assistant", "content": "Air scatters blue."}]
text = tokenizer.apply_chat_template(talk, tokenize=False)
ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
with torch.inference_mode():
    reward = model(**ids).logits[0, 0].item()
"""
_TRL = """from trl import GRPOTrainer

trainer = GRPOTrainer(model=POLICY, reward_funcs="PATH", train_dataset=prompts)
"""
_OPENRLHF = "PATH as the reward model, `score` as its value head prefix"
_DEHUSK = "dehusk audit --pairs prefs.jsonl --reward-model {kind}:PATH"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model card tells."""

    name: str
    base: str  # what was started from
    models: tuple[str, ...]  # as KIND:WHERE; one of kind hf is a standard classifier
    train: str  # "heads", "lora" or "full"
    objective: str  # its name in the table of objectives
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))  # of the objective
    features: tuple[str, ...] = ()  # that the objective sees
    inputs: tuple[InputRecord, ...] = ()
    pairs: int  # trained on
    schedule: Mapping[str, Any]  # seconds, seed; epochs, batch and rate of a whole model; rank and alpha of LoRA
    readings: Sequence[tuple[str, str]] = ()  # what was read on held-out pairs, and its value
    tokens: int | None = None  # kept of a text
    notes: tuple[Text, ...] = ()  # what was too long, left out, stopped
    audit: Audit | None = None  # of held-out pairs, with what the model says of them
    watched: tuple[str, ...] = ()  # features that are told first, whatever they are
    record: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # all options of the run


def write_card(card: Card, folder: Path, lang: str = "en") -> None:
    """Write README.md beside a model.

    Raises:
        InputError: the folder cannot be written to.
    """
    write_atomic(folder / "README.md", model_card(card, lang))


def model_card(card: Card, lang: str = "en") -> str:
    """A model card in Markdown, with the front matter that model hubs read."""

    def said(key: str, **values: Any) -> str:
        return escaped(say(f"card.{key}", **values).render(lang), longest=2000)

    parts = [_front(card), f"# {escaped(card.name)}", said("lead", base=card.base)]
    schedule = "fitted" if card.train == "heads" else "schedule"
    how = said(card.train, **card.schedule), said(schedule, pairs=card.pairs, **card.schedule)
    parts += [f"## {said('trained')}", " ".join(how), f"## {said('objective')}", *_objective(card, lang)]
    names = ", ".join(label(name, lang) for name in card.features)
    parts.append(said("features", names=names) if names else said("no_features"))
    files = [said("file", name=record.name, rows=record.rows, sha256=record.sha256) for record in card.inputs]
    lines = [*files, *(escaped(note.render(lang), longest=2000) for note in card.notes)]
    parts += [f"## {said('data')}", "\n".join(f"- {line}" for line in lines)] if lines else []
    if card.readings:
        explained = card.audit is not None and standing_out(card.audit, card.watched)  # what "paid for" means
        parts += [f"## {said('held_out')}", *([] if explained else [said("paid")]), _table(card, lang)]
    parts += [f"## {said('audit')}", *_audit(card.audit, card.watched, lang)] if card.audit is not None else []
    parts += [f"## {said('use')}", *_use(card, lang)]
    if card.record:
        told = json.dumps({name: value for name, value in card.record.items() if value not in (None, [])}, indent=1)
        parts += [f"## {said('record')}", f"```json\n{told}\n```"]
    return "\n\n".join(parts) + "\n"


def _front(card: Card) -> str:
    """YAML between two rules; a JSON string is a YAML string, whatever is in it."""
    standard = any(model.startswith("hf:") for model in card.models)
    lines = ["library_name: transformers", "pipeline_tag: text-classification"] if standard else []
    if card.base.count("/") == 1 and not card.base.startswith((".", "/", "~")) and not Path(card.base).exists():
        lines.append(f"base_model: {json.dumps(card.base.partition('@')[0])}")
    tags = json.dumps(["reward-model", "dehusk", card.objective])
    return "\n".join(["---", *lines, f"tags: {tags}", f"model_name: {json.dumps(card.name)}", "---"])


def _objective(card: Card, lang: str) -> Iterator[str]:
    """What was minimised: its own words, its paper, its known side effect, and the options that were changed."""
    row = objectives[card.objective]
    about, paper = meaning("objectives", row.name, row.about, lang), str(row.options.get("paper", ""))
    yield f"**{escaped(row.name)}**: {escaped(about, 2000)}" + ("" if paper in about else f" ({escaped(paper)})")
    told = (inspect.getdoc(row.thing) or "").split("\n\n")
    yield from (escaped(part, 2000) for part in told if part.startswith("Side effect"))
    if card.options:
        yield ", ".join(f"`{name}` = {escaped(str(value))}" for name, value in card.options.items())


def _table(card: Card, lang: str) -> str:
    """What was read on held-out pairs."""
    head = [say(f"fit.read.{key}").render(lang) for key in ("what", "value")]
    return _rows([head, *card.readings])


def _rows(lines: Sequence[Sequence[str]]) -> str:
    """A table; the first line is its head, all columns but the first stand to the right."""
    head, *rest = ("| " + " | ".join(map(escaped, line)) + " |" for line in lines)
    return "\n".join([head, "|---|" + "---:|" * (len(lines[0]) - 1), *rest])


def _use(card: Card, lang: str) -> Iterator[str]:
    """How the folder is opened, here and elsewhere."""
    standard = next((model for model in card.models if model.startswith("hf:")), None)
    blocks = [("dehusk", "bash", _DEHUSK.format(kind=card.models[0].partition(":")[0]))]
    if standard is not None:
        keys = {"texts": {}, **({} if card.tokens is None else {"cut": {"tokens": card.tokens}})}
        keys |= {"place": {}, "openrlhf": {}}
        yield " ".join(escaped(say(f"card.{key}", **values).render(lang), 2000) for key, values in keys.items())
        where = "PATH" if standard == card.models[0] else f"PATH/{Path(standard).name}"
        others = (("transformers", "python", _TRANSFORMERS), ("TRL", "python", _TRL), ("OpenRLHF", "text", _OPENRLHF))
        blocks += [(title, language, code.replace("PATH", where)) for title, language, code in others]
    for title, language, code in blocks:
        yield f"**{title}**\n\n```{language}\n{code.strip()}\n```"


def standing_out(audit: Audit, watched: Sequence[str]) -> list[TraceRow]:
    """The watched features, then of the others with a finding those that the model surely pays for or punishes most."""

    def least(row: TraceRow) -> float:
        paid = reading(row, "reward_model")
        return -math.inf if paid is None else max(paid.low, -paid.high)

    rows = {row.feature: row for row in audit.trace}
    others = [row for row in audit.trace if row.verdict != "pass" and row.feature not in watched]
    return [rows[name] for name in watched if name in rows] + sorted(others, key=least, reverse=True)[:_OTHERS]


def reading(row: TraceRow, stage: str) -> Estimate | None:
    """The number of one stage, if there is one."""
    cell = row.cells[stage]
    return None if isinstance(cell, Text) else cell["raw"]


def _audit(audit: Audit, watched: Sequence[str], lang: str) -> Iterator[str]:
    """How many findings, the features that stand out, what else is serious, and what was not looked at."""

    def said(key: str, **values: Any) -> str:
        return say(f"card.{key}", **values).render(lang)

    serious = {verdict: [one for one in audit.findings if one.verdict == verdict] for verdict in ("fail", "warn")}
    counts = {verdict: len(found) for verdict, found in serious.items()}
    yield escaped(said("verdicts", count=len(audit.findings), **counts))
    rows = standing_out(audit, watched)
    if rows:
        yield from (escaped(said(key), 2000) for key in ("labels", "paid"))
        head = [say(f"card.column.{name}").render(lang) for name in ("feature", "data", "reward_model", "verdict")]
        yield _rows([head, *(_line(row, lang) for row in rows)])
    shown = {row.feature for row in rows}
    told = [one for one in (*serious["fail"], *serious["warn"]) if one.feature not in shown]
    words = {verdict: say(f"report.verdict.{verdict}").render(lang) for verdict in serious}
    lines = [f"- **{escaped(words[one.verdict])}** {escaped(one.sentence.render(lang))}" for one in told[:_LISTED]]
    if len(told) > _LISTED:
        lines.append(f"- {escaped(said('more', count=len(told) - _LISTED))}")
    if lines:
        yield "\n".join(lines)
    left = [one.probe for one in audit.skipped if one.probe.startswith(("data.", "reward_model."))]
    if left:
        known = catalogue(lang)
        titles = [known.get(f"report.probe.{probe}.title", probe) for probe in left]
        yield escaped(said("not_looked", titles=known["report.items"].join(titles)), 2000)


def _line(row: TraceRow, lang: str) -> list[str]:
    """One feature: in the labels, in points; what is paid for it; the verdict."""
    cells = [label(row.feature, lang)]
    for stage, factor, digits in (("data", 100, 1), ("reward_model", 1, 2)):
        one = reading(row, stage)
        numbers = () if one is None else tuple(factor * value for value in (one.value, one.low, one.high))
        cells.append("{:+.{d}f} ({:+.{d}f} … {:+.{d}f})".format(*numbers, d=digits) if numbers else "—")
    return [*cells, say(f"report.verdict.{row.verdict}").render(lang)]
