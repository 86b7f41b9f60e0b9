"""Queues: one lane per model, and the endpoints whose places the lanes share in turn.

It says who may send next; it sends nothing itself. A slow, paused or stopped lane never holds up
another, and lanes of one endpoint take turns.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable, Mapping
from math import isfinite
from random import Random
from typing import Any

from labkit.catalog.model import Model
from labkit.engine import board
from labkit.engine.buckets import Buckets
from labkit.engine.circuit import Circuit
from labkit.engine.errand import Errand, Stopped
from labkit.engine.limits import Limiter
from labkit.engine.pace import Pace
from labkit.providers.base import Provider

LOCAL = ("local", "scripted")
"""Dialects of models in this process: nobody else uses them, and their places are known."""


class Lane:
    """The errands of one model that wait to be sent, and what keeps them from it."""

    def __init__(self, model: Model, random: Random) -> None:
        self.model = model
        self.endpoint: Endpoint
        self.provider: Provider | None = None
        """None: not yet connected."""
        self.queue: deque[Errand] = deque()
        self.waiting: set[Errand] = set()
        """Failed, and waiting for the time to be asked again."""
        self.asking: set[Errand] = set()
        self.circuit = Circuit(random)
        self.buckets = Buckets()
        # Who gave a concurrency knows what the endpoint takes at once.
        self.pace = Pace(slow_start=model.concurrency is None and model.dialect not in LOCAL)
        self.mark = board.mark(model.name)
        """By what other runs know the model (see `sharing`)."""
        self.runs = 1
        """How many runs of this machine ask it now with this key, this one included."""
        self.news = False
        """Whether something was learnt that the other runs should know soon."""
        self.stopped: Stopped | None = None
        self.costs = False
        """Whether any of its cells may cost something."""

    def ready(self, now: float, *, money: bool) -> bool:
        """Whether the first errand may be sent now; `money` False: only one that costs nothing."""
        if not self.queue or self.provider is None or not self.circuit.permits(now):
            return False
        errand = self.queue[0]
        paid = money or bool(errand.reserved_usd) or errand.worst_usd == 0
        return paid and self.pace.wait_s(now) == 0 and self.buckets.wait_s(errand.tokens, now) == 0

    def opens_in_s(self, now: float) -> float | None:
        """Seconds until a lane that only waits for the time may send; None: the time is not what it lacks."""
        if not self.queue or self.provider is None:
            return None
        at = self.circuit.reopens_at
        paused_s = 0.0 if at is None else max(0.0, at - now)
        wait_s = max(paused_s, self.pace.wait_s(now), self.buckets.wait_s(self.queue[0].tokens, now))
        return wait_s if wait_s > 0 else None

    def sent(self, errand: Errand, now: float) -> tuple[int, int]:
        """An errand leaves: its number at the endpoint, and how many are out there now."""
        limiter = self.endpoint.limiter
        in_flight = limiter.acquire()
        self.circuit.sent()
        self.buckets.take(errand.tokens, now)
        self.pace.sent(limiter.sent, now)
        return limiter.sent, in_flight

    def began(self, errand: Errand, number: int, headers: Mapping[str, str], now: float) -> None:
        """The provider began to answer the errand of that number."""
        self.pace.taken(number, now)
        behind = min(len(self.asking), self.endpoint.limiter.sent - number)
        if self.buckets.heed(headers, now, tokens=errand.tokens, behind=behind):
            self.news = True
        self.endpoint.accepted()

    def refused(self, number: int, retry_after_s: float | None, now: float) -> None:
        """The provider refused the errand of that number: too fast."""
        limiter = self.endpoint.limiter
        limiter.refused(number)
        if self.pace.refused(number, limiter.sent, retry_after_s, now):
            self.news = True

    def state(self, now: float) -> dict[str, Any]:
        """What waits, what is out, what may be out, and what it waits for."""
        limiter = self.endpoint.limiter
        return {
            "model": self.model.id,
            "endpoint": self.endpoint.name,
            "queued": len(self.queue),
            "waiting": len(self.waiting),
            "in_flight": len(self.asking),
            "limit": limiter.limit,
            "ceiling": limiter.ceiling,
            "opens_in_s": self.opens_in_s(now),
            "requests_per_minute": self.requests_per_minute(now),
            "left": {kind: max(0.0, one.level) for kind, one in self.buckets.state(now).items()},
            "runs": self.runs,
            "stopped": None if self.stopped is None else self.stopped.message,
        }

    def requests_per_minute(self, now: float) -> float | None:
        """How many requests this run may send a minute at most, as far as is known; None: nothing is."""
        bucket = self.buckets.state(now).get("requests")
        rates = [self.pace.per_s(now) * self.pace.share]
        if bucket is not None:
            rates.append(bucket.per_s * bucket.share)
        return min(rates) * 60 if isfinite(min(rates)) else None


class Endpoint:
    """One endpoint with one key: its limiter, and the lanes that take turns at it."""

    def __init__(self, name: str, limiter: Limiter) -> None:
        self.name = name
        self.limiter = limiter
        self.lanes: deque[Lane] = deque()
        self.grown: Callable[[], object] = lambda: None
        """Called when more may be in flight than before."""
        self.alarm: TimerHandle | None = None
        """Rings when a lane that waits for the time may send."""

    def add(self, lane: Lane) -> None:
        """Let `lane` take its turns here."""
        lane.endpoint = self
        self.lanes.append(lane)

    def accepted(self) -> None:
        """The endpoint began to answer a request."""
        if self.limiter.accepted():
            self.grown()

    def opens_in_s(self, now: float) -> float | None:
        """Seconds until the first of the lanes that only wait for the time may send; None: there is none."""
        waits = [wait_s for lane in self.lanes if (wait_s := lane.opens_in_s(now)) is not None]
        return min(waits) if waits else None

    def next_lane(self, now: float, *, money: bool) -> Lane | None:
        """The lane whose turn it is, of those that may send."""
        for _ in range(len(self.lanes)):
            lane = self.lanes[0]
            self.lanes.rotate(-1)
            if lane.ready(now, money=money):
                return lane
        return None
