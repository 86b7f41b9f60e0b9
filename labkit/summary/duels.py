"""Every two contenders against each other: differences of score, ratios of cost and latency, intervals.

Numbers only: what may be said of them is told in `labkit.verdict`. It does not know where the frame
came from, and sees nothing but the tables of a `Contest`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labkit.errors import DefinitionError
from labkit.stats import (
    Pairs,
    Table,
    holm,
    pairwise,
    samples_to_decide,
    sequential_interval,
    within_margin,
)
from labkit.stats.units import Floats
from labkit.summary.contest import Contest
from labkit.summary.ratios import ratios

if TYPE_CHECKING:
    import pandas as pd

MOST = 1_000_000_000
"""More samples than this are as good as never."""
FEWEST = 10
"""With fewer common samples nothing is said of how many more it would take."""

COLUMNS = (
    "first", "second", "n", "samples",
    "difference", "low", "high", "all_low", "all_high", "p_value", "p_holm", "decided",
    "equivalent", "no_worse", "wins", "ties", "losses", "effect",
    "missing", "worst_low", "worst_high", "samples_needed",
    "first_cost_usd", "second_cost_usd", "cost_ratio", "cost_low", "cost_high", "cost_n",
    "first_latency_s", "second_latency_s", "latency_ratio", "latency_low", "latency_high", "latency_n",
    "ttft_ratio", "ttft_low", "ttft_high", "level",
)  # fmt: skip


def duels(
    given: Contest,
    *,
    margin: float | None = None,
    level: float = 0.95,
    against: str | None = None,
    watched: bool = False,
) -> pd.DataFrame:
    """One row per pair, the better first (by the difference on common cells), in the order of contenders.

    `against` names one contender: only pairs with it are compared, which asks less of the data.
    Columns:

    - `first`, `second` (str); `n` (int): common cells; `samples` (int): common samples, the units
    - `difference` (float): mean score of the first − of the second over common cells; `low`, `high`:
      its interval at `level` for this pair alone; `all_low`, `all_high`: intervals that hold together
      for all pairs at `level` (Bonferroni); `p_value`; `p_holm`: Holm's over all pairs; `decided`
      (bool): `p_holm` below 1 − level
    - `equivalent` (boolean): the difference lies within the margin, by two one-sided tests with Holm's
      correction and by the interval; `no_worse` (boolean): the first is worse by less than the margin,
      by `all_low`. NA without `margin`
    - `wins`, `ties`, `losses` (int): samples on which the first is better, level, worse; `effect`: d_z
    - `missing` (int): cells of both designs that lack a score; `worst_low`, `worst_high`: the
      simultaneous interval whatever those would have been (NaN for scores without bounds)
    - `samples_needed` (Int64): about how many more samples would decide it, with chance 0.8 if what is
      seen is true; NA where decided or not to be told
    - `first_cost_usd`, `second_cost_usd` (USD per answer), `first_latency_s`, `second_latency_s`
      (geometric means of fresh answers, s): over common cells; `cost_ratio`, `latency_ratio`,
      `ttft_ratio`: first ÷ second, with simultaneous intervals `…_low`, `…_high`; `cost_n`,
      `latency_n` (int): the cells they rest on. NaN where a cost or clock is not known

    With `watched` the intervals of differences hold at any moment of stopping (Waudby-Smith & Ramdas
    2024) and decide alone; p values are NaN. Raises DefinitionError for a margin not above 0, an
    unknown `against`, or a watched score without bounds.

    >>> import pandas as pd
    >>> from labkit.summary.contest import contest
    >>> rows = [{"model": m, "sample_id": s, "status": "done", "score.ok": float(m == "b")}
    ...         for m in "ab" for s in range(20)]
    >>> duels(contest(pd.DataFrame(rows)))[["first", "wins", "decided"]].values.tolist()
    [['b', 20, True]]
    """
    import pandas as pd

    if margin is not None and not margin > 0:
        raise DefinitionError(f"margin={margin!r:.40} is to be above 0, such as 0.02 for 2 points")
    if not 0 < level < 1:
        raise DefinitionError(f"level={level!r:.40} is to lie between 0 and 1, as 0.95 does")
    if watched and not given.bounded:
        raise DefinitionError(f"score {given.scorer!r:.60} has no bounds 0 to 1, so it cannot be watched")
    if against is not None and against not in given.names:
        raise DefinitionError(f"against={against!r:.80} is none of {', '.join(map(repr, given.names))}")
    opponent = None if against is None else given.names.index(against)
    pairs = _oriented(_levelled(pairwise(given.score, level=level, against=opponent)))
    tests = max(1, int(np.isfinite(pairs.p_value).sum()))
    together = 1 - (1 - level) / tests
    wide = _reach(given.score, pairs, together)
    data: dict[str, Any] = {
        "first": [given.names[place] for place in pairs.first],
        "second": [given.names[place] for place in pairs.second],
        "n": pairs.n,
        "difference": pairs.difference,
        "low": pairs.low,
        "high": pairs.high,
        "all_low": wide[0],
        "all_high": wide[1],
        "p_value": pairs.p_value,
        "p_holm": holm(pairs.p_value),
        "effect": pairs.effect,
        "level": level,
    }
    data |= _tallies(given, pairs)
    data["decided"] = np.nan_to_num(data["p_holm"], nan=1.0) < 1 - level
    if watched:
        data |= _watched(given, pairs, together)
    data |= _margins(pairs, data, margin, 1 - level)
    data |= _watched_worst(given, pairs, together) if watched else _worst(given, pairs, together)
    data |= ratios(given, pairs, together)
    data["samples_needed"] = _needed(data, pairs, margin, (1 - level) / tests)
    return pd.DataFrame(data, columns=list(COLUMNS))


def _levelled(pairs: Pairs) -> Pairs:
    """Differences that are nothing but the rest of a subtraction become 0."""
    rest = np.abs(np.nan_to_num(pairs.difference)) < 1e-12
    return replace(pairs, difference=np.where(rest, 0.0, pairs.difference))


def _oriented(pairs: Pairs) -> Pairs:
    """The same pairs, each with the contender first that is ahead."""
    turn = np.nan_to_num(pairs.difference) < 0

    def sign(values: Floats) -> Floats:
        return np.where(turn, -values, values)

    return replace(
        pairs,
        first=np.where(turn, pairs.second, pairs.first),
        second=np.where(turn, pairs.first, pairs.second),
        difference=sign(pairs.difference),
        low=np.where(turn, -pairs.high, pairs.low),
        high=np.where(turn, -pairs.low, pairs.high),
        wins=np.where(turn, pairs.losses, pairs.wins),
        losses=np.where(turn, pairs.wins, pairs.losses),
        effect=sign(pairs.effect),
        centre=sign(pairs.centre),
    )


def _reach(table: Table, pairs: Pairs, level: float) -> tuple[Floats, Floats]:
    """The pairs' intervals at another level."""
    from labkit.stats.intervals import student

    steps = {int(free): student(int(free), level) for free in np.unique(pairs.freedom)}
    reach = np.array([steps[int(free)] for free in pairs.freedom]) * pairs.error
    present = table.means[table.counts > 0]
    edge = 1.0 if len(present) and present.min() >= 0 and present.max() <= 1 else math.inf
    return np.clip(pairs.centre - reach, -edge, edge), np.clip(pairs.centre + reach, -edge, edge)


