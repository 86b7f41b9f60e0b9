"""What follows an alarm, simulated: whether its interval holds the drop, and when the alarm ends.

Watches with a baseline of 5 repeats and one test raise a quick alarm by labkit's rule for one false alarm a
year, within two weeks of the drop. The alarm stands until two or three nights in a row lie nearer to the
baseline than to the alarm: their difference is above −d/2. A slow alarm stands until the next week's pool
is above −d/2. What d should be is asked here: the drop as it was seen, or the least drop that its 95 %
interval holds, by tonight and the re-ask pooled or by the re-ask alone. Of 4,000 alarms each, with 100 rows
and a drop of 10 points | of 5 | 300 rows and 5 | without any drop:

    the drop seems to be (points)                      11.5 | 9.7  | 6.2  | 8.6
    the 95 % interval holds it: pooled                 .98  | .86  | .97  | 0
                                the re-ask's alone     .98  | .93  | .97  | .28
    it holds 0 although there is an alarm: pooled      0    | 0    | 0    | 0
                                the re-ask's alone     .08  | .17  | .09  | .28
    the drop stays, but the alarm is left so often in 30 nights:
        pooled, two nights                             .54  | 1.58 | .78
        pooled, three nights                           .12  | .84  | .22
        least shown, pooled, two nights                .04  | .47  | .10
    nights until it is left without any drop, half of the times | nine in ten:
        pooled, two nights                             2 3  | 2 4  | 2 3  | 2 7
        pooled, three nights                           3 5  | 3 7  | 3 6  | 5 15
        least shown, pooled, two nights                2 6  | 3 10 | 2 6  | 7 29

So a drop is told by tonight and the re-ask pooled (the re-ask alone would contradict one alarm in ten;
where a drop is found one night in ten, either tells too large a one), and an alarm ends by the least drop
shown. A false one then stands for a week, in one of eleven for more than a month. Of slow alarms d as it
was seen serves: with a drop that stays .007 | .17 | .017 end within four weeks, without one .998 | .92 |
.99 after the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from sentinel_nights import WEEK, Setting, Watches, flagged, p_worse, tested, watches

from labkit.stats.false_alarms import AlarmLevels, alarm_levels

SOON = 14
"""Nights within which an alarm is waited for."""
AFTER = 30
"""Nights looked at after it."""
ENDS = (("pooled", 2), ("pooled", 3), ("re-ask", 2), ("pooled, least shown", 2), ("re-ask, least shown", 2))
"""What d is, and how many nights in a row end an alarm."""


@dataclass(frozen=True)
class Alarmed:
    """Watches on the night of their alarm, with differences from the baseline: (rows, watches)."""

    of: Watches
    tonight: np.ndarray
    again: np.ndarray

    @property
    def pooled(self) -> np.ndarray:
        """Means of tonight and the re-ask."""
        return (self.tonight + self.again) / 2

    def sizes(self) -> dict[str, np.ndarray]:
        """What d may be, for each watch."""
        return {
            "pooled": -self.pooled.mean(axis=0),
            "re-ask": -self.again.mean(axis=0),
            "pooled, least shown": least_shown(self.pooled),
            "re-ask, least shown": least_shown(self.again),
        }


def least_shown(differences: np.ndarray) -> np.ndarray:
    """The least drop that the 95 % interval holds, 0 where it holds none."""
    return np.asarray(np.maximum(-tested(differences).limits(0.95)[1], 0))


def some_of(of: Watches, watch: np.ndarray) -> Watches:
    """These of the watches."""
    return Watches(of.setting, of.chance[:, watch], of.worse[:, watch], of.baseline[:, watch])


def alarmed(rng: Generator, setting: Setting, levels: AlarmLevels, drop: float, count: int) -> Alarmed:
    """So many watches on the night of their first alarm, of those that raise one soon after the drop."""
    found: list[Alarmed] = []
    left, worse = count, drop > 0
    while left > 0:
        of = watches(rng, setting, 1000, drop=drop)
        nights = of.ask(rng, SOON, worse=worse)[:, :, 0]
        watch, night = np.nonzero(p_worse(nights) < levels.night)
        again = of.ask_again(rng, watch, np.zeros_like(watch), worse)
        agreed = np.flatnonzero(p_worse(again) < levels.again)
        first = agreed[np.unique(watch[agreed], return_index=True)[1]][:left]
        watch, night = watch[first], night[first]
        found.append(Alarmed(some_of(of, watch), nights[:, watch, night], again[:, first]))
        left -= len(first)
    joined = {
        name: np.concatenate([getattr(one.of, name) for one in found], axis=1)
        for name in ("chance", "worse", "baseline")
    }
    tonight = np.concatenate([one.tonight for one in found], axis=1)
    again = np.concatenate([one.again for one in found], axis=1)
    return Alarmed(Watches(setting, **joined), tonight, again)


def intervals(given: Alarmed, drop: float) -> None:
    """How often the 95 % interval of the drop holds it, by what it is taken from, and how large it seems."""
    print(f"{'interval from':24}{'points':>7}{'wide':>7}{'holds the drop':>16}{'holds 0':>9}")
    for name, values in (("tonight", given.tonight), ("re-ask", given.again), ("pooled", given.pooled)):
        found = tested(values)
        low, high = found.limits(0.95)
        holds = (low <= -drop) & (-drop <= high)
        print(
            f"{name:24}{-100 * found.mean.mean():7.1f}{100 * (high - low).mean():7.1f}{holds.mean():16.3f}"
            f"{(high >= 0).mean():9.3f}"
        )


def nights_to_leave(rng: Generator, given: Alarmed, size: np.ndarray, in_a_row: int) -> np.ndarray:
    """After how many nights without any drop the alarm is left; `AFTER` + 1 where it is not within these."""
    found = np.full(len(size), AFTER + 1)
    near = np.zeros(len(size), dtype=int)
    for night in range(1, AFTER + 1):
        near = np.where(given.of.ask(rng, 1)[:, :, 0, 0].mean(axis=0) > -size / 2, near + 1, 0)
        found[(near == in_a_row) & (found > AFTER)] = night
    return found


def times_left(rng: Generator, given: Alarmed, levels: AlarmLevels, rule: str, in_a_row: int) -> np.ndarray:
    """How often it is left within `AFTER` nights of a drop that stays; it may be raised again, and is."""
    size = given.sizes()[rule]
    stands = np.ones(len(size), dtype=bool)
    near, left = np.zeros(len(size), dtype=int), np.zeros(len(size), dtype=int)
    for _ in range(AFTER):
        tonight, again = np.moveaxis(given.of.ask(rng, 2, worse=True)[:, :, 0], -1, 0)
        near = np.where(stands & (tonight.mean(axis=0) > -size / 2), near + 1, 0)
        leaves = near == in_a_row
        raised = ~stands & (p_worse(tonight) < levels.night) & (p_worse(again) < levels.again)
        size = np.where(raised, Alarmed(given.of, tonight, again).sizes()[rule], size)
        near[leaves] = 0
        left += leaves
        stands = (stands & ~leaves) | raised
    return left


def slow(rng: Generator, setting: Setting, levels: AlarmLevels, drop: float, count: int) -> None:
    """How long a slow alarm stands, by weeks, with the drop and without it."""

    def week(of: Watches, worse: bool) -> np.ndarray:
        return np.asarray(of.ask(rng, WEEK, worse=worse)[:, :, 0].mean(axis=-1))

    of = watches(rng, setting, count, drop=drop)
    saw = week(of, True)
    watch = np.flatnonzero(flagged(p_worse(saw)[:, None, None], levels.week))
    some, saw = some_of(of, watch), saw[:, watch]
    print(f"{len(watch) / count:.2f} of weeks raise a slow alarm")
    print(
        f"{'d of a slow alarm':24}{'points':>7}{'drop stays: left in 4 weeks':>29}{'recovered: in 1':>17}"
        f"{'in 4':>7}"
    )
    for name, size in (("as seen", -saw.mean(axis=0)), ("least shown", least_shown(saw))):
        stays, gone = (
            np.array([week(some, worse).mean(axis=0) > -size / 2 for _ in range(4)])
            for worse in (True, False)
        )
        print(
            f"{name:24}{100 * size.mean():7.1f}{stays.any(axis=0).mean():29.3f}{gone[0].mean():17.3f}"
            f"{gone.any(axis=0).mean():7.3f}",
            flush=True,
        )


def report(years: int) -> None:
    """Intervals and ends of alarms, for several drops and for none."""
    count = 4 * years
    for rows, drop in ((100, 0.1), (100, 0.05), (300, 0.05), (100, 0.0)):
        setting, rng = Setting(rows), np.random.default_rng([rows, round(100 * drop)])
        levels = alarm_levels(1, tests=1, baseline_repeats=setting.baseline_repeats)
        given = alarmed(rng, setting, levels, drop, count)
        print(f"\n{rows} rows, a drop of {100 * drop:g} points, {count:,} alarms")
        intervals(given, drop)
        print(
            f"{'d of a quick alarm':32}{'points':>7}{'recovered: left after':>23}{'nine in ten':>13}"
            f"{f'not in {AFTER}':>11}"
            + ("" if not drop else f"{f'drop stays: times left in {AFTER}':>30}{'never':>7}")
        )
        sizes = given.sizes()
        for rule, in_a_row in ENDS:
            size = sizes[rule]
            gone = nights_to_leave(rng, given, size, in_a_row)
            print(
                f"{f'{rule}, {in_a_row} nights':32}{100 * size.mean():7.1f}{np.median(gone):23.0f}"
                f"{np.quantile(gone, 0.9):13.0f}{(gone > AFTER).mean():11.3f}",
                end="" if drop else "\n",
            )
            if drop:
                left = times_left(rng, given, levels, rule, in_a_row)
                print(f"{left.mean():30.2f}{(left == 0).mean():7.2f}")
        if drop:
            slow(rng, setting, levels, drop, 10 * years)
