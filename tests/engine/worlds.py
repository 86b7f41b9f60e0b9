"""A provider and a run that asks it, in virtual time: for what the engine learns from refusals.

Queue, limits, circuit and what follows an attempt are the engine's own; sockets, answers and clocks are left
out. `asked` is labkit, `plain` a loop of workers over an SDK with the SDKs' own retries.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from labkit.engine import after_attempt
from labkit.engine.attempt_listener import AttemptListener
from labkit.engine.call import Attempted, Call
from labkit.engine.concurrency import REMOTE, ConcurrencyLimiter
from labkit.engine.queues import Endpoint, ModelQueue
from labkit.engine.retry import Policy
from labkit.errors import Overloaded, ProviderError, RateLimited


@dataclass
class World:
    """How a provider takes and refuses requests. Rates are per second; `per_s` 0: no such limit."""

    refused: float = 0.0
    """The part of the requests that is refused whatever they are."""
    status: int = 429
    retry_after_s: float | None = None
    """What refusals of that kind ask for."""
    latency_s: float = 0.1
    refusing_s: float = 0.004
    """The seconds a refusal takes."""
    per_s: float = 0.0
    capacity: float = 60.0
    left: float | None = None
    window_s: float = 0.0
    """0: it flows back all the time; else all of it is there again once in so many seconds."""
    tells: bool = False
    """Whether headers tell of the limit."""
    asks: bool = False
    """Whether refusals of the limit say when to come back."""
    at_once: int = 0
    """How many are answered at once; 0: any number."""
    limits: Callable[[float], float] | None = None
    """The rate at a moment, where it changes."""
    storm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """From, until, and the part refused meanwhile."""
    random: Random = field(default_factory=lambda: Random(1))
    requests: int = 0
    over: int = 0
    """Refusals of the limits, not of chance."""
    at: float = 0.0
    out: int = 0

    def __post_init__(self) -> None:
        self.left = self.capacity if self.left is None else self.left

    def arrive(self, now: float) -> ProviderError | float:
        """A request comes: a refusal, or the seconds that its answer takes."""
        self.requests += 1
        begin, until, share = self.storm
        share = max(self.refused, share) if begin <= now < until else self.refused
        if self.random.random() < share:
            kind = RateLimited if self.status == 429 else Overloaded
            return kind("no", status=self.status, retry_after_s=self.retry_after_s, headers=self.headers(now))
        if self.at_once and self.out >= self.at_once:
            self.over += 1
            return RateLimited("too many at once")
        if self.per_s:
            assert self.left is not None
            self._flow(now)
            if self.left < 1:
                self.over += 1
                wait_s = self._reset_s(now) if self.window_s else (1 - self.left) / self._rate(now)
                return RateLimited(
                    "slow", retry_after_s=wait_s if self.asks else None, headers=self.headers(now)
                )
            self.left -= 1
        self.out += 1
        return self.latency_s * self.random.uniform(0.7, 1.3)

    def _rate(self, now: float) -> float:
        return self.limits(now) if self.limits is not None else self.per_s

    def _flow(self, now: float) -> None:
        assert self.left is not None
        if not self.window_s:
            self.left = min(self.capacity, self.left + (now - self.at) * self._rate(now))
            self.at = now
        elif now - self.at >= self.window_s:
            self.left, self.at = self.capacity, now - (now - self.at) % self.window_s

    def _reset_s(self, now: float) -> float:
        """Until all is there again."""
        assert self.left is not None
        if self.window_s:
            return self.at + self.window_s - now
        return (self._rate(now) * 60 - self.left) / self._rate(now)

    def headers(self, now: float) -> dict[str, str]:
        """What OpenAI's headers would say."""
        if not (self.tells and self.per_s):
            return {}
        self._flow(now)
        assert self.left is not None
        per_minute = self._rate(now) * 60
        return {
            "x-ratelimit-limit-requests": f"{per_minute:.0f}",
            "x-ratelimit-remaining-requests": f"{int(self.left)}",
            "x-ratelimit-reset-requests": f"{self._reset_s(now):.3f}s",
        }


@dataclass
class Went:
    """How it went: answers, rows without one, and the seconds it took."""

    done: int = 0
    failed: int = 0
    took_s: float = 0.0


