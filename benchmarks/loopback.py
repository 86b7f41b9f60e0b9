"""A fast stand-in for both dialects on a loopback port, in its own process: for measuring, not for tests.

Answers `/v1/chat/completions` and `/v1/messages`, plain or streamed, after a set latency and in a set
number of events. Everything that can be is encoded beforehand, so that what is measured is the client.

    python benchmarks/loopback.py --latency 0.05 --events 32      prints its port, serves until killed

The path may set them for one request: `/l50/e300/v1/chat/completions` is 50 ms and 300 events.
With `/p50/e200/v1/chat/completions` the answer comes at 50 events a second after 0.3 s, in 100 to 300 of
them, drawn anew for each so that answers begin at any time; its text begins with `TOLD`: the server's own
microseconds from the whole request to the first text, read when that was sent. `/stats` gives how many
requests came, how many were out at once, and by `time.time()` when the latest came, when the first event of
the latest stream left and when the latest answer ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

WORD = "lorem "
TOKENS = 256
FIRST_S = 0.3
TOLD = re.compile(r"@(\d{9}) ")
_UNTOLD = b"@000000000 "
_LONGEST = 1000
_PATH = re.compile(rb"(?:/l(\d+))?(?:/p(\d+))?(?:/e(\d+))?(/v1/[a-z/_]+)")
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nx-request-id: req-1\r\n"


@lru_cache
def plain(dialect: str) -> bytes:
    """A whole answer of 256 tokens, head and all."""
    text = WORD * TOKENS
    if dialect == "openai":
        body: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "bench",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": TOKENS, "total_tokens": 100 + TOKENS},
        }
    else:
        body = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "bench",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": TOKENS},
        }
    payload = json.dumps(body).encode()
    return _HEAD % b"application/json" + b"content-length: %d\r\n\r\n" % len(payload) + payload


@lru_cache
def streamed(dialect: str, events: int, begin: str = "") -> tuple[bytes, ...]:
    """The chunks of a streamed answer, one per event; the head goes with the first, and with `begin`."""
    piece = WORD * max(1, TOKENS // events)
    if dialect == "openai":
        blocks = [_chunk({"role": "assistant", "content": ""})]
        blocks += [_chunk({"content": piece}) for _ in range(events)]
        if begin:
            blocks[0] += _chunk({"content": begin})
        usage = {"prompt_tokens": 100, "completion_tokens": TOKENS, "total_tokens": 100 + TOKENS}
        end = [_chunk({}, finish_reason="stop"), _chunk(None, usage=usage), b"data: [DONE]\n\n"]
    else:
        start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "bench", "content": []}
        start |= {"stop_reason": None, "usage": {"input_tokens": 100, "output_tokens": 1}}
        blocks = [_event("message_start", message=start)]
        blocks += [_event("content_block_start", index=0, content_block={"type": "text", "text": ""})]
        delta = {"type": "text_delta", "text": piece}
        blocks += [_event("content_block_delta", index=0, delta=delta) for _ in range(events)]
        if begin:
            blocks[0] += blocks.pop(1)
            blocks[0] += _event("content_block_delta", index=0, delta={**delta, "text": begin})
        stop = {"stop_reason": "end_turn", "stop_sequence": None}
        end = [_event("content_block_stop", index=0)]
        end += [_event("message_delta", delta=stop, usage={"output_tokens": TOKENS}), _event("message_stop")]
    blocks.append(b"".join(end))
    wrapped = [b"%x\r\n%s\r\n" % (len(block), block) for block in blocks]
    wrapped[0] = _HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n" + wrapped[0]
    wrapped[-1] += b"0\r\n\r\n"
    return tuple(wrapped)


def _chunk(delta: dict[str, Any] | None, finish_reason: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "bench"}
    return b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n"


def _event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + json.dumps({"type": kind, **more}).encode() + b"\n\n"


class Stats:
    """What the server saw."""

    def __init__(self) -> None:
        self.requests = self.out = self.peak = 0
        self.came_at = self.first_at = self.ended_at = 0.0


class Answering(asyncio.Protocol):
    """One connection: requests in, prepared answers out at their time."""

    def __init__(self, stats: Stats, latency_s: float, events: int) -> None:
        self.stats = stats
        self.latency_s = latency_s
        self.events = events
        self.held = b""
        self.transport: Any = None
        self.random = Random()
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.held += data
        while True:
            end = self.held.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.held[:end]
            found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self.held) < size:
                return
            body, self.held = self.held[end + 4 : size], self.held[size:]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if path == b"/stats":
            self.tell(json.dumps(vars(self.stats)).encode())
            return
        found = _PATH.match(path)
        assert found is not None, path
        came = time.monotonic()
        latency_s = int(found[1]) / 1000 if found[1] else self.latency_s
        dialect = "openai" if found[4].endswith(b"completions") else "anthropic"
        events = int(found[3] or self.events)
        self.stats.came_at = time.time()
        self.stats.requests += 1
        self.stats.out += 1
        self.stats.peak = max(self.stats.peak, self.stats.out)
        if found[2]:
            count = self.random.randrange(events // 2, events * 3 // 2)
            self.loop.call_later(FIRST_S, self.paced, dialect, count, 1 / int(found[2]), came)
        elif b'"stream":true' in body or b'"stream": true' in body:
            chunks = streamed(dialect, events)
            first_s = min(FIRST_S, latency_s * 0.4)
            begin = self.loop.time() + first_s
            self.loop.call_later(first_s, self.stream, chunks, 0, begin, latency_s - first_s)
        else:
            self.loop.call_later(latency_s, self.end, plain(dialect))

    def stream(self, chunks: tuple[bytes, ...], position: int, begin: float, span_s: float) -> None:
        share = (self.loop.time() - begin) / span_s if span_s > 0 else 1.0
        due = min(len(chunks), max(position + 1, int(share * (len(chunks) - 1)) + 1))
        if self.transport.is_closing():
            self.stats.out -= 1
            return
        if due == len(chunks):
            self.end(b"".join(chunks[position:]))
            return
        if position == 0:
            self.stats.first_at = time.time()
        # One event at a time, unless this server is late.
        self.transport.write(b"".join(chunks[position:due]))
        self.loop.call_later(span_s / len(chunks), self.stream, chunks, due, begin, span_s)

    def paced(self, dialect: str, count: int, gap_s: float, came: float) -> None:
        # Cut to its length from one list, or each length would be encoded anew.
        chunks = streamed(dialect, _LONGEST, _UNTOLD.decode())
        chunks = (*chunks[:count], chunks[-1])
        if not self.transport.is_closing():
            took = b"@%09d " % round((time.monotonic() - came) * 1e6)
            self.transport.write(chunks[0].replace(_UNTOLD, took))
        begin, span_s = self.loop.time(), count * gap_s
        self.loop.call_later(gap_s, self.stream, chunks, 1, begin, span_s)

    def end(self, data: bytes) -> None:
        self.stats.out -= 1
        self.stats.ended_at = time.time()
        if not self.transport.is_closing():
            self.transport.write(data)

    def tell(self, payload: bytes) -> None:
        head = _HEAD % b"application/json" + b"content-length: %d\r\n\r\n" % len(payload)
        self.transport.write(head + payload)


async def serve(port: int, latency_s: float, events: int) -> None:
    """Serve until killed; prints the port first."""
    stats = Stats()
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(stats, latency_s, events), "127.0.0.1", port, backlog=8192
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running(latency_s: float = 0.05, events: int = 32) -> Any:
    """A loopback server in its own process; gives its base address, `http://127.0.0.1:PORT`."""
    command = [sys.executable, str(Path(__file__)), "--latency", str(latency_s), "--events", str(events)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--events", type=int, default=32)
    options = parser.parse_args()
    try:
        import uvloop

        uvloop.run(serve(options.port, options.latency, options.events))
    except ImportError:
        asyncio.run(serve(options.port, options.latency, options.events))


if __name__ == "__main__":
    main()
