"""The responses dialect, through the SDK's own HTTP client argument."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from labkit import providers
from labkit.catalog.model import Model
from labkit.errors import InvalidRequest, MalformedAnswer, Overloaded, RateLimited
from labkit.identity import RequestHasher
from labkit.keys import Key
from labkit.providers import responses as dialect
from labkit.records import Usage

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
}


def said(*pieces: str) -> list[dict[str, Any]]:
    """Events of text."""
    return [{"type": "response.output_text.delta", "delta": piece} for piece in pieces]


def ended(status: str = "completed", text: str = "Hello", **more: Any) -> dict[str, Any]:
    """The event that ends an answer."""
    message = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    whole = {"id": "resp_1", "model": "m-1", "status": status, "output": [message], "usage": USAGE}
    return {"type": f"response.{status}", "response": {**whole, **more}}


def test_the_body(mock: Any, stream: Any) -> None:
    """What is written one way is sent in this dialect's words; whatever else there is goes through."""
    params = {
        "max_tokens": 5,
        "reasoning_effort": "low",
        "reasoning": {"summary": "auto"},
        "response_format": FORMAT,
        "temperature": 0.5,
        "seed": 7,
        "stop": ["X"],
        "odd": {"a": [1]},
    }
    asked = mock("openai-responses", stream(*said("a"), ended()), params=params)
    assert asked.body == {
        "model": "m",
        "input": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi?"}],
        "max_output_tokens": 5,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "n", "strict": True, "schema": SCHEMA}},
        "temperature": 0.5,
        "seed": 7,
        "stop": ["X"],
        "odd": {"a": [1]},
        "stream": True,
    }
    (sent,) = asked.sent
    assert str(sent.url) == "https://example.com/v1/responses"
    assert sent.headers["authorization"] == "Bearer sk-test-0123456789"


def test_openai_itself_is_told_not_to_pad(mock: Any, stream: Any) -> None:
    """OpenAI's own endpoint is asked for events without padding; others are not told of it."""
    asked = mock("openai-responses", stream(ended()), base_url="https://api.openai.com/v1")
    assert asked.body["stream_options"] == {"include_obfuscation": False}


def test_nothing_is_kept_there_unless_asked_for(mock: Any, stream: Any) -> None:
    """`store` is off by default, and part of the params, so of the request's identity."""
    assert dialect.defaults(Model("openai/m", api="responses"), {}) == {"store": False}


def test_a_streamed_answer(mock: Any, stream: Any) -> None:
    """Text is told as it comes, all else is an event; counts, ids and the last payload are in the answer."""
    begun = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}}
    thought = {"type": "response.reasoning_summary_text.delta", "delta": "hmm"}
    asked = mock("openai-responses", stream(begun, thought, *said("Hel", "lo"), ended()))
    assert asked.listener.heard == [None, None, "Hel", "lo", None]
    answer = asked.answer
    assert (answer.stop_reason, answer.response_id, answer.response_model) == ("stop", "resp_1", "m-1")
    assert answer.usage == Usage(
        input_tokens=10, cache_read_tokens=4, cache_write_tokens=2, output_tokens=7, reasoning_tokens=3
    )
    assert json.loads(answer.raw) == ended()["response"]


def test_counts_under_the_names_of_chat(mock: Any, stream: Any) -> None:
    """A gateway passes on what a model of another dialect counted."""
    counts = {"prompt_tokens": 10, "completion_tokens": 7}
    assert mock("openai-responses", stream(ended(usage=counts))).answer.usage == Usage(
        input_tokens=10, output_tokens=7
    )


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_in_one_piece(streamed: bool, mock: Any, stream: Any) -> None:
    """Without a stream, or from a server that tells all in its last event, the text is told in one piece."""
    response = stream(ended()) if streamed else {"json": ended()["response"]}
    asked = mock("openai-responses", response, params={"stream": streamed})
    assert (asked.listener.said, asked.answer.stop_reason) == ("Hello", "stop")


