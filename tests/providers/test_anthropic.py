"""The messages dialect, through the SDK's own HTTP client argument."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest

from labkit import served
from labkit.catalog.model import Model
from labkit.errors import InvalidRequest, MalformedAnswer, Overloaded
from labkit.keys import Key
from labkit.providers import anthropic as dialect
from labkit.records import Usage

START: dict[str, Any] = {
    "type": "message_start",
    "message": {"id": "m1", "model": "c-1", "usage": {"input_tokens": 5, "output_tokens": 1}},
}
STOP: dict[str, Any] = {"type": "message_stop"}


def said(*pieces: str) -> list[dict[str, Any]]:
    """Deltas of text."""
    return [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in pieces
    ]


def end(reason: str = "end_turn", **usage: Any) -> dict[str, Any]:
    """How a message ends."""
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 2, **usage}}


def test_the_body(mock: Any, stream: Any) -> None:
    """System messages move to `system`, a `stop` becomes `stop_sequences`, the rest goes through."""
    asked = mock(
        "anthropic", stream(START, *said("a"), end(), STOP), params={"max_tokens": 5, "stop": "X", "top_k": 3}
    )
    assert asked.body == {
        "model": "m",
        "system": "Be kind.",
        "messages": [{"role": "user", "content": "Hi?"}],
        "max_tokens": 5,
        "stop_sequences": ["X"],
        "top_k": 3,
        "stream": True,
    }
    assert str(asked.sent[0].url) == "https://example.com/v1/v1/messages"
    assert "anthropic-version" in asked.sent[0].headers


def test_how_it_was_served_is_kept(mock: Any, stream: Any) -> None:
    """The payload that is kept tells what only the first event told (tier, retention), and what the last
    event told of the same; null there takes nothing away."""
    usage = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_1h_input_tokens": 7, "ephemeral_5m_input_tokens": 0},
        "service_tier": "priority",
        "inference_geo": "us",
        "speed": "fast",
        "server_tool_use": {"web_search_requests": 0},
        "output_tokens": 1,
    }
    start = {"type": "message_start", "message": {"id": "m1", "model": "c-1", "usage": usage}}
    last: dict[str, Any] = {"server_tool_use": {"web_search_requests": 2}, "service_tier": None}
    asked = mock("anthropic", stream(start, *said("a"), end(**last), STOP))
    assert served.of(asked.answer.raw) == served.Served(
        service_tier="priority",
        inference_geo="us",
        speed="fast",
        cache_write_1h_tokens=7,
        tells_kept=True,
        web_searches=2,
    )
    assert asked.answer.usage.output_tokens == 2


def test_of_two_reports_the_larger(mock: Any, stream: Any) -> None:
    """What was kept for an hour by the first report is not taken back by a zero in the last."""
    hour = {"ephemeral_1h_input_tokens": 7, "ephemeral_5m_input_tokens": 0}
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 7, "cache_creation": hour, "output_tokens": 1}
    start = {"type": "message_start", "message": {"id": "m1", "model": "c-1", "usage": usage}}
    last = {"cache_creation": {**hour, "ephemeral_1h_input_tokens": 0}}
    asked = mock("anthropic", stream(start, *said("a"), end(**last), STOP))
    assert served.of(asked.answer.raw).cache_write_1h_tokens == 7


@pytest.mark.parametrize(
    "late",
    [
        {"usage": {"input_tokens": 5, "output_tokens": 2}},
        {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 2}},
    ],
)
def test_counts_in_the_last_event(late: dict[str, Any], mock: Any, stream: Any) -> None:
    """Some tell all of them there, Bedrock in words of its own; the larger counts are those that are kept."""
    reason = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    asked = mock("anthropic", stream(*said("a"), reason, {**STOP, **late}))
    assert asked.answer.usage == Usage(input_tokens=5, output_tokens=2)
    before = {"type": "message_delta", "usage": {"input_tokens": 9, "output_tokens": 4}}
    asked = mock("anthropic", stream(*said("a"), before, reason, {**STOP, **late}))
    assert asked.answer.usage == Usage(input_tokens=9, output_tokens=4)


def test_several_system_messages_are_joined(mock: Any, stream: Any) -> None:
    """Texts are joined by a blank line; where one is made of blocks, all become blocks."""
    block = {"type": "text", "text": "B", "cache_control": {"type": "ephemeral"}}
    user = {"role": "user", "content": "Hi?"}
    answer = stream(START, *said("a"), end(), STOP)
    texts = ({"role": "system", "content": "A"}, {"role": "system", "content": "B"}, user)
    assert mock("anthropic", answer, messages=texts).body["system"] == "A\n\nB"
    blocks = ({"role": "system", "content": "A"}, {"role": "system", "content": [block]}, user)
    assert mock("anthropic", answer, messages=blocks).body["system"] == [{"type": "text", "text": "A"}, block]
    assert "system" not in mock("anthropic", answer, messages=(user,)).body


def test_max_tokens_is_always_sent(mock: Any, stream: Any) -> None:
    """The dialect demands a limit: it is part of the params by default, never above the model's own."""
    assert dialect.defaults(Model("anthropic/m"), {}) == {"max_tokens": 4096}
    assert dialect.defaults(Model("anthropic/m", max_output=1000), {}) == {"max_tokens": 1000}
    assert dialect.defaults(Model("anthropic/m", max_output=64000), {}) == {"max_tokens": 4096}
    assert mock("anthropic", stream(START, *said("a"), end(), STOP), params={}).body["max_tokens"] == 4096