class Asked:
    """A run of one model in virtual time."""

    def __init__(
        self, kit: Any, world: World, count: int, *, seed: int = 1, policy: Policy | None = None
    ) -> None:
        self.world = world
        self.policy = policy or Policy(attempts={"RateLimited": 60, "Overloaded": 60})
        self.random = Random(seed)
        self.now = 0.0
        self.went = Went()
        self.endpoint = Endpoint("there", ConcurrencyLimiter(REMOTE, random=self.random))
        model = kit.Model("openai/m")
        self.queue = ModelQueue(model, self.random)
        self.queue.provider = object()  # type: ignore[assignment]
        self.queue.queued.extend(Call(job, model, 0.0) for job in kit.jobs_for([model], count))
        self.endpoint.add(self.queue)
        self.open = count
        self._due: list[Any] = []
        self._order = itertools.count()

    def go(self, until_s: float = 1e4) -> Went:
        """Ask until each has its row, or until then."""
        while self.open and self.now < until_s:
            self._dispatch()
            opens_s = self.endpoint.opens_in_s(self.now) if self.endpoint.limiter.free else None
            if opens_s is not None and (not self._due or self.now + opens_s < self._due[0][0]):
                self.now += opens_s + 1e-6
                continue
            self.now, _, act, what = heapq.heappop(self._due)
            act(*what)
        self.went.took_s = self.now
        return self.went

    def _in(self, seconds: float, act: Callable[..., Any], *what: Any) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._order), act, what))

    def _dispatch(self) -> None:
        while self.endpoint.limiter.free and self.endpoint.next_queue(self.now, money=True):
            call = self.queue.queued.popleft()
            self.queue.asking.add(call)
            number, _ = self.queue.sent(call, self.now)
            call.first_sent = self.now if call.first_sent is None else call.first_sent
            said = self.world.arrive(self.now)
            if isinstance(said, ProviderError):
                self._in(self.world.refusing_s, self._refused, call, number, said)
            else:
                self._in(said / 2, self._began, call, number, self.world.headers(self.now))
                self._in(said, self._answered, call)

    def _began(self, call: Call, number: int, headers: dict[str, str]) -> None:
        self.queue.began(call, number, headers, self.now)

    def _answered(self, call: Call) -> None:
        self.world.out -= 1
        self.queue.asking.discard(call)
        self.endpoint.limiter.release()
        self.queue.circuit.answered()
        self.open -= 1
        self.went.done += 1

    def _refused(self, call: Call, number: int, error: ProviderError) -> None:
        self.queue.asking.discard(call)
        listener = AttemptListener(call.job.cell, None, lambda: None)
        attempted = Attempted(listener, datetime.now(UTC), number, 1, error=error)
        found = after_attempt.decide(
            self.queue, call, attempted, policy=self.policy, random=self.random, now=self.now
        )
        self._in(found.keeps_place_s, self.endpoint.limiter.release)
        if found.wait_s is None:
            self.open -= 1
            self.went.failed += 1
        else:
            self._in(found.wait_s, self.queue.queued.appendleft, call)
        if found.stops_model:
            self.went.failed += self.open
            self.open = 0


def plain(world: World, count: int, *, seed: int = 1, workers: int = 32) -> Went:
    """The same by a loop of workers over an SDK whose own retries wait as the SDKs' do."""
    random, went, order, now, left = Random(seed), Went(), itertools.count(), 0.0, count
    due: list[tuple[float, int, int]] = []

    def send(tries: int) -> None:
        said = world.arrive(now)
        if isinstance(said, ProviderError):
            wait_s = min(0.5 * 2.0**tries, 8.0) * (1 - 0.25 * random.random())
            asked_s = said.retry_after_s
            wait_s = asked_s if asked_s is not None and 0 < asked_s <= 60 else wait_s
            heapq.heappush(due, (now + world.refusing_s + wait_s, next(order), tries + 1))
        else:
            heapq.heappush(due, (now + said, next(order), 0))

    for _ in range(min(workers, count)):
        left -= 1
        send(0)
    while due:
        now, _, tries = heapq.heappop(due)
        if tries:
            send(tries)
            continue
        world.out -= 1
        went.done += 1
        if left:
            left -= 1
            send(0)
    went.took_s = now
    return went
