"""The interval of a mean that keeps its level with few, tied, clustered and moderately skewed values.

Two intervals, united. One adds two imagined values, one on either side of 0: Bonett and Price's (2012)
for 0/1 answers, here carried over to any. It is what holds with few values and with ties: without any
scatter five values or fewer never exclude 0, and six do as in a sign test. The other is Student's with
Hall's (1992) correction for skewness; for 0/1 answers it adds nothing and is left out.

Columns of values in, arrays out. It knows no contender; what 0 means is the caller's choice. How well it
holds is simulated in `benchmarks/coverage.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from labkit.stats import clustered, skewness
from labkit.stats.scale import REST, UNKNOWN, Scale
from labkit.stats.units import Floats

Counts = NDArray[np.intp]


@dataclass(frozen=True)
class AdjustedT:
    """What the two intervals of each column are made from. NaN where a column has fewer than two units."""

    mean: Floats
    units: Counts
    """Independent ones: samples, or clusters of samples."""
    freedom: Floats
    centre: Floats
    """The mean with the two imagined values, and its standard error; infinite where nothing tells how
    large those would be."""
    error: Floats
    plain_error: Floats
    """The standard error of `mean` (CR2 with clusters)."""
    skewness: Floats
    """Of the units."""
    united: bool
    """Whether the second interval counts: not for 0/1 answers, for which the first was made."""

    @staticmethod
    def joined(parts: Sequence[AdjustedT]) -> AdjustedT:
        """The columns of several, one after the other."""
        names = [field.name for field in fields(AdjustedT) if field.name != "united"]
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in names
        }
        return replace(parts[0], **arrays)

    def turned(self, turn: NDArray[np.bool_]) -> AdjustedT:
        """The same of minus the values, in those columns."""
        sign = np.where(turn, -1.0, 1.0)
        return replace(self, mean=sign * self.mean, centre=sign * self.centre, skewness=sign * self.skewness)

    def limits(self, level: float) -> tuple[Floats, Floats]:
        """Low and high ends at `level`."""
        critical = special.stdtrit(np.maximum(self.freedom, 1e-9), (1 + level) / 2)
        with np.errstate(invalid="ignore"):
            reach = critical * self.error
            low, high = self.centre - reach, self.centre + reach
        if not self.united:
            return low, high
        below, above = skewness.corrected_limits(
            self.mean, self.plain_error, self.skewness, self.units, critical
        )
        unknown = np.isinf(self.error)
        return (
            np.where(unknown, -np.inf, np.fmin(below, low)),
            np.where(unknown, np.inf, np.fmax(above, high)),
        )

    def p_value(self) -> Floats:
        """Two-sided, of a mean of 0: below 1 − level exactly where the interval at `level` excludes 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.centre == 0, 0.0, np.abs(self.centre) / self.error)
            seen = np.where(self.mean == 0, 0.0, self.mean / self.plain_error)
        if self.united:
            ratio = np.fmin(ratio, np.abs(skewness.corrected(seen, self.skewness, self.units)))
        found = 2 * special.stdtr(np.maximum(self.freedom, 1e-9), -ratio)
        return np.where(self.units > 1, found, np.nan)

    def p_below(self, at: float) -> Floats:
        """One-sided, of a mean of `at` or less."""
        return self._tail(self.mean - at, 1)

    def p_above(self, at: float) -> Floats:
        """One-sided, of a mean of `at` or more."""
        return self._tail(at - self.mean, -1)

    def _tail(self, ahead: Floats, side: int) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            # Around the mean itself: the centre is drawn towards 0, which would help inside a margin.
            ratio = ahead / self.error
            seen = side * ahead / self.plain_error
        if self.united:
            ratio = np.fmin(ratio, side * skewness.corrected(seen, self.skewness, self.units))
        return np.asarray(special.stdtr(np.maximum(self.freedom, 1e-9), -ratio))


