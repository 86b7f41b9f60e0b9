"""A server that fails on demand: every dialect, real sockets, a process of its own.

Every test has a channel, `http://127.0.0.1:PORT/c/NAME`, with a list of behaviours used up one a request
and one for all requests after (`then`); `by` has lists of its own for requests whose last message is such
a text. What arrived, what was sent, and when, is kept per channel. A behaviour is a dict:

- `status`, `headers`, `body`: answer with that; `body` is text, or anything else as JSON
- `text`, `finish`, `usage`, `events`: the answer itself, in so many events; `usage` None leaves it out
- `usage_to`: counts drawn anew for each answer, up to so many for the input and for the output
- `delay_s` before anything, `first_s` before the first event, `gap_s` between events; a pair of numbers
  stands for any time between them
- `cut_after`, `truncate_after`, `stall_after`, `garble_after`, `error_after` (with `error`): so many events
  in, disconnect / end in good order / fall silent / send a broken event / send an error event
- `hang`: never answer; `half_head`: half a head, then silence; `reset`: close without a word
- `drip_s`: one byte, then so much of a pause, for the whole answer
- `content_type`, `raw`: a 200 of that type with exactly these bytes
- `storm`: `{share, of, from_s, for_s}`: for so long, from so many seconds after the first request on, such
  a share of requests gets one of these behaviours instead

`/down/NAME` takes the whole server off the network for so long: nobody listens, all connections break.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from random import Random
from typing import Any

from answers import FIRST, MAKERS, usage, whole


class Channel:
    """What one test wants, and what came."""

    def __init__(self) -> None:
        self.script: list[dict[str, Any]] = []
        self.then: dict[str, Any] = {}
        self.by: dict[str, list[dict[str, Any]]] = {}
        self.seen: list[dict[str, Any]] = []
        self.out = self.peak = 0
        self.random = Random(1)

    def how(self, body: Any) -> dict[str, Any]:
        """What happens to the request that came just now."""
        said = (body or {}).get("messages") or (body or {}).get("input") or [{}]
        own = self.by.get(str(said[-1].get("content")))
        if own:
            return own.pop(0)
        if self.script:
            return self.script.pop(0)
        storm = self.then.get("storm")
        since_s = time.monotonic() - self.seen[0]["at"]
        lasts = storm and 0 <= since_s - storm.get("from_s", 0) < storm["for_s"]
        if lasts and self.random.random() < storm["share"]:
            chosen: dict[str, Any] = self.random.choice(storm["of"])
            return chosen
        return self.then


CHANNELS: dict[str, Channel] = {}
WRITERS: set[asyncio.StreamWriter] = set()
LISTENER: list[asyncio.Server] = []
TASKS: set[asyncio.Task[None]] = set()


def channel(name: str) -> Channel:
    """The channel of that name."""
    return CHANNELS.setdefault(name, Channel())


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, request after request."""
    WRITERS.add(writer)
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            if not await answer(head, body, writer):
                break
    except (asyncio.IncompleteReadError, ConnectionError, RuntimeError):
        pass  # the client went; uvloop says so with a RuntimeError
    finally:
        WRITERS.discard(writer)
        writer.close()


async def answer(head: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; False: the connection is done with."""
    at = time.monotonic()
    method, path, _ = head.split(" ", 2)
    found = re.fullmatch(r"/(c|script|seen|down)/([^/]+)(/.*)?", path)
    if found is None:
        await send(writer, 404, b"{}")
        return True
    place = channel(found[2])
    if found[1] != "c":
        await command(found[1], place, json.loads(body) if body else {}, writer)
        return True
    lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    seen = {
        "at": at,
        "method": method,
        "path": found[3],
        "headers": {name.lower(): value for name, value in lines.items()},
        "body": json.loads(body) if body else None,
        "first": None,
        "ended": None,
        "whole": False,
        "usage": None,
    }
    place.seen.append(seen)
    place.out += 1
    place.peak = max(place.peak, place.out)
    try:
        return await behave(place.how(seen["body"]), seen, writer, place.random)
    finally:
        place.out -= 1
        seen["ended"] = seen["ended"] or time.monotonic()


async def command(what: str, place: Channel, told: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    """Do what a test says, or tell it what came."""
    if what == "script":
        place.script, place.then, place.by = told["script"], told["then"], told.get("by", {})
    said = {"seen": place.seen, "peak": place.peak, "now": time.monotonic()} if what == "seen" else {}
    await send(writer, 200, json.dumps(said).encode())
    if what == "down":
        task = asyncio.create_task(down(told["for_s"]))
        TASKS.add(task)
        task.add_done_callback(TASKS.discard)


async def down(for_s: float) -> None:
    """Off the network for so long."""
    (listener,) = LISTENER
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    for writer in list(WRITERS):
        writer.transport.abort()
    await asyncio.sleep(for_s)
    await listen(port)


async def behave(
    how: dict[str, Any], seen: dict[str, Any], writer: asyncio.StreamWriter, random: Random
) -> bool:
    """Do to one request what its behaviour says."""
    await asyncio.sleep(span(how.get("delay_s", 0), random))
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
    if "usage_to" in how:
        most_input, most_output = how["usage_to"]
        seen["usage"] = [random.randint(1, most_input), random.randint(1, most_output)]
        how = {**how, "usage": usage(dialect, *seen["usage"])}
    how = {**how, "first_s": span(how.get("first_s", 0), random)}
    if not (seen["body"] or {}).get("stream"):
        await asyncio.sleep(how["first_s"])
        await send(writer, 200, whole(dialect, how), how.get("headers"), drip_s=how.get("drip_s", 0))
        seen["whole"] = True
        return True
    return await stream(MAKERS[dialect](how, how.get("events", 4)), how, dialect, writer, seen)


def span(told: float | list[float], random: Random) -> float:
    """So long, or any time between two."""
    return random.uniform(*told) if isinstance(told, list) else told


async def stream(
    events: list[bytes],
    how: dict[str, Any],
    dialect: str,
    writer: asyncio.StreamWriter,
    seen: dict[str, Any],
) -> bool:
    """A streamed answer, with what is to go wrong in it."""
    head = {"content-type": "text/event-stream", "transfer-encoding": "chunked", "x-request-id": "req-1"}
    writer.write(_head(200, {**head, **how.get("headers", {})}))
    await writer.drain()
    await asyncio.sleep(how["first_s"])
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
            if number == FIRST[dialect]:
                seen["first"] = time.monotonic()
            for part in [block[i : i + 1] for i in range(len(block))] if how.get("drip_s") else [block]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(how.get("drip_s", 0))
        # With its last event an answer is there, whatever becomes of the end of the body.
        seen.update(_answered(how) if number == len(events) - 1 else {})
        await asyncio.sleep(how.get("gap_s", 0))
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _answered(how: dict[str, Any]) -> dict[str, Any]:
    return {
        "whole": not {"truncate_after", "garble_after", "error_after"} & set(how),
        "ended": time.monotonic(),
    }


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


async def listen(port: int) -> int:
    """Take connections on that port, or any; gives it."""
    LISTENER[:] = [await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)]
    return int(LISTENER[0].sockets[0].getsockname()[1])


async def main() -> None:
    """Serve on the port given, or any; prints it."""
    print(await listen(int(sys.argv[1]) if len(sys.argv) > 1 else 0), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
