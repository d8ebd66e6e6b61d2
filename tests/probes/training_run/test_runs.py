"""Healthy runs raise no alarm, every planted fault is found, and what does not matter changes nothing."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from faults import EPOCHS, dpo, faults, rl, shape
from healthy import TASKS, healthy, make_log

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import probes
from dehusk.core.messages import catalogue
from dehusk.core.tables import TrainLog
from dehusk.io import read_log
from dehusk.probes.training_run.checking import _ONE_REMEDY
from dehusk.probes.training_run.curves import Run

REAL = Path(__file__).parents[4] / "shared" / "data" / "logs"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not on this machine")
LOG_PROBES = [probe for probe in probes if probe.name.startswith("training_run.") and "separable" not in probe.name]


def findings(log, seed=0):
    """Everything that the probes on a log alone say, in order."""
    found = []
    for probe in LOG_PROBES:
        try:
            found += list(probe.thing(log, np.random.default_rng(seed)))
        except NotEnoughData:
            continue
    return found


def said(log, *verdicts, seed=0):
    """Key -> finding for those with one of the verdicts."""
    return {
        one.sentence.key.removeprefix("training_run.found."): one
        for one in findings(log, seed)
        if one.verdict in (verdicts or ("warn", "fail"))
    }


# Null


@pytest.mark.parametrize("task", TASKS)
def test_healthy_runs_raise_no_alarm(task):
    alarms = sum(bool(said(healthy(task, np.random.default_rng([seed, 7])))) for seed in range(30))
    assert alarms <= 2  # 5 % at most; measured on 300 runs a task: 0.3 % at most


def test_a_healthy_run_is_said_to_be_so():
    verdicts = {one.verdict for one in findings(healthy("grpo", np.random.default_rng(1)))}
    assert verdicts <= {"pass", "inform"}
    assert "pass" in verdicts


# Planted


FAULTS = faults()


@pytest.mark.parametrize(("name", "columns", "task", "verdict"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_planted_fault_is_found(name, columns, task, verdict):
    found = said(make_log(columns, task=task, epochs=EPOCHS.get(name, 1.0) / 1000))
    assert name in found
    assert found[name].verdict == verdict
    assert found[name].remedy is not None
    for lang in ("en", "zh"):
        assert found[name].sentence.render(lang)
        assert found[name].remedy.render(lang)


def test_every_sentence_of_a_fault_is_planted():
    planted = {fault[0] for fault in FAULTS}
    harmless = {"saturated_late", "rate_of_adapters", "kl_spike", "negative", "near_0", "both_fall", "human",
                "longer_and_better", "shorter_and_better", "separable", "not_separable", "exploded"}  # fmt: skip
    keys = {key.removeprefix("training_run.found.") for key in catalogue("en") if key.startswith("training_run.found.")}
    assert keys == planted | harmless


def test_only_what_is_impossible_fails():
    assert {name for name, *_, verdict in FAULTS if verdict == "fail"} == {"non_finite", "zero", "groups_all"}


def test_a_separable_run_is_not_blamed_on_the_optimiser():
    run = shape()
    fast = {"rewards/accuracies": np.minimum(1.0, 0.5 + run.time * 8), "rewards/margins": 15 * run.time}
    found = said(make_log(dpo(run, **fast), task="dpo"))["saturated_early"]
    assert "data are separable, not the optimiser wrong" in found.sentence.render("en")
    assert "换学习率、换 batch size 都没有用" in found.sentence.render("zh")
    assert found.estimate.value == pytest.approx(1.0, abs=0.02)


def test_levels_are_covered():
    """The interval of a planted level covers it in about 95 of 100 runs (autocorrelated noise included)."""
    covered = 0
    for seed in range(200):
        run = shape(200, seed)
        found = said(make_log(rl(run, kl=0.8 + run.noise(0.1)), task="grpo"))["kl_far"].estimate
        covered += found.low <= 0.8 <= found.high
    assert 0.86 <= covered / 200 <= 0.99  # 20 points at the end, autocorrelation 0.3


def test_longer_with_better_held_out_scores_is_only_told():
    run = shape()
    columns = rl(run, **{"completions/mean_length": 200 * (1 + run.time) + run.noise(8)})
    columns["val-core/math/acc/mean@1"] = (run.steps[4::5], 0.3 + 0.3 * run.time[4::5])
    assert "longer" not in said(make_log(columns, task="grpo"))
    assert "longer_and_better" in said(make_log(columns, task="grpo"), "inform")


def test_what_is_normal_is_said():
    run = shape()
    columns = dpo(run, **{"rewards/chosen": -0.5 * run.time, "rewards/rejected": -1.5 * run.time})
    assert "both_fall" in said(make_log(columns, task="dpo"), "inform")
    assert "near_0" in said(make_log(rl(run, loss=run.noise(1e-4)), task="grpo"), "inform")
    assert "negative" in said(make_log(rl(run, reward=run.noise(0.1) - 5), task="grpo"), "inform")
    scores = {
        "accuracy": (run.steps, run.share(np.full(run.logs, 0.67), 256)),
        "margin": (run.steps, 0.5 + run.noise(0.1)),
    }
    assert "human" in said(make_log(scores, task="reward_model"), "inform")


def test_a_collapsing_run_is_not_called_normal():
    run = shape()
    columns = dpo(run, **{"rewards/chosen": -30 * run.time, "rewards/rejected": -90 * run.time,
                          "rewards/margins": 60 * run.time, "logps/chosen": -250 - 300 * run.time})  # fmt: skip
    assert "both_fall" not in said(make_log(columns, task="dpo"), "inform")


# The remedies


def test_remedies_name_the_option_of_the_framework():
    run = shape()
    columns = dpo(run, **{"logps/chosen": -250 - 60 * run.time + run.noise(5)})
    options = {
        "trl": 'loss_type=["sigmoid","sft"]',
        "llama-factory": "pref_ftx",
        "openrlhf": "--model.nll_loss_coef",
        "ms-swift": "--rpo_alpha",
        "unknown": "SFT term",
    }
    for framework, option in options.items():
        found = said(make_log(columns, task="dpo", framework=framework))["displaced"]
        assert option in found.remedy.render("en")


def test_every_fault_has_a_remedy_in_words():
    for name, *_ in FAULTS:
        assert f"training_run.remedy.{_ONE_REMEDY.get(name, name)}.any" in catalogue("en")


# Metamorphic


def same(left, right, scale=1.0):
    """Whether two lists of findings are alike but for the steps."""
    assert [(one.sentence.key, one.verdict) for one in left] == [(one.sentence.key, one.verdict) for one in right]
    for one, other in zip(left, right, strict=True):
        if one.estimate is not None:
            assert other.estimate.value == pytest.approx(one.estimate.value, rel=1e-9)
        for before, after in zip(
            one.details["curves"] if one.details else (), other.details.get("curves", ()), strict=True
        ):
            assert np.allclose(np.array(after.x), scale * np.array(before.x))


@pytest.mark.parametrize("fault", ["saturated_early", "displaced", "plateau", "split", "gold", "peak", "entropy_low"])
def test_what_a_step_is_called_does_not_matter(fault):
    _, columns, task, _ = next(one for one in FAULTS if one[0] == fault)
    log = make_log(columns, task=task, epochs=1e-3)
    stretched = TrainLog(log.frame.with_columns(pl.col("step") * 7), log.framework, log.task)
    same(findings(log), findings(stretched), 7)


@pytest.mark.parametrize("fault", ["saturated_early", "few_values", "drifted", "groups", "cut_and_falling"])
def test_rows_logged_twice_and_in_any_order_change_nothing(fault):
    _, columns, task, _ = next(one for one in FAULTS if one[0] == fault)
    log = make_log(columns, task=task, epochs=1e-3)
    twice = TrainLog(
        pl.concat([log.frame, log.frame]).sample(fraction=1, shuffle=True, seed=1), log.framework, log.task
    )
    same(findings(log), findings(twice))


def test_an_evaluation_that_falls_by_nothing_is_no_peak():
    rng = np.random.default_rng(3)
    alarms = 0
    for seed in range(40):
        run = shape(100, seed)
        flat = (run.steps[9::10], 0.65 + rng.normal(0, 0.01, 10))
        alarms += "peak" in said(make_log(dpo(run, **{"eval_rewards/accuracies": flat}), task="dpo"))
    assert alarms <= 2


# Little data


def test_four_evaluations_are_enough_for_a_gap():
    run = shape()
    columns = dpo(run, **{"rewards/accuracies": run.share(run.rise(0.5, 0.9), 128)})
    columns["eval_rewards/accuracies"] = {250: 0.6, 500: 0.7, 750: 0.71, 1000: 0.7}
    assert "gap" in said(make_log(columns, task="dpo"))


def test_a_log_of_a_few_rows():
    log = make_log({"loss": {1: 0.69, 10: 0.1, 20: 0.0}, "rewards/margins": {1: 0.0, 10: 26.0, 20: 119.0}}, task="dpo")
    assert "exploded" in said(log)


def test_a_log_of_nothing_that_is_known():
    log = make_log({"something/else": {1: 1.0, 2: 2.0}})
    assert findings(log) == []
    with pytest.raises(NotEnoughData):
        list(probes["training_run.drift"].thing(log, np.random.default_rng(0)))


@pytest.mark.parametrize("task", [*TASKS, "unknown"])
def test_no_log_is_too_odd(task):
    """Constant, empty, huge, negative and broken curves end in findings or refusals, never in an error or a warning."""
    rng = np.random.default_rng(11)
    keys = ["loss", "grad_norm", "learning_rate", "accuracy", "rewards/margins", "rewards/chosen", "rewards/rejected",
            "logps/chosen", "kl", "entropy", "objective/kl", "completion_length", "completions/clipped_ratio",
            "completions/min_length", "completions/max_length", "frac_reward_zero_std", "reward", "reward_std",
            "rewards/a/mean", "rewards/acc/mean", "mean_reward", "eval_accuracy", "eval_loss", "eval_reward", "gold",
            "eval_perplexity"]  # fmt: skip
    for _ in range(60):
        columns = {}
        for key in rng.choice(keys, int(rng.integers(1, 12)), replace=False):
            n = int(rng.choice([1, 2, 3, 5, 9, 40]))
            values = {
                0: np.full(n, rng.choice([0.0, 1.0, -3.0])),
                1: rng.normal(size=n) * 10.0 ** rng.integers(-8, 12),
                2: np.where(rng.random(n) < 0.5, rng.choice([np.nan, np.inf, -np.inf]), 1.0),
                3: rng.random(n),
            }[int(rng.integers(4))]
            columns[str(key)] = (np.sort(rng.choice(200, n, replace=False)) * int(rng.integers(1, 3)), values)
        for found in findings(make_log(columns, task=task, epochs=float(rng.choice([1e-9, 0.01])))):
            assert found.sentence.render("zh")


def test_windows():
    log = make_log({"kl": {step: float(step) for step in range(1, 1001)}}, task="grpo")
    run = Run(log)
    kl = run.of("kl")
    assert len(run.opening(kl)) == pytest.approx(100, abs=1)
    assert run.closing(kl).step[0] == pytest.approx(900, abs=1)
    assert run.window(kl).step[0] == pytest.approx(900, abs=1)
    short = Run(make_log({"kl": {step: float(step) for step in range(1, 81)}}, task="grpo"))
    assert short.window(short.of("kl")).step[0] == pytest.approx(41, abs=1)  # 50 steps, at most half of the run


# Real logs


@needs_real_data
def test_the_collapsed_margin_and_the_hacking_curve_fire():
    collapsed, _ = read_log(str(REAL / "dpo_collapsed_margin_trainer_state.json"))
    assert "exploded_sides" in said(collapsed)
    assert "saturated_late" in said(collapsed, "inform")
    hacked, _ = read_log(str(REAL / "grpo_sentiment_hacking_metrics.csv"))
    assert {"kl_far", "plateau", "perplexity"} <= set(said(hacked))


@needs_real_data
@pytest.mark.parametrize("size", ["31m", "70m", "160m"])
@pytest.mark.parametrize("kind", ["dpo", "ppo"])
def test_runs_without_label_noise_do_not_fail(kind, size):
    log, _ = read_log(str(REAL / "dpo_ppo_label_noise" / f"{kind}_{size}_training_logs_100_0.csv"))
    assert all(one.verdict != "fail" for one in findings(log))


@needs_real_data
@pytest.mark.parametrize("size", ["31m", "70m", "160m"])
def test_label_noise_orders_the_runs(size):
    """Held-out accuracy at the end falls with the noise, and only half of the labels flipped raises the gap."""
    ends, gaps = [], []
    for noise in ("100_0", "80_20", "50_50"):
        log, _ = read_log(str(REAL / "dpo_ppo_label_noise" / f"dpo_{size}_training_logs_{noise}.csv"))
        run = Run(log)
        ends.append(run.closing(run.of("eval/accuracy")).mean)
        gaps.append("gap_guessing" in said(log))
    assert ends[0] > ends[1] > ends[2]
    assert gaps == [False, False, True]
