"""Curves of features: against plain least squares, flat where they should be, and never extrapolated."""

import numpy as np
import pytest

from dehusk.core.errors import NotEnoughData
from dehusk.stats.additive import cross_fitted, fit_curves
from dehusk.stats.folds import grouped_folds
from dehusk.stats.splines import natural_spline


def draw(rng, prompts=400, answers=3, noise=0.3):
    """Scores with a level a prompt, a bent price on one feature and a straight one on another that goes with it."""
    groups = np.repeat(np.arange(prompts), answers)
    x = rng.normal(size=(len(groups), 2))
    x[:, 1] += 0.6 * x[:, 0]
    price = np.sin(1.5 * x[:, 0]) - 0.5 * x[:, 1]
    return x, 5 * rng.normal(size=prompts)[groups] + price + noise * rng.normal(size=len(groups)), groups, price


def slope(x, y, groups):
    """Largest absolute correlation of y within prompts with x and bends of it."""

    def inside(values):
        return values - (np.bincount(groups, values) / np.bincount(groups))[groups]

    bends = [x, x**2, np.sin(1.5 * x)]
    return max(abs(np.corrcoef(inside(bend), inside(y))[0, 1]) for bend in bends)


def test_without_a_penalty_it_is_least_squares_with_a_constant_a_prompt():
    rng = np.random.default_rng(0)
    x, y, groups, _ = draw(rng, prompts=60)
    found = fit_curves(x, y, groups, ridge=0.0, fewest=10)
    knots = [np.quantile(column, np.linspace(0.05, 0.95, 5)) for column in x.T]
    basis = np.column_stack([natural_spline(column, at) for column, at in zip(x.T, knots, strict=True)])
    dummies = (groups[:, None] == np.arange(60)).astype(float)
    beta = np.linalg.lstsq(np.column_stack([basis, dummies]), y, rcond=None)[0][: basis.shape[1]]
    fitted = basis @ beta
    np.testing.assert_allclose(found.values(x), fitted - fitted.mean(), atol=1e-8)


def test_the_planted_curves_are_found_and_nothing_is_left_on_other_prompts():
    rng = np.random.default_rng(1)
    x, y, groups, _ = draw(rng)
    curves = fit_curves(x, y, groups)
    new, scores, prompts, truth = draw(rng)
    assert np.corrcoef(curves.values(new), truth)[0, 1] > 0.98
    left = scores - curves.values(new)
    assert slope(new[:, 0], scores, prompts) > 0.5
    for column in new.T:
        assert slope(column, left, prompts) < 0.1
    assert abs(curves.values(x).mean()) < 1e-9  # the level stays


def test_a_shuffled_feature_takes_next_to_nothing():
    rng = np.random.default_rng(2)
    x, y, groups, _ = draw(rng)
    curves = fit_curves(rng.permutation(x), y, groups)
    new, scores, _, _ = draw(rng)
    assert curves.values(new).std() < 0.1 * scores.std()


def test_outside_the_fitted_range_nothing_is_extrapolated():
    rng = np.random.default_rng(3)
    x, y, groups, _ = draw(rng)
    curves = fit_curves(x, y, groups)
    ends = curves.values(np.array([x.min(axis=0), x.max(axis=0)]))
    np.testing.assert_array_equal(curves.values(np.array([[-99.0, -99.0], [99.0, 99.0]])), ends)


def test_units_of_a_feature_and_the_order_of_rows_do_not_matter():
    rng = np.random.default_rng(4)
    x, y, groups, _ = draw(rng)
    found = fit_curves(x, y, groups).values(x)
    order = rng.permutation(len(x))
    again = fit_curves((1000 * x + 7)[order], y[order], groups[order]).values((1000 * x + 7)[order])
    np.testing.assert_allclose(again, found[order], atol=1e-6)
    moved = fit_curves(x, y + 3 * groups, groups).values(x)
    np.testing.assert_allclose(moved, found, atol=1e-6)  # what a prompt adds says nothing of its answers


def test_what_is_held_stays_in_the_scores():
    """Chosen answers are longer and better: with the label held, only what length is worth beside it goes."""
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(400), 2)
    chosen = np.tile([0.5, -0.5], 400)[:, None]
    x = chosen + 0.5 * rng.normal(size=(800, 1))
    y = 2 * chosen[:, 0] + 0.3 * rng.normal(size=800)  # length itself is worth nothing
    assert fit_curves(x, y, groups, held=chosen).values(x).std() < 0.1
    assert fit_curves(x, y, groups).values(x).std() > 0.4


def test_one_answer_a_prompt_gets_one_constant():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(600, 1))
    y = 3 * x[:, 0] + 10
    np.testing.assert_allclose(fit_curves(x, y, np.arange(600), ridge=0).values(x), y - y.mean(), atol=1e-8)


def test_a_presence_is_a_step_and_a_missing_value_adds_nothing():
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(500), 2)
    x = (rng.random((1000, 1)) < 0.03).astype(float)  # so rare that all of its quantiles are 0
    y = 2 * x[:, 0] + 0.1 * rng.normal(size=1000)
    x[::10] = np.nan
    found = fit_curves(x, y, groups)
    step = found.values(np.array([[0.0], [1.0], [np.nan]]))
    assert step[1] - step[0] == pytest.approx(2, abs=0.2)
    assert step[2] == 0


def test_cross_fitted_rows_are_judged_by_curves_of_other_folds():
    rng = np.random.default_rng(8)
    x, y, groups, price = draw(rng)
    folds = grouped_folds(groups, 4, rng)
    found = cross_fitted(x, y, groups, folds)
    here = folds == 2
    expected = fit_curves(x[~here], y[~here], groups[~here]).values(x[here])
    np.testing.assert_array_equal(found[here], expected)
    assert np.corrcoef(found, price)[0, 1] > 0.97
    # fitted on noise, in-sample curves follow it and cross-fitted ones do not
    noise = rng.normal(size=len(y))
    inside = fit_curves(x, noise, groups).values(x) @ noise
    outside = cross_fitted(x, noise, groups, folds) @ noise
    assert inside > 0 > outside - 5


def test_too_little():
    x = np.ones((600, 1))
    with pytest.raises(NotEnoughData, match="at least 500 scored answers to fit curves on, got 499"):
        fit_curves(x[:499], x[:499, 0], np.zeros(499, int))
    with pytest.raises(NotEnoughData, match="a feature that varies"):
        fit_curves(x, x[:, 0], np.zeros(600, int))
