"""One metric of one prompt on one model, tonight against the baseline, in figures: how much it changed, how
sure that is, and whether it can be told at all.

Scores by `labkit.verdict.comparison`, prices and times by `labkit.stats.ratios`, over common rows. It decides
nothing: levels and alarms are the night's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import DefinitionError
from labkit.sentinel.finding import COST, LATENCY, SCORE
from labkit.sentinel.rows import FEWEST_ROWS, Contender, fresh, means, of
from labkit.stats import Interval, ratio_of_means, ratio_of_typical
from labkit.summary.pairwise_ratios import within_resolution
from labkit.verdict.comparison import compare
from labkit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

MOST_LACKING = 0.1
"""Of the baseline's rows, the share that may have no fresh answer."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What rows show of one metric. All figures are over the rows that both have."""

    contender: Contender
    metric: str
    why_not: str = ""
    """Why nothing can be told; empty: it can."""
    absent: bool = False
    """Whether there is nothing to measure, so that nobody is to worry."""
    samples: int = 0
    before: float = math.nan
    now: float = math.nan
    change: float = math.nan
    """Of a score now − before, else now ÷ before; `low` and `high` are its interval."""
    low: float = math.nan
    high: float = math.nan
    p_worse: float = math.nan
    """One-sided, of a score: that it did not fall (or rise, where lower is better)."""
    length_ratio: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    """How many times as many output tokens an answer has, with its limits."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Which it is."""
        return (*self.contender, self.metric)

    @property
    def tells(self) -> bool:
        """Whether anything can be said."""
        return not self.why_not and not self.absent


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """What is watched: scores with the direction of each, price, latency."""

    scores: Sequence[str]
    """As columns: `score.<name>`."""
    cost: bool
    latency: bool
    better: Mapping[str, str]
    """`lower` for the scores (columns) that are better when lower."""


def measured(
    before: pd.DataFrame,
    now: pd.DataFrame,
    wanted: Sequence[Contender],
    metrics: Metrics,
    *,
    level: float = 0.95,
) -> list[Measured]:
    """All metrics of the wanted prompts and models. `before` and `now` are frames of generations; copies and
    what is not done count as missing. Intervals hold together for all prompts and models at `level`."""
    old, new = fresh(before), fresh(now)
    together = 1 - (1 - level) / max(1, len(wanted))
    found = []
    for metric in metrics.scores:
        lacking = {one: lacks(old, now, one, metric) for one in wanted}
        able = [one for one, lack in lacking.items() if lack is None]
        figures = _scores(old, new, able, metric, metrics.better.get(metric, "higher"), level, len(wanted))
        found += [_lacking(one, metric, lacking[one]) or figures[one] for one in wanted]
    for one in wanted:
        for metric, asked in ((COST, metrics.cost), (LATENCY, metrics.latency)):
            if asked:
                lack = lacks(old, now, one, metric)
                found.append(_lacking(one, metric, lack) or ratio(old, new, one, metric, level=together))
    return found


@dataclass(frozen=True)
class Lack:
    """Why a metric cannot be told."""

    why: str
    absent: bool = False


def lacks(old: pd.DataFrame, now: pd.DataFrame, one: Contender, metric: str) -> Lack | None:
    """Why tonight's rows of one metric are too few to be held against the baseline's; None: they are
    enough."""
    asked = of(now, one)
    had, has = means(of(old, one), metric), means(of(fresh(now), one), metric)
    if not len(had):
        return Lack("the baseline has none", absent=metric in (COST, LATENCY) or not len(has))
    if metric == COST and (free := _free(had, has)) is not None:
        return free
    gone = had.index.difference(has.index)
    if len(gone) > MOST_LACKING * len(had):
        return Lack(_gone(asked, gone, had, metric))
    common = len(had) - len(gone)
    if common < FEWEST_ROWS:
        return Lack(
            f"it has {common} rows in common with the baseline, and fewer than {FEWEST_ROWS} show nothing"
        )
    return None


def _free(had: pd.Series[float], has: pd.Series[float]) -> Lack | None:
    """Where a price is 0 there is no ratio."""
    if had.sum() > 0 and (not len(has) or has.sum() > 0):
        return None
    if had.sum() == 0 and len(has) and has.sum() > 0:
        return Lack("it cost nothing in the baseline, and costs something now: accept another baseline")
    return Lack("it costs nothing", absent=True)


def _gone(asked: pd.DataFrame, gone: pd.Index[str], had: pd.Series[float], metric: str) -> str:
    """How many rows lack what is measured, and why most of them do."""
    rows = asked[asked["sample_id"].isin(gone)]
    reasons = Counter[str]()
    reasons[_NOT_ASKED] = len(gone) - rows["sample_id"].nunique()
    reasons["replays: ask with fresh=True"] = int(
        (rows["replayed_from"].notna() & (rows["status"] == "done")).sum()
    )
    failed = rows[rows["status"] != "done"]
    reasons.update(failed["error_type"].fillna(failed["status"]).astype(str))
    (reason, count), *_ = reasons.most_common(1)
    of_had = f"{len(gone):,} of {len(had):,} rows of the baseline"
    if reason == _NOT_ASKED and count == len(gone):
        return f"{of_had} were not asked, such as {visible(gone[0], limit=40)}: another table?"
    if not count:
        return f"{of_had} have no {'fresh answer' if metric in (COST, LATENCY) else 'score'}"
    return f"{of_had} have no fresh answer ({count:,} of them {reason})"


