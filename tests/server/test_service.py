"""What one process of the service works with."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from labkit.server.service import DAY_US, Service
from labkit.server.settings import Settings
from labkit.server.state import State
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Audit, Event, IdempotencyKey, ServedRun, User
from labkit.server.streams import board


def test_what_is_older_than_a_day_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Idempotency keys go a day after their first use, a run's events a day after it ended; no others do."""
    service = Service(Settings(lab=tmp_path / "lab.duckdb"))
    monkeypatch.setattr(board, "FORGOTTEN_TOGETHER", 1)
    new, old = now_us() - DAY_US // 2, now_us() - 2 * DAY_US
    ends = {"new": new, "old": old, "older": old - DAY_US, "going": None}
    with service.state.writing() as rows:
        rows.add(User(id="u1", name="ada", created_us=0))
        rows.flush()
        for run, ended in ends.items():
            over = {"ended_us": ended, "kept_since_us": ended}
            rows.add(ServedRun(id=run, user_id="u1", workspace="w", created_us=old, events=1, **over))
            rows.add(Event(run_id=run, number=1, kind="start", data="{}"))
            key = IdempotencyKey(user_id="u1", route="r", key=run, body_hash="", run_id=run)
            key.created_us = ended or new
            rows.add(key)
    service.forget_old()
    with service.state.reading() as rows:
        assert sorted(rows.scalars(select(Event.run_id))) == ["going", "new"]
        assert sorted(rows.scalars(select(IdempotencyKey.key))) == ["going", "new"]
        assert len(rows.scalars(select(ServedRun.id)).all()) == 4
    service.close()


def test_what_was_audited_is_kept_for_a_year(state: State, tmp_path: Path) -> None:
    """The record of what somebody did goes when it is older than 365 days, and not before."""
    service = Service(Settings(lab=tmp_path / "lab.duckdb", state=str(state.address)))
    with service.state.writing() as rows:
        for days in (366, 364, 0):
            rows.add(Audit(at_us=now_us() - days * DAY_US, what=f"{days} days ago"))
    service.forget_old()
    with service.state.reading() as rows:
        assert list(rows.scalars(select(Audit.what).order_by(Audit.at_us))) == ["364 days ago", "0 days ago"]
    service.close()
