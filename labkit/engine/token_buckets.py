"""Token buckets for requests, input and output, set by the headers the providers send, or by the user.

The level falls when a request is sent (by the most it can count), is settled when its answer came, rises
with the time, and is never believed to be above what the provider last said. Where the moment of the reset
stays where it is however much is taken, nothing flows in before it, and then all is there again: a fixed
window. Where a provider sends no such headers and nobody set a limit nothing is held back. Of the provider's
buckets a run may have a share only (see `limit_sharing`). It reads no clock: the time is given to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import NamedTuple

from labkit.providers.reset_times import seconds_until

_MINUTE_S = 60.0
_TELLING_S = 15.0
"""What takes so long to flow in must have moved the reset of a bucket that fills all the time."""
_STAYS_S = 3.0
"""A reset that has moved by less stays where it was: answers take differently long to tell of it."""
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


NOTHING = Tokens(0, 0)


@dataclass(slots=True)
class Bucket:
    """One limit: so much at once, refilled with so much a second; of both this run has its share."""

    capacity: float
    level: float
    """Of this run's share."""
    per_s: float
    at: float
    share: float = 1.0
    heard: bool = True
    """False: another run told of it, the provider has not yet."""
    full_at: float = inf
    """When a fixed window ends; infinite where it is none, or it is not known."""
    first: tuple[float, float] | None = None
    """What remained when the provider first told of this reset, and when that is."""
    least: float = inf
    """The least that it has told of since."""

    def level_at(self, now: float) -> float:
        """The level with what has flowed in until `now`."""
        if self.full_at < inf:
            return self.level if now < self.full_at else self.capacity * self.share
        flowed = max(0.0, now - self.at) * self.per_s * self.share
        return min(self.capacity * self.share, self.level + flowed)

    def refill(self, now: float) -> None:
        """Let the time since the last look flow in."""
        self.level = self.level_at(now)
        self.at = now
        if now >= self.full_at:
            self.full_at = inf

    def wait_s(self, count: float, now: float) -> float:
        """Seconds until `count` may be taken; what is more than the bucket holds waits until it is full."""
        missing = min(count, self.capacity * self.share) - self.level_at(now)
        if missing <= 1e-9:
            return 0.0
        return self.full_at - now if self.full_at < inf else missing / (self.per_s * self.share)

    def hear(self, remaining: float, uncounted: float, reset_s: float | None, now: float) -> None:
        """The provider says what remains, without `uncounted` that left meanwhile."""
        self.refill(now)
        self.level = min(self.level, remaining * self.share)
        if reset_s is None:
            return
        # A moment in whole seconds may be up to one before the window's end.
        reset_at = now + reset_s + reset_s.is_integer()
        if self.first is None or remaining >= self.first[0] or now >= self.first[1]:
            # So near a moment may also be that of the next request.
            self.first = (remaining, reset_at) if reset_s >= _TELLING_S else None
            self.least = remaining
        if self.first is None:
            return
        first_remaining, first_at = self.first
        if (first_remaining - remaining) * _MINUTE_S < _TELLING_S * self.capacity:
            return
        stays = abs(reset_at - first_at) < _STAYS_S
        self.full_at = max(first_at, reset_at) if stays else inf
        if stays and remaining <= self.least:
            # What was refused is not counted, and would not flow back before the window's end.
            self.least, self.level = remaining, (remaining - uncounted) * self.share

    def set_share(self, share: float, now: float) -> None:
        """Have this part of it from now on. What is given up is given up; what is gained flows in."""
        self.refill(now)
        if share < self.share and self.level > 0:
            self.level *= share / self.share
        self.share = share


