"""Entropy balancing: against a general solver, its bounds, and its refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from dehusk.core.errors import NotEnoughData
from dehusk.stats.balancing import balanced_weights


def data(rows=40, terms=3, seed=0, lean=0.15):
    draw = np.random.default_rng(seed)
    return draw.normal(lean, 1, (rows, terms)), draw.uniform(0.5, 2, rows)


def general(terms, base, cap):
    """The primal problem as it is written down, by sequential quadratic programming."""
    found = minimize(
        lambda w: (w * np.log(w / base) - w).sum(),
        base,
        jac=lambda w: np.log(w / base),
        bounds=[(b / cap, b * cap) for b in base],
        constraints=[
            {"type": "eq", "fun": lambda w: w @ terms, "jac": lambda _: terms.T},
            {"type": "eq", "fun": lambda w: w.sum() - base.sum(), "jac": np.ones_like},
        ],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert found.success
    return found.x


@pytest.mark.parametrize("cap", [2.5, 5.0, 100.0])
@pytest.mark.parametrize("seed", range(3))
def test_it_solves_the_problem_it_states(seed, cap):
    terms, base = data(seed=seed)
    assert balanced_weights(terms, base, cap=cap) == pytest.approx(general(terms, base, cap), rel=1e-4)


@given(st.integers(0, 10_000), st.floats(3, 50), st.floats(-0.3, 0.3))
def test_terms_average_to_nothing_within_the_bounds(seed, cap, lean):
    terms, base = data(200, 4, seed, lean)
    weight = balanced_weights(terms, base, cap=cap)
    assert np.abs(weight @ terms).max() < 1e-6 * base.sum()
    assert weight.sum() == pytest.approx(base.sum())
    assert (weight <= cap * base * (1 + 1e-9)).all() and (weight >= base / cap * (1 - 1e-9)).all()


def test_what_is_balanced_stays_as_it_is():
    terms, base = data()
    mirrored, both = np.concatenate([terms, -terms]), np.concatenate([base, base])
    assert balanced_weights(mirrored, both) == pytest.approx(both)


def test_collinear_constant_and_huge_terms_change_nothing():
    terms, base = data()
    more = np.column_stack([terms, terms[:, 0] * 1e6, terms.sum(axis=1), np.zeros(len(base))])
    assert balanced_weights(more, base) == pytest.approx(balanced_weights(terms, base), rel=1e-6)


def test_a_weight_of_nothing_stays_nothing():
    terms, base = data()
    base[:5] = 0
    weight = balanced_weights(terms, base)
    assert (weight[:5] == 0).all()
    assert weight[5:] == pytest.approx(balanced_weights(terms[5:], base[5:]))


@pytest.mark.parametrize("terms", [np.ones((20, 1)), np.r_[np.ones((99, 1)), -np.ones((1, 1))]])
def test_what_cannot_be_balanced_is_refused(terms):
    with pytest.raises(NotEnoughData, match="within a factor of 5"):
        balanced_weights(terms, np.ones(len(terms)), cap=5)
