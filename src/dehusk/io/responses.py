"""Reading model responses: one file a stage, one file with a stage column, or the rollouts that a trainer dumped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from dehusk.core.errors import InputError, UnknownName
from dehusk.core.messages import Text, say
from dehusk.core.run import InputRecord
from dehusk.core.tables import ResponseChecks, Responses
from dehusk.io.atomic import encode
from dehusk.io.checks import check_responses
from dehusk.io.columns import LARGEST, numbers, prepared, renamed, untouched
from dehusk.io.files import guard_os, read_raw
from dehusk.io.layouts.messages import before_reply, is_messages, is_text, plain, reply
from dehusk.io.layouts.reading import PROMPT_KEYS, are_conversations, prompt_of
from dehusk.io.pairs import NO_COLUMNS, damaged_rows, placed
from dehusk.io.prompts import clusters
from dehusk.io.recognise import in_words
from dehusk.io.rollouts import dump_in, read_dump

ANSWERS = (
    *("response", "completion", "output", "answer", "generation", "generated_text", "model_output", "text"),
    *("predict", "prediction"),  # LLaMA-Factory's generated_predictions.jsonl
)
TALKS = ("messages", "conversations")
LISTS = ("responses", "completions", "outputs", "samples", "generations", "answers")
STAGES = ("stage", "model", "generator", "model_name", "checkpoint", "policy")
EARLY = ("base", "pretrained", "pretrain", "init", "sft", "instruct", "reference", "ref")
SCORES = ("score", "reward", "rewards", "rm_score", "reward_score", "scores")
NOT_REWARDS = {"step", "gen_step", "advantage", "advantages", "epoch", "index", "row", "at", "sample_idx", "gold"}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OWN = {column.name for column in Responses.columns} | {"source", "at", "damaged"}


@dataclass(frozen=True)
class LoadedResponses:
    """Responses of all stages, what was noticed row by row, and a record a source."""

    responses: Responses
    checks: ResponseChecks
    records: tuple[InputRecord, ...]


def read_responses(
    sources: Sequence[tuple[str | None, str]],
    *,
    columns: Mapping[str, str] = NO_COLUMNS,
    stages: Sequence[str] = (),
    lang: str = "en",
) -> LoadedResponses:
    """Read responses of one or more stages.

    Args:
        sources: (stage, path) each; a path is a file or a folder of rollouts. Without a stage, it comes from a column
            (`STAGES`), for rollouts from the step ("step 10"), else from the file's name.
        columns: Canonical name (prompt, response, stage, step, score, gold) -> column of the file.
        stages: Order of the pipeline, earliest first; stages not named are left out. When empty, as met, but within a
            file those called like the beginning of one (`EARLY`) go first, and numbered ones by their number.
        lang: Language of the notes in the records.

    Raises:
        InputError: in one line, for anything that is not a table of responses.
        UnknownName: a stage that is not in the data.
    """
    if not sources:
        raise InputError("no responses", expected="at least one file")
    loaded = [_read_source(number, *source, columns, lang) for number, source in enumerate(sources, 1)]
    _refuse_twins([table["stage"] for table, _ in loaded], sources)
    frame = _stacked([table for table, _ in loaded])
    present = list(dict.fromkeys(name for table, _ in loaded for name in _earliest_first(table["stage"])))
    for place, name in enumerate(stages):
        if name not in present:
            raise UnknownName("stage", name, present, where="--stages")
        if name in stages[:place]:
            raise InputError(f"stage {name!r} twice", where="--stages", expected="each once")
    order = tuple(stages) or tuple(present)
    frame = frame.filter(pl.col("stage").is_in(order))
    found = check_responses(frame, frame["damaged"])
    empty = found.filter(pl.col("check") == "empty")["at"].unique().implode()
    noticed = found.select("row", "check", "side", kept=~pl.col("at").is_in(empty))
    checks = ResponseChecks(noticed.hstack(frame[found["at"]].select("response_id", "stage", "group")))
    usable = frame.drop("damaged").with_row_index("at").filter(~pl.col("at").is_in(empty)).drop("at")
    if not usable.height:
        raise InputError("every response is empty", where=sources[0][1], expected="responses with text")
    left = set(usable["stage"])
    responses = Responses(usable, stages=tuple(name for name in order if name in left))
    return LoadedResponses(responses, checks, tuple(record for _, record in loaded))


def _earliest_first(stages: pl.Series) -> list[str]:
    """The stages of one file: base models and the like first, and checkpoints that differ by a number by that number.

    Otherwise as met. Rows are often in the order of the alphabet, in which ppo comes before sft and step 9 after 10.
    """
    names = stages.unique(maintain_order=True).to_list()
    if len({_NUMBER.sub("", name) for name in names}) == 1:
        return sorted(names, key=lambda name: [float(number) for number in _NUMBER.findall(name)])
    rank = {name: place for place, name in enumerate(EARLY)}
    return sorted(names, key=lambda name: rank.get(name.lower(), len(EARLY)))


def _refuse_twins(stages: Sequence[pl.Series], sources: Sequence[tuple[str | None, str]]) -> None:
    """Refuse two files that would silently become one stage.

    Raises:
        InputError: naming the stage and the second of the files.
    """
    seen: dict[str, str] = {}
    for names, (_, path) in zip(stages, sources, strict=True):
        name = names[0] if names.n_unique() == 1 else None
        if name in seen:
            fix = f"--responses {name}={seen[name]} --responses {name}-2={path}"
            raise InputError(
                f"stage {name!r} again, after {seen[name]}", where=path, expected="one file a stage", fix=fix
            )
        seen |= {name: path} if name is not None else {}


def _read_source(
    number: int, stage: str | None, path: str, columns: Mapping[str, str], lang: str
) -> tuple[pl.DataFrame, InputRecord]:
    """The canonical table of one source, and its record."""
    raw = guard_os(lambda: read_dump(found) if (found := dump_in(Path(path))) else read_raw(path), Path(path))
    frame = prepared(renamed(raw.frame, columns, path), path, raw.opaque)
    frame = frame.drop("row", strict=False).with_row_index("row", 1)
    frame = placed(lambda: _unrolled(frame), path)
    table = placed(lambda: _texts(frame, path), path)
    dump = raw.kind == "rollouts" or (
        "step" in frame.columns and bool({"advantage", "advantages", "gts"} & {*frame.columns})
    )
    score, notes = _score(frame, dump)
    step = _numbers(frame, "step", below=2.0**53)
    stage_of, note = _stage(frame, stage, step if dump else None, path)
    identity = pl.format("{}-{}.{}", pl.lit(number), "row", pl.col("at") + 1)
    known = [score.alias("score")] if score is not None else []
    known += [step.cast(pl.Int64).alias("step")] if step is not None else []
    known += [gold.alias("gold")] if (gold := _numbers(frame, "gold")) is not None else []
    table = pl.concat(
        [
            frame.select(identity.alias("response_id"), pl.col("row").cast(pl.Int64)),
            table,
            pl.DataFrame([stage_of.alias("stage"), clusters(table["prompt"]), damaged_rows(raw, frame["row"]), *known]),
            untouched(frame, {*_OWN, *PROMPT_KEYS, *ANSWERS}),
        ],
        how="horizontal",
    )
    layout = "rollouts" if dump else "responses"
    said = [say("io.mapped", column=column, name=name) for name, column in columns.items()]
    said += [note, *notes, *([say("io.surrogates", count=len(raw.damaged))] if len(raw.damaged) else [])]
    texts = tuple(text.render(lang) for text in said)
    return table, InputRecord("responses", path, layout, raw.frame.height, raw.sha256, texts)


def _unrolled(frame: pl.DataFrame) -> pl.DataFrame:
    """One line a response: lists of samples and ms-swift's object of lists are unrolled; `at` counts within a row."""
    name = next(
        (name for name in (*ANSWERS, *LISTS) if name in frame.columns and isinstance(frame.schema[name], pl.List)), None
    )
    if name is None or is_messages(frame.schema[name]):
        return frame.with_columns(at=pl.lit(0, pl.Int64))
    count = pl.col(name).list.len()
    parallel = [
        other
        for other, dtype in frame.schema.items()
        if isinstance(dtype, pl.List) and frame.select((pl.col(other).list.len() == count).all()).item()
    ]
    frame = frame.with_columns(at=pl.int_ranges(0, count, dtype=pl.Int64)).filter(count > 0).explode("at", *parallel)
    if isinstance(frame.schema[name], pl.Struct):
        frame = frame.with_columns(pl.col(name).struct.field(_text_field(frame.schema[name])).alias(name))
    return frame.rename({name: ANSWERS[0]}) if name not in ANSWERS else frame


