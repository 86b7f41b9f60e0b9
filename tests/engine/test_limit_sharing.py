"""LimitSharing: runs of one machine see each other, have equal parts, and learn from each other."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import pytest

from labkit.catalog.model import Model
from labkit.engine import limit_sharing, shared_usage_file
from labkit.engine.call import Call
from labkit.engine.concurrency import ConcurrencyLimiter
from labkit.engine.limit_sharing import LimitSharing
from labkit.engine.queues import Endpoint, ModelQueue
from labkit.keys import Key

KEY = Key("sk-shared-0123456789", source="the test")
TOLD = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "40"}


class Member:
    """A run: its queues and its part in the sharing, at times that are given."""

    def __init__(self, kit: Any, *models: Model, key: Key | None = KEY, backlog: int = 3) -> None:
        self.queues = [ModelQueue(model, Random(1)) for model in models or (Model("openai/m"),)]
        self.queue = self.queues[0]
        self.endpoint = Endpoint("here", ConcurrencyLimiter(32))
        for queue in self.queues:
            self.endpoint.add(queue)
            jobs = kit.jobs_for([queue.model], backlog)
            queue.queued.extend(Call(job, queue.model, 0) for job in jobs)
        self.sharing = LimitSharing.join(self.queues, {queue.model.id: key for queue in self.queues})

    def begin(self, at: float) -> Member:
        self.sharing.begin(at)
        return self

    def beat(self, at: float) -> None:
        self.sharing.beat(at, news=True)

    @property
    def share(self) -> float:
        return self.queue.rate.share


@pytest.fixture
def run(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Member]:
    """Makes runs that share a cache folder; the engine's clock is the monotonic one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(time, "monotonic", lambda: Moment.now)
    made: list[Member] = []

    def make(*models: Model, at: float = 1000.0, **more: Any) -> Member:
        Moment.now = at
        made.append(Member(kit, *models, **more).begin(at))
        return made[-1]

    yield make
    for one in made:
        one.sharing.leave(Moment.now)


class Moment:
    """What the clock shows."""

    now = 0.0


def beat(at: float, *members: Member) -> None:
    """All tell and read."""
    Moment.now = at
    for member in members:
        member.beat(at)


def test_each_has_an_equal_part(run: Callable[..., Member]) -> None:
    """Alone a run has all; of three each has a third, however much waits."""
    one = run(backlog=500)
    assert (one.share, one.endpoint.limiter.limit) == (1.0, 16)
    two, three = run(), run()
    beat(1000.5, one, two, three)
    assert [member.share for member in (one, two, three)] == [pytest.approx(1 / 3)] * 3
    assert one.endpoint.limiter.limit == 5
    assert one.queue.runs == 3


def test_who_waits_for_nothing_leaves_its_part(run: Callable[..., Member]) -> None:
    """A run whose requests are all out takes no share from the others, and has its own when it comes back."""
    one, two = run(), run()
    two.queue.queued.clear()
    beat(1001, two, one)
    assert one.share == 1.0
    assert one.queue.runs == 2
    assert two.share == 0.5


def test_who_is_gone_leaves_its_part(run: Callable[..., Member]) -> None:
    """A run that ended is gone at once; one that was killed or stopped, after three seconds."""
    one, two, three = run(), run(), run()
    two.sharing.leave(1000.0)
    beat(1002.0, one)
    assert one.share == 0.5
    beat(1003.5, one)
    assert (one.share, one.queue.runs) == (1.0, 1)
    beat(1004.0, three, one)
    assert one.share == 0.5


def test_other_keys_models_and_endpoints_are_nobody_s_business(run: Callable[..., Member]) -> None:
    """Only who asks the same model, there and with the same key, shares it."""
    one = run()
    others = [
        run(key=Key("sk-another-0123456789", source="the test")),
        run(key=None),
        run(Model("openai/other")),
        run(Model("openai/m", base_url="https://example.com/v1")),
    ]
    beat(1000.5, one, *others)
    assert one.share == 1.0
    assert one.endpoint.limiter.share == 1.0


def test_one_run_of_several_models_is_one(run: Callable[..., Member]) -> None:
    """Models are shared one by one, the places of the endpoint with every run that asks one of them."""
    one = run(Model("openai/a"), Model("openai/b"))
    two = run(Model("openai/b"), Model("openai/c"))
    beat(1000.5, one, two)
    assert [queue.rate.share for queue in one.queues] == [1.0, 0.5]
    assert one.endpoint.limiter.share == 0.5


def test_local_and_scripted_models_are_not_shared(run: Callable[..., Member], tmp_path: Path) -> None:
    """What answers in this process, or by a client of the user's own, leaves no file."""
    run(Model("scripted/a"), Model("local/b"), Model("openai/c", client=object()))
    assert list(tmp_path.rglob("limits/*")) == []


def test_levels_are_shared_and_not_made(run: Callable[..., Member]) -> None:
    """What the provider says remains is split: the parts are never more than the whole."""
    one = run()
    one.queue.buckets.heed(TOLD, 1000.0)
    two = run(at=1000.0)
    two.queue.buckets.heed(TOLD, 1000.0)
    beat(1000.0, one, two)
    levels = [member.queue.buckets.state(1000.0)["requests"].level for member in (one, two)]
    assert levels == [20.0, 20.0]
    later = [member.queue.buckets.state(1010.0)["requests"].level for member in (one, two)]
    assert sum(later) == pytest.approx(50.0)


