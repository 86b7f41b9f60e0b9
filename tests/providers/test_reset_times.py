"""When to ask again: however it is told, it is a number of seconds or nothing."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import RateLimited
from labkit.providers.refusals import from_payload, from_status
from labkit.providers.reset_times import again_in_s, seconds_until

HERE = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
DATE = {"date": format_datetime(HERE, usegmt=True)}
NOON = HERE.timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0), ("1.5", 1.5), ("3, 4", 3.0), ("PT3S", 3.0), (" 3 ", 3.0), ("86400", 86400.0),
        ("-1", None), ("nan", None), ("inf", None),
        ("abc", None), ("", None), ("Thu, 99 Foo", None), ("1e400", None),
    ],
)  # fmt: skip
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds are read; what is negative, infinite or no number says nothing."""
    assert again_in_s({"retry-after": text}) == seconds


def test_retry_after_in_milliseconds_goes_first() -> None:
    """`retry-after-ms` is the more exact of the two, and nonsense in it falls back to the other."""
    assert again_in_s({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert again_in_s({"retry-after-ms": "x", "retry-after": "1"}) == 1.0
    assert again_in_s({}) is None


@given(st.integers(-(10**6), 10**6), st.integers(-(10**8), 10**8))
def test_retry_after_as_a_date(ahead: int, skew: int) -> None:
    """A date is measured from the response's own date, so a wrong clock on either side changes nothing."""
    here = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=skew)
    until = format_datetime(here + timedelta(seconds=ahead), usegmt=True)
    found = again_in_s({"retry-after": until, "date": format_datetime(here, usegmt=True)})
    assert found == max(0, ahead)


@given(st.text(max_size=40))
def test_retry_after_never_raises(text: str) -> None:
    """Whatever a server writes there, it is a number of seconds or nothing."""
    found = again_in_s({"retry-after": text})
    assert found is None or (math.isfinite(found) and found >= 0)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("90", 90.0), ("1m30s", 90.0), ("6m0s", 360.0), ("20ms", 0.02), ("1h2m3.5s", 3723.5),
        ("2 days", 172800.0),
        (f"{NOON + 90:.0f}", 90.0), (f"{(NOON + 90) * 1000:.0f}", 90.0), (NOON + 90, 90.0), (NOON - 5, 0.0),
        ("2026-11-27T12:01:30Z", 90.0), ("2026-11-27T13:01:30+01:00", 90.0),
        ("2026-11-27 12:01:30 UTC", 90.0),
        (format_datetime(HERE + timedelta(seconds=90), usegmt=True), 90.0),
        ("PT1M30S", 90.0), ("P1DT2H", 93600.0), ("00:01:30", 90.0),
        ("soon", None), ("P", None), ("Post", None), ("1:30", None),
        ("", None), ("1x", None), ("1m30", None), ("-3", None),
    ],
)  # fmt: skip
def test_a_moment_is_told_in_many_ways(told: Any, seconds: float | None) -> None:
    """As a span, as seconds, as a date, as seconds or milliseconds since 1970; nonsense is nothing."""
    assert seconds_until(told, DATE["date"]) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-reset": f"{(NOON + 12) * 1000:.0f}"},
        {"x-ratelimit-reset": f"{NOON + 12:.0f}", "x-ratelimit-remaining": "0"},
        {"x-ratelimit-reset": "12"},
        {"x-rate-limit-reset": "12s"},
        {"ratelimit-reset": "12", "ratelimit-remaining": "0"},
        {"ratelimit": '"default";r=0;t=12'},
        {"x-ratelimit-reset-after": "12.0"},
        {"x-ratelimit-reset-requests": "12s", "x-ratelimit-remaining-requests": "0"},
        {"x-ratelimit-reset-tokens": "12s", "x-ratelimit-remaining-tokens": "0"},
        {"x-ratelimit-reset-tokens-minute": "12.0", "x-ratelimit-remaining-tokens-minute": "0"},
        {
            "anthropic-ratelimit-tokens-reset": "2026-11-27T12:00:12Z",
            "anthropic-ratelimit-tokens-remaining": "0",
        },
        {"x-ratelimit-timeremaining": "12", "x-ratelimit-type": "UserByModelByMinute"},
        {"ratelimit": "limit=100, remaining=0, reset=12"},
        {
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-remaining-requests": "7",
            "x-ratelimit-reset-tokens": "3s",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens-day": "12s",
            "x-ratelimit-remaining-tokens-day": "0",
        },
    ],
)
def test_a_reset_in_the_headers_is_when_to_ask_again(headers: dict[str, str]) -> None:
    """Where no `Retry-After` says it; where one does, it is the one that counts."""
    assert again_in_s({**headers, **DATE}) == pytest.approx(12)
    assert again_in_s({**headers, **DATE, "retry-after": "3"}) == 3


def test_a_reset_of_what_is_not_used_up_says_nothing() -> None:
    """Where something is left of that limit, it is not the one that refused."""
    assert again_in_s({"x-ratelimit-reset": "12", "x-ratelimit-remaining": "7"}) is None


@pytest.mark.parametrize(
    "error",
    [
        {"message": "no", "metadata": {"headers": {"X-RateLimit-Reset": f"{(NOON + 12) * 1000:.0f}"}}},
        {
            "message": "no",
            "details": [{"@type": "google.rpc.RetryInfo", "retryDelay": "12s"}],
        },
        {"message": "no", "retry_after": 12},
        {"message": "no", "retry_after_ms": 12000},
        {"message": "no", "resets_at": NOON + 12},
        {"message": "no", "resets_in_seconds": 12},
        {"message": "Rate limit reached. Please try again in 12s. Visit our page."},
        {"message": "Requests have exceeded the limit. Please retry after 12 seconds."},
        {"message": "You exceeded your quota. Please retry in 12.0s."},
        {"message": "Limit resets at 2026-11-27T12:00:12Z"},
        {"message": "Too many requests. Please wait 12 seconds and try again."},
        {"message": "Please wait at least 12 seconds."},
        {"message": "You can make another request in 12 seconds."},
        {"message": "Rate limit of 10 per 60s exceeded. Try in 12s."},
        {"message": "no", "estimated_time": 12.0},
        {"message": "no", "metadata": {"raw": '{"error": {"message": "no", "retry_after": 12}}'}},
    ],
    ids=str,
)
def test_a_reset_in_the_body_is_when_to_ask_again(error: dict[str, Any]) -> None:
    """In a field of any of the shapes that are met, or in the words of the message."""
    body = json.dumps({"error": {"code": 429, **error}})
    for found in (
        from_status(429, body, DATE, who="x"),
        from_payload(body.encode(), DATE, who="x", begun=False),
    ):
        assert isinstance(found, RateLimited)
        assert found.retry_after_s == pytest.approx(12)


def test_words_of_other_refusals_say_nothing() -> None:
    """Only of what is refused for being too much the body is asked when it ends."""
    body = json.dumps({"error": {"message": "Unknown field; try again in 12s"}})
    assert from_status(400, body, DATE, who="x").retry_after_s is None


@given(st.text(max_size=60), st.from_type(dict[str, str | int | float | None]))
def test_whatever_is_told_it_is_a_wait_or_nothing(said: str, body: dict[str, Any]) -> None:
    """Headers, fields and words of any kind never raise, and never give what cannot be waited for."""
    for found in (
        again_in_s({"x-ratelimit-reset": said, "retry-after": said}, {"retry_after": said, **body}, said),
        again_in_s({}, None, f"try again in {said}"),
    ):
        assert found is None or (math.isfinite(found) and found >= 0)
