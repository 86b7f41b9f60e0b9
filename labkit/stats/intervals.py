"""Intervals for rates and means, where each sample may have repeats and samples may lie in clusters.

Numbers in, numbers out. This module knows no frame, no record and no notebook, and it does not
compare two things: that is `paired`. How well each interval keeps its level is simulated in
`benchmarks/coverage.py`; where one falls short its docstring says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from labkit.stats import clustered
from labkit.stats.adjusted_t import adjusted_t
from labkit.stats.gaffke import gaffke_limit
from labkit.stats.scale import UNKNOWN, Scale
from labkit.stats.units import Units, units

NAN = float("nan")


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it.

    `n` counts the units it rests on (samples, not rows). A limit that the data cannot give is
    infinite; an estimate without any data is NaN.
    """

    estimate: float
    low: float
    high: float
    n: int
    method: str
    level: float = 0.95

    @property
    def width(self) -> float:
        """How wide it is."""
        return self.high - self.low

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside (False where there is no interval).

        >>> wilson(18, 20).excludes(0.5)
        True
        """
        return value < self.low or value > self.high


def wilson(k: float, n: float, *, level: float = 0.95) -> Interval:
    """Wilson's score interval for `k` successes among `n` independent trials (Wilson 1927).

    Its level holds on average over rates; at single rates it can fall short: by 3 points at a rate
    of 0.02 with n = 50 and by up to 6 near that rate with n below 20. `rate_interval` mends that.
    `k` and `n` may be fractions (effective counts).

    >>> found = wilson(8, 10)
    >>> round(found.low, 4), round(found.high, 4)
    (0.4902, 0.9433)
    """
    check_level(level)
    if n < 0 or not 0 <= k <= n:
        raise ValueError(f"{k} successes among {n} trials cannot be")
    if n == 0:
        return Interval(NAN, NAN, NAN, 0, "Wilson", level)
    rate = k / n
    low, high = _wilson_limits(rate, n, float(special.ndtri((1 + level) / 2)))
    return Interval(rate, low, high, round(n), "Wilson", level)


def rate_interval(
    values: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """The rate of ones among 0/1 values, with an interval that knows repeats.

    NaN is left out; the rate is the mean over samples of each sample's own. The interval is Wilson's
    with the effective number of trials in place of n (`effective_trials`), and Student's quantile in
    place of the normal one where that was estimated (Korn & Graubard 1998; Dean & Pagano 2015). With
    at most three effective successes (or failures) the nearer limit is the one-sided Poisson one
    where that is wider (Brown, Cai & DasGupta 2001, section 4.1.1). A rate of 0 or 1 carries no
    variance: the units then count once.

    For plain 0/1 values at rates .02 to .98 its coverage at 95 %, exactly enumerated, is lowest with
    91.8 % at n = 39, and above 92.5 % from n = 40 on; with repeats it was simulated between 92.5 % and
    99.8 %. It errs to the wide side at extreme rates with few samples, where no interval could keep to the
    level. Raises ValueError for other values: those have `bounded_interval`.

    >>> found = rate_interval([1, 1, 0, 0, 1, 1], samples=["a", "a", "b", "b", "c", "c"])
    >>> found.n, found.estimate
    (3, 0.6666666666666666)
    """
    check_level(level)
    found = units(values, samples, clusters)
    if not found.samples:
        return Interval(NAN, NAN, NAN, 0, "Wilson", level)
    given = np.asarray(values, dtype=np.float64)
    if not np.isin(given[~np.isnan(given)], (0.0, 1.0)).all():
        raise ValueError("a rate is of values 0 and 1; for others take bounded_interval or mean_interval")
    rate = found.mean
    if found.plain:
        trials, critical = float(found.samples), float(special.ndtri((1 + level) / 2))
        method = "Wilson"
    else:
        trials, critical = effective_trials(found), student(_freedom(found), level)
        method = "Wilson on effective trials, samples whole"
    low, high = _wilson_limits(rate, trials, critical)
    low = _poisson_floor(low, rate * trials, trials, level)
    high = 1 - _poisson_floor(1 - high, (1 - rate) * trials, trials, level)
    return Interval(rate, low, high, found.samples, method, level)


def bounded_interval(
    values: ArrayLike,
    *,
    low: float,
    high: float,
    samples: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """The mean over samples of graded values, none of which can lie outside `low` to `high`.

    The bounds of Gaffke (2005): n values leave n + 1 gaps, whose chances are distributed as n + 1 equal
    Dirichlet shares whatever the distribution; the high end is the quantile of the mean with the values
    at their gaps' upper ends and one at `high`. In practice never seen to fail (Phan, Thomas &
    Learned-Miller 2021): scores near an end, of which one in twenty is 0, are covered. The price is width:
    with ten samples about twice Student's in mid-scale, with 200 about 1.3 times. For 0/1 values it is
    Clopper and Pearson's. Clusters count by their size. The quantile is by saddlepoint (Lugannani &
    Rice 1980). Raises ValueError where a value lies outside.

    >>> found = bounded_interval([1.0] * 10, low=0, high=1)
    >>> round(found.low, 2), found.estimate, found.high
    (0.69, 1.0, 1.0)
    """
    check_level(level)
    found = units(values, samples, clusters)
    method = "Gaffke's bounds"
    if not found.samples:
        return Interval(NAN, NAN, NAN, 0, method, level)
    if not Scale(low, high).holds(found.means):
        raise ValueError(f"values lie outside {low:g} to {high:g}")
    tail = (1 - level) / 2
    mean = min(max(found.mean, low), high)
    # In shares of the scale, so that a rounding beside an end is none.
    shares = (found.sums / found.sizes - low) / (high - low)
    at_most = low + (high - low) * gaffke_limit(shares, found.sizes, tail)
    at_least = high - (high - low) * gaffke_limit(1 - shares, found.sizes, tail)
    return Interval(mean, min(at_least, mean), max(at_most, mean), found.samples, method, level)


def mean_interval(
    values: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """The mean over samples, with an interval for values of which no bounds are known.

    `labkit.stats.adjusted_t` around the median, samples (or clusters) taken as wholes: Student's with two
    imagined values beside the median, united with Hall's correction for skewness. One unit, or units
    without any scatter, give an infinite interval: that none was seen is no certainty. Lognormal values
    (sigma 1) are covered at 95 % in about 93 % of studies with n = 20, 92 % with 10 and 89 % with 2 to 5;
    exponential ones in 91 % with 2 and 3; graded ones near an end, where no bounds were declared, in 93 %
    with 10, 90 % with 5, 86 to 88 % with 2 to 4. Of more skewed ones report quantiles, or the mean of
    logarithms.

    >>> found = mean_interval([1.0, 2.0, 3.0, 2.0, 1.5, 2.5])
    >>> round(found.low, 2), found.estimate, round(found.high, 2)
    (1.26, 2.0, 2.74)
    """
    check_level(level)
    found = units(values, samples, clusters)
    if not found.samples:
        return Interval(NAN, NAN, NAN, 0, "adjusted t", level)
    if found.clusters < 2:
        return Interval(found.mean, -math.inf, math.inf, found.samples, "adjusted t", level)
    middle = float(np.median(found.means))
    apart = UNKNOWN.without_rests(found.means - middle, found.means)
    low, high = adjusted_t(apart[:, None], found.of_sample).limits(level)
    return Interval(
        found.mean, middle + float(low[0]), middle + float(high[0]), found.samples, "adjusted t", level
    )


def score_interval(
    values: ArrayLike,
    scale: Scale,
    *,
    samples: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """The mean score over samples with the interval that its declared `scale` calls for.

    `rate_interval` for a scale of two values, `bounded_interval` for other bounds, `mean_interval` where
    none were declared.

    >>> score_interval([5, 5, 4], Scale(1, 5, 1)).method, score_interval([1, 1, 0], Scale(0, 1, 1)).method
    ("Gaffke's bounds", 'Wilson')
    """
    if scale.binary:
        shares = (np.asarray(values, dtype=np.float64) - scale.low) / scale.width
        found = rate_interval(shares, samples=samples, clusters=clusters, level=level)
        mean, low, high = (scale.low + scale.width * end for end in (found.estimate, found.low, found.high))
        return replace(found, estimate=mean, low=low, high=high)
    if scale.bounded:
        return bounded_interval(
            values, low=scale.low, high=scale.high, samples=samples, clusters=clusters, level=level
        )
    return mean_interval(values, samples=samples, clusters=clusters, level=level)


def effective_trials(found: Units) -> float:
    """How many independent trials carry as much about the rate as these units do.

    The design effect (rows ÷ trials) is drawn towards its largest possible value with
    the weight of two units, against as many as speak for the rarer outcome: few of those can not show
    how alike repeats are.
    """
    rate, least = found.mean, found.effective_clusters
    variance = float(clustered.variance_of_mean(found.sums[:, None], found.sizes[:, None])[0])
    if not 0 < rate < 1 or not variance > 0:
        return least
    trials = max(least, rate * (1 - rate) / variance)
    speaking = min(int((found.sums > 0).sum()), int((found.sums < found.sizes).sum()))
    effect = (speaking * max(1.0, found.rows / trials) + 2 * found.rows / least) / (speaking + 2)
    return found.rows / effect


def student(freedom: float, level: float) -> float:
    """The two-sided critical value of Student's t; infinite without a degree of freedom."""
    return float(special.stdtrit(freedom, (1 + level) / 2)) if freedom > 0 else math.inf


def _freedom(found: Units) -> float:
    return float(clustered.freedom(found.sizes[:, None])[0])


def check_level(level: float) -> None:
    """Raise ValueError unless `level` lies strictly between 0 and 1 (0.95, not 95)."""
    if not 0 < level < 1:
        raise ValueError(f"level {level} must lie between 0 and 1, as 0.95 does")


def _wilson_limits(rate: float, trials: float, critical: float) -> tuple[float, float]:
    if math.isinf(critical):
        return 0.0, 1.0
    square = critical**2 / trials
    middle = (rate + square / 2) / (1 + square)
    half = math.sqrt(square * (rate * (1 - rate) + square / 4)) / (1 + square)
    # At 0 and 1 the limit is exact, but floating point leaves a rest like 1e-18.
    return (0.0 if rate == 0 else max(0.0, middle - half)), (1.0 if rate == 1 else min(1.0, middle + half))


def _poisson_floor(limit: float, successes: float, trials: float, level: float) -> float:
    if not 0 < successes <= 3.5:
        return limit
    return min(limit, float(special.gammaincinv(successes, 1 - level)) / trials)
