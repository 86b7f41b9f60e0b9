"""The quick rule for latencies, simulated: shown slower by more than a margin, tonight and in a re-ask.

Latencies are lognormal (sigma .5) around each row's own, in all of 50 rows. A row's baseline is the
geometric mean of its five answers, or their mean, as a table of seconds has it: that is by a tenth larger
than what one answer typically takes, so that tonight seems faster than it is. At the level of one false
alarm a year, 1,000 years; false alarms a year where nothing changed | at a ratio of 1.25, the margin itself
| found the first night at 1.5 | at 2:

    geometric mean    .00 | .66 | .50 | 1.00
    mean              .00 | .01 | .07 | .99
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from labkit.stats import ratio_of_typical
from labkit.stats.false_alarms import alarm_levels
from labkit.stats.intervals import student

ROWS, REPEATS, SIGMA, MARGIN = 50, 5, 0.5, 1.25
NIGHTS = 365


def slower(tonight: np.ndarray, baseline: np.ndarray, level: float) -> np.ndarray:
    """In which columns (of logarithms) the lower limit of the ratio lies above the margin."""
    apart = tonight - baseline
    reach = student(ROWS - 1, 1 - 2 * level) * apart.std(axis=0, ddof=1) / math.sqrt(ROWS)
    # The limit is never above Student's own; where that is below the margin there is nothing to ask.
    found = np.asarray(apart.mean(axis=0) - reach > math.log(MARGIN))
    for column in np.flatnonzero(found):
        ratio = ratio_of_typical(np.exp(tonight[:, column]), np.exp(baseline[:, column]), level=1 - 2 * level)
        found[column] = ratio.low > MARGIN
    return found


def alarms(rng: Generator, ratio: float, *, years: int, nights: int, geometric: bool, level: float) -> float:
    """The share of nights on which a quick alarm is raised, where answers take `ratio` times as long."""
    count = 0
    for _ in range(years):
        five = rng.normal(0, SIGMA, (ROWS, 1, REPEATS))
        baseline = five.mean(axis=-1) if geometric else np.log(np.exp(five).mean(axis=-1))
        baseline = np.broadcast_to(baseline, (ROWS, nights))
        tonight = rng.normal(math.log(ratio), SIGMA, (ROWS, nights))
        at = np.flatnonzero(slower(tonight, baseline, level))
        again = rng.normal(math.log(ratio), SIGMA, (ROWS, len(at)))
        count += int(slower(again, baseline[:, at], level).sum())
    return count / years / nights


def report(years: int) -> None:
    """False alarms where nothing changed, and at the margin; how often a factor of 1.5 is found at once."""
    level = alarm_levels(1, tests=1, baseline_repeats=REPEATS).night
    print(f"\nlatencies, level {level:.4f}, {years:,} years")
    print(f"{'baseline of 5':16}{'a year at 1':>12}{'at 1.25':>9}{'first night at 1.5':>20}{'at 2':>6}")
    for geometric in (True, False):
        rng = np.random.default_rng(int(geometric))
        a_year = [
            NIGHTS * alarms(rng, ratio, years=years, nights=NIGHTS, geometric=geometric, level=level)
            for ratio in (1.0, MARGIN)
        ]
        first = [
            alarms(rng, ratio, years=4 * years, nights=1, geometric=geometric, level=level)
            for ratio in (1.5, 2.0)
        ]
        name = "geometric mean" if geometric else "mean"
        print(f"{name:16}{a_year[0]:12.2f}{a_year[1]:9.2f}{first[0]:20.2f}{first[1]:6.2f}", flush=True)
