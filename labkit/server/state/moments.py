"""Moments as the state keeps them: whole microseconds since 1970, in UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_us() -> int:
    """This moment."""
    return time.time_ns() // 1000


def microseconds(moment: datetime) -> int:
    """A moment; without a zone it is UTC."""
    there = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (there - _EPOCH) // timedelta(microseconds=1)


def written(us: int) -> str:
    """A moment as clients read it.

    >>> written(1_764_000_000_000_000)
    '2025-11-24T16:00:00.000000Z'
    """
    return f"{_EPOCH + timedelta(microseconds=us):%Y-%m-%dT%H:%M:%S.%f}Z"
