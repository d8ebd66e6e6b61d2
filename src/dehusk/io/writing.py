"""Writing pairs back: in the layout they came in, every other column and value as it was, or in another layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dehusk.core.kinds import layouts
from dehusk.core.messages import Text, say
from dehusk.core.tables import Pairs
from dehusk.io.atomic import table_kind, write_table
from dehusk.io.columns import OPTIONAL, original_names, prepared, renamed
from dehusk.io.layouts.reading import Layout, Prunes
from dehusk.io.pairs import LINKS, Origin
from dehusk.io.rewriting import Rows, write_rows

_TEXTS = ("prompt", "chosen", "rejected")


def write_pairs(
    path: str | Path,
    pairs: Pairs,
    origin: Origin | None = None,
    layout: str | None = None,
    *,
    beside: Sequence[str] = (),
) -> tuple[Text, ...]:
    """Write pairs, atomically, in the format that the suffix of `path` names.

    In the layout they came in, rows of the file whose pairs are all gone are left out, rows whose pairs are
    unchanged stay as they were, changed ones get their new texts in place, and pairs that were not in the file
    follow at the end. In another layout, the columns that held the pair are replaced and all others carried over.
    Weights that are not those of the file go into its weight column, or a new one.

    Args:
        path: Where to write.
        pairs: What to write.
        origin: Where they came from; None for pairs made from nothing.
        layout: Another layout to write; the origin's (or trl-explicit) when None.
        beside: Numeric columns of the pairs, not in the file, to write beside them; a row of several pairs gets means.

    Returns:
        What the layout could not express, in sentences.

    Raises:
        InputError: an unknown suffix, or a folder that cannot be written to.
        UnknownName: no layout is called that.
    """
    table_kind(path)  # refuse the suffix before any work
    target = layout or (origin.layout if origin else "trl-explicit")
    writer: Layout = layouts[target].thing()
    if origin is None:
        new = _with_optional(writer.write(pairs.frame, pl.DataFrame()), pairs.frame, writer.rows_per_pair, (), beside)
        write_table(path, new)
        return ()
    known = _placed(pairs.frame, origin.links)
    if target != origin.layout:
        write_rows(path, _converted(known, origin, writer, beside), origin.raw)
        return ()
    rows, notes = _same_layout(known, origin, writer, beside)
    write_rows(path, rows, origin.raw)
    return notes


def _placed(pairs: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Pairs beside what and where they were in the file; where one was turned around, its places are too."""
    known = pairs.join(links, on="pair_id", how="left", suffix="_was", maintain_order="left")
    turned = ((pl.col("chosen") == pl.col("rejected_was")) & (pl.col("rejected") == pl.col("chosen_was"))).fill_null(
        value=False
    )
    places = [(f"chosen_{what}", f"rejected_{what}") for what in ("row", "at")]
    both = [(name, other) for pair in places for name, other in (pair, pair[::-1])]
    return known.with_columns(
        pl.when(turned).then(pl.col(other)).otherwise(pl.col(name)).alias(name) for name, other in both
    )


def _converted(known: pl.DataFrame, origin: Origin, writer: Layout, beside: Sequence[str]) -> Rows:
    """Every pair in another layout: its own columns, then all columns of the file that were not part of the old one."""
    names = original_names(origin.used, origin.columns)
    dropped = tuple(names.get(name, name) for name in origin.used)
    carried = [name for name in origin.raw.frame.columns if name not in dropped]
    new = _with_optional(writer.write(known, pl.DataFrame()), known, writer.rows_per_pair, carried, beside)
    rows = _links(known, writer.rows_per_pair)
    return Rows(rows, pl.Series([True] * len(rows), dtype=pl.Boolean), new, dropped)


def _same_layout(
    known: pl.DataFrame, origin: Origin, writer: Layout, beside: Sequence[str]
) -> tuple[Rows, tuple[Text, ...]]:
    """Rows of the file that stay, rows with new texts, and rows to add, in the order of the file."""
    frame = prepared(renamed(origin.raw.frame, origin.columns, origin.raw.name), origin.raw.name)
    changed = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_was") for name in _TEXTS).fill_null(value=True)
    kept, rest = known.filter(~changed), known.filter(changed)
    if isinstance(writer, Prunes):  # a row that would go on saying the opposite becomes one of two answers a pair
        torn = known["chosen_row"].is_in(_implied(rest, kept)["chosen_row"].implode()).fill_null(value=False)
        kept, rest = known.filter(~changed & ~torn), known.filter(changed | torn)
    written = writer.write(rest, frame) if rest.height else pl.DataFrame()
    stays, notes = _staying(kept, beside)
    if isinstance(writer, Prunes):
        pruned, implied = _pruned(kept, origin.links, frame, writer, written.columns)
        stays = stays.join(pruned, on="row", how="left", maintain_order="left")
        notes += (say("io.implied", count=implied),) if implied else ()
    parts = [stays]
    if rest.height:
        parts.append(_touched(written, rest, frame, writer.rows_per_pair, beside))
    out = pl.concat(parts, how="diagonal_relaxed").sort("row", nulls_last=True, maintain_order=True)
    new = out.drop("row", "weight", "touched", *beside, strict=False)
    touched = out["touched"].fill_null(value=False) if "touched" in out.columns else pl.Series([False] * out.height)
    renames = original_names(new.columns, origin.columns)
    always = _weights(known, out["weight"], frame)
    always = out.select(beside) if not always.width else always.hstack(out.select(beside))
    return Rows(out["row"], touched, new.rename(renames), always=always), notes


