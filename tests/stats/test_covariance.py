"""The shrunk covariance against scikit-learn, and the lengths against their definition."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from dehusk.stats.covariance import mahalanobis_lengths, shrunk_covariance


@pytest.mark.parametrize(("n", "k"), [(500, 4), (40, 30), (10, 30), (50, 1)])
def test_the_covariance_equals_the_published_one(n, k):
    x = np.random.default_rng([n, k]).normal(size=(n, k)) @ np.diag(np.linspace(0.5, 2, k))
    x[:, -1] += x[:, 0]
    np.testing.assert_allclose(shrunk_covariance(x), LedoitWolf(assume_centered=True).fit(x).covariance_, atol=1e-10)


def test_lengths_have_no_unit_and_columns_that_say_the_same_count_once():
    x = np.random.default_rng(0).normal(size=(2000, 3))
    found = mahalanobis_lengths(x)
    np.testing.assert_allclose(mahalanobis_lengths(x * [1.0, -50.0, 0.01]), found)
    np.testing.assert_allclose(found, np.linalg.norm(x, axis=1), rtol=0.1)
    twice = mahalanobis_lengths(np.column_stack([x, x[:, :1] + 0.05 * np.random.default_rng(1).normal(size=(2000, 1))]))
    euclidean = np.linalg.norm(np.column_stack([x, x[:, :1]]), axis=1)
    lone = np.abs(x[:, 0]) > 4 * np.abs(x[:, 1:]).max(axis=1)
    assert np.median(twice[lone] / found[lone]) < 1.2 < np.median(euclidean[lone] / found[lone])
