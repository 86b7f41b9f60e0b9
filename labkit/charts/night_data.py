"""What the chart of nights is given, made ready: a sentinel's checks in order, and where each stands.

It takes the view `checks` as it is, its findings as JSON text or as values, and ignores what it does not
know. It judges nothing and draws nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from labkit.arguments import check, text
from labkit.charts.model_styles import Style, contender_styles, styles
from labkit.charts.night_cells import COST, LATENCY, SCORE, Cell, cell_of, placed, texts
from labkit.errors import DefinitionError
from labkit.summary.contender_table import BETWEEN, FACTORS
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("night", "asked_at", "outcome", "findings")
DAY_MS = 86_400_000.0
MOST_SEEN = 60
"""Of more nights the last so many are seen at first; the earlier ones are a double click or a drag away."""
MOST_MISSED = 400
"""Nights without a check beyond this are a gap and no marks."""


@dataclass(frozen=True, kw_only=True)
class Night:
    """One check."""

    number: int
    at: float
    """Where it stands: milliseconds of 1970 on an axis of dates, else its number."""
    day: str
    """When its run was asked, as text; empty where that is not known."""
    outcome: str
    baseline: str
    """How it is called."""
    baseline_id: str
    resolved: Mapping[str, tuple[str, ...]]
    """By model id, who answered; without models of which that is not known."""
    cells: Mapping[tuple[str, str], Cell]
    """By contender and metric."""


@dataclass(frozen=True, kw_only=True)
class Nights:
    """The nights of one sentinel in order."""

    sentinel: str
    nights: Sequence[Night]
    dated: bool
    """Whether they stand on an axis of dates."""
    step: float
    """From one night to the next, typically."""
    missed: Sequence[float]
    """Where a night would stand that has no check."""
    gaps: Sequence[int]
    """After which nights, by place, there is at least one without a check."""
    metrics: Sequence[str]
    """Those with a figure: scores as they came, then price, then latency."""
    styles: Mapping[str, Style]
    """By contender."""
    many: str
    """How many contenders there are, in words: 2 models."""

    @property
    def seen(self) -> tuple[float, float]:
        """Where the first and the last of the nights stand that are seen at first."""
        return self.nights[-MOST_SEEN:][0].at, self.nights[-1].at


def nights_of(x: Any, *, sentinel: str | None, labels: Mapping[str, str] | None) -> Nights | None:
    """The checks of one sentinel, ready to draw; None where there are none.

    Raises DefinitionError where `x` has no checks, those of several sentinels of which none is named, or
    findings that cannot be read.
    """
    frame = _of_one(_frame(x), sentinel)
    if frame.empty:
        return None
    frame = frame.sort_values("night", kind="stable")
    rows = frame.to_dict("records")
    found = [_findings(row["findings"], row["night"]) for row in rows]
    every = [one for some in found for one in some]
    prompts, models = ({str(one.get(name, "")) for one in every} for name in FACTORS)
    keys = FACTORS if len(prompts) > 1 else ("model",)
    asked, dated, step = _times(frame)
    numbers = [int(row["night"]) for row in rows]
    made = [
        Night(
            number=number,
            at=at if dated else float(number),
            day="" if math.isnan(at) else _day(at),
            outcome=str(row["outcome"]),
            baseline=_or_empty(row.get("baseline")),
            baseline_id=_or_empty(row.get("baseline_id")),
            resolved=_resolved(findings),
            cells={(_contender(one, keys), str(one.get("metric"))): cell_of(one) for one in findings},
        )
        for row, findings, at, number in zip(rows, found, asked, numbers, strict=True)
    ]
    missed, gaps = _missed([night.at for night in made], step) if dated else ((), ())
    of = {_contender(one, keys): {name: str(one.get(name, "")) for name in keys} for one in every}
    looks = contender_styles(
        dict(sorted(of.items())), styles(models, labels=labels or frame.attrs.get("labels")), sorted(prompts)
    )
    drawn = {metric for night in made for (_, metric), cell in night.cells.items() if placed(metric, cell)}
    seen = dict.fromkeys(str(one.get("metric")) for one in every)
    scores = [metric for metric in seen if metric in drawn and metric.startswith(SCORE)]
    noun = "combination" if len(keys) > 1 else "model"
    return Nights(
        sentinel=_or_empty(rows[0].get("sentinel")),
        nights=made,
        dated=dated,
        step=step,
        missed=missed,
        gaps=gaps,
        metrics=[*scores, *(metric for metric in (COST, LATENCY) if metric in drawn)],
        styles=looks,
        many=f"{len(looks)} {noun}{'' if len(looks) == 1 else 's'}",
    )


def _frame(x: Any) -> pd.DataFrame:
    import pandas as pd

    found = x if isinstance(x, pd.DataFrame) else x.checks() if hasattr(x, "checks") else x
    if not isinstance(found, pd.DataFrame):
        raise DefinitionError(
            f"this chart takes a sentinel, a run or a frame of checks, not a {type(found).__name__}"
        )
    if missing := [name for name in NEEDED if name not in found.columns]:
        raise DefinitionError(
            [f"the frame has no column {name!r}; this chart takes a frame of checks" for name in missing]
        )
    return found


def _of_one(frame: pd.DataFrame, sentinel: str | None) -> pd.DataFrame:
    check(text("sentinel", sentinel, or_none=True))
    if frame.empty:
        return frame
    if "sentinel" in frame.columns:
        names = sorted(map(str, frame["sentinel"].unique()))
        told = ", ".join(map(quoted, names[:12]))
        if sentinel is not None and sentinel not in names:
            raise DefinitionError(f"There is no check of sentinel {quoted(sentinel)}; there are: {told}.")
        if sentinel is None and len(names) > 1:
            raise DefinitionError(
                f"These are checks of {len(names)} sentinels: {told}. Name the one to draw with sentinel=."
            )
        frame = frame if sentinel is None else frame[frame["sentinel"] == sentinel]
    if frame["night"].isna().any() or frame["night"].duplicated().any():
        raise DefinitionError(
            "The frame has not one row a night: choose the checks of one sentinel in one workspace."
        )
    return frame


def _findings(given: Any, night: Any) -> list[Mapping[str, Any]]:
    import pandas as pd

    if given is None or given is pd.NA or isinstance(given, float):
        return []
    try:
        found = json.loads(given) if isinstance(given, str | bytes) else given
    except (ValueError, RecursionError):
        found = given
    if not isinstance(found, Iterable) or not all(isinstance(one, Mapping) for one in found):
        raise DefinitionError(f"The findings of night {night} are no list of findings: {quoted(given)}")
    return list(found)


def _resolved(findings: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for one in findings:
        found.setdefault(str(one.get("model", "")), set()).update(texts(one.get("resolved")))
    return {model: tuple(sorted(names)) for model, names in found.items() if names}


def _or_empty(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _contender(one: Mapping[str, Any], keys: Sequence[str]) -> str:
    return BETWEEN.join(str(one.get(name, "")) for name in keys)


def _day(at: float) -> str:
    import pandas as pd

    return f"{pd.Timestamp(at, unit='ms'):%Y-%m-%d %H:%M} UTC"


def _times(frame: pd.DataFrame) -> tuple[list[float], bool, float]:
    """When each night was asked, whether that is a good axis, and what lies between two.

    It is none where clocks were set back, a time is missing, or most nights share their day with another.
    """
    import numpy as np
    import pandas as pd

    when = pd.to_datetime(frame["asked_at"], utc=True, errors="coerce")
    at = when.dt.tz_localize(None).to_numpy("datetime64[ms]").astype("float64")
    at[when.isna().to_numpy()] = math.nan
    if np.isnan(at).any():
        return at.tolist(), False, 1.0
    between = np.diff(at)
    days = len(np.unique(at // DAY_MS))
    if (between <= 0).any() or 2 * days <= len(at):
        return at.tolist(), False, 1.0
    return at.tolist(), True, float(np.median(between)) if len(between) else DAY_MS


def _missed(at: Sequence[float], step: float) -> tuple[list[float], list[int]]:
    missed: list[float] = []
    gaps: list[int] = []
    for place, (one, after) in enumerate(pairwise(at)):
        nights = round((after - one) / step)
        if nights > 1:
            gaps.append(place)
            if len(missed) + nights <= MOST_MISSED:
                missed += [one + (after - one) * each / nights for each in range(1, nights)]
    return missed, gaps