def _text_field(dtype: Any) -> str:
    names = [item.name for item in dtype.fields if is_text(item.dtype)]
    return next(
        (name for name in (*ANSWERS, "content", "value") if name in names), (names or [dtype.fields[0].name])[0]
    )


def _texts(frame: pl.DataFrame, path: str) -> pl.DataFrame:
    """Prompt and response of every line.

    Raises:
        InputError: when no column holds the response, with the column that was probably meant.
    """
    name = next((name for name in ANSWERS if are_conversations(frame, name)), None)
    name = name or next((name for name in TALKS if is_messages(frame.schema.get(name))), None)
    if name is None:
        raise _no_response(frame.drop("row", "at"), path)
    dtype = frame.schema[name]
    prompt = prompt_of(frame) if name not in TALKS else None
    if prompt and prompt != name:
        asked = plain(prompt, frame.schema[prompt])
    else:
        asked = before_reply(name, dtype) if is_messages(dtype) else pl.lit("")
    if prompt == "instruction" and are_conversations(frame, "input"):  # alpaca style
        extra = plain("input", frame.schema["input"]).fill_null("")
        asked = pl.when(extra != "").then(asked + "\n" + extra).otherwise(asked)
    return frame.select(prompt=asked, response=reply(name, dtype)).select(pl.all().cast(pl.String).fill_null(""))


