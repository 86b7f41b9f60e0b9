"""The record of what somebody did that others may want to know later, kept for `KEPT_DAYS`. Nothing of it is
read here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session as Rows

from labkit.server.state.moments import now_us
from labkit.server.state.tables import Audit

KEPT_DAYS = 365
_DAY_US = 86_400_000_000
_AUDIT = Audit.metadata.tables[Audit.__tablename__]


def note(rows: Rows, what: str, user: str | None, **detail: Any) -> None:
    """Keep that `user` (a log-in name; None: nobody that is known, or the machine's owner) did `what`."""
    rows.execute(insert(_AUDIT), {"at_us": now_us(), "user": user, "what": what, "detail": detail or None})


def forget(rows: Rows) -> None:
    """Delete what is older than `KEPT_DAYS`."""
    rows.execute(delete(Audit).where(Audit.at_us < now_us() - KEPT_DAYS * _DAY_US))
