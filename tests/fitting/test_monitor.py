"""What is read while a model is fitted, and when a fit has nothing left to learn."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dehusk.core.kinds import objectives
from dehusk.core.messages import LANGUAGES
from dehusk.fitting.descent import Schedule
from dehusk.fitting.heads import fit_heads
from dehusk.fitting.monitor import Monitor
from dehusk.fitting.training_set import TrainingSet
from dehusk.io import read_log
from dehusk.probes.training_run.curves import Run
from dehusk.probes.training_run.saturation import saturated

N = 400


def held_out(n=N, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(2, n, 2))
    empty = np.empty((n, 0), dtype=np.float32)
    return TrainingSet(
        chosen=empty,
        rejected=empty,
        names=("characters", "bullets"),
        chosen_features=features[0],
        rejected_features=features[1],
        weight=np.ones(n),
        groups=np.arange(n),
    )


def read(monitor, margin, foreign=None, step=1, **log):
    monitor(step, margin, np.zeros_like(margin), log, foreign)
    return monitor.readings[-1].values


def test_what_the_margin_pays_has_its_sign_and_its_interval():
    data = held_out()
    more = data.chosen_features - data.rejected_features
    margin = 0.8 * more[:, 0] / more[:, 0].std() + 0.6 * np.random.default_rng(1).normal(size=N)
    values = read(Monitor(data), margin)
    assert values["eval_paid/characters/low"] < 0.8 < values["eval_paid/characters/high"]
    assert values["eval_paid/characters/low"] > 0.7
    assert values["eval_paid/bullets/low"] < 0 < values["eval_paid/bullets/high"]
    assert values["eval_length_correlation"] == pytest.approx(np.corrcoef(more[:, 0], margin)[0, 1])
    turned = read(Monitor(data), -margin)
    assert turned["eval_paid/characters"] == pytest.approx(-values["eval_paid/characters"])
    assert turned["eval_accuracy"] == pytest.approx(1 - values["eval_accuracy"])


def test_accuracy_margin_and_loss_are_those_of_the_held_out_pairs():
    data = replace(held_out(4), weight=np.array([1.0, 1, 1, 3]))
    values = read(Monitor(data), np.array([1.0, 0.0, -1.0, 2.0]))
    assert values["eval_accuracy"] == pytest.approx((1 + 0.5 + 0 + 3) / 6)
    assert values["eval_margin"] == pytest.approx(1.0)
    assert values["eval_loss"] == pytest.approx(np.logaddexp(0, -np.array([1.0, 0, -1, 2])) @ [1, 1, 1, 3] / 6)
    assert not [name for name in values if "paid" in name]  # four pairs say nothing of a slope


def test_prompt_gain_is_what_the_own_prompt_adds():
    margin = np.where(np.arange(N) < 0.8 * N, 1.0, -1.0)
    foreign = np.where(np.arange(N) % 2, 1.0, -1.0)
    values = read(Monitor(held_out()), margin, foreign)
    assert values["eval_prompt_gain"] == pytest.approx(0.3)
    assert values["eval_prompt_gain/low"] > 0.2
    assert read(Monitor(held_out()), margin, margin)["eval_prompt_gain"] == 0
    assert "eval_prompt_gain" not in read(Monitor(held_out()), margin)


def course(monitor, accuracy, margin, every=5):
    """Feed a run; the steps at which it asked to stop."""
    stops = []
    for i, (right, gap) in enumerate(zip(accuracy, margin, strict=True), 1):
        log = {"loss": float(np.logaddexp(0, -gap)), "accuracy": right, "margin": gap}
        if monitor(i * every, np.ones(N), np.zeros(N), log):
            stops.append(i * every)
    return stops


def test_a_run_that_is_full_early_while_its_margin_grows_is_stopped():
    monitor = Monitor(held_out(), planned=200, stop_on="saturation")
    stops = course(monitor, [0.7, 0.98, 0.99, 1.0, 1.0], [0.5, 2, 3, 4, 5])
    assert stops[0] == 15
    assert monitor.saturated.step == 10
    assert monitor.saturated.margins == (2, 5)


@pytest.mark.parametrize(
    ("accuracy", "margin", "planned"),
    [
        ([0.7, 0.75, 0.76, 0.77, 0.77], [0.5, 1, 1.5, 2, 2.5], 200),  # not full
        ([0.7, 0.98, 0.99, 1.0, 1.0], [0.5, 2, 2, 2, 2], 200),  # the margin stands still
        ([0.7, 0.98, 0.99, 1.0, 1.0], [0.5, 2, 3, 4, 5], 30),  # not early
        ([0.7, 0.98, 0.7, 0.75, 0.72], [0.5, 2, 3, 4, 5], 200),  # not for good
    ],
)
def test_other_runs_are_not(accuracy, margin, planned):
    monitor = Monitor(held_out(), planned=planned, stop_on="saturation")
    assert not course(monitor, accuracy, margin)
    assert not monitor.notes()


def test_a_warning_does_not_stop():
    monitor = Monitor(held_out(), planned=200)
    assert not course(monitor, [0.7, 0.98, 0.99, 1.0], [0.5, 2, 3, 4])
    for lang in LANGUAGES:
        [note] = [each.render(lang) for each in monitor.notes()]
        assert "10" in note and "100.0%" in note


def test_the_log_is_read_by_the_probe_that_has_the_same_rule(tmp_path):
    monitor = Monitor(held_out(), planned=200)
    course(monitor, [0.7, *[0.99] * 39], np.linspace(0.5, 30, 40))
    monitor.save(tmp_path / "monitor.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "monitor.jsonl").read_text().splitlines()]
    assert rows[3]["step"] == 20 and rows[3]["eval_accuracy"] == 1
    log, _ = read_log(str(tmp_path / "monitor.jsonl"), columns={}, lang="en")
    assert log.task == "reward_model"
    assert {"loss", "accuracy", "margin", "eval/accuracy", "eval/margin"} <= set(log.frame["metric"])
    found = saturated(Run(log), np.random.default_rng(0))
    assert found is not None and found.early
    assert found.step <= monitor.saturated.step + 10


def separable(n=3000, d=6):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2, n, d)).astype(np.float32)
    points[0, :, 0] += 12
    features = points[:, :, :1].astype(float)
    return TrainingSet(*points, ("characters",), features[0], features[1], np.ones(n), np.arange(n))


@pytest.mark.parametrize(("stop_on", "stopped"), [("saturation", True), ("never", False)])
def test_heads_on_pairs_that_one_thing_tells_apart(stop_on, stopped):
    data = separable()
    monitor = Monitor(data, every=10, stop_on=stop_on)
    fit_heads(data, objectives["bt"].thing(centring=1e-9), l2=1.0, rng=np.random.default_rng(0), monitors=[monitor],
              schedule=Schedule(steps=200))  # fmt: skip
    assert monitor.saturated is not None
    assert (monitor.readings[-1].step < 200) is stopped


def test_newtons_steps_are_read_too():
    data = separable()
    monitor = Monitor(data.rows(np.arange(200)), planned=200, stop_on="saturation")
    fit_heads(data, objectives["bt"].thing(), l2=1.0, rng=np.random.default_rng(0), monitors=[monitor])
    steps = [reading.step for reading in monitor.readings]
    assert steps == list(range(1, len(steps) + 1)) and len(steps) > 2
    assert monitor.readings[-1].values["eval_accuracy"] > 0.99
    assert monitor.saturated is None  # what is exact has no early and no late


def test_a_few_pairs_that_are_all_right_leave_room_for_doubt():
    values = read(Monitor(held_out(4)), np.ones(4))
    assert values["eval_accuracy"] == 1 and values["eval_accuracy/low"] < 0.7
    many = read(Monitor(held_out()), np.ones(N))
    assert many["eval_accuracy/low"] > 0.98 and many["eval_accuracy/high"] <= 1
