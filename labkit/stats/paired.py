"""Paired comparisons over common samples: the difference of means with interval, wins, ties, losses.

Samples count as wholes with their repeats, or clusters of samples as wholes. All pairs of a table
are compared at once. This module makes no claim about a family of comparisons (see `significance`)
and knows nothing of what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from labkit.stats.adjusted_t import AdjustedT, Counts, adjusted_t
from labkit.stats.intervals import Interval, check_level
from labkit.stats.scale import UNKNOWN, Scale
from labkit.stats.table import Table
from labkit.stats.units import Floats


@dataclass(frozen=True)
class Pairs:
    """Comparisons as arrays of equal length, one entry per pair; `differences` are first − second."""

    first: Counts
    """Column of the first contender in the table."""
    second: Counts
    n: Counts
    """Samples for which both have a value."""
    difference: Floats
    low: Floats
    high: Floats
    p_value: Floats
    """Two-sided, of no difference; below 1 − level exactly where the interval excludes 0."""
    wins: Counts
    """Samples on which the first is better (higher)."""
    ties: Counts
    losses: Counts
    effect: Floats
    """Mean difference ÷ standard deviation of the differences (Cohen's d_z)."""
    t: AdjustedT
    """What the intervals are made from."""
    level: float
    edge: float
    """The largest difference there can be: as wide as the declared scale, else infinite."""

    def __len__(self) -> int:
        return len(self.first)

    @property
    def error(self) -> Floats:
        """The standard error of each difference, the two imagined samples counted."""
        return self.t.error

    @property
    def freedom(self) -> Floats:
        """Degrees of freedom of that error: samples − 1, or Satterthwaite's over clusters."""
        return self.t.freedom

    def interval(self, place: int) -> Interval:
        """The difference of pair number `place` as an Interval."""
        estimate, low, high = (float(of[place]) for of in (self.difference, self.low, self.high))
        return Interval(estimate, low, high, int(self.n[place]), "adjusted t", self.level)

    def limits(self, level: float) -> tuple[Floats, Floats]:
        """Low and high ends of all intervals at another level."""
        low, high = self.t.limits(level)
        known = self.t.units > 1
        return (
            np.where(known, np.clip(low, -self.edge, self.edge), np.nan),
            np.where(known, np.clip(high, -self.edge, self.edge), np.nan),
        )

    def better_first(self) -> Pairs:
        """The same pairs, each turned so that the one ahead is the first; the first stays on a tie."""
        turn = np.nan_to_num(self.difference) < 0

        def swapped(one: Any, other: Any) -> Any:
            return np.where(turn, other, one)

        return replace(
            self,
            first=swapped(self.first, self.second),
            second=swapped(self.second, self.first),
            difference=swapped(self.difference, -self.difference),
            low=swapped(self.low, -self.high),
            high=swapped(self.high, -self.low),
            wins=swapped(self.wins, self.losses),
            losses=swapped(self.losses, self.wins),
            effect=swapped(self.effect, -self.effect),
            t=self.t.turned(turn),
        )


def pairwise(table: Table, *, level: float = 0.95, against: int | None = None) -> Pairs:
    """Compare every two contenders of `table` (or each with the column `against`) on common samples.

    The interval is that of `labkit.stats.adjusted_t`: Student's over the differences of sample means,
    clusters as wholes, with two imagined samples, united with Hall's correction for skewness. It is the
    same on every scale: a·x + b for x changes the limits by a. Nothing is guessed: that no scatter was
    seen decides nothing before the sixth sample, and without any difference and without a declared scale
    the limits are infinite.

    Coverage at 95 % was simulated at 93 % and more, at n from 2 to 200, for 0/1 answers, ratings, counts,
    scores from 0 to 100 and graded ones in mid-scale, and for all of these over 4, 5 and 10 clusters. It is
    lower where differences are skewed and few: graded scores near an end, one model ahead, are covered in
    92 % at n = 3 to 10, lognormal ones (sigma 1) in 90 % at 4 and 5, 91 % at 10, 93 % from 20 on. A large
    difference that is rarer than about one in n is mostly not seen, and then not covered: where 5 % of
    samples differ by twenty times as much as the others scatter, coverage is 92 % at n = 3, 84 % at 4,
    79 % at 5, 57 % at 10, 65 % at 20, 92 % at 50.

    >>> from labkit.stats.table import sample_table
    >>> found = pairwise(sample_table([1, 1, 0, 0, 1, 0], [1, 2, 3, 1, 2, 3], list("aaabbb")))
    >>> found.wins.tolist(), found.ties.tolist(), round(float(found.difference[0]), 3)
    ([1], [2], 0.333)
    """
    check_level(level)
    places = list(range(table.means.shape[1]))
    if against is None:
        chosen = list(combinations(places, 2))
    else:
        chosen = [(place, against) for place in places if place != against]
    parts = []
    # One first contender against all its seconds at a time keeps 100 × 1,000 well under 100 MB.
    for first in sorted({one for one, _ in chosen}):
        seconds = [two for one, two in chosen if one == first]
        parts.append(_compared(table, first, seconds, level))
    parts = parts or [_compared(table, 0, [], level)]
    names = [field.name for field in fields(Pairs) if field.name not in ("t", "level", "edge")]
    arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(parts[0], **arrays, t=AdjustedT.joined([part.t for part in parts]))


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    scale: Scale = UNKNOWN,
    level: float = 0.95,
) -> Pairs:
    """`pairwise` for two arrays of sample means in the same order of samples; NaN is missing.

    Give `scale=Scale(0, 1, 1)` where the means are of 0/1 answers to repeats.

    >>> found = paired_difference([0.9, 0.8, 0.7, 0.9], [0.5, 0.6, 0.6, 0.4])
    >>> float(round(found.difference[0], 3)), found.interval(0).n
    (0.3, 4)
    """
    means = np.column_stack([np.asarray(first, dtype=float), np.asarray(second, dtype=float)])
    code = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    if code is not None and len(code) != len(means):
        raise ValueError(f"clusters has {len(code)} entries for {len(means)} samples")
    counts = (~np.isnan(means)).astype(np.intp)
    return pairwise(Table(means, counts, np.arange(len(means)), np.arange(2), code, scale), level=level)


def _compared(table: Table, first: int, seconds: list[int], level: float) -> Pairs:
    apart = table.apart(first, seconds)
    n = (~np.isnan(apart)).sum(axis=0)
    wins, losses = (apart > 0).sum(axis=0), (apart < 0).sum(axis=0)
    t = adjusted_t(apart, table.clusters, scale=table.scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = np.nanstd(apart, axis=0, ddof=1) if table.clusters is not None else t.plain_error * np.sqrt(n)
        effect = t.mean / sd
    found = Pairs(
        first=np.full(len(seconds), first, dtype=np.intp),
        second=np.array(seconds, dtype=np.intp),
        n=n,
        difference=t.mean,
        low=t.mean,
        high=t.mean,
        p_value=t.p_value(),
        wins=wins,
        ties=n - wins - losses,
        losses=losses,
        effect=effect,
        t=t,
        level=level,
        edge=table.scale.width,
    )
    low, high = found.limits(level)
    return replace(found, low=low, high=high)
