"""A table of sample means: one row per sample, one column per contender (a model, a prompt, both).

It is what comparisons start from: repeats are averaged here and never looked at again. It knows
arrays only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.stats.scale import UNKNOWN, Scale
from labkit.stats.units import Floats, coded


@dataclass(frozen=True)
class Table:
    """`means[s, c]`: the mean of contender `c` over its repeats of sample `s`; NaN where it has none."""

    means: Floats
    counts: NDArray[np.intp]
    """How many values each mean is of."""
    samples: NDArray[Any]
    contenders: NDArray[Any]
    clusters: NDArray[np.intp] | None = None
    """The cluster of each sample, as codes; None: each sample is its own."""
    scale: Scale = UNKNOWN
    """What was declared of the values."""

    def apart(self, first: int, seconds: Sequence[int]) -> Floats:
        """The differences of a contender's means from those of others, a column each.

        Those that are nothing but a rest of adding repeats in another order are 0.
        """
        differences = self.means[:, [first]] - self.means[:, list(seconds)]
        differences[np.abs(differences) < self.rest] = 0.0
        return np.asarray(differences)

    @cached_property
    def rest(self) -> float:
        """What is smaller than this is left over from adding."""
        return self.scale.rest(self.means)

    @property
    def missing(self) -> NDArray[np.intp]:
        """How many samples each contender has no value for."""
        return np.asarray((self.counts == 0).sum(axis=0), dtype=np.intp)


def sample_table(
    values: ArrayLike,
    samples: ArrayLike,
    contenders: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    scale: Scale = UNKNOWN,
) -> Table:
    """Gather rows into a table; NaN values count as missing, a sample without any value keeps its row.

    All arguments have one entry per row. Names may be strings; integers group much faster. Raises
    ValueError where lengths differ, a value is infinite or outside `scale`, or a sample lies in two clusters.

    >>> found = sample_table([1, 0, 1, 1], ["a", "a", "a", "b"], ["x", "x", "y", "y"])
    >>> found.means.tolist()
    [[0.5, 1.0], [nan, 1.0]]
    """
    return sample_tables([values], samples, contenders, clusters=clusters, scales=[scale])[0]


def sample_tables(
    several: Sequence[ArrayLike],
    samples: ArrayLike,
    contenders: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    scales: Sequence[Scale],
) -> list[Table]:
    """`sample_table` of several values of the same rows, each on its scale."""
    names, row = coded(np.asarray(samples))
    who, column = coded(np.asarray(contenders))
    if row.shape != column.shape:
        raise ValueError(f"{row.size} samples and {column.size} contenders do not match")
    cell, shape = row * len(who) + column, (len(names), len(who))
    cluster = _cluster_of_sample(clusters, row, len(names))
    found = []
    for values, scale in zip(several, scales, strict=True):
        value = np.asarray(values, dtype=np.float64)
        if value.shape != cell.shape:
            raise ValueError(f"{value.size} values and {cell.size} samples do not match")
        if np.isinf(value).any():
            raise ValueError("values hold an infinity; leave out (NaN) what was not measured")
        if not scale.holds(value):
            raise ValueError(f"values lie outside {scale.low:g} to {scale.high:g}")
        keep = ~np.isnan(value)
        value, of = value[keep], cell[keep]
        counts = np.bincount(of, minlength=shape[0] * shape[1]).reshape(shape)
        sums = np.bincount(of, weights=value, minlength=shape[0] * shape[1]).reshape(shape)
        means = np.full(shape, np.nan)
        np.divide(sums, counts, out=means, where=counts > 0)
        found.append(Table(means, counts, names, who, cluster, scale))
    return found


def _cluster_of_sample(
    clusters: ArrayLike | None, row: NDArray[np.intp], samples: int
) -> NDArray[np.intp] | None:
    if clusters is None:
        return None
    code = coded(np.asarray(clusters))[1]
    if code.shape != row.shape:
        raise ValueError(f"clusters has {code.size} entries for {row.size} rows")
    found = np.zeros(samples, dtype=np.intp)
    found[row] = code
    if not np.array_equal(found[row], code):
        raise ValueError("a sample lies in two clusters; each sample needs exactly one")
    return found
