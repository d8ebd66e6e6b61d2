"""A trainer's output folder or log file, under one vocabulary."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.messages import Text, say
from dehusk.core.run import InputRecord
from dehusk.core.tables import TrainLog
from dehusk.io.files import guard_os, read_raw
from dehusk.io.logs.events import is_event_file
from dehusk.io.logs.json_logs import read_json
from dehusk.io.logs.places import Place, find_log, framework_beside
from dehusk.io.logs.points import LOGS, Logged, gathered
from dehusk.io.logs.recognition import framework_of, task_of
from dehusk.io.logs.tensorboard import read_events
from dehusk.io.logs.vocabulary import EVAL, METRICS, named, split_off
from dehusk.io.pairs import NO_COLUMNS

_TABLES = (".csv", ".tsv", ".parquet", ".arrow", ".feather")
_EPOCHS = ("epoch",)
_SHOWN = 6  # unknown keys named in a note


def read_log(path: str, *, columns: Mapping[str, str] = NO_COLUMNS, lang: str = "en") -> tuple[TrainLog, InputRecord]:
    """Read a trainer's output folder or log file.

    Args:
        path: Output folder, `trainer_state.json`, TensorBoard file, JSON Lines, CSV or Parquet.
        columns: Names that the user gave: `step`, or one of `METRICS`, -> key of the log. Others are left to the
            readers of pairs and responses.
        lang: Language of the notes in the record.

    Returns:
        One number a step and metric; of a step that was logged twice under one key (a resumed run) the last.

    Raises:
        InputError: nothing in it is known as a log, in one line.
    """
    given = Path(path)
    place = guard_os(lambda: find_log(given) if given.is_dir() else Place((given,), framework_beside(given)), given)
    contents = [(file, guard_os(file.read_bytes, file)) for file in place.files]
    logged = _read(contents, place.framework, columns.get("step"))
    sha256 = hashlib.sha256(b"".join(data for _, data in contents)).hexdigest()
    framework = logged.framework if logged.framework != "unknown" else framework_of(logged.names)
    task = task_of(logged.names, framework)
    frame, repeated = _once(logged.frame)
    chosen = {name: key for name, key in columns.items() if name.removeprefix(EVAL) in METRICS and key in logged.names}
    names = named(frame["key"].unique(maintain_order=True), task, chosen)
    frame = _with_epochs(frame, names)
    log = TrainLog(frame.select("step", "metric", "value", "key", "epoch"), framework=framework, task=task)
    said = [_read_as(logged.kind, framework, task), *_whereabouts(given, place), *logged.notes]
    said += [say("training_run.note.repeated", count=repeated)] if repeated else []
    said += _meanings(names, task)
    notes = tuple(text.render(lang) for text in said)
    return log, InputRecord("log", path, logged.kind, logged.rows, sha256, notes)


def _read(contents: list[tuple[Path, bytes]], framework: str, step: str | None) -> Logged:
    path, data = contents[0]
    where = str(path)
    if not data:
        raise InputError("the file is empty", where=where, expected=LOGS)
    if is_event_file(data[:12]):
        return read_events(contents, where)
    suffixes = [suffix for suffix in path.suffixes if suffix not in (".gz", ".zst", ".zstd")]
    if suffixes and suffixes[-1].lower() in _TABLES:
        raw = read_raw(where)
        return gathered(raw.frame.iter_rows(named=True), raw.kind, where, step=step, framework=framework)
    text = _text(data, where)
    if text.lstrip()[:1] not in ("{", "["):
        what = "the file is empty" if not text.strip() else "no log that is known"
        fix = f"{path.parent}, if that is the trainer's output folder" if text.strip() else None
        raise InputError(what, where=where, expected=LOGS, fix=fix)
    return read_json(text, where, step=step, framework=framework)


def _text(data: bytes, where: str) -> str:
    try:
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        text = data.decode("utf-8-sig")
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"damaged archive: {error}", where=where, fix="copy the file again") from None
    except UnicodeDecodeError:
        raise InputError("a binary file", where=where, expected=LOGS) from None
    if "\0" in text[:4096]:
        raise InputError("a binary file", where=where, expected=LOGS)
    return text


def _once(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Each key once a step, the last time it was written; and how many numbers that leaves out, epochs aside."""
    once = frame.unique(["step", "key"], keep="last", maintain_order=True)
    told = [table.filter(~pl.col("key").str.contains(r"(?:^|[/_])epoch$")).height for table in (frame, once)]
    return once, told[0] - told[1]


def _with_epochs(frame: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """The numbers under our names, with the epoch of their step where the log has it."""
    keys = [key for key in names if split_off(key)[1] in _EPOCHS]
    told = frame.filter(pl.col("key").is_in(keys)).group_by("step").agg(pl.col("value").last().alias("epoch"))
    metric = pl.col("key").replace_strict(dict(names), return_dtype=pl.String).alias("metric")
    rest = frame.filter(~pl.col("key").is_in(keys)).with_columns(metric)
    return rest.join(told, on="step", how="left", maintain_order="left").sort("step", maintain_order=True)


def _read_as(kind: str, framework: str, task: str) -> Text:
    spelt = framework.replace("-", "_")
    return say(
        "training_run.note.read",
        form=say(f"training_run.form.{kind}"),
        framework=say(f"training_run.framework.{spelt}"),
        task=say(f"training_run.task.{task}"),
    )


def _whereabouts(given: Path, place: Place) -> list[Text]:
    if place.files == (given,):
        return []
    file = place.files[0].relative_to(given).as_posix()
    notes = [say("training_run.note.file", file=file)]
    return notes + ([say("training_run.note.runs", count=len(place.others))] if place.others else [])


def _meanings(names: Mapping[str, str], task: str) -> list[Text]:
    """What ambiguous keys were taken to mean, and which keys are not known."""
    ours = set(names.values())
    notes = []
    if "implicit_chosen" in ours:
        notes.append(say("training_run.note.implicit"))
    if "chosen_score" in ours:
        notes.append(say("training_run.note.score"))
    if "reward_std" in ours and task == "grpo":
        notes.append(say("training_run.note.reward_std"))
    unknown = [key for key, name in names.items() if key == name and split_off(key)[1] not in {*METRICS, *_EPOCHS}]
    if unknown:
        shown = ", ".join(unknown[:_SHOWN]) + (" …" if len(unknown) > _SHOWN else "")
        notes.append(say("training_run.note.unknown", count=len(unknown), keys=shown))
    return notes