def _staying(kept: pl.DataFrame, beside: Sequence[str]) -> tuple[pl.DataFrame, tuple[Text, ...]]:
    """Raw rows (row, weight, `beside`) of the unchanged pairs, each once; a note where the weights of one differ."""
    both = pl.concat(
        [kept.select(pl.col(row).alias("row"), "weight", *beside) for row in ("chosen_row", "rejected_row")]
    )
    means = pl.col("weight", *beside).mean()
    rows = both.group_by("row").agg(means, uneven=pl.col("weight").n_unique() > 1).sort("row")
    uneven = int(rows["uneven"].sum())
    return rows.drop("uneven"), (say("io.weights_averaged", count=uneven),) if uneven else ()


def _pruned(
    kept: pl.DataFrame, links: pl.DataFrame, frame: pl.DataFrame, writer: Prunes, names: list[str]
) -> tuple[pl.DataFrame, int]:
    """Rows of which some answers are in no pair any more, without those; and how many lost pairs remain implied.

    Columns: row, touched, the pruned ones, and those of `names`, so that all touched rows have the same columns.
    """
    now, was = _answers(kept), _answers(links)
    gone = was.join(now, on=["row", "at"], how="anti").join(now.select("row").unique(), on="row", how="semi")
    per_row = gone.group_by("row").agg(gone=pl.col("at").unique().sort()).sort("row")
    lost = _implied(links.join(kept.select("pair_id"), on="pair_id", how="anti"), kept)
    if not per_row.height:
        return pl.DataFrame(schema={"row": pl.Int64, "touched": pl.Boolean}), lost.height
    columns = writer.prune(frame, per_row["row"], per_row["gone"])
    missing = [name for name in names if name in frame.columns and name not in columns.columns]
    others = frame[per_row["row"]].select(missing)
    return columns.hstack(others).with_columns(row=per_row["row"], touched=pl.lit(value=True)), lost.height


def _implied(gone: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Those of the pairs that are gone whose two answers are both still in a row, because of pairs that are kept."""
    now = _answers(kept)
    for side in ("chosen_at", "rejected_at"):
        if gone[side].null_count() < gone.height:
            gone = gone.join(now, left_on=["chosen_row", side], right_on=["row", "at"], how="semi")
    return gone


def _answers(links: pl.DataFrame) -> pl.DataFrame:
    """Which answers of which raw rows are in a pair: row, at."""
    sides = [links.select(row="chosen_row", at=side) for side in ("chosen_at", "rejected_at")]
    return pl.concat(sides).drop_nulls().unique()


def _touched(
    written: pl.DataFrame, rest: pl.DataFrame, frame: pl.DataFrame, times: int, beside: Sequence[str]
) -> pl.DataFrame:
    """Changed and added pairs as rows: the layout's columns, row, weight, `beside`, and what else the file says."""
    said = {name: next((alias for alias in aliases if alias in frame.columns), None)
            for name, aliases in OPTIONAL.items() if name not in ("lang", "source")}  # fmt: skip
    said |= {name: name for name in ("lang", "source", *_of_a_side(rest.columns)) if name in frame.columns}
    shared = {name: column for name, column in said.items() if column and name in rest.columns and name != "weight"}
    optional = [
        _repeated(rest[name], times).alias(column) for name, column in shared.items() if column not in written.columns
    ]
    always = [_repeated(rest[name], times) for name in ("weight", *beside)]
    return written.hstack([*optional, _links(rest, times), *always]).with_columns(touched=pl.lit(value=True))


def _of_a_side(names: Sequence[str]) -> list[str]:
    """Columns that the file has for one of the two answers, beyond the known ones."""
    sides = [name for name in names if name.startswith(("chosen_", "rejected_")) and not name.endswith("_was")]
    return [name for name in sides if name not in (*OPTIONAL, *LINKS)]


def _weights(known: pl.DataFrame, weight: pl.Series, frame: pl.DataFrame) -> pl.DataFrame:
    """The weight column for every row, if any weight is not that of the file (1 for a pair that was not in it)."""
    if known.filter(pl.col("weight") != pl.col("weight_was").fill_null(1.0)).is_empty():
        return pl.DataFrame()
    name = next((alias for alias in OPTIONAL["weight"] if alias in frame.columns), "weight")
    return pl.DataFrame([weight.alias(name)])


def _with_optional(
    new: pl.DataFrame, pairs: pl.DataFrame, times: int, carried: Sequence[str], beside: Sequence[str]
) -> pl.DataFrame:
    """The layout's columns and what else is known of the pairs, unless a column of the file already says it."""
    columns = []
    for name, aliases in OPTIONAL.items():
        said = {*aliases} & {*new.columns, *carried}
        trivial = name == "lang" or (name == "weight" and name in pairs.columns and bool((pairs[name] == 1.0).all()))
        if name in pairs.columns and not said and not trivial and pairs[name].null_count() < pairs.height:
            columns.append(_repeated(pairs[name], times))
    told = {*new.columns, *carried, *beside}  # the rest of what is known of both answers, such as ratings
    sides = [name for name in _of_a_side(pairs.columns) if name not in told]
    return new.hstack([*columns, *(_repeated(pairs[name], times) for name in (*sides, *beside))])


def _links(known: pl.DataFrame, times: int) -> pl.Series:
    """The raw row of each row to write: one a pair, or first the chosen one's and then the rejected one's."""
    sides = ["chosen_row", "rejected_row"][:times]
    return known.select(pl.concat_list(sides).explode().alias("row")).to_series()


def _repeated(column: pl.Series, times: int) -> pl.Series:
    return column if times == 1 else column.gather([place for place in range(len(column)) for _ in range(times)])