def test_a_newcomer_knows_what_others_know(run: Callable[..., Member]) -> None:
    """It begins with one request of a bucket others know, and with what remains once it is told itself."""
    one = run()
    one.queue.buckets.heed(TOLD, 1000.0)
    beat(1000.0, one)
    two = run(at=1001.0)
    bucket = two.queue.buckets.state(1001.0)["requests"]
    assert (bucket.capacity, bucket.per_s, bucket.share, bucket.level) == (60, 1.0, 0.5, 1.0)
    two.queue.buckets.heed({**TOLD, "x-ratelimit-remaining-requests": "30"}, 1001.0)
    assert two.queue.buckets.state(1001.0)["requests"].level == 15.0


def run_into_a_limit(queue: ModelQueue, at: float) -> None:
    """Forty requests within a second, all but the first ten refused."""
    for number in range(1, 41):
        queue.rate.sent(number, at + number / 40)
        if number <= 10:
            queue.rate.taken(number, at + number / 40)
        else:
            queue.rate.refused(number, None, at + number / 40)


def test_what_was_known_outlives_a_run_for_a_while(run: Callable[..., Member]) -> None:
    """The next run knows the bucket as it has filled since; after ten minutes nothing."""
    one = run()
    one.queue.buckets.heed(TOLD, 1000.0)
    run_into_a_limit(one.queue, 999.0)
    Moment.now = 1001.0
    one.sharing.leave(1001.0)
    two = run(at=1011.0)
    assert two.queue.buckets.state(1011.0)["requests"].level == pytest.approx(51.0)
    assert two.queue.rate.pace_per_s == pytest.approx(one.queue.rate.pace_per_s, rel=0.05)
    two.sharing.leave(1011.0)
    assert run(at=2000.0).queue.buckets.state(2000.0) == {}


def test_a_limit_slows_all_down_once(run: Callable[..., Member]) -> None:
    """Who hears of a limit elsewhere keeps it from then on, and knows how fast the other asks; hearing of it
    again does nothing."""
    one, two = run(), run()
    assert two.queue.rate.elsewhere_per_s is None
    run_into_a_limit(one.queue, 1001.0)
    beat(1002.2, one, two)
    pace = two.queue.rate.pace_per_s
    assert two.queue.rate.elsewhere_per_s == pytest.approx(one.queue.rate.pace_per_s / 2)
    assert pace == pytest.approx(one.queue.rate.pace_per_s, rel=0.05)
    two.queue.rate.pace_per_s = 1.5 * pace
    beat(1003.0, one, two)
    assert two.queue.rate.pace_per_s == 1.5 * pace


def test_what_runs_tell_each_other_slows_them_once(
    run: Callable[..., Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However their clocks are read, no run takes what it told itself for news: the pace of both stays."""
    one, two = run(), run()
    late = Random(1)
    monkeypatch.setattr(time, "monotonic", lambda: Moment.now + late.uniform(0, 0.001))
    run_into_a_limit(one.queue, 1001.0)
    beat(1002.2, one, two)
    pace = two.queue.rate.pace_per_s
    for number in range(200):
        beat(1002.6 + 0.4 * number, one, two)
    assert pace == two.queue.rate.pace_per_s == pytest.approx(one.queue.rate.pace_per_s, rel=0.05)


def test_refusals_by_chance_slow_nobody_else(run: Callable[..., Member]) -> None:
    """What one run is refused and no limit explains is not told."""
    one, two = run(), run()
    for number in range(1, 201):
        one.queue.rate.sent(number, 1001 + number / 200)
        if number % 5 == 0:
            one.queue.rate.refused(number, None, 1001.002 + number / 200)
        else:
            one.queue.rate.taken(number, 1001.002 + number / 200)
    beat(1002.2, one, two)
    assert two.queue.rate.pace_per_s == inf


def test_many_beats_cost_little(run: Callable[..., Member]) -> None:
    """Between beats nothing is read or written: a thousand calls are one."""
    one = run()
    place, _ = one.sharing._files[0]
    reads: list[int] = []
    read = place.read
    place.read = lambda: reads.append(1) or read()  # type: ignore[method-assign,func-returns-value]
    for number in range(1000):
        one.sharing.beat(1001.0 + number / 10_000)
    assert len(reads) == 1


def test_a_folder_that_cannot_be_used_is_said_once(
    run: Callable[..., Member], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    """Runs go on alone, and the log says why, once, without a path."""
    monkeypatch.setattr(limit_sharing, "_alone", set())
    (tmp_path / "labkit").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        one, two = run(), run()
    beat(1001, one, two)
    assert one.share == two.share == 1.0
    assert len(caplog.records) == 1
    assert "not shared" in caplog.text
    assert str(tmp_path) not in caplog.text


def test_a_disk_that_fails_later_ends_the_sharing(run: Callable[..., Member], monkeypatch: Any) -> None:
    """When the file can no longer be read, each has all for itself again."""
    one, two = run(), run()
    beat(1000.5, one, two)
    monkeypatch.setattr(limit_sharing, "_alone", set())
    os.close(one.sharing._files[0][0]._fd)  # type: ignore[arg-type]
    one.sharing._files[0][0]._fd = 10**6
    beat(1001, one)
    assert (one.share, one.endpoint.limiter.share, one.queue.runs) == (1.0, 1.0, 1)


def test_the_board_names_nobody(run: Callable[..., Member], tmp_path: Path) -> None:
    """Neither key, endpoint nor model can be read from it."""
    run(Model("openai/some-model", base_url="https://some.example/v1"))
    (path,) = (tmp_path / "labkit" / "limits").iterdir()
    kept = path.name.encode() + path.read_bytes()
    for text in (KEY.reveal(), "some-model", "some.example"):
        assert not any(text[start : start + 8].encode() in kept for start in range(len(text) - 7))
    assert shared_usage_file.model_hash("some-model") in kept
