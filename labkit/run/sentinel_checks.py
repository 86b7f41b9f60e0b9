"""What sentinels said of a run: their checks up to that night, and the baseline they held it against.

It reads the lab; what a night shows is found by the sentinel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.report import Watched
from labkit.store import Store

if TYPE_CHECKING:
    import pandas as pd

CHECKS = """
    with of_run as (
        select workspace, sentinel, max(night) as last from checks
        where run_id = $run or again_run_id = $run group by workspace, sentinel
    )
    select checks.* from checks join of_run using (workspace, sentinel)
    where night <= last order by workspace, sentinel, night
"""
BASELINES = """
    select * from baselines where baseline_id in (
        select baseline_id from checks where run_id = $run or again_run_id = $run
    )
"""


def checks(run_id: str, store: Store) -> pd.DataFrame:
    """Rows of the view `checks`: all nights up to the run's, of each sentinel that checked it or had it asked
    again."""
    found: pd.DataFrame = store.table(CHECKS, {"run": run_id}).to_pandas()
    return found


def watched(run_id: str, store: Store, *, charts: bool) -> list[Watched]:
    """What each sentinel said of the run, for its report; with the chart of its nights where `charts`."""
    with store.one_opening():
        frame = checks(run_id, store)
        if frame.empty:
            return []
        baselines = {row["baseline_id"]: row for row in store.table(BASELINES, {"run": run_id}).to_pylist()}
        labels = store.labels()
    return [
        _watched(run_id, part, baselines, labels=labels, charts=charts)
        for _, part in frame.groupby(["workspace", "sentinel"], sort=False)
    ]


def _watched(
    run_id: str,
    nights: pd.DataFrame,
    baselines: Mapping[str, Mapping[str, Any]],
    *,
    labels: Mapping[str, str],
    charts: bool,
) -> Watched:
    from labkit.charts import nights as chart

    night = nights.iloc[-1]
    held = baselines.get(night["baseline_id"])
    return Watched(
        sentinel=night["sentinel"],
        workspace=night["workspace"],
        night=int(night["night"]),
        outcome=night["outcome"],
        sentences=_texts(night["sentences"]),
        notes=_texts(night["notes"]),
        again_of=None if night["run_id"] == run_id else night["run_id"],
        baseline=None
        if held is None
        else {
            "name": held["baseline"],
            "accepted_by": held["user"],
            "accepted_at": held["accepted_at"],
            "why": held["why"],
            "forced": held["forced"],
            "run_ids": _texts(held["run_ids"]),
        },
        figure=chart(nights, labels=labels) if charts else None,
    )


def _texts(given: Any) -> tuple[str, ...]:
    found = json.loads(given) if isinstance(given, str) else given
    return () if found is None else tuple(map(str, found))
