"""Who is sent next, and what never will be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random
from typing import Any

from labkit.catalog.model import Model, Weights
from labkit.engine.budget import Budget
from labkit.engine.call import Call, Stopped
from labkit.engine.queues import ModelQueue
from labkit.engine.scheduler import Scheduler
from labkit.keys import Key


class Road:
    """Scheduler, and what it sent and ended."""

    def __init__(self, *models: Model, budget: Budget | None = None, keys: Any = None) -> None:
        self.sent: list[str] = []
        self.ended: list[tuple[str, str]] = []
        self.budget = budget or Budget()
        self.scheduler = Scheduler(
            {model.id: model for model in models},
            keys or {},
            budget=self.budget,
            allow_unpriced=False,
            random=Random(1),
        )
        for queue in self.scheduler.queues.values():
            queue.provider = object()  # type: ignore[assignment]

    def _send(self, queue: ModelQueue, call: Call) -> None:
        queue.endpoint.limiter.acquire()
        self.sent.append(call.job.cell.sample_id)

    def begin(self, jobs: Any) -> None:
        """Take these jobs."""
        self.scheduler.begin(
            jobs,
            entered=lambda job: None,
            send=self._send,
            end=lambda call, stopped: self.ended.append((call.job.cell.sample_id, stopped.error_type)),
        )

    def go(self) -> None:
        """Send what may be sent."""
        self.scheduler.seek_money()
        for endpoint in self.scheduler.endpoints:
            self.scheduler.dispatch(endpoint)


def test_endpoints_and_keys_share_a_limit() -> None:
    """Models of one endpoint and key share a limiter, unless one has a concurrency of its own."""
    one, two = Key("sk-one-0123456789", source="a"), Key("sk-two-0123456789", source="b")
    models = [
        Model("openai/a"),
        Model("openai/b"),
        Model("openai/c"),
        Model("openai/d", concurrency=3),
        Model("openai/e", base_url="https://example.com/v1"),
        Model("local/f", weights=Weights(slots=2)),
        Model("scripted/g"),
    ]
    keys = {model.id: one for model in models} | {"openai/c": two}
    scheduler = Road(*models, keys=keys).scheduler
    limiters = {name: queue.endpoint.limiter for name, queue in scheduler.queues.items()}
    assert limiters["openai/a"] is limiters["openai/b"]
    assert len({id(limiter) for limiter in limiters.values()}) == 6
    assert [limiters[name].ceiling for name in ("openai/a", "openai/d", "local/f")] == [32, 3, 2]
    assert limiters["local/f"].limit == 2


def test_slow_jobs_do_not_hold_up_the_loop(kit: Any) -> None:
    """Where making jobs takes long, a few are taken at a time, and all in the end."""
    model = Model("scripted/a", concurrency=300)
    road = Road(model)

    def slowly() -> Iterator[Any]:
        for job in kit.jobs_for([model], 20):
            time.sleep(0.004)  # what it stands for: to work out what a job can cost
            yield job

    road.begin(slowly())
    pulls = 1
    while road.scheduler.pull():
        pulls += 1
    (queue,) = road.scheduler.queues.values()
    assert len(queue.queued) == 20
    assert pulls >= 5


def test_it_sends_as_many_as_there_are_places(kit: Any) -> None:
    """Places are filled in the order of the jobs, and no more than there are."""
    model = Model("scripted/a", concurrency=3)
    road = Road(model)
    road.begin(kit.jobs_for([model], 5))
    assert not road.scheduler.pull()
    assert not road.scheduler.more
    road.go()
    assert road.sent == ["scripted/a#0", "scripted/a#1", "scripted/a#2"]
    assert road.scheduler.in_flight == 3


def test_what_waited_goes_first(kit: Any) -> None:
    """A request whose time has come does not queue again behind those never asked."""
    model = Model("scripted/a", concurrency=1)
    road = Road(model)
    road.begin(kit.jobs_for([model], 3))
    road.scheduler.pull()
    road.go()
    (queue,) = road.scheduler.queues.values()
    (call,) = queue.asking
    queue.asking.clear()
    queue.waiting.add(call)
    queue.endpoint.limiter.release()
    road.scheduler.again(queue, call)
    road.go()
    assert road.sent == ["scripted/a#0", "scripted/a#0"]


def test_a_stopped_lane_ends_what_comes(kit: Any) -> None:
    """What waits in it ends, what is set aside is freed, and later jobs end as they come."""
    model = Model("scripted/a", concurrency=1)
    road = Road(model, budget=Budget(0.5))
    jobs = kit.jobs_for([model], 4, usd=0.01)
    road.begin(jobs[:3])
    road.scheduler.pull()
    road.go()
    (queue,) = road.scheduler.queues.values()
    queue.queued[0].reserved_usd = 0.2
    road.budget.reserve(0.2)
    road.scheduler.stop(queue, Stopped("X", "x"))
    assert road.ended == [("scripted/a#1", "X"), ("scripted/a#2", "X")]
    assert road.budget.reserved_usd == 0.2
    road.begin(jobs[3:])
    road.scheduler.more = True
    road.scheduler.pull()
    assert road.ended[-1] == ("scripted/a#3", "X")


def test_nobody_overtakes_who_waits_for_money(kit: Any) -> None:
    """The first that cannot be paid for gets what comes free next; what is free of charge goes on."""
    dear, cheap, free = (Model(f"scripted/{name}", concurrency=9) for name in ("dear", "cheap", "free"))
    road = Road(dear, cheap, free, budget=Budget(1.0))
    jobs = [
        *kit.jobs_for([cheap], 1, usd=0.02),
        *kit.jobs_for([dear], 1, usd=0.045),
        *kit.jobs_for([free], 1, usd=0.0),
    ]
    road.begin(jobs)
    road.scheduler.pull()
    road.budget.reserve(0.05)
    road.go()
    assert road.sent == ["scripted/dear#0", "scripted/free#0"]
    assert road.scheduler.short
    road.budget.settle(0.05, 0.0)
    (call,) = road.scheduler.queues["scripted/dear"].asking
    road.scheduler.settle(call, 0.1)
    road.scheduler.queues["scripted/dear"].asking.clear()
    road.go()
    assert road.sent[-1] == "scripted/cheap#0"
    assert not road.scheduler.short


def test_overdue_ones_are_taken_out(kit: Any) -> None:
    """What was asked before and is out of time leaves the queue; what was never asked stays."""
    model = Model("scripted/a")
    road = Road(model)
    road.begin(kit.jobs_for([model], 3))
    road.scheduler.pull()
    (queue,) = road.scheduler.queues.values()
    late = queue.queued[1]
    late.attempts, late.first_sent = 1, 0.0
    assert road.scheduler.overdue(queue, 50.0, 100.0) == []
    assert road.scheduler.overdue(queue, 101.0, 100.0) == [late]
    assert len(queue.queued) == 2


def test_what_would_have_to_wait_can_be_ended(kit: Any) -> None:
    """Cells that only wait for the time end and say for how long, and the money set aside is free again."""
    model = Model("scripted/a", concurrency=1)
    road = Road(model, budget=Budget(1.0))
    road.begin(kit.jobs_for([model], 3, usd=0.01))
    road.scheduler.pull()
    (queue,) = road.scheduler.queues.values()
    queue.queued[0].reserved_usd = 0.2
    road.budget.reserve(0.2)
    road.scheduler.end_waits(queue.endpoint, 0.0)
    assert road.ended == []
    queue.buckets.heed({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}, 0.0)
    road.scheduler.end_waits(queue.endpoint, 0.95)
    assert road.ended == []
    road.scheduler.end_waits(queue.endpoint, 0.0)
    assert [why for _, why in road.ended] == ["RateLimited"] * 3
    assert road.budget.reserved_usd == 0
