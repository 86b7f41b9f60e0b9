"""What a night watch costs in false alarms and how soon it finds a drop: by simulation.

    python benchmarks/sentinel.py                  # all of it: two minutes of CPU
    python benchmarks/sentinel.py --years 100      # fewer years and watches
    python benchmarks/sentinel.py --only rules     # or own, after, latency

Eight rules, 100 rows, one test, 1,000 years; a year of false alarms | years with ten or more | a drop of 10
points found the first night | within three; in brackets what was found before, with 200 years (rows as
drawn in `sentinel_nights`; by labkit's test there and below):

    5 %, baseline asked once                      15.2 (21.0)   .31 (.35)   .60 (.61)   .84 (.89)
    5 %, baseline 5 repeats                       16.7 (16.7)   .59 (.60)   .79 (.80)   .98 (.98)
    1 %, baseline 5                                3.0 (2.3)    .06 (.06)   .54 (.46)   .87 (.82)
    5 %, baseline 5, re-asked, both agree          1.4 (0.93)   .02 (.01)   .64 (.55)   .92 (.91)
    1 %, baseline 5, both agree                    0.07 (0.05)  0 (0)       .31 (.28)   .62 (.56)
    5 %, margin 2 points, baseline 5, both agree   0.22 (0.12)  0 (0)       .43 (.26)   .76 (.62)
    5 %, two nights in a row, baseline 5           1.4 (1.2)    .02 (.03)   .65 (.54)   .76 (.83)
    5 %/365 each night                             0.03 (0.00)  0 (0)       .09 (.04)   .23 (.14)

Of two nights in a row the second is counted as the first: none can be found sooner.

labkit's own rule, levels for one false alarm a year, 1,000 years a cell; asked for: at most 1.5 everywhere
(50, 100, 300 rows, baselines of 1, 3, 5 repeats, 1 and 6 tests), and a drop of 10 points found within three
nights in .85 and more (100 rows, baseline 5, one test). False alarms a year, 1 test | 6 tests | within
three nights, 1 test:

                       50 rows              100 rows             300 rows
    baseline 1     .50 | .35 | .16      .78 | .61 | .41      .88 | 1.13 | .95
    baseline 3     .55 | .37 | .37      .79 | .54 | .79      .81 | .77 | 1.00
    baseline 5     .55 | .34 | .46      .63 | .58 | .87      .99 | .90 | 1.00

These are counted with errors of .02 to .31, the larger ones where a baseline of one repeat leaves all of
them to few unlucky baselines: the unluckiest tenth have 2 to 11 a year each, where 7 to 10 are told. At
temperature 0 there are none. What follows an alarm, and latencies: `sentinel_after` and `sentinel_latency`.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
import sentinel_after
import sentinel_latency
from numpy.random import Generator
from sentinel_nights import NIGHTS, Setting, Watches, false_alarms, found, quick_alarms, watches

from labkit.stats.false_alarms import alarm_levels

YEARS = 1000
DROP = 0.1
BUDGET = 1.0
MOST = 1.5
"""False alarms a year that are allowed where one was asked for."""
FOUND = 0.85
"""How often a drop of 10 points is to be found within three nights."""


@dataclass(frozen=True)
class Rule:
    """When a night is an alarm: shown worse at `level`, by more than a margin, and confirmed or not."""

    name: str
    level: float
    baseline_repeats: int = 5
    margin: float = 0.0
    confirmed: Literal["", "re-ask", "night before"] = ""

    def alarms(self, rng: Generator, of: Watches, nights: np.ndarray, *, worse: bool = False) -> np.ndarray:
        """Which (watches, nights) are alarms; one test a watch."""
        again = self.level if self.confirmed == "re-ask" else 1.0
        found = quick_alarms(rng, of, nights, self.level, again, margin=self.margin, worse=worse)[:, 0]
        if self.confirmed == "night before":
            found[:, 1:] &= found[:, :-1].copy()
            found[:, 0] = False
        return found


RULES = (
    Rule("5 %, baseline asked once", 0.05, 1),
    Rule("5 %, baseline 5 repeats", 0.05),
    Rule("1 %, baseline 5", 0.01),
    Rule("5 %, baseline 5, re-asked, both agree", 0.05, confirmed="re-ask"),
    Rule("1 %, baseline 5, both agree", 0.01, confirmed="re-ask"),
    Rule("5 %, margin 2 points, baseline 5, both agree", 0.05, margin=0.02, confirmed="re-ask"),
    Rule("5 %, two nights in a row, baseline 5", 0.05, confirmed="night before"),
    Rule("5 %/365 each night (spending)", 0.05 / NIGHTS),
)


def rules(years: int) -> None:
    """The table of eight rules."""
    print(f"\n{years:,} years, 100 rows, one test; a drop of 10 points in {20 * years:,} watches")
    print(f"{'rule':46}{'alarms a year':>14}{'>= 10':>8}{'first night':>13}{'within three':>14}")
    for rule in RULES:
        rng = np.random.default_rng([*rule.name.encode()])
        setting = Setting(100, rule.baseline_repeats)
        a_year = []
        for some in setting.blocks(years, NIGHTS):
            of = watches(rng, setting, some)
            a_year.append(rule.alarms(rng, of, of.ask(rng, NIGHTS)).sum(axis=-1))
        first, three = _found_by(rule, rng, setting, 20 * years)
        count = np.concatenate(a_year)
        print(
            f"{rule.name:46}{count.mean():14.2f}{(count >= 10).mean():8.3f}{first:13.2f}{three:14.2f}",
            flush=True,
        )


def _found_by(rule: Rule, rng: Generator, setting: Setting, count: int) -> tuple[float, float]:
    first = three = 0
    for some in setting.blocks(count, 3):
        of = watches(rng, setting, some, drop=DROP)
        alarms = rule.alarms(rng, of, of.ask(rng, 3, worse=True), worse=True)
        # Of two nights in a row the second is the first that can be one.
        first += int(alarms[:, int(rule.confirmed == "night before")].sum())
        three += int(alarms.any(axis=1).sum())
    return first / count, three / count


def own(years: int) -> None:
    """The grid for labkit's own rule, with the levels that it takes for one false alarm a year."""
    print(f"\nlabkit's rule at {BUDGET:g} a year, {years:,} years a cell; at 0: temperature 0")
    print(
        f"{'rows':>5}{'baseline':>9}{'tests':>6}{'night':>8}{'quick':>8}{'slow':>7}{'a year':>8}{'±':>6}"
        f"{'>= 10':>7}{'worst tenth':>12}{'told':>6}{'at 0':>6}{'first':>7}{'three':>7}{'at 0':>6}"
    )
    for rows, repeats, tests in product((50, 100, 300), (1, 3, 5), (1, 6)):
        setting = Setting(rows, repeats, tests)
        levels = alarm_levels(BUDGET, tests=tests, baseline_repeats=repeats)
        rng = np.random.default_rng([rows, repeats, tests])
        quick, slow = false_alarms(rng, setting, levels, years)
        # At temperature 0 every difference is 0: a tenth of the years is plenty.
        cold = replace(setting, temperature=0)
        still = sum(false_alarms(rng, cold, levels, max(1, years // 10)))
        both = quick + slow
        unlucky = np.sort(both)[-max(1, years // 10) :].mean()
        first, three = found(rng, setting, levels, 5 * years, drop=DROP)
        _, certain = found(rng, cold, levels, years, drop=DROP)
        print(
            f"{rows:5}{repeats:9}{tests:6}{levels.night:8.4f}{quick.mean():8.2f}{slow.mean():7.2f}"
            f"{both.mean():8.2f}{both.std() / years**0.5:6.2f}{(both >= 10).mean():7.3f}{unlucky:12.1f}"
            f"{levels.unlucky_per_year:6.1f}{np.mean(still):6.2f}{first:7.2f}{three:7.2f}{certain:6.2f}"
            + ("  too many" if both.mean() > MOST else "")
            + ("  too late" if (rows, repeats, tests) == (100, 5, 1) and three < FOUND else ""),
            flush=True,
        )


def main() -> None:
    """Print the parts that were asked for."""
    parts = {"rules": rules, "own": own, "after": sentinel_after.report, "latency": sentinel_latency.report}
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=int, default=YEARS)
    parser.add_argument("--only", choices=list(parts))
    given = parser.parse_args()
    began = time.monotonic()
    for name, part in parts.items():
        if given.only in (None, name):
            part(given.years)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
