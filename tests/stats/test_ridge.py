"""Cross-fitted ridge against scikit-learn and against fitting again without each fold."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from dehusk.stats.ridge import cross_fitted_ridge, masked_ridge


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 300)) + 0.15 * rng.normal(size=300)
    return x, rng.integers(0, 4, 120)


def test_each_model_equals_ridge_on_its_own_rows(problem):
    x, folds = problem
    masks = np.stack([folds != 1, np.ones(120, dtype=bool), folds > 1], axis=1)
    lambdas = np.array([5.0, 50.0, 500.0])
    duals = masked_ridge(x @ x.T, masks, lambdas, tolerance=1e-9)
    assert not duals[~masks].any()
    target = x[:, 0] + np.sin(np.arange(120))
    aimed = masked_ridge(x @ x.T, masks, lambdas, tolerance=1e-9, target=target)
    for k, penalty in enumerate(lambdas):
        rows = masks[:, k]
        for found, wanted in ((duals, np.ones(120)), (aimed, target)):
            oracle = Ridge(alpha=penalty, fit_intercept=False).fit(x[rows], wanted[rows])
            np.testing.assert_allclose(x.T @ found[:, k], oracle.coef_, atol=1e-6)


@pytest.mark.parametrize("noise", [None, 1.0])
def test_nested_cross_validation_equals_brute_force(problem, noise):
    x, folds = problem
    penalties = (0.1, 1.0, 10.0)
    target = np.ones(120) if noise is None else x[:, :9].sum(axis=1) + noise * np.cos(np.arange(120))
    found = cross_fitted_ridge(x @ x.T, folds, penalties, target=None if noise is None else target)
    unit = np.mean((x**2).sum(axis=1))
    for outer in range(4):
        losses = []
        for penalty in penalties:
            loss = 0.0
            for judge in set(range(4)) - {outer}:
                rows = (folds != outer) & (folds != judge)
                model = Ridge(alpha=penalty * unit, fit_intercept=False).fit(x[rows], target[rows])
                loss += ((model.predict(x[folds == judge]) - target[folds == judge]) ** 2).sum()
            losses.append(loss)
        best = penalties[int(np.argmin(losses))]
        assert found.penalties[outer] == best
        rows = folds != outer
        model = Ridge(alpha=best * unit, fit_intercept=False).fit(x[rows], target[rows])
        np.testing.assert_allclose(x.T @ found.held_out[:, outer], model.coef_, atol=1e-3)


def test_no_signal_no_accuracy():
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(40):
        x = rng.normal(size=(100, 200))
        folds = np.arange(100) % 5
        fit = cross_fitted_ridge(x @ x.T, folds, (1.0, 10.0))
        margins = (x @ (x.T @ fit.held_out))[np.arange(100), folds]
        shares.append((margins > 0).mean())
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)


def test_rows_that_are_all_zero_do_no_harm():
    x = np.zeros((20, 3))
    fit = cross_fitted_ridge(x @ x.T, np.arange(20) % 4, (1.0, 10.0))
    assert not (x.T @ fit.held_out).any()
    assert np.isfinite(fit.whole).all()
