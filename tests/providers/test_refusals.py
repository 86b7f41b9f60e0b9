"""What statuses, headers and error bodies mean."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import (
    AuthenticationFailed,
    InvalidRequest,
    MalformedAnswer,
    Overloaded,
    ProviderError,
    QuotaExceeded,
    RateLimited,
)
from labkit.providers.refusals import from_payload, from_status, retry_after_s


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, InvalidRequest),
        (400, InvalidRequest),
        (401, AuthenticationFailed),
        (402, QuotaExceeded),
        (403, AuthenticationFailed),
        (404, InvalidRequest),
        (405, InvalidRequest),
        (408, Overloaded),
        (409, Overloaded),
        (413, InvalidRequest),
        (418, InvalidRequest),
        (422, InvalidRequest),
        (425, Overloaded),
        (429, RateLimited),
        (431, InvalidRequest),
        (499, Overloaded),
        (500, Overloaded),
        (502, Overloaded),
        (503, Overloaded),
        (504, Overloaded),
        (524, Overloaded),
        (529, Overloaded),
        (599, Overloaded),
        (204, MalformedAnswer),
    ],
)
def test_statuses(status: int, kind: type[ProviderError]) -> None:
    """Every status is one of the errors, and the message names who said it and what."""
    error = from_status(status, '{"error": {"message": "so it is"}}', {}, who="acme")
    assert type(error) is kind
    assert str(error) == f"acme answered {status}: so it is"
    assert error.status == status


def test_a_gateway_that_gave_up_may_have_been_paid_for() -> None:
    """Behind a gateway that stopped waiting the answer may yet have been made."""
    assert [from_status(status, "", {}, who="x").maybe_paid for status in (408, 504, 524, 503, 429)] == [
        True, True, True, False, False
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "m"}}', "m"),
        ('{"error": "m"}', "m"),
        ('{"message": "m"}', "m"),
        ('{"detail": "m"}', "m"),
        ('{"detail": [{"loc": ["a"]}]}', '[{"loc":["a"]}]'),
        ('[{"error": {"message": "m"}}]', "m"),
        ('{"type": "error", "error": {"type": "x", "message": "m"}}', "m"),
        ("<html>bad gateway</html>", "<html>bad gateway</html>"),
        ("", "without a word"),
        ("[]", "[]"),
        ("5", "5"),
        ('{"error": null}', '{"error": null}'),
        ("[" * 5000, "[" * 500),
    ],
)
def test_bodies(body: str, said: str) -> None:
    """The message is found in every shape of error body the endpoints use, and in none it is shown raw."""
    assert str(from_status(400, body, {}, who="x")) == f"x answered 400: {said}"


def test_long_bodies_are_cut() -> None:
    """A body of a megabyte becomes a message and a raw text that can be read."""
    error = from_status(500, "x" * 10**6, {}, who="x")
    assert len(str(error)) < 600
    assert len(error.raw or "") == 4000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0), ("1.5", 1.5), (" 3 ", 3.0), ("86400", 86400.0),
        ("-1", None), ("nan", None), ("inf", None),
        ("abc", None), ("", None), ("Thu, 99 Foo", None), ("1e400", None),
    ],
)  # fmt: skip
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds are read; what is negative, infinite or no number says nothing."""
    assert retry_after_s({"retry-after": text}) == seconds


