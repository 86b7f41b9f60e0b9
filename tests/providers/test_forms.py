"""Form without meaning: however a server writes an answer, it is the same answer, asked for once.

Good streams of all dialects are written in other ways: keys reordered, texts cut anywhere, halves of a
character apart, counts and ids of other types, unknown fields, nulls, comments and pings between, other line
endings and content types, bytes cut anywhere, or all in one piece.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from random import Random
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.providers.anthropic import AnthropicProvider
from labkit.providers.openai import OpenAIProvider
from labkit.providers.responses import ResponsesProvider
from labkit.records import Answer, Usage

Event = dict[str, Any]
DIALECTS = ("openai", "openai-responses", "anthropic")
SPELLINGS = {
    "openai": {
        "stop": ["stop", "STOP", "eos", "end_turn", "FinishReason.STOP"],
        "max_tokens": ["length", "MAX_TOKENS"],
    },
    "openai-responses": {"stop": ["completed"], "max_tokens": ["max_output_tokens", "MAX_OUTPUT_TOKENS"]},
    "anthropic": {"stop": ["end_turn", "stop", "END_TURN"], "max_tokens": ["max_tokens", "model_length"]},
}
KINDS = [
    "text/event-stream",
    "Text/Event-Stream;charset=UTF-8",
    "text/plain",
    "application/json",
    "a/b, c/d",
    "",
]
USAGE = Usage(input_tokens=30, cache_read_tokens=10, output_tokens=9, reasoning_tokens=4)


def openai_events(pieces: list[str], finish: str) -> list[Event]:
    """A good stream of chat completions."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-2026"}
    usage = {
        "prompt_tokens": 30,
        "completion_tokens": 9,
        "total_tokens": 39,
        "prompt_tokens_details": {"cached_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    deltas: list[Event] = [{"role": "assistant", "content": ""}, {"reasoning_content": "hm"}]
    deltas += [{"content": piece} for piece in pieces]
    events: list[Event] = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return [*events, {**head, "choices": [], "usage": usage}]


def anthropic_events(pieces: list[str], finish: str) -> list[Event]:
    """A good stream of messages."""
    start = {"input_tokens": 20, "cache_read_input_tokens": 10, "output_tokens": 1}
    end = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-2026", "content": []}
    thought = {"type": "thinking_delta", "thinking": "hm"}
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return [
        {"type": "message_start", "message": {**message, "usage": start}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": thought},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 1, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": finish, "stop_sequence": None}, "usage": end},
        {"type": "message_stop"},
    ]


def responses_events(pieces: list[str], finish: str) -> list[Event]:
    """A good stream of responses, with a comment on the way."""
    comment = {"type": "message", "phase": "commentary", "content": [{"type": "output_text", "text": "wait"}]}
    text = "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16")
    message = {"type": "message", "phase": "final_answer", "content": [{"type": "output_text", "text": text}]}
    usage = {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 10},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 39,
    }
    whole = {
        "id": "resp_1",
        "object": "response",
        "model": "m-2026",
        "usage": usage,
        "output": [comment, message],
    }
    ended = "completed" if finish == "completed" else "incomplete"
    why = None if ended == "completed" else {"reason": finish}
    delta = "response.output_text.delta"
    return [
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "hm"},
        {"type": "response.output_item.added", "output_index": 1, "item": {**comment, "content": []}},
        {"type": delta, "output_index": 1, "delta": "wait"},
        {"type": "response.output_item.added", "output_index": 2, "item": {**message, "content": []}},
        *({"type": delta, "output_index": 2, "delta": piece} for piece in pieces),
        {"type": f"response.{ended}", "response": {**whole, "status": ended, "incomplete_details": why}},
    ]


MAKERS = {"openai": openai_events, "openai-responses": responses_events, "anthropic": anthropic_events}


def whole(dialect: str, text: str, finish: str) -> Event:
    """The same answer in one piece."""
    if dialect == "openai-responses":
        found: Event = responses_events([text], finish)[-1]["response"]
        return found
    if dialect == "openai":
        *_, last = openai_events([text], finish)
        message = {"role": "assistant", "content": text, "reasoning": "hm"}
        return {**last, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    first, *_, end, _ = anthropic_events([text], finish)
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}]
    usage = {**first["message"]["usage"], **end["usage"]}
    return {**first["message"], "content": content, "stop_reason": finish, "usage": usage}


class Pieces(httpx2.AsyncByteStream):
    """A body in pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


class Asker:
    """Asks each dialect's provider, whose server answers what it is told to."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.requests = 0
        self.response: tuple[str, list[bytes]] = ("", [])
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self.handle))
        made: Any = {
            "api_key": "sk-test-0123456789",
            "base_url": "https://example.com/v1",
            "http_client": http,
        }
        client = openai.AsyncOpenAI(**made)
        self.providers: dict[str, Any] = {
            "openai": OpenAIProvider(client),
            "openai-responses": ResponsesProvider(client),
            "anthropic": AnthropicProvider(anthropic.AsyncAnthropic(**made)),
        }

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        kind, pieces = self.response
        return httpx2.Response(200, headers={"content-type": kind} if kind else {}, stream=Pieces(pieces))

    def ask(self, dialect: str, request: Any, listener: Any, kind: str, pieces: list[bytes]) -> Answer:
        self.response, self.requests = (kind, pieces), 0
        answer: Answer = self.runner.run(self.providers[dialect].ask(request, listener))
        assert self.requests == 1
        return answer


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    """Providers of all dialects on one loop."""
    with asyncio.Runner() as runner:
        yield Asker(runner)


