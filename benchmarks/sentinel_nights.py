"""Simulated nights of a watch: what is answered, which tests are flagged, what a re-ask says.

Half of the rows are nearly certain (answered rightly with chance .02 or .98), the others uniform in .2 to .8.
At temperature 0 a row always has the same answer. A drop lowers the chance of every row by the same amount,
not below 0, so that the mean drop is as large as asked; at temperature 0 it turns some rows for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from labkit.stats import holm
from labkit.stats.adjusted_t import AdjustedT, adjusted_t
from labkit.stats.false_alarms import AlarmLevels
from labkit.stats.scale import Scale

NIGHTS = 365
WEEK = 7
RIGHT_OR_WRONG = Scale(0, 1, 1)
AT_ONCE = 1_500_000
"""Answers drawn in one go: more do not stay in the processor's cache."""


@dataclass(frozen=True)
class Setting:
    """What is watched, and what it is held against."""

    rows: int
    baseline_repeats: int = 5
    tests: int = 1
    temperature: int = 1

    def blocks(self, watches: int, nights: int) -> Iterator[int]:
        """So many watches, in parts that are drawn at once."""
        each = max(1, AT_ONCE // (self.rows * self.tests * nights))
        for done in range(0, watches, each):
            yield min(each, watches - done)


@dataclass(frozen=True)
class Watches:
    """Several watches, each with its own baseline. Arrays are (rows, watches, tests)."""

    setting: Setting
    chance: np.ndarray
    worse: np.ndarray
    """The chance after the drop."""
    baseline: np.ndarray
    """Mean of the baseline's answers."""

    def ask(self, rng: Generator, nights: int, *, worse: bool = False) -> np.ndarray:
        """One answer a row in each of these nights, minus the baseline: (rows, watches, tests, nights)."""
        chance = (self.worse if worse else self.chance)[..., None]
        return (rng.random((*self.chance.shape, nights), np.float32) < chance) - self.baseline[..., None]

    def ask_again(
        self, rng: Generator, watch: np.ndarray, test: np.ndarray, worse: bool = False
    ) -> np.ndarray:
        """The same of a re-ask of these tests of these watches, one column for each."""
        chance = (self.worse if worse else self.chance)[:, watch, test]
        return (rng.random(chance.shape, np.float32) < chance) - self.baseline[:, watch, test]


def watches(rng: Generator, setting: Setting, count: int, *, drop: float = 0.0) -> Watches:
    """So many baselines, and what is answered with which chance before and after a drop."""
    shape = (setting.rows, count, setting.tests)
    nearly = np.where(rng.random(shape) < 0.5, 0.02, 0.98)
    chance = np.where(rng.random(shape) < 0.5, nearly, rng.uniform(0.2, 0.8, shape))
    worse = lowered(chance, drop) if drop else chance
    if setting.temperature == 0:
        luck = rng.random(shape)
        chance, worse = (luck < chance) * 1.0, (luck < worse) * 1.0
    repeats = setting.baseline_repeats
    baseline = rng.binomial(repeats, chance) / repeats
    return Watches(setting, chance.astype(np.float32), worse.astype(np.float32), baseline)


def lowered(chance: np.ndarray, drop: float) -> np.ndarray:
    """Every row's chance lowered alike, not below 0, by as much as makes `drop` of their mean."""
    low, high = np.zeros(chance.shape[1:]), np.ones(chance.shape[1:])
    for _ in range(30):
        middle = (low + high) / 2
        enough = (chance - np.maximum(chance - middle, 0)).mean(axis=0) >= drop
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.maximum(chance - high, 0)


def tested(differences: np.ndarray) -> AdjustedT:
    """labkit's test of each column: (rows, …) flattened to (rows, columns)."""
    return adjusted_t(differences.reshape(len(differences), -1), scale=RIGHT_OR_WRONG)


def p_worse(differences: np.ndarray, *, margin: float = 0.0) -> np.ndarray:
    """One-sided p values of no drop (or none beyond the margin), shaped as the differences of one row."""
    found = tested(differences)
    if margin:
        p_values = found.p_above(-margin)
    else:
        two_sided = found.p_value()
        p_values = np.where(found.mean < 0, two_sided / 2, 1 - two_sided / 2)
    return np.asarray(p_values).reshape(differences.shape[1:])


def flagged(p_values: np.ndarray, level: float) -> np.ndarray:
    """Which of (watches, tests, nights) are shown worse at `level`, with Holm over the tests of a night."""
    tests = p_values.shape[1]
    if tests == 1:
        return np.asarray(p_values < level)
    found = np.zeros(p_values.shape, dtype=bool)
    # Where not even the least is below its share, none is flagged.
    for watch, night in zip(*np.nonzero(p_values.min(axis=1) < level / tests), strict=True):
        found[watch, :, night] = holm(p_values[watch, :, night]) < level
    return found


def quick_alarms(
    rng: Generator,
    of: Watches,
    nights: np.ndarray,
    night: float,
    again: float,
    *,
    margin: float = 0.0,
    worse: bool = False,
) -> np.ndarray:
    """Which (watches, tests, nights) are flagged, and again in a re-ask of the same rows the same night."""
    found = flagged(p_worse(nights, margin=margin), night)
    if again < 1:
        watch, test, at = np.nonzero(found)
        if len(watch):
            agreed = p_worse(of.ask_again(rng, watch, test, worse), margin=margin) < again
            found[watch, test, at] = agreed
    return found


def slow_alarms(nights: np.ndarray, week: float) -> np.ndarray:
    """Which (watches, tests, weeks) are shown worse by the means of seven nights."""
    weeks = nights.shape[-1] // WEEK
    parts = nights[..., : weeks * WEEK].reshape(*nights.shape[:-1], weeks, WEEK)
    return flagged(p_worse(parts.mean(axis=-1)), week)


def false_alarms(
    rng: Generator, setting: Setting, levels: AlarmLevels, years: int
) -> tuple[np.ndarray, np.ndarray]:
    """Quick and slow alarms of each year, a fresh baseline each, in which nothing changed."""
    quick, slow = [], []
    for some in setting.blocks(years, NIGHTS):
        of = watches(rng, setting, some)
        nights = of.ask(rng, NIGHTS)
        quick.append(quick_alarms(rng, of, nights, levels.night, levels.again).any(axis=1).sum(axis=-1))
        slow.append(slow_alarms(nights, levels.week).any(axis=1).sum(axis=-1))
    return np.concatenate(quick), np.concatenate(slow)


def found(
    rng: Generator, setting: Setting, levels: AlarmLevels, count: int, *, drop: float
) -> tuple[float, float]:
    """How often a drop in all tests is found the first night, and within three, on any day of the week."""
    first = three = 0
    for some in setting.blocks(count, WEEK + 2):
        of = watches(rng, setting, some, drop=drop)
        bad = of.ask(rng, 3, worse=True)
        alarms = quick_alarms(rng, of, bad, levels.night, levels.again, worse=True).any(axis=1)
        nights = np.concatenate([of.ask(rng, WEEK - 1), bad], axis=-1)
        day = rng.integers(0, WEEK, some)
        for last in range(3):
            pooled = nights[..., last : last + WEEK].mean(axis=-1)[..., None]
            slow = flagged(p_worse(pooled), levels.week).any(axis=1)[:, 0]
            alarms[:, last] |= slow & (day == last)
        first += int(alarms[:, 0].sum())
        three += int(alarms.any(axis=1).sum())
    return first / count, three / count
