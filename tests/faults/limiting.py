"""A server that takes so many requests a minute for each key and refuses the rest; a process of its own.

`python limiting.py '{"per_minute": 60}'` prints its port. Settings: `per_minute`; `window` (`bucket`: a
token bucket that holds a minute's worth; `fixed`: a new minute's worth every minute); `left`, how many the
bucket holds at the first request; `headers`, whether answers tell of the limit; `delay_s` before an answer.
`GET /seen` gives what arrived: time, key, status, and the last message.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
import time
from typing import Any

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-2026"}
EVENTS = [
    {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "yes"}}]},
    {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {**HEAD, "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}},
]
ANSWER = b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in EVENTS) + b"data: [DONE]\n\n"


class Limit:
    """What one key has left."""

    def __init__(self, told: dict[str, Any], now: float) -> None:
        self.capacity = float(told["per_minute"])
        self.per_s = self.capacity / 60
        self.fixed = told.get("window") == "fixed"
        self.left = float(told.get("left", self.capacity))
        self.at = now

    def take(self, now: float) -> bool:
        """One request arrives; False: it is refused."""
        if self.fixed and now - self.at >= 60:
            self.left, self.at = self.capacity, now
        elif not self.fixed:
            self.left = min(self.capacity, self.left + (now - self.at) * self.per_s)
            self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def wait_s(self, now: float) -> float:
        """Until one more is taken."""
        return self.at + 60 - now if self.fixed else (1 - self.left) / self.per_s

    def headers(self, now: float) -> dict[str, str]:
        """What OpenAI's headers would say."""
        reset_s = self.at + 60 - now if self.fixed else (self.capacity - self.left) / self.per_s
        return {
            "x-ratelimit-limit-requests": f"{self.capacity:.0f}",
            "x-ratelimit-remaining-requests": f"{math.floor(self.left)}",
            "x-ratelimit-reset-requests": f"{reset_s:.3f}s",
        }


TOLD: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
LIMITS: dict[str, Limit] = {}
SEEN: list[dict[str, Any]] = []


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, request after request."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            if head.startswith("GET /seen"):
                await send(writer, 200, json.dumps(SEEN).encode())
            else:
                await answer(head, json.loads(body), writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(head: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    """Take it or refuse it."""
    now = time.monotonic()
    found = re.search(r"authorization: *bearer +(\S+)", head, re.IGNORECASE)
    key = found[1] if found else ""
    limit = LIMITS.setdefault(key, Limit(TOLD, now))
    taken = limit.take(now)
    said = body["messages"][-1]["content"]
    SEEN.append({"at": now, "key": key, "status": 200 if taken else 429, "said": said})
    headers = limit.headers(now) if TOLD.get("headers", True) else {}
    if not taken:
        wait_s = limit.wait_s(now)
        asked = {"retry-after": f"{math.ceil(wait_s)}", "retry-after-ms": f"{math.ceil(wait_s * 1000)}"}
        error = {
            "error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}
        }
        await send(writer, 429, json.dumps(error).encode(), {**headers, **asked})
        return
    await asyncio.sleep(TOLD.get("delay_s", 0.05))
    await send(writer, 200, ANSWER, {**headers, "content-type": "text/event-stream"})


async def send(
    writer: asyncio.StreamWriter, status: int, payload: bytes, headers: dict[str, str] | None = None
) -> None:
    """A whole response."""
    fields = {"content-type": "application/json", **(headers or {}), "content-length": str(len(payload))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode("latin-1") + payload)
    await writer.drain()


async def main() -> None:
    """Serve on any port; prints it."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
