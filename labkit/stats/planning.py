"""How many samples it takes to decide or to narrow an interval, and what a number of them can show.

All of it goes by data so far or by a guess, and is as uncertain as these; say "about". This module knows
no price, no model, and not where the data came from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special

from labkit.stats.adjusted_t import adjusted_t
from labkit.stats.intervals import Interval
from labkit.stats.paired import Pairs
from labkit.stats.scale import UNKNOWN, Scale
from labkit.stats.units import Floats

STUDIES, DRAWN = 4000, 600_000
"""At most so many studies of a plan are drawn, of so many samples in all."""
_FACES = 2**14
"""What is drawn is the face of a die that shows each value as often as its chance says."""
LARGE = 400
"""Studies of more samples are not drawn."""
_NEAR = 0.01
"""So near a power is met: at 0.8 the difference is then right to a hundredth as well."""
_REST = 1e-9
"""A smaller share of the largest difference is the rest of a calculation."""
_FAR = 20
"""A true difference of so many standard deviations is beyond any doubt."""


def samples_to_decide(
    pairs: Pairs, place: int, *, power: float = 0.8, alpha: float = 0.05, margin: float = 0.0
) -> int | None:
    """About how many samples in all would tell the two of pair number `place` apart.

    If the difference seen is the true one, so many samples show it (two-sided at `alpha`) with
    chance `power`. With a `margin`: show that the difference lies within it. None where the pair
    has no scatter to go by, or no number would do (no difference; a difference beyond the margin).

    >>> from labkit.stats.paired import paired_difference
    >>> found = paired_difference([1, 0, 1, 1, 0, 1, 1, 0] * 5, [1, 0, 0, 1, 1, 1, 0, 0] * 5)
    >>> samples_to_decide(found, 0)
    187
    """
    seen, n = float(pairs.difference[place]), int(pairs.n[place])
    error, clusters = float(pairs.error[place]), int(pairs.freedom[place]) + 1
    if not 0 < error < math.inf or clusters < 2:
        return None
    if margin > 0:
        gap, level = margin - abs(seen), 1 - alpha
    else:
        gap, level = abs(seen), 1 - alpha / 2
    if gap <= 0:
        return None
    reach = float(special.ndtri(level) + special.ndtri(power))
    return max(2, math.ceil(n * (reach * error / gap) ** 2))


def samples_for_width(found: Interval, width: float) -> int | None:
    """About how many samples in all would make the interval `found` no wider than `width`.

    Its width is taken to shrink with the root of n. None where it has no finite width.

    >>> from labkit.stats.intervals import wilson
    >>> samples_for_width(wilson(50, 100), 0.1)
    370
    """
    if not width > 0:
        raise ValueError(f"width {width} must be above 0")
    if not math.isfinite(found.width):
        return None
    return max(2, math.ceil(found.n * (found.width / width) ** 2))


# -- before asking ---------------------------------------------------------------------------------


class Scatter(Hashable, Protocol):
    """What the difference of two contenders on one sample may be, if it is some effect on average."""

    @property
    def most(self) -> float:
        """The largest effect that can be meant."""

    def at(self, effect: float) -> tuple[Floats, Floats]:
        """The possible differences in rising order, and the chance of each; their mean is `effect`."""


@dataclass(frozen=True)
class Disagreement:
    """0/1 answers of which exactly one is right on a `share` of samples (on more where the effect is more).

    >>> Disagreement(0.3).at(0.1)[1].round(2).tolist()
    [0.1, 0.7, 0.2]
    """

    share: float
    most: float = 1.0

    def at(self, effect: float) -> tuple[Floats, Floats]:
        """Of the differences −1, 0 and 1."""
        apart = max(self.share, effect)
        return np.array([-1.0, 0.0, 1.0]), np.array([apart - effect, 2 - 2 * apart, apart + effect]) / 2


@dataclass(frozen=True)
class Normal:
    """Differences that are normal with this standard deviation, rounded to `step` where the score has steps.

    >>> values, chances = Normal(0.5).at(0.2)
    >>> round(float(values @ chances), 3), round(float(values.std()), 3)
    (0.2, 0.5)
    >>> Normal(1, step=1).at(0)[1].round(2).tolist()[2:7]
    [0.0, 0.05, 0.24, 0.4, 0.24]
    """

    sd: float
    most: float = math.inf
    step: float | None = None

    def at(self, effect: float) -> tuple[Floats, Floats]:
        """At 400 places of equal chance, or at each step within five standard deviations."""
        if self.step is None or self.sd < self.step / 2:
            places = special.ndtri((np.arange(400) + 0.5) / 400)
            return effect + self.sd * places / places.std(), np.full(400, 1 / 400)
        far = math.ceil(5 * self.sd / self.step)
        values = np.asarray(self.step * (round(effect / self.step) + np.arange(-far, far + 1)))
        # Rounding adds a twelfth of the step's square to the variance (Sheppard 1898).
        spread = math.sqrt(self.sd**2 - self.step**2 / 12)
        ends = special.ndtr((np.append(values, values[-1] + self.step) - self.step / 2 - effect) / spread)
        chances = np.diff(ends) / (ends[-1] - ends[0])
        return values, _tilted(values, chances, effect)


@dataclass(frozen=True)
class Seen:
    """Differences as they were seen on samples, tilted so that their mean is the effect.

    Tilting gives a difference d the weight exp(λ·d), which changes least of all that bring a mean about
    (Csiszár 1975): what is normal is moved, of 0/1 answers the odds are multiplied. Where few would be left
    of what was seen, all are moved instead.

    >>> values, chances = Seen((0, 0, 1, -1)).at(0.1)
    >>> values.tolist(), chances.round(1).tolist()
    ([-1.0, 0.0, 1.0], [0.2, 0.5, 0.3])
    """

    differences: tuple[float, ...]
    most: float = math.inf

    def at(self, effect: float) -> tuple[Floats, Floats]:
        """Of the differences that were seen."""
        values, counts = np.unique(np.array(self.differences, dtype=float), return_counts=True)
        chances = _tilted(values, counts / counts.sum(), effect)
        rest = effect - float(values @ chances)
        # Ties stay ties: what is left of a search is no move.
        return (values if abs(rest) < _REST * np.abs(values).max() else values + rest), chances


def power(
    scatter: Scatter,
    effect: float,
    *,
    n: int,
    pairs: int = 1,
    scale: Scale = UNKNOWN,
    level: float = 0.95,
) -> float:
    """The chance that `n` common samples decide a pair whose true difference is `effect`, one of `pairs`.

    Decided is as in a verdict: by `pairwise`, at 1 − (1 − level) ÷ pairs. That is Holm's correction where no
    other pair is decided, and a little less than it decides where some are. Up to 400 samples whole studies
    are drawn, the same ones each time, and judged by that very rule; beyond, its distribution is taken from
    the first four moments. Both came within 3 points of simulated studies that scatter as `scatter` does
    (`benchmarks/power.md`); `Normal` for skewed scores within 7 at n = 10 and 20, and too high by more where
    the difference is beyond half of the scale; a `Seen` of few samples is as uncertain as their standard
    deviation.
    `scale` is what the score declares. Every answer is taken to come back and to be scored,
    and samples to be independent: where they lie in clusters the chance is less.

    >>> round(power(Normal(1.0), 0.5, n=34), 1)
    0.8
    """
    return _power(scatter, n, pairs, scale, level)(effect)


def detectable_difference(
    scatter: Scatter,
    *,
    n: int,
    power: float = 0.8,
    pairs: int = 1,
    scale: Scale = UNKNOWN,
    level: float = 0.95,
) -> float | None:
    """The smallest true difference that is decided with chance `power`, to a hundredth of itself; else as
    `power`. None where no difference is: samples are too few for so many pairs.

    >>> round(detectable_difference(Normal(1.0), n=34), 1)
    0.5
    """
    chance = _power(scatter, n, pairs, scale, level)
    values, chances = scatter.at(0.0)
    error = math.sqrt(chances @ values**2 / max(n, 1))
    aim = float(special.ndtri(power))
    low, high, reached = 0.0, min(scatter.most, _FAR * error * math.sqrt(n)), False
    middle = error * (aim + float(special.ndtri(1 - (1 - level) / pairs / 2)))
    while high - low > _NEAR * high:
        if not low < middle < high:
            middle = (low + high) / 2
        found = chance(middle)
        if 0 <= found - power <= _NEAR:
            return middle
        low, high, reached = (low, middle, True) if found >= power else (middle, high, reached)
        # On the scale of normal deviates power is nearly a straight line over the effect.
        middle += error * (aim - float(special.ndtri(np.clip(found, 0.001, 0.999))))
    return high if reached or chance(high) >= power else None


def _power(scatter: Scatter, n: int, pairs: int, scale: Scale, level: float) -> Callable[[float], float]:
    level = 1 - (1 - level) / pairs
    if n > LARGE:
        return lambda effect: _by_moments(*scatter.at(effect), n, level)
    # The same luck for every effect, and each study's turned round: so fewer tell the chance as well.
    luck = np.random.default_rng(n).integers(_FACES, size=(n, min(STUDIES, DRAWN // max(n, 1)) // 2))
    luck = np.hstack([luck, _FACES - 1 - luck])

    def decided(effect: float) -> float:
        values, chances = scatter.at(effect)
        die = values[np.searchsorted(np.cumsum(chances[:-1]), (np.arange(_FACES) + 0.5) / _FACES)]
        return float((adjusted_t(die[luck], scale=scale).p_value() < 1 - level).mean())

    return decided


def _by_moments(values: Floats, chances: Floats, n: int, level: float) -> float:
    """The chance that Student's t, with its two imagined samples, is beyond its quantile.

    t is about normal around √n · effect ÷ sd. Its spread is 1 where the mean and the scatter of a study go
    together by nothing; in skewed and heavy-tailed differences they do.
    """
    effect = float(values @ chances)
    apart = values - effect
    square = float(chances @ apart**2)
    if square == 0:
        return float(effect != 0)
    skew, tails = (float(chances @ apart**k) / square ** (k / 2) for k in (3, 4))
    imagined = float(chances @ values**2) / float(chances[values != 0].sum())
    spread = 1 + 2 * imagined / (n * square)
    centre = math.sqrt(n / square) * effect
    reach = float(special.stdtrit(n - 1, (1 + level) / 2)) * math.sqrt(spread)
    scale = math.sqrt(max(0.1, 1 - centre * skew / math.sqrt(n) + centre**2 * (tails - 1) / (4 * n)))
    return float(special.ndtr((centre - reach) / scale) + special.ndtr((-centre - reach) / scale))


def _tilted(values: Floats, chances: Floats, effect: float) -> Floats:
    """Chances ∝ exp(λ · value) whose mean is the effect, or as near as half of the variance stays (of two or
    three values: as it goes)."""
    size, mean = float(np.abs(values).max()), float(values @ chances)
    if not values[0] < values[-1] or effect == mean:
        return chances
    spread = float(chances @ (values - mean) ** 2)
    least = 0.0 if len(values) <= 3 else spread / 2
    side = 1 if effect > mean else -1
    low, high = 0.0, 50 / size
    found = chances
    for _ in range(40):
        middle = (low + high) / 2
        weights = chances * np.exp(side * middle * (values - side * size))
        weights /= weights.sum()
        at = float(values @ weights)
        if side * (effect - at) >= 0 and float(weights @ (values - at) ** 2) >= least:
            low, found = middle, weights
        else:
            high = middle
    return found