TEXTS = [
    "Paris", "é 👩\u200d🔬 is 😀!", "<b> & \\ \" \n\r data: x\n\n", "ordinary words in a row", "{}", "[DONE]",
]  # fmt: skip
MORE: list[tuple[str, Any]] = [
    ("x_new", {"a": [1, None]}), ("odd", 1e400), ("half", "\ud83d"), ("deep", [[[]]]), ("y", "?"),
    *((name, None) for name in ("error", "usage", "tool_calls", "refusal", "reasoning", "item", "text", "z")),
]  # fmt: skip
"""Fields that say nothing."""
BETWEEN = ["", "null", "{}", "[]", '""', "0", "ping", " ", '{"type":"ping"}', '{"odd":"\\udc00"}']
BEFORE = ["event: x", "id: 7", ": comment", "retry: 5"]


class Writer:
    """Writes JSON and events in ways drawn by chance."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def chance(self, *of: Any) -> Any:
        """One of these."""
        return self.random.choice(of)

    def edges(self, length: int, most: int) -> list[tuple[int, int]]:
        """Where something of this length is cut, in up to so many places."""
        places = {self.random.randint(0, length) for _ in range(self.random.randint(0, most))}
        return list(pairwise(sorted({0, length, *places})))

    def pieces(self, text: str) -> list[str]:
        """The text in pieces of UTF-16: half a character may end one and begin the next."""
        units = text.encode("utf-16-le")
        edges = self.edges(len(units) // 2, 8)
        return [units[2 * a : 2 * b].decode("utf-16-le", "surrogatepass") for a, b in edges]

    def odd(self, value: Any, name: str = "") -> Any:
        """The value written otherwise: in another order, with more beside it, its counts of another type."""
        if isinstance(value, dict):
            found = {key: self.odd(item, key) for key, item in value.items()}
            if self.chance(False, False, True):
                key, more = self.chance(*MORE)
                found.setdefault(key, more)
            return dict(self.random.sample(list(found.items()), len(found)))
        if isinstance(value, list):
            return [self.odd(item) for item in value]
        if name == "content" and isinstance(value, str):
            return self.chance(value, [{"type": "text", "text": value}])
        if type(value) is int and name.endswith(("_tokens", "index")):
            return self.chance(value, value, float(value), str(value))
        return value

    def json(self, value: Any) -> str:
        """The value as JSON, on one line or many, its characters as they are or escaped."""
        text = json.dumps(
            self.odd(value), indent=self.chance(None, None, 1), ensure_ascii=self.chance(True, False)
        )
        try:
            text.encode()
        except UnicodeEncodeError:
            return json.dumps(value)
        return text

    def event(self, value: Event) -> bytes:
        """An event, with other lines before its data and any line endings."""
        end, field = self.chance("\n", "\r\n", "\r"), self.chance("data: ", "data:")
        before = self.random.sample(BEFORE, self.chance(0, 1, 2))
        lines = [*before, *(field + line for line in self.json(value).split("\n"))]
        return (end.join(lines) + end + end).encode()

    def between(self) -> bytes:
        """What says nothing."""
        said = f"data: {self.chance(*BETWEEN)}\n\n".encode()
        return bytes(self.chance(b"", b"", b": keep-alive\n\n", said, b"\n\n", b"event: ping\n\n"))

    def bytes(self, body: bytes) -> list[bytes]:
        """The bytes in pieces: all at once, cut at some places, or one by one."""
        return [body[a:b] for a, b in self.edges(len(body), self.chance(0, 8, 20 * len(body)))]

    def body(self, dialect: str, text: str, finish: str) -> bytes:
        """An answer as a stream, or in one piece."""
        if self.chance(False, False, False, True):
            body = self.json(whole(dialect, text, finish)).encode()
        else:
            events = map(self.event, MAKERS[dialect](self.pieces(text), finish))
            body = b"".join(self.between() + event for event in events)
            body += self.chance(b"", b"data: [DONE]\n\n", b"data:[done]\r\n\r\n")
        return bytes(self.chance(b"", b"\xef\xbb\xbf", b"\n \n")) + body


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_the_same_answer(dialect: str, seed: int, asker: Asker, request_to: Any, listener: Any) -> None:
    """Text, reasoning, counts, end, id and model are read alike, by one request, whatever form they have."""
    writer = Writer(seed)
    heard = type(listener)()
    text, stop = writer.chance(*TEXTS), writer.chance("stop", "max_tokens")
    body = writer.body(dialect, text, writer.chance(*SPELLINGS[dialect][stop]))
    request = request_to(dialect, params={"max_tokens": 9, "stream": writer.chance(True, True, False)})
    answer = asker.ask(dialect, request, heard, writer.chance(*KINDS), writer.bytes(body))
    assert heard.said == text
    thoughts = "".join(heard.thoughts)
    assert thoughts in (("hmwait", "") if dialect == "openai-responses" else ("hm",))
    assert (answer.stop_reason, answer.usage) == (stop, USAGE)
    assert (answer.response_model, bool(answer.response_id)) == ("m-2026", True)
