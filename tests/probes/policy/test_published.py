"""Published numbers and known orderings, on real answers (skipped where the data is absent)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats
from stage_tables import LIST, feature, measures, responses

from dehusk.probes.policy.amplification import amplification
from dehusk.probes.policy.gain import gain
from dehusk.stats.stratified import bootstrap_weights, stratified_gain

OUTPUTS = Path(__file__).parents[4] / "shared/data/outputs"
pytestmark = pytest.mark.skipif(not OUTPUTS.is_dir(), reason="no ../shared/data/outputs beside the repository")

# SFT -> RL, presence of a markdown list: raw, length-matched, and whether it grew by more than the length.
PUBLISHED = {
    ("alpaca_sft_to_ppo", "alpaca-7b", "alpaca-farm-ppo-human"): (0.048, -0.009, False),
    ("alpaca_sft_to_ppo", "alpaca-7b", "alpaca-farm-ppo-sim-gpt4-20k"): (0.252, 0.200, True),
    ("phi2_base_sft_dpo", "phi-2-sft", "phi-2-dpo"): (0.154, 0.005, False),
    ("zephyr_sft_to_dpo", "zephyr-7b-sft-full", "zephyr-7b-dpo-full"): (0.149, 0.039, False),
    ("zephyr_sft_to_dpo", "zephyr-7b-dpo-full", "zephyr-7b-dpo-full-ExPO"): (0.035, 0.010, False),
}


def read(file, models):
    """Responses of some models, a feature for markdown lists and one for words."""
    frame = pl.read_parquet(OUTPUTS / f"{file}.parquet").filter(pl.col("model").is_in(models))
    scores = frame["reward"].to_list() if "reward" in frame.columns and not frame["reward"].null_count() else None
    table = responses(
        frame["model"].to_list(), frame["prompt"].to_list(), frame["response"].to_list(), scores, tuple(models)
    )
    columns = {
        "list": frame["response"].str.contains(LIST).cast(pl.Float64).to_numpy(),
        "words": frame["response"].str.count_matches(r"\S+").to_numpy(),
    }
    return table, measures(columns, [feature("list", family="layout"), feature("words", "words", "length")])


@pytest.mark.parametrize("stages", PUBLISHED, ids=lambda stages: stages[-1])
def test_list_habit_raw_and_at_equal_length(stages):
    file, *models = stages
    raw, matched, grew = PUBLISHED[stages]
    finding = next(found for found in amplification(*read(file, models)) if found.feature == "list")
    assert finding.estimate.value == pytest.approx(raw, abs=0.005)
    assert finding.details["length_matched"].value == pytest.approx(matched, abs=0.01)
    assert finding.q < 0.05  # raw, all five grew
    said = finding.sentence.values["at_equal_length"].key
    assert said == ("policy.beyond_length_rate" if grew else "policy.with_length_rate")
    assert finding.verdict == ("warn" if grew else "inform")


@pytest.mark.parametrize(
    ("file", "sft", "order"),
    [
        ("length_ppo_webgpt", "wgptsft", ["wgptlenonly", "wgpthklearly", "wgptnokl", "wgptppoorig"]),
        ("length_ppo_rlcd", "rlcdsftv3", ["rlcdhkl", "rlcdorigv3", "rlcdnokl", "rlcdmidcutfix"]),
    ],
)
def test_length_grows_in_the_known_order(file, sft, order):
    """A length-only reward and a high KL lengthen least, no KL and the plain reward most (arXiv 2310.03716)."""
    growth = []
    for model in order:
        finding = next(found for found in amplification(*read(file, [sft, model])) if found.feature == "words")
        assert finding.verdict == "inform"
        assert finding.estimate.low > 0
        growth.append(finding.estimate.value)
    assert stats.spearmanr(growth, range(len(order))).statistic == pytest.approx(1)


@pytest.mark.parametrize(
    ("file", "sft", "rl", "total", "within"),
    [
        ("length_ppo_webgpt", "wgptsft", "wgptppoorig", 0.82, 0.02),
        ("length_ppo_webgpt", "wgptsft", "wgpthkllate", 0.20, 0.03),
        ("length_ppo_rlcd", "rlcdsftv3", "rlcdorigv3", 0.94, 0.25),
        ("length_ppo_rlcd", "rlcdsftv3", "rlcdhkl", 0.61, 0.12),
    ],
)
def test_reward_gain_between_answers_of_equal_length(file, sft, rl, total, within):
    """Total gains to two digits; NRG inside the interval, which one answer a prompt leaves wide."""
    frame = pl.read_parquet(OUTPUTS / f"{file}.parquet").filter(pl.col("model").is_in([sft, rl]))
    prompts = frame["prompt"].rank("dense").to_numpy().astype(np.int64) - 1
    found = stratified_gain(
        frame["reward"].to_numpy(),
        (frame["model"] == rl).to_numpy(),
        prompts,
        (frame["n_tokens_logged"] // 20).to_numpy(),
        bootstrap_weights(prompts.max() + 1, np.random.default_rng(0)),
        least=2,  # as published: any bucket with both stages
    )
    assert found.total[0] == pytest.approx(total, abs=0.011)
    assert found.within[1] < within < found.within[2]


def test_the_reward_gain_of_plain_ppo_is_put_down_to_length():
    finding = next(iter(gain(*read("length_ppo_webgpt", ["wgptsft", "wgptppoorig"]), np.random.default_rng(0))))
    assert finding.verdict == "warn"
    assert finding.estimate.value > 0.8
    assert finding.sentence.values["coverage"].key == "policy.coverage_low"  # PPO is that much longer
