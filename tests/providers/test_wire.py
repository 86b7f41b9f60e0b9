"""The wire: raw responses read as they come, whatever way they are wrapped, and closed in the end."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest

from labkit.errors import ConnectionLost, MalformedAnswer
from labkit.providers import wire
from labkit.providers.openai import OpenAIProvider

DONE = {"choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": "stop"}]}
EVENT = f"data: {json.dumps(DONE)}\n\n".encode()


class Body(httpx2.AsyncByteStream):
    """A body in pieces; an exception among them is raised, a number is slept."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces, self.closed, self.read = pieces, 0, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, float):
                await asyncio.sleep(piece)
                continue
            self.read += 1
            yield piece

    async def aclose(self) -> None:
        self.closed += 1


def ask(body: Body, request: Any, listener: Any, **headers: str) -> Any:
    """What a provider makes of a streamed response with that body."""
    fields = {"content-type": "text/event-stream", **headers}
    transport = httpx2.MockTransport(lambda sent: httpx2.Response(200, headers=fields, stream=body))
    http = httpx2.AsyncClient(transport=transport)
    client = openai.AsyncOpenAI(
        api_key="sk-test-0123456789", base_url="https://example.com/v1", http_client=http
    )
    provider = OpenAIProvider(client, who="acme")

    async def asked() -> Any:
        answer = await provider.ask(request, listener)
        while not body.closed:
            await asyncio.sleep(0)
        return answer

    return asyncio.run(asyncio.wait_for(asked(), 10))


def test_a_compressed_stream_is_read(request_to: Any, listener: Any) -> None:
    """An endpoint that compresses its events is understood."""
    packed = gzip.compress(EVENT)
    body = Body(packed[:10], packed[10:])
    answer = ask(body, request_to("openai"), listener, **{"content-encoding": "gzip"})
    assert (answer.stop_reason, listener.said) == ("stop", "hello")
    assert body.closed


def test_an_answer_stands_when_its_connection_breaks_after_the_end(request_to: Any, listener: Any) -> None:
    """After the last event a broken connection takes nothing away."""
    body = Body(EVENT, b"data: [DONE]\n\n", httpx2.ReadError("gone"))
    assert ask(body, request_to("openai"), listener).stop_reason == "stop"
    assert body.closed


