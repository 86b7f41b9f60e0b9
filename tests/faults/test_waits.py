"""Refusals that ask to wait: what is waited for, for how long, and who else has to."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from itertools import pairwise
from typing import Any

import pytest

pytestmark = pytest.mark.alone

LIMIT = {"error": {"type": "rate_limit_error", "message": "slow down"}}


def refusal(after: str | None = None, status: int = 429, **headers: str) -> dict[str, Any]:
    """A refusal that asks to wait."""
    told = {} if after is None else {"retry-after": after}
    return {"status": status, "headers": {**told, **headers}, "body": LIMIT}


def test_every_retry_after_is_waited_for(channel: Any, put: Callable[..., Any]) -> None:
    """Three refusals of half a second each give four requests, half a second apart, and one answer."""
    channel.script(*[refusal("0.5")] * 3)
    ran = put(channel.model())
    times = [seen["at"] for seen in channel.seen()]
    assert [b - a >= 0.5 for a, b in pairwise(times)] == [True] * 3
    (row,) = ran.sink.generations
    assert (row.status, row.attempts, row.maybe_paid) == ("done", 4, 0)
    assert row.retry_s == pytest.approx(times[-1] - times[0], abs=0.3)
    assert [attempt.retry_after_s for attempt in ran.sink.attempts] == [0.5, 0.5, 0.5, None]
    assert all(attempt.wait_s >= 0.5 for attempt in ran.sink.attempts[:3])
    assert ran.sink.attempts[-1].wait_s is None
    assert [attempt.status_code for attempt in ran.sink.attempts] == [429, 429, 429, 200]
    assert len(ran.memory.named("waiting")) == 3


def test_a_date_is_waited_for(channel: Any, put: Callable[..., Any]) -> None:
    """A Retry-After that is a date is taken against the server's own clock, however wrong that is."""
    hour_ago = time.time() - 3600
    date = {"date": formatdate(hour_ago, usegmt=True)}
    channel.script(refusal(formatdate(hour_ago + 1, usegmt=True), **date))
    ran = put(channel.model())
    assert ran.sink.attempts[0].retry_after_s == 1.0
    assert ran.sink.statuses() == {"done": 1}


@pytest.mark.parametrize("nonsense", ["-1", "nan", "inf", "abc", "", "1e3 s", "Fri, 99 Foo 2026"])
def test_nonsense_is_no_wait(nonsense: str, channel: Any, put: Callable[..., Any]) -> None:
    """A Retry-After that means nothing is as good as none: the next request leaves by the backoff."""
    channel.script(refusal(nonsense))
    ran = put(channel.model())
    assert ran.sink.statuses() == {"done": 1}
    assert ran.sink.attempts[0].retry_after_s is None
    assert ran.sink.attempts[0].wait_s < 1
    first, second = channel.seen()
    assert second["at"] - first["at"] < 5


@pytest.mark.parametrize("after", ["200", "86400", "1e300", "a day"])
@pytest.mark.parametrize("dialects", [("openai", "anthropic"), ("anthropic", "openai")])
def test_nobody_sleeps_beyond_the_cap(
    after: str, dialects: tuple[str, str], channel_for: Callable[[str], Any], put: Callable[..., Any]
) -> None:
    """A wait beyond the cap, in seconds or as a date, puts that model aside after its one request, with a
    row that says until when; the other goes on."""
    slow, quick = map(channel_for, dialects)
    told = formatdate(time.time() + 86400, usegmt=True) if after == "a day" else after
    slow.script(then=refusal(told))
    begun = datetime.now(UTC)
    ran = put(slow.model("slow", concurrency=1), quick.model("quick"), count=5)
    assert len(slow.seen()) == 1
    assert len(quick.seen()) == 5
    assert ran.sink.statuses() == {"done": 5, "stopped": 4, "failed": 1}
    stopped = [row for row in ran.sink.generations if row.status == "stopped"]
    assert {row.error_type for row in stopped} == {"RateLimited"}
    asked_s = {"200": 200.0, "86400": 86400.0, "1e300": 366 * 86400.0, "a day": 86400.0}[after]
    for row in stopped:
        said = re.search(r"until (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", row.error_message)
        assert said is not None
        until = datetime.fromisoformat(said[1]).replace(tzinfo=UTC)
        assert abs((until - begun).total_seconds() - asked_s) < 10


