"""One queue per model, and the endpoints whose places the queues share in turn.

It says who may send next; it sends nothing itself. A slow, paused or stopped queue never holds up
another, and queues of one endpoint take turns.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from random import Random
from typing import Any

from labkit.catalog.model import Model
from labkit.engine import shared_usage_file
from labkit.engine.budget import Overrun
from labkit.engine.call import Call, Stopped
from labkit.engine.circuit_breaker import CircuitBreaker
from labkit.engine.concurrency import REMOTE, ConcurrencyLimiter
from labkit.engine.rate_limiter import RateLimiter
from labkit.engine.token_buckets import TokenBuckets, used_up
from labkit.errors import ProviderError
from labkit.providers.base import Provider

LOCAL = ("local", "scripted")
"""Dialects of models in this process: nobody else uses them, and their places are known."""


class ModelQueue:
    """The calls of one model that wait to be sent, and what keeps them from it."""

    def __init__(self, model: Model, random: Random) -> None:
        self.model = model
        self.endpoint: Endpoint
        self.provider: Provider | None = None
        """None: not yet connected."""
        self.queued: deque[Call] = deque()
        self.waiting: set[Call] = set()
        """Failed, and waiting for the time to be asked again."""
        self.asking: set[Call] = set()
        self.circuit = CircuitBreaker(random)
        self.buckets = TokenBuckets()
        # Who gave a concurrency knows what the endpoint takes at once.
        slow_start = model.concurrency is None and model.dialect not in LOCAL
        self.rate = RateLimiter(slow_start=slow_start, random=random)
        self.model_hash = shared_usage_file.model_hash(model.name)
        """By what other runs know the model (see `limit_sharing`)."""
        self.runs = 1
        """How many runs of this machine ask it now with this key, this one included."""
        self.news = False
        """Whether something was learnt that the other runs should know soon."""
        self.stopped: Stopped | None = None
        self.costs = False
        """Whether any of its own answers may cost something."""
        self.overrun = Overrun()
        self.refused_alike = ("", 0)
        """Of which kind the last refused requests were, and how many in a row."""
        self.answered = False
        """Whether one of its requests was ever answered."""
        self._used_up_at: int | None = None
        """How many had left when one was refused because a limit was used up; None: one was taken since."""

    @property
    def idle(self) -> list[Call]:
        """The calls that are not out."""
        return [*self.waiting, *self.queued]

    def drop(self, calls: Sequence[Call]) -> None:
        """Forget these idle calls."""
        gone = set(calls)
        self.waiting -= gone
        self.queued = deque(call for call in self.queued if call not in gone)

    def ready(self, now: float, *, money: bool) -> bool:
        """Whether the first call may be sent now; `money` False: only one that costs nothing."""
        if not self.queued or self.provider is None or not self.circuit.permits(now):
            return False
        call = self.queued[0]
        return (
            (money or call.has_money)
            and self.rate.wait_s(now) == 0
            and self.buckets.wait_s(call.tokens, now) == 0
        )

    def bound_usd(self, call: Call) -> float:
        """The most that it is taken to cost, by what this model billed so far."""
        return 0.0 if call.worst_usd is None else self.overrun.bound_usd(call.worst_usd)

    @property
    def overrun_in_words(self) -> str:
        """That it billed more than it could, if so: a sentence to follow another."""
        if not self.overrun.more_usd:
            return ""
        return (
            f" {self.model.id} billed up to {self.overrun.times:,.1f} times the most that its request could"
            " cost by its length and max_tokens; as much is set aside for each of its requests since."
        )

    def opens_in_s(self, now: float) -> float | None:
        """Seconds until a queue that only waits for the time may send; None: it lacks something else."""
        if not self.queued or self.provider is None:
            return None
        at = self.circuit.reopens_at
        paused_s = 0.0 if at is None else max(0.0, at - now)
        wait_s = max(paused_s, self.rate.wait_s(now), self.buckets.wait_s(self.queued[0].tokens, now))
        return wait_s if wait_s > 0 else None

    def sent(self, call: Call, now: float) -> tuple[int, int]:
        """A call leaves: its number at the endpoint, and how many are out there now."""
        limiter = self.endpoint.limiter
        in_flight = limiter.acquire()
        self.circuit.sent()
        self.buckets.take(call.tokens, now)
        self.rate.sent(limiter.sent, now)
        return limiter.sent, in_flight

    def began(self, call: Call, number: int, headers: Mapping[str, str], now: float) -> None:
        """The provider began to answer the call of that number."""
        self.rate.taken(number, now)
        self._used_up_at = None
        behind = min(len(self.asking), self.endpoint.limiter.sent - number)
        if self.buckets.heed(headers, now, tokens=call.tokens, behind=behind):
            self.news = True
        self.endpoint.accepted()

    def refused(self, number: int, error: ProviderError, now: float) -> None:
        """The provider refused the call of that number: it is too busy, for this run or for anybody."""
        waited_for = self._used_up_at is not None and number > self._used_up_at
        if used_up(error.headers) and not waited_for:
            # The limit that the headers tell of is known now, and will be waited for.
            self._used_up_at = self.endpoint.limiter.sent
            self.rate.ended(number, now)
        elif self.rate.refused(number, error.retry_after_s, now):
            self.news = True

    def state(self, now: float) -> dict[str, Any]:
        """What waits, what is out, what may be out, and what it waits for."""
        limiter = self.endpoint.limiter
        return {
            "model": self.model.id,
            "endpoint": self.endpoint.name,
            "queued": len(self.queued),
            "waiting": len(self.waiting),
            "in_flight": len(self.asking),
            "limit": limiter.limit,
            "ceiling": limiter.ceiling,
            "opens_in_s": self.opens_in_s(now),
            "requests_per_minute": self.requests_per_minute(now),
            "left": {kind: max(0.0, one.level) for kind, one in self.buckets.state(now).items()},
            "runs": self.runs,
            "bound_times": self.overrun.times if self.overrun.more_usd else None,
            "stopped": None if self.stopped is None else self.stopped.message,
        }

    def requests_per_minute(self, now: float) -> float | None:
        """How many requests this run may send a minute at most, as far as is known; None: nothing is."""
        bucket = self.buckets.state(now).get("requests")
        rates = [self.rate.pace_per_s * self.rate.share]
        if bucket is not None:
            rates.append(bucket.per_s * bucket.share)
        return min(rates) * 60 if isfinite(min(rates)) else None


class Endpoint:
    """One endpoint with one key: its limiter, and the queues that take turns at it."""

    def __init__(self, name: str, limiter: ConcurrencyLimiter) -> None:
        self.name = name
        self.limiter = limiter
        self.queues: deque[ModelQueue] = deque()
        self.grown: Callable[[], object] = lambda: None
        """Called when more may be in flight than before."""
        self.alarm: TimerHandle | None = None
        """Rings when a queue that waits for the time may send."""

    def add(self, queue: ModelQueue) -> None:
        """Let `queue` take its turns here."""
        queue.endpoint = self
        self.queues.append(queue)

    def accepted(self) -> None:
        """The endpoint began to answer a request."""
        if self.limiter.accepted():
            self.grown()

    def opens_in_s(self, now: float) -> float | None:
        """Seconds until the first of the queues that only wait for the time may send; None: there is none."""
        waits = [wait_s for queue in self.queues if (wait_s := queue.opens_in_s(now)) is not None]
        return min(waits) if waits else None

    def next_queue(self, now: float, *, money: bool) -> ModelQueue | None:
        """The queue whose turn it is, of those that may send."""
        for _ in range(len(self.queues)):
            queue = self.queues[0]
            self.queues.rotate(-1)
            if queue.ready(now, money=money):
                return queue
        return None


def grouped(queues: Mapping[str, ModelQueue], keys: Mapping[str, Any], random: Random) -> list[Endpoint]:
    """Queues of one endpoint and key share its limiter; a model with a concurrency of its own has its own."""
    endpoints: dict[Any, Endpoint] = {}
    for name, queue in queues.items():
        model, key = queue.model, keys.get(name)
        apart = model.concurrency is not None or model.dialect in LOCAL
        # By the key itself, which neither prints nor pickles, not by its text: a traceback shows variables.
        where = (model.dialect, model.provider, model.base_url, key, id(model.client))
        place = name if apart else where
        if place not in endpoints:
            ceiling = model.concurrency or (model.weights.slots if model.weights else REMOTE)
            adaptive = model.dialect not in LOCAL
            limiter = ConcurrencyLimiter(ceiling, adaptive=adaptive, random=random)
            endpoints[place] = Endpoint(model.base_url or model.provider, limiter)
        endpoints[place].add(queue)
    return list(endpoints.values())
