"""What a sentinel found on earlier nights and who was told, as the lab keeps it, and how more of it is kept.

Checks stand in the order in which they came to the lab: clocks may be set back. It decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labkit.identity import new_run_id
from labkit.sentinel.baseline import Baseline
from labkit.sentinel.finding import Finding
from labkit.sentinel.rules import Rules
from labkit.store import Store
from labkit.store.definition_records import CheckRecord, NoticeRecord

if TYPE_CHECKING:
    import pandas as pd

    from labkit.sentinel.check import Check
    from labkit.sentinel.night import Seen

_JSON = ("sentences", "notes", "findings", "alarms", "settings")
_CHECKS = f"""
    select
        check_id, sentinel, night, run_id, again_run_id, baseline_id, baseline, outcome,
        {", ".join(f"{name}::varchar as {name}" for name in _JSON)}, asked_at, checked_at, "user"
    from checks where workspace = ? and sentinel = ? order by night
"""  # noqa: S608 - labkit's own text


_NIGHTS = "select max(night) as nights from checks where workspace = ? and sentinel = ?"


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """One earlier check."""

    check_id: str
    night: int
    run_id: str
    again_run_id: str | None
    baseline_id: str | None
    outcome: str
    findings: tuple[Finding, ...]
    alarms: tuple[dict[str, Any], ...]
    checked_at: datetime

    @property
    def is_usable(self) -> bool:
        """Whether anything could be told of its night."""
        return any(one.said in ("worse", "not shown to be worse") for one in self.findings)


def checks(store: Store, *, workspace: str, sentinel: str) -> pd.DataFrame:
    """One row per run that was checked, in the order of their first checks: `check_id`, `sentinel` (its
    name), `night` (1 for the first), `run_id`, `again_run_id` (in which it was asked once more),
    `baseline_id`, `baseline`, `outcome`, `sentences`, `notes`, `findings`, `alarms` (lists), `settings`
    (dict), `asked_at`, `checked_at` (UTC), `user`."""
    frame: pd.DataFrame = store.table(_CHECKS, [workspace, sentinel]).to_pandas()
    return frame.assign(**{name: [json.loads(told) for told in frame[name]] for name in _JSON})


def earlier(store: Store, *, workspace: str, sentinel: str) -> list[Earlier]:
    """The same as values."""
    return [
        Earlier(
            check_id=row["check_id"],
            night=row["night"],
            run_id=row["run_id"],
            again_run_id=row["again_run_id"],
            baseline_id=row["baseline_id"],
            outcome=row["outcome"],
            findings=tuple(map(Finding.of, json.loads(row["findings"]))),
            alarms=tuple(json.loads(row["alarms"])),
            checked_at=row["checked_at"],
        )
        for row in store.table(_CHECKS, [workspace, sentinel]).to_pylist()
    ]


def standing(past: Sequence[Earlier], held: Baseline | None) -> Sequence[dict[str, Any]]:
    """The alarms that stood when a night was last held against this baseline: with another they are over."""
    if held is None:
        return ()
    return next((one.alarms for one in reversed(past) if one.baseline_id == held.baseline_id), ())


def nights(store: Store, *, workspace: str, sentinel: str) -> int:
    """How many runs it checked."""
    return store.table(_NIGHTS, [workspace, sentinel])["nights"].to_pylist()[0] or 0


def record(
    made: Check,
    held: Baseline | None,
    seen: Seen | None,
    past: Sequence[Earlier],
    rules: Rules,
    store: Store,
    *,
    at: datetime,
    user: str | None,
) -> CheckRecord:
    """A check as the lab keeps it. A night of which nothing can be told leaves alarms as they were."""
    row = store.run_row(made.run_id)
    levels = None if seen is None else seen.levels
    return CheckRecord(
        check_id=new_run_id(),
        sentinel=made.sentinel,
        workspace=made.workspace,
        run_id=made.run_id,
        again_run_id=made.again_run_id,
        baseline_id=None if held is None else held.baseline_id,
        baseline=made.baseline,
        outcome=made.outcome,
        sentences=list(made.sentences),
        notes=list(made.notes),
        findings=[one.plain() for one in made.findings],
        alarms=list(standing(past, held)) if seen is None else [one.plain() for one in seen.alarms],
        settings={
            "margin": dict(rules.margin),
            "latency": rules.latency,
            "cost": rules.cost,
            "false_alarms_per_year": rules.per_year,
            "confirm": rules.confirm,
            "levels": None if levels is None else {"night": levels.night, "week": levels.week},
        },
        asked_at=at if row is None else row["started_at"].replace(tzinfo=UTC),
        checked_at=at,
        user=user,
    )


def keep(store: Store, *records: CheckRecord | NoticeRecord) -> None:
    """Have them on disk."""
    writer = store.writer()
    for record in records:
        writer.put(record)
    writer.flush()


def gap_words(before: Sequence[Earlier], now: datetime) -> list[str]:
    """What is odd about when this check comes, beside those before it."""
    if not before:
        return []
    passed_s = (
        now - before[-1].checked_at.replace(tzinfo=before[-1].checked_at.tzinfo or UTC)
    ).total_seconds()
    if passed_s < 0:
        return [
            "the last check bears a later time than this one: the clock was set back; nights are counted as "
            "they came"
        ]
    if passed_s < TWICE_S:
        return [f"checked {_ago(passed_s)} after the last one: more than one a day brings more false alarms"]
    if passed_s > MISSED_S:
        return [f"no check for {passed_s / DAY_S:.0f} days before this one"]
    return []


def _ago(passed_s: float) -> str:
    if passed_s < 90:
        return "a minute or less"
    return f"{passed_s / 60:.0f} minutes" if passed_s < 5400 else f"{passed_s / 3600:.0f} hours"


DAY_S = 86_400.0
TWICE_S = 0.5 * DAY_S
"""Sooner than so long after the last check is twice a night."""
MISSED_S = 1.5 * DAY_S
"""Later than that, a night was missed."""
