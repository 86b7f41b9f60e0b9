"""What statuses, headers and error bodies mean."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from labkit.providers.refusals import from_payload, from_status


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


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (
            {"message": "Unsupported value: 'temperature' does not take 0", "param": "temperature"},
            "temperature",
        ),
        ({"message": "Unsupported parameter: 'max_tokens' is not supported with this model."}, "max_tokens"),
        ({"type": "invalid_request_error", "message": "top_k: Extra inputs are not permitted"}, "top_k"),
        ({"message": "The model `gpt-9` does not exist", "code": "model_not_found"}, "model"),
        ({"type": "not_found_error", "message": "model: claude-9 was not found"}, "model"),
        ({"message": "Unknown model: m"}, "model"),
        ({"message": "This model's maximum context length is 8192 tokens", "param": "messages"}, None),
        ({"message": "Invalid image", "param": "messages[0].content[1]"}, None),
        ({"message": "messages.0.content: text must be non-empty"}, None),
        ({"message": "prompt is too long: 210000 tokens", "param": "max_tokens"}, None),
        ({"message": "no"}, None),
    ],
    ids=str,
)
def test_a_refusal_tells_what_it_names(body: dict[str, Any], names: str | None) -> None:
    """A parameter that all requests of a model have, or the model; not what is another for each row."""
    for error in (
        from_status(400, json.dumps({"error": body}), {}, who="x"),
        from_payload(json.dumps({"error": {"status": 400, **body}}).encode(), {}, who="x", begun=False),
    ):
        assert isinstance(error, InvalidRequest)
        assert error.names == names


def test_refusals_of_one_kind_are_alike() -> None:
    """Numbers and what is quoted differ from row to row; the status, the code and the words do not."""
    said = [{"error": {"message": f"'{n}' is {n} characters: too many"}} for n in (3, 4)]
    one, two = (from_status(400, json.dumps(body), {}, who="x") for body in said)
    other = from_status(422, json.dumps(said[0]), {}, who="x")
    assert isinstance(one, InvalidRequest)
    assert isinstance(two, InvalidRequest)
    assert isinstance(other, InvalidRequest)
    assert one.alike == two.alike != other.alike
