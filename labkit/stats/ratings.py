"""Ratings of pairs as codes: who was compared with whom, how it came out, and what belongs together.

It counts them by pair and sums their scores by cluster. No model and no name of an outcome is known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from labkit.stats.units import Floats, coded

Codes = NDArray[np.intp]

_DENSE = 400_000
"""Sums of clusters that are more numbers than these are kept as a sparse matrix."""


@dataclass(frozen=True)
class Ratings:
    """Ratings, one entry each; contenders and clusters are codes from 0."""

    names: NDArray[Any]
    """The contenders, by code."""
    first: Codes
    second: Codes
    outcome: Floats
    """1 where the first was preferred, 0 where the second was, ½ where neither."""
    cluster: Codes
    clusters: int
    weight: Floats
    """How much each counts; the mean is 1."""

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def size(self) -> int:
        """How many contenders there are."""
        return len(self.names)

    def wins(self) -> Floats:
        """`wins[i, j]`: how often (by weight) i was preferred over j, a tie being half a win of each.

        >>> rated(["a", "a"], ["b", "b"], [1, 0.5]).wins().tolist()
        [[0.0, 1.5], [0.5, 0.0]]
        """
        return self._by_pair(self.weight * self.outcome, self.weight * (1 - self.outcome))

    def ties(self) -> Floats:
        """`ties[i, j]`: how often (by weight) neither of i and j was preferred."""
        tied = self.weight * (self.outcome == 0.5)
        return self._by_pair(tied, tied)

    def counts(self) -> Codes:
        """`counts[i, j]`: how many ratings compare i and j, each counted once."""
        one = np.ones(len(self))
        return self._by_pair(one, one).astype(np.intp)

    def _by_pair(self, of_first: Floats, of_second: Floats) -> Floats:
        k = self.size
        sums = np.bincount(self.first * k + self.second, of_first, k * k)
        sums = sums + np.bincount(self.second * k + self.first, of_second, k * k)
        return np.asarray(sums.reshape(k, k), dtype=np.float64)

    def summed(self, scores: Floats, others: Floats | None = None) -> Floats:
        """The sum over clusters of s·sᵀ, s being the sum of the cluster's scores.

        A rating adds its score to its first and takes it from its second; `others` are scores of one more
        parameter, in the last row and column.

        >>> rated(["a", "a"], ["b", "b"], [1, 0.5], clusters=[7, 7]).summed(np.array([1.0, 2.0])).tolist()
        [[9.0, -9.0], [-9.0, 9.0]]
        """
        places, parts, wide = [self.first, self.second], [scores, -scores], self.size
        if others is not None:
            places, parts, wide = [*places, np.full(len(self), wide)], [*parts, others], wide + 1
        row, column, value = np.tile(self.cluster, len(parts)), np.concatenate(places), np.concatenate(parts)
        shape = (self.clusters, wide)
        if self.clusters * wide < _DENSE:
            sums = np.bincount(row * wide + column, value, self.clusters * wide).reshape(shape)
            return np.asarray(sums.T @ sums)
        thin = sparse.csr_array((value, (row, column)), shape=shape)
        return np.asarray((thin.T @ thin).toarray())

    def effective_clusters(self) -> Floats:
        """Kish's effective number of clusters in which each contender was rated.

        >>> ratings = rated(["a", "a", "b"], ["b", "b", "c"], [1, 0.5, 1], clusters=[0, 0, 1])
        >>> ratings.effective_clusters().tolist()
        [1.0, 1.8, 1.0]
        """
        cell = np.concatenate([self.first, self.second]) * self.clusters + np.tile(self.cluster, 2)
        cells, sizes = np.unique(cell, return_counts=True)
        of = cells // max(1, self.clusters)
        squares = np.bincount(of, sizes.astype(np.float64) ** 2, self.size)
        return np.asarray(np.bincount(of, sizes, self.size) ** 2 / np.maximum(squares, 1))


def rated(
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    contenders: Sequence[Any] | None = None,
) -> Ratings:
    """Gather ratings, one entry each; an outcome of NaN is left out.

    `outcome` is 1 where the first was preferred, 0 where the second was, ½ where neither. `clusters` names
    what ratings belong to (the sample); without, each is its own. `contenders` names all in their order,
    those without a rating too; otherwise they are those that were rated, sorted. Raises ValueError for other
    outcomes, a contender compared with itself or not named, weights that are not above 0, or other lengths.

    >>> rated(["b", "c"], ["a", "a"], [1, 0.5]).names.tolist()
    ['a', 'b', 'c']
    """
    value = np.asarray(outcome, dtype=np.float64)
    keep = ~np.isnan(value)
    if not np.isin(value[keep], (0.0, 0.5, 1.0)).all():
        raise ValueError("an outcome is 1 (the first was preferred), 0 (the second was) or 0.5 (neither)")
    one, two = (_as_long("contenders", of, keep) for of in (first, second))
    both = np.concatenate([one, two])
    names, code = (
        coded(both) if contenders is None else (np.asarray(list(contenders)), _places(both, contenders))
    )
    one, two = code[: len(code) // 2], code[len(code) // 2 :]
    if (one == two).any():
        raise ValueError("a rating compares a contender with itself")
    weight = np.ones(int(keep.sum())) if weights is None else _as_long("weights", weights, keep).astype(float)
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise ValueError("a weight is above 0 and finite")
    weight = weight / weight.mean() if len(weight) else weight
    of = np.arange(len(weight)) if clusters is None else coded(_as_long("clusters", clusters, keep))[1]
    return Ratings(names, one, two, value[keep], of, int(of.max(initial=-1)) + 1, weight)


def _as_long(name: str, labels: ArrayLike, keep: NDArray[np.bool_]) -> NDArray[Any]:
    found = np.asarray(labels)
    if found.shape != keep.shape:
        raise ValueError(f"{name} has {found.size} entries for {keep.size} outcomes")
    return found[keep]


def _places(labels: NDArray[Any], contenders: Sequence[Any]) -> Codes:
    place = {name: at for at, name in enumerate(contenders)}
    if len(place) < len(contenders):
        raise ValueError("a contender is named twice")
    unknown = sorted({str(name) for name in labels.tolist()} - {str(name) for name in place})
    if unknown:
        raise ValueError(f"rated, but no contender: {', '.join(unknown[:5])}")
    return np.array([place[name] for name in labels.tolist()], dtype=np.intp)
