"""What `dehusk repair` prints, and the page with the audits before and after."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.table import Table

from dehusk.cli.output import out_folder
from dehusk.core.errors import InputError
from dehusk.core.findings import Audit, Estimate
from dehusk.core.messages import Text, label, say, visible
from dehusk.core.options import RepairConfig
from dehusk.io import write_atomic
from dehusk.report import to_html
from dehusk.workflow import Repair


def deliver_repair(result: Repair, config: RepairConfig) -> None:
    """Write the page if one is wanted, print what the repair did, then say where everything is."""
    page = None if result.audits is None else _write_page(result.audits, config)
    if config.format == "json":
        sys.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    else:
        _show(result, config)
    sys.stdout.flush()
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    if config.out is not None and not config.dry_run:
        plan = f"{config.out}.plan.parquet"
        errors.print(say("repair.written", pairs=config.out, plan=plan).render(config.lang))
    if page is not None:
        errors.print(say("cli.written", page=page).render(config.lang))


def _show(result: Repair, config: RepairConfig) -> None:
    console = Console(highlight=False, markup=False)
    for sentence in _sentences(result):
        console.print(visible(sentence.render(config.lang)), soft_wrap=True)
    if result.targets:
        console.print(_table(result, config.lang))
    for sentence in (*_elsewhere(result), *result.notes, *([say("repair.dry_run")] if config.dry_run else [])):
        console.print(visible(sentence.render(config.lang)), soft_wrap=True)


def _sentences(result: Repair) -> list[Text]:
    kept = result.pairs - result.plan.lost
    told = [say("repair.kept", repair=result.plan.repair, kept=kept, pairs=result.pairs, lost=result.plan.lost)]
    for name in ("flipped", "reweighted", "added"):
        if getattr(result, name):
            told.append(say(f"repair.{name}", count=getattr(result, name)))
    return [*told, say("repair.effective", after=result.effective, before=result.before_effective)]


def _elsewhere(result: Repair) -> list[Text]:
    """The other features: which changed most, and whether the pressure went elsewhere."""
    told = []
    for key, change in (("moved", result.most_moved), ("grown", result.most_grown)):
        if change is not None and change.before is not None and change.after is not None:
            points = {"before": 100 * change.before.value, "after": _points(change.after)}
            told.append(say(f"repair.{key}", feature=change.feature, **points))
        elif key == "grown" and result.others:
            told.append(say("repair.not_grown"))
    return told


def _table(result: Repair, lang: str) -> Table:
    table = Table()
    table.add_column(say("repair.column.feature").render(lang), overflow="fold")
    for key in ("before", "after"):
        table.add_column(say(f"repair.column.{key}").render(lang), justify="right")
    for change in result.targets:
        table.add_row(visible(label(change.feature, lang)), _points(change.before), _points(change.after))
    return table


def _points(estimate: Estimate | None) -> str:
    if estimate is None:
        return "—"
    numbers = (estimate.value, estimate.low, estimate.high)
    value, low, high = (round(100 * number, 1) + 0.0 for number in numbers)  # + 0.0: no sign on nothing
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def _write_page(audits: tuple[Audit, Audit], config: RepairConfig) -> str:
    """Write the page and both audits as JSON; return where the page is.

    Raises:
        InputError: the folder cannot be made or written.
    """
    folder = out_folder(str(config.report))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"cannot be made: {error}", where=str(folder), fix="--report report") from None
    before, after = audits
    write_atomic(folder / "before.json", before.to_json())
    write_atomic(folder / "after.json", after.to_json())
    write_atomic(folder / "report.html", to_html(after, config.lang, before=before))
    return str(folder / "report.html")