_NOT_ASKED = "not asked"


def _lacking(one: Contender, metric: str, lack: Lack | None) -> Measured | None:
    if lack is None:
        return None
    return Measured(contender=one, metric=metric, why_not=lack.why, absent=lack.absent)


def _scores(
    old: pd.DataFrame,
    new: pd.DataFrame,
    able: Sequence[Contender],
    metric: str,
    better: str,
    level: float,
    family: int,
) -> dict[Contender, Measured]:
    """The scores of these prompts and models, by the verdict's paired comparison."""
    if not able:
        return {}
    sides = []
    for frame in (old, new):
        keys = list(zip(frame["prompt"].astype(str), frame["model"].astype(str), strict=True))
        part = frame[[key in able for key in keys]]
        part.attrs = dict(frame.attrs)
        sides.append(part)
    # Together for all that are watched, also where some cannot be told.
    alone = 1 - (1 - level) * len(able) / family
    try:
        rows = compare(sides[0], sides[1], score=metric.removeprefix(SCORE), level=alone).frame()
    except DefinitionError as error:  # such as a value outside the bounds that its scorer declares
        return {one: Measured(contender=one, metric=metric, why_not=str(error)) for one in able}
    found = {}
    for row in rows.to_dict("records"):
        one = (row["prompt"], row["model"])
        if row["samples"] < FEWEST_ROWS:
            why = f"{row['samples']} rows can be compared, and fewer than {FEWEST_ROWS} show nothing"
            found[one] = Measured(contender=one, metric=metric, why_not=why)
            continue
        worse = row["difference"] > 0 if better == "lower" else row["difference"] < 0
        p_two = row["p_value"] if math.isfinite(row["p_value"]) else 1.0
        found[one] = Measured(
            contender=one,
            metric=metric,
            samples=int(row["samples"]),
            before=row["score_before"],
            now=row["score_after"],
            change=row["difference"],
            low=row["low"],
            high=row["high"],
            p_worse=p_two / 2 if worse else 1 - p_two / 2,
        )
    return found


def ratio(old: pd.DataFrame, new: pd.DataFrame, one: Contender, metric: str, *, level: float) -> Measured:
    """How many times as dear, or as slow. Two nights' clocks are held against each other as they are: what
    differs from night to night and not from row to row is what the margin is for."""
    was, is_now = (means(of(frame, one), metric) for frame in (old, new))
    pair = is_now.to_frame("now").join(was.rename("before"), how="inner").to_numpy(dtype=float)
    by = ratio_of_means if metric == COST else ratio_of_typical
    typical = np.mean if metric == COST else _geometric
    seen, had = (float(typical(pair[:, side])) for side in (0, 1))
    found: Interval = by(pair[:, 0], pair[:, 1], level=level)
    if metric == LATENCY:
        found = within_resolution(found, seen, had)
    made = Measured(
        contender=one,
        metric=metric,
        samples=len(pair),
        before=had,
        now=seen,
        change=found.estimate,
        low=found.low,
        high=found.high,
        length_ratio=_length(old, new, one, level),
    )
    if not math.isfinite(found.estimate):
        return replace(made, why_not="the rows that both have cost nothing on one side, so there is no ratio")
    return made


def _geometric(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _length(old: pd.DataFrame, new: pd.DataFrame, one: Contender, level: float) -> tuple[float, float, float]:
    import pandas as pd

    was, is_now = (
        pd.to_numeric(part["output_tokens"]).astype(float).groupby(part["sample_id"]).mean().dropna()
        for part in (of(old, one), of(new, one))
    )
    pair = is_now.to_frame("now").join(was.rename("before"), how="inner").to_numpy(dtype=float)
    found = ratio_of_means(pair[:, 0], pair[:, 1], level=level)
    return found.estimate, found.low, found.high


def worst_rows(
    before: pd.DataFrame, now: pd.DataFrame, of_metric: Measured, *, better: str, most: int
) -> list[str]:
    """The ids of the rows that fell most, the worst first; of a price or a time, that grew most."""
    was, is_now = (means(of(fresh(frame), of_metric.contender), of_metric.metric) for frame in (before, now))
    both = is_now.to_frame("now").join(was.rename("before"), how="inner")
    if of_metric.metric in (COST, LATENCY):
        loss = both["now"] / both["before"].where(both["before"] > 0) - 1
    else:
        loss = (both["before"] - both["now"]) * (-1 if better == "lower" else 1)
    return [str(id) for id in loss[loss > 0].sort_values(ascending=False, kind="stable").index[:most]]
