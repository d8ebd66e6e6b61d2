"""Everything that is printed or written: results on standard output, progress on standard error, files atomically."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from dehusk.core.errors import InputError
from dehusk.core.findings import Audit, Finding
from dehusk.core.messages import label, meaning, say, visible
from dehusk.core.options import (
    AuditConfig,
    ConvertConfig,
    ListConfig,
    ModelsConfig,
    ScoreConfig,
    ValidateConfig,
    at_home,
)
from dehusk.inputs import Watch
from dehusk.io import write_atomic, write_table
from dehusk.io.atomic import table_kind
from dehusk.report import formats, to_html, to_markdown
from dehusk.rewards.packaged import PACKAGED, fetched
from dehusk.workflow import Conversion, Outcome, Validation, names


@contextmanager
def watching(lang: str) -> Iterator[Watch]:
    """Progress on standard error: what is being done, how long it took, how long it may still take.

    Silent when standard error is not a terminal.
    """
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=None, rate="")

        def watch(step: str, done: int, total: int) -> None:
            words = say(f"cli.step.{step}").render(lang)
            progress.update(task, description=words, completed=done, total=total)
            speed = progress.tasks[0].speed if step == "scoring" else None
            progress.update(task, rate=say("cli.rate", speed=speed).render(lang) if speed else "")

        yield watch


def deliver(outcome: Outcome, config: AuditConfig) -> None:
    """Write the files of an audit, then print it in the format asked for."""
    folder = None if config.out is None else out_folder(config.out)
    if folder is not None:
        write_folder(outcome, folder, config.lang)
    printed = formats[config.format].thing(outcome.audit, config.lang)
    if isinstance(printed, str):
        sys.stdout.write(printed if printed.endswith("\n") else printed + "\n")
    else:
        Console(soft_wrap=False).print(printed)
    if folder is not None:  # last, where the eye is when the summary has scrolled by
        sys.stdout.flush()
        page = say("cli.written", page=str(folder / "report.html")).render(config.lang)
        Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(page)


def out_folder(given: str) -> Path:
    """The folder that results go to; asked for before any work is done.

    Raises:
        InputError: something on its path is a file, or nothing may be written there.
    """
    folder = Path(at_home(given))
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise InputError(f"cannot be made: {there} is a file", where=given, expected="a folder", fix="--out report")
    if not os.access(there, os.W_OK):
        raise InputError(f"cannot be made: no permission to write to {there}", where=given, fix="--out report")
    return folder


def write_folder(outcome: Outcome, folder: Path, lang: str) -> None:
    """Write audit.json, report.html, report.md and the tables, each whole or not at all.

    Raises:
        InputError: the folder cannot be made or written.
    """
    audit = outcome.audit
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"cannot be made: {error}", where=str(folder), fix="--out report") from None
    write_atomic(folder / "audit.json", audit.to_json())
    write_atomic(folder / "report.html", to_html(audit, lang))
    write_atomic(folder / "report.md", to_markdown(audit, lang))
    write_table(folder / "findings.parquet", _as_table(audit))
    for side, frame in outcome.measures.frames.items():
        rows = outcome.inputs.responses if side == "response" else outcome.inputs.pairs
        if rows is not None:
            key = "response_id" if side == "response" else "pair_id"
            write_table(folder / f"measures_{side}.parquet", frame.clone().insert_column(0, rows.frame[key]))
    if outcome.inputs.checks is not None:
        write_table(folder / "checks.parquet", outcome.inputs.checks.frame)


def _as_table(audit: Audit) -> pl.DataFrame:
    def row(finding: Finding) -> dict[str, object]:
        estimate = finding.estimate
        return {
            "probe": finding.probe,
            "stage": finding.stage,
            "feature": finding.feature,
            "family": finding.family,
            "verdict": finding.verdict,
            "intent": finding.intent,
            "value": estimate.value if estimate else None,
            "low": estimate.low if estimate else None,
            "high": estimate.high if estimate else None,
            "unit": estimate.unit if estimate else None,
            "n": estimate.n if estimate else None,
            "p": estimate.p if estimate else None,
            "q": finding.q,
            "sentence": finding.sentence.render("en"),
        }

    schema = dict.fromkeys(("value", "low", "high", "p", "q"), pl.Float64) | {"n": pl.Int64}
    return pl.DataFrame([row(finding) for finding in audit.findings], schema_overrides=schema, infer_schema_length=None)


def check_target(out: str | None) -> None:
    """Refuse a file that scores cannot be written to before any work is done.

    Raises:
        InputError: no table format, or a folder that is not there or may not be written to.
    """
    if out is None:
        return
    table_kind(out)
    folder = Path(at_home(out)).parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise InputError("cannot be written: no such folder, or no permission", where=out, fix=f"mkdir -p {folder}")


def deliver_scores(table: pl.DataFrame, notes: tuple[str, ...], config: ScoreConfig) -> None:
    """Write the scores to their file, or as JSON Lines to standard output; say what the models said of themselves."""
    if config.out is None:
        sys.stdout.write(table.write_ndjson())
        sys.stdout.flush()
    else:
        write_table(at_home(config.out), table)
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for note in notes:
        errors.print(visible(note))
    without = table["score"].null_count()
    if without:
        errors.print(say("cli.unscored", without=without, rows=table.height).render(config.lang))
    if config.out is not None:
        errors.print(say("cli.scored", rows=table.height, file=config.out).render(config.lang))


def show_models(config: ModelsConfig) -> None:
    """Print the packaged models: name, what it is, size, licence, and its folder if it was fetched."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(overflow="fold")
    for name, model in PACKAGED.items():
        folder = fetched(name)
        where = str(folder) if folder else say("cli.not_fetched", name=name).render(config.lang)
        size = f"{model.megabytes} MB, {model.licence}"
        table.add_row(name, say(f"models.{name}").render(config.lang), size, where)
    Console(soft_wrap=False, highlight=False, markup=False).print(table)


