"""Every two contenders against each other: differences of score, ratios of cost and latency, intervals.

Numbers only: what may be said of them is told in `labkit.verdict`. It does not know where the frame
came from, and sees nothing but the tables of a `ContenderTable`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.arguments import check, number, sure
from labkit.errors import DefinitionError
from labkit.stats import (
    Pairs,
    holm,
    pairwise,
    samples_to_decide,
    within_margin,
)
from labkit.stats.corrected import Corrected
from labkit.stats.units import Floats
from labkit.summary.confidence_sequences import anytime_limits, anytime_worst
from labkit.summary.contender_table import ContenderTable
from labkit.summary.corrected_pairs import COLUMNS as LABEL_COLUMNS
from labkit.summary.corrected_pairs import CORRECTED, JUDGE, corrected_pairs, label_columns
from labkit.summary.missing_scores import worst, worst_corrected
from labkit.summary.pairwise_ratios import ratios
from labkit.summary.win_counts import win_counts
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

MOST = 1_000_000_000
"""More samples than this are as good as never."""
FEWEST = 10
"""With fewer common samples, or clusters of them, nothing is said of how many more it would take."""

COLUMNS = (
    "first", "second", "n", "samples", "units",
    "difference", "low", "high", "all_low", "all_high", "p_value", "p_holm", "decided",
    "answer", "no_worse", "wins", "ties", "losses", "effect", "skewness",
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
    beside: ArrayLike = (),
) -> pd.DataFrame:
    """One row per pair, the better first (by the difference on common cells), in the order of contenders.

    `against` names one contender: only pairs with it are compared, which asks less of the data. `beside`
    are the `p_values` of other scores' pairs: what is said below of all pairs then holds for those and these
    together. Columns:

    - `first`, `second` (str); `n` (int): common cells; `samples` (int): common samples; `units` (int): what
      the intervals count, samples or clusters of samples
    - `difference` (float): mean score of the first − of the second over common cells; `low`, `high`:
      its interval at `level` for this pair alone; `all_low`, `all_high`: intervals that hold together
      for all pairs at `level` (Bonferroni); `p_value`; `p_holm`: Holm's over all pairs; `decided`
      (bool): `p_holm` below 1 − level
    - `answer` (str, missing without `margin`): `better` where the first is better by more than the margin
      (`all_low` above it), `equal` where the difference lies within it (two one-sided tests with Holm's
      correction, and the interval), else `cannot tell`; `no_worse` (boolean, NA without `margin`): the
      first is worse by less than the margin, by `all_low`. `equal` and `no_worse` hold whatever missing
      scores would have been: a pair with missing scores and no bounds is neither
    - `wins`, `ties`, `losses` (int): samples on which the first is better, level, worse; `effect`: d_z;
      `skewness`: of the units' differences
    - `missing` (int): cells of both designs that lack a score; `worst_low`, `worst_high`: the
      simultaneous interval whatever those would have been (infinite for scores without bounds)
    - `samples_needed` (Int64): about how many more samples would decide it with chance 0.8, if the true
      difference is the one seen, with `watched` at least; NA where decided or not to be told
    - `first_cost_usd`, `second_cost_usd` (USD per answer), `first_latency_s`, `second_latency_s`
      (geometric means of fresh answers, s): over common cells; `cost_ratio`, `latency_ratio`,
      `ttft_ratio`: first ÷ second, with simultaneous intervals `…_low`, `…_high`; `cost_n`,
      `latency_n` (int): the cells they rest on. NaN where a cost or clock is not known, and for clocks
      that come from different times. `latency_serial` (bool): neighbours in time resemble each other

    Where people labelled answers (`given.labels`) a pair goes by these, and there are more columns, after the
    others:

    - `basis` (str): `corrected`, the judge with at least 20 labelled samples in common
      (`labkit.stats.corrected`); `labels`, these alone, where they are fewer; `judge`, uncorrected. `n`,
      `wins` … are by the judge
    - `labelled` (int): labelled samples in common; `label_worth` (float): how many labels one was worth with
      the judge beside it; `judged_worth`: which part of a label one judged sample was worth
    - `judge_difference` (float): the judge's own; `judge_opposite` (bool): it alone decides the opposite;
      `judge_blind` (bool): it says the same of all
    - `labels_needed` (Int64): about how many more labels would decide it with chance 0.8; NA as above

    `attrs["unit"]` says whether scores were declared from 0 to 1, so that a hundredth is a point.

    With `watched` the intervals of differences hold at any moment of stopping (Waudby-Smith & Ramdas
    2024) and decide alone; p values are NaN. Raises DefinitionError for a margin not above 0, an
    unknown `against`, or a watched score without bounds.

    >>> import pandas as pd
    >>> from labkit.summary.contender_table import contender_table
    >>> rows = [{"model": m, "sample_id": s, "status": "done", "score.ok": float(m == "b")}
    ...         for m in "ab" for s in range(20)]
    >>> given = contender_table(pd.DataFrame(rows), bounds=(0, 1), step=1)
    >>> compare_pairs(given)[["first", "wins", "decided"]].values.tolist()
    [['b', 20, True]]
    """
    import pandas as pd

    check(number("margin", margin, above=0, or_none=True), sure("level", level))
    if watched and not given.score.scale.bounded:
        raise DefinitionError(f"score {quoted(given.scorer)} has no declared bounds, so it cannot be watched")
    plain, found, basis = _pairs(given, level, against, watched)
    turn = np.nan_to_num(plain.difference) < 0
    pairs = plain.better_first()
    family = np.append(pairs.p_value, beside)
    tests = max(1, int(np.isfinite(family).sum()))
    together = 1 - (1 - level) / tests
    wide = pairs.limits(together)
    data: dict[str, Any] = {
        "first": [given.names[place] for place in pairs.first],
        "second": [given.names[place] for place in pairs.second],
        "n": pairs.n,
        "units": pairs.t.units,
        "difference": pairs.difference,
        "low": pairs.low,
        "high": pairs.high,
        "all_low": wide[0],
        "all_high": wide[1],
        "p_value": pairs.p_value,
        "p_holm": holm(family)[: len(pairs)],
        "effect": pairs.effect,
        "skewness": pairs.t.skewness,
        "level": level,
    }
    data |= win_counts(given, pairs)
    data["decided"] = np.nan_to_num(data["p_holm"], nan=1.0) < 1 - level
    if watched:
        data |= anytime_limits(given, pairs, together)
    data |= anytime_worst(given, pairs, together) if watched else worst(given, pairs, together)
    data |= _margins(pairs, data, margin, 1 - level)
    data |= ratios(given, pairs, together)
    data["samples_needed"] = _needed(data, pairs, margin, (1 - level) / tests, watched)
    columns = list(COLUMNS)
    if found is not None and basis is not None:
        data |= label_columns(found, basis, turn, decided=data["decided"], alpha=(1 - level) / tests)
        data |= worst_corrected(given, pairs, data, basis)
        if not given.over:  # a verdict that was not read takes no sample away
            data["samples"] = np.where(basis == CORRECTED, found.n + found.others, data["samples"])
        # What settles a pair that people labelled is labels.
        data["samples_needed"] = data["samples_needed"].copy()
        data["samples_needed"][basis != JUDGE] = pd.NA
        columns += LABEL_COLUMNS
    made = pd.DataFrame(data, columns=columns)
    made.attrs["unit"] = given.score.scale.unit
    return made


def p_values(given: ContenderTable, *, against: str | None = None, watched: bool = False) -> Floats:
    """Those of the pairs that `compare_pairs` gives, in no order to rely on; NaN where there is no interval.

    All 1 in a watched study, which no p value decides: its pairs count in a correction, and take nothing.
    """
    found = _pairs(given, 0.95, against, watched)[0].p_value
    return np.where(np.isnan(found), np.nan, 1.0) if watched else found


def _pairs(
    given: ContenderTable, level: float, against: str | None, watched: bool
) -> tuple[Pairs, Corrected | None, NDArray[Any] | None]:
    """The pairs; where people labelled, as labels correct them, with what they were worth and what each pair
    goes by. Of a study that was watched nobody knows how to correct it at any moment."""
    if against is not None and against not in given.names:
        raise DefinitionError(f"against={quoted(against)} is none of {', '.join(map(repr, given.names))}")
    opponent = None if against is None else given.names.index(against)
    pairs = pairwise(given.score, level=level, against=opponent)
    if given.labels is None or watched or not len(pairs):
        return pairs, None, None
    return corrected_pairs(given, pairs)


def _margins(pairs: Pairs, data: dict[str, Any], margin: float | None, alpha: float) -> dict[str, Any]:
    import pandas as pd

    if margin is None:
        nothing = [pd.NA] * len(pairs)
        return {"answer": pd.array(nothing, dtype="str"), "no_worse": pd.array(nothing, dtype="boolean")}
    gone = data["missing"] > 0
    ends = [np.where(gone, data[f"worst_{end}"], data[f"all_{end}"]) for end in ("low", "high")]
    low, high = np.nan_to_num(ends[0], nan=-np.inf), np.nan_to_num(ends[1], nan=np.inf)
    inside = (low > -margin) & (high < margin)
    if np.isfinite(data["p_value"]).any():
        inside &= np.nan_to_num(holm(within_margin(pairs, margin).p_equivalent), nan=1.0) < alpha
    answer = np.where(data["all_low"] > margin, "better", np.where(inside, "equal", "cannot tell"))
    return {"answer": pd.array(answer, dtype="str"), "no_worse": pd.array(low > -margin, dtype="boolean")}


def _needed(data: dict[str, Any], pairs: Pairs, margin: float | None, alpha: float, watched: bool) -> Any:
    import pandas as pd

    found: list[int | None] = []
    for place in range(len(pairs)):
        settled = bool(data["decided"][place]) or data["answer"][place] == "equal"
        if margin is not None and data["missing"][place]:
            # What keeps these from being equal is not how many samples there are.
            settled |= bool(-margin < data["all_low"][place] and data["all_high"][place] < margin)
        samples = int(data["samples"][place])
        if settled or int(data["units"][place]) < FEWEST:
            found.append(None)
            continue
        totals = [samples_to_decide(pairs, place, alpha=alpha, margin=m) for m in (0.0, margin or 0.0)]
        known = [total for total in totals if total is not None]
        if not known:
            found.append(None)
            continue
        # Totals count common cells; more samples bring as many cells as these did, gaps included.
        more = min(known) * samples / int(pairs.n[place]) - samples
        if watched and more <= 0:
            # Ordinary intervals would have decided; how many more these take is not known.
            found.append(None)
            continue
        answered = int(pairs.n[place]) / max(1, int(pairs.n[place]) + int(data["missing"][place]))
        found.append(max(1, math.ceil(min(more / answered, MOST))))
    return pd.array(found, dtype="Int64")
