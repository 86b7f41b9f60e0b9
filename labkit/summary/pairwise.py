"""Every two contenders against each other: differences of score, ratios of cost and latency, intervals.

Numbers only: what may be said of them is told in `labkit.verdict`. It does not know where the frame
came from, and sees nothing but the tables of a `ContenderTable`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.arguments import check, number, sure
from labkit.errors import DefinitionError
from labkit.stats import (
    Pairs,
    holm,
    pairwise,
    samples_to_decide,
    within_margin,
)
from labkit.summary.confidence_sequences import anytime_limits, anytime_worst
from labkit.summary.contender_table import ContenderTable
from labkit.summary.missing_scores import worst
from labkit.summary.pairwise_ratios import ratios
from labkit.summary.win_counts import win_counts
from labkit.visible import quoted

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
    "latency_serial",
    "ttft_ratio", "ttft_low", "ttft_high", "level",
)  # fmt: skip


def compare_pairs(
    given: ContenderTable,
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
      `latency_n` (int): the cells they rest on. NaN where a cost or clock is not known, and for clocks
      that come from different times. `latency_serial` (bool): neighbours in time resemble each other

    With `watched` the intervals of differences hold at any moment of stopping (Waudby-Smith & Ramdas
    2024) and decide alone; p values are NaN. Raises DefinitionError for a margin not above 0, an
    unknown `against`, or a watched score without bounds.

    >>> import pandas as pd
    >>> from labkit.summary.contender_table import contender_table
    >>> rows = [{"model": m, "sample_id": s, "status": "done", "score.ok": float(m == "b")}
    ...         for m in "ab" for s in range(20)]
    >>> compare_pairs(contender_table(pd.DataFrame(rows)))[["first", "wins", "decided"]].values.tolist()
    [['b', 20, True]]
    """
    import pandas as pd

    check(number("margin", margin, above=0, or_none=True), sure("level", level))
    if watched and not given.bounded:
        raise DefinitionError(f"score {quoted(given.scorer)} has no bounds 0 to 1, so it cannot be watched")
    if against is not None and against not in given.names:
        raise DefinitionError(f"against={quoted(against)} is none of {', '.join(map(repr, given.names))}")
    opponent = None if against is None else given.names.index(against)
    pairs = _levelled(pairwise(given.score, level=level, against=opponent)).better_first()
    tests = max(1, int(np.isfinite(pairs.p_value).sum()))
    together = 1 - (1 - level) / tests
    wide = pairs.limits(together)
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
    data |= win_counts(given, pairs)
    data["decided"] = np.nan_to_num(data["p_holm"], nan=1.0) < 1 - level
    if watched:
        data |= anytime_limits(given, pairs, together)
    data |= _margins(pairs, data, margin, 1 - level)
    data |= anytime_worst(given, pairs, together) if watched else worst(given, pairs, together)
    data |= ratios(given, pairs, together)
    data["samples_needed"] = _needed(data, pairs, margin, (1 - level) / tests)
    return pd.DataFrame(data, columns=list(COLUMNS))


def _levelled(pairs: Pairs) -> Pairs:
    """Differences that are nothing but the rest of a subtraction become 0."""
    rest = np.abs(np.nan_to_num(pairs.difference)) < 1e-12
    return replace(pairs, difference=np.where(rest, 0.0, pairs.difference))


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