def show_folder(folder: Path, config: ModelsConfig) -> None:
    """Print where a packaged model is, and on standard error what to do with it."""
    sys.stdout.write(f"{folder}\n")
    sys.stdout.flush()
    words = say("cli.fetched", name=config.fetch).render(config.lang)
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(words)


def show_conversion(done: Conversion, config: ConvertConfig) -> None:
    """Say what was read as what, and what was written."""
    words = say("cli.converted", rows=done.rows, source=config.source, read=done.read, written=done.written)
    for note in done.notes:
        sys.stderr.write(f"{note}\n")
    sys.stdout.write(words.render(config.lang) + f" {config.target}\n")


def show_names(config: ListConfig) -> None:
    """Print one of the tables of names, with what each name means."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(overflow="fold")  # Chinese has no spaces to break at, and must not be cut
    for name, about, kind in names(config.what):
        shown = label(name, config.lang) if config.what == "features" else ""
        told = meaning(config.what, name, about, config.lang)
        table.add_row(name, kind, shown if shown != name else "", told)
    Console(soft_wrap=False).print(table)


def show_validation(result: Validation, config: ValidateConfig) -> None:
    """Print what was planted, what was found, and what could not have been."""
    if config.format == "json":
        sys.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False, indent=1) + "\n")
        return
    console = Console(highlight=False, markup=False)
    title = say("validate.title", phrase=result.phrase, side=result.side, answers=result.answers)
    console.print(title.render(config.lang), soft_wrap=True)
    table = Table()
    for key in ("rate", "texts", "found", "named", "runs"):
        table.add_column(say(f"validate.column.{key}").render(config.lang), justify="right")
    for row in sorted({*result.recall, *filter(None, [result.smallest])}, key=lambda row: row.rate):
        table.add_row(f"{row.rate:.2%}", str(row.texts), f"{row.found:.0%}", f"{row.named:.0%}", str(row.runs))
    console.print(table)
    for sentence in result.sentences():
        console.print(sentence.render(config.lang), soft_wrap=True)  # Chinese must not be broken at its spaces