def test_what_may_be_thought_is_no_part_of_what_may_be_answered(mock: Any, stream: Any) -> None:
    """A budget for thinking counts towards the limit: labkit's own default is that much greater."""
    thinking = {"type": "enabled", "budget_tokens": 8000}
    for model, limit in ((Model("anthropic/m"), 12096), (Model("anthropic/m", max_output=10000), 10000)):
        assert dialect.defaults(model, {"thinking": thinking}) == {"max_tokens": limit}
    for other in ({"type": "adaptive"}, {"type": "enabled", "budget_tokens": None}, "on", None):
        assert dialect.defaults(Model("anthropic/m"), {"thinking": other}) == {"max_tokens": 4096}
    asked = mock("anthropic", stream(START, *said("a"), end(), STOP), params={"thinking": thinking})
    assert asked.body["max_tokens"] == 12096


def test_a_streamed_answer(mock: Any, stream: Any) -> None:
    """Text is told as it comes; the counts of the first and the last event are put together."""
    begin = {
        "type": "message_start",
        "message": {
            "id": "m1",
            "model": "c-1",
            "usage": {
                "input_tokens": 10,
                "cache_read_input_tokens": 1000,
                "cache_creation_input_tokens": 200,
                "output_tokens": 1,
            },
        },
    }
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    close = {"type": "content_block_stop", "index": 0}
    asked = mock("anthropic", stream(begin, block, {"type": "ping"}, *said("Hel", "lo"), close, end(), STOP))
    assert asked.listener.heard == [None, None, None, "Hel", "lo", None, None]
    answer = asked.answer
    assert answer.usage == Usage(
        input_tokens=1210, cache_read_tokens=1000, cache_write_tokens=200, output_tokens=2
    )
    assert (answer.stop_reason, answer.response_id, answer.response_model) == ("stop", "m1", "c-1")
    raw = json.loads(answer.raw)
    assert raw["usage"]["cache_read_input_tokens"] == 1000
    assert raw["usage"]["output_tokens"] == 2
    assert raw["delta"]["stop_reason"] == "end_turn"


def test_a_plain_answer(mock: Any) -> None:
    """With `stream` off the text of all blocks is told in one piece."""
    content = [
        {"type": "thinking", "thinking": "hmm"},
        {"type": "text", "text": "Hel"},
        {"type": "text", "text": "lo"},
    ]
    body = {
        "id": "m2",
        "model": "c-2",
        "content": content,
        "stop_reason": "max_tokens",
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }
    asked = mock("anthropic", {"json": body}, params={"stream": False, "max_tokens": 3})
    assert asked.listener.said == "Hello"
    assert asked.answer.stop_reason == "max_tokens"
    assert asked.answer.usage == Usage(input_tokens=3, output_tokens=4)


@pytest.mark.parametrize(
    "events",
    [
        [START, *said("a"), end(), "[DONE]"],
        [{"type": "message", "content": "a", "stop_reason": "end_turn", "usage": {"input_tokens": 5}}],
        [START, {"type": "content_block_start", "content_block": {"type": "text", "text": "a"}}, end(), STOP],
        [{**START, "message": {**START["message"], "content": [{"type": "text", "text": "a"}]}}, end(), STOP],
        [START, *said("a"), {"type": "message", "content": "a", "stop_reason": "end_turn"}],
    ],
)
def test_other_ways_to_say_it(events: list[Any], mock: Any, stream: Any) -> None:
    """The end as another dialect tells it, a whole message in one event, also after its pieces, text where a
    block or the message begins."""
    asked = mock("anthropic", stream(*events))
    assert (asked.listener.said, asked.answer.stop_reason, asked.answer.usage.input_tokens) == (
        "a",
        "stop",
        5,
    )


@pytest.mark.parametrize(
    "events", [[START, *said("a"), "[DONE]"], [{"type": "message", "content": "a", "stop_reason": None}]]
)
def test_an_end_without_its_reason(events: list[Any], mock: Any, stream: Any) -> None:
    """Where the end is told, or the message is there in one piece, it is done: why is not known."""
    asked = mock("anthropic", stream(*events))
    assert (asked.listener.said, asked.answer.stop_reason) == ("a", "unknown")