ENDS = {
    "openai": [DONE, "[DONE]"],
    "openai-responses": [
        {"type": "response.completed", "response": {"output": [{"content": "hello"}], "usage": {}}}
    ],
    "anthropic": [
        {"type": "content_block_delta", "delta": {"text": "hello"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ],
}


@pytest.mark.parametrize("dialect", ENDS)
def test_an_answer_waits_for_no_goodbye(dialect: str, mock: Any, stream: Any) -> None:
    """After a dialect's last event the answer is there, however long the connection stays open; closing the
    provider closes it."""
    body = Body(stream(*ENDS[dialect])["content"], 3600.0)
    headers = {"content-type": "text/event-stream"}
    asked = mock(dialect, httpx2.Response(200, headers=headers, stream=body))
    assert (asked.answer.stop_reason, asked.listener.said, body.closed) == ("stop", "hello", 1)


@pytest.mark.parametrize("dialect", ENDS)
@pytest.mark.parametrize("written", ["lines", "list", "packed", "named"])
def test_events_in_other_forms(dialect: str, written: str, mock: Any) -> None:
    """One JSON object a line, all in a list, no blank lines between, or their type only in their name."""
    found: list[Any] = [{"type": "ping"}, *(event for event in ENDS[dialect] if event != "[DONE]")]
    texts = [json.dumps(event) for event in found]
    untyped = [{name: value for name, value in event.items() if name != "type"} for event in found]
    body = {
        "lines": "\n".join(texts),
        "list": json.dumps(found),
        "packed": "".join(f"data: {text}\n" for text in texts),
        "named": "".join(
            f"event: {event.get('type', 'x')}\ndata: {json.dumps(rest)}\n\n"
            for event, rest in zip(found, untyped, strict=True)
        ),
    }[written]
    asked = mock(dialect, {"content": body.encode()})
    assert (asked.error, asked.listener.said, asked.answer.stop_reason) == (None, "hello", "stop")


@pytest.mark.parametrize("dialect", ENDS)
@pytest.mark.parametrize(
    "notice",
    [
        {"type": "status", "message": "Model is loading"},
        {"code": 0, "msg": "success"},
        {"code": "200", "message": "ok"},
        {"message": "heartbeat"},
        {"status": "connected", "detail": "stream opened"},
        {"error": {"code": "0", "message": "success"}},
        {"error": {"code": 0, "message": ""}},
        {"error": "none"},
        {"base_resp": {"status_code": 0, "status_msg": "success"}},
    ],
)
def test_a_notice_is_no_refusal(dialect: str, notice: Any, mock: Any, stream: Any) -> None:
    """What an endpoint tells beside an answer is an error only where it names one, or a code of one."""
    *begin, last = ENDS[dialect]
    events = [notice, *begin, notice, last]
    if dialect == "openai":
        events.append({**DONE, "error": notice.get("error"), "choices": []})
    asked = mock(dialect, stream(*events))
    assert (asked.error, asked.listener.said) == (None, "hello")


@pytest.mark.parametrize("dialect", ENDS)
@pytest.mark.parametrize(
    "notice",
    [
        {"code": 1301, "msg": "no"},
        {"error": {"message": "no"}},
        {"error": "no"},
        {"error": True},
        {"errors": [{"title": "no"}]},
        {"type": "SomeException", "message": "no"},
        {"object": "error", "code": "odd", "message": "no"},
    ],
)
def test_an_error_is_one_under_any_name(dialect: str, notice: Any, mock: Any, stream: Any) -> None:
    """It ends the answer where it comes."""
    asked = mock(dialect, stream(notice, *ENDS[dialect]))
    assert isinstance(asked.error, MalformedAnswer)
    assert "answered 200 with an error" in str(asked.error)


@pytest.mark.parametrize("dialect", ENDS)
@pytest.mark.parametrize("said", ["upstream connect error", '{"message": "upstream connect error"}'])
def test_what_was_said_instead_is_shown(dialect: str, said: str, mock: Any, stream: Any) -> None:
    """Words in the place of an answer, be they JSON or none, stand in its error."""
    asked = mock(dialect, stream(said))
    assert isinstance(asked.error, MalformedAnswer)
    assert "upstream connect error" in str(asked.error)
    assert said in str(asked.error.raw)


def test_a_connection_that_stays_open_is_closed_after_a_moment(
    request_to: Any, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside what goes on it is read for so long, and no longer."""
    monkeypatch.setattr(wire, "_CLOSING_S", 0.05)
    body = Body(EVENT, b"data: [DONE]\n\n", 60.0)
    assert ask(body, request_to("openai"), listener).stop_reason == "stop"


def test_what_follows_the_last_event_is_read_away(request_to: Any, listener: Any) -> None:
    """The rest of a body is read, so that the connection can be used again."""
    body = Body(EVENT, b"data: [DONE]\n\n", b": bye\n\n", b"")
    ask(body, request_to("openai"), listener)
    assert body.read == 4


KINDS = [
    "text/plain; charset=utf-8",
    "application/json, text/event-stream; charset=utf-8",
    "Text/Event-Stream",
    "application/octet-stream",
    "",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked_for", [True, False])
@pytest.mark.parametrize("before", [b"", b"\n\n", b": comment\n\n", b"\xef\xbb\xbf", b"event: x\nid: 1\n"])
def test_events_are_read_under_any_type(
    kind: str, asked_for: bool, before: bytes, request_to: Any, listener: Any
) -> None:
    """What a body begins with says that it is a stream, whatever was asked for and its head says."""
    pieces = [before[:1], before[1:], EVENT[:3], EVENT[3:]]
    request = request_to("openai", params={"stream": asked_for})
    ask(Body(*filter(None, pieces)), request, listener, **{"content-type": kind})
    assert listener.said == "hello"


@pytest.mark.parametrize("kind", [*KINDS, "text/event-stream"])
def test_an_answer_in_one_piece_is_read_under_any_type(kind: str, request_to: Any, listener: Any) -> None:
    """A server that answers a request for a stream with one JSON has answered; blanks that it sends while it
    thinks are signs of life."""
    message = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}
    body = Body(b"\n   ", b"\n", json.dumps(message, indent=1).encode(), b"\n")
    assert ask(body, request_to("openai"), listener, **{"content-type": kind}).stop_reason == "stop"
    assert listener.heard[:2] == [None, None]
    assert listener.said == "hello"


def test_half_an_event_is_a_sign_of_life(request_to: Any, listener: Any) -> None:
    """Bytes that complete no event are told all the same, so that nobody takes them for silence."""
    body = Body(*(EVENT[i : i + 1] for i in range(len(EVENT))))
    ask(body, request_to("openai"), listener)
    assert listener.heard.count(None) == len(EVENT) - 1
    assert listener.said == "hello"


@pytest.mark.parametrize(
    "broken", [httpx2.ReadError("cut"), httpx2.RemoteProtocolError("cut"), OSError("cut")]
)
def test_a_body_that_breaks_is_closed(broken: Exception, request_to: Any, listener: Any) -> None:
    """A connection that breaks in the middle is an error, and is closed."""
    body = Body(EVENT, broken)
    with pytest.raises(ConnectionLost):
        ask(body, request_to("openai"), listener)
    assert body.closed


def test_a_cancelled_answer_is_closed(request_to: Any, listener: Any) -> None:
    """Whoever is cancelled in the middle of an answer leaves no connection open."""
    body = Body(EVENT, 60.0)

    async def cancelled() -> None:
        transport = httpx2.MockTransport(
            lambda sent: httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=body)
        )
        client = openai.AsyncOpenAI(
            api_key="sk-x",
            base_url="https://example.com",
            http_client=httpx2.AsyncClient(transport=transport),
        )
        task = asyncio.create_task(OpenAIProvider(client).ask(request_to("openai"), listener))
        while not listener.said:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert body.closed


def test_a_page_instead_of_a_stream_is_not_read_to_its_end(request_to: Any, listener: Any) -> None:
    """Of a 200 that is no stream only the beginning is read and kept."""
    body = Body(*[b"<html>" + b"x" * 1000] * 100)
    with pytest.raises(MalformedAnswer, match="text/html instead of an answer") as caught:
        ask(body, request_to("openai"), listener, **{"content-type": "text/html; charset=utf-8"})
    assert body.read < 10
    assert len(caught.value.raw or "") <= 2000
    assert body.closed
