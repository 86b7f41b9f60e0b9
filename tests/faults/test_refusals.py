"""Refusals that no waiting mends: one request each, and a model that takes none is left alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refused_request_is_sent_once(status: int, channel: Any, put: Callable[..., Any]) -> None:
    """A request that the provider will never take is sent once, and the others are asked."""
    channel.script({"status": status, "body": {"error": {"message": "no such thing"}}})
    ran = put(channel.model(concurrency=1), count=3)
    assert len(channel.seen()) == 3
    assert ran.sink.statuses() == {"done": 2, "failed": 1}
    failed = next(row for row in ran.sink.generations if row.status == "failed")
    assert (failed.error_type, failed.attempts, failed.maybe_paid) == ("InvalidRequest", 1, 0)
    assert f"{status}: no such thing" in failed.error_message
    assert failed.text is None
    assert failed.cost_usd is None


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("dialects", [("openai", "anthropic"), ("anthropic", "openai")])
def test_a_bad_key_stops_its_model(
    status: int, dialects: tuple[str, str], channel_for: Callable[[str], Any], put: Callable[..., Any]
) -> None:
    """The first refusal of a key stops that model's other cells; the other model is asked to the end."""
    bad, good = map(channel_for, dialects)
    bad.script(
        then={"status": status, "body": {"error": {"message": "bad key", "type": "authentication_error"}}}
    )
    ran = put(bad.model("bad", concurrency=1), good.model("good"), count=10)
    assert len(bad.seen()) == 1
    assert len(good.seen()) == 10
    assert ran.sink.statuses() == {"done": 10, "failed": 1, "stopped": 9}
    assert {row.error_type for row in ran.sink.generations if row.status != "done"} == {
        "AuthenticationFailed"
    }


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 429, "body": {"error": {"code": "insufficient_quota", "message": "no credit"}}},
        {"status": 429, "headers": {"retry-after": "0.1"}, "body": {"error": {"type": "insufficient_quota"}}},
        {"status": 402, "body": {"error": {"message": "pay first"}}},
        {"status": 400, "body": {"error": {"message": "Your credit balance is too low to access the API."}}},
    ],
)
def test_an_empty_account_is_asked_once(
    refusal: dict[str, Any], channel: Any, put: Callable[..., Any]
) -> None:
    """Without credit nothing is asked again, whatever status says so, and the rows name the cause."""
    channel.script(then=refusal)
    ran = put(channel.model(concurrency=1), count=4)
    assert len(channel.seen()) == 1
    assert ran.sink.statuses() == {"failed": 1, "stopped": 3}
    assert {row.error_type for row in ran.sink.generations} == {"QuotaExceeded"}


def test_a_broken_prompt_ends_inside_its_budget(
    channel_for: Callable[[str], Any], put: Callable[..., Any]
) -> None:
    """A provider that breaks on one prompt for ever costs that row its attempts; the others are answered."""
    bad, good = channel_for("openai"), channel_for("openai")
    bad.script(then={"status": 500, "body": "oops"})
    ran = put(bad.model("bad"), good.model("good"), count=1, policy={"attempts": {"Overloaded": 4}})
    rows = ran.sink.by_sample()
    assert (rows["faulty/bad#0"].status, rows["faulty/bad#0"].attempts) == ("failed", 4)
    assert rows["faulty/bad#0"].error_type == "Overloaded"
    assert rows["faulty/good#0"].status == "done"
    assert len(bad.seen()) == 4


@pytest.mark.parametrize(
    ("text", "params"), [("lone \ud800 surrogate", None), ("fine", {"max_tokens": 5, "odd": object()})]
)
def test_what_cannot_be_written_is_not_sent(
    text: str, params: Any, channel: Any, put: Callable[..., Any], kit: Any, ask: Any, key: Any
) -> None:
    """A request that has no JSON form is a row that says so, costs nothing, and is tried once."""
    from msgspec.structs import replace

    model = channel.model()
    (job,) = kit.jobs_for([model], 1, params=params)
    request = replace(job.request, messages=({"role": "user", "content": text},))
    odd = kit.Job(cell=job.cell, request=request, pricer=job.pricer, input_bound_tokens=9)
    (row,) = ask([model], [odd], keys={model.id: key}).sink.generations
    assert (row.status, row.error_type, row.attempts, row.maybe_paid) == ("failed", "InvalidRequest", 1, 0)
    assert channel.seen() == []


