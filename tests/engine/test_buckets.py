"""Token buckets: filled by the time, emptied by requests, corrected by what the provider says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.buckets import Buckets, Tokens

ONE = Tokens(100, 50)


def openai(limit: int, left: int, reset: str = "1s", kind: str = "requests") -> dict[str, str]:
    """Headers as OpenAI names them."""
    return {
        f"x-ratelimit-limit-{kind}": str(limit),
        f"x-ratelimit-remaining-{kind}": str(left),
        f"x-ratelimit-reset-{kind}": reset,
    }


def anthropic(limit: int, left: int, kind: str = "requests", ahead_s: float = 1) -> dict[str, str]:
    """Headers as Anthropic names them."""
    reset = (datetime.now(UTC) + timedelta(seconds=ahead_s)).isoformat().replace("+00:00", "Z")
    return {
        f"anthropic-ratelimit-{kind}-limit": str(limit),
        f"anthropic-ratelimit-{kind}-remaining": str(left),
        f"anthropic-ratelimit-{kind}-reset": reset,
    }


def test_without_headers_nothing_is_held_back() -> None:
    """An endpoint that tells of no limits has none here."""
    buckets = Buckets()
    buckets.heed({"content-type": "text/plain"}, 0)
    buckets.take(ONE, 0)
    buckets.settle(ONE, ONE, 0)
    assert buckets.wait_s(ONE, 0) == 0
    assert buckets.state(0) == {}


@pytest.mark.parametrize("headers", [openai(60, 0), anthropic(60, 0)])
def test_an_empty_bucket_is_waited_for(headers: dict[str, str]) -> None:
    """At 60 a minute with none left the next may leave in a second, and the second in two."""
    buckets = Buckets()
    buckets.heed(headers, 0)
    assert buckets.wait_s(ONE, 0) == pytest.approx(1.0)
    assert buckets.wait_s(ONE, 1.0) == 0
    buckets.take(ONE, 1.0)
    assert buckets.wait_s(ONE, 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "name", "counted"),
    [
        ("tokens", "tokens", 150),
        ("input-tokens", "input", 100),
        ("output-tokens", "output", 50),
        ("requests", "requests", 1),
    ],
)
def test_each_bucket_counts_its_own(kind: str, name: str, counted: int) -> None:
    """Requests, input, output and all tokens are counted apart."""
    buckets = Buckets()
    buckets.heed(anthropic(600, 600, kind), 0)
    buckets.take(ONE, 0)
    assert buckets.state(0)[name].level == 600 - counted


def test_what_was_not_used_is_given_back() -> None:
    """The answer's true counts replace the worst case; a request stays a request."""
    buckets = Buckets()
    buckets.heed({**openai(6000, 6000, kind="tokens"), **openai(60, 60)}, 0)
    buckets.take(ONE, 0)
    buckets.settle(ONE, Tokens(80, 10), 0)
    assert buckets.state(0)["tokens"].level == 6000 - 90
    assert buckets.state(0)["requests"].level == 59


def test_the_provider_has_the_last_word() -> None:
    """What the provider says is left lowers the level, whoever used it up; it never raises it."""
    buckets = Buckets()
    buckets.heed(openai(60, 50), 0)
    buckets.heed(openai(60, 10), 0)
    assert buckets.state(0)["requests"].level == 10
    buckets.heed(openai(60, 55), 0)
    assert buckets.state(0)["requests"].level == 10
    buckets.heed(openai(600, 500), 0)
    assert buckets.state(0)["requests"].level == 500


def test_a_request_larger_than_the_bucket_waits_until_it_is_full() -> None:
    """What never fits is sent when the most there can be is there: the provider may know better."""
    buckets = Buckets()
    buckets.heed(openai(60, 0, kind="tokens"), 0)
    assert buckets.wait_s(Tokens(1000, 1000), 0) == pytest.approx(60)
    assert buckets.wait_s(Tokens(1000, 1000), 60) == 0


def test_a_daily_limit_refills_by_the_day() -> None:
    """The time to the reset tells that a limit is not a minute's."""
    buckets = Buckets()
    buckets.heed(openai(200, 0, "24h0m0s"), 0)
    assert buckets.wait_s(ONE, 0) == pytest.approx(86400 / 200)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("12", 12), ("soon", None), ("5m?", None)],
)
def test_resets_in_every_spelling(text: str, seconds: float | None) -> None:
    """Spans and seconds are read; what is neither leaves the limit a minute's."""
    buckets = Buckets()
    buckets.heed(openai(60, 0, text), 0)
    slow = seconds is not None and seconds > 60
    assert buckets.state(0)["requests"].per_s == pytest.approx(60 / seconds if slow and seconds else 1.0)


@given(st.dictionaries(st.sampled_from([*openai(1, 1), *anthropic(1, 1, "tokens")]), st.text(max_size=12)))
def test_headers_never_raise(headers: dict[str, str]) -> None:
    """Whatever stands in them, headers never break a run, and a wait is a number."""
    buckets = Buckets()
    buckets.heed(headers, 0)
    assert buckets.wait_s(ONE, 0) >= 0
    assert repr(buckets)
