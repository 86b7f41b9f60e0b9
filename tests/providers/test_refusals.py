"""What statuses, headers and error bodies mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

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
        (424, Overloaded),
        (425, Overloaded),
        (429, RateLimited),
        (431, InvalidRequest),
        (498, Overloaded),
        (499, Overloaded),
        (500, Overloaded),
        (501, InvalidRequest),
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
    (
        {"errors": [{"code": 10000, "message": "Authentication error"}], "success": False},
        AuthenticationFailed,
    ),
    ({"errors": [{"code": 3040, "message": "Capacity temporarily exceeded, please try again."}]}, Overloaded),
    (
        {"base_resp": {"status_code": 1004, "status_msg": "login fail: Please carry the API secret key"}},
        AuthenticationFailed,
    ),
    ({"error": "model runner has unexpectedly stopped, this may be due to an internal error"}, Overloaded),
    ({"error": {"message": "Model unloaded."}}, Overloaded),
    ({"error": "Context length exceeded: tried to keep the first 5000 tokens"}, InvalidRequest),
    ({"error": "Input validation error: `inputs` must be <= 9", "error_type": "validation"}, InvalidRequest),
    ({"detail": {"error": {"message": "Too many requests", "code": 429}}}, RateLimited),
    ({"error": {"message": "Blocked by moderation", "code": 403}}, InvalidRequest),
    ({"error": {"code": "something_new", "message": "x"}}, MalformedAnswer),
]

BY_THE_BODY = [
    (400, {"message": "API key not valid.", "status": "INVALID_ARGUMENT"}, AuthenticationFailed),
    (
        400,
        {"message": "x", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]},
        AuthenticationFailed,
    ),
    (400, "Incorrect API key provided: xa***ab.", AuthenticationFailed),
    (500, {"message": "x", "code": "invalid_api_key"}, AuthenticationFailed),
    (401, {"message": "x", "type": "invalid_request_error"}, AuthenticationFailed),
    (400, {"message": "You have reached your specified API usage limits."}, QuotaExceeded),
    (400, "Open api daily request limit reached", QuotaExceeded),
    (429, {"message": "You exceeded your current quota, please check your plan."}, QuotaExceeded),
    (429, {"message": "You exceeded your current quota. Please retry in 36.4s."}, RateLimited),
    (429, {"message": "x", "code": "insufficient_quota", "retry_after": 3}, QuotaExceeded),
    (429, {"message": "Quota exceeded for metric requests_per_minute_per_project"}, RateLimited),
    (429, {"message": "Resource has been exhausted (e.g. check quota)."}, RateLimited),
    (400, {"message": "Rate limit reached", "type": "rate_limit_error"}, RateLimited),
    (400, {"message": "x", "__type": "com.amazon.coral#ThrottlingException"}, RateLimited),
    (500, {"message": "x", "code": 429}, RateLimited),
    (400, {"message": "Overloaded", "type": "overloaded_error"}, Overloaded),
    (498, {"message": "Flex tier capacity exceeded", "code": "capacity_exceeded"}, Overloaded),
    (500, {"message": "x", "code": "unsupported_parameter"}, InvalidRequest),
    (500, {"message": "x", "type": "invalid_request_error"}, Overloaded),
    (400, {"message": "m does not support thinking", "type": "api_error"}, InvalidRequest),
    (400, {"message": "'too many requests' is no JSON"}, InvalidRequest),
    (404, {"message": "No such deployment. Please wait a moment and try again."}, InvalidRequest),
    (429, {"message": "Request too large: Limit 30000, Requested 40,000."}, InvalidRequest),
    (
        429,
        {"message": "Limit 30000, Used 29000, Requested 2000.", "code": "rate_limit_exceeded"},
        RateLimited,
    ),
    (429, {"message": "Limit 1.5M, Requested 900."}, RateLimited),
    (403, {"message": "You have exceeded a secondary rate limit."}, RateLimited),
    (403, {"message": "Daily Limit Exceeded", "errors": [{"reason": "dailyLimitExceeded"}]}, QuotaExceeded),
    (403, {"message": 'm requires moderation. Your input was flagged for "violence".'}, InvalidRequest),
    (403, {"message": "Content blocked by safety settings", "status": "PERMISSION_DENIED"}, InvalidRequest),
    (403, {"message": "Content violates usage guidelines. API key ID: y, Model: m"}, InvalidRequest),
    (403, {"message": "x", "type": "content_filter"}, InvalidRequest),
    (403, "Sorry, you have been blocked: the request contains a SQL injection pattern", InvalidRequest),
    (403, {"message": "Your account has been flagged for violating our usage policy"}, AuthenticationFailed),
    (
        403,
        {"message": "Your API key may not use this model", "type": "permission_error"},
        AuthenticationFailed,
    ),
    (403, {"message": "Request had insufficient authentication scopes."}, AuthenticationFailed),
    (403, {"message": "no identity-based policy allows bedrock:InvokeModel"}, AuthenticationFailed),
]


@pytest.mark.parametrize(("status", "error", "kind"), BY_THE_BODY, ids=str)
def test_a_status_that_says_little_is_read_by_its_body(
    status: int, error: object, kind: type[ProviderError]
) -> None:
    """What is wrong stands in its code or its words: the key, the account, the speed, or this one request."""
    assert type(from_status(status, json.dumps({"error": error}), {}, who="x")) is kind


def test_headers_tell_what_a_refusal_is() -> None:
    """A 403 that says when to ask again is about the speed; a cloud names its error beside the body."""
    assert type(from_status(403, "", {"Retry-After": "1"}, who="x")) is RateLimited
    named = {"x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/"}
    assert type(from_status(400, '{"message": "Too many tokens"}', named, who="x")) is RateLimited


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
        (400, {"message": "This model doesn't support streaming."}, "stream=False"),
        (501, {"message": "Streaming is not implemented"}, "stream=False"),
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


SENT = {"temperature", "top_p", "top_k", "max_tokens", "thinking", "stream", "model"}


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
        ({"message": "`temperature` and `top_p` cannot both be specified for this model."}, "top_p"),
        ({"message": "thinking.budget_tokens: should be at least 1024"}, "thinking"),
        ({"message": "The model `m` has been decommissioned", "code": "model_decommissioned"}, "model"),
        ({"message": "models/m is not found for API version v1main"}, "model"),
        ({"message": "The provided model identifier is invalid."}, "model"),
        ({"message": "The model refused: this is not available for content in this language"}, None),
        ({"message": "The model produced invalid content. Consider modifying your prompt."}, None),
        ({"message": "ValueError: Input text has a lone surrogate"}, None),
        ({"message": "Error: input was flagged"}, None),
        ({"message": "Could not parse value 'foo' in your message"}, None),
        ({"message": "Invalid image.", "param": "url"}, None),
        ({"message": "Unsupported text", "param": "text"}, None),
        ({"message": "Your text says 'model' where a 'stream' is meant"}, None),
        ({"message": "This model doesn't support streaming."}, "stream"),
        ({"message": "Unrecognized request argument supplied: top_k"}, "top_k"),
        ({"message": "#: extraneous key [top_k] is not permitted"}, "top_k"),
    ],
    ids=str,
)
def test_a_refusal_tells_what_it_names(body: dict[str, Any], names: str | None) -> None:
    """A parameter that was sent with all requests of a model, or the model; not what is another for each
    row, nor any other word at such a place."""
    for error in (
        from_status(400, json.dumps({"error": body}), {}, who="x"),
        from_payload(json.dumps({"error": {"status": 400, **body}}).encode(), {}, who="x", begun=False),
    ):
        assert isinstance(error, InvalidRequest)
        assert names in error.names if names else not error.names & SENT


def test_refusals_of_one_kind_are_alike() -> None:
    """Numbers and what is quoted differ from row to row; the status, the code and the words do not."""
    said = [{"error": {"message": f"'{n}' is {n} characters: too many"}} for n in (3, 4)]
    one, two = (from_status(400, json.dumps(body), {}, who="x") for body in said)
    other = from_status(422, json.dumps(said[0]), {}, who="x")
    assert isinstance(one, InvalidRequest)
    assert isinstance(two, InvalidRequest)
    assert isinstance(other, InvalidRequest)
    assert one.alike == two.alike != other.alike


@given(st.uuids(), st.uuids(), st.sampled_from(["{}", "{0.hex}", "req_{0.hex}Zq", "2026{0.hex}"]))
def test_an_id_in_the_words_parts_no_refusals(one: UUID, two: UUID, shape: str) -> None:
    """Refusals that differ in an id of letters and digits are of one kind."""
    said = [f"unsupported argument (request id: {shape.format(id_)}1)" for id_ in (one, two)]
    first, second = (from_status(400, json.dumps({"message": words}), {}, who="x") for words in said)
    assert isinstance(first, InvalidRequest)
    assert isinstance(second, InvalidRequest)
    assert first.alike == second.alike