def _apart(given: Contest, first: int, second: int) -> tuple[Floats, NDArray[np.intp]]:
    """The mean difference of each sample that the two have in common, and which samples these are."""
    return _by_sample(given.score.means[:, first] - given.score.means[:, second], given.sample)


def _by_sample(apart: Floats, sample: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    common = ~np.isnan(apart)
    samples = sample[common]
    count = np.bincount(samples)
    found = np.flatnonzero(count)
    return np.bincount(samples, weights=apart[common])[found] / count[found], found


def _tallies(given: Contest, pairs: Pairs) -> dict[str, Any]:
    if not given.over:
        return {"samples": pairs.n, "wins": pairs.wins, "ties": pairs.ties, "losses": pairs.losses}
    rows = []
    for first, second in zip(pairs.first, pairs.second, strict=True):
        apart = _apart(given, first, second)[0]
        # Sums over prompts of what is equal leave a rest like 1e-17.
        rows.append((len(apart), *(int(found.sum()) for found in (apart > 1e-12, apart < -1e-12))))
    samples, wins, losses = np.array(rows, dtype=np.intp).reshape(-1, 3).T
    return {"samples": samples, "wins": wins, "ties": samples - wins - losses, "losses": losses}


def _watched(given: Contest, pairs: Pairs, level: float) -> dict[str, Any]:
    low, high = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    for place, (first, second) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        low[place], high[place] = _always(given, first, second, (np.nan, np.nan), level)
    nothing = np.full(len(pairs), np.nan)
    return {
        "low": low,
        "high": high,
        "all_low": low,
        "all_high": high,
        "p_value": nothing,
        "p_holm": nothing,
        "decided": (low > 0) | (high < 0),
    }


def _watched_worst(given: Contest, pairs: Pairs, level: float) -> dict[str, Any]:
    missing = _missing(given, pairs)
    least, most = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    for place, (first, second) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        least[place] = _always(given, first, second, (0.0, 1.0), level)[0]
        most[place] = _always(given, first, second, (1.0, 0.0), level)[1]
    return {"missing": missing, "worst_low": least, "worst_high": most}


def _always(
    given: Contest, first: int, second: int, missing: tuple[float, float], level: float
) -> tuple[float, float]:
    """Limits of the difference that hold at any moment, with missing scores of the two at these values."""
    both = []
    for column, value in zip((first, second), missing, strict=True):
        means, asked = given.score.means[:, column], given.asked[:, column]
        both.append(np.where(np.isnan(means) & asked, value, means))
    apart, samples = _by_sample(both[0] - both[1], given.sample)
    if not len(apart):
        return math.nan, math.nan
    rank = np.argsort(given.order)
    asked_in = apart[np.argsort(rank[samples], kind="stable")]
    found = sequential_interval(np.clip(asked_in, -1, 1), low=-1, high=1, level=level)
    return found.low, found.high


def _margins(pairs: Pairs, data: dict[str, Any], margin: float | None, alpha: float) -> dict[str, Any]:
    import pandas as pd

    if margin is None:
        nothing = pd.array([pd.NA] * len(pairs), dtype="boolean")
        return {"equivalent": nothing, "no_worse": nothing}
    low, high = np.nan_to_num(data["all_low"], nan=-np.inf), np.nan_to_num(data["all_high"], nan=np.inf)
    inside = (low > -margin) & (high < margin)
    if np.isfinite(data["p_value"]).any():
        inside &= np.nan_to_num(holm(within_margin(pairs, margin).p_equivalent), nan=1.0) < alpha
    return {
        "equivalent": pd.array(inside, dtype="boolean"),
        "no_worse": pd.array(low > -margin, dtype="boolean"),
    }


def _worst(given: Contest, pairs: Pairs, level: float) -> dict[str, Any]:
    table, k = given.score, len(given.names)
    gone, missing = given.asked & np.isnan(table.means), _missing(given, pairs)
    if not given.bounded:
        nothing = np.full(len(pairs), np.nan)
        return {"missing": missing, "worst_low": nothing, "worst_high": nothing}
    least, most = _reach(table, pairs, level)
    low, high = (np.where(gone, end, table.means) for end in (0.0, 1.0))
    for first in np.unique(pairs.first[missing > 0]):
        # Column 0 is this contender with its missing scores at 0, column 1 at 1; the others follow.
        means = np.column_stack([low[:, first], high[:, first], low, high])
        filled = replace(table, means=means, counts=(~np.isnan(means)).astype(np.intp))
        at_worst, at_best = (pairwise(filled, level=level, against=side) for side in (0, 1))
        for place in np.flatnonzero((pairs.first == first) & (missing > 0)):
            second = int(pairs.second[place])
            least[place] = -at_worst.high[at_worst.first == 2 + k + second][0]
            most[place] = -at_best.low[at_best.first == 2 + second][0]
    return {"missing": missing, "worst_low": least, "worst_high": most}


def _missing(given: Contest, pairs: Pairs) -> NDArray[np.intp]:
    gone = given.asked & np.isnan(given.score.means)
    counts = [
        int(((gone[:, one] & given.asked[:, two]) | (gone[:, two] & given.asked[:, one])).sum())
        for one, two in zip(pairs.first, pairs.second, strict=True)
    ]
    return np.array(counts, dtype=np.intp)


def _needed(data: dict[str, Any], pairs: Pairs, margin: float | None, alpha: float) -> Any:
    import pandas as pd

    found: list[int | None] = []
    for place in range(len(pairs)):
        settled = bool(data["decided"][place]) or (margin is not None and bool(data["equivalent"][place]))
        samples = int(data["samples"][place])
        if settled or samples < FEWEST:
            found.append(None)
            continue
        totals = [samples_to_decide(pairs, place, alpha=alpha, margin=m) for m in (0.0, margin or 0.0)]
        known = [total for total in totals if total is not None]
        if not known:
            found.append(None)
            continue
        # Totals count common cells; more samples bring as many cells as these did, gaps included.
        more = min(known) * samples / int(pairs.n[place]) - samples
        answered = int(pairs.n[place]) / max(1, int(pairs.n[place]) + int(data["missing"][place]))
        found.append(max(1, math.ceil(min(more / answered, MOST))))
    return pd.array(found, dtype="Int64")