@pytest.mark.parametrize("block", [{"type": "tool_use", "name": "f"}, {"type": "thinking", "thinking": "hm"}])
def test_calls_or_reasoning_alone_are_an_answer(block: dict[str, Any], mock: Any, stream: Any) -> None:
    """Also where no tokens are told for them, in a stream and in one piece."""
    usage = {"input_tokens": 5, "output_tokens": 0}
    whole = {"type": "message", "content": [block], "stop_reason": "end_turn", "usage": usage}
    begun = {"type": "content_block_start", "index": 0, "content_block": block}
    for response in (stream(START, begun, end(output_tokens=0), STOP), {"json": whole}):
        asked = mock("anthropic", response)
        assert (asked.listener.said, asked.answer.stop_reason) == ("", "stop")
        assert asked.answer.usage.output_tokens is None


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("end_turn", "stop"), ("max_tokens", "max_tokens"), ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_calls"), ("refusal", "refusal"), ("pause_turn", "unknown"), ("new", "unknown"),
    ],
)  # fmt: skip
def test_stop_reasons(reason: str, kept: str, mock: Any, stream: Any) -> None:
    """Every way a message can end has one of labkit's names; a new one is `unknown`, not an error."""
    assert mock("anthropic", stream(START, *said("a"), end(reason), STOP)).answer.stop_reason == kept


def test_thinking_and_tools_are_events_and_no_text(mock: Any, stream: Any) -> None:
    """What a model thinks, or hands to a tool, moves the first event, not the first text."""
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hmm"}},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": "{}"},
        },
    ]
    asked = mock("anthropic", stream(START, *deltas, *said("a"), end(), STOP))
    assert asked.listener.heard == [None, None, None, "a", None]


@pytest.mark.parametrize(
    "events", [[START], [START, *said("a")], [START, *said("a"), end()], [START, *said("a"), STOP]]
)
def test_a_message_cut_short_is_no_answer(events: list[Any], mock: Any, stream: Any) -> None:
    """Without both a stop reason and its last event a message is malformed: the SDK itself says nothing."""
    assert isinstance(mock("anthropic", stream(*events)).error, MalformedAnswer)


def test_an_error_event_is_the_error_it_names(mock: Any, stream: Any) -> None:
    """`overloaded_error` in mid-stream is an overload that may have been paid for."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    asked = mock("anthropic", stream(START, *said("a"), error))
    assert isinstance(asked.error, Overloaded)
    assert asked.error.maybe_paid
    assert asked.listener.said == "a"


def test_tokens_are_counted_by_the_endpoint(request_to: Callable[..., Any]) -> None:
    """The endpoint's own count is asked for, with what counts and nothing else, and its failure is told."""
    bodies = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        bodies.append((request.url.path, json.loads(request.content)))
        if len(bodies) == 1:
            return httpx2.Response(200, json={"input_tokens": 42})
        return httpx2.Response(404, json={"error": {"message": "no such path"}})

    client = anthropic.AsyncAnthropic(
        api_key="sk-test-0123456789",
        base_url="https://example.com",
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(handle)),
    )
    provider = dialect.AnthropicProvider(client)

    async def twice() -> int | None:
        counted = await provider.count_tokens(request_to("anthropic"))
        with pytest.raises(InvalidRequest):
            await provider.count_tokens(request_to("anthropic"))
        return counted

    assert asyncio.run(twice()) == 42
    assert bodies[0] == (
        "/v1/messages/count_tokens",
        {"model": "m", "system": "Be kind.", "messages": [{"role": "user", "content": "Hi?"}]},
    )


def test_the_environment_reaches_no_foreign_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers, tokens and base URL that the environment holds for Anthropic stay with Anthropic."""
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Secret: abc")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://elsewhere.example")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "tok-0123456789")
    key = Key("sk-test-0123456789", source="the test")

    def built(model: Model, key: Key | None) -> tuple[str, dict[str, str]]:
        client = dialect.connect(model, key)._wire._client
        options = anthropic._models.FinalRequestOptions.construct(
            method="post", url="/v1/messages", json_data={}
        )
        request = client._build_request(options)
        return str(request.url), dict(request.headers)

    url, foreign = built(Model("acme/m", dialect="anthropic", base_url="https://example.com"), None)
    assert url == "https://example.com/v1/messages"
    assert "x-secret" not in foreign
    assert "tok-0123456789" not in repr(foreign)
    url, own = built(Model("anthropic/m"), key)
    assert url == "https://api.anthropic.com/v1/messages"
    assert own["x-secret"] == "abc"
    assert "tok-0123456789" not in repr(own)


def test_no_spans_are_recorded() -> None:
    """The SDK's tracing is off: nobody is told of a request but the endpoint."""
    client = dialect.connect(Model("anthropic/m"), Key("sk-test-0123456789", source="the test"))._wire._client
    assert client._tracer is None