class TokenBuckets:
    """The limits of one model at one endpoint: those its headers tell, and those set for this run."""

    def __init__(self) -> None:
        self._told: dict[str, Bucket] = {}
        self._set: dict[str, Bucket] = {}
        self._all: tuple[tuple[str, Bucket], ...] = ()
        self._share = 1.0

    def __repr__(self) -> str:
        levels = (f"{kind} {one.level:,.0f}/{one.capacity:,.0f}" for kind, one in self._all)
        return f"TokenBuckets({', '.join(levels)})"

    def told(self) -> dict[str, Bucket]:
        """The provider's buckets by kind: `requests`, `tokens`, `input`, `output`; those it has told of."""
        return dict(self._told)

    def state(self, now: float) -> dict[str, Bucket]:
        """A copy of the buckets by kind, filled until `now`; of two of one kind the one with less in it."""
        found: dict[str, Bucket] = {}
        for kind, bucket in self._all:
            filled = replace(bucket, level=bucket.level_at(now), at=now)
            if kind not in found or filled.level < found[kind].level:
                found[kind] = filled
        return found

    def wait_s(self, tokens: Tokens, now: float) -> float:
        """Seconds until a request of that size fits; 0 where nothing is known."""
        if not self._all:
            return 0.0
        return max(bucket.wait_s(tokens.of(kind), now) for kind, bucket in self._all)

    def used_up_s(self, tokens: Tokens, now: float) -> float:
        """The same, of the provider's limits alone: seconds until they let a request of that size pass."""
        waits = (bucket.wait_s(tokens.of(kind), now) for kind, bucket in self._told.items())
        return max(waits, default=0.0)

    def take(self, tokens: Tokens, now: float) -> None:
        """A request of at most that size is sent."""
        for kind, bucket in self._all:
            bucket.refill(now)
            bucket.level -= min(tokens.of(kind), bucket.capacity)

    def settle(self, tokens: Tokens, used: Tokens | None, now: float) -> None:
        """The answer came: give back what was not used (None: nothing is known to be left over)."""
        if used is None:
            return
        for kind, bucket in self._all:
            spare = min(tokens.of(kind), bucket.capacity) - used.of(kind)
            if kind != "requests" and spare > 0:
                bucket.level = min(bucket.capacity * bucket.share, bucket.level + spare)

    # -- whose they are --------------------------------------------------------------------------

    def limit(self, kind: str, per_minute: float, now: float) -> None:
        """Send no more of that kind than so much a minute; infinite: no limit but the provider's.

        It begins with a second's worth, so that the first minute too has no more than a minute's.
        """
        per_s = per_minute / _MINUTE_S
        if isfinite(per_minute):
            self._set[kind] = Bucket(max(1.0, per_minute), max(1.0, per_s), per_s, now)
        else:
            self._set.pop(kind, None)
        self._gather()

    def set_share(self, share: float, now: float) -> None:
        """Have this part of the provider's buckets; limits set for this run are all this run's."""
        if share != self._share:
            self._share = share
            for bucket in self._told.values():
                bucket.set_share(share, now)

    def adopt(self, kind: str, bucket: Bucket) -> None:
        """Take over what another run was told of, unless this one was told itself."""
        if kind not in self._told:
            self._told[kind] = replace(bucket, share=self._share, heard=False)
            self._gather()

    def _gather(self) -> None:
        self._all = (*self._told.items(), *self._set.items())

    def heed(
        self, headers: Mapping[str, str], now: float, *, tokens: Tokens = NOTHING, behind: int = 0
    ) -> bool:
        """Take over what the provider says of its limits. True: it tells of one that was not known.

        `behind` requests left after the one that this is said of, which had so many `tokens`.
        """
        known = self._all
        for kind, told_limit, told_remaining, told_reset in _HEADERS:
            if told_limit not in headers:
                continue
            limit, remaining = _count(headers, told_limit), _count(headers, told_remaining)
            if limit is not None and remaining is not None and limit > 0:
                reset_s = seconds_until(headers.get(told_reset), headers.get("date"))
                self._hear(kind, limit, min(remaining, limit), behind * tokens.of(kind), reset_s, now)
        return self._all is not known

    def _hear(
        self, kind: str, limit: float, remaining: float, uncounted: float, reset_s: float | None, now: float
    ) -> None:
        # OpenAI's and Anthropic's limits are per minute and refill all the time; the time to the reset
        # tells of other spans (60 requests a day refill one in 24 minutes).
        per_s = limit / _MINUTE_S
        if reset_s is not None and reset_s > 1 and remaining < limit:
            per_s = min(per_s, (limit - remaining) / reset_s)
        bucket = self._told.get(kind)
        if bucket is None or bucket.capacity != limit or not bucket.heard:
            level = remaining * self._share - uncounted
            bucket = self._told[kind] = Bucket(limit, level, per_s, now, self._share)
            self._gather()
        bucket.hear(remaining, uncounted, reset_s, now)
        bucket.per_s = per_s


def used_up(headers: Mapping[str, str]) -> bool:
    """Whether `headers` say that nothing is left of one of the limits they tell of."""
    return any(limit in headers and (_count(headers, left) or 0) < 1 for _, limit, left, _ in _HEADERS)


def _count(headers: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(headers.get(name, ""))
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None