def test_fail_fast_asks_nothing_twice(channel: Any, put: Callable[..., Any]) -> None:
    """Who would rather have an error than a wait gets the first one."""
    channel.script(then={"status": 503, "body": "busy"})
    ran = put(channel.model(), count=3, policy={"fail_fast": True})
    assert len(channel.seen()) == 3
    assert ran.sink.statuses() == {"failed": 3}


def test_the_same_error_again_and_again_pauses_the_model(
    channel_for: Callable[[str], Any], put: Callable[..., Any]
) -> None:
    """After twenty like errors the model pauses, says so, probes with one request, and goes on."""
    channel = channel_for("openai")
    channel.script(*[{"status": 503, "body": "busy"}] * 21)
    ran = put(channel.model(concurrency=2), count=15, policy={"deadline_s": 60})
    assert ran.sink.statuses() == {"done": 15}
    waits = [why for _, _, why in ran.memory.named("waiting") if "again and again" in why]
    assert waits
    times = [seen["at"] for seen in channel.seen()]
    assert max(b - a for a, b in pairwise(times)) > 0.5


def test_a_redirect_is_not_followed(channel: Any, put: Callable[..., Any]) -> None:
    """An endpoint that sends elsewhere is refused with that address, and the other place sees nothing."""
    elsewhere = f"{channel.server}/c/elsewhere/v1/chat/completions"
    channel.script(then={"status": 307, "headers": {"location": elsewhere}, "body": ""})
    ran = put(channel.model())
    (row,) = ran.sink.generations
    assert row.error_type == "InvalidRequest"
    assert "redirects elsewhere" in row.error_message
    channel.name = "elsewhere"
    assert channel.seen() == []


def test_no_key_is_in_any_row(channel: Any, put: Callable[..., Any], key: Any) -> None:
    """A server that echoes the key, whole or in part, in body and headers, gets it into no row."""
    secret = key.reveal()
    channel.script(
        {
            "status": 400,
            "body": {"error": {"message": f"bad: Bearer {secret}"}},
            "headers": {"x-echo": secret},
        },
        {"raw": f"<html>authorization: {secret}", "content_type": "text/html"},
        {"error_after": 2, "error": {"error": {"type": "api_error", "message": f"{secret[:14]}…"}}},
        {"status": 401, "body": f"unknown key {secret[3:]}"},
    )
    ran = put(channel.model(concurrency=1), count=4, policy={"fail_fast": True})
    rows = repr([list(map(repr, ran.sink.generations)), ran.sink.attempts]) + "".join(
        f"{row.error_message}{row.raw}" for row in ran.sink.generations
    )
    assert not ran.sink.statuses()["done"]
    assert not [piece for piece in (secret[i : i + 8] for i in range(len(secret) - 7)) if piece in rows]


def test_a_parameter_that_no_row_can_have_is_refused_a_few_times(
    channel: Any, put: Callable[..., Any]
) -> None:
    """A 400 that names a parameter ends the model after what was out, and the rows say which it is."""
    error = {"message": "Unsupported value: 'temperature' does not support 0.", "param": "temperature"}
    channel.script(then={"status": 400, "body": {"error": error}})
    ran = put(channel.model(), count=60, params={"max_tokens": 10, "temperature": 0})
    assert len(channel.seen()) <= 8
    assert set(ran.sink.statuses()) == {"failed", "stopped"}
    assert all("'temperature' does not support 0" in row.error_message for row in ran.sink.generations)


def test_a_limit_that_ends_in_hours_ends_the_model(channel: Any, put: Callable[..., Any]) -> None:
    """A reset that is told as a moment far away is no wait: the rows say until when."""
    until = time.time() + 15 * 3600
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{until * 1000:.0f}"}
    channel.script(then={"status": 429, "headers": headers, "body": {"error": {"message": "free models"}}})
    ran = put(channel.model(), count=40)
    assert len(channel.seen()) <= 8
    day = f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d}"
    stopped = [row for row in ran.sink.generations if row.status == "stopped"]
    assert len(stopped) >= 32
    assert all(f"until {day}" in row.error_message for row in stopped)


def test_a_limit_that_ends_soon_is_waited_for(channel: Any, put: Callable[..., Any]) -> None:
    """A reset told as a moment two seconds away: hardly a request before it, and all are answered."""
    headers = {"x-ratelimit-reset": f"{time.time() + 2.5:.2f}"}
    busy = {"status": 429, "headers": headers, "body": {"error": {"message": "slow"}}}
    channel.script(*[busy] * 4)
    ran = put(channel.model(), count=4)
    assert ran.sink.statuses() == {"done": 4}
    assert len(channel.seen()) == 8
    assert min(seen["at"] for seen in channel.seen()[4:]) - channel.seen()[0]["at"] > 1.5
