"""Queues: one lane per model, and the endpoints whose places the lanes share in turn.

It says who may send next; it sends nothing itself. A slow, paused or stopped lane never holds up
another, and lanes of one endpoint take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from labkit.catalog.model import Model
from labkit.engine.buckets import Buckets
from labkit.engine.circuit import Circuit
from labkit.engine.errand import Errand, Stopped
from labkit.engine.limits import Limiter
from labkit.providers.base import Provider


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
        self.stopped: Stopped | None = None
        self.costs = False
        """Whether any of its cells may cost something."""

    def ready(self, now: float, *, money: bool) -> bool:
        """Whether the first errand may be sent now; `money` False: only one that costs nothing."""
        if not self.queue or self.provider is None or not self.circuit.permits(now):
            return False
        errand = self.queue[0]
        paid = money or bool(errand.reserved_usd) or errand.worst_usd == 0
        return paid and self.buckets.wait_s(errand.tokens, now) == 0

    def opens_in_s(self, now: float) -> float | None:
        """Seconds until a lane that only waits for the time may send; None: the time is not what it lacks."""
        if not self.queue or self.provider is None:
            return None
        at = self.circuit.reopens_at
        paused_s = 0.0 if at is None else max(0.0, at - now)
        wait_s = max(paused_s, self.buckets.wait_s(self.queue[0].tokens, now))
        return wait_s if wait_s > 0 else None

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
            "left": {kind: bucket.level for kind, bucket in self.buckets.state().items()},
            "stopped": None if self.stopped is None else self.stopped.message,
        }


class Endpoint:
    """One endpoint with one key: its limiter, and the lanes that take turns at it."""

    def __init__(self, name: str, limiter: Limiter) -> None:
        self.name = name
        self.limiter = limiter
        self.lanes: deque[Lane] = deque()
        self.grown: Callable[[], object] = lambda: None
        """Called when more may be in flight than before."""

    def add(self, lane: Lane) -> None:
        """Let `lane` take its turns here."""
        lane.endpoint = self
        self.lanes.append(lane)

    def accepted(self) -> None:
        """The endpoint began to answer a request."""
        if self.limiter.accepted():
            self.grown()

    def next_lane(self, now: float, *, money: bool) -> Lane | None:
        """The lane whose turn it is, of those that may send."""
        for _ in range(len(self.lanes)):
            lane = self.lanes[0]
            self.lanes.rotate(-1)
            if lane.ready(now, money=money):
                return lane
        return None
