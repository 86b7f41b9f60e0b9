"""Every sentinel of a lab: what it said last, since when, and whether it fell silent.

A schedule dies without a word: cron is switched off, a disk fills, an account ends. What says so is the time
since the last check, held against the sentinel's own rhythm. It reads what was checked and checks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.store import Store

GAPS_OF = 15
"""The latest checks whose gaps say how often a sentinel usually checks."""
LATE = 1.5
"""So many usual gaps without a check are silence."""
LEAST_SILENCE = timedelta(hours=36)
"""Shorter is none: a night that began late, or one sentinel checking twice a night."""
_CLOCKS_DIFFER = timedelta(minutes=1)
"""By so much the clocks of two machines may differ without anybody having set one."""
SINCE_ACCEPTED = "not checked since"
"""The state of a sentinel whose baseline is newer than its last check."""
NEVER = "never checked"
"""The state of a sentinel that has a baseline and no check."""
_CHECKS = """
    select workspace, sentinel, night, run_id, baseline, outcome, checked_at from checks
    order by workspace, sentinel, night
"""
_UNCHECKED = """
    select workspace, sentinel, baseline, accepted_at from baselines
    anti join checks using (workspace, sentinel)
"""
_LATEST = """
    select workspace, sentinel, max_by(baseline, accepted_at) as baseline, max(accepted_at) as accepted_at
    from baselines group by workspace, sentinel
"""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The check of one night that holds: a row of the view `checks`."""

    workspace: str
    sentinel: str
    night: int
    run_id: str
    baseline: str | None
    outcome: str
    checked_at: datetime


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A baseline of a sentinel that never checked."""

    workspace: str
    sentinel: str
    baseline: str | None
    accepted_at: datetime


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A sentinel: what it said last, and `silence`, why nobody can go by it; None: it checks as usual."""

    workspace: str
    sentinel: str
    baseline: str | None
    """What its last check was held against, or of one that never checked the latest that was accepted."""
    state: str
    since: datetime
    """Since when that is so: the first check of those in a row that said it, or when the baseline came."""
    since_night: int | None
    nights: int
    run_id: str | None
    checked_at: datetime | None
    silence: str | None

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def sentinels(store: Store, *, now: datetime, workspace: str | None = None) -> list[Listed]:
    """The sentinels of a lab, in one `workspace` or in all, by workspace and name. Raises `StoreError` where
    the lab cannot be read."""
    with store.one_opening():
        checks = [Checked(**row) for row in store.table(_CHECKS).to_pylist()]
        unchecked = [Accepted(**row) for row in store.table(_UNCHECKED).to_pylist()]
        latest = {_by_name(one): one for one in (Accepted(**row) for row in store.table(_LATEST).to_pylist())}
    rows = (_by(row, latest.get(_by_name(row))) for row in listed(checks, unchecked, now=now))
    found = [row for row in rows if workspace in (None, row.workspace)]
    return sorted(found, key=_by_name)


def listed(checks: Iterable[Checked], unchecked: Iterable[Accepted] = (), *, now: datetime) -> list[Listed]:
    """One row for each sentinel of `checks`, which stand together and in the order of nights, and of those
    that never checked, whose latest baseline comes last.

    >>> from datetime import UTC
    >>> night = Checked(workspace="default", sentinel="nightly", night=1, run_id="r1", baseline="2026-11",
    ...     outcome="worse", checked_at=datetime(2026, 11, 1, 2, tzinfo=UTC))
    >>> [row] = listed([night], now=datetime(2026, 11, 4, 3, tzinfo=UTC))
    >>> row.state, row.silence
    ('worse', 'silent for 3 days')
    """
    checked = [_of(list(nights), now=now) for _, nights in groupby(checks, key=_by_name)]
    latest = {_by_name(one): one for one in unchecked}
    return checked + [_without_check(one, now=now) for one in latest.values()]


def _by(row: Listed, accepted: Accepted | None) -> Listed:
    """The same, by a baseline that was accepted after its last check: what that said is over."""
    if accepted is None or row.checked_at is None or accepted.accepted_at <= row.checked_at:
        return row
    return replace(
        row,
        baseline=accepted.baseline,
        state=SINCE_ACCEPTED,
        since=accepted.accepted_at,
        since_night=None,
    )


def _by_name(one: Checked | Accepted | Listed) -> tuple[str, str]:
    return one.workspace, one.sentinel


def _of(nights: Sequence[Checked], *, now: datetime) -> Listed:
    last = first = nights[-1]
    for night in reversed(nights):
        if night.outcome != last.outcome:
            break
        first = night
    return Listed(
        workspace=last.workspace,
        sentinel=last.sentinel,
        baseline=last.baseline,
        state=last.outcome,
        since=first.checked_at,
        since_night=first.night,
        nights=len(nights),
        run_id=last.run_id,
        checked_at=last.checked_at,
        silence=silence([night.checked_at for night in nights], now=now),
    )


def _without_check(one: Accepted, *, now: datetime) -> Listed:
    waited = now - one.accepted_at
    wrong = f"never checked, for {_long(waited)}" if waited > LEAST_SILENCE else None
    if waited < -_CLOCKS_DIFFER:
        wrong = "its baseline is of the future: the clock was set back"
    return Listed(
        workspace=one.workspace,
        sentinel=one.sentinel,
        baseline=one.baseline,
        state=NEVER,
        since=one.accepted_at,
        since_night=None,
        nights=0,
        run_id=None,
        checked_at=None,
        silence=wrong,
    )


def silence(checked_at: Sequence[datetime], *, now: datetime) -> str | None:
    """Why nobody can go by a sentinel that checked at these times, in this order: None where it checks as
    usual.

    It is silent when the time since its last check is longer than `LATE` times the median of its latest gaps,
    and than `LEAST_SILENCE`. Gaps over which the clock was set back count for nothing.

    >>> from datetime import UTC
    >>> weekly = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 8, 15)]
    >>> silence(weekly, now=datetime(2026, 11, 25, tzinfo=UTC)) is None
    True
    >>> silence(weekly, now=datetime(2026, 11, 26, tzinfo=UTC))
    'silent for 11 days'
    """
    since = now - checked_at[-1]
    if since < -_CLOCKS_DIFFER:
        return "its last check is in the future: the clock was set back"
    pairs = pairwise(checked_at[-GAPS_OF:])
    gaps_s = [(late - early).total_seconds() for early, late in pairs if late > early]
    usual = timedelta(seconds=median(gaps_s) if gaps_s else 0)
    return f"silent for {_long(since)}" if since > max(LEAST_SILENCE, LATE * usual) else None


def _long(time: timedelta) -> str:
    hours = time // timedelta(hours=1)
    return f"{hours} hours" if hours < 48 else f"{time.days:,} days"
