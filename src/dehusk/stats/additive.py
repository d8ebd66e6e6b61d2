"""A smooth curve a feature, added up: what can be predicted of a score from surface features within a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.panel import cluster_order
from dehusk.stats.splines import natural_spline

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
FEWEST = 500  # rows that curves are fitted on
RIDGE = 1.0  # on standardised columns: next to nothing beside 500 rows, and enough where two features are one


@dataclass(frozen=True)
class Curves:
    """k natural cubic splines, of mean 0 over the rows they were fitted on.

    Outside the values they were fitted on they stay at the last one: nothing is extrapolated.
    """

    knots: tuple[Floats, ...]  # k of them, each of at least two
    low: Floats  # (k,), smallest fitted value
    high: Floats  # (k,), largest fitted value
    centres: tuple[Floats, ...]  # mean of each basis column over the fitted rows
    coefficients: tuple[Floats, ...]  # of each basis column

    def parts(self, x: Floats) -> Floats:
        """What every feature adds, shape (n, k); 0 where it is not known (NaN)."""
        found = np.zeros(x.shape)
        for k, basis in enumerate(self._bases(x)):
            known = ~np.isnan(x[:, k])
            found[known, k] = basis[known] @ self.coefficients[k]
        return found

    def values(self, x: Floats) -> Floats:
        """The sum over the features, shape (n,)."""
        total: Floats = self.parts(x).sum(axis=1)
        return total

    def _bases(self, x: Floats) -> list[Floats]:
        inside = np.clip(x, self.low, self.high)
        return [natural_spline(inside[:, k], at) - self.centres[k] for k, at in enumerate(self.knots)]


def fit_curves(
    x: Floats,
    y: Floats,
    prompts: Ints,
    *,
    held: Floats | None = None,
    knots: int = 5,
    ridge: float = RIDGE,
    fewest: int = FEWEST,
) -> Curves:
    """Fit y = prompt + Σ curve_j(x_j) + held · c + error by ridge regression within prompts.

    Where fewer than half of the rows share their prompt with another, one constant takes the place of the prompts'.

    Args:
        x: Features, shape (n, k), k >= 1; NaN where one is not known.
        y: Scores, shape (n,).
        prompts: Shape (n,).
        held: Held while the curves are fitted and no part of them, shape (n, c): whether the answer was chosen, say.
        knots: A feature, at equal quantiles between 5 % and 95 %; as many as differ, two at least.
        ridge: Penalty on basis columns of unit variance.
        fewest: Rows that are enough.

    Raises:
        NotEnoughData: fewer rows, or a feature that does not vary.
    """
    if len(x) < fewest:
        raise NotEnoughData(f"at least {fewest} scored answers to fit curves on, got {len(x)}")
    at = tuple(_knots(column[~np.isnan(column)], knots) for column in x.T)
    low, high = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
    centres, columns = [], []
    for k, places in enumerate(at):
        known = ~np.isnan(x[:, k])
        basis = np.zeros((len(x), len(places) - 1))
        basis[known] = natural_spline(x[known, k], places)
        centres.append(basis[known].mean(axis=0))
        basis[known] -= centres[-1]
        columns.append(basis)
    design = np.column_stack([*columns, *([] if held is None else [held])])
    inside, target = _within(design, prompts), _within(y[:, None], prompts)[:, 0]
    scale = inside.std(axis=0)
    scale[scale <= 1e-9 * np.maximum(design.std(axis=0), 1e-300)] = np.inf  # never varies within a prompt: no say
    inside = inside / scale
    penalty = np.full(inside.shape[1], ridge)
    if held is not None:
        penalty[-held.shape[1] :] = 0.0
    gram = inside.T @ inside + np.diag(penalty)
    beta = np.linalg.lstsq(gram, inside.T @ target, rcond=None)[0] / scale
    ends = np.cumsum([basis.shape[1] for basis in columns])
    return Curves(at, low, high, tuple(centres), tuple(np.split(beta[: ends[-1]], ends[:-1])))


def cross_fitted(x: Floats, y: Floats, prompts: Ints, folds: Ints, **options: Any) -> Floats:
    """What curves fitted on the other folds say of each row, shape (n,): none is judged on rows it was fitted on.

    Args:
        x: Shape (n, k).
        y: Shape (n,).
        prompts: Shape (n,).
        folds: Fold of each row, shape (n,), a prompt's rows in one (`stats.folds.grouped_folds`).
        options: Of `fit_curves`.

    Raises:
        NotEnoughData: too few rows outside some fold.
    """
    found = np.empty(len(x))
    for fold in np.unique(folds):
        here = folds == fold
        found[here] = fit_curves(x[~here], y[~here], prompts[~here], **options).values(x[here])
    return found


def _knots(values: Floats, count: int) -> Floats:
    if values.size == 0 or values.min() == values.max():
        raise NotEnoughData("a feature that varies")
    found = np.unique(np.quantile(values, np.linspace(0.05, 0.95, count)))
    ends = np.array([values.min(), values.max()])
    places: Floats = found if found.size > 1 else ends  # a rare presence: a step between its two values
    return places


def _within(values: Floats, prompts: Ints) -> Floats:
    """Values less the mean of their prompt, or of all rows where most prompts have one row only, shape (n, c)."""
    order, starts = cluster_order(prompts)
    sizes = np.diff(np.append(starts, len(values)))
    if sizes[sizes > 1].sum() * 2 < len(values):
        centred: Floats = values - values.mean(axis=0)
        return centred
    means = np.add.reduceat(values[order], starts, axis=0) / sizes[:, None]
    found = np.empty_like(values)
    found[order] = values[order] - np.repeat(means, sizes, axis=0)
    return found
