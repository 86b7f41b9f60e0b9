"""At which levels a nightly watch has to test, so that it cries wolf so many times a year and no more.

A quick alarm needs tonight shown worse than a baseline, and a fresh re-ask of the same rows shown worse
again. Both are held against the same baseline, so its luck lasts: where its answers happened to be too good,
both look worse, tonight and every night. The levels allow for that. A slow alarm needs the last seven nights,
pooled, to be shown worse; it is looked for once in seven nights.

Levels and rates only. It knows no answer, no row and no calendar, and it takes a test to keep its level: that
labkit's does in the nights of a year is simulated in `benchmarks/sentinel.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import special

from labkit.stats.units import Floats

QUICK = 0.9
"""The share of false alarms that quick ones may be. What is worse by much is found by these: a drop of 10
points (100 rows, a baseline of 5 repeats) within three nights in .87 of simulated watches, with .8 in .86,
with .5 in .82. Over five weeks the share makes no difference: the slow test finds what is left."""
WEEK = 7
"""Nights that the slow test pools, and that lie between two of them."""
LOOSEST = 0.2
"""No level is higher, whatever the budget: beyond, a test says little."""
UNLUCKY = 0.1
"""The share of baselines that count as unlucky."""

_LUCK = np.linspace(-12.0, 12.0, 4801)
"""How many standard errors a baseline may be too good by: beyond lies a share of 1e-32."""
_DENSITY = np.exp(-(_LUCK**2) / 2) / math.sqrt(2 * math.pi) * (_LUCK[1] - _LUCK[0])

Rate = Callable[[Floats], Floats]
"""How often something happens by chance, where the baseline has that luck."""


@dataclass(frozen=True)
class AlarmLevels:
    """The levels of one-sided tests, and what they cannot help."""

    night: float
    """Of tonight's tests against the baseline, with Holm's correction over all of them."""
    again: float
    """Of the re-ask's test of what was flagged: uncorrected, since only that is asked again. 1 where nothing
    is."""
    week: float
    """Of the last seven nights pooled, once in seven nights, with Holm's correction over all tests."""
    unlucky_per_year: float
    """False alarms a year that the unluckiest tenth of baselines has on average. On average over all
    baselines there are as many as were asked for, but they are not spread evenly: a baseline keeps its
    luck until another is accepted."""


def alarm_levels(
    per_year: float,
    *,
    tests: int,
    baseline_repeats: float,
    repeats: float = 1,
    confirmed: bool = True,
    nights_per_year: float = 365,
) -> AlarmLevels:
    """The levels at which a watch over `tests` metrics raises `per_year` false alarms a year, or fewer.

    Each test is a one-sided paired one of tonight's row means of `repeats` answers against the baseline's of
    `baseline_repeats`. Where nothing changed, tonight's statistic and the re-ask's are about normal with
    correlation ρ = (1/`baseline_repeats`) ÷ (1/`baseline_repeats` + 1/`repeats`). `night` and `again` are
    the α of tests · P(Z₁ > z(α/tests), Z₂ > z(α)) = quick alarms per night, where z are normal quantiles: the
    chance is integrated over what both share (Dunnett & Sobel 1955). `week` is the budget of slow alarms per
    week. With `confirmed=False` tonight alone raises an alarm, and `night` is the budget of quick ones per
    night. Tests may depend on one another: the more they do, the fewer false alarms there are in all, and
    the more of them fall to unlucky baselines, for which the worst case is told.

    Simulated with labkit's test of right or wrong answers, asked for one false alarm a year: .3 to 1.1 came,
    with 50, 100, 300 rows, baselines of 1, 3, 5 repeats, 1 or 6 tests. With one test a drop of 10 points in
    100 rows was found within three nights in .41, .79, .87 of watches with baselines of 1, 3, 5.

    Raises ValueError where a number is none that can be: a rate or a number of nights of 0 or less, less than
    one test or answer.

    >>> found = alarm_levels(1, tests=1, baseline_repeats=5)
    >>> round(found.night, 3), round(found.week, 4), round(found.unlucky_per_year, 1)
    (0.035, 0.0019, 6.6)
    """
    _check(per_year, tests, baseline_repeats, repeats, nights_per_year)
    quick = QUICK * per_year / nights_per_year
    week = min(LOOSEST, (1 - QUICK) * per_year * WEEK / nights_per_year)
    if confirmed:
        night = again = _twice(quick, tests, _shared(baseline_repeats, repeats))
    else:
        night, again = min(LOOSEST, quick), 1.0

    def a_year(luck: Floats) -> Floats:
        share = _shared(baseline_repeats, repeats)
        quick_ones = _passed(night / tests, share, luck) * _passed(again, share, luck)
        slow_ones = _passed(week / tests, _shared(baseline_repeats, WEEK * repeats), luck)
        return tests * nights_per_year * (quick_ones + slow_ones / WEEK)

    return AlarmLevels(night, again, week, _in_the_unluckiest(a_year))


def _twice(chance: float, tests: int, share: float) -> float:
    """The level α at which one of `tests` is below α ÷ tests and below α again with that `chance`."""

    def chance_at(level: float) -> float:
        both = _passed(level / tests, share, _LUCK) * _passed(level, share, _LUCK)
        return float(tests * (_DENSITY @ both))

    low, high = min(chance, LOOSEST), LOOSEST  # two tests pass no more often than one
    if chance_at(high) <= chance:
        return high
    while high - low > 1e-9 * high:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if chance_at(middle) <= chance else (low, middle)
    return low


def _passed(level: float, share: float, luck: Floats) -> Floats:
    """The chance to be below `level`, given the luck that is that `share` of the variance."""
    if level >= 1:
        return np.ones_like(luck)
    beyond = special.ndtri(level) + math.sqrt(share) * luck
    return cast(Floats, special.ndtr(beyond / math.sqrt(1 - share)))


def _shared(baseline_repeats: float, repeats: float) -> float:
    """The baseline's share of the variance of tonight − baseline."""
    return repeats / (repeats + baseline_repeats)


def _in_the_unluckiest(rate: Rate) -> float:
    """Its mean over the baselines whose luck is beyond that of all but the unluckiest."""
    luck = np.linspace(-special.ndtri(UNLUCKY), _LUCK[-1], 2001)
    density = np.exp(-(luck**2) / 2)
    return float(density @ rate(luck) / density.sum())


def _check(
    per_year: float, tests: int, baseline_repeats: float, repeats: float, nights_per_year: float
) -> None:
    for name, rate in (("per_year", per_year), ("nights_per_year", nights_per_year)):
        if not 0 < rate < math.inf:
            raise ValueError(f"{name} {rate} must be a number above 0")
    for name, count in (("tests", tests), ("baseline_repeats", baseline_repeats), ("repeats", repeats)):
        if not 1 <= count < math.inf:
            raise ValueError(f"{name} {count} must be a number from 1 up")
    if tests != int(tests):
        raise ValueError(f"tests {tests} must be a whole number")
