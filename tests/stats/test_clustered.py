"""labkit.stats.clustered: the variance of a mean over clusters, and its degrees of freedom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats.clustered import freedom, variance_of_mean


def by_matrices(values, cluster):
    """CR2 and Satterthwaite as Pustejovsky & Tipton (2018) write them, for a regression on a constant."""
    n, groups = len(values), np.unique(cluster)
    hat = np.full((n, n), 1 / n)
    rest = np.eye(n) - hat
    residual = rest @ values
    meat, columns = 0.0, []
    for group in groups:
        mine = np.flatnonzero(cluster == group)
        block = np.eye(len(mine)) - hat[np.ix_(mine, mine)]
        values_of, vectors = np.linalg.eigh(block)
        root = vectors @ np.diag(values_of**-0.5) @ vectors.T
        weights = np.ones(len(mine)) @ root / n
        meat += float(weights @ residual[mine]) ** 2
        columns.append(rest[:, mine] @ weights)
    product = np.column_stack(columns).T @ np.column_stack(columns)
    return meat, np.trace(product) ** 2 / (product**2).sum()


@given(st.lists(st.integers(1, 9), min_size=2, max_size=8), st.integers(0, 999))
def test_variance_and_freedom_are_those_of_the_matrices(sizes, seed):
    """The sums over clusters come to what the textbook's matrices give, whatever the sizes."""
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    values = np.random.default_rng(seed).normal(size=len(cluster)) + cluster
    variance, degrees = by_matrices(values, cluster)
    sums = np.bincount(cluster, weights=values)[:, None]
    counts = np.array(sizes, dtype=float)[:, None]
    assert variance_of_mean(sums, counts)[0] == pytest.approx(variance)
    assert freedom(counts)[0] == pytest.approx(degrees)


def test_without_clusters_it_is_the_ordinary_variance_of_a_mean():
    """Clusters of one sample give s²/n with n − 1 degrees of freedom."""
    values = np.random.default_rng(0).normal(size=(30, 1))
    assert variance_of_mean(values, np.ones((30, 1)))[0] == pytest.approx(values.var(ddof=1) / 30)
    assert freedom(np.ones((30, 1)))[0] == pytest.approx(29)


def test_one_cluster_has_no_freedom():
    """A single cluster says nothing about others."""
    assert freedom(np.array([[5.0]]))[0] == 0