def test_a_long_wait_is_shown_and_can_be_stopped(
    channel_for: Callable[[str], Any], put: Callable[..., Any], kit: Any
) -> None:
    """A wait below the cap is told with its length and its reason as it begins, and stands in the limits;
    the others are asked meanwhile, and a stop does not wait for it."""
    channel = channel_for("openai")
    channel.script(refusal("200"))
    held: list[Any] = []
    ended: list[Any] = []
    state: list[Any] = []

    def look(row: Any) -> None:
        ended.append(row)
        if len(ended) == 5:
            state.extend(held[0].limits())
            held[0].stop("seen enough")

    begun = time.monotonic()
    ran = put(
        channel.model(concurrency=1),
        count=6,
        memory=kit.Memory(on={"ended": look}),
        before=held.append,
        policy={"retry_after_cap_s": 300.0, "deadline_s": 600.0},
    )
    assert time.monotonic() - begun < 60
    ((cell, seconds, why),) = ran.memory.named("waiting")
    assert 200 <= seconds <= 220.1
    assert "429" in why
    assert "slow down" in why
    assert [one["waiting"] for one in state] == [1]
    assert ran.sink.statuses() == {"done": 5, "stopped": 1}
    (stopped,) = [row for row in ran.sink.generations if row.status == "stopped"]
    assert stopped.generation_id == cell.generation_id
    assert len(channel.seen()) == 6


def test_a_wait_delays_only_its_own_request(
    channel_for: Callable[[str], Any], put: Callable[..., Any]
) -> None:
    """While one request waits a second, the others are asked and answered."""
    channel = channel_for("openai")
    channel.script(refusal("1"))
    ran = put(channel.model(concurrency=1), count=6)
    assert ran.sink.statuses() == {"done": 6}
    refused, *others, again = channel.seen()
    assert len(others) == 5
    assert again["body"] == refused["body"]
    assert again["at"] - refused["ended"] >= 0.99
    assert all(one["ended"] < again["at"] for one in others)


def test_a_burst_of_refusals_is_asked_again(
    channel_for: Callable[[str], Any], put: Callable[..., Any]
) -> None:
    """After a burst of 529 all are answered in the end, and asked no more often than they were refused."""
    channel = channel_for("anthropic")
    busy = {
        "status": 529,
        "body": {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}},
    }
    channel.script(*[busy] * 12, then={"first_s": 0.01})
    ran = put(channel.model(), count=60)
    assert ran.sink.statuses() == {"done": 60}
    assert len(channel.seen()) == 72


def test_limits_told_in_headers_are_kept(channel_for: Callable[[str], Any], put: Callable[..., Any]) -> None:
    """Where the headers say that nothing is left, the next request waits for the refill they tell of."""
    channel = channel_for("openai")
    told = {
        "x-ratelimit-limit-requests": "120",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "60s",
    }
    channel.script({"headers": told}, {"headers": told})
    ran = put(channel.model(concurrency=1), count=2, policy={"retry_after_cap_s": 5})
    first, second = channel.seen()
    assert second["at"] - first["ended"] >= 0.4
    assert ran.sink.statuses() == {"done": 2}


ODD = [("6000", "0", odd) for odd in ("inf", "nan", "-5s", "soon")]
ODD += [
    ("1e999", "1", "1s"),
    ("0", "0", "60s"),
    ("-1", "5", "1s"),
    ("nan", "nan", "nan"),
    ("6000", "inf", ""),
]


@pytest.mark.parametrize(("limit", "remaining", "reset"), ODD)
def test_odd_limits_break_nothing(
    limit: str, remaining: str, reset: str, channel: Any, put: Callable[..., Any]
) -> None:
    """Headers of limits that make no sense hold nobody up for longer than those that do."""
    name = "x-ratelimit-{}-requests" if channel.dialect == "openai" else "anthropic-ratelimit-requests-{}"
    parts = {"limit": limit, "remaining": remaining, "reset": reset}
    channel.script(then={"headers": {name.format(part): value for part, value in parts.items()}})
    begun = time.monotonic()
    ran = put(channel.model(concurrency=1), count=3)
    assert ran.sink.statuses() == {"done": 3}
    assert len(channel.seen()) == 3
    assert time.monotonic() - begun < 30
