"""Token buckets for requests, input and output, set by the headers the providers send.

The level falls when a request is sent (by the most it can count), is settled when its answer came, rises
with the time, and is never believed to be above what the provider last said. Where a provider sends no
such headers nothing is held back. It reads no clock: the time is given to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_MINUTE_S = 60.0
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_SPAN_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_KINDS = {"requests": "requests", "tokens": "tokens", "input-tokens": "input", "output-tokens": "output"}
_HEADERS = [
    (kind, *(f"x-ratelimit-{part}-{told}" for part in ("limit", "remaining", "reset")))
    for told, kind in _KINDS.items()
] + [
    (kind, *(f"anthropic-ratelimit-{told}-{part}" for part in ("limit", "remaining", "reset")))
    for told, kind in _KINDS.items()
]


class Tokens(NamedTuple):
    """The most that one request can count: its input, and its answer."""

    input: int
    output: int

    def of(self, kind: str) -> int:
        """What it counts in the bucket of that kind."""
        if kind == "requests":
            return 1
        return {"input": self.input, "output": self.output}.get(kind, self.input + self.output)


@dataclass(slots=True)
class Bucket:
    """One limit: so much at once, refilled within so many seconds."""

    capacity: float
    level: float
    per_s: float
    at: float

    def refill(self, now: float) -> None:
        """Let the time since the last look flow in."""
        self.level = min(self.capacity, self.level + max(0.0, now - self.at) * self.per_s)
        self.at = now

    def wait_s(self, count: float, now: float) -> float:
        """Seconds until `count` may be taken; what is more than the bucket holds waits until it is full."""
        self.refill(now)
        missing = min(count, self.capacity) - self.level
        return missing / self.per_s if missing > 1e-9 else 0.0


class Buckets:
    """The limits of one model at one endpoint, as its headers tell them."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def __repr__(self) -> str:
        levels = (f"{kind} {one.level:,.0f}/{one.capacity:,.0f}" for kind, one in self._buckets.items())
        return f"Buckets({', '.join(levels)})"

    def state(self) -> dict[str, Bucket]:
        """The buckets by kind: `requests`, `tokens`, `input`, `output`; those the provider has told of."""
        return dict(self._buckets)

    def wait_s(self, tokens: Tokens, now: float) -> float:
        """Seconds until a request of that size fits; 0 where nothing is known."""
        if not self._buckets:
            return 0.0
        return max(bucket.wait_s(tokens.of(kind), now) for kind, bucket in self._buckets.items())

    def take(self, tokens: Tokens, now: float) -> None:
        """A request of at most that size is sent."""
        for kind, bucket in self._buckets.items():
            bucket.refill(now)
            bucket.level -= min(tokens.of(kind), bucket.capacity)

    def settle(self, tokens: Tokens, used: Tokens | None, now: float) -> None:
        """The answer came: give back what was not used (None: nothing is known to be left over)."""
        if used is None:
            return
        for kind, bucket in self._buckets.items():
            spare = min(tokens.of(kind), bucket.capacity) - used.of(kind)
            if kind != "requests" and spare > 0:
                bucket.level = min(bucket.capacity, bucket.level + spare)

    def heed(self, headers: Mapping[str, str], now: float) -> None:
        """Take over what the provider says of its limits."""
        for kind, told_limit, told_remaining, told_reset in _HEADERS:
            if told_limit not in headers:
                continue
            limit, remaining = _count(headers, told_limit), _count(headers, told_remaining)
            if limit is not None and remaining is not None and limit > 0:
                reset_s = _reset_s(headers.get(told_reset), headers.get("date"))
                self._set(kind, limit, min(remaining, limit), reset_s, now)

    def _set(self, kind: str, limit: float, remaining: float, reset_s: float | None, now: float) -> None:
        # OpenAI's and Anthropic's limits are per minute and refill all the time; the time to the reset
        # tells of other spans (60 requests a day refill one in 24 minutes).
        per_s = limit / _MINUTE_S
        if reset_s is not None and reset_s > 1 and remaining < limit:
            per_s = min(per_s, (limit - remaining) / reset_s)
        bucket = self._buckets.get(kind)
        if bucket is None or bucket.capacity != limit:
            self._buckets[kind] = Bucket(limit, remaining, per_s, now)
            return
        bucket.refill(now)
        bucket.per_s = per_s
        # What left after this answer was counted is not yet in what the provider says remains.
        bucket.level = min(bucket.level, remaining)


def _count(headers: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(headers.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _reset_s(text: str | None, date: str | None) -> float | None:
    """Seconds to the reset: told as a span (`6m0s`, `20ms`), as seconds, or as a moment (RFC 3339), which is
    taken against the response's own `date`, so that a wrong clock here does not matter."""
    if text is None:
        return None
    spans = _SPAN.findall(text)
    if spans and "".join(number + unit for number, unit in spans) == text:
        return sum(float(number) * _SPAN_S[unit] for number, unit in spans)
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if math.isfinite(seconds) else None
    moment = _moment(datetime.fromisoformat, text)
    if moment is None:
        return None
    now = _moment(parsedate_to_datetime, date or "") or datetime.now(UTC)
    return max(0.0, (moment - now).total_seconds())


def _moment(read: Callable[[str], datetime], text: str) -> datetime | None:
    try:
        moment = read(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