def adjusted_t(
    values: Floats, clusters: Counts | None = None, *, scale: Scale = UNKNOWN, like: Floats | None = None
) -> AdjustedT:
    """The mean of each column of `values` (rows: samples, NaN: none), clusters of rows taken as wholes.

    The imagined values are as large as the values that are not 0 (their root mean square); with a
    declared `scale` at least √½ of its step, and as large as it is wide where all values are 0. Clusters
    whose values are all alike get imagined clusters as large as they are; the more the values differ
    within clusters, the smaller these are, down to one value. `scale` is that of what the values are
    differences of. With `like`, which has a value in the same places, the imagined ones are like those.

    >>> found = adjusted_t(np.array([[1.0], [2.0], [3.0], [2.0]]))
    >>> found.mean.tolist(), [end.round(2).tolist() for end in found.limits(0.95)]
    ([2.0], [[-0.81], [3.48]])
    """
    common = ~np.isnan(values)
    filled = np.where(common, values, 0.0)
    sums, sizes = by_cluster(filled, clusters), by_cluster(common * 1.0, clusters)
    units, rows = (sizes > 0).sum(axis=0), sizes.sum(axis=0)
    models = filled if like is None else np.where(common, like, 0.0)
    model_sums = sums if like is None else by_cluster(models, clusters)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Differences that add up to nothing may leave a rest, and that is no mean.
        mean = sums.sum(axis=0) / rows
        largest = np.abs(filled).max(axis=0, initial=0.0)
        mean = np.where(np.abs(mean) < REST * largest, 0.0, mean)
        residuals = sums - mean * sizes
        if clusters is None:
            freedom = np.maximum(units - 1, 0) * 1.0
            plain = np.sqrt((residuals * residuals).sum(axis=0) / units / (units - 1))
            part = np.ones(len(units))
        else:
            freedom = clustered.freedom(sizes)
            plain = np.sqrt(clustered.variance_of_mean(sums, sizes))
            part = _alike(models, model_sums, sizes)
        shrunk, error = _imagined(sums, sizes, model_sums, part, scale)
    known = units > 1
    return AdjustedT(
        mean=mean,
        units=units,
        freedom=freedom,
        centre=np.where(known, mean * shrunk, np.nan),
        error=np.where(known, error, np.nan),
        plain_error=np.where(known, plain, np.nan),
        skewness=skewness.skewness_of(residuals, units),
        united=not scale.binary,
    )


def by_cluster(columns: Floats, clusters: Counts | None) -> Floats:
    """Sums of rows that share a cluster, per column; the rows themselves where there are no clusters."""
    if clusters is None:
        return columns
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    return np.asarray(np.add.reduceat(columns[order], starts, axis=0))


def _imagined(
    sums: Floats, sizes: Floats, models: Floats, part: Floats, scale: Scale
) -> tuple[Floats, Floats]:
    """By what two imagined units, `part` as large as the models, draw the mean to 0, and its error then."""
    units, rows = (sizes > 0).sum(axis=0), sizes.sum(axis=0)
    size = part * rows / units
    apart, squares = (models != 0).sum(axis=0), (models * models).sum(axis=0)
    widest = scale.width if scale.bounded else np.inf
    square = np.where(apart > 0, part**2 * squares / np.maximum(apart, 1), (size * widest) ** 2)
    square = np.maximum(square, size**2 * (scale.step or 0.0) ** 2 / 2)
    total = rows + 2 * size
    centre = sums.sum(axis=0) / total
    # Σ (sums − centre · sizes)², for units of one value each without another pass over all of them.
    if (part == 1).all() and (rows == units).all():
        own = squares if models is sums else (sums * sums).sum(axis=0)
        around = own - 2 * centre * sums.sum(axis=0) + centre**2 * rows
    else:
        around = ((sums - centre * sizes) ** 2).sum(axis=0)
    spread = np.maximum(around, 0.0) + 2 * (square + (centre * size) ** 2)
    # Bonett and Price divide by n + 2; without imagined values it is the usual n − 1.
    usual = units / np.maximum(units - 1, 1)
    return rows / total, np.sqrt(spread * (part + (1 - part) * usual)) / total


def _alike(values: Floats, sums: Floats, sizes: Floats) -> Floats:
    """Which part of a cluster an imagined one is: 1 where values do not differ within clusters."""
    squares = (values**2).sum(axis=0)
    between = (sums**2 / np.maximum(sizes, 1)).sum(axis=0)
    share = np.where(squares > 0, between / np.where(squares > 0, squares, 1), 1.0)
    return np.asarray(np.clip(share, (sizes > 0).sum(axis=0) / np.maximum(sizes.sum(axis=0), 1), 1.0))
