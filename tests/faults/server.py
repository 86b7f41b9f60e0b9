"""A server that fails on demand: every dialect, real sockets, a process of its own.

Every test has a channel, `http://127.0.0.1:PORT/c/NAME`, with a list of behaviours used up one a request
and one for all requests after (`then`). What arrived, and when, is kept per channel. A behaviour is a dict:

- `status`, `headers`, `body`: answer with that; `body` is text, or anything else as JSON
- `text`, `finish`, `usage`, `events`: the answer itself, in so many events; `usage` None leaves it out
- `delay_s` before anything, `first_s` before the first event, `gap_s` between events
- `cut_after`, `truncate_after`, `stall_after`, `garble_after`, `error_after` (with `error`): so many events
  in, disconnect / end in good order / fall silent / send a broken event / send an error event
- `hang`: never answer; `half_head`: half a head, then silence; `reset`: close without a word
- `drip_s`: one byte, then so much of a pause, for the whole answer
- `content_type`, `raw`: a 200 of that type with exactly these bytes
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

WORDS = "the quick brown fox jumps over the lazy dog again and again"


class Channel:
    """What one test wants, and what came."""

    def __init__(self) -> None:
        self.script: list[dict[str, Any]] = []
        self.then: dict[str, Any] = {}
        self.seen: list[dict[str, Any]] = []
        self.out = self.peak = 0


CHANNELS: dict[str, Channel] = {}


def channel(name: str) -> Channel:
    """The channel of that name."""
    return CHANNELS.setdefault(name, Channel())


def openai_events(how: dict[str, Any], count: int) -> list[bytes]:
    """The events of a streamed answer in the chat completions dialect."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-2026"}
    pieces = _pieces(how.get("text", WORDS), count)
    blocks = [{**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}]
    blocks += [{**head, "choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    end = {"index": 0, "delta": {}, "finish_reason": how.get("finish", "stop")}
    blocks.append({**head, "choices": [end]})
    usage = how.get("usage", {"prompt_tokens": 7, "completion_tokens": 12, "total_tokens": 19})
    if usage is not None:
        blocks.append({**head, "choices": [], "usage": usage})
    return [f"data: {json.dumps(block)}\n\n".encode() for block in blocks] + [b"data: [DONE]\n\n"]


def anthropic_events(how: dict[str, Any], count: int) -> list[bytes]:
    """The events of a streamed answer in the messages dialect."""
    usage = how.get("usage", {"input_tokens": 7, "output_tokens": 12}) or {}
    start = {name: value for name, value in usage.items() if name != "output_tokens"}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-2026", "content": []}
    stop = {"stop_reason": how.get("finish", "end_turn"), "stop_sequence": None}
    blocks: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "usage": {**start, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    blocks += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in _pieces(how.get("text", WORDS), count)
    ]
    blocks.append({"type": "content_block_stop", "index": 0})
    out = {"output_tokens": usage["output_tokens"]} if "output_tokens" in usage else {}
    blocks.append({"type": "message_delta", "delta": stop, "usage": out})
    blocks.append({"type": "message_stop"})
    return [f"event: {block['type']}\ndata: {json.dumps(block)}\n\n".encode() for block in blocks]


def responses_events(how: dict[str, Any], count: int) -> list[bytes]:
    """The events of a streamed answer in the responses dialect."""
    begun = {"id": "resp_1", "object": "response", "model": "m-2026", "status": "in_progress", "output": []}
    blocks: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    blocks += [
        {"type": "response.output_text.delta", "output_index": 0, "delta": piece}
        for piece in _pieces(how.get("text", WORDS), count)
    ]
    ended = _response(how)
    blocks.append({"type": f"response.{ended['status']}", "response": ended})
    return [f"event: {block['type']}\ndata: {json.dumps(block)}\n\n".encode() for block in blocks]


def _response(how: dict[str, Any]) -> dict[str, Any]:
    cut = how.get("finish", "completed")
    usage = how.get("usage", {"input_tokens": 7, "output_tokens": 12, "total_tokens": 19})
    message = {"type": "message", "content": [{"type": "output_text", "text": how.get("text", WORDS)}]}
    return {
        "id": "resp_1",
        "object": "response",
        "model": "m-2026",
        "status": "completed" if cut == "completed" else "incomplete",
        "incomplete_details": None if cut == "completed" else {"reason": cut},
        "output": [message],
        "usage": usage,
    }


def whole(dialect: str, how: dict[str, Any]) -> bytes:
    """An answer in one piece."""
    text = how.get("text", WORDS)
    if dialect == "openai-responses":
        return json.dumps(_response(how)).encode()
    if dialect == "openai":
        usage = how.get("usage", {"prompt_tokens": 7, "completion_tokens": 12, "total_tokens": 19})
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": how.get("finish", "stop")}
        body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-2026"}
        return json.dumps({**body, "choices": [choice], "usage": usage}).encode()
    usage = how.get("usage", {"input_tokens": 7, "output_tokens": 12})
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-2026"}
    content = [{"type": "text", "text": text}]
    return json.dumps(
        {**body, "content": content, "stop_reason": how.get("finish", "end_turn"), "usage": usage}
    ).encode()


def _pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, request after request."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            if not await answer(head, body, writer):
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(head: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; False: the connection is done with."""
    method, path, _ = head.split(" ", 2)
    found = re.fullmatch(r"/(c|script|seen)/([^/]+)(/.*)?", path)
    if found is None:
        await send(writer, 404, b"{}")
        return True
    place = channel(found[2])
    if found[1] == "script":
        told = json.loads(body)
        place.script, place.then = told["script"], told["then"]
        await send(writer, 200, b"{}")
        return True
    if found[1] == "seen":
        await send(writer, 200, json.dumps({"seen": place.seen, "peak": place.peak}).encode())
        return True
    how = place.script.pop(0) if place.script else place.then
    lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    seen = {
        "at": time.monotonic(),
        "method": method,
        "path": found[3],
        "headers": {name.lower(): value for name, value in lines.items()},
        "body": json.loads(body) if body else None,
        "ended": None,
    }
    place.seen.append(seen)
    place.out += 1
    place.peak = max(place.peak, place.out)
    try:
        return await behave(how, seen, writer)
    finally:
        place.out -= 1
        seen["ended"] = time.monotonic()


async def behave(how: dict[str, Any], seen: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
    """Do to one request what its behaviour says."""
    await asyncio.sleep(how.get("delay_s", 0))
    if how.get("hang"):
        await gone(writer)
        return False
    if how.get("reset"):
        writer.transport.abort()
        return False
    if how.get("half_head"):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-ty")
        await gone(writer)
        return False
    if "status" in how:
        given = how.get("body", {})
        payload = given.encode() if isinstance(given, str) else json.dumps(given).encode()
        await send(writer, how["status"], payload, how.get("headers"))
        return True
    if "raw" in how:
        kind = how.get("content_type", "application/json")
        await send(writer, 200, how["raw"].encode(), {"content-type": kind, **how.get("headers", {})})
        return True
    ends = {"messages": "anthropic", "responses": "openai-responses"}
    dialect = ends.get(seen["path"].rpartition("/")[2], "openai")
    if seen["path"].endswith("count_tokens"):
        await send(writer, 200, b'{"input_tokens": 42}')
        return True
    if not (seen["body"] or {}).get("stream"):
        await asyncio.sleep(how.get("first_s", 0))
        await send(writer, 200, whole(dialect, how), how.get("headers"), drip_s=how.get("drip_s", 0))
        return True
    return await stream(MAKERS[dialect](how, how.get("events", 4)), how, dialect, writer)


MAKERS = {"openai": openai_events, "openai-responses": responses_events, "anthropic": anthropic_events}


async def stream(
    events: list[bytes], how: dict[str, Any], dialect: str, writer: asyncio.StreamWriter
) -> bool:
    """A streamed answer, with what is to go wrong in it."""
    head = {"content-type": "text/event-stream", "transfer-encoding": "chunked", "x-request-id": "req-1"}
    writer.write(_head(200, {**head, **how.get("headers", {})}))
    await writer.drain()
    await asyncio.sleep(how.get("first_s", 0))
    for number, event in enumerate([*events, b""]):
        if how.get("cut_after") == number:
            await writer.drain()
            writer.transport.abort() if how.get("hard") else writer.close()
            return False
        if how.get("truncate_after") == number:
            break
        if how.get("stall_after") == number:
            await gone(writer)
            return False
        if how.get("garble_after") == number:
            event = b'data: {"choices": [{"delta": {"cont\n\n'
        if how.get("error_after") == number:
            name = b"event: error\n" if dialect == "anthropic" else b""
            event = name + b"data: " + json.dumps(how["error"]).encode() + b"\n\n"
        if event:
            block = b"%x\r\n%s\r\n" % (len(event), event)
            for part in [block[i : i + 1] for i in range(len(block))] if how.get("drip_s") else [block]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(how.get("drip_s", 0))
        await asyncio.sleep(how.get("gap_s", 0))
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def send(
    writer: asyncio.StreamWriter,
    status: int,
    payload: bytes,
    headers: dict[str, str] | None = None,
    *,
    drip_s: float = 0,
) -> None:
    """A whole response."""
    fields = {"content-type": "application/json", "x-request-id": "req-1", **(headers or {})}
    writer.write(_head(status, {**fields, "content-length": str(len(payload))}))
    for part in [payload[i : i + 1] for i in range(len(payload))] if drip_s else [payload]:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(drip_s)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode("latin-1")


async def gone(writer: asyncio.StreamWriter) -> None:
    """Wait until the other side hangs up, for ever if need be."""
    await writer.drain()
    while not writer.is_closing() and not writer.transport.is_closing():
        await asyncio.sleep(0.02)


async def main() -> None:
    """Serve on the port given, or any; prints it."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