def _no_response(frame: pl.DataFrame, path: str) -> InputError:
    """No column holds the response: the one that has a wrong type, or that was probably meant."""
    wrong = next((name for name in ANSWERS if name in frame.columns), None)
    if wrong is not None:
        what = f"column {wrong!r} is {in_words(frame.schema[wrong])}"
        return InputError(what, where=path, expected="text or messages")
    near = [match for answer in ANSWERS[:4] for match in get_close_matches(answer, frame.columns, n=1, cutoff=0.6)]
    fix = f"--map response={near[0]}" if near else "--map response=COLUMN"
    if {"chosen", "rejected"} <= {*frame.columns}:
        fix = f"--pairs {path}, or --map response=chosen"
    shown = ", ".join(frame.columns[:12])
    return InputError(f"no response in columns {shown}", where=path, expected=" or ".join(ANSWERS[:4]), fix=fix)


def _score(frame: pl.DataFrame, dump: bool) -> tuple[pl.Series | None, list[Text]]:
    """The reward of every line: a column of a usual name, else in a dump the sum of the reward functions' columns."""
    name = next((name for name in SCORES if _numbers(frame, name) is not None), None)
    if name is not None:
        return _numbers(frame, name), [say("io.score_from", columns=name)]
    names = [
        name
        for name, dtype in frame.schema.items()
        if dtype.is_numeric() and name not in NOT_REWARDS and frame[name].null_count() < frame.height
    ]
    if not dump or not names:
        return None, []
    total = frame.select(pl.sum_horizontal(pl.col(names).cast(pl.Float64))).to_series()
    note = "io.score_from" if len(names) == 1 else "io.score_sum"
    return numbers(total), [say(note, columns=", ".join(names))]


def _numbers(frame: pl.DataFrame, name: str, below: float = LARGEST) -> pl.Series | None:
    """A column as numbers; None where it is not there or holds none."""
    if name not in frame.columns or frame.schema[name].is_nested():
        return None
    values = numbers(frame[name], below)
    return values if values.null_count() < len(values) else None


def _stage(frame: pl.DataFrame, given: str | None, step: pl.Series | None, path: str) -> tuple[pl.Series, Text]:
    """The stage of every line and where it comes from: the user, a step of a dump, a column, or the file's name."""
    if given is None and step is not None:
        order = step.drop_nulls().unique().sort()
        note = say("io.steps", count=len(order), first=int(order[0]), last=int(order[-1]))
        return pl.select(pl.format("step {}", pl.lit(step.cast(pl.Int64)))).to_series().fill_null("step ?"), note
    column = next((name for name in STAGES if name in frame.columns and is_text(frame.schema[name])), None)
    if given is None and column is not None and frame[column].null_count() < frame.height:
        stages = frame[column].cast(pl.String).fill_null("?")
        return stages, say("io.stages_from", column=column, stages=", ".join(_earliest_first(stages)))
    name = encode(given or Path(path.rstrip("/")).name.split(".")[0] or path).decode()
    return pl.Series("stage", [name] * frame.height, dtype=pl.String), say("io.stage_named", stage=name)


def _stacked(tables: list[pl.DataFrame]) -> pl.DataFrame:
    """All sources below each other; an extra column whose types cannot be reconciled becomes text."""
    try:
        return pl.concat(tables, how="diagonal_relaxed")
    except pl.exceptions.PolarsError:
        plain_tables = [
            table.with_columns(pl.col(name).cast(pl.String) for name in table.columns if name not in _OWN)
            for table in tables
        ]
        return pl.concat(plain_tables, how="diagonal_relaxed")
