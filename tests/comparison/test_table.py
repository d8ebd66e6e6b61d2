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
