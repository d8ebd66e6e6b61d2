"""From splits to rows: paired differences, what moved most, who is on the frontier."""

from dataclasses import replace

import numpy as np
import pytest

from dehusk.comparison.table import Outcome, Tried, rows_of
from dehusk.core.comparison import Comparison
from dehusk.core.messages import say
from dehusk.core.run import RunRecord

FEATURES = ("length", "bold", "lists")


def outcomes(rng, accuracy, paid, bold=0.0, noise=0.01, splits=5):
    return tuple(
        Outcome(
            {"accuracy": accuracy + rng.normal(0, noise), "coefficient:length": paid + rng.normal(0, noise)},
            np.array([paid, bold + rng.normal(0, noise), np.nan]),
            lost=3,
        )
        for _ in range(splits)
    )


def table(*tried):
    return {row.method: row for row in rows_of(tried, FEATURES, ("length",), 0.3)}


def test_differences_are_paired():
    rng = np.random.default_rng(0)
    plain = outcomes(rng, 0.7, 0.5, noise=0.05)
    shifted = tuple(Outcome({k: v + 0.01 for k, v in one.readings.items()}, one.slopes) for one in plain)
    row = table(Tried("plain", "plain", plain), Tried("same", "objective", shifted))["same"]
    assert row.against["accuracy"].value == pytest.approx(0.01)
    assert row.against["accuracy"].low == pytest.approx(0.01)
    assert row.readings["accuracy"].high - row.readings["accuracy"].low > 0.05


def test_what_is_the_same_in_every_split_is_paired_by_prompt():
    """40 prompts that differ much and a method that is right a little more often on each."""
    rng = np.random.default_rng(6)
    prompts = rng.normal(0.6, 0.3, 40)
    plain, method = outcomes(rng, 0.7, 0.5), outcomes(rng, 0.7, 0.5)

    def on_both(some, values):
        return tuple(replace(one, readings={**one.readings, "accuracy:other": values}) for one in some)

    row = table(
        Tried("plain", "plain", on_both(plain, prompts)),
        Tried("better", "objective", on_both(method, prompts + rng.normal(0.02, 0.01, 40))),
    )["better"]
    own, change = row.readings["accuracy:other"], row.against["accuracy:other"]
    assert own.n == change.n == 40
    assert row.readings["accuracy"].n == 5
    assert own.high - own.low == pytest.approx(2 * 2.02 * 0.3 / np.sqrt(40), rel=0.3)
    assert change.high - change.low < 0.01
    assert change.direction == 1
    assert change.p < 1e-6


def test_what_moved_elsewhere_is_named_only_if_it_did():
    rng = np.random.default_rng(1)
    rows = table(
        Tried("plain", "plain", outcomes(rng, 0.7, 0.5)),
        Tried("moves bold", "repair", outcomes(rng, 0.7, 0.0, bold=0.3)),
        Tried("moves nothing", "repair", outcomes(rng, 0.7, 0.0)),
    )
    assert rows["moves bold"].grown[0] == rows["moves bold"].moved[0] == "bold"
    assert rows["moves bold"].grown_sure
    assert not rows["moves nothing"].grown_sure


def test_what_falls_with_the_target_moved_but_did_not_grow():
    rng = np.random.default_rng(4)
    rows = table(
        Tried("plain", "plain", outcomes(rng, 0.7, 0.5, bold=0.4)),
        Tried("takes both", "repair", outcomes(rng, 0.7, 0.0, bold=0.0)),
        Tried("turns bold round", "repair", outcomes(rng, 0.7, 0.0, bold=-0.6)),
    )
    assert rows["takes both"].moved[0] == "bold"
    assert not rows["takes both"].grown_sure
    assert rows["turns bold round"].grown_sure


def test_the_frontier_holds_what_nothing_beats():
    rng = np.random.default_rng(2)
    rows = table(
        Tried("plain", "plain", outcomes(rng, 0.75, 0.5, noise=1e-4)),
        Tried("good", "repair", outcomes(rng, 0.74, 0.0, noise=1e-4)),
        Tried("bad", "repair", outcomes(rng, 0.60, 0.3, noise=1e-4)),
    )
    assert {name for name, row in rows.items() if row.efficient} == {"plain", "good"}


def test_a_refusal_stays_a_row():
    rng = np.random.default_rng(3)
    reason = say("core.no_reason")
    rows = table(Tried("plain", "plain", outcomes(rng, 0.7, 0.5)), Tried("no", "repair", (), reason))
    assert rows["no"].refusal is reason
    assert not rows["no"].readings
    assert not rows["no"].efficient


def test_false_alarms_elsewhere_are_rare():
    """Features that did not move: of 200 comparisons of two features each, hardly any is called sure."""
    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rows = table(Tried("plain", "plain", outcomes(rng, 0.7, 0.5)), Tried("a", "repair", outcomes(rng, 0.7, 0.5)))
        alarms += rows["a"].grown_sure
    assert alarms <= 12


def comparison(*tried):
    rows = tuple(rows_of(tried, FEATURES, ("length",), 0.3))
    return Comparison(RunRecord("compare", {}, 0), (), ("length",), ("accuracy",), rows, 5, 100, 100)


@pytest.mark.parametrize(("best_of", "clears"), [(8, False), (4, True), (None, True)])
def test_gold_is_asked_at_the_n_that_is_told(best_of, clears):
    rng = np.random.default_rng(7)
    plain, method = outcomes(rng, 0.7, 0.5), outcomes(rng, 0.7, 0.0)
    gold = {"gold:4": np.zeros(9), "gold:8": rng.normal(1, 0.01, 9)}
    lower = {"gold:4": np.zeros(9), "gold:8": rng.normal(0.5, 0.01, 9)}

    def with_gold(some, picked):
        return tuple(replace(one, readings={**one.readings, **picked}) for one in some)

    found = comparison(
        Tried("plain", "plain", with_gold(plain, gold)), Tried("method", "repair", with_gold(method, lower))
    )
    found = replace(found, columns=tuple(found.rows[0].readings), best_of=best_of)
    assert found.gold == (f"gold:{best_of}" if best_of else None)
    assert found.clears(found.rows[1]) is clears


@pytest.mark.parametrize(
    ("paid", "method", "clears"),
    [
        (0.5, {"accuracy": 0.699, "paid": 0.0}, True),
        (0.5, {"accuracy": 0.6, "paid": 0.0}, False),  # costs accuracy
        (0.5, {"accuracy": 0.7, "paid": 0.4}, False),  # still pays
        (0.5, {"accuracy": 0.7, "paid": -0.4}, False),  # over-corrects
        (0.5, {"accuracy": 0.7, "paid": 0.0, "bold": 0.3}, False),  # moves the pressure
        (0.0, {"accuracy": 0.7, "paid": 0.0}, False),  # there was nothing to repair
    ],
)
def test_only_a_method_that_does_what_was_asked_and_nothing_else_clears(paid, method, clears):
    rng = np.random.default_rng(5)
    jitter = (-0.01, 0.01, 0.0, -0.01, 0.01)
    ends, accuracy = method.pop("paid"), method.pop("accuracy")

    def paying(some, amount, sign):
        values = zip(some, jitter, strict=True)
        return tuple(
            replace(one, readings={**one.readings, "coefficient:length": amount + sign * e}) for one, e in values
        )

    plain = paying(outcomes(rng, 0.7, paid), paid, 1)
    other = paying(outcomes(rng, accuracy, ends, **method), ends, -1)
    found = comparison(Tried("plain", "plain", plain), Tried("method", "repair", other))
    assert found.clears(found.rows[1]) is clears
    assert not found.clears(found.rows[0])
