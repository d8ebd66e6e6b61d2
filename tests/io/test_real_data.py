"""The real files all load; what their README says of them is what comes out."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dehusk.io import read_pairs, read_responses

DATA = Path(__file__).parents[2] / "../shared/data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data (../shared/data) is not here")
PREFERENCE = sorted((DATA / "preference").glob("*.parquet"))


@pytest.mark.parametrize("file", PREFERENCE, ids=lambda file: file.stem)
def test_preference_files_load_whole(file: Path) -> None:
    loaded = read_pairs(str(file))
    table = pl.read_parquet(file)
    assert loaded.record.rows == table.height
    assert len(loaded.pairs) == table.height  # empty and identical pairs were dropped when they were collected
    assert loaded.pairs.frame["lang"].to_list() == table["lang"].to_list()
    assert set(loaded.pairs.frame["source"]) <= set(table["source"]) | set(
        table.get_column("subset", default=table["source"])
    )
    assert loaded.pairs.frame["chosen"].to_list() == table["chosen"].to_list()


def test_language_is_detected_where_no_column_says_it(tmp_path: Path) -> None:
    for file in (item for item in PREFERENCE if item.stat().st_size < 1_000_000):
        pl.read_parquet(file).select("prompt", "chosen", "rejected").write_parquet(tmp_path / file.name)
        found = read_pairs(str(tmp_path / file.name)).pairs.frame["lang"]
        known = pl.read_parquet(file)["lang"]
        assert (found.fill_null("") == known).mean() > 0.95, file.stem  # type: ignore[operator]


def test_stages_of_real_outputs() -> None:
    file = str(DATA / "outputs/phi2_base_sft_dpo.parquet")
    loaded = read_responses([(None, file)], stages=("base", "sft", "dpo"))
    assert loaded.responses.stages == ("base", "sft", "dpo")
    assert loaded.responses.frame["group"].n_unique() == pytest.approx(805, abs=3)