def test_retry_after_in_milliseconds_goes_first() -> None:
    """`retry-after-ms` is the more exact of the two, and nonsense in it falls back to the other."""
    assert retry_after_s({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert retry_after_s({"retry-after-ms": "x", "retry-after": "1"}) == 1.0
    assert retry_after_s({}) is None


@given(st.integers(-(10**6), 10**6), st.integers(-(10**8), 10**8))
def test_retry_after_as_a_date(ahead: int, skew: int) -> None:
    """A date is measured from the response's own date, so a wrong clock on either side changes nothing."""
    here = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=skew)
    until = format_datetime(here + timedelta(seconds=ahead), usegmt=True)
    found = retry_after_s({"retry-after": until, "date": format_datetime(here, usegmt=True)})
    assert found == max(0, ahead)


@given(st.text(max_size=40))
def test_retry_after_never_raises(text: str) -> None:
    """Whatever a server writes there, it is a number of seconds or nothing."""
    found = retry_after_s({"retry-after": text})
    assert found is None or (math.isfinite(found) and found >= 0)


@given(
    st.binary(max_size=60) | st.from_type(dict[str, str | int | None]).map(lambda it: json.dumps(it).encode())
)
def test_a_payload_never_raises(payload: bytes) -> None:
    """Whatever an error event holds, it becomes an error that may have been paid for."""
    error = from_payload(payload, {}, who="x", begun=True)
    assert isinstance(error, ProviderError)
    assert error.maybe_paid


IN_PLACE_OF_AN_ANSWER = [
    ({"error": {"message": "Rate limit exceeded: free-models-per-min", "code": 429}}, RateLimited),
    ({"error": {"message": "slow", "code": "429"}}, RateLimited),
    ({"error": {"message": "Insufficient credits", "code": 402}}, QuotaExceeded),
    ({"error": {"message": "No auth credentials found", "code": 401}}, AuthenticationFailed),
    ({"error": {"message": "prompt is too long", "code": 400}}, InvalidRequest),
    ({"error": {"message": "x", "code": 502}}, Overloaded),
    ({"error": {"message": "x", "code": 429, "type": "invalid_request_error"}}, RateLimited),
    (
        {"error": {"message": "x", "code": "rate_limit_exceeded", "type": "invalid_request_error"}},
        RateLimited,
    ),
    ({"error": {"message": "x", "type": "insufficient_quota", "code": None}}, QuotaExceeded),
    ({"error": {"message": "x", "status": "RESOURCE_EXHAUSTED"}}, RateLimited),
    ([{"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}}], RateLimited),
    ({"object": "error", "message": "x", "type": "BadRequestError", "code": 40303}, InvalidRequest),
    ({"object": "error", "message": "x", "type": "NotFoundError", "code": 404}, InvalidRequest),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, Overloaded),
    ({"error": "Rate limit reached for requests"}, RateLimited),
    ({"error": "rate_limit_exceeded", "message": "x"}, RateLimited),
    ({"error": "Unauthorized", "status": 401}, AuthenticationFailed),
    ({"code": 429, "message": "x"}, RateLimited),
    ({"statusCode": 429, "message": "Rate limit is exceeded. Try again in 5 seconds."}, RateLimited),
    ({"detail": "Too Many Requests"}, RateLimited),
    ({"status": 503, "title": "Service Unavailable"}, Overloaded),
    ({"errors": [{"code": 10000, "message": "Authentication error: unauthorized"}]}, AuthenticationFailed),
    ({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, QuotaExceeded),
    ({"__type": "ThrottlingException", "message": "x"}, RateLimited),
    ({"error": {"code": "context_length_exceeded", "message": "x"}}, InvalidRequest),
    ({"error": {"code": "something_new", "message": "x"}}, MalformedAnswer),
]


@pytest.mark.parametrize(("said", "kind"), IN_PLACE_OF_AN_ANSWER, ids=range(len(IN_PLACE_OF_AN_ANSWER)))
@pytest.mark.parametrize("dialect", ["openai", "openai-responses", "anthropic"])
def test_a_refusal_inside_a_200(
    said: object,
    kind: type[ProviderError],
    dialect: str,
    mock: Callable[..., Any],
    stream: Callable[..., Any],
) -> None:
    """What a gateway says with a status of 200, as JSON or as an event, is the refusal its own code names,
    with the moment that the response's head tells."""
    headers = {"retry-after": "7", "content-type": "application/json"}
    plain = mock(dialect, {"json": said, "headers": headers})
    assert type(plain.error) is kind
    assert (plain.error.retry_after_s, plain.error.maybe_paid) == (7.0, kind in (Overloaded, MalformedAnswer))
    told = stream(said)
    streamed = mock(dialect, {**told, "headers": {**told["headers"], **headers}})
    assert type(streamed.error) is kind
    assert plain.listener.heard.count(None) == len(plain.listener.heard)


def test_what_a_gateway_passes_on() -> None:
    """Headers of the provider behind it stand in its JSON; a waiting time among them is one."""
    inner = {
        "code": 429,
        "message": "x",
        "metadata": {"headers": {"Retry-After": "3", "X-RateLimit-Limit": 16}},
    }
    error = from_payload(json.dumps({"error": inner}).encode(), {"x": "y"}, who="x", begun=False)
    assert (error.retry_after_s, error.headers["x-ratelimit-limit"], error.headers["x"]) == (3.0, "16", "y")
    assert str(error) == "x answered 200 with an error: x"


@pytest.mark.parametrize(
    ("status", "error", "advice"),
    [
        (
            400,
            {"message": "Your organization must be verified to stream this model.", "param": "stream"},
            "stream=False",
        ),
        (403, {"message": "You may not stream."}, "stream=False"),
        (400, {"message": "Streaming is not supported for this model."}, "stream=False"),
        (400, {"message": "does not support streaming"}, "stream=False"),
        (422, {"message": "Extra inputs: stream_options", "param": None}, "stream_options=False"),
        (400, {"message": "bad", "param": "stream_options"}, "stream_options=False"),
        (400, {"message": "upstream said no", "param": "temperature"}, None),
        (500, {"message": "the stream broke"}, None),
    ],
)
def test_how_to_ask_without_a_stream_is_said(status: int, error: dict[str, str], advice: str | None) -> None:
    """Where an endpoint refuses to stream, the message says what to give the model."""
    said = str(from_status(status, json.dumps({"error": error}), {}, who="x"))
    assert said.endswith(f"give the model {advice}." if advice else error["message"])


def test_cookies_are_not_kept() -> None:
    """Of the headers that an error keeps, none is a cookie."""
    error = from_status(500, "", {"Set-Cookie": "a=b", "X-Request-Id": "r"}, who="x")
    assert error.headers == {"x-request-id": "r"}