@pytest.mark.parametrize(
    ("end", "stop"),
    [
        (ended("incomplete", incomplete_details={"reason": "max_output_tokens"}), "max_tokens"),
        (ended("incomplete", incomplete_details={"reason": "content_filter"}), "content_filter"),
        (ended("incomplete", incomplete_details={"reason": "new"}), "unknown"),
        (ended("incomplete", incomplete_details=None), "unknown"),
        (ended(output=[{"type": "reasoning"}, {"type": "function_call", "name": "f"}]), "tool_calls"),
        (ended(output=[{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]), "refusal"),
        (ended("incomplete", output=[], incomplete_details={"reason": "max_output_tokens"}), "max_tokens"),
    ],
)
def test_how_an_answer_can_end(end: dict[str, Any], stop: str, mock: Any, stream: Any) -> None:
    """Every way an answer ends has one of labkit's names, also one spent on reasoning alone."""
    assert mock("openai-responses", stream(end)).answer.stop_reason == stop


def test_a_refusal_is_text_and_a_stop_reason(mock: Any, stream: Any) -> None:
    """A refusal that is streamed is shown as what was said."""
    asked = mock(
        "openai-responses", stream({"type": "response.refusal.delta", "delta": "I cannot."}, ended())
    )
    assert (asked.listener.said, asked.answer.stop_reason) == ("I cannot.", "refusal")


def message(text: str, phase: str | None, **more: Any) -> dict[str, Any]:
    """A message in the output."""
    return {"type": "message", "phase": phase, "content": [{"type": "output_text", "text": text}], **more}


CALL = {"type": "function_call", "name": "f"}


@pytest.mark.parametrize(
    ("output", "text", "stop"),
    [
        ([message("I look.", "commentary"), message("Yes.", "final_answer")], "Yes.", "stop"),
        ([message("Yes", None), message(", no.", None)], "Yes, no.", "stop"),
        ([message("I look.", "commentary"), CALL], "", "tool_calls"),
        ([message("Only this.", "commentary")], "Only this.", "stop"),
        ([{"type": "message", "content": "Yes."}], "Yes.", "stop"),
    ],
)
def test_several_messages(output: list[Any], text: str, stop: str, mock: Any, stream: Any) -> None:
    """What is said on the way is no part of the answer, in one piece or in a stream, unless it is all."""
    asked = mock("openai-responses", {"json": ended(output=output)["response"]})
    assert (asked.listener.said, asked.answer.stop_reason) == (text, stop)
    events: list[Any] = []
    for place, item in enumerate(output):
        events.append(
            {"type": "response.output_item.added", "output_index": place, "item": {**item, "content": []}}
        )
        if item["type"] == "message" and isinstance(item["content"], list):
            delta = {"type": "response.output_text.delta", "output_index": place}
            events.append({**delta, "delta": item["content"][0]["text"]})
    asked = mock("openai-responses", stream(*events, ended(output=output)))
    assert (asked.listener.said, asked.answer.stop_reason) == (text, stop)


@pytest.mark.parametrize(
    "events",
    [
        [*said("Hello"), {"type": "response.completed", "response": {"id": "r", "usage": USAGE}}],
        [ended()["response"]],
        [{**ended(), "response": {**ended()["response"], "status": "COMPLETED"}}],
        [{"type": "response.output_item.done", "item": ended()["response"]["output"][0]}, ended(output=[])],
        [{"type": "response.output_text.done", "text": "Hello"}, ended(output=[])],
        [*said("Hel"), {"type": "response.output_text.done", "text": "Hello"}, ended()],
        [*said("Hel"), ended()],
        [*said("Hello"), {"type": "response.done", "response": ended()["response"]}],
        [{**ended(), "response": {**ended()["response"], "status": "succeeded"}}],
        [{**ended()["response"], "status": None}],
        ["", "null", *said("Hel"), {"type": "x", "delta": 5}, *said("lo"), ended(output=[])],
    ],
)
def test_other_ways_to_say_it(events: list[Any], mock: Any, stream: Any) -> None:
    """An end without status or output after the text, a whole answer in one event, null events between, text
    that comes only when it is whole, or not whole until then."""
    asked = mock("openai-responses", stream(*events))
    assert (asked.listener.said, asked.answer.stop_reason) == ("Hello", "stop")
    assert asked.answer.usage.output_tokens == 7


@pytest.mark.parametrize(
    "events",
    [
        [],
        said("Hel"),
        [*said("Hel"), "[DONE]"],
        [*said("Hel"), {"type": "response.output_text.done", "text": "Hel"}],
        [ended("completed", output=[], usage=None)],
        [ended("completed", text="", usage={"input_tokens": 1, "output_tokens": 0})],
        [{"type": "response.completed"}],
        [{"type": "response.completed", "response": {"status": "completed"}}],
        [{"type": "response.completed", "response": {"status": "completed", "output": "no"}}],
        [{"type": "response.completed", "response": {"status": "in_progress", "output": []}}],
        ["{not json"],
        ["[" * 5000],
        [{"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}],
    ],
    ids=range(13),
)
def test_what_is_no_finished_answer(events: list[Any], mock: Any, stream: Any) -> None:
    """A stream that is cut, empty, mistyped or of another dialect is malformed, never a finished answer."""
    assert isinstance(mock("openai-responses", stream(*events)).error, MalformedAnswer)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "server_error", "message": "oops"}, Overloaded),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow"}, RateLimited),
        (ended("failed", error={"code": "server_error", "message": "oops"}), Overloaded),
        (ended("failed", error={"code": "invalid_prompt", "message": "no"}), InvalidRequest),
        (ended("failed", error={"code": "image_too_large", "message": "no"}), InvalidRequest),
        (ended("failed", error=None), MalformedAnswer),
    ],
)
def test_failures_in_mid_stream(event: dict[str, Any], kind: type, mock: Any, stream: Any) -> None:
    """An answer that fails after it began is the error it names, and may have been paid for."""
    asked = mock("openai-responses", stream(*said("a"), event))
    assert type(asked.error) is kind
    assert asked.error.maybe_paid
    assert asked.error.__context__ is None


def test_several_answers_are_refused(mock: Any) -> None:
    """A request for several answers at once is refused before it is sent."""
    asked = mock("openai-responses", {}, params={"n": 3})
    assert isinstance(asked.error, InvalidRequest)
    assert asked.sent == []


def test_a_refused_request(mock: Any) -> None:
    """A status is read as in the other dialects."""
    asked = mock("openai-responses", httpx2.Response(429, json={"error": {"message": "slow"}}))
    assert isinstance(asked.error, RateLimited)


def test_the_two_apis_are_two_identities() -> None:
    """The same model, messages and params have one id as chat completions and another as responses."""
    chat, other = Model("openai/m"), Model("openai/m", api="responses")
    ids = {
        RequestHasher(
            model.provider, model.dialect, providers.load(model.dialect).identity(model), model.name, {}
        ).request_id([{"role": "user", "content": "Hi"}])
        for model in (chat, other)
    }
    assert len(ids) == 2
    assert dialect.identity(other) == "https://api.openai.com/v1"


def test_no_key_is_shown() -> None:
    """Neither the provider nor anything it holds prints the key."""
    key = Key("sk-test-0123456789", source="the test")
    provider = dialect.connect(Model("openai/m", api="responses"), key)
    assert "0123" not in repr([provider, provider._wire, vars(provider)])
