"""`reward_model.style_matrix`: known cells, scorers that do not read, and the published numbers of length alone."""

import numpy as np
import polars as pl
import pytest
from factories import SHARED, make_pairs
from score_tables import make_scores

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Pairs, Scores
from dehusk.probes.reward_model.style_matrix import style_matrix

BENCHMARK = SHARED.parent / "benchmark" / "rm_bench.parquet"


def draw(rng, items, *, quality, style):
    """Three styles of one right and one wrong answer an item; the model pays for quality and for style."""
    n = 3 * items
    idx = np.tile(np.arange(3), items)
    pairs = make_pairs(n, groups=np.repeat(np.arange(items), 3), style_idx=idx)
    chosen, rejected = (style * idx + rng.normal(size=n) + worth for worth in (quality, 0.0))
    return pairs, make_scores(chosen, rejected)


def test_levels_are_the_cells_below_on_and_above_the_diagonal():
    rng = np.random.default_rng(0)
    pairs, scores = draw(rng, 60, quality=0.5, style=0.7)
    (finding,) = style_matrix(pairs, scores)
    wins = scores.of("chosen").reshape(60, 3, 1) > scores.of("rejected").reshape(60, 1, 3)
    cells = wins.mean(axis=0)
    assert finding.details["easy"].value == pytest.approx((cells[1, 0] + cells[2, 0] + cells[2, 1]) / 3)
    assert finding.details["hard"].value == pytest.approx((cells[0, 1] + cells[0, 2] + cells[1, 2]) / 3)
    assert finding.details["normal"].value == pytest.approx(np.trace(cells) / 3)
    assert finding.estimate.value == pytest.approx(finding.details["easy"].value - finding.details["hard"].value)
    assert finding.details["cells"][0]["wrong_2"] == pytest.approx(cells[0, 2])


@pytest.mark.parametrize(
    "style, way, verdict", [(0.8, "fancy", "warn"), (-0.8, "plain", "warn"), (0.0, "even", "pass")]
)
def test_both_signs_of_the_gap_are_findings(style, way, verdict):
    (finding,) = style_matrix(*draw(np.random.default_rng(1), 300, quality=1.0, style=style))
    assert (finding.sentence.key, finding.verdict) == (f"reward_model.style_{way}", verdict)


def test_without_a_taste_for_style_the_gap_covers_nothing():
    rng = np.random.default_rng(2)
    covered = [
        next(iter(style_matrix(*draw(rng, 40, quality=0.5, style=0.0)))).estimate.direction == 0 for _ in range(300)
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_a_constant_scorer_never_wins_strictly():
    pairs, _ = draw(np.random.default_rng(3), 30, quality=0, style=0)
    (finding,) = style_matrix(pairs, make_scores(np.ones(90), np.ones(90)))
    assert [finding.details[level].value for level in ("easy", "normal", "hard")] == [0.0, 0.0, 0.0]
    assert next(row for row in finding.details["baselines"] if row["scorer"] == "constant")["hard"] == 0.0


def test_items_that_lack_a_style_are_left_out_and_too_few_are_refused():
    pairs, scores = draw(np.random.default_rng(4), 40, quality=1, style=0)
    rows = np.arange(1, 120)
    some = Scores(scores.models, {side: frame[rows] for side, frame in scores.frames.items()})
    (finding,) = style_matrix(Pairs(pairs.frame[rows]), some)
    assert finding.estimate.n == 39
    with pytest.raises(NotEnoughData, match="20 items"):
        next(style_matrix(Pairs(pairs.frame[:30]), scores))
    with pytest.raises(NotEnoughData, match="style_idx"):
        next(style_matrix(Pairs(pairs.frame.drop("style_idx")), scores))


@pytest.mark.skipif(not BENCHMARK.is_file(), reason="RM-Bench is not on this machine")
def test_published_numbers_of_length_alone():
    frame = pl.read_parquet(BENCHMARK).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    pairs = Pairs(frame.with_columns(pair_id=pl.col("row").cast(pl.String), weight=pl.lit(1.0), group="prompt"))
    lengths = [frame[side].str.len_chars().cast(float).to_numpy() for side in ("chosen", "rejected")]
    (finding,) = style_matrix(pairs, make_scores(*lengths))
    published = {"chat": (0.811, 0.284, 0.026), "code": (0.775, 0.519, 0.254)}  # whole benchmark; ours is one half
    for row in finding.details["domains"]:
        if row["domain"] in published:
            ours = tuple(row[level] for level in ("easy", "normal", "hard"))
            assert ours == pytest.approx(published[row["domain"]], abs=0.06)
    assert finding.details["baselines"][0]["easy"] == pytest.approx(finding.details["easy"].value)
