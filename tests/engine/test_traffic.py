"""Who is sent next, and what never will be."""

from __future__ import annotations

from random import Random
from typing import Any

from labkit.catalog.model import Model, Weights
from labkit.engine.errand import Errand, Stopped
from labkit.engine.lane import Lane
from labkit.engine.purse import Purse
from labkit.engine.traffic import Traffic
from labkit.keys import Key


class Road:
    """Traffic, and what it sent and ended."""

    def __init__(self, *models: Model, purse: Purse | None = None, keys: Any = None) -> None:
        self.sent: list[str] = []
        self.ended: list[tuple[str, str]] = []
        self.purse = purse or Purse()
        self.traffic = Traffic(
            {model.id: model for model in models},
            keys or {},
            purse=self.purse,
            allow_unpriced=False,
            random=Random(1),
        )
        for lane in self.traffic.lanes.values():
            lane.provider = object()  # type: ignore[assignment]

    def _send(self, lane: Lane, errand: Errand) -> None:
        lane.endpoint.limiter.acquire()
        self.sent.append(errand.job.cell.sample_id)

    def begin(self, jobs: Any) -> None:
        """Take these jobs."""
        self.traffic.begin(
            jobs,
            entered=lambda job: None,
            send=self._send,
            end=lambda errand, stopped: self.ended.append((errand.job.cell.sample_id, stopped.error_type)),
        )

    def go(self) -> None:
        """Send what may be sent."""
        self.traffic.seek_money()
        for endpoint in self.traffic.endpoints:
            self.traffic.dispatch(endpoint)


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
    traffic = Road(*models, keys=keys).traffic
    limiters = {name: lane.endpoint.limiter for name, lane in traffic.lanes.items()}
    assert limiters["openai/a"] is limiters["openai/b"]
    assert len({id(limiter) for limiter in limiters.values()}) == 6
    assert [limiters[name].ceiling for name in ("openai/a", "openai/d", "local/f")] == [32, 3, 2]
    assert limiters["local/f"].limit == 2


def test_it_sends_as_many_as_there_are_places(kit: Any) -> None:
    """Places are filled in the order of the jobs, and no more than there are."""
    model = Model("scripted/a", concurrency=3)
    road = Road(model)
    road.begin(kit.jobs_for([model], 5))
    assert not road.traffic.pull()
    assert not road.traffic.more
    road.go()
    assert road.sent == ["scripted/a#0", "scripted/a#1", "scripted/a#2"]
    assert road.traffic.in_flight == 3


def test_what_waited_goes_first(kit: Any) -> None:
    """A request whose time has come does not queue again behind those never asked."""
    model = Model("scripted/a", concurrency=1)
    road = Road(model)
    road.begin(kit.jobs_for([model], 3))
    road.traffic.pull()
    road.go()
    (lane,) = road.traffic.lanes.values()
    (errand,) = lane.asking
    lane.asking.clear()
    lane.waiting.add(errand)
    lane.endpoint.limiter.release()
    road.traffic.again(lane, errand)
    road.go()
    assert road.sent == ["scripted/a#0", "scripted/a#0"]


def test_a_stopped_lane_ends_what_comes(kit: Any) -> None:
    """What waits in it ends, what is set aside is freed, and later jobs end as they come."""
    model = Model("scripted/a", concurrency=1)
    road = Road(model, purse=Purse(0.5))
    jobs = kit.jobs_for([model], 4, usd=0.01)
    road.begin(jobs[:3])
    road.traffic.pull()
    road.go()
    (lane,) = road.traffic.lanes.values()
    lane.queue[0].reserved_usd = 0.2
    road.purse.reserve(0.2)
    road.traffic.stop(lane, Stopped("X", "x"))
    assert road.ended == [("scripted/a#1", "X"), ("scripted/a#2", "X")]
    assert road.purse.reserved_usd == 0.2
    road.begin(jobs[3:])
    road.traffic.more = True
    road.traffic.pull()
    assert road.ended[-1] == ("scripted/a#3", "X")


def test_nobody_overtakes_who_waits_for_money(kit: Any) -> None:
    """The first that cannot be paid for gets what comes free next; what is free of charge goes on."""
    dear, cheap, free = (Model(f"scripted/{name}", concurrency=9) for name in ("dear", "cheap", "free"))
    road = Road(dear, cheap, free, purse=Purse(1.0))
    jobs = [
        *kit.jobs_for([cheap], 1, usd=0.02),
        *kit.jobs_for([dear], 1, usd=0.045),
        *kit.jobs_for([free], 1, usd=0.0),
    ]
    road.begin(jobs)
    road.traffic.pull()
    road.purse.reserve(0.05)
    road.go()
    assert road.sent == ["scripted/dear#0", "scripted/free#0"]
    assert road.traffic.short
    road.purse.settle(0.05, 0.0)
    (errand,) = road.traffic.lanes["scripted/dear"].asking
    road.traffic.settle(errand, 0.1)
    road.traffic.lanes["scripted/dear"].asking.clear()
    road.go()
    assert road.sent[-1] == "scripted/cheap#0"
    assert not road.traffic.short


def test_overdue_ones_are_taken_out(kit: Any) -> None:
    """What was asked before and is out of time leaves the queue; what was never asked stays."""
    model = Model("scripted/a")
    road = Road(model)
    road.begin(kit.jobs_for([model], 3))
    road.traffic.pull()
    (lane,) = road.traffic.lanes.values()
    late = lane.queue[1]
    late.attempts, late.first_sent = 1, 0.0
    assert road.traffic.overdue(lane, 50.0, 100.0) == []
    assert road.traffic.overdue(lane, 101.0, 100.0) == [late]
    assert len(lane.queue) == 2


def test_what_would_have_to_wait_can_be_ended(kit: Any) -> None:
    """Cells that only wait for the time end and say for how long, and the money set aside is free again."""
    model = Model("scripted/a", concurrency=1)
    road = Road(model, purse=Purse(1.0))
    road.begin(kit.jobs_for([model], 3, usd=0.01))
    road.traffic.pull()
    (lane,) = road.traffic.lanes.values()
    lane.queue[0].reserved_usd = 0.2
    road.purse.reserve(0.2)
    road.traffic.end_waits(lane.endpoint, 0.0)
    assert road.ended == []
    lane.buckets.heed({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}, 0.0)
    road.traffic.end_waits(lane.endpoint, 0.95)
    assert road.ended == []
    road.traffic.end_waits(lane.endpoint, 0.0)
    assert [why for _, why in road.ended] == ["RateLimited"] * 3
    assert road.purse.reserved_usd == 0
