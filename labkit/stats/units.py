"""From rows to independent units: samples as wholes with their repeats, or clusters of samples.

Answers to one sample resemble each other, so rows are no independent evidence; samples are (or the
clusters they come from: documents, authors, templates). Every interval here counts units, not rows.
This module knows arrays only: no frame, no labkit record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_DENSE = 4
"""Whole numbers below so many times their count are counted."""


@dataclass(frozen=True)
class Units:
    """Values of samples, and the clusters in which those samples lie.

    `sums` and `sizes` have one entry per cluster: the sum over its samples of each sample's mean,
    and how many samples it has. Without clusters each sample is its own and `sizes` is all ones.
    """

    means: Floats
    """One mean per sample, over its repeats."""
    sums: Floats
    sizes: Floats
    rows: int
    """How many values there were, repeats included."""
    of_sample: NDArray[np.intp] | None = None
    """The cluster of each sample, as codes; None: each sample is its own."""

    @property
    def samples(self) -> int:
        """How many samples have a value."""
        return len(self.means)

    @property
    def clusters(self) -> int:
        """How many independent units there are."""
        return len(self.sums)

    @property
    def effective_clusters(self) -> float:
        """Kish's effective number of clusters: less than their number where sizes differ."""
        return float(self.sizes.sum() ** 2 / (self.sizes**2).sum()) if self.clusters else 0.0

    @property
    def plain(self) -> bool:
        """Whether there is one row per unit: no repeats, no clusters."""
        return self.rows == self.samples == self.clusters

    @property
    def mean(self) -> float:
        """The mean over samples (each sample counts once, however many repeats it has)."""
        return float(self.means.mean()) if self.samples else float("nan")


def units(values: ArrayLike, samples: ArrayLike | None = None, clusters: ArrayLike | None = None) -> Units:
    """Gather `values` (one per row; NaN is left out) into samples, and samples into clusters.

    `samples` and `clusters` name for each row the sample and the cluster it belongs to (strings or
    integers; integers are much faster to group). Raises ValueError where lengths differ, a value
    is infinite, or one sample lies in two clusters.

    >>> found = units([1, 0, 1, 1], samples=["a", "a", "b", "b"])
    >>> found.means.tolist(), found.rows
    ([0.5, 1.0], 4)
    """
    value = np.asarray(values, dtype=np.float64)
    if value.ndim != 1:
        raise ValueError(f"values have {value.ndim} dimensions; one value per row is needed")
    if np.isinf(value).any():
        raise ValueError("values hold an infinity; leave out (NaN) what was not measured")
    keep = ~np.isnan(value)
    value = value[keep]
    sample = _codes("samples", samples, keep)
    cluster = _codes("clusters", clusters, keep)
    means = value if sample is None else np.bincount(sample, weights=value) / np.bincount(sample)
    if cluster is None:
        return Units(means, means, np.ones_like(means), len(value))
    if sample is None:
        sample = np.arange(len(value))
    of_sample = np.zeros(len(means), dtype=np.intp)
    of_sample[sample] = cluster
    if not np.array_equal(of_sample[sample], cluster):
        raise ValueError("a sample lies in two clusters; each sample needs exactly one")
    sums = np.bincount(of_sample, weights=means).astype(np.float64)
    sizes = np.bincount(of_sample).astype(np.float64)
    return Units(means, sums, sizes, len(value), of_sample)


def _codes(name: str, labels: ArrayLike | None, keep: NDArray[np.bool_]) -> NDArray[np.intp] | None:
    if labels is None:
        return None
    found = np.asarray(labels)
    if found.shape != keep.shape:
        raise ValueError(f"{name} has {found.size} entries for {keep.size} values")
    return coded(found[keep])[1]


def coded(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The different labels in sorted order, and for each entry the place of its own among them.

    Labels that are small whole numbers, as codes are, are counted rather than sorted.

    >>> coded(np.array([5, 2, 5]))[1].tolist(), coded(np.array(["b", "a"]))[1].tolist()
    ([1, 0, 1], [1, 0])
    """
    if labels.dtype.kind == "i" and labels.ndim == 1 and len(labels):
        least, most = int(labels.min()), int(labels.max())
        if least >= 0 and most < _DENSE * len(labels):
            there = np.bincount(labels) > 0
            return np.flatnonzero(there).astype(labels.dtype), (np.cumsum(there) - 1)[labels].astype(np.intp)
    names, places = np.unique(labels, return_inverse=True)
    return names, places.astype(np.intp)
